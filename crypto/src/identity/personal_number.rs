//! The personal number, given for life, and its parts: Decree 137/2015/ND-CP Art. 13, Circular 59/2021/TT-BCA Art. 4.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Can, DocumentNumber, serde_as_text};

/// A citizen's number for life: `PPP G YY NNNNNN` (Decree 137/2015, Art. 13). No check digit.
///
/// `PPP` province (or country) of birth registration, `G` century and sex, `YY` birth year within the century, `NNNNNN`
/// drawn at random. Any twelve digits parse; the issuing office checks whether the province exists.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PersonalNumber([u8; 12]);

impl PersonalNumber {
    /// Composes a number from its parts.
    ///
    /// # Errors
    /// [`PersonalNumberError::BirthYear`] outside 1900..=2399 (the digit `G` knows five centuries),
    /// [`PersonalNumberError::Serial`] above 999 999.
    pub fn compose(
        province: ProvinceCode,
        sex: Sex,
        birth_year: u16,
        serial: u32,
    ) -> Result<Self, PersonalNumberError> {
        if !(1900..=2399).contains(&birth_year) {
            return Err(PersonalNumberError::BirthYear(birth_year));
        }
        if serial > 999_999 {
            return Err(PersonalNumberError::Serial(serial));
        }
        let century_and_sex = (birth_year - 1900) / 100 * 2 + u16::from(sex == Sex::Female);
        let text = format!("{province}{century_and_sex}{:02}{serial:06}", birth_year % 100);
        text.parse()
    }

    /// Returns the twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("twelve ASCII digits")
    }

    /// Returns the province where the birth was registered (not where the citizen lives).
    pub fn province(&self) -> ProvinceCode {
        ProvinceCode(u16::try_from(self.value(0..3)).expect("three digits"))
    }

    /// Returns the sex at the time the number was given: the digit `G` is odd for women.
    pub fn sex(&self) -> Sex {
        if self.value(3..4).is_multiple_of(2) { Sex::Male } else { Sex::Female }
    }

    /// Returns the year of birth, 1900..=2399.
    pub fn birth_year(&self) -> u16 {
        u16::try_from(1900 + 100 * (self.value(3..4) / 2) + self.value(4..6)).expect("at most 2399")
    }

    /// Returns the last six digits as a number, 0..=999 999.
    pub fn serial_part(&self) -> u32 {
        self.value(6..12)
    }

    /// Returns the last nine digits: the document number in the MRZ of the citizen card. Neither unique per card (a
    /// re-issued card repeats it) nor per person (two provinces may share the nine digits).
    pub fn last_nine(&self) -> DocumentNumber {
        self.as_str()[3..].parse().expect("nine digits are a document number")
    }

    /// Returns the card access number by the policy of the 2021 card: the last six digits of the personal number.
    pub fn can(&self) -> Can {
        self.as_str()[6..].parse().expect("six digits are a CAN")
    }

    fn value(&self, digits: std::ops::Range<usize>) -> u32 {
        self.0[digits].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
    }
}

impl FromStr for PersonalNumber {
    type Err = PersonalNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| PersonalNumberError::Length(text.len()))?;
        match digits.iter().position(|d| !d.is_ascii_digit()) {
            Some(at) => Err(PersonalNumberError::NotADigit { at }),
            None => Ok(Self(digits)),
        }
    }
}

impl fmt::Display for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Shows no digit: personal data stays out of logs and panics.
impl fmt::Debug for PersonalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalNumber(…)")
    }
}

serde_as_text!(PersonalNumber);

/// Error when reading personal number.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PersonalNumberError {
    /// The birth year does not fit the century digit.
    #[error("a personal number cannot hold the birth year {0}: 1900 to 2399 only")]
    BirthYear(u16),
    /// Not twelve characters; holds the length in bytes.
    #[error("a personal number has 12 digits, not {0}")]
    Length(usize),
    /// A character that is no digit, counted from 0.
    #[error("character {} of the personal number is not a digit", at + 1)]
    NotADigit {
        /// Its position, from 0.
        at: usize,
    },
    /// The serial part has more than six digits.
    #[error("the serial part of a personal number has six digits, {0} has more")]
    Serial(u32),
}

/// Three-digit code of a province, or of a country for births registered abroad (Circular 07/2016, appendices).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProvinceCode(u16);

impl ProvinceCode {
    /// Accepts 0..=999. The reference tables of the issuing office say whether a code is assigned.
    ///
    /// # Errors
    /// [`ProvinceCodeError`] above 999.
    pub fn new(number: u16) -> Result<Self, ProvinceCodeError> {
        if number <= 999 { Ok(Self(number)) } else { Err(ProvinceCodeError) }
    }

    /// Returns the code as a number, 0..=999.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl FromStr for ProvinceCode {
    type Err = ProvinceCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ProvinceCodeError);
        }
        text.parse().map(Self).map_err(|_| ProvinceCodeError)
    }
}

impl fmt::Display for ProvinceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = [100, 10, 1].map(|by| b'0' + u8::try_from(self.0 / by % 10).unwrap_or(0));
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

serde_as_text!(ProvinceCode);

/// The code is not three digits.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a province or country code has exactly three digits")]
pub struct ProvinceCodeError;

/// Sex in the register and on the card. An MRZ may leave it unspecified: `Option<Sex>`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Sex {
    /// `F`, `Nữ`.
    Female,
    /// `M`, `Nam`.
    Male,
}

impl Sex {
    /// Returns the word printed on the card and written in DG13: `Nam` or `Nữ`.
    pub fn vietnamese(self) -> &'static str {
        match self {
            Self::Female => "Nữ",
            Self::Male => "Nam",
        }
    }

    /// As in the MRZ: `M` or `F`.
    pub fn letter(self) -> char {
        match self {
            Self::Female => 'F',
            Self::Male => 'M',
        }
    }
}

/// Reads `M`/`F` and `Nam`/`Nữ`, exactly.
impl FromStr for Sex {
    type Err = SexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "F" | "Nữ" => Ok(Self::Female),
            "M" | "Nam" => Ok(Self::Male),
            _ => Err(SexError),
        }
    }
}

/// Returns the letter in the MRZ.
impl fmt::Display for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Female => "F",
            Self::Male => "M",
        })
    }
}

serde_as_text!(Sex);

/// The text is neither `M`/`Nam` nor `F`/`Nữ`.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("sex is M (Nam) or F (Nữ)")]
pub struct SexError;
