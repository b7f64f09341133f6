//! Computes which causes stay open: those that need a fact (see `core::cause`) that is not known. So the rules don't
//! list the causes that they could not check. An inconclusive answer of AWS leaves its causes open here.

use chrono::TimeDelta;

use super::case::OFFLINE;
use super::probe::{StepAnswer, StepOutcome};
use super::refused::{self, concerns, is_known_good};
use super::{
    About, Answer, Case, Cause, Daemon, FileRole, FileState, KeySet, KeySource, Refusal, account, clock, minted,
    question, region, sessions,
};
use crate::core::access_key;
use crate::core::aws_error::{self, OfSigner};
use crate::core::cause::Needs;
use crate::core::plan::{PlanErrorCode, Source, Step};
use crate::core::printable::printable;

/// Why a cause that was not found is not ruled out, as the end of a sentence; `None` if everything that it needs is known.
pub(super) fn why(case: &Case<'_>, cause: Cause) -> Option<String> {
    let of_need = || cause.needs().iter().find_map(|need| unknown(case, cause, *need));
    let not_read = || case.evidence.not_read.iter().find(|(id, _)| *id == cause).map(|(_, why)| why.clone());
    let of_answers = || minted::why_open(case, cause).or_else(|| refused::why_open(case, cause));
    of_need().or_else(not_read).or_else(of_answers).map(|why| printable(&why))
}

fn unknown(case: &Case<'_>, cause: Cause, need: Needs) -> Option<String> {
    match need {
        Needs::Home => {
            case.evidence.paths.is_none().then(|| "HOME is not set, so doctor can't find the AWS files".to_owned())
        }
        Needs::Files => unreadable_file(case),
        Needs::Profile => case.lacks_profile().then(|| NO_PROFILE.to_owned()),
        Needs::Plan => is_unusable(case).then(|| "correct the profile's settings first".to_owned()),
        Needs::Keys => keys(case, cause),
        Needs::Expiry => expiry(case),
        Needs::Identity => identity(case, cause),
        Needs::Iam => case.subjects.iter().find_map(|subject| iam(case, subject)),
        Needs::Steps => steps(case, cause),
        Needs::Answers => refused::why_open(case, cause),
        Needs::SignIn => sessions::why_open(case),
        Needs::MfaCode => {
            let mut steps = case.steps();
            steps.any(|step| step.source.device().is_some()).then(|| "doctor sends no MFA code".to_owned())
        }
        Needs::Connection => connection(case),
        Needs::Time => clock::why_unknown(case),
        Needs::Timekeeper => clock::why_timekeeper_unknown(case),
        Needs::Daemon => match &case.evidence.daemon {
            Daemon::Silent { why, other_files: false } => Some(format!("the daemon does not answer: {why}")),
            Daemon::Silent { other_files: true, .. } | Daemon::Answers(_) => None,
        },
    }
}

const NO_PROFILE: &str = "the profile does not exist";

/// A setting or a key may be in a file that can't be read.
fn unreadable_file(case: &Case<'_>) -> Option<String> {
    let is_used = |role| matches!(role, FileRole::Config | FileRole::Credentials);
    let mut files = case.evidence.files.iter();
    let file = files.find(|file| is_used(file.role) && matches!(file.state, FileState::Unreadable { .. }))?;
    Some(format!("{} can't be read", file.role.label()))
}

/// Whether the profile's settings don't lead to a plan, so that no step ran.
fn is_unusable(case: &Case<'_>) -> bool {
    matches!(&case.plan, Some(Err(error)) if error.code != PlanErrorCode::MissingProfile)
}

/// Credentials that the doctor has not seen: from another program, from a service, or from a step without a result.
fn keys(case: &Case<'_>, cause: Cause) -> Option<String> {
    if case.lacks_profile() && case.subjects.is_empty() {
        return Some(NO_PROFILE.to_owned());
    }
    let has_key = case.subjects.iter().any(KeySet::is_whole);
    if !has_key && !matches!(case.plan, Some(Ok(_))) && cause.needs().contains(&Needs::Identity) {
        return Some("there are no credentials to check with AWS".to_owned());
    }
    let first = case.steps().next()?;
    if is_here(case, first) {
        return None;
    }
    let given = case.answers.chain().first();
    match given.map(|step| &step.outcome) {
        // Another program's credentials, for which AWS has not answered.
        Some(StepOutcome::Passed { arn: None, .. })
            if case.steps().count() == 1 && matches!(first.source, Source::Process { .. }) =>
        {
            Some("AWS gave no answer about the credentials of the credential_process".to_owned())
        }
        Some(StepOutcome::Passed { .. }) => None,
        Some(StepOutcome::Refused(refusal)) => Some(not_given(refusal)),
        _ => plan_unanswered(case),
    }
}

