//! The `credential_process` of other programs, with the real daemon and real scripts.

use std::os::unix::fs::PermissionsExt;

use crate::machine::{Machine, role, stderr};

/// A machine with the profile `tool`, whose program is `bin/tool`, and `app` behind it; each run adds a line to `runs`.
fn machine_with(script: &str) -> Machine {
    let machine = Machine::new();
    program(&machine, "tool", script);
    machine.write(
        ".aws/config",
        &format!(
            "[profile tool]\ncredential_process = {}\nregion = eu-west-1\n\n[profile app]\nrole_arn = {}\nsource_profile = tool\n",
            machine.path("bin/tool").display(),
            role("Mid")
        ),
    );
    machine
}

fn program(machine: &Machine, name: &str, script: &str) {
    let path = format!("bin/{name}");
    machine.write(&path, &format!("#!/bin/sh\necho x >> $HOME/runs\n{script}\n"));
    std::fs::set_permissions(machine.path(&path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn runs(machine: &Machine) -> usize {
    machine.read("runs").lines().count()
}

fn prints(machine: &Machine, more: &str) -> String {
    let (id, secret) = (&machine.base.access_key_id, &machine.base.secret_access_key);
    format!(r#"echo "{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"{more}}}""#)
}

#[test]
fn a_program_is_run_once_for_everybody_and_a_role_stands_on_it() {
    let mut machine = machine_with("");
    let script = prints(&machine, r#",\"Expiration\":\"$(date -u -d '+1 hour' +%FT%TZ)\""#);
    program(&machine, "tool", &script);
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("Mid")));
    let set = machine.credentials("tool").unwrap();
    assert_eq!(set["AccessKeyId"], machine.base.access_key_id.as_str());
    assert_eq!(runs(&machine), 1, "{}", machine.read("log"));
    let tool = machine.profile("tool");
    assert_eq!((tool["kind"].as_str(), tool["state"].as_str()), (Some("process"), Some("fresh")));
}

#[test]
fn a_program_that_needs_nobody_is_run_again_before_its_set_ends() {
    let mut machine = machine_with("");
    let script = prints(&machine, r#",\"Expiration\":\"$(date -u -d '+8 seconds' +%FT%TZ)\""#);
    program(&machine, "tool", &script);
    machine.start();
    machine.credentials("tool").unwrap();
    machine.eventually("it is run again by itself", |machine| runs(machine) >= 3);
    machine.credentials("tool").unwrap();
}

#[test]
fn a_vault_that_was_unlocked_is_found_open_by_who_asks_again() {
    let mut machine = machine_with("");
    let script = prints(&machine, "");
    program(&machine, "tool", &format!("[ -e $HOME/open ] || {{ echo 'the vault is locked' >&2; exit 1; }}\n{script}"));
    machine.start();
    let said = machine.credentials("tool").unwrap_err();
    assert!(said.contains("the vault is locked") && said.contains("fix: evercred renew tool\n"), "{said}");
    machine.write("open", "");
    assert_eq!(machine.run(&["renew", "tool"]).status.code(), Some(0));
    assert!(machine.credentials("tool").is_ok());
}

#[test]
fn keys_without_an_end_are_got_again_at_most_once_a_minute() {
    let mut machine = machine_with("");
    let script = prints(&machine, "");
    program(&machine, "tool", &script);
    machine.start();
    for _ in 0..3 {
        let set = machine.credentials("tool").unwrap();
        assert!(set.get("Expiration").is_none() && set.get("SessionToken").is_none());
    }
    assert_eq!(runs(&machine), 1);
    assert_eq!(machine.profile("tool")["valid"], true);
}

#[test]
fn a_program_that_fails_is_told_with_its_own_last_words_and_is_not_run_in_a_loop() {
    let mut machine = machine_with("echo 'opening the vault' >&2; echo 'the vault is locked' >&2; exit 7");
    machine.start();
    let output = machine.run(&["credential-process", "tool"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("exit code 7") && said.contains("the vault is locked") && said.contains("fix:"), "{said}");
    assert!(machine.credentials("app").unwrap_err().contains("the vault is locked"));
    assert_eq!(runs(&machine), 1, "asked again within the minute\n{}", machine.read("log"));
    assert_eq!(machine.profile("tool")["last_error"]["code"], "ProcessFailed");
    // Mended, and the line in the file touched: at once.
    let script = prints(&machine, "");
    program(&machine, "tool", &script);
    assert!(machine.run(&["renew", "tool"]).status.success());
}

#[test]
fn a_program_that_is_not_on_the_daemons_path_is_found_for_the_person() {
    let mut machine = machine_with("");
    program(&machine, "far-tool", "");
    machine.write(".aws/config", "[profile tool]\ncredential_process = far-tool --json\n");
    machine.start();
    let mut companion = machine.companion();
    let path = format!("{}:/usr/bin", machine.path("bin").display());
    let output = companion.args(["credential-process", "tool"]).env("PATH", path).output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("far-tool") && said.contains("/usr/bin:/bin"), "{said}");
    assert!(said.contains(&machine.path("bin/far-tool").display().to_string()), "{said}");
}

#[test]
fn a_program_that_asks_evercred_for_its_own_profile_ends_at_once() {
    let mut machine = machine_with(&format!("exec {} credential-process tool", env!("CARGO_BIN_EXE_evercred")));
    machine.start();
    let said = machine.credentials("tool").unwrap_err();
    assert!(said.contains("for the same profile"), "{said}");
}
