//! The form of one value of a key. A mistake is described without the value, because a value in the
//! wrong place may be a secret.

use crate::core::access_key::{
    ID_LENGTH, SECRET_LENGTH, has_id_prefix, is_id, is_id_byte, is_secret, is_secret_byte, may_be_secret,
};
use crate::core::printable::is_invisible;

/// A mistake in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) struct Mistake {
    /// The predicate of a sentence about the value: "has lowercase letters".
    pub(in crate::core::doctor) what: String,
    /// Whether no value of this form can be valid; otherwise it is only unlike all known values.
    pub(in crate::core::doctor) certain: bool,
}

/// The access key ids of AWS's documentation.
const EXAMPLE_IDS: [&str; 4] = ["AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AKIDEXAMPLE"];
/// The secrets of AWS's documentation.
const EXAMPLE_SECRETS: [&str; 3] = [
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
];
/// Unique ids that are no access key ids (IAM User Guide, "IAM identifiers", "Understanding unique ID prefixes").
const OTHER_IDS: [(&str, &str); 11] = [
    ("AIDA", "an IAM user"),
    ("AROA", "a role"),
    ("AGPA", "a group"),
    ("AIPA", "an instance profile"),
    ("ANPA", "a managed policy"),
    ("ANVA", "a version of a managed policy"),
    ("ASCA", "a certificate"),
    ("APKA", "a public key"),
    ("ABIA", "an STS service bearer token"),
    ("ACCA", "a context-specific credential"),
    ("ABSK", "an API key of Amazon Bedrock"),
];
/// All known session tokens are much longer; AWS says only that their length is not fixed.
const SHORTEST_TOKEN: usize = 64;

/// Whether it is an id of AWS's documentation.
pub(super) fn is_example(id: &str) -> bool {
    EXAMPLE_IDS.contains(&id)
}

/// The mistake in an access key id; `secret` is the configured secret.
pub(super) fn key_id_mistake(text: &str, secret: Option<&str>) -> Option<Mistake> {
    if is_placeholder(text) {
        return certain("is a placeholder, not a key");
    }
    if let Some(what) = foreign_matter(text) {
        return certain(what);
    }
    if EXAMPLE_IDS.contains(&text) {
        return certain("is the example of AWS's documentation, which is not a real key");
    }
    if text.starts_with("arn:") {
        return certain("is an ARN: you create an access key id in the console, under \"Security credentials\"");
    }
    if text.contains(',') {
        return certain("is a complete line of a CSV file: the id is before the comma, and the secret after it");
    }
    if text.contains('=') {
        return certain("includes its own name and an equals sign");
    }
    if secret.is_some_and(|secret| are_swapped(text, secret)) {
        return certain("and the secret access key are exchanged");
    }
    if is_secret(text) {
        return certain("has the form of a secret access key");
    }
    let upper = text.to_ascii_uppercase();
    if upper != text && has_id_prefix(&upper) {
        return certain("has lowercase letters: AWS's ids have none, and the case matters");
    }
    if let Some((_, kind)) = OTHER_IDS.iter().find(|(prefix, _)| text.starts_with(prefix) && text.len() >= 16) {
        return certain(format!("is the unique id of {kind}, not of an access key (AKIA…, ASIA…)"));
    }
    if !has_id_prefix(text) {
        return unlike("does not begin with AKIA or ASIA, as the ids of AWS do");
    }
    let odd = |byte: &u8| !byte.is_ascii_uppercase() && !byte.is_ascii_digit();
    match text.len() {
        _ if text.bytes().any(|byte| odd(&byte)) => certain("has characters that are neither letters nor digits"),
        ID_LENGTH if text.bytes().all(is_id_byte) => None,
        ID_LENGTH => unlike("has one of the digits 0, 1, 8 and 9, which no known id has"),
        length if length < ID_LENGTH => {
            certain(format!("has {length} characters, and should have {ID_LENGTH}: it was cut"))
        }
        length => certain(format!(
            "has {length} characters, and should have {ID_LENGTH}: it was pasted twice, or with other text"
        )),
    }
}

/// Whether id and secret are exchanged.
pub(in crate::core::doctor) fn are_swapped(id: &str, secret: &str) -> bool {
    may_be_secret(id) && is_id(secret)
}

