//! The table of evercred's own codes: requests that AWS did not answer, and errors of other programs, SDKs and files.

use super::code_causes::{OF_A_HELPER, REFUSED_WITHOUT_CODE, SIGNED_OUT, UNREACHED};
use super::entry::Causes::{Unlisted, Usual};
use super::entry::{
    CACHE_FAILED, CODE_USED, Causes, Entry, ErrorClass, INVALID_RESPONSE, METADATA_UNAVAILABLE, NOT_SUPPORTED, Origin,
    PROCESS_FAILED, PROCESS_NOT_FOUND, SSO_CACHE_UNUSABLE, SSO_SESSION_EXPIRED, TIMEOUT, TLS_CLOCK, TOKEN_FILE,
};
use super::table::{LOG_IN, WAIT, entry};
use crate::core::cause::Cause;
use crate::core::cause::Likelihood::{Confirmed, Likely, Possible};

/// A code that AWS never sends, for an error of another program, an SDK or a file on this machine.
const fn ours(
    code: &'static str,
    class: ErrorClass,
    meaning: &'static str,
    fix: &'static str,
    causes: Causes,
) -> Entry {
    Entry { origin: Origin::Local, ..entry(code, class, meaning, fix, causes) }
}

/// A request that AWS did not answer.
const fn unanswered(code: &'static str, meaning: &'static str, fix: &'static str, causes: Causes) -> Entry {
    Entry { origin: Origin::Unanswered, ..entry(code, ErrorClass::Retryable, meaning, fix, causes) }
}

const NETWORK: &str = "check the network, and the proxy settings in [environment] of evercred.toml";

