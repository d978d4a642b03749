//! The fields of forms about a person: how each is called, chosen from and filled in, and what is wrong with it.

use std::collections::BTreeMap;

use time::Date;

use super::super::forms::{PLACES, RELATIVES, Typed};
use super::super::reference::{Reference, Table};
use super::super::units;
use crate::web::Problem;
use crate::web::html::{Filled, Texts, fill};

/// One field of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// Its name in the form.
    pub name: String,
    /// Its identifier in the page, without points.
    pub id: String,
    pub label: String,
    pub hint: &'static str,
    pub value: String,
    /// What is wrong with it, and what to do.
    pub wrong: Option<String>,
    /// What is to be looked at, and hinders nothing.
    pub doubt: Option<String>,
    /// What can be chosen: word, text, whether it is chosen.
    pub choices: Vec<(&'static str, String, bool)>,
    /// The list that is offered while typing.
    pub list: &'static str,
    /// Units that may be meant, for this field alone.
    pub units: Vec<String>,
    /// True for a field where a unit is typed.
    pub is_unit: bool,
    /// The class that tells its width.
    pub width: &'static str,
    /// The name under which the window keeps what is typed.
    pub keep: String,
    /// True for the field that takes the focus.
    pub first: bool,
}

impl Field {
    /// True if something describes the field.
    pub(super) fn described(&self) -> bool {
        !self.hint.is_empty() || self.wrong.is_some() || self.doubt.is_some()
    }

    /// Returns the identifiers of what describes the field.
    pub(super) fn describes(&self) -> String {
        let parts = [(!self.hint.is_empty(), "hint"), (self.wrong.is_some(), "err"), (self.doubt.is_some(), "doubt")];
        let there = parts.into_iter().filter(|(there, _)| *there).map(|(_, part)| format!("{}-{part}", self.id));
        there.collect::<Vec<_>>().join(" ")
    }
}

/// Fields that belong together.
#[derive(Debug)]
pub(super) struct Group {
    pub id: &'static str,
    pub title: &'static str,
    pub fields: Vec<Field>,
    /// True for one that is shown when it is asked for.
    pub folded: bool,
}

/// What is known of fields while a form is drawn.
pub(super) struct Drawn<'a> {
    pub typed: &'a Typed,
    pub wrongs: &'a BTreeMap<String, String>,
    pub doubts: &'a BTreeMap<String, String>,
    pub reference: &'a Reference,
    pub today: Date,
    pub t: &'static Texts,
    /// Begins the names under which the window keeps what is typed.
    pub keep: String,
}

impl Drawn<'_> {
    /// Draws a field.
    pub(super) fn field(&self, name: &str) -> Field {
        let (t, value) = (self.t, self.typed.text(name).to_owned());
        let part = name.rsplit('.').next().unwrap_or(name);
        let is_unit = part == "unit";
        let choices = match name {
            "sex" => choices(&["Nam", "Nữ"], &value, |word| {
                t.word(&t.sex, if word == "Nam" { "M" } else { "F" }).to_owned()
            }),
            "marital_status" => choices(&["single", "married", "divorced", "widowed"], &value, |word| {
                t.word(&t.marital, word).to_owned()
            }),
            "blood_group" => choices(&["A", "B", "AB", "O"], &value, str::to_owned),
            _ => vec![],
        };
        let (hint, list, width) = match part {
            "unit" => (t.registry.hint_unit.as_str(), "", ""),
            "birth_date" | "died" | "missing_since" | "valid_from" => (t.registry.hint_date.as_str(), "", "num w-date"),
            "personal_number" => (t.registry.hint_number.as_str(), "", "num w-pin"),
            "old_id_number" => (t.registry.hint_old.as_str(), "", "num w-pin"),
            "ethnic_group" => (t.registry.hint_ethnic.as_str(), "ethnic-groups", ""),
            "religion" => (t.registry.hint_religion.as_str(), "religions", ""),
            "nationality" => (t.registry.hint_nationality.as_str(), "countries", ""),
            "form" => (t.registry.hint_form.as_str(), "", ""),
            _ => ("", "", ""),
        };
        let units = if is_unit && self.wrongs.contains_key(name) {
            units::choices(&value, self.reference, self.today)
        } else {
            vec![]
        };
        Field {
            id: name.replace('.', "-"),
            label: label(name, t),
            hint,
            wrong: self.wrongs.get(name).cloned(),
            doubt: self.doubts.get(name).cloned(),
            choices,
            list,
            units,
            is_unit,
            width,
            keep: format!("{}-{name}", self.keep),
            first: false,
            name: name.to_owned(),
            value,
        }
    }

    /// Draws fields that belong together.
    pub(super) fn group(&self, id: &'static str, title: &'static str, names: &[&str]) -> Group {
        let fields: Vec<Field> = names.iter().map(|name| self.field(name)).collect();
        Group { id, title, fields, folded: false }
    }

    /// Draws the fields of a place or a relative.
    pub(super) fn parts(&self, top: &str) -> Vec<Field> {
        parts_of(top).iter().map(|part| self.field(&format!("{top}.{part}"))).collect()
    }
}

