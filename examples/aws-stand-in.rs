//! The stand-in for AWS by itself, for tests in other languages: prints its URL, and ends when its standard input does.
//!
//! It is driven by POST requests to `/_stand-in/COMMAND`; see `control.rs` and `sso_control.rs` in `tests/standin`.

use std::io::Read;

#[path = "../tests/standin/mod.rs"]
mod standin;

#[expect(clippy::print_stdout, reason = "the URL is what this program is started for")]
fn main() {
    let aws = standin::StandIn::start();
    println!("{}", aws.url());
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}
