//! The daemon's state files, and the lock that makes it the only daemon of its state folder.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::adapters::private_file::{self, UnfitFolder};
use crate::core::clock::SavedClock;
use crate::core::keeper::{Memory, MintedSet, UnsavedToken};
use crate::core::saved::{self, Unusable};
use crate::core::settings::Persist;

/// Far more than a thousand profiles need.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Where the state is, and the lock on it.
pub(super) struct StateFiles {
    state: PathBuf,
    runtime: PathBuf,
    boot_id: Option<String>,
    /// `None` while the disk prevents taking it.
    lock: Mutex<Option<File>>,
}

/// What the last daemon left.
#[derive(Default)]
pub(super) struct Recovered {
    /// What was asked for.
    pub(super) memory: Memory,
    /// The minted sets, and whether they are of this boot.
    pub(super) minted: Vec<(Vec<MintedSet>, bool)>,
    /// The tokens that are in no cache file yet.
    pub(super) unsaved: Vec<UnsavedToken>,
    /// The estimate of AWS's time, if it is of this boot.
    pub(super) clock: Option<SavedClock>,
    /// What could not be used: sentences.
    pub(super) complaints: Vec<String>,
}

impl StateFiles {
    /// Opens the state directory and takes its lock. The second value says why the state can't be saved now: the daemon also
    /// starts on a full, read-only or broken disk.
    ///
    /// # Errors
    /// A sentence: the directory is not private, or another daemon has locked it (and which).
    pub(super) fn open(
        state: &Path,
        runtime: &Path,
        boot_id: Option<String>,
    ) -> Result<(Self, Option<String>), Unavailable> {
        let lock = match claim(state) {
            Err(Unavailable::Disk(why)) => Err(why),
            result => Ok(result?),
        };
        match private_file::ensure_private_dir(runtime) {
            // The service manager may pass the socket; otherwise creating it reports the error.
            Err(UnfitFolder::Unusable(_, error)) if is_the_disks(&error) => {}
            result => result.map_err(|error| Unavailable::Misplaced(error.to_string()))?,
        }
        let (lock, problem) = match lock {
            Ok(lock) => (Some(lock), None),
            Err(why) => (None, Some(why)),
        };
        let this = Self { state: state.to_owned(), runtime: runtime.to_owned(), boot_id, lock: Mutex::new(lock) };
        Ok((this, problem))
    }

    /// Takes the lock if the disk prevented it before: without it nothing is written.
    fn claim(&self) -> Result<(), String> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            *lock = Some(claim(&self.state).map_err(Unavailable::into_message)?);
        }
        Ok(())
    }

    /// Reads what the last daemon left, minted sets only where the settings keep them; what can't be used is set aside.
    pub(super) fn recover(&self, persist: Persist) -> Recovered {
        let mut recovered = Recovered::default();
        let complaints = &mut recovered.complaints;
        let boot_id = self.boot_id.as_deref();
        if let Some(memory) = read(&self.state.join("memory.json"), complaints, saved::decode_memory) {
            recovered.memory = memory;
        }
        recovered.clock =
            read(&self.state.join("clock.json"), complaints, |text| saved::decode_clock(text, boot_id)).flatten();
        for folder in [&self.runtime, &self.state].into_iter().filter(|_| persist != Persist::Off) {
            let minted = read(&folder.join("minted.json"), complaints, |text| saved::decode_minted(text, boot_id));
            recovered.minted.extend(minted);
        }
        for folder in [&self.runtime, &self.state] {
            let unsaved = read(&folder.join("unsaved.json"), complaints, saved::decode_unsaved);
            recovered.unsaved.extend(unsaved.into_iter().flatten());
        }
        recovered
    }

    /// Writes what was asked for.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_memory(&self, memory: &Memory) -> Result<(), String> {
        self.claim()?;
        write(&self.state.join("memory.json"), saved::encode_memory(memory).as_bytes())
    }

    /// Writes the estimate of AWS's time.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_clock(&self, clock: SavedClock) -> Result<(), String> {
        match saved::encode_clock(self.boot_id.as_deref(), clock) {
            Some(text) => {
                self.claim()?;
                write(&self.state.join("clock.json"), text.as_bytes())
            }
            None => Ok(()),
        }
    }

    /// Writes the minted sets where the settings want them, and removes them from where they don't.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_minted(&self, sets: &[MintedSet], persist: Persist) -> Result<(), String> {
        let (runtime, state) = (self.runtime.join("minted.json"), self.state.join("minted.json"));
        let wanted = match persist {
            Persist::Runtime => Some(&runtime),
            Persist::Disk => Some(&state),
            Persist::Off => None,
        };
        let removed = remove_all([&runtime, &state].into_iter().filter(|path| Some(*path) != wanted));
        let written = match wanted {
            Some(path) => self
                .claim_for(persist)
                .and_then(|()| write(path, saved::encode_minted(self.boot_id.as_deref(), sets).as_bytes())),
            None => Ok(()),
        };
        written.and(removed)
    }

    /// Writes the tokens that are in no cache file yet, and removes the file where there are none. They are in the runtime
    /// directory, or in the state directory where the settings say so or the other can't be written.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_unsaved(&self, tokens: &[UnsavedToken], persist: Persist) -> Result<(), String> {
        let (runtime, state) = (self.runtime.join("unsaved.json"), self.state.join("unsaved.json"));
        if tokens.is_empty() {
            return remove_all([&runtime, &state].into_iter());
        }
        let text = saved::encode_unsaved(tokens);
        let in_runtime = || write(&runtime, text.as_bytes()).and_then(|()| remove_all([&state].into_iter()));
        let in_state = || {
            self.claim()?;
            write(&state, text.as_bytes()).and_then(|()| remove_all([&runtime].into_iter()))
        };
        match persist {
            Persist::Disk => in_state().or_else(|why| in_runtime().map_err(|_| why)),
            Persist::Runtime | Persist::Off => in_runtime().or_else(|why| in_state().map_err(|_| why)),
        }
    }

    /// The socket acts as the lock of the runtime directory.
    fn claim_for(&self, persist: Persist) -> Result<(), String> {
        if persist == Persist::Disk { self.claim() } else { Ok(()) }
    }
}

