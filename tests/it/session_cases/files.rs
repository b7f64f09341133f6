//! What stands in the cache file, and what becomes of it.

use chrono::TimeDelta;
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::session::*;

use super::bench::*;

#[test]
fn a_file_that_another_tool_wrote_is_in_use_without_a_refresh() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, 50 * MINUTE);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    assert_eq!(bench.calls(), ["dev with a1"]);
    bench.write(&corp(), 2, 55 * MINUTE);
    assert!(bench.got("dev", Wants::Renewal).is_ok());
    assert_eq!(bench.calls(), ["dev with a2"]);
}

#[test]
fn a_token_is_refreshed_with_twenty_minutes_left_for_whoever_else_uses_it() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans_and(&[], &[sso_session()]);
    bench.run(34 * MINUTE);
    assert_eq!(bench.calls(), [""; 0]);
    bench.run(6 * MINUTE + SECOND);
    assert_eq!(bench.calls(), ["refresh r1"]);
    let status = bench.session_status();
    assert_eq!((status.state, status.profiles), (State::Fresh, 0));
    // And so on, for as long as the session lives.
    bench.run(4 * HOUR);
    assert!((5..=7).contains(&bench.calls().len()));
}

#[test]
fn a_token_is_not_refreshed_where_that_was_switched_off_and_nobody_asks() {
    let mut bench = Bench::with(KeeperSettings { sso_cache: false, ..settings() }, Memory::default(), 0);
    bench.put(&corp(), 1, HOUR);
    bench.plans_and(&[sso(&corp(), "dev")], &[sso_session()]);
    bench.run(5 * HOUR);
    assert_eq!(bench.calls(), [""; 0]);
    assert!(bench.get("dev").is_ok());
    let calls = bench.calls();
    assert_eq!((calls[0].as_str(), calls.len()), ("refresh r1", 2));
}

#[test]
fn profiles_behind_one_session_share_its_refresh() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, -MINUTE);
    let names = ["dev", "test", "prod"];
    bench.plans(&names.map(|name| sso(&corp(), name)));
    let callers = names.map(|name| bench.ask(name, Wants::Credentials));
    bench.run(5 * SECOND);
    assert!(callers.iter().all(|caller| matches!(bench.answers[caller], Answer::Credentials(_))));
    let calls = bench.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("refresh")).count(), 1, "{calls:?}");
    assert_eq!(calls.len(), 4);
}

#[test]
fn a_token_of_the_legacy_form_is_served_until_it_ends_and_then_the_better_form_is_named() {
    let mut bench = Bench::new();
    bench.put(&legacy(), 1, 8 * HOUR);
    bench.plans(&[sso(&legacy(), "dev")]);
    for _ in 0..7 {
        assert!(bench.get("dev").is_ok());
        bench.run(HOUR);
    }
    let calls = bench.calls();
    assert!(calls.iter().all(|call| call == "dev with a1"), "{calls:?}");
    assert_eq!(bench.told("sso-session-ends"), 0);
    bench.run(50 * MINUTE);
    assert_eq!(bench.told("sso-session-ends"), 1, "a quarter of an hour ahead, as the end is known");
    // The role's own credentials outlive the token.
    bench.run(2 * HOUR);
    let refusal = bench.get("dev").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NeedsLogin);
    assert_eq!(refusal.fix.as_deref(), Some("evercred login dev"));
    assert!(refusal.message.contains("[sso-session …] section"), "{}", refusal.message);
    assert_eq!(bench.told("sso-login-needed"), 1);
    // The next token ends too, and that is said again.
    bench.write(&legacy(), 2, 8 * HOUR);
    assert!(bench.get("dev").is_ok());
    bench.run(8 * HOUR);
    assert_eq!(bench.told("sso-session-ends"), 2);
}

#[test]
fn a_registration_that_is_over_ends_the_refreshes_and_not_the_token() {
    let mut bench = Bench::new();
    let text = text_of(&corp(), 1, evercred::core::time::WallTime::from_millis(bench.wall + HOUR));
    bench.disk.insert(corp().cache_file(), text.replace("2026-12-20", "2026-09-01"));
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    bench.run(3 * HOUR);
    let calls = bench.calls();
    assert!(calls.iter().all(|call| call == "dev with a1"), "{calls:?}");
    let refusal = bench.get("dev").unwrap_err();
    assert!(refusal.message.contains("registered too long ago"), "{}", refusal.message);
    assert_eq!(bench.session_status().error.unwrap().code, "SsoRegistrationExpired");
}

