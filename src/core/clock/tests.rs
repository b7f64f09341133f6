use proptest::prelude::*;

use super::*;
use crate::core::time::WallTime;

const EPOCH: i64 = 1_790_000_000_000;

fn at(boot: i64, wall: i64) -> Now {
    Now { boot: BootTime::from_millis(boot), wall: WallTime::from_millis(wall), suspended: TimeDelta::zero() }
}

fn sample(date: i64, sent: i64, received: i64) -> Sample {
    Sample {
        date: AwsTime::from_millis(date.div_euclid(1000) * 1000),
        sent: BootTime::from_millis(sent),
        received: BootTime::from_millis(received),
        trust: Trust::Authenticated,
    }
}

fn holds(clock: &Clock, now: Now, truth: i64) -> bool {
    let AwsInterval { earliest, latest } = clock.aws_now(now);
    earliest.as_millis() <= truth && truth <= latest.as_millis()
}

#[test]
fn a_wall_clock_hours_off_is_forgotten_with_the_first_answer() {
    let mut clock = Clock::new(at(1_000, EPOCH + 7_200_000), false);
    assert_eq!(clock.observe(sample(EPOCH, 1_000, 1_100), at(1_100, EPOCH + 7_200_100)), Verdict::Accepted);
    let (error, uncertainty) = clock.wall_error(at(1_100, EPOCH + 7_200_100));
    assert!((error.num_seconds() - 7_200).abs() <= 2 && uncertainty.num_seconds() <= 2, "{error} {uncertainty}");
    assert_eq!(clock.grade(at(1_100, EPOCH + 7_200_100), TimeDelta::seconds(60)), Grade::Critical);
}

#[test]
fn a_lone_liar_changes_nothing_and_a_confirmed_one_begins_an_epoch() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    assert_eq!(clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH)), Verdict::Accepted);
    assert_eq!(clock.observe(sample(EPOCH + 900_000, 100, 150), at(150, EPOCH)), Verdict::NeedsConfirmation);
    assert!(clock.is_suspect());
    assert_eq!(clock.observe(sample(EPOCH + 200, 200, 250), at(250, EPOCH)), Verdict::Accepted);
    assert!(!clock.is_suspect() && holds(&clock, at(250, EPOCH), EPOCH + 250));
    // A paused machine: both answers agree with each other and not with the old estimate.
    assert_eq!(clock.observe(sample(EPOCH + 900_000, 300, 350), at(350, EPOCH)), Verdict::NeedsConfirmation);
    assert_eq!(clock.observe(sample(EPOCH + 900_100, 400, 450), at(450, EPOCH)), Verdict::NewEpoch);
    assert!(holds(&clock, at(450, EPOCH), EPOCH + 900_150));
}

#[test]
fn after_a_forward_step_of_the_wall_clock_a_pause_is_possible_and_nothing_is_certain() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH + 50));
    assert!(clock.notice(at(100, EPOCH + 3_600_100)));
    let soon = AwsTime::from_millis(EPOCH + 1_800_000);
    assert_eq!(clock.judge(soon, at(100, EPOCH + 3_600_100)), Expiry::Unknown);
    assert!(!clock.notice(at(200, EPOCH + 3_600_200)), "the same step is noticed once");
}

fn http(sample: Sample) -> Sample {
    Sample { trust: Trust::Configured, ..sample }
}

#[test]
fn an_emulator_never_moves_what_was_heard_over_tls() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    assert_eq!(clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH)), Verdict::Accepted);
    for turn in 1..20 {
        let boot = turn * 1_000;
        let now = at(boot + 50, EPOCH + boot + 50);
        for off in [-120_000, 3_600_000] {
            let emulator = http(sample(EPOCH + boot + off, boot, boot + 50));
            assert_eq!(clock.observe(emulator, now), Verdict::Outranked);
            assert!((clock.by_sample(emulator, now).0.num_milliseconds() + off).abs() < 2_000);
        }
        assert_eq!(clock.observe(http(sample(EPOCH + boot, boot, boot + 50)), now), Verdict::Ignored);
        assert!(!clock.is_suspect() && holds(&clock, now, EPOCH + boot + 50));
    }
}

