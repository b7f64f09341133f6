//! Sleep and networks: what is due is there seconds after the network is, without a storm.

use evercred::core::keeper::State;

use super::aws::Health;
use super::world::{Other, Program, World};
use super::{HOUR, MINUTE};

const PROFILES: usize = 50;

/// All profiles that need nobody, fresh.
fn world(seed: u64) -> World {
    let mut world = World::new(seed, PROFILES);
    world.keep_all();
    world.watch_clock();
    for profile in (0..PROFILES).filter(|profile| Program::of(*profile) == Some(Program::Quick)) {
        assert!(world.ask_now(&format!("app-{profile}")));
    }
    world.advance(10 * MINUTE);
    assert_eq!(stale(&world), Vec::<usize>::new());
    world
}

/// The profiles that could be fresh without anybody, and are not.
fn stale(world: &World) -> Vec<usize> {
    let needs_nobody = |profile: &usize| {
        Other::of(*profile) != Some(Other::Code) && matches!(Program::of(*profile), None | Some(Program::Quick))
    };
    let now = world.machine.now();
    let is_fresh = |profile: usize| {
        let name = format!("app-{profile}");
        world
            .keeper
            .status(now)
            .into_iter()
            .any(|status| status.name == name && status.state == State::Fresh && status.valid == Some(true))
    };
    (0..PROFILES).filter(needs_nobody).filter(|profile| !is_fresh(*profile)).collect()
}

/// The most calls to STS in any second.
fn most_in_a_second(world: &World) -> usize {
    let sent = &world.sent;
    sent.iter().map(|start| sent.iter().filter(|at| (*start..*start + 1_000).contains(at)).count()).max().unwrap_or(0)
}

#[test]
fn fifty_profiles_are_fresh_seconds_after_the_network_is_back_in_the_morning() {
    for seed in 1..=30 {
        let mut world = world(seed);
        world.aws.health = Health::NoNetwork;
        world.suspend(9 * HOUR);
        // Awake on the train, without a network.
        let train = world.random(40 * MINUTE);
        world.advance(train);
        world.sent.clear();
        let (calls, looks) = (world.aws.calls, world.looks);
        world.aws.health = Health::Well;
        world.network_changed();
        world.advance(12_000);
        assert_eq!(stale(&world), Vec::<usize>::new(), "{}", world.story());
        // Ten a second, and as many at once after a pause.
        assert!(most_in_a_second(&world) <= 20, "{} in a second", most_in_a_second(&world));
        // One for each credential: fifty profiles stand on fewer than sixty.
        assert!(world.aws.calls - calls <= 65, "{} calls", world.aws.calls - calls);
        assert!(world.looks - looks <= 2, "{} looks", world.looks - looks);
    }
}

#[test]
fn names_that_can_be_looked_up_only_later_cost_seconds_and_not_minutes() {
    for seed in 1..=30 {
        let mut world = world(seed);
        world.aws.health = Health::NoNetwork;
        world.suspend(9 * HOUR);
        world.advance(30 * MINUTE);
        world.network_changed();
        let late = 1_000 + world.random(60_000);
        world.advance(late);
        world.aws.health = Health::Well;
        world.advance(30_000);
        assert_eq!(stale(&world), Vec::<usize>::new(), "{late} ms\n{}", world.story());
    }
}

#[test]
fn without_a_network_a_whole_day_costs_few_vain_calls_and_what_is_valid_is_still_given_out() {
    let mut world = world(1);
    world.aws.health = Health::NoNetwork;
    let failing = world.aws.failing;
    world.advance(15 * MINUTE);
    assert!(world.ask_now("app-0"), "the last good set goes on");
    world.advance(24 * HOUR);
    // At most twelve an hour for each of about sixty credentials; parents that fail hold their children back.
    let failing = world.aws.failing - failing;
    assert!(failing < 24 * 12 * 20, "{failing}");
}

#[test]
fn a_network_that_comes_and_goes_makes_neither_looks_nor_calls_without_end() {
    let mut world = world(1);
    world.advance(30 * MINUTE);
    let (looks, failing) = (world.looks, world.aws.failing);
    for round in 0..600 {
        world.aws.health = if round % 2 == 0 { Health::NoNetwork } else { Health::Well };
        if round % 2 == 1 {
            world.network_changed();
        }
        world.advance(600);
    }
    let (looks, failing) = (world.looks - looks, world.aws.failing - failing);
    assert!(looks <= 60, "{looks} looks in six minutes");
    assert!(failing <= 400, "{failing} failing calls in six minutes");
    world.aws.health = Health::Well;
    world.network_changed();
    world.advance(6 * MINUTE);
    assert_eq!(stale(&world), Vec::<usize>::new(), "{}", world.story());
}

#[test]
fn a_paused_machine_renews_seconds_after_it_goes_on() {
    for seed in 1..=20 {
        let mut world = world(seed);
        let wall_is_set = world.random(2) == 0;
        world.pause(3 * HOUR, wall_is_set);
        world.network_changed();
        world.advance(15_000);
        assert_eq!(stale(&world), Vec::<usize>::new(), "{}", world.story());
    }
}

#[test]
fn a_laptop_that_woke_for_moments_all_night_is_no_slower_in_the_morning() {
    for seed in 1..=20 {
        let mut world = world(seed);
        world.aws.health = Health::NoNetwork;
        for _ in 0..12 {
            world.suspend(40 * MINUTE);
            world.advance(20_000);
        }
        world.suspend(HOUR);
        world.advance(5_000);
        world.network_changed();
        let late = world.random(20_000);
        world.advance(late);
        world.aws.health = Health::Well;
        world.advance(25_000);
        assert_eq!(stale(&world), Vec::<usize>::new(), "{late} ms\n{}", world.story());
    }
}

#[test]
fn while_there_is_no_network_one_request_tells_for_all() {
    for seed in 1..=20 {
        let mut world = world(seed);
        world.aws.health = Health::NoNetwork;
        world.suspend(9 * HOUR);
        let (failing, looks) = (world.aws.failing, world.looks);
        world.network_changed();
        world.advance(90_000);
        assert_eq!(world.aws.failing, failing, "a vain call\n{}", world.story());
        assert!((8..=16).contains(&(world.looks - looks)), "{} looks", world.looks - looks);
        world.aws.health = Health::Well;
        world.advance(25_000);
        assert_eq!(stale(&world), Vec::<usize>::new(), "{}", world.story());
    }
}
