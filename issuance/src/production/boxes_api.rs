//! Boxes on their way and counts of stations, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::boxes::{self, Shipping};
use super::store::boxes::{self as store, BoxEnd, StockBox};
use super::store::counts::StockCount;
use super::{Production, ProductionError, counts};
use crate::ground::ids::{BoxId, CaseId, CountId, OfficerId, StationId};
use crate::ground::text::SomeWords;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::offices::calendar::Day;
use crate::store::Record;
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Production: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(keeps_stock, routes!(send_box))
        .add(keeps_stock, routes!(send_parcel))
        .add(Right::Officer(Permission::ReadStock), routes!(list_boxes))
        .add(keeps_stock, routes!(receive_box))
        .add(keeps_stock, routes!(call_box_back))
        .add(keeps_stock, routes!(begin_count))
        .add(keeps_stock, routes!(finish_count))
}

/// Blanks for another office.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BoxWanted {
    /// The office that the box is for.
    to_office: OfficeCode,
    /// The serials of the blanks in it, 20 hexadecimal digits each; at most 1,000, of one office.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// Finished cards for another office.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ParcelWanted {
    /// The office of their applications.
    to_office: OfficeCode,
    /// The number of the seal.
    #[schema(value_type = String, max_length = 64)]
    seal: SomeWords<64>,
    /// The serials of the cards in it, 20 hexadecimal digits each; at most 1,000, of one office.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// A box of blanks, or a sealed parcel of cards.
#[derive(Debug, Serialize, ToSchema)]
struct StockBoxView {
    /// Identifier.
    id: BoxId,
    /// The office that sent it.
    from_office: OfficeCode,
    /// The office that it is for.
    to_office: OfficeCode,
    /// What was put into it.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// The number of the seal of a parcel of cards; null for a box of blanks.
    seal: Option<String>,
    /// The number of the seal that a parcel had when it was received.
    found_seal: Option<String>,
    /// The officer who sent it.
    sent_by: OfficerId,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    sent_at: OffsetDateTime,
    /// The day by which it is received; null for a box of before.
    due_on: Option<Day>,
    /// How it ended where it was not received; null otherwise.
    ended: Option<BoxEnd>,
    /// The officer who called it back, or settled its case.
    ended_by: Option<OfficerId>,
    /// When it ended without being received.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Chips that were counted when it was received.
    counted: Option<u64>,
    /// The officer who received it.
    received_by: Option<OfficerId>,
    /// When it was received; null while it is on its way.
    #[serde(with = "time::serde::rfc3339::option")]
    received_at: Option<OffsetDateTime>,
    /// The case that was opened because other chips came than were sent; in the answer to its receipt.
    case_id: Option<CaseId>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl StockBoxView {
    fn new(boxed: StockBox, case_id: Option<CaseId>, tampered: bool) -> Self {
        let (received, ended) = (boxed.received.as_ref(), boxed.ended.as_ref());
        Self {
            due_on: boxed.due_on.map(Day),
            ended: ended.map(|(end, _)| *end),
            ended_by: ended.map(|(_, decision)| decision.by),
            ended_at: ended.map(|(_, decision)| decision.at),
            counted: received.map(|(_, counted)| *counted),
            received_by: received.map(|(decision, _)| decision.by),
            received_at: received.map(|(decision, _)| decision.at),
            id: boxed.id,
            from_office: boxed.from,
            to_office: boxed.to,
            serials: boxed.serials,
            seal: boxed.seal,
            found_seal: boxed.found_seal,
            sent_by: boxed.sent.by,
            sent_at: boxed.sent.at,
            case_id,
            tampered,
        }
    }
}

/// Puts blanks into a box for another office: they are on the courier's account until it is received.
#[utoipa::path(post, path = "/api/v1/stock/boxes", tag = "production", request_body = BoxWanted,
    responses((status = 200, body = StockBoxView)))]
async fn send_box(
    State(desk): State<Desk>,
    State(production): State<Production>,
    officer: Officer,
    Write { stamp, body }: Write<BoxWanted>,
) -> Answered {
    let BoxWanted { to_office, serials } = body;
    let days = production.box_days();
    desk.write(officer, stamp, async |deed| {
        boxes::send(deed, &serials, to_office.clone(), days).await.map(|sent| StockBoxView::new(sent, None, false))
    })
    .await
}

/// Puts finished cards of applications of another office into a sealed parcel for it: they are on the courier's account
/// until that office counted them, and can be handed over only then.
#[utoipa::path(post, path = "/api/v1/stock/parcels", tag = "production", request_body = ParcelWanted,
    responses((status = 200, body = StockBoxView)))]
