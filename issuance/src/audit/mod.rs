//! The audit trail, read: what was done to an object, by a caller, about a person. Written by [`crate::deed`].

mod api;
mod problem;
mod steps;
mod store;

pub use api::routes;
pub(crate) use steps::{AuditError, Row, look_about, looks_about, looks_at};
#[cfg(test)]
pub(crate) use store::LOOKS;