#[test]
fn an_emulator_alone_is_believed_until_aws_is_heard_over_tls() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    assert_eq!(clock.observe(http(sample(EPOCH + 3_600_000, 0, 50)), at(50, EPOCH)), Verdict::Accepted);
    assert_eq!(clock.rank(), Some(Trust::Configured));
    assert_eq!(clock.observe(sample(EPOCH, 100, 150), at(150, EPOCH)), Verdict::Accepted);
    assert!(!clock.is_suspect() && holds(&clock, at(150, EPOCH), EPOCH + 150));
    assert_eq!(clock.observe(http(sample(EPOCH + 3_600_000, 200, 250)), at(250, EPOCH)), Verdict::Outranked);
    // The rank survives a restart.
    let saved = clock.save(at(300, EPOCH)).unwrap();
    let mut next = Clock::new(at(400, EPOCH), false);
    next.restore(saved, at(400, EPOCH));
    assert_eq!(next.observe(http(sample(EPOCH + 3_600_000, 400, 450)), at(450, EPOCH)), Verdict::Outranked);
}

#[test]
fn an_endpoint_with_tls_ranks_between_plain_http_and_aws() {
    let now = |boot| at(boot, EPOCH + boot);
    let of = |trust, off: i64, at: i64| Sample { trust, ..sample(EPOCH + at + off, at, at + 50) };
    let mut clock = Clock::new(now(0), false);
    assert_eq!(clock.observe(of(Trust::Configured, -120_000, 1_000), now(1_050)), Verdict::Accepted);
    assert_eq!(clock.observe(of(Trust::ConfiguredTls, 3_600_000, 2_000), now(2_050)), Verdict::Accepted);
    assert_eq!(clock.observe(of(Trust::Configured, -120_000, 3_000), now(3_050)), Verdict::Outranked);
    assert_eq!(clock.observe(of(Trust::Authenticated, 0, 4_000), now(4_050)), Verdict::Accepted);
    for round in 5..20 {
        let lie = of(Trust::ConfiguredTls, 3_600_000, round * 1_000);
        assert_eq!(clock.observe(lie, now(round * 1_000 + 50)), Verdict::Outranked);
    }
    assert!(holds(&clock, now(30_000), EPOCH + 30_000) && !clock.is_suspect());
}

#[test]
fn two_servers_that_disagree_stop_flipping_the_clock_after_two_epochs() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let mut epochs = Vec::new();
    for turn in 0..600 {
        let boot = turn * 1_000;
        // Three answers of the one, three of the other.
        let off = if turn / 3 % 2 == 0 { 0 } else { 3_600_000 };
        if clock.observe(http(sample(EPOCH + boot + off, boot, boot + 50)), at(boot + 50, EPOCH + boot + 50))
            == Verdict::NewEpoch
        {
            epochs.push(boot);
        }
    }
    assert_eq!(epochs.len(), 2, "{epochs:?}");
    assert!(holds(&clock, at(600_000, EPOCH + 600_000), EPOCH + 600_000), "the first one is held");
}

#[test]
fn an_unauthenticated_answer_is_ignored() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let portal = Sample { trust: Trust::Unauthenticated, ..sample(EPOCH, 0, 50) };
    assert_eq!(clock.observe(portal, at(50, EPOCH)), Verdict::Ignored);
    assert!(!clock.is_known());
}

#[test]
fn a_saved_estimate_comes_back_wider_and_suspect() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH));
    let saved = clock.save(at(60, EPOCH)).unwrap();
    let mut later = Clock::new(at(4_000_000, EPOCH - 1), false);
    later.restore(saved, at(4_000_000, EPOCH - 1));
    assert!(later.is_known() && later.is_suspect() && holds(&later, at(4_000_000, EPOCH - 1), EPOCH + 4_000_000));
}

#[test]
fn an_expiry_is_told_as_a_wrong_clock_will_show_it() {
    let mut clock = Clock::new(at(0, EPOCH + 600_000), false);
    let now = at(50, EPOCH + 600_050);
    let _ = clock.observe(sample(EPOCH, 0, 50), now);
    let told = clock.for_local_reader(AwsTime::from_millis(EPOCH + 3_600_000), now, TimeDelta::seconds(60));
    let wanted = AwsTime::from_millis(EPOCH + 4_200_000).as_millis();
    let told = chrono::DateTime::parse_from_rfc3339(&told).unwrap().timestamp_millis();
    assert!((told - wanted).abs() <= 2_000, "{told} {wanted}");
}

