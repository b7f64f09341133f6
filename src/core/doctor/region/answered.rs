//! `region-not-enabled`, and the part of `region-token-v1` that AWS's answers show.

use super::endpoints::region_said;
use super::sts_token_version::for_administrators;
use super::target::{in_force, set_region, shown};
use crate::core::aws_error::{self, CalledService, OfSigner, is_unknown_key};
use crate::core::cause::Likelihood;
use crate::core::doctor::case::OFFLINE;
use crate::core::doctor::commands::export;
use crate::core::doctor::probe::StepAnswer;
use crate::core::doctor::{About, Answer, Case, Cause, Certainty, Finding, Findings, KeySet, Refusal, Variant};
use crate::core::fix::{Fix, word};
use crate::core::partitions::{home_region, is_opt_in};
use crate::core::printable::printable;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    by_code(case, findings);
    if findings.has(Cause::RegionNotEnabled) {
        return;
    }
    for subject in &case.subjects {
        by_comparison(case, subject, findings);
    }
    if !findings.has(Cause::RegionNotEnabled) {
        by_chain(case, findings);
    }
}

/// AWS says so itself.
fn by_code(case: &Case<'_>, findings: &mut Findings) {
    let of_key = case.answers.iter().filter_map(|(about, answer)| match (about, answer) {
        (About::Identity { region, .. }, Answer::Refused(refusal)) => Some((region.clone(), refusal)),
        _ => None,
    });
    let region_of_plan = case.good_plan().map_or_else(|| "us-east-1".to_owned(), |plan| shown(&plan.endpoint.region));
    let of_step = case.answers.chain().iter().filter_map(|step| Some((region_of_plan.clone(), step.refusal()?)));
    for (region, refusal) in of_key.chain(of_step) {
        // A refusal of the key itself says nothing of the region.
        let entry = aws_error::lookup(&refusal.code).filter(|entry| entry.of_signer == OfSigner::Nothing);
        let certainty = match entry.and_then(|entry| entry.likelihood(Cause::RegionNotEnabled)) {
            Some(Likelihood::Confirmed) => Certainty::Confirmed,
            // The same codes are for accounts that have not signed up for the service.
            Some(Likelihood::Likely) if is_opt_in(&region) => Certainty::Likely,
            _ => continue,
        };
        let service = refusal.operation.service();
        findings.add(not_enabled(case, &region, certainty, service).evidence(printable(&refusal.to_string())));
    }
}

/// The same keys are good in the region that every account has.
fn by_comparison(case: &Case<'_>, subject: &KeySet<'_>, findings: &mut Findings) {
    let Some((region, refusal)) = refused_in_opt_in(case, subject) else { return };
    let at_home = match case.answers.variant(&subject.source, Variant::HomeRegion) {
        Some(Answer::Accepted { arn, .. }) => Some((home_region(region), arn)),
        _ => None,
    };
    // Or in another region that is enabled for every account.
    let elsewhere = || {
        case.answers.iter().find_map(|(about, answer)| match (about, answer) {
            (About::Identity { source, variant: Variant::AsIs, region }, Answer::Accepted { arn, .. })
                if *source == subject.source && !is_opt_in(region) =>
            {
                Some((region.as_str(), arn))
            }
            _ => None,
        })
    };
    let Some((home, arn)) = at_home.or_else(elsewhere) else { return };
    let seen = [
        format!("{region} refused the keys of {}: {}", subject.label(), printable(&refusal.to_string())),
        format!("{home} accepted the same keys, as {}", printable(arn)),
    ];
    let with = |finding: Finding| finding.evidence_of(&seen);
    if !subject.is_temporary() {
        findings.add(with(not_enabled(case, region, Certainty::Confirmed, CalledService::Sts)));
        return;
    }
    findings.add(with(not_enabled(case, region, Certainty::Likely, CalledService::Sts)).evidence(
        "a token of STS's global endpoint would be refused in the same way: AWS does not tell the two apart",
    ));
    findings.add(
        with(
            Finding::error(
                Cause::RegionTokenV1,
                format!("{} does not accept the session token", region_said(region)),
            )
            .certainty(Certainty::Likely)
            .answered_by(case, CalledService::Sts),
        )
        .evidence(
            "tokens of STS's global endpoint are valid in the regions that every account has; if the account has enabled this region, this is the cause",
        )
        .fix(Fix::advice(format!(
            "Let the program that got these credentials call STS in {region}: older clients, sts_regional_endpoints = legacy and the \
             endpoint https://sts.amazonaws.com call the global endpoint."
        )))
        .fixes_at_aws([for_administrators()]),
    );
}