/// The mistake in a secret access key; `id` is the configured id.
pub(super) fn secret_mistake(text: &str, id: Option<&str>) -> Option<Mistake> {
    if is_placeholder(text) {
        return certain("is a placeholder, not a key");
    }
    if let Some(what) = foreign_matter(text) {
        return certain(what);
    }
    if EXAMPLE_SECRETS.contains(&text) {
        return certain("is the example of AWS's documentation, which is not a real key");
    }
    // An emulator's keys may be `test` and `test`.
    if Some(text) == id && has_id_prefix(text) {
        return certain("is the same as the access key id");
    }
    if is_id(text) {
        return certain("has the form of an access key id");
    }
    if is_percent_encoded(text) {
        return certain("was percent-encoded, as for a URL (%2F is a slash)");
    }
    // Keys of another kind than AWS's have secrets of another kind.
    if !id.is_none_or(is_id) {
        return None;
    }
    match text.len() {
        _ if !text.bytes().all(|byte| is_secret_byte(byte) || byte == b'=') => {
            unlike("has characters that no secret access key has")
        }
        SECRET_LENGTH => None,
        length if length < SECRET_LENGTH => {
            unlike(format!("has {length} characters, and those of AWS have {SECRET_LENGTH}: it was cut"))
        }
        length => unlike(format!(
            "has {length} characters, and those of AWS have {SECRET_LENGTH}: it was pasted twice, or with other text"
        )),
    }
}

/// The mistake in a session token. AWS does not document its form, so only certain mistakes count.
pub(super) fn token_mistake(text: &str, id: Option<&str>, secret: Option<&str>) -> Option<Mistake> {
    if is_placeholder(text) {
        return certain("is a placeholder, not a token");
    }
    if let Some(what) = foreign_matter(text) {
        return certain(what);
    }
    if [id, secret].contains(&Some(text)) {
        return certain("is the same as another part of the key");
    }
    if text.ends_with("...") {
        return certain("ends in dots: a program shortened it for display");
    }
    if is_percent_encoded(text) {
        return certain("was percent-encoded, as for a URL (%2F is a slash)");
    }
    (text.len() < SHORTEST_TOKEN).then(|| Mistake {
        what: format!("has {} characters, and those of AWS have hundreds: it was cut", text.len()),
        certain: false,
    })
}

fn certain(what: impl Into<String>) -> Option<Mistake> {
    Some(Mistake { what: what.into(), certain: true })
}

fn unlike(what: impl Into<String>) -> Option<Mistake> {
    Some(Mistake { what: what.into(), certain: false })
}

fn is_percent_encoded(text: &str) -> bool {
    ["%2F", "%2B", "%3D", "%2f", "%2b", "%3d"].iter().any(|code| text.contains(code))
}

pub(super) fn is_placeholder(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    ["undefined", "null", "none", "(null)", "nil", "nan"].contains(&text.to_ascii_lowercase().as_str())
        || (text.starts_with('<') && text.ends_with('>'))
        || (text.starts_with('$') && text.len() > 1)
        || (text.starts_with("{{") && text.ends_with("}}"))
        || ["YOUR_", "YOUR-", "CHANGEME", "CHANGE_ME", "REPLACE_ME", "REPLACEME", "XXXXXXXX", "********"]
            .iter()
            .any(|word| upper.contains(word))
}

/// Characters that belong to no value: quotes, blanks, invisible characters, letters of other scripts. Positions, never the characters.
fn foreign_matter(text: &str) -> Option<String> {
    let quote = |c: char| matches!(c, '"' | '\'' | '`' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' | '«' | '»');
    if text.starts_with(quote) || text.ends_with(quote) {
        return Some("has quotes around it, which become part of the value in AWS files and variables".to_owned());
    }
    if ends_with_header(text) {
        return Some("has a section header at its end, which belongs on a line of its own".to_owned());
    }
    let (at, found) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_graphic())?;
    let place =
        if at + 1 == text.chars().count() { "at its end".to_owned() } else { format!("at position {}", at + 1) };
    Some(match found {
        '\r' => format!("has a carriage return {place}, as in files from Windows"),
        '\n' => format!("has a line break {place}"),
        ' ' | '\t' => format!("has a blank {place}"),
        '\u{a0}' => format!("has a no-break space {place}, as in text copied from web pages"),
        c if c.is_control() || is_invisible(c) => format!("has an invisible character {place}"),
        _ => format!("has a letter {place} that is not Latin, although it may look like one"),
    })
}

