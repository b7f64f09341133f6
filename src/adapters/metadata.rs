//! Credentials of the place where the daemon runs, by the SDK's own providers: an EC2 instance, a container (cloud desktops).

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use super::network::{CALL_TIMEOUT, Recorder, chain, direct};
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::Trust;
use crate::core::credential::Credentials;
use crate::core::secret::Secret;
use crate::core::stated_expiry::utc_time;
use crate::core::time::AwsTime;
use crate::platform::environment::Environment;

/// The address that EC2 answers at on every instance.
const INSTANCE: &str = "http://169.254.169.254";

/// `credential_source = Ec2InstanceMetadata`.
pub(super) async fn instance(profile: &str, environment: &Environment) -> Result<Credentials, Fault> {
    let operation = Operation::new("fetching the instance's role").profile(profile);
    let failed = |why: &str| aws_error::fault(&operation, None, Some("MetadataUnavailable"), Some(why));
    if environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Err(failed("AWS_EC2_METADATA_DISABLED is set for the daemon"));
    }
    let configured = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").filter(|url| !url.is_empty());
    let endpoint = configured.unwrap_or(INSTANCE);
    let client = imds::Client::builder().configure(&provider_config()).endpoint(endpoint);
    let client = client.map_err(|error| failed(&format!("{endpoint} is no URL: {error}")))?.build();
    let provider = ImdsCredentialsProvider::builder().configure(&provider_config()).imds_client(client).build();
    taken(&provider, CALL_TIMEOUT, failed).await
}

/// `credential_source = EcsContainer`: where the variables of the daemon's own process say.
pub(super) async fn container(profile: &str) -> Result<Credentials, Fault> {
    let operation = Operation::new("fetching the container's role").profile(profile);
    let failed = |why: &str| aws_error::fault(&operation, None, Some("MetadataUnavailable"), Some(why));
    let provider = EcsCredentialsProvider::builder().configure(&provider_config()).build();
    taken(&provider, CALL_TIMEOUT, failed).await
}

fn provider_config() -> ProviderConfig {
    // On a foreign network any host may answer here: its time is ignored, and each body is bounded.
    let connector = SharedHttpConnector::new(OneForm(Recorder::new(direct(), Trust::Unauthenticated)));
    ProviderConfig::without_region()
        // Never through a proxy: it would answer for another place.
        .with_http_client(http_client_fn(move |_, _| connector.clone()))
        .with_sleep_impl(TokioSleep::new())
}

/// Rewrites the Expiration in an answer to RFC 3339, the only form that the SDK reads. Some tools write other forms,
/// which boto3 reads.
#[derive(Clone, Debug)]
struct OneForm(Recorder);

impl HttpConnector for OneForm {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.0.clone();
        HttpConnectorFuture::new(async move {
            let mut response = inner.call(request).await?;
            if let Some(text) = response.body().bytes().and_then(with_readable_expiration) {
                *response.body_mut() = SdkBody::from(text);
                response.headers_mut().remove("content-length");
            }
            Ok(response)
        })
    }
}

/// The document with its Expiration in RFC 3339; `None` if it needs no change.
fn with_readable_expiration(body: &[u8]) -> Option<String> {
    let mut document: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let expiration = document.get_mut("Expiration")?;
    let at = utc_time(expiration.as_str()?)?;
    *expiration = Value::String(at.to_rfc3339());
    serde_json::to_string(&document).ok()
}