fn remove_all<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), String> {
    let mut removed = Ok(());
    for path in paths {
        // A read-only disk refuses to remove a file that is not there.
        if let Err(error) = std::fs::remove_file(path)
            && path.symlink_metadata().is_ok()
        {
            removed = Err(format!("{} can't be removed: {error}", path.display()));
        }
    }
    removed
}

/// Why the state directory can't be used.
pub(super) enum Unavailable {
    /// The disk is full, read-only or broken, or not writable for us.
    Disk(String),
    /// Another daemon has locked it.
    Taken(String),
    /// It is not our private directory.
    Misplaced(String),
}

impl Unavailable {
    fn into_message(self) -> String {
        match self {
            Self::Disk(why) | Self::Taken(why) | Self::Misplaced(why) => why,
        }
    }
}

/// Whether a disk error may be temporary: full, over quota, read-only, defective, not permitted, or the limit
/// of `ulimit -f`.
fn is_the_disks(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied | FileTooLarge)
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn read<T>(path: &Path, complaints: &mut Vec<String>, decode: impl FnOnce(&str) -> Result<T, Unusable>) -> Option<T> {
    let why = match private_file::read(path, LIMIT) {
        Ok(None) => return None,
        Ok(Some(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => match decode(text) {
                Ok(value) => return Some(value),
                Err(why) => why,
            },
            Err(_) => "is not text".to_owned(),
        },
        Err(error) => format!("can't be used: {error}"),
    };
    complaints.push(match private_file::set_aside(path) {
        Ok(aside) => format!("{} {why}; it was set aside as {}", path.display(), aside.display()),
        Err(error) => format!("{} {why}, and can't be set aside: {error}", path.display()),
    });
    None
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    private_file::write(path, bytes).map_err(|error| format!("{} can't be written: {error}", path.display()))
}

/// Creates the state directory and takes its lock. The lock ends with the process, so a leftover lock file
/// has no meaning.
fn claim(state: &Path) -> Result<File, Unavailable> {
    private_file::ensure_private_dir(state).map_err(|error| match &error {
        UnfitFolder::Unusable(_, why) if is_the_disks(why) => Unavailable::Disk(error.to_string()),
        _ => Unavailable::Misplaced(error.to_string()),
    })?;
    let path = state.join("lock");
    let failed = |error: io::Error| {
        let why = format!("the lock {} can't be taken: {error}", path.display());
        if is_the_disks(&error) { Unavailable::Disk(why) } else { Unavailable::Misplaced(why) }
    };
    let mut file = match private_file::open_for_lock(&path) {
        // A lock needs no writing: the file, or else its directory, can be locked as it is.
        Err(error) if is_the_disks(&error) => {
            File::open(&path).or_else(|_| File::open(state)).map_err(|_| failed(error))?
        }
        result => result.map_err(failed)?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&mut file).take(32).read_to_string(&mut holder);
            let pid = holder.trim();
            let who = if pid.is_empty() {
                "another evercredd".to_owned()
            } else {
                format!("evercredd with process id {pid}")
            };
            let path = path.display();
            return Err(Unavailable::Taken(format!("{who} already uses the state directory (lock: {path})")));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The process id is for messages only.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
