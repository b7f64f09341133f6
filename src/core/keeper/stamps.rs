//! The ends that stand in the tokens' files: stamped by this machine's clock, however wrong that is.

use super::Keeper;
use super::node::Forced;
use crate::core::time::Now;

impl Keeper {
    /// AWS's time is known now: what a program on this machine stamped by its clock is read again where it was not.
    pub(super) fn read_stamps_again(&mut self, now: Now) {
        if !self.time.is_trusted() {
            return;
        }
        for node in self.nodes.values_mut() {
            let Some(state) = node.session.as_mut().filter(|state| state.guessed) else { continue };
            state.guessed = false;
            state.clock_was_off = self.time.clock().local_minus_aws(now, self.settings.warn);
            let (Some(token), Some(held)) = (&state.token, &mut node.held) else { continue };
            let expires_at = self.time.clock().of_local_writer(token.expires(), now, self.settings.warn);
            held.shift_end(expires_at, &self.settings);
        }
    }

    /// The clock was set since a token was stamped by it: its file names an end that every other tool now reads wrongly, so the
    /// token is refreshed, and with it the stamp.
    pub(super) fn stamp_anew(&mut self, now: Now) {
        if !self.time.is_trusted() {
            return;
        }
        let off = self.time.clock().local_minus_aws(now, self.settings.warn);
        for node in self.nodes.values_mut().filter(|node| node.flight.is_none()) {
            let Some(state) =
                node.session.as_mut().filter(|state| !state.guessed && state.can_refresh(self.time.clock(), now))
            else {
                continue;
            };
            if (off - state.clock_was_off).abs() > self.settings.warn {
                state.clock_was_off = off;
                node.forced = node.forced.or(Some(Forced::ClockSet));
            }
        }
    }
}
