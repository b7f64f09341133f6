//! How each client reads `expiresAt` in the cache file of an SSO session.
//!
//! boto3 and the AWS CLI: dateutil (`SSOCredentialFetcher`). JavaScript: `Date` (`resolveSSOCredentials.ts`). Go: `time.RFC3339`
//! (`ssocreds/sso_cached_token.go`). Java: `Instant.parse` (`OnDiskTokenManager`); before Java 12 it refuses every offset. Rust:
//! `Format::DateTime` (`sso/cache.rs`).

use super::client::{Reading, labels};
use Reading::{Alike as A, Otherwise as O, Refused as R};

/// A notation of a time that some client does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTime {
    /// `2026-12-01T00:00:00UTC`, as old versions of the AWS CLI write it.
    UtcName,
    /// `2026-12-01T00:00:00`.
    NoZone,
    /// `2026-12-01T00:00:00+00:00`.
    Offset,
    /// `2026-12-01T00:00:00+0000`, `2026-12-01 00:00:00Z`.
    NotRfc3339,
}

impl TokenTime {
    /// The notation; `None` if every client reads it.
    pub fn of(text: &str) -> Option<Self> {
        if text.ends_with("UTC") {
            return Some(Self::UtcName);
        }
        let Some((_, time)) = text.split_once('T') else { return Some(Self::NotRfc3339) };
        match time.split_once(['+', '-']) {
            None if time.ends_with('Z') => None,
            None => Some(Self::NoZone),
            Some((_, offset)) if offset.contains(':') => Some(Self::Offset),
            Some(_) => Some(Self::NotRfc3339),
        }
    }

    /// The clients with this reading.
    pub fn clients(self, reading: Reading) -> Vec<&'static str> {
        let readings = match self {
            // JavaScript uses the token, and does not know when it expires.
            Self::UtcName => [A, O, R, R, R],
            // boto3 can't compare it with the time, and JavaScript reads local time.
            Self::NoZone => [R, O, R, R, R],
            Self::Offset => [A, A, A, A, R],
            Self::NotRfc3339 => [A, A, R, R, R],
        };
        labels(readings, reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_every_client_or_has_a_notation_with_its_readers() {
        for (text, notation) in [
            ("2026-12-01T00:00:00Z", None),
            ("2026-12-01T00:00:00.123Z", None),
            ("2026-12-01T00:00:00UTC", Some(TokenTime::UtcName)),
            ("2026-12-01T00:00:00", Some(TokenTime::NoZone)),
            ("2026-12-01T00:00:00+00:00", Some(TokenTime::Offset)),
            ("2026-12-01T00:00:00-05:00", Some(TokenTime::Offset)),
            ("2026-12-01T00:00:00+0000", Some(TokenTime::NotRfc3339)),
            ("2026-12-01 00:00:00Z", Some(TokenTime::NotRfc3339)),
            ("1796083200", Some(TokenTime::NotRfc3339)),
        ] {
            assert_eq!(TokenTime::of(text), notation, "{text}");
        }
        assert_eq!(TokenTime::UtcName.clients(R), ["Go (v2)", "Java (v2)", "Rust"]);
    }
}
