//! Cache files and directories of another user: they keep their owner, no token is used or lost, and a sign-out counts.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use crate::edge_cache::problem;
use crate::edge_sso::{end_of_sign_in, machine, sign_in, token, token_file};
use crate::machine::{Machine, role, stderr};
use crate::standin::Rotation;

const PERSON: u32 = 12_345;
const OTHER: u32 = 12_346;
const CACHE: &str = ".aws/sso/cache";

/// A machine with a signed-in user; `None` if the test does not run as root.
fn persons_machine(access_token_seconds: i64) -> Option<Machine> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.sso(|settings| settings.access_token_seconds = access_token_seconds);
    machine.set_user(PERSON);
    machine.start();
    sign_in(&machine);
    Some(machine)
}

fn set_mode(machine: &Machine, name: &str, mode: u32) {
    std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The session's state, and the code of its problem.
fn session(machine: &Machine) -> (Value, Value) {
    let session = &machine.status()["sso_sessions"][0];
    (session["state"].clone(), session["last_error"]["code"].clone())
}

#[test]
fn a_logout_that_cannot_remove_the_file_is_remembered_until_the_next_sign_in() {
    for mode in [0o755, 0o711, 0o700] {
        let Some(mut machine) = persons_machine(3_600) else { return };
        // As after `sudo aws sso login`: the directory is root's, and the user has no access.
        machine.give(CACHE, PERSON);
        std::os::unix::fs::chown(machine.path(CACHE), Some(0), Some(0)).unwrap();
        set_mode(&machine, CACHE, mode);
        let text = machine.read(&token_file());
        assert_eq!(machine.whose("admin"), Ok(role("Admin")));
        let output = machine.run(&["logout", "corp"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("AWS has ended the session"), "{}", stderr(&output));
        assert_eq!((machine.aws.live_sso_sessions(), machine.read(&token_file())), (0, text));
        for restart in [false, true] {
            if restart {
                assert_eq!(machine.stop(), Some(0));
                machine.start();
            }
            machine.eventually("it is seen", |machine| {
                session(machine) == (json!("needs-login"), json!("SsoLoginNeeded"))
            });
            assert_eq!(
                machine.run(&["credential-process", "admin"]).status.code(),
                Some(5),
                "{mode:o}, restart: {restart}"
            );
        }
        // A second sign-out has the same output.
        assert_eq!(machine.run(&["logout", "corp"]).status.code(), Some(1));
        // The sign-in needs no --force. Its token can't be written either, and is in use.
        let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser"]);
        assert!(status == Some(1) && said.contains("can't be written"), "{said}");
        assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
        assert_eq!(machine.stop(), Some(0));
        machine.give(CACHE, PERSON);
        machine.start();
        machine.eventually("it is written", |machine| {
            token(machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token))
        });
        assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
        assert!(machine.run(&["login", "corp"]).status.success(), "signed in already");
        assert!(machine.run(&["logout", "corp"]).status.success());
        assert!(!machine.path(&token_file()).exists());
    }
}

#[test]
fn a_token_that_another_tool_writes_after_such_a_logout_is_taken() {
    let Some(mut machine) = persons_machine(3_600) else { return };
    let mut foreign = token(&machine);
    std::os::unix::fs::chown(machine.path(CACHE), Some(0), Some(0)).unwrap();
    set_mode(&machine, CACHE, 0o755);
    assert_eq!(machine.run(&["logout", "corp"]).status.code(), Some(1));
    machine.eventually("it is seen", |machine| session(machine).0 == "needs-login");
    // The user's own tool may write the file in place.
    foreign["accessToken"] = json!("another-token");
    foreign["refreshToken"] = json!("another-refresh-token");
    std::fs::write(machine.path(&token_file()), foreign.to_string()).unwrap();
    machine.eventually("it is taken", |machine| session(machine).0 != "needs-login");
}

#[test]
fn a_cache_directory_of_another_user_costs_no_refresh_token_and_says_the_chown() {
    let Some(mut machine) = persons_machine(6) else { return };
    let text = machine.read(&token_file());
    machine.give(CACHE, OTHER);
    // Its owner lets everybody read.
    set_mode(&machine, CACHE, 0o755);
    set_mode(&machine, &token_file(), 0o644);
    machine.eventually("it is said", |machine| problem(machine) != Value::Null);
    let refreshes = machine.aws.count("CreateToken:refresh_token");
    let said = problem(&machine);
    let fix = said["fix"].as_str().unwrap();
    assert!(fix.starts_with("sudo chown ") && fix.contains(&format!("{PERSON}")) && fix.contains(CACHE), "{fix}");
    let report = machine.run(&["doctor", "admin", "--offline", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["id"] == "sso-cache-unwritable"), "{report}");
    machine.eventually("the token is over", |machine| machine.status()["sso_sessions"][0]["state"] != "fresh");
    assert!(machine.aws.count("CreateToken:refresh_token") <= refreshes);
    let facts = machine.path(&token_file()).metadata().unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (OTHER, 0o644));
    if refreshes == 0 {
        assert_eq!(machine.read(&token_file()), text);
    }
    machine.give(CACHE, PERSON);
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateToken:refresh_token") > refreshes);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    machine.eventually("the problem is gone", |machine| problem(machine) == Value::Null);
}

#[test]
fn a_cache_file_of_another_user_in_the_users_own_directory_is_read_if_it_may_be_and_never_taken_over() {
    for is_readable in [true, false] {
        let Some(mut machine) = persons_machine(3_600) else { return };
        assert_eq!(machine.stop(), Some(0));
        machine.give(&token_file(), OTHER);
        set_mode(&machine, &token_file(), if is_readable { 0o644 } else { 0o600 });
        let text = machine.read(&token_file());
        machine.start();
        machine
            .eventually("it is said", |machine| problem(machine) != Value::Null || session(machine).1 != Value::Null);
        let served = machine.whose("admin");
        assert_eq!(served.is_ok(), is_readable, "{served:?}");
        let facts = machine.path(&token_file()).metadata().unwrap();
        assert_eq!((facts.uid(), machine.read(&token_file()), machine.aws.live_sso_sessions()), (OTHER, text, 1));
    }
}

#[test]
fn a_daemon_of_root_with_a_users_home_leaves_every_file_to_the_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.sso(|settings| settings.access_token_seconds = 6);
    machine.give(".", PERSON);
    machine.start();
    // The sign-in makes directories and files below the home.
    sign_in(&machine);
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateToken:refresh_token") >= 2);
    let output = std::process::Command::new("find").arg(machine.path(".aws")).args(["-not", "-uid", "12345"]).output();
    let foreign = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(foreign, "");
    assert_eq!(machine.path(&token_file()).metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(machine.stop(), Some(0));
    // From then on the user's own daemon uses the same session.
    machine.set_user(PERSON);
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    let refreshes = machine.aws.count("CreateToken:refresh_token");
    machine.eventually("it refreshes", |machine| machine.aws.count("CreateToken:refresh_token") > refreshes);
    assert_eq!(machine.aws.live_sso_sessions(), 1);
    assert!(machine.run(&["logout", "corp"]).status.success());
    assert!(!machine.path(&token_file()).exists());
}
