//! The daemon's state files, and the lock that makes it the only daemon of its state folder.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::adapters::private_file;
use crate::core::clock::SavedClock;
use crate::core::keeper::{Memory, MintedSet};
use crate::core::saved::{self, Unusable};
use crate::core::settings::Persist;

/// Far more than a thousand profiles need.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Where the state is, and the lock on it.
pub(super) struct StateFiles {
    state: PathBuf,
    runtime: PathBuf,
    boot_id: Option<String>,
    _lock: File,
}

/// What the last daemon left.
#[derive(Default)]
pub(super) struct Recovered {
    /// What was asked for.
    pub(super) memory: Memory,
    /// The minted sets, and whether they are of this boot.
    pub(super) minted: Vec<(Vec<MintedSet>, bool)>,
    /// The estimate of AWS's time, if it is of this boot.
    pub(super) clock: Option<SavedClock>,
    /// What could not be used: sentences.
    pub(super) complaints: Vec<String>,
}

impl StateFiles {
    /// Opens the state folder and takes its lock.
    ///
    /// # Errors
    /// A sentence: the folder can't be used, or another daemon holds it (and which).
    pub(super) fn open(state: &Path, runtime: &Path, boot_id: Option<String>) -> Result<Self, String> {
        private_file::ensure_private_dir(state).map_err(|error| error.to_string())?;
        private_file::ensure_private_dir(runtime).map_err(|error| error.to_string())?;
        let lock = lock(&state.join("lock"))?;
        Ok(Self { state: state.to_owned(), runtime: runtime.to_owned(), boot_id, _lock: lock })
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
        recovered
    }

    /// Writes what was asked for.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_memory(&self, memory: &Memory) -> Result<(), String> {
        write(&self.state.join("memory.json"), saved::encode_memory(memory).as_bytes())
    }

    /// Writes the estimate of AWS's time.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save_clock(&self, clock: SavedClock) -> Result<(), String> {
        match saved::encode_clock(self.boot_id.as_deref(), clock) {
            Some(text) => write(&self.state.join("clock.json"), text.as_bytes()),
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
        for path in [&runtime, &state].into_iter().filter(|path| Some(*path) != wanted) {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{} can't be removed: {error}", path.display()));
                }
                _ => {}
            }
        }
        wanted.map_or(Ok(()), |path| write(path, saved::encode_minted(self.boot_id.as_deref(), sets).as_bytes()))
    }
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

/// The lock goes with the process, however it ends, so a lock file that is left behind means nothing.
fn lock(path: &Path) -> Result<File, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the lock {} can't be taken: {error}", path.display());
    let mut file = private_file::open_for_lock(path).map_err(|error| failed(&error))?;
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
            return Err(format!("{who} is already running on the state folder (it holds {})", path.display()));
        }
        Err(TryLockError::Error(error)) => return Err(failed(&error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| failed(&error))?;
    Ok(file)
}
