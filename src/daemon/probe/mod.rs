//! `evercredd --probe`: the companion's doctor asks, this child answers, and is gone.
//!
//! It goes by the environment of whoever started the companion, as the questions are about what programs in that shell meet.
//! It keeps nothing and writes no file: questions come in on stdin, answers go out on stdout, what AWS mints on the way is
//! dropped.

mod answer;
mod chain;
mod clock;

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::{fail, logging, now};
use crate::adapters::ask::{Asker, Caller};
use crate::adapters::clock as system_clock;
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::{Clock, Sample};
use crate::core::doctor::probe::{AnswerLine, Questions};
use crate::core::doctor::{Answer, Keys, Order};
use crate::core::plan::{StatedExpiry, StaticKeys};
use crate::core::printable::printable;
use crate::core::secret::Secret;
use crate::core::time::{BootTime, span_from_millis};
use crate::platform::environment::Environment;
use crate::platform::limits;
use crate::wire;

/// The same as at the daemon's socket.
const LONGEST_LINE: u64 = wire::LONGEST as u64;
/// The doctor asks a dozen; AWS is not to be asked for thousands of things at once.
const MOST_QUESTIONS: usize = 64;
/// For one call, or the steps of a plan, where the person waits so long.
const LONGEST: Duration = Duration::from_secs(5);
/// AWS answers in less, from anywhere: with less time than that, no answer says nothing.
const ENOUGH: Duration = Duration::from_secs(2);

/// Answers until stdin ends.
pub(super) fn main(environment: Environment, settings_file: Option<PathBuf>) -> ExitCode {
    if let Some(directives) = environment.get("RUST_LOG").filter(|text| !text.is_empty()) {
        logging::start(Some(directives), io::stderr);
    }
    let _ = limits::raise_descriptors();
    // One thread: the work is waiting, and what may block goes to the pool.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("no question can be answered: {error}")),
    };
    let prober = Arc::new(Prober::new(environment, settings_file));
    let mut questions = io::stdin().lock();
    let code = loop {
        let asked = match read_line(&mut questions) {
            Ok(Some(asked)) => asked,
            Ok(None) => break ExitCode::SUCCESS,
            // Nothing of what came is said: it may be a secret.
            Err(why) => break fail(1, why),
        };
        let answers = runtime.block_on(Arc::clone(&prober).answer(asked));
        if write_line(&AnswerLine { answers }).is_err() {
            // Whoever asked is gone.
            break ExitCode::SUCCESS;
        }
    };
    // What is still in the pool (a name look-up) is not waited for.
    runtime.shutdown_background();
    code
}

/// The next line; `None` at the end.
fn read_line(from: &mut impl BufRead) -> Result<Option<Questions>, &'static str> {
    let mut line = Zeroizing::new(Vec::new());
    let read = from.take(LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(|_| "stdin can't be read")?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 > LONGEST_LINE {
        return Err("a line of more than 1 MiB came on stdin, where questions are expected");
    }
    let questions: Questions = serde_json::from_slice(&line)
        .map_err(|_| "the line on stdin is not a line of questions that this version knows")?;
    if questions.questions.len() > MOST_QUESTIONS {
        return Err("more than 64 questions came in one line");
    }
    Ok(Some(questions))
}

