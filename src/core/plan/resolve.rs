//! From a profile's name to its steps: walks the chain of source profiles down to where credentials begin.

use std::collections::BTreeMap;

use super::context::PlanContext;
use super::helper_line::helper_profile;
use super::{AssumeRole, Plan, PlanError, PlanErrorCode, Source, StaticKeys, Step, StsEndpoint};
use crate::core::nearest::did_you_mean;
use crate::core::profile::{Origin, Profiles, Section, SourceFile, Value};
use crate::core::secret::Secret;
use crate::core::stated_expiry::stated_expiry;

/// The session's name where the profile sets none: one for all, so that profiles that are alike share their credential.
const DEFAULT_SESSION_NAME: &str = "evercred";
/// How long an MFA session lives unless something else is set.
const MFA_SESSION_SECONDS: u32 = 12 * 3600;
/// AWS's limit for a role that is assumed with another role's, or an MFA session's, credentials.
const CHAINED_SECONDS: u32 = 3600;
const CREDENTIAL_SOURCES: [&str; 3] = ["Environment", "Ec2InstanceMetadata", "EcsContainer"];

/// The plan, or why there is none, of every profile.
pub fn resolve_all(profiles: &Profiles, context: &PlanContext) -> BTreeMap<String, Result<Plan, PlanError>> {
    profiles.profiles.keys().map(|name| (name.clone(), resolve(profiles, name, context))).collect()
}

/// The plan of one profile.
///
/// # Errors
/// The files don't say how, or say it wrongly: a sentence with its place.
pub fn resolve(profiles: &Profiles, name: &str, context: &PlanContext) -> Result<Plan, PlanError> {
    if let Some(problem) = profiles.problems.iter().find(|problem| problem.fatal) {
        return Err(PlanError {
            code: PlanErrorCode::UnreadableFile,
            message: format!("profile \"{name}\" can't be read, as the SDKs refuse the file: {}", problem.message),
            origin: Some(problem.origin),
        });
    }
    let section = profiles.profiles.get(name).ok_or_else(|| missing_profile(profiles, name))?;
    let mut notes = Vec::new();
    let endpoint = context.sts_endpoint(section, profiles, &mut notes);
    let mut walk = Walk { profiles, context, endpoint, notes, roles: Vec::new(), visited: Vec::new() };
    let base = walk.down(section)?;
    walk.up(name, base)
}

/// The error for a profile that is in no file.
pub fn missing_profile(profiles: &Profiles, name: &str) -> PlanError {
    let hint = did_you_mean(name, profiles.profiles.keys().map(String::as_str));
    PlanError {
        code: PlanErrorCode::MissingProfile,
        message: format!("profile \"{name}\" is in no AWS file{hint}"),
        origin: None,
    }
}

struct Walk<'a> {
    profiles: &'a Profiles,
    context: &'a PlanContext,
    endpoint: StsEndpoint,
    notes: Vec<String>,
    /// The links met on the way down, the last to run first.
    roles: Vec<Link<'a>>,
    visited: Vec<&'a str>,
}

/// A step that is signed with the credentials of the one below it.
struct Link<'a> {
    view: View<'a>,
    /// `None`: a session-token profile.
    role_arn: Option<&'a Value>,
}

/// A profile's settings, as its plan reads them: in an adopted profile the kept `evercred_…` ones.
#[derive(Clone, Copy)]
struct View<'a> {
    section: &'a Section,
    adopted: bool,
}

impl<'a> View<'a> {
    fn get(self, key: &str) -> Option<&'a Value> {
        if self.adopted { self.section.get(&format!("evercred_{key}")) } else { self.section.get(key) }
    }

    fn name(self) -> &'a str {
        &self.section.name
    }
}

