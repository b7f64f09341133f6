//! A night's sleep, and a virtual machine that was paused, with the real daemon through faked clocks.

use crate::edge_clock::{FAKETIME, fake};
use crate::machine::{Machine, role};

const HOURS: i64 = 3_600;

fn machine() -> Machine {
    assert!(std::path::Path::new(FAKETIME).exists(), "libfaketime is installed by scripts/test");
    let machine = Machine::new();
    machine.write("stamp", "+0");
    machine
}

/// Neither this machine nor AWS stands still; only the daemon has not been there.
fn go_on(machine: &Machine, seconds: i64) {
    machine.aws.set_offset_seconds(seconds);
    machine.replace("stamp", &format!("{seconds:+}"));
}

#[test]
fn after_a_night_the_first_who_asks_gets_what_is_valid_then() {
    if std::env::var_os("EVERCRED_TEST_WITHOUT_FAKETIME").is_some() {
        return;
    }
    let mut machine = machine();
    let mut daemon = fake(&machine, machine.daemon());
    // The boot-time clock counts sleep: it goes on with the wall clock.
    daemon.env_remove("FAKETIME_DONT_FAKE_MONOTONIC");
    machine.start_as(daemon);
    assert_eq!(machine.whose("app"), Ok(role("App")));
    go_on(&machine, 9 * HOURS);
    assert_eq!(machine.whose("app"), Ok(role("App")), "{}", machine.read("log"));
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
}

#[test]
fn a_daemon_that_was_stopped_gives_out_nothing_that_expired_meanwhile() {
    let mut machine = Machine::new();
    machine.aws.set_longest_life(Some(4));
    machine.start();
    let held = machine.credentials("app").unwrap();
    let signal = |machine: &Machine, signal| {
        let pid = rustix::process::Pid::from_raw(i32::try_from(machine.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    signal(&machine, rustix::process::Signal::STOP);
    let field = |name: &str| held[name].as_str().unwrap().to_owned();
    let (id, secret, token) = (field("AccessKeyId"), field("SecretAccessKey"), field("SessionToken"));
    machine.eventually("it has expired", |machine| machine.aws.whose(&id, &secret, &token).is_err());
    signal(&machine, rustix::process::Signal::CONT);
    assert_eq!(machine.whose("app"), Ok(role("App")), "{}", machine.read("log"));
}

#[test]
fn after_a_pause_of_the_virtual_machine_the_time_is_looked_at_before_anything_is_signed() {
    if std::env::var_os("EVERCRED_TEST_WITHOUT_FAKETIME").is_some() {
        return;
    }
    let mut machine = machine();
    // The boot-time clock stood still, and the host has set the wall clock.
    let daemon = fake(&machine, machine.daemon());
    machine.start_as(daemon);
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let before = machine.aws.calls().len();
    go_on(&machine, 3 * HOURS);
    // Until AWS was heard nobody knows whether what is held has expired: it is given out, and renewed.
    machine.eventually("what is valid is given out", |machine| machine.whose("app") == Ok(role("App")));
    let calls = machine.aws.calls().split_off(before);
    assert!(!calls.is_empty() && calls.iter().all(|call| call.error.is_none()), "{calls:?}");
    let log = machine.read("log");
    let looked = log.find("probes it before it signs a request").expect("the jump was seen");
    assert!(log[looked..].contains("credentials of profile \"app\" renewed"), "{log}");
    machine.eventually("the clock is right", |machine| machine.status()["clock"]["state"] == "ok");
}
