//! The doctor as people run it: the real programs, real files, and the stand-in, which verifies signatures for real.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::doctor_case::{Case, Values, all};
use crate::edge_notify::is_told_without;
use crate::machine::{ACCOUNT, Machine};
use crate::standin::{Fault, NewSession, RegionState, Role};

/// Found wherever the stand-in stands for AWS, and on whatever machine runs the tests.
const BESIDES: [&str; 2] = ["endpoint-overridden", "clock-unsynchronised"];

#[test]
fn every_case_with_an_answer_is_found_out_against_real_signatures() {
    let cases = all();
    let (absent, present): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.aws.absent.is_some());
    assert!(absent.len() <= 9, "too many cases without the real programs");
    let mut complaints = Vec::new();
    for case in &present {
        // Nobody but root can become somebody else; CI is root.
        if case.uid.is_some() && is_told_without("SETPRIV") {
            continue;
        }
        let mut machine = Machine::new();
        let values = prepare(&machine, case);
        if case.daemon {
            machine.start();
        }
        let output = doctor(&machine, case, &values);
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}: {}", case.name(), String::from_utf8_lossy(&output.stderr)));
        complaints.extend(case.complaints(&document, &BESIDES, &values));
        let is_error = |finding: &Value| finding["severity"] == "error";
        let errors = document["findings"].as_array().unwrap().iter().any(is_error);
        // A test that was meant to be made and has no result needs attention too.
        let lacks_result = document["verdict"]["state"] == "not-tested" && output.status.code() == Some(1);
        let is_missing = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["title"].as_str().is_some_and(|title| title.ends_with("is in no AWS file")));
        let exit = if is_missing { 4 } else { i32::from(errors) };
        if (output.status.code() != Some(exit) && !lacks_result) || !output.stderr.is_empty() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            complaints.push(format!("{}: {:?}, {stderr}: {document:#}", case.name(), output.status));
        }
        // Nothing but questions.
        for call in machine.aws.calls() {
            let harmless =
                ["GetCallerIdentity", "GetUser", "AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"];
            assert!(harmless.contains(&call.action.as_str()) || case.daemon, "{}: {call:?}", case.name());
        }
        if case.offline {
            assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0), "{} is offline", case.name());
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Files, keys at AWS, and what the placeholders stand for.
fn prepare(machine: &Machine, case: &Case) -> Values {
    let values = at_aws(machine, case);
    for name in ["config", "credentials"] {
        let path = format!(".aws/{name}");
        match case.file(name, &values) {
            Some(text) => machine.write(&path, &text),
            None => drop(std::fs::remove_file(machine.path(&path))),
        }
        let mode = case.modes.get(name).map_or(0o600, |mode| u32::from_str_radix(mode, 8).unwrap());
        if machine.path(&path).exists() {
            std::fs::set_permissions(machine.path(&path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    for (path, text) in case.other_files(&values) {
        machine.write(&path, &text);
    }
    if let Some(state) = case.sso.as_deref() {
        let token =
            if state == "signed-in" { machine.aws.signed_in() } else { "MARKED/token/of/an/ended/session".to_owned() };
        let expires = "2100-01-01T00:00:00Z";
        let start_url = "https://corp.awsapps.com/start";
        let cached =
            json!({"startUrl": start_url, "region": "eu-central-1", "accessToken": token, "expiresAt": expires});
        let name: String = Sha1::digest("corp").iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!(".aws/sso/cache/{name}.json");
        machine.write(&path, &cached.to_string());
        std::fs::set_permissions(machine.path(&path), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    if let Some(uid) = case.uid {
        give_to(uid, machine.home());
    }
    if case.unwritable_cache.is_some() {
        give_to(0, &machine.path(".aws/sso/cache"));
    }
    values
}

/// Gives a directory and everything in it to a user, who and root alone may write it.
fn give_to(uid: u32, path: &std::path::Path) {
    let is_directory = path.is_dir();
    if is_directory {
        std::fs::read_dir(path).unwrap().for_each(|entry| give_to(uid, &entry.unwrap().path()));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    } else if uid == 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).unwrap();
}

fn at_aws(machine: &Machine, case: &Case) -> Values {
    let aws = &machine.aws;
    let mut values = Values::default();
    values.0.insert("endpoint".to_owned(), aws.url());
    for who in ["user", "other", "inactive", "foreign"] {
        let key = aws.add_user(ACCOUNT, "someone");
        values.put(who, &key.access_key_id, &key.secret_access_key, None);
        if who == "inactive" {
            aws.set_active(&key.access_key_id, false);
        } else if who == "foreign" {
            aws.revoke(&key.access_key_id);
        }
    }
    // The stand-in's clock is set first: sessions end by it.
    aws.set_offset_seconds(case.aws.clock);
    let (user, role) =
        (format!("arn:aws:iam::{ACCOUNT}:user/someone"), format!("arn:aws:sts::{ACCOUNT}:assumed-role/R/s"));
    for (who, arn, seconds) in [
        ("session", &user, 3_600),
        ("mfa", &user, 3_600),
        ("role", &role, 3_600),
        ("expired", &role, -3_600),
        ("v1", &role, 3_600),
        ("revoked", &role, 3_600),
    ] {
        let keys = aws.mint_session(&NewSession { arn, seconds, v1: who == "v1", mfa: who == "mfa" });
        values.put(who, &keys.access_key_id, &keys.secret_access_key, Some(&keys.session_token));
        if who == "revoked" {
            aws.end_session(&keys.access_key_id);
        }
    }
    for (region, state) in &case.aws.regions {
        aws.set_region(region, if state == "disabled" { RegionState::StsOff } else { RegionState::NotEnabled });
    }
    for (arn, role) in &case.aws.roles {
        let trusts: Vec<&str> = role.trusts.iter().map(String::as_str).collect();
        let (external_id, mfa, denied) = (role.external_id.clone(), role.mfa, role.denied.clone());
        let max_session_seconds = role.longest.unwrap_or(3_600);
        aws.set_role(arn, Role { external_id, mfa, denied, max_session_seconds, ..Role::trusting(&trusts) });
    }
    for role in &case.aws.assigned {
        aws.assign(ACCOUNT, "Prod", role);
    }
    match case.aws.outage.as_deref() {
        Some("reset") => aws.set_outage(Some(Fault::Reset)),
        Some("html") => aws.set_outage(Some(Fault::Html)),
        Some("timeout") => aws.set_outage(Some(Fault::Timeout)),
        Some(other) => panic!("{}: no outage is called {other}", case.name()),
        None => {}
    }
    for (action, refusal) in &case.aws.refuses {
        let (status, rest) = refusal.split_once(' ').unwrap();
        let (code, message) = rest.split_once(": ").unwrap();
        aws.refuse(action, Some((status.parse().unwrap(), String::leak(code.to_owned()), message)));
    }
    let now = chrono_now();
    values.0.insert("now".to_owned(), now.to_string());
    values
}

fn chrono_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn doctor(machine: &Machine, case: &Case, values: &Values) -> Output {
    let mut command = machine.companion();
    command.current_dir(machine.home()).arg("doctor").arg("--json");
    command.args(case.profile.as_deref());
    if case.offline {
        command.arg("--offline");
    }
    if case.run_process {
        command.arg("--run-process");
    }
    command.envs(case.variables(values));
    let Some(uid) = case.uid.map(|uid| uid.to_string()) else { return command.output().unwrap() };
    let mut as_user = std::process::Command::new("setpriv");
    as_user.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "--"]).arg(command.get_program());
    as_user.args(command.get_args()).current_dir(machine.home());
    as_user.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    as_user.output().unwrap()
}
