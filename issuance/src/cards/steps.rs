//! The verbs of the registry of cards.

use thiserror::Error;
use time::Duration;

use super::model::{BodyCheck, Card, Loss, Reported, Revocation, Status, StatusError, UndoError};
use super::store;
use crate::deed::{Action, Consequences, Deed, DeedError, Deeds, Entry, Object, Occasion, Purpose, RegisterEvent};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::{CardId, PersonId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, OtherOffice};
use crate::store::{StoreError, Tx};

/// Inserts the card of a chip whose receipt was verified.
///
/// # Errors
/// [`StoreError`]
pub async fn issue(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    store::insert(tx, card).await
}

/// `Personalized → Active`. What the citizen had before is revoked in the same transaction. Returns the ids of those
/// cards. The caller records the hand-over, and says whether the check of the body is demanded at this moment.
///
/// # Errors
/// [`CardError`]
pub async fn activate<A: Actor>(
    deed: &mut Deed<A>,
    card: &mut Card,
    handed_over: Decision,
    body_check: bool,
) -> Result<Vec<CardId>, CardError> {
    card.status = card.status.clone().activate(handed_over)?;
    if card.recalled {
        return Err(CardError::Recalled);
    }
    if !card.body.lets_go(body_check) {
        return Err(CardError::BodyUnchecked);
    }
    let mut revoked = vec![];
    for old in store::held_by(deed, card.person).await? {
        // Locked and looked at again: a report of loss may just have been faster, and its reason stays.
        let old = store::card_locked(deed, old.id).await?.ok_or(CardError::Unknown)?;
        match old.status {
            Status::Active { .. } => {
                revoke(deed, &old, Revocation::Replaced, Purpose::Replacement).await?;
                revoked.push(old.id);
            }
            // The citizen has another one: the lost card does not come back.
            Status::Suspended { .. } => {
                revoke(deed, &old, Revocation::Lost, Purpose::Replacement).await?;
            }
            Status::Personalized | Status::Revoked { .. } => {}
        }
    }
    store::set_status(deed.tx(), (card.id, card.person), &card.status).await?;
    Ok(revoked)
}

/// Keeps the cards of a person that still count from other writers until the deed ends, in the order in which every
/// verb locks several.
///
/// # Errors
/// [`StoreError`]
pub async fn keep_cards_of<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<(), StoreError> {
    for card in store::cards_of(deed, person).await? {
        if !matches!(card.status, Status::Revoked { .. }) {
            store::card_locked(deed, card.id).await?;
        }
    }
    Ok(())
}

/// Says that the body of a card carries what its chip holds. The caller records it.
///
/// # Errors
/// [`CardError::Unknown`]
pub async fn body_checked<A: Actor>(deed: &mut Deed<A>, id: CardId) -> Result<(), CardError> {
    set_body(deed, id, BodyCheck::Checked).await
}

/// Says that one officer read another thing from the body of a card than its chip holds: the card goes nowhere until
/// another officer has read it. The caller records it.
///
/// # Errors
/// [`CardError::Unknown`]
pub async fn body_doubted<A: Actor>(deed: &mut Deed<A>, id: CardId) -> Result<(), CardError> {
    set_body(deed, id, BodyCheck::Doubted).await
}

async fn set_body<A: Actor>(deed: &mut Deed<A>, id: CardId, body: BodyCheck) -> Result<(), CardError> {
    let card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    if card.body != body {
        store::set_body(deed.tx(), id, body).await?;
    }
    Ok(())
}

/// Gives a card that waits for its holder to another office, since its own is dissolved. The caller records it.
///
/// # Errors
/// [`StoreError`]
pub async fn give<A: Actor>(deed: &mut Deed<A>, id: CardId, to: &OfficeCode) -> Result<(), StoreError> {
    if store::card_locked(deed, id).await?.is_some() {
        store::set_office(deed.tx(), id, to).await?;
    }
    Ok(())
}

/// Marks a card whose chip was recalled: it is not handed over any more. One that was handed over stays what it is, and
/// is listed with the recall.
///
/// # Errors
/// [`CardError::Unknown`]
pub async fn recall<A: Actor>(deed: &mut Deed<A>, id: CardId, by: Object) -> Result<(), CardError> {
    let card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    if card.status == Status::Personalized && !card.recalled {
        store::set_recalled(deed.tx(), id).await?;
        let entry = Entry::new(Action::CardRecalled, Object::Card(id), Purpose::Stock).about(card.person);
        deed.enter(entry.with(by).of(&card.office)).await?;
    }
    Ok(())
}

