//! Finds the cache files with left-overs. One listing of a directory serves all of its files until the directory
//! changes: there may be thousands of files and left-overs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::session::{MARK, is_left_over};
use crate::core::time::WallTime;
use crate::platform::cache_access::CacheFiles;

/// The minimum time between the last change of a directory and a listing that counts. A change in the same tick of the
/// file system's clock leaves the same time stamp.
const LONGEST_TICK_MILLIS: i64 = 3_000;

/// The listings of all directories.
#[derive(Default)]
pub(super) struct LeftOverIndex {
    directories: Mutex<BTreeMap<PathBuf, Arc<Mutex<Option<Listing>>>>>,
}

/// The left-overs in one directory.
struct Listing {
    version: Version,
    names: BTreeSet<String>,
}

/// Changes with each creation, removal and renaming in a directory. Another directory at the same path has another
/// value.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl LeftOverIndex {
    /// Whether there are left-overs beside a cache file. `now` is the time before the call.
    pub(super) fn has_left_overs(&self, files: &mut CacheFiles, path: &Path, now: WallTime) -> bool {
        let target = files.resolved(path);
        let (Some(directory), Some(name)) = (target.parent(), target.file_name().and_then(|name| name.to_str())) else {
            return false;
        };
        let Some(version) = Version::of(directory) else { return false };
        let listing = {
            let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(directories.entry(directory.to_owned()).or_default())
        };
        // Locked while the directory is listed, so that all waiting threads share the listing.
        let mut listing = listing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = listing.as_ref().filter(|listing| listing.version == version) {
            return listing.has(name);
        }
        let new = Listing { version, names: names(directory) };
        let has = new.has(name);
        let counts = version.is_settled(now) && Version::of(directory) == Some(version);
        *listing = counts.then_some(new);
        has
    }
}

impl Listing {
    fn has(&self, file: &str) -> bool {
        let from = (Bound::Included(file), Bound::Unbounded);
        let mut suffixes = self.names.range::<str, _>(from).map_while(|name| name.strip_prefix(file));
        suffixes.any(is_left_over)
    }
}

impl Version {
    fn of(directory: &Path) -> Option<Self> {
        let metadata: Metadata = directory.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether a later change gets another time stamp.
    fn is_settled(self, now: WallTime) -> bool {
        let seconds = self.modified.0.max(self.changed.0);
        seconds.saturating_mul(1_000).saturating_add(LONGEST_TICK_MILLIS) <= now.as_millis()
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.contains(MARK)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn put(path: &Path) {
        File::create(path).unwrap();
    }

    /// A directory, its cache file, and a time long after the last change.
    fn directory() -> (tempfile::TempDir, PathBuf, WallTime) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        put(&path);
        let later = WallTime::from_millis(i64::MAX);
        (directory, path, later)
    }

    fn reads_listing(index: &LeftOverIndex, directory: &Path) -> bool {
        let directories = index.directories.lock().unwrap();
        directories[&directory.canonicalize().unwrap()].lock().unwrap().is_some()
    }

    #[test]
    fn one_listing_serves_until_something_in_the_directory_changes() {
        let (directory, path, later) = directory();
        let index = LeftOverIndex::default();
        assert!(!index.has_left_overs(&mut CacheFiles::default(), &path, later));
        assert!(reads_listing(&index, directory.path()));
        // The cached listing does not show it, a new one does.
        let listed = index.directories.lock().unwrap().values().next().unwrap().clone();
        listed.lock().unwrap().as_mut().unwrap().names.insert("a.json.evercred-7-ab-cd".to_owned());
        assert!(index.has_left_overs(&mut CacheFiles::default(), &path, later));
        // So that the directory's time stamps differ.
        while Version::of(directory.path()).unwrap() == listed.lock().unwrap().as_ref().unwrap().version {
            put(&directory.path().join("other"));
            std::fs::remove_file(directory.path().join("other")).unwrap();
        }
        assert!(!index.has_left_overs(&mut CacheFiles::default(), &path, later), "the directory was listed again");
    }

    #[test]
    fn a_listing_in_the_tick_of_a_change_is_used_once() {
        let (directory, path, _) = directory();
        let index = LeftOverIndex::default();
        let changed = directory.path().metadata().unwrap().mtime() * 1_000;
        for now in [changed, changed + 2_999, changed - 60_000] {
            assert!(!index.has_left_overs(&mut CacheFiles::default(), &path, WallTime::from_millis(now)));
            assert!(!reads_listing(&index, directory.path()), "{now}");
            put(&directory.path().join("a.json.evercred-7-ab-cd"));
            assert!(index.has_left_overs(&mut CacheFiles::default(), &path, WallTime::from_millis(now)), "{now}");
            std::fs::remove_file(directory.path().join("a.json.evercred-7-ab-cd")).unwrap();
        }
    }

    #[test]
    fn a_left_over_belongs_to_the_file_whose_name_it_begins_with() {
        let (directory, path, later) = directory();
        let index = LeftOverIndex::default();
        for name in ["a.json.evercred-lock", "a.json.evercred-kept", "aa.json.evercred-7", "b.json.evercred-7"] {
            put(&directory.path().join(name));
        }
        assert!(!index.has_left_overs(&mut CacheFiles::default(), &path, later));
        assert!(
            index.has_left_overs(&mut CacheFiles::default(), &directory.path().join("b.json"), later),
            "also without the file itself"
        );
        assert!(!index.has_left_overs(&mut CacheFiles::default(), &directory.path().join("nowhere/c.json"), later));
    }

    #[test]
    fn a_linked_file_has_its_left_overs_beside_its_target() {
        let (directory, path, later) = directory();
        let links = tempfile::tempdir().unwrap();
        let link = links.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        put(&directory.path().join("a.json.evercred-7-ab-cd"));
        assert!(LeftOverIndex::default().has_left_overs(&mut CacheFiles::default(), &link, later));
    }
}
