//! The verbs of the register.

use thiserror::Error;

use super::check::{self, Declined};
use super::model::{Declaration, Finding, Registered};
use super::{Register, store};
use crate::deed::{Action, Deed, Object, Purpose};
use crate::ground::ids::PersonId;
use crate::ground::{Officer, OtherOffice};
use crate::store::StoreError;

/// Checks a declaration and registers the person. Returns the register's id and what the registrar should look at.
///
/// # Errors
/// [`PopulationError::Declined`] with everything that stands against it.
pub async fn declare(
    deed: &mut Deed<Officer>,
    register: &Register,
    declaration: &Declaration,
) -> Result<(PersonId, Vec<Finding>), PopulationError> {
    let (person, mut findings) = check::examine(declaration, register.reference(), deed.today())?;
    store::hold_likeness(deed.tx(), &person).await?;
    if store::has_like(deed.tx(), &person).await? {
        // Namesakes born on one day exist, so this does not stop the registrar; but a person declared twice must
        // not get two numbers unseen.
        findings.push(Finding::perhaps_declared_before());
    }
    let (id, by, office) = (deed.id(), deed.decision(), deed.actor().office.clone());
    store::insert(deed.tx(), id, &office, &by, &person, &findings).await?;
    deed.record(Action::PersonDeclared, Object::Person(id), Some(id), Purpose::Declaration).await?;
    Ok((id, findings))
}

/// Reads a person: for an officer of the office that registered the person, or of one that has a case of the person.
///
/// # Errors
/// [`PopulationError::Unknown`], [`PopulationError::OtherOffice`]
pub async fn read(deed: &mut Deed<Officer>, id: PersonId) -> Result<Registered, PopulationError> {
    let registered = store::person(deed, id).await?.ok_or(PopulationError::Unknown)?;
    let office = deed.actor().office.clone();
    if !store::is_open_to(deed.tx(), id, &office).await? {
        deed.actor().may_act_for(&registered.office)?;
    }
    deed.record(Action::PersonRead, Object::Person(id), Some(id), Purpose::LookUp).await?;
    Ok(registered)
}

/// Why the register does not do what was asked.
#[derive(Debug, Error)]
pub enum PopulationError {
    /// No person can be made of the declaration.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// Another office's person.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such person.
    #[error("person unknown")]
    Unknown,
}
