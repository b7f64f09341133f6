//! `evercred explain` as users run it: a message or a log, compared with the findings on this machine.

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine::{Machine, stderr, within};
use crate::standin::{Fault, RegionState};

const INVALID: &str = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security \
                       token included in the request is invalid.";
const SECRET: &str = "s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a";

fn explain(machine: &Machine, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = machine.companion();
    command.arg("explain").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have its text already, and read nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn document(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The only output is one document.
fn one_document(output: &Output, exit: i32) -> Value {
    assert_eq!((output.status.code(), stderr(output).as_str()), (Some(exit), ""));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn likelihood<'a>(document: &'a Value, id: &str) -> &'a str {
    let causes = document["causes"].as_array().unwrap();
    causes.iter().find(|cause| cause["id"] == id).map_or("not named", |cause| cause["likelihood"].as_str().unwrap())
}

/// A user's key with a token of a session that is over.
fn with_a_token_left_over(machine: &Machine) {
    let (id, secret) = (&machine.base.access_key_id, &machine.base.secret_access_key);
    machine.write(
        ".aws/credentials",
        &format!(
            "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_session_token = {}\n",
            "IQoJb3JpZ2luMARKED".repeat(10)
        ),
    );
    machine.write(".aws/config", "[default]\nregion = eu-central-1\n");
}

#[test]
fn a_file_that_others_can_read_explains_no_missing_credentials_and_login_is_a_fix_only_if_there_is_one() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let credentials = machine.path(".aws/credentials");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = "Unable to locate credentials. You can configure credentials by running \"aws configure\".";
    let missing = document(&explain(&machine, &[text, "--profile", "base", "--json", "--offline"], b""));
    assert_eq!(likelihood(&missing, "file-permissions"), "ruled-out", "{missing:#}");
    std::fs::remove_file(&credentials).unwrap();
    std::fs::create_dir(&credentials).unwrap();
    let missing = document(&explain(&machine, &[text, "--profile", "base", "--json", "--offline"], b""));
    assert_eq!(likelihood(&missing, "file-permissions"), "confirmed", "{missing:#}");
    std::fs::remove_dir(&credentials).unwrap();
    machine.write_key(&machine.base);
    let denied = "An error occurred (AccessDenied) when calling the AssumeRole operation: User: \
                  arn:aws:iam::111122223333:user/someone is not authorized to perform: sts:AssumeRole on resource: \
                  arn:aws:iam::111122223333:role/App";
    let denied = document(&explain(&machine, &[denied, "--profile", "app", "--json", "--offline"], b""));
    assert_eq!(likelihood(&denied, "mfa-required"), "possible", "{denied:#}");
    assert!(!denied.to_string().contains("evercred login"), "{denied:#}");
}

#[test]
fn the_cause_that_is_so_here_comes_first_with_its_fix_and_others_are_ruled_out() {
    let machine = Machine::new();
    with_a_token_left_over(&machine);
    let document = document(&explain(&machine, &[INVALID, "--json"], b""));
    assert_eq!(document["schema"], "evercred.explain/1");
    assert_eq!(
        (&document["code"], &document["operation"]),
        (&"InvalidClientTokenId".into(), &"GetCallerIdentity".into())
    );
    let first = &document["causes"][0];
    assert_eq!(
        (&first["id"], &first["likelihood"]),
        (&"session-token-stale".into(), &"confirmed".into()),
        "{document:#}"
    );
    assert!(first["fix"][0]["text"].as_str().unwrap().contains(".aws/credentials:4"), "{first:#}");
    for id in ["session-token-missing", "access-key-unknown", "environment-shadows-profile"] {
        assert_eq!(likelihood(&document, id), "ruled-out", "{id}: {document:#}");
    }
}

#[test]
fn without_asking_aws_nothing_that_only_aws_knows_is_ruled_out() {
    let machine = Machine::new();
    with_a_token_left_over(&machine);
    let document = document(&explain(&machine, &[INVALID, "--json", "--offline"], b""));
    assert_eq!(document["causes"][0]["id"], "session-token-stale");
    assert_ne!(likelihood(&document, "access-key-unknown"), "ruled-out", "{document:#}");
    assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0));
}

