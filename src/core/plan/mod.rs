//! From what the files say to what has to be done: pure, to the letter of the SDKs' shared specification.

mod chain;
mod context;
mod document;
mod helper_line;
mod look;
mod profile_loop;
mod resolve;
pub mod session_length;
mod step;
mod walk;
mod walk_up;

pub use chain::{Chain, Link, Steps};
pub use context::PlanContext;
pub use document::{kind, plan_document, stated_kind, step_type};
pub use helper_line::{helper_profile, program_of};
pub(crate) use look::CREDENTIAL_SOURCES;
pub use resolve::{MissingSections, missing_profile, resolve, resolve_all, resolve_sso_sessions};
pub use step::{
    AssumeRole, CaBundle, Endpoint, NodeKey, Plan, RenewAs, Service, SessionToken, Source, SsoRole, StatedExpiry,
    StaticKeys, Step, WebIdentity,
};

use crate::core::profile::Origin;

/// Why a profile has no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// What kind of error it is.
    pub code: PlanErrorCode,
    /// A sentence: what is wrong, which setting, what to do.
    pub message: String,
    /// Where it is wrong.
    pub origin: Option<Origin>,
    /// The command that fixes it; without one the user corrects the line.
    pub fix: Option<String>,
    /// What kind of credentials the profile's settings point to, as far as they say.
    pub kind: Option<&'static str>,
}

/// The kinds of plan errors; the names are those of `plan --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanErrorCode {
    /// No section of that name is in the files.
    MissingProfile,
    /// The chain of source profiles never ends.
    ProfileLoop,
    /// A role without a source for its credentials, or a source that is in no file.
    MissingSource,
    /// Half of a key pair.
    IncompleteStatic,
    /// Settings that exclude each other.
    ConflictingSource,
    /// A `credential_source` that no SDK knows.
    UnknownSource,
    /// Nothing in the profile says how to get credentials.
    NoCredentials,
    /// A file, or a line of it, can't be read; the requested profile may be in it.
    UnreadableFile,
}
