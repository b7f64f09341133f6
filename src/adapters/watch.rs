//! Tells when the content of a file has changed, and what it is now.
//!
//! Events of the file system are hints, never news: a watch on a file dies when the file is replaced, a symbolic link's
//! target is not seen, a folder that is not there can't be watched, events are lost when too many come, and our own reading
//! makes events too. So the folders are watched, a hint leads to waiting until things have settled, then to reading, and only
//! another content is reported. A slow poll is the net below.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::file;
use super::watch_places::{Name, Places, all_places};
use crate::platform::{file_events, unreadable};

/// After the last sign of life.
const SETTLE: Duration = Duration::from_millis(150);
/// Signs of life without end, each change a whole one: read in between.
const SETTLE_AT_MOST: Duration = Duration::from_millis(600);
/// A file that lost its content is probably being written: truncated first, or removed to be made again.
const EMPTY: Duration = Duration::from_millis(700);
/// The delay before an empty file is read again.
const AGAIN: Duration = Duration::from_millis(20);
/// For a writer that has written and not closed the file, after its last write.
const WRITER: Duration = Duration::from_secs(2);
/// For a writer that never stops.
const WRITER_AT_MOST: Duration = Duration::from_secs(10);
/// The net for lost events.
const POLL: Duration = Duration::from_secs(300);
/// Where folders can't be watched at all.
const POLL_UNWATCHED: Duration = Duration::from_secs(10);
/// Far more than any settings file.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A file that has another content than when it was last reported.
pub struct FileChange {
    /// The path, as it was given.
    pub path: PathBuf,
    /// What is there now.
    pub content: FileContent,
}

/// What is at a path.
pub enum FileContent {
    /// No file.
    Missing,
    /// A file with these bytes.
    Text(Zeroizing<Vec<u8>>),
    /// Something that can't be read, and why: the end of a sentence that begins with its name.
    Unreadable(String),
}

/// Watches a few files. One clone runs, the others talk to it.
#[derive(Clone)]
pub struct FileWatcher {
    board: Arc<Board>,
    changes: mpsc::Sender<Vec<FileChange>>,
}

impl FileWatcher {
    /// A watcher that reports to `changes` once it runs. Files that changed together are reported together.
    pub fn new(paths: Vec<PathBuf>, changes: mpsc::Sender<Vec<FileChange>>) -> Self {
        let this = Self { board: Arc::default(), changes };
        this.set_paths(paths);
        this
    }

    /// Reports the content of every file once, also that there is none, and from then on every change. Ends when nobody listens
    /// any more.
    pub async fn run(self) {
        let Self { board, changes } = self;
        // By bytes: `Path` compares component by component, which takes long for thousands of files.
        let mut files: BTreeMap<OsString, Watched> = BTreeMap::new();
        let mut eyes = Eyes::new(Arc::clone(&board));
        let mut next_poll = Instant::now();
        board.lock().everything = true;
        while !changes.is_closed() {
            let hints = board.take();
            if let Some(paths) = hints.paths {
                let old = std::mem::take(&mut files);
                files = paths.iter().map(|path| (path.clone().into_os_string(), Watched::default())).collect();
                for (path, file) in old {
                    if let Some(same) = files.get_mut(&path) {
                        *same = file;
                    }
                }
                eyes.paths = paths;
            }
            let now = Instant::now();
            for path in hints.again {
                if let Some(file) = files.get_mut(path.as_os_str()) {
                    file.again = true;
                    file.touch(now, None);
                }
            }
            let everything = hints.everything || now >= next_poll;
            for (path, file) in &mut files {
                match hints.seen.get(Path::new(path)) {
                    Some(writing) => file.touch(now, *writing),
                    None if everything || file.reported.is_none() => file.touch(now, None),
                    None => {}
                }
            }
            let due = files.iter().filter(|(_, file)| file.is_due(now));
            let due: Vec<PathBuf> = due.map(|(path, _)| PathBuf::from(path)).collect();
            if due.is_empty() && !hints.structure && !everything {
                let pending = files.values().filter_map(Watched::due).min();
                let until = pending.map_or(next_poll, |due| due.min(next_poll));
                // Not a sleep: a hint ends it, and what is waited for otherwise is that the file is left alone.
                let _ = tokio::time::timeout_at(until, board.ring.notified()).await;
                continue;
            }
            // File work is for the blocking pool: a home folder on a network may hang.
            let looked = tokio::task::spawn_blocking(move || {
                eyes.open(hints.lost);
                let readings: Vec<_> = due.into_iter().map(|path| (eyes.read(&path), path)).collect();
                (eyes, readings)
            });
            // It fails when the runtime is going down.
            let Ok((back, readings)) = looked.await else { return };
            eyes = back;
            if everything {
                next_poll = Instant::now() + if eyes.blind { POLL_UNWATCHED } else { POLL };
            }
            let now = Instant::now();
            let change = |(reading, path): (_, PathBuf)| {
                let content = files.get_mut(path.as_os_str())?.judge(reading, now)?;
                Some(FileChange { path, content })
            };
            let changed: Vec<FileChange> = readings.into_iter().filter_map(change).collect();
            if !changed.is_empty() && changes.send(changed).await.is_err() {
                return;
            }
        }
    }

