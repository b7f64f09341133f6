//! Credentials of the place where the daemon runs, by the SDK's own providers: an EC2 instance, a container (cloud desktops).

use std::error::Error;
use std::time::UNIX_EPOCH;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::http_client_fn;

use super::network::{chain, direct};
use crate::core::aws_error::{self, Fault};
use crate::core::credential::Credentials;
use crate::core::secret::Secret;
use crate::core::time::AwsTime;
use crate::platform::environment::Environment;

/// The address that EC2 answers at on every instance.
const INSTANCE: &str = "http://169.254.169.254";

/// `credential_source = Ec2InstanceMetadata`.
pub(super) async fn instance(profile: &str, environment: &Environment) -> Result<Credentials, Fault> {
    let what = format!("getting the instance's role for profile \"{profile}\"");
    let failed = |why: &str| aws_error::fault(&what, None, Some("MetadataUnavailable"), Some(why));
    if environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Err(failed("AWS_EC2_METADATA_DISABLED is set for the daemon"));
    }
    let configured = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").filter(|url| !url.is_empty());
    let endpoint = configured.unwrap_or(INSTANCE);
    let client = imds::Client::builder().configure(&provider_config()).endpoint(endpoint);
    let client = client.map_err(|error| failed(&format!("{endpoint} is no URL: {error}")))?.build();
    let provider = ImdsCredentialsProvider::builder().configure(&provider_config()).imds_client(client).build();
    taken(provider.provide_credentials().await, failed)
}

/// `credential_source = EcsContainer`: where the variables of the daemon's own process say.
pub(super) async fn container(profile: &str) -> Result<Credentials, Fault> {
    let what = format!("getting the container's role for profile \"{profile}\"");
    let failed = |why: &str| aws_error::fault(&what, None, Some("MetadataUnavailable"), Some(why));
    let provider = EcsCredentialsProvider::builder().configure(&provider_config()).build();
    taken(provider.provide_credentials().await, failed)
}

fn provider_config() -> ProviderConfig {
    let connector = direct();
    ProviderConfig::without_region()
        // Never through a proxy: it would answer for another place.
        .with_http_client(http_client_fn(move |_, _| connector.clone()))
        .with_sleep_impl(TokioSleep::new())
}

fn taken(
    result: Result<SdkCredentials, CredentialsError>,
    failed: impl Fn(&str) -> Fault,
) -> Result<Credentials, Fault> {
    let set = result.map_err(|error| {
        let error: &(dyn Error + 'static) = &error;
        let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
        failed(&texts.join(": "))
    })?;
    let expires_at = match set.expiry() {
        None => None,
        Some(at) => {
            let millis = at.duration_since(UNIX_EPOCH).ok().and_then(|at| i64::try_from(at.as_millis()).ok());
            let at = millis.and_then(AwsTime::checked_from_millis);
            Some(at.ok_or_else(|| failed("the answer has an Expiration that is no time before the year 10000"))?)
        }
    };
    Ok(Credentials {
        access_key_id: set.access_key_id().to_owned(),
        secret_access_key: Secret::new(set.secret_access_key()),
        session_token: set.session_token().map(Secret::new),
        expires_at,
        account_id: set.account_id().map(|id| id.as_str().to_owned()),
    })
}
