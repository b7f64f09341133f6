//! Text from servers, programs and files: the output has neither its secrets nor its terminal control characters.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use evercred::core::printable::has_harmful;

use crate::machine::{Machine, ends, role};

const PLANTED: &str = "hunter2PLANTED77";
/// One character or sequence of each kind: CSI, OSC, C1, bidi, zero-width, line separators, NUL and a new line.
const HARMFUL: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{85}\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}\u{7f}y";

/// The output of all commands and of the log about a profile.
fn everything_said(machine: &mut Machine, profile: &str) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let commands: &[&[&str]] = &[
        &["credential-process", profile],
        &["renew", profile],
        &["status"],
        &["status", "--json"],
        &["plan", profile],
        &["plan", profile, "--json"],
        &["profiles"],
        &["profiles", "--json"],
        &["doctor", profile, "--offline"],
        &["doctor", profile, "--offline", "--json"],
        &["config", "show"],
        &["clock"],
    ];
    for command in commands {
        let output = machine.run(command);
        let both = [output.stdout, output.stderr].concat();
        said.push((command.join(" "), String::from_utf8(both).unwrap()));
    }
    let failure = said[0].1.clone();
    for more in [&["--offline"][..], &["--offline", "--json"]] {
        let output = machine.companion().args(["explain", &failure]).args(more).output().unwrap();
        said.push(("explain".to_owned(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap()));
    }
    let mut check = machine.daemon();
    let output = check.arg("--check").output().unwrap();
    said.push(("--check".to_owned(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap()));
    said.push(("the log".to_owned(), machine.read("log")));
    said
}

fn program(machine: &Machine, script: &str) {
    machine.replace("tool", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(machine.path("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn secrets_on_a_programs_command_line_and_stderr_reach_nobody() {
    let mut machine = Machine::new();
    let tool = machine.path("tool").display().to_string();
    program(&machine, "exit 1");
    machine.write(
        ".aws/config",
        &format!(
            "[profile tool]\ncredential_process = API_TOKEN={PLANTED} {tool} --password {PLANTED} --api-key={PLANTED} -u me:{PLANTED} https://me:{PLANTED}@vault.example/\nregion = eu-west-1\nvault_password = {PLANTED}\n"
        ),
    );
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "trace");
    machine.start_as(daemon);
    // The scanner's own tests have a case for each notation.
    for stderr in
        [format!("Cookie: a=1; sid={PLANTED}; t={PLANTED}"), format!("the argument {PLANTED} is not understood")]
    {
        program(&machine, &format!("cat >&2 <<'END'\n{stderr}\nEND\nexit 3"));
        let _ = machine.run(&["renew", "tool"]);
        for (what, text) in everything_said(&mut machine, "tool") {
            assert!(!text.contains("hunter2"), "{stderr}: {what} says\n{text}");
        }
    }
    let plan = machine.run(&["plan", "tool", "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let command = plan["steps"][0]["command"].as_str().unwrap();
    assert!(command.contains(&format!("{tool} --password ")) && command.contains("vault.example"), "{command}");
}

/// A server that answers everything with an error of STS.
fn server(code: &str, message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>");
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn what_a_server_a_program_and_a_file_say_does_nothing_to_a_terminal() {
    let mut machine = Machine::new();
    // XML has no C0 characters.
    let url = server("AccessDenied", "x&#x9b;31m\u{85}\u{202e}&#x200b;\u{2028}&#10;forged: line&#13;y");
    let name = HARMFUL.replace(['\u{1b}', '\u{7}', '\u{2028}', '\u{85}'], "");
    let tool = machine.path("tool").display().to_string();
    program(&machine, &format!("printf '%s' '{HARMFUL}' >&2; exit 1"));
    machine.write(
        ".aws/config",
        &format!(
            "[profile sts]\nrole_arn = {}\nsource_profile = base\nregion = eu-west-1\nendpoint_url = {url}\n\
             [profile \"{name}\"]\ncredential_process = {tool} {HARMFUL}\nregion = {HARMFUL}\n\
             [profile tool]\ncredential_process = {tool} {HARMFUL}\n\
             [profile loop]\nrole_arn = {HARMFUL}\nsource_profile = {HARMFUL}\n\
             [{HARMFUL}]\n{HARMFUL}\n",
            role("Mid")
        ),
    );
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "debug").env_remove("AWS_ENDPOINT_URL_STS");
    machine.start_as(daemon);
    for profile in ["sts", "tool", "loop", &name, HARMFUL, "a\nforged: x"] {
        for (what, text) in everything_said(&mut machine, profile) {
            let bare = text.replace(['\n', '\t'], "");
            assert!(!has_harmful(&bare), "{profile:?}: {what} says\n{text:?}");
            assert!(!text.lines().any(|line| line.starts_with("forged")), "{what} has a line of the server's:\n{text}");
        }
        let mut companion = machine.companion();
        let output = companion.args(["prompt"]).env("AWS_PROFILE", profile.replace('\0', "")).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!has_harmful(&text.replace('\n', "")), "prompt says {text:?}");
    }
}

#[test]
fn of_a_hundred_thousand_bad_lines_the_log_and_the_screen_have_a_few_and_the_documents_have_all() {
    const LINES: usize = 100_000;
    let mut machine = Machine::new();
    let mut config = machine.read(".aws/config");
    config.push_str("[profile many]\n");
    for at in 0..LINES {
        writeln!(config, "broken {at}").unwrap();
    }
    machine.replace(".aws/config", &config);
    machine.start();
    for edits in 1..=3 {
        machine.replace(".aws/config", &format!("{}{config}", "#\n".repeat(edits)));
        machine.eventually("the edit is seen", |machine| machine.read("log").matches("has changed").count() >= edits);
    }
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let log = machine.read("log");
    assert!(log.matches(": broken").count() + log.matches("/.aws/config:").count() < 500, "{} bytes", log.len());
    assert!(log.len() < 200_000, "{} bytes", log.len());
    let status = machine.run(&["status"]);
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(text.lines().count() < 100 && text.contains("more problems"), "{text}");
    assert!(machine.status()["problems"].as_array().unwrap().len() >= LINES);
    let profiles: serde_json::Value = serde_json::from_slice(&machine.run(&["profiles", "--json"]).stdout).unwrap();
    assert_eq!(profiles["problems"].as_array().unwrap().len(), LINES);
    let (said, _) = ends(machine.companion().args(["profiles"]));
    assert!(said.lines().filter(|line| line.contains("/config:")).count() >= LINES, "{}", said.len());
    let memory = std::fs::read_to_string(format!("/proc/{}/status", machine.pid())).unwrap_or_default();
    let peak =
        memory.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.is_none_or(|peak| peak < 400 * 1024), "{peak:?} KiB");
}
