//! The main job with the real programs: from the files to a caller.

use std::process::Stdio;
use std::time::SystemTime;

use serde_json::Value;

use crate::machine::{Machine, PATIENCE, assert_expires_in_an_hour, role, stderr};
use crate::standin::{DateHeader, Fault};

#[test]
fn a_chain_is_assumed_on_first_use_with_one_call_for_each_link() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    assert_eq!(machine.whose("mid"), Ok(role("Mid")));
    assert_eq!(machine.whose("app"), Ok(role("App")));
    assert_eq!((machine.aws.count("GetCallerIdentity"), machine.aws.count("AssumeRole")), (1, 2));
    let set = machine.credentials("app").unwrap();
    assert_eq!((set["Version"].as_i64(), set["AccountId"].as_str()), (Some(1), Some("111122223333")));
    let profile = machine.profile("app");
    assert_eq!(
        (profile["state"].as_str(), profile["valid"].as_bool(), profile["auto_renew"].as_bool()),
        (Some("fresh"), Some(true), Some(true))
    );
    assert!(profile["remaining_seconds"].as_i64().unwrap() > 3_500);
    assert_eq!(machine.stop(), Some(0));
}

#[test]
fn status_says_whose_credentials_a_program_would_get() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &format!("{config}[default]\nregion = eu-north-1\n"));
    machine.start();
    let of = |profile: &Value| {
        let text = |name: &str| profile[name].as_str().map(str::to_owned);
        (text("state"), profile["usable"].as_bool(), profile["auto_renew"].as_bool(), text("account_id"), text("role"))
    };
    let text = |text: &str| Some(text.to_owned());
    let app = machine.profile("app");
    assert_eq!(of(&app), (text("ready"), Some(true), Some(false), text("111122223333"), text("App")));
    assert_eq!(
        (&app["region"], &app["sso_session"], &app["account_name"]),
        (&"eu-west-1".into(), &Value::Null, &Value::Null)
    );
    let base = machine.profile("base");
    assert_eq!(
        (base["state"].as_str(), base["usable"].as_bool(), base["role"].as_str()),
        (Some("static"), Some(true), None)
    );
    let empty = machine.profile("default");
    assert_eq!((empty["state"].as_str(), empty["usable"].as_bool()), (Some("failed"), Some(false)));
    assert_eq!(empty["last_error"]["code"], "no-credentials");
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let app = machine.profile("app");
    assert_eq!(of(&app), (text("fresh"), Some(true), Some(true), text("111122223333"), text("App")));
    assert_eq!(machine.status()["mfa_sessions"], serde_json::json!([]));
}

#[test]
fn a_restart_goes_unnoticed() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let calls = machine.aws.calls().len();
    assert_eq!(machine.stop(), Some(0));
    // Asked while there is no daemon, answered by the next one from what the last one left.
    let asking = machine.companion().args(["credential-process", "app"]).stdout(Stdio::piped()).spawn().unwrap();
    machine.start();
    let output = asking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["SessionToken"].is_string());
    let made = machine.aws.calls().len() - calls;
    assert!(machine.aws.calls().iter().skip(calls).all(|call| call.action != "AssumeRole"), "{made} calls");
}

#[test]
fn what_lives_for_seconds_is_renewed_again_and_again_before_it_ends() {
    let mut machine = Machine::new();
    machine.aws.set_longest_life(Some(4));
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let renewed = |count| {
        move |calls: &[crate::standin::Call]| {
            calls.iter().filter(|call| call.role_arn == role("App") && call.status == 200).count() >= count
        }
    };
    for count in 2..=5 {
        assert!(machine.aws.wait_for(PATIENCE, renewed(count)), "{}", machine.read("log"));
        assert_eq!(machine.whose("app"), Ok(role("App")), "nobody waits, and nobody gets what has expired");
    }
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
}

#[test]
fn an_outage_is_ridden_out_on_the_last_good_set() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    for fault in [
        Fault::Reset,
        Fault::Status500,
        Fault::Status503,
        Fault::Html,
        Fault::Empty,
        Fault::Truncated,
        Fault::Garbage,
        Fault::Throttled,
        Fault::Huge,
    ] {
        machine.aws.set_outage(Some(fault));
        let failed = machine.run(&["renew", "app"]);
        assert_eq!(failed.status.code(), Some(1), "{fault:?}");
        assert_eq!(machine.whose("app"), Ok(role("App")), "{fault:?}");
        assert_eq!(machine.profile("app")["last_error"]["class"], "retryable", "{fault:?}: {}", stderr(&failed));
        assert_eq!(machine.run(&["status"]).status.code(), Some(0), "{fault:?}: nobody has to do anything");
        machine.aws.set_outage(None);
        // Nobody has to do anything.
        machine.eventually("it is mended", |machine| machine.profile("app")["state"] == "fresh");
    }
}

