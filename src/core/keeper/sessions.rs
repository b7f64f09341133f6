//! Sign-in sessions: their tokens stand in the AWS tools' cache files, which others read and write too.
//!
//! A session is the parent of the credentials behind it, like any other: it is refreshed ahead, with backoff, once for all. What is
//! different is that the file is the truth: what another program writes there counts, and its end is a sign-out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, LogLevel};
use super::node::Node;
use super::session_api::SessionEnd;
use super::session_state::View;
use crate::core::aws_error::{Fault, INVALID_RESPONSE, Operation, fault};
use crate::core::credential::Grant;
use crate::core::plan::{NodeKey, Source, Step};
use crate::core::redact::without_whole_secrets;
use crate::core::session::{CacheFile, CachedToken, Found, Session, SsoSession, is_older};
use crate::core::time::Now;

/// How long AWS's tokens live, for those whose beginning was not seen.
const USUAL_SSO_LIFE: TimeDelta = TimeDelta::hours(1);
const USUAL_LOGIN_LIFE: TimeDelta = TimeDelta::minutes(15);

impl Keeper {
    /// A session that may have no profile.
    pub(super) fn add_session(&mut self, session: SsoSession, old: &mut BTreeMap<NodeKey, Node>, now: Now) {
        let profile = session.name.clone().unwrap_or_default();
        let step = Arc::new(Step { profile, source: Source::SsoToken(Arc::new(session)) });
        let key = step.key();
        if !self.nodes.contains_key(&key) {
            let node = self.node_of(&key, &step, None, old, now);
            self.nodes.insert(key, node);
        }
    }

    /// A session of a cache file.
    pub fn session_of_file(&self, file: &CacheFile) -> Option<&Session> {
        let key = self.dependents.sessions(file).first()?;
        Some(&self.nodes.get(key)?.session.as_ref()?.session)
    }

    /// The cache files of all sessions.
    pub fn session_files(&self) -> BTreeSet<CacheFile> {
        self.dependents.files().cloned().collect()
    }

    pub(super) fn look_at_unread_sessions(&mut self) {
        let sessions = self.nodes.values().filter_map(|node| node.session.as_ref());
        let mut files: Vec<CacheFile> =
            sessions.filter(|session| session.is_unread()).map(|session| session.session.cache_file()).collect();
        files.dedup();
        self.actions.extend(files.into_iter().map(Action::LookAtSession));
    }

