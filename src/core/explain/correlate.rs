//! Compares the causes of an error with doctor's findings on this machine.

use serde_json::{Value, json};

use super::causes::{self, RankedCause};
use super::local_context::LocalContext;
use super::named::{InError, most_probable};
use super::other_server::endpoint_of;
use super::reported::{OtherServer, ReportedError};
use super::target::{fix_of_profile, looked_at};
use super::{advice, scope};
use crate::core::access_denied::{self, Rejected};
use crate::core::aws_error::{self, OfSigner};
pub use crate::core::cause::Likelihood;
use crate::core::cause::Needs;
use crate::core::doctor::{Cause, Certainty, Finding, NamedEndpoint, Report, Severity};
use crate::core::fix::Fix;
use crate::core::nearest::did_you_mean;
use crate::core::url_host::Host;
use crate::core::variables;

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The error in the text.
    pub mention: ReportedError,
    /// The meaning of the code.
    pub meaning: String,
    /// Other facts from the message, one sentence each: the caller, the action, the policy.
    pub says: Vec<String>,
    /// Its causes, the likeliest first.
    pub causes: Vec<RankedCause>,
    /// The fix of the code, whatever its cause is.
    pub fix: Vec<Fix>,
}

/// The explanation of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The checked profile.
    pub profile: Option<String>,
    /// The checked profile and region, as a sentence.
    pub looked_at: String,
    /// How to check another profile, if this one does not exist.
    pub fix: Option<Fix>,
    /// The errors, the most informative one first.
    pub errors: Vec<Explained>,
}

/// The maximum number of errors that are explained.
const MOST: usize = 10;

/// Explains the errors of a text, given doctor's findings.
pub fn explain(mentions: &[ReportedError], report: &Report, here: &LocalContext) -> Explanation {
    let one = |mention: &ReportedError| {
        let endpoint = endpoint_of(mention, &here.endpoints);
        if let Some(server) = &mention.server {
            return of_other_server(mention, server, endpoint);
        }
        let causes = causes(mention, report, here, endpoint);
        let is_said = |sentence: &String| causes.iter().any(|cause| cause.evidence.contains(sentence));
        let mut says = causes::says(mention);
        says.retain(|sentence| !is_said(sentence));
        says.extend(scope::elsewhere(mention, here));
        if is_of_another_moment(mention, &causes) {
            says.push(format!(
                "the usual cause was checked for {} and not found: the text may be from an earlier time, or about another profile, shell or machine",
                here.label()
            ));
        }
        Explained {
            mention: mention.clone(),
            meaning: match endpoint {
                Some(endpoint) => of_this_shell(mention, endpoint),
                None => advice::meaning(mention),
            },
            says,
            causes,
            // That of the code is for an answer of AWS.
            fix: if endpoint.is_some() { Vec::new() } else { advice::of_code(mention) },
        }
    };
    Explanation {
        profile: here.profile.clone(),
        looked_at: looked_at(here),
        fix: fix_of_profile(here),
        errors: mentions.iter().take(MOST).map(one).collect(),
    }
}

/// An error of a server that the text names, and that has no host name of AWS.
fn of_other_server(mention: &ReportedError, server: &OtherServer, endpoint: Option<&NamedEndpoint>) -> Explained {
    Explained {
        mention: mention.clone(),
        meaning: server.meaning(mention),
        says: match endpoint {
            Some(_) => Vec::new(),
            None => vec![format!("no variable of this shell and no setting of its profile names {}", server.name)],
        },
        causes: endpoint.map(|endpoint| overridden(endpoint, Likelihood::Confirmed)).into_iter().collect(),
        fix: Vec::new(),
    }
}

/// The meaning of an error if the settings of this shell send the call to another server, and the text names none.
fn of_this_shell(mention: &ReportedError, endpoint: &NamedEndpoint) -> String {
    let NamedEndpoint { authority, place, .. } = endpoint;
    let did = if mention.is_unanswered() { "did not answer" } else { "sent this error" };
    let of_aws = advice::meaning(mention);
    format!(
        "if the text is from this shell, {authority} {did}, as {place} names it; from AWS, the error means: {of_aws}"
    )
}

