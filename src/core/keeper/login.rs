//! What only a person can give: the code of an MFA device, once for everything behind it.

use chrono::TimeDelta;

use super::api::{Action, Answer, CallerId, Refusal, RefusalKind, Wants};
use super::callers::Waiting;
use super::node::{Forced, Node, unsupported};
use super::{Keeper, Route};
use crate::core::aws_error;
use crate::core::nearest::did_you_mean;
use crate::core::plan::{NodeKey, StsEndpoint};
use crate::core::secret::Secret;
use crate::core::time::Now;

/// Devices show another code every half minute.
const NEXT_CODE: TimeDelta = TimeDelta::seconds(15);

impl Keeper {
    /// What a person must type for a profile.
    ///
    /// # Errors
    /// Nothing can be typed for it, and why.
    pub fn device(&self, profile: &str) -> Result<&str, Refusal> {
        let refuse = |kind, message, fix| Err(Refusal { kind, message, fix: Some(fix) });
        match self.profiles.get(profile) {
            Some(Ok(route)) => match route.plan.steps.iter().find_map(|step| step.source.device()) {
                Some(device) => Ok(device),
                None if route.plan.steps.iter().any(|step| unsupported(&step.source).is_some()) => {
                    let message = format!("this version of evercred can't sign in for profile \"{profile}\" yet");
                    refuse(RefusalKind::Failed, message, "use the AWS CLI for this profile".to_owned())
                }
                None => refuse(
                    RefusalKind::Failed,
                    format!("profile \"{profile}\" needs no code of an MFA device"),
                    format!("evercred plan {profile}"),
                ),
            },
            Some(Err(error)) => refuse(RefusalKind::Failed, error.message.clone(), format!("evercred plan {profile}")),
            None => {
                let hint = did_you_mean(profile, self.profiles.keys().map(String::as_str));
                let message = format!("profile \"{profile}\" is in no AWS file{hint}");
                refuse(RefusalKind::MissingProfile, message, "evercred profiles".to_owned())
            }
        }
    }

    /// Takes in a code. A code is good once: what was sent before is not sent again.
    pub(super) fn code_typed(&mut self, caller: CallerId, profile: String, code: Secret, now: Now) {
        let device = match self.device(&profile) {
            Ok(device) => device.to_owned(),
            Err(refusal) => {
                self.actions.push_back(Action::Answer { caller, answer: Answer::Refused(refusal) });
                return;
            }
        };
        let Some(Ok(route)) = self.profiles.get(&profile) else { return };
        let at = route.plan.steps.iter().position(|step| step.source.device().is_some());
        let Some(key) = at.and_then(|at| route.keys.get(at)).cloned() else { return };
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let waiting = Waiting {
            profile: profile.clone(),
            wants: Wants::Renewal,
            target: Some(key),
            again: false,
            asked_at: now.boot,
            mints: node.mints,
            ended: route.keys.iter().filter_map(|key| Some(self.nodes.get(key)?.ended)).sum(),
        };
        let Some(node) = waiting.target.as_ref().and_then(|key| self.nodes.get_mut(key)) else { return };
        // A code that is on its way is waited for with whoever typed it.
        if node.flight.is_none() {
            if self.used_codes.get(&device) == Some(&code) {
                let message = format!("the code of the MFA device {device} was used already");
                let fix = Some("type the code that the device shows next: each is good once".to_owned());
                let refusal = Refusal { kind: RefusalKind::NeedsLogin, message, fix };
                self.actions.push_back(Action::Answer { caller, answer: Answer::Refused(refusal) });
                return;
            }
            self.used_codes.insert(device, code.clone());
            node.code = Some(code);
            if node.held.is_some() {
                node.forced = Some(Forced::Asked);
            }
            node.failures.streaks().for_each(|streak| streak.forced(now.boot));
        }
        self.note_use(&profile, now);
        self.waiting.insert(caller, waiting);
    }

    /// Takes in the code that a program printed. Where it is still the last one, the next is waited for.
    pub(super) fn code_printed(&mut self, key: &NodeKey, endpoint: &StsEndpoint, code: Secret, now: Now) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        let Some(device) = node.step.source.device().map(str::to_owned) else { return };
        if self.used_codes.get(&device) == Some(&code) {
            let what = format!("the code of the MFA device {device}");
            let mut fault = aws_error::fault(&what, None, Some("CodeUsed"), None);
            fault.retry_after = Some(NEXT_CODE);
            node.ended += 1;
            return self.blame(key, endpoint, fault, now);
        }
        node.code = Some(code.clone());
        self.used_codes.insert(device, code);
    }

    /// Forgets the sessions that a person typed a code for, and what stands on them.
    pub(super) fn logged_out(&mut self, profile: &str) {
        let Some(Ok(route)) = self.profiles.get(profile) else { return };
        let Some(at) = route.plan.steps.iter().position(|step| step.source.device().is_some()) else { return };
        let mut forgotten: Vec<NodeKey> = route.keys[at..].to_vec();
        let mut next = 0;
        while let Some(parent) = forgotten.get(next).cloned() {
            next += 1;
            let children = self
                .nodes
                .iter()
                .filter(|(key, node)| node.parent.as_ref() == Some(&parent) && !forgotten.contains(key));
            let children: Vec<NodeKey> = children.map(|(key, _)| key.clone()).collect();
            forgotten.extend(children);
        }
        for key in forgotten {
            if let Some(node) = self.nodes.get_mut(&key) {
                (node.held, node.code, node.forced) = (None, None, None);
            }
        }
        self.actions.push_back(Action::KeepMinted);
    }

    /// The credential behind a profile that can't be got before somebody types a code, and the device.
    pub(super) fn lacks_code(&self, route: &Route, now: Now) -> Option<&str> {
        let nodes: Vec<&Node> = route.keys.iter().filter_map(|key| self.nodes.get(key)).collect();
        nodes.last()?.due(&self.clock, now)?;
        for at in (0..nodes.len()).rev() {
            if nodes[at].flight.is_some() {
                return None;
            }
            if nodes[at].lacks_code() {
                return nodes[at].step.source.device();
            }
            if at == 0 || nodes[at - 1].can_sign(&self.clock, now) {
                return None;
            }
        }
        None
    }
}
