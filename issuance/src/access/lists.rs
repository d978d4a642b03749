//! Officers, stations and an officer's own sessions, listed; and what an officer is told about the officer.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::store::lists as store;
use super::{Access, AccessError, steps};
use crate::deed::{Action, Object, Purpose};
use crate::ground::ids::{OfficerId, SessionId, StationId};
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::store::{Record, StoreError};
use crate::web::{Desk, Listing, Looked, Named, Page, PageAsked, Problem, Right, Routes};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Administer), routes!(list_officers))
        .add(Right::Officer(Permission::Administer), routes!(list_stations))
        .add(Right::SignedIn, routes!(me))
        .add(Right::SignedIn, routes!(my_sessions))
        .add(Right::SignedIn, routes!(end_session))
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

/// An officer, as administrators see the account.
#[derive(Debug, Serialize, ToSchema)]
struct OfficerItem {
    /// Identifier.
    id: OfficerId,
    /// Name of the account.
    username: String,
    /// What the officer is employed for.
    roles: Vec<Role>,
    /// The office where the officer works.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// The moment of the appointment.
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    /// Since when the officer has no access.
    #[serde(with = "time::serde::rfc3339::option")]
    disabled_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed, and it opens no session.
    tampered: bool,
}

/// The officers of the administrator's office, by appointment; for the national office, those of all. The reading is a
/// record of the trail.
#[utoipa::path(get, path = "/api/v1/officers", tag = "access", params(PageAsked),
    responses((status = 200, body = Page<OfficerItem>)))]
async fn list_officers(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, OfficerId>,
) -> Looked<Page<OfficerItem>> {
    desk.look(officer, async |deed| {
        let office = deed.actor().office.clone();
        let after = listing.after.unwrap_or(Id::nil());
        let rows = store::officers(deed.tx(), &office, after, listing.most()).await?;
        let object = Object::Unit(office.to_string());
        deed.record(Action::OfficersListed, object, None, Purpose::Administration).await?;
        Ok::<_, AccessError>(Page::judged(&rows, listing.limit, officer_item)?)
    })
    .await
}

fn officer_item((row, holds): &(Record, bool)) -> Result<(OfficerId, OfficerItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = OfficerItem {
        id,
        username: row.get("username")?,
        // What was changed by another hand may have no meaning, and is shown all the same.
        roles: if *holds { row.json("roles")? } else { row.json("roles").unwrap_or_default() },
        office: row.get("office")?,
        made_at: row.get("made_at")?,
        disabled_at: row.get("disabled_at")?,
        tampered: !holds,
    };
    Ok((id, item))
}

/// A station, as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
struct StationItem {
    /// Identifier.
    id: StationId,
    /// Name that people gave it.
    name: String,
    /// The office where it stands.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// The moment of its enrolment.
    #[serde(with = "time::serde::rfc3339")]
    made_at: OffsetDateTime,
    /// Its certificate ends then.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Since when it is revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// Why it was revoked.
    revocation_reason: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed, and it opens no door.
    tampered: bool,
}

/// The stations of the administrator's office, by enrolment; for the national office, those of all.
#[utoipa::path(get, path = "/api/v1/stations", tag = "access", params(PageAsked),
    responses((status = 200, body = Page<StationItem>)))]
async fn list_stations(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, StationId>,
) -> Looked<Page<StationItem>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::stations(&mut tx, &officer.office, after, listing.most()).await?;
    Ok(Json(Page::judged(&rows, listing.limit, station_item)?))
}

fn station_item((row, holds): &(Record, bool)) -> Result<(StationId, StationItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = StationItem {
        id,
        name: row.get("name")?,
        office: row.get("office")?,
        made_at: row.get("made_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        revocation_reason: row.get("revocation_reason")?,
        tampered: !holds,
    };
    Ok((id, item))
}

/// The officer who asks.
#[derive(Debug, Serialize, ToSchema)]
struct MeView {
    /// Identifier.
    id: OfficerId,
    /// Name of the account.
    username: String,
    /// The office where the officer works.
    office: OfficeCode,
    /// What the officer is employed for, and what is lent to the officer now.
    roles: Vec<Role>,
    /// The officer whom this one stands in for now.
    stands_in_for: Option<OfficerId>,
    /// Dissolved offices for which the officer acts: the own one took their place.
    successor_of: Vec<OfficeCode>,
    /// The session with which the officer asks.
    session: SessionItem,
    /// So many factors the service wants for more than the officer's own password and certificates.
    factors_needed: u8,
}

/// An open session of the officer who asks.
#[derive(Debug, Serialize, ToSchema)]
struct SessionItem {
    /// Identifier; the token is another text.
    id: SessionId,
    /// The moment of the sign-in.
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// The last use that was noted, at most a tenth of the idle limit ago.
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
    /// It ends then, whatever is done.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// It ends then, if nothing is asked in it.
    #[serde(with = "time::serde::rfc3339")]
    idle_until: OffsetDateTime,
    /// By what the officer is known in it.
    factors: Vec<steps::Factor>,
    /// True for the session with which this is asked.
    current: bool,
}

impl SessionItem {
    fn new(session: &store::OpenSession, access: &Access, officer: &Officer) -> Self {
        Self {
            id: session.id,
            opened_at: session.opened_at,
            seen_at: session.seen_at,
            expires_at: session.expires_at,
            idle_until: session.expires_at.min(session.seen_at + access.settings.session_idle),
            factors: steps::Factor::of_session(session.certificate),
            current: session.id == officer.session,
        }
    }
}

/// The officer who asks: name, office, roles, and when the session ends.
#[utoipa::path(get, path = "/api/v1/me", tag = "access", responses((status = 200, body = MeView)))]
async fn me(State(access): State<Access>, State(desk): State<Desk>, officer: Officer) -> Looked<MeView> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let (id, now) = (officer.id, desk.deeds().source().now());
    let session = store::open_session_of(&mut tx, &access.settings, id, officer.session, now).await?;
    let session = SessionItem::new(&session.ok_or(AccessError::Session)?, &access, &officer);
    let username = store::username(&mut tx, id).await?.ok_or(AccessError::Session)?;
    Ok(Json(MeView {
        id,
        username,
        office: officer.office,
        roles: officer.roles,
        stands_in_for: officer.stands_in.map(|lent| lent.stands_for),
        successor_of: officer.successor_of,
        session,
        factors_needed: access.settings.factors,
    }))
}

/// The open sessions of the officer who asks, oldest first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "access", params(PageAsked),
    responses((status = 200, body = Page<SessionItem>)))]
async fn my_sessions(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, SessionId>,
) -> Looked<Page<SessionItem>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let (now, after) = (desk.deeds().source().now(), listing.after.unwrap_or(Id::nil()));
    let rows = store::open_sessions(&mut tx, &access.settings, officer.id, now, after, listing.most()).await?;
    let items = rows.iter().map(|session| (session.id, SessionItem::new(session, &access, &officer))).collect();
    Ok(Json(Page::of(items, listing.limit)))
}

/// Ends an open session of the officer who asks.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "access", responses((status = 204)))]
async fn end_session(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<SessionId>,
) -> Result<StatusCode, Problem> {
    let Json(()) = desk.look(officer, async |deed| steps::end_session(deed, &access, id).await).await?;
    Ok(StatusCode::NO_CONTENT)
}
