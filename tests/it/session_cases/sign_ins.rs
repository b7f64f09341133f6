//! People's sign-ins, and what is learned from them.

use chrono::TimeDelta;
use evercred::core::aws_error;
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::session::*;

use super::bench::*;

fn nobody_signed_in() -> Bench {
    let mut bench = Bench::new();
    bench.plans_and(&[sso(&corp(), "dev"), sso(&corp(), "test")], &[sso_session()]);
    bench
}

fn begin(bench: &mut Bench, name: Option<&str>, flow: Flow) -> CallerId {
    let Login::SignIn(session) = bench.keeper.login_for(name).unwrap() else { panic!("no session") };
    let caller = bench.caller();
    bench.handle(Event::SignIn { caller, session, flow });
    // AWS's time is looked at first.
    bench.serve();
    caller
}

fn prompted(bench: &mut Bench, ticket: Ticket) {
    let prompt = Prompt {
        url: "https://corp.awsapps.com/start/#/device".to_owned(),
        user_code: Some("ABCD-EFGH".to_owned()),
        url_with_code: None,
        expires_in: TimeDelta::minutes(10),
        pastes_code: false,
        warning: None,
    };
    bench.handle(Event::SignInBegun { ticket, prompt });
}

fn awaits(bench: &mut Bench, sign_in: Ticket) -> CallerId {
    let caller = bench.caller();
    bench.handle(Event::AwaitSignIn { caller, sign_in });
    caller
}

