//! The settings' values: checked once, where they are read.

use ::core::net::{IpAddr, SocketAddr};
use std::fmt;

use chrono::{NaiveTime, TimeDelta};
use serde::{Deserialize, Deserializer, de};

use crate::core::keeper::AutoRenew;
use crate::core::time::span_from_seconds;

/// A length of time: `90s`, `20m`, `12h`, `7d`, or several of them after each other (`1h30m`). At most a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(TimeDelta);

impl Span {
    pub(super) const fn new(length: TimeDelta) -> Self {
        Self(length)
    }

    /// The length.
    pub fn get(self) -> TimeDelta {
        self.0
    }

    pub(super) fn quoted(self) -> String {
        let mut rest = self.0.num_seconds();
        let mut text = String::new();
        for (unit, seconds) in UNITS {
            if rest >= seconds {
                text.push_str(&format!("{}{unit}", rest / seconds));
                rest %= seconds;
            }
        }
        if text.is_empty() { "\"0s\"".to_owned() } else { format!("\"{text}\"") }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (mut total, mut rest) = (0i64, text.trim());
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: i64 = rest[..digits].parse().ok()?;
            let unit = rest[digits..].chars().next()?;
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
            total = number.checked_mul(*seconds)?.checked_add(total)?;
            rest = &rest[digits + 1..];
        }
        (total <= 366 * 86_400).then(|| Self(span_from_seconds(total)))
    }
}

const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).ok_or_else(|| {
            de::Error::custom(format!("\"{text}\" is no length of time: write \"90s\", \"20m\", \"12h\" or \"1h30m\""))
        })
    }
}

/// `renew.profiles`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RenewProfiles(pub(super) AutoRenew);

impl Default for RenewProfiles {
    fn default() -> Self {
        Self(AutoRenew::Used)
    }
}

impl<'de> Deserialize<'de> for RenewProfiles {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = RenewProfiles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"used\", \"all\" or a list of names and globs")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RenewProfiles, E> {
                match text {
                    "used" => Ok(RenewProfiles(AutoRenew::Used)),
                    "all" => Ok(RenewProfiles(AutoRenew::All)),
                    other => Err(E::custom(format!("\"{other}\" is neither \"used\" nor \"all\" nor a list of names"))),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<RenewProfiles, A::Error> {
                let mut names = Vec::new();
                while let Some(Pattern(name)) = items.next_element()? {
                    names.push(name);
                }
                Ok(RenewProfiles(AutoRenew::Matching(names)))
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// The maximum length of a host name (RFC 1035, section 2.3.4: 255 bytes with the length bytes and the root).
const LONGEST_HOST: usize = 253;

/// A host, or a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtpServer(String);

impl NtpServer {
    pub(super) fn of_aws() -> Self {
        Self("time.aws.com".to_owned())
    }

    fn read(text: &str) -> Option<Self> {
        let literal = text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok();
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "123"));
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let named = (1..=LONGEST_HOST).contains(&host.len())
            && host.bytes().all(letter)
            && port.parse::<u16>().is_ok_and(|port| port != 0);
        (literal || named).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for NtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NtpServer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = |text: &str| {
            Self::read(text).ok_or_else(|| format!("\"{text}\" is not an NTP server: write \"host\" or \"host:port\""))
        };
        from.deserialize_str(TextVisitor { expected: "a server", read })
    }
}

/// A name or glob in a list.
struct Pattern(String);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = |text: &str| match text.trim() {
            "" => Err("an empty name is no profile's".to_owned()),
            _ => Ok(Self(text.to_owned())),
        };
        from.deserialize_str(TextVisitor { expected: "a string", read })
    }
}

/// Checks an item of a list. An error of a visitor has the position of the item, any other error that of the list.
struct TextVisitor<F> {
    expected: &'static str,
    read: F,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> de::Visitor<'_> for TextVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

/// The name of a profile or section.
pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    // As the AWS files can hold it.
    if text.is_empty() || text.contains(|c: char| c.is_control() || c.is_whitespace() || "[]#;'\"".contains(c)) {
        return Err(de::Error::custom("a name is needed here, without blanks, quotes, brackets, # and ;"));
    }
    Ok(text)
}

/// Uses of a profile are noted by the minute.
pub(super) fn at_least_a_minute<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(from)?;
    let long_enough = span.get() >= TimeDelta::minutes(1);
    long_enough.then_some(span).ok_or_else(|| de::Error::custom("that is too short: it is a minute at least"))
}

/// A smaller offset can't be told from the error of its measurement.
pub(super) fn at_least_a_second<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(from)?;
    let is_enough = span.get() >= TimeDelta::seconds(1);
    is_enough.then_some(span).ok_or_else(|| de::Error::custom("this is too short: the minimum is 1s"))
}

/// STS knows sessions from 15 minutes to 36 hours.
pub(super) fn session_length<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
    let span = Span::deserialize(from)?;
    if (TimeDelta::minutes(15)..=TimeDelta::hours(36)).contains(&span.get()) {
        Ok(Some(span))
    } else {
        Err(de::Error::custom(format!("AWS gives no session of {}: it is 15m to 36h", span.quoted())))
    }
}

/// A range of times, or `""` for none.
pub(super) fn quiet_hours<'de, D: Deserializer<'de>>(from: D) -> Result<Option<QuietHours>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    text.split_once('-')
        .and_then(|(from, to)| Some(QuietHours { from: time(from)?, to: time(to)? }))
        .filter(|hours| hours.from != hours.to)
        .map(Some)
        .ok_or_else(|| de::Error::custom(format!("\"{text}\" is no range of times: write \"22:00-07:00\"")))
}

/// When the desktop is left in peace, by local time; may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// The beginning.
    pub from: NaiveTime,
    /// The end.
    pub to: NaiveTime,
}

impl QuietHours {
    /// From ten in the evening to seven in the morning.
    pub(super) fn at_night() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        Self { from: hour(22), to: hour(7) }
    }

    /// How long it is still quiet at a time of the day; `None` where it is not.
    pub fn left(&self, local: NaiveTime) -> Option<TimeDelta> {
        let is_quiet = if self.from < self.to {
            (self.from..self.to).contains(&local)
        } else {
            local >= self.from || local < self.to
        };
        let left = self.to - local;
        let left = if left > TimeDelta::zero() { left } else { left + TimeDelta::days(1) };
        is_quiet.then_some(left)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.format("%H:%M"), self.to.format("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        for text in ["time.aws.com", "time.aws.com:123", "169.254.169.123", "fd00::1", "[fd00::1]:123"] {
            assert!(NtpServer::read(text).is_some(), "{text}");
        }
        for text in ["", ":123", "a b", "host:", "host:0", "host:99999", "http://host", "fd00::g"] {
            assert!(NtpServer::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn lengths_of_time_are_read_and_written_alike() {
        for (text, seconds, written) in
            [("90s", 90, "\"1m30s\""), ("20m", 1_200, "\"20m\""), ("1h30m", 5_400, "\"1h30m\""), ("0s", 0, "\"0s\"")]
        {
            let span = Span::read(text).unwrap();
            assert_eq!((span.get().num_seconds(), span.quoted().as_str()), (seconds, written));
        }
        for text in ["", "20", "m", "1.5h", "-5m", "20 m", "99999999999999999999s", "400d", "5é"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }
}
