//! Whose account a key is of.

use super::{Answer, Case, Certainty, Finding, Findings, Id, Severity, Subject, Whose};
use crate::core::fix::Fix;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    findings.looked_for(&[Id::AccountMismatch]);
    for subject in &case.subjects {
        let Some((account, place)) = stated(case, subject) else { continue };
        match case.answers.as_is(&subject.whose) {
            Some(Answer::Accepted { account_id, .. }) if *account_id != account => findings.add(
                Finding::new(
                    Id::AccountMismatch,
                    Severity::Warning,
                    format!("the key in {} is of another account than {place} says", subject.called()),
                )
                .evidence(format!("AWS says that the key is of account {account_id}, and {place} names {account}"))
                .fix(Fix::advice(format!("Use a key of account {account}, or correct {place}."))),
            ),
            Some(Answer::Accepted { .. }) => {}
            _ => findings.add_all(by_the_id(subject, &account, &place)),
        }
    }
}

/// Where AWS has not said whose key it is, its id may.
fn by_the_id(subject: &Subject<'_>, account: &str, place: &str) -> Option<Finding> {
    let encoded = account_of_key_id(subject.access_key_id?.text).filter(|encoded| encoded != account)?;
    Some(
        Finding::new(
            Id::AccountMismatch,
            Severity::Info,
            format!("the key in {} may be of another account than {place} says", subject.called()),
        )
        .certainty(Certainty::Possible)
        .evidence(format!(
            "the id is reported to encode its account (AWS does not document it): {encoded}; {place} names {account}"
        )),
    )
}

/// The account that the settings name for a set of keys, and where.
fn stated(case: &Case<'_>, subject: &Subject<'_>) -> Option<(String, String)> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let found = match &subject.whose {
        Whose::Environment => Some(("AWS_ACCOUNT_ID".to_owned(), case.evidence.variables.get("AWS_ACCOUNT_ID")?)),
        Whose::Profile(name) => {
            let value = case.evidence.profiles.profiles.get(name)?.get("aws_account_id")?;
            Some((format!("aws_account_id ({})", case.at(value.origin)), value.text.as_str()))
        }
    };
    found.filter(|(_, account)| is_account(account)).map(|(place, account)| (account.to_owned(), place))
}

/// The account that is encoded in an access key id: the 40 bits behind the first, of the base32 text behind the prefix.
///
/// Not documented by AWS; found by Aidan Steele ("AWS Access Key ID formats", 2020) and Tal Be'ery ("A short note on AWS KEY
/// ID", 2023) and confirmed by many since. Ids that were made before March 2019 carry none: in those the first character
/// behind the prefix is an I or a J, in newer ones one from Q on in base32's order.
pub(super) fn account_of_key_id(id: &str) -> Option<String> {
    if !super::key_shape::is_key_id(id) {
        return None;
    }
    let digits = id.get(4..)?;
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    };
    // Ten characters are fifty bits; the first six bytes are forty-eight of them.
    let bits = digits.bytes().take(10).try_fold(0_u64, |bits, byte| Some((bits << 5) | value(byte)?))? >> 2;
    let is_newer = digits.bytes().next().and_then(value)? >= 16;
    let account = (bits & 0x7fff_ffff_ff80) >> 7;
    is_newer.then(|| format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::account_of_key_id;

    #[test]
    fn the_account_in_an_id_is_read_as_it_was_published() {
        // Tal Be'ery's example.
        assert_eq!(account_of_key_id("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        // AWS's own examples are of the older kind.
        assert_eq!(account_of_key_id("AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(account_of_key_id("AKIAQ"), None);
        assert_eq!(account_of_key_id("minioadmin"), None);
    }
}
