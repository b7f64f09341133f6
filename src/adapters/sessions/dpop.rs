//! Proofs that a refresh token is ours (DPoP, RFC 9449), with the key that the AWS tools keep beside it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::LineEnding;
use serde_json::json;

use crate::core::secret::Secret;
use crate::platform::random;

/// A new key, in the form in which the AWS CLI keeps its own (RFC 5915).
///
/// # Errors
/// A sentence's end: the system has no randomness to give.
pub(super) fn new_key() -> Result<Secret, String> {
    loop {
        let bytes: [u8; 32] = random::secret().map_err(|error| error.to_string())?;
        // All but one in four billion numbers are keys.
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            let pem = key.to_sec1_pem(LineEnding::LF).map_err(|_| "the key has no PEM form".to_owned())?;
            return Ok(Secret::new(pem.as_str()));
        }
    }
}

/// A proof for one POST to `url`. `seconds` is AWS's time, `id` was never used before.
///
/// # Errors
/// A sentence's end: the key can't be read.
pub(super) fn proof(key: &Secret, url: &str, seconds: u64, id: &str) -> Result<String, String> {
    let key = SecretKey::from_sec1_pem(key.expose()).map_err(|_| "has a dpopKey that is no key".to_owned())?;
    let point = key.public_key().to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| {
        URL_SAFE_NO_PAD.encode(bytes.map(|bytes| bytes.as_slice()).unwrap_or_default())
    };
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": {"kty": "EC", "x": coordinate(point.x()), "y": coordinate(point.y()), "crv": "P-256"},
    });
    let claims = json!({"jti": id, "htm": "POST", "htu": url, "iat": seconds});
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature: Signature = SigningKey::from(&key).sign(message.as_bytes());
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier;

    use super::*;

    #[test]
    fn a_proof_is_signed_with_the_key_that_it_shows() {
        let key = new_key().unwrap();
        assert!(key.expose().starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
        let proof = proof(&key, "https://x/v1/token", 1_800_000_000, "id").unwrap();
        let (message, signature) = proof.rsplit_once('.').unwrap();
        let public = SecretKey::from_sec1_pem(key.expose()).unwrap().public_key();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        VerifyingKey::from(&public).verify(message.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(message.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims, json!({"jti": "id", "htm": "POST", "htu": "https://x/v1/token", "iat": 1_800_000_000u64}));
    }

    #[test]
    fn a_key_that_is_none_is_said_and_not_shown() {
        let said = proof(&Secret::new("hunter2"), "https://x", 0, "id").unwrap_err();
        assert!(said.contains("no key") && !said.contains("hunter2"));
    }
}
