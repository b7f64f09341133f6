//! What is looked for: codes of AWS's, AWS's sentences where an SDK leaves the code out, and the SDKs' own sentences.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::core::aws_error::{self, Origin};

/// What a place in a text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The words in the text; a blank stands for any white space.
    pub(super) text: &'static str,
    /// The code that is shown.
    pub(super) code: &'static str,
    /// The code of `core::aws_error` that says what it means.
    pub(super) means: &'static str,
    /// How it is read.
    pub(super) kind: Kind,
}

/// How a place in a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A code that only AWS uses.
    Code,
    /// A code that others use too: it counts beside words that only AWS and its SDKs use.
    CommonCode,
    /// AWS's message: counts where no code stands near it.
    Message,
    /// A sentence or an exception of an SDK that says exactly what it missed.
    Exact,
    /// The same in words that others use too: it counts beside words that only AWS and its SDKs use.
    Common,
    /// A sentence that only says that nothing was found or that something failed.
    General,
}

const fn message(text: &'static str, code: &'static str) -> Pattern {
    Pattern { text, code, means: code, kind: Kind::Message }
}

const fn exact(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::Exact }
}

const fn common(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::Common }
}

const fn general(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::General }
}

/// Sentences, each as its SDK's or service's source or documentation has it.
static SENTENCES: &[Pattern] = &[
    // AWS's messages: Java v2 prints them without the code.
    message("The security token included in the request is invalid", "InvalidClientTokenId"),
    message("The security token included in the request is expired", "ExpiredToken"),
    message("The provided token has expired", "ExpiredToken"),
    message("The provided token is malformed or otherwise invalid", "InvalidToken"),
    message("The AWS Access Key Id you provided does not exist in our records", "InvalidAccessKeyId"),
    message("The request signature we calculated does not match the signature you provided", "SignatureDoesNotMatch"),
    message("Signature expired:", "SignatureDoesNotMatch"),
    message("Signature not yet current:", "SignatureDoesNotMatch"),
    message("AWS was not able to validate the provided access credentials", "AuthFailure"),
    message("The difference between the request time and the current time is too large", "RequestTimeTooSkewed"),
    common(
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
        "MissingAuthenticationTokenException",
    ),
    message("Request is missing Authentication Token", "MissingAuthenticationToken"),
    message("Credential should be scoped to", "SignatureDoesNotMatch"),
    // These say it all, where the code beside them may be anybody's.
    exact("MultiFactorAuthentication failed", "AccessDenied", "AccessDenied"),
    exact("The requested DurationSeconds exceeds", "ValidationError", "ValidationError"),
    exact("durationSeconds' failed to satisfy constraint", "ValidationError", "ValidationError"),
    message("The AWS Access Key Id needs a subscription for the service", "OptInRequired"),
    message("STS is not activated in this region for account", "RegionDisabledException"),
    message("User: arn:aws", "AccessDenied"),
    message("Not authorized to perform sts:", "AccessDenied"),
    message("Roles may not be assumed by root accounts", "AccessDenied"),
    exact("Session token not found or invalid", "UnauthorizedException", "UnauthorizedException"),
    // botocore/exceptions.py
    exact("NoCredentialsError", "NoCredentialsError", "NoCredentials"),
    general("Unable to locate credentials", "NoCredentialsError", "NoCredentials"),
    exact("PartialCredentialsError", "PartialCredentialsError", "PartialCredentials"),
    exact("Partial credentials found in", "PartialCredentialsError", "PartialCredentials"),
    common("ProfileNotFound", "ProfileNotFound", "ProfileNotFound"),
    exact("The config profile (", "ProfileNotFound", "ProfileNotFound"),
    exact("UnauthorizedSSOTokenError", "UnauthorizedSSOTokenError", "SsoSessionExpired"),
    exact("The SSO session associated with this profile has expired", "UnauthorizedSSOTokenError", "SsoSessionExpired"),
    exact("SSOTokenLoadError", "SSOTokenLoadError", "SsoSessionExpired"),
    exact("Error loading SSO Token", "SSOTokenLoadError", "SsoSessionExpired"),
    exact("TokenRetrievalError", "TokenRetrievalError", "SsoSessionExpired"),
    exact("Error when retrieving token from sso", "TokenRetrievalError", "SsoSessionExpired"),
    general("CredentialRetrievalError", "CredentialRetrievalError", "ProcessFailed"),
    general("Error when retrieving credentials from", "CredentialRetrievalError", "ProcessFailed"),
    general("EndpointConnectionError", "EndpointConnectionError", "Network"),
    general("Could not connect to the endpoint URL", "EndpointConnectionError", "Network"),
    exact("Token has expired and refresh failed", "TokenRetrievalError", "SsoSessionExpired"),
    exact("Invalid endpoint: https://sts..amazonaws.com", "InvalidRegion", "InvalidRegion"),
    exact("NoRegionError", "NoRegionError", "NoRegion"),
    exact("You must specify a region", "NoRegionError", "NoRegion"),
    exact("InvalidRegionError", "InvalidRegionError", "InvalidRegion"),
    exact("Provided region_name '", "InvalidRegionError", "InvalidRegion"),
    // botocore/credentials.py; each as aws-cli 1.45 prints it
    exact("The source_profile \"", "InvalidConfigError", "ProfileNotFound"),
    exact("The source profile \"", "InvalidConfigError", "NoCredentials"),
    exact("Infinite loop in credential configuration detected", "InfiniteLoopConfigError", "ProfileUnreadable"),
    exact("ConfigParseError: Unable to parse config file", "ConfigParseError", "ProfileUnreadable"),
    exact("Unable to parse config file:", "ConfigParseError", "ProfileUnreadable"),
    exact("is configured to use SSO but is missing required configuration", "InvalidConfigError", "ProfileUnreadable"),
    exact("The credential source \"", "InvalidConfigError", "ProfileUnreadable"),
    exact("Missing the following required SSO configuration values", "InvalidConfigError", "ProfileUnreadable"),
    exact("The specified sso-session does not exist:", "InvalidConfigError", "ProfileUnreadable"),
    exact("Please reauthenticate using 'aws login'", "LoginRefreshRequired", "LoginExpired"),
    general("Connect timeout on endpoint URL", "ConnectTimeoutError", "Network"),
    common("certificate is not yet valid", "SSLError", "TlsClock"),
    // aws-cli: the answer to a HEAD has no body, and so no code.
    exact("An error occurred (403) when calling the Head", "403", "HeadRefused"),
    exact("An error occurred (400) when calling the Head", "400", "HeadRefused"),
    // aws-sdk-go (v1) aws/credentials, aws-sdk-go-v2
    general("NoCredentialProviders", "NoCredentialProviders", "NoCredentials"),
    exact("MissingRegion: could not find region configuration", "MissingRegion", "NoRegion"),
    exact("failed to get shared config profile", "SharedConfigProfileNotExist", "ProfileNotFound"),
    general("no EC2 IMDS role found", "NoCredentialProviders", "NoCredentials"),
    exact("refresh cached SSO token failed", "SsoSessionExpired", "SsoSessionExpired"),
    exact("failed to read cached SSO token file", "SsoSessionExpired", "SsoSessionExpired"),
    exact("SSOProviderInvalidToken", "SSOProviderInvalidToken", "SsoSessionExpired"),
    exact("the SSO session has expired or is invalid", "SSOProviderInvalidToken", "SsoSessionExpired"),
    exact(
        "assume role with MFA enabled, but AssumeRoleTokenProvider",
        "AssumeRoleTokenProviderNotSetError",
        "MfaCodeMissing",
    ),
    common("no such host", "no such host", "Network"),
    exact("Invalid Configuration: Missing Region", "Missing Region", "NoRegion"),
    exact("static credentials are empty", "StaticCredentialsEmptyError", "NoCredentials"),
    common("certificate has expired or is not yet valid", "x509", "TlsClock"),
    exact("SharedConfigProfileNotExistsError", "SharedConfigProfileNotExistsError", "ProfileNotFound"),
    general("ProcessProviderExecutionError", "ProcessProviderExecutionError", "ProcessFailed"),
    // The SDKs for Java
    exact("No AWS profile named", "IllegalArgumentException", "ProfileNotFound"),
    general("Profile file contained no credentials for profile", "SdkClientException", "NoCredentials"),
    general("Unable to load credentials from any of the providers in the chain", "SdkClientException", "NoCredentials"),
    general("Unable to load AWS credentials from any provider in the chain", "SdkClientException", "NoCredentials"),
    exact("Unable to load region from any of the providers in the chain", "SdkClientException", "NoRegion"),
    exact("Unable to find a region via the region provider chain", "SdkClientException", "NoRegion"),
    exact("Unable to load SSO token", "SdkClientException", "SsoSessionExpired"),
    general("Failed to refresh process-based credentials", "ProcessFailed", "ProcessFailed"),
    exact("Token expired - needs a refresh", "ExpiredToken", "ExpiredToken"),
    // hadoop-aws, AWSCredentialProviderList
    general("No AWS Credentials provided by", "NoAuthWithAWSException", "NoCredentials"),
    // The SDKs for JavaScript
    exact("could not be found or parsed in shared credentials file", "CredentialsProviderError", "ProfileNotFound"),
    exact("Token is expired. To refresh this SSO session", "TokenProviderError", "SsoSessionExpired"),
    exact("The SSO session token associated with", "CredentialsProviderError", "SsoSessionExpired"),
    exact("The SSO session associated with", "CredentialsProviderError", "SsoSessionExpired"),
    general("Could not resolve credentials using profile:", "CredentialsProviderError", "NoCredentials"),
    general("Could not load credentials from any providers", "CredentialsProviderError", "NoCredentials"),
    general("CredentialsProviderError", "CredentialsProviderError", "NoCredentials"),
    general("CredentialsError: Missing credentials in config", "CredentialsError", "NoCredentials"),
    exact("ConfigError: Missing region in config", "ConfigError", "NoRegion"),
    common("Region is missing", "Region is missing", "NoRegion"),
    exact(
        "requires multi-factor authentication, but no MFA code callback",
        "CredentialsProviderError",
        "MfaCodeMissing",
    ),
    general("UnknownEndpoint: Inaccessible host:", "UnknownEndpoint", "Network"),
    common("getaddrinfo ENOTFOUND", "ENOTFOUND", "Network"),
    // The SDK for Rust
    general("the credential provider was not enabled", "CredentialsNotLoaded", "NoCredentials"),
    general("no providers in chain provided credentials", "CredentialsNotLoaded", "NoCredentials"),
    exact("ProfileFile provider could not be built", "InvalidConfiguration", "ProfileNotFound"),
    general("Couldn't find AWS credentials in environment", "CredentialsError", "NoCredentials"),
    // .NET, PHP, Ruby
    exact("No RegionEndpoint or ServiceURL configured", "AmazonClientException", "NoRegion"),
    exact("No credentials specified or obtained from persisted", "InvalidOperationException", "NoCredentials"),
    exact("The retrieved credentials have already expired", "AmazonClientException", "ExpiredToken"),
    general(
        "Failed to retrieve credentials from EC2 Instance Metadata Service",
        "AmazonServiceException",
        "NoCredentials",
    ),
    exact("not found in credentials file", "CredentialsException", "ProfileNotFound"),
    general("Cannot read credentials from", "CredentialsException", "NoCredentials"),
    exact("NoSuchProfileError", "NoSuchProfileError", "ProfileNotFound"),
    general(
        "Unable to get IAM security credentials from EC2 Instance Metadata Service",
        "AmazonServiceException",
        "NoCredentials",
    ),
    general("Failed to resolve AWS credentials", "AmazonClientException", "NoCredentials"),
    general("MissingCredentialsError", "MissingCredentialsError", "NoCredentials"),
    general("unable to sign request without credentials set", "MissingCredentialsError", "NoCredentials"),
    general("Error retrieving credentials from the instance profile metadata", "CredentialsException", "NoCredentials"),
    exact("Missing required client configuration options: region", "InvalidArgumentException", "NoRegion"),
    exact("MissingRegionError", "MissingRegionError", "NoRegion"),
    // Clients of HTTP, of a key with a line break or the like in it: Python, Go, Node
    exact("Invalid header value b'AWS4-HMAC", "ValueError", "KeyUnprintable"),
    exact("invalid header field value for \"Authorization\"", "net/http", "KeyUnprintable"),
    exact("invalid header field value for \"X-Amz-Security-Token\"", "net/http", "KeyUnprintable"),
    exact("Invalid character in header content [\"authorization\"]", "ERR_INVALID_CHAR", "KeyUnprintable"),
    exact("Invalid character in header content [\"x-amz-security-token\"]", "ERR_INVALID_CHAR", "KeyUnprintable"),
    // Terraform
    general("no valid credential sources for", "No valid credential sources", "NoCredentials"),
    exact("invalid AWS Region:", "InvalidRegion", "InvalidRegion"),
    general("No valid credential sources", "No valid credential sources", "NoCredentials"),
    // AWS CDK (github.com/aws/aws-cdk/issues/32357), the Serverless Framework (github.com/serverless/serverless/issues/10729)
    general("Need to perform AWS calls for account", "NoCredentials", "NoCredentials"),
    exact("but the current credentials are for", "AccountMismatch", "AccountMismatch"),
    general("Unable to resolve AWS account to use", "NoCredentials", "NoCredentials"),
    general("AWS provider credentials not found", "NoCredentials", "NoCredentials"),
    // kubectl, of the helper in its configuration
    general("executable aws failed with exit code", "ExecPluginFailed", "ExecPluginFailed"),
    general("executable aws-iam-authenticator failed with exit code", "ExecPluginFailed", "ExecPluginFailed"),
    // docker and ECR, git and CodeCommit
    common("unexpected status from HEAD request to", "unexpected status", "RegistryNotLoggedIn"),
    exact(
        "Your authorization token has expired. Reauthenticate and try again",
        "RegistryTokenExpired",
        "RegistryTokenExpired",
    ),
    exact(
        "Your Authorization Token has expired. Please run 'aws ecr get-login'",
        "RegistryTokenExpired",
        "RegistryTokenExpired",
    ),
    common("no basic auth credentials", "RegistryNotLoggedIn", "RegistryNotLoggedIn"),
    general("unable to access 'https://git-codecommit", "CodeCommitRefused", "CodeCommitRefused"),
    exact("Could not resolve host: git-codecommit", "Could not resolve host", "Network"),
    // SES by SMTP (Amazon SES Developer Guide, "Troubleshooting Amazon SES SMTP issues"); MinIO
    exact("535 Authentication Credentials Invalid", "535", "SmtpRefused"),
    message("The Access Key Id you provided does not exist in our records", "InvalidAccessKeyId"),
];

