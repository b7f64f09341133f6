//! `aws login` sessions with the real programs: signed in by us, refreshed with proofs, shared with the AWS tools.

use std::io::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::machine::{Machine, role, stderr};
use crate::person::{Login, answer_page, get, page_of, with_browser};
use crate::standin::{Role, SigninError};

const WHO: &str = "arn:aws:iam::111122223333:user/someone";

pub(crate) fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(
        ".aws/config",
        &format!(
            "[profile me]\nlogin_session = {WHO}\nregion = eu-west-1\n\n\
             [profile app]\nrole_arn = {}\nsource_profile = me\nregion = eu-west-1\n",
            role("App")
        ),
    );
    machine.aws.set_role(&role("App"), Role::trusting(&[WHO]));
    machine
}

pub(crate) fn cache_file() -> String {
    let name: String = Sha256::digest(WHO).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".aws/login/cache/{name}.json")
}

fn sign_in(machine: &Machine) {
    sign_in_with(machine, &["me"]);
}

pub(crate) fn sign_in_with(machine: &Machine, arguments: &[&str]) {
    let mut login = Login::start(with_browser(machine), arguments);
    let url = login.url();
    assert!(url.contains("/v1/authorize?") && url.contains("same-device"), "{url}");
    assert!(answer_page(&url, "allow").starts_with("HTTP/1.1 200"));
    let (status, out, err) = login.end();
    assert_eq!(status, Some(0), "{out}{err}");
}

#[test]
fn a_login_session_is_signed_in_to_and_is_the_base_of_a_role() {
    let mut machine = machine();
    machine.start();
    let before = machine.run(&["credential-process", "app"]);
    assert_eq!(before.status.code(), Some(5));
    assert!(stderr(&before).contains("fix: evercred login"), "{}", stderr(&before));
    sign_in(&machine);
    assert_eq!(machine.whose("me"), Ok(String::new()), "a user, no role");
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let document: Value = serde_json::from_str(&machine.read(&cache_file())).unwrap();
    for field in ["refreshToken", "clientId", "idToken", "dpopKey", "tokenType"] {
        assert!(document[field].is_string(), "{field}");
    }
    assert_eq!(document["accessToken"]["accountId"], json!("111122223333"));
    let expiration = machine.credentials("me").unwrap()["Expiration"].clone();
    assert_eq!(document["accessToken"]["expiresAt"], expiration);
    for secret in ["refreshToken", "dpopKey", "idToken"] {
        let secret = document[secret].as_str().unwrap();
        assert!(!machine.read("log").contains(secret) && !machine.read("run/minted.json").contains(secret));
    }
}

#[test]
fn it_is_refreshed_at_half_life_with_proofs_that_aws_accepts_also_under_a_wrong_clock() {
    let mut machine = machine();
    machine.aws.signin(|settings| settings.credentials_seconds = 6);
    machine.aws.set_offset_seconds(7_200);
    machine.start();
    sign_in(&machine);
    machine.eventually("refreshed three times", |machine| machine.aws.count("CreateOAuth2Token:refresh_token") >= 3);
    assert_eq!(machine.whose("me"), Ok(String::new()));
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
}

#[test]
fn what_aws_sign_in_refuses_is_told_apart() {
    for (error, code, class) in [
        (SigninError::UserCredentialsChanged, "USER_CREDENTIALS_CHANGED", "needs-login"),
        (SigninError::InsufficientPermissions, "INSUFFICIENT_PERMISSIONS", "permanent"),
        (SigninError::TooManyRequests, "TooManyRequests", "retryable"),
    ] {
        let mut machine = machine();
        machine.aws.signin(|settings| settings.credentials_seconds = 6);
        machine.start();
        sign_in(&machine);
        machine.aws.signin(|settings| settings.forced_error = Some(error));
        let failed = |machine: &Machine| machine.status()["sso_sessions"][0]["last_error"].clone();
        machine.eventually("the refresh fails", |machine| !failed(machine).is_null());
        let said = failed(&machine);
        assert!(said["code"].as_str().unwrap().contains(code) && said["class"] == class, "{said}");
        assert!(machine.path(&cache_file()).exists());
    }
}

