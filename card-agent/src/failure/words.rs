//! Cause and remedy of a code, in the languages of the house.

use serde::Deserialize;

/// A language that causes and remedies are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// English, as in `en` of the data.
    English,
    /// Vietnamese, as in `vi` of the data.
    Vietnamese,
}

/// What a code means and what to do, in one language.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// What the code means.
    pub cause: String,
    /// What the person at the machine can do.
    pub remedy: String,
}

/// Cause and remedy in each language.
#[derive(Debug, Deserialize)]
pub(super) struct Translations {
    en: Words,
    vi: Words,
}

impl Translations {
    pub(super) fn of(&self, language: Language) -> &Words {
        match language {
            Language::English => &self.en,
            Language::Vietnamese => &self.vi,
        }
    }

    #[cfg(test)]
    pub(super) fn are_complete(&self) -> bool {
        let texts = [&self.en.cause, &self.en.remedy, &self.vi.cause, &self.vi.remedy];
        texts.into_iter().all(|text| !text.trim().is_empty() && !text.contains(['|', '\n']))
    }
}
