//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

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

/// Connects to a listening socket; `wait` is how long a full queue is waited for, and without it the stream is
/// non-blocking. The standard library's `connect` waits for ever on a listener that has stopped to accept.
///
/// # Errors
/// What the system says; `WouldBlock` where the queue stayed full.
pub fn connect(path: &Path, wait: Option<Duration>) -> io::Result<UnixStream> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    match wait {
        // It bounds connecting too.
        Some(wait) => rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, Some(wait))?,
        None => rustix::io::ioctl_fionbio(&socket, true)?,
    }
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

/// Whether the other end of a stream is closed whole, after its half was seen to be closed.
#[cfg(feature = "daemon")]
pub fn hung_up(stream: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut descriptors = [PollFd::new(&stream, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where it can't be told, nobody is waited for.
    poll(&mut descriptors, Some(&at_once)).is_err() || descriptors[0].revents().contains(PollFlags::HUP)
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
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!((peer_uid(&one).unwrap(), peer_uid(&other).unwrap()), (own_uid(), own_uid()));
    }

    #[test]
    fn a_listener_whose_queue_is_full_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let waiting: Vec<_> = (0..16).map_while(|_| connect(&path, None).ok()).collect();
        assert!(!waiting.is_empty() && waiting.len() < 16);
        let error = connect(&path, Some(Duration::from_millis(10))).unwrap_err();
        // macOS refuses at once.
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused), "{error}");
    }

    #[cfg(feature = "daemon")]
    #[test]
    fn a_half_that_is_closed_is_told_from_a_whole() {
        let (one, other) = UnixStream::pair().unwrap();
        other.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!hung_up(&one));
        drop(other);
        assert!(hung_up(&one));
    }
}
