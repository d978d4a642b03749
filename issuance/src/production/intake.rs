//! A blank becomes an initialised chip: issuer keys in, key pairs made on the chip, public halves into the ledger.

use crypto::perso::{LifeCycle, Order, Presentation, PublicKeys, Reason, Receipt, Script};
use crypto::pki::spki::{self, CurveForm};
use crypto::scp03::KeySet;
use rand::Rng as _;

use super::error::ProductionError;
use super::model::{ChipError, ChipKeys, ChipState};
use super::steps::{in_custody, under};
use super::store::{self, StoredOrder};
use crate::access::Station;
use crate::app::App;
use crate::audit;
use crate::pki::ISSUER_KEY_VERSION;
use crate::store::Tx;

/// What came of a receipt of intake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IntakeOutcome {
    /// The receipt ends too early: present the chip again.
    Incomplete,
    /// The chip's public keys are in the ledger.
    Initialised,
}

/// The order for a blank: everything, or what a cut left to do, or only its report if it did all and nobody heard.
///
/// # Errors
/// [`ProductionError`]
pub async fn order(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    presentation: &Presentation,
) -> Result<Order, ProductionError> {
    let chip = in_custody(tx, station, &presentation.serial).await?;
    match &chip.state {
        ChipState::Delivered => {}
        ChipState::Initialised { .. } => return Err(ChipError::Initialised.into()),
        ChipState::Bound { .. } => return Err(ChipError::Bound.into()),
        ChipState::Personalized { .. } => return Err(ChipError::Personalized.into()),
        ChipState::Spoiled { .. } => return Err(ChipError::Spoiled.into()),
    }
    let current = keys(app, &chip.transport_key_id, presentation)?;
    let issuer = app.card_keys().issuer(&presentation.serial, ISSUER_KEY_VERSION);
    let profile = &app.config().card;
    let script = match presentation.life_cycle {
        LifeCycle::Blank => {
            // A cut after PUT KEY: the chip has our keys already.
            let new = (presentation.key_version != ISSUER_KEY_VERSION).then_some((&issuer, ISSUER_KEY_VERSION));
            let (chip_auth, active_auth) = (profile.chip_auth_curve, profile.active_auth_curve);
            Script::intake(&current, presentation, new, chip_auth, active_auth, &mut app.rng())?
        }
        LifeCycle::Initialised => Script::report(&issuer, &under(presentation, ISSUER_KEY_VERSION), &mut app.rng())?,
        other => return Err(ProductionError::LifeCycle(other)),
    };
    let id = app.new_id();
    let mut challenge = [0; 8];
    app.rng().fill_bytes(&mut challenge);
    let stored = StoredOrder {
        serial: presentation.serial,
        station: station.id.clone(),
        document: None,
        script: script.to_record(),
        challenge,
        challenge_used: false,
    };
    store::insert_order(tx, &id, &stored, app.now()).await?;
    let object = format!("chip/{}", presentation.serial);
    audit::record(tx, app, station, "intake-ordered", &object, &format!("order {id}")).await?;
    Ok(script.order(id))
}

/// Judges a receipt of intake by the chip's own MACs.
///
/// # Errors
/// [`ProductionError::Receipt`] if the answers are not the chip's.
pub async fn receipt(
    tx: &mut Tx,
    app: &App,
    station: &Station,
    receipt: &Receipt,
) -> Result<IntakeOutcome, ProductionError> {
    let order = store::order(tx, &receipt.order).await?.ok_or(ProductionError::OrderUnknown)?;
    if order.station != station.id || order.document.is_some() {
        return Err(ProductionError::OrderUnknown);
    }
    let mut chip = in_custody(tx, station, &order.serial).await?;
    let version = order.script.key_version();
    let keys = if version == ISSUER_KEY_VERSION {
        app.card_keys().issuer(&order.serial, version)
    } else {
        app.card_keys().transport(&chip.transport_key_id, &order.serial, version)?
    };
    let object = format!("chip/{}", order.serial);
    let outcome = match Script::from_record(order.script).verify(&keys, receipt) {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.reason, Reason::Incomplete | Reason::Refused(_)) => {
            audit::record(tx, app, station, "intake-incomplete", &object, &error.to_string()).await?;
            return Ok(IntakeOutcome::Incomplete);
        }
        Err(error) => return Err(error.into()),
    };
    let initialised = outcome.report.is_some_and(|report| report.life_cycle == LifeCycle::Initialised);
    let Some(PublicKeys { active_auth, chip_auth }) = outcome.public_keys.filter(|_| initialised) else {
        return Ok(IntakeOutcome::Incomplete);
    };
    let profile = &app.config().card;
    if (active_auth.curve(), chip_auth.curve()) != (profile.active_auth_curve, profile.chip_auth_curve) {
        return Err(ProductionError::ChipDiffers("keys on other curves"));
    }
    let spki = |key| spki::encode(&key, CurveForm::Named);
    let keys = ChipKeys {
        key_version: ISSUER_KEY_VERSION,
        active_auth: spki(active_auth.into()),
        chip_auth: spki(chip_auth.into()),
    };
    chip.state = chip.state.initialise(keys)?;
    store::set_state(tx, &chip.serial, &chip.state).await?;
    audit::record(tx, app, station, "chip-initialised", &object, "intake").await?;
    Ok(IntakeOutcome::Initialised)
}

/// The keys that a blank of the ledger may be opened with: those it came with, or ours.
fn keys(app: &App, transport_key_id: &str, presentation: &Presentation) -> Result<KeySet, ProductionError> {
    let (serial, version) = (&presentation.serial, presentation.key_version);
    if version == ISSUER_KEY_VERSION {
        return Ok(app.card_keys().issuer(serial, version));
    }
    Ok(app.card_keys().transport(transport_key_id, serial, version)?)
}
