//! The one call to IAM, GetUser, which only reads: IAM refuses keys that STS accepts.
//!
//! Made by hand with the SDK's own signer, as IAM's SDK is larger than all others here together.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use chrono::TimeDelta;

use super::aws_call::{Call, error_behind, invalid_endpoint, scheme_and_host};
use super::network::CALL_TIMEOUT;
use super::sdk::{AwsClock, Sdk};
use super::sts::signer::Signer;
use super::sts::unprintable;
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::Sample;
use crate::core::partitions;
use crate::core::plan::{Endpoint, StaticKeys};

static OPERATION: Operation = Operation::new("GetUser of IAM");
const BODY: &str = "Action=GetUser&Version=2010-05-08";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The identity of a caller, as far as an answer has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits, or nothing.
    pub account_id: String,
    /// The ARN, or nothing.
    pub arn: String,
}

/// Asks IAM about the caller.
pub(super) async fn get_user(
    sdk: &Sdk,
    keys: &StaticKeys,
    endpoint: &Endpoint,
    aws_minus_boot: TimeDelta,
) -> (Result<Caller, Fault>, Vec<Sample>) {
    let signer = Signer::from(keys);
    if !signer.is_sendable() {
        return (Err(unprintable(&OPERATION)), Vec::new());
    }
    let Some(Place { url, region }) = place(endpoint) else {
        let why = format!("where IAM is for the region {:?} is not known", endpoint.region);
        return (Err(aws_error::fault(&OPERATION, None, Some("ValidationError"), Some(&why))), Vec::new());
    };
    if scheme_and_host(&url).is_none() {
        return (Err(invalid_endpoint(&OPERATION, &url)), Vec::new());
    }
    let call = match Call::to(&sdk.network, &OPERATION, url, endpoint).await {
        Ok(call) => call,
        Err(fault) => return (Err(fault), Vec::new()),
    };
    let Some(request) = signed(&call.url, region, &signer, &AwsClock { aws_minus_boot }) else {
        return (Err(invalid_endpoint(&OPERATION, &call.url)), Vec::new());
    };
    // The connector bounds the parts, this bounds the whole.
    let caller = match tokio::time::timeout(CALL_TIMEOUT, call.recorder.call(request)).await {
        Ok(Ok(answer)) => read(&call, &answer),
        Ok(Err(error)) => Err(call.unanswered(&error)),
        Err(_) => Err(call.timed_out()),
    };
    let samples = call.samples(&caller);
    (caller, samples)
}

/// Where IAM is, and the region that it signs for.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    url: String,
    region: &'static str,
}

/// IAM has one endpoint a partition, which signs for the partition's home region (AWS General Reference, "IAM endpoints and
/// quotas"). The endpoints of the isolated partitions and of the European Sovereign Cloud are not known here: `None`, unless one
/// is configured.
fn place(endpoint: &Endpoint) -> Option<Place> {
    let partition = partitions::partition_of(&endpoint.region).unwrap_or("aws");
    let region = partitions::home_of(partition);
    let host = match partition {
        "aws" if endpoint.fips => Some("iam-fips.amazonaws.com"),
        "aws" => Some("iam.amazonaws.com"),
        "aws-cn" => Some("iam.cn-north-1.amazonaws.com.cn"),
        "aws-us-gov" => Some("iam.us-gov.amazonaws.com"),
        _ => None,
    };
    let url = endpoint.url.clone().or_else(|| host.map(|host| format!("https://{host}")))?;
    Some(Place { url: with_path(url), region })
}

fn with_path(url: String) -> String {
    if url.ends_with('/') { url } else { url + "/" }
}

