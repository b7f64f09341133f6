//! Tells the service manager how the daemon is: `sd_notify(3)`'s protocol, one datagram to the socket in NOTIFY_SOCKET.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use chrono::TimeDelta;

use crate::core::service::agent;
use crate::core::time::BootTime;
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;

/// The timeout for a manager that does not read.
const LONGEST_SEND: Duration = Duration::from_millis(500);

/// The service manager's socket, if there is one.
pub(super) struct ServiceManager {
    socket: Option<(UnixDatagram, String)>,
    watchdog: Option<Watchdog>,
    /// What it was told last.
    status: String,
    /// The watchdog was fed since then: whatever happened, the line is made anew.
    is_old: bool,
}

/// The manager ends a daemon that does not say in time that it is alive.
struct Watchdog {
    period: TimeDelta,
    due: Option<BootTime>,
}

impl ServiceManager {
    /// Finds the socket that the service manager listens on, and how often it wants to hear.
    pub(super) fn from_environment(environment: &Environment) -> Self {
        let path = environment.get("NOTIFY_SOCKET").filter(|path| path.starts_with('/') || path.starts_with('@'));
        let socket = path.and_then(|path| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_write_timeout(Some(LONGEST_SEND)).ok()?;
            Some((socket, path.to_owned()))
        });
        let watchdog = socket.as_ref().and_then(|_| watchdog(environment, std::process::id()));
        Self { socket, watchdog, status: String::new(), is_old: true }
    }

    /// Ready to answer callers.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// Stopping.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// The loop has made a pass: says so where that is due, and when it is due again.
    pub(super) fn alive(&mut self, now: BootTime) -> Option<BootTime> {
        let watchdog = self.watchdog.as_mut()?;
        if let Some(due) = watchdog.due.filter(|due| *due > now) {
            return Some(due);
        }
        let next = now + watchdog.period;
        watchdog.due = Some(next);
        self.is_old = true;
        self.send("WATCHDOG=1");
        Some(next)
    }

    /// One line for people, where there is somebody to show it and it has changed. It is made anew where it `may_differ` from
    /// the one before, and now and then.
    pub(super) fn status(&mut self, may_differ: bool, line: impl FnOnce() -> String) {
        if self.socket.is_none() || !(may_differ || self.is_old) {
            return;
        }
        self.is_old = false;
        let line = line();
        if line != self.status {
            self.send(&format!("STATUS={line}"));
            self.status = line;
        }
    }

    /// A manager that can't be told is no reason to stop working.
    fn send(&self, state: &str) {
        let Some((socket, path)) = &self.socket else { return };
        let sent = match path.strip_prefix('@') {
            Some(name) => send_abstract(socket, state, name),
            None => socket.send_to(state.as_bytes(), path),
        };
        if let Err(error) = sent {
            tracing::debug!("evercredd can't report {state} to the service manager: {error}");
        }
    }
}

/// Half of what the manager waits for, as sd_watchdog_enabled(3) advises; nothing where it waits for another process.
fn watchdog(environment: &Environment, pid: u32) -> Option<Watchdog> {
    let number = |name: &str| environment.get(name)?.parse::<i64>().ok();
    let is_ours = environment.get("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(pid.into());
    let wait = number("WATCHDOG_USEC").filter(|wait| is_ours && *wait > 0)?;
    Some(Watchdog { period: TimeDelta::microseconds(wait / 2).max(TimeDelta::milliseconds(1)), due: None })
}

/// The command that starts this daemon anew, by who started it.
pub(super) fn how_to_restart(environment: &Environment) -> String {
    if environment.get("NOTIFY_SOCKET").is_some() {
        "systemctl --user restart evercredd".to_owned()
    } else if environment.get("XPC_SERVICE_NAME") == Some(agent::LABEL) {
        format!("launchctl kickstart -k gui/{}/{}", own_uid(), agent::LABEL)
    } else {
        format!("kill {}, then start evercredd again", std::process::id())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn said(socket: &UnixDatagram) -> Option<String> {
        let mut text = [0; 200];
        let length = socket.recv(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text[..length]).into_owned())
    }

    #[test]
    fn the_watchdog_hears_twice_in_its_time_and_not_more_often() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let path = path.display().to_string();
        let mut manager =
            ServiceManager::from_environment(&environment(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "10000000")]));
        let at = |seconds: i64| BootTime::from_millis(seconds * 1_000);
        assert_eq!(manager.alive(at(100)), Some(at(105)));
        assert_eq!(said(&socket).as_deref(), Some("WATCHDOG=1"));
        assert_eq!((manager.alive(at(104)), said(&socket)), (Some(at(105)), None));
        // It slept over its time.
        assert_eq!((manager.alive(at(900)), said(&socket).as_deref()), (Some(at(905)), Some("WATCHDOG=1")));
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_nonblocking(true).unwrap();
        while filler.send_to(b"x", &path).is_ok() {}
        let path = path.display().to_string();
        ServiceManager::from_environment(&environment(&[("NOTIFY_SOCKET", &path)])).ready();
    }

    #[test]
    fn a_status_is_told_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let path = path.display().to_string();
        let mut manager = ServiceManager::from_environment(&environment(&[("NOTIFY_SOCKET", &path)]));
        for (line, wanted) in [("one", Some("STATUS=one")), ("one", None), ("two", Some("STATUS=two"))] {
            manager.status(true, || line.to_owned());
            assert_eq!(said(&socket).as_deref(), wanted);
        }
        manager.status(false, || panic!("nothing has happened"));
        assert_eq!(manager.alive(BootTime::from_millis(0)), None, "nobody waits");
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let wait = ("WATCHDOG_USEC", "1000");
        assert!(watchdog(&environment(&[wait, ("WATCHDOG_PID", "7")]), 7).is_some());
        assert!(watchdog(&environment(&[wait, ("WATCHDOG_PID", "8")]), 7).is_none());
        for wait in ["", "0", "-5", "x"] {
            assert!(watchdog(&environment(&[("WATCHDOG_USEC", wait)]), 7).is_none(), "{wait}");
        }
    }
}
