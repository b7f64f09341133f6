//! Mistakes in the AWS files that the daemon says before anybody has called AWS.

use std::process::Command;

use serde_json::{Value, json};

use crate::edge_notify::{Desktop, arrived, is_told_without, programs};
use crate::machine::{LOOPBACK_ONLY, Machine};

const ID: &str = "AKIAQPLANTEDUSERKEY2";
const SMALL: &str = "akiaqplanteduserkey2";
const TEMPORARY: &str = "ASIAQPLANTEDTEMPKEY2";
const SECRET: &str = "pLanted/pLanted+pLanted/pLanted+pLanted9";
const TOKEN: &str = "IQoJpLantedTokenpLantedTokenpLantedTokenpLantedTokenpLantedTokenpLanted";
const CREDENTIALS: &str = ".aws/credentials";

/// A machine whose calls would leave it, and that makes none: keys for a stand-in on the machine itself are nobody's business.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(".config/evercred/evercred.toml", &format!("{LOOPBACK_ONLY}probe = false\n[notify]\nquiet = \"\"\n"));
    machine
}

pub(crate) fn elsewhere(mut daemon: Command) -> Command {
    // RFC 5737: nobody has this address.
    daemon.env("AWS_ENDPOINT_URL_STS", "http://192.0.2.1:9");
    daemon
}

fn section(name: &str, id: &str, secret: &str, rest: &str) -> String {
    format!("[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{rest}")
}

fn problems(machine: &Machine) -> Vec<Value> {
    machine.status()["problems"].as_array().unwrap().clone()
}

/// Neither a value nor a part of one.
fn shows_no_secret(text: &str) {
    for planted in ["pLanted", "planted", "PLANTED", "IQoJ"] {
        assert!(!text.contains(planted), "{planted}: {text}");
    }
}

#[test]
fn a_mistake_is_in_the_status_and_its_exit_code_while_it_is_in_the_file() {
    let mut machine = machine();
    let good = section("dev", ID, SECRET, "");
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &format!("{config}\n[profile run]\ncredential_process = /bin/tool\n"));
    machine.write(CREDENTIALS, &good);
    machine.start_as(elsewhere(machine.daemon()));
    assert_eq!(problems(&machine), [] as [Value; 0]);
    let token = format!("aws_session_token = {TOKEN}\n");
    for (text, id, line, fix) in [
        (section("dev", SMALL, SECRET, ""), "access-key-malformed", 2, "aws configure --profile dev"),
        (section("dev", SECRET, ID, ""), "access-key-malformed", 2, "aws configure --profile dev"),
        (section("dev", ID, &format!("\"{SECRET}\""), ""), "secret-key-malformed", 3, "correct aws_secret_access_key"),
        (section("dev", ID, SECRET, &token), "session-token-stale", 4, "delete the line aws_session_token"),
        (section("dev", TEMPORARY, SECRET, ""), "session-token-missing", 2, "write aws_session_token beside it"),
        (section("run", ID, SECRET, ""), "static-keys-ignored", 2, "delete the keys of [run]"),
    ] {
        machine.replace(CREDENTIALS, &text);
        machine.eventually(id, |machine| problems(machine).iter().any(|problem| problem["id"] == id));
        let output = machine.run(&["status", "--json"]);
        let all = problems(&machine);
        let problem = all.iter().find(|problem| problem["id"] == id).unwrap();
        assert_eq!(problem["file"], machine.path(CREDENTIALS).display().to_string(), "{problem}");
        assert_eq!(problem["line"], json!(line), "{problem}");
        assert!(problem["fix"].as_str().unwrap().contains(fix), "{problem}");
        assert_eq!(output.status.code(), Some(1), "{all:?}");
        let seen = machine.run(&["status"]);
        assert_eq!(seen.status.code(), Some(1));
        let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
        assert!(seen.contains(problem["message"].as_str().unwrap()), "{seen}");
        shows_no_secret(&format!("{all:?}{seen}"));
        machine.replace(CREDENTIALS, &good);
        machine.eventually("it is mended", |machine| problems(machine).is_empty());
    }
    assert_eq!(machine.stop(), Some(0));
    shows_no_secret(&machine.read("log"));
}

