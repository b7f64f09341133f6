//! Where calls go: regions, partitions, endpoints, and the tokens that are good in some regions only.

mod answered;
mod effective_region;
mod endpoint_override;
mod endpoints;
mod names;
mod partition;
mod portal;
mod sts_token_version;
#[cfg(test)]
mod tests;

pub(in crate::core::doctor) use self::effective_region::regions_in_force;

pub(in crate::core::doctor) use self::answered::why_open;
use super::case::SourcedValue;
use super::rule::Rule;
use super::{Case, Cause, Findings};
use crate::core::fix::Fix;
use crate::core::partitions::known_partition;
use crate::core::url_host::Host;

pub(in crate::core::doctor) const RULE: Rule = Rule {
    decides: &[
        Cause::RegionInvalid,
        Cause::RegionMissing,
        Cause::RegionInconsistent,
        Cause::PartitionMismatch,
        Cause::EndpointOverridden,
        Cause::RegionTokenV1,
        Cause::RegionNotEnabled,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    names::look(case, findings);
    effective_region::look(case, findings);
    partition::look(case, findings);
    endpoints::look(case, findings);
    portal::look(case, findings);
    sts_token_version::look(case, findings);
    answered::look(case, findings);
}

/// The place of an invalid region, to which no request can be sent. `None` if the region is usable, or if none is set.
pub(in crate::core::doctor) fn unusable(case: &Case<'_>) -> Option<String> {
    let region = effective_region::in_force(case)?;
    names::is_unusable(region.text).then(|| case.place(&region))
}

/// The name of the region in force, if it is valid.
pub(in crate::core::doctor) fn name(case: &Case<'_>) -> Option<String> {
    let region = effective_region::in_force(case)?;
    (!names::is_unusable(region.text)).then(|| region.text.trim().to_owned())
}

/// The region that the user probably meant by the one in force.
pub(in crate::core::doctor) fn meant(case: &Case<'_>) -> Option<&'static str> {
    names::meant(effective_region::in_force(case)?.text)
}

/// Where a setting sends the calls to a service; `None` where they go where programs would send them by themselves.
pub(in crate::core::doctor) fn endpoint_of<'a>(case: &Case<'a>, service: &str) -> Option<&'a str> {
    endpoint_override::for_service(case, service).map(|found| found.url.text)
}

/// Where the setting stands that sends the calls to a service somewhere else.
pub(in crate::core::doctor) fn place_of_endpoint(case: &Case<'_>, service: &str) -> Option<String> {
    endpoint_override::for_service(case, service).map(|found| case.place(&found.url))
}

/// Whether any call goes somewhere else than to AWS: its keys may be of another maker's.
pub(in crate::core::doctor) fn calls_elsewhere(case: &Case<'_>) -> bool {
    endpoint_override::ignored(case).is_none()
        && endpoint_override::overrides(case).iter().any(|found| found.whose() != Host::Aws)
}

/// How that setting is taken away.
pub(in crate::core::doctor) fn leave_out_endpoint(case: &Case<'_>, service: &str) -> Option<Fix> {
    endpoint_override::for_service(case, service).map(|found| endpoints::take_away(case, &found))
}

/// The ARNs in the settings that decide whose credentials the profile has, with their partitions.
fn arns<'a>(case: &Case<'a>) -> Vec<(&'static str, SourcedValue<'a>)> {
    let settings = ["role_arn", "mfa_serial", "login_session", "evercred_role_arn", "evercred_mfa_serial"];
    let mut found = Vec::new();
    for section in case.chain() {
        for name in settings {
            let Some(value) = section.get(name) else { continue };
            let partition = value.text.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
            if let Some(partition) = partition.and_then(known_partition) {
                found.push((partition, SourcedValue { text: &value.text, name, origin: Some(value.origin) }));
            }
        }
    }
    found
}

/// The region of the IAM Identity Center that the profile's credentials come from.
fn sso_region<'a>(case: &Case<'a>) -> Option<SourcedValue<'a>> {
    let sessions = &case.evidence.profiles_of_daemon.sso_sessions;
    case.chain().into_iter().find_map(|section| {
        let of_session = || sessions.get(&section.get("sso_session")?.text)?.get("sso_region");
        let value = of_session().or_else(|| section.get("sso_region"))?;
        Some(SourcedValue { text: &value.text, name: "sso_region", origin: Some(value.origin) })
    })
}
