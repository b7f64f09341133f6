//! What the system tells about files that change.

/// Whether the system says when a writer closes a file. Linux's inotify does, macOS's FSEvents does not; without it, a file
/// that is being written can only be told from one that was written by waiting for quiet.
pub const TELLS_CLOSE: bool = cfg!(target_os = "linux");
