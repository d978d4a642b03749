//! What becomes of a row: a person who can enter the register, or a row that waits in quarantine. Pure.

use std::fmt::{self, Display, Write as _};

use crypto::identity::{Date, PersonalNumber};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::check::{self, Declined};
use super::super::model::{CardText, Finding, MaritalStatus, Person, Place, Relative};
use super::super::names::Indexed;
use super::super::reference::Reference;
use super::super::rules;
use super::columns::Declared;
use crate::ground::text::tidy;

/// A declaration from which a person can be made.
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
    /// By what the person is found.
    pub found: Indexed,
    /// The record as it is kept, in JSON: without what is null.
    pub record: String,
    /// SHA-256 of the record's canonical form.
    pub digest: [u8; 32],
}

/// Shows nothing: it is personal data.
impl fmt::Debug for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fit(…)")
    }
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
    let ((record, digest), found) = (written(&person), Indexed::of(&person));
    Ok(Fit { person, number, findings, form, declared_on, found, record, digest })
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

/// Returns a person's record as it is kept, and its [`digest`], both written in one go. Every field is named, so that
/// none is forgotten.
fn written(person: &Person) -> (String, [u8; 32]) {
    let Person {
        full_name,
        birth,
        sex,
        birth_registration,
        place_of_origin,
        ethnic_group,
        religion,
        nationality,
        marital_status,
        permanent_residence,
        temporary_residence,
        current_residence,
        blood_group,
        father,
        mother,
        spouse,
        representative,
        head_of_household,
        relation_to_head,
        died,
        missing_since,
        old_id_number,
        household_book_number,
    } = person;
    let mut into = Writing { canonical: Vec::with_capacity(1024), json: String::with_capacity(1024), parted: true };
    into.open();
    into.shown("birth_date", Some(birth));
    into.place("birth_registration", Some(birth_registration));
    into.text("blood_group", blood_group.as_deref());
    into.place("current_residence", current_residence.as_ref());
    into.shown("died", died.as_ref());
    into.text("ethnic_group", Some(ethnic_group));
    into.relative("father", father.as_ref());
    into.text("full_name", Some(full_name.as_str()));
    into.relative("head_of_household", head_of_household.as_ref());
    into.text("household_book_number", household_book_number.as_deref());
    into.text("marital_status", marital_status.map(MaritalStatus::word));
    into.shown("missing_since", missing_since.as_ref());
    into.relative("mother", mother.as_ref());
    into.text("nationality", Some(nationality));
    into.text("old_id_number", old_id_number.as_deref());
    into.place("permanent_residence", permanent_residence.as_ref());
    into.place("place_of_origin", Some(place_of_origin));
    into.text("relation_to_head", relation_to_head.as_deref());
    into.text("religion", religion.as_ref().map(CardText::as_str));
    into.relative("representative", representative.as_ref());
    into.shown("sex", Some(sex));
    into.relative("spouse", spouse.as_ref());
    into.place("temporary_residence", temporary_residence.as_ref());
    into.close();
    (into.json, Sha256::digest(&into.canonical).into())
}

/// A record as JSON without what is null, and its canonical form as [`write`] makes it of that.
struct Writing {
    canonical: Vec<u8>,
    json: String,
    /// No comma is due.
    parted: bool,
}

impl Writing {
    fn open(&mut self) {
        self.canonical.push(b'{');
        self.json.push('{');
        self.parted = true;
    }

    fn close(&mut self) {
        self.canonical.push(b'}');
        self.json.push('}');
        self.parted = false;
    }

    /// Writes the name of a field: one of this program's own, in which nothing is to be escaped.
    fn field(&mut self, name: &str) {
        self.canonical.extend_from_slice(name.as_bytes());
        self.canonical.push(b':');
        if !std::mem::take(&mut self.parted) {
            self.json.push(',');
        }
        self.json.push('"');
        self.json.push_str(name);
        self.json.push_str("\":");
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.field(name);
        self.canonical.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.canonical.extend_from_slice(text.as_bytes());
        self.canonical.push(b',');
        self.json.push('"');
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.json.push_str(text);
        } else {
            self.escaped(text);
        }
        self.json.push('"');
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.json.extend(['\\', letter]),
                '\0'..='\u{1f}' => write!(self.json, "\\u{:04x}", u32::from(letter)).expect("a text grows"),
                letter => self.json.push(letter),
            }
        }
    }

    /// Writes what is shown in a few characters of which none is to be escaped.
    fn shown(&mut self, name: &str, value: Option<impl Display>) {
        let Some(value) = value else { return };
        self.field(name);
        self.json.push('"');
        let at = self.json.len();
        write!(self.json, "{value}").expect("a text grows");
        let text = &self.json.as_bytes()[at..];
        self.canonical.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.canonical.extend_from_slice(text);
        self.canonical.push(b',');
        self.json.push('"');
    }

    fn place(&mut self, name: &str, place: Option<&Place>) {
        let Some(Place { province, district, commune, detail }) = place else { return };
        self.field(name);
        self.open();
        self.text("commune", commune.as_deref());
        self.text("detail", detail.as_ref().map(CardText::as_str));
        self.text("district", district.as_deref());
        self.shown("province", Some(province));
        self.close();
        self.canonical.push(b',');
    }

    fn relative(&mut self, name: &str, relative: Option<&Relative>) {
        let Some(Relative { full_name, personal_number, old_id_number, nationality }) = relative else { return };
        self.field(name);
        self.open();
        self.text("full_name", Some(full_name.as_str()));
        self.text("nationality", Some(nationality));
        self.text("old_id_number", old_id_number.as_deref());
        self.text("personal_number", personal_number.as_ref().map(PersonalNumber::as_str));
        self.close();
        self.canonical.push(b',');
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::history::fields_of;
    use crate::population::nation;

    #[test]
    fn the_record_that_is_written_and_its_digest_are_those_of_the_person() {
        let people = nation::examined_people(2000);
        // Somewhere each field is there, so that each is compared.
        let mut met = std::collections::BTreeSet::new();
        let mut of_nobody = people[0].clone();
        of_nobody.temporary_residence = Some(people[0].place_of_origin.clone());
        of_nobody.current_residence = Some(people[1].place_of_origin.clone());
        of_nobody.religion = "Phật giáo \"Hòa Hảo\" \\ \u{7f}".parse().ok();
        of_nobody.blood_group = Some("O+".to_owned());
        of_nobody.representative = people.iter().find_map(|one| one.father.clone());
        of_nobody.died = "01/2020".parse().ok();
        let mut number = people.iter().find_map(|one| one.spouse.clone()).expect("a spouse");
        number.personal_number = "001080000001".parse().ok();
        number.old_id_number = Some("012345678".to_owned());
        of_nobody.spouse = Some(number);
        for person in people.iter().chain([&of_nobody]) {
            let record = fields_of(person);
            met.extend(record.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()));
            let record = Value::Object(record);
            let (json, digested) = written(person);
            assert_eq!(digested, digest(&record));
            let kept = serde_json::from_str::<Value>(&json).unwrap();
            assert_eq!((digest(&kept), kept.as_object().unwrap().values().any(Value::is_null)), (digested, false));
            assert_eq!(Value::Object(fields_of(&serde_json::from_str(&json).unwrap())), record);
        }
        assert_eq!(met.len(), 22, "{met:?}");
    }
}