#[test]
fn an_answer_from_before_a_pause_that_comes_after_it_is_not_believed() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH + 50));
    // Sent, answered by AWS, and then the machine stood still for an hour; something set the wall clock right.
    let hour = 3_600_000;
    let now = at(1_100, EPOCH + hour + 1_100);
    assert!(clock.notice(now));
    assert_eq!(clock.observe(sample(EPOCH + 1_000, 1_000, 1_100), now), Verdict::Ignored);
    assert!(clock.is_suspect());
    assert_eq!(clock.judge(AwsTime::from_millis(EPOCH + hour / 2), now), Expiry::Unknown);
    let now = at(1_200, EPOCH + hour + 1_200);
    let _ = clock.observe(sample(EPOCH + hour + 1_150, 1_110, 1_200), now);
    assert!(!clock.is_suspect() && holds(&clock, now, EPOCH + hour + 1_200));
}

#[test]
fn answers_that_were_on_their_way_do_not_refute_a_contradiction() {
    let mut clock = Clock::new(at(0, EPOCH), false);
    let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH + 50));
    // A pause that no clock of this machine shows, with two answers on their way.
    let hour = 3_600_000;
    assert_eq!(clock.observe(sample(EPOCH + hour, 100, 300), at(300, EPOCH + 300)), Verdict::NeedsConfirmation);
    assert_eq!(clock.observe(sample(EPOCH, 90, 310), at(310, EPOCH + 310)), Verdict::Ignored);
    assert!(clock.is_suspect());
    assert_eq!(clock.observe(sample(EPOCH + hour, 320, 350), at(350, EPOCH + 350)), Verdict::NewEpoch);
    assert!(holds(&clock, at(350, EPOCH + 350), EPOCH + hour + 350));
    // Two more that come late don't begin the old epoch again.
    for sent in [95, 200] {
        assert_eq!(clock.observe(sample(EPOCH, sent, 360), at(360, EPOCH + 360)), Verdict::Ignored);
    }
    assert!(holds(&clock, at(360, EPOCH + 360), EPOCH + hour + 360));
}

#[test]
fn a_pause_that_ends_with_a_wall_clock_set_right_is_possible_however_wrong_it_was() {
    for wrong_by in [-7_200_000, -600_000, 0, 600_000, 7_200_000] {
        let mut clock = Clock::new(at(0, EPOCH + wrong_by), false);
        let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH + wrong_by + 50));
        let pause = 3_600_000;
        let now = at(100, EPOCH + pause + 100);
        assert!(clock.notice(now));
        assert!(holds(&clock, now, EPOCH + pause + 100), "off by {wrong_by} ms before");
    }
}

#[test]
fn many_small_moves_allow_for_as_much_drift_as_one_large_one() {
    let begin = Offset { lowest: 0, highest: 0, as_of: BootTime::from_millis(0) };
    let mut moved = begin;
    for boot in (0..=1_000_000).step_by(700) {
        moved = moved.at(BootTime::from_millis(boot));
    }
    let whole = begin.at(moved.as_of);
    assert!(moved.lowest <= whole.lowest && moved.highest >= whole.highest && whole.highest >= 499);
}

const WARN: TimeDelta = TimeDelta::seconds(60);

#[test]
fn a_grade_stays_while_nothing_else_is_certain() {
    let mut clock = Clock::new(at(0, EPOCH + 70_000), false);
    let now = at(50, EPOCH + 70_050);
    let _ = clock.observe(sample(EPOCH, 0, 50), now);
    assert_eq!(clock.settle(now, WARN), Grade::Notice);
    // Set to something within the threshold, but not so far that it is certain.
    for (off, wanted) in [(58_000, Grade::Notice), (55_000, Grade::Notice), (40_000, Grade::Ok), (59_000, Grade::Ok)] {
        let now = at(100, EPOCH + off + 100);
        let _ = clock.notice(now);
        let _ = clock.observe(sample(EPOCH + 100, 100, 100), now);
        assert_eq!(clock.settle(now, WARN), wanted, "{off}");
    }
}

