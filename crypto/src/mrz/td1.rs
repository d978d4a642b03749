//! The MRZ of three lines of thirty characters: Doc 9303-5 (8th ed.) §4.2.2 to §4.2.4.

use std::fmt;

use zeroize::Zeroizing;

use super::{Field, MrzDate, MrzError, MrzKey, MrzName, check_alphabet, check_digit, verify};
use crate::identity::{Date, DocumentNumber, FullName, PersonalNumber, Sex};

/// An MRZ of a TD1 document.
///
/// ```text
/// line 1   code 2 | issuing state 3 | number 9 | cd | optional 15
/// line 2   birth 6 | cd | sex | expiry 6 | cd | nationality 3 | optional 11 | composite cd
/// line 3   PRIMARY<<SECONDARY
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Td1 {
    /// Document code without its filler: `ID` on the citizen card.
    pub document_code: String,
    /// Issuing state or organization without fillers: `VNM`.
    pub issuing_state: String,
    /// Document number; if longer than nine characters it continues in the optional data.
    pub document_number: DocumentNumber,
    /// Optional data of the upper line without trailing fillers, at most 15 characters (less what a long number takes).
    pub optional: String,
    /// Date of birth.
    pub birth: MrzDate,
    /// Sex, `None` if the document does not say.
    pub sex: Option<Sex>,
    /// Date of expiry.
    pub expiry: MrzDate,
    /// Nationality without fillers: `VNM`.
    pub nationality: String,
    /// Optional data of the middle line without trailing fillers, at most 11 characters.
    pub optional_middle: String,
    /// Name of the holder. A parsed one may have been truncated by the issuer.
    pub name: MrzName,
}

impl Td1 {
    /// Returns the MRZ of a citizen card, as seen on cards in circulation: the number is the last nine digits of
    /// the personal number, and the optional data are the whole personal number, two fillers and its own check
    /// digit. No expiry is `991231`.
    ///
    /// # Errors
    /// [`MrzError::Unknown`] naming a letter of the name that no table has; never for a
    /// [`FullName`] made by its parser.
    pub fn of_citizen(
        number: &PersonalNumber,
        name: &FullName,
        sex: Sex,
        birth: Date,
        expiry: Option<time::Date>,
    ) -> Result<Self, MrzError> {
        let digit = check_digit(number.as_str().as_bytes()).expect("digits have a check digit");
        Ok(Self {
            document_code: "ID".into(),
            issuing_state: "VNM".into(),
            document_number: number.last_nine(),
            optional: format!("{number}<<{digit}"),
            birth: birth.into(),
            sex: Some(sex),
            expiry: expiry.map_or(MrzDate::NO_EXPIRY, MrzDate::from),
            nationality: "VNM".into(),
            optional_middle: String::new(),
            name: MrzName::of_citizen(name)?,
        })
    }

    /// Returns the personal number in the optional data of a citizen card, if it is there with a right check digit.
    pub fn personal_number(&self) -> Option<PersonalNumber> {
        let (number, digit) = (self.optional.get(..12)?, self.optional.get(12..)?.strip_prefix("<<")?);
        verify(Field::Optional, number, digit).ok()?;
        number.parse().ok()
    }

    /// Writes the 90 characters, without line breaks, all check digits computed.
    ///
    /// # Errors
    /// [`MrzError::TooLong`] or [`MrzError::Form`] naming the field that does not fit the layout.
    pub fn compose(&self) -> Result<[u8; 90], MrzError> {
        let number = self.document_number.as_str();
        // Note j of §4.2.2: a longer number has a filler in place of its check digit, which follows the rest.
        let (number, digit, optional) = match number.split_at_checked(9) {
            Some((start, rest)) if !rest.is_empty() => {
                (start.to_owned(), '<', format!("{rest}{}<{}", digit_of(number)?, self.optional))
            }
            _ => {
                let padded = format!("{number:<<9}");
                let digit = digit_of(&padded)?;
                (padded, digit, self.optional.clone())
            }
        };
        let sex = self.sex.map_or('<', Sex::letter);
        let upper = Zeroizing::new(format!(
            "{}{}{number}{digit}{}",
            field(Field::DocumentCode, &self.document_code, 2)?,
            field(Field::IssuingState, &self.issuing_state, 3)?,
            field(Field::Optional, optional.trim_end_matches('<'), 15)?,
        ));
        let middle = Zeroizing::new(format!(
            "{}{}{sex}{}{}{}{}",
            self.birth,
            digit_of(self.birth.as_str())?,
            self.expiry,
            digit_of(self.expiry.as_str())?,
            field(Field::Nationality, &self.nationality, 3)?,
            field(Field::Optional, &self.optional_middle, 11)?,
        ));
        let composite = digit_of(&covered_by_composite(&upper, &middle))?;
        if self.name.primary().is_empty() {
            return Err(MrzError::Form(Field::Name));
        }
        let whole = Zeroizing::new(format!("{}{}{composite}{}", *upper, *middle, self.name.field(30)));
        check_alphabet(&whole)?;
        whole.as_bytes().try_into().map_err(|_| MrzError::Length(whole.len()))
    }

