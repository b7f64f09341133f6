//! A cache file is replaced in named steps, and what a stop between two of them leaves is brought in order.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Gid, OFlags, RenameFlags, Uid, fchown, renameat_with};

use super::cache::read;
use crate::core::session::{
    CacheAccess, CacheProblem, Found, LeftOverIs, Session, is_left_over, judge_left_over, left_over_suffix,
};
use crate::platform::cache_access::{self, resolved};
use crate::platform::lease;
use crate::platform::user_database::user_name;

/// How long a program that writes in place is waited for: it truncates, writes and closes within milliseconds.
const WRITER_PAUSE: Duration = Duration::from_millis(20);
const WRITER_LOOKS: u32 = 50;
/// At least so many bytes are tried: a token file has a few kilobytes.
const ROOM: u64 = 8 * 1024;
/// How often an exchange is repeated that others write into.
const MOST_EXCHANGES: usize = 8;

/// Behind the cache file's name: what could not be read and was replaced by a sign-in; further ones have a number.
const KEPT: &str = ".evercred-kept";
/// So many are kept at most: then the last one gives way.
const MOST_KEPT: u32 = 100;

/// Larger ones are not compared.
const COMPARED: u64 = 1024 * 1024;

/// What became of a replacement.
pub(super) enum Replaced {
    /// The file has the new text.
    Done,
    /// There is no file any more: nothing was written.
    Gone,
    /// Another program has written the file meanwhile; this is its text.
    Changed(Found),
    /// The file can't be written, and why.
    Failed(String),
}

/// The steps of a replacement. A stop after each of them leaves one whole file, and at most one beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The new text is written beside the file, with the file's owner, group and mode, and reaches the disk.
    Write,
    /// The two change places. A deleted file stays deleted.
    Exchange,
    /// A program that had opened the old file to write it in place is waited for.
    AwaitWriter,
    /// The old file is removed or kept, or goes back where another program has written it.
    Settle,
}

impl Step {
    pub(super) const ALL: [Self; 4] = [Self::Write, Self::Exchange, Self::AwaitWriter, Self::Settle];
}

/// One replacement under way.
pub(super) struct Replacement<'a> {
    target: PathBuf,
    /// The file beside it.
    beside: PathBuf,
    text: &'a str,
    over: &'a Found,
    set_aside: bool,
}

/// Replaces a file, if what was found is still there; whole or not at all.
pub(super) fn replace(path: &Path, text: &str, over: &Found, set_aside: bool) -> Replaced {
    let replacement = Replacement::new(path, text, over, set_aside);
    for step in Step::ALL {
        if let Some(end) = replacement.carry_out(step) {
            return end;
        }
    }
    Replaced::Done
}

/// Writes a file over any other. `keep` says whether a copy of the old one stays beside it.
pub(super) fn write(path: &Path, text: &str, keep: &dyn Fn(&Found) -> bool) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    if let Some(problem) = cache_access::problem(path) {
        return Err(problem.why);
    }
    make_directory(path).map_err(failed)?;
    let mut found = read(path);
    for _ in 0..MOST_EXCHANGES {
        found = match &found {
            Found::Missing => {
                let target = resolved(path);
                let beside = with_suffix(&target, &left_over_suffix(std::process::id(), text, &found));
                write_beside(&beside, text.as_bytes(), &Like::of(&target)).map_err(failed)?;
                match renameat_with(CWD, &beside, CWD, &target, RenameFlags::NOREPLACE) {
                    Ok(()) => return sync_directory(&target).map_err(failed),
                    Err(error) => {
                        let renamed = match error {
                            rustix::io::Errno::EXIST => Ok(false),
                            _ => std::fs::rename(&beside, &target).map(|()| true),
                        };
                        let _ = std::fs::remove_file(&beside);
                        if renamed.map_err(failed)? {
                            return sync_directory(&target).map_err(failed);
                        }
                        read(path)
                    }
                }
            }
            found => match replace(path, text, found, keep(found)) {
                Replaced::Done => return Ok(()),
                Replaced::Gone => Found::Missing,
                Replaced::Changed(theirs) => theirs,
                Replaced::Failed(why) => return Err(why),
            },
        };
    }
    Err("others write it again and again".to_owned())
}

/// Whether a file can be replaced now: looks, and writes a file of the same size, owner and mode beside it.
pub(super) fn try_out(path: &Path) -> Result<(), Box<CacheProblem>> {
    let access = cache_access::look(path);
    if let Some(problem) = access.problem(user_name) {
        return Err(Box::new(problem));
    }
    let target = resolved(path);
    let Ok(metadata) = target.metadata() else { return Ok(()) };
    let size = usize::try_from(metadata.len().clamp(ROOM, 4 * 1024 * 1024)).unwrap_or(0);
    let beside = with_suffix(&target, &format!("{}{}", crate::core::session::MARK, std::process::id()));
    let tried = write_beside(&beside, &vec![b' '; size], &Like::of(&target));
    let removed = std::fs::remove_file(&beside);
    tried.and(removed).map_err(|error| Box::new(problem_of(&access, &error)))
}

