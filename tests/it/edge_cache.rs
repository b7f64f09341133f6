//! The cache files of sign-in sessions: they stay their owner's, and no token is lost.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use serde_json::{Value, json};

use crate::edge_sso::{end_of_sign_in, machine, sign_in, token, token_file};
use crate::machine::{Machine, ends, role};
use crate::standin::Rotation;

const PERSON: u32 = 12_345;

pub(crate) fn problem(machine: &Machine) -> Value {
    let status = machine.status();
    let problems = status["problems"].as_array().unwrap();
    problems.iter().find(|problem| problem["id"] == "sso-cache-unwritable").cloned().unwrap_or(Value::Null)
}

/// The names of the token file and of what is beside it, without its lock.
fn names(machine: &Machine) -> Vec<String> {
    let entries = std::fs::read_dir(machine.path(".aws/sso/cache")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let file = token_file();
    names
        .filter(|name| file.rsplit('/').next().is_some_and(|file| name.starts_with(file)) && !name.ends_with("-lock"))
        .collect()
}

#[test]
fn a_cache_file_that_cannot_be_replaced_costs_no_refresh_token_and_the_problem_clears() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.sso(|settings| settings.access_token_seconds = 12);
    machine.start();
    sign_in(&machine);
    std::fs::hard_link(machine.path(&token_file()), machine.path("backup")).unwrap();
    machine.eventually("it is said", |machine| problem(machine) != Value::Null);
    let (said, file) = (problem(&machine), machine.read(&token_file()));
    assert!(
        said["fix"].as_str().unwrap().starts_with("cp -p ") && said["message"].as_str().unwrap().contains("/.aws/")
    );
    assert_eq!(said["file"].as_str(), machine.path(&token_file()).to_str());
    let report = machine.run(&["doctor", "admin", "--offline", "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["id"] == "sso-cache-unwritable").unwrap();
    assert_eq!((&finding["severity"], &finding["certainty"]), (&json!("error"), &json!("confirmed")));
    machine.eventually("the token is due", |machine| {
        machine.status()["sso_sessions"][0]["state"] != "fresh" || !machine.read(&token_file()).eq(&file)
    });
    assert_eq!((machine.aws.count("CreateToken:refresh_token"), machine.read(&token_file())), (0, file));
    std::fs::remove_file(machine.path("backup")).unwrap();
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateToken:refresh_token") > 0);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    machine.eventually("the problem is gone", |machine| problem(machine) == Value::Null);
}

#[test]
fn a_daemon_of_root_leaves_a_persons_files_to_them_and_makes_no_state_in_their_home() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut machine = machine();
    machine.aws.sso(|settings| settings.access_token_seconds = 6);
    machine.start();
    sign_in(&machine);
    for path in ["", ".aws", ".aws/sso", ".aws/sso/cache", &token_file()] {
        chown(machine.path(path), Some(PERSON), Some(PERSON)).unwrap();
    }
    std::fs::remove_file(machine.path(&format!("{}.evercred-lock", token_file()))).unwrap();
    std::fs::set_permissions(machine.path(&token_file()), std::fs::Permissions::from_mode(0o640)).unwrap();
    let first = token(&machine);
    machine.eventually("it is refreshed", |machine| token(machine) != first);
    let facts = machine.path(&token_file()).metadata().unwrap();
    assert_eq!((facts.uid(), facts.gid(), facts.mode() & 0o777), (PERSON, PERSON, 0o640));
    let lock = machine.path(&format!("{}.evercred-lock", token_file())).metadata().unwrap();
    assert_eq!(lock.uid(), PERSON);
    assert_eq!(machine.stop(), Some(0));
    let mut daemon = machine.daemon();
    daemon.env_remove("EVERCRED_STATE_DIR").env_remove("EVERCRED_RUNTIME_DIR");
    let (said, status) = ends(&mut daemon);
    assert!(status == Some(1) && said.contains("EVERCRED_STATE_DIR"), "{said}");
    assert!(!machine.path(".local").exists());
}

#[test]
fn what_a_killed_daemon_left_is_adopted_or_removed_and_logout_removes_it() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.start();
    sign_in(&machine);
    let mut used = token(&machine);
    for field in ["accessToken", "refreshToken"] {
        used[field] = json!(format!("used-{field}"));
    }
    used["expiresAt"] = json!("2020-01-01T00:00:00Z");
    machine.crash();
    // The used one is in the file, and the good one was left.
    let good = machine.read(&token_file());
    machine.write(&format!("{}.evercred-4711", token_file()), &good);
    machine.write(&token_file(), &used.to_string());
    machine.start();
    machine.eventually("it is adopted", |machine| machine.read(&token_file()) == good);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(names(&machine).len(), 1, "{:?}", names(&machine));
    machine.crash();
    // The good one is in the file, and the used one was left.
    machine.write(&format!("{}.evercred-4711", token_file()), &used.to_string());
    machine.start();
    machine.eventually("it is removed", |machine| names(machine).len() == 1);
    assert_eq!(machine.read(&token_file()), good);
    machine.write(&format!("{}.evercred-4711-aa-bb", token_file()), &used.to_string());
    assert!(machine.run(&["logout", "corp"]).status.success());
    assert_eq!(names(&machine), [""; 0]);
}

