//! Fees over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::payments::{self, ExemptionGround, FeeAccount, FeeEntry, FeeEntryKind, FeeUndoing, Payment, PaymentMethod};
use super::store::payments as store;
use super::{Counter, CounterError};
use crate::ground::ids::{ApplicationId, FeeEntryId, OfficerId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::offices::calendar::Day;
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    let takes = Right::Officer(Permission::TakeFees);
    Routes::new()
        .add(Right::Officer(Permission::ReadApplication), routes!(read_fee))
        .add(takes, routes!(pay_fee))
        .add(takes, routes!(exempt_from_fee))
        .add(takes, routes!(undo_fee_entry))
        .add(takes, routes!(takings))
}

/// An entry of the fees.
#[derive(Debug, Serialize, ToSchema)]
struct FeeEntryView {
    /// Identifier.
    id: FeeEntryId,
    /// What it is for.
    application_id: ApplicationId,
    /// What it is.
    kind: FeeEntryKind,
    /// The office whose till it is.
    office: OfficeCode,
    /// The day of the takings in which it stands: the one on which it was entered.
    day: Day,
    /// The day on which the payment was made, if it is known; an earlier one than `day` where it was entered later.
    paid_on: Option<Day>,
    /// What it settles of the fee, in đồng; negative for what undoes another entry.
    settles_dong: i64,
    /// What it brings into the till, in đồng; negative for what undoes a payment, 0 for an exemption.
    dong: i64,
    /// How it was paid.
    method: Option<PaymentMethod>,
    /// The number of the receipt.
    receipt: Option<String>,
    /// Why nothing is to be paid.
    ground: Option<ExemptionGround>,
    /// The evidence of an exemption, or why an entry is undone; only where the fee of one application is read.
    words: Option<String>,
    /// The entry that it undoes.
    undoes: Option<FeeEntryId>,
    /// The officer.
    recorded_by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
}

impl From<FeeEntry> for FeeEntryView {
    fn from(entry: FeeEntry) -> Self {
        Self {
            id: entry.id,
            application_id: entry.application,
            kind: entry.kind,
            office: entry.office,
            day: Day(entry.day),
            paid_on: entry.paid_on.map(Day),
            settles_dong: entry.settles,
            dong: entry.dong,
            method: entry.method,
            receipt: entry.receipt,
            ground: entry.ground,
            words: entry.words,
            undoes: entry.undoes,
            recorded_by: entry.by,
            recorded_at: entry.at,
        }
    }
}

/// The fee of an application, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
struct FeeView {
    /// The fee, in đồng.
    fee_dong: u32,
    /// What is still to be paid, in đồng.
    due_dong: u32,
    /// The entries, oldest first.
    entries: Vec<FeeEntryView>,
}

impl From<FeeAccount> for FeeView {
    fn from(account: FeeAccount) -> Self {
        let due_dong = account.due();
        let entries = account.entries.into_iter().map(FeeEntryView::from).collect();
        Self { fee_dong: account.fee, due_dong, entries }
    }
}

/// A payment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"dong": 50000, "method": "cash", "receipt": "AA/21 0001234", "paid_on": "2026-11-26"}))]
struct PaymentMade {
    /// The amount, in đồng: all that is due.
    dong: u32,
    /// How it was paid.
    method: PaymentMethod,
    /// The number of the receipt, at most 40 characters; an office gives each once.
    #[schema(value_type = String)]
    receipt: SomeWords<40>,
    /// The day on which it was paid: from the opening of the application to today. It stands in the takings of today.
    paid_on: Day,
}

/// Why nothing is to be paid.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ground": "poor-household", "evidence": "Giấy chứng nhận hộ nghèo 12/2026"}))]
struct FeeExemption {
    /// The ground (Circular 59/2019/TT-BTC, Art. 5).
    ground: ExemptionGround,
    /// The evidence that was shown, at most 400 characters.
    #[schema(value_type = String)]
    evidence: SomeWords<MOST_OF_REASON>,
}

/// A payment or an exemption is undone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FeeEntryUndone {
    /// The entry.
    entry: FeeEntryId,
    /// Given back, or entered by mistake.
    how: FeeUndoing,
    /// Why, at most 400 characters.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// The fee of an application: what is due, what was paid, why nothing is to be paid.
#[utoipa::path(get, path = "/api/v1/applications/{id}/fee", tag = "applications", params(("id" = String, Path)),
    responses((status = 200, body = FeeView)))]
