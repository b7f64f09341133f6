//! The keeper, event by event: stories that need a hand on every answer.

use std::collections::{BTreeMap, VecDeque};

use chrono::TimeDelta;
use evercred::core::aws_error;
use evercred::core::clock::{Clock, Sample, Trust};
use evercred::core::credential::Credentials;
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::time::{AwsTime, BootTime, Now, WallTime};

use crate::fingerprint::Keeper;

const EPOCH: i64 = 1_790_000_000_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A keeper whose every call is answered by the test.
pub(crate) struct Bench {
    pub(crate) keeper: Keeper,
    boot: i64,
    wall: i64,
    pub(crate) truth: i64,
    /// Whether AWS's answers have a `Date`.
    dated: bool,
    orders: VecDeque<MintOrder>,
    looks: VecDeque<ProbeOrder>,
    programs: VecDeque<CodeOrder>,
    /// What the code program prints.
    printed: &'static str,
    /// How many milliseconds the sets of programs live.
    pub(crate) program_life: i64,
    answers: Vec<Result<Credentials, String>>,
    pub(crate) notices: Vec<Notice>,
    /// Makes the plans again where the keeper asks for it.
    replan: fn(&mut Bench),
    count: u64,
}

pub(crate) fn settings() -> KeeperSettings {
    KeeperSettings {
        auto_renew: AutoRenew::Used,
        used_within: TimeDelta::hours(12),
        before: TimeDelta::minutes(20),
        jitter: TimeDelta::minutes(5),
        probe: true,
        ntp: Vec::new(),
        warn: TimeDelta::minutes(1),
        sso_cache: true,
        login_cache: true,
    }
}

