//! Static keys: the three of a key set, their check values, and their derivation from a master key.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::BLOCK;
use super::aes_key::AesKey;
use crate::identity::CardSerial;

/// Error when reading a key set.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// A key has not 16, 24 or 32 bytes.
    #[error("an AES key has 16, 24 or 32 bytes, not {length}")]
    Length {
        /// Bytes given.
        length: usize,
    },
    /// The three keys of a set differ in length.
    #[error("the three keys of a set have one length")]
    Mixed,
    /// The check value is not that of the key.
    #[error("the key does not have this check value")]
    CheckValue,
}

/// The static keys of a security domain: Key-ENC, Key-MAC and Key-DEK (Amendment D v1.2 §4.1.1), all of one length.
///
/// Not `Clone`: a second copy can be made only through [`KeySet::to_bytes`], where it is visible.
pub struct KeySet {
    pub(super) enc: AesKey,
    pub(super) mac: AesKey,
    pub(super) dek: AesKey,
}

impl KeySet {
    /// Returns a key set of these keys.
    ///
    /// # Errors
    /// [`KeyError::Length`], [`KeyError::Mixed`].
    pub fn new(enc: &[u8], mac: &[u8], dek: &[u8]) -> Result<Self, KeyError> {
        let set = Self { enc: AesKey::new(enc)?, mac: AesKey::new(mac)?, dek: AesKey::new(dek)? };
        let length = set.key_length();
        if set.mac.length() == length && set.dek.length() == length { Ok(set) } else { Err(KeyError::Mixed) }
    }

    /// Reads what [`KeySet::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            48 | 72 | 96 => {
                let third = bytes.len() / 3;
                Self::new(&bytes[..third], &bytes[third..2 * third], &bytes[2 * third..])
            }
            length => Err(KeyError::Length { length: length / 3 }),
        }
    }

    /// Returns Key-ENC, Key-MAC and Key-DEK, one after the other, for the chip's own memory only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.enc.bytes(), self.mac.bytes(), self.dek.bytes()].concat())
    }

    /// Returns the bytes of each of the three keys: 16, 24 or 32.
    pub fn key_length(&self) -> usize {
        self.enc.length()
    }

    /// Returns the check values of Key-ENC, Key-MAC and Key-DEK.
    pub fn check_values(&self) -> [[u8; 3]; 3] {
        self.all().map(check_value_of)
    }

    pub(crate) fn wrapped(&self, new: &KeySet) -> [Vec<u8>; 3] {
        new.all().map(|key| self.dek.wrap(key.bytes()))
    }

    /// Returns the key set that PUT KEY carries under this set's Key-DEK, each key with its length
    /// in bytes and check value.
    pub(crate) fn unwrapped(&self, keys: &[(usize, &[u8], [u8; 3]); 3]) -> Result<KeySet, KeyError> {
        let mut plain = Vec::with_capacity(3);
        for (length, wrapped, expected) in keys {
            let bytes = self.dek.unwrap(wrapped).filter(|b| b.len() == length.next_multiple_of(BLOCK));
            let mut bytes = bytes.ok_or(KeyError::Length { length: *length })?;
            bytes.truncate(*length);
            if check_value(&bytes)? != *expected {
                return Err(KeyError::CheckValue);
            }
            plain.push(bytes);
        }
        KeySet::new(&plain[0], &plain[1], &plain[2])
    }

    fn all(&self) -> [&AesKey; 3] {
        [&self.enc, &self.mac, &self.dek]
    }
}

/// Shows the key length only.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} bits)", self.key_length() * 8)
    }
}

/// Returns the check value of an AES key: the first three bytes of sixteen bytes `01` under it
/// (GPCS v2.3 Annex B, AES).
///
/// # Errors
/// [`KeyError::Length`].
pub fn check_value(key: &[u8]) -> Result<[u8; 3], KeyError> {
    Ok(check_value_of(&AesKey::new(key)?))
}

fn check_value_of(key: &AesKey) -> [u8; 3] {
    let block = key.encrypt_block([0x01; BLOCK]);
    [block[0], block[1], block[2]]
}

/// A master key, from which the static keys of each chip are derived. The service (for transport keys, the
/// manufacturer) keeps it; it is never on a chip.
pub struct MasterKey(AesKey);

impl MasterKey {
    /// Returns a master key of 16, 24 or 32 bytes; the keys of the chips get the same length.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        AesKey::new(bytes).map(Self)
    }

    /// Returns the key set of one chip and one key version: SP 800-108 in counter mode with CMAC, in the layout of
    /// [`super`], with the ASCII label `CARD KEY `, two zero bytes, the key's identifier (1 ENC, 2 MAC, 3 DEK), and as
    /// context the serial (10 bytes) and the key version (1 byte). GlobalPlatform leaves diversification to the issuer.
    pub fn diversify(&self, serial: &CardSerial, key_version: u8) -> KeySet {
        let key = |identifier: u8| {
            let mut label = *b"CARD KEY \0\0\0";
            label[11] = identifier;
            let bytes = self.0.derive(&label, &[&serial.0, &[key_version]], self.0.length());
            AesKey::new(&bytes).expect("as long as the master key")
        };
        KeySet { enc: key(1), mac: key(2), dek: key(3) }
    }
}

/// Shows the key length only.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({} bits)", self.0.length() * 8)
    }
}
