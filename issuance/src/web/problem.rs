//! What a caller is told when something does not work: `application/problem+json` (RFC 9457) with a
//! code of the one catalogue.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crypto::perso::problem::{About, ProblemCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::deed::{DeedError, Dismissed, Object, Objection};
use crate::ground::OtherOffice;
use crate::ground::actor::OfficeCodeMalformed;
use crate::ground::carried::Brought;
use crate::ground::ids::{IdMalformed, RequestId};
use crate::ground::objects::ObjectError;
use crate::store::StoreError;

/// A refusal or a failure, as a caller sees it. Each office maps each of its errors here in one
/// place, its `problem.rs`.
#[derive(Clone, Debug)]
pub struct Problem {
    code: ProblemCode,
    detail: Option<String>,
    /// The cause of a failure inside the service. Logged once, with the request's id; never answered.
    cause: Option<String>,
    /// What it is about, where the caller may know it.
    object: Option<String>,
    /// What does not fit, field by field.
    errors: Vec<FieldError>,
    /// The caller may ask again after so many seconds.
    retry_after: Option<u64>,
}

/// The body of a problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// `https://citizen-card.invalid/problems/<code>`
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable, in kebab case: programs decide by it.
    #[schema(value_type = String)]
    pub code: ProblemCode,
    /// `request`, `chip`, `station` or `service`: what the problem is about, and so who can mend it.
    #[schema(value_type = String)]
    pub about: About,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What exactly, if there is more to say.
    pub detail: Option<String>,
    /// What the refusal is about, `kind/identifier`, where the caller may know it: `application/…` for the application
    /// that is open, `chip/…` for one of a list of serials.
    pub object: Option<String>,
    /// What does not fit in the body, field by field; absent where no field is at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What the caller can do about it.
    pub remedy: String,
    /// To find the log lines of this request.
    pub request_id: RequestId,
}

/// A field of a body that does not fit.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, as a JSON pointer (RFC 6901) into the body; empty for the body itself.
    pub pointer: String,
    /// Stable, in kebab case: a problem code, or that of a finding of the register.
    pub code: String,
    /// What would fit, or what is missing. No value of the body stands in it.
    pub message: String,
}

/// An entry of `docs/problems/service.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogued {
    /// HTTP status.
    pub status: u16,
    /// In English.
    pub en: Said,
    /// In Vietnamese.
    pub vi: Said,
}

/// Cause and remedy in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// What it means.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

static CATALOGUE: LazyLock<HashMap<String, Catalogued>> = LazyLock::new(|| {
    let text = include_str!("../../../docs/problems/service.toml");
    toml::from_str(text).expect("docs/problems/service.toml is complete: a test holds that")
});

/// Returns the catalogue's entry for a code.
///
/// # Panics
/// If `docs/problems/service.toml` lacks the code; a test holds that it has every one.
#[must_use]
pub fn catalogued(code: ProblemCode) -> &'static Catalogued {
    CATALOGUE.get(code.word()).expect("docs/problems/service.toml has every code: a test holds that")
}

