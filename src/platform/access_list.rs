//! Access control lists beside the permission bits.

use std::path::Path;

/// Whether a file has an access control list: its group bits are then the upper limit for all entries of the list.
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
