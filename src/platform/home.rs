//! The home directory that the user database has.

use std::ffi::{CStr, CString, OsStr};
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
    look_up(|entry, buffer, found| {
        // SAFETY: all pointers are to live values, and the length is that of `buffer`, which outlives `entry`.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    })
}

/// The home directory of a user, by name. `None` as above.
#[expect(unsafe_code, reason = "neither std nor rustix reads the user database")]
pub fn home_directory_of(user: &str) -> Option<PathBuf> {
    let user = CString::new(user).ok().filter(|user| !user.is_empty())?;
    look_up(|entry, buffer, found| {
        // SAFETY: as above, and the name ends with a zero.
        unsafe { libc::getpwnam_r(user.as_ptr(), entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    })
}

/// Asks for an entry with a buffer that is large enough, and reads the directory in it.
#[expect(unsafe_code, reason = "the entry is a C struct")]
fn look_up(ask: impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int) -> Option<PathBuf> {
    let mut buffer = vec![0_u8; 4096];
    loop {
        // SAFETY: passwd is a plain C struct of numbers and pointers, for which all zeroes is a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        let error = ask(&raw mut entry, &mut buffer, &raw mut found);
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
            assert_eq!(home_directory_of("root"), home_directory());
        }
    }
    #[test]
    fn a_user_who_is_not_in_the_user_database_has_no_home() {
        for user in ["", "no such user", "a\0b"] {
            assert_eq!(home_directory_of(user), None, "{user:?}");
        }
    }
}
