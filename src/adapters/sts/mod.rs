//! Carries out calls to STS with the AWS SDK: one call per order, no retries, no opinion.

mod operations;
pub(super) mod signer;

use aws_sdk_sts::Client;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use chrono::TimeDelta;

use self::signer::Signer;
use super::aws_call::{Call, error_behind, invalid_endpoint};
use super::network::CALL_TIMEOUT;
use super::sdk::{Sdk, client_config};
use super::token_file;
use crate::core::access_key::shown;
use crate::core::aws_error::{self, Fault, OfSigner, Operation, Remedy};
use crate::core::clock::Sample;
use crate::core::keeper::{MintOrder, Outcome, ProbeOrder};
use crate::core::plan::{Endpoint, Service, Source, StaticKeys};

/// Makes the calls.
pub(super) struct StsCaller<'a>(pub(super) &'a Sdk);

impl StsCaller<'_> {
    /// Makes the call that an order asks for. Ends within 15 s, and always with an outcome.
    pub(super) async fn mint(&self, order: MintOrder) -> (Outcome, Vec<Sample>) {
        let profile = &order.step.profile;
        let base = order.base.as_ref().map(Signer::from);
        let (operation, signer) = match &order.step.source {
            Source::Static(keys) => {
                let key = format!("with the key {}", shown(&keys.access_key_id));
                (Operation::new("GetCallerIdentity").object(key), Some(Signer::from(keys)))
            }
            Source::AssumeRole(role) => (Operation::new("AssumeRole").object(format!("of {}", role.role_arn)), base),
            Source::SessionToken(_) => (Operation::new("GetSessionToken"), base),
            Source::WebIdentity(role) => {
                (Operation::new("AssumeRoleWithWebIdentity").object(format!("of {}", role.role_arn)), None)
            }
            _ => return failed(aws_error::fault(Operation::fetch(profile), None, Some("NotSupported"), None)),
        };
        let operation = operation.profile(profile);
        let refused = |code, why| failed(aws_error::fault(&operation, None, Some(code), Some(why)));
        let endpoint = &order.endpoint;
        match &signer {
            Some(signer) if !signer.is_sendable() => return failed(unprintable(&operation)),
            None if !matches!(order.step.source, Source::WebIdentity(_)) => {
                return refused("MissingAuthenticationToken", "there is nothing to sign the request with");
            }
            _ => {}
        }
        let call = match Call::prepare(&self.0.network, &operation, Service::Sts, endpoint).await {
            Ok(call) => call,
            Err(fault) => return failed(fault),
        };
        let client = self.client(&call, endpoint, signer.as_ref(), order.aws_minus_boot);
        let code = order.mfa_code.as_ref();
        let outcome = match &order.step.source {
            Source::AssumeRole(role) => {
                operations::assume_role(&client, &call, role, code).await.map_err(Fault::of_role)
            }
            Source::SessionToken(session) => {
                let device = session.mfa_serial.as_deref();
                operations::session_token(&client, &call, device, code, session.duration_seconds).await
            }
            Source::WebIdentity(role) => match token_file::read(&role.token_file).await {
                Ok(token) => operations::web_identity(&client, &call, role, &token).await.map_err(|fault| {
                    let expired = aws_error::of_signer(&fault.code) == OfSigner::Expired;
                    let advice = format!("run the program that writes the token file {} again", role.token_file);
                    if expired { Fault { remedy: Some(Remedy::Advice(advice)), ..fault } } else { fault.of_role() }
                }),
                Err(why) => Err(aws_error::fault(&operation, None, Some("TokenFile"), Some(&why))),
            },
            _ => operations::identify(&client, &call).await,
        };
        let samples = call.samples(&outcome);
        (outcome.unwrap_or_else(Outcome::Failed), samples)
    }

    /// GetCallerIdentity with keys as they are; `what` names them, as an id that is malformed may be a secret.
    pub(super) async fn identify(
        &self,
        operation: &Operation,
        keys: &StaticKeys,
        endpoint: &Endpoint,
        aws_minus_boot: TimeDelta,
    ) -> (Outcome, Vec<Sample>) {
        let signer = Signer::from(keys);
        if !signer.is_sendable() {
            return failed(unprintable(operation));
        }
        let call = match Call::prepare(&self.0.network, operation, Service::Sts, endpoint).await {
            Ok(call) => call,
            Err(fault) => return failed(fault),
        };
        let client = self.client(&call, endpoint, Some(&signer), aws_minus_boot);
        let outcome = operations::identify(&client, &call).await;
        let samples = call.samples(&outcome);
        (outcome.unwrap_or_else(Outcome::Failed), samples)
    }

    /// Asks an endpoint for nothing in particular, unsigned: what counts is the `Date` of the answer, whatever it says.
    pub(super) async fn probe(&self, order: ProbeOrder) -> (Outcome, Vec<Sample>) {
        let operation = &Operation::new("asking AWS for the time");
        let call = match Call::prepare(&self.0.network, operation, Service::Sts, &order.endpoint).await {
            Ok(call) => call,
            Err(fault) => return (Outcome::Failed(fault), Vec::new()),
        };
        let result = match HttpRequest::get(&call.url) {
            Err(_) => Err(invalid_endpoint(operation, &call.url)),
            // The connector bounds the parts, this bounds the whole.
            Ok(request) => match tokio::time::timeout(CALL_TIMEOUT, call.recorder.call(request)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(call.unanswered(&error)),
                Err(_) => Err(call.timed_out()),
            },
        };
        let is_aws = result.as_ref().is_ok_and(|answer| {
            let body = answer.body().bytes().unwrap_or_default();
            error_behind("<Error>", body).or_else(|| error_behind("<Errors>", body)).is_some()
        });
        let samples = call.recorder.samples(is_aws);
        let outcome = match result {
            Err(fault) => Outcome::Failed(fault),
            // For example a captive portal: its time is ignored.
            Ok(answer) if samples.is_empty() && !is_aws && answer.headers().get("date").is_some() => {
                Outcome::Failed(call.unusable(Some(&answer), "an answer that is not from AWS"))
            }
            Ok(_) => Outcome::Probed,
        };
        (outcome, samples)
    }

    fn client(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        signer: Option<&Signer<'_>>,
        aws_minus_boot: TimeDelta,
    ) -> Client {
        let mut config = client_config!(aws_sdk_sts, &self.0.config, call, endpoint, aws_minus_boot);
        config.set_credentials_provider(signer.map(Signer::to_sdk));
        Client::from_conf(config.build())
    }
}

pub(super) fn unprintable(operation: &Operation) -> Fault {
    let why = "the signing key has characters that no key has, or its id may be a secret access key; nothing was sent";
    aws_error::fault(operation, None, Some("IncompleteSignature"), Some(why))
}

fn failed(fault: Fault) -> (Outcome, Vec<Sample>) {
    (Outcome::Failed(fault), Vec::new())
}

#[cfg(test)]
mod tests;