/// The sign-in that a caller was told of.
fn told(bench: &mut Bench, caller: CallerId) -> Ticket {
    match bench.answers.remove(&caller) {
        Some(Answer::SignIn { sign_in, session, .. }) => {
            assert_eq!(session, "corp");
            sign_in
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sign_in_is_prompted_waited_for_and_serves_everybody_at_once() {
    let mut bench = nobody_signed_in();
    assert!(bench.get("dev").is_err() && bench.get("test").is_err());
    let caller = begin(&mut bench, Some("dev"), Flow::DeviceCode);
    let order = &bench.sign_ins[0];
    assert_eq!(order.flow, Flow::DeviceCode);
    let ticket = order.ticket;
    assert!(bench.answers.is_empty());
    prompted(&mut bench, ticket);
    let sign_in = told(&mut bench, caller);
    let waiter = awaits(&mut bench, sign_in);
    bench.run(19 * SECOND);
    assert!(bench.answers.is_empty());
    bench.run(2 * SECOND);
    assert!(matches!(bench.answers.remove(&waiter), Some(Answer::NotYet { .. })));
    let waiter = awaits(&mut bench, sign_in);
    bench.run(5 * SECOND);
    bench.signed_in(1);
    let Some(Answer::SignedIn { session, profiles, .. }) = bench.answers.remove(&waiter) else { panic!("not told") };
    assert_eq!((session.as_str(), profiles), ("corp", 2));
    bench.run(SECOND);
    assert_eq!(bench.calls(), ["dev with a1", "test with a1"]);
    // Who asks a moment later hears the same, and much later that nobody knows of it.
    let late = awaits(&mut bench, sign_in);
    assert!(matches!(bench.answers.remove(&late), Some(Answer::SignedIn { .. })));
    bench.run(5 * MINUTE);
    let late = awaits(&mut bench, sign_in);
    assert!(matches!(bench.answers.remove(&late), Some(Answer::Refused(_))));
    assert_eq!(bench.cancelled, []);
}

#[test]
fn two_who_sign_in_do_it_together() {
    let mut bench = nobody_signed_in();
    let (first, second) =
        (begin(&mut bench, Some("dev"), Flow::Browser), begin(&mut bench, Some("corp"), Flow::Browser));
    assert_eq!(bench.sign_ins.len(), 1);
    let ticket = bench.sign_ins[0].ticket;
    prompted(&mut bench, ticket);
    let third = begin(&mut bench, Some("test"), Flow::Browser);
    let tickets = [first, second, third].map(|caller| told(&mut bench, caller));
    assert!(tickets.iter().all(|other| *other == ticket) && bench.sign_ins.len() == 1);
    let waiters = tickets.map(|ticket| awaits(&mut bench, ticket));
    bench.signed_in(1);
    assert!(waiters.iter().all(|waiter| matches!(bench.answers[waiter], Answer::SignedIn { .. })));
}

#[test]
fn another_way_of_signing_in_takes_the_place_of_the_first() {
    let mut bench = nobody_signed_in();
    let first = begin(&mut bench, None, Flow::Browser);
    begin(&mut bench, None, Flow::DeviceCode);
    assert!(matches!(&bench.answers[&first], Answer::Refused(refusal) if refusal.message.contains("another sign-in")));
    assert_eq!(bench.cancelled, [bench.sign_ins[0].ticket]);
    // What the first one still brings is nobody's.
    let order = bench.sign_ins.pop_front().unwrap();
    bench.end(order.ticket, Outcome::Failed(timeout()));
    let ticket = bench.sign_ins[0].ticket;
    prompted(&mut bench, ticket);
    bench.signed_in(1);
    assert!(bench.get("dev").is_ok());
}

#[test]
fn a_sign_in_that_nobody_waits_for_any_more_is_given_up() {
    let mut bench = nobody_signed_in();
    let caller = begin(&mut bench, None, Flow::Browser);
    let ticket = bench.sign_ins[0].ticket;
    prompted(&mut bench, ticket);
    told(&mut bench, caller);
    let waiter = awaits(&mut bench, ticket);
    bench.run(5 * SECOND);
    bench.handle(Event::CallerGone(waiter));
    bench.run(8 * SECOND);
    // Somebody else comes just in time, and has as long as anybody to ask for the end.
    let other = begin(&mut bench, None, Flow::Browser);
    told(&mut bench, other);
    bench.run(5 * SECOND);
    assert_eq!(bench.cancelled, []);
    let waiter = awaits(&mut bench, ticket);
    bench.handle(Event::CallerGone(waiter));
    bench.run(11 * SECOND);
    assert_eq!(bench.cancelled, [ticket]);
    assert_eq!(bench.session_status().state, State::NeedsLogin);
}

#[test]
fn a_page_that_nobody_answers_is_given_up_and_said() {
    let mut bench = nobody_signed_in();
    let caller = begin(&mut bench, None, Flow::Browser);
    let ticket = bench.sign_ins[0].ticket;
    prompted(&mut bench, ticket);
    told(&mut bench, caller);
    for _ in 0..100 {
        let waiter = awaits(&mut bench, ticket);
        bench.run(20 * SECOND);
        match bench.answers.remove(&waiter) {
            Some(Answer::NotYet { .. }) => {}
            Some(Answer::Refused(refusal)) => {
                assert!(refusal.message.contains("in time"), "{}", refusal.message);
                assert_eq!(bench.cancelled, [ticket]);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn a_denied_sign_in_says_so_and_changes_nothing() {
    let mut bench = nobody_signed_in();
    bench.write(&corp(), 1, HOUR);
    assert!(bench.get("dev").is_ok());
    let caller = begin(&mut bench, None, Flow::Browser);
    let order = bench.sign_ins.pop_front().unwrap();
    let fault = aws_error::fault("signing in", None, Some("SignInRefused"), Some("access_denied"));
    bench.end(order.ticket, Outcome::Failed(fault));
    let Some(Answer::Refused(refusal)) = bench.answers.remove(&caller) else { panic!("not told") };
    assert_eq!(refusal.kind, RefusalKind::NeedsLogin);
    assert!(bench.get("dev").is_ok());
    assert_eq!(bench.session_status().state, State::Fresh);
}

#[test]
fn login_without_a_name_means_the_only_session() {
    let mut bench = nobody_signed_in();
    assert!(matches!(bench.keeper.login_for(None), Ok(Login::SignIn(_))));
    let other = SsoSession { name: Some("other".to_owned()), ..sso_session() };
    bench.plans_and(&[sso(&corp(), "dev")], &[other]);
    let refusal = bench.keeper.login_for(None).unwrap_err();
    assert!(refusal.message.contains("corp, other"), "{}", refusal.message);
    assert!(bench.keeper.login_for(Some("other")).is_ok());
    let refusal = bench.keeper.login_for(Some("othr")).unwrap_err();
    assert!(refusal.message.contains("other"), "{}", refusal.message);
    let mut bench = Bench::new();
    bench.plans(&[]);
    assert_eq!(bench.keeper.login_for(None).unwrap_err().kind, RefusalKind::MissingProfile);
}

#[test]
fn a_login_session_has_both_flows_and_the_legacy_form_one() {
    for flow in [Flow::DeviceCode, Flow::Browser] {
        let Session::Login(session) = login_session() else { panic!("of another kind") };
        let mut bench = Bench::new();
        bench.plans(&[plan("me", vec![Source::Login(session)])]);
        begin(&mut bench, Some("me"), flow);
        assert_eq!(bench.sign_ins[0].flow, flow);
        bench.signed_in(1);
        assert!(bench.get("me").is_ok());
    }
    let mut bench = Bench::new();
    bench.plans(&[sso(&legacy(), "dev")]);
    begin(&mut bench, Some("dev"), Flow::Browser);
    assert_eq!(bench.sign_ins[0].flow, Flow::DeviceCode);
}

#[test]
fn the_roles_of_who_is_signed_in_are_listed_in_order() {
    let mut bench = nobody_signed_in();
    let caller = bench.caller();
    bench.handle(Event::ListRoles { caller, session: "corp".to_owned() });
    assert!(matches!(&bench.answers[&caller], Answer::Refused(refusal) if refusal.kind == RefusalKind::NeedsLogin));
    bench.log_in(None, 1);
    let caller = bench.caller();
    bench.handle(Event::ListRoles { caller, session: "corp".to_owned() });
    let order = bench.roles.pop_front().unwrap();
    assert_eq!(order.token.expose(), "a1");
    let account = |id: &str, roles: &[&str]| Account {
        id: id.to_owned(),
        name: String::new(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    bench.end(order.ticket, Outcome::Roles(vec![account("2", &["b", "a"]), account("1", &[])]));
    let Some(Answer::Roles { accounts, .. }) = bench.answers.remove(&caller) else { panic!("not told") };
    assert_eq!(accounts, [account("1", &[]), account("2", &["a", "b"])]);
}

/// A day of a session that AWS ends after eight hours.
fn working_day(bench: &mut Bench, number: u32) {
    bench.oidc_says = None;
    bench.log_in(Some("corp"), number);
    for _ in 0..8 * 6 {
        bench.run(10 * MINUTE);
        assert!(bench.get("dev").is_ok());
    }
    bench.oidc_says = Some(invalid_grant);
    bench.run(2 * HOUR);
    assert_eq!(bench.session_status().state, State::NeedsLogin);
}

#[test]
fn the_end_of_a_session_is_learned_from_two_before_it_and_told_ahead_once() {
    let mut bench = nobody_signed_in();
    working_day(&mut bench, 1);
    assert_eq!(bench.told("sso-session-ends"), 0, "nothing is known of the first");
    let length = bench.keeper.memory().sessions["corp"].length_ms.unwrap();
    assert!((7 * HOUR..=9 * HOUR).contains(&length), "{length}");
    bench.run(14 * HOUR);
    working_day(&mut bench, 2);
    assert_eq!(bench.told("sso-session-ends"), 0, "one observation is no estimate");
    bench.run(14 * HOUR);
    working_day(&mut bench, 3);
    assert_eq!(bench.told("sso-session-ends"), 1);
    bench.run(14 * HOUR);
    // It is remembered over a restart too.
    let mut bench = bench.restarted();
    bench.plans_and(&[sso(&corp(), "dev"), sso(&corp(), "test")], &[sso_session()]);
    bench.notices.clear();
    bench.oidc_says = None;
    bench.log_in(Some("corp"), 4);
    let ends_at = bench.session_status().ends_at.unwrap();
    assert_eq!(ends_at - bench.keeper.clock().best(bench.now()), TimeDelta::milliseconds(length));
    bench.run(length - 14 * MINUTE);
    assert_eq!(bench.told("sso-session-ends"), 1);
    assert_eq!(bench.session_status().warning.unwrap().id, "sso-session-ends");
}

#[test]
fn a_session_that_aws_ended_early_is_no_estimate_of_the_next() {
    let mut bench = nobody_signed_in();
    for number in 1..=3 {
        bench.oidc_says = Some(invalid_grant);
        bench.log_in(Some("corp"), number);
        bench.run(2 * HOUR);
        assert_eq!(bench.session_status().state, State::NeedsLogin);
        assert_eq!(bench.keeper.memory().sessions["corp"].length_ms, None);
    }
    bench.oidc_says = None;
    bench.log_in(Some("corp"), 4);
    let status = bench.session_status();
    assert_eq!((status.state, status.ends_at, status.warning), (State::Fresh, None, None));
}

#[test]
fn an_estimate_that_has_passed_is_dropped() {
    let mut bench = nobody_signed_in();
    working_day(&mut bench, 1);
    working_day(&mut bench, 2);
    bench.oidc_says = None;
    bench.log_in(Some("corp"), 3);
    assert!(bench.session_status().ends_at.is_some());
    bench.run(10 * HOUR);
    let status = bench.session_status();
    assert_eq!((status.state, status.ends_at, status.warning), (State::Fresh, None, None));
}

#[test]
fn a_session_that_was_ended_by_hand_teaches_nothing() {
    let mut bench = nobody_signed_in();
    bench.log_in(None, 1);
    bench.run(2 * HOUR);
    bench.delete(&corp());
    bench.log_in(None, 2);
    assert_eq!(bench.keeper.memory().sessions["corp"].length_ms, None);
    assert_eq!(bench.session_status().ends_at, None, "a registration ends months after the session");
}

#[test]
fn sessions_are_shown_with_their_state_their_end_and_how_many_stand_behind_them() {
    let mut bench = nobody_signed_in();
    let status = bench.session_status();
    assert_eq!((status.name.as_str(), status.kind, status.profiles), ("corp", "sso", 2));
    assert_eq!((status.state, status.expires_at), (State::NeedsLogin, None));
    assert_eq!(status.error.unwrap().message, "you are not signed in to the SSO session \"corp\"");
    bench.write(&corp(), 1, HOUR);
    bench.run(SECOND);
    let status = bench.session_status();
    assert_eq!((status.state, status.error, status.warning), (State::Fresh, None, None));
    let left = status.expires_at.unwrap().as_millis() - bench.truth;
    assert!((59 * MINUTE..=HOUR).contains(&left));
}
