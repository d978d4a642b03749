//! Text from outside, as the service keeps it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Returns text as the register keeps it: without characters that leave no mark, NFC, single spaces, control characters
/// as spaces; `None` if nothing is left.
#[must_use]
pub fn tidy(text: &str) -> Option<String> {
    tidy_text(text).map(Cow::into_owned)
}

/// As [`tidy`]; a text that is so already is not copied.
#[must_use]
pub fn tidy_text(text: &str) -> Option<Cow<'_, str>> {
    // Nearly every text is so, and a file has two thousand million of them.
    if is_tidy(text) {
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    tidied(text).map(Cow::Owned)
}

/// True for a text of visible ASCII, composed Latin letters and single spaces between them, which stays as it is. False
/// may also be said of another that does.
fn is_tidy(text: &str) -> bool {
    let mut before = ' ';
    for c in text.chars() {
        let is_plain = match c {
            ' ' => before != ' ',
            // Each of the letters is composed, and composes with none before it.
            '!'..='~' | 'À'..='ſ' | 'Ơ' | 'ơ' | 'Ư' | 'ư' | '\u{1ea0}'..='\u{1ef9}' => true,
            _ => false,
        };
        if !is_plain {
            return false;
        }
        before = c;
    }
    before != ' ' || text.is_empty()
}

fn tidied(text: &str) -> Option<String> {
    let visible = text.chars().filter(|c| !is_hidden(*c)).map(|c| if c.is_control() { ' ' } else { c });
    let composed: String = visible.nfc().collect();
    let words: Vec<&str> = composed.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// True for a character that leaves no mark of its own, changes what stands beside it (direction of writing, joining),
/// or has no meaning outside one program: general category Cf and Co, noncharacters, default ignorables, bidi controls.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    // The last two code points of every plane are noncharacters.
    c as u32 & 0xfffe == 0xfffe
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
}

/// True if a JSON text has a string with U+0000, which PostgreSQL does not store and SQLite does. A raw zero byte is no
/// JSON anyway.
#[must_use]
pub fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        // The escaped character, which may be a backslash itself.
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// Returns the code for the sentence of a body that was not read, if one of the types here wrote it.
#[must_use]
pub fn refusal(sentence: &str) -> Option<ProblemCode> {
    let codes =
        [(MISSING, ProblemCode::ReasonMissing), (TOO_LONG, ProblemCode::TextTooLong), (UNFIT, ProblemCode::TextUnfit)];
    codes.into_iter().find(|(begins, _)| sentence.starts_with(begins)).map(|(_, code)| code)
}

/// Free text of a request: [`tidy`], perhaps empty, and at most `MOST` characters.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Words<const MOST: usize>(String);

impl<const MOST: usize> Words<MOST> {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize> TryFrom<String> for Words<MOST> {
    type Error = UnfitText;

    fn try_from(text: String) -> Result<Self, UnfitText> {
        if text.len() > 8 * MOST {
            return Err(UnfitText::TooLong { most: MOST });
        }
        let text = tidy(&text).unwrap_or_default();
        if text.chars().count() > MOST { Err(UnfitText::TooLong { most: MOST }) } else { Ok(Self(text)) }
    }
}

impl<const MOST: usize> From<Words<MOST>> for String {
    fn from(words: Words<MOST>) -> Self {
        words.0
    }
}

/// Shows nothing: the text may be personal.
impl<const MOST: usize> fmt::Debug for Words<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(…)")
    }
}

/// As [`Words`], and never empty: a reason that must be given.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SomeWords<const MOST: usize>(Words<MOST>);

impl<const MOST: usize> SomeWords<MOST> {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// As words that may be none.
    #[must_use]
    pub fn words(&self) -> &Words<MOST> {
        &self.0
    }
}

impl<const MOST: usize> TryFrom<String> for SomeWords<MOST> {
    type Error = UnfitText;

    fn try_from(text: String) -> Result<Self, UnfitText> {
        let words = Words::try_from(text)?;
        if words.as_str().is_empty() { Err(UnfitText::Empty) } else { Ok(Self(words)) }
    }
}

impl<const MOST: usize> From<SomeWords<MOST>> for String {
    fn from(words: SomeWords<MOST>) -> Self {
        words.0.into()
    }
}

/// Shows nothing: the text may be personal.
impl<const MOST: usize> fmt::Debug for SomeWords<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SomeWords(…)")
    }
}

