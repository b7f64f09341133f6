//! Error texts from public threads, explained for a machine without findings, and the success rate by kind.

use std::collections::BTreeMap;
use std::path::Path;

use evercred::core::doctor::{Cause, Report};
use evercred::core::explain::{Explained, Likelihood, LocalContext, Scanner, explain};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    /// The URL of the report. Irrelevant names of accounts, people and hosts are replaced.
    source: String,
    kind: Kind,
    text: String,
    /// The expected codes; if there are none, any code is right.
    code: Vec<String>,
    /// One of these has to be the first cause that is not ruled out, or the first one if all are.
    first: Vec<String>,
    /// Causes that must be neither confirmed nor likely.
    #[serde(default)]
    never: Vec<String>,
    service: Option<String>,
    operation: Option<String>,
    never_service: Option<String>,
    /// Only a part of the text was in the thread; the rest is written as the program prints it.
    #[serde(default)]
    #[expect(dead_code, reason = "kept for readers of the file")]
    rebuilt: bool,
    /// Words from the name of the server that is not AWS, if the text names it.
    server: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// As it was reported.
    Reported,
    /// The same text, broken by a console.
    Wrapped,
    /// An explanation is optional.
    Either,
    /// The text is not about AWS credentials, and must not be explained.
    Foreign,
}

/// The report of a machine on which every cause was checked and none was found.
fn healthy() -> (Report, LocalContext) {
    let report = Report { checked: Cause::ALL.to_vec(), ..Report::default() };
    let here = LocalContext {
        access_key_ids: vec!["AKIAQHEALTHY00000000".to_owned()],
        profiles: vec!["default".to_owned(), "dev".to_owned()],
        accounts: vec!["999988887777".to_owned()],
        profile: Some("default".to_owned()),
        ..LocalContext::default()
    };
    (report, here)
}

fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The error in the explanation of a case.
fn mistakes(case: &Case) -> Vec<String> {
    let (report, here) = healthy();
    let mut scanner = Scanner::default();
    scanner.feed(case.text.as_bytes());
    let scanned = scanner.finish();
    let explanation = explain(&scanned.errors, &report, &here);
    let mut wrong = Vec::new();
    if let Some(server) = &case.server
        && !scanned
            .foreign
            .first()
            .and_then(|error| error.server.as_ref())
            .is_some_and(|found| found.name.contains(server))
    {
        wrong.push(format!("the server is {:?}, not {server}", scanned.foreign));
    }
    match (explanation.errors.first(), case.kind) {
        (Some(error), Kind::Foreign) => wrong.push(format!("it is explained: {}", error.mention.code)),
        (None, Kind::Foreign | Kind::Either) => {}
        (None, _) => wrong.push("it is not explained".to_owned()),
        (Some(error), _) => judge(case, error, &mut wrong),
    }
    wrong
}

fn judge(case: &Case, error: &Explained, wrong: &mut Vec<String>) {
    let mention = &error.mention;
    if !case.code.is_empty() && !case.code.contains(&mention.code) {
        wrong.push(format!("code {}, not one of {:?}", mention.code, case.code));
    }
    let differs = |wanted: &Option<String>, is: &Option<String>| {
        wanted.as_ref().is_some_and(|wanted| Some(plain(wanted)) != is.as_deref().map(plain))
    };
    if differs(&case.service, &mention.service) {
        wrong.push(format!("service {:?}, not {:?}", mention.service, case.service));
    }
    if case.never_service.is_some() && case.never_service == mention.service {
        wrong.push(format!("service {:?}", mention.service));
    }
    if differs(&case.operation, &mention.operation) {
        wrong.push(format!("operation {:?}, not {:?}", mention.operation, case.operation));
    }
    let open = error.causes.iter().find(|cause| cause.likelihood != Likelihood::RuledOut);
    let first = open.or(error.causes.first()).map_or("nothing", |cause| cause.id.name());
    if !case.first.is_empty() && !case.first.iter().any(|id| id == first) {
        wrong.push(format!("{first} comes first, not one of {:?}", case.first));
    }
    for cause in error.causes.iter().filter(|cause| cause.likelihood <= Likelihood::Likely) {
        if case.never.iter().any(|never| never == cause.id.name()) {
            wrong.push(format!("{} is {:?}", cause.id, cause.likelihood));
        }
    }
}

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn all_right(file: &str) {
    let (mut rates, mut wrong) = (BTreeMap::<Kind, (usize, usize)>::new(), Vec::new());
    for case in cases(file) {
        assert!(!case.source.is_empty(), "{}: no source", case.id);
        let mistakes = mistakes(&case);
        let (right, all) = rates.entry(case.kind).or_default();
        *all += 1;
        *right += usize::from(mistakes.is_empty());
        wrong.extend(mistakes.into_iter().map(|mistake| format!("{}: {mistake}", case.id)));
    }
    let rates: Vec<String> = rates.iter().map(|(kind, (right, all))| format!("{kind:?} {right} of {all}")).collect();
    assert!(wrong.is_empty(), "{}\n{}", rates.join(", "), wrong.join("\n"));
}

#[test]
fn texts_found_in_other_threads_are_explained() {
    all_right("found.json");
}

#[test]
fn texts_of_tools_from_more_threads_are_explained() {
    all_right("tools.json");
}

#[test]
fn texts_of_logs_and_deployments_are_explained() {
    all_right("threads.json");
}

#[test]
fn texts_of_libraries_and_deployments_are_explained() {
    all_right("pasted.json");
}

#[test]
fn errors_of_servers_that_speak_the_s3_protocol_are_not_awss() {
    all_right("other_servers.json");
}

#[test]
fn errors_of_other_makers_and_apps_are_not_claimed() {
    all_right("foreign.json");
}

#[test]
fn reported_texts_are_explained_and_foreign_ones_are_not() {
    all_right("reported.json");
}
