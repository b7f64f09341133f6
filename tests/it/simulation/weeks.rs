//! Simulated weeks of a sign-in session: days at work and nights asleep, one or two daemons, a tool that refreshes on its own, and
//! a person who signs in when told.

use evercred::core::keeper::Wants;

use super::seeds::for_each_seed;
use super::sso_server::{Health, Rotation};
use super::sso_world::{PROFILES, SsoWorld, set_health};
use super::{HOUR, MINUTE};

const DAYS: i64 = 14;

#[test]
fn simulated_weeks_of_sessions_keep_every_promise() {
    for_each_seed(|seed| {
        run(seed);
    });
}

#[test]
fn the_same_seed_is_the_same_weeks() {
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(5));
}

/// Two weeks of one seed; what it gives tells them from others.
fn run(seed: u64) -> u64 {
    let rotations = [Rotation::Keep, Rotation::Strict, Rotation::Grace, Rotation::Family];
    let rotation = rotations[usize::try_from(seed % 4).unwrap()];
    let daemons = 1 + usize::try_from(seed / 4 % 2).unwrap();
    let mut world = SsoWorld::new(seed, rotation, daemons);
    for _ in 0..DAYS {
        let day = world.edge.boot();
        while world.edge.boot() - day < 10 * HOUR {
            let pause = 1 + world.edge.random(15 * MINUTE);
            world.advance(pause);
            people(&mut world);
            trouble(&mut world);
            world.check_auto_renewed();
            world.check_logged_out();
        }
        let night = 12 * HOUR + world.edge.random(3 * HOUR);
        world.sleep(night);
    }
    // A token lives for an hour and is replaced with twenty minutes left or a little more: two an hour are plenty.
    let hours = u64::try_from(DAYS * 10).unwrap();
    assert!(world.edge.refreshed < 2 * hours, "{} refreshes\n{}", world.edge.refreshed, world.edge.story());
    // Besides these each daemon hears once for each end of a session that it is over.
    let most = world.edge.refreshed + world.sign_ins * (1 + daemons as u64);
    assert!(
        world.edge.calls <= most,
        "{} calls, {} refreshes, {} sign-ins",
        world.edge.calls,
        world.edge.refreshed,
        world.sign_ins
    );
    assert!(world.edge.refreshed > hours / 4, "{} refreshes: it did nothing", world.edge.refreshed);
    world.fingerprint()
}

/// Programs ask, and the other tool uses the session too.
fn people(world: &mut SsoWorld) {
    let daemons = i64::try_from(world.edge.daemons).unwrap();
    // In some weeks nobody asks, and all must come from the notices.
    let asks = if world.seed.is_multiple_of(3) { 0 } else { world.edge.random(3) };
    for _ in 0..asks {
        let daemon = usize::try_from(world.edge.random(daemons)).unwrap();
        let profile = PROFILES[usize::try_from(world.edge.random(2)).unwrap()];
        let wants = if world.edge.random(20) == 0 { Wants::Renewal } else { Wants::Credentials };
        world.ask(daemon, profile, wants);
    }
    for _ in 0..world.edge.random(3) {
        world.edge.tool_uses(false);
    }
}

/// Something goes wrong, every hour or two.
fn trouble(world: &mut SsoWorld) {
    match world.edge.random(80) {
        0 => unhealthy(world, Health::Unreachable, 90 * MINUTE),
        1 => unhealthy(world, Health::Throttling, 5 * MINUTE),
        2 => unhealthy(world, Health::Failing, 30 * MINUTE),
        3 => unhealthy(world, Health::LosesAnswers, 10 * MINUTE),
        4 => {
            let step = world.edge.random(6 * HOUR) - 3 * HOUR;
            world.edge.note(format!("wall clock set by {step}"));
            world.edge.machine.step_wall(step);
            world.unwell();
        }
        5 => {
            let nap = MINUTE + world.edge.random(2 * HOUR);
            world.sleep(nap);
        }
        6 => world.log_out(),
        // The person signs in anew, a session before its end.
        7 => world.sign_in(),
        8 if world.edge.daemons == 1 => {
            // Two daemons that can't write can't tell each other anything.
            world.edge.note("the disk is full".to_owned());
            world.edge.disk_is_full = true;
            let full = world.edge.random(3 * HOUR);
            busy(world, full);
            world.edge.note("the disk has room".to_owned());
            world.edge.disk_is_full = false;
            world.disk_since = world.edge.boot();
        }
        // A tool that refreshes whenever it likes.
        9..=14 => world.edge.tool_uses(true),
        _ => {}
    }
}

fn unhealthy(world: &mut SsoWorld, health: Health, longest: i64) {
    set_health(world, health);
    let lasts = MINUTE + world.edge.random(longest);
    busy(world, lasts);
    set_health(world, Health::Well);
}

/// People go on meanwhile.
fn busy(world: &mut SsoWorld, millis: i64) {
    let end = world.edge.boot() + millis;
    while world.edge.boot() < end {
        let rest = (end - world.edge.boot()).clamp(1, 1 + world.edge.random(5 * MINUTE));
        world.advance(rest);
        people(world);
        if world.edge.server.health == Health::Well {
            world.check_auto_renewed();
        }
    }
}
