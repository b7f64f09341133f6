//! The credentials that each client uses here, and where the clients disagree.
//!
//! `provider_chains` is the only place that knows what each client does: findings about the precedence of settings run the
//! chains, with and without the settings in question. The orders are those of the SDKs' sources as of 2026.

mod client;
mod client_view;
mod provider_chains;
#[cfg(test)]
mod tests;

pub use self::client::{Provider, ResolvedFrom};
use self::provider_chains::{resolve, resolve_section};
use super::commands::{configure, export, option, unset};
use super::{
    Case, Cause, Client, Finding, Findings, KeySet, KeySource, Rule, Severity, aws_files, key_format, verdict,
};
use crate::core::fix::Fix;
use crate::core::plan::{PlanError, PlanErrorCode, Source, helper_profile};
use crate::core::profile::{Profiles, Section, Value};
use crate::core::variables;

/// Each client and the source of its credentials, in the clients' order.
pub(super) type Resolved = Vec<(Client, ResolvedFrom)>;

/// The credentials that each client uses with a profile alone, without variables.
pub(super) fn of_section(section: &Section, profiles: &Profiles) -> Resolved {
    Client::ALL.iter().map(|client| (*client, resolve_section(*client, section, profiles))).collect()
}

/// The same, with only those settings of the profile that `keep` accepts.
pub(super) fn of_section_with(section: &Section, profiles: &Profiles, keep: impl Fn(&str) -> bool) -> Resolved {
    let settings = section.settings.iter().filter(|(name, _)| keep(name));
    let settings = settings.map(|(name, value)| (name.into(), value.clone())).collect();
    of_section(&Section { name: section.name.clone(), origin: section.origin, settings }, profiles)
}

/// The settings of a profile without which some client would use other credentials, in the order of the files' lines.
pub(super) fn deciding_settings<'a>(section: &'a Section, profiles: &Profiles) -> Vec<(&'a str, &'a Value)> {
    let resolved = of_section(section, profiles);
    let decides = |(name, _): &(&str, &Value)| of_section_with(section, profiles, |other| other != *name) != resolved;
    let mut deciding: Vec<(&str, &Value)> = section.settings.iter().filter(decides).collect();
    deciding.sort_by_key(|(_, value)| value.origin);
    deciding
}

/// The clients by the source of their credentials.
fn groups(resolved: &[(Client, ResolvedFrom)]) -> Vec<(&ResolvedFrom, Vec<&'static str>)> {
    let mut groups: Vec<(&ResolvedFrom, Vec<&str>)> = Vec::new();
    for (client, from) in resolved {
        match groups.iter_mut().find(|(other, _)| *other == from) {
            Some((_, clients)) => clients.push(client.label()),
            None => groups.push((from, vec![client.label()])),
        }
    }
    groups
}

/// A sentence: "Go (v2) programs use …; JavaScript (v3), Java (v2) programs use …".
pub(super) fn who_uses_what(resolved: &[(Client, ResolvedFrom)]) -> String {
    who_uses(resolved, ResolvedFrom::label)
}

/// The same, with the owner of the credentials where it is known: "every program uses the keys in the environment variables:
/// arn:aws:iam::111122223333:user/me".
pub(super) fn who_is_who(case: &Case<'_>, resolved: &[(Client, ResolvedFrom)]) -> String {
    who_uses(resolved, |from| match verdict::owner(case, from) {
        Some(owner) => format!("{}: {owner}", from.label()),
        None => from.label(),
    })
}

