//! A deleted file is a logout: nothing of the session stays, and nothing comes back.

use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::session::*;

use super::bench::*;

fn in_use(names: &[&str]) -> Bench {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&names.iter().map(|name| sso(&corp(), name)).collect::<Vec<_>>());
    for name in names {
        assert!(bench.get(name).is_ok());
    }
    bench.calls();
    bench
}

fn assert_forgotten(bench: &mut Bench, names: &[&str]) {
    for name in names {
        assert_eq!(bench.get(name).unwrap_err().kind, RefusalKind::NeedsLogin, "{name}");
        assert_eq!(bench.got(name, Wants::Renewal).unwrap_err().kind, RefusalKind::NeedsLogin, "{name}");
        assert_eq!(bench.status(name).valid, Some(false), "{name}");
    }
    assert_eq!(bench.keeper.minted(), []);
    assert!(!bench.disk.contains_key(&corp().cache_file()), "written back");
}

#[test]
fn a_deleted_file_takes_everything_behind_it_away() {
    let mut bench = in_use(&["dev", "prod"]);
    bench.delete(&corp());
    assert_forgotten(&mut bench, &["dev", "prod"]);
    bench.run(5 * HOUR);
    assert_eq!(bench.calls(), [""; 0]);
    let status = bench.session_status();
    assert_eq!((status.state, status.expires_at), (State::NeedsLogin, None));
}

#[test]
fn a_refresh_that_was_under_way_brings_nothing_back() {
    for seen_first in [true, false] {
        let mut bench = in_use(&["dev"]);
        bench.by_hand = true;
        bench.run(41 * MINUTE);
        let order = bench.refreshes.pop_front().unwrap();
        // The edge wrote it, and in the next moment it was deleted.
        let outcome = bench.refresh(&order);
        bench.mints.clear();
        bench.disk.clear();
        if seen_first {
            bench.look(&corp().cache_file());
            bench.end(order.ticket, outcome);
        } else {
            bench.end(order.ticket, outcome);
            bench.look(&corp().cache_file());
        }
        bench.by_hand = false;
        bench.run(2 * HOUR);
        bench.calls();
        assert_forgotten(&mut bench, &["dev"]);
        assert_eq!(bench.calls(), [""; 0]);
    }
}

#[test]
fn a_refresh_of_before_the_logout_does_not_replace_the_sign_in_after_it() {
    let mut bench = in_use(&["dev"]);
    bench.by_hand = true;
    bench.run(41 * MINUTE);
    let order = bench.refreshes.pop_front().unwrap();
    let outcome = bench.refresh(&order);
    bench.delete(&corp());
    bench.write(&corp(), 5, HOUR);
    bench.end(order.ticket, outcome);
    bench.look(&corp().cache_file());
    bench.by_hand = false;
    bench.mints.clear();
    bench.run(MINUTE);
    bench.calls();
    bench.run(2 * HOUR);
    assert!(bench.calls().contains(&"refresh r5".to_owned()));
}

#[test]
fn role_credentials_that_were_under_way_are_not_taken() {
    for chained in [false, true] {
        let mut bench = Bench::new();
        let mut dev = sso(&corp(), "dev");
        if chained {
            dev.steps = dev.steps.then(role_behind("dev-admin"));
        }
        bench.put(&corp(), 1, HOUR);
        bench.plans(&[dev]);
        if chained {
            assert!(bench.get("dev").is_ok());
        } else {
            // AWS's time is looked at once, and then the call is ordered.
            bench.by_hand = true;
            bench.ask("dev", Wants::Credentials);
            bench.run(SECOND);
        }
        bench.by_hand = true;
        if chained {
            bench.ask("dev", Wants::Renewal);
        }
        let order = bench.mints.pop_front().unwrap();
        let outcome = bench.mint(&order);
        bench.delete(&corp());
        bench.end(order.ticket, outcome);
        bench.by_hand = false;
        bench.calls();
        assert_forgotten(&mut bench, &["dev"]);
        // Nor do they keep the next from coming.
        bench.write(&corp(), 2, HOUR);
        assert!(bench.get("dev").is_ok());
    }
}

