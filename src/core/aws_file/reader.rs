//! Collects the sections and the problems of one file, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::header::{Header, broken_name, header, is_bare_header};
use super::{Fault, Written, is_blank, is_identifier, is_setting};
use crate::core::clients::{Construct, Reading};
use crate::core::profile::{Lost, Origin, Problem, Section, SectionKind, SettingMap, SourceFile, Value};

/// The settings of a section in the order of their lines.
type Settings = Vec<(Arc<str>, Value)>;

/// The section of the current lines.
#[derive(Clone)]
enum Place {
    Section(SectionKind, String),
    Defaults,
    Ignored,
}

pub(super) struct Reader {
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
    pub(super) fn new(file: SourceFile) -> Self {
        Self {
            file,
            sections: BTreeMap::new(),
            problems: Vec::new(),
            defaults: Vec::new(),
            names: BTreeSet::new(),
            headers: BTreeMap::new(),
            keys: BTreeMap::new(),
            current: Place::Ignored,
            nested: None,
        }
    }

    pub(super) fn origin(&self, index: usize) -> Origin {
        Origin { file: self.file, line: u32::try_from(index + 1).unwrap_or(u32::MAX) }
    }

    pub(super) fn warn(&mut self, origin: Origin, message: String) {
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
    pub(super) fn refused(&mut self, construct: Construct, origin: Origin, what: &str) {
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

    pub(super) fn section(&mut self, text: &str, prefixed_default: bool, origin: Origin) {
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

    pub(super) fn property(&mut self, key: &str, value: &str, written: Written, line: &[u8], origin: Origin) {
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
                return self.broken(Fault::NoEqualsButColon, line, origin);
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
                // The SDKs' specification has an error for a line without an equals sign; a known setting leaves no doubt.
                let (fatal, construct) = (!is_setting(&key), Some(Construct::Colon));
                self.problems.push(Problem { fatal, construct, ..Problem::warning(origin, message) });
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

    pub(super) fn continuation(&mut self, text: &str, nested: Option<(&str, &str)>, origin: Origin) {
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

    pub(super) fn broken(&mut self, fault: Fault, line: &[u8], origin: Origin) {
        let name = || Lost::Section(broken_name(self.file, &String::from_utf8_lossy(line)));
        let lost = match (fault, &self.current) {
            // A section without a name is ignored.
            (Fault::CommentNotUtf8 | Fault::HeaderEmpty, _) => Lost::Nothing,
            (fault, _) if fault.is_header() => name(),
            (Fault::NoSection, _) if is_bare_header(&String::from_utf8_lossy(line)) => name(),
            (_, Place::Section(kind, name)) => Lost::Line(*kind, name.clone()),
            (_, Place::Defaults) => Lost::Defaults,
            (_, Place::Ignored) => Lost::LooseLine,
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
        let is_same = fault == Fault::NoSection
            && before.is_some_and(|problem| problem.message == message && problem.lost == lost);
        if !is_same {
            self.problems.push(Problem::fatal(origin, message, lost, Some(construct)));
        }
        if fault.is_header() {
            self.end_section();
        }
    }

    /// The sections, sorted by kind and name, and the problems.
    pub(super) fn finish(mut self) -> (Vec<(SectionKind, Arc<Section>)>, Vec<Problem>) {
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
        (self.sections.into_iter().map(section).collect(), self.problems)
    }
}

/// A line that evercred reads, and other clients take for a part of the value above it.
pub(super) fn indented(what: &str, construct: Construct) -> String {
    let clients = construct.clients(Reading::Otherwise).join(", ");
    format!("{what} is indented: {clients} read it as part of the value above it")
}
