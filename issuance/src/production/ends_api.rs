//! Destruction, loss and finding of chips, over HTTP.

use axum::Json;
use axum::extract::{FromRef, State};
use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::{ChipView, known};
use super::ends::{self, Wanted};
use super::store::ends::{self as store, Destruction};
use crate::ground::ids::{DestructionId, OfficerId};
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
        .add(keeps_stock, routes!(propose_destruction))
        .add(Right::Officer(Permission::ReadStock), routes!(list_destructions))
        .add(Right::SignedIn, routes!(read_destruction))
        .add(Right::SignedIn, routes!(confirm_destruction))
        .add(keeps_stock, routes!(report_lost))
        .add(keeps_stock, routes!(find_chip))
}

/// Spoiled chips that are to be destroyed together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DestructionWanted {
    /// Their serials, 20 hexadecimal digits each; at most 1,000, of one office.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// How: cut, shredded, burnt.
    #[schema(value_type = String)]
    method: SomeWords<MOST_OF_REASON>,
    /// Identifiers of the two officers who see it: in service of the chips' office, neither the caller nor one twice.
    witnesses: [OfficerId; 2],
}

/// A destruction.
#[derive(Debug, Serialize, ToSchema)]
struct DestructionView {
    /// Identifier.
    id: DestructionId,
    /// The office of the chips.
    office: OfficeCode,
    /// How they are destroyed.
    method: String,
    /// Their serials.
    #[schema(value_type = Vec<String>)]
    serials: Vec<CardSerial>,
    /// The witnesses.
    witnesses: Vec<WitnessView>,
    /// The officer who wants it.
    proposed_by: OfficerId,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// `waiting`, `done`, or `lapsed` after a week without both witnesses.
    state: &'static str,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// A witness of a destruction.
#[derive(Debug, Serialize, ToSchema)]
struct WitnessView {
    /// The officer.
    officer: OfficerId,
    /// The moment at which the officer confirmed it; null while it waits.
    #[serde(with = "time::serde::rfc3339::option")]
    confirmed_at: Option<OffsetDateTime>,
}

impl DestructionView {
    fn new(destruction: Destruction, now: OffsetDateTime, tampered: bool) -> Self {
        let state = destruction.state(now);
        let Destruction { id, office, method, serials, witnesses, proposed } = destruction;
        let witness = |(officer, confirmed_at)| WitnessView { officer, confirmed_at };
        Self {
            id,
            office,
            method,
            serials,
            witnesses: witnesses.into_iter().map(witness).collect(),
            proposed_by: proposed.by,
            proposed_at: proposed.at,
            state,
            tampered,
        }
    }
}

/// What became of a chip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhatHappened {
    /// In the officer's words.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Proposes that spoiled chips are destroyed: they are, once both witnesses confirmed it.
#[utoipa::path(post, path = "/api/v1/stock/destructions", tag = "production", request_body = DestructionWanted,
    responses((status = 200, body = DestructionView)))]
async fn propose_destruction(
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<DestructionWanted>,
) -> Answered {
    let DestructionWanted { serials, method, witnesses } = body;
    desk.write(officer, stamp, async |deed| {
        let wanted = Wanted { serials: &serials, method: method.as_str(), witnesses };
        let (now, made) = (deed.at(), ends::propose_destruction(deed, wanted).await);
        made.map(|made| DestructionView::new(made, now, false))
    })
    .await
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllDestructions {}

/// The destructions of the officer's office; for the national office, of all.
#[utoipa::path(get, path = "/api/v1/stock/destructions", tag = "production", params(PageAsked),
    responses((status = 200, body = Page<DestructionView>)))]
async fn list_destructions(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<AllDestructions, DestructionId>,
) -> Looked<Page<DestructionView>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let now = desk.deeds().source().now();
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::listed(&mut tx, &officer.office, after, listing.most()).await?;
    let item = |(row, holds): &(Record, bool)| {
        let destruction = store::read(row)?;
        Ok((destruction.id, DestructionView::new(destruction, now, !holds)))
    };
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// What a destruction says, for a witness whom it names, whatever the roles, and nothing else of the stock.
#[utoipa::path(get, path = "/api/v1/stock/destructions/{id}", tag = "production", params(("id" = String, Path)),
    responses((status = 200, body = DestructionView)))]
async fn read_destruction(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<DestructionId>,
) -> Looked<DestructionView> {
    let (mut tx, now) = (desk.deeds().db().begin_read().await?, desk.deeds().source().now());
    let found = ends::read_destruction(&mut tx, &officer, id, now).await?;
    Ok(Json(DestructionView::new(found, now, false)))
}

/// A witness whom a destruction names confirms it; with the second one the chips are destroyed. For that officer,
/// whatever the roles, for a week.
#[utoipa::path(post, path = "/api/v1/stock/destructions/{id}/confirmation", tag = "production",
    request_body = Nothing, responses((status = 200, body = DestructionView)))]
async fn confirm_destruction(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<DestructionId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (now, done) = (deed.at(), ends::confirm_destruction(deed, id).await);
        done.map(|done| DestructionView::new(done, now, false))
    })
    .await
}

/// Reports that a chip is not where it should be: at once it can become no card, its card is revoked if it was one that
/// was not handed over, and a case waits for two officers.
#[utoipa::path(post, path = "/api/v1/stock/{serial}/loss", tag = "production", request_body = WhatHappened,
    responses((status = 200, body = ChipView)))]
async fn report_lost(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
    Write { stamp, body }: Write<WhatHappened>,
) -> Answered {
    let serial = known(&serial)?;
    desk.write(officer, stamp, async |deed| {
        ends::report_lost(deed, &serial, body.reason.as_str()).await.map(ChipView::from)
    })
    .await
}

/// A chip that was reported lost is there again, as this officer says: the answer names the case (`case_id`) that
/// another officer confirms. Then it is spoiled and waits for its destruction.
#[utoipa::path(post, path = "/api/v1/stock/{serial}/finding", tag = "production", request_body = WhatHappened,
    responses((status = 200, body = ChipView)))]
async fn find_chip(
    State(desk): State<Desk>,
    officer: Officer,
    Named(serial): Named<String>,
    Write { stamp, body }: Write<WhatHappened>,
) -> Answered {
    let serial = known(&serial)?;
    desk.write(officer, stamp, async |deed| {
        let found = ends::find(deed, &serial, body.reason.as_str()).await;
        found.map(|(chip, case)| ChipView::from(chip).about(case.id))
    })
    .await
}
