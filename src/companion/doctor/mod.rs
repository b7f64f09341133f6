//! `doctor` and `explain`: the causes of refused requests on this machine, and in the answers of AWS.

mod collect;
mod prober;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use self::prober::Prober;
use super::arguments::DoctorCommand;
use super::failure::{ATTENTION, Failure, NO_PROFILE};
use super::{offline, output};
use crate::core::doctor::{self, Answer, Answers, Case, Evidence};
use crate::core::explain::{self, Explanation, LocalContext, ReportedError};
use crate::platform::clock;
use crate::platform::environment::Environment;

/// All questions together: what is not answered by then is said to be open, so that people have an answer within 10 s.
const PATIENCE: Duration = Duration::from_millis(8_500);

/// `doctor`.
pub(super) fn doctor(environment: &Environment, asked: DoctorCommand) -> Result<ExitCode, Failure> {
    let DoctorCommand { profile, json, offline, verbose, run_process } = asked;
    let Examined { evidence, answers } = examine(environment, profile.clone(), offline, run_process);
    let report = doctor::diagnose(&evidence, &answers);
    if json {
        output::print_json(&report.document())?;
    } else {
        output::print(&report.text(verbose))?;
    }
    let is_named = profile.is_some() || environment.shell_profile().is_some();
    let is_missing = is_named && report.lacks_profile && evidence.settings_refused.is_empty();
    Ok(ExitCode::from(match report.has_errors() || report.verdict.lacks_result() {
        _ if is_missing => NO_PROFILE,
        true => ATTENTION,
        false => 0,
    }))
}

/// `explain`: the meaning of the errors of a text, compared with the findings on this machine.
pub(super) fn explain(
    environment: &Environment,
    text: Option<String>,
    profile: Option<String>,
    all_causes: bool,
    json: bool,
    offline: bool,
) -> Result<ExitCode, Failure> {
    let failed = |failure: Failure| Failure { message: format!("explain: {}", failure.message), ..failure };
    match explained(environment, text, profile.clone(), offline) {
        Ok(explanation) => {
            let unexplained = explanation.unexplained();
            match &unexplained {
                _ if json => output::print_json(&explanation.document())?,
                None => output::print(&explain::render(&explanation, all_causes))?,
                Some(why) => return Err(failed(Failure::new(ATTENTION, why))),
            };
            Ok(ExitCode::from(if unexplained.is_some() { ATTENTION } else { 0 }))
        }
        Err(failure) if json && failure.exit == ATTENTION => {
            output::print_json(&explain::document_without_error(&failure.message, profile.as_deref()))?;
            Ok(ExitCode::from(ATTENTION))
        }
        Err(failure) => Err(failed(failure)),
    }
}

fn explained(
    environment: &Environment,
    text: Option<String>,
    profile: Option<String>,
    offline: bool,
) -> Result<Explanation, Failure> {
    let text = text::read(text)?;
    let begin = clock::boot();
    let mut evidence = collect::collect(environment, profile, offline, false);
    let mentions = text.errors(&evidence.profiles)?;
    // Programs use `default` if nothing names a profile: to name it says nothing more.
    let is_shells = |named: &explain::Named| named.name == "default" && environment.shell_profile().is_none();
    let named = explain::profile_of(&mentions, &evidence.profiles)
        .filter(|named| evidence.named.is_none() && !is_shells(named));
    if let Some(named) = &named {
        evidence.named = Some(named.name.clone());
    }
    evidence.region_named = explain::region_of(&mentions);
    let no_answers = Answers::default();
    let endpoints = doctor::named_endpoints(&Case::new(&evidence, &no_answers));
    // Doctor asks STS. Its answer says nothing about the answer of a server that only other calls go to.
    let is_of_aws = |mention: &ReportedError| {
        let endpoint = explain::endpoint_of(mention, &endpoints);
        mention.server.is_none() && endpoint.is_none_or(|endpoint| endpoint.is_for("sts"))
    };
    let answers = if mentions.iter().any(is_of_aws) {
        ask(environment, &evidence, begin)
    } else {
        let questions = doctor::questions(&evidence, &no_answers, &[]);
        untried(no_answers, questions, "the error is not from AWS")
    };
    let case = Case::new(&evidence, &answers);
    let report = doctor::diagnose(&evidence, &answers);
    let mut here = LocalContext::new(&case, &report);
    here.looked_at.why = named.map(|named| named.why);
    // If nothing names a profile and the shell has no keys, programs use the profile `default`.
    if here.profile.is_none() && environment.get("AWS_ACCESS_KEY_ID").is_none() {
        here.profile = Some("default".to_owned());
        here.looked_at.is_missing = true;
    }
    Ok(explain::explain(&mentions, &report, &here))
}

/// What was collected, and what AWS answered.
struct Examined {
    evidence: Evidence,
    answers: Answers,
}

/// Collects and asks. Ends within 10 s, whatever the network does.
fn examine(environment: &Environment, profile: Option<String>, offline: bool, run_process: bool) -> Examined {
    let begin = clock::boot();
    let evidence = collect::collect(environment, profile, offline, run_process);
    let answers = ask(environment, &evidence, begin);
    Examined { evidence, answers }
}

fn ask(environment: &Environment, evidence: &Evidence, begin: Duration) -> Answers {
    let ntp = offline::ntp_servers(environment);
    let mut answers = Answers::default();
    let mut prober: Option<Prober> = None;
    loop {
        let questions = doctor::questions(evidence, &answers, &ntp);
        if questions.is_empty() {
            return answers;
        }
        let orders: Vec<_> = questions.iter().map(|question| question.order.clone()).collect();
        let started = match prober.take() {
            Some(prober) => Ok(prober),
            None => Prober::start(environment),
        };
        let asked =
            started.and_then(|mut running| running.ask(orders, begin + PATIENCE).map(|answers| (running, answers)));
        match asked {
            Ok((running, all)) => {
                prober = Some(running);
                questions.into_iter().zip(all).for_each(|(question, answer)| answers.add(question.about, answer));
            }
            Err(why) => return untried(answers, questions, &why),
        }
    }
}

fn untried(mut answers: Answers, questions: Vec<doctor::Question>, why: &str) -> Answers {
    for question in questions {
        answers.add(question.about, Answer::Untried { why: why.to_owned() });
    }
    answers
}