#[test]
fn half_a_file_takes_nothing_away() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    for half in ["", "{\"accessTok", "[]"] {
        bench.disk.insert(corp().cache_file(), half.to_owned());
        bench.look(&corp().cache_file());
        assert!(bench.got("dev", Wants::Renewal).is_ok(), "{half}");
    }
    // Nor does it keep the token from being refreshed in time.
    bench.calls();
    bench.run(45 * MINUTE);
    assert!(bench.calls().contains(&"refresh r1".to_owned()));
}

#[test]
fn a_file_that_was_never_whole_or_is_anothers_is_said() {
    for (text, says) in [
        ("{\"accessTok", "not what the AWS tools write"),
        ("{\"startUrl\":\"https://other.awsapps.com/start\"}", "another start URL"),
        ("{\"region\":\"us-east-1\"}", "another region"),
    ] {
        let mut bench = Bench::new();
        bench.disk.insert(corp().cache_file(), text.to_owned());
        bench.plans(&[sso(&corp(), "dev")]);
        let refusal = bench.get("dev").unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NeedsLogin);
        assert!(refusal.message.contains(says), "{}", refusal.message);
        assert_eq!(refusal.fix.as_deref(), Some("evercred login corp"));
        bench.run(5 * HOUR);
        assert_eq!(bench.calls(), [""; 0]);
    }
}

#[test]
fn a_file_that_other_tools_cannot_use_is_a_warning_and_needs_a_sign_in_while_the_token_is_in_use() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    let whole = bench.disk[&corp().cache_file()].clone();
    let login = bench.keeper.login_for(Some("corp")).unwrap();
    assert!(bench.keeper.lasting_sign_in(&login, bench.now()).is_some());
    for text in ["{\"accessTok".to_owned(), whole.replace("corp.awsapps", "other.awsapps")] {
        bench.disk.insert(corp().cache_file(), text);
        bench.look(&corp().cache_file());
        let status = bench.session_status();
        assert_eq!((status.state, status.error), (State::Fresh, None));
        let warning = status.cache.unwrap();
        assert_eq!((warning.id, warning.fix.as_deref()), ("sso-cache-unusable", Some("evercred login corp")));
        assert!(bench.keeper.lasting_sign_in(&login, bench.now()).is_none());
        assert!(bench.get("dev").is_ok());
    }
    bench.disk.insert(corp().cache_file(), whole);
    bench.look(&corp().cache_file());
    assert_eq!(bench.session_status().cache, None);
    assert!(bench.keeper.lasting_sign_in(&login, bench.now()).is_some());
}

#[test]
fn a_foreign_file_in_a_sessions_place_is_left_alone() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    let foreign = bench.disk[&corp().cache_file()].replace("corp.awsapps", "other.awsapps");
    bench.disk.insert(corp().cache_file(), foreign.clone());
    bench.look(&corp().cache_file());
    bench.run(3 * HOUR);
    assert_eq!(bench.disk[&corp().cache_file()], foreign);
    assert!(!bench.calls().iter().any(|call| call.starts_with("refresh")));
    assert_eq!(bench.told("sso-login-needed"), 1);
}

#[test]
fn stamps_in_the_file_are_read_as_this_machines_clock_says_them() {
    for hours in [-5, 5] {
        let mut bench = Bench::with(settings(), Memory::default(), hours * HOUR);
        bench.plans(&[sso(&corp(), "dev")]);
        assert!(bench.get("dev").is_err(), "and now AWS's time is known");
        bench.write(&corp(), 1, HOUR);
        assert!(bench.get("dev").is_ok());
        bench.run(30 * MINUTE);
        assert!(!bench.calls().contains(&"refresh r1".to_owned()), "{hours}");
        bench.run(11 * MINUTE);
        assert!(bench.calls().contains(&"refresh r1".to_owned()), "{hours}");
        // What is written is stamped for those who read it by the same clock.
        let file = bench.disk[&corp().cache_file()].clone();
        let left = corp().read(&file).unwrap().expires().as_millis() - bench.wall;
        assert!((55 * MINUTE..=HOUR).contains(&left), "{hours}: {left}");
    }
}

#[test]
fn stamps_that_were_read_before_aws_was_heard_are_read_again() {
    for hours in [-5, 5] {
        let mut bench = Bench::with(settings(), Memory::default(), hours * HOUR);
        bench.put(&corp(), 1, HOUR);
        bench.plans(&[sso(&corp(), "dev")]);
        assert!(bench.get("dev").is_ok());
        bench.run(34 * MINUTE);
        assert!(!bench.calls().contains(&"refresh r1".to_owned()), "{hours}: refreshed too early");
        bench.run(7 * MINUTE);
        assert!(bench.calls().contains(&"refresh r1".to_owned()), "{hours}: not refreshed in time");
    }
}

