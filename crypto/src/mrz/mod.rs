//! The machine readable zone of a TD1 card, and the key to the chip that is in it: Doc 9303-3 and -5 (8th ed.).
//!
//! It reads no images. Only the TD1 layout is read in full; of TD2 and TD3 it reads what [`MrzKey`] needs.

mod date;
mod key;
mod misread;
mod name;
mod td1;
mod transliteration;
mod zone;

pub use date::MrzDate;
pub use key::MrzKey;
pub use name::MrzName;
pub use td1::Td1;
use thiserror::Error;
pub use transliteration::{UnknownCharacter, is_letter, transliterate};
pub use zone::MrzZone;

/// Returns the check digit over characters of an MRZ: weights 7, 3, 1, modulo 10 (Doc 9303-3 (8th ed.) §4.9). `None` if
/// a character is neither a digit, a capital letter nor the filler.
pub fn check_digit(characters: &[u8]) -> Option<char> {
    let mut sum = 0;
    for (character, weight) in characters.iter().zip([7, 3, 1].into_iter().cycle()) {
        sum += weight
            * match character {
                b'0'..=b'9' => u32::from(character - b'0'),
                b'A'..=b'Z' => u32::from(character - b'A') + 10,
                b'<' => 0,
                _ => return None,
            };
        sum %= 10;
    }
    char::from_digit(sum, 10)
}

/// Part of an MRZ, named in errors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Date of birth.
    Birth,
    /// All fields together, by the composite check digit.
    Composite,
    /// Document number.
    DocumentNumber,
    /// Document code: two characters.
    DocumentCode,
    /// Date of expiry.
    Expiry,
    /// Issuing state: three letters.
    IssuingState,
    /// Name of the holder.
    Name,
    /// Nationality: three letters.
    Nationality,
    /// Optional data of the upper or the middle line.
    Optional,
    /// Sex.
    Sex,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Birth => "date of birth",
            Self::Composite => "composite",
            Self::DocumentNumber => "document number",
            Self::DocumentCode => "document code",
            Self::Expiry => "date of expiry",
            Self::IssuingState => "issuing state",
            Self::Name => "name",
            Self::Nationality => "nationality",
            Self::Optional => "optional data",
            Self::Sex => "sex",
        })
    }
}

/// Error when reading or composing MRZ.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MrzError {
    /// The letter O and the digit 0 can be exchanged in a field in several ways, and its check digit does not decide.
    #[error("the {0} can be read in several ways, with the letter O or the digit 0: type it as it stands on the card")]
    Ambiguous(Field),
    /// A character that is not allowed in an MRZ.
    #[error("character {} of the MRZ is {character:?}: only A to Z, 0 to 9 and < can stand there", at + 1)]
    Character {
        /// Position from 0, line breaks not counted.
        at: usize,
        /// The character.
        character: char,
    },
    /// A check digit is not that of the characters it covers.
    #[error("the check digit of the {0} does not fit: misread or forged")]
    CheckDigit(Field),
    /// A field has a value that its clause does not allow.
    #[error("the {0} does not have the form the MRZ gives it")]
    Form(Field),
    /// The number of characters is not that of a known MRZ; holds that number.
    #[error("an MRZ has 3 lines of 30, 2 of 36 or 2 of 44 characters; this has {0} characters")]
    Length(usize),
    /// A number, name or text is longer than its field.
    #[error("the {0} is too long for the MRZ")]
    TooLong(Field),
    /// A letter is not in the tables of Doc 9303-3 §6.
    #[error(transparent)]
    Unknown(#[from] UnknownCharacter),
}

/// Refuses characters that are not allowed in an MRZ.
fn check_alphabet(characters: &str) -> Result<(), MrzError> {
    let allowed = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '<';
    match characters.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        Some((at, character)) => Err(MrzError::Character { at, character }),
        None => Ok(()),
    }
}

/// Compares a check digit with that of `text`, whose alphabet was checked. A filler counts as 0
/// (a blank optional number).
fn verify(field: Field, covered: &str, digit: &str) -> Result<(), MrzError> {
    let expected = check_digit(covered.as_bytes());
    let written = digit.chars().next().map(|c| if c == '<' { '0' } else { c });
    if expected.is_some() && expected == written { Ok(()) } else { Err(MrzError::CheckDigit(field)) }
}

#[cfg(test)]
mod tests;
