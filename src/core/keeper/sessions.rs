//! Sign-in sessions: their tokens stand in the AWS tools' cache files, which others read and write too.
//!
//! A session is the parent of the credentials behind it, like any other: it is refreshed ahead, with backoff, once for all. What is
//! different is that the file is the truth: what another program writes there counts, and its end is a sign-out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::api::{Action, Answer, CallerId, LogLevel, Outcome, Refusal, RefusalKind};
use super::node::Node;
use super::session_api::{RefreshOrder, SessionEnd, SignOutEnd, SignOutOrder};
use super::{Flight, Keeper, Minting, Work};
use crate::core::aws_error::{Fault, Operation, fault};
use crate::core::clock::{Clock, Expiry};
use crate::core::credential::Grant;
use crate::core::plan::{NodeKey, Source, Step};
use crate::core::session::{CacheFile, CacheProblem, CachedToken, Found, Session, SsoSession, is_older};
use crate::core::time::{AwsTime, BootTime, Now};

/// A cache file that can't be replaced is looked at again after this.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// How long AWS's tokens live, for those whose beginning was not seen.
const USUAL_SSO_LIFE: TimeDelta = TimeDelta::hours(1);
const USUAL_LOGIN_LIFE: TimeDelta = TimeDelta::minutes(15);

/// What is known of the cache file behind a session.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) session: Session,
    pub(super) view: View,
    /// The token as it was last seen, or got: with what refreshes it.
    pub(super) token: Option<CachedToken>,
    /// The one before: a file that shows it was read before the newer one was written, or could not be written yet.
    pub(super) superseded: Option<CachedToken>,
    /// Why the newest token is not in the file, and when that is tried again.
    pub(super) unsaved: Option<(String, BootTime)>,
    /// Why its file can't be replaced.
    unwritable: Option<Unwritable>,
    /// When it was last seen to be alive, by the best guess.
    pub(super) alive_at: Option<AwsTime>,
    /// The end that the person was told of.
    pub(super) told_of_end: Option<AwsTime>,
    /// The person was told that a sign-in is needed.
    pub(super) told_of_need: bool,
    /// Its token's end was read while AWS's time was not known.
    pub(super) guessed: bool,
    /// How far this machine's clock was off when the token was taken: so far is the end that its file names.
    pub(super) clock_was_off: TimeDelta,
    /// The token in the cache file, after the user has signed out of its session.
    pub(super) signed_out: Option<CachedToken>,
    /// A sign-out is under way: what the file shows meanwhile does not count.
    pub(super) leaving: bool,
}

/// A file that can't be replaced.
#[derive(Debug)]
struct Unwritable {
    problem: CacheProblem,
    /// When to look again.
    look_at: BootTime,
    /// Nothing speaks against another attempt.
    may_try: bool,
}

/// What the file was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Not looked at yet.
    Unread,
    /// Nobody is signed in.
    Absent,
    /// It can't be used: the end of a sentence that begins with the file.
    Unusable(String),
    /// A token of this session.
    Present,
}

