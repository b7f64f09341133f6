//! STS, as it answers: who the caller is, and what it may assume.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDateTime};

use super::account::{RegionState, is_opt_in, partition};
use super::http::{Request, Response};
use super::sigv4::Authorization;
use super::world::{Call, Principal, Role, World};

/// What AWS says to a refused request.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

fn refusal(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

/// Answers one request, and notes it.
pub(super) fn answer(world: &mut World, request: &Request) -> Response {
    let action = request.parameter("Action").unwrap_or_default();
    if action.is_empty() && request.header("authorization").is_none() {
        // What a browser gets, and a look at the time.
        world.looks += 1;
        // A server that takes only signed requests: `refuse("", …)`.
        if let Some((status, ..)) = world.refusals.get("") {
            return Response::new(*status, "text/html", "<html>no</html>");
        }
        let mut response = Response::new(302, "text/html", "");
        response.headers.push(("Location", "https://aws.amazon.com/iam".to_owned()));
        return response;
    }
    let mut call = Call {
        action: action.clone(),
        access_key_id: String::new(),
        role_arn: request.parameter("RoleArn").unwrap_or_default(),
        status: 200,
        error: None,
    };
    let signed = |world: &World, call: &mut Call| authenticate(world, request, call);
    let ordered = world.refusals.get(&action).cloned();
    let result = match action.as_str() {
        _ if ordered.is_some() => {
            Err(ordered.map_or_else(|| refusal(500, "", ""), |(status, code, message)| refusal(status, code, message)))
        }
        "AssumeRoleWithWebIdentity" => web_identity(world, request),
        "GetSessionToken" => signed(world, &mut call).and_then(|caller| session_token(world, request, &caller)),
        _ => signed(world, &mut call).and_then(|caller| match action.as_str() {
            "GetCallerIdentity" => Ok(identity(&caller)),
            "AssumeRole" => assume_role(world, request, &caller),
            "GetUser" if caller.role_arn.is_some() => {
                Err(invalid("Must specify userName when calling with non-User credentials"))
            }
            "GetUser" => Ok(format!("<User><UserName>someone</UserName><UserId>AIDAEXAMPLE</UserId><Path>/</Path><Arn>{}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>", caller.arn)),
            "" => Err(refusal(400, "MissingAction", "Missing Action")),
            other => {
                Err(refusal(400, "InvalidAction", format!("Could not find operation {other} for version 2011-06-15")))
            }
        }),
    };
    let response = match result {
        Ok(body) => {
            let document = format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{body}</{action}Result>\
                 <ResponseMetadata><RequestId>01234567-89ab</RequestId></ResponseMetadata></{action}Response>"
            );
            Response::new(200, "text/xml", document)
        }
        Err(refusal) => {
            call.status = refusal.status;
            call.error = Some(refusal.code);
            error(refusal.status, refusal.code, &refusal.message)
        }
    };
    world.calls.push(call);
    response
}

/// An error document.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let document = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>01234567-89ab</RequestId></ErrorResponse>"
    );
    Response::new(status, "text/xml", document)
}

