//! Where calls go: regions, partitions, endpoints, and the tokens that are good in some regions only.

mod answered;
mod effective_region;
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
use super::{Case, Cause, Findings, endpoint_override};
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

/// Whether any call goes somewhere else than to AWS: its keys may be of another maker's.
pub(in crate::core::doctor) fn calls_elsewhere(case: &Case<'_>) -> bool {
    endpoint_override::ignored(case).is_none()
        && endpoint_override::overrides(case).iter().any(|found| found.owner() != Host::Aws)
}
