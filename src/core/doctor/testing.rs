//! Cases from texts and variables, for tests.

use chrono::TimeDelta;

use crate::core::aws_error::ErrorClass;
use crate::core::aws_file;
use crate::core::doctor::driver::{self, Checked};
use crate::core::doctor::rule::Rule;
use crate::core::doctor::{
    About, Answer, Answers, Case, Cause, Certainty, Daemon, Evidence, Finding, KeySource, Refusal, Report, Severity,
    Variables, Variant,
};
use crate::core::location::AwsPaths;
use crate::core::plan::PlanContext;
use crate::core::time::WallTime;

pub(in crate::core::doctor) fn evidence(
    config: &str,
    credentials: &str,
    variables: &[(&str, &str)],
    named: &str,
) -> Evidence {
    let profiles = aws_file::load(Some(config), Some(credentials));
    let variables: Variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let context = PlanContext::from_environment(&|name| variables.get(name).map(str::to_owned), TimeDelta::zero());
    Evidence {
        named: Some(named.to_owned()).filter(|name| !name.is_empty()),
        region_named: None,
        variables,
        paths: Some(AwsPaths { config: "/h/.aws/config".into(), credentials: "/h/.aws/credentials".into() }),
        profiles_of_daemon: profiles.clone(),
        problems: profiles.problems.clone(),
        profiles,
        config_text: Some(config.to_owned().into()),
        credentials_text: Some(credentials.to_owned().into()),
        files: Vec::new(),
        token_files: Vec::new(),
        caches: std::collections::BTreeMap::new(),
        token_expiries: std::collections::BTreeMap::new(),
        programs: std::collections::BTreeMap::new(),
        context,
        daemon: Daemon::Silent { why: "no daemon".to_owned(), other_files: false },
        settings_refused: Vec::new(),
        drift: None,
        evercred: "/usr/bin/evercred".to_owned(),
        terraform: None,
        has_aws_cli: true,
        has_service_manager: true,
        uid: 1000,
        wall: WallTime::from_millis(1_790_000_000_000),
        aws_minus_wall: None,
        not_read: Vec::new(),
        offline: false,
        run_process: false,
        unusable_ca_bundles: std::collections::BTreeMap::new(),
    }
}

pub(in crate::core::doctor) fn report(evidence: &Evidence, answers: &Answers, rule: &Rule) -> Report {
    let case = Case::new(evidence, answers);
    let Checked { findings, checked, not_checked } = driver::run(&case, [(0, rule)]);
    Report { profile: case.profile.clone(), findings, checked, not_checked, ..Report::default() }
}

pub(in crate::core::doctor) fn answers(list: Vec<(About, Answer)>) -> Answers {
    let mut answers = Answers::default();
    list.into_iter().for_each(|(about, answer)| answers.add(about, answer));
    answers
}

pub(in crate::core::doctor) fn identity(source: KeySource, variant: Variant, region: &str) -> About {
    About::Identity { source, variant, region: region.to_owned() }
}

pub(in crate::core::doctor) fn refusal(code: &str) -> Refusal {
    let class = crate::core::aws_error::lookup(code).map_or(ErrorClass::Permanent, |entry| entry.class);
    Refusal {
        code: code.to_owned(),
        operation: "it".into(),
        words: "no words".to_owned(),
        class,
        fix: None,
        skewed: false,
    }
}

pub(in crate::core::doctor) fn accepted() -> Answer {
    Answer::Accepted { account_id: "111122223333".to_owned(), arn: "arn:aws:iam::111122223333:user/me".to_owned() }
}

/// Ids, severities and certainties of what was found.
pub(in crate::core::doctor) fn found(report: &Report) -> Vec<(Cause, Severity, Certainty)> {
    report.findings.iter().map(|finding| (finding.id, finding.severity, finding.certainty)).collect()
}

/// The one finding of a kind.
pub(in crate::core::doctor) fn one(report: &Report, id: Cause) -> &Finding {
    let mut of_kind = report.findings.iter().filter(|finding| finding.id == id);
    let first = of_kind.next().unwrap_or_else(|| panic!("no {id} in {report:#?}"));
    assert!(of_kind.next().is_none(), "several {id} in {report:#?}");
    first
}

/// The commands of all fixes of a finding.
pub(in crate::core::doctor) fn commands(finding: &Finding) -> Vec<&str> {
    finding.fix.iter().filter_map(|fix| fix.command.as_deref()).collect()
}
