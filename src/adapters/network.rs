//! The HTTP client that all calls to AWS share: proxies, certificates, time-outs, and a bound on what an answer may weigh.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::http_thread::OnHttpThread;
use super::{ca_bundle, clock, no_proxy};
use crate::core::clock::{Sample, Trust};
use crate::core::http_date;
use crate::core::plan::CaBundle;
use crate::core::time::BootTime;
use crate::core::url_host::target;
use crate::platform::environment::Environment;

/// For the connection, name look-up and TLS included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the request to the head of the answer.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// For everything, so that an answer that trickles in ends too.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// An answer of STS has a few kilobytes.
pub(super) const LARGEST_ANSWER: usize = 1024 * 1024;

/// What of the environment decides how AWS is reached.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Route {
    https_proxy: Option<String>,
    http_proxy: Option<String>,
    no_proxy: Option<String>,
    ca_bundle: Option<PathBuf>,
}

impl Route {
    /// Both spellings count, the lower-case one first, as in Python's `urllib`: an empty value switches the proxy off.
    pub(super) fn of(environment: &Environment) -> Self {
        let either = |lower: &str, upper: &str| environment.get(lower).or_else(|| environment.get(upper));
        let proxy = |lower, upper| either(lower, upper).filter(|text| !text.is_empty()).map(with_scheme);
        Self {
            https_proxy: proxy("https_proxy", "HTTPS_PROXY"),
            http_proxy: proxy("http_proxy", "HTTP_PROXY"),
            no_proxy: either("no_proxy", "NO_PROXY").map(str::to_owned),
            ca_bundle: environment.get("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from),
        }
    }
}

/// `proxy:3128` and `//proxy:3128` are commonly written and mean http, as in botocore.
fn with_scheme(proxy: &str) -> String {
    match proxy.strip_prefix("//") {
        Some(rest) => format!("http://{rest}"),
        None if proxy.contains("://") => proxy.to_owned(),
        None => format!("http://{proxy}"),
    }
}

/// More connectors than profiles have bundles of their own.
const MOST_CONNECTORS: usize = 16;

/// What one connector differs in from another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    https: bool,
    proxied: bool,
    /// A profile's own certificates, for https.
    ca_bundle: Option<CaBundle>,
}

/// The connectors, made when first needed: the system's root certificates are half a megabyte, and an emulator on plain http
/// needs none.
pub(super) struct Network {
    route: Route,
    connectors: Mutex<HashMap<Way, (ca_bundle::Version, SharedHttpConnector)>>,
}

impl Network {
    pub(super) fn new(route: Route) -> Self {
        Self { route, connectors: Mutex::default() }
    }

    pub(super) fn route(&self) -> &Route {
        &self.route
    }

    /// The connector for a URL, with the certificates that a profile names for it. A failure is not remembered: the file may be
    /// there the next time.
    pub(super) async fn connector(
        &self,
        url: &str,
        ca_bundle: Option<&CaBundle>,
    ) -> Result<SharedHttpConnector, String> {
        let https = target(url).scheme == "https";
        let way = Way { https, proxied: self.is_proxied(url), ca_bundle: ca_bundle.filter(|_| https).cloned() };
        let known = self.connectors.lock().unwrap_or_else(PoisonError::into_inner).get(&way).cloned();
        let (route, wanted) = (self.route.clone(), way.clone());
        // Root certificates and the bundle are files: not on the loop. A bundle that has changed since is read again.
        let prepared = tokio::task::spawn_blocking(move || {
            let version = bundle(&route, &wanted).and_then(|(path, _)| ca_bundle::version(path));
            match known.filter(|(of, _)| *of == version) {
                Some((_, made)) => Ok((version, made)),
                None => build(&route, &wanted).map(|made| (version, made)),
            }
        });
        let (version, made) = match prepared.await {
            Ok(built) => built?,
            Err(error) => return Err(format!("the HTTP client could not be made: {error}")),
        };
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if connectors.len() >= MOST_CONNECTORS && !connectors.contains_key(&way) {
            connectors.clear();
        }
        connectors.insert(way, (version, made.clone()));
        Ok(made)
    }

    /// What a person should know beside a network error: proxies are the first suspects.
    pub(super) fn hint(&self, url: &str) -> &'static str {
        match (self.is_proxied(url), target(url).scheme) {
            (true, "https") => " (HTTPS_PROXY is set)",
            (true, _) => " (HTTP_PROXY is set)",
            _ => "",
        }
    }

    fn is_proxied(&self, url: &str) -> bool {
        let proxy = if target(url).scheme == "https" { &self.route.https_proxy } else { &self.route.http_proxy };
        proxy.is_some() && !self.route.no_proxy.as_deref().is_some_and(|list| no_proxy::matches(list, url))
    }
}

