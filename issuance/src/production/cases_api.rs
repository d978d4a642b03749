//! The cases of the stock, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::cases::{self, Case, CaseKind, CaseOutcome, CaseState};
use super::store::cases as store;
use crate::ground::ids::{CaseId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Decision, Id, OfficeCode, Officer, Permission, Role};
use crate::offices::calendar::Day;
use crate::store::Record;
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(Right::Officer(Permission::ReadStock), routes!(list_cases))
        .add(keeps_stock, routes!(propose_case_end))
        .add(keeps_stock, routes!(settle_case))
}

/// A difference of the stock.
#[derive(Debug, Serialize, ToSchema)]
struct StockCaseView {
    /// Identifier.
    id: CaseId,
    /// What kind of difference it is.
    kind: CaseKind,
    /// The office whose officers settle it; of a box, the office that it was sent to.
    office: OfficeCode,
    /// Of a box, the office that sent it: one officer of each of the two settles the case.
    from_office: Option<OfficeCode>,
    /// The role of those officers.
    owner: Role,
    /// `chip/…`, `stock-box/…`, `station/…` or, for a store room, `unit/…`.
    subject: String,
    /// Chips that should be there.
    #[schema(value_type = Vec<String>)]
    missing: Vec<CardSerial>,
    /// Chips that should not be there.
    #[schema(value_type = Vec<String>)]
    extra: Vec<CardSerial>,
    /// The officer who met the difference; `null` where the service itself met it.
    opened_by: Option<OfficerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// The day by which it is settled.
    due_on: Day,
    /// True if that day is over.
    overdue: bool,
    /// How far it is.
    state: CaseState,
    /// How it ends, as proposed or settled.
    outcome: Option<CaseOutcome>,
    /// Why, in the proposing officer's words.
    reason: Option<String>,
    /// The first of the two officers.
    proposed_by: Option<OfficerId>,
    /// Names what was proposed: the second officer's confirmation says it.
    digest: Option<String>,
    /// The second one.
    settled_by: Option<OfficerId>,
    /// When it was settled.
    #[serde(with = "time::serde::rfc3339::option")]
    settled_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl StockCaseView {
    fn new(case: Case, today: time::Date, tampered: bool) -> Self {
        let by = |decision: &Option<Decision>| decision.as_ref().map(|decision| decision.by);
        Self {
            overdue: case.is_overdue(today),
            proposed_by: by(&case.proposed),
            settled_by: by(&case.settled),
            settled_at: case.settled.as_ref().map(|settled| settled.at),
            digest: case.digest().filter(|_| case.state == CaseState::Proposed),
            id: case.id,
            kind: case.kind,
            office: case.office,
            from_office: case.from,
            owner: Role::Stock,
            subject: case.subject,
            missing: case.missing,
            extra: case.extra,
            opened_by: Some(case.opened.by).filter(|by| *by != Id::nil()),
            opened_at: case.opened.at,
            due_on: Day(case.due_on),
            state: case.state,
            outcome: case.outcome,
            reason: case.reason,
            tampered,
        }
    }
}

/// Which cases.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CasesAsked {
    /// Those that are settled too.
    #[serde(default)]
    settled: bool,
}

/// The cases of the officer's office, and of the boxes that it sent, that wait to be settled; for the national office,
/// of all.
#[utoipa::path(get, path = "/api/v1/stock/cases", tag = "production", params(PageAsked, CasesAsked),
    responses((status = 200, body = Page<StockCaseView>)))]
async fn list_cases(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<CasesAsked, CaseId>,
) -> Looked<Page<StockCaseView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let today = desk.deeds().source().clock().today();
    let (after, settled) = (listing.after.unwrap_or(Id::nil()), listing.filter.settled);
    let rows = store::listed(&mut tx, &officer.office, settled, after, listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let case = store::read(row)?;
        Ok((case.id, StockCaseView::new(case, today, !holds)))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// How a case ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CaseEnd {
    /// Of a box: `arrived`, `returned` or `lost`; of a count: `explained`, `lost` or `found`; of a loss: `lost` or
    /// `found`.
    outcome: CaseOutcome,
    /// What shows that it ends so, in the officer's words.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Proposes how a case ends: it does, once another officer confirms it.
#[utoipa::path(post, path = "/api/v1/stock/cases/{id}/proposal", tag = "production", request_body = CaseEnd,
    responses((status = 200, body = StockCaseView)))]
async fn propose_case_end(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CaseId>,
    Write { stamp, body }: Write<CaseEnd>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (today, done) = (deed.today(), cases::propose(deed, id, body.outcome, body.reason.as_str()).await);
        done.map(|case| StockCaseView::new(case, today, false))
    })
    .await
}

/// What the second officer read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CaseRead {
    /// The `digest` of the case: the proposal, as it was read.
    #[schema(value_type = String)]
    digest: Words<64>,
}

/// Settles a case as another officer proposed in the last week; a case of a box, an officer of the other office.
#[utoipa::path(post, path = "/api/v1/stock/cases/{id}/confirmation", tag = "production", request_body = CaseRead,
    responses((status = 200, body = StockCaseView)))]
async fn settle_case(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CaseId>,
    Write { stamp, body }: Write<CaseRead>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (today, done) = (deed.today(), cases::confirm(deed, id, body.digest.as_str()).await);
        done.map(|case| StockCaseView::new(case, today, false))
    })
    .await
}
