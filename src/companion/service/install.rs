//! `service install`: everything is looked at before anything is changed, and what was changed is taken back if a later step fails.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::carried::{Carried, SettingsEdit};
use super::changes::Changes;
use super::host::Host;
use super::manager::{Kind, Manager, ServiceFile};
use super::systemd::Systemd;
use crate::companion::failure::{ATTENTION, Failure};
use crate::companion::{client, drift, files, offline, output};
use crate::core::fix::word;
use crate::core::location::{CachePaths, PathStyle};
use crate::core::plan::{self, PlanContext, Source};
use crate::core::service::unit::{self, Filling, Hardening};
use crate::core::service::{Record, agent, digest};
use crate::platform::zone;
use crate::wire::StatusDocument;

/// The record's name in the state folder.
pub(super) const RECORD: &str = "service.json";

/// Everything that an installation will do, decided before it begins.
struct Work {
    files: Vec<ServiceFile>,
    /// Files of ours that this installation does not have any more.
    stale: Vec<PathBuf>,
    /// Files that stand in the way and are set aside.
    aside: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    settings: Option<SettingsEdit>,
    record: Record,
    said: Vec<String>,
}

/// `service install`.
pub(super) fn install(host: &Host, kind: Kind, force: bool, more: &[String]) -> Result<ExitCode, Failure> {
    let manager = Manager::find(host, kind)?;
    host.must_be_writable()?;
    let packaged = match &manager {
        Manager::Systemd(systemd) => of_a_package(systemd, host)?,
        Manager::Launchd(_) => None,
    };
    let running = running(host, &manager)?;
    let before = manager.standing();
    let work = prepare(host, kind, &manager, packaged.as_deref(), force, more)?;
    let mut changes = Changes::default();
    let changed = apply(host, &work, &mut changes);
    let changed = match changed {
        Ok(changed) => changed,
        Err(why) => return Err(failure(&why, changes.take_back())),
    };
    let up_to_date =
        before.is_whole() && matches!(&running, Running::Answers(status) if changed.is_empty() && is_this(status));
    let started = if up_to_date { Ok(()) } else { manager.start(&work.files, &changed) };
    let answered = match started.and_then(|()| wait_for_answer(host, &manager)) {
        Ok(answered) => answered,
        Err(why) => {
            let mut complaints = manager.undo_start(&before);
            complaints.extend(changes.take_back());
            complaints.extend(manager.stand_again(&before, &work.files));
            return Err(failure(&why, complaints));
        }
    };
    let mut text = String::new();
    for file in &work.files {
        text.push_str(&format!("{}\n", file.path.display()));
    }
    for line in work.said {
        text.push_str(&format!("{line}\n"));
    }
    if let Manager::Systemd(systemd) = &manager
        && let Some(note) = systemd.note_on_lingering(host)
    {
        text.push_str(&format!("{note}\n"));
    }
    let (version, pid) = (&answered.daemon.version, answered.daemon.pid);
    if version != env!("CARGO_PKG_VERSION") {
        text.push_str(&format!(
            "the service's daemon is version {version}, and this is {}\n",
            env!("CARGO_PKG_VERSION")
        ));
    }
    text.push_str(&match (up_to_date, running) {
        (true, _) => format!("evercredd {version} was installed and is running (process id {pid}): nothing to do\n"),
        (false, Running::Answers(_) | Running::Hangs) => {
            format!("evercredd {version} was restarted (process id {pid}), and answers\n")
        }
        (false, Running::No) => {
            format!("evercredd {version} is running (process id {pid}), and starts with your session from now on\n")
        }
    });
    output::print(&text)
}

/// The files of an installation, without any manager being asked.
pub(super) fn would_write(host: &Host, kind: Kind) -> Result<Vec<ServiceFile>, Failure> {
    let filling = filling(host, &|_| None)?;
    let hardening = if runs_programs(host) { Hardening::Helpers } else { Hardening::Strict };
    kind.files(host, &Filling { hardening, ..filling }, None)
}