/// The region refuses credentials of a sign-in or a role, which are in no file: no other region's answer can be compared.
fn by_chain(case: &Case<'_>, findings: &mut Findings) {
    let Some(plan) = case.good_plan() else { return };
    let region = plan.endpoint.region.as_str();
    if !is_opt_in(region) || case.subjects.iter().any(|subject| is_compared(case, subject)) {
        return;
    }
    let mut refusals = case.answers.chain().iter().filter_map(StepAnswer::refusal);
    let refused = refusals.find(|refusal| !refusal.skewed && is_unknown_key(&refusal.code));
    if let Some(refusal) = refused {
        findings.add(
            not_enabled(case, region, Certainty::Possible, CalledService::Sts)
                .evidence(format!("it refused credentials: {}", printable(&refusal.to_string())))
                .evidence("other causes are possible; a region that is not enabled refuses all keys"),
        );
    }
}

fn not_enabled(case: &Case<'_>, region: &str, certainty: Certainty, service: CalledService) -> Finding {
    let title = match certainty {
        Certainty::Confirmed => format!("the account has not enabled the region {}", region_said(region)),
        _ => format!("the account may not have enabled the region {}", region_said(region)),
    };
    let finding = Finding::error(Cause::RegionNotEnabled, title).certainty(certainty).answered_by(case, service);
    let finding = finding.fixes_at_aws([Fix::command(
        "Ask an administrator of the account to enable the region (account:EnableRegion); this takes minutes to hours.",
        format!("aws account enable-region --region-name {}", word(region)),
    )]);
    let home = home_region(region);
    let other = format!("Or use a region that the account has enabled, for example {home}.");
    match in_force(case) {
        Some(located) if located.origin.is_none() => {
            finding.fix(Fix::command(other, export(case, &[(located.name, home)])))
        }
        _ => finding.fix(set_region(case, home, &other)),
    }
}

/// A region that must be enabled, in which the unchanged keys are unknown.
fn refused_in_opt_in<'a>(case: &Case<'a>, subject: &KeySet<'_>) -> Option<(&'a str, &'a Refusal)> {
    case.answers.iter().find_map(|(about, answer)| match (about, answer) {
        (About::Identity { source, variant: Variant::AsIs, region }, Answer::Refused(refusal))
            if *source == subject.source && is_opt_in(region) && !refusal.skewed && is_unknown_key(&refusal.code) =>
        {
            Some((region.as_str(), refusal))
        }
        _ => None,
    })
}

/// Why the doctor doesn't know whether a region is enabled. An account can turn STS off in every region, also in one that is
/// enabled for every account.
pub(in crate::core::doctor) fn why_open(case: &Case<'_>, cause: Cause) -> Option<String> {
    let is_opt_in = in_force(case).is_some_and(|located| is_opt_in(located.text.trim()));
    if case.evidence.offline && (is_opt_in || cause == Cause::RegionNotEnabled) {
        return Some(OFFLINE.to_owned());
    }
    if !is_opt_in {
        return None;
    }
    let accepted =
        |subject: &KeySet<'_>| matches!(case.answers.unmodified(&subject.source), Some(Answer::Accepted { .. }));
    if case.subjects.iter().any(accepted) || chain_passed(case) {
        return None;
    }
    (!case.subjects.iter().any(|subject| is_compared(case, subject)))
        .then(|| "AWS did not answer the same keys in a region that is enabled for every account".to_owned())
}

fn is_compared(case: &Case<'_>, subject: &KeySet<'_>) -> bool {
    let answer = case.answers.variant(&subject.source, Variant::HomeRegion);
    match answer {
        Some(Answer::Accepted { .. }) => true,
        Some(Answer::Refused(refusal)) => refusal.why_open().is_none(),
        _ => false,
    }
}

fn chain_passed(case: &Case<'_>) -> bool {
    let steps = case.answers.chain();
    !steps.is_empty() && steps.iter().all(StepAnswer::is_passed)
}

#[cfg(test)]
mod tests {
    use super::super::RULE;
    use super::*;
    use crate::core::doctor::probe::StepOutcome;
    use crate::core::doctor::testing::{accepted, answers, commands, evidence, found, identity, refusal, report};
    use crate::core::doctor::{Answers, KeySource, Report, Severity};
    use Certainty::{Confirmed, Likely, Possible};
    use Severity::Error;

