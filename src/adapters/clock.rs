//! The one clock reader. Everything else is handed the time.

use std::time::Duration;

use crate::core::time::{BootTime, Now, WallTime, span_from_millis};
use crate::platform::clock;

pub use crate::platform::clock::boot_id;

/// Reads all clocks.
pub fn read() -> Now {
    // Suspended time is the difference of two clocks that are read one after the other. A thread that is put aside between
    // the two readings would see a suspend that never was, so the readings are repeated until they lie close together.
    const CLOSE: Duration = Duration::from_millis(1);
    let mut awake = clock::awake();
    let mut boot = clock::boot();
    for _ in 0..4 {
        let after = clock::awake();
        if after.saturating_sub(awake) <= CLOSE {
            break;
        }
        awake = after;
        boot = clock::boot();
    }
    Now {
        boot: BootTime::from_millis(millis(boot)),
        wall: WallTime::from_millis(clock::wall_millis()),
        suspended: span_from_millis(millis(boot.saturating_sub(awake))),
    }
}

/// Reads the boot-time clock alone.
pub fn boot() -> BootTime {
    BootTime::from_millis(millis(clock::boot()))
}

/// Whether the kernel vouches for the wall clock; macOS can't say, so there it never does.
pub fn wall_is_synchronised() -> bool {
    u64::try_from(clock::wall_millis()).is_ok_and(|wall| clock::kernel_vouches_for(Duration::from_millis(wall)))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn two_readings_follow_each_other() {
        let (first, second) = (read(), read());
        assert!(second.boot >= first.boot);
        assert!(second.boot - first.boot < TimeDelta::seconds(10));
        assert!((second.suspended - first.suspended).abs() < TimeDelta::seconds(1));
        assert!(boot() >= second.boot);
    }
}
