//! A company's own start URL, that redirects to AWS's: one step is followed, as the AWS CLI does.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::adapters::aws_call::scheme_and_host;
use crate::adapters::network::{CALL_TIMEOUT, Recorder, why_no_answer};
use crate::adapters::sdk::Sdk;
use crate::core::aws_error::{self, Fault};
use crate::core::clock::Trust;
use crate::core::session::{SsoSession, is_vanity, region_of_start_url};

/// The start URL that a person's sign-in begins at. One of AWS's own is taken as it is.
pub(super) async fn resolve(sdk: &Sdk, session: &SsoSession, what: &str) -> Result<String, Fault> {
    let start_url = &session.start_url;
    if !is_vanity(start_url) {
        return Ok(start_url.clone());
    }
    let bad = |why: &str| aws_error::fault(what, None, Some("StartUrlUnknown"), Some(why));
    let Some((scheme, host)) = scheme_and_host(start_url) else {
        return Err(bad(&format!("sso_start_url = {start_url} is not an https URL")));
    };
    let is_loopback = matches!(host, "127.0.0.1" | "localhost" | "::1");
    if scheme != "https" && !is_loopback {
        return Err(bad(&format!("sso_start_url = {start_url} is not an https URL")));
    }
    let connector = sdk.network.connector(scheme == "https").await.map_err(|why| bad(&why))?;
    // Whoever this is, it is not AWS: its time says nothing.
    let recorder = Recorder::new(connector, Trust::Unauthenticated);
    let request = HttpRequest::get(start_url).map_err(|_| bad(&format!("sso_start_url = {start_url} is no URL")))?;
    let unanswered = |code, why: &str| aws_error::fault(what, None, Some(code), Some(why));
    let answer = match tokio::time::timeout(CALL_TIMEOUT, recorder.head(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let (code, why) = why_no_answer(&error, host);
            return Err(unanswered(code, &why));
        }
        Err(_) => return Err(unanswered("Timeout", &format!("{host} did not answer in time"))),
    };
    let Some(location) = answer.headers().get("location").filter(|_| (300..400).contains(&answer.status().as_u16()))
    else {
        // It leads nowhere: AWS itself may know it.
        return Ok(start_url.clone());
    };
    let location = location.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
    if !location.starts_with("https://") || is_vanity(&location) {
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