/// The setting that sends the call to another server.
fn overridden(endpoint: &NamedEndpoint, likelihood: Likelihood) -> RankedCause {
    let NamedEndpoint { place, calls, url, removal, .. } = endpoint;
    let evidence = vec![format!("{place} sends {calls} to {url}")];
    RankedCause { fix: vec![removal.clone()], ..RankedCause::new(Cause::EndpointOverridden, likelihood, evidence) }
}

/// Whether the text names the host of AWS that gave the answer, and the settings only other hosts.
fn is_of_aws(mention: &ReportedError, here: &LocalContext) -> bool {
    let is_other = |endpoint: &NamedEndpoint| endpoint.source != Host::Aws;
    (mention.names_aws || mention.host.is_some()) && !here.endpoints.is_empty() && here.endpoints.iter().all(is_other)
}

/// Whether a server refused the credentials, and not only the call.
fn is_refused(mention: &ReportedError) -> bool {
    let is_denied = aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer == OfSigner::Denied);
    !mention.is_unanswered() && (!is_denied || access_denied::rejected(&mention.message) == Rejected::NoKeyId)
}

/// Whether doctor ruled out the usual cause, and no other cause is likely.
fn is_of_another_moment(mention: &ReportedError, causes: &[RankedCause]) -> bool {
    let candidates = causes::candidates(mention);
    let Some(first) = candidates.first().filter(|first| first.likelihood <= Likelihood::Likely) else { return false };
    let is_ruled_out = |cause: &RankedCause| cause.id == first.id && cause.likelihood == Likelihood::RuledOut;
    let is_open = |cause: &RankedCause| cause.likelihood > Likelihood::Likely || cause.id == Cause::EndpointOverridden;
    causes.iter().any(is_ruled_out) && causes.iter().all(is_open)
}

fn causes(
    mention: &ReportedError,
    report: &Report,
    here: &LocalContext,
    endpoint: Option<&NamedEndpoint>,
) -> Vec<RankedCause> {
    let elsewhere = scope::elsewhere(mention, here);
    let candidates = causes::candidates(mention);
    let mut causes: Vec<RankedCause> = Vec::new();
    let mut found_here: Vec<Cause> = Vec::new();
    let mut only_stated: Vec<Cause> = Vec::new();
    for mut cause in candidates {
        let found: Vec<&Finding> = report.findings.iter().filter(|finding| finding.id == cause.id).collect();
        if found.is_empty() {
            let was_stated = cause.likelihood == Likelihood::Confirmed;
            let of_text = scope::not_checked(cause.id, mention, here);
            match of_text.filter(|_| !report.not_checked.contains_key(&cause.id)) {
                _ if is_without_variables(cause.id, mention, here) => ruled_out(&mut cause, elsewhere.is_some()),
                Some(why) => cause.evidence.push(format!("not checked: {why}")),
                None => not_found(&mut cause, mention, report, elsewhere.is_some()),
            }
            if was_stated && cause.likelihood != Likelihood::Confirmed {
                only_stated.push(cause.id);
            }
        } else if cause.id == Cause::FilePermissions && !here.has_unreadable_file {
            // A file with a wrong owner or mode is read all the same.
            cause.likelihood = Likelihood::RuledOut;
            cause.evidence = vec!["you can read the AWS files".to_owned()];
        } else {
            let is_elsewhere = elsewhere.is_some() || is_of_other_profile(cause.id, here);
            if as_found(&mut cause, &found, is_elsewhere) {
                found_here.push(cause.id);
            }
        }
        if cause.id == Cause::EndpointOverridden && is_of_aws(mention, here) {
            rule_out(&mut cause, elsewhere.is_some(), "the text names a host of AWS, and the setting another one");
        }
        if cause.id == Cause::ProfileBroken && cause.likelihood != Likelihood::Confirmed {
            by_name(&mut cause, mention, here);
        }
        causes.push(cause);
    }
    for cause in &mut causes {
        // The doctor found another cause of the same error.
        if !found_here.is_empty() && only_stated.contains(&cause.id) {
            ruled_out(cause, false);
        }
        if cause.id == Cause::ConsumerCannotReload && found_here.contains(&Cause::CredentialsExpired) {
            let why = "the credentials that the program would read after a restart have expired too";
            *cause = RankedCause::new(cause.id, Likelihood::RuledOut, vec![why.to_owned()]);
        }
    }
    let others = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    for finding in others {
        // AWS answered a request with credentials, so it does not matter that this shell has none.
        let is_beside = mention.by_aws
            && match finding.id {
                Cause::CredentialsMissing => here.has_none,
                Cause::ProfileBroken => here.looked_at.is_missing,
                _ => false,
            };
        if !is_beside && !causes.iter().any(|cause| cause.id == finding.id) {
            let mut evidence = vec![finding.title.clone()];
            evidence.extend(finding.evidence.iter().cloned());
            let cause = RankedCause::new(finding.id, Likelihood::Possible, evidence);
            causes.push(RankedCause { fix: finding.fix.clone(), ..cause });
        }
    }
    if let Some(endpoint) = endpoint {
        let known = causes.iter().position(|cause| cause.id == Cause::EndpointOverridden);
        let known = known.map(|at| causes.remove(at).likelihood);
        let mut cause = overridden(endpoint, known.unwrap_or(Likelihood::Likely).min(Likelihood::Likely));
        if here.is_accepted_by(endpoint) && is_refused(mention) {
            rule_out(
                &mut cause,
                elsewhere.is_some(),
                &format!("the server at {} accepted these credentials", endpoint.url),
            );
        }
        causes.push(cause);
    }
    causes.sort_by_key(|cause| cause.likelihood);
    for cause in causes.iter_mut().filter(|cause| cause.likelihood != Likelihood::RuledOut && cause.fix.is_empty()) {
        (cause.fix, cause.see) = advice::of_cause(cause.id, mention, here, endpoint);
    }
    causes
}

