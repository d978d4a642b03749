//! Names in one canonical spelling.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::serde_as_text;
use crate::mrz;

/// A full name with its diacritics, in one canonical spelling, so that equal names are equal strings.
///
/// Canonical is: Unicode NFC, single spaces, the plain apostrophe, `Đ` for the letters that look like it, and in a
/// Vietnamese syllable the tone mark where the traditional spelling puts it (`Hòa`, not `Hoà`; but `Hoàng`, `Quý`, and
/// `Noé`, which is none). Case is kept as given. Every name can be written in an MRZ.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FullName(String);

impl FullName {
    /// Longest name, in characters after normalisation.
    pub const MAX_CHARACTERS: usize = 100;
    /// Longest text that is read as a name, in bytes: a character has at most three marks, and each at most four bytes.
    const MAX_BYTES: usize = 16 * Self::MAX_CHARACTERS;

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
        // Before any work: what it costs to bring a text into one spelling grows with its length.
        if text.len() > Self::MAX_BYTES {
            return Err(FullNameError::Length(text.chars().count()));
        }
        let name = canonical_spelling(text);
        if !name.chars().any(char::is_alphabetic) {
            return Err(FullNameError::Empty);
        }
        let belongs = |c: char| matches!(c, ' ' | '-' | '\'') || (mrz::is_letter(c) && !is_shape(c));
        if let Some(culprit) = name.chars().find(|c| !belongs(*c)) {
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
    /// Too many characters; holds their number, before normalisation if there are very many.
    #[error("a name has at most {max} characters, not {0}", max = FullName::MAX_CHARACTERS)]
    Length(usize),
}

/// Returns `text` in NFC, with single spaces, one apostrophe, one `Đ` and every Vietnamese syllable's tone mark in its
/// traditional place, so that `Hoà Bình` and `Hòa Bình` compare equal. Case and other punctuation are kept.
pub fn canonical_spelling(text: &str) -> String {
    let letters: String = text.nfc().map(one_of_each).collect();
    let words = letters.split_whitespace().map(|word| {
        // `H'Hoà` and `Anna-Hoà` have a syllable between their marks.
        word.split_inclusive(['\'', '-']).map(traditional_tone_placement).collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns what two spellings of one name have in common: lower case, without tone and vowel marks, `d` for `đ`, words
/// parted by one space, also where an apostrophe or a hyphen stood. To be compared and searched by; never shown.
pub fn folded_name(text: &str) -> String {
    let spelled = canonical_spelling(text);
    let letters = spelled.nfd().map(|letter| if letter == IOTA_BELOW { 'ι' } else { letter });
    // Marks are dropped on both sides, since a change of case may bring some. By way of the capitals: `ẞ`, `ß` and `SS`
    // are one name. Letter by letter: the `ς` at the end of a word is a `σ`.
    let plain = letters.filter(|letter| !is_combining_mark(*letter));
    let capitals = plain.flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let lower: String = capitals.flat_map(char::to_lowercase).collect();
    // An apostrophe may come out of a change of case too (`ŉ`).
    let plain = lower.nfd().filter(|c| !is_combining_mark(*c)).map(|letter| match one_of_each(letter) {
        'đ' => 'd',
        '\'' | '-' => ' ',
        other => other,
    });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The one mark whose capital is a letter: the iota below a Greek vowel (`ᾳ` and `ΑΙ` are one).
const IOTA_BELOW: char = '\u{345}';

/// Returns the letter that is meant by one that looks the same: the eth of Icelandic and the `Đ` of African languages
/// have the shape of the Vietnamese letter, and keyboards and scanners write them in its place.
fn one_of_each(letter: char) -> char {
    match letter {
        'Ð' | 'Ɖ' => 'Đ',
        'ð' | 'ɖ' => 'đ',
        '’' | '‘' | 'ʼ' | 'ʻ' => '\'',
        other => other,
    }
}

/// True for the long s and for ligatures (`ﬁ`): shapes of letters that fonts have, and no keyboard. One name must not
/// have two spellings by them.
const fn is_shape(letter: char) -> bool {
    matches!(letter, 'ſ' | '\u{fb00}'..='\u{fb06}')
}

/// Returns `word` in NFC; if it is one Vietnamese syllable with `oa`, `oe` or `uy`, with the tone mark of an open one
/// on the first vowel (`Hòa`, `Thủy`), of a closed one on the second (`Hoàng`, `Huỳnh`), and after `q` always on the
/// second (`Quý`). Anything else stays as it is: `Noé` and `Chloé` are not of this language.
fn traditional_tone_placement(word: &str) -> String {
    let mut letters: Vec<(char, Option<char>)> = word.nfc().map(split_tone).collect();
    let plain: String = letters.iter().map(|(letter, _)| letter.to_lowercase().next().unwrap_or(*letter)).collect();
    if let Some((first, open)) = rounded_syllable(plain.trim_end_matches(['\'', '-'])) {
        let after_q = plain.starts_with('q');
        let (right, wrong) = if after_q || !open { (first + 1, first) } else { (first, first + 1) };
        if letters[right].1.is_none() {
            letters[right].1 = letters[wrong].1.take();
        }
    }
    letters.into_iter().flat_map(|(letter, tone)| [Some(letter), tone]).flatten().nfc().collect()
}

/// Returns where the vowels of a Vietnamese syllable with `oa`, `oe` or `uy` begin, counted in letters, and whether
/// nothing follows them; `None` for any other word. Takes it in lower case and without tone.
///
/// The glide does not stand after b, m, n, p, ph, v. In `uyê` and `uya` the tone belongs to another vowel; a misplaced
/// one cannot be corrected safely, so those are not among the endings.
fn rounded_syllable(word: &str) -> Option<(usize, bool)> {
    ["oa", "oe", "uy"].iter().find_map(|vowels| {
        let (initial, ending) = word.split_once(vowels)?;
        let fits = INITIALS.contains(&initial) && ENDINGS.contains(&ending);
        fits.then(|| (initial.chars().count(), ending.is_empty()))
    })
}

/// How a syllable with a rounded glide begins.
const INITIALS: [&str; 20] =
    ["", "c", "ch", "d", "đ", "g", "gi", "h", "k", "kh", "l", "ng", "nh", "q", "r", "s", "t", "th", "tr", "x"];
/// How it ends.
const ENDINGS: [&str; 13] = ["", "c", "ch", "i", "m", "n", "ng", "nh", "o", "p", "t", "u", "y"];

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
