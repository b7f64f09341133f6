//! The clients.

/// How a client reads a construct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It reads what evercred reads.
    Alike,
    /// It reads another value, section or setting, or ignores it.
    Otherwise,
    /// It reads nothing of the whole file, or stops with an error.
    Refused,
}

/// Programs that read the AWS files alike and resolve credentials alike.
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
    /// All clients of the model.
    pub const ALL: [Self; 5] = [Self::Botocore, Self::JavaScript, Self::Go, Self::Java, Self::Rust];

    /// The name for users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Botocore => "boto3 and the AWS CLI",
            Self::JavaScript => "JavaScript (v3)",
            Self::Go => "Go (v2)",
            Self::Java => "Java (v2)",
            Self::Rust => "Rust",
        }
    }
}

/// The names of the clients with a reading; `readings` are in the order of [`Client::ALL`].
pub(super) fn labels(readings: [Reading; 5], reading: Reading) -> Vec<&'static str> {
    let clients = Client::ALL.iter().zip(readings).filter(|(_, of_client)| *of_client == reading);
    clients.map(|(client, _)| client.label()).collect()
}
