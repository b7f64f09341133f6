//! AWS Sign-In: the credentials of `aws login` sessions.

use aws_sdk_signin::Client;
use aws_sdk_signin::types::CreateOAuth2TokenRequestBody;

use chrono::TimeDelta;

use super::{dpop, seconds};
use crate::adapters::aws_call::{Call, Name};
use crate::adapters::sdk::{AwsClock, Sdk, client_config};
use crate::core::aws_error::{Fault, Operation};
use crate::core::clock::Sample;
use crate::core::credential::{Credentials, Grant};
use crate::core::hex::hex;
use crate::core::plan::Service;
use crate::core::secret::Secret;
use crate::core::session::{Authorization, LoginToken, Session, TokenAnswer};
use crate::platform::random;

/// The AWS CLI's client for a browser on this machine.
pub(super) const SAME_DEVICE: &str = "arn:aws:signin:::devtools/same-device";
/// The AWS CLI's client for a browser elsewhere (`aws login --remote`).
pub(super) const CROSS_DEVICE: &str = "arn:aws:signin:::devtools/cross-device";

/// What gets credentials.
pub(super) enum Proof<'a> {
    /// The token that came with the last ones.
    Refresh(&'a LoginToken),
    /// The code that came back from the browser.
    Code { client_id: &'a str, code: &'a Secret, authorization: &'a Authorization, key: &'a Secret },
}

/// Gets the next credentials.
pub(super) async fn refresh(
    sdk: &Sdk,
    session: &Session,
    token: &LoginToken,
    aws_minus_boot: TimeDelta,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<TokenAnswer, Fault> {
    call(sdk, session, Proof::Refresh(token), aws_minus_boot, operation, samples).await
}

/// Makes one call.
pub(super) async fn call(
    sdk: &Sdk,
    session: &Session,
    proof: Proof<'_>,
    aws_minus_boot: TimeDelta,
    operation: &Operation,
    samples: &mut Vec<Sample>,
) -> Result<TokenAnswer, Fault> {
    let endpoint = session.endpoint();
    let call = Call::prepare(&sdk.network, operation, Service::Signin, endpoint).await?;
    let input = CreateOAuth2TokenRequestBody::builder();
    let (input, key) = match proof {
        Proof::Refresh(token) => {
            let Some(refresh) = &token.refresh else { return Err(call.unusable(None, "no refresh token")) };
            let input = input
                .client_id(&refresh.client_id)
                .grant_type("refresh_token")
                .refresh_token(refresh.refresh_token.expose());
            (input, &refresh.dpop_key)
        }
        Proof::Code { client_id, code, authorization, key } => {
            let input = input
                .client_id(client_id)
                .grant_type("authorization_code")
                .code(code.expose())
                .redirect_uri(&authorization.redirect_uri)
                .code_verifier(authorization.verifier().expose());
            (input, key)
        }
    };
    let refused = |why: &str| super::unusable(operation, why);
    let input = input.build().map_err(|error| refused(&error.to_string()))?;
    let url = format!("{}/v1/token", call.url.trim_end_matches('/'));
    let now = AwsClock { aws_minus_boot }.millis() / 1_000;
    let id: [u8; 16] = random::secret().map_err(|error| refused(&error.to_string()))?;
    let proof = dpop::proof(key, &url, now, &hex(&id)).map_err(|why| refused(&why))?;
    let config = client_config!(aws_sdk_signin, &sdk.config, call, endpoint, aws_minus_boot);
    let client = Client::from_conf(config.build());
    let answer = client
        .create_o_auth2_token()
        .token_input(input)
        .customize()
        .mutate_request(move |request| {
            request.headers_mut().insert("DPoP", proof.clone());
        })
        .send()
        .await;
    let answer = answer.map_err(|error| call.json_fault(&error, Name::ErrorField));
    samples.extend(call.samples(&answer));
    let answer = answer?;
    let Some(output) = answer.token_output() else { return Err(call.unusable(None, "an answer without a token")) };
    let Some(set) = output.access_token() else { return Err(call.unusable(None, "an answer without credentials")) };
    let whole = [set.access_key_id(), set.secret_access_key(), set.session_token()].iter().all(|text| !text.is_empty());
    if !whole || output.expires_in() <= 0 {
        return Err(call.unusable(None, "an answer with half of a set of credentials"));
    }
    let credentials = Credentials {
        access_key_id: set.access_key_id().to_owned(),
        secret_access_key: Secret::new(set.secret_access_key()),
        session_token: Some(Secret::new(set.session_token())),
        expires_at: None,
        account_id: None,
    };
    let credentials =
        credentials.checked().ok_or_else(|| call.unusable(None, "credentials with characters that no key has"))?;
    Ok(TokenAnswer {
        grant: Grant::Keys(credentials),
        expires_in: seconds(output.expires_in()),
        refresh_token: Some(output.refresh_token()).filter(|token| !token.is_empty()).map(Secret::new),
        id_token: output.id_token().map(Secret::new),
    })
}
