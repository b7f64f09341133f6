//! The state of a profile's chain, in two views.
//!
//! The credentials of a chain depend on each other: each step signs the call of the next one. To renew the last one, the keeper
//! descends from it to the first step whose parent can sign, and calls there:
//!
//! ```text
//!   static keys ──▶ role "base" ──▶ role "admin" ──▶ what the profile's callers get
//!                   expired          expired
//!                   ▲                   │ descend: its parent can't sign
//!                   └───────────────────┘
//!                   Ready: its parent can sign. The call of "admin" is made in a later pass.
//! ```
//!
//! - [`ChainState`] is the result of the descent: the next call, or the reason to wait. The scheduler uses it, and the notice
//!   about lost credentials checks it for a possible renewal. [`Urgency`] says for whom: a program that may open a
//!   browser does not run ahead of requests, and a caller ignores the pace of the background.
//! - [`Overview`] is the sum of all steps, also of those that the descent does not visit: whether anything is in flight, the first
//!   failure, the missing input of the user. Callers and `status` read it. Profiles share steps, so [`Overviews`] keeps the
//!   result of each step for as long as nothing changes.
//!
//! The views change nothing. A step's own answers (can it sign, what does it lack) are in [`Node`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::failures::Failure;
use super::node::{Lack, Node};
use super::{Keeper, Route};
use crate::core::clock::Clock;
use crate::core::plan::{Link, NodeKey, RenewAs};
use crate::core::time::{BootTime, Now};

/// For whom a chain is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Urgency {
    /// Ahead of requests.
    Background,
    /// Ahead of requests, and programs run too: the profile's setting allows it.
    BackgroundWithPrograms,
    /// For a caller.
    Requested,
}

impl Urgency {
    /// Ahead of requests, as the profile's setting says.
    pub(super) fn ahead(setting: Option<RenewAs>) -> Self {
        if setting == Some(RenewAs::Auto) { Self::BackgroundWithPrograms } else { Self::Background }
    }
}

/// What the renewal of a chain does next, or waits for.
pub(super) enum ChainState<'a> {
    /// The call of this step.
    Ready(&'a Arc<Link>),
    /// The pace of the step that is next.
    Paced(BootTime),
    /// The end of a call of a step.
    InFlight,
    /// An input of the user, or the first reading of a cache file.
    NeedsInput,
    /// New plans, as the program of its first step printed other credentials than they assume.
    NeedsPlan,
    /// A request: the program of this step may need the user, so it does not run ahead.
    NeedsRequest(&'a Arc<Link>, Option<&'a Failure>),
    /// The retry of this step. `None` in its streak: not without a change.
    BackingOff(&'a Arc<Link>, &'a Failure),
    /// What an earlier descent of the same pass met at a shared step.
    Met(Met),
}

/// The result of a descent, for later descents to the same step in the same pass. It may have led to a call since.
#[derive(Clone, Copy, Debug)]
pub(super) enum Met {
    /// A call was made, or the step waits for something that is followed by an event.
    Event,
    /// It waits for its pace.
    Paced(BootTime),
    /// It waits for its retry; `None`: not without a change.
    BackingOff(Option<BootTime>),
}

/// A descent: its end, and the steps that it visited, the last step of the chain first.
pub(super) struct Descent<'a> {
    pub(super) state: ChainState<'a>,
    pub(super) visited: Vec<(&'a Arc<Link>, &'a Node)>,
}

impl<'a> Descent<'a> {
    /// If a parent can't be renewed, its cached credentials may still be valid: the step that they can sign.
    pub(super) fn fallback(&self, clock: &Clock, now: Now) -> Option<&'a Arc<Link>> {
        self.visited.windows(2).find_map(|pair| match pair {
            [(link, _), (_, parent)] => parent.can_still_sign(clock, now).then_some(*link),
            _ => None,
        })
    }
}

/// All steps of a chain together.
#[derive(Clone, Copy, Default)]
pub(super) struct Overview<'a> {
    /// Whether a call of any step is in flight.
    pub(super) is_in_flight: bool,
    /// The failure of the first step that has one.
    pub(super) failure: Option<&'a Failure>,
    /// The first step that has a warning.
    pub(super) warned: Option<&'a Node>,
    /// The input that only the user can give, and the step that needs it.
    pub(super) missing: Option<(Lack<'a>, &'a Arc<Link>)>,
}

/// The overview up to each visited step.
#[derive(Default)]
pub(super) struct Overviews<'a>(HashMap<*const Link, Overview<'a>>);

/// The calls of all steps of a chain so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CallCounts {
    pub(super) ended: u64,
    pub(super) failed: u64,
}

/// The steps of all chains, as they are now.
#[derive(Clone, Copy)]
pub(super) struct Chains<'a> {
    nodes: &'a BTreeMap<NodeKey, Node>,
    clock: &'a Clock,
}

impl Keeper {
    /// The steps of all chains, as they are now.
    pub(super) fn chains(&self) -> Chains<'_> {
        Chains { nodes: &self.nodes, clock: self.time.clock() }
    }
}

