//! What the daemon can't see of itself: that something else stands where it was started from.

use std::path::Path;

use crate::platform::program;
use crate::wire::{ProblemEntry, StatusDocument};

/// What a person should know besides what the daemon says.
pub(super) fn problems(document: &StatusDocument) -> Vec<ProblemEntry> {
    program_replaced(document).into_iter().collect()
}

fn program_replaced(document: &StatusDocument) -> Option<ProblemEntry> {
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
