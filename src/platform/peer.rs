//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::AsFd;

/// The uid of the process that is connected, or that listens, at the other end.
///
/// # Errors
/// The system can't say.
#[cfg(target_os = "linux")]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// The uid of the process that is connected, or that listens, at the other end.
///
/// # Errors
/// The system can't say.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "neither std nor rustix has getpeereid")]
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open for as long as it is borrowed, and both pointers are to live integers.
    match unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &mut uid, &mut gid) } {
        0 => Ok(uid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Our own uid.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_pair_are_ours() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!((peer_uid(&one).unwrap(), peer_uid(&other).unwrap()), (own_uid(), own_uid()));
    }
}
