//! Every answer of AWS to every call that the doctor makes ends in a finding, in "ruled out", or in "not checked".

use super::probe::{ClockFacts, StepAnswer, StepOutcome};
use super::testing::{evidence, refusal};
use super::{About, Answer, Answers, Case, Cause, Evidence, RULES, Report, Variant, diagnose, driver, questions};
use crate::core::aws_error::{self, OfSigner, Origin};

const KEY: &str =
    "aws_access_key_id = AKIAQMARKEDUSERKEY23\naws_secret_access_key = s3cretAAMARKED2aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a\n";
const DEVICE: &str = "arn:aws:iam::111122223333:mfa/me";
const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/R\n";

/// The calls of one kind of profile: the steps of its chain, and the causes that the answer to each call decides.
struct Kind {
    config: String,
    credentials: String,
    steps: &'static [(&'static str, &'static [Cause])],
    /// Those of GetCallerIdentity with keys in the files.
    identity: &'static [Cause],
    iam: &'static [Cause],
    /// Those of GetCallerIdentity with the credentials of the last step.
    minted: &'static [Cause],
}

const LONG_TERM: &[Cause] = &[Cause::AccessKeyUnknown, Cause::SecretKeyWrong, Cause::AccountNotSignedUp];
const TEMPORARY: &[Cause] = &[
    Cause::AccessKeyUnknown,
    Cause::SecretKeyWrong,
    Cause::AccountNotSignedUp,
    Cause::SessionTokenForeign,
    Cause::SessionRevoked,
    Cause::SessionTokenWithoutMfa,
    Cause::CredentialsExpired,
];
const MINTED: &[Cause] =
    &[Cause::AccessKeyUnknown, Cause::SecretKeyWrong, Cause::SessionTokenForeign, Cause::SessionRevoked];
const OF_ROLE: &[Cause] = &[Cause::AssumeRoleDenied];
const OF_LONG_ROLE: &[Cause] = &[Cause::AssumeRoleDenied, Cause::DurationTooLong];
const OF_SIGN_IN: &[Cause] = &[Cause::SsoLoginNeeded, Cause::SsoRoleDenied, Cause::SessionRevoked];

fn kinds() -> Vec<Kind> {
    let region = "region = eu-west-1\n";
    let sso = "sso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n";
    let session = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n";
    let token = format!("aws_session_token = {}\n", "IQoJb3JpZ2lu".repeat(20));
    let none: &[Cause] = &[];
    vec![
        Kind {
            config: format!("[profile dev]\n{region}"),
            credentials: format!("[dev]\n{KEY}"),
            steps: &[],
            identity: LONG_TERM,
            iam: none,
            minted: none,
        },
        Kind {
            config: format!("[profile dev]\n{region}"),
            credentials: format!("[dev]\n{}{token}", KEY.replace("AKIA", "ASIA")),
            steps: &[],
            identity: TEMPORARY,
            iam: &[Cause::SessionTokenWithoutMfa],
            minted: none,
        },
        Kind {
            config: format!("[profile dev]\n{region}{ROLE}source_profile = base\nduration_seconds = 7200\n"),
            credentials: format!("[base]\n{KEY}"),
            steps: &[("static", LONG_TERM), ("assume-role", OF_LONG_ROLE)],
            identity: LONG_TERM,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}{ROLE}web_identity_token_file = /t\nduration_seconds = 7200\n"),
            credentials: String::new(),
            steps: &[("web-identity", OF_LONG_ROLE)],
            identity: none,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}{sso}{session}"),
            credentials: String::new(),
            steps: &[("sso", OF_SIGN_IN)],
            identity: none,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}{ROLE}source_profile = base\n[profile base]\n{sso}{session}"),
            credentials: String::new(),
            steps: &[("sso", OF_SIGN_IN), ("assume-role", OF_ROLE)],
            identity: none,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}{ROLE}source_profile = base\nmfa_serial = {DEVICE}\n"),
            credentials: format!("[base]\n{KEY}"),
            steps: &[("static", LONG_TERM), ("session-token", OF_ROLE), ("assume-role", OF_ROLE)],
            identity: LONG_TERM,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}{ROLE}source_profile = base\n"),
            credentials: format!("[base]\n{}{token}", KEY.replace("AKIA", "ASIA")),
            steps: &[("static", LONG_TERM), ("assume-role", OF_ROLE)],
            identity: TEMPORARY,
            iam: none,
            minted: MINTED,
        },
        Kind {
            config: format!("[profile dev]\n{region}login_session = arn:aws:iam::111122223333:user/me\n"),
            credentials: String::new(),
            steps: &[("login", OF_SIGN_IN)],
            identity: none,
            iam: none,
            minted: none,
        },
        Kind {
            config: format!("[profile dev]\n{region}credential_process = /bin/true\n"),
            credentials: String::new(),
            steps: &[("process", &[Cause::AccessKeyUnknown, Cause::CredentialsExpired, Cause::SecretKeyWrong])],
            identity: none,
            iam: none,
            minted: none,
        },
    ]
}

