//! A rate limit for each endpoint: a token bucket on the boot-time clock.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::core::plan::{Endpoint, Service};
use crate::core::time::{BootTime, span_from_millis};

/// How many calls a second go to one endpoint. STS allows far more; this keeps a thousand profiles from being a storm. The
/// portal's limit is not documented; it refuses people who come with twenty at once.
const fn per_second(service: Service) -> i64 {
    match service {
        Service::Sts => 10,
        Service::Portal | Service::Oidc | Service::Signin => 5,
    }
}

/// The buckets of all endpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct RateLimits {
    /// When each endpoint's bucket will be full again.
    full_at: BTreeMap<(Service, String), BootTime>,
    /// Endpoints that have asked not to be asked before this.
    closed_until: BTreeMap<(Service, String), BootTime>,
}

impl RateLimits {
    /// Takes one call's place, or says when there will be one.
    pub(super) fn take(&mut self, service: Service, endpoint: &Endpoint, now: BootTime) -> Result<(), BootTime> {
        let name = named(service, endpoint);
        if let Some(until) = self.closed_until.get(&name).filter(|until| **until > now) {
            return Err(*until);
        }
        self.closed_until.remove(&name);
        let one = one(service);
        let full_at = self.full_at.get(&name).copied().unwrap_or(now).max(now);
        let free_at = full_at + one - TimeDelta::seconds(1);
        if free_at > now {
            return Err(free_at);
        }
        self.full_at.insert(name, full_at + one);
        Ok(())
    }

    /// An endpoint said that too many came, and when to come again: that holds for everybody.
    pub(super) fn close(&mut self, service: Service, endpoint: &Endpoint, until: BootTime) {
        let name = named(service, endpoint);
        // What comes after the pause comes one by one: a burst would meet the next refusal.
        let full_at = self.full_at.entry(name.clone()).or_insert(until);
        *full_at = (until + TimeDelta::seconds(1) - one(service)).max(*full_at);
        let closed = self.closed_until.entry(name).or_insert(until);
        *closed = until.max(*closed);
    }
}

/// From one call to the next.
fn one(service: Service) -> TimeDelta {
    span_from_millis(1_000 / per_second(service))
}

fn named(service: Service, endpoint: &Endpoint) -> (Service, String) {
    (service, endpoint.url.as_ref().unwrap_or(&endpoint.region).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_ten_and_then_ten_a_second() {
        let endpoint = Endpoint { region: "r".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        let mut limits = RateLimits::default();
        let (mut now, mut calls) = (BootTime::from_millis(0), 0);
        while now < BootTime::from_millis(5_000) {
            match limits.take(Service::Sts, &endpoint, now) {
                Ok(()) => calls += 1,
                Err(free_at) => {
                    assert!(free_at > now);
                    now = free_at;
                }
            }
        }
        assert!((55..=60).contains(&calls), "{calls}");
    }

    #[test]
    fn an_endpoint_that_asks_for_a_pause_gets_it_from_everybody() {
        let endpoint = Endpoint { region: "r".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        let (mut limits, at) = (RateLimits::default(), BootTime::from_millis);
        limits.close(Service::Portal, &endpoint, at(3_000));
        limits.close(Service::Portal, &endpoint, at(2_000));
        assert_eq!(limits.take(Service::Portal, &endpoint, at(1_000)), Err(at(3_000)));
        assert_eq!(limits.take(Service::Sts, &endpoint, at(1_000)), Ok(()));
        assert_eq!(limits.take(Service::Portal, &endpoint, at(3_000)), Ok(()));
        assert_eq!(limits.take(Service::Portal, &endpoint, at(3_000)), Err(at(3_200)), "and no burst after it");
        assert_eq!(limits.take(Service::Portal, &endpoint, at(3_200)), Ok(()));
    }
}
