//! Checks one declaration as far as one person's data allow: "đúng, đủ, sạch" without looking at other persons; pure.
//!
//! What the register, the card or the number cannot do without declines the declaration ([`Declined`], all reasons at
//! once). What someone should look at becomes a [`Finding`] and the person is registered all the same: the census of
//! 2021 showed that people whose papers disagree are many, and that they get well only inside the register.

use std::fmt::Display;
use std::str::FromStr;

use crypto::identity::{Date, DateError, FullName, PersonalNumber, ProvinceCode, Sex, validity};
use crypto::lds::Dg13;
use thiserror::Error;

use super::model::{
    CardText, Declaration, DeclaredPlace, DeclaredRelative, Finding, MaritalStatus, Person, Place, Relative,
};
use super::reference::Reference;
use crate::ground::text::{NotPrintable, tidy};

/// Why no person can be registered from a declaration. Never empty.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(|f| format!("{}: {} ({})", f.field, f.message, f.code)).collect::<Vec<_>>().join("; "))]
pub struct Declined(pub Vec<Finding>);

/// Reads a declaration as of `today`.
///
/// # Errors
/// [`Declined`] with every reason why there can be no person.
pub fn examine(
    declaration: &Declaration,
    reference: &Reference,
    today: time::Date,
) -> Result<(Person, Vec<Finding>), Declined> {
    let mut exam = Examination { reference, today, declines: vec![], findings: vec![] };
    match exam.person(declaration) {
        Some(person) if exam.declines.is_empty() => {
            exam.look_closer(&person);
            Ok((person, exam.findings))
        }
        _ => Err(Declined(exam.declines)),
    }
}

struct Examination<'a> {
    reference: &'a Reference,
    today: time::Date,
    declines: Vec<Finding>,
    findings: Vec<Finding>,
}

