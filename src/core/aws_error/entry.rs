//! One row of the table of error codes.

use serde::{Deserialize, Serialize};

use crate::core::cause::{Cause, Likelihood};

/// Our code for a `credential_process` whose program is nowhere on the daemon's PATH.
pub const PROCESS_NOT_FOUND: &str = "ProcessNotFound";
/// evercred's error code for a program that returned no credentials.
pub const PROCESS_FAILED: &str = "ProcessFailed";

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The next try may succeed by itself: network, throttling, 5xx, a clock that is being corrected.
    Retryable,
    /// A person must do something first: log in, type a code.
    NeedsLogin,
    /// Trying again soon would not help: a refusal, a wrong key, no such role.
    Permanent,
}

/// One error code.
#[derive(Debug)]
pub struct Entry {
    /// AWS's code, or ours.
    pub code: &'static str,
    /// What it means for the next try.
    pub class: ErrorClass,
    /// What it says of the credentials that signed the request.
    pub of_signer: OfSigner,
    /// The source of the code.
    pub origin: Origin,
    /// What it means, as a sentence.
    pub meaning: &'static str,
    /// What to do, as a sentence.
    pub fix: &'static str,
    /// What usually causes it.
    pub causes: Causes,
}

/// The source of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// AWS alone.
    Aws,
    /// AWS, and other services and programs.
    Shared,
    /// evercred, for a request that AWS did not answer.
    Unanswered,
    /// evercred, for an error of another program, an SDK or a file.
    Local,
}

/// What usually causes an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causes {
    /// These causes, the most often reported one first.
    Usual(&'static [(Cause, Likelihood)]),
    /// The error is about credentials or settings, but no cause in the table is usual. The text says why.
    Unlisted(&'static str),
    /// The error is not about credentials, but for example about throttling or a failure of the service.
    Unrelated,
}

/// What a code says of the credentials that signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfSigner {
    /// Nothing: it is about something else.
    Nothing,
    /// AWS does not know the key, or not with this token. In a region that is not enabled, and for a token of version 1 in an
    /// enabled one, STS says InvalidClientTokenId and EC2 AuthFailure: so reported by people who used aws-vault, saml2aws,
    /// CloudMapper and the SDKs for Java and Ruby.
    Unknown,
    /// They are refused for another reason: a signature that does not match, their age, their form.
    Refused,
    /// They are known, and may not do what was asked.
    Denied,
}

impl Entry {
    /// The usual causes, the most often reported one first.
    pub fn usual_causes(&self) -> &'static [(Cause, Likelihood)] {
        match self.causes {
            Causes::Usual(causes) => causes,
            Causes::Unlisted(_) | Causes::Unrelated => &[],
        }
    }

    /// Whether AWS sends the code for errors about credentials.
    pub fn is_about_credentials(&self) -> bool {
        matches!(self.origin, Origin::Aws | Origin::Shared) && self.causes != Causes::Unrelated
    }

    /// Whether it is the signing credentials that were refused, rather than what was asked for.
    pub fn refuses_signer(&self) -> bool {
        matches!(self.of_signer, OfSigner::Unknown | OfSigner::Refused)
    }
}
