//! How a command fails: a sentence, what to do, and an exit code.

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

/// Restarts the daemon, as its service manager does it.
pub(super) const RESTART: &str = if cfg!(target_os = "macos") {
    "launchctl kickstart -k gui/$(id -u)/evercred.evercredd"
} else {
    "systemctl --user restart evercredd"
};

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
        // A daemon of another version.
        let restart = matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Malformed).then(|| RESTART.to_owned());
        Self { fix: error.fix.or(restart), ..Self::new(exit, format!("{what}: {}", error.message)) }
    }
}
