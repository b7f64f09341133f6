//! Which seeds a simulation runs: all of them on every processor, or the one that failed.
//!
//! `EVERCRED_SEEDS=1000` runs seeds 1 to 1000 (the default is 20, which is quick), `EVERCRED_SEED=7` runs seed 7 alone.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::fingerprint;

const DEFAULT_SEEDS: u64 = 20;

/// Runs `simulate` once for each seed, on as many threads as there are processors.
pub(super) fn for_each_seed(simulate: impl Fn(u64) + Sync) {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a seed variable holds a number"));
    let test = fingerprint::this_test();
    let simulate = |seed| {
        fingerprint::enter(test.clone(), seed);
        simulate(seed);
    };
    if let Some(seed) = number("EVERCRED_SEED") {
        return simulate(seed);
    }
    let last = number("EVERCRED_SEEDS").unwrap_or(DEFAULT_SEEDS);
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(8) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last {
                        break;
                    }
                    simulate(seed);
                }
            });
        }
    });
}
