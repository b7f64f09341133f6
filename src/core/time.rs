//! Three kinds of time that must never be compared with each other.
//!
//! AWS stamps expiry with its own clock, this machine's wall clock can be set by anybody, and the boot-time clock counts
//! on through suspend and can't be set. Each is a type of its own, so that mixing them up does not compile; the only
//! bridge between them is [`crate::core::clock::Clock`].

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};

macro_rules! point_in_time {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The point `millis` milliseconds after this clock's zero.
            pub const fn from_millis(millis: i64) -> Self {
                Self(millis)
            }

            /// Milliseconds since this clock's zero.
            pub const fn as_millis(self) -> i64 {
                self.0
            }
        }

        impl Add<TimeDelta> for $name {
            type Output = Self;
            fn add(self, delta: TimeDelta) -> Self {
                Self(self.0.saturating_add(delta.num_milliseconds()))
            }
        }

        impl Sub<TimeDelta> for $name {
            type Output = Self;
            fn sub(self, delta: TimeDelta) -> Self {
                Self(self.0.saturating_sub(delta.num_milliseconds()))
            }
        }

        impl Sub for $name {
            type Output = TimeDelta;
            fn sub(self, earlier: Self) -> TimeDelta {
                TimeDelta::milliseconds(self.0.saturating_sub(earlier.0).clamp(-i64::MAX, i64::MAX))
            }
        }
    };
}

point_in_time! {
    /// A point in AWS's time: milliseconds since the Unix epoch, as AWS's own clocks count them.
    AwsTime
}
point_in_time! {
    /// What this machine's wall clock showed: milliseconds since the Unix epoch. It may be wrong by any amount.
    WallTime
}
point_in_time! {
    /// A reading of the boot-time clock: milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    BootTime
}

/// One reading of this machine's clocks, taken by the one clock reader at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The boot-time clock.
    pub boot: BootTime,
    /// The wall clock.
    pub wall: WallTime,
    /// How long the machine has been suspended since boot, in all (boot-time minus monotonic clock).
    pub suspended: TimeDelta,
}

/// A span from seconds that somebody states; of nonsense a thousand years, either way, and nothing of what is no number.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
pub fn span_of(seconds: f64) -> TimeDelta {
    const LONGEST: f64 = 1_000.0 * 365.25 * 86_400.0;
    TimeDelta::milliseconds((seconds.clamp(-LONGEST, LONGEST) * 1_000.0) as i64)
}

impl AwsTime {
    /// RFC 3339 in UTC with whole seconds, rounded down: what every SDK accepts as an `Expiration`.
    pub fn to_rfc3339(self) -> String {
        rfc3339(self.0)
    }
}

impl WallTime {
    /// RFC 3339 in UTC with whole seconds, rounded down.
    pub fn to_rfc3339(self) -> String {
        rfc3339(self.0)
    }
}

fn rfc3339(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis.div_euclid(1000).saturating_mul(1000)).map_or_else(
        || "a time that no calendar has".to_owned(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

impl fmt::Debug for AwsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(AWS)", self.to_rfc3339())
    }
}

impl fmt::Display for AwsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(wall)", self.to_rfc3339())
    }
}

impl fmt::Debug for BootTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "boot+{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_a_long_span_and_no_panic() {
        assert_eq!(span_of(-1.5), TimeDelta::milliseconds(-1_500));
        assert_eq!(span_of(f64::NAN), TimeDelta::zero());
        for nonsense in [f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(span_of(nonsense).num_days().abs(), 365_250);
            // TimeDelta panics where a sum leaves its range.
            assert!((span_of(nonsense) + span_of(nonsense)).num_days().abs() > 700_000);
        }
    }
}
