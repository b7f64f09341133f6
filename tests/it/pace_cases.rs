//! How often a program or AWS is called whose credentials live for moments.

use evercred::core::keeper::*;
use evercred::core::plan::*;

use crate::keeper_cases::{Bench, HOUR, MINUTE, SECOND, keep_all, plan, role, simple};

fn program(profile: &str) -> Step {
    Step { profile: profile.to_owned(), source: Source::Process { command: "print".to_owned() } }
}

/// How often the program is run in the first ten minutes, and in each of three hours after them.
fn runs(bench: &mut Bench) -> Vec<usize> {
    let mut hours = Vec::new();
    for millis in [10 * MINUTE, HOUR, HOUR, HOUR] {
        let mut count = 0;
        bench.run(millis, &mut |order| {
            count += usize::from(matches!(order.step.source, Source::Process { .. }));
            None
        });
        hours.push(count);
    }
    hours
}

#[test]
fn a_program_whose_credentials_live_for_moments_is_not_run_in_a_loop() {
    for (life, most) in [(-1, 12), (0, 12), (1, 12), (500, 12), (1_500, 75), (2_000, 75), (30_000, 61)] {
        for renew in [None, Some(RenewAs::Auto)] {
            for is_time_known in [true, false] {
                let mut bench = Bench::with(keep_all(), 0);
                bench.set_dated(is_time_known);
                bench.program_life = life;
                let vault = Plan { renew, ..plan("vault", vec![program("vault")]) };
                bench.plans(&[vault, simple("other")]);
                bench.run(MINUTE, &mut |_| None);
                bench.ask("vault", Wants::Credentials);
                let runs = runs(&mut bench);
                let case = format!("{life} ms, {renew:?}, time known: {is_time_known}: {runs:?}");
                assert!(runs[0] < 60, "{case}");
                let most = if is_time_known { most } else { 75 };
                assert!(runs[1..].iter().all(|runs| *runs <= most), "{case}");
            }
        }
    }
}

#[test]
fn a_source_whose_credentials_are_over_before_they_sign_is_not_called_in_a_loop() {
    for life in [1, 500, 1_500, 2_500] {
        for is_time_known in [true, false] {
            let mut bench = Bench::with(keep_all(), 0);
            bench.set_dated(is_time_known);
            bench.program_life = life;
            let chain = vec![program("vault"), role("dev", "eu-west-1", None)];
            bench.plans(&[Plan { renew: Some(RenewAs::Auto), ..plan("dev", chain) }, simple("other")]);
            bench.run(MINUTE, &mut |_| None);
            bench.ask("dev", Wants::Credentials);
            let runs = runs(&mut bench);
            assert!(runs[0] < 60 && runs[1..].iter().all(|runs| *runs <= 75), "{life} ms: {runs:?}");
        }
    }
}

#[test]
fn callers_get_credentials_that_live_for_seconds_whenever_they_ask() {
    let mut bench = Bench::new();
    bench.program_life = 3 * SECOND;
    bench.plans(&[plan("vault", vec![program("vault")]), simple("other")]);
    assert!(bench.ask_and_wait("other", &mut |_| None).is_ok());
    for _ in 0..200 {
        assert!(bench.ask_and_wait("vault", &mut |_| None).is_ok());
        bench.run(2 * SECOND, &mut |_| None);
    }
}

#[test]
fn callers_that_ask_in_a_loop_run_a_program_once_a_second() {
    let mut bench = Bench::new();
    bench.set_dated(false);
    bench.program_life = 1;
    bench.plans(&[plan("vault", vec![program("vault")])]);
    let mut runs = 0;
    for _ in 0..600 {
        bench.ask("vault", Wants::Credentials);
        bench.run(SECOND / 10, &mut |_| {
            runs += 1;
            None
        });
    }
    assert!(runs <= 75, "{runs}");
}
