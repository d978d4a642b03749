//! Traces for OpenTelemetry: each request that was answered is a span, sent to a collector over OTLP/HTTP.
//!
//! Nothing in a span is personal: the path is a pattern, and neither the caller nor the body is named. The trace has
//! the request's id, which stands in the log and in the answer. The few messages of OTLP are written here: the crates
//! of OpenTelemetry bring twenty-three others, and a second generation of random number generators.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Uri, header};
use crypto::perso::problem::ProblemCode;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::ground::ids::RequestId;

/// Where spans go; clones share it. Without a collector, nowhere.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<mpsc::Sender<Vec<u8>>>);

/// The collector: `http://HOST:PORT`, with a path if `/v1/traces` lies below one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collector {
    authority: String,
    path: String,
}

impl Collector {
    /// Reads its address. Returns none for one that is no `http://HOST…` without a query.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http") && uri.query().is_none())?;
        let port = authority.port_u16().unwrap_or(80);
        Some(Self {
            authority: format!("{}:{port}", authority.host()),
            path: format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        })
    }
}

/// Why spans did not arrive.
#[derive(Debug, Error)]
enum SendError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made: {0}")]
    Request(#[from] axum::http::Error),
    #[error("the collector answered {0}")]
    Refused(u16),
    #[error("the collector did not answer in time")]
    Slow,
}

/// What is told of a request that was answered.
pub(super) struct Answered<'a> {
    pub id: RequestId,
    pub at: OffsetDateTime,
    pub took: Duration,
    pub method: &'a Method,
    /// The pattern of the path; none where no route answered.
    pub path: Option<&'a str>,
    pub status: u16,
    pub code: Option<ProblemCode>,
}

impl Traces {
    /// Begins to send to this collector, beside the requests. What does not arrive is dropped, and said once.
    #[must_use]
    pub fn begin(collector: Option<&Collector>) -> Self {
        let Some(collector) = collector.cloned() else { return Self(None) };
        let (sender, spans) = mpsc::channel(QUEUE);
        tokio::spawn(send_all(collector, spans));
        Self(Some(sender))
    }

    /// Tells of a request that was answered. Never waits: a span for which there is no room is dropped.
    pub(super) fn answered(&self, answered: &Answered<'_>) {
        if let Some(spans) = &self.0 {
            let _ = spans.try_send(span(answered));
        }
    }
}

/// Sends what comes, as many spans at once as came in a second.
async fn send_all(collector: Collector, mut spans: mpsc::Receiver<Vec<u8>>) {
    let (mut batch, mut arrives) = (Vec::new(), true);
    while spans.recv_many(&mut batch, BATCH).await > 0 {
        let sent = tokio::time::timeout(PATIENCE, send(&collector, &batch)).await.unwrap_or(Err(SendError::Slow));
        batch.clear();
        match (&sent, arrives) {
            (Err(error), true) => {
                tracing::warn!(%error, collector = collector.authority, "traces do not arrive, and are dropped");
            }
            (Ok(()), false) => tracing::info!(collector = collector.authority, "traces arrive again"),
            _ => {}
        }
        arrives = sent.is_ok();
        tokio::time::sleep(GATHER).await;
    }
}

async fn send(collector: &Collector, spans: &[Vec<u8>]) -> Result<(), SendError> {
    let stream = TcpStream::connect(&collector.authority).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post(&collector.path)
        .header(header::HOST, &collector.authority)
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Body::from(export(spans)))?;
    let answer = requests.send_request(request).await;
    connection.abort();
    let status = answer?.status();
    if status.is_success() { Ok(()) } else { Err(SendError::Refused(status.as_u16())) }
}

/// `ExportTraceServiceRequest` of OTLP 1: one resource, one scope, these spans.
fn export(spans: &[Vec<u8>]) -> Vec<u8> {
    let mut resource = Vec::new();
    put_attribute(&mut resource, 1, "service.name", Attribute::Text("citizen-card-issuance"));
    put_attribute(&mut resource, 1, "service.version", Attribute::Text(env!("CARGO_PKG_VERSION")));
    let mut scope = Vec::new();
    put_bytes(&mut scope, 1, b"issuance");
    let mut scoped = Vec::new();
    put_bytes(&mut scoped, 1, &scope);
    for span in spans {
        put_bytes(&mut scoped, 2, span);
    }
    let mut of_resource = Vec::new();
    put_bytes(&mut of_resource, 1, &resource);
    put_bytes(&mut of_resource, 2, &scoped);
    let mut all = Vec::new();
    put_bytes(&mut all, 1, &of_resource);
    all
}

