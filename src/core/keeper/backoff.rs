//! When to try again after a failure.

use chrono::TimeDelta;

use super::rng::Rng;
use crate::core::aws_error::{ErrorClass, Fault, is_of_a_program, is_unreached};
use crate::core::time::BootTime;

/// Retries are eager for this long, then rare.
const EAGER: TimeDelta = TimeDelta::minutes(10);
/// After the eager time: at most twelve failing calls an hour.
const RARE: TimeDelta = TimeDelta::minutes(5);
/// After a change of the network, a resume and the like retries are eager again for this long: name look-up and routes come
/// some seconds after the network itself.
const SETTLING: TimeDelta = TimeDelta::minutes(2);
/// Changes within this time are one: a resume, the first address, the second, a clock that is set.
const BURST: TimeDelta = TimeDelta::seconds(30);
/// So many changes in one streak make retries eager again; a network that only comes and goes makes them no more eager.
const SETTLINGS: u32 = 2;
/// After this time without a change, the next one counts as the first; so does a failure if the retry before it is this late.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);
/// So many answers that only blame the time are followed by a try at once.
const SKEWS: u32 = 4;
/// A person who says "now" so often in one streak of failures may be a loop.
const FORCED: u32 = 5;
/// A refusal is not tried again by itself before this: somebody may have mended a trust policy.
const HOURLY: TimeDelta = TimeDelta::hours(1);
/// IAM spreads a new key or role within seconds, sometimes a minute or two.
const SPREADING: TimeDelta = TimeDelta::minutes(2);
/// No server may send us away for longer.
const LONGEST_RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

/// A streak of failures of one node; reset only by a success, or by a change of what failed.
#[derive(Clone, Debug)]
pub(super) struct Streak {
    /// The number of latest failures of the same class.
    failures: u32,
    /// How many of the last ones said that only the time was wrong.
    skews: u32,
    /// The time of the first failure of this class.
    since: BootTime,
    last: BootTime,
    class: ErrorClass,
    /// Another program on this machine failed: the user may have unlocked its vault since.
    of_a_program: bool,
    next_try: Option<BootTime>,
    /// The same as set at the time of the failure: later requests don't change it.
    retry_due_at: Option<BootTime>,
    /// The server said: not before this.
    not_before: BootTime,
    /// How many of the tries a person asked for.
    forced: u32,
    /// How often something changed that the failures may have come from, bursts counted once, and when the last one began.
    changes: u32,
    changed_at: Option<BootTime>,
    /// The failures since then.
    settling: u32,
}

/// What changed last that a failure may have come from.
#[derive(Clone, Copy)]
pub(super) struct Changed {
    /// When the key or plan that failed was first seen.
    pub(super) plan_at: BootTime,
    /// When the network or a clock last changed, or the machine woke up.
    pub(super) disturbed_at: Option<BootTime>,
}

