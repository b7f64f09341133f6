//! `service status`: whether the service is there, is ours, is of this version, and sees what this shell sees.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::carried::{Carried, by_hand, value};
use super::host::Host;
use super::install::{RECORD, filling, read_record, runs_programs};
use super::manager::{Kind, Manager};
use crate::companion::failure::{ATTENTION, Failure, UNREACHABLE};
use crate::companion::{client, output};
use crate::core::service::carry::Carry;
use crate::core::service::environment::{self, CARRIED, Drift, NETWORK, OF_EACH_SHELL};
use crate::core::service::unit::{self, Filling, Hardening};
use crate::core::service::{Record, digest};
use crate::platform::environment::Environment;
use crate::wire::StatusDocument;

const INSTALL: &str = "evercred service install";

/// `service status`.
pub(super) fn status(host: &Host, kind: Kind, json: bool) -> Result<ExitCode, Failure> {
    let manager = match Manager::find(host, kind) {
        Ok(manager) => manager,
        Err(failure) if json => return without_manager(host, &failure),
        Err(failure) => return Err(failure),
    };
    let record = read_record(&host.state.join(RECORD));
    let mut report = Report::default();
    let hardening = report.service(&manager);
    report.fact("files", json!(record.files.keys().collect::<Vec<_>>()));
    if report.is_installed {
        report.files(host, kind, &manager, &record, hardening.unwrap_or(Hardening::Usual));
        if let Some(hardening) = hardening {
            report.hardening(hardening, runs_programs(host));
        }
    } else {
        report.problem("the service is not installed", INSTALL);
    }
    report.daemon(host, &manager, &record);
    if let Manager::Systemd(systemd) = &manager {
        report.notes.extend(systemd.note_on_lingering(host));
    }
    report.print(json)
}

/// The document of a machine without systemd or launchd.
fn without_manager(host: &Host, failure: &Failure) -> Result<ExitCode, Failure> {
    let mut report = Report::default();
    report.fact("installed", json!(false));
    for unknown in ["unit", "enabled", "active", "since", "says", "pid", "hardening"] {
        report.fact(unknown, Value::Null);
    }
    report.fact("files", json!([]));
    report.fact("environment", json!([]));
    let daemon = daemon_status(host);
    report.fact("version", json!(daemon.as_ref().map(|daemon| &daemon.daemon.version)));
    report.problem(failure.message.clone(), failure.fix.clone().unwrap_or_default());
    if let Some(daemon) = daemon {
        report.version(&daemon);
    }
    report.print(true)
}

/// The status of a daemon that answers.
fn daemon_status(host: &Host) -> Option<StatusDocument> {
    let answer = client::ask(&host.environment, "status", None).ok().and_then(Result::ok)?;
    serde_json::from_value(answer).ok()
}

/// What there is to say.
#[derive(Default)]
struct Report {
    facts: Map<String, Value>,
    /// Each with its way on.
    problems: Vec<(String, String)>,
    notes: Vec<String>,
    is_installed: bool,
    /// Whether the daemon should answer and does not.
    is_silent: bool,
}

impl Report {
    fn fact(&mut self, name: &str, value: Value) {
        self.facts.insert(name.to_owned(), value);
    }

    fn problem(&mut self, message: impl Into<String>, fix: impl Into<String>) {
        self.problems.push((message.into(), fix.into()));
    }

