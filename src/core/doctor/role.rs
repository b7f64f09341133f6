//! Roles and MFA: what AWS refused on the way of the profile's plan, and what the settings ask for that AWS never gives.

use super::commands::{self, argument};
use super::probe::StepOutcome;
use super::{Case, Cause, Certainty, Daemon, Finding, Findings, Refusal, Rule, Severity, SourcedValue, server};
use crate::core::access_denied::{self, Because, Denied, Rejected};
use crate::core::aws_error::{self, ErrorClass, OfSigner};
use crate::core::fix::{Fix, evercred, word};
use crate::core::keeper::State;
use crate::core::plan::session_length::{LONGEST_CHAINED, LONGEST_OF_ROLE, LONGEST_OF_USER, SHORTEST};
use crate::core::plan::{AssumeRole, Plan, Source, Step};
use crate::core::printable::printable;

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::AssumeRoleDenied,
        Cause::MfaRequired,
        Cause::MfaCodeRefused,
        Cause::DurationTooLong,
        Cause::AccountNotSignedUp,
        Cause::ProfileBroken,
        Cause::CredentialsExpired,
        Cause::CredentialsMissing,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    if let Some(Ok(plan)) = &case.plan {
        durations(case, plan, findings);
        mfa(case, plan, findings);
    }
    for step in case.answers.chain() {
        match &step.outcome {
            StepOutcome::Refused(refusal) => {
                refused(case, step.kind.as_str(), &step.profile, refusal, findings);
            }
            StepOutcome::Passed { .. } | StepOutcome::NotSignedIn { .. } | StepOutcome::Untried { .. } => {}
        }
    }
    if let Some((profile, error)) =
        case.daemon_profile().and_then(|profile| Some((profile, profile.last_error.as_ref()?)))
        && case.answers.chain().is_empty()
        && let Some(operation) = &error.operation
    {
        let kind = step_type(operation).unwrap_or(&profile.kind);
        refused(case, kind, &profile.name, &Refusal::from(error.clone()), findings);
    }
}

/// The type of the step that an operation belongs to.
fn step_type(operation: &str) -> Option<&'static str> {
    match operation {
        "AssumeRoleWithWebIdentity" => Some("web-identity"),
        "AssumeRole" => Some("assume-role"),
        "GetSessionToken" => Some("session-token"),
        "GetCallerIdentity" => Some("static"),
        _ => None,
    }
}

/// Settings beyond AWS's general limits.
fn durations(case: &Case<'_>, plan: &Plan, findings: &mut Findings) {
    let mut before: Option<&Step> = None;
    for step in &plan.steps {
        let (asked, too_long) = match &step.source {
            Source::AssumeRole(role) => (role.duration_seconds, role_too_long(role, before)),
            Source::WebIdentity(role) => (role.duration_seconds, role_too_long_for_anybody(role.duration_seconds)),
            Source::SessionToken(session) => (
                session.duration_seconds,
                session
                    .duration_seconds
                    .filter(|asked| *asked > LONGEST_OF_USER)
                    .map(|_| (LONGEST_OF_USER, "a user's session lasts at most 36 hours")),
            ),
            _ => (None, None),
        };
        let profile = &step.profile;
        if let (Some(asked), Some((most, why))) = (asked, too_long) {
            findings.add(
                Finding::new(
                    Cause::DurationTooLong,
                    Severity::Error,
                    format!("profile \"{profile}\" requests a session of {asked} s, but AWS allows {most} s at most"),
                )
                .evidence(format!("{} = {asked}; {why}, so AWS refuses the request", place(case, profile)))
                .fix(set_duration("Lower the setting, or remove it.", profile, most)),
            );
        }
        if let Some(asked) = asked.filter(|asked| *asked < SHORTEST) {
            findings.add(too_short(profile).evidence(format!("duration_seconds = {asked}")));
        }
        before = Some(step);
    }
}

/// The duration_seconds of a profile, with its file and line.
fn place(case: &Case<'_>, profile: &str) -> String {
    let section = case.evidence.profiles_of_daemon.profiles.get(profile);
    let value = section.and_then(|section| SourcedValue::setting(section, "duration_seconds"));
    value.map_or_else(|| "duration_seconds".to_owned(), |value| case.place(&value))
}

/// Which is no id of its own: the setting can't be right.
fn too_short(profile: &str) -> Finding {
    Finding::new(
        Cause::ProfileBroken,
        Severity::Error,
        format!("profile \"{profile}\" requests a session that is shorter than AWS allows"),
    )
    .evidence(format!("AWS allows {SHORTEST} s at least, so it refuses the request"))
    .fix(set_duration("Raise the setting, or remove it.", profile, SHORTEST))
}

