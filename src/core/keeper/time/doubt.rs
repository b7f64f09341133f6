//! Whether AWS time must be probed before the next signature.
//!
//! A doubt costs one probe. Whatever it brings, calls go on afterwards: without a network, a keeper that insisted on an answer would
//! never call again. An answer that contradicts the estimate requests a second one, three times in a row at most.

use crate::core::plan::Endpoint;

/// A server that never agrees with itself is not asked for ever.
const MAX_CONFIRMATIONS: u32 = 3;

/// The state of the present doubt.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// A probe is under way.
    is_probing: bool,
    /// A probe was made for the present doubt.
    is_probed: bool,
    /// A doubt came up during a probe, whose answer may be from before.
    is_raised_meanwhile: bool,
    /// The endpoint of the second probe, after an answer that contradicted the estimate.
    confirm_at: Option<Endpoint>,
    confirmations: u32,
}

impl Doubt {
    /// A new doubt.
    pub(super) fn raise(&mut self) {
        self.is_probed = false;
        self.is_raised_meanwhile = self.is_probing;
    }

    /// An answer contradicted the estimate.
    pub(super) fn contradicted(&mut self, endpoint: Endpoint) {
        if self.confirmations < MAX_CONFIRMATIONS {
            self.confirmations += 1;
            self.confirm_at = Some(endpoint);
            self.is_probed = false;
        }
    }

    /// An answer was believed.
    pub(super) fn agreed(&mut self) {
        self.confirmations = 0;
        self.confirm_at = None;
    }

    pub(super) fn probe_begins(&mut self) {
        self.is_probing = true;
    }

    /// A probe has ended, with or without an answer.
    pub(super) fn probe_ended(&mut self) {
        self.is_probing = false;
        self.is_probed = self.confirm_at.is_none() && !std::mem::take(&mut self.is_raised_meanwhile);
    }

    /// The endpoint to probe at once, as an answer contradicted the estimate.
    pub(super) fn take_confirmation(&mut self) -> Option<Endpoint> {
        if self.is_probing { None } else { self.confirm_at.take() }
    }

    pub(super) fn is_probing(&self) -> bool {
        self.is_probing
    }

    pub(super) fn is_probed(&self) -> bool {
        self.is_probed
    }
}
