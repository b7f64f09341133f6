//! Sign-in sessions of IAM Identity Center and of `aws login`: `sso-login-needed`, `sso-role-denied`, `session-revoked`.
//!
//! The facts come from doctor's test of the chain, and from the daemon's last errors.

#[cfg(test)]
mod tests;

use super::case::OFFLINE;
use super::commands::{argument, option, with_daemon};
use super::probe::{StepAnswer, StepOutcome};
use super::rule::Rule;
use super::{
    About, Answer, Case, Cause, Certainty, Daemon, DaemonSession, Finding, Findings, Refusal, Severity, server,
};
use crate::core::access_denied::{self, Because};
use crate::core::aws_error::{CalledService, ErrorClass};
use crate::core::clients::{Reading, TokenTime};
use crate::core::fix::{Fix, evercred, word};
use crate::core::keeper::State;
use crate::core::plan::{Source, helper_profile};
use crate::core::printable::printable;
use crate::core::session::{Session, SsoSession, described};

/// A session that the profile's credentials come from.
struct SignIn {
    session: Session,
    /// The profile whose settings name it.
    profile: String,
}

/// Something that was said of a session: by AWS now, or by the daemon of its last try.
struct Said<'a> {
    code: &'a str,
    message: String,
    class: ErrorClass,
}

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::SsoLoginNeeded,
        Cause::SsoRoleDenied,
        Cause::SessionRevoked,
        Cause::SsoCacheUnwritable,
        Cause::ProfileBroken,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    unwritable_caches(case, findings);
    let Some(sign_in) = of_plan(case) else {
        if case.profile.is_none() {
            every_session_of_daemon(case, findings);
        }
        return;
    };
    match step_of_chain(case).map(|step| &step.outcome) {
        Some(StepOutcome::Refused(refusal)) => {
            let said = Said { code: &refusal.code, message: printable(&refusal.to_string()), class: refusal.class };
            if !judge(case, &sign_in, &said, true, findings) && refusal.why_undecided().is_none() {
                findings.add(refused_otherwise(case, &sign_in, refusal));
            }
        }
        Some(StepOutcome::NotSignedIn { why, renews }) => {
            findings.add(not_signed_in(case, &sign_in, why, *renews));
        }
        Some(StepOutcome::Passed { .. } | StepOutcome::Untried { .. }) => {}
        // Offline only the token was checked: it is in the cache, and has not expired.
        None if is_walked_offline(case) => {}
        None => by_daemon(case, &sign_in, findings),
    }
    findings.add_all(unread_token(case, &sign_in).filter(|_| !findings.has(Cause::SsoLoginNeeded)));
}

/// A token that evercred reads, in a file that some client refuses.
fn unread_token(case: &Case<'_>, sign_in: &SignIn) -> Option<Finding> {
    let section = case.evidence.profiles.profiles.get(&sign_in.profile)?;
    // Programs then read evercred's credentials instead of the file.
    let is_adopted = section.get("credential_process").is_some_and(|line| helper_profile(&line.text).is_some());
    let expiry = case.evidence.token_expiries.get(sign_in.session.label()).filter(|_| !is_adopted)?;
    let time = TokenTime::of(&expiry.text)?;
    let clients = |reading| time.clients(reading).join(", ");
    let (refusing, session) = (clients(Reading::Refused), printable(&sign_in.session.described()));
    let readers = [&time.clients(Reading::Alike)[..], &["evercred"]].concat().join(", ");
    let title = format!("some programs can't read the token of {session}: {refusing}");
    let finding = Finding::warning(Cause::SsoLoginNeeded, title)
        .evidence(format!("expiresAt in {} is {}", printable(&expiry.path), printable(&expiry.text)))
        .evidence(format!("{refusing} refuse the file; {readers} read it"));
    Some(finding.fixes(how_to_sign_in(case, sign_in, true)))
}

fn not_signed_in(case: &Case<'_>, sign_in: &SignIn, why: &str, renews: bool) -> Finding {
    let seen = format!("doctor read the AWS tools' cache: {}", printable(why));
    let finding = login_needed(case, sign_in).evidence(seen);
    if !renews {
        return finding;
    }
    let title = format!("you may have to sign in to {}", printable(&sign_in.session.described()));
    Finding { title, severity: Severity::Warning, ..finding }.certainty(Certainty::Possible).evidence(
        "the AWS tools and evercred renew such a token automatically, unless the session has expired; doctor itself does not",
    )
}

