//! The thin rim: what differs between Linux and macOS, and every line of `unsafe`. No policy.

pub mod allocator;
pub mod clock;
pub mod environment;
#[cfg(feature = "daemon")]
pub mod file_events;
pub mod harden;
pub mod home;
#[cfg(feature = "daemon")]
pub mod inherited;
pub mod lease;
#[cfg(feature = "daemon")]
pub mod limits;
#[cfg(feature = "daemon")]
pub mod network;
pub mod peer;
pub mod program;
#[cfg(feature = "daemon")]
pub mod random;
#[cfg(feature = "daemon")]
pub mod signals;
#[cfg(feature = "daemon")]
pub mod tcp_owner;
#[cfg(feature = "daemon")]
pub mod timer;
pub mod unreadable;
pub mod zone;
