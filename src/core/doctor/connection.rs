//! `network-unreachable`: calls that no AWS service answered, and the address of each.
//!
//! An address that gave an answer of AWS in the same run can be reached: its other errors decide nothing.

use super::probe::{ClockFacts, StepAnswer, StepOutcome};
use super::rule::{Findings, Rule};
use super::server::NamedEndpoint;
use super::{
    About, Answer, Case, Cause, Certainty, Daemon, Finding, Refusal, Severity, question, region, server, sessions,
};
use crate::core::aws_error::{self, CalledService};
use crate::core::fix::Fix;
use crate::core::plan::Service;
use crate::core::printable::printable;
use crate::core::session::Session;
use crate::core::url_host::Host;

pub(super) const RULE: Rule = Rule { decides: &[Cause::NetworkUnreachable], look };

/// One call.
struct Call<'a> {
    service: CalledService,
    region: &'a str,
    /// The error of a call that AWS did not answer; `None` for an answer of AWS, which may be a refusal.
    unanswered: Option<&'a Refusal>,
}

impl<'a> Call<'a> {
    /// The outcome of one call; `None` if no request was sent.
    fn of(service: CalledService, region: &'a str, refusal: Option<&'a Refusal>) -> Option<Self> {
        let is_sent = refusal.is_none_or(|refusal| !refusal.is_local());
        let unanswered = refusal.filter(|refusal| aws_error::is_unreached_code(&refusal.code));
        is_sent.then_some(Self { service, region, unanswered })
    }
}

/// An invalid region has no host, so a failed connection to it says nothing about the network.
fn look(case: &Case<'_>, findings: &mut Findings) {
    if region::unusable(case).is_some() {
        return;
    }
    if let Some(finding) = unusable_ca_bundle(case) {
        return findings.add(finding);
    }
    let region = question::endpoint(case, None).region;
    let calls = calls(case, &region);
    by_probe(case, &calls, findings);
    let address = |call: &Call<'_>| match server::named_endpoint(case, call.service.id()) {
        Some(endpoint) => endpoint.url,
        None => format!("{} in {}", call.service, call.region),
    };
    let answered: Vec<String> = calls.iter().filter(|call| call.unanswered.is_none()).map(address).collect();
    for (call, refusal) in calls.iter().filter_map(|call| Some((call, call.unanswered?))) {
        if answered.contains(&address(call)) {
            findings.leave_open(Cause::NetworkUnreachable, refusal.no_answer());
        } else {
            findings.add_all(unreachable(case, call.service, refusal, !answered.is_empty()));
        }
    }
    findings.add_all(failed_renewal(case));
}

/// The probe for the time alone shows whether this machine has a network, not what a server is: many servers refuse a request
/// without a signature.
fn by_probe(case: &Case<'_>, calls: &[Call<'_>], findings: &mut Findings) {
    let Some(ClockFacts { unreached: Some(refusal), .. }) = case.clock() else { return };
    let is_sts = |call: &Call<'_>| call.service == CalledService::Sts;
    if case.evidence.offline || calls.iter().any(is_sts) {
        return;
    }
    if refusal.code == aws_error::INVALID_RESPONSE || !calls.is_empty() {
        return findings.leave_open(Cause::NetworkUnreachable, refusal.no_answer());
    }
    let finding = unreachable(case, CalledService::Sts, refusal, false);
    findings.add_all(finding.map(|finding| finding.certainty(Certainty::Likely)));
}

/// Every call that AWS answered, and every failed call that was signed or had a token.
fn calls<'a>(case: &'a Case<'_>, region: &'a str) -> Vec<Call<'a>> {
    let mut calls = Vec::new();
    for (about, answer) in case.answers.iter() {
        match (about, answer) {
            // The time in an answer of AWS shows that the address can be reached.
            (About::Clock, Answer::Clock(ClockFacts { unreached: None, .. })) if question::is_probed(case) => {
                calls.extend(Call::of(CalledService::Sts, region, None));
            }
            (About::Identity { region, .. }, answer) => calls.extend(signed(CalledService::Sts, region, answer)),
            (About::Iam { .. }, answer) => calls.extend(signed(CalledService::Iam, region, answer)),
            (About::Chain, Answer::Chain { steps }) => {
                calls.extend(steps.iter().flat_map(|step| of_step(case, step, region)));
            }
            _ => {}
        }
    }
    calls
}