fn problem_of(access: &CacheAccess, error: &io::Error) -> CacheProblem {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let why = format!("no file can be written beside {}: {error}", access.path);
    CacheProblem { is_full, is_tried: true, ..access.because(why, None) }
}

impl<'a> Replacement<'a> {
    pub(super) fn new(path: &Path, text: &'a str, over: &'a Found, set_aside: bool) -> Self {
        let target = resolved(path);
        let beside = with_suffix(&target, &left_over_suffix(std::process::id(), text, over));
        Self { target, beside, text, over, set_aside }
    }

    /// Carries out one step; gives the end, where it is one.
    pub(super) fn carry_out(&self, step: Step) -> Option<Replaced> {
        match step {
            Step::Write => {
                if let Some(problem) = cache_access::problem(&self.target) {
                    return Some(Replaced::Failed(problem.why));
                }
                let like = Like::of(&self.target);
                write_beside(&self.beside, self.text.as_bytes(), &like).err().map(|error| self.failed(&error))
            }
            Step::Exchange => match renameat_with(CWD, &self.beside, CWD, &self.target, RenameFlags::EXCHANGE) {
                Ok(()) => None,
                Err(rustix::io::Errno::NOENT) => {
                    let _ = std::fs::remove_file(&self.beside);
                    Some(Replaced::Gone)
                }
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => {
                    Some(self.without_exchange())
                }
                Err(error) => Some(self.failed(&error.into())),
            },
            Step::AwaitWriter => {
                wait_for_writer(&self.beside);
                None
            }
            Step::Settle => {
                let displaced = read(&self.beside);
                if displaced != *self.over {
                    return Some(put_back(&self.beside, &self.target, self.text, displaced));
                }
                if !self.set_aside || keep(&self.beside, &self.target).is_err() {
                    let _ = std::fs::remove_file(&self.beside);
                }
                Some(done(&self.target))
            }
        }
    }

    fn failed(&self, error: &io::Error) -> Replaced {
        let _ = std::fs::remove_file(&self.beside);
        Replaced::Failed(error.to_string())
    }

    /// On a file system that can't exchange, the file is compared once more, which leaves a window of microseconds.
    fn without_exchange(&self) -> Replaced {
        let now = read(&self.target);
        if now == Found::Missing || now != *self.over {
            let _ = std::fs::remove_file(&self.beside);
            return if now == Found::Missing { Replaced::Gone } else { Replaced::Changed(now) };
        }
        let kept = if self.set_aside { keep(&self.target, &self.target) } else { Ok(()) };
        match kept.and_then(|()| std::fs::rename(&self.beside, &self.target)) {
            Ok(()) => done(&self.target),
            Err(error) => self.failed(&error),
        }
    }
}

/// The files that a stopped evercred left beside a cache file, each with the end of its name.
fn left_overs(path: &Path) -> Vec<(PathBuf, String)> {
    beside(path, is_left_over)
}

