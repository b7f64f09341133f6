//! AWS Signature Version 4, from the side that verifies it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::http::Request;

/// The parts of an `Authorization` header.
pub(super) struct Authorization {
    pub access_key_id: String,
    pub day: String,
    pub region: String,
    pub service: String,
    signed_headers: String,
    signature: String,
}

impl Authorization {
    pub(super) fn parse(header: &str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            rest.split(',')
                .map(str::trim)
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        let credential = field("Credential")?;
        let mut scope = credential.split('/').map(str::to_owned);
        let parsed = Self {
            access_key_id: scope.next()?,
            day: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        };
        (scope.next().as_deref() == Some("aws4_request")).then_some(parsed)
    }

    /// Whether the request was signed with this secret.
    pub(super) fn matches(&self, request: &Request, secret: &str) -> bool {
        let stamp = request.header("x-amz-date").unwrap_or_default();
        stamp.starts_with(&self.day) && self.expected(request, stamp, secret) == self.signature
    }

    fn expected(&self, request: &Request, stamp: &str, secret: &str) -> String {
        let mut query: Vec<&str> = request.query.split('&').filter(|pair| !pair.is_empty()).collect();
        query.sort_unstable();
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| {
                let value = request.header(name).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
                format!("{name}:{value}\n")
            })
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            request.path,
            query.join("&"),
            self.signed_headers,
            hex(&Sha256::digest(&request.body))
        );
        let scope = format!("{}/{}/{}/aws4_request", self.day, self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [&self.day, &self.region, &self.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        hex(&hmac(&key, to_sign.as_bytes()))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The example that AWS's documentation works through.
#[test]
fn the_published_example_is_verified() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = Request {
        method: "GET".into(),
        path: "/".into(),
        query: "Action=ListUsers&Version=2010-05-08".into(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            header("host", "iam.amazonaws.com"),
            header("x-amz-date", "20150830T123600Z"),
        ],
        body: Vec::new(),
    };
    let authorization = Authorization::parse(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    )
    .unwrap();
    assert!(authorization.matches(&request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    assert!(!authorization.matches(&request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ"));
}
