//! What the daemon weighs, and how often it wakes up, with fifty auto-renewed profiles and nothing to do; beside a process that
//! only sleeps.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures time, prints, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

#[path = "../tests/it/machine.rs"]
#[allow(dead_code, reason = "what the tests need besides")]
mod machine;
#[path = "../tests/standin/mod.rs"]
mod standin;

use machine::{ACCOUNT, Machine, role};
use standin::Role;

const PROFILES: usize = 50;
const IDLE: Duration = Duration::from_secs(60);

fn main() {
    let mut machine = Machine::new();
    let mut config = String::new();
    for at in 0..PROFILES {
        let name = role(&format!("Role{at}"));
        machine.aws.set_role(&name, Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        config.push_str(&format!("[profile p{at}]\nrole_arn = {name}\nsource_profile = base\nregion = eu-west-1\n"));
    }
    machine.write(".aws/config", &config);
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "info");
    machine.start_as(daemon);
    for at in 0..PROFILES {
        assert_eq!(machine.whose(&format!("p{at}")), Ok(role(&format!("Role{at}"))));
    }
    let baseline = Sleeper(Command::new("sleep").arg("600").spawn().unwrap());
    let wakeups = || (wakeups(machine.pid()), wakeups(baseline.0.id()));
    // Threads that did file work end when they were idle for ten seconds.
    settle(Duration::from_secs(15));
    let before = wakeups();
    settle(IDLE);
    let after = wakeups();
    for (name, pid, wakeups) in [
        ("evercredd, 50 profiles", machine.pid(), more(&before.0, &after.0)),
        ("sleep", baseline.0.id(), more(&before.1, &after.1)),
    ] {
        let [resident, anonymous, file] = ["VmRSS", "RssAnon", "RssFile"].map(|field| kibibytes(pid, field));
        println!(
            "{name}: {resident} KiB resident ({anonymous} anonymous, {file} of files), {wakeups} wake-ups a minute"
        );
    }
}

struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is measured is that nothing happens.
fn settle(time: Duration) {
    std::thread::sleep(time);
}

/// For every thread of the process, how often it was put on a processor again after it had waited.
fn wakeups(pid: u32) -> BTreeMap<OsString, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(Result::unwrap);
    let count = |path: PathBuf| field(&std::fs::read_to_string(path).unwrap(), "voluntary_ctxt_switches");
    tasks.map(|task| (task.file_name(), count(task.path().join("status")))).collect()
}

fn more(before: &BTreeMap<OsString, u64>, after: &BTreeMap<OsString, u64>) -> u64 {
    after.iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0)).sum()
}

fn kibibytes(pid: u32, name: &str) -> u64 {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), name)
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
