//! The AWS config and credentials files, read so that every profile that works in the AWS tools works here.
//!
//! [`Document`] is one file as a table of lines over its original bytes, [`FileSections`] has its sections, and [`merge`]
//! combines both files. The SDKs' shared specification is the base, and its test cases, which the crate aws-runtime ships,
//! all hold (`tests/it/aws_file_cases.rs`); where they are silent, botocore's reading counts. An unreadable line
//! is ignored. `docs/reading-aws-files.md` lists where other programs read a file differently.

mod column;
mod document;
mod fault;
mod header;
mod read;
mod reader;
mod settings;

pub use document::{Document, Fault, Line, LineKind, Written};
pub use read::{FileSections, Kind, load, merge};
pub use settings::{KEY_SETTINGS, deciding, is_setting};

use crate::core::printable;

/// White space as Python's `str.strip` and `\s` take it: Unicode's, and the four separators of ASCII.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Characters that editors don't show, such as the byte order mark of a file that was appended to another one.
fn is_invisible(c: char) -> bool {
    c.is_control() || printable::is_invisible(c)
}

/// The characters of setting names; settings with other names are ignored.
fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.%@:+".contains(c))
}
