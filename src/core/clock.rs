//! AWS's time, as far as it is known: the offset to the boot-time clock, as an interval.
//!
//! A `Date` header D that was on its way between two readings of the boot-time clock says that AWS's time lay in
//! [D − s, D + 1 s + s] at some moment between them: `Date` has whole seconds, and servers and proxies cache the header
//! for about a second, hence the slack s. Each answer is an interval for the offset; their intersection, widened by what
//! the boot-time clock may have drifted since, is the estimate.
//!
//! The boot-time clock is a hypothesis too: a paused virtual machine stops it. So answers vote within one epoch only. One
//! that contradicts the estimate is confirmed by a second, at once, and then begins a new epoch.

use chrono::TimeDelta;

use crate::core::time::{AwsTime, BootTime, Now, WallTime};

/// How long servers and proxies keep a `Date` header before they make a new one.
const SLACK_MS: i64 = 1_000;
/// Linux slews its clocks by at most 500 parts per million (`adjtimex(2)`); quartz alone is off by less than 100.
const DRIFT_ONE_IN: i64 = 2_000;
/// What a suspend may hide: the real-time clock that counts through it has whole seconds.
const SUSPEND_MS: i64 = 2_000;
/// How far the wall clock may be off before anything was heard.
const WALL_GUESS_MS: i64 = 24 * 3_600_000;
/// The same where the kernel says that it is synchronised. NTP is right within a second; the rest is for what may have
/// fooled it, as this is still nobody's word but ours.
const SYNCHRONISED_GUESS_MS: i64 = 30_000;
/// Two clocks that are read one after the other differ by scheduling, not by half a second.
const JUMP_MS: i64 = 500;

/// What one answer said about AWS's time: its `Date` was between `sent` and `received`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The `Date` header, in whole seconds.
    pub date: AwsTime,
    /// Boot-time clock before the request was sent.
    pub sent: BootTime,
    /// Boot-time clock after the answer's head came.
    pub received: BootTime,
    /// How far the answer can be trusted.
    pub trust: Trust,
}

/// How far an answer's time can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Plain http from a host that nobody configured: a captive portal, a proxy. Never believed.
    Unauthenticated,
    /// From AWS over TLS, or from an endpoint that the person configured.
    Authenticated,
}

/// AWS's time now, as an interval that contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsInterval {
    /// Not before this.
    pub earliest: AwsTime,
    /// Not after this.
    pub latest: AwsTime,
}

/// Whether something that expires has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Certainly not yet.
    Valid,
    /// Certainly.
    Expired,
    /// The expiry lies within the uncertainty: serve it, and renew.
    Unknown,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It agreed with what was known.
    Accepted,
    /// It contradicts what was known: a second one is needed, at once.
    NeedsConfirmation,
    /// It confirmed a contradiction: the earlier samples are gone, a new epoch has begun.
    NewEpoch,
    /// It can't be trusted or makes no sense, and changed nothing.
    Ignored,
}

/// How far this machine's wall clock is off AWS's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An estimate as it is saved, valid only under the boot id it was saved with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SavedClock {
    /// Lower end of AWS's time minus the boot-time clock, in ms.
    pub lowest_ms: i64,
    /// Upper end.
    pub highest_ms: i64,
    /// The boot-time clock when it was saved.
    pub as_of: BootTime,
    /// Suspended time in all when it was saved, in ms.
    pub suspended_ms: i64,
}

/// The estimate. It never reads a clock: every method is handed [`Now`].
#[derive(Clone, Debug)]
pub struct Clock {
    offset: Offset,
    /// A sample that contradicts the estimate and waits for a second.
    pending: Option<Offset>,
    known: bool,
    suspect: bool,
    heard_at: Option<BootTime>,
    seen_suspended: TimeDelta,
    /// The wall clock minus the boot-time clock at the last look.
    seen_wall: i64,
}

/// AWS's time minus the boot-time clock, in ms, as an interval that was true at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    lowest: i64,
    highest: i64,
    as_of: BootTime,
}

