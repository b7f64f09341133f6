//! The server that answers the calls to a service: AWS, or another one that a setting names. Only AWS can say what AWS knows.

use super::Case;
use super::commands::unset;
use super::endpoint_override::{self, Override, overrides};
use crate::core::aws_error::CalledService;
use crate::core::fix::Fix;
use crate::core::printable::printable;
use crate::core::url_host::{Host, target};

/// Where a setting sends the calls to a service; `None` where they go where programs would send them by themselves.
pub(super) fn endpoint_of<'a>(case: &Case<'a>, service: &str) -> Option<&'a str> {
    endpoint_override::for_service(case, service).map(|found| found.url.text)
}

/// An endpoint that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEndpoint {
    /// The service; `None` if it is for all.
    pub service: Option<String>,
    /// The calls to the service, in a sentence.
    pub calls: String,
    /// The variable, or the setting with its file and line.
    pub place: String,
    /// The URL without names, passwords, path and query.
    pub url: String,
    /// Host and port.
    pub authority: String,
    /// The owner of the host.
    pub source: Host,
    /// Whether requests can be sent there at all.
    pub is_url: bool,
    /// The removal of the setting, and of those that take its place.
    pub removal: Fix,
}

impl NamedEndpoint {
    fn of(case: &Case<'_>, service: Option<&str>, found: &Override<'_>) -> Self {
        Self {
            service: found.service.map(str::to_owned),
            calls: found.calls(),
            place: case.place(&found.url),
            url: found.shown(),
            authority: printable(target(found.url.text.trim()).authority),
            source: found.owner(),
            is_url: found.is_url(),
            removal: take_away(case, service, found),
        }
    }

    /// Whether it is for a service, or for all.
    pub fn is_for(&self, service: &str) -> bool {
        self.service.as_ref().is_none_or(|of| of.eq_ignore_ascii_case(service))
    }

    /// A sentence about an answer, with the server that gave it and the setting that names the server.
    pub(super) fn says(&self, sentence: &str) -> String {
        let server = format!("{}, which {} names", self.speaker(), self.place);
        match sentence.split_once(&self.speaker()) {
            Some((before, "")) => format!("{before}{server}"),
            Some((before, after)) => format!("{before}{server},{after}"),
            None => format!("according to {server}, {sentence}"),
        }
    }

    fn speaker(&self) -> String {
        format!("the server at {}", self.url)
    }

    /// Where the setting sends the calls to a service, so that doctor did not ask AWS.
    pub(super) fn sends(&self, service: CalledService) -> String {
        let host = match self.source {
            Host::Aws => "",
            Host::Emulator => ", which is not AWS",
            Host::Other => ", which is not an AWS host",
        };
        format!("doctor did not ask AWS: {} sends {service} calls to {}{host}", self.place, self.url)
    }
}

/// The endpoint that a setting names for the calls to a service.
pub(super) fn named_endpoint(case: &Case<'_>, service: &str) -> Option<NamedEndpoint> {
    endpoint_override::for_service(case, service).map(|found| NamedEndpoint::of(case, Some(service), &found))
}

/// The endpoints that settings name, those that take precedence first; none if programs ignore them.
pub fn named_endpoints(case: &Case<'_>) -> Vec<NamedEndpoint> {
    if endpoint_override::ignored(case).is_some() {
        return Vec::new();
    }
    overrides(case).iter().map(|found| NamedEndpoint::of(case, found.service, found)).collect()
}

/// The server that answers the calls to a service, if a setting sends them to a host that is not one of AWS's.
pub(super) fn other_server(case: &Case<'_>, service: CalledService) -> Option<NamedEndpoint> {
    named_endpoint(case, service.id()).filter(|endpoint| endpoint.is_url && endpoint.source != Host::Aws)
}

/// The subject of a sentence about an answer of a service: only AWS can say what AWS knows.
pub(super) fn speaker(case: &Case<'_>, service: CalledService) -> String {
    other_server(case, service).map_or_else(|| "AWS".to_owned(), |server| server.speaker())
}

/// The removal of every setting that keeps the calls to a service from AWS's own endpoint: of two settings, the second one
/// counts as soon as the first one is gone.
pub(super) fn take_away(case: &Case<'_>, service: Option<&str>, found: &Override<'_>) -> Fix {
    let to = match found.owner() {
        Host::Aws => "To let programs choose the endpoint",
        _ => "If you meant to call AWS",
    };
    let all = overrides(case);
    let counts = |other: &&Override<'_>| match service.or(found.service) {
        Some(service) => other.is_for(service),
        None => other.service.is_none(),
    };
    let (variables, lines): (Vec<&Override<'_>>, Vec<&Override<'_>>) =
        all.iter().filter(counts).partition(|of| of.url.origin.is_none());
    let names: Vec<&str> = variables.iter().map(|of| of.url.name).collect();
    let lines: Vec<String> = lines.iter().filter_map(|of| of.url.origin).map(|origin| case.at(origin)).collect();
    let unset_them = (!names.is_empty()).then(|| format!("unset {}", names.join(" and ")));
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    let delete_them = (!lines.is_empty()).then(|| format!("delete the {noun} {}", lines.join(" and ")));
    let parts: Vec<String> = unset_them.into_iter().chain(delete_them).collect();
    let text = format!("{to}, {}.", parts.join(", and "));
    if names.is_empty() { Fix::advice(text) } else { Fix::command(text, unset(case, &names)) }
}