#[test]
fn who_signs_in_as_somebody_else_is_told() {
    let mut machine = machine();
    machine.start();
    machine.aws.signin(|settings| settings.login_session = "arn:aws:iam::111122223333:user/other".to_owned());
    let mut login = Login::start(with_browser(&machine), &["me"]);
    answer_page(&login.url(), "allow");
    let (status, _, err) = login.end();
    assert_eq!(status, Some(5), "{err}");
    assert!(err.contains("user/other") && err.contains(WHO), "{err}");
    assert!(!machine.path(&cache_file()).exists());
}

/// Starts a sign-in without a browser here, and allows it in one elsewhere: the code that the page shows.
fn allow_elsewhere(machine: &Machine, flag: &str) -> (Login, String) {
    let mut companion = machine.companion();
    companion.stdin(std::process::Stdio::piped());
    let mut login = Login::start(companion, &["me", flag]);
    let url = login.url();
    assert!(url.contains("cross-device") && url.contains("%2Fv1%2Fsessions%2Fconfirmation"), "{url}");
    let (_, location) = get(&format!("{url}&_answer=allow"));
    let page = page_of(&location.unwrap());
    let code = page.split("<code id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    (login, code)
}

fn paste(login: &mut Login, text: &str) {
    login.child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn without_a_browser_here_the_code_of_a_page_elsewhere_is_pasted() {
    let mut machine = machine();
    machine.aws.signin(|settings| settings.credentials_seconds = 6);
    machine.start();
    for flag in ["--no-browser", "--use-device-code"] {
        let (mut login, code) = allow_elsewhere(&machine, flag);
        paste(&mut login, &format!("  {code}\n"));
        let (status, out, err) = login.end();
        assert_eq!(status, Some(0), "{out}{err}");
        let document: Value = serde_json::from_str(&machine.read(&cache_file())).unwrap();
        assert_eq!(document["clientId"], json!("arn:aws:signin:::devtools/cross-device"));
        assert_eq!(machine.whose("me"), Ok(String::new()));
        assert!(!machine.read("log").contains(&code));
        assert!(machine.run(&["logout", "me"]).status.success());
    }
    let (mut login, code) = allow_elsewhere(&machine, "--no-browser");
    paste(&mut login, &code);
    assert_eq!(login.end().0, Some(0));
    let refreshed = machine.aws.count("CreateOAuth2Token:refresh_token");
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateOAuth2Token:refresh_token") > refreshed);
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
}

#[test]
fn a_code_that_is_not_of_this_sign_in_signs_nobody_in() {
    let mut machine = machine();
    machine.start();
    let (mut login, of_another) = allow_elsewhere(&machine, "--no-browser");
    paste(&mut login, "nonsense\n");
    assert_eq!(login.end().0, Some(5));
    // Without a code the page goes on waiting, and the next one to sign in is shown the same.
    for text in ["\n", "", "c3RhdGU9ZXZpbCZjb2RlPWV2aWw=\n", "nonsense\n", &of_another] {
        let (mut login, _) = allow_elsewhere(&machine, "--no-browser");
        paste(&mut login, text);
        let (status, out, err) = login.end();
        assert_eq!(status, Some(5), "{text:?}: {out}{err}");
        assert!(text.trim().is_empty() || !err.contains(text.trim()), "{err}");
        assert!(!machine.path(&cache_file()).exists());
    }
    assert_eq!(machine.aws.count("CreateOAuth2Token:authorization_code"), 0);
}

#[test]
fn logout_removes_the_cache_file() {
    let mut machine = machine();
    machine.start();
    sign_in(&machine);
    let document: Value = serde_json::from_str(&machine.read(&cache_file())).unwrap();
    let again = machine.run(&["login", "me"]);
    assert!(again.status.success() && again.stderr.is_empty(), "{}", stderr(&again));
    let output = machine.run(&["logout", "me"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // AWS can't end it: programs go on until their credentials expire.
    let until = document["accessToken"]["expiresAt"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(until), "{output:?}");
    machine.eventually("the file is gone", |machine| !machine.path(&cache_file()).exists());
    assert_eq!(machine.run(&["credential-process", "me"]).status.code(), Some(5));
}
