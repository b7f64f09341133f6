//! The monitor alone, without a keeper.

use super::*;
use crate::core::time::WallTime;

const EPOCH: i64 = 1_790_000_000_000;

/// So many seconds after the start, with a local clock that is so many seconds ahead of AWS.
fn at(seconds: i64, ahead: i64) -> Now {
    let boot = BootTime::from_millis(seconds * 1_000);
    Now { boot, wall: WallTime::from_millis(EPOCH + (seconds + ahead) * 1_000), suspended: TimeDelta::zero() }
}

fn endpoint(url: Option<&str>) -> Endpoint {
    let url = url.map(str::to_owned);
    Endpoint { region: "us-east-1".into(), url, fips: false, dual_stack: false, ca_bundle: None }
}

fn monitor() -> TimeMonitor {
    let settings = TimeSettings { probe: true, ntp: Vec::new(), warn: TimeDelta::seconds(60) };
    let mut time = TimeMonitor::new(settings, Clock::new(at(0, 0), false));
    time.set_home(endpoint(None));
    time
}

/// An answer that came at this second and says that AWS's clock is so many seconds fast.
fn sample(seconds: i64, fast: i64, trust: Trust) -> Sample {
    let boot = BootTime::from_millis(seconds * 1_000);
    Sample { date: AwsTime::from_millis(EPOCH + (seconds + fast) * 1_000), sent: boot, received: boot, trust }
}

/// Makes the probe that is due before a call.
fn probe(time: &mut TimeMonitor, endpoint: &Endpoint, now: Now) -> ProbeReason {
    let due = time.probe_before(Some(Service::Sts), endpoint, || vec![endpoint], now);
    let Some(Due::Now(probe)) = due else { panic!("{due:?}") };
    time.probe_begins(&probe, now);
    probe.reason
}

#[test]
fn a_doubt_costs_one_probe_and_then_calls_go_on_without_an_answer() {
    let (mut time, aws) = (monitor(), endpoint(None));
    assert_eq!(probe(&mut time, &aws, at(0, 0)), ProbeReason::Doubt);
    assert_eq!(time.probe_before(None, &aws, || vec![&aws], at(1, 0)), Some(Due::OnEvent), "it is under way");
    time.probe_ended(None);
    assert_eq!(time.probe_before(None, &aws, || vec![&aws], at(2, 0)), None);
    time.disturbed(Disturbance::Resume, at(3, 0));
    assert_eq!(probe(&mut time, &aws, at(3, 0)), ProbeReason::Doubt);
}

#[test]
fn an_answer_that_contradicts_the_estimate_counts_once_it_is_confirmed() {
    let (mut time, aws) = (monitor(), endpoint(None));
    assert_eq!(time.observe(sample(0, 0, Trust::Authenticated), &aws, at(0, 0)).0, Verdict::Accepted);
    assert!(time.is_trusted());
    assert_eq!(time.observe(sample(9, 3_600, Trust::Authenticated), &aws, at(9, 0)).0, Verdict::NeedsConfirmation);
    assert!(!time.is_trusted());
    time.confirm_at(aws.clone());
    assert_eq!(time.confirmation().map(|probe| probe.reason), Some(ProbeReason::Confirmation));
    assert_eq!(time.confirmation(), None, "it is requested once");
    assert_eq!(time.observe(sample(10, 3_600, Trust::Authenticated), &aws, at(10, 0)).0, Verdict::NewEpoch);
    assert!(time.is_trusted());
}

#[test]
fn the_next_routine_probe_is_an_hour_after_the_last_answer() {
    let (mut time, aws) = (monitor(), endpoint(None));
    time.observe(sample(5, 0, Trust::Authenticated), &aws, at(5, 0));
    let outlook = time.outlook(Grade::Ok, || vec![&aws], at(6, 0));
    assert_eq!(outlook.probe, Due::Later(Timer::TimeProbe, at(3_605, 0).boot));
    assert!(!outlook.is_in_doubt);
}

#[test]
fn a_call_to_aws_is_preceded_by_a_probe_while_only_an_emulator_was_heard() {
    let (mut time, emulator, aws) = (monitor(), endpoint(Some("http://127.0.0.1:4566")), endpoint(None));
    time.observe(sample(0, 0, Trust::Configured), &emulator, at(0, 0));
    assert_eq!(time.probe_before(Some(Service::Sts), &emulator, Vec::new, at(1, 0)), None);
    assert_eq!(probe(&mut time, &aws, at(1, 0)), ProbeReason::HigherRank);
    time.probe_ended(None);
    assert_eq!(time.probe_before(Some(Service::Sts), &aws, Vec::new, at(60, 0)), None, "not twice in five minutes");
}

#[test]
fn a_skew_raises_one_notice_and_its_correction_clears_it() {
    let (mut time, aws) = (monitor(), endpoint(None));
    time.clock_jumped(at(1, 900));
    time.observe(sample(2, 0, Trust::Authenticated), &aws, at(2, 900));
    let notice = |time: &mut TimeMonitor, now| {
        let grade = time.settle(now);
        time.skew_notice(grade, now).map(|notice| notice.is_over)
    };
    assert_eq!(notice(&mut time, at(3, 900)), Some(false));
    assert_eq!(notice(&mut time, at(4, 900)), None);
    assert_eq!(notice(&mut time, at(5, 0)), Some(true));
}
