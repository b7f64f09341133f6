//! Carries out calls to STS with the AWS SDK: one call per order, no retries, no opinion.

mod call;
mod operations;
mod signer;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use chrono::TimeDelta;

use self::call::{Call, invalid_endpoint};
use self::signer::Signer;
use super::network::{CALL_TIMEOUT, CONNECT_TIMEOUT, Network, READ_TIMEOUT, Route};
use super::{clock, token_file};
use crate::core::aws_error::{self, Fault};
use crate::core::clock::Sample;
use crate::core::keeper::{MintOrder, Outcome, ProbeOrder};
use crate::core::plan::{Source, StsEndpoint};
use crate::platform::environment::Environment;

/// Makes the calls. Clones share the HTTP client, so each order can be carried out in a task of its own.
#[derive(Clone)]
pub(super) struct StsCaller {
    network: Arc<Network>,
    shared: SdkConfig,
}

impl StsCaller {
    /// A caller that goes by the proxy and certificate settings of `environment`; the process's own are not looked at.
    pub(super) fn new(environment: &Environment) -> Self {
        Self { network: Arc::new(Network::new(Route::of(environment))), shared: shared_config() }
    }

    /// Takes up a changed environment. Calls that are under way end as they began.
    pub(super) fn reconfigure(&mut self, environment: &Environment) {
        let route = Route::of(environment);
        if route != *self.network.route() {
            self.network = Arc::new(Network::new(route));
        }
    }

    /// Makes the call that an order asks for. Ends within 15 s, and always with an outcome.
    pub(super) async fn mint(&self, order: MintOrder) -> (Outcome, Vec<Sample>) {
        let profile = &order.step.profile;
        let base = order.base.as_ref().map(Signer::from);
        let (what, signer) = match &order.step.source {
            Source::Static(keys) => {
                let what = format!("GetCallerIdentity with the key {} of profile \"{profile}\"", keys.access_key_id);
                (what, Some(Signer::from(keys)))
            }
            Source::AssumeRole(role) => (format!("AssumeRole of {} for profile \"{profile}\"", role.role_arn), base),
            Source::SessionToken(_) => (format!("GetSessionToken for profile \"{profile}\""), base),
            Source::WebIdentity(role) => {
                let what = format!("AssumeRoleWithWebIdentity of {} for profile \"{profile}\"", role.role_arn);
                (what, None)
            }
            _ => {
                let what = format!("getting credentials for profile \"{profile}\"");
                return failed(aws_error::fault(&what, None, Some("NotSupportedYet"), None));
            }
        };
        let refused = |code, why| failed(aws_error::fault(&what, None, Some(code), Some(why)));
        let endpoint = &order.endpoint;
        match &signer {
            Some(signer) if !signer.is_printable() => {
                let why = "the signing key has characters that no key has; nothing was sent";
                return refused("IncompleteSignature", why);
            }
            None if !matches!(order.step.source, Source::WebIdentity(_)) => {
                return refused("MissingAuthenticationToken", "there is nothing to sign the request with");
            }
            _ => {}
        }
        let call = match Call::prepare(&self.network, &what, endpoint).await {
            Ok(call) => call,
            Err(fault) => return failed(fault),
        };
        let client = self.client(&call, endpoint, signer.as_ref(), order.aws_minus_boot);
        let code = order.mfa_code.as_ref();
        let outcome = match &order.step.source {
            Source::AssumeRole(role) => operations::assume_role(&client, &call, role, code).await,
            Source::SessionToken(session) => {
                let device = session.mfa_serial.as_deref();
                operations::session_token(&client, &call, device, code, session.duration_seconds).await
            }
            Source::WebIdentity(role) => match token_file::read(&role.token_file).await {
                Ok(token) => operations::web_identity(&client, &call, role, &token).await.map_err(|fault| {
                    let expired = fault.code.starts_with("ExpiredToken");
                    let fix = format!("have the token file {} written anew by whoever writes it", role.token_file);
                    if expired { Fault { fix: Some(fix), ..fault } } else { fault }
                }),
                Err(why) => Err(aws_error::fault(&what, None, Some("TokenFile"), Some(&why))),
            },
            _ => operations::identify(&client, &call).await,
        };
        (outcome.unwrap_or_else(Outcome::Failed), call.recorder.samples())
    }

    /// Asks an endpoint for nothing in particular, unsigned: what counts is the `Date` of the answer, whatever it says.
    pub(super) async fn probe(&self, order: ProbeOrder) -> (Outcome, Vec<Sample>) {
        let what = "asking AWS for the time";
        let call = match Call::prepare(&self.network, what, &order.endpoint).await {
            Ok(call) => call,
            Err(fault) => return (Outcome::Failed(fault), Vec::new()),
        };
        let outcome = match HttpRequest::get(&call.url) {
            Err(_) => Outcome::Failed(invalid_endpoint(what, &call.url)),
            // The connector bounds the parts, this bounds the whole.
            Ok(request) => match tokio::time::timeout(CALL_TIMEOUT, call.recorder.head(request)).await {
                Ok(Ok(_)) => Outcome::Probed,
                Ok(Err(error)) => Outcome::Failed(call.unanswered(&error)),
                Err(_) => Outcome::Failed(call.timed_out()),
            },
        };
        (outcome, call.recorder.samples())
    }

    fn client(
        &self,
        call: &Call<'_>,
        endpoint: &StsEndpoint,
        signer: Option<&Signer<'_>>,
        aws_minus_boot: TimeDelta,
    ) -> Client {
        let connector = SharedHttpConnector::new(call.recorder.clone());
        let mut config = aws_sdk_sts::config::Builder::from(&self.shared);
        config.set_endpoint_url(endpoint.url.clone());
        config.set_credentials_provider(signer.map(Signer::to_sdk));
        let config = config
            .region(Region::new(endpoint.region.clone()))
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack)
            .time_source(AwsClock { aws_minus_boot })
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Client::from_conf(config)
    }
}

/// What all calls have in common.
fn shared_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .sleep_impl(TokioSleep::new())
        .timeout_config(timeouts)
        // There is one backoff, the keeper's.
        .retry_config(RetryConfig::disabled())
        // Requests are signed with the keeper's estimate of AWS's time; the SDK would correct it a second time.
        .disable_clock_skew_correction(true)
        // The SDK's cache judges expiry by its own clock and would hold on to keys.
        .identity_cache(IdentityCache::no_cache())
        // For streams; an answer that trickles in meets the time-out of the whole call.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// AWS's time as the keeper knows it, for signing.
#[derive(Debug)]
struct AwsClock {
    aws_minus_boot: TimeDelta,
}

impl TimeSource for AwsClock {
    fn now(&self) -> SystemTime {
        // A signature's date has four digits for the year; an estimate that far off is refused by AWS all the same.
        const YEAR_2200_MILLIS: i64 = 7_258_118_400_000;
        let millis = clock::boot().as_millis().saturating_add(self.aws_minus_boot.num_milliseconds());
        UNIX_EPOCH + Duration::from_millis(millis.clamp(0, YEAR_2200_MILLIS).unsigned_abs())
    }
}

fn failed(fault: Fault) -> (Outcome, Vec<Sample>) {
    (Outcome::Failed(fault), Vec::new())
}

#[cfg(test)]
mod tests;
