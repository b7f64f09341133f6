//! An index of dependencies, for plans with thousands of profiles: no look-up goes through all of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::node::Node;
use super::{Keeper, Route};
use crate::core::plan::{Endpoint, NodeKey};
use crate::core::session::CacheFile;
use crate::core::time::Now;

/// Built with each set of plans.
#[derive(Default)]
pub(super) struct Dependents {
    /// The profiles, in the order of their names.
    names: Vec<String>,
    /// The profiles whose last credential this is, by index.
    profiles: BTreeMap<NodeKey, Vec<u32>>,
    /// The credentials that are signed with another one.
    children: BTreeMap<NodeKey, Vec<NodeKey>>,
    /// The sessions that have a cache file.
    sessions: BTreeMap<CacheFile, Vec<NodeKey>>,
    /// The endpoints of the profiles' own calls, without duplicates.
    endpoints: Vec<Arc<Endpoint>>,
}

impl Dependents {
    /// The dependencies of these plans.
    pub(super) fn of<'a>(
        routes: impl Iterator<Item = (&'a String, &'a Route)>,
        nodes: &BTreeMap<NodeKey, Node>,
    ) -> Self {
        let mut this = Self::default();
        let mut seen = HashSet::new();
        for (number, (name, route)) in (0..).zip(routes) {
            this.names.push(name.clone());
            if seen.insert(&route.plan.endpoint) {
                this.endpoints.push(Arc::clone(&route.plan.endpoint));
            }
            if let Some(key) = route.key() {
                this.profiles.entry(key.clone()).or_default().push(number);
            }
        }
        for (key, node) in nodes {
            if let Some(parent) = &node.parent {
                this.children.entry(parent.clone()).or_default().push(key.clone());
            }
            if let Some(state) = &node.session {
                this.sessions.entry(state.session.cache_file()).or_default().push(key.clone());
            }
        }
        this
    }

    /// The sessions with this cache file.
    pub(super) fn sessions(&self, file: &CacheFile) -> &[NodeKey] {
        self.sessions.get(file).map_or(&[], Vec::as_slice)
    }

    /// The endpoints of the profiles' own calls, without duplicates, in the order of the profiles' names.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().map(AsRef::as_ref)
    }

    /// The cache files of all sessions.
    pub(super) fn files(&self) -> impl Iterator<Item = &CacheFile> {
        self.sessions.keys()
    }

    /// The credentials that are signed with this one.
    pub(super) fn children(&self, key: &NodeKey) -> &[NodeKey] {
        self.children.get(key).map_or(&[], Vec::as_slice)
    }

    /// A credential and all credentials that depend on it.
    fn descendants<'a>(&'a self, key: &'a NodeKey) -> impl Iterator<Item = &'a NodeKey> {
        let mut next = vec![key];
        std::iter::from_fn(move || {
            let key = next.pop()?;
            next.extend(self.children(key));
            Some(key)
        })
    }

    /// The indexes of the profiles that use a credential, unsorted.
    fn numbers<'a>(&'a self, key: &'a NodeKey) -> impl Iterator<Item = u32> {
        self.descendants(key).flat_map(|key| self.profiles.get(key).map_or(&[][..], Vec::as_slice)).copied()
    }

    fn name(&self, number: u32) -> Option<&String> {
        self.names.get(usize::try_from(number).ok()?)
    }
}

impl Keeper {
    /// The profiles that depend on a credential, in the order of their names.
    pub(super) fn profiles_behind(&self, key: &NodeKey) -> impl Iterator<Item = &String> {
        let mut numbers: Vec<u32> = self.dependents.numbers(key).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.dependents.name(number))
    }

    /// Whether one of the profiles that depend on a credential is auto-renewed.
    pub(super) fn has_auto_renewed_dependents(&self, key: &NodeKey, now: Now) -> bool {
        let mut names = self.dependents.numbers(key).filter_map(|number| self.dependents.name(number));
        names.any(|name| self.is_auto_renewed(name, now))
    }

    /// How many profiles depend on a credential.
    pub(super) fn count_behind(&self, key: &NodeKey) -> usize {
        self.dependents.numbers(key).count()
    }

    /// Whether a credential, or one that depends on it, needs an MFA code.
    pub(super) fn leads_to_device(&self, key: &NodeKey) -> bool {
        let mut nodes = self.dependents.descendants(key).filter_map(|key| self.nodes.get(key));
        nodes.any(|node| node.step.source.device().is_some())
    }

    /// Calls a function with each credential that is signed with this one.
    pub(super) fn for_children(&mut self, key: &NodeKey, mut each: impl FnMut(&mut Node)) {
        for child in self.dependents.children(key) {
            if let Some(node) = self.nodes.get_mut(child) {
                each(node);
            }
        }
    }
}
