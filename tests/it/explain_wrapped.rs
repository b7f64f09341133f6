//! Texts that a console broke have the same explanation as the original text.

use std::path::Path;

use evercred::core::doctor::{Cause, Report};
use evercred::core::explain::{LocalContext, explain, profile_of, scan};
use evercred::core::profile::Profiles;

#[derive(Clone, Copy, Debug)]
enum Broken {
    /// Breaks at the last column.
    InsideWords,
    /// Breaks at a blank.
    AtBlanks,
}

#[derive(Clone, Copy, Debug)]
enum Dress {
    Plain,
    CarriageReturns,
    TrailingBlanks,
    Quoted,
    Piped,
    Boxed,
    Indented,
}

const DRESSES: [Dress; 7] = [
    Dress::Plain,
    Dress::CarriageReturns,
    Dress::TrailingBlanks,
    Dress::Quoted,
    Dress::Piped,
    Dress::Boxed,
    Dress::Indented,
];

fn broken(text: &str, width: usize, how: Broken) -> Vec<String> {
    text.lines().flat_map(|line| broken_line(line, width, how)).collect()
}

fn broken_line(line: &str, width: usize, how: Broken) -> Vec<String> {
    let letters: Vec<char> = line.chars().collect();
    if letters.len() <= width {
        return vec![line.to_owned()];
    }
    match how {
        Broken::InsideWords => letters.chunks(width).map(|piece| piece.iter().collect()).collect(),
        Broken::AtBlanks => {
            let mut lines = Vec::new();
            let indent: String = letters.iter().take_while(|c| **c == ' ').collect();
            let mut current = indent;
            let mut is_empty = true;
            for word in line.split_whitespace() {
                if !is_empty && current.chars().count() + 1 + word.chars().count() > width {
                    lines.push(std::mem::take(&mut current));
                    is_empty = true;
                }
                if !is_empty {
                    current.push(' ');
                }
                current.push_str(word);
                is_empty = false;
            }
            lines.push(current);
            lines
        }
    }
}

fn dressed(lines: &[String], width: usize, dress: Dress) -> String {
    let mut text = String::new();
    for line in lines {
        match dress {
            Dress::Plain => text.push_str(&format!("{line}\n")),
            Dress::CarriageReturns => text.push_str(&format!("{line}\r\n")),
            Dress::TrailingBlanks => text.push_str(&format!("{line:width$}\n")),
            Dress::Quoted => text.push_str(&format!("> {line}\n")),
            Dress::Piped => text.push_str(&format!("| {line}\n")),
            Dress::Boxed => text.push_str(&format!("│ {line:width$} │\n")),
            Dress::Indented => text.push_str(&format!("    {line}\n")),
        }
    }
    text
}

/// Code, service, operation, profile and causes of the first error, on a machine on which every cause was checked and none
/// was found.
pub(crate) fn answer(text: &str) -> serde_json::Value {
    let report = Report { checked: Cause::ALL.to_vec(), ..Report::default() };
    let here = LocalContext {
        profiles: ["default", "dev", "base"].map(str::to_owned).to_vec(),
        profile: Some("default".to_owned()),
        ..LocalContext::default()
    };
    let mentions = scan(text);
    let named = profile_of(&mentions, &Profiles::default()).map(|named| named.name);
    let document = explain(&mentions, &report, &here).document();
    let causes: Vec<_> = document["causes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|cause| (cause["id"].clone(), cause["likelihood"].clone()))
        .collect();
    serde_json::json!([document["code"], document["service"], document["operation"], named, causes])
}

pub(crate) fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|is| is == "toml") {
            let case: toml::Table = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            texts.push((name, case["text"].as_str().unwrap().to_owned()));
        } else if path.extension().is_some_and(|is| is == "json") {
            let cases: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let cases = cases.as_array().unwrap().iter().filter(|case| case["kind"] != "wrapped");
            texts.extend(
                cases.map(|case| (case["id"].as_str().unwrap().to_owned(), case["text"].as_str().unwrap().to_owned())),
            );
        }
    }
    texts.extend(NAMING_A_PROFILE.map(|text| (text.to_owned(), text.to_owned())));
    texts.sort();
    texts
}

