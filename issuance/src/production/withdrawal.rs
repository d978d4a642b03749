//! Withdrawal: a chip that becomes no card (any more), the application that loses it, and the application
//! that is cancelled with it.

use crypto::identity::CardSerial;
use time::{Duration, OffsetDateTime};

use super::cases::still_keeps_stock;
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Account, Chip, ChipError, ChipState};
use super::steps::in_custody;
use super::store::{self, body_doubts, print_jobs};
use crate::applications::model::{Application, NOT_FETCHED, Stage, TransitionError};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::text::tidy;
use crate::ground::{Decision, Officer, Station};
use crate::store::{StoreError, Tx};
use crate::{access, applications, cards};

/// An officer wants a chip written off, and names the witness: another officer in service of the chip's office. Nothing
/// is written off before the witness confirms it. Proposed again, the later proposal counts.
///
/// # Errors
/// [`ProductionError`]
pub async fn write_off(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    reason: &str,
    witness: OfficerId,
) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    let office = access::office_of_officer_in_service(deed.tx(), witness).await?;
    if deed.actor().is_one_with(witness) || office.as_ref() != Some(&chip.office) {
        return Err(ProductionError::Witness);
    }
    if let ChipState::Spoiled { .. } | ChipState::Destroyed { .. } | ChipState::Lost { .. } = chip.state {
        return Err(chip.state.refusal().into());
    }
    let reason = tidy(reason).ok_or(ProductionError::EvidenceMissing)?;
    let write_off = store::WriteOff { reason, witness, proposed: deed.decision() };
    store::propose_write_off(deed.tx(), serial, &write_off).await?;
    let entry = Entry::new(Action::ChipWriteOffProposed, Object::Chip(*serial), Purpose::Stock);
    deed.enter(entry.with(Object::Officer(witness)).of(&chip.office)).await?;
    Ok(chip)
}

/// The witness of a write-off confirms it, and the chip is written off. One that is personalized and not handed over
/// may be written off too: its card is revoked with it. The witness says what was seen: the reason of the proposal.
///
/// # Errors
/// [`ProductionError::WriteOffUnknown`] where none waits for this officer, or none was proposed in the last week;
/// [`ProductionError::ProposalChanged`] where another reason was proposed, [`ProductionError::ProposalStale`] where the
/// officer who proposed it keeps this stock no more; [`ProductionError`]
pub async fn confirm_write_off(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    reason: &str,
) -> Result<Chip, ProductionError> {
    // The same answer for a chip that is not there: officers of other offices learn nothing.
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::WriteOffUnknown)?;
    let write_off = store::write_off(deed.tx(), serial).await?.ok_or(ProductionError::WriteOffUnknown)?;
    let witness = deed.actor().id;
    if write_off.witness != witness || deed.at() >= write_off.proposed.at + WRITE_OFF_WAITS {
        return Err(ProductionError::WriteOffUnknown);
    }
    if deed.actor().office != chip.office {
        return Err(ProductionError::Witness);
    }
    if tidy(reason).as_deref() != Some(write_off.reason.as_str()) {
        return Err(ProductionError::ProposalChanged);
    }
    still_keeps_stock(deed, &write_off.proposed, &chip.office).await?;
    store::end_write_off(deed.tx(), serial).await?;
    let evidence = format!("witness {}", Object::Officer(witness));
    let by = Object::Officer(write_off.proposed.by).to_string();
    account_for(deed, chip, &write_off.reason, &evidence, by).await
}

/// Returns to its witness what a write-off says, and the chip: what is to be confirmed.
///
/// # Errors
/// [`ProductionError::WriteOffUnknown`] where none waits for this officer, or none was proposed in the last week.
pub async fn read_write_off(
    tx: &mut Tx,
    officer: &Officer,
    serial: &CardSerial,
    now: OffsetDateTime,
) -> Result<(Chip, AwaitedWriteOff), ProductionError> {
    let write_off = store::write_off(tx, serial).await?.ok_or(ProductionError::WriteOffUnknown)?;
    if write_off.witness != officer.id || now >= write_off.proposed.at + WRITE_OFF_WAITS {
        return Err(ProductionError::WriteOffUnknown);
    }
    let chip = store::chip_locked(tx, serial).await?.filter(|chip| chip.office == officer.office);
    let chip = chip.ok_or(ProductionError::WriteOffUnknown)?;
    let store::WriteOff { reason, proposed, .. } = write_off;
    let until = proposed.at + WRITE_OFF_WAITS;
    Ok((chip, AwaitedWriteOff { reason, proposed, until }))
}

