//! The verbs of the counter that hands cards over.

use axum::http::StatusCode;
use thiserror::Error;

use super::model::{Card, Revocation, Status, StatusError};
use super::store;
use crate::access::{AccessError, Caller, Officer};
use crate::app::App;
use crate::applications;
use crate::applications::model::{Decision, TransitionError};
use crate::audit;
use crate::http::Problem;
use crate::store::{StoreError, Tx};

/// A card came to be: its chip proved it.
///
/// # Errors
/// [`StoreError`]
pub async fn issue(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    store::insert(tx, card).await
}

/// `Personalized → Active`: the citizen brought the slip and has the card. What the citizen had before is revoked in the same
/// transaction; gives the ids of those cards.
///
/// # Errors
/// [`CardError`]
pub async fn hand_over(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
    slip: &str,
) -> Result<Vec<String>, CardError> {
    let mut card = own(tx, officer, id).await?;
    let mut application =
        applications::store::application_locked(tx, &card.application).await?.ok_or(CardError::Unknown)?;
    if !application.slip.read(slip) {
        return Err(CardError::Slip);
    }
    let handed_over = Decision { by: officer.id.clone(), at: app.now() };
    card.status = card.status.activate(handed_over.clone())?;
    let mut revoked = vec![];
    for old in store::active_of(tx, &card.person).await? {
        // Locked and looked at again: a report of loss may just have been faster, and its reason stays.
        let old = store::card_locked(tx, &old.id).await?.ok_or(CardError::Unknown)?;
        if !matches!(old.status, Status::Active { .. }) {
            continue;
        }
        revoke(tx, app, officer, &old, Revocation::Replaced).await?;
        revoked.push(old.id);
    }
    store::set_status(tx, id, &card.status).await?;
    application.stage = application.stage.hand_over(handed_over)?;
    applications::store::move_to(tx, &application.id, &application.stage).await?;
    audit::record(tx, app, officer, "card-handed-over", &format!("card/{id}"), "hand-over").await?;
    Ok(revoked)
}

/// A card in a citizen's hand is lost: it counts no more, whoever finds it.
///
/// # Errors
/// [`CardError`]
pub async fn report_loss(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    id: &str,
    reported_by: &str,
) -> Result<Card, CardError> {
    // Reported anywhere: a citizen who lost the card away from home must not have to travel.
    let mut card = store::card_locked(tx, id).await?.ok_or(CardError::Unknown)?;
    if card.status == Status::Personalized {
        return Err(CardError::Status(StatusError("personalized")));
    }
    card.status = revoke(tx, app, officer, &card, Revocation::Lost).await?;
    let purpose = format!("loss reported by {}", if reported_by == "holder" { "holder" } else { "another" });
    audit::record(tx, app, officer, "card-loss-reported", &format!("card/{id}"), &purpose).await?;
    Ok(card)
}

/// A card whose chip was written off before the citizen had it.
///
/// # Errors
/// [`CardError`]
pub async fn spoil(tx: &mut Tx, app: &App, caller: impl Into<Caller>, id: &str) -> Result<(), CardError> {
    let card = store::card_locked(tx, id).await?.ok_or(CardError::Unknown)?;
    if card.status != Status::Personalized {
        return Err(CardError::Status(StatusError(card.status.word())));
    }
    revoke(tx, app, caller, &card, Revocation::Spoiled).await?;
    Ok(())
}

/// A document that was signed and will never be a card.
///
/// # Errors
/// [`StoreError`]
pub async fn revoke_unissued(tx: &mut Tx, app: &App, sod_sha256: &[u8; 32]) -> Result<(), StoreError> {
    store::revoke_document(tx, sod_sha256, Revocation::Spoiled, app.now()).await
}

/// A card, read by an officer of its office.
///
/// # Errors
/// [`CardError`]
pub async fn read(tx: &mut Tx, app: &App, officer: &Officer, id: &str) -> Result<Card, CardError> {
    let card = own(tx, officer, id).await?;
    audit::record(tx, app, officer, "card-read", &format!("card/{id}"), "look-up").await?;
    Ok(card)
}

/// What a document is to a kiosk: `active`, `personalized`, `revoked` or `unknown`.
///
/// # Errors
/// [`StoreError`]
pub async fn status(tx: &mut Tx, sod_sha256: &[u8; 32]) -> Result<String, StoreError> {
    Ok(store::status_of(tx, sod_sha256).await?.unwrap_or_else(|| "unknown".to_owned()))
}

async fn own(tx: &mut Tx, officer: &Officer, id: &str) -> Result<Card, CardError> {
    let card = store::card_locked(tx, id).await?.ok_or(CardError::Unknown)?;
    officer.may_act_for(&card.office)?;
    Ok(card)
}

async fn revoke(
    tx: &mut Tx,
    app: &App,
    caller: impl Into<Caller>,
    card: &Card,
    reason: Revocation,
) -> Result<Status, CardError> {
    let status = card.status.clone().revoke(reason, app.now())?;
    store::set_status(tx, &card.id, &status).await?;
    store::revoke_document(tx, &card.sod_sha256, reason, app.now()).await?;
    audit::record(tx, app, caller, "card-revoked", &format!("card/{}", card.id), reason.word()).await?;
    Ok(status)
}

/// Why a card stays what it is.
#[derive(Debug, Error)]
pub enum CardError {
    /// Not the officer's office.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The slip is another one.
    #[error("the slip does not belong to this card")]
    Slip,
    /// The card's status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The application's stage.
    #[error(transparent)]
    Stage(#[from] TransitionError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such card.
    #[error("card unknown")]
    Unknown,
}

impl From<CardError> for Problem {
    fn from(error: CardError) -> Self {
        use CardError as E;
        match error {
            E::Access(source) => source.into(),
            E::Slip => Self::new(
                StatusCode::FORBIDDEN,
                "slip-mismatch",
                "Compare the slip number with the slip that the citizen brought; letters I, L, O and U do not occur.",
            )
            .detail(error),
            E::Stage(source) => source.into(),
            E::Status(source) => Self::new(
                StatusCode::CONFLICT,
                "card-status-does-not-allow",
                "Look the card up: only personalized cards are handed over, only active ones are lost.",
            )
            .detail(source),
            E::Store(source) => source.into(),
            E::Unknown => Self::new(StatusCode::NOT_FOUND, "card-unknown", "Check the id of the card.").detail(error),
        }
    }
}
