//! The keys that sign a call, in the SDK's form.

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_sts::config::SharedCredentialsProvider;

use crate::core::credential::Credentials;
use crate::core::plan::StaticKeys;
use crate::core::secret::Secret;

/// The keys that sign a call.
pub(super) struct Signer<'a> {
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
    /// The SDK's signer panics on what can't stand in a header.
    pub(super) fn is_printable(&self) -> bool {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        printable(self.access_key_id)
            && printable(self.secret_access_key.expose())
            && self.session_token.is_none_or(|token| printable(token.expose()))
    }

    pub(super) fn to_sdk(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(SdkCredentials::new(
            self.access_key_id,
            self.secret_access_key.expose(),
            self.session_token.map(|token| token.expose().to_owned()),
            None,
            "evercred",
        ))
    }
}