/// A write-off, as its witness reads it.
#[derive(Clone, Debug)]
pub struct AwaitedWriteOff {
    /// Why the chip is written off.
    pub reason: String,
    /// The officer who proposes it, and the moment.
    pub proposed: Decision,
    /// Until when it can be confirmed.
    pub until: OffsetDateTime,
}

/// Returns the witness for whom a write-off of a chip waits at this moment; none for one that lapsed.
///
/// # Errors
/// [`StoreError`]
pub async fn awaited_witness(
    tx: &mut Tx,
    serial: &CardSerial,
    now: OffsetDateTime,
) -> Result<Option<OfficerId>, StoreError> {
    let waits = store::write_off(tx, serial).await?.filter(|write_off| now < write_off.proposed.at + WRITE_OFF_WAITS);
    Ok(waits.map(|write_off| write_off.witness))
}

/// A write-off that is not confirmed for so long is proposed anew: what the witness saw is not forgotten by then.
const WRITE_OFF_WAITS: Duration = Duration::days(7);

/// A station gives up a chip that became no card.
///
/// # Errors
/// [`ProductionError`]; [`ChipError::Personalized`] for a card: that takes an officer and a witness.
pub async fn spoil(
    deed: &mut Deed<Station>,
    serial: &CardSerial,
    reason: &str,
    evidence: &str,
) -> Result<Chip, ProductionError> {
    let chip = in_custody(deed, serial).await?;
    if let ChipState::Personalized { .. } = chip.state {
        return Err(ChipError::Personalized.into());
    }
    let by = deed.caller().to_string();
    account_for(deed, chip, reason, evidence, by).await
}

