//! Reads a settings file and reports every mistake in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Mistake, SettingsError};
use super::places::Places;
use super::search::{self, is_unreadable};
use super::{Settings, Span, overlay};
use crate::core::plan::CREDENTIAL_SOURCES;
use crate::core::plan::session_length::{LONGEST_OF_ROLE, LONGEST_OF_USER};

impl Settings {
    /// Reads a settings file's text.
    ///
    /// # Errors
    /// Every unknown key, wrong type and impossible value, with its position.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let places = Places::of(text);
        let (settings, mistakes) = parse_all(&places);
        match (settings, SettingsError::of(mistakes)) {
            (_, Some(error)) => Err(error),
            (Some(settings), None) => Ok(settings),
            (None, None) => Err(SettingsError::from(Mistake::at(&places, 0..0, "this file can't be read".to_owned()))),
        }
    }

    /// Reads a settings file's bytes.
    ///
    /// # Errors
    /// Also each line that is not UTF-8. A file that is not text has one mistake.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, SettingsError> {
        if let Some(mistake) = not_text(bytes) {
            return Err(SettingsError::from(mistake));
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::parse(text);
        }
        // A replacement character for each bad sequence keeps the rest readable and the columns as in an editor.
        let mut text = String::with_capacity(bytes.len());
        let mut bad = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if let Some(byte) = chunk.invalid().first() {
                bad.push((text.len()..text.len() + char::REPLACEMENT_CHARACTER.len_utf8(), *byte));
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        let places = Places::of(&text);
        // The first in a line stands for the others in it.
        bad.dedup_by_key(|(span, _)| places.line_of(span.start));
        let not_utf8 = |(span, byte): (Range<usize>, u8)| {
            Mistake::of_value(&places, span, format!("the byte 0x{byte:02X} is not valid UTF-8"))
        };
        let mut mistakes: Vec<Mistake> = bad.into_iter().map(not_utf8).collect();
        let lines: BTreeSet<usize> = mistakes.iter().map(Mistake::line).collect();
        mistakes.extend(parse_all(&places).1.into_iter().filter(|other| !lines.contains(&other.line())));
        let unreadable = || SettingsError::from(Mistake::at(&places, 0..0, "the file is not UTF-8 text".to_owned()));
        Err(SettingsError::of(mistakes).unwrap_or_else(unreadable))
    }

    /// The defaults with the readable part of `[environment]` of a file with mistakes, which sets the paths of other files.
    pub fn of_environment(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (table, _) = DeTable::parse_recoverable(&text);
        Self { environment: environment(table.get_ref()), ..Self::default() }
    }
}

/// The texts of `[environment]`.
fn environment(table: &DeTable<'_>) -> BTreeMap<String, String> {
    let Some(DeValue::Table(variables)) = table.get("environment").map(Spanned::get_ref) else {
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    for (name, value) in variables.iter() {
        if let DeValue::String(value) = value.get_ref() {
            environment.insert(name.get_ref().to_string(), value.to_string());
        }
    }
    environment
}

/// The mistake of a file that is not text at all.
fn not_text(bytes: &[u8]) -> Option<Mistake> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Some(Mistake::not_text(1, 1, "this file is UTF-16: save it as UTF-8".to_owned()));
    }
    let nul = bytes.iter().position(|byte| *byte == 0)?;
    let before = bytes.get(..nul).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
    let number = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(line).chars().count() + 1;
    Some(Mistake::not_text(number, column, "this file is not text: it contains a NUL byte".to_owned()))
}

