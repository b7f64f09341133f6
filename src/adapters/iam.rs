//! One read-only question to IAM: whether it takes a set of keys at all. IAM does not know sessions of GetSessionToken that
//! were made without MFA, which STS and all others do.
//!
//! There is no client of IAM's for this one call: the SDK's has several megabytes. Its signer and our connector make it.

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use chrono::TimeDelta;

use super::aws_call::Call;
use super::sdk::{AwsClock, Sdk};
use crate::core::aws_error::{self, Fault};
use crate::core::plan::{Endpoint, StaticKeys};

/// IAM API Reference, GetUser.
const QUESTION: &str = "Action=GetUser&Version=2010-05-08";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Asks IAM who the caller's user is. The keys must be such as can stand in a header.
///
/// # Errors
/// What IAM says, or that it can't be asked. A role's session gets ValidationError or AccessDenied: it is known all the same.
pub(super) async fn get_user(
    sdk: &Sdk,
    keys: &StaticKeys,
    endpoint: &Endpoint,
    aws_minus_boot: TimeDelta,
) -> Result<(), Fault> {
    let what = "IAM's GetUser";
    let (url, region) = match &endpoint.url {
        Some(url) => (url.clone(), signing_region(&endpoint.region)),
        None => (own_url(&endpoint.region).to_owned(), signing_region(&endpoint.region)),
    };
    let call = Call::to(&sdk.network, what, url, endpoint.url.is_some()).await?;
    let impossible = |why: String| aws_error::fault(what, None, Some("ValidationError"), Some(&why));
    let mut request = HttpRequest::new(SdkBody::from(QUESTION));
    request.set_method("POST").map_err(|error| impossible(error.to_string()))?;
    request.set_uri(call.url.as_str()).map_err(|error| impossible(error.to_string()))?;
    request.headers_mut().insert("content-type", FORM);
    for (name, value) in signature(&call.url, keys, region, aws_minus_boot).map_err(impossible)? {
        request.headers_mut().try_insert(name, value).map_err(|error| impossible(error.to_string()))?;
    }
    call.query(request).await
}

fn signature(
    url: &str,
    keys: &StaticKeys,
    region: &'static str,
    aws_minus_boot: TimeDelta,
) -> Result<Vec<(&'static str, String)>, String> {
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    let identity: Identity =
        SdkCredentials::new(&keys.access_key_id, keys.secret_access_key.expose(), token, None, "evercred").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("iam")
        .time(AwsClock { aws_minus_boot }.now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = [("content-type", FORM)].into_iter();
    let body = SignableBody::Bytes(QUESTION.as_bytes());
    let signable = SignableRequest::new("POST", url, headers, body).map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &params).map_err(|error| error.to_string())?.into_parts();
    let headers = instructions.into_parts().0;
    Ok(headers.into_iter().map(|header| (header.name(), header.value().to_owned())).collect())
}

/// IAM is one service for a whole partition (AWS General Reference, "IAM endpoints and quotas").
fn own_url(region: &str) -> &'static str {
    match signing_region(region) {
        "cn-north-1" => "https://iam.cn-north-1.amazonaws.com.cn",
        "us-gov-west-1" => "https://iam.us-gov.amazonaws.com",
        _ => "https://iam.amazonaws.com",
    }
}

fn signing_region(region: &str) -> &'static str {
    match region.split('-').collect::<Vec<_>>().as_slice() {
        ["cn", ..] => "cn-north-1",
        ["us", "gov", ..] => "us-gov-west-1",
        _ => "us-east-1",
    }
}