fn role_too_long(role: &AssumeRole, before: Option<&Step>) -> Option<(u32, &'static str)> {
    // A user's long-term key may request the role's maximum; a role's session that assumes a role is chaining.
    let chained = before.is_some_and(|step| {
        matches!(step.source, Source::AssumeRole(_) | Source::WebIdentity(_) | Source::Sso(_) | Source::SessionToken(_))
    });
    if chained && role.duration_seconds? > LONGEST_CHAINED {
        let why = "a role that is assumed with temporary credentials (role chaining) lasts one hour at most";
        return Some((LONGEST_CHAINED, why));
    }
    role_too_long_for_anybody(role.duration_seconds)
}

fn role_too_long_for_anybody(asked: Option<u32>) -> Option<(u32, &'static str)> {
    (asked? > LONGEST_OF_ROLE).then_some((LONGEST_OF_ROLE, "a role's sessions last at most 12 hours"))
}

/// How an administrator allows the session that a profile requests.
fn longer_sessions(case: &Case<'_>, profile: &str) -> Fix {
    let text = "Or ask an administrator to raise the role's maximum session duration (12 hours at most). This does not help with role chaining: AWS allows one hour there.";
    let step = case.steps().find(|step| step.profile == profile && step.source.duration_seconds().is_some());
    let role =
        step.and_then(|step| Some((role_arn(&step.source)?.rsplit('/').next()?, step.source.duration_seconds()?)));
    match role {
        Some((name, seconds)) => {
            let name = word(name);
            Fix::command(text, format!("aws iam update-role --role-name {name} --max-session-duration {seconds}"))
        }
        None => Fix::advice(text),
    }
}

/// The role of a step.
fn role_arn(source: &Source) -> Option<&str> {
    match source {
        Source::AssumeRole(role) => Some(&role.role_arn),
        Source::WebIdentity(role) => Some(&role.role_arn),
        _ => None,
    }
}

fn set_duration(text: &str, profile: &str, seconds: u32) -> Fix {
    Fix::command(text, commands::set(profile, "duration_seconds", &seconds.to_string()))
}

/// The plan needs an MFA code, and the daemon has no session that was made with one.
fn mfa(case: &Case<'_>, plan: &Plan, findings: &mut Findings) {
    let Some(step) =
        plan.steps.iter().find(|step| step.source.device().is_some() && step.source.code_program().is_none())
    else {
        return;
    };
    let device = printable(step.source.device().unwrap_or_default());
    let profile = &plan.profile;
    let title = format!("profile \"{profile}\" needs a code from the MFA device {device}");
    let finding = Finding::new(Cause::MfaRequired, Severity::Warning, title);
    match (&case.evidence.daemon, case.daemon_profile()) {
        (_, Some(held)) if held.valid == Some(true) && held.state != State::NeedsLogin => {}
        (Daemon::Answers(_), Some(_)) => findings.add(
            Finding { severity: Severity::Error, ..finding }
                .evidence("the daemon has no valid session for this device")
                .fix(Fix::command("Enter a code once: it serves every role that is based on this key and device.", format!("evercred login {}", argument(profile)))),
        ),
        _ => findings.add(
            finding
                .certainty(Certainty::Likely)
                .evidence(format!("mfa_serial of profile \"{}\" names the device, and doctor sends no code", step.profile))
                .fix(commands::with_daemon(
                    case,
                    "Enter a code once for a session that evercred caches: the AWS CLI asks for codes, but most SDKs don't.",
                    &format!("evercred login {}", argument(profile)),
                )),
        ),
    }
}

