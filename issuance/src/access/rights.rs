//! The one table of rights. A route without a line here is closed to everybody.

use axum::http::Method;
use serde::Serialize;

use super::model::Role;

/// Something that officers do, and not all of them may.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
pub enum Permission {
    /// Open and cancel applications.
    Apply,
    /// Take features and portrait.
    Capture,
    /// Approve and refuse.
    Decide,
    /// Enter declarations.
    Declare,
    /// Hand a card over.
    HandOver,
    /// Give a number for life.
    Number,
    /// Make and disable officers, make and revoke stations, look after keys.
    Administer,
    /// Read applications.
    ReadApplication,
    /// Read the audit trail.
    ReadAudit,
    /// Read cards.
    ReadCard,
    /// Read persons.
    ReadPerson,
    /// Read the stock.
    ReadStock,
    /// Take a report of loss.
    ReportLoss,
    /// Deliveries, custody, write-offs.
    Stock,
}

impl Permission {
    /// Roles × permissions.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Admin, Approver, Auditor, Capture, HandOver, Registrar, Stock};
        match self {
            Self::Administer => &[Admin],
            Self::Apply | Self::Capture => &[Capture],
            Self::Decide => &[Approver],
            Self::Declare | Self::Number => &[Registrar],
            Self::HandOver => &[HandOver],
            Self::ReadApplication => &[Approver, Capture, HandOver],
            Self::ReadAudit => &[Auditor],
            Self::ReadCard => &[HandOver],
            Self::ReadPerson => &[Approver, Capture, Registrar],
            Self::ReadStock => &[Stock],
            Self::ReportLoss => &[Capture, HandOver],
            Self::Stock => &[Stock],
        }
    }
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// Everybody, unknown.
    Anyone,
    /// Officers with this permission.
    Officer(Permission),
    /// Any officer with a session.
    SignedIn,
    /// Enrolled stations.
    Station,
}

use Right::{Anyone, Officer, SignedIn, Station};

/// Method, path as the router writes it, right.
pub const TABLE: &[(Method, &str, Right)] = &[
    (Method::GET, "/health", Anyone),
    (Method::GET, "/openapi.json", Anyone),
    (Method::GET, "/api/trust-bundle", Anyone),
    (Method::GET, "/api/crl", Anyone),
    (Method::GET, "/api/card-status/{sod_sha256}", Anyone),
    (Method::POST, "/api/sessions", Anyone),
    (Method::DELETE, "/api/sessions/current", SignedIn),
    (Method::POST, "/api/officers", Officer(Permission::Administer)),
    (Method::POST, "/api/officers/{id}/disablement", Officer(Permission::Administer)),
    (Method::POST, "/api/stations", Officer(Permission::Administer)),
    (Method::POST, "/api/stations/{id}/revocation", Officer(Permission::Administer)),
    (Method::POST, "/api/declarations", Officer(Permission::Declare)),
    (Method::POST, "/api/persons/{id}/number", Officer(Permission::Number)),
    (Method::GET, "/api/persons/{id}", Officer(Permission::ReadPerson)),
    (Method::POST, "/api/applications", Officer(Permission::Apply)),
    (Method::GET, "/api/applications/{id}", Officer(Permission::ReadApplication)),
    (Method::POST, "/api/applications/{id}/capture", Officer(Permission::Capture)),
    (Method::POST, "/api/applications/{id}/cancellation", Officer(Permission::Apply)),
    (Method::POST, "/api/applications/{id}/approval", Officer(Permission::Decide)),
    (Method::POST, "/api/applications/{id}/refusal", Officer(Permission::Decide)),
    (Method::POST, "/api/stock/deliveries", Officer(Permission::Stock)),
    (Method::POST, "/api/stock/custody", Officer(Permission::Stock)),
    (Method::GET, "/api/stock/{serial}", Officer(Permission::ReadStock)),
    (Method::POST, "/api/stock/{serial}/write-off", Officer(Permission::Stock)),
    (Method::POST, "/api/station/intake/orders", Station),
    (Method::POST, "/api/station/intake/receipts", Station),
    (Method::POST, "/api/station/personalization/orders", Station),
    (Method::POST, "/api/station/personalization/receipts", Station),
    (Method::POST, "/api/station/chips/{serial}/spoiled", Station),
    (Method::POST, "/api/cards/{id}/hand-over", Officer(Permission::HandOver)),
    (Method::GET, "/api/cards/{id}", Officer(Permission::ReadCard)),
    (Method::POST, "/api/cards/{id}/loss", Officer(Permission::ReportLoss)),
    (Method::GET, "/api/audit", Officer(Permission::ReadAudit)),
];

/// The right for a route; `None` closes it.
#[must_use]
pub fn right(method: &Method, path: &str) -> Option<Right> {
    // HEAD is answered by the handler of GET.
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, right)| *right)
}

/// True if the path has a line for some method.
pub(super) fn is_known(path: &str) -> bool {
    TABLE.iter().any(|(_, known, _)| *known == path)
}
