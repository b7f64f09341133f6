//! `evercred.toml`: what can be set, what it means when it is not, and what is wrong with it.
//!
//! The types here are the one description: serde makes the errors from them, `Default` the defaults, and a test holds the
//! commented example in `config/evercred.toml` against both.

mod error;
mod values;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

pub use error::SettingsError;
pub use values::{Listen, QuietHours, Span};

use crate::core::keeper::{Keep, KeeperSettings};

/// Every setting.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    keep: values::KeepSetting,
    keep_for: KeepFor,
    renew: Renew,
    /// `[clock]`.
    pub clock: Clock,
    /// `[endpoint]`.
    pub endpoint: Endpoint,
    /// `[caches]`.
    pub caches: Caches,
    /// `[[publish]]`.
    pub publish: Vec<Publish>,
    /// `[notify]`.
    pub notify: Notify,
    /// `[state]`.
    pub state: State,
    /// `[environment]`: laid over the daemon's own. Its values may be secrets.
    pub environment: BTreeMap<String, String>,
    /// `[[profile]]`.
    pub profile: Vec<Profile>,
}

/// `[renew]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Renew {
    ahead: Span,
    jitter: Span,
}

/// `[clock]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// How far the clock may be off before it is said.
    pub warn: Span,
    /// NTP servers.
    pub ntp: Vec<String>,
    /// Whether AWS is asked for the time where it is in doubt.
    pub probe: bool,
}

/// `[endpoint]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    /// Where the container-credentials endpoint listens.
    pub listen: Listen,
}

/// `[caches]`: which of the AWS tools' own caches are kept fresh.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caches {
    /// The SSO token cache.
    pub sso: bool,
    /// The cache of `aws login`.
    pub login: bool,
    /// The AWS CLI's role cache.
    pub cli: bool,
}

/// `[[publish]]`: a profile's credentials in a section of the credentials file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The profile.
    pub profile: String,
    /// The section.
    pub section: String,
}

/// `[notify]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Whether the desktop is told.
    pub desktop: bool,
    /// When it is not.
    pub quiet: Option<QuietHours>,
}

/// `[state]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Where minted sets survive a restart.
    pub persist: Persist,
}

/// Where minted sets survive a restart of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persist {
    /// In the runtime folder, which is in memory and gone at logout.
    #[default]
    Runtime,
    /// In the state folder.
    Disk,
    /// Nowhere.
    Off,
}

/// `[[profile]]`: a profile that is in no AWS file, or settings for one that is.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// As in the AWS files.
    pub role_arn: Option<String>,
    /// As in the AWS files.
    pub source_profile: Option<String>,
    /// As in the AWS files.
    pub credential_source: Option<String>,
    /// As in the AWS files.
    pub role_session_name: Option<String>,
    /// As in the AWS files.
    pub external_id: Option<String>,
    /// As in the AWS files.
    pub mfa_serial: Option<String>,
    /// As in the AWS files.
    pub region: Option<String>,
    /// How long the role's sessions live.
    pub duration: Option<Span>,
    /// Prints an MFA code.
    pub mfa_process: Option<String>,
    /// When it is renewed.
    pub renew: Option<RenewWhen>,
}

/// When a source is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewWhen {
    /// Before its credentials expire.
    Ahead,
    /// When somebody asks.
    Asked,
}

/// `keep_for`, whose default is not that of a plain [`Span`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct KeepFor(Span);

impl Settings {
    /// Reads a settings file's text.
    ///
    /// # Errors
    /// A key that is not known, a wrong type or an impossible value, with its place.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| SettingsError::new(text, &error))
    }

    /// What the keeper decides by.
    pub fn keeper(&self) -> KeeperSettings {
        KeeperSettings {
            keep: self.keep.0.clone(),
            keep_for: self.keep_for.0.get(),
            ahead: self.renew.ahead.get(),
            jitter: self.renew.jitter.get(),
            probe: self.clock.probe,
        }
    }

    /// Every plain setting with its value as it would be written, and the line it stands on in `text`, if it does.
    pub fn list(&self, text: &str) -> Vec<(&'static str, String, Option<usize>)> {
        let keep = match &self.keep.0 {
            Keep::Used => "\"used\"".to_owned(),
            Keep::All => "\"all\"".to_owned(),
            Keep::Matching(names) => quoted_list(names),
        };
        let persist = match self.state.persist {
            Persist::Runtime => "\"runtime\"",
            Persist::Disk => "\"disk\"",
            Persist::Off => "\"off\"",
        };
        // The values of `[environment]` may be secrets: its names are enough.
        let names: Vec<String> = self.environment.keys().cloned().collect();
        let sections = |list: Vec<&String>| quoted_list(&list.into_iter().cloned().collect::<Vec<_>>());
        let lines = error::lines_of_keys(text);
        [
            ("keep", keep),
            ("keep_for", self.keep_for.0.quoted()),
            ("renew.ahead", self.renew.ahead.quoted()),
            ("renew.jitter", self.renew.jitter.quoted()),
            ("clock.warn", self.clock.warn.quoted()),
            ("clock.ntp", quoted_list(&self.clock.ntp)),
            ("clock.probe", self.clock.probe.to_string()),
            ("endpoint.listen", format!("\"{}\"", self.endpoint.listen)),
            ("caches.sso", self.caches.sso.to_string()),
            ("caches.login", self.caches.login.to_string()),
            ("caches.cli", self.caches.cli.to_string()),
            ("publish", sections(self.publish.iter().map(|publish| &publish.section).collect())),
            ("notify.desktop", self.notify.desktop.to_string()),
            ("notify.quiet", self.notify.quiet.map_or_else(|| "\"\"".to_owned(), |quiet| format!("\"{quiet}\""))),
            ("state.persist", persist.to_owned()),
            ("environment", quoted_list(&names)),
            ("profile", sections(self.profile.iter().map(|profile| &profile.name).collect())),
        ]
        .into_iter()
        .map(|(key, value)| (key, value, lines.get(key).copied()))
        .collect()
    }
}

