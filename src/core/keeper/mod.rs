//! The keeper: holds every credential, and decides when to renew it, what a failure means, and who gets what.
//!
//! A state machine without sockets, files or a clock: `handle` takes an event and the time, `poll_action` gives what has to
//! be done, `next_timeout` says when to call `handle_timeout`. Nothing happens in between.

mod api;
mod auto_renew;
mod backoff;
mod callers;
mod chain;
mod dependents;
mod failures;
mod held;
mod login;
mod node;
mod notice_ledger;
mod notices;
mod outcome;
mod pace;
mod plans;
mod probes;
mod process_kind;
mod rate;
mod restored;
mod rng;
mod schedule;
mod scheduler;
mod session_api;
mod session_ends;
mod session_refresh;
mod session_state;
mod sessions;
mod sign_in;
mod sign_outs;
mod stamps;
mod status;
mod status_api;
mod time;
mod timers;
mod unsaved;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;

pub use api::*;
pub use login::{Login, SignedIn};
pub use notice_ledger::{CREDENTIALS_LOST, MFA_REQUIRED, SSO_LOGIN_NEEDED, SSO_SESSION_ENDS};
pub use session_api::*;
pub use session_ends::CACHE_UNWRITABLE;
pub use time::{CLOCK_SKEWED, NtpHeard, NtpOrder, describe_crossing};
pub use timers::Timer;

use self::callers::Waiting;
use self::dependents::Dependents;
use self::node::{Node, static_expired, unsupported};
use self::notice_ledger::NoticeLedger;
use self::rate::RateLimits;
use self::rng::Rng;
use self::sign_in::SignIns;
use self::time::{TimeMonitor, TimeSettings};
use self::timers::Timers;
use crate::core::clock::Clock;
use crate::core::plan::{Endpoint, Link, MissingSections, NodeKey, Plan, PlanError, RenewAs, Source, StaticKeys};
use crate::core::secret::Secret;
use crate::core::session::SsoSession;
use crate::core::time::{AwsTime, BootTime, Now};

/// The keeper. See the module.
pub struct Keeper {
    settings: KeeperSettings,
    time: TimeMonitor,
    rng: Rng,
    memory: Memory,
    profiles: BTreeMap<String, Result<Route, PlanError>>,
    /// Why a profile that is not among them may still be in the files.
    missing: MissingSections,
    nodes: BTreeMap<NodeKey, Node>,
    dependents: Dependents,
    waiting: BTreeMap<CallerId, Waiting>,
    /// Profiles that were asked for while the time was only guessed.
    guessed: BTreeSet<String>,
    /// The code that was last sent for each MFA device.
    used_codes: BTreeMap<String, Secret>,
    /// When the present plans came, by the best guess.
    planned_at: AwsTime,
    /// The profile that the event at hand asks for: its answer may come from memory, and yet somebody is there.
    asked_now: Option<String>,
    flights: BTreeMap<Ticket, Flight>,
    sign_ins: SignIns,
    /// The names of accounts, from the access portals.
    account_names: BTreeMap<String, String>,
    limits: RateLimits,
    notices: NoticeLedger,
    /// Sets of an earlier run, or of plans that were edited away, until their nodes are there and AWS's time is known.
    restored: Vec<Restored>,
    /// Tokens that an earlier run could not write, until their sessions are known.
    restored_tokens: Vec<UnsavedToken>,
    actions: VecDeque<Action>,
    timers: Timers,
    next_ticket: u64,
}

/// A profile's plan. Each of its steps has a node.
struct Route {
    plan: Plan,
}

impl Route {
    /// Where the call of one step goes: its own endpoint; that of the first call of the chain, where static keys are used;
    /// the profile's own, where a step calls nobody and the time is asked for.
    fn endpoint<'a>(&'a self, link: &'a Link) -> &'a Endpoint {
        link.endpoint().unwrap_or(&self.plan.endpoint)
    }

    /// The key of the profile's credentials.
    fn key(&self) -> Option<&NodeKey> {
        self.plan.steps.last_link().map(|link| link.key())
    }

    /// The step whose call needs an MFA code.
    fn with_device(&self) -> Option<&Arc<Link>> {
        let links = self.plan.steps.links();
        links.into_iter().find(|link| link.step().source.device().is_some())
    }

    /// Why a daemon can't use the profile's source. Only a first step has such a source.
    fn unsupported(&self) -> Option<&Source> {
        self.plan.steps.first().map(|step| &step.source).filter(|source| unsupported(source).is_some())
    }

