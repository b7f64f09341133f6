//! Whom the keeper asks for the time, when, and what it makes of the answers.

use chrono::TimeDelta;
use evercred::core::clock::{Clock, Grade, Sample, Trust};
use evercred::core::keeper::{Action, AutoRenew, Event, KeeperSettings, Memory, Notice, Outcome, ProbeOrder, Timer};
use evercred::core::ntp::{NtpAnswer, NtpProblem};
use evercred::core::plan::Endpoint;
use evercred::core::settings::{NtpServer, Settings};
use evercred::core::time::{AwsTime, BootTime, Now, WallTime};
use proptest::prelude::*;

use crate::fingerprint::{Keeper, leave_out_this_test};

const TRUTH: i64 = 1_790_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const WARN: TimeDelta = TimeDelta::seconds(60);

struct Bench {
    keeper: Keeper,
    boot: i64,
    /// The wall clock's error.
    off: i64,
    looks: Vec<ProbeOrder>,
    questions: Vec<NtpServer>,
    notices: Vec<Notice>,
}

impl Bench {
    fn new(servers: &str, off: i64) -> Self {
        let settings = Settings::parse(&format!("[clock]\nntp = [{servers}]")).unwrap();
        let settings = KeeperSettings { auto_renew: AutoRenew::Used, ..settings.keeper() };
        let mut bench = Self {
            keeper: Keeper::new(settings, Memory::default(), Clock::new(now(0, off), false), 1),
            boot: 0,
            off,
            looks: Vec::new(),
            questions: Vec::new(),
            notices: Vec::new(),
        };
        let home = Endpoint { region: "us-east-1".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        bench.handle(Event::Home(home));
        bench
    }

    fn now(&self) -> Now {
        now(self.boot, self.off)
    }

    fn handle(&mut self, event: Event) {
        self.keeper.handle(event, self.now());
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(action) = self.keeper.poll_action() {
            match action {
                Action::Probe(order) => self.looks.push(order),
                Action::AskNtp(order) => self.questions.push(order.server),
                Action::Notice(notice) => self.notices.push(notice),
                Action::Log(_) | Action::Remember | Action::Replan | Action::KeepMinted | Action::KeepUnsaved => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// From wake-up to wake-up until then; nobody answers.
    fn until(&mut self, boot: i64) {
        while let Some(at) = self.keeper.next_timeout().filter(|at| at.as_millis() <= boot) {
            self.boot = at.as_millis().max(self.boot);
            self.keeper.handle_timeout(self.now());
            self.collect();
        }
        self.boot = boot;
    }

    /// AWS answers the look that is under way.
    fn aws_answers(&mut self) {
        let ticket = self.looks.pop().expect("a look is under way").ticket;
        let sent = BootTime::from_millis(self.boot);
        self.boot += 80;
        let date = AwsTime::from_millis((TRUTH + self.boot - 20).div_euclid(1_000) * 1_000);
        let received = BootTime::from_millis(self.boot);
        let samples = vec![Sample { date, sent, received, trust: Trust::Authenticated }];
        self.handle(Event::Ended { ticket, outcome: Outcome::Probed, samples });
    }

    /// A server answers that is off by so much.
    fn ntp_answers(&mut self, server: &NtpServer, off: i64) {
        let sent = BootTime::from_millis(self.boot);
        self.boot += 40;
        let there = AwsTime::from_millis(TRUTH + self.boot - 20 + off);
        let answer = NtpAnswer {
            sent,
            received: BootTime::from_millis(self.boot),
            server_received: there,
            server_sent: there,
            root_error: TimeDelta::milliseconds(5),
            stratum: 2,
        };
        self.handle(Event::NtpAnswered { server: server.clone(), result: Ok(answer) });
    }

    fn grade(&self) -> Grade {
        self.keeper.clock().grade(self.now(), WARN)
    }

    fn error(&self) -> (TimeDelta, TimeDelta) {
        self.keeper.clock().wall_error(self.now())
    }
}

fn now(boot: i64, off: i64) -> Now {
    Now {
        boot: BootTime::from_millis(boot),
        wall: WallTime::from_millis(TRUTH + boot + off),
        suspended: TimeDelta::zero(),
    }
}

#[test]
fn the_keeper_names_the_reason_for_its_next_wake_up() {
    leave_out_this_test();
    let mut bench = Bench::new("\"ntp.example\"", 0);
    bench.aws_answers();
    assert_eq!(bench.keeper.next_timer(), Some(Timer::TimeProbe), "in an hour");
    let server = bench.questions.pop().expect("asked at once");
    bench.handle(Event::NtpAnswered { server, result: Err(NtpProblem::NoAnswer("no route".into())) });
    assert_eq!(bench.keeper.next_timer(), Some(Timer::NtpQuery), "in a minute");
}

#[test]
fn a_server_is_asked_once_an_hour_and_left_alone_when_it_says_so() {
    let problem = |code: &str, never_again| NtpProblem::KissOfDeath { code: code.into(), never_again };
    for (problem, next) in [
        (NtpProblem::Unsynchronised, Some(4)),
        (NtpProblem::Forged, Some(4)),
        (problem("RATE", false), Some(4)),
        (problem("DENY", true), None),
    ] {
        let mut bench = Bench::new("\"ntp.example\"", 0);
        bench.aws_answers();
        let server = bench.questions.pop().expect("asked at once");
        assert!(bench.questions.is_empty());
        bench.handle(Event::NtpAnswered { server, result: Err(problem.clone()) });
        let begin = bench.boot;
        bench.until(begin + next.unwrap_or(48) * HOUR - 2 * MINUTE);
        assert_eq!(bench.questions, [], "{problem}");
        bench.until(begin + next.unwrap_or(48) * HOUR);
        assert_eq!(bench.questions.len(), usize::from(next.is_some()), "{problem}");
    }
}

#[test]
fn who_has_not_answered_yet_is_not_asked_again_and_a_jump_asks_the_willing() {
    let mut bench = Bench::new("\"one.example\", \"two.example\"", 0);
    bench.aws_answers();
    bench.until(10 * HOUR);
    assert_eq!(bench.questions.len(), 2);
    let [one, two] = <[NtpServer; 2]>::try_from(std::mem::take(&mut bench.questions)).unwrap();
    bench.ntp_answers(&one, 0);
    bench.handle(Event::NtpAnswered { server: two, result: Err(NtpProblem::Unsynchronised) });
    bench.until(bench.boot + 2 * MINUTE);
    bench.off = -10 * MINUTE;
    bench.keeper.handle_timeout(bench.now());
    bench.collect();
    assert_eq!(bench.questions, [one]);
}

#[test]
fn who_can_not_be_reached_is_asked_again_soon_and_then_seldom() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    bench.aws_answers();
    let mut asked = Vec::new();
    while let Some(server) = bench.questions.pop() {
        asked.push((bench.boot + MINUTE / 2) / MINUTE);
        bench.handle(Event::NtpAnswered { server, result: Err(NtpProblem::NoSuchHost("no network".into())) });
        for _ in 0..120 {
            bench.until(bench.boot + MINUTE);
            if !bench.looks.is_empty() {
                bench.aws_answers();
            }
            if !bench.questions.is_empty() {
                break;
            }
        }
        if asked.len() == 9 {
            break;
        }
    }
    assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[test]
fn a_clock_that_is_set_every_few_seconds_is_no_reason_for_as_many_questions() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    bench.aws_answers();
    let (mut looks, mut questions) = (0, 0);
    for turn in 0..600 {
        bench.until(bench.boot + 6_000);
        bench.off = if turn % 2 == 0 { 900 } else { -900 };
        bench.handle(Event::Disturbed(evercred::core::keeper::Disturbance::WallClockSet));
        if !bench.looks.is_empty() {
            looks += 1;
            bench.aws_answers();
        }
        for server in std::mem::take(&mut bench.questions) {
            questions += 1;
            bench.ntp_answers(&server, 0);
        }
    }
    assert!(looks <= 75 && questions <= 65, "{looks} looks and {questions} questions in an hour");
    assert!(bench.keeper.clock().readings().count() <= 300);
}

#[test]
fn a_clock_that_is_set_days_ahead_while_aws_is_out_of_reach_is_known_by_ntp() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    bench.aws_answers();
    let server = bench.questions.pop().unwrap();
    bench.ntp_answers(&server, 0);
    bench.until(10 * MINUTE);
    bench.off = 300 * 24 * HOUR;
    bench.handle(Event::Disturbed(evercred::core::keeper::Disturbance::WallClockSet));
    let ticket = bench.looks.pop().expect("a look at once").ticket;
    let fault = evercred::core::aws_error::fault("the look", None, Some("TlsClock"), Some("expired"));
    bench.handle(Event::Ended { ticket, outcome: Outcome::Failed(fault), samples: Vec::new() });
    let server = bench.questions.pop().expect("NTP too");
    bench.ntp_answers(&server, 0);
    assert_eq!(bench.grade(), Grade::Critical, "{:?}", bench.error());
    assert_eq!(bench.notices.len(), 1);
}

#[test]
fn each_time_that_a_clock_gets_worse_is_told_as_worse_until_it_is_right_again() {
    let mut bench = Bench::new("", 0);
    bench.aws_answers();
    let mut told = Vec::new();
    for off in [2 * MINUTE, 7 * MINUTE, 20 * MINUTE, 20 * MINUTE, 0, 7 * MINUTE] {
        // What comes all at once is looked at less often.
        bench.until(bench.boot + MINUTE);
        bench.off = off;
        bench.handle(Event::Disturbed(evercred::core::keeper::Disturbance::WallClockSet));
        bench.aws_answers();
        let news = std::mem::take(&mut bench.notices);
        told.push(news.iter().map(|notice| (notice.worse, notice.is_over)).collect::<Vec<_>>());
        assert!(news.iter().all(|notice| (notice.id, notice.subject.as_str()) == ("clock-skewed", "")), "{news:?}");
    }
    let expected = [Some((1, false)), Some((2, false)), Some((3, false)), None, Some((3, true)), Some((1, false))];
    assert_eq!(told, expected.map(|told| told.into_iter().collect::<Vec<_>>()));
}

#[test]
fn who_is_not_asked_any_more_counts_no_more() {
    let mut bench = Bench::new("\"liar.example\"", 0);
    let server = bench.questions.pop().unwrap();
    bench.ntp_answers(&server, 20 * MINUTE);
    assert_eq!(bench.grade(), Grade::Critical);
    let settings = Settings::parse("[clock]\nntp = []").unwrap();
    bench.handle(Event::Settings(settings.keeper()));
    assert_eq!(bench.grade(), Grade::Unknown);
}

#[test]
fn a_place_that_is_out_of_reach_is_not_the_only_one_that_is_asked() {
    let mut bench = Bench::new("", 0);
    let place = |region: &str, url: Option<&str>| Endpoint {
        region: region.into(),
        url: url.map(str::to_owned),
        fips: false,
        dual_stack: false,
        ca_bundle: None,
    };
    bench.aws_answers();
    let emulator = place("eu-west-1", Some("http://127.0.0.1:4566"));
    let plan = evercred::core::plan::Plan {
        profile: "app".into(),
        steps: evercred::core::plan::Chain::default(),
        endpoint: emulator.clone().into(),
        region: None,
        renew: None,
        notes: Vec::new(),
    };
    let plans = |plans: &[&evercred::core::plan::Plan]| Event::Plans {
        profiles: plans.iter().map(|plan| (plan.profile.clone(), Ok((*plan).clone()))).collect(),
        sso_sessions: std::collections::BTreeMap::new(),
    };
    bench.handle(plans(&[&plan]));
    let mut asked = Vec::new();
    for _ in 0..4 {
        bench.until(bench.boot + HOUR);
        let order = bench.looks.pop().expect("a look an hour");
        asked.push(order.endpoint.clone());
        let fault = evercred::core::aws_error::fault("the look", None, Some("Network"), Some("down"));
        bench.handle(Event::Ended { ticket: order.ticket, outcome: Outcome::Failed(fault), samples: Vec::new() });
    }
    assert!(asked.contains(&emulator) && asked.contains(&place("us-east-1", None)), "{asked:?}");
    // A place that no profile means any more is not asked.
    bench.handle(plans(&[]));
    for _ in 0..3 {
        bench.until(bench.boot + HOUR);
        let order = bench.looks.pop().expect("a look an hour");
        assert_eq!(order.endpoint, place("us-east-1", None));
        let fault = evercred::core::aws_error::fault("the look", None, Some("Network"), Some("down"));
        bench.handle(Event::Ended { ticket: order.ticket, outcome: Outcome::Failed(fault), samples: Vec::new() });
    }
}

#[test]
fn a_certificate_that_is_not_valid_by_this_clock_has_ntp_asked_and_is_named() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    let server = bench.questions.pop().unwrap();
    let failed = |bench: &mut Bench| {
        let ticket = bench.looks.pop().expect("a look is under way").ticket;
        let fault = evercred::core::aws_error::fault("the look", None, Some("TlsClock"), Some("not valid yet"));
        bench.handle(Event::Ended { ticket, outcome: Outcome::Failed(fault), samples: Vec::new() });
    };
    failed(&mut bench);
    assert!(bench.keeper.probe_error().is_some_and(|why| why.contains("not valid")));
    bench.ntp_answers(&server, 3 * 24 * HOUR);
    bench.until(16 * MINUTE);
    failed(&mut bench);
    assert_eq!(bench.questions, [server], "and not only an hour later");
    assert_eq!(bench.grade(), Grade::Critical);
}

#[test]
fn ntp_makes_it_sub_second_and_a_liar_does_not_turn_it() {
    let mut bench = Bench::new("\"good.example\", \"liar.example\"", 700);
    let [good, liar] = <[NtpServer; 2]>::try_from(std::mem::take(&mut bench.questions)).unwrap();
    // The liar is first, when nothing else is known; AWS's word is another.
    bench.ntp_answers(&liar, 20 * MINUTE);
    assert_eq!((bench.grade(), bench.notices.len()), (Grade::Critical, 1));
    bench.ntp_answers(&good, 0);
    assert_eq!(bench.grade(), Grade::Unknown, "they disagree, and nobody says who is right");
    bench.aws_answers();
    assert_eq!(bench.grade(), Grade::Ok);
    let (error, uncertainty) = bench.error();
    assert!((error - TimeDelta::milliseconds(700)).abs() < TimeDelta::milliseconds(30), "{error}");
    assert!(uncertainty < TimeDelta::milliseconds(40), "{uncertainty}");
    assert_eq!(bench.notices.last().map(|notice| notice.is_over), Some(true));
}

#[test]
fn ntp_alone_changes_no_expiry_for_anybody() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    let server = bench.questions.pop().unwrap();
    bench.ntp_answers(&server, 3 * HOUR);
    assert_eq!(bench.grade(), Grade::Critical);
    let (clock, now) = (bench.keeper.clock(), bench.now());
    let expires = AwsTime::from_millis(TRUTH + HOUR);
    assert_eq!(clock.for_local_reader(expires, now, WARN), expires.to_rfc3339());
    assert_eq!(clock.judge(expires, now), evercred::core::clock::Expiry::Unknown);
}

