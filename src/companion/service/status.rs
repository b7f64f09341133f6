//! `service status`: whether the service is there, is ours, is of this version, and sees what this shell sees.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::host::Host;
use super::install::{RECORD, read_record, runs_programs, value};
use super::manager::{Kind, Manager};
use crate::companion::failure::{ATTENTION, Failure, UNREACHABLE};
use crate::companion::{client, output};
use crate::core::service::environment::{self, CARRIED, Drift, NETWORK};
use crate::core::service::unit;
use crate::platform::environment::Environment;
use crate::wire::StatusDocument;

const INSTALL: &str = "evercred service install";

/// `service status`.
pub(super) fn status(host: &Host, kind: Kind, json: bool) -> Result<ExitCode, Failure> {
    let manager = Manager::find(host, kind)?;
    let record = read_record(&host.state.join(RECORD));
    let mut problems = Vec::new();
    let mut facts = serde_json::Map::new();
    let mut note = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    let files: Vec<&String> = record.files.keys().collect();
    let installed = match &manager {
        Manager::Systemd(systemd) => {
            let service = systemd.show(unit::NAME);
            note("unit", json!(service.file));
            note("enabled", json!(service.enabled));
            note("active", json!(service.active));
            note("since", json!(service.since));
            note("says", json!(service.status));
            note("pid", json!(service.pid));
            if service.load == "masked" {
                problems.push(("the service is masked".to_owned(), format!("systemctl --user unmask {}", unit::NAME)));
            } else if service.load == "loaded" && service.active != "active" {
                problems.push((
                    format!("the service is {}", service.active),
                    format!("systemctl --user status {}", unit::NAME),
                ));
            }
            service.load != "not-found"
        }
        Manager::Launchd(launchd) => {
            let loaded = launchd.loaded();
            note("pid", json!(loaded.flatten()));
            note("active", json!(if loaded.flatten().is_some() { "active" } else { "inactive" }));
            loaded.is_some()
        }
    };
    note("installed", json!(installed));
    note("files", json!(files));
    if !installed {
        problems.push(("the service is not installed".to_owned(), INSTALL.to_owned()));
    }
    for (path, written) in &record.files {
        match std::fs::read(path) {
            Ok(found) if crate::core::service::digest(&found) == *written => {}
            Ok(_) => problems
                .push((format!("{path} was changed by hand since it was installed"), format!("{INSTALL} --force"))),
            Err(error) => problems.push((format!("{path} can't be read: {error}"), INSTALL.to_owned())),
        }
    }
    if installed && kind == Kind::Systemd && !files.is_empty() {
        let relaxed = files.iter().any(|path| path.ends_with("helpers.conf"));
        if runs_programs(host) && !relaxed {
            problems.push((
                "profiles run programs of their own, which the service's hardening may not let run".to_owned(),
                INSTALL.to_owned(),
            ));
        }
    }
    let answer = client::ask(&host.environment, "status", None).ok().and_then(Result::ok);
    let daemon = answer.and_then(|answer| serde_json::from_value::<StatusDocument>(answer).ok());
    let reached = daemon.is_some();
    let mut drifts = Vec::new();
    if let Some(daemon) = daemon {
        note("version", json!(daemon.daemon.version));
        problems.extend(of_daemon(&daemon));
        drifts = environment::drift(&shown(host), &daemon.daemon.environment, CARRIED);
        // What was refused at the installation is no news.
        drifts.retain(|drift| drift.name != "SSH_AUTH_SOCK" || drift.daemon.is_some());
    } else if installed {
        problems.push(("the daemon does not answer".to_owned(), format!("systemctl --user status {}", unit::NAME)));
    }
    for Drift { name, shell, daemon } in &drifts {
        let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not set)".to_owned());
        problems
            .push((format!("{name} is {} here, and {} for the daemon", said(shell), said(daemon)), INSTALL.to_owned()));
    }
    note(
        "environment",
        drifts.iter().map(|drift| json!({"name": drift.name, "shell": drift.shell, "daemon": drift.daemon})).collect(),
    );
    note("problems", problems.iter().map(|(message, fix)| json!({"message": message, "fix": fix})).collect());
    if json {
        let mut document = serde_json::Map::from_iter([("schema".to_owned(), json!("evercred.service-status/1"))]);
        document.append(&mut facts);
        output::print_json(&Value::Object(document))?;
    } else {
        let mut text = String::new();
        for (name, value) in &facts {
            let value = match value {
                Value::String(text) if !text.is_empty() => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
                _ => continue,
            };
            text.push_str(&format!("{name:<10} {value}\n"));
        }
        for (message, fix) in &problems {
            text.push_str(&format!("! {message}\n  fix: {fix}\n"));
        }
        if let Manager::Systemd(systemd) = &manager
            && let Some(note) = systemd.note_on_lingering(host)
        {
            text.push_str(&format!("{note}\n"));
        }
        output::print(&text)?;
    }
    Ok(match (problems.is_empty(), installed && !reached) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(UNREACHABLE),
        (false, false) => ExitCode::from(ATTENTION),
    })
}

/// What is to be done about the daemon that answers.
fn of_daemon(daemon: &StatusDocument) -> Vec<(String, String)> {
    let mut problems: Vec<(String, String)> = crate::companion::drift::program_replaced(daemon)
        .into_iter()
        .map(|problem| (problem.message, problem.fix.unwrap_or_default()))
        .collect();
    let (theirs, ours) = (&daemon.daemon.version, env!("CARGO_PKG_VERSION"));
    if theirs != ours && problems.is_empty() {
        problems.push((format!("the daemon is version {theirs}, and this is {ours}"), INSTALL.to_owned()));
    }
    problems
}

fn shown(host: &Host) -> std::collections::BTreeMap<String, String> {
    environment::shown(&|name| value(host, name))
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
