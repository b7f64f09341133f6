//! A long run under faults: credentials that live for seconds, many clients, an AWS that fails again and again.
//!
//! A few seconds by default; `EVERCRED_SOAK_MINUTES=20 cargo test --test it edge_soak -- --nocapture` is the real thing.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use evercred::wire;
use serde_json::json;

use crate::machine::{ACCOUNT, Machine, role};
use crate::standin::{Fault, Role};

/// Six roles with two seconds each stay below the rate of STS: ten calls a second.
const PROFILES: usize = 6;
const LIFETIME_SECONDS: i64 = 2;
const CLIENTS: usize = 8;
const SHORT: Duration = Duration::from_secs(12);
const FAULTS: [Fault; 11] = [
    Fault::Timeout,
    Fault::Reset,
    Fault::Status500,
    Fault::Status503,
    Fault::Throttled,
    Fault::Html,
    Fault::Redirect,
    Fault::Empty,
    Fault::Truncated,
    Fault::Huge,
    Fault::Garbage,
];

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    broken: AtomicU64,
}

pub(crate) fn pause(time: Duration) {
    let nothing: &mut [rustix::event::PollFd<'_>] = &mut [];
    let _ = rustix::event::poll(nothing, Some(&rustix::event::Timespec::try_from(time).unwrap()));
}

/// Asks once by the socket, and judges the answer.
fn ask(socket: &std::path::Path, profile: &str, tally: &Tally) {
    let asked_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let exchange = || -> std::io::Result<wire::Answer> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(40)))?;
        let request = json!({"version": 1, "request": "credential-process", "profile": profile});
        wire::write_message(&mut stream, request.to_string().as_bytes())?;
        wire::read_message(&mut stream)
    };
    tally.asked.fetch_add(1, Ordering::Relaxed);
    let counter = match exchange().map(|answer| wire::parse_answer(&answer)) {
        Err(_) => &tally.broken,
        Ok(Err(_)) => &tally.refused,
        Ok(Ok(set)) => {
            let until = DateTime::parse_from_rfc3339(set["Expiration"].as_str().unwrap()).unwrap();
            // It was given out after it was asked for.
            let was_over = until.timestamp_millis() < i64::try_from(asked_at.as_millis()).unwrap();
            if was_over { &tally.expired } else { &tally.served }
        }
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Resident memory in KiB, and open descriptors, where this user may look.
fn usage(pid: u32) -> Option<(u64, usize)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let resident = resident.trim().trim_end_matches(" kB").parse().ok()?;
    Some((resident, std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()))
}

#[test]
fn under_faults_nothing_expired_is_served_and_memory_and_descriptors_stay_flat() {
    let minutes = std::env::var("EVERCRED_SOAK_MINUTES").ok().and_then(|minutes| minutes.parse::<f64>().ok());
    let length = minutes.map_or(SHORT, |minutes| Duration::from_secs_f64(minutes * 60.0));
    // A call without an answer lasts longer than the short run.
    let faults = if minutes.is_some() { &FAULTS[..] } else { &FAULTS[1..] };
    let mut machine = Machine::new();
    let mut config = String::new();
    for number in 0..PROFILES {
        let role = role(&format!("Soak{number}"));
        machine.aws.set_role(&role, Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        config
            .push_str(&format!("[profile p{number}]\nrole_arn = {role}\nsource_profile = base\nregion = eu-west-1\n"));
    }
    machine.write(".aws/config", &config);
    machine.aws.set_longest_life(Some(LIFETIME_SECONDS));
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "info");
    machine.start_as(daemon);

    let (tally, over) = (Tally::default(), AtomicBool::new(false));
    let socket = machine.path("run/evercred.sock");
    let mut samples = Vec::new();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (socket, tally, over) = (&socket, &tally, &over);
            scope.spawn(move || {
                let mut turn = client;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    ask(socket, &format!("p{}", turn % PROFILES), tally);
                    pause(Duration::from_millis(20 + 7 * u64::try_from(client).unwrap()));
                }
            });
        }
        let mut random = 1_u64;
        while begin.elapsed() < length {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let fault = faults[usize::try_from(random >> 33).unwrap() % faults.len()];
            machine.aws.set_outage(Some(fault));
            pause(Duration::from_millis(200 + (random >> 40) % 800));
            machine.aws.set_outage(None);
            pause(Duration::from_millis(500 + (random >> 50) % 2_000));
            samples.extend(usage(machine.pid()));
        }
        over.store(true, Ordering::Relaxed);
    });
    let seconds = begin.elapsed().as_secs();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let calls = machine.aws.calls().len();
    let quarter = samples.len() / 4;
    let most = |part: &[(u64, usize)]| {
        (part.iter().map(|sample| sample.0).max().unwrap_or(0), part.iter().map(|sample| sample.1).max().unwrap_or(0))
    };
    let (early, late) = (most(&samples[quarter..2 * quarter]), most(&samples[3 * quarter..]));
    println!(
        "{seconds} s: asked {}, served {}, refused {}, expired {}, broken {}; {calls} calls; memory {} and {} KiB, descriptors {} and {}",
        count(&tally.asked),
        count(&tally.served),
        count(&tally.refused),
        count(&tally.expired),
        count(&tally.broken),
        early.0,
        late.0,
        early.1,
        late.1,
    );
    assert_eq!((count(&tally.expired), count(&tally.broken)), (0, 0), "{}", machine.read("log"));
    assert!(count(&tally.served) > count(&tally.asked) / 4, "{}", machine.read("log"));
    // Ten a second, and what may begin at once.
    assert!(u64::try_from(calls).unwrap() <= 10 * seconds + 40, "{calls} calls in {seconds} s");
    if minutes.is_some_and(|minutes| minutes >= 4.0) {
        assert!(late.0 <= early.0 + 2_048, "memory grows: {early:?} {late:?}");
    }
    assert!(late.1 <= early.1.max(64), "descriptors: {early:?} {late:?}");
    for number in 0..PROFILES {
        machine
            .eventually("every profile is served again", |machine| machine.credentials(&format!("p{number}")).is_ok());
    }
    assert_eq!(machine.stop(), Some(0));
}
