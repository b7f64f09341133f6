//! The verdict: whether the credentials in question work, or why the doctor could not test them. A verdict about a named
//! profile is about that profile's own credentials, whatever keys the shell has.

use serde::Serialize;
use serde_json::{Value, json};

use super::case::OFFLINE;
use super::probe::{StepAnswer, StepOutcome};
use super::{About, Answer, Case, Cause, Client, Finding, KeySource, Provider, ResolvedFrom, Severity};
use super::{minted, open};
use crate::core::access_key::is_account;
use crate::core::plan::{Plan, Source, Step};
use crate::core::printable::{name, printable};

/// The identity of credentials, from AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The user or role.
    pub arn: String,
    /// The twelve digits of the account.
    pub account_id: Option<String>,
}

/// The first line of the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Its subject: a profile, or "this shell".
    pub subject: String,
    /// The result.
    pub outcome: Outcome,
}

/// Whether the credentials work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS named their owner.
    Works {
        /// An error about the keys of this shell, which don't belong to the profile.
        of_shell: Option<String>,
    },
    /// A finding is an error: its title.
    Fails(String),
    /// AWS did not name their owner, and no finding is an error.
    NotTested {
        /// Why, as the end of a sentence.
        why: String,
        /// The test was left out on purpose, for example because a credential_process runs only with `--run-process`.
        on_purpose: bool,
    },
}

impl Default for Outcome {
    fn default() -> Self {
        Self::NotTested { why: OFFLINE.to_owned(), on_purpose: true }
    }
}

impl Verdict {
    /// One line.
    pub(super) fn line(&self, identity: Option<&Identity>, region: Option<&str>) -> String {
        let subject = &self.subject;
        match &self.outcome {
            Outcome::Fails(why) if why.starts_with(subject.as_str()) => why.clone(),
            Outcome::Fails(why) => format!("{subject} fails: {why}"),
            Outcome::NotTested { why, .. } => format!("{subject} was not tested: {why}"),
            Outcome::Works { of_shell } => {
                let mut line = format!("{subject} works");
                if let Some(Identity { arn, account_id }) = identity {
                    line.push_str(&format!(": {arn}"));
                    line.extend(account_id.iter().map(|account| format!(", account {account}")));
                }
                line.extend(region.map(|region| format!(", region {region}")));
                line.extend(of_shell.iter().map(|why| format!("; this shell fails: {why}")));
                line
            }
        }
    }

    /// Whether the line gives the title of a finding as its reason.
    pub(super) fn gives(&self, title: &str) -> bool {
        matches!(&self.outcome, Outcome::Fails(why) if why == title)
    }

    /// As a part of the document.
    pub(super) fn document(&self) -> Value {
        let (state, why) = match &self.outcome {
            Outcome::Works { of_shell } => ("works", of_shell.as_ref()),
            Outcome::Fails(why) => ("fails", Some(why)),
            Outcome::NotTested { why, .. } => ("not-tested", Some(why)),
        };
        json!({"subject": self.subject, "state": state, "why": why})
    }

    /// Whether a test that was meant to be made has no result.
    pub fn lacks_result(&self) -> bool {
        matches!(self.outcome, Outcome::NotTested { on_purpose: false, .. })
    }
}

/// The verdict on a case with these findings.
pub(super) fn verdict(case: &Case<'_>, choices: &[(Client, ResolvedFrom)], findings: &[Finding]) -> Verdict {
    let subject = match (&case.profile, of_shell(case, choices)) {
        (Some(profile), None) => name(profile),
        _ => "this shell".to_owned(),
    };
    let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
    let of_profile = errors().find(|finding| !(case.is_named() && is_about_the_shell(finding)));
    let is_of_shell = of_profile.is_none();
    let first = of_profile.or_else(|| errors().next()).map(|finding| finding.title.clone());
    let is_known = identity(case, choices).is_some();
    let outcome = match first {
        Some(title) if !(is_known && is_of_shell) => Outcome::Fails(title),
        of_shell if is_known => Outcome::Works { of_shell },
        _ => {
            let (why, on_purpose) = untested(case, choices);
            Outcome::NotTested { why: printable(&why), on_purpose }
        }
    };
    Verdict { subject, outcome }
}

