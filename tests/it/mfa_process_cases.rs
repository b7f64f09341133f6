//! MFA behind a `credential_process`: which call the code goes to depends on what the program prints.

use chrono::TimeDelta;
use evercred::core::aws_file;
use evercred::core::credential::Credentials;
use evercred::core::keeper::*;
use evercred::core::plan::{PlanContext, Source, resolve_all, resolve_sso_sessions};
use evercred::core::secret::Secret;

use crate::keeper_cases::{Bench, HOUR};

const CONFIG: &str = "[profile op]\ncredential_process = /opt/vault get\n\
    [profile r1]\nrole_arn = arn:aws:iam::111122223333:role/R1\nsource_profile = op\nmfa_serial = device\nregion = eu-west-1\n\
    [profile r2]\nrole_arn = arn:aws:iam::111122223333:role/R2\nsource_profile = op\nmfa_serial = device\nregion = eu-west-1\n";

/// The plans of the files, as the daemon makes them with what the keeper remembers.
fn make_plans(bench: &mut Bench) {
    let profiles = aws_file::load(Some(CONFIG), None);
    let temporary_processes = bench.keeper.memory().temporary_processes.clone();
    let context = PlanContext { temporary_processes, ..PlanContext::default() };
    bench.handle(Event::Plans {
        profiles: resolve_all(&profiles, &context),
        sso_sessions: resolve_sso_sessions(&profiles, &context),
    });
}

/// What the program prints; everything else goes well.
fn vault(order: &MintOrder, session_token: Option<&str>) -> Option<Outcome> {
    matches!(order.step.source, Source::Process { .. }).then(|| {
        Outcome::Minted(Credentials {
            access_key_id: if session_token.is_some() { "ASIAVAULT" } else { "AKIAVAULT" }.to_owned(),
            secret_access_key: Secret::new("k"),
            session_token: session_token.map(Secret::new),
            expires_at: None,
            account_id: None,
        })
    })
}

#[test]
fn one_code_serves_every_role_behind_a_program_that_prints_a_users_key() {
    let mut bench = Bench::new();
    make_plans(&mut bench);
    let mut calls = Vec::new();
    let mut aws = |order: &MintOrder| {
        if !matches!(order.step.source, Source::Process { .. }) {
            calls.push((order.step.source.service().is_some(), order.mfa_code.is_some()));
        }
        vault(order, None)
    };
    assert!(bench.log_in("r1", "111111", &mut aws).is_ok());
    assert!(bench.ask_and_wait("r2", &mut aws).is_ok(), "no second code");
    bench.run(3 * HOUR, &mut aws);
    assert!(bench.ask_and_wait("r1", &mut aws).is_ok(), "renewed without a code");
    let with_code = calls.iter().filter(|(_, code)| *code).count();
    assert_eq!(with_code, 1, "{calls:?}");
    assert!(bench.keeper.memory().temporary_processes.is_empty());
}

#[test]
fn a_code_typed_before_the_program_printed_temporary_credentials_goes_with_the_role() {
    let mut bench = Bench::new();
    make_plans(&mut bench);
    let mut session_tokens = 0;
    let mut codes = Vec::new();
    let mut aws = |order: &MintOrder| {
        session_tokens += u32::from(matches!(order.step.source, Source::SessionToken(_)));
        if let (Source::AssumeRole(role), Some(code)) = (&order.step.source, &order.mfa_code) {
            codes.push((role.role_arn.clone(), code.expose().to_owned()));
        }
        vault(order, Some("t"))
    };
    bench.replan_with(make_plans);
    assert!(bench.log_in("r1", "111111", &mut aws).is_ok());
    assert_eq!((session_tokens, codes.len()), (0, 1), "{codes:?}");
    assert_eq!(codes[0].1, "111111");
    assert_eq!(bench.keeper.memory().temporary_processes.len(), 1, "the next start plans right at once");
    assert_eq!(bench.status("r2").state, State::NeedsLogin);
}

#[test]
fn a_program_that_prints_a_users_key_again_goes_back_to_one_code_for_all() {
    let mut bench = Bench::new();
    make_plans(&mut bench);
    bench.replan_with(make_plans);
    assert!(bench.log_in("r1", "111111", &mut |order| vault(order, Some("t"))).is_ok());
    bench.run(TimeDelta::minutes(2).num_milliseconds(), &mut |order| vault(order, Some("t")));
    bench.ask("op", Wants::Renewal);
    bench.run(HOUR, &mut |order| vault(order, None));
    assert!(bench.keeper.memory().temporary_processes.is_empty());
    let mut session_tokens = 0;
    let mut aws = |order: &MintOrder| {
        session_tokens += u32::from(matches!(order.step.source, Source::SessionToken(_)));
        vault(order, None)
    };
    assert!(bench.log_in("r1", "222222", &mut aws).is_ok());
    assert!(bench.ask_and_wait("r2", &mut aws).is_ok());
    assert_eq!(session_tokens, 1);
}