/// Whether the credentials of a step are in a file, a variable, or the output of a program.
fn is_here(case: &Case<'_>, step: &Step) -> bool {
    match step.source {
        Source::Static(_) => true,
        Source::Environment => case.subjects.iter().any(|subject| subject.source == KeySource::Environment),
        Source::Process { .. } => case.subjects.iter().any(|subject| subject.program() == Some(step.profile.as_str())),
        _ => false,
    }
}

fn not_given(refusal: &Refusal) -> String {
    if refusal.is_local() {
        return not_sent(refusal);
    }
    refusal
        .why_undecided()
        .unwrap_or_else(|| format!("AWS refused the step that gives the credentials ({})", refusal.code))
}

/// A step that failed on this machine: doctor sent no request to AWS.
fn not_sent(refusal: &Refusal) -> String {
    format!("no request was sent to AWS: {}", refusal.words)
}

/// Temporary credentials without a known expiry.
fn expiry(case: &Case<'_>) -> Option<String> {
    let temporary = case.subjects.iter().filter(|subject| subject.is_temporary());
    temporary.into_iter().find_map(|subject| {
        let open = match case.answers.unmodified(&subject.source) {
            Some(Answer::Accepted { .. }) => return None,
            // Users report that AWS refuses a session that expired long ago as an unknown one.
            Some(Answer::Refused(refusal)) => format!("{} does not show whether this is the cause", refusal.code),
            _ => unanswered(case, subject)?,
        };
        let Some((at, place)) = super::expiry::stated(case, subject) else {
            return Some(format!("the expiry of the credentials is not known, and {open}"));
        };
        let (now, uncertainty) = case.aws_time();
        let past = now - at;
        (past <= TimeDelta::zero() && past >= -uncertainty)
            .then(|| format!("{place} names {at}, and {}", super::expiry::UNSURE))
    })
}

/// AWS's answers to the keys in question.
fn identity(case: &Case<'_>, cause: Cause) -> Option<String> {
    if cause == Cause::RegionNotEnabled || cause == Cause::RegionTokenV1 {
        return region::why_open(case, cause);
    }
    if cause == Cause::AccountMismatch
        && let Some(why) = account::why_open(case)
    {
        return Some(why);
    }
    let in_question = case.subjects.iter().filter(|subject| subject.is_whole() && concerns(case, cause, subject));
    in_question.into_iter().find_map(|subject| match case.answers.unmodified(&subject.source) {
        Some(Answer::Accepted { .. }) => None,
        Some(Answer::Refused(refusal)) => refusal.why_open().or_else(|| {
            let what = format!("AWS refused the keys of {} ({})", subject.label(), refusal.code);
            let is_excluded = excludes(refusal, cause) || is_known_good(case, cause, subject);
            (!is_excluded).then(|| format!("{what}, and gives no details"))
        }),
        _ => unanswered(case, subject),
    })
}

/// Whether a refusal of GetCallerIdentity rules a cause out: AWS compares signatures only for keys that it knows.
fn excludes(refusal: &Refusal, cause: Cause) -> bool {
    aws_error::of_signer(&refusal.code) == OfSigner::WrongSecret
        && matches!(cause, Cause::AccessKeyUnknown | Cause::SessionTokenForeign | Cause::PartitionMismatch)
}

/// IAM's answer to keys that may be from GetSessionToken.
fn iam(case: &Case<'_>, subject: &KeySet<'_>) -> Option<String> {
    // Role sessions are not from GetSessionToken.
    if !question::may_be_without_mfa(case, subject) {
        return None;
    }
    match case.answers.iam(&subject.source) {
        None => Some("doctor did not call IAM".to_owned()),
        Some(Answer::Accepted { .. }) => None,
        Some(Answer::Refused(refusal)) if aws_error::iam_accepts_signer(&refusal.code) => None,
        Some(Answer::Refused(refusal)) if aws_error::is_unreached_code(&refusal.code) => {
            Some(format!("IAM gave no answer ({})", refusal.code))
        }
        Some(Answer::Refused(refusal)) => {
            Some(format!("IAM answered {}, which is no evidence about the session", refusal.code))
        }
        Some(Answer::Untried { why }) => Some(why.clone()),
        Some(_) => Some("IAM's answer could not be read".to_owned()),
    }
}

