//! Tokens that are in no cache file yet, because it could not be written when they came: they are written as soon as that can be
//! done, and survive a restart until then.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::api::{Action, LogLevel, Ticket};
use super::node::Node;
use super::session_api::{RefreshOrder, UnsavedToken};
use super::session_state::View;
use super::sessions::described;
use super::{Flight, Keeper, Minting, Work};
use crate::core::plan::NodeKey;
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CachedToken};
use crate::core::time::Now;

/// A token that could not be written is tried again after this.
const SAVE_AGAIN: TimeDelta = TimeDelta::seconds(30);

impl Keeper {
    /// Takes up the tokens that an earlier run could not write, before the first plans come.
    pub fn restore_unsaved(&mut self, tokens: Vec<UnsavedToken>) {
        self.restored_tokens.extend(tokens);
    }

    /// The tokens that are in no cache file yet, for the state file.
    pub fn unsaved(&self) -> Vec<UnsavedToken> {
        let states = self.nodes.values().filter_map(|node| node.session.as_ref());
        let unsaved = states.filter(|state| state.unsaved.is_some()).filter_map(|state| {
            let text = |token: &CachedToken| Secret::new(token.text(None, &state.session));
            Some(UnsavedToken {
                file: state.session.cache_file(),
                token: state.token.as_ref().map(text)?,
                superseded: state.superseded.as_ref().map(text),
            })
        });
        unsaved.chain(self.restored_tokens.iter().cloned()).collect()
    }

    /// Gives the tokens of an earlier run to their sessions. Those of sessions that are in no file now wait for them.
    pub(super) fn adopt_unsaved(&mut self, now: Now) {
        for restored in std::mem::take(&mut self.restored_tokens) {
            let adopts = |node: &Node| {
                let state = node.session.as_ref()?;
                let fits = state.session.cache_file() == restored.file && state.is_unread() && state.token.is_none();
                let read = |text: &Secret| state.session.read(text.expose()).ok();
                let token = fits.then(|| read(&restored.token))??;
                // What was there before and can't be told now counts as another program's: it stays.
                let superseded = match &restored.superseded {
                    Some(text) => Some(read(text)?),
                    None => None,
                };
                Some((state.session.described(), token, superseded))
            };
            let found = self.nodes.iter().find_map(|(key, node)| Some((key.clone(), adopts(node)?)));
            let Some((key, (what, token, superseded))) = found else {
                self.restored_tokens.push(restored);
                continue;
            };
            self.take_token(&key, token, false, now);
            if let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) {
                // The file is read too: a newer token in it counts.
                state.view = View::Unread;
                state.superseded = superseded;
                state.unsaved = Some(("the previous daemon could not write the file".to_owned(), now.boot));
            }
            let message = format!(
                "the newest token of {what} is from the previous daemon, which could not write it into its file"
            );
            self.log(LogLevel::Info, None, message);
        }
    }

    /// Forgets the token of a cache file: the user has signed in or out since.
    pub(super) fn drop_restored_token(&mut self, file: &CacheFile) {
        let before = self.restored_tokens.len();
        self.restored_tokens.retain(|restored| restored.file != *file);
        if self.restored_tokens.len() < before {
            self.actions.push_back(Action::KeepUnsaved);
        }
    }

    /// A token that is in no file yet must not be lost by an edit.
    pub(super) fn keep_unsaved_sessions(&mut self, old: &mut BTreeMap<NodeKey, Node>) {
        let unsaved = |node: &mut Node| node.session.as_ref().is_some_and(|state| state.unsaved.is_some());
        self.nodes.extend(old.extract_if(.., |_, node| unsaved(node)));
    }

    /// Whether the newest token is in its file, and if not, why; said once.
    pub(super) fn note_unsaved(&mut self, key: &NodeKey, unsaved: Option<String>, now: Now) {
        let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) else { return };
        let said = state.unsaved.take().map(|(why, _)| why);
        if said.is_some() || unsaved.is_some() {
            self.actions.push_back(Action::KeepUnsaved);
        }
        if let Some(why) = unsaved {
            state.unsaved = Some((why.clone(), now.boot + SAVE_AGAIN));
            let cache_file = state.session.cache_file();
            let (what, file) = (state.session.described(), described(&cache_file));
            if said.is_none() {
                // Reading the file may show the reason and the fix.
                self.actions.push_back(Action::LookAtSession(cache_file));
            }
            if said.as_ref() != Some(&why) {
                let message =
                    format!("the new token of {what} can't be written into {file}: {why}; the daemon keeps the token");
                self.log(LogLevel::Warn, None, message);
            }
        }
    }

    /// The actions that write the remaining tokens when the daemon stops. No other action is in progress then.
    pub fn last_saves(&mut self, now: Now) -> Vec<RefreshOrder> {
        let keys: Vec<NodeKey> = self.nodes.keys().cloned().collect();
        keys.iter().filter_map(|key| self.last_save(key, now)).collect()
    }

    fn last_save(&mut self, key: &NodeKey, now: Now) -> Option<RefreshOrder> {
        let node = self.nodes.get(key)?;
        let state = node.session.as_ref().filter(|state| state.unsaved.is_some())?;
        let order = RefreshOrder {
            ticket: Ticket(0),
            session: state.session.clone(),
            known: state.token.clone()?,
            superseded: state.superseded.clone(),
            save: true,
            is_needed: false,
            aws_minus_boot: self.time.clock().aws_minus_boot(now),
        };
        let mint = Minting { key: key.clone(), started: now.boot, reason: "the daemon ends", parent_mints: node.mints };
        let endpoint = state.session.endpoint().clone();
        let ticket = self.ticket();
        self.flights.insert(ticket, Flight { endpoint, work: Work::Mint(mint) });
        self.nodes.get_mut(key)?.flight = Some(ticket);
        Some(RefreshOrder { ticket, ..order })
    }
}
