//! Sign-in sessions: when they end, who is told, and how they stand.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, ErrorStatus, State, Warning};
use super::node::Lack;
use super::notice_ledger::{Condition, SSO_SESSION_ENDS};
use super::session_api::{SHORTEST_SESSION_MS, SessionMemory, SessionStatus};
use super::session_state::{SessionState, View};
use super::sessions::described;
use super::timers::Timer;
use crate::core::aws_error::{CACHE_FAILED, ErrorClass, SSO_CACHE_UNUSABLE, SSO_SESSION_EXPIRED};
use crate::core::cause::Cause;
use crate::core::fix::evercred;
use crate::core::glob::Selection;
use crate::core::plan::NodeKey;
use crate::core::redact::without_whole_secrets;
use crate::core::session::{Session, SsoSession};
use crate::core::time::{AwsTime, Now, span_from_seconds};

/// How long before the known end of a session a person is told: long enough to end what one is at.
pub(super) const TOLD_BEFORE: TimeDelta = TimeDelta::minutes(15);

/// The id of the problem and the finding of a cache file that can't be replaced.
pub const CACHE_UNWRITABLE: &str = Cause::SsoCacheUnwritable.name();
/// The id of the warning about a cache file that can't be read.
const CACHE_UNUSABLE: &str = "sso-cache-unusable";

impl Keeper {
    /// Remembers how long a session lasted that AWS ended.
    pub(super) fn learn_length(&mut self, key: &NodeKey, now: Now) {
        let (ended, alive) =
            (self.time.clock().best(now), self.nodes.get(key).and_then(|node| node.session.as_ref()?.alive_at));
        let Some(memory) = self.session_name(key).and_then(|name| self.memory.sessions.get_mut(&name)) else { return };
        if let (Some(began), Some(alive)) = (memory.signed_in_at.take(), alive) {
            let length = length_between(alive - began, ended - began).num_milliseconds();
            // AWS's shortest session lasts 15 minutes: an earlier end was a revocation.
            if length >= SHORTEST_SESSION_MS {
                memory.length_before_ms = memory.length_ms.replace(length);
            }
            self.actions.push_back(Action::Remember);
        }
    }

    /// When the user has to sign in again: the expiry of a token without a refresh token, or an estimate from the sessions before.
    pub(super) fn session_end(&self, key: &NodeKey, now: Now) -> Option<AwsTime> {
        let node = self.nodes.get(key)?;
        let state = node.session.as_ref()?;
        let expires_at = node.held.as_ref()?.end?.expires_at;
        if state.token.as_ref()?.refresh_token().is_none() {
            return Some(expires_at);
        }
        let learned = self.memory.sessions.get(state.session.label()).and_then(SessionMemory::estimated_end);
        // A later refresh disproves the estimate, and so does the time itself.
        let learned = learned.filter(|at| state.alive_at.is_none_or(|alive| alive <= *at));
        let learned = learned.filter(|at| self.time.clock().until(*at, now) > TimeDelta::zero());
        // A registration ends long after most sessions: it is the end only where it is near.
        let registration = state.registration_expires().filter(|at| *at - expires_at < TimeDelta::days(1));
        [learned, registration].into_iter().flatten().min()
    }

