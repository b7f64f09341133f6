//! The stand-in's own requests, for programs that drive it from outside: POST `/_stand-in/COMMAND` with a JSON body.

use serde_json::{Value, json};

use super::account;
use super::http::Response;
use super::server::Shared;
use super::services::Service;
use super::sso_control;
use super::world::{DateHeader, Fault, Role, World};

pub(super) fn carry_out(shared: &Shared, command: &str, body: &[u8]) -> Response {
    let given: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let mut world = shared.world();
    let result = match command {
        "clock" => {
            world.offset_ms = given["offset_seconds"].as_i64().unwrap_or(0) * 1_000;
            Some(json!({}))
        }
        "date" => {
            world.date = given["lie_seconds"].as_i64().map_or(DateHeader::True, DateHeader::Lying);
            Some(json!({}))
        }
        "life" => {
            world.longest_life_seconds = given["seconds"].as_i64();
            Some(json!({}))
        }
        "user" => {
            let account = text("account").unwrap_or_else(|| "111122223333".to_owned());
            let key = world.add_user(&account, &text("name").unwrap_or_else(|| "someone".to_owned()));
            Some(json!({"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}))
        }
        "key" => {
            text("access_key_id").and_then(|id| world.users.get_mut(&id).map(|user| (id, user))).map(|(_, user)| {
                user.active = given["active"].as_bool().unwrap_or(true);
                json!({})
            })
        }
        "role" => text("arn").map(|arn| {
            let trusts = given["trusts"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            let role = Role {
                trusts: trusts.collect(),
                external_id: text("external_id"),
                mfa: given["mfa"].as_bool().unwrap_or(false),
                max_session_seconds: given["max_session_seconds"].as_i64().unwrap_or(3_600),
                denied: text("denied"),
            };
            world.roles.insert(arn, role);
            json!({})
        }),
        "code" => text("device").zip(text("code")).map(|(device, code)| {
            world.codes.insert(device, code);
            json!({})
        }),
        "fail" => fail(&mut world, &given),
        "calls" => Some(json!({"calls": world.calls.iter().map(|call| json!({
            "action": call.action,
            "access_key_id": call.access_key_id,
            "role_arn": call.role_arn,
            "status": call.status,
            "error": call.error,
        })).collect::<Vec<_>>()})),
        "region" | "revoke" | "session" => account::carry_out(&mut world, command, &given),
        _ => sso_control::carry_out(&mut world, command, &given),
    };
    match result {
        Some(answer) => Response::new(200, "application/json", answer.to_string()),
        None => Response::new(400, "application/json", "{\"error\": \"not understood\"}"),
    }
}

/// Without a fault everything is well again. Without a service it is all of them.
fn fail(world: &mut World, given: &Value) -> Option<Value> {
    let service = match given["service"].as_str() {
        Some(name) => Some(Service::named(name)?),
        None => None,
    };
    match given["fault"].as_str() {
        None => {
            let stays = |only: &Option<Service>| service.is_some() && *only != service;
            world.outages.retain(|only, _| stays(only));
            world.faults.retain(|(only, _)| stays(only));
        }
        Some(name) => {
            let fault = fault(name)?;
            match given["times"].as_u64() {
                Some(times) => world.faults.extend((0..times).map(|_| (service, fault))),
                None => world.set_outage(service, Some(fault)),
            }
        }
    }
    Some(json!({}))
}

fn fault(name: &str) -> Option<Fault> {
    Some(match name {
        "timeout" => Fault::Timeout,
        "reset" => Fault::Reset,
        "500" => Fault::Status500,
        "503" => Fault::Status503,
        "throttled" => Fault::Throttled,
        "html" => Fault::Html,
        "redirect" => Fault::Redirect,
        "511" => Fault::Status511,
        "empty" => Fault::Empty,
        "truncated" => Fault::Truncated,
        "huge" => Fault::Huge,
        "garbage" => Fault::Garbage,
        _ => return None,
    })
}
