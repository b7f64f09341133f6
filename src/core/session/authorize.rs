//! Signing in through a browser: the authorization-code flow with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 8252).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{CacheFile, CacheFolder, SsoSession};
use crate::core::hex::hex;
use crate::core::printable::printable;
use crate::core::redact::without_secrets;
use crate::core::secret::Secret;

/// Where the browser comes back to; IAM Identity Center compares it without the port, as RFC 8252 asks.
pub const REDIRECT_PATH: &str = "/oauth/callback";

/// What one sign-in through a browser goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Comes back with the code: a redirect without it is not the answer to our question.
    state: Secret,
    /// Shown only to the token endpoint.
    verifier: Secret,
    /// Where the browser comes back to.
    pub redirect_uri: String,
}

/// What the browser came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The code that is exchanged for a token.
    Code(Secret),
    /// The person, or AWS, said no: a sentence's end.
    Denied(String),
    /// It is not the answer to our question: another page's, or an older one's.
    Foreign,
}

impl Authorization {
    /// One for a listener on a port of 127.0.0.1. `random` must be secret.
    pub fn new(random: [u8; 64], port: u16) -> Self {
        Self::to(random, format!("http://127.0.0.1:{port}{REDIRECT_PATH}"))
    }

    /// One whose code AWS Sign-In shows to the user, who pastes it here. `base` is the service's URL.
    pub fn cross_device(random: [u8; 64], base: &str) -> Self {
        Self::to(random, format!("{}/v1/sessions/confirmation", base.trim_end_matches('/')))
    }

    fn to(random: [u8; 64], redirect_uri: String) -> Self {
        let (state, verifier) = random.split_at(16);
        Self {
            state: Secret::new(hex(state)),
            // 48 bytes are 64 characters; 43 to 128 are allowed.
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(verifier)),
            redirect_uri,
        }
    }

    /// The code verifier, for the token endpoint.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

/// The page of IAM Identity Center that asks a person. The parameter for the scopes is called `scopes`, as in the AWS CLI.
pub fn sso_url(base: &str, client_id: &str, scopes: &[String], authorization: &Authorization) -> String {
    url(
        &format!("{}/authorize", base.trim_end_matches('/')),
        &[
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", &authorization.redirect_uri),
            ("state", authorization.state.expose()),
            ("code_challenge_method", "S256"),
            ("scopes", &scopes.join(" ")),
            ("code_challenge", &authorization.challenge()),
        ],
    )
}

/// The page of AWS Sign-In that asks a person. The method is called `SHA-256` there, as in the AWS CLI.
pub fn login_url(base: &str, client_id: &str, authorization: &Authorization) -> String {
    url(
        &format!("{}/v1/authorize", base.trim_end_matches('/')),
        &[
            ("response_type", "code"),
            ("client_id", client_id),
            ("state", authorization.state.expose()),
            ("code_challenge_method", "SHA-256"),
            ("scope", "openid"),
            ("redirect_uri", &authorization.redirect_uri),
            ("code_challenge", &authorization.challenge()),
        ],
    )
}

/// Reads the target of the request that a browser came back with (`/oauth/callback?code=…`).
pub fn read_redirect(target: &str, authorization: &Authorization) -> Redirect {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| parameter(query, name);
    if path != REDIRECT_PATH || parameter("state").as_deref() != Some(authorization.state.expose()) {
        return Redirect::Foreign;
    }
    match (parameter("error"), parameter("code")) {
        (Some(error), _) => {
            let why = parameter("error_description").map_or_else(String::new, |why| format!(" ({why})"));
            Redirect::Denied(printable(&without_secrets(&format!("{error}{why}"))))
        }
        (None, Some(code)) => Redirect::Code(Secret::new(code)),
        (None, None) => Redirect::Foreign,
    }
}

/// The code in what a user pastes from the page of AWS Sign-In: `state=…&code=…` in base64.
///
/// # Errors
/// It is not the code of this sign-in, and why: the end of a sentence that begins with the code. It shows nothing of it.
pub fn read_pasted(pasted: &str, authorization: &Authorization) -> Result<Secret, &'static str> {
    /// AWS's are shorter than 1,000.
    const MAX_LENGTH: usize = 4_096;
    if pasted.len() > MAX_LENGTH {
        return Err("is too long");
    }
    let text = pasted.chars().filter(|c| !c.is_whitespace() && *c != '=');
    let text = Secret::new(
        text.map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect::<String>(),
    );
    let decoded = STANDARD_NO_PAD.decode(text.expose()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let query = Secret::new(decoded.ok_or("is not what the page shows: copy the whole code")?);
    match (parameter(query.expose(), "state"), parameter(query.expose(), "code")) {
        (Some(state), Some(code)) if state == authorization.state.expose() => Ok(Secret::new(code)),
        (Some(_), Some(_)) => Err("is that of another sign-in"),
        _ => Err("is not what the page shows: copy the whole code"),
    }
}

