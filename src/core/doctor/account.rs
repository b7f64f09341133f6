//! The account that a key belongs to, and the accounts that settings name for it.

use super::probe::StepOutcome;
use super::{Answer, Case, Cause, Certainty, Finding, Findings, KeySet, KeySource, Rule, Severity, server};
use crate::core::access_key;
use crate::core::aws_error::CalledService;
use crate::core::fix::Fix;
use crate::core::plan::{Source, Step};
use crate::core::printable::printable;

pub(super) const RULE: Rule = Rule { decides: &[Cause::AccountMismatch], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    for subject in &case.subjects {
        let Some((account, place)) = stated(case, subject) else { continue };
        match case.answers.unmodified(&subject.source) {
            Some(Answer::Accepted { account_id, .. }) if *account_id != account => findings.add(
                Finding::warning(
                    Cause::AccountMismatch,
                    format!("the key in {} belongs to another account than {place} names", subject.label()),
                )
                .answered_by(case, CalledService::Sts)
                .evidence(format!(
                    "{} reports account {account_id} for this key, but {place} names {account}",
                    sts(case)
                ))
                .fix(Fix::advice(format!("Use a key of account {account}, or correct {place}."))),
            ),
            Some(Answer::Accepted { .. }) => {}
            _ => findings.add_all(by_the_id(subject, &account, &place)),
        }
    }
    findings.add_all(of_sso_role(case));
    for (step, signer) in devices(case) {
        findings.add_all(of_device(case, step, signer));
    }
}

/// The SSO portal returned credentials of another account than sso_account_id.
fn of_sso_role(case: &Case<'_>) -> Option<Finding> {
    let step = case.steps().last()?;
    let Source::Sso(role) = &step.source else { return None };
    let account = account_of(case, step)?;
    let value = of_chain(case, step, "sso_account_id");
    (account != role.account_id).then(|| {
        let wanted = printable(&role.account_id);
        let place = value.unwrap_or_else(|| "sso_account_id".to_owned());
        Finding::new(
            Cause::AccountMismatch,
            Severity::Warning,
            format!("the credentials of profile \"{}\" belong to another account than {place} names", step.profile),
        )
        .answered_by(case, CalledService::Sts)
        .evidence(format!("{} reports account {account} for these credentials, but {place} names {wanted}", sts(case)))
        .fix(Fix::advice(format!("Correct {place}, or the address that the calls to the SSO portal go to.")))
    })
}

/// The steps with an MFA device in an account, each with the step whose credentials sign its request.
fn devices<'a>(case: &'a Case<'_>) -> Vec<(&'a Step, &'a Step)> {
    let steps: Vec<&Step> = case.steps().collect();
    let pairs = steps.windows(2).filter_map(|pair| match pair {
        [signer, step] if step.source.device().and_then(account_of_arn).is_some() => Some((*step, *signer)),
        _ => None,
    });
    pairs.collect()
}

/// A user's request carries the code of the user's own device, which is in the user's account (IAM User Guide, "Configuring
/// MFA-protected API access").
fn of_device(case: &Case<'_>, step: &Step, signer: &Step) -> Option<Finding> {
    let device = step.source.device()?;
    let (named, account) = (account_of_arn(device)?, account_of(case, signer)?);
    let place = of_chain(case, step, "mfa_serial").unwrap_or_else(|| "mfa_serial".to_owned());
    (named != account).then(|| {
        Finding::new(
            Cause::AccountMismatch,
            Severity::Error,
            format!("the MFA device of profile \"{}\" is in another account than the key", step.profile),
        )
        .certainty(Certainty::Likely)
        .answered_by(case, CalledService::Sts)
        .evidence(format!("{place} names the device {}", printable(device)))
        .evidence(format!(
            "the credentials of profile \"{}\", which sign the request, belong to account {account}",
            signer.profile
        ))
        .evidence("AWS accepts only a code of a device of the user who signs the request")
        .fix(Fix::advice(format!(
            "Correct {place}: name a device of account {account}, or use a key of account {named}."
        )))
    })
}

