//! Both files together: which sections count, and which value wins.

use std::collections::BTreeMap;

use super::{Document, LineKind, WHITESPACE, is_identifier};
use crate::core::profile::{Origin, Problem, Profiles, Section, SourceFile, Value};

/// Reads both files (`None`: there is no such file) and merges them.
///
/// Later duplicates win over earlier ones, `[profile default]` replaces `[default]`, and what the credentials file says
/// wins over the config file, setting by setting, as in botocore and the Rust SDK. A file that the SDKs refuse yields a
/// fatal problem and no sections at all; the other file's are still there, for whoever wants to show them.
pub fn load(config: Option<&str>, credentials: Option<&str>) -> Profiles {
    let mut merged = Profiles::default();
    for (file, text) in [(SourceFile::Config, config), (SourceFile::Credentials, credentials)] {
        let Some(text) = text else { continue };
        let read = read(file, &Document::parse(text));
        merged.problems.extend(read.problems);
        for (key, section) in read.sections {
            let target = match key {
                Kind::Profile => &mut merged.profiles,
                Kind::SsoSession => &mut merged.sso_sessions,
                Kind::Services => &mut merged.services,
            };
            for section in section.into_values() {
                match target.get_mut(&section.name) {
                    Some(existing) => existing.settings.extend(section.settings),
                    None => {
                        target.insert(section.name.clone(), section);
                    }
                }
            }
        }
    }
    merged
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Profile,
    SsoSession,
    Services,
}

#[derive(Default)]
struct OneFile {
    sections: BTreeMap<Kind, BTreeMap<String, Section>>,
    problems: Vec<Problem>,
}

fn read(file: SourceFile, document: &Document<'_>) -> OneFile {
    let mut out = OneFile::default();
    // `[profile default]` fully replaces `[default]`, in whichever order they come.
    let prefixed_default = file == SourceFile::Config
        && document.lines().iter().any(|line| match &line.kind {
            LineKind::Section { name } => split(document.slice(name)) == (Some("profile"), "default"),
            _ => false,
        });
    // The section and the property that the lines now belong to; `None` where they are to be ignored.
    let mut current: Option<(Kind, String)> = None;
    let mut property: Option<String> = None;
    for (index, line) in document.lines().iter().enumerate() {
        let origin = Origin { file, line: u32::try_from(index + 1).unwrap_or(u32::MAX) };
        match &line.kind {
            LineKind::Blank | LineKind::Comment => {}
            LineKind::Broken(message) => {
                let problem = Problem { origin, message: (*message).to_owned(), fatal: true };
                return OneFile { problems: vec![problem], ..OneFile::default() };
            }
            LineKind::Section { name } => {
                property = None;
                current = match accept(file, document.slice(name), prefixed_default) {
                    Ok((kind, name)) => {
                        let section = Section { name: name.to_owned(), origin, settings: BTreeMap::new() };
                        out.sections.entry(kind).or_default().entry(name.to_owned()).or_insert(section);
                        Some((kind, name.to_owned()))
                    }
                    Err(message) => {
                        out.problems.push(Problem { origin, message, fatal: false });
                        None
                    }
                };
            }
            LineKind::Property { key, value } => {
                property = None;
                let Some(section) = section_mut(&mut out.sections, current.as_ref()) else { continue };
                let key = document.slice(key).to_ascii_lowercase();
                if is_identifier(&key) {
                    let text = document.slice(value).to_owned();
                    section.settings.insert(key.clone(), Value { text, origin, nested: BTreeMap::new() });
                    property = Some(key);
                } else {
                    // The key is not shown: where an `=` is missing or misplaced it may be part of a secret.
                    let message =
                        format!("a setting of [{}] has an invalid name, and the SDKs ignore it", section.name);
                    out.problems.push(Problem { origin, message, fatal: false });
                }
            }
            LineKind::Continuation { text } | LineKind::Nested { text, .. } => {
                let section = section_mut(&mut out.sections, current.as_ref());
                let setting = section.zip(property.as_ref()).and_then(|(section, key)| section.settings.get_mut(key));
                let Some(setting) = setting else { continue };
                setting.text.push('\n');
                setting.text.push_str(document.slice(text));
                if let LineKind::Nested { key, value, .. } = &line.kind {
                    let text = document.slice(value).to_owned();
                    let nested = Value { text, origin, nested: BTreeMap::new() };
                    setting.nested.insert(document.slice(key).to_ascii_lowercase(), nested);
                }
            }
        }
    }
    out
}

