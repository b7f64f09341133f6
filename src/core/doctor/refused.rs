//! The refused calls, and the causes that their codes leave open. A usual cause of a code is open after any call that was
//! answered with it, unless this machine shows that it is not the cause.

use super::probe::StepOutcome;
use super::{Answer, Case, Cause, KeySet, KeySource, Refusal, Variant, account};
use crate::core::aws_error;
use crate::core::cause::Needs;

/// A call without success.
struct Refused<'a> {
    refusal: &'a Refusal,
    signer: Signer<'a>,
}

/// The credentials that signed a call.
enum Signer<'a> {
    /// Keys in a file, a variable or the output of a program.
    Keys(&'a KeySet<'a>),
    /// The same keys in a call to IAM, after STS has accepted them.
    KeysAtIam,
    /// Credentials that are not seen here: those of an earlier step, or a token.
    Returned,
}

/// What AWS's answers decide. The other causes follow from the files, the variables and the clock of this machine.
const BY_ANSWERS: [Needs; 8] = [
    Needs::Expiry,
    Needs::Identity,
    Needs::Iam,
    Needs::Steps,
    Needs::SignIn,
    Needs::MfaCode,
    Needs::Connection,
    Needs::Answers,
];

/// Why the answer to a call leaves a cause open, as the end of a sentence.
pub(super) fn why_open(case: &Case<'_>, cause: Cause) -> Option<String> {
    let calls = all(case).into_iter();
    let mut open = calls.filter(|call| call.refusal.is_usual_for(cause) && !call.is_decided(case, cause));
    open.next().map(|call| leaves_open(call.refusal))
}

/// The end of a sentence about a code.
fn leaves_open(refusal: &Refusal) -> String {
    if refusal.is_local() || aws_error::is_unreached_code(&refusal.code) {
        return refusal.no_answer();
    }
    let (service, operation) = (refusal.operation.service(), &refusal.operation.name);
    format!("{service} answered {} to {operation}, which leaves it open", refusal.code)
}

fn all<'a>(case: &'a Case<'_>) -> Vec<Refused<'a>> {
    let mut calls = Vec::new();
    for subject in &case.subjects {
        let mut add = |answer: Option<&'a Answer>, signer| {
            let Some(Answer::Refused(refusal)) = answer else { return };
            calls.push(Refused { refusal, signer });
        };
        add(case.answers.unmodified(&subject.source), Signer::Keys(subject));
        add(case.answers.iam(&subject.source), Signer::KeysAtIam);
    }
    for step in case.answers.chain() {
        if let StepOutcome::Refused(refusal) = &step.outcome {
            let source = KeySource::Profile(step.profile.clone());
            let keys = || case.subjects.iter().find(|subject| step.kind == "static" && subject.source == source);
            calls.push(Refused { refusal, signer: keys().map_or(Signer::Returned, Signer::Keys) });
        }
        if let Some(Answer::Refused(refusal)) = &step.identity {
            calls.push(Refused { refusal, signer: Signer::Returned });
        }
    }
    calls
}

impl Refused<'_> {
    /// Whether this machine, or another answer, shows that a usual cause of the code is not the cause of this one.
    fn is_decided(&self, case: &Case<'_>, cause: Cause) -> bool {
        let needs = |need: Needs| cause.needs().contains(&need);
        let has_sign_in = || case.steps().any(|step| step.source.session().is_some());
        match &self.signer {
            // The clock was measured. AWS's answer may contradict that.
            _ if needs(Needs::Time) => !self.refusal.skewed,
            Signer::KeysAtIam => !needs(Needs::Iam) || aws_error::iam_accepts_signer(&self.refusal.code),
            Signer::Keys(_) if !BY_ANSWERS.into_iter().any(needs) => true,
            _ if !BY_ANSWERS.into_iter().any(needs) => !needs(Needs::Keys),
            _ if matches!(cause, Cause::SsoLoginNeeded | Cause::SsoRoleDenied) && !has_sign_in() => true,
            Signer::Keys(subject) => !may_be_of_keys(case, cause, subject),
            Signer::Returned => false,
        }
    }
}

/// Whether a refusal of keys in a file or variable may have this cause.
fn may_be_of_keys(case: &Case<'_>, cause: Cause, subject: &KeySet<'_>) -> bool {
    // `region` compares the answers of two regions.
    let is_of_region = matches!(cause, Cause::RegionNotEnabled | Cause::RegionTokenV1);
    !is_of_region && concerns(case, cause, subject) && !is_known_good(case, cause, subject)
}

/// Whether the cause is possible for a set of keys.
pub(super) fn concerns(case: &Case<'_>, cause: Cause, subject: &KeySet<'_>) -> bool {
    match cause {
        // Without a token, there can't be the token of another session.
        Cause::SessionTokenForeign | Cause::SessionTokenWithoutMfa => subject.token().is_some(),
        Cause::SessionRevoked | Cause::CredentialsExpired => subject.is_temporary(),
        Cause::AccountMismatch => account::stated(case, subject).is_some(),
        _ => true,
    }
}

/// Whether AWS accepts the same key and secret with another token, with none, or in another region.
pub(super) fn is_known_good(case: &Case<'_>, cause: Cause, subject: &KeySet<'_>) -> bool {
    let of_key = [Cause::AccessKeyUnknown, Cause::SecretKeyWrong, Cause::AccountNotSignedUp, Cause::PartitionMismatch];
    let same_key = [Variant::WithoutToken, Variant::OtherToken, Variant::HomeRegion];
    of_key.contains(&cause) && same_key.into_iter().any(|variant| case.accepts(subject, variant))
}