/// Only named profiles, each with a user's key.
fn with_named_profiles(machine: &Machine, names: &[&str]) {
    let key = &machine.base;
    let sections = names.iter().map(|name| {
        format!(
            "[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.access_key_id, key.secret_access_key
        )
    });
    machine.write(".aws/credentials", &sections.collect::<String>());
    let sections = names.iter().map(|name| format!("[profile {name}]\nregion = eu-central-1\n"));
    machine.write(".aws/config", &sections.collect::<String>());
}

#[test]
fn the_checked_profile_comes_first_and_the_others_if_it_is_missing() {
    let machine = Machine::new();
    with_named_profiles(&machine, &["dev"]);
    let output = explain(&machine, &[INVALID, "--offline"], b"");
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(screen.starts_with("checked profile default, which does not exist; there are: dev\n"), "{screen}");
    assert!(screen.contains("evercred explain --profile dev TEXT"), "{screen}");
    let existing = explain(&machine, &[INVALID, "--offline", "--profile", "dev"], b"");
    assert!(String::from_utf8_lossy(&existing.stdout).starts_with("checked profile dev\n"));
    let causes = ["  likely: ", "  possible: ", "  confirmed: "];
    let shown = screen.lines().filter(|line| causes.iter().any(|word| line.starts_with(word))).count();
    assert!(shown <= 3, "{screen}");
    let mut sentences: Vec<&str> = screen.lines().filter(|line| line.len() > 40).collect();
    let all = sentences.len();
    sentences.sort_unstable();
    sentences.dedup();
    assert_eq!(sentences.len(), all, "a sentence is said twice: {screen}");
}

#[test]
fn the_profile_that_the_user_or_the_text_names_is_the_one_that_is_judged() {
    let machine = Machine::new();
    with_named_profiles(&machine, &["dev", "other"]);
    machine.write(
        ".aws/config",
        "[profile dev]\nregion = eu-central-1\n[profile other]\nregion = eu-central-1\n\
         [profile admin]\nrole_arn = arn:aws:iam::111122223333:role/Admin\nsource_profile = dev\nregion = eu-central-1\n",
    );
    let denied = "An error occurred (AccessDenied) when calling the AssumeRole operation: User: arn:aws:iam::111122223333:user/me \
                  is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/Admin";
    for (arguments, text, profile) in [
        (&["--profile", "other"][..], format!("aws --profile dev sts get-caller-identity\n{INVALID}"), "other"),
        (&[], format!("aws --profile dev sts get-caller-identity\n{INVALID}"), "dev"),
        (&[], format!("$ AWS_PROFILE=other terraform plan\n{INVALID}"), "other"),
        (&[], "The config profile (my work) could not be found".to_owned(), "my work"),
        (&[], denied.to_owned(), "admin"),
        (&[], INVALID.to_owned(), "default"),
    ] {
        let arguments = [arguments, &["--json", "--offline", "-"]].concat();
        let document = document(&explain(&machine, &arguments, text.as_bytes()));
        assert_eq!(document["profile"], profile, "{text}: {document:#}");
    }
}

#[test]
fn the_region_that_the_text_names_is_asked() {
    let machine = Machine::new();
    with_named_profiles(&machine, &["default"]);
    let text = format!("start region eu-south-1\n{INVALID}");
    let healthy = document(&explain(&machine, &[&text, "--json"], b""));
    assert_eq!(likelihood(&healthy, "region-not-enabled"), "ruled-out", "{healthy:#}");
    let offline = document(&explain(&machine, &[&text, "--json", "--offline"], b""));
    assert_ne!(likelihood(&offline, "region-not-enabled"), "ruled-out", "{offline:#}");
    machine.aws.set_region("eu-south-1", RegionState::NotEnabled);
    let refused = document(&explain(&machine, &[&text, "--json"], b""));
    assert_eq!(refused["causes"][0]["id"], "region-not-enabled", "{refused:#}");
    assert_eq!(refused["causes"][0]["likelihood"], "confirmed", "{refused:#}");
}

