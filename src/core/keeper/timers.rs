//! The timer table: when the keeper wants to be called next, and why.
//!
//! The keeper has no clock and no sleeping task. A driver calls [`Keeper::handle_timeout`](super::Keeper::handle_timeout) at
//! the time that [`Keeper::next_timeout`](super::Keeper::next_timeout) returns, and that time is the earliest one in this table:
//!
//! ```text
//!   event, timeout ─▶ pass over everything ─┬─▶ actions: what is due now
//!                     (`reconcile`)         └─▶ timers: what is due later ─▶ earliest ─▶ next_timeout
//!                           ▲                                                               │
//!                           └──────────── the driver waits until then ◀─────────────────────┘
//! ```
//!
//! Each [`Timer`] is a reason to wake up. To find the code that decides its time, search for its name.
//!
//! No timer is ever stopped. A pass decides everything anew, so it begins with an empty table, and whatever still has to wait
//! sets its timer again. A timer that comes early, or for something that no longer exists, costs one pass and does nothing else.
//!
//! Timers are on the boot-time clock, which counts through suspends and which nobody sets. Whether something has expired is
//! never concluded from a timer: the pass asks the clock again. So a wrong estimate of AWS time only moves a wake-up.
//!
//! Of several waits with the same reason (fifty profiles that will be renewed), the table keeps the earliest one.

use std::collections::BTreeMap;

use crate::core::time::BootTime;

/// A reason to wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// When to renew credentials, or a token, ahead of their expiry.
    Renewal,
    /// When to retry a call that failed.
    Retry,
    /// When the rate limit of one credential allows its next call.
    Pace,
    /// When the rate limit of an endpoint allows the next call, or the pause that it requested is over.
    RateLimit,
    /// When to make calls ahead of requests again, after a change of the network during which no probe was answered.
    NetworkSettled,
    /// When the next probe of AWS time is due.
    TimeProbe,
    /// When the next probe of AWS time is allowed: there were many in the last minute.
    ProbeSpacing,
    /// When to ask an NTP server.
    NtpQuery,
    /// When to remove expired credentials from memory.
    Expiry,
    /// When to tell a caller that its renewal takes too long.
    CallerDeadline,
    /// When to tell a caller that the user has not signed in yet.
    SignInPending,
    /// When to give up a sign-in.
    SignInAbandoned,
    /// When to check whether a cache file can be replaced again.
    CacheFileCheck,
    /// When to write a token, whose cache file could not be written, once more.
    TokenSave,
    /// When to raise the notice that a session ends soon.
    SessionEndNotice,
    /// When to raise the notice that an MFA code is needed.
    MfaNotice,
    /// When to raise the notice that credentials will expire without a renewal.
    LossNotice,
}

/// The earliest time for each reason. See the module.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, BootTime>);

impl Timers {
    /// Empties the table: a new pass begins.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Wakes the keeper at a time, or earlier for something else.
    pub(super) fn set(&mut self, timer: Timer, at: BootTime) {
        let earliest = self.0.entry(timer).or_insert(at);
        *earliest = at.min(*earliest);
    }

    /// What is due now. If it is due later, its timer is set.
    pub(super) fn now_or_wait<T>(&mut self, due: Due<T>) -> Option<T> {
        match due {
            Due::Now(what) => return Some(what),
            Due::Later(timer, at) => self.set(timer, at),
            Due::OnEvent => {}
        }
        None
    }

    /// The next wake-up: its reason, and its time.
    pub(super) fn next(&self) -> Option<(Timer, BootTime)> {
        self.0.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at)
    }
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due<T> {
    /// Now.
    Now(T),
    /// At this time, for this reason.
    Later(Timer, BootTime),
    /// After an event that nobody can predict: the end of a call, an action of the user, new plans.
    OnEvent,
}

impl<T> Due<T> {
    /// At a time if there is one.
    pub(super) fn at(timer: Timer, at: Option<BootTime>) -> Self {
        at.map_or(Self::OnEvent, |at| Self::Later(timer, at))
    }

    /// The earlier one of two.
    pub(super) fn or_earlier(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Now(_), _) | (_, Self::OnEvent) => self,
            (Self::Later(_, at), Self::Later(_, other_at)) if at <= other_at => self,
            _ => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> BootTime {
        BootTime::from_millis(seconds * 1_000)
    }

    #[test]
    fn the_earliest_time_and_its_reason_are_next() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Expiry, at(3_600));
        timers.set(Timer::Renewal, at(3_000));
        timers.set(Timer::TimeProbe, at(3_200));
        assert_eq!(timers.next(), Some((Timer::Renewal, at(3_000))));
    }

    #[test]
    fn one_reason_has_its_earliest_time_in_whatever_order_they_are_set() {
        let mut timers = Timers::default();
        [40, 20, 30].into_iter().for_each(|seconds| timers.set(Timer::Retry, at(seconds)));
        assert_eq!(timers.next(), Some((Timer::Retry, at(20))));
    }

    #[test]
    fn a_pass_begins_with_an_empty_table() {
        let mut timers = Timers::default();
        timers.set(Timer::CallerDeadline, at(30));
        timers.clear();
        assert_eq!(timers.next(), None);
    }
    #[test]
    fn what_is_due_later_sets_its_timer_and_what_waits_for_an_event_sets_none() {
        let mut timers = Timers::default();
        assert_eq!(timers.now_or_wait(Due::Now("go")), Some("go"));
        assert_eq!(timers.now_or_wait(Due::<()>::at(Timer::Retry, None)), None);
        assert_eq!(timers.next(), None);
        let retry = Due::<()>::Later(Timer::Retry, at(9));
        assert_eq!(timers.now_or_wait(retry.or_earlier(Due::Later(Timer::Renewal, at(5)))), None);
        assert_eq!(timers.next(), Some((Timer::Renewal, at(5))));
    }
}