    /// Takes in what stands in a cache file now.
    pub(super) fn session_file(&mut self, file: &CacheFile, found: &Found, now: Now) {
        for key in self.dependents.sessions(file).to_vec() {
            let is_signed_out = self.digest_of_signed_out(&key).is_some();
            let needed_one = self.nodes.get(&key).is_some_and(|node| node.lacks(self.time.clock(), now).is_some());
            let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) else { continue };
            if state.leaving {
                // It is looked at when the sign-out has ended.
                continue;
            }
            let token = match found {
                // A sign-in that could not be written: nothing was there, and so nothing was deleted.
                Found::Missing if state.is_only_here() => {
                    state.view = View::Present;
                    continue;
                }
                Found::Missing => {
                    self.forget_session(&key);
                    self.note_signed_out(&key, None);
                    continue;
                }
                // It may be the token that could not be removed. The file is read again once that is possible.
                Found::Unreadable(_) if is_signed_out && state.token.is_none() => {
                    self.forget_session(&key);
                    continue;
                }
                Found::Unreadable(why) => Err(format!("can't be read: {why}")),
                Found::Text(text) => state.session.read(text.expose()).map_err(|unusable| unusable.why),
            };
            match token {
                Err(why) => {
                    if state.view != View::Unusable(why.clone()) {
                        let message = format!("{} {why}", described(file));
                        state.view = View::Unusable(why);
                        self.log(LogLevel::Warn, None, message);
                    }
                }
                Ok(token) => {
                    let same = |other: &Option<CachedToken>| other.as_ref().is_some_and(|other| other.is_same(&token));
                    let (known, stale) = (same(&state.token), same(&state.superseded));
                    if !stale && self.has_signed_out_of(&key, &token) {
                        if !self.outranks_signed_out(&key, &token) {
                            self.forget_session(&key);
                        }
                        self.note_signed_out(&key, Some(token));
                        continue;
                    }
                    if !stale {
                        self.note_signed_out(&key, None);
                    }
                    let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) else { continue };
                    let older = state.token.as_ref().is_some_and(|known| is_older(&token, known, now.wall));
                    let first = std::mem::replace(&mut state.view, View::Present) == View::Unread;
                    if !known && !stale && !older {
                        let what = state.session.described();
                        if needed_one && !first {
                            self.note_sign_in(&key, now);
                        }
                        self.log(LogLevel::Debug, None, format!("{what} has another token in its cache file"));
                        self.take_token(&key, token, !first, now);
                        // It may be somebody else's.
                        self.for_children(&key, |child| {
                            let streaks = child.failures.streaks();
                            streaks.for_each(|streak| streak.file_changed(now.boot, TimeDelta::minutes(1)));
                        });
                    }
                }
            }
        }
    }

    /// A refresh went well.
    ///
    /// # Errors
    /// The new token has expired already. It is kept all the same: what refreshes the next one came with it.
    pub(super) fn refreshed(&mut self, key: &NodeKey, end: SessionEnd, now: Now) -> Result<(), Fault> {
        if let SessionEnd::Found(token) = &end
            && self.has_signed_out_of(key, token)
            && self.outranks_signed_out(key, token)
        {
            return Ok(());
        }
        let Some(node) = self.nodes.get_mut(key) else { return Ok(()) };
        let Some(state) = &node.session else { return Ok(()) };
        match end {
            SessionEnd::SignedOut => self.forget_session(key),
            SessionEnd::Unwritable(problem) => self.note_access(key, Some(*problem), now),
            SessionEnd::Found(token) => {
                self.take_token(key, token, true, now);
                self.note_access(key, None, now);
            }
            SessionEnd::Renewed { token, unsaved } => {
                let what = state.session.described();
                // Nothing changes where a token that was here is written at last.
                let is_new = state.token.as_ref() != Some(&token);
                let was_called = is_new || state.unsaved.is_none();
                let failures = std::mem::take(&mut node.failures);
                if is_new {
                    self.take_token(key, token, true, now);
                }
                if unsaved.is_none() {
                    self.note_access(key, None, now);
                }
                self.note_unsaved(key, unsaved, now);
                let Some(node) = self.nodes.get_mut(key) else { return Ok(()) };
                let is_over = is_new && !node.can_sign(self.time.clock(), now);
                if is_over || !is_new {
                    node.failures = failures;
                }
                if is_over {
                    let why = "the new token had already expired";
                    return Err(fault(
                        Operation::new("refreshing").object(what),
                        None,
                        Some(INVALID_RESPONSE),
                        Some(why),
                    ));
                }
                if was_called {
                    node.pace.succeeded(now.boot);
                }
                if is_new {
                    self.log(LogLevel::Info, None, format!("{what} was refreshed"));
                }
            }
        }
        Ok(())
    }

    /// Remembers when a session has begun: how long it lasts is learned from that.
    pub(super) fn note_sign_in(&mut self, key: &NodeKey, now: Now) {
        if let Some(name) = self.session_name(key) {
            self.memory.sessions.entry(name).or_default().signed_in_at = Some(self.time.clock().best(now));
            self.actions.push_back(Action::Remember);
        }
    }

    /// A person has signed in.
    pub(super) fn take_sign_in(&mut self, key: &NodeKey, token: CachedToken, unsaved: Option<String>, now: Now) {
        self.take_token(key, token, true, now);
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.told_of_end = None;
            let file = state.session.cache_file();
            self.drop_restored_token(&file);
        }
        self.note_unsaved(key, unsaved, now);
        // Whoever signed in may be somebody else: what the one before was refused says nothing of this one.
        self.for_children(key, |child| {
            child.retried_parent = false;
            child.failures.clear();
        });
    }

    /// Takes a token for a session's own. `new`: it was made just now; else its beginning was not seen.
    pub(super) fn take_token(&mut self, key: &NodeKey, token: CachedToken, new: bool, now: Now) {
        let (best, warn) = (self.time.clock().best(now), self.settings.warn);
        let expires_at = self.time.clock().of_local_writer(token.expires(), now, warn);
        let usual = match &token {
            CachedToken::Sso(_) => USUAL_SSO_LIFE,
            CachedToken::Login(_) => USUAL_LOGIN_LIFE,
        };
        let born = if new { best } else { best.min(expires_at - usual) };
        let mut grant = token.grant();
        if let Grant::Keys(credentials) = &mut grant {
            credentials.expires_at = Some(expires_at);
        }
        let held = self.hold(grant, Some(expires_at), born, new.then_some(now.boot));
        let clock_was_off = self.time.clock().local_minus_aws(now, warn);
        let guessed = !self.time.is_trusted();
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.held = Some(held);
        node.forced = None;
        node.mints += 1;
        node.failures.clear();
        if let Some(state) = &mut node.session {
            let before = state.token.replace(token);
            // What was never written is in no file.
            if state.unsaved.take().is_none() {
                // A signed-out token is older than any other.
                state.superseded = before.or(state.signed_out.take());
            } else {
                self.actions.push_back(Action::KeepUnsaved);
            }
            state.view = View::Present;
            state.guessed = guessed;
            state.clock_was_off = clock_was_off;
            state.alive_at = Some(born);
            state.told_of_need = false;
        }
        // What was refused with the token before may be allowed with this one.
        self.for_children(key, |child| {
            if child.failures.needs_login() {
                child.failures.clear();
            }
        });
    }

    /// Somebody has signed out: the session and everything behind it is forgotten.
    pub(super) fn forget_session(&mut self, key: &NodeKey) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.failures.clear();
        let Some(state) = &mut node.session else { return };
        if std::mem::replace(&mut state.view, View::Absent) == View::Absent {
            return;
        }
        let (what, had) = (state.session.described(), state.token.take().is_some());
        if state.unsaved.take().is_some() {
            self.actions.push_back(Action::KeepUnsaved);
        }
        (state.superseded, state.alive_at, state.told_of_end) = (None, None, None);
        // Whoever has signed out knows it.
        state.told_of_need = had;
        // What is under way is of the session that was.
        node.mints += 1;
        if had {
            self.log(
                LogLevel::Info,
                None,
                format!("signed out of {what}: the credentials of its profiles are removed from memory"),
            );
            let name = self.session_name(key);
            if let Some(memory) = name.and_then(|name| self.memory.sessions.get_mut(&name)) {
                // It was ended, not over: nothing is to be learned from its length.
                memory.signed_in_at = None;
                self.actions.push_back(Action::Remember);
            }
        }
        self.forget_behind(key);
    }

    /// The name of a session for users. A secret may be in the place of a `login_session`.
    pub(super) fn shown_session_name(&self, key: &NodeKey) -> Option<String> {
        self.session_name(key).map(|name| without_whole_secrets(&name).into_owned())
    }

    /// The name by which a session is remembered.
    pub(super) fn session_name(&self, key: &NodeKey) -> Option<String> {
        Some(self.nodes.get(key)?.session.as_ref()?.session.label().to_owned())
    }
}

/// A cache file, for a sentence.
pub(super) fn described(file: &CacheFile) -> String {
    let folder = match file.folder {
        crate::core::session::CacheFolder::Sso => "sso",
        crate::core::session::CacheFolder::Login => "login",
    };
    format!("the {folder} cache file {}", file.name)
}
