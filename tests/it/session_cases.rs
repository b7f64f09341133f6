//! Sign-in sessions, event by event: stories that need a hand on the disk and on every answer.

pub(crate) mod bench;
mod files;
mod logouts;
mod refusals;
mod sign_ins;
mod unsaved;
