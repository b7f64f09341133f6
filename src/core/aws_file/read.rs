//! The sections of the files: which of them count, and which value wins.

use std::sync::Arc;

use super::header::{Header, header};
use super::reader::{Reader, indented};
use super::{Document, LineKind, is_blank};
use crate::core::clients::Construct;
use crate::core::profile::{Problem, Profiles, Section, SectionKind, SourceFile};

pub use crate::core::profile::SectionKind as Kind;

/// The sections of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSections {
    /// The sections, sorted by kind and name; the merged profiles share them.
    pub sections: Vec<(SectionKind, Arc<Section>)>,
    /// The file's problems.
    pub problems: Vec<Problem>,
}

/// Reads both files (`None`: there is no such file) and merges them.
pub fn load(config: Option<&str>, credentials: Option<&str>) -> Profiles {
    let read =
        |file, text: Option<&str>| text.map(|text| FileSections::read(file, text.as_bytes())).unwrap_or_default();
    merge([read(SourceFile::Config, config), read(SourceFile::Credentials, credentials)])
}

/// Merges the config file and the credentials file: the latter's settings win, one by one, as in botocore and the
/// Rust SDK.
pub fn merge(files: [FileSections; 2]) -> Profiles {
    let mut merged = Profiles::default();
    for file in files {
        merged.problems.extend(file.problems);
        for (kind, section) in file.sections {
            let target = match kind {
                SectionKind::Profile => &mut merged.profiles,
                SectionKind::SsoSession => &mut merged.sso_sessions,
                SectionKind::Services => &mut merged.services,
            };
            match target.get_mut(&section.name) {
                Some(existing) => {
                    let settings = existing.settings.overlaid(&section.settings);
                    *existing = Arc::new(Section { name: section.name.clone(), origin: existing.origin, settings });
                }
                None => {
                    target.insert(section.name.clone(), section);
                }
            }
        }
    }
    merged
}

impl FileSections {
    /// Reads a file: later duplicates win over earlier ones, and `[profile default]` replaces `[default]`.
    pub fn read(file: SourceFile, bytes: &[u8]) -> Self {
        let document = Document::parse(bytes);
        // In whichever order they come.
        let is_prefixed_default = |text: &str| {
            text.trim_matches(is_blank) != "default"
                && matches!(header(file, text), Header::Section(SectionKind::Profile, name) if name == "default")
        };
        let prefixed_default = file == SourceFile::Config
            && document.lines().iter().any(|line| match &line.kind {
                LineKind::Section { name, .. } => is_prefixed_default(document.slice(name)),
                _ => false,
            });
        let mut reader = Reader::new(file);
        if document.has_byte_order_mark() {
            reader.refused(Construct::ByteOrderMark, reader.origin(0), "the file begins with a byte order mark");
        }
        for (index, line) in document.lines().iter().enumerate() {
            let origin = reader.origin(index);
            match &line.kind {
                LineKind::Blank | LineKind::Comment => {}
                LineKind::Section { name, below_value } => {
                    let name = document.slice(name);
                    if *below_value {
                        reader.warn(origin, indented(&format!("[{name}]"), Construct::HeaderBelowValue));
                    }
                    reader.section(name, prefixed_default, origin);
                }
                LineKind::Property { key, value, written } => {
                    reader.property(
                        document.slice(key),
                        document.slice(value),
                        *written,
                        &bytes[line.bytes.clone()],
                        origin,
                    );
                }
                LineKind::Continuation { text } => reader.continuation(document.slice(text), None, origin),
                LineKind::Nested { text, key, value } => {
                    let nested = (document.slice(key), document.slice(value));
                    reader.continuation(document.slice(text), Some(nested), origin);
                }
                LineKind::Broken(fault) => reader.broken(*fault, &bytes[line.bytes.clone()], origin),
            }
        }
        let (sections, problems) = reader.finish();
        Self { sections, problems }
    }

    /// Whether there is a section of this kind and name.
    pub fn contains(&self, kind: SectionKind, name: &str) -> bool {
        self.sections.binary_search_by(|(of, section)| (*of, section.name.as_str()).cmp(&(kind, name))).is_ok()
    }

