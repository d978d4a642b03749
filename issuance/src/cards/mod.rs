//! Cards after production: hand-over, loss, status.

mod api;
pub mod model;
pub mod steps;
pub mod store;

pub use api::routes;
pub use store::{MIGRATIONS, revoked_documents};
