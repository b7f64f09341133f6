//! Where the daemon keeps its own files, resolved from the environment once.

use std::path::PathBuf;

use crate::platform::environment::Environment;

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
}

impl Folders {
    /// By the rules of the XDG base directory specification, with our own variables first.
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
        Ok(Self {
            settings_file_is_named: named.is_some(),
            settings_file: match named {
                Some(path) => path,
                None => match xdg("XDG_CONFIG_HOME") {
                    Some(path) => path.join("evercred/evercred.toml"),
                    None => home()?.join(".config/evercred/evercred.toml"),
                },
            },
            runtime: set("EVERCRED_RUNTIME_DIR")
                .or_else(|| xdg("XDG_RUNTIME_DIR").map(|path| path.join("evercred")))
                .unwrap_or_else(|| state.join("run")),
            state,
        })
    }
}