fn role_behind(name: &str) -> Step {
    let role = AssumeRole {
        role_arn: name.to_owned(),
        role_session_name: "s".to_owned(),
        external_id: None,
        duration_seconds: None,
        mfa_serial: None,
        mfa_process: None,
        endpoint: endpoint("eu-west-1").into(),
    };
    Step { profile: "dev".to_owned(), source: Source::AssumeRole(role) }
}

#[test]
fn what_an_earlier_run_left_is_forgotten_where_the_file_is_gone() {
    let mut bench = in_use(&["dev"]).restarted();
    bench.disk.clear();
    bench.plans(&[sso(&corp(), "dev")]);
    assert_forgotten(&mut bench, &["dev"]);
    assert_eq!(bench.calls(), [""; 0]);
}

#[test]
fn what_an_earlier_run_left_is_not_served_before_the_file_was_looked_at() {
    let mut bench = in_use(&["dev"]).restarted();
    bench.disk.clear();
    bench.disk_is_slow = true;
    bench.plans(&[sso(&corp(), "dev")]);
    let caller = bench.ask("dev", Wants::Credentials);
    bench.run(SECOND);
    assert!(bench.answers.is_empty(), "{:?}", bench.answers);
    bench.look(&corp().cache_file());
    assert!(matches!(&bench.answers[&caller], Answer::Refused(refusal) if refusal.kind == RefusalKind::NeedsLogin));
}