/// The readable settings, and the mistakes.
fn parse_all(places: &Places<'_>) -> (Option<Settings>, Vec<Mistake>) {
    let (table, syntax) = DeTable::parse_recoverable(places.text);
    let mut mistakes = Mistakes { listed: Vec::new(), by_line: BTreeMap::new(), one_per_line: !syntax.is_empty() };
    for error in &syntax {
        mistakes.note(Mistake::new(places, error));
    }
    let mut settings = Settings::deserialize(toml::de::Deserializer::from(table.clone())).ok();
    if settings.is_none() {
        for error in search::errors(table.get_ref()) {
            mistakes.note(Mistake::new(places, &error));
        }
    }
    for mistake in contradictions(places, table.get_ref()) {
        mistakes.note(mistake);
    }
    if let Some(settings) = &mut settings {
        settings.profile_lines = overlay::lines(places, &settings.profile);
    }
    (settings, mistakes.listed)
}

/// The mistakes so far.
struct Mistakes {
    listed: Vec<Mistake>,
    /// The indices of those in each line.
    by_line: BTreeMap<usize, Vec<usize>>,
    /// Set where the text is no TOML: other mistakes in a line may follow from its syntax error.
    one_per_line: bool,
}

impl Mistakes {
    /// Adds a mistake, unless it is listed already or may follow from another one.
    fn note(&mut self, new: Mistake) {
        let in_line = self.by_line.entry(new.line()).or_default();
        let is_known = |at: &usize| self.one_per_line || self.listed.get(*at) == Some(&new);
        if !in_line.iter().any(is_known) {
            in_line.push(self.listed.len());
            self.listed.push(new);
        }
    }
}

/// Values of a `[[profile]]` that no role has.
fn source_mistakes(places: &Places<'_>, profile: &DeTable<'_>) -> Vec<Mistake> {
    let text = |name: &str| {
        let (key, value) = profile.get_key_value(name)?;
        match value.get_ref() {
            DeValue::String(text) if !is_unreadable(value) => Some((key.span(), text.as_ref())),
            _ => None,
        }
    };
    let mut mistakes = Vec::new();
    if let Some((span, source)) = text("credential_source") {
        if !CREDENTIAL_SOURCES.contains(&source) {
            let message = format!("credential_source is one of {}", CREDENTIAL_SOURCES.join(", "));
            mistakes.push(Mistake::at(places, span, message));
        } else if text("source_profile").is_some() {
            let message = "a profile has a source_profile or a credential_source, not both".to_owned();
            mistakes.push(Mistake::at(places, span, message));
        }
    }
    let duration = text("duration").and_then(|(span, text)| Some((span, Span::read(text)?)));
    if let Some((span, duration)) = duration.filter(|_| text("role_arn").is_some())
        && duration.get().num_seconds() > i64::from(LONGEST_OF_ROLE)
        && duration.get().num_seconds() <= i64::from(LONGEST_OF_USER)
    {
        let message = format!("AWS gives no role a session of {}: it is 15m to 12h", duration.quoted());
        mistakes.push(Mistake::at(places, span, message));
    }
    mistakes
}

