//! Blanks and finished cards on their way from one office to another: in a box that one office sends and the other one
//! receives chip by chip. What differs stays on the courier's account until two officers settle it.

use std::collections::BTreeSet;

use crypto::identity::CardSerial;

use super::cases::{self, Case, CaseKind, CaseOutcome, Difference};
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Chip, ChipState};
use super::steps::{MOST_IN_CUSTODY, may_move};
use super::store;
use super::store::boxes::{self as kept, StockBox};
use crate::applications::model::{Application, Stage};
use crate::applications::progress::move_to;
use crate::cards::model::BodyCheck;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{BoxId, CaseId, EntryId};
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer};
use crate::{applications, cards};

/// Puts blanks of one office into a box for another one. From now on they are on the courier's account.
///
/// # Errors
/// [`ProductionError::BoxUnfit`] for a box to the office that sends it; [`ProductionError::OfChip`],
/// [`ProductionError::ListTooLong`]
pub async fn send(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    to: OfficeCode,
) -> Result<StockBox, ProductionError> {
    let serials: BTreeSet<CardSerial> = serials.iter().copied().collect();
    if serials.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    let Some(first) = serials.first() else { return Err(ProductionError::DeliveryEmpty) };
    let from = store::chip_locked(deed.tx(), first).await?.ok_or(ProductionError::ChipUnknown)?.office;
    if from == to {
        return Err(ProductionError::BoxUnfit);
    }
    let serials: Vec<CardSerial> = serials.into_iter().collect();
    let sent = StockBox { id: deed.id(), from, to, serials, seal: None, sent: deed.decision(), received: None };
    kept::insert(deed.tx(), &sent).await?;
    let entry = Entry::new(Action::StockBoxSent, Object::StockBox(sent.id), Purpose::Stock).of(&sent.from);
    let said = format!("{} blanks for {}", sent.serials.len(), sent.to.as_str());
    let entry = deed.entered(entry.because(said)).await?;
    for serial in &sent.serials {
        let of_chip = |why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
        let mut chip = may_move(deed, serial).await.map_err(of_chip)?;
        if chip.office != sent.from {
            return Err(of_chip(crate::ground::OtherOffice.into()));
        }
        (chip.custody, chip.boxed) = (None, Some(sent.id));
        ledger::post_under(deed, &mut chip, Movement::Sent, entry).await?;
    }
    Ok(sent)
}

/// Puts finished cards of applications of another office into a sealed parcel for it. From now on they are on the
/// courier's account.
///
/// # Errors
/// [`ProductionError::BoxUnfit`] for a parcel to the office that sends it; [`ProductionError::OfChip`] with
/// [`ProductionError::NotToShip`] for what is no card that waits to be shipped to that office
pub async fn ship(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    to: OfficeCode,
    seal: &str,
) -> Result<StockBox, ProductionError> {
    let seal = tidy(seal).ok_or(ProductionError::BoxUnfit)?;
    let serials: BTreeSet<CardSerial> = serials.iter().copied().collect();
    if serials.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    let Some(first) = serials.first() else { return Err(ProductionError::DeliveryEmpty) };
    let from = store::chip_locked(deed.tx(), first).await?.ok_or(ProductionError::ChipUnknown)?.office;
    deed.actor().may_act_for(&from)?;
    if from == to {
        return Err(ProductionError::BoxUnfit);
    }
    let serials: Vec<CardSerial> = serials.into_iter().collect();
    let sent = StockBox { id: deed.id(), from, to, serials, seal: Some(seal), sent: deed.decision(), received: None };
    kept::insert(deed.tx(), &sent).await?;
    let entry = Entry::new(Action::ParcelSent, Object::StockBox(sent.id), Purpose::Stock).of(&sent.from);
    let said = format!("{} cards for {}", sent.serials.len(), sent.to.as_str());
    deed.enter(entry.because(said)).await?;
    for serial in &sent.serials {
        let of_chip = |why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
        let mut chip =
            store::chip_locked(deed.tx(), serial).await?.ok_or_else(|| of_chip(ProductionError::ChipUnknown))?;
        if chip.boxed.is_some() {
            return Err(of_chip(ProductionError::InBox));
        }
        let application = awaits_shipping(deed, &chip).await?;
        let application = application.filter(|application| chip.office == sent.from && application.office == sent.to);
        let application = application.ok_or_else(|| of_chip(ProductionError::NotToShip))?;
        let card = application.stage.card().ok_or(ProductionError::ApplicationGone)?;
        let card_row = cards::store::card_locked(deed, card).await?;
        if card_row.as_ref().is_some_and(|card| card.recalled) {
            return Err(of_chip(ProductionError::Recalled));
        }
        if card_row.is_none_or(|card| card.body == BodyCheck::Awaited) {
            return Err(of_chip(cards::CardError::BodyUnchecked.into()));
        }
        (chip.custody, chip.boxed) = (None, Some(sent.id));
        let entry = Entry::new(Action::CardSent, Object::Card(card), Purpose::Stock).about(application.person);
        let entry = entry.with(Object::StockBox(sent.id)).of(&sent.to);
        ledger::post(deed, &mut chip, Movement::Sent, entry).await?;
    }
    Ok(sent)
}

