//! SSO with the real programs: one sign-in for everything, in the AWS tools' own cache.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::machine::{ACCOUNT, Machine, role, stderr};
use crate::person::{Login, answer_page, get, with_browser};
use crate::standin::{Fault, Rotation, START_URL, Service};

/// A machine whose person has roles in two accounts, and profiles for them.
pub(crate) fn machine() -> Machine {
    let machine = Machine::new();
    machine.aws.assign(ACCOUNT, "Prod", "Admin");
    machine.aws.assign(ACCOUNT, "Prod", "ReadOnly");
    machine.aws.assign("444455556666", "Sandbox", "Dev");
    machine.write(
        ".aws/config",
        &format!(
            "[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n\n\
             [profile admin]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Admin\nregion = eu-west-1\n\n\
             [profile reader]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = ReadOnly\nregion = eu-west-1\n\n\
             [profile nobody]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Nobody\nregion = eu-west-1\n"
        ),
    );
    machine
}

pub(crate) fn token_file() -> String {
    let name: String = Sha1::digest("corp").iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".aws/sso/cache/{name}.json")
}

pub(crate) fn token(machine: &Machine) -> Value {
    serde_json::from_str(&machine.read(&token_file())).unwrap_or(Value::Null)
}

pub(crate) fn sign_in(machine: &Machine) {
    sign_in_with(machine, &["corp", "--no-browser"]);
}

pub(crate) fn sign_in_with(machine: &Machine, arguments: &[&str]) {
    let (status, out, err) = end_of_sign_in(machine, arguments);
    assert_eq!(status, Some(0), "{err}");
    assert!(out.starts_with("corp: signed in"), "{out}");
}

/// How a sign-in ends that the user completes: exit code, stdout, stderr.
pub(crate) fn end_of_sign_in(machine: &Machine, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut login = Login::start(machine.companion(), arguments);
    let code = login.line(|line| (line.len() == 9 && line.as_bytes()[4] == b'-').then(|| line.to_owned()));
    assert_eq!(machine.aws.approve(Some(&code)), 1);
    login.end()
}

#[test]
fn one_sign_in_serves_every_profile_and_stands_in_the_aws_tools_cache() {
    let mut machine = machine();
    machine.start();
    let before = machine.run(&["credential-process", "admin"]);
    assert_eq!(before.status.code(), Some(5));
    let said = stderr(&before);
    assert!(said.contains("you are not signed in to the SSO session \"corp\""), "{said}");
    assert!(said.contains("fix: evercred login corp"), "{said}");
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
    let token = token(&machine);
    for field in [
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "refreshToken",
        "registrationExpiresAt",
    ] {
        assert!(token[field].is_string(), "{field}: {token}");
    }
    use std::os::unix::fs::MetadataExt;
    assert_eq!(machine.path(&token_file()).metadata().unwrap().mode() & 0o777, 0o600);
    let sessions = machine.status()["sso_sessions"].clone();
    assert_eq!(
        (&sessions[0]["name"], &sessions[0]["state"], &sessions[0]["profiles"]),
        (&json!("corp"), &json!("fresh"), &json!(3))
    );
    for secret in ["accessToken", "refreshToken", "clientSecret"] {
        let secret = token[secret].as_str().unwrap();
        assert!(!machine.read("log").contains(secret) && !machine.status().to_string().contains(secret));
        assert!(
            !machine.read("run/minted.json").contains(secret) && !machine.read("state/memory.json").contains(secret)
        );
    }
}

#[test]
fn the_browser_flow_asks_once_and_refuses_what_is_not_its_answer() {
    let mut machine = machine();
    machine.start();
    let mut login = Login::start(machine.companion(), &["corp"]);
    // No screen, no browser: a code by itself.
    assert!(login.url().ends_with("/device"));
    drop(login.child.kill());
    drop(login.child.wait());

    let mut login = Login::start(with_browser(&machine), &["admin"]);
    let url = login.url();
    assert!(url.contains("/authorize?") && url.contains("code_challenge_method=S256"), "{url}");
    machine.eventually("the browser is opened", |machine| machine.read("opened").trim() == url);
    let redirect = url.split("redirect_uri=").nth(1).unwrap().split('&').next().unwrap();
    let redirect = redirect.replace("%3A", ":").replace("%2F", "/");
    let (head, _) = get(&format!("{redirect}?code=evil&state=evil"));
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(answer_page(&url, "allow").starts_with("HTTP/1.1 200"));
    let (status, out, err) = login.end();
    assert_eq!((status, out.starts_with("corp: signed in")), (Some(0), true), "{out}{err}");
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(machine.aws.count("CreateToken:authorization_code"), 1);
}

