//! What a finding rests on: the files, AWS's answers, or the answers of a server that is not AWS.

use super::probe::{ClockFacts, StepAnswer, StepOutcome};
use super::testing::{answers, evidence, identity, one, refusal};
use super::{
    About, Answer, Answers, Cause, Certainty, Finding, KeySource, Outcome, Refusal, Report, Severity, Variant,
    diagnose, questions,
};
use crate::core::aws_error::{self, Operation};

const KEYS: &str = "[dev]\naws_access_key_id = AKIAQSOMEBODYSKEY234\naws_secret_access_key = 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\n";
const ROLE: &str = "[profile dev]\nregion = eu-west-1\n[profile app]\nregion = eu-west-1\nsource_profile = dev\n\
                    role_arn = arn:aws:iam::111122223333:role/App\n";
const SSO: &str = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                   [profile sso]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n";
const EMULATOR: (&str, &str) = ("AWS_ENDPOINT_URL", "http://localhost:4566");

fn dev() -> KeySource {
    KeySource::Profile("dev".to_owned())
}

fn refused(operation: &'static str, code: &str) -> Refusal {
    Refusal { operation: Operation::new(operation), ..refusal(code) }
}

fn step(profile: &str, kind: &str, outcome: StepOutcome) -> StepAnswer {
    let (profile, kind) = (profile.to_owned(), kind.to_owned());
    StepAnswer { profile, kind, outcome, printed: None, stated_account: None, identity: None }
}

fn passed() -> StepOutcome {
    StepOutcome::Passed { expires_at: None, arn: None }
}

fn of_keys(variables: &[(&str, &str)], code: &str) -> Report {
    let about = identity(dev(), Variant::AsIs, "eu-west-1");
    let list = vec![(about, Answer::Refused(refused("GetCallerIdentity", code)))];
    diagnose(&evidence(ROLE, KEYS, variables, "dev"), &answers(list))
}

fn of_steps(config: &str, profile: &str, variables: &[(&str, &str)], steps: Vec<StepAnswer>) -> Report {
    diagnose(&evidence(config, KEYS, variables, profile), &answers(vec![(About::Chain, Answer::Chain { steps })]))
}

/// Whether a finding names a command that changes or deletes something at AWS.
fn is_at_aws(finding: &Finding) -> bool {
    let commands = finding.fix.iter().filter_map(|fix| fix.command.as_deref());
    commands.flat_map(str::lines).any(|line| ["aws iam", "aws account"].iter().any(|start| line.starts_with(start)))
}

/// The first finding is about the credentials and names the server with its setting; a warning about the setting follows.
fn is_about_the_server(report: &Report, url: &str, place: &str) {
    let first = &report.findings[0];
    assert!(first.severity == Severity::Error && first.id != Cause::EndpointOverridden, "{report:#?}");
    assert!(matches!(&report.verdict.outcome, Outcome::Fails(why) if *why == first.title), "{report:#?}");
    assert!(!report.findings.iter().any(is_at_aws), "{report:#?}");
    let setting = one(report, Cause::EndpointOverridden);
    assert_eq!((setting.severity, setting.certainty), (Severity::Warning, Certainty::Confirmed), "{setting:#?}");
    for finding in report.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        assert!(finding.title.contains(url) && finding.title.contains(place), "{finding:#?}");
        assert!(finding.evidence[0].contains(place) && finding.evidence[0].contains(url), "{finding:#?}");
        assert!(finding.fix.contains(&setting.fix[0]), "{finding:#?}");
        assert!(!finding.title.contains("AWS "), "{finding:#?}");
    }
}

#[test]
fn a_refusal_of_keys_by_another_server_is_said_of_that_server() {
    for code in aws_error::entries().map(|entry| entry.code) {
        if refusal(code).why_open().is_some() {
            continue;
        }
        for (variable, url, place) in [
            ("AWS_ENDPOINT_URL", "http://localhost:4566", "AWS_ENDPOINT_URL"),
            ("AWS_ENDPOINT_URL_STS", "https://gate.example", "AWS_ENDPOINT_URL_STS"),
        ] {
            let report = of_keys(&[(variable, url)], code);
            is_about_the_server(&report, url, place);
        }
        // AWS's own answer.
        let report = of_keys(&[], code);
        assert!(report.findings.iter().all(|finding| finding.id != Cause::EndpointOverridden), "{report:#?}");
    }
    let by_aws = of_keys(&[], "InvalidClientTokenId");
    let unknown = one(&by_aws, Cause::AccessKeyUnknown);
    assert!(unknown.certainty == Certainty::Confirmed && is_at_aws(unknown), "{unknown:#?}");
    let elsewhere = of_keys(&[EMULATOR], "InvalidClientTokenId");
    let unknown = one(&elsewhere, Cause::AccessKeyUnknown);
    assert_eq!(unknown.certainty, Certainty::Confirmed, "{unknown:#?}");
    let server = "the server at http://localhost:4566, which AWS_ENDPOINT_URL names, does not know the access key";
    assert!(unknown.title.starts_with(server), "{unknown:#?}");
}

