//! Against loopback servers that say one thing each, and mostly the wrong one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::adapters::aws_call::resolve;
use crate::adapters::{clock, private_file};
use crate::core::aws_error::ErrorClass;
use crate::core::clock::Trust;
use crate::core::credential::Credentials;
use crate::core::keeper::Ticket;
use crate::core::plan::{AssumeRole, SessionToken, StatedExpiry, StaticKeys, Step, WebIdentity};
use crate::core::secret::Secret;
use crate::platform::environment::Environment;

const DATE: &str = "Tue, 24 Nov 2026 08:00:00 GMT";
const MINTED: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId>\
    <Arn>arn:aws:sts::111122223333:assumed-role/Admin/s</Arn></AssumedRoleUser>\
    <Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>minted-secret</SecretAccessKey>\
    <SessionToken>minted-token</SessionToken><Expiration>2026-11-24T09:00:00Z</Expiration></Credentials>\
    </AssumeRoleResult></AssumeRoleResponse>";
const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/u</Arn><UserId>AIDA</UserId>\
    <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn answer(status: u16, kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} x\r\nDate: {DATE}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    )
}

fn error(status: u16, code: &str, message: &str) -> String {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                        <RequestId>r</RequestId></ErrorResponse>"
    );
    answer(status, "text/xml", "Retry-After: 7\r\n", &body)
}

/// Reads a request with its body.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the client went away in the middle of its request");
        read.extend_from_slice(&buffer[..count]);
    }
}

/// A server for one connection: its URL, and the request that it got.
async fn server(bytes: impl Into<Vec<u8>>) -> (String, tokio::task::JoinHandle<String>) {
    let bytes = bytes.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        let _ = stream.write_all(&bytes).await;
        request
    });
    (url, task)
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        region: "eu-central-1".to_owned(),
        url: Some(url.to_owned()),
        fips: false,
        dual_stack: false,
        ca_bundle: None,
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sdk() -> Sdk {
    Sdk::new(&Environment::default())
}

fn keys() -> StaticKeys {
    StaticKeys {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("base-secret"),
        session_token: None,
        expires: StatedExpiry::Unstated,
    }
}

fn order(source: Source, endpoint: Endpoint) -> MintOrder {
    let base = Credentials {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("base-secret"),
        session_token: Some(Secret::new("base-token")),
        expires_at: None,
        account_id: None,
    };
    // Signed as of 2026-11-24 08:00 UTC, whatever this machine's clocks show.
    let aws_minus_boot = TimeDelta::milliseconds(1_795_507_200_000 - clock::boot().as_millis());
    let step = Step { profile: "dev".to_owned(), source };
    MintOrder { ticket: Ticket(1), step, endpoint, base: Some(base), mfa_code: None, token: None, aws_minus_boot }
}

fn role(endpoint: Endpoint) -> MintOrder {
    let role = AssumeRole {
        role_arn: "arn:aws:iam::111122223333:role/Admin".to_owned(),
        role_session_name: "evercred".to_owned(),
        external_id: Some("ext".to_owned()),
        duration_seconds: Some(900),
        mfa_serial: None,
        mfa_process: None,
        endpoint: endpoint.clone().into(),
    };
    order(Source::AssumeRole(role), endpoint)
}

fn failed(outcome: Outcome) -> Fault {
    match outcome {
        Outcome::Failed(fault) => fault,
        other => panic!("it should have failed: {other:?}"),
    }
}

async fn fault_from(bytes: impl Into<Vec<u8>>) -> Fault {
    let (url, _task) = server(bytes).await;
    failed(StsCaller(&sdk()).mint(role(endpoint(&url))).await.0)
}

