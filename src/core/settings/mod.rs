//! `evercred.toml`: what can be set, what it means when it is not, and what is wrong with it.
//!
//! The types here are the one description: serde makes the errors from them, `Default` the defaults, and a test holds the
//! commented example in `config/evercred.toml` against both.

mod error;
mod overlay;
mod places;
mod reading;
mod search;
mod show;
mod values;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;

pub use error::{LISTED, Mistake, SettingsError};
pub use show::Shown;
pub use values::{NtpServer, QuietHours, Span};

use crate::core::keeper::KeeperSettings;

/// Every setting.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    renew: Renew,
    /// `[clock]`.
    pub clock: Clock,
    /// `[caches]`.
    pub caches: Caches,
    /// `[notify]`.
    pub notify: Notify,
    /// `[state]`.
    pub state: State,
    /// `[environment]`: laid over the daemon's own. Its values may be secrets.
    pub environment: BTreeMap<String, String>,
    /// `[[profile]]`.
    pub profile: Vec<Profile>,
    /// The lines of each profile's settings.
    #[serde(skip)]
    profile_lines: Vec<BTreeMap<String, u32>>,
}

/// `[renew]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Renew {
    profiles: values::RenewProfiles,
    #[serde(deserialize_with = "values::at_least_a_minute")]
    used_within: Span,
    before: Span,
    jitter: Span,
}

/// `[clock]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// The clock skew from which on evercred raises a notice.
    #[serde(deserialize_with = "values::at_least_a_second")]
    pub warn: Span,
    /// NTP servers.
    pub ntp: Vec<NtpServer>,
    /// Whether AWS is asked for the time where it is in doubt.
    pub probe: bool,
}

/// `[caches]`: which of the AWS tools' own caches are kept fresh.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Caches {
    /// The SSO token cache.
    pub sso: bool,
    /// The cache of `aws login`.
    pub login: bool,
}

/// `[notify]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Whether the desktop is told.
    pub desktop: bool,
    /// When it is not; `""` says always.
    #[serde(deserialize_with = "values::quiet_hours")]
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
    #[serde(deserialize_with = "values::name")]
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
    #[serde(default, deserialize_with = "values::session_length")]
    pub duration: Option<Span>,
    /// Prints an MFA code.
    pub mfa_process: Option<String>,
    /// When it is renewed.
    pub renew: Option<RenewWhen>,
}

/// When a profile's credentials are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewWhen {
    /// Before they expire.
    Auto,
    /// On request only.
    OnDemand,
}

impl Settings {
    /// What the keeper decides by.
    pub fn keeper(&self) -> KeeperSettings {
        KeeperSettings {
            auto_renew: self.renew.profiles.0.clone(),
            used_within: self.renew.used_within.get(),
            before: self.renew.before.get(),
            jitter: self.renew.jitter.get(),
            probe: self.clock.probe,
            ntp: self.clock.ntp.clone(),
            warn: self.clock.warn.get(),
            sso_cache: self.caches.sso,
            login_cache: self.caches.login,
        }
    }
}

impl Default for Renew {
    fn default() -> Self {
        Self {
            profiles: values::RenewProfiles::default(),
            used_within: Span::new(TimeDelta::hours(12)),
            before: Span::new(TimeDelta::minutes(20)),
            jitter: Span::new(TimeDelta::minutes(5)),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { warn: Span::new(TimeDelta::seconds(60)), ntp: vec![NtpServer::of_aws()], probe: true }
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self { sso: true, login: true }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self { desktop: true, quiet: Some(QuietHours::at_night()) }
    }
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
        let listed = shown.list(&text);
        for default in Settings::default().list("") {
            let setting = listed.iter().find(|setting| setting.key == default.key).unwrap();
            assert!(setting.line.is_some(), "{} is not in the example", default.key);
            assert!(setting.value == default.value, "{setting:?}, {default:?}");
        }
        for setting in &listed {
            assert!(setting.line.is_some(), "{setting:?} has no line");
        }
        assert!(shown.notify.quiet.is_some() && !shown.environment.is_empty());
        let fields: Vec<_> = shown.profile.iter().flat_map(Profile::fields).collect();
        for (key, _) in &fields {
            let is_shown = fields.iter().any(|(other, value)| other == key && value.is_some());
            assert!(is_shown, "{key} is not in the example's [[profile]]s");
        }
    }

