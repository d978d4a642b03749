//! One effect per idempotency key: the answer is a row of the same transaction as the effect.

use std::borrow::Cow;

use axum::Json;
use axum::body::{Body as HttpBytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::ProblemCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::meter::{Meter, Shared};
use super::{Problem, pointer, store};
use crate::ground::ids::IdMalformed;
use crate::ground::{Secrets, text};
use crate::store::Tx;

/// Header `Idempotency-Key`: 1 to 128 printable ASCII characters, chosen by the caller, one per intended effect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a header, or a form in its place, brings.
    ///
    /// # Errors
    /// `idempotency-key-malformed`
    pub(super) fn of(key: &str) -> Result<Self, Problem> {
        let fits = (1..=128).contains(&key.len()) && key.bytes().all(|b| matches!(b, b' '..=b'~'));
        if fits { Ok(Self(key.to_owned())) } else { Err(Problem::new(ProblemCode::IdempotencyKeyMalformed)) }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Err(Problem::new(ProblemCode::IdempotencyKeyMissing));
        };
        // What is no ASCII is no key either.
        Self::of(value.to_str().unwrap_or_default())
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

/// Extracts a write: the stamp, and the JSON body as `T`. Comes last among a handler's arguments.
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
        // A station may repeat after an upgrade what it first sent to the address without a version.
        for part in [parts.method.as_str(), &uri.replacen("/api/v1/", "/api/", 1)] {
            hash.update(part);
            hash.update([0]);
        }
        let bytes = body_of(Request::from_parts(parts, body)).await?;
        hash.update(&bytes);
        let stamp = Stamp { key, request_hash: hash.finalize().into() };
        Ok(Self { stamp, body: parsed(&bytes)? })
    }
}

/// Extracts a JSON body that is no write (so without idempotency key); refuses with our problems.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(parsed(&body_of(request).await?)?))
    }
}

/// Extracts a JSON body with the SHA-256 of its bytes: for a caller whose request is identified within it. Refuses with
/// our problems.
#[derive(Debug)]
pub struct Digested<T> {
    /// SHA-256 of the body.
    pub sha256: [u8; 32],
    /// The parsed body.
    pub body: T,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Digested<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = body_of(request).await?;
        Ok(Self { sha256: Sha256::digest(&bytes).into(), body: parsed(&bytes)? })
    }
}

/// Reads the body within the limits of the caller.
pub(crate) async fn body_of(request: Request) -> Result<Vec<u8>, Problem> {
    let (parts, body) = request.into_parts();
    // Without a meter the route is not behind the router's layers: a fault of this program.
    let meter = parts.extensions.get::<Meter>().ok_or_else(|| Problem::new(ProblemCode::RouteWithoutRight))?;
    meter.read(&parts.headers, body).await
}

/// Refuses a request whose body is announced as too large for its caller. Stands behind the gate.
pub(crate) async fn refuse_oversized_body(request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(meter) = request.extensions().get::<Meter>() {
        meter.refuse_oversized(request.headers())?;
    }
    Ok(next.run(request).await)
}

/// Answers after the whole body was sent, also where the request is refused before its body is read. Stands before
/// all that refuses.
pub(crate) async fn drain_body(request: Request, next: Next) -> Response {
    let Some(meter) = request.extensions().get::<Meter>().cloned() else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let body = Shared::new(body);
    let answer = next.run(Request::from_parts(parts, HttpBytes::new(body.clone()))).await;
    if !body.is_end_stream() {
        meter.drain(body).await;
    }
    answer
}

/// An empty body reads as `{}`, so that verbs without parameters need none.
fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    if text::holds_nul(bytes) {
        return Err(Problem::new(ProblemCode::TextUnfit).detail("a text holds U+0000"));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let said = e.to_string();
        let code = match e.classify() {
            Category::Data if said.starts_with(&IdMalformed.to_string()) => ProblemCode::IdentifierMalformed,
            Category::Data => text::refusal(&said).unwrap_or(ProblemCode::BodyInvalid),
            Category::Eof | Category::Io | Category::Syntax => {
                text::refusal(&said).unwrap_or(ProblemCode::BodyMalformed)
            }
        };
        // Line and column, not serde's sentence: that one quotes the value, which may be personal.
        let problem = Problem::new(code).detail(place(&e));
        if e.classify() != Category::Data {
            return problem;
        }
        let read = &bytes[..pointer::offset(bytes, e.line(), e.column())];
        let missing = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let at = match missing {
            Some(name) => {
                let mut at = pointer::of_last(read);
                pointer::push(&mut at, name);
                at
            }
            // What a type of ours says of the last member, serde places behind the end of the whole.
            None => pointer::of_last(read.strip_suffix(b"}").or(read.strip_suffix(b"]")).unwrap_or(read)),
        };
        problem.field(at, code, what(&said))
    })
}

