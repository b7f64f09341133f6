//! MFA with the real programs: several devices and keys, programs that fail or change what they print, and lifetimes beyond
//! AWS's limits.

use serde_json::{Value, json};

use crate::edge_mfa::{device, login};
use crate::machine::{ACCOUNT, Machine, role, stderr};
use crate::standin::{Key, Role};

/// Roles whose trust policy requires MFA.
fn machine(config: &str) -> Machine {
    let machine = Machine::new();
    let user = format!("arn:aws:iam::{ACCOUNT}:user/someone");
    for name in ["R1", "R2"] {
        machine.aws.set_role(&role(name), Role { mfa: true, ..Role::trusting(&[&user]) });
    }
    machine.write(".aws/config", config);
    machine
}

/// A profile for a role with the usual MFA device.
fn profile(name: &str, source: &str, more: &str) -> String {
    let arn = role(&name.to_uppercase());
    let device = device();
    format!(
        "[profile {name}]\nrole_arn = {arn}\nsource_profile = {source}\nmfa_serial = {device}\nregion = eu-west-1\n{more}\n"
    )
}

/// The document of a `credential_process` that prints a user's key.
fn document(key: &Key) -> String {
    let (id, secret) = (&key.access_key_id, &key.secret_access_key);
    json!({"Version": 1, "AccessKeyId": id, "SecretAccessKey": secret}).to_string()
}

fn behind_a_program() -> Machine {
    let config = format!(
        "[profile op]\ncredential_process = sh -c '. ./op'\n{}{}",
        profile("r1", "op", ""),
        profile("r2", "op", "")
    );
    machine(&config)
}

fn plan(machine: &Machine, name: &str) -> Value {
    serde_json::from_slice(&machine.run(&["plan", name, "--json"]).stdout).unwrap()
}

fn types(plan: &Value) -> Vec<&str> {
    plan["steps"].as_array().unwrap().iter().filter_map(|step| step["type"].as_str()).collect()
}

#[test]
fn a_device_of_a_role_whose_source_is_a_role_is_an_error_in_the_plan_and_no_call() {
    let other = format!("arn:aws:iam::{ACCOUNT}:mfa/other");
    for device_of_source in [device(), other] {
        let config = format!(
            "[profile r1]\nrole_arn = {}\nsource_profile = base\nmfa_serial = {device_of_source}\nregion = eu-west-1\n{}",
            role("R1"),
            profile("r2", "r1", "")
        );
        let mut machine = machine(&config);
        let plan = plan(&machine, "r2");
        assert_eq!(
            (&plan["error"]["code"], &plan["error"]["line"]),
            (&json!("conflicting-source"), &json!(9)),
            "{plan}"
        );
        machine.start();
        let asked = machine.run(&["credential-process", "r2"]);
        assert_eq!(asked.status.code(), Some(1), "{}", stderr(&asked));
        // The source works with its own device.
        machine.aws.show_code(&device_of_source, "123456");
        assert!(login(&machine, "r1", "123456\n").status.success());
        assert_eq!(machine.whose("r1"), Ok(role("R1")));
    }
}

