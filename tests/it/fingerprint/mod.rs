//! Fingerprints: a hash of everything that a keeper does in a test, compared with the one in `tests/fingerprints`.
//!
//! A move that only changes the shape of the code leaves every fingerprint as it is. [`Keeper`] is the keeper of the tests: it
//! records each effect with its time, and each wake-up, and compares their hashes with the stored line when it is dropped.
//! Each line has two hashes. *Acts* are calls, answers, notices, files, states and times; *words* are the sentences that come with
//! them. So a reworded sentence is not taken for a changed decision. [`record`] holds the effects of one keeper, [`words`] describes
//! them, independent of the names of types and fields. [`store`] reads and writes the lines.
//!
//! - `EVERCRED_WRITE_FINGERPRINTS=1` writes the lines of the tests that run.
//! - `EVERCRED_WRITE_EVENTS=DIR` writes the recorded effects of each keeper into a file in DIR, in plain words. Written before and
//!   after a change, two such directories show with `diff -r` what the change changed.
//! - Seeds above the default have a stored line only if it was written: write the lines, make the change, run again.

mod record;
mod store;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;

use evercred::core::clock::Clock;
use evercred::core::glob::Selection;
use evercred::core::keeper::{Action, Event, KeeperSettings, Memory, MintedSet, RefreshOrder, UnsavedToken};
use evercred::core::time::{BootTime, Now};

use self::record::Record;

const HOUR: i64 = 3_600_000;
/// With more profiles, the state is recorded once for each hour instead of after each event.
const FEW: usize = 4;

thread_local! {
    static SCENARIO: RefCell<Scenario> = RefCell::new(Scenario::of_this_test());
}

/// The test and the seed that run in this thread.
struct Scenario {
    test: Option<String>,
    seed: u64,
    /// The keepers made so far, for each seed.
    keepers: BTreeMap<u64, u32>,
}

impl Scenario {
    /// The test harness names each thread after its test; with one thread only, there is no name, and nothing is recorded.
    fn of_this_test() -> Self {
        let name = std::thread::current().name().filter(|name| *name != "main").map(str::to_owned);
        Self { test: name, seed: 0, keepers: BTreeMap::new() }
    }
}

/// The test that runs in this thread, for [`enter`] in another.
pub(crate) fn this_test() -> Option<String> {
    SCENARIO.with_borrow(|scenario| scenario.test.clone())
}

/// What this thread does from now on is part of a test, with a seed.
pub(crate) fn enter(test: Option<String>, seed: u64) {
    SCENARIO.with_borrow_mut(|scenario| (scenario.test, scenario.seed) = (test, seed));
}

/// The keepers of this test have no fingerprint: its input is random, or very large.
pub(crate) fn leave_out_this_test() {
    enter(None, 0);
}

/// Which keeper of which test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    test: String,
    seed: u64,
    keeper: u32,
}

impl Name {
    /// Of the next keeper in this thread.
    fn next() -> Option<Self> {
        SCENARIO.with_borrow_mut(|scenario| {
            let test = scenario.test.clone()?;
            let keeper = scenario.keepers.entry(scenario.seed).or_default();
            *keeper += 1;
            Some(Self { test, seed: scenario.seed, keeper: *keeper })
        })
    }
}

/// A keeper whose effects are recorded.
pub(crate) struct Keeper {
    keeper: evercred::core::keeper::Keeper,
    /// `None` where nothing is recorded.
    record: Option<Record>,
    now: Option<Now>,
    /// The profiles at the last recorded state.
    profiles: usize,
}

impl Deref for Keeper {
    type Target = evercred::core::keeper::Keeper;

    fn deref(&self) -> &Self::Target {
        &self.keeper
    }
}

impl Keeper {
    pub(crate) fn new(settings: KeeperSettings, memory: Memory, clock: Clock, seed: u64) -> Self {
        let keeper = evercred::core::keeper::Keeper::new(settings, memory, clock, seed);
        Self { keeper, record: Name::next().map(Record::new), now: None, profiles: 0 }
    }

    pub(crate) fn handle(&mut self, event: Event, now: Now) {
        self.handle_all([event], now);
    }

    pub(crate) fn handle_all(&mut self, events: impl IntoIterator<Item = Event>, now: Now) {
        let events: Vec<Event> = events.into_iter().collect();
        if let Some(record) = &mut self.record {
            events.iter().for_each(|event| record.input(event, now));
        }
        self.keeper.handle_all(events, now);
        self.settled(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.keeper.handle_timeout(now);
        self.settled(now);
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        let action = self.keeper.poll_action();
        if let (Some(record), Some(now), Some(action)) = (&mut self.record, self.now, &action) {
            let effect = record.words.action(action);
            record.effect(now, effect);
            if self.profiles <= FEW {
                let files = words::files_of(action, &self.keeper);
                files.into_iter().for_each(|file| record.effect(now, file));
            }
        }
        action
    }

    pub(crate) fn last_saves(&mut self, now: Now) -> Vec<RefreshOrder> {
        let orders = self.keeper.last_saves(now);
        if let Some(record) = &mut self.record {
            for order in &orders {
                let effect = record.words.refresh(order);
                record.effect(now, effect);
            }
        }
        orders
    }

    pub(crate) fn restore_minted(&mut self, sets: Vec<MintedSet>, same_boot: bool) {
        self.keeper.restore_minted(sets, same_boot);
    }

    pub(crate) fn restore_unsaved(&mut self, tokens: Vec<UnsavedToken>) {
        self.keeper.restore_unsaved(tokens);
    }

    /// The hash of the acts so far.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.record.as_ref().expect("the keeper of a test that is not left out").line().acts
    }

    /// Records the next wake-up, and the state where it is time for it.
    fn settled(&mut self, now: Now) {
        let Some(record) = &mut self.record else { return };
        record.wakes_at(self.keeper.next_timeout().map(BootTime::as_millis), now);
        let hour = |now: Now| now.boot.as_millis().div_euclid(HOUR);
        if self.profiles <= FEW || self.now.map(hour) != Some(hour(now)) {
            let profiles = self.keeper.status(now);
            self.profiles = profiles.len();
            profiles.iter().for_each(|profile| record.effect(now, words::profile(profile)));
            for effect in words::state(&self.keeper, now) {
                record.effect(now, effect);
            }
            for device in self.keeper.mfa_status(Selection::ALL, now) {
                record.effect(now, words::device(&device));
            }
        }
        self.now = Some(now);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let record = self.record.take().filter(|record| record.has_effects() && !std::thread::panicking());
        let Some(record) = record else { return };
        if let Err(why) = store::check(&record) {
            panic!("{why}");
        }
    }
}

/// A renamed or removed test leaves no line behind.
#[test]
fn every_fingerprint_is_of_a_test() {
    leave_out_this_test();
    let binary = std::env::current_exe().unwrap();
    let list = std::process::Command::new(binary).args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let unknown = store::without_test(&tests);
    assert!(unknown.is_empty(), "these tests are no more; EVERCRED_WRITE_FINGERPRINTS=1 removes them: {unknown:#?}");
}
