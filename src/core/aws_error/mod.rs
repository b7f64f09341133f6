//! Errors of AWS: one table of codes with class, meaning, fix and usual causes, read by keeper, status, doctor and explain.

mod code_causes;
mod entry;
mod local;
mod operation;
mod table;

use std::fmt;

use chrono::TimeDelta;

use super::access_denied::{self, Because, Rejected};
use super::cause::Cause;
use super::printable::printable;
use super::redact::without_secrets;

pub use entry::{
    CACHE_FAILED, CODE_USED, Causes, EXPIRED_TOKEN, Entry, ErrorClass, INVALID_RESPONSE, METADATA_UNAVAILABLE,
    NOT_SUPPORTED, OfSigner, Origin, PROCESS_FAILED, PROCESS_NOT_FOUND, SSO_CACHE_UNUSABLE, SSO_SESSION_EXPIRED,
    TIMEOUT, TLS_CLOCK, TOKEN_FILE,
};
pub use operation::{CalledService, Operation};

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// The failed operation.
    pub operation: Box<Operation>,
    /// AWS's error code, or one of evercred's own (`Timeout`, `Network`, `Tls`, `InvalidResponse`, …).
    pub code: String,
    /// The words of AWS or of the failed program; without them, the meaning of the code.
    pub words: String,
    /// What the user can do.
    pub remedy: Option<Remedy>,
    /// The delay that the server demands before the next request (`Retry-After`).
    pub retry_after: Option<TimeDelta>,
    /// The answer says that the request's time was off, or its own times contradict each other: AWS's time is in doubt.
    pub skewed: bool,
}

/// What the user can do after a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A command that corrects the cause.
    Fix(String),
    /// Advice, as the end of a sentence.
    Advice(String),
}

impl Remedy {
    /// The command, or the advice.
    pub fn into_text(self) -> String {
        match self {
            Self::Fix(text) | Self::Advice(text) => text,
        }
    }
}

/// The judgement of a code on the credentials that signed the request.
pub fn of_signer(code: &str) -> OfSigner {
    lookup(code).map_or(OfSigner::Nothing, |entry| entry.of_signer)
}

/// Whether a code says that AWS does not know the key.
pub fn is_unknown_key(code: &str) -> bool {
    of_signer(code) == OfSigner::Unknown
}

/// Whether IAM sends the code only to a signer that it has accepted.
pub fn iam_accepts_signer(code: &str) -> bool {
    matches!(code, "AccessDenied" | "ValidationError" | "NoSuchEntity")
}

/// Whether another region may answer otherwise: this one is not enabled, or does not know a value.
pub fn is_of_region(code: &str) -> bool {
    matches!(code, "RegionDisabledException" | "OptInRequired" | "ValidationError")
}

/// Every entry.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    table::TABLE.iter().chain(local::TABLE)
}

/// The entry of a code.
pub fn lookup(code: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.code == code)
}

/// The fault of an operation, from its error.
pub fn fault(operation: impl Into<Operation>, status: Option<u16>, code: Option<&str>, message: Option<&str>) -> Fault {
    // A server, a proxy or a program may repeat secrets that it received.
    let message = message.map(|message| printable(&without_secrets(message))).filter(|message| !message.is_empty());
    let code = code.filter(|code| is_code(code)).unwrap_or(INVALID_RESPONSE);
    let skewed = is_skew(code, message.as_deref());
    let entry = lookup(code);
    let wrong_code =
        message.as_deref().is_some_and(|message| access_denied::read(message).because == Because::WrongCode);
    let class = match (skewed, wrong_code) {
        (true, _) => ErrorClass::Retryable,
        (false, true) => ErrorClass::NeedsLogin,
        (false, false) => class(status, entry),
    };
    let advice = if wrong_code {
        Some("enter the next code that the device shows: each code works once".to_owned())
    } else if skewed {
        Some("the next request is signed with AWS's own time; nothing needs to be done".to_owned())
    } else {
        entry.map(|entry| entry.fix.to_owned())
    };
    let words = match (message, entry) {
        (Some(message), _) => message,
        (None, Some(entry)) => entry.meaning.to_owned(),
        (None, None) => status.map_or_else(|| "no message".to_owned(), |status| format!("HTTP status {status}")),
    };
    let (operation, code) = (Box::new(operation.into()), code.to_owned());
    Fault { class, operation, code, words, remedy: advice.map(Remedy::Advice), retry_after: None, skewed }
}

