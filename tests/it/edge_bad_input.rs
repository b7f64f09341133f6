//! Bad input of every kind: a clear sentence, the right exit code, and everything else goes on.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::edge_notify::is_told_without;
use crate::machine::{Machine, ends, role, stderr};
use crate::standin::{Fault, Role};

#[test]
fn an_unknown_profile_ends_with_4_and_the_nearest_name() {
    let mut machine = Machine::new();
    machine.start();
    let output = machine.run(&["credential-process", "ap"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("did you mean \"app\"?"), "{}", stderr(&output));
    assert_eq!(machine.run(&["status", "ap"]).status.code(), Some(4));
    assert_eq!(machine.run(&["plan", "ap"]).status.code(), Some(4));
}

#[test]
fn a_mistake_in_one_profile_is_that_profiles_alone() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    let more = "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a\n\
                [profile orphan]\nrole_arn = r\nsource_profile = bse\n[profile half]\naws_access_key_id = AKIA1\n";
    machine.write(".aws/config", &format!("{config}{more}"));
    machine.start();
    for (profile, said) in
        [("a", "a → b → a"), ("orphan", "did you mean \"base\"?"), ("half", "no aws_secret_access_key")]
    {
        let output = machine.run(&["credential-process", profile]);
        assert_eq!(output.status.code(), Some(1), "{profile}");
        assert!(stderr(&output).contains(said), "{profile}: {}", stderr(&output));
        let plan = machine.run(&["plan", profile]);
        assert!(plan.status.code() == Some(1) && stderr(&plan).contains(".aws/config:"), "{}", stderr(&plan));
    }
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn a_role_that_may_not_be_assumed_says_who_asked_and_whom_to_ask() {
    let mut machine = Machine::new();
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::999988887777:root"]));
    machine.start();
    let output = machine.run(&["credential-process", "mid"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("arn:aws:iam::111122223333:user/someone is not authorized to perform: sts:AssumeRole"),
        "{said}"
    );
    assert!(said.contains("; ask an administrator") && !said.contains("fix: "), "{said}");
    assert_eq!(machine.profile("mid")["last_error"]["class"], "permanent");
    assert_eq!(machine.run(&["status"]).status.code(), Some(1));
    machine.aws.set_role(&role("Mid"), Role::trusting(&["arn:aws:iam::111122223333:user/someone"]));
    assert_eq!(machine.run(&["renew", "mid"]).status.code(), Some(0));
}

#[test]
fn a_wrong_secret_fails_once_for_every_role_behind_the_key() {
    let mut machine = Machine::new();
    let credentials = machine.read(".aws/credentials");
    machine.write(".aws/credentials", &credentials.replace(&machine.base.secret_access_key, "typo"));
    machine.start();
    for profile in ["mid", "app"] {
        let said = machine.credentials(profile).unwrap_err();
        assert!(said.contains("SignatureDoesNotMatch") && said.contains(&machine.base.access_key_id), "{said}");
    }
    assert_eq!(machine.aws.count("AssumeRole"), 0);
}

#[test]
fn without_a_daemon_the_exit_code_is_3_and_the_fix_is_named() {
    let machine = Machine::new();
    let output = machine.run(&["credential-process", "app"]);
    assert_eq!(output.status.code(), Some(3));
    let has_service_manager = std::path::Path::new("/run/systemd/system").is_dir();
    let start = if has_service_manager { "evercred service install" } else { "evercredd" };
    assert!(stderr(&output).contains(&format!("fix: {start}\n")), "{}", stderr(&output));
}

#[test]
fn garbage_on_the_socket_ends_its_connection_and_nothing_else() {
    let mut machine = Machine::new();
    machine.start();
    for garbage in [&b"\0\0\0\x05hello"[..], b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02[]"] {
        let mut stream = UnixStream::connect(machine.path("run/evercred.sock")).unwrap();
        stream.write_all(garbage).unwrap();
    }
    let open: Vec<_> = (0..300).filter_map(|_| UnixStream::connect(machine.path("run/evercred.sock")).ok()).collect();
    drop(open);
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn a_thousand_helpers_at_once_are_one_call() {
    let mut machine = Machine::new();
    machine.start();
    let helpers: Vec<_> = (0..50)
        .map(|_| {
            machine
                .companion()
                .args(["credential-process", "app"])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for helper in helpers {
        assert!(helper.wait_with_output().unwrap().status.success());
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..119 {
                    assert!(machine.run(&["credential-process", "app"]).status.success());
                }
            });
        }
    });
    assert_eq!(machine.aws.count("AssumeRole"), 2);
}

#[test]
fn ten_thousand_profiles_are_all_in_the_status() {
    let mut machine = Machine::new();
    machine.write(".aws/config", &{
        let one = |at: usize| {
            format!(
                "[profile p{at:05}]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                 sso_account_id = 111122223333\nsso_role_name = Dev\n"
            )
        };
        (0..10_000).map(one).collect::<String>()
    });
    machine.start();
    let output = machine.run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(1), "nobody is signed in: {}", stderr(&output));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = status["profiles"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names.len(), 10_001);
    assert!(names.is_sorted() && names.contains(&"p09999"), "{:?}", names.last());
    assert!(status["next"].is_null() && output.stdout.len() > 1024 * 1024, "{}", output.stdout.len());
    assert_eq!(machine.run(&["status"]).status.code(), Some(1));
    assert_eq!(machine.run(&["status", "p09999"]).status.code(), Some(1));
}

