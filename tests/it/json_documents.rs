//! The documents that scripts rely on: every field of the interface is there, with its type. More fields may be there.

use serde_json::{Value, json};

use crate::machine::{Machine, role, stderr};

/// Holds a document against a form. `"text"`, `"time"`, `"number"`, `"flag"` and `"a|b"` (one of these words) name a type, `?` behind
/// it that it may be null, and `*` that it is there only where it is used; an array's one element is the form of all of its elements, and an object lists fields.
fn complaints(form: &Value, document: &Value, path: &str) -> Vec<String> {
    match (form, document) {
        (Value::Object(fields), Value::Object(found)) => fields
            .iter()
            .flat_map(|(name, form)| match found.get(name) {
                Some(value) => complaints(form, value, &format!("{path}.{name}")),
                None if form.as_str().is_some_and(|kind| kind.ends_with('*')) => Vec::new(),
                None => vec![format!("{path}.{name} is missing")],
            })
            .collect(),
        (Value::Array(forms), Value::Array(found)) => {
            let each = |(at, value)| complaints(&forms[0], value, &format!("{path}[{at}]"));
            found.iter().enumerate().flat_map(each).collect()
        }
        (Value::String(kind), value) => {
            let kind = kind.trim_end_matches('*');
            let (kind, may_be_null) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
            let fits = match (kind, value) {
                (_, Value::Null) => may_be_null,
                ("text", Value::String(text)) => !text.is_empty(),
                ("time", Value::String(text)) => {
                    text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
                }
                ("number", Value::Number(_)) | ("flag", Value::Bool(_)) | ("any", _) => true,
                ("object", value) => value.is_object(),
                (words, Value::String(text)) => words.split('|').any(|word| word == text),
                _ => false,
            };
            if fits { Vec::new() } else { vec![format!("{path} is {value}, not {kind}")] }
        }
        _ => vec![format!("{path} is {document}, not of the form {form}")],
    }
}

pub(crate) fn holds(form: &Value, output: &std::process::Output) -> Value {
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)));
    let wrong = complaints(form, &document, "");
    assert!(wrong.is_empty(), "{}\n{document:#}", wrong.join("\n"));
    document
}

const KINDS: &str =
    "assume-role|sso|web-identity|session-token|login|process|static|environment|container|instance-metadata";

fn status_form() -> Value {
    json!({
        "schema": "evercred.status/1",
        "daemon": {"version": "text", "pid": "number", "started_at": "time"},
        "clock": {
            "state": "ok|notice|warning|critical|unknown", "offset_seconds": "number?", "uncertainty_seconds": "number?",
            "source": "text?", "measured_at": "time?", "crosses_limit_in_seconds": "number?",
        },
        "profiles": [{
            "name": "text", "kind": KINDS, "state": "fresh|ready|renewing|retrying|needs-login|failed|static",
            "usable": "flag", "auto_renew": "flag", "account_id": "text?", "account_name": "text?", "role": "text?",
            "region": "text?", "sso_session": "text?", "valid": "flag?", "expires_at": "time?", "remaining_seconds": "number?",
            "renew_at": "time?", "last_renewal": "any?", "last_error": "any?", "deliveries": ["credential-process"],
        }],
        "sso_sessions": [{
            "name": "text", "state": "fresh|ready|renewing|retrying|needs-login", "expires_at": "time?", "ends_at": "time?",
            "profiles": "number",
        }],
        "mfa_sessions": [{"device": "text", "profile": "text", "expires_at": "time?", "profiles": "number"}],
        "problems": [{"id": "text", "message": "text", "file": "text?", "line": "number?", "fix": "text?"}],
    })
}

