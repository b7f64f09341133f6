//! Runs the rules, and computes which causes were checked: those that were found, and those whose needs are all known (see
//! `open`).

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Basis;
use super::rule::{AnswerAbout, Findings, Rule};
use super::{Case, Cause, Certainty, Finding, Severity, open};

/// The findings of all rules, and the state of the other causes.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The findings, the most urgent first.
    pub(super) findings: Vec<Finding>,
    /// The causes that were found or ruled out.
    pub(super) checked: Vec<Cause>,
    /// The causes that are open, and why.
    pub(super) not_checked: BTreeMap<Cause, String>,
}

/// Runs rules in any order. The number of a rule is its place in the list of all rules.
pub(super) fn run<'r>(case: &Case<'_>, rules: impl IntoIterator<Item = (usize, &'r Rule)>) -> Checked {
    let mut results: Vec<(usize, Findings)> = Vec::new();
    let mut decided: BTreeSet<Cause> = BTreeSet::new();
    for (number, rule) in rules {
        let mut findings = Findings::default();
        (rule.look)(case, &mut findings);
        debug_assert!(findings.found.iter().all(|finding| rule.decides.contains(&finding.id)), "{findings:?}");
        decided.extend(rule.decides);
        results.push((number, findings));
    }
    results.sort_by_key(|(number, _)| *number);
    let (mut all, mut answers, mut left_open) = (Findings::default(), Vec::new(), BTreeMap::new());
    for (_, findings) in results {
        all.add_all(findings.found);
        answers.extend(findings.answers);
        for (id, why) in findings.open {
            left_open.entry(id).or_insert(why);
        }
    }
    let mut findings = all.found;
    answers.into_iter().for_each(|answer| join(&mut findings, answer));
    findings.sort_by_key(|finding| (finding.severity, precedence(case, finding), finding.certainty));
    let is_found = |id: Cause| findings.iter().any(|finding| finding.id == id);
    let (mut checked, mut not_checked) = (Vec::new(), BTreeMap::new());
    for id in Cause::ALL.iter().copied().filter(|id| decided.contains(id)) {
        match left_open.remove(&id).or_else(|| open::why(case, id)).filter(|_| !is_found(id)) {
            Some(why) => _ = not_checked.insert(id, why),
            None => checked.push(id),
        }
    }
    Checked { findings, checked, not_checked }
}

/// Adds an answer to the finding about the same keys.
fn join(findings: &mut [Finding], answer: AnswerAbout) {
    let of_keys = |finding: &&mut Finding| finding.id == answer.id && finding.about.as_ref() == Some(&answer.source);
    let Some(finding) = findings.iter_mut().find(of_keys) else { return };
    finding.evidence.push(answer.sentence);
    if answer.confirms {
        finding.certainty = Certainty::Confirmed;
        finding.severity = Severity::Error;
    }
}

/// Sorts the findings of one severity: first those that the files alone prove, then those that prevent other checks, then
/// the setting that sends calls elsewhere.
fn precedence(case: &Case<'_>, finding: &Finding) -> u8 {
    match finding.id {
        _ if is_proven_by_files(case, finding) => 0,
        Cause::NetworkUnreachable => 1,
        Cause::ClockSkewed | Cause::ClockZone => 2,
        Cause::ProfileBroken | Cause::FilePermissions | Cause::CredentialsMissing => 3,
        Cause::EndpointOverridden => 4,
        _ => 5,
    }
}

/// Whether no request can succeed because of the files, variables and programs of this machine, with any answer of AWS.
fn is_proven_by_files(case: &Case<'_>, finding: &Finding) -> bool {
    let is_proven = finding.basis == Basis::Machine && finding.certainty == Certainty::Confirmed;
    is_proven
        && match finding.id {
            Cause::ProfileBroken
            | Cause::CredentialsMissing
            | Cause::CredentialsExpired
            | Cause::AccessKeyMalformed
            | Cause::SecretKeyMalformed
            | Cause::SessionTokenMissing
            | Cause::SessionTokenStale
            | Cause::RegionInvalid
            | Cause::RegionMissing
            | Cause::DurationTooLong
            | Cause::AdoptionBroken
            | Cause::EndpointOverridden
            | Cause::SsoLoginNeeded => true,
            Cause::FilePermissions | Cause::FilesElsewhere => matches!(case.plan, Some(Err(_)) | None),
            _ => false,
        }
}