    #[test]
    fn a_wrong_key_is_shown_with_its_place_and_the_nearest() {
        let error = Settings::parse("[renew]\nuse_within = \"1h\"\n").err().unwrap();
        let shown = error.render("evercred.toml");
        assert!(shown.contains("evercred.toml:2:1"), "{shown}");
        assert!(shown.contains("use_within = \"1h\"") && shown.contains("did you mean \"used_within\"?"), "{shown}");
        assert!(shown.contains('^'), "{shown}");
    }

    #[test]
    fn the_error_about_an_old_name_has_the_new_one() {
        for (text, line, new) in [
            ("keep = \"all\"", 1, "\"profiles\" in [renew]"),
            ("keep_for = \"1h\"", 1, "\"used_within\" in [renew]"),
            ("[renew]\nahead = \"10m\"", 2, "\"before\""),
            ("ahead = \"10m\"", 1, "\"before\" in [renew]"),
            ("[renew]\nkeep = \"all\"", 2, "\"profiles\""),
            ("[renew]\nkeep_for = \"1h\"", 2, "\"used_within\""),
            ("[[profile]]\nname = \"a\"\nrenew = \"ahead\"", 3, "\"auto\""),
            ("[[profile]]\nname = \"a\"\nrenew = \"asked\"", 3, "\"on-demand\""),
        ] {
            let error = Settings::parse(text).err().unwrap();
            assert!(error.line() == line && error.message().contains(new), "{text}: {}", error.render("f"));
        }
    }

