//! How long `evercred credential-process` takes, beside a program that does nothing but the socket round trip.
//!
//! Both are whole processes, started in turn against one daemon that has the credentials. The ratio of the medians is
//! the figure; the times depend on the machine.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures time, prints, and fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../tests/it/machine.rs"]
#[allow(dead_code, reason = "what the tests need besides")]
mod machine;
#[path = "../tests/standin/mod.rs"]
mod standin;

use machine::{Machine, role};

const PAIRS: usize = 500;

fn main() {
    let bare = compile_bare();
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));

    let request = serde_json::json!({
        "version": 1, "request": "credential-process", "profile": "app",
        "config_file": machine.path(".aws/config"), "credentials_file": machine.path(".aws/credentials"),
    })
    .to_string();
    let round_trip = || {
        let mut command = Command::new(&bare);
        // The same environment for both: cargo's own makes the loader search more folders.
        command.env_clear();
        command.arg(machine.path("run/evercred.sock")).arg(&request);
        command
    };
    let companion = || {
        let mut command = machine.companion();
        command.args(["credential-process", "app"]);
        command
    };
    let (mut bares, mut companions): (Vec<_>, Vec<_>) =
        (0..PAIRS).map(|_| (time(round_trip()), time(companion()))).collect();
    let (bare, companion) = (median(&mut bares), median(&mut companions));
    println!("bare socket round trip: {bare:?}   evercred credential-process: {companion:?}   (medians of {PAIRS})");
    println!("ratio: {:.2}", companion.as_secs_f64() / bare.as_secs_f64());
}

/// The program to compare with, compiled on its own so that it carries nothing else.
fn compile_bare() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare-client");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bare/client.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-Copt-level=s", "-Cpanic=abort", "-Clto=fat", "-o"]).arg(&program).arg(source);
    assert!(rustc.status().unwrap().success());
    program
}

fn time(mut command: Command) -> Duration {
    let begin = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let took = begin.elapsed();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && answer.contains("SessionToken"), "{answer}");
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