const FILES: &str = "\
[profile app]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = base
region = eu-west-1
[profile denied]
role_arn = arn:aws:iam::111122223333:role/Nobody
source_profile = base
[profile mfa]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = base
mfa_serial = arn:aws:iam::111122223333:mfa/someone
duration_seconds = 900
[profile process]
credential_process = /bin/true
[profile web]
role_arn = arn:aws:iam::111122223333:role/Mid
web_identity_token_file = /t
role_session_name = me
[profile login]
login_session = arn:aws:iam::111122223333:user/someone
[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile of-instance]
role_arn = arn:aws:iam::111122223333:role/Mid
credential_source = Ec2InstanceMetadata
[profile of-container]
role_arn = arn:aws:iam::111122223333:role/Mid
credential_source = EcsContainer
[profile of-environment]
role_arn = arn:aws:iam::111122223333:role/Mid
credential_source = Environment
[profile loop]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = circle
[profile circle]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = loop
[profile lost]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = nowhere
[profile half]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
[profile both]
role_arn = arn:aws:iam::111122223333:role/Mid
source_profile = base
credential_source = Environment
[profile odd]
role_arn = arn:aws:iam::111122223333:role/Mid
credential_source = Moon
[profile none]
region = eu-west-1
[services local]
s3 =
  endpoint_url = http://localhost:4566
";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(".aws/config", FILES);
    machine
}

#[test]
fn status_has_every_field() {
    let mut machine = machine();
    machine.start();
    let before = holds(&status_form(), &machine.run(&["status", "--json"]));
    let names: Vec<&Value> =
        before["sso_sessions"].as_array().unwrap().iter().map(|session| &session["name"]).collect();
    assert!(names.contains(&&Value::from("corp")), "{names:?}");
    machine.credentials("app").unwrap();
    machine.credentials("denied").unwrap_err();
    let output = machine.run(&["status", "--json"]);
    let document = holds(&status_form(), &output);
    assert_eq!(output.status.code(), Some(1), "a profile failed");
    let of =
        |name: &str| document["profiles"].as_array().unwrap().iter().find(|profile| profile["name"] == name).unwrap();
    let renewal = json!({"at": "time", "ok": "flag", "took_ms": "number", "reason": "text"});
    let error = json!({
        "at": "time", "code": "text", "class": "retryable|needs-login|permanent", "message": "text", "fix": "text?",
    });
    assert_eq!(complaints(&renewal, &of("app")["last_renewal"], "app"), [] as [String; 0]);
    assert_eq!(complaints(&error, &of("denied")["last_error"], "denied"), [] as [String; 0]);
    assert_eq!(
        (&of("app")["state"], &of("app")["usable"], &of("app")["valid"]),
        (&"fresh".into(), &true.into(), &true.into())
    );
    assert_eq!((&of("app")["account_id"], &of("app")["role"]), (&"111122223333".into(), &"Mid".into()));
    assert_eq!((&of("sso")["sso_session"], &of("sso")["role"]), (&"corp".into(), &"Dev".into()));
}

#[test]
fn a_plan_has_the_steps_and_fields_of_its_type_or_an_error() {
    let machine = machine();
    let base = json!({"type": "static", "profile": "text", "access_key_id": "text"});
    let role = json!({
        "type": "assume-role", "profile": "text", "role_arn": "text", "external_id": "text*", "role_session_name": "text",
        "duration_seconds": "number*", "mfa_serial": "text*", "region": "text*",
    });
    let session =
        json!({"type": "session-token", "profile": "text", "mfa_serial": "text", "duration_seconds": "number*"});
    for (profile, steps) in [
        ("base", vec![base.clone()]),
        ("app", vec![base.clone(), role.clone()]),
        ("mfa", vec![base, session, role.clone()]),
        ("process", vec![json!({"type": "process", "profile": "text", "command": "text"})]),
        (
            "web",
            vec![json!({
                "type": "web-identity", "profile": "text", "role_arn": "text", "web_identity_token_file": "text",
                "role_session_name": "text",
            })],
        ),
        ("login", vec![json!({"type": "login", "profile": "text", "login_session": "text"})]),
        (
            "sso",
            vec![json!({
                "type": "sso", "profile": "text", "sso_session": "text", "sso_start_url": "text", "sso_region": "text",
                "sso_account_id": "text", "sso_role_name": "text",
            })],
        ),
        ("of-instance", vec![json!({"type": "instance-metadata"}), role.clone()]),
        ("of-container", vec![json!({"type": "container"}), role.clone()]),
        ("of-environment", vec![json!({"type": "environment"}), role]),
    ] {
        let output = machine.run(&["plan", profile, "--json"]);
        let form = json!({"schema": "evercred.plan/1", "profile": profile, "steps": ["any"], "notes": ["any"], "error": "any?"});
        let document = holds(&form, &output);
        let found = document["steps"].as_array().unwrap();
        assert!(document["error"].is_null() && output.status.code() == Some(0), "{document:#}");
        assert_eq!(found.len(), steps.len(), "{document:#}");
        for (form, step) in steps.iter().zip(found) {
            assert_eq!(complaints(form, step, profile), [] as [String; 0], "{document:#}");
        }
    }
    for (profile, code, exit) in [
        ("nobody", "missing-profile", 4),
        ("loop", "profile-loop", 1),
        ("lost", "missing-source", 1),
        ("half", "incomplete-static", 1),
        ("both", "conflicting-source", 1),
        ("odd", "unknown-source", 1),
        ("none", "no-credentials", 1),
    ] {
        let output = machine.run(&["plan", profile, "--json"]);
        let has_place = if exit == 4 { "text?" } else { "text" };
        let line = if exit == 4 { "number?" } else { "number" };
        let form = json!({
            "schema": "evercred.plan/1", "profile": profile, "steps": [], "notes": ["any"],
            "error": {"code": code, "message": "text", "file": has_place, "line": line},
        });
        assert_eq!(output.status.code(), Some(exit), "{profile}: {}", stderr(&output));
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{profile}: {}", stderr(&output)));
        assert!(document["steps"].as_array().unwrap().is_empty());
        let form = json!({"schema": form["schema"], "profile": form["profile"], "notes": form["notes"], "error": form["error"]});
        holds(&form, &output);
    }
}

