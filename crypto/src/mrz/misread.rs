//! Mends what scanners and people misread in an MRZ, where only one reading is possible: spaces, small letters, a
//! letter where only a digit can stand, O and 0 in a number whose check digit decides.
//!
//! For zones from a document's surface only; a chip's DG1 is read as it stands.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{Field, MrzError, check_digit};

/// The places of a zone that decide what a character can be.
pub(super) struct Places {
    /// Document number; its check digit follows.
    pub number: Range<usize>,
    /// Where the number goes on if it is long (TD1 and TD2); empty for TD3.
    pub optional: Range<usize>,
    /// Birth and expiry, each with its check digit.
    pub dates: [Range<usize>; 2],
    /// Issuing State, nationality and name: letters only.
    pub letters: [Range<usize>; 3],
    /// The composite check digit.
    pub composite: usize,
}

/// Returns the characters of a zone without spaces and marks between them, in capital letters.
pub(super) fn characters(text: &str) -> Zeroizing<String> {
    let mut zone = Zeroizing::new(String::with_capacity(text.len() + 8));
    for character in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}')) {
        match character {
            '«' => zone.push_str("<<"),
            '‹' | '＜' => zone.push('<'),
            _ => zone.push(character.to_ascii_uppercase()),
        }
    }
    zone
}

/// Mends a zone of the alphabet in place.
///
/// # Errors
/// [`MrzError::Ambiguous`] if O and 0 can be exchanged in the number in several ways that its check digit allows.
pub(super) fn mend(zone: &mut [u8], places: &Places) -> Result<(), MrzError> {
    let Places { number, optional, dates, letters, composite } = places;
    for date in dates {
        to_digits(&mut zone[date.clone()]);
    }
    to_digits(&mut zone[number.end..=number.end]);
    to_digits(&mut zone[*composite..=*composite]);
    for field in letters {
        zone[field.clone()].iter_mut().filter(|c| **c == b'0').for_each(|c| *c = b'O');
    }
    let digit = zone[number.end];
    // The citizen card has digits only in its number and in the personal number behind it. That comes first: the check
    // digit does not tell L from 1.
    let is_citizens = zone.len() == 90 && zone.starts_with(b"IDVNM");
    if is_citizens {
        let mut digits = Zeroizing::new(zone[number.clone()].to_vec());
        to_digits(&mut digits);
        if fits(&digits, digit) {
            zone[number.clone()].copy_from_slice(&digits);
            to_digits(&mut zone[optional.clone()]);
            return Ok(());
        }
    }
    if is_citizens || digit == b'<' || fits(&zone[number.clone()], digit) {
        return Ok(());
    }
    exchange(&mut zone[number.clone()], digit)
}

/// Exchanges O and 0 in a number so that its check digit fits, if there is one way. If there is none the number stays.
fn exchange(number: &mut [u8], digit: u8) -> Result<(), MrzError> {
    let doubtful: Vec<usize> = (0..number.len()).filter(|at| matches!(number[*at], b'O' | b'0')).collect();
    let mut fitting = None;
    for choice in 1..1_u32 << doubtful.len().min(9) {
        let mut other = Zeroizing::new(number.to_vec());
        for (bit, at) in doubtful.iter().enumerate() {
            if choice >> bit & 1 == 1 {
                other[*at] = if other[*at] == b'0' { b'O' } else { b'0' };
            }
        }
        if fits(&other, digit) && fitting.replace(other).is_some() {
            return Err(MrzError::Ambiguous(Field::DocumentNumber));
        }
    }
    if let Some(only) = fitting {
        number.copy_from_slice(&only);
    }
    Ok(())
}

fn fits(covered: &[u8], digit: u8) -> bool {
    check_digit(covered).is_some_and(|expected| expected == char::from(digit))
}

/// Reads letters as the digits that they are taken for in print.
fn to_digits(field: &mut [u8]) {
    for character in field {
        *character = match *character {
            b'O' | b'Q' | b'D' => b'0',
            b'I' | b'L' => b'1',
            b'Z' => b'2',
            b'S' => b'5',
            b'G' => b'6',
            b'B' => b'8',
            other => other,
        };
    }
}
