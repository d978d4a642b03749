//! The first administrator: invented by `issuance init`, made when the service first opens an empty database.

use rand::{CryptoRng, RngExt as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{AccessError, Settings, passwords, steps, store};
use crate::deed::{DeedError, Deeds};
use crate::ground::actor::Service;
use crate::ground::text::Login;
use crate::ground::{OfficeCode, Role};
use crate::keys::{KeyStore, KeyStoreError, LockedKeyStore};
use crate::store::StoreError;

/// Name, and argon2id hash of the password. Rests sealed beside the keys.
#[derive(Deserialize, Serialize)]
pub struct FirstOfficer {
    username: String,
    password: String,
}

/// Shows neither name nor hash.
impl std::fmt::Debug for FirstOfficer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstOfficer")
    }
}

/// Why there is no first officer.
#[derive(Debug, Error)]
pub enum FirstOfficerError {
    /// The officer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The sealed name and hash.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FirstOfficer {
    /// Invents a password of 100 random bits. Returns the officer and the password.
    ///
    /// # Errors
    /// [`AccessError::Name`]
    pub fn invent(
        username: &str,
        settings: &Settings,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Zeroizing<String>), AccessError> {
        let username: Login = username.parse().map_err(|_| AccessError::Name)?;
        // No character that looks like another one on paper.
        let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
        let word: String = (0..20).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect();
        let password = Zeroizing::new(word);
        let hash = passwords::hash_once(settings, &password, rng);
        Ok((Self { username: username.into(), password: hash }, password))
    }

    /// Seals name and hash for the first start.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn keep(&self, store: &LockedKeyStore<'_>) -> Result<(), KeyStoreError> {
        store.put(FILE, &serde_json::to_vec(self).expect("two texts become JSON"))
    }
}

/// Makes the first officer if there is no officer at all.
///
/// # Errors
/// [`FirstOfficerError`]
pub async fn make_first_officer(deeds: &Deeds, keys: &KeyStore) -> Result<(), FirstOfficerError> {
    let mut deed = deeds.open(Service).await?;
    if store::any_officer(deed.tx()).await? {
        return Ok(());
    }
    let sealed = keys.load(FILE)?;
    let first: FirstOfficer =
        serde_json::from_slice(&sealed).map_err(|_| KeyStoreError::Malformed(format!("{FILE}.sealed").into()))?;
    let office = OfficeCode::national();
    let id = steps::make_officer(&mut deed, &first.username, &first.password, &[Role::Admin], &office).await?;
    // Printed on paper or read from a file: the owner chooses another one at the first sign-in.
    store::password_due(deed.tx(), id).await?;
    Ok(deed.commit().await?)
}

const FILE: &str = "first-officer";
