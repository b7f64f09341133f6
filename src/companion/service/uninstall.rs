//! `service uninstall`: removes what an installation made, and nothing else.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use zeroize::Zeroizing;

use super::changes::Changes;
use super::host::Host;
use super::install::{RECORD, read_record};
use super::manager::{Kind, Manager};
use crate::companion::failure::{ATTENTION, Failure};
use crate::companion::output;
use crate::core::location::{CachePaths, PathStyle};
use crate::core::printable;
use crate::core::service::{Record, agent, digest, remove, unit};
use crate::core::session::{MARK, is_left_over};
use crate::core::settings::Settings;

/// The files of a daemon in its state directory.
const STATE: [&str; 4] = ["memory.json", "clock.json", "minted.json", "lock"];
/// The files of a daemon in its runtime directory.
const RUNTIME: [&str; 2] = ["minted.json", "evercred.sock"];
/// The file of tokens that are not yet in a cache file; it is in one of these two directories.
const UNSAVED: &str = "unsaved.json";

/// `service uninstall`.
pub(super) fn uninstall(host: &Host, kind: Kind, purge: bool) -> Result<ExitCode, Failure> {
    let record = read_record(&host.state.join(RECORD));
    // The settings that name these directories may be removed.
    let caches = cache_directories(host);
    let mut said = Vec::new();
    let manager = match Manager::find(host, kind) {
        Ok(manager) => Some(manager),
        // The files can still be removed.
        Err(failure) => {
            said.push(format!("{}; its files are removed anyway", failure.message));
            None
        }
    };
    if let Some(manager) = &manager {
        manager.stop().map_err(|why| {
            Failure::new(ATTENTION, format!("the service can't be stopped, and nothing was removed: {why}"))
                .see("evercred service status")
        })?;
    }
    let mut left = Vec::new();
    for path in ours(host, kind, manager.as_ref(), &record) {
        match std::fs::read(&path) {
            Ok(found) if is_ours(&path, &found, &record) => remove_file(&path, &mut left, &mut said),
            Ok(_) if record.files.contains_key(&path.display().to_string()) => {
                left.push(format!("{} was changed by hand, and stays", path.display()));
            }
            // The user's own unit, or a mask.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => left.push(format!("{} can't be read, and stays: {error}", path.display())),
        }
    }
    take_settings_out(&record, &mut left, &mut said);
    if manager.is_none() {
        remove_links(host, &mut left, &mut said);
    }
    // If files remain, the record remains too, so that the next uninstall can remove them.
    if left.is_empty() {
        remove_file(&host.state.join(RECORD), &mut left, &mut said);
    }
    // A daemon that still runs uses these files, so they stay.
    let runs = host.holder_of_state();
    if let Some(pid) = runs.as_ref().filter(|_| purge || manager.is_none()) {
        left.push(format!(
            "evercredd is still running (process id {pid}), so its socket and state stay: stop it (kill {pid})"
        ));
    }
    if runs.is_none() {
        // Save the tokens first, then remove the remaining files.
        let recovered = recover(host, &caches);
        for file in RUNTIME.into_iter().flat_map(variants) {
            remove_file(&host.runtime.join(file), &mut left, &mut said);
        }
        // Tokens are not state: they are removed without --purge too.
        for path in [&host.runtime, &host.state].map(|folder| folder.join(UNSAVED)) {
            let is_kept = !purge && holds_tokens(&path);
            match &recovered {
                Err(why) if is_kept => left.push(unsaved(&path, why)),
                Ok(()) if is_kept => left.push(unsaved(&path, "its cache file can't be written")),
                _ => remove_file(&path, &mut left, &mut said),
            }
            for variant in variants(UNSAVED).into_iter().skip(1) {
                remove_file(&path.with_file_name(variant), &mut left, &mut said);
            }
        }
        remove_left_overs(&caches, &recovered, &mut left, &mut said);
    }
    if purge && runs.is_none() {
        if kind == Kind::Launchd {
            remove_file(&host.home.join(agent::LOG), &mut left, &mut said);
        }
        for file in STATE.into_iter().flat_map(variants) {
            remove_file(&host.state.join(file), &mut left, &mut said);
        }
    }
    let _ = std::fs::remove_dir(&host.runtime);
    if purge && runs.is_none() {
        stays(std::fs::remove_dir(&host.state), &host.state, &mut said);
    }
    // Directories with other files stay.
    for folder in record.folders.iter().rev() {
        let _ = std::fs::remove_dir(folder);
    }
    if let Some(manager) = &manager
        && let Err(why) = manager.reload()
    {
        left.push(why);
    }
    if said.is_empty() && left.is_empty() {
        return output::print("the service is not installed: nothing to do\n");
    }
    output::print(&(said.join("\n") + "\n"))?;
    if left.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(ATTENTION, format!("some files could not be removed: {}", left.join("; "))))
}

