//! SSO OIDC, as it answers: registrations, device authorizations and tokens.

use serde_json::{Value, json};

use super::grants::{RefreshToken, Rotation, Verdict, verifies};
use super::http::Request;
use super::services::{Refusal, text};
use super::sso::{Client, Device, Said, new_refresh_token, sign_in, tokens};
use super::world::{Call, World};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A poll may come early by so much: both sides measure the interval, and neither the way between them.
const POLL_SLACK_MS: i64 = 100;

pub(super) fn answer(world: &mut World, request: &Request, call: &mut Call) -> Result<Value, Refusal> {
    let action = match request.path.as_str() {
        "/client/register" => "RegisterClient",
        "/device_authorization" => "StartDeviceAuthorization",
        _ => "CreateToken",
    };
    call.action = action.to_owned();
    if request.method != "POST" {
        return Err(refusal("InvalidRequestException", "POST is the only method"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| refusal("InvalidRequestException", "The body is not a JSON document"))?;
    match action {
        "RegisterClient" => register(world, &body),
        "StartDeviceAuthorization" => start_device_authorization(world, request, &body),
        _ => create_token(world, &body, call),
    }
}

fn refusal(exception: &'static str, message: &str) -> Refusal {
    let (status, error) = match exception {
        "InvalidClientException" => (401, "invalid_client"),
        "InvalidGrantException" => (400, "invalid_grant"),
        "UnauthorizedClientException" => (400, "unauthorized_client"),
        "UnsupportedGrantTypeException" => (400, "unsupported_grant_type"),
        "InvalidScopeException" => (400, "invalid_scope"),
        "InvalidClientMetadataException" => (400, "invalid_client_metadata"),
        "InvalidRedirectUriException" => (400, "invalid_redirect_uri"),
        "AuthorizationPendingException" => (400, "authorization_pending"),
        "SlowDownException" => (400, "slow_down"),
        "ExpiredTokenException" => (400, "expired_token"),
        "AccessDeniedException" => (400, "access_denied"),
        _ => (400, "invalid_request"),
    };
    Refusal { status, exception, error, message: message.to_owned() }
}

fn member<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    text(body, name).ok_or_else(|| refusal("InvalidRequestException", &format!("{name} is missing")))
}

fn list(body: &Value, name: &str) -> Vec<String> {
    body[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn register(world: &mut World, body: &Value) -> Result<Value, Refusal> {
    member(body, "clientName")?;
    if member(body, "clientType")? != "public" {
        return Err(refusal("InvalidClientMetadataException", "The client type is not known"));
    }
    let issuer_url = text(body, "issuerUrl").map(str::to_owned);
    if issuer_url.as_ref().is_some_and(|url| !world.sso.knows(url)) {
        return Err(refusal("InvalidRequestException", "Invalid issuer URL provided"));
    }
    let known = ["authorization_code", "refresh_token", DEVICE_GRANT];
    let grant_types = list(body, "grantTypes");
    if grant_types.iter().any(|grant| !known.contains(&grant.as_str())) {
        return Err(refusal("UnsupportedGrantTypeException", "A grant type is not known"));
    }
    let redirect_uris = list(body, "redirectUris");
    let by_code = grant_types.iter().any(|grant| grant == "authorization_code");
    if by_code && (redirect_uris.is_empty() || issuer_url.is_none()) {
        return Err(refusal("InvalidRequestException", "Authorization codes need redirect URIs and an issuer URL"));
    }
    if redirect_uris.iter().any(|uri| !uri.starts_with("http://127.0.0.1")) {
        return Err(refusal("InvalidRedirectUriException", "Only redirect URIs on 127.0.0.1 are taken"));
    }
    let issued = world.now_ms().div_euclid(1_000);
    let expires = issued + world.sso.settings.client_seconds;
    // An identifier, and no secret: it is without a marker.
    let (id, secret) = (world.unique("OIDC", 22), world.unique("sso/client-secret+", 120));
    let client = Client {
        secret: secret.clone(),
        expires_at_ms: expires * 1_000,
        scopes: list(body, "scopes"),
        grant_types,
        redirect_uris,
        issuer_url,
    };
    world.sso.clients.insert(id.clone(), client);
    Ok(json!({"clientId": id, "clientSecret": secret, "clientIdIssuedAt": issued, "clientSecretExpiresAt": expires}))
}

/// The client that a body names and proves to be.
fn client<'a>(world: &'a World, body: &Value) -> Result<(String, &'a Client), Refusal> {
    let invalid = |message| refusal("InvalidClientException", message);
    let (id, secret) = (member(body, "clientId")?, member(body, "clientSecret")?);
    let client = world.sso.clients.get(id).ok_or_else(|| invalid("Invalid client provided"))?;
    if client.secret != secret {
        return Err(invalid("Invalid client secret provided"));
    }
    if client.expires_at_ms <= world.now_ms() {
        return Err(invalid("Client registration has expired"));
    }
    Ok((id.to_owned(), client))
}

fn start_device_authorization(world: &mut World, request: &Request, body: &Value) -> Result<Value, Refusal> {
    let (client_id, _) = client(world, body)?;
    if !world.sso.knows(member(body, "startUrl")?) {
        return Err(refusal("InvalidRequestException", "Invalid start url provided"));
    }
    let (device_code, code) = (world.unique("sso/device+", 60), world.unique("CODE", 12));
    let user_code = format!("{}-{}", &code[4..8], &code[8..12]);
    let settings = &world.sso.settings;
    let (seconds, interval) = (settings.device_code_seconds, settings.device_interval_seconds);
    let device = Device {
        client_id,
        user_code: user_code.clone(),
        expires_at_ms: world.now_ms() + seconds * 1_000,
        interval_seconds: interval,
        polled_at_ms: None,
        said: Said::Nothing,
    };
    world.sso.devices.insert(device_code.clone(), device);
    let page = format!("http://{}/device", request.header("host").unwrap_or_default());
    Ok(json!({
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": format!("{page}?user_code={user_code}"),
        "expiresIn": seconds,
        "interval": interval,
    }))
}

fn create_token(world: &mut World, body: &Value, call: &mut Call) -> Result<Value, Refusal> {
    let grant = member(body, "grantType")?;
    call.action = format!("CreateToken:{}", grant.rsplit(':').next().unwrap_or_default());
    if !["authorization_code", "refresh_token", DEVICE_GRANT].contains(&grant) {
        return Err(refusal("UnsupportedGrantTypeException", "The grant type is not supported"));
    }
    let (client_id, client) = client(world, body)?;
    // Clients of the older form have said nothing of their grants, and came before there were codes.
    let may = match client.grant_types.as_slice() {
        [] => grant != "authorization_code",
        grants => grants.iter().any(|allowed| allowed == grant),
    };
    if !may {
        return Err(refusal("UnauthorizedClientException", "The client is not registered for this grant type"));
    }
    match grant {
        "authorization_code" => by_code(world, &client_id, body),
        "refresh_token" => by_refresh_token(world, &client_id, body),
        _ => by_device(world, &client_id, body),
    }
}

fn by_code(world: &mut World, client_id: &str, body: &Value) -> Result<Value, Refusal> {
    let invalid = |message| refusal("InvalidGrantException", message);
    let (now_ms, verifier) = (world.now_ms(), member(body, "codeVerifier")?);
    let redirect_uri = member(body, "redirectUri")?;
    let code = world.sso.codes.get_mut(member(body, "code")?).filter(|code| code.client_id == client_id);
    let code = code.ok_or_else(|| invalid("Invalid authorization code provided"))?;
    // One try each: a code that was shown with something wrong is lost.
    if std::mem::replace(&mut code.used, true) {
        return Err(invalid("The authorization code was used before"));
    }
    if code.expires_at_ms <= now_ms {
        return Err(invalid("The authorization code has expired"));
    }
    if code.redirect_uri != redirect_uri {
        return Err(invalid("The redirect URI is not the one of the authorization"));
    }
    if !verifies(&code.challenge, verifier) {
        return Err(invalid("Invalid code verifier provided"));
    }
    Ok(sign_in(world, client_id))
}

fn by_device(world: &mut World, client_id: &str, body: &Value) -> Result<Value, Refusal> {
    let now_ms = world.now_ms();
    let sso = &mut world.sso;
    let device = sso.devices.get_mut(member(body, "deviceCode")?).filter(|device| device.client_id == client_id);
    let device = device.ok_or_else(|| refusal("InvalidGrantException", "Invalid device code provided"))?;
    if device.said == Said::Fetched {
        return Err(refusal("InvalidGrantException", "The device code was used before"));
    }
    if device.expires_at_ms <= now_ms {
        return Err(refusal("ExpiredTokenException", "Device code has expired"));
    }
    let earliest = device.polled_at_ms.map(|polled| polled + device.interval_seconds * 1_000 - POLL_SLACK_MS);
    device.polled_at_ms = Some(now_ms);
    if sso.settings.slow_downs > 0 {
        sso.settings.slow_downs -= 1;
        return Err(refusal("SlowDownException", "Slow down"));
    }
    if earliest.is_some_and(|earliest| now_ms < earliest) {
        return Err(refusal("SlowDownException", "Polled before the interval was over"));
    }
    match device.said {
        Said::Nothing => Err(refusal("AuthorizationPendingException", "Authorization is still pending")),
        Said::Deny => Err(refusal("AccessDeniedException", "The person denied the access")),
        Said::Allow | Said::Fetched => {
            device.said = Said::Fetched;
            Ok(sign_in(world, client_id))
        }
    }
}

fn by_refresh_token(world: &mut World, client_id: &str, body: &Value) -> Result<Value, Refusal> {
    let invalid = || refusal("InvalidGrantException", "Invalid refresh token provided");
    let (shown, now_ms) = (member(body, "refreshToken")?, world.now_ms());
    let (rotation, grace) = (world.sso.settings.rotation, world.sso.settings.grace_seconds);
    let token: &mut RefreshToken = world.sso.refresh_tokens.get_mut(shown).ok_or_else(invalid)?;
    let session = token.session;
    if token.holder != client_id || !world.sso.sessions[session].is_live(now_ms) {
        return Err(invalid());
    }
    match token.verdict(rotation, grace, now_ms) {
        Verdict::Good => {}
        Verdict::Refused => return Err(invalid()),
        Verdict::SessionRevoked => {
            world.sso.sessions[session].revoked = true;
            return Err(invalid());
        }
    }
    let next = if rotation == Rotation::None {
        shown.to_owned()
    } else {
        token.replaced_at_ms.get_or_insert(now_ms);
        new_refresh_token(world, session, client_id)
    };
    Ok(tokens(world, session, Some(next)))
}
