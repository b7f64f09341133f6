//! Runs other programs, a `credential_process` above all: bounded in time and output, and never left behind.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};
use zeroize::{Zeroize, Zeroizing};

use crate::core::aws_error::{self, Fault, Operation, PROCESS_NOT_FOUND};
use crate::core::credential::Credentials;
use crate::core::printable::printable;
use crate::core::process_output::read_output;
use crate::core::redact;
use crate::core::secret::Secret;
use crate::platform::environment::{ASKED_FOR, Environment};
use crate::platform::{harden, limits};

/// As long as any SDK waits for one.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// For what is still in the pipes when the program has ended: a child that it left behind may hold them for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Far more than any document.
const LARGEST_OUTPUT: usize = 64 * 1024;
/// Of what it says on stderr the end is kept.
const LONGEST_COMPLAINT: usize = 4 * 1024;

/// Runs the command line, as most SDKs do through the shell, and reads what it prints.
pub(super) async fn run(command: &str, profile: &str, environment: &Environment) -> Result<Credentials, Fault> {
    run_within(command, profile, environment, LONGEST_RUN).await
}

/// Runs a program that prints the code of an MFA device: the last line with six digits and nothing else.
pub(super) async fn read_code(command: &str, profile: &str, environment: &Environment) -> Result<Secret, Fault> {
    let operation = Operation::new("mfa_process").profile(profile);
    let output = output_of(&operation, command, profile, environment, LONGEST_RUN).await?;
    let text = String::from_utf8_lossy(&output);
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    text.lines().map(str::trim).rfind(is_code).map(Secret::new).ok_or_else(|| {
        aws_error::fault(&operation, None, Some("ProcessFailed"), Some("it printed no line with a code of six digits"))
    })
}

async fn run_within(
    command: &str,
    profile: &str,
    environment: &Environment,
    limit: Duration,
) -> Result<Credentials, Fault> {
    let operation = Operation::new("credential_process").profile(profile);
    let output = output_of(&operation, command, profile, environment, limit).await?;
    let unusable = |why: String| aws_error::fault(&operation, None, Some("ProcessFailed"), Some(&format!("it {why}")));
    read_output(&output).map_err(unusable)
}

/// What a program prints.
async fn output_of(
    operation: &Operation,
    command: &str,
    profile: &str,
    environment: &Environment,
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let failed = |code: &str, why: &str| aws_error::fault(operation, None, Some(code), Some(why));
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).env_clear().envs(environment.variables()).env(ASKED_FOR, profile);
    if let Some(home) = environment.get("HOME") {
        shell.current_dir(home);
    }
    let ended = end_of(shell, limit).await.map_err(|why| failed("ProcessFailed", &why))?;
    let complaint = ended.complaint(&redact::given(command, environment.variables()));
    if ended.status.code() == Some(127) {
        let path = environment.get("PATH").unwrap_or("not set");
        return Err(failed(PROCESS_NOT_FOUND, &format!("{complaint}; PATH is {path}")));
    }
    if !ended.status.success() {
        return Err(failed("ProcessFailed", &format!("{}: {complaint}{}", how(ended.status), hint(ended.status))));
    }
    Ok(ended.output)
}

/// Runs a program for what it does, for so long at most.
///
/// # Errors
/// It did not do it: a sentence about "it".
pub(super) async fn run_to_end(command: Command, limit: Duration) -> Result<(), String> {
    let ended = end_of(command, limit).await?;
    if ended.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {}", how(ended.status), ended.complaint(&redact::Values::default())))
    }
}

