//! Tokens that could not be written into the cache, over a restart of the daemon.

use evercred::core::keeper::*;
use evercred::core::session::*;

use super::bench::*;

fn in_file(bench: &Bench, session: &Session) -> String {
    refresh_token(&session.read(&bench.disk[&session.cache_file()]).unwrap()).to_owned()
}

/// A session whose newest token is in memory only, and the refresh token of it.
fn full_disk(session: &Session) -> (Bench, String) {
    let mut bench = Bench::new();
    bench.put(session, 1, HOUR);
    bench.plans(&[plan_of(session)]);
    bench.disk_is_full = true;
    bench.run(56 * MINUTE);
    assert_eq!((bench.unsaved.len(), in_file(&bench, session)), (1, "r1".to_owned()));
    let token = session.read(bench.unsaved[0].token.expose()).unwrap();
    assert_eq!(bench.unsaved[0].file, session.cache_file());
    (bench, refresh_token(&token).to_owned())
}

fn plan_of(session: &Session) -> evercred::core::plan::Plan {
    match session {
        Session::Sso(_) => sso(session, "dev"),
        Session::Login(login) => plan("dev", vec![evercred::core::plan::Source::Login(login.clone())]),
    }
}

#[test]
fn a_token_that_is_in_no_file_is_written_by_the_next_run() {
    for session in [corp(), login_session()] {
        let (bench, newest) = full_disk(&session);
        assert_ne!(newest, "r1");
        let mut bench = bench.restarted();
        bench.disk_is_full = false;
        bench.calls();
        bench.plans(&[plan_of(&session)]);
        bench.run(MINUTE);
        assert_eq!((in_file(&bench, &session), bench.unsaved.len()), (newest, 0));
        let calls = bench.calls();
        assert!(!calls.contains(&"refresh r1".to_owned()), "a used token was sent: {calls:?}");
    }
}

#[test]
fn over_several_runs_on_a_full_disk_each_token_follows_the_one_before() {
    let (mut bench, _) = full_disk(&corp());
    for _ in 0..4 {
        bench = bench.restarted();
        bench.plans(&[sso(&corp(), "dev")]);
        assert!(bench.get("dev").is_ok());
        bench.run(50 * MINUTE);
        assert_eq!(bench.unsaved.len(), 1);
    }
    let calls = bench.calls();
    let refreshes: Vec<_> = calls.iter().filter(|call| call.starts_with("refresh")).collect();
    let mut each = refreshes.clone();
    each.sort();
    each.dedup();
    assert!(refreshes.len() >= 4 && each.len() == refreshes.len(), "{refreshes:?}");
    bench.disk_is_full = false;
    bench.run(MINUTE);
    assert_eq!(bench.unsaved, []);
    assert_ne!(in_file(&bench, &corp()), "r1");
}

