//! Units of the authority, their calendar of working days, and officers who stand in for others.
//!
//! Procedures of the law have stages with owners and deadlines; who owns a stage, which day a deadline falls on and who
//! acts for an absent owner is asked here. Two things are not yet so: officers and stations may carry the code of an
//! office that is no unit, as before there were units; and no right follows from being a deputy.

mod api;
pub mod calendar;
pub mod holidays;
pub mod model;
mod problem;
pub mod steps;
mod store;

pub use api::routes;
pub use store::MIGRATIONS;
