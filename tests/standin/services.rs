//! Which of the services a request is for, and what they that speak JSON have in common.
//!
//! All of them answer on one URL, told apart by the path.

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::world::{Call, World};
use super::{browser_page, oidc, portal, signin, sts};

/// What a fault can be kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Sts,
    /// SSO OIDC: registrations and tokens.
    Oidc,
    /// The SSO portal: accounts, roles and their credentials.
    Portal,
    /// Signin, behind `aws login`.
    Signin,
    /// What a browser opens, of whichever service. Apart, so that a fault of a service is not used up by a page.
    Pages,
}

impl Service {
    pub(super) fn of(request: &Request) -> Self {
        match request.path.as_str() {
            "/client/register" | "/device_authorization" | "/token" => Self::Oidc,
            "/federation/credentials" | "/assignment/accounts" | "/assignment/roles" | "/logout" => Self::Portal,
            "/v1/token" => Self::Signin,
            "/authorize" | "/device" | "/vanity" | "/v1/authorize" | "/v1/sessions/confirmation" => Self::Pages,
            _ => Self::Sts,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sts" => Self::Sts,
            "oidc" => Self::Oidc,
            "portal" => Self::Portal,
            "signin" => Self::Signin,
            "pages" => Self::Pages,
            _ => return None,
        })
    }
}

/// What a service that speaks JSON says to a refused request.
pub(super) struct Refusal {
    pub status: u16,
    /// The name of the exception, for the header.
    pub exception: &'static str,
    /// What stands under `error`; the portal has nothing there.
    pub error: &'static str,
    pub message: String,
}

/// Answers one request, and notes it.
pub(super) fn answer(world: &mut World, request: &Request) -> Response {
    let service = Service::of(request);
    let asked = match service {
        Service::Sts => return sts::answer(world, request),
        Service::Pages => return browser_page::answer(world, request),
        Service::Oidc => oidc::answer,
        Service::Portal => portal::answer,
        Service::Signin => signin::answer,
    };
    let mut call = noted(request.path.clone());
    let response = match asked(world, request, &mut call) {
        Ok(body) => Response::new(200, "application/json", lied(world, &call.action, body).to_string()),
        Err(refusal) => {
            call.status = refusal.status;
            // Signin has one exception for many reasons: there the reason says more.
            call.error = Some(if service == Service::Signin { refusal.error } else { refusal.exception });
            refused(service, &refusal)
        }
    };
    world.calls.push(call);
    response
}

/// An answer with what it was ordered to lie about.
fn lied(world: &World, action: &str, mut body: Value) -> Value {
    let lies = world.lies.get(action.split(':').next().unwrap_or_default());
    for (field, value) in lies.and_then(Value::as_object).into_iter().flatten() {
        if value.is_object() && body[field].is_object() {
            let members = value.as_object().into_iter().flatten();
            members.for_each(|(name, value)| body[field][name] = value.clone());
        } else {
            body[field] = value.clone();
        }
    }
    body
}

/// A call without keys, so far without trouble.
pub(super) fn noted(action: String) -> Call {
    Call { action, access_key_id: String::new(), role_arn: String::new(), status: 200, error: None }
}

/// A refusal, in the shape of the service.
pub(super) fn refused(service: Service, refusal: &Refusal) -> Response {
    let Refusal { status, exception, error, message } = refusal;
    let body = match service {
        Service::Oidc => json!({"error": error, "error_description": message}),
        Service::Signin => json!({"error": error, "message": message}),
        _ => json!({"message": message, "__type": exception}),
    };
    let mut response = Response::new(*status, "application/json", body.to_string());
    response.headers.push(("x-amzn-ErrorType", (*exception).to_owned()));
    if [429, 503].contains(status) {
        response.headers.push(("Retry-After", "1".to_owned()));
    }
    response
}

/// The error that a fault makes, in the shape of the service.
pub(super) fn failure(service: Service, status: u16) -> Response {
    let xml = |code: &str, message: &str| sts::error(status, code, message);
    match (service, status) {
        (Service::Sts, 500) => xml("InternalFailure", "We encountered an internal error."),
        (Service::Sts, 503) => {
            let mut response = xml("ServiceUnavailable", "Service unavailable");
            response.headers.push(("Retry-After", "1".to_owned()));
            response
        }
        // STS throttles with 400.
        (Service::Sts, _) => sts::error(400, "Throttling", "Rate exceeded"),
        (service, _) => {
            let (exception, error, message) = match status {
                500 => ("InternalServerException", "server_error", "We encountered an internal error."),
                503 => ("ServiceUnavailableException", "server_error", "The service is unavailable for a moment."),
                _ if service == Service::Signin => ("TooManyRequestsError", "INVALID_REQUEST", "Rate exceeded"),
                _ => ("TooManyRequestsException", "slow_down", "HTTP 429 Too Many Requests"),
            };
            refused(service, &Refusal { status, exception, error, message: message.to_owned() })
        }
    }
}

/// A member of a body that must be there and be a text.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body[name].as_str().filter(|text| !text.is_empty())
}
