//! The profile and region of an explanation: those that the user names, else those that the text names, else this
//! shell's.

use super::local_context::{LocalContext, LookedAt};
use super::reported::ReportedError;
use crate::core::aws_error::{PROCESS_NOT_FOUND, TOKEN_FILE};
use crate::core::fix::{Fix, word};
use crate::core::nearest::nearest;
use crate::core::profile::Profiles;

/// A profile that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How the text names it.
    pub why: &'static str,
}

/// The profile that the errors name, or the profile with the role that they name.
pub fn profile_of(mentions: &[ReportedError], profiles: &Profiles) -> Option<Named> {
    let named = mentions.iter().find_map(|mention| {
        let why = match mention.means {
            PROCESS_NOT_FOUND => "whose program the text names",
            TOKEN_FILE => "whose token file the text names",
            _ => "which the text names",
        };
        let is_here = |name: &&String| profiles.profiles.contains_key(*name);
        let existing = mention.named.iter().filter_map(|reading| reading.name.as_ref()).find(is_here);
        existing.or(mention.profile.as_ref()).map(|name| Named { name: name.clone(), why })
    });
    named.or_else(|| of_role(mentions, profiles))
}

/// The profile with the role that the text names, if there is exactly one.
fn of_role(mentions: &[ReportedError], profiles: &Profiles) -> Option<Named> {
    let roles: Vec<&str> = mentions.iter().filter_map(|mention| mention.role.as_deref()).collect();
    let mut with_role = profiles
        .profiles
        .iter()
        .filter(|(_, section)| section.get("role_arn").is_some_and(|arn| roles.contains(&arn.text.trim())));
    let (name, _) = with_role.next()?;
    with_role.next().is_none().then(|| Named { name: name.clone(), why: "whose role the text names" })
}

/// The region that the first error with a region names, if its form is valid.
pub fn region_of(mentions: &[ReportedError]) -> Option<String> {
    mentions.iter().find_map(|mention| mention.region.clone())
}

/// The maximum number of profiles in the message.
const MOST_PROFILES: usize = 5;

/// "checked profile default, which does not exist; there are: dev".
pub(super) fn looked_at(here: &LocalContext) -> String {
    let mut text = match &here.profile {
        Some(profile) => format!("checked profile {profile}"),
        None => "checked the credentials of this shell".to_owned(),
    };
    let LookedAt { why, is_missing } = here.looked_at;
    let clauses: Vec<&str> = why.into_iter().chain(is_missing.then_some("which does not exist")).collect();
    if !clauses.is_empty() {
        text.push_str(&format!(", {}", clauses.join(" and ")));
    }
    if is_missing {
        let names: Vec<&str> = here.profiles.iter().take(MOST_PROFILES).map(String::as_str).collect();
        text.push_str(&match here.profiles.len() {
            0 => "; the AWS files have no profiles".to_owned(),
            all if all > MOST_PROFILES => {
                format!("; there are: {}, and {} more", names.join(", "), all - MOST_PROFILES)
            }
            _ => format!("; there are: {}", names.join(", ")),
        });
    }
    text
}

/// How to explain the text for an existing profile: the most similar name, or the only one.
pub(super) fn fix_of_profile(here: &LocalContext) -> Option<Fix> {
    if !here.looked_at.is_missing || here.profiles.is_empty() {
        return None;
    }
    let names = here.profiles.iter().map(String::as_str);
    let near = here.profile.as_deref().and_then(|name| nearest(name, names));
    let only = || here.profiles.first().filter(|_| here.profiles.len() == 1).map(String::as_str);
    let name = near.or_else(only).map_or_else(|| "NAME".to_owned(), word);
    Some(Fix::advice(format!(
        "Explain the text again with the profile that the program used: evercred explain --profile {name} TEXT"
    )))
}
