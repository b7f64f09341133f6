//! Which profiles are renewed automatically.

use super::api::{AutoRenew, KeeperSettings, Memory};
use crate::core::glob::matches;
use crate::core::time::AwsTime;

/// Whether a profile is auto-renewed. `now` is the earliest that AWS time can be: an uncertain clock must not end automatic renewal.
pub(super) fn is_auto_renewed(profile: &str, settings: &KeeperSettings, memory: &Memory, now: AwsTime) -> bool {
    match &settings.auto_renew {
        AutoRenew::All => true,
        AutoRenew::Matching(patterns) => patterns.iter().any(|pattern| matches(pattern, profile)),
        AutoRenew::Used => memory.last_asked.get(profile).is_some_and(|asked| now - *asked < settings.used_within),
    }
}