#[tokio::test]
async fn a_role_is_assumed_with_aws_time_and_the_base_credentials() {
    let (url, task) = server(answer(200, "text/xml", "", MINTED)).await;
    let before = clock::boot();
    let (outcome, samples) = StsCaller(&sdk()).mint(role(endpoint(&url))).await;
    let Outcome::Minted(credentials) = outcome else { panic!("{outcome:?}") };
    assert_eq!(credentials.access_key_id, "ASIAEXAMPLE");
    assert_eq!(credentials.secret_access_key.expose(), "minted-secret");
    assert_eq!(credentials.session_token.unwrap().expose(), "minted-token");
    assert_eq!(credentials.expires_at.unwrap().to_rfc3339(), "2026-11-24T09:00:00Z");
    assert_eq!(credentials.account_id.as_deref(), Some("111122223333"));

    let [sample] = samples[..] else { panic!("{samples:?}") };
    assert_eq!((sample.date.to_rfc3339().as_str(), sample.trust), ("2026-11-24T08:00:00Z", Trust::Configured));
    assert!(before <= sample.sent && sample.sent <= sample.received);

    let request = task.await.unwrap();
    for part in [
        "Credential=AKIAEXAMPLE/20261124/eu-central-1/sts/aws4_request",
        "x-amz-date: 20261124T080000Z",
        "x-amz-security-token: base-token",
        "ExternalId=ext",
        "DurationSeconds=900",
        "RoleSessionName=evercred",
    ] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
}

#[tokio::test]
async fn a_static_key_is_identified_with_itself() {
    let (url, task) = server(answer(200, "text/xml", "", IDENTITY)).await;
    let (outcome, samples) = StsCaller(&sdk()).mint(order(Source::Static(keys()), endpoint(&url))).await;
    let Outcome::Identified { account_id, arn } = outcome else { panic!("{outcome:?}") };
    assert_eq!((account_id.as_str(), arn.as_str()), ("111122223333", "arn:aws:iam::111122223333:user/u"));
    assert_eq!(samples.len(), 1);
    let request = task.await.unwrap();
    assert!(request.contains("Action=GetCallerIdentity") && !request.contains("base-token"));
}

#[tokio::test]
async fn a_refusal_keeps_awss_code_and_words_and_its_date() {
    let denied = error(403, "AccessDenied", "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole");
    let (url, _task) = server(denied).await;
    let (outcome, samples) = StsCaller(&sdk()).mint(role(endpoint(&url))).await;
    let fault = failed(outcome);
    assert_eq!((fault.code.as_str(), fault.class), ("AccessDenied", ErrorClass::Permanent));
    assert!(fault.words.contains("arn:aws:iam::1:user/u") && fault.operation.profile.as_deref() == Some("dev"));
    assert_eq!(fault.retry_after, Some(TimeDelta::seconds(7)));
    assert_eq!(samples.len(), 1);
}

#[tokio::test]
async fn throttling_is_retryable_and_is_not_retried_here() {
    let fault = fault_from(error(400, "Throttling", "Rate exceeded")).await;
    assert_eq!((fault.code.as_str(), fault.class), ("Throttling", ErrorClass::Retryable));
}

