//! `evercred service` for the second time: from another shell, with other folders, failing, and beside a daemon that is not the
//! service's.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::edge_service::{Person, UNIT};
use crate::machine::{LOOPBACK_ONLY, role, stderr};
use crate::user_manager::left_out;

const SETTINGS: &str = ".config/evercred/evercred.toml";
const SOCKET: &str = "/run/user/64711/evercred/evercred.sock";

/// `evercred service …` from a shell with these variables.
fn service(person: &Person, variables: &[&str], arguments: &[&str]) -> Output {
    person.manager.command("env").args(variables).args(["evercred", "service"]).args(arguments).output().unwrap()
}

fn must(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", stderr(output));
    said
}

fn status(person: &Person, variables: &[&str]) -> (Option<i32>, Value) {
    let output = service(person, variables, &["status", "--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_way_on_that_status_names_ends_the_difference() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let all = ["install", "--environment", "VAULT_ADDR", "--environment", "TYPO"];
    let said = must(&service(&person, &["NO_PROXY=a", "HTTP_PROXY=http://old:1", "VAULT_ADDR=http://v:1"], &all));
    assert!(said.contains("not stored: TYPO: this shell has none"), "{said}");
    assert_eq!(status(&person, &["NO_PROXY=a", "HTTP_PROXY=http://old:1"]).0, Some(0));

    // The shell has lost one, and another is new.
    let shell = ["HTTP_PROXY=http://new:2", "VAULT_ADDR=http://v:2"];
    let (code, document) = status(&person, &shell);
    assert_eq!((code, document["environment"].as_array().map(Vec::len)), (Some(1), Some(2)), "{document}");
    let said = must(&service(&person, &shell, &["install"]));
    assert!(said.contains("NO_PROXY") && said.contains("HTTP_PROXY = http://new:2"), "{said}");
    let stored = person.manager.read(SETTINGS);
    assert!(!stored.contains("NO_PROXY") && stored.contains("VAULT_ADDR = \"http://v:2\""), "{stored}");
    let mut person = person;
    person.manager.eventually("the daemon has the new ones", |manager| {
        let mut command = manager.command("env");
        command.args(shell).args(["evercred", "service", "status"]);
        command.output().unwrap().status.code() == Some(0)
    });
    must(&service(&person, &shell, &["uninstall"]));
    assert_eq!(person.manager.read(SETTINGS), LOOPBACK_ONLY);
}

#[test]
fn what_differs_in_every_shell_is_shown_and_is_no_problem() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.install();
    let path = format!("PATH={}:/usr/bin:/bin:/opt/venv/bin", person.manager.path(".cargo/bin").display());
    let (code, document) = status(&person, &[&path, "SSH_AUTH_SOCK=/tmp/ssh-x/agent.1"]);
    assert_eq!((code, &document["problems"]), (Some(0), &Value::Array(Vec::new())));
    assert_eq!(document["environment"][0]["name"], "PATH", "{document}");
}

#[test]
fn a_difference_that_no_installation_ends_has_another_way_on() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.write(SETTINGS, &format!("{LOOPBACK_ONLY}[environment]\nNO_PROXY = \"by-hand\"\n"));
    person.install();
    let shell = ["HTTPS_PROXY=http://me:planted@proxy:3128", "NO_PROXY=other"];
    let (code, document) = status(&person, &shell);
    assert_eq!(code, Some(1));
    for (at, name) in ["HTTPS_PROXY", "NO_PROXY"].iter().enumerate() {
        let problem = &document["problems"][at];
        let message = problem["message"].as_str().unwrap();
        assert!(message.starts_with(name) && message.contains("[environment]"), "{document}");
        assert!(message.contains("evercred.toml") && problem["fix"].is_null(), "{document}");
    }
    assert!(!document.to_string().contains("planted"));
}

