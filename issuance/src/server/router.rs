//! All offices under one roof; gate, rights and the OpenAPI document are derived from the same routes.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ::pages::Nonce;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use crypto::log_in::protocol::SESSION_HEADER;
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::{AUTHORITIES, version};
use rand::Rng as _;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use tracing::field::Empty;
use utoipa::OpenApi;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Header, OpenApi as OpenApiDocument, RefOr, Required};
use utoipa_axum::routes;

use super::status::Severity;
use super::traces::Answered;
use super::{Offices, codes, docs, pages};
use crate::access::proposals::Alarm;
use crate::access::{Gate, gate, page_gate};
use crate::ground::ids::RequestId;
use crate::web::html::{Dress, is_page};
use crate::web::{
    Budget, InTheirWords, Looked, Meter, Peer, Problem, ProblemBody, Right, Routes, drain_body, operations,
    refuse_oversized_body,
};
use crate::{
    access, applications, audit, bookings, cards, citizens, exchange, notices, numbering, offices, population,
    production, retention, trust,
};

/// Title and security of the document; the paths come from the offices.
#[derive(OpenApi)]
#[openapi(
    components(schemas(ProblemBody)),
    servers((url = "https://issuance.invalid:8443", description = "Wherever the service is installed.")),
    tags(
        (name = "access", description = "Sessions, officers and stations."),
        (name = "applications", description = "From the counter to the hand-over."),
        (name = "audit", description = "The trail, read."),
        (name = "bookings", description = "Opening hours, and places and times for the capture."),
        (name = "cards", description = "Cards, and what is reported of them."),
        (name = "numbering", description = "Numbers for life."),
        (name = "offices", description = "Units, working days, deputies, and offices that are dissolved."),
        (name = "population", description = "The register."),
        (name = "production", description = "Stock, stations, orders and receipts."),
        (name = "reference", description = "Tables of codes."),
        (name = "partners", description = "Other authorities that ask the register, and their systems."),
        (name = "agreements", description = "What they may ask, and for what purposes."),
        (name = "citizens", description = "A citizen's own matters, with the card at a reader."),
        (name = "exchange", description = "What partners ask, and are told: signed, and no more than agreed."),
        (name = "retention", description = "Legal holds: what must not be erased."),
        (name = "service", description = "The service itself."),
        (name = "trust", description = "What terminals are given.")
    ),
    info(
        title = "Citizen Card issuance",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(name = "The project", url = "https://citizen-card.invalid/"),
        description = "Officers sign in for a bearer token; stations are known by their TLS client certificate. Every write takes Idempotency-Key."
    )
)]
struct Title;

/// The right of each method and path pattern.
pub type Rights = BTreeMap<(String, String), Right>;

/// All routes of this service.
fn offices() -> Routes<Offices> {
    Routes::with_document(Title::openapi())
        .add(Right::Anyone, routes!(ask_health))
        .add(Right::Anyone, routes!(livez))
        .add(Right::Anyone, routes!(readyz))
        .add(Right::Anyone, routes!(openapi))
        .add(Right::Anyone, routes!(docs::docs))
        .add(Right::Anyone, routes!(docs::docs_style))
        .merge(access::routes())
        .merge(audit::routes())
        .merge(offices::routes())
        .merge(population::routes())
        .merge(numbering::routes())
        .merge(cards::routes())
        .merge(notices::routes())
        .merge(bookings::routes())
        .merge(applications::routes())
        .merge(production::routes())
        .merge(trust::routes())
        .merge(exchange::routes())
        .merge(citizens::routes())
        .merge(retention::routes())
}

/// Returns the right of each route, as the routes carry it.
#[must_use]
pub fn rights() -> Rights {
    offices().split().2
}

/// Returns the right of each route of the pages, as the routes carry it.
#[must_use]
pub fn page_rights() -> Rights {
    pages::pages().split().1
}

/// Returns the right of each route in the words of other interfaces, as the routes carry it. They stand in no OpenAPI
/// document of this service: each is described where its interface is.
#[must_use]
pub fn adapter_rights() -> Rights {
    exchange::adapters::<Offices>().split().2
}

