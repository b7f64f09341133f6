//! The table: every code once.

use super::{Entry, ErrorClass, OfSigner, PROCESS_NOT_FOUND};

const fn entry(code: &'static str, class: ErrorClass, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { code, class, of_signer: OfSigner::Nothing, ours: false, meaning, fix }
}

/// A code that AWS never sends: a call that AWS did not answer, a program or a file of this machine.
const fn ours(code: &'static str, class: ErrorClass, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { ours: true, ..entry(code, class, meaning, fix) }
}

const fn signer(code: &'static str, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { of_signer: OfSigner::Refused, ..entry(code, ErrorClass::Permanent, meaning, fix) }
}

const fn unknown_key(code: &'static str, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { of_signer: OfSigner::Unknown, ..entry(code, ErrorClass::Permanent, meaning, fix) }
}

const fn denied(code: &'static str) -> Entry {
    Entry {
        of_signer: OfSigner::Denied,
        ..entry(code, ErrorClass::Permanent, "the caller may not do this", PERMISSION)
    }
}

const CHECK_KEY: &str = "check the access key id and the secret access key; a key made a moment ago works \
     within seconds, a deleted or inactive one has to be replaced in IAM";
const NEW_SESSION: &str = "get new temporary credentials from the tool that wrote these, with their own session token";
const SIGN_UP: &str = "have the account's owner finish the sign-up, or use an account that has the service";
const PERMISSION: &str = "ask an administrator for the permission that the message names";
const LOG_IN: &str = "sign in again: evercred login";
const WAIT: &str = "nothing: evercred retries";
const NETWORK: &str = "check the network, and the proxy settings in [environment] of evercred.toml; evercred retries";

