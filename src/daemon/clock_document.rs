//! The clock document: the clock skew, the source of AWS time, and the drift with its consequences.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::core::clock::{Clock, Grade, LIMITS, Reading, Sample, Trust};
use crate::core::keeper::{Keeper, NtpHeard, describe_crossing};
use crate::core::ntp::NtpAnswer;
use crate::core::plan::Endpoint;
use crate::core::settings::NtpServer;
use crate::core::time::{AwsTime, BootTime, Now, span_from_millis};
use crate::core::timekeeping::{self, Fix, KernelClock, Place, TimeKeeping, ZoneMistake};

/// The source of AWS time; `None` while it is unknown.
pub(super) fn source(clock: &Clock) -> Option<&'static str> {
    if clock.is_known() { Some(AWS_SAID) } else { clock.is_known_by_ntp().then_some("NTP; AWS has not answered yet") }
}

const AWS_SAID: &str = "the Date of AWS's answers";

/// `evercred.clock/1`.
pub(super) fn document(keeper: &Keeper, facts: &TimeKeeping, warn: TimeDelta, now: Now) -> Value {
    let clock = keeper.clock();
    let (offset, uncertainty) = clock.wall_error(now);
    let known = |delta: TimeDelta| source(clock).map(|_| seconds(delta));
    let crossings = clock.crossings(now);
    let (drift, drift_uncertainty) = clock.drift().map(|drift| drift.middle()).unzip();
    let history: Vec<Value> = clock
        .readings()
        .map(|Reading { at, lowest, highest }| {
            let (middle, half) = (lowest.midpoint(highest), highest.saturating_sub(lowest) / 2);
            json!({
                "at": as_of(clock, at, now).to_rfc3339(),
                "offset_seconds": seconds(span_from_millis(middle)),
                "uncertainty_seconds": seconds(span_from_millis(half)),
            })
        })
        .collect();
    let fix = |fix: Fix| json!({"text": fix.text, "command": fix.command});
    let fixes: Vec<Value> = fixes(facts, keeper, now).into_iter().map(fix).collect();
    let disbelieved = keeper.disbelieved().map(|(endpoint, sample)| outranked(endpoint, sample, clock, now));
    let by_ntp = keeper.ntp_heard().map(|(server, heard)| ntp(server, heard, clock, now));
    let sources: Vec<Value> = std::iter::once(aws(keeper, now))
        .chain(disbelieved)
        .chain(by_ntp)
        .chain([kernel(facts, clock, warn, now)])
        .collect();
    json!({
        "schema": "evercred.clock/1",
        "state": clock.grade(now, warn).name(),
        "offset_seconds": known(offset),
        "uncertainty_seconds": known(uncertainty),
        "source": source(clock),
        "measured_at": clock.heard_at().map(|at| as_of(clock, at, now).to_rfc3339()),
        "now": clock.best(now).to_rfc3339(),
        "drift_ppm": drift.map(ppm),
        "drift_uncertainty_ppm": drift_uncertainty.map(ppm),
        "crosses_limit_in_seconds": crossings.first().map(|crossing| crossing.after.num_seconds()),
        "predictions": crossings.iter().map(describe_crossing).collect::<Vec<String>>(),
        "limits": LIMITS.map(|limit| json!({"seconds": limit.size.num_seconds(), "who": limit.who})),
        "sources": sources,
        "synchronisation": synchronisation(facts),
        "zone": zone(facts, keeper, now),
        "fix": fixes,
        "history": history,
    })
}

/// What AWS said, and whether it was believed.
fn aws(keeper: &Keeper, now: Now) -> Value {
    let clock = keeper.clock();
    let (offset, uncertainty) = clock.wall_error_by_aws(now);
    let said = match (clock.heard_at(), clock.is_known(), clock.is_suspect()) {
        (Some(_), _, true) => "the Date of its answers; a later event makes a new probe necessary",
        (Some(_), _, false) => AWS_SAID,
        (None, true, _) => "nothing yet; these values are from before the daemon was stopped",
        (None, false, _) => "nothing plausible yet",
    };
    json!({
        "name": "AWS",
        "kind": "aws",
        "said": said,
        "offset_seconds": clock.is_known().then(|| seconds(offset)),
        "uncertainty_seconds": clock.is_known().then(|| seconds(uncertainty)),
        "rank": clock.rank().map(Trust::name),
        "believed": clock.is_known(),
        "why": (!clock.is_known()).then(|| keeper.probe_error().unwrap_or("AWS has not answered yet")),
        "at": clock.heard_at().map(|at| as_of(clock, at, now).to_rfc3339()),
    })
}

/// An endpoint's time that is not believed.
fn outranked(endpoint: &Endpoint, sample: Sample, clock: &Clock, now: Now) -> Value {
    let (offset, uncertainty) = clock.by_sample(sample, now);
    let why = match clock.rank().filter(|rank| *rank > sample.trust) {
        Some(Trust::Authenticated) => "it contradicts AWS time from a TLS connection",
        Some(_) => "it contradicts an endpoint with TLS",
        None => "it contradicts an endpoint that answered earlier",
    };
    json!({
        "name": endpoint.url.as_deref().unwrap_or(&endpoint.region),
        "kind": "endpoint",
        "said": AWS_SAID,
        "offset_seconds": seconds(offset),
        "uncertainty_seconds": seconds(uncertainty),
        "rank": sample.trust.name(),
        "believed": false,
        "why": why,
        "at": as_of(clock, sample.received, now).to_rfc3339(),
    })
}

