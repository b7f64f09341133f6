//! Reading a person's file, which may be anything and may be changing.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::platform::unreadable;

/// Reads a regular file of at most `limit` bytes, through symbolic links. `Ok(None)` if there is no file, or for `/dev/null`.
///
/// # Errors
/// As the end of a sentence that begins with the file's name.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    read_with(path, limit, OFlags::empty())
}

/// Reads a regular file of at most `limit` bytes. `Ok(None)` if there is no file, or for `/dev/null`.
///
/// # Errors
/// It is there and can't be read: not a regular file, too large, changing this very moment (`ErrorKind::ResourceBusy`), or
/// what the system says. The error's text is the end of a sentence that begins with the file's name.
pub(super) fn read_with(path: &Path, limit: u64, flags: OFlags) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Without NONBLOCK opening a FIFO waits for its writer, for ever; without NOCTTY a terminal could become ours.
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        // A path through something that is no folder names no file either.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let before = file.metadata()?;
    if unreadable::is_null_device(&before) {
        return Ok(None);
    }
    if !before.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, unreadable::what_it_is(&before)));
    }
    if before.len() > limit {
        return Err(too_large(limit));
    }
    // Sized beforehand: a vector that grows would leave copies.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1));
    (&mut file).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    if version(&before) != version(&file.metadata()?) || bytes.len() as u64 != before.len() {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written"));
    }
    Ok(Some(bytes))
}

/// The error about a file of more than `limit` bytes.
pub(super) fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"))
}

fn version(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_bearable_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        assert!(read(&path, 10).unwrap().is_none());
        assert!(read(folder.path(), 10).unwrap_err().to_string().contains("directory"));
        File::create(&path).and_then(|mut file| io::Write::write_all(&mut file, b"12345")).unwrap();
        assert_eq!(read(&path, 5).unwrap().unwrap().as_slice(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(read(&path.join("below"), 5).unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_fifo_or_a_device_does_not_hang_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [&fifo, Path::new("/dev/zero")] {
            assert!(read(path, 5).unwrap_err().to_string().contains("not a regular file"));
        }
    }
}
