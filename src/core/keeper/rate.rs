//! A rate limit for each endpoint: a token bucket on the boot-time clock.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::core::plan::StsEndpoint;
use crate::core::time::BootTime;

/// STS allows far more; this keeps a thousand profiles from being a storm.
const PER_SECOND: i64 = 10;

/// The buckets of all endpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct RateLimits {
    /// When each endpoint's bucket will be full again.
    full_at: BTreeMap<String, BootTime>,
}

impl RateLimits {
    /// Takes one call's place, or says when there will be one.
    pub(super) fn take(&mut self, endpoint: &StsEndpoint, now: BootTime) -> Result<(), BootTime> {
        let one = TimeDelta::milliseconds(1_000 / PER_SECOND);
        let name = endpoint.url.as_ref().unwrap_or(&endpoint.region);
        let full_at = self.full_at.get(name).copied().unwrap_or(now).max(now);
        let free_at = full_at + one - TimeDelta::seconds(1);
        if free_at > now {
            return Err(free_at);
        }
        self.full_at.insert(name.clone(), full_at + one);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_ten_and_then_ten_a_second() {
        let endpoint = StsEndpoint { region: "r".into(), url: None, fips: false, dual_stack: false };
        let mut limits = RateLimits::default();
        let (mut now, mut calls) = (BootTime::from_millis(0), 0);
        while now < BootTime::from_millis(5_000) {
            match limits.take(&endpoint, now) {
                Ok(()) => calls += 1,
                Err(free_at) => {
                    assert!(free_at > now);
                    now = free_at;
                }
            }
        }
        assert!((55..=60).contains(&calls), "{calls}");
    }
}