impl Streak {
    /// The streak after one more failure.
    pub(super) fn after(earlier: Option<&Self>, fault: &Fault, changed: Changed, now: BootTime, rng: &mut Rng) -> Self {
        // A failure of another class starts over: hours of refusals must not slow the retry of a bad answer. Neither must a
        // failure of days ago whose retry was due, but not needed.
        let alike = earlier.filter(|streak| streak.class == fault.class && !streak.is_forgotten(now));
        let failures = alike.map_or(0, |streak| streak.failures).saturating_add(1);
        let skews = if fault.skewed { earlier.map_or(0, |streak| streak.skews) + 1 } else { 0 };
        let since = alike.map_or(now, |streak| streak.since);
        // What fails first soon after a change fails because of it, perhaps.
        let just_now = changed.disturbed_at.filter(|at| now - *at < SETTLING);
        let (changes, changed_last) =
            earlier.map_or((u32::from(just_now.is_some()), just_now), |streak| (streak.changes, streak.changed_at));
        let settling = earlier.map_or(0, |streak| streak.settling).saturating_add(1);
        let settles = changes <= SETTLINGS && changed_last.is_some_and(|at| now - at < SETTLING);
        let delay = match fault.class {
            // The answer itself has told the right time; where it hasn't, again and again, it is a failure like others.
            ErrorClass::Retryable if (1..=SKEWS).contains(&skews) => {
                Some(TimeDelta::milliseconds(250) + rng.up_to(doubled(TimeDelta::milliseconds(250), skews, RARE)))
            }
            ErrorClass::NeedsLogin => None,
            ErrorClass::Permanent if now - changed.plan_at < SPREADING => {
                let longest = doubled(TimeDelta::seconds(2), failures, TimeDelta::seconds(30));
                Some(longest / 2 + rng.up_to(longest / 2))
            }
            ErrorClass::Permanent => Some(HOURLY + rng.up_to(TimeDelta::minutes(3))),
            // A new network does not mend what AWS itself has answered.
            ErrorClass::Retryable if settles && is_unreached(fault) => {
                let longest = doubled(TimeDelta::milliseconds(500), settling, TimeDelta::seconds(15));
                Some(longest / 2 + rng.up_to(longest / 2))
            }
            ErrorClass::Retryable if now - since >= EAGER => Some(RARE + rng.up_to(RARE)),
            // Full jitter; the shortest pause keeps a draw of zero from being a loop.
            ErrorClass::Retryable => {
                Some(TimeDelta::milliseconds(250) + rng.up_to(doubled(TimeDelta::milliseconds(500), failures, RARE)))
            }
        };
        let retry_after = fault.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let not_before = now + retry_after;
        let next_try = delay.map(|delay| (now + delay).max(not_before));
        Self {
            failures,
            skews,
            since,
            last: now,
            class: fault.class,
            of_a_program: is_of_a_program(fault),
            next_try,
            retry_due_at: next_try,
            not_before,
            forced: earlier.map_or(0, |streak| streak.forced),
            changes,
            changed_at: changed_last,
            settling,
        }
    }

    /// Whether its retry was due long ago, and not needed.
    fn is_forgotten(&self, now: BootTime) -> bool {
        self.retry_due_at.is_some_and(|at| now - at >= FORGOTTEN)
    }

    /// When the next try is due; `None`: not by itself.
    pub(super) fn next_try(&self) -> Option<BootTime> {
        self.next_try
    }

    /// Whether a try may be made now.
    pub(super) fn allows(&self, now: BootTime) -> bool {
        self.next_try.is_some_and(|at| at <= now)
    }

    /// Whether only the time was wrong: the next try has the right one.
    pub(super) fn is_skewed(&self) -> bool {
        self.skews > 0
    }

    /// Whether the server has said when to come again: then that is what is waited for.
    pub(super) fn was_told_when(&self) -> bool {
        self.not_before > self.last
    }

    /// The class of the last failure.
    pub(super) fn class(&self) -> ErrorClass {
        self.class
    }

    /// Somebody without credentials asks: try at once, but don't let a loop of callers become a loop of calls.
    pub(super) fn asked(&mut self, now: BootTime) {
        let pause = match self.class {
            ErrorClass::NeedsLogin => return,
            ErrorClass::Permanent if !self.of_a_program => TimeDelta::minutes(1),
            ErrorClass::Permanent | ErrorClass::Retryable if now - self.since >= EAGER => TimeDelta::minutes(1),
            ErrorClass::Permanent | ErrorClass::Retryable => TimeDelta::seconds(5),
        };
        if now - self.last >= pause {
            self.next_try = Some(now.max(self.not_before));
        }
    }

    /// A file changed that the failure may have come from. Whoever writes it in a loop makes no loop of calls.
    pub(super) fn file_changed(&mut self, now: BootTime, pause: TimeDelta) {
        let earliest = (self.last + pause).max(now).max(self.not_before);
        self.next_try = Some(self.next_try.map_or(earliest, |at| at.min(earliest)));
    }

