//! What a browser opens: the pages on which a person allows or denies, and where they lead.
//!
//! They are plain forms. A request with `_answer=allow` or `_answer=deny` is what a click sends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::grants::Code;
use super::http::{Request, Response, encode};
use super::services::noted;
use super::sso::Said;
use super::world::World;

pub(super) const SAME_DEVICE: &str = "arn:aws:signin:::devtools/same-device";
pub(super) const CROSS_DEVICE: &str = "arn:aws:signin:::devtools/cross-device";

/// What someone asks an authorization code for.
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    challenge: String,
}

pub(super) fn answer(world: &mut World, request: &Request) -> Response {
    let (action, response) = match request.path.as_str() {
        "/vanity" => ("Page:vanity", redirect(&world.sso.settings.vanity_leads_to)),
        "/device" => ("Page:device", device(world, request)),
        "/authorize" => ("Page:authorize", sso_authorize(world, request)),
        "/v1/sessions/confirmation" => ("Page:confirmation", confirmation(request)),
        _ => ("Page:signin", signin_authorize(world, request)),
    };
    let mut call = noted(action.to_owned());
    call.status = response.status;
    world.calls.push(call);
    response
}

fn redirect(to: &str) -> Response {
    let mut response = Response::new(302, "text/html", "");
    response.headers.push(("Location", to.to_owned()));
    response
}

fn sso_authorize(world: &mut World, request: &Request) -> Response {
    let asked = match sso_asked(world, request) {
        Ok(asked) => asked,
        Err(why) => return page(400, &format!("<p id=\"error\">{}</p>", escape(why))),
    };
    let settings = &world.sso.settings;
    let (auto, tamper, seconds) = (settings.auto_approve, settings.tamper_state, settings.code_seconds);
    let code = world.unique("sso/code+", 60);
    let (response, granted) = decided(world, request, asked, (auto, tamper, seconds), &code);
    world.sso.codes.extend(granted.map(|granted| (code, granted)));
    response
}

fn signin_authorize(world: &mut World, request: &Request) -> Response {
    let asked = match signin_asked(request) {
        Ok(asked) => asked,
        Err(why) => return page(400, &format!("<p id=\"error\">{}</p>", escape(why))),
    };
    let settings = &world.signin.settings;
    let (auto, tamper, seconds) = (settings.auto_approve, settings.tamper_state, settings.code_seconds);
    let code = world.unique("signin/code+", 60);
    let (response, granted) = decided(world, request, asked, (auto, tamper, seconds), &code);
    world.signin.codes.extend(granted.map(|granted| (code, granted)));
    response
}

/// The page, or where the answer leads; with what the code is good for, if it was given.
fn decided(
    world: &World,
    request: &Request,
    asked: Asked,
    (auto_approve, tamper_state, seconds): (bool, bool, i64),
    code: &str,
) -> (Response, Option<Code>) {
    let state = if tamper_state { format!("{}-tampered", asked.state) } else { asked.state };
    let (uri, state) = (&asked.redirect_uri, encode(&state));
    match request.query_parameter("_answer").as_deref() {
        Some("deny") => {
            let why = encode("The person denied the access");
            return (redirect(&format!("{uri}?error=access_denied&error_description={why}&state={state}")), None);
        }
        Some("allow") => {}
        _ if auto_approve => {}
        _ => return (question(request, "Allow access to your data?"), None),
    }
    let response = redirect(&format!("{uri}?code={}&state={state}", encode(code)));
    let granted = Code {
        client_id: asked.client_id,
        redirect_uri: asked.redirect_uri,
        challenge: asked.challenge,
        expires_at_ms: world.now_ms() + seconds * 1_000,
        used: false,
    };
    (response, Some(granted))
}

/// What both kinds of authorization must bring.
fn asked(request: &Request, method: &str) -> Result<Asked, &'static str> {
    let parameter = |name: &str| request.query_parameter(name).unwrap_or_default();
    if parameter("response_type") != "code" {
        return Err("response_type must be code");
    }
    if parameter("code_challenge_method") != method {
        return Err("The code_challenge_method is not supported");
    }
    let asked = Asked {
        client_id: parameter("client_id"),
        redirect_uri: parameter("redirect_uri"),
        state: parameter("state"),
        challenge: parameter("code_challenge"),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if asked.challenge.len() != 43 || !asked.challenge.chars().all(fits) {
        return Err("The code_challenge is not a digest");
    }
    if asked.state.is_empty() {
        return Err("The state is missing");
    }
    Ok(asked)
}

