//! Text from outside, as the service keeps it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Returns text as the register keeps it: NFC, single spaces, no control characters; `None` if nothing is left.
#[must_use]
pub fn tidy(text: &str) -> Option<String> {
    let visible: String = text.nfc().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

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
}

impl<const MOST: usize> FromStr for PrintedText<MOST> {
    type Err = NotPrintable;

    fn from_str(text: &str) -> Result<Self, NotPrintable> {
        let text = tidy(text).ok_or(NotPrintable::Empty)?;
        if text.len() > MOST { Err(NotPrintable::TooLong { bytes: text.len(), most: MOST }) } else { Ok(Self(text)) }
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
    use super::*;

    #[test]
    fn text_that_a_card_has_no_room_for_is_refused() {
        assert_eq!("  Số 1  Phố Mẫu\n".parse::<PrintedText<20>>().unwrap().as_str(), "Số 1 Phố Mẫu");
        assert_eq!("ắ".repeat(7).parse::<PrintedText<20>>(), Err(NotPrintable::TooLong { bytes: 21, most: 20 }));
        assert_eq!(" \u{7}".parse::<PrintedText<20>>(), Err(NotPrintable::Empty));
    }
}