#[test]
fn a_daemon_by_hand_keeps_its_files_when_a_service_is_taken_away() {
    if left_out() {
        return;
    }
    let mut person = Person::new();
    let mut by_hand = person.manager.command("evercredd").spawn().unwrap();
    person.manager.eventually("it listens", |manager| manager.run(&["test", "-S", SOCKET]).status.success());
    for (arguments, code, part) in
        [(&["uninstall"][..], 0, "not installed"), (&["uninstall", "--purge"], 1, "still running")]
    {
        let output = service(&person, &[], arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(output.status.code() == Some(code) && said.contains(part), "{arguments:?}: {said}");
        person.manager.must(&["test", "-S", SOCKET]);
        assert_eq!(person.whose("mid"), Ok(role("Mid")));
    }
    let lock = person.manager.read(".local/state/evercred/lock");
    person.manager.must(&["kill", lock.trim()]);
    by_hand.wait().unwrap();
    must(&service(&person, &[], &["uninstall", "--purge"]));
    assert!(!person.manager.path(".local/state/evercred").exists());
}

#[test]
fn an_upgrade_that_fails_leaves_a_stopped_service_as_it_was() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.install();
    person.manager.must(&["systemctl", "--user", "stop", "evercredd.service"]);
    person.manager.write("bad", "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nexit 7\n");
    person.manager.put_program("other/evercredd", person.manager.path("bad").to_str().unwrap());
    person.manager.put_program("other/evercred", env!("CARGO_BIN_EXE_evercred"));
    let installed = person.tree();
    let output = person.manager.run(&[person.manager.path("other/evercred").to_str().unwrap(), "service", "install"]);
    assert!(stderr(&output).contains("all changes were undone"), "{}", stderr(&output));
    assert_eq!(person.tree(), installed);
    assert_eq!(person.manager.property("UnitFileState"), "enabled");
    // Its socket listens as before, and starts it.
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
}

#[test]
fn the_socket_moves_with_the_runtime_folder() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.install();
    let folder = person.manager.path("my run%n");
    let shell = [format!("EVERCRED_RUNTIME_DIR={}", folder.display())];
    let shell: Vec<&str> = shell.iter().map(String::as_str).collect();
    must(&service(&person, &shell, &["install"]));
    assert_eq!(status(&person, &shell).0, Some(0));
    person.manager.must(&["test", "-S", folder.join("evercred.sock").to_str().unwrap()]);
    let listens = person.manager.must(&["systemctl", "--user", "list-sockets", "--no-legend"]);
    assert!(listens.contains("my run%n/evercred.sock") && !listens.contains(SOCKET), "{listens}");
    let mut old = person.manager.command("evercred");
    assert_eq!(old.arg("status").output().unwrap().status.code(), Some(3), "nobody listens at the old place");
    must(&service(&person, &shell, &["uninstall", "--purge"]));
    assert!(!folder.exists());
}

#[test]
fn the_aws_tools_folders_are_written_to_where_they_really_are() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.write("elsewhere/sso/cache/x", "");
    person.manager.write("elsewhere/50%/config", &person.manager.read(".aws/config"));
    for (link, target) in [(".aws/sso", "elsewhere/sso"), (".aws/config", "elsewhere/50%/config")] {
        person.manager.must(&["ln", "-sfn", person.manager.path(target).to_str().unwrap(), link]);
    }
    let said = person.install();
    if !said.contains("sandbox: all restrictions") {
        // Only where namespaces can't be made at all.
        let probe = ["systemd-run", "--user", "--quiet", "-p", "Type=oneshot", "-p", "PrivateUsers=yes", "/bin/true"];
        assert!(!person.manager.run(&probe).status.success(), "{said}");
        return;
    }
    let pid = person.manager.property("MainPID");
    for folder in ["elsewhere/sso/cache", "elsewhere/50%", ".aws", ".local/state/evercred"] {
        let flags = mount_flags(&person, &pid, person.manager.path(folder).to_str().unwrap());
        assert!(flags.split(',').any(|flag| flag == "rw"), "{folder}: {flags}");
    }
    assert!(mount_flags(&person, &pid, person.manager.path("elsewhere").to_str().unwrap()).starts_with("ro"));
}

