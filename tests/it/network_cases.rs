//! Networks that come and go, event by event: what the keeper looks at, calls and says, and when.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use evercred::core::aws_error;
use evercred::core::clock::{Clock, Sample, Trust};
use evercred::core::credential::Credentials;
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::settings::Settings;
use evercred::core::time::{AwsTime, BootTime, Now, WallTime};

use crate::fingerprint::Keeper;

const EPOCH: i64 = 1_790_000_000_000;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What was sent at which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Look,
    Call,
}

/// A keeper that keeps all of its profiles, roles straight from one key; its clocks are right.
struct Bench {
    keeper: Keeper,
    boot: i64,
    /// Whether there is a network. Without one every call fails at once.
    online: bool,
    /// Whether AWS answers every call with 503.
    busy: bool,
    under_way: VecDeque<(Ticket, Outcome)>,
    sent: Vec<(i64, Sent)>,
    log: Vec<(LogLevel, String)>,
}

impl Bench {
    /// With so many profiles, all of them fresh.
    fn new(profiles: usize) -> Self {
        let settings =
            KeeperSettings { auto_renew: AutoRenew::All, ..Settings::parse("[clock]\nntp = []").unwrap().keeper() };
        let keeper = Keeper::new(settings, Memory::default(), Clock::new(now(MINUTE), false), 1);
        let (under_way, sent, log) = (VecDeque::new(), Vec::new(), Vec::new());
        let mut bench = Self { keeper, boot: MINUTE, online: true, busy: false, under_way, sent, log };
        let plans = (0..profiles).map(|profile| format!("app-{profile}")).map(|name| (name.clone(), Ok(plan(&name))));
        bench.handle(Event::Home(endpoint()));
        bench.handle(Event::Plans { profiles: plans.collect(), sso_sessions: BTreeMap::new() });
        bench.pass(10 * SECOND);
        assert_eq!(bench.fresh(), profiles);
        bench.forget();
        bench
    }

    fn handle(&mut self, event: Event) {
        self.keeper.handle(event, now(self.boot));
        self.collect();
    }

    fn disturb(&mut self, disturbance: Disturbance) {
        self.handle(Event::Disturbed(disturbance));
    }

    fn collect(&mut self) {
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Probe(order) => {
                    self.sent.push((self.boot, Sent::Look));
                    self.under_way.push_back((order.ticket, Outcome::Probed));
                }
                Action::Mint(order) => {
                    self.sent.push((self.boot, Sent::Call));
                    let outcome = self.good(&order.step.source);
                    self.under_way.push_back((order.ticket, outcome));
                }
                Action::Log(line) => self.log.push((line.level, line.message)),
                _ => {}
            }
        }
    }

    fn good(&self, source: &Source) -> Outcome {
        match source {
            _ if self.busy => Outcome::Failed(aws_error::fault("a call", Some(503), Some("ServiceUnavailable"), None)),
            Source::Static(_) => Outcome::Identified { account_id: "111122223333".into(), arn: "arn".into() },
            _ => Outcome::Minted(Credentials {
                access_key_id: format!("ASIA{}", self.sent.len()),
                secret_access_key: Secret::new("s"),
                session_token: Some(Secret::new("t")),
                expires_at: Some(AwsTime::from_millis((EPOCH + self.boot + HOUR).div_euclid(SECOND) * SECOND)),
                account_id: None,
            }),
        }
    }

    /// Answers what is under way, 20 ms later.
    fn serve(&mut self) {
        while let Some((ticket, outcome)) = self.under_way.pop_front() {
            let sent = BootTime::from_millis(self.boot);
            self.boot += if self.online { 20 } else { 1 };
            let (received, date) = (BootTime::from_millis(self.boot), (EPOCH + self.boot).div_euclid(SECOND) * SECOND);
            let sample = Sample { date: AwsTime::from_millis(date), sent, received, trust: Trust::Authenticated };
            let down = || Outcome::Failed(aws_error::fault("a call", None, Some("Network"), Some("down")));
            let (outcome, samples) = if self.online { (outcome, vec![sample]) } else { (down(), Vec::new()) };
            self.handle(Event::Ended { ticket, outcome, samples });
        }
    }

    /// From wake-up to wake-up for so long.
    fn pass(&mut self, millis: i64) {
        let end = self.boot + millis;
        self.serve();
        while let Some(at) = self.keeper.next_timeout().map(BootTime::as_millis).filter(|at| *at < end) {
            self.boot = at.max(self.boot);
            self.keeper.handle_timeout(now(self.boot));
            self.collect();
            self.serve();
            assert!(self.sent.len() < 5_000, "a storm");
        }
        self.boot = end.max(self.boot);
    }

    /// How many profiles are.
    fn fresh(&self) -> usize {
        let all = self.keeper.status(now(self.boot));
        all.iter().filter(|profile| profile.state == State::Fresh && profile.valid == Some(true)).count()
    }

    fn forget(&mut self) {
        self.sent.clear();
        self.log.clear();
    }

    /// When what was sent, from a moment on.
    fn times(&self, what: Sent, from: i64) -> Vec<i64> {
        self.sent.iter().filter(|(_, sent)| *sent == what).map(|(at, _)| at - from).collect()
    }

    fn said(&self, level: LogLevel) -> Vec<&str> {
        self.log.iter().filter(|line| line.0 == level).map(|line| line.1.as_str()).collect()
    }
}

