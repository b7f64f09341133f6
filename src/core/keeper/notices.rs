//! The conditions of credentials that raise notices: a sign-in or an MFA code is needed, or credentials will be lost.
//!
//! [`NoticeLedger`](super::notice_ledger::NoticeLedger) remembers what was raised.

use chrono::TimeDelta;

use super::api::Action;
use super::chain::{ChainState, Urgency};
use super::failures::Failure;
use super::held::Held;
use super::node::{Lack, Node, static_expired};
use super::notice_ledger::Condition;
use super::session_ends::TOLD_BEFORE;
use super::status::expired_keys_message;
use super::timers::Timer;
use super::{Keeper, Route};
use crate::core::aws_error::ErrorClass;
use crate::core::fix::evercred;
use crate::core::plan::{Link, NodeKey, Source};
use crate::core::time::{AwsTime, BootTime, Now};

/// A temporary failure raises a notice when so much is left, or less.
const LAST_MINUTES: TimeDelta = TimeDelta::minutes(5);
/// The `Date` of an answer is recorded slightly before its call has ended.
const A_MOMENT: TimeDelta = TimeDelta::seconds(1);

/// Credentials that will certainly be lost, and why.
struct Loss {
    /// The credential that can't be renewed.
    cause: NodeKey,
    message: String,
    fix: Option<String>,
}

/// The failure that the renewal of a chain waits behind.
struct Obstacle<'a> {
    link: &'a Link,
    failure: &'a Failure,
    /// `None`: there is no automatic retry.
    next_try: Option<BootTime>,
}

/// Whether the credentials of one profile will be renewed in time.
enum Renewal {
    /// A renewal may still succeed, or another notice is about it.
    Open,
    /// The same, until then.
    OpenUntil(BootTime),
    /// Not if there is a network: nothing was heard since then.
    Doubtful { since: BootTime },
    /// No.
    Lost(Loss),
}

impl Keeper {
    /// Clears the notices whose condition is over, and raises those of new conditions.
    pub(super) fn update_notices(&mut self, now: Now) {
        // A new notice may have the subject of an old one: the old one is cleared first.
        self.clear_resolved(now);
        self.raise_login_needed(now);
        self.raise_mfa_required(now);
        self.raise_credentials_lost(now);
    }

    /// Raises the notice about a condition of a credential, unless it is raised.
    pub(super) fn raise(
        &mut self,
        condition: Condition,
        key: &NodeKey,
        subject: String,
        message: String,
        fix: Option<String>,
    ) {
        let notice = self.notices.raise(condition, key, subject, message, fix);
        self.actions.extend(notice.map(Action::Notice));
    }

    /// Raises one notice for all profiles in use that need a code of the same device.
    fn raise_mfa_required(&mut self, now: Now) {
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
            let why = ends_at.map_or_else(String::new, |at| format!(": the current MFA session expires at {at}"));
            let message = format!("{whose} a code of the MFA device {device}{why}");
            let (subject, fix) = (device.to_owned(), Some(evercred("login", first)));
            self.raise(Condition::MfaRequired, &key, subject, message, fix);
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

    /// Raises one notice for each cause for which credentials in use will be lost.
    fn raise_credentials_lost(&mut self, now: Now) {
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
                Renewal::Lost(Loss { cause, .. }) if self.notices.is_raised(Condition::CredentialsLost, &cause) => {}
                Renewal::Lost(Loss { cause, message, fix }) => {
                    let Some(node) = self.nodes.get(&cause) else { continue };
                    let subject = node.step.profile.clone();
                    let message = match self.auto_renewed_dependents(&cause, now).count() {
                        0 | 1 => message,
                        count => format!("{message} ({count} profiles in use depend on it)"),
                    };
                    self.raise(Condition::CredentialsLost, &cause, subject, message, fix);
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
        let raised = self.notices.raised();
        let gone =
            raised.filter(|(condition, key, _)| *condition == Condition::MfaRequired && !self.nodes.contains_key(key));
        let gone: Vec<(NodeKey, String)> = gone.map(|(_, key, device)| (key.clone(), device.to_owned())).collect();
        for (old, device) in gone {
            let same = |(key, node): &(&NodeKey, &Node)| {
                node.step.source.device() == Some(device.as_str()) && self.still_holds(Condition::MfaRequired, key, now)
            };
            let Some(new) = self.nodes.iter().find(same).map(|(key, _)| key.clone()) else { continue };
            self.notices.carry_over(Condition::MfaRequired, &old, new);
        }
    }

    /// Clears the notices whose condition is over, so that users stop acting on them.
    fn clear_resolved(&mut self, now: Now) {
        self.carry_over_codes(now);
        let resolved = self.notices.raised().filter(|(condition, key, _)| !self.still_holds(*condition, key, now));
        let resolved: Vec<(Condition, NodeKey)> =
            resolved.map(|(condition, key, _)| (condition, key.clone())).collect();
        for (condition, key) in resolved {
            let notice = self.notices.clear(condition, &key);
            self.actions.extend(notice.map(Action::Notice));
        }
    }

    /// Whether the condition of a raised notice still holds.
    fn still_holds(&self, condition: Condition, key: &NodeKey, now: Now) -> bool {
        let Some(node) = self.nodes.get(key) else { return false };
        let is_in_use = || self.has_auto_renewed_dependents(key, now);
        match condition {
            Condition::LoginNeeded => node.lacks(self.time.clock(), now) == Some(Lack::SignIn),
            Condition::SessionEnds => self.ends_soon(key, now),
            // AWS may refuse a code in flight.
            Condition::MfaRequired => {
                node.code_program.is_none() && self.wait_for_need_of_code(key, now).is_none() && is_in_use()
            }
            Condition::CredentialsLost => (!node.failures.is_empty() || is_expired_key(node, self, now)) && is_in_use(),
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
    format!("the credentials of profile \"{profile}\" expire at {ends_at} and can't be renewed: {why}")
}
