//! Faults of the machine: disks that are full or read-only, readers that stop, signals, descriptors that run out.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::edge_notify::is_told_without;
use crate::machine::{Machine, ends, role, stderr};

/// A small disk of its own at a directory of the machine.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(path: PathBuf, options: &str) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let options = format!("mode=700,{options}");
        must(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path));
        Self { path }
    }

    /// Leaves no room for one more byte.
    fn fill(&self) {
        let text = vec![b'x'; 1024 * 1024];
        std::fs::write(self.path.join("filler"), text).unwrap_err();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path.join("filler")).unwrap();
    }

    fn remount(&self, options: &str) {
        must(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.path));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// The daemon, started by a shell that does something first.
fn after(machine: &Machine, first: &str) -> Command {
    let daemon = machine.daemon();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{first}; exec \"$0\"")]).arg(daemon.get_program()).env_clear();
    shell.envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn must(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn is_unsaved(status: &Value) -> bool {
    status["problems"].as_array().unwrap().iter().any(|problem| problem["id"] == "state-unsaved")
}

/// How often the log has this.
fn logged(machine: &Machine, text: &str) -> usize {
    machine.read("log").matches(text).count()
}

/// Sends a signal by its number: `rustix` has no real-time signals.
fn send(machine: &Machine, signal: i32) {
    let kill = format!("kill -{signal} {}", machine.pid());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{signal}");
}

#[test]
fn a_daemon_starts_on_a_full_disk_and_saves_again_when_there_is_room() {
    if is_told_without("SETPRIV") {
        return;
    }
    let mut machine = Machine::new();
    let disk = Disk::mount(machine.path("state"), "size=64k");
    disk.fill();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.eventually("the problem is shown", |machine| is_unsaved(&machine.status()));
    disk.make_room();
    machine.eventually("the state is saved", |machine| {
        !is_unsaved(&machine.status()) && machine.read("state/memory.json").contains("app")
    });
    assert_eq!(logged(&machine, "No space left on device"), 1, "{}", machine.read("log"));
    assert_eq!(logged(&machine, "can save its state again"), 1);
    assert_eq!(machine.stop(), Some(0));
}

#[test]
fn a_daemon_starts_where_no_file_can_be_made_and_is_still_the_only_one() {
    if is_told_without("SETPRIV") {
        return;
    }
    // One inode, the directory's own; and a disk that is read-only from the start.
    for (options, room) in [("nr_inodes=1", "nr_inodes=100"), ("ro", "rw")] {
        let mut machine = Machine::new();
        let disk = Disk::mount(machine.path("state"), options);
        machine.start();
        assert_eq!(machine.whose("app"), Ok(role("App")), "{options}");
        machine.eventually("the problem is shown", |machine| is_unsaved(&machine.status()));
        let mut second = machine.daemon();
        second.env("EVERCRED_RUNTIME_DIR", machine.path("elsewhere"));
        let (said, exit) = ends(&mut second);
        assert_eq!(exit, Some(1), "{options}: {said}");
        disk.remount(room);
        machine.eventually("the state is saved", |machine| {
            !is_unsaved(&machine.status()) && machine.read("state/memory.json").contains("app")
        });
    }
}

#[test]
fn a_socket_is_made_in_the_place_of_the_old_one_where_there_is_no_room_for_another() {
    if is_told_without("SETPRIV") {
        return;
    }
    let mut machine = Machine::new();
    // The directory and the socket.
    let disk = Disk::mount(machine.path("run"), "nr_inodes=2");
    machine.start();
    machine.crash();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let mode = disk.path.join("evercred.sock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_limit_of_file_sizes_is_a_full_disk_and_no_end() {
    let mut machine = Machine::new();
    let daemon = after(&machine, "ulimit -f 0");
    machine.start_as(daemon);
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.eventually("the problem is shown", |machine| is_unsaved(&machine.status()));
}

#[test]
fn signals_that_ask_for_nothing_end_nothing() {
    let mut machine = Machine::new();
    machine.write(
        ".aws/config",
        "[profile signals]\ncredential_process = sh -c 'for s in PIPE IO XFSZ USR1 ALRM 34 64 CHLD; do \
         sh -c \"kill -$s \\$\\$; exit 0\" && r=\"$r$s \"; done; echo \"survived: $r\" >&2; exit 1'\n",
    );
    machine.start();
    for _ in 0..5 {
        for signal in (1..=64).filter(|signal| !ENDS.contains(signal) && !PAUSES.contains(signal)) {
            send(&machine, signal);
        }
    }
    assert_eq!(machine.run(&["status"]).status.code().map(|code| code < 2), Some(true));
    // Programs that the daemon runs have the default actions.
    let said = machine.credentials("signals").unwrap_err();
    assert!(said.contains("survived: CHLD"), "{said}");
    for request in STOPS {
        send(&machine, request);
        assert_eq!(machine.exit_code(), Some(0), "{request}");
        machine.start();
    }
}

/// SIGINT and SIGTERM.
const STOPS: [i32; 2] = [2, 15];

/// Also SIGQUIT, SIGKILL, those of a fault (SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS), and the two that the C
/// library reserves.
const ENDS: [i32; 13] = [2, 15, 3, 9, 4, 5, 6, 7, 8, 11, 31, 32, 33];

/// SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU.
const PAUSES: [i32; 4] = [19, 20, 21, 22];

#[test]
fn a_parent_that_blocked_and_ignored_signals_changes_nothing() {
    let mut machine = Machine::new();
    machine.write(
        ".aws/config",
        "[profile program]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIA1\",\"SecretAccessKey\":\"s\"}'\n",
    );
    let daemon = machine.daemon();
    let script = "import os,signal,sys\n\
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    let mut odd = Command::new("/usr/bin/python3");
    odd.args(["-c", script]).arg(daemon.get_program()).env_clear();
    odd.envs(daemon.get_envs().filter_map(|(name, value)| Some((name, value?))));
    machine.start_as(odd);
    assert_eq!(machine.credentials("program").unwrap()["AccessKeyId"], "AKIA1");
    assert_eq!(machine.stop(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let mut machine = Machine::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "debug").stderr(writer);
    machine.start_with(daemon);
    // Each of them makes a line; the pipe and the backlog hold a fraction of them.
    let wrong = b"\0\0\0\x02[]";
    for _ in 0..40 {
        let callers: Vec<UnixStream> =
            (0..100).map(|_| UnixStream::connect(machine.path("run/evercred.sock")).unwrap()).collect();
        for mut caller in &callers {
            std::io::Write::write_all(&mut caller, &wrong[..3]).unwrap();
        }
    }
    assert_eq!(machine.whose("app"), Ok(role("App")));
    // It ends, although the last lines can't be written.
    assert_eq!(machine.stop(), Some(0));
    drop(reader);
}

#[test]
fn too_low_a_limit_of_descriptors_is_refused_with_the_limit() {
    let machine = Machine::new();
    for limit in [20, 47] {
        let (said, exit) = ends(&mut after(&machine, &format!("ulimit -n {limit}")));
        assert!(exit == Some(1) && said.contains(&limit.to_string()) && said.contains("set a hard limit"), "{said}");
    }
}

#[test]
fn idle_callers_leave_descriptors_for_calls_and_files() {
    for limit in ["ulimit -n 48", "ulimit -n 64"] {
        leave_descriptors(limit);
    }
}

fn leave_descriptors(limit: &str) {
    let mut machine = Machine::new();
    let daemon = after(&machine, limit);
    machine.start_as(daemon);
    let socket = machine.path("run/evercred.sock");
    let idle: Vec<UnixStream> = (0..100).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let more: Vec<UnixStream> = (0..100).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    let config = machine.read(".aws/config");
    machine.replace(".aws/config", &config.replace("profile mid", "profile middle").replace("= mid", "= middle"));
    machine.eventually("the edit is in force", |machine| machine.credentials("middle").is_ok());
    let full = logged(&machine, "Too many open files") + logged(&machine, "can't accept");
    assert!(full <= 1, "{full} lines\n{}", machine.read("log"));
    drop((idle, more));
}

#[test]
fn a_program_has_the_limit_of_descriptors_that_the_daemon_was_started_with() {
    let mut machine = Machine::new();
    machine
        .write(".aws/config", "[profile limit]\ncredential_process = sh -c 'echo limit $(ulimit -Sn) >&2; exit 1'\n");
    let daemon = after(&machine, "ulimit -Sn 100");
    machine.start_as(daemon);
    let said = machine.credentials("limit").unwrap_err();
    assert!(said.contains("limit 100"), "{said}");
    assert!(descriptor_limit(machine.pid()) > 100);
}

#[test]
fn a_runtime_directory_too_long_for_a_socket_is_used_all_the_same() {
    let mut machine = Machine::new();
    machine.set_runtime(&format!("{}/{}", "x".repeat(120), "y".repeat(120)));
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    // Again, over the socket that is left.
    machine.crash();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn by_a_forwarded_socket_the_profile_alone_is_named() {
    let mut machine = Machine::new();
    machine.start();
    let mut elsewhere = machine.companion();
    elsewhere
        .env("HOME", "/nowhere")
        .env("AWS_CONFIG_FILE", "/nowhere/config")
        .env("EVERCRED_RUNTIME_DIR", "/nowhere/run")
        .env("EVERCRED_SOCKET", machine.path("run/evercred.sock"));
    let output = elsewhere.args(["credential-process", "app"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut nowhere = machine.companion();
    nowhere.env("EVERCRED_SOCKET", machine.path("no.sock")).args(["status"]);
    assert_eq!(nowhere.output().unwrap().status.code(), Some(3));
}

#[test]
fn a_relative_home_or_directory_is_refused_and_nothing_is_made_below_the_current_one() {
    let machine = Machine::new();
    let current = machine.path("current");
    std::fs::create_dir(&current).unwrap();
    for (name, value) in [
        ("HOME", "home"),
        ("HOME", "~"),
        ("EVERCRED_STATE_DIR", "state"),
        ("EVERCRED_RUNTIME_DIR", "run"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_RUNTIME_DIR", "run"),
    ] {
        for mut command in [machine.daemon(), machine.companion()] {
            command.current_dir(&current);
            if !name.starts_with("EVERCRED") {
                command.env_remove("EVERCRED_STATE_DIR").env_remove("EVERCRED_RUNTIME_DIR");
            }
            if command.get_program() == machine.companion().get_program() {
                command.arg("status");
            } else if name.starts_with("XDG") {
                // Such a variable is ignored, so this daemon would run.
                command.arg("--check");
            }
            let (said, exit) = ends(command.env(name, value));
            // The tool needs the state directory only to find the runtime directory.
            let needed = name != "EVERCRED_STATE_DIR" || command.get_program() == machine.daemon().get_program();
            if needed && !name.starts_with("XDG") {
                assert!(exit == Some(1) || exit == Some(3), "{name}={value}: {exit:?} {said}");
                assert!(said.contains(name), "{name}={value}: {said}");
            }
        }
    }
    assert_eq!(std::fs::read_dir(&current).unwrap().count(), 0);
}

#[test]
fn without_home_the_user_database_has_it() {
    let machine = Machine::new();
    for value in [None, Some("")] {
        let mut daemon = machine.daemon();
        daemon.env_remove("HOME").env_remove("EVERCRED_STATE_DIR");
        daemon.envs(value.map(|value| ("HOME", value)));
        daemon.env("AWS_CONFIG_FILE", machine.path(".aws/config"));
        daemon.env("AWS_SHARED_CREDENTIALS_FILE", machine.path(".aws/credentials"));
        daemon.env("EVERCRED_CONFIG", machine.path(".config/evercred/evercred.toml"));
        let (said, exit) = ends(daemon.arg("--check"));
        assert_eq!(exit, Some(0), "{said}");
    }
}

fn descriptor_limit(pid: u32) -> u64 {
    let limits = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_socket_or_runtime_directory_that_was_removed_is_made_again() {
    let mut machine = Machine::new();
    machine.start();
    assert!(machine.credentials("app").is_ok());
    std::fs::remove_file(machine.path("run/evercred.sock")).unwrap();
    machine.eventually("the socket is there again", |machine| machine.credentials("app").is_ok());
    std::fs::remove_dir_all(machine.path("run")).unwrap();
    machine.eventually("the directory is there again", |machine| machine.credentials("app").is_ok());
    assert_eq!(machine.path("run").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    machine.eventually("cached credentials are in it again", |machine| machine.path("run/minted.json").exists());
    // Where it can't be made, the daemon goes on and tries again.
    std::fs::remove_dir_all(machine.path("run")).unwrap();
    std::fs::write(machine.path("run"), "in the way").unwrap();
    machine.eventually("the attempt failed", |machine| logged(machine, "programs can't reach this daemon") == 1);
    std::fs::remove_file(machine.path("run")).unwrap();
    machine.eventually("the socket is there once more", |machine| machine.credentials("app").is_ok());
    assert_eq!(machine.stop(), Some(0));
}