pub(crate) fn keep_all() -> KeeperSettings {
    KeeperSettings { auto_renew: AutoRenew::All, ..settings() }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(settings(), 0)
    }

    /// With a wall clock that is off by so much.
    pub(crate) fn with(settings: KeeperSettings, wall_error: i64) -> Self {
        let (boot, wall) = (MINUTE, EPOCH + wall_error);
        let clock = Clock::new(now(boot, wall), false);
        let keeper = Keeper::new(settings, Memory::default(), clock, 1);
        let (orders, looks, programs) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self {
            keeper,
            boot,
            wall,
            truth: EPOCH,
            dated: true,
            orders,
            looks,
            programs,
            printed: "",
            program_life: HOUR,
            answers: Vec::new(),
            notices: Vec::new(),
            replan: |_| {},
            count: 0,
        }
    }

    /// The next run of the daemon, two seconds later.
    fn restarted(mut self, same_boot: bool) -> Self {
        let (saved, sets) = (self.keeper.clock().save(self.now()).unwrap(), self.keeper.minted());
        self.pass(2 * SECOND);
        let mut clock = Clock::new(self.now(), false);
        clock.restore(saved, self.now());
        self.keeper = Keeper::new(settings(), self.keeper.memory().clone(), clock, 2);
        self.keeper.restore_minted(sets, same_boot);
        self
    }

    pub(crate) fn now(&self) -> Now {
        now(self.boot, self.wall)
    }

    /// Whether AWS's answers have a `Date`.
    pub(crate) fn set_dated(&mut self, dated: bool) {
        self.dated = dated;
    }

    /// What the code program prints.
    pub(crate) fn set_printed(&mut self, code: &'static str) {
        self.printed = code;
    }

    fn pass(&mut self, millis: i64) {
        self.boot += millis;
        self.wall += millis;
        self.truth += millis;
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.keeper.handle(event, self.now());
        self.collect();
    }

    fn tick(&mut self) {
        self.keeper.handle_timeout(self.now());
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Mint(order) => self.orders.push_back(*order),
                Action::Probe(order) => self.looks.push_back(order),
                Action::Answer { answer: Answer::Credentials(set), .. } => self.answers.push(Ok(set)),
                Action::Answer { answer: Answer::Refused(refusal), .. } => self.answers.push(Err(refusal.message)),
                Action::RunCodeProgram(order) => self.programs.push_back(order),
                Action::Answer { answer: Answer::SignedOut { .. }, .. } => {}
                Action::Answer { .. } => panic!("nobody signs in here"),
                Action::Notice(notice) => self.notices.push(notice),
                Action::Replan => (self.replan)(self),
                Action::Remember | Action::KeepMinted | Action::KeepUnsaved | Action::Log(_) => {}
                _ => panic!("there is no session here"),
            }
        }
    }

    /// How the plans are made again where the keeper asks for it.
    pub(crate) fn replan_with(&mut self, replan: fn(&mut Bench)) {
        self.replan = replan;
    }

    pub(crate) fn plans(&mut self, plans: &[Plan]) {
        let plans = plans.iter().map(|plan| (plan.profile.clone(), Ok(plan.clone()))).collect();
        self.handle(Event::Plans { profiles: plans, sso_sessions: BTreeMap::new() });
    }

    pub(crate) fn ask(&mut self, profile: &str, wants: Wants) {
        self.count += 1;
        self.handle(Event::Asked { caller: CallerId(self.count), profile: profile.to_owned(), wants });
    }

    /// Asks, and lets half a minute pass; what the caller got.
    pub(crate) fn ask_and_wait(
        &mut self,
        profile: &str,
        aws: &mut dyn FnMut(&MintOrder) -> Option<Outcome>,
    ) -> Result<Credentials, String> {
        let before = self.answers.len();
        self.ask(profile, Wants::Credentials);
        for _ in 0..35 {
            if self.answers.len() > before {
                break;
            }
            self.run(SECOND, aws);
        }
        self.answers.last().cloned().expect("an answer")
    }

    fn samples(&self) -> Vec<Sample> {
        let date = AwsTime::from_millis(self.truth.div_euclid(SECOND) * SECOND);
        let (sent, received) = (BootTime::from_millis(self.boot - 50), BootTime::from_millis(self.boot));
        let sample = Sample { date, sent, received, trust: Trust::Authenticated };
        self.dated.then_some(sample).into_iter().collect()
    }

    fn end(&mut self, ticket: Ticket, outcome: Outcome) {
        let is_answer = !matches!(&outcome, Outcome::Failed(fault) if fault.code == "Timeout");
        let samples = if is_answer { self.samples() } else { Vec::new() };
        self.handle(Event::Ended { ticket, outcome, samples });
    }

    fn good(&mut self, order: &MintOrder) -> Outcome {
        let life = match &order.step.source {
            Source::Process { .. } => self.program_life,
            Source::AssumeRole(role) => SECOND * i64::from(role.duration_seconds.unwrap_or(3_600)),
            Source::SessionToken(session) => SECOND * i64::from(session.duration_seconds.unwrap_or(43_200)),
            _ => return Outcome::Identified { account_id: "111122223333".into(), arn: "arn".into() },
        };
        let is_program = matches!(order.step.source, Source::Process { .. });
        self.count += 1;
        Outcome::Minted(Credentials {
            access_key_id: format!("ASIA{}", self.count),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expires_at: Some(AwsTime::from_millis(if is_program {
                self.truth + life
            } else {
                (self.truth + life) / SECOND * SECOND
            })),
            account_id: None,
        })
    }

    /// Answers everything that is under way, each after 60 ms; what `aws` says nothing about goes well.
    fn serve(&mut self, aws: &mut dyn FnMut(&MintOrder) -> Option<Outcome>) -> usize {
        let mut calls = 0;
        loop {
            if let Some(look) = self.looks.pop_front() {
                self.pass(60);
                self.end(look.ticket, Outcome::Probed);
            } else if let Some(order) = self.programs.pop_front() {
                self.pass(60);
                let outcome = Outcome::Code(Secret::new(self.printed));
                self.handle(Event::Ended { ticket: order.ticket, outcome, samples: Vec::new() });
            } else if let Some(order) = self.orders.pop_front() {
                calls += 1;
                assert!(calls < 1_000, "a storm");
                self.pass(60);
                let outcome = aws(&order).unwrap_or_else(|| self.good(&order));
                self.end(order.ticket, outcome);
            } else {
                return calls;
            }
        }
    }

    /// Lets time pass from wake-up to wake-up; how many calls were made.
    pub(crate) fn run(&mut self, millis: i64, aws: &mut dyn FnMut(&MintOrder) -> Option<Outcome>) -> usize {
        let end = self.boot + millis;
        let mut calls = self.serve(aws);
        while self.boot < end {
            let next = self.keeper.next_timeout().map_or(end, BootTime::as_millis).clamp(self.boot, end);
            self.pass(next - self.boot);
            self.tick();
            calls += self.serve(aws);
            assert!(calls < 2_000, "a storm");
        }
        calls
    }

    /// Types a code, and waits for what AWS says of it.
    pub(crate) fn log_in(
        &mut self,
        profile: &str,
        code: &str,
        aws: &mut dyn FnMut(&MintOrder) -> Option<Outcome>,
    ) -> Result<Credentials, String> {
        let before = self.answers.len();
        self.count += 1;
        let caller = CallerId(self.count);
        self.handle(Event::Code { caller, profile: profile.to_owned(), code: Secret::new(code) });
        for _ in 0..35 {
            if self.answers.len() > before {
                break;
            }
            self.run(SECOND, aws);
        }
        self.answers.last().cloned().expect("an answer")
    }

    pub(crate) fn status(&self, profile: &str) -> ProfileStatus {
        self.keeper.status(self.now()).into_iter().find(|status| status.name == profile).unwrap()
    }

    fn renew_at(&self, profile: &str) -> AwsTime {
        let status = self.keeper.status(self.now()).into_iter().find(|status| status.name == profile);
        status.unwrap().renew_at.unwrap()
    }
}

