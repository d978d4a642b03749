//! An MRZ as a whole: all its lines, of whatever size.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::misread::{self, Places};
use super::td1::number_and_optional;
use super::{Field, MrzError, MrzKey, check_alphabet, verify};

/// All characters of an MRZ (TD1, TD2 or TD3) as read from the document's surface, and the key that they give.
///
/// Only this type reads a whole MRZ from text, and it keeps all of it: an inspection compares every field with DG1, not
/// the three that open the chip. Wiped when dropped; `Debug` shows the number of characters only.
#[derive(Clone, Eq, PartialEq, Zeroize, ZeroizeOnDrop)]
pub struct MrzZone {
    characters: String,
    key: MrzKey,
}

impl MrzZone {
    /// Returns the fields that open the chip.
    pub fn key(&self) -> &MrzKey {
        &self.key
    }

    /// Returns the characters without line breaks.
    pub fn characters(&self) -> &str {
        &self.characters
    }

    /// True if the composite check digit fits (Doc 9303-5, -6 and -4, §4.2.4 and its like). One that was read from a
    /// document's surface and does not fit was misread, or is wrong on the document itself: it proves nothing against a
    /// chip.
    pub fn is_sound(&self) -> bool {
        let (covered, digit): (&[Range<usize>], _) = match self.characters.len() {
            90 => (&[5..30, 30..37, 38..45, 48..59], 59),
            72 => (&[36..46, 49..56, 57..71], 71),
            _ => (&[44..54, 57..64, 65..87], 87),
        };
        let parts: Vec<&str> = covered.iter().map(|part| &self.characters[part.clone()]).collect();
        let covered = Zeroizing::new(parts.concat());
        verify(Field::Composite, &covered, &self.characters[digit..=digit]).is_ok()
    }

    /// Returns the fields in which the other zone, of a DG1, has other characters. Check digits count to the field that
    /// they cover. `None` if the other zone has another size.
    pub fn differences(&self, other: &[u8]) -> Option<Vec<Field>> {
        if self.characters.len() != other.len() {
            return None;
        }
        let layout = layout_of(other.len())?;
        let own = self.characters.as_bytes();
        Some(layout.iter().filter(|(_, at)| own[at.clone()] != other[at.clone()]).map(|(field, _)| *field).collect())
    }
}

/// Reads 90, 72 or 88 characters as scanners and people write them: with or without line breaks and spaces, in small
/// letters, with O for 0 where only one reading is possible. Verifies the check digits of number, birth and expiry
/// only: a mistake elsewhere does not change the key; [`MrzZone::is_sound`] finds it, and so does
/// the comparison with DG1.
impl FromStr for MrzZone {
    type Err = MrzError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(MrzError::Length(text.chars().count()));
        }
        let zone = misread::characters(text);
        check_alphabet(&zone)?;
        let places = places_of(zone.len()).ok_or(MrzError::Length(zone.len()))?;
        let mut zone = Zeroizing::new(zone.as_bytes().to_vec());
        misread::mend(&mut zone, &places)?;
        let zone = std::str::from_utf8(&zone).expect("the alphabet of the MRZ is ASCII");
        let Places { number, optional, dates: [birth, expiry], .. } = places;
        let (document_number, _) =
            number_and_optional(&zone[number.clone()], &zone[number.end..=number.end], &zone[optional])?;
        let date = |field, at: Range<usize>| {
            let (date, digit) = zone[at].split_at(6);
            verify(field, date, digit).map(|()| date)
        };
        let (birth, expiry) = (date(Field::Birth, birth)?, date(Field::Expiry, expiry)?);
        let key = MrzKey::new(document_number.as_str(), birth, expiry)?;
        Ok(Self { characters: zone.to_owned(), key })
    }
}

/// Returns the places of a zone of this many characters (Doc 9303-5, -6 and -4, §4.2.2).
fn places_of(length: usize) -> Option<Places> {
    match length {
        90 => Some(Places {
            number: 5..14,
            optional: 15..30,
            dates: [30..37, 38..45],
            letters: [2..5, 45..48, 60..90],
            composite: 59,
        }),
        72 => Some(Places {
            number: 36..45,
            optional: 64..71,
            dates: [49..56, 57..64],
            letters: [2..5, 46..49, 5..36],
            composite: 71,
        }),
        // TD3 has no long numbers.
        88 => Some(Places {
            number: 44..53,
            optional: 44..44,
            dates: [57..64, 65..72],
            letters: [2..5, 54..57, 5..44],
            composite: 87,
        }),
        _ => None,
    }
}

