//! From the counter to the decision: an application, what is captured for it, and the second person who decides.

mod api;
pub mod fees;
pub mod model;
pub mod objects;
pub mod portrait;
pub mod steps;
pub mod store;

pub use api::routes;
pub use store::MIGRATIONS;
