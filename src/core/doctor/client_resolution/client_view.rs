//! The variables and the profile as one client sees them, and the questions that the chains ask of them.

use super::client::{Provider, ResolvedFrom};
use crate::core::clients::Client;
use crate::core::doctor::{Evidence, Variables};
use crate::core::printable::printable;
use crate::core::profile::{Profiles, Section, SourceFile};
use crate::core::variables;

/// The variables, and the profile that the client reads.
pub(super) struct ClientView<'a> {
    pub(super) client: Client,
    variables: &'a Variables,
    profiles: &'a Profiles,
    profile: &'a str,
    /// Whether a variable or the user names the profile.
    pub(super) is_named: bool,
    section: Option<&'a Section>,
}

impl<'a> ClientView<'a> {
    pub(super) fn new(client: Client, evidence: &'a Evidence, named: Option<&'a str>) -> Self {
        // As it stands: an empty one is not the same as none to all.
        let Evidence { variables, profiles, .. } = evidence;
        let raw = |wanted: &str| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let full = |wanted: &str| raw(wanted).filter(|value| !value.is_empty());
        let profile = match client {
            // (t) AWS_DEFAULT_PROFILE comes first, and an empty variable names a profile "" (`configprovider.py`).
            Client::Botocore => raw("AWS_DEFAULT_PROFILE").or(named).or_else(|| raw("AWS_PROFILE")),
            // `env_config.go`, `profileEnvKeys`.
            Client::Go => named.or_else(|| full("AWS_PROFILE")).or_else(|| full("AWS_DEFAULT_PROFILE")),
            // (t) An empty one is none.
            Client::JavaScript => named.or_else(|| full("AWS_PROFILE")),
            // An empty one names a profile "", which is in no file: `SystemSettingUtils.java`; `aws-runtime`'s `source.rs`.
            Client::Java | Client::Rust => named.or_else(|| raw("AWS_PROFILE")),
        };
        let name = profile.unwrap_or("default");
        let section = profiles.profiles.get(name).map(AsRef::as_ref);
        Self { client, variables, profiles, profile: name, is_named: profile.is_some(), section }
    }

    /// One profile by itself.
    pub(super) fn of_section(
        client: Client,
        section: &'a Section,
        profiles: &'a Profiles,
        variables: &'a Variables,
    ) -> Self {
        Self { client, variables, profiles, profile: &section.name, is_named: true, section: Some(section) }
    }

    /// Whether a variable is set.
    pub(super) fn set(&self, name: &str) -> bool {
        self.variables.get(name).is_some()
    }

    /// Whether the profile has a setting.
    pub(super) fn has(&self, key: &str) -> bool {
        self.file_of(key).is_some()
    }

    /// The file of a setting of the profile.
    pub(super) fn file_of(&self, key: &str) -> Option<SourceFile> {
        Some(self.section?.get(key)?.origin.file)
    }

    pub(super) fn by(&self, provider: Provider) -> ResolvedFrom {
        ResolvedFrom::Profile { name: self.profile.to_owned(), provider }
    }

    pub(super) fn if_has(&self, key: &str, provider: Provider) -> Option<ResolvedFrom> {
        self.has(key).then(|| self.by(provider))
    }

    /// The role that is assumed with another profile's credentials, or with the profile's own keys.
    pub(super) fn role(&self) -> ResolvedFrom {
        let has_own_keys = self.is_own_source() && self.if_keys().is_some();
        self.by(if has_own_keys { Provider::RoleWithKeys } else { Provider::Role })
    }

    pub(super) fn if_keys(&self) -> Option<ResolvedFrom> {
        (self.has("aws_access_key_id") && self.has("aws_secret_access_key")).then(|| self.by(Provider::Keys))
    }

    pub(super) fn if_token_file(&self) -> Option<ResolvedFrom> {
        (self.has("role_arn") && self.has("web_identity_token_file")).then(|| self.by(Provider::TokenFile))
    }