/// A chip that lay at the sender and came in this box, whatever the list of the box says, is on the courier's account.
async fn too_many(
    deed: &mut Deed<Officer>,
    chip: &mut Chip,
    received: &StockBox,
    blanks: EntryId,
) -> Result<(), ProductionError> {
    if received.seal.is_none() {
        chip.boxed = Some(received.id);
        return Ok(ledger::post_under(deed, chip, Movement::Sent, blanks).await?);
    }
    let Some(application) = awaits_shipping(deed, chip).await? else { return Ok(()) };
    let card = application.stage.card().ok_or(ProductionError::ApplicationGone)?;
    (chip.custody, chip.boxed) = (None, Some(received.id));
    let entry = Entry::new(Action::CardSent, Object::Card(card), Purpose::Stock).about(application.person);
    let entry = entry.with(Object::StockBox(received.id)).of(&received.to);
    Ok(ledger::post(deed, chip, Movement::Sent, entry).await?)
}

/// Returns the application of a card that is to be shipped or on its way.
async fn awaits_shipping(deed: &mut Deed<Officer>, chip: &Chip) -> Result<Option<Application>, ProductionError> {
    let ChipState::Personalized { application, .. } = chip.state else { return Ok(None) };
    let Some(found) = applications::store::application_locked(deed, application).await? else { return Ok(None) };
    if let Stage::Shipped { .. } = found.stage {
        return Ok(Some(found));
    }
    let entry = Entry::new(Action::ApplicationRead, Object::Application(application), Purpose::Stock);
    deed.enter(entry.about(found.person).of(&found.office)).await?;
    Ok(None)
}

/// The card of a chip that was counted is at the office of its application, and can be handed over there.
async fn arrives(
    deed: &mut Deed<Officer>,
    chip: &mut Chip,
    parcel: &StockBox,
    blanks: EntryId,
) -> Result<(), ProductionError> {
    (chip.office, chip.boxed) = (parcel.to.clone(), None);
    let Some(mut application) = awaits_shipping(deed, chip).await? else {
        return Ok(ledger::post_under(deed, chip, Movement::Arrived, blanks).await?);
    };
    let card = application.stage.card().ok_or(ProductionError::ApplicationGone)?;
    application.stage = application.stage.arrive()?;
    move_to(deed, application.id, &application.stage).await?;
    let entry = Entry::new(Action::CardArrived, Object::Card(card), Purpose::Stock).about(application.person);
    let entry = entry.with(Object::StockBox(parcel.id)).of(&parcel.to);
    Ok(ledger::post(deed, chip, Movement::Arrived, entry).await?)
}

