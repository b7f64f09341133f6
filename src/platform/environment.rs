//! The process environment, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::user_database;
use crate::core::variables;

/// Set for the programs that the daemon runs for a profile's `credential_process`: the profile. A companion that is asked
/// for it by such a program would wait for itself.
pub const ASKED_FOR: &str = "EVERCRED_ASKED_FOR";

/// The variables that a program goes by: its own, with the `[environment]` setting laid over them.
///
/// Nothing else reads the process environment, so a daemon that lives for weeks goes by what can be shown and changed,
/// and a test hands in what it likes. Names and values that are not UTF-8 are left out: no variable that means anything
/// to us or to AWS has such a value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The environment of this process. Without HOME, or with an empty one, HOME is the home directory of the user database,
    /// as for the AWS tools.
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the process environment is read")]
        let variables = std::env::vars_os();
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut variables: BTreeMap<String, String> = variables.filter_map(text).collect();
        if variables.get("HOME").is_none_or(String::is_empty)
            && let Some(home) =
                user_database::home_directory().and_then(|path| path.into_os_string().into_string().ok())
        {
            variables.insert("HOME".to_owned(), home);
        }
        Self { variables }
    }

    /// The value of a variable; an empty value is a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The profile that this shell names.
    pub fn shell_profile(&self) -> Option<String> {
        variables::PROFILE.iter().find_map(|name| self.get(name).filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// The profile of a command without one: the one that the shell names, else `default`.
    pub fn profile(&self) -> String {
        self.shell_profile().unwrap_or_else(|| "default".to_owned())
    }

    /// The value of a variable; that of `~bob` is the home directory of that user.
    pub fn variable_or_home(&self, name: &str) -> Option<String> {
        match name.strip_prefix('~') {
            Some(user) => user_database::home_directory_of(user)?.into_os_string().into_string().ok(),
            None => self.get(name).map(str::to_owned),
        }
    }

    /// This environment with other variables laid over it.
    #[must_use]
    pub fn overlay(&self, over: &BTreeMap<String, String>) -> Self {
        let mut variables = self.variables.clone();
        variables.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self { variables }
    }

    /// Without what chooses credentials. A daemon serves profiles: keys, a profile or an endpoint in the environment that
    /// it happened to be started from must not decide whose credentials they are.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !chooses_credentials(name));
        Self { variables }
    }

    /// Without what is between this process and the service manager that started it: a program that is run for a profile
    /// must not speak for the daemon.
    #[must_use]
    pub fn without_service_manager(&self) -> Self {
        const NAMES: &[&str] = &[
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "LISTEN_FDNAMES",
            "LISTEN_FDS",
            "LISTEN_PID",
            "MAINPID",
            "MANAGERPID",
            "MEMORY_PRESSURE_WATCH",
            "MEMORY_PRESSURE_WRITE",
            "NOTIFY_SOCKET",
            "SYSTEMD_EXEC_PID",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
            "XPC_SERVICE_NAME",
        ];
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !NAMES.contains(&name.as_str()));
        Self { variables }
    }

    /// The file of a program: searched for along PATH, unless it is named with its folder.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(PathBuf::from(name)).filter(|path| path.is_file());
        }
        let folders = self.get("PATH")?.split(':').filter(|folder| folder.starts_with('/'));
        folders.map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
    }

    /// All variables, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `Debug` names the variables and leaves the values out: some of them are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self { variables: variables.into_iter().collect() }
    }
}

fn chooses_credentials(name: &str) -> bool {
    let names = [&variables::KEYS[..], &variables::PROFILE, &variables::WEB_IDENTITY];
    names.into_iter().flatten().any(|known| *known == name)
        || ["AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE"].contains(&name)
        || name.starts_with("AWS_CONTAINER_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_profile_is_the_one_of_the_shell_or_the_default() {
        let profile = |variables: &[(&str, &str)]| {
            let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect::<Environment>().profile()
        };
        assert_eq!(profile(&[("AWS_PROFILE", "dev"), ("AWS_DEFAULT_PROFILE", "other")]), "dev");
        assert_eq!(profile(&[("AWS_PROFILE", ""), ("AWS_DEFAULT_PROFILE", "other")]), "other");
        assert_eq!(profile(&[]), "default");
    }

    #[test]
    fn the_process_environment_is_seen() {
        assert!(Environment::of_process().get("PATH").is_some());
    }

    #[test]
    fn settings_lie_over_the_environment() {
        let over = BTreeMap::from([("HTTPS_PROXY".to_owned(), "http://b".to_owned())]);
        let both = environment(&[("HTTPS_PROXY", "http://a"), ("HOME", "/h")]).overlay(&over);
        assert_eq!(both.get("HTTPS_PROXY"), Some("http://b"));
        assert_eq!(both.get("HOME"), Some("/h"));
    }

    #[test]
    fn a_daemon_does_not_inherit_an_identity() {
        let clean = environment(&[
            ("AWS_PROFILE", "x"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"),
            ("AWS_REGION", "eu-central-1"),
        ])
        .without_credentials();
        assert_eq!(clean.variables().collect::<Vec<_>>(), [("AWS_REGION", "eu-central-1")]);
    }

    #[test]
    fn debug_output_leaves_the_values_out() {
        assert!(!format!("{:?}", environment(&[("AWS_SECRET_ACCESS_KEY", "wJalr")])).contains("wJalr"));
    }
}
