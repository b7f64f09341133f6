//! The host of a URL, and whose it is.

use ::core::net::IpAddr;

/// Whose host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// One of AWS's own.
    Aws,
    /// One of an emulator of AWS (LocalStack, MinIO, moto), which takes any keys.
    Emulator,
    /// Any other.
    Other,
}

/// What of a URL says where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// As it stands; empty where there is none.
    pub scheme: &'a str,
    /// The host with its port, without a user's name and password.
    pub authority: &'a str,
    /// The host alone; an IPv6 address without its brackets.
    pub host: &'a str,
}

/// Where a URL leads (RFC 3986, section 3.2). What is no URL is taken for one whose scheme was left away.
pub fn target(url: &str) -> Target<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    };
    Target { scheme, authority, host: host.trim_end_matches('.') }
}

/// Longer URLs are not pages for users.
const LONGEST_PAGE: usize = 4_096;

/// Whether a received URL may be shown to the user as a page to open, or passed to a browser.
pub fn is_page(url: &str) -> bool {
    url.len() <= LONGEST_PAGE && url.bytes().all(|byte| byte.is_ascii_graphic()) && target(url).is_http()
}

/// Whether it may be shown as a page to sign in at.
pub fn is_sign_in_page(url: &str) -> bool {
    // User information before the host could be mistaken for the host.
    let authority = url.split('/').nth(2).unwrap_or_default();
    is_page(url) && target(url).is_private() && !authority.contains('@')
}

impl Target<'_> {
    /// Whether a request can be sent there: by http or https, to some host.
    pub fn is_http(&self) -> bool {
        matches!(self.scheme, "http" | "https")
            && self.host.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte == b':')
    }

    /// Whether the connection is safe for a sign-in: https, or this machine.
    fn is_private(&self) -> bool {
        self.is_http() && (self.scheme == "https" || is_on_this_machine(&self.host.to_ascii_lowercase()))
    }

    /// Whose host it is.
    pub fn owner(&self) -> Host {
        let host = self.host.to_ascii_lowercase();
        if OF_AWS.iter().any(|suffix| host.ends_with(suffix)) {
            Host::Aws
        } else if is_on_this_machine(&host) || CONTAINERS.contains(&host.as_str()) || host.contains("localstack") {
            Host::Emulator
        } else {
            Host::Other
        }
    }
}

/// What the names of AWS's endpoints end in: botocore 1.43.11, `data/partitions.json` (`dnsSuffix`, `dualStackDnsSuffix`).
const OF_AWS: [&str; 10] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".csp.hci.ic.gov",
    ".cloud.adc-e.uk",
];

/// Names that emulators have in the networks of containers, and the name of this machine there.
const CONTAINERS: [&str; 3] = ["host.docker.internal", "moto", "minio"];

/// Names that lead back to this machine, as those below them do: RFC 6761 for localhost; LocalStack's own name points to 127.0.0.1
/// (LocalStack documentation, "Accessing LocalStack via the endpoint URL"; lstk, `internal/endpoint`).
const LOCAL: [&str; 2] = ["localhost", "localhost.localstack.cloud"];

fn is_on_this_machine(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback() || address.is_unspecified();
    }
    LOCAL.iter().any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_aws_of_emulators_and_of_others_are_told_apart() {
        for (url, owner) in [
            ("https://sts.eu-west-1.amazonaws.com", Host::Aws),
            ("https://sts.amazonaws.com/", Host::Aws),
            ("https://STS.cn-north-1.amazonaws.com.cn", Host::Aws),
            ("https://vpce-1.sts.eu-west-1.vpce.amazonaws.com", Host::Aws),
            ("https://sts.eusc-de-east-1.amazonaws.eu", Host::Aws),
            ("http://localhost:4566", Host::Emulator),
            ("http://LOCALHOST", Host::Emulator),
            ("http://127.0.0.1:9000/x", Host::Emulator),
            ("http://127.1.2.3", Host::Emulator),
            ("https://[::1]:443/", Host::Emulator),
            ("http://0.0.0.0:4566", Host::Emulator),
            ("http://user@localhost:1?x=@y", Host::Emulator),
            ("https://sts.localhost.localstack.cloud:4566", Host::Emulator),
            ("http://s3.localhost", Host::Emulator),
            ("localhost:4566", Host::Emulator),
            ("http://minio:9000", Host::Emulator),
            ("http://localstack-main:4566", Host::Emulator),
            ("https://amazonaws.com.evil.example", Host::Other),
            ("https://localhost.example.com", Host::Other),
            ("https://mylocalhost", Host::Other),
            ("http://192.0.2.1:4566", Host::Other),
            ("https://sts.example/?x=localhost", Host::Other),
            ("https://sts.example/?x=@localhost", Host::Other),
            ("", Host::Other),
        ] {
            assert_eq!(target(url).owner(), owner, "{url}");
        }
    }

    #[test]
    fn a_page_to_sign_in_at_is_reached_by_https_or_on_this_machine() {
        for url in
            ["https://device.sso.eu-west-1.amazonaws.com/?user_code=AB", "http://127.0.0.1:5000/x", "http://localhost/"]
        {
            assert!(is_sign_in_page(url), "{url}");
        }
        let long = format!("https://device.example/{}", "x".repeat(5_000));
        for url in [
            "http://device.example/",
            "javascript:alert(1)//https://x.example",
            "javascript://x.example/%0aalert(1)",
            "file:///etc/passwd",
            "https://",
            "https://aws.amazon.com@evil.example/",
            "https://a.example/\n[default]",
            "https://a.example/\u{1b}[2J",
            "https://a.example/ b",
            "https://\u{430}.example/",
            &long,
            "",
        ] {
            assert!(!is_sign_in_page(url), "{url}");
        }
        assert!(is_page("http://moto:5000/authorize") && !is_page("file:///etc/passwd"));
    }

    #[test]
    fn a_url_says_where_it_leads_without_who_is_named_in_it() {
        let target = target("http://me:hunter2@gate.example:81/p?token=x");
        assert_eq!((target.scheme, target.authority, target.host), ("http", "gate.example:81", "gate.example"));
        assert_eq!(super::target("https://[::1]:4566/x").host, "::1");
        for (url, is_http) in
            [("https://sts.example", true), ("sts.example", false), ("ftp://sts.example", false), ("http://:80", false)]
        {
            assert_eq!(super::target(url).is_http(), is_http, "{url}");
        }
    }
}
