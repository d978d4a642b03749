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
use crate::ground::{OfficeCode, Officer, Station};
use crate::keys::CardKeysError;
use crate::store::{StoreError, Tx};

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

/// Enters a delivery of at most [`MOST_BLANKS`]; from now on each has to be accounted for. Returns the delivery's id.
///
/// A serial that another delivery brought is refused, and the refusal names the office that has it. Where that was a
/// claim on paper (no station ever held the blank), the national office enters the true delivery and takes it over.
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
    if delivery.serials.len() > MOST_BLANKS {
        return Err(ProductionError::ListTooLong { most: MOST_BLANKS });
    }
    // One order for all transactions that enter several chips.
    let mut serials = delivery.serials.to_vec();
    serials.sort_unstable();
    if let Some(pair) = serials.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ProductionError::SerialTwice(pair[0]));
    }
    let transport_key_id = delivery.transport_key_id;
    if !production.card_keys.knows_transport(transport_key_id) {
        return Err(CardKeysError::Unknown(transport_key_id.to_owned()).into());
    }
    let (id, received, office) = (deed.id(), deed.decision(), deed.actor().office.clone());
    let note =
        store::Delivered { id, manufacturer: &manufacturer, batch: &batch, transport_key_id, received: &received };
    store::insert_delivery(deed.tx(), &note).await?;
    let entered = store::insert_blanks(deed.tx(), &note, &office, &serials).await?;
    let before = serials.len() as u64 - entered;
    let national = office == OfficeCode::national();
    let taken =
        if before > 0 && national { store::take_over_blanks(deed.tx(), &note, &office, &serials).await? } else { 0 };
    if taken < before {
        let found = store::delivered_before(deed.tx(), id, &serials).await?;
        let (serial, office) = found.ok_or_else(|| StoreError::inconsistent("chip", "delivery_id", id))?;
        return Err(ProductionError::SerialKnown { serial, office });
    }
    let entry = Entry::new(Action::StockDelivered, Object::Delivery(id), Purpose::Stock);
    let taken = if taken > 0 { format!(", {taken} of them claimed before by another office") } else { String::new() };
    deed.enter(entry.because(format!("{} blanks{taken}", serials.len()))).await?;
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
    if serials.len() > MOST_IN_CUSTODY {
        return Err(ProductionError::ListTooLong { most: MOST_IN_CUSTODY });
    }
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
        // Of a thousand serials it says which one.
        may_move(deed, serial)
            .await
            .map_err(|why| ProductionError::OfChip { serial: *serial, source: Box::new(why) })?;
        store::set_custody(deed.tx(), serial, &office, station).await?;
        let entry = Entry::new(Action::ChipCustodyGiven, Object::Chip(*serial), Purpose::Stock);
        deed.enter(entry.with(Object::Station(station))).await?;
    }
    Ok(())
}

/// Refuses to give a chip of another office, or one that is no blank any more, into custody.
async fn may_move(deed: &mut Deed<Officer>, serial: &CardSerial) -> Result<(), ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    match chip.state {
        ChipState::Delivered | ChipState::Initialised { .. } => Ok(()),
        ChipState::Bound { .. } => Err(ChipError::Bound.into()),
        ChipState::Personalized { .. } => Err(ChipError::Personalized.into()),
        ChipState::Spoiled { .. } => Err(ChipError::Spoiled.into()),
    }
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

/// Most blanks of one delivery note: so many are entered in less time than other writers mind.
pub const MOST_BLANKS: usize = 10_000;
/// Most blanks that change hands at once: each is locked and recorded singly.
pub const MOST_IN_CUSTODY: usize = 1_000;
