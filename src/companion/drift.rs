//! What the daemon can't see of itself: that something else stands where it was started from, and that this shell goes another
//! way to AWS than the daemon does.

use std::path::Path;

use super::service::drift_of_network;
use crate::core::cause::Cause;
use crate::platform::environment::Environment;
use crate::platform::program;
use crate::wire::{ProblemEntry, StatusDocument};

/// What a person should know besides what the daemon says.
pub(super) fn problems(environment: &Environment, document: &StatusDocument) -> Vec<ProblemEntry> {
    let differs = drift_of_network(environment, document).map(|message| ProblemEntry {
        id: Cause::DaemonEnvironmentDiffers.name().to_owned(),
        message: format!("{message}; \"evercred service status\" shows both"),
        file: None,
        line: None,
        fix: None,
    });
    program_replaced(document).into_iter().chain(differs).collect()
}

/// That something else stands where the daemon was started from.
pub(super) fn program_replaced(document: &StatusDocument) -> Option<ProblemEntry> {
    let program = document.daemon.program.as_ref()?;
    let found = program::identity(Path::new(&program.path));
    if found.as_ref() == Some(&program.identity) {
        return None;
    }
    let what = if found.is_some() { "was replaced" } else { "is gone" };
    Some(ProblemEntry {
        id: "program-replaced".to_owned(),
        message: format!("{} {what}; the daemon that runs is still version {}", program.path, document.daemon.version),
        file: None,
        line: None,
        fix: Some(program.restart.clone()),
    })
}
