//! What the user database has: home directories, and who is in a group.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An entry of the user database is far shorter; one that is longer is given up.
const LARGEST_ENTRY: usize = 1024 * 1024;
/// So many members of a group are looked at: one other is enough.
const MOST_MEMBERS: usize = 16;

/// Who is in a group besides its owner and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Nobody: it is the owner's own group.
    None,
    /// Others; the group's name.
    Some(String),
    /// The database has no such group.
    Unknown,
}

/// The home directory of the user who runs this process: what the AWS tools use without HOME. `None` where the user has no entry, or
/// one without an absolute path.
#[expect(unsafe_code, reason = "neither std nor rustix reads the user database without HOME")]
pub fn home_directory() -> Option<PathBuf> {
    // SAFETY: the entry was filled in, so a pointer that is not null is to a C string.
    let home = user(own_uid(), |entry| unsafe { text(entry.pw_dir) })?;
    home.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Who is in a group besides its owner and root. A group is the owner's own where it has the owner's name or number, and no other
/// members: that is how the systems that give each user a group do it.
#[expect(unsafe_code, reason = "neither std nor rustix reads the group database")]
pub fn members_besides(gid: u32, owner: u32) -> Members {
    // SAFETY: the entry was filled in, so pointers that are not null are to C strings.
    let name = user(owner, |entry| unsafe { text(entry.pw_name) }).flatten();
    // SAFETY: as above, and the list of members ends with a null pointer.
    let found = group(gid, |entry| unsafe { (text(entry.gr_name), members(entry.gr_mem)) });
    let Some((Some(group), members)) = found else { return Members::Unknown };
    let is_own = name.as_ref() == Some(&group) || gid == owner;
    let is_other = |member: &OsString| Some(member) != name.as_ref() && member != "root";
    if is_own && !members.iter().any(is_other) {
        Members::None
    } else {
        Members::Some(group.to_string_lossy().into_owned())
    }
}

#[expect(unsafe_code, reason = "neither std nor rustix has the number of the user")]
fn own_uid() -> u32 {
    // SAFETY: getuid has no arguments and always succeeds.
    unsafe { libc::getuid() }
}

/// What `read` makes of a user's entry; `None` where there is none.
#[expect(unsafe_code, reason = "neither std nor rustix reads the user database")]
fn user<T>(uid: u32, read: impl Fn(&libc::passwd) -> T) -> Option<T> {
    // SAFETY: passwd is a plain C struct of numbers and pointers, for which all zeroes is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    let mut buffer = vec![0_u8; 4096];
    loop {
        // SAFETY: all pointers are to live values, and the length is that of `buffer`, which outlives `entry`.
        let error =
            unsafe { libc::getpwuid_r(uid, &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found) };
        if error == libc::ERANGE && buffer.len() < LARGEST_ENTRY {
            buffer.resize(buffer.len() * 4, 0);
            continue;
        }
        return (error == 0 && !found.is_null()).then(|| read(&entry));
    }
}

/// What `read` makes of a group's entry; `None` where there is none.
#[expect(unsafe_code, reason = "neither std nor rustix reads the group database")]
fn group<T>(gid: u32, read: impl Fn(&libc::group) -> T) -> Option<T> {
    // SAFETY: group is a plain C struct of numbers and pointers, for which all zeroes is a value.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    let mut buffer = vec![0_u8; 4096];
    loop {
        // SAFETY: all pointers are to live values, and the length is that of `buffer`, which outlives `entry`.
        let error =
            unsafe { libc::getgrgid_r(gid, &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found) };
        if error == libc::ERANGE && buffer.len() < LARGEST_ENTRY {
            buffer.resize(buffer.len() * 4, 0);
            continue;
        }
        return (error == 0 && !found.is_null()).then(|| read(&entry));
    }
}

/// A copy of a C string.
///
/// # Safety
/// The pointer is null, or to a C string.
#[expect(unsafe_code, reason = "the user database gives C strings")]
unsafe fn text(text: *const libc::c_char) -> Option<OsString> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }).map(|text| OsStr::from_bytes(text.to_bytes()).to_owned())
}

/// Copies of a list of C strings.
///
/// # Safety
/// The pointer is null, or to pointers to C strings of which the last one is null.
#[expect(unsafe_code, reason = "the group database gives a list of C strings")]
unsafe fn members(list: *const *mut libc::c_char) -> Vec<OsString> {
    let mut members = Vec::new();
    if list.is_null() {
        return members;
    }
    while members.len() < MOST_MEMBERS {
        // SAFETY: the end of the list was not reached, so this is one of its pointers.
        let Some(member) = (unsafe { text(*list.add(members.len())) }) else { break };
        members.push(member);
    }
    members
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

    #[test]
    fn a_group_is_the_owners_own_by_its_name_and_its_members() {
        let name = user(0, |entry| {
            // SAFETY: the entry was filled in.
            #[expect(unsafe_code, reason = "the user database gives C strings")]
            unsafe {
                text(entry.pw_name)
            }
        });
        assert_eq!(name, Some(Some(OsString::from("root"))));
        assert_eq!(
            members_besides(0, 0),
            if cfg!(target_os = "macos") { Members::Some("wheel".to_owned()) } else { Members::None }
        );
        assert!(matches!(members_besides(1, 0), Members::Some(_)), "another group than root's");
        assert_eq!(members_besides(4_000_000_001, 0), Members::Unknown);
    }
}
