//! `endpoint-overridden`: calls that go elsewhere than to AWS, with keys that are not made for there; and the part of
//! `region-inconsistent` that is about the region in an endpoint's name.

use super::target::{in_force, set_region, shown, sso_region};
use crate::core::access_key;
use crate::core::aws_error;
use crate::core::doctor::commands::{export, option, unset};
use crate::core::doctor::endpoint_override::{Override, for_service, ignored, overrides};
use crate::core::doctor::probe::StepAnswer;
use crate::core::doctor::server::{NamedEndpoint, other_server, take_away};
use crate::core::doctor::{Answer, Case, Cause, Certainty, Finding, Findings, KeySource, Refusal, Severity};
use crate::core::fix::Fix;
use crate::core::partitions::{known, partition_of};
use crate::core::printable::printable;
use crate::core::url_host::Host;

/// The name of STS's endpoint for all regions.
pub(super) const GLOBAL_STS: &str = "sts.amazonaws.com";

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    no_urls(case, findings);
    emulators_keys_at_aws(case, findings);
    say_where_calls_go(case, findings);
    other_region_in_the_name(case, findings);
}

/// The region in the name of an AWS endpoint, and its place.
pub(super) fn region_of_a_url(case: &Case<'_>) -> Option<(String, String)> {
    overrides(case).into_iter().find_map(|found| Some((region_in_name(&found)?, case.place(&found.url))))
}

/// boto3: "ValueError: Invalid endpoint".
fn no_urls(case: &Case<'_>, findings: &mut Findings) {
    if ignored(case).is_some() {
        return;
    }
    for found in overrides(case).iter().filter(|found| !found.is_url()) {
        let place = case.place(&found.url);
        findings.add(
            Finding::error(Cause::EndpointOverridden, format!("{place} is not a URL: programs can't make calls"))
                .evidence("an endpoint is a full URL, http:// or https:// and a host; boto3 says \"Invalid endpoint\"")
                .fix(Fix::advice(format!("Write http:// or https:// in front of the host in {place}.")))
                .fix(take_away(case, None, found)),
        );
    }
}

/// A refusal by a server that is not AWS: only AWS can say what AWS knows.
fn refused_elsewhere<'a>(case: &Case<'a>) -> Option<(&'a Refusal, NamedEndpoint)> {
    let of_keys = case.subjects.iter().filter_map(|subject| match case.answers.unmodified(&subject.source)? {
        Answer::Refused(refusal) => Some(refusal).filter(|refusal| refusal.why_open().is_none()),
        _ => None,
    });
    let of_step = case.answers.chain().last().and_then(StepAnswer::refusal);
    let refusals = of_keys.chain(of_step.filter(|refusal| refusal.why_undecided().is_none() && !refusal.is_local()));
    refusals.into_iter().find_map(|refusal| Some((refusal, other_server(case, refusal.operation.service())?)))
}

/// Keys that only an emulator takes, where calls go to AWS.
fn emulators_keys_at_aws(case: &Case<'_>, findings: &mut Findings) {
    let to = for_service(case, "sts");
    if to.is_some_and(|to| to.owner() != Host::Aws) {
        return;
    }
    for subject in &case.subjects {
        let Some(why) = subject.access_key_id.and_then(|id| why_emulators(id.text.trim())) else { continue };
        let is_refused = matches!(case.answers.unmodified(&subject.source), Some(Answer::Refused(refusal))
            if aws_error::lookup(&refusal.code).is_some_and(aws_error::Entry::refuses_signer));
        let elsewhere = overrides(case).into_iter().find(|found| found.owner() != Host::Aws);
        // Some services are sent to the emulator, and these keys are meant for them alone.
        if elsewhere.is_some() && ignored(case).is_none() {
            continue;
        }
        let mut finding = Finding::error(
            Cause::EndpointOverridden,
            format!(
                "the keys of {} belong to an emulator, but calls go to AWS, which does not know them",
                subject.label()
            ),
        )
        .certainty(if is_refused { Certainty::Confirmed } else { Certainty::Likely })
        .evidence(why);
        finding = match (ignored(case), elsewhere) {
            (Some(place), Some(found)) => finding.evidence(format!(
                "{} names {}, and {place} makes programs ignore it",
                case.place(&found.url),
                found.shown()
            )),
            (None, Some(found)) => finding.evidence(format!(
                "{} sends {} to {}; STS and the rest go to AWS",
                case.place(&found.url),
                found.calls(),
                found.shown()
            )),
            _ => finding.evidence(
                "no variable and no setting names another endpoint; a program may still name one itself (--endpoint-url)",
            ),
        };
        finding = finding.fix(Fix::command(
            "To use an emulator, set its address (here LocalStack's default).",
            export(case, &[("AWS_ENDPOINT_URL", "http://localhost:4566")]),
        ));
        findings.add(if subject.source == KeySource::Environment {
            finding.fix(Fix::command(
                "To use AWS, unset the emulator's keys.",
                unset(case, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]),
            ))
        } else {
            finding.fix(Fix::advice(format!("To use AWS, write keys from AWS into {}.", subject.label())))
        });
    }
}

