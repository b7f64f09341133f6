//! Collects the facts that decide whether a cache file can be replaced.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::user_database::user_name;
use crate::core::session::{Access, CacheAccess, CacheFileFacts, CacheProblem};

/// Why a cache file can't be replaced, as far as its metadata shows.
pub fn problem(path: &Path) -> Option<CacheProblem> {
    look(path).problem(user_name)
}

/// The kernel follows as many (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Reads the metadata of a cache file and its directory. It changes nothing.
pub fn look(path: &Path) -> CacheAccess {
    let link = path;
    let target = resolved(path);
    // A link to a device is a fault of the link, and its target is to be left alone.
    let path = if target.is_file() || !target.exists() { target } else { path.to_owned() };
    let (directory, metadata) = nearest_directory(&path);
    let (directory_owner, directory_mode) =
        metadata.as_ref().map_or((0, 0), |metadata| (metadata.uid(), metadata.mode() & 0o7777));
    let directory_access = dangling(link, &path, &directory).unwrap_or_else(|| match metadata {
        Ok(metadata) if !metadata.is_dir() => Access::NotADirectory,
        Ok(_) => may_write(&directory),
        Err(error) => Access::Refused(error.to_string()),
    });
    CacheAccess {
        file: std::fs::symlink_metadata(&path).ok().map(|metadata| file_facts(&path, &metadata)),
        path: path.display().to_string(),
        directory: directory.display().to_string(),
        directory_owner,
        directory_mode,
        directory_access,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

/// The file that a path leads to through symbolic links, also if it does not exist yet.
pub fn resolved(path: &Path) -> PathBuf {
    if let Ok(target) = std::fs::canonicalize(path) {
        return target;
    }
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = std::fs::read_link(&target) else { break };
        target = target.parent().unwrap_or(Path::new("/")).join(next);
    }
    let directory = target.parent().and_then(|directory| std::fs::canonicalize(directory).ok());
    match (directory, target.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => target,
    }
}

/// What is missing behind a symbolic link: at the file itself, or at one of the directories above it. `nearest` is the nearest
/// one that exists.
fn dangling(link: &Path, target: &Path, nearest: &Path) -> Option<Access> {
    let dangling = |link: &Path, directory: &Path| Access::Dangling {
        link: link.display().to_string(),
        directory: directory.display().to_string(),
    };
    if let Some(directory) = target.parent()
        && link.is_symlink()
        && !directory.exists()
    {
        return Some(dangling(link, directory));
    }
    let missing = target.ancestors().skip(1).take_while(|directory| *directory != nearest);
    missing.filter(|directory| directory.is_symlink()).last().map(|link| dangling(link, &resolved(link)))
}

/// Whether the disk of a directory has no room for a new cache file.
pub fn lacks_space(directory: &Path) -> bool {
    /// The size of a file with a token.
    const ROOM: u64 = 4_096;
    let Ok(disk) = rustix::fs::statvfs(directory) else { return false };
    let blocks = if rustix::process::geteuid().is_root() { disk.f_bfree } else { disk.f_bavail };
    // A file system without a limit for its files has none of them.
    let lacks_files = disk.f_files > 0 && disk.f_ffree == 0;
    lacks_files || blocks.saturating_mul(disk.f_frsize) < ROOM
}

fn nearest_directory(path: &Path) -> (PathBuf, io::Result<Metadata>) {
    let mut directory = path.parent().unwrap_or(path).to_owned();
    loop {
        match directory.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match directory.parent() {
                Some(parent) => directory = parent.to_owned(),
                None => return (directory, Err(error)),
            },
            found => return (directory, found),
        }
    }
}

fn may_write(directory: &Path) -> Access {
    match rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) => Access::Granted,
        Err(Errno::ROFS) => Access::ReadOnly,
        Err(Errno::ACCESS | Errno::PERM) => Access::Denied,
        Err(error) => Access::Refused(error.to_string()),
    }
}

fn file_facts(path: &Path, metadata: &Metadata) -> CacheFileFacts {
    let kind = metadata.file_type();
    let not_regular = match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_symlink() => Some("a symbolic link that leads to no regular file"),
        () => Some("a device"),
    };
    let (mounted, immutable) = attributes(path);
    CacheFileFacts {
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        links: metadata.nlink(),
        not_regular,
        mounted,
        immutable,
    }
}

#[cfg(target_os = "linux")]
fn attributes(path: &Path) -> (bool, bool) {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    found.map_or((false, false), |found| {
        let has = |attribute| found.stx_attributes.contains(attribute);
        (has(StatxAttributes::MOUNT_ROOT), has(StatxAttributes::IMMUTABLE) || has(StatxAttributes::APPEND))
    })
}

#[cfg(not(target_os = "linux"))]
fn attributes(_path: &Path) -> (bool, bool) {
    (false, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_judged_by_the_nearest_one_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let found = look(&folder.path().join("sso/cache/token.json"));
        assert_eq!((found.directory.as_str(), &found.file), (folder.path().to_str().unwrap(), &None));
        assert_eq!(problem(&folder.path().join("sso/cache/token.json")), None);
    }

    #[test]
    fn a_link_to_a_missing_file_leads_to_the_file_that_will_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let (link, other) = (base.join("token.json"), base.join("other.json"));
        std::os::unix::fs::symlink("target.json", &other).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert_eq!(resolved(&link), base.join("target.json"));
        assert_eq!(problem(&link), None);

        let nowhere = base.join("nowhere.json");
        std::os::unix::fs::symlink("gone/below/target.json", &nowhere).unwrap();
        let of_nowhere = problem(&nowhere).unwrap();
        let directory = base.join("gone/below");
        assert_eq!(of_nowhere.fix, Some(format!("mkdir -p {}", directory.display())));
        assert!(!of_nowhere.is_not_regular);

        let circle = base.join("circle.json");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        assert!(problem(&circle).unwrap().is_not_regular);
    }

    #[test]
    fn a_link_to_a_missing_directory_is_named_with_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let directory = base.join("gone");
        std::os::unix::fs::symlink("gone", base.join("sso")).unwrap();
        for file in ["sso/token.json", "sso/cache/token.json"] {
            let problem = problem(&base.join(file)).unwrap();
            assert_eq!(problem.fix, Some(format!("mkdir -p {}", directory.display())), "{file}");
        }
        std::fs::create_dir(&directory).unwrap();
        assert_eq!(problem(&base.join("sso/cache/token.json")), None);
    }

    #[test]
    fn what_is_no_regular_file_and_what_has_two_names_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert!(problem(folder.path()).unwrap().is_not_regular);
        let (file, other) = (folder.path().join("token.json"), folder.path().join("other.json"));
        std::fs::File::create(&file).unwrap();
        assert_eq!(problem(&file), None);
        std::fs::hard_link(&file, &other).unwrap();
        assert!(problem(&file).unwrap().why.contains("hard links"));
    }
}
