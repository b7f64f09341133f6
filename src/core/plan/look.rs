//! Which of the ways to credentials one profile names.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use super::helper_line::{self, helper_profile};
use super::{
    Endpoint, PlanContext, PlanError, PlanErrorCode, Service, Source, SsoRole, StatedExpiry, StaticKeys, WebIdentity,
};
use crate::core::nearest::did_you_mean;
use crate::core::profile::{Origin, Profiles, Section, SourceFile, Value};
use crate::core::secret::Secret;
use crate::core::session::{DEFAULT_SCOPE, LoginSession, SsoSession};
use crate::core::stated_expiry::stated_expiry;

/// The session's name where the profile sets none: one for all, so that profiles that are alike share their credential.
const DEFAULT_SESSION_NAME: &str = "evercred";
/// The values of `credential_source` (SDKs and Tools Reference Guide, "Assume role credential provider").
pub(crate) const CREDENTIAL_SOURCES: [&str; 3] = ["Environment", "Ec2InstanceMetadata", "EcsContainer"];

/// A profile's settings, as its plan reads them: in an adopted profile the kept `evercred_…` ones.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) section: &'a Section,
    pub(super) adopted: bool,
}

impl<'a> View<'a> {
    pub(super) fn get(self, setting: &str) -> Option<&'a Value> {
        self.section.get(&self.spelt(setting))
    }

    /// The setting's name as it stands in the file.
    pub(super) fn spelt(self, setting: &str) -> String {
        format!("{}{setting}", if self.adopted { "evercred_" } else { "" })
    }

    pub(super) fn name(self) -> &'a str {
        &self.section.name
    }

    pub(super) fn session_name(self) -> String {
        self.get("role_session_name").map_or_else(|| DEFAULT_SESSION_NAME.to_owned(), |value| value.text.clone())
    }

    /// `duration_seconds`; what is not a number is left out, as botocore does, and noted.
    pub(super) fn duration_seconds(self, notes: &mut Vec<String>) -> Option<u32> {
        let value = self.get("duration_seconds")?;
        let seconds = value.text.parse().ok();
        if seconds.is_none() {
            notes.push(format!(
                "{} of profile \"{}\" (line {}) is not a number, and is left out as botocore does",
                self.spelt("duration_seconds"),
                self.name(),
                value.origin.line
            ));
        }
        seconds
    }
}

/// What a profile leads to.
pub(super) enum Found<'a> {
    /// Credentials that need no others.
    Base(Box<Source>),
    /// A role (`role_arn`), or a session of one's own (`None`), signed for by others.
    Link { role_arn: Option<&'a Value>, from: Signer<'a> },
    /// Our own helper line, for the profile that it asks for.
    Helper { asked: String, line: &'a Value },
    /// Nothing that gives credentials.
    Nothing,
}

/// Where a link's credentials come from.
pub(super) enum Signer<'a> {
    Profile(&'a Value),
    Source(Box<Source>),
}

/// Looks at profiles, one at a time.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) profiles: &'a Profiles,
    pub(super) context: &'a PlanContext,
    /// The profile that was asked for: it says where calls go.
    pub(super) asked_for: &'a Section,
    pub(super) limits: &'a Limits,
}

/// Limits that keep the cost of resolving thousands of profiles linear.
pub(super) struct Limits {
    /// How many more names may be compared for hints.
    comparisons: Cell<usize>,
    endpoints: RefCell<HashSet<Arc<Endpoint>>>,
}

impl Limits {
    pub(super) fn new(comparisons: usize) -> Self {
        Self { comparisons: Cell::new(comparisons), endpoints: RefCell::default() }
    }

    /// For a single profile.
    pub(super) fn none() -> Self {
        Self::new(usize::MAX)
    }

    /// The shared copy of an endpoint.
    pub(super) fn shared_endpoint(&self, endpoint: Endpoint) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(known) = endpoints.get(&endpoint) {
            return Arc::clone(known);
        }
        let endpoint = Arc::new(endpoint);
        endpoints.insert(Arc::clone(&endpoint));
        endpoint
    }

    /// The section that a missing name may mean, as the end of a sentence: one that is ignored, or one of the found ones.
    pub(super) fn hint<'a>(
        &self,
        profiles: &Profiles,
        name: &str,
        found: impl ExactSizeIterator<Item = &'a String>,
    ) -> String {
        let Some(left) = self.comparisons.get().checked_sub(found.len() + profiles.problems.len()) else {
            return String::new();
        };
        self.comparisons.set(left);
        match profiles.ignored_section(name) {
            Some(problem) => format!("; {}: {}", problem.origin.label(), problem.message),
            None => did_you_mean(name, found.map(String::as_str).filter(|other| *other != name)),
        }
    }
}