#[test]
fn status_shows_the_profiles_that_globs_match() {
    let mut machine = Machine::new();
    machine.start();
    let names = |arguments: &[&str]| -> Vec<String> {
        let output = machine.run(&[&["status", "--json"], arguments].concat());
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let profiles = status["profiles"].as_array().unwrap().iter();
        profiles.map(|profile| profile["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["*p"]), ["app"]);
    assert_eq!(names(&["m?d", "base"]), ["base", "mid"]);
    assert_eq!(names(&["*"]), ["app", "base", "mid"]);
    let output = machine.run(&["status", "x*"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!stderr(&output).contains("did you mean"), "{}", stderr(&output));
}

#[test]
fn a_relative_settings_file_in_the_environment_is_refused_by_both_programs() {
    let machine = Machine::new();
    let run = |mut command: std::process::Command| {
        let output = command.current_dir(machine.home()).env("EVERCRED_CONFIG", "own.toml").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("EVERCRED_CONFIG") && stderr(&output).contains("absolute"),
            "{}",
            stderr(&output)
        );
    };
    machine.write("own.toml", "");
    run(machine.daemon());
    let mut config = machine.companion();
    config.args(["config", "path"]);
    run(config);
}

#[test]
fn callers_with_other_files_are_refused_with_both_paths() {
    let mut machine = Machine::new();
    machine.write("elsewhere", "[profile app]\nregion = x\n");
    machine.start();
    let output = machine
        .companion()
        .args(["credential-process", "app"])
        .env("AWS_CONFIG_FILE", machine.path("elsewhere"))
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("elsewhere") && said.contains(".aws/config") && said.contains("fix:"), "{said}");
    // The same file by another way is the same file.
    std::os::unix::fs::symlink(machine.path(".aws/config"), machine.path("link")).unwrap();
    let output = machine
        .companion()
        .args(["credential-process", "app"])
        .env("AWS_CONFIG_FILE", machine.path("link"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_second_daemon_says_who_holds_the_state_folder() {
    let mut machine = Machine::new();
    machine.start();
    let (said, code) = ends(&mut machine.daemon());
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("process id {}", machine.pid())), "{said}");
}

#[test]
fn wrong_settings_are_refused_at_start_with_line_and_caret() {
    let machine = Machine::new();
    machine.write(".config/evercred/evercred.toml", "[renew]\nuse_within = \"1h\"\n");
    let (said, code) = ends(&mut machine.daemon());
    assert_eq!(code, Some(1));
    assert!(
        said.contains("evercred.toml:2:1") && said.contains('^') && said.contains("did you mean \"used_within\"?"),
        "{said}"
    );
    let mut named = machine.daemon();
    named.args(["--config", "/nowhere.toml"]);
    assert!(ends(&mut named).0.contains("there is no such file"));
}

#[test]
fn check_prints_every_problem_with_its_place() {
    let machine = Machine::new();
    assert_eq!(machine.daemon().arg("--check").output().unwrap().status.code(), Some(0));
    machine.write(".aws/config", "[profile a]\nrole_arn = r\nsource_profile = gone\n[odd]\nx = 1\n");
    let output = machine.daemon().arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(".aws/config:3:1: ") && said.contains(".aws/config:4:1: "), "{said}");
    machine.write(".aws/config", "  [profile a]\n    role_arn = r\n    source_profile = gone\n  garbage\n");
    let output = machine.daemon().arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(".aws/config:4:3: "), "{said}");
    machine.write(".aws/config", "[profile a]\nrole_arn = r\nsource_profile = gone\n[odd]\nx = 1\n");
    // Of the settings too, and then of the AWS files all the same.
    let settings = machine.path(".config/evercred/evercred.toml");
    machine.write(".config/evercred/evercred.toml", "");
    std::fs::write(settings, b"keep = \"\\u001b[2J\"\n[clock]\nwarn = \"\x1b[2J\x07\"\n# \xff\n").unwrap();
    let output = machine.daemon().arg("--check").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for place in
        ["evercred.toml:1:1: ", "evercred.toml:3:", "evercred.toml:4:3: ", ".aws/config:3:1: ", ".aws/config:4:1: "]
    {
        assert!(said.contains(place), "{place}: {said}");
    }
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
    // Mistakes elsewhere in the settings don't hide which files are meant.
    machine.write("other", "[profile b]\nrole_arn = r\nsource_profile = gone\n");
    let other = machine.path("other").display().to_string();
    machine.write("broken.toml", &format!("keep = 1\n[environment]\nAWS_CONFIG_FILE = \"{other}\"\n"));
    let output = machine.daemon().arg("--check").env("EVERCRED_CONFIG", machine.path("broken.toml")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("broken.toml:1:1: ") && said.contains(&format!("{other}:3:1: ")), "{said}");
    let output = machine.run(&["config", "check"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(["toml:1:1: ", "toml:3:", "toml:4:3: "].iter().all(|place| said.contains(place)), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
}

#[test]
fn broken_state_files_are_set_aside_and_said() {
    let mut machine = Machine::new();
    for name in ["state/memory.json", "state/clock.json", "run/minted.json"] {
        machine.write(name, "{\"schema\":\"cut");
        std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(machine.path(name).parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    machine.start();
    assert_eq!(machine.read("log").matches("it was set aside").count(), 3, "{}", machine.read("log"));
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn a_fake_daemon_of_another_user_is_sent_nothing() {
    if is_told_without("SETPRIV") {
        // Said by the script that runs all tests, which names what it left out.
        return;
    }
    let machine = Machine::new();
    // Root's companion meets a socket that another uid listens on.
    std::fs::create_dir(machine.path("run")).unwrap();
    std::fs::set_permissions(machine.path("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(machine.path("run"), Some(65_534), Some(65_534)).unwrap();
    let output = machine.run(&["credential-process", "app"]);
    assert!(stderr(&output).contains("it belongs to uid 65534"), "{}", stderr(&output));
    // And a folder that others can enter is not used either.
    std::os::unix::fs::chown(machine.path("run"), Some(0), Some(0)).unwrap();
    std::fs::set_permissions(machine.path("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _listener = UnixListener::bind(machine.path("run/evercred.sock")).unwrap();
    assert_eq!(machine.run(&["status"]).status.code(), Some(3));
}

#[test]
fn another_uid_gets_nothing_from_the_daemon() {
    if is_told_without("SETPRIV") {
        return;
    }
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    // Even with the folders thrown open, the daemon looks at who is there.
    for folder in ["", "run"] {
        std::fs::set_permissions(machine.path(folder), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(machine.path("run/evercred.sock"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let script = "import socket,struct,sys\n\
        s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
        m=b'{\"version\":1,\"request\":\"credential-process\",\"profile\":\"app\"}'\n\
        s.sendall(struct.pack('>I',len(m))+m); sys.exit(len(s.recv(100)))";
    let status = std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-c", script])
        .arg(machine.path("run/evercred.sock"))
        .status()
        .unwrap();
    assert_ne!(status.code(), Some(100), "the foreign caller got an answer");
    machine.eventually("it is logged", |machine| machine.read("log").contains("the caller runs as uid 65534"));
}

#[test]
fn a_server_that_never_answers_is_given_up_and_the_last_good_set_goes_on() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.aws.set_outage(Some(Fault::Timeout));
    let output = machine.run(&["renew", "app"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Timeout"), "{}", stderr(&output));
    machine.aws.set_outage(None);
    assert_eq!(machine.whose("app"), Ok(role("App")));
}
