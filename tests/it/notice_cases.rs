//! What a person is told of credentials: each cause once, nothing that is not so, and that it is over.

use evercred::core::aws_error;
use evercred::core::credential::Credentials;
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::session::Session;
use evercred::core::time::AwsTime;

use crate::keeper_cases::{
    Bench, HOUR, MINUTE, SECOND, about, behind_mfa, endpoint, keep_all, key, plan, refusal, role, simple, timeout,
    with_step,
};
use crate::session_cases::bench;

const DEVICE: &str = "arn:aws:iam::111122223333:mfa/me";

fn well(_: &MintOrder) -> Option<Outcome> {
    None
}

fn denied(order: &MintOrder) -> Option<Outcome> {
    (!about(order).is_empty()).then(|| refusal("AccessDenied", "not authorized to perform: sts:AssumeRole"))
}

fn throttled(order: &MintOrder) -> Option<Outcome> {
    (!about(order).is_empty()).then(|| refusal("Throttling", "Rate exceeded"))
}

/// A bench whose profiles have all been got, with the clock watched.
fn in_use(plans: &[Plan]) -> Bench {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(plans);
    bench.run(SECOND, &mut well);
    for plan in plans {
        assert!(bench.ask_and_wait(&plan.profile, &mut well).is_ok(), "{}", plan.profile);
    }
    bench
}

/// What was told, and is not over.
fn told<'a>(bench: &'a Bench, id: &str) -> Vec<&'a Notice> {
    bench.notices.iter().filter(|notice| notice.id == id && !notice.is_over).collect()
}

fn is_over(bench: &Bench) -> bool {
    bench.notices.last().is_some_and(|notice| notice.is_over)
}

#[test]
fn a_role_that_is_refused_from_now_on_is_told_once_with_the_reason_and_the_end() {
    let mut bench = in_use(&[simple("dev")]);
    let expires = bench.status("dev").expires_at.unwrap();
    bench.run(30 * MINUTE, &mut denied);
    assert!(bench.notices.is_empty(), "nothing is due yet");
    bench.run(20 * MINUTE, &mut denied);
    let all = told(&bench, CREDENTIALS_LOST);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(notice.subject, "dev");
    assert!(notice.message.contains("\"dev\"") && notice.message.contains(&expires.to_rfc3339()), "{notice:?}");
    assert!(notice.message.contains("not authorized") && notice.message.contains("ask an administrator"), "{notice:?}");
    assert!(!notice.message.contains("stand behind"), "{notice:?}");
    // Hours of refusals later, and whoever asks, it is still the same thing.
    for _ in 0..5 {
        bench.run(HOUR, &mut denied);
        assert!(bench.ask_and_wait("dev", &mut denied).is_err());
    }
    assert_eq!(bench.notices.len(), 1, "{:?}", bench.notices);
    assert!(bench.ask_and_wait("dev", &mut denied).is_err());
    bench.run(2 * HOUR, &mut well);
    assert!(is_over(&bench) && bench.notices.len() == 2, "{:?}", bench.notices);
    // It comes back, and is told again.
    bench.run(2 * HOUR, &mut denied);
    assert_eq!(told(&bench, CREDENTIALS_LOST).len(), 2);
}

#[test]
fn a_refusal_at_first_use_goes_to_who_asked_and_to_nobody_else() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(&[simple("dev")]);
    assert!(bench.ask_and_wait("dev", &mut denied).is_err());
    bench.run(5 * HOUR, &mut denied);
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
}

#[test]
fn a_long_session_is_told_of_when_no_try_is_left_and_not_hours_before() {
    let mut bench = in_use(&[plan("dev", vec![key("A"), role("dev", "eu-west-1", Some(43_200))])]);
    let expires = bench.status("dev").expires_at.unwrap();
    // Due when a third is left: four hours of tries, one an hour.
    bench.run(10 * HOUR, &mut denied);
    assert!(bench.notices.is_empty(), "somebody may mend it: {:?}", bench.notices);
    bench.run(2 * HOUR - MINUTE, &mut denied);
    assert_eq!(told(&bench, CREDENTIALS_LOST).len(), 1);
    assert!(expires > AwsTime::from_millis(bench.truth), "in time");
}

#[test]
fn a_parent_that_fails_for_ten_profiles_is_one_cause_that_counts_them() {
    let behind = |at: usize| {
        plan(
            &format!("p{at}"),
            vec![key("A"), role("mid", "eu-west-1", None), role(&format!("p{at}"), "eu-west-1", None)],
        )
    };
    let plans: Vec<Plan> = (0..10).map(behind).collect();
    let mut bench = in_use(&plans);
    let mut mid_denied = |order: &MintOrder| (about(order) == "mid").then(|| refusal("AccessDenied", "no"));
    bench.run(3 * HOUR, &mut mid_denied);
    let all = told(&bench, CREDENTIALS_LOST);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(notice.subject, "mid");
    assert!(notice.message.contains("10 profiles in use depend on it"), "{notice:?}");
}

