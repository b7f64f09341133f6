//! The profiles of the AWS files after merging: what each setting is and where it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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

/// A place in one of the files: enough to tell a person where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: SourceFile,
    /// The line, from 1.
    pub line: u32,
}

/// The value of one setting. `Debug` leaves the text out, as it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The text, trimmed and unfolded as the SDKs' shared specification says.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// Nested settings (`s3 =` followed by indented lines); empty for a plain value.
    pub nested: BTreeMap<String, Value>,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("origin", &self.origin).field("nested", &self.nested).finish_non_exhaustive()
    }
}

/// One merged section: a profile, an `sso-session` or a `services` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name without its `profile`/`sso-session`/`services` prefix.
    pub name: String,
    /// Where its first header stands.
    pub origin: Origin,
    /// The settings by their lower-case names.
    pub settings: BTreeMap<String, Value>,
}

impl Section {
    /// The value of a setting, if it is there and not blank.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).filter(|value| !value.text.is_empty())
    }
}

/// Something about the files that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` where the whole file is meant and could not be read.
    pub origin: Origin,
    /// A sentence.
    pub message: String,
    /// The SDKs refuse the whole file for it.
    pub fatal: bool,
}

/// Everything that the config and credentials files say, merged as the SDKs' shared specification says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// The profiles by name.
    pub profiles: BTreeMap<String, Section>,
    /// The `[sso-session x]` sections by name.
    pub sso_sessions: BTreeMap<String, Section>,
    /// The `[services x]` sections by name.
    pub services: BTreeMap<String, Section>,
    /// Warnings and, where `fatal`, the reason why nothing could be read.
    pub problems: Vec<Problem>,
}
