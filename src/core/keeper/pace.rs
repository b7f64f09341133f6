//! The rate limit of one credential's fetches: neither credentials that live for seconds, nor a server that
//! alternates between success and failure, cause a loop of calls.

use chrono::TimeDelta;

use crate::core::time::BootTime;

/// Ahead of time: thirty at once, then one a minute. AWS's shortest credentials live for fifteen minutes; an emulator's
/// that live for seconds are renewed ahead of time for the duration of a test.
const AHEAD: Limit = Limit { interval: TimeDelta::minutes(1), burst: 30 };
/// For a caller: ten at once, then one a second.
const ASKED: Limit = Limit { interval: TimeDelta::seconds(1), burst: 10 };
/// Failures: those of the first ten minutes of several outages, then twelve an hour.
const FAILURES: Limit = Limit { interval: TimeDelta::minutes(5), burst: 60 };

/// The rate limit of one credential.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    ahead: Bucket,
    asked: Bucket,
    failures: Bucket,
}

impl Pace {
    /// When the next call may be made; `asked`: for a caller, which ignores earlier failures.
    pub(super) fn next(&self, asked: bool) -> Option<BootTime> {
        if asked {
            return self.asked.next(ASKED);
        }
        self.ahead.next(AHEAD).max(self.failures.next(FAILURES))
    }

    /// A call succeeded.
    pub(super) fn succeeded(&mut self, now: BootTime) {
        self.ahead.take(AHEAD, now);
        self.asked.take(ASKED, now);
    }

    /// A call failed.
    pub(super) fn failed(&mut self, now: BootTime) {
        self.failures.take(FAILURES, now);
    }
}

/// A burst, then one after each interval.
#[derive(Clone, Copy)]
struct Limit {
    interval: TimeDelta,
    burst: i32,
}

/// When the bucket is full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(Option<BootTime>);

impl Bucket {
    fn next(self, limit: Limit) -> Option<BootTime> {
        self.0.map(|full_at| full_at - limit.interval * (limit.burst - 1))
    }

    fn take(&mut self, limit: Limit, now: BootTime) {
        self.0 = Some(self.0.map_or(now, |full_at| full_at.max(now)) + limit.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of calls in a number of seconds, each made as soon as possible.
    fn calls(seconds: i64, asked: bool, fails: fn(i64) -> bool) -> i64 {
        let (mut pace, mut now, mut calls) = (Pace::default(), BootTime::from_millis(0), 0);
        let end = now + TimeDelta::seconds(seconds);
        while now < end {
            calls += 1;
            if fails(calls) {
                pace.failed(now);
            } else {
                pace.succeeded(now);
            }
            now = pace.next(asked).map_or(now, |next| next.max(now));
        }
        calls
    }

    #[test]
    fn thirty_at_once_and_then_one_a_minute_or_for_a_caller_ten_and_then_one_a_second() {
        assert_eq!(calls(3_600, false, |_| false), 30 + 59);
        assert_eq!(calls(60, true, |_| false), 10 + 59);
    }

    #[test]
    fn failures_are_twelve_an_hour_in_the_end_whatever_comes_between() {
        let (day, two_days) =
            (calls(86_400, false, |call| call % 2 == 0), calls(2 * 86_400, false, |call| call % 2 == 0));
        assert!((two_days - day) / 2 <= 12 * 24, "{day} {two_days}");
    }
}
