//! The profile that a text names: in a command, in a variable, or in the error itself.

use crate::core::printable::printable;
use crate::core::redact::{holds_secret, without_secrets};

/// How errors name a profile: the words before and after the name.
const FORMS: [(&str, &str); 16] = [
    ("config profile (", ") could not be found"),
    // The source_profile before it may not exist.
    ("referenced in the profile \"", "\""),
    ("source_profile \"", "\""),
    ("source profile \"", "\""),
    ("profile named '", "'"),
    ("shared config profile, ", "\n"),
    ("using profile: [", "]"),
    ("Profile `", "'"),
    ("profile `", "`"),
    ("profile '", "'"),
    ("profile \"", "\""),
    ("profile (", ")"),
    ("profile: \"", "\""),
    ("profile: '", "'"),
    ("Profile ", " could not be found or parsed"),
    ("from profile ", " which has already been visited"),
];

/// A profile that an error message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InError {
    /// `None` if it may be a secret.
    pub(super) name: Option<String>,
    /// The profile that the message says does not exist, if it is the source of the named one.
    pub(super) missing_source: Option<String>,
}

/// The profile that the error message names.
pub(super) fn in_error(message: &str) -> Option<InError> {
    let name = FORMS.iter().find_map(|(start, end)| {
        let (_, rest) = message.split_once(start)?;
        // A name at the end of the message has no words after it, but the rest of a JSON string or of a page may follow.
        match *end {
            "\n" => rest.split(['"', '\'', '<', '\\']).next(),
            end => rest.split_once(end).map(|(name, _)| name),
        }
        .filter(|name| has_form(name.trim()))
    })?;
    let source = message.strip_prefix("The source_profile \"").and_then(|rest| rest.split_once('"'));
    // The profile that refers to it follows, unless a console broke the sentence.
    if source.is_some_and(|(source, _)| source == name) {
        return None;
    }
    Some(InError { name: is_name(name), missing_source: source.and_then(|(name, _)| is_name(name)) })
}

/// The most probable of several readings of a name: a console may have broken it, and few names have blanks.
pub(super) fn most_probable(readings: &[InError]) -> Option<&InError> {
    let is_secret = readings.iter().any(|reading| reading.name.is_none());
    let key = |reading: &&InError| {
        let name = reading.name.as_deref().unwrap_or_default();
        (!name.contains(char::is_whitespace), name.len())
    };
    readings.iter().max_by_key(key).filter(|_| !is_secret)
}

/// The sign-in session without a token (botocore: "Token for corp does not exist").
pub(super) fn session(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Token for ")?;
    rest.split_once(" does not exist").map(|(name, _)| name).filter(|name| !name.contains(char::is_whitespace))
}

/// The profile of the nearest `--profile NAME` or `AWS_PROFILE=NAME` to `at`.
pub(super) fn in_command(near: &str, at: usize) -> Option<String> {
    let starts = ["--profile ", "--profile=", "AWS_PROFILE=", "AWS_DEFAULT_PROFILE="];
    let places = starts.iter().flat_map(|start| near.match_indices(start).map(|(at, start)| (at, at + start.len())));
    let named = places.filter_map(|(place, behind)| Some((place, value(near.get(behind..)?)?)));
    named.min_by_key(|(place, _)| place.abs_diff(at)).map(|(_, name)| name)
}

/// A word of a command, which may be in quotation marks.
fn value(text: &str) -> Option<String> {
    let text = text.trim_start_matches(' ');
    let quoted = text.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    match quoted {
        Some(quote) => text.get(1..)?.split(quote).next().and_then(is_name),
        None => text.split(|c: char| c.is_whitespace() || "\"'`;&|)".contains(c)).next().and_then(is_name),
    }
}

fn has_form(name: &str) -> bool {
    (1..=128).contains(&name.len()) && printable(name) == name && !name.starts_with(['-', '$', '<', '%', '{'])
}

fn is_name(name: &str) -> Option<String> {
    let name = name.trim();
    let is_fit = has_form(name) && !holds_secret(name, false) && without_secrets(name) == name;
    is_fit.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_read_as_each_program_writes_it() {
        for (message, name) in [
            ("The config profile (my work) could not be found", Some("my work")),
            ("failed to get shared config profile, my work", Some("my work")),
            ("{\"msg\":\"failed to get shared config profile, staging\"}", Some("staging")),
            ("<pre>failed to get shared config profile, staging</pre>", Some("staging")),
            ("ProfileFile provider could not be built: profile `default` was not defined: x", Some("default")),
            ("Could not resolve credentials using profile: [dev] in configuration/credentials file(s).", Some("dev")),
            ("Profile dev could not be found or parsed in shared credentials file.", Some("dev")),
            ("No AWS profile named 'dev'", Some("dev")),
            ("The source_profile \"bse\" referenced in the profile \"dev\" does not exist.", Some("dev")),
            ("the profile was not found", None),
        ] {
            assert_eq!(in_error(message).and_then(|found| found.name).as_deref(), name, "{message}");
        }
        let near = "$ AWS_PROFILE=other x\n$ aws s3 ls --profile 'my work' --region x\nAn error occurred";
        assert_eq!(in_command(near, near.len()).as_deref(), Some("my work"));
        assert_eq!(in_command("aws --profile $NAME s3 ls", 0), None);
    }
}
