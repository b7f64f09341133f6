//! Commands that several rules name.

use crate::core::fix::word;

/// Asks for a user's key, and writes it where the profile's key stands.
pub(super) fn configure(profile: &str) -> String {
    if profile == "default" { "aws configure".to_owned() } else { format!("aws configure --profile {}", word(profile)) }
}
