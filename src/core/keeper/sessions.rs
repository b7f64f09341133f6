//! Sign-in sessions: their tokens stand in the AWS tools' cache files, which others read and write too.
//!
//! A session is the parent of the credentials behind it, like any other: it is refreshed ahead, with backoff, once for all. What is
//! different is that the file is the truth: what another program writes there counts, and its end is a sign-out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::api::{
    Action, ErrorStatus, LogLevel, Notice, RefreshOrder, SessionEnd, SessionMemory, SessionStatus, SignOutOrder, State,
    Times, Warning,
};
use super::node::{Lack, Node};
use super::{Flight, Keeper, Minting, Route, Work};
use crate::core::aws_error::ErrorClass;
use crate::core::clock::{Clock, Expiry};
use crate::core::credential::Grant;
use crate::core::plan::{NodeKey, Source, Step};
use crate::core::session::{CacheFile, CachedToken, Found, Session, SsoSession};
use crate::core::time::{AwsTime, BootTime, Now};

/// How long before the known end of a session a person is told: long enough to end what one is at.
const TOLD_BEFORE: TimeDelta = TimeDelta::minutes(15);
/// A token that could not be written is tried again after this.
const SAVE_AGAIN: TimeDelta = TimeDelta::seconds(30);
/// How long AWS's tokens live, for those whose beginning was not seen.
const USUAL_SSO_LIFE: TimeDelta = TimeDelta::hours(1);
const USUAL_LOGIN_LIFE: TimeDelta = TimeDelta::minutes(15);

/// What is known of the cache file behind a session.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) session: Session,
    view: View,
    /// The token as it was last seen, or got: with what refreshes it.
    token: Option<CachedToken>,
    /// The one before: a file that shows it was read before the newer one was written, or could not be written yet.
    superseded: Option<CachedToken>,
    /// Why the newest token is not in the file, and when that is tried again.
    unsaved: Option<(String, BootTime)>,
    /// When it was last seen to be alive, by the best guess.
    alive_at: Option<AwsTime>,
    /// The end that the person was told of.
    told_of_end: Option<AwsTime>,
    /// The person was told that a sign-in is needed.
    told_of_need: bool,
    /// Its token's end was read while AWS's time was not known.
    guessed: bool,
}