    /// Reads every file again; what has changed is reported.
    pub fn rescan(&self) {
        self.board.lock().everything = true;
        self.board.ring.notify_one();
    }

    /// Reports the content of these files once more, also where it has not changed: somebody has written them who must not
    /// miss what is done to them in the next moment.
    pub fn report_again(&self, paths: impl IntoIterator<Item = PathBuf>) {
        self.board.lock().again.extend(paths);
        self.board.ring.notify_one();
    }

    /// Watches these files from now on, and reports those that are new.
    pub fn set_paths(&self, paths: Vec<PathBuf>) {
        let mut hints = self.board.lock();
        hints.paths = Some(paths);
        hints.structure = true;
        drop(hints);
        self.board.ring.notify_one();
    }
}

/// Where hints are left for the watcher: what comes a thousand times stands here once.
#[derive(Default)]
struct Board {
    hints: Mutex<Hints>,
    interest: Mutex<Interest>,
    ring: Notify,
}

#[derive(Default)]
struct Hints {
    /// The files that something happened to, and whether somebody is writing one, where that was seen.
    seen: HashMap<PathBuf, Option<bool>>,
    /// Something happened on the way to a file: other folders may have to be watched.
    structure: bool,
    /// Watched folders that went away or were renamed.
    lost: BTreeSet<PathBuf>,
    /// Anything may have happened.
    everything: bool,
    /// Other files are to be watched.
    paths: Option<Vec<PathBuf>>,
    /// Files that are to be reported once more.
    again: HashSet<PathBuf>,
}

/// Which names concern which files.
#[derive(Default)]
struct Interest {
    folders: BTreeSet<PathBuf>,
    names: HashMap<PathBuf, Vec<(PathBuf, Name)>>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn interest(&self) -> MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Hints {
        std::mem::take(&mut *self.lock())
    }

    /// Called on the watcher's thread for every event in every watched folder; most of them concern nobody.
    fn hear(&self, event: notify::Result<notify::Event>) {
        let interest = self.interest();
        let mut hints = self.lock();
        match event {
            Ok(event) if event.need_rescan() => hints.everything = true,
            Ok(event) if is_reading(event.kind) => return,
            Ok(event) => {
                let mut concerned = false;
                for path in &event.paths {
                    concerned |= hints.note(&interest, path, event.kind);
                }
                if !concerned {
                    return;
                }
            }
            Err(_) => hints.everything = true,
        }
        drop(hints);
        self.ring.notify_one();
    }
}

impl Hints {
    fn note(&mut self, interest: &Interest, path: &Path, kind: EventKind) -> bool {
        let moves =
            matches!(kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        let is_folder = interest.folders.contains(path);
        if is_folder {
            self.everything = true;
            if moves && kind != EventKind::Create(CreateKind::Folder) {
                self.lost.insert(path.to_owned());
            }
        }
        let concerned = interest.names.get(path).map_or(&[][..], Vec::as_slice);
        for (file, name) in concerned {
            self.structure |= moves || *name == Name::Way;
            let writing = match (name, kind) {
                (Name::File, EventKind::Modify(ModifyKind::Data(_))) => Some(file_events::TELLS_CLOSE),
                (Name::File, EventKind::Access(_)) => Some(false),
                // Another file has this name now; whoever writes the old one writes it elsewhere.
                _ if moves => Some(false),
                _ => None,
            };
            let seen = self.seen.entry(file.clone()).or_default();
            *seen = writing.or(*seen);
        }
        is_folder || !concerned.is_empty()
    }
}

/// Opening and reading, by us or anybody. That a writer closed the file is no reading.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// One file, from the last report to the next.
#[derive(Default)]
struct Watched {
    reported: Option<Fingerprint>,
    unrest: Option<Unrest>,
    /// Reports the next reading even if nothing has changed.
    again: bool,
}

/// What was last reported. The content itself is not kept: it has secrets.
#[derive(PartialEq, Eq)]
enum Fingerprint {
    Missing,
    Content { digest: [u8; 32], empty: bool },
    Unreadable(String),
}

/// Something has happened, and it is not yet known what.
struct Unrest {
    first: Instant,
    last: Instant,
    writing: bool,
    not_before: Option<Instant>,
}

impl Watched {
    fn touch(&mut self, now: Instant, writing: Option<bool>) {
        let unrest = self.unrest.get_or_insert(Unrest { first: now, last: now, writing: false, not_before: None });
        unrest.last = now;
        unrest.writing = writing.unwrap_or(unrest.writing);
    }

