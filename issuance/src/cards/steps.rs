//! The verbs of the registry of cards.

use thiserror::Error;

use super::model::{Card, Revocation, Status, StatusError};
use super::store;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{CardId, PersonId};
use crate::ground::{Decision, Officer, OtherOffice};
use crate::store::{StoreError, Tx};

/// Inserts the card of a chip whose receipt was verified.
///
/// # Errors
/// [`StoreError`]
pub async fn issue(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    store::insert(tx, card).await
}

/// `Personalized → Active`. What the citizen had before is revoked in the same transaction. Returns the ids of those
/// cards. The caller records the hand-over.
///
/// # Errors
/// [`CardError`]
pub async fn activate<A: Actor>(
    deed: &mut Deed<A>,
    card: &mut Card,
    handed_over: Decision,
) -> Result<Vec<CardId>, CardError> {
    card.status = card.status.clone().activate(handed_over)?;
    let mut revoked = vec![];
    for old in store::active_of(deed, card.person).await? {
        // Locked and looked at again: a report of loss may just have been faster, and its reason stays.
        let old = store::card_locked(deed, old.id).await?.ok_or(CardError::Unknown)?;
        if !matches!(old.status, Status::Active { .. }) {
            continue;
        }
        revoke(deed, &old, Revocation::Replaced, Purpose::Replacement).await?;
        revoked.push(old.id);
    }
    store::set_status(deed.tx(), card.id, &card.status).await?;
    Ok(revoked)
}

/// Revokes a card that its holder, or another person, reports as lost.
///
/// # Errors
/// [`CardError`]
pub async fn report_loss(deed: &mut Deed<Officer>, id: CardId, by_holder: bool) -> Result<Card, CardError> {
    // Reported anywhere: a citizen who lost the card away from home must not have to travel.
    let mut card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    if card.status == Status::Personalized {
        return Err(CardError::Status(StatusError("personalized")));
    }
    let purpose = if by_holder { Purpose::LossByHolder } else { Purpose::LossByOther };
    card.status = revoke(deed, &card, Revocation::Lost, purpose).await?;
    deed.record(Action::CardLossReported, Object::Card(id), Some(card.person), purpose).await?;
    Ok(card)
}

/// Revokes a card whose chip was written off before the citizen had it.
///
/// # Errors
/// [`CardError`]
pub async fn spoil<A: Actor>(deed: &mut Deed<A>, id: CardId) -> Result<(), CardError> {
    let card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    if card.status != Status::Personalized {
        return Err(CardError::Status(StatusError(card.status.word())));
    }
    revoke(deed, &card, Revocation::Spoiled, Purpose::Stock).await?;
    Ok(())
}

/// Revokes a document that was signed and will never be a card.
///
/// # Errors
/// [`StoreError`]
pub async fn revoke_unissued<A: Actor>(deed: &mut Deed<A>, sod_sha256: &[u8; 32]) -> Result<(), StoreError> {
    store::revoke_document(deed, sod_sha256, Revocation::Spoiled).await
}

/// Returns a card to an officer of its office.
///
/// # Errors
/// [`CardError`]
pub async fn read(deed: &mut Deed<Officer>, id: CardId) -> Result<Card, CardError> {
    let card = of_office(deed, id).await?;
    deed.record(Action::CardRead, Object::Card(id), Some(card.person), Purpose::LookUp).await?;
    Ok(card)
}

/// Returns what a document is to a kiosk: `active`, `personalized`, `revoked` or `unknown`. Takes the SHA-256 of the
/// signed hash table as 64 hexadecimal digits.
///
/// # Errors
/// [`CardError::Hash`], [`CardError::Store`]
pub async fn status(tx: &mut Tx, sod_sha256: &str) -> Result<String, CardError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(sod_sha256, &mut hash).map_err(|_| CardError::Hash)?;
    Ok(store::status_of(tx, &hash).await?.unwrap_or_else(|| "unknown".to_owned()))
}

/// True if a person has a card in hand.
///
/// # Errors
/// [`StoreError`]
pub async fn has_active<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<bool, StoreError> {
    Ok(!store::active_of(deed, person).await?.is_empty())
}

/// Returns the card, kept from other writers, if it is of the officer's office.
///
/// # Errors
/// [`CardError::Unknown`], [`CardError::OtherOffice`]
pub async fn of_office(deed: &mut Deed<Officer>, id: CardId) -> Result<Card, CardError> {
    let card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    deed.actor().may_act_for(&card.office)?;
    Ok(card)
}

async fn revoke<A: Actor>(
    deed: &mut Deed<A>,
    card: &Card,
    reason: Revocation,
    purpose: Purpose,
) -> Result<Status, CardError> {
    let at = deed.at();
    let status = card.status.clone().revoke(reason, at)?;
    store::set_status(deed.tx(), card.id, &status).await?;
    store::revoke_document(deed, &card.sod_sha256, reason).await?;
    let entry = Entry::new(Action::CardRevoked, Object::Card(card.id), purpose).about(card.person);
    deed.enter(entry.because(reason.word())).await?;
    Ok(status)
}

/// Why a card stays what it is.
#[derive(Debug, Error)]
pub enum CardError {
    /// Not a fingerprint.
    #[error("a fingerprint has 64 hexadecimal digits")]
    Hash,
    /// Another office's card.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The card's status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such card.
    #[error("card unknown")]
    Unknown,
}
