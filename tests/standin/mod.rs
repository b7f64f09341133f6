//! A stand-in for AWS on loopback: STS as it really answers, signatures verified, with a clock of its own and faults on
//! command. It uses nothing of evercred, so that it is an oracle and not a mirror.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each program that includes this uses a part of it"
)]

mod control;
mod http;
mod server;
mod sigv4;
mod sts;
mod world;

pub use self::server::StandIn;
pub use self::world::{Call, DateHeader, Fault, Key, Role};