#[test]
fn a_setting_in_a_file_is_named_with_its_line() {
    let about = identity(dev(), Variant::AsIs, "eu-west-1");
    for (more, line) in [
        ("endpoint_url = http://localhost:4566\n", "/h/.aws/config:3"),
        ("services = s\n[services s]\nsts =\n  endpoint_url = http://localhost:4566\n", "/h/.aws/config:6"),
    ] {
        let config = format!("[profile dev]\nregion = eu-west-1\n{more}");
        let refusal = Answer::Refused(refused("GetCallerIdentity", "SignatureDoesNotMatch"));
        let report = diagnose(&evidence(&config, KEYS, &[], "dev"), &answers(vec![(about.clone(), refusal)]));
        is_about_the_server(&report, "http://localhost:4566", line);
    }
}

#[test]
fn a_refused_step_of_another_server_is_said_of_that_server() {
    for code in ["AccessDenied", "InvalidClientTokenId", "MalformedPolicyDocument", "ExpiredToken", "OptInRequired"] {
        let steps = || {
            let outcome = StepOutcome::Refused(refused("AssumeRole", code));
            vec![step("dev", "static", passed()), step("app", "assume-role", outcome)]
        };
        is_about_the_server(&of_steps(ROLE, "app", &[EMULATOR], steps()), "http://localhost:4566", "AWS_ENDPOINT_URL");
    }
    for code in ["ForbiddenException", "UnauthorizedException", "InvalidRequestException"] {
        let steps = vec![step("sso", "sso", StepOutcome::Refused(refused("GetRoleCredentials", code)))];
        // Only the portal's own setting counts for the portal.
        let elsewhere = of_steps(SSO, "sso", &[("AWS_ENDPOINT_URL_SSO", "http://localhost:1")], steps.clone());
        is_about_the_server(&elsewhere, "http://localhost:1", "AWS_ENDPOINT_URL_SSO");
        let of_sts = of_steps(SSO, "sso", &[("AWS_ENDPOINT_URL_STS", "http://localhost:1")], steps);
        assert!(!of_sts.findings[0].title.contains("the server at"), "{of_sts:#?}");
    }
    // An answer that decides nothing.
    let throttled = vec![step("dev", "static", StepOutcome::Refused(refused("GetCallerIdentity", "Throttling")))];
    let report = of_steps(ROLE, "app", &[EMULATOR], throttled);
    assert!(report.findings.iter().all(|finding| finding.severity != Severity::Error), "{report:#?}");
}

