//! The part of `region-token-v1` that the settings show: who gets tokens of STS's global endpoint.
//!
//! IAM's API reference, SetSecurityTokenServicePreferences: tokens of the global endpoint are of version 1 unless the account
//! says otherwise, and those are valid only in the regions that every account has from the start. Since 2025 calls to the
//! global endpoint from within such a region are served there (IAM user guide, "AWS STS global endpoint changes"): that is
//! about where they are served. Nothing was found that says that it changes where the tokens are valid.

use super::endpoints::{GLOBAL_STS, region_said};
use super::target::regions_in_force;
use crate::core::doctor::case::SourcedValue;
use crate::core::doctor::commands::{export, set, unset};
use crate::core::doctor::endpoint_override::for_service;
use crate::core::doctor::{Case, Cause, Certainty, Finding, Findings};
use crate::core::fix::Fix;
use crate::core::partitions::is_opt_in;

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    let regions = regions_in_force(case);
    let opt_in = regions.iter().find(|region| is_opt_in(region));
    if let Some(found) = for_service(case, "sts").filter(|found| found.name().as_deref() == Some(GLOBAL_STS)) {
        findings.add(match opt_in {
            Some(region) => Finding::warning(
                Cause::RegionTokenV1,
                format!("programs call STS's global endpoint, whose tokens {} may not accept", region_said(region)),
            )
            .certainty(Certainty::Likely),
            None => Finding::info(
                Cause::RegionTokenV1,
                "programs call STS's global endpoint, whose tokens may be refused in regions that must be enabled first",
            ),
        }
        .evidence(format!("{} is {}", case.place(&found.url), found.shown()))
        .evidence(WHY)
        .fix(match found.url.origin {
            None => Fix::command("Unset it: programs then call STS in the region.", unset(case, &[found.url.name])),
            Some(origin) => Fix::advice(format!(
                "Delete the line {}: programs then call STS in the region.",
                case.at(origin)
            )),
        })
        .fix(for_administrators()));
    }
    if let Some(setting) = legacy(case) {
        let place = case.place(&setting);
        let finding = match opt_in {
            // The setting holds in some old regions alone (AWS's reference guide of SDKs and tools, "AWS STS Regional
            // endpoints"; botocore 1.43's `args.py`; tried): in this region STS is asked in the region. A session that was
            // begun elsewhere is what may be refused.
            Some(region) => Finding::warning(
                Cause::RegionTokenV1,
                format!(
                    "{place} is legacy: sessions from another region may not be accepted in {}",
                    region_said(region)
                ),
            )
            .certainty(Certainty::Possible),
            None => Finding::info(
                Cause::RegionTokenV1,
                format!(
                    "{place} is legacy: boto3 and the AWS CLI get tokens that may be refused in regions that must be enabled first"
                ),
            ),
        };
        let finding = finding
            .evidence(
                "with legacy, boto3 and the AWS CLI call STS's global endpoint if the region is one of the older ones",
            )
            .evidence(WHY);
        let text = "Call STS in the region.";
        let finding = finding.fix(match (setting.origin, &case.profile) {
            (Some(_), Some(profile)) => Fix::command(text, set(profile, "sts_regional_endpoints", "regional")),
            _ => Fix::command(text, export(case, &[("AWS_STS_REGIONAL_ENDPOINTS", "regional")])),
        });
        findings.add(finding.fix(for_administrators()));
    }
}

/// The fix in the account.
pub(super) fn for_administrators() -> Fix {
    Fix::command(
        "Or ask an administrator of the account to make the global endpoint's tokens valid in all regions.",
        "aws iam set-security-token-service-preferences --global-endpoint-token-version v2Token",
    )
}

const WHY: &str = "tokens of the global endpoint are valid only in the regions that are enabled by default, unless the account uses version 2 of them (GlobalEndpointTokenVersion in iam get-account-summary)";

fn legacy<'a>(case: &Case<'a>) -> Option<SourcedValue<'a>> {
    const VARIABLE: &str = "AWS_STS_REGIONAL_ENDPOINTS";
    let of_profile = || SourcedValue::setting(case.settings()?, "sts_regional_endpoints");
    let found = SourcedValue::variable(case.evidence, VARIABLE).or_else(of_profile)?;
    found.text.trim().eq_ignore_ascii_case("legacy").then_some(found)
}
