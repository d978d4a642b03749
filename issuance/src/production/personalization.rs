//! An initialised chip becomes a card: bound to one application, written by a sealed order, believed on its own MACs and on its own
//! signature over a challenge of ours.
//!
//! ```text
//! bind (transaction) -> document stored -> sign (between transactions) -> order (transaction) -> station plays -> receipt (transaction)
//! ```
//! Each may be repeated: a chip stays bound to its application, a document is signed once, an order is made anew for each counter.

use crypto::identity::{Can, CardSerial};
use crypto::lds::AtrInfo;
use crypto::perso::{LifeCycle, Order, Outcome, Presentation, Reason, Receipt, Script};
use crypto::suite::VerifyingKey;
use rand::Rng as _;

use super::documents;
use super::error::ProductionError;
use super::model::{Chip, ChipError, ChipState};
use super::steps::{in_custody, under};
use super::store::{self, Document, StoredOrder};
use crate::access::Station;
use crate::app::App;
use crate::applications::model::{Application, Stage};
use crate::applications::store as applications;
use crate::audit;
use crate::cards;
use crate::cards::model::{Card, Status};
use crate::store::Tx;

/// An order, and what the station needs to read the card back.
#[derive(Debug)]
pub struct Ordered {
    /// To be played blind.
    pub order: Order,
    /// Opens the chip.
    pub can: Can,
    /// To be signed by the chip.
    pub challenge: [u8; 8],
    /// Which application the chip is bound to.
    pub application: String,
}

/// What came of a receipt of personalization.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PersonalizationOutcome {
    /// Not proved yet: present the chip again (`next`: `present`), or let it sign the challenge (`active-authentication`).
    Incomplete {
        /// What is missing.
        next: &'static str,
    },
    /// It is a card.
    Personalized {
        /// The card's id.
        card: String,
    },
}

/// The chip's signature over the order's challenge.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The eight bytes that came with the order.
    pub challenge: &'a [u8],
    /// Plain ECDSA (`r || s`).
    pub signature: &'a [u8],
}

/// Binds the chip to an application (the same one as before, or the next one that waits), composes and stores the document,
/// and has it signed. Opens and commits its own transactions; whatever is repeated has no second effect.
///
/// # Errors
/// [`ProductionError`]
pub async fn prepare(app: &App, station: &Station, presentation: &Presentation) -> Result<(), ProductionError> {
    let mut tx = app.begin().await?;
    let chip = in_custody(&mut tx, station, &presentation.serial).await?;
    expects(presentation, &chip)?;
    let (chip, application) = bound(&mut tx, app, station, chip).await?;
    let mut document = store::document(&mut tx, &application.id, &chip.serial).await?;
    if let Some(stale) = document.take_if(|document| documents::is_stale(app, document).unwrap_or(false)) {
        store::discard_unsigned(&mut tx, &stale.id).await?;
    }
    let id = match document {
        Some(document) => document.id,
        None => {
            let lengths = AtrInfo { max_command: presentation.max_command, max_response: presentation.max_response };
            let keys = chip.state.keys().ok_or(ChipError::Spoiled)?;
            documents::prepare(&mut tx, app, &application, &chip.serial, keys, lengths).await?
        }
    };
    tx.commit().await?;
    documents::sign(app, &id).await
}

/// The sealed order for a chip that is bound and whose document is signed ([`prepare`]): all files, or, if the chip says that it is
/// personalized and nobody heard of it, its report.
///
/// # Errors
/// [`ProductionError`]
pub async fn order(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    presentation: &Presentation,
) -> Result<Ordered, ProductionError> {
    let chip = in_custody(tx, station, &presentation.serial).await?;
    expects(presentation, &chip)?;
    let (application, document) = in_production(tx, &chip).await?;
    let key_version = chip.state.keys().ok_or(ChipError::Spoiled)?.key_version;
    let keys = app.card_keys().issuer(&chip.serial, key_version);
    let presentation = under(presentation, key_version);
    let (package, can, _) = documents::package(app, &document)?;
    let script = match presentation.life_cycle {
        LifeCycle::Personalized => Script::report(&keys, &presentation, &mut app.rng())?,
        _ => Script::personalize(&keys, &presentation, &package, &mut app.rng())?,
    };
    let id = app.new_id();
    let mut challenge = [0; 8];
    app.rng().fill_bytes(&mut challenge);
    let stored = StoredOrder {
        serial: chip.serial,
        station: station.id.clone(),
        document: Some(document.id),
        script: script.to_record(),
        challenge,
        challenge_used: false,
    };
    store::insert_order(tx, &id, &stored, app.now()).await?;
    let object = format!("chip/{}", chip.serial);
    audit::record(tx, app, station, "personalization-ordered", &object, &format!("order {id}")).await?;
    Ok(Ordered { order: script.order(id), can, challenge, application: application.id })
}