/// Returns the OpenAPI document of this very program. Who may call what is written in from the routes, so that it
/// cannot differ from what the gate does.
#[must_use]
pub fn document() -> OpenApiDocument {
    let (_, mut document, rights) = offices().split();
    let components = document.components.get_or_insert_default();
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("POST /api/v1/sessions gives the token."))
        .build();
    components.add_security_scheme("officer", SecurityScheme::Http(bearer));
    let description = Some("Client certificate from POST /api/v1/stations.".to_owned());
    let mutual = SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
    components.add_security_scheme("station", mutual);
    let description = "POST /api/v1/citizen/log-ins and its steps give the token, while the card is at the reader.";
    let session = ApiKeyValue::with_description(SESSION_HEADER, description);
    components.add_security_scheme("citizen", SecurityScheme::ApiKey(ApiKey::Header(session)));
    let description = Some("Client certificate of a partner's system, confirmed by a second officer.".to_owned());
    let mutual = SecurityScheme::MutualTls { description, deprecated: None, extensions: None };
    components.add_security_scheme("partner", mutual);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let right = rights.get(&(method.to_string(), path.clone())).copied();
            let none: [&str; 0] = [];
            match right {
                // Said, not left out: a reader must not take it for forgotten.
                None | Some(Right::Anyone) => operation.security = Some(Vec::new()),
                Some(Right::Citizen) => operation.security = Some(vec![SecurityRequirement::new("citizen", none)]),
                Some(Right::SignedIn) => operation.security = Some(vec![SecurityRequirement::new("officer", none)]),
                Some(Right::Carrier | Right::Partner) => {
                    operation.security = Some(vec![SecurityRequirement::new("partner", none)]);
                }
                Some(Right::Station) => operation.security = Some(vec![SecurityRequirement::new("station", none)]),
                Some(Right::Officer(permission)) => {
                    let roles = permission.roles().iter().map(|role| role.name());
                    operation.security = Some(vec![SecurityRequirement::new("officer", roles)]);
                }
            }
            if let Some(right) = right {
                let codes = codes::of(right, &method, path, operation);
                let listed = codes.iter().map(|code| code.word()).collect::<Vec<_>>();
                let listed = serde_json::json!(listed);
                let extensions = operation.extensions.get_or_insert_default();
                extensions.insert("x-problem-codes".to_owned(), listed);
            }
            // A search is a question whose words are personal: it is asked in a body, and changes nothing.
            if method == Method::POST && right != Some(Right::Anyone) && !path.ends_with("/search") {
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
    tell_of_the_alarm(&mut document);
    give_examples(&mut document);
    closed_lists(&mut document);
    drop_unused(&mut document);
    document
}

/// Writes into each answer the header that it carries while glass is broken.
fn tell_of_the_alarm(document: &mut OpenApiDocument) {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    header.description = Some(
        "While the owner of the key file proposes something about an officer: the second since 1970 in which it takes \
         effect; with `;waits` behind it, in which it ends undecided, for it waits for an administrator."
            .to_owned(),
    );
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            for answer in operation.responses.responses.values_mut() {
                if let RefOr::T(answer) = answer {
                    answer.headers.insert(ALARM.to_owned(), RefOr::T(header.clone()));
                }
            }
        }
    }
}

/// The header that every answer has while glass is broken.
const ALARM: &str = "x-break-glass";

/// Writes an example of question and answer into each operation. A test calls them all, and writes them down
/// (`examples.json`): what they say, the service said.
fn give_examples(document: &mut OpenApiDocument) {
    let examples: BTreeMap<String, Value> = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let Some(example) = examples.get(&format!("{method} {path}")) else { continue };
            if let Some(RefOr::T(request)) = &mut operation.request_body
                && let Some(RefOr::T(content)) = request.content.get_mut("application/json")
            {
                content.example = Some(example["request"].clone()).filter(|request| !request.is_null());
            }
            let answer = operation.responses.responses.get_mut(&example["status"].to_string());
            if let Some(RefOr::T(answer)) = answer
                && let Some(RefOr::T(content)) = answer.content.get_mut("application/json")
            {
                content.example = Some(example["answer"].clone());
            }
            let asked = example["path"].as_str().unwrap_or_default();
            let asked = asked.split('?').next().unwrap_or_default().split('/');
            for (name, value) in path.split('/').zip(asked) {
                let Some(name) = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else { continue };
                for parameter in operation.parameters.iter_mut().flatten() {
                    if let RefOr::T(parameter) = parameter
                        && parameter.name == name
                    {
                        *parameter =
                            ParameterBuilder::from(std::mem::take(parameter)).example(Some(value.into())).build();
                    }
                }
            }
        }
    }
}

