//! What stands between the keepers and the world of sessions: one shared file, one lock, calls that take their time, and
//! another tool that knows neither. Every step is a moment of its own, so that whoever is at work interleaves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;
use evercred::core::aws_error::{self, Fault};
use evercred::core::clock::{Sample, Trust};
use evercred::core::credential::{Credentials, Grant};
use evercred::core::keeper::{MintOrder, Outcome, RefreshOrder, SessionEnd, SignInOrder, Ticket};
use evercred::core::secret::Secret;
use evercred::core::session::*;
use evercred::core::time::{AwsTime, BootTime, WallTime};

use super::machine::Machine;
use super::sso_server::{ACCESS_LIFE, Health, Server, Tokens};
use crate::session_cases::bench::corp;

/// How often the files are looked at whatever the watch says.
pub(crate) const POLL: i64 = 300_000;
/// A call that nobody answers.
const TIMEOUT: i64 = 15_000;

/// Something that goes on.
pub(crate) enum Task {
    /// A daemon's watch has seen that the file changed, and reads it.
    Watch(usize),
    /// What it has read reaches its keeper.
    Seen {
        daemon: usize,
        found: Found,
    },
    /// An outcome reaches its keeper.
    End {
        daemon: usize,
        ticket: Ticket,
        outcome: Outcome,
        samples: Vec<Sample>,
    },
    Mint {
        daemon: usize,
        ticket: Ticket,
        good: Outcome,
        sent: BootTime,
    },
    Probe {
        daemon: usize,
        ticket: Ticket,
        sent: BootTime,
    },
    Refresh(Box<Refresh>),
    SignIn {
        daemon: usize,
        order: Box<SignInOrder>,
        stage: SignIn,
    },
    Tool(Tool),
    Meddle(Meddling),
}

/// What others do in the very moment of a refresh.
#[derive(Clone, Copy)]
pub(crate) enum Meddling {
    Refresh,
    SignIn,
    Logout,
}

/// A refresh that a daemon makes.
pub(crate) struct Refresh {
    pub(crate) daemon: usize,
    order: RefreshOrder,
    stage: Stage,
    sent: BootTime,
    samples: Vec<Sample>,
}

#[expect(clippy::large_enum_variant, reason = "there are two of them at most")]
enum Stage {
    Read,
    AtServer,
    Answered(Option<Tokens>),
    Write { answer: TokenAnswer, expires: WallTime, over: Found, text: Secret, token: CachedToken },
    Doubt(usize),
}

#[derive(Clone)]
pub(crate) enum SignIn {
    AtServer,
    Write(Tokens),
}

/// Another program, as botocore does it: it reads, calls and writes at different moments and holds no lock.
#[derive(Clone)]
pub(crate) enum Tool {
    AtServer(String),
    Answered(String, Tokens),
    Truncate(String),
    Write(String),
}

/// The shared world.
pub(crate) struct Edge {
    pub(crate) machine: Machine,
    pub(crate) server: Server,
    pub(crate) file: Option<String>,
    /// What is in the file, where that is a token.
    pub(super) token: Option<CachedToken>,
    pub(crate) disk_is_full: bool,
    pub(crate) daemons: usize,
    pub(crate) tasks: BTreeMap<(i64, u64), Task>,
    pub(super) locked: bool,
    waiting: VecDeque<Box<Refresh>>,
    rng: u64,
    seed: u64,
    next: u64,
    pub(crate) jumped_at: i64,
    /// Refresh tokens that have reached an evercred or the file, and when; those of a session that was logged out are gone.
    pub(crate) delivered: BTreeMap<String, i64>,
    /// Refresh tokens that evercreds have used up, with what came for them written into the file.
    used: BTreeSet<String>,
    /// The session that the file must not lose: that of the last sign-in, or of what another tool wrote over it.
    pub(crate) promised: Option<usize>,
    /// Calls for refreshes that evercreds have made while AWS was well, and how many were granted at all.
    pub(crate) calls: u64,
    pub(crate) refreshed: u64,
    pub(crate) events: Vec<String>,
}

impl Edge {
    pub(crate) fn new(seed: u64, server: Server, daemons: usize) -> Self {
        Self {
            machine: Machine::new(50, 0),
            server,
            file: None,
            token: None,
            disk_is_full: false,
            daemons,
            tasks: BTreeMap::new(),
            locked: false,
            waiting: VecDeque::new(),
            rng: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            seed,
            next: 0,
            jumped_at: 0,
            delivered: BTreeMap::new(),
            used: BTreeSet::new(),
            promised: None,
            calls: 0,
            refreshed: 0,
            events: Vec::new(),
        }
    }

    /// A number below `below`.
    pub(crate) fn random(&mut self, below: i64) -> i64 {
        i64::try_from(super::world::next(&mut self.rng) % u64::try_from(below).unwrap()).unwrap()
    }

