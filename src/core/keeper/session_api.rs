//! What the keeper is told and says about sign-in sessions: values, one sentence each.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::api::{ErrorStatus, State, Ticket, Warning};
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheProblem, CachedToken, Session, SsoSession};
use crate::core::time::{AwsTime, WallTime, span_from_millis};

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// In a browser on this machine, that comes back to us.
    Browser,
    /// In any browser: the user types a code there, or for `aws login` pastes the code that the page shows.
    DeviceCode,
}

/// What a person must do to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The page to open.
    pub url: String,
    /// The code to type there, where the page does not have it yet.
    pub user_code: Option<String>,
    /// The page with the code in it already.
    pub url_with_code: Option<String>,
    /// For how long the page waits.
    pub expires_in: TimeDelta,
    /// Whether the page shows a code that the user has to paste here.
    pub pastes_code: bool,
    /// What may keep the sign-in from ending.
    pub warning: Option<String>,
}

/// How a refresh of a session ended, well.
#[derive(Debug)]
pub enum SessionEnd {
    /// It has a new token.
    Renewed {
        /// The token.
        token: CachedToken,
        /// Why it could not be written into the cache: it must not be lost.
        unsaved: Option<String>,
    },
    /// Somebody else had refreshed it, or signed in.
    Found(CachedToken),
    /// Somebody has signed out.
    SignedOut,
    /// The file can't be replaced: no request was sent to AWS.
    Unwritable(Box<CacheProblem>),
}

/// An account in which the person who is signed in has roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The names of the roles.
    pub roles: Vec<String>,
}

/// One refresh of a session's token.
#[derive(Debug)]
pub struct RefreshOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// Which session.
    pub session: Session,
    /// The token that is to be refreshed, as it was last seen.
    pub known: CachedToken,
    /// The one before it: a file that shows that one is older than what is known.
    pub superseded: Option<CachedToken>,
    /// It is not to be refreshed but written into the file, where it could not be written before.
    pub save: bool,
    /// The cached token can't be used any more.
    pub is_needed: bool,
    /// AWS's time minus the boot-time clock, the best estimate: for proofs.
    pub aws_minus_boot: TimeDelta,
}

/// One sign-in.
#[derive(Debug)]
pub struct SignInOrder {
    /// Comes back with what has to be done, and with the outcome.
    pub ticket: Ticket,
    /// To which session.
    pub session: Session,
    /// How.
    pub flow: Flow,
    /// AWS's time minus the boot-time clock, the best estimate: for proofs.
    pub aws_minus_boot: TimeDelta,
}

/// One sign-out.
#[derive(Debug)]
pub struct SignOutOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// From which session.
    pub session: Session,
    /// Its token, if there is one.
    pub token: Option<CachedToken>,
}

/// The result of a sign-out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOutEnd {
    /// Why AWS could not be told to end the session.
    pub not_told: Option<String>,
    /// Why the cache file could not be removed.
    pub not_removed: Option<String>,
    /// The command after which the cache file can be removed or replaced.
    pub fix: Option<String>,
    /// The token in the file that could not be removed. If the file can't be read, the last token that was read.
    pub left: Option<CachedToken>,
    /// `expiresAt` of the token: until then a copy of it works. `None` if AWS has ended it, or it has expired.
    pub works_until: Option<WallTime>,
}

/// One look at the roles of a person.
#[derive(Debug)]
pub struct RolesOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// In which session.
    pub session: SsoSession,
    /// Its token.
    pub token: Secret,
}

/// What is remembered of a sign-in session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMemory {
    /// When the person last signed in, where we saw it.
    #[serde(default)]
    pub signed_in_at: Option<AwsTime>,
    /// How long the last session lasted that evercred saw from its beginning to its end, in milliseconds.
    #[serde(default)]
    pub length_ms: Option<i64>,
    /// The same for the session before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_before_ms: Option<i64>,
    /// [`CachedToken::digest`] of a token that a sign-out could not remove from its cache file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_out: Option<String>,
}

/// AWS has no shorter session: whatever ended earlier was revoked.
pub const SHORTEST_SESSION_MS: i64 = 15 * 60_000;

impl SessionMemory {
    /// When the session ends, estimated from two sessions before it. The longer one counts, because AWS can end a session early.
    pub fn estimated_end(&self) -> Option<AwsTime> {
        let length = self.length_ms?.max(self.length_before_ms?);
        Some(self.signed_in_at? + span_from_millis(length))
    }

    /// Removes lengths that no session has.
    pub fn forget_short_lengths(&mut self) {
        for length in [&mut self.length_ms, &mut self.length_before_ms] {
            *length = length.filter(|length| *length >= SHORTEST_SESSION_MS);
        }
    }
}

/// The newest token of a session, which is in no cache file yet and has to survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsavedToken {
    /// The session's cache file.
    pub file: CacheFile,
    /// The text of the cache file with the token.
    pub token: Secret,
    /// The text with the token before it, which the cache file showed when the newest came; `None` where there was no file.
    pub superseded: Option<Secret>,
}

/// How a sign-in session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// The section's name, the start URL in the legacy form, or who signed in with `aws login`.
    pub name: String,
    /// The argument of `evercred login` for it: the name of the section or of a profile.
    pub login_name: String,
    /// `sso` or `login`.
    pub kind: &'static str,
    /// The state.
    pub state: State,
    /// When the token expires.
    pub expires_at: Option<AwsTime>,
    /// When a person will have to sign in again, where that is known, or was learned.
    pub ends_at: Option<AwsTime>,
    /// How many profiles stand behind it.
    pub profiles: usize,
    /// What is wrong, where something is.
    pub error: Option<ErrorStatus>,
    /// What will go wrong if nobody does anything.
    pub warning: Option<Warning>,
    /// Why its cache file can't be replaced, or can't be read.
    pub cache: Option<Warning>,
}