#[test]
fn a_sleeping_laptop_is_woken_twice_an_hour_at_most() {
    let mut bench = Bench::new("\"ntp.example\"", 0);
    let mut wakeups = 0;
    bench.aws_answers();
    while let Some(at) = bench.keeper.next_timeout().filter(|at| at.as_millis() < 48 * HOUR) {
        bench.boot = at.as_millis();
        wakeups += 1;
        bench.keeper.handle_timeout(bench.now());
        bench.collect();
        if !bench.looks.is_empty() {
            bench.aws_answers();
        }
        for server in std::mem::take(&mut bench.questions) {
            bench.ntp_answers(&server, 0);
        }
    }
    assert!(wakeups <= 97, "{wakeups} in two days");
}

/// What of the SDKs' own clock-skew cases is about learning the time; what they retry is the keeper's matter here.
#[test]
fn the_sdks_cases_of_clock_skew_are_learned_as_the_sdks_learn_them() {
    let millis = |time: &serde_json::Value| {
        chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap().timestamp_millis()
    };
    let tests = crate::aws_file_cases::cases("clock-skew-test-cases.json");
    assert!(tests.len() >= 10);
    for test in tests {
        let operations = test["operations"].as_array().unwrap();
        let begin = millis(&operations[0]["attempts"][0]["clientTimeAtSend"]) - HOUR;
        let at = |client: i64| Now {
            boot: BootTime::from_millis(client - begin),
            wall: WallTime::from_millis(client),
            suspended: TimeDelta::zero(),
        };
        let mut clock = Clock::new(at(begin), false);
        let mut hear = |date: AwsTime, sent: i64, received: i64| {
            let (sent, now) = (at(sent).boot, at(received));
            let _ = clock.observe(Sample { date, sent, received: now.boot, trust: Trust::Authenticated }, now);
            (clock.wall_error(now), clock.is_suspect())
        };
        let skew = operations[0]["initialClientSkew"].as_i64().unwrap() * 1_000;
        if skew != 0 {
            let _ = hear(AwsTime::from_millis(begin + skew), begin, begin + 100);
        }
        for operation in operations {
            let expected = TimeDelta::seconds(operation["expectedClientSkew"].as_i64().unwrap());
            let mut learned = (TimeDelta::zero(), TimeDelta::zero());
            for attempt in operation["attempts"].as_array().unwrap() {
                let headers = &attempt["response"]["headers"];
                // Without a Date nothing is said, and with an Age it is a cache that says it.
                let Some(date) = headers["Date"].as_str().filter(|_| headers["Age"].is_null()) else { continue };
                let date = evercred::core::http_date::parse(date).unwrap();
                let (sent, received) = (millis(&attempt["clientTimeAtSend"]), millis(&attempt["clientTimeAtReceive"]));
                let (mut error, suspect) = hear(date, sent, received);
                if suspect {
                    // It contradicts what was known: a second answer is asked for, at once.
                    error = hear(date + TimeDelta::seconds(1), sent + 1_000, received + 1_000).0;
                }
                learned = error;
            }
            let (error, uncertainty) = learned;
            let off = (-error - expected).abs();
            assert!(off <= uncertainty, "{}: {error} ± {uncertainty}", test["description"]);
        }
    }
}

proptest! {
    #[test]
    fn whatever_ntp_says_aws_time_is_inside_what_aws_allows(
        off in -4_000_000i64..4_000_000,
        lies in proptest::collection::vec((-5_000i64..5_000, 0i64..3 * HOUR), 1..12),
    ) {
        leave_out_this_test();
        let mut bench = Bench::new("\"ntp.example\"", off);
        bench.aws_answers();
        for (lie, pause) in lies {
            bench.until(bench.boot + pause);
            if bench.looks.is_empty() {
                if let Some(server) = bench.questions.pop() {
                    bench.ntp_answers(&server, lie);
                }
            } else {
                bench.aws_answers();
            }
            let interval = bench.keeper.clock().aws_now(bench.now());
            let truth = AwsTime::from_millis(TRUTH + bench.boot);
            prop_assert!(interval.earliest <= truth && truth <= interval.latest);
            let best = bench.keeper.clock().best(bench.now());
            prop_assert!(interval.earliest <= best && best <= interval.latest);
        }
    }
}
