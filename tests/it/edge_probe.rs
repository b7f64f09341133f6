//! The child that asks AWS for the doctor: the real program, line by line.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::machine::{ACCOUNT, Machine, role, within};
use crate::person::{Login, answer_page, with_browser};
use crate::standin::{DateHeader, Fault, NewSession, RegionState, Role, START_URL, SessionKeys};

/// As long as the doctor waits, about.
const WITHIN_MS: u64 = 8_000;

/// One `evercredd --probe`.
struct Probe {
    child: Child,
    into: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    /// Everything that it has said.
    said: String,
}

impl Probe {
    fn start(machine: &Machine) -> Self {
        Self::start_as(machine.daemon())
    }

    fn start_as(mut command: Command) -> Self {
        command.arg("--probe").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (into, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, into, from, said: String::new() }
    }

    fn ask(&mut self, orders: &[Value]) -> Vec<Value> {
        let line = json!({"questions": orders, "within_ms": WITHIN_MS});
        writeln!(self.into.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        assert!(self.from.read_line(&mut answer).unwrap() > 0, "it has ended");
        self.said.push_str(&answer);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let answers = answer["answers"].as_array().unwrap().clone();
        assert_eq!(answers.len(), orders.len());
        answers
    }

    fn ask_one(&mut self, order: Value) -> Value {
        self.ask(&[order]).remove(0)
    }

    /// Closes the pipe; gives the exit code, and everything that was said on stdout and stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        drop(self.into.take());
        let mut err = String::new();
        self.from.read_to_string(&mut self.said).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), self.said, err)
    }
}

fn endpoint(machine: &Machine, region: &str) -> Value {
    json!({"region": region, "url": machine.aws.url(), "fips": false, "dual_stack": false})
}

fn clock(machine: &Machine) -> Value {
    json!({"do": "clock", "look_at": endpoint(machine, "eu-west-1"), "ntp": [], "known": null})
}

fn keys(id: &str, secret: &str, token: Option<&str>) -> Value {
    json!({"access_key_id": id, "secret_access_key": secret, "session_token": token})
}

fn base(machine: &Machine) -> Value {
    keys(&machine.base.access_key_id, &machine.base.secret_access_key, None)
}

fn of_session(session: &SessionKeys) -> Value {
    keys(&session.access_key_id, &session.secret_access_key, Some(&session.session_token))
}

fn identify(machine: &Machine, keys: Value, region: &str) -> Value {
    json!({"do": "identify", "keys": keys, "endpoint": endpoint(machine, region)})
}

fn iam(machine: &Machine, keys: Value) -> Value {
    json!({"do": "iam", "keys": keys, "endpoint": endpoint(machine, "eu-west-1")})
}

fn chain(profile: &str) -> Value {
    json!({"do": "chain", "profile": profile, "offline": false})
}

fn user() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/someone")
}

fn session(machine: &Machine, arn: &str, seconds: i64) -> SessionKeys {
    machine.aws.mint_session(&NewSession { arn, seconds, v1: false, mfa: false })
}

