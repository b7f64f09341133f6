//! The settings in force, as they would be written, and where each comes from.

use super::places::Places;
use super::{Caches, Clock, Endpoint, Notify, Persist, Profile, Publish, Renew, RenewWhen, Settings, State};
use crate::core::keeper::Keep;

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
        let Self {
            keep,
            keep_for,
            renew,
            clock,
            endpoint,
            caches,
            publish,
            notify,
            state,
            environment,
            profile,
            profile_lines: _,
        } = self;
        let (Renew { ahead, jitter }, Clock { warn, ntp, probe }) = (renew, clock);
        let (Endpoint { listen }, Caches { sso, login, cli }) = (endpoint, caches);
        let (Notify { desktop, quiet }, State { persist }) = (notify, state);
        let keep = match &keep.0 {
            Keep::Used => quoted("used"),
            Keep::All => quoted("all"),
            Keep::Matching(names) => quoted_list(names),
        };
        let persist = match persist {
            Persist::Runtime => "runtime",
            Persist::Disk => "disk",
            Persist::Off => "off",
        };
        let ntp: Vec<String> = ntp.iter().map(ToString::to_string).collect();
        let plain = [
            ("keep", keep),
            ("keep_for", keep_for.0.quoted()),
            ("renew.ahead", ahead.quoted()),
            ("renew.jitter", jitter.quoted()),
            ("clock.warn", warn.quoted()),
            ("clock.ntp", quoted_list(&ntp)),
            ("clock.probe", probe.to_string()),
            ("endpoint.listen", quoted(&listen.to_string())),
            ("caches.sso", sso.to_string()),
            ("caches.login", login.to_string()),
            ("caches.cli", cli.to_string()),
            ("notify.desktop", desktop.to_string()),
            ("notify.quiet", quoted(&quiet.map_or_else(String::new, |quiet| quiet.to_string()))),
            ("state.persist", quoted(persist)),
        ];
        let mut rows: Vec<(String, String)> = plain.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        for (at, Publish { profile, section }) in publish.iter().enumerate() {
            rows.push((format!("publish[{at}].profile"), quoted(profile)));
            rows.push((format!("publish[{at}].section"), quoted(section)));
        }
        rows.extend(environment.keys().map(|name| (format!("environment.{name}"), "(not shown)".to_owned())));
        for (at, profile) in profile.iter().enumerate() {
            for (key, value) in profile.fields() {
                rows.extend(value.map(|value| (format!("profile[{at}].{key}"), value)));
            }
        }
        let places = Places::of(text);
        let shown = |(key, value): (String, String)| {
            let line = places.line(text, &key);
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
            RenewWhen::Ahead => quoted("ahead"),
            RenewWhen::Asked => quoted("asked"),
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
