//! Master keys of cards: the issuer's own, and the transport keys of the manufacturers' deliveries.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use crypto::scp03::{KeySet, MasterKey};
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};

/// Diversifies static keys for one chip out of master keys that never leave the service.
#[derive(Debug)]
pub struct CardKeys {
    issuer: MasterKey,
    transport: BTreeMap<String, MasterKey>,
}

/// Version of the issuer's keys on a chip. Transport keys have the version that the chip announces,
/// which is never this one.
pub const ISSUER_KEY_VERSION: u8 = 0x01;

impl CardKeys {
    /// Opens all master keys.
    ///
    /// # Errors
    /// [`CardKeysError`]
    pub fn open(store: &KeyStore) -> Result<Self, CardKeysError> {
        let open =
            |name: &str| MasterKey::from_bytes(&store.load(name)?).map_err(|_| CardKeysError::Length(name.to_owned()));
        let mut transport = BTreeMap::new();
        for id in store.names(TRANSPORT)? {
            transport.insert(id.clone(), open(&format!("{TRANSPORT}{id}"))?);
        }
        Ok(Self { issuer: open(ISSUER)?, transport })
    }

    /// Makes the issuer's master key (AES-256).
    ///
    /// # Errors
    /// [`CardKeysError`]
    pub fn init(store: &LockedKeyStore<'_>, rng: &mut impl CryptoRng) -> Result<(), CardKeysError> {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        Ok(store.put(ISSUER, &*key)?)
    }

    /// Takes in the transport master key of a manufacturer: 16, 24 or 32 bytes, known to the stock office as `id`
    /// (1 to 32 of `a-z 0-9 -`).
    ///
    /// # Errors
    /// [`CardKeysError`]
    pub fn import_transport(store: &LockedKeyStore<'_>, id: &str, key: &[u8]) -> Result<(), CardKeysError> {
        let fits = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(1..=32).contains(&id.len()) || !fits {
            return Err(CardKeysError::Id(id.to_owned()));
        }
        MasterKey::from_bytes(key).map_err(|_| CardKeysError::Length(id.to_owned()))?;
        Ok(store.put(&format!("{TRANSPORT}{id}"), key)?)
    }

    /// The issuer's keys of one chip, in the version that the chip carries ([`ISSUER_KEY_VERSION`] for new ones).
    #[must_use]
    pub fn issuer(&self, serial: &CardSerial, version: u8) -> KeySet {
        self.issuer.diversify(serial, version)
    }

    /// The transport keys with which a delivery arrived, in the version that the chip announces.
    ///
    /// # Errors
    /// [`CardKeysError::Unknown`]
    pub fn transport(&self, id: &str, serial: &CardSerial, version: u8) -> Result<KeySet, CardKeysError> {
        let master = self.transport.get(id).ok_or_else(|| CardKeysError::Unknown(id.to_owned()))?;
        Ok(master.diversify(serial, version))
    }

    /// True if there is a transport master key of this name.
    #[must_use]
    pub fn knows_transport(&self, id: &str) -> bool {
        self.transport.contains_key(id)
    }
}

const ISSUER: &str = "issuer-master";
const TRANSPORT: &str = "transport-";

/// Why there are no keys for a card.
#[derive(Debug, Error)]
pub enum CardKeysError {
    /// Not an identifier.
    #[error("transport key id `{0}`: use 1 to 32 of a-z, 0-9 and -")]
    Id(String),
    /// Not an AES key.
    #[error("master key `{0}`: 16, 24 or 32 bytes are needed")]
    Length(String),
    /// No such transport key.
    #[error("no transport master key `{0}`; take it in with `issuance transport-key`")]
    Unknown(String),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
}
