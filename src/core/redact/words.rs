//! Words after a name that can't be a secret, and stay visible.

use super::forms::{is_access_key_id, looks_secret};
use super::names::{self, Kind};

pub(super) const PUNCTUATION: [char; 16] =
    ['"', '\'', '`', '.', ',', ';', ':', '(', ')', '[', ']', '{', '}', '!', '?', '…'];

/// A word of a sentence.
pub(super) fn is_plain(bare: &str) -> bool {
    let word = bare.trim_matches(PUNCTUATION);
    let rest = word.get(1..).unwrap_or_default();
    (1..=20).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.bytes().all(|byte| byte.is_ascii_lowercase())
}

const ABBREVIATIONS: &str = "API AWS CLI DNS ECR ECS EKS EOF ERROR FAILED HTTP HTTPS IAM ID IDP IMDS JSON JWT KMS MFA NOT NULL OIDC \
    OK SAML SDK SSL SSO STS TCP TLS URL UTC XML YAML";

/// Whether a word after a name is harmless: part of a sentence, a status, a path, an id, a time, an error code.
pub(super) fn is_harmless(word: &str) -> bool {
    let word = word.trim_matches(PUNCTUATION);
    let is_all = |test: fn(&u8) -> bool| !word.is_empty() && word.as_bytes().iter().all(test);
    let is_compound = word.len() <= 40
        && word.split(['-', '\'', '’', '/']).all(is_plain)
        && word.split(['-', '\'', '’', '/']).count() <= 2;
    let is_number = word.len() <= 3 && is_all(u8::is_ascii_digit);
    let is_abbreviation = ABBREVIATIONS.split(' ').any(|known| known == word);
    let is_path = ["/", "./", "~/"].iter().any(|start| word.starts_with(start)) && !word.split('.').any(looks_secret);
    let is_date = word.len() >= 10
        && word
            .bytes()
            .take(10)
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
        && word.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte));
    let is_url = word.split_once("://").is_some_and(|(scheme, _)| is_plain(scheme));
    let has_case = word.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    // `com.amazonaws.SdkClientException`
    let code = word.rsplit(['.', '\\']).next().unwrap_or(word);
    let is_error_code = word.bytes().all(|byte| byte.is_ascii_alphabetic() || b".\\".contains(&byte))
        && word.len() <= 120
        && (1..=12).contains(&has_case)
        && (["Exception", "Error", "Denied", "Failure", "Fault", "NotFound"].iter().any(|end| code.ends_with(end))
            || ["Invalid", "Expired", "Missing"].iter().any(|start| code.starts_with(start))
            || names::kind(code) == Kind::Other);
    // A host or an address.
    let is_host = word.contains('.')
        && word.split('.').count() <= 6
        && word.split('.').all(|part| {
            is_plain(part) || !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit())
        });
    !word.bytes().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        || is_host
        || is_plain(word)
        || is_compound
        || is_number
        || is_abbreviation
        || is_path
        || is_date
        || is_url
        || is_error_code
        || word.starts_with("arn:")
        || is_access_key_id(word)
}