/// Where the client's registration for a session is kept, beside the tokens: under a name that the AWS CLI would give it,
/// were it called evercred. What a client may do is part of the name.
pub fn registration_file(session: &SsoSession, flow: &str) -> CacheFile {
    let SsoSession { name, start_url, region, scopes, oidc, .. } = session;
    let what = serde_json::json!({
        "endpoint": oidc.url, "flow": flow, "region": region, "scopes": scopes, "session_name": name, "startUrl": start_url, "tool": "evercred",
    });
    CacheFile { folder: CacheFolder::Sso, name: format!("{}.json", hex(&Sha1::digest(what.to_string()))) }
}

/// The first value of a parameter that is not empty.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value)).filter(|value| !value.is_empty())
}

fn url(page: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("{page}?{}", pairs.join("&"))
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, behind)) = rest.split_first() {
        let hex = || u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok();
        match (byte, hex()) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &behind[2..];
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
        rest = behind;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::sso_token::tests::session;
    use super::*;

    fn authorization() -> Authorization {
        Authorization::new([7; 64], 4711)
    }

    #[test]
    fn the_pages_url_shows_the_challenge_and_never_the_verifier() {
        let authorization = authorization();
        let url = sso_url("https://oidc.eu-west-1.amazonaws.com", "c/1", &["a:b".into(), "c".into()], &authorization);
        assert!(url.starts_with("https://oidc.eu-west-1.amazonaws.com/authorize?response_type=code&client_id=c%2F1&"));
        assert!(url.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Foauth%2Fcallback&"), "{url}");
        assert!(url.contains("scopes=a%3Ab%20c&code_challenge=") && !url.contains(authorization.verifier.expose()));
        assert!((43..=128).contains(&authorization.verifier.expose().len()));
        assert!(
            login_url("https://x/", "arn:aws:signin:::devtools/same-device", &authorization).contains("/v1/authorize?")
        );
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        let authorization =
            Authorization { verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), ..authorization() };
        assert_eq!(authorization.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn only_the_answer_to_our_own_question_counts() {
        let authorization = authorization();
        let state = authorization.state.expose();
        let read = |target: String| read_redirect(&target, &authorization);
        assert_eq!(read(format!("/oauth/callback?code=a%2Fb&state={state}")), Redirect::Code(Secret::new("a/b")));
        for target in [
            "/oauth/callback?code=x&state=other".to_owned(),
            "/oauth/callback?code=x".to_owned(),
            format!("/other?code=x&state={state}"),
            format!("/oauth/callback?state={state}"),
            "/favicon.ico".to_owned(),
            "/oauth/callback?error=access_denied&state=other".to_owned(),
            format!("/oauth/callback?code=%zz%&state={state}%"),
        ] {
            assert_eq!(read(target.clone()), Redirect::Foreign, "{target}");
        }
        let denied = read(format!("/oauth/callback?error=access_denied&error_description=No+%1b[31mway&state={state}"));
        assert_eq!(denied, Redirect::Denied("access_denied (No way)".into()));
    }

    #[test]
    fn a_pasted_code_counts_with_the_state_of_this_sign_in_alone() {
        let authorization = Authorization::cross_device([7; 64], "https://eu-west-1.signin.aws.amazon.com/");
        assert_eq!(authorization.redirect_uri, "https://eu-west-1.signin.aws.amazon.com/v1/sessions/confirmation");
        let state = authorization.state.expose();
        let whole = format!("state={state}&code=a%2Fb%3F%3E");
        let code = || Ok(Secret::new("a/b?>"));
        let standard = base64::engine::general_purpose::STANDARD.encode(&whole);
        assert_eq!(read_pasted(&standard, &authorization), code());
        assert_eq!(read_pasted(&format!(" {}\n {} ", &standard[..20], &standard[20..]), &authorization), code());
        assert_eq!(read_pasted(&URL_SAFE_NO_PAD.encode(&whole), &authorization), code());
        let long = "A".repeat(5_000);
        for pasted in [
            String::new(),
            "%".to_owned(),
            "é".to_owned(),
            long,
            standard[..standard.len() / 2].to_owned(),
            whole,
            STANDARD_NO_PAD.encode("state=other&code=evil"),
            STANDARD_NO_PAD.encode(format!("state={state}")),
            STANDARD_NO_PAD.encode([0xff, 0xfe]),
        ] {
            assert!(read_pasted(&pasted, &authorization).is_err(), "{pasted}");
        }
    }

    #[test]
    fn a_registration_is_that_of_one_session_and_what_it_may_do() {
        let file = |session: &SsoSession, flow| registration_file(session, flow).name;
        let (ours, wider) = (session(), SsoSession { scopes: vec!["x".into()], ..session() });
        assert_eq!(file(&ours, "browser"), file(&session(), "browser"));
        assert_ne!(file(&ours, "browser"), file(&ours, "device"));
        assert_ne!(file(&ours, "browser"), file(&wider, "browser"));
    }
}
