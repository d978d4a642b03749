//! What everybody may ask: the trust bundle, the revocation list.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bundle;
use crate::app::App;
use crate::http::Problem;

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(trust_bundle)).routes(routes!(crl))
}

/// The signed trust bundle (CMS SignedData), for inspection terminals.
#[utoipa::path(get, path = "/api/trust-bundle", tag = "pki",
    responses((status = 200, body = Vec<u8>, content_type = "application/cms")))]
async fn trust_bundle(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/cms")], bundle::current(&app).await?))
}

/// The CSCA's certificate revocation list (DER).
#[utoipa::path(get, path = "/api/crl", tag = "pki",
    responses((status = 200, body = Vec<u8>, content_type = "application/pkix-crl")))]
async fn crl(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, "application/pkix-crl")], bundle::crl(&app)?))
}
