//! What the tools that write temporary keys into the credentials file note beside them about their expiry.

use chrono::TimeDelta;

use crate::core::plan::StatedExpiry;
use crate::core::profile::Section;
use crate::core::time::AwsTime;
use crate::core::time_text;

/// The settings in which the tools write it (saml2aws, aws-mfa, yawsso, gimme-aws-creds and others).
pub const SETTINGS: [&str; 7] = [
    "x_security_token_expires",
    "aws_expiration",
    "expiration",
    "aws_session_expiration",
    "aws_session_token_expiration",
    "aws_credential_expiration",
    "aws_credentials_expiry",
];

/// The expiry that stands in a section. Where several tools wrote one, the latest counts: the others are left over from
/// keys that are no longer there. `local_offset` is local time minus UTC on this machine.
pub fn stated_expiry(section: &Section, local_offset: TimeDelta) -> StatedExpiry {
    SETTINGS
        .iter()
        .filter_map(|key| read(&section.get(key)?.text, local_offset))
        .max_by_key(|expiry| latest(*expiry))
        .unwrap_or(StatedExpiry::Unstated)
}

/// A time as programs write it, in UTC where it has no zone.
pub fn utc_time(text: &str) -> Option<AwsTime> {
    latest(read(text, TimeDelta::zero())?)
}

fn latest(expiry: StatedExpiry) -> Option<AwsTime> {
    match expiry {
        StatedExpiry::Unstated => None,
        StatedExpiry::At(at) => Some(at),
        StatedExpiry::Either { later, .. } => Some(later),
    }
}

fn read(text: &str, local_offset: TimeDelta) -> Option<StatedExpiry> {
    let text = text.trim().trim_matches(['"', '\'']);
    if let Some(time) = time_text::parse(text) {
        let as_utc = time.utc()?;
        // Local time is ahead of UTC by the offset, so a local reading is that much earlier in UTC.
        let as_local = as_utc - local_offset;
        return Some(if time.has_zone() || as_utc == as_local {
            StatedExpiry::At(as_utc)
        } else {
            StatedExpiry::Either { earlier: as_utc.min(as_local), later: as_utc.max(as_local) }
        });
    }
    epoch_time(text).map(StatedExpiry::At)
}

/// Seconds or milliseconds since 1970. Microseconds and nanoseconds would be after the year 9999, and are refused.
fn epoch_time(text: &str) -> Option<AwsTime> {
    let number: i64 = text.parse().ok()?;
    // Seconds reach 11 digits in the year 5138, milliseconds had 12 in 1973.
    let millis = if number.unsigned_abs() < 100_000_000_000 { number.checked_mul(1_000)? } else { number };
    AwsTime::checked_from_millis(millis)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn at(text: &str) -> StatedExpiry {
        StatedExpiry::At(AwsTime::from_millis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()))
    }

    #[test]
    fn every_form_that_the_tools_write_is_read() {
        let noon = at("2026-11-24T12:00:00Z");
        for text in [
            "2026-11-24T12:00:00Z",
            "2026-11-24T12:00:00+00:00",
            "2026-11-24T12:00:00+0000",
            "2026-11-24T14:00:00+02:00",
            "2026-11-24T12:00:00.000Z",
            "2026-11-24 12:00:00+00:00",
            "2026-11-24 12:00:00 +0000",
            "2026-11-24 12:00:00 UTC",
            "\"2026-11-24T12:00:00Z\"",
            "1795521600",
            "1795521600000",
        ] {
            assert_eq!(read(text, TimeDelta::hours(2)), Some(noon), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_one_of_two() {
        let either = read("2026-11-24 12:00:00", TimeDelta::hours(-8)).unwrap();
        let (earlier, later) = (at("2026-11-24T12:00:00Z"), at("2026-11-24T20:00:00Z"));
        assert_eq!(
            (Some(earlier), Some(later)),
            match either {
                StatedExpiry::Either { earlier, later } =>
                    (Some(StatedExpiry::At(earlier)), Some(StatedExpiry::At(later))),
                _ => (None, None),
            }
        );
        assert_eq!(read("2026-11-24 12:00:00", TimeDelta::zero()), Some(at("2026-11-24T12:00:00Z")));
    }

    #[test]
    fn what_cannot_be_read_is_unstated() {
        for text in [
            "",
            "soon",
            "2026-13-01T00:00:00Z",
            "12:00",
            "2026-11-24",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "+262142-12-31T23:59:59Z",
            "1796000000000000000",
            "-9223372036854775808",
            "9223372036854775807",
            "99999999999999999999",
            "1e308",
        ] {
            assert_eq!(read(text, TimeDelta::zero()), None, "{text}");
        }
    }
}
