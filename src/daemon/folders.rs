//! Where the daemon keeps its own files, resolved from the environment once.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::core::directories::{Directories, SettingsFile, Undetermined, runtime_below};
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;

/// The daemon's folders and its settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folders {
    /// The settings file, and whether somebody named it (then it has to exist).
    pub(super) settings_file: PathBuf,
    /// Whether the settings file was named.
    pub(super) settings_file_is_named: bool,
    /// The folder of the socket.
    pub(super) runtime: PathBuf,
    /// The folder of what survives a restart.
    pub(super) state: PathBuf,
    /// Why the state directory would be created in another user's home, unless EVERCRED_STATE_DIR is set.
    pub(super) foreign_home: Option<String>,
    /// Why the session's own folder (`XDG_RUNTIME_DIR`) is not used, where one is named.
    pub(super) no_session: Option<String>,
}

impl Folders {
    /// By the rules of the XDG base directory specification, with our own variables first. It makes the session's folder the
    /// login manager's business: one that is missing, or somebody else's (as after `su` and `sudo`), is none.
    ///
    /// # Errors
    /// There is no usable HOME, or a path is relative.
    pub(super) fn resolve(environment: &Environment, settings_file: Option<PathBuf>) -> Result<Self, Undetermined> {
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let directories = Directories::of(&variable);
        let settings = match settings_file {
            Some(path) => SettingsFile { path, named: true },
            None => directories.settings_file()?,
        };
        let state = directories.state()?;
        let (runtime, no_session) = match (directories.named_runtime()?, directories.session()) {
            (Some(path), _) => (path, None),
            (None, None) => (state.join("run"), None),
            (None, Some(session)) => match not_ours(&session) {
                None => (runtime_below(&session), None),
                Some(why) => {
                    let why = format!("XDG_RUNTIME_DIR is not used: {} {why}", session.display());
                    (state.join("run"), Some(why))
                }
            },
        };
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let is_named = set("EVERCRED_STATE_DIR").is_some();
        Ok(Self {
            settings_file_is_named: settings.named,
            settings_file: settings.path,
            runtime,
            foreign_home: if is_named { None } else { foreign_home(&state, set("HOME").as_deref()) },
            state,
            no_session,
        })
    }
}

/// A daemon of root with a user's HOME (`sudo -E`, a container with a mounted home) would create directories there that the
/// user can't write.
fn foreign_home(state: &Path, home: Option<&Path>) -> Option<String> {
    let nearest = state.ancestors().find(|directory| directory.exists());
    let in_home = home.filter(|home| state.starts_with(home));
    let places = in_home.into_iter().chain(nearest);
    let mut owners = places.filter_map(|place| Some((place, place.metadata().ok()?.uid())));
    let (place, owner) = owners.find(|(_, owner)| *owner != own_uid() && *owner != 0)?;
    Some(format!(
        "the state directory {} would be created below {}, which belongs to uid {owner}, but evercredd runs as uid {}",
        state.display(),
        place.display(),
        own_uid()
    ))
}

fn not_ours(folder: &Path) -> Option<String> {
    match folder.metadata() {
        Err(error) => Some(format!("can't be used: {error}")),
        Ok(found) if !found.is_dir() => Some("is not a directory".to_owned()),
        Ok(found) if found.uid() != own_uid() => Some(format!("belongs to user id {}", found.uid())),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(pairs: &[(&str, &str)]) -> (PathBuf, Option<String>) {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folders = Folders::resolve(&environment, None).unwrap();
        (folders.runtime, folders.no_session)
    }

    #[test]
    fn the_sessions_folder_counts_where_it_is_there_and_ours() {
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().to_str().unwrap();
        let home = ("HOME", "/h");
        assert_eq!(runtime(&[home, ("XDG_RUNTIME_DIR", session)]), (folder.path().join("evercred"), None));
        let own = PathBuf::from("/h/.local/state/evercred/run");
        let (found, why) = runtime(&[home, ("XDG_RUNTIME_DIR", &format!("{session}/missing"))]);
        assert!(found == own && why.unwrap().contains("missing can't be used"));
        assert_eq!(runtime(&[home, ("XDG_RUNTIME_DIR", "relative")]), (own.clone(), None));
        let named = [home, ("XDG_RUNTIME_DIR", "/missing"), ("EVERCRED_RUNTIME_DIR", "/named")];
        assert_eq!(runtime(&named), (PathBuf::from("/named"), None));
        if own_uid() == 0 {
            std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
            let (found, why) = runtime(&[home, ("XDG_RUNTIME_DIR", session)]);
            assert!(found == own && why.unwrap().contains("12345"));
        }
    }
}
