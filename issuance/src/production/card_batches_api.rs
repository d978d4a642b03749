//! Batches of cards, over HTTP: for officers and for stations.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use crypto::perso::protocol::{BatchProgress, Lease, OpenBatches};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::card_batches::{self, CardBatch, CardBatchState, GivenLease, Progress, Wanted};
use super::store::card_batches as store;
use super::{ProductionError, wire};
use crate::applications::store::items;
use crate::ground::ids::{ApplicationId, BatchItemId, CardBatchId, OfficerId, StationId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer, Permission, Source, Station, moment};
use crate::store::{Record, StoreError, Tx};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let (keeps_stock, reads_stock) = (Right::Officer(Permission::Stock), Right::Officer(Permission::ReadStock));
    Routes::new()
        .add(keeps_stock, routes!(draft_card_batch))
        .add(reads_stock, routes!(list_card_batches))
        .add(reads_stock, routes!(read_card_batch))
        .add(reads_stock, routes!(list_batch_items))
        .add(keeps_stock, routes!(release_card_batch))
        .add(keeps_stock, routes!(pause_card_batch))
        .add(keeps_stock, routes!(resume_card_batch))
        .add(keeps_stock, routes!(cancel_card_batch))
        .add(keeps_stock, routes!(close_card_batch))
        .add(Right::Station, routes!(open_batches))
        .add(Right::Station, routes!(station_batch))
}

/// A batch of cards that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CardBatchWanted {
    /// The higher, the more urgent.
    #[serde(default)]
    priority: u8,
    /// It takes applications that were approved until then; without it, until now.
    #[serde(default, deserialize_with = "moment::option::deserialize")]
    cut_off: Option<OffsetDateTime>,
    /// It takes at most so many: 1 to 1,000.
    #[schema(minimum = 1, maximum = 1000)]
    most: u32,
}

/// A batch of cards.
#[derive(Debug, Serialize, ToSchema)]
struct CardBatchView {
    /// Identifier.
    id: CardBatchId,
    /// The office whose stations work on it.
    office: OfficeCode,
    /// The higher, the more urgent.
    priority: u8,
    /// It takes applications that were approved until then.
    #[serde(with = "time::serde::rfc3339")]
    cut_off: OffsetDateTime,
    /// It takes at most so many.
    most: u32,
    /// How far it is.
    state: CardBatchState,
    /// True once a chip was bound to an application of it.
    begun: bool,
    /// The officer who drafted it.
    drafted_by: OfficerId,
    /// When it was drafted.
    #[serde(with = "time::serde::rfc3339")]
    drafted_at: OffsetDateTime,
    /// The other officer, who released it.
    released_by: Option<OfficerId>,
    /// When it was released.
    #[serde(with = "time::serde::rfc3339::option")]
    released_at: Option<OffsetDateTime>,
    /// Why it was paused or cancelled last.
    reason: Option<String>,
    /// So many applications it took.
    items: Option<u64>,
    /// Applications that wait for a chip.
    waiting: u64,
    /// Those of them of whose cards everything is made that needs no chip.
    ready: u64,
    /// Applications that are bound to a chip.
    leased: u64,
    /// Cards.
    done: u64,
    /// Applications that become no card of this batch.
    left: u64,
    /// Chips that were used up and are no card.
    spoiled: u64,
    /// Cards per minute, over the last minutes.
    per_minute: f64,
    /// Seconds until all are cards, at that rate; null without a rate.
    seconds_left: Option<u64>,
    /// The officer who closed it.
    closed_by: Option<OfficerId>,
    /// When it was closed.
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl CardBatchView {
    fn new(batch: CardBatch, progress: &Progress, tampered: bool) -> Self {
        let (released, closed) = (batch.released.as_ref(), batch.closed.as_ref());
        let counts = &progress.counts;
        // What was counted at the end stays, whatever becomes of the applications.
        let (done, left, spoiled) = match closed {
            Some(closed) => (closed.good, closed.left, closed.spoiled),
            None => (counts.done, counts.left, counts.spoiled()),
        };
        Self {
            begun: progress.begun,
            waiting: counts.waiting,
            ready: 0,
            leased: counts.leased,
            done,
            left,
            spoiled,
            per_minute: progress.per_minute(),
            seconds_left: progress.seconds_left(),
            drafted_by: batch.drafted.by,
            drafted_at: batch.drafted.at,
            released_by: released.map(|decision| decision.by),
            released_at: released.map(|decision| decision.at),
            closed_by: closed.map(|closed| closed.by.by),
            closed_at: closed.map(|closed| closed.by.at),
            id: batch.id,
            office: batch.office,
            priority: batch.priority,
            cut_off: batch.cut_off,
            most: batch.most,
            state: batch.state,
            reason: batch.reason,
            items: batch.items,
            tampered,
        }
    }
}

async fn shown(
    tx: &mut Tx,
    batch: CardBatch,
    (now, today): (OffsetDateTime, Date),
    tampered: bool,
) -> Result<CardBatchView, StoreError> {
    let progress = card_batches::progress(tx, batch.id, now).await?;
    let ready = card_batches::ready(tx, batch.id, today).await?;
    Ok(CardBatchView { ready, ..CardBatchView::new(batch, &progress, tampered) })
}

/// Returns the moment and the civil day.
fn moment(source: &Source) -> (OffsetDateTime, Date) {
    (source.now(), source.clock().today())
}

/// Drafts a batch of cards of the officer's office. It holds no application before another officer releases it.
#[utoipa::path(post, path = "/api/v1/batches", tag = "production", request_body = CardBatchWanted,
    responses((status = 200, body = CardBatchView)))]