impl fmt::Display for Fault {
    /// One sentence with the operation, the code and AWS's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, code, words, .. } = self;
        write!(f, "{operation} failed: {code}: {words}")
    }
}

impl Fault {
    /// The sentence with the advice.
    pub fn with_advice(&self) -> String {
        match &self.remedy {
            // AWS's words may end with a period.
            Some(Remedy::Advice(advice)) => format!("{}; {advice}", self.to_string().trim_end_matches('.')),
            Some(Remedy::Fix(_)) | None => self.to_string(),
        }
    }

    /// The command that corrects the cause.
    pub fn fix(&self) -> Option<&str> {
        match &self.remedy {
            Some(Remedy::Fix(fix)) => Some(fix),
            Some(Remedy::Advice(_)) | None => None,
        }
    }

    /// The call was for a role: another administrator is responsible for it than for other denied calls.
    #[must_use]
    pub fn of_role(self) -> Self {
        if of_signer(&self.code) == OfSigner::Denied && self.class == ErrorClass::Permanent {
            return Self { remedy: Some(Remedy::Advice(ASSUME_ROLE_DENIED.to_owned())), ..self };
        }
        self
    }
}

/// Whether it has the form of an error code. Other text in its place is neither shown nor stored.
fn is_code(code: &str) -> bool {
    let of_code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'_' | b'-');
    (1..=128).contains(&code.len()) && code.bytes().all(of_code)
}

/// Whether a code says that the signing credentials themselves were refused.
pub fn refuses_signer(fault: &Fault) -> bool {
    !fault.skewed && lookup(&fault.code).is_some_and(Entry::refuses_signer)
}

/// Whether AWS did not answer: the network failed, or a proxy answered.
pub fn is_unreached(fault: &Fault) -> bool {
    is_unreached_code(&fault.code)
}

/// Whether another program on this machine failed.
pub fn is_of_a_program(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), PROCESS_FAILED | PROCESS_NOT_FOUND)
}

/// Whether a code is one of evercred's own for a request that AWS did not answer.
pub fn is_unreached_code(code: &str) -> bool {
    lookup(code).is_some_and(|entry| entry.origin == Origin::Unanswered)
}

fn class(status: Option<u16>, entry: Option<&Entry>) -> ErrorClass {
    match (entry, status) {
        (Some(entry), _) => entry.class,
        (None, Some(408 | 425 | 429 | 500..)) => ErrorClass::Retryable,
        (None, Some(400..=499)) => ErrorClass::Permanent,
        // Neither an answer nor an error of AWS: a proxy, a captive portal, half an answer.
        (None, _) => ErrorClass::Retryable,
    }
}

/// Whether the request was refused because of its time. STS has no code for that: its message says it.
fn is_skew(code: &str, message: Option<&str>) -> bool {
    let text = message.unwrap_or_default();
    match lookup(code) {
        Some(entry) if entry.of_signer == OfSigner::WrongSecret => {
            access_denied::rejected(text) == Rejected::SignatureTime
        }
        // A retry is signed with the corrected time.
        Some(entry) => {
            entry.origin != Origin::Unanswered
                && entry.class == ErrorClass::Retryable
                && entry.usual_causes().first().is_some_and(|(cause, _)| *cause == Cause::ClockSkewed)
        }
        None => false,
    }
}

