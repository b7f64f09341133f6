//! Sockets that the service manager opened and handed to this process, by the protocol of sd_listen_fds(3).

use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::sockopt::socket_type;
use rustix::net::{AddressFamily, SocketType, getsockname};

use super::environment::Environment;

/// Behind standard input, output and error.
const FIRST: RawFd = 3;
/// A manager hands over what its socket units say: a handful.
const MOST: RawFd = 64;

/// The listening Unix stream sockets that were handed over. What else was handed over is closed; no program that this one
/// starts inherits any of it. To be called before anything is opened: later a number may be a descriptor of our own.
/// The second call gives nothing.
pub fn listeners(environment: &Environment) -> Vec<UnixListener> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let descriptors = (FIRST..).take(announced(environment, std::process::id()));
    descriptors.filter_map(take).filter(is_listener).map(UnixListener::from).collect()
}

/// How many descriptors are announced for this process: the variables may be those of a parent.
fn announced(environment: &Environment, pid: u32) -> usize {
    let number = |name: &str| environment.get(name)?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(pid) {
        return 0;
    }
    number("LISTEN_FDS").map_or(0, |count| usize::try_from(count).unwrap_or(0).min(MOST as usize))
}

#[expect(unsafe_code, reason = "a descriptor that another program has opened comes as a number")]
fn take(number: RawFd) -> Option<OwnedFd> {
    use std::os::fd::BorrowedFd;
    // SAFETY: the borrow ends with this statement. A number that is not open is what is asked about: the kernel says so.
    if fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).is_err() {
        return None;
    }
    // SAFETY: it is open, and nobody else in this process has it: nothing was opened yet, and this runs once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC).ok()?;
    Some(descriptor)
}

fn is_listener(socket: &OwnedFd) -> bool {
    let socket = socket.as_fd();
    let family = getsockname(socket).map(|address| address.address_family());
    listens(socket) && socket_type(socket) == Ok(SocketType::STREAM) && family == Ok(AddressFamily::UNIX)
}

#[cfg(target_os = "linux")]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket) == Ok(true)
}

/// macOS can't say; what doesn't listen fails when it is used.
#[cfg(not(target_os = "linux"))]
fn listens(_: impl AsFd) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_is_announced_for_this_process_counts() {
        for (pid, count, wanted) in
            [("7", "2", 2), ("8", "2", 0), ("7", "", 0), ("7", "-1", 0), ("7", "x", 0), ("7", "4000000000", 64)]
        {
            assert_eq!(announced(&environment(&[("LISTEN_PID", pid), ("LISTEN_FDS", count)]), 7), wanted, "{count}");
        }
        assert_eq!(announced(&environment(&[("LISTEN_FDS", "1")]), 7), 0);
    }

    #[test]
    fn a_listening_unix_socket_is_told_from_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let tcp = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let file = std::fs::File::open(folder.path()).unwrap();
        assert!(is_listener(&listener.into()));
        for other in [OwnedFd::from(one), tcp.into(), file.into()] {
            assert!(!is_listener(&other));
        }
    }

    #[test]
    fn a_number_that_is_not_open_is_no_socket() {
        assert!(take(RawFd::MAX).is_none());
    }
}
