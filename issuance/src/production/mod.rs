//! From a blank in a box to a chip that proved it is the card: stock, orders, receipts.

mod api;
pub mod compose;
mod documents;
mod error;
pub mod intake;
pub mod model;
pub mod personalization;
pub mod profile;
pub mod steps;
mod store;

pub use api::routes;
pub use error::ProductionError;
pub use store::MIGRATIONS;