impl Examination<'_> {
    /// Reads every field, whatever the others say, so that one answer names all that is wrong.
    fn person(&mut self, d: &Declaration) -> Option<Person> {
        let full_name = self.must("full_name", &d.full_name, "name-not-writable");
        let birth = self.must::<Date>("birth_date", &d.birth_date, "date-unreadable");
        let birth = birth.filter(|birth| self.not_ahead("birth_date", *birth));
        let sex = self.must("sex", &d.sex, "sex-unknown");
        let birth_registration = self.place("birth_registration", Some(&d.birth_registration), true);
        let place_of_origin = self.place("place_of_origin", Some(&d.place_of_origin), true);
        let ethnic_group = self.ethnic_group(&d.ethnic_group);
        let nationality = self.nationality("nationality", &d.nationality);
        let religion = self.card_text("religion", &d.religion);
        let marital_status = self.marital_status(&d.marital_status);
        let died = self.may("died", &d.died, "date-unreadable").filter(|day| self.not_ahead("died", *day));
        let old_id_number = self.old_number("old_id_number", &d.old_id_number);
        let blood_group = self.blood_group(&d.blood_group);
        let permanent_residence = self.place("permanent_residence", d.permanent_residence.as_ref(), false);
        let temporary_residence = self.place("temporary_residence", d.temporary_residence.as_ref(), false);
        let current_residence = self.place("current_residence", d.current_residence.as_ref(), false);
        let father = self.relative("father", d.father.as_ref());
        let mother = self.relative("mother", d.mother.as_ref());
        let spouse = self.relative("spouse", d.spouse.as_ref());
        let representative = self.relative("representative", d.representative.as_ref());
        let relation_to_head = self.text("relation_to_head", &d.relation_to_head, 100);
        let household_book_number = self.text("household_book_number", &d.household_book_number, 50);
        let head_of_household = self.relative("head_of_household", d.head_of_household.as_ref());
        Some(Person {
            full_name: full_name?,
            birth: birth?,
            sex: sex?,
            birth_registration: birth_registration?,
            place_of_origin: place_of_origin?,
            ethnic_group: ethnic_group?,
            religion,
            nationality: nationality?,
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
            old_id_number,
            household_book_number,
        })
    }

    /// What only shows when all fields are known.
    fn look_closer(&mut self, person: &Person) {
        let age = validity::age(person.birth, self.today);
        if person.birth.full().is_none() {
            self.finds("birth_date", "birth-day-missing", "the day of birth is not declared");
        }
        if age > OLDEST && person.died.is_none() {
            self.finds("birth_date", "age-improbable", "older than 110 years and not recorded as dead");
        }
        if person.died.is_some() {
            self.finds("died", "death-recorded", "recorded as dead or missing: no application is possible");
        }
        if person.died.is_some_and(|died| died.last_day() < person.birth.first_day()) {
            self.finds("died", "death-before-birth", "the death lies before the birth");
        }
        if person.permanent_residence.is_none() {
            self.finds("permanent_residence", "residence-missing", "no permanent residence is declared");
        }
        if person.father.is_none() && person.mother.is_none() && person.representative.is_none() {
            self.finds("father", "parents-missing", "neither parent nor a representative is declared");
        }
        if person.head_of_household.is_none() {
            self.finds("head_of_household", "head-missing", "no head of the household is declared");
        }
        let married = person.marital_status == Some(MaritalStatus::Married);
        if age < YOUNGEST_SPOUSE && person.marital_status.is_some_and(|status| status != MaritalStatus::Single) {
            self.finds("marital_status", "married-too-young", "younger than 18 and not single");
        }
        if person.spouse.is_some() && !married {
            self.finds("spouse", "spouse-without-marriage", "a spouse is declared, but not a marriage");
        }
        self.parent("father", person.father.as_ref(), Sex::Male, person.birth);
        self.parent("mother", person.mother.as_ref(), Sex::Female, person.birth);
    }

    /// A parent's number tells the sex and the year of birth.
    fn parent(&mut self, field: &str, parent: Option<&Relative>, sex: Sex, birth: Date) {
        let Some(number) = parent.and_then(|parent| parent.personal_number) else { return };
        let field = format!("{field}.personal_number");
        if number.sex() != sex {
            self.finds(&field, "number-disagrees-with-sex", "the number is one of the other sex");
        }
        if number.birth_year() + YOUNGEST_PARENT > birth.year() {
            self.finds(&field, "parent-too-young", "the parent was less than twelve years old");
        }
    }

    fn place(&mut self, field: &str, declared: Option<&DeclaredPlace>, mandatory: bool) -> Option<Place> {
        let declared = declared.cloned().unwrap_or_default();
        let at = format!("{field}.province");
        let province = match (mandatory, declared.province.trim().is_empty()) {
            (false, true) => return None,
            _ => self.must::<ProvinceCode>(&at, &declared.province, "province-unassigned")?,
        };
        if self.reference.province(province).is_none() {
            self.declines(&at, "province-unassigned", "no province has this code");
            return None;
        }
        let place = Place {
            province,
            district: self.text(&format!("{field}.district"), &declared.district, 5),
            commune: self.text(&format!("{field}.commune"), &declared.commune, 5),
            detail: self.card_text(&format!("{field}.detail"), &declared.detail),
        };
        let most = Dg13::MAX_TEXT;
        if place.in_words(self.reference).len() > most {
            self.declines(field, "text-too-long", &format!("the address in words is longer than {most} bytes"));
        }
        // The 2021 tables know nothing below a province that they do not know.
        if !self.reference.is_extra(province) {
            self.units(field, &place);
        }
        Some(place)
    }

    /// District and commune against the tables.
    fn units(&mut self, field: &str, place: &Place) {
        let province = place.province.to_string();
        match place.district.as_deref().map(|code| self.reference.district(code)) {
            None => self.finds(field, "address-incomplete", "the district is missing"),
            Some(None) => self.finds(field, "district-unknown", "no district has this code"),
            Some(Some(unit)) if unit.within != province => {
                self.finds(field, "district-elsewhere", "the district belongs to another province");
            }
            Some(Some(_)) => {}
        }
        match place.commune.as_deref().map(|code| self.reference.commune(code)) {
            None => self.finds(field, "address-incomplete", "the commune is missing"),
            Some(None) => self.finds(field, "commune-unknown", "no commune has this code"),
            Some(Some(unit)) if Some(unit.within) != place.district.as_deref() => {
                self.finds(field, "commune-elsewhere", "the commune belongs to another district");
            }
            Some(Some(_)) => {}
        }
    }

    fn relative(&mut self, field: &str, declared: Option<&DeclaredRelative>) -> Option<Relative> {
        let declared = declared?;
        let full_name = self.may::<FullName>(&format!("{field}.full_name"), &declared.full_name, "name-not-writable");
        let personal_number = self.may::<PersonalNumber>(
            &format!("{field}.personal_number"),
            &declared.personal_number,
            "number-malformed",
        );
        let old_id_number = self.old_number(&format!("{field}.old_id_number"), &declared.old_id_number);
        let nationality = self.nationality(&format!("{field}.nationality"), &declared.nationality)?;
        Some(Relative { full_name: full_name?, personal_number, old_id_number, nationality })
    }

    /// A text that is printed on the card: one that a card has no room for declines the declaration.
    fn card_text(&mut self, field: &str, declared: &str) -> Option<CardText> {
        let text = self.tidied(field, declared)?;
        text.parse().map_err(|e: NotPrintable| self.declines(field, "text-too-long", &e.to_string())).ok()
    }

    /// A text that is kept and not printed: one of more than `most` characters declines the declaration.
    fn text(&mut self, field: &str, declared: &str, most: usize) -> Option<String> {
        let text = self.tidied(field, declared)?;
        if text.chars().count() <= most {
            return Some(text);
        }
        self.declines(field, "text-too-long", &format!("longer than {most} characters"));
        None
    }

    fn ethnic_group(&mut self, declared: &str) -> Option<String> {
        let code = self.must::<String>("ethnic_group", declared, "ethnic-group-unknown")?;
        if self.reference.ethnic_group(&code).is_none() {
            self.declines("ethnic_group", "ethnic-group-unknown", "no ethnic group has this code");
            return None;
        }
        Some(code)
    }

    fn nationality(&mut self, field: &str, declared: &str) -> Option<String> {
        let code = self.tidied(field, declared).unwrap_or_else(|| self.reference.state().to_owned());
        if code == self.reference.state() || code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(code);
        }
        self.declines(field, "nationality-unknown", "a nationality is three capital letters");
        None
    }

    fn marital_status(&mut self, declared: &str) -> Option<MaritalStatus> {
        match self.tidied("marital_status", declared)?.as_str() {
            "single" => Some(MaritalStatus::Single),
            "married" => Some(MaritalStatus::Married),
            "divorced" => Some(MaritalStatus::Divorced),
            "widowed" => Some(MaritalStatus::Widowed),
            _ => {
                self.finds("marital_status", "marital-status-unknown", "not single, married, divorced or widowed");
                None
            }
        }
    }

    fn blood_group(&mut self, declared: &str) -> Option<String> {
        let group = self.tidied("blood_group", declared)?;
        if ["A", "B", "AB", "O"].contains(&group.strip_suffix(['+', '-']).unwrap_or(&group)) {
            return Some(group);
        }
        self.finds("blood_group", "blood-group-unknown", "not A, B, AB or O");
        None
    }

    /// Nine digits (CMND), or twelve (the first cards with the personal number).
    fn old_number(&mut self, field: &str, declared: &str) -> Option<String> {
        let number = self.tidied(field, declared)?;
        if [9, 12].contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) {
            return Some(number);
        }
        self.finds(field, "old-number-malformed", "an old identity number has nine or twelve digits");
        None
    }

    fn not_ahead(&mut self, field: &str, date: Date) -> bool {
        let ahead = date.first_day() > self.today;
        if ahead {
            self.declines(field, "date-in-future", "the date lies ahead");
        }
        !ahead
    }

    /// Returns a field as [`tidy`] makes it. One that is longer than any field may be declines the declaration before
    /// any work is done on it, and counts as empty.
    fn tidied(&mut self, field: &str, declared: &str) -> Option<String> {
        if declared.len() > MOST_BYTES {
            self.declines(field, "text-too-long", &format!("longer than {MOST_BYTES} bytes"));
            return None;
        }
        tidy(declared)
    }

    /// A field without which there is no person.
    fn must<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str, code: &str) -> Option<T> {
        let declined = self.declines.len();
        let Some(text) = self.tidied(field, text) else {
            if self.declines.len() == declined {
                self.declines(field, "field-missing", "must be declared");
            }
            return None;
        };
        let value = text.parse::<T>().map_err(|e| {
            let code = named(code, &text);
            self.declines(field, code, &said(code, &e));
        });
        value.ok()
    }

    /// A field that may be empty; one that cannot be read is put aside with a finding, except for dates that cannot be.
    fn may<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str, code: &str) -> Option<T> {
        let text = self.tidied(field, text)?;
        let value = text.parse::<T>().map_err(|e| {
            let code = named(code, &text);
            self.finds(field, code, &said(code, &e));
        });
        value.ok()
    }

    fn declines(&mut self, field: &str, code: &str, message: &str) {
        self.declines.push(Finding { field: field.into(), code: code.into(), message: message.into() });
    }

    fn finds(&mut self, field: &str, code: &str, message: &str) {
        self.findings.push(Finding { field: field.into(), code: code.into(), message: message.into() });
    }
}

/// An unreadable date is either no date at all, or a day that no calendar has; people mend the two in different ways.
fn named<'a>(code: &'a str, text: &str) -> &'a str {
    match text.parse::<Date>() {
        Err(DateError::Impossible { .. } | DateError::ImpossibleMonth { .. }) if code == "date-unreadable" => {
            "date-impossible"
        }
        _ => code,
    }
}

/// The parser's own words, unless they repeat a date: messages end up in logs.
fn said(code: &str, error: &impl Display) -> String {
    if code == "date-impossible" { "the calendar has no such day".to_owned() } else { error.to_string() }
}

/// Longest text of a field as it comes in, bytes: no field takes as much once it is tidy.
const MOST_BYTES: usize = 8 * 1024;
/// Years that a living person is not believed to exceed without a second look.
const OLDEST: i32 = 110;
/// Years between a parent's birth and a child's.
const YOUNGEST_PARENT: u16 = 12;
/// Years at which the law allows to marry (women 18, men 20; Law on Marriage and Family 2014, Art. 8).
const YOUNGEST_SPOUSE: i32 = 18;

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