    /// The keys of a profile that is nothing but keys in a file: listed, never minted.
    fn only_keys(&self) -> Option<&StaticKeys> {
        match &self.plan.steps.only()?.source {
            Source::Static(keys) => Some(keys),
            _ => None,
        }
    }
}

/// A call that is under way.
struct Flight {
    endpoint: Endpoint,
    work: Work,
}

/// What a call is for.
enum Work {
    /// A probe of AWS time.
    Probe,
    /// A credential, or the refresh of a session.
    Mint(Minting),
    /// A person's sign-in.
    SignIn,
    /// A person's sign-out.
    SignOut { caller: CallerId, key: NodeKey },
    /// The roles of who is signed in.
    Roles { caller: CallerId, key: NodeKey, session: Box<SsoSession> },
}

/// What is being minted.
struct Minting {
    key: NodeKey,
    started: BootTime,
    reason: &'static str,
    /// Which of its parent's sets signed it; for a session, which of its own was sent.
    parent_mints: u64,
}

/// A set of an earlier run.
struct Restored {
    set: MintedSet,
    same_boot: bool,
    /// The session that it stands behind, where that is known.
    session: Option<NodeKey>,
}

impl Keeper {
    /// A keeper without plans. `seed` spreads the jitter.
    pub fn new(settings: KeeperSettings, memory: Memory, clock: Clock, seed: u64) -> Self {
        Self {
            time: TimeMonitor::new(TimeSettings::from(&settings), clock),
            settings,
            rng: Rng::new(seed),
            memory,
            profiles: BTreeMap::new(),
            missing: MissingSections::default(),
            nodes: BTreeMap::new(),
            dependents: Dependents::default(),
            waiting: BTreeMap::new(),
            guessed: BTreeSet::new(),
            used_codes: BTreeMap::new(),
            planned_at: AwsTime::from_millis(0),
            asked_now: None,
            flights: BTreeMap::new(),
            sign_ins: SignIns::default(),
            account_names: BTreeMap::new(),
            limits: RateLimits::default(),
            notices: NoticeLedger::default(),
            restored: Vec::new(),
            restored_tokens: Vec::new(),
            actions: VecDeque::new(),
            timers: Timers::default(),
            next_ticket: 0,
        }
    }

    /// Takes up what an earlier run had minted, before the first plans come. Sets of another boot wait for a fresh look at
    /// AWS's time; those of this boot count as soon as it is known.
    pub fn restore_minted(&mut self, sets: Vec<MintedSet>, same_boot: bool) {
        if !same_boot {
            self.time.doubt();
        }
        self.restored.extend(sets.into_iter().map(|set| Restored { set, same_boot, session: None }));
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Now) {
        self.handle_all([event], now);
    }

    /// Several things happened.
    pub fn handle_all(&mut self, events: impl IntoIterator<Item = Event>, now: Now) {
        self.look_at_clocks(now);
        for event in events {
            self.take(event, now);
        }
        self.reconcile(now);
    }

    fn take(&mut self, event: Event, now: Now) {
        match event {
            Event::Plans { profiles, sso_sessions } => self.take_plans(profiles, sso_sessions, now),
            Event::MissingSections(missing) => self.missing = missing,
            Event::Settings(settings) => {
                self.time.configure(TimeSettings::from(&settings));
                self.settings = settings;
                for held in self.nodes.values_mut().filter_map(|node| node.held.as_mut()) {
                    held.reschedule(&self.settings);
                }
            }
            Event::Asked { caller, profile, wants } => self.asked(caller, profile, wants, now),
            Event::Code { caller, profile, code } => self.code_typed(caller, profile, code, now),
            Event::Logout { caller, login } => self.logged_out(caller, &login, now),
            Event::SignIn { caller, session, flow } => self.sign_in(caller, &session, flow, now),
            Event::SignInBegun { ticket, prompt } => self.sign_in_begun(ticket, prompt, now),
            Event::AwaitSignIn { caller, sign_in } => self.await_sign_in(caller, sign_in, now),
            Event::ListRoles { caller, session } => self.list_roles(caller, &session, now),
            Event::CacheChecked { file, problem } => self.cache_checked(&file, problem.as_deref(), now),
            Event::SessionFile { file, found } => self.session_file(&file, &found, now),
            Event::CallerGone(caller) => {
                self.waiting.remove(&caller);
                self.sign_ins.caller_gone(caller, now.boot);
            }
            Event::Ended { ticket, outcome, samples } => self.ended(ticket, outcome, &samples, now),
            Event::TokenFileChanged(path) => {
                let of_file = |node: &&mut Node| matches!(&node.step.source, Source::WebIdentity(role) if role.token_file == path);
                for node in self.nodes.values_mut().filter(of_file) {
                    node.failures.streaks().for_each(|streak| streak.file_changed(now.boot, TimeDelta::seconds(5)));
                }
            }
            Event::NtpAnswered { server, result } => {
                let line = self.time.ntp_answered(&server, result, now);
                self.actions.extend(line.map(Action::Log));
            }
            Event::Home(endpoint) => self.time.set_home(endpoint),
            Event::Disturbed(disturbance) => self.disturbed(disturbance, now),
        }
    }

