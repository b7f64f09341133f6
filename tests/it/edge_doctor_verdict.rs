//! The verdict of the doctor with the real programs: what works, what fails, what was not tested, and the exit code of each.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::edge_cache_faults::Mount;
use crate::edge_mfa::{device, login};
use crate::edge_sso::{self, sign_in, token_file};
use crate::machine::{ACCOUNT, Machine, role, stderr, within};
use crate::standin::{NewSession, Role};

/// Found on every machine whose calls go to the stand-in.
const BESIDES: [&str; 2] = ["endpoint-overridden", "clock-unsynchronised"];

/// A report as people read it and as a document, and the exit code of both.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) document: Value,
    pub(crate) exit: Option<i32>,
}

impl Report {
    pub(crate) fn of(machine: &Machine, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let run = |more: &[&str]| -> Output {
            let mut command = machine.companion();
            command.current_dir(machine.home()).arg("doctor").args(arguments).args(more);
            command.envs(variables.iter().copied()).output().unwrap()
        };
        let (text, document) = (run(&[]), run(&["--json"]));
        assert_eq!(text.status.code(), document.status.code(), "{arguments:?}: {}", stderr(&text));
        Self {
            text: String::from_utf8(text.stdout).unwrap(),
            document: serde_json::from_slice(&document.stdout).unwrap(),
            exit: text.status.code(),
        }
    }

    pub(crate) fn state(&self) -> &str {
        self.document["verdict"]["state"].as_str().unwrap()
    }

    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap()
    }

    fn arn(&self) -> &str {
        self.document["identity"]["arn"].as_str().unwrap_or_default()
    }

    pub(crate) fn ids(&self, severities: &[&str]) -> Vec<&str> {
        let findings = self.document["findings"].as_array().unwrap().iter();
        let such = findings.filter(|finding| severities.contains(&finding["severity"].as_str().unwrap()));
        such.map(|finding| finding["id"].as_str().unwrap()).filter(|id| !BESIDES.contains(id)).collect()
    }

    pub(crate) fn errors(&self) -> Vec<&str> {
        self.ids(&["error"])
    }

    pub(crate) fn is_not_checked(&self, id: &str) -> bool {
        let is_listed = |list: &str, of: fn(&Value) -> &Value| {
            self.document[list].as_array().unwrap().iter().any(|entry| of(entry) == id)
        };
        is_listed("not_checked", |entry| &entry["id"]) && !is_listed("checked", |entry| entry)
    }

    /// `N causes ruled out, M not checked (--verbose)`, by its numbers.
    fn counts(&self) -> (usize, usize) {
        let last = self.text.lines().last().unwrap();
        let number = |text: &str| text.trim().parse().unwrap();
        let (ruled_out, rest) = last.split_once(" causes ruled out, ").unwrap_or_else(|| panic!("{}", self.text));
        (number(ruled_out), number(rest.strip_suffix(" not checked (--verbose)").unwrap()))
    }
}

fn web_identity_token() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(r#"{"sub":"me","exp":4102444800}"#), part("signature"))
}