#[test]
fn aws_says_whose_keys_are_or_in_its_own_words_why_not() {
    let machine = Machine::new();
    let (id, secret) = (&machine.base.access_key_id, &machine.base.secret_access_key);
    let gone = machine.aws.add_user(ACCOUNT, "gone");
    machine.aws.revoke(&gone.access_key_id);
    let idle = machine.aws.add_user(ACCOUNT, "idle");
    machine.aws.set_active(&idle.access_key_id, false);
    let chinese = machine.aws.add_user_of("aws-cn", ACCOUNT, "someone");
    let own = session(&machine, &user(), 3_600);
    let old = session(&machine, &user(), -60);
    let global = machine.aws.mint_session(&NewSession { arn: &user(), seconds: 3_600, v1: true, mfa: false });
    machine.aws.set_region("eu-south-1", RegionState::NotEnabled);
    machine.aws.set_region("eu-west-3", RegionState::StsOff);
    let other_token = keys(&own.access_key_id, &own.secret_access_key, Some(&old.session_token));
    let unknown = "InvalidClientTokenId";
    let cases = [
        ("as they are", base(&machine), "eu-west-1", None),
        ("a session", of_session(&own), "eu-west-1", None),
        (
            "another's secret",
            keys(id, "another/secret+another/secret+another/se", None),
            "eu-west-1",
            Some("SignatureDoesNotMatch"),
        ),
        ("a deleted key", keys(&gone.access_key_id, &gone.secret_access_key, None), "eu-west-1", Some(unknown)),
        ("an inactive key", keys(&idle.access_key_id, &idle.secret_access_key, None), "eu-west-1", Some(unknown)),
        ("a token too many", keys(id, secret, Some(&own.session_token)), "eu-west-1", Some(unknown)),
        ("a token too few", keys(&own.access_key_id, &own.secret_access_key, None), "eu-west-1", Some(unknown)),
        ("another's token", other_token, "eu-west-1", Some(unknown)),
        ("an old session", of_session(&old), "eu-west-1", Some("ExpiredToken")),
        ("a region that is not enabled", base(&machine), "eu-south-1", Some(unknown)),
        ("STS turned off", base(&machine), "eu-west-3", Some("RegionDisabledException")),
        ("a v1 token", of_session(&global), "eu-west-1", None),
        ("a v1 token in an opt-in region", of_session(&global), "af-south-1", Some(unknown)),
        (
            "another partition",
            keys(&chinese.access_key_id, &chinese.secret_access_key, None),
            "eu-west-1",
            Some(unknown),
        ),
        ("the right partition", keys(&chinese.access_key_id, &chinese.secret_access_key, None), "cn-north-1", None),
        ("what no header holds", keys(id, "two\nlines", None), "eu-west-1", Some("IncompleteSignature")),
    ];
    let mut probe = Probe::start(&machine);
    // In one line: they are asked at the same time, and the answers are in order.
    let orders: Vec<Value> = std::iter::once(clock(&machine))
        .chain(cases.iter().map(|(_, keys, region, _)| identify(&machine, keys.clone(), region)))
        .collect();
    let answers = probe.ask(&orders);
    for ((what, _, _, refused), answer) in cases.iter().zip(&answers[1..]) {
        match refused {
            None => assert_eq!(
                (&answer["is"], &answer["account_id"]),
                (&json!("accepted"), &json!(ACCOUNT)),
                "{what}: {answer}"
            ),
            Some(code) => {
                assert_eq!((&answer["is"], &answer["code"]), (&json!("refused"), &json!(code)), "{what}: {answer}")
            }
        }
    }
    assert_eq!(answers[1]["arn"], json!(user()));
    let message = answers[11]["words"].as_str().unwrap();
    assert!(message.contains("STS is not activated in this region for account:111122223333"), "{message}");
    assert_eq!(probe.end().0, Some(0));
}

#[test]
fn a_clock_that_is_off_is_told_of_and_signed_past() {
    let machine = Machine::new();
    machine.aws.set_offset_seconds(1_200);
    let mut probe = Probe::start(&machine);
    let answers = probe.ask(&[clock(&machine), identify(&machine, base(&machine), "eu-west-1")]);
    let offset = answers[0]["offset_seconds"].as_f64().unwrap();
    assert!((offset + 1_200.0).abs() < 5.0, "{}", answers[0]);
    assert!(answers[0]["uncertainty_seconds"].as_f64().unwrap() < 5.0);
    assert_eq!((&answers[0]["source"], &answers[0]["unreached"]), (&json!("the Date of AWS's answer"), &Value::Null));
    assert!(!answers[0]["fixes"].as_array().unwrap().is_empty() && answers[0]["keeper"].as_str().unwrap().len() > 20);
    assert_eq!(answers[1]["is"], json!("accepted"), "{}", answers[1]);
    // What was learned is kept for the next line.
    assert_eq!(probe.ask_one(identify(&machine, base(&machine), "eu-west-1"))["is"], json!("accepted"));
    assert_eq!((machine.aws.looks(), machine.aws.count("GetCallerIdentity")), (1, 2));

    // Without a look the first refusal tells the time.
    let mut other = Probe::start(&machine);
    assert_eq!(other.ask_one(identify(&machine, base(&machine), "eu-west-1"))["is"], json!("accepted"));
    assert_eq!(machine.aws.count("GetCallerIdentity"), 4);
    // And one that tells a wrong time is believed by nobody.
    let mut third = Probe::start(&machine);
    machine.aws.set_date(DateHeader::Missing);
    let refused = third.ask_one(identify(&machine, base(&machine), "eu-west-1"));
    assert_eq!((&refused["code"], &refused["skewed"]), (&json!("SignatureDoesNotMatch"), &json!(true)), "{refused}");
    let unheard = third.ask_one(clock(&machine));
    assert_eq!((&unheard["offset_seconds"], &unheard["unreached"]["code"]), (&Value::Null, &json!("InvalidResponse")));
}

