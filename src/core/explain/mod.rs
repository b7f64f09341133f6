//! What an AWS error message means here and now: finds the errors in a text of any size, knows what causes each, and holds the
//! causes against what the doctor found.

mod advice;
mod causes;
mod clean;
mod correlate;
mod extract;
mod fixes;
mod named;
mod patterns;
mod reading;
mod render;
mod sentences;
mod service;
mod target;
mod wrapped;

pub use self::correlate::{Explained, Explanation, Likelihood, LocalContext, RankedCause, explain};
pub use self::extract::{ReportedError, Scanner, scan};
pub use self::render::render;
pub use self::target::{LookedAt, Named, profile_of, region_of};
