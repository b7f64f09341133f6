//! One call to AWS: where it goes, and what is said when it fails.

use std::error::Error;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Headers;
use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::network::{CALL_TIMEOUT, Network, Recorder, chain, why_no_answer};
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::{Sample, Trust};
use crate::core::http_date;
use crate::core::plan::{Endpoint, Service};
use crate::core::url_host::{self, Host};

/// One call: where it goes, and what is said when it fails.
pub(super) struct Call<'a> {
    pub(super) operation: &'a Operation,
    pub(super) url: String,
    hint: &'static str,
    pub(super) recorder: Recorder,
}

impl<'a> Call<'a> {
    pub(super) async fn prepare(
        network: &Network,
        operation: &'a Operation,
        service: Service,
        endpoint: &Endpoint,
    ) -> Result<Self, Fault> {
        let url = resolve(operation, service, endpoint).await?;
        Self::to(network, operation, url, endpoint).await
    }

    /// A call to a known URL.
    pub(super) async fn to(
        network: &Network,
        operation: &'a Operation,
        url: String,
        endpoint: &Endpoint,
    ) -> Result<Self, Fault> {
        let https = scheme_and_host(&url).ok_or_else(|| invalid_endpoint(operation, &url))?.0 == "https";
        let connector = network
            .connector(&url, endpoint.ca_bundle.as_ref())
            .await
            .map_err(|why| aws_error::fault(operation, None, Some("Tls"), Some(&why)))?;
        let is_aws = endpoint.url.is_none() || url_host::target(&url).owner() == Host::Aws;
        let trust = Trust::of(endpoint.url.is_some(), https, is_aws);
        let hint = network.hint(&url);
        Ok(Self { operation, url, hint, recorder: Recorder::new(connector, trust) })
    }

    /// The time samples of the answers. An error that is not AWS's may come from another server.
    pub(super) fn samples<T>(&self, result: &Result<T, Fault>) -> Vec<Sample> {
        self.recorder.samples(result.as_ref().err().is_none_or(|fault| !aws_error::is_unreached(fault)))
    }

    fn host(&self) -> &str {
        scheme_and_host(&self.url).map_or("the endpoint", |(_, host)| host)
    }

    pub(super) fn unanswered(&self, error: &(dyn Error + 'static)) -> Fault {
        let (code, why) = why_no_answer(error, self.host());
        aws_error::fault(self.operation, None, Some(code), Some(&format!("{why}{}", self.hint)))
    }

    pub(super) fn timed_out(&self) -> Fault {
        let why = format!("{} did not answer within {} s{}", self.host(), CALL_TIMEOUT.as_secs(), self.hint);
        aws_error::fault(self.operation, None, Some("Timeout"), Some(&why))
    }

    pub(super) fn unusable(&self, answer: Option<&HttpResponse>, why: &str) -> Fault {
        let status = answer.map(|answer| answer.status().as_u16());
        let kind = answer.and_then(|answer| answer.headers().get("content-type")).unwrap_or("no content type");
        let said = match status {
            Some(status) => format!("{} sent {why} (HTTP status {status}, {kind}){}", self.host(), self.hint),
            None => format!("{} sent {why}{}", self.host(), self.hint),
        };
        aws_error::fault(self.operation, status, Some("InvalidResponse"), Some(&said))
    }

    /// The fault of a service that answers in JSON. `name` says which of the names in the answer is the error's.
    pub(super) fn json_fault<E>(&self, error: &SdkError<E, HttpResponse>, name: Name) -> Fault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let SdkError::ServiceError(refusal) = error else { return self.fault(error) };
        let answer = refusal.raw();
        let body: Option<Map<String, Value>> = answer.body().bytes().and_then(|body| serde_json::from_slice(body).ok());
        let Some(body) = body else { return self.fault(error) };
        let text = |field: &str| body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let code = match name {
            Name::Exception => refusal.err().code(),
            Name::ErrorField => match refusal.err().code() {
                Some("AccessDeniedException" | "ValidationException") | None => text("error").or(refusal.err().code()),
                exception => exception,
            },
        };
        let message = ["error_description", "message", "Message"].iter().find_map(|field| text(field));
        let mut fault = aws_error::fault(self.operation, Some(answer.status().as_u16()), code, message);
        fault.retry_after = retry_after(answer.headers());
        fault
    }

