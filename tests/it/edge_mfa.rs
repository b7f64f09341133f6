//! MFA with the real programs: one code for every role behind a key and its device.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::machine::{ACCOUNT, Machine, role, stderr};
use crate::standin::Role;

const ROLES: usize = 20;

pub(crate) fn device() -> String {
    format!("arn:aws:iam::{ACCOUNT}:mfa/me")
}

/// A machine with twenty roles that want a code of one device.
fn machine() -> Machine {
    let machine = Machine::new();
    let mut config = String::new();
    for at in 0..ROLES {
        let name = role(&format!("Role{at}"));
        let trust = Role { mfa: true, ..Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]) };
        machine.aws.set_role(&name, trust);
        config.push_str(&format!(
            "[profile p{at}]\nrole_arn = {name}\nsource_profile = base\nmfa_serial = {}\nregion = eu-west-1\nduration_seconds = 7200\n",
            device()
        ));
    }
    machine.write(".aws/config", &config);
    machine
}

pub(crate) fn login(machine: &Machine, profile: &str, typed: &str) -> Output {
    login_with(machine, &[profile], typed)
}

pub(crate) fn login_with(machine: &Machine, arguments: &[&str], typed: &str) -> Output {
    let mut companion = machine.companion();
    companion.arg("login").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = companion.spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn one_code_is_typed_for_twenty_roles_and_a_restart_asks_for_none() {
    let mut machine = machine();
    machine.start();
    let before = machine.run(&["credential-process", "p0"]);
    assert_eq!(before.status.code(), Some(5));
    let said = stderr(&before);
    assert!(said.contains(&device()) && said.contains("fix: evercred login p0"), "{said}");
    for (profile, is_used) in [("p0", true), ("p1", false)] {
        let profile = machine.profile(profile);
        let shown = (profile["state"].as_str(), profile["usable"].as_bool(), profile["auto_renew"].as_bool());
        assert_eq!(shown, (Some("needs-login"), Some(false), Some(is_used)));
    }
    assert_eq!(machine.run(&["status"]).status.code(), Some(1));

    machine.aws.show_code(&device(), "123456");
    let output = login(&machine, "p7", "123456\n");
    assert!(output.status.success(), "{}", stderr(&output));
    for at in 0..ROLES {
        assert_eq!(machine.whose(&format!("p{at}")), Ok(role(&format!("Role{at}"))));
    }
    assert_eq!((machine.aws.count("GetSessionToken"), machine.aws.count("AssumeRole")), (1, ROLES));
    let sessions = machine.status()["mfa_sessions"].clone();
    assert_eq!((sessions[0]["device"].as_str(), sessions[0]["profiles"].as_u64()), (Some(device().as_str()), Some(20)));
    assert!(sessions[0]["expires_at"].is_string() && sessions[1].is_null(), "{sessions}");
    machine.eventually("the sets are kept", |machine| machine.read("run/minted.json").matches("ASIA").count() > ROLES);
    assert_eq!(machine.stop(), Some(0));
    machine.start();
    assert!(machine.run(&["renew", "p3"]).status.success());
    assert_eq!(machine.aws.count("GetSessionToken"), 1);
}

#[test]
fn one_code_serves_both_roles_behind_a_program_that_prints_a_users_key() {
    let mut machine = machine();
    let key = machine.read(".aws/credentials");
    let value = |name: &str| {
        let line = key.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    machine.write(
        "op.json",
        &format!(
            r#"{{"Version": 1, "AccessKeyId": "{}", "SecretAccessKey": "{}"}}"#,
            value("aws_access_key_id"),
            value("aws_secret_access_key")
        ),
    );
    let config = machine.read(".aws/config").replace("source_profile = base", "source_profile = op");
    machine.write(".aws/config", &format!("{config}[profile op]\ncredential_process = cat op.json\n"));
    machine.start();
    machine.aws.show_code(&device(), "123456");
    let output = login(&machine, "p1", "123456\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(machine.whose("p1"), Ok(role("Role1")));
    assert_eq!(machine.whose("p2"), Ok(role("Role2")));
    assert_eq!(machine.aws.count("GetSessionToken"), 1);
}

#[test]
fn a_wrong_code_is_awss_refusal_and_a_used_one_is_not_sent_again() {
    let mut machine = machine();
    machine.start();
    machine.aws.show_code(&device(), "123456");
    let wrong = login(&machine, "p0", "000000\n");
    assert_eq!(wrong.status.code(), Some(5));
    assert!(stderr(&wrong).contains("MultiFactorAuthentication failed"), "{}", stderr(&wrong));
    assert!(login(&machine, "p0", "abc\n999999\n123 456\n").status.success(), "three tries");
    let calls = machine.aws.count("GetSessionToken");
    let already = login(&machine, "p1", "123456\n");
    assert!(already.status.success(), "{}", stderr(&already));
    assert!(String::from_utf8_lossy(&already.stdout).starts_with("p1: already signed in, until "), "{already:?}");
    let used = login_with(&machine, &["p1", "--force"], "123456\n");
    assert_eq!(used.status.code(), Some(5));
    assert!(stderr(&used).contains("used already"), "{}", stderr(&used));
    assert_eq!(machine.aws.count("GetSessionToken"), calls);
    assert_eq!(machine.whose("p1"), Ok(role("Role1")), "the session that is there goes on");
    assert!(!machine.read("log").contains("123456") && !machine.read("log").contains("000000"));
}

#[test]
fn without_a_terminal_or_a_code_nobody_is_asked() {
    let mut machine = machine();
    machine.start();
    let output = login(&machine, "p0", "");
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("no terminal") && stderr(&output).contains("fix:"), "{}", stderr(&output));
    let other = login(&machine, "base", "123456\n");
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("needs no code"), "{}", stderr(&other));
    assert_eq!(login(&machine, "p77", "").status.code(), Some(4));
}

#[test]
fn a_role_that_refuses_a_new_session_asks_for_no_other_code() {
    let mut machine = machine();
    machine.start();
    machine.aws.show_code(&device(), "123456");
    assert!(login(&machine, "p0", "123456\n").status.success());
    machine.aws.set_role(&role("Role1"), Role::trusting(&[]));
    let said = machine.credentials("p1").unwrap_err();
    assert!(said.contains("AccessDenied") && !said.contains("evercred login"), "{said}");
}

#[test]
fn logout_forgets_the_session_and_everything_behind_it() {
    let mut machine = machine();
    machine.start();
    machine.aws.show_code(&device(), "123456");
    assert!(login(&machine, "p0", "123456\n").status.success());
    assert_eq!(machine.whose("p0"), Ok(role("Role0")));
    assert_eq!(machine.whose("p1"), Ok(role("Role1")));
    assert!(machine.run(&["logout", "p0"]).status.success());
    for profile in ["p0", "p1"] {
        assert_eq!(machine.run(&["credential-process", profile]).status.code(), Some(5));
    }
    machine.eventually("nothing is kept", |machine| !machine.read("run/minted.json").contains("ASIA"));
}

#[test]
fn a_program_of_the_settings_types_the_code() {
    let mut machine = machine();
    machine.aws.show_code(&device(), "424242");
    machine.write(
        ".config/evercred/evercred.toml",
        "[[profile]]\nname = \"p5\"\nmfa_process = \"echo a code: >&2; echo 424242\"\n[clock]\nntp = []\n",
    );
    machine.start();
    assert_eq!(machine.whose("p0"), Ok(role("Role0")));
    assert_eq!(machine.whose("p1"), Ok(role("Role1")), "the session is shared");
    assert_eq!(machine.aws.count("GetSessionToken"), 1);
    assert!(!machine.read("log").contains("424242"));
}
