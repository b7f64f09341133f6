use proptest::prelude::{any, prop_assert, proptest};

use super::*;

const NONCE: [u8; 8] = *b"randomly";
/// 2026-08-01T00:00:00Z.
const TODAY: i64 = 1_785_542_400_000;
/// 2036-02-07T06:28:16Z: the first era ends.
const WRAP: i64 = 2_085_978_496_000;
const YEAR: i64 = 31_557_600_000;

/// What makes another packet of a good one.
type Change = fn(&mut [u8; 48]);

/// The timestamp of a time given in microseconds since 1970, rounded up so that whole milliseconds are read as such.
fn stamp(micros: i64) -> u64 {
    let since_1900 = i128::from(micros) + UNIX_EPOCH * 1_000_000;
    (((since_1900 << 32) + 999_999).div_euclid(1_000_000) & i128::from(u64::MAX)) as u64
}

fn aws(millis: i64) -> AwsTime {
    AwsTime::from_millis(millis)
}

fn boot(millis: i64) -> BootTime {
    BootTime::from_millis(millis)
}

fn good() -> [u8; 48] {
    good_answer(NONCE, aws(TODAY), aws(TODAY + 1))
}

/// Sent at 1000, received at 1040.
fn read_at(packet: &[u8], about: i64) -> Result<NtpAnswer, NtpProblem> {
    read(packet, NONCE, boot(1000), boot(1040), aws(about))
}

fn changed(change: impl Fn(&mut [u8; 48])) -> Result<NtpAnswer, NtpProblem> {
    let mut packet = good();
    change(&mut packet);
    read_at(&packet, TODAY)
}

#[test]
fn a_request_says_nothing_but_its_random_number() {
    let packet = request(NONCE);
    assert_eq!(packet[0], 0b00_100_011);
    assert!(packet[1..40].iter().all(|byte| *byte == 0));
    assert_eq!(packet[40..], NONCE);
}

#[test]
fn a_good_answer_is_read() {
    let answer = read_at(&good(), TODAY).unwrap();
    let expected = NtpAnswer {
        sent: boot(1000),
        received: boot(1040),
        server_received: aws(TODAY),
        server_sent: aws(TODAY + 1),
        root_error: TimeDelta::milliseconds(1),
        stratum: 2,
    };
    assert_eq!(answer, expected);
    assert_eq!(answer.offset(), (TODAY + 1 - 1040 - 2, TODAY - 1000 + 2));
}

#[test]
fn what_may_vary_is_accepted() {
    let changes: [(&str, Change); 8] = [
        ("version 3", |packet| packet[0] = 3 << 3 | SERVER),
        ("a leap second is announced", |packet| packet[0] |= 1 << 6),
        ("one less is announced", |packet| packet[0] |= 2 << 6),
        ("stratum 1", |packet| packet[1] = 1),
        ("stratum 15", |packet| packet[1] = 15),
        ("any poll interval", |packet| packet[2] = 255),
        ("never set", |packet| packet[16..24].fill(0)),
        ("the fraction alone", |packet| {
            packet[32..40].copy_from_slice(&1u64.to_be_bytes());
            packet[40..48].copy_from_slice(&2u64.to_be_bytes());
        }),
    ];
    for (what, change) in changes {
        assert!(changed(change).is_ok(), "{what}");
    }
    let longer = [&good()[..], &[7; 20]].concat();
    assert_eq!(read_at(&longer, TODAY), read_at(&good(), TODAY));
}

