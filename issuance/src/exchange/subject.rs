//! Whom a question is about, and whether what is said of the person is so.

use std::collections::BTreeSet;

use crypto::identity::{Date, FullName, PersonalNumber, Sex};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Field;
use crate::ground::text::Words;
use crate::population::model::{Person, Registered};

/// Whom a question is about. The person is named by the number for life, that of the old card, or the name that this
/// partner was given for the person; with a number, full name and date of birth are said too, as today's clients do.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subject {
    /// The number for life, twelve digits.
    #[schema(value_type = String)]
    pub personal_number: Words<20>,
    /// The number of the old card, nine digits.
    #[schema(value_type = String)]
    pub old_id_number: Words<20>,
    /// The partner's own name for the person, as an answer gave it.
    #[schema(value_type = String)]
    pub pseudonym: Words<64>,
    /// Full name at birth.
    #[schema(value_type = String)]
    pub full_name: Words<200>,
    /// Date of birth, as in a declaration.
    #[schema(value_type = String)]
    pub birth_date: Words<20>,
    /// Sex, as in a declaration.
    #[schema(value_type = String)]
    pub sex: Words<10>,
    /// Ethnic group, two digits.
    #[schema(value_type = String)]
    pub ethnic_group: Words<10>,
    /// Nationality, three letters.
    #[schema(value_type = String)]
    pub nationality: Words<10>,
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subject(…)")
    }
}

/// By what a person is looked for.
pub(super) enum By<'a> {
    /// The number for life.
    Number(PersonalNumber),
    /// The number of the old card.
    OldNumber(&'a str),
    /// The partner's own name for the person.
    Pseudonym(&'a str),
    /// A number that cannot be one: no person has it.
    Nothing,
}

impl Subject {
    /// Returns by what the person is looked for.
    ///
    /// # Errors
    /// What is missing, for a subject that names no person, names one twice, or lacks name or date of birth.
    pub(super) fn by(&self) -> Result<By<'_>, &'static str> {
        let Self { personal_number, old_id_number, pseudonym, .. } = self;
        let named = [personal_number.as_str(), old_id_number.as_str(), pseudonym.as_str()];
        if named.iter().filter(|text| !text.is_empty()).count() != 1 {
            return Err("subject: one of personal_number, old_id_number and pseudonym");
        }
        if !pseudonym.as_str().is_empty() {
            return Ok(By::Pseudonym(pseudonym.as_str()));
        }
        if self.full_name.as_str().is_empty() || self.birth_date.as_str().is_empty() {
            return Err("subject: full_name and birth_date go with a number");
        }
        if !personal_number.as_str().is_empty() {
            return Ok(personal_number.as_str().parse().map_or(By::Nothing, By::Number));
        }
        let old = old_id_number.as_str();
        let fits = old.len() == 9 && old.bytes().all(|b| b.is_ascii_digit());
        Ok(if fits { By::OldNumber(old) } else { By::Nothing })
    }

    /// Returns the number, of a subject that has nothing but a number for life; nothing for a text that is no number.
    pub(super) fn number_alone(&self) -> Option<By<'static>> {
        let bare = self.said() == [Field::PersonalNumber].into() && self.pseudonym.as_str().is_empty();
        bare.then(|| self.personal_number.as_str().parse().map_or(By::Nothing, By::Number))
    }

    /// Returns what guesses about one person have in common.
    pub(super) fn target(&self) -> &str {
        let Self { personal_number, old_id_number, pseudonym, .. } = self;
        let named = [personal_number.as_str(), old_id_number.as_str(), pseudonym.as_str()];
        named.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// Returns the fields that are put to the test.
    pub(super) fn said(&self) -> BTreeSet<Field> {
        let said = [(Field::PersonalNumber, &self.personal_number), (Field::OldIdNumber, &self.old_id_number)]
            .map(|(field, text)| (field, text.as_str()));
        let more = [
            (Field::FullName, self.full_name.as_str()),
            (Field::BirthDate, self.birth_date.as_str()),
            (Field::Sex, self.sex.as_str()),
            (Field::EthnicGroup, self.ethnic_group.as_str()),
            (Field::Nationality, self.nationality.as_str()),
        ];
        said.into_iter().chain(more).filter(|(_, text)| !text.is_empty()).map(|(field, _)| field).collect()
    }

    /// Returns the fields that are told to differ, of those in which the person differs. Where neither name nor date of
    /// birth is that of the number nothing belongs together, as of a number that no person has: what is easily guessed
    /// (sex, nationality) would else tell which numbers there are.
    pub(super) fn told(&self, differs: BTreeSet<Field>) -> BTreeSet<Field> {
        let said = self.said();
        let by_number = said.contains(&Field::PersonalNumber) || said.contains(&Field::OldIdNumber);
        let none_holds = [Field::FullName, Field::BirthDate].iter().all(|field| differs.contains(field));
        if by_number && none_holds { said } else { differs }
    }

    /// Returns the fields in which a person differs from what is said. What cannot be read differs. All are compared,
    /// also after the first that differs: the time tells nothing.
    pub(super) fn differs(&self, person: &Person) -> BTreeSet<Field> {
        let lower = |name: &FullName| name.as_str().to_lowercase();
        let name: Option<FullName> = self.full_name.as_str().parse().ok();
        let birth: Option<Date> = self.birth_date.as_str().parse().ok();
        let same = [
            (Field::FullName, name.is_some_and(|name| lower(&name) == lower(&person.full_name))),
            (Field::BirthDate, birth == Some(person.birth)),
            (Field::Sex, self.sex.as_str().parse::<Sex>().ok() == Some(person.sex)),
            (Field::EthnicGroup, self.ethnic_group.as_str() == person.ethnic_group),
            (Field::Nationality, self.nationality.as_str().eq_ignore_ascii_case(&person.nationality)),
        ];
        let said = self.said();
        same.into_iter().filter(|(field, same)| !same && said.contains(field)).map(|(field, _)| field).collect()
    }
}

/// A person whom the register does not have: what is compared where no person has the number that is asked about, so
/// that this takes as long as where one has it.
pub(super) fn decoy() -> Person {
    serde_json::from_str(DECOY).unwrap_or_else(|_| unreachable!("a test reads it"))
}

/// As [`decoy`], as a row would hold it.
pub(super) const DECOY: &str = include_str!("decoy.json");

/// True if the person may be told of: the record in force of a number.
pub(super) fn province_of(registered: &Registered) -> Option<String> {
    registered.person.permanent_residence.as_ref().map(|place| place.province.to_string())
}
