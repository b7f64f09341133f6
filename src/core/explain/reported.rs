//! An error as a text reports it.

use super::named::{InError, most_probable};
use crate::core::aws_error;
use crate::core::redact::{HIDDEN, Values, may_be_part_of_secret, parts_of_secrets};

/// One error in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedError {
    /// AWS's code, or the name of the SDK's exception.
    pub code: String,
    /// The code of `core::aws_error` with its meaning.
    pub means: &'static str,
    /// Whether it only says that something failed or that nothing was found.
    pub general: bool,
    /// Whether it is AWS's own answer, rather than what an SDK made of it.
    pub by_aws: bool,
    /// The called service.
    pub service: Option<String>,
    /// The operation.
    pub operation: Option<String>,
    /// The AWS host, if the line names it.
    pub host: Option<String>,
    /// The server, if the text names one without a host name of AWS.
    pub server: Option<OtherServer>,
    /// Whether the text names a host of AWS, or the ARN of a caller, near the error.
    pub names_aws: bool,
    /// The message, printable, bounded, without secrets.
    pub message: String,
    /// The access key id, if one of the right form is near.
    pub access_key_id: Option<String>,
    /// The ARN of the caller, else the first ARN near the error.
    pub arn: Option<String>,
    /// The profile that the error, or a command near it, names.
    pub profile: Option<String>,
    /// The readings of the profile's name in the error: they differ if a console may have broken it.
    pub(super) named: Vec<InError>,
    /// The ARN of the requested role.
    pub role: Option<String>,
    /// The region, by an ARN or a host name near the error.
    pub region: Option<String>,
    /// Local minus AWS time in seconds, if the text has both.
    pub skew_seconds: Option<i64>,
    /// The number of occurrences.
    pub times: u64,
    /// The number of characters from the operation to the error, without blanks.
    pub(super) distance: usize,
}

/// A server without a host name of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherServer {
    /// The name of the provider, or the host and its port.
    pub name: String,
    /// Whether it is one of the known providers: of another host, only its name is known.
    pub(super) is_provider: bool,
}

/// The minimum length of a part of a secret that is hidden.
const SHORTEST_RUN: usize = 6;

/// The runs of letters that keys and tokens consist of.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+')).filter(|run| run.len() >= SHORTEST_RUN)
}

impl ReportedError {
    /// Whether a server did not answer.
    pub(super) fn is_unanswered(&self) -> bool {
        aws_error::is_unreached_code(self.means)
    }

    /// Whether it is the answer of a server, or says that there was none.
    pub(super) fn is_of_server(&self) -> bool {
        self.by_aws || self.is_unanswered() || ["HeadRefused", "RefusedWithoutCode"].contains(&self.means)
    }

    /// The profile that the error itself names is the profile, whatever command is near it.
    pub(super) fn name_profile(&mut self) {
        let secret = self.named.iter().find(|reading| reading.name.is_none());
        if let Some(secret) = secret.cloned() {
            self.named = vec![secret];
        }
        if !self.named.is_empty() {
            self.profile = most_probable(&self.named).and_then(|reading| reading.name.clone());
        }
    }

    /// Adds the profile and the host of another reading of the text: a line break may have cut them.
    pub(super) fn read_again(&mut self, other: &Self) {
        self.host = self.host.take().or_else(|| other.host.clone());
        let new = other.named.iter().filter(|reading| !self.named.contains(reading)).cloned();
        let new: Vec<InError> = new.collect();
        self.named.extend(new);
        self.name_profile();
    }

    /// The facts that some texts have and others have not.
    fn facts(&mut self) -> [&mut Option<String>; 8] {
        let Self { service, operation, access_key_id, arn, region, role, profile, host, .. } = self;
        [service, operation, access_key_id, arn, region, role, profile, host]
    }

    /// Removes secrets that the words around the error have: a field may have a part of one.
    pub(super) fn without_secrets_of(&mut self, near: &str) {
        let is_harmless = |text: &String| !may_be_part_of_secret(text);
        let are_named = self.named.iter().flat_map(|reading| &reading.name).all(is_harmless);
        if are_named && is_harmless(&self.message) && self.facts().into_iter().flatten().all(|text| is_harmless(text)) {
            return;
        }
        let secrets = parts_of_secrets(near);
        let is_of_secret = |text: &str| runs(text).any(|run| secrets.iter().any(|secret| secret.contains(run)));
        if is_of_secret(&self.message) {
            let parts = runs(&self.message).filter(|run| is_of_secret(run)).map(str::to_owned);
            let parts = Values::new(parts, SHORTEST_RUN);
            self.message = parts.hide(&self.message, HIDDEN);
        }
        for field in [&mut self.arn, &mut self.role, &mut self.host] {
            *field = field.take().map(|text| if is_of_secret(&text) { HIDDEN.to_owned() } else { text });
        }
        let names = self.named.iter_mut().flat_map(|reading| [&mut reading.name, &mut reading.missing_source]);
        for name in
            [&mut self.service, &mut self.operation, &mut self.profile, &mut self.region].into_iter().chain(names)
        {
            *name = name.take().filter(|name| !is_of_secret(name));
        }
    }

    /// Adds the facts from another report of the same error.
    pub(super) fn add(&mut self, mut other: Self) {
        // One of the sentences may give a more exact meaning of the code.
        let is_exact = !other.general && (self.general || other.means != other.code);
        if is_exact {
            self.means = other.means;
            self.general = other.general;
        }
        self.names_aws |= other.names_aws;
        for (mine, its) in self.facts().into_iter().zip(other.facts()) {
            *mine = mine.take().or_else(|| its.take());
        }
        if self.named.is_empty() {
            self.named = other.named;
        }
        self.skew_seconds = self.skew_seconds.or(other.skew_seconds);
        if self.message.len() < other.message.len() {
            self.message = other.message;
        }
    }

    /// Counts different errors with the same code together: only their common facts remain.
    pub(super) fn generalise(&mut self, other: &mut Self) {
        self.times = self.times.saturating_add(other.times);
        for (mine, its) in self.facts().into_iter().zip(other.facts()) {
            mine.take_if(|fact| its.as_deref() != Some(fact.as_str()));
        }
        if self.named != other.named {
            self.named.clear();
        }
        if self.skew_seconds != other.skew_seconds {
            self.skew_seconds = None;
        }
    }
}
