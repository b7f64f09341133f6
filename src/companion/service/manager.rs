//! What runs the service, one of two.

use std::path::PathBuf;

use super::host::Host;
use super::launchd::Launchd;
use super::systemd::{Systemd, Unit};
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::service::agent;
use crate::core::service::unit::{self, Filling};

/// Which kind of service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::companion) enum Kind {
    /// Linux's.
    Systemd,
    /// macOS's.
    Launchd,
}

impl Kind {
    pub(super) fn of_this_system() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }

    /// The files of an installation. `folder` is that of systemd's units.
    pub(super) fn files(
        self,
        host: &Host,
        filling: &Filling,
        folder: Option<PathBuf>,
    ) -> Result<Vec<ServiceFile>, Failure> {
        let wrong = |why: String| Failure::new(ATTENTION, why);
        match self {
            Self::Systemd => {
                let folder = folder.unwrap_or_else(|| host.home.join(".config/systemd/user"));
                let files = unit::files(filling).map_err(wrong)?.into_iter();
                Ok(files.map(|file| ServiceFile { path: folder.join(file.name), text: file.text }).collect())
            }
            Self::Launchd => {
                let log = host.home.join(agent::LOG).display().to_string();
                let text = agent::text(&filling.program, &log, &filling.variables).map_err(wrong)?;
                Ok(vec![ServiceFile { path: host.home.join("Library/LaunchAgents").join(agent::FILE), text }])
            }
        }
    }
}

/// A file that tells the manager of the service.
pub(super) struct ServiceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// A manager that answers.
pub(super) enum Manager {
    Systemd(Systemd),
    Launchd(Launchd),
}

impl Manager {
    pub(super) fn find(host: &Host, kind: Kind) -> Result<Self, Failure> {
        match kind {
            Kind::Systemd => Systemd::find(host).map(Self::Systemd),
            Kind::Launchd => Launchd::find(host).map(Self::Launchd),
        }
    }

    /// What a service has in its environment without our doing.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match self {
            Self::Systemd(systemd) => systemd.variables.get(name).cloned(),
            Self::Launchd(launchd) => launchd.variable(name),
        }
    }

    /// The folder of systemd's units.
    pub(super) fn folder(&self, host: &Host) -> Option<PathBuf> {
        match self {
            Self::Systemd(systemd) => Some(systemd.folder(host)),
            Self::Launchd(_) => None,
        }
    }

    /// The daemon's process id, where the manager runs it.
    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Systemd(systemd) => systemd.show(unit::NAME).pid,
            Self::Launchd(launchd) => launchd.loaded().flatten(),
        }
    }

    /// How the service stands.
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Systemd(systemd) => Standing::Systemd(Box::new(systemd.standing())),
            Self::Launchd(launchd) => Standing::Launchd { is_loaded: launchd.loaded().is_some() },
        }
    }

    /// Starts the service, or starts it anew, from files of which some have `changed`.
    pub(super) fn start(&self, files: &[ServiceFile], changed: &[PathBuf]) -> Result<(), String> {
        match (self, files.first()) {
            (Self::Systemd(systemd), _) => systemd.start(changed.iter().any(|path| path.ends_with(unit::SOCKET_NAME))),
            (Self::Launchd(launchd), Some(file)) => launchd.start(&file.path.display().to_string()),
            (Self::Launchd(_), None) => Ok(()),
        }
    }

    /// Why a daemon that was started will not be ready, once that is certain.
    pub(super) fn has_failed(&self, host: &Host) -> Option<String> {
        match self {
            // It has waited until the daemon was ready.
            Self::Systemd(_) => Some("it gives no answer".to_owned()),
            Self::Launchd(launchd) => launchd.has_failed(host),
        }
    }

    /// Takes back what [`start`](Self::start) did, while the files are still there that it went by.
    pub(super) fn undo_start(&self, before: &Standing) -> Vec<String> {
        match (self, before) {
            (Self::Systemd(systemd), Standing::Systemd(units)) => systemd.undo_start(units),
            (Self::Launchd(launchd), _) => launchd.stop().err().into_iter().collect(),
            (Self::Systemd(_), Standing::Launchd { .. }) => Vec::new(),
        }
    }

    /// Lets the service stand as it did, when its files are again as they were.
    pub(super) fn stand_again(&self, before: &Standing, files: &[ServiceFile]) -> Vec<String> {
        match (self, before, files.first()) {
            (Self::Systemd(systemd), Standing::Systemd(units), _) => systemd.stand_again(units),
            (Self::Launchd(launchd), Standing::Launchd { is_loaded: true }, Some(file)) => {
                launchd.start(&file.path.display().to_string()).err().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Stops the service, now and at the next login.
    pub(super) fn stop(&self) -> Result<(), String> {
        match self {
            Self::Systemd(systemd) => systemd.stop(),
            Self::Launchd(launchd) => launchd.stop(),
        }
    }

    /// What a person types to see how the service stands.
    pub(super) fn how_to_look(&self) -> String {
        match self {
            Self::Systemd(_) => format!("systemctl --user status {}", unit::NAME),
            Self::Launchd(launchd) => format!("launchctl print {}", launchd.target()),
        }
    }

    /// What a person types to start it anew.
    pub(super) fn how_to_restart(&self) -> String {
        match self {
            Self::Systemd(_) => format!("systemctl --user restart {}", unit::NAME),
            Self::Launchd(launchd) => format!("launchctl kickstart -k {}", launchd.target()),
        }
    }

    /// Lets the manager see that files came or went.
    pub(super) fn reload(&self) -> Result<(), String> {
        match self {
            Self::Systemd(systemd) => systemd.call(&["daemon-reload"]),
            Self::Launchd(_) => Ok(()),
        }
    }
}

impl Standing {
    /// Whether all of it runs, and starts at each login.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Systemd(units) => units.iter().all(|unit| unit.active == "active" && unit.enabled != "disabled"),
            Self::Launchd { is_loaded } => *is_loaded,
        }
    }
}

/// How the service stood before anything was changed.
pub(super) enum Standing {
    /// The socket and the service.
    Systemd(Box<[Unit; 2]>),
    /// Whether the agent was in the session.
    Launchd { is_loaded: bool },
}
