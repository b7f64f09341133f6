//! The AWS clients, and what each of them does with the constructs of the AWS files that not every client reads alike.

mod client;
mod constructs;

pub use self::client::Client;
pub use self::constructs::{Construct, Reading, Row};
