//! The settings in force, as they would be written, and where each comes from.

use super::places::Places;
use super::{Caches, Clock, Notify, Persist, Profile, Renew, RenewWhen, Settings, State};
use crate::core::keeper::AutoRenew;

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its dotted name.
    pub key: String,
    /// Its value, as it would be written.
    pub value: String,
    /// The line that sets it; `None` where it is the default.
    pub line: Option<usize>,
}

impl Settings {
    /// Every setting, in the order of the example. The values of `[environment]` may be secrets and are left out.
    ///
    /// The structs are taken apart whole, so that a new setting can't be forgotten here.
    pub fn list(&self, text: &str) -> Vec<Shown> {
        let Self { renew, clock, caches, notify, state, environment, profile, profile_lines: _ } = self;
        let Renew { profiles, used_within, before, jitter } = renew;
        let (Clock { warn, ntp, probe }, Caches { sso, login }) = (clock, caches);
        let (Notify { desktop, quiet }, State { persist }) = (notify, state);
        let profiles = match &profiles.0 {
            AutoRenew::Used => quoted("used"),
            AutoRenew::All => quoted("all"),
            AutoRenew::Matching(names) => quoted_list(names),
        };
        let persist = match persist {
            Persist::Runtime => "runtime",
            Persist::Disk => "disk",
            Persist::Off => "off",
        };
        let ntp: Vec<String> = ntp.iter().map(ToString::to_string).collect();
        let plain = [
            ("renew.profiles", profiles),
            ("renew.used_within", used_within.quoted()),
            ("renew.before", before.quoted()),
            ("renew.jitter", jitter.quoted()),
            ("clock.warn", warn.quoted()),
            ("clock.ntp", quoted_list(&ntp)),
            ("clock.probe", probe.to_string()),
            ("caches.sso", sso.to_string()),
            ("caches.login", login.to_string()),
            ("notify.desktop", desktop.to_string()),
            ("notify.quiet", quoted(&quiet.map_or_else(String::new, |quiet| quiet.to_string()))),
            ("state.persist", quoted(persist)),
        ];
        let mut rows: Vec<(String, String)> = plain.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        rows.extend(environment.keys().map(|name| (format!("environment.{name}"), "(not shown)".to_owned())));
        for (at, profile) in profile.iter().enumerate() {
            for (key, value) in profile.fields() {
                rows.extend(value.map(|value| (format!("profile[{at}].{key}"), value)));
            }
        }
        let places = Places::of(text);
        let shown = |(key, value): (String, String)| {
            let line = places.line(&key);
            Shown { key, value, line }
        };
        rows.into_iter().map(shown).collect()
    }
}

impl Profile {
    /// Every key of a `[[profile]]`, with its value where it has one.
    pub(super) fn fields(&self) -> [(&'static str, Option<String>); 11] {
        let Self {
            name,
            role_arn,
            source_profile,
            credential_source,
            role_session_name,
            external_id,
            mfa_serial,
            region,
            duration,
            mfa_process,
            renew,
        } = self;
        let text = |value: &Option<String>| value.as_deref().map(quoted);
        let renew = renew.map(|renew| match renew {
            RenewWhen::Auto => quoted("auto"),
            RenewWhen::OnDemand => quoted("on-demand"),
        });
        [
            ("name", Some(quoted(name))),
            ("role_arn", text(role_arn)),
            ("source_profile", text(source_profile)),
            ("credential_source", text(credential_source)),
            ("role_session_name", text(role_session_name)),
            ("external_id", text(external_id)),
            ("mfa_serial", text(mfa_serial)),
            ("region", text(region)),
            ("duration", duration.map(super::Span::quoted)),
            ("mfa_process", text(mfa_process)),
            ("renew", renew),
        ]
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", quoted.join(", "))
}