fn now(boot: i64, wall: i64) -> Now {
    Now { boot: BootTime::from_millis(boot), wall: WallTime::from_millis(wall), suspended: TimeDelta::zero() }
}

pub(crate) fn endpoint(region: &str) -> Endpoint {
    Endpoint { region: region.to_owned(), url: None, fips: false, dual_stack: false, ca_bundle: None }
}

pub(crate) fn key(id: &str) -> Step {
    let keys = StaticKeys {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new("k"),
        session_token: None,
        expires: StatedExpiry::Unstated,
    };
    Step { profile: "base".to_owned(), source: Source::Static(keys) }
}

pub(crate) fn role(name: &str, region: &str, duration_seconds: Option<u32>) -> Step {
    let role = AssumeRole {
        role_arn: format!("arn:aws:iam::111122223333:role/{name}"),
        role_session_name: "s".to_owned(),
        external_id: None,
        duration_seconds,
        mfa_serial: None,
        mfa_process: None,
        endpoint: endpoint(region).into(),
    };
    Step { profile: name.to_owned(), source: Source::AssumeRole(role) }
}

pub(crate) fn plan(profile: &str, steps: Vec<Step>) -> Plan {
    Plan {
        profile: profile.to_owned(),
        steps: steps.into_iter().collect(),
        endpoint: endpoint("eu-west-1").into(),
        region: None,
        renew: None,
        notes: Vec::new(),
    }
}

/// A profile with a role straight from the key `A`.
/// A plan with one step changed.
pub(crate) fn with_step(plan: Plan, at: usize, change: impl FnOnce(&mut Step)) -> Plan {
    let mut steps: Vec<Step> = plan.steps.iter().cloned().collect();
    change(&mut steps[at]);
    Plan { steps: steps.into_iter().collect(), ..plan }
}

pub(crate) fn simple(profile: &str) -> Plan {
    plan(profile, vec![key("A"), role(profile, "eu-west-1", None)])
}

pub(crate) fn refusal(code: &str, message: &str) -> Outcome {
    Outcome::Failed(aws_error::fault("a call", Some(403), Some(code), Some(message)))
}

pub(crate) fn timeout() -> Outcome {
    Outcome::Failed(aws_error::fault("a call", None, Some("Timeout"), None))
}

fn region(order: &MintOrder) -> &str {
    &order.endpoint.region
}

/// The role, or nothing for GetCallerIdentity.
pub(crate) fn about(order: &MintOrder) -> &str {
    match &order.step.source {
        Source::AssumeRole(role) => role.role_arn.rsplit('/').next().unwrap_or_default(),
        _ => "",
    }
}

#[test]
fn a_corrected_region_reaches_the_key_that_also_stands_alone() {
    let mut bench = Bench::new();
    let plans = |region: &str| [plan("base", vec![key("A")]), plan("dev", vec![key("A"), role("dev", region, None)])];
    let mut nowhere = |order: &MintOrder| (region(order) == "eu-wset-1").then(timeout);
    bench.plans(&plans("eu-wset-1"));
    assert!(bench.ask_and_wait("dev", &mut nowhere).is_err());
    bench.run(10 * MINUTE, &mut nowhere);
    bench.plans(&plans("eu-west-1"));
    assert!(bench.ask_and_wait("dev", &mut nowhere).is_ok());
}

#[test]
fn profiles_that_share_a_parent_each_call_their_own_region() {
    let mut bench = Bench::new();
    let through = |profile: &str, region: &str| {
        plan(profile, vec![key("A"), role("mid", region, None), role(profile, region, None)])
    };
    bench.plans(&[through("a-hongkong", "ap-east-1"), through("z-dev", "eu-west-1")]);
    let mut disabled = |order: &MintOrder| {
        (region(order) == "ap-east-1").then(|| refusal("RegionDisabledException", "STS is not activated"))
    };
    assert!(bench.ask_and_wait("z-dev", &mut disabled).is_ok());
    let mut bench = Bench::new();
    bench.plans(&[through("a-hongkong", "ap-east-1"), through("z-dev", "eu-west-1")]);
    assert!(bench.ask_and_wait("a-hongkong", &mut disabled).is_err());
    assert!(bench.ask_and_wait("z-dev", &mut disabled).is_ok(), "what is wrong there says nothing about here");
}

