//! What has to be done now: looks at everything that is wanted, and orders what is due and possible.

use chrono::TimeDelta;

use super::api::{Action, LogLevel, MintOrder, ProbeOrder, Ticket};
use super::node::unsupported;
use super::{Flight, Keeper};
use crate::core::clock::Expiry;
use crate::core::plan::{NodeKey, Source, StsEndpoint};
use crate::core::time::{BootTime, Now};

/// Looks at AWS's time: when the estimate is in doubt, one is made before anything is signed.
#[derive(Default)]
pub(super) struct TimeCheck {
    in_flight: Option<Ticket>,
    /// The present doubt was looked into; whatever came of it, work goes on.
    done: bool,
    /// An answer contradicted the estimate, and a second one is needed, at once, from there.
    confirm: Option<StsEndpoint>,
    confirmations: u32,
    /// A doubt came up while a look was under way: what that look sees may be from before.
    doubted_meanwhile: bool,
}

impl TimeCheck {
    /// A new doubt.
    pub(super) fn again(&mut self) {
        self.done = false;
        self.doubted_meanwhile = self.in_flight.is_some();
    }

    /// An answer contradicted the estimate. A server that never agrees with itself is not asked for ever.
    pub(super) fn confirm_at(&mut self, endpoint: Option<StsEndpoint>) {
        if self.confirmations < 3 {
            self.confirmations += 1;
            self.confirm = endpoint;
            self.done = false;
        }
    }

    /// An answer was believed.
    pub(super) fn agreed(&mut self) {
        self.confirmations = 0;
        self.confirm = None;
    }

    /// A look has ended, whatever came of it.
    pub(super) fn ended(&mut self) {
        self.in_flight = None;
        self.done = self.confirm.is_none() && !std::mem::take(&mut self.doubted_meanwhile);
    }
}

impl Keeper {
    /// Re-evaluates everything. Cheap enough to be done after every event, which leaves no case forgotten.
    pub(super) fn pump(&mut self, now: Now) {
        self.wake = None;
        self.adopt_restored(now);
        let asked_now = self.asked_now.take();
        for (profile, keys) in self.wanted(now) {
            let asked = asked_now.as_ref() == Some(&profile) || self.is_waited_for(&profile);
            self.drive(&profile, &keys, asked, now);
        }
        if let Some(endpoint) = self.time_check.confirm.take()
            && self.time_check.in_flight.is_none()
        {
            self.probe(endpoint);
        }
        self.answer_callers(now);
        self.forget_expired(now);
    }

    /// The profiles that are kept or waited for, and can be minted.
    fn wanted(&self, now: Now) -> Vec<(String, Vec<NodeKey>)> {
        self.profiles
            .iter()
            .filter_map(|(name, route)| Some((name, route.as_ref().ok()?)))
            // Keys that stand in a file are listed, never minted.
            .filter(|(_, route)| route.only_keys().is_none())
            .filter(|(_, route)| route.plan.steps.iter().all(|step| unsupported(&step.source).is_none()))
            .filter(|(name, _)| self.is_kept(name, now) || self.is_waited_for(name))
            .map(|(name, route)| (name.clone(), route.keys.clone()))
            .collect()
    }

    fn is_waited_for(&self, profile: &str) -> bool {
        self.waiting.values().any(|waiting| waiting.profile == profile)
    }

    /// Brings one profile's chain a step further, if its last credential is due. `asked`: somebody wants it now.
    fn drive(&mut self, profile: &str, keys: &[NodeKey], asked: bool, now: Now) {
        let Some(last) = keys.last().and_then(|key| self.nodes.get(key)) else { return };
        let Some(mut reason) = last.due(&self.clock, now) else {
            if let Some(end) = last.held.as_ref().and_then(|held| held.end) {
                let rest = self.clock.until_possibly(end.renew_at, now);
                self.wake_at(now.boot + rest.max(TimeDelta::milliseconds(1)));
            }
            return;
        };
        // Down to the first credential whose parent can sign: parents before children.
        let mut at = keys.len() - 1;
        loop {
            let Some(node) = self.nodes.get(&keys[at]) else { return };
            if node.flight.is_some() || !(asked || node.runs_ahead()) {
                return;
            }
            if let Some(streak) = node.streak.as_ref().filter(|streak| !streak.allows(now.boot)) {
                if let Some(next_try) = streak.next_try() {
                    self.wake_at(next_try);
                }
                return;
            }
            let parent = at.checked_sub(1).and_then(|at| self.nodes.get(&keys[at]));
            if parent.is_none_or(|parent| parent.can_sign(&self.clock, now)) {
                break;
            }
            reason = "a credential behind it needs it";
            at -= 1;
        }
        self.order(profile, &keys[at], reason, now);
    }