/// How the file system is mounted that a path is on, as the daemon sees it.
fn mount_flags(person: &Person, pid: &str, path: &str) -> String {
    let mounts = person.manager.must(&["cat", &format!("/proc/{pid}/mountinfo")]);
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above =
        fields.filter(|fields| path == fields[4] || path.starts_with(&format!("{}/", fields[4].trim_end_matches('/'))));
    // Of two at the same place the later one counts.
    let nearest = above.enumerate().max_by_key(|(at, fields)| (fields[4].len(), *at));
    nearest.map(|(_, fields)| fields[5].to_owned()).unwrap_or_default()
}

#[test]
fn what_would_be_written_is_printed_for_either_manager_and_without_one() {
    let machine = crate::machine::Machine::new();
    let print = |arguments: &[&str]| {
        let mut command = machine.companion();
        must(&command.env_remove("EVERCRED_RUNTIME_DIR").args(["service", "print"]).args(arguments).output().unwrap())
    };
    let (systemd, launchd) = (print(&["--systemd"]), print(&["--launchd"]));
    assert!(systemd.contains("systemd/user/evercredd.service\n") && systemd.contains("\nExecStart=/"), "{systemd}");
    assert!(launchd.contains("Library/LaunchAgents/evercred.evercredd.plist\n<?xml "), "{launchd}");
    assert_eq!(print(&[]), if cfg!(target_os = "macos") { launchd } else { systemd });
    assert!(!machine.path("Library").exists() && !machine.path(".config/systemd").exists());
}

#[test]
fn hardening_follows_what_the_profiles_run_and_a_drop_in_of_the_persons_own_stays() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let folder = ".config/systemd/user/evercredd.service.d";
    person.install();
    let hardened = person.manager.path(&format!("{folder}/hardening.conf")).exists();
    person.manager.write(&format!("{folder}/mine.conf"), "[Service]\nNice=5\n");
    let config = person.manager.read(".aws/config");
    person.manager.write(".aws/config", &format!("{config}\n[profile tool]\ncredential_process = /bin/false\n"));
    let (code, document) = status(&person, &[]);
    let problem = document["problems"][0]["message"].as_str().unwrap_or_default();
    assert!(code == Some(1) && problem.contains("profiles run programs"), "{document}");
    assert!(person.install().contains("reduced"));
    let (code, document) = status(&person, &[]);
    assert_eq!(
        (code, document["hardening"].as_str()),
        (Some(0), Some("reduced, because profiles run programs")),
        "{document}"
    );
    assert!(!person.manager.path(&format!("{folder}/hardening.conf")).exists());

    person.manager.write(".aws/config", &config);
    let (code, document) = status(&person, &[]);
    assert!(code == Some(0) && document["notes"][0].as_str().unwrap().contains("full sandbox"), "{document}");
    person.install();
    assert_eq!(person.manager.path(&format!("{folder}/hardening.conf")).exists(), hardened);
    assert!(!person.manager.path(&format!("{folder}/helpers.conf")).exists());
    person.manager.must(&["evercred", "service", "uninstall", "--purge"]);
    assert_eq!(person.manager.read(&format!("{folder}/mine.conf")), "[Service]\nNice=5\n");
}

