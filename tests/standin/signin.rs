//! Signin, as it answers: the service behind `aws login`. Its tokens are credentials, and bound to a key of the client.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::browser_page::{CROSS_DEVICE, SAME_DEVICE};
use super::dpop::{self, Proof};
use super::grants::{Code, RefreshToken, Rotation, SignedIn, Verdict, verifies};
use super::http::Request;
use super::services::{Refusal, text};
use super::world::{Call, Principal, World};

/// What AWS itself allows.
const LONGEST_SECONDS: i64 = 900;

/// An error that every request for tokens gets, on command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SigninError {
    TokenExpired,
    UserCredentialsChanged,
    InsufficientPermissions,
    AuthcodeExpired,
    InvalidRequest,
    TooManyRequests,
    ServerError,
}

/// How Signin behaves. In the control command `signin` the keys are these fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigninSettings {
    /// The ARN of who signs in: a user, or a session of a role.
    pub login_session: String,
    /// How long credentials live: 900 at most.
    pub credentials_seconds: i64,
    /// How long someone stays signed in, whatever is refreshed.
    pub session_seconds: i64,
    pub code_seconds: i64,
    pub rotation: Rotation,
    pub grace_seconds: i64,
    /// A page that is opened counts as allowed, without a click.
    pub auto_approve: bool,
    /// `/v1/authorize` sends back another state than it was given.
    pub tamper_state: bool,
    pub forced_error: Option<SigninError>,
}

impl Default for SigninSettings {
    fn default() -> Self {
        Self {
            login_session: "arn:aws:iam::111122223333:user/someone".to_owned(),
            credentials_seconds: LONGEST_SECONDS,
            session_seconds: 12 * 3_600,
            code_seconds: 600,
            rotation: Rotation::Rotate,
            grace_seconds: 60,
            auto_approve: false,
            tamper_state: false,
            forced_error: None,
        }
    }
}

#[derive(Default)]
pub(super) struct Signin {
    pub settings: SigninSettings,
    pub codes: BTreeMap<String, Code>,
    pub sessions: Vec<SignedIn>,
    pub refresh_tokens: BTreeMap<String, RefreshToken>,
    /// The identifiers of the proofs that came: none of them is taken twice.
    pub proofs: BTreeSet<String>,
}

fn refusal(error: SigninError, message: &str) -> Refusal {
    let (status, exception, error) = match error {
        SigninError::TokenExpired => (401, "AccessDeniedException", "TOKEN_EXPIRED"),
        SigninError::AuthcodeExpired => (401, "AccessDeniedException", "AUTHCODE_EXPIRED"),
        SigninError::UserCredentialsChanged => (403, "AccessDeniedException", "USER_CREDENTIALS_CHANGED"),
        SigninError::InsufficientPermissions => (403, "AccessDeniedException", "INSUFFICIENT_PERMISSIONS"),
        SigninError::InvalidRequest => (400, "ValidationException", "INVALID_REQUEST"),
        SigninError::TooManyRequests => (429, "TooManyRequestsError", "INVALID_REQUEST"),
        SigninError::ServerError => (500, "InternalServerException", "server_error"),
    };
    Refusal { status, exception, error, message: message.to_owned() }
}

fn invalid(message: &str) -> Refusal {
    refusal(SigninError::InvalidRequest, message)
}

fn member<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    text(body, name).ok_or_else(|| invalid(&format!("{name} is missing")))
}

