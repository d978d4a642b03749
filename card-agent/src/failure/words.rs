//! Cause and remedy of a code, in the languages of the house.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;

/// A language that causes and remedies are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// English, as in `en` of the data.
    English,
    /// Vietnamese, as in `vi` of the data.
    Vietnamese,
}

impl Language {
    /// Returns the language of a POSIX locale such as `vi_VN.UTF-8`: English for every one that is not spoken here.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("vi") { Self::Vietnamese } else { Self::English }
    }

    /// Returns the language of the environment: that of the first of `LC_ALL`, `LC_MESSAGES` and `LANG` which is set.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).map_or(Self::English, |locale| Self::of_locale(&locale))
    }

    /// Returns the words before cause, remedy and request.
    pub(super) fn labels(self) -> Labels {
        match self {
            Self::English => Labels { cause: "cause: ", remedy: "remedy:", request: "request id:" },
            Self::Vietnamese => {
                Labels { cause: "nguyên nhân:", remedy: "cách xử lý:", request: "mã yêu cầu:" }
            }
        }
    }
}

/// `en` or `vi`.
impl FromStr for Language {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "en" => Ok(Self::English),
            "vi" => Ok(Self::Vietnamese),
            _ => Err("there are en and vi"),
        }
    }
}

/// The words before the parts of a failure.
pub(super) struct Labels {
    pub cause: &'static str,
    pub remedy: &'static str,
    pub request: &'static str,
}

/// Returns the words of a problem code of the service, if this program knows it.
pub(super) fn of_the_service(code: &str, language: Language) -> Option<&'static Words> {
    /// What is read of an entry here; its status is the service's.
    #[derive(Deserialize)]
    struct Entry {
        #[serde(flatten)]
        words: Translations,
    }
    static BOOK: LazyLock<BTreeMap<String, Entry>> = LazyLock::new(|| {
        toml::from_str(include_str!("../../../docs/problems/service.toml"))
            .expect("a test reads docs/problems/service.toml")
    });
    BOOK.get(code).map(|entry| entry.words.of(language))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_first_variable_that_is_set_and_english_where_it_is_not_spoken() {
        let of = |set: &[(&str, &str)]| {
            let set: BTreeMap<_, _> = set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Language::of_environment(|name| set.get(name).cloned())
        };
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[("LANG", "vi_VN.UTF-8")]), Language::Vietnamese);
        assert_eq!(of(&[("LANG", "vi_VN.UTF-8"), ("LC_ALL", "C.UTF-8")]), Language::English);
        assert_eq!(of(&[("LANG", "vi"), ("LC_ALL", "")]), Language::Vietnamese);
        assert_eq!(of(&[("LANG", "xx_YY")]), Language::English);
        assert_eq!(of(&[("LC_MESSAGES", "vi_VN"), ("LANG", "de_DE")]), Language::Vietnamese);
    }
}
