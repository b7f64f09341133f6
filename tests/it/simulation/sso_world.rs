//! Daemons, a person and another tool around one session, and what is promised to them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use evercred::core::aws_error::ErrorClass;
use evercred::core::clock::Clock;
use evercred::core::keeper::*;
use evercred::core::plan::Plan;
use evercred::core::secret::Secret;
use evercred::core::time::{AwsTime, BootTime};

use super::sso_edge::{Edge, Meddling, POLL, Task};
use super::sso_server::{Health, Rotation, Server};
use crate::fingerprint::Keeper;
use crate::session_cases::bench::{corp, settings, sso};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
/// A file that changed has been seen by then, and a refusal was thought over.
const SEEN: i64 = POLL + 10 * SECOND;

/// One daemon.
struct Daemon {
    keeper: Keeper,
    refreshes: BTreeSet<Ticket>,
    /// It has said that a person is needed, and nothing has come since.
    needs_person: bool,
    /// The person was told so.
    told: bool,
    sign_in: Option<Ticket>,
}

pub(crate) struct SsoWorld {
    pub(crate) edge: Edge,
    daemons: Vec<Daemon>,
    callers: BTreeMap<CallerId, (usize, String)>,
    next_caller: u64,
    pub(crate) seed: u64,
    /// When the person will sign in, and did so last.
    signs_in_at: Option<i64>,
    signed_in_at: i64,
    pub(crate) sign_ins: u64,
    /// Since when AWS, the network and the disk have been well.
    pub(crate) well_since: i64,
    pub(crate) disk_since: i64,
    /// Since when somebody has been signed out.
    logged_out_at: Option<i64>,
    /// Since when what the file holds has not been taken by AWS, although something else would be.
    lost_since: Option<i64>,
    /// Since when the session could have been used, or not.
    alive_since: Option<i64>,
    dead_since: i64,
    /// Since when (AWS's time) AWS has been as it is.
    pub(crate) so_since: i64,
}

/// What a caller waits for that signs in.
const SIGN_IN: &str = "a sign-in";

pub(crate) const PROFILES: [&str; 2] = ["dev", "prod"];

impl SsoWorld {
    pub(crate) fn new(seed: u64, rotation: Rotation, daemons: usize) -> Self {
        let edge = Edge::new(seed, Server::new(rotation), daemons);
        let mut world = Self {
            edge,
            daemons: Vec::new(),
            callers: BTreeMap::new(),
            next_caller: 0,
            seed,
            signs_in_at: None,
            signed_in_at: i64::MIN / 2,
            sign_ins: 0,
            well_since: 0,
            disk_since: 0,
            logged_out_at: Some(0),
            lost_since: None,
            alive_since: None,
            dead_since: 0,
            so_since: 0,
        };
        for daemon in 0..daemons {
            let now = world.edge.machine.now();
            let settings = KeeperSettings { auto_renew: AutoRenew::All, ..settings() };
            let keeper = Keeper::new(settings, Memory::default(), Clock::new(now, false), seed + daemon as u64);
            world.daemons.push(Daemon {
                keeper,
                refreshes: BTreeSet::new(),
                needs_person: false,
                told: false,
                sign_in: None,
            });
            let plans: Vec<Plan> = PROFILES.iter().map(|name| sso(&corp(), name)).collect();
            let profiles = plans.into_iter().map(|plan| (plan.profile.clone(), Ok(plan))).collect();
            world.handle(daemon, Event::Plans { profiles, sso_sessions: BTreeMap::new() });
        }
        world
    }

    pub(crate) fn handle(&mut self, daemon: usize, event: Event) {
        let now = self.edge.machine.now();
        self.daemons[daemon].keeper.handle(event, now);
        self.carry_out(daemon);
    }