pub(super) static TABLE: &[Entry] = &[
    unknown_key(
        "InvalidClientTokenId",
        "AWS does not know the access key id, or its session token is missing or another's",
        CHECK_KEY,
    ),
    unknown_key("UnrecognizedClientException", "AWS does not know the access key id or session token", CHECK_KEY),
    unknown_key("AuthFailure", "AWS could not validate the credentials", CHECK_KEY),
    unknown_key("InvalidAccessKeyId", "AWS does not know the access key id", CHECK_KEY),
    unknown_key("InvalidToken", "the session token is malformed or not that of the key", NEW_SESSION),
    signer(
        "SignatureDoesNotMatch",
        "the secret access key is not the one that belongs to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
    ),
    signer(
        "InvalidSignatureException",
        "the secret access key is not the one that belongs to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
    ),
    signer("IncompleteSignature", "the signature is malformed: the key has characters that no key has", CHECK_KEY),
    signer("MissingAuthenticationToken", "the request was not signed", CHECK_KEY),
    signer("ExpiredToken", "the temporary credentials that signed the request have expired", NEW_SESSION),
    signer("ExpiredTokenException", "the temporary credentials that signed the request have expired", NEW_SESSION),
    denied("AccessDenied"),
    denied("AccessDeniedException"),
    entry(
        "ValidationError",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names; a role's longest session is set on the role, and a role assumed \
         from another role's session lives one hour at most (duration_seconds)",
    ),
    entry(
        "MalformedPolicyDocument",
        ErrorClass::Permanent,
        "the session policy is malformed",
        "correct the session policy",
    ),
    entry("PackedPolicyTooLarge", ErrorClass::Permanent, "session policy and tags are too large", "make them smaller"),
    entry("NoSuchEntity", ErrorClass::Permanent, "there is no such thing in IAM", "check the name in the settings"),
    entry(
        "RegionDisabledException",
        ErrorClass::Permanent,
        "STS is not activated in this region for this account",
        "set another region for the profile, or have an administrator enable the region for the account",
    ),
    entry(
        "OptInRequired",
        ErrorClass::Permanent,
        "the account is not signed up for the service or has not enabled the region",
        "set another region for the profile, or have an administrator enable the region for the account",
    ),
    entry("RequestExpired", ErrorClass::Retryable, "the request's time was too far in the past", WAIT),
    entry("RequestInTheFuture", ErrorClass::Retryable, "the request's time was too far in the future", WAIT),
    entry("RequestTimeTooSkewed", ErrorClass::Retryable, "the request's time was too far off", WAIT),
    entry("Throttling", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ThrottlingException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ThrottledException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("TooManyRequestsException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("RequestLimitExceeded", ErrorClass::Retryable, "too many requests", WAIT),
    entry("SlowDown", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ServiceUnavailable", ErrorClass::Retryable, "the service is not available now", WAIT),
    entry("InternalFailure", ErrorClass::Retryable, "the service failed", WAIT),
    entry("InternalError", ErrorClass::Retryable, "the service failed", WAIT),
    entry("IDPCommunicationError", ErrorClass::Retryable, "AWS could not reach the identity provider", WAIT),
    ours("Timeout", ErrorClass::Retryable, "no answer came in time", NETWORK),
    ours("Network", ErrorClass::Retryable, "the connection could not be made, or broke", NETWORK),
    ours(
        "Tls",
        ErrorClass::Retryable,
        "the server's certificate was not accepted",
        "behind a proxy that opens TLS, set AWS_CA_BUNDLE in [environment] of evercred.toml to its certificate",
    ),
    ours(
        "TlsClock",
        ErrorClass::Retryable,
        "the server's certificate is not valid at the time that this machine's clock shows",
        "set this machine's clock right",
    ),
    ours(
        "InvalidResponse",
        ErrorClass::Retryable,
        "what came back is no answer of AWS",
        "a proxy or a login page of the network may have answered instead; evercred retries",
    ),
    entry(
        "InvalidIdentityToken",
        ErrorClass::Permanent,
        "AWS does not accept the web identity token: it is no JWT, or of an issuer that the account does not trust",
        "run the program that writes the token file again, and check the account's identity provider",
    ),
    entry(
        "IDPRejectedClaim",
        ErrorClass::Permanent,
        "the identity provider did not vouch for the web identity token",
        "run the program that writes the token file again",
    ),
    ours(
        "TokenFile",
        ErrorClass::Permanent,
        "the web identity token can't be read",
        "run the program that writes the token file again, or correct web_identity_token_file",
    ),
    ours("CodeUsed", ErrorClass::Retryable, "the device still shows the code that was used", WAIT),
    ours(
        "MetadataUnavailable",
        ErrorClass::Retryable,
        "the place where the daemon runs gives no credentials",
        "credential_source = Ec2InstanceMetadata and EcsContainer work on an EC2 instance or in a container, with a role given to \
         it: elsewhere name a source_profile",
    ),
    ours(
        "ProcessFailed",
        ErrorClass::Permanent,
        "another program's credential_process gave no credentials",
        "run the profile's credential_process in a terminal, and do what it wants",
    ),
    ours(
        PROCESS_NOT_FOUND,
        ErrorClass::Permanent,
        "the program of a credential_process was not found",
        "name it with its whole path, or set PATH in [environment] of evercred.toml",
    ),
    // IAM Identity Center's portal.
    Entry {
        code: "UnauthorizedException",
        class: ErrorClass::NeedsLogin,
        of_signer: OfSigner::Refused,
        ours: false,
        meaning: "the SSO access token is not accepted: it has expired, or the session was ended",
        fix: LOG_IN,
    },
    entry(
        "ForbiddenException",
        ErrorClass::Permanent,
        "the person who is signed in does not have this role in this account",
        "check sso_account_id and sso_role_name (evercred profiles --sso SESSION lists what there is), or ask an administrator \
         of IAM Identity Center for the assignment",
    ),
    entry(
        "ResourceNotFoundException",
        ErrorClass::Permanent,
        "IAM Identity Center does not know this account or role",
        "check sso_account_id and sso_role_name: evercred profiles --sso SESSION lists what there is",
    ),
    // IAM Identity Center's tokens (RFC 6749 section 5.2, RFC 8628 section 3.5).
    entry(
        "InvalidGrantException",
        ErrorClass::NeedsLogin,
        "the refresh token or code is not accepted: the session is over, was ended, or the token was used by somebody else",
        LOG_IN,
    ),
    entry(
        "InvalidClientException",
        ErrorClass::NeedsLogin,
        "the registration of the client that signed in is not accepted any more",
        LOG_IN,
    ),
    entry("UnauthorizedClientException", ErrorClass::NeedsLogin, "the client that signed in may not do this", LOG_IN),
    ours("SignInExpired", ErrorClass::NeedsLogin, "nobody has signed in before the code expired", LOG_IN),
    ours(
        "SignInRefused",
        ErrorClass::NeedsLogin,
        "the person, or AWS, said no",
        "sign in again, and allow it on the page",
    ),
    entry(
        "InvalidRequestException",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names",
    ),
    ours(
        "StartUrlUnknown",
        ErrorClass::Permanent,
        "AWS knows no such start URL in this region",
        "check sso_start_url (the address of the access portal) and sso_region (where IAM Identity Center was set up)",
    ),
    entry(
        "InvalidScopeException",
        ErrorClass::Permanent,
        "AWS does not know one of the scopes",
        "correct sso_registration_scopes; sso:account:access is enough for accounts and roles",
    ),
    entry("SlowDownException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("InternalServerException", ErrorClass::Retryable, "the service failed", WAIT),
    // AWS Sign-In.
    entry("TOKEN_EXPIRED", ErrorClass::NeedsLogin, "the login session is over", LOG_IN),
    entry("AUTHCODE_EXPIRED", ErrorClass::NeedsLogin, "the sign-in took too long: its code has expired", LOG_IN),
    entry(
        "USER_CREDENTIALS_CHANGED",
        ErrorClass::NeedsLogin,
        "the password or the credentials of who signed in have changed since",
        LOG_IN,
    ),
    entry(
        "INSUFFICIENT_PERMISSIONS",
        ErrorClass::Permanent,
        "who signed in may not get credentials for local development",
        "ask an administrator for the policy SignInLocalDevelopmentAccess",
    ),
    entry(
        "INVALID_REQUEST",
        ErrorClass::NeedsLogin,
        "AWS Sign-In does not accept the request: the key or the token in the cache is not what the session was begun with",
        LOG_IN,
    ),
    entry("server_error", ErrorClass::Retryable, "the service failed", WAIT),
    entry("TooManyRequestsError", ErrorClass::Retryable, "too many requests", WAIT),
    ours("NotSupported", ErrorClass::Permanent, "a daemon can't get credentials of this kind", "name a source_profile"),
    ours(
        "CacheFailed",
        ErrorClass::Retryable,
        "the cache of the AWS tools can't be used",
        "check the owner and the permissions of ~/.aws/sso/cache and ~/.aws/login/cache",
    ),
    ours(
        "SsoCacheUnusable",
        ErrorClass::NeedsLogin,
        "the session's file in the cache of the AWS tools is not one of this session",
        LOG_IN,
    ),
    // What other SDKs and services say; the keeper never gets these.
    signer("MissingAuthenticationTokenException", "the request was not signed", CHECK_KEY),
    signer(
        "IncompleteSignatureException",
        "the signature is malformed: the key has characters that no key has",
        CHECK_KEY,
    ),
    signer("TokenRefreshRequired", "the temporary credentials that signed the request have to be renewed", NEW_SESSION),
    signer("InvalidSecurity", "the security credentials of the request are not valid", CHECK_KEY),
    entry(
        "SubscriptionRequiredException",
        ErrorClass::Permanent,
        "the account is not signed up for the service",
        SIGN_UP,
    ),
    entry("NotSignedUp", ErrorClass::Permanent, "the account is not signed up for the service", SIGN_UP),
    denied("UnauthorizedOperation"),
    denied("NotAuthorized"),
    denied("NotAuthorizedException"),
    denied("AuthorizationError"),
    entry(
        "AuthorizationPendingException",
        ErrorClass::Retryable,
        "nobody has finished the sign-in in the browser yet",
        WAIT,
    ),
    // Sentences of SDKs and tools, from before any request: names of ours.
    ours(
        "NoCredentials",
        ErrorClass::Permanent,
        "the program found no credentials in any of the places where it looks",
        "name a profile that has credentials (AWS_PROFILE), or run the program with evercred exec PROFILE --static -- COMMAND",
    ),
    ours(
        "PartialCredentials",
        ErrorClass::Permanent,
        "the program found one half of a key: the access key id or the secret access key is missing beside it",
        "set both, or remove the one that is left",
    ),
    ours(
        "ProfileNotFound",
        ErrorClass::Permanent,
        "the profile is in none of the AWS files that the program reads",
        "check the profile's name, AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE: evercred profiles lists what there is",
    ),
    entry(
        "AuthorizationHeaderMalformed",
        ErrorClass::Permanent,
        "S3 can't read the signature: it was made for another region than the bucket's, or with a key that is none",
        "ask in the region that the message names: aws configure set region, or --region",
    ),
    ours(
        "HeadRefused",
        ErrorClass::Permanent,
        "S3 refuses, and does not say why: the answer to a HEAD request has no body and no code",
        "ask so that S3 says why: aws s3api list-objects-v2 --max-items 1 --bucket BUCKET",
    ),
    ours(
        "SmtpRefused",
        ErrorClass::Permanent,
        "the SMTP interface of SES does not accept the user name and password: they are made from a key for one region, and are \
         not the key itself",
        "make SMTP credentials for this region in the console of SES, and use them instead of a key",
    ),
    ours(
        "WebIdentityExpired",
        ErrorClass::Permanent,
        "the web identity token has expired: it comes from an identity provider, by way of a file",
        "run the program that writes the token file (AWS_WEB_IDENTITY_TOKEN_FILE, web_identity_token_file) again",
    ),
    ours(
        "MfaCodeMissing",
        ErrorClass::NeedsLogin,
        "the profile wants the code of an MFA device (mfa_serial), and the program can't ask for it",
        "have evercred ask once and keep the session: evercred login PROFILE",
    ),
    ours(
        "KeyUnprintable",
        ErrorClass::Permanent,
        "the access key id or the session token has a line break or another character in it that no request can carry",
        "set the values again, without what stands before or behind them: secrets of CI systems often end with a line break",
    ),
    ours(
        "ExecPluginFailed",
        ErrorClass::Permanent,
        "the program that kubectl runs for its credentials gave none",
        "run the command that stands under user.exec of the kubeconfig in a terminal: it says why",
    ),
    ours(
        "AccountMismatch",
        ErrorClass::Permanent,
        "the credentials are of another account than the program was told to work in",
        "use the profile of the account that the message names first (AWS_PROFILE, or --profile)",
    ),
    ours(
        "LoginExpired",
        ErrorClass::NeedsLogin,
        "the session of aws login is over, or the person's credentials have changed",
        LOG_IN,
    ),
    ours(
        "ProfileUnreadable",
        ErrorClass::Permanent,
        "the program could make no sense of what the AWS files say of the profile",
        "correct the line: evercred profiles and evercred plan name it",
    ),
    ours(
        "SsoSessionExpired",
        ErrorClass::NeedsLogin,
        "nobody is signed in to IAM Identity Center for this profile, or the sign-in session is over",
        LOG_IN,
    ),
    ours(
        "NoRegion",
        ErrorClass::Permanent,
        "the program does not know which region to ask",
        "set region in the profile, or AWS_REGION and AWS_DEFAULT_REGION: boto3 reads only the latter, other SDKs the former",
    ),
    ours("InvalidRegion", ErrorClass::Permanent, "the region cannot be one", "correct the region that is set"),
    ours(
        "RegistryTokenExpired",
        ErrorClass::NeedsLogin,
        "the registry's token, which lives 12 hours, has expired; the AWS credentials may be fine",
        "log in to the registry again: aws ecr get-login-password, piped to docker login",
    ),
    ours(
        "RegistryNotLoggedIn",
        ErrorClass::NeedsLogin,
        "docker has no login for this registry",
        "log in to the registry: aws ecr get-login-password, piped to docker login",
    ),
    ours(
        "CodeCommitRefused",
        ErrorClass::Permanent,
        "CodeCommit did not accept what git's credential helper gave",
        "check the profile that the helper in the git configuration names, and that no other helper keeps an older answer",
    ),
];
