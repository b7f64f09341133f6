//! Web identity tokens: the text of a token file, and the claims of a JWT.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::core::time::AwsTime;

/// The largest token file. AWS accepts tokens of up to 20,000 characters.
pub const LARGEST_FILE: u64 = 64 * 1024;

/// The token in a file, without the line break at its end.
///
/// # Errors
/// Why the file has no token, as the end of a sentence that begins with the file.
pub fn token_of(file: &[u8]) -> Result<&str, &'static str> {
    match std::str::from_utf8(file).map(str::trim) {
        Ok("") => Err("is empty"),
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token),
        _ => Err("has no token: there are blanks, line breaks or binary data in it"),
    }
}

/// The `exp` claim (RFC 7519, section 4.1.4). Nothing is verified: that is for AWS. `None` where the token is no JWT, or
/// says nothing of the kind.
pub fn token_expiry(token: &str) -> Option<AwsTime> {
    // NumericDate: seconds, and a fraction is allowed.
    let exp = claim(token, "exp")?;
    let seconds = exp.as_i64().or_else(|| {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and whole seconds are enough")]
        exp.as_f64().map(|seconds| seconds as i64)
    })?;
    AwsTime::checked_from_millis(seconds.checked_mul(1_000)?)
}

/// One claim of a JWT. Nothing is verified. `None` where the token is no JWT, or says nothing of the kind.
pub fn claim(token: &str, name: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    claims.get(name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_jwt_says_when_it_expires() {
        let at = token_expiry(&jwt(r#"{"sub":"me","exp":1790000000}"#)).unwrap();
        assert_eq!(at.as_millis(), 1_790_000_000_000);
        assert_eq!(token_expiry(&jwt(r#"{"exp":1790000000.5}"#)), Some(at));
    }

    #[test]
    fn anything_else_says_nothing() {
        for token in ["", "a", "a.b", "a.b.c", "a.b.c.d", "ü.ü.ü", &jwt("{}"), &jwt("[]"), &jwt(r#"{"exp":"soon"}"#)]
        {
            assert_eq!(token_expiry(token), None, "{token}");
        }
        for exp in
            ["1e300", "-1e300", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "253402300800"]
        {
            assert_eq!(token_expiry(&jwt(&format!(r#"{{"exp":{exp}}}"#))), None, "{exp}");
        }
    }
}