    /// Something changed that the failure may have come from: a network, the time, what a person did.
    pub(super) fn cut_short(&mut self, now: BootTime, rng: &mut Rng) {
        if self.class != ErrorClass::Retryable {
            return;
        }
        let quiet = self.changed_at.map_or(FORGOTTEN, |at| now - at);
        if quiet >= BURST {
            self.changes = if quiet >= FORGOTTEN { 1 } else { self.changes.saturating_add(1) };
            (self.changed_at, self.settling) = (Some(now), 0);
        }
        // Networks come and go in bursts, and one that only comes and goes must not become a loop of calls; and everything
        // that waits must not start at the same moment.
        let pause = doubled(TimeDelta::seconds(5), self.changes.saturating_sub(1), RARE);
        let earliest = (self.last + pause).max(now).max(self.not_before) + rng.up_to(TimeDelta::seconds(1));
        self.next_try = Some(self.next_try.map_or(earliest, |at| at.min(earliest)));
    }

    /// A person says: now. Believed a few times in a row, then it may be a loop: no more often than for anybody who asks.
    pub(super) fn forced(&mut self, now: BootTime) {
        let pause = if self.forced < FORCED { TimeDelta::seconds(2) } else { TimeDelta::minutes(1) };
        let earliest = self.last + pause;
        if earliest - now <= TimeDelta::seconds(2) {
            self.forced += 1;
            self.next_try = Some(now.max(earliest));
        }
    }
}

