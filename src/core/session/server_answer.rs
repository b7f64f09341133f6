//! Checks what the sign-in services state: times, lifetimes, codes and pages. A server may state anything.

use chrono::TimeDelta;

use crate::core::time::{AwsTime, WallTime, span_from_seconds};
use crate::core::url_host::is_sign_in_page;

/// 2000-01-01 and 9999-12-31, in milliseconds since the epoch: the SDKs read four-digit years only.
const CALENDAR: std::ops::Range<i64> = 946_684_800_000..253_402_214_400_000;
/// How long AWS's registrations are valid.
const REGISTRATION_LIFETIME: TimeDelta = TimeDelta::days(90);
/// AWS's device codes are valid for ten minutes, and no sign-in lasts longer.
const MAX_CODE_LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// RFC 8628 section 3.2: the interval where the server states none.
const DEFAULT_INTERVAL: TimeDelta = TimeDelta::seconds(5);
/// With a longer interval, a confirmed code would stay unnoticed.
const MAX_INTERVAL: TimeDelta = TimeDelta::seconds(30);
const MAX_CODE_LENGTH: usize = 32;

/// What a user has to do elsewhere, as the server states it (RFC 8628 section 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAuthorization {
    /// `userCode`.
    pub user_code: String,
    /// `verificationUri`.
    pub url: String,
    /// `verificationUriComplete`.
    pub url_with_code: Option<String>,
    /// `expiresIn`, ten minutes at most.
    pub expires_in: TimeDelta,
    /// `interval`: the pause between two polls.
    pub interval: TimeDelta,
}

impl DeviceAuthorization {
    /// Checks an answer of StartDeviceAuthorization.
    ///
    /// # Errors
    /// The field that can't be used, and why: the end of a sentence that begins with the server.
    pub fn read(
        user_code: Option<&str>,
        url: Option<&str>,
        url_with_code: Option<&str>,
        expires_in: i32,
        interval: i32,
    ) -> Result<Self, String> {
        let user_code = user_code.filter(|code| is_user_code(code)).ok_or("a userCode that is not a code to type")?;
        let page = |name: &str, url: &str| match is_sign_in_page(url) {
            true => Ok(url.to_owned()),
            false => Err(format!("a {name} that is not an https URL")),
        };
        let url = page("verificationUri", url.unwrap_or_default())?;
        let url_with_code = url_with_code.filter(|url| !url.is_empty());
        let url_with_code = url_with_code.map(|url| page("verificationUriComplete", url)).transpose()?;
        if expires_in <= 0 {
            return Err("an expiresIn that is over already".to_owned());
        }
        let interval = match interval {
            ..=0 => DEFAULT_INTERVAL,
            seconds => span_from_seconds(seconds.into()).min(MAX_INTERVAL),
        };
        let expires_in = span_from_seconds(expires_in.into()).min(MAX_CODE_LIFETIME);
        Ok(Self { user_code: user_code.to_owned(), url, url_with_code, expires_in, interval })
    }
}

fn is_user_code(code: &str) -> bool {
    (1..=MAX_CODE_LENGTH).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// When a registration expires. `epoch_seconds` is `clientSecretExpiresAt`; 0 says that it does not (RFC 7591 section 3.2.1).
pub fn registration_expiry(epoch_seconds: i64, now: WallTime) -> Option<WallTime> {
    if epoch_seconds == 0 {
        return Some(now + REGISTRATION_LIFETIME);
    }
    calendar_millis(epoch_seconds.checked_mul(1_000)?).map(WallTime::from_millis)
}

/// Whether a time can be written so that the SDKs read it.
pub(super) fn is_in_calendar(time: WallTime) -> bool {
    CALENDAR.contains(&time.as_millis())
}

/// When the credentials of a role expire. `epoch_millis` is `expiration`.
pub fn role_expiry(epoch_millis: i64) -> Option<AwsTime> {
    calendar_millis(epoch_millis).map(AwsTime::from_millis)
}

fn calendar_millis(millis: i64) -> Option<i64> {
    CALENDAR.contains(&millis).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "https://device.sso.eu-west-1.amazonaws.com/";

    fn read(expires_in: i32, interval: i32) -> Result<DeviceAuthorization, String> {
        DeviceAuthorization::read(Some("ABCD-EFGH"), Some(PAGE), None, expires_in, interval)
    }

    #[test]
    fn lifetimes_and_intervals_are_bounded_whatever_the_server_states() {
        for (expires_in, interval, seconds) in [
            (600, 1, (600, 1)),
            (600, 0, (600, 5)),
            (600, -1, (600, 5)),
            (5, i32::MAX, (5, 30)),
            (i32::MAX, i32::MIN, (600, 5)),
        ] {
            let code = read(expires_in, interval).unwrap();
            assert_eq!((code.expires_in.num_seconds(), code.interval.num_seconds()), seconds);
        }
        for expires_in in [0, -1, i32::MIN] {
            assert!(read(expires_in, 5).unwrap_err().contains("expiresIn"), "{expires_in}");
        }
    }

    #[test]
    fn only_pages_to_sign_in_at_are_taken() {
        for url in ["", "javascript:alert(1)", "file:///etc/passwd", "http://device.example/", "https://a/\nhttps://b/"]
        {
            let refused = DeviceAuthorization::read(Some("A-B"), Some(url), None, 600, 5).unwrap_err();
            assert!(refused.contains("verificationUri"), "{refused}");
            let with_code = DeviceAuthorization::read(Some("A-B"), Some(PAGE), Some(url), 600, 5);
            assert_eq!(with_code.is_ok(), url.is_empty(), "{url:?}");
        }
    }

    #[test]
    fn a_code_is_one_that_can_be_typed() {
        let read = |code: Option<&str>| DeviceAuthorization::read(code, Some(PAGE), Some(""), 600, 5);
        assert_eq!(read(Some("ABCD-EFGH")).unwrap().url_with_code, None);
        let long = "A".repeat(33);
        for code in [None, Some(""), Some("AB CD"), Some("AB\nCD"), Some("\u{1b}[2J"), Some("é"), Some(long.as_str())]
        {
            assert!(read(code).unwrap_err().contains("userCode"), "{code:?}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        let now = WallTime::from_millis(1_800_000_000_000);
        for number in [i64::MIN, i64::MIN + 1, -1, 1, i64::MAX / 1_000, i64::MAX / 1_000 + 1, i64::MAX - 1, i64::MAX] {
            assert_eq!((registration_expiry(number, now), role_expiry(number)), (None, None), "{number}");
        }
        assert_eq!(registration_expiry(0, now).unwrap().to_rfc3339(), "2027-04-15T08:00:00Z");
        assert_eq!(registration_expiry(1_800_000_000, now), Some(now));
        assert_eq!(role_expiry(0), None);
        assert_eq!(role_expiry(1_800_000_000_000), Some(AwsTime::from_millis(1_800_000_000_000)));
        // Every time that is taken has a text that the SDKs read.
        for millis in [CALENDAR.start, CALENDAR.end - 1] {
            assert!(AwsTime::from_millis(millis).to_rfc3339().len() == 20, "{millis}");
        }
    }
}
