//! What of a failed call is handed back: never a secret, nor what may be a part of one.

use crate::core::access_key;
use crate::core::aws_error::{self, Fault};
use crate::core::doctor::Refusal;
use crate::core::plan::StaticKeys;

/// A failed call, as it is told. AWS's text goes with it where it can't repeat a secret.
///
/// A malformed id may be a secret (the two are swapped), and AWS's text about a malformed signature repeats parts of the
/// credential scope, in which the id stands: with such keys only the code is told, and what it means.
pub(super) fn refusal(fault: Fault, keys: Option<&StaticKeys>) -> Refusal {
    // What is not AWS's own text says nothing of the keys.
    let is_ours = aws_error::is_unreached(&fault);
    let mut refusal = Refusal::from(fault);
    if let Some(keys) = keys {
        if access_key::shown(&keys.access_key_id) != keys.access_key_id && !is_ours {
            let meaning = aws_error::lookup(&refusal.code).map(|entry| entry.meaning);
            meaning.unwrap_or("AWS's own words are left out").clone_into(&mut refusal.words);
        }
        for secret in std::iter::once(&keys.secret_access_key).chain(&keys.session_token) {
            for text in [&mut refusal.words, &mut refusal.code] {
                if !secret.expose().is_empty() && text.contains(secret.expose()) {
                    *text = text.replace(secret.expose(), "…");
                }
            }
        }
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::StatedExpiry;
    use crate::core::secret::Secret;

    fn told(id: &str, secret: &str, code: &str, message: &str) -> Refusal {
        let keys = StaticKeys {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: Some(Secret::new("session/token+1")),
            expires: StatedExpiry::Unstated,
        };
        refusal(aws_error::fault("GetCallerIdentity", Some(403), Some(code), Some(message)), Some(&keys))
    }

    #[test]
    fn aws_is_quoted_where_it_can_not_repeat_a_secret() {
        let quoted = told("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7", "AccessDenied", "User: x is not allowed");
        assert_eq!(quoted.to_string(), "GetCallerIdentity failed: AccessDenied: User: x is not allowed");
    }

    #[test]
    fn a_secret_in_the_place_of_the_id_is_not_told_nor_a_part_of_it() {
        let message = "Date in Credential scope does not match: 'K7MDENG' != '20261125', from wJalrXUtnFEMI/K7MDENG";
        let refusal = told("wJalrXUtnFEMI/K7MDENG", "AKIAIOSFODNN7EXAMPLE", "SignatureDoesNotMatch", message);
        assert!(!refusal.words.contains("wJalr") && !refusal.words.contains("K7MDENG"), "{refusal}");
        assert!(refusal.to_string().starts_with("GetCallerIdentity failed: SignatureDoesNotMatch: the secret"));
    }

    #[test]
    fn a_server_that_echoes_the_secret_is_not_echoed() {
        let message = "the token session/token+1 and the key wJalrXUtnFEMI/K7";
        let refusal = told("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7", "AccessDenied", message);
        let gives_away = ["session/token", "wJalr"].iter().any(|secret| refusal.words.contains(secret));
        assert!(refusal.words.contains("the token ") && !gives_away, "{refusal}");
    }
}
