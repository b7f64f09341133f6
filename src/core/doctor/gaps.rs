//! Causes that no rule can check: because of an unreadable file, settings without credentials, or credentials that
//! doctor does not fetch. They would otherwise count as ruled out.

use super::{Case, Daemon, FileRole, FileState, Findings, Id};
use crate::core::cause::Needs;
use crate::core::plan::{PlanErrorCode, Source, Step};
use crate::core::printable::printable;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    unreadable_files(case, findings);
    no_plan(case, findings);
    credentials_of_the_plan(case, findings);
    roles_that_were_not_reached(case, findings);
    no_credentials(case, findings);
    if let Daemon::Silent { why, other_files: false } = &case.evidence.daemon {
        findings
            .not_looked_for(Id::DaemonEnvironmentDiffers, format!("the daemon does not answer: {}", printable(why)));
    }
    for (id, why) in &case.evidence.not_read {
        findings.not_looked_for(*id, printable(why));
    }
}

fn not_checked(findings: &mut Findings, ids: impl IntoIterator<Item = Id>, why: &str) {
    ids.into_iter().for_each(|id| findings.not_looked_for(id, why));
}

/// A setting or a key may be in a file that can't be read.
fn unreadable_files(case: &Case<'_>, findings: &mut Findings) {
    for file in &case.evidence.files {
        let is_used = matches!(file.role, FileRole::Config | FileRole::Credentials);
        if is_used && matches!(file.state, FileState::Unreadable { .. }) {
            let why = format!("{} can't be read", file.role.called());
            not_checked(findings, Id::that_need(Needs::Files), &why);
        }
    }
}

/// Settings without a plan: no step was executed.
fn no_plan(case: &Case<'_>, findings: &mut Findings) {
    const OF_STEPS: [Id; 8] = [
        Id::AssumeRoleDenied,
        Id::MfaRequired,
        Id::MfaCodeRefused,
        Id::DurationTooLong,
        Id::SsoLoginNeeded,
        Id::SsoRoleDenied,
        Id::SessionRevoked,
        Id::AccountNotSignedUp,
    ];
    match &case.plan {
        Some(Err(error)) if error.code == PlanErrorCode::MissingProfile => {}
        Some(Err(_)) => not_checked(findings, OF_STEPS, "correct the profile's settings first"),
        Some(Ok(plan)) if plan.steps.iter().any(|step| step.source.device().is_some()) => {
            findings.not_looked_for(Id::MfaCodeRefused, "doctor sends no MFA code");
        }
        Some(Ok(_)) | None => {}
    }
}

/// Credentials of another program or a service, which doctor has not seen.
fn credentials_of_the_plan(case: &Case<'_>, findings: &mut Findings) {
    let Some(Ok(plan)) = &case.plan else { return };
    let Some(first) = plan.steps.first() else { return };
    let stands_here = |step: &Step| match step.source {
        Source::Static(_) => true,
        Source::Environment => case.subjects.iter().any(|subject| subject.whose == super::Whose::Environment),
        _ => false,
    };
    if !stands_here(first)
        && let Some(why) = case.plan_unanswered()
    {
        not_checked(findings, Id::that_need(Needs::Keys), &printable(&why));
    }
}

/// The steps after a failed step were not executed.
fn roles_that_were_not_reached(case: &Case<'_>, findings: &mut Findings) {
    let Some(Ok(plan)) = &case.plan else { return };
    let roles = plan.steps.iter().filter(|step| matches!(step.source, Source::AssumeRole(_) | Source::WebIdentity(_)));
    let asked = case.answers.chain().iter().filter(|step| matches!(step.kind.as_str(), "assume-role" | "web-identity"));
    if asked.count() < roles.count() {
        let ids = [Id::AssumeRoleDenied, Id::DurationTooLong];
        not_checked(findings, ids, "an earlier step failed, so doctor did not request the role");
    }
}