#[test]
fn a_clock_that_is_right_needs_nothing_done() {
    let machine = Machine::new();
    let facts = Probe::start(&machine).ask_one(clock(&machine));
    assert!(facts["offset_seconds"].as_f64().unwrap().abs() < 3.0, "{facts}");
    assert_eq!((&facts["fixes"], &facts["zone_mistake"]), (&json!([]), &Value::Null));
}

#[test]
fn nothing_leaves_the_machine_where_nothing_may() {
    let machine = Machine::new();
    let order = json!({"do": "clock", "look_at": null, "ntp": ["127.0.0.1:9"], "known": [-30.0, 2.0]});
    let facts = Probe::start(&machine).ask_one(order);
    assert!((facts["offset_seconds"].as_f64().unwrap() + 30.0).abs() < 1.0, "{facts}");
    assert_eq!((&facts["source"], &facts["unreached"]), (&json!("the daemon"), &Value::Null));
    assert!(!facts["fixes"].as_array().unwrap().is_empty());
    let order = json!({"do": "clock", "look_at": null, "ntp": [], "known": null});
    let facts = Probe::start(&machine).ask_one(order);
    assert_eq!((&facts["offset_seconds"], &facts["source"]), (&Value::Null, &Value::Null));
    assert_eq!(machine.aws.looks(), 0);
}

#[test]
fn where_aws_can_not_be_heard_time_servers_are_asked_and_named() {
    let machine = Machine::new();
    let ntp = crate::edge_clock::Ntp::start(1_800, |_| {});
    machine.aws.set_outage(Some(Fault::Reset));
    let address = ntp.address.to_string();
    let order = json!({"do": "clock", "look_at": endpoint(&machine, "eu-west-1"), "ntp": [address], "known": null});
    let facts = Probe::start(&machine).ask_one(order);
    assert!((facts["offset_seconds"].as_f64().unwrap() + 1_800.0).abs() < 5.0, "{facts}");
    assert_eq!(
        (&facts["source"], &facts["unreached"]["code"]),
        (&json!(format!("NTP ({address})")), &json!("Network"))
    );
    assert_eq!(ntp.asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let machine = Machine::new();
    machine.aws.set_outage(Some(Fault::Timeout));
    let mut probe = Probe::start(&machine);
    let answers = within(Duration::from_millis(WITHIN_MS + 1_000), || {
        probe.ask(&[
            clock(&machine),
            identify(&machine, base(&machine), "eu-west-1"),
            iam(&machine, base(&machine)),
            chain("app"),
        ])
    });
    assert_eq!(answers[0]["unreached"]["code"], json!("Timeout"), "{}", answers[0]);
    for answer in [&answers[1], &answers[2], &answers[3]["steps"][0]["outcome"]] {
        assert_eq!((&answer["is"], &answer["code"]), (&json!("refused"), &json!("Timeout")), "{answer}");
        assert!(answer["words"].as_str().unwrap().contains("no answer came within "), "{answer}");
    }
    machine.aws.set_outage(Some(Fault::Html));
    let answers = probe.ask(&[iam(&machine, base(&machine)), identify(&machine, base(&machine), "eu-west-1")]);
    for answer in &answers {
        assert_eq!(answer["code"], json!("InvalidResponse"), "a captive portal is not IAM: {answer}");
    }
}

#[test]
fn iam_takes_users_and_not_their_sessions_without_mfa() {
    let machine = Machine::new();
    let plain = session(&machine, &user(), 3_600);
    let with_mfa = machine.aws.mint_session(&NewSession { arn: &user(), seconds: 3_600, v1: false, mfa: true });
    let of_role = session(&machine, &format!("arn:aws:sts::{ACCOUNT}:assumed-role/App/me"), 3_600);
    let mut probe = Probe::start(&machine);
    let answers = probe.ask(&[
        iam(&machine, base(&machine)),
        iam(&machine, of_session(&plain)),
        iam(&machine, of_session(&with_mfa)),
        iam(&machine, of_session(&of_role)),
        identify(&machine, of_session(&plain), "eu-west-1"),
    ]);
    assert_eq!(answers[0], json!({"is": "accepted", "account_id": ACCOUNT, "arn": user()}));
    assert_eq!(answers[1]["code"], json!("InvalidClientTokenId"));
    assert_eq!(answers[2]["is"], json!("accepted"));
    assert_eq!(answers[3]["code"], json!("ValidationError"));
    assert_eq!(answers[4]["is"], json!("accepted"), "STS takes what IAM does not");
}

/// Profiles, kinds and outcomes of the steps.
fn steps(answer: &Value) -> Vec<(&str, &str, &str)> {
    let steps = answer["steps"].as_array().unwrap_or_else(|| panic!("{answer}"));
    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }
    steps.iter().map(|step| (text(&step["profile"]), text(&step["kind"]), text(&step["outcome"]["is"]))).collect()
}

