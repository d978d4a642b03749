//! Numbers of a card: document number, card access number and chip serial.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::serde_as_text;

/// Document number of an MRZ: letters, digits and inner fillers, without the trailing fillers (Doc
/// 9303-5 (8th ed.) §4.2.2.1).
///
/// The citizen card has exactly nine digits; foreign TD1 documents may have up to 22 characters (note j there).
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DocumentNumber(String);

impl DocumentNumber {
    /// Returns the number without trailing fillers.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentNumber {
    type Err = DocumentNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim_end_matches('<');
        if number.is_empty() || number.len() > 22 {
            return Err(DocumentNumberError::Length(number.len()));
        }
        match number.chars().find(|c| !(c.is_ascii_digit() || c.is_ascii_uppercase() || *c == '<')) {
            Some(culprit) => Err(DocumentNumberError::Character(culprit)),
            None => Ok(Self(number.to_owned())),
        }
    }
}

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Shows nothing: nine of the twelve digits of a personal number are in it.
impl fmt::Debug for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DocumentNumber(…)")
    }
}

serde_as_text!(DocumentNumber);

/// Error when reading document number.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DocumentNumberError {
    /// A character other than A to Z, 0 to 9 and the filler.
    #[error("the character {0:?} cannot stand in a document number")]
    Character(char),
    /// Fewer than 1 or more than 22 characters; holds the length in bytes.
    #[error("a document number has 1 to 22 characters, not {0}")]
    Length(usize),
}

/// Card access number: the six digits that open the chip by PACE (Doc 9303-11 (8th ed.) §4.4).
///
/// Not a secret of the citizen: the 2021 card takes the last six digits of the printed personal number, so it proves
/// only that the reader has seen the card.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Can([u8; 6]);

impl Can {
    /// Returns the six ASCII digits, as PACE derives its key from them.
    pub fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }

    /// Returns the six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("six ASCII digits")
    }
}

impl FromStr for Can {
    type Err = CanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 6]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(CanError),
        }
    }
}

impl fmt::Display for Can {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Shows no digit.
impl fmt::Debug for Can {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Can(…)")
    }
}

serde_as_text!(Can);

/// The text is not six digits.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a card access number has exactly six digits")]
pub struct CanError;

/// A chip's own number: the ten bytes of key diversification data it announces (GPCS-D v1.2 §7.1.1.6, tag `0045` here).
///
/// Says nothing about the holder, so it may be logged. Text form: 20 upper-case hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CardSerial(pub [u8; 10]);

impl CardSerial {
    /// Returns the ten bytes.
    pub fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

impl TryFrom<&[u8]> for CardSerial {
    type Error = CardSerialError;

    fn try_from(bytes: &[u8]) -> Result<Self, CardSerialError> {
        bytes.try_into().map(Self).map_err(|_| CardSerialError)
    }
}

/// Reads 20 hexadecimal digits of either case.
impl FromStr for CardSerial {
    type Err = CardSerialError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut serial = [0; 10];
        hex::decode_to_slice(text, &mut serial).map_err(|_| CardSerialError)?;
        Ok(Self(serial))
    }
}

impl fmt::Display for CardSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for CardSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardSerial({self})")
    }
}

serde_as_text!(CardSerial);

/// The text or value is not ten bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a card serial has ten bytes: 20 hexadecimal digits")]
pub struct CardSerialError;
