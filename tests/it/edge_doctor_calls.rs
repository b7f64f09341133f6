//! Calls of the doctor that no AWS service answers, accounts that disagree, and the owner of the credentials that programs use
//! here, with the real programs.

use serde_json::{Value, json};

use crate::edge_doctor_verdict::{Report, machine};
use crate::edge_sso::sign_in;
use crate::machine::{ACCOUNT, role};
use crate::standin::{Fault, Service, StandIn};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The findings with an id, as text.
fn findings(report: &Report, id: &str) -> Vec<String> {
    let all = report.document["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["id"] == id).map(Value::to_string).collect()
}

fn of_network(report: &Report) -> String {
    let found = findings(report, "network-unreachable");
    assert_eq!(found.len(), 1, "{}", report.text);
    found.into_iter().next().unwrap()
}

#[test]
fn the_finding_names_the_service_that_failed_and_the_setting_that_sends_calls_there() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    let broken = StandIn::start();
    broken.set_outage(Some(Fault::Html));
    for elsewhere in [NOWHERE, &broken.url()] {
        let report = Report::of(&machine, &["admin"], &[("AWS_ENDPOINT_URL_SSO", elsewhere)]);
        assert_eq!((report.state(), report.exit), ("fails", Some(1)), "{}", report.text);
        let finding = of_network(&report);
        let address = elsewhere.strip_prefix("http://").unwrap();
        for part in ["the SSO portal", "AWS_ENDPOINT_URL_SSO", address, "unset AWS_ENDPOINT_URL_SSO"] {
            assert!(finding.contains(part), "{part}: {finding}");
        }
        assert!(!finding.contains("AWS_ENDPOINT_URL_STS"), "{finding}");
        assert!(report.first_line().contains("AWS_ENDPOINT_URL_SSO"), "{}", report.text);
    }
    // STS fails behind a portal that works.
    let report = Report::of(&machine, &["admin"], &[("AWS_ENDPOINT_URL_STS", NOWHERE)]);
    let finding = of_network(&report);
    assert!(finding.contains("AWS_ENDPOINT_URL_STS") && !finding.contains("AWS_ENDPOINT_URL_SSO"), "{finding}");
}

#[test]
fn a_setting_in_a_file_is_named_with_its_line() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    let config = machine.read(".aws/config");
    let services = "\n[services broken]\nsso =\n  endpoint_url = http://127.0.0.1:1\n";
    let config = config.replacen("[profile admin]\n", "[profile admin]\nservices = broken\n", 1) + services;
    machine.write(".aws/config", &config);
    let line = config.lines().position(|line| line.contains(NOWHERE)).unwrap() + 1;
    let mut command = machine.companion();
    let output = command.args(["doctor", "admin", "--json"]).env_remove("AWS_ENDPOINT_URL_SSO").output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = document["findings"].as_array().unwrap().iter().find(|f| f["id"] == "network-unreachable").unwrap();
    let place = format!("{}:{line}", machine.path(".aws/config").display());
    assert!(found["title"].as_str().unwrap().contains(&place), "{found:#}");
    assert!(found["fix"].to_string().contains(&place), "{found:#}");
}

#[test]
fn an_address_that_also_gave_an_answer_of_aws_was_reached() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    for fault in [Fault::Html, Fault::Empty, Fault::Garbage, Fault::Truncated, Fault::Status500, Fault::Status503] {
        machine.aws.set_outage_of(Service::Portal, Some(fault));
        let report = Report::of(&machine, &["admin"], &[]);
        assert_eq!((report.state(), report.exit), ("not-tested", Some(1)), "{fault:?}: {}", report.text);
        assert!(report.first_line().contains("the SSO portal"), "{fault:?}: {}", report.text);
        assert!(report.is_not_checked("sso-role-denied"), "{fault:?}: {:#}", report.document);
        assert!(findings(&report, "network-unreachable").is_empty(), "{fault:?}: {}", report.text);
    }
}

