//! Explains AWS error messages: finds the errors in a text of any size, knows the causes of each, and
//! compares the causes with the doctor's findings.

mod advice;
mod causes;
mod clean;
mod correlate;
mod encoded;
mod hit;
mod hits;
mod local_context;
mod missing_file;
mod named;
mod other_server;
mod pattern;
mod patterns;
mod reader;
mod reading;
mod relevance;
mod render;
mod reported;
mod scanner;
mod scope;
mod sentences;
mod service;
mod target;
mod wrapped;

pub use self::causes::RankedCause;
pub use self::correlate::{Explained, Explanation, Likelihood, document_without_error, explain};
pub use self::local_context::{LocalContext, LookedAt, StepFacts};
pub use self::missing_file::MissingFile;
pub use self::other_server::endpoint_of;
pub use self::render::render;
pub use self::reported::{OtherServer, ReportedError};
pub use self::scanner::{Scanned, Scanner, scan};
pub use self::target::{Named, profile_of, region_of};
