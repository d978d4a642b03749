//! What becomes of a row: a person who can enter the register, or a row that waits in quarantine. Pure.

use crypto::identity::{Date, PersonalNumber, folded_name};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::check::{self, Declined};
use super::super::history::fields_of;
use super::super::model::{Finding, Person};
use super::super::reference::Reference;
use super::super::rules;
use super::columns::Declared;
use crate::ground::text::tidy;

/// A declaration from which a person can be made.
#[derive(Debug)]
pub struct Fit {
    /// The person.
    pub person: Person,
    /// A number for life that the person has already.
    pub number: Option<PersonalNumber>,
    /// What an officer should look at.
    pub findings: Vec<Finding>,
    /// Number of the paper form.
    pub form: Option<String>,
    /// The day on the form.
    pub declared_on: Option<time::Date>,
    /// What the person has in common with other declarations of the same person.
    pub likeness: String,
    /// The folded name.
    pub fold: String,
    /// The record as it is kept.
    pub record: Value,
    /// SHA-256 of the record's canonical form.
    pub digest: [u8; 32],
}

/// Judges what was declared, as of `today`.
///
/// # Errors
/// Every reason why there can be no person.
pub fn judge(declared: &Declared, reference: &Reference, today: time::Date) -> Result<Fit, Vec<Finding>> {
    let mut declines = vec![];
    let declared_on = match declared.declared_on.trim() {
        "" => None,
        text => match text.parse::<Date>().ok().and_then(Date::full).filter(|day| *day <= today) {
            Some(day) => Some(day),
            None => {
                let finding =
                    Finding::new(rules::DECLARED_ON_UNREADABLE, "declared_on", "no day, or one that lies ahead");
                declines.push(finding.shaped(text).mended("write yyyy-MM-dd", None));
                None
            }
        },
    };
    let form = tidy(&declared.form);
    if form.as_ref().is_some_and(|form| form.chars().count() > MOST_FORM) {
        let says = format!("longer than {MOST_FORM} characters");
        declines.push(Finding::new(rules::TEXT_TOO_LONG, "form", says));
    }
    let number = check::own_number(&declared.personal_number).unwrap_or_else(|finding| {
        declines.push(*finding);
        None
    });
    let (person, mut findings) = match check::examine(&declared.declaration, reference, today) {
        Ok(examined) => examined,
        Err(Declined(reasons)) => {
            declines.extend(reasons);
            return Err(declines);
        }
    };
    if let Some(number) = &number {
        declines.extend(check::judge_number(number, &person));
    }
    if !declines.is_empty() {
        return Err(declines);
    }
    if declared_on.is_some_and(|day| today - day > STALE_AFTER) {
        let says = "the declaration was made more than two years before it was entered";
        findings.push(Finding::new(rules::RECORD_STALE, "declared_on", says).mended("ask the person again", None));
    }
    let record = Value::Object(fields_of(&person));
    let digest = digest(&record);
    let (likeness, fold) = (person.likeness(), folded_name(person.full_name.as_str()));
    Ok(Fit { person, number, findings, form, declared_on, likeness, fold, record, digest })
}

/// Longest number of a form, characters.
const MOST_FORM: usize = 40;
/// An older declaration is stale.
const STALE_AFTER: time::Duration = time::Duration::days(2 * 365);

/// Returns SHA-256 of a record's canonical form: JSON with its keys in order, without what is null. A field that a
/// later version adds, and that is empty, changes nothing.
#[must_use]
pub fn digest(record: &Value) -> [u8; 32] {
    let mut canonical = Vec::with_capacity(1024);
    write(record, &mut canonical);
    Sha256::digest(&canonical).into()
}

fn write(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            into.push(b'{');
            // serde_json keeps the keys of its maps in order, unless a crate switches that off.
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_unstable_by_key(|(name, _)| name.as_str());
            for (name, value) in fields {
                into.extend_from_slice(name.as_bytes());
                into.push(b':');
                write(value, into);
                into.push(b',');
            }
            into.push(b'}');
        }
        Value::String(text) => {
            into.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            into.extend_from_slice(text.as_bytes());
        }
        other => into.extend_from_slice(other.to_string().as_bytes()),
    }
}
