//! Tells the service manager how the daemon is: `sd_notify(3)`'s protocol, one datagram to the socket in NOTIFY_SOCKET.

use std::os::unix::net::UnixDatagram;

use crate::platform::environment::Environment;

/// The service manager's socket, if there is one.
pub(super) struct ServiceManager {
    socket: Option<(UnixDatagram, String)>,
}

impl ServiceManager {
    /// Finds the socket that the service manager listens on.
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let path = environment.get("NOTIFY_SOCKET").filter(|path| path.starts_with('/') || path.starts_with('@'));
        let socket = path.and_then(|path| Some((UnixDatagram::unbound().ok()?, path.to_owned())));
        Self { socket }
    }

    /// Ready to answer callers.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// Stopping.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A manager that can't be told is no reason to stop working.
    fn send(&self, state: &str) {
        let Some((socket, path)) = &self.socket else { return };
        let sent = match path.strip_prefix('@') {
            Some(name) => send_abstract(socket, state, name),
            None => socket.send_to(state.as_bytes(), path),
        };
        if let Err(error) = sent {
            tracing::debug!("the service manager can't be told {state}: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
fn send_abstract(socket: &UnixDatagram, state: &str, name: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(state.as_bytes(), &address)
}

#[cfg(not(target_os = "linux"))]
fn send_abstract(_: &UnixDatagram, _: &str, _: &str) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}
