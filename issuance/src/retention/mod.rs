//! What is kept no longer is erased, and what must be kept is not: terms by kind, each with its legal ground; the job
//! that erases; legal holds, put and ended by two officers of the national office.
//!
//! Each office erases what is its own; this one knows terms, order and records. What stands under no term here is kept:
//! docs/database.md says why, table by table.

mod api;
mod job;
mod problem;
pub mod steps;
mod terms;

pub use api::routes;
pub use job::{Figures, RetentionError, confirm_the_clock, erase_again, list, run, sweep};
pub(crate) use job::{REST, TURN};
pub use steps::HoldError;
pub use terms::{KEPT, Kept, Kind, PASSING, Rule, Settings};
