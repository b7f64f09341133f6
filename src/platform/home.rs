//! The home directory that the user database has.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An entry of the user database is far shorter; one that is longer is given up.
const LARGEST_ENTRY: usize = 1024 * 1024;

/// The home directory of the user who runs this process, by the user database: what the AWS tools use without HOME. `None`
/// where the user has no entry, or one without an absolute path.
#[expect(unsafe_code, reason = "neither std nor rustix reads the user database without HOME")]
pub fn home_directory() -> Option<PathBuf> {
    // SAFETY: getuid has no arguments and always succeeds.
    let uid = unsafe { libc::getuid() };
    let mut buffer = vec![0_u8; 4096];
    loop {
        // SAFETY: passwd is a plain C struct of numbers and pointers, for which all zeroes is a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are to live values, and the length is that of `buffer`, which outlives `entry`.
        let error =
            unsafe { libc::getpwuid_r(uid, &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found) };
        if error == libc::ERANGE && buffer.len() < LARGEST_ENTRY {
            buffer.resize(buffer.len() * 4, 0);
            continue;
        }
        if error != 0 || found.is_null() || entry.pw_dir.is_null() {
            return None;
        }
        // SAFETY: the entry was filled in, so this is a C string in `buffer`.
        let path = unsafe { CStr::from_ptr(entry.pw_dir) };
        let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
        return Some(path).filter(|path| path.is_absolute());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_database_has_a_home_for_root() {
        if rustix::process::getuid().is_root() {
            assert!(home_directory().is_some_and(|home| home.is_absolute()));
        }
    }
}