fn section_mut<'a>(
    sections: &'a mut BTreeMap<Kind, BTreeMap<String, Section>>,
    current: Option<&(Kind, String)>,
) -> Option<&'a mut Section> {
    let (kind, name) = current?;
    sections.get_mut(kind)?.get_mut(name)
}

/// Which section a header opens, or why the SDKs ignore it.
fn accept(file: SourceFile, header: &str, prefixed_default: bool) -> Result<(Kind, &str), String> {
    let (prefix, name) = split(header);
    let kind = match (file, prefix) {
        (SourceFile::Credentials, Some("profile")) => {
            return Err(format!("[{header}] is ignored: in the credentials file a profile is written [{name}]"));
        }
        (SourceFile::Credentials, Some(_)) => {
            return Err(format!("[{header}] is ignored: such a section belongs in the config file"));
        }
        (SourceFile::Credentials, None) => Kind::Profile,
        (_, None) if name == "default" && prefixed_default => {
            return Err("[default] is ignored, as there is a [profile default] too".to_owned());
        }
        (_, None) if name == "default" => Kind::Profile,
        (_, None) => {
            return Err(format!("[{name}] is ignored: in the config file a profile is written [profile {name}]"));
        }
        (_, Some("profile")) => Kind::Profile,
        (_, Some("sso-session")) => Kind::SsoSession,
        (_, Some("services")) => Kind::Services,
        (_, Some(other)) => {
            return Err(format!("[{header}] is ignored: no SDK knows sections of the kind \"{other}\""));
        }
    };
    if is_identifier(name) {
        Ok((kind, name))
    } else {
        Err(format!("[{header}] is ignored: the name may have letters, digits and _ - / . % @ : + only"))
    }
}

/// `profile x` is a prefix and a name, `x` is a name alone.
fn split(header: &str) -> (Option<&str>, &str) {
    let header = header.trim_matches(WHITESPACE);
    match header.split_once(WHITESPACE) {
        Some((prefix, name)) => (Some(prefix.trim()), name.trim()),
        None => (None, header),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_value_knows_its_file_and_line() {
        let profiles = load(Some("# c\n[profile a]\nregion = x\n"), Some("[a]\n\naws_access_key_id = K\n"));
        let a = &profiles.profiles["a"];
        assert_eq!(a.settings["region"].origin, Origin { file: SourceFile::Config, line: 3 });
        assert_eq!(a.settings["aws_access_key_id"].origin, Origin { file: SourceFile::Credentials, line: 3 });
    }

    #[test]
    fn nested_settings_are_read_with_their_own_lines() {
        let profiles = load(Some("[services s]\nsts =\n  endpoint_url = http://127.0.0.1:1\n"), None);
        let nested = &profiles.services["s"].settings["sts"].nested["endpoint_url"];
        assert_eq!((nested.text.as_str(), nested.origin.line), ("http://127.0.0.1:1", 3));
    }

    #[test]
    fn a_refused_file_has_one_fatal_problem_with_its_line_and_does_not_quote_it() {
        let profiles = load(None, Some("[a]\naws_secret_access_key planted\n"));
        assert_eq!(profiles.problems.len(), 1);
        assert!(profiles.problems[0].fatal);
        assert_eq!(profiles.problems[0].origin.line, 2);
        assert!(!profiles.problems[0].message.contains("planted"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(config in "([\\[\\]=#; \t\r\n]|profile|default|[a-c]|\\PC){0,60}", credentials in "\\PC{0,40}") {
            let _ = load(Some(&config), Some(&credentials));
        }
    }
}
