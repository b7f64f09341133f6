//! The table of AWS's codes: one row for each.

use super::code_causes::{
    BAD_SIGNATURE, BAD_TOKEN, DENIED, EXPIRED, NO_SSO_ROLE, NOT_SIGNED_UP, SIGNED_OUT, UNKNOWN_KEY,
    UNREADABLE_SIGNATURE, UNSIGNED, WRONG_TIME,
};
use super::entry::Causes::{Unlisted, Unrelated, Usual};
use super::entry::{Causes, EXPIRED_TOKEN, Entry, ErrorClass, OfSigner, Origin};
use crate::core::cause::Cause;
use crate::core::cause::Likelihood::{Confirmed, Likely, Possible};

pub(super) const fn entry(
    code: &'static str,
    class: ErrorClass,
    meaning: &'static str,
    fix: &'static str,
    causes: Causes,
) -> Entry {
    Entry { code, class, of_signer: OfSigner::Nothing, origin: Origin::Aws, meaning, fix, causes }
}

const fn signer(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { of_signer: OfSigner::Refused, ..entry(code, ErrorClass::Permanent, meaning, fix, causes) }
}

const fn expired(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { of_signer: OfSigner::Expired, ..signer(code, meaning, fix, causes) }
}

const fn wrong_secret(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { of_signer: OfSigner::WrongSecret, ..signer(code, meaning, fix, causes) }
}

const fn malformed(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { of_signer: OfSigner::Malformed, ..signer(code, meaning, fix, causes) }
}

const fn unknown_key(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { of_signer: OfSigner::Unknown, ..entry(code, ErrorClass::Permanent, meaning, fix, causes) }
}

const fn denied(code: &'static str, causes: Causes) -> Entry {
    let meaning = "the caller does not have the permission for this request";
    Entry { of_signer: OfSigner::Denied, ..entry(code, ErrorClass::Permanent, meaning, PERMISSION, causes) }
}

/// A code that other services and programs use too.
const fn shared(entry: Entry) -> Entry {
    Entry { origin: Origin::Shared, ..entry }
}

pub(super) const LOG_IN: &str = "sign in again: evercred login";
pub(super) const WAIT: &str = "evercred retries";
const CHECK_KEY: &str = "check the access key id and the secret access key; a new key works after a few seconds; replace a deleted or inactive key in IAM";
const NEW_SESSION: &str = "get new temporary credentials from their source, and replace access key id, secret access key and session token together";
const SIGN_UP: &str = "have the account's owner finish the sign-up, or use an account that has the service";
const PERMISSION: &str = "ask an administrator for the permission that the message names";

