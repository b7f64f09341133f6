//! This machine's clock: `clock-skewed`, `clock-zone`, `clock-unsynchronised`.

use super::probe::{ClockFacts, StepAnswer};
use super::{About, Answer, Case, Cause, Certainty, Finding, Findings, Refusal, Rule, Severity, question, server};
use crate::core::aws_error::{CalledService, TLS_CLOCK};
use crate::core::clock::{LIMITS, Limit};
use crate::core::printable::printable;
use crate::core::time::span_of;
use crate::core::timekeeping::length;

/// From here on a person may see it: what the daemon warns of by default.
const NOTICED: f64 = 60.0;

/// This machine's clock minus AWS's.
struct Offset {
    seconds: f64,
    uncertainty: f64,
    source: String,
    /// The answer to doctor's probe shows it.
    is_probed: bool,
}

pub(super) const RULE: Rule =
    Rule { decides: &[Cause::ClockSkewed, Cause::ClockZone, Cause::ClockUnsynchronised], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    let offset = offset(case);
    by_offset(case, offset.as_ref(), findings);
    by_refusal(case, offset.as_ref(), findings);
    zone(case, findings);
    unsynchronised(case, offset.as_ref(), findings);
}

fn offset(case: &Case<'_>) -> Option<Offset> {
    let of_facts = || {
        let facts = case.clock()?;
        Some(Offset {
            seconds: facts.offset_seconds?,
            uncertainty: facts.uncertainty_seconds?,
            source: facts.source.clone().unwrap_or_else(|| "AWS's time".to_owned()),
            is_probed: facts.unreached.is_none() && question::is_probed(case),
        })
    };
    let of_daemon = || {
        let (aws_minus_wall, uncertainty) = case.evidence.aws_minus_wall?;
        Some(Offset { seconds: -aws_minus_wall, uncertainty, source: "the daemon".to_owned(), is_probed: false })
    };
    of_facts().or_else(of_daemon).filter(|offset| offset.seconds.is_finite() && offset.uncertainty.is_finite())
}

fn by_offset(case: &Case<'_>, offset: Option<&Offset>, findings: &mut Findings) {
    let Some(offset) = offset else { return };
    let size = offset.seconds.abs();
    let sure = size - offset.uncertainty;
    if size <= NOTICED || sure <= 0.0 {
        return;
    }
    let [some, most] = LIMITS;
    let is_past = |limit: Limit| size > limit.size.as_seconds_f64();
    let (severity, threshold) = match (is_past(some), is_past(most)) {
        (_, true) => (Severity::Error, most.size.as_seconds_f64()),
        (true, false) => (Severity::Warning, some.size.as_seconds_f64()),
        (false, false) => (Severity::Warning, NOTICED),
    };
    let server = server::other_server(case, CalledService::Sts).filter(|_| offset.is_probed);
    let whose = server.map_or_else(|| "AWS's".to_owned(), |server| format!("that of the server at {}", server.url));
    let finding = Finding::new(
        Cause::ClockSkewed,
        severity,
        format!("this machine's clock is {} {}", spoken(size), side(offset.seconds, &whose)),
    );
    let finding = if offset.is_probed { finding.answered_by(case, CalledService::Sts) } else { finding }
        .certainty(if sure > threshold { Certainty::Confirmed } else { Certainty::Likely })
        .evidence(format!("by {}, within {}", printable(&offset.source), spoken(offset.uncertainty)));
    let finding = if is_past(most) {
        said_by_aws(finding, offset.seconds)
    } else {
        finding.evidence(format!(
            "{} refuse requests at a clock skew of more than {}, {} at more than {}",
            some.who,
            length(some.size),
            most.who,
            length(most.size)
        ))
    };
    findings.add(with_facts(case, finding));
}

/// AWS's answers to requests that are signed at such a skew (IAM user guide, "Troubleshoot Signature Version 4 requests";
/// the lists of errors of EC2 and S3). That it may also be InvalidClientTokenId is what people write; STS was not seen to do it.
fn said_by_aws(finding: Finding, seconds: f64) -> Finding {
    let (sts, ec2) = if seconds < 0.0 {
        ("Signature expired", "EC2 RequestExpired or AuthFailure")
    } else {
        ("Signature not yet current", "EC2 AuthFailure")
    };
    finding
        .evidence(format!(
            "AWS refuses requests with this clock skew. Error codes: STS SignatureDoesNotMatch (\"{sts}: …\"), {ec2}, S3 \
             RequestTimeTooSkewed"
        ))
        .evidence("users also report InvalidClientTokenId or UnrecognizedClientException")
}

