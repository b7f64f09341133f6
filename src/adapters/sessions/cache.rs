//! The AWS tools' cache folders: files that other programs write without a lock, some of them in place.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{self, Replaced};
use super::left_over_index::LeftOverIndex;
use crate::adapters::{clock, file};
use crate::core::location::CachePaths;
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheFolder, CacheProblem, Found, Session};
use crate::platform::cache_access::{self, CacheFiles};

/// A token file has a few kilobytes.
const LARGEST: u64 = 1024 * 1024;
/// As often a file that is being written is read again.
const READ_AGAIN: usize = 20;

/// For how long an empty or half file is read again before it is taken for what it is.
const SETTLE_PAUSE: Duration = Duration::from_millis(100);
const SETTLE_LOOKS: u32 = 15;
/// How often a lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A lock on one session.
pub(super) enum Lock {
    /// It is ours until it is dropped.
    Held(File),
    /// There are no locks here.
    None,
    /// Another process has held it for longer than was waited.
    Busy(Holder),
}

/// Who holds a lock.
pub(super) struct Holder {
    /// Its process id, where it is known.
    id: Option<String>,
    /// It is an evercred of this machine that was stopped with a signal.
    is_paused: bool,
}

impl Holder {
    fn of(id: Option<String>) -> Self {
        let of_process = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", id.as_deref()?)).ok();
        let is_ours = of_process("comm").is_some_and(|name| name.starts_with("evercred"));
        // Behind the name in parentheses stands the state (proc(5)).
        let state = of_process("stat").and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
        let is_paused = is_ours && matches!(state, Some('T' | 't'));
        Self { id, is_paused }
    }

    /// The holder for a sentence.
    pub(super) fn described(&self) -> String {
        let paused = if self.is_paused { ", which is paused," } else { "" };
        self.id.as_ref().map_or_else(|| "another process".to_owned(), |id| format!("the process {id}{paused}"))
    }

    /// The command that lets it go on.
    pub(super) fn fix(&self) -> Option<String> {
        self.id.as_ref().filter(|_| self.is_paused).map(|id| format!("kill -CONT {id}"))
    }
}

/// The folders.
#[derive(Clone)]
pub(super) struct Cache {
    paths: CachePaths,
    left_overs: Arc<LeftOverIndex>,
}

impl Cache {
    pub(super) fn new(paths: CachePaths) -> Self {
        Self { paths, left_overs: Arc::default() }
    }

    pub(super) fn path(&self, file: &CacheFile) -> PathBuf {
        let folder = match file.folder {
            CacheFolder::Sso => &self.paths.sso,
            CacheFolder::Login => &self.paths.login,
        };
        folder.join(&file.name)
    }

    /// What is in a file now.
    pub(super) async fn read(&self, file: &CacheFile) -> Found {
        let path = self.path(file);
        pooled(move || read(&path)).await.unwrap_or_else(|| Found::Unreadable("it was not read in time".to_owned()))
    }

    /// What is in a file once whoever is writing it is done: an empty or half one is read again, for a while. `is_whole` says
    /// whether a text is anything.
    pub(super) async fn read_settled(&self, file: &CacheFile, is_whole: impl Fn(&str) -> bool) -> Found {
        for _ in 0..SETTLE_LOOKS {
            match self.read(file).await {
                Found::Text(text) if !is_whole(text.expose()) => {}
                Found::Unreadable(_) => {}
                found => return found,
            }
            pause(SETTLE_PAUSE).await;
        }
        self.read(file).await
    }

