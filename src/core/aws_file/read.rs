//! The sections of the files: which of them count, and which value wins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::header::{Header, header};
use super::{Document, Fault, LineKind, Written, is_blank, is_identifier};
use crate::core::clients::{Construct, Reading};
use crate::core::profile::{Lost, Origin, Problem, Profiles, Section, SectionKind, SettingMap, SourceFile, Value};

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
        let mut reader = Reader {
            file,
            sections: BTreeMap::new(),
            problems: Vec::new(),
            defaults: Vec::new(),
            names: BTreeSet::new(),
            headers: BTreeMap::new(),
            keys: BTreeMap::new(),
            current: Place::Ignored,
            nested: None,
        };
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
                    reader.property(document.slice(key), document.slice(value), *written, origin);
                }
                LineKind::Continuation { text } => reader.continuation(document.slice(text), None, origin),
                LineKind::Nested { text, key, value } => {
                    let nested = (document.slice(key), document.slice(value));
                    reader.continuation(document.slice(text), Some(nested), origin);
                }
                LineKind::Broken(fault) => reader.broken(*fault, origin),
            }
        }
        reader.finish()
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

/// The settings of a section in the order of their lines.
type Settings = Vec<(Arc<str>, Value)>;

/// The section of the current lines.
#[derive(Clone)]
enum Place {
    Section(SectionKind, String),
    Defaults,
    Ignored,
}

struct Reader {
    file: SourceFile,
    /// The sections, and the lines of their first headers.
    sections: BTreeMap<(SectionKind, String), (Origin, Settings)>,
    problems: Vec<Problem>,
    /// `[DEFAULT]`.
    defaults: Settings,
    /// The names of all settings.
    names: BTreeSet<Arc<str>>,
    /// The headers by their text, and their first lines.
    headers: BTreeMap<String, u32>,
    /// The keys below the current header, and their lines.
    keys: BTreeMap<String, u32>,
    current: Place,
    /// The nested settings of the property that continuation lines belong to: the last one of the current section.
    nested: Option<Settings>,
}

impl Reader {
    fn origin(&self, index: usize) -> Origin {
        Origin { file: self.file, line: u32::try_from(index + 1).unwrap_or(u32::MAX) }
    }

    fn warn(&mut self, origin: Origin, message: String) {
        self.problems.push(Problem::warning(origin, message));
    }

    fn settings(&mut self) -> Option<&mut Settings> {
        match &self.current {
            Place::Section(kind, name) => self.sections.get_mut(&(*kind, name.clone())).map(|(_, settings)| settings),
            Place::Defaults => Some(&mut self.defaults),
            Place::Ignored => None,
        }
    }

    /// The shared text of a setting's name.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    /// Ends the property that continuation lines belong to.
    fn end_property(&mut self) {
        let Some(nested) = self.nested.take() else { return };
        if let Some((_, value)) = self.settings().and_then(|settings| settings.last_mut()) {
            value.set_nested(nested.into_iter().collect());
        }
    }

    fn end_section(&mut self) {
        self.end_property();
        self.current = Place::Ignored;
        self.keys.clear();
    }

    fn shown(&self) -> &str {
        match &self.current {
            Place::Section(_, name) => name,
            Place::Defaults => "DEFAULT",
            Place::Ignored => "",
        }
    }

    /// Reports a construct that evercred reads, and for which some clients refuse the whole file.
    fn refused(&mut self, construct: Construct, origin: Origin, what: &str) {
        let refusal = construct.refusal().unwrap_or_default();
        let message = format!("{what}; {refusal}");
        self.problems.push(Problem::fatal(origin, message, Lost::Nothing, Some(construct)));
    }

    fn twice(&mut self, construct: Construct, what: &str, first: u32, counts: &str, origin: Origin) {
        self.refused(construct, origin, &format!("{what} appears twice (first in line {first}): {counts}"));
        let has_section = construct == Construct::SettingTwice && !matches!(self.current, Place::Ignored);
        let subject = if has_section { format!("{what} in [{}]", self.shown()) } else { what.to_owned() };
        if let Some(problem) = self.problems.last_mut() {
            problem.subject = Some(subject);
        }
    }