/// AWS, or the server's certificate, shows that the clock is wrong.
fn by_refusal(case: &Case<'_>, offset: Option<&Offset>, findings: &mut Findings) {
    if findings.has(Cause::ClockSkewed) {
        return;
    }
    let refusals = refusals(case);
    if let Some(refusal) = refusals.iter().find(|refusal| refusal.skewed) {
        let service = refusal.operation.service();
        let title = format!("{} refused a request because of its signing time", server::speaker(case, service));
        let mut finding = Finding::error(Cause::ClockSkewed, title)
            .answered_by(case, service)
            .evidence(printable(&refusal.to_string()));
        if offset.is_some_and(|offset| offset.seconds.abs() <= NOTICED && offset.uncertainty <= NOTICED) {
            finding = finding
                .certainty(Certainty::Likely)
                .evidence("the clock is right now: it may have been set since then");
        }
        findings.add(with_facts(case, finding));
        return;
    }
    let unreached = case.clock().and_then(|facts| facts.unreached.as_ref());
    if let Some(refusal) = refusals.into_iter().chain(unreached).find(|refusal| refusal.code == TLS_CLOCK) {
        let finding = Finding::error(
            Cause::ClockSkewed,
            "AWS's certificate is not valid at the time that this machine's clock shows: the clock skew is days or more",
        )
        .certainty(Certainty::Likely)
        .evidence(printable(&refusal.to_string()))
        .evidence("a proxy that presents its own certificate may also be the cause");
        findings.add(with_facts(case, finding));
    }
}

fn refusals<'a>(case: &Case<'a>) -> Vec<&'a Refusal> {
    let mut found = Vec::new();
    for (_, answer) in case.answers.iter() {
        match answer {
            Answer::Refused(refusal) => found.push(refusal),
            Answer::Chain { steps } => found.extend(steps.iter().filter_map(StepAnswer::refusal)),
            _ => {}
        }
    }
    found
}

fn with_facts(case: &Case<'_>, finding: Finding) -> Finding {
    let Some(facts) = case.clock() else {
        return finding;
    };
    let finding = if facts.keeper.is_empty() { finding } else { finding.evidence(printable(&facts.keeper)) };
    finding.fixes(facts.fixes.iter().cloned())
}

fn zone(case: &Case<'_>, findings: &mut Findings) {
    if let Some((facts, mistake)) = case.clock().and_then(|facts| Some((facts, facts.zone_mistake.as_ref()?))) {
        findings.add(
            Finding::error(Cause::ClockZone, "the clock skew is the offset of a time zone")
                .evidence(printable(mistake))
                .fixes(facts.fixes.iter().cloned()),
        );
    }
}

fn unsynchronised(case: &Case<'_>, offset: Option<&Offset>, findings: &mut Findings) {
    let Some(ClockFacts { kernel_synchronised, keeper, keeper_fixes, .. }) = case.clock() else { return };
    // A container can't set the clock, which is the host's. Its clock skew is reported all the same.
    if *kernel_synchronised != Some(false) || keeper_fixes.is_empty() {
        return;
    }
    let is_small = offset.is_some_and(|offset| offset.seconds.abs() + offset.uncertainty <= NOTICED);
    let severity = if is_small { Severity::Info } else { Severity::Warning };
    let mut finding =
        Finding::new(Cause::ClockUnsynchronised, severity, "no time service synchronises this machine's clock");
    if !keeper.is_empty() {
        finding = finding.evidence(printable(keeper));
    }
    if let Some(offset) = offset.filter(|_| is_small) {
        finding = finding.evidence(match spoken(offset.seconds.abs()) {
            off if offset.seconds.abs() < 1.0 => format!("the clock skew is {off}, which causes no errors"),
            off => format!("the clock is {off} {}, which causes no errors yet", side(offset.seconds, "AWS's")),
        });
    }
    findings.add(finding.fixes(keeper_fixes.iter().cloned()));
}

/// Why the estimate of AWS time is not precise enough, as the end of a sentence.
pub(super) fn why_unknown(case: &Case<'_>) -> Option<String> {
    match offset(case) {
        Some(offset) if offset.uncertainty > NOTICED => {
            Some(format!("AWS's time is known only within {}", spoken(offset.uncertainty)))
        }
        Some(_) => None,
        None => Some(why_unheard(case)),
    }
}

/// Why evercred doesn't know whether a service synchronises the clock.
pub(super) fn why_timekeeper_unknown(case: &Case<'_>) -> Option<String> {
    let Some(facts) = case.clock() else { return Some(why_unheard(case)) };
    match facts.kernel_synchronised {
        None => Some("this system does not show whether a service synchronises its clock".to_owned()),
        Some(false) if facts.keeper_fixes.is_empty() => {
            Some("the host of this container synchronises the clock, which can't be checked from here".to_owned())
        }
        Some(_) => None,
    }
}

