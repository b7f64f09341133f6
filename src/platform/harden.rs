//! What a program that holds secrets does first of all.

use std::io;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Makes the process not dumpable, forbids core files, and lets new files be its owner's alone.
///
/// Not dumpable means on Linux: no core file whatever the limits say, no `ptrace` and no `/proc/PID/mem` by other
/// processes of the same user. macOS has no such switch; there core files are forbidden, and reading another
/// process needs an entitlement.
///
/// # Errors
/// The first step that the system refused; the steps after it are still taken.
pub fn harden() -> io::Result<()> {
    // Never fails, and what it replaces is of no interest.
    umask(Mode::RWXG | Mode::RWXO);
    let no_core = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let not_dumpable = forbid_dumps();
    no_core?;
    not_dumpable
}

/// The part of [`harden`] that a command which becomes another program can take: neither limits nor umask are passed on.
///
/// # Errors
/// The system refused.
#[cfg(target_os = "linux")]
pub fn forbid_dumps() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The part of [`harden`] that a command which becomes another program can take; macOS has none.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn forbid_dumps() -> io::Result<()> {
    Ok(())
}

/// Whether this process, and so what it starts, may not make every system call: a service manager's unit may say so.
/// Linux only; elsewhere never.
pub fn is_restricted() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn a_hardened_process_leaves_no_dump() {
        harden().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        assert_eq!(umask(Mode::RWXG | Mode::RWXO), Mode::RWXG | Mode::RWXO);
        // The other tests of this process are not hardened.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        umask(Mode::WGRP | Mode::WOTH);
    }
}
