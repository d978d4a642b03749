//! A card that was made before a loss, and that the restored database does not know, is entered again if its chip
//! proves it and the register has its application; else it becomes a finding, which two officers revoke.

use serde::Serialize;

use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{Chip, ChipState};
use super::store;
use super::store::findings::{self, Finding};
use super::voucher::Voucher;
use crate::applications::model::{Application, Stage};
use crate::applications::progress::move_to;
use crate::applications::store as applications;
use crate::cards::model::{BodyCheck, Card, Status};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::Decision;
use crate::ground::actor::Service;
use crate::ground::ids::{CardId, FindingId};
use crate::{access, cards, numbering, population};

/// What became of an order that a station's voucher tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reentry {
    /// It waits for two officers, entered now or at an earlier reconciliation.
    Found(FindingId, Why),
    /// The database knows the document: a card, or revoked.
    Known,
    /// It is in the ledger and in the registry of cards again.
    Reentered(CardId),
}

/// Why a document was not entered again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The application has taken another way since, or its approval is lost.
    ApplicationElsewhere,
    /// The restored database has no such application.
    ApplicationUnknown,
    /// The chip has taken another way in the ledger.
    ChipElsewhere,
    /// The chip is in no delivery that the restored ledger knows.
    ChipUnknown,
    /// The holder has another number since, or the number is another person's.
    NumberElsewhere,
    /// The restored register does not know the holder.
    PersonUnknown,
    /// The order was given; that the chip is the card, no journal proves.
    Unproved,
}

impl Why {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApplicationElsewhere => "application-elsewhere",
            Self::ApplicationUnknown => "application-unknown",
            Self::ChipElsewhere => "chip-elsewhere",
            Self::ChipUnknown => "chip-unknown",
            Self::NumberElsewhere => "number-elsewhere",
            Self::PersonUnknown => "person-unknown",
            Self::Unproved => "unproved",
        }
    }
}

/// Enters what a voucher tells of. `proved`: the chip itself proves that it is the card. Without `commit` nothing is
/// changed, and what would be is returned. Repeated, it changes nothing more.
///
/// The number goes back to its person whether or not the card does: the voucher is the service's own word that it was
/// given. A number whose person the register does not know is withheld for ever.
///
/// # Errors
/// [`ProductionError`]
pub async fn reenter(deeds: &Deeds, voucher: &Voucher, proved: bool, commit: bool) -> Result<Reentry, ProductionError> {
    let mut deed = deeds.open(Service).await?;
    if cards::steps::status(deed.tx(), &hex::encode(voucher.sod_sha256)).await? != "unknown" {
        return Ok(Reentry::Known);
    }
    let before = findings::of_document(deed.tx(), &voucher.sod_sha256).await?;
    // Chip, application, person: the order in which every verb locks them.
    let chip = store::chip_locked(deed.tx(), &voucher.serial).await?;
    if let (false, Some(chip)) = (proved, &chip)
        && in_work(&mut deed, voucher, chip).await?
    {
        return Ok(Reentry::Known);
    }
    let application = applications::application_locked(&mut deed, voucher.application).await?;
    let number = number_again(&mut deed, voucher).await?;
    let judged = match (number, chip, application) {
        _ if !proved => Err(Why::Unproved),
        (Err(why), ..) => Err(why),
        (_, None, _) => Err(Why::ChipUnknown),
        (.., None) => Err(Why::ApplicationUnknown),
        (Ok(()), Some(chip), Some(application)) => card_again(&mut deed, voucher, chip, application).await?,
    };
    let reentry = match (judged, before) {
        (Ok(card), before) => {
            if let Some(before) = before {
                let at = deed.at();
                findings::decide(deed.tx(), before.id, "settled", None, at).await?;
            }
            Reentry::Reentered(card)
        }
        (Err(why), Some(before)) => Reentry::Found(before.id, why),
        (Err(why), None) => Reentry::Found(find(&mut deed, voucher, why).await?, why),
    };
    if commit && told(&deed, voucher) {
        deed.commit().await?;
    }
    Ok(reentry)
}

/// True if the ledger has the chip bound to the same document: it is presented again, and goes on where it was.
async fn in_work(deed: &mut Deed<Service>, voucher: &Voucher, chip: &Chip) -> Result<bool, ProductionError> {
    let bound = matches!(&chip.state, ChipState::Bound { application, .. } if *application == voucher.application);
    let document = store::document(deed.tx(), voucher.application, &voucher.serial).await?;
    Ok(bound && document.is_some_and(|document| document.id == voucher.document))
}

/// True if the verb did anything: a finding of before that stays as it is leaves no record.
fn told(deed: &Deed<Service>, voucher: &Voucher) -> bool {
    deed.told().contains(&voucher.person)
}

