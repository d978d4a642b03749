//! A number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13), established once, never given to a second person.
//!
//! `NNNNNN` looks random without the key, and yet is never drawn twice: each cell (province, century and sex, year)
//! counts its births, and the count is sent through a keyed permutation of the million values. Nothing is retried,
//! nothing is looked up, and no two cells share anything, so that a cell may live on any shard.

mod api;
pub mod model;
mod problem;
pub mod steps;
pub mod store;

use std::sync::Arc;

pub use api::routes;
pub use model::Permutation;
pub use steps::{EstablishError, init};
pub use store::MIGRATIONS;

use crate::keys::{KeyStore, KeyStoreError};

/// What this office has: the secret of all personal numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    permutation: Arc<Permutation>,
}

impl Numbers {
    /// Opens the secret.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn open(store: &KeyStore) -> Result<Self, KeyStoreError> {
        Ok(Self { permutation: Arc::new(steps::open(store)?) })
    }
}
