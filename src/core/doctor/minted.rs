//! AWS's answer to GetCallerIdentity with the credentials that it returned for the last step, where it names no owner.

use super::probe::StepAnswer;
use super::rule::{Findings, Rule};
use super::{Answer, Case, Cause, Finding, Refusal, commands, server};
use crate::core::access_denied::{self, Because};
use crate::core::aws_error::{self, OfSigner};
use crate::core::cause::{Likelihood, Needs};
use crate::core::fix::Fix;
use crate::core::plan::{Source, step_type};
use crate::core::printable::printable;

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::AccessKeyUnknown,
        Cause::SecretKeyWrong,
        Cause::CredentialsExpired,
        Cause::AccountNotSignedUp,
        Cause::AssumeRoleDenied,
        Cause::SsoRoleDenied,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    let Some((step, Answer::Refused(refusal))) = answered(case) else { return };
    let likelihood = aws_error::lookup(&refusal.code).and_then(|entry| entry.likelihood(Cause::RegionNotEnabled));
    // `region` reports it.
    let is_of_region = likelihood == Some(Likelihood::Confirmed);
    if refusal.is_local() || refusal.why_undecided().is_some() || is_of_region {
        return;
    }
    let finding = if is_denied(refusal) { denied(case, step, refusal) } else { refused(case, step, refusal) };
    findings.add(finding.evidence_of(case.cached()));
}

/// The step that returned the credentials, and the answer.
fn answered<'a>(case: &Case<'a>) -> Option<(&'a StepAnswer, &'a Answer)> {
    case.answers.chain().iter().find_map(|step| Some((step, step.identity.as_ref()?)))
}

/// Whether AWS knows the credentials, and denies the request.
fn is_denied(refusal: &Refusal) -> bool {
    aws_error::of_signer(&refusal.code) == OfSigner::Denied
}

/// What the credentials belong to, for a sentence.
fn label(case: &Case<'_>, answer: &StepAnswer) -> String {
    let is_of_it = |source: &Source| !matches!(source, Source::SsoToken(_)) && step_type(source) == answer.kind;
    let step = case.steps().find(|step| step.profile == answer.profile && is_of_it(&step.source));
    let role = match step.map(|step| &step.source) {
        Some(Source::AssumeRole(role)) => format!("role {}", role.role_arn),
        Some(Source::WebIdentity(role)) => format!("role {}", role.role_arn),
        Some(Source::Sso(role)) => format!("role {} in account {}", role.role_name, role.account_id),
        _ => format!("the step {} of profile \"{}\"", answer.kind, answer.profile),
    };
    printable(&role)
}

fn refused(case: &Case<'_>, step: &StepAnswer, refusal: &Refusal) -> Finding {
    let id = match aws_error::of_signer(&refusal.code) {
        OfSigner::Unknown => Cause::AccessKeyUnknown,
        OfSigner::WrongSecret => Cause::SecretKeyWrong,
        OfSigner::Expired => Cause::CredentialsExpired,
        _ if refusal.is_usual_for(Cause::AccountNotSignedUp) => Cause::AccountNotSignedUp,
        _ => of_step(step),
    };
    let service = refusal.operation.service();
    let who = server::speaker(case, service);
    let title = format!("{who} refuses the credentials of {}: {}", label(case, step), printable(&refusal.code));
    Finding::error(id, title)
        .answered_by(case, service)
        .evidence(printable(&refusal.to_string()))
        .evidence("the step before returned these credentials moments ago: no file and no variable has them")
        .fix(Fix::advice("Try again in a few seconds: AWS may not know new credentials everywhere at once."))
        .fix(ask_again(step))
}

/// GetCallerIdentity needs no permission (STS API Reference), so a policy on the way has denied it.
fn denied(case: &Case<'_>, step: &StepAnswer, refusal: &Refusal) -> Finding {
    let service = refusal.operation.service();
    let who = server::speaker(case, service);
    let title = format!("{who} knows the credentials of {}, and denies GetCallerIdentity", label(case, step));
    let finding = Finding::warning(of_step(step), title).answered_by(case, service);
    let finding = finding.evidence(printable(&refusal.to_string())).evidence(
        "no permission is needed for GetCallerIdentity: a policy of a VPC endpoint or of the organisation may deny it, \
             and may deny other requests too",
    );
    let finding = match access_denied::read(&refusal.words).because {
        Because::Forbidden(policy) => finding.evidence(format!("{who} says that {} forbids it", policy.label())),
        Because::NothingAllows(policy) => finding.evidence(format!("{who} says that {}", policy.does_not_allow())),
        _ => finding,
    };
    finding
        .fix(Fix::advice(
            "Ask an administrator of the network or the organisation which policy denies sts:GetCallerIdentity.",
        ))
        .fix(ask_again(step))
}