/// Why the answers leave a cause of the sign-in open, as the end of a sentence.
pub(super) fn why_open(case: &Case<'_>) -> Option<String> {
    of_plan(case)?;
    match step_of_chain(case).map(|step| &step.outcome) {
        Some(StepOutcome::Passed { .. }) => None,
        // The portal refuses a role only after it has accepted the session.
        Some(StepOutcome::Refused(refusal)) if is_of_role(&refusal.code) => None,
        Some(StepOutcome::Refused(refusal)) => {
            Some(format!("AWS refused the sign-in session, and gives no details: {}", printable(&refusal.to_string())))
        }
        Some(StepOutcome::NotSignedIn { why, .. }) => Some(format!("doctor has no token for a request: {why}")),
        Some(StepOutcome::Untried { why }) => Some(why.clone()),
        None if case.evidence.offline => Some(OFFLINE.to_owned()),
        None => Some("doctor could not test the sign-in".to_owned()),
    }
}

fn is_of_role(code: &str) -> bool {
    matches!(code, "ForbiddenException" | "ResourceNotFoundException")
}

fn is_walked_offline(case: &Case<'_>) -> bool {
    case.evidence.offline && matches!(case.answers.get(&About::Chain), Some(Answer::Chain { .. }))
}

/// Cache files that can't be replaced: the profile's, or without a profile all.
fn unwritable_caches(case: &Case<'_>, findings: &mut Findings) {
    let sign_in = of_plan(case);
    let severity = if sign_in.is_some() { Severity::Error } else { Severity::Warning };
    for (name, problem) in &case.evidence.caches {
        let is_other = sign_in.as_ref().is_some_and(|sign_in| sign_in.session.label() != name);
        if is_other || (sign_in.is_none() && case.profile.is_some()) {
            continue;
        }
        let title = format!("evercred can't replace the cache file of {}", printable(&described(name)));
        let seen =
            (!problem.why.contains(&problem.path)).then(|| format!("its cache file is {}", printable(&problem.path)));
        let fix = match &problem.fix {
            Some(command) => Fix::command("Make the cache file writable.", command.clone()),
            None if problem.is_full => Fix::command(
                "Free space on the disk. This command shows its usage.",
                format!("df -h {}", word(&problem.directory)),
            ),
            None => Fix::advice(format!("Mount {} writable.", printable(&problem.directory))),
        };
        findings.add(
            Finding::new(Cause::SsoCacheUnwritable, severity, title)
                .evidence(printable(&problem.why))
                .evidence_of(seen)
                .fix(fix),
        );
    }
}

/// The session that the plan of the profile in question begins with.
fn of_plan(case: &Case<'_>) -> Option<SignIn> {
    let plan = case.plan.as_ref()?.as_ref().ok()?;
    plan.steps.iter().find_map(|step| Some(SignIn { session: step.source.session()?, profile: step.profile.clone() }))
}

/// The session of the plan, if its token has expired and can be renewed without a sign-in.
pub(super) fn to_renew(case: &Case<'_>) -> Option<Session> {
    let outcome = &step_of_chain(case)?.outcome;
    let is_renewable = matches!(outcome, StepOutcome::NotSignedIn { renews: true, .. });
    of_plan(case).filter(|_| is_renewable).map(|sign_in| sign_in.session)
}

fn step_of_chain<'a>(case: &Case<'a>) -> Option<&'a StepAnswer> {
    match case.answers.get(&About::Chain)? {
        Answer::Chain { steps } => steps.iter().find(|step| step.kind == "sso" || step.kind == "login"),
        _ => None,
    }
}

/// Nothing was tried: what the daemon has met.
fn by_daemon(case: &Case<'_>, sign_in: &SignIn, findings: &mut Findings) {
    let Daemon::Answers(facts) = &case.evidence.daemon else { return };
    let label = sign_in.session.label();
    let session = facts.sessions.iter().find(|session| session.name == label);
    let profile = facts.profiles.iter().find(|profile| Some(&profile.name) == case.profile.as_ref());
    if let Some(session) = session.filter(|session| session.state == State::NeedsLogin) {
        findings.add(waits(case, sign_in, session));
        return;
    }
    // A profile may also wait for a code: then its session is fine, and it is said elsewhere.
    let errors = session.and_then(|session| session.last_error.as_ref());
    let errors = errors.into_iter().chain(profile.and_then(|profile| profile.last_error.as_ref()));
    for error in errors {
        let said = Said { code: &error.code, message: printable(&error.message), class: error.class };
        if judge(case, sign_in, &said, false, findings) {
            return;
        }
    }
}

fn waits(case: &Case<'_>, sign_in: &SignIn, session: &DaemonSession) -> Finding {
    let finding = login_needed(case, sign_in).evidence("the daemon has no valid token of the session");
    match &session.last_error {
        Some(error) => finding.evidence(printable(&error.message)),
        None => finding,
    }
}

