//! What goes wrong with AWS: one table of error codes with class, meaning and fix, read by keeper, status and doctor.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The next try may succeed by itself: network, throttling, 5xx, a clock that is being corrected.
    Retryable,
    /// A person must do something first: log in, type a code.
    NeedsLogin,
    /// Trying again soon would not help: a refusal, a wrong key, no such role.
    Permanent,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it means for the next try.
    pub class: ErrorClass,
    /// AWS's error code as it came, or one of ours (`Timeout`, `Network`, `Tls`, `InvalidResponse`, …).
    pub code: String,
    /// A sentence: what was asked of whom, and what came back.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// The server asked not to be asked again before this (`Retry-After`).
    pub retry_after: Option<TimeDelta>,
    /// The answer says that the request's time was off: the estimate of AWS's time is wrong.
    pub skewed: bool,
}
