//! The launchd agent through a parser of property lists that is not ours.

use std::io::Write;
use std::process::{Command, Stdio};

use evercred::core::service::agent;

/// launchd.plist(5): the keys that we use, and the type that each has to have.
const CHECK: &str = r#"
import plistlib, sys
plist = plistlib.loads(sys.stdin.buffer.read())
types = {
    "Label": str, "ProgramArguments": list, "RunAtLoad": bool, "KeepAlive": dict, "ThrottleInterval": int, "ExitTimeOut": int,
    "ProcessType": str, "LowPriorityIO": bool, "Umask": int, "SoftResourceLimits": dict, "HardResourceLimits": dict,
    "StandardErrorPath": str, "EnvironmentVariables": dict,
}
assert set(plist) <= set(types), set(plist) - set(types)
for key, value in plist.items():
    assert type(value) is types[key], (key, value)
assert plist["Label"] == "evercred.evercredd"
assert plist["ProgramArguments"] == [sys.argv[1]], plist["ProgramArguments"]
assert plist["StandardErrorPath"] == sys.argv[2]
assert plist["KeepAlive"] == {"SuccessfulExit": False}
assert plist["ProcessType"] == "Background" and plist["Umask"] == 0o077
for limits in ("SoftResourceLimits", "HardResourceLimits"):
    assert plist[limits] == {"Core": 0, "NumberOfFiles": 4096}
assert plist.get("EnvironmentVariables", {}) == dict(argument.split("=", 1) for argument in sys.argv[3:])
"#;

#[test]
fn the_agent_is_a_property_list_with_the_right_types() {
    let Ok(python) = Command::new("sh").args(["-c", "command -v /usr/bin/python3 || command -v python3"]).output()
    else {
        return;
    };
    let python = String::from_utf8(python.stdout).unwrap();
    assert!(!python.trim().is_empty(), "python3 is needed");
    let (program, log) = ("/Users/a & b/<bin>/evercredd", "/Users/a/Library/Logs/evercredd.log");
    for variables in [Vec::new(), vec![("EVERCRED_STATE_DIR".to_owned(), "/s \"x\" & y".to_owned())]] {
        let text = agent::text(program, log, &variables).unwrap();
        let mut check = Command::new(python.trim())
            .args(["-c", CHECK, program, log])
            .args(variables.iter().map(|(name, value)| format!("{name}={value}")))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = check.wait_with_output().unwrap();
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    }
}
