//! What a request may send: limits by whether its caller is known, counted against the budget.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use crypto::perso::problem::ProblemCode;
use hyper::body::{Frame, SizeHint};

use super::budget::{Budget, Reservation};
use super::{Origin, Problem, Settings};

/// Goes with a request from the outermost layer on. The gate [admits](Meter::admit) known callers; until then the
/// limits of strangers hold, so a body is small wherever the caller is not known.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    settings: Settings,
    budget: Budget,
    origin: Origin,
    known: Arc<AtomicBool>,
    /// True on a page that takes files.
    uploads: bool,
    /// The body's bytes count until the request is answered, since the parsed body lives as long.
    held: Arc<Mutex<Vec<Reservation>>>,
}

impl Meter {
    /// The meter of a request from this origin.
    pub(crate) fn new(settings: Settings, budget: Budget, origin: Origin) -> Self {
        Self { settings, budget, origin, known: Arc::default(), uploads: false, held: Arc::default() }
    }

    /// The same meter, for a page that takes files.
    pub(crate) fn of_uploads(self, uploads: bool) -> Self {
        Self { uploads, ..self }
    }

    /// Notes that the gate has found the caller known.
    pub(crate) fn admit(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    fn limit(&self) -> usize {
        match (self.is_known(), self.uploads) {
            (true, true) => self.settings.upload_limit,
            (true, false) => self.settings.body_limit,
            (false, _) => self.settings.stranger_body_limit,
        }
    }

    fn deadline(&self) -> Duration {
        if self.is_known() { self.settings.body_deadline } else { self.settings.stranger_body_deadline }
    }

    /// Reads a body whole.
    ///
    /// # Errors
    /// `body-too-large`, `body-cut`, `body-too-slow`; `service-busy` if the budget is used up.
    pub(super) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
        let reading = async {
            if announced(headers).is_some_and(|length| length > self.limit() as u64) {
                return Err(Problem::new(ProblemCode::BodyTooLarge));
            }
            let mut reservation = self.budget.open(self.origin, self.is_known());
            let (mut bytes, mut body) = (Vec::new(), body);
            while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                let frame = frame.map_err(|_| Problem::new(ProblemCode::BodyCut))?;
                let Some(data) = frame.data_ref() else { continue };
                if bytes.len() + data.len() > self.limit() {
                    return Err(Problem::new(ProblemCode::BodyTooLarge));
                }
                if !reservation.grow(data.len()) {
                    return Err(Problem::new(ProblemCode::ServiceBusy));
                }
                bytes.extend_from_slice(data);
            }
            self.held.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
            Ok(bytes)
        };
        match tokio::time::timeout(self.deadline(), reading).await {
            Ok(read) => read,
            Err(_) => Err(Problem::new(ProblemCode::BodyTooSlow)),
        }
    }

    /// Refuses a body that is announced as too large.
    ///
    /// # Errors
    /// `body-too-large`
    pub(super) fn refuse_oversized(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let oversized = announced(headers).is_some_and(|length| length > self.limit() as u64);
        if oversized { Err(Problem::new(ProblemCode::BodyTooLarge)) } else { Ok(()) }
    }

    /// Reads what is left of a body to its end and forgets it, within the deadline: a connection that closes while the
    /// other side still sends takes the answer with it. Of a stranger (an officer whose session has just ended is one)
    /// as much is read as of a known caller's body at most, of a known caller four times that.
    pub(super) async fn drain(&self, mut body: Shared) {
        let limit = if self.is_known() { self.limit() * 4 } else { self.settings.body_limit } as u64;
        let draining = async {
            let mut read = 0;
            while read < limit
                && let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                read += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
        };
        let _ = tokio::time::timeout(self.deadline(), draining).await;
    }
}

/// A body of which one holder can read what the other one left.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Body>>);

impl Shared {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// The length that the request announces.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}