/// A setting of a step's profile, with its place.
fn of_chain(case: &Case<'_>, step: &Step, name: &str) -> Option<String> {
    let sections = &case.evidence.profiles_of_daemon.profiles;
    let own = sections.get(&step.profile).and_then(|section| section.get(name));
    let value = own.or_else(|| case.chain().into_iter().find_map(|section| section.get(name)))?;
    Some(format!("{name} ({})", case.at(value.origin)))
}

/// The account of a step's credentials in AWS's answer.
fn account_of(case: &Case<'_>, step: &Step) -> Option<String> {
    let of_keys = |source: KeySource| match case.answers.unmodified(&source)? {
        Answer::Accepted { account_id, .. } => Some(account_id.clone()),
        _ => None,
    };
    let of_step = || {
        let answer = case.answers.chain().iter().find(|answer| answer.profile == step.profile)?;
        let StepOutcome::Passed { arn: Some(arn), .. } = &answer.outcome else { return None };
        account_of_arn(arn)
    };
    match &step.source {
        Source::Static(_) => of_keys(KeySource::Profile(step.profile.clone())).or_else(of_step),
        Source::Environment => of_keys(KeySource::Environment),
        Source::Process { .. } => of_keys(KeySource::Process(step.profile.clone())),
        _ => of_step(),
    }
    .filter(|account| access_key::is_account(account))
}

/// Whose answers STS's are.
fn sts(case: &Case<'_>) -> String {
    server::speaker(case, CalledService::Sts)
}

fn account_of_arn(arn: &str) -> Option<String> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| access_key::is_account(account)).map(str::to_owned)
}

/// Why the account of the credentials is not compared with the settings, as the end of a sentence.
pub(super) fn why_open(case: &Case<'_>) -> Option<String> {
    let is_unknown = |step: &Step| account_of(case, step).is_none();
    let is_of_sso = |step: &Step| matches!(step.source, Source::Sso(_));
    let of_device = devices(case).into_iter().any(|(_, signer)| is_unknown(signer));
    let of_sso = case.steps().last().is_some_and(|step| is_of_sso(step) && is_unknown(step));
    (of_device || of_sso).then(|| "AWS did not name the account of the credentials".to_owned())
}

/// Where AWS has not said whose key it is, its id may.
fn by_the_id(subject: &KeySet<'_>, account: &str, place: &str) -> Option<Finding> {
    let encoded = access_key::account_of(subject.access_key_id?.text).filter(|encoded| encoded != account)?;
    Some(
        Finding::info(
            Cause::AccountMismatch,
            format!("the key in {} may belong to another account than {place} names", subject.label()),
        )
        .certainty(Certainty::Possible)
        .evidence(format!(
            "users report that the id encodes its account (AWS does not document it): {encoded}, but {place} names {account}"
        )),
    )
}

/// The account that the settings name for a set of keys, and where.
pub(super) fn stated(case: &Case<'_>, subject: &KeySet<'_>) -> Option<(String, String)> {
    let found = match &subject.source {
        KeySource::Environment => Some(("AWS_ACCOUNT_ID".to_owned(), case.evidence.variables.get("AWS_ACCOUNT_ID")?)),
        KeySource::Profile(name) => {
            let value = case.evidence.profiles.profiles.get(name)?.get("aws_account_id")?;
            Some((format!("aws_account_id ({})", case.at(value.origin)), value.text.as_str()))
        }
        KeySource::Process(name) => {
            let step = case.answers.chain().iter().find(|step| step.profile == *name && step.printed.is_some())?;
            let place = format!("the AccountId that the credential_process of profile \"{name}\" printed");
            Some((place, step.stated_account.as_deref()?))
        }
    };
    found.filter(|(_, account)| access_key::is_account(account)).map(|(place, account)| (account.to_owned(), place))
}

