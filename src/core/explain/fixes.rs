//! The fix of a cause that was not found on this machine: the message may be from another shell or an earlier time.

use super::local_context::LocalContext;
use crate::core::cause::UsualFix;
use crate::core::doctor::Cause;
use crate::core::fix::{self, Fix, evercred};

/// The usual fix of a cause. Fixes from the message or doctor come before it.
pub(super) fn of(id: Cause, here: &LocalContext) -> Fix {
    match id.usual_fix() {
        UsualFix::Advice(text) => Fix::advice(text),
        UsualFix::Command(text, command) => Fix::command(text, command),
        UsualFix::OfProfile(text, command) => {
            let typed = match &here.profile {
                Some(profile) => evercred(command, profile),
                None => format!("evercred {command}"),
            };
            Fix::command(text, typed)
        }
        UsualFix::Unset(text, names) => Fix::command(text, fix::unset(here.uses_fish, names)),
    }
}