fn now(boot: i64) -> Now {
    let (boot, wall) = (BootTime::from_millis(boot), WallTime::from_millis(EPOCH + boot));
    Now { boot, wall, suspended: TimeDelta::zero() }
}

fn endpoint() -> Endpoint {
    Endpoint { region: "eu-west-1".to_owned(), url: None, fips: false, dual_stack: false, ca_bundle: None }
}

fn plan(name: &str) -> Plan {
    let keys = StaticKeys {
        access_key_id: "AKIA".to_owned(),
        secret_access_key: Secret::new("k"),
        session_token: None,
        expires: StatedExpiry::Unstated,
    };
    let role = AssumeRole {
        role_arn: format!("arn:aws:iam::111122223333:role/{name}"),
        role_session_name: "s".to_owned(),
        external_id: None,
        duration_seconds: None,
        mfa_serial: None,
        mfa_process: None,
        endpoint: endpoint().into(),
    };
    let steps = vec![
        Step { profile: "base".to_owned(), source: Source::Static(keys) },
        Step { profile: name.to_owned(), source: Source::AssumeRole(role) },
    ];
    let steps = steps.into_iter().collect();
    Plan { profile: name.to_owned(), steps, endpoint: endpoint().into(), region: None, renew: None, notes: Vec::new() }
}

#[test]
fn a_look_that_fails_after_a_resume_is_made_again_in_seconds_then_in_minutes_and_only_then_as_usual() {
    let mut bench = Bench::new(0);
    bench.online = false;
    bench.disturb(Disturbance::Resume);
    let from = bench.boot;
    bench.pass(3 * HOUR);
    let looks = bench.times(Sent::Look, from);
    let pauses: Vec<i64> = looks.windows(2).map(|two| (two[1] - two[0] + 500) / SECOND).collect();
    let settled = looks.iter().position(|at| *at >= 2 * MINUTE).unwrap();
    assert_eq!(pauses[..6], [1, 2, 4, 8, 15, 15], "{looks:?}");
    assert!(pauses[..settled].iter().all(|pause| *pause <= 15), "{looks:?}");
    assert_eq!(pauses[settled..settled + 4], [60, 300, 900, 1_800], "{looks:?}");
}

#[test]
fn what_fails_for_the_first_time_after_a_resume_is_tried_again_in_seconds() {
    for late in [5, 20, 60, 110].map(|seconds| seconds * SECOND) {
        let mut bench = Bench::new(10);
        // A night without a single failure; the network is there before names can be looked up.
        bench.online = false;
        bench.boot += 9 * HOUR;
        bench.disturb(Disturbance::Resume);
        bench.pass(late);
        assert_eq!(bench.fresh(), 0);
        bench.online = true;
        bench.pass(16 * SECOND);
        assert_eq!(bench.fresh(), 10, "{late} ms: {:?}", bench.sent);
    }
}