/// What differs from one installation to the next; how much it is shut off is still open.
pub(super) fn filling(host: &Host, of_service: &dyn Fn(&str) -> Option<String>) -> Result<Filling, Failure> {
    let text = |path: &Path| path.display().to_string();
    let variables = host.unit_variables(of_service);
    let runtime = variables.iter().any(|(name, _)| name == "EVERCRED_RUNTIME_DIR").then(|| text(&host.runtime));
    let mut writable = vec![text(&host.runtime), text(&host.state)];
    let environment = offline::daemon_environment(&host.environment);
    let paths = files::aws_paths(&environment)?;
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let caches = CachePaths::resolve(&variable, PathStyle::Unix);
    // The AWS tools make `~/.aws/sso/cache` in `~/.aws`, so that is the folder to write to.
    let aws = host.home.join(".aws");
    let login = caches.as_ref().map(|caches| caches.login.clone()).filter(|login| !login.starts_with(&aws));
    let named = [paths.config.parent(), paths.credentials.parent(), Some(aws.as_path()), login.as_deref()];
    for folder in named.into_iter().flatten().map(text) {
        if !writable.contains(&folder) {
            writable.push(folder);
        }
    }
    // Where links lead out of them, the folder behind the link too.
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let files = [&paths.config, &paths.credentials].map(|path| real(path)?.parent().map(Path::to_owned));
    let caches = caches.iter().flat_map(|caches| [&caches.sso, &caches.login]).map(|path| real(path));
    for folder in files.into_iter().chain(caches).flatten() {
        if !writable.iter().filter_map(|there| real(Path::new(there))).any(|there| folder.starts_with(there)) {
            writable.push(text(&folder));
        }
    }
    let program = text(&host.daemon()?);
    Ok(Filling { program, runtime, variables, writable, hardening: Hardening::Usual })
}

/// Whether a profile runs a program of its own.
pub(super) fn runs_programs(host: &Host) -> bool {
    let environment = offline::daemon_environment(&host.environment);
    let Ok(paths) = files::aws_paths(&environment) else { return false };
    let profiles = offline::with_settings(&host.environment, files::read_aws(&paths).profiles());
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let context = PlanContext::from_environment(&variable, zone::local_offset());
    let prints_codes = profiles.profiles.values().any(|section| section.settings.contains_key("mfa_process"));
    let runs = |plan: &plan::Plan| plan.steps.iter().any(|step| matches!(step.source, Source::Process { .. }));
    prints_codes || plan::resolve_all(&profiles, &context).values().flatten().any(runs)
}

/// A unit that is there and isn't in the person's own folder: a package's is used as it is.
fn of_a_package(systemd: &Systemd, host: &Host) -> Result<Option<String>, Failure> {
    let found = systemd.show(unit::NAME);
    if found.load == "masked" {
        let message = "the service is masked, so it must not run";
        return Err(Failure::new(ATTENTION, message).fix(format!("systemctl --user unmask {}", unit::NAME)));
    }
    let is_own = found.file.is_empty() || Path::new(&found.file).starts_with(systemd.folder(host));
    Ok((!is_own).then_some(found.file))
}

/// Whether the service's daemon runs.
enum Running {
    No,
    /// It gives no answer.
    Hangs,
    Answers(Box<StatusDocument>),
}

/// The daemon that runs on the same state folder. One that the manager does not run is in the way.
fn running(host: &Host, manager: &Manager) -> Result<Running, Failure> {
    let Some(pid) = host.holder_of_state() else { return Ok(Running::No) };
    if pid.parse().is_ok_and(|pid| Some(pid) == manager.pid()) {
        return Ok(answer(host).map_or(Running::Hangs, |status| Running::Answers(Box::new(status))));
    }
    let message =
        format!("evercredd is running already, and not as the service (process id {pid}): nothing was changed");
    Err(Failure::new(ATTENTION, message).fix(format!("kill {pid} && evercred service install")))
}

/// Whether a daemon was started from the program that is there now.
fn is_this(running: &StatusDocument) -> bool {
    running.daemon.program.is_some() && drift::program_replaced(running).is_none()
}

