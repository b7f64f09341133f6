//! What a person is told of credentials: once for each cause, and once that it is over.
//!
//! A cause is a thing with one credential: a sign-in that is needed, a code, a refusal. However many profiles stand behind
//! it, it is told once, and again only when it was over and has come back.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::api::{Action, Notice};
use super::chain::{ChainState, Urgency};
use super::failures::Failure;
use super::held::Held;
use super::node::{Lack, Node, static_expired};
use super::session_ends::TOLD_BEFORE;
use super::status::expired_keys_message;
use super::timers::Timer;
use super::{Keeper, Route};
use crate::core::aws_error::ErrorClass;
use crate::core::cause::Cause;
use crate::core::fix::evercred;
use crate::core::plan::{Link, NodeKey, Source};
use crate::core::time::{AwsTime, BootTime, Now};

/// A person has to sign in, and profiles in use wait for it.
pub const SSO_LOGIN_NEEDED: &str = Cause::SsoLoginNeeded.name();
/// A person will have to sign in soon.
pub const SSO_SESSION_ENDS: &str = "sso-session-ends";
/// A person has to type a code, and profiles in use need it.
pub const MFA_REQUIRED: &str = Cause::MfaRequired.name();
/// What is held will expire, and renewing it does not work.
pub const CREDENTIALS_LOST: &str = "credentials-lost";

/// What may pass by itself is told when so much is left, or less.
const LAST_MINUTES: TimeDelta = TimeDelta::minutes(5);
/// An answer is heard a moment before its call has ended.
const A_MOMENT: TimeDelta = TimeDelta::seconds(1);

