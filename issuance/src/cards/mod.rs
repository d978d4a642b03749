//! Cards after production: hand-over, loss, status.

pub mod model;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 9000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
