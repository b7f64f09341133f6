//! `clock`: this machine's clock against AWS's, how that is known, and what will happen when.
//!
//! The document is read field by field and never as a whole: what a later daemon adds is passed over, and a field that is
//! missing costs its line and nothing else. Who asks for this may have a machine on which little is as it should be.

mod plot;

use std::process::ExitCode;

use serde_json::Value;

use self::plot::{DAY, MOST, bounded, plot};
use super::client;
use super::failure::{ATTENTION, Failure};
use super::output;
use super::render::{seconds_between, table};
use crate::core::printable::line;
use crate::platform::environment::Environment;

/// Fits a terminal of 80 columns, and leaves room for the rest on one of 40 rows.
const PLOT: (usize, usize) = (72, 9);
const REFUSE: &str = "refuse requests that are signed with this clock";

/// `clock`.
pub(super) fn clock(environment: &Environment, json: bool) -> Result<ExitCode, Failure> {
    let answer = client::ask(environment, "clock", None)?;
    let document = answer.map_err(|error| Failure::from_daemon("the clock can't be shown", error))?;
    let Some(state) = text(&document, "state") else {
        let message = "the clock can't be shown: the daemon's answer has no clock state";
        return Err(Failure::new(ATTENTION, message).restart());
    };
    let exit = exit_code(state);
    if json {
        output::print_json(&document)?;
    } else {
        output::print_exact(&said(&document, output::colour(environment)))?;
    }
    Ok(ExitCode::from(exit))
}

/// An unknown clock skew needs no action; a grade that this version does not know may need one.
fn exit_code(state: &str) -> u8 {
    if matches!(state, "ok" | "unknown") { 0 } else { ATTENTION }
}

/// The document as people read it.
fn said(document: &Value, colour: bool) -> String {
    let now = text(document, "now");
    let mut lines = vec![headline(document, colour)];
    if let Some(source) = text(document, "source") {
        let at = text(document, "measured_at").map_or_else(String::new, |at| format!(", {}", when(at, now)));
        lines.push(format!("known from {}{at}", line(source)));
    }
    lines.extend(list(document, "limits").iter().filter_map(|limit| at_the_limit(limit, document)));
    lines.push(drift(document));
    lines.extend(predictions(document));
    let mut said = lines.join("\n") + "\n";
    said.push_str(&sources(document, now, colour));

    let mut lines: Vec<String> = [synchronisation(document), zone(document)].into_iter().flatten().collect();
    for fix in list(document, "fix") {
        lines.extend(text(fix, "text").map(|sentence| format!("fix: {}", line(sentence))));
        // A command of several lines stays one: joined, its lines would do something else.
        lines.extend(text(fix, "command").into_iter().flat_map(str::lines).map(|part| format!("    {}", line(part))));
    }
    if !lines.is_empty() {
        said.push_str(&format!("\n{}\n", lines.join("\n")));
    }

    let plot = plot(&history(document, now), PLOT.0, PLOT.1);
    if !plot.is_empty() {
        said.push_str(&format!("\nthe last day (+ is ahead of AWS's time, - behind; the dots: give or take)\n{plot}"));
    }
    said
}

fn headline(document: &Value, colour: bool) -> String {
    let state = text(document, "state").unwrap_or("unknown");
    let grade = match shade(state).filter(|_| colour) {
        Some(escape) => format!("{escape}{}\u{1b}[0m", line(state)),
        None => line(state),
    };
    let Some(offset) = number(document, "offset_seconds") else {
        let rest = if state == "unknown" { String::new() } else { format!(": {grade}") };
        return format!("AWS's time is not known yet{rest}");
    };
    let margin = number(document, "uncertainty_seconds")
        .map_or_else(String::new, |uncertainty| format!(", give or take {}", duration(uncertainty)));
    let place = match (duration(offset), offset < 0.0) {
        (none, _) if none == duration(0.0) => "shows AWS's time".to_owned(),
        (size, true) => format!("is {size} behind AWS's time"),
        (size, false) => format!("is {size} ahead of AWS's time"),
    };
    format!("This clock {place}{margin}: {grade}")
}

