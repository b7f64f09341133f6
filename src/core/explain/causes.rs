//! What may be behind an error: the causes of each code, the likeliest first, and what the message itself decides.

use chrono::TimeDelta;

use super::extract::Mention;
use super::join::Likelihood::{self, Confirmed, Likely, Possible};
use crate::core::access_denied::{self, Because, Denied, Policy};
use crate::core::aws_error;
use crate::core::doctor::{Id, is_opt_in};
use crate::core::timekeeping::length;

/// One thing that may be behind an error, by the message alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: Id,
    pub(super) likelihood: Likelihood,
    pub(super) evidence: Vec<String>,
}

/// The candidates, the likeliest first.
pub(super) fn candidates(mention: &Mention) -> Vec<Candidate> {
    let mut all = by_message(mention);
    // The time alone was wrong with the signature then, not the secret.
    let is_about_time = is_about_time(mention);
    let of_code = if is_about_time { &OF_A_CLOCK[..] } else { by_code(mention) };
    for (id, likelihood) in of_code {
        if !all.iter().any(|known| known.id == *id) {
            all.push(Candidate { id: *id, likelihood: *likelihood, evidence: vec![why(*id).to_owned()] });
        }
    }
    all
}

/// Whether the message says that the time of the request was off, whatever its code.
pub(super) fn is_about_time(mention: &Mention) -> bool {
    let text = mention.message.as_str();
    mention.skew_seconds.is_some() || text.contains("Signature expired") || text.contains("Signature not yet current")
}

const OF_A_CLOCK: [(Id, Likelihood); 3] =
    [(Id::ClockSkewed, Confirmed), (Id::ClockZone, Possible), (Id::ClockUnsynchronised, Possible)];

/// What the message says besides its code where no cause of the list is about it: who asked for what, and which policy decided.
pub(super) fn says(mention: &Mention) -> Vec<String> {
    let denied = access_denied::read(&mention.message);
    let is_denied = aws_error::lookup(mention.means).is_some_and(|entry| entry.meaning == "the caller may not do this");
    if !is_denied || (denied.action.is_none() && denied.because == Because::Unsaid) {
        return Vec::new();
    }
    sentences(&denied)
}

/// What the message decides by itself.
fn by_message(mention: &Mention) -> Vec<Candidate> {
    let text = mention.message.as_str();
    let one = |id, likelihood, sentence: String| vec![Candidate { id, likelihood, evidence: vec![sentence] }];
    if let Some(skew) = mention.skew_seconds {
        return clock(mention, skew);
    }
    if is_about_time(mention) {
        return one(Id::ClockSkewed, Confirmed, "the message says that the time of the request was off".to_owned());
    }
    // botocore's sentences.
    if mention.code == "InfiniteLoopConfigError" {
        let sentence = "the message says that the profiles name each other as source_profile in a circle";
        return one(Id::ProfileBroken, Confirmed, sentence.to_owned());
    }
    if mention.code == "ConfigParseError" {
        return one(Id::ProfileBroken, Confirmed, "the message says that an AWS file can't be read".to_owned());
    }
    if text.contains("DurationSeconds") {
        let sentence = "the message says that the session that was asked for is longer than AWS allows";
        return one(Id::DurationTooLong, Confirmed, sentence.to_owned());
    }
    if mention.means == "InvalidClientTokenId" && mention.service.as_deref() == Some("IAM") {
        let sentence =
            "IAM refuses credentials of GetSessionToken that were got without MFA, and says it in these words";
        return one(Id::SessionTokenWithoutMfa, Likely, sentence.to_owned());
    }
    let region = mention.region.as_deref().filter(|region| is_opt_in(region));
    if let (Some(region), true) = (region, refuses_key(mention)) {
        let sentence = format!("{region} has to be enabled for an account first, and refuses its keys until then");
        return one(Id::RegionNotEnabled, Likely, sentence);
    }
    if let Some((id, likelihood, sentence)) = SAID.iter().find_map(|(said, is)| text.contains(said).then_some(*is)) {
        return one(id, likelihood, sentence.to_owned());
    }
    if mention.means.starts_with("AccessDenied") {
        return denied(text);
    }
    Vec::new()
}

