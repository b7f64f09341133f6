//! A case for the doctor: a folder in `tests/data/doctor` with the AWS files, the environment, what AWS answers, and what is
//! to be found. `${user.id}` and the like stand for keys, so that one case runs with answers that are written down and against
//! the stand-in with keys that sign for real.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// A case as it is written down.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Case {
    /// What it is about, for people.
    pub(crate) about: String,
    /// PROFILE.
    pub(crate) profile: Option<String>,
    /// `--offline`.
    pub(crate) offline: bool,
    /// `--run-process`.
    pub(crate) run_process: bool,
    /// Certificate files by path, and whether each exists; only in cases with written answers.
    pub(crate) ca_bundles: BTreeMap<String, String>,
    /// Whether the daemon runs (against the stand-in only).
    pub(crate) daemon: bool,
    /// What is said of the daemon's environment, where answers are written down.
    pub(crate) drift: Option<String>,
    /// The token of an SSO session in the cache: `signed-in`, or `signed-out` where the portal does not take it any more.
    pub(crate) sso: Option<String>,
    /// The user who runs the real program, where that is not the one who runs the tests.
    pub(crate) uid: Option<u32>,
    /// The session whose cache directory belongs to root.
    pub(crate) unwritable_cache: Option<String>,
    /// Variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// Permissions of `config` and `credentials`, in octal.
    pub(crate) modes: BTreeMap<String, String>,
    /// More files, by their path in HOME.
    pub(crate) files: BTreeMap<String, String>,
    /// What is different at the stand-in.
    pub(crate) aws: Aws,
    /// What AWS answers, where the answers are written down: by what was asked.
    pub(crate) answers: BTreeMap<String, String>,
    /// What is to be found.
    pub(crate) expect: Expect,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// What is different at the stand-in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Aws {
    /// Why the case can't run against the stand-in, with the real programs.
    pub(crate) absent: Option<String>,
    /// The stand-in's clock minus this machine's.
    pub(crate) clock: i64,
    /// Regions by state: `not-enabled` or `disabled`.
    pub(crate) regions: BTreeMap<String, String>,
    /// Roles by ARN: who may assume them, as `trusts`, `external-id`, `mfa`, `denied`, `longest`.
    pub(crate) roles: BTreeMap<String, Role>,
    /// Roles of the account that are assigned to the user who signs in.
    pub(crate) assigned: Vec<String>,
    /// Every request fails so.
    pub(crate) outage: Option<String>,
    /// Operations that are refused: `400 ValidationError: message`.
    pub(crate) refuses: BTreeMap<String, String>,
}

/// A role at the stand-in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Role {
    pub(crate) trusts: Vec<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) mfa: bool,
    /// Behind AccessDenied's text, whoever asks.
    pub(crate) denied: Option<String>,
    pub(crate) longest: Option<i64>,
}

/// What is to be found.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Expect {
    /// Ids with their severities: `credentials-expired = "error"`, or with the certainty too: `"error, likely"`.
    pub(crate) found: BTreeMap<String, String>,
    /// Ids that may be there.
    pub(crate) may: Vec<String>,
    /// Texts that are in titles, evidence or fixes.
    pub(crate) says: Vec<String>,
    /// Texts that are said of an answer of AWS itself, and nowhere if another server gave the answer.
    pub(crate) says_of_aws: Vec<String>,
    /// Texts that are nowhere.
    pub(crate) never: Vec<String>,
    /// Ids of what could not be looked for to the end.
    pub(crate) open: Vec<String>,
    /// The first finding's id.
    pub(crate) first: Option<String>,
    /// The state in the verdict: `works`, `fails` or `not-tested`.
    pub(crate) verdict: Option<String>,
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/doctor");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Case {
    let text = std::fs::read_to_string(folder.join("case.toml"))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!case.about.is_empty(), "{}: it says nothing about itself", folder.display());
    Case { folder, ..case }
}