#[test]
fn a_crash_loses_nothing() {
    let mut machine = Machine::new();
    machine.start();
    let before = machine.credentials("app").unwrap();
    machine.eventually("the set is kept", |machine| {
        machine.read("run/minted.json").contains(before["AccessKeyId"].as_str().unwrap())
    });
    machine.crash();
    machine.start();
    assert_eq!(machine.credentials("app").unwrap()["AccessKeyId"], before["AccessKeyId"]);
    assert_eq!(machine.aws.count("AssumeRole"), 2, "{}", machine.read("log"));
    assert_eq!(machine.profile("app")["auto_renew"], true);
}

#[test]
fn a_wrong_clock_on_this_machine_does_not_matter() {
    let mut machine = Machine::new();
    machine.aws.set_offset_seconds(-3 * 3_600);
    machine.start();
    let begin = SystemTime::now();
    assert_eq!(machine.whose("app"), Ok(role("App")), "{}", machine.read("log"));
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
    let clock = machine.status()["clock"].clone();
    assert_eq!(clock["state"], "critical");
    assert!((clock["offset_seconds"].as_f64().unwrap() - 10_800.0).abs() < 3.0);
    // A reader with this machine's clock must see an hour of life.
    assert_expires_in_an_hour(&machine.credentials("app").unwrap()["Expiration"], begin, 0);
}

#[test]
fn a_lying_date_is_not_believed_twice() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.aws.set_date(DateHeader::Lying(7_200));
    let renewal = machine.run(&["renew", "app"]);
    machine.aws.set_date(DateHeader::True);
    // By the server's own time its credentials have expired: that is no renewal, and what was cached stays in use.
    assert_eq!(renewal.status.code(), Some(1), "{}", stderr(&renewal));
    assert_eq!(machine.whose("app"), Ok(role("App")));
    assert_eq!(machine.run(&["renew", "app"]).status.code(), Some(0));
}

#[test]
fn renew_makes_a_new_set_and_says_how_it_went() {
    let mut machine = Machine::new();
    machine.start();
    let before = machine.credentials("app").unwrap();
    let output = machine.run(&["renew", "app"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("app: renewed, valid until"));
    assert_ne!(machine.credentials("app").unwrap()["AccessKeyId"], before["AccessKeyId"]);
    let all = machine.run(&["renew", "--all"]);
    assert_eq!(all.status.code(), Some(0), "{}", stderr(&all));
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    // No program has requested mid yet.
    assert!(all.contains("app: renewed") && all.contains("mid: renewed") && !all.contains("base: renewed"), "{all}");
    let of_shell = machine.companion().arg("renew").env("AWS_PROFILE", "mid").output().unwrap();
    assert!(String::from_utf8_lossy(&of_shell.stdout).starts_with("mid: renewed"), "{}", stderr(&of_shell));
}

#[test]
fn exec_and_env_hand_over_one_set_and_take_away_what_would_shadow_it() {
    let mut machine = Machine::new();
    machine.start();
    let of_shell =
        machine.companion().args(["exec", "--static", "--", "mid"]).env("AWS_PROFILE", "app").output().unwrap();
    assert_eq!(of_shell.status.code(), Some(127), "the name behind -- is a command: {}", stderr(&of_shell));
    let script = "echo $AWS_ACCESS_KEY_ID $AWS_REGION $AWS_DEFAULT_REGION ${AWS_PROFILE-none} ${AWSUME_X-none}; exit 7";
    let output = machine
        .companion()
        .args(["exec", "app", "--static", "--", "sh", "-c", script])
        .env("AWS_PROFILE", "other")
        .env("AWSUME_X", "1")
        .output()
        .unwrap();
    let id = machine.credentials("app").unwrap()["AccessKeyId"].as_str().unwrap().to_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("{id} eu-west-1 eu-west-1 none none"));
    assert_eq!(output.status.code(), Some(7));
    let output = machine.run(&["env", "app", "--static"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("export AWS_ACCESS_KEY_ID='{id}';")));
}