/// Judges a receipt: every answer under the chip's MAC, the files that it reports, and its signature over the order's challenge.
///
/// # Errors
/// [`ProductionError`]
pub async fn receipt(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    receipt: &Receipt,
    proof: Option<Proof<'_>>,
) -> Result<PersonalizationOutcome, ProductionError> {
    let order = store::order(tx, &receipt.order).await?.ok_or(ProductionError::OrderUnknown)?;
    let Some(document) = order.document.clone().filter(|_| order.station == station.id) else {
        return Err(ProductionError::OrderUnknown);
    };
    let mut chip = in_custody(tx, station, &order.serial).await?;
    if order.challenge_used {
        return Err(ProductionError::ChallengeUsed);
    }
    let (mut application, current) = in_production(tx, &chip).await?;
    if current.id != document {
        return Err(ProductionError::OrderUnknown);
    }
    let object = format!("chip/{}", order.serial);
    let keys = app.card_keys().issuer(&order.serial, order.script.key_version());
    let challenge = order.challenge;
    let outcome = match Script::from_record(order.script).verify(&keys, receipt) {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.reason, Reason::Incomplete | Reason::Refused(_)) => {
            audit::record(tx, app, station, "personalization-incomplete", &object, &error.to_string()).await?;
            return Ok(PersonalizationOutcome::Incomplete { next: "present" });
        }
        Err(error) => return Err(error.into()),
    };
    let (package, _, sod_sha256) = documents::package(app, &current)?;
    if !reports(&outcome, &chip, &package.digest())? {
        return Ok(PersonalizationOutcome::Incomplete { next: "present" });
    }
    let Some(proof) = proof else {
        return Ok(PersonalizationOutcome::Incomplete { next: "active-authentication" });
    };
    active_authentication(app, &chip, &challenge, proof)?;
    if !store::use_challenge(tx, &receipt.order, app.now()).await? {
        return Err(ProductionError::ChallengeUsed);
    }
    let card = Card {
        id: app.new_id(),
        person: application.person.clone(),
        application: application.id.clone(),
        serial: chip.serial,
        sod_sha256,
        office: application.office.clone(),
        issued: current.issued,
        expires: current.expires,
        status: Status::Personalized,
    };
    cards::steps::issue(tx, &card).await?;
    chip.state = chip.state.personalize(card.id.clone())?;
    store::set_state(tx, &chip.serial, &chip.state).await?;
    application.stage = application.stage.personalize(card.id.clone())?;
    applications::move_to(tx, &application.id, &application.stage).await?;
    audit::record(tx, app, station, "card-personalized", &format!("card/{}", card.id), &object).await?;
    Ok(PersonalizationOutcome::Personalized { card: card.id })
}

/// What the ledger knows of a chip must fit what the chip announces, or no order can help.
fn expects(presentation: &Presentation, chip: &Chip) -> Result<(), ProductionError> {
    let fits = match (&chip.state, presentation.life_cycle) {
        (ChipState::Initialised { .. } | ChipState::Bound { .. }, LifeCycle::Initialised) => true,
        // It did everything, and nobody heard of it.
        (ChipState::Bound { .. }, LifeCycle::Personalized) => true,
        (ChipState::Initialised { .. } | ChipState::Bound { .. }, _) => false,
        // The ledger's own word comes first for these.
        (ChipState::Delivered | ChipState::Personalized { .. } | ChipState::Spoiled { .. }, _) => true,
    };
    if fits { Ok(()) } else { Err(ProductionError::LifeCycle(presentation.life_cycle)) }
}

