//! Keys for an emulator of AWS on this machine: LocalStack, MinIO, DynamoDB Local and others take any.

use ::core::net::IpAddr;

use crate::core::plan::PlanContext;
use crate::core::profile::{Profiles, Section};

/// Names that lead back to this machine, as those below them do: RFC 6761 for localhost; LocalStack's own name points to 127.0.0.1
/// (LocalStack documentation, "Accessing LocalStack via the endpoint URL"; lstk, `internal/endpoint`).
const NAMES: [&str; 2] = ["localhost", "localhost.localstack.cloud"];

/// Whether calls with a profile's keys go to an emulator: by its own settings, or by those of a profile that it is the source of.
pub(super) fn is_for_one(section: &Section, profiles: &Profiles, context: &PlanContext) -> bool {
    let takes_keys_of_it = |other: &&Section| {
        let source = other.get("source_profile").or_else(|| other.get("evercred_source_profile"));
        source.is_some_and(|source| source.text == section.name)
    };
    let mut users = profiles.profiles.values().filter(takes_keys_of_it);
    calls_one(section, profiles, context) || users.any(|user| calls_one(user, profiles, context))
}

/// Any service's endpoint counts: keys for a store of objects have no STS.
fn calls_one(section: &Section, profiles: &Profiles, context: &PlanContext) -> bool {
    let of_service = || {
        let services = profiles.services.get(&section.get("services")?.text)?;
        services
            .settings
            .values()
            .find(|service| service.nested.get("endpoint_url").is_some_and(|url| is_on_this_machine(&url.text)))
    };
    let own = section.get("endpoint_url").is_some_and(|url| is_on_this_machine(&url.text));
    let sts = context.sts_endpoint(section, profiles).0.url;
    own || of_service().is_some() || sts.is_some_and(|url| is_on_this_machine(&url))
}

fn is_on_this_machine(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback() || address.is_unspecified();
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    NAMES.iter().any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::is_on_this_machine;

    #[test]
    fn an_emulator_is_known_by_the_host_of_its_url() {
        for url in [
            "http://localhost:4566",
            "http://LOCALHOST",
            "http://127.0.0.1:9000/x",
            "http://127.1.2.3",
            "https://[::1]:443/",
            "http://0.0.0.0:4566",
            "http://user@localhost:1?x=@y",
            "https://sts.localhost.localstack.cloud:4566",
            "http://s3.localhost",
            "localhost:4566",
        ] {
            assert!(is_on_this_machine(url), "{url}");
        }
        for url in [
            "https://sts.eu-west-1.amazonaws.com",
            "https://localhost.example.com",
            "https://mylocalhost",
            "http://192.0.2.1:4566",
            "https://sts.example/?x=localhost",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com",
            "",
        ] {
            assert!(!is_on_this_machine(url), "{url}");
        }
    }
}
