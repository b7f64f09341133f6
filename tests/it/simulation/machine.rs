//! A fake machine: its clocks, and what can happen to them.

use chrono::TimeDelta;
use evercred::core::time::{BootTime, Now, WallTime};

/// All in milliseconds. The truth is AWS's time.
pub(crate) struct Machine {
    /// AWS's time.
    pub(crate) truth: i64,
    /// The boot-time clock.
    boot: i64,
    suspended: i64,
    /// Wall clock minus boot-time clock.
    wall: i64,
    drift_ppm: i64,
    /// What the drift has not yet put into whole milliseconds, in billionths.
    rest: i64,
}

impl Machine {
    pub(crate) fn new(drift_ppm: i64, wall_error: i64) -> Self {
        let (truth, boot) = (1_790_000_000_000, 60_000);
        Self { truth, boot, suspended: 0, wall: truth - boot + wall_error, drift_ppm, rest: 0 }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            boot: BootTime::from_millis(self.boot),
            wall: WallTime::from_millis(self.boot + self.wall),
            suspended: TimeDelta::milliseconds(self.suspended),
        }
    }

    /// Time passes, as the boot-time clock counts it.
    pub(crate) fn pass(&mut self, millis: i64) {
        self.boot += millis;
        self.rest += millis * self.drift_ppm;
        let drifted = self.rest / 1_000_000;
        self.rest -= drifted * 1_000_000;
        self.truth += millis + drifted;
    }

    pub(crate) fn suspend(&mut self, millis: i64) {
        self.suspended += millis;
        self.pass(millis);
    }

    /// A paused virtual machine: AWS goes on, nothing here does.
    pub(crate) fn pause(&mut self, millis: i64, wall_is_set: bool) {
        self.truth += millis;
        if wall_is_set {
            self.wall += millis;
        }
    }

    pub(crate) fn step_wall(&mut self, millis: i64) {
        self.wall += millis;
    }
}
