use super::*;
use crate::core::doctor::testing::{answers, commands, evidence, found, one, refusal, report};
use crate::core::doctor::{DaemonFacts, DaemonProfile, LastError, Report};
use Certainty::{Confirmed, Likely, Possible};
use Severity::{Error, Warning};

const MODERN: &str = "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n\
                      [profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Admin\n";
const LEGACY: &str = "[profile dev]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n\
                      sso_account_id = 111122223333\nsso_role_name = Admin\n";
const LOGIN: &str = "[profile dev]\nlogin_session = arn:aws:iam::111122223333:user/me\n";
const KEYS: &str = "[profile dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n";

fn daemon(session: &str, state: State, error: Option<LastError>) -> Daemon {
    let sessions =
        vec![DaemonSession { name: session.to_owned(), login_name: session.to_owned(), state, last_error: error }];
    Daemon::Answers(Box::new(DaemonFacts { sessions, ..DaemonFacts::default() }))
}

fn silent() -> Daemon {
    Daemon::Silent { why: "there is none".to_owned(), other_files: false }
}

fn error(code: &str) -> LastError {
    let class = refusal(code).class;
    LastError {
        operation: None,
        detail: None,
        code: code.to_owned(),
        class,
        message: format!("it failed: {code}"),
        fix: None,
    }
}

fn of(config: &str, daemon: Daemon, outcome: Option<StepOutcome>) -> Report {
    let mut evidence = evidence(config, "", &[], "dev");
    evidence.daemon = daemon;
    let kind = if config == LOGIN { "login" } else { "sso" };
    let step = |outcome| StepAnswer {
        profile: "dev".to_owned(),
        kind: kind.to_owned(),
        outcome,
        printed: None,
        stated_account: None,
        identity: None,
    };
    let chain = outcome.map(|outcome| (About::Chain, Answer::Chain { steps: vec![step(outcome)] }));
    report(&evidence, &answers(chain.into_iter().collect()), &RULE)
}

fn refused(code: &str) -> Option<StepOutcome> {
    Some(StepOutcome::Refused(refusal(code)))
}

#[test]
fn without_a_sign_in_all_was_looked_for() {
    let report = of(KEYS, silent(), None);
    assert!(report.findings.is_empty() && report.not_checked.is_empty(), "{report:#?}");
    let of_sign_in = [Cause::SessionRevoked, Cause::SsoLoginNeeded, Cause::SsoRoleDenied, Cause::SsoCacheUnwritable];
    assert!(of_sign_in.iter().all(|id| report.checked.contains(id)), "{report:#?}");
}

#[test]
fn a_session_that_gave_credentials_is_alive() {
    let passed = StepOutcome::Passed { expires_at: None, arn: None };
    // What the daemon met before is over.
    let report = of(MODERN, daemon("corp", State::NeedsLogin, Some(error("UnauthorizedException"))), Some(passed));
    assert!(report.findings.is_empty() && report.not_checked.is_empty(), "{report:#?}");
}

#[test]
fn the_sign_in_is_that_of_the_session_and_of_who_is_there() {
    let nobody = || Some(StepOutcome::NotSignedIn { why: "there is no token".to_owned(), renews: false });
    let keeps = |name: &str| daemon(name, State::NeedsLogin, None);
    for (config, daemon, command) in [
        (
            MODERN,
            silent(),
            &["evercred service install && evercred login corp", "aws sso login --sso-session corp"][..],
        ),
        (LEGACY, silent(), &["evercred service install && evercred login dev", "aws sso login --profile dev"]),
        (LOGIN, silent(), &["evercred service install && evercred login dev", "aws login --profile dev"]),
        (MODERN, keeps("corp"), &["evercred login corp"]),
        (MODERN, daemon("corp", State::Fresh, None), &["evercred login --force corp"]),
        (LEGACY, keeps("x"), &["evercred login dev"]),
        (LOGIN, keeps("x"), &["evercred login dev"]),
    ] {
        let report = of(config, daemon, nobody());
        assert_eq!(found(&report), [(Cause::SsoLoginNeeded, Error, Confirmed)]);
        assert_eq!(commands(&report.findings[0]), command, "{config}");
    }
}

#[test]
fn a_token_that_renews_itself_and_one_that_was_not_tried_are_no_sign_that_somebody_is_needed() {
    let old = of(MODERN, silent(), Some(StepOutcome::NotSignedIn { why: "it ended".to_owned(), renews: true }));
    assert_eq!(found(&old), [(Cause::SsoLoginNeeded, Warning, Possible)]);
    let late = of(MODERN, silent(), Some(StepOutcome::Untried { why: "there was no time left to ask".to_owned() }));
    assert!(late.findings.is_empty() && late.not_checked.len() == 3, "{late:#?}");
}

