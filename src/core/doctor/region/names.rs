//! `region-invalid`: a value that is not a region.

use super::target::{all, shown, sso_region};
use crate::core::doctor::case::SourcedValue;
use crate::core::doctor::commands::{export, set};
use crate::core::doctor::endpoint_override::{ignored, overrides};
use crate::core::doctor::{Case, Cause, Certainty, Finding, Findings, Severity};
use crate::core::fix::Fix;
use crate::core::nearest::nearest;
use crate::core::partitions::{REGIONS, has_known_words, known, partition_of};
use crate::core::profile::SourceFile;
use crate::core::url_host::Host;

/// Whether a name is certainly or probably not a region.
pub(super) fn is_unusable(text: &str) -> bool {
    invalid(text).is_some()
}

/// The region that the user probably meant by an invalid name.
pub(super) fn meant(text: &str) -> Option<&'static str> {
    fault(text)?.meant
}

/// The mistake in an invalid region name, as the end of a sentence, and the region that the user probably meant.
pub(in crate::core::doctor) fn invalid(text: &str) -> Option<(String, Option<&'static str>)> {
    let fault = fault(text).filter(|fault| fault.severity == Severity::Error)?;
    Some((fault.what, fault.meant))
}

/// What is wrong with a name.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// The end of a sentence that begins with the value.
    what: String,
    severity: Severity,
    certainty: Certainty,
    /// What may be meant.
    meant: Option<&'static str>,
}

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    for located in all(case).into_iter().chain(sso_region(case)) {
        match fault(located.text) {
            Some(fault)
                if (fault.meant.is_none() || fault.severity == Severity::Info)
                    && is_another_makers(case, located.text) => {}
            Some(fault) => findings.add(finding(case, &located, fault)),
            None => {}
        }
    }
}

/// Other makers' stores have regions of their own (`auto` is Cloudflare's): where calls go to one, a name that is like none of AWS's
/// may be right.
fn is_another_makers(case: &Case<'_>, text: &str) -> bool {
    let is_name = text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    is_name && ignored(case).is_none() && overrides(case).iter().any(|found| found.owner() == Host::Other)
}

fn finding(case: &Case<'_>, located: &SourcedValue<'_>, fault: Fault) -> Finding {
    let place = case.place(located);
    let title = format!("{place}: {} {}", shown(located.text), fault.what);
    let mut finding = Finding::new(Cause::RegionInvalid, fault.severity, title).certainty(fault.certainty);
    if fault.severity == Severity::Error {
        // Tried with boto3 1.43: Frankfurt, us-east-1a and EU-West-1 become part of a host name, "eu-west-1 " does not.
        let is_label = located.text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        finding = finding.evidence(if is_label {
            "SDKs put the region into the host name without a check: calls fail with \"could not connect to the \
             endpoint URL\", or AWS refuses their signature"
        } else {
            "boto3 and the AWS CLI fail: InvalidRegionError (\"doesn't match a supported format\")"
        });
    }
    let (word, said) = match fault.meant {
        Some(meant) => (meant, format!("Write {meant}, if you meant that.")),
        None => ("REGION", "Set your region: replace REGION, for example with eu-central-1.".to_owned()),
    };
    finding.fix(fix(case, located, word, said))
}

fn fix(case: &Case<'_>, located: &SourcedValue<'_>, region: &str, said: String) -> Fix {
    match (located.origin, &case.profile) {
        (None, _) => Fix::command(said, export(case, &[(located.name, region)])),
        // Where the file has the profile's region, and not a session's or another profile's.
        (Some(origin), Some(profile)) if origin.file == SourceFile::Config && located.name == "region" => {
            Fix::command(said, set(profile, "region", region))
        }
        (Some(origin), _) => {
            Fix::advice(format!("{said} The setting is at {}: {} = {region}", case.at(origin), located.name))
        }
    }
}