#[test]
fn a_wall_clock_that_is_set_makes_no_token_older_and_the_files_stamp_is_written_anew() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    bench.handle(Event::Home(endpoint("us-east-1")));
    assert!(bench.get("dev").is_ok());
    for (set, refreshed) in [(6 * HOUR, "refresh r1"), (-6 * HOUR, "refresh r103")] {
        bench.calls();
        bench.wall += set;
        bench.handle(Event::Disturbed(Disturbance::WallClockSet));
        bench.run(10 * MINUTE);
        let calls = bench.calls();
        assert_eq!(calls.iter().filter(|call| call.starts_with("refresh")).collect::<Vec<_>>(), [refreshed], "once");
        let file = bench.disk[&corp().cache_file()].clone();
        let left = corp().read(&file).unwrap().expires().as_millis() - bench.wall;
        assert!((48 * MINUTE..=HOUR).contains(&left), "as the set clock shows it: {left}");
        assert!(bench.got("dev", Wants::Renewal).is_ok());
    }
}

fn with_login(profile: &str) -> Plan {
    let Session::Login(session) = login_session() else { panic!("of another kind") };
    plan(profile, vec![Source::Login(session)])
}

fn chained(profile: &str) -> Plan {
    let role = AssumeRole {
        role_arn: profile.to_owned(),
        role_session_name: "s".to_owned(),
        external_id: None,
        duration_seconds: None,
        mfa_serial: None,
        mfa_process: None,
        endpoint: endpoint("eu-west-1").into(),
    };
    let mut plan = with_login(profile);
    plan.steps = plan.steps.then(Step { profile: profile.to_owned(), source: Source::AssumeRole(role) });
    plan
}

#[test]
fn a_login_session_is_refreshed_at_half_of_its_life_and_serves_with_its_end() {
    let mut bench = Bench::new();
    bench.put(&login_session(), 1, 15 * MINUTE);
    bench.plans(&[with_login("me")]);
    let set = bench.get("me").unwrap();
    assert_eq!((set.access_key_id.as_str(), set.account_id.as_deref()), ("a1", Some("111122223333")));
    let left = set.expires_at.expect("an end, or SDKs would keep it for ever").as_millis() - bench.truth;
    assert!((14 * MINUTE..=15 * MINUTE).contains(&left), "{left}");
    bench.run(7 * MINUTE);
    assert_eq!(bench.calls(), [""; 0]);
    bench.run(3 * MINUTE);
    assert_eq!(bench.calls(), ["refresh r1"]);
    let set = bench.get("me").unwrap();
    assert!(set.access_key_id != "a1" && set.expires_at.is_some());
    assert_eq!(set.account_id.as_deref(), Some("111122223333"));
}

#[test]
fn a_login_session_is_the_source_of_a_role_chain() {
    let mut bench = Bench::new();
    bench.put(&login_session(), 1, 15 * MINUTE);
    bench.plans(&[with_login("me"), chained("admin")]);
    assert!(bench.get("admin").is_ok());
    assert_eq!(bench.calls(), ["admin with a1"]);
    bench.run(3 * HOUR);
    assert!(bench.get("admin").is_ok());
    let calls = bench.calls();
    let refreshes = calls.iter().filter(|call| call.starts_with("refresh")).count();
    assert!((18..=26).contains(&refreshes), "{calls:?}");
    bench.delete(&login_session());
    assert_eq!(bench.get("admin").unwrap_err().kind, RefusalKind::NeedsLogin);
    assert_eq!(bench.get("me").unwrap_err().fix.as_deref(), Some("evercred login admin"));
}

#[test]
fn profiles_of_several_regions_behind_one_login_session_make_no_storm_of_its_failures() {
    let mut bench = Bench::with(KeeperSettings { auto_renew: AutoRenew::All, ..settings() }, Memory::default(), 0);
    bench.put(&login_session(), 1, 15 * MINUTE);
    let Session::Login(session) = login_session() else { panic!("of another kind") };
    let there = LoginSession { endpoint: endpoint("us-east-1"), ..session };
    bench.plans(&[with_login("here"), plan("there", vec![Source::Login(there)])]);
    bench.oidc_says = Some(timeout);
    bench.run(HOUR);
    let calls = bench.calls().len();
    assert!(calls < 40, "{calls}");
}