/// The variable with the role that programs request with a web identity, if no profile was named.
fn role_of_variables(case: &Case<'_>) -> Option<&'static str> {
    let is_set = |name: &&str| case.evidence.variables.get(name).is_some();
    let names = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"];
    (!case.is_named() && names.iter().all(is_set)).then_some("AWS_ROLE_ARN")
}

/// AWS's answers to the steps of the plan.
fn steps(case: &Case<'_>, cause: Cause) -> Option<String> {
    let is_role = |step: &Step| matches!(step.source, Source::AssumeRole(_) | Source::WebIdentity(_));
    let concerned = match cause {
        Cause::AssumeRoleDenied | Cause::MfaRequired => case.steps().any(is_role),
        Cause::DurationTooLong => case.steps().any(|step| step.source.duration_seconds().is_some()),
        Cause::RegionNotEnabled => return None,
        _ => true,
    };
    if let Some(variable) = role_of_variables(case) {
        return Some(format!("doctor does not request the role that {variable} names"));
    }
    if !concerned {
        return None;
    }
    // The steps end at the first one that gives no credentials.
    let failed = case.answers.chain().last().and_then(|step| match &step.outcome {
        StepOutcome::Refused(refusal) => Some((step, refusal)),
        _ => None,
    });
    let not_sent = || failed.filter(|(_, refusal)| refusal.is_local()).map(|(_, refusal)| not_sent(refusal));
    let not_reached = || {
        let is_asked = |step: &&StepAnswer| matches!(step.kind.as_str(), "assume-role" | "web-identity");
        let asked = case.answers.chain().iter().filter(is_asked).count();
        (cause != Cause::AccountNotSignedUp && asked < case.steps().filter(|step| is_role(step)).count())
            .then(|| "an earlier step failed, so doctor did not request the role".to_owned())
    };
    let refused = || {
        let (step, refusal) = failed?;
        let is_open = cause != Cause::AccountNotSignedUp || refusal.is_usual_for(cause);
        let (kind, profile, code) = (&step.kind, &step.profile, &refusal.code);
        is_open.then(|| format!("AWS refused the step {kind} of profile \"{profile}\" ({code}), and gives no details"))
    };
    plan_unanswered(case).or_else(not_sent).or_else(not_reached).or_else(refused)
}

/// Whether any request reaches AWS.
fn connection(case: &Case<'_>) -> Option<String> {
    if case.evidence.offline {
        return Some(OFFLINE.to_owned());
    }
    if case.lacks_profile() {
        return Some(NO_PROFILE.to_owned());
    }
    if let Some(place) = region::unusable(case) {
        return Some(format!("no request can be sent for the region in {place}"));
    }
    let untried = case.answers.iter().find_map(|(about, answer)| match (about, answer) {
        (About::Clock | About::Identity { .. } | About::Chain, Answer::Untried { why }) => Some(why.clone()),
        _ => None,
    });
    untried.or_else(|| case.clock().is_none().then(|| "doctor sent no request to AWS".to_owned()))
}

/// Why AWS has not judged a set of keys, as the end of a sentence. `None` if AWS has accepted or refused the unchanged
/// keys, or if no program can send them.
pub(super) fn unanswered(case: &Case<'_>, subject: &KeySet<'_>) -> Option<String> {
    let (id, _) = (subject.access_key_id?, subject.secret_access_key?);
    match case.answers.unmodified(&subject.source) {
        Some(Answer::Accepted { .. }) => None,
        Some(Answer::Refused(refusal)) => refusal.why_open(),
        Some(Answer::Untried { why }) => Some(why.clone()),
        _ if case.evidence.offline => Some(OFFLINE.to_owned()),
        _ if case.lacks_profile() => Some(NO_PROFILE.to_owned()),
        _ if access_key::may_be_secret(id.text) => {
            Some("the access key id may be a secret, so doctor does not send it".to_owned())
        }
        _ if question::is_for_another_maker(case, subject) => Some(
            "the keys don't have AWS's form, and a setting sends calls elsewhere: doctor does not send them to AWS"
                .to_owned(),
        ),
        _ => Some("doctor sent no request to AWS".to_owned()),
    }
}

/// Why the doctor doesn't know whether the profile's plan works, as the end of a sentence. `None` if all steps ran, if
/// AWS has refused the last one, or if the plan is only keys in a file.
pub(super) fn plan_unanswered(case: &Case<'_>) -> Option<String> {
    let Some(Ok(plan)) = &case.plan else { return None };
    if plan.is_keys_alone() {
        return None;
    }
    match case.answers.get(&About::Chain) {
        _ if case.evidence.offline => Some(OFFLINE.to_owned()),
        Some(Answer::Chain { steps }) => steps.last().and_then(|step| match &step.outcome {
            StepOutcome::Passed { .. } => None,
            StepOutcome::Refused(refusal) => refusal.why_undecided(),
            StepOutcome::NotSignedIn { why, .. } | StepOutcome::Untried { why } => Some(why.clone()),
        }),
        Some(Answer::Untried { why }) => Some(why.clone()),
        _ => Some(match region::unusable(case) {
            Some(place) => format!("no request can be sent for the region in {place}"),
            None => "doctor did not test the steps to the profile's credentials".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{StepAnswer, StepOutcome};
    use super::super::testing::{accepted, answers, evidence, identity, refusal};
    use super::super::{About, Answer, Answers, Evidence, FileFacts, KeySource, Report, Variant, diagnose};
    use super::*;

    const ROLE: &str =
        "[profile dev]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = base\n";
    const BASE: &str = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

    fn open(report: &Report, id: Cause) -> bool {
        report.not_checked.contains_key(&id) && !report.checked.contains(&id)
    }

    fn steps(list: &[(&str, StepOutcome)]) -> Answers {
        let steps = list.iter().map(|(kind, outcome)| StepAnswer {
            profile: "dev".to_owned(),
            kind: (*kind).to_owned(),
            outcome: outcome.clone(),
            printed: None,
            stated_account: None,
            identity: None,
        });
        let base = identity(KeySource::Profile("base".to_owned()), Variant::AsIs, "eu-west-1");
        answers(vec![(About::Chain, Answer::Chain { steps: steps.collect() }), (base, accepted())])
    }

    fn passed() -> StepOutcome {
        StepOutcome::Passed { expires_at: None, arn: None }
    }

    #[test]
    fn a_key_that_aws_accepts_without_its_token_is_known() {
        let token = "aws_session_token = IQoJb3JpZ2lu\n";
        let evidence = evidence("[profile base]\nregion = eu-west-1\n", &format!("{BASE}{token}"), &[], "base");
        let of = |variant| identity(KeySource::Profile("base".to_owned()), variant, "eu-west-1");
        let refused = Answer::Refused(refusal("InvalidClientTokenId"));
        let asked = answers(vec![(of(Variant::AsIs), refused), (of(Variant::WithoutToken), accepted())]);
        let report = diagnose(&evidence, &asked);
        assert!(report.checked.contains(&Cause::AccessKeyUnknown) && report.checked.contains(&Cause::SecretKeyWrong));
        assert!(open(&report, Cause::SessionTokenForeign), "{report:#?}");
    }

    #[test]
    fn a_role_that_aws_neither_gave_nor_refused_is_not_ruled_out() {
        let evidence = evidence(ROLE, BASE, &[], "dev");
        for code in ["Throttling", "ServiceUnavailable", "InternalFailure", "Timeout", "Network", "InvalidResponse"] {
            let asked = steps(&[("static", passed()), ("assume-role", StepOutcome::Refused(refusal(code)))]);
            let report = diagnose(&evidence, &asked);
            assert!(open(&report, Cause::AssumeRoleDenied), "{code}: {report:#?}");
        }
        let unreached = steps(&[("static", StepOutcome::Refused(refusal("InvalidClientTokenId")))]);
        assert!(open(&diagnose(&evidence, &unreached), Cause::AssumeRoleDenied));
        let given = diagnose(&evidence, &steps(&[("static", passed()), ("assume-role", passed())]));
        assert!(given.checked.contains(&Cause::AssumeRoleDenied) && given.checked.contains(&Cause::AccessKeyUnknown));
    }

    #[test]
    fn a_role_that_aws_refuses_is_an_error_whatever_the_code() {
        let evidence = evidence(ROLE, BASE, &[], "dev");
        for code in [
            "AccessDenied",
            "ValidationError",
            "MalformedPolicyDocument",
            "PackedPolicyTooLarge",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "NobodyKnowsThisCode",
        ] {
            let asked = steps(&[("static", passed()), ("assume-role", StepOutcome::Refused(refusal(code)))]);
            let report = diagnose(&evidence, &asked);
            let found = report.findings.iter().find(|finding| finding.id == Cause::AssumeRoleDenied);
            assert!(found.is_some_and(|finding| !finding.fix.is_empty()), "{code}: {report:#?}");
            assert!(report.has_errors());
        }
    }

    #[test]
    fn credentials_that_the_doctor_does_not_fetch_are_not_called_good() {
        let with = |line: &str| {
            let config = format!("[profile dev]\nregion = eu-west-1\n{line}\n");
            let why = StepOutcome::Untried { why: "it runs another program".to_owned() };
            diagnose(&evidence(&config, "", &[], "dev"), &steps(&[("process", why)]))
        };
        let report = with("credential_process = /bin/true");
        for id in Cause::that_need(Needs::Keys) {
            assert!(open(&report, id), "{id}: {report:#?}");
        }
    }

    #[test]
    fn nothing_is_ruled_out_that_may_stand_in_a_file_that_can_not_be_read() {
        for role in [FileRole::Config, FileRole::Credentials] {
            let mut evidence = evidence("[profile dev]\nregion = eu-west-1\n", "", &[], "dev");
            let state = FileState::Unreadable { why: "permission denied".to_owned(), fix: None, owner_and_mode: None };
            evidence.files = vec![FileFacts { role, path: "/h/.aws/x".to_owned(), state, dangling: None }];
            let report = diagnose(&evidence, &Answers::default());
            for id in Cause::that_need(Needs::Files) {
                assert!(
                    !report.checked.contains(&id) || report.findings.iter().any(|f| f.id == id),
                    "{id}: {report:#?}"
                );
            }
        }
    }

    #[test]
    fn a_role_whose_source_has_no_key_or_half_of_one_is_an_error() {
        for base in ["[base]\nregion = eu-west-1\n", "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"] {
            let report = diagnose(&evidence(ROLE, base, &[], "dev"), &Answers::default());
            assert!(report.has_errors(), "{base}: {report:#?}");
            assert!(open(&report, Cause::AssumeRoleDenied) && open(&report, Cause::AccessKeyUnknown), "{report:#?}");
        }
    }

    #[test]
    fn what_iam_did_not_say_of_a_session_is_open() {
        const SESSION: &str = "[dev]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\naws_session_token = FwoGZXIvYXdzEXAMPLE\n";
        let evidence: Evidence = evidence("[profile dev]\nregion = eu-west-1\n", SESSION, &[], "dev");
        let source = KeySource::Profile("dev".to_owned());
        let with = |iam: Option<Answer>| {
            let mut list = vec![(identity(source.clone(), Variant::AsIs, "eu-west-1"), accepted())];
            list.extend(iam.map(|answer| (About::Iam { source: source.clone() }, answer)));
            diagnose(&evidence, &answers(list))
        };
        for code in ["Timeout", "Network", "InvalidResponse", "Throttling", "ServiceFailure", "NobodyKnowsThisCode"] {
            let report = with(Some(Answer::Refused(refusal(code))));
            assert!(open(&report, Cause::SessionTokenWithoutMfa), "{code}: {report:#?}");
        }
        assert!(open(&with(Some(Answer::Untried { why: "it is late".to_owned() })), Cause::SessionTokenWithoutMfa));
        assert!(open(&with(None), Cause::SessionTokenWithoutMfa), "doctor did not call IAM");
        for code in ["AccessDenied", "NoSuchEntity", "ValidationError"] {
            let report = with(Some(Answer::Refused(refusal(code))));
            assert!(report.checked.contains(&Cause::SessionTokenWithoutMfa), "{code}: IAM knew the session");
        }
        let refused = with(Some(Answer::Refused(refusal("InvalidClientTokenId"))));
        assert!(refused.findings.iter().any(|finding| finding.id == Cause::SessionTokenWithoutMfa));
    }

    #[test]
    fn a_daemon_that_does_not_answer_was_not_compared() {
        let evidence = evidence("[profile dev]\nregion = eu-west-1\n", BASE, &[], "dev");
        assert!(open(&diagnose(&evidence, &Answers::default()), Cause::DaemonEnvironmentDiffers));
    }
}
