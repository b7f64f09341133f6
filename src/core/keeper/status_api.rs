//! The status of profiles, as the keeper returns it.

use std::borrow::Cow;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::core::aws_error::ErrorClass;
use crate::core::session::CacheFile;
use crate::core::time::{AwsTime, BootTime};

/// The status of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileStatus {
    /// The profile.
    pub name: String,
    /// `assume-role`, `static` …: the kind of the last step, or of the settings where there is no plan.
    pub kind: &'static str,
    /// Whether it is renewed automatically.
    pub auto_renew: bool,
    /// The state.
    pub state: State,
    /// Whether a request now gets credentials without the user.
    pub usable: bool,
    /// The account, if known from the files or AWS.
    pub account_id: Option<String>,
    /// The name of the role, if it is a role.
    pub role: Option<String>,
    /// The profile's region.
    pub region: Option<String>,
    /// The name of the SSO session that it depends on.
    pub sso_session: Option<String>,
    /// Whether the cached credentials are valid; `None` if AWS time is not known well enough, or none are cached.
    pub valid: Option<bool>,
    /// Their expiry.
    pub expires_at: Option<AwsTime>,
    /// Their remaining lifetime, by the best estimate; never negative.
    pub remaining: Option<TimeDelta>,
    /// When the next renewal is due, by the best estimate.
    pub renew_at: Option<AwsTime>,
    /// The last completed renewal.
    pub last_renewal: Option<RenewalStatus>,
    /// The last error, until a success.
    pub last_error: Option<ErrorStatus>,
    /// The warnings about future failures that need the user.
    pub warning: Option<Warning>,
}

/// A session with MFA that roles share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaStatus {
    /// The MFA device.
    pub device: String,
    /// The profile with the key of the session.
    pub profile: String,
    /// When it expires.
    pub expires_at: Option<AwsTime>,
    /// How many profiles depend on it.
    pub profiles: usize,
}

/// The warnings about future failures that need the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The problem's id in the status.
    pub id: &'static str,
    /// A sentence.
    pub message: String,
    /// The fix.
    pub fix: Option<String>,
    /// The cache file, if the warning is about one.
    pub file: Option<CacheFile>,
}

/// The state of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Valid, with nothing to do until `renew_at`.
    Fresh,
    /// A call is in progress.
    Renewing,
    /// The last call failed, and evercred retries soon.
    Retrying,
    /// The user must act first.
    NeedsLogin,
    /// The last call failed and eager retries would not help.
    Failed,
    /// Nothing is cached; the next request fetches it.
    Ready,
    /// Keys in a file, which are never renewed.
    Static,
}

/// The last renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalStatus {
    /// Its end in AWS time (best estimate).
    pub at: AwsTime,
    /// Whether it succeeded.
    pub ok: bool,
    /// The duration of the call.
    pub took: TimeDelta,
    /// The reason for its time.
    pub reason: String,
}

/// The last error of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorStatus {
    /// Its AWS time (best estimate).
    pub at: AwsTime,
    /// The name of the operation that failed; `None` if nothing was called.
    pub operation: Option<Cow<'static, str>>,
    /// The words of AWS or of the program that failed; `None` if nothing was called.
    pub detail: Option<String>,
    /// AWS's code, or ours.
    pub code: String,
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// A sentence.
    pub message: String,
    /// The fix.
    pub fix: Option<String>,
    /// The time of the next attempt (boot time), if one is planned.
    pub next_try: Option<BootTime>,
}

impl ErrorStatus {
    /// An error without a call.
    pub fn new(code: impl Into<String>, class: ErrorClass, message: String, at: AwsTime) -> Self {
        Self { at, operation: None, detail: None, code: code.into(), class, message, fix: None, next_try: None }
    }

    /// Adds the fix.
    #[must_use]
    pub fn fix(self, fix: String) -> Self {
        Self { fix: Some(fix), ..self }
    }
}