#[test]
fn the_time_is_looked_at_before_the_first_call_after_each_disturbance() {
    for disturbance in [Disturbance::Resume, Disturbance::Network, Disturbance::WallClockSet] {
        let mut bench = Bench::new(10);
        bench.boot += 9 * HOUR;
        bench.disturb(disturbance);
        let from = bench.boot;
        bench.pass(10 * SECOND);
        assert_eq!(bench.sent.first(), Some(&(from, Sent::Look)), "{disturbance:?}");
        assert_eq!((bench.times(Sent::Look, from).len(), bench.times(Sent::Call, from).len()), (1, 10));
        assert_eq!(bench.fresh(), 10);
    }
}

#[test]
fn fifty_profiles_due_after_a_night_are_fresh_in_ten_seconds_and_no_second_has_a_storm() {
    let mut bench = Bench::new(50);
    bench.online = false;
    bench.boot += 9 * HOUR;
    bench.disturb(Disturbance::Resume);
    bench.pass(10 * SECOND);
    bench.forget();
    bench.online = true;
    // A network comes in pieces: one address, another one, and then somebody sets the clock.
    let back = bench.boot;
    for disturbance in [Disturbance::Network, Disturbance::Network, Disturbance::WallClockSet] {
        bench.disturb(disturbance);
        bench.pass(SECOND);
    }
    bench.pass(7 * SECOND);
    assert_eq!(bench.fresh(), 50);
    let calls = bench.times(Sent::Call, back);
    assert_eq!(calls.len(), 50);
    // Ten a second, after as many at once.
    let most = calls.iter().map(|from| calls.iter().filter(|at| (*from..from + SECOND).contains(at)).count()).max();
    assert!(most <= Some(20), "{most:?}");
}

#[test]
fn a_hundred_changes_in_a_minute_are_not_a_hundred_looks() {
    for online in [true, false] {
        let mut bench = Bench::new(5);
        bench.online = online;
        for _ in 0..100 {
            bench.disturb(Disturbance::Network);
            bench.pass(600);
        }
        let looks = bench.times(Sent::Look, 0).len();
        assert!(looks <= 30, "{looks}");
        assert_eq!(bench.times(Sent::Call, 0), [0; 0], "nothing was due");
    }
}

#[test]
fn changes_of_a_network_that_never_carries_anything_cost_few_calls() {
    let mut bench = Bench::new(1);
    bench.online = false;
    bench.boot += 2 * HOUR;
    bench.disturb(Disturbance::Resume);
    for _ in 0..6_000 {
        bench.disturb(Disturbance::Network);
        bench.pass(600);
    }
    let from = bench.boot;
    bench.forget();
    for _ in 0..6_000 {
        bench.disturb(Disturbance::Network);
        bench.pass(600);
    }
    let calls = bench.times(Sent::Call, from).len();
    assert!(calls <= 12, "{calls} calls in an hour");
    // And when it does carry, it is not too late for long.
    bench.online = true;
    bench.pass(6 * MINUTE);
    assert_eq!(bench.fresh(), 1);
}

#[test]
fn a_network_that_is_away_is_no_alarm_until_something_is_missed_and_then_one() {
    let mut bench = Bench::new(3);
    bench.online = false;
    bench.pass(50 * MINUTE);
    assert_eq!(bench.said(LogLevel::Warn), [""; 0], "what is held is still good");
    assert_eq!(bench.said(LogLevel::Info).iter().filter(|line| line.contains("down")).count(), 3);
    bench.pass(2 * HOUR);
    let alarms = bench.said(LogLevel::Warn);
    assert_eq!(
        alarms.iter().filter(|line| line.contains("expired before evercred could renew them")).count(),
        3,
        "{alarms:?}"
    );
    assert_eq!(alarms.len(), 3, "{alarms:?}");
}