/// `None` for a URL that can't be signed for.
fn signed(url: &str, region: &str, signer: &Signer<'_>, clock: &AwsClock) -> Option<HttpRequest> {
    let identity: Identity = signer.credentials().into();
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("iam")
        .time(UNIX_EPOCH + Duration::from_millis(clock.millis()))
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let body = SignableBody::Bytes(BODY.as_bytes());
    let headers = [("content-type", CONTENT_TYPE)];
    let signable = SignableRequest::new("POST", url, headers.into_iter(), body).ok()?;
    let (instructions, _) = sign(signable, &params).ok()?.into_parts();
    let mut request = HttpRequest::new(SdkBody::from(BODY));
    request.set_method("POST").ok()?;
    request.set_uri(url).ok()?;
    request.headers_mut().insert("content-type", CONTENT_TYPE);
    for (name, value) in instructions.headers() {
        request.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Some(request)
}

fn read(call: &Call<'_>, answer: &HttpResponse) -> Result<Caller, Fault> {
    let body = answer.body().bytes().unwrap_or_default();
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        let text = std::str::from_utf8(body).ok().filter(|text| text.contains("<GetUserResponse"));
        let text = text.ok_or_else(|| call.unusable(Some(answer), "an answer that is not from AWS"))?;
        return Ok(caller_of(text));
    }
    match error_behind("<Error>", body) {
        Some((code, message)) => {
            let message = message.map(|message| unescaped(&message));
            Err(aws_error::fault(&OPERATION, Some(status), Some(&code), message.as_deref()))
        }
        None => Err(call.unusable(Some(answer), "an error that is none of AWS")),
    }
}

/// XML's own five entities.
fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&amp;", "&")
}

fn caller_of(text: &str) -> Caller {
    let arn = text.split_once("<Arn>").and_then(|(_, rest)| rest.split_once("</Arn>")).map(|(arn, _)| arn);
    let arn = arn.filter(|arn| arn.len() <= 2_048 && arn.bytes().all(|byte| byte.is_ascii_graphic()));
    let account_id = arn.and_then(|arn| arn.split(':').nth(4));
    Caller { account_id: account_id.unwrap_or_default().to_owned(), arn: arn.unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(region: &str, url: Option<&str>) -> Option<(String, &'static str)> {
        let (region, url) = (region.to_owned(), url.map(str::to_owned));
        place(&Endpoint { region, url, fips: false, dual_stack: false, ca_bundle: None })
            .map(|place| (place.url, place.region))
    }

    #[test]
    fn every_partition_has_its_own_iam_and_a_configured_one_is_taken() {
        assert_eq!(at("eu-west-1", None), Some(("https://iam.amazonaws.com/".to_owned(), "us-east-1")));
        let china = ("https://iam.cn-north-1.amazonaws.com.cn/".to_owned(), "cn-north-1");
        assert_eq!(at("cn-northwest-1", None), Some(china));
        assert_eq!(at("us-gov-east-1", None), Some(("https://iam.us-gov.amazonaws.com/".to_owned(), "us-gov-west-1")));
        assert_eq!(at("eusc-de-east-1", None), None);
        let own = Some(("http://localhost:4566/".to_owned(), "us-east-1"));
        assert_eq!(at("eu-west-1", Some("http://localhost:4566")), own);
        let iso = Some(("http://localhost:4566/".to_owned(), "us-iso-east-1"));
        assert_eq!(at("us-iso-west-1", Some("http://localhost:4566")), iso);
    }

    #[test]
    fn what_aws_says_is_read_as_it_was_meant() {
        assert_eq!(unescaped("&quot;a&quot; &amp;lt; &lt;b&gt;"), "\"a\" &lt; <b>");
    }

    #[test]
    fn an_answer_names_the_user_or_nobody() {
        let arn = "arn:aws:iam::111122223333:user/someone";
        let named = caller_of(&format!("<GetUserResponse><User><Arn>{arn}</Arn></User></GetUserResponse>"));
        assert_eq!(named, Caller { account_id: "111122223333".to_owned(), arn: arn.to_owned() });
        assert_eq!(caller_of("<GetUserResponse/>"), Caller::default());
    }
}