/// The causes that were told and are not over, and whose they are.
#[derive(Default)]
pub(super) struct Told(BTreeMap<(&'static str, NodeKey), String>);

/// What will certainly be lost, and why.
struct Loss {
    /// What stands in the way.
    cause: NodeKey,
    message: String,
    fix: Option<String>,
}

/// The failure that the renewal of a chain waits behind.
struct Obstacle<'a> {
    link: &'a Link,
    failure: &'a Failure,
    /// `None`: not by itself.
    next_try: Option<BootTime>,
}

/// How it stands with the renewal of one profile.
enum Renewal {
    /// It may yet go well, or what keeps it is told otherwise.
    Open,
    /// The same, until then.
    OpenUntil(BootTime),
    /// It won't, unless it is only the network: nothing was heard since then.
    Doubtful { since: BootTime },
    /// It won't.
    Lost(Loss),
}

impl Keeper {
    /// Tells of what a person is needed for, and of what is over.
    pub(super) fn tell_of_need(&mut self, now: Now) {
        // First what is over: what comes in its place may be told by the same name.
        self.tell_what_is_over(now);
        self.tell_of_sign_ins(now);
        self.tell_of_codes(now);
        self.tell_of_losses(now);
    }

    /// Tells of a cause, unless it was told and is not over.
    pub(super) fn tell_once(
        &mut self,
        id: &'static str,
        key: &NodeKey,
        subject: String,
        message: String,
        fix: Option<String>,
    ) {
        if self.told.0.insert((id, key.clone()), subject.clone()).is_none() {
            self.actions.push_back(Action::Notice(Notice { id, subject, worse: 0, is_over: false, message, fix }));
        }
    }

    fn is_told(&self, id: &'static str, key: &NodeKey) -> bool {
        self.told.0.contains_key(&(id, key.clone()))
    }

    /// Tells once for all profiles in use that a code is needed.
    fn tell_of_codes(&mut self, now: Now) {
        let keys: Vec<NodeKey> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.step.source.device().is_some())
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let Some(node) = self.nodes.get(&key) else { continue };
            let Some(Lack::Code(device)) = node.lacks(self.time.clock(), now).filter(|_| node.flight.is_none()) else {
                continue;
            };
            let ends_at = node.held.as_ref().and_then(|held| held.end).map(|end| end.expires_at);
            let kept: Vec<&String> = self.auto_renewed_dependents(&key, now).collect();
            let Some(first) = kept.first() else { continue };
            if let Some(wait) = self.wait_for_need_of_code(&key, now) {
                self.timers.set(Timer::MfaNotice, now.boot + wait);
                continue;
            }
            if !self.time.can_judge() || self.is_restored_later(&key) {
                continue;
            }
            let whose = whose(kept.len(), first);
            let why = ends_at.map_or_else(String::new, |at| format!(": the one before is good until {at}"));
            let message = format!("{whose} a code of the MFA device {device}{why}");
            let (subject, fix) = (device.to_owned(), Some(evercred("login", first)));
            self.tell_once(MFA_REQUIRED, &key, subject, message, fix);
        }
    }

    /// How long what a code was typed for is still good enough; `None` where a code is needed now.
    fn wait_for_need_of_code(&self, key: &NodeKey, now: Now) -> Option<TimeDelta> {
        let held = self.nodes.get(key)?.held.as_ref()?;
        // What nobody has said an end of does not end soon.
        let Some(end) = held.end else { return Some(TimeDelta::days(1)) };
        let near = TOLD_BEFORE.min((end.expires_at - held.minted_at) / 4);
        Some(self.time.clock().until(end.expires_at, now) - near).filter(|wait| *wait > TimeDelta::zero())
    }

    /// Whether the set of an earlier run still waits for AWS's time to be known.
    fn is_restored_later(&self, key: &NodeKey) -> bool {
        self.restored.iter().any(|restored| restored.set.key == *key)
    }

    /// Tells once of each cause for which something that is in use will be lost.
    fn tell_of_losses(&mut self, now: Now) {
        let all_is_well = |node: &Node| node.failures.is_empty() && !is_expired_key(node, self, now);
        if !self.time.can_judge() || self.nodes.values().all(all_is_well) {
            return;
        }
        let routes = self.profiles.iter().filter_map(|(name, route)| Some((name, route.as_ref().ok()?)));
        let renewals: Vec<Renewal> = routes
            .filter(|(name, route)| route.only_keys().is_none() && self.is_auto_renewed(name, now))
            .map(|(name, route)| self.renewal(name, route, now))
            .collect();
        for renewal in renewals {
            match renewal {
                Renewal::Open => {}
                Renewal::OpenUntil(at) => self.timers.set(Timer::LossNotice, at),
                Renewal::Doubtful { since } => self.probe_outage(since, now),
                // One notice, with the number of profiles that depend on it.
                Renewal::Lost(Loss { cause, .. }) if self.is_told(CREDENTIALS_LOST, &cause) => {}
                Renewal::Lost(Loss { cause, message, fix }) => {
                    let Some(node) = self.nodes.get(&cause) else { continue };
                    let subject = node.step.profile.clone();
                    let message = match self.auto_renewed_dependents(&cause, now).count() {
                        0 | 1 => message,
                        count => format!("{message} ({count} profiles in use depend on it)"),
                    };
                    self.tell_once(CREDENTIALS_LOST, &cause, subject, message, fix);
                }
            }
        }
    }

    /// Whether a profile will lose its credentials: no attempt comes before their expiry, for a reason that does not
    /// pass by itself; or for one that does, while AWS can be reached and the end is near.
    fn renewal(&self, profile: &str, route: &Route, now: Now) -> Renewal {
        let held = route.key().and_then(|key| self.nodes.get(key)?.held.as_deref());
        let is_due = |held: &&Held| held.due(self.time.clock(), now).is_some();
        let Some(ends_at) = held.filter(is_due).and_then(|held| held.end).map(|end| end.expires_at) else {
            return Renewal::Open;
        };
        let left = self.time.clock().until(ends_at, now);
        if left <= TimeDelta::zero() {
            return Renewal::Open;
        }
        let lost = |link: &Link, why: &str, fix: Option<String>| {
            let message = will_be_lost(profile, ends_at, why);
            Renewal::Lost(Loss { cause: link.key().clone(), message, fix })
        };
        if let Some((source, expired_at)) = self.expired_keys(route, now)
            && let Some(first) = route.plan.steps.first_link()
        {
            return lost(first, &expired_keys_message(source, expired_at), None);
        }
        let Some(Obstacle { link, failure, next_try }) = self.obstacle(route, now) else { return Renewal::Open };
        let may_pass = failure.error.class == ErrorClass::Retryable;
        if may_pass && left > LAST_MINUTES {
            return Renewal::OpenUntil(now.boot + left - LAST_MINUTES);
        }
        if next_try.is_some_and(|at| at - now.boot < left) {
            return Renewal::Open;
        }
        let is_heard = self.time.clock().heard_at().is_some_and(|heard_at| heard_at >= failure.came_at - A_MOMENT);
        if may_pass && !is_heard {
            return Renewal::Doubtful { since: failure.came_at };
        }
        lost(link, &failure.error.message, failure.error.fix.clone())
    }

    /// The failure that keeps a chain from being renewed ahead of requests, with its retry.
    fn obstacle<'a>(&'a self, route: &'a Route, now: Now) -> Option<Obstacle<'a>> {
        let urgency = Urgency::ahead(route.plan.renew);
        let descent = self.chains().descend(route, route.plan.steps.last_link()?, urgency, |_| None, now);
        let obstacle = match descent.state {
            // A program that has failed is run again for a caller, and not before.
            ChainState::NeedsRequest(link, Some(failure)) => Obstacle { link, failure, next_try: None },
            ChainState::BackingOff(link, failure) => Obstacle { link, failure, next_try: failure.streak.next_try() },
            // A call in flight may succeed. The notices about missing inputs are others.
            _ => return None,
        };
        descent.fallback(self.time.clock(), now).is_none().then_some(obstacle)
    }

    /// The notice about a code for a replaced key also covers the new key.
    fn carry_over_codes(&mut self, now: Now) {
        let gone: Vec<(NodeKey, String)> = self
            .told
            .0
            .iter()
            .filter(|((id, key), _)| *id == MFA_REQUIRED && !self.nodes.contains_key(key))
            .map(|((_, key), device)| (key.clone(), device.clone()))
            .collect();
        for (old, device) in gone {
            let same = |(key, node): &(&NodeKey, &Node)| {
                node.step.source.device() == Some(device.as_str()) && self.is_so(MFA_REQUIRED, key, now)
            };
            let Some(new) = self.nodes.iter().find(same).map(|(key, _)| key.clone()) else { continue };
            self.told.0.remove(&(MFA_REQUIRED, old));
            self.told.0.insert((MFA_REQUIRED, new), device);
        }
    }

    /// Tells of what was told and is over, so that nobody is asked for it any more.
    fn tell_what_is_over(&mut self, now: Now) {
        self.carry_over_codes(now);
        let over: Vec<(&'static str, NodeKey)> =
            self.told.0.keys().filter(|(id, key)| !self.is_so(id, key, now)).cloned().collect();
        for cause in over {
            let Some(subject) = self.told.0.remove(&cause) else { continue };
            let (id, _) = cause;
            if self.told.0.iter().any(|((other, _), of)| *other == id && *of == subject) {
                // Two credentials may have the same name: the user sees one problem.
                continue;
            }
            let message = match id {
                SSO_LOGIN_NEEDED => format!("you are signed in to {subject} again"),
                SSO_SESSION_ENDS => format!("the session {subject} has been extended"),
                MFA_REQUIRED => format!("the MFA session of {subject} is valid again"),
                _ => format!("evercred can renew profile \"{subject}\" again"),
            };
            let notice = Notice { id, subject, worse: 0, is_over: true, message, fix: None };
            self.actions.push_back(Action::Notice(notice));
        }
    }

    /// Whether the cause of a notice still exists.
    fn is_so(&self, id: &str, key: &NodeKey, now: Now) -> bool {
        let Some(node) = self.nodes.get(key) else { return false };
        let is_in_use = || self.has_auto_renewed_dependents(key, now);
        match id {
            SSO_LOGIN_NEEDED => node.lacks(self.time.clock(), now) == Some(Lack::SignIn),
            SSO_SESSION_ENDS => self.ends_soon(key, now),
            // A code on its way may be refused.
            MFA_REQUIRED => {
                node.code_program.is_none() && self.wait_for_need_of_code(key, now).is_none() && is_in_use()
            }
            _ => (!node.failures.is_empty() || is_expired_key(node, self, now)) && is_in_use(),
        }
    }
}

fn is_expired_key(node: &Node, keeper: &Keeper, now: Now) -> bool {
    matches!(&node.step.source, Source::Static(keys) if static_expired(keys, keeper.clock(), now).is_some())
}

fn whose(count: usize, first: &str) -> String {
    match count {
        1 => format!("profile \"{first}\" needs"),
        _ => format!("{count} profiles in use need"),
    }
}

fn will_be_lost(profile: &str, ends_at: AwsTime, why: &str) -> String {
    format!("the credentials of profile \"{profile}\" end at {ends_at} and can't be renewed: {why}")
}
