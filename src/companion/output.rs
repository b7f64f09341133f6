//! What goes to stdout and stderr. A reader that went away (`| head`) is no error of ours.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::failure::{ATTENTION, Failure};
use crate::platform::environment::Environment;

/// Prints to stdout.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(ATTENTION, format!("standard output can't be written: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Prints a JSON document to stdout.
pub(super) fn print_json(document: &serde_json::Value) -> Result<ExitCode, Failure> {
    print(&format!("{document:#}\n"))
}

/// Prints a failure to stderr.
pub(super) fn error(failure: &Failure) {
    let mut text = format!("evercred: {}\n", failure.message);
    if let Some(fix) = &failure.fix {
        text.push_str(&format!("fix: {fix}\n"));
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether stdout may have colours: a terminal, and NO_COLOR not set (<https://no-color.org>).
pub(super) fn colour(environment: &Environment) -> bool {
    io::stdout().is_terminal() && environment.get("NO_COLOR").is_none_or(str::is_empty)
}