#[test]
fn a_chain_is_carried_out_up_to_the_first_step_that_fails() {
    let machine = Machine::new();
    let mut probe = Probe::start(&machine);
    let whole = probe.ask_one(chain("app"));
    let passed = [("base", "static", "passed"), ("mid", "assume-role", "passed"), ("app", "assume-role", "passed")];
    assert_eq!(steps(&whole), passed, "{whole}");
    assert_eq!(whole["steps"][0]["outcome"]["arn"], json!(user()));
    assert!(whole["steps"][2]["outcome"]["expires_at"].is_string());
    machine.aws.set_role(&role("Mid"), Role::trusting(&["somebody else"]));
    let denied = probe.ask_one(chain("app"));
    assert_eq!(steps(&denied), [("base", "static", "passed"), ("mid", "assume-role", "refused")]);
    assert_eq!(denied["steps"][1]["outcome"]["code"], json!("AccessDenied"));
    machine.aws.set_active(&machine.base.access_key_id, false);
    let refused = probe.ask_one(chain("app"));
    assert_eq!(steps(&refused), [("base", "static", "refused")]);
    assert_eq!(refused["steps"][0]["outcome"]["code"], json!("InvalidClientTokenId"));
    // Each walk asks whose the base's key is, and the one that went through whose the role's credentials are.
    assert_eq!(machine.aws.count("GetCallerIdentity"), 4);
    assert!(whole["steps"][2]["outcome"]["arn"].as_str().unwrap().contains(":assumed-role/App/"), "{whole}");
}

#[test]
fn what_wants_a_person_or_runs_a_program_is_not_tried() {
    let machine = Machine::new();
    machine.write(
        ".aws/config",
        &format!(
            "[profile coded]\nrole_arn = {}\nsource_profile = base\nmfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n\n\
             [profile run]\ncredential_process = touch {}\n\n[profile broken]\nrole_arn = {}\n\n\
             [profile web]\nrole_arn = {}\nweb_identity_token_file = /nowhere/token\n\n\
             [profile ec2]\nrole_arn = {}\ncredential_source = Ec2InstanceMetadata\n",
            role("Mid"),
            machine.path("was-run").display(),
            role("Mid"),
            role("Mid"),
            role("Mid"),
        ),
    );
    let mut probe = Probe::start(&machine);
    let coded = probe.ask_one(chain("coded"));
    assert_eq!(steps(&coded), [("base", "static", "passed"), ("coded", "session-token", "untried")], "{coded}");
    assert!(coded["steps"][1]["outcome"]["why"].as_str().unwrap().contains("MFA device arn:aws:iam"), "{coded}");
    assert_eq!(steps(&probe.ask_one(chain("run"))), [("run", "process", "untried")]);
    assert!(!machine.path("was-run").exists());
    assert_eq!(steps(&probe.ask_one(chain("ec2"))), [("ec2", "instance-metadata", "untried")]);
    let web = probe.ask_one(chain("web"));
    assert_eq!(
        (steps(&web), &web["steps"][0]["outcome"]["code"]),
        (vec![("web", "web-identity", "refused")], &json!("TokenFile"))
    );
    for (profile, why) in [("broken", "source_profile"), ("nobody", "nobody")] {
        let answer = probe.ask_one(chain(profile));
        assert_eq!(answer["is"], json!("untried"));
        assert!(answer["why"].as_str().unwrap().contains(why), "{answer}");
    }
    machine.write(".config/evercred/evercred.toml", "nonsense = \n");
    // Settings with a mistake count as default ones.
    let coded = probe.ask_one(chain("coded"));
    assert_eq!(steps(&coded), [("base", "static", "passed"), ("coded", "session-token", "untried")], "{coded}");
    assert_eq!(machine.aws.count("AssumeRole"), 0);
}

