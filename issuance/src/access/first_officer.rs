//! The first administrator: invented at the founding, made when the service first opens an empty database.

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use rand::{CryptoRng, RngExt as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::model::{AccessError, Caller, OfficeCode, Role};
use super::{passwords, steps, store};
use crate::StartError;
use crate::app::App;
use crate::config::Config;
use crate::pki::{KeyStore, KeyStoreError};

/// Name, and argon2id hash of the password. Rests sealed beside the keys.
#[derive(Deserialize, Serialize)]
pub struct FirstOfficer {
    username: String,
    password: String,
}

impl FirstOfficer {
    /// Invents a password of 100 random bits.
    ///
    /// # Errors
    /// [`AccessError::Name`]
    pub(crate) fn invent(
        username: &str,
        config: &Config,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Zeroizing<String>), AccessError> {
        if !(1..=64).contains(&username.chars().count()) {
            return Err(AccessError::Name);
        }
        // Nothing that looks like something else on paper.
        let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
        let word: String = (0..20).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect();
        let password = Zeroizing::new(word);
        let hash: PasswordHash = passwords::hasher(config)
            .hash_password_with_salt(password.as_bytes(), &passwords::salt(rng))
            .expect("twenty letters can be hashed");
        Ok((Self { username: username.to_owned(), password: hash.to_string() }, password))
    }

    /// Seals it for the first start.
    pub(crate) fn keep(&self, store: &KeyStore) -> Result<(), KeyStoreError> {
        store.put(FILE, &serde_json::to_vec(self).expect("two texts"))
    }
}

/// Makes the first officer if there is none at all.
pub(crate) async fn make_first_officer(app: &App, keys: &KeyStore) -> Result<(), StartError> {
    let mut tx = app.begin().await?;
    if store::any_officer(&mut tx).await? {
        return Ok(());
    }
    let sealed = keys.take(FILE)?;
    let first: FirstOfficer =
        serde_json::from_slice(&sealed).map_err(|_| KeyStoreError::Malformed(format!("{FILE}.sealed").into()))?;
    let (by, office) = (Caller::Service, OfficeCode::national());
    steps::make_officer(&mut tx, app, &by, &first.username, &first.password, &[Role::Admin], &office).await?;
    tx.commit().await?;
    Ok(())
}

const FILE: &str = "first-officer";
