//! The verb of the numbers.

use axum::http::StatusCode;
use crypto::identity::PersonalNumber;
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::model::{Cell, NumberingError, Permutation};
use super::store;
use crate::access::{AccessError, Officer};
use crate::app::App;
use crate::audit;
use crate::http::Problem;
use crate::pki::{KeyStore, KeyStoreError};
use crate::population;
use crate::store::{StoreError, Tx};

/// Establishes a person's number for life. Who has one keeps it: asked again, the answer is the same.
///
/// # Errors
/// [`EstablishError`]
pub async fn establish(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    person_id: &str,
) -> Result<PersonalNumber, EstablishError> {
    let registered = population::store::person_locked(tx, person_id).await?.ok_or(EstablishError::PersonUnknown)?;
    officer.may_act_for(&registered.office)?;
    if let Some(number) = registered.personal_number {
        audit::record(tx, app, officer, "number-read", &format!("person/{person_id}"), "asked again").await?;
        return Ok(number);
    }
    let person = registered.person;
    let cell = Cell { province: person.birth_registration.province, sex: person.sex, birth_year: person.birth.year() };
    loop {
        // Ends: each turn takes another position, and a full cell is an error.
        let position = store::next_position(tx, &cell).await?;
        let number = app.permutation().number(cell, position)?;
        if store::give(tx, &number, person_id, &officer.id, app.now()).await? {
            audit::record(tx, app, officer, "number-established", &format!("person/{person_id}"), "Decree 137/2015")
                .await?;
            return Ok(number);
        }
    }
}

/// Makes the secret of all numbers, once, when a service is founded. Another secret later would meet numbers that are given: it
/// belongs to the register as long as the register lives.
///
/// # Errors
/// [`KeyStoreError`]
pub fn found(store: &KeyStore, rng: &mut impl CryptoRng) -> Result<(), KeyStoreError> {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *key);
    store.put(SECRET, &*key)
}

/// Opens the secret of all numbers.
///
/// # Errors
/// [`KeyStoreError`]
pub fn open(store: &KeyStore) -> Result<Permutation, KeyStoreError> {
    let bytes = store.take(SECRET)?;
    let key = Zeroizing::new(bytes[..].try_into().map_err(|_| KeyStoreError::Malformed(SECRET.into()))?);
    Ok(Permutation::new(&key))
}

const SECRET: &str = "personal-numbers";

/// Why no number is established.
#[derive(Debug, Error)]
pub enum EstablishError {
    /// Not the officer's to decide.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The number space.
    #[error(transparent)]
    Numbering(#[from] NumberingError),
    /// No such person.
    #[error("person unknown")]
    PersonUnknown,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EstablishError> for Problem {
    fn from(error: EstablishError) -> Self {
        use EstablishError as E;
        match error {
            E::Access(source) => source.into(),
            E::Numbering(source @ NumberingError::Exhausted(_)) => Self::new(
                StatusCode::CONFLICT,
                "number-cell-exhausted",
                "All million numbers of this province, sex and year are given: the number space needs a decision of the ministry.",
            )
            .detail(source),
            E::Numbering(source @ NumberingError::Structure(_)) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "number-structure",
                "Personal numbers exist for births from 1900 to 2399: look at the date of birth.",
            )
            .detail(source),
            E::PersonUnknown => population::steps::PopulationError::Unknown.into(),
            E::Store(source) => source.into(),
        }
    }
}
