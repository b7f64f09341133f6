//! When the state files are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::now;
use super::state::StateFiles;
use crate::core::keeper::Keeper;
use crate::core::settings::Persist;
use crate::core::time::BootTime;
use crate::wire::ProblemEntry;

/// The delay before a failed write is retried.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// Writes the state files off the loop, one write at a time; what changes meanwhile is written after it.
pub(super) struct Saves {
    state: Arc<StateFiles>,
    /// What was asked for has changed.
    pub(super) memory: bool,
    /// The minted sets have changed.
    pub(super) minted: bool,
    /// The tokens that are in no cache file yet have changed.
    pub(super) unsaved: bool,
    under_way: JoinSet<Results>,
    /// The parts that can't be written, and why.
    failing: BTreeMap<Part, String>,
    retry_at: Option<BootTime>,
}

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Memory,
    Minted,
    Unsaved,
    Clock,
}

type Results = Vec<(Part, Result<(), String>)>;

impl Saves {
    /// `problem`: why nothing can be saved at the start.
    pub(super) fn new(state: StateFiles, problem: Option<String>) -> Self {
        let mut this = Self {
            state: Arc::new(state),
            memory: false,
            minted: false,
            unsaved: false,
            under_way: JoinSet::new(),
            failing: BTreeMap::new(),
            retry_at: None,
        };
        this.take(problem.map(|why| (Part::Memory, Err(why))).into_iter().collect());
        this
    }

    pub(super) fn begin(&mut self, keeper: &Keeper, persist: Persist) {
        let waits = self.retry_at.is_some_and(|at| now().boot < at);
        // A new token does not wait for the retry of another write.
        let is_urgent = self.unsaved && !self.failing.contains_key(&Part::Unsaved);
        if !self.under_way.is_empty() || !(self.unsaved || self.memory || self.minted) {
            return;
        }
        if waits && !is_urgent {
            return;
        }
        let memory = (!waits && std::mem::take(&mut self.memory)).then(|| keeper.memory().clone());
        let minted = (!waits && std::mem::take(&mut self.minted)).then(|| keeper.minted());
        let unsaved = std::mem::take(&mut self.unsaved).then(|| keeper.unsaved());
        let (state, clock) = (self.state.clone(), keeper.clock().save(now()));
        self.under_way.spawn_blocking(move || {
            // First the data that can't be fetched again.
            let unsaved = unsaved.map(|tokens| (Part::Unsaved, state.save_unsaved(&tokens, persist)));
            let memory = memory.map(|memory| (Part::Memory, state.save_memory(&memory)));
            let minted = minted.map(|minted| (Part::Minted, state.save_minted(&minted, persist)));
            let clock = clock.map(|clock| (Part::Clock, state.save_clock(clock)));
            [unsaved, memory, minted, clock].into_iter().flatten().collect()
        });
    }

    /// Waits for the write that is under way; nothing where there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let results = self.under_way.join_next().await?;
        self.take(results.unwrap_or_default());
        Some(())
    }

    /// When to retry a failed write.
    pub(super) fn next_timeout(&self) -> Option<BootTime> {
        self.retry_at.filter(|_| self.under_way.is_empty())
    }

    /// The problem in `status` while the state can't be saved.
    pub(super) fn problem(&self) -> Option<ProblemEntry> {
        let why = self.failing.values().next()?;
        Some(ProblemEntry {
            id: "state-unsaved".to_owned(),
            message: format!(
                "{why}; a restart of the daemon loses its cached credentials and the list of used profiles"
            ),
            file: None,
            line: None,
            fix: None,
        })
    }

    fn take(&mut self, results: Results) {
        let was_failing = !self.failing.is_empty();
        for (part, result) in results {
            match result {
                Ok(()) => {
                    self.failing.remove(&part);
                }
                Err(why) => {
                    match part {
                        Part::Minted => self.minted = true,
                        Part::Unsaved => self.unsaved = true,
                        // The clock is saved with either of the others.
                        Part::Memory | Part::Clock => self.memory = true,
                    }
                    self.failing.insert(part, why);
                }
            }
        }
        self.retry_at = (!self.failing.is_empty()).then(|| now().boot + RETRY);
        match self.problem() {
            // All files of a disk fail together: only the first one is logged.
            Some(problem) if !was_failing => tracing::warn!("{}", problem.message),
            None if was_failing => tracing::info!("the daemon can save its state again"),
            _ => {}
        }
    }

    /// Writes everything, before the program ends.
    pub(super) fn last(&self, keeper: &Keeper, persist: Persist) {
        let clock = keeper.clock().save(now()).map_or(Ok(()), |clock| self.state.save_clock(clock));
        let results = [
            self.state.save_unsaved(&keeper.unsaved(), persist),
            clock,
            self.state.save_memory(keeper.memory()),
            self.state.save_minted(&keeper.minted(), persist),
        ];
        for error in results.into_iter().filter_map(Result::err) {
            tracing::warn!("{error}");
        }
    }
}