fn refuses_key(mention: &Mention) -> bool {
    const CODES: [&str; 4] = ["InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidToken"];
    CODES.contains(&mention.means)
}

fn clock(mention: &Mention, skew: i64) -> Vec<Candidate> {
    let (amount, direction) =
        (length(TimeDelta::seconds(skew.saturating_abs())), if skew < 0 { "behind" } else { "ahead of" });
    let mut evidence =
        vec![format!("the message carries both times: the request was signed with a time {amount} {direction} AWS's")];
    if skew < 0 {
        evidence.push("a request that waited so long between signature and sending would look the same".to_owned());
    }
    if mention.times > 1 {
        evidence.push(format!("it occurs {} times in the text", mention.times));
    }
    vec![Candidate { id: Id::ClockSkewed, likelihood: Confirmed, evidence }]
}

fn denied(text: &str) -> Vec<Candidate> {
    let denied = access_denied::read(text);
    let action = denied.action.as_deref().unwrap_or_default();
    // The sentences of STS besides that of a wrong code (github.com/aws/aws-cli/issues/6325, github.com/y13i/sgviz/issues/9).
    let of_mfa = if text.contains("unable to validate MFA code") {
        Some((Id::MfaCodeRefused, "AWS did not accept the MFA code, or mfa_serial does not name a device of this user"))
    } else if text.contains("must provide both MFA serial number and one time pass code") {
        Some((Id::MfaRequired, "the message says that a code was missing, or the device's mfa_serial"))
    } else {
        None
    };
    if let Some((id, sentence)) = of_mfa {
        return vec![Candidate { id, likelihood: Confirmed, evidence: vec![sentence.to_owned()] }];
    }
    let (id, likelihood) = match denied.because {
        Because::WrongCode => (Id::MfaCodeRefused, Confirmed),
        _ if action.starts_with("sts:") || denied.because == Because::Root => (Id::AssumeRoleDenied, Confirmed),
        _ if action.starts_with("sso:") => (Id::SsoRoleDenied, Confirmed),
        Because::SessionCredentials => (Id::EnvironmentShadowsProfile, Possible),
        _ => return Vec::new(),
    };
    let mut all = vec![Candidate { id, likelihood, evidence: sentences(&denied) }];
    if action == "sts:AssumeRole" && denied.because == Because::Unsaid {
        let sentence = "a trust policy that wants MFA refuses in the same words".to_owned();
        all.push(Candidate { id: Id::MfaRequired, likelihood: Possible, evidence: vec![sentence] });
    }
    all
}

fn sentences(denied: &Denied) -> Vec<String> {
    let action = denied.action.as_deref().unwrap_or_default();
    let mut evidence = Vec::new();
    if let (Some(who), false) = (&denied.principal, action.is_empty()) {
        let on = denied.resource.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
        evidence.push(format!("{who} asked for {action}{on}"));
    }
    evidence.push(match denied.because {
        Because::Forbidden(policy) => format!("{} forbids it, whatever else allows it", policy.called()),
        Because::NothingAllows(Policy::Identity) => {
            "no policy of the user or role that asks allows it: the permission is missing there".to_owned()
        }
        Because::NothingAllows(policy) => format!("{} does not allow it", policy.called()),
        Because::WrongCode => "AWS did not accept the MFA code: mistyped, too old, or used before".to_owned(),
        Because::Root => "the caller is an account's root user, which may not assume roles".to_owned(),
        Because::SessionCredentials => {
            "the call wants a user's long-term key, and temporary credentials were used".to_owned()
        }
        Because::Unsaid if action == "sts:TagSession" => {
            "the session was asked for with tags, and the trust policy has to allow sts:TagSession too".to_owned()
        }
        Because::Unsaid if !action.starts_with("sts:AssumeRole") => "AWS does not say which policy decided".to_owned(),
        Because::Unsaid => {
            "AWS does not say whether it was the trust policy, an external id, MFA, a policy of the caller or \
                            of the organisation, or a role that does not exist"
                .to_owned()
        }
    });
    evidence
}