#[test]
fn a_program_and_a_home_with_every_sign_in_their_names() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let (odd, more) = ("my $HOME ${PATH} 50%h ; #é", "\"q\" 'x' \\n $y");
    for name in ["evercred", "evercredd"] {
        let program = if name == "evercred" { env!("CARGO_BIN_EXE_evercred") } else { env!("CARGO_BIN_EXE_evercredd") };
        person.manager.put_program(&format!("{odd}/{name}"), program);
    }
    let program = person.manager.path(&format!("{odd}/evercred")).display().to_string();
    let shell = [
        format!("EVERCRED_STATE_DIR={}", person.manager.path(&format!("{odd}/{more}/state")).display()),
        format!("EVERCRED_RUNTIME_DIR={}", person.manager.path(&format!("{odd}/{more}/run")).display()),
    ];
    let run =
        |arguments: &[&str]| person.manager.command("env").args(&shell).arg(&program).args(arguments).output().unwrap();
    must(&run(&["service", "install"]));
    assert!(must(&run(&["service", "status"])).contains("installed"));
    let pid = person.manager.property("MainPID");
    let runs = person.manager.must(&["readlink", &format!("/proc/{pid}/exe")]);
    assert_eq!(Path::new(runs.trim_end()), person.manager.path(&format!("{odd}/evercredd")));
    let set: Value = serde_json::from_str(&must(&run(&["credential-process", "mid"]))).unwrap();
    assert_eq!(set["Version"], 1);
    must(&run(&["service", "uninstall", "--purge"]));
    assert!(!person.manager.path(&format!("{odd}/{more}")).exists());

    // What systemd starts no program from is known before anything is changed.
    let before = person.tree();
    person.manager.put_program(&format!("{more}/evercredd"), env!("CARGO_BIN_EXE_evercredd"));
    person.manager.put_program(&format!("{more}/evercred"), env!("CARGO_BIN_EXE_evercred"));
    let program = person.manager.path(&format!("{more}/evercred")).display().to_string();
    let output = person.manager.run(&[&program, "service", "install"]);
    assert!(stderr(&output).contains("quotes or backslashes"), "{}", stderr(&output));
    let mut left = person.tree();
    left.retain(|path, _| !path.contains(more));
    assert_eq!(left, before);
}

#[test]
fn a_unit_of_a_package_is_used_as_it_is_and_one_that_is_masked_is_not() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let printed = person.manager.must(&["evercred", "service", "print", "--systemd"]);
    for name in ["evercredd.service", "evercredd.socket"] {
        let text = printed.split(&format!("/{name}\n")).nth(1).unwrap().split("\n\n# /").next().unwrap();
        person.manager.write(&format!(".local/share/systemd/user/{name}"), text);
    }
    person.manager.must(&["systemctl", "--user", "daemon-reload"]);
    let said = person.install();
    assert!(said.contains("is used as its package has it"), "{said}");
    assert!(!person.manager.path(UNIT).exists());
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
    assert_eq!(status(&person, &[]).0, Some(0));
    person.manager.must(&["evercred", "service", "uninstall", "--purge"]);
    assert!(person.manager.path(".local/share/systemd/user/evercredd.service").exists());

    person.manager.must(&["systemctl", "--user", "mask", "evercredd.service"]);
    let before = person.tree();
    must(&service(&person, &[], &["uninstall"]));
    let output = service(&person, &[], &["install"]);
    assert!(stderr(&output).contains("masked") && stderr(&output).contains("unmask"), "{}", stderr(&output));
    assert_eq!(person.tree(), before);
}

#[test]
fn settings_behind_a_link_stay_there_and_what_can_not_be_written_is_said_with_nothing_left() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.write("dotfiles/evercred.toml", LOOPBACK_ONLY);
    let target = person.manager.path("dotfiles/evercred.toml");
    person.manager.must(&["chmod", "640", target.to_str().unwrap()]);
    person.manager.must(&["ln", "-sf", target.to_str().unwrap(), SETTINGS]);
    let before = person.tree();
    must(&service(&person, &["NO_PROXY=a"], &["install"]));
    assert!(person.manager.path(SETTINGS).symlink_metadata().unwrap().is_symlink());
    assert!(person.manager.read("dotfiles/evercred.toml").contains("NO_PROXY = \"a\"\n"));
    must(&service(&person, &[], &["uninstall", "--purge"]));
    let mut left = person.tree();
    left.retain(|path, _| !path.contains(".aws/sso") && !path.contains(".aws/login"));
    assert_eq!(left, before);

    person.manager.must(&["chmod", "555", person.manager.path("dotfiles").to_str().unwrap()]);
    let before = person.tree();
    let output = service(&person, &["NO_PROXY=a"], &["install"]);
    let said = stderr(&output);
    assert!(
        said.contains("evercred.toml can't be written: Permission denied") && said.contains("were undone"),
        "{said}"
    );
    let mut left = person.tree();
    left.retain(|path, _| !path.contains(".aws/sso") && !path.contains(".aws/login"));
    assert_eq!(left, before);
    assert_eq!(person.manager.property("LoadState"), "not-found");
}

