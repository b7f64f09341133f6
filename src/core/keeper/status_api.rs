//! The status of profiles, as the keeper returns it.

use std::borrow::Cow;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::core::aws_error::ErrorClass;
use crate::core::time::{AwsTime, BootTime};

/// How one profile stands: everything that `status` shows of it.
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
    /// Whether the credentials held are valid; `None` where AWS's time is not known well enough, or nothing is held.
    pub valid: Option<bool>,
    /// Their expiry.
    pub expires_at: Option<AwsTime>,
    /// What is left of their life, by the best estimate; never negative.
    pub remaining: Option<TimeDelta>,
    /// When the next renewal is due, by the best estimate.
    pub renew_at: Option<AwsTime>,
    /// The last renewal that ended.
    pub last_renewal: Option<RenewalStatus>,
    /// The last error, until a success.
    pub last_error: Option<ErrorStatus>,
    /// What will go wrong if nobody does anything.
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

/// What will go wrong if nobody does anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The problem's id in the status.
    pub id: &'static str,
    /// A sentence.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

/// The state of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Valid, with nothing to do until `renew_at`.
    Fresh,
    /// A call is under way.
    Renewing,
    /// The last call failed and another will be made by itself, soon.
    Retrying,
    /// A person must do something first.
    NeedsLogin,
    /// The last call failed and eager retries would not help.
    Failed,
    /// Nothing is cached; the next request fetches it.
    Ready,
    /// Keys in a file, which are never renewed.
    Static,
}

/// How the last renewal went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalStatus {
    /// AWS's time (best estimate) when it ended.
    pub at: AwsTime,
    /// Whether it succeeded.
    pub ok: bool,
    /// How long the call took.
    pub took: TimeDelta,
    /// Why it was made when it was made.
    pub reason: String,
}

/// The last error of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorStatus {
    /// AWS's time (best estimate) when it came.
    pub at: AwsTime,
    /// The name of the operation that failed; `None` if nothing was called.
    pub operation: Option<Cow<'static, str>>,
    /// The words of AWS or of the program that failed; `None` if nothing was called.
    pub detail: Option<String>,
    /// AWS's code, or ours.
    pub code: String,
    /// What kind of failure it is.
    pub class: ErrorClass,
    /// A sentence.
    pub message: String,
    /// What to do.
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
