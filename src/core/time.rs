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
    ($(#[$doc:meta])* $name:ident, $first:expr, $last:expr) => {
        $(#[$doc])*
        ///
        /// Every value is between [`Self::FIRST`] and [`Self::LAST`]: arithmetic saturates there, and so does `from_millis`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "i64", try_from = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The earliest value.
            pub const FIRST: Self = Self($first);
            /// The latest value.
            pub const LAST: Self = Self($last);

            /// The point `millis` milliseconds after this clock's zero. For numbers that come from outside use
            /// [`Self::checked_from_millis`].
            pub const fn from_millis(millis: i64) -> Self {
                match Self::checked_from_millis(millis) {
                    Some(point) => point,
                    None if millis < $first => Self::FIRST,
                    None => Self::LAST,
                }
            }

            /// The same, or `None` for what is outside of this clock's range.
            pub const fn checked_from_millis(millis: i64) -> Option<Self> {
                if millis < $first || millis > $last { None } else { Some(Self(millis)) }
            }

            /// Milliseconds since this clock's zero.
            pub const fn as_millis(self) -> i64 {
                self.0
            }
        }

        impl From<$name> for i64 {
            fn from(point: $name) -> i64 {
                point.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;
            fn try_from(millis: i64) -> Result<Self, OutOfRange> {
                Self::checked_from_millis(millis).ok_or(OutOfRange)
            }
        }

        impl Add<TimeDelta> for $name {
            type Output = Self;
            fn add(self, delta: TimeDelta) -> Self {
                Self::from_millis(self.0.saturating_add(delta.num_milliseconds()))
            }
        }

        impl Sub<TimeDelta> for $name {
            type Output = Self;
            fn sub(self, delta: TimeDelta) -> Self {
                Self::from_millis(self.0.saturating_sub(delta.num_milliseconds()))
            }
        }

        impl Sub for $name {
            type Output = TimeDelta;
            fn sub(self, earlier: Self) -> TimeDelta {
                span_from_millis(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

/// 0001-01-01T00:00:00Z, the first time that Python's and Java's calendars have too.
const FIRST_DAY_MS: i64 = -62_135_596_800_000;
/// 9999-12-31T23:59:59.999Z, the last time whose year has four digits, as RFC 3339 wants it.
const LAST_DAY_MS: i64 = 253_402_300_799_999;
/// Ten thousand years: longer than from the first to the last day. Thousands of such spans can be added without leaving
/// `TimeDelta`'s range, whose operators panic there.
const LONGEST_SPAN_MS: i64 = 10_000 * 366 * 86_400_000;

point_in_time! {
    /// A point in AWS's time: milliseconds since the Unix epoch, as AWS's own clocks count them.
    AwsTime, FIRST_DAY_MS, LAST_DAY_MS
}
point_in_time! {
    /// What this machine's wall clock showed: milliseconds since the Unix epoch. It may be wrong by any amount.
    WallTime, FIRST_DAY_MS, LAST_DAY_MS
}
point_in_time! {
    /// A reading of the boot-time clock: milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    BootTime, -LONGEST_SPAN_MS, LONGEST_SPAN_MS
}

/// A number outside of a clock's range, for example beyond the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number is not a time between the years 1 and 9999")
    }
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

/// A span of so many milliseconds, at most ten thousand years either way. `TimeDelta::milliseconds` panics at `i64::MIN`.
pub const fn span_from_millis(millis: i64) -> TimeDelta {
    let bounded = if millis > LONGEST_SPAN_MS {
        LONGEST_SPAN_MS
    } else if millis < -LONGEST_SPAN_MS {
        -LONGEST_SPAN_MS
    } else {
        millis
    };
    TimeDelta::milliseconds(bounded)
}

/// A span of so many seconds, at most ten thousand years either way. `TimeDelta::seconds` panics at both ends of `i64`.
pub const fn span_from_seconds(seconds: i64) -> TimeDelta {
    span_from_millis(seconds.saturating_mul(1_000))
}

/// A span from external seconds: at most ten thousand years either way, and zero for NaN.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and makes zero of what is no number")]
pub fn span_of(seconds: f64) -> TimeDelta {
    span_from_millis((seconds * 1_000.0) as i64)
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
    // Both types contain only valid calendar dates.
    DateTime::from_timestamp(millis.div_euclid(1_000), 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
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
        for nonsense in [f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308] {
            assert_eq!(span_of(nonsense).num_milliseconds().abs(), LONGEST_SPAN_MS);
        }
        for nonsense in [i64::MIN, i64::MIN + 1, i64::MAX] {
            let (millis, seconds) = (span_from_millis(nonsense), span_from_seconds(nonsense));
            assert_eq!(millis, seconds);
            // TimeDelta panics where a sum leaves its range.
            assert_eq!((millis * 1_000 + seconds).num_milliseconds().abs(), LONGEST_SPAN_MS * 1_001);
        }
    }

    #[test]
    fn every_point_has_a_year_of_four_digits() {
        for millis in [i64::MIN, i64::MIN + 1, FIRST_DAY_MS - 1, FIRST_DAY_MS] {
            assert_eq!(AwsTime::from_millis(millis).to_rfc3339(), "0001-01-01T00:00:00Z");
        }
        for millis in [i64::MAX, LAST_DAY_MS + 1, LAST_DAY_MS] {
            assert_eq!(WallTime::from_millis(millis).to_rfc3339(), "9999-12-31T23:59:59Z");
        }
        for ends in [[i64::MIN, i64::MAX], [i64::MAX, i64::MIN]] {
            let [from, to] = ends.map(AwsTime::from_millis);
            assert_eq!(from + (to - from), to);
            assert_eq!(to - (to - from), from);
            let [from, to] = ends.map(BootTime::from_millis);
            assert!((to - from).num_milliseconds().abs() <= LONGEST_SPAN_MS);
        }
        assert_eq!(AwsTime::from_millis(-1).to_rfc3339(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn a_file_with_a_number_that_is_no_time_is_refused() {
        for text in ["-9223372036854775808", "9223372036854775807", "253402300800000", "18446744073709551615", "1e300"]
        {
            assert!(serde_json::from_str::<AwsTime>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<AwsTime>("1000").unwrap(), AwsTime::from_millis(1_000));
        assert_eq!(serde_json::to_string(&AwsTime::from_millis(1_000)).unwrap(), "1000");
    }
}