    pub(super) fn fault<E>(&self, error: &SdkError<E, HttpResponse>) -> Fault
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
                    aws_error::fault(self.operation, Some(status), Some(code), refusal.err().message())
                }
                None => {
                    let answer = refusal.raw();
                    match answer.body().bytes().and_then(nested_error) {
                        Some((code, message)) => {
                            let status = answer.status().as_u16();
                            aws_error::fault(self.operation, Some(status), Some(&code), message.as_deref())
                        }
                        None => self.unusable(Some(answer), "an error that is none of AWS"),
                    }
                }
            },
            SdkError::ResponseError(answer) => self.unusable(Some(answer.raw()), "an answer that is not from AWS"),
            // Nothing was sent: settings that exclude each other, such as FIPS and an endpoint of one's own.
            _ => {
                let why = chain(error).map(ToString::to_string).last().unwrap_or_default();
                aws_error::fault(self.operation, None, Some("ValidationError"), Some(&why))
            }
        };
        // What a captive portal says of when to come again is not AWS's word.
        let answer = error.raw_response().filter(|_| !aws_error::is_unreached(&fault));
        fault.retry_after = answer.and_then(|answer| retry_after(answer.headers()));
        fault
    }
}

/// Code and message of an error document in the older nesting (`ErrorResponse/Errors/Error`), which EC2 and emulators send;
/// botocore reads it, the Rust SDK does not.
fn nested_error(body: &[u8]) -> Option<(String, Option<String>)> {
    error_behind("<Errors>", body)
}

/// Code and message of an error document of the Query protocol, behind the element that holds them.
pub(super) fn error_behind(begin: &str, body: &[u8]) -> Option<(String, Option<String>)> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, error) = text.split_once(begin)?;
    let element = |name: &str| {
        let (_, rest) = error.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let code = element("Code")?;
    let plausible =
        (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    plausible.then(|| (code, element("Message")))
}

/// Which name an error goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The exception's.
    Exception,
    /// That in the body's field `error` where the exception is one that AWS Sign-In has for many things.
    ErrorField,
}

/// The URL that a call goes to, by the SDK's own rules, and checked: the SDK's signer panics on a URL without a host.
pub(super) async fn resolve(operation: &Operation, service: Service, endpoint: &Endpoint) -> Result<String, Fault> {
    let bad = |why: &str| aws_error::fault(operation, None, Some("ValidationError"), Some(why));
    let region = &endpoint.region;
    let is_label = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if region.is_empty() || region.len() > 63 || !is_label(region) {
        return Err(bad(&format!("{region:?} is not the name of a region")));
    }
    if let Some(url) = endpoint.url.as_ref().filter(|url| scheme_and_host(url).is_none()) {
        return Err(invalid_endpoint(operation, url));
    }
    let resolved = match service {
        Service::Sts => sts_url(endpoint).await,
        Service::Portal => portal_url(endpoint).await,
        Service::Oidc => oidc_url(endpoint).await,
        Service::Signin => signin_url(endpoint).await,
    };
    resolved.map_err(|why| bad(&why))
}

/// The rules are each SDK's own, in types of its own.
macro_rules! resolver {
    ($name:ident, $sdk:ident) => {
        async fn $name(endpoint: &Endpoint) -> Result<String, String> {
            use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
            let params = Params::builder()
                .region(endpoint.region.clone())
                .set_endpoint(endpoint.url.clone())
                .use_fips(endpoint.fips)
                .use_dual_stack(endpoint.dual_stack)
                .build()
                .map_err(|error| error.to_string())?;
            let resolved = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| error.to_string())?;
            Ok(resolved.url().to_owned())
        }
    };
}

resolver!(sts_url, aws_sdk_sts);
resolver!(portal_url, aws_sdk_sso);
resolver!(oidc_url, aws_sdk_ssooidc);
resolver!(signin_url, aws_sdk_signin);

/// Scheme and host of an http or https URL that is nothing but printable ASCII.
pub(super) fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let target = url_host::target(url);
    (target.is_http() && url.bytes().all(|byte| byte.is_ascii_graphic())).then_some((target.scheme, target.host))
}

fn retry_after(headers: &Headers) -> Option<TimeDelta> {
    http_date::retry_after(headers.get("retry-after")?, headers.get("date"))
}

pub(super) fn invalid_endpoint(operation: &Operation, url: &str) -> Fault {
    let why = format!("the endpoint {url:?} is not an http or https URL with a host");
    aws_error::fault(operation, None, Some("ValidationError"), Some(&why))
}
