//! Our own files: 0600 in 0700 folders from the first byte, and replaced whole or not at all.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::file;

/// Why a folder can't be one of ours. `Display` is the sentence for a person.
#[derive(Debug)]
pub enum UnfitFolder {
    /// It could not be made or looked at.
    Unusable(PathBuf, io::Error),
    /// Something else is there: a file, a symbolic link.
    NotAFolder(PathBuf),
    /// It belongs to somebody else.
    Foreign(PathBuf, u32),
    /// Others can get at it.
    Open(PathBuf, u32),
}

impl std::fmt::Display for UnfitFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unusable(path, error) => write!(f, "the directory {} can't be used: {error}", path.display()),
            Self::NotAFolder(path) => {
                let path = path.display();
                write!(f, "{path} is not a directory, or is a symbolic link: remove it, or set another directory")
            }
            Self::Foreign(path, owner) => {
                write!(f, "the directory {} belongs to uid {owner}: set another directory", path.display())
            }
            Self::Open(path, mode) => {
                let path = path.display();
                write!(f, "the directory {path} is open to other users (mode {mode:03o}): run `chmod 700 {path}`")
            }
        }
    }
}

impl std::error::Error for UnfitFolder {}

/// Makes sure that a folder is there, is ours and is nobody else's business. Missing folders on the way are made 0700 too.
///
/// # Errors
/// It can't be made, or what is there is not such a folder; nothing is mended that somebody else may rely on.
pub fn ensure_private_dir(path: &Path) -> Result<(), UnfitFolder> {
    let unusable = |error| UnfitFolder::Unusable(path.to_owned(), error);
    // `create` of an existing folder is no error when recursive; what exists is looked at below.
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable(error)),
        _ => {}
    }
    let metadata = std::fs::symlink_metadata(path).map_err(unusable)?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !metadata.is_dir() {
        return Err(UnfitFolder::NotAFolder(path.to_owned()));
    }
    if owner != rustix::process::geteuid().as_raw() {
        return Err(UnfitFolder::Foreign(path.to_owned(), owner));
    }
    if mode & 0o077 != 0 {
        return Err(UnfitFolder::Open(path.to_owned(), mode));
    }
    Ok(())
}

/// Replaces a file: after a crash or power cut there is the old one or the new one, whole.
///
/// # Errors
/// What the system says; the old file is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One daemon per folder, so one name is enough, and what a crash leaves behind is found again.
    let temporary = with_suffix(path, ".new");
    let written = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
        return written;
    }
    // The rename itself has to reach the disk too.
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads one of our files; `None` where there is none. A symbolic link is refused: we never make one.
///
/// # Errors
/// It is no regular file, larger than `limit`, or what the system says.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    file::read_with(path, limit, OFlags::NOFOLLOW)
}

/// Renames a file that can't be used to `NAME.broken`, over an older one, and says what it is called now.
///
/// # Errors
/// What the system says.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_suffix(path, ".broken");
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

/// Opens, and if need be makes, a file that is there to be locked; what is in it stays.
///
/// # Errors
/// What the system says.
pub fn open_for_lock(path: &Path) -> io::Result<File> {
    private().read(true).create(true).truncate(false).open(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    // The standard library sets CLOEXEC by itself.
    options.write(true).mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_is_made_private_with_those_on_the_way() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a/b");
        ensure_private_dir(&folder).unwrap();
        ensure_private_dir(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&base.path().join("a"))), (0o700, 0o700));
    }

    #[test]
    fn what_is_not_our_private_folder_is_refused_with_what_to_do() {
        let base = tempfile::tempdir().unwrap();
        let open = base.path().join("open");
        ensure_private_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o750)).unwrap();
        let said = ensure_private_dir(&open).unwrap_err().to_string();
        assert!(said.contains("mode 750") && said.contains("chmod 700"), "{said}");

        let link = base.path().join("link");
        symlink(base.path(), &link).unwrap();
        assert!(ensure_private_dir(&link).unwrap_err().to_string().contains("symbolic link"));
        let file = base.path().join("file");
        write(&file, b"").unwrap();
        assert!(matches!(ensure_private_dir(&file), Err(UnfitFolder::NotAFolder(_))));
        assert!(matches!(ensure_private_dir(&file.join("below")), Err(UnfitFolder::Unusable(..))));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&open, Some(12345), None).unwrap();
            assert!(ensure_private_dir(&open).unwrap_err().to_string().contains("12345"));
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("minted.json");
        assert!(read(&path, 100).unwrap().is_none());
        write(&with_suffix(&path, ".new"), b"left by a crash").unwrap();
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap().as_slice(), b"two");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_set_aside_under_a_name_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock.json");
        write(&path, b"{").unwrap();
        assert_eq!(set_aside(&path).unwrap(), folder.path().join("clock.json.broken"));
        assert!(read(&path, 100).unwrap().is_none());
    }

    #[test]
    fn a_link_in_place_of_one_of_our_files_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("lock"), folder.path().join("elsewhere"));
        write(&elsewhere, b"theirs").unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(read(&path, 100).is_err() && open_for_lock(&path).is_err());
        write(&path, b"ours").unwrap();
        assert_eq!(read(&elsewhere, 100).unwrap().unwrap().as_slice(), b"theirs");
    }

    #[test]
    fn opening_a_lock_file_keeps_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        write(&path, b"4711").unwrap();
        drop(open_for_lock(&path).unwrap());
        assert_eq!(read(&path, 100).unwrap().unwrap().as_slice(), b"4711");
    }
}