fn who_uses(resolved: &[(Client, ResolvedFrom)], said: impl Fn(&ResolvedFrom) -> String) -> String {
    let groups = groups(resolved);
    match groups.as_slice() {
        [(from, _)] => format!("every program uses {}", said(from)),
        _ => {
            let group =
                |(from, clients): &(&ResolvedFrom, Vec<&str>)| format!("{} use {}", clients.join(", "), said(from));
            groups.iter().map(group).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The credentials that each client uses here.
pub(super) fn choices(case: &Case<'_>) -> Resolved {
    let named = case.evidence.named.as_deref();
    let is_readable = !case.evidence.problems.iter().any(|problem| problem.fatal);
    let of = |client| Some(resolve(client, case.evidence, named)).filter(|uses| is_readable || uses.gives());
    Client::ALL.iter().map(|client| (*client, of(*client).unwrap_or(ResolvedFrom::Unknown))).collect()
}

pub(super) const RULE: Rule = Rule { decides: &[Cause::ClientsDisagree, Cause::CredentialsMissing], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    let choices = choices(case);
    let half = half_a_key(case, &choices);
    missing(case, &choices, half.is_some(), findings);
    source_that_is_not_here(case, findings);
    findings.add_all(half);
    let has_older_names = older_names(case, &choices, findings);
    let is_in_no_file = case.section().is_none() && case.profile.is_some();
    if !case.variables_are_the_profiles() && !is_in_no_file && !has_older_names {
        disagreement(case, &choices, findings);
    }
}

fn disagreement(case: &Case<'_>, choices: &[(Client, ResolvedFrom)], findings: &mut Findings) {
    let Some((_, first)) = choices.first() else { return };
    if choices.iter().all(|(_, uses)| uses == first) || !choices.iter().any(|(_, uses)| uses.gives()) {
        return;
    }
    let finding = Finding::warning(Cause::ClientsDisagree, "programs here would use different credentials");
    let finding = groups(choices).iter().fold(finding, |finding, (uses, clients)| {
        finding.evidence(format!("{}: {}", clients.join(", "), uses.label()))
    });
    // As it stands: an empty one is not the same as none to all.
    let empty =
        case.evidence.variables.iter().find(|(name, value)| value.is_empty() && variables::PROFILE.contains(name));
    let variables = &case.evidence.variables;
    let (present, older) = (variables.get("AWS_PROFILE"), variables.get("AWS_DEFAULT_PROFILE"));
    let fix = match (&case.profile, empty) {
        _ if case.evidence.named.is_none() && present.is_some() && older.is_some() && present != older => Fix::command(
            "AWS_PROFILE and AWS_DEFAULT_PROFILE name different profiles, and some programs read only one: keep AWS_PROFILE.",
            unset(case, &["AWS_DEFAULT_PROFILE"]),
        ),
        (_, Some((name, _))) => Fix::command(
            "Unset the variable: some programs take an empty value for a profile name.",
            unset(case, &[name]),
        ),
        (Some(profile), None) => Fix::advice(format!(
            "Keep one source of credentials: the variables, or one provider in profile \"{profile}\"."
        )),
        (None, None) => Fix::advice("Keep one source of credentials: the variables, or a profile."),
    };
    findings.add(finding.fix(fix));
}

/// `has_half`: the variables have a part of a key, which is a finding of its own.
fn missing(case: &Case<'_>, choices: &[(Client, ResolvedFrom)], has_half: bool, findings: &mut Findings) {
    // A profile of evercred.toml is the daemon's alone, and its plan may be good.
    if matches!(case.plan, Some(Ok(_))) || choices.iter().any(|(_, uses)| uses.gives() && !lacks_base(case, uses)) {
        return;
    }
    // The contents of an unreadable file are not known.
    if case.evidence.problems.iter().any(|problem| problem.fatal) {
        for id in [Cause::CredentialsMissing, Cause::ClientsDisagree] {
            findings.leave_open(id, "an AWS file must be corrected first");
        }
        return;
    }
    let finding = match (&case.profile, &case.plan) {
        (Some(profile), Some(Err(error))) => {
            // Those are findings of their own.
            if !matches!(error.code, PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic) {
                return findings.leave_open(Cause::CredentialsMissing, "the profile itself must be corrected first");
            }
            let place = error.origin.map(|origin| format!(" ({})", case.at(origin))).unwrap_or_default();
            let lacking = profile_without_key(case, error).unwrap_or(profile);
            let title = if lacking == profile {
                format!("profile \"{profile}\" has no credentials")
            } else {
                format!("profile \"{profile}\" takes its credentials from profile \"{lacking}\", which has none")
            };
            let edit = half_of_a_key(case, lacking);
            let title = match &edit {
                Some((lacks, _)) => format!("profile \"{lacking}\" has half a key: {lacks} is missing"),
                None => title,
            };
            Finding::error(Cause::CredentialsMissing, title)
                .evidence(format!("{}{place}", error.message))
                .fixes(edit.map(|(_, edit)| edit))
                .fix(Fix::command("For the key of an IAM user: the command asks for it.", configure(lacking)))
                .fix(Fix::command("For IAM Identity Center.", format!("aws configure sso {}", option(lacking))))
        }
        _ if has_half => return,
        _ if case.evidence.paths.is_none() => Finding::error(
            Cause::CredentialsMissing,
            "HOME is not set: programs find no AWS files, and this shell has no other credentials",
        )
        .evidence("programs read the AWS files from $HOME/.aws")
        // The shell reads the home of `~name` from the user database (POSIX, "Tilde Expansion").
        .fix(Fix::command("Set HOME to your home directory.", "eval \"export HOME=~$(id -un)\"")),
        _ => Finding::error(Cause::CredentialsMissing, "this shell has no credentials")
            .evidence(
                "the variables have no keys, web identity or container endpoint, and there is no profile \"default\"",
            )
            .fixes(
                (!case.evidence.profiles_of_daemon.profiles.is_empty())
                    .then(|| Fix::see("Choose an existing profile.", "evercred profiles")),
            )
            .fix(Fix::command("Create a profile for the key of an IAM user.", configure("default")))
            .fix(Fix::command("Or for IAM Identity Center.", "aws configure sso")),
    };
    let of_profile = || {
        let error = case.plan.as_ref().and_then(|plan| plan.as_ref().err());
        let lacking = error.and_then(|error| profile_without_key(case, error));
        let source = KeySource::Profile(lacking.or(case.profile.as_deref())?.to_owned());
        let none =
            KeySet { source, access_key_id: None, secret_access_key: None, session_token: None, security_token: None };
        key_format::near_miss(case, &none)
    };
    let near = case.subjects.iter().find_map(|subject| key_format::near_miss(case, subject)).or_else(of_profile);
    let finding = with_reason(case, finding);
    findings.add(match near {
        Some((found, meant)) => {
            let rename = Fix::advice(format!("Rename {found} to {meant}, if you meant that."));
            let evidence = format!("no SDK reads the name {found}; did you mean {meant}?");
            finding.fixes_first([rename]).evidence(evidence)
        }
        None => finding,
    });
}

/// The profile of the chain that lacks a key, or half of one.
fn profile_without_key<'a>(case: &Case<'a>, error: &PlanError) -> Option<&'a str> {
    let origin = error.origin?;
    let is_of_it =
        |section: &&Section| section.origin == origin || section.settings.values().any(|value| value.origin == origin);
    case.chain().into_iter().find(is_of_it).map(|section| section.name.as_str())
}

/// The missing half of a profile's key, and the edit that adds it.
fn half_of_a_key(case: &Case<'_>, profile: &str) -> Option<(&'static str, Fix)> {
    let section = case.evidence.profiles_of_daemon.profiles.get(profile)?;
    let key = KeySet::of_section(section)?;
    let (half, lacks) = match (key.access_key_id, key.secret_access_key) {
        (Some(id), None) => (id, "aws_secret_access_key"),
        (None, Some(secret)) => (secret, "aws_access_key_id"),
        _ => return None,
    };
    let origin = half.origin?;
    let edit = format!("Add the missing {lacks} after line {} of {}.", origin.line, case.path(origin.file));
    Some((lacks, Fix::advice(edit)))
}

/// Reports a section with an invalid header, with its fix first.
fn with_reason(case: &Case<'_>, finding: Finding) -> Finding {
    let ignored = case.profile.as_deref().and_then(|profile| aws_files::ignored_section(case, profile));
    match ignored {
        Some((seen, fix)) => finding.fixes_first([fix]).evidence(seen),
        None => finding,
    }
}

/// A role whose source profile has no key, or half of one: programs choose the role, and then stop at its source.
fn lacks_base(case: &Case<'_>, uses: &ResolvedFrom) -> bool {
    let is_role = uses.is_provider(Provider::Role);
    let without_key = |code| matches!(code, PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic);
    is_role && matches!(&case.plan, Some(Err(error)) if without_key(error.code))
}

/// A role whose credentials are to come from a place that this is not.
fn source_that_is_not_here(case: &Case<'_>, findings: &mut Findings) {
    let Some(Ok(plan)) = &case.plan else { return };
    let Some(first) = plan.steps.first() else { return };
    let set = |names: &[&str]| case.evidence.variables.first(names).is_some();
    let (source, lacks) = match first.source {
        Source::Environment if !set(&["AWS_ACCESS_KEY_ID"]) => {
            ("Environment", "AWS_ACCESS_KEY_ID is not set in this shell")
        }
        Source::Container if !set(&variables::CONTAINER) => {
            ("EcsContainer", "no variable of this shell names a container's credentials")
        }
        _ => return,
    };
    let profile = &plan.profile;
    findings.add(
        Finding::error(
            Cause::CredentialsMissing,
            format!("profile \"{profile}\" needs a source of credentials that this machine does not have"),
        )
        .evidence(format!("its credential_source is {source}, and {lacks}"))
        .fix(Fix::advice(format!(
            "In \"{profile}\", replace credential_source with a source_profile that has credentials."
        ))),
    );
}

/// A part of a key in the variables: some clients stop, others skip it.
fn half_a_key(case: &Case<'_>, choices: &[(Client, ResolvedFrom)]) -> Option<Finding> {
    let key = case.subjects.iter().find(|subject| subject.source == KeySource::Environment)?;
    let is_needed = case.profile.is_none() && !choices.iter().any(|(_, uses)| uses.gives());
    let (there, lacks) = match (key.access_key_id, key.secret_access_key, key.token()) {
        (Some(id), None, _) => (id.name, "AWS_SECRET_ACCESS_KEY is not: signing a request needs both"),
        (None, Some(secret), _) => (secret.name, "AWS_ACCESS_KEY_ID is not: signing a request needs both"),
        (None, None, Some(token)) if is_needed => {
            (token.name, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not: signing a request needs all three")
        }
        _ => return None,
    };
    // Every program ignores a secret or a token without an id.
    let severity = if key.access_key_id.is_some() || is_needed { Severity::Error } else { Severity::Warning };
    let title = format!("{there} is set but {lacks}");
    let near = key_format::near_miss(case, key);
    let near = near.map(|(found, meant)| format!("no SDK reads the name {found}; did you mean {meant}?"));
    let others = if key.token().is_some() { "all three together" } else { "both" };
    let set: Vec<&str> = key.parts().map(|part| part.name).collect();
    Some(
        Finding::new(Cause::CredentialsMissing, severity, title)
            .about(&key.source)
            .evidence(who_uses_what(choices))
            .evidence_of(near)
            .fix(Fix::advice(format!("Export {others}, from the same source.")))
            .fix(Fix::command(format!("Or unset {}.", set.join(" and ")), unset(case, &set))),
    )
}

/// Older names of the variables, which only some clients still read. Whether they are the cause here.
fn older_names(case: &Case<'_>, choices: &[(Client, ResolvedFrom)], findings: &mut Findings) -> bool {
    let variables = &case.evidence.variables;
    let older: Vec<(&str, &str)> =
        [("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"), ("AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY")]
            .into_iter()
            .filter(|(older, present)| variables.get(older).is_some() && variables.get(present).is_none())
            .collect();
    let is_missed = choices.iter().any(|(client, uses)| *client == Client::Botocore && !uses.gives());
    if older.is_empty() || !is_missed || findings.has(Cause::CredentialsMissing) {
        return false;
    }
    let readers = choices.iter().filter(|(_, uses)| *uses == ResolvedFrom::Environment);
    let readers: Vec<&str> = readers.map(|(client, _)| client.label()).collect();
    let names = older.iter().map(|(older, _)| *older).collect::<Vec<_>>().join(" and ");
    let finding = Finding::error(
        Cause::CredentialsMissing,
        format!("only {} programs read {names}, and the others find no credentials here", readers.join(", ")),
    )
    .evidence("the names that every SDK reads are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    let values: Vec<String> = older.iter().map(|(older, _)| format!("\"${older}\"")).collect();
    let exports: Vec<(&str, &str)> =
        older.iter().zip(&values).map(|((_, present), value)| (*present, value.as_str())).collect();
    findings.add(finding.fix(Fix::command("Export the keys under these names too.", export(case, &exports))));
    true
}

/// Whether the profile's credential_process is evercred.
pub(super) fn is_adopted(section: &Section) -> bool {
    section.get("credential_process").is_some_and(|line| helper_profile(&line.text).is_some())
}
