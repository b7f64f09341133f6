//! Section headers: kind and name.

use super::read::Kind;
use super::{is_blank, is_invisible};
use crate::core::clients::{Construct, Reading};
use crate::core::profile::{BrokenName, SourceFile};

/// A word of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Without its quotes.
    pub(super) text: String,
    /// It was at least partly quoted.
    quoted: bool,
}

/// The words of a text, quotes removed as a POSIX shell does; `None` where a quote is not closed. Python's `shlex` splits at ASCII
/// blanks only; a no-break space is as good, as nobody means it to be part of a name.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if is_blank(c) {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert(Word { text: String::new(), quoted: false });
        match c {
            '\'' => {
                word.quoted = true;
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.text.push(c),
                    }
                }
            }
            '"' => {
                word.quoted = true;
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => match rest.next()? {
                            c @ ('"' | '\\') => word.text.push(c),
                            c => word.text.extend(['\\', c]),
                        },
                        c => word.text.push(c),
                    }
                }
            }
            '\\' => word.text.push(rest.next()?),
            c => word.text.push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// The meaning of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A section of a kind and a name.
    Section(Kind, String),
    /// `[DEFAULT]`: Python's `configparser` adds its settings to every section of the file.
    Defaults,
    /// An ignored section, and why, as a sentence; `None` if the user need not know.
    Ignored(Option<String>),
}

/// Reads the text between the brackets of a header.
pub(super) fn header(file: SourceFile, text: &str) -> Header {
    let text = text.trim_matches(is_blank);
    match file {
        SourceFile::Credentials => of_credentials(text),
        SourceFile::Config | SourceFile::Settings => of_config(text),
    }
}

fn ignored(text: &str, why: &str) -> Header {
    Header::Ignored(Some(format!("[{text}] is ignored: {why}")))
}

fn of_config(text: &str) -> Header {
    if text == "default" {
        return Header::Section(Kind::Profile, text.to_owned());
    }
    if text == "DEFAULT" {
        return Header::Defaults;
    }
    let Some(words) = words(text) else { return ignored(text, "it has an unclosed quote") };
    let kinds = [("profile", Kind::Profile), ("sso-session", Kind::SsoSession), ("services", Kind::Services)];
    // By the beginning alone, as botocore does.
    let kind = kinds.into_iter().find(|(prefix, _)| text.starts_with(prefix));
    match (kind, words.as_slice()) {
        (Some((prefix, kind)), [_, name]) => {
            if name.text.is_empty() {
                ignored(text, "the name is empty")
            } else if name.text.contains('!') && !name.quoted {
                ignored(text, &format!("write a name with \"!\" in quotes: [{prefix} '{}']", name.text))
            } else {
                Header::Section(kind, name.text.clone())
            }
        }
        (Some((prefix, _)), [_, _, ..]) => {
            let name = text.split_once(is_blank).map_or(text, |(_, name)| name.trim_matches(is_blank));
            ignored(text, &format!("write a name with blanks in quotes: [{prefix} {}]", in_quotes(name)))
        }
        // Sections of the AWS CLI itself.
        (None, [word]) if ["plugins", "preview"].contains(&word.text.as_str()) => Header::Ignored(None),
        (_, [word]) => ignored(text, &of_one_word(&word.text, word.quoted)),
        (_, []) => ignored(text, "it has no name"),
        (None, [prefix, ..]) => {
            let meant = KINDS.into_iter().find(|kind| prefix.text.to_lowercase().replace('_', "-") == *kind);
            let meant = meant.map(|kind| format!(": write \"{kind}\"")).unwrap_or_default();
            ignored(text, &format!("unknown section type \"{}\"{meant}", prefix.text))
        }
    }
}

const KINDS: [&str; 3] = ["profile", "sso-session", "services"];

