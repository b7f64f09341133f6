//! A company's own start URL that redirects to AWS's: one redirect is followed, as the AWS CLI does.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::adapters::aws_call::scheme_and_host;
use crate::adapters::network::{Recorder, why_no_answer};
use crate::adapters::sdk::Sdk;
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::Trust;
use crate::core::printable;
use crate::core::session::{SsoSession, is_vanity, region_of_start_url};
use crate::core::url_host::{Host, is_sign_in_page, target};

const REDIRECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The start URL to sign in with. One of AWS's own is used as it is, and so is one whose redirect can't be found out: AWS may
/// know it.
///
/// # Errors
/// The URL is no page, or its redirect leads away from AWS or to another region.
pub(super) async fn resolve(sdk: &Sdk, session: &SsoSession, operation: &Operation) -> Result<String, Fault> {
    let start_url = &session.start_url;
    if !is_vanity(start_url) {
        return Ok(start_url.clone());
    }
    let bad = |why: &str| aws_error::fault(operation, None, Some("StartUrlUnknown"), Some(why));
    if !is_sign_in_page(start_url) {
        return Err(bad(&format!("sso_start_url = {start_url} is not an https URL")));
    }
    let location = match redirect_of(sdk, session).await {
        Ok(location) => location,
        Err(why) => {
            tracing::warn!("sso_start_url = {start_url}: its redirect can't be looked up ({why}); it is used as it is");
            return Ok(start_url.clone());
        }
    };
    if !is_sign_in_page(&location) || is_vanity(&location) {
        if target(start_url).owner() == Host::Aws {
            // A domain of AWS's that is newer than this version.
            tracing::warn!("sso_start_url = {start_url} leads to {}; it is used as it is", printable::line(&location));
            return Ok(start_url.clone());
        }
        return Err(bad(&format!(
            "sso_start_url = {start_url} leads to {location:?}, which is not a start URL of AWS"
        )));
    }
    match region_of_start_url(&location) {
        Some(region) if region != session.region => Err(bad(&format!(
            "sso_start_url = {start_url} leads to {location}, which is in {region}, and sso_region says {}: set sso_region = {region}",
            session.region
        ))),
        _ => Ok(location),
    }
}

/// Where the start URL redirects to, without query and fragment.
async fn redirect_of(sdk: &Sdk, session: &SsoSession) -> Result<String, String> {
    let url = &session.start_url;
    let (_, host) = scheme_and_host(url).ok_or("it is no URL")?;
    let connector = sdk.network.connector(url, session.oidc.ca_bundle.as_ref()).await?;
    // This server is not AWS: its time is not AWS's.
    let recorder = Recorder::new(connector, Trust::Unauthenticated);
    let request = HttpRequest::get(url).map_err(|_| "it is no URL")?;
    let answer = match tokio::time::timeout(REDIRECT_TIMEOUT, recorder.head(request)).await {
        Ok(answer) => answer.map_err(|error| why_no_answer(&error, host).1)?,
        Err(_) => return Err(format!("{host} did not answer within {} s", REDIRECT_TIMEOUT.as_secs())),
    };
    let status = answer.status().as_u16();
    match answer.headers().get("location").filter(|_| (300..400).contains(&status)) {
        Some(location) => Ok(location.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned()),
        None => Err(format!("{host} answered with HTTP status {status} and no redirect")),
    }
}
