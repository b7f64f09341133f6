use super::{RULE, regions_in_force};
use crate::core::doctor::testing::{accepted, answers, commands, evidence, found, identity, one, refusal, report};
use crate::core::doctor::{About, Answer, Answers, Case, Cause, Certainty, KeySource, Report, Severity, Variant};
use Certainty::{Confirmed, Likely, Possible};
use Severity::{Error, Info, Warning};

const KEYS: &str = "[dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

fn of(config: &str, credentials: &str, variables: &[(&str, &str)]) -> Report {
    report(&evidence(config, credentials, variables, "dev"), &Answers::default(), &RULE)
}

fn asked(config: &str, credentials: &str, list: Vec<(About, Answer)>) -> Report {
    report(&evidence(config, credentials, &[], "dev"), &answers(list), &RULE)
}

fn dev() -> KeySource {
    KeySource::Profile("dev".to_owned())
}

fn unmodified(region: &str, code: &str) -> (About, Answer) {
    (identity(dev(), Variant::AsIs, region), Answer::Refused(refusal(code)))
}

#[test]
fn a_sound_set_up_yields_nothing_and_all_was_looked_for() {
    let asked = vec![(identity(dev(), Variant::AsIs, "eu-central-1"), accepted())];
    let report = report(&evidence("[profile dev]\nregion = eu-central-1\n", KEYS, &[], "dev"), &answers(asked), &RULE);
    assert!(report.findings.is_empty() && report.not_checked.is_empty(), "{report:#?}");
    let mine = [
        Cause::RegionMissing,
        Cause::RegionInvalid,
        Cause::RegionNotEnabled,
        Cause::RegionTokenV1,
        Cause::RegionInconsistent,
        Cause::PartitionMismatch,
        Cause::EndpointOverridden,
    ];
    assert_eq!(report.checked, mine);
}

#[test]
fn where_there_is_nothing_in_question_no_region_is_missed() {
    let report = report(&evidence("", "", &[], ""), &Answers::default(), &RULE);
    assert!(report.findings.is_empty(), "{report:#?}");
}

#[test]
fn each_program_goes_by_its_own_variables() {
    let with = |variables: &[(&str, &str)], config: &str| {
        let (evidence, answers) = (evidence(config, KEYS, variables, "dev"), Answers::default());
        let case = Case::new(&evidence, &answers);
        (super::target::in_force(&case).map(|region| region.text.to_owned()), regions_in_force(&case))
    };
    let in_profile = "[profile dev]\nregion = eu-west-3\n";
    for (variables, config, in_force, all) in [
        (&[][..], "", None, vec![]),
        (&[], in_profile, Some("eu-west-3"), vec!["eu-west-3"]),
        (&[("AWS_REGION", "eu-west-1")], in_profile, Some("eu-west-1"), vec!["eu-west-1", "eu-west-3"]),
        (&[("AWS_DEFAULT_REGION", "eu-west-2")], "", Some("eu-west-2"), vec!["eu-west-2"]),
        (
            &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2")],
            in_profile,
            Some("eu-west-1"),
            vec!["eu-west-1", "eu-west-2"],
        ),
        (&[("AWS_REGION", "Frankfurt")], in_profile, Some("Frankfurt"), vec!["eu-west-3"]),
    ] {
        let (one, list) = with(variables, config);
        assert_eq!((one.as_deref(), list), (in_force, all.into_iter().map(str::to_owned).collect()), "{variables:?}");
    }
}

#[test]
fn a_missing_region_is_said_with_one_that_is_at_hand() {
    for (config, credentials, command) in [
        ("[profile dev]\noutput = json\n", KEYS, "aws configure set region REGION --profile dev"),
        ("[default]\nregion = eu-west-3\n[profile dev]\n", KEYS, "aws configure set region eu-west-3 --profile dev"),
        (
            "[profile base]\nregion = eu-north-1\n[profile dev]\nsource_profile = base\nrole_arn = arn:aws:iam::1:role/x\n",
            "",
            "aws configure set region eu-north-1 --profile dev",
        ),
        (
            "[profile dev]\nendpoint_url = https://sts.eu-west-2.amazonaws.com\n",
            KEYS,
            "aws configure set region eu-west-2 --profile dev",
        ),
        (
            "[sso-session c]\nsso_region = eu-south-2\nsso_start_url = https://c.awsapps.com/start\n\
             [profile dev]\nsso_session = c\nsso_account_id = 111122223333\nsso_role_name = r\n",
            "",
            "aws configure set region eu-south-2 --profile dev",
        ),
    ] {
        let report = of(config, credentials, &[]);
        let finding = one(&report, Cause::RegionMissing);
        assert_eq!((finding.severity, commands(finding)), (Warning, vec![command]), "{config}");
    }
}

