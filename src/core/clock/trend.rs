//! Where the wall clock is going: how its error has moved over the last day, and when it will be past what AWS allows.
//!
//! Every reading is an interval that holds the wall clock's error. A clock that drifts steadily moves along a line that goes
//! through all of them, so the readings bound its slope; where no line does, something stepped in between, and only what
//! came after it counts. No more is assumed of the errors than that.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::core::time::{BootTime, span_from_millis};

/// Readings that are closer together than this tell nothing about the rate.
const APART: TimeDelta = TimeDelta::minutes(5);
/// How far back is remembered, and how far ahead is spoken of.
const SPAN: TimeDelta = TimeDelta::hours(24);
/// Less than this is not enough to speak of a rate.
const ENOUGH: TimeDelta = TimeDelta::hours(1);
/// After this long without a reading nothing is foretold any more.
const OLDEST: TimeDelta = TimeDelta::hours(3);
/// More readings than a day of them has every five minutes: a clock that is set all the time.
const MOST: usize = 300;
/// Two readings lie on a line however the clock stepped between them.
const FEWEST: usize = 3;
const BILLION: i128 = 1_000_000_000;

/// The wall clock's error at one moment: wall clock minus AWS's time, in ms, as an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When (boot-time clock).
    pub at: BootTime,
    /// Not less than this.
    pub lowest: i64,
    /// Not more than this.
    pub highest: i64,
}

/// How fast the wall clock drifts against AWS's time, in parts per billion, as an interval; positive, it is too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Not less than this.
    pub lowest: i64,
    /// Not more than this.
    pub highest: i64,
}

impl Drift {
    /// The middle, and how far that may be off.
    pub fn middle(self) -> (i64, i64) {
        let middle = self.lowest.midpoint(self.highest);
        (middle, self.highest.saturating_sub(middle))
    }
}

/// When the wall clock will be as far off as some of AWS's services allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// How far off it will be then; negative, behind AWS's time.
    pub error: TimeDelta,
    /// How long until then, about.
    pub after: TimeDelta,
}

/// The readings of the last day, oldest first, and what follows from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Trend {
    readings: VecDeque<Reading>,
    /// Readings before this one are of a clock that was set, or stood still, since.
    steady_since: Option<BootTime>,
    drift: Option<Drift>,
}

impl Trend {
    /// Takes in a reading, unless it comes too soon after the last one.
    pub(super) fn note(&mut self, reading: Reading) {
        let is_soon = |last: &Reading| reading.at - last.at < APART && self.steady_since.is_none_or(|at| at <= last.at);
        if self.readings.back().is_some_and(is_soon) {
            return;
        }
        self.readings.push_back(reading);
        while self.readings.len() > MOST || self.readings.front().is_some_and(|first| reading.at - first.at > SPAN) {
            self.readings.pop_front();
        }
        self.fit();
    }

    /// The wall clock was set, or the machine slept: what was seen before says nothing about the rate from here.
    pub(super) fn begin_again(&mut self, at: BootTime) {
        self.steady_since = Some(at);
        self.drift = None;
    }

    pub(super) fn readings(&self) -> impl Iterator<Item = Reading> {
        self.readings.iter().copied()
    }

    /// The rate, once there is enough to tell.
    pub(super) fn drift(&self) -> Option<Drift> {
        self.drift
    }

    /// Whether the newest readings move faster than any clock that ticks as it should.
    pub(super) fn is_restless(&self, usual_ppm: i64) -> bool {
        let mut newest = self.readings.iter().rev();
        let (Some(last), Some(before)) = (newest.next(), newest.next()) else { return false };
        let (lowest, highest) = slope(*before, *last);
        let usual = i128::from(usual_ppm) * 1_000;
        lowest > usual || highest < -usual
    }

