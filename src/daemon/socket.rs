//! The control socket of a running daemon. If a user or a cleaner of temporary files removes it, the daemon creates it again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::core::directories::SOCKET;
use crate::core::time::BootTime;
use crate::delivery::control_socket::{self, Incoming, ListenError};

/// After an attempt that failed.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// The server of the control socket.
pub(super) struct Socket {
    runtime: PathBuf,
    /// The path of the socket, if this daemon has created it; the service manager repairs its own.
    own: Option<PathBuf>,
    requests: mpsc::Sender<Incoming>,
    left: Arc<Notify>,
    /// How many connections are served at once.
    places: usize,
    server: JoinHandle<()>,
    retry_at: Option<BootTime>,
    /// A failed attempt was already logged.
    is_logged: bool,
}

impl Socket {
    /// Serves requests on a listener. `handed_over`: the service manager has created it.
    pub(super) fn serve(
        listener: UnixListener,
        handed_over: bool,
        runtime: &Path,
        requests: mpsc::Sender<Incoming>,
        places: usize,
    ) -> Self {
        let left = Arc::new(Notify::new());
        let server = tokio::spawn(control_socket::serve(listener, requests.clone(), Arc::clone(&left), places));
        let own = (!handed_over).then(|| runtime.join(SOCKET));
        Self { runtime: runtime.to_owned(), own, requests, left, places, server, retry_at: None, is_logged: false }
    }

    /// Signals that a caller disconnected before its answer.
    pub(super) fn left(&self) -> Arc<Notify> {
        Arc::clone(&self.left)
    }

    /// The path to watch.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.own.as_ref()
    }

    /// Stops serving. The socket's file stays: it tells the tool that a daemon was running, and the tool waits for the next one.
    pub(super) fn stop(&self) {
        self.server.abort();
    }

    /// When to call [`Socket::make_again`] next.
    pub(super) fn next_timeout(&self) -> Option<BootTime> {
        self.retry_at
    }

    /// Creates the socket again if it is gone or an earlier attempt failed. Returns whether there is a new
    /// socket.
    pub(super) fn make_again(&mut self, now: BootTime) -> bool {
        let Some(path) = &self.own else { return false };
        match control_socket::bind(&self.runtime) {
            Ok(listener) => {
                tracing::warn!("{} was removed; evercredd has created it again", path.display());
                self.server.abort();
                let (requests, left) = (self.requests.clone(), Arc::clone(&self.left));
                self.server = tokio::spawn(control_socket::serve(listener, requests, left, self.places));
                (self.retry_at, self.is_logged) = (None, false);
                true
            }
            Err(ListenError::Taken(why) | ListenError::Unusable(why)) => {
                if !std::mem::replace(&mut self.is_logged, true) {
                    tracing::warn!("{} was removed, so programs can't reach this daemon: {why}", path.display());
                }
                self.retry_at = Some(now + RETRY);
                false
            }
        }
    }
}
