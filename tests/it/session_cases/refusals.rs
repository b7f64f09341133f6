//! What AWS says instead of yes, and what it means for the session and for the roles behind it.

use chrono::TimeDelta;
use evercred::core::aws_error;
use evercred::core::keeper::*;
use evercred::core::plan::{Plan, Source};
use evercred::core::session::Session;

use super::bench::*;

fn signed_in(names: &[&str]) -> Bench {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&names.iter().map(|name| sso(&corp(), name)).collect::<Vec<_>>());
    bench
}

#[test]
fn a_token_that_the_portal_refuses_is_refreshed_once_and_tried_again() {
    let mut bench = signed_in(&["dev"]);
    bench.rejected.insert("a1".to_owned());
    assert!(bench.get("dev").is_ok());
    let calls = bench.calls();
    assert_eq!(calls[..2], ["dev with a1", "refresh r1"]);
    assert_eq!(calls.len(), 3);
}

#[test]
fn a_portal_that_refuses_every_token_is_not_a_loop_of_refreshes() {
    fn refused() -> aws_error::Fault {
        aws_error::fault("a role", Some(401), Some("UnauthorizedException"), None)
    }
    let mut bench = signed_in(&["dev", "test"]);
    bench.portal_says = ["dev", "test"].map(|name| (name.to_owned(), refused as No)).into();
    let refusal = bench.get("dev").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NeedsLogin);
    let calls = bench.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("refresh")).count(), 1, "{calls:?}");
    assert_eq!(calls.len(), 3);
    bench.get("test").unwrap_err();
    bench.run(5 * HOUR);
    let calls = bench.calls();
    // The token itself is refreshed as ever, and with each of them the portal is asked once more.
    assert!(calls.len() < 30, "{calls:?}");
}

#[test]
fn a_portal_that_refuses_all_roles_at_once_causes_one_refresh() {
    let names: Vec<String> = (0..5).map(|number| format!("p{number}")).collect();
    let mut bench = signed_in(&names.iter().map(String::as_str).collect::<Vec<_>>());
    bench.rejected.insert("a1".to_owned());
    let callers: Vec<CallerId> = names.iter().map(|name| bench.ask(name, Wants::Credentials)).collect();
    bench.run(10 * SECOND);
    assert!(callers.iter().all(|caller| matches!(bench.answers[caller], Answer::Credentials(_))));
    let calls = bench.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("refresh")).count(), 1, "{calls:?}");
}

#[test]
fn a_role_that_the_person_does_not_have_touches_no_other() {
    fn forbidden() -> aws_error::Fault {
        aws_error::fault("a role", Some(403), Some("ForbiddenException"), Some("No access"))
    }
    let mut bench = signed_in(&["dev", "prod"]);
    bench.portal_says.insert("prod".to_owned(), forbidden);
    let refusal = bench.get("prod").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Failed);
    assert!(refusal.message.contains("profiles --sso") && refusal.fix.is_none(), "{refusal:?}");
    assert!(bench.get("dev").is_ok());
    bench.run(3 * HOUR);
    assert_eq!(bench.status("dev").state, State::Fresh);
    assert_eq!(bench.status("prod").state, State::Failed);
    assert_eq!(bench.session_status().state, State::Fresh);
    let calls = bench.calls();
    let hopeless = calls.iter().filter(|call| call.starts_with("prod")).count();
    assert!(hopeless < 25, "{hopeless} calls in three hours");
    assert_eq!(bench.notices, []);
}

/// A session whose refresh token was refused while all profiles behind it are in use.
fn over(names: &[&str]) -> Bench {
    let mut bench = signed_in(names);
    for name in names {
        assert!(bench.get(name).is_ok());
    }
    bench.oidc_says = Some(invalid_grant);
    bench.run(41 * MINUTE);
    let calls = bench.calls();
    assert_eq!(calls.iter().filter(|call| *call == "refresh r1").count(), 1, "{calls:?}");
    bench
}

#[test]
fn a_session_that_is_over_makes_no_call_whatever_happens() {
    let names = ["dev", "test", "prod"];
    let mut bench = over(&names);
    bench.run(2 * HOUR);
    // What was minted before the end of the token was good for an hour more.
    assert!(!bench.calls().iter().any(|call| call.starts_with("refresh")));
    bench.plans(&names.map(|name| sso(&corp(), name)));
    bench.handle(Event::Disturbed(Disturbance::Network));
    bench.handle(Event::Disturbed(Disturbance::Resume));
    for _ in 0..5 {
        for name in names {
            assert_eq!(bench.get(name).unwrap_err().kind, RefusalKind::NeedsLogin);
            assert_eq!(bench.got(name, Wants::Renewal).unwrap_err().kind, RefusalKind::NeedsLogin);
        }
        bench.look(&corp().cache_file());
        bench.run(5 * HOUR);
    }
    assert_eq!(bench.calls(), [""; 0]);
    assert_eq!(bench.told("sso-login-needed"), 1, "one for all: {:?}", bench.notices);
    let status = bench.session_status();
    assert_eq!((status.state, status.profiles), (State::NeedsLogin, 3));
    assert_eq!(status.error.unwrap().fix.as_deref(), Some("evercred login corp"));
}

