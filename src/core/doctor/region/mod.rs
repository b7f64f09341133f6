//! Where calls go: regions, partitions, endpoints, and the tokens that are good in some regions only.

mod answered;
mod effective_region;
mod endpoint_override;
mod endpoints;
mod names;
mod partition;
mod portal;
mod sts_token_version;
mod target;
#[cfg(test)]
mod tests;

pub(in crate::core::doctor) use self::names::invalid;
pub(in crate::core::doctor) use self::target::{regions_in_force, shown};

pub(in crate::core::doctor) use self::answered::why_open;
use super::rule::Rule;
use super::{Case, Cause, Findings};
use crate::core::fix::Fix;
use crate::core::printable::printable;
use crate::core::url_host::{Host, target};

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
    let region = target::in_force(case)?;
    names::is_unusable(region.text).then(|| case.place(&region))
}

/// The name of the region in force, if it is valid.
pub(in crate::core::doctor) fn name(case: &Case<'_>) -> Option<String> {
    let region = target::in_force(case)?;
    (!names::is_unusable(region.text)).then(|| region.text.trim().to_owned())
}

/// The region that the user probably meant by the one in force.
pub(in crate::core::doctor) fn meant(case: &Case<'_>) -> Option<&'static str> {
    names::meant(target::in_force(case)?.text)
}

/// Where a setting sends the calls to a service; `None` where they go where programs would send them by themselves.
pub(in crate::core::doctor) fn endpoint_of<'a>(case: &Case<'a>, service: &str) -> Option<&'a str> {
    endpoint_override::for_service(case, service).map(|found| found.url.text)
}

/// An endpoint that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEndpoint {
    /// The service; `None` if it is for all.
    pub service: Option<String>,
    /// The calls to the service, in a sentence.
    pub calls: String,
    /// The variable, or the setting with its file and line.
    pub place: String,
    /// The URL without names, passwords, path and query.
    pub url: String,
    /// Host and port.
    pub authority: String,
    /// The owner of the host.
    pub source: Host,
    /// Whether requests can be sent there at all.
    pub is_url: bool,
    /// The removal of the setting.
    pub removal: Fix,
}

impl NamedEndpoint {
    /// Whether it is for a service, or for all.
    pub fn is_for(&self, service: &str) -> bool {
        self.service.as_ref().is_none_or(|of| of.eq_ignore_ascii_case(service))
    }
}

/// The endpoints that settings name, those that take precedence first; none if programs ignore them.
pub fn named_endpoints(case: &Case<'_>) -> Vec<NamedEndpoint> {
    if endpoint_override::ignored(case).is_some() {
        return Vec::new();
    }
    let named = |found: endpoint_override::Override<'_>| NamedEndpoint {
        service: found.service.map(str::to_owned),
        calls: found.calls(),
        place: case.place(&found.url),
        url: found.shown(),
        authority: printable(target(found.url.text.trim()).authority),
        source: found.owner(),
        is_url: found.is_url(),
        removal: endpoints::take_away(case, &found),
    };
    endpoint_override::overrides(case).into_iter().map(named).collect()
}

/// The endpoint that a setting names for the calls to a service.
pub(in crate::core::doctor) fn named_endpoint(case: &Case<'_>, service: &str) -> Option<NamedEndpoint> {
    named_endpoints(case).into_iter().find(|endpoint| endpoint.is_for(service))
}

/// Whether any call goes somewhere else than to AWS: its keys may be of another maker's.
pub(in crate::core::doctor) fn calls_elsewhere(case: &Case<'_>) -> bool {
    endpoint_override::ignored(case).is_none()
        && endpoint_override::overrides(case).iter().any(|found| found.owner() != Host::Aws)
}
