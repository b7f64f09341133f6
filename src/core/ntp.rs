//! SNTP's packets: what a client asks, and what of an answer can be believed. RFC 4330 section 5, and RFC 5905 where it is
//! stricter.
//!
//! Nothing here is authenticated: whoever sits on the path can say any time. The random number in the request keeps out
//! all others. So an answer may narrow what AWS said, and never contradict it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use chrono::TimeDelta;

#[cfg(all(test, feature = "daemon"))]
pub(crate) use self::tests::good_answer;
use crate::core::time::{AwsTime, BootTime, span_from_millis};

/// A packet without extensions (RFC 5905 section 7.3).
const HEADER: usize = 48;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
/// 1900-01-01 to 1970-01-01, in seconds.
const UNIX_EPOCH: i128 = 2_208_988_800;
/// When this was written (2026-01-01): what a machine without a battery takes for the time is no reason to be wrong in 2038.
const WRITTEN: AwsTime = AwsTime::from_millis(1_767_225_600_000);
/// RFC 5905's MAXDISP, in units of 2⁻¹⁷ s. RFC 4330 would have a second; but who says that he may be 3 s off is honest, and
/// is taken at his word.
const FARTHEST: u64 = 16 << 17;

const RECEIVE: Range<usize> = 32..40;
const TRANSMIT: Range<usize> = 40..48;

/// What a server said about the time, between two readings of the boot-time clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtpAnswer {
    /// Boot-time clock before the request was sent.
    pub sent: BootTime,
    /// Boot-time clock after the answer came.
    pub received: BootTime,
    /// When the request came to the server. It is UTC as the server knows it, rounded down: AWS's time as far as AWS is
    /// right. (`time.aws.com` smears leap seconds, as do the clocks of AWS; others may be a second off on such a day.)
    pub server_received: AwsTime,
    /// When the server sent its answer; UTC by the same clock.
    pub server_sent: AwsTime,
    /// How far the server's clock may be off by its own account, rounded up: half the round trip to the reference clock,
    /// the error gathered on the way, and the step of its own clock.
    pub root_error: TimeDelta,
    /// How many servers there are up to the reference clock: 1 has one itself.
    pub stratum: u8,
}

impl NtpAnswer {
    /// UTC minus the boot-time clock in ms: the lowest and the highest that this answer allows. It was true during the
    /// exchange, so drift counts from `sent`.
    ///
    /// The server read `server_received` when we had sent already, so its boot-time reading would have been `sent` or
    /// later, and the offset is at most the difference. In the same way `server_sent` was read before `received`. This
    /// holds however the delay is shared between the two ways; the usual midpoint would take them for equal.
    pub fn offset(&self) -> (i64, i64) {
        let error = self.root_error.num_milliseconds();
        let between = |server: AwsTime, own: BootTime| server.as_millis().saturating_sub(own.as_millis());
        // All four are rounded down: `received` may have been almost 1 ms later, and so may `server_received`.
        (
            between(self.server_sent, self.received).saturating_sub(error).saturating_sub(1),
            between(self.server_received, self.sent).saturating_add(error).saturating_add(1),
        )
    }
}

/// Why a server gave no time that can be used. Displayed, it is the end of a sentence that begins with the server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NtpProblem {
    /// The packet is shorter than NTP's header.
    Short,
    /// The packet is no answer of a server; perhaps our own, sent back.
    WrongMode,
    /// The packet does not repeat our random number: it answers something else, or somebody guesses.
    Forged,
    /// The server says that it does not know the time.
    Unsynchronised,
    /// The server wants to be left alone (RFC 5905 section 7.4).
    KissOfDeath {
        /// The reason, four letters: RATE for too often.
        code: String,
        /// It must not be asked again, ever (DENY and RSTR); otherwise less often.
        never_again: bool,
    },
    /// The answer contradicts itself, or the protocol.
    Nonsense(&'static str),
    /// No answer came: why.
    NoAnswer(String),
    /// The server's name leads to no address: why.
    NoSuchHost(String),
}

impl NtpProblem {
    /// Whether anybody may have sent this packet, as it doesn't show our random number. The true answer may still come.
    pub fn may_be_from_anybody(&self) -> bool {
        matches!(self, Self::Short | Self::WrongMode | Self::Forged)
    }
}

impl fmt::Display for NtpProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("sent a packet that is too short for an answer"),
            Self::WrongMode => f.write_str("sent a packet that is not an NTP answer"),
            Self::Forged => f.write_str("did not answer, but an answer to another request arrived from its address"),
            Self::Unsynchronised => f.write_str("says that its own clock is not synchronised"),
            Self::KissOfDeath { code, never_again: true } => write!(f, "refuses all further requests ({code})"),
            Self::KissOfDeath { code, never_again: false } if code == "RATE" => {
                f.write_str("limits the request rate (RATE)")
            }
            Self::KissOfDeath { code, never_again: false } => write!(f, "is temporarily unavailable ({code})"),
            Self::Nonsense(what) => write!(f, "sent an invalid answer: {what}"),
            Self::NoAnswer(why) => write!(f, "did not answer: {why}"),
            Self::NoSuchHost(why) => write!(f, "could not be resolved: {why}"),
        }
    }
}