/// Which of AWS's limits is passed, or how far away it is.
fn at_the_limit(limit: &Value, document: &Value) -> Option<String> {
    let (seconds, who) = (number(limit, "seconds")?, line(text(limit, "who")?));
    let size = duration(seconds);
    let Some(offset) = number(document, "offset_seconds").map(f64::abs) else {
        return Some(format!("at a clock skew of {size}, {who} will {REFUSE}"));
    };
    let uncertainty = number(document, "uncertainty_seconds").unwrap_or_default().abs();
    Some(if offset - uncertainty > seconds {
        format!("the clock skew is more than {size}: {who} will {REFUSE}")
    } else if offset + uncertainty > seconds {
        format!("the clock skew may be more than {size}: {who} may {REFUSE}")
    } else {
        format!("a clock skew of {size} is {} away: {who} would {REFUSE}", duration(seconds - offset))
    })
}

fn drift(document: &Value) -> String {
    let Some(drift) = number(document, "drift_ppm") else {
        return "drift: not known yet".to_owned();
    };
    let margin = number(document, "drift_uncertainty_ppm")
        .map_or_else(String::new, |margin| format!(", give or take {}", duration(margin * DAY / 1e6)));
    let way = if drift < 0.0 { "loses" } else { "gains" };
    format!("drift: it {way} {} a day{margin} ({:.1} ppm)", duration(drift * DAY / 1e6), bounded(drift))
}

fn predictions(document: &Value) -> Vec<String> {
    let said: Vec<String> = list(document, "predictions").iter().filter_map(Value::as_str).map(line).collect();
    match number(document, "crosses_limit_in_seconds") {
        Some(seconds) if said.is_empty() => vec![format!("in about {} it will pass the next limit", duration(seconds))],
        _ => said,
    }
}

fn sources(document: &Value, now: Option<&str>, colour: bool) -> String {
    let sources = list(document, "sources");
    if sources.is_empty() {
        return String::new();
    }
    let dash = || "-".to_owned();
    let mut rows = vec![["SOURCE", "SAID", "OFFSET", "BELIEVED", "WHEN"].map(str::to_owned).to_vec()];
    rows.extend(sources.iter().map(|source| {
        let cell = |name: &str| text(source, name).map_or_else(dash, line);
        let offset = number(source, "offset_seconds").map_or_else(dash, |offset| {
            let sign = if offset < 0.0 { "-" } else { "+" };
            let margin = number(source, "uncertainty_seconds")
                .map_or_else(String::new, |uncertainty| format!(" ± {}", duration(uncertainty)));
            format!("{sign}{}{margin}", duration(offset))
        });
        let believed = match (source.get("believed").and_then(Value::as_bool), text(source, "why")) {
            (Some(true), _) => "yes".to_owned(),
            (Some(false), Some(why)) => format!("no: {}", line(why)),
            (Some(false), None) => "no".to_owned(),
            (None, _) => dash(),
        };
        let at = text(source, "at").map_or_else(dash, |at| when(at, now));
        vec![cell("name"), cell("said"), offset, believed, at]
    }));
    let believed = |row: usize| sources.get(row.checked_sub(1)?)?.get("believed")?.as_bool();
    let shade = |row: usize, cell: usize| match believed(row).filter(|_| colour && cell == 3) {
        Some(true) => Some(GREEN),
        Some(false) => Some(YELLOW),
        None => None,
    };
    format!("\n{}", table(&rows, shade))
}

fn synchronisation(document: &Value) -> Option<String> {
    let synchronisation = document.get("synchronisation")?;
    let said = text(synchronisation, "said").map(line);
    said.map(|said| format!("this machine: {said}"))
        .or_else(|| text(synchronisation, "keeper").map(|keeper| format!("time service: {}", line(keeper))))
}

fn zone(document: &Value) -> Option<String> {
    let zone = document.get("zone")?;
    let name = line(text(zone, "name").unwrap_or("without a name"));
    let offset = number(zone, "offset_seconds").map_or_else(String::new, |seconds| {
        let (sign, minutes) = (if seconds < 0.0 { '-' } else { '+' }, (bounded(seconds).abs() / 60.0) as u64);
        format!(" (UTC{sign}{:02}:{:02})", minutes / 60, minutes % 60)
    });
    let finding = text(zone, "finding").map_or_else(String::new, |finding| format!(": {}", line(finding)));
    Some(format!("time zone: {name}{offset}{finding}"))
}

