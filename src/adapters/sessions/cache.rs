//! The AWS tools' cache folders: files that other programs write without a lock, some of them in place.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

use crate::adapters::file;
use crate::core::location::CachePaths;
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheFolder, Found};
use crate::platform::lease;

/// A token file has a few kilobytes.
const LARGEST: u64 = 1024 * 1024;
/// As often a file that is being written is read again.
const READ_AGAIN: usize = 20;

/// For how long a program that writes in place is waited for: it truncates, writes and closes within milliseconds.
const WRITER_PAUSE: Duration = Duration::from_millis(20);
const WRITER_LOOKS: u32 = 50;

/// For how long an empty or half file is read again before it is taken for what it is.
const SETTLE_PAUSE: Duration = Duration::from_millis(100);
const SETTLE_LOOKS: u32 = 15;
/// How often a lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A lock on one session.
pub(super) enum Lock {
    /// It is ours until it is dropped.
    Held(#[expect(dead_code, reason = "held, not used")] File),
    /// There are no locks here.
    None,
    /// Somebody has held it for longer than was waited.
    Busy,
}

/// The folders.
#[derive(Clone)]
pub(super) struct Cache {
    paths: CachePaths,
}

/// What became of a replacement.
pub(super) enum Replaced {
    /// The file has the new text.
    Done,
    /// There is no file any more: nothing was written.
    Gone,
    /// Somebody has written it meanwhile; this is what they wrote.
    Changed(Found),
    /// It can't be written, and why.
    Failed(String),
}

impl Cache {
    pub(super) fn new(paths: CachePaths) -> Self {
        Self { paths }
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

    /// A lock that other evercreds respect, wherever they run with the same home. Where none can be had (no folder, a file
    /// system without locks), there is nothing but the looks at the file itself. Nobody holds it for longer than a call takes.
    pub(super) async fn lock(&self, file: &CacheFile, patience: Duration) -> Lock {
        let path = lock_path(&self.path(file));
        let opened = pooled(move || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags()).open(path).ok()
        });
        let Some(lock) = opened.await.flatten() else { return Lock::None };
        let mut waited = Duration::ZERO;
        loop {
            match lock.try_lock() {
                Ok(()) => return Lock::Held(lock),
                Err(TryLockError::Error(_)) => return Lock::None,
                Err(TryLockError::WouldBlock) if waited >= patience => return Lock::Busy,
                Err(TryLockError::WouldBlock) => {}
            }
            pause(LOCK_PAUSE).await;
            waited += LOCK_PAUSE;
        }
    }

    /// Puts a text in place of what was found, if that is what is still there; whole or not at all.
    pub(super) async fn replace(&self, file: &CacheFile, text: &Secret, over: &Found, set_aside: bool) -> Replaced {
        let (path, text, over) = (self.path(file), text.clone(), over.clone());
        let replaced = pooled(move || replace(&path, text.expose(), &over, set_aside)).await;
        replaced.unwrap_or_else(|| Replaced::Failed("it was not written in time".to_owned()))
    }