fn choices(words: &[&'static str], chosen: &str, text: impl Fn(&str) -> String) -> Vec<(&'static str, String, bool)> {
    words.iter().map(|word| (*word, text(word), *word == chosen)).collect()
}

/// Returns the parts of a place or of a relative in a form.
pub(super) fn parts_of(top: &str) -> &'static [&'static str] {
    match top {
        top if PLACES.contains(&top) => &["unit", "detail"],
        top if RELATIVES.contains(&top) => &["full_name", "personal_number", "old_id_number", "nationality"],
        _ => &[],
    }
}

/// Returns how a field is called: `Father: full name`.
pub(super) fn label(name: &str, t: &'static Texts) -> String {
    let word = |part: &str| match (t.label.get(part), t.field.get(part)) {
        (Some(text), _) | (None, Some(text)) => text.as_str(),
        _ => "?",
    };
    match name.split_once('.') {
        Some((top, part)) => fill(&t.registry.part_of, &[("field", word(top)), ("part", word(part))]),
        None => word(name).to_owned(),
    }
}

/// Returns what is wrong with each field of a form, by its name, in the words of the rules.
pub(super) fn wrongs(problem: &Problem, t: &'static Texts) -> BTreeMap<String, String> {
    let mut wrongs = BTreeMap::new();
    for error in problem.errors() {
        let pointer = error.pointer.trim_start_matches('/');
        let pointer = pointer.strip_prefix("fields/").unwrap_or(pointer);
        wrongs.entry(field_of(&pointer.replace('/', "."))).or_insert_with(|| said(&error.code, &error.message, t));
    }
    wrongs
}

/// Returns the field of a form that a finding is about.
pub(super) fn field_of(name: &str) -> String {
    let (top, part) = name.split_once('.').unwrap_or((name, ""));
    match part {
        "" | "province" | "district" | "commune" if PLACES.contains(&top) => format!("{top}.unit"),
        "" if RELATIVES.contains(&top) => format!("{top}.full_name"),
        _ => name.to_owned(),
    }
}

/// Returns what a rule says, in the language of the page.
pub(super) fn said(code: &str, message: &str, t: &'static Texts) -> String {
    match (t.rule.get(code), t.problem.get(code)) {
        (Some(text), _) => text.clone(),
        (None, Some(problem)) => format!("{}. {}", problem.title, problem.says),
        _ => message.to_owned(),
    }
}

/// Reads the texts of these fields out of a form.
pub(super) fn typed(filled: &Filled, names: &[String]) -> Result<Typed, Problem> {
    Ok(Typed::of(names.iter().map(String::as_str), |name| filled.text(name))?)
}

/// Reads the texts of these fields as they were typed, to show them again.
pub(super) fn typed_again(filled: &Filled, names: &[String]) -> Typed {
    Typed::again(names.iter().map(String::as_str), |name| filled.text(name))
}

/// Says at each field whose text is another one than what is kept what is kept there now.
pub(super) fn now_kept(names: &[String], kept: &Typed, typed: &Typed, t: &'static Texts) -> BTreeMap<String, String> {
    let differs = names.iter().filter(|name| kept.text(name) != typed.text(name).trim());
    let says = |name: &String| {
        let text = Some(kept.text(name)).filter(|text| !text.is_empty()).unwrap_or(&t.file.nothing);
        (name.clone(), fill(&t.meanwhile.now_kept, &[("text", text)]))
    };
    differs.map(says).collect()
}

/// The lists that are offered while typing: identifier, and what can be chosen.
pub(super) fn lists(reference: &Reference, today: Date) -> Vec<(&'static str, Vec<String>)> {
    let with_code = |table: Table| -> Vec<String> {
        let entries = reference.entries(table, today).into_iter();
        entries.map(|entry| format!("{} {}", entry.code, entry.name_vi.unwrap_or_default()).trim().to_owned()).collect()
    };
    let religions = reference.entries(Table::Religions, today).into_iter().filter(|entry| entry.code != NO_RELIGION);
    let religions = religions.filter_map(|entry| entry.name_vi).collect();
    vec![
        ("ethnic-groups", with_code(Table::EthnicGroups)),
        ("religions", religions),
        ("countries", with_code(Table::Countries)),
    ]
}

/// Every field of form DC01, with the number of the paper form.
pub(super) fn all() -> Vec<String> {
    let mut names: Vec<String> = [
        "form",
        "full_name",
        "birth_date",
        "sex",
        "ethnic_group",
        "religion",
        "nationality",
        "marital_status",
        "blood_group",
        "old_id_number",
        "relation_to_head",
        "household_book_number",
        "died",
        "missing_since",
    ]
    .map(str::to_owned)
    .to_vec();
    for top in PLACES.iter().chain(&RELATIVES) {
        names.extend(parts_of(top).iter().map(|part| format!("{top}.{part}")));
    }
    names
}

/// The code of the table for no religion: the field is left empty then.
const NO_RELIGION: &str = "00";