/// What some messages say by themselves, whatever their code (each is a case under `tests/data/explain`, with its source).
const SAID: [(&str, (Id, Likelihood, &str)); 5] = [
    (
        "scoped to a valid region",
        (
            Id::RegionInconsistent,
            Likely,
            "the message says that the request was signed for another region than was asked",
        ),
    ),
    (
        "scoped to correct service",
        (
            Id::EndpointOverridden,
            Likely,
            "the message says that the request was signed for another service than was asked",
        ),
    ),
    (
        "greater than or equal to 900",
        (Id::ProfileBroken, Likely, "the message says that the session that was asked for is shorter than 15 minutes"),
    ),
    (
        "token included in the request is expired",
        (Id::CredentialsExpired, Likely, "the message says that the session token is past its end"),
    ),
    // EC2: the credentials are not meant where the time of the request is named.
    ("Timestamp date is", (Id::ClockSkewed, Likely, "the message names the time of the request as what is too old")),
];

/// What is behind each code, in the order of what is reported most (see the facts in each line of [`why`]).
fn by_code(mention: &Mention) -> &'static [(Id, Likelihood)] {
    match mention.means {
        "InvalidClientTokenId" | "UnrecognizedClientException" => &[
            (Id::SessionTokenMissing, Likely),
            (Id::SessionTokenStale, Likely),
            (Id::EnvironmentShadowsProfile, Likely),
            (Id::AccessKeyUnknown, Likely),
            (Id::SessionTokenForeign, Possible),
            (Id::CredentialsExpired, Possible),
            (Id::AccessKeyMalformed, Possible),
            (Id::RegionNotEnabled, Possible),
            (Id::RegionTokenV1, Possible),
            (Id::PartitionMismatch, Possible),
            (Id::EndpointOverridden, Possible),
            (Id::SessionTokenMalformed, Possible),
            (Id::SessionRevoked, Possible),
            (Id::SessionTokenWithoutMfa, Possible),
            (Id::ToolCachedCredentials, Possible),
            (Id::ClientsDisagree, Possible),
            (Id::ClockSkewed, Possible),
        ],
        "AuthFailure" => &[
            (Id::AccessKeyUnknown, Likely),
            (Id::RegionNotEnabled, Likely),
            (Id::SecretKeyWrong, Possible),
            (Id::ClockSkewed, Possible),
            (Id::SessionTokenMissing, Possible),
            (Id::SessionTokenStale, Possible),
            (Id::RegionTokenV1, Possible),
            (Id::PartitionMismatch, Possible),
            (Id::EnvironmentShadowsProfile, Possible),
        ],
        "InvalidAccessKeyId" => &[
            (Id::AccessKeyUnknown, Likely),
            (Id::SessionTokenMissing, Likely),
            (Id::EnvironmentShadowsProfile, Possible),
            (Id::EndpointOverridden, Possible),
            (Id::PartitionMismatch, Possible),
            (Id::AccessKeyMalformed, Possible),
            (Id::RegionNotEnabled, Possible),
        ],
        "InvalidToken" | "InvalidSecurity" => &[
            (Id::SessionTokenStale, Likely),
            (Id::SessionTokenForeign, Likely),
            (Id::SessionTokenMalformed, Likely),
            (Id::RegionTokenV1, Possible),
            (Id::RegionNotEnabled, Possible),
            (Id::EndpointOverridden, Possible),
            (Id::PartitionMismatch, Possible),
        ],
        "SignatureDoesNotMatch" | "InvalidSignatureException" => &[
            (Id::SecretKeyWrong, Likely),
            (Id::SecretKeyMalformed, Likely),
            (Id::EnvironmentShadowsProfile, Possible),
            (Id::ClockSkewed, Possible),
            (Id::EndpointOverridden, Possible),
            (Id::RegionInconsistent, Possible),
        ],
        "IncompleteSignature" | "IncompleteSignatureException" => &[
            (Id::AccessKeyMalformed, Likely),
            (Id::SecretKeyMalformed, Possible),
            (Id::SessionTokenMalformed, Possible),
            (Id::RegionInvalid, Possible),
        ],
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
            &[(Id::CredentialsMissing, Likely), (Id::EndpointOverridden, Likely), (Id::SessionTokenMalformed, Possible)]
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" if is_sign_in(mention) => {
            &[(Id::SsoLoginNeeded, Likely), (Id::ClockSkewed, Possible)]
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => &[
            (Id::CredentialsExpired, Likely),
            (Id::ConsumerCannotReload, Likely),
            (Id::EnvironmentShadowsProfile, Likely),
            (Id::SsoLoginNeeded, Possible),
            (Id::ToolCachedCredentials, Possible),
            (Id::SessionTokenStale, Possible),
            (Id::SessionRevoked, Possible),
            (Id::ClockSkewed, Possible),
        ],
        // EC2 says so of an old request, and is reported to say so of credentials past their end, too
        // (github.com/aws/aws-sdk-go-v2/issues/1674, github.com/aws/aws-sdk-java/issues/1443).
        "RequestExpired" => &[
            (Id::ClockSkewed, Likely),
            (Id::CredentialsExpired, Likely),
            (Id::ConsumerCannotReload, Possible),
            (Id::ClockZone, Possible),
            (Id::ClockUnsynchronised, Possible),
        ],
        "RequestInTheFuture" | "RequestTimeTooSkewed" => &[
            (Id::ClockSkewed, Likely),
            (Id::ClockZone, Possible),
            (Id::ClockUnsynchronised, Possible),
            (Id::CredentialsExpired, Possible),
        ],
        "OptInRequired" | "SubscriptionRequiredException" | "NotSignedUp" => {
            &[(Id::AccountNotSignedUp, Likely), (Id::RegionNotEnabled, Likely)]
        }
        "RegionDisabledException" => &[(Id::RegionNotEnabled, Confirmed)],
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "NotAuthorizedException"
        | "AuthorizationError" => &[
            (Id::EnvironmentShadowsProfile, Possible),
            (Id::AccountMismatch, Possible),
            (Id::MfaRequired, Possible),
            (Id::SessionTokenWithoutMfa, Possible),
            (Id::StaticKeysIgnored, Possible),
            (Id::ClientsDisagree, Possible),
            (Id::SessionRevoked, Possible),
        ],
        "UnauthorizedException"
        | "InvalidGrantException"
        | "InvalidClientException"
        | "UnauthorizedClientException"
        | "SsoSessionExpired"
        | "TOKEN_EXPIRED"
        | "AUTHCODE_EXPIRED"
        | "USER_CREDENTIALS_CHANGED"
        | "AuthorizationPendingException" => &[(Id::SsoLoginNeeded, Likely), (Id::ClockSkewed, Possible)],
        "ForbiddenException" | "ResourceNotFoundException" => {
            &[(Id::SsoRoleDenied, Likely), (Id::RegionInconsistent, Possible)]
        }
        "ValidationError" => &[(Id::DurationTooLong, Possible), (Id::ProfileBroken, Possible)],
        "IDPCommunicationError" => &[(Id::NetworkUnreachable, Possible)],
        "NoCredentials" => &[
            (Id::CredentialsMissing, Likely),
            (Id::ProfileBroken, Likely),
            (Id::FilesElsewhere, Possible),
            (Id::SsoLoginNeeded, Possible),
            (Id::AdoptionBroken, Possible),
            (Id::ClientsDisagree, Possible),
            (Id::FilePermissions, Possible),
            (Id::CredentialsExpired, Possible),
        ],
        "PartialCredentials" => &[(Id::CredentialsMissing, Confirmed), (Id::EnvironmentShadowsProfile, Possible)],
        "ProfileNotFound" => {
            &[(Id::ProfileBroken, Likely), (Id::FilesElsewhere, Likely), (Id::EnvironmentShadowsProfile, Possible)]
        }
        "ProcessFailed" => &[
            (Id::AdoptionBroken, Possible),
            (Id::ProfileBroken, Possible),
            (Id::SsoLoginNeeded, Possible),
            (Id::NetworkUnreachable, Possible),
        ],
        "NoRegion" => &[(Id::RegionMissing, Confirmed)],
        "InvalidRegion" => &[(Id::RegionInvalid, Confirmed)],
        "Network" => {
            &[(Id::NetworkUnreachable, Likely), (Id::RegionInvalid, Possible), (Id::EndpointOverridden, Possible)]
        }
        "RegistryNotLoggedIn" | "CodeCommitRefused" => {
            &[(Id::CredentialsExpired, Possible), (Id::RegionInconsistent, Possible), (Id::ClockSkewed, Possible)]
        }
        _ => &[],
    }
}

