//! The verbs of the stock office, and how a chip is accounted for.

use crypto::identity::CardSerial;
use crypto::perso::Presentation;

use super::error::ProductionError;
use super::model::{Account, Chip, ChipError, ChipState};
use super::store::{self, Delivered};
use crate::access::{Caller, Officer, Station, StationId};
use crate::app::App;
use crate::applications;
use crate::audit;
use crate::cards;
use crate::http::Problem;
use crate::population::check::tidy;
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

/// Enters a delivery of blanks; from now on each has to be accounted for. Gives the delivery's id.
///
/// # Errors
/// [`ProductionError`]
pub async fn deliver(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    delivery: Delivery<'_>,
) -> Result<String, ProductionError> {
    let named = tidy(delivery.manufacturer).zip(tidy(delivery.batch));
    let (manufacturer, batch) = named.filter(|_| !delivery.serials.is_empty()).ok_or(ProductionError::DeliveryEmpty)?;
    let transport_key_id = delivery.transport_key_id;
    if !app.card_keys().knows_transport(transport_key_id) {
        return Err(crate::pki::CardKeysError::Unknown(transport_key_id.to_owned()).into());
    }
    let (id, at, by) = (app.new_id(), app.now(), &officer.id);
    let note = Delivered { id: &id, manufacturer: &manufacturer, batch: &batch, transport_key_id, by, at };
    store::insert_delivery(tx, &note).await?;
    for serial in delivery.serials {
        let chip = Chip {
            serial: *serial,
            delivery: id.clone(),
            transport_key_id: transport_key_id.to_owned(),
            office: officer.office.clone(),
            custody: None,
            state: ChipState::Delivered,
        };
        if !store::insert_chip(tx, &chip).await? {
            return Err(ProductionError::SerialKnown(*serial));
        }
    }
    let purpose = format!("{} blanks", delivery.serials.len());
    audit::record(tx, app, officer, "stock-delivered", &format!("delivery/{id}"), &purpose).await?;
    Ok(id)
}

/// Gives blanks into the custody of a station, out of the store room or from another station of the officer's office.
///
/// # Errors
/// [`ProductionError`]
pub async fn give_custody(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    serials: &[CardSerial],
    station: &StationId,
) -> Result<(), ProductionError> {
    let office = store::office_of_station(tx, station).await?.ok_or(ProductionError::StationUnknown)?;
    officer.may_act_for(&office)?;
    // One order for everybody who locks several chips.
    let mut serials = serials.to_vec();
    serials.sort_unstable();
    serials.dedup();
    for serial in &serials {
        let chip = store::chip_locked(tx, serial).await?.ok_or(ProductionError::ChipUnknown)?;
        officer.may_act_for(&chip.office)?;
        match chip.state {
            ChipState::Delivered | ChipState::Initialised { .. } => {}
            ChipState::Bound { .. } => return Err(ChipError::Bound.into()),
            ChipState::Personalized { .. } => return Err(ChipError::Personalized.into()),
            ChipState::Spoiled { .. } => return Err(ChipError::Spoiled.into()),
        }
        store::set_custody(tx, serial, &office, station).await?;
        let purpose = format!("custody of station {station}");
        audit::record(tx, app, officer, "chip-custody-given", &format!("chip/{serial}"), &purpose).await?;
    }
    Ok(())
}

/// A chip of the ledger, read by an officer of its office.
///
/// # Errors
/// [`ProductionError`]
pub async fn read(tx: &mut Tx, officer: &Officer, serial: &CardSerial) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(tx, serial).await?.ok_or(ProductionError::ChipUnknown)?;
    officer.may_act_for(&chip.office)?;
    Ok(chip)
}

/// An officer writes a chip off, before a witness. One that is personalized and not handed over may be written off too: its card
/// is revoked with it.
///
/// # Errors
/// [`ProductionError`]
pub async fn write_off(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    serial: &CardSerial,
    reason: &str,
    witness: &str,
) -> Result<Chip, ProductionError> {
    let chip = read(tx, officer, serial).await?;
    account_for(tx, app, officer.into(), chip, reason, witness).await
}

/// A station gives a chip up that became no card.
///
/// # Errors
/// [`ProductionError`]; [`ChipError::Personalized`] for a card: that takes an officer and a witness.
pub async fn spoil(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    serial: &CardSerial,
    reason: &str,
    evidence: &str,
) -> Result<Chip, ProductionError> {
    let chip = in_custody(tx, station, serial).await?;
    if let ChipState::Personalized { .. } = chip.state {
        return Err(ChipError::Personalized.into());
    }
    account_for(tx, app, station.into(), chip, reason, evidence).await
}