/// The end of a program that runs without input, in a process group of its own.
async fn end_of(mut command: Command, limit: Duration) -> Result<Ended, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    limits::restore_in_child(&mut command);
    let child = command.spawn().map_err(|error| format!("it can't be started: {error}"))?;
    Running::new(child).wait(limit).await
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// A program that a signal ends (which a shell makes a code above 128) may have tried what the service's unit forbids.
fn hint(status: ExitStatus) -> &'static str {
    let by_signal = status.signal().is_some() || status.code().is_some_and(|code| (129..=159).contains(&code));
    if by_signal && harden::is_restricted() {
        "; the service's unit may forbid what it does: run `evercred service install` again, which allows for such programs"
    } else {
        ""
    }
}

/// A program that runs in a process group of its own, which ends with this value.
struct Running {
    child: Child,
    group: Option<Pid>,
}

/// A program that has ended.
struct Ended {
    status: ExitStatus,
    output: Zeroizing<Vec<u8>>,
    stderr: Vec<u8>,
    /// Whether the beginning of `stderr` was dropped.
    is_cut: bool,
}

impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { child, group }
    }

    /// Waits until it has ended and everything that it said is read.
    async fn wait(mut self, limit: Duration) -> Result<Ended, String> {
        let (mut stdout, mut stderr) = (self.child.stdout.take(), self.child.stderr.take());
        // Sized beforehand: a vector that grows would leave copies.
        let mut output = Zeroizing::new(Vec::with_capacity(LARGEST_OUTPUT + 1));
        let (mut complaint, mut is_cut) = (Vec::new(), false);
        let mut status = None;
        let mut deadline = Instant::now() + limit;
        while status.is_none() || stdout.is_some() || stderr.is_some() {
            let until = deadline;
            let next = async {
                tokio::select! {
                    more = read(&mut stdout, &mut output), if stdout.is_some() => {
                        if !more { stdout = None; }
                    }
                    more = read(&mut stderr, &mut complaint), if stderr.is_some() => {
                        if !more { stderr = None; }
                    }
                    ended = self.child.wait(), if status.is_none() => {
                        status = Some(ended.map_err(|error| format!("it can't be waited for: {error}"))?);
                        deadline = Instant::now() + LAST_WORDS;
                    }
                }
                Ok::<(), String>(())
            };
            match timeout_at(until, next).await {
                Ok(result) => result?,
                Err(_) if status.is_some() => break,
                Err(_) => return Err(format!("it had not ended after {} s and was stopped", limit.as_secs())),
            }
            if output.len() > LARGEST_OUTPUT {
                return Err(format!("it printed more than {LARGEST_OUTPUT} bytes and was stopped"));
            }
            if complaint.len() > 2 * LONGEST_COMPLAINT {
                complaint.drain(..complaint.len() - LONGEST_COMPLAINT);
                is_cut = true;
            }
        }
        let status = status.ok_or_else(|| "it can't be waited for".to_owned())?;
        // What it left running is its own business: an agent, a browser.
        self.group = None;
        Ok(Ended { status, output, stderr: complaint, is_cut })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It may have ended this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads a piece; `false` at the end.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    let Some(pipe) = pipe else { return false };
    let count = pipe.read(&mut piece).await.unwrap_or(0);
    into.extend_from_slice(&piece[..count]);
    piece.zeroize();
    count > 0
}

