//! The world of one simulation: steps from wake-up to wake-up, and watches over every promise.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use evercred::core::clock::{Clock, Sample, Trust};
use evercred::core::keeper::{
    Action, Answer, AutoRenew, CLOCK_SKEWED, CREDENTIALS_LOST, CallerId, Disturbance, Event, KeeperSettings,
    MFA_REQUIRED, Memory, MintOrder, Notice, Outcome, State, Ticket, Wants,
};
use evercred::core::plan::{
    AssumeRole, Endpoint, Plan, SessionToken, Source, StatedExpiry, StaticKeys, Step, WebIdentity,
};
use evercred::core::secret::Secret;
use evercred::core::time::{AwsTime, BootTime};

use super::aws::{Aws, Health, LATENCY, what};
use super::lost::Lost;
use super::machine::Machine;
use crate::fingerprint::Keeper;

/// Nobody waits longer.
const LONGEST_WAIT: i64 = 30_000;
/// How long a call takes that nobody answers.
const TIMEOUT: i64 = 15_000;
/// Who asks after AWS has been well for this long must get credentials: a refusal is tried again when asked for at most
/// once a minute, and a call that has just begun may take its time-out.
const ASKED_AFTER: i64 = 60_000 + TIMEOUT + 5_000;

/// A call on its way.
struct Underway {
    ticket: Ticket,
    flight: Flight,
    sent: BootTime,
    signed_at: i64,
    /// AWS's time at which it was answered, where the answer is on its way back: before a pause of this machine.
    answered_at: Option<i64>,
}

enum Flight {
    Mint(Box<MintOrder>),
    Probe,
}

/// Profiles whose credentials another program gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// At once, for an hour.
    Quick,
    /// For an hour, and somebody has to press a button.
    Buttons,
    /// At once, and without an end.
    Endless,
}

impl Program {
    pub(crate) fn of(profile: usize) -> Option<Self> {
        match profile % 10 {
            7 => Some(Self::Quick),
            8 => Some(Self::Buttons),
            9 => Some(Self::Endless),
            _ => None,
        }
    }

    /// The profile and the program behind an order.
    pub(crate) fn behind(order: &MintOrder) -> Option<(usize, Self)> {
        let Source::Process { .. } = order.step.source else { return None };
        let profile = order.step.profile.strip_prefix("app-")?.parse().ok()?;
        Some((profile, Self::of(profile)?))
    }
}

/// Profiles for which AWS wants something else than a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// A web identity token, in a file of its own.
    Token,
    /// The code of one device, shared by all.
    Code,
    /// To be asked from an instance that has a role.
    Place,
}

impl Other {
    pub(crate) fn of(profile: usize) -> Option<Self> {
        match profile % 10 {
            4 => Some(Self::Place),
            5 => Some(Self::Code),
            6 => Some(Self::Token),
            _ => None,
        }
    }
}

/// Somebody who waits.
struct Caller {
    profile: usize,
    asked_at: i64,
    /// Whether it waits for what AWS says of a code.
    typed: bool,
}

pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) aws: Aws,
    pub(crate) keeper: Keeper,
    /// The role of each profile, as the files say it now.
    pub(crate) session_names: Vec<String>,
    pub(crate) removed: Vec<bool>,
    /// Until when (AWS's time) the session lives that somebody typed a code for.
    pub(crate) session_until: i64,
    /// Since when (boot-time clock).
    session_since: i64,
    /// When (boot-time clock) each profile was last asked for.
    asked_at: Vec<Option<i64>>,
    pub(crate) key: String,
    settings: KeeperSettings,
    flights: BTreeMap<(BootTime, u64), Underway>,
    callers: BTreeMap<CallerId, Caller>,
    next_caller: u64,
    rng: u64,
    seed: u64,
    events: Vec<String>,
    /// Since when (boot-time clock) each profile could have been minted.
    pub(crate) well_since: Vec<i64>,
    /// Answers of AWS that are still needed before this machine can know the time: after a pause of the whole machine.
    pub(crate) unconfirmed: u32,
    /// When a clock of this machine last jumped.
    pub(crate) jumped_at: BootTime,
    /// When the machine last went on after a sleep that its clocks show.
    resumed_at: BootTime,
    /// When a look at AWS's time ended, or an answer told it, that was asked for since then.
    looked_at: BootTime,
    /// When each of the last calls to STS was sent.
    pub(crate) sent: Vec<i64>,
    /// Something is wrong right now: nobody can promise anything.
    pub(crate) trouble: bool,
    answered: Option<bool>,
    /// How often the keeper wanted to be called again.
    pub(crate) wakeups: u64,
    /// Looks at the time.
    pub(crate) looks: u64,
    /// What was told of the clock, and whether it is over.
    pub(crate) told: Vec<(String, bool)>,
    /// Since when (AWS's time) AWS has been as it is.
    pub(crate) so_since: i64,
    /// What was told of credentials that will be lost.
    pub(crate) lost: Vec<Lost>,
    /// Until when (AWS's time) each profile in use held something at the last look.
    pub(crate) held_until: Vec<Option<i64>>,
    /// When (boot-time clock) something happened last that has the keeper try again.
    pub(crate) changed_at: i64,
    runs_away: bool,
    pub(crate) auto_renewed_since: Vec<Option<i64>>,
}

