//! The socket path that the command uses if the environment names unusable directories, or none.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::machine::{Machine, role, stderr};

/// A command without the directory variable that the tests set.
fn without_named_directory(mut command: Command, session: Option<&str>) -> Command {
    command.env_remove("EVERCRED_RUNTIME_DIR").env_remove("XDG_RUNTIME_DIR");
    if let Some(session) = session {
        command.env("XDG_RUNTIME_DIR", session);
    }
    command
}

/// Unusable runtime directories, and none.
fn sessions(machine: &Machine) -> Vec<Option<String>> {
    let path = |name: &str| Some(machine.path(name).display().to_string());
    std::fs::write(machine.path("a-file"), "").unwrap();
    let mut all = vec![None, Some(String::new()), Some("relative".to_owned()), path("missing"), path("a-file")];
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir_all(machine.path("foreign/evercred")).unwrap();
        machine.give("foreign", 12_345);
        all.push(path("foreign"));
    }
    all
}

#[test]
fn a_named_socket_is_used_whatever_the_runtime_directory_is() {
    let mut machine = Machine::new();
    machine.start();
    let socket = machine.path("run/evercred.sock");
    for session in sessions(&machine) {
        for runtime in [None, Some("relative"), Some("/missing")] {
            let mut tool = without_named_directory(machine.companion(), session.as_deref());
            tool.env("EVERCRED_SOCKET", &socket).args(["credential-process", "app"]);
            if let Some(runtime) = runtime {
                tool.env("EVERCRED_RUNTIME_DIR", runtime);
            }
            // The paths of the AWS files are those of the daemon.
            for home in [true, false] {
                if !home {
                    tool.env("HOME", "relative").env("AWS_CONFIG_FILE", "/missing").env_remove("EVERCRED_STATE_DIR");
                }
                let output = tool.output().unwrap();
                assert!(output.status.success(), "{session:?} {runtime:?} {home}: {}", stderr(&output));
            }
        }
    }
    for (socket, exit) in [("relative.sock", 3), ("/missing/evercred.sock", 3)] {
        let output = machine.companion().env("EVERCRED_SOCKET", socket).args(["status"]).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}", stderr(&output));
    }
    // An empty variable counts as unset.
    assert!(machine.companion().env("EVERCRED_SOCKET", "").args(["status"]).output().unwrap().status.code() != Some(3));
}

#[test]
fn without_a_usable_session_directory_daemon_and_tool_meet_in_the_state_directory() {
    for at in 0.. {
        let mut machine = Machine::new();
        let Some(session) = sessions(&machine).get(at).cloned() else { break };
        machine.set_runtime("state/run");
        let daemon = without_named_directory(machine.daemon(), session.as_deref());
        machine.start_as(daemon);
        let mut tool = without_named_directory(machine.companion(), session.as_deref());
        let output = tool.args(["credential-process", "app"]).output().unwrap();
        assert!(output.status.success(), "{session:?}: {}", stderr(&output));
        assert!(!machine.path("relative").exists() && !machine.path("missing").exists(), "{session:?}");
    }
}

#[test]
fn a_session_directory_of_the_user_comes_first_and_one_that_others_may_use_is_passed_over() {
    let mut machine = Machine::new();
    let session = machine.path("session");
    std::fs::create_dir(&session).unwrap();
    std::fs::set_permissions(&session, std::fs::Permissions::from_mode(0o700)).unwrap();
    let session = session.display().to_string();
    machine.set_runtime("session/evercred");
    let daemon = without_named_directory(machine.daemon(), Some(&session));
    machine.start_as(daemon);
    let ask = || without_named_directory(machine.companion(), Some(&session)).args(["status"]).output().unwrap();
    assert_ne!(ask().status.code(), Some(3));
    let mode = machine.path("session/evercred").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    std::fs::set_permissions(machine.path("session/evercred"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = ask();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    std::fs::set_permissions(machine.path("session/evercred"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(machine.whose("app"), Ok(role("App")));
}
