//! The meaning and the fix of an error, from its code and message alone.

use super::causes;
use super::local_context::LocalContext;
use super::reported::ReportedError;
use crate::core::access_denied::{self, Because};
use crate::core::aws_error::{self, Entry, ErrorClass, OfSigner};
use crate::core::cause::UsualFix;
use crate::core::doctor::{Cause, NamedEndpoint};
use crate::core::fix::{self, Fix, evercred};

/// The row of the table that says what an error means: some signatures are wrong only in their time.
fn entry(mention: &ReportedError) -> Option<&'static Entry> {
    let code = if causes::is_about_time(mention) { "RequestTimeTooSkewed" } else { mention.means };
    aws_error::lookup(code)
}

pub(super) fn meaning(mention: &ReportedError) -> String {
    entry(mention).map_or_else(String::new, |entry| entry.meaning.to_owned())
}

/// The fix of the code, whatever its cause is. The daemon retries after some errors; other programs need the fix of the cause.
pub(super) fn of_code(mention: &ReportedError) -> Vec<Fix> {
    let fix = entry(mention).filter(|entry| entry.class != ErrorClass::Retryable).map(|entry| match entry.of_signer {
        OfSigner::Denied => of_denial(mention),
        _ => entry.fix,
    });
    fix.map(Fix::of_table).into_iter().collect()
}

/// The fix of a cause that was not found on this machine, or the command that shows more: the message may be from another shell
/// or an earlier time. That of the code, if the cause is its first one; an unknown key has several usual causes, each with its
/// own fix.
pub(super) fn of_cause(
    id: Cause,
    mention: &ReportedError,
    here: &LocalContext,
    endpoint: Option<&NamedEndpoint>,
) -> (Vec<Fix>, Option<String>) {
    let is_first = |entry: &&'static Entry| {
        entry.class == ErrorClass::Permanent
            && !entry.refuses_signer()
            && matches!(entry.usual_causes(), [(first, _), ..] if *first == id)
    };
    let is_root = id == Cause::AssumeRoleDenied && access_denied::read(&mention.message).because == Because::Root;
    if is_root || entry(mention).filter(is_first).is_some() {
        return (of_code(mention), None);
    }
    let existing = here.profile.as_deref().filter(|_| !here.looked_at.is_missing);
    let command =
        |command: &str| existing.map_or_else(|| format!("evercred {command}"), |name| evercred(command, name));
    let fix = match id.usual_fix() {
        UsualFix::See(_) if id == Cause::NetworkUnreachable => {
            let of_aws = || format!("https://{}", mention.host.as_deref().unwrap_or("sts.amazonaws.com"));
            let url = endpoint.map_or_else(of_aws, |endpoint| endpoint.url.clone());
            return (Vec::new(), Some(format!("curl -sSI {}", fix::word(&url))));
        }
        UsualFix::See(command) => return (Vec::new(), Some(command.to_owned())),
        // A command for a profile that does not exist fails.
        UsualFix::SeeOfProfile("plan") if existing.is_none() => {
            return (Vec::new(), Some("evercred profiles".to_owned()));
        }
        UsualFix::SeeOfProfile(name) => return (Vec::new(), Some(command(name))),
        UsualFix::Advice(text) => Fix::advice(text),
        UsualFix::Login(text) if here.steps.as_ref().is_some_and(|steps| !steps.can_log_in()) => {
            Fix::advice(if id == Cause::MfaRequired {
                "If the role requires MFA: add mfa_serial with the ARN of your MFA device to the profile."
            } else {
                text
            })
        }
        UsualFix::Login(text) if here.looked_at.is_missing => {
            Fix::advice(format!("{text} Name the profile that the program used: evercred login PROFILE"))
        }
        UsualFix::Login(text) => Fix::command(text, command("login")),
        UsualFix::Unset(text, names) => match here.set_of(names) {
            set if set.is_empty() => Fix::advice(text),
            set => Fix::command(text, fix::unset(here.uses_fish, &set)),
        },
    };
    (vec![fix], None)
}

/// The fix of a denied call, as far as AWS's message says more than the code.
fn of_denial(mention: &ReportedError) -> &'static str {
    let denied = access_denied::read(&mention.message);
    match denied.because {
        Because::SessionCredentials => "use the user's long-term key: a profile with that key and no session token",
        Because::Root => "use the key of an IAM user or IAM Identity Center instead of the root user's key",
        Because::Forbidden(_) => {
            "ask an administrator to change the policy that denies it: no other policy can allow it"
        }
        _ if denied.action.is_some() => "ask an administrator for the permission that the message names",
        _ => {
            "compare the caller (aws sts get-caller-identity) with the intended one, and ask an administrator which policy denies the call"
        }
    }
}