impl Ended {
    /// The last line that it wrote to stderr, and the one before where that is only our own companion's advice.
    fn complaint(&self, given: &redact::Values) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        // A cut text may have lost the names before its secrets.
        let whole = if self.is_cut { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
        let (before, last) = whole.trim_end().rsplit_once('\n').unwrap_or(("", whole));
        let is_pointer = ["fix:", "see:"].iter().any(|kind| last.trim_start().starts_with(kind));
        let text = if is_pointer && !before.trim().is_empty() { before } else { whole };
        match redact::last_line_of_program(text, given) {
            None if self.is_cut => "its last stderr line is too long to show".to_owned(),
            None => "it wrote nothing to stderr".to_owned(),
            Some(line) => printable(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let pairs = [("PATH", "/usr/bin:/bin"), ("HOME", "/")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    async fn said(command: &str) -> Fault {
        run(command, "dev", &environment()).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_document_is_a_set_and_the_program_has_no_input_and_its_own_place() {
        let command = r#"test "$PWD" = / && ! read -r line && test "$EVERCRED_ASKED_FOR" = dev &&
            echo '{"Version":1,"AccessKeyId":"AKIA1","SecretAccessKey":"s"}'"#;
        assert_eq!(run(command, "dev", &environment()).await.unwrap().access_key_id, "AKIA1");
    }

    #[tokio::test]
    async fn a_failure_is_told_by_the_last_line_of_stderr() {
        let fault = said("echo first >&2; echo 'the vault is locked' >&2; echo >&2; exit 3").await;
        assert!(fault.operation.profile.as_deref() == Some("dev") && fault.words.contains("exit code 3"), "{fault:?}");
        assert!(fault.words.ends_with("the vault is locked"), "{fault:?}");
        assert!(said("kill -9 $$").await.words.contains("signal 9"));
        let quiet = said("exit 1").await;
        assert!(quiet.words.contains("wrote nothing"), "{quiet:?}");
    }

    #[tokio::test]
    async fn a_program_that_fails_with_its_document_on_stderr_gives_nothing_away() {
        let document = r#"{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"hunter2","SessionToken":"hunter2"}"#;
        let long = format!("printf '%9000d' 1 | tr ' ' x >&2; echo '{document}' >&2; exit 1");
        let unfinished = "printf '{\"SessionToken\":\"' >&2; for i in 1 2 3 4 5 6 7 8 9; do printf '%0999d,hunter2' 1; done >&2; exit 1";
        for command in [format!("echo '{document}' >&2; exit 1"), long, unfinished.to_owned()] {
            let fault = said(&command).await;
            assert!(fault.code == "ProcessFailed" && !fault.words.contains("hunter2"), "{fault:?}");
            let fault = read_code(&command, "dev", &environment()).await.unwrap_err();
            assert!(!fault.words.contains("hunter2"), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_nowhere_is_told_with_the_path_that_was_searched() {
        let fault = said("no-such-helper --json").await;
        assert_eq!(fault.code, PROCESS_NOT_FOUND);
        assert!(fault.words.contains("no-such-helper") && fault.words.contains("/usr/bin:/bin"), "{fault:?}");
    }

    #[tokio::test]
    async fn a_flood_is_stopped() {
        assert!(said("yes").await.words.contains("more than"));
        let noisy = said("yes >&2 & sleep 0.2; kill $!; echo end >&2; exit 1").await;
        assert!(noisy.words.ends_with("end") || noisy.words.ends_with('y'), "{noisy:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_program_that_hangs_is_stopped_with_all_its_children() {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::io::retry_on_intr;
        use rustix::process::{PidfdFlags, pidfd_open};
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let command = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let fault = run_within(&command, "dev", &environment(), Duration::from_millis(500)).await.unwrap_err();
        assert!(fault.words.contains("had not ended"), "{fault:?}");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        // Killed, though perhaps not yet gone.
        if let Ok(ends) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
            let ended = retry_on_intr(|| poll(&mut [PollFd::new(&ends, PollFlags::IN)], Some(&patience)));
            assert_eq!(ended, Ok(1), "it lives");
        }
    }

    #[tokio::test]
    async fn a_child_that_stays_behind_is_not_waited_for() {
        let command = r#"sleep 3 & echo '{"Version":1,"AccessKeyId":"AKIA1","SecretAccessKey":"s"}'"#;
        let set = run_within(command, "dev", &environment(), Duration::from_secs(30)).await.unwrap();
        assert_eq!(set.access_key_id, "AKIA1");
    }

    #[tokio::test]
    async fn garbage_is_told_and_not_shown() {
        let fault = said("echo hunter2").await;
        assert!(fault.words.contains("not a JSON object") && !fault.words.contains("hunter2"), "{fault:?}");
    }
}
