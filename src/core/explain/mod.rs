//! What an AWS error message means here and now: finds the errors in a text of any size, knows what causes each, and holds the
//! causes against what the doctor found.

mod advice;
mod causes;
mod clean;
mod correlate;
mod extract;
mod fixes;
mod hit;
mod local_context;
mod named;
mod pattern;
mod patterns;
mod reading;
mod render;
mod reported;
mod sentences;
mod service;
mod target;
mod wrapped;

pub use self::correlate::{Explained, Explanation, Likelihood, RankedCause, explain};
pub use self::extract::{Scanner, scan};
pub use self::local_context::{LocalContext, LookedAt};
pub use self::render::render;
pub use self::reported::ReportedError;
pub use self::target::{Named, profile_of, region_of};