#[test]
fn profiles_have_every_setting_with_its_place() {
    let machine = machine();
    let setting = json!({"value": "any", "file": "text", "line": "number"});
    let form = json!({
        "schema": "evercred.profiles/1", "profiles": [{"name": "text", "kind": "any?", "settings": "object"}],
        "sso_sessions": [{"name": "text", "settings": "object"}], "services": [{"name": "text", "settings": "object"}],
        "problems": [{"file": "text", "line": "number?", "message": "text", "fatal": "flag"}],
    });
    let document = holds(&form, &machine.run(&["profiles", "--json"]));
    for section in ["profiles", "sso_sessions", "services"].iter().flat_map(|list| document[*list].as_array().unwrap())
    {
        for (name, value) in section["settings"].as_object().unwrap() {
            assert_eq!(complaints(&setting, value, name), [] as [String; 0]);
        }
    }
    machine.write(".aws/config", "stray\n[profile app]\nregion = eu-west-1\n");
    let output = machine.run(&["profiles", "--json"]);
    let document = holds(&form, &output);
    assert_eq!((output.status.code(), &document["problems"][0]["fatal"]), (Some(1), &true.into()));
}

#[test]
fn the_doctor_and_explain_have_every_field() {
    let machine = machine();
    let fix = json!([{"text": "text", "command": "text?"}]);
    let form = json!({
        "schema": "evercred.doctor/1", "profile": "text?", "identity": "any?",
        "findings": [{
            "id": "text", "severity": "error|warning|info", "certainty": "confirmed|likely|possible", "title": "text",
            "evidence": ["text"], "fix": fix,
        }],
        "checked": ["text"], "not_checked": [{"id": "text", "why": "text"}],
    });
    for (profile, exit, arn) in [
        ("base", 0, Some(format!("arn:aws:iam::{}:user/someone", crate::machine::ACCOUNT))),
        ("app", 0, Some("arn:aws:sts::111122223333:assumed-role/Mid/".to_owned())),
        ("denied", 1, None),
        ("nobody", 4, None),
    ] {
        let output = machine.run(&["doctor", profile, "--json"]);
        let document = holds(&form, &output);
        assert_eq!(output.status.code(), Some(exit), "{document:#}");
        let found = document["identity"]["arn"].as_str();
        assert!(
            found.is_some() == arn.is_some() && found.unwrap_or_default().starts_with(&arn.unwrap_or_default()),
            "{document:#}"
        );
        if found.is_some() {
            assert_eq!(document["identity"]["account_id"], "111122223333");
        }
        for entry in document["not_checked"].as_array().unwrap() {
            assert!(!document["checked"].as_array().unwrap().contains(&entry["id"]), "{entry} is checked and not");
        }
    }
    let text = format!("An error occurred (AccessDenied) when calling the AssumeRole operation: no {}", role("Mid"));
    let of_explain = json!({
        "schema": "evercred.explain/1", "code": "text?", "service": "text?", "operation": "text?", "profile": "text?",
        "meaning": "text",
        "causes": [{
            "id": "text", "likelihood": "confirmed|likely|possible|ruled-out", "evidence": ["text"], "fix": fix, "see": "text?",
        }],
    });
    let document = holds(&of_explain, &machine.run(&["explain", &text, "--profile", "app", "--json", "--offline"]));
    assert_eq!(document["profile"], "app");
    let output = machine.run(&["explain", "all is well", "--json"]);
    let document = holds(&of_explain, &output);
    assert_eq!((output.status.code(), &document["code"]), (Some(1), &json!(null)));
}

