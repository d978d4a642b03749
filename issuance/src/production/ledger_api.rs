//! The accounts of the stock and the way of a chip through them, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ledger::{LedgerAccount, Movement, Place};
use super::model::ChipStateName;
use super::store::ledger as store;
use super::{ProductionError, steps};
use crate::ground::ids::{DeliveryId, EntryId, PostingId};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Desk, Listing, Looked, Named, Page, PageAsked, Right, Routes};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadStock), routes!(balances))
        .add(Right::Officer(Permission::ReadStock), routes!(postings))
}

/// What the accounts of the stock hold.
#[derive(Debug, Serialize, ToSchema)]
struct StockBalances {
    /// The sum of all accounts of all offices: zero.
    sum: i64,
    /// The accounts of the officer's office that are not empty; for the national office, of all, with the supplier.
    accounts: Vec<StockAccount>,
    /// Where accounts and chips do not agree, in sentences; for the national office.
    complaints: Vec<String>,
}

/// What an account holds.
#[derive(Debug, Serialize, ToSchema)]
struct StockAccount {
    /// Its name, as postings have it.
    account: String,
    /// The kind of account.
    place: Place,
    /// The office that answers for it.
    office: Option<OfficeCode>,
    /// The station, or the box.
    holder: Option<uuid::Uuid>,
    /// What the chips are.
    state: Option<ChipStateName>,
    /// How many; of the supplier below zero.
    chips: i64,
}

impl From<(LedgerAccount, i64)> for StockAccount {
    fn from((account, chips): (LedgerAccount, i64)) -> Self {
        let name = account.to_string();
        let LedgerAccount { place, office, holder, state } = account;
        Self { account: name, place, office, holder, state, chips }
    }
}

/// What the accounts of the stock hold: store rooms, couriers, offices, stations, cards, and what is spoiled, destroyed
/// or lost.
#[utoipa::path(get, path = "/api/v1/stock/balances", tag = "production",
    responses((status = 200, body = StockBalances)))]
async fn balances(State(desk): State<Desk>, officer: Officer) -> Looked<StockBalances> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let balances = store::balances(&mut tx).await?;
    let national = officer.office == OfficeCode::national();
    let complaints = if national { balances.complaints() } else { Vec::new() };
    let seen = balances
        .accounts
        .into_iter()
        .filter(|(account, _)| national || account.office.as_ref() == Some(&officer.office));
    Ok(Json(StockBalances { sum: balances.sum, accounts: seen.map(StockAccount::from).collect(), complaints }))
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllPostings {}

/// A movement of a chip from one account to another.
#[derive(Debug, Serialize, ToSchema)]
struct PostingItem {
    /// Identifier.
    id: PostingId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// What it was.
    #[schema(value_type = Movement)]
    what: String,
    /// The account that the chip left.
    from: String,
    /// The account that it is on since.
    to: String,
    /// The delivery that it belonged to.
    delivery_id: Option<DeliveryId>,
    /// The record of the audit trail that says who did it.
    entry_id: Option<EntryId>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// The way of a chip of the officer's office through the accounts, in the order in which it was written. It begins with
/// the posting of the delivery, which is one of all its blanks, or with the opening of what was
/// there before the ledger.
#[utoipa::path(get, path = "/api/v1/stock/{serial}/postings", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<PostingItem>)))]
async fn postings(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
    listing: Listing<AllPostings, PostingId>,
) -> Looked<Page<PostingItem>> {
    let serial: CardSerial = serial.parse().map_err(|_| ProductionError::ChipUnknown)?;
    let mut tx = desk.deeds().db().begin_read().await?;
    let chip = steps::read(&mut tx, &officer, &serial).await?;
    let rows = store::of_chip(&mut tx, &chip, listing.after.unwrap_or(Id::nil()), listing.most()).await?;
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

fn item((row, holds): &(Record, bool)) -> Result<(PostingId, PostingItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = PostingItem {
        id,
        at: row.get("at")?,
        what: row.get("what")?,
        from: row.get("from_account")?,
        to: row.get("to_account")?,
        delivery_id: Id::of_optional(row, "delivery_id")?,
        entry_id: Id::of_optional(row, "entry_id")?,
        tampered: !holds,
    };
    Ok((id, item))
}