    fn carry_out(&mut self, daemon: usize) {
        while let Some(action) = self.daemons[daemon].keeper.poll_action() {
            match action {
                Action::Mint(order) => {
                    // What is left of the last token may be used up.
                    let token = order.token.as_ref().unwrap().expose();
                    let good = self.edge.server.takes(token, self.edge.machine.truth);
                    let needs = self.daemons[daemon].needs_person && !good;
                    assert!(!needs, "a call although a person is needed\n{}", self.story());
                    self.edge.depart_mint(daemon, &order);
                }
                Action::Probe(order) => self.edge.depart_probe(daemon, order.ticket),
                Action::Refresh(order) => {
                    let needs = self.daemons[daemon].needs_person && !order.save;
                    assert!(!needs, "a refresh although a person is needed\n{}", self.story());
                    let others = &mut self.daemons[daemon].refreshes;
                    assert!(others.is_empty(), "two refreshes at once\n{}", self.story());
                    others.insert(order.ticket);
                    self.edge.depart_refresh(daemon, *order);
                }
                Action::LookAtSession(_) => self.edge.later(5, Task::Watch(daemon)),
                Action::BeginSignIn(order) => {
                    let ticket = order.ticket;
                    self.daemons[daemon].sign_in = Some(ticket);
                    self.edge.depart_sign_in(daemon, order);
                    let prompt = Prompt {
                        url: "https://corp.awsapps.com".to_owned(),
                        user_code: None,
                        url_with_code: None,
                        expires_in: TimeDelta::minutes(10),
                        pastes_code: false,
                        warning: None,
                    };
                    self.handle(daemon, Event::SignInBegun { ticket, prompt });
                }
                // The machine slept for longer than the page waits: the person comes back to it.
                Action::CancelSignIn(_) => {
                    self.edge.tasks.retain(|_, task| !matches!(task, Task::SignIn { daemon: of, .. } if *of == daemon));
                    self.daemons[daemon].sign_in = None;
                    self.signs_in_at = Some(self.edge.boot() + MINUTE);
                }
                Action::Notice(notice) => {
                    self.edge.note(format!("daemon {daemon}: {}: {}", notice.id, notice.message));
                    if notice.id == CREDENTIALS_LOST && !notice.is_over {
                        self.check_lost(daemon, &notice);
                    }
                    if notice.id == SSO_LOGIN_NEEDED && !notice.is_over {
                        assert!(!self.daemons[daemon].told, "told twice\n{}", self.story());
                        self.daemons[daemon].needs_person = true;
                        self.daemons[daemon].told = true;
                        self.told(daemon);
                    }
                }
                Action::Answer { caller, answer } => self.check(daemon, caller, answer),
                Action::SignOut(_) | Action::ListRoles(_) | Action::RunCodeProgram(_) | Action::AskNtp(_) => {
                    panic!("nobody wanted that")
                }
                Action::Remember | Action::KeepMinted | Action::KeepUnsaved | Action::Replan | Action::Log(_) => {}
            }
        }
    }

    /// The promise to who is told that credentials will be lost: they are held, and it is not only the network.
    fn check_lost(&self, daemon: usize, notice: &Notice) {
        let truth = self.edge.machine.truth;
        let status = self.daemons[daemon].keeper.status(self.edge.machine.now());
        let named = |status: &&ProfileStatus| notice.message.contains(&format!("profile \"{}\"", status.name));
        let status = status.iter().find(named).unwrap_or_else(|| panic!("of whom? {notice:?}\n{}", self.story()));
        let error = status.last_error.as_ref().expect("an error");
        let is_held = status.expires_at.is_some_and(|at| at.as_millis() > truth);
        let is_of_now = error.at.as_millis() >= self.so_since && error.class == ErrorClass::Retryable;
        let is_mere_outage = self.edge.server.health == Health::Unreachable && is_of_now;
        assert!(status.auto_renew && is_held && !is_mere_outage, "{notice:?} of {status:?}\n{}", self.story());
    }

    /// The promise to people: nobody is asked to sign in while the session lives.
    fn told(&mut self, daemon: usize) {
        let (boot, truth) = (self.edge.boot(), self.edge.machine.truth);
        let alive = self.edge.delivered.iter().find(|(refresh, at)| {
            boot - **at > SEEN
                && self.edge.server.is_live(refresh, truth)
                && self.edge.promised == self.edge.server.session_of(refresh)
        });
        // In the last seconds of a session the answer was made a moment ago.
        let alive = alive.filter(|(refresh, _)| self.edge.server.end_of(refresh) - truth > SEEN);
        assert!(alive.is_none(), "daemon {daemon} asks for a sign-in, and {alive:?} is good\n{}", self.story());
        if boot - self.signed_in_at > SEEN {
            let delay = MINUTE + self.edge.random(30 * MINUTE);
            self.signs_in_at.get_or_insert(boot + delay);
        }
    }