impl Default for KeepFor {
    fn default() -> Self {
        Self(Span::new(TimeDelta::hours(12)))
    }
}

impl Default for Renew {
    fn default() -> Self {
        Self { ahead: Span::new(TimeDelta::minutes(20)), jitter: Span::new(TimeDelta::minutes(5)) }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { warn: Span::new(TimeDelta::seconds(60)), ntp: vec!["time.aws.com".to_owned()], probe: true }
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self { sso: true, login: true, cli: false }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self { desktop: true, quiet: None }
    }
}

fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../config/evercred.toml");

    /// In the example a setting is commented out with `#`, prose with `# `.
    fn uncommented() -> String {
        let setting = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        EXAMPLE.lines().map(|line| setting(line) + "\n").collect()
    }

    #[test]
    fn the_example_as_it_is_shipped_changes_nothing() {
        assert!(Settings::parse(EXAMPLE).unwrap() == Settings::default());
    }

    #[test]
    fn the_example_has_every_setting_with_its_default() {
        let text = uncommented();
        let shown = match Settings::parse(&text) {
            Ok(settings) => settings,
            Err(error) => panic!("{}", error.render("config/evercred.toml")),
        };
        let defaults = Settings::default();
        for ((key, value, line), (_, default, _)) in shown.list(&text).into_iter().zip(defaults.list("")) {
            assert!(line.is_some(), "{key} is not in the example");
            let has_no_default = ["publish", "environment", "profile", "notify.quiet"].contains(&key);
            assert!(has_no_default || value == default, "{key} = {value} in the example, {default} by default");
        }
        let profile = &shown.profile[0];
        assert!(profile.role_arn.is_some() && profile.duration.is_some() && profile.mfa_process.is_some());
    }

    #[test]
    fn a_wrong_key_is_shown_with_its_place_and_the_nearest() {
        let error = Settings::parse("keep = \"all\"\nkep_for = \"1h\"\n").err().unwrap();
        let shown = error.render("evercred.toml");
        assert!(shown.contains("evercred.toml:2:1"), "{shown}");
        assert!(shown.contains("kep_for = \"1h\"") && shown.contains("did you mean \"keep_for\"?"), "{shown}");
        assert!(shown.contains('^'), "{shown}");
    }

    #[test]
    fn wrong_types_and_impossible_values_are_errors_with_a_line() {
        for (text, line) in [
            ("keep = 3", 1),
            ("keep = \"sometimes\"", 1),
            ("\n[renew]\nahead = \"soon\"", 3),
            ("[renew]\nahead = \"-5m\"", 2),
            ("[clock]\nwarn = 60", 2),
            ("[notify]\nquiet = \"25:00-07:00\"", 2),
            ("[state]\npersist = \"cloud\"", 2),
            ("[endpoint]\nlisten = \"0.0.0.0\"", 2),
            ("[[publish]]\nprofile = \"dev\"", 1),
            ("keep = \"used\"\nkeep = \"all\"", 2),
        ] {
            let error = Settings::parse(text).err().unwrap_or_else(|| panic!("{text}: no error"));
            assert_eq!(error.line(), line, "{text}: {}", error.render("f"));
        }
    }

    #[test]
    fn the_values_of_the_environment_are_never_shown() {
        let text = "[environment]\nHTTPS_PROXY = \"http://me:planted@proxy\"\nPATH = 3\n";
        let error = Settings::parse(text).err().unwrap();
        assert_eq!(error.line(), 3);
        assert!(!error.render("f").contains("planted"));
        let text = "[environment]\nX = 'planted\n";
        assert!(!Settings::parse(text).err().unwrap().render("f").contains("planted"));
    }
}
