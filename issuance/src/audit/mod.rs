//! The audit trail: one row for each write and each read of personal data, in the same transaction as what it tells of.

mod api;
mod store;

pub use api::routes;
pub use store::{MIGRATIONS, record};