impl Case {
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// One of the AWS files with the keys filled in; `None` where the case has none.
    pub(crate) fn file(&self, name: &str, values: &Values) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join(name)).ok()?;
        Some(fill(&text, values, &self.name()))
    }

    /// The other files with the keys filled in. The tests with the daemon write them.
    #[cfg(feature = "daemon")]
    pub(crate) fn other_files(&self, values: &Values) -> BTreeMap<String, String> {
        let fill = |(name, text): (&String, &String)| (name.clone(), fill(text, values, &self.name()));
        self.files.iter().map(fill).collect()
    }

    /// What AWS answers to a question, with the keys filled in.
    pub(crate) fn answer(&self, asked: &str, values: &Values) -> Option<String> {
        Some(fill(self.answers.get(asked)?, values, &self.name()))
    }

    /// The variables with the keys filled in.
    pub(crate) fn variables(&self, values: &Values) -> BTreeMap<String, String> {
        let fill = |(name, text): (&String, &String)| (name.clone(), fill(text, values, &self.name()));
        self.environment.iter().map(fill).collect()
    }

    /// Holds what was found against what was expected: what is wrong, a sentence each. `besides` is found in this kind of run
    /// whatever the case.
    pub(crate) fn complaints(&self, document: &Value, besides: &[&str], values: &Values) -> Vec<String> {
        let name = self.name();
        let findings = document["findings"].as_array().unwrap();
        let text = document.to_string();
        let mut complaints = Vec::new();
        for (id, expected) in &self.expect.found {
            let mut of_id = findings.iter().filter(|finding| finding["id"] == id.as_str()).peekable();
            let fits = |finding: &Value| {
                let mut words = expected.split(", ");
                finding["severity"] == words.next().unwrap()
                    && words.next().is_none_or(|word| finding["certainty"] == word)
            };
            if of_id.peek().is_none() {
                complaints.push(format!("{id} was not found"));
            } else if !of_id.any(fits) {
                complaints.push(format!("{id} is not {expected}"));
            }
        }
        for finding in findings {
            let id = finding["id"].as_str().unwrap();
            let known = self.expect.found.contains_key(id) || self.expect.may.iter().any(|may| may == id);
            if !known && !besides.contains(&id) {
                complaints.push(format!("{id} should not have been found"));
            }
            if finding["evidence"].as_array().unwrap().is_empty() {
                complaints.push(format!("{id} has no evidence"));
            }
            if finding["fix"].as_array().unwrap().is_empty() && finding["severity"] != "info" {
                complaints.push(format!("{id} has no fix"));
            }
        }
        let not_checked = document["not_checked"].as_array().unwrap();
        for id in self.expect.open.iter().filter(|id| !not_checked.iter().any(|entry| entry["id"] == id.as_str())) {
            complaints.push(format!("{id} does not count as open"));
        }
        let state = document["verdict"]["state"].as_str().unwrap();
        if self.expect.verdict.as_ref().is_some_and(|wanted| wanted != state) {
            complaints.push(format!("the verdict is {state}"));
        }
        let has_error = findings.iter().any(|finding| finding["severity"] == "error");
        if !has_error && (state == "fails" || (state == "works") != document["identity"].is_object()) {
            complaints.push(format!("the verdict is {state}, which the identity and the findings don't say"));
        }
        let mut of_case = findings.iter().map(|finding| &finding["id"]);
        let first = of_case.find(|id| !besides.iter().any(|besides| *id == besides));
        if self.expect.first.as_ref().is_some_and(|wanted| first != Some(&Value::from(wanted.as_str()))) {
            complaints.push(format!("{first:?} comes first"));
        }
        for part in self.expect.says.iter().map(|part| fill(part, values, &name)).filter(|part| !text.contains(part)) {
            complaints.push(format!("{part:?} is not said"));
        }
        for part in self.expect.never.iter().map(|part| fill(part, values, &name)).filter(|part| text.contains(part)) {
            complaints.push(format!("{part:?} is said"));
        }
        let is_aws = !besides.contains(&"endpoint-overridden");
        for part in self.expect.says_of_aws.iter().map(|part| fill(part, values, &name)) {
            if text.contains(&part) != is_aws {
                complaints.push(format!("whether {part:?} is said does not depend on who answers"));
            }
        }
        let is_shown = |secret: &&String| {
            secret.as_bytes().windows(12).any(|part| text.contains(std::str::from_utf8(part).unwrap()))
        };
        complaints.extend(values.secrets().filter(is_shown).map(|_| "a secret is shown".to_owned()));
        if complaints.is_empty() {
            complaints
        } else {
            vec![format!("{name}: {}: {document:#}", complaints.join("; "))]
        }
    }
}

/// What the placeholders stand for.
#[derive(Default)]
pub(crate) struct Values(pub(crate) BTreeMap<String, String>);

impl Values {
    pub(crate) fn put(&mut self, who: &str, id: &str, secret: &str, token: Option<&str>) {
        self.0.insert(format!("{who}.id"), id.to_owned());
        self.0.insert(format!("{who}.secret"), secret.to_owned());
        if let Some(token) = token {
            self.0.insert(format!("{who}.token"), token.to_owned());
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &String> {
        let is_secret = |name: &str| name.ends_with(".secret") || name.ends_with(".token");
        self.0.iter().filter(move |(name, _)| is_secret(name)).map(|(_, value)| value)
    }
}

/// `${user.id}`, and changed: `${user.secret:cut}`, `:typo`, `:lower`, `:double`; `${time+3600}` is a time by this machine's
/// clock (`${now}` stands in `values` as milliseconds).
fn fill(text: &str, values: &Values, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (key, behind) = after.split_once('}').unwrap_or_else(|| panic!("{name}: an open placeholder"));
        out.push_str(before);
        out.push_str(&value(key, values).unwrap_or_else(|| panic!("{name}: nothing is known of ${{{key}}}")));
        rest = behind;
    }
    out + rest
}

fn value(key: &str, values: &Values) -> Option<String> {
    if let Some(seconds) = key.strip_prefix("time") {
        let now: i64 = values.0.get("now")?.parse().ok()?;
        let at = chrono::DateTime::from_timestamp_millis(now + seconds.parse::<i64>().ok()? * 1_000)?;
        return Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    let (key, change) = key.split_once(':').unwrap_or((key, ""));
    let value = values.0.get(key)?;
    Some(match change {
        "" => value.clone(),
        "cut" => value[..value.len() - 1].to_owned(),
        "half" => value[..value.len() / 2].to_owned(),
        "lower" => value.to_lowercase(),
        "double" => format!("{value}{value}"),
        // Another letter of the same alphabet in the middle.
        "typo" => {
            let middle = value.len() / 2;
            let letter = if value.as_bytes()[middle] == b'Q' { "W" } else { "Q" };
            format!("{}{letter}{}", &value[..middle], &value[middle + 1..])
        }
        _ => return None,
    })
}