#[test]
fn an_account_in_a_setting_is_compared_with_that_of_the_credentials() {
    let machine = machine();
    let key = &machine.base;
    let printed = |account: &str| {
        let document = json!({"Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key, "AccountId": account});
        machine.write("printed.json", &document.to_string());
        Report::of(&machine, &["proc", "--run-process"], &[])
    };
    assert!(findings(&printed(ACCOUNT), "account-mismatch").is_empty());
    let other = printed("999988887777");
    assert_eq!(findings(&other, "account-mismatch").len(), 1, "{}", other.text);
    assert!(Report::of(&machine, &["proc"], &[]).is_not_checked("account-mismatch"));
    // A device of another account.
    let config = machine.read(".aws/config");
    machine.write(
        ".aws/config",
        &config.replace(":mfa/", "-:mfa/").replace(&format!("{ACCOUNT}-:mfa/"), "999988887777:mfa/"),
    );
    let device = Report::of(&machine, &["mfa"], &[]);
    assert_eq!(findings(&device, "account-mismatch").len(), 1, "{}", device.text);
    // Without a key, there is nothing to compare.
    machine.aws.revoke(&machine.base.access_key_id);
    assert!(Report::of(&machine, &["mfa"], &[]).is_not_checked("account-mismatch"));
    assert!(Report::of(&machine, &["admin"], &[]).is_not_checked("account-mismatch"));
}

#[test]
fn the_owner_of_the_credentials_that_programs_use_here_is_named() {
    let machine = machine();
    let other = machine.aws.add_user(ACCOUNT, "other");
    let keys = [
        ("AWS_ACCESS_KEY_ID", other.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", other.secret_access_key.as_str()),
    ];
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/other");
    for (arguments, variables) in [(&["app"][..], vec![]), (&[], vec![("AWS_PROFILE", "app")])] {
        let report = Report::of(&machine, arguments, &[&keys[..], &variables].concat());
        assert!(report.first_line().contains("assumed-role/App"), "{}", report.text);
        let found = findings(&report, "environment-shadows-profile");
        assert!(found.len() == 1 && found[0].contains(&arn), "{}", report.text);
        // JavaScript uses the profile: its owner is named too.
        assert!(found[0].contains("assumed-role/App"), "{}", report.text);
    }
    let pod = role("Pod");
    let token = machine.path("token").display().to_string();
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()), ("AWS_ROLE_ARN", pod.as_str())];
    for (arguments, variables) in [(&["app"][..], vec![]), (&[], vec![("AWS_PROFILE", "app")])] {
        let report = Report::of(&machine, arguments, &[&web[..], &variables].concat());
        assert!(report.first_line().starts_with("app works: "), "{}", report.text);
        let found = findings(&report, "environment-shadows-profile");
        assert!(found.len() == 1 && found[0].contains(&pod), "{}", report.text);
    }
}

#[test]
fn a_role_is_requested_although_its_base_may_not_ask_for_its_own_identity() {
    let mut machine = machine();
    for with_daemon in [false, true] {
        if with_daemon {
            machine.start();
        }
        for code in ["AccessDenied", "ValidationError", "SomethingNew"] {
            machine.aws.refuse("GetCallerIdentity", Some((403, code, "no")));
            let denied = Report::of(&machine, &["mid"], &[]);
            assert!(machine.aws.calls().iter().any(|call| call.action == "AssumeRole"), "{}", denied.text);
            assert!(!denied.text.contains("gave no answer"), "{}", denied.text);
            machine.aws.refuse("AssumeRole", Some((403, "AccessDenied", "no")));
            let role = Report::of(&machine, &["mid"], &[]);
            assert_eq!((role.errors().first(), role.exit), (Some(&"assume-role-denied"), Some(1)), "{}", role.text);
            machine.aws.refuse("AssumeRole", None);
        }
        // Keys that AWS refuses sign nothing more.
        machine.aws.refuse("GetCallerIdentity", Some((403, "InvalidClientTokenId", "no")));
        let before = machine.aws.calls().len();
        Report::of(&machine, &["mid"], &[]);
        assert!(machine.aws.calls()[before..].iter().all(|call| call.action != "AssumeRole"));
        machine.aws.refuse("GetCallerIdentity", None);
    }
}
