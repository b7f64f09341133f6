//! What has to be done now: looks at everything that is wanted, and orders what is due and possible.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;

use super::api::{Action, CodeOrder, LogLevel, MintOrder, MintedSet};
use super::node::Node;
use super::plans::session_of;
use super::timers::{Due, Timer};
use super::{Flight, Keeper, Minting, Work};
use crate::core::aws_error::ErrorClass;
use crate::core::clock::Expiry;
use crate::core::credential::Grant;
use crate::core::plan::{Link, NodeKey, RenewAs, Source};
use crate::core::time::{BootTime, Now};

impl Keeper {
    /// Re-evaluates everything. Cheap enough to be done after every event, which leaves no case forgotten.
    pub(super) fn pump(&mut self, now: Now) {
        self.timers.clear();
        self.adopt_restored(now);
        let asked_now = self.asked_now.take();
        let held_until = self.time.network_wait(now);
        let mut waits = Waits::default();
        for profile in self.wanted(now) {
            let asked = asked_now.as_ref() == Some(&profile) || self.is_waited_for(&profile);
            if held_until.is_some() && !asked {
                continue;
            }
            let said = self.profiles.get(&profile).and_then(|route| route.as_ref().ok()?.plan.renew);
            let demand = match said {
                _ if asked => Demand::Asked,
                Some(RenewAs::Auto) => Demand::AheadWithPrograms,
                _ => Demand::Ahead,
            };
            self.drive(&profile, None, demand, &mut waits, now);
        }
        let targets: Vec<(String, NodeKey)> = self
            .waiting
            .values()
            .filter_map(|waiting| Some((waiting.profile.clone(), waiting.target.clone()?)))
            .collect();
        for (profile, target) in targets {
            self.drive(&profile, Some(&target), Demand::Asked, &mut waits, now);
        }
        self.stamp_anew(now);
        self.drive_sessions(held_until.is_some(), now);
        if let Some(until) = held_until {
            self.timers.set(Timer::NetworkSettled, until);
        }
        self.tend_sign_ins(now);
        self.watch_time(now);
        self.answer_callers(now);
        self.forget_expired(now);
        self.tell_of_need(now);
    }

    /// Brings one profile's chain further, up to a target or to its end.
    fn drive(&mut self, profile: &str, target: Option<&NodeKey>, demand: Demand, waits: &mut Waits, now: Now) {
        let due = self.next_step(profile, target, demand, waits, now);
        if let Some((link, reason)) = self.timers.now_or_wait(due) {
            self.order(profile, &link, reason, now);
        }
    }

