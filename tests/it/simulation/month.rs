//! One month of one seed: days at work, nights asleep, and everything that goes wrong in between.

use evercred::core::keeper::State;

use super::aws::Health;
use super::world::{Other, World};
use super::{HOUR, MINUTE};

const PROFILES: usize = 50;
const DAYS: i64 = 30;

/// Runs a month; its fingerprint tells it from another.
pub(crate) fn run(seed: u64) -> u64 {
    let mut world = World::new(seed, PROFILES);
    if seed.is_multiple_of(2) {
        world.watch_clock();
    }
    for _ in 0..DAYS {
        let day = world.boot();
        while world.boot() - day < 10 * HOUR {
            let pause = MINUTE + world.random(20 * MINUTE);
            world.advance(pause);
            callers(&mut world);
            world.check_auto_renewed();
            trouble(&mut world);
            failing_calls(&mut world);
        }
        let night = 12 * HOUR + world.random(3 * HOUR);
        world.suspend(night);
        if world.random(2) == 0 {
            without_network(&mut world);
        }
        callers(&mut world);
    }
    assert!(world.wakeups < 20_000, "{} wake-ups in a month\n{}", world.wakeups, world.story());
    world.advance(3 * HOUR);
    world.check_all_is_over();
    world.keeper.fingerprint()
}

/// Some of the profiles are asked for, a few all the time and most now and then, some of them just when it matters.
fn callers(world: &mut World) {
    for _ in 0..world.random(4) {
        let profile = if world.random(3) > 0 { world.random(6) } else { world.random(PROFILES as i64) };
        let profile = usize::try_from(profile).unwrap();
        if world.random(4) == 0 && !world.removed[profile] {
            at_the_edge(world, profile);
        }
        world.ask(profile);
        // Who is told that a code is needed types one, sooner or later.
        if Other::of(profile) == Some(Other::Code) && !world.removed[profile] && world.random(2) == 0 {
            let needed = world.state(&format!("app-{profile}")) == State::NeedsLogin;
            if needed || world.random(20) == 0 {
                world.log_in(profile);
            }
        }
    }
}

/// Goes to a moment around a renewal or an expiry.
fn at_the_edge(world: &mut World, profile: usize) {
    let now = world.machine.now();
    let name = format!("app-{profile}");
    let status = world.keeper.status(now).into_iter().find(|status| status.name == name);
    let moment = status.and_then(|status| if world.random(2) == 0 { status.renew_at } else { status.expires_at });
    let away = moment.map(|at| at.as_millis() - world.machine.truth).unwrap_or_default();
    let away = away - 1_000 + world.random(2_000);
    if (0..HOUR).contains(&away) {
        world.advance(away);
    }
}

