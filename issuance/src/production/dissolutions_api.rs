//! The ends of offices, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::dissolutions::{self, DissolutionError, PIECE, Plan, Work};
use crate::access::dissolutions::{self as ends, Dissolution, DissolutionState};
use crate::ground::ids::{DissolutionId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this file. What is read is about the authority and no citizen, so that reads leave no record.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(administers, routes!(list_dissolutions))
        .add(administers, routes!(read_dissolution))
        .add(administers, routes!(propose_dissolution))
        .add(administers, routes!(confirm_dissolution))
        .add(administers, routes!(withdraw_dissolution))
}

/// The end of an office.
#[derive(Debug, Serialize, ToSchema)]
struct DissolutionView {
    /// Identifier.
    id: DissolutionId,
    /// The office that ends.
    office: OfficeCode,
    /// The office that takes its place.
    successor: Option<OfficeCode>,
    /// Why, in the administrator's words.
    reason: String,
    /// How far it is.
    state: DissolutionState,
    /// The first administrator.
    proposed_by: OfficerId,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// The second administrator; null while it is a proposal.
    confirmed_by: Option<OfficerId>,
    /// From this moment on the office takes no new work.
    #[serde(with = "time::serde::rfc3339::option")]
    confirmed_at: Option<OffsetDateTime>,
    /// From this moment on nothing is left there.
    #[serde(with = "time::serde::rfc3339::option")]
    dissolved_at: Option<OffsetDateTime>,
    /// So many applications moved.
    applications_moved: u64,
    /// So many chips moved.
    chips_moved: u64,
    /// True for a record that was changed by another hand: nothing follows from it.
    tampered: bool,
}

impl DissolutionView {
    fn new(dissolution: Dissolution, tampered: bool) -> Self {
        let (confirmed_by, confirmed_at) = dissolution.confirmed.as_ref().map(|by| (by.by, by.at)).unzip();
        Self {
            id: dissolution.id,
            office: dissolution.office,
            successor: dissolution.successor,
            reason: dissolution.reason,
            state: dissolution.state,
            proposed_by: dissolution.proposed.by,
            proposed_at: dissolution.proposed.at,
            confirmed_by,
            confirmed_at,
            dissolved_at: dissolution.ended_at,
            applications_moved: dissolution.applications,
            chips_moved: dissolution.chips,
            tampered,
        }
    }
}

/// What waits at an office, and what is decided about its end.
#[derive(Debug, Serialize, ToSchema)]
struct OfficeEndView {
    /// What waits there now.
    work: Work,
    /// The last decision or proposal about its end; null where there is none.
    dissolution: Option<DissolutionView>,
    /// Names what is proposed and what waits: the confirmation says it. Null where nothing waits for a second
    /// administrator.
    digest: Option<String>,
}

impl OfficeEndView {
    fn new(plan: Plan, now: OffsetDateTime) -> Self {
        let digest = plan.dissolution.is_proposed(now).then(|| plan.digest());
        Self { work: plan.work, dissolution: Some(DissolutionView::new(plan.dissolution, false)), digest }
    }
}

/// Every one is listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllDissolutions {}

/// Lists the ends of offices, oldest first, those that were taken back too. For administrators of the national office.
#[utoipa::path(get, path = "/api/v1/dissolutions", tag = "offices", operation_id = "dissolutions", params(PageAsked),
    responses((status = 200, body = Page<DissolutionView>)))]
async fn list_dissolutions(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllDissolutions, DissolutionId>,
) -> Looked<Page<DissolutionView>> {
    officer.may_act_for(&OfficeCode::national())?;
    let mut tx = desk.deeds().db().begin_read().await?;
    let found = ends::listed(&mut tx, listing.after.unwrap_or(Id::nil()), listing.most()).await?;
    let items = found.into_iter().map(|(found, holds)| (found.id, DissolutionView::new(found, !holds)));
    Ok(Json(Page::of(items.collect(), listing.limit)))
}

/// Says what waits at an office, who works there, and what is decided about its end. For administrators of the national
/// office.
#[utoipa::path(get, path = "/api/v1/offices/{code}/dissolution", tag = "offices", operation_id = "dissolution",
    params(("code" = String, Path)), responses((status = 200, body = OfficeEndView)))]
async fn read_dissolution(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<OfficeCode>,
) -> Looked<OfficeEndView> {
    officer.may_act_for(&OfficeCode::national())?;
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let work = dissolutions::work(&mut tx, &code, now).await?;
    let last = ends::last(&mut tx, &code).await?;
    Ok(Json(match last {
        Some(dissolution) => OfficeEndView::new(Plan { dissolution, work }, now),
        None => OfficeEndView { work, dissolution: None, digest: None },
    }))
}

/// An office is to be dissolved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DissolutionWanted {
    /// The office that takes its place: a unit, or an office with officers in service. Left
    /// out, nothing may wait there.
    successor: Option<OfficeCode>,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Proposes that an office is dissolved. For administrators of the national office; another one confirms it within a
/// week.
#[utoipa::path(post, path = "/api/v1/offices/{code}/dissolution", tag = "offices", request_body = DissolutionWanted,
    params(("code" = String, Path)), responses((status = 200, body = OfficeEndView)))]
async fn propose_dissolution(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<OfficeCode>,
    Write { stamp, body }: Write<DissolutionWanted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        let plan = dissolutions::propose(deed, &code, body.successor.as_ref(), body.reason.as_str()).await?;
        Ok::<_, DissolutionError>(OfficeEndView::new(plan, now))
    })
    .await
}

/// What the second administrator read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DissolutionRead {
    /// The `digest`, as it was read: where something else waits there by now, nothing is confirmed.
    #[schema(value_type = String)]
    digest: Words<64>,
}

/// Dissolves an office as another administrator proposed in the last week: from now on it takes no new work, and what
/// waits there goes to the office that takes its place. What is much moves in stretches; until nothing is left the
/// office is `closing`.
#[utoipa::path(post, path = "/api/v1/offices/{code}/dissolution/confirmation", tag = "offices",
    request_body = DissolutionRead, params(("code" = String, Path)), responses((status = 200, body = OfficeEndView)))]
async fn confirm_dissolution(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<OfficeCode>,
    Write { stamp, body }: Write<DissolutionRead>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        let plan = Box::pin(dissolutions::confirm(deed, &code, body.digest.as_str(), PIECE)).await?;
        Ok::<_, DissolutionError>(OfficeEndView::new(plan, now))
    })
    .await
}

/// Takes the proposal back that an office is dissolved.
#[utoipa::path(post, path = "/api/v1/offices/{code}/dissolution/withdrawal", tag = "offices", request_body = Nothing,
    params(("code" = String, Path)), responses((status = 200, body = OfficeEndView)))]
async fn withdraw_dissolution(
    State(desk): State<Desk>,
    officer: Officer,
    Named(code): Named<OfficeCode>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let now = deed.at();
        dissolutions::withdraw(deed, &code).await.map(|plan| OfficeEndView::new(plan, now))
    })
    .await
}
