//! The verbs of the stock office.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::CardSerial;
use crypto::perso::Presentation;
use crypto::perso::problem::ProblemCode;

use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Chip, ChipState};
use super::store::ledger::Posting;
use super::{Production, store};
use crate::access;
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::ids::{DeliveryId, EntryId, OrderId, StationId};
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer, OtherOffice, Station};
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
    /// The software on the chips, as the manufacturer names it.
    pub firmware: Option<&'a str>,
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
    let firmware = delivery.firmware.and_then(tidy);
    let firmware = firmware.as_deref();
    let note = store::Delivered {
        id,
        manufacturer: &manufacturer,
        batch: &batch,
        transport_key_id,
        firmware,
        received: &received,
    };
    store::insert_delivery(deed.tx(), &note).await?;
    let claimed = store::claimed_before(deed.tx(), id, &serials).await?;
    let said = if claimed.is_empty() {
        String::new()
    } else {
        format!(", {} of them claimed before by another office", claimed.len())
    };
    let entry = Entry::new(Action::StockDelivered, Object::Delivery(id), Purpose::Stock);
    let entry = deed.entered(entry.because(format!("{} blanks{said}", serials.len()))).await?;
    let posting = Posting { id: deed.id(), at: deed.at(), movement: Movement::Received, entry };
    let entered = store::ledger::receive(deed.tx(), &note, &office, &serials, &posting).await?;
    let mut taken = 0;
    if office == OfficeCode::national() {
        for serial in &claimed {
            taken += u64::from(take_over(deed, serial, &note, entry).await?);
        }
    }
    if entered + taken < serials.len() as u64 {
        let found = store::delivered_before(deed.tx(), id, &serials).await?;
        let (serial, office) = found.ok_or_else(|| StoreError::inconsistent("chip", "delivery_id", id))?;
        return Err(ProductionError::SerialKnown { serial, office });
    }
    Ok(id)
}

/// Moves a blank that lies in the ledger as another delivery's to the delivery of the national office. Returns false
/// for one that a station held: that is no claim on paper.
async fn take_over(
    deed: &mut Deed<Officer>,
    serial: &CardSerial,
    note: &store::Delivered<'_>,
    entry: EntryId,
) -> Result<bool, ProductionError> {
    let mut chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    if chip.state != ChipState::Delivered || chip.custody.is_some() || chip.boxed.is_some() {
        return Ok(false);
    }
    chip.delivery = note.id;
    note.transport_key_id.clone_into(&mut chip.transport_key_id);
    chip.office = OfficeCode::national();
    ledger::post_under(deed, &mut chip, Movement::TakenOver, entry).await?;
    Ok(true)
}

/// Gives blanks into the custody of a station of their office, out of the store room or from another station. Between
/// two offices they go in a box, which the other office counts.
///
/// # Errors
/// [`ProductionError`]; [`ProductionError::OfChip`] with [`ProductionError::OtherOffice`] for a blank of another office
/// than the station's, with [`ProductionError::InBatch`] for one in an open batch of another station
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
    let mut left = Trays::default();
    for serial in &serials {
        // Of a thousand serials it says which one.
        let of_chip = |why| ProductionError::OfChip { serial: *serial, source: Box::new(why) };
        let mut chip = may_move(deed, serial).await.map_err(of_chip)?;
        if chip.office != office {
            return Err(of_chip(OtherOffice.into()));
        }
        let movement = if chip.custody.is_none() { Movement::Opened } else { Movement::Moved };
        if chip.custody != Some(station) {
            left.leaves(&chip);
        }
        chip.custody = Some(station);
        let entry = Entry::new(Action::ChipCustodyGiven, Object::Chip(*serial), Purpose::Stock);
        ledger::post(deed, &mut chip, movement, entry.with(Object::Station(station))).await?;
    }
    left.refuse_open(deed.tx()).await
}

/// Blanks that leave the stations that hold them. One in an open batch stays: the batch says what became of it.
#[derive(Debug, Default)]
pub(super) struct Trays(BTreeMap<StationId, BTreeSet<CardSerial>>);

impl Trays {
    /// Notes that a chip leaves where it is.
    pub(super) fn leaves(&mut self, chip: &Chip) {
        if let Some(station) = chip.custody {
            self.0.entry(station).or_default().insert(chip.serial);
        }
    }

    /// Refuses the first chip that is in an open batch. After all of them are locked: a batch that is opened meanwhile
    /// waits for them.
    pub(super) async fn refuse_open(self, tx: &mut Tx) -> Result<(), ProductionError> {
        for (station, leaving) in self.0 {
            let open = store::batches::open_at(tx, station).await?;
            if let Some(serial) = open.iter().flat_map(|batch| &batch.serials).find(|serial| leaving.contains(serial)) {
                return Err(ProductionError::OfChip { serial: *serial, source: Box::new(ProductionError::InBatch) });
            }
        }
        Ok(())
    }
}

/// Returns a blank that may be given to a station or put into a box, kept from other writers. Refuses a chip of another
/// office, one that is on its way, and one that is no blank any more.
pub(super) async fn may_move(deed: &mut Deed<Officer>, serial: &CardSerial) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(deed.tx(), serial).await?.ok_or(ProductionError::ChipUnknown)?;
    deed.actor().may_act_for(&chip.office)?;
    if chip.boxed.is_some() {
        return Err(ProductionError::InBox);
    }
    match &chip.state {
        ChipState::Delivered | ChipState::Initialised { .. } => Ok(chip),
        other => Err(other.refusal().into()),
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