/// Keeps a chip from other writers until the transaction ends.
///
/// # Errors
/// [`ProductionError`]
pub async fn lock(tx: &mut Tx, serial: &CardSerial) -> Result<(), ProductionError> {
    store::chip_locked(tx, serial).await?.map(drop).ok_or(ProductionError::ChipUnknown)
}

/// The chip of an application that is being cancelled: written off, and its application left to the caller.
///
/// # Errors
/// [`ProductionError`]
pub async fn abandon(tx: &mut Tx, app: &App, officer: &Officer, serial: &CardSerial) -> Result<(), ProductionError> {
    let mut chip = store::chip_locked(tx, serial).await?.ok_or(ProductionError::ChipUnknown)?;
    end_document(tx, app, &chip).await?;
    chip.state = chip.state.spoil(account(app, &officer.into(), "application cancelled", "its cancellation"))?;
    store::set_state(tx, serial, &chip.state).await?;
    audit::record(tx, app, officer, "chip-spoiled", &format!("chip/{serial}"), "application cancelled").await?;
    Ok(())
}

/// The chip, if it is in the ledger and in this station's custody.
pub(super) async fn in_custody(tx: &mut Tx, station: &Station, serial: &CardSerial) -> Result<Chip, ProductionError> {
    let chip = store::chip_locked(tx, serial).await?.ok_or(ProductionError::ChipUnknown)?;
    if chip.custody.as_ref() == Some(&station.id) { Ok(chip) } else { Err(ProductionError::OtherCustody) }
}

/// What a presentation says, but for the key version: which keys open a chip is the ledger's to say, not the station's.
pub(super) fn under(presentation: &Presentation, key_version: u8) -> Presentation {
    Presentation { key_version, ..presentation.clone() }
}

/// Whatever state the chip is in, it will be no card (any more): its document is revoked, its application waits for another chip.
async fn account_for(
    tx: &mut Tx,
    app: &App,
    caller: Caller,
    mut chip: Chip,
    reason: &str,
    evidence: &str,
) -> Result<Chip, ProductionError> {
    let (reason, evidence) = tidy(reason).zip(tidy(evidence)).ok_or(ProductionError::EvidenceMissing)?;
    let account = account(app, &caller, &reason, &evidence);
    if let ChipState::Personalized { card, .. } = &chip.state {
        cards::steps::spoil(tx, app, &caller, card).await?;
    }
    if let ChipState::Bound { application, .. } | ChipState::Personalized { application, .. } = &chip.state {
        end_document(tx, app, &chip).await?;
        let found = applications::store::application_locked(tx, application).await?;
        let mut application = found.ok_or(ProductionError::ApplicationGone)?;
        application.stage = application.stage.unbind()?;
        applications::store::move_to(tx, &application.id, &application.stage).await?;
        let object = format!("application/{}", application.id);
        audit::record(tx, app, &caller, "application-unbound", &object, "its chip is spoiled").await?;
    }
    chip.state = chip.state.spoil(account)?;
    store::set_state(tx, &chip.serial, &chip.state).await?;
    // The reason is the station's own text; the ledger keeps it, and the trail says that there is one.
    audit::record(tx, app, &caller, "chip-spoiled", &format!("chip/{}", chip.serial), "accounted for").await?;
    Ok(chip)
}

/// A document that was signed may stand on the chip: kiosks must refuse it. One that was not will never be.
async fn end_document(tx: &mut Tx, app: &App, chip: &Chip) -> Result<(), ProductionError> {
    let Some(application) = chip.state.application() else { return Ok(()) };
    let Some(document) = store::document(tx, application, &chip.serial).await? else { return Ok(()) };
    store::drop_document(tx, &document.id).await?;
    if let Some((_, sod_sha256)) = document.signed {
        cards::steps::revoke_unissued(tx, app, &sod_sha256).await?;
    }
    Ok(())
}

fn account(app: &App, caller: &Caller, reason: &str, evidence: &str) -> Account {
    Account { reason: reason.to_owned(), evidence: evidence.to_owned(), by: caller.to_string(), at: app.now() }
}

/// A refused receipt leaves nothing in its transaction; that somebody tried is written down on its own.
pub(super) async fn remember_refusal<T>(
    app: &App,
    station: &Station,
    order: &str,
    answer: Result<T, Problem>,
) -> Result<T, Problem> {
    if let Err(problem) = &answer
        && order.parse::<uuid::Uuid>().is_ok()
    {
        let mut tx = app.begin().await?;
        audit::record(&mut tx, app, station, "receipt-refused", &format!("order/{order}"), problem.code()).await?;
        tx.commit().await?;
    }
    answer
}
