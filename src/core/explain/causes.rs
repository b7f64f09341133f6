//! The causes of an error according to its code and message alone, the likeliest first.

use serde::Serialize;

use super::named;
use super::reported::ReportedError;
use crate::core::access_denied::{self, Because, Denied, Mfa, Rejected};
use crate::core::aws_error::{self, OfSigner};
use crate::core::cause::Likelihood::{self, Confirmed, Likely, Possible};
use crate::core::doctor::Cause;
use crate::core::fix::Fix;
use crate::core::partitions::{has_known_words, is_opt_in, known, partition_of};
use crate::core::time::span_from_seconds;
use crate::core::timekeeping::length;

/// A possible cause of an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RankedCause {
    /// The cause.
    pub id: Cause,
    /// Its likelihood.
    pub likelihood: Likelihood,
    /// The evidence for or against it, one sentence each.
    pub evidence: Vec<String>,
    /// The fixes, in order.
    pub fix: Vec<Fix>,
    /// The command that shows more, if there is no fix.
    pub see: Option<String>,
}

impl RankedCause {
    pub(super) fn new(id: Cause, likelihood: Likelihood, evidence: Vec<String>) -> Self {
        Self { id, likelihood, evidence, fix: Vec::new(), see: None }
    }
}

/// The candidates, the likeliest first.
pub(super) fn candidates(mention: &ReportedError) -> Vec<RankedCause> {
    let mut all = by_message(mention);
    // Then only the time of the signature was wrong, not the secret.
    let is_about_time = is_about_time(mention);
    let of_code = if is_about_time { &OF_A_CLOCK[..] } else { usual(mention) };
    // The offset of a time zone is a multiple of half an hour.
    let is_of_a_zone = mention.skew_seconds.is_none_or(|skew| {
        let rest = skew.unsigned_abs() % 1_800;
        skew.unsigned_abs() > 1_500 && !(300..=1_500).contains(&rest)
    });
    let overruled = overruled(access_denied::rejected(&mention.message));
    let is_overruled = |id: Cause| overruled.contains(&id);
    let open = of_code.iter().filter(|(id, _)| (is_of_a_zone || *id != Cause::ClockZone) && !is_overruled(*id));
    for (id, likelihood) in open {
        if !all.iter().any(|known| known.id == *id) {
            all.push(RankedCause::new(*id, *likelihood, vec![id.is().to_owned()]));
        }
    }
    all
}

/// The usual causes of the code, the most often reported one first. The sign-in services use ExpiredTokenException for
/// their own tokens and codes.
fn usual(mention: &ReportedError) -> &'static [(Cause, Likelihood)] {
    let is_expired = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].contains(&mention.means);
    let is_sign_in = matches!(mention.service.as_deref(), Some("SSO" | "SSO OIDC" | "Signin"));
    let code = if is_expired && is_sign_in { "SsoSessionExpired" } else { mention.means };
    aws_error::lookup(code).map_or(&[], aws_error::Entry::usual_causes)
}

/// Whether the message says that the time of the request was wrong, whatever its code.
pub(super) fn is_about_time(mention: &ReportedError) -> bool {
    mention.skew_seconds.is_some() || access_denied::rejected(&mention.message) == Rejected::SignatureTime
}

const OF_A_CLOCK: [(Cause, Likelihood); 3] =
    [(Cause::ClockSkewed, Confirmed), (Cause::ClockZone, Possible), (Cause::ClockUnsynchronised, Possible)];

/// Facts from the message that no cause is about: the caller, the action, the policy.
pub(super) fn says(mention: &ReportedError) -> Vec<String> {
    let denied = access_denied::read(&mention.message);
    let is_denied = aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer == OfSigner::Denied);
    if !is_denied || (denied.action.is_none() && denied.because == Because::Unsaid) {
        return Vec::new();
    }
    sentences(&denied)
}

/// How strongly the message itself decides the cause: 0 (not at all), 2, or 3 (it proves the cause).
pub(super) fn decides(mention: &ReportedError) -> usize {
    by_message(mention).first().map_or(0, |first| if first.likelihood == Confirmed { 3 } else { 2 })
}