/// Whether a finding is about keys of the shell, which a program with `--profile` does not use.
fn is_about_the_shell(finding: &Finding) -> bool {
    finding.id == Cause::EnvironmentShadowsProfile || finding.about == Some(KeySource::Environment)
}

/// Makes errors about `[default]` warnings if every program uses the keys of the variables, and AWS accepts those.
pub(super) fn demote_unused(case: &Case<'_>, choices: &[(Client, ResolvedFrom)], findings: &mut [Finding]) {
    let all_use_variables = choices.iter().all(|(_, uses)| matches!(uses, ResolvedFrom::Environment));
    if case.is_named() || !all_use_variables || identity(case, choices).is_none() {
        return;
    }
    let is_of_profile = |finding: &Finding| match &finding.about {
        Some(source) => *source != KeySource::Environment,
        None => matches!(
            finding.id,
            Cause::AssumeRoleDenied
                | Cause::MfaRequired
                | Cause::MfaCodeRefused
                | Cause::DurationTooLong
                | Cause::SsoLoginNeeded
                | Cause::SsoRoleDenied
                | Cause::AccountMismatch
                | Cause::CredentialsMissing
                | Cause::ProfileBroken
        ),
    };
    for finding in findings.iter_mut().filter(|finding| finding.severity == Severity::Error && is_of_profile(finding)) {
        finding.severity = Severity::Warning;
        finding.evidence.push("programs in this shell use the keys in the environment variables instead".to_owned());
    }
    findings.sort_by_key(|finding| finding.severity);
}

/// The variables of the shell that provide credentials, if no profile was named.
fn of_shell<'c>(case: &Case<'_>, choices: &'c [(Client, ResolvedFrom)]) -> Option<&'c ResolvedFrom> {
    let uses = choices.iter().find(|(client, _)| *client == Client::Botocore).map(|(_, uses)| uses)?;
    let is_of_shell = matches!(uses, ResolvedFrom::Environment | ResolvedFrom::WebIdentity | ResolvedFrom::Container);
    (is_of_shell && !case.is_named()).then_some(uses)
}

/// The identity of the credentials in question, from AWS's answer.
pub(super) fn identity(case: &Case<'_>, choices: &[(Client, ResolvedFrom)]) -> Option<Identity> {
    let arn = match of_shell(case, choices) {
        Some(ResolvedFrom::Environment) => arn_of_keys(case, &KeySource::Environment),
        Some(_) => None,
        None => arn_of_plan(case),
    }?;
    let account_id = arn.split(':').nth(4).filter(|account| is_account(account)).map(str::to_owned);
    Some(Identity { arn, account_id })
}

fn arn_of_keys(case: &Case<'_>, source: &KeySource) -> Option<String> {
    match case.answers.unmodified(source)? {
        Answer::Accepted { arn, .. } if !arn.is_empty() => Some(printable(arn)),
        _ => None,
    }
}

fn arn_of_plan(case: &Case<'_>) -> Option<String> {
    let plan = case.plan.as_ref()?.as_ref().ok()?;
    match plan.steps.last()? {
        last if plan.is_keys_alone() => arn_of_keys(case, &KeySource::Profile(last.profile.clone())),
        Step { source: Source::Process { .. }, profile, .. } => arn_of_keys(case, &KeySource::Process(profile.clone())),
        last => {
            let given = case.answers.chain().last().filter(|step| step.profile == last.profile);
            given.and_then(|step| step.outcome.arn()).filter(|arn| !arn.is_empty()).map(|arn| printable(&arn))
        }
    }
}

