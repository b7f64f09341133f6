//! The part of `region-inconsistent` that is about IAM Identity Center: newer start URLs name its region.

use super::target::{shown, sso_region};
use crate::core::doctor::{Case, Cause, Certainty, Finding, Findings};
use crate::core::fix::Fix;
use crate::core::printable::printable;
use crate::core::session::region_of_start_url;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    let (Some(region), Some(url)) = (sso_region(case), case.sign_in_setting("sso_start_url")) else { return };
    let Some(named) = region_of_start_url(url.text).filter(|named| named != region.text.trim()) else { return };
    let named = shown(&named);
    let finding = Finding::error(
        Cause::RegionInconsistent,
        format!("sso_region is {}, but the start URL belongs to {named}", shown(region.text)),
    )
    .certainty(Certainty::Likely)
    .evidence(format!("{} is {}", case.place(&url), printable(url.text)))
    .evidence(format!("{} is {}", case.place(&region), shown(region.text)))
    .evidence("programs request tokens and roles in sso_region, where this portal does not exist");
    let place = region.origin.map_or_else(|| region.name.to_owned(), |origin| case.at(origin));
    findings.add(finding.fix(Fix::advice(format!("Write sso_region = {named} in {place}, and sign in again."))));
}