proptest! {
    #[test]
    fn a_clock_that_stays_about_a_threshold_is_told_of_once(
        threshold in prop_oneof![Just(60_000i64), Just(300_000), Just(900_000)],
        ahead: bool,
        hover in proptest::collection::vec((-2_500i64..2_500, 0i64..2_000, 0i64..60_000), 2..60),
    ) {
        let mut clock = Clock::new(at(0, EPOCH), false);
        let (mut boot, mut changes, mut before) = (0, 0, Grade::Unknown);
        for (off, round_trip, pause) in hover {
            boot += pause;
            let size = threshold + off;
            let wall = EPOCH + boot + if ahead { size } else { -size };
            let _ = clock.notice(at(boot, wall));
            let _ = clock.observe(sample(EPOCH + boot + round_trip / 2, boot, boot + round_trip), at(boot + round_trip, wall + round_trip));
            boot += round_trip;
            let grade = clock.settle(at(boot, wall + round_trip), WARN);
            if grade != before { changes += 1; }
            before = grade;
        }
        // Unknown, then below it, then past it for good.
        prop_assert!(changes <= 2, "{changes}");
    }

    #[test]
    fn the_true_offset_is_always_inside(
        steps in proptest::collection::vec((0i64..7_200_000, 0i64..3_000, 0i64..1000, 0i64..1000, -3_600_000i64..3_600_000), 1..40),
        drift_ppm in -400i64..400,
    ) {
        let truth = |boot: i64| EPOCH + boot + boot / 1000 * drift_ppm / 1000;
        let mut wall_step = 0;
        let mut clock = Clock::new(at(0, EPOCH), false);
        let mut boot = 0;
        for (pause, round_trip, share, cached, step) in steps {
            boot += pause;
            if step % 7 == 0 { wall_step += step; }
            let _ = clock.notice(at(boot, truth(boot) + wall_step));
            let server = boot + round_trip * share / 1000;
            let heard = sample(truth(server) - cached, boot, boot + round_trip);
            boot += round_trip;
            let verdict = clock.observe(heard, at(boot, truth(boot) + wall_step));
            prop_assert_eq!(verdict, Verdict::Accepted);
            prop_assert!(holds(&clock, at(boot, truth(boot) + wall_step), truth(boot)));
        }
    }

    #[test]
    fn after_a_pause_the_truth_is_inside_from_the_confirmed_answer_on(pause in 10_000i64..900_000_000, steps_wall: bool) {
        let mut clock = Clock::new(at(0, EPOCH), false);
        let _ = clock.observe(sample(EPOCH, 0, 50), at(50, EPOCH));
        let wall = if steps_wall { EPOCH + pause } else { EPOCH };
        let _ = clock.notice(at(100, wall + 100));
        for turn in 2..4 {
            let boot = turn * 100;
            let _ = clock.observe(sample(EPOCH + pause + boot, boot, boot + 50), at(boot + 50, wall + boot));
        }
        prop_assert!(holds(&clock, at(400, wall + 400), EPOCH + pause + 400));
        prop_assert!(!clock.is_suspect());
    }

    #[test]
    fn extreme_readings_do_not_overflow(boot: i64, wall: i64, date in -8_000_000_000_000_000i64..8_000_000_000_000_000, sent: i64) {
        let now = at(boot / 4, wall / 4);
        let mut clock = Clock::new(now, true);
        let _ = clock.observe(sample(date, sent / 4, boot / 4), now);
        let saved = SavedClock { lowest_ms: i64::MIN, highest_ms: i64::MAX, as_of: now.boot, suspended_ms: 0, trust: Trust::Configured };
        for _ in 0..2 {
            let _ = (clock.notice(now), clock.best(now), clock.wall_error(now), clock.save(now));
            let _ = (clock.settle(now, WARN), clock.uncertainty(now), clock.crossings(now), clock.local_minus_aws(now, WARN));
            clock.restore(saved, now);
        }
    }
}
