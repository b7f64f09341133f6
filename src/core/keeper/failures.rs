//! What failed last at one credential, and when it is tried again.

use super::api::ErrorStatus;
use super::backoff::{Changed, Streak};
use super::rng::Rng;
use crate::core::aws_error::{ErrorClass, Fault, is_of_region, refuses_signer};
use crate::core::plan::Endpoint;
use crate::core::time::{AwsTime, BootTime};

/// The failures of one credential. Two profiles that share it may call different regions: what is wrong with the one says
/// nothing about the other, but a refusal of who asks, or of what is asked for, holds everywhere.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<Failure>);

/// A streak of failures, and what the last one was.
#[derive(Debug)]
pub(super) struct Failure {
    /// `None`: wherever it is asked.
    place: Option<Endpoint>,
    pub(super) streak: Streak,
    pub(super) error: ErrorStatus,
    /// When it came.
    pub(super) came_at: BootTime,
}

impl Failures {
    /// What keeps a call to an endpoint from going well.
    pub(super) fn at(&self, endpoint: &Endpoint) -> Option<&Failure> {
        self.0.iter().find(|failure| failure.place.as_ref().is_none_or(|place| place == endpoint))
    }

    /// Whether a person must do something first.
    pub(super) fn needs_login(&self) -> bool {
        self.0.iter().any(|failure| failure.error.class == ErrorClass::NeedsLogin)
    }

    /// The last one, wherever it was.
    pub(super) fn last(&self) -> Option<&Failure> {
        self.0.last()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all: it has succeeded, or is another thing now.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// All streaks.
    pub(super) fn streaks(&mut self) -> impl Iterator<Item = &mut Streak> {
        self.0.iter_mut().map(|failure| &mut failure.streak)
    }

    /// Notes one more failure.
    pub(super) fn note(
        &mut self,
        fault: Fault,
        endpoint: &Endpoint,
        changed: Changed,
        now: BootTime,
        at: AwsTime,
        rng: &mut Rng,
    ) -> &Failure {
        let streak = Streak::after(self.at(endpoint).map(|failure| &failure.streak), &fault, changed, now, rng);
        let place = is_of_the_place(&fault).then(|| endpoint.clone());
        match place {
            Some(_) => self.0.retain(|failure| failure.place.as_ref().is_some_and(|other| other != endpoint)),
            None => self.0.clear(),
        }
        let (message, fix) = (fault.with_advice(), fault.fix().map(str::to_owned));
        let Fault { class, operation, code, words, .. } = fault;
        let (operation, detail) = (Some(operation.name), Some(words));
        let error = ErrorStatus { at, operation, detail, code, class, message, fix, next_try: streak.next_try() };
        let index = self.0.len();
        self.0.push(Failure { place, streak, error, came_at: now });
        &self.0[index]
    }
}

/// Whether another endpoint may answer otherwise.
fn is_of_the_place(fault: &Fault) -> bool {
    (fault.class == ErrorClass::Retryable || is_of_region(&fault.code)) && !refuses_signer(fault)
}