impl World {
    /// Profiles `app-N`, every tenth group of them behind a role of its own, all behind one key.
    pub(crate) fn new(seed: u64, profiles: usize) -> Self {
        let mut rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let drift = i64::try_from(next(&mut rng) % 400).unwrap() - 200;
        let machine = Machine::new(drift, i64::try_from(next(&mut rng) % 7_200_000).unwrap() - 3_600_000);
        let settings = KeeperSettings {
            auto_renew: AutoRenew::Used,
            used_within: TimeDelta::hours(12),
            before: TimeDelta::minutes(20),
            jitter: TimeDelta::minutes(5),
            probe: true,
            ntp: Vec::new(),
            warn: TimeDelta::minutes(1),
            sso_cache: true,
            login_cache: true,
        };
        let clock = Clock::new(machine.now(), false);
        let mut world = Self {
            keeper: Keeper::new(settings.clone(), Memory::default(), clock, seed),
            machine,
            aws: Aws::new(),
            session_names: (0..profiles).map(|_| "s".to_owned()).collect(),
            removed: vec![false; profiles],
            session_until: 0,
            session_since: 0,
            asked_at: vec![None; profiles],
            key: String::new(),
            settings,
            flights: BTreeMap::new(),
            callers: BTreeMap::new(),
            next_caller: 0,
            rng,
            seed,
            events: Vec::new(),
            well_since: vec![0; profiles],
            unconfirmed: 0,
            jumped_at: BootTime::from_millis(0),
            resumed_at: BootTime::from_millis(0),
            looked_at: BootTime::from_millis(0),
            sent: Vec::new(),
            trouble: false,
            answered: None,
            wakeups: 0,
            looks: 0,
            told: Vec::new(),
            so_since: 0,
            lost: Vec::new(),
            held_until: vec![None; profiles],
            changed_at: 0,
            runs_away: false,
            auto_renewed_since: vec![None; profiles],
        };
        world.rotate_key(0);
        world
    }

    /// The file has a new key, which AWS knows some time later.
    pub(crate) fn rotate_key(&mut self, spreads_in: i64) {
        self.key = format!("AKIA{:016}", self.random(1 << 40));
        self.aws.keys.insert(self.key.clone(), self.machine.truth + spreads_in);
        // A session is that of its key.
        self.session_until = 0;
        self.write_files();
    }

    /// The files have changed: the plans are made anew.
    pub(crate) fn write_files(&mut self) {
        let plans = (0..self.session_names.len())
            .filter(|profile| !self.removed[*profile])
            .map(|profile| (format!("app-{profile}"), Ok(self.plan(profile))))
            .collect();
        self.note(format!("files written, key {}", self.key));
        self.changed();
        let now = self.machine.now();
        let event = Event::Plans { profiles: plans, sso_sessions: BTreeMap::new() };
        self.keeper.handle(event, now);
        self.unwell();
        self.carry_out();
    }

