//! The user database: home directories and group members.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The largest buffer; entries of the user database are far shorter.
const LARGEST_ENTRY: usize = 1024 * 1024;
/// The number of group members that are checked: one other is enough.
const MOST_MEMBERS: usize = 16;

/// The members of a group besides its owner and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// None: it is the owner's own group.
    None,
    /// Others; the group's name.
    Some(String),
    /// The database has no such group.
    Unknown,
}

/// The home directory of the user who runs this process: what the AWS tools use without HOME. `None` where the user has no entry, or
/// one without an absolute path.
pub fn home_directory() -> Option<PathBuf> {
    home(by_uid(own_uid()))
}

/// The home directory of a user, by name. `None` as above.
#[expect(unsafe_code, reason = "neither std nor rustix reads the user database")]
pub fn home_directory_of(user: &str) -> Option<PathBuf> {
    let user = CString::new(user).ok().filter(|user| !user.is_empty())?;
    home(|entry: *mut libc::passwd, buffer: &mut [u8], found: *mut *mut libc::passwd| {
        // SAFETY: all pointers are to live values, the length is that of `buffer`, and the name ends with a zero.
        unsafe { libc::getpwnam_r(user.as_ptr(), entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    })
}

/// The name of a user; `None` where the user database has none.
pub fn user_name(uid: u32) -> Option<String> {
    name_of(uid)?.into_string().ok().filter(|name| !name.is_empty())
}

#[expect(unsafe_code, reason = "the user database gives C strings")]
fn name_of(uid: u32) -> Option<OsString> {
    // SAFETY: the entry was filled in, so a pointer that is not null is to a C string.
    look_up(by_uid(uid), |entry: &libc::passwd| unsafe { text(entry.pw_name) }).flatten()
}

#[expect(unsafe_code, reason = "the user database gives C strings")]
fn home(ask: impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int) -> Option<PathBuf> {
    // SAFETY: the entry was filled in, so a pointer that is not null is to a C string.
    let home = look_up(ask, |entry: &libc::passwd| unsafe { text(entry.pw_dir) })?;
    home.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The members of a group besides its owner and root. A group is the owner's own if it has the owner's name or number and no
/// other members, as on systems that create a group for each user.
#[expect(unsafe_code, reason = "neither std nor rustix reads the group database")]
pub fn members_besides(gid: u32, owner: u32) -> Members {
    let name = name_of(owner);
    let by_gid = |entry: *mut libc::group, buffer: &mut [u8], found: *mut *mut libc::group| {
        // SAFETY: all pointers are to live values, and the length is that of `buffer`.
        unsafe { libc::getgrgid_r(gid, entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    };
    // SAFETY: the entry was filled in, so pointers that are not null are to C strings, and the list of members ends with one.
    let found = look_up(by_gid, |entry: &libc::group| unsafe { (text(entry.gr_name), members(entry.gr_mem)) });
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

#[expect(unsafe_code, reason = "neither std nor rustix reads the user database")]
fn by_uid(uid: u32) -> impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int {
    move |entry, buffer, found| {
        // SAFETY: `look_up` gives pointers to live values, and the length is that of `buffer`.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    }
}

/// Looks up an entry with a large enough buffer, and returns `read` of it; `None` if there is none.
#[expect(unsafe_code, reason = "the entries are C structs")]
fn look_up<E: Entry, T>(
    ask: impl Fn(*mut E, &mut [u8], *mut *mut E) -> libc::c_int,
    read: impl Fn(&E) -> T,
) -> Option<T> {
    let mut buffer = vec![0_u8; 4096];
    loop {
        // SAFETY: entries are plain C structs of numbers and pointers, for which all zeroes is a value.
        let mut entry: E = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        let error = ask(&raw mut entry, &mut buffer, &raw mut found);
        if error == libc::ERANGE && buffer.len() < LARGEST_ENTRY {
            buffer.resize(buffer.len() * 4, 0);
            continue;
        }
        return (error == 0 && !found.is_null()).then(|| read(&entry));
    }
}

/// A plain C struct of numbers and pointers.
trait Entry {}

impl Entry for libc::passwd {}
impl Entry for libc::group {}

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
            assert_eq!(home_directory_of("root"), home_directory());
        }
    }

    #[test]
    fn users_have_their_names_and_unknown_ones_none() {
        assert_eq!((user_name(0).as_deref(), user_name(u32::MAX - 7)), (Some("root"), None));
    }

    #[test]
    fn a_user_who_is_not_in_the_user_database_has_no_home() {
        for user in ["", "no such user", "a\0b"] {
            assert_eq!(home_directory_of(user), None, "{user:?}");
        }
    }

    #[test]
    fn a_group_is_the_owners_own_by_its_name_and_its_members() {
        assert_eq!(
            members_besides(0, 0),
            if cfg!(target_os = "macos") { Members::Some("wheel".to_owned()) } else { Members::None }
        );
        assert!(matches!(members_besides(1, 0), Members::Some(_)), "another group than root's");
        assert_eq!(members_besides(4_000_000_001, 0), Members::Unknown);
    }
}
