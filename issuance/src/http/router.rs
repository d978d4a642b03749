//! All offices under one roof; the OpenAPI document is generated from the same routes.

use std::any::Any;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as OpenApiDocument, RefOr, Required};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Problem, store};
use crate::access::Right;
use crate::app::App;
use crate::{access, applications, audit, cards, numbering, pki, population, production};

/// Title and security of the document; the paths come from the offices.
#[derive(OpenApi)]
#[openapi(info(
    title = "Citizen Card issuance",
    description = "Officers sign in for a bearer token; stations are known by their TLS client certificate. Every write takes Idempotency-Key."
))]
struct Title;

/// Everything that this service answers.
fn offices() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Title::openapi())
        .routes(routes!(health))
        .routes(routes!(openapi))
        .merge(access::routes())
        .merge(audit::routes())
        .merge(pki::routes())
        .merge(population::routes())
        .merge(numbering::routes())
        .merge(applications::routes())
        .merge(production::routes())
        .merge(cards::routes())
}

/// The OpenAPI document of this very program. Who may call what is written in from the table of rights, so that it cannot
/// differ from what the gate does.
#[must_use]
pub fn document() -> OpenApiDocument {
    let mut document = offices().split_for_parts().1;
    let components = document.components.get_or_insert_default();
    let bearer =
        Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("POST /api/sessions gives the token.")).build();
    components.add_security_scheme("officer", SecurityScheme::Http(bearer));
    let description = Some("Client certificate from POST /api/stations.".to_owned());
    let mutual = SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
    components.add_security_scheme("station", mutual);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ] {
            let (Some(operation), Some(right)) = (operation, access::right(&method, path)) else { continue };
            let none: [&str; 0] = [];
            match right {
                Right::Anyone => {}
                Right::SignedIn => operation.security = Some(vec![SecurityRequirement::new("officer", none)]),
                Right::Station => operation.security = Some(vec![SecurityRequirement::new("station", none)]),
                Right::Officer(permission) => {
                    let roles = permission.roles().iter().map(|role| role.name());
                    operation.security = Some(vec![SecurityRequirement::new("officer", roles)]);
                }
            }
            if method == Method::POST && right != Right::Anyone {
                let key = ParameterBuilder::new()
                    .name("Idempotency-Key")
                    .parameter_in(ParameterIn::Header)
                    .required(Required::True)
                    .description(Some("1 to 128 printable ASCII characters, new for each intended effect."))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
                operation.parameters.get_or_insert_default().push(RefOr::T(key.build()));
            }
        }
    }
    document
}

/// The service: each route behind the gate of [`access`], each request with an id, each problem with its body.
pub fn router(app: App) -> Router {
    let (routes, _) = offices().split_for_parts();
    routes
        .fallback(async || {
            Problem::new(
                StatusCode::NOT_FOUND,
                "no-such-path",
                "The paths of this service are listed in /openapi.json.",
            )
        })
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(middleware::from_fn_with_state(app.clone(), super::write::heard_out))
        .layer(middleware::from_fn_with_state(app.clone(), access::gate))
        .layer(DefaultBodyLimit::max(app.config().body_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), identified))
        .with_state(app)
}

/// The path is there, for other methods.
pub(crate) fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "See /openapi.json for this path.")
}

/// Gives the request an id, writes one log line about it, and gives a problem its body.
async fn identified(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = app.new_id();
    let method = request.method().clone();
    // The path with its parameters would name persons; the pattern does not.
    let pattern = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let started = std::time::Instant::now();
    let mut response = match tokio::time::timeout(app.config().request_limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "request-too-slow",
            "Repeat the request with the same idempotency key: what was done before is not done again.",
        )
        .into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::info!(request.id = %id, code = problem.code(), "refused");
        response = problem.answer(&id);
    }
    let status = response.status().as_u16();
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request.id = %id, %method, path = pattern.as_deref().unwrap_or("-"), status, duration_us, "answered");
    // Answers are about people, and some carry tokens: nothing on the way may keep them.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    // The panic hook has written where; what it said stays out of the answer.
    let remedy = "Report the request id to whoever runs the service.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", remedy).into_response()
}

/// Is the service up, and does its database answer?
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = Health)))]
async fn health(State(app): State<App>) -> super::Read<Health> {
    let mut tx = app.begin_read().await?;
    store::is_there(&mut tx).await?;
    Ok(Json(Health { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into() }))
}

/// Answer of `GET /health`.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`
    pub status: String,
    /// Version of the program.
    pub version: String,
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", responses((status = 200, description = "OpenAPI 3.1")))]
async fn openapi() -> Json<OpenApiDocument> {
    Json(document())
}