/// The office that a box was sent to counts what is in it. What was sent and came is now that office's; one chip too
/// few or too many opens a case, which is returned, and stays on the courier's account.
///
/// # Errors
/// [`ProductionError::BoxUnknown`], also for a box that was received; [`ProductionError::OtherOffice`]
pub async fn receive(
    deed: &mut Deed<Officer>,
    id: BoxId,
    counted: &[CardSerial],
) -> Result<(StockBox, Option<CaseId>), ProductionError> {
    let counted: BTreeSet<CardSerial> = counted.iter().copied().collect();
    if counted.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    let mut received = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::BoxUnknown)?;
    deed.actor().may_act_for(&received.to)?;
    if received.received.is_some() {
        return Err(ProductionError::BoxUnknown);
    }
    // The national office acts for both: a parcel of cards is opened by another officer than the one who sealed it.
    if received.seal.is_some() && received.sent.by == deed.actor().id {
        return Err(ProductionError::SecondOfficer);
    }
    received.received = Some((deed.decision(), counted.len() as u64));
    kept::receive(deed.tx(), &received).await?;
    let entry = Entry::new(Action::StockBoxReceived, Object::StockBox(id), Purpose::Stock).of(&received.to);
    let what = if received.seal.is_some() { "cards" } else { "blanks" };
    let said = format!("{} of {} {what}", counted.len(), received.serials.len());
    let entry = deed.entered(entry.because(said)).await?;
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    // One order for all transactions that lock several chips.
    let all: BTreeSet<CardSerial> = counted.iter().chain(&received.serials).copied().collect();
    for serial in all {
        let chip = store::chip_locked(deed.tx(), &serial).await?;
        let in_box = chip.as_ref().is_some_and(|chip| chip.boxed == Some(id));
        match (counted.contains(&serial), chip) {
            (true, Some(mut chip)) if in_box => arrives(deed, &mut chip, &received, entry).await?,
            (true, chip) => {
                extra.push(serial);
                // It left the sender in this box, whatever the list of the box says.
                let of_sender = chip.filter(|chip| {
                    let is_blank = matches!(chip.state, ChipState::Delivered | ChipState::Initialised { .. });
                    let fits = if received.seal.is_some() {
                        matches!(chip.state, ChipState::Personalized { .. })
                    } else {
                        is_blank && chip.custody.is_none()
                    };
                    fits && chip.office == received.from && chip.boxed.is_none()
                });
                if let Some(mut chip) = of_sender {
                    too_many(deed, &mut chip, &received, entry).await?;
                }
            }
            (false, Some(_)) if in_box => missing.push(serial),
            // It was written off or reported lost on the way.
            (false, _) => {}
        }
    }
    let case = if missing.is_empty() && extra.is_empty() {
        None
    } else {
        let (office, subject) = (received.to.clone(), Object::StockBox(id));
        Some(cases::open(deed, Difference { kind: CaseKind::Box, office, subject, missing, extra }).await?)
    };
    Ok((received, case))
}

/// Takes what is left on the courier's account of a box to the office where two officers say that it is.
pub(super) async fn settle(deed: &mut Deed<Officer>, case: &Case, outcome: CaseOutcome) -> Result<(), ProductionError> {
    let id: Option<BoxId> = case.subject.strip_prefix("stock-box/").and_then(|id| id.parse().ok());
    let id = id.ok_or(ProductionError::BoxUnknown)?;
    let boxed = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::BoxUnknown)?;
    let entry = Entry::new(Action::StockBoxSettled, Object::StockBox(id), Purpose::Stock).of(&boxed.to);
    let entry = deed.entered(entry.because(outcome.word())).await?;
    let serials: BTreeSet<CardSerial> = case.missing.iter().chain(&case.extra).copied().collect();
    for serial in serials {
        let chip = store::chip_locked(deed.tx(), &serial).await?;
        // What was written off or reported lost meanwhile is on no courier's account.
        let Some(mut chip) = chip.filter(|chip| chip.boxed == Some(id)) else { continue };
        if outcome == CaseOutcome::Returned {
            chip.boxed = None;
            ledger::post_under(deed, &mut chip, Movement::Returned, entry).await?;
        } else {
            arrives(deed, &mut chip, &boxed, entry).await?;
        }
    }
    Ok(())
}