#[test]
fn a_parent_that_could_not_be_renewed_on_demand_goes_on_signing() {
    let mut bench = Bench::new();
    let mid = || vec![key("A"), role("mid", "eu-west-1", Some(43_200))];
    let app = [mid(), vec![role("app", "eu-west-1", None)]].concat();
    bench.plans(&[plan("mid", mid()), plan("app", app)]);
    assert!(bench.ask_and_wait("app", &mut |_| None).is_ok());
    let mut denied = |order: &MintOrder| (about(order) == "mid").then(|| refusal("AccessDenied", "no"));
    bench.pass(5 * MINUTE);
    bench.ask("mid", Wants::Renewal);
    bench.run(65 * MINUTE, &mut denied);
    assert!(bench.ask_and_wait("app", &mut denied).is_ok(), "the parent's own set is good for hours");
}

#[test]
fn a_wrong_new_key_ends_no_set_that_is_still_good() {
    let mut bench = Bench::new();
    let plans = |id: &str| {
        let mid = vec![key(id), role("mid", "eu-west-1", Some(43_200))];
        let app = [mid.clone(), vec![role("app", "eu-west-1", None)]].concat();
        [plan("mid", mid), plan("app", app)]
    };
    bench.plans(&plans("A"));
    assert!(bench.ask_and_wait("app", &mut |_| None).is_ok() && bench.ask_and_wait("mid", &mut |_| None).is_ok());
    bench.plans(&plans("WRONG"));
    let mut unknown = |order: &MintOrder| about(order).is_empty().then(|| refusal("InvalidClientTokenId", "invalid"));
    bench.run(65 * MINUTE, &mut unknown);
    assert!(bench.ask_and_wait("app", &mut unknown).is_ok());
}

#[test]
fn a_restart_in_an_outage_goes_on_with_what_the_last_run_left() {
    for same_boot in [true, false] {
        let mut bench = Bench::new();
        bench.plans(&[simple("dev")]);
        assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
        let mut bench = bench.restarted(same_boot);
        bench.dated = false;
        bench.plans(&[simple("dev")]);
        let answer = bench.ask_and_wait("dev", &mut |_| Some(timeout()));
        // Of another boot it is not known whether it has expired.
        assert_eq!(answer.is_ok(), same_boot);
    }
}

#[test]
fn a_start_beside_a_half_written_file_loses_nothing() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    let mut bench = bench.restarted(true);
    bench.plans(&[]);
    assert_eq!(bench.keeper.minted().len(), 1, "still there to be saved");
    bench.pass(200);
    bench.plans(&[simple("dev")]);
    let mut minted = 0;
    assert!(
        bench
            .ask_and_wait("dev", &mut |order| {
                minted += usize::from(about(order) == "dev");
                None
            })
            .is_ok()
    );
    assert_eq!(minted, 0);
}

#[test]
fn a_wall_clock_that_is_set_days_ahead_ends_no_care_for_a_profile() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    bench.wall += 3 * DAY;
    bench.tick();
    assert!(bench.run(2 * HOUR, &mut |_| None) > 0, "renewed all the same");
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    assert!(bench.keeper.memory().last_asked["dev"].as_millis() <= bench.truth + 5 * SECOND);
}

#[test]
fn a_wall_clock_that_was_days_ahead_at_first_use_keeps_nothing_for_days() {
    let mut bench = Bench::with(settings(), 20 * DAY);
    bench.plans(&[simple("dev")]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    bench.run(13 * HOUR, &mut |_| None);
    assert_eq!(bench.run(2 * DAY, &mut |_| None), 0);
}

#[test]
fn who_waits_comes_before_what_is_only_kept() {
    let mut bench = Bench::with(keep_all(), 0);
    let mut plans: Vec<Plan> = (0..600).map(|number| simple(&format!("p{number:03}"))).collect();
    plans.push(simple("zz"));
    bench.plans(&plans);
    bench.run(200, &mut |_| None);
    let before = bench.boot;
    assert!(bench.ask_and_wait("zz", &mut |_| None).is_ok());
    assert!(bench.boot - before < 5 * SECOND, "{} ms", bench.boot - before);
}

#[test]
fn answers_without_a_date_make_no_storm() {
    for step in [0, 3 * DAY] {
        let mut bench = Bench::new();
        bench.plans(&[simple("dev")]);
        bench.dated = step != 0;
        assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
        bench.dated = false;
        bench.wall += step;
        bench.tick();
        let calls = bench.run(HOUR, &mut |_| None);
        assert!(calls <= 8, "{calls} calls in the hour");
    }
}

#[test]
fn a_server_that_always_blames_the_clock_is_not_asked_more_than_twelve_times_an_hour() {
    let mut bench = Bench::with(keep_all(), 0);
    bench.dated = false;
    bench.plans(&[simple("dev")]);
    let mut skewed =
        |_: &MintOrder| Some(refusal("SignatureDoesNotMatch", "Signature expired: x is now earlier than y"));
    bench.run(11 * MINUTE, &mut skewed);
    for _ in 0..10 {
        let calls = bench.run(HOUR, &mut skewed);
        assert!(calls <= 12, "{calls}");
    }
}

#[test]
fn retry_after_holds_also_for_callers_that_ask_in_a_loop() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    let mut calls = 0;
    for _ in 0..60 {
        bench.ask("dev", Wants::Credentials);
        bench.run(2 * SECOND, &mut |_| {
            calls += 1;
            let mut fault = aws_error::fault("a call", Some(503), Some("ServiceUnavailable"), None);
            fault.retry_after = Some(TimeDelta::minutes(10));
            Some(Outcome::Failed(fault))
        });
    }
    assert_eq!(calls, 1);
}