    fn plan(&self, profile: usize) -> Plan {
        let endpoint =
            Endpoint { region: "eu-west-1".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        let role = |name: String, session: &str, seconds| Step {
            profile: name.clone(),
            source: Source::AssumeRole(AssumeRole {
                role_arn: format!("arn:aws:iam::111122223333:role/{name}"),
                role_session_name: session.to_owned(),
                external_id: None,
                duration_seconds: seconds,
                mfa_serial: None,
                mfa_process: None,
                endpoint: endpoint.clone().into(),
            }),
        };
        let base = Step {
            profile: "base".into(),
            source: Source::Static(StaticKeys {
                access_key_id: self.key.clone(),
                secret_access_key: Secret::new("k"),
                session_token: None,
                expires: StatedExpiry::Unstated,
            }),
        };
        let last = role(format!("app-{profile}"), &self.session_names[profile], None);
        let program = Step {
            profile: format!("app-{profile}"),
            source: Source::Process { command: format!("program-{profile} {}", self.session_names[profile]) },
        };
        // Two in three behind a shared parent, the others long-lived and straight from the key.
        let token = Step {
            profile: format!("app-{profile}"),
            source: Source::WebIdentity(WebIdentity {
                role_arn: format!("arn:aws:iam::111122223333:role/app-{profile}"),
                token_file: format!("token-{profile}"),
                role_session_name: self.session_names[profile].clone(),
                duration_seconds: None,
                endpoint: endpoint.clone(),
            }),
        };
        let session = Step {
            profile: format!("app-{profile}"),
            source: Source::SessionToken(SessionToken {
                mfa_serial: Some("device".to_owned()),
                mfa_process: None,
                duration_seconds: Some(43_200),
                endpoint: endpoint.clone(),
            }),
        };
        let steps = match profile % 3 {
            _ if Other::of(profile) == Some(Other::Place) => {
                vec![Step { profile: format!("app-{profile}"), source: Source::InstanceMetadata }, last]
            }
            _ if Other::of(profile) == Some(Other::Token) => vec![token],
            _ if Other::of(profile) == Some(Other::Code) => vec![base, session, last],
            _ if Program::of(profile).is_some() => vec![program],
            2 => vec![base, role(format!("app-{profile}"), &self.session_names[profile], Some(43_200))],
            _ => vec![base, role(format!("mid-{}", profile / 10), "s", None), last],
        };
        let steps = steps.into_iter().collect();
        Plan {
            profile: format!("app-{profile}"),
            steps,
            endpoint: endpoint.into(),
            region: None,
            renew: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn keep_all(&mut self) {
        self.settings.auto_renew = AutoRenew::All;
        let now = self.machine.now();
        self.keeper.handle(Event::Settings(self.settings.clone()), now);
        self.carry_out();
    }

    /// A number below `below`.
    pub(crate) fn random(&mut self, below: i64) -> i64 {
        i64::try_from(next(&mut self.rng) % u64::try_from(below).unwrap()).unwrap()
    }

    pub(crate) fn boot(&self) -> i64 {
        self.machine.now().boot.as_millis()
    }

    /// Nothing could be got until now.
    pub(crate) fn unwell(&mut self) {
        let boot = self.boot();
        self.well_since.fill(boot);
    }

    pub(crate) fn suspend(&mut self, millis: i64) {
        self.note(format!("suspended for {millis}"));
        self.break_connections();
        self.machine.suspend(millis);
        self.jumped_at = self.machine.now().boot;
        self.resumed_at = self.jumped_at;
        self.unwell();
        self.wake();
    }

    pub(crate) fn pause(&mut self, millis: i64, wall_is_set: bool) {
        self.note(format!("paused for {millis}, wall set: {wall_is_set}"));
        if self.aws.answers() && self.random(2) == 0 {
            let truth = self.machine.truth;
            for underway in self.flights.values_mut() {
                underway.answered_at.get_or_insert(truth);
            }
        } else {
            self.break_connections();
        }
        self.machine.pause(millis, wall_is_set);
        self.jumped_at = self.machine.now().boot;
        if wall_is_set {
            self.resumed_at = self.jumped_at;
        }
        self.unwell();
        self.unconfirmed = 2;
        self.wake();
    }

    pub(crate) fn step_wall(&mut self, millis: i64) {
        self.note(format!("wall clock set by {millis}"));
        self.machine.step_wall(millis);
        self.jumped_at = self.machine.now().boot;
        self.wake();
    }

    /// Whatever the wall clock was, it is right now; nothing was known of it before.
    pub(crate) fn right_wall(&mut self) {
        self.machine.step_wall(self.machine.truth - self.machine.now().wall.as_millis());
        let clock = Clock::new(self.machine.now(), false);
        self.keeper = Keeper::new(self.settings.clone(), Memory::default(), clock, self.seed);
        self.write_files();
    }

    /// The daemon ends, and begins again two seconds later with what it had saved.
    pub(crate) fn restart(&mut self) {
        self.note("restart".to_owned());
        let (saved, sets) = (self.keeper.clock().save(self.machine.now()), self.keeper.minted());
        self.flights.clear();
        self.callers.clear();
        self.machine.pass(2_000);
        let now = self.machine.now();
        let mut clock = Clock::new(now, false);
        if let Some(saved) = saved {
            clock.restore(saved, now);
        }
        self.keeper = Keeper::new(self.settings.clone(), self.keeper.memory().clone(), clock, self.seed);
        self.keeper.restore_minted(sets, true);
        self.write_files();
    }

    /// The wall clock runs away, by so much in the time that passes now.
    pub(crate) fn slew_wall(&mut self, millis: i64) {
        self.machine.step_wall(millis);
        self.runs_away = true;
    }

    /// The way out to the network is another one than before.
    pub(crate) fn network_changed(&mut self) {
        self.note("the network has changed".to_owned());
        self.changed();
        let now = self.machine.now();
        self.keeper.handle(Event::Disturbed(Disturbance::Network), now);
        self.carry_out();
    }

    fn wake(&mut self) {
        self.changed();
        let now = self.machine.now();
        self.keeper.handle_timeout(now);
        self.carry_out();
    }

    /// What was under way when the machine went to sleep is lost.
    fn break_connections(&mut self) {
        let trouble = std::mem::replace(&mut self.trouble, true);
        let now = self.machine.now();
        let is_program =
            |underway: &Underway| matches!(&underway.flight, Flight::Mint(order) if Program::behind(order).is_some());
        let lost = self.flights.extract_if(.., |_, underway| !is_program(underway)).collect::<Vec<_>>();
        for (_, Underway { ticket, flight, sent, .. }) in lost {
            if matches!(flight, Flight::Probe) && sent >= self.resumed_at {
                self.looked_at = now.boot;
            }
            let fault = evercred::core::aws_error::fault("a call", None, Some("Network"), None);
            self.keeper.handle(Event::Ended { ticket, outcome: Outcome::Failed(fault), samples: vec![] }, now);
        }
        self.carry_out();
        self.trouble = trouble;
    }

    /// Somebody wrote the token file of a profile.
    pub(crate) fn write_token(&mut self, profile: usize) {
        let now = self.machine.now();
        self.note(format!("token-{profile} written"));
        self.changed();
        self.keeper.handle(Event::TokenFileChanged(format!("token-{profile}")), now);
        self.carry_out();
    }

    /// Somebody types a code, mostly the right one.
    pub(crate) fn log_in(&mut self, profile: usize) {
        let shown = self.aws.next_code();
        let code = if self.random(4) > 0 { shown } else { "000000".to_owned() };
        self.note(format!("app-{profile}: code {code} typed"));
        self.changed();
        self.next_caller += 1;
        let caller = CallerId(self.next_caller);
        self.callers.insert(caller, Caller { profile, asked_at: self.boot(), typed: true });
        let (now, profile) = (self.machine.now(), format!("app-{profile}"));
        self.keeper.handle(Event::Code { caller, profile, code: Secret::new(code) }, now);
        self.carry_out();
    }

    /// Asks, and lets time pass until the answer is there. True: credentials.
    pub(crate) fn ask_now(&mut self, profile: &str) -> bool {
        self.answered = None;
        self.ask(profile.strip_prefix("app-").unwrap().parse().unwrap());
        for _ in 0..400 {
            if let Some(answered) = self.answered {
                return answered;
            }
            self.advance(100);
        }
        panic!("nobody answered within 40 s\n{}", self.story());
    }

    pub(crate) fn ask(&mut self, profile: usize) {
        let name = format!("app-{profile}");
        let status = self.keeper.status(self.machine.now()).into_iter().find(|status| status.name == name);
        if status.as_ref().is_none_or(|status| status.valid != Some(true) || Program::of(profile).is_some()) {
            self.changed();
        }
        if status.is_none_or(|status| !status.auto_renew) {
            self.auto_renewed_since[profile] = Some(self.boot());
        }
        self.asked_at[profile] = Some(self.boot());
        self.next_caller += 1;
        let caller = CallerId(self.next_caller);
        self.callers.insert(caller, Caller { profile, asked_at: self.boot(), typed: false });
        let now = self.machine.now();
        self.keeper.handle(Event::Asked { caller, profile: format!("app-{profile}"), wants: Wants::Credentials }, now);
        self.carry_out();
    }

    pub(crate) fn advance(&mut self, millis: i64) {
        let end = self.boot() + millis;
        while self.step(end) {}
    }

    /// To the next wake-up, or to `end`; false when that is reached.
    fn step(&mut self, end: i64) -> bool {
        let timeout = self.keeper.next_timeout();
        let call = self.flights.first_key_value().map(|(key, _)| *key);
        let next = [timeout, call.map(|(at, _)| at)].into_iter().flatten().map(BootTime::as_millis).min();
        let next = next.unwrap_or(end).clamp(self.boot(), end);
        self.machine.pass(next - self.boot());
        let now = self.machine.now();
        if let Some((at, _)) = call.filter(|(at, _)| at.as_millis() <= next) {
            let key = self.flights.first_key_value().map(|(key, _)| *key).unwrap();
            assert_eq!(key.0, at);
            let underway = self.flights.remove(&key).unwrap();
            self.end(underway);
            return true;
        }
        if timeout.is_some_and(|at| at.as_millis() <= next) {
            self.wakeups += 1;
            self.keeper.handle_timeout(now);
            self.carry_out();
            let again = self.keeper.next_timeout();
            assert!(again.is_none_or(|at| at.as_millis() > next), "a timeout that is never done\n{}", self.story());
            return true;
        }
        next < end
    }

    fn end(&mut self, Underway { ticket, flight, sent, signed_at, answered_at }: Underway) {
        let now = self.machine.now();
        let truth = answered_at.unwrap_or(self.machine.truth);
        let mut samples = Vec::new();
        let by_program = matches!(&flight, Flight::Mint(order) if Program::behind(order).is_some());
        if self.aws.answers() && !by_program {
            // The header was made up to a second ago, somewhere on the way.
            let cached = self.random(1_000);
            let lie = self.aws.lie.take().unwrap_or_default();
            let date = (truth - cached).max(truth - (now.boot - sent).num_milliseconds() - 1_000) + lie;
            let date = AwsTime::from_millis(date.div_euclid(1_000) * 1_000);
            if sent >= self.resumed_at {
                self.looked_at = now.boot;
            }
            samples.push(Sample { date, sent, received: now.boot, trust: Trust::Authenticated });
            self.unconfirmed = match (lie, self.unconfirmed) {
                // An answer from before the pause tells nothing of it, nor one to a question from before a jump.
                (0, unconfirmed) if answered_at.is_some() || sent < self.jumped_at => unconfirmed,
                (0, unconfirmed) => unconfirmed.saturating_sub(1),
                // A lie while the truth is being looked for costs another two answers.
                (_, 0) => 0,
                (_, unconfirmed) => unconfirmed + 2,
            };
        }
        let outcome = match &flight {
            Flight::Probe if self.aws.answers() => Outcome::Probed,
            Flight::Probe => Outcome::Failed(evercred::core::aws_error::fault("a look", None, Some("Timeout"), None)),
            Flight::Mint(order) => self.aws.call(order, truth, signed_at),
        };
        if let Outcome::Minted(credentials) | Outcome::Federated { credentials, .. } = &outcome {
            let role = &self.aws.sessions[&credentials.access_key_id].role;
            if let Some(profile) = role.rsplit_once("/app-").and_then(|(_, profile)| profile.parse().ok()) {
                self.minted_again(profile);
            }
        }
        if let Flight::Mint(order) = &flight {
            let said = match &outcome {
                Outcome::Failed(fault) => fault.code.clone(),
                _ => "ok".to_owned(),
            };
            self.note(format!("{}: {said}", what(order)));
        } else {
            self.note(format!("a look at the time: {samples:?}"));
            if sent >= self.resumed_at {
                self.looked_at = now.boot;
            }
        }
        self.keeper.handle(Event::Ended { ticket, outcome, samples }, now);
        self.carry_out();
    }

    pub(crate) fn carry_out(&mut self) {
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Mint(order) => {
                    let about = what(&order);
                    let twice = self.flights.values().any(|Underway { flight, .. }| matches!(flight, Flight::Mint(other) if what(other) == about && other.step == order.step && other.base == order.base));
                    assert!(!twice, "two calls at once for {about}\n{}", self.story());
                    if order.step.source.service().is_some() {
                        assert!(
                            self.looked_at >= self.resumed_at,
                            "signed before the time was looked at\n{}",
                            self.story()
                        );
                        self.sent.push(self.boot());
                    }
                    let signed_at = self.boot() + order.aws_minus_boot.num_milliseconds();
                    self.depart(order.ticket, Flight::Mint(order), signed_at);
                }
                Action::Probe(order) => {
                    self.looks += 1;
                    self.depart(order.ticket, Flight::Probe, 0);
                }
                Action::Notice(notice) => self.check_told(notice),
                Action::Answer { caller, answer } => self.check(caller, answer),
                Action::RunCodeProgram(_) => panic!("nobody has such a program here"),
                Action::Remember | Action::KeepMinted | Action::KeepUnsaved | Action::Replan | Action::Log(_) => {}
                _ => panic!("there is no session here"),
            }
        }
    }

    fn depart(&mut self, ticket: Ticket, flight: Flight, signed_at: i64) {
        let sent = self.machine.now().boot;
        let (least, most) = LATENCY;
        let program = match &flight {
            Flight::Mint(order) => Program::behind(order),
            Flight::Probe => None,
        };
        if let Some((profile, Program::Buttons)) = program {
            let asked = self.asked_at[profile].is_some_and(|at| sent.as_millis() - at <= LONGEST_WAIT);
            assert!(asked, "a browser opens and nobody asked\n{}", self.story());
        }
        let takes = if let Some((_, Program::Buttons)) = program {
            6_000 + self.random(20_000)
        } else if program.is_some() || self.aws.answers() {
            least.num_milliseconds() + self.random((most - least).num_milliseconds())
        } else if self.aws.health == Health::NoNetwork {
            5
        } else {
            TIMEOUT
        };
        let signed_at = signed_at + takes;
        let underway = Underway { ticket, flight, sent, signed_at, answered_at: None };
        self.flights.insert((sent + TimeDelta::milliseconds(takes), ticket.0), underway);
    }

    /// The promises to callers.
    fn check(&mut self, caller: CallerId, answer: Answer) {
        let Caller { profile, asked_at, typed } = self.callers.remove(&caller).expect("one answer for each caller");
        if typed {
            if let Answer::Credentials(credentials) = answer {
                self.session_until = self.aws.sessions[&credentials.access_key_id].expires;
                self.session_since = self.boot();
            }
            return;
        }
        let gone = self.removed[profile];
        match answer {
            Answer::Credentials(credentials) => {
                self.answered = Some(true);
                self.note(format!("app-{profile} got {}", credentials.access_key_id));
                let session = self.aws.sessions.get(&credentials.access_key_id).expect("a set of AWS's");
                let role = format!("arn:aws:iam::111122223333:role/app-{profile}");
                assert!(!gone, "credentials of a profile that is gone\n{}", self.story());
                assert_eq!(session.role, role, "somebody else's credentials\n{}", self.story());
                // While a pause of the machine is possible and not ruled out, seconds can't be told.
                let uncertain = self.keeper.clock().wall_error(self.machine.now()).1;
                let grace = if uncertain > TimeDelta::seconds(30) { 10_000 } else { 0 };
                let expired = session.expires + grace <= self.machine.truth;
                assert!(!expired || self.unconfirmed > 0, "app-{profile} got an expired set\n{}", self.story());
            }
            Answer::SignIn { .. }
            | Answer::NotYet { .. }
            | Answer::SignedIn { .. }
            | Answer::Roles { .. }
            | Answer::SignedOut { .. } => {
                panic!("nobody signs in here")
            }
            Answer::Refused(refusal) => {
                self.answered = Some(false);
                self.note(format!("app-{profile} was refused: {}", refusal.message));
                let well_for = asked_at - self.well_since[profile];
                let could =
                    Other::of(profile) != Some(Other::Code) || self.session_until > self.machine.truth + 120_000;
                let must = could && !gone && !self.trouble && self.unconfirmed == 0 && well_for > ASKED_AFTER;
                assert!(
                    !must,
                    "app-{profile} was refused, with AWS well for {well_for} ms: {}\n{}",
                    refusal.message,
                    self.story()
                );
            }
        }
    }

    /// The clock is watched from now on, whether anybody asks for anything or not.
    pub(crate) fn watch_clock(&mut self) {
        let home = Endpoint { region: "us-east-1".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        self.keeper.handle(Event::Home(home), self.machine.now());
        self.carry_out();
    }

    /// The promise to who is told of the clock: it is true.
    fn check_told(&mut self, notice: Notice) {
        self.note(format!("told: {} ({})", notice.message, notice.is_over));
        match notice.id {
            CREDENTIALS_LOST => return self.check_lost(notice),
            MFA_REQUIRED if notice.is_over => return,
            MFA_REQUIRED => return self.check_code_needed(&notice.message),
            id => assert_eq!(id, CLOCK_SKEWED),
        }
        let Notice { is_over, message, .. } = notice;
        let error = (self.machine.now().wall.as_millis() - self.machine.truth).abs();
        let is_foretold = message.starts_with("in about");
        // A clock that is set, by hours even, is none that drifts: nothing is foretold of it but what the machine's own drift
        // does in a day.
        let is_near = [300_000, 900_000].iter().any(|limit| (0..20_000).contains(&(limit - error)));
        let is_true = if is_foretold { self.runs_away || is_near } else { (error < 60_000) == is_over };
        assert!(is_true || self.unconfirmed > 0, "{error} ms off\n{}", self.story());
        self.told.push((message, is_over));
    }

    /// The promise to kept profiles: nobody asked, and yet what could be got is there.
    pub(crate) fn check_auto_renewed(&mut self) {
        let now = self.machine.now();
        for status in self.keeper.status(now) {
            let Some(profile) = status.name.strip_prefix("app-").and_then(|number| number.parse::<usize>().ok()) else {
                continue;
            };
            self.check_silence(profile, &status);
            let boot = self.boot();
            let since = if status.auto_renew { *self.auto_renewed_since[profile].get_or_insert(boot) } else { boot };
            if !status.auto_renew {
                self.auto_renewed_since[profile] = None;
            }
            let well_for = boot - self.well_since[profile].max(since);
            // An hour and its jitter for a refusal, and time for the chain.
            // A program is run ahead only after a run that needed nobody.
            let by_itself = match Program::of(profile) {
                None => true,
                Some(Program::Buttons) => false,
                Some(_) => {
                    status.last_renewal.as_ref().is_some_and(|last| last.ok && last.took <= TimeDelta::seconds(5))
                }
            };
            let by_itself = by_itself
                && (Other::of(profile) != Some(Other::Code)
                    || (self.session_until > self.machine.truth + 300_000 && boot - self.session_since > 120_000));
            let must = status.auto_renew
                && by_itself
                && !self.trouble
                && self.unconfirmed == 0
                && well_for > 3_600_000 + 180_000 + 60_000;
            let has = match status.expires_at {
                Some(at) => at.as_millis() > self.machine.truth,
                None => Program::of(profile) == Some(Program::Endless) && status.valid == Some(true),
            };
            assert!(!must || has, "{} is kept and has nothing: {status:?}\n{}", status.name, self.story());
        }
    }

    pub(crate) fn state(&self, profile: &str) -> State {
        let status = self.keeper.status(self.machine.now());
        status.into_iter().find(|status| status.name == profile).unwrap().state
    }

    /// What is really left of a profile's set.
    pub(crate) fn rest(&self, profile: &str) -> TimeDelta {
        let status = self.keeper.status(self.machine.now());
        let expires = status.into_iter().find(|status| status.name == profile).unwrap().expires_at.unwrap();
        expires - AwsTime::from_millis(self.machine.truth)
    }

    pub(crate) fn note(&mut self, event: String) {
        if self.events.len() >= 200 {
            self.events.drain(..100);
        }
        self.events.push(format!("{} {event}", AwsTime::from_millis(self.machine.truth)));
    }

    pub(crate) fn story(&self) -> String {
        let last = self.events.len().saturating_sub(60);
        format!("EVERCRED_SEED={}\n{}", self.seed, self.events[last..].join("\n"))
    }
}

/// `splitmix64`.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
