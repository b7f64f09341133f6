//! What SSO OIDC and Signin have in common: codes that are shown once, and refresh tokens that rotate.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// It stays, and the same one is given again.
    None,
    /// There is a new one, and the old one is refused.
    Rotate,
    /// There is a new one, and the old one is taken for `grace_seconds` still.
    RotateGrace,
    /// There is a new one, and whoever shows the old one ends the whole session.
    RevokeFamily,
}

/// A refresh token that was given.
pub(super) struct RefreshToken {
    pub session: usize,
    /// Who may use it: the client, or the key of the sign-in.
    pub holder: String,
    /// When it was first used and replaced.
    pub replaced_at_ms: Option<i64>,
    pub revoked: bool,
}

/// What is to be done with a refresh token that was shown.
#[derive(PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Refused,
    SessionRevoked,
}

impl RefreshToken {
    pub(super) fn new(session: usize, holder: &str) -> Self {
        Self { session, holder: holder.to_owned(), replaced_at_ms: None, revoked: false }
    }

    pub(super) fn verdict(&self, rotation: Rotation, grace_seconds: i64, now_ms: i64) -> Verdict {
        let Some(replaced) = self.replaced_at_ms else {
            return if self.revoked { Verdict::Refused } else { Verdict::Good };
        };
        match rotation {
            _ if self.revoked => Verdict::Refused,
            Rotation::RevokeFamily => Verdict::SessionRevoked,
            Rotation::RotateGrace if now_ms <= replaced + grace_seconds * 1_000 => Verdict::Good,
            _ => Verdict::Refused,
        }
    }
}

/// An authorization code that a browser was sent back with.
pub(super) struct Code {
    pub client_id: String,
    pub redirect_uri: String,
    /// Of the proof key: only who knows the verifier gets tokens for the code.
    pub challenge: String,
    pub expires_at_ms: i64,
    pub used: bool,
}

/// A signed-in person, for as long as it lasts.
pub(super) struct SignedIn {
    pub ends_at_ms: i64,
    pub revoked: bool,
}

impl SignedIn {
    pub(super) fn is_live(&self, now_ms: i64) -> bool {
        !self.revoked && now_ms < self.ends_at_ms
    }
}

/// Whether this is the verifier of a challenge (RFC 7636, S256).
pub(super) fn verifies(challenge: &str, verifier: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    (43..=128).contains(&verifier.len())
        && verifier.chars().all(fits)
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
}

/// The example of RFC 7636, appendix B.
#[test]
fn the_published_verifier_fits_its_challenge() {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    assert!(verifies(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert!(!verifies(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj"));
}
