//! From a profile's name to its steps: walks the chain of source profiles down to where credentials begin.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::context::PlanContext;
use super::document::stated_kind;
use super::look::{Found, Limits, Look, Signer, View, error, sso_session};
use super::session_length::{LONGEST_CHAINED, LONGEST_OF_ROLE, LONGEST_OF_USER, SHORTEST};
use super::{AssumeRole, Endpoint, Plan, PlanError, PlanErrorCode, RenewAs, SessionToken, Source, Step};
use crate::core::nearest::did_you_mean;
use crate::core::profile::{Problem, Profiles, Section, SectionKind, SourceFile, Value};
use crate::core::session::SsoSession;

/// The longest chain of source profiles that the daemon serves: usual chains have two or three roles, and thousands
/// would make as many plans of as many steps, although the plans share them.
pub const LONGEST_CHAIN: usize = 100;

/// How many names are compared for "did you mean" when all profiles are resolved.
const COMPARISONS: usize = 200_000;

/// How long an MFA session lives unless something else is set.
const MFA_SESSION_SECONDS: u32 = 12 * 3600;

/// The plan, or why there is none, of every profile.
pub fn resolve_all(profiles: &Profiles, context: &PlanContext) -> BTreeMap<String, Result<Plan, PlanError>> {
    let limits = Limits::new(LONGEST_CHAIN, COMPARISONS);
    profiles.profiles.keys().map(|name| (name.clone(), resolve_with(profiles, name, context, &limits))).collect()
}

/// The `[sso-session …]` sections that say where they are, whether a profile names them or not. A profile's own endpoint for
/// them counts where all profiles of the session agree: its token is everybody's.
pub fn resolve_sso_sessions(profiles: &Profiles, context: &PlanContext) -> BTreeMap<String, SsoSession> {
    let mut named_by: BTreeMap<&str, Vec<&Section>> = BTreeMap::new();
    for profile in profiles.profiles.values() {
        if let Some(name) = profile.get("sso_session").or_else(|| profile.get("evercred_sso_session")) {
            named_by.entry(&name.text).or_default().push(profile);
        }
    }
    let one = |section: &Section| {
        let text = |key: &str| Some(section.get(key)?.text.clone());
        let endpoint = |service, region: String| {
            let of = |profile| context.endpoint(service, region.clone(), profile, profiles);
            let mut said = named_by.get(section.name.as_str()).into_iter().flatten().map(|profile| of(Some(profile)));
            let first = said.next();
            first.filter(|first| said.all(|other| other == *first)).unwrap_or_else(|| of(None))
        };
        let (start_url, region) = (text("sso_start_url")?, text("sso_region")?);
        Some(sso_session(Some(section.name.clone()), start_url, region, Some(section), endpoint))
    };
    profiles.sso_sessions.values().filter_map(|section| Some((section.name.clone(), one(section)?))).collect()
}

/// The plan of one profile.
///
/// # Errors
/// The files don't say how, or say it wrongly: a sentence with its place.
pub fn resolve(profiles: &Profiles, name: &str, context: &PlanContext) -> Result<Plan, PlanError> {
    resolve_with(profiles, name, context, &Limits::none())
}

fn resolve_with(profiles: &Profiles, name: &str, context: &PlanContext, limits: &Limits) -> Result<Plan, PlanError> {
    let section = profiles.profiles.get(name).ok_or_else(|| missing_profile(profiles, name))?;
    plan_of(section, profiles, context, limits)
        .map_err(|error| PlanError { kind: stated_kind(section), ..or_unreadable(profiles, section, error) })
}

/// If an unreadable line or file may be the cause of an error, reports that instead: the user corrects it first.
fn or_unreadable(profiles: &Profiles, section: &Section, error: PlanError) -> PlanError {
    let mut section = Some(section);
    let mut visited = HashSet::new();
    let mut problem = None;
    while let Some(here) =
        section.filter(|here| problem.is_none() && visited.len() < LONGEST_CHAIN && visited.insert(here.name.as_str()))
    {
        let session = here.get("sso_session").and_then(|name| profiles.torn(SectionKind::SsoSession, &name.text));
        problem = profiles.torn(SectionKind::Profile, &here.name).or(session);
        section = here.get("source_profile").and_then(|name| profiles.profiles.get(&name.text)).map(AsRef::as_ref);
    }
    let lacks_something = matches!(
        error.code,
        PlanErrorCode::MissingSource | PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic
    );
    let problem = problem.or_else(|| profiles.hiding().filter(|_| lacks_something));
    match problem {
        Some(problem) => unreadable(problem, &error.message),
        None => error,
    }
}