#[test]
fn another_users_flood_of_the_sign_ins_port_does_not_keep_the_browser_out() {
    let mut machine = machine();
    machine.start();
    let mut login = Login::start(with_browser(&machine), &["admin"]);
    let url = login.url();
    let port: String = url.split("127.0.0.1%3A").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    let script = "import collections,socket,sys,time\nq=collections.deque()\nwhile True:\n\
        \ts=socket.socket()\n\ts.setblocking(False)\n\ts.connect_ex(('127.0.0.1',int(sys.argv[1])))\n\tq.append(s)\n\
        \tif len(q)>400: q.popleft().close()\n\ttime.sleep(.001)\n";
    let mut flood = std::process::Command::new("setpriv")
        .args(["--reuid", "12346", "--regid", "12346", "--clear-groups", "/usr/bin/python3", "-c", script, &port])
        .spawn()
        .unwrap();
    machine.eventually("it is said", |machine| machine.read("log").contains("a program of uid 12346 opens"));
    assert!(answer_page(&url, "allow").starts_with("HTTP/1.1 200"));
    let (status, out, err) = login.end();
    flood.kill().unwrap();
    flood.wait().unwrap();
    assert_eq!(status, Some(0), "{out}{err}");
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
}

#[test]
fn a_denied_sign_in_says_so_and_a_given_up_one_asks_no_more() {
    let mut machine = machine();
    machine.start();
    let mut login = Login::start(machine.companion(), &["corp", "--no-browser"]);
    login.url();
    machine.eventually("a code waits", |machine| machine.aws.deny(None) == 1);
    let (status, _, err) = login.end();
    assert_eq!(status, Some(5), "{err}");
    assert!(err.contains("denied") && err.contains("fix:"), "{err}");

    let mut login = Login::start(machine.companion(), &["corp", "--no-browser"]);
    login.url();
    machine.eventually("it is asked for", |machine| machine.aws.count("CreateToken:device_code") > 1);
    login.child.kill().unwrap();
    login.child.wait().unwrap();
    machine.eventually("it is given up", |machine| machine.read("log").contains("a sign-in was given up"));
}

#[test]
fn a_token_is_refreshed_ahead_with_what_others_wrote_beside_it() {
    let mut machine = machine();
    machine.aws.sso(|settings| settings.access_token_seconds = 8);
    machine.start();
    sign_in(&machine);
    let mut document = token(&machine);
    document["later"] = json!({"kept": true});
    machine.replace(&token_file(), &document.to_string());
    let first = document["accessToken"].clone();
    machine.eventually("refreshed three times", |machine| machine.aws.count("CreateToken:refresh_token") >= 3);
    let now = token(&machine);
    assert!(now["accessToken"] != first && now["later"]["kept"] == json!(true), "{now}");
    assert!(machine.aws.is_signed_in(now["accessToken"].as_str().unwrap()));
    assert!(
        machine.aws.calls().iter().all(|call| call.error.is_none_or(|error| error == "AuthorizationPendingException"))
    );
}

#[test]
fn what_another_tool_wrote_is_in_use_within_moments_and_a_deleted_file_is_a_sign_out() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    let document = machine.read(&token_file());
    std::fs::remove_file(machine.path(&token_file())).unwrap();
    machine.eventually("the credentials are withdrawn", |machine| {
        machine.run(&["credential-process", "admin"]).status.code() == Some(5)
    });
    machine.eventually("nothing is kept", |machine| !machine.read("run/minted.json").contains("ASIA"));
    assert!(!machine.path(&token_file()).exists(), "nothing is written back");
    // As the AWS CLI writes: in place.
    machine.write(&token_file(), "");
    machine.write(&token_file(), &document);
    machine.eventually("it is in use", |machine| machine.whose("admin") == Ok(role("Admin")));
}

