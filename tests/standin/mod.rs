//! A stand-in for AWS on loopback: STS, SSO and Signin as they really answer, signatures verified, with a clock of its own
//! and faults on command. It uses nothing of evercred, so that it is an oracle and not a mirror.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each program that includes this uses a part of it"
)]

mod account;
mod browser_page;
mod control;
mod dpop;
mod grants;
mod http;
mod oidc;
mod portal;
mod server;
mod services;
mod signin;
mod sigv4;
mod sso;
mod sso_control;
mod sts;
mod world;

pub use self::account::{NewSession, RegionState, SessionKeys};
pub use self::grants::Rotation;
pub use self::server::StandIn;
pub use self::services::Service;
pub use self::signin::{SigninError, SigninSettings};
pub use self::sso::{START_URL, SsoSettings};
pub use self::world::{Call, DateHeader, Fault, Key, Role};
