//! The `Date` header (RFC 9110 section 5.6.7), and `Retry-After`.

use chrono::{NaiveDateTime, TimeDelta};

use crate::core::time::{AwsTime, span_from_seconds};

/// Reads an HTTP date: the preferred form and both obsolete ones, which a recipient has to accept.
///
/// `None` for anything else, and for years that no AWS server can mean (before 2000, after 2199).
pub fn parse(text: &str) -> Option<AwsTime> {
    let text = text.trim();
    let time = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    let seconds = time.and_utc().timestamp();
    // 2000-01-01 and 2200-01-01.
    (946_684_800..7_258_118_400).contains(&seconds).then(|| AwsTime::from_millis(seconds * 1000))
}

/// Reads a `Retry-After` header (RFC 9110 section 10.2.3): seconds, or a date, which is compared with the answer's own `Date`.
pub fn retry_after(text: &str, date: Option<&str>) -> Option<TimeDelta> {
    let text = text.trim();
    let delay = match text.parse::<u32>() {
        Ok(seconds) => span_from_seconds(seconds.into()),
        Err(_) => parse(text)? - parse(date?)?,
    };
    Some(delay).filter(|delay| *delay > TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_mean_the_same() {
        for text in ["Sun, 06 Nov 2022 08:49:37 GMT", "Sunday, 06-Nov-22 08:49:37 GMT", "Sun Nov  6 08:49:37 2022"] {
            assert_eq!(parse(text).map(AwsTime::to_rfc3339).as_deref(), Some("2022-11-06T08:49:37Z"), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in
            ["", "0", "Mon, 06 Nov 2022 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2022 08:49 GMT"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
