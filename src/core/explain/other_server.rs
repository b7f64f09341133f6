//! Servers that are not AWS, and whose errors have AWS's codes: most of them speak the S3 protocol.

use std::ops::Range;

use super::clean::shown;
use super::hit::{Hit, around, line_of};
use super::reported::{OtherServer, ReportedError};
use crate::core::doctor::NamedEndpoint;
use crate::core::url_host::{Host, target};

impl OtherServer {
    fn provider(name: &str) -> Self {
        Self { name: name.to_owned(), is_provider: true }
    }

    /// The provider with this host, else the host itself.
    fn at(authority: &str) -> Self {
        let small = authority.to_ascii_lowercase();
        match PROVIDERS.iter().find(|provider| provider.hosts.iter().any(|part| small.contains(part))) {
            Some(provider) => Self::provider(provider.name),
            None => Self { name: shown(authority), is_provider: false },
        }
    }

    /// The meaning of its error.
    pub(super) fn meaning(&self, mention: &ReportedError) -> String {
        let Self { name, is_provider } = self;
        let code = &mention.code;
        match (mention.is_unanswered(), is_provider) {
            (true, true) => format!("the program could not reach {name}, which is not a server of AWS: {code}"),
            (true, false) => format!("the program could not reach {name} (not one of AWS's host names): {code}"),
            (false, true) => format!(
                "{name} sent this error, not AWS: {code}. Check the keys, endpoint and region against those of {name}"
            ),
            (false, false) => format!(
                "{name} (not one of AWS's host names) sent this error: {code}. Check the keys, endpoint and region against those of {name}"
            ),
        }
    }
}

/// The setting of this machine that sends the calls of an error to a server without a host name of AWS: to the one that the
/// text names, else to the one for the service.
pub fn endpoint_of<'a>(mention: &ReportedError, endpoints: &'a [NamedEndpoint]) -> Option<&'a NamedEndpoint> {
    let others = || endpoints.iter().filter(|endpoint| endpoint.is_url);
    if let Some(server) = &mention.server {
        return others().find(|endpoint| OtherServer::at(&endpoint.authority).name.eq_ignore_ascii_case(&server.name));
    }
    if mention.names_aws || mention.host.is_some() || !mention.is_of_server() {
        return None;
    }
    let service = mention.service.as_deref().unwrap_or_default().replace(' ', "_");
    others().find(|endpoint| endpoint.is_for(&service)).filter(|endpoint| endpoint.source != Host::Aws)
}

/// A provider of storage with the S3 protocol.
struct Provider {
    name: &'static str,
    /// Parts of its host names.
    hosts: &'static [&'static str],
    /// Whether its other services have AWS's codes too.
    for_all_services: bool,
}