impl SessionState {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            view: View::Unread,
            token: None,
            superseded: None,
            unsaved: None,
            unwritable: None,
            alive_at: None,
            told_of_end: None,
            told_of_need: false,
            guessed: false,
            clock_was_off: TimeDelta::zero(),
            signed_out: None,
            leaving: false,
        }
    }

    /// Whether its token was never in the file, where nothing was when it came.
    fn is_only_here(&self) -> bool {
        self.unsaved.is_some() && self.superseded.is_none()
    }

    /// Why a sign-in's token is in no file.
    pub(super) fn never_written(&self) -> Option<&str> {
        self.unsaved.as_ref().filter(|_| self.is_only_here()).map(|(why, _)| why.as_str())
    }

    /// Why its newest token is in no file.
    pub(super) fn unsaved(&self) -> Option<&str> {
        self.unsaved.as_ref().map(|(why, _)| why.as_str())
    }

    /// Why its file can't be replaced.
    pub(super) fn unwritable(&self) -> Option<&CacheProblem> {
        self.unwritable.as_ref().map(|unwritable| &unwritable.problem)
    }

    /// Why its refresh token is not spent now. A full disk may have room again: with `is_needed` the next token is kept until it
    /// can be written.
    pub(super) fn spares(&self, is_needed: bool) -> bool {
        let spares = |unwritable: &Unwritable| !(unwritable.may_try || (unwritable.problem.is_full && is_needed));
        self.unwritable.as_ref().is_some_and(spares)
    }

    /// Whether no better token will come by itself: nothing refreshes it, or its successor could not be written.
    pub(super) fn cannot_renew(&self) -> bool {
        self.spares(true) || self.token.as_ref().is_some_and(|token| token.refresh_token().is_none())
    }

    /// Whether somebody has signed out.
    pub(super) fn is_absent(&self) -> bool {
        self.view == View::Absent
    }

    pub(super) fn is_unread(&self) -> bool {
        self.view == View::Unread
    }

    /// Whether its cache file can't be read, or belongs to another session.
    pub(super) fn is_unusable(&self) -> bool {
        matches!(self.view, View::Unusable(_))
    }

    /// Whether there is something to refresh the token with.
    pub(super) fn can_refresh(&self, clock: &Clock, now: Now) -> bool {
        self.token.as_ref().is_some_and(|token| token.refresh_token().is_some())
            && !matches!(self.view, View::Absent | View::Unread)
            && !self.registration_is_over(clock, now)
            // A refresh goes by the file, and one that is not there is a sign-out.
            && !self.is_only_here()
    }

    pub(super) fn registration_is_over(&self, clock: &Clock, now: Now) -> bool {
        self.registration_expires().is_some_and(|at| clock.judge(at, now) == Expiry::Expired)
    }

    /// A registration lives for months: what this machine's clock is off does not matter.
    pub(super) fn registration_expires(&self) -> Option<AwsTime> {
        match &self.token {
            Some(CachedToken::Sso(token)) => {
                Some(AwsTime::from_millis(token.refresh.as_ref()?.registration_expires?.as_millis()))
            }
            _ => None,
        }
    }
}

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
            let needed_one = self.nodes.get(&key).is_some_and(|node| node.lacks(&self.clock, now).is_some());
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
                let is_over = is_new && !node.can_sign(&self.clock, now);
                if is_over || !is_new {
                    node.failures = failures;
                }
                if is_over {
                    let why = "the new token had already expired";
                    return Err(fault(
                        Operation::new("refreshing").object(what),
                        None,
                        Some("InvalidResponse"),
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

    /// Takes in whether a cache file can be replaced.
    pub(super) fn cache_checked(&mut self, file: &CacheFile, problem: Option<&CacheProblem>, now: Now) {
        for key in self.dependents.sessions(file).to_vec() {
            let state = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut());
            match state.and_then(|state| state.unwritable.as_mut()) {
                // The next refresh finds out.
                Some(unwritable) if problem.is_none() && unwritable.problem.is_tried => unwritable.may_try = true,
                _ => self.note_access(&key, problem.cloned(), now),
            }
        }
    }

    fn note_access(&mut self, key: &NodeKey, problem: Option<CacheProblem>, now: Now) {
        let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) else { return };
        let before = state.unwritable.take().map(|unwritable| unwritable.problem);
        let what = state.session.described();
        let Some(problem) = problem else {
            if before.is_some() {
                if let Some((_, again_at)) = &mut state.unsaved {
                    *again_at = now.boot;
                }
                self.log(LogLevel::Info, None, format!("the cache file of {what} can be written again"));
            }
            return;
        };
        state.unwritable =
            Some(Unwritable { problem: problem.clone(), look_at: now.boot + LOOK_AGAIN, may_try: false });
        self.wake_at(now.boot + LOOK_AGAIN);
        if before.as_ref() != Some(&problem) {
            let message = format!("{what} is not refreshed, as its cache file can't be written: {}", problem.why);
            self.log(LogLevel::Warn, None, message);
        }
    }

    /// Remembers when a session has begun: how long it lasts is learned from that.
    pub(super) fn note_sign_in(&mut self, key: &NodeKey, now: Now) {
        if let Some(name) = self.session_name(key) {
            self.memory.sessions.entry(name).or_default().signed_in_at = Some(self.clock.best(now));
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
        let (best, warn) = (self.clock.best(now), self.settings.warn);
        let expires_at = self.clock.of_local_writer(token.expires(), now, warn);
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
        let clock_was_off = self.clock.local_minus_aws(now, warn);
        let guessed = !self.clock.is_known() || self.clock.is_suspect();
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

    /// The name by which a session is remembered.
    pub(super) fn session_name(&self, key: &NodeKey) -> Option<String> {
        Some(self.nodes.get(key)?.session.as_ref()?.session.label().to_owned())
    }

    /// Refreshes what is due, for the AWS tools' sake also where no profile of ours is in use.
    pub(super) fn drive_sessions(&mut self, waits_for_network: bool, now: Now) {
        // Without a token there is nothing to refresh.
        let is_live =
            |state: &SessionState| state.token.is_some() || state.unsaved.is_some() || state.unwritable.is_some();
        let live = self.nodes.iter().filter(|(_, node)| node.session.as_ref().is_some_and(|state| is_live(state)));
        let keys: Vec<NodeKey> = live.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.drive_session(&key, waits_for_network, now);
            self.tell_of_end(&key, now);
        }
    }

    fn drive_session(&mut self, key: &NodeKey, waits_for_network: bool, now: Now) {
        let Some(node) = self.nodes.get(key).filter(|node| node.flight.is_none()) else { return };
        let Some(state) = &node.session else { return };
        if let Some(Unwritable { look_at, .. }) = &state.unwritable {
            let (look_at, file) = (*look_at, state.session.cache_file());
            if look_at > now.boot {
                self.wake_at(look_at);
            } else {
                self.actions.push_back(Action::LookAtSession(file));
                if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut())
                    && let Some(unwritable) = &mut state.unwritable
                {
                    unwritable.look_at = now.boot + LOOK_AGAIN;
                }
                self.wake_at(now.boot + LOOK_AGAIN);
            }
        }
        let Some(node) = self.nodes.get(key) else { return };
        let Some(state) = &node.session else { return };
        if let Some((_, again_at)) = &state.unsaved {
            match *again_at {
                at if at <= now.boot => return self.refresh(key, "its newest token is not in the cache", now),
                at => self.wake_at(at),
            }
        }
        let Some(node) = self.nodes.get(key).filter(|node| node.is_able(&self.clock, now)) else { return };
        let wanted = match node.step.source {
            Source::Login(_) => self.settings.login_cache,
            _ => self.settings.sso_cache,
        };
        if !wanted || waits_for_network {
            return;
        }
        let Some(reason) = node.due(&self.clock, now) else {
            if let Some(at) = node.held.as_ref().and_then(|held| held.due_at(&self.clock, now)) {
                self.wake_at(at);
            }
            return;
        };
        match node.failures.last().map(|failure| &failure.streak) {
            Some(streak) if !streak.allows(now.boot) => {
                if let Some(at) = streak.next_try() {
                    self.wake_at(at);
                }
            }
            _ => match node.pace.next(false).filter(|next| *next > now.boot) {
                Some(next) => self.wake_at(next),
                None => self.refresh(key, reason, now),
            },
        }
    }

    /// Orders one refresh.
    pub(super) fn refresh(&mut self, key: &NodeKey, reason: &'static str, now: Now) {
        let Some(node) = self.nodes.get(key) else { return };
        let (Some(state), service) = (&node.session, node.step.source.service()) else { return };
        let Some(known) = state.token.clone() else { return };
        let (session, superseded, mints) = (state.session.clone(), state.superseded.clone(), node.mints);
        let endpoint = session.endpoint().clone();
        let is_needed = !node.can_sign(&self.clock, now);
        // What was never in a file is written first; a file that lags behind keeps no token from being refreshed.
        let is_due = node.due(&self.clock, now).is_some() && node.can_refresh(&self.clock, now);
        let unsaved = state.unsaved.as_ref().filter(|_| state.is_only_here() || !is_due);
        let save = unsaved.is_some();
        let not_before = match unsaved {
            Some((_, again_at)) => Some(*again_at).filter(|at| *at > now.boot),
            None => match node.failures.at(&endpoint).map(|failure| &failure.streak) {
                Some(streak) if !streak.allows(now.boot) => match streak.next_try() {
                    Some(at) => Some(at),
                    None => return,
                },
                _ => None,
            },
        };
        if let Some(at) = not_before {
            return self.wake_at(at);
        }
        if !self.may_call(service, &endpoint, now) {
            return;
        }
        let ticket = self.ticket();
        if let Some(node) = self.nodes.get_mut(key) {
            node.flight = Some(ticket);
        }
        self.log(LogLevel::Debug, None, format!("{} is refreshed: {reason}", session.described()));
        let aws_minus_boot = self.clock.aws_minus_boot(now);
        self.actions.push_back(Action::Refresh(Box::new(RefreshOrder {
            ticket,
            session,
            known,
            superseded,
            save,
            is_needed,
            aws_minus_boot,
        })));
        let mint = Minting { key: key.clone(), started: now.boot, reason, parent_mints: mints };
        self.flights.insert(ticket, Flight { endpoint, work: Work::Mint(mint) });
    }

    /// Ends a session because a person says so.
    pub(super) fn sign_out(&mut self, caller: CallerId, key: &NodeKey, now: Now) {
        let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) else { return };
        state.leaving = true;
        let (session, token) = (state.session.clone(), state.token.clone());
        self.drop_restored_token(&session.cache_file());
        self.give_up_sign_in(key, now);
        self.forget_session(key);
        let ticket = self.ticket();
        let endpoint = session.endpoint().clone();
        self.flights.insert(ticket, Flight { endpoint, work: Work::SignOut { caller, key: key.clone() } });
        self.actions.push_back(Action::SignOut(Box::new(SignOutOrder { ticket, session, token })));
    }

    /// Whether a sign-out could not remove the cache file, and the file still has that token.
    fn has_signed_out_of(&self, key: &NodeKey, token: &CachedToken) -> bool {
        self.digest_of_signed_out(key).is_some_and(|digest| *digest == token.digest())
    }

    /// Whether a newer sign-in, which is not yet written, replaces the signed-out token in the file.
    fn outranks_signed_out(&mut self, key: &NodeKey, token: &CachedToken) -> bool {
        let state = self.nodes.get_mut(key).and_then(|node| node.session.as_mut());
        let Some(state) = state.filter(|state| state.unsaved.is_some()) else { return false };
        (state.superseded, state.view) = (Some(token.clone()), View::Present);
        true
    }

    /// The digest of the signed-out token, while it is in the cache file.
    fn digest_of_signed_out(&self, key: &NodeKey) -> Option<&String> {
        let name = self.nodes.get(key)?.session.as_ref()?.session.label();
        self.memory.sessions.get(name)?.signed_out.as_ref()
    }

    /// Remembers, also over restarts, a signed-out token that is still in the cache file.
    fn note_signed_out(&mut self, key: &NodeKey, token: Option<CachedToken>) {
        let Some(name) = self.session_name(key) else { return };
        let digest = token.as_ref().map(CachedToken::digest);
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.signed_out = token;
        }
        if self.digest_of_signed_out(key) != digest.as_ref() {
            self.memory.sessions.entry(name).or_default().signed_out = digest;
            self.actions.push_back(Action::Remember);
        }
    }

    /// A sign-out has ended. What the file shows then counts again.
    pub(super) fn signed_out(&mut self, caller: CallerId, key: &NodeKey, outcome: Outcome) {
        let name = self.session_name(key).unwrap_or_default();
        if let Outcome::SignedOut(end) = &outcome {
            self.note_signed_out(key, end.left.clone());
        }
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.leaving = false;
            let file = state.session.cache_file();
            self.actions.push_back(Action::LookAtSession(file));
        }
        let answer = match outcome {
            Outcome::Failed(fault) => {
                Answer::Refused(Refusal { kind: RefusalKind::Failed, ..Refusal::of_fault(fault) })
            }
            Outcome::SignedOut(end) => Answer::SignedOut { name, end },
            _ => Answer::SignedOut { name, end: SignOutEnd::default() },
        };
        self.answer_with(caller, answer);
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