#[test]
fn cached_sign_ins_are_used_and_never_changed() {
    let mut machine = Machine::new();
    machine.aws.assign(ACCOUNT, "Prod", "Admin");
    machine.write(
        ".aws/config",
        &format!(
            "[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n\n\
             [profile admin]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Admin\nregion = eu-west-1\n\n\
             [profile nobody]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Nobody\nregion = eu-west-1\n\n\
             [profile me]\nlogin_session = {}\nregion = eu-west-1\n\n\
             [profile app]\nrole_arn = {}\nsource_profile = me\nregion = eu-west-1\n",
            user(),
            role("Mid")
        ),
    );
    let mut probe = Probe::start(&machine);
    for (profile, what) in [("admin", "the SSO session \"corp\""), ("app", "the login session")] {
        let nobody = probe.ask_one(chain(profile));
        let outcome = &nobody["steps"][0]["outcome"];
        assert_eq!((&outcome["is"], &outcome["renews"]), (&json!("not-signed-in"), &json!(false)), "{nobody}");
        assert!(outcome["why"].as_str().unwrap().starts_with(&format!("there is no token of {what}")), "{nobody}");
    }
    machine.start();
    let mut login = Login::start(machine.companion(), &["corp", "--no-browser"]);
    let code = login.line(|line| (line.len() == 9 && line.as_bytes()[4] == b'-').then(|| line.to_owned()));
    assert_eq!(machine.aws.approve(Some(&code)), 1);
    assert_eq!(login.end().0, Some(0));
    let mut login = Login::start(with_browser(&machine), &["me"]);
    assert!(answer_page(&login.url(), "allow").starts_with("HTTP/1.1 200"));
    assert_eq!(login.end().0, Some(0));
    let _ = machine.stop();

    let before = everything_in(machine.home());
    let calls = machine.aws.calls().len();
    let offline = probe.ask_one(json!({"do": "chain", "profile": "admin", "offline": true}));
    assert_eq!((offline["steps"].clone(), machine.aws.calls().len()), (json!([]), calls), "it looks at the file alone");
    let answer = probe.ask_one(chain("admin"));
    assert_eq!(steps(&answer), [("admin", "sso", "passed")], "{answer}");
    let forbidden = probe.ask_one(chain("nobody"));
    assert_eq!(steps(&forbidden), [("nobody", "sso", "refused")]);
    assert_eq!(forbidden["steps"][0]["outcome"]["code"], json!("ForbiddenException"));
    let answer = probe.ask_one(chain("app"));
    assert_eq!(steps(&answer), [("me", "login", "passed"), ("app", "assume-role", "passed")], "{answer}");
    assert!(everything_in(machine.home()) == before, "a file was changed");

    // A token that is over is not refreshed.
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let file = format!(".aws/sso/cache/{}.json", hex(&Sha1::digest("corp")));
    let login_file = format!(".aws/login/cache/{}.json", hex(&Sha256::digest(user())));
    let mut token: Value = serde_json::from_str(&machine.read(&file)).unwrap();
    token["expiresAt"] = json!("2020-01-01T00:00:00Z");
    machine.write(&file, &token.to_string());
    let mut token: Value = serde_json::from_str(&machine.read(&login_file)).unwrap();
    token["accessToken"]["expiresAt"] = json!("2020-01-01T00:00:00Z");
    machine.write(&login_file, &token.to_string());
    let refreshes = machine.aws.count("CreateToken:refresh_token");
    for profile in ["admin", "app"] {
        let over = probe.ask_one(chain(profile));
        let outcome = &over["steps"][0]["outcome"];
        assert_eq!((&outcome["is"], &outcome["renews"]), (&json!("not-signed-in"), &json!(true)), "{over}");
        assert!(outcome["why"].as_str().unwrap().contains("ended at 2020-01-01"), "{over}");
    }
    assert_eq!(machine.aws.count("CreateToken:refresh_token"), refreshes);
}