    /// A lock that other evercreds respect, wherever they run with the same home. Where none can be had (no directory, a file
    /// system without locks), there is nothing but the looks at the file itself. Each holder keeps it for one call at most.
    pub(super) async fn lock(&self, file: &CacheFile, patience: Duration) -> Lock {
        let path = self.path(file);
        let Some(mut lock) = pooled(move || exchange::open_lock(&path)).await.flatten() else { return Lock::None };
        let mut waited = Duration::ZERO;
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    // The id is a note for others: a full disk takes nothing away.
                    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
                    return Lock::Held(lock);
                }
                Err(TryLockError::Error(_)) => return Lock::None,
                Err(TryLockError::WouldBlock) if waited >= patience => {
                    let mut holder = String::new();
                    let _ = lock.rewind().and_then(|()| (&lock).take(16).read_to_string(&mut holder));
                    let holder = holder.trim();
                    let is_id = !holder.is_empty() && holder.chars().all(|c| c.is_ascii_digit());
                    return Lock::Busy(Holder::of(is_id.then(|| holder.to_owned())));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            pause(LOCK_PAUSE).await;
            waited += LOCK_PAUSE;
        }
    }

    /// Why a file can't be replaced, as far as its metadata shows. Nothing is written.
    pub(super) async fn problem(&self, file: &CacheFile) -> Option<Box<CacheProblem>> {
        self.problems(vec![file.clone()]).await.pop()?.1
    }

    /// Why each of some files can't be replaced, as far as their metadata shows. Nothing is written.
    pub(super) async fn problems(&self, files: Vec<CacheFile>) -> Vec<(CacheFile, Option<Box<CacheProblem>>)> {
        let this = self.clone();
        let mut known = CacheFiles::default();
        let check = move |file: CacheFile| {
            let problem = known.problem(&this.path(&file)).map(Box::new);
            (file, problem)
        };
        pooled(move || files.into_iter().map(check).collect()).await.unwrap_or_default()
    }

    /// The current content of each file; `None` if a stopped evercred left a temporary file beside it.
    pub(super) async fn read_all(&self, files: Vec<CacheFile>) -> Vec<(CacheFile, Option<Found>)> {
        let this = self.clone();
        let mut known = CacheFiles::default();
        let read_one = move |file: CacheFile| {
            let path = this.path(&file);
            let has_left_overs = this.left_overs.has_left_overs(&mut known, &path, clock::read().wall);
            (file, (!has_left_overs).then(|| read(&path)))
        };
        pooled(move || files.into_iter().map(read_one).collect()).await.unwrap_or_default()
    }

    /// Finds out whether a file can be replaced, by writing one beside it.
    pub(super) async fn try_out(&self, file: &CacheFile) -> Result<(), Box<CacheProblem>> {
        let path = self.path(file);
        pooled(move || exchange::try_out(&path)).await.unwrap_or(Ok(()))
    }

    /// Brings in order what an evercred that was stopped left beside a file. Under the session's lock.
    pub(super) async fn recover(&self, session: &Session) {
        let (path, session) = (self.path(&session.cache_file()), session.clone());
        pooled(move || exchange::recover(&path, &session)).await;
    }

    /// Puts a text in place of what was found, if that is what is still there; whole or not at all.
    pub(super) async fn replace(&self, file: &CacheFile, text: &Secret, over: &Found, set_aside: bool) -> Replaced {
        let (path, text, over) = (self.path(file), text.clone(), over.clone());
        let replaced = pooled(move || exchange::replace(&path, text.expose(), &over, set_aside)).await;
        replaced.unwrap_or_else(|| Replaced::Failed("it was not written in time".to_owned()))
    }

    /// Writes a file over any other. `keep` says whether a copy of the old one stays beside it.
    pub(super) async fn write(
        &self,
        file: &CacheFile,
        text: &Secret,
        keep: impl Fn(&Found) -> bool + Send + 'static,
    ) -> Result<(), String> {
        let (path, text) = (self.path(file), text.clone());
        let written = pooled(move || exchange::write(&path, text.expose(), &keep)).await;
        written.unwrap_or_else(|| Err("it was not written in time".to_owned()))
    }

    /// Removes a file and the left-overs beside it. A missing file is no error.
    pub(super) async fn remove(&self, file: &CacheFile) -> Result<(), String> {
        let path = self.path(file);
        let shown = path.display().to_string();
        let removed = pooled(move || {
            exchange::remove_beside(&path);
            // Behind a symbolic link it is the file that holds the token.
            let target = cache_access::resolved(&path);
            let removed = std::fs::remove_file(&target);
            if target != path { removed.and_then(|()| std::fs::remove_file(path)) } else { removed }
        });
        match removed.await {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{shown} can't be removed: {error}"))
            }
            _ => Ok(()),
        }
    }
}

/// What other programs do with a file or a lock can't be awaited: it is looked at again.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing tells when another program has written a file or given up a lock"
)]
async fn pause(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// On the blocking pool; `None` when the program is ending.
async fn pooled<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Decodes the bytes of a cache file.
pub fn text_of(bytes: &[u8]) -> Found {
    if bytes.len() as u64 > LARGEST {
        return Found::Unreadable(file::too_large(LARGEST).to_string());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Found::Text(Secret::new(text)),
        Err(_) => Found::Unreadable("it is not UTF-8 text".to_owned()),
    }
}

pub(super) fn read(path: &Path) -> Found {
    let mut busy = None;
    for _ in 0..READ_AGAIN {
        match file::read(path, LARGEST) {
            Ok(None) => return Found::Missing,
            Ok(Some(bytes)) => return text_of(&bytes),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => busy = Some(error),
            Err(error) => return Found::Unreadable(error.to_string()),
        }
    }
    Found::Unreadable(busy.map_or_else(String::new, |error| error.to_string()))
}