    /// The profiles that are kept or waited for, and can be minted; those that somebody waits for come first.
    fn wanted(&self, now: Now) -> Vec<String> {
        let waited_for: BTreeSet<&String> = self.waiting.values().map(|waiting| &waiting.profile).collect();
        let mut names: Vec<(bool, &String)> = self
            .profiles
            .iter()
            .filter_map(|(name, route)| Some((name, route.as_ref().ok()?)))
            // Keys that stand in a file are listed, never minted.
            .filter(|(_, route)| route.only_keys().is_none())
            .map(|(name, route)| (waited_for.contains(name), name, route))
            .filter(|(waited_for, name, _)| *waited_for || self.is_auto_renewed(name, now))
            .filter(|(_, _, route)| route.unsupported().is_none())
            .map(|(waited_for, name, _)| (waited_for, name))
            .collect();
        names.sort_by_key(|(waited_for, _)| !waited_for);
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn is_waited_for(&self, profile: &str) -> bool {
        self.waiting.values().any(|waiting| waiting.profile == profile)
    }

    /// The next action for a profile's chain, if its last credential is due. `waits`: the results for earlier chains.
    fn next_step(
        &self,
        profile: &str,
        target: Option<&NodeKey>,
        demand: Demand,
        waits: &mut Waits,
        now: Now,
    ) -> Due<(Arc<Link>, &'static str)> {
        let Some(Ok(route)) = self.profiles.get(profile) else { return Due::OnEvent };
        let steps = &route.plan.steps;
        let end = target.and_then(|target| steps.backwards().find(|link| link.key() == target));
        let Some(last_link) = end.or(steps.last_link()) else { return Due::OnEvent };
        let Some(last) = self.nodes.get(last_link.key()) else { return Due::OnEvent };
        let Some(mut reason) = last.due(self.time.clock(), now) else {
            let due_at = last.held.as_ref().and_then(|held| held.due_at(self.time.clock(), now));
            return Due::at(Timer::Renewal, due_at);
        };
        if self.expired_keys(route, now).is_some() {
            // Nothing that they sign is accepted; the file will change.
            return Due::OnEvent;
        }
        let is_free = |node: &Node| {
            node.flight.is_none()
                && (demand != Demand::Ahead || node.runs_ahead())
                && node.is_able(self.time.clock(), now)
        };
        let blocked_until = |link: &Link, node: &Node| {
            let failure = node.failures.at(route.endpoint(link)).filter(|failure| !failure.streak.allows(now.boot));
            failure.map(|failure| failure.streak.next_try())
        };
        // The visited steps, the last one first.
        let mut path: Vec<(&Arc<Link>, &Node)> = Vec::new();
        let mut at = last_link;
        // Down to the first credential whose parent can sign: parents before children.
        let wait = loop {
            let Some(node) = self.nodes.get(at.key()) else { break Wait::Event };
            path.push((at, node));
            if let Some(wait) = waits.get(at, demand) {
                break wait;
            }
            if !is_free(node) {
                break Wait::Event;
            }
            if let Some(next_try) = blocked_until(at, node) {
                break Wait::Blocked(next_try);
            }
            let before = at.before().and_then(|before| Some((before, self.nodes.get(before.key())?)));
            match before {
                Some((_, parent)) if node.waits_for_plan(parent) => break Wait::Event,
                Some((before, parent)) if !parent.can_sign(self.time.clock(), now) => at = before,
                _ => {
                    let next = node.pace.next(demand == Demand::Asked).filter(|next| *next > now.boot);
                    waits.note(&path, demand, next.map_or(Wait::Event, Wait::Until));
                    return next.map_or_else(|| Due::Now((Arc::clone(at), reason)), |at| Due::Later(Timer::Pace, at));
                }
            }
            reason = "a credential behind it needs it";
        };
        if let Wait::Blocked(next_try) = wait {
            // If it is due only because something changed, the cached credentials may be valid for long.
            let is_needed = last.held.as_ref().is_none_or(|held| held.due(self.time.clock(), now).is_some());
            // A parent that can't be renewed signs with its cached credentials.
            let child = path.windows(2).find_map(|pair| match pair {
                [(link, child), (_, parent)] => {
                    let is_good = parent.can_still_sign(self.time.clock(), now);
                    (is_good && is_free(child) && blocked_until(link, child).is_none()).then_some(*link)
                }
                _ => None,
            });
            if let Some(child) = child.filter(|_| is_needed) {
                return Due::Now((Arc::clone(child), reason));
            }
            if child.is_none() {
                waits.note(&path, demand, wait);
            }
            let needed_at =
                last.held.as_ref().filter(|_| !is_needed).and_then(|held| held.due_at(self.time.clock(), now));
            return Due::at(Timer::Retry, next_try).or_earlier(Due::at(Timer::Renewal, needed_at));
        }
        waits.note(&path, demand, wait);
        match wait {
            Wait::Until(at) => Due::Later(Timer::Pace, at),
            Wait::Event | Wait::Blocked(_) => Due::OnEvent,
        }
    }

    /// Whether a call could be made now for somebody who asks.
    pub(super) fn has_next_step(&self, profile: &str, target: Option<&NodeKey>, now: Now) -> bool {
        let next = self.next_step(profile, target, Demand::Asked, &mut Waits::default(), now);
        matches!(next, Due::Now(_))
    }

    /// Orders the call of one step of a profile, as that profile's plan says it.
    fn order(&mut self, profile: &str, link: &Link, reason: &'static str, now: Now) {
        let Some(Ok(route)) = self.profiles.get(profile) else { return };
        let (step, key) = (link.step(), link.key().clone());
        let endpoint = route.endpoint(link).clone();
        let step = step.as_ref().clone();
        if step.source.session().is_some() {
            return self.refresh(&key, reason, now);
        }
        if !self.may_call(step.source.service(), &endpoint, now) {
            return;
        }
        let ticket = self.ticket();
        let Some(node) = self.nodes.get_mut(&key) else { return };
        node.flight = Some(ticket);
        if node.step.source.device().is_some()
            && node.code.is_none()
            && let Some(command) = node.code_program.clone()
        {
            let profile = step.profile.clone();
            self.actions.push_back(Action::RunCodeProgram(CodeOrder { ticket, profile, command }));
            let mint = Minting { key, started: now.boot, reason, parent_mints: 0 };
            self.flights.insert(ticket, Flight { endpoint, work: Work::Mint(mint) });
            return;
        }
        let (attempt, parent, mfa_code) = (node.ended + 1, node.parent.clone(), node.code.take());
        if let (Some(device), Some(code)) = (node.step.source.device(), &mfa_code) {
            self.used_codes.insert(device.to_owned(), code.clone());
        }
        let parent = parent.and_then(|parent| self.nodes.get(&parent));
        let (base, parent_mints) = (parent.and_then(Node::signer), parent.map_or(0, |parent| parent.mints));
        let token = parent.and_then(|parent| parent.held.as_ref()?.token().cloned());
        let what = if matches!(step.source, Source::Static(_)) { "identity of the key" } else { "credentials" };
        let message = format!("{what} of profile \"{}\" asked for: {reason} (attempt {attempt})", step.profile);
        self.log(LogLevel::Debug, Some(profile), message);
        self.actions.push_back(Action::Mint(Box::new(MintOrder {
            ticket,
            step,
            endpoint: endpoint.clone(),
            base,
            mfa_code,
            token,
            aws_minus_boot: self.time.clock().aws_minus_boot(now),
        })));
        let mint = Minting { key, started: now.boot, reason, parent_mints };
        self.flights.insert(ticket, Flight { endpoint, work: Work::Mint(mint) });
    }

    /// Sets of an earlier run count once AWS's time is known, and those of another boot once it was looked at: an expired one
    /// must not be handed out. What no profile needs now is kept until it has expired, as a file may be half-written.
    fn adopt_restored(&mut self, now: Now) {
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
                // Whether anybody is still signed in is not known yet.
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

    /// What has expired is of no use to anybody, and a secret less to hold.
    fn forget_expired(&mut self, now: Now) {
        let (mut forgotten, mut missed) = (false, Vec::new());
        for node in self.nodes.values_mut().filter(|node| node.flight.is_none()) {
            let Some(held) = &node.held else { continue };
            let Some(end) = held.end else { continue };
            if held.judge(self.time.clock(), now) == Expiry::Expired {
                node.held = None;
                forgotten = true;
                // Others were told of as they came; what might pass has not passed in time.
                if let Some(failure) = node.failures.last()
                    && failure.error.class == ErrorClass::Retryable
                {
                    let profile = node.step.profile.clone();
                    let why = &failure.error.message;
                    let message =
                        format!("credentials of profile \"{profile}\" have expired before new ones came: {why}");
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

/// The reason to fetch a chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Demand {
    /// Ahead of time.
    Ahead,
    /// Ahead of time; also runs programs.
    AheadWithPrograms,
    /// For a caller.
    Asked,
}

/// The event or time that a step waits for, from a walk to the base of its chain.
#[derive(Clone, Copy)]
enum Wait {
    /// A step below it is running, was just started, or needs the user or new plans. An event will follow.
    Event,
    /// The pace of a step below it.
    Until(BootTime),
    /// A step below it has failed. The time is that of its retry; `None` if there is no automatic retry.
    Blocked(Option<BootTime>),
}

/// The [`Wait`] of each step, so that profiles of one long chain don't each walk to its base.
#[derive(Default)]
struct Waits(HashMap<(*const Link, Demand), Wait>);

impl Waits {
    fn get(&self, link: &Arc<Link>, demand: Demand) -> Option<Wait> {
        self.0.get(&(Arc::as_ptr(link), demand)).copied()
    }

    fn note(&mut self, path: &[(&Arc<Link>, &Node)], demand: Demand, wait: Wait) {
        self.0.extend(path.iter().map(|(link, _)| ((Arc::as_ptr(link), demand), wait)));
    }
}
