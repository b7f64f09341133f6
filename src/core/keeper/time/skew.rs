//! The notices about the clock skew of this machine: one when it gets worse, one when it is corrected, and one before the drift reaches
//! a limit of AWS.

use chrono::TimeDelta;

use super::super::api::{Notice, Warning};
use crate::core::cause::Cause;
use crate::core::clock::{Clock, Crossing, Grade, LIMITS};
use crate::core::time::{BootTime, Now};

/// A prediction is repeated after this.
const PREDICTION_LIFETIME: TimeDelta = TimeDelta::hours(24);
/// The id of the problem.
pub const CLOCK_SKEWED: &str = Cause::ClockSkewed.name();

/// The notices that were raised.
#[derive(Debug, Default)]
pub(super) struct SkewNotices {
    /// The grade at the last pass.
    grade: Option<Grade>,
    /// How often the skew has got worse since the clock was right.
    worse: u32,
    /// The skew that was predicted, and when.
    predicted: Option<(TimeDelta, BootTime)>,
}

impl SkewNotices {
    /// The notice that is due for the present grade.
    pub(super) fn update(&mut self, clock: &Clock, grade: Grade, now: Now) -> Option<Notice> {
        if grade == Grade::Unknown {
            return None;
        }
        let before = self.grade.replace(grade).unwrap_or(Grade::Ok);
        if grade > before {
            self.worse += 1;
            return Some(self.notice(describe_skew(clock, grade, now)));
        }
        if grade == Grade::Ok && before > Grade::Ok {
            self.predicted = None;
            return Some(self.cleared("this machine's clock is correct again"));
        }
        match clock.crossings(now).first() {
            Some(crossing) if !self.has_predicted(crossing, now.boot) => {
                // The same prediction, a day later, is nothing worse.
                let earlier = self.predicted.replace((crossing.error, now.boot));
                self.worse += u32::from(earlier.is_none_or(|(error, _)| error != crossing.error));
                Some(self.notice(describe_crossing(crossing)))
            }
            None if grade == Grade::Ok && self.predicted.take_if(|(_, at)| is_old(*at, now.boot)).is_some() => {
                Some(self.cleared("the predicted clock skew did not occur: this machine's clock is correct"))
            }
            _ => None,
        }
    }

    fn has_predicted(&self, crossing: &Crossing, now: BootTime) -> bool {
        self.predicted.is_some_and(|(error, at)| error == crossing.error && !is_old(at, now))
    }

    fn notice(&self, message: String) -> Notice {
        let subject = String::new();
        Notice { id: CLOCK_SKEWED, subject, worse: self.worse, is_over: false, message, fix: None }
    }

    fn cleared(&mut self, message: &str) -> Notice {
        let notice = Notice { is_over: true, ..self.notice(message.to_owned()) };
        self.worse = 0;
        notice
    }
}

fn is_old(predicted_at: BootTime, now: BootTime) -> bool {
    now - predicted_at > PREDICTION_LIFETIME
}

/// The warning about the present skew, or the predicted one.
pub(super) fn warning(clock: &Clock, warn: TimeDelta, now: Now) -> Option<Warning> {
    let grade = clock.grade(now, warn);
    let message = match clock.crossings(now).first() {
        _ if grade > Grade::Ok => describe_skew(clock, grade, now),
        Some(crossing) => describe_crossing(crossing),
        None => return None,
    };
    Some(Warning { id: CLOCK_SKEWED, message, fix: Some("evercred clock".to_owned()), file: None })
}

/// The clock skew and its consequence, as a sentence.
fn describe_skew(clock: &Clock, grade: Grade, now: Now) -> String {
    let (error, uncertainty) = clock.wall_error(now);
    let refusing = match grade {
        Grade::Critical => format!("{} refuses requests signed with this clock", LIMITS[1].who),
        Grade::Warning => format!("{} refuse requests signed with this clock", LIMITS[0].who),
        Grade::Unknown | Grade::Ok | Grade::Notice => {
            format!(
                "at {} min, the first AWS services refuse requests signed with this clock",
                LIMITS[0].size.num_minutes()
            )
        }
    };
    let whose =
        if clock.is_known_by_ntp() { "the time of the NTP servers (AWS has not answered yet)" } else { "AWS's time" };
    format!("this machine's clock is {} {whose} (give or take {}): {refusing}", offset(error), rounded(uncertainty))
}

/// The next limit that the drift reaches, and when, as a sentence.
pub fn describe_crossing(crossing: &Crossing) -> String {
    let refusing = LIMITS.iter().find(|limit| limit.size == crossing.error.abs()).map_or("AWS", |limit| limit.who);
    format!(
        "in about {} this clock will be {} AWS time, and {refusing} will refuse requests signed with it",
        rounded(crossing.after),
        offset(crossing.error)
    )
}

fn offset(error: TimeDelta) -> String {
    format!("{} {}", rounded(error.abs()), if error < TimeDelta::zero() { "behind" } else { "ahead of" })
}

/// A duration for a sentence, with as many digits as are of interest.
fn rounded(duration: TimeDelta) -> String {
    let tenths = (duration.num_milliseconds() + 50) / 100;
    let seconds = (tenths + 5) / 10;
    match seconds {
        0..100 => format!("{}.{} s", tenths / 10, tenths % 10),
        100..6_000 => format!("{} min {} s", seconds / 60, seconds % 60).replace(" 0 s", ""),
        6_000..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60).replace(" 0 min", ""),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_to_what_is_of_interest() {
        for (millis, text) in [
            (1_449, "1.4 s"),
            (59_960, "60.0 s"),
            (240_000, "4 min"),
            (959_600, "16 min"),
            (961_000, "16 min 1 s"),
            (3_599_997, "60 min"),
            (7_200_400, "2 h"),
            (39_600_000 + 300_000, "11 h 5 min"),
            (300 * 86_400_000, "300 days"),
        ] {
            assert_eq!(rounded(TimeDelta::milliseconds(millis)), text);
        }
    }
}