    /// The promises to callers.
    fn check(&mut self, daemon: usize, caller: CallerId, answer: Answer) {
        let Some((of, profile)) = self.callers.remove(&caller) else { panic!("one answer for each caller") };
        assert_eq!(of, daemon);
        match answer {
            Answer::Credentials(set) => {
                let end = set.expires_at.unwrap().as_millis();
                assert!(end > self.edge.machine.truth, "{profile} got an expired set\n{}", self.story());
                let since = self.logged_out_at.map(|at| self.edge.boot() - at);
                assert!(since.is_none_or(|since| since < SEEN), "{profile} got a set after a logout\n{}", self.story());
            }
            Answer::Refused(_) if profile == SIGN_IN => {}
            Answer::Refused(refusal) if refusal.kind == RefusalKind::NeedsLogin => {
                self.edge.note(format!("daemon {daemon}: {profile} refused: {}", refusal.message));
                self.told(daemon);
            }
            Answer::Refused(refusal) => {
                self.edge.note(format!("daemon {daemon}: {profile} refused: {}", refusal.message))
            }
            Answer::SignIn { sign_in, .. } => self.wait_for(daemon, sign_in),
            Answer::NotYet { .. } => {
                if let Some(ticket) = self.daemons[daemon].sign_in {
                    self.wait_for(daemon, ticket);
                }
            }
            Answer::SignedIn { .. } => self.daemons[daemon].sign_in = None,
            Answer::Roles { .. } | Answer::SignedOut { .. } => panic!("nobody asked for that"),
        }
    }

    fn caller(&mut self, daemon: usize, what: &str) -> CallerId {
        self.next_caller += 1;
        let caller = CallerId(self.next_caller);
        self.callers.insert(caller, (daemon, what.to_owned()));
        caller
    }

    fn wait_for(&mut self, daemon: usize, sign_in: Ticket) {
        let caller = self.caller(daemon, SIGN_IN);
        self.handle(daemon, Event::AwaitSignIn { caller, sign_in });
    }

    pub(crate) fn ask(&mut self, daemon: usize, profile: &str, wants: Wants) {
        let caller = self.caller(daemon, profile);
        self.handle(daemon, Event::Asked { caller, profile: profile.to_owned(), wants });
    }

    /// The person signs in, with whatever is at hand.
    pub(crate) fn sign_in(&mut self) {
        self.signs_in_at = None;
        self.signed_in_at = self.edge.boot() + 2 * MINUTE;
        self.sign_ins += 1;
        (self.logged_out_at, self.dead_since) = (None, self.edge.boot());
        let by = usize::try_from(self.edge.random(self.daemons.len() as i64 + 1)).unwrap();
        self.edge.note(format!("the person signs in, by {by}"));
        if by == self.daemons.len() {
            // Where it has no room for what it got, it says so, and the person comes back.
            let again = self.edge.boot() + 30 * MINUTE;
            self.signs_in_at = self.edge.disk_is_full.then_some(again);
            return self.edge.tool_signs_in();
        }
        let Ok(Login::SignIn(session)) = self.daemons[by].keeper.login_for(None) else { panic!("no session") };
        let caller = self.caller(by, SIGN_IN);
        self.handle(by, Event::SignIn { caller, session, flow: Flow::Browser });
    }

    /// `aws sso login`, although nobody has to.
    fn sign_in_with_the_tool(&mut self) {
        self.edge.note("the person signs in with the tool".to_owned());
        self.sign_ins += 1;
        self.logged_out_at = None;
        self.edge.tool_signs_in();
    }

