//! The probes of AWS time: how the keeper carries out what its [`TimeMonitor`](super::time::TimeMonitor) decides.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::api::{Action, Outcome, ProbeOrder, Warning};
use super::node::has_expiry;
use super::time::{NtpHeard, Outlook, Probe, ProbeReason};
use super::timers::Timer;
use super::{Flight, Keeper, Work};
use crate::core::aws_error::TLS_CLOCK;
use crate::core::clock::{Clock, Sample, Verdict};
use crate::core::plan::{Endpoint, Service};
use crate::core::settings::NtpServer;
use crate::core::time::{BootTime, Now};

impl Keeper {
    /// The estimate of AWS time.
    pub fn clock(&self) -> &Clock {
        self.time.clock()
    }

    /// Why the last probe brought no answer.
    pub fn probe_error(&self) -> Option<&str> {
        self.time.probe_error()
    }

    /// The last answer of each endpoint whose time is not believed.
    pub fn disbelieved(&self) -> impl Iterator<Item = (&Endpoint, Sample)> {
        self.time.disbelieved()
    }

    /// The last answer of each NTP server; `None` before the first one.
    pub fn ntp_heard(&self) -> impl Iterator<Item = (&NtpServer, Option<&NtpHeard>)> {
        self.time.ntp_heard()
    }

    /// The warning about the clock skew of this machine.
    pub fn clock_warning(&self, now: Now) -> Option<Warning> {
        self.time.warning(now)
    }

    /// Takes in what the answers of one call said about AWS time.
    pub(super) fn observe(&mut self, samples: &[Sample], endpoint: &Endpoint, outcome: &Outcome, now: Now) {
        for sample in samples {
            let (verdict, line) = self.time.observe(*sample, endpoint, now);
            self.actions.extend(line.map(Action::Log));
            if verdict == Verdict::NeedsConfirmation {
                // The endpoint with the highest rank, which was believed last, decides whether the time has changed.
                let endpoint = self.time.most_trusted(endpoint, || self.endpoints_in_use());
                self.time.confirm_at(endpoint);
            }
        }
        if !samples.is_empty() {
            self.time.refine_with_ntp(now);
        }
        if matches!(outcome, Outcome::Failed(fault) if fault.code == TLS_CLOCK) {
            // By this machine's clock the certificate is not valid: NTP may show whether the clock is wrong.
            self.time.ask_ntp_again(TimeDelta::minutes(15), now);
        }
    }

    /// Whether a call may be made now: AWS time is not in doubt, and the rate limit allows it. Otherwise this makes the probe, or
    /// sets the timer of the next attempt.
    pub(super) fn may_call(&mut self, service: Option<Service>, endpoint: &Endpoint, now: Now) -> bool {
        if let Some(due) = self.time.probe_before(service, endpoint, || self.endpoints_in_use(), now) {
            if let Some(probe) = self.timers.now_or_wait(due) {
                self.probe(probe, now);
            }
            return false;
        }
        match service.map_or(Ok(()), |service| self.limits.take(service, endpoint, now.boot)) {
            Ok(()) => true,
            Err(free_at) => {
                self.timers.set(Timer::RateLimit, free_at);
                false
            }
        }
    }

    /// The probes that no call waits for, the questions to NTP servers, and the notices about the clock.
    pub(super) fn watch_time(&mut self, now: Now) {
        if let Some(endpoint) = self.endpoint_of_expiring_keys() {
            let in_use = || self.endpoints_in_use();
            let due = self.time.probe_of_doubt(ProbeReason::ExpiryOfKeys, &endpoint, in_use, now);
            if let Some(probe) = self.timers.now_or_wait(due) {
                self.probe(probe, now);
            }
        }
        if let Some(probe) = self.time.confirmation() {
            self.probe(probe, now);
        }
        let grade = self.time.settle(now);
        let Outlook { is_in_doubt, probe } = self.time.outlook(grade, || self.endpoints_in_use(), now);
        if !is_in_doubt && let Some(notice) = self.time.skew_notice(grade, now) {
            self.actions.push_back(Action::Notice(notice));
        }
        if let Some(probe) = self.timers.now_or_wait(probe) {
            self.probe(probe, now);
        }
        let queries = self.time.ntp_queries(now);
        self.actions.extend(queries.into_iter().map(Action::AskNtp));
        self.timers.now_or_wait(self.time.next_ntp_query());
    }

    /// After a failure that may only be an outage: one probe shows whether there is a network.
    pub(super) fn probe_outage(&mut self, since: BootTime, now: Now) {
        if let Some(probe) = self.time.probe_of_outage(since, || self.endpoints_in_use(), now) {
            self.probe(probe, now);
        }
    }

    /// The endpoint of a profile for whose keys, in a file with an expiry, a caller waits until the doubt is over.
    fn endpoint_of_expiring_keys(&self) -> Option<Endpoint> {
        if !self.time.needs_probe() {
            return None;
        }
        let routes = self.waiting.values().filter_map(|waiting| self.profiles.get(&waiting.profile)?.as_ref().ok());
        let mut with_expiry = routes.filter(|route| route.only_keys().is_some_and(has_expiry));
        with_expiry.next().map(|route| (*route.plan.endpoint).clone())
    }

    fn probe(&mut self, probe: Probe, now: Now) {
        let ticket = self.ticket();
        let line = self.time.probe_begins(&probe, now);
        self.actions.extend(line.map(Action::Log));
        self.flights.insert(ticket, Flight { endpoint: probe.endpoint.clone(), work: Work::Probe });
        self.actions.push_back(Action::Probe(ProbeOrder { ticket, endpoint: probe.endpoint }));
    }

    /// The endpoints at which AWS time can be learned, without duplicates: those of the requested profiles, the one for no profile at
    /// all, and those of the other profiles.
    fn endpoints_in_use(&self) -> Vec<&Endpoint> {
        let of = |name: &String| Some(&*self.profiles.get(name)?.as_ref().ok()?.plan.endpoint);
        let mut seen = HashSet::new();
        let requested = self.memory.last_asked.keys().filter_map(of);
        let all = requested.chain(self.time.home()).chain(self.dependents.endpoints());
        all.filter(|endpoint| seen.insert(*endpoint)).collect()
    }
}
