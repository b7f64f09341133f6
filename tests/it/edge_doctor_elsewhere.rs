//! The first cause that the doctor names, with the real programs: a server that is not AWS refuses, the files prove a
//! mistake while the network is down, and the probe for the time fails.

use serde_json::Value;

use crate::edge_doctor_verdict::{Report, machine};
use crate::edge_sso::sign_in;
use crate::machine::{ACCOUNT, Machine};
use crate::standin::Fault;

fn findings(report: &Report) -> &[Value] {
    report.document["findings"].as_array().unwrap()
}

fn is_first(report: &Report, id: &str) {
    let first = &findings(report)[0];
    assert_eq!((&first["id"], &first["severity"]), (&Value::from(id), &Value::from("error")), "{}", report.text);
    assert_eq!(report.document["verdict"]["why"], first["title"], "{}", report.text);
    assert_eq!((report.state(), report.exit), ("fails", Some(1)), "{}", report.text);
}

/// The finding names the server with the setting, and no fix changes anything at AWS.
fn is_said_of_the_server(report: &Report, id: &str, machine: &Machine, variable: &str) {
    is_first(report, id);
    let url = machine.aws.url();
    let [first, second] = [0, 1].map(|at| &findings(report)[at]);
    assert_eq!(first["certainty"], "confirmed", "{first:#}");
    let title = first["title"].as_str().unwrap();
    assert!(title.contains(&url) && title.contains(variable), "{first:#}");
    assert!(is_removed_by(first, variable), "{first:#}");
    assert_eq!((&second["id"], &second["severity"]), (&"endpoint-overridden".into(), &"warning".into()), "{second:#}");
    assert!(is_removed_by(second, variable), "{second:#}");
    let said = report.text.clone() + &report.document.to_string();
    assert!(!said.contains("aws iam ") && !said.contains("AWS does not know the access key"), "{said}");
}

fn is_removed_by(finding: &Value, variable: &str) -> bool {
    finding["fix"].as_array().unwrap().iter().any(|fix| fix["command"] == format!("unset {variable}"))
}

#[test]
fn only_aws_can_say_what_aws_knows() {
    let mut machine = machine();
    sign_in_with_daemon(&mut machine);
    for with_daemon in [true, false] {
        if !with_daemon {
            machine.stop();
        }
        machine.aws.unassign(ACCOUNT, "Admin");
        let sso = Report::of(&machine, &["admin"], &[]);
        is_said_of_the_server(&sso, "sso-role-denied", &machine, "AWS_ENDPOINT_URL_SSO");
        machine.aws.refuse("AssumeRole", Some((403, "AccessDenied", "no")));
        let role = Report::of(&machine, &["mid"], &[]);
        is_said_of_the_server(&role, "assume-role-denied", &machine, "AWS_ENDPOINT_URL_STS");
        machine.aws.refuse("AssumeRole", None);
        for (code, id) in
            [("InvalidClientTokenId", "access-key-unknown"), ("SignatureDoesNotMatch", "secret-key-wrong")]
        {
            machine.aws.refuse("GetCallerIdentity", Some((403, code, "no")));
            let keys = Report::of(&machine, &["base"], &[]);
            is_said_of_the_server(&keys, id, &machine, "AWS_ENDPOINT_URL_STS");
        }
        machine.aws.refuse("GetCallerIdentity", None);
        machine.aws.assign(ACCOUNT, "Prod", "Admin");
        assert_eq!(Report::of(&machine, &["mid"], &[]).state(), "works");
    }
}

fn sign_in_with_daemon(machine: &mut Machine) {
    machine.start();
    sign_in(machine);
}

