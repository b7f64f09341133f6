//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
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
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open for as long as it is borrowed, and both pointers are to live integers.
    match unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &mut uid, &mut gid) } {
        0 => Ok(uid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The longest path of a socket, in bytes: the field of `sockaddr_un` has one more for the final zero.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// A path to create or connect to a socket. On Linux a long path goes through a descriptor of its directory, so it is
/// valid as long as this value lives.
pub struct ShortPath {
    path: PathBuf,
    _directory: Option<OwnedFd>,
}

impl ShortPath {
    /// A short form of this path.
    ///
    /// # Errors
    /// The directory can't be opened; or, as `InvalidFilename`, the path is too long for this system.
    pub fn of(path: &Path) -> io::Result<Self> {
        let length = path.as_os_str().len();
        if length <= LONGEST_PATH {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        let too_long = || {
            let why = format!(
                "the path has {length} bytes, more than the {LONGEST_PATH} of a socket path: set EVERCRED_RUNTIME_DIR \
                 to a shorter directory"
            );
            io::Error::new(io::ErrorKind::InvalidFilename, why)
        };
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Err(too_long()) };
        let Some(directory) = by_descriptor(directory)? else { return Err(too_long()) };
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(too_long());
        }
        Ok(Self { path, _directory: Some(directory) })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A descriptor that names a directory below `/proc/self/fd`; `None` where there is no such thing.
#[cfg(target_os = "linux")]
fn by_descriptor(directory: &Path) -> io::Result<Option<OwnedFd>> {
    use rustix::fs::{Mode, OFlags};
    if !Path::new("/proc/self/fd").is_dir() {
        return Ok(None);
    }
    Ok(Some(rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
}

/// A descriptor that names a directory below `/proc/self/fd`, which only Linux has.
#[cfg(not(target_os = "linux"))]
fn by_descriptor(_: &Path) -> io::Result<Option<OwnedFd>> {
    Ok(None)
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
    let path = ShortPath::of(path)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path.path())?)?;
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
    use std::os::unix::net::UnixListener;

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

    #[test]
    fn a_socket_with_a_long_path_is_made_and_reached_or_refused_with_the_length() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("evercred.sock");
        let short = ShortPath::of(&path);
        if cfg!(target_os = "linux") {
            let _listener = UnixListener::bind(short.unwrap().path()).unwrap();
            assert!(path.exists());
            connect(&path, Some(Duration::from_secs(5))).unwrap();
        } else {
            assert!(short.err().unwrap().to_string().contains("EVERCRED_RUNTIME_DIR"));
        }
        assert_eq!(ShortPath::of(Path::new("/s")).unwrap().path(), Path::new("/s"));
    }
}
