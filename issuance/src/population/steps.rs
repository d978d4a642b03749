//! The verbs of the register.

use axum::http::StatusCode;
use thiserror::Error;

use super::check::{self, Declined};
use super::model::{Declaration, Finding, Registered};
use super::reference::Reference;
use super::store;
use crate::access::{AccessError, Officer};
use crate::app::App;
use crate::audit;
use crate::http::Problem;
use crate::store::{StoreError, Tx};

/// Checks a declaration and registers the person; gives the register's id and what someone should look at.
///
/// # Errors
/// [`PopulationError::Declined`] with everything that stands against it.
pub async fn declare(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    declaration: &Declaration,
) -> Result<(String, Vec<Finding>), PopulationError> {
    let reference = Reference::new(&app.config().extra_provinces);
    let (person, mut findings) = check::examine(declaration, &reference, app.now().date())?;
    if store::has_like(tx, &person).await? {
        // Namesakes born on one day exist, so this stops nobody; but a person declared twice must not get two numbers unseen.
        findings.push(Finding::perhaps_declared_before());
    }
    let id = app.new_id();
    let entry = store::Entry { id: &id, office: &officer.office, by: &officer.id, at: app.now() };
    store::insert(tx, entry, &person, &findings).await?;
    audit::record(tx, app, officer, "person-declared", &format!("person/{id}"), "declaration DC01").await?;
    Ok((id, findings))
}

/// Reads a person: an officer of the office that registered, or where the person applied.
///
/// # Errors
/// [`PopulationError::Unknown`], [`PopulationError::Access`]
pub async fn read(tx: &mut Tx, app: &App, officer: &Officer, id: &str) -> Result<Registered, PopulationError> {
    let person = store::person(tx, id).await?.ok_or(PopulationError::Unknown)?;
    if !store::has_applied_at(tx, id, &officer.office).await? {
        officer.may_act_for(&person.office)?;
    }
    audit::record(tx, app, officer, "person-read", &format!("person/{id}"), "register look-up").await?;
    Ok(person)
}

/// Why the register does not do what was asked.
#[derive(Debug, Error)]
pub enum PopulationError {
    /// Not the officer's to see.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No person can be made of the declaration.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such person.
    #[error("person unknown")]
    Unknown,
}

impl From<PopulationError> for Problem {
    fn from(error: PopulationError) -> Self {
        use PopulationError as E;
        match error {
            E::Access(source) => source.into(),
            E::Declined(declined) => of_declined(&declined),
            E::Store(source) => source.into(),
            E::Unknown => {
                Self::new(StatusCode::NOT_FOUND, "person-unknown", "Check the id; it is not the personal number.")
                    .detail(error)
            }
        }
    }
}

/// One reason: its own code. Several: one code, and the detail names each field.
fn of_declined(declined: &Declined) -> Problem {
    let codes: Vec<&str> = declined.0.iter().map(|finding| finding.code.as_str()).collect();
    let (code, remedy) = match codes[..] {
        ["name-not-writable"] => (
            "name-not-writable",
            "Write the name in letters that an MRZ can carry (Latin with diacritics), without digits or signs.",
        ),
        ["date-unreadable"] => ("date-unreadable", "Write dd/MM/yyyy, yyyy-MM-dd, or yyyy if only the year is known."),
        ["date-impossible"] => ("date-impossible", "No calendar has this day: look at the birth certificate again."),
        ["date-in-future"] => ("date-in-future", "The date lies ahead: look at the birth certificate again."),
        ["province-unassigned"] => (
            "province-unassigned",
            "Use a province of the 2021 table. Deployments add their own with --extra-province.",
        ),
        _ => ("declaration-incomplete", "Mend every field that the detail names, and send the declaration again."),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, remedy).detail(declined)
}
