//! Walks from a profile through its source profiles to its base, and puts the steps together on the way back.
//!
//! The steps of a source profile depend on its section, on the endpoints of the requested profile, and on the endpoint
//! at which the credentials are used. With these as the key, each section is read once for all profiles that depend on
//! it.

use std::collections::HashMap;
use std::sync::Arc;

use super::chain::Chain;
use super::context::{PlanContext, WayToAws};
use super::look::{Found, Limits, Look, Signer, View, error};
use super::profile_loop::{ProfileLoop, its_own_source};
use super::walk_up::{Link, no_credentials};
use super::{Endpoint, PlanError, PlanErrorCode, Source, Step};
use crate::core::profile::{Profiles, Section, Value};

/// The maximum number of different steps of all plans. Only profiles with different endpoints share no steps; without a
/// limit, the number of steps could be the square of the number of profiles.
const MOST_STEPS: usize = 100_000;
const MOST_STEPS_A_PROFILE: usize = 4;
/// Chains of up to this length are not limited.
const SHORT_CHAIN: usize = 20;

/// The number of an endpoint in [`Walker::ways`].
type Way = usize;

/// The key that decides the steps of a source profile.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State<'a> {
    profile: &'a str,
    /// The endpoint for its calls and those of its sources.
    way: Way,
    /// The endpoint at which its credentials are used; `None` for the requested profile.
    used_at: Option<Way>,
}

/// The result for a state.
#[derive(Clone)]
enum Outcome<'a> {
    Chain(Chain),
    /// An error, and the chain to which no step could be added.
    Error(Arc<PlanError>, Chain),
    /// A loop, entered at this number.
    Loop(Arc<ProfileLoop<'a>>, usize),
}

impl Outcome<'_> {
    fn error(error: PlanError) -> Self {
        Self::Error(Arc::new(error), Chain::default())
    }
}

/// A profile on the walk.
#[derive(Clone, Copy)]
struct Here<'a> {
    section: &'a Section,
    state: State<'a>,
    named_by: Option<&'a Value>,
}

/// A profile on the way down, and the step that it adds.
struct Passage<'a> {
    here: Here<'a>,
    link: Option<Link<'a>>,
}

/// The profiles on the way down to the base.
struct Path<'a> {
    passages: Vec<Passage<'a>>,
    /// The index of each profile in `passages`.
    numbers: HashMap<&'a str, usize>,
    /// Notes about the endpoint, for the case that it is used.
    endpoint_notes: Vec<String>,
}

/// The end of the way down.
enum End<'a> {
    Outcome(Outcome<'a>),
    /// A loop only for the profile at this index: as a source of other profiles it has another result.
    LoopOfOne(Outcome<'a>, usize),
    /// The known result begins with the keys of a profile on the path, which would be a loop.
    PathOnChain,
}

/// The result of a walk.
pub(super) struct Walked {
    pub(super) steps: Chain,
    /// The endpoint of the profile's own calls.
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) notes: Vec<String>,
}