#[test]
fn a_logout_leaves_a_cache_file_alone_that_it_cannot_read() {
    let mut machine = machine();
    machine.start();
    for bytes in [&b"\xff\xfe"[..], b"notes of mine", b"{\"accessToken\": \"half"] {
        sign_in(&machine);
        std::fs::write(machine.path(&token_file()), bytes).unwrap();
        let output = machine.run(&["logout", "corp"]);
        let said = crate::machine::stderr(&output);
        assert!(output.status.code() == Some(1) && said.contains("stays"), "{said}");
        assert_eq!(std::fs::read(machine.path(&token_file())).unwrap(), bytes);
    }
}

#[test]
fn a_sign_in_whose_token_cannot_be_written_says_so() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    std::fs::hard_link(machine.path(&token_file()), machine.path("backup")).unwrap();
    let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser", "--force"]);
    assert!(status == Some(1) && said.contains("signed in"), "{said}");
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
}

/// Signs in where the token can't be written, and makes the directory that the fix names.
fn sign_in_before(machine: &mut Machine, missing: &str) {
    let directory = machine.path(missing);
    let fix = format!("mkdir -p {}", directory.display());
    let (status, _, said) = end_of_sign_in(machine, &["corp", "--no-browser", "--force"]);
    assert!(status == Some(1) && said.contains(directory.to_str().unwrap()), "{said}");
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    machine.eventually("the problem names the directory", |machine| problem(machine)["fix"] == fix);
    std::fs::create_dir_all(directory).unwrap();
    machine.eventually("the token is written", |machine| {
        token(machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token))
    });
    machine.eventually("the problem is gone", |machine| problem(machine).is_null());
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
}

#[test]
fn a_link_to_a_missing_cache_file_is_followed_and_one_to_a_missing_directory_is_named() {
    let mut machine = machine();
    std::fs::create_dir_all(machine.path(".aws/sso/cache")).unwrap();
    std::fs::create_dir(machine.path("dotfiles")).unwrap();
    let link = machine.path(&token_file());
    symlink("../../../dotfiles/token.json", &link).unwrap();
    machine.start();
    sign_in(&machine);
    assert!(link.is_symlink() && machine.read("dotfiles/token.json").contains("accessToken"));
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(problem(&machine), Value::Null);
    assert_eq!(machine.stop(), Some(0));

    std::fs::remove_file(&link).unwrap();
    symlink(machine.path("gone/below/token.json"), &link).unwrap();
    machine.start();
    sign_in_before(&mut machine, "gone/below");
    assert!(link.is_symlink());
    assert_eq!(machine.stop(), Some(0));

    std::fs::remove_dir_all(machine.path(".aws/sso")).unwrap();
    symlink(machine.path("elsewhere"), machine.path(".aws/sso")).unwrap();
    machine.start();
    sign_in_before(&mut machine, "elsewhere");
    assert!(machine.path("elsewhere/cache").is_dir());
}

#[test]
fn a_sign_in_keeps_what_it_could_not_read_and_refuses_what_is_no_file() {
    let mut machine = machine();
    machine.write(&token_file(), "");
    std::fs::write(machine.path(&token_file()), [0xff, 0xfe]).unwrap();
    machine.start();
    sign_in(&machine);
    assert_eq!(std::fs::read(machine.path(&format!("{}.evercred-kept", token_file()))).unwrap(), [0xff, 0xfe]);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    std::fs::remove_file(machine.path(&token_file())).unwrap();
    std::fs::create_dir(machine.path(&token_file())).unwrap();
    let output = machine.run(&["login", "corp", "--no-browser", "--force"]);
    let said = crate::machine::stderr(&output);
    assert!(!output.status.success() && said.contains("a directory"), "{said}");
}