#[test]
fn who_is_told_is_told_while_the_old_credentials_are_still_good() {
    let mut bench = over(&["dev", "test"]);
    assert!(bench.get("dev").is_ok(), "what was minted goes on to its own end");
    bench.run(20 * MINUTE);
    assert_eq!(bench.told("sso-login-needed"), 1);
    assert!(bench.notices[0].message.contains("2 profiles"), "{:?}", bench.notices);
    assert_eq!(bench.notices[0].fix.as_deref(), Some("evercred login corp"));
}

#[test]
fn a_new_file_ends_the_need_and_so_does_a_sign_in() {
    for by_file in [true, false] {
        let mut bench = over(&["dev", "test"]);
        bench.run(2 * HOUR);
        assert!(bench.get("dev").is_err());
        bench.oidc_says = None;
        bench.calls();
        if by_file {
            bench.write(&corp(), 2, HOUR);
        } else {
            bench.log_in(Some("dev"), 2);
        }
        bench.run(SECOND);
        // Both are in use, and nobody had to ask again.
        assert_eq!(bench.calls(), ["dev with a2", "test with a2"]);
        assert_eq!(bench.session_status().state, State::Fresh);
        bench.run(3 * HOUR);
        assert!(bench.get("dev").is_ok());
        // The next end is told anew.
        bench.oidc_says = Some(invalid_grant);
        bench.run(3 * HOUR);
        assert_eq!(bench.told("sso-login-needed"), 2, "{:?}", bench.notices);
    }
}

#[test]
fn a_refusal_of_the_token_before_says_nothing_of_the_one_that_came_meanwhile() {
    for signs_in in [true, false] {
        let mut bench = signed_in(&["dev"]);
        assert!(bench.get("dev").is_ok());
        bench.by_hand = true;
        bench.run(41 * MINUTE);
        let late = bench.refreshes.pop_front().unwrap();
        if signs_in {
            bench.log_in(Some("corp"), 2);
        } else {
            bench.write(&corp(), 2, HOUR);
        }
        bench.end(late.ticket, Outcome::Failed(invalid_grant()));
        bench.by_hand = false;
        bench.run(2 * HOUR);
        assert_eq!(bench.notices, []);
        assert_eq!(bench.session_status().state, State::Fresh);
        assert!(bench.calls().contains(&"refresh r2".to_owned()));
    }
}

#[test]
fn a_refresh_that_others_have_made_is_taken_from_the_file() {
    let mut bench = signed_in(&["dev"]);
    assert!(bench.get("dev").is_ok());
    bench.by_hand = true;
    bench.run(41 * MINUTE);
    let order = bench.refreshes.pop_front().unwrap();
    bench.put(&corp(), 2, HOUR);
    let outcome = bench.refresh(&order);
    bench.end(order.ticket, outcome);
    bench.by_hand = false;
    bench.run(MINUTE);
    assert!(!bench.calls().iter().any(|call| call.starts_with("refresh")));
    assert!(bench.got("dev", Wants::Renewal).is_ok());
    assert_eq!(bench.calls(), ["dev with a2"]);
}

#[test]
fn an_outage_is_not_the_end_of_a_session() {
    let mut bench = signed_in(&["dev"]);
    assert!(bench.get("dev").is_ok());
    bench.oidc_says = Some(timeout);
    bench.portal_says.insert("dev".to_owned(), timeout);
    bench.run(6 * HOUR);
    assert_eq!(bench.notices, []);
    assert_eq!(bench.session_status().state, State::Retrying);
    let refusal = bench.get("dev").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Failed);
    let refreshes = bench.calls().iter().filter(|call| call.starts_with("refresh")).count();
    assert!((20..=100).contains(&refreshes), "{refreshes}");
    bench.oidc_says = None;
    bench.portal_says.clear();
    bench.handle(Event::Disturbed(Disturbance::Network));
    bench.run(10 * SECOND);
    assert_eq!(bench.status("dev").state, State::Fresh);
}

#[test]
fn fifty_profiles_are_fresh_within_seconds_of_one_sign_in() {
    let names: Vec<String> = (0..50).map(|number| format!("p{number:02}")).collect();
    let mut bench = Bench::with(KeeperSettings { auto_renew: AutoRenew::All, ..settings() }, Memory::default(), 0);
    let plans: Vec<Plan> = names.iter().map(|name| sso(&corp(), name)).collect();
    bench.plans(&plans);
    bench.run(MINUTE);
    assert_eq!(bench.told("sso-login-needed"), 1);
    let began = bench.boot;
    bench.log_in(None, 1);
    bench.run(12 * SECOND);
    assert!(names.iter().all(|name| bench.status(name).state == State::Fresh));
    assert!(bench.boot - began <= 13 * SECOND);
    assert_eq!(bench.calls().len(), 50);
}

