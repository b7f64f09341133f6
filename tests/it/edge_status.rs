//! `status` with the real programs: complete in its JSON, short on a screen, and an exit code that says what the screen shows.

use std::fmt::Write;

use serde_json::Value;

use crate::edge_remarks::elsewhere;
use crate::machine::{Machine, role, stderr};
use crate::standin::Role;

fn json(machine: &Machine, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = machine.run(&[&["status", "--json"], arguments].concat());
    let document = serde_json::from_slice(&output.stdout);
    (document.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output))), output.status.code())
}

fn text(machine: &Machine, arguments: &[&str]) -> (String, Option<i32>) {
    let output = machine.run(&[&["status"], arguments].concat());
    (String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr), output.status.code())
}

fn names<'a>(document: &'a Value, list: &str) -> Vec<&'a str> {
    document[list].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn ten_thousand_sessions_are_all_in_the_status_and_one_profile_has_its_own() {
    const COUNT: usize = 10_000;
    let mut machine = Machine::new();
    let mut config = String::new();
    for at in 0..COUNT {
        writeln!(
            config,
            "[sso-session s{at:05}]\nsso_start_url = https://s{at}.awsapps.com/start\nsso_region = eu-west-1\n\
             [profile p{at:05}]\nsso_session = s{at:05}\nsso_account_id = 111122223333\nsso_role_name = Dev"
        )
        .unwrap();
    }
    machine.write(".aws/config", &config);
    machine.start();
    machine.eventually("the cache files are read", |machine| {
        let (document, _) = json(machine, &["p09999"]);
        document["sso_sessions"][0]["state"] == "needs-login"
    });
    let begin = std::time::Instant::now();
    let (document, exit) = json(&machine, &[]);
    println!("10,000 sessions: {:?}", begin.elapsed());
    let (profiles, sessions) = (names(&document, "profiles"), names(&document, "sso_sessions"));
    assert_eq!((profiles.len(), sessions.len(), exit), (COUNT + 1, COUNT, Some(1)), "nobody is signed in");
    assert!(profiles.is_sorted() && sessions.is_sorted(), "once each, and in order");
    assert_eq!((document["problems"].as_array().unwrap().len(), &document["next"]), (0, &Value::Null));
    let begin = std::time::Instant::now();
    let (one, exit) = json(&machine, &["p09999"]);
    println!("one of them: {:?}", begin.elapsed());
    assert_eq!((names(&one, "profiles"), names(&one, "sso_sessions")), (vec!["p09999"], vec!["s09999"]));
    assert_eq!((one["problems"].as_array().unwrap().len(), exit), (0, Some(1)));
    let (some, _) = json(&machine, &["p0999?", "base"]);
    assert_eq!((names(&some, "profiles").len(), names(&some, "sso_sessions").len()), (11, 10));
    assert_eq!(json(&machine, &["base"]).1, Some(0), "a key in a file needs no session");
    let (screen, exit) = text(&machine, &[]);
    assert_eq!((screen.matches("    fix: evercred login s").count(), exit), (20, Some(1)));
}

#[test]
fn a_profile_that_does_not_exist_is_refused_as_by_every_command() {
    let mut machine = Machine::new();
    machine.start();
    for (name, exit, what) in [("ap", 4, "did you mean \"app\"?"), ("x*", 4, "matches \"x*\""), ("a*", 0, "app")] {
        let (said, found) = text(&machine, &[name]);
        assert!(found == Some(exit) && said.contains(what), "{name}: {found:?} {said}");
    }
    // A profile that was added a moment ago is found, whatever the daemon has heard of the file.
    machine.replace(".aws/config", &(machine.read(".aws/config") + "[profile new]\nregion = eu-west-1\n"));
    assert_eq!(names(&json(&machine, &["new"]).0, "profiles"), ["new"]);
}

#[test]
fn a_renewal_that_fails_while_the_credentials_are_valid_says_both() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    assert_eq!(text(&machine, &[]).1, Some(0));
    machine.aws.set_role(&role("App"), Role::trusting(&[]));
    assert_eq!(machine.run(&["renew", "app"]).status.code(), Some(1));
    let profile = machine.profile("app");
    let facts = (profile["state"].as_str(), profile["valid"].as_bool(), profile["usable"].as_bool());
    assert_eq!(facts, (Some("failed"), Some(true), Some(true)), "{profile}");
    assert_eq!(machine.whose("app"), Ok(role("App")), "programs still get them");
    for named in [&[][..], &["app"]] {
        let (screen, exit) = text(&machine, named);
        assert_eq!(exit, Some(1), "{screen}");
        assert!(screen.contains("renewal failed  59m") && !screen.contains("  failed"), "{screen}");
        assert!(screen.contains("app: valid for 59m") && screen.contains("the last renewal failed: "), "{screen}");
    }
}

#[test]
fn values_that_no_call_can_use_are_problems_as_in_doctor() {
    let mut machine = Machine::new();
    let secret = machine.base.secret_access_key.clone();
    machine.replace(".aws/credentials", &machine.read(".aws/credentials").replace(&secret, &secret[..39]));
    let config = machine.read(".aws/config") + "[profile base]\nregion = eu-wets-1\n";
    machine.replace(".aws/config", &config);
    // Keys for an emulator on this machine are whatever they are.
    machine.start_as(elsewhere(machine.daemon()));
    let (document, exit) = json(&machine, &["base"]);
    let doctor = elsewhere(machine.companion()).args(["doctor", "base", "--json", "--offline"]).output().unwrap();
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    for (id, file, line) in [("secret-key-malformed", "credentials", 3), ("region-invalid", "config", 10)] {
        let problems = document["problems"].as_array().unwrap();
        let problem = problems.iter().find(|problem| problem["id"] == id).unwrap_or_else(|| panic!("{document:#}"));
        let path = machine.path(&format!(".aws/{file}")).display().to_string();
        assert_eq!(
            (problem["file"].as_str(), problem["line"].as_u64()),
            (Some(path.as_str()), Some(line)),
            "{problem}"
        );
        assert!(problem["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{problem}");
        assert!(findings["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == id), "{findings:#}");
        assert!(!problem.to_string().contains(&secret[..39]), "{problem}");
    }
    assert_eq!(exit, Some(1));
    let region = document["problems"].as_array().unwrap().iter().find(|problem| problem["id"] == "region-invalid");
    assert_eq!(region.unwrap()["fix"], "aws configure set region eu-west-1 --profile base");
}
