//! Batches of production, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::batches;
use super::store::batches::{self as store, Batch};
use crate::ground::ids::{OfficerId, ProductionBatchId, StationId};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::Record;
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(keeps_stock, routes!(open_batch))
        .add(Right::Officer(Permission::ReadStock), routes!(list_batches))
        .add(keeps_stock, routes!(close_batch))
}

/// Blanks that are put into a station's tray together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchWanted {
    /// The station, which holds them.
    station_id: StationId,
    /// Their serials, 20 hexadecimal digits each; at most 1,000.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
}

/// A batch of production.
#[derive(Debug, Serialize, ToSchema)]
struct ProductionBatchView {
    /// Identifier.
    id: ProductionBatchId,
    /// The station's office.
    office: OfficeCode,
    /// The station.
    station_id: StationId,
    /// What was put into the tray.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// The officer who opened it.
    opened_by: OfficerId,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// Cards; with the three others as many as were put in.
    good: Option<u64>,
    /// Chips that will never be a card.
    spoiled: Option<u64>,
    /// Blanks that were still there.
    held: Option<u64>,
    /// Chips that another station or office has since.
    moved: Option<u64>,
    /// The officer who closed it.
    closed_by: Option<OfficerId>,
    /// When it was closed; null while it is open.
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl ProductionBatchView {
    fn new(batch: Batch, tampered: bool) -> Self {
        let closed = batch.closed.as_ref();
        Self {
            good: closed.map(|closed| closed.good),
            spoiled: closed.map(|closed| closed.spoiled),
            held: closed.map(|closed| closed.held),
            moved: closed.map(|closed| closed.moved),
            closed_by: closed.map(|closed| closed.by.by),
            closed_at: closed.map(|closed| closed.by.at),
            id: batch.id,
            office: batch.office,
            station_id: batch.station,
            serials: batch.serials,
            opened_by: batch.opened.by,
            opened_at: batch.opened.at,
            tampered,
        }
    }
}

/// Opens a batch of blanks that a station of the officer's office holds.
#[utoipa::path(post, path = "/api/v1/stock/batches", tag = "production", request_body = BatchWanted,
    responses((status = 200, body = ProductionBatchView)))]
async fn open_batch(State(desk): State<Desk>, officer: Officer, Write { stamp, body }: Write<BatchWanted>) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let opened = batches::open(deed, body.station_id, &body.serials).await;
        opened.map(|batch| ProductionBatchView::new(batch, false))
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllBatches {}

/// The batches of the officer's office; for the national office, of all.
#[utoipa::path(get, path = "/api/v1/stock/batches", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<ProductionBatchView>)))]
async fn list_batches(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllBatches, ProductionBatchId>,
) -> Looked<Page<ProductionBatchView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::listed(&mut tx, &officer.office, after, listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let batch = store::read(row)?;
        Ok((batch.id, ProductionBatchView::new(batch, !holds)))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// The blanks of a batch that are still there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchEnd {
    /// Their serials, 20 hexadecimal digits each, as the officer holds them in hand.
    #[schema(value_type = Vec<String>)]
    held: Vec<CardSerial>,
}

/// Closes a batch: only when as many chips are cards, spoiled, still there and moved as were put in. Its station may be
/// revoked.
#[utoipa::path(post, path = "/api/v1/stock/batches/{id}/closing", tag = "production", request_body = BatchEnd,
    responses((status = 200, body = ProductionBatchView)))]
async fn close_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ProductionBatchId>,
    Write { stamp, body }: Write<BatchEnd>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        batches::close(deed, id, &body.held).await.map(|batch| ProductionBatchView::new(batch, false))
    })
    .await
}