#[test]
fn logout_ends_the_session_at_aws_and_removes_the_file() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    let output = machine.run(&["logout", "corp"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(machine.run(&["credential-process", "admin"]).status.code(), Some(5));
    machine.eventually("AWS knows", |machine| machine.aws.live_sso_sessions() == 0);
    machine.eventually("the file is gone", |machine| !machine.path(&token_file()).exists());
}

#[test]
fn a_logout_that_aws_was_not_told_of_removes_the_token_and_says_until_when_it_works() {
    for fault in [Fault::Reset, Fault::Status500, Fault::Timeout] {
        let mut machine = machine();
        machine.start();
        sign_in(&machine);
        assert_eq!(machine.whose("admin"), Ok(role("Admin")));
        let expires = token(&machine)["expiresAt"].as_str().unwrap().to_owned();
        machine.aws.set_outage_of(Service::Portal, Some(fault));
        let output = machine.run(&["logout", "corp"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{fault:?}: {said}");
        assert!(said.contains("corp") && said.contains(&expires) && output.stdout.is_empty(), "{said}");
        assert!(!machine.path(&token_file()).exists());
        assert_eq!(machine.run(&["credential-process", "admin"]).status.code(), Some(5));
        assert_eq!(machine.aws.live_sso_sessions(), 1);
    }
}

#[test]
fn who_is_signed_in_already_is_told_until_when_and_signs_in_anew_with_force() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    let (calls, before) = (machine.aws.calls().len(), machine.read(&token_file()));
    for name in ["corp", "admin"] {
        let output = machine.run(&["login", name, "--no-browser"]);
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && said.starts_with("corp: already signed in, until "), "{said}");
        assert!(output.stderr.is_empty(), "{}", stderr(&output));
    }
    assert_eq!((machine.aws.calls().len(), machine.read(&token_file())), (calls, before));
    sign_in_with(&machine, &["corp", "--no-browser", "--force"]);
    assert_eq!(machine.aws.live_sso_sessions(), 2);
    // What AWS has ended is signed in to anew.
    machine.aws.end_sso_sessions();
    assert_eq!(machine.run(&["renew", "admin"]).status.code(), Some(5));
    sign_in(&machine);
}

#[test]
fn a_session_that_is_over_is_said_once_and_makes_no_more_calls() {
    let mut machine = machine();
    machine.aws.sso(|settings| settings.access_token_seconds = 6);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    machine.aws.end_sso_sessions();
    machine.eventually("it is over", |machine| machine.status()["sso_sessions"][0]["state"] == "needs-login");
    let calls = machine.aws.calls().len();
    let refused = machine.run(&["renew", "admin"]);
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("fix: evercred login corp"), "{}", stderr(&refused));
    machine.write(".aws/credentials", "[other]\nregion = eu-west-1\n");
    machine.eventually("the files were read", |machine| machine.profile("other") != Value::Null);
    assert_eq!(machine.aws.calls().len(), calls);
    assert_eq!(machine.read("log").matches("sso-login-needed").count(), 1, "{}", machine.read("log"));
    assert!(machine.path(&token_file()).exists(), "a failed refresh deletes nothing");
    sign_in(&machine);
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
}

#[test]
fn failures_are_told_apart() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    let said = machine.credentials("nobody").unwrap_err();
    assert!(
        said.contains("ForbiddenException") && said.contains("does not have") | said.contains("No access"),
        "{said}"
    );
    assert!(said.contains("sso_role_name"), "{said}");
    // A token that was taken away is refreshed once, and the role got with the new one.
    machine.aws.revoke_access_tokens();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(machine.aws.count("CreateToken:refresh_token"), 1);
    machine.aws.fail_next_of(Service::Portal, &[Fault::Throttled]);
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")), "throttling is waited out");
}