fn write_line(answers: &AnswerLine) -> io::Result<()> {
    let mut line = serde_json::to_vec(answers)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// What is kept from one line to the next.
struct Prober {
    environment: Environment,
    settings_file: Option<PathBuf>,
    asker: Asker,
    /// AWS's time, for signing.
    clock: Mutex<Clock>,
    /// When the answers to the present line have to be there.
    due: Mutex<BootTime>,
}

impl Prober {
    fn new(environment: Environment, settings_file: Option<PathBuf>) -> Self {
        let clock = Mutex::new(Clock::new(now(), system_clock::wall_is_synchronised()));
        let due = Mutex::new(now().boot);
        Self { asker: Asker::new(&environment), environment, settings_file, clock, due }
    }

    /// One answer for each order, in their order.
    async fn answer(self: Arc<Self>, asked: Questions) -> Vec<Answer> {
        let Questions { questions: orders, within_ms } = asked;
        let within = span_from_millis(i64::try_from(within_ms).unwrap_or(i64::MAX));
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = now().boot + within;
        let mut answers: Vec<Option<Answer>> = orders.iter().map(|_| None).collect();
        let mut others = Vec::new();
        // What is signed is signed by AWS's time, so that comes first.
        for (slot, order) in answers.iter_mut().zip(orders) {
            match order {
                Order::Clock { look_at, ntp, known } => {
                    *slot = Some(Answer::Clock(clock::look(&self, look_at, &ntp, known).await));
                    others.push(None);
                }
                order => others.push(Some(order)),
            }
        }
        let mut work = JoinSet::new();
        for (at, order) in others.into_iter().enumerate() {
            if let Some(order) = order {
                let this = Arc::clone(&self);
                work.spawn(async move { (at, this.carry_out(order).await) });
            }
        }
        while let Some(ended) = work.join_next().await {
            // In release a panic aborts; in tests it shows as a question without an answer.
            if let Ok((at, answer)) = ended
                && let Some(slot) = answers.get_mut(at)
            {
                *slot = Some(answer);
            }
        }
        let untried = || Answer::Untried { why: "it ended without an answer".to_owned() };
        answers.into_iter().map(|answer| answer.unwrap_or_else(untried)).collect()
    }

    async fn carry_out(&self, order: Order) -> Answer {
        match order {
            Order::Clock { .. } => Answer::Untried { why: "the clock was already probed".to_owned() },
            Order::Identify { keys, endpoint } => {
                let (operation, keys) = (&Operation::new("GetCallerIdentity"), static_keys(&keys));
                answer_of(
                    self.signed(|time| self.asker.identify(operation, &keys, &endpoint, time), operation).await,
                    &keys,
                )
            }
            Order::Iam { keys, endpoint } => {
                let keys = static_keys(&keys);
                answer_of(
                    self.signed(|time| self.asker.get_user(&keys, &endpoint, time), &Operation::new("GetUser of IAM"))
                        .await,
                    &keys,
                )
            }
            Order::Chain { profile, offline, run_process } => {
                chain::carry_out(self, &profile, offline, run_process).await
            }
        }
    }

    /// A call that is signed by AWS's time as it is known; once more where the answer tells a better one.
    async fn signed<F>(
        &self,
        call: impl Fn(TimeDelta) -> F,
        operation: &Operation,
    ) -> Result<Result<Caller, Fault>, NoTime>
    where
        F: Future<Output = (Result<Caller, Fault>, Vec<Sample>)>,
    {
        let both = async {
            let signed_by = self.aws_minus_boot();
            let (caller, samples) = call(signed_by).await;
            self.observe(&samples);
            match caller {
                Err(fault) if fault.skewed && self.aws_minus_boot() != signed_by => call(self.aws_minus_boot()).await.0,
                caller => caller,
            }
        };
        self.in_time(operation, both).await
    }

    /// What a call gives.
    async fn in_time<T>(
        &self,
        operation: &Operation,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Result<T, Fault>, NoTime> {
        let given = self.left().min(LONGEST);
        match tokio::time::timeout(given, call).await {
            Ok(answer) => Ok(answer),
            Err(_) if given < ENOUGH => Err(NoTime(given)),
            Err(_) => Ok(Err(timed_out(operation, given))),
        }
    }

    /// How much time there is still for the present line.
    fn left(&self) -> Duration {
        let due = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
        (due - now().boot).to_std().unwrap_or_default()
    }

    fn observe(&self, samples: &[Sample]) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in samples {
            let _ = clock.observe(*sample, now());
        }
    }

    fn aws_minus_boot(&self) -> TimeDelta {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).aws_minus_boot(now())
    }
}

/// There was only so much time left for a call, and it was not enough.
#[derive(Debug)]
struct NoTime(Duration);

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("there was no time left to ask");
        }
        write!(f, "there were {:.1} s left to ask, and no answer came in them", self.0.as_secs_f64())
    }
}

fn timed_out(operation: &Operation, longest: Duration) -> Fault {
    let why = format!("no answer came within {:.1} s", longest.as_secs_f64());
    aws_error::fault(operation, None, Some(aws_error::TIMEOUT), Some(&why))
}

fn answer_of(caller: Result<Result<Caller, Fault>, NoTime>, keys: &StaticKeys) -> Answer {
    match caller {
        Ok(Ok(Caller { account_id, arn })) => {
            Answer::Accepted { account_id: printable(&account_id), arn: printable(&arn) }
        }
        Ok(Err(fault)) => Answer::Refused(answer::refusal(fault, Some(keys))),
        Err(no_time) => Answer::Untried { why: no_time.to_string() },
    }
}

fn static_keys(keys: &Keys) -> StaticKeys {
    StaticKeys {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: Secret::new(keys.secret_access_key.as_str()),
        session_token: keys.session_token.as_ref().map(|token| Secret::new(token.as_str())),
        expires: StatedExpiry::Unstated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut text: &[u8]) -> Result<Option<usize>, &'static str> {
        read_line(&mut text).map(|asked| asked.map(|asked| asked.questions.len()))
    }

    #[test]
    fn a_line_is_questions_or_refused_without_being_quoted() {
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(b"{\"questions\": [], \"within_ms\": 9}\n"), Ok(Some(0)));
        let chain = br#"{"questions": [{"do": "chain", "profile": "a", "offline": false}], "within_ms": 9}"#;
        assert_eq!(read(chain), Ok(Some(1)));
        for garbage in [&b"wJalrXUtnFEMI\n"[..], b"\n", b"\xff\xfe\n", b"{\"questions\": [{\"do\": \"PLANTED\"}]}\n"] {
            let why = read(garbage).unwrap_err();
            assert!(!why.contains("wJalr") && !why.contains("PLANTED"), "{why}");
        }
        assert!(read(&vec![b' '; 2 * 1024 * 1024]).unwrap_err().contains("1 MiB"));
    }
}
