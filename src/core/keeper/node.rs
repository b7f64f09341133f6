//! One credential: what is held, what is under way, what failed last.

use std::sync::Arc;

use chrono::TimeDelta;

use super::api::{RenewalStatus, Ticket, Warning};
use super::failures::Failures;
use super::held::Held;
use super::pace::Pace;
use super::session_state::SessionState;
use crate::core::clock::{Clock, Expiry};
use crate::core::credential::Credentials;
use crate::core::fix::evercred;
use crate::core::plan::{NodeKey, Source, StatedExpiry, StaticKeys, Step};
use crate::core::secret::Secret;
use crate::core::time::{AwsTime, BootTime, Now};

/// A program that ended within this needed nobody: no browser, no button, no password.
const NEEDED_NOBODY: TimeDelta = TimeDelta::seconds(5);
/// Keys without an end are got again when they are asked for, at most this often.
const ENDLESS_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// One credential of one or several profiles.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) step: Arc<Step>,
    pub(super) parent: Option<NodeKey>,
    pub(super) held: Option<Box<Held>>,
    /// Static keys only: AWS was asked who they are, and did not refuse them.
    pub(super) identified: bool,
    /// The account behind it, where AWS has said so.
    pub(super) account_id: Option<String>,
    pub(super) flight: Option<Ticket>,
    pub(super) failures: Failures,
    pub(super) pace: Pace,
    pub(super) last_renewal: Option<Box<RenewalStatus>>,
    /// To be renewed although it is still good.
    pub(super) forced: Option<Forced>,
    /// When the web identity token behind it expires, where it says so.
    pub(super) token_expires_at: Option<AwsTime>,
    /// The program that prints the code of its MFA device, where any of its profiles names one.
    pub(super) code_program: Option<String>,
    /// The MFA code that its next call carries.
    pub(super) code: Option<Secret>,
    /// Sign-in sessions only: what is known of the cache file behind it.
    pub(super) session: Option<Box<SessionState>>,
    /// How many times it was minted.
    pub(super) mints: u64,
    /// How many calls have ended, well or badly.
    pub(super) ended: u64,
    /// The number of failed calls, without those that only led to a renewal of its parent.
    pub(super) failed: u64,
    /// When this credential, as it is configured now, was first seen.
    pub(super) changed_at: BootTime,
    /// Its minted parent was refused and has been renewed for it once.
    pub(super) retried_parent: bool,
}

/// What only a person can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack<'a> {
    /// The code of this MFA device.
    Code(&'a str),
    /// A sign-in.
    SignIn,
}

/// Why a credential is renewed that is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forced {
    /// A person said so.
    Asked,
    /// It came from an earlier form of the plan.
    PlanChanged,
    /// AWS refused what it signed.
    Refused,
    /// Its file says when it ends by a clock that was set since.
    ClockSet,
}

impl Node {
    pub(super) fn new(step: Arc<Step>, parent: Option<NodeKey>, now: BootTime) -> Self {
        Self {
            session: step.source.session().map(SessionState::new).map(Box::new),
            step,
            parent,
            held: None,
            identified: false,
            account_id: None,
            flight: None,
            failures: Failures::default(),
            pace: Pace::default(),
            last_renewal: None,
            forced: None,
            token_expires_at: None,
            code_program: None,
            code: None,
            mints: 0,
            ended: 0,
            failed: 0,
            changed_at: now,
            retried_parent: false,
        }
    }

