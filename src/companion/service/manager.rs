//! What runs the service, one of two.

use std::path::PathBuf;

use super::host::Host;
use super::launchd::Launchd;
use super::systemd::Systemd;
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::service::agent;
use crate::core::service::unit::{self, Filling};

/// Which kind of service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Systemd,
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
        let wrong =
            |why: String| Failure::new(ATTENTION, why).fix("install evercred, and name its folders, by other paths");
        match self {
            Self::Systemd => {
                let folder = folder.unwrap_or_else(|| host.home.join(".config/systemd/user"));
                let files = unit::files(filling).map_err(wrong)?.into_iter();
                Ok(files.map(|file| ServiceFile { path: folder.join(file.name), text: file.text }).collect())
            }
            Self::Launchd => {
                let log = host.home.join("Library/Logs/evercredd.log").display().to_string();
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

    /// Starts the service, or starts it anew.
    pub(super) fn start(&self, files: &[ServiceFile]) -> Result<(), String> {
        match (self, files.first()) {
            (Self::Systemd(systemd), _) => systemd.start(),
            (Self::Launchd(launchd), Some(file)) => launchd.start(&file.path.display().to_string()),
            (Self::Launchd(_), None) => Ok(()),
        }
    }

    /// Stops the service, now and at the next login.
    pub(super) fn stop(&self) -> Result<(), String> {
        match self {
            Self::Systemd(systemd) => systemd.stop(),
            Self::Launchd(launchd) => launchd.stop(),
        }
    }

    /// Starts the service anew as it was.
    pub(super) fn restart(&self) -> Result<(), String> {
        match self {
            Self::Systemd(systemd) => systemd.call(&["restart", unit::NAME]),
            Self::Launchd(launchd) => launchd.restart(),
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