#[test]
fn a_profile_that_goes_and_comes_back_is_not_called_for_twice() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    bench.ask("dev", Wants::Credentials);
    while bench.orders.front().is_none_or(|order| about(order) != "dev") {
        if let Some(look) = bench.looks.pop_front() {
            bench.end(look.ticket, Outcome::Probed);
        } else {
            let order = bench.orders.pop_front().unwrap();
            let good = bench.good(&order);
            bench.end(order.ticket, good);
        }
        bench.pass(60);
    }
    bench.plans(&[]);
    bench.plans(&[simple("dev")]);
    bench.ask("dev", Wants::Credentials);
    assert_eq!(bench.orders.iter().filter(|order| about(order) == "dev").count(), 1);
    bench.serve(&mut |_| None);
    assert!(bench.answers.last().unwrap().is_ok());
}

#[test]
fn a_refused_parent_is_renewed_once_for_all_its_children() {
    let mut bench = Bench::new();
    let child = |name: &str| plan(name, vec![key("A"), role("mid", "eu-west-1", None), role(name, "eu-west-1", None)]);
    let names: Vec<String> = (0..10).map(|number| format!("c{number}")).collect();
    bench.plans(&names.iter().map(|name| child(name)).collect::<Vec<_>>());
    assert!(bench.ask_and_wait("c0", &mut |_| None).is_ok());
    names.iter().skip(1).for_each(|name| bench.ask(name, Wants::Credentials));
    let signed_before: Vec<MintOrder> = bench.orders.drain(..).collect();
    assert!(signed_before.len() > 5);
    let mut renewals = 0;
    for order in signed_before {
        bench.pass(100);
        bench.end(order.ticket, refusal("ExpiredToken", "expired"));
        while let Some(at) = bench.orders.iter().position(|order| about(order) == "mid") {
            renewals += 1;
            let order = bench.orders.remove(at).unwrap();
            let good = bench.good(&order);
            bench.end(order.ticket, good);
        }
    }
    bench.run(5 * SECOND, &mut |_| None);
    assert_eq!(renewals, 1);
    assert!(bench.answers.len() == 10 && bench.answers.iter().all(Result::is_ok));
}

#[test]
fn a_new_ahead_is_in_force_for_what_is_held() {
    let mut bench = Bench::new();
    bench.plans(&[plan("dev", vec![key("A"), role("dev", "eu-west-1", Some(43_200))])]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    let before = bench.renew_at("dev");
    bench.handle(Event::Settings(KeeperSettings { before: TimeDelta::hours(6), ..settings() }));
    assert!(before - bench.renew_at("dev") > TimeDelta::hours(1));
}

#[test]
fn without_leave_to_look_at_the_time_nobody_looks() {
    let mut bench = Bench::with(KeeperSettings { probe: false, ..settings() }, 0);
    bench.plans(&[simple("dev")]);
    bench.ask("dev", Wants::Credentials);
    assert!(bench.looks.is_empty());
    bench.run(SECOND, &mut |_| None);
    bench.truth += HOUR;
    bench.ask("dev", Wants::Renewal);
    let order = bench.orders.pop_front().unwrap();
    bench.pass(60);
    let good = bench.good(&order);
    bench.end(order.ticket, good);
    assert!(bench.looks.is_empty());
}

#[test]
fn a_contradiction_is_confirmed_also_where_another_look_was_out() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev"), simple("two")]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    bench.ask("dev", Wants::Renewal);
    let mint = bench.orders.pop_front().unwrap();
    bench.handle(Event::Disturbed(Disturbance::Network));
    bench.ask("two", Wants::Credentials);
    let look = bench.looks.pop_front().unwrap();
    bench.truth += HOUR;
    bench.pass(100);
    bench.end(mint.ticket, refusal("InternalFailure", "oops"));
    bench.dated = false;
    bench.end(look.ticket, timeout());
    assert_eq!(bench.looks.len(), 1, "confirmed by one immediate second");
}