/// Walks through source profiles; see the module.
pub(super) struct Walker<'a> {
    profiles: &'a Profiles,
    pub(super) context: &'a PlanContext,
    limits: &'a Limits,
    /// The endpoints, each with the first profile that uses it.
    ways: Vec<(Arc<Endpoint>, &'a Section)>,
    numbers: HashMap<WayToAws<'a>, Way>,
    /// The outcomes so far; `None` if the caller needs notes, which outcomes don't have.
    known: Option<HashMap<State<'a>, Outcome<'a>>>,
    /// The first steps so far that are a profile's keys, by the endpoint at which they are used.
    keys: HashMap<(&'a str, Option<Way>), Chain>,
    pub(super) notes: Vec<String>,
    /// How many more steps there may be.
    room: usize,
}

impl<'a> Walker<'a> {
    /// For one profile, with its notes.
    pub(super) fn of_one(profiles: &'a Profiles, context: &'a PlanContext, limits: &'a Limits) -> Self {
        let (ways, numbers, keys, notes) = (Vec::new(), HashMap::new(), HashMap::new(), Vec::new());
        Self { profiles, context, limits, ways, numbers, known: None, keys, notes, room: usize::MAX }
    }

    /// For all profiles, without notes.
    pub(super) fn of_all(profiles: &'a Profiles, context: &'a PlanContext, limits: &'a Limits) -> Self {
        let room = profiles.profiles.len().saturating_mul(MOST_STEPS_A_PROFILE).saturating_add(MOST_STEPS);
        Self { known: Some(HashMap::new()), room, ..Self::of_one(profiles, context, limits) }
    }

    /// The steps of a profile.
    ///
    /// # Errors
    /// The files have no source of credentials, or a wrong setting. The error names the file and line.
    pub(super) fn walk(&mut self, first: &'a Section) -> Result<Walked, PlanError> {
        self.notes.clear();
        let (way, endpoint, endpoint_notes) = self.way(first);
        let state = State { profile: &first.name, way, used_at: None };
        let outcome = self.outcome(Here { section: first, state, named_by: None }, endpoint_notes);
        let steps = match outcome {
            Outcome::Chain(steps) => steps,
            Outcome::Error(error, _) => return Err(error.as_ref().clone()),
            Outcome::Loop(profiles, at) => return Err(profiles.error(at)),
        };
        let notes = if self.known.is_some() { Vec::new() } else { std::mem::take(&mut self.notes) };
        Ok(Walked { steps, endpoint, notes })
    }

    /// The endpoint of a profile's calls, and the notes about it.
    fn way(&mut self, section: &'a Section) -> (Way, Arc<Endpoint>, Vec<String>) {
        let (endpoint, notes) = self.context.sts_endpoint(section, self.profiles);
        let endpoint = self.limits.shared_endpoint(endpoint);
        let ways = &mut self.ways;
        let way = *self.numbers.entry(WayToAws::of(section)).or_insert_with(|| {
            ways.push((Arc::clone(&endpoint), section));
            ways.len() - 1
        });
        (way, endpoint, notes)
    }

    fn endpoint(&self, way: Way) -> &Arc<Endpoint> {
        &self.ways[way].0
    }

    fn outcome(&mut self, first: Here<'a>, endpoint_notes: Vec<String>) -> Outcome<'a> {
        let mut path = Path { passages: Vec::new(), numbers: HashMap::new(), endpoint_notes };
        let mut here = first;
        let end = loop {
            match self.down(here, &mut path) {
                Ok(next) => here = next,
                Err(end) => break end,
            }
        };
        let (mut outcome, remembered) = match end {
            End::Outcome(outcome) => (outcome, path.passages.len()),
            End::LoopOfOne(outcome, at) => (outcome, at + 1),
            End::PathOnChain => {
                let mut alone = Self::of_one(self.profiles, self.context, self.limits);
                return match alone.walk(first.section) {
                    Ok(walked) => Outcome::Chain(walked.steps),
                    Err(error) => Outcome::error(error),
                };
            }
        };
        self.room = self.room.saturating_sub(path.passages.len());
        for (at, Passage { here, link }) in path.passages.into_iter().enumerate().rev() {
            let is_link = link.is_some();
            outcome = match (outcome, link) {
                (Outcome::Chain(chain), Some(link)) => match self.up(&link, chain.clone()) {
                    Ok(chain) => Outcome::Chain(chain),
                    Err(error) => Outcome::Error(Arc::new(error), chain),
                },
                (Outcome::Loop(profiles, entered), _) => {
                    let entered = profiles.number(&here.section.name).unwrap_or(entered);
                    Outcome::Loop(profiles, entered)
                }
                (outcome, _) => outcome,
            };
            if at < remembered
                && let Some(known) = &mut self.known
            {
                known.insert(here.state, outcome.clone());
                // The steps before a link use the link's own endpoint, so the result is the same for all uses.
                if is_link {
                    let used_here = State { used_at: Some(here.state.way), ..here.state };
                    known.insert(used_here, outcome.clone());
                    known.insert(State { used_at: None, ..here.state }, outcome.clone());
                }
            }
        }
        outcome
    }

    /// Reads one profile, and returns its source or the end of the walk.
    fn down(&mut self, here: Here<'a>, path: &mut Path<'a>) -> Result<Here<'a>, End<'a>> {
        let Here { section, state, named_by } = here;
        let fail = |error| End::Outcome(Outcome::error(error));
        let (endpoint, asked_for) = &self.ways[state.way];
        let look = Look { profiles: self.profiles, context: self.context, asked_for, limits: self.limits };
        // A profile that names itself means its own keys. Any other visited profile closes a loop.
        let itself = path.passages.last().is_some_and(|last| last.here.section.name == section.name);
        if let Some(start) = path.numbers.get(section.name.as_str()).copied().filter(|_| !itself) {
            // As a source it may have another result than at its first visit: its static keys, or those of a profile
            // that it requests.
            let first = &path.passages[start];
            let is_alike = first.here.state.used_at.is_some() == state.used_at.is_some();
            let is_closed = is_alike || (first.link.is_some() && look.static_keys(section).is_none());
            let outcome = Outcome::Loop(Arc::new(path.loop_from(start, named_by)), 0);
            return Err(if is_closed { End::Outcome(outcome) } else { End::LoopOfOne(outcome, start) });
        }
        // In a source profile, static keys take precedence.
        if let (Some(_), Some(keys)) = (state.used_at, look.static_keys(section)) {
            return Err(End::Outcome(Outcome::Chain(self.keys_of(section, keys, state.used_at))));
        }
        if itself {
            return Err(fail(its_own_source(section, named_by)));
        }
        match self.known.as_ref().and_then(|known| known.get(&state)) {
            Some(Outcome::Chain(chain) | Outcome::Error(_, chain)) if path.has_base_of(chain) => {
                return Err(End::PathOnChain);
            }
            Some(known) => return Err(End::Outcome(known.clone())),
            None => {}
        }
        if path.passages.len() >= self.room.max(SHORT_CHAIN) {
            return Err(fail(too_many(section)));
        }
        path.numbers.insert(&section.name, path.passages.len());
        path.passages.push(Passage { here, link: None });
        let (view, found) = found(look, section, endpoint, &mut self.notes).map_err(fail)?;
        match found {
            Found::Base(source) => {
                if matches!(*source, Source::WebIdentity(_)) {
                    self.notes.append(&mut path.endpoint_notes);
                }
                Err(End::Outcome(Outcome::Chain(self.base(section, *source, state.used_at))))
            }
            Found::Helper { asked, line } => {
                self.notes.push(format!("profile \"{}\" asks evercred for profile \"{asked}\"", section.name));
                let next = self.source(view, "credential_process", line, &asked).map_err(fail)?;
                // The helper makes a separate request, with the region of the profile that it names.
                let (way, _, endpoint_notes) = self.way(next);
                path.endpoint_notes = endpoint_notes;
                let state = State { profile: &next.name, way, ..state };
                Ok(Here { section: next, state, named_by: Some(line) })
            }
            Found::Link { role_arn, from } => {
                self.notes.append(&mut path.endpoint_notes);
                let link = Link { view, role_arn, endpoint: Arc::clone(endpoint) };
                if let Some(passage) = path.passages.last_mut() {
                    passage.link = Some(link);
                }
                match from {
                    Signer::Profile(value) => {
                        let spelt = view.spelt("source_profile");
                        let next = self.source(view, &spelt, value, &value.text).map_err(fail)?;
                        let state = State { profile: &next.name, way: state.way, used_at: Some(state.way) };
                        Ok(Here { section: next, state, named_by: Some(value) })
                    }
                    Signer::Source(source) => {
                        Err(End::Outcome(Outcome::Chain(self.base(section, *source, Some(state.way)))))
                    }
                }
            }
            Found::Nothing => Err(fail(no_credentials(view))),
        }
    }

    /// The first step with a profile's keys. All chains that use the keys at the same endpoint share it.
    fn keys_of(&mut self, section: &'a Section, keys: Source, used_at: Option<Way>) -> Chain {
        if let Some(known) = self.keys.get(&(section.name.as_str(), used_at)) {
            return known.clone();
        }
        let chain = self.base(section, keys, used_at);
        self.keys.insert((&section.name, used_at), chain.clone());
        chain
    }

    /// The first step; for SSO, the first two.
    fn base(&self, section: &Section, source: Source, used_at: Option<Way>) -> Chain {
        let step = |source| Step { profile: section.name.clone(), source };
        if let Source::Sso(role) = &source {
            let token = Source::SsoToken(role.session.clone());
            return Chain::start(step(token), None).then(step(source));
        }
        Chain::start(step(source), used_at.map(|way| self.endpoint(way)))
    }

    /// The chain with the step of a link.
    fn up(&mut self, link: &Link<'a>, chain: Chain) -> Result<Chain, PlanError> {
        match link.role_arn {
            Some(role_arn) => self.assume_role(link, role_arn, chain),
            None => self.session(link, chain),
        }
    }

    fn source(&self, view: View<'_>, setting: &str, value: &Value, name: &str) -> Result<&'a Section, PlanError> {
        self.profiles.profiles.get(name).map(AsRef::as_ref).ok_or_else(|| {
            let hint = self.limits.hint(self.profiles, name, self.profiles.profiles.keys());
            let message = format!(
                "profile \"{}\" takes its credentials from profile \"{name}\" ({setting}), which is in no AWS file{hint}",
                view.name()
            );
            error(PlanErrorCode::MissingSource, message, value.origin)
        })
    }
}

impl<'a> Path<'a> {
    /// The loop from a passage to the last one, which names the profile of that passage.
    fn loop_from(&self, start: usize, named_by: Option<&Value>) -> ProfileLoop<'a> {
        let profiles = self.passages[start..].iter().enumerate().map(|(at, Passage { here, .. })| {
            let named_by = if at == 0 { named_by } else { here.named_by };
            (here.section.name.as_str(), named_by.map_or(here.section.origin, |value| value.origin))
        });
        ProfileLoop::of(profiles)
    }

    /// Whether a chain begins with the keys of a profile on the path.
    fn has_base_of(&self, chain: &Chain) -> bool {
        chain.first().is_some_and(|step| {
            matches!(step.source, Source::Static(_)) && self.numbers.contains_key(step.profile.as_str())
        })
    }
}

/// The source of a profile. A helper line with the name of its own profile marks an adopted profile, whose kept
/// settings count.
fn found<'a>(
    look: Look<'a>,
    section: &'a Section,
    endpoint: &Endpoint,
    notes: &mut Vec<String>,
) -> Result<(View<'a>, Found<'a>), PlanError> {
    let mut view = View { section, adopted: false };
    let found = look.at(view, endpoint, notes)?;
    if !matches!(&found, Found::Helper { asked, .. } if *asked == section.name) {
        return Ok((view, found));
    }
    view.adopted = true;
    let kept = match look.at(view, endpoint, notes)? {
        Found::Helper { .. } => Found::Nothing,
        kept => kept,
    };
    Ok((view, kept))
}

fn too_many(section: &Section) -> PlanError {
    let message = format!(
        "the chain through profile \"{}\" is too long for its many different regions and endpoints: set the same ones for all \
         profiles that depend on it",
        section.name
    );
    error(PlanErrorCode::ProfileLoop, message, section.origin)
}
