//! Checks one declaration as far as one person's data allow: "đúng, đủ, sạch" without looking at other persons; pure.
//!
//! What the register, the card or the number cannot do without declines the declaration ([`Declined`], all reasons at
//! once). What someone should look at becomes a [`Finding`] and the person is registered all the same: the census of
//! 2021 showed that people whose papers disagree are many, and that they get well only inside the register.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use crypto::identity::{Date, DateError, FullName, PersonalNumber, ProvinceCode, Sex, folded_name, validity};
use crypto::lds::Dg13;
use thiserror::Error;

use super::model::{
    CardText, Declaration, DeclaredPlace, DeclaredRelative, Finding, MaritalStatus, Person, Place, Relative,
};
use super::reference::{Digits, Reference, Table, Unit};
use super::rules::{self, Rule};
use crate::ground::text::{NotPrintable, tidy, tidy_text};

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

/// Judges a number for life that a person has already against what is declared of the person. Each finding declines.
#[must_use]
pub fn judge_number(number: &PersonalNumber, person: &Person) -> Vec<Finding> {
    const FIELD: &str = "personal_number";
    let mut found = vec![];
    if number.sex() != person.sex {
        found.push(Finding::new(rules::OWN_NUMBER_OTHER_SEX, FIELD, "the fourth digit is that of the other sex"));
    }
    if number.birth_year() != person.birth.year() {
        let says = "the fourth to sixth digit are those of another year of birth";
        found.push(Finding::new(rules::OWN_NUMBER_OTHER_YEAR, FIELD, says));
    }
    if number.province() != person.birth_registration.province {
        let says = "the first three digits are those of another province of birth registration";
        found.push(Finding::new(rules::OWN_NUMBER_OTHER_PROVINCE, FIELD, says));
    }
    let mend = |finding: Finding| finding.mended("compare the number with the paper that shows it", None);
    found.into_iter().map(mend).collect()
}