/// Gives the number of the voucher back to its person, or withholds it.
async fn number_again(deed: &mut Deed<Service>, voucher: &Voucher) -> Result<Result<(), Why>, ProductionError> {
    let Some(number) = voucher.number() else { return Ok(Err(Why::NumberElsewhere)) };
    let at = deed.at();
    let holder = numbering::store::holder(deed.tx(), &number).await?;
    let Some(person) = population::store::person_locked(deed, voucher.person).await? else {
        if holder.is_none() {
            numbering::store::withhold(deed.tx(), &number, at).await?;
        }
        return Ok(Err(Why::PersonUnknown));
    };
    if person.personal_number.as_ref() == Some(&number) {
        return Ok(Ok(()));
    }
    if holder.is_some() || person.personal_number.is_some() {
        if holder.is_none() {
            numbering::store::withhold(deed.tx(), &number, at).await?;
        }
        return Ok(Err(Why::NumberElsewhere));
    }
    // The officer who gave it may have been appointed after the backup.
    let by = match voucher.numbered_by {
        Some(by) if access::knows_officer(deed.tx(), by).await? => Some(by),
        _ => population::store::declarer(deed.tx(), voucher.person).await?,
    };
    let Some(by) = by else { return Ok(Err(Why::PersonUnknown)) };
    if !numbering::store::give(deed.tx(), &number, voucher.person, &Decision { by, at }).await? {
        return Ok(Err(Why::NumberElsewhere));
    }
    population::store::set_number(deed.tx(), voucher.person, &number).await?;
    let entry = Entry::new(Action::NumberEstablished, Object::Person(voucher.person), Purpose::Numbering);
    deed.enter(entry.about(voucher.person).because("entered again after a restoration")).await?;
    Ok(Ok(()))
}

/// Enters the card, if chip and application stand where it can follow.
async fn card_again(
    deed: &mut Deed<Service>,
    voucher: &Voucher,
    mut chip: Chip,
    mut application: Application,
) -> Result<Result<CardId, Why>, ProductionError> {
    let Some((issued, expires)) = voucher.days() else { return Ok(Err(Why::ApplicationElsewhere)) };
    if application.person != voucher.person {
        return Ok(Err(Why::ApplicationElsewhere));
    }
    let at = deed.at();
    chip.state = match chip.state {
        ChipState::Delivered => {
            if !store::enter_keys(deed.tx(), &voucher.serial, &voucher.keys, at).await? {
                return Ok(Err(Why::ChipElsewhere));
            }
            ChipState::Initialised { keys: voucher.keys.clone() }.bind(voucher.application)?
        }
        ChipState::Initialised { keys } if keys == voucher.keys => {
            ChipState::Initialised { keys }.bind(voucher.application)?
        }
        ChipState::Bound { keys, application } if keys == voucher.keys && application == voucher.application => {
            ChipState::Bound { keys, application }
        }
        _ => return Ok(Err(Why::ChipElsewhere)),
    };
    application.stage = match application.stage {
        stage @ Stage::Approved { .. } => stage.bind(voucher.serial)?,
        Stage::InProduction { chip, capture, approval } if chip == voucher.serial => {
            Stage::InProduction { chip, capture, approval }
        }
        _ => return Ok(Err(Why::ApplicationElsewhere)),
    };
    // A document that was prepared for this chip after the restoration: the chip proves that it has the other one.
    let document = store::document(deed.tx(), voucher.application, &voucher.serial).await?;
    if let Some(other) = document.filter(|document| document.id != voucher.document) {
        store::drop_document(deed.tx(), other.id).await?;
        if let Some((_, sod_sha256)) = other.signed {
            cards::steps::revoke_unissued(deed, &sod_sha256).await?;
        }
    }
    let card = Card {
        id: deed.id(),
        person: voucher.person,
        application: application.id,
        serial: voucher.serial,
        sod_sha256: voucher.sod_sha256,
        office: voucher.office.clone(),
        issued,
        expires,
        status: Status::Personalized,
        must_change: false,
        // What was checked before the loss is not known any more: where the check is demanded, it is made anew.
        body: BodyCheck::NotDue,
        recalled: false,
    };
    cards::steps::issue(deed.tx(), &card).await?;
    chip.state = chip.state.personalize(card.id)?;
    let is_here = chip.office == application.office;
    let stage = application.stage;
    application.stage = if is_here { stage.personalize(card.id)? } else { stage.dispatch(card.id)? };
    move_to(deed, application.id, &application.stage).await?;
    let entry = Entry::new(Action::CardReentered, Object::Card(card.id), Purpose::Personalization);
    let entry = entry.about(voucher.person).with(Object::Chip(chip.serial)).of(&card.office);
    let because = format!("{} of {}", Object::Order(voucher.order), Object::Station(voucher.station));
    ledger::post(deed, &mut chip, Movement::Reentered, entry.because(because)).await?;
    Ok(Ok(card.id))
}

/// Enters what is to be revoked.
async fn find(deed: &mut Deed<Service>, voucher: &Voucher, why: Why) -> Result<FindingId, ProductionError> {
    let finding = Finding {
        id: deed.id(),
        sod_sha256: voucher.sod_sha256,
        serial: voucher.serial,
        office: voucher.office.clone(),
        person: voucher.person,
        reason: why.word().to_owned(),
        state: "open".to_owned(),
        proposed: None,
    };
    let at = deed.at();
    findings::insert(deed.tx(), &finding, at).await?;
    let entry = Entry::new(Action::FindingEntered, Object::Finding(finding.id), Purpose::Administration);
    let entry = entry.about(voucher.person).with(Object::Chip(voucher.serial)).of(&voucher.office);
    deed.enter(entry.because(why.word())).await?;
    Ok(finding.id)
}