#[test]
fn a_device_of_the_profile_with_the_keys_does_not_count_for_a_role_with_its_own() {
    let mut machine = machine(&profile("r1", "base", ""));
    let other = format!("arn:aws:iam::{ACCOUNT}:mfa/other");
    let keys = machine.read(".aws/credentials");
    machine.write(".aws/credentials", &format!("{keys}mfa_serial = {other}\n"));
    machine.start();
    machine.aws.show_code(&device(), "123456");
    machine.aws.show_code(&other, "654321");
    let output = login(&machine, "r1", "123456\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(machine.whose("r1"), Ok(role("R1")));
    assert_eq!(types(&plan(&machine, "r1")), ["static", "session-token", "assume-role"]);
}

#[test]
fn two_roles_with_two_devices_on_one_key_each_take_their_own_code() {
    let other = format!("arn:aws:iam::{ACCOUNT}:mfa/other");
    let config = format!(
        "{}[profile r2]\nrole_arn = {}\nsource_profile = base\nmfa_serial = {other}\nregion = eu-west-1\n",
        profile("r1", "base", ""),
        role("R2")
    );
    let mut machine = machine(&config);
    machine.start();
    machine.aws.show_code(&device(), "111111");
    machine.aws.show_code(&other, "222222");
    assert!(login(&machine, "r1", "111111\n").status.success());
    assert_eq!(machine.run(&["credential-process", "r2"]).status.code(), Some(5));
    assert!(login(&machine, "r2", "222222\n").status.success());
    assert_eq!((machine.whose("r1"), machine.whose("r2")), (Ok(role("R1")), Ok(role("R2"))));
    assert_eq!(machine.status()["mfa_sessions"].as_array().map(Vec::len), Some(2));
}

#[test]
fn two_roles_with_one_device_and_different_users_keys_have_a_session_each() {
    let mut machine = machine(&format!("{}{}", profile("r1", "base", ""), profile("r2", "second", "")));
    let second = machine.aws.add_user(ACCOUNT, "someone");
    let keys = machine.read(".aws/credentials");
    let (id, secret) = (&second.access_key_id, &second.secret_access_key);
    machine.write(
        ".aws/credentials",
        &format!("{keys}[second]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
    );
    machine.start();
    machine.aws.show_code(&device(), "111111");
    assert!(login(&machine, "r1", "111111\n").status.success());
    assert_eq!(machine.run(&["credential-process", "r2"]).status.code(), Some(5), "another key, another session");
    // The code is used up, whichever key it goes with.
    let used = login(&machine, "r2", "111111\n");
    assert_eq!(used.status.code(), Some(5), "{}", stderr(&used));
    machine.aws.show_code(&device(), "222222");
    assert!(login(&machine, "r2", "222222\n").status.success());
    assert_eq!((machine.whose("r1"), machine.whose("r2")), (Ok(role("R1")), Ok(role("R2"))));
    assert_eq!(machine.aws.count("GetSessionToken"), 2);
}

#[test]
fn a_program_that_fails_or_prints_garbage_uses_up_no_code_and_asks_for_none() {
    for (broken, wanted) in [
        ("echo no vault >&2; exit 3", "no vault"),
        ("echo '{\"Version\": 1'", "op"),
        ("echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAX\"}'", "op"),
        ("echo '{\"Version\": 2}'", "op"),
        ("true", "op"),
    ] {
        let mut machine = behind_a_program();
        machine.write("op", broken);
        machine.start();
        machine.aws.show_code(&device(), "123456");
        let output = login(&machine, "r1", "123456\n");
        assert_eq!(output.status.code(), Some(1), "{broken}: {}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{broken}: {}", stderr(&output));
        assert_eq!(machine.aws.count("GetSessionToken") + machine.aws.count("AssumeRole"), 0);
        let output = machine.run(&["credential-process", "r1"]);
        assert!(matches!(output.status.code(), Some(1 | 5)), "{broken}: {}", stderr(&output));
        // The code was never sent to AWS, so it works while the device shows it.
        machine.write("op", &format!("echo '{}'", document(&machine.base)));
        let output = login(&machine, "r1", "123456\n");
        assert!(output.status.success(), "{broken}: {}", stderr(&output));
        assert_eq!(machine.whose("r2"), Ok(role("R2")));
        assert_eq!(machine.aws.count("GetSessionToken"), 1);
    }
}

#[test]
fn a_program_that_changes_from_a_users_key_to_temporary_credentials_and_back_asks_where_a_code_is_needed() {
    let mut machine = behind_a_program();
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &format!("{config}[profile s]\nsource_profile = base\nmfa_serial = {}\n", device()));
    machine.write("op", &format!("echo '{}'", document(&machine.base)));
    machine.start();
    machine.aws.show_code(&device(), "111111");
    assert!(login(&machine, "r1", "111111\n").status.success());
    assert_eq!(machine.whose("r2"), Ok(role("R2")));
    // From now on it prints an MFA session of the user.
    machine.aws.show_code(&device(), "222222");
    assert!(login(&machine, "s", "222222\n").status.success());
    let session = machine.credentials("s").unwrap();
    machine.write("op", &format!("echo '{session}'"));
    assert!(machine.run(&["renew", "op"]).status.success());
    machine.eventually("plans follow", |machine| {
        let profile = machine.profile("r1");
        profile["state"] == "fresh" || profile["state"] == "needs-login"
    });
    // The cached credentials stay in use.
    assert_eq!((machine.whose("r1"), machine.whose("r2")), (Ok(role("R1")), Ok(role("R2"))));
    machine.aws.show_code(&device(), "333333");
    let output = login_forced(&machine, "r1", "333333\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(machine.whose("r1"), Ok(role("R1")));
    // It prints the long-term key again.
    machine.write("op", &format!("echo '{}'", document(&machine.base)));
    assert!(machine.run(&["renew", "op"]).status.success());
    machine.aws.show_code(&device(), "444444");
    let sessions = machine.aws.count("GetSessionToken");
    let output = login_forced(&machine, "r2", "444444\n");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(machine.aws.count("GetSessionToken"), sessions + 1);
    assert_eq!((machine.whose("r1"), machine.whose("r2")), (Ok(role("R1")), Ok(role("R2"))));
}

fn login_forced(machine: &Machine, profile: &str, typed: &str) -> std::process::Output {
    crate::edge_mfa::login_with(machine, &[profile, "--force"], typed)
}

#[test]
fn lifetimes_beyond_awss_limits_are_cut_to_what_aws_gives_or_said_before_the_call() {
    for (more, of_role, noted) in [
        ("duration_seconds = 43200", Some(3_600), true),
        ("duration_seconds = 3600", Some(3_600), false),
        ("duration_seconds = 900", Some(900), false),
        ("", None, false),
        // botocore sends these too, and AWS refuses them.
        ("duration_seconds = 43201", Some(43_201), true),
        ("duration_seconds = 899", Some(899), true),
    ] {
        let mut machine = machine(&profile("r1", "base", more));
        let plan = plan(&machine, "r1");
        assert_eq!(plan["steps"][2]["duration_seconds"], json!(of_role), "{more}: {plan}");
        let notes = plan["notes"].as_array().unwrap();
        assert_eq!(
            notes.iter().any(|note| note.as_str().unwrap().contains("duration_seconds")),
            noted,
            "{more}: {plan}"
        );
        machine.start();
        machine.aws.show_code(&device(), "123456");
        let output = login(&machine, "r1", "123456\n");
        assert!(output.status.success(), "the session is there: {}", stderr(&output));
        let got = machine.run(&["credential-process", "r1"]);
        let works = of_role.is_none_or(|seconds| (900..=3_600).contains(&seconds));
        assert_eq!(got.status.code(), Some(if works { 0 } else { 1 }), "{more}: {}", stderr(&got));
        if !works {
            let error = machine.profile("r1")["last_error"].clone();
            assert_eq!((&error["code"], &error["class"]), (&json!("ValidationError"), &json!("permanent")), "{error}");
        }
    }
    // Sessions of a user: 15 minutes to 36 hours.
    for (seconds, works) in [(129_600, true), (129_601, false), (899, false)] {
        let config = format!(
            "[profile s]\nsource_profile = base\nmfa_serial = {}\nduration_seconds = {seconds}\nregion = eu-west-1\n",
            device()
        );
        let mut machine = machine(&config);
        assert_eq!(plan(&machine, "s")["notes"].as_array().unwrap().is_empty(), works);
        machine.start();
        machine.aws.show_code(&device(), "123456");
        let output = login(&machine, "s", "123456\n");
        assert_eq!(output.status.success(), works, "{seconds}: {}", stderr(&output));
        if !works {
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        }
    }
}
