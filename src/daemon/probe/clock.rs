//! What is known of this machine's clock: one unsigned look at AWS's time, time servers where AWS can't be heard, and what
//! this machine itself says of its timekeeping.

use std::sync::PoisonError;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::{Prober, answer, timed_out};
use crate::adapters::{ntp, timekeeping};
use crate::core::aws_error::{self, Fault, Operation};
use crate::core::clock::{SavedClock, Trust};
use crate::core::doctor::probe::ClockFacts;
use crate::core::keeper::{Outcome, ProbeOrder, Ticket};
use crate::core::plan::Endpoint;
use crate::core::settings::NtpServer;
use crate::core::time::span_of;
use crate::core::timekeeping::{KernelClock, Place, TimeKeeping, fixes, keeper_fixes, zone_mistake};
use crate::daemon::clock_document::seconds;
use crate::daemon::now;

/// Time servers answer within tenths of a second, or not at all.
const NTP: Duration = Duration::from_millis(1_500);
/// More are not asked: a person waits.
const MOST_SERVERS: usize = 2;
/// For the look at AWS's time.
const LONGEST_LOOK: Duration = Duration::from_secs(3);
static OPERATION: Operation = Operation::new("asking AWS for the time");

/// Looks, and keeps what was found for the calls that follow.
pub(super) async fn look(
    prober: &Prober,
    look_at: Option<Endpoint>,
    servers: &[String],
    known: Option<(f64, f64)>,
) -> ClockFacts {
    let environment = prober.environment.clone();
    let machine = tokio::task::spawn_blocking(move || timekeeping::look(&environment));
    let unreached = match &look_at {
        None => None,
        Some(endpoint) => at_aws(prober, endpoint).await.err(),
    };
    let mut source = (look_at.is_some() && unreached.is_none()).then(|| "the Date of AWS's answer".to_owned());
    // What the daemon knows AWS has said, if some time ago; time servers are nobody's word but their own.
    if source.is_none() {
        source = known.filter(|known| restore(prober, *known)).map(|_| "the daemon".to_owned());
    }
    if source.is_none() && unreached.is_some() {
        source = at_time_servers(prober, servers).await;
    }
    let mut facts =
        ClockFacts { source, unreached: unreached.map(|fault| answer::refusal(fault, None)), ..ClockFacts::default() };
    let clock = prober.clock.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let at = now();
    let error = facts.source.is_some().then(|| clock.wall_error(at));
    (facts.offset_seconds, facts.uncertainty_seconds) =
        error.map(|(offset, uncertainty)| (seconds(offset), seconds(uncertainty))).unzip();
    if let Ok(machine) = machine.await {
        take_machine(&mut facts, &machine, error);
    }
    facts
}

/// The `Date` of an answer to nothing in particular.
async fn at_aws(prober: &Prober, endpoint: &Endpoint) -> Result<(), Fault> {
    let order = ProbeOrder { ticket: Ticket(0), endpoint: endpoint.clone() };
    let look = async {
        match prober.asker.time(order).await {
            (Outcome::Failed(fault), _) => Err(fault),
            (_, samples) => Ok(samples),
        }
    };
    // The calls behind it need some time too.
    let longest = LONGEST_LOOK.min(prober.left() / 2);
    let samples = tokio::time::timeout(longest, look).await.unwrap_or_else(|_| Err(timed_out(&OPERATION, longest)))?;
    prober.observe(&samples);
    let heard = prober.clock.lock().unwrap_or_else(PoisonError::into_inner).is_known();
    if heard && !samples.is_empty() {
        return Ok(());
    }
    let why = "an answer had no plausible Date";
    Err(aws_error::fault(&OPERATION, None, Some(aws_error::INVALID_RESPONSE), Some(why)))
}

/// Takes up what the daemon knows: this machine's clock minus AWS's time, and how far that may be off.
fn restore(prober: &Prober, (offset, uncertainty): (f64, f64)) -> bool {
    if !offset.is_finite() || !uncertainty.is_finite() {
        return false;
    }
    let at = now();
    let [offset, uncertainty] = [offset, uncertainty.abs()].map(|seconds| span_of(seconds).num_milliseconds());
    let middle = at.wall.as_millis().saturating_sub(at.boot.as_millis()).saturating_sub(offset);
    let saved = SavedClock {
        lowest_ms: middle.saturating_sub(uncertainty),
        highest_ms: middle.saturating_add(uncertainty),
        as_of: at.boot,
        suspended_ms: at.suspended.num_milliseconds(),
        // The daemon's number: a new answer may outrank it.
        trust: Trust::Configured,
    };
    prober.clock.lock().unwrap_or_else(PoisonError::into_inner).restore(saved, at);
    true
}

/// Asks time servers one after the other until one is believed, and says which.
async fn at_time_servers(prober: &Prober, servers: &[String]) -> Option<String> {
    for name in servers.iter().take(MOST_SERVERS) {
        let Ok(server) = serde_json::from_value::<NtpServer>(json!(name)) else { continue };
        let about = prober.clock.lock().unwrap_or_else(PoisonError::into_inner).best(now());
        let Ok(Ok(answer)) = tokio::time::timeout(NTP.min(prober.left() / 2), ntp::ask(&server, about)).await else {
            continue;
        };
        let mut clock = prober.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.take_ntp(std::iter::once(&answer), now());
        if clock.is_known_by_ntp() {
            return Some(format!("NTP ({server})"));
        }
    }
    None
}

fn take_machine(facts: &mut ClockFacts, machine: &TimeKeeping, error: Option<(TimeDelta, TimeDelta)>) {
    facts.kernel_synchronised = match machine.kernel {
        KernelClock::Synchronised { .. } => Some(true),
        KernelClock::Unsynchronised => Some(false),
        KernelClock::Unknown(_) => None,
    };
    facts.keeper = machine.said();
    // One that is off by less than can be told is not off.
    if let Some((offset, uncertainty)) = error.filter(|(offset, uncertainty)| offset.abs() > *uncertainty) {
        let mistake = zone_mistake(offset, uncertainty, machine);
        facts.fixes = match &mistake {
            Some(mistake) => mistake.fixes(machine, offset),
            None => fixes(machine, offset),
        };
        facts.zone_mistake = mistake.map(|mistake| mistake.to_string());
    }
    // A container's clock is its host's to keep.
    if machine.kernel == KernelClock::Unsynchronised && machine.place != Place::Container {
        facts.keeper_fixes = keeper_fixes(machine);
    }
}
