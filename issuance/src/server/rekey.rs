//! Another key-encryption key takes the place of the one in use.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::Settings;
use super::compose::{StartError, deeds_alone};
use crate::deed::{Action, DeedError, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::{blocking, files};
use crate::keys::{Installation, KeyStore, KeyStoreError};

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rekeyed {
    /// The folder opened with the new key already: a run before did it.
    Already,
    /// It opens with the new key from now on.
    Done,
}

/// Puts the key of `new_key_file` in the place of the key-encryption key. The trail says so first; then one file is
/// replaced. A run that was cut is repeated: the folder opens with the old key or with the new one, never with none.
///
/// # Errors
/// [`RekeyError`], which says what to do.
pub async fn rekey(settings: &Settings, new_key_file: &Path) -> Result<Rekeyed, RekeyError> {
    let alone = files::alone(&settings.data).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => RekeyError::Running,
        _ => RekeyError::File(error),
    })?;
    let key = KeyStore::new_key(new_key_file)?;
    // A folder of a version without root keys is opened by any key, and only what lies in it says whether it fits.
    let opens = |key_file: Option<&Path>| {
        let store = KeyStore::open(&settings.data, key_file)?;
        store.fits().map(|()| store)
    };
    let (old, new) = (opens(settings.key_file.as_deref()), opens(Some(new_key_file)));
    let store = match (old, new) {
        (Ok(_), Ok(_)) => return Err(RekeyError::Same),
        (Err(_), Ok(_)) => return Ok(Rekeyed::Already),
        (old, Err(_)) => old?,
    };
    let deeds = deeds_alone(settings).await?;
    let installation = Installation::open(&store)?;
    let mut deed = deeds.open(Service).await?;
    let object = Object::Installation(installation.id().uuid());
    let entry = Entry::new(Action::KeyEncryptionKeyChanged, object, Purpose::Administration);
    deed.enter(entry).await.map_err(DeedError::from)?;
    deed.commit().await?;
    deeds.db().close().await;
    blocking::run(move || store.locked()?.rekey(&key)).await?;
    drop(alone);
    Ok(Rekeyed::Done)
}

/// Why no other key-encryption key takes the place. Each says what to do.
#[derive(Debug, Error)]
pub enum RekeyError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The folder.
    #[error("the folder cannot be locked: {0}")]
    File(#[source] io::Error),
    /// A key.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// A service runs.
    #[error(
        "a service, `issuance archive` or `issuance backup` runs in this folder; stop it, and run the same command again"
    )]
    Running,
    /// The new key is the old one.
    #[error("the new key is the one in use; write another one: head -c 32 /dev/urandom | xxd -p -c 64")]
    Same,
    /// The folder and its database.
    #[error(transparent)]
    Start(#[from] StartError),
}
