//! Withdrawal: a chip that becomes no card (any more), the application that loses it, and the application
//! that is cancelled with it.

use crypto::identity::CardSerial;

use super::error::ProductionError;
use super::model::{Account, Chip, ChipError, ChipState};
use super::steps::in_custody;
use super::store;
use crate::applications::model::{Application, TransitionError};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, OfficerId};
use crate::ground::text::tidy;
use crate::ground::{Officer, Station};
use crate::{access, applications, cards};

/// An officer writes a chip off before a witness, who is another officer in service of the chip's office. One that is
/// personalized and not handed over may be written off too: its card is revoked with it.
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
    if witness == deed.actor().id || office.as_ref() != Some(&chip.office) {
        return Err(ProductionError::Witness);
    }
    account_for(deed, chip, reason, &format!("witness {}", Object::Officer(witness))).await
}

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
    account_for(deed, chip, reason, evidence).await
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
    let mut application = applications::steps::of_office(deed, id).await?;
    if application.stage.chip() != bound {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    if let Some(serial) = &bound {
        let mut chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
        end_document(deed, &chip).await?;
        let account = account(deed, "application cancelled", "its cancellation");
        chip.state = chip.state.spoil(account)?;
        store::set_state(deed.tx(), serial, &chip.state).await?;
        let entry = Entry::new(Action::ChipSpoiled, Object::Chip(*serial), Purpose::Cancellation);
        deed.enter(entry.with(Object::Application(id)).about(application.person)).await?;
    }
    application.stage = application.stage.cancel(deed.decision(), reason)?;
    let cancelled =
        applications::steps::moved(deed, application, Action::ApplicationCancelled, Purpose::Cancellation).await?;
    Ok(cancelled)
}

/// Accounts for a chip, whatever state it is in: its document is revoked, its application waits for another chip.
async fn account_for<A: Actor>(
    deed: &mut Deed<A>,
    mut chip: Chip,
    reason: &str,
    evidence: &str,
) -> Result<Chip, ProductionError> {
    let (reason, evidence) = tidy(reason).zip(tidy(evidence)).ok_or(ProductionError::EvidenceMissing)?;
    let account = account(deed, &reason, &evidence);
    if let ChipState::Personalized { card, .. } = &chip.state {
        cards::steps::spoil(deed, *card).await?;
    }
    if let ChipState::Bound { application, .. } | ChipState::Personalized { application, .. } = chip.state {
        end_document(deed, &chip).await?;
        let found = applications::store::application_locked(deed, application).await?;
        let mut application = found.ok_or(ProductionError::ApplicationGone)?;
        application.stage = application.stage.unbind()?;
        applications::store::move_to(deed.tx(), application.id, &application.stage).await?;
        let object = Object::Application(application.id);
        let entry = Entry::new(Action::ApplicationUnbound, object, Purpose::Stock).about(application.person);
        deed.enter(entry.with(Object::Chip(chip.serial))).await?;
    }
    chip.state = chip.state.spoil(account)?;
    store::set_state(deed.tx(), &chip.serial, &chip.state).await?;
    // The reason is the caller's own text; the ledger keeps it, and the trail says that there is one.
    let entry = Entry::new(Action::ChipSpoiled, Object::Chip(chip.serial), Purpose::Stock);
    deed.enter(entry.because("accounted for")).await?;
    Ok(chip)
}

/// Ends a chip's document. One that was signed may stand on the chip, so kiosks must refuse it; one that was
/// not will never be signed.
async fn end_document<A: Actor>(deed: &mut Deed<A>, chip: &Chip) -> Result<(), ProductionError> {
    let Some(application) = chip.state.application() else { return Ok(()) };
    let Some(document) = store::document(deed.tx(), application, &chip.serial).await? else { return Ok(()) };
    store::drop_document(deed.tx(), document.id).await?;
    if let Some((_, sod_sha256)) = document.signed {
        cards::steps::revoke_unissued(deed, &sod_sha256).await?;
    }
    Ok(())
}

fn account<A: Actor>(deed: &Deed<A>, reason: &str, evidence: &str) -> Account {
    Account { reason: reason.to_owned(), evidence: evidence.to_owned(), by: deed.caller().to_string(), at: deed.at() }
}
