//! Loops of source profiles.

use std::collections::HashMap;

use super::look::error;
use super::{PlanError, PlanErrorCode};
use crate::core::profile::{Origin, Section, Value};

/// The number of names shown at the beginning and at the end of a long loop.
const SHOWN_FIRST: usize = 6;
const SHOWN_LAST: usize = 5;

/// Profiles each of which is the source of the one before it, and the first one that of the last.
pub(super) struct ProfileLoop<'a> {
    /// The names, each with the file and line in which the profile before it names it.
    profiles: Vec<(&'a str, Origin)>,
    numbers: HashMap<&'a str, usize>,
}

impl<'a> ProfileLoop<'a> {
    pub(super) fn of(profiles: impl Iterator<Item = (&'a str, Origin)>) -> Self {
        let profiles: Vec<_> = profiles.collect();
        let numbers = profiles.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
        Self { profiles, numbers }
    }

    /// The number of a profile in the loop.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The error for a profile that enters the loop at this number.
    pub(super) fn error(&self, at: usize) -> PlanError {
        let length = self.profiles.len();
        let name = |number: usize| self.profiles[(at + number) % length].0;
        let names: Vec<&str> = if length < SHOWN_FIRST + 1 + SHOWN_LAST {
            (0..=length).map(name).collect()
        } else {
            let last = (length + 1 - SHOWN_LAST..=length).map(name);
            (0..SHOWN_FIRST).map(name).chain(["…"]).chain(last).collect()
        };
        let message = format!("the source profiles form a loop: {}", names.join(" → "));
        error(PlanErrorCode::ProfileLoop, message, self.profiles[at].1)
    }
}

pub(super) fn its_own_source(section: &Section, named_by: Option<&Value>) -> PlanError {
    let message = format!(
        "profile \"{0}\" is its own source and has no keys of its own: put aws_access_key_id and aws_secret_access_key \
         into [{0}], or name another source_profile",
        section.name
    );
    error(PlanErrorCode::ProfileLoop, message, named_by.map_or(section.origin, |value| value.origin))
}