    /// The time that `next_timeout` named has come. Calling it too early, or again, does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.look_at_clocks(now);
        self.reconcile(now);
    }

    /// When to call `handle_timeout` next.
    pub fn next_timeout(&self) -> Option<BootTime> {
        self.timers.next().map(|(_, at)| at)
    }

    /// Why [`Keeper::next_timeout`] is then.
    pub fn next_timer(&self) -> Option<Timer> {
        self.timers.next().map(|(timer, _)| timer)
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What has to survive a restart.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The minted sets, for the state file.
    pub fn minted(&self) -> Vec<MintedSet> {
        // What a session's cache file gives is kept there.
        let minted = self.nodes.iter().filter(|(_, node)| node.session.is_none());
        let sets = minted.filter_map(|(key, node)| {
            let held = node.held.as_ref()?;
            Some(MintedSet { key: key.clone(), credentials: held.keys()?.clone(), minted_at: held.minted_at })
        });
        sets.chain(self.restored.iter().map(|restored| restored.set.clone())).collect()
    }

    fn look_at_clocks(&mut self, now: Now) {
        if self.time.clock_jumped(now) {
            self.log(
                LogLevel::Debug,
                None,
                "a clock of this machine jumped: evercred probes AWS time again".to_owned(),
            );
            self.disturbed(Disturbance::Resume, now);
        }
    }

    fn disturbed(&mut self, disturbance: Disturbance, now: Now) {
        self.time.disturbed(disturbance, now);
        self.log(LogLevel::Debug, None, format!("after {disturbance:?}: retrying failed calls"));
        for node in self.nodes.values_mut() {
            node.failures.streaks().for_each(|streak| streak.cut_short(now.boot, &mut self.rng));
        }
    }

    /// The profile with the temporary keys in a file on which a route stands, and when they expired: certainly, and by every
    /// reading of what was written.
    fn expired_keys<'a>(&self, route: &'a Route, now: Now) -> Option<(&'a str, AwsTime)> {
        let first = route.plan.steps.first()?;
        match &first.source {
            Source::Static(keys) => Some((&first.profile, static_expired(keys, self.time.clock(), now)?)),
            _ => None,
        }
    }

    fn is_auto_renewed(&self, profile: &str, now: Now) -> bool {
        // Most of thousands of profiles are not in use.
        if !auto_renew::is_auto_renewed(profile, &self.settings, &self.memory, self.time.clock().aws_now(now).earliest)
        {
            return false;
        }
        let on_demand = |route: &Route| route.plan.renew == Some(RenewAs::OnDemand);
        !self.profiles.get(profile).and_then(|route| route.as_ref().ok()).is_some_and(on_demand)
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn log(&mut self, level: LogLevel, profile: Option<&str>, message: String) {
        self.actions.push_back(Action::Log(LogLine { level, profile: profile.map(str::to_owned), message }));
    }

    /// Notes that a profile is in use, and has it remembered now and then.
    fn note_use(&mut self, profile: &str, now: Now) {
        let asked = self.time.clock().best(now);
        if !self.time.is_trusted() {
            self.guessed.insert(profile.to_owned());
        }
        let earlier = self.memory.last_asked.insert(profile.to_owned(), asked);
        if earlier.is_none_or(|earlier| (asked - earlier).abs() >= TimeDelta::minutes(1)) {
            self.actions.push_back(Action::Remember);
        } else if let Some(earlier) = earlier {
            // Not written, so not moved either: the next request a minute later is.
            self.memory.last_asked.insert(profile.to_owned(), earlier);
        }
    }
}