async fn send_parcel(
    State(desk): State<Desk>,
    State(production): State<Production>,
    officer: Officer,
    Write { stamp, body }: Write<ParcelWanted>,
) -> Answered {
    let ParcelWanted { to_office, seal, serials } = body;
    let (days, body_check) = (production.box_days(), production.settings.body_check);
    desk.write(officer, stamp, async |deed| {
        let shipping = Shipping { seal: seal.as_str(), days, body_check };
        let sent = boxes::ship(deed, &serials, to_office.clone(), shipping).await;
        sent.map(|sent| StockBoxView::new(sent, None, false))
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllBoxes {}

/// The boxes that the officer's office sent or is to receive; for the national office, all.
#[utoipa::path(get, path = "/api/v1/stock/boxes", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<StockBoxView>)))]
async fn list_boxes(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllBoxes, BoxId>,
) -> Looked<Page<StockBoxView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::listed(&mut tx, &officer.office, after, listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let boxed = store::read(row)?;
        Ok((boxed.id, StockBoxView::new(boxed, None, !holds)))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// Chips that are there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Counted {
    /// The number of the seal that was found on a parcel of cards; a box of blanks has none.
    #[schema(value_type = Option<String>, max_length = 64)]
    seal: Option<SomeWords<64>>,
    /// Their serials, 20 hexadecimal digits each.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// The office that a box is for counts what is in it: another officer than the one who sent it. A difference opens a
/// case of both offices; what is missing stays on the courier's account, what is too many where it is. Of a parcel
/// the seal that was found is named: under another one than it was sent with, all of it stays on the courier's
/// account, and a case is opened.
#[utoipa::path(post, path = "/api/v1/stock/boxes/{id}/receipt", tag = "production", request_body = Counted,
    responses((status = 200, body = StockBoxView)))]
async fn receive_box(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<BoxId>,
    Write { stamp, body }: Write<Counted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (received, case) =
            boxes::receive(deed, id, &body.serials, body.seal.as_ref().map(SomeWords::as_str)).await?;
        Ok::<_, ProductionError>(StockBoxView::new(received, case, false))
    })
    .await
}

/// Calls a box back that was not received: what is in it is at the office that sent it again.
#[utoipa::path(post, path = "/api/v1/stock/boxes/{id}/call-back", tag = "production", request_body = Nothing,
    responses((status = 200, body = StockBoxView)))]
async fn call_box_back(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<BoxId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        boxes::call_back(deed, id).await.map(|boxed| StockBoxView::new(boxed, None, false))
    })
    .await
}

/// What is counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CountWanted {
    /// The station; without one, the store room of the officer's office.
    #[serde(default)]
    station_id: Option<StationId>,
}

/// Chips of a count that are there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CountedPart {
    /// Their serials, 20 hexadecimal digits each; at most 10,000.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// True while others are not counted yet: they follow in another request.
    #[serde(default)]
    more: bool,
}

/// A count of what a station or a store room holds.
#[derive(Debug, Serialize, ToSchema)]
struct StockCountView {
    /// Identifier.
    id: CountId,
    /// The station; null for the store room of the office.
    station_id: Option<StationId>,
    /// The moment to which it is bound.
    #[serde(with = "time::serde::rfc3339")]
    begun_at: OffsetDateTime,
    /// When it ended; null while it is under way.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    /// Chips that are there.
    counted: Option<u64>,
    /// Chips that should be there, and are not.
    missing: Option<u64>,
    /// Chips that are there, and should not be.
    extra: Option<u64>,
    /// The case that a difference opened.
    case_id: Option<CaseId>,
}

impl StockCountView {
    fn new(count: &StockCount, case_id: Option<CaseId>) -> Self {
        let finished = count.finished.as_ref();
        Self {
            id: count.id,
            station_id: count.station,
            begun_at: count.begun.at,
            finished_at: finished.map(|finished| finished.by.at),
            counted: finished.map(|finished| finished.counted),
            missing: finished.map(|finished| finished.missing),
            extra: finished.map(|finished| finished.extra),
            case_id,
        }
    }
}

/// Begins the count of what a station or the store room of the officer's office holds, bound to this moment. What the
/// ledger says is not told, so that what is there is counted.
#[utoipa::path(post, path = "/api/v1/stock/counts", tag = "production", request_body = CountWanted,
    responses((status = 200, body = StockCountView)))]
async fn begin_count(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<CountWanted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        counts::begin(deed, body.station_id).await.map(|count| StockCountView::new(&count, None))
    })
    .await
}

/// Ends a count, or notes a part of it (`more`). A difference opens a case or joins the open one; where a chip moved
/// since the count began, it is begun again.
#[utoipa::path(post, path = "/api/v1/stock/counts/{id}/result", tag = "production", request_body = CountedPart,
    responses((status = 200, body = StockCountView)))]
async fn finish_count(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CountId>,
    Write { stamp, body }: Write<CountedPart>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        if body.more {
            let count = counts::add(deed, id, &body.serials).await?;
            return Ok(StockCountView::new(&count, None));
        }
        let (count, case) = counts::finish(deed, id, &body.serials).await?;
        Ok::<_, ProductionError>(StockCountView::new(&count, case))
    })
    .await
}
