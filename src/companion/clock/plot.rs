//! A plot of the last day's offsets for a terminal, in plain characters.

/// The time span of the plot, in seconds: a day.
pub(super) const DAY: f64 = 86_400.0;
pub(super) const MOST: f64 = 1e12;

/// The offsets of the last day: `*` an offset, `.` what it may be as well. Each point is seconds ago, offset, uncertainty.
/// `width` counts the labels too, `height` the rows above the axis. Nothing where there are fewer than two points, or no room.
pub(super) fn plot(history: &[(f64, f64, f64)], width: usize, height: usize) -> String {
    let usable = |&(ago, offset, uncertainty): &(f64, f64, f64)| {
        // A minute's grace: "now" and the points need not come from the same reading of the clock.
        let in_time = (-60.0..=DAY + 60.0).contains(&ago) && !offset.is_nan();
        let uncertainty = if uncertainty.is_nan() { 0.0 } else { bounded(uncertainty.abs()) };
        in_time.then(|| (ago.clamp(0.0, DAY), bounded(offset), uncertainty))
    };
    let points: Vec<(f64, f64, f64)> = history.iter().filter_map(usable).collect();
    if points.len() < 2 || height < 2 {
        return String::new();
    }
    let axis = Axis::of(&points, height);
    let labelled = |row: usize| row == 0 || row == height - 1 || (height > 4 && row == height / 2);
    let labels: Vec<String> =
        (0..height).map(|row| if labelled(row) { axis.label(row) } else { String::new() }).collect();
    let margin = labels.iter().map(String::len).max().unwrap_or_default();
    let columns = width.saturating_sub(margin + 2);
    let (from, to) = ("24 h ago", "now");
    if columns < from.len() + 1 + to.len() {
        return String::new();
    }

    let mut cells = vec![vec![' '; columns]; height];
    for &(ago, offset, uncertainty) in &points {
        let column = ((1.0 - ago / DAY) * (columns - 1) as f64).round() as usize;
        for cells in &mut cells[axis.row(offset - uncertainty)..=axis.row(offset + uncertainty)] {
            if cells[column] == ' ' {
                cells[column] = '.';
            }
        }
        cells[axis.row(offset)][column] = '*';
    }
    let mut text = String::new();
    for (label, cells) in labels.iter().zip(&cells).rev() {
        let tick = if label.is_empty() { '|' } else { '+' };
        let row = format!("{label:>margin$} {tick}{}", cells.iter().collect::<String>());
        text.push_str(&format!("{}\n", row.trim_end()));
    }
    let (indent, rest) = (" ".repeat(margin + 2), columns - from.len());
    text + &format!("{}+{}\n{indent}{from}{to:>rest$}\n", " ".repeat(margin + 1), "-".repeat(columns))
}

/// The rows of the plot, from the bottom: each stands for a round number of a unit.
struct Axis {
    /// Seconds that one unit has, and its name.
    unit: (f64, &'static str),
    /// Units between rows.
    step: f64,
    /// Steps between nought and the lowest row.
    lowest: f64,
    rows: usize,
    decimals: usize,
}

impl Axis {
    fn of(points: &[(f64, f64, f64)], rows: usize) -> Self {
        let mut uncertainties: Vec<f64> = points.iter().map(|point| point.2).collect();
        uncertainties.sort_by(f64::total_cmp);
        // The usual uncertainty has room; a single great one is cut off, so that it does not flatten all the rest.
        let usual = uncertainties[uncertainties.len() / 2];
        let lowest = points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min) - usual;
        let highest = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max) + usual;
        let size = lowest.abs().max(highest.abs());
        // What changes decides the unit: a clock that is 3 min off and wanders by seconds is shown in seconds.
        let unit = match highest - lowest {
            spread if spread < 1.0 && size < 1.0 => (0.001, "ms"),
            spread if spread < 120.0 && size < 10_000.0 => (1.0, "s"),
            spread if spread < 7_200.0 && size < 600_000.0 => (60.0, "min"),
            _ => (3_600.0, "h"),
        };
        // Equal values need a height as well, and one that a label can tell.
        let spread = (highest - lowest).max(size * 1e-6).max(0.001) / unit.0;
        let mut exponent = (spread / rows as f64).log10().floor() as i32;
        loop {
            for factor in [1.0, 2.0, 3.0, 4.0, 5.0] {
                let step = factor * 10_f64.powi(exponent);
                // A row stands for what is up to half a step away from it.
                let from = (lowest / unit.0 / step).round();
                if from + rows as f64 - 0.5 > highest / unit.0 / step {
                    return Self { unit, step, lowest: from, rows, decimals: exponent.min(0).unsigned_abs() as usize };
                }
            }
            exponent += 1;
        }
    }

    /// The row of an offset, the nearest where it is outside.
    fn row(&self, offset: f64) -> usize {
        (offset / self.unit.0 / self.step - self.lowest).round().clamp(0.0, (self.rows - 1) as f64) as usize
    }

    fn label(&self, row: usize) -> String {
        match (self.lowest + row as f64) * self.step {
            0.0 => format!("0 {}", self.unit.1),
            value => format!("{value:+.*} {}", self.decimals, self.unit.1),
        }
    }
}

/// No sum of two offsets may overflow, whatever a daemon says.
pub(super) fn bounded(value: f64) -> f64 {
    value.clamp(-MOST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_shows_the_offsets_and_what_else_they_may_be() {
        let points = [(DAY, 0.0, 1.0), (DAY / 2.0, 2.0, 1.0), (0.0, 4.0, 0.0)];
        let wanted = "
+5 s +
     |                *
     |        .
+2 s +        *
     |.       .
     |*
-1 s +.
     +-----------------
      24 h ago      now
";
        assert_eq!(plot(&points, 23, 7), wanted[1..]);
    }

    #[test]
    fn a_plot_takes_whatever_comes() {
        let equal = plot(&[(DAY, 5.0, 0.0), (0.0, 5.0, 0.0)], 30, 3);
        assert!(equal.matches('*').count() == 2 && equal.contains(" s +"), "{equal}");
        for (size, unit) in [(0.2, "ms"), (20.0, "s"), (1_000.0, "min"), (1e5, "h"), (1e300, "h")] {
            let text = plot(&[(DAY, -size, 0.0), (0.0, size, size)], 40, 9);
            assert!(text.lines().next().is_some_and(|line| line.contains(&format!(" {unit} +"))), "{text}");
        }
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e-300, 1e308, f64::MAX, 3_600.0];
        for (a, b, c) in odd.iter().flat_map(|&a| odd.iter().flat_map(move |&b| odd.map(|c| (a, b, c)))) {
            for (width, height) in [(72, 9), (30, 2), (30, 1), (5, 5), (0, 0)] {
                let text = plot(&[(a, b, c), (b, c, a), (60.0, c, b), (30.0, b, 1.0)], width, height);
                let fits = text.lines().all(|line| line.len() <= width) && !text.contains("NaN");
                assert!(fits && (text.is_empty() || text.lines().count() == height + 2), "{text}");
            }
        }
        assert!(plot(&[], 72, 9).is_empty() && plot(&[(0.0, 1.0, 1.0), (5.0, f64::NAN, 1.0)], 72, 9).is_empty());
    }
}