const ASSUME_ROLE_DENIED: &str = "ask an administrator to check that the role exists, that its trust policy names this caller \
     (and whether it requires an external id or MFA), and that the policies of the caller and the organisation allow \
     sts:AssumeRole; AWS does not name the reason";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cause::Likelihood;

    #[test]
    fn every_entry_says_what_it_means_and_what_to_do() {
        for entry in entries() {
            assert!(entry.meaning.len() > 10 && entry.fix.len() > 3, "{}", entry.code);
            assert_eq!(entries().filter(|other| other.code == entry.code).count(), 1, "{}", entry.code);
        }
    }

    #[test]
    fn a_code_has_usual_causes_or_says_why_not() {
        for entry in entries() {
            match entry.causes {
                Causes::Usual(causes) => {
                    let mut seen = std::collections::BTreeSet::new();
                    assert!(!causes.is_empty() && causes.iter().all(|(cause, _)| seen.insert(cause)), "{}", entry.code);
                    assert!(causes.iter().all(|(_, likelihood)| *likelihood != Likelihood::RuledOut), "{}", entry.code);
                }
                Causes::Unlisted(why) => assert!(why.len() > 10, "{}", entry.code),
                // Among these, only failures of the service are not about credentials.
                Causes::Unrelated => assert!(
                    entry.class == ErrorClass::Retryable && entry.origin == Origin::Aws,
                    "{} says nothing of its causes",
                    entry.code
                ),
            }
        }
    }

    #[test]
    fn what_was_not_in_the_table_is_classed_by_its_status() {
        let class = |status| fault("x", status, Some("Unheard"), None).class;
        assert_eq!(class(Some(500)), ErrorClass::Retryable);
        assert_eq!(class(Some(429)), ErrorClass::Retryable);
        assert_eq!(class(Some(400)), ErrorClass::Permanent);
        assert_eq!(fault("x", Some(200), None, None).class, ErrorClass::Retryable);
        // A login page of the network, whatever its status.
        assert_eq!(fault("x", Some(403), None, None).class, ErrorClass::Retryable);
    }

    #[test]
    fn a_signature_that_is_only_late_is_not_a_wrong_secret() {
        let late =
            fault("x", Some(403), Some("SignatureDoesNotMatch"), Some("Signature expired: 2026… is now earlier"));
        assert!(late.skewed && late.class == ErrorClass::Retryable && !refuses_signer(&late));
        let wrong = fault("x", Some(403), Some("SignatureDoesNotMatch"), Some("The request signature we calculated …"));
        assert!(!wrong.skewed && wrong.class == ErrorClass::Permanent && refuses_signer(&wrong));
    }

    #[test]
    fn a_code_that_no_service_sends_is_not_shown_and_counts_as_no_answer() {
        for code in [
            "",
            "a b",
            "A\u{9b}31m",
            "Denied\nevercred: all is well",
            "\u{202e}",
            &"x".repeat(129),
            &"x".repeat(900_000),
        ] {
            let fault = fault("x", Some(403), Some(code), Some("why"));
            assert_eq!(
                (fault.code.as_str(), fault.to_string().as_str()),
                ("InvalidResponse", "x failed: InvalidResponse: why")
            );
            assert_eq!(fault.class, ErrorClass::Retryable);
        }
        for code in ["Sender.Throttled", "aws:Unheard-Of_1", &"x".repeat(128)] {
            assert_eq!(fault("x", Some(403), Some(code), None).code, code);
        }
    }

    #[test]
    fn a_faults_message_is_one_bounded_line() {
        let message = "a\u{1b}[2Jb\n\u{2028}evercred: all is well ".repeat(9_000);
        let operation = Operation::new("AssumeRole").object(&message).profile(&message);
        let text = fault(operation, Some(403), Some("AccessDenied"), Some(&message)).to_string();
        assert!(text.chars().count() < 3_100 && !crate::core::printable::has_harmful(&text));
    }

    #[test]
    fn a_refused_role_keeps_every_cause_possible() {
        let denied =
            fault("AssumeRole of r for profile \"a\"", Some(403), Some("AccessDenied"), Some("User: arn is not …"))
                .of_role();
        assert!(denied.words.contains("User: arn"));
        assert!(denied.with_advice().contains("trust policy"));
    }
}
