//! Settings that send calls somewhere else than programs would by themselves.

use crate::core::doctor::Case;
use crate::core::doctor::case::SourcedValue;
use crate::core::printable::printable;
use crate::core::url_host::{self, Host, Target};

/// One such setting.
#[derive(Clone, Copy)]
pub(super) struct Override<'a> {
    /// The service in the settings' spelling, in whatever case; `None` where it is for all.
    pub(super) service: Option<&'a str>,
    /// The URL and its place.
    pub(super) url: SourcedValue<'a>,
}

/// Settings of the kind, those that win first: a variable for a service, the variable for all, the profile's `services`
/// section, its `endpoint_url` (the SDKs' reference guide, "Service-specific endpoints").
pub(super) fn overrides<'a>(case: &Case<'a>) -> Vec<Override<'a>> {
    let is_name = |text: &&str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let mut found = Vec::new();
    let variables = case.evidence.variables.iter().filter(|(_, url)| !url.trim().is_empty());
    for (name, url) in variables {
        if let Some(service) = name.strip_prefix("AWS_ENDPOINT_URL_").filter(is_name) {
            found.push(Override { service: Some(service), url: SourcedValue { text: url, name, origin: None } });
        }
    }
    let of_all = SourcedValue::variable(case.evidence, "AWS_ENDPOINT_URL").filter(|url| !url.text.trim().is_empty());
    found.extend(of_all.map(|url| Override { service: None, url }));
    let Some(section) = case.settings() else { return found };
    let services = section.get("services").and_then(|name| case.evidence.profiles_of_daemon.services.get(&name.text));
    for (service, settings) in services.iter().flat_map(|services| services.settings.iter()) {
        if let Some(url) = settings.nested().get("endpoint_url").filter(|url| !url.text.is_empty()) {
            let located = SourcedValue { text: &url.text, name: "endpoint_url", origin: Some(url.origin) };
            found.push(Override { service: Some(service), url: located });
        }
    }
    found.extend(SourcedValue::setting(section, "endpoint_url").map(|url| Override { service: None, url }));
    found
}

/// The setting that makes programs ignore them all, where it is on.
pub(super) fn ignored(case: &Case<'_>) -> Option<String> {
    let is_true = |text: &str| text.trim().eq_ignore_ascii_case("true");
    const VARIABLE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
    if case.evidence.variables.get(VARIABLE).is_some_and(is_true) {
        return Some(VARIABLE.to_owned());
    }
    let name = "ignore_configured_endpoint_urls";
    SourcedValue::setting(case.settings()?, name).filter(|value| is_true(value.text)).map(|value| case.place(&value))
}

/// The one that decides for a service, where they are not ignored.
pub(super) fn for_service<'a>(case: &Case<'a>, service: &str) -> Option<Override<'a>> {
    if ignored(case).is_some() {
        return None;
    }
    overrides(case).into_iter().find(|found| found.is_for(service))
}

impl<'a> Override<'a> {
    /// Whether it is for a service, or for all.
    pub(super) fn is_for(&self, service: &str) -> bool {
        self.service.is_none_or(|of| of.eq_ignore_ascii_case(service))
    }

    /// The calls that it redirects, as part of a sentence.
    pub(super) fn calls(&self) -> String {
        match self.service {
            None => "the calls to every service".to_owned(),
            Some(service) => format!("the calls to {}", printable(&service.to_uppercase().replace('_', " "))),
        }
    }

    /// The URL without what may be secret in it: names, passwords, path and query.
    pub(super) fn shown(&self) -> String {
        let target = self.target();
        if target.is_http() {
            printable(&format!("{}://{}", target.scheme, target.authority))
        } else {
            "a value that is not a URL".to_owned()
        }
    }

    /// Whether requests can be sent there at all.
    pub(super) fn is_url(&self) -> bool {
        self.target().is_http()
    }

    /// The owner of the host; a value that is not a URL has none.
    pub(super) fn owner(&self) -> Host {
        let target = self.target();
        if target.is_http() { target.owner() } else { Host::Other }
    }

    /// The host alone, in small letters.
    pub(super) fn name(&self) -> Option<String> {
        let target = self.target();
        target.is_http().then(|| target.host.to_ascii_lowercase())
    }

    fn target(&self) -> Target<'a> {
        url_host::target(self.url.text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_and_shown_without_what_may_be_secret() {
        for (url, owner, shown) in [
            ("https://sts.eu-west-1.amazonaws.com", Host::Aws, "https://sts.eu-west-1.amazonaws.com"),
            ("https://sts.amazonaws.com/", Host::Aws, "https://sts.amazonaws.com"),
            ("https://sts.cn-north-1.amazonaws.com.cn", Host::Aws, "https://sts.cn-north-1.amazonaws.com.cn"),
            ("http://127.0.0.1:4566", Host::Emulator, "http://127.0.0.1:4566"),
            ("http://[::1]:4566/x", Host::Emulator, "http://[::1]:4566"),
            ("http://localhost.localstack.cloud:4566", Host::Emulator, "http://localhost.localstack.cloud:4566"),
            ("http://me:hunter2@gate.example/p?token=x", Host::Other, "http://gate.example"),
            ("https://amazonaws.com.evil.example", Host::Other, "https://amazonaws.com.evil.example"),
            ("localhost:4566", Host::Other, "a value that is not a URL"),
        ] {
            let found =
                Override { service: None, url: SourcedValue { text: url, name: "AWS_ENDPOINT_URL", origin: None } };
            assert_eq!((found.owner(), found.shown().as_str()), (owner, shown), "{url}");
        }
    }
}