async fn draft_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<CardBatchWanted>,
) -> Answered {
    let CardBatchWanted { priority, cut_off, most } = body;
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::draft(deed, Wanted { priority, cut_off, most }).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllCardBatches {}

/// The batches of cards of the officer's office; for the national office, of all.
#[utoipa::path(get, path = "/api/v1/batches", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<CardBatchView>)))]
async fn list_card_batches(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllCardBatches, CardBatchId>,
) -> Looked<Page<CardBatchView>> {
    let now = moment(desk.deeds().source());
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let mut items = Vec::new();
    for (row, holds) in store::listed(&mut tx, &officer.office, after, listing.most()).await? {
        let batch = store::read(&row)?;
        items.push((batch.id, shown(&mut tx, batch, now, !holds).await?));
    }
    Ok(Json(Page::of(items, listing.limit)))
}

/// A batch of cards, with how far it is and how fast it goes.
#[utoipa::path(get, path = "/api/v1/batches/{id}", tag = "production", responses((status = 200, body = CardBatchView)))]
async fn read_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
) -> Looked<CardBatchView> {
    let now = moment(desk.deeds().source());
    let mut tx = desk.deeds().db().begin_read().await?;
    let batch = of_office(&mut tx, &officer, id).await?;
    Ok(Json(shown(&mut tx, batch, now, false).await?))
}

async fn of_office(tx: &mut Tx, officer: &Officer, id: CardBatchId) -> Result<CardBatch, ProductionError> {
    let batch = store::batch(tx, id).await?.ok_or(ProductionError::CardBatchUnknown)?;
    officer.may_act_for(&batch.office)?;
    Ok(batch)
}

/// An application in a batch of cards.
#[derive(Debug, Serialize, ToSchema)]
struct BatchItemView {
    /// Identifier.
    id: BatchItemId,
    /// Its place: in this order they are taken.
    place: u64,
    /// The application.
    application_id: ApplicationId,
    /// The stage of the application now.
    stage: String,
    /// The chip to which it was bound last.
    #[schema(value_type = Option<String>)]
    serial: Option<CardSerial>,
    /// The station that has it, or had it last.
    station_id: Option<StationId>,
    /// Grows by one with every lease.
    fence: u64,
    /// Until when it is that station's.
    #[serde(with = "time::serde::rfc3339::option")]
    lease_until: Option<OffsetDateTime>,
    /// So many chips were bound to it.
    chips: u64,
    /// `done` or `left` once it is no longer in the batch.
    outcome: Option<String>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// The applications of a batch of cards, in the order in which they are taken.
#[utoipa::path(get, path = "/api/v1/batches/{id}/items", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<BatchItemView>)))]
async fn list_batch_items(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    listing: Listing<AllCardBatches, u64>,
) -> Looked<Page<BatchItemView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let batch = of_office(&mut tx, &officer, id).await?;
    let rows = items::listed(&mut tx, batch.id, listing.after.unwrap_or(0), listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let item = items::read(row)?;
        let (serial, station) = item.lease.as_ref().map(|lease| (lease.serial, lease.station)).unzip();
        let view = BatchItemView {
            id: item.id,
            place: item.place,
            application_id: item.application,
            stage: row.get("stage")?,
            serial,
            station_id: station,
            fence: item.fence,
            lease_until: item.lease.map(|lease| lease.until),
            chips: item.chips,
            outcome: item.outcome.map(|outcome| outcome.word().to_owned()),
            tampered: !holds,
        };
        Ok((view.place, view))
    };
    let items = rows.iter().map(item).collect::<Result<_, StoreError>>()?;
    Ok(Json(Page::of(items, listing.limit)))
}

