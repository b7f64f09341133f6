//! The keeper under times and numbers that nobody means: nothing breaks it, and every time that it gives can be written.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use evercred::core::aws_error;
use evercred::core::clock::{Clock, Sample, SavedClock, Trust};
use evercred::core::credential::Credentials;
use evercred::core::keeper::*;
use evercred::core::ntp::NtpAnswer;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::session::*;
use evercred::core::settings::Settings;
use evercred::core::time::{AwsTime, BootTime, Now, WallTime};
use proptest::prelude::*;

use crate::keeper_cases::{plan, simple};
use crate::session_cases::bench::{corp, endpoint, login_session, sso, sso_session, text_of};

const NOW: i64 = 1_790_000_000_000;

/// A time near one of the ends of a number type or a calendar, or near now.
fn time() -> impl Strategy<Value = i64> {
    let ends = prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        Just(NOW),
        Just(AwsTime::FIRST.as_millis()),
        Just(AwsTime::LAST.as_millis()),
        any::<i64>(),
    ];
    (ends, prop_oneof![Just(0i64), -5_000i64..5_000, -100_000_000i64..100_000_000])
        .prop_map(|(end, by)| end.saturating_add(by))
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    SetWall(i64),
    Suspend(i64),
    Ask(usize),
    Renew(usize),
    /// Every call that is out ends, with this expiry and a `Date`.
    Answer {
        expires: i64,
        date: i64,
        trust: Trust,
    },
    Fail {
        retry_after: i64,
        date: i64,
    },
    File {
        expires: i64,
    },
    Ntp {
        server: i64,
        error: i64,
    },
    Disturb,
    Restart {
        lowest: i64,
        highest: i64,
        asked: i64,
        length: i64,
        minted: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let trust = prop_oneof![
        Just(Trust::Authenticated),
        Just(Trust::ConfiguredTls),
        Just(Trust::Configured),
        Just(Trust::Unauthenticated)
    ];
    prop_oneof![
        prop_oneof![0i64..10_000, 0i64..100_000_000, Just(i64::MAX / 4)].prop_map(Step::Pass),
        time().prop_map(Step::SetWall),
        time().prop_map(Step::Suspend),
        (0usize..5).prop_map(Step::Ask),
        (0usize..5).prop_map(Step::Renew),
        (time(), time(), trust).prop_map(|(expires, date, trust)| Step::Answer { expires, date, trust }),
        (time(), time()).prop_map(|(retry_after, date)| Step::Fail { retry_after, date }),
        time().prop_map(|expires| Step::File { expires }),
        (time(), time()).prop_map(|(server, error)| Step::Ntp { server, error }),
        Just(Step::Disturb),
        (time(), time(), time(), time(), time()).prop_map(|(lowest, highest, asked, length, minted)| Step::Restart {
            lowest,
            highest,
            asked,
            length,
            minted
        }),
    ]
}

struct World {
    keeper: Keeper,
    boot: i64,
    wall: i64,
    suspended: i64,
    mints: Vec<MintOrder>,
    refreshes: Vec<RefreshOrder>,
    looks: Vec<ProbeOrder>,
    count: u64,
}

const NAMES: [&str; 5] = ["dev", "vault", "sso", "login", "chain"];

fn plans() -> Vec<Plan> {
    let program = |name: &str| {
        let source = Source::Process { command: "print".to_owned() };
        evercred::core::plan::Step { profile: name.to_owned(), source }
    };
    let login = match login_session() {
        Session::Login(login) => {
            evercred::core::plan::Step { profile: "login".to_owned(), source: Source::Login(login) }
        }
        Session::Sso(_) => panic!("of another kind"),
    };
    vec![
        simple("dev"),
        Plan { renew: Some(RenewAs::Auto), ..plan("vault", vec![program("vault")]) },
        sso(&corp(), "sso"),
        plan("login", vec![login]),
        plan("chain", vec![program("vault"), crate::keeper_cases::role("chain", "eu-west-1", None)]),
    ]
}

/// With an NTP server.
fn settings() -> KeeperSettings {
    KeeperSettings { auto_renew: AutoRenew::All, ..Settings::default().keeper() }
}

