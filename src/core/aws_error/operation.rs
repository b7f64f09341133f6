//! The operation that an error is about, with its object and profile.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::printable::printable;

/// A call, as an error names it: `AssumeRole of arn:aws:iam::111122223333:role/App for profile "app"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// AWS's name of the operation (`AssumeRole`), or evercred's name of another action (`credential_process`).
    pub name: Cow<'static, str>,
    /// The role, session or key, with its preposition (`of arn:…`): it follows the name unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// The profile whose settings caused the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A service that the doctor calls, or whose errors the daemon reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CalledService {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// The access portal of IAM Identity Center.
    Portal,
    /// The OpenID Connect service of IAM Identity Center.
    Oidc,
    /// AWS Sign-In.
    Signin,
}

impl CalledService {
    /// Its name in settings, and in capitals in variables (`AWS_ENDPOINT_URL_SSO_OIDC`).
    pub fn id(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Portal => "sso",
            Self::Oidc => "sso_oidc",
            Self::Signin => "signin",
        }
    }
}

impl fmt::Display for CalledService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sts => "STS",
            Self::Iam => "IAM",
            Self::Portal => "the SSO portal",
            Self::Oidc => "SSO OIDC",
            Self::Signin => "AWS Sign-In",
        })
    }
}

impl Operation {
    /// The service of the operation.
    pub fn service(&self) -> CalledService {
        match &*self.name {
            "GetRoleCredentials" => CalledService::Portal,
            "GetUser of IAM" => CalledService::Iam,
            _ => CalledService::Sts,
        }
    }

    /// An operation by its name.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), object: None, profile: None }
    }

    /// An operation by a name that another program gave.
    pub fn named(name: String) -> Self {
        Self { name: Cow::Owned(printable(&name)), object: None, profile: None }
    }

    /// Fetching a profile's credentials from any source.
    pub fn fetch(profile: impl AsRef<str>) -> Self {
        Self::new("fetching credentials").profile(profile)
    }

    /// Adds the object with its preposition: `of arn:…`, `with the key AKIA…`.
    #[must_use]
    pub fn object(self, object: impl AsRef<str>) -> Self {
        Self { object: Some(printable(object.as_ref())), ..self }
    }

    /// Adds the profile whose settings cause the call.
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
