//! Files around SecurityInfos and keys: EF.CardAccess (Doc 9303-10 (8th ed.) §3.11.3), DG14
//! (§4.7.14) and DG15 (§4.7.15).

use thiserror::Error;

use super::SecurityInfos;
use crate::tlv::{self, Reader, Tlv, TlvError};

/// EF.CardAccess: the protocols, readable before any of them ran and therefore unproved. The same PACE entries are in
/// DG14 or the signed EF.CardSecurity.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CardAccess(pub SecurityInfos);

impl CardAccess {
    /// Returns the file: one bare SET.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// Reads the file. Bytes after the SET are ignored: some cards fill the file up, and nothing in it is signed.
    ///
    /// # Errors
    /// [`SecurityFileError`].
    pub fn parse(file: &[u8]) -> Result<Self, SecurityFileError> {
        let infos = Reader::new(file).expect(0x31).and_then(|set| SecurityInfos::parse(set.raw));
        infos.map(Self).map_err(|source| SecurityFileError { file: "EF.CardAccess", source })
    }
}

/// DG14, `6E { SET OF SecurityInfo }`: the protocols again, signed, with the keys for chip authentication.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dg14(pub SecurityInfos);

impl Dg14 {
    /// Returns the file.
    pub fn encode(&self) -> Vec<u8> {
        tlv::encode(0x6e, &self.0.encode())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`SecurityFileError`].
    pub fn parse(file: &[u8]) -> Result<Self, SecurityFileError> {
        let infos = Tlv::expect(0x6e, file).and_then(|file| SecurityInfos::parse(file.value));
        infos.map(Self).map_err(|source| SecurityFileError { file: "DG14", source })
    }
}

/// DG15, `6F { SubjectPublicKeyInfo }`: the public key of active authentication.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dg15 {
    /// SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
}

impl Dg15 {
    /// Returns the file.
    pub fn encode(&self) -> Vec<u8> {
        tlv::encode(0x6f, &self.spki)
    }

    /// Reads the file; [`crate::pki::spki::parse`] reads the key itself.
    ///
    /// # Errors
    /// [`SecurityFileError`].
    pub fn parse(file: &[u8]) -> Result<Self, SecurityFileError> {
        let key = Tlv::expect(0x6f, file).and_then(|file| Tlv::expect(0x30, file.value));
        match key {
            Ok(key) => Ok(Self { spki: key.raw.to_vec() }),
            Err(source) => Err(SecurityFileError { file: "DG15", source }),
        }
    }
}

/// Error when reading EF.CardAccess, DG14 or DG15.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{file}: {source}")]
pub struct SecurityFileError {
    /// The file.
    pub file: &'static str,
    /// The problem.
    pub source: TlvError,
}