#[test]
fn an_installation_that_is_at_work_is_not_disturbed_and_one_that_was_interrupted_is_finished_or_taken_away() {
    if left_out() {
        return;
    }
    let mut person = Person::new();
    // A daemon that is never ready.
    person.manager.write("hangs", "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nexec sleep 1000\n");
    person.manager.put_program("other/evercredd", person.manager.path("hangs").to_str().unwrap());
    person.manager.put_program("other/evercred", env!("CARGO_BIN_EXE_evercred"));
    let program = person.manager.path("other/evercred").display().to_string();
    let before = person.tree();
    for way_on in ["uninstall", "install"] {
        let mut installing = person.manager.command(&program).args(["service", "install"]).spawn().unwrap();
        let starting = |manager: &crate::user_manager::UserManager| {
            let said = manager.systemctl(&["show", "--value", "-p", "ActiveState", "evercredd.service"]);
            said.stdout == b"activating\n"
        };
        person.manager.eventually("it waits for the daemon", starting);
        let output = service(&person, &[], &[way_on]);
        assert!(stderr(&output).contains("another evercred is installing"), "{}", stderr(&output));
        // Between this test and the companion is the program that entered the namespaces.
        let companion = child_of(installing.id());
        rustix::process::kill_process(companion, rustix::process::Signal::KILL).unwrap();
        installing.wait().unwrap();
        must(&service(&person, &[], &[way_on]));
        if way_on == "uninstall" {
            let mut left = person.tree();
            left.retain(|path, _| !path.ends_with(".local/state/evercred"));
            assert_eq!(left, before);
        }
    }
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
}

fn child_of(process: u32) -> rustix::process::Pid {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    let pid = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::Pid::from_raw(pid).unwrap()
}

#[test]
fn a_companion_without_its_daemon_says_where_it_looked() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.put_program("alone/evercred", env!("CARGO_BIN_EXE_evercred"));
    let alone = person.manager.path("alone");
    let mut command = person.manager.command("env");
    let output =
        command.arg(format!("PATH={}:/usr/bin:/bin", alone.display())).args(["evercred", "service", "install"]);
    let said = stderr(&output.output().unwrap());
    assert!(said.contains("evercredd was not found") && said.contains("alone/evercredd"), "{said}");
}

#[test]
fn what_could_not_be_taken_away_is_taken_away_the_next_time() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let settings = ".config/evercred/evercred.toml";
    let before = person.manager.read(settings);
    person.install();
    let stored = person.manager.read(settings);
    assert_ne!(stored, before);
    person.manager.write(settings, &format!("renew = 3\n{stored}"));
    let output = service(&person, &[], &["uninstall"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("stays as it is"), "{}", stderr(&output));
    person.manager.write(settings, &stored);
    must(&service(&person, &[], &["uninstall"]));
    assert_eq!(person.manager.read(settings), before);
    assert!(!person.manager.path(".local/state/evercred/service.json").exists());
}

#[test]
fn another_shell_finds_the_folders_of_the_one_that_installed() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let before = person.tree();
    let state = format!("XDG_STATE_HOME={}", person.manager.path("st").display());
    must(&service(&person, &[&state], &["install"]));
    assert!(person.manager.path("st/evercred/service.json").exists());
    let said = person.install();
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(status(&person, &[]).0, Some(0));
    must(&service(&person, &[], &["uninstall", "--purge"]));
    let mut left = person.tree();
    left.retain(|path, _| !path.contains(".aws/sso") && !path.contains(".aws/login"));
    assert_eq!(left, before);
}

#[test]
fn a_service_that_runs_and_is_not_enabled_is_said_and_enabled() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.install();
    person.manager.must(&["systemctl", "--user", "disable", "evercredd.service", "evercredd.socket"]);
    let (code, document) = status(&person, &[]);
    assert!(
        code == Some(1) && document["problems"].to_string().contains("does not start with your session"),
        "{document}"
    );
    person.install();
    assert_eq!(person.manager.property("UnitFileState"), "enabled");
    assert_eq!(status(&person, &[]).0, Some(0));
}