/// The causes that the message itself decides.
fn by_message(mention: &ReportedError) -> Vec<RankedCause> {
    let text = mention.message.as_str();
    let one = |id, likelihood, sentence: String| vec![RankedCause::new(id, likelihood, vec![sentence])];
    if let Some(skew) = mention.skew_seconds {
        return clock(mention, skew);
    }
    if is_about_time(mention) {
        return one(
            Cause::ClockSkewed,
            Confirmed,
            "the message says that the time of the request was wrong".to_owned(),
        );
    }
    if ["RequestTimeTooSkewed", "RequestInTheFuture"].contains(&mention.means) {
        let sentence = "AWS says that the time of the request differs too much from AWS time";
        return one(Cause::ClockSkewed, Confirmed, sentence.to_owned());
    }
    // botocore's sentences.
    if mention.code == "InfiniteLoopConfigError" {
        let sentence = "the message says that the profiles name each other as source_profile in a loop";
        return one(Cause::ProfileBroken, Confirmed, sentence.to_owned());
    }
    if mention.code == "ConfigParseError" {
        let mut all =
            one(Cause::ProfileBroken, Confirmed, "the message says that an AWS file can't be read".to_owned());
        let sentence =
            "the AWS CLI and boto3 read no AWS file in which a section or a setting is a duplicate".to_owned();
        all.push(RankedCause::new(Cause::ProfileDuplicated, Possible, vec![sentence]));
        return all;
    }
    if let Some((id, likelihood, part)) = of_rejected(access_denied::rejected(text)) {
        return one(id, likelihood, format!("the message says that {part}"));
    }
    if mention.means == "InvalidClientTokenId" && mention.service.as_deref() == Some("IAM") {
        let sentence = "IAM gives this answer to credentials from GetSessionToken without MFA";
        return one(Cause::SessionTokenWithoutMfa, Likely, sentence.to_owned());
    }
    if let Some(name) = named::session(text) {
        let sentence = format!("the message says that there is no token of the session {name}");
        return one(Cause::SsoLoginNeeded, Confirmed, sentence);
    }
    if let Some(label) = not_a_region(mention) {
        if is_nothing(&label) {
            let sentence = format!("the host name has \"{label}\" in place of a region: the program had no region");
            return one(Cause::RegionMissing, Confirmed, sentence);
        }
        let sentence = format!("the host name has \"{label}\" in place of a region, and no region has this name");
        return one(Cause::RegionInvalid, Confirmed, sentence);
    }
    let region = mention.region.as_deref().filter(|region| is_opt_in(region));
    if let (Some(region), true) = (region, aws_error::is_unknown_key(mention.means)) {
        let sentence =
            format!("an account must enable {region} first, and the region refuses the account's keys until then");
        return one(Cause::RegionNotEnabled, Likely, sentence);
    }
    if mention.means.starts_with("AccessDenied") {
        return denied(text);
    }
    Vec::new()
}

/// The part of a host name that is in place of a region and is not one: `sts.eu-central1.amazonaws.com`.
fn not_a_region(mention: &ReportedError) -> Option<String> {
    if mention.means != "Network" {
        return None;
    }
    let (before, _) = mention.host.as_deref()?.split_once(".amazonaws.com")?;
    let mut labels = before.rsplit('.');
    let label = labels.next()?;
    let is_like_one =
        label.contains('-') && label.len() <= 32 && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    // No region has a number of two digits.
    let is_new = || has_known_words(label) && label.rsplit('-').next().is_some_and(|number| number.len() == 1);
    let is_one = partition_of(label).is_some() && (known(label).is_some() || is_new());
    (labels.next().is_some() && (is_like_one || is_nothing(label)) && !is_one).then(|| label.to_owned())
}

/// Placeholders that programs write for a missing value.
fn is_nothing(label: &str) -> bool {
    ["none", "null", "nil", "undefined"].iter().any(|nothing| label.eq_ignore_ascii_case(nothing))
}

fn clock(mention: &ReportedError, skew: i64) -> Vec<RankedCause> {
    let (amount, direction) =
        (length(span_from_seconds(skew.saturating_abs())), if skew < 0 { "behind" } else { "ahead of" });
    let mut evidence = vec![format!("the message has both times: the request's time is {amount} {direction} AWS's")];
    if skew < 0 {
        evidence.push("a request that waits this long between signing and sending gets the same answer".to_owned());
    }
    if mention.times > 1 {
        evidence.push(format!("it occurs {} times in the text", mention.times));
    }
    vec![RankedCause::new(Cause::ClockSkewed, Confirmed, evidence)]
}

