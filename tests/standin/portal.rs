//! The SSO portal, as it answers: the accounts and roles of a person, and the credentials of a role.

use serde_json::{Value, json};

use super::http::Request;
use super::services::Refusal;
use super::world::{Call, Principal, World};

pub(super) fn answer(world: &mut World, request: &Request, call: &mut Call) -> Result<Value, Refusal> {
    let (action, method) = match request.path.as_str() {
        "/federation/credentials" => ("GetRoleCredentials", "GET"),
        "/assignment/accounts" => ("ListAccounts", "GET"),
        "/assignment/roles" => ("ListAccountRoles", "GET"),
        _ => ("Logout", "POST"),
    };
    call.action = action.to_owned();
    let asked = |name: &str| request.query_parameter(name).unwrap_or_default();
    if action == "GetRoleCredentials" {
        call.role_arn = format!("arn:aws:iam::{}:role/{}", asked("account_id"), asked("role_name"));
    }
    if request.method != method {
        return Err(refusal(400, "InvalidRequestException", "The method does not fit"));
    }
    if let Some((status, exception, message)) = world.refusals.get(action) {
        return Err(refusal(*status, exception, message));
    }
    throttle(world)?;
    let token = request.header("x-amz-sso_bearer_token").unwrap_or_default();
    let session = world.sso.signed_in(token, world.now_ms());
    let session = session.ok_or_else(|| refusal(401, "UnauthorizedException", "Session token not found or invalid"))?;
    match action {
        "GetRoleCredentials" => role_credentials(world, &asked("account_id"), &asked("role_name"), &call.role_arn),
        "ListAccounts" => {
            let all = world.sso.accounts.iter().map(|(id, account)| {
                let address = format!("{id}@example.com");
                json!({"accountId": id, "accountName": account.name, "emailAddress": address})
            });
            page(world, request, "accountList", all.collect())
        }
        "ListAccountRoles" => {
            let id = asked("account_id");
            let account = world.sso.accounts.get(&id).ok_or_else(no_account)?;
            let all = account.roles.iter().map(|role| json!({"accountId": id, "roleName": role}));
            page(world, request, "roleList", all.collect())
        }
        _ => {
            world.sso.sessions[session].revoked = true;
            Ok(json!({}))
        }
    }
}

fn refusal(status: u16, exception: &'static str, message: &str) -> Refusal {
    Refusal { status, exception, error: "", message: message.to_owned() }
}

fn no_account() -> Refusal {
    refusal(404, "ResourceNotFoundException", "Account not found")
}

/// Refuses what comes more often than the settings allow; what was refused does not count.
fn throttle(world: &mut World) -> Result<(), Refusal> {
    let now_ms = world.now_ms();
    let sso = &mut world.sso;
    let Some(limit) = sso.settings.portal_calls_per_second else { return Ok(()) };
    // The clock may have been set back as well.
    sso.portal_calls_ms.retain(|called| (called - now_ms).abs() < 1_000);
    if sso.portal_calls_ms.len() >= limit as usize {
        return Err(refusal(429, "TooManyRequestsException", "HTTP 429 Too Many Requests"));
    }
    sso.portal_calls_ms.push_back(now_ms);
    Ok(())
}

fn role_credentials(world: &mut World, account: &str, role: &str, role_arn: &str) -> Result<Value, Refusal> {
    let assigned = world.sso.accounts.get(account).ok_or_else(no_account)?;
    if !assigned.roles.contains(role) {
        return Err(refusal(403, "ForbiddenException", "No access"));
    }
    let person = &world.sso.settings.person;
    let principal = Principal {
        arn: format!("arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{role}_0123456789abcdef/{person}"),
        account: account.to_owned(),
        role_arn: Some(role_arn.to_owned()),
        temporary: true,
        mfa: false,
    };
    let minted = world.mint(world.sso.settings.role_seconds, principal);
    Ok(json!({"roleCredentials": {
        "accessKeyId": minted.access_key_id,
        "secretAccessKey": minted.secret_access_key,
        "sessionToken": minted.token,
        "expiration": minted.expires_at_ms,
    }}))
}

/// One page of a list. The token is where the next one begins.
fn page(world: &World, request: &Request, name: &str, all: Vec<Value>) -> Result<Value, Refusal> {
    let invalid = |what: &str| refusal(400, "InvalidRequestException", what);
    let first = request.query_parameter("next_token").filter(|token| !token.is_empty());
    let first = first.map_or(Ok(0), |token| token.strip_prefix("next-").unwrap_or_default().parse::<usize>());
    let first = first.map_err(|_| invalid("Invalid next token"))?;
    let most = request.query_parameter("max_result").map_or(Ok(100), |text| text.parse::<usize>());
    let most = most.ok().filter(|most| (1..=100).contains(most)).ok_or_else(|| invalid("Invalid max result"))?;
    // Also AWS may send fewer than were asked for.
    let size = most.min(world.sso.settings.page_size.max(1));
    let total = all.len();
    let mut answer = json!({name: all.into_iter().skip(first).take(size).collect::<Vec<_>>()});
    if first + size < total {
        answer["nextToken"] = format!("next-{}", first + size).into();
    }
    Ok(answer)
}
