//! A number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13), established once, never given to anybody else.
//!
//! `NNNNNN` looks random to whoever holds no key, and yet is never drawn twice: each cell (province, century and sex, year)
//! counts its births, and the count is sent through a keyed permutation of the million values. Nothing is retried, nothing is
//! looked up, and no two cells share anything, so that a cell lives on whatever shard holds it.

mod api;
pub mod model;
pub mod steps;
pub mod store;

pub use api::routes;
pub use model::Permutation;
pub use steps::{found, open};
pub use store::MIGRATIONS;
