//! `evercred service`: the daemon as a service of the person's own, by systemd or launchd.

mod carried;
mod changes;
mod host;
mod install;
mod launchd;
mod manager;
mod status;
mod systemd;
mod tool;
mod uninstall;

use std::process::ExitCode;

use self::host::Host;
pub(super) use self::manager::Kind;
use super::failure::Failure;
use super::output;
use crate::platform::environment::Environment;

pub(super) use self::status::drift_of_network;

/// What `service` is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServiceCommand {
    /// Install it, or bring it up to date.
    Install {
        /// Set aside what stands in the way.
        force: bool,
        /// Variables to carry besides the usual ones.
        variables: Vec<String>,
    },
    /// Take it away.
    Uninstall {
        /// The state too.
        purge: bool,
    },
    /// How it stands.
    Status {
        /// For programs.
        json: bool,
    },
    /// What would be written, for this system or another.
    Print {
        /// For which manager.
        kind: Option<Kind>,
    },
}

/// Runs the command.
pub(super) fn service(environment: &Environment, command: &ServiceCommand) -> Result<ExitCode, Failure> {
    let (host, kind) = (Host::look(environment)?.with_installed()?, Kind::of_this_system());
    let changes = matches!(command, ServiceCommand::Install { .. } | ServiceCommand::Uninstall { .. });
    let _alone = if changes { host.alone()? } else { None };
    match command {
        ServiceCommand::Install { force, variables } => install::install(&host, kind, *force, variables),
        ServiceCommand::Uninstall { purge } => uninstall::uninstall(&host, kind, *purge),
        ServiceCommand::Status { json } => status::status(&host, kind, *json),
        ServiceCommand::Print { kind: other } => {
            let mut text = String::new();
            for file in install::would_write(&host, other.unwrap_or(kind))? {
                text.push_str(&format!("# {}\n{}\n", file.path.display(), file.text));
            }
            output::print_exact(&text)
        }
    }
}
