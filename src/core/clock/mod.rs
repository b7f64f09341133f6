//! AWS's time, as far as it is known: the offset to the boot-time clock, as an interval.
//!
//! A `Date` header D that was on its way between two readings of the boot-time clock says that AWS's time lay in
//! [D − s, D + 1 s + s] at some moment between them: `Date` has whole seconds, and servers and proxies cache the header
//! for about a second, hence the slack s. Each answer is an interval for the offset; their intersection, widened by what
//! the boot-time clock may have drifted since, is the estimate.
//!
//! NTP is nobody's word but its server's, and comes unauthenticated: it narrows what AWS said where the two agree, and is a
//! better guess than the wall clock while AWS was not heard. It judges no expiry.
//!
//! Answers have ranks. One of a lower rank never moves what was heard from a higher one, and one of a higher rank replaces it:
//! an emulator on plain http is believed until another endpoint was heard over TLS, that one until AWS was, and not against it.
//!
//! The boot-time clock is a hypothesis too: a paused virtual machine stops it. So answers vote within one epoch only. One
//! that contradicts the estimate is confirmed by a second, at once, and then begins a new epoch.

mod grade;
mod offset;
#[cfg(test)]
mod tests;
mod trend;
mod wall;

use std::collections::VecDeque;

use chrono::TimeDelta;

pub use self::grade::{Grade, LIMITS, Limit};
use self::offset::Offset;
pub use self::offset::{Sample, Trust};
use self::trend::Trend;
pub use self::trend::{Crossing, Drift, Reading};
use crate::core::ntp::NtpAnswer;
use crate::core::time::{AwsTime, BootTime, Now, span_from_millis};

/// What a suspend may hide: the real-time clock that counts through it has whole seconds.
const SUSPEND_MS: i64 = 2_000;
/// How far the wall clock may be off before anything was heard.
const WALL_GUESS_MS: i64 = 24 * 3_600_000;
/// The same where the kernel says that it is synchronised. NTP is right within a second; the rest is for what may have
/// fooled it, as this is still nobody's word but ours.
const SYNCHRONISED_GUESS_MS: i64 = 30_000;
/// On the day of a leap second servers differ by up to a second.
const SMEAR_MS: i64 = 1_000;
/// Two clocks that are read one after the other differ by scheduling, not by half a second.
const JUMP_MS: i64 = 500;
/// Two epochs that begin within this are servers that disagree, rather than two pauses of this machine.
const FLIP_FLOP: TimeDelta = TimeDelta::minutes(1);
/// For so long no epoch begins then.
const HOLD: TimeDelta = TimeDelta::minutes(10);

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
    /// It contradicts what was heard from a source of a higher rank, and changed nothing.
    Outranked,
    /// It contradicts what is known, as answers of the same rank have done too often of late, and changed nothing.
    Held,
    /// It can't be trusted, makes no sense, or says nothing new, and changed nothing.
    Ignored,
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
    /// The rank of the answers that it is made of.
    pub trust: Trust,
}

/// How far the wall clock is off by what one NTP server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtpOffset {
    /// The wall clock minus the server's time.
    pub error: TimeDelta,
    /// How far that may be off, by the server's own account and the time that the answer took.
    pub uncertainty: TimeDelta,
    /// Why it is not believed, where it isn't.
    pub why_not: Option<&'static str>,
}