/// Shows nothing personal.
impl fmt::Debug for MrzZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MrzZone({} characters)", self.characters.len())
    }
}

/// Returns the fields of a zone of this many characters, each with its check digit; together they are the whole zone.
fn layout_of(length: usize) -> Option<&'static [(Field, Range<usize>)]> {
    match length {
        90 => Some(&TD1),
        72 => Some(&TD2),
        88 => Some(&TD3),
        _ => None,
    }
}

/// Longest text that is read as a zone, in bytes: 90 characters, with spaces between and empty lines.
const MAX_BYTES: usize = 1024;

const TD1: [(Field, Range<usize>); 11] = [
    (Field::DocumentCode, 0..2),
    (Field::IssuingState, 2..5),
    (Field::DocumentNumber, 5..15),
    (Field::Optional, 15..30),
    (Field::Birth, 30..37),
    (Field::Sex, 37..38),
    (Field::Expiry, 38..45),
    (Field::Nationality, 45..48),
    (Field::Optional, 48..59),
    (Field::Composite, 59..60),
    (Field::Name, 60..90),
];

const TD2: [(Field, Range<usize>); 10] = [
    (Field::DocumentCode, 0..2),
    (Field::IssuingState, 2..5),
    (Field::Name, 5..36),
    (Field::DocumentNumber, 36..46),
    (Field::Nationality, 46..49),
    (Field::Birth, 49..56),
    (Field::Sex, 56..57),
    (Field::Expiry, 57..64),
    (Field::Optional, 64..71),
    (Field::Composite, 71..72),
];

const TD3: [(Field, Range<usize>); 10] = [
    (Field::DocumentCode, 0..2),
    (Field::IssuingState, 2..5),
    (Field::Name, 5..44),
    (Field::DocumentNumber, 44..54),
    (Field::Nationality, 54..57),
    (Field::Birth, 57..64),
    (Field::Sex, 64..65),
    (Field::Expiry, 65..72),
    (Field::Optional, 72..87),
    (Field::Composite, 87..88),
];

#[cfg(test)]
mod tests {
    use super::*;

    const TD1_ZONE: &str =
        "IDVNM1850000425003185000042<<0\n8503020F4503023VNM<<<<<<<<<<<8\nNGUYEN<<THI<THU<<<<<<<<<<<<<<<";

    #[test]
    fn the_fields_of_each_size_cover_the_whole_zone() {
        for length in [90, 72, 88] {
            let mut at = 0;
            for (field, range) in layout_of(length).unwrap() {
                assert_eq!(range.start, at, "{field}");
                at = range.end;
            }
            assert_eq!(at, length);
        }
    }

    /// The zone of an invented citizen, all check digits right.
    const CITIZEN: &str =
        "IDVNM3000000171003300000017<<4\n0001052F2501051VNM<<<<<<<<<<<4\nNGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

    #[test]
    fn a_zone_is_read_as_scanners_and_people_write_it() {
        let expected = CITIZEN.replace('\n', "");
        for text in [
            CITIZEN.replace('\n', "\r\n"),
            format!("\u{feff}{CITIZEN}\r\n\r\n"),
            expected.clone(),
            CITIZEN.replace('\n', " "),
            CITIZEN.to_lowercase(),
            CITIZEN.chars().flat_map(|c| [c, ' ']).collect(),
            CITIZEN.replace("<<", "«"),
            CITIZEN.replace("300000017100", "3OOOOOO17100"),
            CITIZEN.replace("300000017100", "30000001710O").replace("0001052F", "OOO1O52F"),
            CITIZEN.replace("0001052F2501051", "0001052F25OIO5I").replace("3000000171", "3000000l71"),
        ] {
            let zone: MrzZone = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(zone.key(), CITIZEN.parse::<MrzZone>().unwrap().key(), "{text}");
            assert_eq!(zone.characters(), expected, "{text}");
        }
        let wrong = CITIZEN.replace("3000000171", "9000000171").parse::<MrzZone>();
        assert_eq!(wrong, Err(MrzError::CheckDigit(Field::DocumentNumber)), "no letter is tried in a citizen's number");
        let name: MrzZone = CITIZEN.replace("THI<MAU", "TH0<MAU").parse().unwrap();
        assert!(name.characters().contains("THO<MAU"), "no digit stands in a name");
    }