    /// Why it has to be minted now, if it has to.
    pub(super) fn due(&self, clock: &Clock, now: Now) -> Option<&'static str> {
        if let Source::Static(_) = self.step.source {
            return (!self.identified).then_some("first use of the key");
        }
        let Some(held) = &self.held else { return Some("first request") };
        match self.forced {
            Some(Forced::Asked) => return Some("requested by the user"),
            Some(Forced::PlanChanged) => return Some("the profile changed"),
            Some(Forced::Refused) => return Some("AWS refused what it signed"),
            Some(Forced::ClockSet) => return Some("the local clock was set"),
            None => {}
        }
        held.due(clock, now)
    }

    /// Whether it can sign a child's call.
    pub(super) fn can_sign(&self, clock: &Clock, now: Now) -> bool {
        match (&self.step.source, &self.held) {
            (Source::Static(_), _) => self.identified,
            (_, Some(held)) => {
                let stays = self.session.as_ref().is_some_and(|session| session.cannot_renew());
                let is_good = held.can_sign(clock, now) || (stays && held.can_sign_to_the_end(clock, now));
                self.forced.is_none_or(|forced| forced == Forced::ClockSet) && is_good
            }
            _ => false,
        }
    }

    /// Whether it can sign a child's call although it should be renewed first, and can't be.
    pub(super) fn can_still_sign(&self, clock: &Clock, now: Now) -> bool {
        self.forced != Some(Forced::Refused)
            && self.held.as_ref().is_some_and(|held| held.can_sign_to_the_end(clock, now))
    }

    /// What is handed out.
    pub(super) fn servable(&self, clock: &Clock, now: Now) -> Option<&Credentials> {
        self.held.as_ref().filter(|held| held.is_servable(clock, now))?.keys()
    }

    /// What only a person can give, without which its call can't be made.
    pub(super) fn lacks(&self, clock: &Clock, now: Now) -> Option<Lack<'_>> {
        if let Some(session) = &self.session {
            let is_needed = !self.can_sign(clock, now);
            return (is_needed && !session.is_unread() && !self.can_refresh(clock, now)).then_some(Lack::SignIn);
        }
        let device = self.step.source.device()?;
        (self.code.is_none() && self.code_program.is_none()).then_some(Lack::Code(device))
    }

    /// Whether its call can be made by itself, as far as this node goes.
    pub(super) fn is_able(&self, clock: &Clock, now: Now) -> bool {
        match &self.session {
            Some(session) => !session.is_unread() && self.can_refresh(clock, now),
            None => self.lacks(clock, now).is_none(),
        }
    }

    /// Whether the session's token can be refreshed: there is something to refresh it with, that was not refused.
    pub(super) fn can_refresh(&self, clock: &Clock, now: Now) -> bool {
        let over = self.failures.needs_login();
        let is_needed = !self.can_sign(clock, now);
        let spares = self.session.as_ref().is_some_and(|session| session.spares(is_needed));
        !over && !spares && self.session.as_ref().is_some_and(|session| session.can_refresh(clock, now))
    }

    /// What will go wrong with the next renewal if nobody does anything.
    pub(super) fn warning(&self, clock: &Clock, now: Now) -> Option<Warning> {
        let end = self.held.as_ref()?.end?;
        let profile = &self.step.profile;
        if let (Source::WebIdentity(role), Some(expires_at)) = (&self.step.source, self.token_expires_at) {
            let message = format!(
                "the token in {} expires at {expires_at}, before the credentials of profile \"{profile}\" are renewed: without \
                 a new one they end at {}",
                role.token_file, end.expires_at
            );
            return (expires_at < end.renew_at).then_some(Warning {
                id: "token-expires",
                message,
                fix: None,
                file: None,
            });
        }
        let device = self.step.source.device().filter(|_| self.code_program.is_none())?;
        self.due(clock, now)?;
        let message = format!(
            "the credentials of profile \"{profile}\" with a code of the MFA device {device} end at {}",
            end.expires_at
        );
        Some(Warning { id: "mfa-session-ends", message, fix: Some(evercred("login", profile)), file: None })
    }

    /// Whether it may be minted without anybody asking. A program may open a browser or wait for a button: it is run
    /// ahead only where its last run went well and needed nobody.
    pub(super) fn runs_ahead(&self) -> bool {
        match self.step.source {
            Source::Process { .. } => {
                self.last_renewal.as_ref().is_some_and(|last| last.ok && last.took <= NEEDED_NOBODY)
            }
            _ => true,
        }
    }

    /// Whether it is to be got again for whoever asks: keys that a program printed without an end, a while ago.
    pub(super) fn is_endless_and_old(&self, clock: &Clock, now: Now) -> bool {
        self.held.as_ref().is_some_and(|held| held.end.is_none() && clock.best(now) - held.minted_at >= ENDLESS_AGAIN)
    }

    /// The credentials that sign a child's call.
    pub(super) fn signer(&self) -> Option<Credentials> {
        match (&self.step.source, &self.held) {
            (Source::Static(keys), _) => Some(static_credentials(keys)),
            (_, held) => held.as_deref().and_then(Held::keys).cloned(),
        }
    }
}

/// The set behind keys that stand in a file. Where two readings of its expiry are possible, the later one.
pub(super) fn static_credentials(keys: &StaticKeys) -> Credentials {
    Credentials {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
        expires_at: match keys.expires {
            StatedExpiry::Unstated => None,
            StatedExpiry::At(at) => Some(at),
            StatedExpiry::Either { later, .. } => Some(later),
        },
        account_id: None,
    }
}

/// Whether keys that stand in a file end by what stands beside them.
pub(super) fn has_expiry(keys: &StaticKeys) -> bool {
    keys.session_token.is_some() && keys.expires != StatedExpiry::Unstated
}

/// Whether keys that stand in a file have expired: certainly, and by every reading of what was written.
pub(super) fn static_expired(keys: &StaticKeys, clock: &Clock, now: Now) -> Option<AwsTime> {
    let at = static_credentials(keys).expires_at.filter(|_| keys.session_token.is_some())?;
    (clock.judge(at, now) == Expiry::Expired).then_some(at)
}

/// Why a daemon can't mint what a step asks for.
pub(super) fn unsupported(source: &Source) -> Option<&'static str> {
    matches!(source, Source::Environment).then_some("credential_source = Environment")
}