fn denied(text: &str) -> Vec<RankedCause> {
    let denied = access_denied::read(text);
    let action = denied.action.as_deref().unwrap_or_default();
    let of_mfa = |id, likelihood, sentence: &str| vec![RankedCause::new(id, likelihood, vec![sentence.to_owned()])];
    match denied.mfa {
        Some(Mfa::NotValidated) => {
            let sentence = "AWS did not accept the MFA code, or mfa_serial does not name a device of this user";
            return of_mfa(Cause::MfaCodeRefused, Confirmed, sentence);
        }
        Some(Mfa::Missing) => {
            let sentence = "the message says that the MFA code or the device (mfa_serial) was missing";
            return of_mfa(Cause::MfaRequired, Confirmed, sentence);
        }
        Some(Mfa::Wrong | Mfa::Failed) | None => {}
    }
    let (id, likelihood) = match denied.because {
        // The sentence may continue.
        Because::WrongCode if denied.mfa == Some(Mfa::Failed) => (Cause::MfaCodeRefused, Likely),
        Because::WrongCode => (Cause::MfaCodeRefused, Confirmed),
        _ if action.starts_with("sts:AssumeRole") || action == "sts:TagSession" || denied.because == Because::Root => {
            (Cause::AssumeRoleDenied, Confirmed)
        }
        _ if action.starts_with("sso:") => (Cause::SsoRoleDenied, Confirmed),
        Because::SessionCredentials => (Cause::EnvironmentShadowsProfile, Possible),
        _ => return Vec::new(),
    };
    let mut all = vec![RankedCause::new(id, likelihood, sentences(&denied))];
    if action == "sts:AssumeRole" && denied.because == Because::Unsaid {
        let sentence = "AWS gives the same answer if the role's trust policy requires MFA".to_owned();
        all.push(RankedCause::new(Cause::MfaRequired, Possible, vec![sentence]));
    }
    all
}

fn sentences(denied: &Denied) -> Vec<String> {
    let action = denied.action.as_deref().unwrap_or_default();
    let mut evidence = Vec::new();
    if let (Some(who), false) = (&denied.principal, action.is_empty()) {
        let on = denied.resource.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
        evidence.push(format!("{who} requested {action}{on}"));
    }
    evidence.push(match denied.because {
        Because::Forbidden(policy) => format!("{} denies it explicitly, so no other policy can allow it", policy.label()),
        Because::NothingAllows(policy) => policy.does_not_allow(),
        Because::WrongCode => "AWS did not accept the MFA code: mistyped, too old, or used before".to_owned(),
        Because::Root => "the caller is an account's root user, which can't assume roles".to_owned(),
        Because::SessionCredentials => {
            "the call requires a user's long-term key, but was signed with temporary credentials".to_owned()
        }
        Because::Unsaid if action == "sts:TagSession" => {
            "the request has session tags, so the trust policy must also allow sts:TagSession".to_owned()
        }
        Because::Unsaid if !action.starts_with("sts:AssumeRole") => "AWS does not say which policy denies it".to_owned(),
        Because::Unsaid => {
            "AWS does not say whether the cause is the trust policy, an external ID, MFA, a policy of the caller or the \
             organisation, or a role that does not exist"
                .to_owned()
        }
    });
    evidence
}

/// Usual causes that the message contradicts.
fn overruled(rejected: Rejected) -> &'static [Cause] {
    match rejected {
        Rejected::SignedRegion | Rejected::SignedService => {
            &[Cause::SecretKeyWrong, Cause::SecretKeyMalformed, Cause::ClockSkewed]
        }
        Rejected::NoKeyId => &[Cause::RegionInconsistent],
        _ => &[],
    }
}

/// The cause that the rejected part decides with any code, and the meaning of the message.
fn of_rejected(rejected: Rejected) -> Option<(Cause, Likelihood, &'static str)> {
    Some(match rejected {
        Rejected::RoleArn => (Cause::ProfileBroken, Confirmed, "role_arn is not a valid ARN"),
        Rejected::ShortSession => (Cause::ProfileBroken, Likely, "the requested session is shorter than 15 minutes"),
        Rejected::LongSession => (Cause::DurationTooLong, Confirmed, "the requested session is longer than AWS allows"),
        Rejected::NoKeyId => {
            (Cause::CredentialsMissing, Likely, "the request was sent without an access key id, or with an empty one")
        }
        Rejected::BucketRegion => {
            (Cause::RegionInconsistent, Confirmed, "the region of the bucket differs from that of the request")
        }
        Rejected::SignedRegion => {
            (Cause::RegionInconsistent, Likely, "the request was signed for another region than the endpoint's")
        }
        Rejected::SignedService => {
            (Cause::EndpointOverridden, Likely, "the request was signed for another service than the endpoint's")
        }
        Rejected::ExpiredToken => (Cause::CredentialsExpired, Likely, "the session token has expired"),
        Rejected::Timestamp => (Cause::ClockSkewed, Likely, "the time of the request is too old"),
        // For these, the code has the causes.
        Rejected::Unsaid
        | Rejected::SignatureTime
        | Rejected::ExpiredIdentityToken
        | Rejected::Issuer
        | Rejected::Audience => return None,
    })
}