/// A step was refused: what of it is about roles, codes, durations and accounts.
fn refused(case: &Case<'_>, kind: &str, profile: &str, refusal: &Refusal, findings: &mut Findings) {
    let (code, service) = (refusal.code.as_str(), refusal.operation.service());
    let who = server::speaker(case, service);
    let error = |id: Cause, title: String| Finding::error(id, title).answered_by(case, service);
    let (denied, rejected) = (access_denied::read(&refusal.words), access_denied::rejected(&refusal.words));
    let said = printable(&refusal.to_string());
    match (code, kind) {
        _ if refusal.is_local() && refusal.class != ErrorClass::Retryable => {
            findings.add_all(failed_here(case, kind, profile, refusal))
        }
        // No code was sent, so none was refused.
        _ if denied.because == Because::WrongCode && case.steps().all(|step| step.source.device().is_none()) => {
            findings.add(without_device(profile).answered_by(case, service).evidence(said));
        }
        _ if denied.because == Because::WrongCode => findings.add(
            error(Cause::MfaCodeRefused, format!("{who} refused the code of the MFA device"))
                .evidence(said)
                .evidence("a code works once, for about 30 s: it was mistyped, used already, or is from another device")
                .fix(Fix::command(
                    "Enter the next code that the device shows.",
                    format!("evercred login {}", argument(profile)),
                )),
        ),
        ("AccessDenied" | "AccessDeniedException", "assume-role" | "web-identity") => {
            findings.add(role_denied(case, kind, profile, &denied, refusal));
        }
        ("ValidationError" | "ValidationException", _) if rejected == Rejected::ShortSession => {
            findings.add(too_short(profile).answered_by(case, service).evidence(said));
        }
        // The settings already show it.
        _ if rejected == Rejected::LongSession && findings.has(Cause::DurationTooLong) => {
            let found = findings.found.iter_mut().find(|finding| finding.id == Cause::DurationTooLong);
            found.into_iter().for_each(|finding| finding.evidence.push(said.clone()));
        }
        ("ValidationError" | "ValidationException", _) if rejected == Rejected::LongSession => {
            findings.add(
                error(
                    Cause::DurationTooLong,
                    format!("profile \"{profile}\" requests a longer session than the role allows"),
                )
                .evidence(said)
                .fix(set_duration("Lower the setting, or remove it.", profile, LONGEST_CHAINED))
                .fixes_at_aws([longer_sessions(case, profile)]),
            );
        }
        // `token_file` checks the file itself.
        (_, "web-identity") if aws_error::of_signer(code) == OfSigner::Expired => findings.add(
            error(Cause::CredentialsExpired, format!("the web identity token of profile \"{profile}\" has expired"))
                .evidence(said)
                .fix(Fix::advice("Run the program that writes the token file (web_identity_token_file) again.")),
        ),
        ("InvalidIdentityToken" | "IDPRejectedClaim", "web-identity") => {
            findings.add(identity_provider(&who, profile, rejected).answered_by(case, service).evidence(said));
        }
        _ if refusal.is_usual_for(Cause::AccountNotSignedUp) => {
            findings.add(not_signed_up().answered_by(case, service).evidence(said));
        }
        // `region` reports it.
        ("RegionDisabledException", _) => {}
        (_, "assume-role" | "web-identity" | "session-token") if refusal.why_undecided().is_none() => {
            let finding = refused_otherwise(&who, kind, profile, refusal).answered_by(case, service);
            findings.add(case.cached().into_iter().fold(finding, Finding::evidence));
        }
        _ => {}
    }
}

/// A step that failed on this machine, before a request to AWS. `token_file` reports an unusable token.
fn failed_here(case: &Case<'_>, kind: &str, profile: &str, refusal: &Refusal) -> Option<Finding> {
    let (id, title) = match kind {
        "web-identity" | "sso" | "login" => return None,
        "process" => (
            Cause::CredentialsMissing,
            format!("the credential_process of profile \"{}\" returned no credentials", printable(profile)),
        ),
        _ => (
            Cause::CredentialsMissing,
            format!("the step {kind} of profile \"{}\" failed on this machine", printable(profile)),
        ),
    };
    let fix = match kind {
        "process" => commands::correct_program(case, profile, "Run it in a terminal, and follow its instructions."),
        _ => Fix::advice(printable(refusal.fix.as_deref().unwrap_or("Correct the setting that the message names."))),
    };
    Some(Finding::new(id, Severity::Error, title).evidence(printable(&refusal.to_string())).fix(fix))
}

/// The account of the credentials can't use the service.
pub(super) fn not_signed_up() -> Finding {
    Finding::error(Cause::AccountNotSignedUp, "the account is not signed up for the service").fix(Fix::advice(
        "Ask the account's owner to finish signing up (payment method and phone number); activation takes up to a day.",
    ))
}

/// AWS asks for an MFA code, and no setting names the device.
fn without_device(profile: &str) -> Finding {
    let title = format!("profile \"{profile}\" needs an MFA code, and no setting names the MFA device");
    Finding::error(Cause::MfaRequired, title).fix(Fix::advice(format!(
        "Set mfa_serial in profile \"{profile}\" to the ARN of your MFA device, which IAM shows in your security credentials."
    )))
}

/// A web identity token that AWS does not accept.
fn identity_provider(who: &str, profile: &str, rejected: Rejected) -> Finding {
    let (what, fix) = match rejected {
        Rejected::Issuer => (
            format!("the role's account has no IAM identity provider for the issuer of profile \"{profile}\"'s token"),
            "Ask an administrator of the role's account to create an IAM OIDC identity provider whose URL is the token's iss.",
        ),
        Rejected::Audience => (
            format!(
                "the identity provider of the role's account does not know the audience of profile \"{profile}\"'s token"
            ),
            "Have the token issued for an audience (aud) that the IAM identity provider lists, or ask an administrator to add it there.",
        ),
        _ => (
            format!("{who} does not accept the web identity token of profile \"{profile}\""),
            "Ask an administrator of the role's account to check the IAM identity provider: its URL and audience must match the token's iss and aud.",
        ),
    };
    Finding::new(Cause::AssumeRoleDenied, Severity::Error, what).fix(Fix::advice(fix))
}

