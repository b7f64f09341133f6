//! A refreshed token that can't be written into its cache file: it survives the daemon's end, and nothing shows it.

use std::os::unix::fs::MetadataExt;

use chrono::{DateTime, SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use crate::edge_sso::{machine, sign_in, token, token_file};
use crate::machine::{Machine, role};
use crate::standin::{Rotation, Service};

const UNSAVED: &str = "run/unsaved.json";

/// Lets the token in the file have ten minutes left, so that the next start refreshes it.
pub(crate) fn age_token(machine: &Machine) {
    let mut document = token(machine);
    let expires: DateTime<chrono::Utc> = document["expiresAt"].as_str().unwrap().parse().unwrap();
    let earlier = expires - TimeDelta::minutes(50);
    document["expiresAt"] = json!(earlier.to_rfc3339_opts(SecondsFormat::Secs, true));
    machine.replace(&token_file(), &document.to_string());
}

/// A daemon whose token was refreshed while its file could be replaced and came when it could not.
fn unsaved_token() -> (Machine, String) {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    age_token(&machine);
    let before = machine.read(&token_file());
    machine.aws.hold_answers_of(Some(Service::Oidc));
    machine.start();
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateToken:refresh_token") == 1);
    std::fs::hard_link(machine.path(&token_file()), machine.path("backup")).unwrap();
    machine.aws.hold_answers_of(None);
    machine.eventually("it is kept", |machine| machine.path(UNSAVED).exists());
    assert_eq!(
        (machine.read(&token_file()), machine.path(UNSAVED).metadata().unwrap().mode() & 0o777),
        (before, 0o600)
    );
    let kept: Value = serde_json::from_str(&machine.read(UNSAVED)).unwrap();
    let kept: Value = serde_json::from_str(kept["tokens"][0]["token"].as_str().unwrap()).unwrap();
    let refresh_token = kept["refreshToken"].as_str().unwrap().to_owned();
    for secret in ["accessToken", "refreshToken", "clientSecret"] {
        let secret = kept[secret].as_str().unwrap();
        assert!(!machine.read("log").contains(secret) && !machine.status().to_string().contains(secret), "{secret}");
    }
    (machine, refresh_token)
}

fn is_said(machine: &Machine) -> bool {
    let status = machine.status();
    let problems = status["problems"].as_array().unwrap();
    problems.iter().any(|problem| {
        let fix = problem["fix"].as_str().unwrap_or_default();
        problem["id"] == "sso-cache-unwritable" && fix.starts_with("cp -p ")
    })
}

fn assert_saved(machine: &mut Machine, refresh_token: &str) {
    machine.eventually("it is written", |machine| token(machine)["refreshToken"] == json!(refresh_token));
    machine.eventually("nothing is kept any more", |machine| !machine.path(UNSAVED).exists());
    assert_eq!((machine.aws.live_sso_sessions(), machine.whose("admin")), (1, Ok(role("Admin"))));
}

#[test]
fn a_refreshed_token_that_could_not_be_written_survives_a_stop_and_a_crash() {
    let (mut machine, refresh_token) = unsaved_token();
    machine.eventually("it is said with what to do", is_said);
    machine.crash();
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    machine.eventually("it is said again", is_said);
    assert_eq!(machine.stop(), Some(0));
    assert!(machine.path(UNSAVED).exists());
    std::fs::remove_file(machine.path("backup")).unwrap();
    machine.start();
    assert_saved(&mut machine, &refresh_token);
    assert_eq!(machine.aws.count("CreateToken:refresh_token"), 1);
}

#[test]
fn a_token_that_can_be_written_when_the_daemon_stops_is_written_and_kept_nowhere_else() {
    let (mut machine, refresh_token) = unsaved_token();
    std::fs::remove_file(machine.path("backup")).unwrap();
    assert_eq!(machine.stop(), Some(0));
    assert_eq!(token(&machine)["refreshToken"], json!(refresh_token));
    assert!(!machine.path(UNSAVED).exists());
    machine.start();
    assert_saved(&mut machine, &refresh_token);
}

#[test]
fn a_sign_in_by_another_tool_wins_over_a_token_that_was_kept_and_a_logout_removes_it() {
    let (mut machine, refresh_token) = unsaved_token();
    assert_eq!(machine.stop(), Some(0));
    std::fs::remove_file(machine.path("backup")).unwrap();
    let mut theirs = token(&machine);
    (theirs["accessToken"], theirs["refreshToken"]) = (json!(machine.aws.signed_in()), json!("theirs"));
    theirs["expiresAt"] = json!("2099-01-01T00:00:00Z");
    machine.replace(&token_file(), &theirs.to_string());
    machine.start();
    machine.eventually("it is dropped", |machine| !machine.path(UNSAVED).exists());
    assert_eq!(token(&machine)["refreshToken"], json!("theirs"));
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    drop(machine);

    let (mut machine, _) = unsaved_token();
    let said = machine.run(&["logout", "corp"]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    machine.eventually("it is removed", |machine| !machine.path(UNSAVED).exists());
    assert!(!machine.path(&token_file()).exists() && !machine.read("log").contains(&refresh_token));
    assert_eq!(machine.aws.live_sso_sessions(), 0);
}

#[test]
fn a_kept_file_that_cannot_be_read_is_set_aside_and_harms_nothing() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    machine.stop();
    machine.write(UNSAVED, "{\"schema\":\"evercred.unsaved/1\",\"tokens\":[{\"cache\":\"sso\"");
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert!(machine.path("run/unsaved.json.broken").exists() && !machine.path(UNSAVED).exists());
}
