//! Units of the authority and their calendar of working days.
//!
//! Procedures of the law have stages with owners and deadlines; who owns a stage and which day a deadline falls on is
//! asked here. Officers and stations may carry the code of an office that is no unit, as before there were units. Who
//! acts for an absent owner, and which office took the place of one that is dissolved, is a matter of `access`.

mod api;
pub mod calendar;
mod deputies_api;
pub mod holidays;
pub mod model;
mod pages;
mod problem;
pub mod steps;
mod store;

pub use api::routes;
pub(crate) use pages::{pages, waiting_days, waiting_deputies};
pub use store::MIGRATIONS;