/// Why an access key id is one that an emulator takes; `None` for any other.
fn why_emulators(id: &str) -> Option<String> {
    if ["test", "testing", "dummy", "fake", "mock", "foobar", "minioadmin"].contains(&id) {
        return Some(format!("the access key id is \"{id}\", as in examples for LocalStack, moto and similar tools"));
    }
    // LocalStack's documentation, "Credentials": an account number is taken as the account, and its own key ids begin with L.
    if access_key::is_account(id) {
        return Some(format!("the access key id is an account number ({id}), which LocalStack takes for one"));
    }
    let form = id.len() == 20 && id.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    (form && (id.starts_with("LKIA") || id.starts_with("LSIA")))
        .then(|| format!("the access key id {id} begins like those that LocalStack creates"))
}

fn say_where_calls_go(case: &Case<'_>, findings: &mut Findings) {
    if ignored(case).is_some() || findings.has(Cause::EndpointOverridden) {
        return;
    }
    let all = overrides(case);
    let Some(first) = all.first() else { return };
    let is_aws = all.iter().all(|found| found.owner() == Host::Aws);
    let title = match (all.len(), is_aws) {
        (1, true) => format!("{} go to an address that a setting names: {}", first.calls(), first.shown()),
        (1, false) => format!("{} go to {}, not to one of AWS's host names", first.calls(), first.shown()),
        (_, true) => "settings name the AWS endpoints that calls go to".to_owned(),
        (_, false) => "settings send calls to hosts that are not among AWS's host names".to_owned(),
    };
    let finding = Finding::info(Cause::EndpointOverridden, title);
    let mut finding = finding.evidence_of(
        all.iter().map(|found| format!("{} sends {} to {}", case.place(&found.url), found.calls(), found.shown())),
    );
    if let Some((refusal, server)) = refused_elsewhere(case) {
        let what = format!("{} refused {} ({})", server.url, refusal.operation.name, refusal.code);
        finding.severity = Severity::Warning;
        finding = finding.evidence(printable(&format!("{what}: AWS's answer may differ"))).fix(server.removal);
    }
    if for_service(case, "sts").is_none() {
        return findings.add(finding);
    }
    let profile = case.profile.as_deref().filter(|_| !case.lacks_profile());
    let for_profile = profile.map(|name| format!(" {}", option(name)));
    findings.add(finding.fix(Fix::see(
        "To see AWS's own answer, ignore these settings for one call.",
        format!(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true aws sts get-caller-identity{}",
            for_profile.unwrap_or_default()
        ),
    )));
}

/// A request is signed for the region in force, whatever the name of the endpoint says.
fn other_region_in_the_name(case: &Case<'_>, findings: &mut Findings) {
    if ignored(case).is_some() {
        return;
    }
    for found in overrides(case) {
        // boto3 signs for the region in force there too (tried with 1.43), and the global endpoint wants us-east-1.
        let is_global = found.name().as_deref() == Some(GLOBAL_STS);
        let Some(named) = region_in_name(&found).or_else(|| is_global.then(|| "us-east-1".to_owned())) else {
            continue;
        };
        let is_sign_in = ["sso", "sso_oidc"].iter().any(|of| found.service.is_some_and(|s| s.eq_ignore_ascii_case(of)));
        let signed_for = if is_sign_in { sso_region(case) } else { in_force(case) };
        let Some(signed_for) = signed_for else { continue };
        let region = signed_for.text.trim();
        if region == named || partition_of(region).is_none() {
            continue;
        }
        let finding = Finding::error(Cause::RegionInconsistent, if is_global {
                format!("STS's global endpoint requires signatures for {named}, but calls are signed for {region}")
            } else {
                format!("{} go to {named}, but are signed for {region}", found.calls())
            },
        )
        // So reported of STS, SES, IAM and others. Some services don't check, and the global endpoint may accept other regions later.
        .certainty(Certainty::Likely)
        .evidence(format!("{} names {}", case.place(&found.url), found.shown()))
        .evidence(format!("{} is {region}", case.place(&signed_for)))
        .evidence(
            "users report that services refuse a signature for another region: SignatureDoesNotMatch, \"Credential should be \
             scoped to a valid region\"",
        );
        let other = if is_sign_in {
            Fix::advice(format!("Or set sso_region to {named}, if IAM Identity Center is there."))
        } else if signed_for.origin.is_none() {
            Fix::command(format!("Or use {named}."), export(case, &[(signed_for.name, &named)]))
        } else {
            set_region(case, &named, &format!("Or use {named}."))
        };
        findings.add(finding.fix(take_away(case, None, &found)).fix(other));
    }
}

/// The region in the name of one of AWS's hosts: `sts.eu-west-1.amazonaws.com`, `vpce-x.sts.eu-west-1.vpce.amazonaws.com`,
/// `s3-eu-west-1.amazonaws.com`.
fn region_in_name(found: &Override<'_>) -> Option<String> {
    if found.owner() != Host::Aws {
        return None;
    }
    let name = found.name()?;
    let mut labels = name.split('.').map(|label| label.strip_prefix("s3-").unwrap_or(label));
    labels.find(|label| known(label).is_some()).map(str::to_owned)
}

/// A region in a sentence.
pub(super) fn region_said(region: &str) -> String {
    known(region).map_or_else(|| shown(region), |known| format!("{} ({})", known.name, known.place))
}