impl Clock {
    /// An estimate from the wall clock alone: ± a day, or ± 30 s where the kernel says that it is synchronised.
    pub fn new(now: Now, wall_synchronised: bool) -> Self {
        let guess = if wall_synchronised { SYNCHRONISED_GUESS_MS } else { WALL_GUESS_MS };
        let middle = wall_minus_boot(now);
        let offset =
            Offset { lowest: middle.saturating_sub(guess), highest: middle.saturating_add(guess), as_of: now.boot };
        Self {
            offset,
            pending: None,
            known: false,
            suspect: false,
            heard_at: None,
            seen_suspended: now.suspended,
            seen_wall: middle,
        }
    }

    /// Takes up a saved estimate of the same boot, widened by what may have happened since. It is suspect until AWS
    /// was heard: a virtual machine may have been paused in between.
    pub fn restore(&mut self, saved: SavedClock, now: Now) {
        if saved.lowest_ms > saved.highest_ms || saved.as_of > now.boot {
            return;
        }
        self.offset = Offset { lowest: saved.lowest_ms, highest: saved.highest_ms, as_of: saved.as_of }.at(now.boot);
        if now.suspended.num_milliseconds().saturating_sub(saved.suspended_ms) > JUMP_MS {
            self.offset.widen(SUSPEND_MS);
        }
        self.known = true;
        self.suspect = true;
    }

    /// What to save; `None` while nothing authenticated has been heard.
    pub fn save(&self, now: Now) -> Option<SavedClock> {
        let offset = self.offset.at(now.boot);
        self.known.then_some(SavedClock {
            lowest_ms: offset.lowest,
            highest_ms: offset.highest,
            as_of: now.boot,
            suspended_ms: now.suspended.num_milliseconds(),
        })
    }

    /// Takes in what one answer said.
    pub fn observe(&mut self, sample: Sample, now: Now) -> Verdict {
        if sample.trust == Trust::Unauthenticated || sample.received < sample.sent || now.boot < sample.received {
            return Verdict::Ignored;
        }
        let heard = Offset {
            lowest: sample.date.as_millis() - SLACK_MS - sample.received.as_millis(),
            highest: sample.date.as_millis() + 1_000 + SLACK_MS - sample.sent.as_millis(),
            as_of: sample.received,
        }
        .at(now.boot);
        // The wall clock ranks below any answer: the first one replaces the guess, it does not have to agree.
        let current = if self.known { self.offset.at(now.boot) } else { heard };
        let (offset, verdict) = match (current.meet(heard), self.pending) {
            (Some(both), _) => (both, Verdict::Accepted),
            (None, Some(pending)) => match pending.at(now.boot).meet(heard) {
                Some(both) => (both, Verdict::NewEpoch),
                None => return self.await_confirmation(heard),
            },
            (None, None) => return self.await_confirmation(heard),
        };
        self.offset = offset;
        self.pending = None;
        self.known = true;
        self.suspect = false;
        self.heard_at = Some(sample.received);
        verdict
    }

    fn await_confirmation(&mut self, heard: Offset) -> Verdict {
        self.pending = Some(heard);
        self.suspect = true;
        Verdict::NeedsConfirmation
    }

    /// Compares wall clock, boot-time clock and suspended time with the last look; true where something jumped, and the
    /// estimate became suspect. Called with every event; calling it again changes nothing.
    pub fn notice(&mut self, now: Now) -> bool {
        let slept = (now.suspended - self.seen_suspended).num_milliseconds() > JUMP_MS;
        let wall = wall_minus_boot(now);
        let jump = wall.saturating_sub(self.seen_wall);
        self.seen_suspended = now.suspended;
        self.seen_wall = wall;
        if slept {
            self.offset.widen(SUSPEND_MS);
        }
        if jump > JUMP_MS {
            // Somebody set the wall clock, or this machine was paused for that long and the boot-time clock with it:
            // until AWS was heard, both are possible.
            self.offset.highest = self.offset.highest.saturating_add(jump).saturating_add(SUSPEND_MS);
        }
        let jumped = slept || jump.saturating_abs() > JUMP_MS;
        self.suspect |= jumped;
        jumped
    }

