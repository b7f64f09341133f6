//! Which region each program goes by: `region-missing`, and the part of `region-inconsistent` that is about variables.

use super::endpoints;
use super::target::{CLIENTS, arns, of_client, of_profile, regions_in_force, set_region, shown, sso_region};
use crate::core::doctor::case::SourcedValue;
use crate::core::doctor::commands::{export, unset};
use crate::core::doctor::{Case, Cause, Finding, Findings};
use crate::core::fix::Fix;
use crate::core::partitions::{home_of, known_partition, partition_of};
use crate::core::printable::printable;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    let is_anything_in_question = case.settings().is_some() || !case.subjects.is_empty();
    if !is_anything_in_question {
        return;
    }
    let regions: Vec<(&str, Option<SourcedValue<'_>>)> =
        CLIENTS.iter().map(|(who, variables)| (*who, of_client(case, variables))).collect();
    if regions.iter().all(|(_, region)| region.is_none()) {
        findings.add(missing(case));
        return;
    }
    missing_for_some(case, &regions, findings);
    different(case, &regions, findings);
}

fn missing(case: &Case<'_>) -> Finding {
    let title = match &case.profile {
        Some(profile) if case.settings().is_some() => {
            format!("no region is set for profile \"{}\"", printable(profile))
        }
        _ => "no region is set".to_owned(),
    };
    let mut finding = Finding::warning(Cause::RegionMissing, title).evidence(
        "neither AWS_REGION nor AWS_DEFAULT_REGION is set, and the profile has no region: boto3 fails with NoRegionError (\"You must specify a region.\") for services without a global endpoint, and other SDKs fail in the same way",
    );
    let default = case.evidence.profiles.profiles.get("default").filter(|_| case.profile.as_deref() != Some("default"));
    if let Some(region) = default.and_then(|default| default.get("region")) {
        finding = finding
            .evidence(format!("other profiles don't inherit the region of [default] ({})", case.at(region.origin)));
    }
    match suggestion(case) {
        Some((region, why)) => {
            finding.fix(set_region(case, &region, &format!("Set the region, for example {region}: {why}.")))
        }
        None => finding.fix(set_region(
            case,
            "REGION",
            "Set the region: replace REGION with the region of your resources, for example eu-central-1.",
        )),
    }
}

/// Set, but not in a place that every program reads.
fn missing_for_some(case: &Case<'_>, regions: &[(&str, Option<SourcedValue<'_>>)], findings: &mut Findings) {
    let without: Vec<&str> = regions.iter().filter(|(_, region)| region.is_none()).map(|(who, _)| *who).collect();
    let Some(there) = regions.iter().find_map(|(_, region)| *region) else { return };
    if without.is_empty() {
        return;
    }
    let other = if there.name == "AWS_REGION" { "AWS_DEFAULT_REGION" } else { "AWS_REGION" };
    let region = there.text.trim();
    let mut finding = Finding::info(
        Cause::RegionMissing,
        format!("{} find no region: only {} is set", without.join(", "), there.name),
    )
    .evidence(format!("{} is set, {other} is not, and the profile has no region", there.name));
    if partition_of(region).is_some() {
        finding = finding.fix(Fix::command(
            "Set both variables: some programs read only one of them.",
            export(case, &[(other, region)]),
        ));
        if case.profile.is_some() && case.settings().is_some() {
            finding =
                finding.fix(set_region(case, region, "Or set the region of the profile, which all programs read."));
        }
    }
    findings.add(finding);
}

/// Not the same for every program, or not what the profile says.
fn different(case: &Case<'_>, regions: &[(&str, Option<SourcedValue<'_>>)], findings: &mut Findings) {
    // Another finding reports a value that is not a region.
    let is_region = |located: &SourcedValue<'_>| partition_of(located.text.trim()).is_some();
    let set: Vec<(&str, SourcedValue<'_>)> =
        regions.iter().filter_map(|(who, region)| Some((*who, (*region)?))).filter(|(_, it)| is_region(it)).collect();
    let Some((_, first)) = set.first() else { return };
    let region = first.text.trim();
    if regions_in_force(case).len() > 1 {
        let finding = Finding::warning(
            Cause::RegionInconsistent,
            "programs use different regions: it depends on the variables that each reads",
        );
        let finding = set.iter().fold(finding, |finding, (who, located)| {
            finding.evidence(format!("{who} use {}, from {}", shown(located.text), case.place(located)))
        });
        findings.add(finding.fix(Fix::command(
            "Set both variables to the same region (replace REGION), or unset both to use the profile's region.",
            export(case, &[("AWS_REGION", "REGION"), ("AWS_DEFAULT_REGION", "REGION")]),
        )));
        return;
    }
    let Some(profile) = of_profile(case).filter(is_region) else { return };
    if first.origin.is_none() && profile.text.trim() != region {
        findings.add(
            Finding::info(
                Cause::RegionInconsistent,
                format!(
                    "{} says {}, and the profile says {}: the variable takes precedence",
                    first.name,
                    shown(region),
                    shown(profile.text)
                ),
            )
            .evidence(format!("{} is {}", case.place(&profile), shown(profile.text)))
            .fix(Fix::command(
                "To use the profile's region, unset the variables.",
                unset(case, &["AWS_REGION", "AWS_DEFAULT_REGION"]),
            )),
        );
    }
}

/// A region that may be meant, and why it is thought so.
fn suggestion(case: &Case<'_>) -> Option<(String, String)> {
    let good = |text: &str| partition_of(text.trim()).is_some().then(|| text.trim().to_owned());
    let of_arn = || {
        let (arn, located) = arns(case).into_iter().find(|(partition, _)| *partition != "aws")?;
        Some((
            home_of(known_partition(arn)?).to_owned(),
            format!("{} belongs to the partition {arn}", case.place(&located)),
        ))
    };
    let of_source = || {
        let source = &case.settings()?.get("source_profile")?.text;
        let region = case.evidence.profiles.profiles.get(source)?.get("region")?;
        Some((good(&region.text)?, format!("it is that of the source profile ({})", case.at(region.origin))))
    };
    let of_endpoint = || {
        let (region, place) = endpoints::region_of_a_url(case)?;
        Some((region, format!("the region is in the URL of {place}")))
    };
    let of_sso = || {
        let region = sso_region(case)?;
        Some((good(region.text)?, format!("IAM Identity Center is there ({})", case.place(&region))))
    };
    let of_default = || {
        let region = case.evidence.profiles.profiles.get("default")?.get("region")?;
        Some((good(&region.text)?, format!("it is that of [default] ({})", case.at(region.origin))))
    };
    of_arn().or_else(of_source).or_else(of_endpoint).or_else(of_default).or_else(of_sso)
}
