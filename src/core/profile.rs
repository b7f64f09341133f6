//! The profiles of the AWS files after merging: what each setting is and where it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::clients::Construct;
use super::fix;

/// Which of the person's files a value came from; the paths are in [`crate::core::location::AwsPaths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceFile {
    /// The AWS config file.
    Config,
    /// The AWS shared credentials file.
    Credentials,
    /// `evercred.toml`.
    Settings,
}

impl SourceFile {
    /// The name for users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Config => "the AWS config file",
            Self::Credentials => "the AWS credentials file",
            Self::Settings => "evercred.toml",
        }
    }
}

/// A position in one of the files, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file.
    pub file: SourceFile,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: u32,
}

impl Origin {
    /// The whole file.
    pub fn whole(file: SourceFile) -> Self {
        Self { file, line: 0 }
    }

    /// The line, unless the whole file is meant.
    pub fn line(self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// `line 3 of the AWS config file`, or the file alone.
    pub fn label(self) -> String {
        match self.line() {
            Some(line) => format!("line {line} of {}", self.file.label()),
            None => self.file.label().to_owned(),
        }
    }

    /// `path:line`, or the path alone.
    pub fn at(self, path: &str) -> String {
        match self.line() {
            Some(line) => format!("{path}:{line}"),
            None => path.to_owned(),
        }
    }

    /// The edit that corrects the line; `None` if the whole file is meant.
    pub fn edit(self, path: &str) -> Option<String> {
        self.line().map(|line| fix::correct(path, line as usize))
    }
}

/// The value of one setting. `Debug` leaves the text out, as it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The text, trimmed and unfolded as the SDKs' shared specification says.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// Few values have nested settings.
    nested: Option<Box<SettingMap>>,
}

impl Value {
    /// A value without nested settings.
    pub fn new(text: impl Into<String>, origin: Origin) -> Self {
        Self { text: text.into(), origin, nested: None }
    }

    /// Nested settings (`s3 =` followed by indented lines); empty for a plain value.
    pub fn nested(&self) -> &SettingMap {
        static EMPTY: LazyLock<SettingMap> = LazyLock::new(SettingMap::default);
        self.nested.as_deref().unwrap_or(&EMPTY)
    }

    /// Replaces the nested settings.
    pub fn set_nested(&mut self, nested: SettingMap) {
        self.nested = (!nested.is_empty()).then(|| Box::new(nested));
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("origin", &self.origin).field("nested", self.nested()).finish_non_exhaustive()
    }
}

/// Settings by their lower-case names. Thousands of sections may have the same few names and the same `[DEFAULT]`, so
/// sections share both and have no spare capacity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingMap {
    /// The section's own settings, sorted by their names.
    own: Vec<Setting>,
    /// The settings that other sections have too, for names that are not among the own ones. The first map with a name counts.
    shared: Box<[Arc<Vec<Setting>>]>,
}

type Setting = (Arc<str>, Value);

impl SettingMap {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut maps = std::iter::once(&self.own).chain(self.shared.iter().map(AsRef::as_ref));
        maps.find_map(|map| map.get(find(map, name).ok()?)).map(|(_, value)| value)
    }

    /// Whether there is a setting with this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there are no settings.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.shared.is_empty()
    }

    /// The settings in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let mut shared: Vec<&Setting> = Vec::new();
        if !self.shared.is_empty() {
            shared.extend(&self.own);
            shared.extend(self.shared.iter().flat_map(|map| map.iter()));
            // A stable sort keeps the first of several settings with the same name in front.
            shared.sort_by(|(a, _), (b, _)| a.cmp(b));
            shared.dedup_by(|(later, _), (earlier, _)| later == earlier);
        }
        let own = if shared.is_empty() { self.own.as_slice() } else { &[] };
        own.iter().chain(shared).map(|(name, value)| (&**name, value))
    }

    /// The values in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    /// Sets one value.
    pub fn insert(&mut self, name: &str, value: Value) {
        match find(&self.own, name) {
            Ok(at) => self.own[at].1 = value,
            Err(at) => self.own.insert(at, (name.into(), value)),
        }
    }

    /// These settings, overridden by other ones. The settings that these maps share stay shared.
    #[must_use]
    pub fn overlaid(&self, over: &Self) -> Self {
        let is_visible = |(name, _): &&Setting| over.shared.iter().all(|map| find(map, name).is_err());
        let own: Self = self.own.iter().filter(is_visible).chain(&over.own).cloned().collect();
        Self { shared: over.shared.iter().chain(&self.shared).cloned().collect(), ..own }
    }

    /// These settings for many sections: each overrides them with its own.
    #[must_use]
    pub fn to_shared(self) -> Self {
        if self.own.is_empty() {
            return self;
        }
        Self { own: Vec::new(), shared: std::iter::once(Arc::new(self.own)).chain(self.shared).collect() }
    }
}

fn find(settings: &[Setting], name: &str) -> Result<usize, usize> {
    settings.binary_search_by(|(known, _)| (**known).cmp(name))
}

/// Of several settings with the same name, the last one counts.
impl FromIterator<Setting> for SettingMap {
    fn from_iter<I: IntoIterator<Item = Setting>>(settings: I) -> Self {
        let mut settings: Vec<_> = settings.into_iter().collect();
        // A stable sort keeps the order of settings with the same name.
        settings.sort_by(|(a, _), (b, _)| a.cmp(b));
        settings.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        settings.shrink_to_fit();
        Self { own: settings, shared: Box::default() }
    }
}

/// One merged section: a profile, an `sso-session` or a `services` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name without its `profile`/`sso-session`/`services` prefix.
    pub name: String,
    /// Where its first header stands.
    pub origin: Origin,
    /// The settings.
    pub settings: SettingMap,
}