/// Reads a number for life that a person has already; the error declines.
pub(super) fn own_number(declared: &str) -> Result<Option<PersonalNumber>, Box<Finding>> {
    let Some(text) = tidy(declared) else { return Ok(None) };
    text.parse().map(Some).map_err(|e| Box::new(unread("personal_number", rules::OWN_NUMBER_MALFORMED, &text, &e)))
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
        let full_name = self.must("full_name", &d.full_name, rules::NAME_NOT_WRITABLE);
        let birth = self.must::<Date>("birth_date", &d.birth_date, rules::DATE_UNREADABLE);
        let birth = birth.filter(|birth| self.not_ahead("birth_date", *birth));
        let sex = self.must("sex", &d.sex, rules::SEX_UNKNOWN);
        let birth_registration = self.place("birth_registration", Some(&d.birth_registration), true);
        let place_of_origin = self.place("place_of_origin", Some(&d.place_of_origin), true);
        let ethnic_group = self.ethnic_group(&d.ethnic_group);
        let nationality = self.nationality("nationality", &d.nationality);
        let religion = self.card_text("religion", &d.religion);
        let marital_status = self.marital_status(&d.marital_status);
        let died = self.may("died", &d.died, rules::DATE_UNREADABLE).filter(|day| self.not_ahead("died", *day));
        let missing_since = self.may("missing_since", &d.missing_since, rules::DATE_UNREADABLE);
        let missing_since = missing_since.filter(|day| self.not_ahead("missing_since", *day));
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
            missing_since,
            old_id_number,
            household_book_number,
        })
    }

    /// What only shows when all fields are known.
    fn look_closer(&mut self, person: &Person) {
        let age = validity::age(person.birth, self.today);
        if person.birth.full().is_none() {
            self.finds("birth_date", rules::BIRTH_DAY_MISSING, "the day of birth is not declared");
        }
        if age > OLDEST && person.died.is_none() {
            self.finds("birth_date", rules::AGE_IMPROBABLE, "older than 110 years and not recorded as dead");
        }
        if person.died.is_some() {
            self.finds("died", rules::DEATH_RECORDED, "recorded as dead: no application is possible");
        }
        if person.missing_since.is_some() {
            let says = "declared missing by a court: no application is possible until the person is found again";
            self.finds("missing_since", rules::MISSING_RECORDED, says);
        }
        if person.died.is_some_and(|died| died.last_day() < person.birth.first_day()) {
            self.finds("died", rules::DEATH_BEFORE_BIRTH, "the death lies before the birth");
        }
        if person.permanent_residence.is_none() {
            self.finds("permanent_residence", rules::RESIDENCE_MISSING, "no permanent residence is declared");
        }
        if person.father.is_none() && person.mother.is_none() && person.representative.is_none() {
            self.finds("father", rules::PARENTS_MISSING, "neither parent nor a representative is declared");
        }
        if person.head_of_household.is_none() {
            self.finds("head_of_household", rules::HEAD_MISSING, "no head of the household is declared");
        }
        if person.head_of_household.is_some() && person.relation_to_head.is_none() {
            let says = "what the person is to the head of the household is not declared";
            self.finds("relation_to_head", rules::RELATION_MISSING, says);
        }
        if age >= YOUNGEST_SPOUSE && person.marital_status.is_none() {
            self.finds("marital_status", rules::MARITAL_STATUS_MISSING, "no marital status of an adult is declared");
        }
        let married = person.marital_status == Some(MaritalStatus::Married);
        if age < YOUNGEST_SPOUSE && person.marital_status.is_some_and(|status| status != MaritalStatus::Single) {
            self.finds("marital_status", rules::MARRIED_TOO_YOUNG, "younger than 18 and not single");
        }
        if person.spouse.is_some() && !married {
            self.finds("spouse", rules::SPOUSE_WITHOUT_MARRIAGE, "a spouse is declared, but not a marriage");
        }
        if person.spouse.is_none() && married {
            self.finds("spouse", rules::SPOUSE_MISSING, "a marriage is declared, but no spouse");
        }
        if person.spouse.as_ref().and_then(|spouse| spouse.personal_number).is_some_and(|n| n.sex() == person.sex) {
            let says = "the number is one of the person's own sex";
            self.finds("spouse.personal_number", rules::SPOUSE_OF_SAME_SEX, says);
        }
        let relatives = [
            ("father", &person.father),
            ("mother", &person.mother),
            ("spouse", &person.spouse),
            ("representative", &person.representative),
            ("head_of_household", &person.head_of_household),
        ];
        for (field, relative) in relatives {
            let number = relative.as_ref().and_then(|relative| relative.personal_number);
            if number.is_some_and(|number| self.reference.province(number.province(), self.today).is_none()) {
                let field = Field(field, "personal_number");
                self.finds(field, rules::NUMBER_PROVINCE_UNKNOWN, "the number begins with a code that no province has");
            }
        }
        self.parent("father", person.father.as_ref(), Sex::Male, person.birth);
        self.parent("mother", person.mother.as_ref(), Sex::Female, person.birth);
    }

    /// A parent's number tells the sex and the year of birth.
    fn parent(&mut self, field: &str, parent: Option<&Relative>, sex: Sex, birth: Date) {
        let Some(number) = parent.and_then(|parent| parent.personal_number) else { return };
        let field = Field(field, "personal_number");
        if number.sex() != sex {
            self.finds(field, rules::NUMBER_DISAGREES_WITH_SEX, "the number is one of the other sex");
        }
        if number.birth_year() >= birth.year() {
            self.finds(
                field,
                rules::CHILD_OLDER_THAN_PARENT,
                "the number is one of a person not born before the child",
            );
        } else if number.birth_year() + YOUNGEST_PARENT > birth.year() {
            self.finds(field, rules::PARENT_TOO_YOUNG, "the parent was less than twelve years old");
        }
    }

    fn place(&mut self, field: &str, declared: Option<&DeclaredPlace>, mandatory: bool) -> Option<Place> {
        let none = DeclaredPlace::default();
        let declared = declared.unwrap_or(&none);
        let at = Field(field, "province");
        let province = match (mandatory, declared.province.trim().is_empty()) {
            (false, true) => return None,
            _ => self.must::<ProvinceCode>(at, &declared.province, rules::PROVINCE_UNASSIGNED)?,
        };
        if self.reference.province(province, self.today).is_none() {
            self.declines(at, rules::PROVINCE_UNASSIGNED, "no province has this code");
            return None;
        }
        let place = Place {
            province,
            district: self.text(Field(field, "district"), &declared.district, 5),
            commune: self.text(Field(field, "commune"), &declared.commune, 5),
            detail: self.card_text(Field(field, "detail"), &declared.detail),
        };
        let most = Dg13::MAX_TEXT;
        if place.length_in_words(self.reference, self.today) > most {
            self.declines(field, rules::TEXT_TOO_LONG, &format!("the address in words is longer than {most} bytes"));
        }
        // The 2021 tables know nothing below a province that they do not know.
        if !self.reference.is_extra(province) {
            self.units(field, &place, mandatory);
        }
        Some(place)
    }

    /// District and commune against the tables. Where a birth was registered and where a family comes `of_before` keeps
    /// the units of its time; a residence is declared in units of today.
    fn units(&mut self, field: &str, place: &Place, of_before: bool) {
        let at = |part: &str| format!("{field}.{part}");
        let (reference, today) = (self.reference, self.today);
        let province = Digits::of(place.province);
        let province = province.as_str();
        let ended = |unit: &Unit<'_>| unit.ended.is_some() && !of_before;
        if !of_before && reference.unit(Table::Provinces, province, today).is_some_and(|unit| ended(&unit)) {
            self.finds(field, rules::PROVINCE_ENDED, "the province is no more: declare the one that took its place");
        }
        match place.district.as_deref().map(|code| (code, reference.district(code, today))) {
            None => self.finds(field, rules::ADDRESS_INCOMPLETE, "the district is missing"),
            Some((_, None)) => self.finds(field, rules::DISTRICT_UNKNOWN, "no district has this code"),
            Some((code, Some(unit))) if !reference.was_within(Table::Districts, code, province, today) => {
                let finding =
                    Finding::new(rules::DISTRICT_ELSEWHERE, field, "the district belongs to another province");
                let put = at("province");
                let put = Some((put.as_str(), unit.within.to_owned()));
                self.findings.push(finding.mended("the district's own province, or another district", put));
            }
            Some((_, Some(unit))) if ended(&unit) || (!of_before && unit.within != province) => {
                self.finds(field, rules::DISTRICT_ENDED, "the district is no more, or belongs to another province now");
            }
            Some(_) => {}
        }
        let district = place.district.as_deref().unwrap_or_default();
        match place.commune.as_deref().map(|code| (code, reference.commune(code, today))) {
            None => self.finds(field, rules::ADDRESS_INCOMPLETE, "the commune is missing"),
            Some((_, None)) => self.finds(field, rules::COMMUNE_UNKNOWN, "no commune has this code"),
            Some((code, Some(unit))) if !reference.was_within(Table::Communes, code, district, today) => {
                let finding = Finding::new(rules::COMMUNE_ELSEWHERE, field, "the commune belongs to another district");
                let put = at("district");
                let put = Some((put.as_str(), unit.within.to_owned()));
                self.findings.push(finding.mended("the commune's own district, or another commune", put));
            }
            Some((_, Some(unit))) if ended(&unit) || (!of_before && unit.within != district) => {
                self.finds(field, rules::COMMUNE_ENDED, "the commune is no more, or belongs to another district now");
            }
            Some(_) => {}
        }
    }

    fn relative(&mut self, field: &str, declared: Option<&DeclaredRelative>) -> Option<Relative> {
        let declared = declared?;
        let full_name = self.may::<FullName>(Field(field, "full_name"), &declared.full_name, rules::NAME_NOT_WRITABLE);
        let at = Field(field, "personal_number");
        let personal_number = self.may::<PersonalNumber>(at, &declared.personal_number, rules::NUMBER_MALFORMED);
        let old_id_number = self.old_number(Field(field, "old_id_number"), &declared.old_id_number);
        let nationality = self.nationality(Field(field, "nationality"), &declared.nationality)?;
        Some(Relative { full_name: full_name?, personal_number, old_id_number, nationality })
    }

    /// A text that is printed on the card: one that a card has no room for declines the declaration.
    fn card_text<'f>(&mut self, field: impl Into<Field<'f>>, declared: &str) -> Option<CardText> {
        let field = field.into();
        let text = self.tidied(field, declared)?;
        let unfit = |e: NotPrintable| Finding::new(rules::TEXT_TOO_LONG, field, e.to_string()).shaped(&text);
        CardText::of_tidy(text.clone()).map_err(|e| self.declines.push(unfit(e))).ok()
    }

    /// A text that is kept and not printed: one of more than `most` characters declines the declaration.
    fn text<'f>(&mut self, field: impl Into<Field<'f>>, declared: &str, most: usize) -> Option<String> {
        let field = field.into();
        let text = self.tidied(field, declared)?;
        if text.len() <= most || text.chars().count() <= most {
            return Some(text.into_owned());
        }
        self.declines(field, rules::TEXT_TOO_LONG, &format!("longer than {most} characters"));
        None
    }

    fn ethnic_group(&mut self, declared: &str) -> Option<String> {
        let code = self.must::<String>("ethnic_group", declared, rules::ETHNIC_GROUP_UNKNOWN)?;
        if self.reference.ethnic_group(&code, self.today).is_none() {
            let finding = Finding::new(rules::ETHNIC_GROUP_UNKNOWN, "ethnic_group", "no ethnic group has this code");
            let padded =
                Some(format!("{code:0>2}")).filter(|padded| self.reference.ethnic_group(padded, self.today).is_some());
            let put = padded.map(|padded| ("ethnic_group", padded));
            self.declines.push(finding.shaped(&code).mended("write the two digits of the table", put));
            return None;
        }
        Some(code)
    }

    fn nationality<'f>(&mut self, field: impl Into<Field<'f>>, declared: &str) -> Option<String> {
        let field = field.into();
        let code = self.tidied(field, declared).unwrap_or_else(|| self.reference.state().into());
        if code == self.reference.state() || code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some(code.into_owned());
        }
        let finding = Finding::new(rules::NATIONALITY_UNKNOWN, field, "a nationality is three capital letters");
        let capitals = code.to_ascii_uppercase();
        let name = String::from(field);
        let put = (capitals.len() == 3 && capitals.bytes().all(|b| b.is_ascii_uppercase()))
            .then_some((name.as_str(), capitals));
        self.declines.push(finding.shaped(&code).mended("write the three letters of Doc 9303-3", put));
        None
    }

    fn marital_status(&mut self, declared: &str) -> Option<MaritalStatus> {
        match &*self.tidied("marital_status", declared)? {
            "single" => Some(MaritalStatus::Single),
            "married" => Some(MaritalStatus::Married),
            "divorced" => Some(MaritalStatus::Divorced),
            "widowed" => Some(MaritalStatus::Widowed),
            other => {
                let says = "not single, married, divorced or widowed";
                self.findings.push(Finding::new(rules::MARITAL_STATUS_UNKNOWN, "marital_status", says).shaped(other));
                None
            }
        }
    }

    fn blood_group(&mut self, declared: &str) -> Option<String> {
        let group = self.tidied("blood_group", declared)?;
        if ["A", "B", "AB", "O"].contains(&group.strip_suffix(['+', '-']).unwrap_or(&group)) {
            return Some(group.into_owned());
        }
        let finding = Finding::new(rules::BLOOD_GROUP_UNKNOWN, "blood_group", "not A, B, AB or O");
        self.findings.push(finding.shaped(&group));
        None
    }

    /// Nine digits (CMND), or twelve (the first cards with the personal number).
    fn old_number<'f>(&mut self, field: impl Into<Field<'f>>, declared: &str) -> Option<String> {
        let field = field.into();
        let number = self.tidied(field, declared)?;
        if [9, 12].contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) {
            return Some(number.into_owned());
        }
        let says = "an old identity number has nine or twelve digits";
        let finding = Finding::new(rules::OLD_NUMBER_MALFORMED, field, says).shaped(&number);
        self.findings
            .push(finding.mended("look at the old card again; a zero before the first digit may be lost", None));
        None
    }

    fn not_ahead(&mut self, field: &str, date: Date) -> bool {
        let ahead = date.first_day() > self.today;
        if ahead {
            self.declines(field, rules::DATE_IN_FUTURE, "the date lies ahead");
        }
        !ahead
    }

    /// Returns a field as [`tidy`] makes it. One that is longer than any field may be declines the declaration before
    /// any work is done on it, and counts as empty.
    fn tidied<'f, 't>(&mut self, field: impl Into<Field<'f>>, declared: &'t str) -> Option<Cow<'t, str>> {
        if declared.len() > MOST_BYTES {
            self.declines(field, rules::TEXT_TOO_LONG, &format!("longer than {MOST_BYTES} bytes"));
            return None;
        }
        tidy_text(declared)
    }

    /// A field without which there is no person.
    fn must<'f, T: FromStr<Err: Display>>(&mut self, field: impl Into<Field<'f>>, text: &str, rule: Rule) -> Option<T> {
        let field = field.into();
        let declined = self.declines.len();
        let Some(text) = self.tidied(field, text) else {
            if self.declines.len() == declined {
                self.declines(field, rules::FIELD_MISSING, "must be declared");
            }
            return None;
        };
        let value = text.parse::<T>().map_err(|e| self.declines.push(unread(&String::from(field), rule, &text, &e)));
        value.ok()
    }

    /// A field that may be empty; one that cannot be read is put aside with a finding, except for dates that cannot be.
    fn may<'f, T: FromStr<Err: Display>>(&mut self, field: impl Into<Field<'f>>, text: &str, rule: Rule) -> Option<T> {
        let field = field.into();
        let text = self.tidied(field, text)?;
        let value = text.parse::<T>().map_err(|e| self.findings.push(unread(&String::from(field), rule, &text, &e)));
        value.ok()
    }

    fn declines<'f>(&mut self, field: impl Into<Field<'f>>, rule: Rule, message: &str) {
        self.declines.push(Finding::new(rule, field.into(), message));
    }

    fn finds<'f>(&mut self, field: impl Into<Field<'f>>, rule: Rule, message: &str) {
        self.findings.push(Finding::new(rule, field.into(), message));
    }
}