/// Without a profile in question, a session that waits is worth a word.
fn every_session_of_daemon(case: &Case<'_>, findings: &mut Findings) {
    let Daemon::Answers(facts) = &case.evidence.daemon else { return };
    for session in facts.sessions.iter().filter(|session| session.state == State::NeedsLogin) {
        let title = format!("you are not signed in to {}", printable(&described(&session.name)));
        let finding = Finding::new(Cause::SsoLoginNeeded, Severity::Warning, title);
        let finding = match &session.last_error {
            Some(error) => finding.evidence(printable(&error.message)),
            None => finding.evidence("the daemon has no valid token of the session"),
        };
        findings.add(finding.fix(Fix::command("Sign in.", evercred("login", &session.login_name))));
    }
}

/// The meaning of an error, if it is about the session or the role. `now`: it is AWS's current answer.
fn judge(case: &Case<'_>, sign_in: &SignIn, said: &Said<'_>, now: bool, findings: &mut Findings) -> bool {
    let answered = |finding: Finding| finding.answered_by(case, CalledService::Portal);
    match said.code {
        "ForbiddenException" | "ResourceNotFoundException" => findings.add(role_denied(case, sign_in, said)),
        "StartUrlUnknown" => findings.add(start_url_unknown(case, sign_in, said)),
        "INSUFFICIENT_PERMISSIONS" => findings.add(login_denied(case, sign_in, said)),
        "UnauthorizedException" => {
            // The portal says this of a token that is not accepted (API reference of the portal, GetRoleCredentials). It is asked
            // with one that had not expired by its cache file, so
            // the user has signed out, an administrator has ended the session, or the user was removed.
            findings.add(revoked(case, sign_in, said, if now { Certainty::Likely } else { Certainty::Possible }));
            findings.add(answered(login_needed(case, sign_in)).evidence(said.message.clone()));
        }
        "USER_CREDENTIALS_CHANGED" => {
            findings.add(revoked(case, sign_in, said, Certainty::Confirmed));
            findings.add(answered(login_needed(case, sign_in)).evidence(said.message.clone()));
        }
        _ if said.class == ErrorClass::NeedsLogin && !is_about_a_code(said) => {
            findings.add(answered(login_needed(case, sign_in)).evidence(said.message.clone()));
        }
        _ => return false,
    }
    true
}

/// A wrong MFA code needs the user too, and has its own finding.
fn is_about_a_code(said: &Said<'_>) -> bool {
    said.code == "MfaRequired"
        || said.code == "AccessDenied"
        || access_denied::read(&said.message).because == Because::WrongCode
}

fn login_needed(case: &Case<'_>, sign_in: &SignIn) -> Finding {
    let title = format!("you are not signed in to {}", printable(&sign_in.session.described()));
    Finding::new(Cause::SsoLoginNeeded, Severity::Error, title).fixes(how_to_sign_in(case, sign_in, false))
}

fn revoked(case: &Case<'_>, sign_in: &SignIn, said: &Said<'_>, certainty: Certainty) -> Finding {
    let title = format!("{} ended before its token expires", printable(&sign_in.session.described()));
    let finding = Finding::new(Cause::SessionRevoked, Severity::Error, title)
        .certainty(certainty)
        .answered_by(case, CalledService::Portal)
        .evidence(said.message.clone());
    let finding = case.cached().into_iter().fold(finding, Finding::evidence);
    let finding = match certainty {
        Certainty::Confirmed => finding,
        _ => finding.evidence(
            "its token had not expired. A sign-out (aws sso logout), an administrator, or the removal of the user's access ends \
             a session early",
        ),
    };
    finding.fixes(how_to_sign_in(case, sign_in, false))
}