#[test]
fn what_the_files_prove_comes_before_a_network_that_is_down() {
    let clock = |code: &str| {
        let unreached = Some(refused("asking AWS for the time", code));
        (About::Clock, Answer::Clock(ClockFacts { unreached, ..ClockFacts::default() }))
    };
    let half = "[profile dev]\nregion = eu-west-1\n[profile app]\nregion = eu-west-1\nsource_profile = dev\n\
                role_arn = arn:aws:iam::111122223333:role/App\n";
    let of_id = "[dev]\naws_access_key_id = AKIAQSOMEBODYSKEY234\n";
    let of_secret = "[dev]\naws_secret_access_key = 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\n";
    for (config, credentials, profile, cause) in [
        (half, of_id, "dev", Cause::CredentialsMissing),
        (half, of_secret, "dev", Cause::CredentialsMissing),
        (half, of_id, "app", Cause::CredentialsMissing),
        ("[profile dev]\nrole_arn = x\nsource_profile = gone\nregion = eu-west-1\n", "", "dev", Cause::ProfileBroken),
        ("[profile dev]\nregion = eu-west-1\n", "", "dev", Cause::CredentialsMissing),
        (
            half,
            "[dev]\naws_access_key_id = AKIAQSOMEBODY\naws_secret_access_key = x\n",
            "dev",
            Cause::AccessKeyMalformed,
        ),
    ] {
        let mut answered = vec![clock("Network")];
        answered.push((
            identity(dev(), Variant::AsIs, "eu-west-1"),
            Answer::Refused(refused("GetCallerIdentity", "Network")),
        ));
        let report = diagnose(&evidence(config, credentials, &[], profile), &answers(answered));
        let first = &report.findings[0];
        assert_eq!((first.id, first.severity), (cause, Severity::Error), "{report:#?}");
        assert!(matches!(&report.verdict.outcome, Outcome::Fails(why) if *why == first.title), "{report:#?}");
        assert!(report.findings.iter().any(|finding| finding.id == Cause::NetworkUnreachable), "{report:#?}");
    }
    // A profile that exists: the network is the cause.
    let report = diagnose(
        &evidence(ROLE, KEYS, &[], "dev"),
        &answers(vec![
            clock("Network"),
            (identity(dev(), Variant::AsIs, "eu-west-1"), Answer::Refused(refused("GetCallerIdentity", "Network"))),
        ]),
    );
    assert_eq!(report.findings[0].id, Cause::NetworkUnreachable, "{report:#?}");
}

#[test]
fn a_profile_that_is_in_no_file_asks_the_network_nothing() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAQSOMEBODYSKEY234"),
        ("AWS_SECRET_ACCESS_KEY", "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"),
    ];
    let evidence = evidence(ROLE, KEYS, &variables, "nowhere");
    let asked = questions(&evidence, &Answers::default(), &["time.example".to_owned()]);
    let is_local =
        |order: &super::Order| matches!(order, super::Order::Clock { look_at: None, ntp, .. } if ntp.is_empty());
    assert!(asked.len() == 1 && asked.iter().all(|question| is_local(&question.order)), "{asked:#?}");
    let answered = answers(vec![(About::Clock, Answer::Clock(ClockFacts::default()))]);
    assert!(questions(&evidence, &answered, &[]).is_empty());
    let report = diagnose(&evidence, &answered);
    assert!(report.findings[0].id == Cause::ProfileBroken && report.lacks_profile, "{report:#?}");
    assert!(report.not_checked.contains_key(&Cause::NetworkUnreachable), "{report:#?}");
}

#[test]
fn half_a_key_is_corrected_by_an_edit_at_its_line() {
    for (credentials, edit) in [
        (
            "[dev]\naws_access_key_id = AKIAQSOMEBODYSKEY234\n",
            "Add the missing aws_secret_access_key after line 2 of /h/.aws/credentials.",
        ),
        (
            "[dev]\n\naws_secret_access_key = 6Kq0vN3mXbT9pLz1RwYc8JdHs5FgUe2aQ7iOtMnB\n",
            "Add the missing aws_access_key_id after line 3 of /h/.aws/credentials.",
        ),
    ] {
        for profile in ["dev", "app"] {
            let report = diagnose(&evidence(ROLE, credentials, &[], profile), &Answers::default());
            let finding = one(&report, Cause::CredentialsMissing);
            assert_eq!((finding.fix[0].text.as_str(), &finding.fix[0].command), (edit, &None), "{finding:#?}");
        }
    }
}

#[test]
fn the_removal_names_every_setting_that_keeps_calls_from_aws_in_the_order_in_which_they_count() {
    let both = [("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ENDPOINT_URL_STS", "http://localhost:2")];
    let config = "[profile dev]\nregion = eu-west-1\nendpoint_url = http://localhost:3\nservices = s\n\
                  [services s]\nsts =\n  endpoint_url = http://localhost:4\nsso =\n  endpoint_url = http://localhost:5\n";
    let about = identity(dev(), Variant::AsIs, "eu-west-1");
    let first_fix = |config: &str, variables: &[(&str, &str)]| {
        let refusal = Answer::Refused(refused("GetCallerIdentity", "InvalidClientTokenId"));
        let report = diagnose(&evidence(config, KEYS, variables, "dev"), &answers(vec![(about.clone(), refusal)]));
        one(&report, Cause::EndpointOverridden).fix[0].clone()
    };
    let variables = first_fix(ROLE, &both);
    assert_eq!(variables.command.as_deref(), Some("unset AWS_ENDPOINT_URL_STS AWS_ENDPOINT_URL"));
    let all = first_fix(config, &both);
    assert_eq!(all.command, variables.command);
    assert!(all.text.ends_with("delete the lines /h/.aws/config:7 and /h/.aws/config:3."), "{all:?}");
    let of_files = first_fix(config, &[]);
    assert!(
        of_files.command.is_none() && of_files.text.contains("/h/.aws/config:7 and /h/.aws/config:3"),
        "{of_files:?}"
    );
    // Another service's variable stays.
    let other = first_fix(ROLE, &[EMULATOR, ("AWS_ENDPOINT_URL_S3", "http://localhost:9")]);
    assert_eq!(other.command.as_deref(), Some("unset AWS_ENDPOINT_URL"));
}

