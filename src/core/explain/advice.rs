//! What an error means and what to do about it, from its code and its message alone.

use super::causes;
use super::reported::ReportedError;
use crate::core::access_denied::{self, Because};
use crate::core::aws_error::{self, OfSigner};
use crate::core::doctor::Cause;
use crate::core::fix::Fix;

const CLOCK: &str = "set this machine's clock right; evercred clock shows how far it is off, and how to mend it";

/// The code that says what an error means: the time alone is wrong with some signatures.
fn means(mention: &ReportedError) -> &'static str {
    if causes::is_about_time(mention) { "RequestTimeTooSkewed" } else { mention.means }
}

pub(super) fn meaning(mention: &ReportedError) -> String {
    aws_error::lookup(means(mention)).map_or_else(String::new, |entry| entry.meaning.to_owned())
}

/// What to do about the code, whatever is behind it. What the table says of calls that are not answered is about the daemon.
pub(super) fn of_code(mention: &ReportedError) -> Vec<Fix> {
    let fix = match means(mention) {
        "Network" | "Timeout" => {
            "check the network, the name of the host, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the program"
        }
        _ if aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer == OfSigner::Denied) => {
            of_denial(mention)
        }
        "RequestTimeTooSkewed" => CLOCK,
        code => match aws_error::lookup(code) {
            Some(entry) => entry.fix,
            None => return Vec::new(),
        },
    };
    vec![Fix::advice(fix)]
}

/// What to ask for where AWS denies something, as far as its words go.
fn of_denial(mention: &ReportedError) -> &'static str {
    let denied = access_denied::read(&mention.message);
    match denied.because {
        Because::SessionCredentials => "call it with the user's long-term key: a profile with that key and no token",
        Because::Root => "use the key of an IAM user, or IAM Identity Center, and not that of the account's root user",
        Because::Forbidden(_) => {
            "ask an administrator to change the policy that forbids it: allowing it elsewhere does not help"
        }
        _ if denied.action.is_some() => "ask an administrator for the permission that the message names",
        _ => {
            "see who is asking (aws sts get-caller-identity), and ask an administrator which policy refuses it: the message does not say"
        }
    }
}

/// The advice of the table is about the code; what the message says may be more exact.
pub(super) fn of_cause(id: Cause, mention: &ReportedError) -> Option<&'static str> {
    let fix = match id {
        Cause::ClockSkewed => CLOCK,
        Cause::RegionInvalid => "correct the region: aws configure set region, or AWS_REGION and AWS_DEFAULT_REGION",
        Cause::ProfileBroken if mention.means == "ProfileNotFound" => return None,
        Cause::ProfileBroken => "correct the setting that the message names: evercred profiles says where it stands",
        Cause::MfaCodeRefused => "type the code that the device shows next: each is good once",
        Cause::DurationTooLong => {
            "lower duration_seconds: a role's longest session is set on the role, and a role assumed from another role's \
             session lives one hour at most"
        }
        Cause::AssumeRoleDenied if access_denied::read(&mention.message).because == Because::Root => return None,
        Cause::AssumeRoleDenied => {
            "have the role's trust policy and this caller's own policies looked at by an administrator of the role's account"
        }
        Cause::SessionTokenWithoutMfa => {
            "get the session with an MFA code (mfa_serial), or ask IAM with the user's own key"
        }
        _ => return None,
    };
    Some(fix)
}