fn sso_asked(world: &World, request: &Request) -> Result<Asked, &'static str> {
    let asked = asked(request, "S256")?;
    let client = world.sso.clients.get(&asked.client_id).ok_or("The client is not known")?;
    if client.expires_at_ms <= world.now_ms() {
        return Err("The client's registration has expired");
    }
    if client.issuer_url.is_none() {
        return Err("The client was registered without an issuer URL");
    }
    let path = Some(loopback_path(&asked.redirect_uri).ok_or(NO_LOOPBACK)?);
    if !client.redirect_uris.iter().any(|registered| registered_path(registered) == path) {
        return Err("The redirect_uri is not a registered one");
    }
    let scopes = request.query_parameter("scopes").unwrap_or_default();
    let mut scopes = scopes.split([' ', ',']).filter(|scope| !scope.is_empty());
    if !scopes.all(|scope| client.scopes.iter().any(|registered| registered == scope)) {
        return Err("A scope is not a registered one");
    }
    Ok(asked)
}

fn signin_asked(request: &Request) -> Result<Asked, &'static str> {
    let asked = asked(request, "SHA-256")?;
    match asked.client_id.as_str() {
        SAME_DEVICE => drop(loopback_path(&asked.redirect_uri).ok_or(NO_LOOPBACK)?),
        CROSS_DEVICE => {
            let here = format!("http://{}/v1/sessions/confirmation", request.header("host").unwrap_or_default());
            if asked.redirect_uri != here {
                return Err("The redirect_uri must be the page that shows the code");
            }
        }
        _ => return Err("The client is not known"),
    }
    if request.query_parameter("scope").as_deref() != Some("openid") {
        return Err("The scope must be openid");
    }
    Ok(asked)
}

const NO_LOOPBACK: &str = "The redirect_uri must be http://127.0.0.1:PORT/PATH";

/// Shows the code that the person pastes elsewhere.
fn confirmation(request: &Request) -> Response {
    let parameter = |name: &str| encode(&request.query_parameter(name).unwrap_or_default());
    let code = STANDARD.encode(format!("state={}&code={}", parameter("state"), parameter("code")));
    page(200, &format!("<p>Paste this code:</p>\n<code id=\"code\">{code}</code>\n"))
}

/// The path of `http://127.0.0.1:PORT/PATH`.
fn loopback_path(uri: &str) -> Option<&str> {
    let (port, path) = uri.strip_prefix("http://127.0.0.1:")?.split_once('/')?;
    port.parse::<u16>().ok()?;
    (!path.contains(['?', '#'])).then_some(path)
}

/// The path of a registered URI: the port in it, if there is one, does not count.
fn registered_path(uri: &str) -> Option<&str> {
    loopback_path(uri).or_else(|| uri.strip_prefix("http://127.0.0.1/"))
}

fn device(world: &mut World, request: &Request) -> Response {
    let (now_ms, given) = (world.now_ms(), request.query_parameter("user_code").unwrap_or_default());
    // People write it as they like.
    let code = given.trim().to_ascii_uppercase();
    if code.is_empty() {
        let form = "<form action=\"/device\"><input name=\"user_code\" id=\"user_code\">\
                    <button id=\"continue\">Continue</button></form>";
        return page(200, form);
    }
    if !world.sso.waiting(now_ms).contains(&code) {
        return page(400, "<p id=\"error\">This code is not known, or it is over with.</p>");
    }
    let (said, text) = match request.query_parameter("_answer").as_deref() {
        Some("deny") => (Said::Deny, "Denied."),
        Some("allow") => (Said::Allow, "Allowed."),
        _ if world.sso.settings.auto_approve => (Said::Allow, "Allowed."),
        _ => return question(request, &format!("Is {code} the code on your device?")),
    };
    world.sso.say(said, Some(&code), now_ms);
    page(200, &format!("<p id=\"done\">{text} You may close this window.</p>"))
}

/// A form that sends the same request again, with the answer.
fn question(request: &Request, text: &str) -> Response {
    let hidden: String = request
        .query_parameters()
        .iter()
        .filter(|(name, _)| name != "_answer")
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value)))
        .collect();
    let buttons = "<button id=\"allow\" name=\"_answer\" value=\"allow\">Allow</button>\
                   <button id=\"deny\" name=\"_answer\" value=\"deny\">Deny</button>";
    page(200, &format!("<p>{}</p><form action=\"{}\">{hidden}{buttons}</form>", escape(text), escape(&request.path)))
}

fn page(status: u16, body: &str) -> Response {
    // The empty icon keeps a browser from asking for one.
    let document = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>AWS stand-in</title>\
         <link rel=\"icon\" href=\"data:,\"></head><body>{body}</body></html>"
    );
    Response::new(status, "text/html; charset=utf-8", document)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
