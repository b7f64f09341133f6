//! The wall clock compared with AWS time: its skew, its grade, its drift, and times for programs that use it.

use chrono::TimeDelta;

use super::grade::{Grade, LIMITS};
use super::offset;
use super::trend::{Crossing, Drift, Reading};
use super::{Clock, wall_error_of};
use crate::core::time::{AwsTime, Now, WallTime};

impl Clock {
    /// This machine's wall clock minus AWS time, and the uncertainty.
    pub fn wall_error(&self, now: Now) -> (TimeDelta, TimeDelta) {
        let possible = self.possible(now);
        let by_ntp = self.ntp.map(|ntp| ntp.at(now.boot));
        let within = match by_ntp {
            Some(ntp) if self.is_known() => possible.meet(ntp).unwrap_or(possible),
            Some(ntp) => ntp,
            None => possible,
        };
        wall_error_of(within, self.aws_minus_boot(now).num_milliseconds(), now)
    }

    /// The same, from AWS's answers alone.
    pub fn wall_error_by_aws(&self, now: Now) -> (TimeDelta, TimeDelta) {
        wall_error_of(self.possible(now), self.offset.at(now.boot).middle(), now)
    }

    /// The grade of the clock skew. It rises only if the whole interval is above a threshold, and falls only if
    /// the whole interval is below it; in between the last grade stays.
    pub fn grade(&self, now: Now, warn: TimeDelta) -> Grade {
        if !self.is_known() && self.ntp.is_none() {
            return Grade::Unknown;
        }
        let (error, uncertainty) = self.wall_error(now);
        self.settled.next(error.abs() - uncertainty, error.abs() + uncertainty, warn)
    }

    /// Updates the grade. Called with every event.
    pub fn settle(&mut self, now: Now, warn: TimeDelta) -> Grade {
        self.settled = self.grade(now, warn);
        self.settled
    }

    /// The wall clock was set: its earlier drift does not predict its further drift.
    pub fn wall_was_set(&mut self, now: Now) {
        self.trend.begin_again(now.boot);
    }

    /// The wall clock's error over the last day, oldest first.
    pub fn readings(&self) -> impl Iterator<Item = Reading> {
        self.trend.readings()
    }

    /// The drift of the wall clock; `None` during the first hour.
    pub fn drift(&self) -> Option<Drift> {
        self.trend.drift()
    }

    /// Whether the wall clock moves faster than its normal drift: a probe is worth it.
    pub fn is_restless(&self) -> bool {
        self.trend.is_restless(offset::WORST_DRIFT_PPM)
    }

    /// Which of AWS's limits the wall clock will pass within a day, the next one first.
    pub fn crossings(&self, now: Now) -> Vec<Crossing> {
        self.trend.crossings(now.boot, &LIMITS.map(|limit| limit.size))
    }

    /// An expiry for a program that compares it with this machine's clock: AWS's own value, and while the
    /// clock is wrong, that value as the wall clock will show it.
    pub fn for_local_reader(&self, expires: AwsTime, now: Now, warn: TimeDelta) -> String {
        (WallTime::from_millis(expires.as_millis()) + self.local_minus_aws(now, warn)).to_rfc3339()
    }

    /// The offset that a program on this machine adds to AWS time: zero while its clock is right, or no offset is known.
    pub fn local_minus_aws(&self, now: Now, warn: TimeDelta) -> TimeDelta {
        match self.grade(now, warn) {
            _ if !self.is_known() => TimeDelta::zero(),
            Grade::Ok | Grade::Unknown => TimeDelta::zero(),
            Grade::Notice | Grade::Warning | Grade::Critical => self.wall_error(now).0,
        }
    }

    /// The reverse of [`Clock::for_local_reader`]: the AWS time of a timestamp from this machine's clock.
    pub fn of_local_writer(&self, stamped: WallTime, now: Now, warn: TimeDelta) -> AwsTime {
        AwsTime::from_millis(stamped.as_millis()) - self.local_minus_aws(now, warn)
    }
}
