//! Access control lists beside the permission bits.

use std::path::Path;

/// Whether a file has an access control list: its permission bits of the group are then the most that anybody on the list has.
pub fn has_one(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok_and(|length| length > 0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}
