//! Puts variables into `[environment]` of a settings file, and takes them out again: every other byte stays.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::core::settings::Settings;

const HEADER: &str = "[environment]\n";

/// A settings file's new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// What was put before the section's header, where there was no such section.
    pub made_section: Option<String>,
}

/// Adds variables, or gives them new values.
///
/// # Errors
/// A sentence: the text is no settings file, or its section is written in a form that has no lines to add to.
pub fn store(text: &str, values: &BTreeMap<String, String>) -> Result<Edited, String> {
    if values.is_empty() {
        return Ok(Edited { text: text.to_owned(), made_section: None });
    }
    let section = Section::find(text)?;
    let mut new = text.to_owned();
    let mut lines = String::new();
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for (name, value) in values {
        let quoted = quoted(value);
        match section.as_ref().and_then(|section| section.entries.get(name)) {
            Some(entry) => changes.push((entry.value.clone(), quoted)),
            None => lines.push_str(&format!("{} = {quoted}\n", key(name))),
        }
    }
    let mut made_section = None;
    match &section {
        Some(section) if !lines.is_empty() => {
            let at = line_end(text, section.end);
            // The last line of a file may lack its end.
            let before = if text[..at].ends_with('\n') { "" } else { "\n" };
            changes.push((at..at, format!("{before}{lines}")));
        }
        Some(_) => {}
        None => {
            let separator = match text {
                "" => "",
                text if text.ends_with('\n') => "\n",
                _ => "\n\n",
            };
            changes.push((text.len()..text.len(), format!("{separator}{HEADER}{lines}")));
            made_section = Some(separator.to_owned());
        }
    }
    changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, replacement) in changes {
        new.replace_range(range, &replacement);
    }
    Settings::parse(&new).map_err(|error| format!("the settings would not be right any more: {}", error.message()))?;
    Ok(Edited { text: new, made_section })
}

/// Takes variables out whose values are still as `is_ours` says, with the section if it was made for them and is empty then.
/// What shares its line with anything else stays.
///
/// # Errors
/// A sentence, as for [`store`].
pub fn remove(text: &str, is_ours: &dyn Fn(&str, &str) -> bool, made_section: Option<&str>) -> Result<String, String> {
    let Some(section) = Section::find(text)? else { return Ok(text.to_owned()) };
    let mut new = text.to_owned();
    let mut ours: Vec<&Entry> =
        section.entries.iter().filter(|(name, entry)| is_ours(name, &entry.text)).map(|(_, entry)| entry).collect();
    ours.retain(|entry| {
        let line = line_start(text, entry.key.start)..line_end(text, entry.value.end);
        text[line.start..entry.key.start].trim().is_empty() && text[entry.value.end..line.end].trim().is_empty()
    });
    ours.sort_by_key(|entry| std::cmp::Reverse(entry.key.start));
    for entry in &ours {
        new.replace_range(line_start(text, entry.key.start)..line_end(text, entry.value.end), "");
    }
    if let Some(separator) = made_section.filter(|_| ours.len() == section.entries.len()) {
        let whole = format!("{separator}{HEADER}");
        let start = section.header.saturating_sub(separator.len());
        if new[start..].starts_with(&whole) {
            new.replace_range(start..start + whole.len(), "");
        }
    }
    Settings::parse(&new).map_err(|error| format!("the settings would not be right any more: {}", error.message()))?;
    Ok(new)
}

/// `[environment]`, as a table with a header of its own.
struct Section {
    /// Where the header's line begins.
    header: usize,
    /// Where the last entry, or else the header, ends.
    end: usize,
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    key: Range<usize>,
    value: Range<usize>,
    text: String,
}

