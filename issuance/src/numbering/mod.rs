//! The office of numbering.

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 6000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
