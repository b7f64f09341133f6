//! What the system tells about files that change.

/// Whether the system says when a writer closes a file. Linux's inotify does, macOS's FSEvents does not; without it, a file
/// that is being written can only be told from one that was written by waiting for quiet.
pub const TELLS_CLOSE: bool = cfg!(target_os = "linux");

/// Whether the file system of a directory reports changes that another machine makes. Network file systems and those of
/// virtual machines let their directories be watched, and then report only what this machine changes.
#[cfg(target_os = "linux")]
pub fn reports_every_change(directory: &std::path::Path) -> bool {
    /// From `linux/magic.h`, and cifs, 9p, AFS, Ceph and Lustre from their own headers: NFS, SMB, CIFS, SMB 2, 9p, FUSE (sshfs,
    /// virtiofs and the mounts of container programs too), AFS, Ceph, Lustre.
    const REMOTE: &[u32] =
        &[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x5346_414f, 0x00c3_6400, 0x0bd0_0bd0];
    rustix::fs::statfs(directory).map_or(true, |found| {
        // The field's width and sign differ between architectures; the numbers have 32 bits.
        let kind = u32::try_from(found.f_type & 0xffff_ffff).unwrap_or(0);
        !REMOTE.contains(&kind)
    })
}

/// FSEvents does not report changes of other machines either, and macOS has no reliable numbers for its file systems.
#[cfg(not(target_os = "linux"))]
pub fn reports_every_change(_: &std::path::Path) -> bool {
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_system_of_this_machine_alone_reports_every_change() {
        assert!(reports_every_change(Path::new("/proc")) && reports_every_change(Path::new("/nowhere")));
    }
}