fn authenticate(world: &World, request: &Request, call: &mut Call) -> Result<Principal, Refusal> {
    let unknown = || refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    let header = request.header("authorization");
    let header =
        header.ok_or_else(|| refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token"))?;
    let authorization = Authorization::parse(header)
        .filter(|authorization| ["sts", "iam"].contains(&authorization.service.as_str()))
        .ok_or_else(|| refusal(400, "IncompleteSignature", "Authorization header is malformed"))?;
    call.access_key_id.clone_from(&authorization.access_key_id);
    let (region, is_sts) = (authorization.region.as_str(), authorization.service == "sts");
    // IAM is one for the whole partition.
    if is_sts && world.region(region) == RegionState::NotEnabled {
        return Err(unknown());
    }
    let token = request.header("x-amz-security-token");
    let (secret, principal, expires) = match world.sessions.get(&authorization.access_key_id) {
        // A token of the first version is none that an opt-in region knows.
        Some(session) if is_sts && session.v1 && is_opt_in(region) => return Err(unknown()),
        Some(session) if token == Some(session.token.as_str()) => {
            (&session.secret_access_key, session.principal.clone(), Some(session.expires_at_ms))
        }
        Some(_) => return Err(unknown()),
        None => {
            let user = world.users.get(&authorization.access_key_id).filter(|user| user.active && token.is_none());
            let user = user.ok_or_else(unknown)?;
            let (arn, account) = (user.arn.clone(), user.account.clone());
            let principal = Principal { arn, account, role_arn: None, temporary: false, mfa: false };
            (&user.secret_access_key, principal, None)
        }
    };
    if principal.arn.split(':').nth(1) != Some(partition(region)) {
        return Err(unknown());
    }
    if !authorization.matches(request, secret) {
        return Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.",
        ));
    }
    skew(world.now_ms(), request.header("x-amz-date").unwrap_or_default())?;
    // IAM knows sessions of users only with MFA; STS and the others know them all.
    if authorization.service == "iam" && principal.temporary && principal.role_arn.is_none() && !principal.mfa {
        return Err(unknown());
    }
    let ended = world.sessions.get(&authorization.access_key_id).is_some_and(|session| session.ended);
    if ended || expires.is_some_and(|expires| expires <= world.now_ms()) {
        return Err(refusal(403, "ExpiredToken", "The security token included in the request is expired"));
    }
    if is_sts && world.region(region) == RegionState::StsOff {
        let message = format!(
            "STS is not activated in this region for account:{}. Your account administrator can activate STS in this region \
             using the IAM Console.",
            principal.account
        );
        return Err(refusal(403, "RegionDisabledException", message));
    }
    Ok(principal)
}

