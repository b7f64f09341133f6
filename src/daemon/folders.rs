//! Where the daemon keeps its own files, resolved from the environment once.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
    /// Why the session's own folder (`XDG_RUNTIME_DIR`) is not used, where one is named.
    pub(super) no_session: Option<String>,
}

impl Folders {
    /// By the rules of the XDG base directory specification, with our own variables first. It makes the session's folder the
    /// login manager's business: one that is missing, or somebody else's (as after `su` and `sudo`), is none.
    ///
    /// # Errors
    /// A sentence, where there is no HOME to start from.
    pub(super) fn resolve(environment: &Environment, settings_file: Option<PathBuf>) -> Result<Self, String> {
        let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The specification says that a relative path in an XDG variable is invalid and to be ignored.
        let xdg = |name: &str| set(name).filter(|path| path.is_absolute());
        let home = || {
            set("HOME").ok_or("HOME is not set, so there is no place for evercred's files: set HOME, or EVERCRED_CONFIG, EVERCRED_STATE_DIR and EVERCRED_RUNTIME_DIR")
        };
        let named = settings_file.or_else(|| set("EVERCRED_CONFIG"));
        let state = match set("EVERCRED_STATE_DIR") {
            Some(path) => path,
            None => match xdg("XDG_STATE_HOME") {
                Some(path) => path.join("evercred"),
                None => home()?.join(".local/state/evercred"),
            },
        };
        let own = set("EVERCRED_RUNTIME_DIR");
        let (session, no_session) = match xdg("XDG_RUNTIME_DIR").filter(|_| own.is_none()) {
            Some(path) => match not_ours(&path) {
                None => (Some(path.join("evercred")), None),
                Some(why) => (None, Some(format!("XDG_RUNTIME_DIR is not used: {} {why}", path.display()))),
            },
            None => (None, None),
        };
        Ok(Self {
            settings_file_is_named: named.is_some(),
            settings_file: match named {
                Some(path) => path,
                None => match xdg("XDG_CONFIG_HOME") {
                    Some(path) => path.join("evercred/evercred.toml"),
                    None => home()?.join(".config/evercred/evercred.toml"),
                },
            },
            runtime: own.or(session).unwrap_or_else(|| state.join("run")),
            state,
            no_session,
        })
    }
}

fn not_ours(folder: &Path) -> Option<String> {
    match folder.metadata() {
        Err(error) => Some(format!("can't be used: {error}")),
        Ok(found) if !found.is_dir() => Some("is not a folder".to_owned()),
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
