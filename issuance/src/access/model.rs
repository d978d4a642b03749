//! Officers, stations, roles: pure.

use std::fmt;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::rights::Permission;
use crate::http::Problem;
use crate::store::StoreError;

/// Identifier of an officer.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
pub struct OfficerId(pub String);

/// Identifier of a station.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
pub struct StationId(pub String);

macro_rules! identifiers {
    ($($name:ident),*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = std::convert::Infallible;
            fn from_str(text: &str) -> Result<Self, Self::Err> { Ok(Self(text.to_owned())) }
        }
        impl From<&$name> for crate::store::Argument {
            fn from(id: &$name) -> Self { Self::from(&id.0) }
        }
    )* };
}
identifiers!(OfficerId, StationId);

/// Code of an office of the authority: 1 to 16 of `a-z 0-9 -`. [`OfficeCode::national`] stands above all others.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct OfficeCode(String);

impl OfficeCode {
    /// The office whose officers act for every other.
    #[must_use]
    pub fn national() -> Self {
        Self("national".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OfficeCode {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if (1..=16).contains(&text.len()) && fits { Ok(Self(text.to_owned())) } else { Err(AccessError::OfficeCode) }
    }
}

impl TryFrom<String> for OfficeCode {
    type Error = AccessError;
    fn try_from(text: String) -> Result<Self, AccessError> {
        text.parse()
    }
}

impl From<OfficeCode> for String {
    fn from(code: OfficeCode) -> Self {
        code.0
    }
}

impl fmt::Display for OfficeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an officer is employed for. What a role may do stands in [`rights`](super::rights).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Registers officers and stations; sees no citizen.
    Admin,
    /// Decides applications that others captured.
    Approver,
    /// Reads the audit trail.
    Auditor,
    /// Captures applications at a counter.
    Capture,
    /// Hands cards over, takes reports of loss.
    HandOver,
    /// Keeps the register and gives numbers.
    Registrar,
    /// Keeps the stock of blank chips.
    Stock,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Admin, Self::Approver, Self::Auditor, Self::Capture, Self::HandOver, Self::Registrar, Self::Stock];

    /// As it is written in requests and in the document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Capture => "capture",
            Self::HandOver => "hand-over",
            Self::Registrar => "registrar",
            Self::Stock => "stock",
        }
    }
}

/// The officer who asks: extracted from the session that the bearer token opened.
#[derive(Clone, Debug)]
pub struct Officer {
    /// Identifier.
    pub id: OfficerId,
    /// Office; see [`may_act_for`](Self::may_act_for).
    pub office: OfficeCode,
    /// Roles.
    pub roles: Vec<Role>,
    /// The session.
    pub session_id: String,
}

impl Officer {
    /// True if one of the roles carries the permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.roles.iter().any(|role| permission.roles().contains(role))
    }

    /// Object-level right: an officer touches the objects of their own office only, the national office those of all.
    ///
    /// # Errors
    /// [`AccessError::OtherOffice`]
    pub fn may_act_for(&self, office: &OfficeCode) -> Result<(), AccessError> {
        if self.office == *office || self.office == OfficeCode::national() {
            Ok(())
        } else {
            Err(AccessError::OtherOffice)
        }
    }
}

/// The station that asks: known by its TLS client certificate.
#[derive(Clone, Debug)]
pub struct Station {
    /// Identifier.
    pub id: StationId,
    /// Name that people gave it.
    pub name: String,
    /// Office where it stands.
    pub office: OfficeCode,
}

/// Whoever asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// Nobody in particular: a public question.
    Anyone,
    /// An officer.
    Officer(OfficerId),
    /// The service itself (its jobs, its ceremonies).
    Service,
    /// A station.
    Station(StationId),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Officer(id) => write!(f, "officer/{id}"),
            Self::Service => f.write_str("service"),
            Self::Station(id) => write!(f, "station/{id}"),
        }
    }
}

impl From<&Officer> for Caller {
    fn from(officer: &Officer) -> Self {
        Self::Officer(officer.id.clone())
    }
}

impl From<&Station> for Caller {
    fn from(station: &Station) -> Self {
        Self::Station(station.id.clone())
    }
}

impl From<&Caller> for Caller {
    fn from(caller: &Caller) -> Self {
        caller.clone()
    }
}

macro_rules! known_by_the_gate {
    ($($caller:ident),*) => { $(
        /// The gate has found out who asks; a route that wants somebody else than its right says is our mistake.
        impl<S: Sync> FromRequestParts<S> for $caller {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                parts.extensions.get::<Self>().cloned().ok_or_else(|| AccessError::RightsTable.into())
            }
        }
    )* };
}
known_by_the_gate!(Officer, Station);

