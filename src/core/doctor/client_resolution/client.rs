//! The kinds of programs, and where they take their credentials from.

use crate::core::printable::printable;

/// Programs that choose alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// boto3, the AWS CLI and everything else on botocore (`botocore/credentials.py`, `create_credential_resolver`).
    Botocore,
    /// The SDK for JavaScript, v3 (`credential-provider-node`, `defaultProvider.ts`).
    JavaScript,
    /// The SDK for Go, v2 (`config/resolve_credentials.go`).
    Go,
    /// The SDK for Java, v2 (`DefaultCredentialsProvider`). System properties of its own are not seen here.
    Java,
    /// The SDK for Rust (`aws-config`, `default_provider/credentials.rs`).
    Rust,
}

impl Client {
    /// All that are looked at.
    pub const ALL: [Self; 5] = [Self::Botocore, Self::JavaScript, Self::Go, Self::Java, Self::Rust];

    /// What people call it.
    pub fn called(self) -> &'static str {
        match self {
            Self::Botocore => "boto3 and the AWS CLI",
            Self::JavaScript => "JavaScript (v3)",
            Self::Go => "Go (v2)",
            Self::Java => "Java (v2)",
            Self::Rust => "Rust",
        }
    }
}

/// Where a program takes its credentials from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolvedFrom {
    /// Keys in the variables.
    Environment,
    /// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN.
    WebIdentity,
    /// A profile, and which of its settings.
    Profile {
        /// The profile.
        name: String,
        /// `role_arn`, `SSO`, `static keys`, `credential_process`, …
        way: &'static str,
    },
    /// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI.
    Container,
    /// It gives up before it has looked everywhere; the end of a sentence.
    Fails(String),
    /// What it would be stands in a file that can't be read as a whole.
    Unknown,
    /// Nothing but the metadata of an EC2 instance is left, which a laptop has not.
    Nothing,
}

impl ResolvedFrom {
    /// Whether there are credentials at its end, as far as can be seen.
    pub(super) fn gives(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Unknown | Self::Fails(_))
    }

    /// As the end of a sentence: "use …".
    pub fn said(&self) -> String {
        match self {
            Self::Environment => "the keys in the variables".to_owned(),
            Self::WebIdentity => "the web identity in the variables (AWS_WEB_IDENTITY_TOKEN_FILE)".to_owned(),
            Self::Profile { name, way } => format!("{way} of profile \"{}\"", printable(name)),
            Self::Container => "the container endpoint in the variables".to_owned(),
            Self::Fails(why) => format!("nothing: {why}"),
            Self::Unknown => "what can't be told before the AWS file is mended".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}
