//! A person's own systemd: `systemctl --user`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::host::Host;
use super::tool::{self, Said};
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::service::unit::{self, Filling};
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;

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
}

impl Systemd {
    /// Finds the manager of the person's services, or says what is missing and what to do then.
    pub(super) fn find(host: &Host) -> Result<Self, Failure> {
        let by_hand = "run evercredd yourself, as from your session's start-up programs";
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
            "LoadState,ActiveState,UnitFileState,FragmentPath,MainPID,ActiveEnterTimestamp,StatusText";
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
        }
    }

    /// Whether a service can be shut off so far here: tried out with a program that does nothing.
    pub(super) fn can_shut_off(&self, filling: &Filling) -> bool {
        let Some(systemd_run) = tool::find(&self.environment, "systemd-run") else { return false };
        let properties = unit::properties(filling);
        // A start that is over when the program has ended: `--wait` would need a message bus, which not every session has.
        let mut arguments = vec!["--user", "--collect", "--quiet", "-p", "Type=oneshot"];
        arguments.extend(properties.iter().flat_map(|property| ["-p", property.as_str()]));
        // The daemon itself, as the place that it lies in has to be seen from there.
        arguments.extend(["--", &filling.program, "--version"]);
        tool::run(&systemd_run, &arguments, &self.environment).ok
    }

    /// Starts the service, or starts it anew, and waits until it is ready.
    pub(super) fn start(&self) -> Result<(), String> {
        self.call(&["daemon-reload"])?;
        self.call(&["enable", unit::SOCKET_NAME, unit::NAME])?;
        if self.show(unit::SOCKET_NAME).active != "active" {
            // A socket can't be started while the daemon holds one of its own.
            self.call(&["stop", unit::NAME])?;
            self.call(&["start", unit::SOCKET_NAME])?;
        }
        self.call(&["restart", unit::NAME]).map_err(|why| self.explain(why))
    }

    /// Stops the service, now and at the next login; one that is not there is fine.
    pub(super) fn stop(&self) -> Result<(), String> {
        for name in [unit::SOCKET_NAME, unit::NAME] {
            if self.show(name).load != "not-found" {
                self.call(&["disable", "--now", name])?;
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
    let booted = Path::new("/run/systemd/system").exists();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let why = format!("systemd can't be asked to run a service: {why}");
    if !booted && (kernel.contains("microsoft") || kernel.contains("WSL2")) {
        let message = format!("{why}: this WSL runs without systemd");
        return Failure::new(ATTENTION, message).fix(format!(
            "write [boot] and below it systemd=true into /etc/wsl.conf, then `wsl --shutdown` in Windows; or {by_hand}"
        ));
    }
    if !booted {
        let message = format!("{why}: systemd does not run this system, as in a container");
        return Failure::new(ATTENTION, message).fix(by_hand);
    }
    if host.environment.get("XDG_RUNTIME_DIR").is_none() {
        let message =
            format!("{why}: there is no login session of user id {}, and nothing that keeps one open", own_uid());
        return Failure::new(ATTENTION, message)
            .fix("log in as that user (not by su or sudo), or as an administrator: loginctl enable-linger USER");
    }
    Failure::new(
        ATTENTION,
        format!("{why} (XDG_RUNTIME_DIR is {})", host.environment.get("XDG_RUNTIME_DIR").unwrap_or_default()),
    )
    .fix("log in anew, or see what `systemctl --user status` says")
}