    /// The estimate may be wrong (a resume, an answer that says skew): look at AWS's time before the next signature.
    pub fn suspect(&mut self) {
        self.suspect = true;
    }

    /// Whether a look at AWS's time is due before the next signature.
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Whether anything authenticated was heard in this boot.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// When AWS was last heard (boot-time clock).
    pub fn heard_at(&self) -> Option<BootTime> {
        self.heard_at
    }

    /// AWS's time now.
    pub fn aws_now(&self, now: Now) -> AwsInterval {
        let offset = self.offset.at(now.boot);
        let at = |offset: i64| AwsTime::from_millis(now.boot.as_millis().saturating_add(offset));
        AwsInterval { earliest: at(offset.lowest), latest: at(offset.highest) }
    }

    /// The best single guess of AWS's time now: the middle; before anything was heard, the wall clock.
    pub fn best(&self, now: Now) -> AwsTime {
        AwsTime::from_millis(now.boot.as_millis()) + self.aws_minus_boot(now)
    }

    /// Best guess of AWS's time minus the boot-time clock: what a signer adds.
    pub fn aws_minus_boot(&self, now: Now) -> TimeDelta {
        let Offset { lowest, highest, .. } = self.offset.at(now.boot);
        milliseconds(if self.known { lowest.midpoint(highest) } else { wall_minus_boot(now) })
    }

    /// How long from now until AWS's time may be `at`, at the earliest: for what should rather be done too soon. Before
    /// anything was heard it is by the best guess, as the interval says nothing then.
    pub fn until_possibly(&self, at: AwsTime, now: Now) -> TimeDelta {
        at - if self.known { self.aws_now(now).latest } else { self.best(now) }
    }

    /// How long from now until AWS's time is `at`, by the best guess; negative when it has passed.
    pub fn until(&self, at: AwsTime, now: Now) -> TimeDelta {
        at - self.best(now)
    }

    /// This machine's wall clock minus AWS's time, and half the width of the interval.
    pub fn wall_error(&self, now: Now) -> (TimeDelta, TimeDelta) {
        let AwsInterval { earliest, latest } = self.aws_now(now);
        let error = now.wall.as_millis().saturating_sub(self.best(now).as_millis());
        (milliseconds(error), (latest - earliest) / 2)
    }

    /// How far the wall clock is off, given only where the whole interval is past a threshold.
    pub fn grade(&self, now: Now, warn: TimeDelta) -> Grade {
        if !self.known {
            return Grade::Unknown;
        }
        let (error, uncertainty) = self.wall_error(now);
        let certain = error.abs() - uncertainty;
        if certain > TimeDelta::minutes(15) {
            Grade::Critical
        } else if certain > TimeDelta::minutes(5) {
            Grade::Warning
        } else if certain > warn {
            Grade::Notice
        } else {
            Grade::Ok
        }
    }

    /// An expiry as a reader should be told who compares it with this machine's clock: AWS's own value, and while the
    /// clock is off, that value as the wall clock will show it.
    pub fn for_local_reader(&self, expires: AwsTime, now: Now, warn: TimeDelta) -> String {
        match self.grade(now, warn) {
            Grade::Ok | Grade::Unknown => expires.to_rfc3339(),
            Grade::Notice | Grade::Warning | Grade::Critical => {
                (WallTime::from_millis(expires.as_millis()) + self.wall_error(now).0).to_rfc3339()
            }
        }
    }

    /// Whether `expires` has passed.
    pub fn judge(&self, expires: AwsTime, now: Now) -> Expiry {
        let AwsInterval { earliest, latest } = self.aws_now(now);
        if expires <= earliest {
            Expiry::Expired
        } else if expires > latest {
            Expiry::Valid
        } else {
            Expiry::Unknown
        }
    }
}

impl Offset {
    /// The same interval at another moment: wider by what the clock may have drifted in between.
    fn at(self, moment: BootTime) -> Self {
        let drift = (moment - self.as_of).num_milliseconds().saturating_abs() / DRIFT_ONE_IN;
        let mut moved = Self { as_of: moment, ..self };
        moved.widen(drift);
        moved
    }