/// Ends an application before there is a card. A chip that it was bound to is written off with it.
///
/// # Errors
/// [`ProductionError`]
pub async fn cancel(deed: &mut Deed<Officer>, id: ApplicationId, reason: &str) -> Result<Application, ProductionError> {
    let reason = tidy(reason).ok_or(applications::CounterError::ReasonMissing)?;
    // Chip before application: the order in which every verb locks them.
    let bound = applications::store::application(deed, id).await?.and_then(|application| application.stage.chip());
    if let Some(serial) = &bound {
        store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    }
    let mut application = applications::steps::to_step(deed, id).await?;
    // The office does not end what the citizen complains about: the citizen withdraws it, or the centre decides.
    if application.stage.chip() != bound || matches!(application.stage, Stage::Appealed { .. }) {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if let Some(serial) = &bound {
        let mut chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
        end_document(deed, &chip).await?;
        let (reason, evidence) = ("application cancelled".to_owned(), "its cancellation".to_owned());
        let account = Account { reason, evidence, by: deed.caller().to_string(), at: deed.at() };
        chip.state = chip.state.spoil(account)?;
        let entry = Entry::new(Action::ChipSpoiled, Object::Chip(*serial), Purpose::Cancellation);
        let entry = entry.with(Object::Application(id)).about(application.person);
        ledger::post(deed, &mut chip, Movement::Spoiled, entry).await?;
    }
    application.stage = application.stage.cancel(deed.decision(), reason)?;
    let cancelled =
        applications::steps::moved(deed, application, Action::ApplicationCancelled, Purpose::Cancellation).await?;
    Ok(cancelled)
}

/// Ends an application whose card was not fetched while it was kept: card and document are revoked, and the chip is
/// spoiled, to be destroyed before two witnesses as every spoiled chip is.
///
/// # Errors
/// [`ProductionError::Kept`] while the citizen may still come.
pub async fn give_up(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<Application, ProductionError> {
    // Chip before application: the order in which every verb locks them.
    let found = applications::store::application(deed, id).await?.ok_or(applications::CounterError::Unknown)?;
    deed.actor().may_act_for(&found.office)?;
    let Stage::NotFetched { card, .. } = found.stage else {
        return Err(TransitionError::NotFrom(found.stage.name()).into());
    };
    let cards = cards::store::cards_of(deed, found.person).await?;
    let serial = cards.iter().find(|known| known.id == card).map(|card| card.serial);
    let serial = serial.ok_or(ProductionError::ChipUnknown)?;
    let mut chip = store::chip_locked(deed.tx(), &serial).await?.ok_or(ProductionError::ChipUnknown)?;
    let mut application = applications::steps::to_step(deed, id).await?;
    if let Some(due) = application.progress.due.filter(|due| *due >= deed.today()) {
        return Err(ProductionError::Kept(due));
    }
    application.stage = application.stage.give_up(deed.decision())?;
    cards::steps::spoil(deed, card).await?;
    end_document(deed, &chip).await?;
    print_jobs::end_of_chip(deed.tx(), &serial).await?;
    let (reason, evidence) = (NOT_FETCHED.to_owned(), "the end of the time for which it was kept".to_owned());
    let account = Account { reason, evidence, by: deed.caller().to_string(), at: deed.at() };
    (chip.state, chip.boxed) = (chip.state.spoil(account)?, None);
    let entry = Entry::new(Action::ChipSpoiled, Object::Chip(serial), Purpose::Cancellation);
    let entry = entry.with(Object::Application(id)).about(application.person);
    ledger::post(deed, &mut chip, Movement::Spoiled, entry).await?;
    let (action, purpose) = (Action::ApplicationCancelled, Purpose::Cancellation);
    Ok(applications::steps::moved(deed, application, action, purpose).await?)
}

/// Accounts for a chip, whatever state it is in: its document is revoked, its application waits for another chip.
pub(super) async fn account_for<A: Actor>(
    deed: &mut Deed<A>,
    mut chip: Chip,
    reason: &str,
    evidence: &str,
    by: String,
) -> Result<Chip, ProductionError> {
    let (reason, evidence) = tidy(reason).zip(tidy(evidence)).ok_or(ProductionError::EvidenceMissing)?;
    let account = Account { reason, evidence, by, at: deed.at() };
    free_application(deed, &chip).await?;
    chip.state = chip.state.spoil(account)?;
    chip.boxed = None;
    // The reason is the caller's own text; the ledger keeps it, and the trail says that there is one.
    let entry = Entry::new(Action::ChipSpoiled, Object::Chip(chip.serial), Purpose::Stock);
    ledger::post(deed, &mut chip, Movement::Spoiled, entry.because("accounted for")).await?;
    Ok(chip)
}

/// Gives the application of a chip that will be no card (any more) back to the queue; its document and its card are
/// revoked.
pub(super) async fn free_application<A: Actor>(deed: &mut Deed<A>, chip: &Chip) -> Result<(), ProductionError> {
    if let ChipState::Bound { application, .. } | ChipState::Personalized { application, .. } = chip.state {
        // Chip, application, card: the order in which every verb locks them.
        let found = applications::store::application_locked(deed, application).await?;
        let mut application = found.ok_or(ProductionError::ApplicationGone)?;
        if let ChipState::Personalized { card, .. } = &chip.state {
            cards::steps::spoil(deed, *card).await?;
        }
        end_document(deed, chip).await?;
        application.stage = application.stage.unbind()?;
        applications::progress::move_to(deed, application.id, &application.stage).await?;
        let object = Object::Application(application.id);
        let entry = Entry::new(Action::ApplicationUnbound, object, Purpose::Stock).about(application.person);
        deed.enter(entry.with(Object::Chip(chip.serial))).await?;
    }
    Ok(())
}

/// Ends a chip's document. One that was signed may stand on the chip, so kiosks must refuse it; one that was
/// not will never be signed.
async fn end_document<A: Actor>(deed: &mut Deed<A>, chip: &Chip) -> Result<(), ProductionError> {
    let Some(application) = chip.state.application() else { return Ok(()) };
    // What is printed of it holds the portrait, and is removed with it.
    print_jobs::end_of_chip(deed.tx(), &chip.serial).await?;
    body_doubts::end(deed.tx(), &chip.serial).await?;
    let Some(document) = store::document(deed.tx(), application, &chip.serial).await? else { return Ok(()) };
    store::drop_document(deed.tx(), document.id).await?;
    if let Some((_, sod_sha256)) = document.signed {
        cards::steps::revoke_unissued(deed, &sod_sha256).await?;
    }
    Ok(())
}