#[test]
fn the_probe_for_the_time_says_nothing_against_a_server_that_answers_calls() {
    let elsewhere = [EMULATOR, ("AWS_ENDPOINT_URL_SSO", "http://localhost:5000")];
    let probe = |code: &str| {
        let unreached = Some(refused("asking AWS for the time", code));
        (About::Clock, Answer::Clock(ClockFacts { unreached, ..ClockFacts::default() }))
    };
    let about = identity(dev(), Variant::AsIs, "eu-west-1");
    for code in ["InvalidResponse", "Timeout", "Network"] {
        let works = diagnose(
            &evidence(ROLE, KEYS, &elsewhere, "dev"),
            &answers(vec![probe(code), (about.clone(), super::testing::accepted())]),
        );
        assert!(matches!(works.verdict.outcome, Outcome::Works { .. }), "{works:#?}");
        assert!(works.findings.iter().all(|finding| finding.id != Cause::NetworkUnreachable), "{works:#?}");
        // The call of the portal is the failure.
        let steps = vec![step("sso", "sso", StepOutcome::Refused(refused("GetRoleCredentials", "ForbiddenException")))];
        let denied = diagnose(
            &evidence(SSO, "", &[], "sso"),
            &answers(vec![probe(code), (About::Chain, Answer::Chain { steps })]),
        );
        assert_eq!(denied.findings[0].id, Cause::SsoRoleDenied, "{denied:#?}");
        assert!(denied.not_checked.contains_key(&Cause::NetworkUnreachable), "{denied:#?}");
    }
    // A strange answer to an unsigned request alone.
    let alone = diagnose(&evidence(ROLE, "", &elsewhere, "dev"), &answers(vec![probe("InvalidResponse")]));
    assert!(alone.findings.iter().all(|finding| finding.id != Cause::NetworkUnreachable), "{alone:#?}");
    assert!(alone.not_checked.contains_key(&Cause::NetworkUnreachable), "{alone:#?}");
}

#[test]
fn a_part_of_a_key_in_the_variables_is_the_one_error_about_missing_credentials() {
    const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIAQSOMEBODYSKEY234");
    const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "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");
    const TOKEN: (&str, &str) = ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLETOKEN");
    for (variables, there) in [
        (&[ID][..], ID.0),
        (&[SECRET], SECRET.0),
        (&[TOKEN], TOKEN.0),
        (&[ID, TOKEN], ID.0),
        (&[SECRET, TOKEN], SECRET.0),
    ] {
        let report = diagnose(&evidence("", "", variables, ""), &Answers::default());
        let first = &report.findings[0];
        assert_eq!((first.id, first.severity), (Cause::CredentialsMissing, Severity::Error), "{report:#?}");
        assert!(first.title.starts_with(&format!("{there} is set but ")), "{report:#?}");
        one(&report, Cause::CredentialsMissing);
    }
}

/// The title and id of the first error for keys that AWS answers so.
fn first_error(credentials: &str, code: &str) -> Finding {
    let about = identity(dev(), Variant::AsIs, "eu-west-1");
    let list = vec![(about, Answer::Refused(refused("GetCallerIdentity", code)))];
    let report = diagnose(&evidence(ROLE, credentials, &[], "dev"), &answers(list));
    assert!(matches!(report.verdict.outcome, Outcome::Fails(_)), "{code}: {report:#?}");
    report.findings.into_iter().find(|finding| finding.severity == Severity::Error).unwrap()
}