    /// Finds the longest run up to now that one line goes through, and the slopes of all such lines.
    fn fit(&mut self) {
        self.drift = None;
        let steady: Vec<Reading> = self
            .readings
            .iter()
            .copied()
            .filter(|reading| self.steady_since.is_none_or(|at| reading.at >= at))
            .collect();
        let (mut lowest, mut highest) = (i128::MIN, i128::MAX);
        let mut first = steady.len();
        for (at, reading) in steady.iter().enumerate().rev() {
            let (mut low, mut high) = (lowest, highest);
            for later in steady.iter().skip(at + 1) {
                let (from, to) = slope(*reading, *later);
                (low, high) = (low.max(from), high.min(to));
            }
            if low > high {
                break;
            }
            (lowest, highest, first) = (low, high, at);
        }
        let Some(run) = steady.get(first..).filter(|run| run.len() >= FEWEST) else { return };
        let (Some(oldest), Some(newest)) = (run.first(), run.last()) else { return };
        if first > 0 {
            self.steady_since = Some(oldest.at);
        }
        let span = newest.at - oldest.at;
        // After a long gap the two ends say no more than two readings do.
        let has_gap = run.windows(2).any(|pair| (pair[1].at - pair[0].at) * 3 > span * 2);
        if span >= ENOUGH && !has_gap {
            self.drift = Some(Drift { lowest: clamped(lowest), highest: clamped(highest) });
        }
    }

    /// When the error will be past each limit (a size, ascending), where the rate is known well enough to say "about", and of
    /// late.
    pub(super) fn crossings(&self, now: BootTime, limits: &[TimeDelta]) -> Vec<Crossing> {
        let (Some((rate, uncertainty)), Some(newest)) = (self.drift.map(Drift::middle), self.readings.back()) else {
            return Vec::new();
        };
        let age = now - newest.at;
        if rate == 0 || uncertainty > rate.abs() / 2 || age > OLDEST {
            return Vec::new();
        }
        let direction = rate.signum();
        let since = i128::from(age.num_milliseconds()) * i128::from(rate) / BILLION;
        let along = (i128::from(newest.lowest.midpoint(newest.highest)) + since) * i128::from(direction);
        let ahead = limits.iter().filter_map(|limit| {
            let left = i128::from(limit.num_milliseconds()) - along;
            let after = span_from_millis(clamped(left * BILLION / i128::from(rate.abs())));
            let error = span_from_millis(limit.num_milliseconds().saturating_mul(direction));
            (left > 0 && after <= SPAN).then_some(Crossing { error, after })
        });
        ahead.collect()
    }
}

/// The slopes of all lines through two readings, in parts per billion: the flattest and the steepest.
fn slope(earlier: Reading, later: Reading) -> (i128, i128) {
    let run = i128::from((later.at - earlier.at).num_milliseconds()).max(1);
    let rise = |to: i64, from: i64| (i128::from(to) - i128::from(from)) * BILLION;
    (rise(later.lowest, earlier.highest).div_euclid(run), -(-rise(later.highest, earlier.lowest)).div_euclid(run))
}

