//! Whom to probe for AWS time, and whom to believe.
//!
//! The endpoints that profiles use are candidates. An answer of AWS over TLS ranks above one of another server over TLS, and that one
//! above an emulator on plain http (`clock::Trust`). While the estimate is from a lower rank, higher endpoints are probed first.

use std::cmp::Reverse;

use chrono::TimeDelta;

use crate::core::clock::{Sample, Trust};
use crate::core::plan::Endpoint;
use crate::core::time::BootTime;
use crate::core::url_host::{Host, target};

/// So many endpoints that are not believed are remembered.
const MAX_DISBELIEVED: usize = 16;
/// An endpoint that ranks higher is probed before it is called, and not again within this.
const HIGHER_AGAIN: TimeDelta = TimeDelta::minutes(5);

/// The sources of AWS time.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Where to probe if no profile says where.
    pub(super) home: Option<Endpoint>,
    /// The endpoint that was believed last.
    pub(super) heard_from: Option<Endpoint>,
    /// The last answers of endpoints that contradict a better source.
    disbelieved: Vec<(Endpoint, Sample)>,
    /// The endpoint that was last probed because it ranks higher than the source of the estimate, and when.
    higher: Option<(Endpoint, BootTime)>,
}

impl Sources {
    /// An endpoint's answer was believed.
    pub(super) fn believed(&mut self, endpoint: &Endpoint) {
        self.agrees(endpoint);
        self.heard_from = Some(endpoint.clone());
    }

    /// An endpoint's answer contradicts nothing.
    pub(super) fn agrees(&mut self, endpoint: &Endpoint) {
        self.disbelieved.retain(|(other, _)| other != endpoint);
    }

    /// An endpoint's answer was not believed. Returns what to log, once for each endpoint.
    pub(super) fn disbelieve(&mut self, endpoint: &Endpoint, sample: Sample) -> Option<String> {
        if let Some((_, earlier)) = self.disbelieved.iter_mut().find(|(other, _)| other == endpoint) {
            *earlier = sample;
            return None;
        }
        if self.disbelieved.len() == MAX_DISBELIEVED {
            self.disbelieved.remove(0);
        }
        self.disbelieved.push((endpoint.clone(), sample));
        Some(format!(
            "evercred ignores the time of {}: it contradicts a source that ranks higher, or an earlier one of the same rank",
            endpoint.url.as_deref().unwrap_or("AWS")
        ))
    }

    pub(super) fn disbelieved(&self) -> impl Iterator<Item = (&Endpoint, Sample)> {
        self.disbelieved.iter().map(|(endpoint, sample)| (endpoint, *sample))
    }

    /// An endpoint is probed because it ranks higher than the source of the estimate.
    pub(super) fn probed_as_higher(&mut self, endpoint: &Endpoint, now: BootTime) {
        self.higher = Some((endpoint.clone(), now));
    }

    pub(super) fn was_probed_as_higher(&self, endpoint: &Endpoint, now: BootTime) -> bool {
        self.higher.as_ref().is_some_and(|(higher, at)| higher == endpoint && now - *at < HIGHER_AGAIN)
    }

    /// The endpoint of the next routine probe: the one that was believed last, then the others, the most used ones first; if one of
    /// them ranks higher, the highest one first. After each failed probe it is the next one's turn.
    pub(super) fn next(&self, mut in_use: Vec<&Endpoint>, is_outranked: bool, failed: usize) -> Option<Endpoint> {
        if is_outranked {
            in_use.sort_by_key(|endpoint| Reverse(rank_of(endpoint)));
        } else if let Some(at) = in_use.iter().position(|endpoint| self.heard_from.as_ref() == Some(*endpoint)) {
            in_use.swap(0, at);
        }
        let turn = failed.checked_rem(in_use.len())?;
        in_use.get(turn).map(|endpoint| (*endpoint).clone())
    }
}

/// The rank of an endpoint's answers.
pub(super) fn rank_of(endpoint: &Endpoint) -> Trust {
    let url = endpoint.url.as_deref().map(target);
    let is_aws = url.is_none_or(|url| url.owner() == Host::Aws);
    Trust::of(url.is_some(), url.is_none_or(|url| url.scheme == "https"), is_aws)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(region: &str, url: Option<&str>) -> Endpoint {
        let url = url.map(str::to_owned);
        Endpoint { region: region.into(), url, fips: false, dual_stack: false, ca_bundle: None }
    }

    #[test]
    fn the_believed_endpoint_is_next_and_after_failures_the_others_in_turn() {
        let (one, two) = (endpoint("eu-west-1", None), endpoint("us-east-1", None));
        let mut sources = Sources::default();
        sources.believed(&two);
        let next = |failed| sources.next(vec![&one, &two], false, failed).unwrap();
        assert_eq!([next(0), next(1), next(2)], [two.clone(), one.clone(), two.clone()]);
        assert_eq!(sources.next(vec![], false, 0), None);
    }

    #[test]
    fn aws_is_probed_before_an_emulator_whose_time_is_known() {
        let (emulator, aws) = (endpoint("us-east-1", Some("http://127.0.0.1:4566")), endpoint("us-east-1", None));
        let mut sources = Sources::default();
        sources.believed(&emulator);
        assert_eq!(sources.next(vec![&emulator, &aws], true, 0), Some(aws));
    }
}
