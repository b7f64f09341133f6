//! An error that a text reports.

/// One error that a text holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedError {
    /// AWS's code, or the name of the SDK's exception.
    pub code: String,
    /// The code of `core::aws_error` that says what it means.
    pub means: &'static str,
    /// Whether it only says that something failed or that nothing was found.
    pub general: bool,
    /// Whether it is AWS's own answer, rather than what an SDK made of it.
    pub by_aws: bool,
    /// Which service was asked.
    pub service: Option<String>,
    /// What was asked for.
    pub operation: Option<String>,
    /// The host of AWS's that was asked, where the line names it.
    pub host: Option<String>,
    /// What was said, printable, bounded, without secrets.
    pub message: String,
    /// The access key id, where the text has one of the right form near by.
    pub access_key_id: Option<String>,
    /// The ARN of who asked, else the first ARN near by.
    pub arn: Option<String>,
    /// The profile that the error, or a command near it, names.
    pub profile: Option<String>,
    /// The ARN of the requested role.
    pub role: Option<String>,
    /// The region, by an ARN or a host name near by.
    pub region: Option<String>,
    /// This machine's time minus AWS's in seconds, where the text says both.
    pub skew_seconds: Option<i64>,
    /// How often it occurs.
    pub times: u64,
}
