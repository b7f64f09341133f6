//! How a command fails: a sentence, what to do, and an exit code.

use crate::platform::service_manager;
use crate::wire::{ErrorKind, WireError};

/// Something needs attention, or it failed.
pub(super) const ATTENTION: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;
/// The daemon can't be reached.
pub(super) const UNREACHABLE: u8 = 3;
/// The profile does not exist.
pub(super) const NO_PROFILE: u8 = 4;
/// A person must log in.
pub(super) const LOGIN: u8 = 5;

/// The command that starts the daemon: as a service if there is a service manager.
pub(super) fn start() -> &'static str {
    if service_manager::is_here() { "evercred service install" } else { "evercredd" }
}

/// The command by which the service manager restarts the daemon.
fn restart() -> Option<&'static str> {
    let command = if cfg!(target_os = "macos") {
        "launchctl kickstart -k gui/$(id -u)/evercred.evercredd"
    } else {
        "systemctl --user restart evercredd"
    };
    service_manager::is_here().then_some(command)
}

/// Why a command ends without having done what it should.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What failed, and why.
    pub(super) message: String,
    /// The command that works as printed, or the edit with file and line; none where there is no such thing.
    pub(super) fix: Option<String>,
    /// Where more is said, if there is no fix.
    pub(super) see: Option<String>,
    /// The exit code.
    pub(super) exit: u8,
    /// Whether the message has several lines.
    pub(super) is_listing: bool,
}

impl Failure {
    pub(super) fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), fix: None, see: None, exit, is_listing: false }
    }

    /// A failure with a message of several lines: the mistakes in a file, each with its line number.
    pub(super) fn listing(exit: u8, message: impl Into<String>) -> Self {
        Self { is_listing: true, ..Self::new(exit, message) }
    }

    #[must_use]
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The fix is a restart of the daemon.
    #[must_use]
    pub(super) fn restart(self) -> Self {
        Self { fix: restart().map(str::to_owned), ..self }
    }

    #[must_use]
    pub(super) fn see(mut self, see: impl Into<String>) -> Self {
        self.see = Some(see.into());
        self
    }

    /// What the daemon said, for something that a person asked for.
    pub(super) fn from_daemon(what: &str, error: WireError) -> Self {
        let exit = match error.kind {
            ErrorKind::MissingProfile => NO_PROFILE,
            ErrorKind::NeedsLogin => LOGIN,
            ErrorKind::UnreadableFile
            | ErrorKind::WrongFiles
            | ErrorKind::Unsupported
            | ErrorKind::Malformed
            | ErrorKind::Failed => ATTENTION,
        };
        let is_other_version = matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Malformed);
        let failure = Self { see: error.see, ..Self::new(exit, format!("{what}: {}", error.message)) };
        match error.fix {
            Some(fix) => failure.fix(fix),
            None if is_other_version => failure.restart(),
            None => failure,
        }
    }
}