#[test]
fn a_start_url_that_aws_does_not_know_is_named_with_its_region() {
    let mut machine = machine();
    let config = machine.read(".aws/config").replace(START_URL, "https://nowhere.awsapps.com/start");
    machine.write(".aws/config", &config);
    machine.start();
    let output = machine.run(&["login", "corp", "--no-browser"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("https://nowhere.awsapps.com/start") && said.contains("eu-west-1"), "{said}");
    assert!(said.contains("sso_start_url") && said.contains("sso_region"), "{said}");
}

#[test]
fn a_companys_own_start_url_is_followed_to_awss() {
    let mut machine = machine();
    let vanity = format!("{}/vanity", machine.aws.url());
    let config = machine.read(".aws/config").replace(START_URL, &vanity);
    machine.write(".aws/config", &config);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_eq!(token(&machine)["startUrl"], json!(vanity));
}

#[test]
fn a_start_url_whose_redirect_cannot_be_looked_up_is_used_as_it_is() {
    // Nobody listens, no TLS is spoken, there is an error or no answer, there is no such name.
    for (start_url, fault) in [
        ("https://127.0.0.1:1/start", Fault::Reset),
        ("https:HERE/start", Fault::Reset),
        ("http:HERE/vanity", Fault::Status500),
        ("http:HERE/vanity", Fault::Timeout),
        ("https://sso.corp.invalid/start", Fault::Reset),
    ] {
        let mut machine = machine();
        let here = machine.aws.url();
        let start_url = start_url.replace("HERE", here.strip_prefix("http:").unwrap());
        machine.aws.add_sso_instance(&start_url);
        machine.aws.set_outage_of(Service::Pages, Some(fault));
        machine.write(".aws/config", &machine.read(".aws/config").replace(START_URL, &start_url));
        machine.start();
        sign_in(&machine);
        assert_eq!(token(&machine)["startUrl"], json!(start_url));
        assert!(machine.read("log").contains("it is used as it is"), "{}", machine.read("log"));
    }
}

#[test]
fn what_a_sign_in_service_states_wrongly_is_refused_and_harms_nothing() {
    let mut machine = machine();
    machine.start();
    let numbers = [
        json!(i64::MIN),
        json!(i64::MIN + 1),
        json!(-1),
        json!(1),
        json!(i64::MAX - 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(f64::MAX),
        json!(-f64::MAX),
        json!("soon"),
    ];
    let mut lies: Vec<(&str, Value)> =
        numbers.iter().map(|number| ("RegisterClient", json!({"clientSecretExpiresAt": number}))).collect();
    lies.extend(numbers.iter().filter(|number| **number != json!(1)).map(|number| {
        let body = json!({"expiresIn": number});
        ("StartDeviceAuthorization", body)
    }));
    for url in ["javascript:alert(1)", "file:///etc/passwd", "http://device.example/", "https://a/\nhttps://b/"] {
        lies.push(("StartDeviceAuthorization", json!({"verificationUri": url})));
        lies.push(("StartDeviceAuthorization", json!({"verificationUriComplete": url})));
    }
    for code in ["", "\u{1b}[2J", "AB\nCD", &"A".repeat(1_000)] {
        lies.push(("StartDeviceAuthorization", json!({"userCode": code})));
    }
    for (action, fields) in lies {
        machine.aws.lie(action, fields.clone());
        let refused = machine.run(&["login", "corp", "--no-browser"]);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(1), "{fields}: {said}");
        assert!(said.len() < 600 && !said.contains("javascript") && !said.contains('\u{1b}'), "{fields}: {said}");
        assert!(!machine.path(&token_file()).exists(), "{fields}");
        machine.aws.lie(action, json!({}));
    }
    // The same daemon, and it works.
    sign_in(&machine);
    for number in &numbers {
        machine.aws.lie("GetRoleCredentials", json!({"roleCredentials": {"expiration": number}}));
        assert!(machine.credentials("admin").is_err(), "{number}");
    }
    assert!(!machine.read("log").contains("no calendar"));
    assert!(!machine.read("log").contains("panicked"));
}

#[test]
fn an_answer_without_a_usable_token_ends_a_sign_in() {
    let mut machine = machine();
    machine.start();
    for fields in [json!({"expiresIn": i64::MIN}), json!({"expiresIn": 0}), json!({"accessToken": 1})] {
        machine.aws.lie("CreateToken", fields.clone());
        let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser"]);
        assert_eq!(status, Some(1), "{fields}: {said}");
        assert!(!machine.path(&token_file()).exists(), "{fields}");
    }
    machine.aws.lie("CreateToken", json!({}));
    sign_in(&machine);
}

#[test]
fn a_device_code_is_polled_for_no_longer_than_it_lives() {
    let mut machine = machine();
    machine.aws.lie("StartDeviceAuthorization", json!({"interval": i32::MAX, "expiresIn": 2}));
    machine.start();
    let output = machine.run(&["login", "corp", "--no-browser"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("expired"), "{}", stderr(&output));
}

#[test]
fn files_that_are_none_of_the_session_are_said_and_kept() {
    let mut machine = machine();
    machine.write(&token_file(), "{\"accessToken\": \"MARK-cut");
    machine.start();
    machine.eventually("it is said", |machine| {
        machine.status()["sso_sessions"][0]["last_error"]["code"] == "SsoCacheUnusable"
    });
    let said = machine.credentials("admin").unwrap_err();
    assert!(said.contains("not what the AWS tools write") && !said.contains("MARK"), "{said}");
    sign_in(&machine);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    let kept = format!("{}.evercred-kept", token_file());
    assert_eq!(machine.read(&kept), "{\"accessToken\": \"MARK-cut");
    let foreign = machine.read(&token_file()).replace("eu-west-1", "us-east-1");
    machine.replace(&token_file(), &foreign);
    machine.eventually("the other region is said", |machine| machine.read("log").contains("another region"));
    assert!(machine.credentials("admin").is_ok(), "the last good goes on");
    let problem = machine.status()["problems"][0].clone();
    assert_eq!(problem["id"], "sso-cache-unusable");
    assert_eq!(problem["file"].as_str(), machine.path(&token_file()).to_str());
    // The AWS CLI has signed in where the start URL leads now, and written the new region into the config file.
    let config = machine.read(".aws/config").replace("sso_region = eu-west-1", "sso_region = us-east-1");
    machine.replace(".aws/config", &config);
    machine.eventually("its token is in use", |machine| {
        let session = &machine.status()["sso_sessions"][0];
        session["state"] == "fresh" && session["last_error"].is_null()
    });
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
}

#[test]
fn profiles_are_listed_with_sections_for_those_that_are_missing() {
    let mut machine = machine();
    machine.start();
    let before = machine.run(&["profiles", "--sso", "corp"]);
    assert_eq!(before.status.code(), Some(5), "{}", stderr(&before));
    sign_in(&machine);
    let output = machine.run(&["profiles", "--sso", "corp"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && text.contains("# 111122223333 Prod  Admin: profile admin"), "{text}");
    assert!(text.contains("[profile Dev-444455556666]\nsso_session = corp\nsso_account_id = 444455556666\n"), "{text}");
    assert!(!text.contains("[profile Admin-"), "{text}");
    let config = machine.read(".aws/config") + &text;
    machine.write(".aws/config", &config);
    machine.eventually("it is a profile", |machine| {
        machine.whose("Dev-444455556666") == Ok("arn:aws:iam::444455556666:role/Dev".to_owned())
    });
    let document: Value =
        serde_json::from_slice(&machine.run(&["profiles", "--sso", "corp", "--json"]).stdout).unwrap();
    assert_eq!((&document["schema"], document["roles"].as_array().unwrap().len()), (&json!("evercred.sso-roles/1"), 3));
}

#[test]
fn a_role_behind_an_sso_role_and_login_without_a_name() {
    let mut machine = machine();
    machine.aws.set_role(&role("App"), crate::standin::Role::trusting(&[&role("Admin")]));
    let config = machine.read(".aws/config");
    machine.write(
        ".aws/config",
        &format!("{config}\n[profile app]\nrole_arn = {}\nsource_profile = admin\nregion = eu-west-1\n", role("App")),
    );
    machine.start();
    let mut login = Login::start(machine.companion(), &["--no-browser"]);
    login.url();
    machine.eventually("a code waits", |machine| machine.aws.approve(None) == 1);
    assert_eq!(login.end().0, Some(0));
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn two_daemons_on_one_cache_refresh_a_rotating_token_without_losing_it() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.sso(|settings| settings.access_token_seconds = 4);
    machine.start();
    let log = std::fs::File::create(machine.path("log-2")).unwrap();
    let mut other = machine.daemon();
    other.env("EVERCRED_RUNTIME_DIR", machine.path("run-2")).env("EVERCRED_STATE_DIR", machine.path("state-2"));
    let mut other = other.stderr(log).spawn().unwrap();
    sign_in(&machine);
    machine.eventually("refreshed ten times", |machine| machine.aws.count("CreateToken:refresh_token") >= 10);
    let _ = other.kill();
    let _ = other.wait();
    let refused: Vec<_> =
        machine.aws.calls().into_iter().filter(|call| call.error == Some("InvalidGrantException")).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(machine.aws.is_signed_in(token(&machine)["accessToken"].as_str().unwrap()));
}

#[test]
fn a_sign_in_that_cannot_be_written_is_in_use_and_is_written_at_the_end_at_the_latest() {
    let mut machine = machine();
    // Something stands where the folder should be.
    machine.write(".aws/sso", "in the way");
    machine.start();
    let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser"]);
    assert!(status == Some(1) && said.contains("signed in") && said.contains("can't be written"), "{said}");
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert!(machine.read("log").contains("the daemon keeps the token"), "{}", machine.read("log"));
    std::fs::remove_file(machine.path(".aws/sso")).unwrap();
    assert_eq!(machine.stop(), Some(0));
    assert!(machine.aws.is_signed_in(token(&machine)["accessToken"].as_str().unwrap()));
    machine.start();
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
}

#[test]
fn whoever_signs_in_as_somebody_else_is_not_kept_waiting_for_what_the_first_was_refused() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    assert!(machine.credentials("nobody").unwrap_err().contains("ForbiddenException"));
    machine.aws.assign(ACCOUNT, "Prod", "Nobody");
    sign_in_with(&machine, &["corp", "--no-browser", "--force"]);
    assert_eq!(machine.whose("nobody"), Ok(role("Nobody")));
}
