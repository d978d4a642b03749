//! The stock, the orders that are unfinished and the queue of a station, listed.

use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::{ChipInCustody, Custody};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::model::{ChipState, ChipStateName};
use super::store::lists::{self as store, Wanted};
use super::wire;
use crate::applications;
use crate::applications::model::Slip;
use crate::ground::ids::{ApplicationId, DeliveryId, StationId};
use crate::ground::{Id, OfficeCode, Officer, Permission, Station};
use crate::store::{Record, StoreError};
use crate::web::{Desk, Listing, Looked, Page, PageAsked, Problem, Right, Routes};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadStock), routes!(stock))
        .add(Right::Officer(Permission::ReadStock), routes!(orders))
        .add(Right::Station, routes!(queue))
        .add(Right::Station, routes!(custody))
}

/// Which chips.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StockAsked {
    /// The office that has them; another one than the officer's own is for the national office. With `station_id` or
    /// `delivery_id` the national office need not name one.
    office: Option<OfficeCode>,
    /// In this state only.
    state: Option<ChipStateName>,
    /// In the custody of this station.
    #[param(value_type = Option<StationId>)]
    station_id: Option<StationId>,
    /// Of this delivery.
    #[param(value_type = Option<DeliveryId>)]
    delivery_id: Option<DeliveryId>,
}

/// A chip in a list.
#[derive(Debug, Serialize, ToSchema)]
struct ChipItem {
    /// Its serial.
    #[schema(pattern = "^[0-9A-F]{20}$")]
    serial: String,
    /// What it is.
    #[schema(value_type = ChipStateName)]
    state: String,
    /// The delivery that it came with.
    delivery_id: DeliveryId,
    /// The office that has it.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// The station that holds it.
    station_id: Option<StationId>,
    /// The application that it is or was bound to.
    application_id: Option<ApplicationId>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// Chips of the ledger, by serial: of the officer's office, in a state, in the custody of a station, or of a delivery.
#[utoipa::path(get, path = "/api/v1/stock", tag = "production", params(PageAsked, StockAsked),
    responses((status = 200, body = Page<ChipItem>)))]
async fn stock(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<StockAsked, String>,
) -> Looked<Page<ChipItem>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter: StockAsked { office, state, station_id, delivery_id }, after, .. } = listing;
    let own = office.clone().unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&own)?;
    if station_id.is_some() && delivery_id.is_some() {
        return Err(Problem::new(ProblemCode::QueryMalformed).detail("either `station_id` or `delivery_id`"));
    }
    // Of one station or one delivery there are few: what the national office need not name is every office.
    let seen = if office.is_none() { &officer.office } else { &own };
    let any = state.map_or("", ChipStateName::word);
    let wanted = match (station_id, delivery_id, state) {
        (Some(station), ..) => Wanted::Custody(station, seen, any),
        (None, Some(delivery), _) => Wanted::Delivery(delivery, seen, any),
        (None, None, Some(state)) => Wanted::State(&own, state.word()),
        (None, None, None) => Wanted::Office(&own),
    };
    let mut tx = desk.deeds().db().begin_read().await?;
    let rows = store::chips(&mut tx, wanted, &after.unwrap_or_default(), most).await?;
    Ok(Json(Page::judged(&rows, limit, chip)?))
}

fn chip((row, holds): &(Record, bool)) -> Result<(String, ChipItem), StoreError> {
    let serial: String = row.get("id")?;
    // What was changed by another hand may have no meaning, and is shown all the same.
    let state: Option<ChipState> = if *holds { Some(row.json("state_data")?) } else { row.json("state_data").ok() };
    let item = ChipItem {
        serial: serial.clone(),
        state: row.get("state")?,
        delivery_id: Id::of(row, "delivery_id")?,
        office: row.get("office")?,
        station_id: Id::of_optional(row, "custody")?,
        application_id: state.and_then(|state| state.application()),
        tampered: !holds,
    };
    Ok((serial, item))
}

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OrdersAsked {
    /// The office; another one than the officer's own is for the national office.
    office: Option<OfficeCode>,
}

/// A chip that is bound to an application and no card yet.
#[derive(Debug, Serialize, ToSchema)]
struct UnfinishedItem {
    /// The chip.
    #[schema(value_type = String, pattern = "^[0-9A-F]{20}$")]
    serial: CardSerial,
    /// The application that it is bound to.
    application_id: Option<ApplicationId>,
    /// The station that holds it.
    station_id: Option<StationId>,
    /// Orders that were made for it, from its intake on.
    orders: u64,
    /// The moment of the first order.
    #[serde(with = "time::serde::rfc3339::option")]
    first_at: Option<OffsetDateTime>,
    /// The moment of the last order.
    #[serde(with = "time::serde::rfc3339::option")]
    last_at: Option<OffsetDateTime>,
}

/// What is unfinished: the chips of an office that are being written and have not proved to be a card, by serial.
#[utoipa::path(get, path = "/api/v1/orders/unfinished", tag = "production", params(PageAsked, OrdersAsked),
    responses((status = 200, body = Page<UnfinishedItem>)))]