    /// `aws sso logout`.
    pub(crate) fn log_out(&mut self) {
        let signs_in = self.daemons.iter().any(|daemon| daemon.sign_in.is_some());
        if signs_in || self.edge.is_half_written() || self.edge.file.is_none() {
            return;
        }
        self.edge.note("logout".to_owned());
        if let Some(token) = self.edge.token().cloned() {
            self.edge.server.revoke(token.refresh_token().unwrap().expose());
        }
        self.edge.delivered.clear();
        self.edge.promised = None;
        // The tool that is in the middle of something would write it back: that is its own affair.
        self.edge.tasks.retain(|_, task| !matches!(task, Task::Tool(_)));
        self.edge.put(None);
        self.logged_out_at = Some(self.edge.boot());
        // Whoever signs out knows it, and comes back some time.
        let away = 10 * MINUTE + self.edge.random(110 * MINUTE);
        self.signs_in_at = Some(self.edge.boot() + away);
    }

    pub(crate) fn sleep(&mut self, millis: i64) {
        self.edge.note(format!("asleep for {} s", millis / SECOND));
        self.edge.sleep(millis);
        self.unwell();
        for daemon in 0..self.daemons.len() {
            self.handle(daemon, Event::Disturbed(Disturbance::Resume));
        }
        // Everybody wakes up at the same moment.
        let delay = self.edge.random(3_000);
        self.advance(delay);
        self.edge.tool_uses(false);
    }

    pub(crate) fn unwell(&mut self) {
        self.well_since = self.edge.boot();
    }

    pub(crate) fn advance(&mut self, millis: i64) {
        let end = self.edge.boot() + millis;
        while self.step(end) {}
    }

    fn step(&mut self, end: i64) -> bool {
        let timeouts = self
            .daemons
            .iter()
            .enumerate()
            .filter_map(|(number, daemon)| Some((daemon.keeper.next_timeout()?.as_millis(), number)));
        let timeout = timeouts.min();
        let task = self.edge.tasks.first_key_value().map(|(key, _)| *key);
        let person = self.signs_in_at;
        let next = [timeout.map(|(at, _)| at), task.map(|(at, _)| at), person].into_iter().flatten().min();
        let boot = self.edge.boot();
        let next = next.unwrap_or(end).clamp(boot, end);
        self.edge.machine.pass(next - boot);
        if let Some(key) = task.filter(|(at, _)| *at <= next) {
            let task = self.edge.tasks.remove(&key).unwrap();
            self.perform(task);
        } else if person.is_some_and(|at| at <= next) {
            self.sign_in();
        } else if let Some((_, daemon)) = timeout.filter(|(at, _)| *at <= next) {
            let now = self.edge.machine.now();
            self.daemons[daemon].keeper.handle_timeout(now);
            self.carry_out(daemon);
            let again = self.daemons[daemon].keeper.next_timeout().map(BootTime::as_millis);
            assert!(again.is_none_or(|at| at > next), "a timeout that is never done\n{}", self.story());
        } else {
            return next < end;
        }
        self.watch_over_the_file();
        true
    }

    fn perform(&mut self, task: Task) {
        match task {
            // An empty file is read again.
            Task::Watch(daemon) if self.edge.is_half_written() => self.edge.later(20, Task::Watch(daemon)),
            Task::Watch(daemon) => {
                let (found, delay) = (self.edge.found(), self.edge.random(50));
                self.edge.later(delay, Task::Seen { daemon, found });
            }
            Task::Seen { daemon, found } => {
                // A new token ends the need; the keeper knows which are new.
                self.daemons[daemon].needs_person = false;
                self.handle(daemon, Event::SessionFile { file: corp().cache_file(), found });
                self.still_needs(daemon);
            }
            Task::End { daemon, ticket, outcome, samples } => {
                self.daemons[daemon].refreshes.remove(&ticket);
                let brings = matches!(outcome, Outcome::Session(SessionEnd::Renewed { .. } | SessionEnd::Found(_)));
                self.daemons[daemon].needs_person &= !brings;
                self.handle(daemon, Event::Ended { ticket, outcome, samples });
                self.still_needs(daemon);
            }
            Task::Probe { daemon, ticket, sent } => self.edge.answered(daemon, ticket, sent, Outcome::Probed),
            Task::Mint { daemon, ticket, good, sent } => self.edge.answered(daemon, ticket, sent, good),
            Task::Refresh(refresh) => self.edge.refresh(*refresh),
            Task::SignIn { daemon, order, stage } => self.edge.sign_in(daemon, order, stage),
            Task::Tool(tool) => self.edge.tool(tool),
            Task::Meddle(Meddling::Refresh) => self.edge.tool_uses(true),
            Task::Meddle(Meddling::SignIn) => self.sign_in_with_the_tool(),
            Task::Meddle(Meddling::Logout) => self.log_out(),
        }
    }

