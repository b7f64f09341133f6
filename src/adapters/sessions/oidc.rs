//! The OpenID Connect service of IAM Identity Center: registrations, and tokens.

use aws_sdk_ssooidc::Client;
use aws_sdk_ssooidc::operation::create_token::CreateTokenOutput;
use chrono::TimeDelta;

use super::seconds;
use crate::adapters::aws_call::{Call, Name};
use crate::adapters::clock;
use crate::adapters::sdk::{Sdk, client_config};
use crate::core::aws_error::{ErrorClass, Fault, Operation};
use crate::core::clock::Sample;
use crate::core::credential::Grant;
use crate::core::keeper::Flow;
use crate::core::plan::{Endpoint, Service};
use crate::core::secret::Secret;
use crate::core::session::{
    Authorization, DeviceAuthorization, Registration, Session, SsoRefresh, SsoSession, SsoToken, TokenAnswer,
    registration_expiry,
};

/// What is shown to people as the name of the client.
const CLIENT_NAME: &str = "evercred";
/// As registered; the port is added for each sign-in (RFC 8252 section 7.3).
const REDIRECT_URI: &str = "http://127.0.0.1/oauth/callback";

/// A client for one call.
struct Ready<'a> {
    client: Client,
    call: Call<'a>,
}

async fn ready<'a>(sdk: &Sdk, operation: &'a Operation, endpoint: &Endpoint) -> Result<Ready<'a>, Fault> {
    let call = Call::prepare(&sdk.network, operation, Service::Oidc, endpoint).await?;
    // Nothing here is signed: no time is needed.
    let config = client_config!(aws_sdk_ssooidc, &sdk.config, call, endpoint, TimeDelta::zero());
    Ok(Ready { client: Client::from_conf(config.build()), call })
}