/// Errors that name a profile.
const NAMING_A_PROFILE: [&str; 9] = [
    "botocore.exceptions.ProfileNotFound: The config profile (dev-admin) could not be found",
    "The config profile (acme-production-administrator) could not be found",
    "Error: failed to get shared config profile, staging",
    "panic: failed to load config: failed to get shared config profile, acme-staging-eu",
    "botocore.exceptions.InvalidConfigError: The source profile \"base\" must have credentials.",
    "botocore.exceptions.InvalidConfigError: The source_profile \"bse\" referenced in the profile \"dev-admin\" does not exist.",
    "botocore.exceptions.InfiniteLoopConfigError: Infinite loop in credential configuration detected. Attempting to load from \
     profile a which has already been visited. Visited profiles: ['a', 'b']",
    "CredentialsProviderError: Could not resolve credentials using profile: [dev-admin] in configuration/credentials file(s).",
    "Profile dev-admin could not be found or parsed in shared credentials file.",
];

/// Every width of 40 to 140 if `EVERCRED_EVERY_WIDTH` is set; otherwise some of them, different ones for each text.
fn widths(seed: usize) -> Vec<usize> {
    let every = std::env::var_os("EVERCRED_EVERY_WIDTH").is_some();
    (40..=140).filter(|width| every || [80, 100, 120].contains(width) || (width + seed).is_multiple_of(23)).collect()
}

/// Texts whose broken form does not show how to join its lines, each with the reason.
const EXCEPTIONS: [(&str, &str); 3] = [
    (
        "docker-compose-wrapped.toml",
        "each line begins with the name of a service; if a console breaks it, only some do",
    ),
    (
        "terraform-backend-expired-in-a-pipeline.toml",
        "the text has a box of its own, whose border is on some lines only after a console broke them",
    ),
    (
        "granted-onecred",
        "the text has lines of a console already, and a second one with another width broke them again",
    ),
];

#[test]
fn a_text_that_a_console_broke_gives_the_same_answer() {
    let (mut all, mut wrong) = (0_usize, Vec::new());
    let is_exception = |name: &str| EXCEPTIONS.iter().any(|(known, why)| *known == name && !why.is_empty());
    let only = std::env::var("EVERCRED_ONLY_TEXT").unwrap_or_default();
    let texts = texts();
    let texts = texts.iter().enumerate().filter(|(_, (name, _))| !is_exception(name) && name.contains(&only));
    for (seed, (name, text)) in texts {
        let whole = answer(text);
        for width in widths(seed) {
            for how in [Broken::InsideWords, Broken::AtBlanks] {
                let dress = DRESSES[(seed + width) % DRESSES.len()];
                let lines = broken(text, width, how);
                if lines.len() == text.lines().count() {
                    continue;
                }
                all += 1;
                let text = dressed(&lines, width, dress);
                let said = answer(&text);
                if said != whole {
                    wrong.push(format!("{name} at {width} {how:?} {dress:?}: {said}\n  not {whole}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {all} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// RFC 3986, section 2.1.
pub(crate) fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[test]
fn a_percent_encoded_text_that_a_console_broke_gives_the_same_answer() {
    for text in [
        "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.",
        "An error occurred (SignatureDoesNotMatch) when calling the ListUsers operation: Signature expired: 20261125T120000Z is now \
         earlier than 20261125T121500Z (20261125T123000Z - 15 min.)",
        "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::111122223333:role/Admin",
    ] {
        let (whole, encoded) = (answer(text), percent_encoded(text));
        for width in 40..=140 {
            let lines = broken_line(&encoded, width, Broken::InsideWords);
            assert_eq!(answer(&dressed(&lines, width, Dress::Plain)), whole, "{width}: {encoded}");
        }
    }
}

#[test]
fn the_profile_and_the_error_in_a_json_string_are_those_of_the_text() {
    let named = |text: &str| {
        let document = explain(&scan(text), &Report::default(), &LocalContext::default()).document();
        (document["code"].clone(), document["errors"][0]["causes"][0]["id"].clone(), scan(text)[0].profile.clone())
    };
    for text in [
        "botocore.exceptions.InvalidConfigError: The source profile \"base\" must have credentials.",
        "failed to get shared config profile, staging",
        "Error:\nAWS provider credentials not found.",
    ] {
        let whole = named(text);
        assert!(!whole.0.is_null(), "{text}");
        let line = serde_json::json!({"level": "error", "msg": text}).to_string();
        assert_eq!(named(&line), whole, "{line}");
    }
}
