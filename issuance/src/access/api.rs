//! Sessions, officers, stations over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::{Access, AccessError, passwords, steps};
use crate::ground::ids::{OfficerId, StationId};
use crate::ground::text::{Login, MOST_OF_REASON, Words};
use crate::ground::{OfficeCode, Officer, Permission, Role};
use crate::web::{Answered, Body, Desk, Looked, Named, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(Right::Anyone, routes!(sign_in))
        .add(Right::SignedIn, routes!(sign_out))
        .add(administers, routes!(make_officer))
        .add(administers, routes!(disable_officer))
        .add(administers, routes!(enrol_station))
        .add(administers, routes!(revoke_station))
}

/// Body of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// Name of the account.
    #[schema(value_type = String)]
    username: Login,
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
async fn sign_in(
    State(access): State<Access>,
    State(desk): State<Desk>,
    Body(body): Body<Credentials>,
) -> Looked<SessionView> {
    let session = steps::sign_in(&access, desk.deeds(), body.username.as_str(), Zeroizing::new(body.password)).await?;
    Ok(Json(SessionView { token: (*session.token).clone(), expires_at: session.expires_at, roles: session.roles }))
}

/// The verb is done, and has no particulars.
#[derive(Serialize, ToSchema)]
struct Done {}

/// Ends the session under way. Idempotent by itself.
#[utoipa::path(delete, path = "/api/sessions/current", tag = "access", responses((status = 200, body = Done)))]
async fn sign_out(State(desk): State<Desk>, officer: Officer) -> Looked<Done> {
    desk.look(officer, async |deed| steps::sign_out(deed).await.map(|()| Done {})).await
}

/// Body of a new officer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOfficer {
    /// 1 to 64 characters, unique in its canonical spelling.
    #[schema(value_type = String)]
    username: Login,
    /// 12 to 256 characters.
    password: String,
    /// What the officer is employed for.
    roles: Vec<Role>,
    /// The office where the officer works.
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
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewOfficer>,
) -> Answered {
    officer.may_act_for(&body.office)?;
    let mut rng = desk.deeds().source().rng();
    let hash = passwords::hash(&access.settings, Zeroizing::new(body.password), &mut rng).await?;
    desk.write(officer, stamp, async |deed| {
        let id = steps::make_officer(deed, body.username.as_str(), &hash, &body.roles, &body.office).await?;
        Ok::<_, AccessError>(OfficerView { id })
    })
    .await
}

/// The reason of an administrator's act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: Words<MOST_OF_REASON>,
}

/// Ends an officer's access at once, sessions included.
#[utoipa::path(post, path = "/api/officers/{id}/disablement", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
async fn disable_officer(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<OfficerId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        steps::disable_officer(deed, id, body.reason.as_str()).await.map(|()| OfficerView { id })
    })
    .await
}

/// Body of a station's enrolment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStation {
    /// Unique; for people.
    #[schema(value_type = String)]
    name: Words<64>,
    /// The office where it stands.
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
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewStation>,
) -> Answered {
    if body.csr_pem.len() > LONGEST_CSR {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(officer, stamp, async |deed| {
        let (id, certificate_pem) =
            steps::enrol_station(deed, &access, body.name.as_str(), &body.office, &body.csr_pem).await?;
        let ca_pem = access.tls_authority.certificate_pem().to_owned();
        Ok::<_, AccessError>(StationView { id, certificate_pem, ca_pem })
    })
    .await
}

/// A station whose certificate is revoked.
#[derive(Serialize, ToSchema)]
struct Revocation {
    /// Identifier.
    id: StationId,
    /// The moment of its first revocation.
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

/// Revokes a station's certificate: its next request is refused, also on a connection that is open.
#[utoipa::path(post, path = "/api/stations/{id}/revocation", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = Revocation)))]
async fn revoke_station(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<StationId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        steps::revoke_station(deed, id, body.reason.as_str()).await.map(|revoked_at| Revocation { id, revoked_at })
    })
    .await
}

/// Longest certification request in PEM, bytes: one with an RSA key of 8192 bits has a third of it.
const LONGEST_CSR: usize = 16_384;