    fn widen(&mut self, by: i64) {
        self.lowest = self.lowest.saturating_sub(by);
        self.highest = self.highest.saturating_add(by);
    }

    /// What both allow, if anything.
    fn meet(self, other: Self) -> Option<Self> {
        let (lowest, highest) = (self.lowest.max(other.lowest), self.highest.min(other.highest));
        (lowest <= highest).then_some(Self { lowest, highest, as_of: self.as_of })
    }
}

fn wall_minus_boot(now: Now) -> i64 {
    now.wall.as_millis().saturating_sub(now.boot.as_millis())
}

fn milliseconds(millis: i64) -> TimeDelta {
    TimeDelta::milliseconds(millis.clamp(-i64::MAX, i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: i64 = 1_790_000_000_000;

    fn at(boot: i64, wall: i64) -> Now {
        Now { boot: BootTime::from_millis(boot), wall: WallTime::from_millis(wall), suspended: TimeDelta::zero() }
    }

    fn sample(date: i64, sent: i64, received: i64) -> Sample {
        Sample {
            date: AwsTime::from_millis(date.div_euclid(1000) * 1000),
            sent: BootTime::from_millis(sent),
            received: BootTime::from_millis(received),
            trust: Trust::Authenticated,
        }
    }

    fn holds(clock: &Clock, now: Now, truth: i64) -> bool {
        let AwsInterval { earliest, latest } = clock.aws_now(now);
        earliest.as_millis() <= truth && truth <= latest.as_millis()
    }

    #[test]
    fn a_wall_clock_hours_off_is_forgotten_with_the_first_answer() {
        let mut clock = Clock::new(at(1_000, EPOCH + 7_200_000), false);
        assert_eq!(clock.observe(sample(EPOCH, 1_000, 1_100), at(1_100, EPOCH + 7_200_100)), Verdict::Accepted);
        let (error, uncertainty) = clock.wall_error(at(1_100, EPOCH + 7_200_100));
        assert!((error.num_seconds() - 7_200).abs() <= 2 && uncertainty.num_seconds() <= 2, "{error} {uncertainty}");
        assert_eq!(clock.grade(at(1_100, EPOCH + 7_200_100), TimeDelta::seconds(60)), Grade::Critical);
    }

    #[test]
    fn a_lone_liar_changes_nothing_and_a_confirmed_one_begins_an_epoch() {
        let mut clock = Clock::new(at(0, EPOCH), false);
        assert_eq!(clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH)), Verdict::Accepted);
        assert_eq!(clock.observe(sample(EPOCH + 900_000, 100, 150), at(150, EPOCH)), Verdict::NeedsConfirmation);
        assert!(clock.is_suspect());
        assert_eq!(clock.observe(sample(EPOCH + 200, 200, 250), at(250, EPOCH)), Verdict::Accepted);
        assert!(!clock.is_suspect() && holds(&clock, at(250, EPOCH), EPOCH + 250));
        // A paused machine: both answers agree with each other and not with the old estimate.
        assert_eq!(clock.observe(sample(EPOCH + 900_000, 300, 350), at(350, EPOCH)), Verdict::NeedsConfirmation);
        assert_eq!(clock.observe(sample(EPOCH + 900_100, 400, 450), at(450, EPOCH)), Verdict::NewEpoch);
        assert!(holds(&clock, at(450, EPOCH), EPOCH + 900_150));
    }

    #[test]
    fn after_a_forward_step_of_the_wall_clock_a_pause_is_possible_and_nothing_is_certain() {
        let mut clock = Clock::new(at(0, EPOCH), false);
        let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH + 50));
        assert!(clock.notice(at(100, EPOCH + 3_600_100)));
        let soon = AwsTime::from_millis(EPOCH + 1_800_000);
        assert_eq!(clock.judge(soon, at(100, EPOCH + 3_600_100)), Expiry::Unknown);
        assert!(!clock.notice(at(200, EPOCH + 3_600_200)), "the same step is noticed once");
    }

    #[test]
    fn an_unauthenticated_answer_is_ignored() {
        let mut clock = Clock::new(at(0, EPOCH), false);
        let portal = Sample { trust: Trust::Unauthenticated, ..sample(EPOCH, 0, 50) };
        assert_eq!(clock.observe(portal, at(50, EPOCH)), Verdict::Ignored);
        assert!(!clock.is_known());
    }

    #[test]
    fn a_saved_estimate_comes_back_wider_and_suspect() {
        let mut clock = Clock::new(at(0, EPOCH), false);
        let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH));
        let saved = clock.save(at(60, EPOCH)).unwrap();
        let mut later = Clock::new(at(4_000_000, EPOCH - 1), false);
        later.restore(saved, at(4_000_000, EPOCH - 1));
        assert!(later.is_known() && later.is_suspect() && holds(&later, at(4_000_000, EPOCH - 1), EPOCH + 4_000_000));
    }

    #[test]
    fn an_expiry_is_told_as_a_wrong_clock_will_show_it() {
        let mut clock = Clock::new(at(0, EPOCH + 600_000), false);
        let now = at(50, EPOCH + 600_050);
        let _ = clock.observe(sample(EPOCH, 0, 50), now);
        let told = clock.for_local_reader(AwsTime::from_millis(EPOCH + 3_600_000), now, TimeDelta::seconds(60));
        let wanted = AwsTime::from_millis(EPOCH + 4_200_000).as_millis();
        let told = chrono::DateTime::parse_from_rfc3339(&told).unwrap().timestamp_millis();
        assert!((told - wanted).abs() <= 2_000, "{told} {wanted}");
    }

    proptest! {
        #[test]
        fn the_true_offset_is_always_inside(
            steps in proptest::collection::vec((0i64..7_200_000, 0i64..3_000, 0i64..1000, 0i64..1000, -3_600_000i64..3_600_000), 1..40),
            drift_ppm in -400i64..400,
        ) {
            let truth = |boot: i64| EPOCH + boot + boot / 1000 * drift_ppm / 1000;
            let mut wall_step = 0;
            let mut clock = Clock::new(at(0, EPOCH), false);
            let mut boot = 0;
            for (pause, round_trip, share, cached, step) in steps {
                boot += pause;
                if step % 7 == 0 { wall_step += step; }
                let _ = clock.notice(at(boot, truth(boot) + wall_step));
                let server = boot + round_trip * share / 1000;
                let heard = sample(truth(server) - cached, boot, boot + round_trip);
                boot += round_trip;
                let verdict = clock.observe(heard, at(boot, truth(boot) + wall_step));
                prop_assert_eq!(verdict, Verdict::Accepted);
                prop_assert!(holds(&clock, at(boot, truth(boot) + wall_step), truth(boot)));
            }
        }

        #[test]
        fn after_a_pause_the_truth_is_inside_from_the_confirmed_answer_on(pause in 10_000i64..900_000_000, steps_wall: bool) {
            let mut clock = Clock::new(at(0, EPOCH), false);
            let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH));
            let wall = if steps_wall { EPOCH + pause } else { EPOCH };
            let _ = clock.notice(at(100, wall + 100));
            for turn in 2..4 {
                let boot = turn * 100;
                let _ = clock.observe(sample(EPOCH + pause + boot, boot, boot + 50), at(boot + 50, wall + boot));
            }
            prop_assert!(holds(&clock, at(400, wall + 400), EPOCH + pause + 400));
            prop_assert!(!clock.is_suspect());
        }

        #[test]
        fn extreme_readings_do_not_overflow(boot: i64, wall: i64, date in -8_000_000_000_000_000i64..8_000_000_000_000_000, sent: i64) {
            let now = at(boot / 4, wall / 4);
            let mut clock = Clock::new(now, true);
            let _ = clock.observe(sample(date, sent / 4, boot / 4), now);
            let _ = (clock.notice(now), clock.best(now), clock.wall_error(now), clock.save(now));
        }
    }
}
