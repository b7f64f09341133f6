//! When a credential is renewed.

use chrono::TimeDelta;

use super::rng::Rng;
use crate::core::time::{AwsTime, span_from_millis};

/// A share of the longest jitter, drawn once for each credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jitter {
    thousandths: i32,
}

impl Jitter {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let drawn = rng.up_to(TimeDelta::milliseconds(1_000)).num_milliseconds();
        Self { thousandths: i32::try_from(drawn).unwrap_or(0) }
    }

    fn of(self, longest: TimeDelta) -> TimeDelta {
        span_from_millis(longest.num_milliseconds() / 1_000 * i64::from(self.thousandths))
            + span_from_millis(longest.num_milliseconds() % 1_000 * i64::from(self.thousandths) / 1_000)
    }
}

/// When to renew what lives from `minted_at` to `expires_at`: when less than `before`, or a third of the life, is left, never
/// before half of it. The jitter is drawn here, once for each credential, and moves earlier; where that would pass the
/// half, later by at most a tenth of the life.
pub(super) fn renew_at(
    minted_at: AwsTime,
    expires_at: AwsTime,
    before: TimeDelta,
    longest_jitter: TimeDelta,
    jitter: Jitter,
) -> AwsTime {
    let life = (expires_at - minted_at).max(TimeDelta::zero());
    let half = minted_at + life / 2;
    let target = (expires_at - before.max(life / 3)).max(half);
    let jitter = jitter.of(longest_jitter.min(life / 10));
    if target - jitter >= half { target - jitter } else { target + jitter }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rng::Rng;
    use super::*;

    fn at(life: i64, seed: u64) -> AwsTime {
        let (ahead, longest) = (TimeDelta::minutes(20), TimeDelta::minutes(5));
        renew_at(AwsTime::from_millis(0), AwsTime::from_millis(life), ahead, longest, jitter(seed))
    }

    fn jitter(seed: u64) -> Jitter {
        Jitter::draw(&mut Rng::new(seed))
    }

    #[test]
    fn a_role_of_one_hour_is_renewed_with_twenty_to_twenty_five_minutes_left() {
        for seed in 0..1_000 {
            let at = at(3_600_000, seed);
            assert!((2_100_000..=2_400_000).contains(&at.as_millis()), "{at:?}");
        }
    }

    proptest! {
        #[test]
        fn never_before_half_and_never_in_the_last_third_plus_a_tenth(life in 1_000i64..130_000_000, seed: u64) {
            let at = at(life, seed).as_millis();
            prop_assert!(at >= life / 2);
            prop_assert!(at <= life * 2 / 3 + life / 10 + 1);
        }
    }
}