async fn read_fee(State(desk): State<Desk>, officer: Officer, Named(id): Named<ApplicationId>) -> Looked<FeeView> {
    desk.look(officer, async |deed| payments::read(deed, id).await.map(FeeView::from)).await
}

/// The citizen paid what is due.
#[utoipa::path(post, path = "/api/v1/applications/{id}/fee/payment", tag = "applications", request_body = PaymentMade,
    responses((status = 200, body = FeeView)))]
async fn pay_fee(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<PaymentMade>,
) -> Answered {
    let PaymentMade { dong, method, receipt, paid_on } = body;
    desk.write(officer, stamp, async |deed| {
        let payment = Payment { dong, method, receipt: receipt.as_str(), on: paid_on.0 };
        payments::pay(deed, id, payment).await.map(FeeView::from)
    })
    .await
}

/// Nothing is to be paid, on a ground of the law.
#[utoipa::path(post, path = "/api/v1/applications/{id}/fee/exemption", tag = "applications",
    request_body = FeeExemption, responses((status = 200, body = FeeView)))]
async fn exempt_from_fee(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<FeeExemption>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        payments::exempt(deed, id, body.ground, body.evidence.as_str()).await.map(FeeView::from)
    })
    .await
}

/// A payment is given back, or an entry struck out: by another officer than the one who entered it.
#[utoipa::path(post, path = "/api/v1/applications/{id}/fee/undoing", tag = "applications",
    request_body = FeeEntryUndone, responses((status = 200, body = FeeView)))]
async fn undo_fee_entry(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ApplicationId>,
    Write { stamp, body }: Write<FeeEntryUndone>,
) -> Answered {
    let FeeEntryUndone { entry, how, reason } = body;
    desk.write(officer, stamp, async |deed| {
        payments::undo(deed, id, entry, how, reason.as_str()).await.map(FeeView::from)
    })
    .await
}

/// Whose takings of which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TakingsAsked {
    /// The office; left out, the officer's own.
    office: Option<OfficeCode>,
    /// The day (yyyy-MM-dd); left out, today.
    #[param(value_type = Option<String>)]
    day: Option<Day>,
}

/// What an office took on a day. Each page has the sums of the whole day.
#[derive(Debug, Serialize, ToSchema)]
struct Takings {
    /// The office.
    office: OfficeCode,
    /// The day.
    day: Day,
    /// Entered as paid on that day, in đồng.
    taken_dong: i64,
    /// Given back or struck out on that day, in đồng.
    returned_dong: i64,
    /// What is left: the sum of `dong` over all entries of the day.
    balance_dong: i64,
    /// The entries, oldest first.
    items: Vec<FeeEntryView>,
    /// Identifiers of entries of this page that were changed by another hand: they are in no sum.
    unreadable: Vec<FeeEntryId>,
    /// The next page is asked for with this text as `after`; null where the list ends.
    next: Option<String>,
}

/// What an office took on a day: entries without names, and their sum.
#[utoipa::path(get, path = "/api/v1/fees", tag = "applications", params(PageAsked, TakingsAsked),
    responses((status = 200, body = Takings)))]
async fn takings(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<TakingsAsked, FeeEntryId>,
) -> Looked<Takings> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter: TakingsAsked { office, day }, after, .. } = listing;
    let office = office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office).map_err(CounterError::from)?;
    let day = day.map_or_else(|| desk.deeds().source().clock().today(), |day| day.0);
    // One transaction: the sum is that of these entries.
    let mut tx = desk.deeds().db().begin_read().await?;
    let entries = store::of_day(&mut tx, &office, day, after.unwrap_or(Id::nil()), most).await?;
    let sum = store::sum_of_day(&mut tx, &office, day).await?;
    drop(tx);
    let view = |entry: FeeEntry| FeeEntryView { words: None, ..entry.into() };
    let judged = entries.into_iter().map(|(id, entry)| (id, (id, entry.map(view)))).collect();
    let Page { items: judged, next, .. } = Page::of(judged, limit);
    let unreadable = judged.iter().filter(|(_, entry)| entry.is_none()).map(|(id, _)| *id).collect();
    let items = judged.into_iter().filter_map(|(_, entry)| entry).collect();
    let (taken_dong, returned_dong) = (sum.taken, sum.returned);
    let balance_dong = taken_dong - returned_dong;
    Ok(Json(Takings { office, day: Day(day), taken_dong, returned_dong, balance_dong, items, unreadable, next }))
}
