//! The daemon under a real systemd user manager, with the units as they are shipped.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::machine::{ACCOUNT, LOOPBACK_ONLY, role};
use crate::standin::{Key, Role, StandIn};
use crate::user_manager::{UserManager, left_out};

const UNITS: &str = ".config/systemd/user";

/// A manager whose user has the units, as by hand, and an AWS with a role to assume.
struct Service {
    manager: UserManager,
    aws: StandIn,
    base: Key,
}

impl Service {
    fn new() -> Self {
        let aws = StandIn::start();
        let base = aws.add_user(ACCOUNT, "someone");
        aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        let service = Self { manager: UserManager::start(), aws, base };
        let Key { access_key_id: id, secret_access_key: secret, .. } = &service.base;
        service.manager.write(
            ".aws/credentials",
            &format!("[base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        );
        service
            .manager
            .write(".aws/config", &format!("[profile mid]\nrole_arn = {}\nsource_profile = base\n", role("Mid")));
        let url = service.aws.url();
        service.manager.write(
            ".config/evercred/evercred.toml",
            &format!("{LOOPBACK_ONLY}[environment]\nAWS_ENDPOINT_URL_STS = \"{url}\"\n"),
        );
        for name in ["evercredd.service", "evercredd.socket"] {
            service.manager.write(&format!("{UNITS}/{name}"), &shipped(name));
        }
        // There is no journal.
        let log = service.manager.path("log");
        service.set_up("log", &format!("StandardError=append:{}\nEnvironment=RUST_LOG=debug", log.display()));
        service
    }

    /// Adds a drop-in to the service.
    fn set_up(&self, name: &str, text: &str) {
        self.manager.write(&format!("{UNITS}/evercredd.service.d/{name}.conf"), &format!("[Service]\n{text}\n"));
    }

    fn start(&self) {
        self.manager.must(&["systemctl", "--user", "daemon-reload"]);
        self.manager.must(&["systemctl", "--user", "enable", "--now", "evercredd.service"]);
    }

    fn set(&self, profile: &str) -> Value {
        serde_json::from_str(&self.manager.must(&["evercred", "credential-process", profile])).unwrap()
    }

    /// The role behind what a profile's callers get.
    fn whose(&self, profile: &str) -> Result<String, String> {
        let set = self.set(profile);
        let field = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
        self.aws.whose(&field("AccessKeyId"), &field("SecretAccessKey"), &field("SessionToken"))
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.manager.run(&["evercred", "status", "--json"]).stdout).unwrap()
    }
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/systemd/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_service_is_ready_when_it_answers_and_says_how_it_stands() {
    if left_out() {
        return;
    }
    let mut service = Service::new();
    service.start();
    assert_eq!(service.manager.property("SubState"), "running");
    assert_eq!(service.manager.property("StatusText"), "no profile is in use");
    assert_eq!(service.whose("mid"), Ok(role("Mid")));
    service.manager.eventually("the line says it", |manager| {
        manager.property("StatusText") == "renews 1 profile automatically: 1 fresh"
    });
    service.manager.must(&["systemctl", "--user", "stop", "evercredd.socket", "evercredd.service"]);
    assert_eq!(service.manager.property("Result"), "success");
    assert_eq!(service.manager.run(&["evercred", "status"]).status.code(), Some(3));
}

#[test]
fn a_killed_daemon_comes_back_with_what_it_held_and_nobody_is_turned_away() {
    if left_out() {
        return;
    }
    let mut service = Service::new();
    service.start();
    let before = service.set("mid");
    // It is written while the caller has it already.
    let id = before["AccessKeyId"].as_str().unwrap().to_owned();
    let written = ["grep", "-q", &id, "/run/user/64711/evercred/minted.json"];
    service.manager.eventually("it is written down", |manager| manager.run(&written).status.success());
    let pid = service.manager.property("MainPID");
    for round in 1..=3 {
        service.manager.kill("KILL");
        // Asked at once, while there is nobody.
        assert_eq!(service.set("mid"), before, "round {round}");
    }
    assert_ne!(service.manager.property("MainPID"), pid);
    assert_eq!(service.aws.count("AssumeRole"), 1);
}

#[test]
fn the_socket_starts_the_daemon_and_stays_when_the_daemon_stops() {
    if left_out() {
        return;
    }
    let service = Service::new();
    service.manager.must(&["systemctl", "--user", "daemon-reload"]);
    service.manager.must(&["systemctl", "--user", "start", "evercredd.socket"]);
    assert_eq!(service.manager.property("ActiveState"), "inactive");
    let before = service.set("mid");
    assert_eq!(service.manager.property("ActiveState"), "active");
    service.manager.must(&["systemctl", "--user", "stop", "evercredd.service"]);
    let uid = service.manager.must(&["stat", "-c", "%a", "/run/user/64711/evercred/evercred.sock"]);
    assert_eq!(uid.trim(), "600");
    assert_eq!(service.set("mid"), before, "and starts it again");
    service.manager.must(&["systemctl", "--user", "restart", "evercredd.service"]);
    assert_eq!(service.set("mid"), before);
}

#[test]
fn callers_that_come_while_the_daemon_is_restarted_are_all_answered() {
    if left_out() {
        return;
    }
    let service = Service::new();
    service.start();
    let before = service.set("mid");
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let mut command = service.manager.command("sh");
            command.arg("-c").arg("for i in 1 2 3 4 5; do evercred credential-process mid || exit 1; done");
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for _ in 0..3 {
        service.manager.must(&["systemctl", "--user", "restart", "evercredd.service"]);
    }
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            assert_eq!(serde_json::from_slice::<Value>(line).unwrap(), before);
        }
    }
}