/// What follows for the cards of a person when the register changes: those of a dead person, and those with a number
/// that was cancelled, are revoked; those of a person who is missing are suspended until the person is found again; one
/// on which something else is no longer right must be changed by its holder.
///
/// # Errors
/// [`CardError`]
pub async fn follow(deed: &mut Deed<Officer>, event: RegisterEvent) -> Result<(), CardError> {
    let Consequences { died, missing, found, nationality_lost, renumbered, on_card, merged_into, .. } =
        event.consequences;
    let reasons = [
        (died, Revocation::HolderDied),
        (nationality_lost, Revocation::NationalityLost),
        (renumbered || merged_into.is_some(), Revocation::NumberCancelled),
    ];
    let reason = reasons.into_iter().find_map(|(is_so, reason)| is_so.then_some(reason));
    if reason.is_none() && !on_card && !missing && !found {
        return Ok(());
    }
    for card in store::cards_of(deed, event.person).await? {
        let card = store::card_locked(deed, card.id).await?.ok_or(CardError::Unknown)?;
        if let Status::Revoked { .. } = card.status {
            continue;
        }
        if let Some(reason) = reason {
            revoke(deed, &card, reason, Purpose::Update).await?;
        } else if missing || found {
            of_missing(deed, card, found).await?;
        } else {
            store::set_must_change(deed.tx(), card.id, "register-changed").await?;
            let entry = Entry::new(Action::CardMustBeChanged, Object::Card(card.id), Purpose::Update);
            deed.enter(entry.about(card.person).of(&card.office)).await?;
        }
    }
    deed.enter(Entry::new(Action::CardsListed, Object::Person(event.person), Purpose::Update).about(event.person))
        .await?;
    Ok(())
}

/// Suspends a card in the pocket of a person who is missing, or takes that back for one who is found again. One that
/// was reported lost stays so.
async fn of_missing(deed: &mut Deed<Officer>, card: Card, found: bool) -> Result<(), CardError> {
    let before = card.status.word();
    let status = match card.status.clone() {
        status @ Status::Suspended { .. } if found => status.found(),
        status @ Status::Active { .. } if !found => {
            let (reported, until) = (deed.decision().into(), deed.at() + FOR_EVER);
            let grounds = HOLDER_MISSING.to_owned();
            status.suspend(Loss { reported, by_holder: false, grounds, until, missing: true })?
        }
        other => other,
    };
    if status.word() == before {
        return Ok(());
    }
    store::set_status(deed.tx(), (card.id, card.person), &status).await?;
    let action = if found {
        store::unlist_suspended(deed, &card.sod_sha256).await?;
        Action::CardLossUndone
    } else {
        store::suspend_document(deed, &card.sod_sha256).await?;
        Action::CardLossReported
    };
    let entry = Entry::new(action, Object::Card(card.id), Purpose::Update).about(card.person).of(&card.office);
    deed.enter(entry.because(HOLDER_MISSING)).await?;
    Ok(())
}

/// Why a card of a missing person is suspended.
const HOLDER_MISSING: &str = "holder-missing";
/// A person who is missing may be found after many years.
const FOR_EVER: Duration = Duration::days(200 * 365);

/// What a counter was told about a lost card.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// True if the holder reports it, and not another person.
    pub by_holder: bool,
    /// What was told: not empty.
    pub grounds: &'a str,
    /// So long it can be undone.
    pub term: Duration,
}

/// Suspends a card that its holder, or another person, reports as lost: kiosks refuse it from now on.
///
/// # Errors
/// [`CardError`]
pub async fn report_loss(deed: &mut Deed<Officer>, id: CardId, report: Report<'_>) -> Result<Card, CardError> {
    let Report { by_holder, term, .. } = report;
    let grounds = fit_grounds(report.grounds)?;
    // Reported anywhere: a citizen who lost the card away from home must not have to travel.
    let mut card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    let (reported, until) = (deed.decision().into(), deed.at() + term);
    let loss = Loss { reported, by_holder, grounds, until, missing: false };
    suspend(deed, &mut card, loss).await?;
    Ok(card)
}

/// Suspends a card that its holder locks with the card itself. Two officers can undo it within the term, as they can
/// any report of loss.
///
/// # Errors
/// [`CardError`]
pub async fn lock_by_holder<A: Actor>(deed: &mut Deed<A>, id: CardId, term: Duration) -> Result<Card, CardError> {
    let mut card = store::card_locked(deed, id).await?.ok_or(CardError::Unknown)?;
    let (reported, until) = (Reported { by: None, at: deed.at() }, deed.at() + term);
    let loss = Loss { reported, by_holder: true, grounds: LOCKED_BY_HOLDER.to_owned(), until, missing: false };
    suspend(deed, &mut card, loss).await?;
    Ok(card)
}

/// Why a card is suspended that its holder locked with the card itself.
const LOCKED_BY_HOLDER: &str = "locked-by-holder";

async fn suspend<A: Actor>(deed: &mut Deed<A>, card: &mut Card, loss: Loss) -> Result<(), CardError> {
    let (grounds, by_holder) = (loss.grounds.clone(), loss.by_holder);
    card.status = card.status.clone().suspend(loss)?;
    store::set_status(deed.tx(), (card.id, card.person), &card.status).await?;
    store::suspend_document(deed, &card.sod_sha256).await?;
    let purpose = if by_holder { Purpose::LossByHolder } else { Purpose::LossByOther };
    let entry = Entry::new(Action::CardLossReported, Object::Card(card.id), purpose).about(card.person);
    deed.enter(entry.of(&card.office).because(grounds)).await?;
    Ok(())
}