/// Why a missing section may still be in the files.
pub fn unreadable_files(profiles: &Profiles) -> Option<PlanError> {
    profiles.hiding().map(|problem| PlanError { message: problem.message.clone(), ..unreadable(problem, "") })
}

/// A missing or incomplete section may be in an unreadable part of the files.
fn unreadable(problem: &Problem, what: &str) -> PlanError {
    PlanError {
        code: PlanErrorCode::UnreadableFile,
        message: format!("{}; {what}", problem.message),
        origin: Some(problem.origin),
        fix: problem.fix.clone(),
        kind: None,
    }
}

fn plan_of(section: &Section, profiles: &Profiles, context: &PlanContext, limits: &Limits) -> Result<Plan, PlanError> {
    let (endpoint, endpoint_notes) = context.sts_endpoint(section, profiles);
    let endpoint = limits.shared_endpoint(endpoint);
    let mut walk = Walk {
        look: Look { profiles, context, asked_for: section, limits },
        endpoint: endpoint.clone(),
        endpoint_notes,
        notes: Vec::new(),
        links: Vec::new(),
        path: Vec::new(),
        visited: HashSet::new(),
    };
    let base = walk.down(section)?;
    let (steps, mut notes) = walk.up(base)?;
    if steps.len() > LONGEST_CHAIN + 2 {
        notes.push(format!("the daemon serves chains of at most {LONGEST_CHAIN} profiles and refuses this one"));
    }
    let renew = match section.get("renew").filter(|value| value.origin.file == SourceFile::Settings) {
        Some(value) if value.text == "on-demand" => Some(RenewAs::OnDemand),
        Some(_) => Some(RenewAs::Auto),
        None => None,
    };
    let region = section.get("region").map(|value| value.text.clone()).filter(|region| !region.is_empty());
    let mut shared = Vec::with_capacity(steps.len());
    // Collected, they would stay in the memory of the steps themselves.
    shared.extend(steps.into_iter().map(|step| limits.shared(step)));
    Ok(Plan { profile: section.name.clone(), steps: shared, endpoint, region, renew, notes })
}

/// The error for a missing profile: it may be in a file that can't be read.
pub fn missing_profile(profiles: &Profiles, name: &str) -> PlanError {
    let hint = did_you_mean(name, profiles.profiles.keys().map(String::as_str));
    if let Some(problem) = profiles.hiding() {
        return unreadable(problem, &format!("profile \"{name}\" was not found{hint}"));
    }
    PlanError {
        code: PlanErrorCode::MissingProfile,
        message: format!("profile \"{name}\" is in no AWS file{hint}"),
        origin: None,
        fix: None,
        kind: None,
    }
}

struct Walk<'a> {
    look: Look<'a>,
    /// Where the calls of the links that come next go.
    endpoint: Arc<Endpoint>,
    /// What is to be said of it, once it is used.
    endpoint_notes: Vec<String>,
    notes: Vec<String>,
    /// The links met on the way down, the last to run first.
    links: Vec<Link<'a>>,
    /// The profiles met on the way down.
    path: Vec<&'a str>,
    visited: HashSet<&'a str>,
}

/// A step that is signed with the credentials of the one below it.
struct Link<'a> {
    view: View<'a>,
    /// `None`: a session-token profile.
    role_arn: Option<&'a Value>,
    endpoint: Arc<Endpoint>,
}

