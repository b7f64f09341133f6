//! The child that asks AWS in the companion's place: `evercredd --probe`, from beside this program.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use zeroize::Zeroizing;

use crate::core::doctor::probe::{AnswerLine, Questions};
use crate::core::doctor::{Answer, Order};
use crate::platform::environment::Environment;
use crate::platform::{clock, program};
use crate::wire;

const NAME: &str = "evercredd";
/// As much as the child itself reads of a line.
const LONGEST_LINE: u64 = wire::LONGEST as u64;

/// Descriptors for the calls of one diagnosis with their name look-ups, and for a program with its pipes.
const LEAST_DESCRIPTORS: u64 = 48;

/// A child that answers questions, until it is dropped.
pub(super) struct Prober {
    child: Child,
    questions: Sender<Zeroizing<Vec<u8>>>,
    answers: Receiver<Result<Vec<Answer>, String>>,
    /// Why nothing more can be asked.
    over: Option<String>,
}

impl Prober {
    /// Starts the child in the caller's environment.
    ///
    /// # Errors
    /// A sentence: why there is none.
    pub(super) fn start(environment: &Environment) -> Result<Self, String> {
        // The child raises the soft limit itself.
        if let Some(limit) = getrlimit(Resource::Nofile).maximum.filter(|limit| *limit < LEAST_DESCRIPTORS) {
            return Err(format!(
                "the limit of open files is {limit} here (ulimit -n), and calls to AWS need {LEAST_DESCRIPTORS}"
            ));
        }
        Self::start_as(&beside()?, environment)
    }

