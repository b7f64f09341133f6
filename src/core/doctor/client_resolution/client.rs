//! The source of a client's credentials.

use crate::core::printable::printable;

/// The settings of a profile from which a client gets credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// A role that is assumed with the credentials of another profile, or of the credential_source.
    Role,
    /// A role that is assumed with the profile's own static keys.
    RoleWithKeys,
    /// The credential_source without a role.
    Source,
    /// IAM Identity Center.
    Sso,
    /// aws_access_key_id and aws_secret_access_key.
    Keys,
    /// credential_process.
    Process,
    /// login_session.
    Login,
    /// web_identity_token_file, with role_arn.
    TokenFile,
}

impl Provider {
    /// As the end of a sentence: "use …".
    pub(in crate::core::doctor) fn label(self) -> &'static str {
        match self {
            Self::Role => "role_arn",
            Self::RoleWithKeys => "role_arn with the static keys",
            Self::Source => "the credential_source",
            Self::Sso => "the SSO settings",
            Self::Keys => "the static keys",
            Self::Process => "the credential_process",
            Self::Login => "the login_session",
            Self::TokenFile => "the web_identity_token_file",
        }
    }
}

/// The source of a client's credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolvedFrom {
    /// Keys in the variables.
    Environment,
    /// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN.
    WebIdentity,
    /// A profile.
    Profile {
        /// The profile.
        name: String,
        /// The settings that are used.
        provider: Provider,
    },
    /// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI.
    Container,
    /// The client stops with an error; why, as the end of a sentence.
    Fails(String),
    /// The source may be in a part of a file that can't be read.
    Unknown,
    /// Only the metadata of an EC2 instance is left, which a laptop does not have.
    Nothing,
}

impl ResolvedFrom {
    /// Whether the client gets credentials, as far as the files show.
    pub(super) fn gives(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Unknown | Self::Fails(_))
    }

    /// As the end of a sentence: "use …".
    pub fn label(&self) -> String {
        match self {
            Self::Environment => "the keys in the environment variables".to_owned(),
            Self::WebIdentity => {
                "the web identity in the environment variables (AWS_WEB_IDENTITY_TOKEN_FILE)".to_owned()
            }
            Self::Profile { name, provider } => format!("{} of profile \"{}\"", provider.label(), printable(name)),
            Self::Container => "the container endpoint in the environment variables".to_owned(),
            Self::Fails(why) => format!("nothing: {why}"),
            Self::Unknown => "credentials that are unknown until the AWS file is corrected".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }

    /// Whether these are settings of a profile.
    pub(in crate::core::doctor) fn is_provider(&self, wanted: Provider) -> bool {
        matches!(self, Self::Profile { provider, .. } if *provider == wanted)
    }

    /// Whether the profile's static keys are used, also to assume its role.
    pub(in crate::core::doctor) fn uses_keys(&self) -> bool {
        self.is_provider(Provider::Keys) || self.is_provider(Provider::RoleWithKeys)
    }
}
