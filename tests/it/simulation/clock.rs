//! Days of a clock: what is looked at, and what is told, while the machine sleeps, pauses and is set.

use super::aws::Health;
use super::world::World;
use super::{HOUR, MINUTE};

#[test]
fn a_clock_that_nobody_asks_about_costs_a_look_an_hour() {
    let mut world = World::new(1, 0);
    world.right_wall();
    world.watch_clock();
    assert_eq!(world.looks, 1, "and one at once");
    world.advance(48 * HOUR);
    assert!((47..=52).contains(&world.looks), "{} looks", world.looks);
    assert!(world.wakeups <= 60, "{} wake-ups", world.wakeups);
}

#[test]
fn without_a_network_looks_become_rare_and_the_first_after_it_is_soon() {
    let mut world = World::new(1, 0);
    world.aws.health = Health::Unreachable;
    world.watch_clock();
    world.advance(48 * HOUR);
    assert!(world.looks <= 55, "{} looks", world.looks);
    world.aws.health = Health::Well;
    world.advance(HOUR + MINUTE);
    assert!(world.keeper.clock().is_known());
}

#[test]
fn a_clock_that_is_set_wrongly_is_told_of_once_and_so_is_its_mending() {
    for step in [-16 * MINUTE, -4 * MINUTE, 4 * MINUTE, 14 * MINUTE, 2 * HOUR, -200 * 24 * HOUR] {
        let mut world = World::new(1, 1);
        world.right_wall();
        world.watch_clock();
        world.advance(MINUTE);
        assert!(world.told.is_empty(), "{:?}", world.told);
        world.step_wall(step);
        world.advance(3 * HOUR);
        assert_eq!(world.told.len(), 1, "{step}: {:?}", world.told);
        world.step_wall(-step);
        world.advance(3 * HOUR);
        let over: Vec<bool> = world.told.iter().map(|(_, is_over)| *is_over).collect();
        assert_eq!(over, [false, true], "{step}: {:?}", world.told);
    }
}

#[test]
fn a_clock_that_runs_away_is_foretold_before_it_matters() {
    let mut world = World::new(1, 0);
    world.right_wall();
    world.watch_clock();
    // A minute and a half each hour.
    let mut minutes = 0;
    let foretold = |world: &World| world.keeper.clock().crossings(world.machine.now());
    while foretold(&world).is_empty() {
        world.slew_wall(-1_500);
        world.advance(MINUTE);
        minutes += 1;
        assert!(minutes < 180, "nothing is foretold\n{}", world.story());
    }
    assert!(minutes >= 60, "foretold after {minutes} minutes");
    let first = foretold(&world)[0];
    let truly = 200 - minutes;
    assert!((first.after.num_minutes() - truly).abs() <= truly / 5 + 5, "{} for {truly}", first.after.num_minutes());
}
