//! Temporary credentials that have expired, by their stated expiry and by AWS's answer.

use chrono::TimeDelta;

use super::commands::{argument, correct_program, option, unset};
use super::probe::{StepAnswer, StepOutcome};
use super::{Answer, Case, Cause, Certainty, Finding, Findings, KeySet, KeySource, Rule, Severity, server};
use crate::core::aws_error::{self, CalledService, OfSigner};
use crate::core::fix::{Fix, word};
use crate::core::plan::StatedExpiry;
use crate::core::printable::printable;
use crate::core::stated_expiry::{SETTINGS, stated_expiry, utc_time};
use crate::core::time::AwsTime;
use crate::core::variables;

pub(super) const RULE: Rule = Rule { decides: &[Cause::CredentialsExpired, Cause::SessionRevoked], look };
/// Why a stated expiry is not evidence.
pub(super) const UNSURE: &str = "the clock skew of this machine is not known well enough to decide";

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    findings.add_all(case.subjects.iter().filter_map(|subject| found(case, subject)));
    findings.add_all(case.answers.chain().iter().find_map(|step| expired_when_returned(case, step)));
}

/// Credentials of a step whose expiry was past when the server returned them.
fn expired_when_returned(case: &Case<'_>, step: &StepAnswer) -> Option<Finding> {
    let service = match step.kind.as_str() {
        "assume-role" | "web-identity" | "session-token" => CalledService::Sts,
        "sso" => CalledService::Portal,
        _ => return None,
    };
    let StepOutcome::Passed { expires_at: Some(at), .. } = &step.outcome else { return None };
    let (at, (now, uncertainty)) = (utc_time(at)?, case.aws_time());
    let (who, past) = (server::speaker(case, service), now - at);
    if past <= TimeDelta::zero() {
        return None;
    }
    let is_certain = past > uncertainty;
    let title = format!("{who} returned credentials for profile \"{}\" that had already expired", step.profile);
    let finding =
        Finding::error(Cause::CredentialsExpired, printable(&title))
            .certainty(if is_certain { Certainty::Confirmed } else { Certainty::Possible })
            .answered_by(case, service)
            .evidence(format!("their expiry is {at}, and the time is {now}: programs and evercred don't use them"))
            .evidence_of((!is_certain).then_some(UNSURE))
            .fixes(server::other_server(case, service).map(|_| {
                Fix::advice("Correct the clock of the server that returned them, or the expiry that it sets.")
            }));
    Some(finding.fix(Fix::see("See whether this machine's clock is wrong.", "evercred clock")))
}

/// The finding about a set of keys that has expired.
pub(super) fn found(case: &Case<'_>, subject: &KeySet<'_>) -> Option<Finding> {
    // The SDKs don't use a document with an Expiration in the past, whatever its keys are.
    if subject.program().is_some()
        && let Some((at, place)) = stated(case, subject)
        && let Some(finding) = by_statement(case, subject, at, &place)
    {
        return Some(finding);
    }
    if !subject.is_temporary() {
        return None;
    }
    match case.answers.unmodified(&subject.source) {
        // AWS's answer outranks the stated expiry.
        Some(Answer::Accepted { .. }) => None,
        Some(Answer::Refused(refusal)) if aws_error::of_signer(&refusal.code) == OfSigner::Expired => {
            Some(refused_as_expired(case, subject, refusal.aws_text(), stated(case, subject)))
        }
        _ => {
            let (at, place) = stated(case, subject)?;
            by_statement(case, subject, at, &place)
        }
    }
}

/// AWS says that they have expired. If the stated expiry is later, the session was ended early, or the expiry belongs to
/// other keys.
fn refused_as_expired(
    case: &Case<'_>,
    subject: &KeySet<'_>,
    said: String,
    stated: Option<(AwsTime, String)>,
) -> Finding {
    let (now, uncertainty) = case.aws_time();
    let (label, who) = (subject.label(), server::speaker(case, CalledService::Sts));
    match stated {
        Some((at, place)) if at - now > TimeDelta::seconds(60) + uncertainty => {
            Finding::error(Cause::SessionRevoked, format!("the session in {label} ended before its stated expiry"))
                .certainty(Certainty::Likely)
                .answered_by(case, CalledService::Sts)
                .evidence(format!("{who} answers {said}"))
                .evidence(format!("{place} gives the expiry {at}, which may belong to other keys"))
                .fixes(renewal(case, subject))
        }
        stated => {
            let mut finding =
                Finding::error(Cause::CredentialsExpired, format!("the temporary credentials in {label} have expired"))
                    .about(&subject.source)
                    .answered_by(case, CalledService::Sts)
                    .evidence(format!("{who} answers {said}"));
            if let Some((at, place)) = stated {
                finding = finding.evidence(format!("according to {place}, they expired at {at}"));
            }
            finding.fixes(renewal(case, subject))
        }
    }
}