    /// What the manager says; gives how much systemd shuts the daemon off.
    fn service(&mut self, manager: &Manager) -> Option<Hardening> {
        match manager {
            Manager::Systemd(systemd) => {
                let service = systemd.show(unit::NAME);
                self.is_installed = service.load != "not-found";
                self.fact("installed", json!(self.is_installed));
                self.fact("unit", json!(service.file));
                self.fact("enabled", json!(service.enabled));
                self.fact("active", json!(service.active));
                self.fact("since", json!(service.since));
                self.fact("says", json!(service.status));
                self.fact("pid", json!(service.pid));
                if service.load == "masked" {
                    self.problem("the service is masked", format!("systemctl --user unmask {}", unit::NAME));
                } else if service.load == "loaded" && service.active != "active" {
                    self.problem(format!("the service is {}", service.active), manager.how_to_look());
                }
                if service.load == "loaded" && service.enabled == "disabled" {
                    self.problem("the service does not start with your session", INSTALL);
                }
                let has = |name: &str| service.drop_ins.split(' ').any(|path| path.ends_with(name));
                let hardening = match () {
                    () if has("helpers.conf") => Hardening::Helpers,
                    () if has("portable.conf") => Hardening::Portable,
                    () if has("hardening.conf") => Hardening::Strict,
                    () => Hardening::Usual,
                };
                self.is_installed.then_some(hardening)
            }
            Manager::Launchd(launchd) => {
                let loaded = launchd.loaded();
                self.is_installed = loaded.is_some();
                self.fact("installed", json!(self.is_installed));
                self.fact("active", json!(if loaded.flatten().is_some() { "active" } else { "inactive" }));
                self.fact("pid", json!(loaded.flatten()));
                None
            }
        }
    }