/// There are no credentials to check with AWS.
fn no_credentials(case: &Case<'_>, findings: &mut Findings) {
    let has_key = case.subjects.iter().any(|key| key.access_key_id.is_some() && key.secret_access_key.is_some());
    if !has_key && !matches!(case.plan, Some(Ok(_))) {
        let ids = Id::that_need(Needs::Keys).filter(|id| id.needs().contains(&Needs::Identity));
        not_checked(findings, ids, "there are no credentials to check with AWS");
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{StepAnswer, StepOutcome};
    use super::super::testing::{accepted, answers, evidence, identity, refusal};
    use super::super::{About, Answer, Answers, Evidence, FileFacts, Report, Variant, Whose, diagnose};
    use super::*;

    const ROLE: &str =
        "[profile dev]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = base\n";
    const BASE: &str = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

    fn open(report: &Report, id: Id) -> bool {
        report.not_checked.contains_key(&id) && !report.checked.contains(&id)
    }

    fn steps(list: &[(&str, StepOutcome)]) -> Answers {
        let steps = list.iter().map(|(kind, outcome)| StepAnswer {
            profile: "dev".to_owned(),
            kind: (*kind).to_owned(),
            outcome: outcome.clone(),
        });
        let base = identity(Whose::Profile("base".to_owned()), Variant::AsIs, "eu-west-1");
        answers(vec![(About::Chain, Answer::Chain { steps: steps.collect() }), (base, accepted())])
    }

    fn passed() -> StepOutcome {
        StepOutcome::Passed { expires_at: None, arn: None }
    }

    #[test]
    fn a_role_that_aws_neither_gave_nor_refused_is_not_ruled_out() {
        let evidence = evidence(ROLE, BASE, &[], "dev");
        for code in ["Throttling", "ServiceUnavailable", "InternalFailure", "Timeout", "Network", "InvalidResponse"] {
            let asked = steps(&[("static", passed()), ("assume-role", StepOutcome::Refused(refusal(code)))]);
            let report = diagnose(&evidence, &asked);
            assert!(open(&report, Id::AssumeRoleDenied), "{code}: {report:#?}");
        }
        let unreached = steps(&[("static", StepOutcome::Refused(refusal("InvalidClientTokenId")))]);
        assert!(open(&diagnose(&evidence, &unreached), Id::AssumeRoleDenied));
        let given = diagnose(&evidence, &steps(&[("static", passed()), ("assume-role", passed())]));
        assert!(given.checked.contains(&Id::AssumeRoleDenied) && given.checked.contains(&Id::AccessKeyUnknown));
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
            let found = report.findings.iter().find(|finding| finding.id == Id::AssumeRoleDenied);
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
        for id in Id::that_need(Needs::Keys) {
            assert!(open(&report, id), "{id}: {report:#?}");
        }
    }

    #[test]
    fn nothing_is_ruled_out_that_may_stand_in_a_file_that_can_not_be_read() {
        for role in [FileRole::Config, FileRole::Credentials] {
            let mut evidence = evidence("[profile dev]\nregion = eu-west-1\n", "", &[], "dev");
            let state =
                FileState::Unreadable { why: "it is a directory".to_owned(), denied: false, owner_and_mode: None };
            evidence.files = vec![FileFacts { role, path: "/h/.aws/x".to_owned(), state }];
            let report = diagnose(&evidence, &Answers::default());
            for id in Id::that_need(Needs::Files) {
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
            assert!(open(&report, Id::AssumeRoleDenied) && open(&report, Id::AccessKeyUnknown), "{report:#?}");
        }
    }

    #[test]
    fn what_iam_did_not_say_of_a_session_is_open() {
        const SESSION: &str = "[dev]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\naws_session_token = FwoGZXIvYXdzEXAMPLE\n";
        let evidence: Evidence = evidence("[profile dev]\nregion = eu-west-1\n", SESSION, &[], "dev");
        let whose = Whose::Profile("dev".to_owned());
        let with = |iam: Option<Answer>| {
            let mut list = vec![(identity(whose.clone(), Variant::AsIs, "eu-west-1"), accepted())];
            list.extend(iam.map(|answer| (About::Iam { whose: whose.clone() }, answer)));
            diagnose(&evidence, &answers(list))
        };
        for code in ["Timeout", "Network", "InvalidResponse", "Throttling", "ServiceFailure", "NobodyKnowsThisCode"] {
            let report = with(Some(Answer::Refused(refusal(code))));
            assert!(open(&report, Id::SessionTokenWithoutMfa), "{code}: {report:#?}");
        }
        assert!(open(&with(Some(Answer::Untried { why: "it is late".to_owned() })), Id::SessionTokenWithoutMfa));
        assert!(open(&with(None), Id::SessionTokenWithoutMfa), "IAM was not asked");
        for code in ["AccessDenied", "NoSuchEntity", "ValidationError"] {
            let report = with(Some(Answer::Refused(refusal(code))));
            assert!(report.checked.contains(&Id::SessionTokenWithoutMfa), "{code}: IAM knew the session");
        }
        let refused = with(Some(Answer::Refused(refusal("InvalidClientTokenId"))));
        assert!(refused.findings.iter().any(|finding| finding.id == Id::SessionTokenWithoutMfa));
    }

    #[test]
    fn a_daemon_that_does_not_answer_was_not_compared() {
        let evidence = evidence("[profile dev]\nregion = eu-west-1\n", BASE, &[], "dev");
        assert!(open(&diagnose(&evidence, &Answers::default()), Id::DaemonEnvironmentDiffers));
    }
}