/// A field of a declaration and a part of it, perhaps empty: put together only where something is said of it.
#[derive(Clone, Copy)]
struct Field<'a>(&'a str, &'a str);

impl<'a> From<&'a str> for Field<'a> {
    fn from(field: &'a str) -> Self {
        Self(field, "")
    }
}

impl From<Field<'_>> for String {
    fn from(Field(field, part): Field<'_>) -> Self {
        if part.is_empty() { field.to_owned() } else { format!("{field}.{part}") }
    }
}

/// What is said of a value that cannot be read.
fn unread(field: &str, rule: Rule, text: &str, error: &impl Display) -> Finding {
    // An unreadable date is either no date at all, or a day that no calendar has; people mend
    // the two in different ways.
    let impossible = rule == rules::DATE_UNREADABLE
        && matches!(text.parse::<Date>(), Err(DateError::Impossible { .. } | DateError::ImpossibleMonth { .. }));
    let rule = if impossible { rules::DATE_IMPOSSIBLE } else { rule };
    // The parser's own words, unless they repeat a date: messages end up in logs.
    let said = if impossible { "the calendar has no such day".to_owned() } else { error.to_string() };
    let finding = Finding::new(rule, field, said).shaped(text);
    match repair(field, rule, text) {
        Some((says, value)) => finding.mended(says, value.map(|value| (field, value))),
        None => finding,
    }
}

