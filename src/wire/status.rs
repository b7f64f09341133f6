//! The document of `status --json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::aws_error::ErrorClass;
use crate::core::keeper::State;

/// The document of `status --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// `evercred.status/1`.
    pub schema: String,
    /// The AWS time of this document, by the best estimate.
    #[serde(default)]
    pub now: Option<String>,
    /// The daemon.
    pub daemon: DaemonStatus,
    /// This machine's clock.
    pub clock: ClockStatus,
    /// The profiles, by name.
    pub profiles: Vec<ProfileEntry>,
    /// The SSO sessions.
    #[serde(default)]
    pub sso_sessions: Vec<SessionEntry>,
    /// The sessions with MFA.
    #[serde(default)]
    pub mfa_sessions: Vec<MfaEntry>,
    /// The problems that the user should know.
    pub problems: Vec<ProblemEntry>,
    /// The end of this page, if more follow; the next request sends it as `after`. The joined document has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
}

/// A position in the lists of the status document, in the order in which the pages have them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// After the profile of this name.
    Profiles(String),
    /// Before the SSO session of this index.
    SsoSessions(usize),
    /// Before the MFA session of this index.
    MfaSessions(usize),
    /// Before the problem of this index.
    Problems(usize),
}

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, in AWS time.
    pub started_at: String,
    /// The program file that it was started from.
    #[serde(default)]
    pub program: Option<ProgramStatus>,
    /// Its values of the variables that are copied from a shell, for display.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// The file that the daemon was started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// Its path, as it was called.
    pub path: String,
    /// Its identity, to detect a replaced file (see `platform::program::identity`).
    pub identity: String,
    /// The command that restarts the daemon.
    pub restart: String,
}

/// This machine's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// `ok`, `notice`, `warning`, `critical` or `unknown`.
    pub state: String,
    /// Local minus AWS time.
    pub offset_seconds: Option<f64>,
    /// The uncertainty of the offset.
    pub uncertainty_seconds: Option<f64>,
    /// The source of the offset.
    pub source: Option<String>,
    /// The AWS time of the measurement.
    pub measured_at: Option<String>,
    /// Not predicted in this version.
    pub crosses_limit_in_seconds: Option<i64>,
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Its name.
    pub name: String,
    /// The kind of its credentials.
    pub kind: String,
    /// Whether it is renewed automatically.
    pub auto_renew: bool,
    /// Its state.
    pub state: State,
    /// Whether a request now gets credentials without the user.
    pub usable: bool,
    /// The account, where it is known.
    pub account_id: Option<String>,
    /// Its name, where it is known.
    pub account_name: Option<String>,
    /// The role's name, where it is a role and known.
    pub role: Option<String>,
    /// The profile's region.
    pub region: Option<String>,
    /// The SSO session that it depends on.
    pub sso_session: Option<String>,
    /// Whether the cached credentials are valid.
    pub valid: Option<bool>,
    /// Its expiry.
    pub expires_at: Option<String>,
    /// The remaining lifetime.
    pub remaining_seconds: Option<i64>,
    /// When it is renewed.
    pub renew_at: Option<String>,
    /// The last renewal.
    pub last_renewal: Option<RenewalEntry>,
    /// The last error, until a success.
    pub last_error: Option<ErrorEntry>,
    /// How programs get its credentials.
    pub deliveries: Vec<String>,
}

/// One sign-in session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// The `sso-session` section's name, the start URL in the legacy form, or who signed in with `aws login`.
    pub name: String,
    /// The argument of `evercred login` for it: the name of the section or of a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_name: Option<String>,
    /// `sso` or `login`.
    pub kind: String,
    /// Its state.
    pub state: State,
    /// When its token expires; it is refreshed before.
    pub expires_at: Option<String>,
    /// When the user will have to sign in again, if known.
    pub ends_at: Option<String>,
    /// The number of profiles that depend on it.
    pub profiles: usize,
    /// The problem, until it is solved.
    pub last_error: Option<ErrorEntry>,
}

/// A session with MFA that roles share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaEntry {
    /// The device.
    pub device: String,
    /// The profile with the key of the session.
    pub profile: String,
    /// When it expires.
    pub expires_at: Option<String>,
    /// The number of profiles that depend on it.
    pub profiles: usize,
}

/// The last renewal of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalEntry {
    /// When it ended, in AWS time.
    pub at: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// How long it took.
    pub took_ms: i64,
    /// The reason for its time.
    pub reason: String,
}

/// The last error of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// When it came, in AWS time.
    pub at: String,
    /// The name of the operation that failed (`AssumeRole`); absent if nothing was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The words of AWS or of the program that failed; absent if nothing was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// AWS's code, or ours.
    pub code: String,
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// A sentence.
    pub message: String,
    /// The fix.
    pub fix: Option<String>,
}

/// A problem that the user should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemEntry {
    /// Its id.
    pub id: String,
    /// A sentence.
    pub message: String,
    /// The file.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// The fix.
    pub fix: Option<String>,
}
