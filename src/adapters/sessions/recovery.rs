//! Recovers cache directories after a killed daemon, while no daemon runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cache::{Cache, Lock, read};
use super::{LONGEST_LOCKED, exchange};
use crate::core::location::CachePaths;
use crate::core::session::{CacheFile, CacheFolder, Found, MARK, Session, is_left_over};
use crate::platform::cache_access;

/// Writes newer tokens that a killed daemon left beside cache files into those files, and removes the other left-overs.
/// `known` has the sessions of the AWS files by the names of their cache files; any other session is read from its
/// token. Left-overs stay if another process holds the lock, or if the file can't be replaced.
pub async fn recover(directory: &Path, known: &BTreeMap<String, Session>) {
    let cache = Cache::new(CachePaths { sso: directory.to_owned(), login: directory.to_owned() });
    for (name, left) in left_overs(directory) {
        let file = CacheFile { folder: CacheFolder::Sso, name };
        let session = known.get(&file.name).cloned().or_else(|| {
            let texts = left.iter().map(|path| read(path)).chain([read(&directory.join(&file.name))]);
            let sessions = texts.into_iter().filter_map(|found| match found {
                Found::Text(text) => Session::of_token(text.expose()),
                Found::Missing | Found::Unreadable(_) => None,
            });
            sessions.max_by_key(|session| !session.label().is_empty())
        });
        let Some(session) = session else { continue };
        // On a file system without locks, no other evercred can hold one.
        if !matches!(cache.lock(&file, LONGEST_LOCKED).await, Lock::Busy(_)) {
            let path = cache_access::resolved(&directory.join(&file.name));
            let _ = tokio::task::spawn_blocking(move || exchange::recover(&path, &session)).await;
        }
    }
}

/// The names of the cache files that have left-overs, each with its left-overs.
fn left_overs(directory: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((file, rest)) = name.to_str().and_then(|name| name.split_once(MARK)) else { continue };
        if is_left_over(&format!("{MARK}{rest}")) {
            found.entry(file.to_owned()).or_default().push(entry.path());
        }
    }
    found
}
