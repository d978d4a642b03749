//! Keys and certificates: the signer, the national CSCA, document signers, the trust bundle, master keys of cards.

mod secrets;

use utoipa_axum::router::OpenApiRouter;

pub use secrets::{Secrets, SecretsError};

use crate::app::App;
use crate::store::Migration;

/// Tables of this office; versions 4000 and up.
pub const MIGRATIONS: &[Migration] = &[];

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