/// The bundle that counts, and who names it. As in botocore: the variable comes first.
fn bundle<'a>(route: &'a Route, way: &'a Way) -> Option<(&'a Path, &'a str)> {
    let of_variable = route.ca_bundle.as_ref().map(|path| (path.as_path(), "AWS_CA_BUNDLE"));
    let of_profile = way.ca_bundle.as_ref().map(|bundle| (Path::new(&bundle.path), bundle.named_by.as_str()));
    of_variable.or(of_profile).filter(|_| way.https)
}

fn build(route: &Route, way: &Way) -> Result<SharedHttpConnector, String> {
    // As in botocore, the bundle is used in place of the system's certificates.
    let trust = match bundle(route, way) {
        _ if !way.https => TrustStore::empty(),
        None => TrustStore::default(),
        Some((path, named)) => {
            let (pem, unusable) = ca_bundle::read(path)
                .map_err(|error| format!("the CA bundle {} ({named}) can't be used: {error}", path.display()))?;
            if unusable > 0 {
                tracing::warn!(
                    "{unusable} certificates of {} ({named}) can't be used and are left out",
                    path.display()
                );
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let tls = TlsContext::builder().with_trust_store(trust).build().map_err(|error| error.to_string())?;
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        // No idle connections: there are minutes between two calls, and one kept through a suspend is dead and looks alive.
        .pool_max_idle_per_host(0)
        .proxy_config(if way.proxied { proxy(route, way.https)? } else { ProxyConfig::disabled() })
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build();
    Ok(SharedHttpConnector::new(OnHttpThread(SharedHttpConnector::new(connector))))
}

/// A connector for plain http that goes through no proxy.
pub(super) fn direct() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let builder = Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new());
    let connector = builder.pool_max_idle_per_host(0).proxy_config(ProxyConfig::disabled()).build_http();
    SharedHttpConnector::new(OnHttpThread(SharedHttpConnector::new(connector)))
}

fn proxy(route: &Route, https: bool) -> Result<ProxyConfig, String> {
    let (name, url) = if https { ("HTTPS_PROXY", &route.https_proxy) } else { ("HTTP_PROXY", &route.http_proxy) };
    let Some(url) = url else { return Ok(ProxyConfig::disabled()) };
    let config = if https { ProxyConfig::https(url.as_str()) } else { ProxyConfig::http(url.as_str()) };
    // Not the error's own text: it has the URL, and the URL may have a password.
    config.map_err(|_| format!("{name} is not the URL of an http or https proxy"))
}

/// A connector for one call: notes the `Date` of every answer, of any status, and bounds its body.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    inner: SharedHttpConnector,
    trust: Trust,
    samples: Arc<Mutex<Samples>>,
}

/// What the answers of one call said about the time.
#[derive(Debug, Default)]
struct Samples {
    /// Answers of AWS, oldest first.
    of_aws: Vec<Sample>,
    /// Answers of an unknown server: they have no request id, and were not parsed as AWS's.
    of_anybody: Vec<Sample>,
}

/// AWS's services and the common emulators name each request in one of these; a captive portal does not.
const REQUEST_IDS: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"];

impl Recorder {
    pub(super) fn new(inner: SharedHttpConnector, trust: Trust) -> Self {
        Self { inner, trust, samples: Arc::default() }
    }

    /// What AWS's answers said, oldest first. `is_aws`: the answers were read, and are AWS's. Without that only those with a
    /// request id count.
    pub(super) fn samples(&self, is_aws: bool) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let read = samples.of_anybody.iter().filter(|_| is_aws);
        let mut all: Vec<Sample> = samples.of_aws.iter().chain(read).copied().collect();
        all.sort_by_key(|sample| sample.received);
        all
    }

    /// Makes a request and lets the body of the answer be.
    pub(super) async fn head(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let sent = clock::boot();
        let response = self.inner.call(request).await?;
        let sample = sample(response.headers(), sent, clock::boot(), self.trust);
        let has_request_id = REQUEST_IDS.iter().any(|name| response.headers().get(*name).is_some());
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if has_request_id {
            samples.of_aws.extend(sample)
        } else {
            samples.of_anybody.extend(sample)
        }
        drop(samples);
        Ok(response)
    }
}

impl HttpConnector for Recorder {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let mut response = this.head(request).await?;
            let body =
                bounded(response.take_body()).await.map_err(|error| ConnectorError::other(error.into(), None))?;
            *response.body_mut() = body;
            Ok(response)
        })
    }
}

/// `Age` says that a cache answered, with the date at which it once heard the answer.
fn sample(headers: &Headers, sent: BootTime, received: BootTime, trust: Trust) -> Option<Sample> {
    let date = headers.get("date").filter(|_| headers.get("age").is_none()).and_then(http_date::parse)?;
    Some(Sample { date, sent, received, trust })
}

