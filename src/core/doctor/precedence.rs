//! What stands in front of the credentials that are meant, what is never used, and what can't be renewed where it is.

use super::client_resolution::is_adopted;
use super::commands;
use super::{Answer, Case, Cause, Finding, Findings, KeySource, Rule, Severity};
use crate::core::aws_error::is_unreached_code;
use crate::core::fix::{Fix, word};
use crate::core::plan::Source;
use crate::core::printable::printable;
use crate::core::profile::{Section, SourceFile};

const KEYS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
];

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

/// A profile that somebody named, with how: the argument, or the variable.
fn named(case: &Case<'_>) -> Option<&'static str> {
    let variables = &case.evidence.variables;
    match (&case.evidence.named, variables.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])) {
        (Some(_), _) => Some("you named it"),
        (None, Some((name, _))) => {
            Some(if name == "AWS_PROFILE" { "AWS_PROFILE names it" } else { "AWS_DEFAULT_PROFILE names it" })
        }
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
        Some(Answer::Refused(refusal)) if !is_unreached_code(&refusal.code) => Some(refusal.said()),
        _ => None,
    };
    let mut of_environment = case.subjects.iter().filter(|subject| subject.whose == KeySource::Environment);
    let are_useless = refused.is_some() || of_environment.any(|subject| super::expiry::found(case, subject).is_some());
    let severity = match (named(case), are_useless) {
        (_, true) => Severity::Error,
        (Some(_), false) => Severity::Warning,
        (None, false) => Severity::Info,
    };
    let set: Vec<&str> = KEYS.into_iter().filter(|name| variables.get(name).is_some()).collect();
    let mut finding = Finding::new(
        Cause::EnvironmentShadowsProfile,
        severity,
        format!("the keys in the variables are used, and not profile \"{profile}\""),
    )
    .evidence(format!("{} are set in this shell", set.join(", ")));
    finding = match named(case) {
        Some(how) => finding
            .evidence(format!(
                "profile \"{profile}\" is meant ({how}); boto3, the AWS CLI, Go, Java and Rust programs use the keys all the same, \
                 JavaScript uses the profile"
            ))
            .evidence("the AWS CLI's option --profile does come before the variables"),
        None => finding.evidence(format!("the keys come before profile \"{profile}\" in every program")),
    };
    if let Some(refused) = refused {
        finding = finding.evidence(format!("and AWS refuses the keys: {refused}"));
    }
    // The role is assumed with these very keys: without them there is nothing to assume it with.
    let first = case.plan.iter().flatten().find_map(|plan| plan.steps.first());
    if first.is_some_and(|step| matches!(step.source, Source::Environment)) {
        let advice = "Name the profile to the program (--profile of the AWS CLI, profile_name of boto3), or give it a source_profile.";
        return findings.add(finding.fix(Fix::advice(advice)));
    }
    findings.add(finding.fix(unset(case, &set)));
}

fn unset(case: &Case<'_>, names: &[&str]) -> Fix {
    Fix::command(
        "Take them out of this shell, and out of the file that sets them (a start-up file, .env, an editor's settings).",
        commands::unset(case, names),
    )
}

/// (t) boto3, Go and Java take the variables of a web identity before anything of the profile but a role with its source.
fn web_identity_in_the_variables(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let set: Vec<&str> = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"]
        .into_iter()
        .filter(|name| variables.get(name).is_some())
        .collect();
    let (Some(profile), Some(how)) = (&case.profile, named(case)) else { return };
    if variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_none() || findings.has(Cause::EnvironmentShadowsProfile) {
        return;
    }
    findings.add(
        Finding::new(
            Cause::EnvironmentShadowsProfile,
            Severity::Warning,
            format!("a web identity in the variables is used by most programs, and not profile \"{profile}\""),
        )
        .evidence(format!("{} are set in this shell", set.join(", ")))
        .evidence(format!(
            "profile \"{profile}\" is meant ({how}); boto3, the AWS CLI, Go and Java take the web identity first"
        ))
        .fix(unset(case, &set)),
    );
}

