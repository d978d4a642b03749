//! The texts of the pages: one file for each language, with the same texts in both. A text that a template names and a
//! file lacks does not compile or fails a test; one that no page reads any more is dead code, and refused as such.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::pages::Language;
use serde::Deserialize;

/// Sections of single texts, and tables of words.
macro_rules! texts {
    (sections { $($section:ident: $kind:ident { $($text:ident)* })* } tables { $($(#[$doc:meta])* $table:ident)* }) => {
        /// The texts of one language.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Texts {
            /// The tag of the language.
            pub(crate) language: String,
            $(pub(crate) $section: $kind,)*
            $($(#[$doc])* pub(crate) $table: BTreeMap<String, String>,)*
            /// Problems, by their codes.
            pub(crate) problem: BTreeMap<String, ProblemText>,
        }

        $(
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $kind { $(pub(crate) $text: String,)* }
        )*
    };
}

texts! {
    sections {
        layout: LayoutTexts {
            brand unit skip main_pages home approvals language theme light dark contrast sign_out design
        }
        door: DoorTexts { title lead username password submit left ended }
        password: PasswordTexts { title lead old new new_hint submit changed }
        home: HomeTexts { title lead approvals approvals_none approvals_some none none_says }
        trouble: TroubleTexts { what code request back sign_in unsent }
        approvals: ApprovalsTexts {
            title order queue up_down empty empty_says pick pick_says nameless late today tomorrow due no_due tampered
            doubles taken mine more
        }
        file: FileTexts {
            reference opened captured blocked portrait portrait_none features features_none kind fee fee_due
            fee_free compare item register citizen same wrong mended unasked unasked_says agreed birth number_none
            doubles doubles_none doubles_says doubles_who doubles_why doubles_against doubles_score doubles_likely
            doubles_elsewhere nothing history history_on history_by claim_none claim_mine claim_other claim claim_release
            decide approve check send_back refuse keys keys_off keys_on keys_none send_back_title reasons says
            says_hint until until_hint send_back_do refuse_title refuse_says refuse_hint refuse_do looked complaint
            complaint_title complaint_refused complaint_words complaint_allowed
        }
        done: DoneTexts { approved checked returned refused next last }
        design: DesignTexts {
            title lead buttons main side quiet danger busy not_yet not_yet_why with_key fields number number_hint birth
            birth_wrong name tags on_time waits late info ended running hours both_languages expiry residence notes
            good_title good wait_title wait bad_title bad progress step step_scan step_compare step_sign step_now
            empty empty_says queue_title queue_name queue_kind queue_due table table_caption place count dialog dialog_says
            dialog_field dialog_hint keep revoke portraits toast toast_open compare verdicts trusted refused unknown
            theme_hint
        }
        law: LawTexts { lacks_decider taken_back }
    }
    tables {
        /// What speaks against two persons being one.
        against
        /// What speaks for two persons being one.
        duplicate
        /// Events of the register.
        event
        /// Fields of the register.
        field
        /// Forms on which an event rests.
        form
        /// What is applied for, with its reason.
        kind
        /// Why a dossier is returned.
        reason
        /// Roles of officers.
        role
        /// Sexes.
        sex
        /// Stages of an application.
        stage
    }
}

/// A problem in the words of the pages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemText {
    /// What is wrong.
    pub(crate) title: String,
    /// What to do.
    pub(crate) says: String,
}

impl Texts {
    /// Returns the word of a table; a test holds that each is there.
    #[expect(clippy::unused_self, reason = "a word is asked of the texts of one language")]
    pub(crate) fn word(&self, table: &'static BTreeMap<String, String>, word: &str) -> &'static str {
        table.get(word).map_or("?", String::as_str)
    }

    /// True for the Vietnamese texts.
    pub(crate) fn is_vietnamese(&self) -> bool {
        self.language == Language::Vi.tag()
    }
}

/// Returns the texts of a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &EN,
        Language::Vi => &VI,
    }
}

/// Writes values into the places of a text: `{n}`.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

static EN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts.en.toml")));
static VI: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts.vi.toml")));

fn read(file: &str) -> Texts {
    toml::from_str(file)
        .unwrap_or_else(|error| panic!("the texts of the pages are complete, a test holds that: {error}"))
}

#[cfg(test)]
mod tests {
    use crypto::perso::problem::ProblemCode;
    use toml::Table;

    use super::*;
    use crate::ground::Role;

    fn files() -> [(&'static str, Table); 2] {
        [("en", include_str!("texts.en.toml")), ("vi", include_str!("texts.vi.toml"))]
            .map(|(name, file)| (name, file.parse().unwrap()))
    }

    /// The texts of a file by their names, with dots between the parts.
    fn names(prefix: &str, table: &Table) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) => found.extend(names(&format!("{name}."), inner)),
                value => _ = found.insert(name, value.as_str().unwrap_or_else(|| panic!("a text")).to_owned()),
            }
        }
        found
    }

    #[test]
    fn both_languages_have_every_text_and_none_is_empty() {
        let [(_, en), (_, vi)] = files();
        let (en, vi) = (names("", &en), names("", &vi));
        assert_eq!(en.keys().collect::<Vec<_>>(), vi.keys().collect::<Vec<_>>());
        for (name, text) in en.iter().chain(&vi) {
            assert!(!text.trim().is_empty() && text.trim() == text, "{name}");
            assert!(!text.contains('!'), "{name}: no exclamation marks");
        }
        // Each place of a text is in both.
        let places = |text: &str| {
            let mut places: Vec<String> = text
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'))
                .map(|(name, _)| name.to_owned())
                .collect();
            places.sort();
            places
        };
        for (name, text) in &en {
            assert_eq!(places(text), places(&vi[name]), "{name}");
        }
        assert_eq!((&*texts(Language::En).language, &*texts(Language::Vi).language), ("en", "vi"));
    }

    #[test]
    fn texts_are_composed_as_the_fonts_need_them() {
        use unicode_normalization::UnicodeNormalization as _;
        for (language, file) in files() {
            for (name, text) in names("", &file) {
                assert_eq!(text.nfc().collect::<String>(), text, "{language} {name}");
            }
        }
    }

    #[test]
    fn every_problem_with_a_text_of_its_own_is_one_of_the_catalogue() {
        for code in texts(Language::Vi).problem.keys() {
            assert!(code.parse::<ProblemCode>().is_ok(), "{code}");
        }
    }

    #[test]
    fn every_role_has_a_name() {
        for language in Language::ALL {
            let t = texts(language);
            for role in Role::ALL {
                assert_ne!(t.word(&t.role, role.name()), "?", "{}", role.name());
            }
        }
    }

    #[test]
    fn a_value_stands_in_its_place() {
        assert_eq!(fill("{n} of {m}, {n}", &[("n", "1"), ("m", "2")]), "1 of 2, 1");
    }
}
