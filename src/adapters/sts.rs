//! Carries out calls to STS with the AWS SDK: one call per order, no retries, no opinion.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::Headers;
use chrono::TimeDelta;

use super::clock;
use super::network::{CALL_TIMEOUT, CONNECT_TIMEOUT, Network, READ_TIMEOUT, Recorder, Route, chain, why_no_answer};
use crate::core::aws_error::{self, Fault};
use crate::core::clock::{Sample, Trust};
use crate::core::credential::Credentials;
use crate::core::http_date;
use crate::core::keeper::{MintOrder, Outcome, ProbeOrder};
use crate::core::plan::{AssumeRole, Source, StaticKeys, StsEndpoint};
use crate::core::secret::Secret;
use crate::core::time::AwsTime;
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
        let (what, endpoint, signer) = match &order.step.source {
            Source::Static(keys) => {
                let what = format!("GetCallerIdentity with the key {} of profile \"{profile}\"", keys.access_key_id);
                (what, order.endpoint.as_ref(), Some(Signer::from(keys)))
            }
            Source::AssumeRole(role) => {
                let what = format!("AssumeRole of {} for profile \"{profile}\"", role.role_arn);
                (what, Some(&role.endpoint), order.base.as_ref().map(Signer::from))
            }
            _ => return not_supported(&format!("getting credentials for profile \"{profile}\""), None),
        };
        if let Source::AssumeRole(AssumeRole { mfa_serial: Some(device), .. }) = &order.step.source {
            return not_supported(&what, Some(&format!("it needs a code of the MFA device {device}")));
        }
        let (Some(endpoint), Some(signer)) = (endpoint, signer) else {
            return refused(&what, "MissingAuthenticationToken", "there is nothing to sign the request with");
        };
        if !signer.is_printable() {
            return refused(
                &what,
                "IncompleteSignature",
                "the signing key has characters that no key has; nothing was sent",
            );
        }
        let call = match Call::prepare(&self.network, &what, endpoint).await {
            Ok(call) => call,
            Err(fault) => return (Outcome::Failed(fault), Vec::new()),
        };
        let client = self.client(&call, endpoint, &signer, order.aws_minus_boot);
        let outcome = match &order.step.source {
            Source::AssumeRole(role) => assume_role(&client, &call, role).await,
            _ => identify(&client, &call).await,
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

    fn client(&self, call: &Call, endpoint: &StsEndpoint, signer: &Signer<'_>, aws_minus_boot: TimeDelta) -> Client {
        let connector = SharedHttpConnector::new(call.recorder.clone());
        let mut config = aws_sdk_sts::config::Builder::from(&self.shared);
        config.set_endpoint_url(endpoint.url.clone());
        let config = config
            .region(Region::new(endpoint.region.clone()))
            .use_fips(endpoint.fips)
            .use_dual_stack(endpoint.dual_stack)
            .credentials_provider(signer.to_sdk())
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

/// The keys that sign a call.
struct Signer<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a Secret,
    session_token: Option<&'a Secret>,
}

impl<'a> From<&'a StaticKeys> for Signer<'a> {
    fn from(keys: &'a StaticKeys) -> Self {
        let StaticKeys { access_key_id, secret_access_key, session_token, .. } = keys;
        Self { access_key_id, secret_access_key, session_token: session_token.as_ref() }
    }
}

impl<'a> From<&'a Credentials> for Signer<'a> {
    fn from(credentials: &'a Credentials) -> Self {
        let Credentials { access_key_id, secret_access_key, session_token, .. } = credentials;
        Self { access_key_id, secret_access_key, session_token: session_token.as_ref() }
    }
}

impl Signer<'_> {
    /// The SDK's signer panics on what can't stand in a header.
    fn is_printable(&self) -> bool {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        printable(self.access_key_id)
            && printable(self.secret_access_key.expose())
            && self.session_token.is_none_or(|token| printable(token.expose()))
    }

    fn to_sdk(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(SdkCredentials::new(
            self.access_key_id,
            self.secret_access_key.expose(),
            self.session_token.map(|token| token.expose().to_owned()),
            None,
            "evercred",
        ))
    }
}

