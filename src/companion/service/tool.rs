//! Runs the programs of the system: bounded in time, with nothing on standard input, and what they say is for messages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::platform::environment::Environment;

/// Longer than a service manager waits for a start that hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// What a program said.
pub(super) struct Said {
    /// Whether it ended with 0.
    pub(super) ok: bool,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error, or how it failed, in one line.
    pub(super) why: String,
}

/// A program on the PATH of an environment.
pub(super) fn find(environment: &Environment, name: &str) -> Option<PathBuf> {
    let folders = environment.get("PATH")?.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|path| is_executable(path))
}

/// Whether a file is there that may be run.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Runs a program and waits until it has ended.
pub(super) fn run(program: &Path, arguments: &[&str], environment: &Environment) -> Said {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |why: String| Said { ok: false, out: String::new(), why };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment.variables());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("{name} can't be started: {error}")),
    };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output());
    });
    match ended.recv_timeout(LONGEST) {
        Ok(Ok(output)) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let lines = text(&output.stderr);
            let line = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
            let why = if line.is_empty() { format!("{name} ended with {}", output.status) } else { line };
            Said { ok: output.status.success(), out: text(&output.stdout), why }
        }
        Ok(Err(error)) => failed(format!("{name} can't be waited for: {error}")),
        Err(_) => {
            if let Some(pid) = pid {
                let _ = kill_process(pid, Signal::KILL);
            }
            failed(format!("{name} had not ended after {} s and was stopped", LONGEST.as_secs()))
        }
    }
}