    /// Whether the files are as they were written, and as this version would write them.
    fn files(&mut self, host: &Host, kind: Kind, manager: &Manager, record: &Record, hardening: Hardening) {
        let filled = filling(host, &|name| manager.variable(name));
        let wanted =
            filled.and_then(|filling| kind.files(host, &Filling { hardening, ..filling }, manager.folder(host)));
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(failure) => {
                self.problem(failure.message, failure.fix.unwrap_or_default());
                Vec::new()
            }
        };
        for (path, written) in &record.files {
            let is_wanted = |found: &[u8]| {
                let mut there = wanted.iter().filter(|file| file.path == Path::new(path));
                there.all(|file| file.text.as_bytes() == found)
            };
            match std::fs::read(path) {
                Ok(found) if digest(&found) != *written => self.problem(
                    format!(
                        "{path} was changed by hand since it was installed (--force keeps it as NAME.before-evercred)"
                    ),
                    format!("{INSTALL} --force"),
                ),
                Ok(found) if !is_wanted(&found) => self.problem(
                    format!("{path} is not what this version of evercred, called as it was from this shell, writes"),
                    INSTALL,
                ),
                Ok(_) => {}
                Err(error) => self.problem(format!("{path} can't be read: {error}"), INSTALL),
            }
        }
    }

    /// Whether the sandbox fits the profiles.
    fn hardening(&mut self, hardening: Hardening, runs_programs: bool) {
        self.fact(
            "hardening",
            json!(match hardening {
                Hardening::Strict => "all restrictions",
                Hardening::Usual => "all restrictions except file access",
                Hardening::Portable => "only restrictions that need no privileges",
                Hardening::Helpers => "reduced, because profiles run programs",
            }),
        );
        match (hardening, runs_programs) {
            (Hardening::Strict | Hardening::Usual | Hardening::Portable, true) => {
                self.problem("profiles run programs, and the sandbox of the service may block them", INSTALL)
            }
            (Hardening::Helpers, false) => {
                self.notes.push(format!("no profile runs a program now: {INSTALL} restores the full sandbox"))
            }
            _ => {}
        }
    }

    /// Whether the daemon answers, is of this version, and has the environment of this shell.
    fn daemon(&mut self, host: &Host, manager: &Manager, record: &Record) {
        self.fact("environment", json!([]));
        let Some(daemon) = daemon_status(host) else {
            self.is_silent = self.is_installed;
            if self.is_silent {
                self.problem("the daemon does not answer", manager.how_to_look());
            }
            return;
        };
        self.fact("version", json!(daemon.daemon.version));
        self.version(&daemon);
        let shell = environment::shown(&|name| value(host, name));
        let drifts = environment::drift(&shell, &daemon.daemon.environment, CARRIED);
        let listed =
            drifts.iter().map(|drift| json!({"name": drift.name, "shell": drift.shell, "daemon": drift.daemon}));
        self.fact("environment", listed.collect());
        if drifts.is_empty() {
            return;
        }
        let carried = match Carried::look(host, manager, record, &[]) {
            Ok(carried) => carried.decisions,
            Err(failure) => return self.problem(failure.message, failure.fix.unwrap_or_default()),
        };
        let path = host.settings.display();
        for Drift { name, shell, daemon } in drifts {
            let said = |value: Option<String>| value.unwrap_or_else(|| "(not set)".to_owned());
            let message = format!("{name} is {} here, and {} for the daemon", said(shell), said(daemon));
            if OF_EACH_SHELL.contains(&name.as_str()) {
                self.notes.push(message);
                continue;
            }
            let (message, fix) = match carried.get(&name) {
                Some(Carry::Store(_) | Carry::TakeOut) => (message, INSTALL.to_owned()),
                Some(Carry::ByHand) => {
                    let advice =
                        format!("it was written by hand: change it in [environment] of {path}, or in this shell");
                    (format!("{message}; {advice}"), String::new())
                }
                Some(Carry::Refused(_)) => (format!("{message}; {}", by_hand(&path.to_string())), String::new()),
                // It is stored right, or stands in the manager's own environment, which a daemon has from its start.
                Some(Carry::Nothing) | None => (message, manager.how_to_restart()),
            };
            self.problem(message, fix);
        }
    }

    fn version(&mut self, daemon: &StatusDocument) {
        let (theirs, ours) = (&daemon.daemon.version, env!("CARGO_PKG_VERSION"));
        if let Some(replaced) = crate::companion::drift::program_replaced(daemon) {
            self.problem(replaced.message, replaced.fix.unwrap_or_default());
        } else if theirs != ours {
            self.problem(format!("the daemon is version {theirs}, and this is {ours}"), INSTALL);
        }
    }

    fn print(mut self, json: bool) -> Result<ExitCode, Failure> {
        let code = match (self.problems.is_empty(), self.is_silent) {
            (true, _) => ExitCode::SUCCESS,
            (false, true) => ExitCode::from(UNREACHABLE),
            (false, false) => ExitCode::from(ATTENTION),
        };
        if json {
            let problems = self.problems.iter();
            let entry = |(message, fix): &(String, String)| json!({"message": message, "fix": Some(fix).filter(|fix| !fix.is_empty())});
            let problems = problems.map(entry).collect();
            let mut document = Map::from_iter([("schema".to_owned(), json!("evercred.service-status/1"))]);
            document.append(&mut self.facts);
            document.insert("problems".to_owned(), problems);
            document.insert("notes".to_owned(), json!(self.notes));
            output::print_json(&Value::Object(document))?;
            return Ok(code);
        }
        let mut text = String::new();
        for (name, value) in &self.facts {
            let value = match value {
                Value::String(text) if !text.is_empty() => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
                _ => continue,
            };
            text.push_str(&format!("{name:<10} {value}\n"));
        }
        for (message, fix) in &self.problems {
            text.push_str(&format!("! {message}\n"));
            if !fix.is_empty() {
                text.push_str(&format!("  fix: {fix}\n"));
            }
        }
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        output::print(&text)?;
        Ok(code)
    }
}

/// Where the way to AWS is not the same for this shell and the daemon: one line for `evercred status`.
pub(in crate::companion) fn drift_of_network(environment: &Environment, daemon: &StatusDocument) -> Option<String> {
    // Yesterday's daemon doesn't say.
    if daemon.daemon.environment.is_empty() {
        return None;
    }
    let variable = |name: &str| {
        let value = environment.get(name)?;
        match Path::new(value).is_relative() && name.ends_with("_BUNDLE") {
            true => std::path::absolute(value).ok().map(|path| path.display().to_string()),
            false => Some(value.to_owned()),
        }
    };
    let drifts = environment::drift(&environment::shown(&variable), &daemon.daemon.environment, NETWORK);
    let names: Vec<&str> = drifts.iter().map(|drift| drift.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("{} of this shell and of the daemon are not the same", names.join(", ")))
}