/// Judges keys by their stated expiry alone.
fn by_statement(case: &Case<'_>, subject: &KeySet<'_>, at: AwsTime, place: &str) -> Option<Finding> {
    let (now, uncertainty) = case.aws_time();
    let past = now - at;
    if past <= TimeDelta::zero() {
        return None;
    }
    let (severity, certainty) = if past > uncertainty {
        (Severity::Error, Certainty::Confirmed)
    } else {
        (Severity::Warning, Certainty::Possible)
    };
    let title = format!("the temporary credentials in {} have expired", subject.label());
    let mut finding = Finding::new(Cause::CredentialsExpired, severity, title)
        .about(&subject.source)
        .certainty(certainty)
        .evidence(format!("according to {place}, they expired at {at}"));
    if certainty == Certainty::Possible {
        finding = finding.evidence(UNSURE);
    }
    Some(finding.fixes(renewal(case, subject)))
}

/// The stated expiry of the credentials, and its place. Of two readings of a time without a zone the
/// later one counts.
pub(super) fn stated(case: &Case<'_>, subject: &KeySet<'_>) -> Option<(AwsTime, String)> {
    match &subject.source {
        KeySource::Environment => {
            let (name, text) =
                case.evidence.variables.first(&["AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION"])?;
            Some((utc_time(text)?, name.to_owned()))
        }
        KeySource::Profile(name) => {
            let section = case.evidence.profiles.profiles.get(name)?;
            let at = match stated_expiry(section, case.evidence.context.local_offset) {
                StatedExpiry::Unstated => return None,
                StatedExpiry::At(at) | StatedExpiry::Either { later: at, .. } => at,
            };
            let (setting, value) = SETTINGS.iter().find_map(|key| Some((key, section.get(key)?)))?;
            Some((at, format!("{setting} ({})", case.at(value.origin))))
        }
        KeySource::Process(profile) => {
            let is_of_program = |step: &&StepAnswer| step.printed.is_some() && step.profile == *profile;
            match &case.answers.chain().iter().find(is_of_program)?.outcome {
                StepOutcome::Passed { expires_at: Some(at), .. } => Some((utc_time(at)?, "Expiration".to_owned())),
                _ => None,
            }
        }
    }
}

/// The fixes: new credentials from the tool that wrote these, if its traces are known.
fn renewal(case: &Case<'_>, subject: &KeySet<'_>) -> Vec<Fix> {
    let mut fixes = Vec::new();
    match &subject.source {
        KeySource::Process(profile) => {
            let what = "Run it in a terminal: it may need a sign-in, or a newer key from its source.";
            fixes.push(correct_program(case, profile, what));
        }
        KeySource::Environment => {
            let variables = &case.evidence.variables;
            let profile = case.profile.as_deref();
            let starts = |prefix: &str| variables.iter().any(|(name, _)| name.starts_with(prefix));
            let exported = variables.get("EVERCRED_PROFILE");
            let exists = |profile: &&str| case.evidence.profiles_of_daemon.profiles.contains_key(*profile);
            if let Some(profile) = exported.filter(exists) {
                fixes.push(Fix::command(
                    "evercred exported them: export its current credentials.",
                    format!("eval \"$(evercred env {} --static)\"", argument(profile)),
                ));
            } else if let Some(vault) = variables.get("AWS_VAULT") {
                fixes.push(Fix::command(
                    "aws-vault exported them: leave that shell (exit), and start it again.",
                    format!("aws-vault exec {}", word(vault)),
                ));
            } else if starts("AWSUME_") {
                let profile = variables.get("AWSUME_PROFILE").or(profile);
                let command = profile.map(|profile| format!("awsume {}", word(profile)));
                fixes.push(match command {
                    Some(command) => Fix::command("awsume exported them: run it again.", command),
                    None => Fix::advice("awsume exported them: run it again."),
                });
            } else if starts("GRANTED_") {
                fixes.push(Fix::command("Granted exported them: assume the role again.", "assume"));
            } else {
                fixes.push(Fix::advice("Get new credentials from the same source, and export all three values again."));
            }
            fixes.push(Fix::command(
                "Or remove them from this shell, so that programs use a profile, which evercred can renew.",
                unset(case, &variables.set_of(&variables::KEYS)),
            ));
        }
        KeySource::Profile(name) => {
            let section = case.evidence.profiles.profiles.get(name);
            let has = |key: &str| section.is_some_and(|section| section.get(key).is_some());
            if has("x_principal_arn") || has("x_security_token_expires") {
                fixes.push(Fix::command(
                    "saml2aws writes such a section: sign in with it again.",
                    format!("saml2aws login {}", option(name)),
                ));
            } else if has("assumed_role") || has("assumed_role_arn") {
                fixes.push(Fix::command(
                    "aws-mfa writes such a section: run it again.",
                    format!("aws-mfa {}", option(name.trim_end_matches("-mfa"))),
                ));
            } else {
                fixes.push(Fix::advice(format!(
                    "Get new credentials with the tool that wrote [{name}] into {}.",
                    subject.file(case)
                )));
            }
            fixes.push(Fix::advice(
                "Or configure their source in the config file (role_arn and source_profile, sso_session, credential_process): evercred then renews them before they expire.",
            ));
        }
    }
    fixes
}