/// The history as the plot takes it: seconds ago, offset, uncertainty.
fn history(document: &Value, now: Option<&str>) -> Vec<(f64, f64, f64)> {
    let history = list(document, "history");
    // Without AWS's time of now, the newest point is as near as one gets.
    let Some(now) = now.or_else(|| text(history.last()?, "at")) else { return Vec::new() };
    let point = |point: &Value| {
        let ago = seconds_between(text(point, "at")?, now)? as f64;
        Some((ago, number(point, "offset_seconds")?, number(point, "uncertainty_seconds").unwrap_or_default()))
    };
    history.iter().filter_map(point).collect()
}

const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";

fn shade(state: &str) -> Option<&'static str> {
    match state {
        "ok" => Some(GREEN),
        "notice" | "warning" => Some(YELLOW),
        "critical" => Some("\u{1b}[31m"),
        _ => None,
    }
}

/// How long something is, without its sign: the two largest units, and tenths or thousandths where they matter.
fn duration(seconds: f64) -> String {
    let seconds = bounded(seconds).abs();
    let (first, second) = match seconds.round() as u64 {
        // 31,700 years: a mistake, and no number helps.
        _ if seconds >= MOST => return "ages".to_owned(),
        _ if seconds < 0.0995 => return format!("{} ms", (seconds * 1_000.0).round()),
        _ if seconds < 59.95 => return format!("{} s", (seconds * 10.0).round() / 10.0),
        whole if whole < 3_600 => ((whole / 60, "min"), (whole % 60, "s")),
        whole if whole < 86_400 => ((whole / 3_600, "h"), (whole % 3_600 / 60, "min")),
        whole => ((whole / 86_400, "d"), (whole % 86_400 / 3_600, "h")),
    };
    let rest = if second.0 == 0 { String::new() } else { format!(" {} {}", second.0, second.1) };
    format!("{} {}{rest}", first.0, first.1)
}