/// Every outcome other than credentials: each code of AWS, an unknown code, no answer, an invalid answer, and no time
/// for the call.
fn bad_answers() -> Vec<(String, Option<super::Refusal>)> {
    let of_aws = aws_error::entries().filter(|entry| entry.origin != Origin::Local);
    let codes = of_aws.map(|entry| entry.code).chain(["NobodyKnowsThisCode", "InternalServiceException"]);
    let mut all: Vec<(String, Option<super::Refusal>)> = codes
        .map(|code| {
            let status = if code.starts_with("Internal") { 500 } else { 400 };
            let fault = aws_error::fault("the call", Some(status), Some(code), Some("no"));
            let class = fault.class;
            (code.to_owned(), Some(super::Refusal { class, skewed: fault.skewed, ..refusal(code) }))
        })
        .collect();
    all.push(("untried".to_owned(), None));
    all
}

/// The call that fails.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Call {
    Identity,
    Iam,
    Step(usize),
    /// GetCallerIdentity with the credentials that the last step returned.
    Minted,
}

fn diagnosed(evidence: &Evidence, kind: &Kind, call: Call, bad: Option<&super::Refusal>) -> Report {
    let untried = || "it is late".to_owned();
    let accepted = || Answer::Accepted {
        account_id: "111122223333".to_owned(),
        arn: "arn:aws:iam::111122223333:user/me".to_owned(),
    };
    let refused = || bad.map_or_else(|| Answer::Untried { why: untried() }, |bad| Answer::Refused(bad.clone()));
    let step = |at: usize, name: &str| {
        let outcome = match (call == Call::Step(at), bad) {
            (false, _) => StepOutcome::Passed { expires_at: None, arn: None },
            (true, None) => StepOutcome::Untried { why: untried() },
            (true, Some(bad)) => StepOutcome::Refused(bad.clone()),
        };
        let is_named = call != Call::Minted || at + 1 < kind.steps.len();
        let identity = (!is_named).then(refused);
        StepAnswer {
            profile: "dev".to_owned(),
            kind: name.to_owned(),
            outcome,
            printed: None,
            stated_account: None,
            identity,
        }
    };
    let answer = |about: &About| match about {
        About::Clock => Answer::Clock(ClockFacts {
            offset_seconds: Some(0.0),
            uncertainty_seconds: Some(0.5),
            kernel_synchronised: Some(true),
            ..ClockFacts::default()
        }),
        About::Identity { variant: Variant::AsIs, .. } if call == Call::Identity => refused(),
        About::Identity { variant: Variant::AsIs, .. } => accepted(),
        About::Identity { .. } => Answer::Refused(refusal("InvalidClientTokenId")),
        About::Iam { .. } if call == Call::Iam => refused(),
        About::Iam { .. } => accepted(),
        About::Chain => {
            let last = if let Call::Step(at) = call { at + 1 } else { kind.steps.len() };
            let steps = kind.steps.iter().enumerate().take(last).map(|(at, (name, _))| step(at, name));
            Answer::Chain { steps: steps.collect() }
        }
    };
    let mut answers = Answers::default();
    loop {
        let next = questions(evidence, &answers, &[]);
        if next.is_empty() {
            return diagnose(evidence, &answers);
        }
        for question in next {
            let answer = answer(&question.about);
            answers.add(question.about, answer);
        }
    }
}