/// The name in a line that is a header with a fault.
pub(super) fn broken_name(file: SourceFile, line: &str) -> BrokenName {
    const UNREADABLE: char = char::REPLACEMENT_CHARACTER;
    let text = line.trim_start_matches(|c| is_blank(c) || is_invisible(c) || c == UNREADABLE);
    let text = text.strip_prefix('[').unwrap_or(text).trim_start_matches(is_blank);
    let end = text.find([']', UNREADABLE]);
    let is_cut = end.is_none_or(|end| text[end..].starts_with(UNREADABLE));
    let text = &text[..end.unwrap_or(text.len())];
    let name = match text.split_once(is_blank) {
        Some((kind, name)) if KINDS.contains(&kind) => name.trim_start_matches(is_blank),
        // The kind itself is cut.
        None if is_cut && file == SourceFile::Config && KINDS.iter().any(|kind| kind.starts_with(text)) => "",
        _ => text,
    };
    let name = name.trim_matches(|c| is_blank(c) || matches!(c, '\'' | '"'));
    // Without a bracket, other text may follow.
    let name =
        if is_cut { name.split(|c| is_blank(c) || "#;'\"".contains(c)).next().unwrap_or_default() } else { name };
    BrokenName { text: name.to_owned(), is_cut }
}

/// Whether a line above the first section may be a header without brackets.
pub(super) fn is_bare_header(line: &str) -> bool {
    let first = line.split(is_blank).find(|word| !word.is_empty()).unwrap_or_default();
    let is_kind = KINDS.contains(&first) || first.trim_end_matches(']') == "default";
    is_kind && !line.contains(['=', ':'])
}

/// Why a one-word header of the config file is ignored.
fn of_one_word(word: &str, is_quoted: bool) -> String {
    if KINDS.contains(&word) {
        return format!("the name is missing: [{word} NAME]");
    }
    if word.eq_ignore_ascii_case("default") {
        return "the default profile is written [default]".to_owned();
    }
    match word.split_once(is_blank) {
        Some((kind, name)) if KINDS.contains(&kind) => {
            format!("put only the name in quotes: [{kind} {}]", in_quotes(name.trim_matches(is_blank)))
        }
        _ if is_quoted => format!("in the config file, write [profile {}]", in_quotes(word)),
        _ => format!("in the config file, write [profile {word}]"),
    }
}

/// A name as in a header: quoted if necessary.
fn in_quotes(name: &str) -> String {
    let quote = if name.contains('\'') { '"' } else { '\'' };
    let is_plain = !name.is_empty() && !name.contains(|c: char| is_blank(c) || "'\"\\!".contains(c));
    if is_plain { name.to_owned() } else { format!("{quote}{name}{quote}") }
}

