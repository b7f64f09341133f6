//! A person's own systemd: `systemctl --user`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::host::Host;
use super::tool::{self, Said};
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::service::unit::{self, Filling};
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;
use crate::platform::service_manager;

/// The socket first: while it listens, a daemon that is stopped comes back.
const UNITS: [&str; 2] = [unit::SOCKET_NAME, unit::NAME];

/// A manager that answers.
pub(super) struct Systemd {
    systemctl: PathBuf,
    environment: Environment,
    /// What the manager hands to services.
    pub(super) variables: BTreeMap<String, String>,
}

/// How the service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// `loaded`, `not-found`, `masked`, …
    pub(super) load: String,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub(super) active: String,
    /// `enabled`, `disabled`, …
    pub(super) enabled: String,
    /// Where its file is.
    pub(super) file: String,
    /// The daemon's process id.
    pub(super) pid: Option<u32>,
    /// Since when, as systemd says it.
    pub(super) since: String,
    /// What the daemon says of itself.
    pub(super) status: String,
    /// The drop-ins that are in force.
    pub(super) drop_ins: String,
}

impl Systemd {
    /// Finds the manager of the person's services, or says what is missing and what to do then.
    pub(super) fn find(host: &Host) -> Result<Self, Failure> {
        let by_hand = "evercredd";
        let Some(systemctl) = tool::find(&host.environment, "systemctl") else {
            return Err(Failure::new(ATTENTION, "there is no systemd here: systemctl is not on PATH").fix(by_hand));
        };
        let said = tool::run(&systemctl, &["--user", "show-environment"], &host.environment);
        if !said.ok {
            return Err(missing(host, &said.why, by_hand));
        }
        let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = said.out.lines().filter_map(variable).collect();
        Ok(Self { systemctl, environment: host.environment.clone(), variables })
    }

    /// The folder of the person's own units, as the manager sees it.
    pub(super) fn folder(&self, host: &Host) -> PathBuf {
        let config = self.variables.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        config.unwrap_or_else(|| host.home.join(".config")).join("systemd/user")
    }

    /// Calls systemctl.
    pub(super) fn call(&self, arguments: &[&str]) -> Result<(), String> {
        let said = self.run(arguments);
        if said.ok { Ok(()) } else { Err(format!("systemctl --user {}: {}", arguments.join(" "), said.why)) }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let arguments: Vec<&str> = ["--user"].iter().chain(arguments).copied().collect();
        tool::run(&self.systemctl, &arguments, &self.environment)
    }

    /// How a unit stands.
    pub(super) fn show(&self, name: &str) -> Unit {
        const PROPERTIES: &str =
            "LoadState,ActiveState,UnitFileState,FragmentPath,MainPID,ActiveEnterTimestamp,StatusText,DropInPaths";
        let said = self.run(&["show", "-p", PROPERTIES, name]);
        let of = |name: &str| {
            let mut lines = said.out.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        Unit {
            load: of("LoadState"),
            active: of("ActiveState"),
            enabled: of("UnitFileState"),
            file: of("FragmentPath"),
            pid: of("MainPID").parse().ok().filter(|pid| *pid != 0),
            since: of("ActiveEnterTimestamp"),
            status: of("StatusText"),
            drop_ins: of("DropInPaths"),
        }
    }

    /// Whether the daemon starts where it is shut off so far. Not with `--wait`, which needs a message bus besides the manager:
    /// the start of a `oneshot` has ended when the program has.
    pub(super) fn can_shut_off(&self, filling: &Filling) -> bool {
        let Some(systemd_run) = tool::find(&self.environment, "systemd-run") else { return false };
        let properties = unit::properties(filling);
        let mut arguments = vec!["--user", "--collect", "--quiet", "-p", "Type=oneshot", "-p", "StandardOutput=null"];
        arguments.extend(properties.iter().flat_map(|property| ["-p", property.as_str()]));
        // The daemon itself, as the place that it lies in has to be seen from there.
        arguments.extend(["--", &filling.program, "--version"]);
        tool::run(&systemd_run, &arguments, &self.environment).ok
    }

    /// Starts the service, or starts it anew, and waits until it is ready.
    pub(super) fn start(&self, socket_changed: bool) -> Result<(), String> {
        self.call(&["daemon-reload"])?;
        self.call(&["enable", unit::SOCKET_NAME, unit::NAME])?;
        if socket_changed || self.show(unit::SOCKET_NAME).active != "active" {
            // A socket can't be started while the daemon holds one of its own, nor moved while it listens.
            self.call(&["stop", unit::SOCKET_NAME, unit::NAME])?;
            self.call(&["start", unit::SOCKET_NAME])?;
        }
        self.call(&["restart", unit::NAME]).map_err(|why| self.explain(why))
    }

    /// How the socket and the service stand.
    pub(super) fn standing(&self) -> [Unit; 2] {
        UNITS.map(|name| self.show(name))
    }

    /// Takes back what [`start`](Self::start) did, while the files are still there that it went by.
    pub(super) fn undo_start(&self, before: &[Unit; 2]) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, before) in UNITS.into_iter().zip(before) {
            if self.show(name).load == "not-found" {
                continue;
            }
            complaints.extend(self.call(&["stop", name]).err());
            if ["", "disabled"].contains(&before.enabled.as_str()) {
                complaints.extend(self.call(&["disable", name]).err());
            }
            // What failed is forgotten; there may be nothing.
            let _ = self.run(&["reset-failed", name]);
        }
        complaints
    }

    /// Lets the units stand as they did, when their files are again as they were.
    pub(super) fn stand_again(&self, before: &[Unit; 2]) -> Vec<String> {
        let mut complaints = Vec::from_iter(self.call(&["daemon-reload"]).err());
        for (name, before) in UNITS.into_iter().zip(before) {
            // One that names the other was disabled together with it.
            if before.enabled == "enabled" {
                complaints.extend(self.call(&["enable", name]).err());
            }
            if ["active", "activating", "reloading"].contains(&before.active.as_str()) {
                complaints.extend(self.call(&["start", name]).err());
            }
        }
        complaints
    }

    /// Stops the service, now and at the next login; one that is not there is fine.
    pub(super) fn stop(&self) -> Result<(), String> {
        for name in UNITS {
            match self.show(name).load.as_str() {
                "not-found" => {}
                // That it is masked is somebody's own doing.
                "masked" => self.call(&["stop", name])?,
                _ => self.call(&["disable", "--now", name])?,
            }
            // What failed is forgotten; there may be nothing.
            let _ = self.run(&["reset-failed", name]);
        }
        Ok(())
    }

    /// Why the daemon did not start, in its own words where there is a journal.
    fn explain(&self, why: String) -> String {
        let Some(journalctl) = tool::find(&self.environment, "journalctl") else { return why };
        let said = tool::run(
            &journalctl,
            &["--user", "-u", unit::NAME, "-n", "20", "-o", "cat", "--no-pager"],
            &self.environment,
        );
        match said.out.lines().rfind(|line| line.starts_with("evercredd: ")) {
            Some(line) => format!("{why} ({line})"),
            // It did not come so far.
            None => match said.out.lines().rfind(|line| line.contains("Failed at step")) {
                Some(line) => format!("{why} ({line})"),
                None => why,
            },
        }
    }

    /// What is worth knowing about who is logged in.
    pub(super) fn note_on_lingering(&self, host: &Host) -> Option<String> {
        let user = host.environment.get("USER").or_else(|| host.environment.get("LOGNAME"))?;
        let lingers = Path::new("/var/lib/systemd/linger").join(user).exists();
        (!lingers).then(|| {
            format!("the daemon runs while you are logged in; for cron jobs and the time after: loginctl enable-linger {user}")
        })
    }
}

