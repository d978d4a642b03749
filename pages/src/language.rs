//! The languages of the pages.

use std::fmt;
use std::str::FromStr;

/// A language in which pages are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// English.
    En,
    /// Vietnamese, the first language of the house.
    #[default]
    Vi,
}

impl Language {
    /// Both, the first one first.
    pub const ALL: [Self; 2] = [Self::Vi, Self::En];

    /// Returns its tag (BCP 47), for the attribute `lang`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }

    /// Returns the language of ours that a browser names first in `Accept-Language`, by weight; Vietnamese where it
    /// names none of ours.
    #[must_use]
    pub fn preferred(accept_language: &str) -> Self {
        let wanted = accept_language.split(',').filter_map(|item| {
            let (tag, weight) = item.split_once(";q=").unwrap_or((item, "1"));
            let language = tag.trim().split('-').next()?.to_ascii_lowercase().parse().ok()?;
            Some((language, weight.trim().parse::<f32>().ok()?))
        });
        let mut best: Option<(Self, f32)> = None;
        for (language, weight) in wanted {
            if weight > best.map_or(0.0, |(_, most)| most) {
                best = Some((language, weight));
            }
        }
        best.map_or_else(Self::default, |(language, _)| language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = LanguageUnknown;

    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.tag() == tag).ok_or(LanguageUnknown)
    }
}

/// Neither `vi` nor `en`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LanguageUnknown;

impl fmt::Display for LanguageUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are vi and en")
    }
}

impl std::error::Error for LanguageUnknown {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_of_ours_that_the_browser_wants_most() {
        for (said, language) in [
            ("", Language::Vi),
            ("en", Language::En),
            ("en-GB,en;q=0.9,vi;q=0.8", Language::En),
            ("fr, en;q=0.4, vi-VN;q=0.7", Language::Vi),
            ("fr;q=1", Language::Vi),
            ("en;q=0", Language::Vi),
            ("en;q=much", Language::Vi),
        ] {
            assert_eq!(Language::preferred(said), language, "{said}");
        }
        assert_eq!("vi".parse(), Ok(Language::Vi));
        assert_eq!("VI".parse::<Language>(), Err(LanguageUnknown));
    }
}
