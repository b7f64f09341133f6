//! The account that a key belongs to.

use super::{Answer, Case, Cause, Certainty, Finding, Findings, KeySet, KeySource, Rule};
use crate::core::access_key;
use crate::core::fix::Fix;

pub(super) const RULE: Rule = Rule { decides: &[Cause::AccountMismatch], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    for subject in &case.subjects {
        let Some((account, place)) = stated(case, subject) else { continue };
        match case.answers.unmodified(&subject.whose) {
            Some(Answer::Accepted { account_id, .. }) if *account_id != account => findings.add(
                Finding::warning(
                    Cause::AccountMismatch,
                    format!("the key in {} belongs to another account than {place} names", subject.called()),
                )
                .evidence(format!("AWS reports account {account_id} for this key, but {place} names {account}"))
                .fix(Fix::advice(format!("Use a key of account {account}, or correct {place}."))),
            ),
            Some(Answer::Accepted { .. }) => {}
            _ => findings.add_all(by_the_id(subject, &account, &place)),
        }
    }
}

/// Where AWS has not said whose key it is, its id may.
fn by_the_id(subject: &KeySet<'_>, account: &str, place: &str) -> Option<Finding> {
    let encoded = access_key::account_of(subject.access_key_id?.text).filter(|encoded| encoded != account)?;
    Some(
        Finding::info(
            Cause::AccountMismatch,
            format!("the key in {} may belong to another account than {place} names", subject.called()),
        )
        .certainty(Certainty::Possible)
        .evidence(format!(
            "users report that the id encodes its account (AWS does not document it): {encoded}, but {place} names {account}"
        )),
    )
}

/// The account that the settings name for a set of keys, and where.
pub(super) fn stated(case: &Case<'_>, subject: &KeySet<'_>) -> Option<(String, String)> {
    let found = match &subject.whose {
        KeySource::Environment => Some(("AWS_ACCOUNT_ID".to_owned(), case.evidence.variables.get("AWS_ACCOUNT_ID")?)),
        KeySource::Profile(name) => {
            let value = case.evidence.profiles.profiles.get(name)?.get("aws_account_id")?;
            Some((format!("aws_account_id ({})", case.at(value.origin)), value.text.as_str()))
        }
        KeySource::Process(_) => None,
    };
    found.filter(|(_, account)| access_key::is_account(account)).map(|(place, account)| (account.to_owned(), place))
}