pub(super) static TABLE: &[Entry] = &[
    unanswered(TIMEOUT, "no answer came in time", NETWORK, UNREACHED),
    unanswered(
        "Network",
        "the connection could not be made, or broke",
        NETWORK,
        Usual(&[
            (Cause::NetworkUnreachable, Likely),
            (Cause::RegionInvalid, Possible),
            (Cause::EndpointOverridden, Possible),
        ]),
    ),
    unanswered(
        "Tls",
        "the server's certificate was not accepted",
        "if a proxy intercepts TLS, set AWS_CA_BUNDLE in [environment] of evercred.toml to its certificate",
        Usual(&[(Cause::NetworkUnreachable, Likely), (Cause::ClockSkewed, Possible)]),
    ),
    unanswered(
        TLS_CLOCK,
        "the server's certificate is not valid at the time that this machine's clock shows",
        "correct this machine's clock",
        Usual(&[(Cause::ClockSkewed, Likely), (Cause::ClockZone, Possible), (Cause::ClockUnsynchronised, Possible)]),
    ),
    unanswered(
        INVALID_RESPONSE,
        "the response is not from AWS",
        "a proxy or a login page of the network may have answered instead",
        UNREACHED,
    ),
    ours(
        TOKEN_FILE,
        ErrorClass::Permanent,
        "the web identity token can't be read",
        "run the program that writes the token file again, or correct web_identity_token_file",
        Usual(&[(Cause::CredentialsMissing, Likely), (Cause::CredentialsExpired, Possible)]),
    ),
    ours(
        CODE_USED,
        ErrorClass::Retryable,
        "the device still shows the code that was used",
        WAIT,
        Usual(&[(Cause::MfaRequired, Likely)]),
    ),
    ours(
        METADATA_UNAVAILABLE,
        ErrorClass::Retryable,
        "the metadata service of the container or instance gave no credentials",
        "give the container or instance a role; on another machine, name a source_profile instead of credential_source",
        Usual(&[(Cause::CredentialsMissing, Likely), (Cause::NetworkUnreachable, Possible)]),
    ),
    ours(
        "MetadataUnauthorized",
        ErrorClass::Retryable,
        "the instance metadata service answered 401: the program sent no valid token of IMDSv2",
        "use a version of the program that supports IMDSv2; in a container, set the hop limit of the instance's metadata \
         options to 2",
        Usual(&[(Cause::CredentialsMissing, Likely), (Cause::ClientsDisagree, Possible)]),
    ),
    ours(
        PROCESS_FAILED,
        ErrorClass::Permanent,
        "another program's credential_process gave no credentials",
        "run the profile's credential_process in a terminal, and follow its instructions",
        Usual(&[
            (Cause::AdoptionBroken, Possible),
            (Cause::ProfileBroken, Possible),
            (Cause::SsoLoginNeeded, Possible),
            (Cause::NetworkUnreachable, Possible),
        ]),
    ),
    ours(
        PROCESS_NOT_FOUND,
        ErrorClass::Permanent,
        "the program of a credential_process was not found",
        "use its full path, or set PATH in [environment] of evercred.toml",
        Usual(&[(Cause::ProfileBroken, Likely), (Cause::AdoptionBroken, Possible)]),
    ),
    ours(
        "SignInExpired",
        ErrorClass::NeedsLogin,
        "the code expired before you signed in",
        LOG_IN,
        Usual(&[(Cause::SsoLoginNeeded, Confirmed)]),
    ),
    ours(
        "SignInRefused",
        ErrorClass::NeedsLogin,
        "the sign-in was denied, by you or by AWS",
        "sign in again, and allow it on the page",
        Usual(&[(Cause::SsoLoginNeeded, Confirmed)]),
    ),
    ours(
        "StartUrlUnknown",
        ErrorClass::Permanent,
        "AWS knows no such start URL in this region",
        "check sso_start_url (the address of the access portal) and sso_region (where IAM Identity Center was set up)",
        Usual(&[(Cause::ProfileBroken, Likely), (Cause::RegionInconsistent, Possible)]),
    ),
    ours(
        NOT_SUPPORTED,
        ErrorClass::Permanent,
        "a daemon can't get credentials of this kind",
        "name a source_profile",
        Unlisted("the daemon can't get these credentials"),
    ),
    ours(
        CACHE_FAILED,
        ErrorClass::Retryable,
        "the cache of the AWS tools can't be used",
        "check the owner and the permissions of ~/.aws/sso/cache and ~/.aws/login/cache",
        Usual(&[(Cause::SsoCacheUnwritable, Likely)]),
    ),
    ours(
        SSO_CACHE_UNUSABLE,
        ErrorClass::NeedsLogin,
        "the session's file in the cache of the AWS tools is not one of this session",
        LOG_IN,
        Usual(&[(Cause::SsoLoginNeeded, Likely)]),
    ),
    // evercred's codes for errors that SDKs and tools report before they send a request.
    ours(
        "NoCredentials",
        ErrorClass::Permanent,
        "the program found no credentials in any of its sources",
        "name a profile that has credentials (AWS_PROFILE), or run the program with evercred exec PROFILE --static -- COMMAND",
        Usual(&[
            (Cause::CredentialsMissing, Likely),
            (Cause::ProfileBroken, Likely),
            (Cause::FilesElsewhere, Possible),
            (Cause::SsoLoginNeeded, Possible),
            (Cause::AdoptionBroken, Possible),
            (Cause::ClientsDisagree, Possible),
            (Cause::FilePermissions, Possible),
            (Cause::CredentialsExpired, Possible),
        ]),
    ),
    ours(
        "PartialCredentials",
        ErrorClass::Permanent,
        "the program found only half of a key: the access key id or the secret access key is missing",
        "set both, or remove the other one",
        Usual(&[(Cause::CredentialsMissing, Confirmed), (Cause::EnvironmentShadowsProfile, Possible)]),
    ),
    ours(
        "ProfileNotFound",
        ErrorClass::Permanent,
        "the profile is in none of the AWS files that the program reads",
        "check the profile's name, AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE: evercred profiles lists all profiles",
        Usual(&[
            (Cause::ProfileBroken, Likely),
            (Cause::FilesElsewhere, Likely),
            (Cause::EnvironmentShadowsProfile, Possible),
        ]),
    ),
    ours(
        "RefusedWithoutCode",
        ErrorClass::Permanent,
        "AWS refused the request, and the program shows only the HTTP status",
        "see AWS's answer to the same credentials: aws sts get-caller-identity",
        REFUSED_WITHOUT_CODE,
    ),
    ours(
        "SdkModuleMissing",
        ErrorClass::Permanent,
        "the program lacks the SDK module that a profile of this kind needs",
        "add the module that the message names to the program (sts, sso, ssooidc), or use another kind of profile",
        Usual(&[(Cause::ClientsDisagree, Likely), (Cause::CredentialsMissing, Possible)]),
    ),
    ours(
        "HeadRefused",
        ErrorClass::Permanent,
        "S3 refused the request without a reason: the answer to a HEAD request has no body and no code",
        "see the reason with another request: aws s3api list-objects-v2 --max-items 1 --bucket BUCKET",
        REFUSED_WITHOUT_CODE,
    ),
    ours(
        "SmtpRefused",
        ErrorClass::Permanent,
        "the SMTP interface of SES does not accept the user name and password: they are made from a key for one region, and are \
         not the key itself",
        "make SMTP credentials for this region in the console of SES, and use them instead of a key",
        Usual(&[(Cause::AccessKeyUnknown, Possible), (Cause::RegionInconsistent, Possible)]),
    ),
    ours(
        "WebIdentityExpired",
        ErrorClass::Permanent,
        "the web identity token has expired; its identity provider writes it to a file",
        "run the program that writes the token file (AWS_WEB_IDENTITY_TOKEN_FILE, web_identity_token_file) again",
        Usual(&[(Cause::CredentialsExpired, Likely), (Cause::ClockSkewed, Possible)]),
    ),
    ours(
        "MfaCodeMissing",
        ErrorClass::NeedsLogin,
        "the profile needs a code from an MFA device (mfa_serial), and the program can't ask for it",
        "enter the code once for a session of evercred: evercred login PROFILE",
        Usual(&[(Cause::MfaRequired, Confirmed)]),
    ),
    ours(
        "KeyUnprintable",
        ErrorClass::Permanent,
        "the access key id or the session token contains a line break or another character that a request can't contain",
        "set the values again, without blanks and line breaks around them: secrets of CI systems often end with a line break",
        Usual(&[
            (Cause::AccessKeyMalformed, Likely),
            (Cause::SessionTokenMalformed, Likely),
            (Cause::SecretKeyMalformed, Possible),
        ]),
    ),
    ours(
        "ExecPluginFailed",
        ErrorClass::Permanent,
        "the credential plugin of kubectl gave no credentials",
        "run the command in user.exec of the kubeconfig in a terminal: it prints the reason",
        Usual(&[
            (Cause::CredentialsExpired, Possible),
            (Cause::SsoLoginNeeded, Possible),
            (Cause::CredentialsMissing, Possible),
            (Cause::ProfileBroken, Possible),
            (Cause::NetworkUnreachable, Possible),
        ]),
    ),
    ours(
        "ExecPluginMissing",
        ErrorClass::Permanent,
        "kubectl did not find the credential plugin that the kubeconfig names",
        "install the program that the message names, or write the kubeconfig again: aws eks update-kubeconfig --name CLUSTER",
        Unlisted("a program is missing; the AWS credentials may be valid"),
    ),
    ours(
        "ClusterUnreachable",
        ErrorClass::Permanent,
        "the program could not use the EKS cluster: its endpoint was not reached, or did not accept the credentials",
        "see the reason with the same kubeconfig: kubectl get nodes",
        Usual(&[
            (Cause::NetworkUnreachable, Possible),
            (Cause::CredentialsExpired, Possible),
            (Cause::EnvironmentShadowsProfile, Possible),
            (Cause::AccountMismatch, Possible),
        ]),
    ),
    ours(
        "ClusterTokenRefused",
        ErrorClass::Permanent,
        "the EKS cluster did not accept the token: it has expired, or the cluster gives its user or role no access",
        "compare the user or role (aws sts get-caller-identity) with the cluster's access entries and its aws-auth ConfigMap",
        Usual(&[
            (Cause::EnvironmentShadowsProfile, Possible),
            (Cause::AccountMismatch, Possible),
            (Cause::CredentialsExpired, Possible),
            (Cause::ClientsDisagree, Possible),
        ]),
    ),
    ours(
        "AccountMismatch",
        ErrorClass::Permanent,
        "the credentials belong to another account than the one that the program expects",
        "use the profile of the account that the message names first (AWS_PROFILE, or --profile)",
        Usual(&[
            (Cause::AccountMismatch, Confirmed),
            (Cause::EnvironmentShadowsProfile, Possible),
            (Cause::ClientsDisagree, Possible),
        ]),
    ),
    ours(
        "RoleNotAssumed",
        ErrorClass::Permanent,
        "the program could not assume the role, and continues with the profile's own credentials",
        "see AWS's answer: run the program with its verbose option, or aws sts assume-role with the role that the message names",
        Usual(&[
            (Cause::AssumeRoleDenied, Likely),
            (Cause::EnvironmentShadowsProfile, Possible),
            (Cause::CredentialsExpired, Possible),
            (Cause::MfaRequired, Possible),
        ]),
    ),
    ours(
        "LoginExpired",
        ErrorClass::NeedsLogin,
        "the aws login session has expired, or the user's credentials have changed",
        LOG_IN,
        SIGNED_OUT,
    ),
    ours(
        "ProfileUnreadable",
        ErrorClass::Permanent,
        "the program could not read the profile in the AWS files",
        "correct the line that evercred profiles and evercred plan name",
        Usual(&[(Cause::ProfileBroken, Likely)]),
    ),
    ours(
        SSO_SESSION_EXPIRED,
        ErrorClass::NeedsLogin,
        "you are not signed in to IAM Identity Center for this profile, or the session has expired",
        LOG_IN,
        SIGNED_OUT,
    ),
    ours(
        "NoRegion",
        ErrorClass::Permanent,
        "the program has no region",
        "set region in the profile, or AWS_REGION and AWS_DEFAULT_REGION: boto3 reads only the latter, other SDKs the former",
        Usual(&[(Cause::RegionMissing, Confirmed)]),
    ),
    ours(
        "InvalidRegion",
        ErrorClass::Permanent,
        "the value is not a valid region",
        "correct the region that is set",
        Usual(&[(Cause::RegionInvalid, Confirmed)]),
    ),
    ours(
        "RegistryTokenExpired",
        ErrorClass::NeedsLogin,
        "the registry's token has expired (after 12 hours); the AWS credentials may be valid",
        "log in to the registry again: aws ecr get-login-password, piped to docker login",
        Unlisted("the registry's token has expired, which is not an AWS credential"),
    ),
    ours(
        "RegistryNotLoggedIn",
        ErrorClass::NeedsLogin,
        "docker has no login for this registry",
        "log in to the registry: aws ecr get-login-password, piped to docker login",
        OF_A_HELPER,
    ),
    ours(
        "CodeCommitRefused",
        ErrorClass::Permanent,
        "CodeCommit did not accept the credentials of git's credential helper",
        "check the profile of the helper in the git configuration, and that no other helper has cached an older answer",
        OF_A_HELPER,
    ),
];