#[test]
fn each_rule_is_kept() {
    let changes: [(&str, Change, &str); 21] = [
        ("our own, sent back", |packet| *packet = request(NONCE), "WrongMode"),
        ("a broadcast", |packet| packet[0] = 4 << 3 | 5, "WrongMode"),
        ("another origin", |packet| packet[31] ^= 1, "Forged"),
        ("no origin", |packet| packet[24..32].fill(0), "Forged"),
        (
            "a forged kiss",
            |packet| {
                packet[1] = 0;
                packet[12..16].copy_from_slice(b"DENY");
                packet[24] ^= 1;
            },
            "Forged",
        ),
        ("version 2", |packet| packet[0] = 2 << 3 | SERVER, "version"),
        ("version 5", |packet| packet[0] = 5 << 3 | SERVER, "version"),
        ("leap 3", |packet| packet[0] |= 3 << 6, "Unsynchronised"),
        ("stratum 16", |packet| packet[1] = 16, "Unsynchronised"),
        ("stratum 255", |packet| packet[1] = 255, "Unsynchronised"),
        ("stratum 0", |packet| packet[1] = 0, "Unsynchronised"),
        ("no transmit time", |packet| packet[TRANSMIT].fill(0), "no time"),
        ("no receive time", |packet| packet[RECEIVE].fill(0), "no time"),
        ("sent before received", |packet| packet[35] += 1, "before"),
        ("a millisecond before", |packet| packet[32..48].rotate_left(8), "before"),
        ("a second for 40 ms", |packet| packet[43] += 1, "longer"),
        ("delay of 16 s", |packet| packet[5] = 16, "16 seconds"),
        ("a negative delay", |packet| packet[4..8].fill(255), "16 seconds"),
        ("dispersion of 16 s", |packet| packet[9] = 16, "16 seconds"),
        ("both together", |packet| (packet[5], packet[9]) = (10, 11), "16 seconds"),
        ("a clock that never moves", |packet| packet[3] = 127, "16 seconds"),
    ];
    for (what, change, expected) in changes {
        let problem = changed(change).expect_err(what);
        assert!(format!("{problem:?}").contains(expected), "{what}: {problem:?}");
    }
    for length in 0..48 {
        assert_eq!(read_at(&good()[..length], TODAY), Err(NtpProblem::Short));
    }
}

#[test]
fn a_kiss_of_death_has_a_reason() {
    for (code, never_again) in [("DENY", true), ("RSTR", true), ("RATE", false), ("INIT", false), ("X123", false)] {
        let said = changed(|packet| {
            packet[0] |= 3 << 6;
            packet[1] = 0;
            packet[12..16].copy_from_slice(code.as_bytes());
            packet[32..].fill(0);
        });
        assert_eq!(said, Err(NtpProblem::KissOfDeath { code: code.to_owned(), never_again }));
    }
}

#[test]
fn only_what_shows_no_random_number_may_be_from_anybody() {
    use NtpProblem::{Forged, KissOfDeath, Nonsense, Short, Unsynchronised, WrongMode};
    for problem in [Short, WrongMode, Forged] {
        assert!(problem.may_be_from_anybody(), "{problem:?}");
    }
    let kiss = KissOfDeath { code: "RATE".to_owned(), never_again: false };
    for problem in [Unsynchronised, kiss, Nonsense("")] {
        assert!(!problem.may_be_from_anybody(), "{problem:?}");
    }
}

#[test]
fn a_problem_ends_a_sentence() {
    let kiss = |code: &str, never_again| NtpProblem::KissOfDeath { code: code.to_owned(), never_again };
    let said = [
        (kiss("DENY", true), "refuses all further requests (DENY)"),
        (kiss("RATE", false), "limits the request rate (RATE)"),
        (kiss("INIT", false), "is temporarily unavailable (INIT)"),
        (NtpProblem::NoAnswer("nothing came".to_owned()), "did not answer: nothing came"),
    ];
    for (problem, text) in said {
        assert_eq!(problem.to_string(), text);
    }
}

#[test]
fn the_servers_own_error_widens() {
    // Half of 3/16 s, 1/16 s, and a clock that moves 64 times a second: 93.75 + 62.5 + 15.625 ms, rounded up.
    let answer = changed(|packet| {
        packet[3] = (-6i8).cast_unsigned();
        packet[6] = 0x30;
        packet[10] = 0x10;
    });
    assert_eq!(answer.unwrap().root_error, TimeDelta::milliseconds(172));
}

