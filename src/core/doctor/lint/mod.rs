//! Certain mistakes in the keys of the AWS files, by their form alone: the daemon reports them before a program
//! calls AWS. The rules are the doctor's own; the doctor alone reports doubtful keys, as it also asks AWS.

pub(super) mod debounce;
mod emulator;

use std::sync::Arc;

use super::client_resolution::{is_adopted, of_section as resolve};
use super::commands::configure;
use super::key_format::{TokenMismatch, mistakes, token_mismatch};
use super::{Cause, KeySet, Provider, ResolvedFrom};
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
    pub fix: Option<String>,
}

/// The certain mistakes in the keys of the profiles: parts of an impossible form, tokens that are missing or
/// left over, and keys that hide another provider. Keys for an emulator on this machine are not checked.
pub fn lints(profiles: &Profiles, context: &PlanContext) -> Vec<Lint> {
    let of_section = |section: &Arc<Section>| {
        let found = of_section(section, profiles);
        // Few profiles have any, so the other profiles are seldom read.
        if found.is_empty() || emulator::is_for_one(section, profiles, context) { Vec::new() } else { found }
    };
    profiles.profiles.values().flat_map(of_section).take(MOST).collect()
}

fn of_section(section: &Section, profiles: &Profiles) -> Vec<Lint> {
    let Some(subject) = KeySet::of_section(section) else { return Vec::new() };
    let mut lints = malformed(section, &subject);
    lints.extend(token(section, &subject));
    lints.extend(hides_another_provider(section, profiles));
    lints
}

fn malformed(section: &Section, subject: &KeySet<'_>) -> Vec<Lint> {
    let mistakes = mistakes(subject);
    // An id that is only unlike AWS's is another maker's: `test` and `minioadmin` are id and secret at once.
    if mistakes.iter().any(|(id, .., mistake)| *id == Cause::AccessKeyMalformed && !mistake.certain) {
        return Vec::new();
    }
    let certain = mistakes.into_iter().filter(|(.., mistake)| mistake.certain);
    certain
        .filter_map(|(id, name, part, mistake)| {
            let message = format!("the {name} in {} {}", subject.called(), mistake.what);
            let fix = if subject.is_temporary() {
                format!("correct {}, or get new credentials from the tool that wrote these", part.name)
            } else {
                format!("correct {}, or enter the key again: {}", part.name, configure(&section.name))
            };
            Some(lint(id, section, message, part.origin?, fix))
        })
        .collect()
}

fn token(section: &Section, subject: &KeySet<'_>) -> Option<Lint> {
    let mismatch = token_mismatch(subject)?;
    let message = mismatch.said(&subject.called());
    match mismatch {
        TokenMismatch::Missing { id } => {
            let fix = "write aws_session_token beside it, from the same session as the key";
            Some(lint(Cause::SessionTokenMissing, section, message, id.origin?, fix.to_owned()))
        }
        TokenMismatch::LeftOver { id, token } => {
            // botocore reads the keys of each file by itself, so what stands in the other file may go with other keys
            // (`botocore/credentials.py`, `SharedCredentialProvider` and `ConfigProvider`).
            let origin = token.origin.filter(|origin| id.origin.is_some_and(|id| id.file == origin.file))?;
            let names: Vec<&str> =
                [subject.security_token, subject.session_token].into_iter().flatten().map(|token| token.name).collect();
            let lines = if names.len() > 1 { "lines" } else { "line" };
            let fix = format!("delete the {lines} {}", names.join(" and "));
            Some(lint(Cause::SessionTokenStale, section, message, origin, fix))
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
        resolved.iter().filter(|(_, from)| uses_keys(from)).map(|(client, _)| client.called()).collect();
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
    Some(lint(id, section, message, origin, fix))
}

fn lint(id: Cause, section: &Section, message: String, origin: Origin, fix: String) -> Lint {
    let (message, fix) = (printable(&message), Some(printable(&fix)));
    Lint { id, profile: section.name.clone(), message, origin, fix }
}

#[cfg(test)]
mod tests;