/// The estimate. It never reads a clock: every method is handed [`Now`].
#[derive(Clone, Debug)]
pub struct Clock {
    offset: Offset,
    /// By how much more AWS's time may be ahead, in ms: for as long this machine may have been paused, unnoticed by its
    /// boot-time clock. It does not move the best guess.
    pause: i64,
    /// What NTP said, while no clock has jumped since.
    ntp: Option<Offset>,
    /// A sample that contradicts the estimate and waits for a second.
    pending: Option<Offset>,
    /// The rank of the answers that the estimate is made of; `None` while nothing was heard.
    rank: Option<Trust>,
    suspect: bool,
    /// When the last epochs began, two at most.
    epochs: VecDeque<BootTime>,
    /// No epoch begins before this: answers of the same rank have disagreed twice within a minute.
    held_until: Option<BootTime>,
    heard_at: Option<BootTime>,
    /// When a clock was last seen to have jumped: answers to what was sent before say nothing about now.
    jumped_at: Option<BootTime>,
    seen_suspended: TimeDelta,
    /// The wall clock minus the boot-time clock at the last look.
    seen_wall: i64,
    /// The grade that was last settled.
    settled: Grade,
    trend: Trend,
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
            pause: 0,
            ntp: None,
            pending: None,
            rank: None,
            suspect: false,
            epochs: VecDeque::new(),
            held_until: None,
            heard_at: None,
            jumped_at: None,
            seen_suspended: now.suspended,
            seen_wall: middle,
            settled: Grade::Unknown,
            trend: Trend::default(),
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
        self.rank = Some(saved.trust.max(Trust::Configured));
        self.suspect = true;
    }

    /// What to save; `None` while nothing authenticated has been heard.
    pub fn save(&self, now: Now) -> Option<SavedClock> {
        let offset = self.possible(now);
        self.rank.map(|trust| SavedClock {
            lowest_ms: offset.lowest,
            highest_ms: offset.highest,
            as_of: now.boot,
            suspended_ms: now.suspended.num_milliseconds(),
            trust,
        })
    }

    /// Takes in what one answer said.
    pub fn observe(&mut self, sample: Sample, now: Now) -> Verdict {
        let in_order = sample.sent <= sample.received && sample.received <= now.boot;
        // The answer to a request from before a pause can come after it, and is as old as the pause is long.
        let of_this_epoch = self.jumped_at.is_none_or(|jumped_at| sample.sent >= jumped_at);
        if sample.trust == Trust::Unauthenticated || !in_order || !of_this_epoch {
            return Verdict::Ignored;
        }
        let heard = Offset::heard(sample).at(now.boot);
        // The wall clock ranks below any answer: the first one replaces the guess, it does not have to agree.
        let outranks = self.rank.is_none_or(|rank| sample.trust > rank);
        let current = if outranks { heard } else { self.possible(now) };
        if self.rank.is_some_and(|rank| sample.trust < rank) {
            return if current.meet(heard).is_some() { Verdict::Ignored } else { Verdict::Outranked };
        }
        if outranks && self.rank.is_some() && self.possible(now).meet(heard).is_none() {
            self.trend.begin_again(now.boot);
        }
        let (offset, verdict) = match (current.meet(heard), self.pending.filter(|_| !outranks)) {
            // On its way before the contradiction was heard, it can't refute it: it may be of the time before a pause.
            (Some(_), Some(pending)) if sample.sent < pending.as_of => return Verdict::Ignored,
            (Some(both), _) => (both, Verdict::Accepted),
            (None, _) if self.held_until.is_some_and(|until| until > now.boot) => return Verdict::Held,
            (None, Some(pending)) => match pending.at(now.boot).meet(heard) {
                Some(both) => {
                    // What was sent before the first sign of it may still come, and may be of the epoch that is over.
                    self.jumped_at = self.jumped_at.max(Some(pending.as_of));
                    self.epoch_begins(now);
                    (both, Verdict::NewEpoch)
                }
                None => return self.await_confirmation(heard),
            },
            (None, None) => return self.await_confirmation(heard),
        };
        self.rank = self.rank.max(Some(sample.trust));
        self.offset = offset;
        self.pause = 0;
        self.pending = None;
        self.suspect = false;
        self.heard_at = Some(sample.received);
        let (wall, likely) = (wall_minus_boot(now), self.narrowed(now).unwrap_or(offset));
        self.trend.note(Reading {
            at: now.boot,
            lowest: wall.saturating_sub(likely.highest),
            highest: wall.saturating_sub(likely.lowest),
        });
        verdict
    }

    /// Takes in what all the NTP servers said last. Who contradicts AWS is not believed; and while AWS was not heard nobody
    /// is, unless they agree.
    pub fn take_ntp<'a>(&mut self, answers: impl Iterator<Item = &'a NtpAnswer>, now: Now) {
        let mut agreed: Option<Offset> = None;
        for answer in answers.filter(|answer| self.is_believable(answer, now)) {
            let heard = of_ntp(answer).at(now.boot);
            agreed = match agreed {
                None => Some(heard),
                Some(others) => match others.meet(heard) {
                    Some(both) => Some(both),
                    // Each agrees with AWS: the first one counts.
                    None if self.is_known() => Some(others),
                    // One smears leap seconds, say: who is a second apart does not disagree.
                    None if others.wider(SMEAR_MS).meet(heard).is_some() => Some(others),
                    None => return self.ntp = None,
                },
            };
        }
        self.ntp = agreed;
    }

    /// How far this machine's wall clock is off by what an NTP server said, and why that is not believed.
    pub fn by_ntp(&self, answer: &NtpAnswer, now: Now) -> NtpOffset {
        let heard = of_ntp(answer).at(now.boot);
        let (error, uncertainty) = wall_error_of(heard, heard.middle(), now);
        let why_not = if self.contradicts_aws(answer, now) {
            Some("AWS's time contradicts it")
        } else if !self.is_believable(answer, now) {
            Some("a clock has jumped since")
        } else if self.ntp.is_none() {
            Some("another server gives a different time, and AWS has not answered")
        } else {
            None
        };
        NtpOffset { error, uncertainty, why_not }
    }

    fn contradicts_aws(&self, answer: &NtpAnswer, now: Now) -> bool {
        self.is_known() && self.possible(now).meet(of_ntp(answer).at(now.boot)).is_none()
    }

    fn is_believable(&self, answer: &NtpAnswer, now: Now) -> bool {
        let of_this_epoch = self.jumped_at.is_none_or(|jumped_at| answer.sent >= jumped_at);
        of_this_epoch && answer.received <= now.boot && !self.contradicts_aws(answer, now)
    }

    /// The second epoch within a minute is the last one for a while: servers that disagree would begin one after the other.
    fn epoch_begins(&mut self, now: Now) {
        self.epochs.push_back(now.boot);
        let Some(earlier) = self.epochs.len().checked_sub(2).and_then(|at| self.epochs.get(at)) else { return };
        if now.boot - *earlier < FLIP_FLOP {
            self.held_until = Some(now.boot + HOLD);
            self.epochs.clear();
        } else {
            self.epochs.pop_front();
        }
    }

    /// How far this machine's wall clock is off by one answer alone, and how far that may be off.
    pub fn by_sample(&self, sample: Sample, now: Now) -> (TimeDelta, TimeDelta) {
        let heard = Offset::heard(sample).at(now.boot);
        wall_error_of(heard, heard.middle(), now)
    }

    /// The rank of the answers that the estimate is made of; `None` while nothing was heard.
    pub fn rank(&self) -> Option<Trust> {
        self.rank
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
        let jumped = slept || jump.saturating_abs() > JUMP_MS;
        if slept {
            self.offset.widen(SUSPEND_MS);
            self.trend.begin_again(now.boot);
        }
        if jump.saturating_abs() > JUMP_MS {
            // Somebody set the wall clock, or this machine was paused and the boot-time clock with it, for as long as the
            // wall clock moved or up to the very time that it shows now: until AWS was heard, all are possible.
            let reach = wall.saturating_sub(self.offset.highest).max(0);
            self.pause = self.pause.saturating_add(jump.max(0)).max(reach).saturating_add(SUSPEND_MS);
        }
        if jumped {
            self.jumped_at = Some(now.boot);
            self.held_until = None;
            self.ntp = None;
        }
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
        self.rank.is_some()
    }

    /// When AWS was last heard (boot-time clock).
    pub fn heard_at(&self) -> Option<BootTime> {
        self.heard_at
    }

    /// When a clock of this machine was last seen to jump (boot-time clock).
    pub fn jumped_at(&self) -> Option<BootTime> {
        self.jumped_at
    }

    /// The offset now, with everything that is possible.
    fn possible(&self, now: Now) -> Offset {
        let mut offset = self.offset.at(now.boot);
        offset.highest = offset.highest.saturating_add(self.pause);
        offset
    }

    /// AWS's time now.
    pub fn aws_now(&self, now: Now) -> AwsInterval {
        let offset = self.possible(now);
        let at = |offset: i64| AwsTime::from_millis(now.boot.as_millis().saturating_add(offset));
        AwsInterval { earliest: at(offset.lowest), latest: at(offset.highest) }
    }

    /// Where the offset is most likely: what AWS said, narrowed by NTP where they agree; before AWS was heard what NTP said.
    fn narrowed(&self, now: Now) -> Option<Offset> {
        let ntp = self.ntp.map(|ntp| ntp.at(now.boot));
        match ntp {
            // What NTP said is from after a pause, if there was one.
            Some(ntp) if self.is_known() => {
                Some(self.possible(now).meet(ntp).unwrap_or_else(|| self.offset.at(now.boot)))
            }
            Some(ntp) => Some(ntp),
            None => self.is_known().then(|| self.offset.at(now.boot)),
        }
    }

    /// Whether AWS was not heard, and NTP was.
    pub fn is_known_by_ntp(&self) -> bool {
        !self.is_known() && self.ntp.is_some()
    }

    /// The best single guess of AWS's time now: the middle; before anything was heard, the wall clock.
    pub fn best(&self, now: Now) -> AwsTime {
        AwsTime::from_millis(now.boot.as_millis()) + self.aws_minus_boot(now)
    }

    /// How far AWS's time may be off what AWS said of it: what expiry is judged by. NTP has no part in it.
    pub fn uncertainty(&self, now: Now) -> TimeDelta {
        self.wall_error_by_aws(now).1
    }

    /// Best guess of AWS's time minus the boot-time clock: what a signer adds.
    pub fn aws_minus_boot(&self, now: Now) -> TimeDelta {
        span_from_millis(self.narrowed(now).map_or_else(|| wall_minus_boot(now), Offset::middle))
    }

    /// How long from now until AWS's time may be `at`, at the earliest: for what should rather be done too soon. Before
    /// anything was heard it is by the best guess, as the interval says nothing then.
    pub fn until_possibly(&self, at: AwsTime, now: Now) -> TimeDelta {
        at - if self.is_known() { self.aws_now(now).latest } else { self.best(now) }
    }

    /// How long from now until AWS's time is `at`, by the best guess; negative when it has passed.
    pub fn until(&self, at: AwsTime, now: Now) -> TimeDelta {
        at - self.best(now)
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

/// The wall clock minus AWS's time for the best guess of the offset, and how far that may be off within what is possible.
fn wall_error_of(possible: Offset, best: i64, now: Now) -> (TimeDelta, TimeDelta) {
    let up = possible.highest.saturating_sub(best);
    let down = best.saturating_sub(possible.lowest);
    (span_from_millis(wall_minus_boot(now).saturating_sub(best)), span_from_millis(up.max(down)))
}

/// What an NTP server said of the offset. Nothing ties the time of its answer to AWS but that both mean UTC.
fn of_ntp(answer: &NtpAnswer) -> Offset {
    let (lowest, highest) = answer.offset();
    Offset { lowest, highest, as_of: answer.sent }
}

fn wall_minus_boot(now: Now) -> i64 {
    now.wall.as_millis().saturating_sub(now.boot.as_millis())
}