impl World {
    fn new() -> Self {
        let now =
            Now { boot: BootTime::from_millis(60_000), wall: WallTime::from_millis(NOW), suspended: TimeDelta::zero() };
        let keeper = Keeper::new(settings(), Memory::default(), Clock::new(now, false), 1);
        let (mints, refreshes, looks) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { keeper, boot: 60_000, wall: NOW, suspended: 0, mints, refreshes, looks, count: 0 };
        world.plan();
        world
    }

    fn plan(&mut self) {
        let profiles = plans().into_iter().map(|plan| (plan.profile.clone(), Ok(plan))).collect();
        let sso_sessions = BTreeMap::from([("corp".to_owned(), sso_session())]);
        self.handle(Event::Plans { profiles, sso_sessions });
    }

    fn now(&self) -> Now {
        Now {
            boot: BootTime::from_millis(self.boot),
            wall: WallTime::from_millis(self.wall),
            suspended: evercred::core::time::span_from_millis(self.suspended),
        }
    }

    fn handle(&mut self, event: Event) {
        self.keeper.handle(event, self.now());
        self.collect();
    }

    fn collect(&mut self) {
        let mut looked_at = BTreeSet::new();
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Mint(order) => self.mints.push(*order),
                Action::Refresh(order) => self.refreshes.push(*order),
                Action::Probe(order) => self.looks.push(order),
                Action::LookAtSession(file) if looked_at.insert(file.clone()) => {
                    let found = Found::Text(Secret::new(text_of(&corp(), 1, WallTime::from_millis(self.wall))));
                    self.keeper.handle(Event::SessionFile { file, found }, self.now());
                }
                Action::Answer { answer: Answer::Credentials(set), .. } => {
                    if let Some(at) = set.expires_at {
                        assert_eq!(at.to_rfc3339().len(), 20);
                    }
                }
                Action::RunCodeProgram(_) => panic!("nobody has such a program here"),
                _ => {}
            }
        }
        for status in self.keeper.status(self.now()) {
            for at in [status.expires_at, status.renew_at].into_iter().flatten() {
                assert_eq!(at.to_rfc3339().len(), 20);
            }
        }
        let _ = self.keeper.session_status(self.now());
        let _ = (self.keeper.clock().save(self.now()), self.keeper.minted());
    }

    fn samples(&self, date: i64, trust: Trust) -> Vec<Sample> {
        let boot = BootTime::from_millis(self.boot);
        vec![Sample { date: AwsTime::from_millis(date), sent: boot, received: boot, trust }]
    }

    fn answer(&mut self, expires: i64, samples: &[Sample]) {
        let expires_at = AwsTime::from_millis(expires);
        let ended = |ticket, outcome| Event::Ended { ticket, outcome, samples: samples.to_vec() };
        for look in std::mem::take(&mut self.looks) {
            self.handle(ended(look.ticket, Outcome::Probed));
        }
        for order in std::mem::take(&mut self.mints) {
            self.count += 1;
            let set = Credentials {
                access_key_id: format!("ASIA{}", self.count),
                secret_access_key: Secret::new("s"),
                session_token: Some(Secret::new("t")),
                expires_at: Some(expires_at),
                account_id: None,
            };
            let outcome = match &order.step.source {
                Source::Static(_) => Outcome::Identified { account_id: "1".to_owned(), arn: "a".to_owned() },
                _ => Outcome::Minted(set),
            };
            self.handle(ended(order.ticket, outcome));
        }
        for order in std::mem::take(&mut self.refreshes) {
            self.count += 1;
            let text = text_of(&order.session, u32::try_from(self.count).unwrap(), WallTime::from_millis(expires));
            let Ok(token) = order.session.read(&text) else { continue };
            self.handle(ended(order.ticket, Outcome::Session(SessionEnd::Renewed { token, unsaved: None })));
        }
    }

    fn fail(&mut self, retry_after: i64, samples: &[Sample]) {
        let mut fault = aws_error::fault("a call", Some(503), Some("Throttling"), None);
        fault.retry_after = Some(evercred::core::time::span_from_millis(retry_after));
        let mints = std::mem::take(&mut self.mints).into_iter().map(|order| order.ticket);
        let refreshes = std::mem::take(&mut self.refreshes).into_iter().map(|order| order.ticket);
        let looks = std::mem::take(&mut self.looks).into_iter().map(|order| order.ticket);
        for ticket in mints.chain(refreshes).chain(looks).collect::<Vec<_>>() {
            let outcome = Outcome::Failed(fault.clone());
            self.handle(Event::Ended { ticket, outcome, samples: samples.to_vec() });
        }
    }

    fn restart(&mut self, saved: SavedClock, memory: Memory, minted: i64) {
        let now = self.now();
        let mut clock = Clock::new(now, false);
        clock.restore(saved, now);
        let mut sets = self.keeper.minted();
        sets.iter_mut().for_each(|set| set.minted_at = AwsTime::from_millis(minted));
        self.keeper = Keeper::new(settings(), memory, clock, 3);
        self.keeper.restore_minted(sets, true);
        (self.mints, self.refreshes, self.looks) = (Vec::new(), Vec::new(), Vec::new());
        self.plan();
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass(millis) => {
                self.boot = self.boot.saturating_add(millis);
                self.wall = self.wall.saturating_add(millis);
            }
            Step::SetWall(wall) => {
                self.wall = wall;
                self.handle(Event::Disturbed(Disturbance::WallClockSet));
            }
            Step::Suspend(millis) => self.suspended = millis,
            Step::Ask(which) | Step::Renew(which) => {
                self.count += 1;
                let wants = if matches!(step, Step::Ask(_)) { Wants::Credentials } else { Wants::Renewal };
                self.handle(Event::Asked { caller: CallerId(self.count), profile: NAMES[which].to_owned(), wants });
            }
            Step::Answer { expires, date, trust } => self.answer(expires, &self.samples(date, trust)),
            Step::Fail { retry_after, date } => self.fail(retry_after, &self.samples(date, Trust::Authenticated)),
            Step::File { expires } => {
                self.count += 1;
                for session in [corp(), login_session()] {
                    let number = u32::try_from(self.count).unwrap();
                    let found = Found::Text(Secret::new(text_of(&session, number, WallTime::from_millis(expires))));
                    self.handle(Event::SessionFile { file: session.cache_file(), found });
                }
            }
            Step::Ntp { server, error } => {
                let boot = BootTime::from_millis(self.boot);
                let answer = NtpAnswer {
                    sent: boot,
                    received: boot,
                    server_received: AwsTime::from_millis(server),
                    server_sent: AwsTime::from_millis(server),
                    root_error: evercred::core::time::span_from_millis(error),
                    stratum: 1,
                };
                let server = settings().ntp.remove(0);
                self.handle(Event::NtpAnswered { server, result: Ok(answer) });
            }
            Step::Disturb => self.handle(Event::Disturbed(Disturbance::Resume)),
            Step::Restart { lowest, highest, asked, length, minted } => {
                let saved = SavedClock {
                    lowest_ms: AwsTime::from_millis(lowest).as_millis(),
                    highest_ms: AwsTime::from_millis(highest).as_millis(),
                    as_of: BootTime::from_millis(self.boot),
                    suspended_ms: self.suspended.saturating_abs(),
                    trust: Trust::Authenticated,
                };
                let asked = AwsTime::from_millis(asked);
                let session = SessionMemory {
                    signed_in_at: Some(asked),
                    length_ms: Some(length),
                    length_before_ms: Some(length),
                    signed_out: None,
                };
                let memory = Memory {
                    last_asked: NAMES.map(|name| (name.to_owned(), asked)).into(),
                    sessions: BTreeMap::from([("corp".to_owned(), session)]),
                    temporary_processes: BTreeSet::new(),
                };
                self.restart(saved, memory, minted);
            }
        }
        self.keeper.handle_timeout(self.now());
        self.collect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_time_and_no_number_breaks_the_keeper(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        world.handle(Event::Home(endpoint("eu-west-1")));
        for step in &steps {
            world.take(step);
        }
    }
}
