//! Whether doctor's checks answer a text, which may be about another profile, region, host or service than those that it
//! checked.

use std::collections::BTreeSet;

use super::causes::{self, RankedCause};
use super::local_context::{LocalContext, StepFacts};
use super::reported::ReportedError;
use crate::core::access_denied;
use crate::core::access_key::is_account;
use crate::core::aws_error::{self, OfSigner, TOKEN_FILE};
use crate::core::cause::{Likelihood, Needs};
use crate::core::doctor::Cause;
use crate::core::partitions::is_opt_in;

/// The proof that a text is about other credentials than those of this shell, as a sentence.
pub(super) fn elsewhere(mention: &ReportedError, here: &LocalContext) -> Option<String> {
    if here.has_none && is_of_signed_request(mention) {
        let said = "the request was signed, and this shell has no credentials: the text is about another shell, profile or machine";
        return Some(said.to_owned());
    }
    let is_expired = || aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer == OfSigner::Expired);
    if here.only_long_term && mention.by_aws && is_expired() && !is_of_sign_in(mention) && !is_of_web_identity(mention)
    {
        let said = "temporary credentials expired, and this shell has a long-term key: the text is about another shell, profile or time";
        return Some(said.to_owned());
    }
    if let Some(id) = &mention.access_key_id {
        if here.access_key_ids.contains(id) {
            return None;
        }
        if !here.access_key_ids.is_empty() {
            return Some(format!("the text names the access key {id}, which is not in this shell or its profile"));
        }
    }
    // The caller: the resource is often of another account.
    let caller = mention.arn.as_deref().filter(|arn| arn.contains(":user/") || arn.contains(":assumed-role/"))?;
    let account = caller.split(':').nth(4).filter(|account| is_account(account))?;
    (!here.accounts.is_empty() && !here.accounts.iter().any(|known| known == account)).then(|| {
        format!("the text names account {account}, but the credentials of this shell belong to another account")
    })
}

/// Why doctor's check of a cause does not answer the text, as the end of a sentence.
pub(super) fn not_checked(cause: Cause, mention: &ReportedError, here: &LocalContext) -> Option<String> {
    let of_profile = || other_profile(mention, here).filter(|_| is_of_profile(cause));
    let of_call = || match cause {
        Cause::RegionNotEnabled if mention.region.is_none() && here.region.is_none() => {
            here.steps.as_ref().map(|_| format!("neither the text nor {} names a region", here.label()))
        }
        Cause::RegionNotEnabled | Cause::RegionTokenV1 => {
            let region =
                mention.region.as_ref().filter(|region| is_opt_in(region) && !here.regions.contains(region))?;
            Some(format!("no call was made in {region}, the region that the text names"))
        }
        Cause::NetworkUnreachable if ["Network", "Tls", "TlsClock", "Timeout"].contains(&mention.means) => {
            let host = mention.host.as_ref().filter(|host| !host.starts_with("sts."))?;
            Some(format!("only STS was called, not {host}"))
        }
        // Each service has its own sign-up; STS has none.
        Cause::AccountNotSignedUp => {
            let service = mention.service.as_deref().filter(|service| *service != "STS")?;
            Some(format!("only STS was called, not {service}"))
        }
        Cause::AssumeRoleDenied | Cause::DurationTooLong => other_role(mention, here),
        Cause::MfaRequired => other_role(mention, here).or_else(|| {
            let is_of_role = access_denied::read(&mention.message).action.as_deref() == Some("sts:AssumeRole");
            is_of_role.then(|| "AWS does not show whether the role's trust policy requires MFA".to_owned())
        }),
        _ => None,
    };
    of_profile().or_else(of_call)
}

/// Whether doctor checks the cause for one profile, and not for the machine.
fn is_of_profile(cause: Cause) -> bool {
    let of_machine = |need: &Needs| {
        matches!(need, Needs::Home | Needs::Files | Needs::Connection | Needs::Time | Needs::Timekeeper | Needs::Daemon)
    };
    matches!(cause, Cause::ProfileBroken | Cause::CredentialsMissing) || !cause.needs().iter().all(of_machine)
}

/// Why the text can't be about the checked profile.
fn other_profile(mention: &ReportedError, here: &LocalContext) -> Option<String> {
    if here.looked_at.is_missing {
        return Some(format!("{} does not exist", here.label()));
    }
    let names: BTreeSet<&String> = mention.named.iter().filter_map(|reading| reading.name.as_ref()).collect();
    if names.into_iter().filter(|name| here.profiles.contains(name)).count() > 1 {
        return Some(
            "a console may have broken the name of the profile in the text, and there are several such profiles"
                .to_owned(),
        );
    }
    if mention.means == "ProfileNotFound" && mention.profile.is_none() {
        return Some("the name of the profile in the text can't be read".to_owned());
    }
    let StepFacts { signs_in, has_web_identity, .. } = here.steps.as_ref()?;
    if !signs_in && is_of_sign_in(mention) {
        return Some(format!("the text is about a sign-in session, and {} has none", here.label()));
    }
    (!has_web_identity && is_of_web_identity(mention))
        .then(|| format!("the text is about a web identity token, and {} has none", here.label()))
}

/// The role that a text is about is not one of the checked profile.
fn other_role(mention: &ReportedError, here: &LocalContext) -> Option<String> {
    let StepFacts { roles, .. } = here.steps.as_ref()?;
    if !mention.operation.as_deref().is_some_and(|operation| operation.starts_with("AssumeRole")) {
        return None;
    }
    match &mention.role {
        Some(role) if !roles.contains(role) => Some(format!("{} does not assume {role}", here.label())),
        None if roles.is_empty() => Some(format!("{} assumes no role", here.label())),
        _ => None,
    }
}

/// Whether AWS answered a request that was signed with credentials. Sign-in services and web identity take a token instead.
fn is_of_signed_request(mention: &ReportedError) -> bool {
    let is_about_signer = aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer != OfSigner::Nothing);
    (mention.by_aws || is_about_signer) && !is_of_web_identity(mention) && !is_of_sign_in(mention)
}

fn is_of_sign_in(mention: &ReportedError) -> bool {
    let is_about = |candidate: &RankedCause| {
        matches!(candidate.id, Cause::SsoLoginNeeded | Cause::SsoRoleDenied)
            && candidate.likelihood <= Likelihood::Likely
    };
    causes::candidates(mention).iter().any(is_about)
}

fn is_of_web_identity(mention: &ReportedError) -> bool {
    mention.operation.as_deref() == Some("AssumeRoleWithWebIdentity")
        || [TOKEN_FILE, "WebIdentityExpired", "InvalidIdentityToken", "IDPRejectedClaim", "IDPCommunicationError"]
            .contains(&mention.means)
}
