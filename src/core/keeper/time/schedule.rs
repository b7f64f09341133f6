//! When to probe AWS time.
//!
//! Two limits hold for every probe, whatever it is for: 30 in half an hour, and after three in one minute each further one waits two
//! seconds longer. A clock that is set again and again must not cause as many requests.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::core::aws_error::{Fault, is_unreached};
use crate::core::time::BootTime;

/// A probe is made if AWS was not heard for this long.
const PROBE_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// The same while the clock is skewed.
const PROBE_INTERVAL_SKEWED: TimeDelta = TimeDelta::minutes(15);
/// The waits after failed probes; then [`PROBE_INTERVAL`]. A laptop that wakes has a network soon.
const RETRY_INTERVALS: [TimeDelta; 4] =
    [TimeDelta::minutes(1), TimeDelta::minutes(5), PROBE_INTERVAL_SKEWED, TimeDelta::minutes(30)];
/// The same within [`SETTLING_PERIOD`]: name look-up and routes come some seconds after the network itself.
const SETTLING_INTERVALS: [TimeDelta; 5] = [
    TimeDelta::seconds(1),
    TimeDelta::seconds(2),
    TimeDelta::seconds(4),
    TimeDelta::seconds(8),
    TimeDelta::seconds(15),
];
/// After a change of the network, a resume and the like.
const SETTLING_PERIOD: TimeDelta = TimeDelta::minutes(2);
/// So many probes are made in [`PROBE_WINDOW`].
const PROBES_PER_WINDOW: usize = 30;
const PROBE_WINDOW: TimeDelta = TimeDelta::minutes(30);
/// So many probes in a minute follow each other at once; each further one waits by [`PROBE_SPACING`] longer.
const PROBE_BURST: usize = 3;
const PROBE_SPACING: TimeDelta = TimeDelta::seconds(2);

/// The last probes, and how they ended.
#[derive(Debug, Default)]
pub(super) struct ProbeSchedule {
    /// The times of the last probes, oldest first.
    probes: VecDeque<BootTime>,
    /// The number of failed probes in a row.
    failed: usize,
    /// How many of them were made within [`SETTLING_PERIOD`].
    failed_settling: usize,
    /// The error of the last probe.
    error: Option<String>,
    /// Whether there was no answer to it at all.
    is_unreached: bool,
    /// The last change from which failures may have come.
    changed_at: Option<BootTime>,
}

impl ProbeSchedule {
    /// Something changed: the next probe is soon, whatever failed before.
    pub(super) fn changed(&mut self, now: BootTime) {
        (self.failed, self.failed_settling) = (0, 0);
        self.changed_at = Some(now);
    }

    /// A probe is made.
    pub(super) fn began(&mut self, now: BootTime) {
        if self.probes.len() == PROBES_PER_WINDOW {
            self.probes.pop_front();
        }
        self.probes.push_back(now);
    }

    /// A probe has ended; `heard_at`: when AWS was last heard.
    pub(super) fn ended(&mut self, heard_at: Option<BootTime>, fault: Option<&Fault>) {
        self.is_unreached = fault.is_some_and(is_unreached);
        self.error = fault.map(Fault::to_string);
        if heard_at >= self.probes.back().copied() {
            (self.failed, self.failed_settling) = (0, 0);
            return;
        }
        self.failed = self.failed.saturating_add(1);
        if self.is_settling() {
            self.failed_settling = self.failed;
        }
    }

    /// When to probe if nothing is heard until then; `None`: at once.
    pub(super) fn due(&self, heard_at: Option<BootTime>, is_skewed: bool) -> Option<BootTime> {
        let usual = if is_skewed { PROBE_INTERVAL_SKEWED } else { PROBE_INTERVAL };
        let retry = |at: usize| match self.is_settling() {
            true => SETTLING_INTERVALS[at.min(SETTLING_INTERVALS.len() - 1)],
            // The minutes come after the seconds, not the hour.
            false => RETRY_INTERVALS.get(at.saturating_sub(self.failed_settling)).copied().unwrap_or(PROBE_INTERVAL),
        };
        let wait = self.failed.checked_sub(1).map_or(usual, retry);
        Some(heard_at.max(self.probes.back().copied())? + wait)
    }