/// What an NTP server said, and whether it was believed.
fn ntp(server: &NtpServer, heard: Option<&NtpHeard>, clock: &Clock, now: Now) -> Value {
    let (said, offset, why) = match heard.map(|heard| &heard.said) {
        None => ("nothing yet".to_owned(), None, Some("it has not answered yet")),
        Some(Ok(answer)) => {
            let offset = clock.by_ntp(answer, now);
            let error = answer.root_error.num_milliseconds();
            let said = format!("its time, from {} (its own error bound: {error} ms)", stratum(answer));
            (said, Some(offset), offset.why_not)
        }
        Some(Err(problem)) => (problem.to_string(), None, Some("it gave no time that can be used")),
    };
    json!({
        "name": server.to_string(),
        "kind": "ntp",
        "said": said,
        "offset_seconds": offset.map(|offset| seconds(offset.error)),
        "uncertainty_seconds": offset.map(|offset| seconds(offset.uncertainty)),
        "believed": why.is_none(),
        "why": why,
        "at": heard.map(|heard| as_of(clock, heard.at, now).to_rfc3339()),
    })
}

fn stratum(answer: &NtpAnswer) -> String {
    match answer.stratum {
        1 => "a reference clock of its own".to_owned(),
        stratum => format!("a reference clock {} servers away", stratum - 1),
    }
}

/// AWS's time at an earlier moment, by what is known now.
pub(super) fn as_of(clock: &Clock, at: BootTime, now: Now) -> AwsTime {
    clock.best(now) - (now.boot - at)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days fit into 53 bits")]
pub(super) fn seconds(delta: TimeDelta) -> f64 {
    delta.num_milliseconds() as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown to a person")]
fn ppm(parts_per_billion: i64) -> f64 {
    parts_per_billion as f64 / 1_000.0
}

/// What the kernel says of its clock, and whether AWS agrees.
fn kernel(facts: &TimeKeeping, clock: &Clock, warn: TimeDelta, now: Now) -> Value {
    let (said, why) = match &facts.kernel {
        KernelClock::Synchronised { max_error } => {
            let is_wrong = clock.grade(now, warn) > Grade::Ok;
            (
                format!("this clock is right within {} ms", max_error.num_milliseconds()),
                is_wrong.then(|| format!("{} say otherwise", source(clock).unwrap_or("others"))),
            )
        }
        KernelClock::Unsynchronised => ("no time service synchronises this clock".to_owned(), None),
        KernelClock::Unknown(why) => ("nothing".to_owned(), Some(why.clone())),
    };
    json!({
        "name": "kernel",
        "kind": "kernel",
        "said": said,
        "offset_seconds": null,
        "uncertainty_seconds": null,
        "believed": why.is_none(),
        "why": why,
        "at": clock.best(now).to_rfc3339(),
    })
}

fn synchronisation(facts: &TimeKeeping) -> Value {
    json!({
        "keeper": facts.keeper.to_string(),
        "running": facts.runs,
        "kernel_synchronised": match facts.kernel {
            KernelClock::Synchronised { .. } => Some(true),
            KernelClock::Unsynchronised => Some(false),
            KernelClock::Unknown(_) => None,
        },
        "place": place(&facts.place),
        "said": facts.said(),
    })
}

fn zone(facts: &TimeKeeping, keeper: &Keeper, now: Now) -> Value {
    json!({
        "name": facts.zone,
        "offset_seconds": facts.local_offset.num_seconds(),
        "finding": zone_mistake_of(facts, keeper, now).map(|mistake| mistake.to_string()),
    })
}

/// What to do about the clock on this machine, the first thing first; nothing while there is nothing to do.
pub(super) fn fixes(facts: &TimeKeeping, keeper: &Keeper, now: Now) -> Vec<Fix> {
    if keeper.clock_warning(now).is_none() {
        return Vec::new();
    }
    let (offset, _) = keeper.clock().wall_error(now);
    zone_mistake_of(facts, keeper, now)
        .map_or_else(|| timekeeping::fixes(facts, offset), |mistake| mistake.fixes(facts, offset))
}

fn zone_mistake_of(facts: &TimeKeeping, keeper: &Keeper, now: Now) -> Option<ZoneMistake> {
    let (offset, uncertainty) = keeper.clock().wall_error(now);
    keeper.clock_warning(now).and_then(|_| timekeeping::zone_mistake(offset, uncertainty, facts))
}

fn place(place: &Place) -> &'static str {
    match place {
        Place::Linux => "linux",
        Place::Wsl1 => "wsl1",
        Place::Wsl2 => "wsl2",
        Place::VirtualMachine(_) => "virtual-machine",
        Place::Container => "container",
        Place::MacOs => "macos",
    }
}
