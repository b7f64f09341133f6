//! Where evercred keeps its own files: the XDG base directory specification's rules, with evercred's variables first.

use std::path::{Path, PathBuf};

/// The name of the control socket in the runtime directory.
pub const SOCKET: &str = "evercred.sock";

/// The settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether the user named it: then it has to exist.
    pub named: bool,
}

/// Why a path can't be determined. `Display` is the sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undetermined(String);

impl std::fmt::Display for Undetermined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads evercred's variables. An empty variable counts as unset.
pub struct Directories<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Directories<'a> {
    /// By these variables.
    pub fn of(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable }
    }

    /// EVERCRED_CONFIG, or else `evercred/evercred.toml` in the user's configuration directory.
    ///
    /// # Errors
    /// There is no usable HOME, or a relative EVERCRED_CONFIG: to the daemon and the tool it would be another file.
    pub fn settings_file(&self) -> Result<SettingsFile, Undetermined> {
        if let Some(path) = self.absolute("EVERCRED_CONFIG")? {
            return Ok(SettingsFile { path, named: true });
        }
        let directory = match self.xdg("XDG_CONFIG_HOME") {
            Some(path) => path,
            None => self.home()?.join(".config"),
        };
        Ok(SettingsFile { path: directory.join("evercred/evercred.toml"), named: false })
    }

    /// The state directory, for data that survives a restart.
    ///
    /// # Errors
    /// There is no usable HOME, or a relative EVERCRED_STATE_DIR.
    pub fn state(&self) -> Result<PathBuf, Undetermined> {
        if let Some(path) = self.absolute("EVERCRED_STATE_DIR")? {
            return Ok(path);
        }
        match self.xdg("XDG_STATE_HOME") {
            Some(path) => Ok(path.join("evercred")),
            None => Ok(self.home()?.join(".local/state/evercred")),
        }
    }

    /// The directory of the socket, where the user names one.
    ///
    /// # Errors
    /// A relative EVERCRED_RUNTIME_DIR.
    pub fn named_runtime(&self) -> Result<Option<PathBuf>, Undetermined> {
        self.absolute("EVERCRED_RUNTIME_DIR")
    }

    /// The login session's own directory, below which the socket's directory is.
    pub fn session(&self) -> Option<PathBuf> {
        self.xdg("XDG_RUNTIME_DIR")
    }

    /// The socket to use instead of the daemon's own.
    ///
    /// # Errors
    /// A relative EVERCRED_SOCKET.
    pub fn socket(&self) -> Result<Option<PathBuf>, Undetermined> {
        self.absolute("EVERCRED_SOCKET")
    }

    /// The home directory.
    ///
    /// # Errors
    /// There is none, or HOME is relative: directories would be created in the current directory.
    pub fn home(&self) -> Result<PathBuf, Undetermined> {
        match self.absolute("HOME")? {
            Some(home) => Ok(home),
            None => Err(Undetermined(
                "HOME is not set, and the user database has no home directory for this user".to_owned(),
            )),
        }
    }

    fn set(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The specification says that a relative path in an XDG variable is invalid and to be ignored.
    fn xdg(&self, name: &str) -> Option<PathBuf> {
        self.set(name).filter(|path| path.is_absolute())
    }

    fn absolute(&self, name: &str) -> Result<Option<PathBuf>, Undetermined> {
        match self.set(name) {
            Some(path) if !path.is_absolute() => {
                Err(Undetermined(format!("{name} is {:?}, which is not an absolute path", shown(&path))))
            }
            path => Ok(path),
        }
    }
}

/// The runtime directory below a session's or the state's directory.
pub fn runtime_below(session: &Path) -> PathBuf {
    session.join("evercred")
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(pairs: &[(&str, &str)], look: impl FnOnce(&Directories<'_>) -> T) -> T {
        let variable = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        look(&Directories::of(&variable))
    }

    #[test]
    fn the_defaults_lie_below_the_home_directory() {
        with(&[("HOME", "/h"), ("EVERCRED_STATE_DIR", "")], |directories| {
            assert_eq!(directories.state(), Ok(PathBuf::from("/h/.local/state/evercred")));
            let settings = directories.settings_file().unwrap();
            assert_eq!(settings, SettingsFile { path: "/h/.config/evercred/evercred.toml".into(), named: false });
            assert_eq!((directories.named_runtime(), directories.session()), (Ok(None), None));
        });
    }

    #[test]
    fn a_relative_path_is_ignored_in_xdg_variables_and_refused_in_others() {
        with(&[("HOME", "/h"), ("XDG_STATE_HOME", "x"), ("XDG_RUNTIME_DIR", "y")], |directories| {
            assert_eq!(directories.state(), Ok(PathBuf::from("/h/.local/state/evercred")));
            assert_eq!(directories.session(), None);
        });
        for name in ["HOME", "EVERCRED_STATE_DIR"] {
            let refused = with(&[(name, "~/x")], |directories| directories.state().unwrap_err().to_string());
            assert!(refused.contains(name) && refused.contains("~/x"), "{refused}");
        }
        assert!(with(&[("EVERCRED_RUNTIME_DIR", "run")], |directories| directories.named_runtime()).is_err());
        assert!(with(&[("EVERCRED_CONFIG", "c")], |directories| directories.settings_file()).is_err());
        assert!(with(&[("EVERCRED_SOCKET", "./s")], |directories| directories.socket()).is_err());
    }

    #[test]
    fn a_home_is_needed_only_for_what_is_not_named() {
        with(&[("HOME", "relative"), ("EVERCRED_STATE_DIR", "/s"), ("EVERCRED_CONFIG", "/c")], |directories| {
            assert_eq!(directories.state(), Ok(PathBuf::from("/s")));
            assert!(directories.settings_file().is_ok_and(|settings| settings.named));
        });
        assert!(with(&[], |directories| directories.state()).is_err());
    }
}