fn signed<'a>(service: CalledService, region: &'a str, answer: &'a Answer) -> Option<Call<'a>> {
    match answer {
        Answer::Accepted { .. } => Call::of(service, region, None),
        Answer::Refused(refusal) => Call::of(service, region, Some(refusal)),
        _ => None,
    }
}

/// The call of a step, and GetCallerIdentity with its credentials.
fn of_step<'a>(case: &'a Case<'_>, step: &'a StepAnswer, region: &'a str) -> Vec<Call<'a>> {
    let calls_portal = step.kind == "sso";
    let of_sso = case.steps().find(|of| of.source.service() == Some(Service::Portal));
    let sso_region = of_sso.and_then(|of| of.source.endpoint()).map_or(region, |endpoint| endpoint.region.as_str());
    let mut calls = Vec::new();
    match &step.outcome {
        StepOutcome::Refused(refusal) => {
            let service = refusal.operation.service();
            let region = if service == CalledService::Portal { sso_region } else { region };
            calls.extend(Call::of(service, region, Some(refusal)));
        }
        StepOutcome::Passed { arn, .. } => {
            calls.extend(calls_portal.then_some(Call {
                service: CalledService::Portal,
                region: sso_region,
                unanswered: None,
            }));
            let calls_sts = ["assume-role", "web-identity", "session-token"].contains(&step.kind.as_str());
            calls.extend((calls_sts || arn.is_some()).then_some(Call {
                service: CalledService::Sts,
                region,
                unanswered: None,
            }));
        }
        StepOutcome::NotSignedIn { .. } | StepOutcome::Untried { .. } => {}
    }
    calls.extend(step.identity.as_ref().and_then(|answer| signed(CalledService::Sts, region, answer)));
    calls
}

/// A call that failed, or that another server than AWS answered. `is_connected`: AWS answered at another address.
fn unreachable(case: &Case<'_>, service: CalledService, refusal: &Refusal, is_connected: bool) -> Option<Finding> {
    let said = printable(&refusal.to_string());
    let endpoint = server::named_endpoint(case, service.id());
    if let Some(endpoint) = &endpoint {
        let sent = format!("{} sends the calls to {service} to {}", endpoint.place, endpoint.url);
        if endpoint.source != Host::Aws {
            // Another finding reports a value that is not a URL.
            return endpoint
                .is_url
                .then(|| no_answer_elsewhere(service, endpoint, refusal).evidence(said).evidence(sent));
        }
        let finding = at_aws(&service.to_string(), refusal).evidence(said).evidence(sent).fix(endpoint.removal.clone());
        return Some(finding);
    }
    let label = if is_connected { service.to_string() } else { "AWS".to_owned() };
    let url = match service {
        CalledService::Sts => "https://sts.amazonaws.com".to_owned(),
        CalledService::Iam => "https://iam.amazonaws.com".to_owned(),
        _ => return Some(at_aws(&label, refusal).evidence(said)),
    };
    let test = Fix::see("Test the network with another program.", format!("curl -sSI {url}"));
    Some(at_aws(&label, refusal).evidence(said).fix(test))
}