/// The sign-in services use ExpiredTokenException for their own tokens and codes.
fn is_sign_in(mention: &Mention) -> bool {
    matches!(mention.service.as_deref(), Some("SSO" | "SSO OIDC" | "Signin")) || mention.message.contains("SSO session")
}

/// Why something is a candidate at all.
fn why(id: Id) -> &'static str {
    match id {
        Id::SessionTokenMissing => "AWS answers so to a temporary key (ASIA…) that is sent without its session token",
        Id::SessionTokenStale => {
            "AWS answers so to a key that is sent with a session token left over from other credentials"
        }
        Id::SessionTokenForeign => "key and session token have to be of one session",
        Id::SessionTokenMalformed => "a session token that was cut or broken while it was copied is refused",
        Id::EnvironmentShadowsProfile => {
            "variables take precedence over the profile in most SDKs: other keys than meant may be used"
        }
        Id::AccessKeyUnknown => "a key that is mistyped, deleted, inactive or not known everywhere yet is refused",
        Id::AccessKeyMalformed => "quotes, blanks or a swapped id and secret make a key that AWS does not know",
        Id::CredentialsExpired => "temporary credentials are refused after their end",
        Id::RegionNotEnabled => "a region that the account has not enabled refuses credentials that are good elsewhere",
        Id::RegionTokenV1 => "tokens of STS's global endpoint are refused by regions that have to be enabled first",
        Id::PartitionMismatch => "keys of one partition (aws, aws-cn, aws-us-gov) are unknown in the others",
        Id::EndpointOverridden => "an emulator or another endpoint knows other keys, or other paths, than AWS",
        Id::SessionRevoked => "a session can be ended before its time",
        Id::SessionTokenWithoutMfa => "credentials of GetSessionToken without MFA are refused by IAM",
        Id::ToolCachedCredentials => "a tool may have kept older keys of its own",
        Id::ClientsDisagree => "SDKs do not all choose the same credentials from the same settings",
        Id::ClockSkewed => "a clock that is off is reported to show so, too",
        Id::ClockZone => "a clock set to local time as if it were UTC is off by whole hours",
        Id::ClockUnsynchronised => "nothing may be keeping the clock right",
        Id::SecretKeyWrong => {
            "the signature is made with the secret access key: another secret makes another signature"
        }
        Id::SecretKeyMalformed => {
            "a secret access key that was cut or broken while it was copied makes another signature"
        }
        Id::RegionInconsistent => "the region that is signed for has to be the region that is asked",
        Id::RegionInvalid => "a region's name is part of host name and signature",
        Id::CredentialsMissing => "the program had no whole set of credentials to sign with",
        Id::ConsumerCannotReload => "a program that read temporary keys once goes on using them after their end",
        Id::SsoLoginNeeded => "the sign-in session may be over",
        Id::AccountNotSignedUp => "the account has not signed up for the service, or is not active yet",
        Id::AccountMismatch => "the credentials may be of another account than meant",
        Id::MfaRequired => "a policy may want a session with MFA",
        Id::StaticKeysIgnored => "keys in the profile may not be those that were used",
        Id::SsoRoleDenied => "the person who is signed in may not have the role in this account",
        Id::DurationTooLong => "a session that is longer than the role allows is refused",
        Id::ProfileBroken => "the files may not say how the profile's credentials are got",
        Id::FilesElsewhere => "the program may read other AWS files than meant",
        Id::FilePermissions => "the program may not be allowed to read the AWS files",
        Id::AdoptionBroken => "the line that names evercred as credential_process may not work",
        Id::NetworkUnreachable => "AWS, or whoever had to answer, could not be reached",
        Id::MfaCodeRefused => "AWS did not accept the MFA code",
        Id::AssumeRoleDenied => "AWS did not let the caller assume the role",
        Id::RegionMissing => "no region was set where the program looks",
        Id::ProfileDuplicated => "a section may stand twice",
        Id::DaemonEnvironmentDiffers => "the daemon may go another way to AWS than this shell",
    }
}
