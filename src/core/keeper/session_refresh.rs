//! When the keeper refreshes the token of a sign-in session, and whether the cache file can take the new token.

use chrono::TimeDelta;

use super::api::{Action, LogLevel};
use super::session_api::RefreshOrder;
use super::session_state::{SessionState, Unwritable};
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
        self.wake_at(now.boot + LOOK_AGAIN);
        if before.as_ref() != Some(&problem) {
            let message = format!("{what} is not refreshed, as its cache file can't be written: {}", problem.why);
            self.log(LogLevel::Warn, None, message);
        }
    }
}