#[test]
fn a_code_that_does_not_say_that_a_key_is_unknown_is_the_finding_itself() {
    for (code, id) in [
        ("ExpiredToken", Cause::CredentialsExpired),
        ("MissingAuthenticationToken", Cause::CredentialsMissing),
        ("UnauthorizedException", Cause::AccessKeyUnknown),
    ] {
        let finding = first_error(KEYS, code);
        assert_eq!((finding.id, finding.certainty), (id, Certainty::Likely), "{code}: {finding:#?}");
        assert!(finding.title.contains(code) && !finding.title.contains("know the access key"), "{finding:#?}");
    }
    // The keys themselves show the reason.
    let temporary = KEYS.replace("AKIA", "ASIA");
    assert_eq!(first_error(&temporary, "MissingAuthenticationToken").id, Cause::SessionTokenMissing);
    let left_over = format!("{KEYS}aws_session_token = FwoGZXIvYXdzEXAMPLE\n");
    assert_eq!(first_error(&left_over, "InvalidToken").id, Cause::SessionTokenStale);
}

#[test]
fn credentials_that_had_expired_when_they_were_returned_do_not_work() {
    let report = |expires_at: &str| {
        let outcome = StepOutcome::Passed {
            expires_at: Some(expires_at.to_owned()),
            arn: Some("arn:aws:sts::111122223333:assumed-role/App/x".to_owned()),
        };
        let mut evidence = evidence(ROLE, KEYS, &[], "app");
        evidence.aws_minus_wall = Some((0.0, 1.0));
        let steps = vec![step("dev", "static", passed()), step("app", "assume-role", outcome)];
        diagnose(&evidence, &answers(vec![(About::Chain, Answer::Chain { steps })]))
    };
    let past = report("2020-01-01T00:00:00Z");
    let finding = one(&past, Cause::CredentialsExpired);
    assert_eq!((finding.severity, finding.certainty), (Severity::Error, Certainty::Confirmed), "{past:#?}");
    assert!(matches!(past.verdict.outcome, Outcome::Fails(_)), "{past:#?}");
    let future = report("2100-01-01T00:00:00Z");
    assert!(future.findings.iter().all(|finding| finding.id != Cause::CredentialsExpired), "{future:#?}");
}

#[test]
fn keys_of_the_variables_that_work_make_an_unused_default_profile_a_warning() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAQOTHERSKEYS23456"),
        ("AWS_SECRET_ACCESS_KEY", "9Kq0vN3mXbT9pLz1RwYc8JdHs5FgUe2aQ7iOtMnB"),
    ];
    let default = KEYS.replace("[dev]", "[default]");
    let evidence = evidence("[default]\nregion = eu-west-1\n", &default, &variables, "");
    let of_shell = identity(KeySource::Environment, Variant::AsIs, "eu-west-1");
    let of_default = identity(KeySource::Profile("default".to_owned()), Variant::AsIs, "eu-west-1");
    let refusal = || Answer::Refused(refused("GetCallerIdentity", "InvalidClientTokenId"));
    let works = diagnose(
        &evidence,
        &answers(vec![(of_shell.clone(), super::testing::accepted()), (of_default.clone(), refusal())]),
    );
    assert!(matches!(works.verdict.outcome, Outcome::Works { .. }), "{works:#?}");
    assert!(works.findings.iter().all(|finding| finding.severity != Severity::Error), "{works:#?}");
    assert_eq!(one(&works, Cause::AccessKeyUnknown).severity, Severity::Warning, "{works:#?}");
    let fails = diagnose(&evidence, &answers(vec![(of_shell, refusal()), (of_default, super::testing::accepted())]));
    assert!(matches!(fails.verdict.outcome, Outcome::Fails(_)), "{fails:#?}");
}

#[test]
fn a_region_that_could_not_be_compared_is_not_ruled_out_and_the_key_is_only_likely_the_cause() {
    let config = "[profile dev]\nregion = eu-south-1\n";
    let refusal = |code: &str| Answer::Refused(refused("GetCallerIdentity", code));
    for code in ["InternalError", "Throttling", "Timeout"] {
        let list = vec![
            (identity(dev(), Variant::AsIs, "eu-south-1"), refusal("InvalidClientTokenId")),
            (identity(dev(), Variant::HomeRegion, "us-east-1"), refusal(code)),
        ];
        let report = diagnose(&evidence(config, KEYS, &[], "dev"), &answers(list));
        assert!(report.not_checked.contains_key(&Cause::RegionNotEnabled), "{code}: {report:#?}");
        assert_eq!(one(&report, Cause::AccessKeyUnknown).certainty, Certainty::Likely, "{code}: {report:#?}");
    }
}
