//! The AWS clients, and how each reads the constructs of the AWS files that clients read differently.

mod client;
mod constructs;

pub use self::client::Client;
pub use self::constructs::{Construct, Reading, Row};