#[test]
fn a_key_that_is_refused_is_one_cause_and_a_new_key_ends_it() {
    let mut bench = in_use(&[simple("dev"), simple("test")]);
    let mut inactive = |order: &MintOrder| {
        let is_old = order.base.as_ref().is_none_or(|base| base.access_key_id == "A");
        let is_old_key = matches!(&order.step.source, Source::Static(keys) if keys.access_key_id == "A");
        (is_old_key || (is_old && !about(order).is_empty())).then(|| refusal("InvalidClientTokenId", "invalid"))
    };
    bench.run(55 * MINUTE, &mut inactive);
    let all = told(&bench, CREDENTIALS_LOST);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(notice.subject, "base");
    assert!(notice.message.contains("2 profiles"), "{notice:?}");
    bench.plans(&["dev", "test"].map(|name| plan(name, vec![key("B"), role(name, "eu-west-1", None)])));
    bench.run(MINUTE, &mut inactive);
    assert!(is_over(&bench), "{:?}", bench.notices);
}

#[test]
fn throttling_is_told_of_in_the_last_minutes_only() {
    let mut bench = in_use(&[simple("dev")]);
    let expires = bench.status("dev").expires_at.unwrap();
    while bench.notices.is_empty() {
        bench.run(10 * SECOND, &mut throttled);
        assert!(expires > AwsTime::from_millis(bench.truth), "nobody was told");
    }
    let left = (expires - AwsTime::from_millis(bench.truth)).num_seconds();
    assert!(left <= 300, "{left} s before the end");
    assert_eq!(told(&bench, CREDENTIALS_LOST).len(), 1);
    bench.run(HOUR, &mut well);
    assert!(is_over(&bench) && bench.notices.len() == 2, "{:?}", bench.notices);
}

#[test]
fn throttling_that_passes_is_told_to_nobody() {
    let mut bench = in_use(&[simple("dev")]);
    bench.run(50 * MINUTE, &mut throttled);
    bench.run(3 * HOUR, &mut well);
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
}

#[test]
fn without_a_network_nobody_is_told_anything_whether_its_loss_was_seen_or_not() {
    fn nowhere(_: &MintOrder) -> Option<Outcome> {
        Some(timeout())
    }
    for is_seen in [true, false] {
        let mut bench = in_use(&[simple("dev"), simple("test")]);
        bench.set_dated(false);
        if is_seen {
            bench.handle(Event::Disturbed(Disturbance::Network));
        }
        bench.run(2 * HOUR, &mut nowhere);
        assert!(bench.notices.is_empty(), "{:?}", bench.notices);
        assert!(bench.ask_and_wait("dev", &mut nowhere).is_err(), "although it is lost");
        bench.set_dated(true);
        bench.run(HOUR, &mut well);
        assert!(bench.notices.is_empty(), "{:?}", bench.notices);
    }
}

#[test]
fn a_region_that_is_out_of_reach_while_others_answer_is_told_of() {
    let mut bench = in_use(&[
        plan("dev", vec![key("A"), role("dev", "eu-west-1", None)]),
        plan("far", vec![key("A"), role("far", "ap-east-1", None)]),
    ]);
    let mut far = |order: &MintOrder| (order.endpoint.region == "ap-east-1").then(timeout);
    bench.run(50 * MINUTE, &mut far);
    assert!(bench.notices.is_empty(), "there is time left: {:?}", bench.notices);
    bench.run(9 * MINUTE, &mut far);
    let all = told(&bench, CREDENTIALS_LOST);
    assert_eq!(all.iter().map(|notice| notice.subject.as_str()).collect::<Vec<_>>(), ["far"], "{all:?}");
}

#[test]
fn what_nobody_uses_any_more_is_not_told_of() {
    let mut bench = in_use(&[simple("dev")]);
    bench.run(12 * HOUR - MINUTE, &mut well);
    bench.run(10 * HOUR, &mut denied);
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
}

#[test]
fn a_cause_whose_profiles_nobody_uses_any_more_is_over() {
    let mut bench = in_use(&[simple("dev")]);
    bench.run(50 * MINUTE, &mut denied);
    assert_eq!(told(&bench, CREDENTIALS_LOST).len(), 1);
    bench.run(13 * HOUR, &mut denied);
    assert!(is_over(&bench), "{:?}", bench.notices);
    let mut bench = in_use(&[simple("dev")]);
    bench.run(50 * MINUTE, &mut denied);
    bench.plans(&[]);
    assert!(is_over(&bench), "and where it is in the files no more: {:?}", bench.notices);
}