#[test]
fn keys_in_the_shell_alone_want_a_region_in_the_shell() {
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "x")];
    let report = report(&evidence("", "", &variables, ""), &Answers::default(), &RULE);
    assert_eq!(commands(one(&report, Cause::RegionMissing)), ["export AWS_REGION=REGION AWS_DEFAULT_REGION=REGION"]);
}

#[test]
fn a_region_for_some_programs_only_is_worth_a_word() {
    for (variable, without, command) in [
        ("AWS_REGION", "boto3 and the AWS CLI v1 find no region", "export AWS_DEFAULT_REGION=eu-west-1"),
        ("AWS_DEFAULT_REGION", "JavaScript and Java programs find no region", "export AWS_REGION=eu-west-1"),
    ] {
        let report = of("[profile dev]\n", KEYS, &[(variable, "eu-west-1")]);
        let finding = one(&report, Cause::RegionMissing);
        assert_eq!((finding.severity, commands(finding)[0]), (Info, command));
        assert!(finding.title.contains(without), "{}", finding.title);
        let with = of("[profile dev]\nregion = eu-west-1\n", KEYS, &[(variable, "eu-west-1")]);
        assert!(with.findings.is_empty(), "{with:#?}");
    }
}

#[test]
fn regions_that_differ_are_told_by_program_or_as_the_variables_winning() {
    let config = "[profile dev]\nregion = eu-west-3\n";
    for (variables, severity) in [
        (&[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-2")][..], Some(Warning)),
        (&[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")], Some(Info)),
        (&[("AWS_REGION", "eu-west-1")], Some(Warning)),
        (&[("AWS_REGION", "eu-west-3"), ("AWS_DEFAULT_REGION", "eu-west-3")], None),
    ] {
        let report = of(config, KEYS, variables);
        let severities: Vec<Severity> = report.findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, severity.into_iter().collect::<Vec<_>>(), "{variables:?}");
        assert!(report.findings.iter().all(|finding| finding.id == Cause::RegionInconsistent));
    }
}

#[test]
fn an_invalid_region_is_mended_where_it_stands() {
    for (config, credentials, variables, command) in [
        (
            "[profile dev]\nregion = eu-central1\n",
            KEYS.to_owned(),
            &[][..],
            Some("aws configure set region eu-central-1 --profile dev"),
        ),
        (
            "[profile dev]\nregion = eu-west-1\n",
            KEYS.to_owned(),
            &[("AWS_REGION", "eu-west-1a"), ("AWS_DEFAULT_REGION", "eu-west-1")],
            Some("export AWS_REGION=eu-west-1"),
        ),
        (
            "[profile dev]\nregion = eu-west-1\n",
            KEYS.to_owned(),
            &[("AWS_REGION", "\"eu-west-1\"")],
            Some("export AWS_REGION=eu-west-1"),
        ),
        ("", format!("{KEYS}region = Frankfurt\n"), &[], None),
    ] {
        let report = of(config, &credentials, variables);
        let finding = one(&report, Cause::RegionInvalid);
        assert_eq!((finding.severity, commands(finding)), (Error, command.into_iter().collect()), "{finding:?}");
        assert!(!report.findings.iter().any(|finding| finding.id == Cause::RegionInconsistent), "{report:#?}");
    }
}

#[test]
fn what_may_be_a_secret_is_not_shown_as_a_region() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let report = of(&format!("[profile dev]\nregion = {secret}\n"), KEYS, &[("AWS_REGION", "hunter2\u{1b}[31m")]);
    let all = format!("{report:?}");
    assert!(!all.contains("wJalr") && !all.contains("hunter2") && !all.contains('\u{1b}'), "{all}");
    assert!(all.contains("40 characters"), "{all}");
}

#[test]
fn arns_and_regions_of_two_partitions_contradict_each_other() {
    let role = |arn: &str, region: &str| {
        format!(
            "[profile base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n[profile dev]\n{region}source_profile = base\nrole_arn = {arn}\n"
        )
    };
    for (arn, region, certainty, command) in [
        ("arn:aws-cn:iam::111122223333:role/x", "region = eu-west-1\n", Some(Confirmed), "cn-north-1"),
        ("arn:aws:iam::111122223333:role/x", "region = us-gov-west-1\n", Some(Confirmed), "us-east-1"),
        ("arn:aws-us-gov:iam::111122223333:role/x", "", Some(Likely), "us-gov-west-1"),
        ("arn:aws-us-gov:iam::111122223333:role/x", "region = us-gov-east-1\n", None, ""),
        ("arn:aws:iam::111122223333:role/x", "region = eu-west-1\n", None, ""),
    ] {
        let report = of(&role(arn, region), "", &[]);
        let finding = report.findings.iter().find(|finding| finding.id == Cause::PartitionMismatch);
        assert_eq!(finding.map(|finding| finding.certainty), certainty, "{arn} {region}");
        if let Some(finding) = finding {
            assert_eq!(commands(finding), [format!("aws configure set region {command} --profile dev")]);
        }
    }
}

#[test]
fn where_calls_go_is_said_with_the_setting_that_sends_them() {
    let config = "[services s]\ns3 =\n  endpoint_url = http://localhost:9000\n\
                  [profile dev]\nregion = eu-west-1\nservices = s\nendpoint_url = https://gate.example\n";
    let report = of(config, KEYS, &[("AWS_ENDPOINT_URL_SSO_OIDC", "https://u:pw@oidc.example/x")]);
    assert_eq!(found(&report), [(Cause::EndpointOverridden, Info, Confirmed)]);
    assert_eq!(
        report.findings[0].evidence,
        [
            "AWS_ENDPOINT_URL_SSO_OIDC sends the calls to SSO OIDC to https://oidc.example",
            "endpoint_url (/h/.aws/config:3) sends the calls to S3 to http://localhost:9000",
            "endpoint_url (/h/.aws/config:7) sends the calls to every service to https://gate.example",
        ]
    );
    for ignore in ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "X"] {
        let ignored = of(config, KEYS, &[(ignore, "true")]);
        assert_eq!(ignored.findings.is_empty(), ignore != "X", "{ignored:#?}");
    }
    let by_profile = of(&format!("{config}ignore_configured_endpoint_urls = true\n"), KEYS, &[]);
    assert!(by_profile.findings.is_empty(), "{by_profile:#?}");
}

#[test]
fn keys_of_an_emulator_are_not_for_aws() {
    let keys = |id: &str| format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = test\n");
    let config = "[profile dev]\nregion = eu-west-1\n";
    for (id, variables, severity) in [
        ("test", &[][..], Some(Error)),
        ("000000000000", &[], Some(Error)),
        ("LKIAQAAAAAAAAAAAAAAA", &[], Some(Error)),
        ("test", &[("AWS_ENDPOINT_URL_S3", "http://localhost:4566")], Some(Info)),
        (
            "test",
            &[("AWS_ENDPOINT_URL", "http://localhost:4566"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
            Some(Error),
        ),
        ("test", &[("AWS_ENDPOINT_URL", "http://localhost:4566")], Some(Info)),
        ("AKIAIOSFODNN7EXAMPLE", &[], None),
    ] {
        let report = of(config, &keys(id), variables);
        let seen = report.findings.first().map(|finding| finding.severity);
        assert_eq!((seen, report.findings.len()), (severity, usize::from(severity.is_some())), "{id} {report:#?}");
    }
    let refused = asked(config, &keys("test"), vec![unmodified("eu-west-1", "InvalidClientTokenId")]);
    assert_eq!(found(&refused), [(Cause::EndpointOverridden, Error, Confirmed)]);
}

#[test]
fn a_setting_that_sends_calls_to_a_server_that_refuses_is_a_warning() {
    let config = "[profile dev]\nregion = eu-west-1\nendpoint_url = http://localhost:4566\n";
    let refused = asked(config, KEYS, vec![unmodified("eu-west-1", "InvalidClientTokenId")]);
    assert_eq!(found(&refused), [(Cause::EndpointOverridden, Warning, Confirmed)]);
    let other = asked(config, KEYS, vec![unmodified("eu-west-1", "Throttling")]);
    assert_eq!(found(&other), [(Cause::EndpointOverridden, Info, Confirmed)]);
    // Also where a token that is missing or left over explains the refusal.
    for keys in [KEYS.replace("AKIA", "ASIA"), format!("{KEYS}aws_session_token = FwoGZXIvYXdzEXAMPLE\n")] {
        let explained = asked(config, &keys, vec![unmodified("eu-west-1", "InvalidClientTokenId")]);
        assert_eq!(found(&explained), [(Cause::EndpointOverridden, Warning, Confirmed)]);
    }
}

#[test]
fn an_endpoint_of_another_region_gets_signatures_for_the_wrong_one() {
    let with = |url: &str| of(&format!("[profile dev]\nregion = eu-central-1\nendpoint_url = {url}\n"), KEYS, &[]);
    for (url, differs) in [
        ("https://sts.eu-west-1.amazonaws.com", true),
        ("https://vpce-1.sts.eu-west-1.vpce.amazonaws.com", true),
        ("https://sts.eu-central-1.amazonaws.com", false),
        ("https://sts.eu-west-1.example.com", false),
        ("https://sts.amazonaws.com", true),
    ] {
        let report = with(url);
        let seen = found(&report).into_iter().find(|(id, ..)| *id == Cause::RegionInconsistent);
        assert_eq!(seen.is_some(), differs, "{url}");
        assert!(seen.is_none_or(|seen| seen == (Cause::RegionInconsistent, Error, Likely)));
    }
    let sso = "[sso-session c]\nsso_region = eu-west-1\nsso_start_url = https://c.awsapps.com/start\n\
               [profile dev]\nregion = eu-central-1\nsso_session = c\nsso_account_id = 111122223333\nsso_role_name = r\n";
    let portal = of(sso, "", &[("AWS_ENDPOINT_URL_SSO", "https://portal.sso.eu-west-1.amazonaws.com")]);
    assert_eq!(found(&portal), [(Cause::EndpointOverridden, Info, Confirmed)]);
}

#[test]
fn a_start_url_that_names_another_region_is_told_from_one_that_fits() {
    let with = |url: &str| {
        format!(
            "[sso-session c]\nsso_region = eu-west-1\nsso_start_url = {url}\n\
             [profile dev]\nregion = eu-central-1\nsso_session = c\nsso_account_id = 111122223333\nsso_role_name = r\n"
        )
    };
    for (url, expected) in [
        ("https://ssoins-1.portal.us-east-1.app.aws", vec![(Cause::RegionInconsistent, Error, Likely)]),
        ("https://ssoins-1.portal.eu-west-1.app.aws", vec![]),
        ("https://c.awsapps.com/start", vec![]),
    ] {
        assert_eq!(found(&of(&with(url), "", &[])), expected, "{url}");
    }
}

#[test]
fn tokens_of_the_global_endpoint_are_warned_of_where_they_may_be_refused() {
    for (region, setting, expected) in [
        ("eu-west-1", "sts_regional_endpoints = legacy", Some((Info, Confirmed))),
        ("ap-east-1", "sts_regional_endpoints = legacy", Some((Warning, Possible))),
        ("ap-east-1", "endpoint_url = https://sts.amazonaws.com", Some((Warning, Likely))),
        ("eu-west-1", "endpoint_url = https://sts.amazonaws.com", Some((Info, Confirmed))),
        ("ap-east-1", "sts_regional_endpoints = regional", None),
        ("ap-east-1", "endpoint_url = https://sts.ap-east-1.amazonaws.com", None),
    ] {
        let report = of(&format!("[profile dev]\nregion = {region}\n{setting}\n"), KEYS, &[]);
        let seen = found(&report).into_iter().find(|(id, ..)| *id == Cause::RegionTokenV1);
        assert_eq!(seen.map(|(_, severity, certainty)| (severity, certainty)), expected, "{region} {setting}");
    }
    let variable = of("[profile dev]\nregion = eu-west-1\n", KEYS, &[("AWS_STS_REGIONAL_ENDPOINTS", "legacy")]);
    assert!(commands(one(&variable, Cause::RegionTokenV1)).contains(&"export AWS_STS_REGIONAL_ENDPOINTS=regional"));
}
