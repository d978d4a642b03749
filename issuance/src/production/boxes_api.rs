//! Boxes on their way and counts of stations, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::store::boxes::{self as store, StockBox};
use super::store::counts::StockCount;
use super::{ProductionError, boxes, counts};
use crate::ground::ids::{BoxId, CaseId, CountId, OfficerId, StationId};
use crate::ground::text::SomeWords;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(keeps_stock, routes!(send_box))
        .add(keeps_stock, routes!(send_parcel))
        .add(Right::Officer(Permission::ReadStock), routes!(list_boxes))
        .add(keeps_stock, routes!(receive_box))
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
    /// The officer who sent it.
    sent_by: OfficerId,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    sent_at: OffsetDateTime,
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
        let received = boxed.received.as_ref();
        Self {
            counted: received.map(|(_, counted)| *counted),
            received_by: received.map(|(decision, _)| decision.by),
            received_at: received.map(|(decision, _)| decision.at),
            id: boxed.id,
            from_office: boxed.from,
            to_office: boxed.to,
            serials: boxed.serials,
            seal: boxed.seal,
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
async fn send_box(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<BoxWanted>) -> Answered {
    let BoxWanted { to_office, serials } = body;
    desk.write(officer, stamp, async |deed| {
        boxes::send(deed, &serials, to_office.clone()).await.map(|sent| StockBoxView::new(sent, None, false))
    })
    .await
}

/// Puts finished cards of applications of another office into a sealed parcel for it: they are on the courier's account
/// until that office counted them, and can be handed over only then.
#[utoipa::path(post, path = "/api/v1/stock/parcels", tag = "production", request_body = ParcelWanted,
    responses((status = 200, body = StockBoxView)))]
async fn send_parcel(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<ParcelWanted>,
) -> Answered {
    let ParcelWanted { to_office, seal, serials } = body;
    desk.write(officer, stamp, async |deed| {
        let sent = boxes::ship(deed, &serials, to_office.clone(), seal.as_str()).await;
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
    let items = rows.iter().map(item).collect::<Result<_, StoreError>>()?;
    Ok(Json(Page::of(items, listing.limit)))
}

/// Chips that are there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Counted {
    /// Their serials, 20 hexadecimal digits each.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// The office that a box is for counts what is in it. A difference opens a case and stays on the courier's account.
#[utoipa::path(post, path = "/api/v1/stock/boxes/{id}/receipt", tag = "production", request_body = Counted,
    responses((status = 200, body = StockBoxView)))]
async fn receive_box(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<BoxId>,
    Write { stamp, body }: Write<Counted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (received, case) = boxes::receive(deed, id, &body.serials).await?;
        Ok::<_, ProductionError>(StockBoxView::new(received, case, false))
    })
    .await
}

/// The station whose chips are counted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CountWanted {
    /// Identifier.
    station_id: StationId,
}

/// A count of what a station holds.
#[derive(Debug, Serialize, ToSchema)]
struct StockCountView {
    /// Identifier.
    id: CountId,
    /// The station.
    station_id: StationId,
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

/// Begins the count of what a station of the officer's office holds, bound to this moment. What the ledger says is not
/// told, so that what is there is counted.
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

/// Ends a count. A difference opens a case; where a chip moved since the count began, it is begun again.
#[utoipa::path(post, path = "/api/v1/stock/counts/{id}/result", tag = "production", request_body = Counted,
    responses((status = 200, body = StockCountView)))]
async fn finish_count(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CountId>,
    Write { stamp, body }: Write<Counted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (count, case) = counts::finish(deed, id, &body.serials).await?;
        Ok::<_, ProductionError>(StockCountView::new(&count, case))
    })
    .await
}
