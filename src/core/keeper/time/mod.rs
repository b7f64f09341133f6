//! What the keeper knows of AWS time: the estimate, whether it can be trusted, and whom to ask next.
//!
//! The credentials of a chain expire by AWS time, and AWS refuses signatures with another time. [`TimeMonitor`] owns the estimate
//! ([`Clock`]) and everything that keeps it right. Nothing else in the keeper changes it.
//!
//! ```text
//!   answers of AWS ──── observe ───▶ ┌──────────────┐ ── clock() ─────────▶ expiry, signatures
//!   answers of NTP ─ ntp_answered ─▶ │ TimeMonitor  │ ── is_trusted() ────▶ what depends on known time
//!   a clock jumped ── clock_jumped ▶ │              │ ── probe_before() ──▶ a probe comes first, or the call is made
//!   resume, network ─ disturbed ───▶ │              │ ── outlook() ───────▶ the next routine probe
//!   "skewed" errors ─ doubt ───────▶ └──────────────┘ ── skew_notice() ───▶ notices about this machine's clock
//! ```
//!
//! Decisions are values: `outlook` and its like return a [`Probe`] that is due now or later, and change nothing. The keeper makes the
//! call, and reports its begin and its end. So a test needs no keeper: it asks, lets time pass, and asks again.
//!
//! Its parts, each with its own fields:
//! - [`doubt`]: whether a probe must come before the next signature. One probe for each doubt, then calls go on.
//! - [`schedule`]: when to probe. Hourly; sooner if something is wrong, and in seconds after a change of the network.
//! - [`sources`]: whom to probe. An endpoint of AWS outranks an emulator, and what contradicts a better source is not believed.
//! - [`ntp`]: when to ask the NTP servers of the settings. NTP refines the estimate, and decides no expiry.
//! - [`skew`]: the notices about the clock skew of this machine.

mod doubt;
mod ntp;
mod schedule;
mod skew;
mod sources;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;

use self::doubt::Doubt;
use self::ntp::NtpServers;
pub use self::ntp::{NtpHeard, NtpOrder};
use self::schedule::ProbeSchedule;
use self::skew::SkewNotices;
pub use self::skew::{CLOCK_SKEWED, describe_crossing};
use self::sources::{Sources, rank_of};
use super::api::{Disturbance, KeeperSettings, LogLevel, LogLine, Notice, Warning};
use super::timers::{Due, Timer};
use crate::core::aws_error::Fault;
use crate::core::clock::{Clock, Grade, Sample, Trust, Verdict};
use crate::core::ntp::{NtpAnswer, NtpProblem};
use crate::core::plan::{Endpoint, Service};
use crate::core::settings::NtpServer;
use crate::core::time::{AwsTime, BootTime, Now};

/// The estimate of AWS time, and what keeps it right. See the module.
pub(super) struct TimeMonitor {
    settings: TimeSettings,
    clock: Clock,
    doubt: Doubt,
    schedule: ProbeSchedule,
    sources: Sources,
    ntp: NtpServers,
    notices: SkewNotices,
}

/// The settings about time.
#[derive(Clone, Debug)]
pub(super) struct TimeSettings {
    /// Whether AWS may be probed.
    pub(super) probe: bool,
    /// The NTP servers to ask.
    pub(super) ntp: Vec<NtpServer>,
    /// The clock skew from which the clock is wrong.
    pub(super) warn: TimeDelta,
}

impl From<&KeeperSettings> for TimeSettings {
    fn from(settings: &KeeperSettings) -> Self {
        Self { probe: settings.probe, ntp: settings.ntp.clone(), warn: settings.warn }
    }
}

/// One unauthenticated request to learn AWS time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) endpoint: Endpoint,
    pub(super) reason: ProbeReason,
}

/// The reason for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeReason {
    /// AWS time is in doubt, and a call is to be signed.
    Doubt,
    /// AWS time is in doubt, and a caller waits for keys in a file that expire.
    ExpiryOfKeys,
    /// An answer contradicted the estimate.
    Confirmation,
    /// The endpoint of a call ranks higher than the source of the estimate.
    HigherRank,
    /// Nothing was heard for a while.
    Routine,
    /// A renewal failed: is there a network at all?
    Outage,
}

/// What the monitor would do if nothing else happened.
pub(super) struct Outlook {
    /// A probe is about to decide on the estimate: until then it raises no notice.
    pub(super) is_in_doubt: bool,
    /// The next routine probe.
    pub(super) probe: Due<Probe>,
}

