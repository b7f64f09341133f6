//! What all calls to AWS share: the network, and how the SDK's clients are set up.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use chrono::TimeDelta;

use super::clock;
use super::network::{CALL_TIMEOUT, CONNECT_TIMEOUT, Network, READ_TIMEOUT, Route};
use crate::platform::environment::Environment;

/// The network and the clients' common set-up. Clones share both.
#[derive(Clone)]
pub(super) struct Sdk {
    pub(super) network: Arc<Network>,
    pub(super) config: SdkConfig,
}

impl Sdk {
    /// One that goes by the proxy and certificate settings of `environment`; the process's own are not looked at.
    pub(super) fn new(environment: &Environment) -> Self {
        Self { network: Arc::new(Network::new(Route::of(environment))), config: shared_config() }
    }

    /// Takes up a changed environment. Calls that are under way end as they began.
    pub(super) fn reconfigure(&mut self, environment: &Environment) {
        let route = Route::of(environment);
        if route != *self.network.route() {
            self.network = Arc::new(Network::new(route));
        }
    }
}

/// A client of one of AWS's services for one call: its configuration is the common one, with the call's own endpoint, time and
/// connector.
macro_rules! client_config {
    ($sdk:ident, $shared:expr, $call:expr, $endpoint:expr, $aws_minus_boot:expr) => {{
        let connector = aws_smithy_runtime_api::client::http::SharedHttpConnector::new($call.recorder.clone());
        let mut config = $sdk::config::Builder::from($shared);
        config.set_endpoint_url($endpoint.url.clone());
        config
            .region($sdk::config::Region::new($endpoint.region.clone()))
            .use_fips($endpoint.fips)
            .use_dual_stack($endpoint.dual_stack)
            .time_source(crate::adapters::sdk::AwsClock { aws_minus_boot: $aws_minus_boot })
            .http_client(aws_smithy_runtime_api::client::http::http_client_fn(move |_, _| connector.clone()))
    }};
}
pub(super) use client_config;

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
pub(super) struct AwsClock {
    pub(super) aws_minus_boot: TimeDelta,
}

impl AwsClock {
    /// Milliseconds since the Unix epoch.
    pub(super) fn millis(&self) -> u64 {
        // A signature's date has four digits for the year; an estimate that far off is refused by AWS all the same.
        const YEAR_2200_MILLIS: i64 = 7_258_118_400_000;
        let millis = clock::boot().as_millis().saturating_add(self.aws_minus_boot.num_milliseconds());
        millis.clamp(0, YEAR_2200_MILLIS).unsigned_abs()
    }
}

impl TimeSource for AwsClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.millis())
    }
}
