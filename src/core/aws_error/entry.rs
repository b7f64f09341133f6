//! One row of the table of error codes.

use serde::{Deserialize, Serialize};

use crate::core::cause::{Cause, Likelihood};

/// AWS's error code for temporary credentials that have expired.
pub const EXPIRED_TOKEN: &str = "ExpiredToken";
/// evercred's error code for a call without an answer in time.
pub const TIMEOUT: &str = "Timeout";
/// evercred's error code for a certificate that is not valid at this machine's time.
pub const TLS_CLOCK: &str = "TlsClock";
/// evercred's error code for an answer that is not AWS's.
pub const INVALID_RESPONSE: &str = "InvalidResponse";
/// evercred's error code for a `credential_process` whose program was not found.
pub const PROCESS_NOT_FOUND: &str = "ProcessNotFound";
/// evercred's error code for a program that returned no credentials.
pub const PROCESS_FAILED: &str = "ProcessFailed";
/// evercred's error code for a web identity token that can't be read.
pub const TOKEN_FILE: &str = "TokenFile";
/// evercred's error code for an MFA code that was sent before.
pub const CODE_USED: &str = "CodeUsed";
/// evercred's error code for a machine without a container role or instance role.
pub const METADATA_UNAVAILABLE: &str = "MetadataUnavailable";
/// evercred's error code for credentials that a daemon can't get.
pub const NOT_SUPPORTED: &str = "NotSupported";
/// evercred's error code for a cache of the AWS tools that can't be used.
pub const CACHE_FAILED: &str = "CacheFailed";
/// evercred's error code for a cache file that is not one of its session.
pub const SSO_CACHE_UNUSABLE: &str = "SsoCacheUnusable";
/// evercred's error code for a session of IAM Identity Center that has expired.
pub const SSO_SESSION_EXPIRED: &str = "SsoSessionExpired";

/// The effect of a failure on the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The next attempt may succeed without a change: network, throttling, 5xx, clock skew.
    Retryable,
    /// The user has to sign in or enter an MFA code first.
    NeedsLogin,
    /// A retry does not help: a denied request, a wrong key, a role that does not exist.
    Permanent,
}

/// One error code.
#[derive(Debug)]
pub struct Entry {
    /// AWS's code, or one of evercred's own.
    pub code: &'static str,
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// The judgement on the credentials that signed the request.
    pub of_signer: OfSigner,
    /// The source of the code.
    pub origin: Origin,
    /// The meaning, as a sentence.
    pub meaning: &'static str,
    /// The fix, as a sentence.
    pub fix: &'static str,
    /// The usual causes.
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

/// The usual causes of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causes {
    /// These causes, the most often reported one first.
    Usual(&'static [(Cause, Likelihood)]),
    /// The error is about credentials or settings, but no cause in the table is usual. The text says why.
    Unlisted(&'static str),
    /// The error is not about credentials, but for example about throttling or a failure of the service.
    Unrelated,
}

/// The judgement of a code on the credentials that signed the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfSigner {
    /// The code is about something else.
    Nothing,
    /// AWS does not know the key, or not with this token. In a region that is not enabled, and for a token of version 1 in an
    /// enabled one, STS says InvalidClientTokenId and EC2 AuthFailure: so reported by people who used aws-vault, saml2aws,
    /// CloudMapper and the SDKs for Java and Ruby.
    Unknown,
    /// They have expired.
    Expired,
    /// The signature does not match: the secret access key belongs to another access key id.
    WrongSecret,
    /// The signature can't be read: the key has invalid characters.
    Malformed,
    /// They are refused for another reason.
    Refused,
    /// AWS knows them, and denies the request.
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

    /// Whether AWS refused the signing credentials, not only the request.
    pub fn refuses_signer(&self) -> bool {
        !matches!(self.of_signer, OfSigner::Nothing | OfSigner::Denied)
    }

    /// How likely a cause is; `None` if it is not a usual one.
    pub fn likelihood(&self, cause: Cause) -> Option<Likelihood> {
        self.usual_causes().iter().find(|(usual, _)| *usual == cause).map(|(_, likelihood)| *likelihood)
    }
}