impl Section {
    fn find(text: &str) -> Result<Option<Self>, String> {
        Settings::parse(text).map_err(|error| error.message())?;
        let table = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
        let Some((name, value)) = table.get_ref().iter().find(|(key, _)| *key.get_ref() == "environment") else {
            return Ok(None);
        };
        let DeValue::Table(inner) = value.get_ref() else { return Ok(None) };
        let header = line_start(text, name.span().start);
        let header_end = line_end(text, name.span().end);
        let line = text[header..header_end].split('#').next().unwrap_or_default().trim();
        if !(line.starts_with('[') && line.ends_with(']')) {
            let message = "[environment] is written in one line with its values, which has no place for more: give it a line \
                           \"[environment]\" of its own, and each variable one below it";
            return Err(message.to_owned());
        }
        let entry = |key: Range<usize>, value: Range<usize>, text: &str| Entry { key, value, text: text.to_owned() };
        let entries: BTreeMap<String, Entry> = inner
            .iter()
            .filter_map(|(key, value)| match value.get_ref() {
                DeValue::String(text) => Some((key.get_ref().to_string(), entry(key.span(), value.span(), text))),
                _ => None,
            })
            .collect();
        let end = entries.values().map(|entry| entry.value.end).max().unwrap_or(name.span().end);
        Ok(Some(Self { header, end, entries }))
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A JSON string is a basic string of TOML too, as long as it has no DEL in it.
fn quoted(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn stored(text: &str, pairs: &[(&str, &str)]) -> String {
        store(text, &values(pairs)).unwrap().text
    }

    #[test]
    fn variables_are_added_where_they_belong_and_nothing_else_moves() {
        assert_eq!(stored("", &[("A", "1")]), "[environment]\nA = \"1\"\n");
        assert_eq!(
            stored("[renew]\nprofiles = \"all\"", &[("A", "1")]),
            "[renew]\nprofiles = \"all\"\n\n[environment]\nA = \"1\"\n"
        );
        assert_eq!(
            stored("[environment] # mine\nB = '2' # two\n\n[clock]\nntp = []\n", &[("A", "a\"b\\"), ("B", "3")]),
            "[environment] # mine\nB = \"3\" # two\nA = \"a\\\"b\\\\\"\n\n[clock]\nntp = []\n"
        );
        assert_eq!(
            stored("[environment]\n# nothing\n[clock]\n", &[("A", "1")]),
            "[environment]\nA = \"1\"\n# nothing\n[clock]\n"
        );
        assert_eq!(stored("[environment]\nB = \"2\"", &[("A", "1")]), "[environment]\nB = \"2\"\nA = \"1\"\n");
    }

    #[test]
    fn a_form_without_lines_is_refused_with_what_to_write() {
        for text in ["environment = { A = \"1\" }\n", "environment.A = \"1\"\n"] {
            assert!(store(text, &values(&[("B", "2")])).unwrap_err().contains("a line \"[environment]\" of its own"));
        }
        assert!(store("renew = 3\n", &values(&[("B", "2")])).is_err());
    }

    #[test]
    fn only_what_is_ours_and_alone_on_its_line_is_taken_away() {
        let text = "[environment]\nA = \"1\"\nB = \"2\" # why\nC = \"3\"\n";
        let removed = remove(text, &|name, value| name != "C" || value == "4", None).unwrap();
        assert_eq!(removed, "[environment]\nB = \"2\" # why\nC = \"3\"\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_stored_and_taken_away_leaves_every_byte_as_it_was(
            lines in proptest::collection::vec(prop_oneof![
                Just("# a comment with [environment]\n"), Just("\n"), Just("renew.profiles = \"all\"\n"), Just("renew.used_within = '3h' # é\n"),
            ], 0..6),
            own in prop_oneof![Just(""), Just("[environment]\n"), Just("\t[ environment ] # x\nOWN = '1'\n"), Just("[environment]\nOWN = \"\"\"a\nb\"\"\"\n\n# end\n")],
            rest in prop_oneof![Just(""), Just("[clock]\nntp = []\n"), Just("[[profile]]\nname = \"x\"\n"), Just("[clock]\nprobe = true")],
            new in proptest::collection::btree_map("[A-Z]{1,3}|a\\.b", "[ -~é]{0,9}", 1..4),
        ) {
            let mut seen = Vec::new();
            let text: String = lines.into_iter().filter(|line| !line.starts_with("renew") || { let new = !seen.contains(line); seen.push(line); new }).collect();
            let text = text + own + rest;
            let edited = store(&text, &new).unwrap();
            let environment = Settings::parse(&edited.text).unwrap().environment;
            for (name, value) in &new {
                prop_assert_eq!(environment.get(name), Some(value));
            }
            prop_assert_eq!(environment.contains_key("OWN"), own.contains("OWN"));
            let back = remove(&edited.text, &|name, value| new.get(name).is_some_and(|new| new == value), edited.made_section.as_deref()).unwrap();
            // A last line without an end gets one when something is put behind it.
            prop_assert!(back == text || back == text.clone() + "\n" && edited.made_section.is_none(), "{:?}\n{:?}\n{:?}", text, edited.text, back);
            // Storing the same again changes nothing.
            prop_assert_eq!(store(&edited.text, &new).unwrap().text, edited.text);
        }
    }
}
