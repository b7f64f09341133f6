//! When the keeper refreshes the token of a sign-in session, and whether the cache file can take the new token.

use chrono::TimeDelta;

use super::api::{Action, LogLevel};
use super::session_api::RefreshOrder;
use super::session_state::{SessionState, Unwritable};
use super::timers::{Due, Timer};
use super::{Flight, Keeper, Minting, Work};
use crate::core::plan::{NodeKey, Source};
use crate::core::session::{CacheFile, CacheProblem};
use crate::core::time::Now;

/// The interval of the checks of a cache file that can't be replaced.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

impl Keeper {
    /// Refreshes what is due, for the AWS tools' sake also where no profile of ours is in use.
    pub(super) fn drive_sessions(&mut self, waits_for_network: bool, now: Now) {
        // Without a token there is nothing to refresh.
        let is_live =
            |state: &SessionState| state.token.is_some() || state.unsaved.is_some() || state.unwritable.is_some();
        let live = self.nodes.iter().filter(|(_, node)| node.session.as_ref().is_some_and(|state| is_live(state)));
        let keys: Vec<NodeKey> = live.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.drive_session(&key, waits_for_network, now);
            self.raise_session_ends(&key, now);
        }
    }

    fn drive_session(&mut self, key: &NodeKey, waits_for_network: bool, now: Now) {
        let Some(node) = self.nodes.get_mut(key).filter(|node| node.flight.is_none()) else { return };
        let Some(state) = &mut node.session else { return };
        let file = state.session.cache_file();
        if let Some(unwritable) = &mut state.unwritable {
            if unwritable.look_at <= now.boot {
                self.actions.push_back(Action::LookAtSession(file));
                unwritable.look_at = now.boot + LOOK_AGAIN;
            }
            self.timers.set(Timer::CacheFileCheck, unwritable.look_at);
        }
        if let Some((_, save_at)) = state.unsaved {
            if save_at <= now.boot {
                return self.refresh(key, "its newest token is not in the cache", now);
            }
            self.timers.set(Timer::TokenSave, save_at);
        }
        let due = self.next_refresh(key, waits_for_network, now);
        if let Some(reason) = self.timers.now_or_wait(due) {
            self.refresh(key, reason, now);
        }
    }

    /// When a session's token is refreshed ahead of its expiry, and the reason.
    fn next_refresh(&self, key: &NodeKey, waits_for_network: bool, now: Now) -> Due<&'static str> {
        let Some(node) = self.nodes.get(key).filter(|node| node.is_able(self.time.clock(), now)) else {
            return Due::OnEvent;
        };
        let wanted = match node.step.source {
            Source::Login(_) => self.settings.login_cache,
            _ => self.settings.sso_cache,
        };
        if !wanted || waits_for_network {
            return Due::OnEvent;
        }
        let Some(reason) = node.due(self.time.clock(), now) else {
            return Due::at(Timer::Renewal, node.held.as_ref().and_then(|held| held.due_at(self.time.clock(), now)));
        };
        match node.failures.last().map(|failure| &failure.streak) {
            Some(streak) if !streak.allows(now.boot) => Due::at(Timer::Retry, streak.next_try()),
            _ => match node.pace.next(false).filter(|next| *next > now.boot) {
                Some(next) => Due::Later(Timer::Pace, next),
                None => Due::Now(reason),
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
        let is_needed = !node.can_sign(self.time.clock(), now);
        // What was never in a file is written first; a file that lags behind keeps no token from being refreshed.
        let is_due = node.due(self.time.clock(), now).is_some() && node.can_refresh(self.time.clock(), now);
        let unsaved = state.unsaved.as_ref().filter(|_| state.is_only_here() || !is_due);
        let save = unsaved.is_some();
        let due = match (unsaved, node.failures.at(&endpoint).map(|failure| &failure.streak)) {
            (Some((_, save_at)), _) if *save_at > now.boot => Due::Later(Timer::TokenSave, *save_at),
            (None, Some(streak)) if !streak.allows(now.boot) => Due::at(Timer::Retry, streak.next_try()),
            _ => Due::Now(()),
        };
        if self.timers.now_or_wait(due).is_none() || !self.may_call(service, &endpoint, now) {
            return;
        }
        let ticket = self.ticket();
        if let Some(node) = self.nodes.get_mut(key) {
            node.flight = Some(ticket);
        }
        self.log(LogLevel::Debug, None, format!("{} is refreshed: {reason}", session.described()));
        let aws_minus_boot = self.time.clock().aws_minus_boot(now);
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

    pub(super) fn note_access(&mut self, key: &NodeKey, problem: Option<CacheProblem>, now: Now) {
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
        if before.as_ref() != Some(&problem) {
            let message = format!("{what} is not refreshed, as its cache file can't be written: {}", problem.why);
            self.log(LogLevel::Warn, None, message);
        }
    }
}