    pub(crate) fn boot(&self) -> i64 {
        self.machine.now().boot.as_millis()
    }

    pub(crate) fn note(&mut self, event: String) {
        self.events.push(format!("{} {event}", AwsTime::from_millis(self.machine.truth)));
        if self.events.len() > 400 {
            self.events.drain(..200);
        }
    }

    pub(crate) fn story(&self) -> String {
        let last = self.events.len().saturating_sub(60);
        format!("EVERCRED_SEED={} {:?}\n{}", self.seed, self.server.rotation, self.events[last..].join("\n"))
    }

    pub(crate) fn later(&mut self, millis: i64, task: Task) {
        self.next += 1;
        let at = (self.boot() + millis, self.next);
        self.tasks.insert(at, task);
    }

    /// The way to AWS, or back.
    pub(super) fn latency(&mut self) -> i64 {
        20 + self.random(400)
    }

    pub(crate) fn found(&self) -> Found {
        self.file.as_ref().map_or(Found::Missing, |text| Found::Text(Secret::new(text)))
    }

    /// Whether somebody is in the middle of writing.
    pub(crate) fn is_half_written(&self) -> bool {
        self.file.as_deref() == Some("")
    }

    pub(crate) fn token(&self) -> Option<&CachedToken> {
        self.token.as_ref()
    }

    pub(crate) fn put(&mut self, text: Option<String>) {
        self.token = text.as_ref().and_then(|text| corp().read(text).ok());
        self.file = text;
        for daemon in 0..self.daemons {
            // Some events are lost: then it is the poll that sees it.
            let delay = if self.random(15) == 0 { self.random(POLL) } else { 20 + self.random(1_480) };
            self.later(delay, Task::Watch(daemon));
        }
    }

    /// The portal sees it at once; the rest is the way back.
    pub(crate) fn depart_mint(&mut self, daemon: usize, order: &MintOrder) {
        self.meddle(5);
        let (way, sent) = (self.call_time(), self.machine.now().boot);
        let (ticket, good) = (order.ticket, self.role(order.token.as_ref().unwrap().expose()));
        self.later(way, Task::Mint { daemon, ticket, good, sent });
    }

    pub(crate) fn depart_probe(&mut self, daemon: usize, ticket: Ticket) {
        let (way, sent) = (self.call_time(), self.machine.now().boot);
        self.later(way, Task::Probe { daemon, ticket, sent });
    }

    fn call_time(&mut self) -> i64 {
        if self.server.health == Health::Unreachable { TIMEOUT } else { 2 * self.latency() }
    }

    pub(crate) fn depart_refresh(&mut self, daemon: usize, order: RefreshOrder) {
        if !order.save {
            self.meddle(1);
        }
        let sent = self.machine.now().boot;
        let refresh = Box::new(Refresh { daemon, order, stage: Stage::Read, sent, samples: Vec::new() });
        if self.locked {
            self.waiting.push_back(refresh);
        } else {
            self.locked = true;
            self.later(1, Task::Refresh(refresh));
        }
    }

    /// Others act just when a token is refreshed, more often than chance would have it: that is where the danger is.
    fn meddle(&mut self, rarer: i64) {
        let act = match self.random(60 * rarer) {
            0..=3 => Meddling::Refresh,
            4 => Meddling::SignIn,
            5 => Meddling::Logout,
            _ => return,
        };
        let delay = self.random(1_000);
        self.later(delay, Task::Meddle(act));
    }

    pub(crate) fn depart_sign_in(&mut self, daemon: usize, order: Box<SignInOrder>) {
        let person = 10_000 + self.random(50_000);
        self.later(person, Task::SignIn { daemon, order, stage: SignIn::AtServer });
    }

    pub(super) fn end(&mut self, daemon: usize, ticket: Ticket, outcome: Outcome, samples: Vec<Sample>) {
        if let Outcome::Session(SessionEnd::Renewed { token, .. }) = &outcome {
            let refresh = token.refresh_token().unwrap().expose().to_owned();
            self.delivered.insert(refresh, self.boot());
        }
        let delay = self.random(30);
        self.later(delay, Task::End { daemon, ticket, outcome, samples });
    }

    fn unlock(&mut self) {
        match self.waiting.pop_front() {
            Some(refresh) => self.later(1, Task::Refresh(refresh)),
            None => self.locked = false,
        }
    }

    fn finish(&mut self, refresh: Refresh, outcome: Outcome) {
        self.note(format!("daemon {}: refresh ends: {}", refresh.daemon, said(&outcome)));
        self.unlock();
        self.end(refresh.daemon, refresh.order.ticket, outcome, refresh.samples);
    }

