//! A blank becomes an initialised chip: issuer keys in, key pairs made on the chip, public halves into the ledger.

use crypto::perso::{LifeCycle, Order, Presentation, PublicKeys, Reason, Receipt, Script};
use crypto::pki::spki::{self, CurveForm};
use crypto::scp03::KeySet;
use rand::Rng as _;

use super::Production;
use super::error::ProductionError;
use super::ledger::{self, Movement};
use super::model::{ChipKeys, ChipState};
use super::recalls::refuse_recalled;
use super::steps::{in_custody, under};
use super::store::{self, StoredOrder};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Station;
use crate::ground::ids::OrderId;

/// What came of a receipt of intake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IntakeOutcome {
    /// The receipt ends too early: present the chip again.
    Incomplete,
    /// The chip's public keys are in the ledger.
    Initialised,
}

/// The order for a blank: everything, or what a cut left to do, or only its report if it did all
/// and its receipt was lost.
///
/// # Errors
/// [`ProductionError`]
pub async fn order(
    deed: &mut Deed<Station>,
    production: &Production,
    presentation: &Presentation,
) -> Result<Order, ProductionError> {
    let chip = in_custody(deed, &presentation.serial).await?;
    match &chip.state {
        ChipState::Delivered => {}
        other => return Err(other.refusal().into()),
    }
    refuse_recalled(deed, &chip).await?;
    let current = keys(production, &chip.transport_key_id, presentation)?;
    // A cut after PUT KEY: the chip has our keys already, and keeps their version, also if there is a newer one.
    let has_ours = production.card_keys.is_issuers(presentation.key_version);
    let version = if has_ours { presentation.key_version } else { production.card_keys.newest() };
    let issuer = production.card_keys.issuer(&presentation.serial, version)?;
    let profile = &production.profile;
    let script = match presentation.life_cycle {
        LifeCycle::Blank => {
            let new = (!has_ours).then_some((&issuer, version));
            let (chip_auth, active_auth) = (profile.chip_auth_curve, profile.active_auth_curve);
            Script::intake(&current, presentation, new, chip_auth, active_auth, &mut deed.rng())?
        }
        LifeCycle::Initialised => Script::report(&issuer, &under(presentation, version), &mut deed.rng())?,
        other => return Err(ProductionError::LifeCycle(other)),
    };
    let (id, at): (OrderId, _) = (deed.id(), deed.at());
    let mut challenge = [0; 8];
    deed.rng().fill_bytes(&mut challenge);
    let stored = StoredOrder {
        serial: presentation.serial,
        station: deed.actor().id,
        document: None,
        script: script.to_record(),
        challenge,
        challenge_used: false,
    };
    store::insert_order(deed.tx(), id, &stored, at).await?;
    let entry = Entry::new(Action::IntakeOrdered, Object::Chip(presentation.serial), Purpose::Intake);
    deed.enter(entry.with(Object::Order(id))).await?;
    Ok(script.order(id.to_string()))
}

/// Judges a receipt of intake by the chip's own MACs, and enters its public keys: each is used once, for ever.
///
/// # Errors
/// [`ProductionError::Receipt`] if the answers are not the chip's; [`ProductionError::ChipKeyKnown`] if its keys are.
pub async fn receipt(
    deed: &mut Deed<Station>,
    production: &Production,
    receipt: &Receipt,
) -> Result<IntakeOutcome, ProductionError> {
    let id: OrderId = receipt.order.parse().map_err(|_| ProductionError::OrderUnknown)?;
    let order = store::order(deed.tx(), id).await?.ok_or(ProductionError::OrderUnknown)?;
    if order.station != deed.actor().id || order.document.is_some() {
        return Err(ProductionError::OrderUnknown);
    }
    let mut chip = in_custody(deed, &order.serial).await?;
    let version = order.script.key_version();
    // Not the newest now: the one that the order put on the chip, or found there.
    let key_version = order.script.new_key_version().unwrap_or(version);
    let keys = if production.card_keys.is_issuers(version) {
        production.card_keys.issuer(&order.serial, version)?
    } else {
        production.card_keys.transport(&chip.transport_key_id, &order.serial, version)?
    };
    let chip_object = || Object::Chip(order.serial);
    let incomplete = |why: &dyn std::fmt::Display| {
        let entry = Entry::new(Action::IntakeIncomplete, chip_object(), Purpose::Intake);
        entry.with(Object::Order(id)).because(why.to_string())
    };
    let outcome = match Script::from_record(order.script).verify(&keys, receipt) {
        Ok(outcome) => outcome,
        Err(error) if matches!(error.reason, Reason::Incomplete | Reason::Refused(_)) => {
            deed.enter(incomplete(&error)).await?;
            return Ok(IntakeOutcome::Incomplete);
        }
        Err(error) => return Err(error.into()),
    };
    let initialised = outcome.report.is_some_and(|report| report.life_cycle == LifeCycle::Initialised);
    let Some(PublicKeys { active_auth, chip_auth }) = outcome.public_keys.filter(|_| initialised) else {
        deed.enter(incomplete(&"the chip does not report that it is initialised")).await?;
        return Ok(IntakeOutcome::Incomplete);
    };
    let profile = &production.profile;
    if (active_auth.curve(), chip_auth.curve()) != (profile.active_auth_curve, profile.chip_auth_curve) {
        return Err(ProductionError::ChipDiffers("keys on other curves"));
    }
    let spki = |key| spki::encode(&key, CurveForm::Named);
    let keys = ChipKeys { key_version, active_auth: spki(active_auth.into()), chip_auth: spki(chip_auth.into()) };
    chip.state = chip.state.initialise(keys.clone())?;
    let at = deed.at();
    if !store::enter_keys(deed.tx(), &chip.serial, &keys, at).await? {
        return Err(ProductionError::ChipKeyKnown);
    }
    let entry = Entry::new(Action::ChipInitialised, chip_object(), Purpose::Intake);
    ledger::post(deed, &mut chip, Movement::Initialised, entry).await?;
    Ok(IntakeOutcome::Initialised)
}

/// The keys that a blank of the ledger may be opened with: those it came with, or ours.
fn keys(
    production: &Production,
    transport_key_id: &str,
    presentation: &Presentation,
) -> Result<KeySet, ProductionError> {
    let (serial, version) = (&presentation.serial, presentation.key_version);
    if production.card_keys.is_issuers(version) {
        return Ok(production.card_keys.issuer(serial, version)?);
    }
    Ok(production.card_keys.transport(transport_key_id, serial, version)?)
}
