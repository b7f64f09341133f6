//! The sentences that `explain` recognises: AWS's messages, which SDKs may print without the code, and those of SDKs
//! and tools.

use super::pattern::{Kind, Pattern};

const fn message(text: &'static str, code: &'static str) -> Pattern {
    Pattern { text, code, means: code, kind: Kind::Message, beside: &[] }
}

const fn exact(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::Exact, beside: &[] }
}

const fn common(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::Common, beside: &[] }
}

const fn general(text: &'static str, code: &'static str, means: &'static str) -> Pattern {
    Pattern { text, code, means, kind: Kind::General, beside: &[] }
}

impl Pattern {
    /// The pattern counts only near one of `words`.
    const fn beside(self, words: &'static [&'static str]) -> Self {
        Self { beside: words, ..self }
    }
}

/// Hosts of AWS.
const HOSTS: &[&str] = &["amazonaws.com", ".api.aws", ".awsapps.com", "signin.aws.amazon.com"];
/// Packages of the SDKs for Java.
const OF_JAVA: &[&str] = &["amazonaws", "awssdk", "AmazonClientException", "SdkClientException"];
/// Words that show that the text is about an EKS cluster.
const EKS: &[&str] = &[
    ".eks.amazonaws.com",
    "arn:aws:eks",
    "arn:aws-cn:eks",
    "arn:aws-us-gov:eks",
    "aws-iam-authenticator",
    "aws eks",
    "eksctl",
    "k8s-aws-v1",
    "EKS",
];
/// Words that programs and people use for a failed call.
const FAILED: &[&str] =
    &["error", "Error", "ERROR", "timed out", "imeout", "refused", "nreachable", "failed", "Failed", "EHOST", "ETIMED"];