    /// Raises the notice that a session ends soon, once for each end.
    pub(super) fn raise_session_ends(&mut self, key: &NodeKey, now: Now) {
        let Some(ends_at) = self.session_end(key, now) else { return };
        let Some(state) = self.nodes.get(key).and_then(|node| node.session.as_ref()) else { return };
        let wait = self.time.clock().until(ends_at, now) - TOLD_BEFORE;
        if wait < -TOLD_BEFORE {
            // The session has ended: that is another notice.
            return;
        }
        if state.told_of_end.is_some_and(|told| ends_at < told + TOLD_BEFORE) {
            return;
        }
        if wait > TimeDelta::zero() {
            return self.timers.set(Timer::SessionEndNotice, now.boot + wait);
        }
        let (subject, message) = (state.session.label().to_owned(), will_end(&state.session, ends_at));
        let fix = Some(self.how_to_sign_in(key));
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.told_of_end = Some(ends_at);
        }
        self.raise(Condition::SessionEnds, key, subject, message, fix);
    }

    /// Whether a session ends soon.
    pub(super) fn ends_soon(&self, key: &NodeKey, now: Now) -> bool {
        let left = self.session_end(key, now).map(|at| self.time.clock().until(at, now));
        left.is_some_and(|left| left > TimeDelta::zero() && left <= TOLD_BEFORE)
    }

    /// Raises one notice for all profiles that wait for a sign-in, if one of them is in use.
    pub(super) fn raise_login_needed(&mut self, now: Now) {
        for key in self.sessions_in_use(now) {
            let Some(node) = self.nodes.get(&key) else { continue };
            let Some(state) = node.session.as_ref().filter(|state| !state.told_of_need) else { continue };
            if node.lacks(self.time.clock(), now) != Some(Lack::SignIn) {
                continue;
            }
            let subject = state.session.label().to_owned();
            let waiting = self.auto_renewed_dependents(&key, now).count();
            if waiting == 0 {
                continue;
            }
            let need = self.session_need(&key, now).filter(|need| need.class == ErrorClass::NeedsLogin);
            let Some(need) = need else { continue };
            let message = match waiting {
                1 => format!("{} (one profile in use waits for it)", need.message),
                _ => format!("{} ({waiting} profiles in use wait for it)", need.message),
            };
            if let Some(state) = self.nodes.get_mut(&key).and_then(|node| node.session.as_mut()) {
                state.told_of_need = true;
            }
            self.raise(Condition::LoginNeeded, &key, subject, message, need.fix);
        }
    }

    /// The sessions on which auto-renewed profiles are based.
    fn sessions_in_use(&self, now: Now) -> BTreeSet<NodeKey> {
        let in_use = self.profiles.iter().filter(|(name, _)| self.is_auto_renewed(name, now));
        let first = in_use.filter_map(|(_, route)| route.as_ref().ok()?.plan.steps.first_link());
        first.filter(|link| link.step().source.session().is_some()).map(|link| link.key().clone()).collect()
    }

    /// The profiles in use that stand behind a credential.
    pub(super) fn auto_renewed_dependents<'a>(
        &'a self,
        key: &'a NodeKey,
        now: Now,
    ) -> impl Iterator<Item = &'a String> {
        self.profiles_behind(key).filter(move |name| self.is_auto_renewed(name, now))
    }

    /// The command that signs in: by the session's name where it has one, else by a profile's.
    pub(super) fn how_to_sign_in(&self, key: &NodeKey) -> String {
        evercred("login", &self.name_to_sign_in(key))
    }

    fn name_to_sign_in(&self, key: &NodeKey) -> String {
        let state = self.nodes.get(key).and_then(|node| node.session.as_ref());
        match state.map(|state| &state.session) {
            Some(Session::Sso(SsoSession { name: Some(name), .. })) => name.clone(),
            _ => self.profiles_behind(key).next().cloned().unwrap_or_default(),
        }
    }

    /// Why a session needs a person.
    pub(super) fn session_need(&self, key: &NodeKey, now: Now) -> Option<ErrorStatus> {
        let node = self.nodes.get(key)?;
        let state = node.session.as_ref()?;
        let what = state.session.described();
        let fix = self.how_to_sign_in(key);
        if let Some(failure) = node.failures.last().filter(|failure| failure.error.class == ErrorClass::NeedsLogin) {
            let mut error = failure.error.clone();
            error.fix = Some(fix);
            return Some(error);
        }
        // An unwritable cache file comes first: a sign-in could not be written either.
        let in_the_way = state.unwritable().and_then(|problem| match &state.view {
            View::Present => {
                let message = format!("{what} is not refreshed, as its cache file can't be written: {}", problem.why);
                Some((problem, "SsoCacheUnwritable", message))
            }
            View::Unusable(why) if problem.fix.is_some() => {
                let message = format!("{what} can't be used: {} {why}", described(&state.session.cache_file()));
                Some((problem, SSO_CACHE_UNUSABLE, message))
            }
            View::Unusable(_) | View::Absent | View::Unread => None,
        });
        if let Some((problem, code, message)) = in_the_way {
            let error = ErrorStatus::new(code, ErrorClass::Retryable, message, self.planned_at);
            return Some(ErrorStatus { fix: problem.fix.clone(), ..error });
        }
        let (code, message) = match &state.view {
            View::Unusable(why) => {
                (SSO_CACHE_UNUSABLE, format!("{what} can't be used: {} {why}", described(&state.session.cache_file())))
            }
            View::Present if state.registration_is_over(self.time.clock(), now) => {
                let message = format!(
                    "{what} can't be refreshed any more: the client that signed in was registered too long ago"
                );
                ("SsoRegistrationExpired", message)
            }
            View::Present if let Some(why) = state.never_written() => {
                let file = described(&state.session.cache_file());
                (CACHE_FAILED, format!("{what} has expired, and its token could not be written into {file}: {why}"))
            }
            View::Present => {
                let why = match &state.session {
                    Session::Sso(SsoSession { name: None, .. }) => {
                        "a sign-in without an [sso-session …] section has no refresh token"
                    }
                    _ => "there is no refresh token to renew it with",
                };
                (SSO_SESSION_EXPIRED, format!("{what} has expired: {why}"))
            }
            View::Absent | View::Unread => ("SsoLoginNeeded", format!("you are not signed in to {what}")),
        };
        Some(ErrorStatus::new(code, ErrorClass::NeedsLogin, message, self.planned_at).fix(fix))
    }

    /// How every sign-in session stands, in the order of their names.
    pub fn session_status(&self, now: Now) -> Vec<SessionStatus> {
        self.session_status_from(0, Selection::ALL, now).collect()
    }

    /// The status of the sessions that the selected profiles use, by name, from an index. Each is computed when it is taken.
    pub fn session_status_from<'a>(
        &'a self,
        from: usize,
        selection: Selection<'a>,
        now: Now,
    ) -> impl Iterator<Item = SessionStatus> + use<'a> {
        let nodes = self.nodes_of(selection).into_iter();
        let mut sessions: Vec<_> = nodes.filter_map(|(key, node)| Some((key, node, node.session.as_ref()?))).collect();
        sessions.sort_by(|(a, _, one), (b, _, other)| (one.session.label(), a).cmp(&(other.session.label(), b)));
        sessions.into_iter().skip(from).map(move |(key, node, state)| {
            let lacks = node.lacks(self.time.clock(), now) == Some(Lack::SignIn);
            let need = lacks.then(|| self.session_need(key, now)).flatten();
            let failure = node.failures.last().map(|failure| failure.error.clone());
            let ends_at = self.session_end(key, now);
            let soon = ends_at.filter(|at| self.time.clock().until(*at, now) <= TOLD_BEFORE && !lacks);
            SessionStatus {
                name: without_whole_secrets(state.session.label()).into_owned(),
                login_name: self.name_to_sign_in(key),
                kind: if matches!(state.session, Session::Sso(_)) { "sso" } else { "login" },
                state: match &failure {
                    _ if node.flight.is_some() => State::Renewing,
                    _ if need.as_ref().is_some_and(|need| need.class == ErrorClass::Retryable) => State::Retrying,
                    _ if lacks => State::NeedsLogin,
                    Some(error) if error.class == ErrorClass::Retryable => State::Retrying,
                    Some(_) if node.held.is_none() => State::Retrying,
                    _ if state.is_unread() => State::Renewing,
                    _ => State::Fresh,
                },
                expires_at: node.held.as_ref().and_then(|held| held.end).map(|end| end.expires_at),
                ends_at,
                profiles: self.count_behind(key),
                error: if lacks { need } else { failure },
                cache: unwritable(state).or_else(|| self.unusable(key, state).filter(|_| !lacks)),
                warning: soon.map(|at| Warning {
                    id: SSO_SESSION_ENDS,
                    message: will_end(&state.session, at),
                    fix: Some(self.how_to_sign_in(key)),
                    file: None,
                }),
            }
        })
    }
}