impl TimeMonitor {
    pub(super) fn new(settings: TimeSettings, clock: Clock) -> Self {
        Self {
            settings,
            clock,
            doubt: Doubt::default(),
            schedule: ProbeSchedule::default(),
            sources: Sources::default(),
            ntp: NtpServers::default(),
            notices: SkewNotices::default(),
        }
    }

    pub(super) fn configure(&mut self, settings: TimeSettings) {
        self.settings = settings;
    }

    /// Where to probe if no profile says where. Without it, no probe is made that no call needs.
    pub(super) fn set_home(&mut self, endpoint: Endpoint) {
        self.sources.home = Some(endpoint);
    }

    pub(super) fn home(&self) -> Option<&Endpoint> {
        self.sources.home.as_ref()
    }

    /// The estimate.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether AWS was heard, and nothing speaks against the estimate since.
    pub(super) fn is_trusted(&self) -> bool {
        self.clock.is_known() && !self.clock.is_suspect()
    }

    /// Whether a notice may say that something has expired: without a network that is not known, unless the settings forbid probes.
    pub(super) fn can_judge(&self) -> bool {
        !self.settings.probe || self.is_trusted()
    }

    /// Whether AWS time is in doubt, and no probe has looked into that yet.
    pub(super) fn needs_probe(&self) -> bool {
        self.settings.probe && !self.is_trusted() && !self.doubt.is_probed()
    }

    /// The last change of the network or a clock, or the last resume.
    pub(super) fn disturbed_at(&self) -> Option<BootTime> {
        self.schedule.changed_at()
    }
}

/// What happens.
impl TimeMonitor {
    /// Compares the clocks of this machine with the last time; whether one of them jumped. Called before each event.
    pub(super) fn clock_jumped(&mut self, now: Now) -> bool {
        self.clock.notice(now)
    }

    /// After a resume and the like, neither the estimate nor earlier failures of probes count.
    pub(super) fn disturbed(&mut self, disturbance: Disturbance, now: Now) {
        if disturbance == Disturbance::WallClockSet {
            self.clock.wall_was_set(now);
        }
        self.doubt();
        self.schedule.changed(now.boot);
        self.ask_ntp_again(TimeDelta::minutes(1), now);
    }

    /// The estimate may be wrong: a probe comes before the next signature.
    pub(super) fn doubt(&mut self) {
        self.clock.suspect();
        self.doubt.raise();
    }

    /// Takes in what one answer said about AWS time. After [`Verdict::NeedsConfirmation`], [`TimeMonitor::confirm_at`] has to follow.
    pub(super) fn observe(&mut self, sample: Sample, endpoint: &Endpoint, now: Now) -> (Verdict, Option<LogLine>) {
        let verdict = self.clock.observe(sample, now);
        let line = match verdict {
            Verdict::Accepted => None,
            Verdict::NewEpoch => Some((
                LogLevel::Info,
                "AWS time differs from the estimate: this machine was paused, or its clock stopped".to_owned(),
            )),
            Verdict::NeedsConfirmation => Some((
                LogLevel::Debug,
                "an answer contradicts the estimate of AWS time: evercred requests a second one".to_owned(),
            )),
            Verdict::Outranked | Verdict::Held => {
                self.sources.disbelieve(endpoint, sample).map(|message| (LogLevel::Info, message))
            }
            Verdict::Ignored => None,
        };
        match verdict {
            Verdict::Accepted | Verdict::NewEpoch => {
                self.doubt.agreed();
                self.sources.believed(endpoint);
            }
            // An endpoint of a lower rank that no longer contradicts the estimate.
            Verdict::Ignored if sample.trust > Trust::Unauthenticated => self.sources.agrees(endpoint),
            _ => {}
        }
        (verdict, line.map(|(level, message)| LogLine { level, profile: None, message }))
    }

    /// Requests a second answer from an endpoint, after one that contradicted the estimate.
    pub(super) fn confirm_at(&mut self, endpoint: Endpoint) {
        self.doubt.contradicted(endpoint);
    }

    /// A probe is made. Returns what to log.
    pub(super) fn probe_begins(&mut self, probe: &Probe, now: Now) -> Option<LogLine> {
        self.schedule.began(now.boot);
        self.doubt.probe_begins();
        if probe.reason == ProbeReason::HigherRank {
            self.sources.probed_as_higher(&probe.endpoint, now.boot);
        }
        let message = "AWS time is in doubt: evercred probes it before it signs a request".to_owned();
        let is_of_doubt = probe.reason == ProbeReason::Doubt;
        is_of_doubt.then_some(LogLine { level: LogLevel::Debug, profile: None, message })
    }