const EXAMPLES: &str = include_str!("examples.json");

/// Drops the schemas to which nothing refers: those of the items of a page stand in the page.
fn drop_unused(document: &mut OpenApiDocument) {
    loop {
        let text = serde_json::to_string(&document).unwrap_or_default();
        let Some(components) = &mut document.components else { return };
        let before = components.schemas.len();
        components.schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.schemas.len() == before {
            return;
        }
    }
}

/// Writes the closed lists of the problem document into its schema.
fn closed_lists(document: &mut OpenApiDocument) {
    let schemas = document.components.as_mut().map(|components| &mut components.schemas);
    let Some(RefOr::T(Schema::Object(body))) = schemas.and_then(|schemas| schemas.get_mut("ProblemBody")) else {
        return;
    };
    let codes: Vec<&str> = ProblemCode::ALL.iter().map(|code| code.word()).collect();
    for (name, words) in [("code", codes), ("about", vec!["request", "chip", "station", "service"])] {
        if let Some(RefOr::T(Schema::Object(property))) = body.properties.get_mut(name) {
            property.enum_values = Some(words.into_iter().map(Into::into).collect());
        }
    }
}

/// Returns the service: each route behind the gate of [`access`], each request with an id, each problem with its body.
pub fn router(state: Offices) -> Router {
    let (routes, _, rights) = offices().split();
    let sessions = state.citizens.sessions();
    let guard = Gate::new(state.access.clone(), state.deeds().clone(), sessions.clone(), rights);
    let mut versioned = routes
        .fallback(async || Problem::new(ProblemCode::NoSuchPath))
        .method_not_allowed_fallback(async || Problem::new(ProblemCode::MethodNotAllowed))
        .layer(middleware::from_fn(refuse_oversized_body))
        .layer(middleware::from_fn_with_state(guard, gate));
    let (routes, _, rights) = exchange::adapters().split();
    let guard = Gate::new(state.access.clone(), state.deeds().clone(), sessions.clone(), rights);
    let adapted = routes
        .method_not_allowed_fallback(async || Problem::new(ProblemCode::MethodNotAllowed))
        .layer(middleware::from_fn(refuse_oversized_body))
        .layer(middleware::from_fn_with_state(guard, gate))
        .layer(middleware::from_fn(exchange::in_their_words));
    versioned = versioned.merge(adapted);
    let mut uploads = BTreeSet::new();
    if state.pages.enabled {
        let (routes, rights, takes_files) = pages::pages().split();
        uploads = takes_files;
        let guard = Gate::new(state.access.clone(), state.deeds().clone(), sessions, rights);
        let paged = routes
            .method_not_allowed_fallback(async || Problem::new(ProblemCode::MethodNotAllowed))
            .layer(middleware::from_fn(refuse_oversized_body))
            .layer(middleware::from_fn_with_state(guard, page_gate));
        versioned = versioned.merge(paged);
    }
    let versioned = versioned
        .layer(DefaultBodyLimit::max(state.web.stranger_body_limit)) // what does not go through `web` is small
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(drain_body))
        .layer(middleware::from_fn_with_state(
            (state.clone(), Budget::new(state.web.clone()), Arc::new(uploads)),
            identified,
        ))
        .with_state(state);
    Router::new()
        .fallback_service(versioned)
        .layer(middleware::from_fn(unversioned))
        .layer(middleware::from_fn(exchange::carried))
}

