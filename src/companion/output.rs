//! What goes to stdout and stderr. A reader that went away (`| head`) is no error of ours.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::failure::{ATTENTION, Failure};
use crate::core::printable;
use crate::platform::environment::Environment;

/// Prints text for the user to stdout, without characters that control the terminal.
pub(super) fn print(text: &str) -> Result<ExitCode, Failure> {
    print_exact(&printable::lines(text))
}

/// Prints to stdout unchanged: text for programs, and clean text with our own colours.
pub(super) fn print_exact(text: &str) -> Result<ExitCode, Failure> {
    write(text).map(|_| ExitCode::SUCCESS)
}

/// Prints to stdout unchanged; returns whether the reader is still there.
pub(super) fn write(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(ATTENTION, format!("standard output can't be written: {error}"))),
    }
}

/// Prints a JSON document to stdout.
pub(super) fn print_json(document: &serde_json::Value) -> Result<ExitCode, Failure> {
    print_exact(&json(document))
}

/// A JSON document as it is printed.
pub(super) fn json(document: &serde_json::Value) -> String {
    printable::json(&format!("{document:#}\n"))
}

/// The same on one line.
pub(super) fn json_line(document: &serde_json::Value) -> String {
    printable::json(&format!("{document}\n"))
}

/// Prints a failure to stderr.
pub(super) fn error(failure: &Failure) {
    let _ = io::stderr().lock().write_all(said(failure).as_bytes());
}

/// A failure as it is printed.
pub(super) fn said(failure: &Failure) -> String {
    // A name or an error may contain a line end.
    let message = if failure.is_listing { printable::lines } else { printable::line }(&failure.message);
    let mut text = format!("evercred: {message}\n");
    // Escaped control characters would make a command another one.
    if let Some(fix) = failure.fix.as_ref().filter(|fix| printable::line(fix) == **fix) {
        text.push_str(&format!("fix: {fix}\n"));
    } else if let Some(see) = &failure.see {
        text.push_str(&format!("see: {}\n", printable::line(see)));
    }
    text
}

/// Whether stdout is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stdout may have colours.
pub(super) fn colour(environment: &Environment) -> bool {
    may_colour(is_terminal(), &|name| environment.get(name))
}

/// The rule of <https://no-color.org> and <https://bixense.com/clicolors>: NO_COLOR first, then CLICOLOR_FORCE, then the terminal.
fn may_colour<'a>(is_terminal: bool, variable: &dyn Fn(&str) -> Option<&'a str>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_COLOR") {
        return false;
    }
    let is_forced = variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    is_forced || (is_terminal && variable("TERM") != Some("dumb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_no_color_then_clicolor_force_then_the_terminal() {
        let may = |is_terminal, set: &[(&'static str, &'static str)]| {
            may_colour(is_terminal, &|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
        };
        assert!(may(true, &[]) && may(true, &[("NO_COLOR", "")]) && may(true, &[("CLICOLOR_FORCE", "0")]));
        assert!(!may(false, &[]) && !may(true, &[("TERM", "dumb")]) && !may(true, &[("NO_COLOR", "1")]));
        assert!(may(false, &[("CLICOLOR_FORCE", "1")]) && may(true, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]));
        assert!(!may(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    }
}
