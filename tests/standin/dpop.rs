//! The proof of possession of a key (DPoP, RFC 9449), from the side that verifies it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;

/// How far the time of a proof may be off.
const LEEWAY_SECONDS: i64 = 300;

/// A proof that holds.
#[derive(Debug)]
pub(super) struct Proof {
    /// The key that made it.
    pub key: String,
    /// No other proof has it.
    pub id: String,
}

/// Verifies a proof that came with a POST request to this URL; says what is wrong with it.
pub(super) fn verify(header: &str, url: &str, now_ms: i64) -> Result<Proof, &'static str> {
    let mut parts = header.split('.');
    let (Some(head), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the proof has not three parts");
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the proof is not base64url");
    let json = |part: &str| -> Result<Value, &'static str> {
        serde_json::from_slice(&decode(part)?).map_err(|_| "a part of the proof is not JSON")
    };
    let (head_json, claims) = (json(head)?, json(payload)?);
    if head_json["typ"] != "dpop+jwt" || head_json["alg"] != "ES256" {
        return Err("the proof is not of the type dpop+jwt with ES256");
    }
    let jwk = &head_json["jwk"];
    if jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
        return Err("the key of the proof is not on P-256");
    }
    if !jwk["d"].is_null() {
        return Err("the proof tells the private key");
    }
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap_or_default());
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err("a coordinate of the key has not 32 bytes");
    }
    let point = [&[4], x.as_slice(), &y].concat();
    let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| "the key is not a point of the curve")?;
    let signature = Signature::from_slice(&decode(signature)?).map_err(|_| "the signature is not a pair r, s")?;
    key.verify(format!("{head}.{payload}").as_bytes(), &signature).map_err(|_| "the signature does not fit")?;
    if claims["htm"] != "POST" {
        return Err("htm is not the method");
    }
    if claims["htu"] != url {
        return Err("htu is not the URL");
    }
    let issued = claims["iat"].as_i64().ok_or("iat is not a number")?;
    if (issued - now_ms.div_euclid(1_000)).abs() > LEEWAY_SECONDS {
        return Err("iat is too far from the time");
    }
    let id = claims["jti"].as_str().filter(|id| !id.is_empty()).ok_or("jti is missing")?;
    Ok(Proof { key: URL_SAFE_NO_PAD.encode(point), id: id.to_owned() })
}

/// The example of RFC 9449.
#[test]
fn the_published_proof_is_verified() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXp\
                 Da0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6\
                 IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu\
                 Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY\
                 -FNyJK70nfbV37xRZT3Lg";
    let (url, then) = ("https://server.example.com/token", 1_562_262_616_000);
    assert_eq!(verify(proof, url, then).unwrap().id, "-BwC3ESc6acc2lTc");
    assert_eq!(verify(proof, url, then + 301_000).unwrap_err(), "iat is too far from the time");
    assert_eq!(verify(proof, "https://server.example.com/", then).unwrap_err(), "htu is not the URL");
    let changed = proof.replace("1562", "1563").replace("NyJK70", "NyJK71");
    assert_eq!(verify(&changed, url, then).unwrap_err(), "the signature does not fit");
}