/// Answers `/api/…` without a version as `/api/v1/…`, and says in the answer that the address is deprecated.
///
/// Programs of before the version was part of the address go on. `/api/crl` stands in certificates and
/// `/api/trust-bundle` in the instructions of kiosks: those two are no deprecated addresses.
async fn unversioned(mut request: Request, next: Next) -> Response {
    let Some(versioned) = versioned(request.uri()) else { return next.run(request).await };
    let for_ever = FOR_EVER.contains(&request.uri().path());
    *request.uri_mut() = versioned;
    let mut response = next.run(request).await;
    if !for_ever {
        response.headers_mut().insert("deprecation", HeaderValue::from_static(UNVERSIONED_SINCE));
    }
    response
}

/// The addresses without a version that are answered for ever.
const FOR_EVER: [&str; 2] = ["/api/crl", "/api/trust-bundle"];
/// 2026-11-26, the day on which addresses without a version became deprecated (RFC 9745).
const UNVERSIONED_SINCE: &str = "@1795651200";

/// Returns the address with the version, of an address below `/api/` that names none.
fn versioned(uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix("/api/")?;
    if rest.starts_with("v1/") {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/api/v1/{rest}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// Gives the request an id and a span of the log that carries it, logs the cause of a failure once, and
/// gives a problem its body.
async fn identified(
    State((state, budget, uploads)): State<(Offices, Budget, Arc<BTreeSet<String>>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let id: RequestId = state.deeds().source().id();
    // Lives here until the request is answered, and with it the bytes of the body in the budget.
    let origin = request.extensions().get::<ConnectInfo<Peer>>().map(|peer| peer.0.origin);
    let takes_files = request.extensions().get::<MatchedPath>().is_some_and(|path| uploads.contains(path.as_str()));
    let _meter = origin.map(|origin| {
        let meter = Meter::new(state.web.clone(), budget, origin).of_uploads(takes_files);
        request.extensions_mut().insert(meter.clone());
        meter
    });
    // Everything that is logged while the request is answered carries its id.
    answered(state, request, next, id)
        .instrument(tracing::info_span!(
            "request",
            request.id = %id,
            officer = Empty,
            partner = Empty,
            station = Empty,
            message.id = Empty,
            query.id = Empty
        ))
        .await
}

async fn answered(state: Offices, mut request: Request, next: Next, id: RequestId) -> Response {
    let dress = (state.pages.enabled && is_page(request.uri().path())).then(|| {
        let mut random = [0; 16];
        state.deeds().source().rng().fill_bytes(&mut random);
        let sandbox = state.exchange.is_sandbox();
        Dress::of(request.method(), request.uri(), request.headers(), Nonce::of(random), sandbox)
    });
    if let Some(dress) = &dress {
        request.extensions_mut().insert(dress.clone());
    }
    let has_certificate =
        request.extensions().get::<ConnectInfo<Peer>>().is_some_and(|peer| peer.0.certificate.is_some());
    let method = request.method().clone();
    // The path with its parameters would name persons; the pattern does not.
    let pattern = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let (at, started) = (state.deeds().source().now(), std::time::Instant::now());
    let mut response = match tokio::time::timeout(state.web.request_limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(ProblemCode::RequestTooSlow).into_response(),
    };
    let mut code = None;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        code = Some(problem.code());
        // What a probe answers is no news to the probe.
        if !matches!(pattern.as_deref(), Some("/health" | "/readyz")) {
            state.readiness.answered(problem.code());
        }
        match problem.cause() {
            Some(cause) => tracing::error!(code = %problem.code(), cause, "a request failed inside the service"),
            None => tracing::info!(code = %problem.code(), "refused"),
        }
        response = match (&dress, response.extensions_mut().remove::<InTheirWords>()) {
            (Some(dress), _) => dress.refused(&problem, id),
            (None, Some(InTheirWords(told))) => told(&problem),
            (None, None) => problem.answer(id),
        };
    }
    if let Some(dress) = &dress {
        dress.finish(&mut response);
    }
    let status = response.status().as_u16();
    let took = started.elapsed();
    state.metrics.answered(&method, pattern.as_deref(), status, code, took);
    state.traces.answered(&Answered { id, at, took, method: &method, path: pattern.as_deref(), status, code });
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, path = pattern.as_deref().unwrap_or("-"), status, duration_us, "answered");
    // Answers are about people, and some carry tokens: no cache on the way may keep them.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // So a station learns from its first answer, whatever that is, which versions of its protocol are spoken here.
    if let Ok(value) = HeaderValue::from_str(&version::said()) {
        response.headers_mut().insert(version::HEADER, value);
    }
    // So that no answer about invented people is ever taken for one about real ones, in whichever words it is.
    if state.exchange.is_sandbox() {
        response.headers_mut().insert("x-sandbox", HeaderValue::from_static("true"));
    }
    // So a station learns that an authority was rolled over, and that the old one is gone.
    if has_certificate && let Ok(value) = HeaderValue::from_str(state.access.authority().fingerprints()) {
        response.headers_mut().insert(AUTHORITIES, value);
    }
    // While the owner of the key file breaks glass, every answer says so: an administrator who can sign in
    // must learn of it.
    if let Some(alarm) = state.access.alarm()
        && let Ok(value) = HeaderValue::from_str(&alarm.to_string())
    {
        response.headers_mut().insert(ALARM, value);
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Answers for a handler that panicked. The panic hook has written where; what it said stays out of the answer.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(ProblemCode::Internal).into_response()
}

/// Is the service up, does its database take writes, and may its signers sign? As `/readyz`, with what it cannot do.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "service", responses((status = 200, body = Health)))]
async fn ask_health(State(offices): State<Offices>) -> Looked<Health> {
    Ok(Json(health(&offices).await?))
}

/// Looks whether the database takes writes and whether the signers may sign.
///
/// # Errors
/// [`Problem`]: `storage-full`, `database-busy`, `database-unreachable`
pub async fn health(offices: &Offices) -> Result<Health, Problem> {
    offices.readiness.ask().await?;
    let mut details = offices.signer.now().complaints(offices.deeds().source().now()).await;
    details.extend(offices.faults.complaints());
    Ok(Health::of(offices.access.alarm(), details, offices.watch.public_findings()))
}

/// Does the process answer? Says nothing of its database.
#[utoipa::path(get, path = "/livez", tag = "service", responses((status = 200, body = Health)))]
async fn livez() -> Looked<Health> {
    Ok(Json(Health::of(None, vec![], vec![])))
}

/// Can the service work? Answers within a second, by a write at most once a second whose result all who ask share; and
/// tells what it cannot do, or soon cannot.
#[utoipa::path(get, path = "/readyz", tag = "service",
    responses((status = 200, body = Health), (status = 503, description = "storage-full, database-busy or database-unreachable")))]
