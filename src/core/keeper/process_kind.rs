//! The output of a `credential_process`: a user's long-term key, or temporary credentials.
//!
//! The files don't say which. It decides which call sends an MFA code, as GetSessionToken accepts only a long-term key. Plans
//! assume a long-term key until a run shows otherwise. Then they are made again, and an unsent code moves to the step that
//! now needs it.

use std::collections::BTreeMap;

use super::Keeper;
use super::api::Action;
use super::node::Node;
use crate::core::plan::{NodeKey, Source, Step};

impl Node {
    /// Whether AWS would refuse its call with its parent's credentials, as GetSessionToken needs a long-term key. Then new plans
    /// follow.
    pub(super) fn waits_for_plan(&self, parent: &Self) -> bool {
        let is_temporary = || parent.signer().is_some_and(|signer| signer.session_token.is_some());
        matches!(self.step.source, Source::SessionToken(_)) && is_temporary()
    }
}

impl Keeper {
    /// Remembers the output of a step's program, and requests new plans if they depend on it.
    pub(super) fn learn_process_kind(&mut self, key: &NodeKey, is_temporary: bool) {
        let kinds = &mut self.memory.temporary_processes;
        let is_news = if is_temporary { kinds.insert(key.clone()) } else { kinds.remove(key) };
        if !is_news {
            return;
        }
        self.actions.push_back(Action::Remember);
        if self.leads_to_device(key) {
            self.actions.push_back(Action::Replan);
        }
    }

    /// After new plans: a code for a removed step moves to the step that now needs the same device.
    pub(super) fn move_codes(&mut self, old_nodes: &mut BTreeMap<NodeKey, Node>) {
        for waiting in self.waiting.values_mut() {
            let Some(old) = waiting.target.as_ref().filter(|target| !self.nodes.contains_key(target)) else { continue };
            let Some(old) = old_nodes.get_mut(old) else { continue };
            let Some(Ok(route)) = self.profiles.get(&waiting.profile) else { continue };
            let same_device =
                |step: &Step| step.source.device().is_some_and(|device| Some(device) == old.step.source.device());
            let mut links = route.plan.steps.links().into_iter();
            let Some(key) = links.find(|link| same_device(link.step())).map(|link| link.key()) else { continue };
            let Some(node) = self.nodes.get_mut(key) else { continue };
            if let Some(code) = old.code.take() {
                node.code = Some(code);
                waiting.mints = node.mints;
                waiting.target = Some(key.clone());
            }
        }
    }
}
