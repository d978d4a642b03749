//! What the register holds and what follows from a change, in the words of a page.

use std::collections::BTreeMap;

use serde_json::Value;
use time::Date;

use super::super::change_api::words_of;
use super::super::duplicates::steps::Alike;
use super::super::forms::{PLACES, RELATIVES};
use super::super::history::{self, Evidence, FieldChange};
use super::super::model::{Finding, Person, Place, Registered};
use super::super::reference::Reference;
use super::fields::{field_of, label, said};
use crate::deed::Consequences;
use crate::web::html::{Texts, fill};

/// A field before and after.
#[derive(Debug)]
pub(super) struct Row {
    pub item: String,
    pub before: String,
    pub after: String,
    /// The class of the row: `diff` or `same`.
    pub class: &'static str,
    /// The name of the field.
    pub field: String,
}

/// Returns what a field of a record says, in words.
pub(super) fn value(field: &str, value: &Value, reference: &Reference, today: Date, t: &'static Texts) -> String {
    let nothing = || t.file.nothing.clone();
    match value {
        Value::Null => nothing(),
        Value::String(text) => match field {
            "sex" => t.word(&t.sex, text).to_owned(),
            "ethnic_group" => reference.ethnic_group(text, today).unwrap_or(text).to_owned(),
            "marital_status" => t.word(&t.marital, text).to_owned(),
            _ => text.clone(),
        },
        Value::Object(parts) if PLACES.contains(&field) => {
            let place: Option<Place> = serde_json::from_value(Value::Object(parts.clone())).ok();
            place.map_or_else(nothing, |place| place.in_words(reference, today))
        }
        Value::Object(parts) if RELATIVES.contains(&field) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_str).unwrap_or_default();
            let number = Some(part("personal_number")).filter(|number| !number.is_empty());
            let number = number.or_else(|| Some(part("old_id_number")).filter(|number| !number.is_empty()));
            match number {
                Some(number) => format!("{} · {}", part("full_name"), ::pages::written::personal_number(number)),
                None => part("full_name").to_owned(),
            }
        }
        other => other.to_string(),
    }
}

/// Returns the fields of a person that hold something, in the order of the form.
pub(super) fn person(person: &Person, reference: &Reference, today: Date, t: &'static Texts) -> Vec<(String, String)> {
    let record = history::fields_of(person);
    let held =
        ORDER.iter().filter_map(|field| record.get(*field).filter(|held| !held.is_null()).map(|held| (field, held)));
    held.map(|(field, held)| (label(field, t), value(field, held, reference, today, t))).collect()
}

/// Returns two records side by side; fields that neither has are left out.
pub(super) fn side_by_side(
    one: &Person,
    other: &Person,
    reference: &Reference,
    today: Date,
    t: &'static Texts,
) -> Vec<Row> {
    let (one, other) = (history::fields_of(one), history::fields_of(other));
    let null = Value::Null;
    let rows = ORDER.iter().map(|field| {
        let (before, after) = (one.get(*field).unwrap_or(&null), other.get(*field).unwrap_or(&null));
        let class = if before == after { "same" } else { "diff" };
        let empty = before.is_null() && after.is_null();
        let in_words = |held: &Value| value(field, held, reference, today, t);
        (
            empty,
            Row {
                item: label(field, t),
                before: in_words(before),
                after: in_words(after),
                class,
                field: (*field).to_owned(),
            },
        )
    });
    rows.filter(|(empty, _)| !empty).map(|(_, row)| row).collect()
}

/// Returns what changes, old beside new.
pub(super) fn changes(changes: &[FieldChange], reference: &Reference, today: Date, t: &'static Texts) -> Vec<Row> {
    let row = |change: &FieldChange| Row {
        item: label(&change.field, t),
        before: value(&change.field, &change.before, reference, today, t),
        after: value(&change.field, &change.after, reference, today, t),
        class: "diff",
        field: change.field.clone(),
    };
    changes.iter().map(row).collect()
}

