//! What is held, credentials or a token, and when it ends.

use chrono::TimeDelta;

use super::api::KeeperSettings;
use super::schedule::{self, Jitter};
use crate::core::clock::{Clock, Expiry};
use crate::core::credential::{Credentials, Grant};
use crate::core::secret::Secret;
use crate::core::time::{AwsTime, BootTime, Now};

/// A parent is good enough to sign with while this is left of it, or a quarter of its life where that is less.
const PARENT_REST: TimeDelta = TimeDelta::minutes(1);
/// AWS's time is known well when it is known to less than this.
const KNOWN_WELL: TimeDelta = TimeDelta::seconds(30);

/// What came within this, or half of its life, is not renewed because of what isn't known of the time.
const JUST_CAME: TimeDelta = TimeDelta::minutes(10);

/// AWS's own tools refresh a token of IAM Identity Center when less than fifteen minutes are left: with twenty they never
/// need to.
const TOKEN_AHEAD: TimeDelta = TimeDelta::minutes(20);

/// What is held, and its schedule.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) grant: Grant,
    pub(super) minted_at: AwsTime,
    /// When it came, on the clock that nobody sets; `None` for a set of an earlier run.
    pub(super) came_at: Option<BootTime>,
    pub(super) jitter: Jitter,
    /// `None`: nobody said when they end, as with the keys that some programs print.
    pub(super) end: Option<End>,
}

/// When credentials end, and when they are renewed.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) expires_at: AwsTime,
    pub(super) renew_at: AwsTime,
}

impl Held {
    /// Sets when they are renewed, by the settings as they are now.
    pub(super) fn reschedule(&mut self, settings: &KeeperSettings) {
        if let Some(end) = &mut self.end {
            let ahead = match self.grant {
                Grant::Keys(_) => settings.before,
                Grant::Token(_) => settings.before.max(TOKEN_AHEAD),
            };
            end.renew_at = schedule::renew_at(self.minted_at, end.expires_at, ahead, settings.jitter, self.jitter);
        }
    }

    /// Moves its life: the end is known better now.
    pub(super) fn shift_end(&mut self, expires_at: AwsTime, settings: &KeeperSettings) {
        let Some(end) = &mut self.end else { return };
        self.minted_at = self.minted_at + (expires_at - end.expires_at);
        end.expires_at = expires_at;
        if let Grant::Keys(credentials) = &mut self.grant {
            credentials.expires_at = Some(expires_at);
        }
        self.reschedule(settings);
    }

    /// The keys, where it is keys.
    pub(super) fn keys(&self) -> Option<&Credentials> {
        match &self.grant {
            Grant::Keys(credentials) => Some(credentials),
            Grant::Token(_) => None,
        }
    }

    /// The token, where it is one.
    pub(super) fn token(&self) -> Option<&Secret> {
        match &self.grant {
            Grant::Keys(_) => None,
            Grant::Token(token) => Some(token),
        }
    }

    /// Whether they have expired; what nobody has said an end of has none.
    pub(super) fn judge(&self, clock: &Clock, now: Now) -> Expiry {
        self.end.map_or(Expiry::Valid, |end| clock.judge(end.expires_at, now))
    }

    /// Why they have to be renewed, if they have to.
    pub(super) fn due(&self, clock: &Clock, now: Now) -> Option<&'static str> {
        let End { expires_at, renew_at } = self.end?;
        match clock.judge(expires_at, now) {
            Expiry::Expired => Some("it has expired"),
            _ if self.new_until(expires_at, clock) > Some(now.boot) => None,
            // Before AWS was heard everything is unknown, and the best guess counts.
            Expiry::Unknown if clock.is_known() => Some("it may have expired"),
            _ if clock.until_possibly(renew_at, now) <= TimeDelta::zero() => Some("renewed before expiry"),
            _ => None,
        }
    }

    /// When to look again whether they are due.
    pub(super) fn due_at(&self, clock: &Clock, now: Now) -> Option<BootTime> {
        let End { expires_at, renew_at } = self.end?;
        let due_at = now.boot + clock.until_possibly(renew_at, now).max(TimeDelta::milliseconds(1));
        Some(self.new_until(expires_at, clock).map_or(due_at, |until| due_at.max(until)))
    }

    /// Until when they are so new that they are not got again, however little is known of the time; nothing where the
    /// machine was paused since, perhaps.
    fn new_until(&self, expires_at: AwsTime, clock: &Clock) -> Option<BootTime> {
        let came_at = self.came_at.filter(|came_at| clock.jumped_at().is_none_or(|jumped_at| *came_at >= jumped_at))?;
        Some(came_at + JUST_CAME.min((expires_at - self.minted_at) / 2))
    }

    /// Whether they can sign a child's call.
    pub(super) fn can_sign(&self, clock: &Clock, now: Now) -> bool {
        let Some(End { expires_at, .. }) = self.end else { return true };
        is_before(expires_at - PARENT_REST.min((expires_at - self.minted_at) / 4), clock, now)
    }

    /// Whether they can sign a child's call if no newer ones will come: until they expire.
    pub(super) fn can_sign_to_the_end(&self, clock: &Clock, now: Now) -> bool {
        self.end.is_none_or(|end| is_before(end.expires_at, clock, now))
    }

    /// Whether they are handed out: what has not expired, and while AWS's time is not known what may not have. Where it is
    /// known, the few seconds that are uncertain at the very end are of no use to a caller.
    pub(super) fn is_servable(&self, clock: &Clock, now: Now) -> bool {
        match self.judge(clock, now) {
            Expiry::Valid => true,
            Expiry::Expired => false,
            Expiry::Unknown => clock.uncertainty(now) > KNOWN_WELL,
        }
    }
}

/// Whether the time has certainly not come; before the first answer of AWS, by the best guess.
fn is_before(at: AwsTime, clock: &Clock, now: Now) -> bool {
    match clock.judge(at, now) {
        Expiry::Valid => true,
        Expiry::Expired => false,
        Expiry::Unknown => !clock.is_known() && clock.until(at, now) > TimeDelta::zero(),
    }
}
