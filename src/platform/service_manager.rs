//! The user's service manager: launchd, or systemd.

use std::path::Path;

/// Whether there is one. systemd is there if it is the first process, as sd_booted(3) finds out.
pub fn is_here() -> bool {
    cfg!(target_os = "macos") || Path::new("/run/systemd/system").is_dir()
}