    /// When to read.
    fn due(&self) -> Option<Instant> {
        let unrest = self.unrest.as_ref()?;
        if self.reported.is_none() && unrest.not_before.is_none() {
            return Some(unrest.first);
        }
        let due = if unrest.writing {
            (unrest.last + WRITER).min(unrest.first + WRITER_AT_MOST)
        } else {
            (unrest.last + SETTLE).min(unrest.first + SETTLE_AT_MOST)
        };
        Some(unrest.not_before.map_or(due, |moment| due.max(moment)))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// What to report, if anything: nothing where the content is the old one, or where it is too early to tell.
    fn judge(&mut self, reading: io::Result<FileContent>, now: Instant) -> Option<FileContent> {
        let unrest = self.unrest.as_mut()?;
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                let patience = if now > unrest.first + WRITER_AT_MOST { WRITER } else { SETTLE };
                unrest.not_before = Some(now + patience);
                return None;
            }
            Err(error) => FileContent::Unreadable(unreadable::why(&error)),
        };
        let found = Fingerprint::of(&reading);
        let emptied = found.is_empty() && self.reported.as_ref().is_some_and(|reported| !reported.is_empty());
        // A writer that never stops truncates the file each time: while there are events, an empty file is read again.
        let is_written = now < unrest.last + SETTLE && now < unrest.first + WRITER_AT_MOST;
        if emptied && (now < unrest.first + EMPTY || is_written) {
            unrest.not_before = Some((unrest.first + EMPTY).max(now + AGAIN));
            return None;
        }
        self.unrest = None;
        let again = std::mem::take(&mut self.again);
        if !again && self.reported.as_ref() == Some(&found) {
            return None;
        }
        self.reported = Some(found);
        Some(reading)
    }
}

impl Fingerprint {
    fn of(reading: &FileContent) -> Self {
        match reading {
            FileContent::Missing => Self::Missing,
            FileContent::Text(bytes) => {
                Self::Content { digest: Sha256::digest(bytes.as_slice()).into(), empty: bytes.is_empty() }
            }
            FileContent::Unreadable(why) => Self::Unreadable(why.clone()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Missing | Self::Content { empty: true, .. })
    }
}

/// What looks at the file system; used on the blocking pool only.
struct Eyes {
    paths: Vec<PathBuf>,
    board: Arc<Board>,
    watcher: Option<RecommendedWatcher>,
    /// The folders watched, by device and inode: another folder may come to stand at the same path.
    armed: BTreeMap<PathBuf, (u64, u64)>,
    /// Not everything can be watched.
    blind: bool,
}

impl Eyes {
    fn new(board: Arc<Board>) -> Self {
        Self { paths: Vec::new(), board, watcher: None, armed: BTreeMap::new(), blind: false }
    }

    /// Watches the folders that matter now. What happens to the way while it is being looked at is looked at again.
    fn open(&mut self, lost: BTreeSet<PathBuf>) {
        if self.watcher.is_none() {
            let board = Arc::clone(&self.board);
            match notify::recommended_watcher(move |event| board.hear(event)) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => self.complain(&format!("files can't be watched: {error}")),
            }
        }
        for folder in lost {
            self.forget(&folder);
        }
        let mut wanted = all_places(&self.paths);
        for _ in 0..8 {
            self.arm(&wanted);
            let now = all_places(&self.paths);
            if now == wanted {
                return;
            }
            wanted = now;
        }
    }

    fn arm(&mut self, wanted: &[(PathBuf, Places)]) {
        let mut interest = Interest::default();
        for (path, places) in wanted {
            interest.folders.extend(places.folders.iter().cloned());
            for (name, what) in &places.names {
                interest.names.entry(name.clone()).or_default().push((path.clone(), *what));
            }
        }
        let folders = interest.folders.clone();
        // First what is listened for, then the ears: an event in between must not be taken for nobody's.
        *self.board.interest() = interest;
        let old: Vec<PathBuf> = self.armed.keys().filter(|folder| !folders.contains(*folder)).cloned().collect();
        for folder in old {
            self.forget(&folder);
        }
        for folder in folders {
            let Ok(metadata) = std::fs::metadata(&folder) else { continue };
            let identity = (metadata.dev(), metadata.ino());
            if self.armed.get(&folder) == Some(&identity) {
                continue;
            }
            self.forget(&folder);
            let Some(watcher) = &mut self.watcher else { continue };
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    if !file_events::reports_every_change(&folder) {
                        let folder = folder.display();
                        self.complain(&format!(
                            "{folder} is on a file system that does not report changes from other machines"
                        ));
                    }
                    self.armed.insert(folder, identity);
                }
                Err(error) => self.complain(&format!("the folder {} can't be watched: {error}", folder.display())),
            }
        }
    }

    fn forget(&mut self, folder: &Path) {
        if let (Some(_), Some(watcher)) = (self.armed.remove(folder), &mut self.watcher) {
            // It may have gone by itself, with the folder.
            let _ = watcher.unwatch(folder);
        }
    }

    fn complain(&mut self, what: &str) {
        if !std::mem::replace(&mut self.blind, true) {
            tracing::warn!("{what}; changes are looked for every {} s", POLL_UNWATCHED.as_secs());
        }
    }

    fn read(&self, path: &Path) -> io::Result<FileContent> {
        Ok(file::read(path, LARGEST)?.map_or(FileContent::Missing, FileContent::Text))
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
