//! What a section header names.

use super::is_blank;
use super::read::Kind;
use crate::core::profile::SourceFile;

/// A word of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Without its quotes.
    pub(super) text: String,
    /// Some of it stood in quotes.
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

/// What a header opens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A section of a kind and a name.
    Section(Kind, String),
    /// `[DEFAULT]`: Python's `configparser` adds its settings to every section of the file.
    Defaults,
    /// Nothing that is read, and why; `None` where nothing has to be said.
    Ignored(Option<String>),
}

/// What the text between the brackets means in a file.
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
    let Some(words) = words(text) else { return ignored(text, "a quote in it is not closed") };
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
            let quote = if name.contains('\'') { '"' } else { '\'' };
            ignored(text, &format!("write a name with blanks in quotes: [{prefix} {quote}{name}{quote}]"))
        }
        // Sections of the AWS CLI itself.
        (None, [word]) if ["plugins", "preview"].contains(&word.text.as_str()) => Header::Ignored(None),
        (_, [_] | []) => ignored(text, &format!("in the config file a profile is written [profile {text}]")),
        (None, [prefix, ..]) => ignored(text, &format!("no program knows sections of the kind \"{}\"", prefix.text)),
    }
}

fn of_credentials(text: &str) -> Header {
    if let Some((prefix, name)) = text.split_once(is_blank) {
        let name = name.trim_matches(is_blank);
        return match prefix {
            "profile" => ignored(text, &format!("in the credentials file a profile is written [{name}]")),
            "sso-session" | "services" => ignored(text, "such a section belongs in the config file"),
            // As botocore reads it: with its quotes.
            _ if words(text).is_some_and(|words| words.len() == 1) => Header::Section(Kind::Profile, text.to_owned()),
            _ => {
                let quote = if text.contains('\'') { '"' } else { '\'' };
                ignored(
                    text,
                    &format!(
                        "a name in the credentials file has no blanks. boto3 and the AWS CLI alone read it; for other programs \
                         rename it, or move the settings to [profile {quote}{text}{quote}] in the config file"
                    ),
                )
            }
        };
    }
    match text {
        "" => ignored(text, "the name is empty"),
        _ => Header::Section(Kind::Profile, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
