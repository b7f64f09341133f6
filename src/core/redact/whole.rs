//! Secrets instead of a name: a key that was pasted where a section's name, a profile or an ARN belongs. Names may be
//! long and mixed, so only the form of a whole key or token counts here.

use std::borrow::Cow;

use serde_json::Value;

use super::forms::{Mix, begins_as_token, has_short_runs};
use crate::core::access_key::{SECRET_LENGTH, is_secret, is_secret_byte};

/// The text that replaces a secret.
pub const HIDDEN: &str = "(hidden)";
/// Settings and fields that may look like a key: an external id is no secret.
const SHOWN: [&str; 2] = ["external_id", "evercred_external_id"];

/// The text without words that have the form of a whole secret.
pub fn without_whole_secrets(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut shown = 0;
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '=' | '_' | '-');
    let mut rest = 0;
    while let Some(from) = text.get(rest..).and_then(|rest| rest.find(is_of_word)).map(|at| rest + at) {
        let behind = text.get(from..).unwrap_or_default();
        let to = behind.find(|c| !is_of_word(c)).map_or(text.len(), |length| from + length);
        if text.get(from..to).is_some_and(is_whole) {
            clean.push_str(text.get(shown..from).unwrap_or_default());
            clean.push_str(HIDDEN);
            shown = to;
        }
        rest = to;
    }
    if shown == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(shown..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Hides such words in every text and every name of a document.
pub fn hide_whole_secrets(document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Cow::Owned(clean) = without_whole_secrets(text) {
                *text = clean;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide_whole_secrets),
        Value::Object(fields) => {
            let entries = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                if !SHOWN.contains(&name.as_str()) {
                    hide_whole_secrets(&mut value);
                }
                (without_whole_secrets(&name).into_owned(), value)
            });
            *fields = entries.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a setting's value is shown whatever its form is.
pub fn is_shown_setting(key: &str) -> bool {
    SHOWN.contains(&key)
}

/// Whether a word is a secret access key, perhaps with a letter too many or too few, or a token.
fn is_whole(word: &str) -> bool {
    if begins_as_token(word) {
        return true;
    }
    // A path may have a slash in front of the key.
    let word = word.strip_prefix('/').filter(|_| word.len() > SECRET_LENGTH).unwrap_or(word);
    let mix = Mix::of(word);
    if !(mix.has_upper && mix.has_lower && mix.has_digit) {
        return false;
    }
    let is_near = word.len().abs_diff(SECRET_LENGTH) <= 2 && word.bytes().all(is_secret_byte);
    let is_random = has_short_runs(word, &mix);
    is_secret(word) || (is_near && is_random) || (word.len() >= 100 && is_random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_place_of_a_name_is_hidden_and_names_stay() {
        for secret in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "abcD3fGh1JkLmN0pQrStUvWxYz0123456789+/a",
            "abcD3fGh1JkLmN0pQrStUvWxYz0123456789+/aB",
            "abcD3fGh1JkLmN0pQrStUvWxYz0123456789+/aB9",
            "IQoJb3JpZ2luX2VjEPr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ",
        ] {
            let text = format!("profile \"{secret}\" is in no AWS file; did you mean [{secret}]?");
            assert_eq!(without_whole_secrets(&text).matches(HIDDEN).count(), 2, "{secret}");
            let mut document =
                serde_json::json!({"name": secret, "settings": {secret: [secret]}, "external_id": secret});
            hide_whole_secrets(&mut document);
            assert_eq!(document.to_string().matches(secret).count(), 1, "{document}");
        }
        for name in [
            "dev",
            "AWSAdministratorAccess-123456789012",
            "AcmeProdEuWest1AdministratorAccess",
            "AcmeProduction2EuCentral1PowerUserAccess1",
            "team/production/eu-west-1/administrator2",
            "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/someone",
            "/home/someone/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
            "AKIAIOSFODNN7EXAMPLE",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "Ünïcode näme",
            "",
        ] {
            assert_eq!(without_whole_secrets(name), name);
        }
    }
}
