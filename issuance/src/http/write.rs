//! One effect per idempotency key: the answer is a row of the same transaction as the effect.

use std::future::poll_fn;
use std::pin::Pin;

use axum::Json;
use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Problem, store};
use crate::access::Caller;
use crate::app::App;
use crate::store::Tx;

/// Header `Idempotency-Key`: 1 to 128 printable ASCII characters, chosen by the caller, one per intended effect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotencyKey(String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let remedy = "Send `Idempotency-Key` with 1 to 128 printable ASCII characters, new for each intended effect.";
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency-key-missing", remedy));
        };
        match value.to_str() {
            Ok(key) if (1..=128).contains(&key.len()) => Ok(Self(key.to_owned())),
            _ => Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency-key-malformed", remedy)),
        }
    }
}

/// What makes a request the same request: its idempotency key, and the SHA-256 of method, path and body.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Chosen by the caller.
    pub key: IdempotencyKey,
    /// SHA-256 over method, path with query, and body.
    pub request_hash: [u8; 32],
}

/// Extractor of a write: the stamp, and the JSON body as `T`. Comes last among a handler's arguments.
#[derive(Debug)]
pub struct Write<T> {
    /// What makes it the same request.
    pub stamp: Stamp,
    /// The parsed body.
    pub body: T,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Write<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let mut hash = Sha256::new();
        let uri = parts.uri.path_and_query().map_or(parts.uri.path(), |whole| whole.as_str());
        for part in [parts.method.as_str(), uri] {
            hash.update(part);
            hash.update([0]);
        }
        let bytes = body_of(Request::from_parts(parts, body), state).await?;
        hash.update(&bytes);
        let stamp = Stamp { key, request_hash: hash.finalize().into() };
        Ok(Self { stamp, body: parsed(&bytes)? })
    }
}

/// Extractor of a JSON body that is no write (so without idempotency key); refuses with our problems.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(parsed(&body_of(request, state).await?)?))
    }
}

async fn body_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Problem::new(StatusCode::BAD_REQUEST, "body-cut", "The body ended early. Repeat the request."),
    })
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "Send less: portraits must be cropped and scaled before they are sent.",
    )
}

/// Lets a caller whose body is announced as too large finish sending, up to four times the limit, and refuses it then: a connection
/// that closes while the other side still sends takes the answer with it.
pub(super) async fn heard_out(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.config().body_limit as u64;
    let announced: Option<u64> =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_none_or(|length| length <= limit) {
        return next.run(request).await;
    }
    let (mut body, mut read) = (request.into_body(), 0);
    while read < 4 * limit
        && let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        read += frame.data_ref().map_or(0, Bytes::len) as u64;
    }
    too_large().into_response()
}

/// An empty body reads as `{}`, so that verbs without parameters need none.
fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|e| {
        let remedy = "Compare the body with the schema in /openapi.json.";
        if e.is_data() {
            // Line and column, not serde's sentence: that one quotes the value, which may be personal.
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "body-invalid", remedy).detail(place(&e))
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "body-malformed", remedy).detail(place(&e))
        }
    })
}

/// Where, and for a missing or unknown field which one (names of fields are ours, not personal).
fn place(error: &serde_json::Error) -> String {
    let sentence = error.to_string();
    let named = sentence.starts_with("missing field") || sentence.starts_with("unknown field");
    let what = if named { sentence.split(" at line").next().unwrap_or_default() } else { "a value does not fit" };
    format!("{what}, line {} column {}", error.line(), error.column())
}

/// The answer to a write: fresh, or the stored answer of the first time.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    repeated: bool,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.repeated {
            headers.insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
        }
        response
    }
}

impl App {
    /// The stored answer of a request that came before, if it did: for verbs that do something before [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write) for a repeated request.
    pub async fn answered(&self, caller: impl Into<Caller>, stamp: &Stamp) -> Result<Option<Answer>, Problem> {
        let caller = caller.into().to_string();
        let mut tx = self.begin_read().await?;
        match store::answer(&mut tx, &caller, &stamp.key.0).await? {
            Some(_) => repeated(&mut tx, self, &caller, stamp).await.map(Some),
            None => Ok(None),
        }
    }

    /// Runs `verb` in one transaction together with its answer: a repeated request has one effect and the same answer.
    ///
    /// A refusal leaves nothing behind, so the same key may be used again after the cause is gone.
    ///
    /// # Errors
    /// What `verb` says; 422 `idempotency-key-reused` if the key came before with another request.
    pub async fn write<T: Serialize>(
        &self,
        caller: impl Into<Caller>,
        stamp: Stamp,
        verb: impl AsyncFnOnce(&mut Tx) -> Result<T, Problem>,
    ) -> Result<Answer, Problem> {
        let caller = caller.into().to_string();
        let mut tx = self.begin().await?;
        let mine = store::claim(&mut tx, &caller, &stamp.key.0, &fingerprint(self, &stamp), self.now()).await?;
        if !mine {
            return repeated(&mut tx, self, &caller, &stamp).await;
        }
        let answer = verb(&mut tx).await?;
        let body = serde_json::to_vec(&answer).map_err(|e| Problem::internal(&e))?;
        // Answers carry personal data, and outlive the request: they rest encrypted.
        let sealed = self.secrets().seal(&purpose(&caller, &stamp), &body);
        store::keep(&mut tx, &caller, &stamp.key.0, sealed).await?;
        tx.commit().await?;
        Ok(Answer { status: StatusCode::OK, body, repeated: false })
    }
}

async fn repeated(tx: &mut Tx, app: &App, caller: &str, stamp: &Stamp) -> Result<Answer, Problem> {
    let row = store::answer(tx, caller, &stamp.key.0).await?;
    let Some(row) = row else {
        // The first one was refused between our two statements.
        return Err(Problem::new(StatusCode::CONFLICT, "idempotency-key-in-use", "Repeat the request in a second."));
    };
    if row.array::<32>("request_hash")? != fingerprint(app, stamp) {
        let remedy = "Use a new idempotency key for a new intention; repeat the old request unchanged.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", remedy));
    }
    let sealed: Vec<u8> = row.get("sealed")?;
    let body = app.secrets().open(&purpose(caller, stamp), &sealed).map_err(|e| Problem::internal(&e))?;
    Ok(Answer { status: StatusCode::OK, body: body.to_vec(), repeated: true })
}

/// Caller and key are part of what is authenticated: nobody who can write into the table passes one answer off as another.
fn purpose(caller: &str, stamp: &Stamp) -> String {
    format!("answer/{caller}/{}", stamp.key.0)
}

/// What is kept of a request. Under a key of the service: bodies hold passwords and personal data, and whoever has the table
/// could find them from their plain hash by trying.
fn fingerprint(app: &App, stamp: &Stamp) -> [u8; 32] {
    app.secrets().fingerprint("request", &stamp.request_hash)
}

/// What an office answers to a read.
pub type Read<T> = Result<Json<T>, Problem>;