    /// A probe has ended; its samples were observed.
    pub(super) fn probe_ended(&mut self, fault: Option<&Fault>) {
        self.doubt.probe_ended();
        self.schedule.ended(self.clock.heard_at(), fault);
    }

    /// An NTP server answered, or did not. Returns what to log; `None` if it was not asked.
    pub(super) fn ntp_answered(
        &mut self,
        server: &NtpServer,
        result: Result<NtpAnswer, NtpProblem>,
        now: Now,
    ) -> Option<LogLine> {
        let message = self.ntp.answered(server, result, self.clock.jumped_at(), now.boot)?;
        self.refine_with_ntp(now);
        Some(LogLine { level: LogLevel::Debug, profile: None, message })
    }

    /// The NTP servers are asked again, except those that were heard less than `age` ago.
    pub(super) fn ask_ntp_again(&mut self, age: TimeDelta, now: Now) {
        self.ntp.ask_again(age, now.boot);
    }

    /// Judges the answers of the NTP servers by what AWS says now.
    pub(super) fn refine_with_ntp(&mut self, now: Now) {
        self.clock.take_ntp(self.ntp.answers(), now);
    }
}

/// What to do next. `in_use`: the endpoints of the profiles, with [`TimeMonitor::home`], the most used ones first.
impl TimeMonitor {
    /// The probe that a call has to wait for; `None`: the call can be made.
    pub(super) fn probe_before<'a>(
        &self,
        service: Option<Service>,
        endpoint: &Endpoint,
        in_use: impl Fn() -> Vec<&'a Endpoint>,
        now: Now,
    ) -> Option<Due<Probe>> {
        if self.needs_probe() {
            return Some(self.probe_of_doubt(ProbeReason::Doubt, endpoint, in_use, now));
        }
        // The time of an emulator is not the time that AWS compares signatures with.
        if service != Some(Service::Sts) || !self.settings.probe || !self.ranks_higher(endpoint) {
            return None;
        }
        if self.doubt.is_probing() {
            return Some(Due::OnEvent);
        }
        if self.sources.was_probed_as_higher(endpoint, now.boot) {
            return None;
        }
        Some(self.spaced(|| Probe { endpoint: endpoint.clone(), reason: ProbeReason::HigherRank }, now))
    }

    /// The probe of a doubt: at the endpoint that was believed last, instead of `endpoint`, if it is still in use.
    pub(super) fn probe_of_doubt<'a>(
        &self,
        reason: ProbeReason,
        endpoint: &Endpoint,
        in_use: impl Fn() -> Vec<&'a Endpoint>,
        now: Now,
    ) -> Due<Probe> {
        if self.doubt.is_probing() {
            return Due::OnEvent;
        }
        self.spaced(|| Probe { endpoint: self.most_trusted(endpoint, in_use), reason }, now)
    }

    /// A probe now, unless there were many in the last minute.
    fn spaced(&self, probe: impl FnOnce() -> Probe, now: Now) -> Due<Probe> {
        match self.schedule.spaced_until(now.boot) {
            Some(until) => Due::Later(Timer::ProbeSpacing, until),
            None => Due::Now(probe()),
        }
    }

    /// The endpoint that was believed last, if it is in use; otherwise `endpoint`.
    pub(super) fn most_trusted<'a>(&self, endpoint: &Endpoint, in_use: impl Fn() -> Vec<&'a Endpoint>) -> Endpoint {
        let trusted = self.sources.heard_from.as_ref().filter(|heard_from| in_use().contains(heard_from));
        trusted.unwrap_or(endpoint).clone()
    }

    /// The second probe after an answer that contradicted the estimate. Returned once.
    pub(super) fn confirmation(&mut self) -> Option<Probe> {
        let endpoint = self.doubt.take_confirmation()?;
        self.settings.probe.then_some(Probe { endpoint, reason: ProbeReason::Confirmation })
    }

    /// Updates the grade of the clock skew. Called once in each pass.
    pub(super) fn settle(&mut self, now: Now) -> Grade {
        self.clock.settle(now, self.settings.warn)
    }

    /// The next routine probe, and whether the estimate is about to change.
    pub(super) fn outlook<'a>(&self, grade: Grade, in_use: impl Fn() -> Vec<&'a Endpoint>, now: Now) -> Outlook {
        let (is_probing, needs_probe) = (self.doubt.is_probing(), self.needs_probe());
        let higher = self.count_higher(&in_use);
        // During the probe of a doubt, the estimate may be of another time. An emulator alone raises no notice before AWS was asked.
        let is_asked = self.settings.probe && self.home().is_some() && self.schedule.failed() < higher;
        let is_in_doubt = is_asked || (self.clock.is_suspect() && (is_probing || needs_probe));
        let endpoint = if self.settings.probe && !is_probing { self.next_endpoint(higher > 0, in_use) } else { None };
        let probe = endpoint.map_or(Due::OnEvent, |endpoint| {
            let is_skewed = grade > Grade::Ok || self.clock.is_restless();
            let heard_at = self.clock.heard_at().filter(|_| higher == 0);
            let due = self.schedule.due(heard_at, is_skewed).filter(|_| !needs_probe);
            match due.max(self.schedule.not_before(now.boot)) {
                Some(due) if due > now.boot => Due::Later(Timer::TimeProbe, due),
                _ => Due::Now(Probe { endpoint, reason: ProbeReason::Routine }),
            }
        });
        Outlook { is_in_doubt, probe }
    }

    /// A probe to find out whether there is a network, unless one was made after `since`.
    pub(super) fn probe_of_outage<'a>(
        &self,
        since: BootTime,
        in_use: impl Fn() -> Vec<&'a Endpoint>,
        now: Now,
    ) -> Option<Probe> {
        if !self.settings.probe || self.schedule.has_probed_since(since) || self.schedule.is_window_full(now.boot) {
            return None;
        }
        let endpoint =
            self.next_endpoint(self.count_higher(&in_use) > 0, in_use).filter(|_| !self.doubt.is_probing())?;
        Some(Probe { endpoint, reason: ProbeReason::Outage })
    }

    /// Until when only calls for callers are made. After a change, one probe shows for all calls whether there is a network: while
    /// it reaches nobody, they would fail one by one.
    pub(super) fn network_wait(&self, now: Now) -> Option<BootTime> {
        let until = self.schedule.settles_until(now.boot)?;
        let may_probe = self.settings.probe && self.home().is_some() && !self.schedule.is_window_full(now.boot);
        (may_probe && self.clock.is_suspect() && self.schedule.reached_nobody()).then_some(until)
    }

    /// The questions to NTP servers that are due.
    pub(super) fn ntp_queries(&mut self, now: Now) -> Vec<NtpOrder> {
        if self.home().is_none() {
            return Vec::new();
        }
        if self.ntp.follow(&self.settings.ntp, now.boot) {
            // The answers of removed servers don't count.
            self.refine_with_ntp(now);
        }
        // The local clock alone would not help: it may be in another NTP era.
        let about = if self.clock.is_known() { self.clock.best(now) } else { AwsTime::from_millis(0) };
        self.ntp.due(about, now.boot)
    }

    /// When the next question to an NTP server is due.
    pub(super) fn next_ntp_query(&self) -> Due<()> {
        Due::at(Timer::NtpQuery, self.ntp.next_query().filter(|_| self.home().is_some()))
    }

    /// The notice about the clock skew that is due, for the grade of this pass.
    pub(super) fn skew_notice(&mut self, grade: Grade, now: Now) -> Option<Notice> {
        self.notices.update(&self.clock, grade, now)
    }

    fn ranks_higher(&self, endpoint: &Endpoint) -> bool {
        self.clock.rank().is_some_and(|rank| rank_of(endpoint) > rank)
    }

    /// The number of endpoints that rank higher than the source of the estimate.
    fn count_higher<'a>(&self, in_use: impl Fn() -> Vec<&'a Endpoint>) -> usize {
        if self.clock.rank() == Some(Trust::Authenticated) {
            return 0;
        }
        in_use().into_iter().filter(|endpoint| self.ranks_higher(endpoint)).count()
    }

    fn next_endpoint<'a>(&self, is_outranked: bool, in_use: impl Fn() -> Vec<&'a Endpoint>) -> Option<Endpoint> {
        self.home()?;
        self.sources.next(in_use(), is_outranked, self.schedule.failed())
    }
}

/// What `status` and `evercred clock` show.
impl TimeMonitor {
    /// Why the last probe brought no answer.
    pub(super) fn probe_error(&self) -> Option<&str> {
        self.schedule.error()
    }

    /// The last answer of each endpoint that is not believed.
    pub(super) fn disbelieved(&self) -> impl Iterator<Item = (&Endpoint, Sample)> {
        self.sources.disbelieved()
    }

    /// The last answer of each NTP server; `None` before the first one.
    pub(super) fn ntp_heard(&self) -> impl Iterator<Item = (&NtpServer, Option<&NtpHeard>)> {
        self.ntp.heard()
    }

    /// The warning about the clock skew.
    pub(super) fn warning(&self, now: Now) -> Option<Warning> {
        skew::warning(&self.clock, self.settings.warn, now)
    }
}
