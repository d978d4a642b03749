//! The fields of the MRZ from which BAC and PACE derive their keys: Doc 9303-11 (8th ed.) §4.3.2, §4.4, appendix D.2.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Field, MrzError, check_alphabet, check_digit};

/// Document number, date of birth and date of expiry as in the MRZ; together they open the chip.
///
/// Wiped when dropped; `Debug` shows nothing.
#[derive(Clone, Eq, PartialEq, Zeroize, ZeroizeOnDrop)]
pub struct MrzKey {
    information: String,
}

impl MrzKey {
    /// Creates it from the three fields without their check digits: number of at most 22 characters (shorter than nine
    /// is padded with fillers), dates as `YYMMDD` with fillers for what is unknown.
    ///
    /// # Errors
    /// [`MrzError::TooLong`], [`MrzError::Form`] or [`MrzError::Character`].
    pub fn new(document_number: &str, birth: &str, expiry: &str) -> Result<Self, MrzError> {
        let number = document_number.trim_end_matches('<');
        check_alphabet(number)?;
        if number.is_empty() {
            return Err(MrzError::Form(Field::DocumentNumber));
        }
        if number.len() > 22 {
            return Err(MrzError::TooLong(Field::DocumentNumber));
        }
        for (field, date) in [(Field::Birth, birth), (Field::Expiry, expiry)] {
            if date.len() != 6 || !date.bytes().all(|b| b.is_ascii_digit() || b == b'<') {
                return Err(MrzError::Form(field));
            }
        }
        let mut information = String::with_capacity(40);
        for part in [&*Zeroizing::new(format!("{number:<<9}")), birth, expiry] {
            information.push_str(part);
            information.extend(check_digit(part.as_bytes()));
        }
        Ok(Self { information })
    }

    /// Returns `MRZ_information` of Doc 9303-11 §4.3.2: number, birth and expiry, each followed by its check digit. BAC
    /// and PACE hash it with SHA-1.
    pub fn information(&self) -> Zeroizing<String> {
        Zeroizing::new(self.information.clone())
    }
}

/// Shows nothing.
impl fmt::Debug for MrzKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzKey(…)")
    }
}