#[test]
fn a_daemon_that_hangs_is_ended_and_started_again_and_one_that_idles_is_left_alone() {
    if left_out() {
        return;
    }
    let mut service = Service::new();
    service.set_up("watchdog", "WatchdogSec=1s\nTimeoutAbortSec=1s\nRestartSec=100ms");
    service.start();
    let before = service.set("mid");
    let pid = service.manager.property("MainPID");
    for _ in 0..4 {
        let last = service.manager.property("WatchdogTimestampMonotonic");
        service
            .manager
            .eventually("it says that it is alive", |manager| manager.property("WatchdogTimestampMonotonic") != last);
    }
    assert_eq!(service.manager.property("MainPID"), pid, "an idle daemon is left alone");
    service.manager.kill("STOP");
    service.manager.eventually("another daemon is there", |manager| {
        !["0", pid.as_str()].contains(&manager.property("MainPID").as_str())
            && manager.property("SubState") == "running"
    });
    assert_eq!(service.manager.property("NRestarts"), "1");
    assert_eq!(service.set("mid"), before);
    // A core file would hold secrets.
    let left = service.manager.must(&["find", ".", "-name", "core*"]);
    assert_eq!(left, "");
}

#[test]
fn a_new_program_is_said_until_the_daemon_is_restarted_with_it() {
    if left_out() {
        return;
    }
    let service = Service::new();
    service.start();
    let problems = |service: &Service| service.status()["problems"].as_array().unwrap().clone();
    assert_eq!(problems(&service), Vec::<Value>::new());
    service.manager.put_program(".cargo/bin/evercredd", env!("CARGO_BIN_EXE_evercredd"));
    let said = problems(&service);
    assert_eq!((said.len(), said[0]["id"].as_str()), (1, Some("program-replaced")), "{said:?}");
    assert_eq!(said[0]["fix"], "systemctl --user restart evercredd");
    assert_eq!(service.whose("mid"), Ok(role("Mid")), "the old one goes on");
    service.manager.must(&["systemctl", "--user", "restart", "evercredd"]);
    assert_eq!(problems(&service), Vec::<Value>::new());
}

#[test]
fn with_user_namespaces_the_daemon_sees_no_more_than_it_needs_and_works() {
    if left_out() {
        return;
    }
    let service = Service::new();
    let hardening = shipped("evercredd.service.d/hardening.conf");
    service.manager.write(&format!("{UNITS}/evercredd.service.d/hardening.conf"), &hardening);
    service.manager.must(&["mkdir", "-p", "-m", "700", ".local/state/evercred"]);
    service.start();
    let before = service.set("mid");
    service.manager.must(&["systemctl", "--user", "restart", "evercredd"]);
    assert_eq!(service.set("mid"), before, "its state files can be written");
    let pid = service.manager.property("MainPID");
    let mounts = service.manager.must(&["cat", &format!("/proc/{pid}/mounts")]);
    assert!(mounts.lines().any(|line| line.contains(" / ") && line.contains("ro,")), "{mounts}");
}

#[test]
fn a_program_of_a_profile_works_with_the_relaxed_unit_and_the_error_says_so_without() {
    if left_out() || std::env::var_os("EVERCRED_TEST_WITHOUT_NODE").is_some() {
        return;
    }
    let service = Service::new();
    let Key { access_key_id: id, secret_access_key: secret, .. } = &service.base;
    service.manager.write(
        "tool.js",
        &format!(
            "console.log(JSON.stringify({{Version: 1, AccessKeyId: '{id}', SecretAccessKey: '{secret}', Expiration: new Date(Date.now() + 3600e3).toISOString()}}))"
        ),
    );
    let node =
        String::from_utf8(Command::new("sh").args(["-c", "readlink -f $(command -v node)"]).output().unwrap().stdout)
            .unwrap();
    let tool = service.manager.path("tool.js");
    service
        .manager
        .write(".aws/config", &format!("[profile tool]\ncredential_process = {} {}\n", node.trim(), tool.display()));
    service.start();
    let refused = service.manager.run(&["evercred", "credential-process", "tool"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("evercred service install"), "{said}");
    let said = service.manager.must(&["evercred", "service", "install"]);
    assert!(said.contains("reduced, because profiles run programs"), "{said}");
    assert_eq!(service.set("tool")["AccessKeyId"], id.as_str());
}

#[test]
fn the_shipped_units_are_correct_and_expose_little() {
    if left_out() {
        return;
    }
    let manager = UserManager::start();
    let program = manager.path(".cargo/bin/evercredd").display().to_string();
    let analyze = |threshold: &str, more: &str| {
        let text = shipped("evercredd.service").replace("%h/.cargo/bin/evercredd", &program);
        manager.write("units/evercredd.service", &text.replace("[Install]", &format!("{more}\n[Install]")));
        manager.write("units/evercredd.socket", &shipped("evercredd.socket"));
        let units = ["units/evercredd.service", "units/evercredd.socket"];
        let verified = manager.command("systemd-analyze").args(["--user", "verify"]).args(units).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        // Unknown keys are only warned of.
        assert!(verified.status.success() && said.is_empty(), "{said}");
        manager.must(&[
            "systemd-analyze",
            "--user",
            "security",
            "--offline=true",
            threshold,
            "units/evercredd.service",
        ]);
    };
    let settings = |name: &str| {
        let text = shipped(&format!("evercredd.service.d/{name}.conf"));
        text.lines().filter(|line| !line.starts_with(['#', '['])).map(|line| line.to_owned() + "\n").collect::<String>()
    };
    analyze("--threshold=30", "");
    analyze("--threshold=16", &settings("hardening"));
    // Capabilities that nobody has count here as if they were had: an unprivileged manager can't take them from the bounding set.
    analyze("--threshold=100", &settings("portable"));
    analyze("--threshold=100", &settings("helpers"));
}