#[test]
fn a_look_that_fails_while_nothing_is_due_is_no_alarm() {
    let mut bench = Bench::new(3);
    bench.online = false;
    bench.disturb(Disturbance::Network);
    bench.pass(5 * MINUTE);
    assert!(bench.times(Sent::Look, 0).len() > 5);
    assert_eq!(bench.said(LogLevel::Warn), [""; 0]);
    assert_eq!(bench.fresh(), 3);
}

#[test]
fn fifty_profiles_that_are_due_wait_for_one_look_that_is_answered() {
    let mut bench = Bench::new(50);
    bench.online = false;
    bench.boot += 9 * HOUR;
    bench.forget();
    let woke = bench.boot;
    bench.disturb(Disturbance::Resume);
    bench.pass(12 * SECOND);
    bench.disturb(Disturbance::Network);
    // Names can be looked up nine seconds later.
    bench.pass(9 * SECOND);
    assert_eq!(bench.times(Sent::Call, woke), [0; 0], "they would all fail");
    assert!(bench.times(Sent::Look, woke).len() <= 10, "{:?}", bench.sent);
    assert_eq!((bench.said(LogLevel::Warn), bench.said(LogLevel::Info)), (vec![], vec![]));
    bench.online = true;
    // Eight seconds at most to the next look, and ten calls a second.
    bench.pass(14 * SECOND);
    assert_eq!((bench.fresh(), bench.times(Sent::Call, woke).len()), (50, 50));
}

#[test]
fn who_waits_is_not_made_to_wait_for_the_network() {
    let mut bench = Bench::new(3);
    bench.online = false;
    bench.boot += 9 * HOUR;
    bench.disturb(Disturbance::Resume);
    bench.pass(SECOND);
    bench.forget();
    let (asked, caller) = (bench.boot, CallerId(1));
    bench.handle(Event::Asked { caller, profile: "app-1".to_owned(), wants: Wants::Credentials });
    bench.serve();
    assert_eq!(bench.times(Sent::Call, asked), [0], "and for nobody else");
    // His is answered, between two looks: that tells for all.
    bench.online = true;
    bench.pass(4 * SECOND);
    assert_eq!(bench.fresh(), 3);
}

#[test]
fn where_no_look_is_ever_answered_nothing_waits_for_longer_than_two_minutes() {
    let mut bench = Bench::new(3);
    bench.online = false;
    bench.boot += 9 * HOUR;
    bench.disturb(Disturbance::Resume);
    let woke = bench.boot;
    bench.forget();
    bench.pass(3 * MINUTE);
    let calls = bench.times(Sent::Call, woke);
    let first = calls.first().expect("they are made in the end");
    assert!((119 * SECOND..=121 * SECOND).contains(first), "{calls:?}");
}

#[test]
fn changes_without_end_are_few_looks_and_keep_nothing_waiting_for_ever() {
    let mut bench = Bench::new(3);
    bench.online = false;
    bench.boot += 2 * HOUR;
    let begin = bench.boot;
    bench.forget();
    for _ in 0..1_000 {
        bench.disturb(Disturbance::Network);
        bench.pass(600);
    }
    let looks = bench.times(Sent::Look, begin);
    let in_the_first_minute = looks.iter().filter(|at| **at < MINUTE).count();
    assert!((5..=15).contains(&in_the_first_minute), "{looks:?}");
    assert!(bench.times(Sent::Call, begin).first().is_some_and(|at| *at < 6 * MINUTE), "{:?}", bench.sent);
}

#[test]
fn a_new_network_is_no_reason_to_press_an_aws_that_has_answered() {
    let mut bench = Bench::new(1);
    bench.busy = true;
    bench.pass(3 * HOUR);
    let changed = bench.boot;
    bench.disturb(Disturbance::Network);
    bench.pass(2 * MINUTE);
    let calls = bench.times(Sent::Call, changed).into_iter().filter(|at| *at >= 0).count();
    assert!(calls <= 1, "{calls} in two minutes");
}