    pub(super) fn no_such_profile(&self) -> Option<ResolvedFrom> {
        if !self.is_named || self.section.is_some() {
            return None;
        }
        Some(match self.profile {
            "" => fails("the variable that names a profile is set and empty (ProfileNotFound)"),
            name => ResolvedFrom::Fails(format!("profile \"{}\" is in no file", printable(name))),
        })
    }

    pub(super) fn keys_in_variables(&self) -> Option<ResolvedFrom> {
        let (ids, secrets): (&[&str], &[&str]) = match self.client {
            // `env_config.go`, `credAccessEnvKeys` and `credSecretEnvKeys`.
            Client::Go => (&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"], &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]),
            // `environment/credentials.rs`.
            Client::Rust => (&["AWS_ACCESS_KEY_ID"], &["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"]),
            _ => (&["AWS_ACCESS_KEY_ID"], &["AWS_SECRET_ACCESS_KEY"]),
        };
        let any = |names: &[&str]| names.iter().any(|name| self.set(name));
        (any(ids) && any(secrets)).then_some(ResolvedFrom::Environment)
    }

    pub(super) fn web_identity(&self) -> Option<ResolvedFrom> {
        (self.set("AWS_WEB_IDENTITY_TOKEN_FILE") && self.set("AWS_ROLE_ARN")).then_some(ResolvedFrom::WebIdentity)
    }

    pub(super) fn container(&self) -> Option<ResolvedFrom> {
        variables::CONTAINER.iter().any(|name| self.set(name)).then_some(ResolvedFrom::Container)
    }

    /// Whether the profile has any SSO setting. For all clients but botocore this makes it an SSO profile (`isSsoProfile` in
    /// JavaScript).
    pub(super) fn has_any_sso(&self) -> bool {
        ["sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name"]
            .iter()
            .any(|key| self.has(key))
    }

    fn source(&self) -> Option<&'a str> {
        Some(&self.section?.get("source_profile")?.text)
    }

    /// Whether the profile's source_profile is the profile itself.
    pub(super) fn is_own_source(&self) -> bool {
        self.source() == Some(self.profile)
    }

    /// Why the source_profile can't be used: it is in no file, or it is the profile itself, without keys.
    pub(super) fn lacks_source(&self) -> Option<&'static str> {
        let is_in_a_file = self.profiles.profiles.contains_key(self.source()?);
        match self.is_own_source() {
            _ if !is_in_a_file => Some("the source_profile is in no file"),
            true if self.if_keys().is_none() => Some("the source_profile is the profile itself, which has no keys"),
            _ => None,
        }
    }

    fn session(&self) -> Option<&'a Section> {
        self.profiles.sso_sessions.get(&self.section?.get("sso_session")?.text).map(AsRef::as_ref)
    }

    /// Whether the profile names a session that is in no file.
    pub(super) fn lacks_session(&self) -> bool {
        self.has("sso_session") && self.session().is_none()
    }

    /// Whether the profile names a session that is in no file, or has no start URL or region.
    pub(super) fn has_broken_session(&self) -> bool {
        let is_whole = |session: &Section| ["sso_start_url", "sso_region"].iter().all(|key| session.get(key).is_some());
        self.has("sso_session") && !self.session().is_some_and(is_whole)
    }

    /// The first SSO setting that is missing.
    pub(super) fn sso_lacks(&self) -> Option<&'static str> {
        let of_session = |key: &str| self.session().is_some_and(|session| session.get(key).is_some());
        if self.lacks_session() {
            return Some("sso-session section");
        }
        ["sso_account_id", "sso_role_name"]
            .into_iter()
            .find(|key| !self.has(key))
            .or_else(|| ["sso_start_url", "sso_region"].into_iter().find(|key| !self.has(key) && !of_session(key)))
    }

    /// The SSO settings, or an error if they are incomplete.
    pub(super) fn sso_or(&self, error: &str) -> ResolvedFrom {
        match self.sso_lacks() {
            None => self.by(Provider::Sso),
            Some(lacks) => ResolvedFrom::Fails(format!("the profile's SSO settings have no {lacks} {error}")),
        }
    }
}

/// The client stops with an error.
pub(super) fn fails(why: &str) -> ResolvedFrom {
    ResolvedFrom::Fails(why.to_owned())
}