    fn still_needs(&mut self, daemon: usize) {
        let state = self.daemons[daemon].keeper.session_status(self.edge.machine.now())[0].state;
        self.daemons[daemon].needs_person = state == State::NeedsLogin;
        self.daemons[daemon].told &= state == State::NeedsLogin;
    }

    /// The promise about the file: what evercred has got and AWS takes is in it, or will be.
    fn watch_over_the_file(&mut self) {
        let (boot, truth) = (self.edge.boot(), self.edge.machine.truth);
        let of_session =
            |refresh: &str| self.edge.promised.is_some() && self.edge.server.session_of(refresh) == self.edge.promised;
        let is_live = |refresh: &str| of_session(refresh) && self.edge.server.is_live(refresh, truth);
        let shown = self.edge.token().and_then(|token| token.refresh_token()).map(Secret::expose);
        let good = shown.is_some_and(is_live);
        let known = self.edge.delivered.keys().find(|refresh| is_live(refresh));
        let lost = !good && known.is_some();
        self.lost_since = if lost { Some(self.lost_since.unwrap_or(boot)) } else { None };
        self.dead_since = if good { boot } else { self.dead_since };
        self.alive_since = if known.is_some() { Some(self.alive_since.unwrap_or(boot)) } else { None };
        let could_be_written = self.lost_since.map(|since| boot - since.max(self.disk_since));
        assert!(
            self.edge.disk_is_full || could_be_written.is_none_or(|millis| millis < 2 * MINUTE),
            "{known:?} is good and the file has {shown:?}\n{}",
            self.story()
        );
    }

    /// The promise to profiles that are kept.
    pub(crate) fn check_auto_renewed(&mut self) {
        let (boot, now) = (self.edge.boot(), self.edge.machine.now());
        // An hour for the token, half an hour for the person, and the daemon that needs nothing yet says nothing yet.
        let dead_for = boot - self.dead_since.max(self.well_since).max(self.disk_since);
        let could = !self.edge.disk_is_full && self.logged_out_at.is_none();
        assert!(!could || dead_for < 3 * 60 * MINUTE, "nobody was told\n{}", self.story());
        // A sign-in that nobody has room for lasts as long as its first token.
        if self.edge.disk_is_full && self.edge.file.is_none() {
            return;
        }
        let Some(alive_since) = self.alive_since else { return };
        let well_for = boot - alive_since.max(self.well_since).max(self.disk_since);
        for (number, daemon) in self.daemons.iter().enumerate() {
            for status in daemon.keeper.status(now) {
                // After ten minutes of failing a try comes every five to ten, and the role is behind the session.
                let has = status.expires_at.is_some_and(|at| at > AwsTime::from_millis(self.edge.machine.truth));
                assert!(
                    has || well_for < 25 * MINUTE,
                    "daemon {number}: {} has nothing: {status:?}\n{:?}\n{}",
                    status.name,
                    daemon.keeper.session_status(now),
                    self.story()
                );
            }
        }
    }

    /// What is promised after a logout: nothing is held.
    pub(crate) fn check_logged_out(&self) {
        let Some(at) = self.logged_out_at.filter(|at| self.edge.boot() - at > SEEN) else { return };
        assert!(
            self.edge.file.is_none(),
            "written back {} ms after the logout\n{}",
            self.edge.boot() - at,
            self.story()
        );
        for daemon in &self.daemons {
            assert!(daemon.keeper.minted().is_empty(), "kept after the logout\n{}", self.story());
        }
    }

    fn story(&self) -> String {
        self.edge.story()
    }

    /// Tells this run from another.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.daemons[0].keeper.fingerprint()
    }
}

/// How AWS is, until something else is said.
pub(crate) fn set_health(world: &mut SsoWorld, health: Health) {
    world.edge.note(format!("AWS is {health:?}"));
    (world.edge.server.health, world.so_since) = (health, world.edge.machine.truth);
    world.unwell();
}