#[test]
fn no_answer_of_aws_rules_out_what_it_leaves_open() {
    let mut wrong = Vec::new();
    for kind in kinds() {
        let evidence = evidence(&kind.config, &kind.credentials, &[], "dev");
        let calls = kind.steps.iter().enumerate().map(|(at, (_, decides))| (Call::Step(at), *decides));
        let calls = calls.chain([(Call::Identity, kind.identity), (Call::Iam, kind.iam), (Call::Minted, kind.minted)]);
        for (call, decides) in calls.filter(|(_, decides)| !decides.is_empty()) {
            for (code, bad) in bad_answers() {
                let report = diagnosed(&evidence, &kind, call, bad.as_ref());
                let is_found = |id: Cause| report.findings.iter().any(|finding| finding.id == id);
                // IAM checks the session before it returns one of these codes.
                let is_of_iam = ["AccessDenied", "ValidationError", "NoSuchEntity"].contains(&code.as_str());
                // The portal denies a role only to a session that it accepts.
                let is_alive = ["ForbiddenException", "ResourceNotFoundException"].contains(&code.as_str());
                let is_undecided = bad.as_ref().is_none_or(|bad| match call {
                    Call::Identity => bad.why_open().is_some(),
                    Call::Iam => bad.why_open().is_some() && !is_of_iam,
                    Call::Step(_) => bad.why_undecided().is_some(),
                    Call::Minted => bad.why_undecided().is_some() || (bad.why_open().is_some() && !is_denied(bad)),
                });
                let usual = aws_error::lookup(&code).map_or(&[][..], aws_error::Entry::usual_causes);
                // GetCallerIdentity with a key in the files succeeded, too.
                let is_twice = call == Call::Step(0) && kind.steps[0].0 == "static";
                for id in decides.iter().copied().filter(|_| !is_twice) {
                    let is_usual = usual.iter().any(|(cause, _)| *cause == id);
                    let is_ruled_out = (call == Call::Iam && is_of_iam) || (is_alive && id == Cause::SsoLoginNeeded);
                    let is_left_open = (is_undecided || is_usual) && !is_ruled_out;
                    if is_left_open && !is_found(id) && !report.not_checked.contains_key(&id) {
                        wrong.push(format!("{}: {call:?} {code}: {id} counts as ruled out", kind.config));
                    }
                }
                let is_told = report.has_errors() || decides.iter().any(|id| report.not_checked.contains_key(id));
                if !is_told && call != Call::Iam && !is_twice {
                    wrong.push(format!("{}: {call:?} {code}: nothing is said of it", kind.config));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Why a usual cause of a code counts as ruled out although AWS answered with that code.
type OwnEvidence = (&'static str, fn(&Kind, Call, &super::Refusal) -> bool, &'static [Cause]);

const OWN_EVIDENCE: &[OwnEvidence] = &[
    (
        "the files and variables of this machine show it",
        |_, _, _| true,
        &[
            Cause::EnvironmentShadowsProfile,
            Cause::StaticKeysIgnored,
            Cause::ClientsDisagree,
            Cause::ConsumerCannotReload,
            Cause::ToolCachedCredentials,
            Cause::EndpointOverridden,
            Cause::RegionInvalid,
        ],
    ),
    (
        "the form of the keys shows it",
        |kind, call, _| kind.is_signed_by_keys(call),
        &[
            Cause::AccessKeyMalformed,
            Cause::SecretKeyMalformed,
            Cause::SessionTokenMalformed,
            Cause::SessionTokenMissing,
            Cause::SessionTokenStale,
        ],
    ),
    (
        "a long-term key has no session",
        |kind, call, _| kind.is_signed_by_keys(call) && !kind.credentials.contains("ASIA"),
        &[Cause::SessionTokenForeign, Cause::SessionTokenWithoutMfa, Cause::SessionRevoked, Cause::CredentialsExpired],
    ),
    (
        "no setting names an account for the key",
        |kind, call, _| kind.is_signed_by_keys(call),
        &[Cause::AccountMismatch],
    ),
    (
        "every account has eu-west-1",
        |kind, call, _| kind.is_signed_by_keys(call),
        &[Cause::RegionNotEnabled, Cause::RegionTokenV1],
    ),
    ("the clock was measured", |_, _, refusal| !refusal.skewed, &[Cause::ClockSkewed, Cause::ClockZone]),
    ("the kernel says so", |_, _, _| true, &[Cause::ClockUnsynchronised]),
    (
        "the profile has no sign-in session",
        |kind, _, _| !kind.has_sign_in(),
        &[Cause::SsoLoginNeeded, Cause::SsoRoleDenied],
    ),
    ("STS accepts the same keys", |_, call, _| call == Call::Iam, Cause::ALL),
];

impl Kind {
    /// Whether keys in the files signed a call.
    fn is_signed_by_keys(&self, call: Call) -> bool {
        match call {
            Call::Identity => true,
            Call::Iam | Call::Minted => false,
            Call::Step(at) => self.steps[at].0 == "static",
        }
    }

    fn has_sign_in(&self) -> bool {
        self.config.contains("sso_session") || self.config.contains("login_session")
    }
}

#[test]
fn a_usual_cause_of_an_answer_is_found_or_open_unless_this_machine_decides_it() {
    let (mut pairs, mut wrong) = (0, Vec::new());
    for kind in kinds() {
        let evidence = evidence(&kind.config, &kind.credentials, &[], "dev");
        let calls = (0..kind.steps.len()).map(Call::Step);
        let of_kind = [(Call::Identity, kind.identity), (Call::Iam, kind.iam), (Call::Minted, kind.minted)];
        let calls = calls.chain(of_kind.into_iter().filter(|(_, decides)| !decides.is_empty()).map(|(call, _)| call));
        for call in calls {
            for (code, bad) in bad_answers() {
                let (Some(bad), Some(entry)) = (bad, aws_error::lookup(&code)) else { continue };
                let report = diagnosed(&evidence, &kind, call, Some(&bad));
                for (cause, _) in entry.usual_causes() {
                    pairs += 1;
                    let is_found = report.findings.iter().any(|finding| finding.id == *cause);
                    let is_excepted = OWN_EVIDENCE
                        .iter()
                        .any(|(_, holds, causes)| causes.contains(cause) && holds(&kind, call, &bad));
                    if report.checked.contains(cause) && !is_found && !is_excepted {
                        wrong.push(format!("{}: {call:?} {code}: {cause}", kind.config.replace('\n', " ")));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {pairs} are ruled out:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_denied(refusal: &super::Refusal) -> bool {
    aws_error::of_signer(&refusal.code) == OfSigner::Denied
}

#[test]
fn an_answer_about_credentials_of_a_role_or_sign_in_is_told_with_its_code() {
    for kind in kinds().iter().filter(|kind| !kind.minted.is_empty()) {
        let evidence = evidence(&kind.config, &kind.credentials, &[], "dev");
        for (code, bad) in bad_answers() {
            let report = diagnosed(&evidence, kind, Call::Minted, bad.as_ref());
            let Some(bad) = bad else {
                assert!(report.verdict.lacks_result(), "{report:#?}");
                continue;
            };
            assert!(report.document().to_string().contains(&code), "{code}: {report:#?}");
            let is_error = bad.why_undecided().is_none() && !is_denied(&bad);
            assert!(report.has_errors() || !is_error, "{code}: {report:#?}");
            assert!(report.has_errors() || report.verdict.lacks_result(), "{code}: {report:#?}");
        }
    }
}

#[test]
fn a_refused_call_is_an_error_with_the_code_of_aws_and_a_fix() {
    for kind in kinds() {
        let evidence = evidence(&kind.config, &kind.credentials, &[], "dev");
        for (at, (name, _)) in
            kind.steps.iter().enumerate().filter(|(_, (name, _))| !["static", "process"].contains(name))
        {
            for (code, bad) in bad_answers() {
                let Some(bad) = bad.filter(|bad| bad.why_undecided().is_none()) else { continue };
                let report = diagnosed(&evidence, &kind, Call::Step(at), Some(&bad));
                let told = report.findings.iter().any(|finding| {
                    let text = format!("{} {}", finding.title, finding.evidence.join(" "));
                    finding.severity == super::Severity::Error && text.contains(&code) && !finding.fix.is_empty()
                });
                assert!(told, "{name} {code}: {report:#?}");
            }
        }
    }
}

#[test]
fn the_order_of_the_rules_does_not_matter() {
    for kind in kinds() {
        let evidence = evidence(&kind.config, &kind.credentials, &[("AWS_SECURITY_TOKEN", "undefined")], "dev");
        let answers = Answers::default();
        let case = Case::new(&evidence, &answers);
        let forward = driver::run(&case, RULES.iter().enumerate());
        let backward = driver::run(&case, RULES.iter().enumerate().rev());
        assert_eq!(forward.findings, backward.findings);
        assert_eq!((forward.checked, forward.not_checked), (backward.checked, backward.not_checked));
    }
}

#[test]
fn the_rules_decide_every_cause() {
    for cause in Cause::ALL {
        assert!(RULES.iter().any(|rule| rule.decides.contains(cause)), "no rule decides {cause}");
    }
}

/// The findings of a kind of profile, after an answer with these words.
fn answered(
    config: &str,
    credentials: &str,
    steps: &'static [(&'static str, &'static [Cause])],
    call: Call,
    code: &str,
    words: &str,
) -> Report {
    let kind = Kind {
        config: config.to_owned(),
        credentials: credentials.to_owned(),
        steps,
        identity: &[],
        iam: &[],
        minted: &[],
    };
    let bad = super::Refusal { words: words.to_owned(), ..refusal(code) };
    diagnosed(&evidence(config, credentials, &[], "dev"), &kind, call, Some(&bad))
}

fn has(report: &Report, id: Cause) -> bool {
    report.findings.iter().any(|finding| finding.id == id)
}

const CHAIN: &[(&str, &[Cause])] = &[("static", &[]), ("assume-role", &[]), ("assume-role", &[])];
const STATIC_AND_ROLE: &[(&str, &[Cause])] = &[("static", &[]), ("assume-role", &[])];

#[test]
fn an_mfa_code_is_refused_only_if_one_was_sent() {
    let words = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";
    let role = format!("[profile dev]\nregion = eu-west-1\n{ROLE}source_profile = base\n");
    let keys = format!("[base]\n{KEY}");
    let without = answered(&role, &keys, STATIC_AND_ROLE, Call::Step(1), "AccessDenied", words);
    assert!(has(&without, Cause::MfaRequired) && !has(&without, Cause::MfaCodeRefused), "{without:#?}");
    assert!(without.has_errors() && without.findings[0].fix[0].text.contains("mfa_serial"), "{without:#?}");
    let with = answered(
        &format!("{role}mfa_serial = {DEVICE}\n"),
        &keys,
        STATIC_AND_ROLE,
        Call::Step(1),
        "AccessDenied",
        words,
    );
    assert!(has(&with, Cause::MfaCodeRefused), "{with:#?}");
}

#[test]
fn an_account_that_is_not_signed_up_is_found_for_keys_as_for_roles() {
    let config = "[profile dev]\nregion = eu-west-1\n";
    for code in ["OptInRequired", "SubscriptionRequiredException", "NotSignedUp"] {
        let of_keys = answered(config, &format!("[dev]\n{KEY}"), &[], Call::Identity, code, "no");
        let role = format!("{config}{ROLE}source_profile = base\n");
        let of_role = answered(&role, &format!("[base]\n{KEY}"), STATIC_AND_ROLE, Call::Step(1), code, "no");
        for report in [of_keys, of_role] {
            let found = super::testing::one(&report, Cause::AccountNotSignedUp);
            assert!(found.severity == super::Severity::Error && found.evidence[0].contains(code), "{report:#?}");
        }
    }
}

#[test]
fn a_cut_session_token_that_aws_refuses_is_the_cause() {
    let keys = KEY.replace("AKIA", "ASIA");
    let config = "[profile dev]\nregion = eu-west-1\n";
    let with = |length: usize| {
        let token: String = "IQoJb3JpZ2luX2VjEPTx8Ka9".chars().cycle().take(length).collect();
        answered(
            config,
            &format!("[dev]\n{keys}aws_session_token = {token}\n"),
            &[],
            Call::Identity,
            "InvalidClientTokenId",
            "no",
        )
    };
    let (cut, whole) = (with(60), with(400));
    assert_eq!(cut.findings[0].id, Cause::SessionTokenMalformed, "{cut:#?}");
    assert!(cut.findings[0].severity == super::Severity::Error && !has(&cut, Cause::SessionTokenForeign), "{cut:#?}");
    assert!(has(&whole, Cause::SessionTokenForeign) && !has(&whole, Cause::SessionTokenMalformed), "{whole:#?}");
}

#[test]
fn a_session_that_is_too_long_for_role_chaining_is_found_once_with_its_line() {
    let config = format!(
        "[profile dev]\nregion = eu-west-1\n{ROLE}source_profile = mid\nduration_seconds = 7200\n[profile mid]\n{}source_profile = base\n",
        ROLE.replace("role/R", "role/M")
    );
    let words = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
    let report = answered(&config, &format!("[base]\n{KEY}"), CHAIN, Call::Step(2), "ValidationError", words);
    let found = super::testing::one(&report, Cause::DurationTooLong);
    assert!(found.evidence[0].contains("/h/.aws/config:5") && found.evidence[1].contains(words), "{found:#?}");
    assert_eq!(super::testing::commands(found), ["aws configure set duration_seconds 3600 --profile dev"]);
}