/// A machine with a profile of each kind, all of which work.
pub(crate) fn machine() -> Machine {
    let machine = edge_sso::machine();
    let user = format!("arn:aws:iam::{ACCOUNT}:user/someone");
    machine.aws.set_role(&role("Ci"), Role::trusting(&["oidc:me"]));
    machine.aws.set_role(&role("OnSso"), Role::trusting(&[&role("Admin")]));
    machine.aws.set_role(&role("Mfa"), Role { mfa: true, ..Role::trusting(&[&user]) });
    machine.write("token", &web_identity_token());
    let key = &machine.base;
    let printed =
        json!({"Version": 1, "AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}).to_string();
    machine.write("printed.json", &printed);
    let config = machine.read(".aws/config");
    let of_role = |name: &str, of: &str, more: &str| {
        format!("[profile {name}]\nrole_arn = {}\nregion = eu-west-1\n{more}\n", role(of))
    };
    let more = [
        "[profile base]\nregion = eu-west-1\n".to_owned(),
        of_role("mid", "Mid", "source_profile = base"),
        of_role("app", "App", "source_profile = mid"),
        of_role("on-sso", "OnSso", "source_profile = admin"),
        of_role("ci", "Ci", &format!("web_identity_token_file = {}", machine.path("token").display())),
        of_role("mfa", "Mfa", &format!("source_profile = base\nmfa_serial = {}", device())),
        format!(
            "[profile proc]\ncredential_process = /bin/cat {}\nregion = eu-west-1\n",
            machine.path("printed.json").display()
        ),
    ];
    machine.write(".aws/config", &(config + "\n" + &more.concat()));
    for file in [".aws/config", ".aws/credentials"] {
        std::fs::set_permissions(machine.path(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    machine
}

#[test]
fn a_healthy_profile_of_each_kind_has_one_verdict_line_and_no_finding_that_matters() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    machine.aws.show_code(&device(), "123456");
    assert!(login(&machine, "mfa", "123456\n").status.success());
    for (arguments, state, owner) in [
        (&["base"][..], "works", "user/someone"),
        (&["mid"], "works", "assumed-role/Mid"),
        (&["app"], "works", "assumed-role/App"),
        (&["admin"], "works", "assumed-role/AWSReservedSSO_Admin"),
        (&["on-sso"], "works", "assumed-role/OnSso"),
        (&["ci"], "works", "assumed-role/Ci"),
        (&["proc", "--run-process"], "works", "user/someone"),
        // The doctor sends no MFA code, and runs no program without the option.
        (&["mfa"], "not-tested", ""),
        (&["proc"], "not-tested", ""),
        (&["base", "--offline"], "not-tested", ""),
    ] {
        let report = Report::of(&machine, arguments, &[]);
        assert_eq!((report.state(), report.exit), (state, Some(0)), "{arguments:?}: {}", report.text);
        assert_eq!(report.ids(&["error", "warning"]), [] as [&str; 0], "{arguments:?}: {}", report.text);
        assert!(report.arn().contains(owner), "{arguments:?}: {:#}", report.document);
        assert_eq!(report.document["verdict"]["subject"], arguments[0]);
        let first = report.first_line();
        let verb = if state == "works" { "works" } else { "was not tested" };
        assert!(first.starts_with(&format!("{} {verb}: ", arguments[0])), "{first}");
        assert!(first.contains(report.arn()) && (state != "works" || first.contains(ACCOUNT)), "{first}");
        let of_verdict =
            |line: &&str| [" works: ", " fails: ", " was not tested: "].iter().any(|verb| line.contains(verb));
        assert_eq!(report.text.lines().filter(of_verdict).count(), 1, "{}", report.text);
        let is_found = |id: &&Value| report.document["findings"].as_array().unwrap().iter().any(|f| f["id"] == **id);
        let ruled_out = report.document["checked"].as_array().unwrap().iter().filter(|id| !is_found(id)).count();
        let not_checked = report.document["not_checked"].as_array().unwrap().len();
        assert_eq!(report.counts(), (ruled_out, not_checked), "{}", report.text);
    }
    let mfa = Report::of(&machine, &["mfa"], &[]);
    assert!(mfa.first_line().contains("the daemon has cached credentials"), "{}", mfa.text);
}

#[test]
fn a_mistake_in_the_settings_does_not_keep_the_doctor_from_testing() {
    let machine = Machine::new();
    for settings in ["[clock]\nntp = 7\n", "not toml", "[[profile]]\nname = \"x\"\nrole_arn = 7\n", "\0\0\0"] {
        machine.write(".config/evercred/evercred.toml", settings);
        let report = Report::of(&machine, &["app"], &[]);
        assert_eq!((report.state(), report.exit), ("works", Some(0)), "{settings:?}: {}", report.text);
        assert!(report.arn().contains("assumed-role/App"), "{}", report.text);
        assert!(report.ids(&["warning"]).contains(&"adoption-broken"), "{}", report.text);
    }
}

#[test]
fn a_test_without_a_result_is_said_and_needs_attention() {
    let machine = machine();
    for (code, status) in [("InternalFailure", 500), ("ServiceUnavailable", 503), ("Throttling", 400)] {
        machine.aws.refuse("AssumeRole", Some((status, code, "later")));
        let report = Report::of(&machine, &["app"], &[]);
        assert_eq!((report.state(), report.exit), ("not-tested", Some(1)), "{code}: {}", report.text);
        assert!(report.first_line().contains(code) && report.is_not_checked("assume-role-denied"), "{}", report.text);
    }
    let mfa = Report::of(&machine, &["mfa"], &[]);
    assert_eq!((mfa.state(), mfa.ids(&["warning"])), ("not-tested", vec!["mfa-required"]), "{}", mfa.text);
}

#[test]
fn the_verdict_on_a_named_profile_is_about_its_own_credentials() {
    let machine = Machine::new();
    let other = machine.aws.add_user(ACCOUNT, "other");
    let gone = machine.aws.add_user(ACCOUNT, "gone");
    machine.aws.revoke(&gone.access_key_id);
    let of = |key: &crate::standin::Key| {
        [("AWS_ACCESS_KEY_ID", key.access_key_id.clone()), ("AWS_SECRET_ACCESS_KEY", key.secret_access_key.clone())]
    };
    for (key, exit) in [(&other, Some(0)), (&gone, Some(1))] {
        let keys = of(key);
        let keys: Vec<(&str, &str)> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let by_variable = [&keys[..], &[("AWS_PROFILE", "app")]].concat();
        for (arguments, variables) in [(&["app"][..], &keys), (&[], &by_variable)] {
            let report = Report::of(&machine, arguments, variables);
            assert_eq!((report.state(), report.exit), ("works", exit), "{}", report.text);
            assert!(
                report.arn().contains("assumed-role/App") && report.first_line().starts_with("app works: "),
                "{}",
                report.text
            );
            assert!(report.ids(&["warning", "error"]).contains(&"environment-shadows-profile"), "{}", report.text);
            assert_eq!(report.document["verdict"]["why"].is_string(), exit == Some(1), "{}", report.text);
        }
        // Without a name the keys are what programs use.
        let report = Report::of(&machine, &[], &keys);
        assert_eq!(report.document["verdict"]["subject"], "this shell", "{}", report.text);
        assert_eq!((report.state() == "works", report.exit), (exit == Some(0), exit), "{}", report.text);
    }
    // Half of a key: boto3 fails because of an id without a secret, and every program ignores a secret without an id.
    let id = Report::of(&machine, &["app"], &[("AWS_ACCESS_KEY_ID", &other.access_key_id)]);
    assert_eq!((id.state(), id.errors(), id.exit), ("works", vec!["credentials-missing"], Some(1)), "{}", id.text);
    let secret = Report::of(&machine, &["app"], &[("AWS_SECRET_ACCESS_KEY", &other.secret_access_key)]);
    assert_eq!((secret.state(), secret.exit), ("works", Some(0)), "{}", secret.text);
}

#[test]
fn a_token_file_that_can_not_be_used_is_no_answer_of_aws() {
    let machine = machine();
    let token = machine.path("token");
    std::fs::remove_file(&token).unwrap();
    std::fs::create_dir(&token).unwrap();
    let directory = Report::of(&machine, &["ci"], &[]);
    std::fs::remove_dir(&token).unwrap();
    let missing = Report::of(&machine, &["ci"], &[]);
    let with = |bytes: &[u8]| {
        std::fs::write(&token, bytes).unwrap();
        Report::of(&machine, &["ci"], &[])
    };
    for report in [directory, missing, with(b""), with(b"\xff\xfe\xff"), with(b"two words")] {
        assert_eq!((report.errors(), report.exit), (vec!["credentials-missing"], Some(1)), "{}", report.text);
        assert!(report.is_not_checked("assume-role-denied"), "{:#}", report.document);
    }
    assert_eq!(machine.aws.count("AssumeRoleWithWebIdentity"), 0);
    // An answer of AWS is one.
    assert_eq!(with(b"no.jwt").errors(), ["assume-role-denied"]);
}

#[test]
fn a_directory_in_the_place_of_an_aws_file_is_a_warning_and_the_other_file_works() {
    for (name, profile, lost) in [("config", "base", "mid"), ("credentials", "ci", "base")] {
        let machine = machine();
        let path = machine.path(&format!(".aws/{name}"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let report = Report::of(&machine, &[profile], &[]);
        assert_eq!((report.state(), report.exit), ("works", Some(0)), "{}", report.text);
        let finding =
            report.document["findings"].as_array().unwrap().iter().find(|f| f["id"] == "file-permissions").unwrap();
        assert_eq!(finding["severity"], "warning");
        assert_eq!(finding["fix"][0]["command"], format!("rmdir {}", path.display()));
        assert!(finding.to_string().contains(path.to_str().unwrap()), "{finding}");
        let report = Report::of(&machine, &[lost], &[]);
        assert_eq!((report.state(), report.exit), ("fails", Some(1)), "{}", report.text);
    }
}

#[test]
fn the_document_of_a_program_is_judged_as_keys_in_a_file_are() {
    let machine = machine();
    let (aws, key) = (&machine.aws, &machine.base);
    let (id, secret) = (key.access_key_id.as_str(), key.secret_access_key.as_str());
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/someone");
    let session = |seconds| aws.mint_session(&NewSession { arn: &arn, seconds, v1: false, mfa: true });
    let (good, old, another) = (session(3_600), session(-3_600), session(3_600));
    let gone = aws.add_user(ACCOUNT, "gone");
    aws.revoke(&gone.access_key_id);
    let (small, cut) = (id.to_lowercase(), &secret[..secret.len() - 1]);
    let quoted = format!("\"{}\"", good.session_token);
    let printed = |id: &str, secret: &str, token: Option<&str>, expiration: Option<&str>| {
        let mut document = json!({"Version": 1, "AccessKeyId": id, "SecretAccessKey": secret});
        document["SessionToken"] = token.map_or(Value::Null, Value::from);
        document["Expiration"] = expiration.map_or(Value::Null, Value::from);
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        document.to_string()
    };
    let of = |keys: &crate::standin::SessionKeys, token: Option<&str>| {
        printed(&keys.access_key_id, &keys.secret_access_key, token, None)
    };
    for (document, wanted) in [
        (printed(id, secret, None, None), None),
        (of(&good, Some(&good.session_token)), None),
        (printed(secret, id, None, None), Some("access-key-malformed")),
        (printed(&small, secret, None, None), Some("access-key-malformed")),
        (printed(id, cut, None, None), Some("secret-key-malformed")),
        (printed(id, &gone.secret_access_key, None, None), Some("secret-key-wrong")),
        (printed(&gone.access_key_id, &gone.secret_access_key, None, None), Some("access-key-unknown")),
        (of(&good, None), Some("session-token-missing")),
        (of(&good, Some(&quoted)), Some("session-token-malformed")),
        (of(&good, Some(&another.session_token)), Some("session-token-foreign")),
        (printed(id, secret, Some(&good.session_token), None), Some("session-token-stale")),
        (of(&old, Some(&old.session_token)), Some("credentials-expired")),
        (printed(id, secret, None, Some("2020-01-01T00:00:00Z")), Some("credentials-expired")),
        ("export AWS_ACCESS_KEY_ID=x".to_owned(), Some("credentials-missing")),
    ] {
        machine.write("printed.json", &document);
        let calls = machine.aws.calls().len();
        let report = Report::of(&machine, &["proc", "--run-process"], &[]);
        let errors = report.errors();
        assert_eq!(errors.first().copied(), wanted, "{}", report.text);
        assert_eq!(report.exit, Some(i32::from(wanted.is_some())), "{}", report.text);
        let Some(wanted) = wanted else { continue };
        let findings = report.document["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["id"] == wanted).unwrap();
        let fix = finding["fix"].to_string();
        assert!(fix.contains("/bin/cat") || fix.contains("program"), "{wanted}: {fix}");
        let said = format!("{}{}", report.document, report.text);
        for hidden in [secret, cut, &gone.secret_access_key, &good.secret_access_key, &good.session_token[..40]] {
            assert!(!said.contains(hidden), "{wanted}: {said}");
        }
        // A secret in the place of the id is not sent: AWS would log it.
        let sent = &machine.aws.calls()[calls..];
        assert!(sent.iter().all(|call| call.access_key_id != secret), "{sent:?}");
    }
}

#[test]
fn no_fix_names_a_profile_that_does_not_exist() {
    let machine = Machine::new();
    for (arguments, variables) in [
        (&["nowhere"][..], &[][..]),
        (&[" app "], &[]),
        (&[], &[("AWS_PROFILE", " app ")]),
        (&[], &[("AWS_PROFILE", "nowhere")]),
        (
            &[],
            &[
                ("EVERCRED_PROFILE", "nowhere"),
                ("AWS_ACCESS_KEY_ID", "ASIAQMARKEDKEYAAAAAA"),
                ("AWS_SECRET_ACCESS_KEY", "s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a"),
                ("AWS_SESSION_TOKEN", "IQoJb3JpZ2lu"),
                ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"),
            ],
        ),
    ] {
        let report = Report::of(&machine, arguments, variables);
        let fixes = report.document["findings"].as_array().unwrap().iter().flat_map(|f| f["fix"].as_array().unwrap());
        for command in fixes.filter_map(|fix| fix["command"].as_str()) {
            assert!(!command.contains("nowhere") && !command.contains("' app '"), "{command}");
        }
        let is_named = !arguments.is_empty() || variables.iter().any(|(name, _)| *name == "AWS_PROFILE");
        assert_eq!(report.exit, Some(if is_named { 4 } else { 1 }), "{}", report.text);
    }
    // The blanks count, as in boto3 and the AWS CLI, and are shown.
    let blanks = Report::of(&machine, &[], &[("AWS_PROFILE", " app ")]);
    assert!(blanks.first_line().contains("\" app \""), "{}", blanks.text);
    assert!(blanks.document.to_string().contains("export AWS_PROFILE=app"), "{:#}", blanks.document);
}

#[test]
fn a_key_in_the_place_of_a_name_is_shown_by_no_command() {
    let mut machine = Machine::new();
    let secret = "s3cretA/MARKED+aZ4aZ4aZ4bY5bY5bY5bY5bY5b";
    machine.write(
        ".aws/config",
        &format!(
            "[{secret}]\nregion = eu-west-1\n[profile {secret}]\nrole_arn = {}\nsource_profile = base\n\
             [profile dev]\nrole_arn = {}\nsource_profile = {secret}X\n\
             [profile odd]\nrole_arn = {secret}\nmfa_serial = {secret}\nsource_profile = base\n[sso-session {secret}]\nsso_region = x\n",
            role("Mid"),
            role("Mid")
        ),
    );
    machine.start();
    for arguments in [
        &["doctor", secret][..],
        &["doctor", "dev"],
        &["doctor", "dev", "--json", "--verbose"],
        &["doctor", "odd"],
        &["doctor", "odd", "--json"],
        &["plan", secret],
        &["plan", secret, "--json"],
        &["plan", "dev"],
        &["plan", "dev", "--json"],
        &["plan", "odd"],
        &["plan", "odd", "--json"],
        &["profiles"],
        &["profiles", "--json"],
        &["status"],
    ] {
        let output = machine.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(!said.contains("MARKED"), "{arguments:?}: {said}");
    }
    let output = machine.daemon().arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert!(!said.contains("MARKED") && output.status.code() == Some(1), "{said}");
}

#[test]
fn a_role_arn_of_another_form_is_reported_with_its_line() {
    let machine = Machine::new();
    assert_eq!(machine.daemon().arg("--check").output().unwrap().status.code(), Some(0));
    for arn in
        ["Mid", "arn:aws:iam::111122223333:user/Mid", "arn:aws:iam::1111:role/Mid", "arn:aws:iam::111122223333:role/"]
    {
        machine.write(".aws/config", &format!("[profile mid]\nsource_profile = base\nrole_arn = {arn}\n"));
        let check = machine.daemon().arg("--check").output().unwrap();
        let said = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(check.status.code() == Some(1) && said.contains("config:3:"), "{arn}: {said}");
        let plan = machine.run(&["plan", "mid", "--json"]);
        let document: Value = serde_json::from_slice(&plan.stdout).unwrap();
        assert_eq!(plan.status.code(), Some(1), "{document:#}");
        assert!(document["notes"].to_string().contains("config:3:"), "{document:#}");
        assert_eq!(document["steps"].as_array().unwrap().len(), 2, "{document:#}");
    }
}

#[test]
fn a_full_disk_below_the_sso_cache_is_found_with_and_without_the_daemon() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    let cache = machine.path(".aws/sso/cache");
    let text = machine.read(&token_file());
    let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=32k,mode=700", "none"], cache.clone()) else { return };
    machine.write(&token_file(), &text);
    std::fs::set_permissions(machine.path(&token_file()), std::fs::Permissions::from_mode(0o600)).unwrap();
    let found = |machine: &Machine| {
        let report = Report::of(machine, &["admin"], &[]);
        let finding =
            report.document["findings"].as_array().unwrap().iter().find(|f| f["id"] == "sso-cache-unwritable");
        finding.map(|finding| (finding["evidence"].to_string(), finding["fix"][0]["command"].to_string()))
    };
    assert_eq!(found(&machine), None);
    assert!(std::fs::write(cache.join("fill"), [b' '; 64 * 1024]).is_err());
    let is_full = |machine: &Machine| {
        let (evidence, fix) = found(machine).unwrap();
        assert!(evidence.contains(cache.to_str().unwrap()) && fix.contains("df -h"), "{evidence} {fix}");
    };
    is_full(&machine);
    machine.start();
    is_full(&machine);
    machine.stop();
    drop(mount);
    // A file where the directory belongs.
    std::fs::remove_dir_all(&cache).unwrap();
    machine.write(".aws/sso/cache", "");
    let (_, fix) = found(&machine).unwrap();
    assert!(fix.contains("mv "), "{fix}");
}

#[test]
fn an_assignment_that_was_removed_is_found_whatever_the_daemon_has_cached() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    assert!(machine.credentials("admin").is_ok());
    machine.aws.unassign(ACCOUNT, "Admin");
    let with = Report::of(&machine, &["admin"], &[]);
    machine.stop();
    // A daemon that has stopped is not waited for.
    let without = within(Duration::from_secs(3), || Report::of(&machine, &["admin"], &[]));
    assert_eq!(with.document["verdict"], without.document["verdict"]);
    for report in [&with, &without] {
        assert_eq!((report.errors(), report.exit), (vec!["sso-role-denied"], Some(1)), "{}", report.text);
    }
    // The cached credentials are evidence, with their age.
    let evidence = |report: &Report| {
        let mut findings = report.document["findings"].as_array().unwrap().iter();
        findings.find(|finding| finding["id"] == "sso-role-denied").unwrap()["evidence"].to_string()
    };
    assert!(evidence(&with).contains(" ago") && evidence(&with).contains("cached credentials"), "{}", evidence(&with));
    assert!(!evidence(&without).contains("cached credentials"), "{}", evidence(&without));
}

#[test]
fn status_of_a_profile_shows_what_it_needs_and_its_own_session_only() {
    let mut machine = machine();
    let config = machine.read(".aws/config");
    let more = "[sso-session other]\nsso_start_url = https://other.awsapps.com/start\nsso_region = eu-west-1\n\
                [profile other]\nsso_session = other\nsso_account_id = 111122223333\nsso_role_name = R\n\
                [profile empty]\nregion = eu-west-1\n\
                [profile envs]\ncredential_source = Environment\nrole_arn = arn:aws:iam::111122223333:role/Mid\n";
    machine.write(".aws/config", &format!("{config}\n{more}"));
    machine.start();
    for (profile, session, fix) in [
        ("admin", Some("corp"), Some("fix: evercred login corp")),
        ("other", Some("other"), Some("fix: evercred login other")),
        ("mfa", None, Some("fix: evercred login mfa")),
        ("empty", None, Some("fix: ")),
        ("envs", None, None),
        ("base", None, None),
    ] {
        machine.eventually("the cache files are read", |machine| {
            let sessions = machine.status()["sso_sessions"].as_array().cloned().unwrap_or_default();
            sessions.iter().all(|session| session["state"] == "needs-login")
        });
        let text = String::from_utf8(machine.run(&["status", profile]).stdout).unwrap();
        assert_eq!(text.contains("fix: "), fix.is_some(), "{profile}: {text}");
        assert!(fix.is_none_or(|fix| text.contains(fix)), "{profile}: {text}");
        let document: Value = serde_json::from_slice(&machine.run(&["status", profile, "--json"]).stdout).unwrap();
        let sessions: Vec<&str> =
            document["sso_sessions"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert_eq!(sessions, session.into_iter().collect::<Vec<_>>(), "{profile}: {document:#}");
    }
}

#[test]
fn sixty_profiles_take_less_than_a_second() {
    let mut machine = Machine::new();
    let one =
        |at: usize| format!("[profile p{at}]\nrole_arn = {}\nsource_profile = base\nregion = eu-west-1\n", role("Mid"));
    machine.write(".aws/config", &(0..60).map(one).collect::<String>());
    let timed = |machine: &Machine, arguments: &[&str]| {
        within(Duration::from_secs(1), || assert_eq!(machine.run(arguments).status.code(), Some(0), "{arguments:?}"));
    };
    timed(&machine, &["doctor", "p7"]);
    machine.start();
    timed(&machine, &["doctor", "p7"]);
    timed(&machine, &["status"]);
    machine.stop();
    timed(&machine, &["doctor", "p7"]);
}