    const KEYS: &str = "[dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    const SESSION: &str = "[dev]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\naws_session_token = FwoGZXIvYXdzEXAMPLE\n";

    fn asked(config: &str, credentials: &str, list: Vec<(About, Answer)>) -> Report {
        report(&evidence(config, credentials, &[], "dev"), &answers(list), &RULE)
    }

    fn dev() -> KeySource {
        KeySource::Profile("dev".to_owned())
    }

    fn unmodified(region: &str, code: &str) -> (About, Answer) {
        (identity(dev(), Variant::AsIs, region), Answer::Refused(refusal(code)))
    }

    #[test]
    fn a_region_that_the_account_has_not_enabled_is_found_by_comparison() {
        let config = "[profile dev]\nregion = ap-east-1\n";
        let home = |answer| (identity(dev(), Variant::HomeRegion, home_region("ap-east-1")), answer);
        let compared = |credentials: &str, answer| {
            asked(config, credentials, vec![unmodified("ap-east-1", "InvalidClientTokenId"), home(answer)])
        };
        let long_term = compared(KEYS, accepted());
        assert_eq!(found(&long_term), [(Cause::RegionNotEnabled, Error, Confirmed)]);
        assert_eq!(
            commands(&long_term.findings[0]),
            ["aws account enable-region --region-name ap-east-1", "aws configure set region us-east-1 --profile dev"]
        );
        let session = compared(SESSION, accepted());
        assert_eq!(found(&session), [(Cause::RegionNotEnabled, Error, Likely), (Cause::RegionTokenV1, Error, Likely)]);
        let nowhere = compared(KEYS, Answer::Refused(refusal("InvalidClientTokenId")));
        assert!(nowhere.findings.is_empty() && nowhere.checked.contains(&Cause::RegionNotEnabled), "{nowhere:#?}");
    }

    #[test]
    fn aws_may_say_itself_that_a_region_is_not_enabled() {
        let config = "[profile dev]\nregion = ap-east-1\n";
        let said = asked(config, KEYS, vec![unmodified("ap-east-1", "RegionDisabledException")]);
        assert_eq!(found(&said), [(Cause::RegionNotEnabled, Error, Confirmed)]);
        let steps = vec![StepAnswer {
            profile: "dev".to_owned(),
            kind: "assume-role".to_owned(),
            outcome: StepOutcome::Refused(refusal("RegionDisabledException")),
            printed: None,
            stated_account: None,
            identity: None,
        }];
        let by_step = asked(config, KEYS, vec![(About::Chain, Answer::Chain { steps })]);
        assert!(by_step.findings[0].title.contains("ap-east-1 (Hong Kong)"), "{by_step:#?}");
        let default =
            asked("[profile dev]\nregion = eu-west-1\n", KEYS, vec![unmodified("eu-west-1", "OptInRequired")]);
        assert!(default.findings.is_empty(), "{default:#?}");
    }

    #[test]
    fn where_aws_was_not_asked_it_is_open_whether_the_region_is_enabled() {
        let opt_in = "[profile dev]\nregion = ap-east-1\n";
        let with = |config: &str, offline| {
            let mut evidence = evidence(config, KEYS, &[], "dev");
            evidence.offline = offline;
            report(&evidence, &Answers::default(), &RULE)
        };
        for offline in [true, false] {
            assert!(with(opt_in, offline).not_checked.contains_key(&Cause::RegionNotEnabled));
            let default = with("[profile dev]\nregion = eu-west-1\n", offline);
            assert_eq!(default.checked.contains(&Cause::RegionNotEnabled), !offline, "{default:#?}");
        }
    }

    #[test]
    fn what_a_sign_in_or_role_gave_is_only_possibly_refused_for_its_region() {
        let config = |region: &str| {
            format!(
                "[profile base]\ncredential_process = /bin/x\n\
                 [profile dev]\nregion = {region}\nsource_profile = base\nrole_arn = arn:aws:iam::111122223333:role/x\n"
            )
        };
        let steps = || {
            vec![StepAnswer {
                profile: "dev".to_owned(),
                kind: "assume-role".to_owned(),
                outcome: StepOutcome::Refused(refusal("InvalidClientTokenId")),
                printed: None,
                stated_account: None,
                identity: None,
            }]
        };
        let with = |region: &str| asked(&config(region), "", vec![(About::Chain, Answer::Chain { steps: steps() })]);
        assert_eq!(found(&with("ap-east-1")), [(Cause::RegionNotEnabled, Error, Possible)]);
        assert!(with("eu-west-1").findings.is_empty());
    }
}