/// Everything that begins with `word`; codes come before sentences.
pub(super) fn beginning_with(word: &str) -> &'static [Pattern] {
    static INDEX: LazyLock<Index> = LazyLock::new(Index::new);
    INDEX.get(word)
}

/// Every word of a log is looked up: most are none by their first two letters alone.
struct Index {
    by_word: HashMap<&'static str, Vec<Pattern>>,
    by_letters: Vec<bool>,
}

impl Index {
    fn new() -> Self {
        let mut by_word: HashMap<&str, Vec<Pattern>> = HashMap::new();
        let mut by_letters = vec![false; 1 << 16];
        for pattern in codes().chain(SENTENCES.iter().copied()) {
            let first = pattern.text.split(|c: char| !is_of_word(c)).next().unwrap_or_default();
            by_word.entry(first).or_default().push(pattern);
            if let Some(is_there) = letters(first).and_then(|letters| by_letters.get_mut(letters)) {
                *is_there = true;
            }
        }
        Self { by_word, by_letters }
    }

    fn get(&self, word: &str) -> &[Pattern] {
        let may_be = letters(word).and_then(|letters| self.by_letters.get(letters)).is_some_and(|is_there| *is_there);
        if may_be { self.by_word.get(word).map(Vec::as_slice).unwrap_or_default() } else { &[] }
    }
}

/// The first two letters of a word as a number; no shorter word begins a pattern.
fn letters(word: &str) -> Option<usize> {
    let [first, second, ..] = word.as_bytes() else { return None };
    Some(usize::from(*first) << 8 | usize::from(*second))
}

fn codes() -> impl Iterator<Item = Pattern> {
    aws_error::entries().filter(|entry| entry.is_about_credentials()).map(|entry| {
        let kind = if entry.origin == Origin::Shared { Kind::CommonCode } else { Kind::Code };
        Pattern { text: entry.code, code: entry.code, means: entry.code, kind }
    })
}

/// What words are made of.
pub(super) fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
