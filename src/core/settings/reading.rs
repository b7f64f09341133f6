//! Reads a settings file and reports every mistake in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Mistake, SettingsError};
use super::{Settings, overlay};

/// The number of mistakes that are listed.
const MOST: usize = 50;

impl Settings {
    /// Reads a settings file's text.
    ///
    /// # Errors
    /// Every unknown key, wrong type and impossible value, with its position.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let (settings, mistakes) = parse_all(text);
        match (settings, SettingsError::of(mistakes)) {
            (_, Some(error)) => Err(error),
            (Some(settings), None) => Ok(settings),
            (None, None) => Err(SettingsError::from(Mistake::at(text, 0..0, "this file can't be read".to_owned()))),
        }
    }

    /// Reads a settings file's bytes.
    ///
    /// # Errors
    /// Also every sequence of bytes that is not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, SettingsError> {
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
        let not_text = |(span, byte): &(Range<usize>, u8)| {
            Mistake::of_value(&text, span.clone(), format!("the byte 0x{byte:02X} is not valid UTF-8"))
        };
        let mut mistakes: Vec<Mistake> = bad.iter().take(MOST).map(not_text).collect();
        let others = parse_all(&text).1;
        let is_new = |other: &Mistake| !mistakes.iter().any(|mistake| mistake.line() == other.line());
        let others: Vec<Mistake> = others.into_iter().filter(is_new).collect();
        mistakes.extend(others);
        let unreadable = || SettingsError::from(Mistake::at(&text, 0..0, "the file is not UTF-8 text".to_owned()));
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

/// The readable settings, and the mistakes.
fn parse_all(text: &str) -> (Option<Settings>, Vec<Mistake>) {
    let (mut table, syntax) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = syntax.iter().take(MOST).map(|error| Mistake::new(text, error)).collect();
    let mut settings = None;
    // serde stops at the first mistake: record it, remove it, and read the rest again.
    while mistakes.len() < MOST {
        let error = match Settings::deserialize(toml::de::Deserializer::from(table.clone())) {
            Ok(read) => {
                settings = Some(read);
                break;
            }
            Err(error) => error,
        };
        note(&mut mistakes, Mistake::new(text, &error), &syntax);
        if !error.span().is_some_and(|span| remove(table.get_mut(), &span)) {
            break;
        }
    }
    let room = MOST.saturating_sub(mistakes.len());
    for mistake in contradictions(text, table.get_ref(), room) {
        note(&mut mistakes, mistake, &syntax);
    }
    if let Some(settings) = &mut settings {
        settings.profile_lines = overlay::lines(text, &settings.profile);
    }
    (settings, mistakes)
}

/// Adds a mistake, unless it is listed already or may follow from a syntax error in its line.
fn note(mistakes: &mut Vec<Mistake>, new: Mistake, syntax: &[toml::de::Error]) {
    let is_known = |mistake: &Mistake| mistake.line() == new.line() && (!syntax.is_empty() || *mistake == new);
    if !mistakes.iter().any(is_known) {
        mistakes.push(new);
    }
}

/// Removes the innermost key or list item of a mistake; `false` if there is none.
fn remove(table: &mut DeTable<'_>, place: &Range<usize>) -> bool {
    if table.iter_mut().any(|(_, value)| remove_inside(value, place)) {
        return true;
    }
    let key = table.iter().find(|(key, value)| covers(&key.span(), place) || covers(&value.span(), place));
    match key.map(|(key, _)| key.clone()) {
        // The one mandatory setting would then be missing.
        Some(key) if key.get_ref() == "name" && table.get(&key).is_some_and(|name| !is_unreadable(name)) => {
            table.get_mut(&key).map(|name| *name.get_mut() = unreadable()).is_some()
        }
        Some(key) => table.remove(&key).is_some(),
        None => false,
    }
}

fn is_unreadable(name: &Spanned<DeValue<'_>>) -> bool {
    matches!(name.get_ref(), DeValue::String(name) if name.as_ref() == UNREADABLE)
}

/// The replacement for an unusable name.
const UNREADABLE: &str = "\u{fffd}";

fn unreadable() -> DeValue<'static> {
    DeValue::String(UNREADABLE.into())
}

fn remove_inside(value: &mut Spanned<DeValue<'_>>, place: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, place),
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| remove_inside(item, place)) {
                return true;
            }
            let before = items.len();
            *items = std::mem::replace(items, DeArray::new())
                .into_iter()
                .filter(|item| !covers(&item.span(), place))
                .collect();
            items.len() < before
        }
        _ => false,
    }
}

fn covers(span: &Range<usize>, place: &Range<usize>) -> bool {
    span.start <= place.start && place.end <= span.end
}

/// Mistakes that the types of the values don't exclude: at most so many of each kind.
fn contradictions(text: &str, table: &DeTable<'_>, most: usize) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(DeValue::Array(profiles)) = table.get("profile").map(Spanned::get_ref) {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for profile in profiles.iter() {
            let DeValue::Table(profile) = profile.get_ref() else { continue };
            let Some((key, value)) = profile.get_key_value("name") else { continue };
            let DeValue::String(name) = value.get_ref() else { continue };
            let is_new = names.insert(name);
            if !is_new && !is_unreadable(value) && mistakes.len() < most {
                let message = format!("there is already a [[profile]] \"{name}\"");
                mistakes.push(Mistake::at(text, key.span(), message));
            }
        }
    }
    if let Some(DeValue::Table(variables)) = table.get("environment").map(Spanned::get_ref) {
        let mut of_variables = 0;
        for (name, value) in variables.iter() {
            let has_nul = matches!(value.get_ref(), DeValue::String(value) if value.contains('\0'));
            if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) || has_nul {
                if of_variables == most {
                    break;
                }
                of_variables += 1;
                // With such a variable no process can start.
                let message = "a variable needs a name without \"=\" and a value without NUL characters";
                mistakes.push(Mistake::at(text, name.span(), message.to_owned()).without_the_line());
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
        assert_eq!(lines, [1, 3, 4, 5, 7, 10, 11, 12, 13, 18, 19, 22, 23], "{}", error.render("f"));
        let ntp = error.mistakes()[2].render("f");
        assert!(ntp.contains("a b") && ntp.contains("c d"), "{ntp}");
        let shown = error.render("f");
        assert_eq!(shown.matches("f:").count(), lines.len(), "{shown}");
        assert!(!shown.contains("planted"), "{shown}");
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