impl<'a> Walk<'a> {
    /// Follows the sources to the first step. Iterative, as a chain may have any length.
    fn down(&mut self, first: &'a Section) -> Result<Step, PlanError> {
        let mut section = first;
        let mut named_by: Option<&'a Value> = None;
        loop {
            // Behind the first link static keys come first, and a profile that names itself means its own keys.
            let is_source = !self.roles.is_empty();
            let itself = self.visited.last() == Some(&section.name.as_str());
            if is_source && let Some(keys) = self.static_keys(section)? {
                return Ok(Step { profile: section.name.clone(), source: keys });
            }
            if self.visited.contains(&section.name.as_str()) {
                return Err(self.circle(section, itself, named_by));
            }
            self.visited.push(&section.name);
            let mut view = View { section, adopted: false };
            let found = match self.look(view)? {
                Found::Helper(other) if other.text_names(&section.name) => {
                    view.adopted = true;
                    match self.look(view)? {
                        Found::Helper(_) => Found::Nothing,
                        found => found,
                    }
                }
                found => found,
            };
            (section, named_by) = match found {
                Found::Base(source) => return Ok(Step { profile: section.name.clone(), source }),
                Found::Helper(other) => {
                    self.notes
                        .push(format!("profile \"{}\" asks evercred for profile \"{}\"", section.name, other.name));
                    (self.source(view, other.value, &other.name)?, Some(other.value))
                }
                Found::Link { role_arn, from } => {
                    self.roles.push(Link { view, role_arn });
                    match from {
                        Signer::Profile(value) => (self.source(view, value, &value.text)?, Some(value)),
                        Signer::Source(source) => return Ok(Step { profile: section.name.clone(), source }),
                    }
                }
                Found::Nothing => return Err(no_credentials(view)),
            };
        }
    }