fn of_credentials(text: &str) -> Header {
    if let Some((prefix, name)) = text.split_once(is_blank) {
        let name = name.trim_matches(is_blank);
        return match prefix {
            "profile" => {
                let name = name.trim_matches(['"', '\'']);
                ignored(text, &format!("in the credentials file, use [{name}] without the word \"profile\""))
            }
            "sso-session" | "services" => ignored(text, "such a section belongs in the config file"),
            // As botocore reads it: with its quotes.
            _ if words(text).is_some_and(|words| words.len() == 1) => Header::Section(Kind::Profile, text.to_owned()),
            _ => {
                let name = in_quotes(text);
                ignored(
                    text,
                    &format!(
                        "only {} read names with blanks in the credentials file. For other programs rename it, or move \
                         the settings to [profile {name}] in the config file",
                        Construct::NameWithBlank.clients(Reading::Otherwise).join(", ")
                    ),
                )
            }
        };
    }
    match text {
        "" => ignored(text, "the name is empty"),
        "DEFAULT" => Header::Defaults,
        _ => Header::Section(Kind::Profile, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::profile::{HiddenNames, Lost, Origin, Problem};

    fn of(text: &str) -> Option<(Kind, String)> {
        match header(SourceFile::Config, text) {
            Header::Section(kind, name) => Some((kind, name)),
            _ => None,
        }
    }

    #[test]
    fn quotes_around_a_name_are_removed() {
        for (text, name) in [
            ("profile \"x\"", "x"),
            ("profile 'x y'", "x y"),
            ("profile 'My Corp.Admin'", "My Corp.Admin"),
            ("profile \"a\\\"b\"", "a\"b"),
            ("profile é", "é"),
            ("profile c,d", "c,d"),
            ("profile\u{a0}x\u{a0}", "x"),
            ("profile 'foo!bar'", "foo!bar"),
        ] {
            assert_eq!(of(text), Some((Kind::Profile, name.to_owned())), "{text}");
        }
        assert_eq!(of("sso-session 'My Corp Ltd'"), Some((Kind::SsoSession, "My Corp Ltd".to_owned())));
        for text in ["profile o'brien", "profile in valid", "profile ''", "profile foo!bar", "x", ""] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_header_that_is_ignored_is_shown_as_it_is_to_be_written() {
        for (text, wanted) in [
            ("dev", "[profile dev]"),
            ("profile", "[profile NAME]"),
            ("services", "[services NAME]"),
            ("Default", "[default]"),
            ("\"profile dev\"", "[profile dev]"),
            ("'sso-session My Corp'", "[sso-session 'My Corp']"),
            ("'my dev'", "[profile 'my dev']"),
            ("Profile dev", "\"profile\""),
            ("sso_session corp", "\"sso-session\""),
            ("profile a b", "[profile 'a b']"),
        ] {
            let Header::Ignored(Some(why)) = header(SourceFile::Config, text) else { panic!("{text}") };
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }

    fn hidden_by(file: SourceFile, line: &str) -> HiddenNames {
        let lost = Lost::Section(broken_name(file, line));
        HiddenNames::of(&[Problem::fatal(Origin::whole(file), "", lost, None)])
    }

    #[test]
    fn a_broken_header_shows_which_names_it_may_have() {
        for (line, may_be, is_not) in [
            ("[profile dev", &["dev", "dev-eu"][..], &["de", "x"][..]),
            ("[profile dev # note", &["dev"], &["x"]),
            ("[profile 'my corp", &["my corp"], &["x"]),
            ("[profile", &["dev", "x"], &[]),
            ("[pro", &["dev"], &[]),
            ("[", &["dev"], &[]),
            ("[dev", &["dev"], &["x"]),
            ("profile dev]", &["dev"], &["dev-eu", "x"]),
            ("\u{feff}[sso-session 'My Corp'] # note", &["My Corp"], &["My", "x"]),
            ("\u{fffd}\u{fffd}[profile dev]", &["dev"], &["dev-eu"]),
            ("[profile caf\u{fffd}]", &["café"], &["x"]),
        ] {
            let hidden = hidden_by(SourceFile::Config, line);
            assert!(may_be.iter().all(|name| hidden.first(name).is_some()), "{line}: {hidden:?}");
            assert!(!is_not.iter().any(|name| hidden.first(name).is_some()), "{line}: {hidden:?}");
        }
        let of_credentials = hidden_by(SourceFile::Credentials, "[pro");
        assert!(of_credentials.first("dev").is_none(), "the credentials file has profiles only");
    }

    #[test]
    fn a_name_in_the_credentials_file_has_no_blanks() {
        let name = |text: &str| match header(SourceFile::Credentials, text) {
            Header::Section(_, name) => Ok(name),
            Header::Ignored(why) => Err(why.unwrap_or_default()),
            Header::Defaults => Err(String::new()),
        };
        assert_eq!(name(" c,d ").as_deref(), Ok("c,d"));
        assert_eq!(name("é").as_deref(), Ok("é"));
        let why = name("Foo Bar").unwrap_err();
        assert!(why.contains("[profile 'Foo Bar']") && !why.contains("belongs"), "{why}");
        assert!(name("sso-session x").unwrap_err().contains("config file"));
    }
}