#[test]
fn keys_in_a_file_that_have_expired_are_told_of_once_for_all_behind_them() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    let expires = AwsTime::from_millis(bench.truth + 30 * MINUTE);
    let keys = || {
        let mut step = key("ASIA");
        if let Source::Static(keys) = &mut step.source {
            (keys.session_token, keys.expires) = (Some(Secret::new("t")), StatedExpiry::At(expires));
        }
        step
    };
    bench.plans(&["dev", "test"].map(|name| plan(name, vec![keys(), role(name, "eu-west-1", None)])));
    assert!(bench.ask_and_wait("dev", &mut well).is_ok() && bench.ask_and_wait("test", &mut well).is_ok());
    bench.run(35 * MINUTE, &mut well);
    assert!(bench.notices.is_empty(), "what they gave is good: {:?}", bench.notices);
    bench.run(15 * MINUTE, &mut well);
    let all = told(&bench, CREDENTIALS_LOST);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert!(notice.message.contains("temporary keys of profile \"base\""), "{notice:?}");
    assert!(
        notice.fix.is_none() && notice.message.contains("the tool that wrote them"),
        "no command does that: {notice:?}"
    );
    assert!(notice.message.contains("2 profiles"), "{notice:?}");
}

#[test]
fn one_code_is_asked_for_once_for_all_profiles_that_wait_for_it() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(&[behind_mfa("dev"), behind_mfa("other"), behind_mfa("unused")]);
    bench.run(HOUR, &mut well);
    assert!(bench.notices.is_empty(), "nobody uses them");
    assert!(bench.ask_and_wait("dev", &mut well).is_err() && bench.ask_and_wait("other", &mut well).is_err());
    let all = told(&bench, MFA_REQUIRED);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((notice.subject.as_str(), notice.fix.as_deref()), (DEVICE, Some("evercred login dev")));
    assert!(notice.message.contains(DEVICE), "{notice:?}");
    bench.run(3 * HOUR, &mut well);
    assert_eq!(bench.notices.len(), 1);
    // A wrong code changes nothing; a right one ends it.
    let mut wrong = |order: &MintOrder| {
        order
            .mfa_code
            .as_ref()
            .map(|_| refusal("AccessDenied", "MultiFactorAuthentication failed with invalid MFA code"))
    };
    assert!(bench.log_in("dev", "000000", &mut wrong).is_err());
    assert_eq!(bench.notices.len(), 1, "{:?}", bench.notices);
    assert!(bench.log_in("dev", "111111", &mut well).is_ok());
    assert!(is_over(&bench) && bench.notices.len() == 2, "{:?}", bench.notices);
}

#[test]
fn a_code_that_a_new_key_needs_as_well_is_still_needed_and_told_once() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(&[behind_mfa("dev")]);
    assert!(bench.ask_and_wait("dev", &mut well).is_err());
    bench.run(MINUTE, &mut well);
    for id in ["B", "C", "D"] {
        let rotated = with_step(behind_mfa("dev"), 0, |step| *step = key(id));
        bench.plans(&[rotated]);
        bench.run(MINUTE, &mut well);
    }
    let all = |bench: &Bench| -> Vec<(String, bool)> {
        bench.notices.iter().map(|notice| (notice.subject.clone(), notice.is_over)).collect()
    };
    assert_eq!(all(&bench), [(DEVICE.to_owned(), false)]);
    assert!(bench.log_in("dev", "111111", &mut well).is_ok());
    assert_eq!(all(&bench), [(DEVICE.to_owned(), false), (DEVICE.to_owned(), true)]);
}

#[test]
fn the_end_of_a_session_that_cost_a_code_is_told_a_quarter_of_an_hour_ahead() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(&[behind_mfa("dev")]);
    assert!(bench.log_in("dev", "111111", &mut well).is_ok());
    for _ in 0..23 {
        assert!(bench.ask_and_wait("dev", &mut well).is_ok());
        bench.run(30 * MINUTE, &mut well);
    }
    bench.run(14 * MINUTE, &mut well);
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
    bench.run(2 * MINUTE, &mut well);
    let all = told(&bench, MFA_REQUIRED);
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert!(notice.message.contains("the current MFA session expires at"), "{notice:?}");
    assert!(bench.log_in("dev", "222222", &mut well).is_ok());
    bench.run(HOUR, &mut well);
    assert!(is_over(&bench) && bench.notices.len() == 2, "{:?}", bench.notices);
}