impl<'a> Look<'a> {
    /// Which of the ways to credentials a profile names. Where SDKs disagree this is botocore's and the Rust SDK's order:
    /// role, web identity, SSO, keys in the credentials file, login, process, keys in the config file. Web identity calls
    /// STS at `endpoint`.
    pub(super) fn at(
        self,
        view: View<'a>,
        endpoint: &Endpoint,
        notes: &mut Vec<String>,
    ) -> Result<Found<'a>, PlanError> {
        if let Some(token_file) = view.get("web_identity_token_file") {
            return web_identity(view, token_file, endpoint, notes).map(base);
        }
        if let Some(role_arn) = view.get("role_arn") {
            return Ok(Found::Link { role_arn: Some(role_arn), from: signer(view, role_arn)? });
        }
        if let Some(source) = self.sso(view)? {
            return Ok(base(source));
        }
        let keys = if view.adopted { None } else { self.static_keys(view.section) };
        let in_credentials_file =
            view.section.get("aws_access_key_id").is_some_and(|value| value.origin.file == SourceFile::Credentials);
        if in_credentials_file && let Some(keys) = keys {
            return Ok(base(keys));
        }
        if let Some(session) = view.get("login_session") {
            let region = self.context.region(self.asked_for).unwrap_or_else(|| "us-east-1".to_owned());
            let endpoint = self.context.endpoint(Service::Signin, region, Some(self.asked_for), self.profiles);
            return Ok(base(Source::Login(LoginSession { login_session: session.text.clone(), endpoint })));
        }
        if let (Some(source), Some(_)) = (view.get("source_profile"), view.get("mfa_serial")) {
            return Ok(Found::Link { role_arn: None, from: Signer::Profile(source) });
        }
        if let Some(process) = view.get("credential_process") {
            return Ok(match helper_profile(&process.text) {
                Some(asked) => Found::Helper { asked, line: process },
                None if helper_line::exported_profile(&process.text).as_deref() == Some(view.name()) => {
                    return Err(own_export(view, process));
                }
                None => {
                    notes.append(&mut helper_line::notes(view.name(), &process.text));
                    base(Source::Process { command: process.text.clone() })
                }
            });
        }
        if let Some(keys) = keys {
            return Ok(base(keys));
        }
        if let Some(source) = view.get("credential_source") {
            return Ok(base(credential_source(view, source)?));
        }
        half_a_key(view).map(|()| Found::Nothing)
    }

    /// Both halves of a key that stand in the section.
    pub(super) fn static_keys(self, section: &Section) -> Option<Source> {
        let (id, secret) = (section.get("aws_access_key_id")?, section.get("aws_secret_access_key")?);
        // botocore prefers the older name of the session token.
        let token = section.get("aws_security_token").or_else(|| section.get("aws_session_token"));
        Some(Source::Static(StaticKeys {
            access_key_id: id.text.clone(),
            secret_access_key: Secret::new(secret.text.as_str()),
            // A long-term key has no end: what stands beside it is left over from a session.
            expires: token.map_or(StatedExpiry::Unstated, |_| stated_expiry(section, self.context.local_offset)),
            session_token: token.map(|token| Secret::new(token.text.as_str())),
        }))
    }

    fn sso(self, view: View<'a>) -> Result<Option<Source>, PlanError> {
        let (account, role) = (view.get("sso_account_id"), view.get("sso_role_name"));
        // An sso_session alone is for bearer tokens only: botocore goes on to the next way.
        let Some(first) = account.or(role).or_else(|| view.get("sso_start_url")) else { return Ok(None) };
        let session = view.get("sso_session");
        let holder = session.map(|name| self.sso_section(view, name)).transpose()?;
        let lack = |setting: &str, origin: Origin| {
            let message = format!("profile \"{}\" uses SSO and lacks {setting}", view.name());
            error(PlanErrorCode::MissingSource, message, origin)
        };
        let setting = |setting: &str| -> Result<String, PlanError> {
            match (holder.and_then(|section| section.get(setting)), view.get(setting)) {
                // As in botocore: the files do not show which of the two is correct.
                (Some(ours), Some(own)) if ours.text != own.text => {
                    let message = format!(
                        "profile \"{}\" has {} = {}, but its sso-session has {}: remove the wrong one",
                        view.name(),
                        view.spelt(setting),
                        own.text,
                        ours.text
                    );
                    Err(error(PlanErrorCode::ConflictingSource, message, own.origin))
                }
                (Some(value), _) | (None, Some(value)) => Ok(value.text.clone()),
                (None, None) => Err(lack(setting, holder.map_or(first.origin, |section| section.origin))),
            }
        };
        let session = sso_session(
            session.map(|value| value.text.clone()),
            setting("sso_start_url")?,
            setting("sso_region")?,
            holder,
            |service, region| self.context.endpoint(service, region, Some(self.asked_for), self.profiles),
        );
        Ok(Some(Source::Sso(Box::new(SsoRole {
            session: Arc::new(session),
            account_id: account.ok_or_else(|| lack("sso_account_id", first.origin))?.text.clone(),
            role_name: role.ok_or_else(|| lack("sso_role_name", first.origin))?.text.clone(),
        }))))
    }

    fn sso_section(self, view: View<'_>, name: &Value) -> Result<&'a Section, PlanError> {
        self.profiles.sso_sessions.get(&name.text).map(AsRef::as_ref).ok_or_else(|| {
            let message = format!(
                "profile \"{}\" names the sso-session \"{}\", which is in no AWS file{}",
                view.name(),
                name.text,
                self.limits.hint(self.profiles, &name.text, self.profiles.sso_sessions.keys())
            );
            error(PlanErrorCode::MissingSource, message, name.origin)
        })
    }
}