    /// Which of the ways to credentials a profile names. Where SDKs disagree this is botocore's and the Rust SDK's order:
    /// role, web identity, SSO, keys in the credentials file, login, process, keys in the config file.
    fn look(&self, view: View<'a>) -> Result<Found<'a>, PlanError> {
        if let Some(role_arn) = view.get("role_arn") {
            if let Some(token_file) = view.get("web_identity_token_file") {
                return Ok(Found::Base(Source::WebIdentity {
                    role_arn: role_arn.text.clone(),
                    token_file: token_file.text.clone(),
                    role_session_name: session_name(view),
                    duration_seconds: number(view.get("duration_seconds")),
                    endpoint: self.endpoint.clone(),
                }));
            }
            let from = match (view.get("source_profile"), view.get("credential_source")) {
                (Some(source), Some(_)) => {
                    let message = format!(
                        "profile \"{}\" has both source_profile and credential_source: keep the one that is meant",
                        view.name()
                    );
                    return Err(error(PlanErrorCode::ConflictingSource, message, source.origin));
                }
                (Some(source), None) => Signer::Profile(source),
                (None, Some(source)) => Signer::Source(credential_source(view, source)?),
                (None, None) => {
                    let message = format!(
                        "profile \"{}\" has a role_arn and nothing that says whose credentials assume the role: add \
                         source_profile or credential_source",
                        view.name()
                    );
                    return Err(error(PlanErrorCode::MissingSource, message, role_arn.origin));
                }
            };
            return Ok(Found::Link { role_arn: Some(role_arn), from });
        }
        if let Some(source) = self.sso(view)? {
            return Ok(Found::Base(source));
        }
        let keys = if view.adopted { None } else { self.static_keys(view.section)? };
        let in_credentials_file =
            view.section.get("aws_access_key_id").is_some_and(|value| value.origin.file == SourceFile::Credentials);
        if in_credentials_file && let Some(keys) = keys {
            return Ok(Found::Base(keys));
        }
        if let Some(session) = view.get("login_session") {
            return Ok(Found::Base(Source::Login { login_session: session.text.clone() }));
        }
        if let (Some(source), Some(_)) = (view.get("source_profile"), view.get("mfa_serial")) {
            return Ok(Found::Link { role_arn: None, from: Signer::Profile(source) });
        }
        if let Some(process) = view.get("credential_process") {
            return Ok(match helper_profile(&process.text) {
                Some(name) => Found::Helper(Helper { name, value: process }),
                None => Found::Base(Source::Process { command: process.text.clone() }),
            });
        }
        if let Some(keys) = keys {
            return Ok(Found::Base(keys));
        }
        if let Some(source) = view.get("credential_source") {
            return Ok(Found::Base(credential_source(view, source)?));
        }
        self.half_a_key(view).map(|()| Found::Nothing)
    }

    fn source(&self, view: View<'_>, value: &Value, name: &str) -> Result<&'a Section, PlanError> {
        self.profiles.profiles.get(name).ok_or_else(|| {
            let hint = did_you_mean(name, self.profiles.profiles.keys().map(String::as_str));
            let message = format!(
                "profile \"{}\" takes its credentials from profile \"{name}\", which is in no AWS file{hint}",
                view.name()
            );
            error(PlanErrorCode::MissingSource, message, value.origin)
        })
    }

    fn circle(&self, section: &Section, itself: bool, named_by: Option<&Value>) -> PlanError {
        let origin = named_by.map_or(section.origin, |value| value.origin);
        if itself {
            let message = format!(
                "profile \"{0}\" is its own source and has no keys of its own: put aws_access_key_id and \
                 aws_secret_access_key into [{0}], or name another source_profile",
                section.name
            );
            return error(PlanErrorCode::ProfileLoop, message, origin);
        }
        let start = self.visited.iter().position(|name| *name == section.name).unwrap_or_default();
        let mut names: Vec<&str> = self.visited[start..].to_vec();
        names.push(&section.name);
        // A circle of hundreds is shown by its ends.
        if names.len() > 12 {
            names.splice(6..names.len() - 5, ["…"]);
        }
        let message = format!("the source profiles go round in a circle: {}", names.join(" → "));
        error(PlanErrorCode::ProfileLoop, message, origin)
    }

    fn static_keys(&self, section: &Section) -> Result<Option<Source>, PlanError> {
        let (Some(id), Some(secret)) = (section.get("aws_access_key_id"), section.get("aws_secret_access_key")) else {
            return Ok(None);
        };
        // botocore prefers the older name of the session token.
        let token = section.get("aws_security_token").or_else(|| section.get("aws_session_token"));
        Ok(Some(Source::Static(StaticKeys {
            access_key_id: id.text.clone(),
            secret_access_key: Secret::new(secret.text.as_str()),
            session_token: token.map(|token| Secret::new(token.text.as_str())),
            expires: stated_expiry(section, self.context.local_offset),
        })))
    }

    fn half_a_key(&self, view: View<'_>) -> Result<(), PlanError> {
        for (have, lack) in
            [("aws_access_key_id", "aws_secret_access_key"), ("aws_secret_access_key", "aws_access_key_id")]
        {
            if let Some(value) = view.section.get(have)
                && view.section.get(lack).is_none()
            {
                let message = format!("profile \"{}\" has {have} and no {lack}: half a key signs nothing", view.name());
                return Err(error(PlanErrorCode::IncompleteStatic, message, value.origin));
            }
        }
        Ok(())
    }

    fn sso(&self, view: View<'a>) -> Result<Option<Source>, PlanError> {
        let (account, role) = (view.get("sso_account_id"), view.get("sso_role_name"));
        let (session, start_url) = (view.get("sso_session"), view.get("sso_start_url"));
        // An sso_session alone is for bearer tokens only: botocore goes on to the next way.
        let Some(first) = account.or(role).or(start_url) else { return Ok(None) };
        let lack = |what: &str, origin: Origin| {
            let message = format!("profile \"{}\" uses SSO and lacks {what}", view.name());
            error(PlanErrorCode::MissingSource, message, origin)
        };
        let holder = match session {
            None => None,
            Some(name) => Some(self.profiles.sso_sessions.get(&name.text).ok_or_else(|| {
                let hint = did_you_mean(&name.text, self.profiles.sso_sessions.keys().map(String::as_str));
                let message = format!(
                    "profile \"{}\" names the sso-session \"{}\", which is in no AWS file{hint}",
                    view.name(),
                    name.text
                );
                error(PlanErrorCode::MissingSource, message, name.origin)
            })?),
        };
        let setting = |key: &str| -> Result<String, PlanError> {
            let value = holder.and_then(|section| section.get(key)).or_else(|| view.get(key));
            let origin = holder.map_or(first.origin, |section| section.origin);
            value.map(|value| value.text.clone()).ok_or_else(|| lack(key, origin))
        };
        Ok(Some(Source::Sso {
            session: session.map(|value| value.text.clone()),
            start_url: setting("sso_start_url")?,
            region: setting("sso_region")?,
            account_id: account.ok_or_else(|| lack("sso_account_id", first.origin))?.text.clone(),
            role_name: role.ok_or_else(|| lack("sso_role_name", first.origin))?.text.clone(),
        }))
    }

    /// Puts the steps together, from the base up through the links.
    fn up(mut self, name: &str, base: Step) -> Result<Plan, PlanError> {
        let mut steps = vec![base];
        while let Some(Link { view, role_arn }) = self.roles.pop() {
            let mfa = self.mfa(view, &mut steps)?;
            let profile = view.name().to_owned();
            let Some(role_arn) = role_arn else {
                continue;
            };
            let duration = view.get("duration_seconds");
            let duration_seconds = number(duration);
            if let (Some(value), None) = (duration, duration_seconds) {
                self.notes.push(format!(
                    "duration_seconds of profile \"{profile}\" (line {}) is not a number, and is left out as botocore does",
                    value.origin.line
                ));
            }
            let chained =
                steps.len() > 1 || !matches!(&steps[0].source, Source::Static(keys) if keys.session_token.is_none());
            if let Some(seconds) = duration_seconds {
                if !(900..=43_200).contains(&seconds) {
                    self.notes.push(format!("AWS will refuse duration_seconds = {seconds} of profile \"{profile}\": 900 to 43200 are possible"));
                } else if chained && seconds > CHAINED_SECONDS {
                    self.notes.push(format!(
                        "AWS will refuse duration_seconds = {seconds} of profile \"{profile}\": a role that is assumed with \
                         temporary credentials lives one hour at most"
                    ));
                }
            }
            steps.push(Step {
                profile,
                source: Source::AssumeRole(AssumeRole {
                    role_arn: role_arn.text.clone(),
                    role_session_name: session_name(view),
                    external_id: view.get("external_id").map(|value| value.text.clone()),
                    duration_seconds,
                    mfa_serial: mfa,
                    endpoint: self.endpoint.clone(),
                }),
            });
        }
        Ok(Plan { profile: name.to_owned(), steps, notes: self.notes })
    }

    /// What `mfa_serial` of a link means: on an IAM user's key one session with the code, shared by every role behind key
    /// and device; on a role nothing, as roles have no device.
    fn mfa(&self, view: View<'_>, steps: &mut Vec<Step>) -> Result<Option<String>, PlanError> {
        let Some(serial) = view.get("mfa_serial") else { return Ok(None) };
        match steps.last().map(|step| &step.source) {
            Some(Source::Static(keys)) if keys.session_token.is_none() => {
                steps.push(Step {
                    profile: view.name().to_owned(),
                    source: Source::SessionToken {
                        mfa_serial: Some(serial.text.clone()),
                        duration_seconds: Some(MFA_SESSION_SECONDS),
                        endpoint: self.endpoint.clone(),
                    },
                });
                Ok(None)
            }
            Some(Source::AssumeRole(_) | Source::Sso { .. } | Source::WebIdentity { .. }) => {
                let message = format!(
                    "profile \"{}\" has an mfa_serial, but its source is a role, and roles have no MFA device: move mfa_serial \
                     to the first role of the chain",
                    view.name()
                );
                Err(error(PlanErrorCode::ConflictingSource, message, serial.origin))
            }
            _ => Ok(Some(serial.text.clone())),
        }
    }
}

/// What a profile leads to.
enum Found<'a> {
    Base(Source),
    Link { role_arn: Option<&'a Value>, from: Signer<'a> },
    Helper(Helper<'a>),
    Nothing,
}

/// Where a link's credentials come from.
enum Signer<'a> {
    Profile(&'a Value),
    Source(Source),
}

/// Our own helper line, and the profile that it asks for.
struct Helper<'a> {
    name: String,
    value: &'a Value,
}

impl Helper<'_> {
    fn text_names(&self, profile: &str) -> bool {
        self.name == profile
    }
}