    /// Writes a file, whatever is there; what can't be read is kept beside it.
    pub(super) async fn write(&self, file: &CacheFile, text: &Secret, set_aside: bool) -> Result<(), String> {
        let (path, text) = (self.path(file), text.clone());
        let written = pooled(move || {
            make_folder(&path)?;
            let target = resolved(&path);
            if set_aside {
                keep_beside(&target)?;
            }
            let new = neighbour(&target);
            write_new(&new, text.expose())?;
            std::fs::rename(&new, &target).inspect_err(|_| drop(std::fs::remove_file(&new)))?;
            sync_folder(&target)
        });
        match written.await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it was not written in time".to_owned()),
        }
    }

    /// Removes a file, and what of it was set aside; that there is none is as good.
    pub(super) async fn remove(&self, file: &CacheFile) -> Result<(), String> {
        let path = self.path(file);
        let shown = path.display().to_string();
        let removed = pooled(move || {
            let _ = std::fs::remove_file(aside(&path));
            std::fs::remove_file(path)
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

fn read(path: &Path) -> Found {
    let mut busy = None;
    for _ in 0..READ_AGAIN {
        match file::read(path, LARGEST) {
            Ok(None) => return Found::Missing,
            Ok(Some(bytes)) => {
                return match std::str::from_utf8(&bytes) {
                    Ok(text) => Found::Text(Secret::new(text)),
                    Err(_) => Found::Unreadable("it is not text".to_owned()),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => busy = Some(error),
            Err(error) => return Found::Unreadable(error.to_string()),
        }
    }
    Found::Unreadable(busy.map_or_else(String::new, |error| error.to_string()))
}

/// The new text is written beside the file and changes places with it, so that at each moment there is one whole file, a deleted
/// one stays deleted, and what was written in the last moment is not lost but in our hands.
fn replace(path: &Path, text: &str, over: &Found, set_aside: bool) -> Replaced {
    let target = resolved(path);
    let new = neighbour(&target);
    let failed = |error: io::Error| {
        let _ = std::fs::remove_file(&new);
        Replaced::Failed(error.to_string())
    };
    if let Err(error) = write_new(&new, text) {
        return failed(error);
    }
    match renameat_with(CWD, &new, CWD, &target, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(rustix::io::Errno::NOENT) => {
            let _ = std::fs::remove_file(&new);
            return Replaced::Gone;
        }
        // A file system that can't exchange: looked at once more, with a window of microseconds.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => {
            let now = read(&target);
            if now == Found::Missing || now != *over {
                let _ = std::fs::remove_file(&new);
                return if now == Found::Missing { Replaced::Gone } else { Replaced::Changed(now) };
            }
            if let Err(error) = set_aside_if(set_aside, &target).and_then(|()| std::fs::rename(&new, &target)) {
                return failed(error);
            }
            return done(&target);
        }
        Err(error) => return failed(error.into()),
    }
    // The old one is in our hands now. Who had opened it before, to write it in place, may still be at it.
    wait_for_writer(&new);
    let displaced = read(&new);
    if displaced == *over {
        if set_aside && std::fs::rename(&new, aside(&target)).is_ok() {
            return done(&target);
        }
        let _ = std::fs::remove_file(&new);
        return done(&target);
    }
    put_back(&new, &target, text, displaced)
}

/// Waits until nobody writes a file any more, for a while.
fn wait_for_writer(path: &Path) {
    for _ in 0..WRITER_LOOKS {
        match File::open(path) {
            Ok(file) if lease::has_writer(&file) => {}
            _ => return,
        }
        #[expect(clippy::disallowed_methods, reason = "nothing tells when another program closes a file")]
        std::thread::sleep(WRITER_PAUSE);
    }
}

/// What somebody wrote in the last moment goes back to its place, and so does what was written meanwhile over ours.
fn put_back(new: &Path, target: &Path, ours: &str, mut theirs: Found) -> Replaced {
    for _ in 0..8 {
        if renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE).is_err() {
            // It was deleted in the meantime.
            let _ = std::fs::remove_file(new);
            return Replaced::Gone;
        }
        let displaced = read(new);
        if matches!(&displaced, Found::Text(text) if text.expose() == ours) {
            break;
        }
        if displaced == theirs {
            break;
        }
        theirs = displaced;
    }
    let _ = std::fs::remove_file(new);
    Replaced::Changed(read(target))
}

fn done(target: &Path) -> Replaced {
    match sync_folder(target) {
        Ok(()) => Replaced::Done,
        Err(error) => Replaced::Failed(error.to_string()),
    }
}

fn set_aside_if(set_aside: bool, target: &Path) -> io::Result<()> {
    if set_aside { keep_beside(target) } else { Ok(()) }
}

/// Keeps what can't be read under another name, over an older one.
fn keep_beside(target: &Path) -> io::Result<()> {
    match std::fs::rename(target, aside(target)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn aside(target: &Path) -> PathBuf {
    with_suffix(target, ".evercred-kept")
}

fn lock_path(path: &Path) -> PathBuf {
    with_suffix(path, ".evercred-lock")
}

/// A name that nobody else writes: the lock keeps other evercreds away, and the process id those that could not take it.
fn neighbour(target: &Path) -> PathBuf {
    with_suffix(target, &format!(".evercred-{}", std::process::id()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file itself, where its name is a link to it.
fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn make_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags()).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.json");
        (folder, path)
    }

    fn put(path: &Path, text: &str) -> Found {
        let _ = std::fs::remove_file(path);
        write_new(path, text).unwrap();
        read(path)
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_private_and_nothing_is_left() {
        let (folder, path) = folder();
        let old = put(&path, "old");
        assert!(matches!(replace(&path, "new", &old, false), Replaced::Done));
        assert!(read(&path) == Found::Text(Secret::new("new")));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["token.json"]);
    }

    #[test]
    fn a_deleted_file_stays_deleted() {
        let (folder, path) = folder();
        let old = put(&path, "old");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(replace(&path, "new", &old, false), Replaced::Gone));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn what_was_written_in_the_last_moment_is_in_our_hands() {
        let (folder, path) = folder();
        let old = put(&path, "old");
        put(&path, "theirs");
        let Replaced::Changed(theirs) = replace(&path, "new", &old, false) else { panic!("not seen") };
        assert!(theirs == Found::Text(Secret::new("theirs")));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs", "and back in its place");
        assert_eq!(names(folder.path()), ["token.json"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tool_that_writes_in_place_is_waited_for() {
        let (folder, path) = folder();
        let old = put(&path, "old");
        // As the AWS CLI writes: it has opened the file, and is about to fill it.
        let mut theirs = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        let replacing = std::thread::spawn({
            let path = path.clone();
            move || replace(&path, "new", &old, false)
        });
        while !matches!(read(&path), Found::Text(text) if text.expose() == "new") {
            std::thread::yield_now();
        }
        theirs.write_all(b"theirs").unwrap();
        drop(theirs);
        assert!(matches!(replacing.join().unwrap(), Replaced::Changed(Found::Text(text)) if text.expose() == "theirs"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["token.json"]);
    }

    #[test]
    fn what_could_not_be_read_is_kept_beside_it() {
        let (folder, path) = folder();
        let old = put(&path, "{\"acc");
        assert!(matches!(replace(&path, "new", &old, true), Replaced::Done));
        assert_eq!(names(folder.path()), ["token.json", "token.json.evercred-kept"]);
        assert_eq!(std::fs::read_to_string(aside(&path)).unwrap(), "{\"acc");
    }

    #[test]
    fn a_link_is_followed_and_stays() {
        let (folder, path) = folder();
        let real = folder.path().join("real.json");
        let old = put(&real, "old");
        symlink(&real, &path).unwrap();
        assert!(matches!(replace(&path, "new", &old, false), Replaced::Done));
        assert!(path.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_said_and_the_file_is_as_it_was() {
        let (_folder, path) = folder();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(read(&path), Found::Unreadable(_)));
        let below = path.join("missing/token.json");
        assert!(matches!(replace(&below, "new", &Found::Missing, false), Replaced::Failed(_)));
    }
}
