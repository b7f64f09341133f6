//! The shell's variables on their way into `[environment]` of the settings.

use std::collections::BTreeMap;

use super::host::Host;
use super::manager::Manager;
use crate::companion::failure::{ATTENTION, Failure};
use crate::companion::files;
use crate::core::fix::correct;
use crate::core::service::carry::{self, Carry};
use crate::core::service::environment::{self, Fate};
use crate::core::service::{Edited, Record, StoredSettings, digest, remove, store};
use crate::core::settings::Settings;

/// The settings as they are, and what is to be done about each variable.
pub(super) struct Carried {
    before: Option<Vec<u8>>,
    text: String,
    path: String,
    stored: StoredSettings,
    /// What is done about each variable.
    pub(super) decisions: BTreeMap<String, Carry>,
    /// Which of them this shell has.
    here: Vec<String>,
    /// What was asked for by name, and is not there.
    absent: Vec<String>,
}

/// A new text of the settings.
pub(super) struct SettingsEdit {
    /// The text that it was made from.
    pub(super) before: Option<Vec<u8>>,
    /// The new one.
    pub(super) after: String,
}

impl Carried {
    /// Looks at the shell, the service and the settings. `more` are variables besides the usual ones; those that an earlier
    /// installation stored are looked at in any case.
    pub(super) fn look(host: &Host, manager: &Manager, old: &Record, more: &[String]) -> Result<Self, Failure> {
        let path = host.settings.display().to_string();
        let before = files::read(&host.settings).map_err(|why| unreadable(&path, &why))?.map(|bytes| bytes.to_vec());
        let bytes = before.clone().unwrap_or_default();
        let present = Settings::parse_bytes(&bytes)
            .map_err(|error| Failure::listing(ATTENTION, error.render(&path)).fix(correct(&path, error.line())))?
            .environment;
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&path, "it is not UTF-8 text"))?;
        let mut stored = old.settings.clone().filter(|stored| stored.path == path).unwrap_or_default();
        stored.path.clone_from(&path);
        let names: Vec<String> = more.iter().chain(stored.values.keys()).cloned().collect();
        let chosen = environment::choose(&|name| value(host, name), &|name| manager.variable(name), &names);
        let decisions = carry::decide(&chosen, &present, &stored.values);
        let here = chosen.into_iter().filter(|chosen| !matches!(chosen.fate, Fate::Same(_)));
        let here = here.map(|chosen| chosen.name).collect();
        let absent =
            more.iter().filter(|name| value(host, name).is_none_or(|value| value.is_empty())).cloned().collect();
        Ok(Self { before, text, path, stored, decisions, here, absent })
    }

    /// The edit that does what was decided, what is stored after it, and what is said about it.
    pub(super) fn edit(
        self,
        said: &mut Vec<String>,
    ) -> Result<(Option<SettingsEdit>, Option<StoredSettings>), Failure> {
        let Self { before, text, path, mut stored, decisions, here, absent } = self;
        said.extend(absent.iter().map(|name| format!("not stored: {name}: this shell has none")));
        let mut new = BTreeMap::new();
        for (name, carry) in &decisions {
            match carry {
                Carry::Store(value) => {
                    said.push(format!("stored in {path}: {name} = {value}"));
                    new.insert(name.clone(), value.clone());
                }
                Carry::ByHand if here.contains(name) => {
                    said.push(format!("left as it is: {name} in [environment] of {path}, which was written by hand"));
                }
                Carry::Refused(why) => said.push(format!("not stored: {name}: {why}; {}", by_hand(&path))),
                Carry::ByHand | Carry::Nothing | Carry::TakeOut => {}
            }
        }
        let is_gone = |name: &str, value: &str| {
            decisions.get(name) == Some(&Carry::TakeOut) && stored.values.get(name) == Some(&digest(value.as_bytes()))
        };
        // The section that was made for them goes only when nothing else comes into it.
        let section = stored.made_section.as_deref().filter(|_| new.is_empty());
        let less = remove(&text, &is_gone, section).map_err(|why| unreadable(&path, &why))?;
        let is_left = |name: &str| Settings::parse(&less).is_ok_and(|less| less.environment.contains_key(name));
        for name in decisions.iter().filter(|(_, carry)| **carry == Carry::TakeOut).map(|(name, _)| name) {
            said.push(match is_left(name) {
                false => format!("removed from {path}: {name}: this shell has none, or the service has it by itself"),
                true => format!("left as it is: {name} in [environment] of {path}, with the lines beside it"),
            });
        }
        let Edited { text: after, made_section } = store(&less, &new).map_err(|why| unreadable(&path, &why))?;
        stored.values.retain(|name, _| decisions.get(name) != Some(&Carry::TakeOut));
        stored.values.extend(new.iter().map(|(name, value)| (name.clone(), digest(value.as_bytes()))));
        stored.made_file |= before.is_none() && !new.is_empty();
        stored.made_section = made_section.or(stored.made_section);
        let edit = (after != text).then_some(SettingsEdit { before, after });
        Ok((edit, Some(stored).filter(|stored| !stored.values.is_empty() || stored.made_file)))
    }
}

/// How a variable gets to the daemon that no installation stores.
pub(super) fn by_hand(path: &str) -> String {
    format!("if the daemon needs it, write it into [environment] of {path}, with mode 600")
}

fn unreadable(path: &str, why: &str) -> Failure {
    Failure::new(ATTENTION, format!("the settings file {path} can't be read: {why}"))
}

/// A variable of the shell; a relative path means nothing to a daemon.
pub(super) fn value(host: &Host, name: &str) -> Option<String> {
    let value = host.environment.get(name)?;
    let is_path = name.ends_with("_FILE") || name.ends_with("_BUNDLE") || name.ends_with("_DIRECTORY");
    if is_path && !value.is_empty() && !value.starts_with(['/', '~']) {
        return std::path::absolute(value).ok().map(|path| path.display().to_string());
    }
    Some(value.to_owned())
}
