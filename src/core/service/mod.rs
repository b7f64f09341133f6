//! The daemon as a service of the person's own: what is written for systemd or launchd, what of a shell's environment the
//! service needs, and what an installation remembers so that it can be taken away again.

pub mod agent;
pub mod carry;
pub mod environment;
mod record;
mod settings_edit;
pub mod unit;

pub use record::{Record, StoredSettings, digest};
pub use settings_edit::{Edited, remove, store};
