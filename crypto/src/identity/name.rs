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
        // Every letter of the Vietnamese alphabet belongs to a name.
        if let Some((letters, characters)) = as_it_stands(text) {
            return match characters {
                _ if letters == 0 => Err(FullNameError::Empty),
                length if length > Self::MAX_CHARACTERS => Err(FullNameError::Length(length)),
                _ => Ok(Self(text.to_owned())),
            };
        }
        let name = spelled_anew(text);
        if !name.chars().any(char::is_alphabetic) {
            return Err(FullNameError::Empty);
        }
        let belongs =
            |c: char| matches!(c, ' ' | '-' | '\'') || toneless(c).is_some() || (mrz::is_letter(c) && !is_shape(c));
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
    // Nearly every name of the nation is written so, and a file has a hundred million of them.
    if as_it_stands(text).is_some() { text.to_owned() } else { spelled_anew(text) }
}

fn spelled_anew(text: &str) -> String {
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
    folded_letters(text).unwrap_or_else(|| folded_anew(text))
}

fn folded_anew(text: &str) -> String {
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

/// Returns how many letters and characters a text of the Vietnamese alphabet has that is in its canonical spelling:
/// single spaces, composed letters, each tone mark in its place. `None` may also be said of one that is.
fn as_it_stands(text: &str) -> Option<(usize, usize)> {
    let (mut before, mut rounded, mut letters, mut characters) = (' ', false, 0, 0);
    for letter in text.chars() {
        let plain = match letter {
            ' ' if before == ' ' => return None,
            ' ' | '\'' | '-' => letter,
            letter => {
                letters += 1;
                toneless(letter)?.0
            }
        };
        characters += 1;
        rounded |= matches!((before, plain), ('o', 'a' | 'e') | ('u', 'y'));
        before = plain;
    }
    let stands = before != ' ' && (!rounded || text.split([' ', '\'', '-']).all(has_tone_in_place));
    stands.then_some((letters, characters))
}

/// True if a word of letters of [`toneless`] has its tone mark where [`traditional_tone_placement`] puts it.
fn has_tone_in_place(word: &str) -> bool {
    let plain: String = word.chars().filter_map(|letter| Some(toneless(letter)?.0)).collect();
    let Some((first, open)) = rounded_syllable(&plain) else { return true };
    let (right, wrong) = if plain.starts_with('q') || !open { (first + 1, first) } else { (first, first + 1) };
    let has_tone = |at: usize| word.chars().nth(at).and_then(toneless).is_some_and(|(_, tone)| tone);
    has_tone(right) || !has_tone(wrong)
}

/// Folds a text of the Vietnamese alphabet as [`folded_name`] does; `None` for one with another letter.
fn folded_letters(text: &str) -> Option<String> {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' ' | '\'' | '-' if folded.is_empty() || folded.ends_with(' ') => {}
            ' ' | '\'' | '-' => folded.push(' '),
            letter => folded.push(match toneless(letter)?.0 {
                'ă' | 'â' => 'a',
                'đ' => 'd',
                'ê' => 'e',
                'ô' | 'ơ' => 'o',
                'ư' => 'u',
                plain => plain,
            }),
        }
    }
    folded.truncate(folded.trim_end().len());
    Some(folded)
}

/// Returns a composed letter of the Vietnamese alphabet in lower case without its tone mark, and whether it has one;
/// `None` for any other character.
const fn toneless(letter: char) -> Option<(char, bool)> {
    Some(match letter {
        'a'..='z' => (letter, false),
        'A'..='Z' => (letter.to_ascii_lowercase(), false),
        'ă' | 'Ă' => ('ă', false),
        'â' | 'Â' => ('â', false),
        'đ' | 'Đ' => ('đ', false),
        'ê' | 'Ê' => ('ê', false),
        'ô' | 'Ô' => ('ô', false),
        'ơ' | 'Ơ' => ('ơ', false),
        'ư' | 'Ư' => ('ư', false),
        'à' | 'á' | 'ã' | 'À' | 'Á' | 'Ã' | '\u{1ea0}'..='\u{1ea3}' => ('a', true),
        '\u{1ea4}'..='\u{1ead}' => ('â', true),
        '\u{1eae}'..='\u{1eb7}' => ('ă', true),
        'è' | 'é' | 'È' | 'É' | '\u{1eb8}'..='\u{1ebd}' => ('e', true),
        '\u{1ebe}'..='\u{1ec7}' => ('ê', true),
        'ì' | 'í' | 'ĩ' | 'Ì' | 'Í' | 'Ĩ' | '\u{1ec8}'..='\u{1ecb}' => ('i', true),
        'ò' | 'ó' | 'õ' | 'Ò' | 'Ó' | 'Õ' | '\u{1ecc}'..='\u{1ecf}' => ('o', true),
        '\u{1ed0}'..='\u{1ed9}' => ('ô', true),
        '\u{1eda}'..='\u{1ee3}' => ('ơ', true),
        'ù' | 'ú' | 'ũ' | 'Ù' | 'Ú' | 'Ũ' | '\u{1ee4}'..='\u{1ee7}' => ('u', true),
        '\u{1ee8}'..='\u{1ef1}' => ('ư', true),
        'ý' | 'Ý' | '\u{1ef2}'..='\u{1ef9}' => ('y', true),
        _ => return None,
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every letter that [`toneless`] knows.
    fn letters() -> Vec<char> {
        ('\0'..='\u{ffff}').filter(|letter| toneless(*letter).is_some()).collect()
    }

    fn is_as_before(text: &str) {
        assert_eq!(canonical_spelling(text), spelled_anew(text), "{text}");
        assert_eq!(folded_name(text), folded_anew(text), "{text}");
    }

    #[test]
    fn a_text_of_the_alphabet_is_spelled_and_folded_as_any_other() {
        let letters = letters();
        // 26, and a, ă, â, e, ê, i, o, ô, ơ, u, ư, y with their tones, đ: small and capital.
        assert_eq!(letters.len(), 2 * (26 + 7 + 12 * 5));
        for letter in &letters {
            assert!(mrz::is_letter(*letter) && !is_shape(*letter), "{letter}");
            let small: Vec<char> = letter.to_lowercase().collect();
            let (plain, tone) = split_tone(small[0]);
            assert_eq!(toneless(*letter), Some((plain, tone.is_some())), "{letter}");
            is_as_before(&letter.to_string());
            for other in &letters {
                is_as_before(&format!("{letter}{other}"));
                if matches!(toneless(*letter), Some(('o' | 'u', _))) {
                    is_as_before(&format!("K{letter}{other}n-{other}'"));
                }
            }
        }
        for text in ["", " ", "a  b", " a", "a ", "-", "a - b", "H'Mai", "D’Hòa", "Ðức", "Noé", "ß", "Hoa\u{300}"]
        {
            is_as_before(text);
        }
    }

    #[test]
    fn every_rounded_syllable_is_spelled_as_before() {
        let written = [("oòóõỏọÓ", "aàáảÁ"), ("oòóõỏọÓ", "eèéẻÉ"), ("uùúũủụÚ", "yỳýỷÝ")];
        let mut pairs = vec![];
        for (glides, vowels) in written {
            for glide in glides.chars() {
                pairs.extend(vowels.chars().map(|vowel| format!("{glide}{vowel}")));
            }
        }
        for initial in INITIALS.iter().chain(&["b", "Ph", "Q", "TH"]) {
            for ending in ENDINGS.iter().chain(&["a", "en", "NG"]) {
                for pair in &pairs {
                    is_as_before(&format!("{initial}{pair}{ending}"));
                }
            }
        }
    }
}
