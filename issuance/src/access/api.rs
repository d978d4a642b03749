//! Sessions, officers, stations over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::model::{AccessError, Caller, OfficeCode, Officer, OfficerId, Role, StationId};
use super::{passwords, steps};
use crate::app::App;
use crate::http::{Answer, Body, Problem, Read, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(make_officer))
        .routes(routes!(disable_officer))
        .routes(routes!(enrol_station))
        .routes(routes!(revoke_station))
}

/// Body of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// Name of the account.
    username: String,
    /// Its password.
    password: String,
}

/// An open session.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// For `Authorization: Bearer …`. Shown once.
    token: String,
    /// The session ends then, or earlier when idle.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// What the officer is employed for.
    roles: Vec<Role>,
}

/// Opens a session. No idempotency key: two sign-ins are two sessions, and a stored answer would be a stored token.
#[utoipa::path(post, path = "/api/sessions", tag = "access", request_body = Credentials,
    responses((status = 200, body = SessionView)))]
async fn sign_in(State(app): State<App>, Body(body): Body<Credentials>) -> Read<SessionView> {
    let session = steps::sign_in(&app, &body.username, Zeroizing::new(body.password)).await?;
    Ok(Json(SessionView { token: (*session.token).clone(), expires_at: session.expires_at, roles: session.roles }))
}

/// Nothing more to say.
#[derive(Serialize, ToSchema)]
struct Done {}

/// Ends the session under way. Idempotent by itself.
#[utoipa::path(delete, path = "/api/sessions/current", tag = "access", responses((status = 200, body = Done)))]
async fn sign_out(State(app): State<App>, officer: Officer) -> Read<Done> {
    let mut tx = app.begin().await?;
    steps::sign_out(&mut tx, &app, &officer).await?;
    tx.commit().await?;
    Ok(Json(Done {}))
}

/// Body of a new officer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOfficer {
    /// 1 to 64 characters, unique.
    username: String,
    /// 12 to 256 characters.
    password: String,
    /// What for.
    roles: Vec<Role>,
    /// Where.
    office: OfficeCode,
}

/// An officer, as administrators see them.
#[derive(Debug, Serialize, ToSchema)]
struct OfficerView {
    /// Identifier.
    id: OfficerId,
}

/// Makes an officer.
#[utoipa::path(post, path = "/api/officers", tag = "access", request_body = NewOfficer,
    responses((status = 200, body = OfficerView)))]
async fn make_officer(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<NewOfficer>,
) -> Result<Answer, Problem> {
    officer.may_act_for(&body.office)?;
    if !(1..=64).contains(&body.username.chars().count()) {
        return Err(AccessError::Name.into());
    }
    let hash = passwords::hash(&app, Zeroizing::new(body.password)).await?;
    app.write(&officer, stamp, async |tx| {
        let by = Caller::from(&officer);
        let id = steps::make_officer(tx, &app, &by, &body.username, &hash, &body.roles, &body.office).await?;
        Ok(OfficerView { id })
    })
    .await
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// For the audit trail; no personal data.
    reason: String,
}

/// Ends an officer's access at once, sessions included.
#[utoipa::path(post, path = "/api/officers/{id}/disablement", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
async fn disable_officer(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<OfficerId>,
    Write { stamp, body }: Write<Reason>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        steps::disable_officer(tx, &app, &officer, &id, &body.reason).await?;
        Ok(OfficerView { id })
    })
    .await
}

/// Body of a station's enrolment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStation {
    /// Unique; for people.
    name: String,
    /// Where it stands.
    office: OfficeCode,
    /// PKCS#10 request in PEM. Its key is certified; name and wishes in it are not.
    csr_pem: String,
}

/// An enrolled station.
#[derive(Serialize, ToSchema)]
struct StationView {
    /// Identifier.
    id: StationId,
    /// Client certificate.
    certificate_pem: String,
    /// The authority that also signed the server's certificate.
    ca_pem: String,
}

/// Enrols a station and issues its client certificate.
#[utoipa::path(post, path = "/api/stations", tag = "access", request_body = NewStation,
    responses((status = 200, body = StationView)))]
async fn enrol_station(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<NewStation>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let (id, certificate_pem) =
            steps::enrol_station(tx, &app, &officer, &body.name, &body.office, &body.csr_pem).await?;
        Ok(StationView { id, certificate_pem, ca_pem: app.tls_authority().certificate_pem().to_owned() })
    })
    .await
}

/// A station that may ask nothing any more.
#[derive(Serialize, ToSchema)]
struct Revocation {
    /// Identifier.
    id: StationId,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

/// Revokes a station's certificate: its next request is refused, also on a connection that is open.
#[utoipa::path(post, path = "/api/stations/{id}/revocation", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = Revocation)))]
async fn revoke_station(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<StationId>,
    Write { stamp, body }: Write<Reason>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let revoked_at = steps::revoke_station(tx, &app, &officer, &id, &body.reason).await?;
        Ok(Revocation { id, revoked_at })
    })
    .await
}