#[test]
fn the_fix_leads_to_aws_whatever_else_is_set() {
    let machine = machine();
    machine.aws.refuse("GetCallerIdentity", Some((403, "InvalidClientTokenId", "no")));
    let config = machine.read(".aws/config");
    let own = "[profile base]\nendpoint_url = http://127.0.0.1:1\n";
    machine.write(".aws/config", &config.replace("[profile base]\n", own));
    let report = Report::of(&machine, &["base"], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:2")]);
    is_first(&report, "access-key-unknown");
    let setting = findings(&report).iter().find(|finding| finding["id"] == "endpoint-overridden").unwrap();
    let fix = &setting["fix"][0];
    assert!(findings(&report)[0]["fix"].as_array().unwrap().contains(fix), "{}", report.text);
    assert_eq!(fix["command"], "unset AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL");
    let lines = machine.read(".aws/config");
    let line = lines.lines().position(|line| line == "endpoint_url = http://127.0.0.1:1").unwrap() + 1;
    assert!(fix["text"].as_str().unwrap().contains(&format!(".aws/config:{line}")), "{fix}");
}

#[test]
fn what_the_files_prove_comes_before_the_network() {
    let mut machine = machine();
    let config = machine.read(".aws/config")
        + "\n[profile broken]\nregion = eu-west-1\nsource_profile = gone\nrole_arn = arn:aws:iam::111122223333:role/Mid\n\
           [profile tool]\nregion = eu-west-1\ncredential_process = /nowhere/tool\n\
           [profile half]\nregion = eu-west-1\naws_access_key_id = AKIAQSOMEBODYSKEY234\n\
           [profile on-half]\nregion = eu-west-1\nsource_profile = half\nrole_arn = arn:aws:iam::111122223333:role/Mid\n";
    machine.write(".aws/config", &config);
    let line = config.lines().position(|line| line.starts_with("aws_access_key_id")).unwrap() + 1;
    let edit = format!("aws_secret_access_key after line {line} of {}", machine.path(".aws/config").display());
    for with_daemon in [false, true] {
        if with_daemon {
            machine.start();
        }
        for fault in [Fault::Reset, Fault::Html] {
            machine.aws.set_outage(Some(fault));
            for (profile, id) in [
                ("broken", "profile-broken"),
                ("tool", "profile-broken"),
                ("half", "credentials-missing"),
                ("on-half", "credentials-missing"),
                ("admin", "sso-login-needed"),
            ] {
                let report = Report::of(&machine, &[profile], &[]);
                is_first(&report, id);
                let fix = findings(&report)[0]["fix"][0].to_string();
                assert!(id != "credentials-missing" || fix.contains(&edit), "{fix}");
                let offline = Report::of(&machine, &[profile, "--offline"], &[]);
                assert_eq!(findings(&offline)[0]["id"], id, "{}", offline.text);
            }
            let network = Report::of(&machine, &["base"], &[]);
            is_first(&network, "network-unreachable");
        }
    }
}

#[test]
fn a_profile_that_is_in_no_file_asks_the_network_nothing() {
    let machine = Machine::new();
    let key = [
        ("AWS_ACCESS_KEY_ID", machine.base.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", machine.base.secret_access_key.as_str()),
    ];
    for variables in [&[][..], &key] {
        let report = Report::of(&machine, &["nowhere"], variables);
        assert_eq!(
            (&findings(&report)[0]["id"], report.exit),
            (&Value::from("profile-broken"), Some(4)),
            "{}",
            report.text
        );
        assert!(
            report.is_not_checked("network-unreachable") && report.is_not_checked("clock-skewed"),
            "{}",
            report.text
        );
    }
    assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0));
}

#[test]
fn a_failed_probe_for_the_time_is_no_evidence_against_a_server_that_answers_calls() {
    let mut machine = machine();
    sign_in_with_daemon(&mut machine);
    for with_daemon in [true, false] {
        if !with_daemon {
            machine.stop();
        }
        for status in [403, 404, 500, 503] {
            machine.aws.refuse("", Some((status, "", "")));
            for profile in ["base", "mid", "admin"] {
                let report = Report::of(&machine, &[profile], &[]);
                assert_eq!((report.state(), report.exit), ("works", Some(0)), "{status}: {}", report.text);
                assert!(report.errors().is_empty(), "{status}: {}", report.text);
            }
            machine.aws.unassign(ACCOUNT, "Admin");
            let denied = Report::of(&machine, &["admin"], &[]);
            assert_eq!(denied.errors(), ["sso-role-denied"], "{status}: {}", denied.text);
            machine.aws.assign(ACCOUNT, "Prod", "Admin");
        }
    }
}

#[test]
fn a_relative_certificate_file_is_looked_for_in_the_directory_of_the_shell() {
    let machine = Machine::new();
    let missing = Report::of(&machine, &["base"], &[("AWS_CA_BUNDLE", "bundle.pem")]);
    assert_eq!(missing.errors(), ["network-unreachable"], "{}", missing.text);
    let said = findings(&missing)[0].to_string();
    assert!(said.contains("AWS_CA_BUNDLE") && said.contains("working directory"), "{said}");
    machine.write("bundle.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    let there = Report::of(&machine, &["base"], &[("AWS_CA_BUNDLE", "bundle.pem")]);
    assert!(!there.text.contains("working directory"), "{}", there.text);
}