#[test]
fn a_portal_that_asks_for_a_pause_gets_it_from_everybody() {
    fn too_many() -> aws_error::Fault {
        let mut fault = aws_error::fault("a role", Some(429), Some("TooManyRequestsException"), None);
        fault.retry_after = Some(TimeDelta::seconds(20));
        fault
    }
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let mut bench = Bench::with(KeeperSettings { auto_renew: AutoRenew::All, ..settings() }, Memory::default(), 0);
    bench.put(&corp(), 1, HOUR);
    bench.portal_says = names.iter().map(|name| (name.clone(), too_many as No)).collect();
    bench.plans(&names.iter().map(|name| sso(&corp(), name)).collect::<Vec<_>>());
    bench.run(15 * SECOND);
    let calls = bench.calls().len();
    assert!((1..=6).contains(&calls), "{calls}: those that were on their way");
    bench.portal_says.clear();
    bench.run(3 * SECOND);
    assert_eq!(bench.calls().len(), 0, "the pause is not over");
    bench.run(12 * SECOND);
    assert!(names.iter().all(|name| bench.status(name).state == State::Fresh));
}

/// How many calls of one kind were made in the first ten minutes, and in each of the hours after them.
fn calls_by_hour(bench: &mut Bench, hours: usize, kind: &str) -> Vec<usize> {
    let count = |bench: &mut Bench, millis| {
        bench.run(millis);
        bench.calls().iter().filter(|call| call.starts_with(kind)).count()
    };
    let first = count(bench, 10 * MINUTE);
    [first].into_iter().chain((0..hours).map(|_| count(bench, HOUR))).collect()
}

#[test]
fn tokens_that_have_expired_when_they_come_are_failures() {
    for session in [corp(), login_session()] {
        for seconds in [-3_600, -1, 0, 1] {
            for repeats in [false, true] {
                let mut bench = Bench::new();
                (bench.repeats, bench.rotates) = (repeats, !repeats);
                bench.token_life = Some(TimeDelta::seconds(seconds));
                bench.put(&session, 1, HOUR);
                match &session {
                    Session::Sso(session) => bench.plans_and(&[], std::slice::from_ref(session)),
                    Session::Login(login) => bench.plans(&[plan("dev", vec![Source::Login(login.clone())])]),
                }
                bench.run(50 * MINUTE);
                bench.calls();
                let calls = calls_by_hour(&mut bench, 4, "refresh");
                assert!(calls[0] >= 1 && calls[0] < 40, "{seconds} s: {calls:?}");
                assert!(calls[1..].iter().all(|calls| (1..=12).contains(calls)), "{seconds} s: {calls:?}");
                // A server that has come to its senses is heard.
                bench.token_life = None;
                bench.run(15 * MINUTE);
                assert_eq!(bench.session_status().state, State::Fresh);
            }
        }
    }
}

#[test]
fn tokens_that_live_for_seconds_are_refreshed_once_a_minute_and_for_every_caller() {
    for seconds in [2, 5, 30] {
        let mut bench = Bench::new();
        bench.token_life = Some(TimeDelta::seconds(seconds));
        bench.put(&corp(), 1, HOUR);
        bench.plans_and(&[sso(&corp(), "dev")], &[sso_session()]);
        bench.run(50 * MINUTE);
        bench.calls();
        let calls = calls_by_hour(&mut bench, 4, "refresh");
        assert!(calls.iter().all(|calls| *calls <= 70), "{seconds} s: {calls:?}");
        bench.role_life = TimeDelta::seconds(4);
        for _ in 0..50 {
            assert!(bench.get("dev").is_ok());
            bench.run(3 * SECOND);
        }
    }
}

#[test]
fn a_portal_whose_credentials_live_for_seconds_is_not_called_in_a_loop() {
    for (seconds, most) in [(-60, 12), (-1, 12), (0, 12), (1, 12), (2, 75), (30, 61)] {
        let mut bench = signed_in(&["dev"]);
        bench.role_life = TimeDelta::seconds(seconds);
        let _ = bench.get("dev");
        let calls = calls_by_hour(&mut bench, 3, "dev");
        assert!(calls[0] < 60 && calls[1..].iter().all(|calls| *calls <= most), "{seconds} s: {calls:?}");
    }
}

#[test]
fn who_waits_in_vain_for_another_attempt_is_told_why_the_one_before_failed() {
    let mut bench = signed_in(&["dev"]);
    bench.by_hand = true;
    let caller = bench.ask("dev", Wants::Credentials);
    bench.run(SECOND);
    let order = bench.mints.pop_front().unwrap();
    bench.run(15 * SECOND);
    bench.end(order.ticket, Outcome::Failed(timeout()));
    bench.run(20 * SECOND);
    let Some(Answer::Refused(refusal)) = bench.answers.remove(&caller) else { panic!("not refused") };
    assert!(refusal.message.contains(&timeout().with_advice()), "{}", refusal.message);
    assert_eq!(refusal.fix, None);
}