/// Keys in a profile that has another way too: which of both counts depends on the program.
fn ignored_keys(case: &Case<'_>, section: &Section, findings: &mut Findings) {
    let has = |key: &str| section.get(key).is_some();
    // Beside our own line they are a matter of the adoption.
    let Some(id) = section.get("aws_access_key_id").filter(|_| has("aws_secret_access_key") && !is_adopted(section))
    else {
        return;
    };
    // A profile that names itself as its source means its own keys.
    if section.get("source_profile").is_some_and(|source| source.text == section.name) {
        return;
    }
    let in_credentials_file = id.origin.file == SourceFile::Credentials;
    let (beside, who) = if has("role_arn") && (has("source_profile") || has("credential_source")) {
        ("role_arn", "every program assumes the role, and uses the keys for nothing")
    } else if has("role_arn") && has("web_identity_token_file") {
        (
            "web_identity_token_file",
            "boto3, the AWS CLI, Java and Rust use the web identity; JavaScript and Go the keys",
        )
    } else if ["sso_account_id", "sso_role_name", "sso_start_url"].into_iter().any(has) {
        ("the SSO settings", "boto3, the AWS CLI, Java and Rust use SSO; JavaScript and Go the keys")
    } else if has("credential_process") && in_credentials_file {
        ("credential_process", "Java and Rust run the process; boto3, the AWS CLI, JavaScript and Go use the keys")
    } else if has("credential_process") {
        ("credential_process", "boto3, the AWS CLI, Java and Rust run the process; JavaScript and Go use the keys")
    } else {
        return;
    };
    let name = &section.name;
    findings.add(
        Finding::new(
            Cause::StaticKeysIgnored,
            Severity::Warning,
            format!("keys stand beside {beside} in profile \"{name}\", and are not what every program uses"),
        )
        .evidence(format!("aws_access_key_id stands at {}", case.at(id.origin)))
        .evidence(who)
        .fix(Fix::advice(format!(
            "Keep one way: delete the keys of [{name}] in {}, or move them to a profile of their own.",
            case.path(id.origin.file)
        ))),
    );
}

/// SDKs read variables and the credentials file once, when a program starts.
fn cannot_reload(case: &Case<'_>, findings: &mut Findings) {
    for subject in case.subjects.iter().filter(|subject| subject.is_temporary() && subject.secret_access_key.is_some())
    {
        let called = subject.called();
        let title = match &subject.whose {
            KeySource::Environment => {
                "temporary keys stand in the variables: programs started here keep them until they end".to_owned()
            }
            KeySource::Profile(_) => {
                format!("temporary keys stand in {called}: programs that run don't read the file again")
            }
        };
        findings.add(
            Finding::new(Cause::ConsumerCannotReload, Severity::Info, title)
                .evidence("SDKs read keys in variables and in the credentials file once; a program that runs longer than the keys is refused then")
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
                "Give such programs a profile that asks evercred: every SDK asks again before the keys end.",
                commands::set(&format!("{profile}-fresh"), "credential_process", &line),
            )
        }
        _ => Fix::advice(
            "Describe in the config file how the keys are got (role_arn and source_profile, sso_session): programs that use such a \
             profile through evercred are given new ones before they end.",
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
        Finding::new(
            Cause::ToolCachedCredentials,
            Severity::Warning,
            format!("Terraform keeps keys of its own for the {} backend of this folder", printable(&backend.kind)),
        )
        .evidence(format!(
            "{} stand in {path}: they come before everything else, and stay when other keys change",
            keys.join(", ")
        ))
        .fix(Fix::command(
            "Take the keys out of the backend block and of -backend-config, and have Terraform write it anew.",
            "terraform init -reconfigure",
        ))
        .fix(Fix::advice("The file holds the secret in plain text: make a new key, if others may have read it.")),
    );
}
