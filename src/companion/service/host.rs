//! Where an installation would be: whose it is, which folders, which program.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::tool;
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::directories::{Directories, Undetermined, runtime_below};
use crate::core::service::environment::OF_THE_UNIT;
use crate::core::service::unit;
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;
use crate::platform::program;

/// Whose machine it is, as far as a service is concerned.
pub(super) struct Host {
    /// The caller's environment.
    pub(super) environment: Environment,
    /// The home folder.
    pub(super) home: PathBuf,
    /// The settings file.
    pub(super) settings: PathBuf,
    /// The state folder.
    pub(super) state: PathBuf,
    /// The runtime folder.
    pub(super) runtime: PathBuf,
}

impl Host {
    /// Looks at the caller.
    pub(super) fn look(environment: &Environment) -> Result<Self, Failure> {
        refuse_sudo(own_uid(), environment)?;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let failed = |error: Undetermined| Failure::new(ATTENTION, error.to_string());
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let home = Directories::of(&variable).home().map_err(failed)?;
        if !home.is_dir() {
            return Err(Failure::new(ATTENTION, format!("the home directory {} does not exist", home.display())));
        }
        let environment = with_session(environment);
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let directories = Directories::of(&variable);
        let settings = absolute(directories.settings_file().map_err(failed)?.path);
        let state = directories.state().map_err(failed)?;
        let runtime = directories.named_runtime().map_err(failed)?;
        let session = directories.session().map(|session| runtime_below(&session));
        let runtime = runtime.or(session).unwrap_or_else(|| state.join("run"));
        Ok(Self { settings, state, runtime, home, environment })
    }

    /// With what an installed unit was given of another shell, where this one says nothing else: its folders are the service's.
    pub(super) fn with_installed(self) -> Result<Self, Failure> {
        let unit = self.home.join(".config/systemd/user").join(unit::NAME);
        let variables = unit::variables(&std::fs::read_to_string(unit).unwrap_or_default()).into_iter();
        let is_missing = |name: &str| self.environment.get(name).is_none_or(str::is_empty);
        let missing = variables.filter(|(name, _)| OF_THE_UNIT.contains(&name.as_str()) && is_missing(name));
        Self::look(&self.environment.overlay(&missing.collect()))
    }

    /// The process id of the daemon that holds the state folder's lock.
    pub(super) fn holder_of_state(&self) -> Option<String> {
        let path = self.state.join("lock");
        let is_held = File::open(&path).is_ok_and(|file| file.try_lock_shared().is_err());
        is_held.then(|| std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned())
    }

    /// Keeps a second command from changing the service at the same time, for as long as the result lives. It is the home
    /// folder that is locked, so that no file is left; where a file system locks nothing, nothing is kept.
    pub(super) fn alone(&self) -> Result<Option<File>, Failure> {
        let Ok(home) = File::open(&self.home) else { return Ok(None) };
        match home.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let message = "another evercred is installing or uninstalling the service: nothing was changed";
                Err(Failure::new(ATTENTION, message))
            }
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(home)),
        }
    }

    /// Refuses a home that can't be written to, before anything is begun.
    pub(super) fn must_be_writable(&self) -> Result<(), Failure> {
        rustix::fs::access(&self.home, rustix::fs::Access::WRITE_OK).map_err(|error| {
            let message = format!("nothing can be installed: {} can't be written to: {error}", self.home.display());
            Failure::new(ATTENTION, message)
        })
    }

    /// The daemon beside this program, as this one was called: not through links, which an upgrade moves.
    pub(super) fn daemon(&self) -> Result<PathBuf, Failure> {
        const NAME: &str = "evercredd";
        let beside = |path: &Path| Some(path.parent()?.join(NAME));
        let called = program::path().filter(|_| program::was_called_by_path());
        let places = [
            called.as_deref().and_then(beside),
            tool::find(&self.environment, "evercred").as_deref().and_then(beside),
            tool::find(&self.environment, NAME),
            std::env::current_exe().ok().as_deref().and_then(beside),
        ];
        let places: Vec<PathBuf> = places.into_iter().flatten().collect();
        places.iter().find(|path| tool::is_executable(path)).cloned().ok_or_else(|| {
            let tried: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
            let message = format!("evercredd was not found next to evercred or in PATH (tried {})", tried.join(", "));
            Failure::new(ATTENTION, message)
        })
    }

    /// The variables of the shell that the service needs before it has read its settings.
    pub(super) fn unit_variables(&self, of_service: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
        let differs = |name: &&&str| {
            let value = self.environment.get(name).filter(|value| !value.is_empty());
            value.is_some() && value != of_service(name).as_deref()
        };
        let absolute = |value: &str| {
            std::path::absolute(value).map_or_else(|_| value.to_owned(), |path| path.display().to_string())
        };
        OF_THE_UNIT
            .iter()
            .filter(differs)
            .filter_map(|name| Some(((*name).to_owned(), absolute(self.environment.get(name)?))))
            .collect()
    }
}

fn refuse_sudo(uid: u32, environment: &Environment) -> Result<(), Failure> {
    match environment.get("SUDO_USER") {
        Some(user) if uid == 0 && user != "root" && !user.is_empty() => {
            let message =
                format!("with sudo, this command would install the service for root: run it as {user}, without sudo");
            Err(Failure::new(ATTENTION, message))
        }
        _ => Ok(()),
    }
}

/// The environment with the session's folder: a shell that came by `su` or `cron` has none, or somebody else's.
fn with_session(environment: &Environment) -> Environment {
    use std::os::unix::fs::MetadataExt;
    let is_ours = |path: &Path| path.metadata().is_ok_and(|found| found.is_dir() && found.uid() == own_uid());
    if environment.get("XDG_RUNTIME_DIR").is_some_and(|path| is_ours(Path::new(path))) {
        return environment.clone();
    }
    let usual = format!("/run/user/{}", own_uid());
    if is_ours(Path::new(&usual)) {
        return environment.overlay(&[("XDG_RUNTIME_DIR".to_owned(), usual)].into());
    }
    let is_it = |name: &str| name == "XDG_RUNTIME_DIR";
    environment
        .variables()
        .filter(|(name, _)| !is_it(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_sudo_it_would_be_roots_and_root_itself_may() {
        let environment = |user: &str| [("SUDO_USER".to_owned(), user.to_owned())].into_iter().collect::<Environment>();
        let failure = refuse_sudo(0, &environment("alice")).unwrap_err();
        assert!(failure.message.ends_with("run it as alice, without sudo"), "{failure:?}");
        for (uid, user) in [(0, "root"), (0, ""), (1000, "alice")] {
            assert_eq!(refuse_sudo(uid, &environment(user)), Ok(()));
        }
        assert_eq!(refuse_sudo(0, &Environment::default()), Ok(()));
    }
}