#[cfg(test)]
mod tests {
    use super::super::probe::{StepAnswer, StepOutcome};
    use super::super::testing::{accepted, answers, evidence, identity, one};
    use super::super::{About, Report, Variant, diagnose};
    use super::*;

    const KEYS: &str = "[base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

    fn step(profile: &str, kind: &str, arn: Option<&str>) -> StepAnswer {
        StepAnswer {
            profile: profile.to_owned(),
            kind: kind.to_owned(),
            outcome: StepOutcome::Passed { expires_at: None, arn: arn.map(str::to_owned) },
            printed: None,
            stated_account: None,
            identity: None,
        }
    }

    fn with(config: &str, steps: Vec<StepAnswer>, base: Option<Answer>) -> Report {
        let about = identity(KeySource::Profile("base".to_owned()), Variant::AsIs, "eu-west-1");
        let mut list = vec![(About::Chain, Answer::Chain { steps })];
        list.extend(base.map(|answer| (about, answer)));
        diagnose(&evidence(config, KEYS, &[], "dev"), &answers(list))
    }

    #[test]
    fn an_mfa_device_belongs_to_the_account_of_the_key_or_role_that_signs() {
        let role = "role_arn = arn:aws:iam::444455556666:role/R\nregion = eu-west-1\n";
        let of_key = |account: &str| {
            format!("[profile dev]\n{role}source_profile = base\nmfa_serial = arn:aws:iam::{account}:mfa/me\n")
        };
        let base = || vec![step("base", "static", Some("arn:aws:iam::111122223333:user/me"))];
        let good = with(&of_key("111122223333"), base(), Some(accepted()));
        assert!(good.findings.iter().all(|finding| finding.id != Cause::AccountMismatch), "{good:#?}");
        assert!(good.checked.contains(&Cause::AccountMismatch), "{good:#?}");
        let other = with(&of_key("999988887777"), base(), Some(accepted()));
        let finding = one(&other, Cause::AccountMismatch);
        assert!(finding.evidence.iter().any(|line| line.contains("mfa_serial (/h/.aws/config:5)")), "{finding:#?}");
        // The first role of a chain carries the code.
        let chained = |account: &str| {
            format!(
                "[profile mid]\nrole_arn = arn:aws:iam::222233334444:role/M\nsource_profile = base\n\
                 mfa_serial = arn:aws:iam::{account}:mfa/me\n[profile dev]\n{role}source_profile = mid\n"
            )
        };
        for account in ["222233334444", "444455556666"] {
            let report = with(&chained(account), base(), Some(accepted()));
            assert_eq!(one(&report, Cause::AccountMismatch).severity, Severity::Error);
        }
        let fits = with(&chained("111122223333"), base(), Some(accepted()));
        assert!(fits.checked.contains(&Cause::AccountMismatch), "{fits:#?}");
        // Without AWS's answer about the key nothing was compared.
        let unknown = with(&of_key("999988887777"), Vec::new(), None);
        assert!(unknown.not_checked.contains_key(&Cause::AccountMismatch), "{unknown:#?}");
    }

    #[test]
    fn the_account_of_an_sso_role_is_compared_with_that_of_its_credentials() {
        let config = "[profile dev]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n\
                      sso_account_id = 111122223333\nsso_role_name = R\nregion = eu-west-1\n";
        let of = |account: &str| {
            let arn = format!("arn:aws:sts::{account}:assumed-role/AWSReservedSSO_R_0123456789abcdef/me");
            with(config, vec![step("dev", "sso", Some(&arn))], None)
        };
        assert!(of("111122223333").checked.contains(&Cause::AccountMismatch));
        assert!(one(&of("999988887777"), Cause::AccountMismatch).title.contains("sso_account_id (/h/.aws/config:4)"));
        assert!(with(config, Vec::new(), None).not_checked.contains_key(&Cause::AccountMismatch));
    }
}