#[test]
fn uninstall_removes_left_overs_and_kept_tokens_from_every_cache_directory_and_leaves_the_tokens() {
    let machine = Machine::new();
    let directories = [".aws/sso/cache", ".aws/login/cache", "of-the-shell", "of-the-settings"];
    for directory in directories {
        machine.write(&format!("{directory}/a.json"), "{}");
        for end in ["4711", "4711-aa-bb", "lock", "kept"] {
            machine.write(&format!("{directory}/a.json.evercred-{end}"), "{}");
        }
        // No program can use it: it has neither a session nor an expiry.
        machine.write(&format!("{directory}/a.json.evercred-4712"), r#"{"accessToken": "x", "refreshToken": "y"}"#);
    }
    for name in ["run/unsaved.json", "run/unsaved.json.new", "state/unsaved.json", "state/unsaved.json.broken"] {
        machine.write(name, "{}");
    }
    let settings =
        format!("[environment]\nAWS_LOGIN_CACHE_DIRECTORY = \"{}/of-the-settings\"\n", machine.home().display());
    machine.write(".config/evercred/evercred.toml", &settings);
    let mut command = machine.companion();
    command.env("AWS_LOGIN_CACHE_DIRECTORY", "~/of-the-shell").args(["service", "uninstall"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", crate::machine::stderr(&output));
    for directory in directories {
        let entries = std::fs::read_dir(machine.path(directory)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["a.json", "a.json.evercred-kept", "a.json.evercred-lock"], "{directory}");
    }
    for directory in ["run", "state"] {
        let entries = std::fs::read_dir(machine.path(directory)).into_iter().flatten();
        assert_eq!(entries.filter(|entry| entry.as_ref().is_ok()).count(), 0, "{directory}");
    }
}

/// The text of the token file with a token that AWS has replaced.
fn used(machine: &Machine) -> String {
    let mut used = token(machine);
    for field in ["accessToken", "refreshToken"] {
        used[field] = json!(format!("used-{field}"));
    }
    used["expiresAt"] = json!("2020-01-01T00:00:00Z");
    used.to_string()
}

#[test]
fn uninstall_saves_the_newer_token_of_a_left_over_before_it_removes_left_overs() {
    for (is_configured, good_is_left) in [(true, true), (false, true), (true, false)] {
        let mut machine = machine();
        machine.aws.set_rotation(Rotation::RevokeFamily);
        machine.start();
        sign_in(&machine);
        machine.crash();
        let (good, used) = (machine.read(&token_file()), used(&machine));
        let (file, left) = if good_is_left { (&used, &good) } else { (&good, &used) };
        machine.write(&token_file(), file);
        machine.write(&format!("{}.evercred-4711", token_file()), left);
        if !is_configured {
            machine.write(".aws/config", "");
        }
        let output = machine.run(&["service", "uninstall"]);
        assert!(output.status.success(), "{}", crate::machine::stderr(&output));
        assert_eq!(machine.read(&token_file()), good, "configured: {is_configured}, good is left: {good_is_left}");
        assert_eq!(names(&machine).len(), 1, "{:?}", names(&machine));
    }
}

#[test]
fn uninstall_writes_a_token_that_is_in_no_cache_file_and_keeps_it_where_that_is_not_possible() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.start();
    sign_in(&machine);
    std::fs::hard_link(machine.path(&token_file()), machine.path("backup")).unwrap();
    let (status, _, _) = end_of_sign_in(&machine, &["corp", "--no-browser", "--force"]);
    assert_eq!(status, Some(1));
    machine.eventually("it is kept", |machine| machine.path("run/unsaved.json").exists());
    machine.crash();
    let output = machine.run(&["service", "uninstall"]);
    let said = crate::machine::stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("run/unsaved.json stays"), "{said}");
    std::fs::remove_file(machine.path("backup")).unwrap();
    let output = machine.run(&["service", "uninstall"]);
    assert!(output.status.success(), "{}", crate::machine::stderr(&output));
    assert!(!machine.path("run/unsaved.json").exists());
    assert!(token(&machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token)));
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
}
