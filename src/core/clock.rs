//! AWS's time, as far as it is known: the offset to the boot-time clock, as an interval.

use chrono::TimeDelta;

use crate::core::time::{AwsTime, BootTime, Now};

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

/// The estimate. It never reads a clock: every method is handed [`Now`].
#[derive(Clone, Debug)]
pub struct Clock {}

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

#[allow(unused_variables, reason = "being written")]
impl Clock {
    /// An estimate from the wall clock alone: ± a day, or ± 10 s (to be reasoned) where the kernel says it is synchronised.
    pub fn new(now: Now, wall_synchronised: bool) -> Self {
        unimplemented!()
    }
    /// Takes up a saved estimate of the same boot, widened by what has passed since.
    pub fn restore(&mut self, saved: SavedClock, now: Now) {
        unimplemented!()
    }
    /// What to save; `None` while nothing authenticated has been heard.
    pub fn save(&self, now: Now) -> Option<SavedClock> {
        unimplemented!()
    }
    /// Takes in what one answer said.
    pub fn observe(&mut self, sample: Sample, now: Now) -> Verdict {
        unimplemented!()
    }
    /// Compares wall clock, boot clock and suspended time with the last reading: true where something jumped and the
    /// estimate became suspect. Called with every event; calling it again changes nothing.
    pub fn notice(&mut self, now: Now) -> bool {
        unimplemented!()
    }
    /// The estimate may be wrong (resume, skew answer): probe before the next signature.
    pub fn suspect(&mut self) {
        unimplemented!()
    }
    /// Whether a look at AWS's time is due before the next signature.
    pub fn is_suspect(&self) -> bool {
        unimplemented!()
    }
    /// Whether anything authenticated was heard in this epoch.
    pub fn is_known(&self) -> bool {
        unimplemented!()
    }
    /// AWS's time now.
    pub fn aws_now(&self, now: Now) -> AwsInterval {
        unimplemented!()
    }
    /// The best single guess of AWS's time now (the middle).
    pub fn best(&self, now: Now) -> AwsTime {
        unimplemented!()
    }
    /// Best guess of AWS's time minus the boot-time clock: what a signer adds.
    pub fn aws_minus_boot(&self, now: Now) -> TimeDelta {
        unimplemented!()
    }
    /// Local wall clock minus AWS time, and half the interval's width.
    pub fn wall_error(&self, now: Now) -> (TimeDelta, TimeDelta) {
        unimplemented!()
    }
    /// Whether `expires` has passed.
    pub fn judge(&self, expires: AwsTime, now: Now) -> Expiry {
        unimplemented!()
    }
}
