//! Texts as people paste them: each is read as its case says, whatever the size of the pieces, and no secret comes out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use evercred::core::aws_error;
use evercred::core::doctor::{Cause, Certainty, Finding, Report, Severity};
use evercred::core::explain::{Explanation, Likelihood, LocalContext, ReportedError, Scanner, explain, render, scan};
use evercred::core::fix::Fix;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    source: String,
    /// As it was reported; names of accounts, people and hosts that say nothing about the error are replaced.
    text: String,
    code: String,
    service: Option<String>,
    operation: Option<String>,
    /// One of these comes first; where none is named, no cause is likelier than another.
    first: Vec<String>,
    #[serde(default)]
    must_not: Vec<String>,
    extra: Option<Extra>,
}

/// What the message itself says besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    skew_seconds: Option<i64>,
    caller: Option<String>,
    role: Option<String>,
}

fn nothing_known() -> Report {
    Report::default()
}

fn explained(text: &str, report: &Report) -> Explanation {
    explain(&scan(text), report, &LocalContext::default())
}

#[test]
fn every_text_is_read_as_its_case_says() {
    let mut wrong = Vec::new();
    let mut covered = BTreeSet::new();
    for path in files("", "toml") {
        let case: Case = toml::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!case.source.is_empty() && !case.about.is_empty(), "{}: no source", path.display());
        let explanation = explained(&case.text, &nothing_known());
        let mut say = |what: String| wrong.push(format!("{}: {what}", path.file_name().unwrap().display()));
        let Some(error) = explanation.errors.first() else {
            say("no error was found".to_owned());
            continue;
        };
        covered.extend(explanation.errors.iter().map(|error| error.mention.means));
        if error.mention.code != case.code {
            say(format!("code {}, not {}", error.mention.code, case.code));
        }
        let lower = |text: &Option<String>| {
            let text = text.as_ref()?.to_ascii_lowercase();
            Some(text.chars().filter(char::is_ascii_alphanumeric).collect::<String>())
        };
        if case.service.is_some() && lower(&error.mention.service) != lower(&case.service) {
            say(format!("service {:?}, not {:?}", error.mention.service, case.service));
        }
        if case.operation.is_some() && error.mention.operation != case.operation {
            say(format!("operation {:?}, not {:?}", error.mention.operation, case.operation));
        }
        let first = error.causes.first().map_or("nothing", |cause| cause.id.name());
        if !case.first.is_empty() && !case.first.iter().any(|id| id == first) {
            say(format!("{first} comes first, not one of {:?}", case.first));
        }
        let is_likely = error.causes.first().is_some_and(|cause| cause.likelihood < Likelihood::Possible);
        if case.first.is_empty() && is_likely {
            say(format!("{first} is more than possible"));
        }
        if let Some(Extra { skew_seconds, caller, role }) = &case.extra {
            if *skew_seconds != error.mention.skew_seconds {
                say(format!("the clock is off by {:?}, not {skew_seconds:?}", error.mention.skew_seconds));
            }
            let said = format!("{:?}{:?}", error.says, error.causes);
            for part in caller.iter().chain(role).filter(|part| !said.contains(part.as_str())) {
                say(format!("{part} is not said"));
            }
        }
        for id in error.causes.iter().map(|cause| cause.id.name()) {
            if case.must_not.iter().any(|not| not == id) {
                say(format!("{id} is a cause"));
            }
        }
        if error.meaning.is_empty() {
            say("it has no meaning".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(covered.len() > 30, "{covered:?}");
    assert!(files("", "toml").len() >= 60);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    for path in files("not-ours", "txt") {
        let found = scan(&std::fs::read_to_string(&path).unwrap());
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

#[test]
fn every_code_of_aws_is_found_when_aws_sends_it() {
    for entry in aws_error::entries().filter(|entry| entry.is_about_credentials()) {
        let code = entry.code;
        for text in [
            format!("An error occurred ({code}) when calling the AssumeRole operation: no"),
            format!(
                "operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: a, api error {code}: no"
            ),
            format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
            ),
            code.to_owned(),
        ] {
            let found = scan(&text);
            assert_eq!(found.first().map(|mention| mention.code.as_str()), Some(code), "{text}");
        }
    }
}

const DENIED: &str = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token \
                      included in the request is invalid.";

#[test]
fn what_the_doctor_found_comes_first_and_what_it_ruled_out_last() {
    let mut report = nothing_known();
    let stale = Finding::new(Cause::SessionTokenStale, Severity::Error, "a token is left over")
        .evidence("AWS_SESSION_TOKEN is set beside AKIA…")
        .fix(Fix::command("remove it", "unset AWS_SESSION_TOKEN"));
    let region = Finding::new(Cause::RegionInconsistent, Severity::Error, "two regions").certainty(Certainty::Likely);
    report.findings = vec![stale, region];
    report.checked = vec![Cause::SessionTokenStale, Cause::SessionTokenMissing, Cause::ClockSkewed];
    report.not_checked.insert(Cause::AccessKeyUnknown, "doctor sent no request to AWS (--offline)".to_owned());
    let document = explained(DENIED, &report).document();
    let causes = document["causes"].as_array().unwrap();
    assert_eq!(document["schema"], "evercred.explain/1");
    assert_eq!(document["errors"][0]["code"], "InvalidClientTokenId");
    assert_eq!((&causes[0]["id"], &causes[0]["likelihood"]), (&"session-token-stale".into(), &"confirmed".into()));
    assert_eq!(causes[0]["fix"][0]["command"], "unset AWS_SESSION_TOKEN");
    let of = |id: &str| causes.iter().find(|cause| cause["id"] == id).unwrap();
    assert_eq!(of("session-token-missing")["likelihood"], "ruled-out");
    assert_eq!(of("region-inconsistent")["likelihood"], "possible");
    assert_eq!(of("access-key-unknown")["likelihood"], "likely");
    assert!(of("access-key-unknown")["evidence"].to_string().contains("--offline"));
    assert_eq!(causes.last().unwrap()["likelihood"], "ruled-out");
    let text = render(&explained(DENIED, &report), true);
    assert!(text.contains("unset AWS_SESSION_TOKEN") && text.contains("ruled out here:"), "{text}");
}

#[test]
fn every_cause_that_is_not_ruled_out_has_a_fix_or_a_pointer() {
    let texts = files("", "toml").into_iter().map(|path| {
        let case: Case = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        case.text
    });
    // Every code of the table too, whichever service says it.
    let codes = aws_error::entries().flat_map(|entry| {
        let code = entry.code;
        ["AssumeRole", "GetRoleCredentials", "CreateToken"]
            .map(|operation| format!("An error occurred ({code}) when calling the {operation} operation: no"))
    });
    let here = [
        LocalContext::default(),
        LocalContext { profile: Some("a b".to_owned()), uses_fish: true, ..LocalContext::default() },
    ];
    let (mut seen, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for (text, here) in texts.chain(codes).flat_map(|text| here.clone().map(|here| (text.clone(), here))) {
        let document = explain(&scan(&text), &nothing_known(), &here).document();
        for cause in
            document["errors"].as_array().into_iter().flatten().flat_map(|error| error["causes"].as_array().unwrap())
        {
            let id = cause["id"].as_str().unwrap().to_owned();
            let fixes = cause["fix"].as_array().unwrap();
            let is_whole = |fix: &serde_json::Value| {
                !fix["text"].as_str().unwrap().is_empty() && !fix["command"].to_string().contains('<')
            };
            let is_shown =
                cause["see"].as_str().is_some_and(|see| see.starts_with("evercred ") || see.starts_with("curl "));
            let informs = |fix: &serde_json::Value| {
                let command = fix["command"].as_str().unwrap_or_default();
                ["doctor", "plan", "profiles", "clock"]
                    .iter()
                    .any(|name| command.starts_with(&format!("evercred {name}")))
            };
            if fixes.is_empty() != is_shown || !fixes.iter().all(is_whole) || fixes.iter().any(informs) {
                wrong.insert(format!("{id}: {cause}"));
            }
            seen.insert(id);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.len() >= 30, "{seen:?}");
}

#[test]
fn every_cause_that_the_doctor_can_name_has_a_fix_or_a_pointer_where_it_was_not_found() {
    // An error of the doctor's is a cause of every message, also without a fix of its own.
    for id in Cause::ALL {
        let finding = Finding::new(*id, Severity::Error, "it is so").evidence("it was seen");
        let report = Report { findings: vec![finding], ..nothing_known() };
        let document = explained(DENIED, &report).document();
        let causes = document["causes"].as_array().unwrap();
        let cause = causes.iter().find(|cause| cause["id"] == id.name()).unwrap();
        assert!(cause["see"].is_string() || !cause["fix"].as_array().unwrap().is_empty(), "{id}");
    }
}

#[test]
fn at_most_three_causes_are_shown_and_the_others_named() {
    let explanation = explained(DENIED, &nothing_known());
    let causes = |text: &str| {
        text.lines()
            .filter(|line| ["  likely: ", "  possible: ", "  confirmed: "].iter().any(|word| line.starts_with(word)))
            .count()
    };
    let (short, long) = (render(&explanation, false), render(&explanation, true));
    assert_eq!((causes(&short), causes(&long)), (3, explanation.errors[0].causes.len()));
    for cause in &explanation.errors[0].causes {
        assert!(short.contains(cause.id.name()) && long.contains(cause.id.name()), "{}", cause.id);
    }
}

#[test]
fn a_text_of_another_moment_is_said_to_be_one_and_keeps_its_own_advice() {
    let text =
        "Error loading SSO Token: The SSO session associated with this profile has expired or is otherwise invalid.";
    let report = Report { checked: vec![Cause::SsoLoginNeeded], ..nothing_known() };
    let explanation = explained(text, &report);
    assert_eq!(explanation.errors.len(), 1, "two sentences of one SDK are one error: {explanation:#?}");
    let error = &explanation.errors[0];
    assert!(error.says.iter().any(|said| said.contains("another profile")), "{error:#?}");
    let text = render(&explanation, true);
    let first_fix = text.lines().find(|line| line.contains("fix: ")).unwrap();
    assert!(first_fix.contains("evercred login"), "what is only possible is not mended first: {text}");
    assert!(text.contains("possible: clock-skewed"), "{text}");
    let waits = Report { checked: Vec::new(), ..report };
    assert!(explained(&error.mention.message, &waits).errors[0].says.is_empty(), "it was not looked for");
}

#[test]
fn a_profile_that_the_text_names_is_looked_up_by_that_name() {
    let here = LocalContext { profiles: vec!["default".to_owned(), "prod".to_owned()], ..LocalContext::default() };
    let report = Report { checked: vec![Cause::ProfileBroken], ..nothing_known() };
    for (text, likelihood, said) in [
        ("The config profile (prd) could not be found", "confirmed", "did you mean \"prod\""),
        ("The config profile (prod) could not be found", "possible", "have a profile \"prod\""),
        ("failed to get shared config profile, prd", "confirmed", "\"prd\" is in neither"),
    ] {
        let causes = explain(&scan(text), &report, &here).errors.remove(0).causes;
        let cause = causes.iter().find(|cause| cause.id == Cause::ProfileBroken).unwrap();
        assert_eq!(serde_json::json!(cause.likelihood), likelihood, "{text}");
        assert!(cause.evidence.join(" ").contains(said), "{:?}", cause.evidence);
    }
}

#[test]
fn a_skew_that_the_message_proves_stays_and_today_is_said() {
    let text = "An error occurred (SignatureDoesNotMatch) when calling the GetCallerIdentity operation: Signature expired: \
                20261124T080000Z is now earlier than 20261124T081100Z (20261124T082600Z - 15 min.)";
    let mut report = nothing_known();
    report.checked = vec![Cause::ClockSkewed];
    let explanation = explained(text, &report);
    assert_eq!(explanation.errors[0].mention.skew_seconds, Some(-26 * 60));
    let first = &explanation.errors[0].causes[0];
    assert_eq!((first.id.name(), serde_json::json!(first.likelihood)), ("clock-skewed", "confirmed".into()));
    let evidence = first.evidence.join("\n");
    assert!(
        evidence.contains("26 minutes behind AWS's") && evidence.contains(Cause::ClockSkewed.ruled_out()),
        "{evidence}"
    );
}

#[test]
fn an_error_of_another_machine_rules_nothing_out() {
    let text = format!("key AKIAIOSFODNN7EXAMPLE: {DENIED}");
    let mut report = nothing_known();
    report.checked = Cause::ALL.to_vec();
    let here = LocalContext { access_key_ids: vec!["AKIAI44QH8DHBEXAMPLE".to_owned()], ..LocalContext::default() };
    let explanation = explain(&scan(&text), &report, &here);
    let causes = &explanation.errors[0].causes;
    assert!(causes.iter().all(|cause| serde_json::json!(cause.likelihood) == "possible"));
    let text = render(&explanation, true);
    assert_eq!(text.matches("AKIAIOSFODNN7EXAMPLE, which is not in this shell").count(), 1, "{text}");
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut scanner = Scanner::default();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        scanner.feed(&piece);
    }
    scanner.feed(format!(" {DENIED}").as_bytes());
    assert!(format!("{scanner:?}").len() < 1 << 20);
    assert_eq!(scanner.finish().errors.len(), 1);
}

fn in_pieces(bytes: &[u8], size: usize) -> Vec<ReportedError> {
    let mut scanner = Scanner::default();
    bytes.chunks(size).for_each(|piece| scanner.feed(piece));
    scanner.finish().errors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let explanation = explain(&in_pieces(&bytes, 7), &nothing_known(), &LocalContext::default());
        render(&explanation, true);
        explanation.document();
    }

    #[test]
    fn the_size_of_the_pieces_makes_no_difference(
        words in proptest::collection::vec(prop_oneof![
            Just(DENIED.to_owned()), Just("\u{1b}[31m".to_owned()), Just("│ ü\n".to_owned()), Just("x".repeat(30_000)),
            Just("<Code>ExpiredToken</Code>".to_owned()), Just("Unable to locate credentials".to_owned()), ".{0,40}",
        ], 0..12),
        size in 1_usize..5_000,
    ) {
        let text = words.join(" ");
        prop_assert_eq!(in_pieces(text.as_bytes(), size), scan(&text));
    }
}

fn files(under: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain").join(under);
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|is| is == extension)).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths
}
