//! Secrets stay where they belong: markers are planted, and everything that people or programs can read is searched.

use crate::machine::{Machine, role};
use crate::standin::Fault;

#[test]
fn no_planted_secret_reaches_a_log_at_trace_an_error_or_the_status() {
    let mut machine = Machine::new();
    machine.write(
        ".config/evercred/evercred.toml",
        "[renew]\nprofiles = \"all\"\n[environment]\nHTTP_PROXY = \"\"\nSECRETISH = \"PLANTEDENV\"\n[clock]\nntp = []\n",
    );
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "trace").env("AWS_SECRET_ACCESS_KEY", "PLANTEDENV");
    machine.start_as(daemon);
    let set = machine.credentials("app").unwrap();
    let mut seen = Vec::new();
    for fault in [Fault::Html, Fault::Truncated, Fault::Status500] {
        machine.aws.fail_next(&[fault]);
        let output = machine.run(&["renew", "app"]);
        seen.extend([output.stdout, output.stderr]);
    }
    machine.write(".aws/credentials", "[base]\naws_access_key_id = AKIA1\naws_secret_access_key PLANTEDFILE\n");
    machine.eventually("the broken file is said", |machine| machine.status()["problems"] != serde_json::json!([]));
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["plan", "app"],
        &["plan", "app", "--json"],
        &["profiles", "--json"],
        &["config", "show"],
    ] {
        let output = machine.run(arguments);
        seen.extend([output.stdout, output.stderr]);
    }
    // In the place of a name, where a name is shown.
    let misplaced = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab";
    machine
        .write(".aws/config", &format!("[{misplaced}]\nregion = x\n[profile session]\nlogin_session = {misplaced}\n"));
    machine.eventually("the ignored section is said", |machine| {
        machine.status()["problems"].as_array().unwrap().iter().any(|problem| problem["line"] == 1)
    });
    for command in ["credential-process", "renew", "login", "logout", "status", "plan", "doctor"] {
        let output = machine.run(&[command, "session"]);
        seen.extend([output.stdout, output.stderr]);
    }
    seen.push(machine.run(&["status", "--json"]).stdout);
    let _ = machine.stop();
    let log = machine.read("log");
    assert!(log.contains("renewed") && log.len() > 1_000, "the log was not written");
    seen.push(log.into_bytes());
    let secrets = [
        machine.base.secret_access_key.clone(),
        set["SecretAccessKey"].as_str().unwrap().to_owned(),
        set["SessionToken"].as_str().unwrap().to_owned(),
        // Whatever the stand-in ever gave out begins so.
        "user/secret+".to_owned(),
        "session/secret+".to_owned(),
        "session/token+".to_owned(),
        "PLANTEDENV".to_owned(),
        "PLANTEDFILE".to_owned(),
        misplaced.to_owned(),
    ];
    for text in &seen {
        let text = String::from_utf8_lossy(text);
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in:\n{text}");
        }
    }
}

#[test]
fn the_daemons_files_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let _ = machine.stop();
    let mut found = 0;
    for folder in ["run", "state"] {
        assert_eq!(machine.path(folder).metadata().unwrap().permissions().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(machine.path(folder)).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
            found += 1;
        }
    }
    assert!(found >= 3);
}

#[cfg(target_os = "linux")]
#[test]
fn the_daemon_cannot_be_dumped() {
    let mut machine = Machine::new();
    machine.start();
    // The owner of /proc/PID's files is root for a process that is not dumpable, and its memory can't be read by others.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", machine.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");
}