#[test]
fn a_log_is_read_from_standard_input_and_its_errors_are_told_apart() {
    let machine = Machine::new();
    let mut log = b"2026-11-25 12:00:00 INFO starting\n".repeat(50_000);
    log.extend_from_slice(format!("boom\n{INVALID}\n").as_bytes());
    log.extend(b"\xff\xfe\x00 more \x1b[31mcolour\x1b[0m\n".repeat(1_000));
    log.extend_from_slice(b"Error: operation error S3: ListBuckets, https response error StatusCode: 400, RequestID: X, api error ExpiredToken: The provided token has expired.\n");
    for arguments in [&["-", "--json", "--offline"][..], &["--json", "--offline"]] {
        let document = document(&explain(&machine, arguments, &log));
        let codes: Vec<&str> =
            document["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["InvalidClientTokenId", "ExpiredToken"]);
    }
}

#[test]
fn what_is_no_error_of_awss_credentials_ends_with_1_and_a_sentence() {
    let machine = Machine::new();
    for input in [&b"hello\n"[..], b"", b"\x00\xff\x1b]0;x\x07", b"npm ERR! 404 Not Found\n"] {
        let output = explain(&machine, &["-"], input);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).contains("no error about AWS credentials"), "{}", stderr(&output));
    }
    assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0), "nobody was asked for nothing");
}

#[test]
fn an_error_of_another_server_ends_with_1_and_its_name() {
    let machine = Machine::new();
    let text = "$ aws s3 ls --endpoint-url https://s3.fr-par.scw.cloud\n\nAn error occurred (InvalidAccessKeyId) when calling the \
                ListBuckets operation: The AWS Access Key Id you provided does not exist in our records.";
    let said = "Scaleway Object Storage sent this error, not AWS: InvalidAccessKeyId";
    let output = explain(&machine, &["-"], text.as_bytes());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let document = one_document(&explain(&machine, &["-", "--json"], text.as_bytes()), 1);
    assert_eq!((&document["code"], &document["causes"]), (&"InvalidAccessKeyId".into(), &json!([])));
    assert!(document["meaning"].as_str().unwrap().contains(said), "{document:#}");
    assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0));
}

#[test]
fn a_missing_program_is_explained_if_a_profile_names_it() {
    let machine = Machine::new();
    machine.write(".aws/config", "[profile app]\ncredential_process = /usr/bin/nosuch print\nregion = eu-central-1\n");
    let text = |program: &str| format!("[Errno 2] No such file or directory: '{program}'");
    let ours = document(&explain(&machine, &[&text("/usr/bin/nosuch"), "--json", "--offline"], b""));
    assert_eq!((&ours["code"], &ours["profile"]), (&"ProcessNotFound".into(), &"app".into()), "{ours:#}");
    let other = explain(&machine, &[&text("/usr/bin/other"), "--offline"], b"");
    assert_eq!(other.status.code(), Some(1), "{}", stderr(&other));
}

#[test]
fn a_duplicate_section_is_the_first_cause_of_a_file_that_cannot_be_parsed() {
    let machine = Machine::new();
    machine.write(".aws/config", "[profile dev]\nregion = eu-central-1\n[profile dev]\noutput = json\n");
    let text = "Unable to parse config file: /home/me/.aws/config";
    let found = document(&explain(&machine, &[text, "--json", "--offline", "--profile", "dev"], b""));
    let first = &found["causes"][0];
    assert_eq!((&first["id"], &first["likelihood"]), (&"profile-duplicated".into(), &"confirmed".into()), "{found:#}");
    assert_ne!(likelihood(&found, "profile-broken"), "confirmed", "{found:#}");
}

#[test]
fn nothing_of_a_log_reaches_the_terminal_that_should_not() {
    let machine = Machine::new();
    let token = "IQoJb3JpZ2luMARKED".repeat(12);
    let log = format!(
        "\u{1b}]0;title\u{7}\u{1b}[2J{INVALID} Authorization: AWS4-HMAC-SHA256 Credential=AKIAQEXAMPLEAAAAAAAA/x, Signature=abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789\n\
         aws_secret_access_key={SECRET} X-Amz-Security-Token: {token}\n"
    );
    for arguments in [&["-"][..], &["-", "--json"]] {
        let output = explain(&machine, arguments, log.as_bytes());
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{all}");
        assert!(!all.contains('\u{1b}') && !all.contains('\u{7}'), "{all:?}");
        for planted in [SECRET, "MARKED", "abcdef0123456789"] {
            assert!(!all.contains(planted), "{planted}: {all}");
        }
    }
}

#[test]
fn an_endpoint_that_hangs_costs_seconds() {
    let machine = Machine::new();
    with_a_token_left_over(&machine);
    machine.aws.set_outage(Some(Fault::Timeout));
    let output = within(Duration::from_secs(10), || explain(&machine, &[INVALID, "--json"], b""));
    let document = document(&output);
    assert_eq!(document["causes"][0]["id"], "session-token-stale", "{document:#}");
    assert_ne!(likelihood(&document, "access-key-unknown"), "ruled-out");
}

