//! Credentials that take precedence over the profile, credentials that are never used, and those that programs can't renew.

use super::client_resolution::{choices, deciding_settings, is_adopted, of_section, of_section_with, who_is_who};
use super::commands;
use super::key_format::mistakes;
use super::{Answer, Case, Cause, Finding, Findings, KeySet, KeySource, ResolvedFrom, Rule, Severity, verdict};
use crate::core::aws_error::is_unreached_code;
use crate::core::aws_file::KEY_SETTINGS;
use crate::core::fix::{Fix, word};
use crate::core::plan::Source;
use crate::core::printable::printable;
use crate::core::profile::Section;
use crate::core::variables;

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::EnvironmentShadowsProfile,
        Cause::StaticKeysIgnored,
        Cause::ConsumerCannotReload,
        Cause::ToolCachedCredentials,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    keys_in_the_variables(case, findings);
    web_identity_in_the_variables(case, findings);
    if let Some(section) = case.section() {
        ignored_keys(case, section, findings);
    }
    cannot_reload(case, findings);
    terraform(case, findings);
}

/// A profile that was named, and how: by the argument or by the variable.
fn named(case: &Case<'_>) -> Option<&'static str> {
    let variables = &case.evidence.variables;
    match (&case.evidence.named, variables.first(&variables::PROFILE)) {
        (Some(_), _) => Some("you named it"),
        (None, Some(("AWS_PROFILE", _))) => Some("AWS_PROFILE names it"),
        (None, Some(_)) => Some("AWS_DEFAULT_PROFILE names it"),
        (None, None) => None,
    }
}

fn keys_in_the_variables(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let (Some(profile), Some(_)) = (&case.profile, variables.get("AWS_ACCESS_KEY_ID")) else { return };
    if variables.get("AWS_SECRET_ACCESS_KEY").is_none() || case.variables_are_the_profiles() {
        return;
    }
    // A profile without a way to credentials has nothing that could be hidden.
    if named(case).is_none() && !matches!(case.plan, Some(Ok(_))) {
        return;
    }
    let refused = match case.answers.unmodified(&KeySource::Environment) {
        Some(Answer::Refused(refusal)) if !is_unreached_code(&refusal.code) => Some(refusal.aws_text()),
        _ => None,
    };
    let mut of_environment = case.subjects.iter().filter(|subject| subject.source == KeySource::Environment);
    let are_useless = refused.is_some() || of_environment.any(|subject| super::expiry::found(case, subject).is_some());
    let severity = match (named(case), are_useless) {
        (_, true) => Severity::Error,
        (Some(_), false) => Severity::Warning,
        (None, false) => Severity::Info,
    };
    let set = variables.set_of(&variables::KEYS);
    let choices = choices(case);
    let is_used_by_all = choices.iter().all(|(_, from)| *from == ResolvedFrom::Environment);
    let who = if is_used_by_all { "programs" } else { "some programs" };
    let owner = verdict::owner(case, &ResolvedFrom::Environment).map(|owner| format!(" ({owner})"));
    let mut finding = Finding::new(
        Cause::EnvironmentShadowsProfile,
        severity,
        format!(
            "{who} use the keys in the environment variables{}, not profile \"{profile}\"",
            owner.unwrap_or_default()
        ),
    )
    .evidence(format!("{} are set in this shell", set.join(", ")));
    finding = match named(case) {
        Some(how) => finding
            .evidence(format!("profile \"{profile}\" is selected ({how}); {}", who_is_who(case, &choices)))
            .evidence("the AWS CLI's option --profile takes precedence over the variables"),
        None => finding.evidence(who_is_who(case, &choices)),
    };
    if let Some(refused) = refused {
        finding = finding.evidence(format!("and AWS refuses the keys: {refused}"));
    }
    // The role is assumed with these very keys: without them there is nothing to assume it with.
    let first = case.plan.iter().flatten().find_map(|plan| plan.steps.first());
    if first.is_some_and(|step| matches!(step.source, Source::Environment)) {
        let advice = "Pass the profile to the program (--profile of the AWS CLI, profile_name of boto3), or give it a source_profile.";
        return findings.add(finding.fix(Fix::advice(advice)));
    }
    findings.add(finding.fix(unset(case, &set)));
}

fn unset(case: &Case<'_>, names: &[&str]) -> Fix {
    Fix::command(
        "Remove them from this shell, and from the file that sets them (a start-up file, .env, an editor's settings).",
        commands::unset(case, names),
    )
}

/// Some clients use the web identity of the variables before the profile.
fn web_identity_in_the_variables(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let set = variables.set_of(&variables::WEB_IDENTITY);
    let Some(profile) = &case.profile else { return };
    let choices = choices(case);
    let is_web_identity = |(_, from): &(_, ResolvedFrom)| *from == ResolvedFrom::WebIdentity;
    if !choices.iter().any(is_web_identity) || findings.has(Cause::EnvironmentShadowsProfile) {
        return;
    }
    let who = if choices.iter().all(is_web_identity) { "programs" } else { "some programs" };
    let role = verdict::owner(case, &ResolvedFrom::WebIdentity).unwrap_or_default();
    // A profile without a way to credentials has nothing that could be hidden.
    let (severity, seen) = match named(case) {
        Some(how) => {
            (Severity::Warning, format!("profile \"{profile}\" is selected ({how}); {}", who_is_who(case, &choices)))
        }
        None if matches!(case.plan, Some(Ok(_))) => (Severity::Info, who_is_who(case, &choices)),
        None => return,
    };
    let title = format!("{who} use the web identity in the environment variables ({role}), not profile \"{profile}\"");
    findings.add(
        Finding::new(Cause::EnvironmentShadowsProfile, severity, title)
            .evidence(format!("{} are set in this shell", set.join(", ")))
            .evidence(seen)
            .fix(unset(case, &set)),
    );
}

/// Static keys of a profile that some client would use if the profile had no other settings, and does not use now.
fn ignored_keys(case: &Case<'_>, section: &Section, findings: &mut Findings) {
    let has_secret = section.get("aws_secret_access_key").is_some();
    // In a profile that gets its credentials from evercred, `adoption` reports them.
    let Some(id) = section.get("aws_access_key_id").filter(|_| has_secret && !is_adopted(section)) else { return };
    let profiles = &case.evidence.profiles;
    let resolved = of_section(section, profiles);
    let of_keys_alone = of_section_with(section, profiles, |name| KEY_SETTINGS.contains(&name));
    let is_ignored =
        |((_, from), (_, alone)): (&(_, ResolvedFrom), &(_, ResolvedFrom))| alone.uses_keys() && !from.uses_keys();
    if !resolved.iter().zip(&of_keys_alone).any(is_ignored) {
        return;
    }
    let name = &section.name;
    let is_other = |name: &str| !KEY_SETTINGS.contains(&name);
    let others = deciding_settings(section, profiles).into_iter().filter(|(name, _)| is_other(name));
    let others: Vec<String> = others.map(|(name, value)| format!("{name} ({})", case.at(value.origin))).collect();
    let mut finding = Finding::warning(
        Cause::StaticKeysIgnored,
        format!("some programs don't use the static keys of profile \"{name}\""),
    )
    .evidence(format!("aws_access_key_id is at {}", case.at(id.origin)))
    .evidence(who_is_who(case, &resolved));
    if !others.is_empty() {
        finding = finding.evidence(format!("other settings take precedence: {}", others.join(", ")));
    }
    findings.add(finding.fix(Fix::advice(format!(
        "Keep one source of credentials: delete the keys of [{name}] in {}, or move them to another profile.",
        case.path(id.origin.file)
    ))));
}

/// SDKs read variables and the credentials file once, when a program starts.
fn cannot_reload(case: &Case<'_>, findings: &mut Findings) {
    // A placeholder is no key.
    let has_id = |subject: &KeySet<'_>| mistakes(subject).iter().all(|(cause, ..)| *cause != Cause::AccessKeyMalformed);
    let is_temporary =
        |subject: &&KeySet<'_>| subject.is_temporary() && subject.secret_access_key.is_some() && has_id(subject);
    for subject in case.subjects.iter().filter(is_temporary) {
        let label = subject.label();
        let title = match &subject.source {
            KeySource::Environment => {
                "the variables have temporary keys: programs started here use them even after they expire".to_owned()
            }
            // SDKs run a program again before its keys expire.
            KeySource::Process(_) => continue,
            KeySource::Profile(_) => {
                format!("{label} has temporary keys: running programs don't read the file again")
            }
        };
        findings.add(
            Finding::info(Cause::ConsumerCannotReload, title)
                .evidence("SDKs read keys from variables and the credentials file once; AWS refuses a program that still uses them after they expire")
                .fix(renewable(case)),
        );
    }
}

/// Programs that ask a helper are given new keys while they run.
fn renewable(case: &Case<'_>) -> Fix {
    match &case.plan {
        Some(Ok(plan)) if !plan.is_keys_alone() => {
            let (evercred, profile) = (&case.evidence.evercred, &plan.profile);
            let line = format!("{} credential-process {}", word(evercred), commands::argument(profile));
            Fix::command(
                "Use a profile that asks evercred for such programs: every SDK asks again before the keys expire.",
                commands::set(&format!("{profile}-fresh"), "credential_process", &line),
            )
        }
        _ => Fix::advice(
            "Configure the source of the keys in the config file (role_arn and source_profile, sso_session): evercred then gives programs new keys before the old ones expire.",
        ),
    }
}

/// Terraform writes the backend's settings down at `terraform init`, keys included, and uses those (Terraform documentation, "S3
/// backend", "Credentials and shared configuration").
fn terraform(case: &Case<'_>, findings: &mut Findings) {
    let Some(backend) = &case.evidence.terraform else { return };
    let keys: Vec<&str> = backend.settings.iter().map(String::as_str).filter(|name| *name != "profile").collect();
    if keys.is_empty() {
        return;
    }
    let path = printable(&backend.path);
    findings.add(
        Finding::warning(
            Cause::ToolCachedCredentials,
            format!(
                "Terraform has its own copy of keys for the {} backend of this directory",
                printable(&backend.kind)
            ),
        )
        .evidence(format!(
            "{} are in {path}: they take precedence over all other keys, and don't change with them",
            keys.join(", ")
        ))
        .fix(Fix::command(
            "Remove the keys from the backend block and from -backend-config, and let Terraform write the file again.",
            "terraform init -reconfigure",
        ))
        .fix(Fix::advice("The file has the secret in plain text: create a new key if other users may have read it.")),
    );
}
