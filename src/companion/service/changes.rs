//! Changes to files that can be taken back: an installation is whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::platform::peer::own_uid;

/// What was changed so far.
#[derive(Default)]
pub(super) struct Changes {
    undo: Vec<Undo>,
}

enum Undo {
    RemoveFile { path: PathBuf, wrote: Vec<u8> },
    RemoveFolder(PathBuf),
    PutBack { path: PathBuf, text: Vec<u8>, mode: u32, wrote: Option<Vec<u8>> },
    Rename { from: PathBuf, to: PathBuf },
}

impl Changes {
    /// Makes a folder with those on the way.
    pub(super) fn folder(&mut self, path: &Path, mode: u32) -> Result<(), String> {
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| folder.symlink_metadata().is_err()).collect();
        for folder in missing.into_iter().rev() {
            DirBuilder::new().mode(mode).create(folder).map_err(|error| cannot("made", folder, &error))?;
            self.undo.push(Undo::RemoveFolder(folder.to_owned()));
        }
        if path.is_dir() { Ok(()) } else { Err(format!("{} is not a directory", path.display())) }
    }

    /// Writes a file whole: a new one with `mode`, one that is there with the mode that it has, also behind a link.
    /// `expected` is what it was read as: what somebody else wrote meanwhile is not lost.
    pub(super) fn write(&mut self, path: &Path, text: &[u8], mode: u32, expected: Option<&[u8]>) -> Result<(), String> {
        let failed = |error: &io::Error| cannot("written", path, error);
        let target = match std::fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                path.to_owned()
            }
            Err(error) => return Err(failed(&error)),
        };
        let mode = match target.metadata() {
            Ok(found) if found.uid() != own_uid() => {
                return Err(format!("{} can't be written: it belongs to user id {}", target.display(), found.uid()));
            }
            Ok(found) => found.mode() & 0o7777,
            Err(_) => mode,
        };
        let new = beside(&target);
        let _ = std::fs::remove_file(&new);
        let written = write_new(&new, text, mode).and_then(|()| {
            let before = match std::fs::read(&target) {
                Ok(before) => Some(before),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if before.as_deref() != expected {
                return Err(io::Error::other("another program has written it meanwhile"));
            }
            std::fs::rename(&new, &target)?;
            Ok(before)
        });
        match written {
            Ok(Some(before)) => {
                let wrote = Some(text.to_owned());
                self.undo.push(Undo::PutBack { path: target.clone(), text: before, mode, wrote });
            }
            Ok(None) => self.undo.push(Undo::RemoveFile { path: target.clone(), wrote: text.to_owned() }),
            Err(error) => {
                let _ = std::fs::remove_file(&new);
                return Err(failed(&error));
            }
        }
        sync_folder_of(&target);
        Ok(())
    }

    /// Moves what stands in the way to a name beside it.
    pub(super) fn set_aside(&mut self, path: &Path) -> Result<PathBuf, String> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".before-evercred");
        let aside = path.with_file_name(name);
        if aside.symlink_metadata().is_ok() {
            return Err(format!("{} exists already, so evercred can't move {} to it", aside.display(), path.display()));
        }
        std::fs::rename(path, &aside).map_err(|error| cannot("moved", path, &error))?;
        self.undo.push(Undo::Rename { from: aside.clone(), to: path.to_owned() });
        Ok(aside)
    }

    /// Removes a file; none is fine.
    pub(super) fn remove(&mut self, path: &Path) -> Result<(), String> {
        let (Ok(text), Ok(found)) = (std::fs::read(path), path.metadata()) else { return Ok(()) };
        std::fs::remove_file(path).map_err(|error| cannot("removed", path, &error))?;
        let mode = found.mode() & 0o7777;
        self.undo.push(Undo::PutBack { path: path.to_owned(), text, mode, wrote: None });
        Ok(())
    }

    /// The folders that were made, outer ones first.
    pub(super) fn made_folders(&self) -> impl Iterator<Item = &Path> {
        self.undo.iter().filter_map(|undo| match undo {
            Undo::RemoveFolder(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// Takes everything back, last things first; says what can't be.
    pub(super) fn take_back(self) -> Vec<String> {
        let undone = self.undo.into_iter().rev().map(|undo| match undo {
            Undo::RemoveFile { path, wrote } => still(&path, Some(&wrote))
                .and_then(|()| std::fs::remove_file(&path).map_err(|error| cannot("removed", &path, &error))),
            // A daemon that ran meanwhile may have left something in it.
            Undo::RemoveFolder(path) => {
                let _ = std::fs::remove_dir(&path);
                Ok(())
            }
            Undo::Rename { from, to } => {
                std::fs::rename(&from, &to).map_err(|error| cannot("moved back", &from, &error))
            }
            Undo::PutBack { path, text, mode, wrote } => still(&path, wrote.as_deref()).and_then(|()| {
                let new = beside(&path);
                let _ = std::fs::remove_file(&new);
                let written = write_new(&new, &text, mode).and_then(|()| std::fs::rename(&new, &path));
                written.map_err(|error| cannot("put back", &path, &error))
            }),
        });
        undone.filter_map(Result::err).collect()
    }
}

/// Whether a file is as we left it: what somebody wrote since is theirs.
fn still(path: &Path, wrote: Option<&[u8]>) -> Result<(), String> {
    if std::fs::read(path).ok().as_deref() == wrote {
        return Ok(());
    }
    Err(format!("{} was changed by another program in the meantime, and is not touched", path.display()))
}

/// A name for the new text of a file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".evercred-new");
    path.with_file_name(name)
}

fn write_new(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // The umask took something away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text)?;
    file.sync_all()
}

fn sync_folder_of(path: &Path) {
    // A file system that can't do this has no more to promise.
    let _ = path.parent().and_then(|folder| File::open(folder).ok()).map(|folder| folder.sync_all());
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("{} can't be {what}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_taken_back_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let (there, link, new) =
            (folder.path().join("there"), folder.path().join("link"), folder.path().join("a/b/new"));
        write_new(&there, b"old", 0o640).unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        let mut changes = Changes::default();
        changes.folder(new.parent().unwrap(), 0o700).unwrap();
        changes.write(&new, b"new", 0o644, None).unwrap();
        changes.write(&link, b"newer", 0o600, Some(b"old")).unwrap();
        assert_eq!(std::fs::read(&there).unwrap(), b"newer");
        assert_eq!(there.metadata().unwrap().mode() & 0o777, 0o640);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        let aside = changes.set_aside(&there).unwrap();
        assert!(aside.is_file() && !there.exists());
        assert_eq!(changes.made_folders().count(), 2);
        assert_eq!(changes.take_back(), Vec::<String>::new());
        assert_eq!(std::fs::read(&link).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_another_program_wrote_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        write_new(&path, b"theirs", 0o600).unwrap();
        let mut changes = Changes::default();
        for expected in [None, Some(&b"as it was read"[..])] {
            assert!(changes.write(&path, b"ours", 0o600, expected).unwrap_err().contains("meanwhile"));
        }
        assert!(changes.undo.is_empty());
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
