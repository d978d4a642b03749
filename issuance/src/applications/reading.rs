//! Reading a person or a card for a case: the case that an officer names is an application, so these routes stand above
//! the offices whose rows they read.

use axum::extract::{FromRef, State};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{CounterError, steps};
use crate::cards::{self, CardView};
use crate::deed::{Deed, Occasion};
use crate::ground::ids::{CardId, PersonId};
use crate::ground::{Officer, Permission};
use crate::population::model::{Claim, Registered};
use crate::population::{self, HistoryView, PersonView};
use crate::web::{Answered, Desk, Looked, Named, OccasionAsked, Right, Routes, Write};

/// Reads a person as [`population::steps::read`] does, for a case that exists and is the person's.
///
/// # Errors
/// [`CounterError::Case`], [`CounterError::Person`]
pub async fn person(deed: &mut Deed<Officer>, id: PersonId, occasion: Occasion) -> Result<Registered, CounterError> {
    let registered = population::steps::read(deed, id, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, id, case).await?;
    }
    Ok(registered)
}

/// Reads a person as [`population::steps::read_by_claim`] does, for a case that exists and is the person's.
///
/// # Errors
/// [`CounterError::Case`], [`CounterError::Person`]
pub async fn person_by_claim(
    deed: &mut Deed<Officer>,
    id: PersonId,
    claim: &Claim,
    occasion: Occasion,
) -> Result<Registered, CounterError> {
    let in_hand = steps::issued_of(&cards::store::cards_of(deed, id).await?);
    let registered = population::steps::read_by_claim(deed, id, claim, &in_hand, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, id, case).await?;
    }
    Ok(registered)
}

/// Reads a card as [`cards::steps::read`] does, for a case that exists and is the holder's.
///
/// # Errors
/// [`CounterError::Card`], [`CounterError::Case`]
pub async fn card(
    deed: &mut Deed<Officer>,
    id: CardId,
    occasion: Occasion,
) -> Result<cards::model::Card, CounterError> {
    let card = cards::steps::read(deed, id, occasion).await?;
    if let Some(case) = occasion.case {
        steps::case_fits(deed, card.person, case).await?;
    }
    Ok(card)
}

/// The routes of reading.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::ReadCard), routes!(read_card))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_person))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_history))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_person_by_claim))
}

/// A person, as registered.
#[utoipa::path(get, path = "/api/v1/persons/{id}", tag = "population", params(OccasionAsked),
    responses((status = 200, body = PersonView)))]
async fn read_person(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonView> {
    desk.look(officer, async |deed| person(deed, id, occasion).await.map(PersonView::from)).await
}

/// What happened to a person in the register, event by event, each with its evidence.
#[utoipa::path(get, path = "/api/v1/persons/{id}/history", tag = "population", params(OccasionAsked),
    responses((status = 200, body = HistoryView)))]
async fn read_history(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<HistoryView> {
    desk.look(officer, async |deed| {
        if let Some(case) = occasion.case {
            steps::case_fits(deed, id, case).await?;
        }
        Ok::<_, CounterError>(population::change::history(deed, id, occasion).await?.into())
    })
    .await
}

/// The citizen is at the counter of an office that neither registered the citizen nor has a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// What the citizen tells or shows.
    claim: Claim,
}

/// A person, as registered, shown once to an officer of any office by a claim of the citizen: no right to read again
/// follows from it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/reading", tag = "population", params(OccasionAsked),
    request_body = Shown, responses((status = 200, body = PersonView)))]
async fn read_person_by_claim(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
    Write { stamp, body }: Write<Shown>,
) -> Answered {
    population::claimed(&desk, &officer, id, async || {
        desk.write(officer.clone(), stamp, async |deed| {
            person_by_claim(deed, id, &body.claim, occasion).await.map(PersonView::from)
        })
        .await
    })
    .await
}

/// A card, as it stands.
#[utoipa::path(get, path = "/api/v1/cards/{id}", tag = "cards", params(OccasionAsked),
    responses((status = 200, body = CardView)))]
async fn read_card(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CardId>,
    occasion: Occasion,
) -> Looked<CardView> {
    desk.look(officer, async |deed| card(deed, id, occasion).await.map(CardView::from)).await
}