/// What may mend a value that cannot be read: in words, and the value where one is likely.
fn repair(field: &str, rule: Rule, text: &str) -> Option<(&'static str, Option<String>)> {
    let digits = |length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    match rule {
        rules::DATE_IMPOSSIBLE => {
            let swapped = match text.split('/').collect::<Vec<_>>()[..] {
                [month, day, year] => Some(format!("{day}/{month}/{year}")),
                _ => None,
            };
            let swapped = swapped.filter(|date| date.parse::<Date>().is_ok());
            let says = if swapped.is_some() { "day and month are swapped" } else { "look at the paper again" };
            Some((says, swapped))
        }
        rules::DATE_UNREADABLE => {
            let marked = text.replace(['.', '-', ' '], "/");
            let day_first = Some(marked).filter(|date| date.parse::<Date>().is_ok());
            let joined = digits(8).then(|| format!("{}/{}/{}", &text[..2], &text[2..4], &text[4..]));
            let value = day_first.or(joined.filter(|date| date.parse::<Date>().is_ok()));
            Some(("write dd/MM/yyyy; MM/yyyy without the day, or the year alone", value))
        }
        rules::SEX_UNKNOWN => {
            let value = match folded_name(text).as_str() {
                "nam" | "m" | "male" => Some("Nam"),
                "nu" | "f" | "female" => Some("Nữ"),
                _ => None,
            };
            Some(("write Nam or Nữ", value.map(str::to_owned)))
        }
        rules::PROVINCE_UNASSIGNED => {
            let padded = (digits(1) || digits(2)).then(|| format!("{text:0>3}"));
            Some(("write the three digits of the province", padded))
        }
        rules::NUMBER_MALFORMED | rules::OWN_NUMBER_MALFORMED if field.ends_with("personal_number") => {
            // A table calculation drops the zeros that a number begins with.
            let says =
                if digits(11) || digits(10) { "a zero before the first digit is lost" } else { "write twelve digits" };
            Some((says, (digits(11)).then(|| format!("{text:0>12}"))))
        }
        _ => None,
    }
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