impl<'a> Walk<'a> {
    /// Follows the sources to the first step.
    fn down(&mut self, first: &'a Section) -> Result<Step, PlanError> {
        let mut section = first;
        let mut named_by: Option<&'a Value> = None;
        loop {
            let base = |source| Ok(Step { profile: section.name.clone(), source });
            // A profile that names itself means its own keys; any other that was met before closes a circle.
            let itself = self.path.last() == Some(&section.name.as_str());
            if self.visited.contains(section.name.as_str()) && !itself {
                return Err(self.circle(section, named_by));
            }
            // Behind the first link static keys come first.
            if !self.links.is_empty()
                && let Some(keys) = self.look.static_keys(section)
            {
                return base(keys);
            }
            if itself {
                return Err(its_own_source(section, named_by));
            }
            if self.path.len() >= self.look.limits.chain {
                return Err(too_long(first, named_by));
            }
            self.path.push(&section.name);
            self.visited.insert(&section.name);
            let (view, found) = self.found(section)?;
            (section, named_by) = match found {
                Found::Base(source) => {
                    if matches!(*source, Source::WebIdentity(_)) {
                        self.notes.append(&mut self.endpoint_notes);
                    }
                    return base(*source);
                }
                Found::Helper { asked, line } => {
                    self.notes.push(format!("profile \"{}\" asks evercred for profile \"{asked}\"", section.name));
                    let next = self.source(view, "credential_process", line, &asked)?;
                    // What evercred is asked for is a request of its own, with that profile's region.
                    let (endpoint, notes) = self.look.context.sts_endpoint(next, self.look.profiles);
                    (self.endpoint, self.endpoint_notes) = (self.look.limits.shared_endpoint(endpoint), notes);
                    self.look.asked_for = next;
                    (next, Some(line))
                }
                Found::Link { role_arn, from } => {
                    self.notes.append(&mut self.endpoint_notes);
                    self.links.push(Link { view, role_arn, endpoint: self.endpoint.clone() });
                    match from {
                        Signer::Profile(value) => {
                            (self.source(view, &view.spelt("source_profile"), value, &value.text)?, Some(value))
                        }
                        Signer::Source(source) => return base(*source),
                    }
                }
                Found::Nothing => return Err(no_credentials(view)),
            };
        }
    }

    /// What a profile leads to; a helper line for the profile itself marks an adopted one, whose kept settings count.
    fn found(&mut self, section: &'a Section) -> Result<(View<'a>, Found<'a>), PlanError> {
        let mut view = View { section, adopted: false };
        let found = self.look.at(view, &self.endpoint, &mut self.notes)?;
        if !matches!(&found, Found::Helper { asked, .. } if *asked == section.name) {
            return Ok((view, found));
        }
        view.adopted = true;
        let kept = match self.look.at(view, &self.endpoint, &mut self.notes)? {
            Found::Helper { .. } => Found::Nothing,
            kept => kept,
        };
        Ok((view, kept))
    }

