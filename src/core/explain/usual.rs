//! The usual causes of each code, whatever else the message says.

use super::extract::Mention;
use super::join::Likelihood::{self, Confirmed, Likely, Possible};
use crate::core::doctor::Id;

/// What is behind each code, in the order of what is reported most (see the facts in each line of [`why`]).
pub(super) fn of(mention: &Mention) -> &'static [(Id, Likelihood)] {
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
            (Id::ClockSkewed, Confirmed),
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
        | "LoginExpired"
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
        "ProfileUnreadable" => &[(Id::ProfileBroken, Likely)],
        "AuthorizationHeaderMalformed" => {
            &[(Id::RegionInconsistent, Likely), (Id::AccessKeyMalformed, Possible), (Id::EndpointOverridden, Possible)]
        }
        "HeadRefused" => &[
            (Id::CredentialsExpired, Possible),
            (Id::SessionTokenMissing, Possible),
            (Id::SessionTokenStale, Possible),
            (Id::AccessKeyUnknown, Possible),
            (Id::SecretKeyWrong, Possible),
            (Id::RegionInconsistent, Possible),
            (Id::RegionTokenV1, Possible),
            (Id::EnvironmentShadowsProfile, Possible),
            (Id::AccountMismatch, Possible),
            (Id::ClockSkewed, Possible),
        ],
        "WebIdentityExpired" => &[(Id::CredentialsExpired, Likely), (Id::ClockSkewed, Possible)],
        "MfaCodeMissing" => &[(Id::MfaRequired, Confirmed)],
        "KeyUnprintable" => {
            &[(Id::AccessKeyMalformed, Likely), (Id::SessionTokenMalformed, Likely), (Id::SecretKeyMalformed, Possible)]
        }
        "SmtpRefused" => &[(Id::AccessKeyUnknown, Possible), (Id::RegionInconsistent, Possible)],
        "AccountMismatch" => &[
            (Id::AccountMismatch, Confirmed),
            (Id::EnvironmentShadowsProfile, Possible),
            (Id::ClientsDisagree, Possible),
        ],
        "PartialCredentials" => &[(Id::CredentialsMissing, Confirmed), (Id::EnvironmentShadowsProfile, Possible)],
        "ProfileNotFound" => {
            &[(Id::ProfileBroken, Likely), (Id::FilesElsewhere, Likely), (Id::EnvironmentShadowsProfile, Possible)]
        }
        "TlsClock" => &[(Id::ClockSkewed, Likely), (Id::ClockZone, Possible), (Id::ClockUnsynchronised, Possible)],
        "ExecPluginFailed" => &[
            (Id::CredentialsExpired, Possible),
            (Id::SsoLoginNeeded, Possible),
            (Id::CredentialsMissing, Possible),
            (Id::ProfileBroken, Possible),
            (Id::NetworkUnreachable, Possible),
        ],
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
pub(super) fn why(id: Id) -> &'static str {
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
        Id::ClockSkewed => "a clock that is far off is reported to bring this error, too",
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
        Id::SsoCacheUnwritable => "evercred may be unable to replace the cache file of the sign-in session",
        Id::SsoRoleDenied => "the person who is signed in may not have the role in this account",
        Id::DurationTooLong => "a session that is longer than the role allows is refused",
        Id::ProfileBroken => "the files may not say how the profile's credentials are got",
        Id::FilesElsewhere => "the program may read other AWS files than meant",
        Id::FilePermissions => "the program may not be allowed to read the AWS files",
        Id::AdoptionBroken => "the line that names evercred as credential_process may not work",
        Id::NetworkUnreachable => "AWS, or another required service, could not be reached",
        Id::MfaCodeRefused => "AWS did not accept the MFA code",
        Id::AssumeRoleDenied => "AWS did not let the caller assume the role",
        Id::RegionMissing => "no region was set where the program looks",
        Id::ProfileDuplicated => "a section may stand twice",
        Id::DaemonEnvironmentDiffers => "the daemon may go another way to AWS than this shell",
    }
}
