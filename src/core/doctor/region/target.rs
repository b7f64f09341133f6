//! The targets of calls: the region that each program uses, and the regions and partitions that other settings name.

use crate::core::doctor::Case;
use crate::core::doctor::case::SourcedValue;
use crate::core::doctor::commands::{export, set};
use crate::core::fix::Fix;
use crate::core::partitions::{known_partition, partition_of};
use crate::core::printable::printable;
use crate::core::profile::SourceFile;
use crate::core::variables;

/// Programs that read the region from the same places, and their variables in the order of precedence.
///
/// boto3 and the AWS CLI v1 read AWS_DEFAULT_REGION alone (tried with boto3 1.43). The AWS CLI v2 reads both (its user
/// guide, "Environment variables"), and so do the SDKs for Go v2 (`config/env_config.go`) and Rust (aws-config,
/// `environment/region.rs`). JavaScript v3 and Java read AWS_REGION alone. After the variables all read the profile.
pub(super) static CLIENTS: &[(&str, &[&str])] = &[
    ("the AWS CLI v2, Go and Rust programs", &variables::REGION),
    ("JavaScript and Java programs", &["AWS_REGION"]),
    ("boto3 and the AWS CLI v1", &["AWS_DEFAULT_REGION"]),
];

/// The regions that any program would use, without repetition, the effective one first. Values without the form of
/// a region are left out: no request can be sent there.
pub(in crate::core::doctor) fn regions_in_force(case: &Case<'_>) -> Vec<String> {
    let mut regions: Vec<String> = Vec::new();
    for (_, variables) in CLIENTS {
        let Some(located) = of_client(case, variables) else { continue };
        let region = located.text.trim();
        if partition_of(region).is_some() && !regions.iter().any(|other| other == region) {
            regions.push(region.to_owned());
        }
    }
    regions
}

/// The region that most programs, and evercred, use for the profile in question.
pub(super) fn in_force<'a>(case: &Case<'a>) -> Option<SourcedValue<'a>> {
    of_client(case, &variables::REGION)
}

/// All settings that name a region for the profile's calls.
pub(super) fn all<'a>(case: &Case<'a>) -> Vec<SourcedValue<'a>> {
    variables::REGION.into_iter().filter_map(|name| variable(case, name)).chain(of_profile(case)).collect()
}

/// The region of the IAM Identity Center that the profile's credentials come from.
pub(super) fn sso_region<'a>(case: &Case<'a>) -> Option<SourcedValue<'a>> {
    case.sign_in_setting("sso_region")
}

/// The ARNs in the settings that decide whose credentials the profile has, with their partitions.
pub(super) fn arns<'a>(case: &Case<'a>) -> Vec<(&'static str, SourcedValue<'a>)> {
    let settings = ["role_arn", "mfa_serial", "login_session", "evercred_role_arn", "evercred_mfa_serial"];
    let mut found = Vec::new();
    for section in case.chain() {
        for name in settings {
            let Some(value) = SourcedValue::setting(section, name) else { continue };
            let partition = value.text.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
            found.extend(partition.and_then(known_partition).map(|partition| (partition, value)));
        }
    }
    found
}

/// The command that sets the region of the profile in question, or of the shell if there is no profile.
pub(super) fn set_region(case: &Case<'_>, region: &str, text: &str) -> Fix {
    match (&case.profile, case.settings()) {
        (Some(_), Some(section)) if section.origin.file == SourceFile::Settings => {
            Fix::advice(format!("{text} Write region = \"{region}\" under that [[profile]] of evercred.toml."))
        }
        (Some(profile), Some(_)) => Fix::command(text, set(profile, "region", region)),
        _ => Fix::command(text, export(case, &[("AWS_REGION", region), ("AWS_DEFAULT_REGION", region)])),
    }
}

pub(super) fn of_client<'a>(case: &Case<'a>, variables: &[&'static str]) -> Option<SourcedValue<'a>> {
    variables.iter().find_map(|name| variable(case, name)).or_else(|| of_profile(case))
}

fn variable<'a>(case: &Case<'a>, name: &'static str) -> Option<SourcedValue<'a>> {
    SourcedValue::variable(case.evidence, name).filter(|value| !value.text.trim().is_empty())
}

pub(super) fn of_profile<'a>(case: &Case<'a>) -> Option<SourcedValue<'a>> {
    SourcedValue::setting(case.settings()?, "region")
}

/// A region for users; a value of another form is not shown, because it may be a secret.
pub(in crate::core::doctor) fn shown(text: &str) -> String {
    const LONGEST: usize = 32;
    let text = text.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.,()'\"".contains(c);
    if text.chars().count() <= LONGEST && text.chars().all(is_plain) {
        printable(text)
    } else {
        format!("a value of {} characters that is not shown", text.chars().count())
    }
}