pub(super) static TABLE: &[Entry] = &[
    unknown_key(
        "InvalidClientTokenId",
        "AWS does not know the access key id, or its session token is missing or belongs to another key",
        CHECK_KEY,
        UNKNOWN_KEY,
    ),
    unknown_key(
        "UnrecognizedClientException",
        "AWS does not know the access key id or session token",
        CHECK_KEY,
        UNKNOWN_KEY,
    ),
    shared(unknown_key(
        "AuthFailure",
        "AWS could not validate the credentials",
        CHECK_KEY,
        Usual(&[
            (Cause::AccessKeyUnknown, Likely),
            (Cause::RegionNotEnabled, Likely),
            (Cause::SecretKeyWrong, Possible),
            (Cause::ClockSkewed, Possible),
            (Cause::SessionTokenMissing, Possible),
            (Cause::SessionTokenStale, Possible),
            (Cause::RegionTokenV1, Possible),
            (Cause::PartitionMismatch, Possible),
            (Cause::EnvironmentShadowsProfile, Possible),
        ]),
    )),
    unknown_key(
        "InvalidAccessKeyId",
        "AWS does not know the access key id",
        CHECK_KEY,
        Usual(&[
            (Cause::AccessKeyUnknown, Likely),
            (Cause::SessionTokenMissing, Likely),
            (Cause::EnvironmentShadowsProfile, Possible),
            (Cause::EndpointOverridden, Possible),
            (Cause::PartitionMismatch, Possible),
            (Cause::AccessKeyMalformed, Possible),
            (Cause::RegionNotEnabled, Possible),
        ]),
    ),
    shared(unknown_key(
        "InvalidToken",
        "the session token is malformed or belongs to another key",
        NEW_SESSION,
        BAD_TOKEN,
    )),
    wrong_secret(
        "SignatureDoesNotMatch",
        "the secret access key does not belong to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
        BAD_SIGNATURE,
    ),
    wrong_secret(
        "InvalidSignatureException",
        "the secret access key does not belong to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
        BAD_SIGNATURE,
    ),
    malformed(
        "IncompleteSignature",
        "the signature is malformed: the key has characters that no key has",
        CHECK_KEY,
        UNREADABLE_SIGNATURE,
    ),
    signer("MissingAuthenticationToken", "the request was not signed", CHECK_KEY, UNSIGNED),
    shared(expired(
        EXPIRED_TOKEN,
        "the temporary credentials that signed the request have expired",
        NEW_SESSION,
        EXPIRED,
    )),
    expired(
        "ExpiredTokenException",
        "the temporary credentials that signed the request have expired",
        NEW_SESSION,
        EXPIRED,
    ),
    shared(denied("AccessDenied", DENIED)),
    shared(denied("AccessDeniedException", DENIED)),
    shared(entry(
        "ValidationError",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names; each role has a maximum for duration_seconds, which is one hour if another role assumes it",
        Usual(&[(Cause::DurationTooLong, Possible), (Cause::ProfileBroken, Possible)]),
    )),
    entry(
        "MalformedPolicyDocument",
        ErrorClass::Permanent,
        "the session policy is malformed",
        "correct the session policy",
        Unlisted("a policy is wrong; the credentials are valid"),
    ),
    entry(
        "PackedPolicyTooLarge",
        ErrorClass::Permanent,
        "session policy and tags are too large",
        "make them smaller",
        Unlisted("the policy or the tags are too large; the credentials are valid"),
    ),
    shared(entry(
        "NoSuchEntity",
        ErrorClass::Permanent,
        "IAM has no entity with this name",
        "check the name in the settings",
        Unlisted("a name is wrong; the credentials are valid"),
    )),
    entry(
        "RegionDisabledException",
        ErrorClass::Permanent,
        "STS is not activated in this region for this account",
        "set another region for the profile, or have an administrator enable the region for the account",
        Usual(&[(Cause::RegionNotEnabled, Confirmed)]),
    ),
    entry(
        "OptInRequired",
        ErrorClass::Permanent,
        "the account is not signed up for the service or has not enabled the region",
        "set another region for the profile, or have an administrator enable the region for the account",
        NOT_SIGNED_UP,
    ),
    shared(entry(
        "RequestExpired",
        ErrorClass::Retryable,
        "the request's time was too far in the past",
        WAIT,
        Usual(&[
            (Cause::ClockSkewed, Likely),
            (Cause::CredentialsExpired, Likely),
            (Cause::ConsumerCannotReload, Possible),
            (Cause::ClockZone, Possible),
            (Cause::ClockUnsynchronised, Possible),
        ]),
    )),
    entry(
        "RequestInTheFuture",
        ErrorClass::Retryable,
        "the request's time was too far in the future",
        WAIT,
        WRONG_TIME,
    ),
    entry(
        "RequestTimeTooSkewed",
        ErrorClass::Retryable,
        "the clock skew of the request was too large",
        WAIT,
        WRONG_TIME,
    ),
    entry("Throttling", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("ThrottlingException", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("ThrottledException", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("TooManyRequestsException", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("RequestLimitExceeded", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("SlowDown", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("ServiceUnavailable", ErrorClass::Retryable, "the service is not available now", WAIT, Unrelated),
    entry("InternalFailure", ErrorClass::Retryable, "the service failed", WAIT, Unrelated),
    entry("InternalError", ErrorClass::Retryable, "the service failed", WAIT, Unrelated),
    entry(
        "IDPCommunicationError",
        ErrorClass::Retryable,
        "AWS could not reach the identity provider",
        WAIT,
        Usual(&[(Cause::NetworkUnreachable, Possible)]),
    ),
    shared(entry(
        "InvalidIdentityToken",
        ErrorClass::Permanent,
        "AWS does not accept the web identity token: it is not a JWT, or the account does not trust its issuer",
        "run the program that writes the token file again, and check the account's identity provider",
        Usual(&[(Cause::AssumeRoleDenied, Possible)]),
    )),
    entry(
        "IDPRejectedClaim",
        ErrorClass::Permanent,
        "the identity provider did not confirm the web identity token",
        "run the program that writes the token file again",
        Usual(&[(Cause::AssumeRoleDenied, Possible)]),
    ),
    // IAM Identity Center's portal.
    Entry {
        code: "UnauthorizedException",
        class: ErrorClass::NeedsLogin,
        of_signer: OfSigner::Refused,
        origin: Origin::Shared,
        causes: SIGNED_OUT,
        meaning: "the SSO access token is not accepted: it has expired, or the session was ended",
        fix: LOG_IN,
    },
    shared(entry(
        "ForbiddenException",
        ErrorClass::Permanent,
        "the signed-in user does not have this role in this account",
        "check sso_account_id and sso_role_name (evercred profiles --sso SESSION lists the accounts and roles), or ask an administrator \
         of IAM Identity Center for the assignment",
        NO_SSO_ROLE,
    )),
    shared(entry(
        "ResourceNotFoundException",
        ErrorClass::Permanent,
        "IAM Identity Center does not know this account or role",
        "check sso_account_id and sso_role_name: evercred profiles --sso SESSION lists the accounts and roles",
        NO_SSO_ROLE,
    )),
    // IAM Identity Center's tokens (RFC 6749 section 5.2, RFC 8628 section 3.5).
    entry(
        "InvalidGrantException",
        ErrorClass::NeedsLogin,
        "the refresh token or code is not accepted: the session has expired or was ended, or another program has used the token",
        LOG_IN,
        SIGNED_OUT,
    ),
    shared(entry(
        "InvalidClientException",
        ErrorClass::NeedsLogin,
        "AWS no longer accepts the registration of the client that signed in",
        LOG_IN,
        SIGNED_OUT,
    )),
    shared(entry(
        "UnauthorizedClientException",
        ErrorClass::NeedsLogin,
        "the client that signed in may not do this",
        LOG_IN,
        SIGNED_OUT,
    )),
    shared(entry(
        "InvalidRequestException",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names",
        Usual(&[(Cause::ProfileBroken, Possible)]),
    )),
    shared(entry(
        "InvalidScopeException",
        ErrorClass::Permanent,
        "AWS does not know one of the scopes",
        "correct sso_registration_scopes; sso:account:access is enough for accounts and roles",
        Usual(&[(Cause::ProfileBroken, Possible)]),
    )),
    entry("SlowDownException", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    entry("InternalServerException", ErrorClass::Retryable, "the service failed", WAIT, Unrelated),
    // AWS Sign-In.
    shared(entry("TOKEN_EXPIRED", ErrorClass::NeedsLogin, "the login session has expired", LOG_IN, SIGNED_OUT)),
    entry(
        "AUTHCODE_EXPIRED",
        ErrorClass::NeedsLogin,
        "the sign-in took too long: its code has expired",
        LOG_IN,
        SIGNED_OUT,
    ),
    entry(
        "USER_CREDENTIALS_CHANGED",
        ErrorClass::NeedsLogin,
        "the password or the credentials of the user who signed in have changed",
        LOG_IN,
        SIGNED_OUT,
    ),
    shared(entry(
        "INSUFFICIENT_PERMISSIONS",
        ErrorClass::Permanent,
        "the user who signed in may not get credentials for local development",
        "ask an administrator for the policy SignInLocalDevelopmentAccess",
        Usual(&[(Cause::SsoRoleDenied, Likely)]),
    )),
    shared(entry(
        "INVALID_REQUEST",
        ErrorClass::NeedsLogin,
        "AWS Sign-In does not accept the request: the cached key or token is not the one with which the session began",
        LOG_IN,
        Usual(&[(Cause::SsoLoginNeeded, Likely)]),
    )),
    entry("server_error", ErrorClass::Retryable, "the service failed", WAIT, Unrelated),
    entry("TooManyRequestsError", ErrorClass::Retryable, "too many requests", WAIT, Unrelated),
    // What other SDKs and services say; the keeper never gets these.
    signer("MissingAuthenticationTokenException", "the request was not signed", CHECK_KEY, UNSIGNED),
    malformed(
        "IncompleteSignatureException",
        "the signature is malformed: the key has characters that no key has",
        CHECK_KEY,
        UNREADABLE_SIGNATURE,
    ),
    shared(expired(
        "TokenRefreshRequired",
        "the temporary credentials that signed the request have to be renewed",
        NEW_SESSION,
        EXPIRED,
    )),
    shared(signer("InvalidSecurity", "the security credentials of the request are not valid", CHECK_KEY, BAD_TOKEN)),
    entry(
        "SubscriptionRequiredException",
        ErrorClass::Permanent,
        "the account is not signed up for the service",
        SIGN_UP,
        NOT_SIGNED_UP,
    ),
    entry("NotSignedUp", ErrorClass::Permanent, "the account is not signed up for the service", SIGN_UP, NOT_SIGNED_UP),
    shared(denied("UnauthorizedOperation", DENIED)),
    shared(denied("NotAuthorized", DENIED)),
    shared(denied("NotAuthorizedException", DENIED)),
    shared(denied("AuthorizationError", DENIED)),
    entry(
        "AuthorizationPendingException",
        ErrorClass::Retryable,
        "the sign-in in the browser is not completed yet",
        WAIT,
        SIGNED_OUT,
    ),
    entry(
        "AuthorizationHeaderMalformed",
        ErrorClass::Permanent,
        "S3 can't read the signature: it was made for another region than the bucket's, or with a malformed access key id",
        "use the region that the message names: aws configure set region, or --region",
        Usual(&[
            (Cause::RegionInconsistent, Likely),
            (Cause::AccessKeyMalformed, Possible),
            (Cause::EndpointOverridden, Possible),
        ]),
    ),
];