fn clamped(value: i128) -> i64 {
    let end = if value < 0 { -i64::MAX } else { i64::MAX };
    i64::try_from(value).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const LIMITS: [TimeDelta; 2] = [TimeDelta::minutes(5), TimeDelta::minutes(15)];

    /// A reading of a clock that is off by `error`, each end a second and a half away.
    fn reading(minute: i64, error: i64) -> Reading {
        Reading { at: BootTime::from_millis(minute * MINUTE), lowest: error - 1_500, highest: error + 1_500 }
    }

    fn trend(readings: impl IntoIterator<Item = Reading>) -> Trend {
        let mut trend = Trend::default();
        readings.into_iter().for_each(|reading| trend.note(reading));
        trend
    }

    #[test]
    fn a_clock_that_loses_a_minute_an_hour_is_foretold_after_an_hour_and_not_before() {
        let error = |minute: i64| -minute * 1_000;
        let early = trend((0..4).map(|at| reading(at * 15, error(at * 15))));
        assert!(early.drift().is_none() && early.is_restless(500));
        let trend = trend((0..5).map(|at| reading(at * 15, error(at * 15))));
        let (rate, uncertainty) = trend.drift().unwrap().middle();
        assert!((rate + 16_666_667).abs() <= uncertainty && uncertainty < 1_000_000, "{rate} ± {uncertainty}");
        let [first, second] = trend.crossings(BootTime::from_millis(60 * MINUTE), &LIMITS)[..] else { panic!() };
        assert_eq!((first.error.num_minutes(), second.error.num_minutes()), (-5, -15));
        assert!((first.after - TimeDelta::hours(4)).abs() < TimeDelta::minutes(15), "{}", first.after);
        assert!((second.after - TimeDelta::hours(14)).abs() < TimeDelta::minutes(50), "{}", second.after);
        // Without a reading it comes nearer all the same, and after hours nobody knows.
        let later = trend.crossings(BootTime::from_millis(180 * MINUTE), &LIMITS)[0];
        assert!((first.after - later.after - TimeDelta::hours(2)).abs() < TimeDelta::seconds(1), "{}", later.after);
        assert_eq!(trend.crossings(BootTime::from_millis(300 * MINUTE), &LIMITS), []);
    }

    #[test]
    fn a_clock_that_was_set_or_paused_is_no_clock_that_drifts() {
        // Right, then ten minutes off from one reading to the next, then steady again.
        let stepped = trend((0..20).map(|at| reading(at * 10, if at < 10 { 0 } else { 600_000 })));
        let drift = stepped.drift().unwrap();
        assert!(drift.lowest <= 0 && drift.highest >= 0, "{drift:?}");
        assert_eq!(stepped.crossings(BootTime::from_millis(190 * MINUTE), &LIMITS), []);
        assert!(!stepped.is_restless(500));
        // Told of it, nothing is said for an hour.
        let mut told = trend((0..7).map(|at| reading(at * 15, -at * 15_000)));
        told.begin_again(BootTime::from_millis(91 * MINUTE));
        assert!(told.drift().is_none());
        (0..4).for_each(|at| told.note(reading(92 + at * 15, 0)));
        assert!(told.drift().is_none());
        told.note(reading(92 + 60, 0));
        assert!(told.drift().is_some());
    }

    #[test]
    fn readings_with_a_long_gap_between_them_tell_no_rate() {
        assert!(trend([reading(0, 0), reading(6, 0), reading(700, -90_000)]).drift().is_none());
    }

    #[test]
    fn a_clock_that_keeps_time_is_not_foretold_anything() {
        let good = trend((0..100).map(|at| reading(at * 14, at * 7)));
        let drift = good.drift().unwrap();
        assert!(drift.lowest <= 8_333 && drift.highest >= 8_333, "{drift:?}");
        assert_eq!(good.crossings(BootTime::from_millis(99 * 14 * MINUTE), &LIMITS), []);
    }

    #[test]
    fn readings_that_make_no_sense_do_not_overflow() {
        let ends = [i64::MIN, -1, 0, i64::MAX];
        let wild = ends.iter().zip(1..).map(|(end, at)| Reading {
            at: BootTime::from_millis(at * 30 * MINUTE),
            lowest: *end,
            highest: end.saturating_add(1),
        });
        let wild = trend(wild);
        let _ = wild.crossings(BootTime::from_millis(130 * MINUTE), &LIMITS);
    }

    proptest! {
        #[test]
        fn the_true_rate_is_always_inside_and_a_crossing_comes_about_when_it_was_foretold(
            ppm in -30_000i64..30_000,
            begin in -200_000i64..200_000,
            steps in proptest::collection::vec((5i64..40, 0i64..3_000, 0i64..1_000), 8..60),
        ) {
            let error = |minute: i64| begin + minute * MINUTE / 1_000 * ppm / 1_000;
            let (mut trend, mut minute) = (Trend::default(), 0);
            for (pause, width, share) in steps {
                minute += pause;
                let lowest = error(minute) - 1 - width * share / 1_000;
                let at = BootTime::from_millis(minute * MINUTE);
                trend.note(Reading { at, lowest, highest: lowest + width + 2 });
            }
            if let Some(drift) = trend.drift() {
                prop_assert!(drift.lowest <= ppm * 1_000 && ppm * 1_000 <= drift.highest, "{:?}", drift);
            }
            for Crossing { error: to, after } in trend.crossings(BootTime::from_millis(minute * MINUTE), &LIMITS) {
                let truly = (to.num_milliseconds() - error(minute)) as f64 / (ppm as f64 / 1e6);
                let said = after.num_milliseconds() as f64;
                // How long the clock takes for what the newest reading leaves open.
                let open = 1_600.0 / (ppm.unsigned_abs() as f64 / 1e6);
                prop_assert!(said > truly * 0.45 - open && said < truly * 1.6 + open, "{} {}", said, truly);
            }
        }
    }
}