/// A first officer of the card's office wants a report of loss undone.
///
/// # Errors
/// [`CardError`]
pub async fn propose_undo(deed: &mut Deed<Officer>, id: CardId, grounds: &str) -> Result<Card, CardError> {
    let grounds = fit_grounds(grounds)?;
    let mut card = of_office(deed, id).await?;
    card.status = card.status.clone().propose_undo(deed.decision())?;
    store::set_status(deed.tx(), (id, card.person), &card.status).await?;
    let entry = Entry::new(Action::CardLossUndoProposed, Object::Card(id), Purpose::LossByHolder);
    deed.enter(entry.about(card.person).of(&card.office).because(grounds)).await?;
    Ok(card)
}

/// A second officer of the card's office agrees: the card counts again.
///
/// # Errors
/// [`CardError`]
pub async fn undo_loss(deed: &mut Deed<Officer>, id: CardId) -> Result<Card, CardError> {
    let mut card = of_office(deed, id).await?;
    if let Status::Suspended { loss, undo: Some(first), .. } = &card.status
        && [Some(first.by), loss.reported.by].into_iter().flatten().any(|officer| deed.actor().is_one_with(officer))
    {
        return Err(UndoError::SameOfficer.into());
    }
    card.status = card.status.clone().undo(&deed.decision())?;
    store::set_status(deed.tx(), (id, card.person), &card.status).await?;
    store::unlist_suspended(deed, &card.sod_sha256).await?;
    let entry = Entry::new(Action::CardLossUndone, Object::Card(id), Purpose::LossByHolder);
    deed.enter(entry.about(card.person).of(&card.office)).await?;
    Ok(card)
}

/// Revokes for good the cards whose report of loss was not undone in time. Each is a deed of its own.
///
/// # Errors
/// [`SuspensionError`]
pub async fn end_suspensions(deeds: &Deeds) -> Result<(), SuspensionError> {
    let now = deeds.source().now();
    let mut tx = deeds.db().begin_read().await?;
    let over = store::suspension_over(&mut tx, now).await?;
    drop(tx);
    for id in over {
        let mut deed = deeds.open(Service).await?;
        let Some(card) = store::card_locked(&mut deed, id).await? else { continue };
        // Looked at again: it may just have been undone, or replaced.
        let Status::Suspended { loss, .. } = &card.status else { continue };
        if loss.until > now {
            continue;
        }
        let purpose = if loss.by_holder { Purpose::LossByHolder } else { Purpose::LossByOther };
        revoke(&mut deed, &card, Revocation::Lost, purpose).await?;
        deed.commit().await?;
    }
    Ok(())
}

/// Why suspended cards were not revoked.
#[derive(Debug, Error)]
pub enum SuspensionError {
    /// The card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn fit_grounds(grounds: &str) -> Result<String, CardError> {
    tidy(grounds).ok_or(CardError::Grounds)
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

/// Returns a card to an officer of its office. Without a case of the officer's, the record names the application that
/// the card was issued for.
///
/// # Errors
/// [`CardError`]
pub async fn read(deed: &mut Deed<Officer>, id: CardId, occasion: Occasion) -> Result<Card, CardError> {
    let card = of_office(deed, id).await?;
    let occasion = Occasion { case: occasion.case.or(Some(card.application)), ..occasion };
    deed.record_reading(Action::CardRead, Object::Card(id), card.person, &card.office, occasion).await?;
    Ok(card)
}

/// Returns what a document is to a kiosk: `active`, `personalized`, `suspended`, `revoked` or
/// `unknown`. Takes the SHA-256 of the
/// signed hash table as 64 hexadecimal digits.
///
/// # Errors
/// [`CardError::Hash`], [`CardError::Store`]
pub async fn status(tx: &mut Tx, sod_sha256: &str) -> Result<String, CardError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(sod_sha256, &mut hash).map_err(|_| CardError::Hash)?;
    Ok(store::status_of(tx, &hash).await?.unwrap_or_else(|| "unknown".to_owned()))
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
    store::set_status(deed.tx(), (card.id, card.person), &status).await?;
    store::revoke_document(deed, &card.sod_sha256, reason).await?;
    let entry = Entry::new(Action::CardRevoked, Object::Card(card.id), purpose).about(card.person);
    let word = match &status {
        Status::Revoked { reason, .. } => reason.word(),
        other => other.word(),
    };
    deed.enter(entry.of(&card.office).because(word)).await?;
    Ok(status)
}

/// Why a card stays what it is.
#[derive(Debug, Error)]
pub enum CardError {
    /// Its body was not compared with its chip yet.
    #[error("the body of the card was not compared with its chip yet")]
    BodyUnchecked,
    /// No grounds.
    #[error("no grounds are given")]
    Grounds,
    /// Not a fingerprint.
    #[error("a fingerprint has 64 hexadecimal digits")]
    Hash,
    /// Another office's card.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The card's status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// Its chip was recalled before it was handed over.
    #[error("the chip of the card was recalled")]
    Recalled,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A report of loss is not undone.
    #[error(transparent)]
    Undo(#[from] UndoError),
    /// No such card.
    #[error("card unknown")]
    Unknown,
}