#[test]
fn each_refusal_has_its_meaning() {
    for (config, code, expected) in [
        (MODERN, "InvalidGrantException", vec![(Cause::SsoLoginNeeded, Error, Confirmed)]),
        (MODERN, "SsoCacheUnusable", vec![(Cause::SsoLoginNeeded, Error, Confirmed)]),
        (MODERN, "StartUrlUnknown", vec![(Cause::ProfileBroken, Error, Confirmed)]),
        (MODERN, "ForbiddenException", vec![(Cause::SsoRoleDenied, Error, Confirmed)]),
        (MODERN, "ResourceNotFoundException", vec![(Cause::SsoRoleDenied, Error, Confirmed)]),
        (
            MODERN,
            "UnauthorizedException",
            vec![(Cause::SsoLoginNeeded, Error, Confirmed), (Cause::SessionRevoked, Error, Likely)],
        ),
        (
            LOGIN,
            "USER_CREDENTIALS_CHANGED",
            vec![(Cause::SessionRevoked, Error, Confirmed), (Cause::SsoLoginNeeded, Error, Confirmed)],
        ),
        (LOGIN, "TOKEN_EXPIRED", vec![(Cause::SsoLoginNeeded, Error, Confirmed)]),
        (LOGIN, "INSUFFICIENT_PERMISSIONS", vec![(Cause::SsoRoleDenied, Error, Confirmed)]),
        (MODERN, "InvalidRequestException", vec![(Cause::SsoRoleDenied, Error, Confirmed)]),
        (MODERN, "NobodyKnowsThisCode", vec![(Cause::SsoRoleDenied, Error, Confirmed)]),
        (MODERN, "Timeout", vec![]),
        (MODERN, "TooManyRequestsException", vec![]),
        (MODERN, "InternalServerException", vec![]),
    ] {
        let report = of(config, silent(), refused(code));
        assert_eq!(found(&report), expected, "{code}");
        let of_sign_in = [Cause::SsoLoginNeeded, Cause::SsoRoleDenied];
        let is_found = |id: Cause| report.findings.iter().any(|finding| finding.id == id);
        // The portal gives or denies a role only to a session that it accepts.
        let is_alive = ["ForbiddenException", "ResourceNotFoundException"].contains(&code);
        for id in of_sign_in.into_iter().filter(|id| !is_found(*id)) {
            assert_eq!(report.not_checked.contains_key(&id), !is_alive, "{id} {code}: {report:#?}");
        }
    }
}

#[test]
fn a_role_that_is_not_given_is_looked_up_and_asked_for() {
    let report = of(MODERN, daemon("corp", State::Fresh, None), refused("ForbiddenException"));
    let finding = one(&report, Cause::SsoRoleDenied);
    assert_eq!(finding.title, "IAM Identity Center does not give the role Admin in account 111122223333");
    assert_eq!(commands(finding), ["evercred profiles --sso corp"]);
    assert!(finding.fix[1].text.contains("administrator"));
}

#[test]
fn where_nothing_was_tried_the_daemon_knows() {
    let waits = of(MODERN, daemon("corp", State::NeedsLogin, Some(error("InvalidGrantException"))), None);
    assert_eq!(found(&waits), [(Cause::SsoLoginNeeded, Error, Confirmed)]);
    assert!(waits.findings[0].evidence.iter().any(|said| said.contains("InvalidGrantException")));
    for open in [
        of(MODERN, silent(), None),
        of(MODERN, daemon("another", State::NeedsLogin, None), None),
        // A cached token is not an answer of AWS.
        of(MODERN, daemon("corp", State::Fresh, None), None),
    ] {
        assert!(open.findings.is_empty(), "{open:#?}");
        assert_eq!(open.not_checked.len(), 3);
    }
}

#[test]
fn what_the_daemon_met_at_the_role_is_known_too() {
    let with = |code: &str| {
        let mut daemon = daemon("corp", State::Fresh, None);
        if let Daemon::Answers(facts) = &mut daemon {
            facts.profiles = vec![DaemonProfile {
                renewed_at: None,
                expires_at: None,
                name: "dev".to_owned(),
                kind: "sso".to_owned(),
                state: State::Failed,
                valid: None,
                last_error: Some(error(code)),
            }];
        }
        of(MODERN, daemon, None)
    };
    assert_eq!(found(&with("ForbiddenException")), [(Cause::SsoRoleDenied, Error, Confirmed)]);
    let unauthorized = [(Cause::SsoLoginNeeded, Error, Confirmed), (Cause::SessionRevoked, Error, Possible)];
    assert_eq!(found(&with("UnauthorizedException")), unauthorized);
    assert!(with("AccessDenied").findings.is_empty());
}

#[test]
fn without_a_profile_the_sessions_that_wait_are_named() {
    let mut evidence = evidence("", "", &[], "");
    evidence.daemon = daemon("corp", State::NeedsLogin, None);
    let report = report(&evidence, &answers(Vec::new()), &RULE);
    assert_eq!(found(&report), [(Cause::SsoLoginNeeded, Warning, Confirmed)]);
    assert_eq!(commands(&report.findings[0]), ["evercred login corp"]);
}
