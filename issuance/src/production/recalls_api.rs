//! Recalls of chips, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ProductionError;
use super::model::{ChipState, ChipStateName};
use super::recalls::{self, RecallKind, Wanted};
use super::store::recalls::{self as store, Recall};
use crate::ground::ids::{CardId, OfficerId, RecallId, StationId};
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::Record;
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    let keeps_stock = Right::Officer(Permission::Stock);
    Routes::new()
        .add(keeps_stock, routes!(propose_recall))
        .add(Right::Officer(Permission::ReadStock), routes!(list_recalls))
        .add(keeps_stock, routes!(confirm_recall))
        .add(Right::Officer(Permission::ReadStock), routes!(recalled_chips))
}

/// Chips that are to become no card any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecallWanted {
    /// By what they are recalled.
    kind: RecallKind,
    /// The manufacturer's batch, the firmware, or the identifier of the delivery.
    #[schema(value_type = String, max_length = 100)]
    value: SomeWords<100>,
    /// Only those of this manufacturer.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    manufacturer: Option<SomeWords<100>>,
    /// What is wrong with the chips, in the officer's words.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// A recall.
#[derive(Debug, Serialize, ToSchema)]
struct RecallView {
    /// Identifier.
    id: RecallId,
    /// By what chips are recalled.
    kind: RecallKind,
    /// The manufacturer's batch, the firmware, or the identifier of the delivery.
    value: String,
    /// Only those of this manufacturer.
    manufacturer: Option<String>,
    /// What is wrong with the chips, in the officer's words.
    reason: String,
    /// `proposed`, `in-force`, or `lapsed` after a week without a second officer.
    state: &'static str,
    /// The first officer.
    proposed_by: OfficerId,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// The second officer.
    confirmed_by: Option<OfficerId>,
    /// The moment from which on it is in force.
    #[serde(with = "time::serde::rfc3339::option")]
    confirmed_at: Option<OffsetDateTime>,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

impl RecallView {
    fn new(recall: Recall, now: OffsetDateTime, tampered: bool) -> Self {
        Self {
            state: recall.state(now),
            id: recall.id,
            kind: recall.kind,
            value: recall.value,
            manufacturer: recall.manufacturer,
            reason: recall.reason,
            proposed_by: recall.proposed.by,
            proposed_at: recall.proposed.at,
            confirmed_by: recall.confirmed.as_ref().map(|confirmed| confirmed.by),
            confirmed_at: recall.confirmed.as_ref().map(|confirmed| confirmed.at),
            tampered,
        }
    }
}

/// Proposes a recall of chips, for the national office: it is in force once another officer confirms it.
#[utoipa::path(post, path = "/api/v1/stock/recalls", tag = "production", request_body = RecallWanted,
    responses((status = 200, body = RecallView)))]
async fn propose_recall(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<RecallWanted>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let manufacturer = body.manufacturer.as_ref().map(SomeWords::as_str);
        let (value, reason) = (body.value.as_str(), body.reason.as_str());
        let now = deed.at();
        let made = recalls::propose(deed, Wanted { kind: body.kind, value, manufacturer, reason }).await;
        made.map(|made| RecallView::new(made, now, false))
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllRecalls {}

/// The recalls, for every office.
#[utoipa::path(get, path = "/api/v1/stock/recalls", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<RecallView>)))]
async fn list_recalls(
    State(desk): State<Desk>,
    _: Officer,
    listing: Listing<AllRecalls, RecallId>,
) -> Looked<Page<RecallView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let now = desk.deeds().source().now();
    let rows = store::listed(&mut tx, listing.after.unwrap_or(Id::nil()), listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let recall = store::read(row)?;
        Ok((recall.id, RecallView::new(recall, now, !holds)))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// Confirms a recall that another officer of the national office proposed in the last week: from now on no order is
/// given for its chips.
#[utoipa::path(post, path = "/api/v1/stock/recalls/{id}/confirmation", tag = "production", request_body = Nothing,
    responses((status = 200, body = RecallView)))]
async fn confirm_recall(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<RecallId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (now, done) = (deed.at(), recalls::confirm(deed, id).await);
        done.map(|done| RecallView::new(done, now, false))
    })
    .await
}

/// A chip that a recall concerns.
#[derive(Debug, Serialize, ToSchema)]
struct RecalledChip {
    /// Its serial.
    #[schema(pattern = "^[0-9A-F]{20}$")]
    serial: String,
    /// What it is.
    #[schema(value_type = ChipStateName)]
    state: String,
    /// The office that has it, or gave it out.
    #[schema(value_type = OfficeCode)]
    office: String,
    /// The station that holds or held it.
    station_id: Option<StationId>,
    /// The card that it is.
    card_id: Option<CardId>,
}

/// The chips that a recall concerns, by serial: also those that are cards, with the card. For the national office.
#[utoipa::path(get, path = "/api/v1/stock/recalls/{id}/chips", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<RecalledChip>)))]
async fn recalled_chips(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<RecallId>,
    listing: Listing<AllRecalls, String>,
) -> Looked<Page<RecalledChip>> {
    officer.may_act_for(&OfficeCode::national())?;
    let mut tx = desk.deeds().db().begin_read().await?;
    let recall = store::locked(&mut tx, id).await?.ok_or(ProductionError::ProposalUnknown)?;
    let most = listing.most();
    let rows = store::chips(&mut tx, &recall, &listing.after.unwrap_or_default(), most).await?;
    let item = |(row, holds): &(Record, bool)| {
        let serial: CardSerial = row.parsed("id")?;
        let state: Option<ChipState> = if *holds { row.json("state_data").ok() } else { None };
        let card_id = match state {
            Some(ChipState::Personalized { card, .. }) => Some(card),
            _ => None,
        };
        let item = RecalledChip {
            serial: serial.to_string(),
            state: row.get("state")?,
            office: row.get("office")?,
            station_id: Id::of_optional(row, "custody")?,
            card_id,
        };
        Ok((serial.to_string(), item))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}