/// The mistake in a region's name; `None` if it is valid.
fn fault(text: &str) -> Option<Fault> {
    let sure = |what: String, meant| Fault { what, severity: Severity::Error, certainty: Certainty::Confirmed, meant };
    if known(text).is_some() {
        return None;
    }
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "'\"".contains(c));
    let lower = bare.to_ascii_lowercase();
    if let Some(region) = known(&lower) {
        let what = if bare != text {
            // A blank in a variable is part of the value for most SDKs; a quotation mark is for all.
            "has blanks or quotation marks around it, which are part of the value"
        } else {
            "has capital letters: region names are in lowercase"
        };
        return Some(sure(what.to_owned(), Some(region.name)));
    }
    if lower.starts_with("aws-") && lower.ends_with("-global") {
        // botocore's partitions.json has them; its STS client for aws-global goes to the global endpoint (tried with 1.43).
        return Some(Fault {
            what: "is not a region, but the SDKs' name for services with one global endpoint: programs call STS at its global endpoint, and can't call regional services"
                .to_owned(),
            severity: Severity::Warning,
            certainty: Certainty::Confirmed,
            meant: None,
        });
    }
    if lower == "global" {
        return Some(sure(
            "is not a region: programs call global services through a region".to_owned(),
            Some("us-east-1"),
        ));
    }
    if let Some(region) = zone_of(&lower) {
        return Some(sure(format!("is a zone, not a region: it is in {region}"), Some(region)));
    }
    if let Some(region) = by_letters(&lower).or_else(|| by_place(&lower)) {
        return Some(sure("does not have the form of a region".to_owned(), Some(region)));
    }
    // Nobody writes `af` for `cn`: where the partition is plain, it is meant.
    let partition = partition_of(&lower);
    let is_candidate = |name: &&str| partition.is_none() || partition_of(name) == partition;
    let meant = nearest(&lower, REGIONS.iter().map(|region| region.name).filter(is_candidate));
    if partition.is_some() && lower == text {
        return Some(if has_known_words(text) {
            Fault {
                what: "is not a region that this version of evercred knows: it is newer, or mistyped".to_owned(),
                severity: Severity::Info,
                certainty: Certainty::Possible,
                meant,
            }
        } else {
            Fault {
                what: "is not an AWS region, and no region has such a name".to_owned(),
                severity: Severity::Error,
                certainty: Certainty::Likely,
                meant,
            }
        });
    }
    Some(sure("does not have the form of a region".to_owned(), meant))
}

/// `us-east-1a`, `us-west-2-lax-1a`, `us-east-1-wl1-bos-wlz-1`: availability, local and wavelength zones.
fn zone_of(text: &str) -> Option<&'static str> {
    let zones = REGIONS.iter().filter(|region| {
        text.strip_prefix(region.name).is_some_and(|rest| {
            let letter = rest.len() == 1 && rest.bytes().all(|c| c.is_ascii_lowercase());
            letter || rest.strip_prefix('-').is_some_and(|rest| !rest.is_empty())
        })
    });
    zones.map(|region| region.name).next()
}

/// `eu-central1`, `euwest1`, `us_east_1`, `eu west 1`: the letters and numbers are right.
fn by_letters(text: &str) -> Option<&'static str> {
    let letters = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let wanted = letters(text);
    REGIONS.iter().find(|region| letters(region.name) == wanted).map(|region| region.name)
}

/// `Frankfurt`, `EU (Ireland)`, `US East (N. Virginia)`: the place.
fn by_place(text: &str) -> Option<&'static str> {
    let found = REGIONS.iter().find(|region| text.contains(&region.place.to_lowercase()));
    found.or_else(|| known("us-east-1").filter(|_| text.contains("virginia"))).map(|region| region.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_region_is_told_from_what_is_new() {
        use Certainty::{Confirmed, Likely, Possible};
        use Severity::{Error, Info, Warning};
        for (text, said, severity, certainty, meant) in [
            ("eu-central1", "the form", Error, Confirmed, Some("eu-central-1")),
            ("us_east_1", "the form", Error, Confirmed, Some("us-east-1")),
            ("us-east-1a", "a zone", Error, Confirmed, Some("us-east-1")),
            ("us-west-2-lax-1a", "a zone", Error, Confirmed, Some("us-west-2")),
            ("EU-West-1", "capital letters", Error, Confirmed, Some("eu-west-1")),
            ("\"eu-west-1\"", "quotation marks", Error, Confirmed, Some("eu-west-1")),
            ("eu-west-1 ", "blanks", Error, Confirmed, Some("eu-west-1")),
            ("Frankfurt", "the form", Error, Confirmed, Some("eu-central-1")),
            ("US East (N. Virginia)", "the form", Error, Confirmed, Some("us-east-1")),
            ("global", "not a region", Error, Confirmed, Some("us-east-1")),
            ("aws-global", "not a region", Warning, Confirmed, None),
            ("us-est-1", "no region has such a name", Error, Likely, Some("us-east-1")),
            ("eu-wets-1", "no region has such a name", Error, Likely, Some("eu-west-1")),
            ("ap-southeast-9", "newer, or mistyped", Info, Possible, Some("ap-southeast-1")),
            ("cn-south-1", "newer, or mistyped", Info, Possible, Some("cn-north-1")),
            ("nonsense", "the form", Error, Confirmed, None),
        ] {
            let fault = fault(text).unwrap_or_else(|| panic!("{text} is taken for a region"));
            assert!(fault.what.contains(said), "{text}: {}", fault.what);
            assert_eq!((fault.severity, fault.certainty, fault.meant), (severity, certainty, meant), "{text}");
        }
    }

    #[test]
    fn regions_are_regions() {
        for region in REGIONS {
            assert_eq!(fault(region.name), None);
        }
    }
}