fn temporary(id: &str, expires: i64) -> Step {
    let keys = StaticKeys {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new("k"),
        session_token: Some(Secret::new("t")),
        expires: StatedExpiry::At(AwsTime::from_millis(expires)),
    };
    Step { profile: "mfa".to_owned(), source: Source::Static(keys) }
}

#[test]
fn expired_keys_of_a_file_are_looked_at_by_awss_time_and_never_handed_out() {
    let mut bench = Bench::new();
    bench.plans(&[plan("mfa", vec![temporary("ASIAOLD", EPOCH - 20 * HOUR)])]);
    let said = bench.ask_and_wait("mfa", &mut |_| None).unwrap_err();
    assert!(said.contains("expired at"), "{said}");
    bench.plans(&[plan("mfa", vec![temporary("ASIANEW", EPOCH + HOUR)])]);
    assert!(bench.ask_and_wait("mfa", &mut |_| None).is_ok());
}

#[test]
fn a_role_on_expired_keys_of_a_file_says_so_and_asks_nobody() {
    let mut bench = Bench::new();
    bench
        .plans(&[simple("dev"), plan("app", vec![temporary("ASIAOLD", EPOCH - HOUR), role("app", "eu-west-1", None)])]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    let mut calls = 0;
    let said = bench
        .ask_and_wait("app", &mut |_| {
            calls += 1;
            None
        })
        .unwrap_err();
    assert!(said.contains("\"mfa\"") && said.contains("expired at"), "{said}");
    assert_eq!(calls, 0);
}

#[test]
fn a_first_use_under_a_clock_that_is_days_behind_is_a_use_of_now() {
    let mut bench = Bench::with(settings(), -3 * DAY);
    bench.plans(&[simple("dev")]);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    let status = bench.keeper.status(bench.now());
    assert!(status[0].auto_renew && status[0].renew_at.is_some(), "{status:?}");
}

#[test]
fn a_renewal_in_a_loop_is_no_loop_of_calls() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    bench.run(5 * MINUTE, &mut |_| None);
    let mut denied = |order: &MintOrder| (about(order) == "dev").then(|| refusal("AccessDenied", "no"));
    let mut calls = 0;
    for _ in 0..120 {
        bench.ask("dev", Wants::Renewal);
        calls += bench.run(SECOND, &mut denied);
    }
    assert!(calls <= 10, "{calls} calls in two minutes");
    assert!(bench.answers.len() >= 115, "{}", bench.answers.len());
}

/// A role behind an MFA session of the key `A`.
pub(crate) fn behind_mfa(profile: &str) -> Plan {
    let session = SessionToken {
        mfa_serial: Some("arn:aws:iam::111122223333:mfa/me".to_owned()),
        mfa_process: None,
        duration_seconds: Some(43_200),
        endpoint: endpoint("eu-west-1"),
    };
    let session = Step { profile: profile.to_owned(), source: Source::SessionToken(session) };
    plan(profile, vec![key("A"), session, role(profile, "eu-west-1", Some(3_600))])
}

#[test]
fn who_waits_for_a_code_makes_no_call_and_says_so_early() {
    let mut bench = Bench::new();
    bench.plans(&[behind_mfa("dev"), behind_mfa("other")]);
    let mut calls = 0;
    let said = bench
        .ask_and_wait("dev", &mut |_| {
            calls += 1;
            None
        })
        .unwrap_err();
    assert!(said.contains("mfa/me") && calls == 0, "{said}, {calls} calls");
    assert_eq!(bench.status("dev").state, State::NeedsLogin);
    assert!(bench.log_in("dev", "111111", &mut |_| None).is_ok());
    // A person is there all day.
    for _ in 0..12 * 4 - 2 {
        bench.run(15 * MINUTE, &mut |_| None);
        assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok());
    }
    let warning = bench.status("dev").warning.expect("the session ends within half an hour");
    assert_eq!((warning.id, warning.fix.as_deref()), ("mfa-session-ends", Some("evercred login dev")));
    bench.run(2 * HOUR, &mut |_| None);
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_err());
    let mut calls = 0;
    bench.run(24 * HOUR, &mut |_| {
        calls += 1;
        None
    });
    assert_eq!(calls, 0);
    assert!(bench.log_in("other", "222222", &mut |_| None).is_ok());
    assert!(bench.ask_and_wait("dev", &mut |_| None).is_ok(), "one code for both");
}

