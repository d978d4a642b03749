//! From the counter to the decision: an application, what is captured for it, and the second person who decides.

pub mod fees;
pub mod model;
pub mod portrait;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 7000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