    #[test]
    fn a_foreign_number_is_mended_if_its_check_digit_allows_one_reading_only() {
        let zone = |number: &str, digit: char| {
            format!("I<UTO{number}{digit}<<<<<<<<<<<<<<<6908061F9406236UTO<<<<<<<<<<<1ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
        };
        let digit = |number: &str| super::super::check_digit(number.as_bytes()).unwrap();
        // One doubtful character.
        let read: MrzZone = zone("L8989O2C<", digit("L898902C<")).parse().unwrap();
        assert!(read.characters().contains("L898902C<"));
        // An O that stands there is not touched.
        let read: MrzZone = zone("LO98902C<", digit("LO98902C<")).parse().unwrap();
        assert!(read.characters().contains("LO98902C<"));
        // O and 0 differ by 4: seven times that, and seven times that again three characters later, fit alike.
        let (written, scanned) = ("0AA0AAAAA", "OAAOAAAAA");
        assert_eq!(digit("0AAOAAAAA"), digit("OAA0AAAAA"));
        let ambiguous = zone(scanned, digit("0AAOAAAAA")).parse::<MrzZone>();
        assert_eq!(ambiguous, Err(MrzError::Ambiguous(Field::DocumentNumber)));
        assert!(zone(scanned, digit(written)).parse::<MrzZone>().is_ok(), "both at once fit in one way");
        // A number that no reading mends is misread or forged.
        let wrong = if digit("L898962C<") == '9' { '8' } else { '9' };
        assert!(matches!(zone("L898962C<", wrong).parse::<MrzZone>(), Err(MrzError::CheckDigit(_))));
    }

    #[test]
    fn a_zone_is_read_as_scanners_write_it_and_a_wrong_composite_digit_makes_it_unsound() {
        for (zone, at) in [
            ("I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<", 59),
            ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6", 71),
            ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", 87),
        ] {
            let read: MrzZone = zone.parse().unwrap();
            assert!(read.is_sound(), "{zone}");
            let scanned = format!("\u{feff}{}\r\n", zone.to_lowercase().replace('\n', "\r\n"));
            assert_eq!(scanned.parse::<MrzZone>().unwrap().characters(), read.characters());
            let mut misread: Vec<char> = read.characters().chars().collect();
            misread[at] = if misread[at] == '5' { '6' } else { '5' };
            let misread: String = misread.into_iter().collect();
            assert!(!misread.parse::<MrzZone>().unwrap().is_sound(), "{misread}");
        }
        assert_eq!("<".repeat(3_000_000).parse::<MrzZone>(), Err(MrzError::Length(3_000_000)));
    }

    #[test]
    fn a_difference_in_any_one_character_is_found_and_named() {
        // The check digits of the three fields are right; that of the optional data is of no matter here.
        let digit = |text: &str| super::super::check_digit(text.as_bytes()).unwrap();
        let zone = TD1_ZONE.replace("1850000425", &format!("185000042{}", digit("185000042")));
        let zone = zone.replace("8503020F", &format!("850302{}F", digit("850302")));
        let zone = zone.replace("4503023VNM", &format!("450302{}VNM", digit("450302")));
        let zone: MrzZone = zone.parse().unwrap();
        assert_eq!(zone.differences(zone.characters().as_bytes()), Some(vec![]));
        for at in 0..90 {
            let mut other = zone.characters().as_bytes().to_vec();
            other[at] ^= 1;
            assert_eq!(zone.differences(&other).map(|fields| fields.len()), Some(1), "character {at}");
        }
        let mut name = zone.characters().as_bytes().to_vec();
        name[60..66].copy_from_slice(b"TRANAN");
        assert_eq!(zone.differences(&name), Some(vec![Field::Name]));
        assert_eq!(zone.differences(&name[..88]), None);
    }
}
