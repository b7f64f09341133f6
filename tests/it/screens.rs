//! The screens of `doctor` and `explain`, a file for each situation: a change of words is reviewed as the screen that it changes.
//! `EVERCRED_WRITE_SCREENS=1 cargo test --no-default-features screens` writes the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use evercred::core::doctor::{self, Answers, Case, Daemon, Evidence};
use evercred::core::explain::{LocalContext, explain, render, scan};

use crate::doctor_cases::{case_named, files_answered};

/// The columns of the terminal.
const WIDTH: usize = 80;

const SSO: &str = "[profile dev]\nregion = eu-central-1\nsso_session = corp\nsso_account_id = 111122223333\n\
                   sso_role_name = Admin\n[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\n\
                   sso_region = eu-central-1\n";
const ROLE: &str = "[profile dev]\nregion = eu-central-1\nrole_arn = arn:aws:iam::111122223333:role/App\n";
const KEY: &str = "[base]\naws_access_key_id = AKIAQMARKEDAAAAAAAAA\n\
                   aws_secret_access_key = s3crA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4\n";
const SESSION_OF_ROLE: &str = "arn:aws:sts::111122223333:assumed-role/App/me";

const INVALID: &str = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security \
                       token included in the request is invalid.";
const EXPIRED: &str =
    "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.";
const FOREIGN: &str = "psql: error: connection to server at \"db\" failed: password authentication failed";

/// A machine, and AWS's answers.
type Situation = (Evidence, Answers);

#[test]
fn the_screens_match_their_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let screens = screens();
    let is_written = std::env::var_os("EVERCRED_WRITE_SCREENS").is_some();
    let mut complaints = Vec::new();
    for (name, screen) in &screens {
        let path = folder.join(format!("{name}.txt"));
        if is_written {
            std::fs::write(&path, screen).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        if written != *screen {
            complaints.push(format!("{name}: the screen is\n{screen}\nand the file has\n{written}"));
        }
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !screens.contains_key(name) {
            complaints.push(format!("{}: no screen has this name", path.display()));
        }
    }
    assert!(complaints.is_empty(), "{}\nEVERCRED_WRITE_SCREENS=1 writes the files", complaints.join("\n"));
}

fn screens() -> BTreeMap<String, String> {
    let mut screens = BTreeMap::new();
    let mut put = |name: &str, screen: String| {
        screens.insert(name.to_owned(), on_terminal(&screen));
    };
    let passed = format!("assume-role dev ok {SESSION_OF_ROLE}");
    let role = format!("{ROLE}source_profile = base\n");
    let web_identity = format!("{ROLE}web_identity_token_file = /var/run/token\n");
    let with_key = [("identity base as-is", "ok"), ("chain", &format!("static base ok; {passed}"))];
    let of_sso = "sso dev ok arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me";
    let of_web = format!("web-identity dev ok {SESSION_OF_ROLE}");
    put("doctor-healthy-static-keys", doctor(&with_daemon(case_named("healthy-static-keys")), false));
    put("doctor-healthy-static-keys-verbose", doctor(&with_daemon(case_named("healthy-static-keys")), true));
    put("doctor-healthy-role", doctor(&with_daemon(files_answered(&role, KEY, "dev", &with_key)), false));
    put("doctor-healthy-sso", doctor(&with_daemon(files_answered(SSO, "", "dev", &[("chain", of_sso)])), false));
    put(
        "doctor-healthy-web-identity",
        doctor(&with_daemon(files_answered(&web_identity, "", "dev", &[("chain", &of_web)])), false),
    );
    put("doctor-healthy-process", doctor(&with_daemon(case_named("process-that-prints-a-good-key")), false));
    for (name, case) in [
        ("doctor-expired-keys", "expired-in-the-file"),
        ("doctor-wrong-secret", "secret-mistyped"),
        ("doctor-denied-role", "role-does-not-trust"),
        ("doctor-sign-in-needed", "sso-nobody-signed-in"),
        ("doctor-clock-skew", "clock-behind"),
        ("doctor-no-network", "no-network"),
        ("doctor-no-credentials", "no-credentials"),
    ] {
        put(name, doctor(&case_named(case), false));
    }
    put("explain-confirmed-cause", explained(INVALID, &case_named("token-missing")));
    put("explain-no-cause", explained(EXPIRED, &with_daemon(case_named("healthy-static-keys"))));
    put("explain-three-causes", explained(INVALID, &case_named("healthy-offline")));
    put("explain-foreign-text", foreign());
    screens
}

fn with_daemon((evidence, answers): Situation) -> Situation {
    (Evidence { daemon: Daemon::Answers(Box::default()), ..evidence }, answers)
}

fn doctor((evidence, answers): &Situation, verbose: bool) -> String {
    doctor::diagnose(evidence, answers).text(verbose)
}

fn explained(text: &str, (evidence, answers): &Situation) -> String {
    let report = doctor::diagnose(evidence, answers);
    let here = LocalContext::new(&Case::new(evidence, answers), &report);
    render(&explain(&scan(text), &report, &here), false)
}

/// The real program reads the AWS files only if it knows an error of the text.
fn foreign() -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_evercred"));
    let output = program.args(["explain", FOREIGN]).env_clear().env("HOME", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Lines as a terminal breaks them.
fn on_terminal(screen: &str) -> String {
    let mut out = String::new();
    for line in screen.lines() {
        let letters: Vec<char> = line.chars().collect();
        if letters.is_empty() {
            out.push('\n');
        }
        for row in letters.chunks(WIDTH) {
            out.push_str(row.iter().collect::<String>().trim_end());
            out.push('\n');
        }
    }
    out
}
