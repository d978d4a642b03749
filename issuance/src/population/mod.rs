//! The register: what a declaration (form DC01) says about one person, and what is wrong with it.

pub mod check;
pub mod model;
pub mod reference;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 5000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