#[test]
fn a_clock_that_the_message_proves_wrong_is_held_against_the_clock_of_now() {
    let machine = Machine::new();
    let text = "An error occurred (SignatureDoesNotMatch) when calling the ListUsers operation: Signature expired: \
                20261125T120000Z is now earlier than 20261125T121500Z (20261125T123000Z - 15 min.)";
    let right = document(&explain(&machine, &[text, "--json"], b""));
    assert_eq!(likelihood(&right, "clock-skewed"), "confirmed");
    assert!(right["causes"][0].to_string().contains("30 minutes behind"), "{right:#}");
    assert!(right["causes"][0].to_string().contains("agrees with AWS"), "{right:#}");
    assert_eq!(likelihood(&right, "secret-key-wrong"), "not named", "{right:#}");
    machine.aws.set_offset_seconds(1_800);
    let wrong = document(&explain(&machine, &[text, "--json"], b""));
    assert!(!wrong["causes"][0].to_string().contains("otherwise"), "{wrong:#}");
}

const EMULATOR: &str = "http://localhost:4566";

/// `explain` where a variable sends the calls of one service, or of all, to an emulator.
fn with_emulator(machine: &Machine, variable: &str, arguments: &[&str]) -> Output {
    let mut command = machine.companion();
    command.env(variable, EMULATOR).arg("explain").args(arguments).output().unwrap()
}

#[test]
fn an_error_of_an_emulator_leads_to_the_setting_that_names_it_and_not_to_aws() {
    let machine = Machine::new();
    let unreached = format!("Could not connect to the endpoint URL: \"{EMULATOR}/\"");
    let refused = format!("aws --endpoint-url {EMULATOR} sts get-caller-identity\n{INVALID}");
    for text in [unreached.as_str(), refused.as_str()] {
        let document = one_document(&with_emulator(&machine, "AWS_ENDPOINT_URL", &[text, "--json"]), 0);
        let causes = document["causes"].as_array().unwrap();
        assert_eq!((causes.len(), &causes[0]["id"]), (1, &"endpoint-overridden".into()), "{document:#}");
        assert_eq!(causes[0]["likelihood"], "confirmed", "{document:#}");
        assert!(causes[0]["evidence"][0].as_str().unwrap().starts_with("AWS_ENDPOINT_URL "), "{document:#}");
        assert_eq!(causes[0]["fix"][0]["command"], "unset AWS_ENDPOINT_URL");
        assert!(document["meaning"].as_str().unwrap().contains("localhost:4566"), "{document:#}");
        let screen = with_emulator(&machine, "AWS_ENDPOINT_URL", &[text]);
        let screen = String::from_utf8(screen.stdout).unwrap();
        assert!(screen.lines().next().unwrap().contains("localhost:4566"), "{screen}");
        assert!(!screen.contains("amazonaws"), "{screen}");
    }
    // No setting of this shell names it.
    let unset = one_document(&explain(&machine, &[&unreached, "--json"], b""), 1);
    assert_eq!((&unset["code"], &unset["causes"]), (&"EndpointConnectionError".into(), &json!([])));
    // Nothing in the text names a server.
    let denied = "An error occurred (InvalidAccessKeyId) when calling the ListBuckets operation: no";
    let document = one_document(&with_emulator(&machine, "AWS_ENDPOINT_URL_S3", &[denied, "--json"]), 0);
    assert_eq!(document["fix"], json!([]), "{document:#}");
    assert_eq!(likelihood(&document, "endpoint-overridden"), "likely", "{document:#}");
    assert!(document["meaning"].as_str().unwrap().contains("localhost:4566 sent this error"), "{document:#}");
    assert_eq!((machine.aws.calls().len(), machine.aws.looks()), (0, 0));
}

#[test]
fn explain_prints_one_document_whatever_the_text_is() {
    let machine = Machine::new();
    for text in [&b"npm ERR! 404 Not Found"[..], b"", b" \n", b"\x00\xff\x1b]0;x\x07"] {
        let document = one_document(&explain(&machine, &["-", "--json"], text), 1);
        assert_eq!(
            (&document["schema"], &document["code"], &document["causes"]),
            (&"evercred.explain/1".into(), &Value::Null, &json!([]))
        );
        assert!(document["meaning"].as_str().is_some_and(|meaning| !meaning.is_empty()), "{document:#}");
    }
}