impl Section {
    /// The value of a setting, if it is there and not blank.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).filter(|value| !value.text.is_empty())
    }
}

/// The kinds of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionKind {
    /// A profile.
    Profile,
    /// An `[sso-session x]`.
    SsoSession,
    /// A `[services x]`.
    Services,
}

/// A problem in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// A sentence.
    pub message: String,
    /// A file, or a line, that can't be read here, or for which some programs refuse the whole file. Everything else is read.
    pub fatal: bool,
    /// The part of the file that could not be read.
    pub lost: Lost,
    /// The construct, if some clients read it otherwise or refuse the whole file for it.
    pub construct: Option<Construct>,
    /// The section or setting, if it is a duplicate.
    pub subject: Option<String>,
    /// A command that fixes it; without one the line is to be corrected.
    pub fix: Option<String>,
}

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// All of it was read.
    Nothing,
    /// A line of one section.
    Line(SectionKind, String),
    /// A line of `[DEFAULT]`, which every section of the file has too.
    Defaults,
    /// A line that belongs to no section.
    LooseLine,
    /// The section below a broken header.
    Section(BrokenName),
    /// The whole file.
    File,
    /// The section of a header that is ignored; the text between its brackets.
    Header(String),
}

/// The name of a section in a broken header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenName {
    /// The readable part.
    pub text: String,
    /// Whether the name may go on after this part.
    pub is_cut: bool,
}

impl Problem {
    /// A warning: every setting was read.
    pub fn warning(origin: Origin, message: impl Into<String>) -> Self {
        Self {
            origin,
            message: message.into(),
            fatal: false,
            lost: Lost::Nothing,
            construct: None,
            subject: None,
            fix: None,
        }
    }

    /// A line, or a file, that can't be read here or elsewhere.
    pub fn fatal(origin: Origin, message: impl Into<String>, lost: Lost, construct: Option<Construct>) -> Self {
        Self { origin, message: message.into(), fatal: true, lost, construct, subject: None, fix: None }
    }

    /// The names that the user may call an ignored section: the text of its header, and that behind its first word, both
    /// without quotes. In the credentials file a first word is part of the name, unless it is `profile`.
    pub fn ignored_names(&self) -> impl Iterator<Item = &str> {
        let header = match &self.lost {
            Lost::Header(header) => Some(header.as_str()),
            _ => None,
        };
        let in_credentials = self.origin.file == SourceFile::Credentials;
        let behind = header.and_then(|header| header.split_once(char::is_whitespace));
        let behind = behind.filter(|(first, _)| !in_credentials || *first == "profile").map(|(_, name)| name);
        header.into_iter().chain(behind).map(|name| name.trim().trim_matches(['\'', '"']))
    }

    /// The section that has lost a line.
    pub fn torn_section(&self) -> Option<(SectionKind, String)> {
        match &self.lost {
            Lost::Line(kind, name) => Some((*kind, name.clone())),
            _ => None,
        }
    }

    /// The command, or the edit with file and line. A problem of the whole file has a fix only if a command solves it.
    pub fn fix_at(&self, path: &str) -> Option<String> {
        self.fix.clone().or_else(|| self.origin.edit(path))
    }
}

/// The names of sections that may be in the unreadable parts of the files. A look-up takes the same time however many broken
/// headers there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenNames {
    /// The first file that can't be read: any name may be in it. All numbers are places in the list of problems.
    file: Option<usize>,
    /// The whole names in broken headers.
    whole: BTreeMap<String, usize>,
    /// The beginnings of names in broken headers, by their lengths in bytes.
    cut: BTreeMap<usize, BTreeMap<String, usize>>,
}

impl HiddenNames {
    /// The names that these problems hide.
    pub fn of(problems: &[Problem]) -> Self {
        let mut names = Self::default();
        for (at, problem) in problems.iter().enumerate() {
            match &problem.lost {
                Lost::File => names.file = names.file.or(Some(at)),
                Lost::Section(BrokenName { text, is_cut }) => {
                    let of = if *is_cut { names.cut.entry(text.len()).or_default() } else { &mut names.whole };
                    of.entry(text.clone()).or_insert(at);
                }
                Lost::Nothing | Lost::Line(..) | Lost::Defaults | Lost::LooseLine | Lost::Header(_) => {}
            }
        }
        names
    }

    /// The place of the first problem that may hide a section of this name.
    pub fn first(&self, name: &str) -> Option<usize> {
        let beginnings = self.cut.range(..=name.len());
        let cut = beginnings.filter_map(|(length, of)| of.get(name.get(..*length)?));
        self.file.iter().chain(self.whole.get(name)).chain(cut).min().copied()
    }
}

/// Everything that the config and credentials files say, merged as the SDKs' shared specification says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// The profiles by name.
    pub profiles: BTreeMap<String, Arc<Section>>,
    /// The `[sso-session x]` sections by name.
    pub sso_sessions: BTreeMap<String, Arc<Section>>,
    /// The `[services x]` sections by name.
    pub services: BTreeMap<String, Arc<Section>>,
    /// The problems of the files.
    pub problems: Vec<Problem>,
}

impl Profiles {
    /// Why a missing section of this name may still be in the files.
    pub fn hiding(&self, name: &str) -> Option<&Problem> {
        self.problems.get(HiddenNames::of(&self.problems).first(name)?)
    }

    /// The problem of an ignored section that has this name.
    pub fn ignored_section(&self, name: &str) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.ignored_names().any(|ignored| ignored == name))
    }

    /// The line of a section that could not be read.
    pub fn torn(&self, kind: SectionKind, name: &str) -> Option<&Problem> {
        let is_here = |lost: &Lost| matches!(lost, Lost::Line(of, other) if *of == kind && other == name);
        self.problems.iter().find(|problem| is_here(&problem.lost))
    }
}
