//! Cached credentials that come from an earlier run, and those that go: they have expired.

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, LogLevel, MintedSet};
use super::plans::session_of;
use super::timers::Timer;
use crate::core::aws_error::ErrorClass;
use crate::core::clock::Expiry;
use crate::core::credential::Grant;
use crate::core::time::Now;

impl Keeper {
    /// Credentials of an earlier run are used once AWS time is known; those of another boot, once their expiry was checked.
    /// Credentials that no profile needs now stay until they expire, as a file may be half-written.
    pub(super) fn adopt_restored(&mut self, now: Now) {
        if self.restored.is_empty() || !self.time.clock().is_known() {
            return;
        }
        for restored in std::mem::take(&mut self.restored) {
            if self.time.clock().is_suspect() && !restored.same_boot {
                self.restored.push(restored);
                continue;
            }
            let expires_at = restored.set.credentials.expires_at;
            if expires_at.is_some_and(|at| self.time.clock().judge(at, now) == Expiry::Expired) {
                continue;
            }
            let session = session_of(&restored.set.key, |key| self.nodes.get(key));
            match session.and_then(|key| self.nodes.get(&key)?.session.as_ref()) {
                // Whether the user is still signed in is not known yet.
                Some(state) if state.is_unread() => {
                    self.restored.push(restored);
                    continue;
                }
                Some(state) if state.is_absent() => continue,
                _ => {}
            }
            let MintedSet { key, credentials, minted_at } = match self.nodes.get(&restored.set.key) {
                None => {
                    self.restored.push(restored);
                    continue;
                }
                Some(node) if node.held.is_some() => continue,
                Some(_) => restored.set,
            };
            let expires_at = credentials.expires_at;
            let held = self.hold(Grant::Keys(credentials), expires_at, minted_at, None);
            if let Some(node) = self.nodes.get_mut(&key) {
                node.held = Some(held);
                node.mints += 1;
            }
        }
    }

    /// Removes expired credentials from memory.
    pub(super) fn forget_expired(&mut self, now: Now) {
        let (mut forgotten, mut missed) = (false, Vec::new());
        for node in self.nodes.values_mut().filter(|node| node.flight.is_none()) {
            let Some(held) = &node.held else { continue };
            let Some(end) = held.end else { continue };
            if held.judge(self.time.clock(), now) == Expiry::Expired {
                node.held = None;
                forgotten = true;
                // Permanent failures were logged when they occurred. This temporary one lasted until the expiry.
                if let Some(failure) = node.failures.last()
                    && failure.error.class == ErrorClass::Retryable
                {
                    let profile = node.step.profile.clone();
                    let why = &failure.error.message;
                    let message =
                        format!("credentials of profile \"{profile}\" expired before evercred could renew them: {why}");
                    missed.push((profile, message));
                }
            } else {
                let certainly = end.expires_at - self.time.clock().aws_now(now).earliest;
                let at = now.boot + certainly.max(TimeDelta::zero()) + TimeDelta::seconds(1);
                self.timers.set(Timer::Expiry, at);
            }
        }
        for (profile, message) in missed {
            self.log(LogLevel::Warn, Some(&profile), message);
        }
        if forgotten {
            self.actions.push_back(Action::KeepMinted);
        }
    }
}