fn doubled(first: TimeDelta, failures: u32, longest: TimeDelta) -> TimeDelta {
    first.checked_mul(1 << failures.min(20)).unwrap_or(longest).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_error::fault;

    fn at(millis: i64) -> BootTime {
        BootTime::from_millis(millis)
    }

    /// A plan of that age, in an undisturbed world.
    fn plan(millis: i64) -> Changed {
        Changed { plan_at: at(millis), disturbed_at: None }
    }

    #[test]
    fn after_ten_minutes_at_most_twelve_failing_calls_an_hour() {
        for seed in 0..200 {
            let (mut rng, mut now, mut streak) = (Rng::new(seed), at(0), None);
            let mut calls = Vec::new();
            while now < at(6 * 3_600_000) {
                calls.push(now);
                let next = Streak::after(
                    streak.as_ref(),
                    &fault("x", None, Some("Timeout"), None),
                    plan(-1_000_000),
                    now,
                    &mut rng,
                );
                now = next.next_try().unwrap();
                streak = Some(next);
            }
            for start in calls.iter().filter(|call| **call >= at(600_000)) {
                let hour = calls.iter().filter(|call| *call >= start && **call < *start + TimeDelta::hours(1));
                assert!(hour.count() <= 12, "seed {seed}");
            }
            assert!(calls.len() > 20, "seed {seed}: it gave up");
        }
    }

    /// The tries of one streak that never succeeds, with changes at the given times, in milliseconds.
    fn tries(seed: u64, changes: &[i64], until: i64) -> Vec<i64> {
        let (mut rng, mut tries, mut changes) = (Rng::new(seed), Vec::new(), changes.iter().copied().peekable());
        let fail = |earlier: Option<&Streak>, now: i64, rng: &mut Rng| {
            Streak::after(earlier, &fault("x", None, Some("Timeout"), None), plan(-1_000_000), at(now), rng)
        };
        let mut streak = fail(None, 0, &mut rng);
        loop {
            let next = streak.next_try().unwrap().as_millis();
            if let Some(change) = changes.next_if(|change| *change <= next) {
                streak.cut_short(at(change), &mut rng);
                continue;
            }
            if next > until {
                return tries;
            }
            tries.push(next);
            streak = fail(Some(&streak), next, &mut rng);
        }
    }

    #[test]
    fn after_a_change_retries_are_eager_again_for_two_minutes() {
        let back = 9 * 3_600_000;
        for seed in 0..50 {
            let tries = tries(seed, &[back], back + 3_600_000);
            let after: Vec<i64> = tries.iter().filter(|at| **at >= back).map(|at| at - back).collect();
            // The first ones fail, as names can't be looked up yet: whenever that ends, a try is near.
            for ready in [0, 2_000, 10_000, 30_000, 100_000] {
                let first = after.iter().find(|at| **at >= ready).unwrap();
                assert!(first - ready <= 15_000, "seed {seed}: {after:?}");
            }
            let late = after.iter().filter(|at| **at > 140_000).count();
            assert!(late <= 12, "seed {seed}: {after:?}");
        }
    }

    #[test]
    fn a_resume_two_addresses_and_a_set_clock_are_one_change() {
        let back = 9 * 3_600_000;
        for seed in 0..50 {
            let tries = tries(seed, &[back, back + 2_000, back + 5_000, back + 9_000, back + 12_000], back + 3_600_000);
            for ready in [20_000, 60_000, 100_000] {
                let first = tries.iter().find(|at| **at >= back + ready).unwrap();
                assert!(first - back - ready <= 15_000, "seed {seed}: {tries:?}");
            }
        }
    }

    #[test]
    fn a_change_after_hours_is_heeded_however_many_were_vain_before() {
        let changes: Vec<i64> = (1..=8).map(|hours| hours * 7_200_000).collect();
        for seed in 0..50 {
            let tries = tries(seed, &changes, 9 * 7_200_000);
            for change in &changes {
                let first = tries.iter().find(|at| *at >= change).unwrap();
                assert!(first - change <= 6_000, "seed {seed}: {}", first - change);
            }
        }
    }

    #[test]
    fn what_fails_first_after_a_change_is_tried_again_eagerly_for_two_minutes() {
        let woken = Changed { plan_at: at(-1_000_000), disturbed_at: Some(at(0)) };
        for seed in 0..50 {
            let (mut rng, mut now, mut streak) = (Rng::new(seed), at(3_000), None);
            while now < at(120_000) {
                let next =
                    Streak::after(streak.as_ref(), &fault("x", None, Some("Network"), None), woken, now, &mut rng);
                let pause = next.next_try().unwrap() - now;
                assert!(pause <= TimeDelta::seconds(15), "seed {seed}: {pause} at {now:?}");
                (now, streak) = (next.next_try().unwrap(), Some(next));
            }
        }
    }

    #[test]
    fn a_network_that_only_comes_and_goes_makes_no_storm() {
        let changes: Vec<i64> = (0..6_000).map(|n| n * 600).collect();
        for seed in 0..20 {
            let tries = tries(seed, &changes, 3_600_000);
            let late = tries.iter().filter(|at| **at > 600_000).count();
            assert!(tries.len() <= 60 && late <= 12, "seed {seed}: {} {late}", tries.len());
        }
    }

    #[test]
    fn a_refusal_is_tried_again_eagerly_only_while_iam_may_be_spreading() {
        let denied = fault("x", Some(403), Some("AccessDenied"), None);
        let mut rng = Rng::new(1);
        let fresh = Streak::after(None, &denied, plan(0), at(1_000), &mut rng);
        assert!(fresh.next_try().unwrap() - at(1_000) <= TimeDelta::seconds(30));
        let old = Streak::after(None, &denied, plan(0), at(600_000), &mut rng);
        assert!(old.next_try().unwrap() - at(600_000) >= TimeDelta::hours(1));
    }

    #[test]
    fn a_bad_answer_after_hours_of_refusals_is_retried_at_once_and_makes_no_loop() {
        let denied = fault("x", Some(403), Some("AccessDenied"), None);
        let bad_answer = fault("x", None, Some("InvalidResponse"), None);
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut streak = Streak::after(None, &denied, plan(-1_000_000), at(0), &mut rng);
            for hour in 1..5 {
                streak = Streak::after(Some(&streak), &denied, plan(-1_000_000), at(hour * 3_700_000), &mut rng);
            }
            let now = at(5 * 3_700_000);
            streak = Streak::after(Some(&streak), &bad_answer, plan(-1_000_000), now, &mut rng);
            assert!(streak.next_try().unwrap() - now <= TimeDelta::seconds(2), "seed {seed}");
            // A server that alternates is called twice an hour.
            let next = Streak::after(Some(&streak), &denied, plan(-1_000_000), now, &mut rng);
            assert!(next.next_try().unwrap() - now >= TimeDelta::hours(1), "seed {seed}");
        }
    }

    #[test]
    fn a_failure_long_after_the_last_one_begins_a_new_streak() {
        let away = fault("x", None, Some("Timeout"), None);
        let mut rng = Rng::new(1);
        let mut streak = Streak::after(None, &away, plan(-1_000_000), at(0), &mut rng);
        for minute in 1..30 {
            streak = Streak::after(Some(&streak), &away, plan(-1_000_000), at(minute * 60_000), &mut rng);
        }
        let soon = Streak::after(Some(&streak), &away, plan(-1_000_000), at(45 * 60_000), &mut rng);
        assert!(soon.next_try().unwrap() - at(45 * 60_000) >= RARE);
        let later = Streak::after(Some(&streak), &away, plan(-1_000_000), at(180 * 60_000), &mut rng);
        assert!(later.next_try().unwrap() - at(180 * 60_000) <= TimeDelta::seconds(2));
    }

    #[test]
    fn a_server_that_says_when_is_heard() {
        let mut busy = fault("x", Some(503), None, None);
        busy.retry_after = Some(TimeDelta::seconds(120));
        let streak = Streak::after(None, &busy, plan(0), at(0), &mut Rng::new(1));
        assert!(streak.next_try().unwrap() >= at(120_000));
    }

    #[test]
    fn callers_that_ask_in_a_loop_do_not_make_a_loop_of_calls() {
        let denied = fault("x", Some(403), Some("AccessDenied"), None);
        let mut streak = Streak::after(None, &denied, plan(-1_000_000), at(0), &mut Rng::new(1));
        streak.asked(at(59_000));
        assert!(!streak.allows(at(59_000)));
        streak.asked(at(60_000));
        assert!(streak.allows(at(60_000)));
    }

    #[test]
    fn a_program_is_run_again_for_who_asks_after_seconds_and_after_ten_minutes_once_a_minute() {
        let locked = fault("x", None, Some("ProcessFailed"), None);
        let mut rng = Rng::new(1);
        // After many failures: once a long-locked vault is open, the retry must not wait.
        let mut streak = Streak::after(None, &locked, plan(-1_000_000), at(0), &mut rng);
        for second in 1..=9 {
            streak = Streak::after(Some(&streak), &locked, plan(-1_000_000), at(second * 1_000), &mut rng);
        }
        for (now, allowed) in [(12_000, false), (14_000, true)] {
            streak.asked(at(now));
            assert_eq!(streak.allows(at(now)), allowed, "{now}");
        }
        let mut streak = Streak::after(Some(&streak), &locked, plan(-1_000_000), at(700_000), &mut rng);
        for (now, allowed) in [(759_000, false), (760_000, true)] {
            streak.asked(at(now));
            assert_eq!(streak.allows(at(now)), allowed, "{now}");
        }
    }

    #[test]
    fn a_person_is_heard_at_once_a_few_times_and_a_loop_once_a_minute() {
        let denied = fault("x", Some(403), Some("AccessDenied"), None);
        let (mut rng, mut calls) = (Rng::new(1), Vec::new());
        let mut streak = Streak::after(None, &denied, plan(-1_000_000), at(0), &mut rng);
        for now in (0..600_000).step_by(500).map(at) {
            streak.forced(now);
            if streak.allows(now) {
                calls.push(now);
                streak = Streak::after(Some(&streak), &denied, plan(-1_000_000), now, &mut rng);
            }
        }
        assert_eq!(calls[0], at(2_000));
        assert!((10..=16).contains(&calls.len()), "{}", calls.len());
    }

    #[test]
    fn who_waits_for_a_person_makes_no_calls() {
        let mut login = fault("x", None, Some("Timeout"), None);
        login.class = ErrorClass::NeedsLogin;
        let mut streak = Streak::after(None, &login, plan(0), at(0), &mut Rng::new(1));
        streak.asked(at(1_000_000_000));
        assert_eq!(streak.next_try(), None);
    }
}
