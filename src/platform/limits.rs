//! The limit of open file descriptors.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for every connection and call at once. A higher limit slows programs that close every descriptor.
const WANTED: u64 = 4096;

/// The original limit of this process, if it was raised.
static INHERITED: OnceLock<Rlimit> = OnceLock::new();

/// The minimum for the daemon: its own files, a call to AWS with its name look-up, a program with its pipes, and a caller.
pub const LEAST_DESCRIPTORS: u64 = 48;

/// Raises the soft limit of open descriptors towards the hard one, and returns the limit in force.
pub fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else { return WANTED };
    let wanted = limit.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if current >= wanted {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        Ok(()) => {
            let _ = INHERITED.set(limit);
            wanted
        }
        Err(_) => current,
    }
}

/// Restores this process's original limit for a child process: some programs can't use
/// descriptors above 1023 (`select`).
#[expect(unsafe_code, reason = "what a child process does before it becomes another program is unsafe to say")]
pub fn restore_in_child(command: &mut tokio::process::Command) {
    let Some(limit) = INHERITED.get().copied() else { return };
    // SAFETY: between fork and exec only a system call is made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || setrlimit(Resource::Nofile, limit).map_err(io::Error::from));
    }
}
