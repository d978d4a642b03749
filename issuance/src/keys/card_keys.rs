//! Master keys of cards: the issuer's own, and the transport keys of the manufacturers' deliveries.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use crypto::scp03::{self, KeySet, MasterKey};
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::key_store::{KeyStore, KeyStoreError, LockedKeyStore};

/// Diversifies static keys for one chip out of master keys that never leave the service.
#[derive(Debug)]
pub struct CardKeys {
    /// By version; each chip keeps the version that its record names.
    issuers: BTreeMap<u8, MasterKey>,
    transport: BTreeMap<String, MasterKey>,
}

/// Version of the issuer's first master key. Those that follow count up to [`LAST_VERSION`]; transport keys have the
/// version that the chip announces, which is above (manufacturers use `FF`).
const FIRST_VERSION: u8 = 0x01;
/// GlobalPlatform numbers the keys of a chip's issuer from 1 to 127.
const LAST_VERSION: u8 = 0x7f;

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
        let mut issuers = BTreeMap::from([(FIRST_VERSION, open(ISSUER)?)]);
        for version in later_versions(store)? {
            issuers.insert(version, open(&issuer_name(version))?);
        }
        Ok(Self { issuers, transport })
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

    /// Makes the issuer's next master key, for the chips that are taken in from now on; those before are kept. Returns
    /// its version.
    ///
    /// # Errors
    /// [`CardKeysError::NoVersionLeft`]; [`CardKeysError`]
    pub fn rotate(store: &LockedKeyStore<'_>, rng: &mut impl CryptoRng) -> Result<u8, CardKeysError> {
        let newest = later_versions(store)?.last().copied().unwrap_or(FIRST_VERSION);
        let next = newest.checked_add(1).filter(|next| *next <= LAST_VERSION).ok_or(CardKeysError::NoVersionLeft)?;
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *key);
        store.put(&issuer_name(next), &*key)?;
        Ok(next)
    }

    /// Returns the versions of the issuer's master keys in a folder, the newest last.
    ///
    /// # Errors
    /// [`KeyStoreError`]
    pub fn versions(store: &KeyStore) -> Result<Vec<u8>, KeyStoreError> {
        Ok([vec![FIRST_VERSION], later_versions(store)?].concat())
    }

    /// The version of the issuer's keys that new chips get.
    ///
    /// # Panics
    /// Never: there is a first one.
    #[must_use]
    pub fn newest(&self) -> u8 {
        *self.issuers.last_key_value().expect("there is a first one").0
    }

    /// True if this is a version of the issuer's own keys, and not of a manufacturer's.
    #[must_use]
    pub fn is_issuers(&self, version: u8) -> bool {
        self.issuers.contains_key(&version)
    }

    /// Takes in the transport master key of a manufacturer: 16, 24 or 32 bytes, known to the stock office as `id`
    /// (1 to 32 of `a-z 0-9 -`). A name that is there keeps its key, unless `replace`. Returns what was done.
    ///
    /// # Errors
    /// [`CardKeysError`]; [`CardKeysError::Other`] if another key has the name.
    pub fn import_transport(
        store: &LockedKeyStore<'_>,
        id: &str,
        key: &[u8],
        replace: bool,
    ) -> Result<TakenIn, CardKeysError> {
        let fits = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(1..=32).contains(&id.len()) || !fits {
            return Err(CardKeysError::Id(id.to_owned()));
        }
        let given = check_value(id, key)?;
        let there = Self::transport_check_value(store, id)?;
        let name = format!("{TRANSPORT}{id}");
        let done = match there {
            None => TakenIn::New,
            Some(_) if *store.load(&name)? == key => return Ok(TakenIn::Equal),
            Some(_) if replace => TakenIn::Replaced,
            Some(there) => return Err(CardKeysError::Other { id: id.to_owned(), there, given }),
        };
        store.put(&name, key)?;
        Ok(done)
    }

    /// Returns the check value of a transport master key, if there is one of this name: six hexadecimal digits, as the
    /// manufacturer's key letter has them (GlobalPlatform, AES).
    ///
    /// # Errors
    /// [`CardKeysError`]
    pub fn transport_check_value(store: &KeyStore, id: &str) -> Result<Option<String>, CardKeysError> {
        match store.load(&format!("{TRANSPORT}{id}")) {
            Ok(key) => check_value(id, &key).map(Some),
            Err(KeyStoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The issuer's keys of one chip, in the version that the chip carries ([`newest`](Self::newest) for new ones).
    ///
    /// # Errors
    /// [`CardKeysError::Version`]
    pub fn issuer(&self, serial: &CardSerial, version: u8) -> Result<KeySet, CardKeysError> {
        let master = self.issuers.get(&version).ok_or(CardKeysError::Version(version))?;
        Ok(master.diversify(serial, version))
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

/// What came of a transport master key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TakenIn {
    /// The same key was there; nothing was written.
    Equal,
    /// The name was free.
    New,
    /// Another key was there and is gone.
    Replaced,
}

fn check_value(id: &str, key: &[u8]) -> Result<String, CardKeysError> {
    let value = scp03::check_value(key).map_err(|_| CardKeysError::Length(id.to_owned()))?;
    Ok(hex::encode_upper(value))
}

/// Returns the versions of the issuer's master keys after the first, ascending.
fn later_versions(store: &KeyStore) -> Result<Vec<u8>, KeyStoreError> {
    let named = store.names(&format!("{ISSUER}-"))?;
    let mut versions: Vec<u8> = named.iter().filter_map(|name| name.parse().ok()).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn issuer_name(version: u8) -> String {
    format!("{ISSUER}-{version}")
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
    /// The name is taken by another key.
    #[error(
        "transport key `{id}` is there with the check value {there}, the one given has {given}; nothing was changed. Take it \
         in under another name, or with --replace if no delivery under the old one is left: its blanks would all fail"
    )]
    Other {
        /// The name.
        id: String,
        /// Check value of the key that is there.
        there: String,
        /// Check value of the key that was given.
        given: String,
    },
    /// All versions of an issuer are used up.
    #[error("127 versions of the master key of cards were made, and a chip knows no more")]
    NoVersionLeft,
    /// A chip has keys of a version that is not in the folder.
    #[error("the master key of cards of version {0} is not in this folder: put back the newest backup of the keys")]
    Version(u8),
    /// No such transport key.
    #[error("no transport master key `{0}`; take it in with `issuance transport-key`")]
    Unknown(String),
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
}