#[test]
fn a_wrong_code_ends_no_session_that_is_there() {
    let mut bench = Bench::new();
    bench.plans(&[behind_mfa("dev")]);
    assert!(bench.log_in("dev", "111111", &mut |_| None).is_ok());
    let mut wrong = |order: &MintOrder| {
        let message = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
        order.mfa_code.is_some().then(|| refusal("AccessDenied", message))
    };
    assert!(bench.log_in("dev", "999999", &mut wrong).is_err());
    bench.run(3 * HOUR, &mut wrong);
    assert!(bench.ask_and_wait("dev", &mut wrong).is_ok());
}

#[test]
fn a_new_code_is_the_fix_only_if_the_refused_mfa_session_is_old() {
    let mut bench = Bench::new();
    bench.plans(&[behind_mfa("dev")]);
    let mut denied = |order: &MintOrder| (about(order) == "dev").then(|| refusal("AccessDenied", "no"));
    let _ = bench.log_in("dev", "111111", &mut denied);
    assert!(bench.ask_and_wait("dev", &mut denied).is_err());
    let error = bench.status("dev").last_error.unwrap();
    assert_eq!((error.code.as_str(), error.fix), ("AccessDenied", None));
    assert!(!error.message.contains("aws:MultiFactorAuthAge"), "{}", error.message);
    bench.run(20 * MINUTE, &mut denied);
    assert!(bench.ask_and_wait("dev", &mut denied).is_err());
    let error = bench.status("dev").last_error.unwrap();
    assert_eq!((error.code.as_str(), error.fix.as_deref()), ("AccessDenied", Some("evercred login dev --force")));
    assert!(error.message.contains("aws:MultiFactorAuthAge"), "{}", error.message);
}

#[test]
fn no_code_is_ever_sent_twice() {
    let mut bench = Bench::new();
    bench.plans(&[behind_mfa("dev"), behind_mfa("other")]);
    let mut sent = Vec::new();
    for code in ["111111", "111111", "222222"] {
        let _ = bench.log_in("dev", code, &mut |order| {
            sent.extend(order.mfa_code.as_ref().map(|code| code.expose().to_owned()));
            order.mfa_code.is_some().then(timeout)
        });
        bench.run(20 * MINUTE, &mut |order| {
            sent.extend(order.mfa_code.as_ref().map(|code| code.expose().to_owned()));
            None
        });
    }
    assert_eq!(sent, ["111111", "222222"]);
}

#[test]
fn a_program_that_prints_codes_renews_the_session_and_no_code_is_used_twice() {
    let mut bench = Bench::new();
    let plan = with_step(behind_mfa("dev"), 1, |step| {
        let Source::SessionToken(session) = &mut step.source else { panic!("{step:?}") };
        session.mfa_process = Some("code".to_owned());
    });
    bench.plans(&[plan]);
    bench.printed = "111111";
    let mut sent = Vec::new();
    let mut note = |order: &MintOrder| {
        sent.extend(order.mfa_code.as_ref().map(|code| code.expose().to_owned()));
        None
    };
    assert!(bench.ask_and_wait("dev", &mut note).is_ok());
    // The device still shows the code that was used when the session is renewed by hand.
    let login = bench.keeper.login_for(Some("dev")).unwrap();
    bench.handle(Event::Logout { caller: CallerId(0), login });
    bench.ask("dev", Wants::Credentials);
    bench.run(5 * SECOND, &mut note);
    bench.printed = "222222";
    bench.run(25 * SECOND, &mut note);
    assert!(bench.answers.len() == 2 && bench.answers[1].is_ok(), "{:?}", bench.answers);
    bench.printed = "333333";
    for _ in 0..13 {
        bench.run(HOUR, &mut note);
        assert!(bench.ask_and_wait("dev", &mut note).is_ok(), "nobody is needed");
    }
    assert_eq!(sent, ["111111", "222222", "333333"]);
}

#[test]
fn a_new_set_that_ends_in_the_same_second_as_the_one_before_is_renewed_in_time() {
    let mut bench = Bench::new();
    bench.plans(&[simple("dev")]);
    let (mut count, ends) = (0, AwsTime::from_millis(EPOCH + 20 * SECOND));
    let mut short = |order: &MintOrder| {
        count += 1;
        matches!(order.step.source, Source::AssumeRole(_)).then(|| {
            Outcome::Minted(Credentials {
                access_key_id: format!("ASIA{count}"),
                secret_access_key: Secret::new("s"),
                session_token: Some(Secret::new("t")),
                expires_at: Some(ends),
                account_id: None,
            })
        })
    };
    assert!(bench.ask_and_wait("dev", &mut short).is_ok());
    bench.ask("dev", Wants::Renewal);
    bench.serve(&mut short);
    let status = bench.status("dev");
    assert_eq!(status.expires_at, Some(ends));
    assert!(status.renew_at.unwrap() < ends, "{status:?}");
}

