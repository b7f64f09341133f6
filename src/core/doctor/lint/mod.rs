//! What is certainly wrong with the keys in the AWS files, by their form alone: for who watches the files and can tell before
//! anybody calls AWS. The rules are the doctor's own; what is only doubtful is left to it, as it asks AWS too.

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

/// So many are told at most: a file with more is no file of credentials.
const MOST: usize = 50;

/// One thing that is wrong with a profile's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// What, by the doctor's name for it.
    pub id: Cause,
    /// The profile.
    pub profile: String,
    /// One sentence, without a secret and fit to be shown.
    pub message: String,
    /// Where it stands.
    pub origin: Origin,
    /// What to do.
    pub fix: Option<String>,
}

/// What is certainly wrong with the keys of the profiles: parts that can't be what they stand for, tokens that are missing or
/// left over, and keys that hide another provider. Nothing is said of keys for an emulator on this machine.
pub fn remarks(profiles: &Profiles, context: &PlanContext) -> Vec<Lint> {
    let of_section = |section: &Arc<Section>| {
        let found = of_section(section, profiles);
        // Few have any, so that the look at all the others is seldom taken.
        if found.is_empty() || emulator::is_for_one(section, profiles, context) { Vec::new() } else { found }
    };
    profiles.profiles.values().flat_map(of_section).take(MOST).collect()
}

fn of_section(section: &Section, profiles: &Profiles) -> Vec<Lint> {
    let Some(subject) = KeySet::of_section(section) else { return Vec::new() };
    let mut remarks = malformed(section, &subject);
    remarks.extend(token(section, &subject));
    remarks.extend(hides_another_provider(section, profiles));
    remarks
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
                format!("correct {}, or type the key anew: {}", part.name, configure(&section.name))
            };
            Some(remark(id, section, message, part.origin?, fix))
        })
        .collect()
}

fn token(section: &Section, subject: &KeySet<'_>) -> Option<Lint> {
    let mismatch = token_mismatch(subject)?;
    let message = mismatch.said(&subject.called());
    match mismatch {
        TokenMismatch::Missing { id } => {
            let fix = "write aws_session_token beside it, from the same session as the key";
            Some(remark(Cause::SessionTokenMissing, section, message, id.origin?, fix.to_owned()))
        }
        TokenMismatch::LeftOver { id, token } => {
            // botocore reads the keys of each file by itself, so what stands in the other file may go with other keys
            // (`botocore/credentials.py`, `SharedCredentialProvider` and `ConfigProvider`).
            let origin = token.origin.filter(|origin| id.origin.is_some_and(|id| id.file == origin.file))?;
            let names: Vec<&str> =
                [subject.security_token, subject.session_token].into_iter().flatten().map(|token| token.name).collect();
            let lines = if names.len() > 1 { "lines" } else { "line" };
            let fix = format!("delete the {lines} {}", names.join(" and "));
            Some(remark(Cause::SessionTokenStale, section, message, origin, fix))
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
    Some(remark(id, section, message, origin, fix))
}

fn remark(id: Cause, section: &Section, message: String, origin: Origin, fix: String) -> Lint {
    let (message, fix) = (printable(&message), Some(printable(&fix)));
    Lint { id, profile: section.name.clone(), message, origin, fix }
}

#[cfg(test)]
mod tests;