#[test]
fn a_program_that_prints_codes_leaves_a_person_in_peace() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    let plan = with_step(behind_mfa("dev"), 1, |step| {
        let Source::SessionToken(session) = &mut step.source else { panic!("{step:?}") };
        session.mfa_process = Some("oathtool".to_owned());
    });
    bench.plans(&[plan]);
    bench.set_printed("123456");
    assert!(bench.ask_and_wait("dev", &mut well).is_ok());
    bench.run(5 * HOUR, &mut well);
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
}

#[test]
fn without_a_network_at_the_start_nobody_is_asked_for_a_code_that_may_not_be_needed() {
    let mut bench = Bench::new();
    bench.handle(Event::Settings(keep_all()));
    bench.set_dated(false);
    bench.handle(Event::Home(endpoint("us-east-1")));
    bench.plans(&[behind_mfa("dev")]);
    bench.run(2 * HOUR, &mut |_| Some(timeout()));
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
    bench.set_dated(true);
    bench.run(2 * HOUR, &mut well);
    assert_eq!(told(&bench, MFA_REQUIRED).len(), 1);
}

#[test]
fn every_kind_of_session_that_needs_a_person_is_told_of_once_with_its_name_and_is_over_with_a_sign_in() {
    for (session, subject) in [
        (bench::corp(), "corp".to_owned()),
        (bench::legacy(), bench::legacy().label().to_owned()),
        (bench::login_session(), bench::login_session().label().to_owned()),
    ] {
        let mut bench = bench::Bench::new();
        bench.plans(&["dev", "test"].map(|name| match &session {
            Session::Sso(_) => bench::sso(&session, name),
            Session::Login(login) => bench::plan(name, vec![Source::Login(login.clone())]),
        }));
        assert!(bench.get("dev").is_err() && bench.get("test").is_err());
        bench.run(HOUR);
        let all: Vec<&Notice> = bench.notices.iter().filter(|notice| notice.id == SSO_LOGIN_NEEDED).collect();
        let [notice] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((&notice.subject, notice.is_over), (&subject, false));
        assert!(notice.fix.as_ref().unwrap().starts_with("evercred login "), "{notice:?}");
        bench.write(&session, 1, HOUR);
        let last = bench.notices.last().unwrap();
        assert_eq!((last.id, &last.subject, last.is_over), (SSO_LOGIN_NEEDED, &subject, true), "{:?}", bench.notices);
    }
}

#[test]
fn a_role_that_is_taken_away_behind_a_good_sign_in_is_told_of() {
    let mut bench = bench::Bench::new();
    bench.put(&bench::corp(), 1, HOUR);
    bench.plans(&[bench::sso(&bench::corp(), "dev")]);
    assert!(bench.get("dev").is_ok());
    let forbidden: fn() -> aws_error::Fault =
        || aws_error::fault("GetRoleCredentials", Some(403), Some("ForbiddenException"), Some("No access"));
    bench.portal_says.insert("dev".to_owned(), forbidden);
    bench.run(59 * MINUTE);
    assert_eq!(bench.told(CREDENTIALS_LOST), 1, "{:?}", bench.notices);
    assert_eq!(bench.notices.len(), 1, "{:?}", bench.notices);
}

#[test]
fn a_program_that_fails_when_it_is_run_ahead_is_told_of_as_it_is_not_run_again() {
    let mut bench = Bench::new();
    bench.handle(Event::Home(endpoint("us-east-1")));
    let tool = Step { profile: "tool".to_owned(), source: Source::Process { command: "tool".to_owned() } };
    bench.plans(&[plan("tool", vec![tool])]);
    let until = AwsTime::from_millis(bench.truth + 12 * HOUR);
    let mut good = |_: &MintOrder| {
        Some(Outcome::Minted(Credentials {
            access_key_id: "ASIA1".to_owned(),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expires_at: Some(until),
            account_id: None,
        }))
    };
    assert!(bench.ask_and_wait("tool", &mut good).is_ok());
    let mut locked = |_: &MintOrder| {
        Some(Outcome::Failed(aws_error::fault("the program", None, Some("ProcessFailed"), Some("the vault is locked"))))
    };
    let before = AwsTime::from_millis(bench.truth);
    while bench.notices.is_empty() {
        bench.run(MINUTE, &mut locked);
        assert!(until > AwsTime::from_millis(bench.truth), "nobody was told");
    }
    assert!(AwsTime::from_millis(bench.truth) - before > chrono::TimeDelta::hours(7), "before it was due");
    assert!(bench.notices[0].message.contains("the vault is locked"), "{:?}", bench.notices);
    let calls = bench.run(2 * HOUR, &mut locked);
    assert_eq!((calls, bench.notices.len()), (0, 1));
    assert!(bench.ask_and_wait("tool", &mut locked).is_ok(), "it is good to its end");
}