    /// The call of a role, or a look at the time.
    pub(crate) fn answered(&mut self, daemon: usize, ticket: Ticket, sent: BootTime, good: Outcome) {
        let outcome = self.refusal().map_or(good, Outcome::Failed);
        let samples = if self.server.health == Health::Unreachable { Vec::new() } else { self.sample(sent) };
        self.end(daemon, ticket, outcome, samples);
    }

    /// The portal's answer to a token.
    fn role(&self, token: &str) -> Outcome {
        let truth = self.machine.truth;
        if !self.server.takes(token, truth) {
            return Outcome::Failed(aws_error::fault("a role", Some(401), Some("UnauthorizedException"), None));
        }
        Outcome::Minted(Credentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expires_at: Some(AwsTime::from_millis((truth / 1_000 + 3_600) * 1_000)),
            account_id: None,
        })
    }

    pub(super) fn refusal(&mut self) -> Option<Fault> {
        let code = match self.server.health {
            Health::Well => return None,
            Health::LosesAnswers => return (self.random(2) == 0).then(network),
            Health::Unreachable => "Timeout",
            Health::Failing => "InternalServerException",
            Health::Throttling => {
                let mut fault = aws_error::fault("a call", Some(429), Some("TooManyRequestsException"), None);
                fault.retry_after = Some(TimeDelta::seconds(3));
                return Some(fault);
            }
        };
        Some(aws_error::fault("a call", None, Some(code), None))
    }

    fn sample(&self, sent: BootTime) -> Vec<Sample> {
        let date = AwsTime::from_millis(self.machine.truth.div_euclid(1_000) * 1_000);
        vec![Sample { date, sent, received: self.machine.now().boot, trust: Trust::Authenticated }]
    }

    /// One step of a daemon's refresh.
    pub(crate) fn refresh(&mut self, mut refresh: Refresh) {
        let RefreshOrder { session, known, superseded, save, .. } = &refresh.order;
        let (session, known) = (session.clone(), known.clone());
        if self.is_half_written() {
            return self.later(5, Task::Refresh(Box::new(refresh)));
        }
        let saved = save.then(|| before_save(&session, &known, superseded.as_ref(), &self.found()));
        let found = as_known(&session, &known, superseded.as_ref(), self.machine.now().wall, self.found());
        let way = self.latency();
        if let Some(saved) = saved {
            return self.save(refresh, saved);
        }
        match refresh.stage {
            Stage::Read => match before_refresh(&session, &known, &found) {
                Before::Call => {
                    refresh.stage = Stage::AtServer;
                    refresh.sent = self.machine.now().boot;
                    let way = if self.server.health == Health::Unreachable { TIMEOUT } else { way };
                    self.later(way, Task::Refresh(Box::new(refresh)));
                }
                Before::Adopt(token) => self.finish(refresh, Outcome::Session(SessionEnd::Found(token))),
                Before::SignedOut => self.finish(refresh, Outcome::Session(SessionEnd::SignedOut)),
                Before::Unusable(why) => panic!("{why}"),
            },
            Stage::AtServer => {
                self.calls += u64::from(self.server.health == Health::Well);
                let lost = self.server.health == Health::LosesAnswers && self.random(2) == 0;
                if !lost && let Some(fault) = self.refusal() {
                    return self.finish(refresh, Outcome::Failed(fault));
                }
                let shown = known.refresh_token().unwrap().expose();
                let tokens = self.server.refresh(shown, self.machine.truth);
                self.refreshed += u64::from(tokens.is_some());
                self.note(format!("daemon {}: {shown} at the server: {tokens:?}, lost: {lost}", refresh.daemon));
                let again = self.used.contains(shown);
                assert!(!again, "{shown} was used by an evercred, and what came for it was written\n{}", self.story());
                if lost {
                    return self.finish(refresh, Outcome::Failed(network()));
                }
                refresh.stage = Stage::Answered(tokens);
                self.later(way, Task::Refresh(Box::new(refresh)));
            }
            Stage::Answered(Some(ref tokens)) => {
                refresh.samples = self.sample(refresh.sent);
                let answer = TokenAnswer {
                    grant: Grant::Token(Secret::new(&tokens.access)),
                    expires_in: TimeDelta::milliseconds(ACCESS_LIFE),
                    refresh_token: tokens.refresh.as_ref().map(Secret::new),
                    id_token: None,
                };
                // As every other writer of the file does: by this machine's clock, whatever that shows.
                let expires = self.machine.now().wall + TimeDelta::milliseconds(ACCESS_LIFE);
                self.decide(refresh, answer, expires, found);
            }
            Stage::Answered(None) => {
                refresh.samples = self.sample(refresh.sent);
                refresh.stage = Stage::Doubt(0);
                self.later(1, Task::Refresh(Box::new(refresh)));
            }
            // The file changes places with the new one: what it was in that moment is known.
            Stage::Write { ref answer, expires, ref over, ref text, ref token } => {
                if found == *over {
                    let unsaved = self.disk_is_full.then(|| "no space left".to_owned());
                    if unsaved.is_none() {
                        self.put(Some(text.expose().to_owned()));
                        if answer.refresh_token.is_some() {
                            self.used.insert(known.refresh_token().unwrap().expose().to_owned());
                        }
                    }
                    let token = token.clone();
                    self.finish(refresh, Outcome::Session(SessionEnd::Renewed { token, unsaved }));
                } else {
                    let answer = answer.clone();
                    self.decide(refresh, answer, expires, found);
                }
            }
            Stage::Doubt(looks) => match after_refusal(&session, &known, &found) {
                Refused::Adopt(token) => self.finish(refresh, Outcome::Session(SessionEnd::Found(token))),
                Refused::SignedOut => self.finish(refresh, Outcome::Session(SessionEnd::SignedOut)),
                Refused::Believed if looks == 2 => {
                    let good = self.token().and_then(|token| token.refresh_token()).map(Secret::expose);
                    let good = good.filter(|refresh| self.server.is_live(refresh, self.machine.truth));
                    assert!(good.is_none(), "a refusal is believed, and the file has {good:?}\n{}", self.story());
                    let fault = aws_error::fault("refreshing", Some(400), Some("InvalidGrantException"), None);
                    self.finish(refresh, Outcome::Failed(fault));
                }
                Refused::Believed => {
                    refresh.stage = Stage::Doubt(looks + 1);
                    self.later([2_000, 3_000][looks], Task::Refresh(Box::new(refresh)));
                }
            },
        }
    }

    fn save(&mut self, refresh: Refresh, save: Save) {
        let token = refresh.order.known.clone();
        let end = match save {
            Save::Write { .. } | Save::Create(_) if self.disk_is_full => {
                SessionEnd::Renewed { token, unsaved: Some("no space left".to_owned()) }
            }
            Save::Write { text, .. } | Save::Create(text) => {
                self.put(Some(text.expose().to_owned()));
                SessionEnd::Renewed { token, unsaved: None }
            }
            Save::Adopt(token) => SessionEnd::Found(token),
            Save::SignedOut => SessionEnd::SignedOut,
            Save::Done => SessionEnd::Renewed { token, unsaved: None },
        };
        self.finish(refresh, Outcome::Session(end));
    }

    fn decide(&mut self, mut refresh: Refresh, answer: TokenAnswer, expires: WallTime, found: Found) {
        let (session, known) = (&refresh.order.session, &refresh.order.known);
        match after_refresh(session, known, &answer, expires, &found) {
            After::Write { text, token, .. } => {
                refresh.stage = Stage::Write { answer, expires, over: found, text, token };
                let takes = self.random(5);
                self.later(takes, Task::Refresh(Box::new(refresh)));
            }
            After::Keep(token) => self.finish(refresh, Outcome::Session(SessionEnd::Found(token))),
            After::SignedOut => self.finish(refresh, Outcome::Session(SessionEnd::SignedOut)),
            After::Unusable(why) => panic!("{why}"),
        }
    }

    /// What was under way when the machine went to sleep: calls are lost, after or before the server saw them; everything else
    /// goes on afterwards.
    pub(crate) fn sleep(&mut self, millis: i64) {
        let tasks = std::mem::take(&mut self.tasks);
        self.machine.suspend(millis);
        self.jumped_at = self.boot();
        for ((at, number), task) in tasks {
            match task {
                Task::Mint { daemon, ticket, .. } | Task::Probe { daemon, ticket, .. } => {
                    self.end(daemon, ticket, Outcome::Failed(network()), Vec::new());
                }
                Task::Refresh(refresh) if matches!(refresh.stage, Stage::AtServer | Stage::Answered(_)) => {
                    self.finish(*refresh, Outcome::Failed(network()));
                }
                Task::Tool(Tool::AtServer(_) | Tool::Answered(..)) => {}
                task => drop(self.tasks.insert((at + millis, number), task)),
            }
        }
    }
}

fn network() -> Fault {
    aws_error::fault("a call", None, Some("Network"), None)
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Session(SessionEnd::Renewed { token, unsaved }) => {
            format!("{} unsaved: {unsaved:?}", token.refresh_token().unwrap().expose())
        }
        Outcome::Session(SessionEnd::Found(token)) => format!("found {}", token.refresh_token().unwrap().expose()),
        Outcome::Session(SessionEnd::Unwritable(problem)) => format!("unwritable: {}", problem.why),
        Outcome::Session(SessionEnd::SignedOut) => "signed out".to_owned(),
        Outcome::Failed(fault) => fault.code.clone(),
        _ => "ok".to_owned(),
    }
}