fn of_step(step: &StepAnswer) -> Cause {
    if step.kind == "sso" { Cause::SsoRoleDenied } else { Cause::AssumeRoleDenied }
}

fn ask_again(step: &StepAnswer) -> Fix {
    Fix::see(
        "Compare with the answer that the AWS CLI gets.",
        format!("aws sts get-caller-identity {}", commands::option(&step.profile)),
    )
}

/// Why the answer leaves a cause open, as the end of a sentence.
pub(super) fn why_open(case: &Case<'_>, cause: Cause) -> Option<String> {
    let (_, answer) = answered(case)?;
    let is_of_keys = cause.needs().contains(&Needs::Identity);
    match answer {
        Answer::Refused(refusal) => {
            let said_nothing = || refusal.why_open().filter(|_| !is_denied(refusal));
            refusal.why_undecided().or_else(said_nothing).filter(|_| is_of_keys)
        }
        Answer::Untried { why } => is_of_keys.then(|| why.clone()),
        _ => None,
    }
}

/// Why AWS has not named the owner of the credentials, as the end of a sentence.
pub(super) fn unnamed(case: &Case<'_>) -> Option<String> {
    let (step, answer) = answered(case)?;
    match answer {
        Answer::Refused(refusal) if is_denied(refusal) && refusal.why_undecided().is_none() => Some(format!(
            "{} knows the credentials of {}, and denies GetCallerIdentity ({})",
            server::speaker(case, refusal.operation.service()),
            label(case, step),
            refusal.code
        )),
        Answer::Refused(refusal) => Some(format!("GetCallerIdentity has no result ({})", refusal.aws_text())),
        Answer::Untried { why } => Some(why.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::StepOutcome;
    use super::super::testing::{answers, evidence, one, refusal};
    use super::super::{About, Report, Severity, diagnose};
    use super::*;
    use crate::core::doctor::{KeySource, Variant, testing};

    fn role(code: &str, words: &str) -> Report {
        let config =
            "[profile app]\nregion = eu-west-1\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = base\n";
        let keys = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
        let step = |profile: &str, kind: &str, identity| StepAnswer {
            profile: profile.to_owned(),
            kind: kind.to_owned(),
            outcome: StepOutcome::Passed { expires_at: None, arn: None },
            printed: None,
            stated_account: None,
            identity,
        };
        let answer = Answer::Refused(Refusal { words: words.to_owned(), ..refusal(code) });
        let steps = vec![step("base", "static", None), step("app", "assume-role", Some(answer))];
        let base = testing::identity(KeySource::Profile("base".to_owned()), Variant::AsIs, "eu-west-1");
        let list = vec![(About::Chain, Answer::Chain { steps }), (base, testing::accepted())];
        diagnose(&evidence(config, keys, &[], "app"), &answers(list))
    }

    #[test]
    fn credentials_that_aws_returns_and_then_does_not_know_are_an_error() {
        let report = role("InvalidClientTokenId", "The security token included in the request is invalid.");
        let finding = one(&report, Cause::AccessKeyUnknown);
        assert!(finding.severity == Severity::Error && finding.title.contains("arn:aws:iam::111122223333:role/R"));
        assert!(finding.evidence[0].contains("InvalidClientTokenId: The security token"), "{finding:#?}");
        assert!(report.not_checked.contains_key(&Cause::SessionTokenForeign), "{report:#?}");
        assert!(report.verdict.line(None, None).contains("fails: AWS refuses the credentials of role"));
    }

    #[test]
    fn a_denied_get_caller_identity_says_that_the_credentials_are_known() {
        let words =
            "User: x is not authorized to perform: sts:GetCallerIdentity because no VPC endpoint policy allows it";
        let report = role("AccessDenied", words);
        let finding = one(&report, Cause::AssumeRoleDenied);
        assert!(finding.severity == Severity::Warning && finding.evidence[0].contains(words), "{finding:#?}");
        assert!(report.checked.contains(&Cause::AccessKeyUnknown) && report.verdict.lacks_result(), "{report:#?}");
        assert!(report.verdict.line(None, None).contains("AccessDenied"), "{report:#?}");
    }
}