/// A set whose end is so far from what the server takes for the time.
fn ending(at: i64) -> Outcome {
    Outcome::Minted(Credentials {
        access_key_id: "ASIAOVER".into(),
        secret_access_key: Secret::new("s"),
        session_token: Some(Secret::new("t")),
        expires_at: Some(AwsTime::from_millis(at)),
        account_id: None,
    })
}

#[test]
fn expired_credentials_of_a_server_that_never_tells_its_time_are_not_served() {
    for life in [-100 * SECOND, -1, 0] {
        let mut bench = Bench::new();
        bench.set_dated(false);
        bench.plans(&[simple("a")]);
        let (mut calls, ends) = (0, EPOCH + life);
        let mut over = |order: &MintOrder| {
            matches!(order.step.source, Source::AssumeRole(_)).then(|| {
                calls += 1;
                ending(ends)
            })
        };
        assert!(bench.ask_and_wait("a", &mut over).is_err(), "{life}");
        bench.run(HOUR, &mut over);
        assert!(calls < 60, "{life}: {calls}");
        // The local clock is right, and by it the next credentials are valid.
        bench.run(10 * MINUTE, &mut |_| None);
        assert!(bench.ask_and_wait("a", &mut |_| None).is_ok(), "{life}");
    }
}

#[test]
fn a_server_whose_time_jumps_and_whose_sets_are_over_is_not_called_for_ever() {
    for pattern in 0..4 {
        let mut bench = Bench::new();
        bench.plans(&[simple("a")]);
        bench.ask("a", Wants::Credentials);
        bench.serve(&mut |_| None);
        bench.run(50 * MINUTE, &mut |_| None);
        let (mut calls, mut late, mut turn) = (0, 0, 0i64);
        let begin = bench.boot;
        while bench.boot < begin + 2 * 60 * MINUTE {
            let next = bench.keeper.next_timeout().map_or(begin + 2 * 60 * MINUTE, BootTime::as_millis).max(bench.boot);
            bench.pass(next - bench.boot);
            bench.tick();
            while !bench.looks.is_empty() || !bench.orders.is_empty() {
                turn += 1;
                assert!(turn < 5_000, "a storm of pattern {pattern}");
                bench.pass(60);
                let jump = match pattern {
                    0 => turn % 2 * 7_200_000,
                    1 => turn / 2 % 2 * 7_200_000,
                    2 => turn * 600_000,
                    _ => 0,
                };
                let date = AwsTime::from_millis((bench.truth + jump).div_euclid(SECOND) * SECOND);
                let (sent, received) = (BootTime::from_millis(bench.boot - 50), BootTime::from_millis(bench.boot));
                let samples = vec![Sample { date, sent, received, trust: Trust::Authenticated }];
                if let Some(look) = bench.looks.pop_front() {
                    bench.handle(Event::Ended { ticket: look.ticket, outcome: Outcome::Probed, samples });
                } else if let Some(order) = bench.orders.pop_front() {
                    calls += 1;
                    late += usize::from(bench.boot > begin + 80 * MINUTE);
                    let outcome = ending(date.as_millis() - 600 * SECOND);
                    bench.handle(Event::Ended { ticket: order.ticket, outcome, samples });
                }
            }
        }
        assert!(late <= 12 && calls < 100, "pattern {pattern}: {calls} calls, {late} of them in the last 40 minutes");
        assert!(calls > 3, "pattern {pattern}: it gave up");
    }
}

#[test]
fn a_set_that_can_not_be_served_clears_no_failure() {
    let mut bench = Bench::new();
    bench.set_dated(false);
    bench.plans(&[simple("a")]);
    let truth = bench.truth;
    // Without a Date, and with a wall clock of which nothing better is known.
    let mut over = |order: &MintOrder| {
        let is_role = matches!(order.step.source, Source::AssumeRole(_));
        is_role.then(|| ending(truth - 3 * 86_400_000))
    };
    bench.ask("a", Wants::Credentials);
    let first = bench.run(10 * MINUTE, &mut over);
    let then = bench.run(60 * MINUTE, &mut over);
    assert!(first < 60 && then <= 12, "{first} {then}");
    let error = bench.status("a").last_error.unwrap();
    assert_eq!(error.code, "InvalidResponse");
    assert!(bench.answers.iter().all(Result::is_err), "{:?}", bench.answers.len());
}