/// Sentences from the source or documentation of each SDK or service.
pub(super) static SENTENCES: &[Pattern] = &[
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
    // These are conclusive, while the code next to them may be from any program.
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
    common("ProfileNotFound", "ProfileNotFound", "ProfileNotFound").beside(&["boto", "config profile"]),
    exact("The config profile (", "ProfileNotFound", "ProfileNotFound"),
    exact("UnauthorizedSSOTokenError", "UnauthorizedSSOTokenError", "SsoSessionExpired"),
    exact("The SSO session associated with this profile has expired", "UnauthorizedSSOTokenError", "SsoSessionExpired"),
    exact("SSOTokenLoadError", "SSOTokenLoadError", "SsoSessionExpired"),
    exact("Error loading SSO Token", "SSOTokenLoadError", "SsoSessionExpired"),
    exact("TokenRetrievalError", "TokenRetrievalError", "SsoSessionExpired"),
    exact("Error when retrieving token from sso", "TokenRetrievalError", "SsoSessionExpired"),
    general("CredentialRetrievalError", "CredentialRetrievalError", "NoCredentials"),
    exact("Error when retrieving credentials from custom-process", "CredentialRetrievalError", "ProcessFailed"),
    exact("Error when retrieving credentials from container-role", "CredentialRetrievalError", "MetadataUnavailable"),
    general("Error when retrieving credentials from", "CredentialRetrievalError", "NoCredentials"),
    exact(
        "Credentials were refreshed, but the refreshed credentials are still expired",
        "RuntimeError",
        "ExpiredToken",
    ),
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
    // aws-cli: the answer to a HEAD request has no body, and so no code.
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
    common("no such host", "no such host", "Network").beside(HOSTS),
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
    general("ProcessCredentialsProviderFailure", "ProcessCredentialsProviderFailure", "NoCredentials"),
    general("CredentialsError: Missing credentials in config", "CredentialsError", "NoCredentials"),
    exact("ConfigError: Missing region in config", "ConfigError", "NoRegion"),
    common("Region is missing", "Region is missing", "NoRegion"),
    exact(
        "requires multi-factor authentication, but no MFA code callback",
        "CredentialsProviderError",
        "MfaCodeMissing",
    ),
    general("UnknownEndpoint: Inaccessible host:", "UnknownEndpoint", "Network"),
    common("getaddrinfo ENOTFOUND", "ENOTFOUND", "Network").beside(HOSTS),
    // The SDK for Kotlin
    general("No credentials could be loaded from the chain", "CredentialsProviderException", "NoCredentials"),
    general(
        "No identity could be resolved from the chain: CredentialsProviderChain",
        "IdentityProviderException",
        "NoCredentials",
    ),
    general("Failed to get a valid set of credentials", "RuntimeException", "NoCredentials")
        .beside(&["awssdk.crt", "software.amazon"]),
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
    // HTTP clients, about a key with a line break or a similar character: Python, Go, Node
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
    exact("could not be used to assume '", "RoleNotAssumed", "RoleNotAssumed"),
    general("Unable to resolve AWS account to use", "NoCredentials", "NoCredentials"),
    general("AWS provider credentials not found", "NoCredentials", "NoCredentials"),
    // kubectl, about the credential plugin in its configuration
    general("executable aws failed with exit code", "ExecPluginFailed", "ExecPluginFailed"),
    general("executable aws-iam-authenticator failed with exit code", "ExecPluginFailed", "ExecPluginFailed"),
    exact("executable aws not found", "ExecPluginMissing", "ExecPluginMissing"),
    exact("executable aws-iam-authenticator not found", "ExecPluginMissing", "ExecPluginMissing"),
    exact("exec: \"aws\": executable file not found", "ExecPluginMissing", "ExecPluginMissing"),
    exact("exec: \"aws-iam-authenticator\": executable file not found", "ExecPluginMissing", "ExecPluginMissing"),
    exact("exec: \"heptio-authenticator-aws\": executable file not found", "ExecPluginMissing", "ExecPluginMissing"),
    // docker and ECR, git and CodeCommit
    common("unexpected status from HEAD request to", "unexpected status", "RegistryNotLoggedIn"),
    exact(
        "Your authorization token has expired. Reauthenticate and try again",
        "RegistryTokenExpired",
        "RegistryTokenExpired",
    ),
    exact(
        "Your Authorization Token has expired. Please run 'aws ecr get-login",
        "RegistryTokenExpired",
        "RegistryTokenExpired",
    ),
    common("no basic auth credentials", "RegistryNotLoggedIn", "RegistryNotLoggedIn"),
    general("unable to access 'https://git-codecommit", "CodeCommitRefused", "CodeCommitRefused"),
    general("unable to access 'codecommit:", "CodeCommitRefused", "CodeCommitRefused"),
    exact("Could not resolve host: git-codecommit", "Could not resolve host", "Network"),
    // SES by SMTP (Amazon SES Developer Guide, "Troubleshooting Amazon SES SMTP issues"); MinIO
    exact("535 Authentication Credentials Invalid", "535", "SmtpRefused"),
    message("The Access Key Id you provided does not exist in our records", "InvalidAccessKeyId"),
    // boto (v2), botocore: network and certificate errors
    exact("NoAuthHandlerFound", "NoAuthHandlerFound", "NoCredentials"),
    general("Read timeout on endpoint URL", "ReadTimeoutError", "Network"),
    general("Failed to connect to proxy URL", "ProxyConnectionError", "Network"),
    general(
        "Connection was closed before we received a valid response from endpoint URL",
        "ConnectionClosedError",
        "Network",
    ),
    general("Max retries exceeded with url", "ConnectionError", "Network").beside(HOSTS),
    general("SSL validation failed for", "SSLError", "Tls"),
    general("CERTIFICATE_VERIFY_FAILED", "SSLError", "Tls").beside(HOSTS),
    general("unable to get local issuer certificate", "TLS", "Tls").beside(HOSTS),
    general("self signed certificate", "TLS", "Tls").beside(HOSTS),
    general("SELF_SIGNED_CERT_IN_CHAIN", "TLS", "Tls").beside(HOSTS),
    general("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "TLS", "Tls").beside(HOSTS),
    general("PKIX path building failed", "SSLHandshakeException", "Tls").beside(OF_JAVA),
    general("invalid peer certificate: UnknownIssuer", "TLS", "Tls").beside(HOSTS),
    common("x509: certificate signed by unknown authority", "x509", "Tls").beside(HOSTS),
    // The SDKs for Go: errors of their HTTP client
    general("dial tcp", "RequestError", "Network").beside(HOSTS),
    general("request send failed", "RequestSendError", "Network").beside(&["https response error StatusCode: 0"]),
    general("send request failed", "RequestError", "Network").beside(HOSTS),
    exact("SharedConfigLoadError", "SharedConfigLoadError", "ProfileUnreadable"),
    exact("INIParseError", "INIParseError", "ProfileUnreadable"),
    exact("SharedConfigErr: only one credential type", "SharedConfigErr", "ProfileUnreadable"),
    exact("only one credential type may be specified per profile", "SharedConfigErr", "ProfileUnreadable"),
    exact("SharedConfigAssumeRoleError", "SharedConfigAssumeRoleError", "ProfileUnreadable"),
    exact("source profile has no shared credentials", "SharedConfigAssumeRoleError", "ProfileUnreadable"),
    // The SDKs for Java
    general("Unable to execute HTTP request", "SdkClientException", "Network").beside(OF_JAVA),
    general("sts' service module must be on the class path", "IllegalStateException", "SdkModuleMissing"),
    general("sso' service module must be on the class path", "IllegalStateException", "SdkModuleMissing"),
    general("ssooidc' service module must be on the class path", "IllegalStateException", "SdkModuleMissing"),
    exact("Error Code: 403 Forbidden", "403 Forbidden", "HeadRefused"),
    exact("Error Code: 400 Bad Request", "400 Bad Request", "HeadRefused"),
    exact(
        "software.amazon.awssdk.services.s3.model.S3Exception: null (Service: S3, Status Code: 403",
        "403",
        "HeadRefused",
    ),
    exact(
        "software.amazon.awssdk.services.s3.model.S3Exception: null (Service: S3, Status Code: 400",
        "400",
        "HeadRefused",
    ),
    // The SDKs for JavaScript
    exact("Credential is missing", "Credential is missing", "NoCredentials").beside(&[
        "SignatureV4",
        "@aws-sdk",
        "smithy",
    ]),
    exact("Forbidden: null", "Forbidden", "HeadRefused").beside(&["aws-sdk", "extendedRequestId"]),
    exact("BadRequest: null", "BadRequest", "HeadRefused").beside(&["aws-sdk", "extendedRequestId"]),
    general("connect ECONNREFUSED 169.254.169.254", "ECONNREFUSED", "NoCredentials"),
    general("connect EHOSTUNREACH 169.254.169.254", "EHOSTUNREACH", "NoCredentials"),
    general("connect ETIMEDOUT 169.254.169.254", "ETIMEDOUT", "NoCredentials"),
    // The EC2 metadata service, which exists only on EC2
    general("169.254.169.254/latest/api/token", "InstanceMetadata", "NoCredentials").beside(FAILED),
    general("169.254.169.254/latest/meta-data/iam", "InstanceMetadata", "NoCredentials").beside(FAILED),
    // EKS Pod Identity, and the agent of ECS
    general("169.254.170.23/v1/credentials", "ContainerCredentials", "MetadataUnavailable").beside(FAILED),
    general("169.254.170.2/v2/credentials", "ContainerCredentials", "MetadataUnavailable").beside(FAILED),
    // A missing token: Rust, Go, JavaScript
    exact("aws/sso/cache/", "SsoTokenFile", "SsoSessionExpired").beside(&[
        "No such file",
        "ENOENT",
        "cannot find the file",
    ]),
    general("Http request to retrieve credentials failed", "EC2MetadataClient", "NoCredentials"),
    general("Error response received from instance metadata service", "ProviderError", "NoCredentials"),
    general("Failed to load credentials from IMDS", "SdkClientException", "NoCredentials"),
    // The AI SDK
    exact("AWS region setting is missing", "LoadSettingError", "NoRegion"),
    exact("AWS access key ID setting is missing", "LoadSettingError", "NoCredentials"),
    exact("AWS secret access key setting is missing", "LoadSettingError", "PartialCredentials"),
    // The common runtime (CRT)
    exact("AWS_AUTH_SIGNING_NO_CREDENTIALS", "AWS_AUTH_SIGNING_NO_CREDENTIALS", "NoCredentials"),
    general("Attempt to sign an http request without credentials", "AWS_AUTH_SIGNING_NO_CREDENTIALS", "NoCredentials"),
    // rclone and similar tools: an answer without a body
    exact("api error Forbidden: Forbidden", "Forbidden", "HeadRefused"),
    exact("Forbidden: Forbidden", "Forbidden", "HeadRefused").beside(&["status code: 403, request id", "host id:"]),
    exact("api error BadRequest: Bad Request", "BadRequest", "HeadRefused"),
    // Fluent Bit
    general("Failed to initialized profile provider", "aws_credentials", "NoCredentials"),
    general("Provider returned no credentials", "signv4", "NoCredentials").beside(&["signv4", "aws_c"]),
    // The SDKs for Rust and Go v1, and for Java v1 in Elasticsearch
    general("failed to load region from IMDS", "imds::region", "NoRegion"),
    general("failed to load IMDS session token", "imds", "NoCredentials"),
    general("find AWS credentials in environment, default credential", "CredentialsError", "NoCredentials"),
    general("EC2RoleRequestError", "EC2RoleRequestError", "NoCredentials"),
    general("WebIdentityErr: failed to retrieve credentials", "WebIdentityErr", "NoCredentials")
        .beside(&["SerializationError"]),
    general("Unable to load credentials from service endpoint", "SdkClientException", "NoCredentials"),
    general("The requested metadata is not found at http://169.254.169.254", "SdkClientException", "NoCredentials"),
    general("peer not authenticated", "SSLPeerUnverifiedException", "Tls").beside(OF_JAVA),
    general("context deadline exceeded", "context deadline exceeded", "Network").beside(HOSTS),
    // Arrow (SDK for C++), Polars (object_store)
    general("AWS Error NETWORK_CONNECTION during", "NETWORK_CONNECTION", "Network"),
    exact("AWS Error UNKNOWN (HTTP status 400) during Head", "UNKNOWN", "HeadRefused"),
    exact("AWS Error ACCESS_DENIED during", "ACCESS_DENIED", "AccessDenied"),
    exact("Client error with status 403 Forbidden: No Body", "403", "RefusedWithoutCode").beside(&["S3 error"]),
    // Pulumi and its users; older versions of Terraform
    exact("Invalid credentials configured", "Invalid credentials", "RefusedWithoutCode").beside(&[
        "pulumi:providers:aws",
        "AwsProvider",
        "pulumi.com/registry/packages/aws",
    ]),
    general("unable to discover AWS AccessKeyID", "NoCredentials", "NoCredentials"),
    general("AWS account ID not previously found and failed retrieving", "AccountId", "RefusedWithoutCode"),
    // AWS Toolkits for Visual Studio and Visual Studio Code
    exact("No profile properties found for", "ArgumentException", "ProfileNotFound").beside(&["AWSToolkit"]),
    exact("SSO cache data unexpectedly missing", "SsoCache", "SsoSessionExpired"),
    exact("Failed to load SSO credentials", "SsoCredentials", "SsoSessionExpired"),
    // aws-actions/configure-aws-credentials
    exact("Input required and not supplied: aws-region", "Input required", "NoRegion"),
    general("No OpenIDConnect provider found in your account", "InvalidIdentityToken", "InvalidIdentityToken"),
    // kubectl, about EKS
    general("getting credentials: exec: exit status", "ExecPluginFailed", "ExecPluginFailed").beside(EKS),
    exact("You must be logged in to the server", "Unauthorized", "ClusterTokenRefused").beside(EKS),
    exact("the server has asked for the client to provide credentials", "Unauthorized", "ClusterTokenRefused")
        .beside(EKS),
    general("Kubernetes cluster unreachable", "ClusterUnreachable", "ClusterUnreachable").beside(EKS),
    // s3fs, aws-iam-authenticator, k6-jslib-aws
    general("could not determine how to establish security credentials", "s3fs", "NoCredentials"),
    exact("invalid credentials(host=", "invalid credentials", "AuthFailure").beside(HOSTS),
    exact("error from AWS (expected 200, got 403)", "403", "RefusedWithoutCode"),
    exact("error from AWS (expected 200, got 400)", "400", "RefusedWithoutCode"),
    exact("invalid AWS access key ID", "invalid AWS access key ID", "KeyUnprintable"),
];