/// An endpoint of AWS itself.
fn at_aws(label: &str, refusal: &Refusal) -> Finding {
    let title = match refusal.code.as_str() {
        "Tls" => format!("the certificate of {label} could not be verified"),
        aws_error::TLS_CLOCK => {
            format!("the certificate of {label} is not valid at the time that this machine's clock shows")
        }
        aws_error::INVALID_RESPONSE => format!("{label} gave no usable answer"),
        _ => format!("this machine can't reach {label}"),
    };
    let fix = match refusal.code.as_str() {
        "Tls" => "If a proxy intercepts TLS, set AWS_CA_BUNDLE to the file with its certificate.",
        aws_error::TLS_CLOCK => "Correct this machine's clock: evercred clock shows the command.",
        aws_error::INVALID_RESPONSE => {
            "Open a web page: the network may need a sign-in first. Otherwise check the proxy."
        }
        _ => "Check the network, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY in this shell.",
    };
    Finding::new(Cause::NetworkUnreachable, Severity::Error, title).fix(Fix::advice(fix))
}

/// A setting names the address, so doctor did not call AWS itself.
fn no_answer_elsewhere(service: CalledService, endpoint: &NamedEndpoint, refusal: &Refusal) -> Finding {
    let NamedEndpoint { place, authority, source, removal, .. } = endpoint;
    let title = match refusal.code.as_str() {
        aws_error::INVALID_RESPONSE => {
            format!("{authority} does not answer as {service} does (address from {place})")
        }
        _ => format!("{service} does not answer at {authority} (address from {place})"),
    };
    let fix = match (refusal.code.as_str(), source) {
        (aws_error::INVALID_RESPONSE, _) => {
            "Check the address: another program listens there, or the service is broken."
        }
        (_, Host::Emulator) => "Start the emulator.",
        _ => "Check the address, and start the program that listens there.",
    };
    Finding::new(Cause::NetworkUnreachable, Severity::Error, title).fix(Fix::advice(fix)).fix(removal.clone())
}

/// The token of the sign-in has expired, doctor renews none, and the daemon's last attempt to do so reached no server.
fn failed_renewal(case: &Case<'_>) -> Option<Finding> {
    let Daemon::Answers(facts) = &case.evidence.daemon else { return None };
    let session = sessions::to_renew(case)?;
    let error = facts.sessions.iter().find(|known| known.name == session.label())?.last_error.as_ref()?;
    let refusal = Refusal::from(error.clone());
    let service = match session {
        Session::Sso(_) => CalledService::Oidc,
        Session::Login(_) => CalledService::Signin,
    };
    let finding = unreachable(case, service, &refusal, true).filter(|_| aws_error::is_unreached_code(&refusal.code))?;
    let finding = Finding { severity: Severity::Warning, ..finding }.certainty(Certainty::Likely);
    Some(finding.evidence("the daemon could not renew the sign-in token; doctor does not renew tokens"))
}

/// The certificate file in use, and the variable or setting that names it. The variable takes precedence.
fn ca_bundle<'a>(case: &Case<'a>) -> Option<(String, &'a str)> {
    let variable = case.evidence.variables.get("AWS_CA_BUNDLE").map(|path| ("AWS_CA_BUNDLE".to_owned(), path));
    let setting = || {
        let value = case.settings()?.get("ca_bundle")?;
        Some((format!("ca_bundle ({})", case.at(value.origin)), value.text.as_str()))
    };
    variable.or_else(setting)
}