#[tokio::test]
async fn what_is_no_answer_of_aws_is_said_to_be_none() {
    let half = answer(200, "text/xml", "", MINTED);
    let half_set = MINTED.replace("<SecretAccessKey>minted-secret</SecretAccessKey>", "");
    let cut = &MINTED[..MINTED.len() / 2];
    for bytes in [
        answer(200, "text/html", "", "<html><body>Please sign in</body></html>"),
        answer(403, "text/html", "", "<html><body>Blocked</body></html>"),
        answer(503, "text/html", "", "<html>"),
        answer(302, "text/html", "Location: http://portal.invalid/\r\n", "<html>"),
        answer(511, "text/html", "Retry-After: 3600\r\n", "<html>"),
        answer(200, "text/xml", "", ""),
        answer(200, "text/xml", "", cut),
        answer(200, "text/xml", "", &half_set),
        answer(200, "text/xml", "", "<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>"),
        half[..half.len() - 40].to_owned(),
    ] {
        let fault = fault_from(bytes.clone()).await;
        assert_eq!(
            (fault.code.as_str(), fault.class),
            ("InvalidResponse", ErrorClass::Retryable),
            "{bytes}: {fault:?}"
        );
        assert_eq!(fault.retry_after, None, "nobody but AWS sends us away: {bytes}");
        assert!(!fault.words.contains("minted-"), "{}", fault.words);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n").await.unwrap();
        let mut sent = 0_usize;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {
            sent += 65536;
        }
        sent
    });
    let fault = failed(StsCaller(&sdk()).mint(role(endpoint(&url))).await.0);
    assert_eq!(fault.code, "InvalidResponse");
    assert!(fault.words.contains("larger"), "{}", fault.words);
    // What the two sockets buffer comes on top.
    assert!(sent.await.unwrap() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn each_way_of_not_answering_has_its_name() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let refused = failed(StsCaller(&sdk()).mint(role(endpoint(&closed))).await.0);
    assert_eq!(refused.code, "Network");
    assert!(refused.words.contains("127.0.0.1 refused the connection"), "{}", refused.words);

    let nothing = fault_from("").await;
    assert_eq!((nothing.code.as_str(), nothing.class), ("Network", ErrorClass::Retryable), "{nothing:?}");

    let unknown = failed(StsCaller(&sdk()).mint(role(endpoint("http://no-such-host.invalid:1"))).await.0);
    assert_eq!(unknown.code, "Network");
    assert!(unknown.words.contains("no-such-host.invalid could not be resolved"), "{}", unknown.words);

    let (url, _task) = plain_text_server().await;
    let tls = failed(StsCaller(&sdk()).mint(role(endpoint(&url.replace("http://", "https://")))).await.0);
    assert_eq!(tls.code, "Tls", "{tls:?}");
}

/// Talks at once and not TLS.
async fn plain_text_server() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
    });
    (url, task)
}

#[tokio::test]
async fn a_probe_is_unsigned_and_takes_the_date_of_any_answer_with_a_request_id() {
    for status in [200, 302, 403, 500] {
        let head = "Location: https://example.com/\r\nx-amz-request-id: 1\r\n";
        let (url, task) = server(answer(status, "text/html", head, "")).await;
        let (outcome, samples) =
            StsCaller(&sdk()).probe(ProbeOrder { ticket: Ticket(1), endpoint: endpoint(&url) }).await;
        assert!(matches!(outcome, Outcome::Probed), "{outcome:?}");
        assert_eq!(samples.len(), 1);
        let request = task.await.unwrap();
        assert!(request.starts_with("GET / ") && !request.to_lowercase().contains("authorization"), "{request}");
    }
}

#[tokio::test]
async fn an_aged_answer_says_nothing_about_the_time() {
    let (url, _task) = server(answer(200, "text/xml", "Age: 30\r\n", MINTED)).await;
    assert_eq!(StsCaller(&sdk()).mint(role(endpoint(&url))).await.1, []);
}

#[tokio::test]
async fn aws_own_endpoints_are_those_of_the_region_and_partition() {
    let url = async |region: &str, fips, dual_stack| {
        let endpoint = Endpoint { region: region.to_owned(), url: None, fips, dual_stack, ca_bundle: None };
        resolve(&"x".into(), Service::Sts, &endpoint).await.unwrap()
    };
    assert_eq!(url("eu-central-1", false, false).await, "https://sts.eu-central-1.amazonaws.com");
    assert_eq!(url("cn-north-1", false, false).await, "https://sts.cn-north-1.amazonaws.com.cn");
    assert_eq!(url("us-gov-west-1", false, false).await, "https://sts.us-gov-west-1.amazonaws.com");
    assert_eq!(url("us-gov-west-1", true, false).await, "https://sts.us-gov-west-1.amazonaws.com");
    assert_eq!(url("us-east-1", true, false).await, "https://sts-fips.us-east-1.amazonaws.com");
    assert_eq!(url("eu-west-1", false, true).await, "https://sts.eu-west-1.api.aws");
}

