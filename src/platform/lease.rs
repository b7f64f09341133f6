//! Whether somebody still has a file open for writing.

use std::fs::File;

/// Whether another process may still write to a file. Linux gives a read lease only where nobody has the file open for
/// writing (fcntl(2), `F_SETLEASE`); where leases can't be had, nobody is taken to write.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe wrapper of leases is at hand: one call on a descriptor that is ours")]
pub fn has_writer(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and F_SETLEASE takes an integer.
    let taken = unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_RDLCK) };
    if taken == 0 {
        // SAFETY: as above. Given back at once: a lease that somebody breaks sends a signal.
        let _ = unsafe { libc::fcntl(descriptor, libc::F_SETLEASE, libc::F_UNLCK) };
        return false;
    }
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock
}

/// macOS can't say.
#[cfg(not(target_os = "linux"))]
pub fn has_writer(_file: &File) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_writer_for_as_long_as_somebody_has_it_open_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(has_writer(&reader));
        drop(writer);
        assert!(!has_writer(&reader));
    }
}