/// The chip with its application: bound before, or now to the next one that waits at the station's office.
async fn bound(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    mut chip: Chip,
) -> Result<(Chip, Application), ProductionError> {
    if !matches!(chip.state, ChipState::Initialised { .. }) {
        let application = application_of(tx, &chip).await?;
        return Ok((chip, application));
    }
    let waiting = applications::claim_approved(tx, &station.office).await?;
    let mut application = waiting.ok_or(ProductionError::NothingToPersonalize)?;
    application.stage = application.stage.bind(chip.serial)?;
    applications::move_to(tx, &application.id, &application.stage).await?;
    chip.state = chip.state.bind(application.id.clone())?;
    store::set_state(tx, &chip.serial, &chip.state).await?;
    let (object, purpose) = (format!("application/{}", application.id), format!("chip {}", chip.serial));
    audit::record(tx, app, station, "application-bound", &object, &purpose).await?;
    Ok((chip, application))
}

/// The application and the signed document of a bound chip.
async fn in_production(tx: &mut Tx, chip: &Chip) -> Result<(Application, Document), ProductionError> {
    let application = application_of(tx, chip).await?;
    let document = store::document(tx, &application.id, &chip.serial).await?;
    let document = document.filter(|document| document.signed.is_some()).ok_or(ProductionError::ApplicationGone)?;
    Ok((application, document))
}

/// The application that a bound chip is being written for.
async fn application_of(tx: &mut Tx, chip: &Chip) -> Result<Application, ProductionError> {
    let id = match &chip.state {
        ChipState::Bound { application, .. } => application,
        ChipState::Delivered => return Err(ChipError::NotInitialised.into()),
        ChipState::Initialised { .. } => return Err(ProductionError::ApplicationGone),
        ChipState::Personalized { .. } => return Err(ChipError::Personalized.into()),
        ChipState::Spoiled { application, .. } => {
            let cancelled = match application {
                Some(id) => applications::application_locked(tx, id).await?,
                None => None,
            };
            return Err(match cancelled.map(|application| application.stage) {
                Some(Stage::Cancelled { .. }) => ProductionError::ApplicationCancelled,
                _ => ChipError::Spoiled.into(),
            });
        }
    };
    let application = applications::application_locked(tx, id).await?.ok_or(ProductionError::ApplicationGone)?;
    match application.stage.chip() {
        Some(serial) if serial == chip.serial => Ok(application),
        _ => Err(ProductionError::ApplicationGone),
    }
}

/// Whether the chip says, under its MAC, that it is the finished card. False if it is simply not finished.
fn reports(outcome: &Outcome, chip: &Chip, digest: &[u8; 32]) -> Result<bool, ProductionError> {
    let Some(report) = outcome.report.as_ref().filter(|report| report.life_cycle == LifeCycle::Personalized) else {
        return Ok(false);
    };
    if report.digest != *digest {
        return Err(ProductionError::ChipDiffers("other files than its document has"));
    }
    let (active_auth, chip_auth) = keys_of(chip, &chip.serial)?;
    if (report.active_auth.as_ref(), report.chip_auth.as_ref()) != (Some(&active_auth), Some(&chip_auth)) {
        return Err(ProductionError::ChipDiffers("other keys than at its intake"));
    }
    Ok(true)
}

/// Doc 9303-11 §6.1 with the challenge of this order: the chip on the reader has the private key of DG15, now.
fn active_authentication(app: &App, chip: &Chip, challenge: &[u8; 8], proof: Proof<'_>) -> Result<(), ProductionError> {
    if proof.challenge != challenge {
        return Err(ProductionError::ChallengeUnknown);
    }
    let (active_auth, _) = keys_of(chip, &chip.serial)?;
    VerifyingKey::Ec(active_auth)
        .verify_plain(app.config().card.active_auth_hash, challenge, proof.signature)
        .map_err(|_| ProductionError::ActiveAuthentication)
}

fn keys_of(
    chip: &Chip,
    serial: &CardSerial,
) -> Result<(crypto::suite::PublicKey, crypto::suite::PublicKey), ProductionError> {
    Ok(documents::public_keys(chip.state.keys().ok_or(ChipError::Spoiled)?, serial)?)
}