fn credential_source(view: View<'_>, value: &Value) -> Result<Source, PlanError> {
    match value.text.as_str() {
        "Environment" => Ok(Source::Environment),
        "EcsContainer" => Ok(Source::Container),
        "Ec2InstanceMetadata" => Ok(Source::InstanceMetadata),
        other => {
            let message = format!(
                "profile \"{}\" has credential_source = {other}, which no SDK knows{}",
                view.name(),
                did_you_mean(other, CREDENTIAL_SOURCES)
            );
            Err(error(PlanErrorCode::UnknownSource, message, value.origin))
        }
    }
}

fn no_credentials(view: View<'_>) -> PlanError {
    let name = view.name();
    let message = if view.section.get("credential_process").is_some() {
        format!(
            "profile \"{name}\" asks evercred for itself, and no evercred_… setting says how its credentials are got"
        )
    } else {
        format!(
            "profile \"{name}\" has no setting that says how its credentials are got (role_arn, sso_session, keys, …)"
        )
    };
    error(PlanErrorCode::NoCredentials, message, view.section.origin)
}

fn session_name(view: View<'_>) -> String {
    view.get("role_session_name").map_or_else(|| DEFAULT_SESSION_NAME.to_owned(), |value| value.text.clone())
}

fn number(value: Option<&Value>) -> Option<u32> {
    value?.text.parse().ok()
}

fn error(code: PlanErrorCode, message: String, origin: Origin) -> PlanError {
    PlanError { code, message, origin: Some(origin) }
}
