//! Web identity with the real daemon: the token is a file that somebody else writes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::machine::{Machine, role};
use crate::standin::Role;

/// A machine with the profile `ci`, whose token is `token`, and `behind` it.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.aws.set_role(&role("Ci"), Role::trusting(&["oidc:me"]));
    machine.aws.set_role(&role("Behind"), Role::trusting(&[&role("Ci")]));
    machine.write(
        ".aws/config",
        &format!(
            "[profile ci]\nrole_arn = {}\nweb_identity_token_file = {}\nregion = eu-west-1\n\n[profile behind]\nrole_arn = {}\nsource_profile = ci\n",
            role("Ci"),
            machine.path("token").display(),
            role("Behind")
        ),
    );
    machine
}

/// A token that ends so many seconds from now, or did.
fn token(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let exp = i64::try_from(now).unwrap() + seconds;
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}\n",
        part(r#"{"alg":"RS256"}"#),
        part(&format!(r#"{{"sub":"me","exp":{exp}}}"#)),
        part("signature")
    )
}

#[test]
fn a_token_is_a_base_of_chains_and_is_read_anew() {
    let mut machine = machine();
    machine.write("token", &token(7_200));
    machine.start();
    assert_eq!(machine.whose("behind"), Ok(role("Behind")));
    assert_eq!(machine.whose("ci"), Ok(role("Ci")));
    assert_eq!(machine.profile("ci")["kind"], "web-identity");
    assert_eq!((machine.aws.count("AssumeRoleWithWebIdentity"), machine.aws.count("GetCallerIdentity")), (1, 0));
    assert_eq!(machine.status()["problems"], serde_json::json!([]));
}

#[test]
fn a_token_that_comes_or_is_renewed_later_is_used_at_once() {
    let mut machine = machine();
    machine.start();
    let said = machine.credentials("ci").unwrap_err();
    assert!(said.contains("no token file") && said.contains("run the program that writes the token file"), "{said}");
    machine.write("token", &token(-60));
    machine.eventually("the expired token is tried and told", |machine| {
        machine.profile("ci")["last_error"]["message"].as_str().is_some_and(|message| message.contains("Token expired"))
    });
    machine.replace("token", &token(7_200));
    machine.eventually("the new token is used, and nobody asked", |machine| machine.profile("ci")["state"] == "fresh");
    assert_eq!(machine.whose("ci"), Ok(role("Ci")));
}

#[test]
fn a_token_that_ends_before_the_next_renewal_is_warned_of() {
    let mut machine = machine();
    machine.write("token", &token(600));
    machine.start();
    assert_eq!(machine.whose("ci"), Ok(role("Ci")));
    let status = machine.status();
    let problem = &status["problems"][0];
    assert_eq!(problem["id"], "token-expires");
    assert!(problem["message"].as_str().unwrap().contains("expires at"), "{problem}");
}

#[test]
fn what_is_no_token_is_told_and_never_shown() {
    let mut machine = machine();
    machine.write("token", "MARKHUNTER2");
    machine.start();
    let said = machine.credentials("ci").unwrap_err();
    assert!(said.contains("InvalidIdentityToken"), "{said}");
    assert!(!said.contains("MARKHUNTER2") && !machine.read("log").contains("MARKHUNTER2"));
}
