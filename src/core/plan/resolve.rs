//! Resolves profiles into plans.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::context::PlanContext;
use super::document::stated_kind;
use super::look::{Limits, sso_session};
use super::walk::Walker;
use super::{Plan, PlanError, PlanErrorCode, RenewAs};
use crate::core::nearest::did_you_mean;
use crate::core::profile::{HiddenNames, Lost, Problem, Profiles, Section, SectionKind, SourceFile};
use crate::core::session::SsoSession;

/// How many names are compared for "did you mean" when all profiles are resolved.
const COMPARISONS: usize = 200_000;

/// The plan or the error of every profile. Each section is read once, however many profiles depend on it. The plans
/// have no notes; [`resolve`] makes those.
pub fn resolve_all(profiles: &Profiles, context: &PlanContext) -> BTreeMap<String, Result<Plan, PlanError>> {
    let limits = Limits::new(COMPARISONS);
    let mut resolver = Resolver::new(profiles, Walker::of_all(profiles, context, &limits));
    profiles.profiles.iter().map(|(name, section)| (name.clone(), resolver.plan(section))).collect()
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
    let section = profiles.profiles.get(name).ok_or_else(|| missing_profile(profiles, name))?;
    let limits = Limits::none();
    Resolver::new(profiles, Walker::of_one(profiles, context, &limits)).plan(section)
}

/// Makes plans from chains.
struct Resolver<'a> {
    profiles: &'a Profiles,
    walker: Walker<'a>,
    /// The unreadable lines, by their sections.
    torn: BTreeMap<(SectionKind, &'a str), &'a Problem>,
    /// The unreadable lines that every section lacks.
    defaults: Option<&'a Problem>,
    /// The names that may be in the unreadable parts of the files.
    hidden: HiddenNames,
    /// The first unreadable line on which each profile depends.
    torn_for: HashMap<&'a str, Option<&'a Problem>>,
}

impl<'a> Resolver<'a> {
    fn new(profiles: &'a Profiles, walker: Walker<'a>) -> Self {
        let (mut torn, mut defaults) = (BTreeMap::new(), None);
        for problem in &profiles.problems {
            match &problem.lost {
                Lost::Line(kind, name) => _ = torn.entry((*kind, name.as_str())).or_insert(problem),
                Lost::Defaults => defaults = defaults.or(Some(problem)),
                Lost::Nothing | Lost::LooseLine | Lost::Header(_) | Lost::Section(_) | Lost::File => {}
            }
        }
        let hidden = HiddenNames::of(&profiles.problems);
        Self { profiles, walker, torn, defaults, hidden, torn_for: HashMap::new() }
    }

    fn plan(&mut self, section: &'a Section) -> Result<Plan, PlanError> {
        let walked = match self.walker.walk(section) {
            Ok(walked) => walked,
            Err(error) => {
                return Err(PlanError { kind: stated_kind(section), ..self.or_unreadable(section, error) });
            }
        };
        let renew = match section.get("renew").filter(|value| value.origin.file == SourceFile::Settings) {
            Some(value) if value.text == "on-demand" => Some(RenewAs::OnDemand),
            Some(_) => Some(RenewAs::Auto),
            None => None,
        };
        let region = section.get("region").map(|value| value.text.clone()).filter(|region| !region.is_empty());
        Ok(Plan {
            profile: section.name.clone(),
            steps: walked.steps,
            endpoint: walked.endpoint,
            region,
            renew,
            notes: walked.notes,
        })
    }

    /// If an unreadable line or file may be the cause of an error, reports that instead: the user corrects it first.
    fn or_unreadable(&mut self, section: &'a Section, error: PlanError) -> PlanError {
        let lacks_something = matches!(
            error.code,
            PlanErrorCode::MissingSource | PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic
        );
        let problem = self.torn_for(section);
        match problem.or_else(|| self.missing_for(section).filter(|_| lacks_something)) {
            Some(problem) => {
                let unreadable = problem_error(PlanErrorCode::UnreadableFile, problem);
                PlanError { message: format!("{}; {}", unreadable.message, error.message), ..unreadable }
            }
            None => error,
        }
    }

    /// The unreadable part of the files that may have what a profile lacks.
    fn missing_for(&self, section: &Section) -> Option<&'a Problem> {
        let named = ["source_profile", "sso_session"].into_iter().filter_map(|setting| section.get(setting));
        let names = std::iter::once(section.name.as_str()).chain(named.map(|name| name.text.as_str()));
        let first = names.filter_map(|name| self.hidden.first(name)).min();
        first.and_then(|at| self.profiles.problems.get(at)).or(self.defaults)
    }

    /// The first unreadable line in a profile, its session, and the source profiles that it depends on.
    fn torn_for(&mut self, section: &'a Section) -> Option<&'a Problem> {
        if self.torn.is_empty() {
            return None;
        }
        let (mut next, mut path) = (Some(section), HashSet::new());
        let problem = loop {
            let Some(here) = next else { break None };
            if let Some(known) = self.torn_for.get(here.name.as_str()) {
                break *known;
            }
            if !path.insert(here.name.as_str()) {
                break None;
            }
            let torn = |kind, name: &str| self.torn.get(&(kind, name)).copied();
            let session = here.get("sso_session").and_then(|name| torn(SectionKind::SsoSession, &name.text));
            if let Some(problem) = torn(SectionKind::Profile, &here.name).or(session) {
                break Some(problem);
            }
            next =
                here.get("source_profile").and_then(|name| self.profiles.profiles.get(&name.text)).map(AsRef::as_ref);
        };
        self.torn_for.extend(path.into_iter().map(|name| (name, problem)));
        problem
    }
}