#[test]
fn the_shells_proxy_counts_and_for_a_chain_the_settings_lie_over_it() {
    let machine = Machine::new();
    let mut command = machine.daemon();
    command.env("HTTP_PROXY", "http://127.0.0.1:1");
    let mut probe = Probe::start_as(command);
    let answers =
        probe.ask(&[clock(&machine), identify(&machine, base(&machine), "eu-west-1"), iam(&machine, base(&machine))]);
    for refused in [&answers[0]["unreached"], &answers[1], &answers[2]] {
        assert_eq!(refused["code"], json!("Network"), "{refused}");
        assert!(refused["words"].as_str().unwrap().contains("(HTTP_PROXY is set)"), "{refused}");
    }
    assert_eq!(steps(&probe.ask_one(chain("app"))), [("base", "static", "refused")]);
    machine.write(".config/evercred/evercred.toml", "[environment]\nHTTP_PROXY = \"\"\n");
    assert_eq!(steps(&probe.ask_one(chain("app"))).len(), 3);
}

#[test]
fn garbage_ends_it_with_a_sentence_that_does_not_quote_it() {
    let machine = Machine::new();
    let huge = format!("{{\"questions\": [], \"PLANTED\": \"{}\"}}\n", "x".repeat(2 * 1024 * 1024));
    let many = format!("{}\n", json!({"questions": vec![chain("PLANTED"); 65]}));
    for garbage in [many.as_str(), "PLANTED\n", "{\"questions\": [{\"do\": \"PLANTED\"}]}\n", "\u{0}\n", huge.as_str()]
    {
        let mut probe = Probe::start(&machine);
        // It may be gone before all of it is written.
        let _ = probe.into.as_mut().unwrap().write_all(garbage.as_bytes());
        let (code, out, err) = probe.end();
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.starts_with("evercredd: ") && !err.contains("PLANTED") && err.len() < 500, "{err}");
    }
    let (code, out, err) = Probe::start(&machine).end();
    assert_eq!((code, out, err), (Some(0), String::new(), String::new()), "nobody asked");
}

#[test]
fn no_secret_is_handed_back_or_logged_and_no_file_is_written() {
    let machine = Machine::new();
    let own = session(&machine, &user(), 3_600);
    // Id and secret have changed places.
    let swapped = keys("swapped/PLANTEDSECRET/PLANTEDTAIL+aaaaaa", "AKIAPLANTEDPLANTED12", None);
    let before = everything_in(machine.home());
    let mut command = machine.daemon();
    command.env("RUST_LOG", "trace").env("AWS_SECRET_ACCESS_KEY", "PLANTEDENV");
    let mut probe = Probe::start_as(command);
    let orders = [
        clock(&machine),
        identify(&machine, base(&machine), "eu-west-1"),
        identify(&machine, of_session(&own), "eu-west-1"),
        identify(&machine, swapped, "eu-west-1"),
        iam(&machine, of_session(&own)),
        chain("app"),
    ];
    let answers = probe.ask(&orders);
    assert_eq!(answers[3]["is"], json!("refused"));
    for fault in [Fault::Html, Fault::Truncated, Fault::Status500, Fault::Garbage] {
        machine.aws.set_outage(Some(fault));
        probe.ask(&orders);
    }
    let (code, out, err) = probe.end();
    assert_eq!(code, Some(0));
    for secret in ["user/secret+", "session/secret+", "session/token+", "PLANTED"] {
        assert!(!out.contains(secret), "{secret} is in:\n{out}");
        assert!(!err.contains(secret), "{secret} is in:\n{err}");
    }
    assert!(everything_in(machine.home()) == before, "a file was written");
}

/// Every file and folder with its content.
fn everything_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_in(&path));
            found.insert(path, Vec::new());
        } else {
            let content = std::fs::read(&path).unwrap_or_default();
            found.insert(path, content);
        }
    }
    found
}