fn role_denied(case: &Case<'_>, sign_in: &SignIn, said: &Said<'_>) -> Finding {
    let role = case.plan.as_ref().and_then(|plan| plan.as_ref().ok()).and_then(|plan| {
        plan.steps.iter().find_map(|step| match &step.source {
            Source::Sso(role) => Some(role),
            _ => None,
        })
    });
    let who = match server::other_server(case, CalledService::Portal) {
        Some(server) => format!("the server at {}", server.url),
        None => "IAM Identity Center".to_owned(),
    };
    let title = match role {
        Some(role) => format!(
            "{who} does not give the role {} in account {}",
            printable(&role.role_name),
            printable(&role.account_id)
        ),
        None => format!("{who} does not give the role"),
    };
    let finding = Finding::new(Cause::SsoRoleDenied, Severity::Error, title).answered_by(case, CalledService::Portal);
    let finding = finding.evidence(said.message.clone()).evidence_of(case.cached());
    let list = "See the accounts and roles of the signed-in user, and correct sso_account_id or sso_role_name.";
    let finding = match (&sign_in.session, &case.evidence.daemon) {
        (Session::Sso(SsoSession { name: Some(name), .. }), Daemon::Answers(_)) => {
            finding.fix(Fix::command(list, format!("evercred profiles --sso {}", word(name))))
        }
        (Session::Sso(SsoSession { name: Some(name), .. }), Daemon::Silent { .. }) => finding.fix(Fix::command(
            format!("{list} The command needs the daemon."),
            format!("evercred profiles --sso {}", word(name)),
        )),
        _ => finding.fix(Fix::advice(format!("{list} The access portal shows them."))),
    };
    finding.fix(Fix::advice(
        "If the role is right, ask an administrator of IAM Identity Center to assign its permission set in that account.",
    ))
}

/// Any other refusal, with AWS's code and words, and the fix from the table of codes.
fn refused_otherwise(case: &Case<'_>, sign_in: &SignIn, refusal: &Refusal) -> Finding {
    let service = refusal.operation.service();
    let title = format!(
        "{} gives no credentials to {}: {}",
        server::speaker(case, service),
        printable(&sign_in.session.described()),
        printable(&refusal.code)
    );
    let finding = Finding::new(Cause::SsoRoleDenied, Severity::Error, title).answered_by(case, service);
    let finding = finding.evidence(printable(&refusal.to_string())).evidence_of(case.cached());
    let finding = finding.fixes(refusal.fix.as_deref().map(|fix| Fix::advice(printable(fix))));
    finding.fixes(how_to_sign_in(case, sign_in, false))
}

fn start_url_unknown(case: &Case<'_>, sign_in: &SignIn, said: &Said<'_>) -> Finding {
    let (who, session) = (server::speaker(case, CalledService::Oidc), printable(&sign_in.session.described()));
    let title = format!("{who} knows no sign-in page for {session} in its region");
    let finding = Finding::new(Cause::ProfileBroken, Severity::Error, title).answered_by(case, CalledService::Oidc);
    let finding = finding.evidence(said.message.clone());
    finding.fix(Fix::advice(
        "Check sso_start_url (the address of the access portal) and sso_region (where IAM Identity Center was set up).",
    ))
}

fn login_denied(case: &Case<'_>, sign_in: &SignIn, said: &Said<'_>) -> Finding {
    let title = format!("{} may not get credentials for programs", printable(&sign_in.session.described()));
    Finding::new(Cause::SsoRoleDenied, Severity::Error, title)
        .answered_by(case, CalledService::Signin)
        .evidence(said.message.clone())
        .fix(Fix::advice("Ask an administrator for the policy SignInLocalDevelopmentAccess."))
}

/// With the daemon one sign-in serves all; without it the AWS CLI's does, too. `again`: the token is valid.
fn how_to_sign_in(case: &Case<'_>, sign_in: &SignIn, again: bool) -> Vec<Fix> {
    let profile = &sign_in.profile;
    let name = match &sign_in.session {
        Session::Sso(SsoSession { name: Some(name), .. }) => name,
        _ => profile,
    };
    let is_valid = |session: &&DaemonSession| matches!(session.state, State::Fresh | State::Renewing | State::Retrying);
    let of_daemon = match &case.evidence.daemon {
        Daemon::Answers(facts) => facts.sessions.iter().find(|session| session.name == sign_in.session.label()),
        Daemon::Silent { .. } => None,
    };
    // A plain login answers that the session is signed in.
    let force = if again || of_daemon.is_some_and(|session| is_valid(&session)) { "--force " } else { "" };
    let ours = format!("evercred login {force}{}", argument(name));
    if matches!(case.evidence.daemon, Daemon::Answers(_)) {
        return vec![Fix::command("Sign in.", ours)];
    }
    let of_cli = match &sign_in.session {
        Session::Sso(SsoSession { name: Some(name), .. }) => format!("aws sso login --sso-session {}", word(name)),
        Session::Sso(_) => format!("aws sso login {}", option(profile)),
        Session::Login(_) => format!("aws login {}", option(profile)),
    };
    let mut fixes = vec![with_daemon(case, "Sign in; evercred then renews the session automatically.", &ours)];
    if case.evidence.has_aws_cli {
        fixes.push(Fix::command("Or sign in with the AWS CLI, version 2.", of_cli));
    }
    fixes
}
