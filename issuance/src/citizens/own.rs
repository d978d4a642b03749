//! What card and code open together: the citizen's record, who looked, and what the citizen applied for.

use super::CitizenError;
use super::steps::own_card;
use crate::applications::{self, OwnApplication};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::exchange::{self, Looks};
use crate::ground::actor::Citizen;
use crate::ground::ids::EntryId;
use crate::population;
use crate::population::model::Registered;

/// Refuses a session in which the code was not shown.
pub(super) fn require_code(deed: &Deed<Citizen>) -> Result<(), CitizenError> {
    if deed.actor().code_shown { Ok(()) } else { Err(CitizenError::CodeNeeded) }
}

/// Returns what the register holds of the citizen.
///
/// # Errors
/// [`CitizenError::CodeNeeded`], [`CitizenError::NotInForce`]
pub(super) async fn record(deed: &mut Deed<Citizen>) -> Result<Registered, CitizenError> {
    require_code(deed)?;
    let card = own_card(deed).await?;
    let registered = population::store::person(deed, card.person).await?.ok_or(CitizenError::NotInForce)?;
    let entry = Entry::new(Action::PersonRead, Object::Person(card.person), Purpose::Own).about(card.person);
    deed.enter(entry.of(&registered.office)).await?;
    Ok(registered)
}

/// Returns who looked at the citizen's data, the newest first.
///
/// # Errors
/// [`CitizenError::CodeNeeded`], [`CitizenError::NotInForce`]
pub(super) async fn looks(deed: &mut Deed<Citizen>, before: Option<EntryId>) -> Result<Looks, CitizenError> {
    require_code(deed)?;
    let card = own_card(deed).await?;
    Ok(exchange::own_looks(deed, card.person, before).await?)
}

/// Returns what the citizen applied for, and where it stands.
///
/// # Errors
/// [`CitizenError::CodeNeeded`], [`CitizenError::NotInForce`]
pub(super) async fn applications(deed: &mut Deed<Citizen>) -> Result<Vec<OwnApplication>, CitizenError> {
    require_code(deed)?;
    let card = own_card(deed).await?;
    let listed = applications::of_citizen(deed, card.person).await?;
    let entry = Entry::new(Action::ApplicationsListed, Object::Person(card.person), Purpose::Own).about(card.person);
    deed.enter(entry).await?;
    Ok(listed)
}
