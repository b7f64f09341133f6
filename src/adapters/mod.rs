//! One outside thing each, thin: what it says is turned into the core's types, what the core wants is carried out. No policy.

pub mod ask;
mod aws_call;
mod ca_bundle;
pub mod clock;
pub mod desktop;
pub mod file;
mod http_thread;
mod iam;
mod metadata;
pub mod mint;
mod network;
mod no_proxy;
pub mod ntp;
pub mod private_file;
mod process;
mod sdk;
pub mod sessions;
mod sts;
pub mod timekeeping;
mod token_file;
pub mod watch;
mod watch_places;