/// The provider's credentials; `limit` is the time for all of its requests together.
async fn taken(
    provider: &impl ProvideCredentials,
    limit: Duration,
    failed: impl Fn(&str) -> Fault,
) -> Result<Credentials, Fault> {
    let Ok(result) = tokio::time::timeout(limit, provider.provide_credentials()).await else {
        return Err(failed(&format!("the answer was not complete within {} s", limit.as_secs())));
    };
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
            Some(at.ok_or_else(|| failed("the Expiration in the answer is not a time before the year 10000"))?)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// An endpoint that announces a length and sends `piece` forever, with pauses.
    async fn endless(piece: &'static [u8], pause: Duration) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(send(stream, piece, pause));
            }
        });
        (address, server)
    }

    async fn send(mut stream: TcpStream, piece: &'static [u8], pause: Duration) {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n";
        let mut sent = stream.write_all(head).await;
        let mut ticks = tokio::time::interval(pause.max(Duration::from_nanos(1)));
        while sent.is_ok() {
            if !pause.is_zero() {
                ticks.tick().await;
            }
            sent = stream.write_all(piece).await;
        }
    }

    fn instance_at(address: &str) -> ImdsCredentialsProvider {
        let client = imds::Client::builder().configure(&provider_config()).endpoint(address).unwrap().build();
        ImdsCredentialsProvider::builder().configure(&provider_config()).imds_client(client).build()
    }

    /// The connector and the limit are the same for a container's endpoint, which only the process's own environment can name.
    async fn refused(address: &str, limit: Duration) -> Fault {
        let failed = |why: &str| aws_error::fault("x", None, Some("MetadataUnavailable"), Some(why));
        taken(&instance_at(address), limit, failed).await.unwrap_err()
    }

    /// An instance whose role has a credentials document with this Expiration.
    async fn instance_with(expiration: Option<&'static str>) -> Result<Credentials, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().trim_end_matches('/');
                let expiration = expiration.map_or_else(String::new, |text| format!(r#","Expiration":{text}"#));
                let body = match path {
                    _ if path.ends_with("/security-credentials") => "the-role".to_owned(),
                    _ if path.ends_with("/the-role") => format!(
                        r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2026-01-01T00:00:00Z","AccessKeyId":"ASIA","SecretAccessKey":"k","Token":"t"{expiration}}}"#
                    ),
                    _ => "token".to_owned(),
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        let failed = |why: &str| aws_error::fault("x", None, Some("MetadataUnavailable"), Some(why));
        let result = taken(&instance_at(&address), CALL_TIMEOUT, failed).await;
        server.abort();
        result
    }

    #[tokio::test]
    async fn an_expiration_is_read_in_every_form_that_boto3_reads() {
        for form in [
            "\"2126-11-30T03:52:55Z\"",
            "\"2126-11-30T03:52:55+00:00\"",
            "\"2126-11-30T05:52:55+0200\"",
            "\"2126-11-30T03:52:55.123456789Z\"",
            "\"2126-11-30t03:52:55z\"",
            "\"21261130T035255Z\"",
            "\"2126-11-30 03:52:55 UTC\"",
            "\"Sat, 30 Nov 2126 03:52:55 GMT\"",
        ] {
            let credentials = instance_with(Some(form)).await;
            let at = credentials.map(|credentials| credentials.expires_at.map(AwsTime::to_rfc3339));
            assert_eq!(at, Ok(Some("2126-11-30T03:52:55Z".to_owned())), "{form}");
        }
        for form in
            [None, Some("\"\""), Some("\"soon\""), Some("\"2126-W48-6\""), Some("1796000000"), Some("null"), Some("[]")]
        {
            let fault = instance_with(form).await.unwrap_err();
            assert_eq!(fault.code, "MetadataUnavailable", "{form:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_given_up_by_its_size() {
        let (address, server) = endless(&[b' '; 65_536], Duration::ZERO).await;
        let fault = refused(&address, CALL_TIMEOUT).await;
        assert_eq!(fault.code, "MetadataUnavailable");
        assert!(fault.words.contains("larger than"), "{fault:?}");
        server.abort();
    }

    #[tokio::test]
    async fn an_answer_that_trickles_in_is_given_up_by_its_time() {
        let (address, server) = endless(b" ", Duration::from_millis(50)).await;
        let fault = refused(&address, Duration::from_secs(2)).await;
        assert_eq!(fault.code, "MetadataUnavailable");
        assert!(fault.words.contains("within 2 s"), "{fault:?}");
        server.abort();
    }
}