    /// Adds these sections. They replace those with the same kind and name.
    pub fn replace(&mut self, mut sections: Vec<(SectionKind, Arc<Section>)>) {
        fn key((kind, section): &(SectionKind, Arc<Section>)) -> (SectionKind, &str) {
            (*kind, &section.name)
        }
        sections.append(&mut self.sections);
        // A stable sort: of two sections with one name, the first is used.
        sections.sort_by(|a, b| key(a).cmp(&key(b)));
        sections.dedup_by(|b, a| key(a) == key(b));
        self.sections = sections;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::aws_file::Fault;
    use crate::core::profile::{Lost, Origin};

    #[test]
    fn every_value_knows_its_file_and_line() {
        let profiles = load(Some("# c\n[profile a]\nregion = x\n"), Some("[a]\n\naws_access_key_id = K\n"));
        let a = &profiles.profiles["a"];
        assert_eq!(a.settings.get("region").unwrap().origin, Origin { file: SourceFile::Config, line: 3 });
        assert_eq!(
            a.settings.get("aws_access_key_id").unwrap().origin,
            Origin { file: SourceFile::Credentials, line: 3 }
        );
    }

    #[test]
    fn the_settings_of_a_section_override_the_defaults_of_its_file_and_each_file_the_one_before_it() {
        let texts = |config: &str, credentials: &str| {
            let profiles = load(Some(config), Some(credentials));
            let settings = &profiles.profiles["a"].settings;
            let listed: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name, value.text.as_str())).collect();
            assert!(listed.iter().all(|(name, text)| settings.get(name).unwrap().text == *text), "{listed:?}");
            assert!(listed.is_sorted(), "{listed:?}");
            listed.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
        };
        let credentials = "[DEFAULT]\nb = 4\nc = 4\nd = 4\n[a]\nd = 5\n";
        assert_eq!(texts("[DEFAULT]\na = 1\nb = 1\n[profile a]\nb = 2\nc = 2\n", ""), "a=1 b=2 c=2");
        assert_eq!(texts("[DEFAULT]\na = 1\nb = 1\n[profile a]\nb = 2\ne = 2\n", credentials), "a=1 b=4 c=4 d=5 e=2");
        assert_eq!(texts("[DEFAULT]\na = 1\n[profile a]\nc = 3\n", "[a]\nd = 4\n"), "a=1 c=3 d=4");
    }

    #[test]
    fn nested_settings_are_read_with_their_own_lines() {
        let profiles = load(Some("[services s]\nsts =\n  endpoint_url = http://127.0.0.1:1\n"), None);
        let nested = profiles.services["s"].settings.get("sts").unwrap().nested().get("endpoint_url").unwrap();
        assert_eq!((nested.text.as_str(), nested.origin.line), ("http://127.0.0.1:1", 3));
    }

    #[test]
    fn a_broken_line_costs_that_line_and_is_not_quoted() {
        let profiles = load(None, Some("[a]\naws_secret_access_key planted\nregion = x\n[b]\nregion = y\n"));
        assert_eq!(profiles.problems.len(), 1);
        assert!(profiles.problems[0].fatal);
        assert_eq!(profiles.problems[0].origin.line, 2);
        assert!(!profiles.problems[0].message.contains("planted"));
        assert_eq!(profiles.problems[0].lost, Lost::Line(SectionKind::Profile, "a".to_owned()));
        assert_eq!(profiles.profiles["a"].settings.get("region").unwrap().text, "x");
        assert_eq!(profiles.profiles["b"].settings.get("region").unwrap().text, "y");
    }

    #[test]
    fn the_lines_below_a_broken_header_are_no_other_sections() {
        for header in ["[profile b", "profile b]", "[profile b\n  "] {
            let profiles = load(Some(&format!("[profile a]\nregion = x\n{header}\nregion = y\n[profile c]\n")), None);
            assert_eq!(profiles.profiles["a"].settings.get("region").unwrap().text, "x");
            assert_eq!(profiles.problems.len(), 1, "{header}");
            assert!(
                profiles.hiding("b").is_some() && profiles.hiding("x").is_none(),
                "{header}: {:?}",
                profiles.problems
            );
            assert!(profiles.profiles.contains_key("c"));
        }
    }

    #[test]
    fn of_duplicates_the_later_one_counts_and_botocore_is_named() {
        let profiles = load(Some("[profile a]\nregion = x\nRegion = y\n[profile a]\noutput = z\n"), None);
        let a = &profiles.profiles["a"];
        assert_eq!(
            (a.settings.get("region").unwrap().text.as_str(), a.settings.get("output").unwrap().text.as_str()),
            ("y", "z")
        );
        let lines: Vec<_> = profiles.problems.iter().map(|problem| (problem.origin.line, problem.fatal)).collect();
        assert_eq!(lines, [(3, true), (4, true)]);
        let constructs: Vec<_> = profiles.problems.iter().map(|problem| problem.construct).collect();
        assert_eq!(constructs, [Some(Construct::SettingTwice), Some(Construct::SectionTwice)]);
        assert!(profiles.problems.iter().all(|problem| problem.message.contains("boto3 and the AWS CLI refuse")));
    }

    #[test]
    fn a_setting_twice_in_a_section_that_is_ignored_is_said_too() {
        let profiles = load(Some("[a]\nregion = x\nregion = y\n"), None);
        assert!(profiles.problems.iter().any(|problem| problem.fatal && problem.origin.line == 3));
    }

    #[test]
    fn the_sides_of_a_merge_are_both_read() {
        let text = "<<<<<<< HEAD\n[profile a]\nregion = x\n=======\nregion = y\n>>>>>>> b\n[profile c]\n";
        let profiles = load(Some(text), None);
        assert_eq!(profiles.profiles["a"].settings.get("region").unwrap().text, "y");
        assert!(profiles.profiles.contains_key("c"));
        assert_eq!(profiles.problems.iter().filter(|problem| problem.fatal).count(), 4);
    }

    #[test]
    fn every_section_has_the_settings_of_the_section_default_in_capitals() {
        let profiles = load(Some("[DEFAULT]\nregion = x\n[profile a]\n[profile b]\nregion = y\n"), None);
        assert_eq!(profiles.profiles["a"].settings.get("region").unwrap().origin.line, 2);
        assert_eq!(profiles.profiles["b"].settings.get("region").unwrap().text, "y");
    }

    #[test]
    fn in_the_credentials_file_the_section_default_in_capitals_is_a_profile_too() {
        let profiles = load(None, Some("[a]\nregion = y\n[DEFAULT]\nregion = x\noutput = z\n"));
        let text = |profile: &str, key: &str| profiles.profiles[profile].settings.get(key).unwrap().text.clone();
        assert_eq!((text("DEFAULT", "region"), text("DEFAULT", "output")), ("x".to_owned(), "z".to_owned()));
        assert_eq!((text("a", "region"), text("a", "output")), ("y".to_owned(), "z".to_owned()));
    }

    #[test]
    fn a_comment_that_is_no_text_costs_nothing() {
        let bytes = b"# \xe9\n[a]\n  ; \xe9\nregion = x\n";
        let read = FileSections::read(SourceFile::Credentials, bytes);
        let problems: Vec<_> = read.problems.iter().map(|problem| (problem.origin.line, problem.fatal)).collect();
        assert_eq!(problems, [(1, true), (3, true)]);
        assert!(read.problems.iter().all(|problem| problem.lost == Lost::Nothing));
        assert_eq!(read.sections[0].1.settings.get("region").unwrap().text, "x");
    }

    #[test]
    fn a_header_without_a_name_and_one_below_a_value_are_reported() {
        for file in [SourceFile::Config, SourceFile::Credentials] {
            let read = FileSections::read(file, b"[]\nregion = x\n[default]\nregion = y\n");
            let problem = &read.problems[0];
            assert!((problem.origin.line, problem.fatal, &problem.lost) == (1, true, &Lost::Nothing), "{problem:?}");
        }
        let read = FileSections::read(SourceFile::Config, b"[profile a]\nregion = x\n  [profile b]\nregion = y\n");
        assert!(read.problems.iter().any(|problem| problem.origin.line == 3 && !problem.fatal));
        assert_eq!(read.sections.len(), 2);
    }

    #[test]
    fn a_setting_with_a_colon_is_read_and_reported() {
        let profiles = load(Some("[profile a]\noutput:\nrole_arn: arn:aws:iam::1:role/a=b\n"), None);
        assert_eq!(profiles.profiles["a"].settings.get("output").unwrap().text, "");
        assert_eq!(profiles.profiles["a"].settings.get("role_arn").unwrap().text, "arn:aws:iam::1:role/a=b");
        assert_eq!(profiles.problems.len(), 1);
        assert_eq!((profiles.problems[0].construct, profiles.problems[0].fatal), (Some(Construct::Colon), false));
    }

    #[test]
    fn an_invisible_character_before_a_header_gives_its_settings_to_no_other_section() {
        for before in ["\u{feff}", "\u{200b}", "\0"] {
            let profiles = load(Some(&format!("[profile a]\nregion = x\n{before}[profile b]\nregion = y\n")), None);
            assert_eq!(profiles.profiles["a"].settings.get("region").unwrap().text, "x");
            let problem = profiles.hiding("b").unwrap();
            assert!(profiles.problems.len() == 1 && problem.origin.line == 3 && problem.fatal, "{problem:?}");
        }
    }

    #[test]
    fn text_above_the_first_section_hides_no_section() {
        for above in ["hello", "region = x", "hello\nworld", "\0", "é"] {
            let profiles = load(Some(&format!("{above}\n[profile a]\nregion = y\n")), None);
            assert!(profiles.profiles.contains_key("a") && profiles.hiding("b").is_none(), "{above}");
            assert!(profiles.problems.len() == 1 && profiles.problems[0].fatal, "{above}: {:?}", profiles.problems);
        }
        let profiles = load(Some("profile b\nregion = x\n[profile a]\n"), None);
        assert!(profiles.hiding("b").is_some() && profiles.hiding("a-x").is_none());
    }

    proptest! {
        #[test]
        fn every_line_is_understood_or_reported(
            config in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "([\\[\\]=:#; \t\r\n'\"]|\n\\[|profile |default|region|[a-c]|\u{a0}|\\PC){0,60}".prop_map(String::into_bytes),
            ],
        ) {
            let document = Document::parse(&config);
            let read = FileSections::read(SourceFile::Config, &config);
            let is_reported = |line: usize| read.problems.iter().any(|problem| problem.origin.line as usize == line + 1);
            let mut is_open = false;
            for (at, line) in document.lines().iter().enumerate() {
                match &line.kind {
                    LineKind::Section { .. } => is_open = true,
                    LineKind::Broken(Fault::NoSection) => prop_assert!(!read.problems.is_empty()),
                    LineKind::Broken(_) => prop_assert!(is_reported(at)),
                    // Below a header there is a section, or a problem that says why there is none.
                    LineKind::Property { .. } => prop_assert!(is_open || read.problems.iter().any(|problem| problem.fatal)),
                    _ => {}
                }
            }
        }
    }
}