/// Mistakes that the types of the values don't exclude.
fn contradictions(places: &Places<'_>, table: &DeTable<'_>) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(DeValue::Array(profiles)) = table.get("profile").map(Spanned::get_ref) {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for profile in profiles.iter() {
            let DeValue::Table(profile) = profile.get_ref() else { continue };
            mistakes.extend(source_mistakes(places, profile));
            let Some((key, value)) = profile.get_key_value("name") else { continue };
            let DeValue::String(name) = value.get_ref() else { continue };
            let is_new = names.insert(name);
            if !is_new && !is_unreadable(value) {
                let message = format!("there is already a [[profile]] \"{name}\"");
                mistakes.push(Mistake::at(places, key.span(), message));
            }
        }
    }
    if let Some(DeValue::Table(variables)) = table.get("environment").map(Spanned::get_ref) {
        for (name, value) in variables.iter() {
            let has_nul = matches!(value.get_ref(), DeValue::String(value) if value.contains('\0'));
            if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) || has_nul {
                // With such a variable no process can start.
                let message = "a variable needs a name without \"=\" and a value without NUL characters";
                mistakes.push(Mistake::at(places, name.span(), message.to_owned()).without_the_line());
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(error: &SettingsError) -> Vec<(usize, usize)> {
        error.mistakes().iter().map(|mistake| (mistake.line(), mistake.column())).collect()
    }

    #[test]
    fn every_mistake_is_listed_in_the_order_of_the_file() {
        let text = "keep = \"all\"\n\
                    [clock]\nwarn = 60\nntp = [\"a b\", \"time.aws.com\", \"c d\"]\nprob = true\n\
                    [renew]\nbefore = \"soon\"\njitter = \"1m\"\n\
                    [[profile]]\nname = \"a b\"\nregin = \"r\"\nduration = \"1s\"\n\
                    [[profile]]\nregion = \"r\"\n\
                    [[profile]]\nname = \"x\"\n[[profile]]\nname = \"x\"\n\
                    [endpoint]\nlisten = \"off\"\n\
                    [environment]\nA = 3\n\"B=\" = \"planted\"\n";
        let error = Settings::parse(text).err().unwrap();
        let lines: Vec<usize> = error.mistakes().iter().map(|mistake| mistake.line()).collect();
        assert_eq!(lines, [1, 3, 4, 4, 5, 7, 10, 11, 12, 13, 18, 19, 22, 23], "{}", error.render("f"));
        assert_eq!((error.mistakes()[2].column(), error.mistakes()[3].column()), (8, 31));
        let shown = error.render("f");
        assert_eq!(shown.matches("f:").count(), lines.len(), "{shown}");
        assert!(!shown.contains("planted"), "{shown}");
    }

    #[test]
    fn a_secret_in_the_place_of_any_value_is_shown_by_no_mistake() {
        const SECRET: &str = "wJalrXUtnFEMIqK7MDENGtbPxRfiCYaBcDeFgPLANT";
        for text in [
            format!("[[profile]]\nname = 'x'\naws_secret_access_key = \"{SECRET}\"\n"),
            format!("aws_secret_access_key = {SECRET}\n"),
            format!("mfa_process = prog --secret {SECRET}\n"),
            format!("[[profile]]\nname = 'x'\nmfa_process = \"prog --secret {SECRET}\n"),
            format!("[[profile]]\nname = 'x'\nduration = \"{SECRET}\"\n"),
            format!("[[profile]]\nname = 'x'\nduration = \"PLANT2/{SECRET}\"\n"),
            format!("[clock]\nwarn = \"{SECRET}\"\n"),
        ] {
            let error = Settings::parse(&text).err().unwrap();
            let shown = [error.render("f"), error.message(), error.list_first(9, "f").join("\n")].join("\n");
            assert!(!shown.contains(SECRET), "{shown}");
        }
    }

    #[test]
    fn mistakes_beside_text_that_is_no_toml_are_listed_too() {
        let error = Settings::parse("[renew]\nbefore = \n[clock]\nwarn = \"soon\"\nprobe tru\n").err().unwrap();
        let lines: Vec<usize> = error.mistakes().iter().map(|mistake| mistake.line()).collect();
        assert_eq!(lines, [2, 4, 5], "{}", error.render("f"));
    }

    #[test]
    fn bytes_that_are_no_text_have_a_line_and_a_column() {
        let error = Settings::parse_bytes(b"# \xc3\xa9t\xe9\n[clock]\nwarn = \"x\"\n").err().unwrap();
        assert_eq!(places(&error), [(1, 5), (3, 8)], "{}", error.render("f"));
        assert!(error.message().contains("0xE9"));
        let error = Settings::parse_bytes(b"[environment]\nA = \"planted\xff\"\n").err().unwrap();
        assert_eq!(places(&error), [(2, 13)]);
        assert!(!error.render("f").contains("planted"));
        assert!(Settings::parse_bytes(b"[clock]\nprobe = false\n").is_ok());
    }

    #[test]
    fn no_number_of_mistakes_hides_one() {
        let many = 2_000;
        let lines = |line: &str| format!("{line}\n").repeat(many);
        let numbered = |line: &str| (0..many).map(|at| line.replace('@', &at.to_string())).collect::<String>();
        for (text, expected) in [
            (numbered("setting@ = 1\n"), many),
            (format!("[clock]\n{}", numbered("setting@ = 1\n")), many),
            (format!("[environment]\n{}", numbered("A@ = 1\n")), many),
            (format!("[environment]\n{}", numbered("\"A@=\" = \"\"\n")), many),
            (format!("[[profile]]\n{}", numbered("setting@ = 1\n")), many + 1),
            (numbered("[[profile]]\nname = \"p@\"\nregion = 3\nduration = \"1s\"\n"), 2 * many),
            (lines("[[profile]]"), many),
            (lines("[[profile]]\nname = \"a\""), many - 1),
            (format!("[renew]\nprofiles = [\n{}]\n", lines("3,")), many),
            (format!("[renew]\nprofiles = [\n{}]\n", lines("\"\",")), many),
            (format!("[clock]\nntp = [\n{}]\n", lines("\"a b\",")), many),
            (lines("no setting"), many),
            (lines("caf\u{e9} = 1"), many),
        ] {
            let error = Settings::parse(&text).err().unwrap();
            let start = &text[..40];
            assert_eq!(error.mistakes().len(), expected, "{start}");
            assert_eq!(error.render("f").matches("f:").count(), expected, "{start}");
        }
        let latin = b"# caf\xe9 caf\xe9\n".repeat(many);
        assert_eq!(Settings::parse_bytes(&latin).err().unwrap().mistakes().len(), many);
    }

    #[test]
    fn a_file_that_is_not_text_has_one_mistake() {
        let noise: Vec<u8> = (0..100_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (bytes, place) in [
            (&b"\xff\xfer\0e\0n\0e\0w\0"[..], (1, 1)),
            (b"[clock]\nwarn = \"\xc3\xa9\0\"\nprob = 1\n", (2, 10)),
            (b"r\0e\0n\0e\0w\0", (1, 2)),
            (&noise, (1, 1)),
        ] {
            let error = Settings::parse_bytes(bytes).err().unwrap();
            assert_eq!(places(&error), [place], "{}", error.render("f"));
            assert_eq!(error.render("f").lines().count(), 1, "{}", error.render("f"));
        }
    }

    #[test]
    fn a_long_value_makes_no_long_error() {
        let long = "x".repeat(1 << 20);
        for text in [
            format!("[renew]\nbefore = \"{long}\""),
            format!("{long} = 3"),
            format!("[clock]\nntp = [\"{long}\", \"a b\"]"),
            format!("[state]\npersist = \"é{long}é\""),
            format!("[clock]\nprobe = {long}"),
        ] {
            let shown = Settings::parse(&text).err().unwrap().render("f");
            assert!(shown.len() < 4_096, "{}: {}", &text[..20], shown.len());
        }
    }

    #[test]
    fn the_variables_of_a_file_with_mistakes_are_read() {
        let text = b"keep = 1\n[environment]\nAWS_CONFIG_FILE = \"/c\"\nA = 3\nB = \"x\n[clock]\nwarn = \xff\n";
        let variables = Settings::of_environment(text).environment;
        assert_eq!(variables.get("AWS_CONFIG_FILE").map(String::as_str), Some("/c"));
        assert!(!variables.contains_key("A"));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        use proptest::prelude::{ProptestConfig, proptest};
        proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                &b"\xff"[..], b"[clock]\n", b"[[profile]]\n", b"name = \"a\"\n", b"warn = ", b"3\n", b"\"", b"[", b"]", b"\n", b"=", b"{", b"}",
                b"ntp = [1, 2]\n", b"environment", b".", b"\xc3\xa9", b"keep = 1\n", b",", b"'''",
            ]), 0..30)
        )| {
            if let Err(error) = Settings::parse_bytes(&parts.concat()) {
                assert!(error.line() >= 1 && !error.render("f").is_empty());
                assert!(error.mistakes().is_sorted_by_key(|mistake| (mistake.line(), mistake.column())));
            }
        });
    }
}