    fn section(&mut self, text: &str, prefixed_default: bool, origin: Origin) {
        self.end_section();
        let opened = header(self.file, text);
        // Python's `configparser` identifies a section by the exact text of its header, and accepts [DEFAULT] any number of times.
        match self.headers.get(text) {
            Some(first) if opened != Header::Defaults => {
                self.twice(Construct::SectionTwice, &format!("[{text}]"), *first, "the settings of both count", origin);
            }
            _ => {
                self.headers.insert(text.to_owned(), origin.line);
            }
        }
        match opened {
            Header::Section(SectionKind::Profile, name)
                if name == "default" && prefixed_default && text.trim_matches(is_blank) == "default" =>
            {
                let message = "[default] is ignored, as there is a [profile default] too";
                let construct = Some(Construct::DefaultTwice);
                self.problems.push(Problem { construct, ..Problem::warning(origin, message) });
            }
            Header::Section(kind, name) => {
                self.sections.entry((kind, name.clone())).or_insert_with(|| (origin, Settings::new()));
                self.current = Place::Section(kind, name);
            }
            Header::Defaults => self.current = Place::Defaults,
            Header::Ignored(Some(message)) => {
                let lost = Lost::Header(text.trim_matches(is_blank).to_owned());
                self.problems.push(Problem { lost, ..Problem::warning(origin, message) });
            }
            Header::Ignored(None) => {}
        }
    }

    fn property(&mut self, key: &str, value: &str, written: Written, origin: Origin) {
        self.end_property();
        let key = key.to_ascii_lowercase();
        // botocore checks this in ignored sections too.
        let first = self.keys.insert(key.clone(), origin.line);
        if self.settings().is_none() {
            if let Some(first) = first.filter(|_| is_identifier(&key)) {
                self.twice(Construct::SettingTwice, &key, first, "this section is ignored", origin);
            }
            return;
        }
        if !is_identifier(&key) {
            if written == Written::Colon {
                return self.broken(Fault::NoEqualsButColon, origin);
            }
            // The key is not shown: where an `=` is missing or misplaced it may be part of a secret.
            let message = format!("a setting of [{}] has an invalid name and is ignored", self.shown());
            return self.warn(origin, message);
        }
        match (first, written) {
            (Some(first), _) => self.twice(Construct::SettingTwice, &key, first, "this one counts", origin),
            (None, Written::Colon) => {
                let message = format!(
                    "{key} is written with \":\": only evercred, {} read it (others: \"{}\")",
                    Construct::Colon.clients(Reading::Alike).join(", "),
                    Fault::NoEquals.specification()
                );
                let problem = Problem::fatal(origin, message, Lost::Nothing, Some(Construct::Colon));
                self.problems.push(problem);
            }
            (None, Written::BelowValue) => {
                self.warn(origin, indented(&key, Construct::SettingBelowValue));
            }
            (None, Written::Equals) => {}
        }
        let name = self.name(&key);
        if let Some(settings) = self.settings() {
            settings.push((name, Value::new(value, origin)));
            self.nested = Some(Settings::new());
        }
    }

    fn continuation(&mut self, text: &str, nested: Option<(&str, &str)>, origin: Origin) {
        if self.nested.is_none() {
            return;
        }
        if let Some((_, value)) = self.settings().and_then(|settings| settings.last_mut()) {
            value.text.push('\n');
            value.text.push_str(text);
        }
        if let Some((key, value)) = nested {
            let name = self.name(&key.to_ascii_lowercase());
            self.nested.get_or_insert_default().push((name, Value::new(value, origin)));
        }
    }

    fn broken(&mut self, fault: Fault, origin: Origin) {
        let lost = match (fault, &self.current) {
            // A section without a name is ignored.
            (Fault::CommentNotUtf8 | Fault::HeaderEmpty, _) => Lost::Nothing,
            (fault, _) if fault == Fault::NoSection || fault.is_header() => Lost::Sections,
            (_, Place::Section(kind, name)) => Lost::Line(*kind, name.clone()),
            (_, Place::Defaults) => Lost::Sections,
            (_, Place::Ignored) => Lost::Nothing,
        };
        let construct = fault.construct();
        if fault == Fault::CommentNotUtf8 {
            return self.refused(construct, origin, fault.meaning());
        }
        let message = match fault.specification() {
            "" => fault.meaning().to_owned(),
            specification => format!("{} (SDKs: \"{specification}\")", fault.meaning()),
        };
        let before = self.problems.last();
        // A text without any header is one problem, not one for each line.
        let is_same = fault == Fault::NoSection && before.is_some_and(|problem| problem.message == message);
        if !is_same {
            self.problems.push(Problem::fatal(origin, message, lost, Some(construct)));
        }
        if fault.is_header() {
            self.end_section();
        }
    }

