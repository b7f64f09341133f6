//! The AWS clients, and how each reads the constructs of the AWS files, and the times in SSO cache files, that clients read differently.

mod client;
mod constructs;
mod token_time;

pub use self::client::{Client, Reading};
pub use self::constructs::{Construct, Row};
pub use self::token_time::TokenTime;
