//! The beginning of a service: keys of every office and the first administrator, in a new folder. Needs no database.

use rand::CryptoRng;
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Settings;
use crate::access::{AccessError, FirstOfficer};
use crate::ground::files;
use crate::keys::{CeremonyError, InitOptions, KeyStore, KeyStoreError};
use crate::{keys, numbering};

/// What [`init`] leaves behind besides the files.
pub struct Initialised {
    /// The first administrator's password; also in `DATA/admin-password`, which only its owner can read.
    pub admin_password: Zeroizing<String>,
}

/// Shows no password.
impl std::fmt::Debug for Initialised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Initialised")
    }
}

/// Makes the folder of a service: key-encryption key, CSCA, document signer, trust-list signer, first CRL, issuer
/// master key, secret of the personal numbers, TLS authority and server certificate, first administrator (`admin`).
///
/// # Errors
/// [`InitError`]; a folder that already holds keys is left alone.
pub fn init(
    settings: &Settings,
    options: &InitOptions,
    admin: &str,
    now: OffsetDateTime,
    rng: &mut impl CryptoRng,
) -> Result<Initialised, InitError> {
    let (officer, admin_password) = FirstOfficer::invent(admin, &settings.access, rng)?;
    let failed = |error| KeyStoreError::File(settings.data.clone(), error);
    std::fs::create_dir_all(&settings.data).map_err(failed)?;
    // Held to the end: of two who begin at once one makes the folder, and the other finds it made.
    let lock = files::lock(&settings.data).map_err(failed)?;
    KeyStore::begin(&settings.data)?;
    let store = KeyStore::init(&settings.data, settings.key_file.as_deref(), rng)?;
    let store = store.locked_by(lock);
    numbering::init(&store, rng)?;
    keys::init(&store, options, now, rng)?;
    // The password first: an officer whose password is nowhere written could not sign in.
    let file = settings.data.join("admin-password");
    files::replace(&file, &file.with_extension("new"), admin_password.as_bytes(), files::PRIVATE).map_err(failed)?;
    officer.keep(&store)?;
    store.finish()?;
    Ok(Initialised { admin_password })
}

/// Why a service cannot begin.
#[derive(Debug, Error)]
pub enum InitError {
    /// The first officer.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The keys.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
}
