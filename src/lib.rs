//! evercred keeps AWS credentials valid on a developer's machine. ARCHITECTURE.md is the map.

pub mod companion;
pub mod core;
pub mod wire;

#[cfg(feature = "daemon")]
pub mod adapters;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "daemon")]
pub mod delivery;
pub mod platform;
