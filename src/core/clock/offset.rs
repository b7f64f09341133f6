//! What answers say about AWS's time minus the boot-time clock.

use serde::{Deserialize, Serialize};

use crate::core::time::{AwsTime, BootTime};

/// How long servers and proxies keep a `Date` header before they make a new one.
const SLACK_MS: i64 = 1_000;
/// Linux slews its clocks by at most 500 parts per million (`adjtimex(2)`); quartz alone is off by less than 100.
pub(super) const WORST_DRIFT_PPM: i64 = 500;
const DRIFT_ONE_IN: u64 = 1_000_000 / WORST_DRIFT_PPM.unsigned_abs();

/// What one answer said about AWS's time: its `Date` was between `sent` and `received`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The `Date` header, in whole seconds.
    pub date: AwsTime,
    /// Boot-time clock before the request was sent.
    pub sent: BootTime,
    /// Boot-time clock after the answer's head came.
    pub received: BootTime,
    /// How far the answer can be trusted.
    pub trust: Trust,
}

/// How far an answer's time can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Plain http from a host that nobody configured: a captive portal, a proxy. Never believed.
    Unauthenticated,
    /// Plain http from an endpoint that the user configured, an emulator say. Believed while nothing better was heard.
    Configured,
    /// Over TLS from another endpoint that the user configured in AWS's place. Its clock need not be AWS's.
    ConfiguredTls,
    /// Over TLS from AWS.
    Authenticated,
}

impl Trust {
    /// The rank of an answer. Any server can answer plain http; the settings may name an endpoint as AWS.
    pub fn of(is_configured: bool, is_tls: bool, is_aws: bool) -> Self {
        match (is_tls, is_configured) {
            (true, _) if is_aws => Self::Authenticated,
            (true, _) => Self::ConfiguredTls,
            (false, true) => Self::Configured,
            (false, false) => Self::Unauthenticated,
        }
    }

    /// What the sources of the clock document call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Configured => "http-endpoint",
            Self::ConfiguredTls => "https-endpoint",
            Self::Authenticated => "aws",
        }
    }
}

/// AWS's time minus the boot-time clock, in ms, as an interval that was true at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    pub(super) lowest: i64,
    pub(super) highest: i64,
    pub(super) as_of: BootTime,
}

impl Offset {
    /// What one answer allows.
    pub(super) fn heard(sample: Sample) -> Self {
        let date = sample.date.as_millis();
        Self {
            lowest: date.saturating_sub(SLACK_MS).saturating_sub(sample.received.as_millis()),
            highest: date.saturating_add(1_000 + SLACK_MS).saturating_sub(sample.sent.as_millis()),
            as_of: sample.received,
        }
    }

    /// The same interval at another moment: wider by what the clock may have drifted in between.
    pub(super) fn at(self, moment: BootTime) -> Self {
        // Rounded up, as many small moves must not add up to less than one large one.
        let drift = (moment - self.as_of).num_milliseconds().unsigned_abs().div_ceil(DRIFT_ONE_IN);
        let mut moved = Self { as_of: moment, ..self };
        moved.widen(drift.try_into().unwrap_or(i64::MAX));
        moved
    }

    pub(super) fn middle(self) -> i64 {
        self.lowest.midpoint(self.highest)
    }

    /// The same, wider.
    pub(super) fn wider(mut self, by: i64) -> Self {
        self.widen(by);
        self
    }

    pub(super) fn widen(&mut self, by: i64) {
        self.lowest = self.lowest.saturating_sub(by);
        self.highest = self.highest.saturating_add(by);
    }

    /// What both allow, if anything.
    pub(super) fn meet(self, other: Self) -> Option<Self> {
        let (lowest, highest) = (self.lowest.max(other.lowest), self.highest.min(other.highest));
        (lowest <= highest).then_some(Self { lowest, highest, as_of: self.as_of })
    }
}
