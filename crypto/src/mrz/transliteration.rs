//! Transliteration of national letters to A to Z (Doc 9303-3 (8th ed.) §6 A) and of other characters (§4.6).

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// A character that cannot be written in an MRZ.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the character {0:?} cannot be written in an MRZ")]
pub struct UnknownCharacter(pub char);

/// Writes a name with A to Z and fillers between its components.
///
/// Letters by the table of Doc 9303-3 §6 A, the first recommendation where it gives several. The table ends at
/// U+017E, before most of Viet Nam's letters (`Ơ`, `Ư`, and U+1EA0 to U+1EF9): those lose their diacritics, as
/// similar letters of the table do (`Ă`, `Ê`, `Đ`). Punctuation by §4.6: apostrophes and other signs vanish, hyphen
/// and comma part two components.
///
/// # Errors
/// [`UnknownCharacter`] naming the first character that is neither: a digit, a letter of another script.
pub fn transliterate(text: &str) -> Result<String, UnknownCharacter> {
    let mut written = String::with_capacity(text.len());
    for character in text.nfc() {
        match character {
            ' ' | '\u{a0}' | '-' | '‐' | '‑' | ',' | '<' => {
                if !written.is_empty() && !written.ends_with('<') {
                    written.push('<');
                }
            }
            '\'' | '’' | 'ʼ' | '‘' | '`' | '´' | '.' | '"' | '(' | ')' | '/' => {}
            other => written.push_str(&letter(other).ok_or(UnknownCharacter(other))?),
        }
    }
    written.truncate(written.trim_end_matches('<').len());
    Ok(written)
}

/// Returns whether [`transliterate`] knows this letter, in either case.
pub fn is_letter(character: char) -> bool {
    letter(character).is_some()
}

fn letter(character: char) -> Option<String> {
    let mut capitals = String::new();
    for capital in character.to_uppercase() {
        match capital {
            'A'..='Z' => capitals.push(capital),
            _ => match TABLE.binary_search_by_key(&capital, |(from, _)| *from) {
                Ok(at) => capitals.push_str(TABLE[at].1),
                Err(_) => capitals.push(vietnamese(capital)?),
            },
        }
    }
    Some(capitals)
}

/// Returns the base letter of a Vietnamese letter that the table lacks.
fn vietnamese(capital: char) -> Option<char> {
    let mut parts = std::iter::once(capital).nfd();
    let base = parts.next().filter(char::is_ascii_uppercase)?;
    // Circumflex, breve and horn make letters; the others are the five tones.
    parts
        .all(|mark| matches!(mark, '\u{300}'..='\u{303}' | '\u{306}' | '\u{309}' | '\u{31b}' | '\u{323}'))
        .then_some(base)
}

/// Doc 9303-3 §6 A, capitals in code order; the first recommendation where there are several.
#[rustfmt::skip]
const TABLE: &[(char, &str)] = &[
    ('À', "A"), ('Á', "A"), ('Â', "A"), ('Ã', "A"), ('Ä', "AE"), ('Å', "AA"), ('Æ', "AE"), ('Ç', "C"), ('È', "E"),
    ('É', "E"), ('Ê', "E"), ('Ë', "E"), ('Ì', "I"), ('Í', "I"), ('Î', "I"), ('Ï', "I"), ('Ð', "D"), ('Ñ', "N"),
    ('Ò', "O"), ('Ó', "O"), ('Ô', "O"), ('Õ', "O"), ('Ö', "OE"), ('Ø', "OE"), ('Ù', "U"), ('Ú', "U"), ('Û', "U"),
    ('Ü', "UE"), ('Ý', "Y"), ('Þ', "TH"), ('Ā', "A"), ('Ă', "A"), ('Ą', "A"), ('Ć', "C"), ('Ĉ', "C"), ('Ċ', "C"),
    ('Č', "C"), ('Ď', "D"), ('Đ', "D"), ('Ē', "E"), ('Ĕ', "E"), ('Ė', "E"), ('Ę', "E"), ('Ě', "E"), ('Ĝ', "G"),
    ('Ğ', "G"), ('Ġ', "G"), ('Ģ', "G"), ('Ĥ', "H"), ('Ħ', "H"), ('Ĩ', "I"), ('Ī', "I"), ('Ĭ', "I"), ('Į', "I"),
    ('İ', "I"), ('Ĳ', "IJ"), ('Ĵ', "J"), ('Ķ', "K"), ('Ĺ', "L"), ('Ļ', "L"), ('Ľ', "L"), ('Ŀ', "L"), ('Ł', "L"),
    ('Ń', "N"), ('Ņ', "N"), ('Ň', "N"), ('Ŋ', "N"), ('Ō', "O"), ('Ŏ', "O"), ('Ő', "O"), ('Œ', "OE"), ('Ŕ', "R"),
    ('Ŗ', "R"), ('Ř', "R"), ('Ś', "S"), ('Ŝ', "S"), ('Ş', "S"), ('Š', "S"), ('Ţ', "T"), ('Ť', "T"), ('Ŧ', "T"),
    ('Ũ', "U"), ('Ū', "U"), ('Ŭ', "U"), ('Ů', "U"), ('Ű', "U"), ('Ų', "U"), ('Ŵ', "W"), ('Ŷ', "Y"), ('Ÿ', "Y"),
    ('Ź', "Z"), ('Ż', "Z"), ('Ž', "Z"), ('ẞ', "SS"),
];