/// Whether the profile that the message names exists decides, whichever profile this shell uses.
fn by_name(cause: &mut RankedCause, mention: &ReportedError, here: &LocalContext) {
    if mention.means != "ProfileNotFound" || here.profiles.is_empty() {
        return;
    }
    let missing = |reading: &InError| reading.missing_source.clone().or_else(|| reading.name.clone());
    let known = mention.named.iter().filter_map(missing).find(|name| here.profiles.contains(name));
    let probable = || most_probable(&mention.named).and_then(missing);
    let Some(name) = known.or_else(probable).or_else(|| mention.profile.clone()) else { return };
    let is_here = here.profiles.contains(&name);
    cause.evidence = if is_here {
        vec![format!(
            "the AWS files that this shell reads have a profile \"{name}\": the program reads others, or the profile is new"
        )]
    } else {
        vec![format!(
            "profile \"{name}\" is in neither of the AWS files that this shell reads{}",
            did_you_mean(&name, here.profiles.iter().map(String::as_str))
        )]
    };
    cause.likelihood = if is_here { Likelihood::Possible } else { Likelihood::Confirmed };
}

/// Whether the doctor's findings about a cause are of other profiles: there is none to check, so it checked each session.
fn is_of_other_profile(cause: Cause, here: &LocalContext) -> bool {
    here.looked_at.is_missing && cause.needs().contains(&Needs::SignIn)
}

/// Whether the cause is about variables, and this shell has none of them.
fn is_without_variables(cause: Cause, mention: &ReportedError, here: &LocalContext) -> bool {
    let of_profile: &[&str] = if mention.means == "ProfileNotFound" { &variables::PROFILE } else { &[] };
    let names = [&OF_CREDENTIALS.concat()[..], of_profile].concat();
    cause == Cause::EnvironmentShadowsProfile && here.set_of(&names).is_empty()
}

/// The variables with which a program gets credentials without a profile.
const OF_CREDENTIALS: [&[&str]; 3] = [&variables::KEYS, &[variables::TOKEN_FILE], &variables::CONTAINER];

