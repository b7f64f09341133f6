//! The child that asks AWS: `evercredd --probe`, in this shell's environment. Questions go to it and answers come back over
//! pipes, one line each; it ends with this process's end of the pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::core::doctor::probe::{AnswerLine, Questions};
use crate::core::doctor::{Answer, Order};
use crate::platform::environment::Environment;

/// The longest line of answers.
const LONGEST: u64 = 1024 * 1024;
const PROGRAM: &str = "evercredd";

/// The child.
pub(super) struct Prober {
    child: Child,
    questions: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
}

impl Prober {
    /// Starts the program that lies beside this one.
    ///
    /// # Errors
    /// A sentence: it is not there, or can't be run.
    pub(super) fn start(environment: &Environment) -> Result<Self, String> {
        let program =
            program(environment).ok_or("evercredd, which asks AWS, is not beside evercred and not on PATH")?;
        let mut child = Command::new(&program)
            .arg("--probe")
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}, which asks AWS, can't be run: {error}", program.display()))?;
        let (questions, answers) = (child.stdin.take(), child.stdout.take());
        let (send, lines) = mpsc::channel();
        if let Some(answers) = answers {
            // It ends with the child.
            std::thread::spawn(move || {
                let mut answers = BufReader::new(answers);
                let mut line = Vec::new();
                while let Ok(1..) = answers.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                    if send.send(std::mem::take(&mut line)).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, questions, lines })
    }

    /// Asks all of these, and waits for the answers so long at most.
    ///
    /// # Errors
    /// A sentence: no answers came in time, or none that make sense.
    pub(super) fn ask(&mut self, questions: Vec<Order>, longest: Duration) -> Result<Vec<Answer>, String> {
        let mut line = Zeroizing::new(
            serde_json::to_vec(&Questions { questions }).map_err(|_| "the questions can't be written down")?,
        );
        line.push(b'\n');
        let gone = || "the program that asks AWS has ended before it answered".to_owned();
        let pipe = self.questions.as_mut().ok_or_else(gone)?;
        pipe.write_all(&line).and_then(|()| pipe.flush()).map_err(|_| gone())?;
        let answer = self.lines.recv_timeout(longest).map_err(|error| match error {
            RecvTimeoutError::Timeout => "no answers came in time".to_owned(),
            RecvTimeoutError::Disconnected => gone(),
        })?;
        let answers: AnswerLine = serde_json::from_slice(&answer)
            .map_err(|_| "the answers make no sense: is evercredd of another version?")?;
        Ok(answers.answers)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.questions = None;
        // It may still be waiting for an endpoint that hangs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside this one, else the one on PATH.
fn program(environment: &Environment) -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(|folder| folder.join(PROGRAM)).filter(|path| path.is_file());
    beside.or_else(|| environment.program(PROGRAM))
}
