//! The environment variables by which SDKs choose credentials.

/// A key, and the older names that some SDKs read.
pub const KEYS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
];
/// A profile. Some SDKs read only the first name.
pub const PROFILE: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// The file with a web identity token.
pub const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// A web identity.
pub const WEB_IDENTITY: [&str; 3] = [TOKEN_FILE, "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"];
/// The endpoint of a container.
pub const CONTAINER: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
/// The region. No SDK but the AWS CLI v2, Go and Rust reads both.
pub const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
