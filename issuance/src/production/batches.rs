//! A batch of production: the blanks that are put into a station's tray together. It closes only when each of them is
//! accounted for: in = good + spoiled + held + moved.

use std::collections::BTreeSet;

use crypto::identity::CardSerial;

use super::error::ProductionError;
use super::model::ChipState;
use super::steps::MOST_IN_CUSTODY;
use super::store;
use super::store::batches::{self as kept, Batch, Closed};
use crate::access;
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Officer;
use crate::ground::ids::{ProductionBatchId, StationId};

/// Opens a batch of blanks that a station holds.
///
/// # Errors
/// [`ProductionError::OfChip`] with [`ProductionError::OtherCustody`] for a chip that the station does not hold, with
/// [`ProductionError::InBatch`] for one in an open batch
pub async fn open(
    deed: &mut Deed<Officer>,
    station: StationId,
    serials: &[CardSerial],
) -> Result<Batch, ProductionError> {
    let office = access::office_of_station(deed.tx(), station).await?.ok_or(ProductionError::StationUnknown)?;
    deed.actor().may_act_for(&office)?;
    let serials: BTreeSet<CardSerial> = serials.iter().copied().collect();
    if serials.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
    if serials.is_empty() {
        return Err(ProductionError::DeliveryEmpty);
    }
    for serial in &serials {
        is_blank_at(deed, serial, station)
            .await
            .map_err(|why| ProductionError::OfChip { serial: *serial, source: Box::new(why) })?;
    }
    // After the chips are locked: two officers with one chip see each other's batch.
    let others = kept::open_at(deed.tx(), station).await?;
    if let Some(serial) = others.iter().flat_map(|batch| &batch.serials).find(|serial| serials.contains(serial)) {
        return Err(ProductionError::OfChip { serial: *serial, source: Box::new(ProductionError::InBatch) });
    }
    let serials: Vec<CardSerial> = serials.into_iter().collect();
    let batch = Batch { id: deed.id(), office, station, serials, opened: deed.decision(), closed: None };
    kept::insert(deed.tx(), &batch).await?;
    let entry = Entry::new(Action::ProductionBatchOpened, Object::ProductionBatch(batch.id), Purpose::Stock);
    let entry = entry.with(Object::Station(station)).of(&batch.office);
    deed.enter(entry.because(format!("{} blanks", batch.serials.len()))).await?;
    Ok(batch)
}

async fn is_blank_at(deed: &mut Deed<Officer>, serial: &CardSerial, station: StationId) -> Result<(), ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    match &chip.state {
        ChipState::Delivered | ChipState::Initialised { .. } if chip.custody == Some(station) => Ok(()),
        ChipState::Delivered | ChipState::Initialised { .. } => Err(ProductionError::OtherCustody),
        other => Err(other.refusal().into()),
    }
}

/// Closes a batch whose chips are all accounted for: each is a card, is spoiled (or lost, with its case settled), or is
/// among those that the officer holds in hand and is still a blank of the station. Of a batch of before, a blank that
/// another station or office has since has moved. The station may be revoked.
///
/// # Errors
/// [`ProductionError::BatchUnknown`]; [`ProductionError::OfChip`] with [`ProductionError::Unaccounted`] for the first
/// chip that is none of these
pub async fn close(
    deed: &mut Deed<Officer>,
    id: ProductionBatchId,
    held: &[CardSerial],
) -> Result<Batch, ProductionError> {
    let mut batch = kept::locked(deed.tx(), id).await?.ok_or(ProductionError::BatchUnknown)?;
    deed.actor().may_act_for(&batch.office)?;
    if batch.closed.is_some() {
        return Err(ProductionError::BatchUnknown);
    }
    let of_chip = |serial: &CardSerial, why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
    let in_hand: BTreeSet<CardSerial> = held.iter().copied().collect();
    if let Some(stranger) = in_hand.iter().find(|serial| !batch.serials.contains(serial)) {
        return Err(of_chip(stranger, ProductionError::Unaccounted));
    }
    let mut closed = Closed { by: deed.decision(), good: 0, spoiled: 0, held: 0, moved: 0 };
    for serial in &batch.serials {
        let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
        let blank = matches!(chip.state, ChipState::Delivered | ChipState::Initialised { .. });
        // A card was shipped with none: one that another station made has that station.
        let elsewhere = match chip.state {
            ChipState::Delivered | ChipState::Initialised { .. } | ChipState::Bound { .. } => {
                chip.custody != Some(batch.station)
            }
            ChipState::Personalized { .. } => chip.custody.is_some_and(|at| at != batch.station),
            _ => false,
        };
        match &chip.state {
            _ if elsewhere && !in_hand.contains(serial) => closed.moved += 1,
            ChipState::Personalized { .. } if !in_hand.contains(serial) => closed.good += 1,
            ChipState::Spoiled { .. } | ChipState::Destroyed { .. } if !in_hand.contains(serial) => closed.spoiled += 1,
            ChipState::Lost { .. } if !in_hand.contains(serial) => {
                let subject = Object::Chip(*serial).to_string();
                if !store::cases::unsettled_about(deed.tx(), &subject).await?.is_empty() {
                    return Err(of_chip(serial, ProductionError::Unaccounted));
                }
                closed.spoiled += 1;
            }
            _ if blank && in_hand.contains(serial) && chip.custody == Some(batch.station) => closed.held += 1,
            _ => return Err(of_chip(serial, ProductionError::Unaccounted)),
        }
    }
    let Closed { good, spoiled, held, moved, .. } = closed;
    let said = format!("{} in, {good} good, {spoiled} spoiled, {held} held, {moved} moved", batch.serials.len());
    batch.closed = Some(closed);
    kept::close(deed.tx(), &batch).await?;
    let entry = Entry::new(Action::ProductionBatchClosed, Object::ProductionBatch(id), Purpose::Stock);
    deed.enter(entry.with(Object::Station(batch.station)).of(&batch.office).because(said)).await?;
    Ok(batch)
}