/// A state file, its temporary file, and its copy that could not be read.
fn variants(name: &'static str) -> [String; 3] {
    [name.to_owned(), format!("{name}.new"), format!("{name}.broken")]
}

/// The cache directories of the daemon: by its settings, by the unit, and by this shell.
fn cache_directories(host: &Host) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(&host.settings).unwrap_or_default();
    let of_settings = Settings::parse(&text).map(|settings| settings.environment).unwrap_or_default();
    let shell = |name: &str| host.environment.get(name).map(str::to_owned);
    let service = |name: &str| of_settings.get(name).cloned().or_else(|| shell(name));
    let usual = |name: &str| (name == "HOME").then(|| host.home.display().to_string());
    let found = [&shell as &dyn Fn(&str) -> Option<String>, &service, &usual];
    let found = found.into_iter().filter_map(|variable| CachePaths::resolve(variable, PathStyle::Unix));
    found.flat_map(|paths| [paths.sso, paths.login]).filter(|path| path.is_absolute()).collect()
}

/// Runs `evercredd --recover` if a killed daemon left tokens.
///
/// # Errors
/// Why they were not saved.
fn recover(host: &Host, caches: &BTreeSet<PathBuf>) -> Result<(), String> {
    let is_unsaved = [&host.runtime, &host.state].into_iter().any(|folder| folder.join(UNSAVED).exists());
    if !is_unsaved && caches.iter().all(|directory| left_overs(directory).is_empty()) {
        return Ok(());
    }
    let program = host.daemon().map_err(|failure| failure.message)?;
    let mut command = Command::new(&program);
    command.env_clear().envs(host.environment.variables()).env("HOME", &host.home);
    command.env("EVERCRED_STATE_DIR", &host.state).env("EVERCRED_RUNTIME_DIR", &host.runtime);
    for directory in caches {
        command.arg("--recover").arg(directory);
    }
    let lock = host.state.join("lock");
    let had_lock = lock.exists();
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
    if !had_lock {
        let _ = std::fs::remove_file(lock);
    }
    let failed = |why: String| format!("{} --recover failed: {why}", program.display());
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(printable::line(
                said.lines()
                    .rev()
                    .find(|line| !line.starts_with("fix:") && !line.starts_with("see:"))
                    .unwrap_or_default(),
            )))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Whether a state file or a left-over holds a refresh token.
fn holds_tokens(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&text).is_ok() && text.contains("refreshToken")
}

fn unsaved(path: &Path, why: &str) -> String {
    format!("{} stays, as it has a token that is not in a cache file: {why}", path.display())
}

/// The files that a killed daemon left beside the cache files.
fn left_overs(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split_once(MARK).is_some_and(|(_, rest)| is_left_over(&format!("{MARK}{rest}")))
    };
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