impl Problem {
    /// A problem of this code.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, cause: None, object: None, errors: Vec::new(), retry_after: usual_wait(code) }
    }

    /// Says what exactly. No personal data: details end up in the logs of callers.
    #[must_use]
    pub fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Says what it is about, where the caller may know it.
    #[must_use]
    pub fn object(mut self, object: Option<Object>) -> Self {
        self.object = object.map(|object| object.to_string());
        self
    }

    /// Says which field does not fit, by its JSON pointer. No value of the body stands in the message.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl std::fmt::Display,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), code: code.to_string(), message: message.into() });
        self
    }

    /// Says that what is pointed at below `from` stands below `to`: for a form that another body holds.
    #[must_use]
    pub fn moved(mut self, from: &str, to: &str) -> Self {
        for error in &mut self.errors {
            if let Some(rest) = error.pointer.strip_prefix(from) {
                error.pointer = format!("{to}{rest}");
            }
        }
        self
    }

    /// A fault of the service. The cause goes into the log, with the request's id, and is not answered.
    #[must_use]
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::caused(ProblemCode::Internal, cause)
    }

    /// A problem whose cause goes into the log.
    #[must_use]
    pub fn caused(code: ProblemCode, cause: &(dyn std::error::Error + 'static)) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new(code) }
    }

    /// A file of the service could not be written or read. Where there is no room for it, the caller is told so.
    #[must_use]
    pub fn of_file(source: &io::Error, cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::caused(if is_full(source) { ProblemCode::StorageFull } else { ProblemCode::Internal }, cause)
    }

    /// Says after how many seconds the caller may ask again (`Retry-After`), at least one.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// What exactly, if there is more to say.
    pub(crate) fn detail_of(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// What does not fit, field by field.
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// After how many seconds the caller may ask again.
    pub(crate) fn waits(&self) -> Option<u64> {
        self.retry_after
    }

    /// The HTTP status, from the catalogue.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(catalogued(self.code).status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The cause of a failure inside the service, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer to the request with this id.
    pub(crate) fn answer(&self, request_id: RequestId) -> Response {
        let status = self.status();
        let body = ProblemBody {
            kind: format!("https://citizen-card.invalid/problems/{}", self.code),
            code: self.code,
            about: self.code.about(),
            title: self.code.word().replace('-', " "),
            status: status.as_u16(),
            detail: self.detail.clone(),
            object: self.object.clone(),
            errors: self.errors.clone(),
            remedy: catalogued(self.code).en.remedy.clone(),
            request_id,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// How a problem is told where an interface has words of its own for what it refuses: left in the extensions of an
/// answer beside the problem.
#[derive(Clone)]
pub(crate) struct InTheirWords(pub Arc<dyn Fn(&Problem) -> Response + Send + Sync>);

/// What a carrier says of a request that it brings, or why that cannot be read: left in the extensions of the request,
/// and believed by the gate of a carrier alone.
#[derive(Clone, Debug)]
pub(crate) struct Claim(pub Result<Brought, Problem>);

/// Returns after how many seconds a refusal of this kind is usually over; `None` where waiting does not help.
fn usual_wait(code: ProblemCode) -> Option<u64> {
    match code {
        ProblemCode::DatabaseBusy | ProblemCode::IdempotencyKeyInUse | ProblemCode::ServiceBusy => Some(1),
        ProblemCode::DatabaseUnreachable | ProblemCode::RequestTooSlow | ProblemCode::TrustBundleNotReady => Some(5),
        ProblemCode::ObjectsUnreadable | ProblemCode::StorageFull => Some(30),
        _ => None,
    }
}

/// Leaves the problem in the extensions; the router's outermost layer writes it down together with the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            // Which row, where it is no citizen's: administrators do something about it.
            StoreError::Tampered { table: "officer" | "officer_proposal" | "station", .. } => {
                Self::caused(ProblemCode::RecordTampered, &error).detail(&error)
            }
            StoreError::Tampered { .. } => Self::caused(ProblemCode::RecordTampered, &error),
            StoreError::Busy(_) | StoreError::Locked(_) => Self::caused(ProblemCode::DatabaseBusy, &error),
            StoreError::Full(_) => Self::caused(ProblemCode::StorageFull, &error),
            StoreError::Unreachable(_) => Self::caused(ProblemCode::DatabaseUnreachable, &error),
            StoreError::Duplicate { .. } => Self::new(ProblemCode::AlreadyThere).detail(error),
            StoreError::Inconsistent { .. } => Self::caused(ProblemCode::RecordInconsistent, &error),
            StoreError::Database(_) | StoreError::Migration(_) => Self::internal(&error),
        }
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        match &error {
            ObjectError::Changed | ObjectError::Lost => Self::caused(ProblemCode::PortraitLost, &error),
            ObjectError::File(source) if is_full(source) => Self::caused(ProblemCode::StorageFull, &error),
            ObjectError::File(_) | ObjectError::Root(..) => Self::caused(ProblemCode::ObjectsUnreadable, &error),
        }
    }
}

/// True if a file was not written because there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What an office tells about a change of the register that it cannot follow is told to the officer who changes it.
impl From<Objection> for Problem {
    fn from(objection: Objection) -> Self {
        let Objection { code, detail, cause } = objection;
        Self { detail, cause, ..Self::new(code) }
    }
}

impl From<Problem> for Objection {
    fn from(problem: Problem) -> Self {
        let Problem { code, detail, cause, .. } = problem;
        Self { code, detail, cause }
    }
}

impl From<DeedError> for Problem {
    fn from(error: DeedError) -> Self {
        match error {
            DeedError::Store(source) => source.into(),
            DeedError::Unrecorded { .. } => Self::internal(&error),
            DeedError::Dismissed(Dismissed::Citizen) => Self::new(ProblemCode::CitizenSessionNeeded),
            DeedError::Dismissed(Dismissed::Partner) => Self::new(ProblemCode::PartnerCertificateUnfit)
                .detail("the certificate or its authority ended while the request came in"),
            DeedError::Dismissed(Dismissed::Station) => Self::new(ProblemCode::StationRevoked),
            DeedError::Dismissed(Dismissed::Officer) => Self::new(ProblemCode::SessionNeeded)
                .detail("the session ended, or office or roles of the officer changed, while the request came in"),
        }
    }
}

impl From<OtherOffice> for Problem {
    fn from(_: OtherOffice) -> Self {
        Self::new(ProblemCode::OtherOffice)
    }
}

impl From<OfficeCodeMalformed> for Problem {
    fn from(error: OfficeCodeMalformed) -> Self {
        Self::new(ProblemCode::OfficeCodeMalformed).detail(error)
    }
}

impl From<IdMalformed> for Problem {
    fn from(error: IdMalformed) -> Self {
        Self::new(ProblemCode::IdentifierMalformed).detail(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_catalogue_and_no_other() {
        for code in ProblemCode::ALL {
            let entry = catalogued(*code);
            assert!((400..=599).contains(&entry.status), "{code}");
            let words = [&entry.en.cause, &entry.en.remedy, &entry.vi.cause, &entry.vi.remedy];
            assert!(words.iter().all(|text| !text.trim().is_empty()), "{code}");
        }
        assert_eq!(
            CATALOGUE.len(),
            ProblemCode::ALL.len(),
            "docs/problems/service.toml has a code that is not answered"
        );
    }
}