/// A request. `nonce` has to be random and used once.
///
/// It stands where our time would be: servers only copy it, and our time is nobody's business
/// (draft-ietf-ntp-data-minimization). All else is zero for the same reason.
pub fn request(nonce: [u8; 8]) -> [u8; 48] {
    let mut packet = [0; HEADER];
    // Leap indicator 0, version 4.
    packet[0] = 4 << 3 | CLIENT;
    packet[TRANSMIT].copy_from_slice(&nonce);
    packet
}

/// Reads a packet that came back for the request with this `nonce`. `about` is the time as far as it is known: NTP counts
/// anew every 136 years, next in 2036, and of all that an answer may mean the nearest is taken.
///
/// # Errors
/// It gives no time that can be used.
pub fn read(
    packet: &[u8],
    nonce: [u8; 8],
    sent: BootTime,
    received: BootTime,
    about: AwsTime,
) -> Result<NtpAnswer, NtpProblem> {
    // Extensions and checksums may follow: we sent none, so they are none of ours.
    let packet: &[u8; HEADER] = packet.first_chunk().ok_or(NtpProblem::Short)?;
    let (leap, version, mode) = (packet[0] >> 6, packet[0] >> 3 & 7, packet[0] & 7);
    let stratum = packet[1];
    if mode != SERVER {
        return Err(NtpProblem::WrongMode);
    }
    // Before anything else is believed, a kiss-o'-death above all: anybody could silence us with one.
    if packet[24..32] != nonce {
        return Err(NtpProblem::Forged);
    }
    if !(3..=4).contains(&version) {
        return Err(NtpProblem::Nonsense("its version of NTP is neither 3 nor 4"));
    }
    // Before the leap indicator: a kiss-o'-death says "not synchronised" too (RFC 5905 section 7.4).
    if stratum == 0 {
        return Err(kiss_of_death(&packet[12..16]));
    }
    // 16 is "not synchronised", what is above is reserved (RFC 5905 section 7.3). RFC 4330 section 5 would discard a leap
    // indicator of 0, which every good answer has: 3 is meant, "clock not synchronised" in its section 4.
    if leap == 3 || stratum > 15 {
        return Err(NtpProblem::Unsynchronised);
    }
    let (arrived, left) = (number(packet, RECEIVE), number(packet, TRANSMIT));
    if arrived == 0 || left == 0 {
        return Err(NtpProblem::Nonsense("it has no time in it"));
    }
    // The difference modulo 2⁶⁴ is right across the end of an era too (RFC 5905 section 6).
    let processing = left.wrapping_sub(arrived).cast_signed();
    if processing < 0 {
        return Err(NtpProblem::Nonsense("it was sent before the question came"));
    }
    let root_error = root_error(packet)?;
    let left = in_nearest_era(left, about.max(WRITTEN));
    let arrived = left - i128::from(processing);
    let answer = NtpAnswer {
        sent,
        received,
        server_received: to_millis(arrived),
        server_sent: to_millis(left),
        root_error,
        stratum,
    };
    // A negative delay, for which RFC 5905 has no use either: the server's clock was set in between, or it makes times up.
    let (lowest, highest) = answer.offset();
    if lowest > highest {
        return Err(NtpProblem::Nonsense("the server had the question for longer than we waited"));
    }
    Ok(answer)
}

/// A stratum of 0 has the reason in place of the reference clock's name (RFC 5905 section 7.4).
fn kiss_of_death(code: &[u8]) -> NtpProblem {
    match str::from_utf8(code) {
        Ok(code) if code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            NtpProblem::KissOfDeath { code: code.to_owned(), never_again: matches!(code, "DENY" | "RSTR") }
        }
        // "Unspecified or invalid" (RFC 5905 section 7.3), without a reason.
        _ => NtpProblem::Unsynchronised,
    }
}

/// RFC 5905's root distance, without the part that is ours: it follows from `sent` and `received`.
fn root_error(packet: &[u8; HEADER]) -> Result<TimeDelta, NtpProblem> {
    // Both in units of 2⁻¹⁶ s. RFC 4330 has the delay signed: a negative one is far too large here, and as refused there.
    let (delay, dispersion) = (number(packet, 4..8), number(packet, 8..12));
    // A power of two in seconds, -6 for a clock that moves with the mains; what it could not show may be missing.
    let precision = i16::from(packet[3].cast_signed());
    let step = 1u64 << (17 + precision).clamp(0, 32);
    let sum = delay + 2 * dispersion + step;
    if 2 * delay >= FARTHEST || 2 * dispersion >= FARTHEST || sum >= FARTHEST {
        return Err(NtpProblem::Nonsense("by its own account it may be 16 seconds off or more"));
    }
    // Less than 16,000.
    Ok(span_from_millis((sum * 1000).div_ceil(1 << 17).cast_signed()))
}

fn number(packet: &[u8; HEADER], place: Range<usize>) -> u64 {
    packet[place].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A timestamp counts 2⁻³² s since the begin of an era that it doesn't name (RFC 5905 section 6). Here since 1970.
fn in_nearest_era(stamp: u64, about: AwsTime) -> i128 {
    const ERA: i128 = 1 << 64;
    let first = i128::from(stamp) - (UNIX_EPOCH << 32);
    let about = (i128::from(about.as_millis()) << 32) / 1000;
    first + (about - first + ERA / 2).div_euclid(ERA) * ERA
}

fn to_millis(stamp: i128) -> AwsTime {
    let millis = (stamp * 1000) >> 32;
    AwsTime::from_millis(millis.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}
