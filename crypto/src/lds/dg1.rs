//! Data group 1, the MRZ: Doc 9303-10 (8th ed.) §4.7.1.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::mrz::{MrzError, MrzKey, MrzZone, Td1};
use crate::tlv::{self, Tlv, TlvError};

/// `61 { 5F1F MRZ without line breaks }`.
#[derive(Clone, Eq, PartialEq)]
pub enum Dg1 {
    /// An MRZ of another size or with wrong check digits, as it stands. Read only, never written for a citizen card.
    Other(Vec<u8>),
    /// A TD1 zone, as on the citizen card.
    Td1(Td1),
}

impl Dg1 {
    /// Returns the file.
    ///
    /// # Errors
    /// The errors of [`Td1::compose`].
    pub fn encode(&self) -> Result<Vec<u8>, MrzError> {
        let zone = match self {
            Self::Other(zone) => zone.clone(),
            Self::Td1(td1) => td1.compose()?.to_vec(),
        };
        Ok(tlv::encode(0x61, &tlv::encode(0x5f1f, &zone)))
    }

    /// Reads the file. A zone that is no correct TD1 is kept as [`Dg1::Other`]: the inspection reports a
    /// signed mistake of the issuer.
    ///
    /// # Errors
    /// [`Dg1Error`] if there is no MRZ in the file at all.
    pub fn parse(file: &[u8]) -> Result<Self, Dg1Error> {
        let zone = Self::characters(file)?;
        Ok(Td1::parse(zone).map_or_else(|_| Self::Other(zone.to_vec()), Self::Td1))
    }

    /// Returns the characters of the MRZ in a file, as they stand there.
    ///
    /// # Errors
    /// [`Dg1Error`] if there is no MRZ in the file at all.
    pub fn characters(file: &[u8]) -> Result<&[u8], Dg1Error> {
        Ok(Tlv::expect(0x61, file)?.child(0x5f1f)?.value)
    }

    /// Returns the MRZ if it is a TD1 zone.
    pub fn td1(&self) -> Option<&Td1> {
        match self {
            Self::Other(_) => None,
            Self::Td1(td1) => Some(td1),
        }
    }

    /// Returns the fields that open the chip, from a zone of any size.
    ///
    /// # Errors
    /// [`MrzError`] if the zone is of no size known or its check digits do not fit.
    pub fn key(&self) -> Result<MrzKey, MrzError> {
        match self {
            Self::Other(zone) => {
                let zone: Zeroizing<String> = Zeroizing::new(zone.iter().map(|b| char::from(*b)).collect());
                Ok(zone.parse::<MrzZone>()?.key().clone())
            }
            Self::Td1(td1) => Ok(td1.key()),
        }
    }
}

impl From<Td1> for Dg1 {
    fn from(td1: Td1) -> Self {
        Self::Td1(td1)
    }
}

/// Shows nothing personal.
impl fmt::Debug for Dg1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(zone) => write!(f, "Dg1({} characters)", zone.len()),
            Self::Td1(td1) => write!(f, "Dg1({td1:?})"),
        }
    }
}

/// Error when reading DG1.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("DG1: {0}")]
pub struct Dg1Error(#[from] TlvError);
