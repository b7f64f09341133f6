//! Every reported text, explained by the real program where people ask: with no keys, with healthy ones, behind a proxy.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::machine::Machine;

/// A machine on which somebody asks.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// No keys and no files.
    Bare,
    /// A user's key that AWS was not asked about.
    HealthyOffline,
    /// A user's key that the server accepts to which `AWS_ENDPOINT_URL` sends all calls.
    Accepted,
    /// Only a profile with a region.
    OnlyNamed,
}

const PLACES: [Place; 4] = [Place::Bare, Place::HealthyOffline, Place::Accepted, Place::OnlyNamed];

impl Place {
    fn prepare(self, machine: &Machine) {
        let key = &machine.base;
        let keys = format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.access_key_id, key.secret_access_key
        );
        let (config, credentials) = match self {
            Self::Bare => ("", ""),
            Self::HealthyOffline | Self::Accepted => ("[default]\nregion = us-east-1\n", keys.as_str()),
            Self::OnlyNamed => ("[profile dev]\nregion = us-east-1\n", ""),
        };
        machine.write(".aws/config", config);
        machine.write(".aws/credentials", credentials);
    }

    fn command(self, machine: &Machine) -> Command {
        let mut command = machine.companion();
        command.args(["explain", "-", "--json"]);
        for name in ["STS", "SSO", "SSO_OIDC", "SIGNIN"] {
            command.env_remove(format!("AWS_ENDPOINT_URL_{name}"));
        }
        match self {
            Self::Accepted => command.env("AWS_ENDPOINT_URL", machine.aws.url()),
            Self::Bare | Self::HealthyOffline | Self::OnlyNamed => command.arg("--offline"),
        };
        command
    }
}

/// The document, and whether the text is explained: the exit code is 1 for an error of another server.
fn explained(mut command: Command, text: &str) -> (Value, bool) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.success())
}

/// What is wrong with an explanation.
fn mistake(case: &Value, document: &Value, is_claimed: bool) -> Option<String> {
    let causes = document["causes"].as_array().unwrap();
    match case["kind"].as_str().unwrap() {
        "foreign" => return is_claimed.then(|| format!("it is explained: {}", document["code"])),
        "either" if !is_claimed => return None,
        _ if !is_claimed => return Some("it is not explained".to_owned()),
        _ => {}
    }
    let is_of = |list: &str, id: &Value| case[list].as_array().is_some_and(|ids| ids.contains(id));
    let first = causes.iter().find(|cause| cause["likelihood"] != "ruled-out").or(causes.first());
    let is_wanted =
        case["first"].as_array().is_none_or(Vec::is_empty) || first.is_some_and(|cause| is_of("first", &cause["id"]));
    let is_sure = |cause: &&Value| cause["likelihood"] == "confirmed" || cause["likelihood"] == "likely";
    let never = causes.iter().find(|cause| is_sure(cause) && is_of("never", &cause["id"]));
    match never {
        Some(cause) => Some(format!("{} is {}", cause["id"], cause["likelihood"])),
        None => {
            (!is_wanted).then(|| first.map_or("no cause".to_owned(), |cause| format!("{} comes first", cause["id"])))
        }
    }
}

#[test]
fn each_reported_text_has_a_right_cause_first_in_each_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain/reported.json");
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (rates, wrong) = (Mutex::new(BTreeMap::<String, (usize, usize)>::new()), Mutex::new(Vec::new()));
    for place in PLACES {
        let machine = Machine::new();
        place.prepare(&machine);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (document, is_claimed) = explained(place.command(&machine), case["text"].as_str().unwrap());
                let found = mistake(case, &document, is_claimed);
                let mut rates = rates.lock().unwrap();
                let (right, all) = rates.entry(format!("{place:?} {}", case["kind"])).or_default();
                *all += 1;
                *right += usize::from(found.is_none());
                wrong.lock().unwrap().extend(found.map(|what| format!("{place:?} {}: {what}", case["id"])));
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(work);
            }
        });
    }
    let (rates, wrong) = (rates.into_inner().unwrap(), wrong.into_inner().unwrap());
    assert!(wrong.is_empty(), "{rates:?}\n{}", wrong.join("\n"));
}