/// A session of IAM Identity Center; `holder` is its `sso-session` section, where it has one.
pub(super) fn sso_session(
    name: Option<String>,
    start_url: String,
    region: String,
    holder: Option<&Section>,
    endpoint: impl Fn(Service, String) -> Endpoint,
) -> SsoSession {
    let scopes = holder.and_then(|section| section.get("sso_registration_scopes")).map(|value| value.text.as_str());
    let scopes = scopes.unwrap_or_default().split(',').map(str::trim).filter(|scope| !scope.is_empty());
    let mut scopes: Vec<String> = scopes.map(str::to_owned).collect();
    if scopes.is_empty() && name.is_some() {
        scopes.push(DEFAULT_SCOPE.to_owned());
    }
    let oidc = endpoint(Service::Oidc, region.clone());
    let portal = endpoint(Service::Portal, region.clone());
    SsoSession { name, start_url, region, scopes, oidc, portal }
}

fn base<'a>(source: Source) -> Found<'a> {
    Found::Base(Box::new(source))
}

fn web_identity(
    view: View<'_>,
    token_file: &Value,
    endpoint: &Endpoint,
    notes: &mut Vec<String>,
) -> Result<Source, PlanError> {
    let Some(role_arn) = view.get("role_arn") else {
        let message =
            format!("profile \"{}\" has a web_identity_token_file and no role_arn: add the role's ARN", view.name());
        return Err(error(PlanErrorCode::MissingSource, message, token_file.origin));
    };
    Ok(Source::WebIdentity(WebIdentity {
        role_arn: role_arn.text.clone(),
        token_file: token_file.text.clone(),
        role_session_name: view.session_name(),
        duration_seconds: view.duration_seconds(notes),
        endpoint: endpoint.clone(),
    }))
}

fn signer<'a>(view: View<'a>, role_arn: &Value) -> Result<Signer<'a>, PlanError> {
    match (view.get("source_profile"), view.get("credential_source")) {
        (Some(source), Some(_)) => {
            let message = format!(
                "profile \"{}\" has both {} and {}: remove the wrong one",
                view.name(),
                view.spelt("source_profile"),
                view.spelt("credential_source")
            );
            Err(error(PlanErrorCode::ConflictingSource, message, source.origin))
        }
        (Some(source), None) => Ok(Signer::Profile(source)),
        (None, Some(source)) => Ok(Signer::Source(Box::new(credential_source(view, source)?))),
        (None, None) => {
            let message = format!(
                "profile \"{}\" has a {} and nothing that says whose credentials assume the role: add {} or {}",
                view.name(),
                view.spelt("role_arn"),
                view.spelt("source_profile"),
                view.spelt("credential_source")
            );
            Err(error(PlanErrorCode::MissingSource, message, role_arn.origin))
        }
    }
}

fn credential_source(view: View<'_>, value: &Value) -> Result<Source, PlanError> {
    match value.text.as_str() {
        "Environment" => Ok(Source::Environment),
        "EcsContainer" => Ok(Source::Container),
        "Ec2InstanceMetadata" => Ok(Source::InstanceMetadata),
        other => {
            let message = format!(
                "profile \"{}\" has {} = {other}, which no SDK knows{}",
                view.name(),
                view.spelt("credential_source"),
                did_you_mean(other, CREDENTIAL_SOURCES)
            );
            Err(error(PlanErrorCode::UnknownSource, message, value.origin))
        }
    }
}

/// The AWS CLI would run the line again to find the profile's credentials, without end.
fn own_export(view: View<'_>, process: &Value) -> PlanError {
    let message = format!(
        "the credential_process of profile \"{0}\" asks the AWS CLI for the credentials of profile \"{0}\" itself",
        view.name()
    );
    error(PlanErrorCode::ProfileLoop, message, process.origin)
}

fn half_a_key(view: View<'_>) -> Result<(), PlanError> {
    for (have, lack) in [("aws_access_key_id", "aws_secret_access_key"), ("aws_secret_access_key", "aws_access_key_id")]
    {
        if let Some(value) = view.section.get(have)
            && view.section.get(lack).is_none()
        {
            let message = format!(
                "profile \"{}\" has {have} and no {lack}, and a request can't be signed without both",
                view.name()
            );
            return Err(error(PlanErrorCode::IncompleteStatic, message, value.origin));
        }
    }
    Ok(())
}

pub(super) fn error(code: PlanErrorCode, message: String, origin: Origin) -> PlanError {
    PlanError { code, message, origin: Some(origin), fix: None, kind: None }
}