impl<'a> Chains<'a> {
    /// Descends from a step to the first one whose parent can sign. `met`: what earlier descents met at shared steps.
    pub(super) fn descend(
        self,
        route: &'a Route,
        end: &'a Arc<Link>,
        urgency: Urgency,
        met: impl Fn(&Arc<Link>) -> Option<Met>,
        now: Now,
    ) -> Descent<'a> {
        let Self { nodes, clock } = self;
        let (mut visited, mut link) = (Vec::new(), end);
        let state = loop {
            let Some(node) = nodes.get(link.key()) else { break ChainState::NeedsPlan };
            visited.push((link, node));
            if let Some(met) = met(link) {
                break ChainState::Met(met);
            }
            if node.flight.is_some() {
                break ChainState::InFlight;
            }
            if !node.is_able(clock, now) {
                break ChainState::NeedsInput;
            }
            let failure = node.failures.at(route.endpoint(link));
            if urgency == Urgency::Background && !node.runs_ahead() {
                break ChainState::NeedsRequest(link, failure);
            }
            if let Some(failure) = failure.filter(|failure| !failure.streak.allows(now.boot)) {
                break ChainState::BackingOff(link, failure);
            }
            let before = link.before().and_then(|before| Some((before, nodes.get(before.key())?)));
            match before {
                Some((_, parent)) if node.waits_for_plan(parent) => break ChainState::NeedsPlan,
                Some((before, parent)) if !parent.can_sign(clock, now) => link = before,
                _ => {
                    let paced = node.pace.next(urgency == Urgency::Requested).filter(|next| *next > now.boot);
                    break paced.map_or(ChainState::Ready(link), ChainState::Paced);
                }
            }
        };
        Descent { state, visited }
    }

    /// The overview of a chain. Each step is visited once, however many profiles depend on it.
    pub(super) fn overview(self, route: &'a Route, known: &mut Overviews<'a>, now: Now) -> Overview<'a> {
        let Self { nodes, clock } = self;
        let mut path: Vec<&Arc<Link>> = Vec::new();
        let mut overview = Overview::default();
        for link in route.plan.steps.backwards() {
            if let Some(known) = known.0.get(&Arc::as_ptr(link)) {
                overview = *known;
                break;
            }
            path.push(link);
        }
        for link in path.into_iter().rev() {
            let Some(node) = nodes.get(link.key()) else { continue };
            let parent_signs = link
                .before()
                .is_none_or(|before| nodes.get(before.key()).is_some_and(|parent| parent.can_sign(clock, now)));
            overview.is_in_flight |= node.flight.is_some();
            overview.failure =
                overview.failure.or_else(|| link.endpoint().and_then(|endpoint| node.failures.at(endpoint)));
            overview.warned = overview.warned.or_else(|| node.warning(clock, now).is_some().then_some(node));
            overview.missing = match node.lacks(clock, now) {
                // The call may make it unnecessary.
                _ if node.flight.is_some() => None,
                Some(lack) => Some((lack, link)),
                None if parent_signs => None,
                None => overview.missing,
            };
            known.0.insert(Arc::as_ptr(link), overview);
        }
        // A plan with a single step is tried at the profile's own endpoint.
        if let Some(link) = route.plan.steps.last_link().filter(|link| link.endpoint().is_none()) {
            overview.failure = nodes.get(link.key()).and_then(|node| node.failures.at(route.endpoint(link)));
        }
        overview
    }

    /// The calls of a chain so far.
    pub(super) fn call_counts(self, route: &Route) -> CallCounts {
        let nodes = route.plan.steps.backwards().filter_map(|link| self.nodes.get(link.key()));
        nodes.fold(CallCounts::default(), |counts, node| CallCounts {
            ended: counts.ended + node.ended,
            failed: counts.failed + node.failed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_error::{self, Operation};
    use crate::core::credential::{Credentials, Grant};
    use crate::core::keeper::backoff::Changed;
    use crate::core::keeper::held::{End, Held};
    use crate::core::keeper::rng::Rng;
    use crate::core::keeper::schedule::Jitter;
    use crate::core::plan::{AssumeRole, Chain, Endpoint, Plan, Source, StatedExpiry, StaticKeys, Step};
    use crate::core::secret::Secret;
    use crate::core::time::{AwsTime, WallTime};

    const EPOCH: i64 = 1_790_000_000_000;
    const NOW: Now = Now {
        boot: BootTime::from_millis(0),
        wall: WallTime::from_millis(EPOCH),
        suspended: chrono::TimeDelta::zero(),
    };

    /// A key, and two roles on top of it: all steps have a node, and the key was identified.
    struct Bench {
        route: Route,
        nodes: BTreeMap<NodeKey, Node>,
        clock: Clock,
    }

    impl Bench {
        fn new() -> Self {
            let endpoint = Endpoint { region: "r".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
            let endpoint = Arc::new(endpoint);
            let role = |name: &str| {
                let source = Source::AssumeRole(AssumeRole {
                    role_arn: format!("arn:aws:iam::123456789012:role/{name}"),
                    role_session_name: "s".into(),
                    external_id: None,
                    duration_seconds: None,
                    mfa_serial: None,
                    mfa_process: None,
                    endpoint: Arc::clone(&endpoint),
                });
                Step { profile: name.into(), source }
            };
            let keys = StaticKeys {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
                secret_access_key: Secret::new("s"),
                session_token: None,
                expires: StatedExpiry::Unstated,
            };
            let key = Step { profile: "key".into(), source: Source::Static(keys) };
            let steps = Chain::start(key, Some(&endpoint)).then(role("base")).then(role("admin"));
            let node = |link: &Arc<Link>| {
                let parent = link.before().map(|before| before.key().clone());
                let mut node = Node::new(Arc::clone(link.step()), parent, NOW.boot);
                node.identified = true;
                (link.key().clone(), node)
            };
            let nodes = steps.links().into_iter().map(node).collect();
            let plan = Plan { profile: "admin".into(), steps, endpoint, region: None, renew: None, notes: Vec::new() };
            Self { route: Route { plan }, nodes, clock: Clock::new(NOW, true) }
        }

        fn node(&mut self, at: usize) -> &mut Node {
            self.nodes.get_mut(self.route.plan.steps.links()[at].key()).unwrap()
        }

        /// The step has credentials for so many more seconds.
        fn holds(&mut self, at: usize, seconds: i64) {
            let credentials = Credentials {
                access_key_id: "ASIAIOSFODNN7EXAMPLE".into(),
                secret_access_key: Secret::new("s"),
                session_token: Some(Secret::new("t")),
                expires_at: None,
                account_id: None,
            };
            let expires_at = AwsTime::from_millis(EPOCH + seconds * 1_000);
            self.node(at).held = Some(Box::new(Held {
                grant: Grant::Keys(credentials),
                minted_at: AwsTime::from_millis(EPOCH - 3_600_000),
                came_at: None,
                jitter: Jitter::draw(&mut Rng::new(1)),
                end: Some(End { expires_at, renew_at: expires_at }),
            }));
        }

        fn fails(&mut self, at: usize) {
            let endpoint = Arc::clone(&self.route.plan.endpoint);
            let fault = aws_error::fault(Operation::new("AssumeRole"), Some(500), None, None);
            let changed = Changed { plan_at: NOW.boot, disturbed_at: None };
            let at_aws = AwsTime::from_millis(EPOCH);
            self.node(at).failures.note(fault, &endpoint, changed, NOW.boot, at_aws, &mut Rng::new(1));
        }

        /// The state, the profile of its step, and the profile of the fallback.
        fn state(&self) -> (&'static str, Option<&str>, Option<&str>) {
            let chains = Chains { nodes: &self.nodes, clock: &self.clock };
            let end = self.route.plan.steps.last_link().unwrap();
            let descent = chains.descend(&self.route, end, Urgency::Background, |_| None, NOW);
            let fallback = descent.fallback(&self.clock, NOW).map(|link| link.step().profile.as_str());
            let (name, link) = match descent.state {
                ChainState::Ready(link) => ("ready", Some(link)),
                ChainState::InFlight => ("in flight", None),
                ChainState::BackingOff(link, _) => ("backing off", Some(link)),
                _ => ("else", None),
            };
            (name, link.map(|link| link.step().profile.as_str()), fallback)
        }
    }

    #[test]
    fn the_first_step_whose_parent_can_sign_is_next() {
        let mut bench = Bench::new();
        assert_eq!(bench.state(), ("ready", Some("base"), None));
        bench.holds(1, 1_800);
        assert_eq!(bench.state(), ("ready", Some("admin"), None));
        bench.node(0).identified = false;
        assert_eq!(bench.state(), ("ready", Some("admin"), None), "its parent signs, whatever the key says");
    }

    #[test]
    fn a_call_in_flight_and_a_failure_keep_the_steps_above_them_waiting() {
        let mut bench = Bench::new();
        bench.fails(1);
        assert_eq!(bench.state(), ("backing off", Some("base"), None));
        bench.node(2).flight = Some(crate::core::keeper::Ticket(1));
        assert_eq!(bench.state(), ("in flight", None, None), "of the last step");
    }

    #[test]
    fn a_parent_that_cannot_be_renewed_signs_until_it_expires() {
        let mut bench = Bench::new();
        bench.holds(1, 45);
        bench.fails(1);
        assert_eq!(bench.state(), ("backing off", Some("base"), Some("admin")));
        bench.holds(1, -45);
        assert_eq!(bench.state(), ("backing off", Some("base"), None));
    }

    #[test]
    fn the_overview_shows_the_first_failure_and_any_call_in_flight() {
        let mut bench = Bench::new();
        bench.holds(1, 1_800);
        bench.fails(1);
        bench.node(0).flight = Some(crate::core::keeper::Ticket(1));
        let chains = Chains { nodes: &bench.nodes, clock: &bench.clock };
        let overview = chains.overview(&bench.route, &mut Overviews::default(), NOW);
        assert!(overview.is_in_flight, "although the descent ends above it");
        assert!(overview.failure.is_some(), "of the role below the one that can be called");
        assert!(overview.missing.is_none());
    }
}
