//! Reads the certificates that AWS_CA_BUNDLE names.
//!
//! The HTTP client panics on a bundle that it can't use, and bundles collected by hand do have certificates that no
//! verifier takes. So the bundle is taken apart here: what the verifier would choke on is left out, the rest is put
//! together again. The conditions are those of `webpki::anchor_from_trusted_cert`, a little stricter.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::file;

/// Every system's own bundle is far smaller.
const LIMIT: u64 = 16 * 1024 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// OpenSSL, and so botocore, reads a certificate by each of these names. A trusted one is followed by what it is trusted for.
const NAMES: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// Which version of a file was read: what every way of writing it changes. `None` where it can't be looked at.
pub(super) type Version = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// The version of a bundle as it is now.
pub(super) fn version(path: &Path) -> Version {
    let seen = fs::metadata(path).ok()?;
    let (changed, modified) = ((seen.ctime(), seen.ctime_nsec()), (seen.mtime(), seen.mtime_nsec()));
    Some((seen.dev(), seen.ino(), seen.len(), modified.0, modified.1, changed.0, changed.1))
}

/// The usable certificates of a bundle, as PEM, and how many there were that can't be used.
///
/// # Errors
/// The file can't be read, or has no usable certificate: the end of a sentence that begins with its name.
pub(super) fn read(path: &Path) -> io::Result<(Vec<u8>, usize)> {
    let bytes = file::read(path, LIMIT)?.ok_or_else(|| io::Error::other("there is no such file"))?;
    let (pem, unusable) = usable(&String::from_utf8_lossy(&bytes));
    if pem.is_empty() {
        let what = if unusable == 0 { "it has no certificates" } else { "none of its certificates can be used" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok((pem.into_bytes(), unusable))
}

fn usable(text: &str) -> (String, usize) {
    let (mut pem, mut unusable) = (String::new(), 0);
    for section in text.split("-----BEGIN ").skip(1) {
        let Some((name, rest)) = section.split_once("-----").filter(|(name, _)| NAMES.contains(name)) else { continue };
        let body: Option<String> = rest
            .split_once(&format!("-----END {name}-----"))
            .map(|(body, _)| body.chars().filter(|c| !c.is_whitespace()).collect());
        match body.and_then(|body| base64(&body)).as_deref().and_then(first_value).filter(|der| is_anchor(der)) {
            Some(der) => pem.extend([BEGIN, "\n", &STANDARD.encode(der), "\n", END, "\n"]),
            None => unusable += 1,
        }
    }
    (pem, unusable)
}

/// The certificate itself, without what may follow it in a trusted one.
fn first_value(der: &[u8]) -> Option<&[u8]> {
    let mut rest = Der(der);
    rest.value(SEQUENCE)?;
    der.get(..der.len() - rest.0.len())
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.is_empty() || !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over is padding, and has to be zero.
    (bits == 0).then_some(bytes)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
/// 1.3.6.1.4.1.11129.2.4.2, RFC 6962.
const SIGNED_TIMESTAMPS: &[u8] = &[0x2B, 6, 1, 4, 1, 0xD6, 0x79, 2, 4, 2];

/// Whether the verifier takes this certificate for a trust anchor: an X.509 version 3 certificate in well-formed DER.
fn is_anchor(der: &[u8]) -> bool {
    certificate(&mut Der(der)).is_some()
}

fn certificate(der: &mut Der<'_>) -> Option<()> {
    let mut certificate = der.value(SEQUENCE)?;
    der.end()?;
    let mut body = certificate.value(SEQUENCE)?;
    let algorithm = certificate.value(SEQUENCE)?;
    // A signature has whole octets: no unused bits.
    if certificate.value(BIT_STRING)?.0.first() != Some(&0) {
        return None;
    }
    certificate.end()?;

    let mut version = body.value(VERSION)?;
    if version.value(INTEGER)?.0 != [2] {
        return None;
    }
    version.end()?;
    body.value(INTEGER)?;
    if body.value(SEQUENCE)?.0 != algorithm.0 {
        return None;
    }
    for _issuer_validity_subject_key in 0..4 {
        body.value(SEQUENCE)?;
    }
    if body.0.is_empty() {
        return Some(());
    }
    let mut wrapped = body.value(EXTENSIONS)?;
    body.end()?;
    let mut extensions = wrapped.value(SEQUENCE)?;
    wrapped.end()?;
    let mut seen = Vec::new();
    while !extensions.0.is_empty() {
        let mut extension = extensions.value(SEQUENCE)?;
        let id = extension.value(OBJECT_ID)?.0;
        if extension.0.first() == Some(&BOOLEAN) && !matches!(extension.value(BOOLEAN)?.0, [0x00 | 0xFF]) {
            return None;
        }
        let mut value = extension.value(OCTET_STRING)?;
        extension.end()?;
        // What the verifier remembers of a certificate has to be of the expected kind; the rest it skips, critical or not.
        let expected = match id {
            [0x55, 0x1D, 17 | 19 | 30 | 31 | 37] => Some(SEQUENCE),
            SIGNED_TIMESTAMPS => Some(OCTET_STRING),
            _ => None,
        };
        if let Some(tag) = expected {
            value.value(tag)?;
            value.end()?;
        }
        if seen.contains(&id) {
            return None;
        }
        seen.push(id);
    }
    Some(())
}

/// What is left to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn value(&mut self, tag: u8) -> Option<Self> {
        let (length, rest) = match *self.0 {
            [found, length @ 0..=0x7F, ref rest @ ..] if found == tag => (usize::from(length), rest),
            [found, 0x81, length @ 0x80..=0xFF, ref rest @ ..] if found == tag => (usize::from(length), rest),
            [found, 0x82, high @ 1..=0xFF, low, ref rest @ ..] if found == tag => {
                (usize::from(u16::from_be_bytes([high, low])), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length).filter(|_| length < 0xFFFF)?;
        self.0 = rest;
        Some(Self(value))
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Self-signed, P-256, CN = evercred test.
    const CERTIFICATE: &str = "MIIBozCCAUmgAwIBAgIUEWgBjtRfdRCpWegSacUMWK6hamUwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNZXZlcmNyZWQgdGVzdDAg\
        Fw0yNjExMjQxNTQ3NThaGA8yMTI2MTAzMTE1NDc1OFowGDEWMBQGA1UEAwwNZXZlcmNyZWQgdGVzdDBZMBMGByqGSM49AgEGCCqG\
        SM49AwEHA0IABDh+lTXTyRQmp3qwQvnUC5bpxqMLHgug3SKO/sUuLRszQn6gYToVo6Uare9/abaxqpWpeE0/TgCJbdvfM0w45m6j\
        bzBtMB0GA1UdDgQWBBTZIEflLkA6DZwdR70UXdNgsoCTbTAfBgNVHSMEGDAWgBTZIEflLkA6DZwdR70UXdNgsoCTbTAPBgNVHRMB\
        Af8EBTADAQH/MBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAKBggqhkjOPQQDAgNIADBFAiAQA/jtjFnNzRC6e+UWEXZ7gJhB\
        MbBNt2i91iJNEucsDQIhALzTP6+SHvy/u/VxFkMtP33OHMWSusSaIZQWWtFn743Q";

    fn pem(body: &str) -> String {
        format!("Subject: a comment\n{BEGIN}\r\n{body}\r\n{END}\r\n")
    }

    #[test]
    fn a_good_certificate_is_kept_and_a_bad_one_left_out() {
        let (kept, unusable) = usable(&[pem(CERTIFICATE), pem("MIIBszCCAVmgAwIBAgIU"), pem("no base64!")].concat());
        assert_eq!(unusable, 2);
        assert_eq!(kept.matches(BEGIN).count(), 1);
        assert!(kept.contains(CERTIFICATE));
    }

    #[test]
    fn certificates_are_read_by_each_of_openssls_names_and_other_things_are_passed_over() {
        let named = |name: &str, body: &str| format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n");
        let mut trusted = base64(CERTIFICATE).unwrap();
        trusted.extend([0x30, 0x0C, 0x30, 0x0A, 6, 8, 0x2B, 6, 1, 5, 5, 7, 3, 1]);
        for text in [
            named("X509 CERTIFICATE", CERTIFICATE),
            named("TRUSTED CERTIFICATE", &STANDARD.encode(&trusted)),
            named("CERTIFICATE", CERTIFICATE).replace('\n', "\r\n"),
            format!("{}trailing garbage \u{1A}", named("CERTIFICATE", CERTIFICATE)),
            [named("PRIVATE KEY", "AAAA"), named("CERTIFICATE", CERTIFICATE), named("X509 CRL", "AAAA")].concat(),
        ] {
            let (kept, unusable) = usable(&text);
            assert_eq!((kept.matches(BEGIN).count(), unusable), (1, 0), "{text}");
            assert!(kept.contains(CERTIFICATE), "{text}");
        }
    }

    #[test]
    fn a_certificate_that_lost_or_changed_a_structural_byte_is_left_out() {
        let der = base64(CERTIFICATE).unwrap();
        for length in 0..der.len() {
            assert!(!is_anchor(&der[..length]), "cut to {length}");
        }
        let mut longer = der.clone();
        longer.push(0);
        assert_eq!(first_value(&longer), Some(&der[..]));
        assert!(!is_anchor(&longer));
        // The outer and inner SEQUENCE, the version.
        for at in [0, 1, 4, 8, 12] {
            let mut changed = der.clone();
            changed[at] ^= 0x55;
            assert!(!is_anchor(&changed), "byte {at}");
        }
    }

    #[test]
    fn a_bundle_without_certificates_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(read(&path).unwrap_err().to_string().contains("no such file"));
        super::super::private_file::write(&path, b"hello").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no certificates"));
        super::super::private_file::write(&path, pem("AAAA").as_bytes()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("none of its certificates"));
        super::super::private_file::write(&path, pem(CERTIFICATE).as_bytes()).unwrap();
        assert!(read(&path).is_ok());
    }
}