fn skew(now_ms: i64, stamp: &str) -> Result<(), Refusal> {
    const LIMIT_MS: i64 = 15 * 60_000;
    let show = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap().format("%Y%m%dT%H%M%SZ").to_string();
    let signed = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").map(|time| time.and_utc().timestamp_millis());
    let signed = signed.map_err(|_| refusal(400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'"))?;
    let why = if signed < now_ms - LIMIT_MS {
        format!(
            "Signature expired: {stamp} is now earlier than {} ({} - 15 min.)",
            show(now_ms - LIMIT_MS),
            show(now_ms)
        )
    } else if signed > now_ms + LIMIT_MS {
        format!(
            "Signature not yet current: {stamp} is still later than {} ({} + 15 min.)",
            show(now_ms + LIMIT_MS),
            show(now_ms)
        )
    } else {
        return Ok(());
    };
    Err(refusal(403, "SignatureDoesNotMatch", why))
}

fn identity(caller: &Principal) -> String {
    format!("<Arn>{}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{}</Account>", caller.arn, caller.account)
}

fn invalid(message: &str) -> Refusal {
    refusal(400, "ValidationError", message)
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    request.parameter(name).filter(|value| !value.is_empty())
}

fn seconds(request: &Request, unless_set: i64) -> Result<i64, Refusal> {
    let seconds = parameter(request, "DurationSeconds").map_or(Ok(unless_set), |text| text.parse::<i64>());
    let seconds = seconds.map_err(|_| invalid("DurationSeconds must be a number"))?;
    if seconds < 900 {
        return Err(invalid(
            "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value \
             greater than or equal to 900",
        ));
    }
    Ok(seconds)
}

/// Whether the request brings the code that its device shows now. A code is good once.
fn shows_code(world: &mut World, request: &Request) -> Result<bool, Refusal> {
    match (parameter(request, "SerialNumber"), parameter(request, "TokenCode")) {
        (None, None) => Ok(false),
        (Some(device), Some(code)) if world.codes.get(&device) == Some(&code) => {
            world.codes.remove(&device);
            Ok(true)
        }
        _ => {
            Err(refusal(403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. "))
        }
    }
}

fn session_token(world: &mut World, request: &Request, caller: &Principal) -> Result<String, Refusal> {
    if caller.temporary {
        return Err(refusal(403, "AccessDenied", "Cannot call GetSessionToken with session credentials"));
    }
    let seconds = seconds(request, 43_200)?;
    if seconds > 129_600 {
        return Err(invalid("The requested DurationSeconds exceeds the maximum of 129600"));
    }
    let mfa = shows_code(world, request)?;
    Ok(mint(world, seconds, Principal { temporary: true, mfa, ..caller.clone() }))
}

fn web_identity(world: &mut World, request: &Request) -> Result<String, Refusal> {
    let (arn, session, seconds) = asked(request)?;
    let no_jwt = || {
        refusal(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    };
    let token = parameter(request, "WebIdentityToken").unwrap_or_default();
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).ok_or_else(no_jwt)?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).map_err(|_| no_jwt())?;
    let expires_ms = claims["exp"].as_i64().ok_or_else(no_jwt)? * 1_000;
    if expires_ms <= world.now_ms() {
        let message = format!(
            "Token expired: current date/time {} must be before the expiration date/time {}",
            world.now_ms() / 1_000,
            expires_ms / 1_000
        );
        return Err(refusal(400, "ExpiredTokenException", message));
    }
    let subject = format!("oidc:{}", claims["sub"].as_str().unwrap_or_default());
    let trusted = world.roles.get(&arn).is_some_and(|role| role.trusts.contains(&subject));
    if !trusted {
        return Err(refusal(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"));
    }
    Ok(assumed(world, &arn, &session, seconds))
}

/// The role, the session's name and how long.
fn asked(request: &Request) -> Result<(String, String, i64), Refusal> {
    let arn = parameter(request, "RoleArn").ok_or_else(|| invalid("RoleArn is required"))?;
    let session = parameter(request, "RoleSessionName").ok_or_else(|| invalid("RoleSessionName is required"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(fits) {
        return Err(invalid("1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint"));
    }
    Ok((arn, session, seconds(request, 3_600)?))
}

fn assume_role(world: &mut World, request: &Request, caller: &Principal) -> Result<String, Refusal> {
    let (arn, session, seconds) = asked(request)?;
    let because = world.roles.get(&arn).and_then(|role| role.denied.clone());
    let denied = || {
        let because = because.as_deref().unwrap_or_default();
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}{because}", caller.arn);
        refusal(403, "AccessDenied", message)
    };
    let shown = shows_code(world, request)?;
    let role: Role = world.roles.get(&arn).cloned().filter(|role| role.denied.is_none()).ok_or_else(denied)?;
    let who = caller.role_arn.as_ref().unwrap_or(&caller.arn);
    if !role.trusts.iter().any(|trusted| trusted == "*" || trusted == who)
        || role.external_id != parameter(request, "ExternalId")
        || (role.mfa && !caller.mfa && !shown)
    {
        return Err(denied());
    }
    if caller.temporary && seconds > 3_600 {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    Ok(assumed(world, &arn, &session, seconds))
}

fn assumed(world: &mut World, arn: &str, session: &str, seconds: i64) -> String {
    let (account, name) =
        (arn.split(':').nth(4).unwrap_or_default().to_owned(), arn.rsplit('/').next().unwrap_or_default());
    let assumed = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let (role_arn, temporary, mfa) = (Some(arn.to_owned()), true, false);
    let body = mint(world, seconds, Principal { arn: assumed.clone(), account, role_arn, temporary, mfa });
    format!(
        "{body}<AssumedRoleUser><Arn>{assumed}</Arn><AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId></AssumedRoleUser>"
    )
}

/// A new session, as the answers show it.
fn mint(world: &mut World, seconds: i64, principal: Principal) -> String {
    let minted = world.mint(seconds, principal);
    let expiration = DateTime::from_timestamp_millis(minted.expires_at_ms).unwrap().format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials>",
        minted.access_key_id, minted.secret_access_key, minted.token
    )
}