    fn source(&self, view: View<'_>, setting: &str, value: &Value, name: &str) -> Result<&'a Section, PlanError> {
        self.look.profiles.profiles.get(name).map(AsRef::as_ref).ok_or_else(|| {
            let hint = self.look.limits.did_you_mean(name, self.look.profiles.profiles.keys());
            let message = format!(
                "profile \"{}\" takes its credentials from profile \"{name}\" ({setting}), which is in no AWS file{hint}",
                view.name()
            );
            error(PlanErrorCode::MissingSource, message, value.origin)
        })
    }

    fn circle(&self, section: &Section, named_by: Option<&Value>) -> PlanError {
        let start = self.path.iter().position(|name| *name == section.name).unwrap_or_default();
        let mut names: Vec<&str> = self.path[start..].to_vec();
        names.push(&section.name);
        // A circle of hundreds is shown by its ends.
        if names.len() > 12 {
            names.splice(6..names.len() - 5, ["…"]);
        }
        let message = format!("the source profiles form a loop: {}", names.join(" → "));
        error(PlanErrorCode::ProfileLoop, message, named_by.map_or(section.origin, |value| value.origin))
    }

    /// Puts the steps together, from the base up through the links.
    fn up(mut self, base: Step) -> Result<(Vec<Step>, Vec<String>), PlanError> {
        let mut steps = Vec::with_capacity(2 + self.links.len());
        if let Source::Sso(role) = &base.source {
            steps.push(Step { profile: base.profile.clone(), source: Source::SsoToken(role.session.clone()) });
        }
        steps.push(base);
        while let Some(link) = self.links.pop() {
            match link.role_arn {
                Some(role_arn) => self.assume_role(&link, role_arn, &mut steps)?,
                None => self.session(&link, &mut steps)?,
            }
        }
        Ok((steps, self.notes))
    }

    fn assume_role(&mut self, link: &Link<'_>, role_arn: &Value, steps: &mut Vec<Step>) -> Result<(), PlanError> {
        let view = link.view;
        let mfa_serial = self.mfa(link, steps)?;
        let duration_seconds = view.duration_seconds(&mut self.notes).map(|seconds| {
            let said = format!("{} = {seconds} of profile \"{}\"", view.spelt("duration_seconds"), view.name());
            let on_mfa_session = matches!(last(steps), Some(Source::SessionToken(_)));
            let long_term = matches!(last(steps), Some(Source::Static(keys)) if keys.session_token.is_none());
            // What a process gives is known when it has run.
            let chained = !long_term && !matches!(last(steps), Some(Source::Process { .. }));
            if !(SHORTEST..=LONGEST_OF_ROLE).contains(&seconds) {
                self.notes.push(format!("AWS will refuse {said}: {SHORTEST} to {LONGEST_OF_ROLE} are possible"));
            } else if on_mfa_session && seconds > LONGEST_CHAINED {
                self.notes.push(format!(
                    "{said} is cut to {LONGEST_CHAINED}: a role behind an MFA session lives one hour at most, and is renewed \
                     without a code"
                ));
                return LONGEST_CHAINED;
            } else if chained && seconds > LONGEST_CHAINED {
                self.notes.push(format!(
                    "AWS will refuse {said}: a role that is assumed with temporary credentials lives one hour at most"
                ));
            }
            seconds
        });
        steps.push(Step {
            profile: view.name().to_owned(),
            source: Source::AssumeRole(AssumeRole {
                role_arn: role_arn.text.clone(),
                role_session_name: view.session_name(),
                external_id: view.get("external_id").map(|value| value.text.clone()),
                duration_seconds,
                mfa_serial,
                mfa_process: text(view, "mfa_process"),
                endpoint: link.endpoint.clone(),
            }),
        });
        Ok(())
    }

    /// The meaning of `mfa_serial` of a role. Based on an IAM user's key, in a file or printed by a program: one session with the
    /// code, shared by all roles with that key and device. Based on a role: an error, as roles have no device. Otherwise the
    /// role's own call sends the code.
    fn mfa(&mut self, link: &Link<'_>, steps: &mut Vec<Step>) -> Result<Option<String>, PlanError> {
        let Some(serial) = link.view.get("mfa_serial") else { return Ok(None) };
        match last(steps) {
            Some(Source::Static(keys)) if keys.session_token.is_none() => {
                steps.push(session_token(link, serial, MFA_SESSION_SECONDS));
                Ok(None)
            }
            Some(Source::Process { .. }) if !self.prints_temporary(steps) => {
                self.notes.push(
                    "one MFA code serves all roles based on this credential_process, if the program prints the long-term key of \
                     an IAM user; if it prints temporary credentials, each role needs a code"
                        .to_owned(),
                );
                steps.push(session_token(link, serial, MFA_SESSION_SECONDS));
                Ok(None)
            }
            Some(Source::SessionToken(_)) => {
                self.notes.push(format!(
                    "{} of profile \"{}\" asks for no second code: its source is an MFA session",
                    link.view.spelt("mfa_serial"),
                    link.view.name()
                ));
                Ok(None)
            }
            Some(
                Source::AssumeRole(_)
                | Source::Sso(_)
                | Source::WebIdentity(_)
                | Source::InstanceMetadata
                | Source::Container,
            ) => {
                let message = format!(
                    "profile \"{}\" has an {}, but its source is a role, and roles have no MFA device: move it to the first \
                     role of the chain",
                    link.view.name(),
                    link.view.spelt("mfa_serial")
                );
                Err(error(PlanErrorCode::ConflictingSource, message, serial.origin))
            }
            _ => Ok(Some(serial.text.clone())),
        }
    }

    /// Whether the program that is the last step printed temporary credentials when it last ran.
    fn prints_temporary(&self, steps: &[Step]) -> bool {
        steps.last().is_some_and(|step| self.look.context.temporary_processes.contains(&step.key()))
    }

    /// A profile that is an MFA session itself.
    fn session(&mut self, link: &Link<'_>, steps: &mut Vec<Step>) -> Result<(), PlanError> {
        let Some(serial) = link.view.get("mfa_serial") else { return Ok(()) };
        let long_term = match last(steps) {
            Some(Source::Static(keys)) => keys.session_token.is_none(),
            Some(Source::Process { .. }) => !self.prints_temporary(steps),
            Some(Source::Environment) => true,
            _ => false,
        };
        if !long_term {
            let message = format!(
                "profile \"{}\" asks for a session with an MFA code ({}), which AWS gives for an IAM user's long-term key \
                 only, and its source has temporary credentials",
                link.view.name(),
                link.view.spelt("mfa_serial")
            );
            return Err(error(PlanErrorCode::ConflictingSource, message, serial.origin));
        }
        let seconds = link.view.duration_seconds(&mut self.notes).unwrap_or(MFA_SESSION_SECONDS);
        if !(SHORTEST..=LONGEST_OF_USER).contains(&seconds) {
            self.notes.push(format!(
                "AWS will refuse {} = {seconds} of profile \"{}\": {SHORTEST} to {LONGEST_OF_USER} are possible",
                link.view.spelt("duration_seconds"),
                link.view.name()
            ));
        }
        steps.push(session_token(link, serial, seconds));
        Ok(())
    }
}

fn text(view: View<'_>, setting: &str) -> Option<String> {
    view.get(setting).map(|value| value.text.clone())
}

fn last(steps: &[Step]) -> Option<&Source> {
    steps.last().map(|step| &step.source)
}

fn session_token(link: &Link<'_>, serial: &Value, seconds: u32) -> Step {
    Step {
        profile: link.view.name().to_owned(),
        source: Source::SessionToken(SessionToken {
            mfa_serial: Some(serial.text.clone()),
            mfa_process: text(link.view, "mfa_process"),
            duration_seconds: Some(seconds),
            endpoint: Endpoint::clone(&link.endpoint),
        }),
    }
}

fn too_long(first: &Section, named_by: Option<&Value>) -> PlanError {
    let message = format!(
        "the chain of source profiles of profile \"{}\" has more than {LONGEST_CHAIN} profiles: shorten it, or remove \
         a loop",
        first.name
    );
    error(PlanErrorCode::ProfileLoop, message, named_by.map_or(first.origin, |value| value.origin))
}

fn its_own_source(section: &Section, named_by: Option<&Value>) -> PlanError {
    let message = format!(
        "profile \"{0}\" is its own source and has no keys of its own: put aws_access_key_id and aws_secret_access_key \
         into [{0}], or name another source_profile",
        section.name
    );
    error(PlanErrorCode::ProfileLoop, message, named_by.map_or(section.origin, |value| value.origin))
}

fn no_credentials(view: View<'_>) -> PlanError {
    let name = view.name();
    if view.adopted {
        let message = format!(
            "the credential_process of profile \"{name}\" asks evercred for the same profile, and no evercred_… setting says \
             how to obtain its credentials"
        );
        let line = view.section.get("credential_process").map_or(view.section.origin, |line| line.origin);
        return error(PlanErrorCode::ProfileLoop, message, line);
    }
    let message = if view.get("sso_session").is_some() {
        format!(
            "profile \"{name}\" has sso_session, and lacks sso_account_id and sso_role_name: whose credentials they are"
        )
    } else {
        format!(
            "profile \"{name}\" has no setting that says how to obtain its credentials (role_arn, sso_session, keys, …)"
        )
    };
    error(PlanErrorCode::NoCredentials, message, view.section.origin)
}