/// Releases a batch of cards that another officer drafted: what was approved until its cut-off is bound from it alone.
#[utoipa::path(post, path = "/api/v1/batches/{id}/release", tag = "production", request_body = Nothing,
    responses((status = 200, body = CardBatchView)))]
async fn release_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::release(deed, id).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// Why a batch of cards is paused or cancelled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchReason {
    /// In the officer's words, at most 400 characters.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Pauses a batch of cards: no other chip gets an application of it, what is begun is finished.
#[utoipa::path(post, path = "/api/v1/batches/{id}/pause", tag = "production", request_body = BatchReason,
    responses((status = 200, body = CardBatchView)))]
async fn pause_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    Write { stamp, body }: Write<BatchReason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::pause(deed, id, body.reason.as_str()).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// Lets a paused batch of cards go on.
#[utoipa::path(post, path = "/api/v1/batches/{id}/resumption", tag = "production", request_body = Nothing,
    responses((status = 200, body = CardBatchView)))]
async fn resume_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::resume(deed, id).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// Takes what is not begun out of a batch of cards: it waits in the queue again. A draft is closed.
#[utoipa::path(post, path = "/api/v1/batches/{id}/cancellation", tag = "production", request_body = BatchReason,
    responses((status = 200, body = CardBatchView)))]
async fn cancel_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    Write { stamp, body }: Write<BatchReason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::cancel(deed, id, body.reason.as_str()).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// Closes a batch of cards: only when each of its applications is a card or has left it.
#[utoipa::path(post, path = "/api/v1/batches/{id}/closing", tag = "production", request_body = Nothing,
    responses((status = 200, body = CardBatchView)))]
async fn close_card_batch(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardBatchId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let batch = card_batches::close(deed, id).await?;
        let at = (deed.at(), deed.today());
        Ok::<_, ProductionError>(shown(deed.tx(), batch, at, false).await?)
    })
    .await
}

/// The batches of cards that the station's office works on, the most urgent first.
#[utoipa::path(get, path = "/api/v1/station/batches", tag = "production",
    responses((status = 200, body = wire::OpenBatches)))]
async fn open_batches(State(desk): State<Desk>, station: Station) -> Looked<OpenBatches> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let mut batches = Vec::new();
    for batch in store::working(&mut tx, &station.office).await? {
        batches.push(told(&batch, &card_batches::progress(&mut tx, batch.id, now).await?));
    }
    Ok(Json(OpenBatches { batches }))
}

/// How far a batch of cards is, for a station of its office.
#[utoipa::path(get, path = "/api/v1/station/batches/{id}", tag = "production",
    responses((status = 200, body = wire::BatchProgress)))]
async fn station_batch(
    State(desk): State<Desk>,
    station: Station,
    Named(id): Named<CardBatchId>,
) -> Looked<BatchProgress> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let of_office = |batch: &CardBatch| batch.office == station.office && batch.state != CardBatchState::Drafted;
    let batch = store::batch(&mut tx, id).await?.filter(of_office).ok_or(ProductionError::CardBatchUnknown)?;
    Ok(Json(told(&batch, &card_batches::progress(&mut tx, id, now).await?)))
}

fn told(batch: &CardBatch, progress: &Progress) -> BatchProgress {
    let counts = &progress.counts;
    BatchProgress {
        id: batch.id.to_string(),
        state: progress.word(batch.state).to_owned(),
        priority: batch.priority,
        waiting: counts.waiting,
        leased: counts.leased,
        done: counts.done,
        left: counts.left,
        spoiled: counts.spoiled(),
        per_minute: progress.per_minute(),
        seconds_left: progress.seconds_left(),
    }
}

/// A lease, as it is sent.
pub(super) fn lease(lease: GivenLease) -> Lease {
    let GivenLease { batch, item, fence, until } = lease;
    let until = until.format(&Rfc3339).unwrap_or_default();
    Lease { batch: batch.to_string(), item: item.to_string(), fence, until }
}