async fn bounded(body: SdkBody) -> Result<SdkBody, BadAnswer> {
    let mut stream = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await.map_err(|_| BadAnswer("it ended before it was whole"))? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            return Err(BadAnswer("it is larger than any answer of AWS"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(SdkBody::from(bytes))
}

/// An answer that can't be one of AWS.
#[derive(Debug)]
struct BadAnswer(&'static str);

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for BadAnswer {}

/// Tells apart why no answer came: the code for the error table, and a sentence about `host`.
///
/// By text where there is no type to go by: the crates whose errors these are (hyper, rustls) are not ours to name.
pub(super) fn why_no_answer(error: &(dyn Error + 'static), host: &str) -> (&'static str, String) {
    let chain: Vec<&(dyn Error + 'static)> = chain(error).collect();
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    let says = |words: &[&str]| texts.iter().find(|text| words.iter().any(|word| text.contains(word)));
    let kind = chain.iter().filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind).next_back();
    let innermost = texts.last().map_or("", String::as_str);
    if let Some(bad) = chain.iter().find_map(|error| error.downcast_ref::<BadAnswer>()) {
        return ("InvalidResponse", format!("the answer of {host} can't be used: {bad}"));
    }
    if chain.iter().filter_map(|error| error.downcast_ref::<ConnectorError>()).any(ConnectorError::is_timeout) {
        return ("Timeout", format!("{host} did not answer in time"));
    }
    if let Some(text) = says(&["invalid peer certificate"]) {
        let clock = ["certificate expired", "not valid yet", "certificate: Expired", "NotValidYet"];
        let code = if clock.iter().any(|word| text.contains(word)) { "TlsClock" } else { "Tls" };
        return (code, format!("the certificate of {host} was not accepted: {text}"));
    }
    if says(&["dns error", "failed to lookup address"]).is_some() {
        return ("Network", format!("the name {host} could not be resolved: {innermost}"));
    }
    if let Some(text) = says(&["tunnel error"]) {
        return ("Network", format!("the proxy did not connect to {host}: {text}"));
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => ("Network", format!("{host} refused the connection")),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            ("Network", format!("there is no way to {host}: {innermost}"))
        }
        _ if says(&["TLS handshake failed", "received fatal alert"]).is_some() => {
            ("Tls", format!("no secure connection to {host} could be made: {innermost}"))
        }
        _ => ("Network", format!("the connection to {host} broke: {innermost}")),
    }
}

/// Each error and what caused it. An `io::Error`'s `source` skips the error that it wraps.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(wrapping) => wrapping.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(variables: &[(&str, &str)]) -> Route {
        Route::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn both_spellings_of_the_proxy_variables_count() {
        assert_eq!(route(&[("HTTPS_PROXY", "http://a:1")]).https_proxy.as_deref(), Some("http://a:1"));
        assert_eq!(
            route(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "b:2")]).https_proxy.as_deref(),
            Some("http://b:2")
        );
        assert_eq!(route(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "")]).https_proxy, None);
        assert_eq!(route(&[("http_proxy", "http://a:1")]).https_proxy, None);
    }

    #[test]
    fn a_proxy_that_is_no_url_is_said_without_its_password() {
        for url in ["http://user:hunter2@", "socks5://user:hunter2@host", "http://us er:hunter2@host"] {
            let said = proxy(&route(&[("HTTPS_PROXY", url)]), true).unwrap_err();
            assert!(said.contains("HTTPS_PROXY") && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_certificate_that_is_out_of_its_time_is_a_matter_of_the_clock() {
        let wrapped = |text: &str| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, text.to_owned()));
        let code = |text| why_no_answer(&wrapped(text), "sts.example").0;
        let expired = "invalid peer certificate: certificate expired: verification time 4102444800 (UNIX), but certificate \
                       is not valid after 1800000000 (2302444800 seconds ago)";
        assert_eq!(code(expired), "TlsClock");
        assert_eq!(
            code("invalid peer certificate: certificate not valid yet: verification time 1 (UNIX), but …"),
            "TlsClock"
        );
        assert_eq!(code("invalid peer certificate: Expired"), "TlsClock");
        assert_eq!(code("invalid peer certificate: UnknownIssuer"), "Tls");
    }

    #[test]
    fn a_date_from_a_cache_is_no_sample() {
        let sample = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = Headers::new();
            for (name, value) in pairs {
                headers.insert(*name, *value);
            }
            sample(&headers, BootTime::from_millis(1), BootTime::from_millis(2), Trust::Authenticated)
        };
        let date = ("date", "Tue, 24 Nov 2026 08:00:00 GMT");
        assert!(sample(&[date]).is_some());
        assert!(sample(&[date, ("age", "0")]).is_none());
        assert!(sample(&[("date", "today")]).is_none());
    }
}
