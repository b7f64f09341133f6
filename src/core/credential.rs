//! One set of AWS credentials, as it is held and handed out.

use crate::core::secret::Secret;
use crate::core::time::AwsTime;

/// A set of keys that signs requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…` for a long-term key, `ASIA…` for a temporary one. Not a secret: AWS itself writes it into logs.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token; temporary credentials don't work without theirs.
    pub session_token: Option<Secret>,
    /// When AWS will refuse them, by AWS's clock; `None` where they do not expire or nobody said when.
    pub expires_at: Option<AwsTime>,
    /// The twelve digits of the account, where known.
    pub account_id: Option<String>,
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Keys that sign requests: what is handed out.
    Keys(Credentials),
    /// A token that asks for keys.
    Token(Secret),
}