/// Why there is no manager, by what this machine shows.
fn missing(host: &Host, why: &str, by_hand: &str) -> Failure {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let seen = Seen {
        why,
        is_booted: service_manager::is_here(),
        kernel: &kernel,
        session: host.environment.get("XDG_RUNTIME_DIR"),
        uid: own_uid(),
    };
    let (message, fix) = seen.explained(by_hand);
    Failure { fix, ..Failure::new(ATTENTION, message) }
}

/// What tells one kind of missing manager from another.
struct Seen<'a> {
    /// What systemctl said.
    why: &'a str,
    /// Whether systemd runs this system.
    is_booted: bool,
    /// The kernel's release.
    kernel: &'a str,
    /// The session's folder.
    session: Option<&'a str>,
    uid: u32,
}

impl Seen<'_> {
    /// What is the matter, and what to do then.
    fn explained(&self, by_hand: &str) -> (String, Option<String>) {
        let why = self.why;
        let is_wsl = self.kernel.to_ascii_lowercase().contains("microsoft") || self.kernel.contains("WSL2");
        match (self.is_booted, self.session) {
            (false, _) if is_wsl => (
                format!(
                    "WSL runs without systemd ({why}). To use it, set systemd=true under [boot] in /etc/wsl.conf, and run wsl --shutdown in Windows"
                ),
                Some(by_hand.to_owned()),
            ),
            (false, _) => (
                format!("systemd is not running, for example because this is a container ({why})"),
                Some(by_hand.to_owned()),
            ),
            (true, None) => (
                format!(
                    "systemd can't be reached ({why}): user id {} has no login session, and lingering is off",
                    self.uid
                ),
                Some(format!("sudo loginctl enable-linger {}", self.uid)),
            ),
            (true, Some(folder)) => (format!("systemd can't be reached: {why} (XDG_RUNTIME_DIR is {folder})"), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_for_a_missing_systemd_has_its_fix() {
        let (wsl, linux) = ("5.15.167.4-microsoft-standard-WSL2\n", "6.1.0-25-amd64\n");
        for (is_booted, kernel, session, message, fix) in [
            (false, wsl, None, "WSL runs without systemd", Some("by hand")),
            (false, "4.4.0-19041-Microsoft\n", None, "wsl --shutdown", Some("by hand")),
            (false, linux, Some("/run/user/7"), "a container", Some("by hand")),
            (true, linux, None, "user id 7 has no login session", Some("sudo loginctl enable-linger 7")),
            (true, wsl, None, "user id 7 has no login session", Some("sudo loginctl enable-linger 7")),
            (true, linux, Some("/run/user/7"), "XDG_RUNTIME_DIR is /run/user/7", None),
        ] {
            let said = Seen { why: "its words", is_booted, kernel, session, uid: 7 }.explained("by hand");
            assert!(said.0.contains("its words") && said.0.contains(message), "{said:?}");
            assert_eq!(said.1.as_deref(), fix);
        }
    }
}
