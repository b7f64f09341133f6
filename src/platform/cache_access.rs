//! Collects the facts that decide whether a cache file can be replaced.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::user_database::user_name;
use crate::core::session::{Access, CacheAccess, CacheFileFacts, CacheProblem};

/// The kernel follows as many (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Looks at cache files, and at each of their directories once: thousands of files are in one directory.
#[derive(Default)]
pub struct CacheFiles {
    /// The directories without symbolic links in their paths; `None` if a directory does not exist.
    resolved: HashMap<PathBuf, Option<PathBuf>>,
    facts: HashMap<PathBuf, DirectoryFacts>,
}

/// What decides whether a file can be created in a directory.
#[derive(Clone)]
struct DirectoryFacts {
    /// The nearest directory that exists.
    nearest: PathBuf,
    owner: u32,
    mode: u32,
    access: Access,
}

impl CacheFiles {
    /// Why a cache file can't be replaced, as far as its metadata shows.
    pub fn problem(&mut self, path: &Path) -> Option<CacheProblem> {
        self.look(path).problem(user_name)
    }

    /// Reads the metadata of a cache file and its directory. It changes nothing.
    pub fn look(&mut self, link: &Path) -> CacheAccess {
        let (target, is_link) = self.follow(link);
        // A link to a device is a fault of the link, and its target is to be left alone.
        let path = if target.metadata().is_ok_and(|found| !found.is_file()) { link.to_owned() } else { target };
        let DirectoryFacts { nearest, owner, mode, access } = self.directory(&path);
        CacheAccess {
            file: std::fs::symlink_metadata(&path).ok().map(|metadata| file_facts(&path, &metadata)),
            directory: nearest.display().to_string(),
            directory_owner: owner,
            directory_mode: mode,
            directory_access: if is_link { missing_target(link, &path).unwrap_or(access) } else { access },
            path: path.display().to_string(),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// As [`resolved`].
    pub fn resolved(&mut self, path: &Path) -> PathBuf {
        self.follow(path).0
    }

    /// The file that a path leads to, and whether the path is a symbolic link.
    fn follow(&mut self, path: &Path) -> (PathBuf, bool) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return (resolved(path), false) };
        let directory = match self.resolved.get(parent) {
            Some(directory) => directory,
            None => self.resolved.entry(parent.to_owned()).or_insert_with(|| std::fs::canonicalize(parent).ok()),
        };
        let Some(directory) = directory else { return (path.to_owned(), false) };
        let target = directory.join(name);
        if target.is_symlink() { (resolved(path), true) } else { (target, false) }
    }

    fn directory(&mut self, file: &Path) -> DirectoryFacts {
        let directory = file.parent().unwrap_or(file);
        match self.facts.get(directory) {
            Some(facts) => facts.clone(),
            None => self.facts.entry(directory.to_owned()).or_insert_with(|| DirectoryFacts::of(directory)).clone(),
        }
    }
}

impl DirectoryFacts {
    fn of(directory: &Path) -> Self {
        let (nearest, metadata) = nearest_directory(directory);
        let (owner, mode) = metadata.as_ref().map_or((0, 0), |metadata| (metadata.uid(), metadata.mode() & 0o7777));
        let access = dangling_directory(directory, &nearest).unwrap_or_else(|| match metadata {
            Ok(metadata) if !metadata.is_dir() => Access::NotADirectory,
            Ok(_) => may_write(&nearest),
            Err(error) => Access::Refused(error.to_string()),
        });
        Self { nearest, owner, mode, access }
    }
}

/// Reads the metadata of one cache file and its directory. It changes nothing.
pub fn look(path: &Path) -> CacheAccess {
    CacheFiles::default().look(path)
}

/// Why a cache file can't be replaced, as far as its metadata shows.
pub fn problem(path: &Path) -> Option<CacheProblem> {
    CacheFiles::default().problem(path)
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

/// The directory that is missing behind a symbolic link to a file.
fn missing_target(link: &Path, target: &Path) -> Option<Access> {
    let directory = target.parent().filter(|directory| !directory.exists())?;
    Some(dangling(link, directory))
}

/// The symbolic link among the missing directories on the way to a directory. `nearest` is the nearest one that exists.
fn dangling_directory(directory: &Path, nearest: &Path) -> Option<Access> {
    let missing = directory.ancestors().take_while(|directory| *directory != nearest);
    missing.filter(|directory| directory.is_symlink()).last().map(|link| dangling(link, &resolved(link)))
}

fn dangling(link: &Path, directory: &Path) -> Access {
    Access::Dangling { link: link.display().to_string(), directory: directory.display().to_string() }
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

/// The directory, or the nearest one above it that exists.
fn nearest_directory(directory: &Path) -> (PathBuf, io::Result<Metadata>) {
    let mut directory = directory.to_owned();
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