#[test]
fn what_an_earlier_run_left_goes_on_where_the_file_is_there() {
    let mut bench = in_use(&["dev"]).restarted();
    bench.plans(&[sso(&corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    assert_eq!(bench.calls(), [""; 0]);
}

#[test]
fn a_profile_that_was_away_at_the_logout_does_not_bring_its_credentials_back() {
    for restart in [false, true] {
        let mut bench = in_use(&["dev"]);
        if restart {
            bench = bench.restarted();
        }
        // Half a config file.
        bench.plans_and(&[], &[sso_session()]);
        bench.delete(&corp());
        bench.plans(&[sso(&corp(), "dev")]);
        assert_forgotten(&mut bench, &["dev"]);
    }
}

#[test]
fn a_token_that_could_not_be_written_is_forgotten_with_the_file() {
    let mut bench = in_use(&["dev"]);
    bench.disk_is_full = true;
    bench.run(41 * MINUTE);
    bench.delete(&corp());
    bench.disk_is_full = false;
    bench.run(2 * HOUR);
    bench.calls();
    assert_forgotten(&mut bench, &["dev"]);
    assert_eq!(bench.calls(), [""; 0]);
}

#[test]
fn evercreds_own_logout_ends_the_session_and_a_late_look_at_the_file_does_not_matter() {
    let mut bench = in_use(&["dev"]);
    let session = bench.keeper.login_for(Some("corp")).unwrap();
    let caller = bench.caller();
    bench.handle(Event::Logout { caller, login: session });
    assert_eq!(bench.sign_outs.len(), 1);
    assert_eq!(refresh_token(bench.sign_outs[0].token.as_ref().unwrap()), "r1");
    assert_eq!(bench.keeper.minted(), []);
    // It is read once more before the edge has removed it.
    bench.look(&corp().cache_file());
    bench.delete(&corp());
    assert_forgotten(&mut bench, &["dev"]);
}

#[test]
fn a_logout_of_one_session_leaves_the_others() {
    let other = SsoSession { name: Some("other".to_owned()), ..sso_session() };
    let other = Session::Sso(other);
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.put(&other, 2, HOUR);
    bench.plans(&[sso(&corp(), "dev"), sso(&other, "elsewhere")]);
    assert!(bench.get("dev").is_ok() && bench.get("elsewhere").is_ok());
    bench.delete(&corp());
    assert!(bench.get("dev").is_err() && bench.get("elsewhere").is_ok());
}

/// Signs out while the cache file can't be removed.
fn sign_out_leaving_the_file(bench: &mut Bench) -> Answer {
    let caller = bench.caller();
    let login = bench.keeper.login_for(Some("corp")).unwrap();
    bench.handle(Event::Logout { caller, login });
    let order = bench.sign_outs.pop().unwrap();
    let left = match bench.found(&corp().cache_file()) {
        Found::Text(text) => corp().read(text.expose()).ok(),
        Found::Missing | Found::Unreadable(_) => None,
    };
    let not_removed = Some("Permission denied".to_owned());
    let end = SignOutEnd { not_told: None, not_removed, fix: None, left, works_until: None };
    bench.end(order.ticket, Outcome::SignedOut(end));
    bench.answers.remove(&caller).unwrap()
}

fn is_signed_in(bench: &Bench) -> bool {
    let login = bench.keeper.login_for(Some("corp")).unwrap();
    bench.keeper.lasting_sign_in(&login, bench.now()).is_some()
}

#[test]
fn a_token_that_could_not_be_removed_stays_signed_out_of_until_the_file_has_another() {
    for restart in [false, true] {
        let mut bench = in_use(&["dev"]);
        assert!(is_signed_in(&bench));
        assert!(matches!(sign_out_leaving_the_file(&mut bench), Answer::SignedOut { .. }));
        assert!(!is_signed_in(&bench));
        if restart {
            bench = bench.restarted();
            bench.plans(&[sso(&corp(), "dev")]);
        }
        bench.look(&corp().cache_file());
        bench.run(2 * MINUTE);
        assert!(!is_signed_in(&bench) && bench.disk.contains_key(&corp().cache_file()), "restart: {restart}");
        let status = bench.session_status();
        assert_eq!((status.state, status.error.unwrap().code.as_str()), (State::NeedsLogin, "SsoLoginNeeded"));
        assert_eq!(bench.get("dev").unwrap_err().kind, RefusalKind::NeedsLogin);
        assert_eq!(bench.calls(), [""; 0]);
        bench.write(&corp(), 2, HOUR);
        assert!(is_signed_in(&bench));
        assert!(bench.get("dev").is_ok());
        // The keeper has forgotten the sign-out: the same text counts again.
        assert!(bench.keeper.memory().sessions.values().all(|session| session.signed_out.is_none()));
    }
}

#[test]
fn a_sign_in_that_cannot_be_written_either_outranks_the_token_that_was_left() {
    let mut bench = in_use(&["dev"]);
    sign_out_leaving_the_file(&mut bench);
    bench.disk_is_full = true;
    let caller = bench.caller();
    let Ok(Login::SignIn(session)) = bench.keeper.login_for(Some("corp")) else { panic!("no session") };
    bench.handle(Event::SignIn { caller, session, flow: Flow::DeviceCode });
    bench.run(SECOND);
    let order = bench.sign_ins.pop_front().unwrap();
    let text = text_of(&corp(), 7, evercred::core::time::WallTime::from_millis(bench.wall + HOUR));
    let token = corp().read(&text).unwrap();
    bench.end(order.ticket, Outcome::Session(SessionEnd::Renewed { token, unsaved: Some("full".to_owned()) }));
    for restart in [false, true] {
        if restart {
            bench = bench.restarted();
            bench.disk_is_full = true;
            bench.plans(&[sso(&corp(), "dev")]);
        }
        bench.look(&corp().cache_file());
        bench.run(2 * MINUTE);
        assert!(is_signed_in(&bench) && bench.get("dev").is_ok(), "restart: {restart}");
    }
    bench.disk_is_full = false;
    bench.run(2 * MINUTE);
    assert!(bench.disk[&corp().cache_file()].contains("a7"), "{:?}", bench.disk);
}
