//! What every terminal may ask: the trust bundle, the revocation list.

use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use utoipa_axum::routes;

use super::Trust;
use crate::web::{Problem, Right, Routes, tags};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Trust: FromRef<S>,
{
    Routes::new().add(Right::Anyone, routes!(trust_bundle)).add(Right::Anyone, routes!(crl))
}

/// The signed trust bundle (CMS SignedData), for inspection terminals. With `If-None-Match` only if it is another one.
#[utoipa::path(get, path = "/api/v1/trust-bundle", tag = "trust",
    responses((status = 200, body = Vec<u8>, content_type = "application/cms"), (status = 304, description = "The same as before")))]
async fn trust_bundle(State(trust): State<Trust>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(bundle) = trust.current() else { return Err(Problem::new(ProblemCode::TrustBundleNotReady)) };
    let known = tags::is_known(&headers, &bundle.id.to_string());
    let tag = HeaderValue::from_str(&format!("\"{}\"", bundle.id)).map_err(|error| Problem::internal(&error))?;
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { typed("application/cms", bundle.signed) };
    response.headers_mut().insert(header::ETAG, tag);
    // May be kept, but is asked for again each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// The CSCA's certificate revocation list (DER).
#[utoipa::path(get, path = "/api/v1/crl", tag = "trust",
    responses((status = 200, body = Vec<u8>, content_type = "application/pkix-crl")))]
async fn crl(State(trust): State<Trust>) -> Result<Response, Problem> {
    let (der, _) = trust.crl.read().await?;
    Ok(typed("application/pkix-crl", Bytes::from(der.to_vec())))
}

fn typed(kind: &'static str, body: Bytes) -> Response {
    const CONTENT_TYPE: HeaderName = header::CONTENT_TYPE;
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}
