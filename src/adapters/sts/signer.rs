//! The keys that sign a call, in the SDK's form.

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_sts::config::SharedCredentialsProvider;

use crate::core::access_key::may_be_secret;
use crate::core::credential::Credentials;
use crate::core::plan::StaticKeys;
use crate::core::secret::Secret;

/// The keys that sign a call.
pub(in crate::adapters) struct Signer<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a Secret,
    session_token: Option<&'a Secret>,
}

impl<'a> From<&'a StaticKeys> for Signer<'a> {
    fn from(keys: &'a StaticKeys) -> Self {
        let StaticKeys { access_key_id, secret_access_key, session_token, .. } = keys;
        Self { access_key_id, secret_access_key, session_token: session_token.as_ref() }
    }
}

impl<'a> From<&'a Credentials> for Signer<'a> {
    fn from(credentials: &'a Credentials) -> Self {
        let Credentials { access_key_id, secret_access_key, session_token, .. } = credentials;
        Self { access_key_id, secret_access_key, session_token: session_token.as_ref() }
    }
}

impl Signer<'_> {
    /// The SDK's signer panics on what can't stand in a header. A secret in the place of the id would be sent, and be written
    /// into AWS's own logs.
    pub(in crate::adapters) fn is_sendable(&self) -> bool {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        !may_be_secret(self.access_key_id)
            && printable(self.access_key_id)
            && printable(self.secret_access_key.expose())
            && self.session_token.is_none_or(|token| printable(token.expose()))
    }

    pub(super) fn to_sdk(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.credentials())
    }

    pub(in crate::adapters) fn credentials(&self) -> SdkCredentials {
        SdkCredentials::new(
            self.access_key_id,
            self.secret_access_key.expose(),
            self.session_token.map(|token| token.expose().to_owned()),
            None,
            "evercred",
        )
    }
}