/// Gets the next token.
pub(super) async fn refresh(
    sdk: &Sdk,
    session: &Session,
    token: &SsoToken,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<TokenAnswer, Fault> {
    let Ready { client, call } = ready(sdk, operation, session.endpoint()).await?;
    let Some(SsoRefresh { refresh_token, client_id, client_secret, .. }) = &token.refresh else {
        return Err(call.unusable(None, "no refresh token"));
    };
    let answer = client
        .create_token()
        .grant_type("refresh_token")
        .client_id(client_id)
        .client_secret(client_secret.expose())
        .refresh_token(refresh_token.expose())
        .send()
        .await;
    let answer = answer.map_err(|error| refused_grant(call.json_fault(&error, Name::Exception)));
    let token = answer.and_then(|answer| token_answer(&call, &answer));
    samples.extend(call.samples(&token));
    token
}

/// A refresh token that has expired, or makes no sense to AWS, is a refused one.
fn refused_grant(fault: Fault) -> Fault {
    match fault.code.as_str() {
        "ExpiredTokenException"
        | "InvalidRequestException"
        | "UnauthorizedClientException"
        | "InvalidClientException" => {
            let (class, code) = (ErrorClass::NeedsLogin, "InvalidGrantException".to_owned());
            Fault { class, code, remedy: None, ..fault }
        }
        _ => fault,
    }
}

/// Registers a client for one way of signing in.
pub(super) async fn register(
    sdk: &Sdk,
    session: &SsoSession,
    start_url: &str,
    flow: Flow,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<Registration, Fault> {
    let Ready { client, call } = ready(sdk, operation, &session.oidc).await?;
    let mut request = client.register_client().client_name(CLIENT_NAME).client_type("public");
    if !session.scopes.is_empty() {
        request = request.set_scopes(Some(session.scopes.clone()));
    }
    if flow == Flow::Browser {
        request = request
            .grant_types("authorization_code")
            .grant_types("refresh_token")
            .redirect_uris(REDIRECT_URI)
            .issuer_url(start_url);
    }
    let answer = request.send().await;
    let answer = answer.map_err(|error| unknown_start_url(call.json_fault(&error, Name::Exception), session, &call));
    samples.extend(call.samples(&answer));
    let answer = answer?;
    let (Some(client_id), Some(client_secret)) = (answer.client_id(), answer.client_secret()) else {
        return Err(call.unusable(None, "an answer that names no client"));
    };
    let Some(expires) = registration_expiry(answer.client_secret_expires_at(), clock::read().wall) else {
        return Err(call.unusable(None, "a clientSecretExpiresAt that is no time"));
    };
    Ok(Registration { client_id: client_id.to_owned(), client_secret: Secret::new(client_secret), expires })
}

/// A sign-in in any browser, with a code.
pub(super) struct DeviceCode {
    pub(super) device_code: Secret,
    pub(super) stated: DeviceAuthorization,
}

/// Begins a sign-in in any browser.
pub(super) async fn begin_device_code(
    sdk: &Sdk,
    session: &SsoSession,
    start_url: &str,
    registration: &Registration,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<DeviceCode, Fault> {
    let Ready { client, call } = ready(sdk, operation, &session.oidc).await?;
    let answer = client
        .start_device_authorization()
        .client_id(&registration.client_id)
        .client_secret(registration.client_secret.expose())
        .start_url(start_url)
        .send()
        .await;
    let answer = answer.map_err(|error| unknown_start_url(call.json_fault(&error, Name::Exception), session, &call));
    samples.extend(call.samples(&answer));
    let answer = answer?;
    let Some(device_code) = answer.device_code().filter(|code| !code.is_empty()) else {
        return Err(call.unusable(None, "an answer without a device code"));
    };
    let stated = DeviceAuthorization::read(
        answer.user_code(),
        answer.verification_uri(),
        answer.verification_uri_complete(),
        answer.expires_in(),
        answer.interval(),
    );
    let stated = stated.map_err(|why| call.unusable(None, &why))?;
    Ok(DeviceCode { device_code: Secret::new(device_code), stated })
}

/// What gets the token of a sign-in.
pub(super) enum Proof<'a> {
    /// The code that came back to us.
    Code(&'a Secret, &'a Authorization),
    /// The code that a person confirms elsewhere.
    DeviceCode(&'a Secret),
}

/// Gets the token of a sign-in.
pub(super) async fn exchange(
    sdk: &Sdk,
    session: &SsoSession,
    registration: &Registration,
    proof: Proof<'_>,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<TokenAnswer, Fault> {
    let Ready { client, call } = ready(sdk, operation, &session.oidc).await?;
    let request =
        client.create_token().client_id(&registration.client_id).client_secret(registration.client_secret.expose());
    let request = match proof {
        Proof::Code(code, authorization) => request
            .grant_type("authorization_code")
            .code(code.expose())
            .redirect_uri(&authorization.redirect_uri)
            .code_verifier(authorization.verifier().expose()),
        Proof::DeviceCode(code) => {
            request.grant_type("urn:ietf:params:oauth:grant-type:device_code").device_code(code.expose())
        }
    };
    let answer = request.send().await;
    // A proof is valid once: the service would refuse a second request with it.
    let is_spent = match &answer {
        Ok(_) => true,
        Err(error) => error
            .raw_response()
            .is_some_and(|answer| answer.status().is_success() && is_document(answer.body().bytes())),
    };
    let answer = answer.map_err(|error| call.json_fault(&error, Name::Exception));
    let token = answer.and_then(|answer| token_answer(&call, &answer));
    samples.extend(call.samples(&token));
    token.map_err(|fault| match is_spent {
        true => Fault { class: ErrorClass::Permanent, remedy: None, ..fault },
        false => fault,
    })
}

/// Whether an answer is a JSON object. A captive portal's page is not.
fn is_document(body: Option<&[u8]>) -> bool {
    body.is_some_and(|body| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok())
}

/// Where a person is sent to: the service's own page.
pub(super) async fn page(operation: &Operation, session: &SsoSession) -> Result<String, Fault> {
    crate::adapters::aws_call::resolve(operation, Service::Oidc, &session.oidc).await
}

fn token_answer(call: &Call<'_>, answer: &CreateTokenOutput) -> Result<TokenAnswer, Fault> {
    let access_token = answer.access_token().filter(|token| !token.is_empty());
    let (Some(access_token), true) = (access_token, answer.expires_in() > 0) else {
        return Err(call.unusable(None, "an answer without a token"));
    };
    Ok(TokenAnswer {
        grant: Grant::Token(Secret::new(access_token)),
        expires_in: seconds(answer.expires_in()),
        refresh_token: answer.refresh_token().filter(|token| !token.is_empty()).map(Secret::new),
        id_token: None,
    })
}

/// A start URL that AWS does not know in a region is an invalid request, and no word about which part of it.
fn unknown_start_url(fault: Fault, session: &SsoSession, call: &Call<'_>) -> Fault {
    if fault.code != "InvalidRequestException" {
        return fault;
    }
    let why = format!(
        "AWS knows no sign-in page for sso_start_url = {} in sso_region = {} ({})",
        session.start_url, session.region, fault
    );
    crate::core::aws_error::fault(call.operation, None, Some("StartUrlUnknown"), Some(&why))
}