    /// Reads 90 characters, or three lines of thirty with line breaks, and verifies every check digit.
    ///
    /// Accepts what foreign issuers write: dates that are no days, any document code, unlisted codes of states.
    ///
    /// # Errors
    /// [`MrzError`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, MrzError> {
        let zone: Zeroizing<String> =
            Zeroizing::new(bytes.iter().map(|b| char::from(*b)).filter(|c| !matches!(c, '\r' | '\n')).collect());
        check_alphabet(&zone)?;
        if zone.len() != 90 {
            return Err(MrzError::Length(zone.len()));
        }
        let (upper, rest) = zone.split_at(30);
        let (middle, lower) = rest.split_at(30);
        verify(Field::Composite, &covered_by_composite(upper, middle), &middle[29..])?;
        verify(Field::Birth, &middle[..6], &middle[6..7])?;
        verify(Field::Expiry, &middle[8..14], &middle[14..15])?;
        let (document_number, optional) = number_and_optional(&upper[5..14], &upper[14..15], &upper[15..])?;
        let stripped = |text: &str| text.trim_end_matches('<').to_owned();
        Ok(Self {
            document_code: stripped(&upper[..2]),
            issuing_state: stripped(&upper[2..5]),
            document_number,
            optional,
            birth: middle[..6].parse()?,
            sex: match &middle[7..8] {
                "F" => Some(Sex::Female),
                "M" => Some(Sex::Male),
                "<" => None,
                _ => return Err(MrzError::Form(Field::Sex)),
            },
            expiry: middle[8..14].parse().map_err(|_| MrzError::Form(Field::Expiry))?,
            nationality: stripped(&middle[15..18]),
            optional_middle: stripped(&middle[18..29]),
            name: MrzName::parse(lower)?,
        })
    }

    /// Returns the fields that open the chip.
    pub fn key(&self) -> MrzKey {
        MrzKey::new(self.document_number.as_str(), self.birth.as_str(), self.expiry.as_str())
            .expect("number and dates are of the alphabet and of their lengths")
    }
}

/// Shows document code and State only.
impl fmt::Debug for Td1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Td1({}{}, …)", self.document_code, self.issuing_state)
    }
}

/// Returns the characters that the composite check digit covers (§4.2.4): upper line 6 to 30, middle line 1 to
/// 7, 9 to 15 and 19 to 29.
fn covered_by_composite(upper: &str, middle: &str) -> Zeroizing<String> {
    Zeroizing::new([&upper[5..30], &middle[..7], &middle[8..15], &middle[18..29]].concat())
}

/// Returns the number, however long, and what is left of the optional data; both laid out as note j of
/// §4.2.2 says (TD2 alike).
pub(super) fn number_and_optional(
    start: &str,
    digit: &str,
    optional: &str,
) -> Result<(DocumentNumber, String), MrzError> {
    let optional = optional.trim_end_matches('<');
    let form = |_| MrzError::Form(Field::DocumentNumber);
    if digit != "<" || optional.is_empty() {
        verify(Field::DocumentNumber, start, digit)?;
        return Ok((start.parse().map_err(form)?, optional.to_owned()));
    }
    // The rest of a long number ends at the first filler; its last character is the check digit of the whole.
    let (rest, optional) = optional.split_once('<').unwrap_or((optional, ""));
    let (rest, digit) =
        rest.split_at_checked(rest.len().wrapping_sub(1)).ok_or(MrzError::Form(Field::DocumentNumber))?;
    let number = Zeroizing::new(format!("{start}{rest}"));
    verify(Field::DocumentNumber, &number, digit)?;
    Ok((number.parse().map_err(form)?, optional.to_owned()))
}

fn digit_of(text: &str) -> Result<char, MrzError> {
    check_alphabet(text)?;
    check_digit(text.as_bytes()).ok_or(MrzError::Form(Field::Composite))
}

/// Returns `text` filled up to `width` with fillers.
fn field(name: Field, text: &str, width: usize) -> Result<String, MrzError> {
    check_alphabet(text)?;
    if text.len() > width { Err(MrzError::TooLong(name)) } else { Ok(format!("{text:<<width$}")) }
}
