//! New plans: which nodes stay, and what happens to the credentials of those that go.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::api::{Action, MintedSet, Ticket};
use super::dependents::Dependents;
use super::held::Held;
use super::node::{Forced, Lack, Node};
use super::{Flight, Keeper, Restored, Route, Work};
use crate::core::credential::Grant;
use crate::core::plan::{AssumeRole, Chain, Link, NodeKey, Plan, PlanError, Source, Step};
use crate::core::session::SsoSession;
use crate::core::time::Now;

impl Keeper {
    /// Replaces the plans. An unchanged credential keeps its state; a changed one keeps its cached credentials
    /// if its last step is the same (a rotated base key), and is renewed at once.
    pub(super) fn take_plans(
        &mut self,
        plans: BTreeMap<String, Result<Plan, PlanError>>,
        sso_sessions: BTreeMap<String, SsoSession>,
        now: Now,
    ) {
        let mut old_nodes = std::mem::take(&mut self.nodes);
        let old_profiles = std::mem::take(&mut self.profiles);
        self.planned_at = self.time.clock().best(now);
        // Sections first: their endpoints of a session apply to every profile that depends on it.
        for session in sso_sessions.into_values() {
            self.add_session(session, &mut old_nodes, now);
        }
        // Each step once, however many profiles depend on it.
        let mut added = HashSet::new();
        // `collect` makes a map without spare capacity.
        let profiles = plans.into_iter().map(|(name, plan)| {
            let route = plan.map(|plan| Route { plan });
            if let Ok(route) = &route {
                self.add_nodes(&route.plan.steps, &mut added, &mut old_nodes, now);
            }
            (name, route)
        });
        let profiles = profiles.collect();
        self.profiles = profiles;
        self.keep_unsaved_sessions(&mut old_nodes);
        let routes = self.profiles.iter().filter_map(|(name, route)| Some((name, route.as_ref().ok()?)));
        self.dependents = Dependents::of(routes, &self.nodes);
        self.move_codes(&mut old_nodes);
        let mut orphans: BTreeMap<&str, Box<Held>> = BTreeMap::new();
        for (name, route) in &old_profiles {
            if let Ok(route) = route
                && let Some(held) = route.key().and_then(|key| old_nodes.get_mut(key)).and_then(|node| node.held.take())
            {
                orphans.insert(name, held);
            }
        }
        let mut lost = false;
        for (name, held) in orphans {
            match (self.profiles.get(name), old_profiles.get(name)) {
                (Some(Ok(new)), Some(Ok(old))) if same_last_step(&new.plan, &old.plan) => {
                    let node = new.key().and_then(|key| self.nodes.get_mut(key));
                    if let Some(node) = node.filter(|node| node.held.is_none()) {
                        node.held = Some(held);
                        // Without an MFA code there is no renewal. The cached credentials stay in use.
                        let lacks_code = matches!(node.lacks(self.time.clock(), now), Some(Lack::Code(_)));
                        node.forced = (!lacks_code).then_some(Forced::PlanChanged);
                    }
                }
                _ => lost = true,
            }
        }
        let session = |(key, node): (&NodeKey, &Node)| {
            node.held.as_ref()?;
            session_of(key, |key| self.nodes.get(key).or(old_nodes.get(key)))
        };
        let behind: Vec<Option<NodeKey>> = old_nodes.iter().map(session).collect();
        // A session that no profile needs now may be needed again after the next edit, and would cost the user a code.
        for ((key, node), session) in old_nodes.into_iter().zip(behind) {
            if node.session.is_none()
                && let Some(held) = node.held
                && let Held { grant: Grant::Keys(credentials), minted_at, .. } = *held
            {
                let set = MintedSet { key, credentials, minted_at };
                self.restored.push(Restored { set, same_boot: true, session });
                lost = true;
            }
        }
        if lost {
            self.actions.push_back(Action::KeepMinted);
        }
        for node in self.nodes.values_mut() {
            node.failures.streaks().for_each(|streak| streak.file_changed(now.boot, TimeDelta::minutes(1)));
        }
        self.adopt_unsaved(now);
        self.look_at_unread_sessions();
        self.end_sign_ins_of_sessions_that_are_gone(now);
    }

    /// Adds the nodes of the steps, except those `added` with another profile.
    fn add_nodes(
        &mut self,
        steps: &Chain,
        added: &mut HashSet<*const Link>,
        old: &mut BTreeMap<NodeKey, Node>,
        now: Now,
    ) {
        let mut new: Vec<&Arc<Link>> = steps.backwards().take_while(|link| added.insert(Arc::as_ptr(link))).collect();
        while let Some(link) = new.pop() {
            let (key, step) = (link.key(), link.step());
            let code_program = step.source.code_program().map(str::to_owned);
            if let Some(node) = self.nodes.get_mut(key) {
                node.code_program = node.code_program.take().or(code_program);
                // The calls of a shared session trust the certificates of the profile that names a bundle.
                if let (Some(state), Some(session)) = (&mut node.session, step.source.session())
                    && state.session.endpoint().ca_bundle.is_none()
                    && session.endpoint().ca_bundle.is_some()
                {
                    state.session = session;
                    node.step = Arc::clone(step);
                }
            } else {
                let parent = link.before().map(|before| before.key().clone());
                let mut node = self.node_of(key, step, parent, old, now);
                node.code_program = code_program;
                self.nodes.insert(key.clone(), node);
            }
        }
    }

    /// The existing node, or a new one.
    pub(super) fn node_of(
        &self,
        key: &NodeKey,
        step: &Arc<Step>,
        parent: Option<NodeKey>,
        old: &mut BTreeMap<NodeKey, Node>,
        now: Now,
    ) -> Node {
        match old.remove(key) {
            Some(mut node) => {
                if let (Some(state), Some(session)) = (&mut node.session, step.source.session()) {
                    // Its endpoint and its request may have changed.
                    state.session = session;
                    node.step = Arc::clone(step);
                }
                node
            }
            None => {
                let mut node = Node::new(Arc::clone(step), parent, now.boot);
                // It may have been removed only for a moment, with its call still in progress.
                node.flight = self.flight_of(key);
                node
            }
        }
    }

    fn flight_of(&self, key: &NodeKey) -> Option<Ticket> {
        let of_key = |flight: &Flight| matches!(&flight.work, Work::Mint(mint) if mint.key == *key);
        self.flights.iter().find(|(_, flight)| of_key(flight)).map(|(ticket, _)| *ticket)
    }
}

/// The session that a credential depends on, or is.
pub(super) fn session_of<'a>(key: &NodeKey, node: impl Fn(&NodeKey) -> Option<&'a Node>) -> Option<NodeKey> {
    let mut key = key;
    loop {
        let at = node(key)?;
        if at.session.is_some() {
            return Some(key.clone());
        }
        key = at.parent.as_ref()?;
    }
}

fn same_last_step(new: &Plan, old: &Plan) -> bool {
    match (new.steps.last().map(|step| &step.source), old.steps.last().map(|step| &step.source)) {
        (Some(Source::AssumeRole(new)), Some(Source::AssumeRole(old))) => {
            // An MFA code identifies the caller and does not change the credentials.
            let (mfa_serial, mfa_process) = (new.mfa_serial.clone(), new.mfa_process.clone());
            *new == AssumeRole { mfa_serial, mfa_process, ..old.clone() }
        }
        _ => false,
    }
}
