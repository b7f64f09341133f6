//! The keeper.
mod api;
pub use api::*;