/// Other refusals: an invalid value, or unknown credentials of the previous step.
fn refused_otherwise(who: &str, kind: &str, profile: &str, refusal: &Refusal) -> Finding {
    let operation = match kind {
        "web-identity" => "AssumeRoleWithWebIdentity",
        "session-token" => "GetSessionToken",
        _ => "AssumeRole",
    };
    let fix = refusal.fix.clone().unwrap_or_else(|| "correct the setting that the message names".to_owned());
    Finding::new(
        Cause::AssumeRoleDenied,
        Severity::Error,
        format!("{who} refuses {operation} for profile \"{}\": {}", printable(profile), printable(&refusal.code)),
    )
    .evidence(printable(&refusal.to_string()))
    .fix(Fix::advice(printable(&fix)))
    .fix(Fix::see("See the plan.", evercred("plan", profile)))
}

/// AWS does not say which of trust policy, external id, MFA, the caller's own policies or the organisation's it was, nor
/// whether there is such a role; where its text does say more, that comes first.
fn role_denied(case: &Case<'_>, kind: &str, profile: &str, denied: &Denied, refusal: &Refusal) -> Finding {
    let service = refusal.operation.service();
    let speaker = server::speaker(case, service);
    let step = case.plan.as_ref().and_then(|plan| {
        plan.as_ref().ok()?.steps.iter().rev().find(|step| step.profile == profile && step.source.service().is_some())
    });
    let role_arn = step.and_then(|step| role_arn(&step.source));
    let role = printable(denied.resource.as_deref().or(role_arn).unwrap_or("the role"));
    let who = printable(denied.principal.as_deref().unwrap_or("the caller"));
    let mut finding = Finding::new(
        Cause::AssumeRoleDenied,
        Severity::Error,
        format!("{speaker} does not let {who} assume {role} (profile \"{profile}\")"),
    )
    .answered_by(case, service)
    .evidence(printable(&refusal.to_string()));
    let ask = |what: &str| Fix::advice(format!("Ask an administrator {what}"));
    match denied.because {
        Because::Forbidden(policy) => {
            finding = finding
                .evidence(format!("{speaker} says that {} denies it: no other policy can allow it", policy.label()))
                .fix(ask(&format!("to change the policy that denies sts:AssumeRole on {role} for {who}.")));
        }
        Because::NothingAllows(policy) => {
            finding = finding
                .evidence(format!("{speaker} says that {}", policy.does_not_allow()))
                .fix(ask(&format!("to allow sts:AssumeRole on {role} in {}.", policy.label())));
        }
        Because::Root => {
            finding = finding
                .evidence("the key is that of the account's root user, which can't assume roles")
                .fix(Fix::advice("Use the key of an IAM user, or IAM Identity Center, as source_profile."));
        }
        _ => {
            finding = finding
                .evidence(
                    format!("{speaker} does not say why. Possible reasons: the role does not exist or is misspelt; its trust policy does not name this caller, or requires an external id or MFA; the caller's policies, a permissions boundary, a session policy or the organisation don't allow it"),
                )
                .fix(ask(&format!(
                    "of the role's account whether {role} exists and whether its trust policy names {who}, and with which \
                     conditions (sts:ExternalId, aws:MultiFactorAuthPresent)."
                )))
                .fix(ask(&format!("of the caller's account whether {who} may call sts:AssumeRole on {role}.")));
        }
    }
    let given = match step.map(|step| &step.source) {
        Some(Source::AssumeRole(role)) => Some(given(role)),
        _ => None,
    };
    if let Some(given) = given.filter(|_| kind == "assume-role") {
        finding = finding.evidence(given);
    }
    finding = case.cached().into_iter().fold(finding, Finding::evidence);
    if kind == "web-identity" {
        finding = finding.evidence(
            "requested with a web identity token: the trust policy must name its issuer, audience and subject",
        );
    }
    finding
}

/// The parts of the request that trust policies may require.
fn given(role: &AssumeRole) -> String {
    let external =
        if role.external_id.is_some() { "with an external id" } else { "without an external id (external_id)" };
    let mfa = if role.mfa_serial.is_some() { "with the code of an MFA device" } else { "without MFA (mfa_serial)" };
    format!("requested {external} and {mfa}")
}