    fn start_as(program: &Path, environment: &Environment) -> Result<Self, String> {
        let failed = |error| format!("{} can't be started: {error}", program.display());
        let mut child = Command::new(program)
            .arg("--probe")
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(into), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            end(&mut child);
            return Err(format!("{} has no pipes", program.display()));
        };
        let ((questions, orders), (replies, answers)) = (channel(), channel());
        // A child that hangs must not hang this program, in reading or in writing.
        thread::spawn(move || converse(into, from, &orders, &replies));
        Ok(Self { child, questions, answers, over: None })
    }

    /// Asks, and waits for the answers: one for each order, in their order. `deadline` is on the clock of
    /// [`crate::platform::clock::boot`]. A child that has not answered by then is ended.
    ///
    /// # Errors
    /// A sentence: why there are no answers. Nothing more can be asked then.
    pub(super) fn ask(&mut self, orders: Vec<Order>, deadline: Duration) -> Result<Vec<Answer>, String> {
        if let Some(why) = &self.over {
            return Err(why.clone());
        }
        let asked = orders.len();
        let answers = self.exchange(orders, deadline).and_then(|answers| match answers.len() == asked {
            true => Ok(answers),
            false => Err(format!("{NAME} --probe answered {} of {asked} questions", answers.len())),
        });
        if let Err(why) = &answers {
            self.over = Some(why.clone());
            end(&mut self.child);
        }
        answers
    }

    fn exchange(&mut self, orders: Vec<Order>, deadline: Duration) -> Result<Vec<Answer>, String> {
        let begun = clock::boot();
        let gone = || format!("{NAME} --probe has ended: is it of the same version as this program?");
        // It needs a moment to say what it has.
        let within = deadline.saturating_sub(begun).saturating_sub(Duration::from_millis(300));
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let line = serde_json::to_vec(&Questions { questions: orders, within_ms }).map(Zeroizing::new);
        let mut line = line.map_err(|_| "the questions can't be written as a line".to_owned())?;
        line.push(b'\n');
        if line.len() as u64 > LONGEST_LINE {
            return Err("the questions are larger than 1 MiB".to_owned());
        }
        self.questions.send(line).map_err(|_| gone())?;
        match self.answers.recv_timeout(deadline.saturating_sub(begun)) {
            Ok(answers) => answers,
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
            Err(RecvTimeoutError::Timeout) => {
                let waited = clock::boot().saturating_sub(begun).as_secs_f64();
                Err(format!("{NAME} --probe gave no answer within {waited:.0} s, and was ended"))
            }
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a child, and waits for it: a killed process ends at once.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Writes a line and reads one, again and again, until one of the two ends is gone.
fn converse(
    mut into: ChildStdin,
    from: ChildStdout,
    orders: &Receiver<Zeroizing<Vec<u8>>>,
    replies: &Sender<Result<Vec<Answer>, String>>,
) {
    let mut from = BufReader::new(from);
    for order in orders {
        if into.write_all(&order).and_then(|()| into.flush()).is_err() {
            return;
        }
        drop(order);
        let Some(answers) = read_line(&mut from) else { return };
        if replies.send(answers).is_err() {
            return;
        }
    }
}

/// The next line's answers; `None` at the end.
fn read_line(from: &mut impl BufRead) -> Option<Result<Vec<Answer>, String>> {
    let mut line = Vec::new();
    let read = from.take(LONGEST_LINE + 1).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() != Some(&b'\n') {
        return Some(Err(format!("{NAME} --probe gave an answer without an end")));
    }
    let answers = serde_json::from_slice(&line).map(|AnswerLine { answers }| answers);
    Some(answers.map_err(|_| format!("{NAME} --probe gave an answer that this version does not understand")))
}

/// The daemon's program beside this one, as it was called or where it really is: not whatever PATH has.
fn beside() -> Result<PathBuf, String> {
    let started_as = program::path().filter(|_| program::was_called_by_path());
    let places: Vec<PathBuf> = [started_as, std::env::current_exe().ok()]
        .into_iter()
        .flatten()
        .filter_map(|path| Some(path.parent()?.join(NAME)))
        .collect();
    let found = places.iter().find(|path| is_executable(path)).cloned();
    found.ok_or_else(|| {
        let tried: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        format!("{NAME} is not beside this program: {} can't be run", tried.join(", "))
    })
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A child that is a shell script.
    fn script(text: &str) -> (tempfile::TempDir, Result<Prober, String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "#!/bin/sh\n{text}\n").unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
        drop(file);
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into_iter().collect();
        // Another thread's fork may hold the script open for writing still (ETXTBSY).
        let mut prober = Prober::start_as(&path, &environment);
        for _ in 0..1_000 {
            match &prober {
                Err(why) if why.contains("busy") => prober = Prober::start_as(&path, &environment),
                _ => break,
            }
        }
        (folder, prober)
    }

    fn in_seconds(seconds: u64) -> Duration {
        clock::boot() + Duration::from_secs(seconds)
    }

    fn chain() -> Vec<Order> {
        vec![Order::Chain { profile: "a".to_owned(), offline: false, run_process: false }]
    }

    #[test]
    fn one_child_answers_line_after_line() {
        let answer = "{\"answers\": [{\"is\": \"untried\", \"why\": \"no\"}]}";
        let (_folder, prober) = script(&format!("while read -r line; do echo '{answer}'; done"));
        let mut prober = prober.unwrap();
        for _ in 0..3 {
            assert_eq!(prober.ask(chain(), in_seconds(20)), Ok(vec![Answer::Untried { why: "no".to_owned() }]));
        }
        let why = prober.ask(Vec::new(), in_seconds(20)).unwrap_err();
        assert_eq!(why, "evercredd --probe answered 1 of 0 questions");
        assert_eq!(prober.ask(chain(), in_seconds(20)), Err(why));
    }

    #[test]
    fn a_child_that_hangs_is_ended_and_said_to_be() {
        let (_folder, prober) = script("exec sleep 600");
        let mut prober = prober.unwrap();
        let begun = clock::boot();
        let why = prober.ask(chain(), begun + Duration::from_millis(300)).unwrap_err();
        assert!(why.contains("gave no answer within") && clock::boot() - begun < Duration::from_secs(10), "{why}");
        assert!(prober.child.try_wait().unwrap().is_some());
    }

    #[test]
    fn a_child_that_is_an_older_one_or_talks_nonsense_is_told_of() {
        let (_folder, prober) = script("echo usage >&2; exit 2");
        assert!(prober.unwrap().ask(chain(), in_seconds(20)).unwrap_err().contains("has ended"));
        let (_folder, prober) = script("read -r line; echo PLANTED; exec sleep 600");
        let why = prober.unwrap().ask(chain(), in_seconds(20)).unwrap_err();
        assert!(why.contains("does not understand") && !why.contains("PLANTED"), "{why}");
        let (_folder, prober) = script("read -r line; exec cat /dev/zero");
        assert!(prober.unwrap().ask(chain(), in_seconds(20)).unwrap_err().contains("without an end"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let why = Prober::start_as(Path::new("/nowhere/evercredd"), &Environment::default()).err().unwrap();
        assert!(why.contains("/nowhere/evercredd"), "{why}");
    }
}
