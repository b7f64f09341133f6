//! A small seeded generator: jitter needs spreading, not secrecy, and a test needs it repeatable.

use chrono::TimeDelta;

use crate::core::time::span_from_millis;

/// `splitmix64` (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from nothing up to `longest`.
    pub(super) fn up_to(&mut self, longest: TimeDelta) -> TimeDelta {
        let range = u64::try_from(longest.num_milliseconds()).unwrap_or(0).saturating_add(1);
        // The remainder favours small values by less than one in 2^40 here.
        span_from_millis(i64::try_from(self.next() % range).unwrap_or(0))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
