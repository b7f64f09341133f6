//! The form of AWS's access keys: what can be told of a key by looking at it.

/// An access key id has 20 characters: all that AWS gives out have, though its API allows 16 to 128.
pub const ID_LENGTH: usize = 20;
/// A secret access key has 40 characters: all that AWS gives out have; it is not documented.
pub const SECRET_LENGTH: usize = 40;

/// Whether a text has the form of an access key id: the prefix of a long-term or a temporary key and sixteen more characters
/// (IAM User Guide, "IAM identifiers").
pub fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && has_id_prefix(text) && text.bytes().all(is_id_byte)
}

/// Whether a text begins as the id of an access key.
pub fn has_id_prefix(text: &str) -> bool {
    text.starts_with("AKIA") || text.starts_with("ASIA")
}

/// Base32 (RFC 4648): reported of all ids that were looked at (Aidan Steele, "AWS Access Key ID formats"), not documented.
pub fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)
}

/// Whether a text may be a secret access key, whole or cut or with quotes around it: it is not sent as an id, as AWS writes ids
/// into its logs, and not shown. Ids of other makers' services, which are shorter and have no signs in them, are none.
pub fn may_be_secret(text: &str) -> bool {
    let letters = text.bytes().filter(|byte| is_secret_byte(*byte)).count();
    let has_sign = text.bytes().any(|byte| b"/+".contains(&byte));
    let is_id_with_more = has_id_prefix(text.trim_start_matches(['"', '\''])) && letters <= 32;
    letters >= 16
        && !is_id_with_more
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && (has_sign || letters > 32)
}

/// Whether a text has the form of a secret access key.
pub fn is_secret(text: &str) -> bool {
    text.len() == SECRET_LENGTH
        && text.bytes().all(is_secret_byte)
        && text.bytes().any(|byte| byte.is_ascii_lowercase() || b"/+".contains(&byte))
}

/// The alphabet of secret access keys, as far as any was seen.
pub fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+'
}

/// What may be shown of what stands for an access key id: the text, where it can be nothing else. Where id and secret have changed
/// places it is the secret.
pub fn shown(id: &str) -> &str {
    // Secrets mix large and small letters.
    let is_like_an_id = id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_a_word = id.len() < 16 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_like_an_id || is_a_word { id } else { "(not shown)" }
}

/// Whether a text is an account's number: twelve digits, leading zeroes included (AWS Account Management, "View AWS account
/// identifiers").
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The account that is encoded in an access key id: the 40 bits behind the first, of the base32 text behind the prefix.
///
/// Not documented by AWS; found by Aidan Steele ("AWS Access Key ID formats", 2020) and Tal Be'ery ("A short note on AWS KEY
/// ID", 2023) and confirmed by many since. Ids that were made before March 2019 carry none: in those the first character
/// behind the prefix is an I or a J, in newer ones one from Q on in base32's order.
pub fn account_of(id: &str) -> Option<String> {
    if !is_id(id) {
        return None;
    }
    let digits = id.get(4..)?;
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    };
    // Ten characters are fifty bits; the first six bytes are forty-eight of them.
    let bits = digits.bytes().take(10).try_fold(0_u64, |bits, byte| Some((bits << 5) | value(byte)?))? >> 2;
    let is_newer = digits.bytes().next().and_then(value)? >= 16;
    let account = (bits & 0x7fff_ffff_ff80) >> 7;
    is_newer.then(|| format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_in_an_id_is_read_as_it_was_published() {
        // Tal Be'ery's example.
        assert_eq!(account_of("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        // AWS's own examples are of the older kind.
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(account_of("AKIAQ"), None);
        assert_eq!(account_of("minioadmin"), None);
    }

    #[test]
    fn a_secret_in_the_place_of_the_id_is_not_shown() {
        for id in ["AKIAIOSFODNN7EXAMPLE", "test", "minioadmin", "000000000000"] {
            assert_eq!(shown(id), id);
        }
        for secret in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "wJalrXUtnFEMIK7MDENGbPxRfiCY",
            "wJalrXUt",
            "a b",
            "half/of+one",
        ] {
            assert_eq!(shown(secret), "(not shown)");
        }
    }

    #[test]
    fn a_secret_is_known_also_where_it_was_cut_or_quoted() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let without_signs = "wJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEY";
        for text in [
            secret,
            &secret[..39],
            &secret[..20],
            &secret[1..],
            &format!("{secret}x"),
            &format!("\"{secret}\""),
            &format!("'{}", &secret[..38]),
            &format!("{secret},"),
            without_signs,
            &without_signs[..39],
            &format!("AKIAIOSFODNN7EXAMPLE,{secret}"),
        ] {
            assert!(may_be_secret(text), "{text}");
        }
        for id in [
            "AKIAIOSFODNN7EXAMPLE",
            "akiaiosfodnn7example",
            "\"AKIAIOSFODNN7EXAMPLE\"",
            "AKIAIOSFODNN7EXAMPLE # of/me",
            "minioadmin",
            "GK31c2f218a2e44f485b94239e",
            "aB3dE5gH7jK9mN1pQ3sT",
            "test",
            "",
        ] {
            assert!(!may_be_secret(id), "{id}");
        }
    }
}