/// A certificate file that programs can't use.
fn unusable_ca_bundle(case: &Case<'_>) -> Option<Finding> {
    let (place, path) = ca_bundle(case)?;
    let what = case.evidence.unusable_ca_bundles.get(path)?;
    let title = format!("the certificate file in {place} {what}");
    let finding = Finding::new(Cause::NetworkUnreachable, Severity::Error, title)
        .evidence(format!("programs that use {} can't verify AWS's certificate", printable(path)));
    let relative = "the path is relative: each program looks in its own working directory, and doctor looked in that of \
                    this shell. The daemon has another one";
    let finding = finding.evidence_of((!path.starts_with('/')).then_some(relative));
    Some(finding.fix(Fix::advice(format!("Put a file with PEM certificates there, or correct {place}."))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{accepted, answers, evidence, identity, one, refusal, report};
    use super::super::{Answers, KeySource, Report, Variant};
    use super::*;
    use crate::core::aws_error::{ErrorClass, Operation};
    use crate::core::doctor::{DaemonFacts, DaemonSession, LastError};
    use crate::core::keeper::State;

    const SSO: &str = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-central-1\n\
                       [profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\nregion = eu-west-1\n";

    fn refused(name: &'static str, code: &str) -> Refusal {
        Refusal { operation: Operation::new(name), ..refusal(code) }
    }

    /// A profile of SSO whose token is valid, with this result of its step.
    fn of_sso(settings: &str, variables: &[(&str, &str)], outcome: StepOutcome, identity: Option<Answer>) -> Report {
        let evidence = evidence(&format!("{SSO}{settings}"), "", variables, "dev");
        let (profile, kind) = ("dev".to_owned(), "sso".to_owned());
        let step = StepAnswer { profile, kind, outcome, printed: None, stated_account: None, identity };
        let list = vec![
            (About::Clock, Answer::Clock(ClockFacts::default())),
            (About::Chain, Answer::Chain { steps: vec![step] }),
        ];
        report(&evidence, &answers(list), &RULE)
    }

    fn portal_fails(settings: &str, variables: &[(&str, &str)], code: &str) -> Report {
        of_sso(settings, variables, StepOutcome::Refused(refused("GetRoleCredentials", code)), None)
    }

    #[test]
    fn the_service_that_failed_and_the_setting_that_names_its_address_are_in_the_finding() {
        let sts = ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2");
        let services = "services = s\n[services s]\nsso =\n  endpoint_url = http://127.0.0.1:1\n";
        for (settings, variables, place) in [
            ("", vec![sts, ("AWS_ENDPOINT_URL_SSO", "http://127.0.0.1:1")], "AWS_ENDPOINT_URL_SSO"),
            ("", vec![sts, ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], "AWS_ENDPOINT_URL"),
            (services, vec![sts], "endpoint_url (/h/.aws/config:12)"),
            ("endpoint_url = http://127.0.0.1:1\n", vec![sts], "endpoint_url (/h/.aws/config:9)"),
        ] {
            for code in ["Network", "Timeout", "Tls", "InvalidResponse"] {
                let found = portal_fails(settings, &variables, code);
                let finding = one(&found, Cause::NetworkUnreachable);
                let title = &finding.title;
                assert!(
                    title.contains("the SSO portal")
                        && title.contains("127.0.0.1:1")
                        && title.ends_with(&format!("(address from {place})")),
                    "{title}"
                );
                assert!(!format!("{finding:?}").contains("AWS_ENDPOINT_URL_STS"), "{finding:#?}");
            }
        }
        // AWS's own portal, while STS answers.
        let found = portal_fails("", &[], "Timeout");
        assert_eq!(one(&found, Cause::NetworkUnreachable).title, "this machine can't reach the SSO portal");
        // STS, with the credentials of the portal.
        let passed = StepOutcome::Passed { expires_at: None, arn: None };
        let answer = Answer::Refused(refused("GetCallerIdentity", "Network"));
        let to = [("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2")];
        let evidence = evidence(SSO, "", &to, "dev");
        let step = StepAnswer {
            profile: "dev".to_owned(),
            kind: "sso".to_owned(),
            outcome: passed,
            printed: None,
            stated_account: None,
            identity: Some(answer),
        };
        let found = report(&evidence, &answers(vec![(About::Chain, Answer::Chain { steps: vec![step] })]), &RULE);
        assert!(one(&found, Cause::NetworkUnreachable).title.contains("AWS_ENDPOINT_URL_STS"), "{found:#?}");
    }

    #[test]
    fn a_renewal_that_failed_in_the_daemon_names_the_service_of_the_token() {
        let variables =
            [("AWS_ENDPOINT_URL", "http://127.0.0.1:2"), ("AWS_ENDPOINT_URL_SSO_OIDC", "http://127.0.0.1:1")];
        let mut evidence = evidence(SSO, "", &variables, "dev");
        let error = |code: &str| LastError {
            operation: Some("refreshing".to_owned()),
            detail: Some("127.0.0.1 refused the connection".to_owned()),
            code: code.to_owned(),
            class: ErrorClass::Retryable,
            message: "it failed".to_owned(),
            fix: None,
        };
        let ended = StepOutcome::NotSignedIn { why: "the token ended".to_owned(), renews: true };
        for (code, is_found) in [("Network", true), ("InvalidResponse", true), ("InternalFailure", false)] {
            let session = DaemonSession {
                name: "corp".to_owned(),
                login_name: "corp".to_owned(),
                state: State::Retrying,
                last_error: Some(error(code)),
            };
            evidence.daemon = Daemon::Answers(Box::new(DaemonFacts { profiles: Vec::new(), sessions: vec![session] }));
            let step = StepAnswer {
                profile: "dev".to_owned(),
                kind: "sso".to_owned(),
                outcome: ended.clone(),
                printed: None,
                stated_account: None,
                identity: None,
            };
            let found = report(&evidence, &answers(vec![(About::Chain, Answer::Chain { steps: vec![step] })]), &RULE);
            assert_eq!(found.findings.len(), usize::from(is_found), "{code}: {found:#?}");
            let of_oidc = |finding: &Finding| {
                finding.severity == Severity::Warning
                    && finding.title.contains("SSO OIDC")
                    && finding.title.contains("AWS_ENDPOINT_URL_SSO_OIDC")
            };
            assert!(found.findings.iter().all(of_oidc), "{code}: {found:#?}");
        }
    }

    #[test]
    fn iam_has_an_address_of_its_own() {
        const SESSION: &str = "[dev]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\naws_session_token = FwoGZXIvYXdzEXAMPLE\n";
        let variables = [("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:3")];
        let evidence = evidence("[profile dev]\nregion = eu-west-1\n", SESSION, &variables, "dev");
        let source = KeySource::Profile("dev".to_owned());
        let list = vec![
            (identity(source.clone(), Variant::AsIs, "eu-west-1"), accepted()),
            (About::Iam { source }, Answer::Refused(refused("GetUser of IAM", "Network"))),
        ];
        let found = report(&evidence, &answers(list), &RULE);
        let title = &one(&found, Cause::NetworkUnreachable).title;
        assert_eq!(title, "IAM does not answer at 127.0.0.1:3 (address from AWS_ENDPOINT_URL_IAM)");
    }

    #[test]
    fn an_address_that_gave_an_answer_of_aws_is_reached_and_the_cause_stays_open() {
        let same = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
        for code in ["InvalidResponse", "Network", "Timeout"] {
            let found = portal_fails("", &same, code);
            assert!(found.findings.is_empty(), "{code}: {found:#?}");
            let why = &found.not_checked[&Cause::NetworkUnreachable];
            assert!(why.contains("the SSO portal") && why.contains(code), "{why}");
        }
        let keys = "[dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
        let evidence = evidence("[profile dev]\nregion = eu-west-1\n", keys, &same, "dev");
        let about = identity(KeySource::Profile("dev".to_owned()), Variant::AsIs, "eu-west-1");
        let asked = |clock: Option<Refusal>| -> Answers {
            let clock = ClockFacts { unreached: clock, ..ClockFacts::default() };
            let refusal = Answer::Refused(refused("GetCallerIdentity", "InvalidResponse"));
            answers(vec![(About::Clock, Answer::Clock(clock)), (about.clone(), refusal)])
        };
        assert!(report(&evidence, &asked(None), &RULE).findings.is_empty());
        let nowhere = report(&evidence, &asked(Some(refused("asking AWS for the time", "InvalidResponse"))), &RULE);
        assert!(one(&nowhere, Cause::NetworkUnreachable).title.contains("does not answer as STS does"), "{nowhere:#?}");
    }
}
