//! The steps of a plan as a linked list: each step refers to the one before it, so that plans share their first steps.
//! A thousand profiles based on one long chain need hardly more memory and time than the chain itself.

use std::fmt;
use std::sync::Arc;

use super::{Endpoint, NodeKey, Source, Step};

/// The steps of a plan, in the order in which they run.
#[derive(Clone, Default)]
pub struct Chain {
    last: Option<Arc<Link>>,
}

/// A step with a reference to the step before it.
pub struct Link {
    step: Arc<Step>,
    key: NodeKey,
    before: Option<Arc<Link>>,
    first: Option<Arc<Link>>,
    /// The number of steps up to this one.
    length: usize,
    /// The endpoint at which the credentials of a step without an endpoint are used first.
    used_at: Option<Arc<Endpoint>>,
}

impl Link {
    /// The step.
    pub fn step(&self) -> &Arc<Step> {
        &self.step
    }

    /// The key of the credential that the step gives.
    pub fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The step whose credentials sign this one.
    pub fn before(&self) -> Option<&Arc<Self>> {
        self.before.as_ref()
    }

    /// The endpoint of the step's own call. For a step that calls no service, this is the endpoint at which its
    /// credentials are used; `None` if no other step uses them.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.step.source.endpoint().or(self.used_at.as_deref())
    }
}

impl Chain {
    /// A chain of one step. `used_at`: the endpoint at which its credentials are used first.
    pub fn start(step: impl Into<Arc<Step>>, used_at: Option<&Arc<Endpoint>>) -> Self {
        let step = step.into();
        // With another configured endpoint (an emulator), the same keys are other credentials.
        let url = used_at.and_then(|endpoint| endpoint.url.as_deref());
        let url = url.filter(|_| matches!(step.source, Source::Static(_))).unwrap_or_default();
        let key = step.source.key(url);
        let used_at = used_at.filter(|_| step.source.endpoint().is_none()).cloned();
        Self::of_link(Link { step, key, before: None, first: None, length: 1, used_at })
    }

    /// A chain with one more step.
    #[must_use]
    pub fn then(&self, step: impl Into<Arc<Step>>) -> Self {
        let step = step.into();
        let Some(before) = &self.last else { return Self::start(step, None) };
        let key = step.source.key(before.key.as_str());
        let first = before.first.as_ref().unwrap_or(before);
        Self::of_link(Link {
            step,
            key,
            first: Some(Arc::clone(first)),
            length: before.length + 1,
            before: Some(Arc::clone(before)),
            used_at: None,
        })
    }

    fn of_link(link: Link) -> Self {
        Self { last: Some(Arc::new(link)) }
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.last.as_ref().map_or(0, |last| last.length)
    }

    /// Whether there are no steps. The chain of a plan is never empty.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// The first step to run.
    pub fn first(&self) -> Option<&Step> {
        self.first_link().map(|first| first.step.as_ref())
    }

    /// The first step, as a link.
    pub fn first_link(&self) -> Option<&Arc<Link>> {
        let last = self.last.as_ref()?;
        Some(last.first.as_ref().unwrap_or(last))
    }

    /// The last step.
    pub fn last(&self) -> Option<&Step> {
        self.last.as_ref().map(|last| last.step.as_ref())
    }

    /// The last step, as a link.
    pub fn last_link(&self) -> Option<&Arc<Link>> {
        self.last.as_ref()
    }

    /// The step, if there is exactly one.
    pub fn only(&self) -> Option<&Step> {
        self.last().filter(|_| self.len() == 1)
    }

    /// The steps from the last one to the first one.
    pub fn backwards(&self) -> impl Iterator<Item = &Arc<Link>> {
        std::iter::successors(self.last.as_ref(), |link| link.before.as_ref())
    }

    /// The steps in the order in which they run, as links.
    pub fn links(&self) -> Vec<&Arc<Link>> {
        let mut links: Vec<&Arc<Link>> = self.backwards().collect();
        links.reverse();
        links
    }

    /// The steps in the order in which they run.
    pub fn iter(&self) -> Steps<'_> {
        self.into_iter()
    }

    /// The step with this number, counted from 0.
    pub fn get(&self, at: usize) -> Option<&Step> {
        self.backwards().find(|link| link.length == at + 1).map(|link| link.step.as_ref())
    }
}

/// The steps of a chain in the order in which they run.
pub type Steps<'a> = std::iter::Map<std::vec::IntoIter<&'a Arc<Link>>, fn(&'a Arc<Link>) -> &'a Step>;

impl<'a> IntoIterator for &'a Chain {
    type Item = &'a Step;
    type IntoIter = Steps<'a>;

    fn into_iter(self) -> Steps<'a> {
        self.links().into_iter().map(|link| link.step.as_ref())
    }
}

impl<S: Into<Arc<Step>>> FromIterator<S> for Chain {
    fn from_iter<T: IntoIterator<Item = S>>(steps: T) -> Self {
        let steps: Vec<Arc<Step>> = steps.into_iter().map(Into::into).collect();
        let used_at = steps.iter().find_map(|step| step.source.endpoint()).cloned().map(Arc::new);
        let mut steps = steps.into_iter();
        let first = steps.next().map(|step| Self::start(step, used_at.as_ref())).unwrap_or_default();
        steps.fold(first, |chain, step| chain.then(step))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        for (ours, theirs) in self.backwards().zip(other.backwards()) {
            if Arc::ptr_eq(ours, theirs) {
                return true;
            }
            if ours.step != theirs.step {
                return false;
            }
        }
        true
    }
}

impl Eq for Chain {}

/// Drops one link after the other: recursion over hundreds of thousands of links would overflow the stack.
impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.before.take();
        self.first = None;
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.before.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> Step {
        Step { profile: name.to_owned(), source: Source::Process { command: name.to_owned() } }
    }

    #[test]
    fn chains_that_begin_alike_share_their_beginning() {
        let base: Chain = [step("a"), step("b")].into_iter().collect();
        let (one, other) = (base.then(step("c")), base.then(step("d")));
        let before = |chain: &Chain| chain.last_link().and_then(|link| link.before().cloned()).unwrap();
        assert!(Arc::ptr_eq(&before(&one), &before(&other)));
        let names: Vec<&str> = one.iter().map(|step| step.profile.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((one.len(), one.first(), one.get(1)), (3, Some(&step("a")), Some(&step("b"))));
        assert!(one.get(3).is_none() && one.only().is_none());
        assert_ne!(one, other);
        assert_eq!(one, [step("a"), step("b"), step("c")].into_iter().collect());
    }

    #[test]
    fn a_chain_of_hundreds_of_thousands_of_steps_is_dropped_without_a_recursion() {
        let mut chain = Chain::default();
        for _ in 0..200_000 {
            chain = chain.then(step("a"));
        }
        assert_eq!(chain.len(), 200_000);
        drop(chain);
    }
}