/// The owner of the credentials that a client uses: AWS's answer, or the role that the variables name.
pub(super) fn owner(case: &Case<'_>, from: &ResolvedFrom) -> Option<String> {
    match from {
        ResolvedFrom::Environment => arn_of_keys(case, &KeySource::Environment),
        ResolvedFrom::WebIdentity => Some(printable(case.evidence.variables.get("AWS_ROLE_ARN")?)),
        ResolvedFrom::Profile { name, provider: Provider::Keys } => {
            arn_of_keys(case, &KeySource::Profile(name.clone()))
        }
        ResolvedFrom::Profile { name, provider } => {
            let last = case.plan.as_ref()?.as_ref().ok()?.steps.last()?;
            let is_of_plan = last.profile == *name && case.profile.as_ref() == Some(name);
            let is_same = match provider {
                Provider::Role | Provider::RoleWithKeys => matches!(last.source, Source::AssumeRole(_)),
                Provider::Sso => matches!(last.source, Source::Sso(_)),
                Provider::Process => matches!(last.source, Source::Process { .. }),
                Provider::Login => matches!(last.source, Source::Login(_)),
                Provider::TokenFile => matches!(last.source, Source::WebIdentity(_)),
                Provider::Keys | Provider::Source => false,
            };
            (is_of_plan && is_same).then(|| arn_of_plan(case)).flatten()
        }
        _ => None,
    }
}

/// Why AWS has not named the owner of the credentials, as the end of a sentence, and whether the test was left out on purpose.
fn untested(case: &Case<'_>, choices: &[(Client, ResolvedFrom)]) -> (String, bool) {
    const NO_ANSWER: &str = "AWS gave no answer to GetCallerIdentity";
    let of_keys = |source: &KeySource| {
        let subject = case.subjects.iter().find(|subject| subject.source == *source);
        subject.and_then(|subject| open::unanswered(case, subject)).unwrap_or_else(|| NO_ANSWER.to_owned())
    };
    if case.evidence.offline {
        return (OFFLINE.to_owned(), true);
    }
    match of_shell(case, choices) {
        Some(ResolvedFrom::Environment) => return (of_keys(&KeySource::Environment), false),
        Some(ResolvedFrom::WebIdentity) => {
            return ("doctor does not use the web identity in the environment variables".to_owned(), true);
        }
        Some(_) => return ("doctor does not request the credentials of the container".to_owned(), true),
        None => {}
    }
    let plan = match &case.plan {
        None => return ("no profile and no variable has credentials".to_owned(), false),
        Some(Err(error)) => return (error.message.clone(), false),
        Some(Ok(plan)) => plan,
    };
    let (why, on_purpose) = match plan.steps.last() {
        Some(last) if plan.is_keys_alone() => (of_keys(&KeySource::Profile(last.profile.clone())), false),
        last => {
            let printed = last.map(|last| KeySource::Process(last.profile.clone()));
            let printed = printed.filter(|source| case.subjects.iter().any(|subject| subject.source == *source));
            match (open::plan_unanswered(case), printed) {
                (Some(why), _) => (why, is_left_out(case, plan)),
                (None, Some(source)) => (of_keys(&source), false),
                (None, None) => {
                    let refused = || case.answers.chain().last()?.refusal()?.why_open();
                    (minted::unnamed(case).or_else(refused).unwrap_or_else(|| NO_ANSWER.to_owned()), false)
                }
            }
        }
    };
    match case.cached() {
        Some(cached) => (format!("{why}; {cached}"), on_purpose),
        None => (why, on_purpose),
    }
}

/// Whether the steps stopped at one that the doctor leaves out: it sends no MFA code, refreshes no token, and runs no
/// program without `--run-process`.
fn is_left_out(case: &Case<'_>, plan: &Plan) -> bool {
    let Some(Answer::Chain { steps }) = case.answers.get(&About::Chain) else { return false };
    let Some(StepAnswer { profile, kind, outcome, .. }) = steps.last() else { return false };
    let step = plan
        .steps
        .iter()
        .find(|step| step.profile == *profile && crate::core::plan::step_type(&step.source) == kind.as_str());
    match (outcome, step.map(|step| &step.source)) {
        (StepOutcome::NotSignedIn { renews, .. }, _) => *renews,
        (StepOutcome::Untried { .. }, Some(Source::Process { .. })) => !case.evidence.run_process,
        (StepOutcome::Untried { .. }, Some(Source::Environment | Source::Container | Source::InstanceMetadata)) => true,
        (StepOutcome::Untried { .. }, Some(source)) => source.device().is_some(),
        _ => false,
    }
}
