//! Officers who stand in for others, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::calendar::Day;
use crate::access::deputies::{self, Deputy, DeputyState};
use crate::access::{Access, AccessError};
use crate::ground::ids::{DeputyId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission, Role};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file. What is read is about the authority and no citizen, so that reads leave no record.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(Right::SignedIn, routes!(list_deputies))
        .add(administers, routes!(appoint_deputy))
        .add(administers, routes!(confirm_deputy))
        .add(administers, routes!(end_deputy))
}

/// An officer who stands in for another.
#[derive(Debug, Serialize, ToSchema)]
struct DeputyView {
    /// Identifier of the appointment.
    id: DeputyId,
    /// The officer who stands in.
    officer: OfficerId,
    /// The officer who is absent.
    stands_for: OfficerId,
    /// Office of both.
    office: OfficeCode,
    /// First day.
    from: Day,
    /// Last day.
    to: Day,
    /// The roles that the deputy has for it, as long as the absent officer has them.
    roles: Vec<Role>,
    /// How far it is.
    state: DeputyState,
    /// The administrator who appointed the deputy.
    appointed_by: OfficerId,
    /// The administrator who agreed; null while a second one must.
    confirmed_by: Option<OfficerId>,
    /// The moment of that.
    #[serde(with = "time::serde::rfc3339::option")]
    confirmed_at: Option<OffsetDateTime>,
    /// Names what is proposed: the confirmation says it.
    digest: Option<String>,
    /// From this day on no more, if it was ended early.
    ended_on: Option<Day>,
    /// True for a record that was changed by another hand: it lends nothing.
    tampered: bool,
}

impl DeputyView {
    fn new(deputy: Deputy, now: OffsetDateTime, tampered: bool) -> Self {
        let state = deputy.state(now);
        let digest = (state == DeputyState::Proposed).then(|| deputy.digest());
        let (confirmed_by, confirmed_at) = deputy.confirmed.as_ref().map(|by| (by.by, by.at)).unzip();
        let Deputy { id, officer, stands_for, office, from, to, roles, appointed, ended, .. } = deputy;
        Self {
            id,
            officer,
            stands_for,
            office,
            from: Day(from),
            to: Day(to),
            roles,
            state,
            appointed_by: appointed.by,
            confirmed_by,
            confirmed_at,
            digest,
            ended_on: ended.map(|(on, _)| Day(on)),
            tampered,
        }
    }
}

/// Whose deputies are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeputiesWanted {
    /// The office.
    office: OfficeCode,
}

/// Lists the deputies of an office who stand in today or will later, oldest appointment first. For officers of that
/// office and of the national one.
#[utoipa::path(get, path = "/api/v1/deputies", tag = "offices", operation_id = "deputies",
    params(PageAsked, DeputiesWanted), responses((status = 200, body = Page<DeputyView>)))]
async fn list_deputies(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<DeputiesWanted, DeputyId>,
) -> Looked<Page<DeputyView>> {
    let office = &listing.filter.office;
    officer.may_act_for(office)?;
    let (now, today) = (desk.deeds().source().now(), desk.deeds().source().clock().today());
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let found = deputies::listed(&mut tx, office, today, after, listing.most()).await?;
    let items = found.into_iter().map(|(deputy, holds)| (deputy.id, DeputyView::new(deputy, now, !holds)));
    Ok(Json(Page::of(items.collect(), listing.limit)))
}

/// Body of an appointment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Appointment {
    /// The officer who stands in: of the same office, with roles that go together with those of the absent one, and not
    /// the administrator.
    officer: OfficerId,
    /// The officer who is absent.
    stands_for: OfficerId,
    /// First day, today or later.
    from: Day,
    /// Last day: at most `access.deputy_days` in all.
    to: Day,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: Words<MOST_OF_REASON>,
}

/// Appoints an officer to stand in for another: for these days the deputy has the roles of the absent one. Where a role
/// that is lent approves applications, another administrator confirms it before it counts.
#[utoipa::path(post, path = "/api/v1/deputies", tag = "offices", request_body = Appointment,
    responses((status = 200, body = DeputyView)))]
async fn appoint_deputy(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<Appointment>,
) -> Answered {
    let Appointment { officer: deputy, stands_for, from, to, reason } = body;
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        let (officers, days) = ((deputy, stands_for), (from.0, to.0));
        let appointed = deputies::appoint(deed, access.settings(), officers, days, reason.as_str()).await?;
        Ok::<_, AccessError>(DeputyView::new(appointed, now, false))
    })
    .await
}

/// What the second administrator read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeputyRead {
    /// The `digest` of the appointment, as it was read.
    #[schema(value_type = String)]
    digest: Words<64>,
}

/// Confirms that an officer stands in for another, as another administrator wanted in the last week.
#[utoipa::path(post, path = "/api/v1/deputies/{id}/confirmation", tag = "offices", request_body = DeputyRead,
    params(("id" = String, Path)), responses((status = 200, body = DeputyView)))]
async fn confirm_deputy(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<DeputyId>,
    Write { stamp, body }: Write<DeputyRead>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        let confirmed = deputies::confirm(deed, id, body.digest.as_str()).await?;
        Ok::<_, AccessError>(DeputyView::new(confirmed, now, false))
    })
    .await
}

/// Body of an early end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeputyEnd {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: Words<MOST_OF_REASON>,
}

/// Ends a standing in, or the proposal of one, from now on.
#[utoipa::path(post, path = "/api/v1/deputies/{id}/end", tag = "offices", request_body = DeputyEnd,
    params(("id" = String, Path)), responses((status = 200, body = DeputyView)))]
async fn end_deputy(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<DeputyId>,
    Write { stamp, body }: Write<DeputyEnd>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        let ended = deputies::end(deed, id, body.reason.as_str()).await?;
        Ok::<_, AccessError>(DeputyView::new(ended, now, false))
    })
    .await
}
