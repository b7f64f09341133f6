//! Reads the certificates that AWS_CA_BUNDLE names.
//!
//! The HTTP client panics on a bundle that it can't use, and bundles collected by hand do have certificates that no
//! verifier takes. So the bundle is taken apart here: what the verifier refuses is left out, and the rest is put together
//! again.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use webpki::anchor_from_trusted_cert;

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
        let body = rest.split_once(&format!("-----END {name}-----")).map(|(body, _)| body);
        let der = body.and_then(|body| STANDARD.decode(body.split_whitespace().collect::<String>()).ok());
        match der.as_deref().and_then(anchor) {
            Some(der) => pem.extend([BEGIN, "\n", &STANDARD.encode(der), "\n", END, "\n"]),
            None => unusable += 1,
        }
    }
    (pem, unusable)
}

/// The certificate itself, without what may follow it in a trusted one, if the verifier takes it for a trust anchor.
fn anchor(der: &[u8]) -> Option<&[u8]> {
    let certificate = der.get(..length_of_value(der)?)?;
    anchor_from_trusted_cert(&CertificateDer::from(certificate)).is_ok().then_some(certificate)
}

/// The length of the value at the beginning of DER (X.690, 8.1.3), its tag and length included.
fn length_of_value(der: &[u8]) -> Option<usize> {
    let (header, length) = match *der {
        [_, short @ 0..=0x7F, ..] => (2, usize::from(short)),
        [_, 0x81, length, ..] => (3, usize::from(length)),
        [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    Some(header + length)
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
        let mut trusted = STANDARD.decode(CERTIFICATE).unwrap();
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
        let der = STANDARD.decode(CERTIFICATE).unwrap();
        for length in 0..der.len() {
            assert_eq!(anchor(&der[..length]), None, "cut to {length}");
        }
        let mut longer = der.clone();
        longer.push(0);
        assert_eq!(anchor(&longer), Some(&der[..]));
        // The outer and inner SEQUENCE, the version.
        for at in [0, 1, 4, 8, 12] {
            let mut changed = der.clone();
            changed[at] ^= 0x55;
            assert_eq!(anchor(&changed), None, "byte {at}");
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