/// Returns what follows from a change, in words.
pub(super) fn consequences(consequences: Consequences, t: &'static Texts) -> Vec<&'static str> {
    words_of(consequences).into_iter().map(|word| t.word(&t.consequence, word)).collect()
}

/// Returns findings in words, each with its field.
pub(super) fn findings(findings: &[Finding], t: &'static Texts) -> Vec<String> {
    findings.iter().map(|finding| finding_in_words(finding, t)).collect()
}

fn finding_in_words(finding: &Finding, t: &'static Texts) -> String {
    let says = said(&finding.code, &finding.message, t);
    if finding.field.is_empty() { says } else { format!("{}: {says}", label(&field_of(&finding.field), t)) }
}

/// Returns findings by the fields of a form.
pub(super) fn by_field(findings: &[Finding], t: &'static Texts) -> BTreeMap<String, String> {
    findings.iter().map(|finding| (field_of(&finding.field), said(&finding.code, &finding.message, t))).collect()
}

/// On what a change rests, in words.
pub(super) fn evidence(evidence: &Evidence, t: &'static Texts) -> Vec<(&'static str, String)> {
    let word =
        |value: serde_json::Result<Value>| value.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let (form, source) = (word(serde_json::to_value(evidence.form)), word(serde_json::to_value(evidence.source)));
    let confidence = word(serde_json::to_value(evidence.confidence));
    let document = evidence.document.as_str();
    vec![
        (&*t.registry.document, if document.is_empty() { t.file.nothing.clone() } else { document.to_owned() }),
        (&*t.registry.source, t.word(&t.source, &source).to_owned()),
        (&*t.registry.confidence, t.word(&t.confidence, &confidence).to_owned()),
        (&*t.registry.on_form, t.word(&t.form, &form).to_owned()),
    ]
}

/// A person who may be the same one.
#[derive(Debug)]
pub(super) struct Double {
    pub id: String,
    /// Where the person stands; none for a person of another office.
    pub href: Option<String>,
    pub name: String,
    pub number: String,
    pub why: String,
    pub against: String,
    pub score: String,
}

/// Returns persons who may be the same one, in words.
pub(super) fn doubles(alike: &[Alike], t: &'static Texts) -> Vec<Double> {
    let all = |words: Vec<String>, table: &'static BTreeMap<String, String>| {
        words.iter().map(|word| t.word(table, word)).collect::<Vec<_>>().join(", ")
    };
    let word =
        |value: serde_json::Result<Value>| value.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let double = |alike: &Alike| {
        let Alike { registered, judgement, readable, .. } = alike;
        let score = judgement.score.to_string();
        let id = registered.id.to_string();
        if !readable {
            let name = fill(&t.persons.elsewhere, &[("office", registered.office.as_str())]);
            return Double {
                id,
                href: None,
                name,
                number: String::new(),
                why: String::new(),
                against: String::new(),
                score,
            };
        }
        Double {
            href: Some(format!("/pages/register/persons/{}", registered.id)),
            id,
            name: registered.person.full_name.as_str().to_owned(),
            number: number(registered, t),
            why: all(judgement.reasons.iter().map(|reason| word(serde_json::to_value(reason))).collect(), &t.duplicate),
            against: all(judgement.against.iter().map(|one| word(serde_json::to_value(one))).collect(), &t.against),
            score,
        }
    };
    alike.iter().map(double).collect()
}

/// Returns the number of a person, in groups of three.
pub(super) fn number(registered: &Registered, t: &'static Texts) -> String {
    let number = registered.personal_number.as_ref();
    number.map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str()))
}

/// The fields of a record, in the order of the form.
const ORDER: [&str; 23] = [
    "full_name",
    "birth_date",
    "sex",
    "birth_registration",
    "place_of_origin",
    "ethnic_group",
    "religion",
    "nationality",
    "marital_status",
    "permanent_residence",
    "temporary_residence",
    "current_residence",
    "blood_group",
    "father",
    "mother",
    "spouse",
    "representative",
    "head_of_household",
    "relation_to_head",
    "died",
    "missing_since",
    "old_id_number",
    "household_book_number",
];

/// What may follow from a change.
#[cfg(test)]
pub(super) const CONSEQUENCES: [&str; 10] = [
    "number-cancelled",
    "number-restored",
    "number-established-anew",
    "cards-revoked",
    "cards-suspended",
    "cards-restored",
    "card-to-be-changed",
    "applications-ended",
    "applications-reopened",
    "bookings-cancelled",
];