/// Removes the left-overs. Those that should have been saved, and could not be, stay.
fn remove_left_overs(
    caches: &BTreeSet<PathBuf>,
    recovered: &Result<(), String>,
    left: &mut Vec<String>,
    said: &mut Vec<String>,
) {
    for path in caches.iter().flat_map(|directory| left_overs(directory)) {
        let why = recovered.as_ref().err().map_or("its cache file can't be written", String::as_str);
        if holds_tokens(&path) {
            left.push(unsaved(&path, why));
        } else {
            remove_file(&path, left, said);
        }
    }
}

/// The links by which systemd starts the units at each login, if systemd can't remove them itself.
fn remove_links(host: &Host, left: &mut Vec<String>, said: &mut Vec<String>) {
    let folder = host.home.join(".config/systemd/user");
    for (target, name) in [("default.target.wants", unit::NAME), ("sockets.target.wants", unit::SOCKET_NAME)] {
        let link = folder.join(target).join(name);
        if std::fs::read_link(&link).is_ok_and(|to| to == folder.join(name)) {
            remove_file(&link, left, said);
            let _ = std::fs::remove_dir(folder.join(target));
        }
    }
}

/// The files to remove: those of the record; without a record, those that an installation writes.
fn ours(host: &Host, kind: Kind, manager: Option<&Manager>, record: &Record) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = record.files.keys().map(PathBuf::from).collect();
    let usual: Vec<PathBuf> = match kind {
        Kind::Systemd => {
            let folder = manager
                .and_then(|manager| manager.folder(host))
                .unwrap_or_else(|| host.home.join(".config/systemd/user"));
            unit::names().into_iter().map(|name| folder.join(name)).collect()
        }
        Kind::Launchd => vec![host.home.join("Library/LaunchAgents").join(agent::FILE)],
    };
    paths.extend(usual.into_iter().filter(|path| !record.files.contains_key(&path.display().to_string())));
    // The directory of a drop-in is removed after the drop-in.
    paths.sort();
    paths
}

fn is_ours(path: &Path, found: &[u8], record: &Record) -> bool {
    let text = String::from_utf8_lossy(found);
    record.wrote(&path.display().to_string(), found) || unit::is_shipped(&text) || agent::is_shipped(&text)
}

/// A directory with files that evercred did not make stays, and the output says so.
fn stays(removed: io::Result<()>, folder: &Path, said: &mut Vec<String>) {
    if removed.is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {
        said.push(format!("{} stays: it has files that evercred did not create", folder.display()));
    }
}

fn remove_file(path: &Path, left: &mut Vec<String>, said: &mut Vec<String>) {
    match std::fs::remove_file(path) {
        Ok(()) => said.push(format!("removed {}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => left.push(format!("{} can't be removed: {error}", path.display())),
    }
    // The directory of drop-ins stays if the user has other drop-ins in it.
    if let Some(folder) = path.parent().filter(|folder| folder.extension().is_some_and(|extension| extension == "d")) {
        let _ = std::fs::remove_dir(folder);
    }
}

/// Removes the stored variables from the settings, unless the user has changed them.
fn take_settings_out(record: &Record, left: &mut Vec<String>, said: &mut Vec<String>) {
    let Some(stored) = &record.settings else { return };
    let path = Path::new(&stored.path);
    let before = match std::fs::read(path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return left.push(format!("{} can't be read: {error}", stored.path)),
    };
    let is_ours = |name: &str, value: &str| stored.values.get(name) == Some(&digest(value.as_bytes()));
    let Ok(text) = std::str::from_utf8(&before) else {
        return left.push(format!("{} is not UTF-8 text, and stays as it is", stored.path));
    };
    let after = match remove(text, &is_ours, stored.made_section.as_deref()) {
        Ok(after) => after,
        Err(why) => return left.push(format!("{} stays as it is: {why}", stored.path)),
    };
    if after.is_empty() && stored.made_file {
        return remove_file(path, left, said);
    }
    if after != text {
        match Changes::default().write(path, after.as_bytes(), 0o600, Some(&before)) {
            Ok(()) => said.push(format!("removed the stored variables from {}", stored.path)),
            Err(why) => left.push(why),
        }
    }
}
