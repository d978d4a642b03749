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

    /// Returns the locale of the environment, if its language is none of ours: neither Vietnamese nor English nor none.
    pub fn not_spoken(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set)?;
        let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default().to_ascii_lowercase();
        (!["en", "vi", "c", "posix"].contains(&language.as_str())).then_some(locale)
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
            _ => Err("there are en (English) and vi (tiếng Việt)"),
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

/// Returns particulars in this language, if their form is in `docs/words/details.toml`.
pub(super) fn particulars(english: &str, language: Language) -> Option<String> {
    static FORMS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        toml::from_str(include_str!("../../../docs/words/details.toml")).expect("a test reads docs/words/details.toml")
    });
    if language == Language::English {
        return None;
    }
    // The form with the most words of its own says the most.
    let fitting = FORMS.iter().filter_map(|(form, words)| Some((form.len(), words, named(form, english)?)));
    let (_, words, named) = fitting.max_by_key(|(length, ..)| *length)?;
    let mut parts = words.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (name, part) in named.iter().zip(parts) {
        text.push_str(name);
        text.push_str(part);
    }
    Some(text)
}

/// Returns what stands in a text where the form has `{}`; none if the text has another form.
fn named<'a>(form: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = form.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut named = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = match parts.peek() {
            None if rest.ends_with(part) => rest.len() - part.len(),
            None => return None,
            Some(_) => rest.find(part)?,
        };
        named.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(named)
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
    fn particulars_are_told_with_what_they_name() {
        let told = |english: &str| particulars(english, Language::Vietnamese);
        assert_eq!(told("no card in reader `A 00`").as_deref(), Some("không có thẻ trong đầu đọc `A 00`"));
        let both = told("no reader matches `x`; connected: A, B");
        assert_eq!(both.as_deref(), Some("không có đầu đọc nào khớp `x`; đang kết nối: A, B"));
        assert_eq!(told("the card was removed").as_deref(), Some("thẻ đã bị lấy ra"));
        for other in ["", "the card was removed twice", "no card in reader `A", "never seen"] {
            assert_eq!(told(other), None, "{other}");
        }
        assert_eq!(particulars("the card was removed", Language::English), None);
    }

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
        let foreign = |locale: &str| Language::not_spoken(|name| (name == "LANG").then(|| locale.to_owned()));
        assert_eq!(foreign("xx_YY.UTF-8"), Some("xx_YY.UTF-8".to_owned()));
        assert!(["", "C", "C.UTF-8", "POSIX", "en_GB.UTF-8", "vi_VN"].iter().all(|locale| foreign(locale).is_none()));
    }
}
