//! How bad it is: grades that follow from what AWS allows.

use chrono::TimeDelta;

/// How far this machine's wall clock is off AWS's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// AWS's time is not known.
    Unknown,
    /// Within the limit that the settings name, or not certainly past it.
    Ok,
    /// Certainly past it.
    Notice,
    /// Certainly past 5 minutes: Cognito and Elastic Beanstalk refuse.
    Warning,
    /// Certainly past 15 minutes: all of AWS refuses.
    Critical,
}

/// How far a request's time may be off where it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// This far, ahead or behind.
    pub size: TimeDelta,
    /// For whom.
    pub who: &'static str,
}

/// What AWS allows, the strictest first.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
pub const LIMITS: [Limit; 2] = [
    Limit { size: TimeDelta::minutes(5), who: "Amazon Cognito and AWS Elastic Beanstalk" },
    Limit { size: TimeDelta::minutes(15), who: "nearly all of AWS" },
];

impl Grade {
    /// The grade that follows on this one, for an error whose size is between `least` and `most`. It gets worse where the
    /// error is certainly past a threshold, and better where it is certainly a tenth short of it: a clock that stays about
    /// a threshold is told of once.
    pub(super) fn next(self, least: TimeDelta, most: TimeDelta, warn: TimeDelta) -> Self {
        let [strictest, usual] = LIMITS.map(|limit| limit.size);
        let at = |size: TimeDelta| {
            if size > usual {
                Self::Critical
            } else if size > strictest {
                Self::Warning
            } else if size > warn {
                Self::Notice
            } else {
                Self::Ok
            }
        };
        let certain = at(least);
        let possible = at(most + most / 9);
        // Never less than what is certain, never more than what is possible.
        self.max(certain).min(possible.max(certain))
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