impl Keeper {
    /// The warning about a cache file that can't be read, while the token from before is in use.
    fn unusable(&self, key: &NodeKey, state: &SessionState) -> Option<Warning> {
        let View::Unusable(why) = &state.view else { return None };
        let (what, file) = (state.session.described(), state.session.cache_file());
        let message = format!("other AWS tools can't use {what}: {} {why}", described(&file));
        Some(Warning { id: CACHE_UNUSABLE, message, fix: Some(self.how_to_sign_in(key)), file: Some(file) })
    }
}

/// The warning about a cache file that can't be replaced.
fn unwritable(state: &SessionState) -> Option<Warning> {
    let what = state.session.described();
    let (message, fix) = match (state.unwritable(), state.unsaved()) {
        _ if state.is_absent() => return None,
        (Some(problem), None) => {
            let message = format!("{what} is not refreshed, as its cache file can't be written: {}", problem.why);
            (message, problem.fix.clone())
        }
        (problem, Some(why)) => {
            let why = problem.map_or(why, |problem| &problem.why);
            let message = format!("the newest token of {what} can't be written into its cache file: {why}");
            (message, problem.and_then(|problem| problem.fix.clone()))
        }
        (None, None) => return None,
    };
    Some(Warning { id: CACHE_UNWRITABLE, message, fix, file: Some(state.session.cache_file()) })
}

fn will_end(session: &Session, at: AwsTime) -> String {
    format!("{} expires at about {at}: then you have to sign in again", session.described())
}

/// How long a session lasts that was alive after one time and over after another. Administrators set whole hours.
fn length_between(alive: TimeDelta, over: TimeDelta) -> TimeDelta {
    let whole = span_from_seconds(over.num_hours() * 3_600);
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