/// Whether the line break before a section header was lost: no key has brackets.
fn ends_with_header(text: &str) -> bool {
    text.ends_with(']') && text.contains('[')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "AKIAQMARKEDUSERKEY23";
    const SECRET: &str = "s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a";

    #[test]
    fn every_mistake_with_an_access_key_id_is_told() {
        for (text, part) in [
            ("\"AKIAQMARKEDUSERKEY23\"", "quotes"),
            ("AKIAQMARKEDUSERKEY23[profile dev]", "a section header at its end"),
            ("AKIAQMARKEDUSERKEY23\r", "carriage return"),
            ("AKIAQMARKED USERKEY23", "blank at position 12"),
            ("AKIAQMARKEDUSERKEY2\u{a0}", "no-break space at its end"),
            ("\u{0410}KIAQMARKEDUSERKEY23", "Latin"),
            ("AKIAQMARKED\u{200b}USERKEY23", "invisible"),
            ("akiaqmarkeduserkey23", "lowercase"),
            ("AKIAqMARKEDUSERKEY23", "lowercase"),
            ("AKIAQMARKEDUSERKEY2", "has 19 characters"),
            ("AKIAQMARKEDUSERKEY23AKIAQMARKEDUSERKEY23", "has 40 characters"),
            ("AKIAQMARKEDUSERKEY01", "digits"),
            ("AKIAQMARKED-USERKEY2", "neither letters nor digits"),
            ("AIDAQMARKEDUSERIDS234", "an IAM user"),
            ("AROAQMARKEDROLEIDS234", "a role"),
            ("AKIAIOSFODNN7EXAMPLE", "documentation"),
            ("YOUR_ACCESS_KEY_ID", "placeholder"),
            ("<access-key>", "placeholder"),
            ("<your key>", "placeholder"),
            ("arn:aws:iam::111122223333:user/me", "ARN"),
            ("AKIAQMARKEDUSERKEY23,s3cretA/MARKED", "CSV"),
            ("aws_access_key_id=AKIAQMARKEDUSERKEY23", "equals sign"),
            (SECRET, "form of a secret access key"),
            ("minioadmin", "does not begin with AKIA"),
        ] {
            let mistake = key_id_mistake(text, None).unwrap_or_else(|| panic!("{text}"));
            assert!(mistake.what.contains(part), "{text}: {mistake:?}");
        }
        assert!(key_id_mistake(SECRET, Some(ID)).unwrap().what.contains("exchanged"));
    }

    #[test]
    fn every_mistake_with_a_secret_is_told() {
        let long = format!("{SECRET}{SECRET}");
        for (text, part) in [
            ("'s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a'", "quotes"),
            (&SECRET[1..], "39 characters"),
            (&long, "80 characters"),
            ("s3cretA%2FMARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a", "percent-encoded"),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "documentation"),
            (ID, "same as the access key id"),
            ("AKIAQANOTHERUSERKEY2", "form of an access key id"),
            ("s3cretA/MARKED_aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a-", "no secret access key"),
        ] {
            let mistake = secret_mistake(text, Some(ID)).unwrap_or_else(|| panic!("{text}"));
            assert!(mistake.what.contains(part), "{text}: {mistake:?}");
        }
        for (secret, id) in [("minioadmin", "minioadmin2"), ("test", "test")] {
            assert_eq!(secret_mistake(secret, Some(id)), None, "another kind of key");
        }
    }

    #[test]
    fn a_token_is_told_only_what_can_not_be_right() {
        let good = "IQoJb3JpZ2lu".repeat(20);
        assert_eq!(token_mistake(&good, Some(ID), Some(SECRET)), None);
        assert_eq!(token_mistake(&format!("{good}=="), None, None), None);
        for (text, part) in [
            (format!("{good} {good}"), "blank"),
            (format!("{good}\n{good}"), "line break"),
            (format!("{good}..."), "dots"),
            (good.replace('3', "%2F"), "percent-encoded"),
            ("IQoJb3JpZ2lu".to_owned(), "12 characters"),
            (SECRET.to_owned(), "same as another part"),
        ] {
            let mistake = token_mistake(&text, Some(ID), Some(SECRET)).unwrap_or_else(|| panic!("{text}"));
            assert!(mistake.what.contains(part), "{text}: {mistake:?}");
        }
    }

    proptest! {
        #[test]
        fn good_keys_are_never_told_off(id in "A[KS]IA[A-Z2-7]{16}", secret in "[a-z][A-Za-z0-9/+]{39}") {
            prop_assume!(!EXAMPLE_IDS.contains(&id.as_str()) && !is_placeholder(&id) && !is_placeholder(&secret));
            prop_assert_eq!(key_id_mistake(&id, Some(&secret)), None);
            prop_assert_eq!(secret_mistake(&secret, Some(&id)), None);
        }

        #[test]
        fn no_part_of_a_value_is_ever_shown(text in "([A-Za-z0-9/+=\"' \r\t,%]|\\PC){0,60}") {
            let mistakes = [key_id_mistake(&text, None), secret_mistake(&text, Some(ID)), token_mistake(&text, None, None)];
            let runs: Vec<String> = text.chars().collect::<Vec<_>>().windows(8).map(|run| run.iter().collect()).collect();
            for mistake in mistakes.into_iter().flatten() {
                // A value may contain words of the sentences by chance.
                prop_assert!(!runs.iter().any(|run| run.trim().len() == run.len() && !run.is_ascii_lowercase_word() && mistake.what.contains(run.as_str())), "{:?}", mistake);
            }
        }
    }

    trait Word {
        fn is_ascii_lowercase_word(&self) -> bool;
    }

    impl Word for String {
        fn is_ascii_lowercase_word(&self) -> bool {
            self.chars().all(|c| c.is_ascii_lowercase() || c == ' ')
        }
    }
}
