//! Names in one canonical spelling.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use super::serde_as_text;
use crate::mrz;

/// A full name with its diacritics, in one canonical spelling, so that equal names are equal strings.
///
/// Canonical is: Unicode NFC, single spaces, the plain apostrophe, and the tone mark where the traditional spelling
/// puts it (`Hòa`, not `Hoà`; but `Hoàng`, `Quý`). Case is kept as given. Every name can be written in an MRZ.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FullName(String);

impl FullName {
    /// Longest name, in characters after normalisation.
    pub const MAX_CHARACTERS: usize = 100;

    /// Returns the canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first word, which is the family name in Viet Nam: primary identifier of the MRZ.
    pub fn family(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// Returns middle and given names, empty if there is only one word.
    pub fn middle_and_given(&self) -> &str {
        self.0.split_once(' ').map_or("", |(_, rest)| rest)
    }
}

impl FromStr for FullName {
    type Err = FullNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = canonical_spelling(text).replace(['’', 'ʼ'], "'");
        if !name.chars().any(char::is_alphabetic) {
            return Err(FullNameError::Empty);
        }
        if let Some(culprit) = name.chars().find(|c| !matches!(c, ' ' | '-' | '\'') && !mrz::is_letter(*c)) {
            return Err(FullNameError::Character(culprit));
        }
        match name.chars().count() {
            length if length > Self::MAX_CHARACTERS => Err(FullNameError::Length(length)),
            _ => Ok(Self(name)),
        }
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Shows nothing.
impl fmt::Debug for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FullName(…)")
    }
}

serde_as_text!(FullName);

/// Error when reading name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FullNameError {
    /// A digit, a sign, or a letter that cannot be written in an MRZ.
    #[error("the character {0:?} cannot stand in a name")]
    Character(char),
    /// The name has no letter.
    #[error("a name has at least one letter")]
    Empty,
    /// Too many characters; holds their number.
    #[error("a name has at most {max} characters, not {0}", max = FullName::MAX_CHARACTERS)]
    Length(usize),
}

/// Returns `text` in NFC, with single spaces and every word's tone mark in its traditional place, so that `Hoà Bình`
/// and `Hòa Bình` compare equal. Case and punctuation are kept.
pub fn canonical_spelling(text: &str) -> String {
    text.split_whitespace().map(traditional_tone_placement).collect::<Vec<_>>().join(" ")
}

/// Returns `word` in NFC with the tone mark of its last open `oa`, `oe`, `uy` on the first vowel (`Hòa`,
/// `Thủy`), of a closed one on the second (`Hoàng`, `Huỳnh`), and after `q` always on the second (`Quý`).
/// Anything else stays as it is.
fn traditional_tone_placement(word: &str) -> String {
    let mut letters: Vec<(char, Option<char>)> = word.nfc().map(split_tone).collect();
    for first in 0..letters.len().saturating_sub(1) {
        let pair = (letters[first].0.to_ascii_lowercase(), letters[first + 1].0.to_ascii_lowercase());
        if !matches!(pair, ('o', 'a' | 'e') | ('u', 'y')) {
            continue;
        }
        let after = letters.get(first + 2).map(|l| l.0).filter(|c| c.is_alphabetic());
        // In `uyê` the tone belongs to the third vowel; a misplaced one cannot be corrected safely, so it stays.
        if after.is_some_and(|c| matches!(c, 'ê' | 'Ê' | 'a' | 'A')) {
            continue;
        }
        let after_q = first > 0 && letters[first - 1].0.eq_ignore_ascii_case(&'q');
        let (right, wrong) = if after_q || after.is_some() { (first + 1, first) } else { (first, first + 1) };
        if letters[right].1.is_none() {
            letters[right].1 = letters[wrong].1.take();
        }
    }
    letters.into_iter().flat_map(|(letter, tone)| [Some(letter), tone]).flatten().nfc().collect()
}

/// Returns a letter without its tone mark, and the tone mark.
fn split_tone(letter: char) -> (char, Option<char>) {
    let mut marks: Vec<char> = std::iter::once(letter).nfd().collect();
    let Some(at) = marks.iter().position(|m| TONES.contains(m)) else { return (letter, None) };
    let tone = marks.remove(at);
    let mut base = marks.into_iter().nfc();
    match (base.next(), base.next()) {
        (Some(base), None) => (base, Some(tone)),
        _ => (letter, None),
    }
}

/// Grave, acute, tilde, hook above, dot below: the five written tones of Vietnamese.
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
