//! The user's unreadable files: why, and the command that makes them readable.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::Access;

use super::peer::own_uid;
use crate::core::fix::word;
use crate::core::printable::has_harmful;

/// Whether this is `/dev/null`, which means no file: `AWS_CONFIG_FILE=/dev/null` is common.
pub fn is_null_device(metadata: &Metadata) -> bool {
    let is_same = |null: Metadata| null.file_type().is_char_device() && null.rdev() == metadata.rdev();
    metadata.file_type().is_char_device() && std::fs::metadata("/dev/null").is_ok_and(is_same)
}

/// Why a path that is not a regular file can't be read: the end of a sentence that begins with its name.
pub fn what_it_is(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a FIFO, not a regular file"
    } else if kind.is_socket() {
        "it is a socket, not a regular file"
    } else {
        "it is a device, not a regular file"
    }
}

/// An error of reading, as the end of a sentence that begins with the file's name.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The command that makes a file readable, where there is one.
pub fn fix(path: &Path) -> Option<String> {
    // Such a path can't be printed as a command.
    if path.to_str().is_none_or(has_harmful) {
        return None;
    }
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let is_empty = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            let name = path.display().to_string();
            Some(if is_empty {
                format!("rmdir {}", word(&name))
            } else {
                format!("mv {} {}", word(&name), word(&format!("{name}.directory")))
            })
        }
        Ok(metadata) if metadata.is_file() => is_denied(path, Access::READ_OK).then(|| give(path, &metadata, "u+r")),
        Ok(_) => None,
        // A parent directory can't be entered.
        Err(_) => {
            let mut ways: Vec<&Path> = path.ancestors().skip(1).collect();
            ways.reverse();
            let way = ways.into_iter().find(|way| is_denied(way, Access::EXEC_OK))?;
            Some(give(way, &way.metadata().ok()?, "u+x"))
        }
    }
}

fn is_denied(path: &Path, access: Access) -> bool {
    rustix::fs::access(path, access) == Err(rustix::io::Errno::ACCESS)
}

fn give(path: &Path, metadata: &Metadata, mode: &str) -> String {
    let name = word(&path.display().to_string());
    if metadata.uid() == own_uid() {
        format!("chmod {mode} {name}")
    } else {
        format!("sudo chown \"$(id -un)\" {name}")
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn the_null_device_is_known_and_no_other() {
        let is_null = |path: &str| is_null_device(&std::fs::metadata(path).unwrap());
        assert!(is_null("/dev/null") && !is_null("/dev/zero") && !is_null("/tmp"));
    }

    #[test]
    fn a_directory_is_removed_or_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        std::fs::create_dir(&path).unwrap();
        assert_eq!(fix(&path), Some(format!("rmdir {}", path.display())));
        std::fs::create_dir(path.join("x")).unwrap();
        assert_eq!(fix(&path), Some(format!("mv {0} {0}.directory", path.display())));
        assert_eq!(fix(Path::new("/dev/zero")), None);
    }

    #[test]
    fn a_path_that_no_terminal_shows_has_no_command() {
        let directory = tempfile::tempdir().unwrap();
        for name in [OsStr::from_bytes(b"new\nline"), OsStr::from_bytes(b"\x1b[31m"), OsStr::from_bytes(b"\xff")] {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).unwrap();
            assert_eq!(fix(&path), None);
        }
    }
}