async fn orders(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<OrdersAsked, String>,
) -> Looked<Page<UnfinishedItem>> {
    let most = listing.most();
    let office = listing.filter.office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office)?;
    let mut tx = desk.deeds().db().begin_read().await?;
    let rows = store::unfinished(&mut tx, &office, &listing.after.unwrap_or_default(), most).await?;
    let item = |row: &Record| {
        let serial: CardSerial = row.parsed("id")?;
        let item = UnfinishedItem {
            serial,
            application_id: Id::of_optional(row, "application_id")?,
            station_id: Id::of_optional(row, "custody")?,
            orders: row.number("orders")?,
            first_at: row.get("first_at")?,
            last_at: row.get("last_at")?,
        };
        Ok((serial.to_string(), item))
    };
    let items = rows.iter().map(item).collect::<Result<_, StoreError>>()?;
    Ok(Json(Page::of(items, listing.limit)))
}

/// Where a page of the queue ends: the moment of the approval in microseconds since 1970, and the application.
#[derive(Clone, Copy, Debug)]
struct Place(OffsetDateTime, ApplicationId);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.unix_timestamp_nanos() / 1_000, self.1)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('/').ok_or(())?;
        let microseconds: i64 = at.parse().map_err(|_| ())?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000).map_err(|_| ())?;
        Ok(Self(at, id.parse().map_err(|_| ())?))
    }
}

/// The queue has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeQueue {}

/// The applications that wait for a chip at the station's office.
#[derive(Debug, Serialize, ToSchema)]
struct QueueView {
    /// How many wait.
    waiting: u64,
    /// Those of this page, in the order in which they are taken.
    items: Vec<QueueItem>,
    /// The next page is asked for with this text as `after`; null where the queue ends.
    next: Option<String>,
}

/// An application that waits for a chip. The station learns no more of it.
#[derive(Debug, Serialize, ToSchema)]
struct QueueItem {
    /// Its slip: an order can be asked for by it.
    slip: Slip,
    /// Since when it waits.
    #[serde(with = "time::serde::rfc3339")]
    approved_at: OffsetDateTime,
}

/// What waits for a chip at the station's office: how many, and which slips.
#[utoipa::path(get, path = "/api/v1/production/queue", tag = "production", params(PageAsked),
    responses((status = 200, body = QueueView)))]
async fn queue(State(desk): State<Desk>, station: Station, listing: Listing<WholeQueue, Place>) -> Looked<QueueView> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let waiting = applications::store::lists::waiting(&mut tx, &station.office).await?;
    let Place(at, id) = listing.after.unwrap_or(Place(OffsetDateTime::UNIX_EPOCH, Id::nil()));
    let rows = applications::store::lists::queue(&mut tx, &station.office, (at, id), listing.most()).await?;
    let item = |row: &Record| {
        let (id, approved_at) = (Id::of(row, "id")?, row.get("approved_at")?);
        Ok((Place(approved_at, id), QueueItem { slip: Slip(row.get("slip")?), approved_at }))
    };
    let Page { items, next, .. } = Page::of(rows.iter().map(item).collect::<Result<_, StoreError>>()?, listing.limit);
    Ok(Json(QueueView { waiting, items, next }))
}

/// Which chips of the station.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CustodyAsked {
    /// The chip with this serial number, of whatever state. Without it the blanks and the stock.
    #[param(value_type = Option<String>, pattern = "^[0-9A-F]{20}$")]
    serial: Option<CardSerial>,
}

/// What is in the station's custody: how many blanks, and which. A chip of another custody is not told.
#[utoipa::path(get, path = "/api/v1/station/custody", tag = "production", params(PageAsked, CustodyAsked),
    responses((status = 200, body = wire::StationCustody)))]
async fn custody(
    State(desk): State<Desk>,
    station: Station,
    listing: Listing<CustodyAsked, String>,
) -> Looked<Custody> {
    let most = listing.most();
    let mut tx = desk.deeds().db().begin_read().await?;
    let rows = match listing.filter.serial {
        Some(serial) => store::held_chip(&mut tx, station.id, &serial).await?.into_iter().collect(),
        None => store::blanks(&mut tx, station.id, &listing.after.unwrap_or_default(), most).await?,
    };
    let item = |(row, holds): &(Record, bool)| {
        let serial: CardSerial = row.parsed("id")?;
        let state = if *holds { row.get("state")? } else { "tampered".to_owned() };
        Ok((serial.to_string(), ChipInCustody { serial, state }))
    };
    let Page { items, next, .. } = Page::judged(&rows, listing.limit, item)?;
    let mut custody = Custody { delivered: 0, initialised: 0, bound: 0, items, next };
    for row in store::blanks_by_state(&mut tx, station.id).await? {
        let chips = row.number("chips")?;
        match row.get::<String>("state")?.as_str() {
            "delivered" => custody.delivered = chips,
            "initialised" => custody.initialised = chips,
            _ => custody.bound = chips,
        }
    }
    Ok(Json(custody))
}
