//! The words of the page in both languages, from `docs/words/kiosk.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::failure::{Code, Language};

/// A text in both languages. `{0}` stands for what it is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Both {
    vi: String,
    en: String,
}

impl Both {
    pub(super) fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Vietnamese => &self.vi,
        }
    }
}

/// Why there is no trust in a card, and what is to be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advice {
    pub why: Both,
    pub todo: Vec<Both>,
}

macro_rules! texts {
    ($($name:ident)*) => {
        /// The texts of the page; one that is missing or left over is an error.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Texts { $(pub $name: Both,)* }
    };
}

texts! {
    again asking birth bundle bundle_due bundle_none bundle_overdue call cannot_show checks compare
    connection_lost digits done each_check enter erase expiry female gone group_chip group_data group_valid how how_1 how_2
    how_3 keep_card key key_hint key_waits language male mrz_line name never no_readers not_checked not_saved number
    over_no over_unknown over_yes person portrait privacy proved reader_card reader_empty readers reading refused refuted
    residence save saved sex still_lead still_there still_yes take_out take_out_lead title todo tries_left trusted unknown
    waiting why wrong_digits wrong_mrz wrong_password wrong_qr
}

/// What `docs/words/kiosk.toml` holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    pub texts: Texts,
    /// By the name of the check; data groups by `data-group`.
    pub checks: BTreeMap<String, Both>,
    /// By the code of the failure, or `bundle-overdue`.
    pub advice: BTreeMap<String, Advice>,
    /// By the name of the step of reading.
    pub steps: BTreeMap<String, Both>,
}

/// Returns the words.
pub(super) fn book() -> &'static Book {
    &BOOK
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../../docs/words/kiosk.toml")).expect("a test reads docs/words/kiosk.toml")
});

/// Says texts in both languages, one first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker(pub Language);

impl Speaker {
    fn other(self) -> Language {
        match self.0 {
            Language::English => Language::Vietnamese,
            Language::Vietnamese => Language::English,
        }
    }

    /// Returns the tag of the first language.
    pub(super) fn tag(self) -> &'static str {
        tag(self.0)
    }

    /// Returns the tag of the second one.
    pub(super) fn other_tag(self) -> &'static str {
        tag(self.other())
    }

    pub(super) fn first(self, text: &Both) -> &str {
        text.of(self.0)
    }

    pub(super) fn second(self, text: &Both) -> &str {
        text.of(self.other())
    }

    /// Returns the text in both languages as markup.
    pub(super) fn say(self, text: &Both) -> Said {
        self.say_of(text, "")
    }

    /// As [`Self::say`], about something.
    pub(super) fn say_of(self, text: &Both, about: impl fmt::Display) -> Said {
        let about = about.to_string();
        let filled = |words: &str| words.replace("{0}", &about);
        self.said(&filled(self.first(text)), &filled(self.second(text)))
    }

    /// Returns cause of a code in both languages as markup.
    pub(super) fn cause(self, code: Code) -> Said {
        self.said(&code.words(self.0).cause, &code.words(self.other()).cause)
    }

    /// Returns what to do about a code in both languages as markup.
    pub(super) fn remedy(self, code: Code) -> Said {
        self.said(&code.words(self.0).remedy, &code.words(self.other()).remedy)
    }

    /// Returns the text in both languages for an attribute.
    pub(super) fn label(self, text: &Both) -> String {
        format!("{} / {}", self.first(text), self.second(text))
    }

    fn said(self, first: &str, second: &str) -> Said {
        Said(format!("{}<span class=\"en\" lang=\"{}\">{}</span>", escaped(first), self.other_tag(), escaped(second)))
    }
}

/// A text in both languages as markup, with all that is no markup of ours escaped.
pub(super) struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Said {}

fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Vietnamese => "vi",
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            sign => safe.push(sign),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use crypto::inspection::{Check, Step};

    use super::*;

    #[test]
    fn every_check_and_step_has_its_words_and_every_advice_is_about_a_code() {
        let checks = Check::SINGLE.map(|check| check.to_string());
        let mut named: Vec<_> = checks.iter().map(String::as_str).chain(["data-group"]).collect();
        named.sort_unstable();
        assert_eq!(book().checks.keys().collect::<Vec<_>>(), named);
        let mut steps = Step::PROCEDURE.map(Step::name);
        steps.sort_unstable();
        assert_eq!(book().steps.keys().collect::<Vec<_>>(), steps);
        for code in book().advice.keys().filter(|code| *code != "bundle-overdue") {
            assert!(Code::ALL.iter().any(|known| known.word() == code), "there is no code {code}");
        }
        assert!(book().advice.values().all(|advice| !advice.todo.is_empty()));
    }

    #[test]
    fn what_a_text_is_about_becomes_no_markup() {
        let text = Both { vi: "Còn {0}".to_owned(), en: "{0} & more".to_owned() };
        let said = Speaker(Language::Vietnamese).say_of(&text, "<b title=\"x'\">");
        assert_eq!(
            said.to_string(),
            "Còn &lt;b title=&quot;x&#39;&quot;&gt;<span class=\"en\" lang=\"en\">&lt;b title=&quot;x&#39;&quot;&gt; &amp; more</span>"
        );
    }
}
