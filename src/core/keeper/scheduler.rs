//! One pass over everything: which calls are due and possible, and who is answered.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::api::{Action, CodeOrder, LogLevel, MintOrder};
use super::chain::{ChainState, Descent, Met, Urgency};
use super::node::Node;
use super::timers::{Due, Timer};
use super::{Flight, Keeper, Minting, Work};
use crate::core::plan::{Link, NodeKey, Source};
use crate::core::time::Now;

impl Keeper {
    /// One pass: decides everything anew. Called after each event, so that no event can forget a case. The order matters:
    /// 1. Credentials of an earlier run come first, as they may make a call unnecessary.
    /// 2. Calls: those for callers before those ahead of requests, as both share the rate limits. Sessions come after the chains that
    ///    need them, and sign-ins last.
    /// 3. AWS time: calls in doubt have requested their probe by now, and a routine probe would be a second one.
    /// 4. Answers: only now is it known which calls are in flight for a caller, and which callers wait in vain.
    /// 5. Expired credentials leave memory after the answers, which may still say why they were not renewed.
    /// 6. Notices: they are about what no call of this pass will change.
    pub(super) fn reconcile(&mut self, now: Now) {
        self.timers.clear();
        self.adopt_restored(now);
        self.advance_chains(now);
        self.tend_sign_ins(now);
        self.watch_time(now);
        self.answer_callers(now);
        self.forget_expired(now);
        self.update_notices(now);
    }

    /// Makes the calls that are due, of profiles and of sessions.
    fn advance_chains(&mut self, now: Now) {
        let asked_now = self.asked_now.take();
        let network_wait = self.time.network_wait(now);
        let mut descents = Descents::default();
        for profile in self.wanted(now) {
            let asked = asked_now.as_ref() == Some(&profile) || self.is_waited_for(&profile);
            if network_wait.is_some() && !asked {
                continue;
            }
            let setting = self.profiles.get(&profile).and_then(|route| route.as_ref().ok()?.plan.renew);
            let urgency = if asked { Urgency::Requested } else { Urgency::ahead(setting) };
            self.advance(&profile, None, urgency, &mut descents, now);
        }
        let targets: Vec<(String, NodeKey)> = self
            .waiting
            .values()
            .filter_map(|waiting| Some((waiting.profile.clone(), waiting.target.clone()?)))
            .collect();
        for (profile, target) in targets {
            self.advance(&profile, Some(&target), Urgency::Requested, &mut descents, now);
        }
        self.stamp_anew(now);
        self.drive_sessions(network_wait.is_some(), now);
        if let Some(until) = network_wait {
            self.timers.set(Timer::NetworkSettled, until);
        }
    }

    /// Makes the next call of one profile's chain, up to a target or to its end.
    fn advance(
        &mut self,
        profile: &str,
        target: Option<&NodeKey>,
        urgency: Urgency,
        descents: &mut Descents,
        now: Now,
    ) {
        let due = self.next_call(profile, target, urgency, descents, now);
        if let Some((link, reason)) = self.timers.now_or_wait(due) {
            self.order(profile, &link, reason, now);
        }
    }

    /// The profiles that are auto-renewed or that callers wait for; the latter come first.
    fn wanted(&self, now: Now) -> Vec<String> {
        let waited_for: BTreeSet<&String> = self.waiting.values().map(|waiting| &waiting.profile).collect();
        let mut names: Vec<(bool, &String)> = self
            .profiles
            .iter()
            .filter_map(|(name, route)| Some((name, route.as_ref().ok()?)))
            // Keys in a file are listed, and never renewed.
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

    /// The next call of a profile's chain, if its last credentials are due. `descents`: the earlier descents of this pass.
    fn next_call(
        &self,
        profile: &str,
        target: Option<&NodeKey>,
        urgency: Urgency,
        descents: &mut Descents,
        now: Now,
    ) -> Due<(Arc<Link>, &'static str)> {
        let clock = self.time.clock();
        let Some(Ok(route)) = self.profiles.get(profile) else { return Due::OnEvent };
        let steps = &route.plan.steps;
        let end = target.and_then(|target| steps.backwards().find(|link| link.key() == target));
        let Some(end) = end.or(steps.last_link()) else { return Due::OnEvent };
        let Some(last) = self.nodes.get(end.key()) else { return Due::OnEvent };
        let due_at = || last.held.as_ref().and_then(|held| held.due_at(clock, now));
        let Some(reason) = last.due(clock, now) else { return Due::at(Timer::Renewal, due_at()) };
        if self.expired_keys(route, now).is_some() {
            // AWS accepts nothing that they sign. New keys come with the next reading of the file.
            return Due::OnEvent;
        }
        let descent = self.chains().descend(route, end, urgency, |link| descents.met(link, urgency), now);
        let reason = if descent.visited.len() > 1 { "another profile depends on it" } else { reason };
        let met = match descent.state {
            ChainState::Ready(link) => {
                descents.note(&descent, urgency, Met::Event);
                return Due::Now((Arc::clone(link), reason));
            }
            ChainState::Paced(at) => Met::Paced(at),
            ChainState::BackingOff(_, failure) => Met::BackingOff(failure.streak.next_try()),
            ChainState::Met(met) => met,
            ChainState::InFlight | ChainState::NeedsInput | ChainState::NeedsPlan | ChainState::NeedsRequest(..) => {
                Met::Event
            }
        };
        let fallback = match met {
            Met::BackingOff(_) => descent.fallback(clock, now),
            Met::Event | Met::Paced(_) => None,
        };
        if fallback.is_none() {
            descents.note(&descent, urgency, met);
        }
        match met {
            Met::Event => Due::OnEvent,
            Met::Paced(at) => Due::Later(Timer::Pace, at),
            Met::BackingOff(next_try) => {
                // If they are due only because something changed, the cached credentials may be valid for long.
                let is_needed = last.held.as_ref().is_none_or(|held| held.due(clock, now).is_some());
                match fallback {
                    Some(link) if is_needed => Due::Now((Arc::clone(link), reason)),
                    _ if is_needed => Due::at(Timer::Retry, next_try),
                    _ => Due::at(Timer::Retry, next_try).or_earlier(Due::at(Timer::Renewal, due_at())),
                }
            }
        }
    }

    /// Whether a call could be made now for a caller.
    pub(super) fn has_next_call(&self, profile: &str, target: Option<&NodeKey>, now: Now) -> bool {
        let next = self.next_call(profile, target, Urgency::Requested, &mut Descents::default(), now);
        matches!(next, Due::Now(_))
    }

    /// Orders the call of one step, with the endpoint and the parameters of this profile's plan.
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
        let message =
            format!("evercred requests the {what} of profile \"{}\": {reason} (attempt {attempt})", step.profile);
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
}

/// What each descent of a pass met, so that profiles of one long chain don't each descend to its base.
#[derive(Default)]
struct Descents(HashMap<(*const Link, Urgency), Met>);

impl Descents {
    fn met(&self, link: &Arc<Link>, urgency: Urgency) -> Option<Met> {
        self.0.get(&(Arc::as_ptr(link), urgency)).copied()
    }

    fn note(&mut self, descent: &Descent<'_>, urgency: Urgency, met: Met) {
        self.0.extend(descent.visited.iter().map(|(link, _)| ((Arc::as_ptr(link), urgency), met)));
    }
}