/// Adds what the doctor found. Whether it confirms the cause.
fn as_found(cause: &mut RankedCause, found: &[&Finding], is_elsewhere: bool) -> bool {
    // Healthy machines have findings of severity Info too.
    let is_wrong = |finding: &&&Finding| finding.severity != Severity::Info;
    if !found.iter().any(|finding| is_wrong(&finding)) {
        cause.evidence.extend(found.iter().map(|finding| finding.title.clone()));
        return false;
    }
    let confirmed = found.iter().any(|finding| is_wrong(&finding) && finding.certainty == Certainty::Confirmed);
    if is_elsewhere {
        // The findings on this machine may be about another error.
    } else if confirmed {
        cause.likelihood = Likelihood::Confirmed;
    } else {
        cause.likelihood = cause.likelihood.min(Likelihood::Likely);
    }
    for finding in found {
        cause.evidence.push(finding.title.clone());
        cause.evidence.extend(finding.evidence.iter().cloned());
        cause.fix.extend(finding.fix.iter().cloned());
    }
    confirmed && !is_elsewhere
}

fn not_found(cause: &mut RankedCause, mention: &ReportedError, report: &Report, is_elsewhere: bool) {
    let good = cause.id.ruled_out();
    if let Some(why) = report.not_checked.get(&cause.id) {
        cause.evidence.push(format!("not checked: {why}"));
    } else if !report.checked.contains(&cause.id) {
        cause.evidence.push("not checked on this machine".to_owned());
    } else if cause.likelihood == Likelihood::Confirmed {
        // The message states the cause. Only two times in it also prove it, for the place and time of the failure.
        if mention.skew_seconds.is_none() {
            cause.likelihood = Likelihood::Likely;
        }
        cause.evidence.push(format!(
            "checked here and not found: {good}; the text may be from an earlier time, or from another shell or machine"
        ));
    } else {
        ruled_out(cause, is_elsewhere);
    }
}

fn ruled_out(cause: &mut RankedCause, is_elsewhere: bool) {
    rule_out(cause, is_elsewhere, cause.id.ruled_out());
}

fn rule_out(cause: &mut RankedCause, is_elsewhere: bool, reason: &str) {
    if is_elsewhere {
        cause.likelihood = Likelihood::Possible;
        cause
            .evidence
            .push(format!("not the cause in this shell: {reason}; check the shell or machine that printed the text"));
    } else {
        cause.likelihood = Likelihood::RuledOut;
        cause.evidence = vec![reason.to_owned()];
        cause.fix.clear();
    }
}

/// The document of `explain --json` for a text without an error that is explained.
pub fn document_without_error(why: &str, profile: Option<&str>) -> Value {
    json!({
        "schema": "evercred.explain/1", "code": null, "service": null, "operation": null, "profile": profile,
        "message": null, "times": 0, "meaning": why, "says": [], "fix": [], "causes": [], "looked_at": null, "errors": [],
    })
}

impl Explanation {
    /// The document of `explain --json`.
    pub fn document(&self) -> Value {
        let errors: Vec<Value> = self.errors.iter().map(Explained::document).collect();
        let mut document = errors.first().cloned().unwrap_or_else(|| json!({}));
        document["schema"] = json!("evercred.explain/1");
        document["profile"] = json!(self.profile);
        document["looked_at"] = json!(self.looked_at);
        document["errors"] = json!(errors);
        document
    }

    /// Why there is no explanation: all errors are from other servers, and no setting of this machine names those.
    pub fn unexplained(&self) -> Option<String> {
        let is_foreign = |error: &Explained| error.mention.server.is_some() && error.causes.is_empty();
        let first = self.errors.first().filter(|_| self.errors.iter().all(is_foreign))?;
        Some([std::slice::from_ref(&first.meaning), &first.says].concat().join("\n"))
    }
}

impl Explained {
    fn document(&self) -> Value {
        let ReportedError { code, service, operation, message, times, .. } = &self.mention;
        json!({
            "code": code, "service": service, "operation": operation, "message": message, "times": times,
            "meaning": self.meaning, "says": self.says, "fix": self.fix, "causes": self.causes,
        })
    }
}