fn beside(path: &Path, wanted: impl Fn(&str) -> bool) -> Vec<(PathBuf, String)> {
    let target = resolved(path);
    let (Some(directory), Some(name)) = (target.parent(), target.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let suffix_of = |entry: &std::fs::DirEntry| entry.file_name().to_str()?.strip_prefix(name).map(str::to_owned);
    let left = entries.filter_map(|entry| Some((entry.path(), suffix_of(&entry)?)));
    left.filter(|(_, suffix)| wanted(suffix)).collect()
}

/// Brings in order what a stopped evercred left: a newer token goes into its file, and nothing stays beside it. Under the
/// session's lock.
pub(super) fn recover(path: &Path, session: &Session) {
    for (left, suffix) in left_overs(path) {
        let target = resolved(path);
        let (found, file) = (read(&left), read(&target));
        let ended = match judge_left_over(session, &suffix, &found, &file) {
            LeftOverIs::Newer => put_in_place(&left, &target, &file),
            LeftOverIs::Kept => keep(&left, &target),
            LeftOverIs::Useless => std::fs::remove_file(&left),
        };
        match ended {
            Ok(()) => tracing::info!("{} was left by an earlier run and is brought in order", left.display()),
            Err(error) => tracing::warn!("{} was left by an earlier run: {error}", left.display()),
        }
    }
}

fn put_in_place(left: &Path, target: &Path, file: &Found) -> io::Result<()> {
    if *file == Found::Missing {
        renameat_with(CWD, left, CWD, target, RenameFlags::NOREPLACE)?;
        return sync_directory(target);
    }
    // Its owner and mode may be those of a run that did not keep them.
    Like::of(target).give_to(&OpenOptions::new().read(true).custom_flags(flags()).open(left)?)?;
    match renameat_with(CWD, left, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => {
            wait_for_writer(left);
            // Another program wrote while this one looked: the next look decides.
            if read(left) == *file {
                std::fs::remove_file(left)?;
            }
        }
        Err(_) => std::fs::rename(left, target)?,
    }
    sync_directory(target)
}

/// Removes the left-overs beside a cache file. The copies of files that could not be read are the user's.
pub(super) fn remove_beside(path: &Path) {
    for (file, _) in beside(path, is_left_over) {
        let _ = std::fs::remove_file(file);
    }
}

/// Keeps a file under the first free name beside the cache file. One with the same bytes is enough.
fn keep(file: &Path, target: &Path) -> io::Result<()> {
    let is_small = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= COMPARED);
    let bytes = |path: &Path| is_small(path).then(|| std::fs::read(path).ok())?;
    for number in 1..MOST_KEPT {
        let aside = aside(target, number);
        match renameat_with(CWD, file, CWD, &aside, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::EXIST) if bytes(file).is_some_and(|ours| bytes(&aside) == Some(ours)) => {
                // Where a new file comes into its place, the cache file itself may stay.
                return if file == target { Ok(()) } else { std::fs::remove_file(file) };
            }
            Err(rustix::io::Errno::EXIST) => {}
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => {
                if aside.symlink_metadata().is_err() {
                    return std::fs::rename(file, aside);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    std::fs::rename(file, aside(target, MOST_KEPT))
}

/// Owner, group and mode for a file.
struct Like {
    owner: u32,
    group: u32,
    mode: u32,
    /// Without them nothing is written.
    needed: bool,
}

impl Like {
    /// Those of the file that is there; for a new one the owner of its directory, where that can be.
    fn of(target: &Path) -> Self {
        match (target.metadata(), target.parent().map(Path::metadata)) {
            (Ok(file), _) => Self { owner: file.uid(), group: file.gid(), mode: file.mode() & 0o777, needed: true },
            (_, Some(Ok(directory))) => {
                Self { owner: directory.uid(), group: directory.gid(), mode: 0o600, needed: false }
            }
            _ => Self { owner: 0, group: 0, mode: 0o600, needed: false },
        }
    }

    fn give_to(&self, file: &File) -> io::Result<()> {
        let now = file.metadata()?;
        let is_root = rustix::process::geteuid().is_root();
        let differs = (now.uid(), now.gid()) != (self.owner, self.group);
        // A user owns the files that they create in any directory; root creates files for other users.
        let wanted = self.needed || (is_root && self.owner != 0);
        if differs && wanted {
            let given = fchown(file, Some(Uid::from_raw(self.owner)), Some(Gid::from_raw(self.group)));
            if self.needed {
                given.map_err(|error| {
                    let error = io::Error::from(error);
                    let why = format!("its owner can't be set to {}:{}: {error}", self.owner, self.group);
                    io::Error::new(error.kind(), why)
                })?;
            }
        }
        if now.mode() & 0o777 != self.mode {
            file.set_permissions(Permissions::from_mode(self.mode))?;
        }
        Ok(())
    }
}

/// Opens a session's lock file, and makes it for the owner of the directory.
pub(super) fn open_lock(path: &Path) -> Option<File> {
    let path = with_suffix(&resolved(path), ".evercred-lock");
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags()).open(&path)
    };
    let is_new = !path.exists();
    let lock = match open() {
        // A lock file that another user's evercred left here would lock out this one only.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            std::fs::remove_file(&path).and_then(|()| open()).ok()?
        }
        lock => lock.ok()?,
    };
    if is_new || rustix::process::geteuid().is_root() {
        let like = Like { needed: false, ..Like::of(&path.with_extension("none")) };
        let _ = like.give_to(&lock);
    }
    Some(lock)
}

/// Waits, for a limited time, until no program writes the file.
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

/// Puts back what another program wrote in the last moment, before or after the exchange.
fn put_back(beside: &Path, target: &Path, ours: &str, mut theirs: Found) -> Replaced {
    for _ in 0..MOST_EXCHANGES {
        if renameat_with(CWD, beside, CWD, target, RenameFlags::EXCHANGE).is_err() {
            // It was deleted in the meantime.
            let _ = std::fs::remove_file(beside);
            return Replaced::Gone;
        }
        let displaced = read(beside);
        if matches!(&displaced, Found::Text(text) if text.expose() == ours) || displaced == theirs {
            break;
        }
        theirs = displaced;
    }
    let _ = std::fs::remove_file(beside);
    Replaced::Changed(read(target))
}

fn done(target: &Path) -> Replaced {
    match sync_directory(target) {
        Ok(()) => Replaced::Done,
        Err(error) => Replaced::Failed(error.to_string()),
    }
}

pub(super) fn aside(target: &Path, number: u32) -> PathBuf {
    with_suffix(target, &if number == 1 { KEPT.to_owned() } else { format!("{KEPT}-{number}") })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the directories on the way, each for the owner of the one above it.
fn make_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    let missing: Vec<&Path> = directory.ancestors().take_while(|directory| !directory.exists()).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(Ok(above)) = directory.parent().map(Path::metadata)
            && rustix::process::geteuid().is_root()
        {
            let _ = std::os::unix::fs::chown(directory, Some(above.uid()), Some(above.gid()));
        }
    }
    Ok(())
}

fn write_beside(path: &Path, text: &[u8], like: &Like) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags()).open(path)?;
    let written = like.give_to(&file).and_then(|()| file.write_all(text)).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
