//! What a caller is told when something does not work: `application/problem+json` (RFC 9457) with a stable code.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// A refusal or a failure, as a caller sees it. Every code has cause and remedy in `docs/failure-codes.md`.
///
/// Each office maps each of its errors here in one place (`impl From<…Error> for Problem`).
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Option<String>,
    remedy: &'static str,
}

/// The body of a problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `https://citizen-card.invalid/problems/<code>`
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable, in kebab case: programs decide by it.
    pub code: String,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What exactly, if there is more to say.
    pub detail: Option<String>,
    /// What the caller can do about it.
    pub remedy: String,
    /// To find the log lines of this request.
    pub request_id: String,
}

impl Problem {
    /// A problem with a stable code and what to do about it.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, remedy: &'static str) -> Self {
        Self { status, code, detail: None, remedy }
    }

    /// Says what exactly. No personal data: details end up in the logs of callers.
    #[must_use]
    pub fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Our fault: logged here once with its cause, which the caller does not see.
    #[must_use]
    pub fn internal(source: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %source, "a request failed inside the service");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Report the request id to whoever runs the service.")
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer to the request with this id.
    pub(super) fn answer(&self, request_id: &str) -> Response {
        let body = ProblemBody {
            kind: format!("https://citizen-card.invalid/problems/{}", self.code),
            code: self.code.to_owned(),
            title: self.code.replace('-', " "),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            remedy: self.remedy.to_owned(),
            request_id: request_id.to_owned(),
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Leaves the problem in the extensions; the router's outermost layer writes it down together with the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable(_) => {
                tracing::error!(%error, "the database does not answer");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database-unreachable",
                    "Repeat the request with the same idempotency key in a minute.",
                )
            }
            StoreError::Duplicate { .. } => {
                Self::new(StatusCode::CONFLICT, "already-there", "Look the object up: somebody made it before.")
                    .detail(error)
            }
            StoreError::Database(_) | StoreError::Inconsistent { .. } | StoreError::Migration(_) => {
                Self::internal(&error)
            }
        }
    }
}
