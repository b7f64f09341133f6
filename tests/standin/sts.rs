//! STS, as it answers: who the caller is, and what it may assume.

use chrono::{DateTime, NaiveDateTime};

use super::http::{Request, Response};
use super::sigv4::Authorization;
use super::world::{Call, Principal, Role, Session, World};

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
    let result = authenticate(world, request, &mut call).and_then(|caller| match action.as_str() {
        "GetCallerIdentity" => Ok(identity(&caller)),
        "AssumeRole" => assume_role(world, request, &caller),
        "" => Err(refusal(400, "MissingAction", "Missing Action")),
        other => Err(refusal(400, "InvalidAction", format!("Could not find operation {other} for version 2011-06-15"))),
    });
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
        .filter(|authorization| authorization.service == "sts")
        .ok_or_else(|| refusal(400, "IncompleteSignature", "Authorization header is malformed"))?;
    call.access_key_id.clone_from(&authorization.access_key_id);
    let token = request.header("x-amz-security-token");
    let (secret, principal, expires) = match world.sessions.get(&authorization.access_key_id) {
        Some(session) if token == Some(session.token.as_str()) => {
            (&session.secret_access_key, session.principal.clone(), Some(session.expires_at_ms))
        }
        Some(_) => return Err(unknown()),
        None => {
            let user = world.users.get(&authorization.access_key_id).filter(|user| user.active && token.is_none());
            let user = user.ok_or_else(unknown)?;
            let principal = Principal { arn: user.arn.clone(), account: user.account.clone(), role_arn: None };
            (&user.secret_access_key, principal, None)
        }
    };
    if !authorization.matches(request, secret) {
        return Err(refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.",
        ));
    }
    skew(world.now_ms(), request.header("x-amz-date").unwrap_or_default())?;
    if expires.is_some_and(|expires| expires <= world.now_ms()) {
        return Err(refusal(403, "ExpiredToken", "The security token included in the request is expired"));
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

fn assume_role(world: &mut World, request: &Request, caller: &Principal) -> Result<String, Refusal> {
    let invalid = |message: String| refusal(400, "ValidationError", message);
    let parameter = |name: &str| request.parameter(name).filter(|value| !value.is_empty());
    let arn = parameter("RoleArn").ok_or_else(|| invalid("RoleArn is required".into()))?;
    let session = parameter("RoleSessionName").ok_or_else(|| invalid("RoleSessionName is required".into()))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(fits) {
        return Err(invalid(
            "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint".into(),
        ));
    }
    let seconds = parameter("DurationSeconds").map_or(Ok(3_600), |text| text.parse::<i64>());
    let seconds = seconds.map_err(|_| invalid("DurationSeconds must be a number".into()))?;
    if seconds < 900 {
        return Err(invalid("1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900".into()));
    }
    let denied = || {
        let message = format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn);
        refusal(403, "AccessDenied", message)
    };
    let role: Role = world.roles.get(&arn).cloned().ok_or_else(denied)?;
    let who = caller.role_arn.as_ref().unwrap_or(&caller.arn);
    if !role.trusts.iter().any(|trusted| trusted == "*" || trusted == who)
        || role.external_id != parameter("ExternalId")
    {
        return Err(denied());
    }
    if caller.role_arn.is_some() && seconds > 3_600 {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining".into(),
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".into()));
    }
    let seconds = world.longest_life_seconds.map_or(seconds, |longest| longest.min(seconds));
    let (account, name) =
        (arn.split(':').nth(4).unwrap_or_default().to_owned(), arn.rsplit('/').next().unwrap_or_default());
    let assumed = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    // Real expiries have whole seconds.
    let expires_at_ms = (world.now_ms() + seconds * 1_000).div_euclid(1_000) * 1_000;
    let id = world.unique("ASIA", 20);
    let minted = Session {
        secret_access_key: world.unique("session/secret+", 40),
        token: world.unique("session/token+", 120),
        expires_at_ms,
        principal: Principal { arn: assumed.clone(), account, role_arn: Some(arn) },
    };
    let expiration = DateTime::from_timestamp_millis(expires_at_ms).unwrap().format("%Y-%m-%dT%H:%M:%SZ");
    let body = format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><Arn>{assumed}</Arn>\
         <AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId></AssumedRoleUser>",
        minted.secret_access_key, minted.token
    );
    world.sessions.insert(id, minted);
    Ok(body)
}