#[test]
fn the_clock_has_every_field_with_and_without_a_daemon() {
    let mut machine = machine();
    let form = json!({
        "schema": "evercred.clock/1", "state": "ok|notice|warning|critical|unknown", "offset_seconds": "number?",
        "uncertainty_seconds": "number?", "source": "text?", "measured_at": "time?", "now": "time", "drift_ppm": "number?",
        "drift_uncertainty_ppm": "number?", "crosses_limit_in_seconds": "number?", "predictions": ["text"],
        "limits": [{"seconds": "number", "who": "text"}],
        "sources": [{
            "name": "text", "kind": "aws|endpoint|ntp|kernel", "said": "text", "offset_seconds": "number?",
            "uncertainty_seconds": "number?", "believed": "flag", "why": "text?", "at": "time?",
        }],
        "synchronisation": "object", "zone": "object", "fix": [{"text": "text", "command": "text?"}],
        "history": [{"at": "time", "offset_seconds": "number", "uncertainty_seconds": "number"}],
    });
    assert_eq!(machine.run(&["clock", "--json"]).status.code(), Some(3), "the clock is the daemon's to know");
    machine.start();
    holds(&form, &machine.run(&["clock", "--json"]));
    machine.credentials("app").unwrap();
    let document = holds(&form, &machine.run(&["clock", "--json"]));
    // The same fields as in the status.
    let status = machine.status();
    for field in ["state", "source", "crosses_limit_in_seconds"] {
        assert_eq!(document[field], status["clock"][field], "{field}");
    }
    assert!(document["measured_at"].is_string() && document["offset_seconds"].is_number(), "{document:#}");
}

#[test]
fn the_roles_of_a_session_have_every_field() {
    let mut machine = crate::edge_sso::machine();
    machine.start();
    let form = json!({
        "schema": "evercred.sso-roles/1", "session": {"name": "text?", "start_url": "text", "region": "text"},
        "roles": [{"account_id": "text", "account_name": "text", "role_name": "text", "profiles": ["text"]}],
        "sections": "text",
    });
    let before = machine.run(&["profiles", "--sso", "corp", "--json"]);
    assert_eq!((before.status.code(), before.stdout.len()), (Some(5), 0), "{}", stderr(&before));
    assert_eq!(machine.run(&["profiles", "--sso", "unknown", "--json"]).status.code(), Some(4));
    crate::edge_sso::sign_in(&machine);
    let document = holds(&form, &machine.run(&["profiles", "--sso", "corp", "--json"]));
    assert_eq!(document["roles"].as_array().unwrap().len(), 3);
}

