//! The AWS config and credentials files, read as the SDKs' shared specification says.
//!
//! Two steps: [`Document`] is one file as a table of lines over its original bytes, which knows what each line is and
//! where its parts stand; [`load`] merges the documents of both files into [`Profiles`](crate::core::profile::Profiles). The rules that look arbitrary
//! are the specification's; its test cases, which the crate aws-runtime ships, all pass (`tests/it/aws_file_cases.rs`).

mod document;
mod merge;

pub use document::{Document, Line, LineKind};
pub use merge::load;

/// White space by the specification: nothing else is, no-break spaces and the like are part of the value.
const WHITESPACE: [char; 2] = [' ', '\t'];

/// Names are made of these characters, so that they need no quoting anywhere.
fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.%@:+".contains(c))
}