pub(super) fn answer(world: &mut World, request: &Request, call: &mut Call) -> Result<Value, Refusal> {
    call.action = "CreateOAuth2Token".to_owned();
    if request.method != "POST" {
        return Err(invalid("POST is the only method"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| invalid("The body is not a JSON document"))?;
    let grant = member(&body, "grantType")?;
    call.action = format!("CreateOAuth2Token:{grant}");
    if let Some(error) = world.signin.settings.forced_error {
        return Err(refusal(error, "As it was ordered"));
    }
    let proof = proof(world, request)?;
    if ![SAME_DEVICE, CROSS_DEVICE].contains(&member(&body, "clientId")?) {
        return Err(invalid("The client is not known"));
    }
    match grant {
        "authorization_code" => by_code(world, &proof, &body),
        "refresh_token" => by_refresh_token(world, &proof, &body),
        _ => Err(invalid("The grant type is not known")),
    }
}

/// The proof of the client's key, for this request and no other.
fn proof(world: &mut World, request: &Request) -> Result<Proof, Refusal> {
    let header = request.header("dpop").ok_or_else(|| invalid("The DPoP header is missing"))?;
    let url = format!("http://{}{}", request.header("host").unwrap_or_default(), request.path);
    let proof = dpop::verify(header, &url, world.now_ms()).map_err(|why| invalid(&format!("DPoP: {why}")))?;
    if !world.signin.proofs.insert(proof.id.clone()) {
        return Err(invalid("DPoP: the proof came before"));
    }
    Ok(proof)
}

fn by_code(world: &mut World, proof: &Proof, body: &Value) -> Result<Value, Refusal> {
    let expired = || refusal(SigninError::AuthcodeExpired, "The authorization code is over with");
    let (now_ms, redirect_uri) = (world.now_ms(), member(body, "redirectUri")?);
    let (verifier, client_id) = (member(body, "codeVerifier")?, member(body, "clientId")?);
    let code = world.signin.codes.get_mut(member(body, "code")?);
    let code = code.ok_or_else(|| invalid("The authorization code is not known"))?;
    // One try each: a code that was shown with something wrong is lost.
    if std::mem::replace(&mut code.used, true) || code.expires_at_ms <= now_ms {
        return Err(expired());
    }
    if code.client_id != client_id || code.redirect_uri != redirect_uri {
        return Err(invalid("The authorization was for another client or redirect URI"));
    }
    if !verifies(&code.challenge, verifier) {
        return Err(invalid("The code verifier does not fit"));
    }
    let ends_at_ms = now_ms + world.signin.settings.session_seconds * 1_000;
    world.signin.sessions.push(SignedIn { ends_at_ms, revoked: false });
    let session = world.signin.sessions.len() - 1;
    let refresh_token = new_refresh_token(world, session, &proof.key);
    let mut answer = tokens(world, refresh_token);
    answer["idToken"] = id_token(world).into();
    Ok(answer)
}

fn by_refresh_token(world: &mut World, proof: &Proof, body: &Value) -> Result<Value, Refusal> {
    let expired = || refusal(SigninError::TokenExpired, "The refresh token is over with");
    let (shown, now_ms) = (member(body, "refreshToken")?, world.now_ms());
    let (rotation, grace) = (world.signin.settings.rotation, world.signin.settings.grace_seconds);
    let token = world.signin.refresh_tokens.get_mut(shown).ok_or_else(expired)?;
    if token.holder != proof.key {
        return Err(invalid("DPoP: the refresh token belongs to another key"));
    }
    let session = token.session;
    if !world.signin.sessions[session].is_live(now_ms) {
        return Err(expired());
    }
    match token.verdict(rotation, grace, now_ms) {
        Verdict::Good => {}
        Verdict::Refused => return Err(expired()),
        Verdict::SessionRevoked => {
            world.signin.sessions[session].revoked = true;
            return Err(expired());
        }
    }
    let next = if rotation == Rotation::None {
        shown.to_owned()
    } else {
        token.replaced_at_ms.get_or_insert(now_ms);
        new_refresh_token(world, session, &proof.key)
    };
    Ok(tokens(world, next))
}

fn new_refresh_token(world: &mut World, session: usize, key: &str) -> String {
    let token = world.unique("signin/refresh+", 120);
    world.signin.refresh_tokens.insert(token.clone(), RefreshToken::new(session, key));
    token
}

/// New credentials of who signed in, as the answers show them.
fn tokens(world: &mut World, refresh_token: String) -> Value {
    let arn = world.signin.settings.login_session.clone();
    let seconds = world.signin.settings.credentials_seconds.clamp(1, LONGEST_SECONDS);
    let seconds = world.longest_life_seconds.map_or(seconds, |longest| longest.min(seconds));
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    let role = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let role_arn = role.map(|role| format!("arn:aws:iam::{account}:role/{role}"));
    // As after the console's sign-in with a code: IAM knows such a session.
    let minted = world.mint(seconds, Principal { arn, account, role_arn, temporary: true, mfa: true });
    // What the answer says is a length and no stamp, so it ends to the millisecond.
    let expires_at_ms = world.now_ms() + seconds * 1_000;
    world.sessions.get_mut(&minted.access_key_id).unwrap().expires_at_ms = expires_at_ms;
    json!({
        "accessToken": {
            "accessKeyId": minted.access_key_id,
            "secretAccessKey": minted.secret_access_key,
            "sessionToken": minted.token,
        },
        "tokenType": "aws_sigv4",
        "expiresIn": seconds,
        "refreshToken": refresh_token,
    })
}

/// A token that says who signed in. Its signature is none: no client has the key to look.
fn id_token(world: &mut World) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (now, sub) = (world.now_ms().div_euclid(1_000), world.signin.settings.login_session.clone());
    let claims = json!({
        "iss": "https://signin.aws.amazon.com",
        "aud": "arn:aws:signin:::devtools/same-device",
        "sub": sub,
        "iat": now,
        "exp": now + LONGEST_SECONDS,
    });
    let signature = world.unique("signin-id-", 60);
    format!("{}.{}.{signature}", part(json!({"alg": "ES384", "typ": "JWT"})), part(claims))
}