    fn finish(mut self) -> FileSections {
        self.end_section();
        // Lines that evercred ignores come before problems of other programs only.
        let is_of_others = |construct: Construct| {
            use Construct::{ByteOrderMark, CommentNotUtf8, HeaderEmpty, SectionTwice, SettingTwice};
            matches!(construct, ByteOrderMark | CommentNotUtf8 | HeaderEmpty | SectionTwice | SettingTwice)
        };
        self.problems.sort_by_key(|problem| problem.construct.is_some_and(is_of_others));
        let defaults = self.defaults.into_iter().collect::<SettingMap>().to_shared();
        // To the SDKs it is a profile of that name.
        if self.file == SourceFile::Credentials
            && let Some(first) = self.headers.get("DEFAULT")
        {
            let origin = Origin { file: self.file, line: *first };
            self.sections.insert((SectionKind::Profile, "DEFAULT".to_owned()), (origin, Settings::new()));
        }
        let section = |((kind, name), (origin, settings)): (_, (_, Settings))| {
            let settings = defaults.overlaid(&settings.into_iter().collect());
            (kind, Arc::new(Section { name, origin, settings }))
        };
        FileSections { sections: self.sections.into_iter().map(section).collect(), problems: self.problems }
    }
}

/// A line that evercred reads, and other clients take for a part of the value above it.
fn indented(what: &str, construct: Construct) -> String {
    let clients = construct.clients(Reading::Otherwise).join(", ");
    format!("{what} is indented: {clients} read it as part of the value above it")
}

impl Fault {
    /// The row of the table of constructs.
    fn construct(self) -> Construct {
        match self {
            Self::NoSection => Construct::NoSection,
            Self::HeaderWithoutEnd => Construct::HeaderWithoutEnd,
            Self::HeaderWithoutStart => Construct::HeaderWithoutStart,
            Self::NoEquals => Construct::NoEquals,
            Self::NoEqualsButColon => Construct::Colon,
            Self::NoName => Construct::NoName,
            Self::LooseContinuation => Construct::LooseContinuation,
            Self::NestedNoEquals => Construct::NestedNoEquals,
            Self::NestedNoName => Construct::NestedNoName,
            Self::NotUtf8 => Construct::NotUtf8,
            Self::HeaderNotUtf8 => Construct::HeaderNotUtf8,
            Self::CommentNotUtf8 => Construct::CommentNotUtf8,
            Self::HeaderEmpty => Construct::HeaderEmpty,
        }
    }

    /// The problem and its consequence.
    fn meaning(self) -> &'static str {
        match self {
            Self::NoSection => "this line is above the first section header and is ignored",
            Self::HeaderWithoutEnd => "this section header has no \"]\", and the lines below it are ignored",
            Self::HeaderWithoutStart => "this section header has no \"[\", and the lines below it are ignored",
            Self::NoEquals | Self::NoEqualsButColon => "this line has no \"=\" and is ignored",
            Self::NoName => "this line has no name before \"=\" and is ignored",
            Self::LooseContinuation => "this indented line has no \"=\" and no setting above it, and is ignored",
            Self::NestedNoEquals => "this nested line has no \"=\" and is ignored",
            Self::NestedNoName => "this nested line has no name before \"=\" and is ignored",
            Self::NotUtf8 => "this line is not UTF-8 text and is ignored: rewrite it, or save the file as UTF-8",
            Self::HeaderNotUtf8 => {
                "this section header is not UTF-8 text, and the lines below it are ignored: save the file as UTF-8"
            }
            Self::CommentNotUtf8 => "this comment is not UTF-8 text: save the file as UTF-8",
            Self::HeaderEmpty => "this section header has no name, and the lines below it are ignored",
        }
    }

    /// The error message of the SDKs that refuse the whole file.
    fn specification(self) -> &'static str {
        match self {
            Self::NoSection => "Expected a profile definition",
            Self::HeaderWithoutEnd => "Profile definition must end with ']'",
            Self::NoEquals | Self::NoEqualsButColon | Self::HeaderWithoutStart => {
                "Expected an '=' sign defining a property"
            }
            Self::NoName => "Property did not have a name",
            Self::LooseContinuation => "Expected a property definition, found continuation",
            Self::NestedNoEquals => "Expected an '=' sign defining a sub-property",
            Self::NestedNoName => "Sub-property did not have a name",
            Self::NotUtf8 | Self::HeaderNotUtf8 | Self::CommentNotUtf8 | Self::HeaderEmpty => "",
        }
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
            assert_eq!((profiles.problems.len(), &profiles.problems[0].lost), (1, &Lost::Sections), "{header}");
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
        let profiles = load(Some("[profile a]\ncli_pager:\nrole_arn: arn:aws:iam::1:role/a=b\n"), None);
        assert_eq!(profiles.profiles["a"].settings.get("cli_pager").unwrap().text, "");
        assert_eq!(profiles.profiles["a"].settings.get("role_arn").unwrap().text, "arn:aws:iam::1:role/a=b");
        assert_eq!(profiles.problems.len(), 1);
        assert_eq!(profiles.problems[0].construct, Some(Construct::Colon));
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
