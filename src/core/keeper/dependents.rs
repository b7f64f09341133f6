//! An index of dependencies, for plans with thousands of profiles: no look-up goes through all of them.

use std::collections::BTreeMap;

use super::node::Node;
use super::{Keeper, Route};
use crate::core::plan::NodeKey;
use crate::core::session::CacheFile;

/// Built with each set of plans.
#[derive(Default)]
pub(super) struct Dependents {
    /// The profiles, in the order of their names.
    names: Vec<String>,
    /// The profiles that use each credential, by index.
    profiles: BTreeMap<NodeKey, Vec<u32>>,
    /// The credentials that are signed with another one.
    children: BTreeMap<NodeKey, Vec<NodeKey>>,
    /// The sessions that have a cache file.
    sessions: BTreeMap<CacheFile, Vec<NodeKey>>,
}

impl Dependents {
    /// The dependencies of these plans.
    pub(super) fn of<'a>(
        routes: impl Iterator<Item = (&'a String, &'a Route)>,
        nodes: &BTreeMap<NodeKey, Node>,
    ) -> Self {
        let mut this = Self::default();
        for (number, (name, route)) in (0..).zip(routes) {
            this.names.push(name.clone());
            for key in &route.keys {
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

    /// The cache files of all sessions.
    pub(super) fn files(&self) -> impl Iterator<Item = &CacheFile> {
        self.sessions.keys()
    }

    /// The credentials that are signed with this one.
    pub(super) fn children(&self, key: &NodeKey) -> &[NodeKey] {
        self.children.get(key).map_or(&[], Vec::as_slice)
    }

    /// The profiles that use a credential.
    fn profiles(&self, key: &NodeKey) -> impl Iterator<Item = &String> {
        let numbers = self.profiles.get(key).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|number| self.names.get(usize::try_from(*number).ok()?))
    }
}

impl Keeper {
    /// The profiles that depend on a credential.
    pub(super) fn profiles_behind(&self, key: &NodeKey) -> impl Iterator<Item = &String> {
        self.dependents.profiles(key)
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
