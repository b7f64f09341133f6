//! Mistakes in the keys and regions of the AWS files, by their form alone: the daemon reports them before a program
//! calls AWS. The rules are the doctor's own; the doctor alone reports doubtful values, as it also asks AWS.

pub(super) mod debounce;
mod emulator;

use std::sync::Arc;

use super::client_resolution::{is_adopted, of_section as resolve};
use super::commands::{configure, set};
use super::key_format::{TokenMismatch, mistakes, token_mismatch};
use super::{Cause, KeySet, Provider, ResolvedFrom, region};
use crate::core::plan::PlanContext;
use crate::core::printable::printable;
use crate::core::profile::{Origin, Profiles, Section, SourceFile};

/// The maximum number of reported mistakes: a file with more is not a credentials file.
const MOST: usize = 50;

/// One mistake in a profile's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The cause, by the doctor's name.
    pub id: Cause,
    /// The profile.
    pub profile: String,
    /// One sentence, without a secret and fit to be shown.
    pub message: String,
    /// The place of the setting.
    pub origin: Origin,
    /// The fix.
    pub fix: LintFix,
}

/// How to correct a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LintFix {
    /// A command.
    Command(String),
    /// A change of the file at the mistake's place.
    Edit(String),
}

impl LintFix {
    /// The command or the change.
    pub fn text(&self) -> &str {
        match self {
            Self::Command(text) | Self::Edit(text) => text,
        }
    }
}

/// The mistakes in the profiles: invalid regions, keys of an impossible form, tokens that are missing or left over, and
/// keys that hide another provider. Profiles for an emulator on this machine are not checked.
pub fn lints(profiles: &Profiles, context: &PlanContext) -> Vec<Lint> {
    let of_section = |section: &Arc<Section>| {
        let found = of_section(section, profiles);
        // Few profiles have any, so the other profiles are seldom read.
        if found.is_empty() || emulator::is_for_one(section, profiles, context) { Vec::new() } else { found }
    };
    profiles.profiles.values().flat_map(of_section).take(MOST).collect()
}

fn of_section(section: &Section, profiles: &Profiles) -> Vec<Lint> {
    let mut lints: Vec<Lint> = invalid_region(section).into_iter().collect();
    let Some(subject) = KeySet::of_section(section) else { return lints };
    lints.extend(malformed(section, &subject));
    lints.extend(token(section, &subject));
    lints.extend(hides_another_provider(section, profiles));
    lints
}

/// A region that no request can be sent to. With a custom endpoint, a region name that AWS does not use
/// may be correct.
fn invalid_region(section: &Section) -> Option<Lint> {
    let region = section.get("region")?;
    let (what, meant) = region::invalid(&region.text)?;
    let has_endpoint = ["endpoint_url", "services"].iter().any(|name| section.get(name).is_some());
    let message = format!("the region {} of profile \"{}\" {what}", region::shown(&region.text), section.name);
    let fix = match meant {
        Some(meant) if region.origin.file == SourceFile::Config => {
            LintFix::Command(set(&section.name, "region", meant))
        }
        Some(meant) => LintFix::Edit(format!("write region = {meant}")),
        None if has_endpoint => return None,
        None => LintFix::Edit("write the name of your region, for example region = eu-central-1".to_owned()),
    };
    Some(lint(Cause::RegionInvalid, section, message, region.origin, fix))
}

fn malformed(section: &Section, subject: &KeySet<'_>) -> Vec<Lint> {
    let mistakes = mistakes(subject);
    // An id that is only unlike AWS's is another maker's: `test` and `minioadmin` are id and secret at once.
    if mistakes.iter().any(|(id, .., mistake)| *id == Cause::AccessKeyMalformed && !mistake.certain) {
        return Vec::new();
    }
    // A secret for a key id of AWS's has AWS's form.
    let is_reported =
        |id: Cause, is_certain: bool| is_certain || id == Cause::SecretKeyMalformed && subject.has_aws_id();
    mistakes
        .into_iter()
        .filter(|(id, .., mistake)| is_reported(*id, mistake.certain))
        .filter_map(|(id, name, part, mistake)| {
            let message = format!("the {name} in {} {}", subject.label(), mistake.what);
            let fix = if subject.is_temporary() {
                format!("correct {}, or get new credentials from the tool that wrote these", part.name)
            } else {
                format!("correct {}, or enter the key again: {}", part.name, configure(&section.name))
            };
            Some(lint(id, section, message, part.origin?, LintFix::Edit(fix)))
        })
        .collect()
}

fn token(section: &Section, subject: &KeySet<'_>) -> Option<Lint> {
    let mismatch = token_mismatch(subject)?;
    let message = mismatch.title(&subject.label());
    match mismatch {
        TokenMismatch::Missing { id } => {
            let fix = "write aws_session_token beside it, from the same session as the key";
            Some(lint(Cause::SessionTokenMissing, section, message, id.origin?, LintFix::Edit(fix.to_owned())))
        }
        TokenMismatch::LeftOver { id, token } => {
            // botocore reads the keys of each file by itself, so what stands in the other file may go with other keys
            // (`botocore/credentials.py`, `SharedCredentialProvider` and `ConfigProvider`).
            let origin = token.origin.filter(|origin| id.origin.is_some_and(|id| id.file == origin.file))?;
            let names: Vec<&str> =
                [subject.security_token, subject.session_token].into_iter().flatten().map(|token| token.name).collect();
            let lines = if names.len() > 1 { "lines" } else { "line" };
            let fix = format!("delete the {lines} {}", names.join(" and "));
            Some(lint(Cause::SessionTokenStale, section, message, origin, LintFix::Edit(fix)))
        }
    }
}

/// Keys in the credentials file that some clients use, and others use another provider of the profile.
fn hides_another_provider(section: &Section, profiles: &Profiles) -> Option<Lint> {
    let origin = section.get("aws_access_key_id").filter(|_| section.get("aws_secret_access_key").is_some())?.origin;
    if origin.file != SourceFile::Credentials {
        return None;
    }
    let resolved = resolve(section, profiles);
    let provider = |from: &ResolvedFrom| match from {
        ResolvedFrom::Profile { provider, .. } => Some(*provider),
        _ => None,
    };
    let uses_keys = |from: &ResolvedFrom| provider(from) == Some(Provider::Keys);
    let users: Vec<&str> =
        resolved.iter().filter(|(_, from)| uses_keys(from)).map(|(client, _)| client.label()).collect();
    let hidden = resolved.iter().filter_map(|(_, from)| provider(from)).rfind(|provider| *provider != Provider::Keys);
    let (id, hidden) = match hidden.filter(|_| !users.is_empty())? {
        _ if is_adopted(section) => (Cause::AdoptionBroken, "evercred"),
        hidden => (Cause::StaticKeysIgnored, hidden.label()),
    };
    let message = format!(
        "{} take the keys of profile \"{}\" in the credentials file instead of {hidden}",
        users.join(", "),
        section.name
    );
    let fix = format!("delete the keys of [{}], or move them to a profile of their own", section.name);
    Some(lint(id, section, message, origin, LintFix::Edit(fix)))
}

fn lint(id: Cause, section: &Section, message: String, origin: Origin, fix: LintFix) -> Lint {
    let message = printable(&message);
    let fix = match fix {
        LintFix::Command(command) => LintFix::Command(printable(&command)),
        LintFix::Edit(edit) => LintFix::Edit(printable(&edit)),
    };
    Lint { id, profile: section.name.clone(), message, origin, fix }
}

#[cfg(test)]
mod tests;
