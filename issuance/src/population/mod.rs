//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

mod api;
pub mod check;
pub mod model;
pub mod reference;
pub mod steps;
pub mod store;

pub use api::routes;
pub use store::MIGRATIONS;