const fn storage(name: &'static str, hosts: &'static [&'static str]) -> Provider {
    Provider { name, hosts, for_all_services: false }
}

const fn cloud(name: &'static str, hosts: &'static [&'static str]) -> Provider {
    Provider { name, hosts, for_all_services: true }
}

/// The endpoints in the documentation of each provider.
static PROVIDERS: [Provider; 27] = [
    storage("Cloudflare R2", &["r2.cloudflarestorage.com", ".r2.dev"]),
    storage("Google Cloud Storage", &["storage.googleapis.com", "googlecloudstorage", "goog4-", "googleaccessid"]),
    storage("Wasabi", &["wasabisys.com"]),
    storage("DigitalOcean Spaces", &["digitaloceanspaces.com"]),
    storage("Backblaze B2", &["backblazeb2.com"]),
    storage("Scaleway Object Storage", &[".scw.cloud"]),
    storage("OVHcloud Object Storage", &["cloud.ovh.net", "cloud.ovh.us", "cloud.ovh.ca"]),
    storage("Yandex Cloud", &["yandexcloud.net", "yandexcloud.kz"]),
    storage("Akamai (Linode) Object Storage", &["linodeobjects.com"]),
    storage("Vultr Object Storage", &["vultrobjects.com"]),
    storage("Hetzner Object Storage", &["your-objectstorage.com"]),
    storage("Exoscale Object Storage", &[".exo.io"]),
    storage("IDrive e2", &["idrivee2"]),
    storage("Storj", &["storjshare.io"]),
    storage("Tigris", &["storage.tigris.dev", "t3.storage.dev"]),
    storage("DreamHost DreamObjects", &[".dream.io"]),
    storage("Contabo Object Storage", &["contabostorage.com"]),
    storage("IBM Cloud Object Storage", &["cloud-object-storage.appdomain.cloud", "objectstorage.softlayer.net"]),
    storage("Oracle Cloud", &["oraclecloud.com"]),
    storage("IONOS Object Storage", &["ionoscloud.com"]),
    storage("UpCloud Object Storage", &["upcloudobjects.com"]),
    storage("the Internet Archive", &["s3.us.archive.org"]),
    cloud("Alibaba Cloud", &["aliyuncs.com", "aliyun.com"]),
    cloud("Tencent Cloud", &["myqcloud.com", "tencentcloudapi.com", "tencentcos", "tencent.com"]),
    cloud("Huawei Cloud", &["huaweicloud.com"]),
    cloud("Volcano Engine", &["volces.com"]),
    cloud("Google Cloud", &["googleapis.com"]),
];

/// The values of the header `Server`.
const SERVERS: [(&str, &str); 6] = [
    ("minio", "MinIO"),
    ("wasabis3", "Wasabi"),
    ("aliyunoss", "Alibaba Cloud"),
    ("uploadserver", "Google Cloud Storage"),
    ("cloudflare", "Cloudflare"),
    ("ceph", "Ceph"),
];

/// The host id in each answer of a MinIO server that is one machine (minio, `cmd/globals.go`: the digest of an empty name).
const HOST_ID_OF_MINIO: &str = "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8";

/// The words before a URL to which a request was sent, without white space.
const TARGETS: [&str; 17] = [
    "endpoint",
    "endpointurl",
    "endpoint-url",
    "endpoint_url",
    "host",
    "hostid",
    "url",
    "uri",
    "get",
    "put",
    "head",
    "post",
    "delete",
    "s3",
    "resource",
    "connection",
    "pool",
];

/// The number of characters before and after an error, without white space, in which its server is named.
const BEFORE: usize = 500;
const AFTER: usize = 1_500;

/// The server that the text names for an error. `bounds`: the words that may be about it.
pub(super) fn of(text: &str, hit: Hit, bounds: Range<usize>, mention: &ReportedError) -> Option<Server> {
    if !mention.is_of_server() {
        return None;
    }
    let is_of_s3 = mention.service.as_deref().is_none_or(|service| service == "S3");
    let near = Near::new(text, hit, bounds);
    let mut found = near.hosts(is_of_s3);
    if is_of_s3 {
        found.extend(near.servers());
        found.extend(near.ids());
    }
    found.extend(near.endpoint(is_of_s3));
    found.into_iter().min_by_key(|(distance, _)| *distance).map(|(_, server)| server)
}

/// A server that a text names.
pub(super) enum Server {
    Aws,
    Other(OtherServer),
}

/// The words near an error.
struct Near<'a> {
    /// The same words as they are in the text, and the place of the error in them.
    raw: (&'a str, usize),
    /// In small letters, without white space and borders, which a console adds.
    letters: String,
    at: usize,
    /// The line of the error, as `letters`.
    line: String,
    is_xml: bool,
}

fn letters(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !"│┃║|>".contains(*c));
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

impl<'a> Near<'a> {
    fn new(text: &'a str, hit: Hit, bounds: Range<usize>) -> Self {
        let before = around(text, hit, (hit.at - bounds.start.min(hit.at)).min(2 * BEFORE), 0);
        let end = text.floor_char_boundary(bounds.end.min(hit.at + 2 * AFTER));
        let after = text.get(hit.at..end).unwrap_or_default();
        let start = hit.at - before.len();
        let mut before_letters = letters(before);
        before_letters.drain(..before_letters.floor_char_boundary(before_letters.len().saturating_sub(BEFORE)));
        let mut after_letters = letters(after);
        after_letters.truncate(after_letters.floor_char_boundary(AFTER));
        Self {
            raw: (text.get(start..end).unwrap_or_default(), before.len()),
            is_xml: before_letters.ends_with("<code") || after_letters.contains("</code"),
            at: before_letters.len(),
            letters: before_letters + &after_letters,
            line: letters(line_of(text, hit)),
        }
    }

    fn places<'b>(&'b self, words: &'b str) -> impl Iterator<Item = (usize, usize)> + 'b {
        // The end counts: of two names with the same end, the longer one comes first in the table.
        self.letters.match_indices(words).map(|(place, words)| (place, (place + words.len()).abs_diff(self.at)))
    }

    /// The hosts of AWS and of other providers.
    fn hosts(&self, is_of_s3: bool) -> Vec<(usize, Server)> {
        let mut found: Vec<(usize, Server)> = Vec::new();
        // The XML namespace of S3 is in the answers of all servers.
        let is_namespace = |place: usize| {
            let (before, after) = self.letters.split_at(place);
            after.starts_with("amazonaws.com/doc/") || before.ends_with("doc.s3.")
        };
        let of_aws = self.places("amazonaws.com").filter(|(place, _)| !is_namespace(*place));
        let of_service = ["server:amazons3", "arn:aws:iam::", "arn:aws:sts::"];
        let of_aws = of_aws.chain(of_service.into_iter().flat_map(|words| self.places(words)));
        found.extend(of_aws.map(|(_, distance)| (distance, Server::Aws)));
        for provider in PROVIDERS.iter().filter(|provider| is_of_s3 || provider.for_all_services) {
            for host in provider.hosts {
                // Files and buckets have such names too, so a host counts in a URL.
                let is_on_line = self.line.contains(host);
                let is_sure = |place| self.is_xml || (is_on_line && (!host.contains('.') || self.is_in_url(place)));
                let places = self.places(host).filter(|(place, _)| is_sure(*place) || self.is_target(*place));
                found.extend(
                    places.map(|(_, distance)| (distance, Server::Other(OtherServer::provider(provider.name)))),
                );
            }
        }
        found
    }

    /// Whether the host at a place is the host of a URL.
    fn is_in_url(&self, place: usize) -> bool {
        let before = self.letters.get(..place).unwrap_or_default();
        let before = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "-.".contains(c));
        before.ends_with("http://") || before.ends_with("https://")
    }

    /// Whether the host at a place is one to which a request was sent. Logs name other hosts, for example of downloads.
    fn is_target(&self, place: usize) -> bool {
        let before = self.letters.get(..place).unwrap_or_default();
        let before = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "-.".contains(c));
        let before = match before.strip_suffix("://") {
            Some(scheme) => match scheme.strip_suffix("https").or_else(|| scheme.strip_suffix("http")) {
                Some(before) => before,
                // A bucket: s3://NAME.
                None => return false,
            },
            None => before,
        };
        let before = before.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        TARGETS.iter().any(|words| before.ends_with(words))
    }

    /// The header `Server` of the answer.
    fn servers(&self) -> Vec<(usize, Server)> {
        let mut found: Vec<(usize, Server)> = Vec::new();
        for (place, distance) in self.places("server") {
            let value = self.letters.get(place + "server".len()..).unwrap_or_default();
            let value = value.trim_start_matches(['"', '\'', '\\']);
            let Some(value) = value.strip_prefix([':', '=']) else { continue };
            let value = value.trim_start_matches(['"', '\'', '\\']);
            let known = SERVERS.iter().find(|(word, _)| value.starts_with(word));
            found.extend(known.map(|(_, name)| (distance, Server::Other(OtherServer::provider(name)))));
        }
        found
    }

    /// Ids of hosts and requests whose form only one server has.
    fn ids(&self) -> Vec<(usize, Server)> {
        let of_minio = self.places(HOST_ID_OF_MINIO).map(|(_, distance)| (distance, "MinIO"));
        // The transaction id of Ceph and OpenStack Swift: tx, 21 digits, a hyphen and the time.
        let is_transaction = |place: usize| {
            let id = self.letters.get(place + 2..).unwrap_or_default();
            let digits = id.bytes().take_while(u8::is_ascii_hexdigit).count();
            digits >= 20 && id.get(digits..).is_some_and(|rest| rest.starts_with('-'))
        };
        let of_ceph = self.places("tx").filter(|(place, _)| is_transaction(*place));
        of_minio
            .chain(of_ceph.map(|(_, distance)| (distance, "a Ceph or OpenStack Swift server")))
            .map(|(distance, name)| (distance, Server::Other(OtherServer::provider(name))))
            .collect()
    }

    /// The nearest host that an option, a setting or an element of the answer names as the endpoint.
    fn endpoint(&self, is_of_s3: bool) -> Option<(usize, Server)> {
        const FORMS: [&str; 6] = ["endpoint-url", "endpoint_url", "endpoint url", "endpointurl", "<hostid>", "<host>"];
        let (raw, at) = self.raw;
        let small = raw.to_ascii_lowercase();
        let forms = FORMS.iter().chain(is_of_s3.then_some(&"endpoint"));
        let places = forms.flat_map(|form| small.match_indices(form).map(|(place, form)| (place, place + form.len())));
        let hosts = places.filter_map(|(place, end)| {
            let is_element = small.get(place..).is_some_and(|form| form.starts_with('<'));
            let rest = raw.get(end..)?.trim_start_matches([' ', '=', ':', '"', '\'', '\\', '(']);
            let value = rest.split(|c: char| c.is_whitespace() || "\"'<,;)\\`".contains(c)).next()?;
            let is_host = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
            let is_name = is_element && value.contains('.') && value.chars().all(is_host);
            let host = target(value);
            let is_url = host.is_http() && host.authority.chars().all(is_host);
            (is_name || is_url).then(|| (place.abs_diff(at), host, end))
        });
        let (distance, host, end) = hosts.min_by_key(|(distance, ..)| *distance)?;
        let name = host.host.to_ascii_lowercase();
        // A console may have broken the name.
        let continued = letters(raw.get(end..raw.floor_char_boundary(end + 200)).unwrap_or_default());
        let continued = continued.trim_start_matches(['=', ':', '"', '\'', '\\', '(']);
        // Metadata services, and sites of AWS that are no endpoints of its APIs.
        let is_of_aws = host.owner() == Host::Aws
            || target(continued).owner() == Host::Aws
            || name.starts_with("169.254.")
            || ["amazon.com", "amazonaws.com", ".awsapps.com", ".aws"].iter().any(|suffix| name.ends_with(suffix));
        let server = if is_of_aws { Server::Aws } else { Server::Other(OtherServer::at(host.authority)) };
        Some((distance, server))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scanner;

    fn server(text: &str) -> Option<String> {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes());
        let scanned = scanner.finish();
        assert_eq!(scanned.errors.is_empty(), !scanned.foreign.is_empty(), "{text}\n{scanned:?}");
        scanned.foreign.into_iter().next().and_then(|error| error.server).map(|server| server.name)
    }

    const DENIED: &str = "An error occurred (InvalidAccessKeyId) when calling the ListBuckets operation: The AWS Access Key Id you \
                          provided does not exist in our records.";

    #[test]
    fn the_nearest_host_of_a_request_decides() {
        for (text, expected) in [
            (format!("aws s3 ls --endpoint-url https://s3.fr-par.scw.cloud\n{DENIED}"), Some("Scaleway Object Storage")),
            (format!("aws s3 ls --endpoint-url=http://minio.corp.example:9000/\n{DENIED}"), Some("minio.corp.example:9000")),
            (format!("aws s3 ls --endpoint-url https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com\n{DENIED}"), None),
            (
                format!("upload failed: ./tencent-data.csv to s3://storage.googleapis.com-logs/t.csv {DENIED}"),
                None,
            ),
            (
                "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:sts::111122223333:assumed-role/\
                 Dev/bob is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::acme.wasabisys.com/r.csv\""
                    .to_owned(),
                None,
            ),
            (format!("2026-11-30 Downloading https://storage.googleapis.com/kubernetes-release/kubectl\n{DENIED}"), None),
            (format!("2026-11-30 copied to https://x.r2.cloudflarestorage.com/a\nGET https://s3.amazonaws.com/\n{DENIED}"), None),
            (
                "PUT https://vault.example:8200/v1/aws/creds/x Code: 400. Errors: InvalidClientTokenId: The security token included \
                 in the request is invalid."
                    .to_owned(),
                None,
            ),
            (
                "--endpoint-url http://localhost:4566\nAn error occurred (InvalidClientTokenId) when calling the GetCallerIdentity \
                 operation: The security token included in the request is invalid."
                    .to_owned(),
                Some("localhost:4566"),
            ),
        ] {
            assert_eq!(server(&text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_server_that_is_not_reached_is_named() {
        for (url, host) in [
            ("http://localhost:4566/", "localhost:4566"),
            ("https://objects.corp.example/bucket", "objects.corp.example"),
        ] {
            let text = format!("Could not connect to the endpoint URL: \"{url}\"");
            assert_eq!(server(&text).as_deref(), Some(host));
        }
    }
}