#[test]
fn a_token_that_could_not_be_written_is_kept_and_written_later() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    bench.disk_is_full = true;
    bench.run(41 * MINUTE);
    assert!(bench.calls().contains(&"refresh r1".to_owned()));
    // A look at the old file brings nothing back.
    bench.look(&corp().cache_file());
    assert!(bench.got("dev", Wants::Renewal).is_ok());
    assert!(!bench.calls().contains(&"dev with a1".to_owned()));
    bench.disk_is_full = false;
    bench.run(MINUTE);
    let token = corp().read(&bench.disk[&corp().cache_file()]).unwrap();
    assert_ne!(refresh_token(&token), "r1", "written once there was room");
    bench.calls();
    bench.run(10 * MINUTE);
    assert_eq!(bench.calls(), [""; 0]);
}

#[test]
fn a_disk_that_stays_full_ends_no_session() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    bench.disk_is_full = true;
    for _ in 0..60 {
        bench.run(5 * MINUTE);
        bench.look(&corp().cache_file());
        assert!(bench.get("dev").is_ok());
    }
    let calls = bench.calls();
    let refreshes: Vec<&String> = calls.iter().filter(|call| call.starts_with("refresh")).collect();
    assert!((6..=9).contains(&refreshes.len()), "{refreshes:?}");
    assert_eq!(refreshes.iter().filter(|call| **call == "refresh r1").count(), 1, "a used token is not shown again");
    assert!(calls.len() < 5 * 60 * 2 + 40, "{} tries to write in five hours", calls.len());
    bench.disk_is_full = false;
    bench.run(MINUTE);
    let token = corp().read(&bench.disk[&corp().cache_file()]).unwrap();
    assert_ne!(refresh_token(&token), "r1");
    assert_eq!(bench.notices, []);
}

#[test]
fn a_sign_in_that_could_not_be_written_is_in_use_and_written_later() {
    for old in [true, false] {
        let mut bench = Bench::new();
        if old {
            bench.put(&corp(), 1, -MINUTE);
        }
        bench.oidc_says = Some(invalid_grant);
        bench.plans(&[sso(&corp(), "dev")]);
        assert!(bench.get("dev").is_err());
        bench.oidc_says = None;
        bench.disk_is_full = true;
        bench.log_in(Some("corp"), 7);
        for _ in 0..12 {
            bench.look(&corp().cache_file());
            assert!(bench.got("dev", Wants::Renewal).is_ok(), "{old}");
            bench.run(MINUTE);
        }
        let calls = bench.calls();
        assert!(!calls.contains(&"dev with a1".to_owned()), "{calls:?}");
        bench.disk_is_full = false;
        bench.run(MINUTE);
        let token = corp().read(&bench.disk[&corp().cache_file()]).unwrap();
        assert_eq!(refresh_token(&token), "r7", "{old}");
    }
}

#[test]
fn a_sign_in_that_was_never_written_lasts_as_long_as_its_first_token_and_that_is_said() {
    let mut bench = Bench::new();
    bench.plans(&[sso(&corp(), "dev")]);
    bench.disk_is_full = true;
    bench.log_in(Some("corp"), 7);
    assert!(bench.get("dev").is_ok());
    bench.run(3 * HOUR);
    assert!(!bench.calls().iter().any(|call| call.starts_with("refresh")));
    let status = bench.session_status();
    assert_eq!(status.state, State::NeedsLogin);
    let said = status.error.unwrap().message;
    assert!(said.contains("no space left"), "{said}");
    assert_eq!(bench.told("sso-login-needed"), 1);
}

#[test]
fn what_another_program_writes_wins_over_a_token_that_could_not_be_written() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    bench.disk_is_full = true;
    bench.run(41 * MINUTE);
    bench.write(&corp(), 9, HOUR);
    bench.disk_is_full = false;
    bench.run(5 * MINUTE);
    let token = corp().read(&bench.disk[&corp().cache_file()]).unwrap();
    assert_eq!(refresh_token(&token), "r9");
}

#[test]
fn a_look_from_before_the_refresh_brings_no_old_token_back() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    let before = bench.disk[&corp().cache_file()].clone();
    bench.run(41 * MINUTE);
    bench.calls();
    bench.handle(Event::SessionFile { file: corp().cache_file(), found: Found::Text(Secret::new(before)) });
    assert!(bench.got("dev", Wants::Renewal).is_ok());
    assert_ne!(bench.calls(), ["dev with a1"]);
}

#[test]
fn a_server_that_keeps_the_refresh_token_is_fine() {
    let mut bench = Bench::new();
    bench.rotates = false;
    bench.put(&corp(), 1, HOUR);
    bench.plans_and(&[], &[sso_session()]);
    bench.run(8 * HOUR);
    let calls = bench.calls();
    assert!(calls.len() > 8 && calls.iter().all(|call| call == "refresh r1"), "{calls:?}");
    let status = bench.session_status();
    assert!(status.expires_at.unwrap() - bench.keeper.clock().best(bench.now()) > TimeDelta::minutes(15));
}
