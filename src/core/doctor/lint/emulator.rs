//! Keys for an emulator of AWS: LocalStack, MinIO, DynamoDB Local and others take any.

use std::sync::Arc;

use crate::core::plan::PlanContext;
use crate::core::profile::{Profiles, Section};
use crate::core::url_host::{Host, target};

/// Whether calls with a profile's keys go to an emulator: by its own settings, or by those of a profile that it is the source of.
pub(super) fn is_for_one(section: &Section, profiles: &Profiles, context: &PlanContext) -> bool {
    let takes_keys_of_it = |other: &&Arc<Section>| {
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
            .find(|service| service.nested().get("endpoint_url").is_some_and(|url| is_emulator(&url.text)))
    };
    let own = section.get("endpoint_url").is_some_and(|url| is_emulator(&url.text));
    let sts = context.sts_endpoint(section, profiles).0.url;
    own || of_service().is_some() || sts.is_some_and(|url| is_emulator(&url))
}

fn is_emulator(url: &str) -> bool {
    target(url.trim()).owner() == Host::Emulator
}
