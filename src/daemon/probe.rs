//! `evercredd --probe`: answers the questions of the companion's doctor, line by line, and ends with its standard input.
//!
//! It is a child of the companion and not the daemon: it goes by the environment of the person's shell, as the programs do that
//! AWS refuses. What it says goes to standard output alone, and holds no secret.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;

use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::folders::Folders;
use super::{LARGEST_FILE, aws_paths, cache_paths, daemon_environment, fail, plan_context, read_settings, reading};
use crate::adapters::file as person_file;
use crate::adapters::mint::Minter;
use crate::adapters::probe::Prober;
use crate::core::doctor::probe::{AnswerLine, Questions};
use crate::core::doctor::{Answer, Order};
use crate::core::inputs::AwsInputs;
use crate::core::location::CachePaths;
use crate::core::plan::{self, Plan, PlanError, PlanErrorCode};
use crate::core::profile::SourceFile;
use crate::core::settings::Settings;
use crate::platform::environment::Environment;

/// The longest line of questions.
const LONGEST: u64 = 1024 * 1024;
const FIX: &str = "evercred doctor starts this program by itself; it is not for people";

/// The program.
pub(super) fn run(environment: Environment) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("the probe can't start: {error}"), FIX),
    };
    let caches =
        cache_paths(&environment).unwrap_or(CachePaths { sso: "/nonexistent".into(), login: "/nonexistent".into() });
    let mut prober = Prober::new(Minter::new(environment.clone(), caches), environment.clone());
    let mut input = BufReader::new(io::stdin().lock());
    let ended = loop {
        let questions = match next(&mut input) {
            Ok(Some(questions)) => questions.questions,
            Ok(None) => break ExitCode::SUCCESS,
            Err(why) => break fail(1, &why, FIX),
        };
        let answers = runtime.block_on(answer(&mut prober, &environment, questions));
        let mut line = serde_json::to_vec(&AnswerLine { answers }).unwrap_or_default();
        line.push(b'\n');
        let mut out = io::stdout().lock();
        // A companion that went away wants no more answers.
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            break ExitCode::SUCCESS;
        }
    };
    // What is still in the pool (a name look-up) is not waited for.
    runtime.shutdown_background();
    ended
}

/// The next line of questions; `None` at the end.
fn next(input: &mut impl BufRead) -> Result<Option<Questions>, String> {
    let mut line = Zeroizing::new(Vec::new());
    let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
    match read.map_err(|error| format!("the questions can't be read: {error}"))? {
        0 => Ok(None),
        _ => serde_json::from_slice(&line).map(Some).map_err(|_| "the questions were not understood".to_owned()),
    }
}

/// All questions at once, but the clock first: the others are signed with AWS's time.
async fn answer(prober: &mut Prober, environment: &Environment, questions: Vec<Order>) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = questions.iter().map(|_| None).collect();
    let mut calls = JoinSet::new();
    let mut others = Vec::new();
    for (at, order) in questions.into_iter().enumerate() {
        match order {
            Order::Clock { look_at, ntp, known } => {
                let facts = prober.look_at_the_clock(look_at, &ntp, known).await;
                if let Some(answer) = answers.get_mut(at) {
                    *answer = Some(Answer::Clock(facts));
                }
            }
            order => others.push((at, order)),
        }
    }
    for (at, order) in others {
        let (prober, environment) = (prober.clone(), environment.clone());
        calls.spawn(async move { (at, prober.answer(order, |profile| plan_of(&environment, profile)).await) });
    }
    while let Some(ended) = calls.join_next().await {
        if let Ok((at, answer)) = ended
            && let Some(place) = answers.get_mut(at)
        {
            *place = Some(answer);
        }
    }
    let lost = || Answer::Untried { why: "the call was lost".to_owned() };
    answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect()
}

/// The plan of a profile as a daemon that is started from here would make it.
fn plan_of(own: &Environment, profile: &str) -> Result<Plan, PlanError> {
    let settings = Folders::resolve(own, None).ok().and_then(|folders| read_settings(&folders).ok());
    let settings = settings.unwrap_or_else(Settings::default);
    let environment = daemon_environment(own, &settings);
    let paths = aws_paths(&environment).map_err(|message| PlanError {
        code: PlanErrorCode::UnreadableFile,
        message,
        origin: None,
        kind: None,
    })?;
    let mut inputs = AwsInputs::default();
    for (file, path) in [(SourceFile::Config, &paths.config), (SourceFile::Credentials, &paths.credentials)] {
        let _ = inputs.take(file, reading(person_file::read(path, LARGEST_FILE)));
    }
    plan::resolve(&settings.over(inputs.profiles()), profile, &plan_context(&environment))
}
