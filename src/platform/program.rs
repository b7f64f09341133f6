//! Which file this program was started from, and whether it is still the same.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The path of this program as it was called, absolute. Links are left as they are: an upgrade moves them.
pub fn path() -> Option<PathBuf> {
    match called().filter(|_| was_called_by_path()) {
        Some(called) => std::path::absolute(called).ok(),
        None => std::env::current_exe().ok(),
    }
}

/// Whether it was called by a path, and not by a name that was looked for on PATH.
pub fn was_called_by_path() -> bool {
    called().is_some_and(|called| called.components().count() > 1)
}

fn called() -> Option<PathBuf> {
    std::env::args_os().next().map(PathBuf::from)
}

/// What tells a file from one that took its place: device, inode, size and time of change. `None` where there is none.
pub fn identity(path: &Path) -> Option<String> {
    let file = path.metadata().ok()?;
    Some(format!("{:x}:{:x}:{:x}:{:x}.{:x}", file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_found_and_is_itself() {
        let path = path().unwrap();
        assert!(path.is_absolute());
        assert!(identity(&path).is_some() && identity(&path) == identity(&path));
    }

    #[test]
    fn a_file_that_took_the_place_of_another_is_another_also_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new, link) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("link"));
        std::fs::File::create(&old).unwrap();
        std::fs::File::create(&new).unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let before = identity(&link);
        assert_eq!(before, identity(&old));
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&new, &link).unwrap();
        assert_ne!(before, identity(&link));
        std::fs::remove_file(&new).unwrap();
        assert_eq!(identity(&link), None);
    }
}
