//! The doctor where little is as it should be: an answer all the same, in seconds, that says what could not be looked at.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::edge_notify::is_told_without;
use crate::machine::{Machine, role, stderr, within};
use crate::standin::{Fault, Role};

/// People wait no longer.
const LONGEST: Duration = Duration::from_secs(10);

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

fn ids(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

fn not_checked(document: &Value) -> Vec<&str> {
    document["not_checked"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect()
}

#[test]
fn an_endpoint_that_hangs_costs_seconds_and_not_what_the_files_show() {
    let machine = Machine::new();
    machine.aws.set_outage(Some(Fault::Timeout));
    machine.write(
        ".aws/credentials",
        "[base]\naws_access_key_id = AKIAQMARKEDUSERKEY2\naws_secret_access_key = s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a\n",
    );
    let output = within(LONGEST, || machine.run(&["doctor", "app", "--json"]));
    let document = document(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(ids(&document).contains(&"network-unreachable"), "{document:#}");
    assert!(ids(&document).contains(&"access-key-malformed"), "{document:#}");
    for id in ["access-key-unknown", "clock-skewed", "assume-role-denied"] {
        assert!(not_checked(&document).contains(&id), "{id}: {document:#}");
    }
}

#[test]
fn the_null_device_is_no_file_whose_mode_is_to_be_changed() {
    let machine = Machine::new();
    for variable in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        let output =
            machine.companion().args(["doctor", "base", "--json"]).env(variable, "/dev/null").output().unwrap();
        let of_mode =
            |finding: &&Value| finding["id"] == "file-permissions" && finding.to_string().contains("/dev/null");
        let document = document(&output);
        assert_eq!(document["findings"].as_array().unwrap().iter().find(of_mode), None, "{variable}");
    }
}

#[test]
fn a_program_that_is_slow_is_no_network_that_fails() {
    let machine = Machine::new();
    machine.replace(".aws/config", "[profile slow]\ncredential_process = sleep 20\n");
    let document = document(&machine.run(&["doctor", "slow", "--run-process", "--json"]));
    assert!(!ids(&document).contains(&"network-unreachable"), "{document:#}");
    assert!(not_checked(&document).contains(&"credentials-expired"), "{document:#}");
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("run")).unwrap();
    std::fs::set_permissions(machine.path("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let _listens_and_says_nothing = UnixListener::bind(machine.path("run/evercred.sock")).unwrap();
    let mut runs = 0;
    let output = within(LONGEST, || {
        runs += 1;
        machine.run(&["doctor", "app", "--json"])
    });
    // The chain of roles was tried without it.
    assert_eq!(output.status.code(), Some(0), "{:#}", document(&output));
    assert_eq!(machine.aws.count("AssumeRole"), 2 * runs);
}

#[test]
fn settings_that_a_daemon_would_refuse_are_told_of() {
    let machine = Machine::new();
    machine.write("broken.toml", "[clock]\nntp = 7\n");
    let (broken, missing) = (machine.path("broken.toml"), machine.path("missing.toml"));
    for (path, why) in [(missing, "no such file"), (broken, "broken.toml:2:7")] {
        let mut command = machine.companion();
        command.env("EVERCRED_CONFIG", &path).args(["doctor", "base", "--json", "--offline"]);
        let document = document(&command.output().unwrap());
        let of_settings = |finding: &&Value| finding["id"] == "adoption-broken";
        let finding = document["findings"].as_array().unwrap().iter().find(of_settings);
        assert!(finding.is_some_and(|finding| finding["evidence"][0].as_str().unwrap().contains(why)), "{document:#}");
    }
}

#[test]
fn without_a_home_the_variables_are_looked_at() {
    if is_told_without("SETPRIV") {
        return;
    }
    let machine = Machine::new();
    let inner = machine.companion();
    // A user who is in no user database.
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "64999", "--regid", "64999", "--clear-groups", "--"]).arg(inner.get_program());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("HOME").args(["doctor", "--json"]);
    command.env("AWS_ACCESS_KEY_ID", "AIDAQMARKEDUSERIDS234").env("AWS_SECRET_ACCESS_KEY", "x".repeat(40));
    let output = command.output().unwrap();
    let document = document(&output);
    assert!(ids(&document).contains(&"access-key-malformed"), "{document:#}");
    assert!(not_checked(&document).contains(&"profile-broken"), "{document:#}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_another_user_may_not_read_is_said_with_the_command() {
    let machine = Machine::new();
    let open = |path: &str, mode| {
        std::fs::set_permissions(machine.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open("", 0o755);
    open(".aws", 0o755);
    open(".aws/config", 0o644);
    open(".aws/credentials", 0o600);
    // Nobody but root can become somebody else; CI is root.
    if is_told_without("SETPRIV") {
        return;
    }
    let inner = machine.companion();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(inner.get_program());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(["doctor", "mid", "--json", "--offline"]).output().unwrap();
    let document = document(&output);
    let found = document["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "file-permissions");
    let found = found.unwrap_or_else(|| panic!("{document:#}"));
    assert_eq!((&found["severity"], &found["certainty"]), (&"error".into(), &"confirmed".into()));
    assert!(found["fix"][0]["command"].as_str().unwrap().contains("chown"), "{found:#}");
}

#[test]
fn files_and_directories_that_others_can_write_are_an_error() {
    for (path, mode) in [(".aws", 0o777), (".aws/config", 0o666), (".aws/credentials", 0o602), ("", 0o777), ("", 0o757)]
    {
        let machine = Machine::new();
        let open = |path: &str, mode| {
            std::fs::set_permissions(machine.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(".aws", 0o700);
        open(".aws/config", 0o644);
        open(".aws/credentials", 0o600);
        let of = |document: &Value| -> Vec<Value> {
            let found = document["findings"].as_array().unwrap().iter();
            found.filter(|finding| finding["id"] == "file-permissions").cloned().collect()
        };
        let before = document(&machine.run(&["doctor", "mid", "--json", "--offline"]));
        assert_eq!(of(&before), [] as [Value; 0]);
        open(path, mode);
        let found = of(&document(&machine.run(&["doctor", "mid", "--json", "--offline"])));
        assert_eq!(found.len(), 1, "{path} {mode:o}: {found:?}");
        assert_eq!((&found[0]["severity"], &found[0]["certainty"]), (&"error".into(), &"confirmed".into()));
        let command = found[0]["fix"][0]["command"].as_str().unwrap();
        let whole = machine.path(path);
        assert!(
            command.starts_with("chmod go-w ") && command.ends_with(whole.to_str().unwrap().trim_end_matches('/')),
            "{command}"
        );
    }
}

#[test]
fn the_caches_of_the_aws_tools_are_checked_with_their_directories_and_files() {
    let caches = [".aws/sso/cache", ".aws/cli/cache", ".aws/login/cache", "login"];
    for (directory, (path, mode, severity, command)) in caches.into_iter().flat_map(|directory| {
        let cases = [
            ("", 0o777, "error", "chmod go-w "),
            ("", 0o773, "error", "chmod go-w "),
            ("a.json", 0o644, "warning", "chmod 600 "),
            ("a.json", 0o604, "warning", "chmod 600 "),
            ("a.json.evercred-4711", 0o666, "error", "chmod 600 "),
            ("a.json", 0o602, "error", "chmod 600 "),
        ];
        cases.map(|case| (directory, case))
    }) {
        let machine = Machine::new();
        let open = |path: &str, mode| {
            std::fs::set_permissions(machine.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for file in ["a.json", "a.json.evercred-4711"] {
            machine.write(&format!("{directory}/{file}"), "{}");
            open(&format!("{directory}/{file}"), 0o600);
        }
        for (path, mode) in [(".aws/config", 0o600), (".aws/credentials", 0o600), (directory, 0o755)] {
            open(path, mode);
        }
        let look = || {
            let mut doctor = machine.companion();
            if directory == "login" {
                doctor.env("AWS_LOGIN_CACHE_DIRECTORY", machine.path(directory));
            }
            let document = document(&doctor.args(["doctor", "mid", "--json", "--offline"]).output().unwrap());
            let found = document["findings"].as_array().unwrap().iter();
            found.filter(|finding| finding["id"] == "file-permissions").cloned().collect::<Vec<Value>>()
        };
        assert_eq!(look(), [] as [Value; 0], "{directory}");
        let path = format!("{directory}/{path}");
        let path = path.trim_end_matches('/');
        open(path, mode);
        let found = look();
        assert_eq!(found.len(), 1, "{path} {mode:o}: {found:?}");
        let whole = machine.path(path).display().to_string();
        assert_eq!((&found[0]["severity"], &found[0]["certainty"]), (&severity.into(), &"confirmed".into()), "{path}");
        let evidence = found[0]["evidence"][0].as_str().unwrap();
        assert!(evidence.contains(&whole) && evidence.contains(&format!("{mode:o}")), "{evidence}");
        assert_eq!(found[0]["fix"][0]["command"], format!("{command}{whole}"));
    }
}

#[test]
fn many_readable_cache_files_are_one_finding() {
    let machine = Machine::new();
    for file in [".aws/config", ".aws/credentials"] {
        std::fs::set_permissions(machine.path(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    for number in 0..40 {
        machine.write(&format!(".aws/cli/cache/{number}.json"), "{}");
        let path = machine.path(&format!(".aws/cli/cache/{number}.json"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let document = document(&machine.run(&["doctor", "mid", "--json", "--offline"]));
    let found: Vec<&Value> =
        document["findings"].as_array().unwrap().iter().filter(|found| found["id"] == "file-permissions").collect();
    assert_eq!(found.len(), 1, "{document:#}");
    let command = format!("chmod 600 {}/*", machine.path(".aws/cli/cache").display());
    assert_eq!(found[0]["fix"][0]["command"], command);
    let status = std::process::Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success());
    let again = machine.run(&["doctor", "mid", "--json", "--offline"]);
    assert!(!ids(&self::document(&again)).contains(&"file-permissions"));
}

#[test]
fn what_a_group_may_write_depends_on_who_is_in_it() {
    // Nobody but root can give a file to another group; CI is root.
    if is_told_without("SETPRIV") {
        return;
    }
    const NOBODY_KNOWS: u32 = 4_000_000_001;
    for (path, mode, gid, certainty) in [
        (".aws/config", 0o664, 0, None),
        (".aws", 0o775, 0, None),
        (".aws/credentials", 0o660, 0, None),
        (".aws/config", 0o664, 1, Some("confirmed")),
        (".aws", 0o775, 1, Some("confirmed")),
        (".aws", 0o775, NOBODY_KNOWS, Some("likely")),
        ("", 0o775, 1, Some("confirmed")),
        ("", 0o1775, 1, None),
        ("", 0o1777, 0, None),
    ] {
        let machine = Machine::new();
        let path = machine.path(path);
        for file in [".aws/config", ".aws/credentials"] {
            std::fs::set_permissions(machine.path(file), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::os::unix::fs::chown(&path, None, Some(gid)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let document = document(&machine.run(&["doctor", "mid", "--json", "--offline"]));
        let mut found =
            document["findings"].as_array().unwrap().iter().filter(|found| found["id"] == "file-permissions");
        let said = found.next().map(|found| found["certainty"].as_str().unwrap());
        assert_eq!(said, certainty, "{} {mode:o} {gid}: {document:#}", path.display());
        assert!(found.next().is_none(), "{document:#}");
    }
}

#[test]
fn a_link_on_the_way_to_the_files_is_looked_at_with_the_directory_that_it_stands_in_and_where_it_leads() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let real = directory.path().join("dotfiles/aws");
    std::fs::create_dir_all(&real).unwrap();
    let machine = Machine::new();
    for name in ["config", "credentials"] {
        std::fs::copy(machine.path(".aws").join(name), real.join(name)).unwrap();
        open(&real.join(name), 0o600);
    }
    std::fs::remove_dir_all(machine.path(".aws")).unwrap();
    std::os::unix::fs::symlink(&real, machine.path(".aws")).unwrap();
    let found = || {
        let document = document(&machine.run(&["doctor", "mid", "--json", "--offline"]));
        document["findings"].as_array().unwrap().iter().filter(|found| found["id"] == "file-permissions").count()
    };
    open(&real, 0o700);
    open(real.parent().unwrap(), 0o755);
    assert_eq!(found(), 0);
    for path in [real.as_path(), real.parent().unwrap(), directory.path(), machine.home()] {
        open(path, 0o777);
        assert_eq!(found(), 1, "{}", path.display());
        open(path, 0o755);
    }
}

#[test]
fn garbage_in_the_files_is_a_finding_and_no_panic() {
    for bytes in
        [&b"\xff\xfe\x00[dev]"[..], b"[[[[", b"[dev]\n\x1b[31maws_access_key_id = \x1b]0;x\x07\n", &[0_u8; 4096]]
    {
        let machine = Machine::new();
        std::fs::write(machine.path(".aws/credentials"), bytes).unwrap();
        std::fs::write(machine.path(".aws/config"), bytes).unwrap();
        let output = machine.run(&["doctor", "dev", "--offline"]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 4)), "{output:?}");
        assert!(text.contains("ERROR"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{7}', '\0']), "{text:?}");
    }
}

#[test]
fn a_profile_that_is_nowhere_ends_with_4_and_the_nearest_name() {
    let machine = Machine::new();
    let output = machine.run(&["doctor", "ap", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let document = document(&output);
    assert!(ids(&document).contains(&"profile-broken"), "{document:#}");
    assert!(document.to_string().contains("did you mean \\\"app\\\"?"), "{document:#}");
}

#[test]
fn without_the_program_that_asks_aws_the_rest_is_found() {
    let machine = Machine::new();
    let alone = machine.path("evercred");
    std::fs::copy(env!("CARGO_BIN_EXE_evercred"), &alone).unwrap();
    let inner = machine.companion();
    let mut command = std::process::Command::new(&alone);
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(["doctor", "mid", "--json"]).output().unwrap();
    let document = document(&output);
    for id in ["access-key-unknown", "network-unreachable", "clock-skewed", "clock-zone", "clock-unsynchronised"] {
        let entries = document["not_checked"].as_array().unwrap();
        let why = entries.iter().find(|entry| entry["id"] == id).map(|entry| entry["why"].to_string());
        assert!(why.is_some_and(|why| why.contains("evercredd is not beside")), "{id}: {document:#}");
    }
}

#[test]
fn what_the_daemon_knows_of_a_role_is_told_and_tried_anew() {
    let mut machine = Machine::new();
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::999988887777:root"]));
    machine.start();
    assert_eq!(machine.run(&["credential-process", "mid"]).status.code(), Some(1));
    let output = machine.run(&["doctor", "mid", "--json"]);
    assert!(ids(&document(&output)).contains(&"assume-role-denied"), "{:#}", document(&output));
    // Offline it is the daemon's word.
    let calls = machine.aws.calls().len();
    let output = machine.run(&["doctor", "mid", "--json", "--offline"]);
    assert!(ids(&document(&output)).contains(&"assume-role-denied"), "{:#}", document(&output));
    assert_eq!(machine.aws.calls().len(), calls);
    // Somebody has mended it: the daemon has not noticed, AWS says so.
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::111122223333:user/someone"]));
    let output = machine.run(&["doctor", "mid", "--json"]);
    assert!(!ids(&document(&output)).contains(&"assume-role-denied"), "{:#}", document(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_trust_that_was_taken_away_is_found_while_the_daemon_holds_credentials() {
    let mut machine = Machine::new();
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::111122223333:user/someone"]));
    machine.start();
    assert_eq!(machine.run(&["credential-process", "mid"]).status.code(), Some(0));
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::999988887777:root"]));
    let calls = machine.aws.count("AssumeRole");
    let output = machine.run(&["doctor", "mid", "--json"]);
    assert!(ids(&document(&output)).contains(&"assume-role-denied"), "{:#}", document(&output));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(machine.aws.count("AssumeRole"), calls + 1);
    assert_eq!(machine.run(&["credential-process", "mid"]).status.code(), Some(0), "the daemon's own are still good");
}
