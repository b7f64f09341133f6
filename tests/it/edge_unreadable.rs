//! AWS files that can't be read, and edits that the system does not report.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::edge_notify::is_told_without;
use crate::machine::{Machine, role, stderr};
use crate::standin::Role;

/// The command, with no more rights to files than any user has.
fn without_root(command: &Command) -> Command {
    let mut outer = Command::new("setpriv");
    outer
        .args(["--bounding-set", "-dac_override,-dac_read_search"])
        .arg(command.get_program())
        .args(command.get_args());
    outer.env_clear();
    for (name, value) in command.get_envs() {
        outer.env(name, value.unwrap_or_default());
    }
    outer
}

fn set_mode(machine: &Machine, name: &str, mode: u32) {
    std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_without_read_permission_is_reported_at_start_and_read_once_it_may_be() {
    if is_told_without("SETPRIV") {
        return;
    }
    let mut machine = Machine::new();
    set_mode(&machine, ".aws/config", 0);
    let command = without_root(&machine.daemon());
    machine.start_as(command);
    assert!(machine.credentials("base").is_ok(), "the other file's profiles work");
    for arguments in [&["credential-process", "app"][..], &["renew", "app"], &["login", "app"]] {
        let output = machine.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
        let fix = format!("fix: chmod u+r {}", machine.path(".aws/config").display());
        assert!(stderr(&output).contains(&fix), "{arguments:?}: {}", stderr(&output));
    }
    for arguments in [["plan", "app"], ["doctor", "app"], ["profiles", "--json"]] {
        let output = without_root(machine.companion().args(arguments)).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(machine.status()["problems"][0]["id"], "aws-file-unreadable");
    set_mode(&machine, ".aws/config", 0o600);
    machine.eventually("the profile is there", |machine| machine.whose("app") == Ok(role("App")));
    assert_eq!(machine.status()["problems"], serde_json::json!([]));
    // A daemon that runs keeps what it has read.
    set_mode(&machine, ".aws/config", 0);
    machine.eventually("the problem is said", |machine| machine.status()["problems"][0]["id"] == "aws-file-unreadable");
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn an_edit_that_the_system_does_not_report_is_seen_before_a_refusal_is_repeated() {
    let mut machine = Machine::new();
    // A write by another name in another directory makes no event.
    let config = machine.read(".aws/config");
    std::fs::create_dir(machine.path("elsewhere")).unwrap();
    std::fs::hard_link(machine.path(".aws/config"), machine.path("elsewhere/config")).unwrap();
    machine.aws.set_role(&role("Other"), Role::trusting(&["arn:aws:iam::111122223333:user/someone"]));
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::999988887777:root"]));
    machine.start();
    assert!(machine.whose("mid").unwrap_err().contains("AccessDenied"));
    machine.write("elsewhere/config", &config.replace(&role("Mid"), &role("Other")));
    assert_eq!(machine.whose("mid"), Ok(role("Other")));
    // So is one of a profile whose credentials are fine, once they are to be renewed.
    machine.aws.set_role(&role("Third"), Role::trusting(&["arn:aws:iam::111122223333:user/someone"]));
    machine.write("elsewhere/config", &config.replace(&role("Mid"), &role("Third")));
    assert_eq!(machine.run(&["renew", "mid"]).status.code(), Some(0));
    assert_eq!(machine.whose("mid"), Ok(role("Third")));
}
