//! Cards after production: hand-over, loss, status.

pub mod model;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::store::{Migration, StoreError, Tx};

/// Tables of this office; versions 9000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}

/// SHA-256 of the raw EF.SOD of each revoked card, for the trust bundle.
///
/// # Errors
/// [`StoreError`]
pub async fn revoked_documents(_tx: &mut Tx) -> Result<Vec<[u8; 32]>, StoreError> {
    Ok(Vec::new())
}