fn when(at: &str, now: Option<&str>) -> String {
    match now.and_then(|now| seconds_between(at, now)) {
        Some(seconds) if seconds > 0 => format!("{} ago", duration(seconds as f64)),
        Some(_) => "now".to_owned(),
        None => line(at),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.get(name).and_then(Value::as_f64)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        json!({
            "schema": "evercred.clock/1", "state": "notice",
            "offset_seconds": -200.2, "uncertainty_seconds": 0.9, "source": "the Date of AWS's answers",
            "measured_at": "2026-11-24T12:08:00Z", "now": "2026-11-24T12:10:00Z",
            "drift_ppm": -12.5, "drift_uncertainty_ppm": 3.0, "crosses_limit_in_seconds": 10_800,
            "predictions": ["in about 3 h this clock will be 5 min behind AWS's time"],
            "limits": [{"seconds": 300, "who": "Amazon Cognito and AWS Elastic Beanstalk"},
                       {"seconds": 900, "who": "nearly all of AWS"}],
            "sources": [
                {"name": "AWS", "kind": "aws", "said": "12:08:00 by 4 answers", "offset_seconds": -200.2,
                 "uncertainty_seconds": 0.9, "believed": true, "why": null, "at": "2026-11-24T12:08:00Z"},
                {"name": "time.aws.com", "kind": "ntp", "said": "no answer", "offset_seconds": null,
                 "uncertainty_seconds": null, "believed": false, "why": "UDP 123 may be closed", "at": null}],
            "synchronisation": {"keeper": "none", "running": false, "kernel_synchronised": false, "place": "linux",
                                "said": "on Linux, nothing was found that keeps the clock right"},
            "zone": {"name": "Europe/Berlin", "offset_seconds": 3600, "finding": null},
            "fix": [{"text": "Let systemd-timesyncd keep the time.", "command": "sudo timedatectl set-ntp true"}],
            "history": [{"at": "2026-11-23T13:00:00Z", "offset_seconds": -199.0, "uncertainty_seconds": 1.0},
                        {"at": "2026-11-24T00:10:00Z", "offset_seconds": -199.7, "uncertainty_seconds": 1.0},
                        {"at": "2026-11-24T12:08:00Z", "offset_seconds": -200.2, "uncertainty_seconds": 0.9}]
        })
    }

    #[test]
    fn a_full_document_is_said_in_order() {
        let wanted = "\
This clock is 3 min 20 s behind AWS's time, give or take 0.9 s: notice
known from the Date of AWS's answers, 2 min ago
a clock skew of 5 min is 1 min 40 s away: Amazon Cognito and AWS Elastic Beanstalk would refuse requests that are signed with this clock
a clock skew of 15 min is 11 min 40 s away: nearly all of AWS would refuse requests that are signed with this clock
drift: it loses 1.1 s a day, give or take 0.3 s (-12.5 ppm)
in about 3 h this clock will be 5 min behind AWS's time

SOURCE        SAID                   OFFSET               BELIEVED                   WHEN
AWS           12:08:00 by 4 answers  -3 min 20 s ± 0.9 s  yes                        2 min ago
time.aws.com  no answer              -                    no: UDP 123 may be closed  -

this machine: on Linux, nothing was found that keeps the clock right
time zone: Europe/Berlin (UTC+01:00)
fix: Let systemd-timesyncd keep the time.
    sudo timedatectl set-ntp true

the last day (+ is ahead of AWS's time, - behind; the dots: give or take)
";
        let text = said(&document(), false);
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.lines().count() == wanted.lines().count() + 11 && text.ends_with("now\n"), "{text}");
        let colourful = said(&document(), true);
        assert!(colourful.contains(": \u{1b}[33mnotice\u{1b}[0m\n") && colourful.contains("\u{1b}[32myes\u{1b}[0m"));
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let mut document = document();
        for name in ["offset_seconds", "uncertainty_seconds", "drift_ppm", "now", "measured_at", "source"] {
            document[name] = Value::Null;
        }
        (document["state"], document["sources"], document["history"]) = (json!("unknown"), json!([]), json!([]));
        let text = said(&document, false);
        assert!(text.starts_with("AWS's time is not known yet\nat a clock skew of 5 min, Amazon"), "{text}");
        assert!(text.contains("drift: not known yet") && !text.contains("SOURCE") && !text.contains("last day"));
        assert_eq!(said(&json!({"state": "unknown"}), false), "AWS's time is not known yet\ndrift: not known yet\n");
    }

    #[test]
    fn what_another_daemon_says_or_leaves_out_costs_a_line_at_most() {
        let whole = document();
        let fields: Vec<&String> = whole.as_object().unwrap().keys().collect();
        for field in fields {
            for other in
                [Value::Null, json!([{"x": 1}]), json!({"x": [1]}), json!("x"), json!(-1e308), json!([[], "x"])]
            {
                let mut document = whole.clone();
                document[field] = other;
                assert!(said(&document, true).contains("drift: "), "{document}");
            }
        }
        let mut later = whole.clone();
        (later["leap"], later["sources"][0]["x"], later["state"]) = (json!({"in": 3}), json!(1), json!("doomed"));
        assert!(said(&later, true).contains("give or take 0.9 s: doomed\n"));
    }

    #[test]
    fn what_the_document_says_does_nothing_to_the_terminal() {
        fn poison(value: &mut Value) {
            match value {
                Value::String(text) => *text = "a\u{1b}[2J\u{9b}31m\r\n\t\u{7}\u{202e}".to_owned(),
                Value::Array(values) => values.iter_mut().for_each(poison),
                Value::Object(fields) => fields.values_mut().for_each(poison),
                _ => {}
            }
        }
        let mut document = document();
        poison(&mut document);
        let text = said(&document, false);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
    }

    #[test]
    fn limits_are_passed_only_when_the_whole_interval_is() {
        for (offset, uncertainty, part) in [
            (-302.0, 1.0, "the clock skew is more than 5 min: X will refuse"),
            (300.5, 1.0, "the clock skew may be more than 5 min: X may refuse"),
            (299.5, 1.0, "the clock skew may be more than 5 min"),
            (240.0, 1.0, "a clock skew of 5 min is 1 min away: X would refuse"),
        ] {
            let clock = json!({"offset_seconds": offset, "uncertainty_seconds": uncertainty});
            let text = at_the_limit(&json!({"seconds": 300, "who": "X"}), &clock).unwrap();
            assert!(text.starts_with(part), "{text}");
        }
    }

    #[test]
    fn only_a_clock_that_needs_attention_ends_with_1() {
        let codes = ["ok", "unknown", "notice", "warning", "critical", "doomed"].map(exit_code);
        assert_eq!(codes, [0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn durations_are_said_in_fitting_units() {
        for (seconds, text) in [
            (0.0, "0 ms"),
            (-0.04, "40 ms"),
            (0.0996, "0.1 s"),
            (0.9, "0.9 s"),
            (59.96, "1 min"),
            (-200.2, "3 min 20 s"),
            (3_599.9, "1 h"),
            (7_500.0, "2 h 5 min"),
            (1.79e9, "20717 d 14 h"),
            (f64::NEG_INFINITY, "ages"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