/// The error that a problem of the files causes.
fn problem_error(code: PlanErrorCode, problem: &Problem) -> PlanError {
    PlanError {
        code,
        message: problem.message.clone(),
        origin: Some(problem.origin),
        fix: problem.fix.clone(),
        kind: None,
    }
}

/// Why a section may be missing although it is in the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingSections {
    /// The names that may be in the unreadable parts of the files.
    hidden: HiddenNames,
    /// The errors of those parts, by their places in the list of problems.
    unreadable: BTreeMap<usize, PlanError>,
    /// The ignored sections by the names that the user may call them.
    ignored: BTreeMap<String, PlanError>,
    /// The `sso-session` sections that lack a setting.
    incomplete_sessions: BTreeMap<String, PlanError>,
}

impl MissingSections {
    /// The reasons of these files.
    pub fn of(profiles: &Profiles) -> Self {
        let mut ignored = BTreeMap::new();
        for problem in &profiles.problems {
            for name in problem.ignored_names() {
                ignored.entry(name.to_owned()).or_insert_with(|| problem_error(PlanErrorCode::MissingProfile, problem));
            }
        }
        let (mut unreadable, mut torn) = (BTreeMap::new(), BTreeMap::new());
        for (at, problem) in profiles.problems.iter().enumerate() {
            match &problem.lost {
                Lost::Section(_) | Lost::File => {
                    _ = unreadable.insert(at, problem_error(PlanErrorCode::UnreadableFile, problem));
                }
                Lost::Line(SectionKind::SsoSession, name) => _ = torn.entry(name.as_str()).or_insert(problem),
                _ => {}
            }
        }
        let incomplete = |section: &Arc<Section>| {
            let error = incomplete_session(section, torn.get(section.name.as_str()).copied())?;
            Some((section.name.clone(), error))
        };
        let incomplete_sessions = profiles.sso_sessions.values().filter_map(incomplete).collect();
        Self { hidden: HiddenNames::of(&profiles.problems), unreadable, ignored, incomplete_sessions }
    }

    /// The same with other messages or fixes.
    #[must_use]
    pub fn map(self, each: impl Fn(PlanError) -> PlanError) -> Self {
        let of_names =
            |errors: BTreeMap<String, PlanError>| errors.into_iter().map(|(name, error)| (name, each(error))).collect();
        Self {
            hidden: self.hidden,
            unreadable: self.unreadable.into_iter().map(|(at, error)| (at, each(error))).collect(),
            ignored: of_names(self.ignored),
            incomplete_sessions: of_names(self.incomplete_sessions),
        }
    }

    /// The reason for which a section of this name may be missing; `what` ends its message: what was not found.
    pub fn reason(&self, name: &str, what: &str) -> Option<PlanError> {
        let unreadable = self.hidden.first(name).and_then(|at| self.unreadable.get(&at));
        let error = unreadable.or_else(|| self.ignored.get(name))?;
        Some(PlanError { message: format!("{}; {what}", error.message), ..error.clone() })
    }

    /// The reason for which an `sso-session` section is no session.
    pub fn incomplete_session(&self, name: &str) -> Option<&PlanError> {
        self.incomplete_sessions.get(name)
    }

    /// The error for a missing profile; `names` are those that were found.
    pub fn of_profile<'a>(&self, name: &str, names: impl IntoIterator<Item = &'a str>) -> PlanError {
        let hint = did_you_mean(name, names);
        self.reason(name, &format!("profile \"{name}\" was not found{hint}")).unwrap_or_else(|| PlanError {
            code: PlanErrorCode::MissingProfile,
            message: format!("profile \"{name}\" is in no AWS file{hint}"),
            origin: None,
            fix: None,
            kind: None,
        })
    }
}

/// The setting that an `sso-session` section lacks, or the line of it that can't be read.
fn incomplete_session(section: &Section, torn: Option<&Problem>) -> Option<PlanError> {
    let is_there = |setting: &&str| section.get(setting).is_some_and(|value| !value.text.is_empty());
    let missing = ["sso_start_url", "sso_region"].into_iter().find(|setting| !is_there(setting))?;
    let message = format!("SSO session \"{}\" lacks {missing}", section.name);
    Some(match torn {
        Some(problem) => problem_error(PlanErrorCode::UnreadableFile, problem),
        None => PlanError {
            code: PlanErrorCode::MissingSource,
            message,
            origin: Some(section.origin),
            fix: None,
            kind: None,
        },
    })
}

/// The error for a missing profile.
pub fn missing_profile(profiles: &Profiles, name: &str) -> PlanError {
    MissingSections::of(profiles).of_profile(name, profiles.profiles.keys().map(String::as_str))
}
