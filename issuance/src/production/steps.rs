//! The verbs of the stock office.

use crypto::identity::CardSerial;
use crypto::perso::Presentation;
use crypto::perso::problem::ProblemCode;

use super::error::ProductionError;
use super::model::{Chip, ChipError, ChipState};
use super::{Production, store};
use crate::access;
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::ids::{DeliveryId, OrderId, StationId};
use crate::ground::text::tidy;
use crate::ground::{Officer, Station};
use crate::keys::CardKeysError;
use crate::store::Tx;

/// A delivery note.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Who made the chips.
    pub manufacturer: &'a str,
    /// The manufacturer's batch.
    pub batch: &'a str,
    /// Under which transport master key they come.
    pub transport_key_id: &'a str,
    /// All of them.
    pub serials: &'a [CardSerial],
}

/// Enters a delivery of blanks; from now on each has to be accounted for. Returns the delivery's id.
///
/// # Errors
/// [`ProductionError`]
pub async fn deliver(
    deed: &mut Deed<Officer>,
    production: &Production,
    delivery: Delivery<'_>,
) -> Result<DeliveryId, ProductionError> {
    let named = tidy(delivery.manufacturer).zip(tidy(delivery.batch));
    let (manufacturer, batch) = named.filter(|_| !delivery.serials.is_empty()).ok_or(ProductionError::DeliveryEmpty)?;
    let transport_key_id = delivery.transport_key_id;
    if !production.card_keys.knows_transport(transport_key_id) {
        return Err(CardKeysError::Unknown(transport_key_id.to_owned()).into());
    }
    let (id, received, office) = (deed.id(), deed.decision(), deed.actor().office.clone());
    let note =
        store::Delivered { id, manufacturer: &manufacturer, batch: &batch, transport_key_id, received: &received };
    store::insert_delivery(deed.tx(), &note).await?;
    for serial in delivery.serials {
        let chip = Chip {
            serial: *serial,
            delivery: id,
            transport_key_id: transport_key_id.to_owned(),
            office: office.clone(),
            custody: None,
            state: ChipState::Delivered,
        };
        if !store::insert_chip(deed.tx(), &chip).await? {
            return Err(ProductionError::SerialKnown(*serial));
        }
    }
    let entry = Entry::new(Action::StockDelivered, Object::Delivery(id), Purpose::Stock);
    deed.enter(entry.because(format!("{} blanks", delivery.serials.len()))).await?;
    Ok(id)
}

/// Gives blanks into the custody of a station, out of the store room or from another station of the officer's office.
///
/// # Errors
/// [`ProductionError`]
pub async fn give_custody(
    deed: &mut Deed<Officer>,
    serials: &[CardSerial],
    station: StationId,
) -> Result<(), ProductionError> {
    let office = access::office_of_station(deed.tx(), station).await?.ok_or(ProductionError::StationUnknown)?;
    deed.actor().may_act_for(&office)?;
    // One order for all transactions that lock several chips.
    let mut serials = serials.to_vec();
    serials.sort_unstable();
    serials.dedup();
    if serials.is_empty() {
        return Err(ProductionError::DeliveryEmpty);
    }
    for serial in &serials {
        let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
        deed.actor().may_act_for(&chip.office)?;
        match chip.state {
            ChipState::Delivered | ChipState::Initialised { .. } => {}
            ChipState::Bound { .. } => return Err(ChipError::Bound.into()),
            ChipState::Personalized { .. } => return Err(ChipError::Personalized.into()),
            ChipState::Spoiled { .. } => return Err(ChipError::Spoiled.into()),
        }
        store::set_custody(deed.tx(), serial, &office, station).await?;
        let entry = Entry::new(Action::ChipCustodyGiven, Object::Chip(*serial), Purpose::Stock);
        deed.enter(entry.with(Object::Station(station))).await?;
    }
    Ok(())
}

/// Returns a chip of the ledger to an officer of its office.
///
/// # Errors
/// [`ProductionError`]
pub async fn read(tx: &mut Tx, officer: &Officer, serial: &CardSerial) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(tx, serial).await?.ok_or(ProductionError::ChipUnknown)?;
    officer.may_act_for(&chip.office)?;
    Ok(chip)
}

/// Returns the chip, kept from other writers, if it is in the ledger and in this station's custody.
pub(super) async fn in_custody(deed: &mut Deed<Station>, serial: &CardSerial) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    if chip.custody == Some(deed.actor().id) { Ok(chip) } else { Err(ProductionError::OtherCustody) }
}

/// What a presentation says, but for the key version: which keys open a chip is the ledger's to say, not the station's.
pub(super) fn under(presentation: &Presentation, key_version: u8) -> Presentation {
    Presentation { key_version, ..presentation.clone() }
}

/// Audits a refused receipt in a deed of its own, since the refused one is rolled back.
///
/// # Errors
/// [`DeedError`]
pub(super) async fn record_refused_receipt(
    deeds: &Deeds,
    station: Station,
    order: OrderId,
    code: ProblemCode,
) -> Result<(), DeedError> {
    let mut deed = deeds.open(station).await?;
    let entry = Entry::new(Action::ReceiptRefused, Object::Order(order), Purpose::Personalization).refused(code);
    deed.enter(entry).await?;
    deed.commit().await
}