/// Where it does not fit, and why.
fn place(error: &serde_json::Error) -> String {
    format!("{}, line {} column {}", what(&error.to_string()), error.line(), error.column())
}

/// Why a value does not fit, and for a missing or unknown field which one (names of fields are ours, not personal).
fn what(sentence: &str) -> Cow<'_, str> {
    let ours = sentence.starts_with("missing field") || sentence.starts_with("unknown field");
    let named = ours || text::refusal(sentence).is_some();
    if !named {
        return "a value does not fit".into();
    }
    unknown_field_cut(sentence.rsplit_once(" at line").map_or(sentence, |(what, _)| what))
}

/// Returns serde's sentence with an unknown field's name cut: the name is the caller's own text, of any length.
fn unknown_field_cut(sentence: &str) -> Cow<'_, str> {
    let name = sentence.strip_prefix("unknown field `").and_then(|rest| {
        // The last one: the name itself may have such words in it.
        ["`, expected ", "`, there are no fields"]
            .iter()
            .filter_map(|ends| rest.rfind(ends))
            .max()
            .map(|end| &rest[..end])
    });
    match name.and_then(|name| Some((name, name.char_indices().nth(MOST_OF_NAME)?.0))) {
        Some((name, cut)) => format!("unknown field `{}…`{}", &name[..cut], &sentence[name.len() + 16..]).into(),
        None => sentence.into(),
    }
}

/// An unknown field's name is told up to so many characters.
const MOST_OF_NAME: usize = 50;

/// The answer to a write: fresh, or the stored answer of the first time.
#[derive(Debug)]
pub struct Answer {
    body: Vec<u8>,
    repeated: bool,
    status: StatusCode,
    /// Where what was made can be read.
    location: Option<String>,
}

impl Answer {
    pub(super) fn fresh(body: Vec<u8>) -> Self {
        Self { body, repeated: false, status: StatusCode::OK, location: None }
    }

    /// Says that something was made, and where it can be read: under this path, with the text of this member of the
    /// answer at its end. The same for an answer that is given again.
    #[must_use]
    pub fn created(self, path: &str, member: &str) -> Self {
        let body: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let name = body.as_ref().and_then(|body| body[member].as_str());
        let location = name.map(|name| format!("{path}{name}"));
        Self { status: StatusCode::CREATED, location, ..self }
    }

    /// Returns the text of a member of the answer.
    pub(crate) fn text(&self, member: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        body[member].as_str().map(str::to_owned)
    }

    /// Leaves the body out: the verb is done, and there is no more to say.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: Vec::new(), status: StatusCode::NO_CONTENT, ..self }
    }
}

/// The body of a verb without parameters: `{}`, or empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_TYPE);
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(location) = self.location.and_then(|path| HeaderValue::try_from(path).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if self.repeated {
            headers.insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
        }
        response
    }
}

/// Returns the stored answer of the first request with this key.
pub(super) async fn repeated(tx: &mut Tx, secrets: &Secrets, caller: &str, stamp: &Stamp) -> Result<Answer, Problem> {
    let row = store::answer(tx, caller, stamp.key.as_str()).await?;
    let Some(row) = row else {
        // The first one was refused between our two statements.
        return Err(Problem::new(ProblemCode::IdempotencyKeyInUse));
    };
    // Under a key of the service: bodies hold passwords and personal data, which a thief of the table could find
    // from a plain hash by trying.
    if row.array::<32>("request_hash")? != secrets.fingerprint("request", &stamp.request_hash) {
        return Err(Problem::new(ProblemCode::IdempotencyKeyReused));
    }
    let sealed: Vec<u8> = row.get("sealed")?;
    let body = secrets.open(&seal_purpose(caller, stamp), &sealed).map_err(|e| Problem::internal(&e))?;
    Ok(Answer { repeated: true, ..Answer::fresh(body.to_vec()) })
}

/// Caller and key are part of what is authenticated: a writer into the table cannot pass one answer off as another.
pub(super) fn seal_purpose(caller: &str, stamp: &Stamp) -> String {
    format!("answer/{caller}/{}", stamp.key.as_str())
}

/// What a handler of a write returns.
pub type Answered = Result<Answer, Problem>;

/// What a handler of a read returns.
pub type Looked<T> = Result<Json<T>, Problem>;