/// Something goes wrong, every hour or so; it is over when this returns, or some time later.
fn trouble(world: &mut World) {
    match world.random(40) {
        0 => unhealthy(world, Health::Unreachable, 90 * MINUTE),
        1 => unhealthy(world, Health::Throttling, 5 * MINUTE),
        2 => unhealthy(world, Health::Failing, 20 * MINUTE),
        3 => {
            let step = world.random(6 * HOUR) - 3 * HOUR;
            world.step_wall(step);
        }
        4 => {
            let nap = MINUTE + world.random(4 * HOUR);
            world.suspend(nap);
        }
        5 => {
            // Often with an answer on its way.
            let profile = usize::try_from(world.random(PROFILES as i64)).unwrap();
            world.ask(profile);
            world.advance(10);
            let (pause, wall_is_set) = (MINUTE + world.random(8 * HOUR), world.random(2) == 0);
            world.pause(pause, wall_is_set);
        }
        6 => {
            world.note("a lying Date".to_owned());
            world.aws.lie = Some(world.random(4 * HOUR) - 2 * HOUR);
        }
        7 => {
            let spreads_in = world.random(20_000);
            let old = world.key.clone();
            world.rotate_key(spreads_in);
            world.aws.keys.remove(&old);
            world.advance(spreads_in);
            world.unwell();
        }
        8 => {
            // A wrong key in the file, mended some time later.
            let good = std::mem::replace(&mut world.key, "AKIAWRONG".to_owned());
            world.write_files();
            busy(world, 40 * MINUTE);
            world.key = good;
            world.write_files();
        }
        9 => {
            // A profile gets another session name: another credential.
            let profile = usize::try_from(world.random(PROFILES as i64)).unwrap();
            world.session_names[profile].push('x');
            world.write_files();
        }
        10 => {
            let profile = usize::try_from(world.random(PROFILES as i64)).unwrap();
            world.removed[profile] = !world.removed[profile];
            world.write_files();
        }
        11 => {
            // Trust is taken away and mended far away: of a role that many stand behind, or of one's own.
            // Or another program finds its vault locked.
            let number = world.random(6);
            let role = match world.random(5) {
                4 => "the instance".to_owned(),
                3 => format!("token-{}", number * 10 % 50 + 6),
                0 => format!("mid-{}", number / 2),
                1 => format!("app-{number}"),
                _ => format!("program-{}", number * 10 + 7 + number % 3),
            };
            world.aws.set_trust(&role, false);
            world.note(format!("{role} is not trusted"));
            busy(world, 5 * HOUR);
            world.aws.set_trust(&role, true);
            world.note(format!("{role} is trusted"));
            if let Some(profile) = role.strip_prefix("token-") {
                world.write_token(profile.parse().unwrap());
            }
            world.unwell();
        }
        12 => {
            // The key is switched off in IAM, and on again.
            let key = world.key.clone();
            world.aws.keys.remove(&key);
            world.note("the key is inactive".to_owned());
            busy(world, HOUR);
            let truth = world.machine.truth;
            world.aws.keys.insert(key, truth);
            world.note("the key is active".to_owned());
            world.unwell();
        }
        _ => {}
    }
}

fn unhealthy(world: &mut World, health: Health, longest: i64) {
    world.note(format!("AWS is {health:?}"));
    (world.aws.health, world.so_since) = (health, world.machine.truth);
    busy(world, longest);
    world.aws.health = Health::Well;
    world.note("AWS is well".to_owned());
    // What is on its way now was sent before.
    world.unwell();
}

/// The machine is awake before its network is, and names can be looked up only some time after that.
fn without_network(world: &mut World) {
    world.note("no network".to_owned());
    (world.aws.health, world.so_since) = (Health::NoNetwork, world.machine.truth);
    busy(world, 3 * MINUTE);
    world.network_changed();
    let late = world.random(10_000);
    world.advance(late);
    world.aws.health = Health::Well;
    world.note("AWS is well".to_owned());
    world.unwell();
}

/// People go on while something is wrong; nothing that is refused then is anybody's fault.
fn busy(world: &mut World, longest: i64) {
    let end = world.boot() + MINUTE + world.random(longest);
    world.trouble = true;
    while world.boot() < end {
        callers(world);
        let pause = 1 + world.random(10 * MINUTE);
        let rest = (end - world.boot()).clamp(1, pause);
        world.advance(rest);
    }
    world.trouble = false;
    world.unwell();
}

/// After ten minutes of failing, at most twelve calls an hour for one role or key, but for those that somebody asked for,
/// at most one a minute.
fn failing_calls(world: &mut World) {
    let truth = world.machine.truth;
    let mut worst = None;
    for (what, at) in &mut world.aws.counts.failures {
        at.retain(|at| truth - *at < HOUR);
        let late = at.iter().filter(|call| **call - at[0] > 10 * MINUTE).count();
        if late > 12 + 50 {
            worst = Some(format!("{late} failing calls in the hour for {what}"));
        }
    }
    if let Some(worst) = worst {
        panic!("{worst}\n{}", world.story());
    }
}