fn why_unheard(case: &Case<'_>) -> String {
    match case.answers.get(&About::Clock) {
        Some(Answer::Clock(ClockFacts { unreached: Some(refusal), .. })) => {
            format!("AWS's time is not known: {}", printable(&refusal.to_string()))
        }
        Some(Answer::Untried { why }) => format!("doctor did not check the clock: {}", printable(why)),
        _ if case.evidence.offline => "doctor did not ask AWS for the time (--offline)".to_owned(),
        _ if case.lacks_profile() => "doctor did not ask AWS for the time, as the profile does not exist".to_owned(),
        _ => "AWS's time is not known".to_owned(),
    }
}

fn side(seconds: f64, whose: &str) -> String {
    format!("{} {whose}", if seconds < 0.0 { "behind" } else { "ahead of" })
}

fn spoken(seconds: f64) -> String {
    if seconds.abs() < 1.0 {
        return "less than a second".to_owned();
    }
    length(span_of(seconds.trunc()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answers, commands, evidence, found, identity, one, refusal, report};
    use super::*;
    use crate::core::aws_error::ErrorClass;
    use crate::core::doctor::probe::StepOutcome;
    use crate::core::doctor::{Answers, KeySource, Report, Variant};
    use crate::core::fix::Fix;
    use Certainty::{Confirmed, Likely};
    use Severity::{Error, Info, Warning};

    fn facts(offset: f64, uncertainty: f64) -> ClockFacts {
        ClockFacts {
            offset_seconds: Some(offset),
            uncertainty_seconds: Some(uncertainty),
            source: Some("the Date of AWS's answer".to_owned()),
            kernel_synchronised: Some(true),
            keeper: "on Linux, chrony runs".to_owned(),
            fixes: vec![Fix::command("Step it.", "sudo chronyc makestep")],
            keeper_fixes: vec![Fix::command("Turn it on.", "sudo timedatectl set-ntp true")],
            ..ClockFacts::default()
        }
    }

    fn of(facts: ClockFacts) -> Report {
        with(vec![(About::Clock, Answer::Clock(facts))])
    }

    fn with(list: Vec<(About, Answer)>) -> Report {
        report(&evidence("[profile dev]\nregion = eu-west-1\n", "", &[], "dev"), &answers(list), &RULE)
    }

    #[test]
    fn a_clock_that_is_right_yields_nothing_and_all_was_looked_for() {
        for offset in [0.0, 0.3, -45.0] {
            let report = of(facts(offset, 0.6));
            assert!(report.findings.is_empty() && report.not_checked.is_empty(), "{report:#?}");
            assert_eq!(report.checked, [Cause::ClockSkewed, Cause::ClockUnsynchronised, Cause::ClockZone]);
        }
    }

    #[test]
    fn the_further_off_the_worse_and_never_surer_than_the_measurement() {
        for (offset, uncertainty, expected) in [
            (75.0, 1.0, Some((Warning, Confirmed))),
            (-301.5, 1.0, Some((Warning, Confirmed))),
            (1_000.0, 1.0, Some((Error, Confirmed))),
            (-1_000.0, 1.0, Some((Error, Confirmed))),
            (901.0, 5.0, Some((Error, Likely))),
            (1_000.0, 86_400.0, None),
            (60.0, 1.0, None),
        ] {
            let report = of(facts(offset, uncertainty));
            let seen: Vec<_> =
                found(&report).into_iter().map(|(_, severity, certainty)| (severity, certainty)).collect();
            assert_eq!(seen, expected.into_iter().collect::<Vec<_>>(), "{offset} {uncertainty}");
            assert_eq!(report.not_checked.contains_key(&Cause::ClockSkewed), uncertainty > NOTICED);
        }
    }

    #[test]
    fn a_clock_that_aws_refuses_is_said_with_what_aws_says_then() {
        for (offset, title, said) in [
            (-1_000.0, "this machine's clock is 16 minutes 40 seconds behind AWS's", "\"Signature expired: …\""),
            (
                1_000.0,
                "this machine's clock is 16 minutes 40 seconds ahead of AWS's",
                "\"Signature not yet current: …\"",
            ),
        ] {
            let report = of(facts(offset, 0.4));
            let finding = one(&report, Cause::ClockSkewed);
            assert_eq!(finding.title, title);
            assert_eq!(finding.evidence[0], "by the Date of AWS's answer, within less than a second");
            assert!(finding.evidence[1].contains(said), "{finding:?}");
            assert!(finding.evidence[2].contains("users also report"), "{finding:?}");
            assert_eq!(commands(finding), ["sudo chronyc makestep"]);
        }
        let some = of(facts(-400.0, 0.4));
        assert!(one(&some, Cause::ClockSkewed).evidence[1].contains("Cognito"));
    }

    #[test]
    fn what_the_daemon_knows_is_enough() {
        let mut evidence = evidence("", "", &[], "");
        evidence.aws_minus_wall = Some((1_200.0, 1.0));
        evidence.offline = true;
        let report = report(&evidence, &Answers::default(), &RULE);
        assert!(one(&report, Cause::ClockSkewed).title.ends_with("20 minutes behind AWS's"), "{report:#?}");
    }

    #[test]
    fn a_time_that_is_not_known_is_said_to_be_unknown() {
        let unreached = ClockFacts { unreached: Some(refusal("Timeout")), ..ClockFacts::default() };
        assert!(of(unreached).not_checked[&Cause::ClockSkewed].contains("it failed: Timeout"));
        let mut evidence = evidence("", "", &[], "");
        evidence.offline = true;
        let report = report(&evidence, &Answers::default(), &RULE);
        assert!(report.not_checked[&Cause::ClockSkewed].contains("--offline"));
        assert!(report.checked.is_empty(), "{report:#?}");
    }

    #[test]
    fn an_answer_that_speaks_of_the_time_is_enough() {
        let skewed = Refusal { skewed: true, ..refusal("SignatureDoesNotMatch") };
        let of_key = (identity(KeySource::Environment, Variant::AsIs, "us-east-1"), Answer::Refused(skewed.clone()));
        let step = StepAnswer {
            profile: "dev".to_owned(),
            kind: "assume-role".to_owned(),
            outcome: StepOutcome::Refused(skewed),
            printed: None,
            stated_account: None,
            identity: None,
        };
        let of_step = (About::Chain, Answer::Chain { steps: vec![step] });
        for answer in [of_key, of_step] {
            assert_eq!(found(&with(vec![answer])), [(Cause::ClockSkewed, Error, Confirmed)]);
        }
        let skewed = Refusal { skewed: true, ..refusal("SignatureDoesNotMatch") };
        let of_key = (identity(KeySource::Environment, Variant::AsIs, "us-east-1"), Answer::Refused(skewed));
        let right_now = with(vec![(About::Clock, Answer::Clock(facts(0.1, 0.6))), of_key]);
        assert_eq!(found(&right_now), [(Cause::ClockSkewed, Error, Likely)]);
        let wrong_secret = (
            identity(KeySource::Environment, Variant::AsIs, "us-east-1"),
            Answer::Refused(refusal("SignatureDoesNotMatch")),
        );
        assert!(with(vec![wrong_secret]).findings.is_empty());
    }

    #[test]
    fn a_certificate_that_is_not_valid_now_speaks_of_the_clock() {
        let tls = Refusal { class: ErrorClass::Retryable, ..refusal("TlsClock") };
        let report = of(ClockFacts { unreached: Some(tls), ..ClockFacts::default() });
        assert_eq!(found(&report), [(Cause::ClockSkewed, Error, Likely)]);
    }

    #[test]
    fn a_mistake_with_the_zone_is_said_beside_the_offset() {
        let mistake = Some("the hardware clock holds local time, and is read as UTC".to_owned());
        let report = of(ClockFacts { zone_mistake: mistake, ..facts(7_200.0, 0.4) });
        assert_eq!(found(&report), [(Cause::ClockSkewed, Error, Confirmed), (Cause::ClockZone, Error, Confirmed)]);
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_worse_where_it_is_off_or_may_be() {
        let nobody = |facts: ClockFacts| ClockFacts { kernel_synchronised: Some(false), ..facts };
        for (facts, severity) in [
            (nobody(facts(0.2, 0.6)), Info),
            (nobody(facts(20.0, 0.6)), Info),
            (nobody(facts(75.0, 0.6)), Warning),
            (nobody(ClockFacts { offset_seconds: None, ..facts(0.0, 0.6) }), Warning),
        ] {
            let report = of(facts);
            let finding = one(&report, Cause::ClockUnsynchronised);
            assert_eq!((finding.severity, commands(finding)), (severity, vec!["sudo timedatectl set-ntp true"]));
        }
        let unknown = of(ClockFacts { kernel_synchronised: None, ..facts(0.0, 0.6) });
        assert!(unknown.not_checked.contains_key(&Cause::ClockUnsynchronised));
    }
}