    #[test]
    fn a_setting_that_does_nothing_yet_is_not_known() {
        for text in
            ["[endpoint]\nlisten = \"off\"", "[caches]\ncli = true", "[[publish]]\nprofile = \"a\"\nsection = \"b\""]
        {
            assert!(Settings::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn wrong_types_and_impossible_values_are_errors_with_a_line() {
        let long_host = format!("[clock]\nntp = [\"{}\"]", "a".repeat(254));
        for (text, line) in [
            ("renew.profiles = 3", 1),
            ("renew.profiles = \"sometimes\"", 1),
            ("\n[renew]\nbefore = \"soon\"", 3),
            ("[renew]\nbefore = \"-5m\"", 2),
            ("[clock]\nwarn = 60", 2),
            ("[clock]\nwarn = \"0s\"", 2),
            (&long_host, 2),
            ("[notify]\nquiet = \"25:00-07:00\"", 2),
            ("[renew]\nused_within = \"59s\"", 2),
            ("[renew]\nprofiles = [\"a\", \"\"]", 2),
            ("[[profile]]\nname = \"a b\"", 2),
            ("[notify]\nquiet = \"22:00-22:00\"", 2),
            ("[clock]\nntp = [\"time.aws.com\", \"a b\"]", 2),
            ("[clock]\nntp = [\"host:99999\"]", 2),
            ("[[profile]]\nname = \"\"", 2),
            ("[[profile]]\nname = \"a\"\nduration = \"1s\"", 3),
            ("[[profile]]\nname = \"a\"\nrenew = true", 3),
            ("[[profile]]\nname = \"a\"\ncredential_source = \"Moon\"", 3),
            ("[[profile]]\nname = \"a\"\nsource_profile = \"b\"\ncredential_source = \"EcsContainer\"", 4),
            ("[[profile]]\nname = \"a\"\nrole_arn = \"r\"\nduration = \"13h\"", 4),
            ("[[profile]]\nname = \"a\"\n[[profile]]\nname = \"a\"", 4),
            ("[environment]\n\"A=B\" = \"x\"", 2),
            ("[profile]\nname = \"dev\"", 1),
            ("[state]\npersist = \"cloud\"", 2),
            ("[[profile]]\nregion = \"r\"", 1),
            ("[renew]\nbefore = \"1m\"\nbefore = \"2m\"", 3),
        ] {
            let error = Settings::parse(text).err().unwrap_or_else(|| panic!("{text}: no error"));
            assert_eq!(error.line(), line, "{text}: {}", error.render("f"));
        }
    }

    #[test]
    fn the_values_of_the_environment_are_never_shown() {
        for (text, line) in [
            ("[environment]\nHTTPS_PROXY = \"http://me:planted@proxy\"\nPATH = 3\n", 3),
            ("[environment]\nX = 'planted\n", 2),
            ("[ environment ]\nX = \"planted\n", 2),
            ("[\"environment\"]\nX = planted\n", 2),
            ("[environment]\nX = \"\"\"\n[clock]\nplanted", 4),
            ("environment = {\nA = \"planted\", B = 3 }\n", 2),
            ("environment = { A = [\"planted\"] }\n", 1),
            ("environment.X = [ \"planted\" ]\n", 1),
            ("environment = \"planted\"\n", 1),
            ("[environment]\n\"A=planted\" = \"planted\"\n", 2),
            ("[environment]\nA = \"planted\"\nA = \"planted\"\n", 3),
            ("[environment.x]\nA = \"planted\"\n", 1),
            // The header was forgotten.
            ("HTTPS_PROXY = \"planted\"\n", 1),
        ] {
            let error = Settings::parse(text).err().unwrap_or_else(|| panic!("{text}: no error"));
            let shown = error.render("f");
            assert!(!shown.contains("planted"), "{text}: {shown}");
            assert_eq!(error.line(), line, "{text}: {shown}");
        }
        let settings = Settings::parse("[environment]\nA = \"planted\"\n").ok().unwrap();
        assert!(!format!("{:?}", settings.list("")).contains("planted"));
    }

    #[test]
    fn a_mistake_behind_the_environment_is_shown_all_the_same() {
        for text in [
            "[environment]\nX = \"planted\"\n[clock]\nprobe = 3",
            "[environment]\nX = \"planted\"\n[clock]\nprobe = \n",
        ] {
            let shown = Settings::parse(text).err().unwrap().render("f");
            assert!(shown.contains("probe = ") && shown.contains('^') && !shown.contains("planted"), "{shown}");
        }
    }

    #[test]
    fn every_setting_says_where_it_comes_from() {
        let text =
            "[renew]\nprofiles = [\"a\"]\nbefore = \"10m\"\n\n[[profile]]\nname = \"x\"\n[[profile]]\nname = \"y\"\n";
        let listed = Settings::parse(text).ok().unwrap().list(text);
        let of =
            |key: &str| listed.iter().find(|shown| shown.key == key).map(|shown| (shown.value.as_str(), shown.line));
        assert_eq!(of("renew.profiles"), Some(("[\"a\"]", Some(2))));
        assert_eq!(of("renew.before"), Some(("\"10m\"", Some(3))));
        assert_eq!(of("renew.jitter"), Some(("\"5m\"", None)));
        assert_eq!(of("profile[1].name"), Some(("\"y\"", Some(8))));
    }

    #[test]
    fn no_text_makes_it_panic() {
        use proptest::prelude::{ProptestConfig, proptest};
        proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }, |(
            text in "([a-z_]{1,12}|renew|\\[|\\]|=|\"|'|\n|\r\n|é|environment|\\{|\\}|20m| |#|,|\\.){0,40}"
        )| {
            if let Err(error) = Settings::parse(&text) {
                assert!(error.line() >= 1 && !error.render("f").is_empty());
            }
        });
    }
}
