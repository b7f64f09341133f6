//! The one test binary.

mod aws_file_cases;
mod layers;
mod plan_cases;
mod simulation;
#[path = "../standin/mod.rs"]
mod standin;