#[test]
fn every_setting_in_force_is_shown_with_its_value_and_where_it_comes_from() {
    let machine = machine();
    machine.write(".config/evercred/evercred.toml", "[renew]\nbefore = \"10m\"\n[clock]\nntp = []\n");
    let output = machine.run(&["config", "show"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    let file = machine.path(".config/evercred/evercred.toml");
    for (key, value, from) in [
        ("renew.profiles", "\"used\"", "default".to_owned()),
        ("renew.used_within", "\"12h\"", "default".to_owned()),
        ("renew.before", "\"10m\"", format!("{}:2", file.display())),
        ("renew.jitter", "\"5m\"", "default".to_owned()),
        ("clock.warn", "\"1m\"", "default".to_owned()),
        ("clock.ntp", "[]", format!("{}:4", file.display())),
        ("clock.probe", "true", "default".to_owned()),
        ("caches.sso", "true", "default".to_owned()),
        ("caches.login", "true", "default".to_owned()),
        ("notify.desktop", "true", "default".to_owned()),
        ("notify.quiet", "\"22:00-07:00\"", "default".to_owned()),
        ("state.persist", "\"runtime\"", "default".to_owned()),
    ] {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(key));
        let line = line.unwrap_or_else(|| panic!("{key} is missing:\n{shown}"));
        let words: Vec<&str> = line.splitn(3, char::is_whitespace).collect();
        assert!(line.contains(&format!("= {value} ")) && line.ends_with(&from), "{words:?}");
    }
    // Each is a line of a settings file: with its section it means the same.
    let key = |line: &str| line.split_whitespace().next().map(str::to_owned).unwrap();
    let text: String = shown
        .lines()
        .map(|line| {
            let (key, value) = (key(line), line.split_once("= ").unwrap().1);
            let value = value.rsplit_once("  ").map_or(value, |(value, _)| value.trim());
            format!("{key} = {value}\n")
        })
        .collect();
    machine.write(".config/evercred/evercred.toml", &text);
    let check = machine.run(&["config", "check"]);
    assert!(check.status.success(), "{text}{}", stderr(&check));
    for what in ["path", "check"] {
        assert!(machine.run(&["config", what]).status.success());
    }
}

#[test]
fn what_a_helper_prints_is_a_document_of_the_sdks() {
    let mut machine = machine();
    machine.start();
    let form = json!({
        "AccessKeyId": "text", "SecretAccessKey": "text", "SessionToken": "text", "Expiration": "time", "AccountId": "text",
        "Version": "number",
    });
    let document = holds(&form, &machine.run(&["credential-process", "app"]));
    assert_eq!(document["Version"], 1);
}

#[test]
fn the_status_of_the_service_is_a_document_on_a_machine_without_a_service_manager() {
    let mut machine = machine();
    let form = json!({
        "schema": "evercred.service-status/1", "installed": "flag", "unit": "text?", "enabled": "text?", "active": "text?",
        "since": "text?", "says": "text?", "pid": "number?", "hardening": "text?", "files": [], "version": "text?",
        "environment": [], "problems": [{"message": "text", "fix": "text"}], "notes": [],
    });
    let status = |machine: &Machine| {
        let mut status = machine.companion();
        status.env("PATH", "/nowhere").args(["service", "status", "--json"]).output().unwrap()
    };
    for is_running in [false, true] {
        if is_running {
            machine.start();
        }
        let output = status(&machine);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let document = holds(&form, &output);
        assert_eq!((document["installed"].as_bool(), document["version"].is_string()), (Some(false), is_running));
    }
}

#[test]
fn exit_codes_say_what_kind_of_failure_it_was() {
    let mut machine = machine();
    let code =
        |machine: &Machine, words: &str| machine.run(&words.split(' ').collect::<Vec<_>>()).status.code().unwrap();
    for words in [
        "status",
        "renew app",
        "login app",
        "logout corp",
        "credential-process app",
        "env app --static",
        "exec app --static -- true",
    ] {
        assert_eq!(code(&machine, words), 3, "{words}: no daemon runs");
    }
    machine.start();
    for (words, expected) in [
        ("credential-process app", 0),
        ("env app --static", 0),
        ("exec app --static -- true", 0),
        ("renew app", 0),
        ("plan app", 0),
        ("clock --json", 0),
        ("config check", 0),
        ("credential-process denied", 1),
        ("renew denied", 1),
        ("frobnicate", 2),
        ("status --frob", 2),
        ("plan a b", 2),
        ("credential-process nobody", 4),
        ("env nobody --static", 4),
        ("exec nobody --static -- true", 4),
        ("renew nobody", 4),
        ("plan nobody", 4),
        ("doctor nobody --offline", 4),
        ("login nobody", 4),
        ("logout nobody", 4),
        ("credential-process sso", 5),
        ("env sso --static", 5),
        ("exec sso --static -- true", 5),
        ("renew sso", 5),
        ("credential-process mfa", 5),
    ] {
        assert_eq!(code(&machine, words), expected, "{words}");
    }
}