    /// The earliest time of the next routine probe, as far as it is limited.
    pub(super) fn not_before(&self, now: BootTime) -> Option<BootTime> {
        self.spaced_until(now).max(self.window_end())
    }

    /// The earliest time of the next probe, if there were many in the last minute: doubts come in bursts.
    pub(super) fn spaced_until(&self, now: BootTime) -> Option<BootTime> {
        let last = *self.probes.back()?;
        let recent = self.probes.iter().rev().take_while(|at| now - **at < TimeDelta::minutes(1)).count();
        let further = i32::try_from(recent.saturating_sub(PROBE_BURST)).unwrap_or(i32::MAX);
        Some(last + PROBE_SPACING * further).filter(|at| *at > now)
    }

    fn window_end(&self) -> Option<BootTime> {
        self.probes.front().filter(|_| self.probes.len() == PROBES_PER_WINDOW).map(|first| *first + PROBE_WINDOW)
    }

    /// Whether no further probe fits into the window.
    pub(super) fn is_window_full(&self, now: BootTime) -> bool {
        self.window_end().is_some_and(|end| end > now)
    }

    pub(super) fn has_probed_since(&self, since: BootTime) -> bool {
        self.probes.back().is_some_and(|last| *last >= since)
    }

    /// Whether the last probe was made while the network may still have been settling.
    fn is_settling(&self) -> bool {
        self.changed_at.zip(self.probes.back()).is_some_and(|(changed, last)| *last - changed < SETTLING_PERIOD)
    }

    /// The end of the period in which the network settles after a change.
    pub(super) fn settles_until(&self, now: BootTime) -> Option<BootTime> {
        self.changed_at.map(|at| at + SETTLING_PERIOD).filter(|until| *until > now)
    }

    pub(super) fn changed_at(&self) -> Option<BootTime> {
        self.changed_at
    }

    /// The number of failed probes in a row.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// Whether the last probe since the last change had no answer.
    pub(super) fn reached_nobody(&self) -> bool {
        self.failed > 0 && self.is_unreached
    }

    /// The error of the last probe.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> BootTime {
        BootTime::from_millis(seconds * 1_000)
    }

    /// The waits between probes that all fail, in seconds.
    fn waits(schedule: &mut ProbeSchedule, count: usize) -> Vec<i64> {
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..count {
            schedule.began(now);
            schedule.ended(None, None);
            let next = schedule.due(None, false).unwrap();
            waits.push((next - now).num_seconds());
            now = next;
        }
        waits
    }

    #[test]
    fn failed_probes_are_repeated_after_minutes_and_after_a_change_first_after_seconds() {
        let mut schedule = ProbeSchedule::default();
        assert_eq!(waits(&mut schedule, 6), [60, 300, 900, 1_800, 3_600, 3_600]);
        schedule = ProbeSchedule::default();
        schedule.changed(at(0));
        assert_eq!(waits(&mut schedule, 13), [1, 2, 4, 8, 15, 15, 15, 15, 15, 15, 15, 60, 300]);
    }

    #[test]
    fn an_answer_makes_the_next_probe_hourly_and_a_skew_makes_it_more_frequent() {
        let mut schedule = ProbeSchedule::default();
        schedule.began(at(10));
        schedule.ended(Some(at(11)), None);
        assert_eq!(schedule.due(Some(at(11)), false), Some(at(11 + 3_600)));
        assert_eq!(schedule.due(Some(at(11)), true), Some(at(11 + 900)));
    }

    #[test]
    fn three_probes_a_minute_follow_at_once_and_thirty_fit_into_half_an_hour() {
        let mut schedule = ProbeSchedule::default();
        (0..3).for_each(|second| schedule.began(at(second)));
        assert_eq!(schedule.spaced_until(at(3)), None);
        schedule.began(at(3));
        assert_eq!(schedule.spaced_until(at(3)), Some(at(5)));
        (0..27).for_each(|probe| schedule.began(at(60 + probe)));
        assert!(schedule.is_window_full(at(1_800)));
        assert!(!schedule.is_window_full(at(1_801)));
    }
}