#[test]
fn the_era_is_the_nearest() {
    for (server, about) in [
        (TODAY, TODAY),
        (WRAP - 1, WRAP),
        (WRAP + 1, WRAP - 1),
        (WRAP + YEAR, WRAP - 9 * YEAR),
        (WRAP - 9 * YEAR, WRAP + 50 * YEAR),
        (WRAP + 50 * YEAR, WRAP),
        // A machine without a battery, before and after 2038; a date far in the future; a server that is off itself.
        (TODAY, 0),
        (WRAP + 20 * YEAR, 0),
        (WRAP + 20 * YEAR, i64::MIN),
        (TODAY, TODAY + 60 * YEAR),
        (WRAP + 150 * YEAR, WRAP + 140 * YEAR),
        (86_400_000, TODAY),
        (-YEAR, TODAY),
    ] {
        let answer = read_at(&good_answer(NONCE, aws(server), aws(server)), about).unwrap();
        assert_eq!(answer.server_sent, aws(server), "about {about}");
    }
}

#[test]
fn an_era_may_end_while_the_server_answers() {
    for about in [WRAP - 5000, WRAP + 5000] {
        let answer = read_at(&good_answer(NONCE, aws(WRAP - 3), aws(WRAP + 4)), about).unwrap();
        assert_eq!((answer.server_received, answer.server_sent), (aws(WRAP - 3), aws(WRAP + 4)));
    }
}

proptest! {
    #[test]
    fn no_packet_panics(
        packet in proptest::collection::vec(any::<u8>(), 0..100),
        header in any::<[u8; 4]>(),
        honest in any::<bool>(),
        sent in any::<i64>(),
        received in any::<i64>(),
        about in any::<i64>(),
    ) {
        let mut packet = packet;
        if honest && packet.len() >= 48 {
            packet[..4].copy_from_slice(&header);
            packet[0] = packet[0] & 0b1110_0000 | SERVER;
            packet[4] = 0;
            packet[8] = 0;
            packet[24..32].copy_from_slice(&NONCE);
        }
        if let Ok(answer) = read(&packet, NONCE, boot(sent), boot(received), aws(about)) {
            let (lowest, highest) = answer.offset();
            prop_assert!(lowest <= highest);
            let _ = format!("{answer:?}");
        }
    }

    #[test]
    fn the_truth_is_within_the_bounds_however_the_delay_is_shared(
        offset in 0i64..4_000_000_000_000_000,
        sent in 0i64..10_000_000_000_000,
        (there, thinking, back) in (0i64..3_000_000, 0i64..500_000, 0i64..3_000_000),
        (delay, dispersion) in (0u32..65_536, 0u32..65_536),
        error in -1000i64..=1000,
    ) {
        // All in microseconds. The server is off by as much as it admits, at most.
        let admitted = i64::from(delay / 2 + dispersion) * 1_000_000 / 65_536;
        let server = |at: i64| stamp(at + offset + admitted * error / 1000).to_be_bytes();
        let (came, left) = (sent + there, sent + there + thinking);
        let received = left + back;
        let mut packet = good();
        packet[4..8].copy_from_slice(&delay.to_be_bytes());
        packet[8..12].copy_from_slice(&dispersion.to_be_bytes());
        packet[RECEIVE].copy_from_slice(&server(came));
        packet[TRANSMIT].copy_from_slice(&server(left));
        let answer = read(&packet, NONCE, boot(sent / 1000), boot(received / 1000), aws((sent + offset) / 1000));
        let (lowest, highest) = answer.map(|answer| answer.offset()).map_err(|problem| {
            proptest::test_runner::TestCaseError::fail(problem.to_string())
        })?;
        prop_assert!(lowest * 1000 <= offset && offset <= highest * 1000, "{lowest} {offset} {highest}");
        // And no wider than the round trip, what the server admits, and the rounding.
        prop_assert!(highest - lowest <= (there + back + 2 * admitted) / 1000 + 8);
    }
}

/// The answer of a good server at stratum 2, with a negligible error of its own.
pub(crate) fn good_answer(nonce: [u8; 8], server_received: AwsTime, server_sent: AwsTime) -> [u8; 48] {
    let mut packet = [0; HEADER];
    packet[0] = 4 << 3 | SERVER;
    packet[1] = 2;
    packet[3] = (-20i8).cast_unsigned();
    packet[24..32].copy_from_slice(&nonce);
    for (place, time) in [(RECEIVE, server_received), (TRANSMIT, server_sent)] {
        packet[place].copy_from_slice(&stamp(time.as_millis() * 1000).to_be_bytes());
    }
    packet
}
