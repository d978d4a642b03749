//! A number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13), established once, never given to anybody else.
//!
//! `NNNNNN` looks random to whoever holds no key, and yet is never drawn twice: each cell (province, century and sex, year)
//! counts its births, and the count is sent through a keyed permutation of the million values. Nothing is retried, nothing is
//! looked up, and no two cells share anything, so that a cell lives on whatever shard holds it.

pub mod model;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 6000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
