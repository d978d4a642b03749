//! Hand-over: the citizen brings the slip and takes the card; what the citizen had before is revoked
//! in the same transaction.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::fees::PayBefore;
use super::model::TransitionError;
use super::progress::move_to;
use super::{Counter, CounterError, claims, payments, steps, store};
use crate::cards::{self, CardError};
use crate::deed::{Action, Deed, Object, Purpose};
use crate::ground::ids::CardId;
use crate::ground::text::Words;
use crate::ground::{Officer, Permission};
use crate::store::StoreError;
use crate::web::{Answered, Desk, Named, Right, Routes, Write};

/// `Personalized → HandedOver`, and the card is active. Returns the ids of the cards that it replaced.
///
/// # Errors
/// [`HandOverError`]
pub async fn hand_over(deed: &mut Deed<Officer>, id: CardId, slip: &str) -> Result<Vec<CardId>, HandOverError> {
    hands_over(deed, None, id, slip).await
}

/// As [`hand_over`], where the house may ask that the fee is settled and the body of the card checked before.
///
/// # Errors
/// [`HandOverError`]; [`FeeRefusal::Unpaid`](super::payments::FeeRefusal::Unpaid) once the slip is the card's.
pub async fn hand_over_settled(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: CardId,
    slip: &str,
) -> Result<Vec<CardId>, HandOverError> {
    hands_over(deed, Some(counter), id, slip).await
}

async fn hands_over(
    deed: &mut Deed<Officer>,
    settled: Option<&Counter>,
    id: CardId,
    slip: &str,
) -> Result<Vec<CardId>, HandOverError> {
    // Application before its cards, those in one order: so every verb locks them, after the chip.
    let found = cards::store::card(deed, id).await?.ok_or(CardError::Unknown)?;
    deed.actor().may_act_for(&found.office).map_err(CardError::from)?;
    let application = store::application_locked(deed, found.application).await?;
    let mut application = application.ok_or(CardError::Unknown)?;
    cards::steps::keep_cards_of(deed, found.person).await?;
    let mut card = cards::steps::of_office(deed, id).await?;
    // This officer was shown the slip's number: from that hand it does not show that the citizen is there.
    if deed.actor().is_one_with(application.registered.by) {
        return Err(HandOverError::SameOfficer);
    }
    let free = claims::free_for_actor(deed, &application).await;
    free.map_err(|error| HandOverError::Counter(Box::new(error)))?;
    if !application.slip.matches(slip) {
        return Err(HandOverError::Slip);
    }
    if let Some(counter) = settled {
        let settled = payments::must_be_settled(deed, counter, PayBefore::HandOver, &application).await;
        settled.map_err(|error| HandOverError::Counter(Box::new(error)))?;
    }
    let handed_over = deed.decision();
    let body_check = settled.is_some_and(Counter::demands_body_check);
    let revoked = cards::steps::activate(deed, &mut card, handed_over.clone(), body_check).await?;
    application.stage = application.stage.hand_over(handed_over)?;
    move_to(deed, application.id, &application.stage).await?;
    steps::close_case(deed, &application).await?;
    deed.record(Action::CardHandedOver, Object::Card(id), Some(card.person), Purpose::HandOver).await?;
    Ok(revoked)
}

/// Why a card is not handed over.
#[derive(Debug, Error)]
pub enum HandOverError {
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The counter.
    #[error(transparent)]
    Counter(Box<CounterError>),
    /// The officer opened the application, and so knows the slip.
    #[error("another officer than the one who opened the application")]
    SameOfficer,
    /// The slip is another one.
    #[error("the slip does not belong to this card")]
    Slip,
    /// The application's stage.
    #[error(transparent)]
    Stage(#[from] TransitionError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The route of hand-over.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::HandOver), routes!(hand_over_card))
}

/// The citizen came for the card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HandOver {
    /// The number of the appointment slip.
    #[serde(default)]
    #[schema(value_type = String)]
    slip: Words<40>,
}

/// The citizen has the card.
#[derive(Debug, Serialize, ToSchema)]
struct HandedOver {
    /// `active`
    status: &'static str,
    /// Cards that it replaced.
    #[schema(value_type = Vec<String>)]
    revoked: Vec<CardId>,
}

/// Hands a card over; the old one is revoked with it.
#[utoipa::path(post, path = "/api/v1/cards/{id}/hand-over", tag = "applications", request_body = HandOver,
    responses((status = 200, body = HandedOver)))]
async fn hand_over_card(
    State(desk): State<Desk>,
    State(counter): State<Counter>,
    officer: Officer,
    Named(id): Named<CardId>,
    Write { stamp, body }: Write<HandOver>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let revoked = hand_over_settled(deed, &counter, id, body.slip.as_str()).await?;
        Ok::<_, HandOverError>(HandedOver { status: "active", revoked })
    })
    .await
}