async fn readyz(State(offices): State<Offices>) -> Looked<Health> {
    offices.readiness.ask().await?;
    // It answers requests without its worker: `degraded`, and ready.
    Ok(Json(Health::of(None, offices.faults.complaints(), offices.watch.public_findings())))
}

/// Answer of `GET /health`.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`; `degraded` while the service answers and cannot do everything.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// While the owner of the key file proposes something about an officer: when it takes effect, if no administrator
    /// who may decide signs in before; while it waits for one, when it ends undecided.
    #[serde(with = "time::serde::rfc3339::option")]
    pub break_glass: Option<time::OffsetDateTime>,
    /// True while such a proposal waits for an administrator who may decide and was seen at work.
    pub break_glass_waits: bool,
    /// What it cannot do, and what the operator does about it.
    pub details: Vec<String>,
}

impl Health {
    /// A health that is degraded by what the service cannot do, and by what it soon cannot: a notice alone is none.
    fn of(alarm: Option<Alarm>, mut details: Vec<String>, findings: Vec<(Severity, String)>) -> Self {
        let worst = findings.iter().map(|(severity, _)| *severity).max();
        let status = if details.is_empty() && worst < Some(Severity::Warning) { "ok" } else { "degraded" };
        details.extend(findings.into_iter().map(|(_, says)| says));
        Self {
            status: status.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            break_glass: alarm.map(|alarm| alarm.at),
            break_glass_waits: alarm.is_some_and(|alarm| alarm.waits_since.is_some()),
            details,
        }
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", responses((status = 200, description = "OpenAPI 3.1")))]
async fn openapi() -> Response {
    // Made once: a stranger who asks for it again and again costs neither work nor memory.
    let document = DOCUMENT.clone();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response()
}

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&document()).expect("the document becomes JSON").into());
