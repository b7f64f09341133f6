//! Simulated months: the keeper with fifty profiles, a fake AWS and a fake machine, from wake-up to wake-up, with seeded
//! faults. Every seed is repeatable; `seeds` says which ones run.

mod aws;
mod clock;
mod lost;
mod machine;
mod month;
mod night;
mod seeds;
mod sso_edge;
mod sso_others;
mod sso_server;
mod sso_world;
mod weeks;
mod world;

use chrono::TimeDelta;
use evercred::core::keeper::State;

use self::aws::Health;
use self::world::World;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

#[test]
fn a_simulated_month_with_every_fault_keeps_every_promise() {
    seeds::for_each_seed(|seed| {
        month::run(seed);
    });
}

#[test]
fn the_same_seed_is_the_same_month() {
    assert_eq!(month::run(1), month::run(1));
    assert_ne!(month::run(1), month::run(2));
}

#[test]
fn a_restart_loses_nothing_that_was_saved() {
    for seed in 1..=4 {
        let mut world = World::new(seed, 20);
        world.watch_clock();
        for _ in 0..6 {
            for _ in 0..20 {
                let profile = usize::try_from(world.random(4)).unwrap();
                world.ask(profile);
                let pause = world.random(20 * MINUTE);
                world.advance(pause);
            }
            assert!(world.ask_now("app-0"));
            let calls = world.aws.calls;
            world.restart();
            assert!(world.ask_now("app-0"));
            assert_eq!(world.aws.calls, calls, "{}", world.story());
        }
    }
}

#[test]
fn nobody_notices_a_night() {
    let mut world = World::new(1, 3);
    assert!(world.ask_now("app-0"));
    world.suspend(9 * HOUR);
    assert!(world.ask_now("app-0"), "renewed at once on waking");
}

#[test]
fn a_wall_clock_that_is_set_makes_no_call_but_a_look_at_the_time() {
    for step in [-5 * HOUR, 5 * HOUR] {
        let mut world = World::new(1, 1);
        assert!(world.ask_now("app-0"));
        let before = world.aws.mints;
        world.step_wall(step);
        world.advance(MINUTE);
        assert!(world.ask_now("app-0"));
        assert_eq!(world.aws.mints, before, "{step}");
    }
}

#[test]
fn a_parents_renewal_does_not_renew_children_that_are_still_good() {
    let mut world = World::new(1, 2);
    assert!(world.ask_now("app-0"));
    world.advance(10 * MINUTE);
    // The second child needs the parent, which is still good: one call.
    let before = world.aws.mints;
    assert!(world.ask_now("app-1"));
    assert_eq!(world.aws.mints, before + 1);
}

#[test]
fn trust_that_is_mended_far_away_is_found_within_the_hour_without_anybody_asking() {
    let mut world = World::new(1, 1);
    world.keep_all();
    world.aws.set_trust("app-0", false);
    world.advance(5 * HOUR);
    assert_eq!(world.state("app-0"), State::Failed);
    let failing = world.aws.failing;
    assert!(failing <= 15, "{failing} calls in five hours");
    world.aws.set_trust("app-0", true);
    world.advance(HOUR + 5 * MINUTE);
    assert_eq!(world.state("app-0"), State::Fresh);
}

#[test]
fn an_outage_of_half_an_hour_is_not_seen_by_anybody() {
    let mut world = World::new(1, 5);
    for profile in 0..5 {
        assert!(world.ask_now(&format!("app-{profile}")));
    }
    world.advance(30 * MINUTE);
    world.aws.health = Health::Unreachable;
    for _ in 0..14 {
        world.advance(2 * MINUTE);
        for profile in 0..5 {
            assert!(world.ask_now(&format!("app-{profile}")), "the last good set goes on");
        }
    }
    world.aws.health = Health::Well;
    world.advance(10 * MINUTE);
    assert_eq!(world.state("app-0"), State::Fresh);
}

#[test]
fn a_thousand_profiles_that_nobody_uses_make_no_call() {
    let mut world = World::new(1, 1_000);
    world.advance(48 * HOUR);
    assert_eq!(world.aws.calls, 0);
    assert_eq!(world.keeper.next_timeout(), None, "and no wake-up");
}

#[test]
fn what_nobody_uses_any_more_is_let_go() {
    let mut world = World::new(1, 1);
    assert!(world.ask_now("app-0"));
    world.advance(13 * HOUR);
    let before = world.aws.calls;
    world.advance(48 * HOUR);
    assert_eq!(world.aws.calls, before);
    let now = world.machine.now();
    assert!(world.keeper.minted().is_empty(), "and forgotten: {:?}\n{}", world.keeper.status(now), world.story());
}

#[test]
fn calling_handle_timeout_at_any_time_does_nothing() {
    let mut world = World::new(1, 3);
    assert!(world.ask_now("app-0"));
    let calls = world.aws.calls;
    for _ in 0..100 {
        let now = world.machine.now();
        world.keeper.handle_timeout(now);
        world.carry_out();
    }
    assert_eq!(world.aws.calls, calls);
}

#[test]
fn an_sdk_that_asks_gets_at_least_twenty_minutes_of_an_hour() {
    let mut world = World::new(3, 1);
    assert!(world.ask_now("app-0"));
    for _ in 0..600 {
        world.advance(MINUTE);
        let rest = world.rest("app-0");
        assert!(rest >= TimeDelta::minutes(20) - TimeDelta::seconds(10), "{rest}");
    }
}
