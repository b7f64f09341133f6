//! When the state files are written.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::now;
use super::state::StateFiles;
use crate::core::keeper::Keeper;
use crate::core::settings::Persist;

/// Writes the state files off the loop, one write at a time; what changes meanwhile is written after it.
pub(super) struct Saves {
    state: Arc<StateFiles>,
    /// What was asked for has changed.
    pub(super) memory: bool,
    /// The minted sets have changed.
    pub(super) minted: bool,
    under_way: JoinSet<()>,
}

impl Saves {
    pub(super) fn new(state: StateFiles) -> Self {
        Self { state: Arc::new(state), memory: false, minted: false, under_way: JoinSet::new() }
    }

    pub(super) fn begin(&mut self, keeper: &Keeper, persist: Persist) {
        if !self.under_way.is_empty() || !(self.memory || self.minted) {
            return;
        }
        let memory = std::mem::take(&mut self.memory).then(|| keeper.memory().clone());
        let minted = std::mem::take(&mut self.minted).then(|| keeper.minted());
        let (state, clock) = (self.state.clone(), keeper.clock().save(now()));
        self.under_way.spawn_blocking(move || {
            let results = [
                memory.map(|memory| state.save_memory(&memory)),
                minted.map(|minted| state.save_minted(&minted, persist)),
                clock.map(|clock| state.save_clock(clock)),
            ];
            for error in results.into_iter().flatten().filter_map(Result::err) {
                tracing::warn!("{error}; what it would have kept is lost with the next restart");
            }
        });
    }

    /// Waits for the write that is under way; nothing where there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        self.under_way.join_next().await.map(|_| ())
    }

    /// Writes everything, before the program ends.
    pub(super) fn last(&self, keeper: &Keeper, persist: Persist) {
        let clock = keeper.clock().save(now()).map_or(Ok(()), |clock| self.state.save_clock(clock));
        let results =
            [clock, self.state.save_memory(keeper.memory()), self.state.save_minted(&keeper.minted(), persist)];
        for error in results.into_iter().filter_map(Result::err) {
            tracing::warn!("{error}");
        }
    }
}