    fn order(&mut self, profile: &str, key: &NodeKey, reason: &'static str, now: Now) {
        let Some(endpoint) = self.nodes.get(key).and_then(|node| node.endpoint.clone()) else { return };
        let in_doubt = self.clock.is_suspect() || !self.clock.is_known();
        if self.settings.probe && in_doubt && !self.time_check.done {
            if self.time_check.in_flight.is_none() {
                self.log(LogLevel::Debug, Some(profile), "AWS's time is in doubt: looked at before signing".to_owned());
                self.probe(endpoint);
            }
            return;
        }
        let Some(node) = self.nodes.get(key) else { return };
        if node.step.source.calls_sts()
            && let Err(free_at) = self.limits.take(&endpoint, now.boot)
        {
            self.wake_at(free_at);
            return;
        }
        let ticket = self.ticket();
        let Some(node) = self.nodes.get(key) else { return };
        let base = node.parent.as_ref().and_then(|parent| self.nodes.get(parent)).and_then(|parent| parent.signer());
        let step = node.step.clone();
        let what = if matches!(step.source, Source::Static(_)) { "identity of the key" } else { "credentials" };
        let message =
            format!("{what} of profile \"{}\" asked for: {reason} (attempt {})", step.profile, node.ended + 1);
        self.log(LogLevel::Debug, Some(profile), message);
        self.actions.push_back(Action::Mint(Box::new(MintOrder {
            ticket,
            step,
            endpoint: Some(endpoint),
            base,
            mfa_code: None,
            aws_minus_boot: self.clock.aws_minus_boot(now),
        })));
        self.flights.insert(ticket, Flight::Mint { key: key.clone(), started: now.boot, reason });
        if let Some(node) = self.nodes.get_mut(key) {
            node.flight = Some(ticket);
        }
    }

    fn probe(&mut self, endpoint: StsEndpoint) {
        let ticket = self.ticket();
        self.time_check.in_flight = Some(ticket);
        self.flights.insert(ticket, Flight::Probe);
        self.actions.push_back(Action::Probe(ProbeOrder { ticket, endpoint }));
    }

    /// Sets of an earlier run count once AWS's time is known: an expired one must not be handed out.
    fn adopt_restored(&mut self, now: Now) {
        if self.restored.is_empty() || self.nodes.is_empty() || !self.clock.is_known() || self.clock.is_suspect() {
            return;
        }
        for set in std::mem::take(&mut self.restored) {
            let held = self.hold(set.credentials, set.minted_at);
            let Some(node) = self.nodes.get_mut(&set.key) else { continue };
            if node.held.is_none() && held.judge(&self.clock, now) != Expiry::Expired {
                node.held = Some(held);
                node.mints += 1;
            }
        }
    }

    /// What has expired is of no use to anybody, and a secret less to hold.
    fn forget_expired(&mut self, now: Now) {
        let (mut forgotten, mut next) = (false, None);
        for node in self.nodes.values_mut().filter(|node| node.flight.is_none()) {
            let Some(held) = &node.held else { continue };
            let Some(end) = held.end else { continue };
            if held.judge(&self.clock, now) == Expiry::Expired {
                node.held = None;
                forgotten = true;
            } else {
                let certainly = self.clock.until(end.expires_at, now) + self.clock.wall_error(now).1;
                let at = now.boot + certainly.max(TimeDelta::zero()) + TimeDelta::seconds(1);
                next = Some(next.map_or(at, |earlier: BootTime| earlier.min(at)));
            }
        }
        if let Some(at) = next {
            self.wake_at(at);
        }
        if forgotten {
            self.actions.push_back(Action::KeepMinted);
        }
    }

    /// The next moment at which the rest of a wait matters.
    pub(super) fn wake_for_deadline(&mut self, deadline: BootTime) {
        self.wake_at(deadline);
    }
}