/// `Span` of OTLP 1, named `request`, of kind *server*.
fn span(answered: &Answered<'_>) -> Vec<u8> {
    let id = answered.id.uuid();
    let begin = u64::try_from(answered.at.unix_timestamp_nanos()).unwrap_or(0);
    let end = begin.saturating_add(u64::try_from(answered.took.as_nanos()).unwrap_or(u64::MAX));
    let mut span = Vec::new();
    put_bytes(&mut span, 1, id.as_bytes());
    // The second half of the request's id is random.
    put_bytes(&mut span, 2, &id.as_bytes()[8..]);
    put_bytes(&mut span, 5, b"request");
    put_number(&mut span, 6, SERVER);
    put_moment(&mut span, 7, begin);
    put_moment(&mut span, 8, end);
    put_attribute(&mut span, 9, "http.request.method", Attribute::Text(answered.method.as_str()));
    if let Some(path) = answered.path {
        put_attribute(&mut span, 9, "http.route", Attribute::Text(path));
    }
    put_attribute(&mut span, 9, "http.response.status_code", Attribute::Number(answered.status.into()));
    if let Some(code) = answered.code {
        put_attribute(&mut span, 9, "error.type", Attribute::Text(code.word()));
    }
    // By the conventions a server failed if it answers 5xx; what it refuses is the caller's fault.
    if answered.status >= 500 {
        let mut status = Vec::new();
        put_number(&mut status, 3, FAILED);
        put_bytes(&mut span, 15, &status);
    }
    span
}

#[derive(Clone, Copy)]
enum Attribute<'a> {
    Text(&'a str),
    Number(u64),
}

/// `KeyValue` with its `AnyValue`.
fn put_attribute(to: &mut Vec<u8>, field: u8, key: &str, value: Attribute<'_>) {
    let mut any = Vec::new();
    match value {
        Attribute::Text(text) => put_bytes(&mut any, 1, text.as_bytes()),
        Attribute::Number(number) => put_number(&mut any, 3, number),
    }
    let mut pair = Vec::new();
    put_bytes(&mut pair, 1, key.as_bytes());
    put_bytes(&mut pair, 2, &any);
    put_bytes(to, field, &pair);
}

/// A field of wire type 2: bytes, text or a message.
fn put_bytes(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    to.push(field << 3 | 2);
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// A field of wire type 0.
fn put_number(to: &mut Vec<u8>, field: u8, number: u64) {
    to.push(field << 3);
    put_varint(to, number);
}

/// A field of wire type 1: nanoseconds since 1970, `fixed64`.
fn put_moment(to: &mut Vec<u8>, field: u8, nanoseconds: u64) {
    to.push(field << 3 | 1);
    to.extend_from_slice(&nanoseconds.to_le_bytes());
}

fn put_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

/// `SPAN_KIND_SERVER`
const SERVER: u64 = 2;
/// `STATUS_CODE_ERROR`
const FAILED: u64 = 2;
/// So many spans wait at most.
const QUEUE: usize = 4_096;
/// So many spans are sent at once at most.
const BATCH: usize = 1_024;
/// So long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What comes in this time is sent together.
const GATHER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_in_plain_http() {
        let of = |text: &str| Collector::of(text).map(|one| format!("{}{}", one.authority, one.path));
        assert_eq!(of("http://127.0.0.1:4318").as_deref(), Some("127.0.0.1:4318/v1/traces"));
        assert_eq!(of("http://[::1]:4318/otel/").as_deref(), Some("[::1]:4318/otel/v1/traces"));
        assert_eq!(of("http://collector").as_deref(), Some("collector:80/v1/traces"));
        for unfit in ["https://127.0.0.1:4318", "127.0.0.1:4318", "/v1", "", "http://a/?b=c", "http://"] {
            assert_eq!(of(unfit), None, "{unfit}");
        }
    }
}