#[test]
fn a_token_that_another_program_wrote_meanwhile_wins() {
    let (bench, _) = full_disk(&corp());
    let mut bench = bench.restarted();
    bench.disk_is_full = false;
    bench.put(&corp(), 9, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    bench.run(MINUTE);
    assert_eq!((in_file(&bench, &corp()), bench.unsaved.len()), ("r9".to_owned(), 0));
    bench.calls();
    assert!(bench.got("dev", Wants::Renewal).is_ok());
    assert_eq!(bench.calls(), ["dev with a9"]);
}

#[test]
fn a_sign_out_while_no_daemon_runs_is_a_sign_out() {
    let (bench, _) = full_disk(&corp());
    let mut bench = bench.restarted();
    bench.disk_is_full = false;
    bench.disk.clear();
    bench.plans(&[sso(&corp(), "dev")]);
    bench.run(10 * MINUTE);
    assert!(bench.disk.is_empty() && bench.unsaved.is_empty());
    assert_eq!(bench.get("dev").unwrap_err().kind, RefusalKind::NeedsLogin);
}

#[test]
fn a_logout_and_the_next_sign_in_drop_what_was_kept() {
    let (mut bench, _) = full_disk(&corp());
    let login = bench.keeper.login_for(Some("corp")).unwrap();
    let caller = bench.caller();
    bench.handle(Event::Logout { caller, login });
    assert_eq!(bench.unsaved, []);

    let (mut bench, _) = full_disk(&corp());
    bench.disk_is_full = false;
    bench.log_in(Some("corp"), 7);
    assert_eq!((in_file(&bench, &corp()), bench.unsaved.len()), ("r7".to_owned(), 0));
}

#[test]
fn a_sign_in_without_a_file_is_written_by_the_next_run_and_a_session_that_is_gone_is_waited_for() {
    let mut bench = Bench::new();
    bench.plans(&[sso(&corp(), "dev")]);
    bench.disk_is_full = true;
    bench.log_in(Some("corp"), 7);
    assert_eq!(bench.unsaved.len(), 1);
    // The profile is edited away, and the daemon is restarted without it.
    bench.plans(&[]);
    let mut bench = bench.restarted();
    bench.disk_is_full = false;
    bench.plans(&[]);
    bench.run(10 * MINUTE);
    assert_eq!(bench.keeper.unsaved().len(), 1);
    bench.plans(&[sso(&corp(), "dev")]);
    bench.run(MINUTE);
    assert_eq!((in_file(&bench, &corp()), bench.unsaved.len()), ("r7".to_owned(), 0));
    assert!(bench.get("dev").is_ok());
}

#[test]
fn the_last_writes_of_a_daemon_that_ends_count() {
    let (mut bench, newest) = full_disk(&corp());
    bench.disk_is_full = false;
    let orders = bench.keeper.last_saves(bench.now());
    assert_eq!(orders.len(), 1);
    for order in orders {
        let outcome = bench.refresh(&order);
        bench.end(order.ticket, outcome);
    }
    assert_eq!((in_file(&bench, &corp()), bench.unsaved.len()), (newest, 0));
}

fn of_root() -> CacheProblem {
    CacheProblem {
        path: "/c/x.json".to_owned(),
        directory: "/c".to_owned(),
        why: "of root".to_owned(),
        fix: Some("sudo chown me /c".to_owned()),
        is_full: false,
        is_tried: false,
        is_not_regular: false,
    }
}

#[test]
fn a_file_that_can_be_neither_read_nor_replaced_is_no_case_for_a_sign_in_but_for_its_owner() {
    let mut bench = Bench::new();
    bench.put(&corp(), 1, HOUR);
    bench.plans(&[sso(&corp(), "dev")]);
    let file = corp().cache_file();
    bench.handle(Event::CacheChecked { file: file.clone(), problem: Some(Box::new(of_root())) });
    bench.handle(Event::SessionFile { file, found: Found::Unreadable("permission denied".to_owned()) });
    assert!(bench.get("dev").is_ok(), "the token that is known goes on");
    let mut bench = bench.restarted();
    bench.disk_is_slow = true;
    bench.plans(&[sso(&corp(), "dev")]);
    let file = corp().cache_file();
    bench.handle(Event::CacheChecked { file: file.clone(), problem: Some(Box::new(of_root())) });
    bench.handle(Event::SessionFile { file, found: Found::Unreadable("permission denied".to_owned()) });
    let refusal = bench.got("dev", Wants::Renewal).unwrap_err();
    assert_eq!((refusal.kind, refusal.fix.as_deref()), (RefusalKind::Failed, Some("sudo chown me /c")));
}

#[test]
fn a_token_that_cannot_be_renewed_is_used_to_its_last_second() {
    let locked = || evercred::core::aws_error::fault("a refresh", None, Some("CacheFailed"), Some("it is locked"));
    for is_locked in [false, true] {
        let mut bench = Bench::new();
        bench.put(&corp(), 1, 40 * SECOND);
        if is_locked {
            bench.oidc_says = Some(locked);
        }
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        bench.plans(&names.iter().map(|name| sso(&corp(), name)).collect::<Vec<_>>());
        if !is_locked {
            let problem = Some(Box::new(of_root()));
            bench.handle(Event::CacheChecked { file: corp().cache_file(), problem });
        }
        for name in &names[..7] {
            assert!(bench.get(name).is_ok(), "{is_locked}: {name}");
            bench.run(5 * SECOND);
        }
        bench.run(6 * SECOND);
        assert!(bench.get(&names[7]).is_err(), "{is_locked}");
    }
}
