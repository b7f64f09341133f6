//! What an error is about: the operation, what it was for, and the profile.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::printable::printable;

/// A call, as an error names it: `AssumeRole of arn:aws:iam::111122223333:role/App for profile "app"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// AWS's name of the operation (`AssumeRole`), or evercred's name of another action (`credential_process`).
    pub name: Cow<'static, str>,
    /// What it was for: a role, a session, a key. It follows the name as it stands, so it has its preposition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// The profile whose settings asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Operation {
    /// An operation by its name.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), object: None, profile: None }
    }

    /// An operation by a name that another program gave.
    pub fn named(name: String) -> Self {
        Self { name: Cow::Owned(printable(&name)), object: None, profile: None }
    }

    /// Fetching a profile's credentials, whatever way.
    pub fn fetch(profile: impl AsRef<str>) -> Self {
        Self::new("fetching credentials").profile(profile)
    }

    /// What it is for: `of arn:…`, `with the key AKIA…`.
    #[must_use]
    pub fn object(self, object: impl AsRef<str>) -> Self {
        Self { object: Some(printable(object.as_ref())), ..self }
    }

    /// The profile whose settings ask for it.
    #[must_use]
    pub fn profile(self, profile: impl AsRef<str>) -> Self {
        Self { profile: Some(printable(profile.as_ref())), ..self }
    }
}

impl From<&'static str> for Operation {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<&Operation> for Operation {
    fn from(operation: &Operation) -> Self {
        operation.clone()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(object) = &self.object {
            write!(f, " {object}")?;
        }
        match &self.profile {
            Some(profile) => write!(f, " for profile \"{profile}\""),
            None => Ok(()),
        }
    }
}