#[test]
fn a_file_saved_ten_times_with_its_mistake_is_told_of_once_and_what_was_there_at_the_start_is_not() {
    if is_told_without("DBUSMOCK") {
        return;
    }
    let mut machine = machine();
    let old = section("old", ID, SECRET, &format!("aws_session_token = {TOKEN}\n"));
    machine.write(CREDENTIALS, &old);
    let desktop = Desktop::start(&mut machine);
    let daemon = elsewhere(desktop.daemon(&machine, &programs()));
    machine.start_as(daemon);
    assert_eq!(problems(&machine).len(), 1, "the status says it from the start");
    for save in 0..10 {
        machine
            .replace(CREDENTIALS, &format!("{}{old}{}", "# saved\n".repeat(save), section("dev", SMALL, SECRET, "")));
        let line = json!(6 + save);
        machine
            .eventually("the save is seen", |machine| problems(machine).iter().any(|problem| problem["line"] == line));
    }
    machine.eventually("it arrives", |machine| !arrived(machine).is_empty());
    machine.replace(CREDENTIALS, &format!("{old}{}", section("dev", SMALL, SECRET, "")));
    // What comes of those saves is there before another mistake is told.
    let other = section("other", ID, &format!("\"{SECRET}\""), "");
    machine.replace(CREDENTIALS, &format!("{old}{}{other}", section("dev", SMALL, SECRET, "")));
    machine.eventually("the other one arrives", |machine| arrived(machine).iter().any(|it| it.body.contains("1 more")));
    let all = arrived(&machine);
    let [message, _other] = all.as_slice() else { panic!("{all:?}\n{}", machine.read("log")) };
    assert_eq!((message.title.as_str(), message.is_critical), ("A mistake in an AWS file", false));
    assert!(message.body.contains("\"dev\"") && message.body.contains("lowercase"), "{message:?}");
    assert!(message.body.contains("fix: correct aws_access_key_id") && !message.body.contains("old"), "{message:?}");
    machine.replace(CREDENTIALS, &section("dev", ID, SECRET, ""));
    machine.eventually("it is over, in the log", |machine| machine.read("log").contains("are corrected"));
    assert_eq!(problems(&machine), [] as [Value; 0]);
    let log = machine.read("log");
    assert_eq!(log.matches("lowercase").count(), 2, "{log}");
    shows_no_secret(&(log + &machine.read("desktop")));
    assert_eq!(machine.stop(), Some(0));
}

#[test]
fn a_healthy_change_and_keys_for_an_emulator_are_nothing_to_speak_of() {
    let mut machine = machine();
    machine.start_as(elsewhere(machine.daemon()));
    let emulator = "\n[profile local]\nendpoint_url = http://localhost:4566\n";
    let config = machine.read(".aws/config");
    // The endpoint of the profile itself counts where no variable names one.
    machine.write(".aws/config", &format!("{config}{emulator}"));
    let good = section("dev", TEMPORARY, SECRET, &format!("aws_session_token = {TOKEN}\n"));
    machine.replace(
        CREDENTIALS,
        &(good.clone() + &section("local", SMALL, SECRET, "") + &section("s3", "test", "test", "")),
    );
    machine.eventually("the change is seen", |machine| machine.profile("s3").is_object());
    assert_eq!(problems(&machine), [] as [Value; 0]);
    assert_eq!(machine.stop(), Some(0));
    // And here every call goes to the stand-in on this machine.
    machine.start();
    machine.replace(CREDENTIALS, &(good + &section("wrong", SMALL, SECRET, "")));
    machine.eventually("the change is seen", |machine| machine.profile("wrong").is_object());
    assert_eq!(problems(&machine), [] as [Value; 0]);
    assert!(!machine.read("log").contains("credentials-malformed"));
    assert_eq!(machine.stop(), Some(0));
}