/// One call: where it goes, and what is said when it fails.
struct Call<'a> {
    what: &'a str,
    url: String,
    hint: &'static str,
    recorder: Recorder,
}

impl<'a> Call<'a> {
    async fn prepare(network: &Network, what: &'a str, endpoint: &StsEndpoint) -> Result<Self, Fault> {
        let url = resolve(what, endpoint).await?;
        let https = scheme_and_host(&url).ok_or_else(|| invalid_endpoint(what, &url))?.0 == "https";
        let connector =
            network.connector(https).await.map_err(|why| aws_error::fault(what, None, Some("Tls"), Some(&why)))?;
        // Whoever answers plain http may be anybody, unless a person said that this endpoint is to be AWS.
        let trust = if https || endpoint.url.is_some() { Trust::Authenticated } else { Trust::Unauthenticated };
        Ok(Self { what, url, hint: network.hint(https), recorder: Recorder::new(connector, trust) })
    }

    fn host(&self) -> &str {
        scheme_and_host(&self.url).map_or("the endpoint", |(_, host)| host)
    }

    fn unanswered(&self, error: &(dyn Error + 'static)) -> Fault {
        let (code, why) = why_no_answer(error, self.host());
        aws_error::fault(self.what, None, Some(code), Some(&format!("{why}{}", self.hint)))
    }

    fn timed_out(&self) -> Fault {
        let why = format!("{} did not answer within {} s{}", self.host(), CALL_TIMEOUT.as_secs(), self.hint);
        aws_error::fault(self.what, None, Some("Timeout"), Some(&why))
    }

    fn unusable(&self, answer: Option<&HttpResponse>, why: &str) -> Fault {
        let status = answer.map(|answer| answer.status().as_u16());
        let kind = answer.and_then(|answer| answer.headers().get("content-type")).unwrap_or("no content type");
        let said = match status {
            Some(status) => format!("{} sent {why} (HTTP status {status}, {kind}){}", self.host(), self.hint),
            None => format!("{} sent {why}{}", self.host(), self.hint),
        };
        aws_error::fault(self.what, status, Some("InvalidResponse"), Some(&said))
    }

    fn fault<E>(&self, error: &SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut fault = match error {
            SdkError::TimeoutError(_) => self.timed_out(),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) => self.unanswered(error),
                None => self.unanswered(error),
            },
            SdkError::ServiceError(refusal) => match refusal.err().code() {
                Some(code) => {
                    let status = refusal.raw().status().as_u16();
                    aws_error::fault(self.what, Some(status), Some(code), refusal.err().message())
                }
                None => {
                    let answer = refusal.raw();
                    match answer.body().bytes().and_then(nested_error) {
                        Some((code, message)) => {
                            let status = answer.status().as_u16();
                            aws_error::fault(self.what, Some(status), Some(&code), message.as_deref())
                        }
                        None => self.unusable(Some(answer), "an error that is none of AWS"),
                    }
                }
            },
            SdkError::ResponseError(answer) => self.unusable(Some(answer.raw()), "what is no answer of AWS"),
            // Nothing was sent: settings that exclude each other, such as FIPS and an endpoint of one's own.
            _ => {
                let why = chain(error).map(ToString::to_string).last().unwrap_or_default();
                aws_error::fault(self.what, None, Some("ValidationError"), Some(&why))
            }
        };
        fault.retry_after = error.raw_response().and_then(|answer| retry_after(answer.headers()));
        fault
    }
}