/// What the daemon says that was started: systemd has waited until it was ready, launchd waits for nothing.
fn wait_for_answer(host: &Host, manager: &Manager) -> Result<StatusDocument, String> {
    let mut asked = 0;
    let status = loop {
        let why = match answer(host) {
            Ok(status) => break status,
            Err(why) => why,
        };
        if let Some(failed) = manager.has_failed(host) {
            return Err(format!("{why}: {failed}"));
        }
        asked += 1;
        if asked == 100 {
            return Err(why);
        }
        #[expect(clippy::disallowed_methods, reason = "launchd does not say when a program is ready")]
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    match manager.pid() {
        Some(pid) if pid != status.daemon.pid => {
            Err(format!("an evercredd that is not the service's answers: process id {}, not {pid}", status.daemon.pid))
        }
        _ => Ok(status),
    }
}

fn answer(host: &Host) -> Result<StatusDocument, String> {
    let refused = |failure: Failure| format!("the daemon was started, and does not answer: {}", failure.message);
    let answer = client::ask(&host.environment, "status", None).map_err(refused)?;
    let answer = answer.map_err(|error| format!("the daemon was started, and refuses to answer: {}", error.message))?;
    serde_json::from_value(answer).map_err(|_| "evercred does not understand the daemon's answer".to_owned())
}

fn prepare(
    host: &Host,
    kind: Kind,
    manager: &Manager,
    packaged: Option<&str>,
    force: bool,
    more: &[String],
) -> Result<Work, Failure> {
    let record_path = host.state.join(RECORD);
    let old = read_record(&record_path);
    let of_service = |name: &str| manager.variable(name);
    let mut filling = filling(host, &of_service)?;
    let mut said = Vec::new();
    if let Manager::Systemd(systemd) = manager
        && packaged.is_none()
    {
        let (hardening, why) = hardening(host, systemd, &filling);
        filling.hardening = hardening;
        said.push(why.to_owned());
    }
    let files = match packaged {
        Some(file) => {
            said.push(format!("{file} is used as its package has it"));
            Vec::new()
        }
        None => kind.files(host, &filling, manager.folder(host))?,
    };
    let aside = in_the_way(&files, &old, force)?;
    let stale = stale(manager, host, &files, &old);
    let mut folders = vec![host.state.clone()];
    if filling.hardening == Hardening::Strict {
        folders.extend(filling.writable.iter().map(PathBuf::from).filter(|folder| *folder != host.runtime));
    }
    if kind == Kind::Launchd {
        folders.push(host.home.join("Library/Logs"));
    }
    let mut record = Record::default();
    record.folders = old.folders.clone();
    record.files = files.iter().map(|file| (file.path.display().to_string(), digest(file.text.as_bytes()))).collect();
    let settings;
    (settings, record.settings) = Carried::look(host, manager, &old, more)?.edit(&mut said)?;
    Ok(Work { files, stale, aside, folders, settings, record, said })
}

/// The sandbox of the service, and the reason for it.
fn hardening(host: &Host, systemd: &Systemd, filling: &Filling) -> (Hardening, &'static str) {
    if runs_programs(host) {
        return (Hardening::Helpers, "sandbox: reduced, because profiles run programs");
    }
    // What is tried needs the folders; those that are missing are made later, and so is the socket's.
    let there = |folder: &&String| Path::new(folder).is_dir();
    let writable: Vec<String> = filling.writable.iter().filter(there).cloned().collect();
    let can = |hardening| systemd.can_shut_off(&Filling { hardening, writable: writable.clone(), ..filling.clone() });
    if can(Hardening::Strict) {
        (Hardening::Strict, "sandbox: all restrictions")
    } else if can(Hardening::Usual) {
        (
            Hardening::Usual,
            "sandbox: all restrictions except file access, because evercred's files are in directories that the sandbox hides",
        )
    } else {
        let why = "sandbox: only restrictions that need no privileges, because the daemon does not start with more";
        (Hardening::Portable, why)
    }
}

/// What stands where our files go and isn't ours.
fn in_the_way(files: &[ServiceFile], old: &Record, force: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut aside = Vec::new();
    for file in files {
        let path = file.path.display().to_string();
        let Ok(found) = std::fs::read(&file.path) else {
            if file.path.symlink_metadata().is_ok() {
                return Err(Failure::new(ATTENTION, format!("{path} exists already, and can't be read")).fix(format!(
                    "mv {} {}",
                    word(&path),
                    word(&format!("{path}.old"))
                )));
            }
            continue;
        };
        let text = String::from_utf8_lossy(&found);
        let is_ours = found == file.text.as_bytes()
            || old.wrote(&path, &found)
            || unit::is_shipped(&text)
            || agent::is_shipped(&text);
        if is_ours {
            continue;
        }
        if !force {
            let message = format!(
                "{path} was written or changed by hand, and nothing was changed (--force keeps it as NAME.before-evercred)"
            );
            return Err(Failure::new(ATTENTION, message).fix("evercred service install --force"));
        }
        aside.push(file.path.clone());
    }
    Ok(aside)
}

/// Files of an earlier installation that this one does not have: the other drop-in.
fn stale(manager: &Manager, host: &Host, files: &[ServiceFile], old: &Record) -> Vec<PathBuf> {
    let Some(folder) = manager.folder(host) else { return Vec::new() };
    let all = unit::names().into_iter().map(|name| folder.join(name));
    let gone = all.filter(|path| files.iter().all(|file| file.path != *path));
    gone.filter(|path| {
        let Ok(found) = std::fs::read(path) else { return false };
        old.wrote(&path.display().to_string(), &found) || unit::is_shipped(&String::from_utf8_lossy(&found))
    })
    .collect()
}

pub(super) fn read_record(path: &Path) -> Record {
    std::fs::read_to_string(path).ok().and_then(|text| Record::read(&text)).unwrap_or_default()
}

/// Writes everything; gives the service's files that are different from before.
fn apply(host: &Host, work: &Work, changes: &mut Changes) -> Result<Vec<PathBuf>, String> {
    for folder in &work.folders {
        changes.folder(folder, 0o700)?;
    }
    for file in &work.files {
        changes.folder(file.path.parent().unwrap_or(&file.path), 0o755)?;
    }
    if work.settings.is_some() {
        changes.folder(host.settings.parent().unwrap_or(&host.settings), 0o700)?;
    }
    // Without an earlier record whatever is begun is found again by this one; with one by that.
    if !host.state.join(RECORD).exists() {
        write_record(host, work, changes)?;
    }
    for path in &work.aside {
        changes.set_aside(path)?;
    }
    for path in &work.stale {
        changes.remove(path)?;
    }
    let mut changed = work.stale.clone();
    for ServiceFile { path, text } in &work.files {
        let before = std::fs::read(path).ok();
        if before.as_deref() == Some(text.as_bytes()) {
            continue;
        }
        changes.write(path, text.as_bytes(), 0o644, before.as_deref())?;
        changed.push(path.clone());
    }
    if let Some(edit) = &work.settings {
        // A daemon that runs takes new settings by itself.
        changes.write(&host.settings, edit.after.as_bytes(), 0o600, edit.before.as_deref())?;
    }
    write_record(host, work, changes)?;
    Ok(changed)
}

fn write_record(host: &Host, work: &Work, changes: &mut Changes) -> Result<(), String> {
    let mut record = work.record.clone();
    for folder in changes.made_folders().map(|folder| folder.display().to_string()) {
        if !record.folders.contains(&folder) {
            record.folders.push(folder);
        }
    }
    let path = host.state.join(RECORD);
    let before = std::fs::read(&path).ok();
    if before.as_deref() == Some(record.text().as_bytes()) {
        return Ok(());
    }
    changes.write(&path, record.text().as_bytes(), 0o600, before.as_deref())
}

/// The failure of a step, after everything was taken back but what is complained of.
fn failure(why: &str, complaints: Vec<String>) -> Failure {
    let message = format!("the service could not be installed: {why}");
    if complaints.is_empty() {
        Failure::new(ATTENTION, format!("{message}; all changes were undone"))
    } else {
        Failure::new(ATTENTION, format!("{message}; some changes could not be undone: {}", complaints.join("; ")))
            .fix("evercred service uninstall")
    }
}
