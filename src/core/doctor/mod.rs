//! The doctor: finds out why AWS refuses, from what was collected on this machine and what AWS answered to a few questions.
//!
//! Pure, and in rounds: [`questions`] says what to ask AWS next, given the answers so far, until it has no more; then
//! [`diagnose`] turns evidence and answers into findings. Each kind of cause is a module of its own with one
//! `look(case, findings)`. What is only possible is worded so, and what could not be looked at is said.

mod account;
mod adoption;
mod answers;
mod cache_files;
mod case;
mod choice;
mod clock;
mod commands;
mod document;
mod evidence;
mod expiry;
mod file_texts;
mod gaps;
mod key_shape;
mod places;
pub mod probe;
mod profile_values;
mod question;
mod redact;
mod region;
mod remarks;
mod report;
mod role;
mod sessions;
mod shadow;
#[cfg(test)]
mod testing;
mod token_file;

pub use self::case::{Case, Located, Subject};
pub use self::choice::{Client, Uses};
pub use self::evidence::{
    Daemon, DaemonFacts, DaemonProfile, DaemonSession, Evidence, FileFacts, FileRole, FileState, Group, LastError,
    TerraformBackend, TokenFile, TokenState, Variables,
};
pub use self::probe::{About, Answer, Answers, Keys, Order, Question, Refusal, Variant, Whose};
pub use self::question::questions;
pub use self::remarks::{CREDENTIALS_MALFORMED, FileRemarks, Remark, remarks};
pub use self::report::{Certainty, Finding, Findings, Identity, Report, Severity};
use crate::core::access_key::is_account;
pub use crate::core::cause::Cause as Id;
use crate::core::cause::Needs;
use crate::core::plan::PlanErrorCode;
use crate::core::printable::printable;

/// What is wrong, given everything that was collected and answered.
pub fn diagnose(evidence: &Evidence, answers: &Answers) -> Report {
    let case = Case::new(evidence, answers);
    let mut findings = Findings::default();
    // The order matters: what is found by form and by stated ends comes before what goes by it (`shadow`, `answers`), and what
    // is found first is told first among its equals.
    for look in [
        clock::look,
        places::look,
        adoption::look,
        choice::look,
        token_file::look,
        profile_values::look,
        expiry::look,
        shadow::look,
        file_texts::look,
        key_shape::look,
        region::look,
        answers::look,
        role::look,
        sessions::look,
        account::look,
        gaps::look,
    ] {
        look(&case, &mut findings);
    }
    let lacks_profile = matches!(&case.plan, Some(Err(error)) if error.code == PlanErrorCode::MissingProfile);
    if lacks_profile {
        // Without a section there is nothing that could have been looked at.
        let of_keys = Id::that_need(Needs::Keys).filter(|_| case.subjects.is_empty());
        for id in Id::that_need(Needs::Profile).chain(of_keys) {
            findings.not_looked_for(id, "there is no such profile");
        }
    }
    let choices = choice::choices(&case);
    let identity = identity(&case, &choices);
    let report = findings.into_report(case.profile.clone(), lacks_profile, choices);
    redact::redact(&case, Report { identity, ..report })
}

/// The identity of the credentials that the AWS CLI and boto3 use here.
fn identity(case: &Case<'_>, choices: &[(Client, Uses)]) -> Option<Identity> {
    let by_keys = |whose: Whose| match case.answers.as_is(&whose) {
        Some(Answer::Accepted { arn, .. }) => Some(arn.clone()),
        _ => None,
    };
    let by_plan = || case.answers.chain().last().and_then(|step| step.outcome.arn());
    let uses = choices.iter().find(|(client, _)| *client == Client::Botocore).map(|(_, uses)| uses);
    let arn = match uses {
        Some(Uses::Environment) => by_keys(Whose::Environment),
        Some(Uses::WebIdentity | Uses::Container) => None,
        _ => by_plan().or_else(|| case.profile.clone().and_then(|name| by_keys(Whose::Profile(name)))),
    };
    let arn = printable(&arn.filter(|arn| !arn.is_empty())?);
    let account_id = arn.split(':').nth(4).filter(|account| is_account(account)).map(str::to_owned);
    Some(Identity { arn, account_id })
}