/// Code and message of an error document in the older nesting (`ErrorResponse/Errors/Error`), which EC2 and emulators send;
/// botocore reads it, the Rust SDK does not.
fn nested_error(body: &[u8]) -> Option<(String, Option<String>)> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, error) = text.split_once("<Errors>")?;
    let element = |name: &str| {
        let (_, rest) = error.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let code = element("Code")?;
    let plausible =
        (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    plausible.then(|| (code, element("Message")))
}

async fn assume_role(client: &Client, call: &Call<'_>, role: &AssumeRole) -> Result<Outcome, Fault> {
    let answer = client
        .assume_role()
        .role_arn(&role.role_arn)
        .role_session_name(&role.role_session_name)
        .set_external_id(role.external_id.clone())
        .set_duration_seconds(role.duration_seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)))
        .send()
        .await
        .map_err(|error| call.fault(&error))?;
    let arn = answer.assumed_role_user().map(|user| user.arn());
    let set = answer.credentials().ok_or_else(|| call.unusable(None, "an answer without credentials"))?;
    let expires = set.expiration().to_millis().ok().filter(|millis| *millis > 0);
    let whole = [set.access_key_id(), set.secret_access_key(), set.session_token()].iter().all(|text| !text.is_empty());
    let Some(expires) = expires.filter(|_| whole) else {
        return Err(call.unusable(None, "an answer with half of a set of credentials"));
    };
    Ok(Outcome::Minted(Credentials {
        access_key_id: set.access_key_id().to_owned(),
        secret_access_key: Secret::new(set.secret_access_key()),
        session_token: Some(Secret::new(set.session_token())),
        expires_at: Some(AwsTime::from_millis(expires)),
        account_id: arn.and_then(account_of).or_else(|| account_of(&role.role_arn)),
    }))
}

async fn identify(client: &Client, call: &Call<'_>) -> Result<Outcome, Fault> {
    let answer = client.get_caller_identity().send().await.map_err(|error| call.fault(&error))?;
    match (answer.account(), answer.arn()) {
        (Some(account), Some(arn)) if !account.is_empty() && !arn.is_empty() => {
            Ok(Outcome::Identified { account_id: account.to_owned(), arn: arn.to_owned() })
        }
        _ => Err(call.unusable(None, "an answer that names no caller")),
    }
}

/// `arn:partition:service:region:ACCOUNT:…`.
fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then(|| account.to_owned())
}

/// The URL that a call goes to, by the SDK's own rules, and checked: the SDK's signer panics on a URL without a host.
async fn resolve(what: &str, endpoint: &StsEndpoint) -> Result<String, Fault> {
    let bad = |why: &str| aws_error::fault(what, None, Some("ValidationError"), Some(why));
    let region = &endpoint.region;
    let is_label = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if region.is_empty() || region.len() > 63 || !is_label(region) {
        return Err(bad(&format!("{region:?} is not the name of a region")));
    }
    if let Some(url) = endpoint.url.as_ref().filter(|url| scheme_and_host(url).is_none()) {
        return Err(invalid_endpoint(what, url));
    }
    let params = Params::builder()
        .region(region.clone())
        .set_endpoint(endpoint.url.clone())
        .use_fips(endpoint.fips)
        .use_dual_stack(endpoint.dual_stack)
        .build()
        .map_err(|error| bad(&error.to_string()))?;
    let resolved = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| bad(&error.to_string()))?;
    Ok(resolved.url().to_owned())
}

/// Scheme and host of an http or https URL that is nothing but printable ASCII.
fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = match host_and_port.strip_prefix('[') {
        Some(address) => address.split_once(']')?.0,
        None => host_and_port.split(':').next()?,
    };
    let is_host = host.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte == b':');
    (matches!(scheme, "http" | "https") && is_host && url.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some((scheme, host))
}

/// Seconds, or a date, which is compared with the answer's own.
fn retry_after(headers: &Headers) -> Option<TimeDelta> {
    let text = headers.get("retry-after")?.trim();
    let delay = match text.parse::<u32>() {
        Ok(seconds) => TimeDelta::seconds(seconds.into()),
        Err(_) => http_date::parse(text)? - http_date::parse(headers.get("date")?)?,
    };
    Some(delay).filter(|delay| *delay > TimeDelta::zero())
}

fn invalid_endpoint(what: &str, url: &str) -> Fault {
    let why = format!("the endpoint {url:?} is not an http or https URL with a host");
    aws_error::fault(what, None, Some("ValidationError"), Some(&why))
}

fn refused(what: &str, code: &str, why: &str) -> (Outcome, Vec<Sample>) {
    (Outcome::Failed(aws_error::fault(what, None, Some(code), Some(why))), Vec::new())
}

fn not_supported(what: &str, why: Option<&str>) -> (Outcome, Vec<Sample>) {
    (Outcome::Failed(aws_error::fault(what, None, Some("NotSupportedYet"), why)), Vec::new())
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