#[tokio::test]
async fn impossible_settings_are_refused_before_anything_is_sent() {
    let mut orders = Vec::new();
    for url in [
        "",
        "localhost:4566",
        "http://",
        "http:///x",
        "http://:80/",
        "ftp://host",
        "http://ho st",
        "http://é",
        "http://[::1",
    ] {
        orders.push(role(endpoint(url)));
    }
    for region in ["", "eu central", "eu-central-1/..", "é"] {
        orders.push(role(Endpoint { region: region.to_owned(), ..endpoint("http://127.0.0.1:1") }));
    }
    // The SDK's own rule: an endpoint of one's own is not a FIPS endpoint.
    orders.push(role(Endpoint { fips: true, ..endpoint("http://127.0.0.1:1") }));
    for order in orders {
        let described = format!("{:?}", order.step);
        let fault = failed(StsCaller(&sdk()).mint(order).await.0);
        assert_eq!(
            (fault.code.as_str(), fault.class),
            ("ValidationError", ErrorClass::Permanent),
            "{described}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn odd_but_possible_urls_end_in_a_fault() {
    for url in [
        "http://a:b@127.0.0.1:1/p?q#f",
        "http://127.0.0.1:99999/",
        "http://%zz/",
        "http://a,b/",
        "http://127.0.0.1:1/{}",
    ] {
        let fault = failed(StsCaller(&sdk()).mint(role(endpoint(url))).await.0);
        assert!(matches!(fault.code.as_str(), "Network" | "ValidationError"), "{url}: {fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_stand_in_a_header_is_refused_before_anything_is_sent() {
    for (id, secret) in [("AKIA\n", "s"), ("AKIA", "s\u{0}"), ("", "s"), ("AKIA", ""), ("AKÏA", "s")] {
        let keys = StaticKeys { access_key_id: id.to_owned(), secret_access_key: Secret::new(secret), ..keys() };
        let fault = failed(StsCaller(&sdk()).mint(order(Source::Static(keys), endpoint("http://127.0.0.1:1"))).await.0);
        assert_eq!((fault.code.as_str(), fault.class), ("IncompleteSignature", ErrorClass::Permanent));
    }
}

#[tokio::test]
async fn the_configured_proxy_is_used_and_no_proxy_spares_it() {
    let (proxy, task) = server(answer(200, "text/xml", "", MINTED)).await;
    let mut sdk = Sdk::new(&environment(&[("HTTP_PROXY", &proxy)]));
    let (outcome, _) = StsCaller(&sdk).mint(role(endpoint("http://sts.example.invalid"))).await;
    assert!(matches!(outcome, Outcome::Minted(_)), "{outcome:?}");
    assert!(task.await.unwrap().starts_with("POST http://sts.example.invalid/ "));

    let (url, _task) = server(answer(200, "text/xml", "", MINTED)).await;
    sdk.reconfigure(&environment(&[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.1")]));
    assert!(matches!(StsCaller(&sdk).mint(role(endpoint(&url))).await.0, Outcome::Minted(_)));
}

#[tokio::test]
async fn https_goes_through_the_proxy_as_a_tunnel() {
    let (proxy, task) = server(answer(407, "text/html", "", "")).await;
    let sdk = Sdk::new(&environment(&[("https_proxy", &proxy)]));
    let fault = failed(StsCaller(&sdk).mint(role(endpoint("https://sts.example.invalid"))).await.0);
    assert_eq!(fault.code, "Network");
    assert!(fault.words.contains("HTTPS_PROXY"), "{}", fault.words);
    assert!(task.await.unwrap().starts_with("CONNECT sts.example.invalid:443 "));
}

#[tokio::test]
async fn a_ca_bundle_that_is_missing_is_named() {
    let sdk = Sdk::new(&environment(&[("AWS_CA_BUNDLE", "/nonexistent/ca.pem")]));
    let fault = failed(StsCaller(&sdk).mint(role(endpoint("https://127.0.0.1:1"))).await.0);
    assert_eq!((fault.code.as_str(), fault.class), ("Tls", ErrorClass::Retryable));
    assert!(fault.words.contains("/nonexistent/ca.pem"), "{}", fault.words);
}

#[tokio::test]
async fn a_session_is_got_with_the_code_of_the_device() {
    let (url, task) = server(answer(200, "text/xml", "", &MINTED.replace("AssumeRole", "GetSessionToken"))).await;
    let session = SessionToken {
        mfa_serial: Some("arn:aws:iam::111122223333:mfa/u".to_owned()),
        mfa_process: None,
        duration_seconds: Some(43_200),
        endpoint: endpoint(&url),
    };
    let mut order = order(Source::SessionToken(session), endpoint(&url));
    order.mfa_code = Some(Secret::new("123456"));
    let (outcome, _) = StsCaller(&sdk()).mint(order).await;
    let Outcome::Minted(set) = outcome else { panic!("{outcome:?}") };
    assert_eq!((set.access_key_id.as_str(), set.account_id.as_deref()), ("ASIAEXAMPLE", Some("111122223333")));
    let sent = task.await.unwrap();
    for part in ["GetSessionToken", "TokenCode=123456", "mfa%2Fu", "DurationSeconds=43200", "authorization: AWS4"] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
}

#[tokio::test]
async fn a_web_identity_token_is_read_anew_and_stands_for_a_signature() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let (url, task) =
        server(answer(200, "text/xml", "", &MINTED.replace("AssumeRole", "AssumeRoleWithWebIdentity"))).await;
    let role = WebIdentity {
        role_arn: "arn:aws:iam::111122223333:role/Ci".to_owned(),
        token_file: token_file.display().to_string(),
        role_session_name: "evercred".to_owned(),
        duration_seconds: None,
        endpoint: endpoint(&url),
    };
    let order = || MintOrder { base: None, ..order(Source::WebIdentity(role.clone()), endpoint(&url)) };
    for (content, says) in [(None, "no token file"), (Some("\n"), "empty"), (Some("two words"), "no token")] {
        if let Some(content) = content {
            private_file::write(&token_file, content.as_bytes()).unwrap();
        }
        let fault = failed(StsCaller(&sdk()).mint(order()).await.0);
        assert_eq!(fault.code, "TokenFile");
        assert!(fault.words.contains(says), "{}", fault.words);
    }
    private_file::write(&token_file, b"aaa.bbb.ccc\n").unwrap();
    assert!(matches!(StsCaller(&sdk()).mint(order()).await.0, Outcome::Federated { token_expires_at: None, .. }));
    let sent = task.await.unwrap();
    assert!(sent.contains("WebIdentityToken=aaa.bbb.ccc") && !sent.contains("authorization"), "{sent}");
}

#[tokio::test]
async fn what_this_version_cannot_do_is_said() {
    let order = order(Source::Environment, endpoint("http://127.0.0.1:1"));
    assert_eq!(failed(StsCaller(&sdk()).mint(order).await.0).code, "NotSupported");
}

#[tokio::test]
async fn a_date_counts_only_in_an_answer_that_is_of_aws() {
    const PAGE: &str = "<!DOCTYPE html><html><title>Welcome</title><body>Please log in.</body></html>";
    const ERROR: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>MissingAction</Code><Message>m</Message></Error>\
                         <RequestId>r</RequestId></ErrorResponse>";
    let id = "x-amzn-RequestId: 01234567-89ab\r\n";
    for (status, kind, head, body, counts) in [
        (200, "text/html", "", PAGE, false),
        (302, "text/html", "Location: http://portal.example/\r\n", "", false),
        (511, "text/html", "", PAGE, false),
        (200, "text/html", "", "", false),
        (400, "text/xml", "", ERROR, true),
        (302, "text/html", id, "", true),
        (500, "text/html", id, PAGE, true),
    ] {
        let (url, _task) = server(answer(status, kind, head, body)).await;
        let order = ProbeOrder { ticket: Ticket(1), endpoint: endpoint(&url) };
        let (outcome, samples) = StsCaller(&sdk()).probe(order).await;
        assert_eq!(
            (samples.len(), matches!(outcome, Outcome::Probed)),
            (usize::from(counts), counts),
            "{status} {body}"
        );
        let (url, _task) = server(answer(status, kind, head, body)).await;
        let (outcome, samples) = StsCaller(&sdk()).mint(role(endpoint(&url))).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        assert_eq!(samples.len(), usize::from(counts), "{status} {head} {body}");
    }
}