/// Name of an officer's account in its one spelling, by which it is unique: NFKC, lower case, 1 to 64 letters of the
/// Vietnamese alphabet, digits and `.`, `-`, `_`, `@`. No other script, so none can be mixed in (after the
/// UsernameCaseMapped profile of RFC 8265).
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl Login {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Login {
    type Err = UnfitText;

    fn from_str(text: &str) -> Result<Self, UnfitText> {
        if text.len() > 8 * MAX_LOGIN {
            return Err(UnfitText::TooLong { most: MAX_LOGIN });
        }
        let spelt: String = text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
        if spelt.is_empty() || !spelt.chars().all(fits_login) {
            return Err(UnfitText::Login);
        }
        if spelt.chars().count() > MAX_LOGIN { Err(UnfitText::TooLong { most: MAX_LOGIN }) } else { Ok(Self(spelt)) }
    }
}

impl TryFrom<String> for Login {
    type Error = UnfitText;

    fn try_from(text: String) -> Result<Self, UnfitText> {
        text.parse()
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

/// Shows nothing.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

fn fits_login(c: char) -> bool {
    let mut parts = std::iter::once(c).nfd();
    let base = parts.next().is_some_and(|base| base.is_ascii_lowercase());
    // Circumflex, breve, horn, and the five tones.
    let marks = |mark| matches!(mark, '\u{300}'..='\u{303}' | '\u{306}' | '\u{309}' | '\u{31b}' | '\u{323}');
    c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@' | 'đ') || (base && parts.all(marks))
}

/// A text that its field does not take.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum UnfitText {
    /// Nothing is left where a reason must be.
    #[error("{MISSING}: a reason has at least one visible character")]
    Empty,
    /// Not a name for an account.
    #[error("{UNFIT}: letters of the Vietnamese alphabet, digits and . - _ @ make a login")]
    Login,
    /// Too long.
    #[error("{TOO_LONG}: at most {most} characters")]
    TooLong {
        /// Characters that the field takes.
        most: usize,
    },
}

/// How the sentences of [`UnfitText`] begin: serde passes nothing on but a sentence.
const MISSING: &str = "reason missing";
const TOO_LONG: &str = "text too long";
const UNFIT: &str = "text unfit";
/// Longest reason, evidence or description that a person writes, characters.
pub const MOST_OF_REASON: usize = 400;
/// Longest name of an account, characters.
const MAX_LOGIN: usize = 64;

/// Text that can be printed on a card and written into DG13: tidy, and at most `MOST` bytes of UTF-8.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrintedText<const MOST: usize>(String);

/// A text that a card has no room for, or that has no visible character.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NotPrintable {
    /// Nothing is left without spaces and control characters.
    #[error("the text is empty")]
    Empty,
    /// Too long.
    #[error("the text has {bytes} bytes, a card has room for {most}")]
    TooLong {
        /// Bytes of UTF-8 that it has.
        bytes: usize,
        /// Bytes of UTF-8 that a card has room for.
        most: usize,
    },
}

impl<const MOST: usize> PrintedText<MOST> {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a text that [`tidy_text`] returned.
    ///
    /// # Errors
    /// [`NotPrintable::TooLong`]
    pub fn of_tidy(text: Cow<'_, str>) -> Result<Self, NotPrintable> {
        if text.len() > MOST {
            return Err(NotPrintable::TooLong { bytes: text.len(), most: MOST });
        }
        Ok(Self(text.into_owned()))
    }
}

impl<const MOST: usize> FromStr for PrintedText<MOST> {
    type Err = NotPrintable;

    fn from_str(text: &str) -> Result<Self, NotPrintable> {
        if text.len() > 8 * MOST {
            return Err(NotPrintable::TooLong { bytes: text.len(), most: MOST });
        }
        Self::of_tidy(tidy_text(text).ok_or(NotPrintable::Empty)?)
    }
}

impl<const MOST: usize> TryFrom<String> for PrintedText<MOST> {
    type Error = NotPrintable;

    fn try_from(text: String) -> Result<Self, NotPrintable> {
        text.parse()
    }
}

impl<const MOST: usize> From<PrintedText<MOST>> for String {
    fn from(text: PrintedText<MOST>) -> Self {
        text.0
    }
}

/// Shows nothing: the text may be personal.
impl<const MOST: usize> fmt::Debug for PrintedText<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrintedText(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    /// Unicode's own list: see `issuance/tests/data/unicode/README.md`.
    fn unicode() -> impl Iterator<Item = (RangeInclusive<u32>, &'static str)> {
        include_str!("../../tests/data/unicode/unsafe.txt").lines().map(|line| {
            let (range, property) = line.split_once(' ').unwrap();
            let (first, last) = range.split_once("..").unwrap();
            (u32::from_str_radix(first, 16).unwrap()..=u32::from_str_radix(last, 16).unwrap(), property)
        })
    }

    #[test]
    fn no_character_that_unicode_calls_invisible_or_a_control_is_kept() {
        for (range, property) in unicode() {
            for c in range.filter_map(char::from_u32) {
                assert_eq!(is_hidden(c), property != "Cc", "{:04X} {property}", u32::from(c));
                let between = if property == "Cc" { "a b" } else { "ab" };
                assert_eq!(tidy(&format!("a{c}b")).as_deref(), Some(between), "{:04X} {property}", u32::from(c));
                assert!(format!("a{c}b").parse::<Login>().is_err(), "{:04X} {property}", u32::from(c));
            }
        }
    }

    #[test]
    fn every_character_that_is_kept_is_kept_by_all_lists() {
        let listed: Vec<_> = unicode().map(|(range, _)| range).collect();
        let hidden = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| is_hidden(*c));
        for c in hidden {
            let unassigned = matches!(u32::from(c), 0x13439..=0x1343f | 0xf_0000..);
            let known = listed.iter().any(|range| range.contains(&u32::from(c)));
            assert!(known || unassigned, "{:04X} is hidden and in no list", u32::from(c));
        }
        for kept in ["Nguyễn Thị Mẫu", "Số 1, Phố Mẫu – “khu B”", "H'Mai Êban", "đường 3/2 (P.4)", "a ß ı ﬁ 漢 ไ"]
        {
            assert_eq!(tidy(kept).as_deref(), Some(kept));
        }
    }

    #[test]
    fn what_is_passed_over_would_come_out_the_same() {
        let kept: Vec<char> = ('\0'..=char::MAX).filter(|c| is_tidy(&format!("a{c}b"))).collect();
        assert_eq!(kept.len(), 95 + 192 + 4 + 90);
        for c in kept {
            for text in [format!("a{c}b"), format!("{c}{c}"), format!("e{c}e")] {
                assert_eq!(tidied(&text), tidy(&text), "{text}");
            }
        }
        for text in ["", " ", "a ", " a", "a  b", "a b"] {
            assert_eq!(tidied(text), tidy(text), "{text}");
        }
    }

    #[test]
    fn what_is_tidy_stays_as_it_is() {
        for text in [" a\u{200b}\u{301} b\0 ", "e\u{34f}\u{302}\u{301}", "\u{202e}Mẫu\u{202c}", "x\u{85}\u{2028}y"] {
            let once = tidy(text).unwrap();
            assert_eq!(tidy(&once), Some(once.clone()), "{text:?}");
        }
        assert_eq!(tidy("e\u{200d}\u{302}\u{301}").as_deref(), Some("ế"), "composed across what was taken out");
        assert_eq!(tidy("\u{200b}\u{feff} \0"), None);
    }

    #[test]
    fn a_nul_is_found_and_an_escaped_backslash_is_not_one() {
        for json in [r#"{"a":"\u0000"}"#, r#"["x\\\u0000"]"#, r#"{"\u0000":1}"#] {
            assert!(holds_nul(json.as_bytes()), "{json}");
        }
        for json in [r#"{"a":"\\u0000"}"#, r#"{"a":"\u0001"}"#, r#"{"a":"u0000"}"#, "\\", ""] {
            assert!(!holds_nul(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn words_have_a_limit_and_say_it() {
        let read = |text: String| serde_json::from_value::<Words<5>>(text.into()).map(String::from);
        assert_eq!(read(" Hòa \u{200b}".into()).unwrap(), "Hòa");
        assert_eq!(read("ẫẫẫẫẫ".into()).unwrap().chars().count(), 5);
        for long in ["ẫẫẫẫẫẫ".to_owned(), "\u{200b}".repeat(3_000_000)] {
            let error = read(long).unwrap_err().to_string();
            assert_eq!(refusal(&error), Some(ProblemCode::TextTooLong), "{error}");
        }
        assert_eq!(refusal("missing field `reason`"), None);
    }

    #[test]
    fn a_reason_has_words() {
        let read = |text: &str| serde_json::from_value::<SomeWords<5>>(text.into()).map(String::from);
        assert_eq!(read(" Hòa ").unwrap(), "Hòa");
        for blank in ["", " ", "\n\t", "\u{200b}", "\u{3164} \u{feff}"] {
            let error = read(blank).unwrap_err().to_string();
            assert_eq!(refusal(&error), Some(ProblemCode::ReasonMissing), "{error}");
        }
        assert_eq!(refusal(&read("ẫẫẫẫẫẫ").unwrap_err().to_string()), Some(ProblemCode::TextTooLong));
    }

    #[test]
    fn one_officer_has_one_name() {
        let login = |text: &str| text.parse::<Login>().map(String::from);
        for spelling in
            ["lan.nguyễn", "Lan.Nguyễn", "LAN.NGUYỄN", "lan.nguye\u{302}\u{303}n", "ｌａｎ.nguyễn", " lan.nguyễn "]
        {
            assert_eq!(login(spelling).as_deref(), Ok("lan.nguyễn"), "{spelling}");
        }
        // Cyrillic a, Greek omicron, a zero-width space, two words, an emoji, a circled letter out of place.
        for strange in ["l\u{430}n", "l\u{3bf}an", "la\u{200b}n", "lan nguyễn", "lan😀", "lan漢", "", " ", "l/an"]
        {
            assert_eq!(login(strange), Err(UnfitText::Login), "{strange}");
        }
        assert_eq!(login(&"ẫ".repeat(64)).map(|name| name.chars().count()), Ok(64));
        assert_eq!(login(&"a".repeat(65)), Err(UnfitText::TooLong { most: 64 }));
    }

    #[test]
    fn text_that_a_card_has_no_room_for_is_refused() {
        assert_eq!("  Số 1  Phố Mẫu\n".parse::<PrintedText<20>>().unwrap().as_str(), "Số 1 Phố Mẫu");
        assert_eq!("ắ".repeat(7).parse::<PrintedText<20>>(), Err(NotPrintable::TooLong { bytes: 21, most: 20 }));
        assert_eq!(" \u{7}".parse::<PrintedText<20>>(), Err(NotPrintable::Empty));
    }
}