/// What the file was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum View {
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
            alive_at: None,
            told_of_end: None,
            told_of_need: false,
            guessed: false,
        }
    }

    /// Whether its token was never in the file, where nothing was when it came.
    fn is_only_here(&self) -> bool {
        self.unsaved.is_some() && self.superseded.is_none()
    }

    /// Whether somebody has signed out.
    pub(super) fn is_absent(&self) -> bool {
        self.view == View::Absent
    }

    pub(super) fn is_unread(&self) -> bool {
        self.view == View::Unread
    }

    /// Whether there is something to refresh the token with.
    pub(super) fn can_refresh(&self, clock: &Clock, now: Now) -> bool {
        self.token.as_ref().is_some_and(|token| token.refresh_token().is_some())
            && !matches!(self.view, View::Absent | View::Unread)
            && !self.registration_is_over(clock, now)
    }

    fn registration_is_over(&self, clock: &Clock, now: Now) -> bool {
        self.registration_expires().is_some_and(|at| clock.judge(at, now) == Expiry::Expired)
    }

    /// A registration lives for months: what this machine's clock is off does not matter.
    fn registration_expires(&self) -> Option<AwsTime> {
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
        let step = Step { profile, source: Source::SsoToken(session) };
        let key = step.key();
        if !self.nodes.contains_key(&key) {
            let node = old.remove(&key).unwrap_or_else(|| {
                let mut node = Node::new(step, None, now.boot);
                node.flight = self.flight_of(&key);
                node
            });
            self.nodes.insert(key, node);
        }
    }

    /// The cache files of all sessions.
    pub fn session_files(&self) -> BTreeSet<CacheFile> {
        self.nodes.values().filter_map(|node| Some(node.session.as_ref()?.session.cache_file())).collect()
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
        let of_file = |node: &Node| node.session.as_ref().is_some_and(|state| state.session.cache_file() == *file);
        let keys: Vec<NodeKey> =
            self.nodes.iter().filter(|(_, node)| of_file(node)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) else { continue };
            let token = match found {
                // A sign-in that could not be written: nothing was there, and so nothing was deleted.
                Found::Missing if state.is_only_here() => continue,
                Found::Missing => {
                    self.forget_session(&key, now);
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
                    let first = std::mem::replace(&mut state.view, View::Present) == View::Unread;
                    if !known && !stale {
                        let what = state.session.described();
                        self.log(LogLevel::Debug, None, format!("{what} has a token that another program wrote"));
                        self.take_token(&key, token, !first, now);
                    }
                }
            }
        }
    }

    /// A refresh went well.
    pub(super) fn refreshed(&mut self, key: &NodeKey, end: SessionEnd, now: Now) {
        let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) else { return };
        let file = state.session.cache_file();
        match end {
            SessionEnd::SignedOut => self.forget_session(key, now),
            SessionEnd::Found(token) => self.take_token(key, token, true, now),
            SessionEnd::Renewed { token, unsaved } => {
                let what = state.session.described();
                if let Some(why) = &unsaved {
                    let message = format!(
                        "the new token of {what} can't be written into {}: {why}; it is kept here",
                        described(&file)
                    );
                    self.log(LogLevel::Warn, None, message);
                }
                let is_new = self.token_of(key).is_none_or(|held| !held.is_same(&token));
                if is_new {
                    self.take_token(key, token, true, now);
                    self.log(LogLevel::Info, None, format!("{what} was refreshed"));
                }
                if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
                    state.unsaved = unsaved.map(|why| (why, now.boot + SAVE_AGAIN));
                }
            }
        }
    }

    /// A person has signed in.
    pub(super) fn take_sign_in(&mut self, key: &NodeKey, token: CachedToken, unsaved: Option<String>, now: Now) {
        self.take_token(key, token, true, now);
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.told_of_end = None;
            state.unsaved = unsaved.map(|why| (why, now.boot + SAVE_AGAIN));
        }
        for child in self.nodes.values_mut().filter(|child| child.parent.as_ref() == Some(key)) {
            child.retried_parent = false;
        }
    }

    pub(super) fn token_of(&self, key: &NodeKey) -> Option<&CachedToken> {
        self.nodes.get(key)?.session.as_ref()?.token.as_ref()
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
                state.superseded = before;
            }
            state.view = View::Present;
            state.guessed = guessed;
            state.alive_at = Some(best);
            state.told_of_need = false;
        }
        // What was refused with the token before may be allowed with this one.
        for child in self.nodes.values_mut().filter(|child| child.parent.as_ref() == Some(key)) {
            if child.failures.needs_login() {
                child.failures.clear();
            }
        }
    }

    /// AWS's time is known now: what a program on this machine stamped by its clock is read again where it was not.
    pub(super) fn read_stamps_again(&mut self, now: Now) {
        if !self.clock.is_known() || self.clock.is_suspect() {
            return;
        }
        for node in self.nodes.values_mut() {
            let Some(state) = node.session.as_mut().filter(|state| state.guessed) else { continue };
            state.guessed = false;
            let (Some(token), Some(held)) = (&state.token, &mut node.held) else { continue };
            let expires_at = self.clock.of_local_writer(token.expires(), now, self.settings.warn);
            held.shift_end(expires_at, &self.settings);
        }
    }

    /// Somebody has signed out: the session and everything behind it is forgotten.
    pub(super) fn forget_session(&mut self, key: &NodeKey, now: Now) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.failures.clear();
        let Some(state) = &mut node.session else { return };
        if std::mem::replace(&mut state.view, View::Absent) == View::Absent {
            return;
        }
        let (what, had) = (state.session.described(), state.token.take().is_some());
        (state.superseded, state.unsaved, state.alive_at, state.told_of_end) = (None, None, None, None);
        // What is under way is of the session that was.
        node.mints += 1;
        if had {
            self.log(
                LogLevel::Info,
                None,
                format!("nobody is signed in to {what} any more: what stood behind it is forgotten"),
            );
            let name = self.session_name(key);
            if let Some(memory) = name.and_then(|name| self.memory.sessions.get_mut(&name)) {
                // It was ended, not over: nothing is to be learned from its length.
                memory.signed_in_at = None;
                self.actions.push_back(Action::Remember);
            }
        }
        self.forget_behind(key);
        let _ = now;
    }

    /// The name by which a session is remembered.
    pub(super) fn session_name(&self, key: &NodeKey) -> Option<String> {
        Some(self.nodes.get(key)?.session.as_ref()?.session.label().to_owned())
    }

    /// Refreshes what is due, for the AWS tools' sake also where no profile of ours is in use.
    pub(super) fn drive_sessions(&mut self, now: Now) {
        let keys: Vec<NodeKey> =
            self.nodes.iter().filter(|(_, node)| node.session.is_some()).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.drive_session(&key, now);
            self.tell_of_end(&key, now);
        }
    }

    fn drive_session(&mut self, key: &NodeKey, now: Now) {
        let Some(node) = self.nodes.get(key).filter(|node| node.flight.is_none()) else { return };
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
        if !wanted {
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
            _ => self.refresh(key, reason, now),
        }
    }

    /// Orders one refresh.
    pub(super) fn refresh(&mut self, key: &NodeKey, reason: &'static str, now: Now) {
        let Some(node) = self.nodes.get(key) else { return };
        let (Some(state), service) = (&node.session, node.step.source.service()) else { return };
        let Some(known) = state.token.clone() else { return };
        let (session, superseded, mints) = (state.session.clone(), state.superseded.clone(), node.mints);
        let endpoint = session.endpoint().clone();
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
        let times = self.times(now);
        self.actions.push_back(Action::Refresh(Box::new(RefreshOrder {
            ticket,
            session,
            known,
            superseded,
            save,
            times,
        })));
        let mint = Minting { key: key.clone(), started: now.boot, reason, parent_mints: mints };
        self.flights.insert(ticket, Flight { endpoint, work: Work::Mint(mint) });
    }

    pub(super) fn times(&self, now: Now) -> Times {
        Times {
            aws_minus_boot: self.clock.aws_minus_boot(now),
            local_minus_aws: self.clock.local_minus_aws(now, self.settings.warn),
        }
    }

    /// A session has ended by itself: how long it lasted is worth knowing.
    pub(super) fn learn_length(&mut self, key: &NodeKey, now: Now) {
        let (ended, alive) =
            (self.clock.best(now), self.nodes.get(key).and_then(|node| node.session.as_ref()?.alive_at));
        let Some(memory) = self.session_name(key).and_then(|name| self.memory.sessions.get_mut(&name)) else { return };
        if let (Some(began), Some(alive)) = (memory.signed_in_at.take(), alive) {
            memory.length_ms = Some(length_between(alive - began, ended - began).num_milliseconds());
            self.actions.push_back(Action::Remember);
        }
    }

    /// When a person will have to sign in again: where no token can be refreshed, its end; where one was learned, the session's.
    pub(super) fn session_end(&self, key: &NodeKey) -> Option<AwsTime> {
        let node = self.nodes.get(key)?;
        let state = node.session.as_ref()?;
        let expires_at = node.held.as_ref()?.end?.expires_at;
        if state.token.as_ref()?.refresh_token().is_none() {
            return Some(expires_at);
        }
        let SessionMemory { signed_in_at, length_ms } =
            self.memory.sessions.get(state.session.label()).cloned().unwrap_or_default();
        let learned = signed_in_at.zip(length_ms).map(|(began, length)| began + TimeDelta::milliseconds(length));
        // A refresh that has gone well since proves what was learned wrong.
        let learned = learned.filter(|at| state.alive_at.is_none_or(|alive| alive <= *at));
        [learned, state.registration_expires()].into_iter().flatten().min()
    }

    fn tell_of_end(&mut self, key: &NodeKey, now: Now) {
        let Some(ends_at) = self.session_end(key) else { return };
        let Some(state) = self.nodes.get(key).and_then(|node| node.session.as_ref()) else { return };
        let wait = self.clock.until(ends_at, now) - TOLD_BEFORE;
        if state.told_of_end.is_some_and(|told| ends_at < told + TOLD_BEFORE) {
            return;
        }
        if wait > TimeDelta::zero() {
            return self.wake_at(now.boot + wait);
        }
        let message = will_end(&state.session, ends_at);
        let fix = Some(self.how_to_sign_in(key));
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.told_of_end = Some(ends_at);
        }
        self.actions.push_back(Action::Notice(Notice { id: "sso-session-ends", message, fix }));
    }

    /// Tells once for all profiles that a sign-in is needed, where one of them is in use.
    pub(super) fn tell_of_need(&mut self, now: Now) {
        let keys: Vec<NodeKey> =
            self.nodes.iter().filter(|(_, node)| node.session.is_some()).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(node) = self.nodes.get(&key) else { continue };
            let told = node.session.as_ref().is_some_and(|state| state.told_of_need);
            if told || node.lacks(&self.clock, now) != Some(Lack::SignIn) {
                continue;
            }
            let waiting = self.profiles_behind(&key).filter(|(name, _)| self.is_kept(name, now)).count();
            if waiting == 0 {
                continue;
            }
            let Some(need) = self.session_need(&key, now) else { continue };
            let message = format!("{} ({waiting} profiles in use wait for it)", need.message);
            if let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) {
                state.told_of_need = true;
            }
            self.actions.push_back(Action::Notice(Notice { id: "sso-login-needed", message, fix: need.fix }));
        }
    }

    fn profiles_behind<'a>(&'a self, key: &'a NodeKey) -> impl Iterator<Item = (&'a String, &'a Route)> {
        let routes = self.profiles.iter().filter_map(|(name, route)| Some((name, route.as_ref().ok()?)));
        routes.filter(move |(_, route)| route.keys.contains(key))
    }

    /// How many profiles stand behind a session.
    pub(super) fn count_behind(&self, key: &NodeKey) -> usize {
        self.profiles_behind(key).count()
    }

    /// The command that signs in: by the session's name where it has one, else by a profile's.
    pub(super) fn how_to_sign_in(&self, key: &NodeKey) -> String {
        let state = self.nodes.get(key).and_then(|node| node.session.as_ref());
        let name = match state.map(|state| &state.session) {
            Some(Session::Sso(SsoSession { name: Some(name), .. })) => name.clone(),
            _ => self.profiles_behind(key).next().map(|(name, _)| name.clone()).unwrap_or_default(),
        };
        format!("evercred login {name}")
    }

    /// Why a session needs a person.
    pub(super) fn session_need(&self, key: &NodeKey, now: Now) -> Option<ErrorStatus> {
        let node = self.nodes.get(key)?;
        let state = node.session.as_ref()?;
        let what = state.session.described();
        let mut fix = self.how_to_sign_in(key);
        if let Some(failure) = node.failures.last().filter(|failure| failure.error.class == ErrorClass::NeedsLogin) {
            let mut error = failure.error.clone();
            error.fix = Some(fix);
            return Some(error);
        }
        let (code, message) = match &state.view {
            View::Unusable(why) => {
                ("SsoCacheUnusable", format!("{what} can't be used: {} {why}", described(&state.session.cache_file())))
            }
            View::Present if state.registration_is_over(&self.clock, now) => {
                let message = format!(
                    "{what} can't be refreshed any more: the client that signed in was registered too long ago"
                );
                ("SsoRegistrationExpired", message)
            }
            View::Present => {
                if let Session::Sso(SsoSession { name: None, .. }) = &state.session {
                    fix.push_str("; with an [sso-session …] section and sso_session in the profile a sign-in is refreshed by itself");
                }
                ("SsoSessionExpired", format!("{what} has expired, and there is no refresh token to renew it with"))
            }
            View::Absent | View::Unread => ("SsoLoginNeeded", format!("nobody is signed in to {what}")),
        };
        let at = self.planned_at;
        let class = ErrorClass::NeedsLogin;
        Some(ErrorStatus { at, code: code.to_owned(), class, message, fix: Some(fix), next_try: None })
    }

    /// Ends a session because a person says so.
    pub(super) fn sign_out(&mut self, key: &NodeKey, now: Now) {
        let Some(state) = self.nodes.get(key).and_then(|node| node.session.as_ref()) else { return };
        let (session, token) = (state.session.clone(), state.token.clone());
        self.forget_session(key, now);
        self.actions.push_back(Action::SignOut(Box::new(SignOutOrder { session, token })));
    }

    /// How every sign-in session stands, in the order of their names.
    pub fn session_status(&self, now: Now) -> Vec<SessionStatus> {
        let sessions = self.nodes.iter().filter_map(|(key, node)| Some((key, node, node.session.as_ref()?)));
        let mut all: Vec<SessionStatus> = sessions
            .map(|(key, node, state)| {
                let lacks = node.lacks(&self.clock, now) == Some(Lack::SignIn);
                let failure = node.failures.last().map(|failure| failure.error.clone());
                let ends_at = self.session_end(key);
                let soon = ends_at.filter(|at| self.clock.until(*at, now) <= TOLD_BEFORE && !lacks);
                SessionStatus {
                    name: state.session.label().to_owned(),
                    kind: if matches!(state.session, Session::Sso(_)) { "sso" } else { "login" },
                    state: match &failure {
                        _ if node.flight.is_some() => State::Renewing,
                        _ if lacks => State::NeedsLogin,
                        Some(error) if error.class == ErrorClass::Retryable => State::Retrying,
                        Some(_) if node.held.is_none() => State::Failed,
                        _ if state.is_unread() => State::Idle,
                        _ => State::Fresh,
                    },
                    expires_at: node.held.as_ref().and_then(|held| held.end).map(|end| end.expires_at),
                    ends_at,
                    profiles: self.count_behind(key),
                    error: if lacks { self.session_need(key, now) } else { failure },
                    warning: soon.map(|at| Warning {
                        id: "sso-session-ends",
                        message: will_end(&state.session, at),
                        fix: Some(self.how_to_sign_in(key)),
                    }),
                }
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// A cache file, for a sentence.
fn described(file: &CacheFile) -> String {
    let folder = match file.folder {
        crate::core::session::CacheFolder::Sso => "sso",
        crate::core::session::CacheFolder::Login => "login",
    };
    format!("the {folder} cache file {}", file.name)
}

fn will_end(session: &Session, at: AwsTime) -> String {
    format!("{} will end at about {at}, and then somebody has to sign in again", session.described())
}

/// How long a session lasts that was alive after one time and over after another. Administrators set whole hours.
fn length_between(alive: TimeDelta, over: TimeDelta) -> TimeDelta {
    let whole = TimeDelta::hours(over.num_hours());
    if whole > alive { whole } else { alive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_of_a_sessions_length_is_whole_hours_where_that_fits() {
        let minutes = |minutes| TimeDelta::minutes(minutes);
        assert_eq!(length_between(minutes(440), minutes(481)), TimeDelta::hours(8));
        assert_eq!(length_between(minutes(480), minutes(520)), TimeDelta::hours(8));
        assert_eq!(length_between(minutes(61), minutes(100)), minutes(61));
    }
}