/// Why access is refused.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The certificate is not one of ours, or its station is unknown.
    #[error("client certificate unknown")]
    CertificateUnknown,
    /// The certification request of a station cannot be used.
    #[error("certification request: {0}")]
    CertificationRequest(String),
    /// Wrong name or wrong password: which of them, is not said.
    #[error("name or password wrong")]
    Credentials,
    /// Too many wrong passwords for this name.
    #[error("locked")]
    Locked,
    /// No role of the officer carries the permission.
    #[error("role missing for {0:?}")]
    Permission(Permission),
    /// Not an office code.
    #[error("office codes have 1 to 16 of a-z, 0-9 and -")]
    OfficeCode,
    /// Officer not there.
    #[error("officer unknown")]
    OfficerUnknown,
    /// The object belongs to another office.
    #[error("other office")]
    OtherOffice,
    /// A password that is too short or too long.
    #[error("password of unfit length")]
    PasswordLength,
    /// A route that wants a caller whom the rights table does not send, or has no line there.
    #[error("route without right")]
    RightsTable,
    /// No session: no token, an unknown one, ended, expired or idle.
    #[error("no session")]
    Session,
    /// The station's certificate was revoked or has expired.
    #[error("station revoked or expired")]
    StationRevoked,
    /// No station certificate on this connection.
    #[error("no client certificate")]
    StationNeeded,
    /// Station not there.
    #[error("station unknown")]
    StationUnknown,
    /// A name that is empty or too long.
    #[error("names have 1 to 64 characters")]
    Name,
    /// Name taken.
    #[error("name taken")]
    NameTaken,
    /// The TLS authority failed.
    #[error("certificate authority: {0}")]
    Authority(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        use AccessError as E;
        let (status, code, remedy) = match &error {
            E::CertificateUnknown => {
                (StatusCode::UNAUTHORIZED, "station-unknown", "Enrol the station again: `card-agent enrol`.")
            }
            E::CertificationRequest(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "certification-request-unfit",
                "Send a PEM PKCS#10 request with a P-256 or P-384 key, signed by that key.",
            ),
            E::Credentials => {
                (StatusCode::UNAUTHORIZED, "credentials-wrong", "Check name and password; five failures lock the name.")
            }
            E::Locked => (
                StatusCode::TOO_MANY_REQUESTS,
                "sign-in-locked",
                "Too many failures under this name. Wait a quarter of an hour.",
            ),
            E::Permission(_) => {
                (StatusCode::FORBIDDEN, "role-missing", "Ask somebody who has the role, or an administrator for it.")
            }
            E::OfficeCode => {
                (StatusCode::UNPROCESSABLE_ENTITY, "office-code-malformed", "Use 1 to 16 of a-z, 0-9 and -.")
            }
            E::OfficerUnknown => (StatusCode::NOT_FOUND, "officer-not-found", "Check the id of the officer."),
            E::OtherOffice => (StatusCode::FORBIDDEN, "other-office", "Ask the office that the object belongs to."),
            E::PasswordLength => (StatusCode::UNPROCESSABLE_ENTITY, "password-unfit", "Use 12 to 256 characters."),
            E::RightsTable => (
                StatusCode::FORBIDDEN,
                "route-without-right",
                "The service has no right for this route in its table. Report it to whoever runs the service.",
            ),
            E::Session => (StatusCode::UNAUTHORIZED, "session-needed", "Sign in: POST /api/sessions."),
            E::StationRevoked => {
                (StatusCode::FORBIDDEN, "station-revoked", "Enrol the station again, if it may still be used.")
            }
            E::StationNeeded => (
                StatusCode::UNAUTHORIZED,
                "station-certificate-needed",
                "Connect with the client certificate of an enrolled station.",
            ),
            E::StationUnknown => (StatusCode::NOT_FOUND, "station-not-found", "Check the id of the station."),
            E::Name => (StatusCode::UNPROCESSABLE_ENTITY, "name-unfit", "Use 1 to 64 characters."),
            E::NameTaken => (StatusCode::CONFLICT, "name-taken", "Choose another name."),
            E::Authority(_) => return Self::internal(&error),
            E::Store(_) => {
                let E::Store(source) = error else { unreachable!("just matched") };
                return source.into();
            }
        };
        let problem = Self::new(status, code, remedy);
        match error {
            E::CertificationRequest(_) | E::OfficeCode | E::Permission(_) => problem.detail(error),
            _ => problem,
        }
    }
}
