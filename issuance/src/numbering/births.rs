//! The message of a birth (Decree 137/2015/NĐ-CP, Art. 14): the child enters the register and has a number at once.

use std::collections::BTreeSet;

use crypto::identity::{Date, FullName, PersonalNumber, folded_name};
use thiserror::Error;
use time::Duration;

use super::leases::OfLease;
use super::{EstablishError, Numbers, steps};
use crate::deed::{Action, Deed, Entry, Object, Purpose, note_change};
use crate::ground::actor::Registers;
use crate::ground::ids::{PartnerId, PersonId};
use crate::ground::text::SomeWords;
use crate::population::history::{Confidence, Evidence, FactSource, Form};
use crate::population::model::{Declaration, Finding, Registered, Relative};
use crate::population::{self, PopulationError, Register};
use crate::store::StoreError;

/// A message of birth: the eight groups as a declaration, and what is not of them.
pub(crate) struct Birth<'a> {
    /// The eight groups of Art. 14(1).
    pub declaration: &'a Declaration,
    /// Number and day of the entry in the register of births.
    pub registration: &'a SomeWords<200>,
    /// Whose register of births it is: an entry there is one child's.
    pub kept_by: &'a str,
    /// Why a number is right although a namesake of the day is in the register, if an officer says so.
    pub acknowledged: Option<&'a str>,
    /// The partner whose report it is, where an officer decided about it.
    pub reported_by: Option<PartnerId>,
    /// The number that a birth desk or an offline station gave the child, of its lease.
    pub leased: Option<OfLease>,
}

/// Registers a child and establishes its number. Returns the register's id, the number, and what a registrar should
/// look at.
///
/// # Errors
/// [`BirthError`]
pub(crate) async fn register<A: Registers>(
    deed: &mut Deed<A>,
    numbers: &Numbers,
    register: &Register,
    birth: &Birth<'_>,
) -> Result<(PersonId, PersonalNumber, Vec<Finding>), BirthError> {
    let evidence = Evidence {
        form: Form::BirthMessage,
        source: FactSource::CivilStatus,
        document: birth.registration.words().clone(),
        confidence: Confidence::Proved,
    };
    let (person, findings) = population::check::examine(birth.declaration, register.reference(), deed.today())
        .map_err(PopulationError::Declined)?;
    let Date::Full(day) = person.birth else { return Err(BirthError::DayMissing) };
    if day + OLDEST < deed.today() {
        return Err(BirthError::TooOld);
    }
    for (field, parent) in [("father", &person.father), ("mother", &person.mother)] {
        let Some(parent) = parent else { continue };
        let Some(number) = parent.personal_number else { continue };
        let known = population::store::search::by_number(deed.tx(), &number).await?.into_iter().next();
        let known = known.ok_or(BirthError::ParentUnknown(field))?;
        deed.saw(known.id);
        let entry = Entry::new(Action::PersonFound, Object::Person(known.id), Purpose::Numbering);
        deed.enter(entry.about(known.id).of(&known.office)).await?;
        let name = |name: &FullName| folded_name(name.as_str());
        if name(&known.person.full_name) != name(&parent.full_name) {
            return Err(BirthError::ParentDiffers(field, known.id));
        }
        if dead_too_long(&known, field, day) {
            return Err(BirthError::ParentDead(field, known.id));
        }
    }
    let folded = folded_name(person.full_name.as_str());
    // Two messages about one child at the same moment find each other.
    population::store::hold_likeness(deed.tx(), &person).await?;
    for other in population::store::search::namesakes(deed.tx(), &folded, person.birth.year()).await? {
        if other.person.birth == person.birth && same_parents(&other.person, &person) {
            let may_know = deed.actor().may_act_for(&other.office).is_ok();
            return Err(BirthError::Recorded { child: other.id, may_know });
        }
    }
    if birth.acknowledged.is_none() {
        // Under another spelling of the name. There are twins whose names are one another's in another order: for those
        // an officer says why.
        let compared = population::duplicates::steps::compare(deed.tx(), &person, None, None).await?;
        for (other, _) in compared.likely {
            let of_the_day = (other.person.birth, other.person.sex) == (person.birth, person.sex);
            let named_so = same_name(&other.person.full_name, &person.full_name);
            if of_the_day && named_so && same_parents(&other.person, &person) {
                let may_know = deed.actor().may_act_for(&other.office).is_ok();
                return Err(BirthError::Recorded { child: other.id, may_know });
            }
        }
    }
    let entered = population::steps::enter(deed, register, &person, (findings, evidence), birth.reported_by).await?;
    let (id, mut all) = (entered.id, entered.findings);
    // Of a child the law asks no more than the eight groups.
    all.retain(|finding| !EXPECTED.contains(&finding.code.as_str()));
    if !population::store::enter_birth(deed.tx(), birth.kept_by, birth.registration.as_str(), id).await? {
        return Err(BirthError::RegistrationUsed);
    }
    let number = steps::establish_from(deed, numbers, id, birth.acknowledged, birth.leased).await?;
    // For partners who are told of each birth.
    note_change(deed.tx(), id, &BTreeSet::from(["born"]), None).await?;
    Ok((id, number, all))
}

/// A child who is older is declared: the message is about newborns (due within sixty days, Law 60/2014/QH13, Art. 15).
const OLDEST: Duration = Duration::days(366);

/// What every message of birth lacks.
const EXPECTED: [&str; 2] = ["residence-missing", "head-missing"];

/// True for a mother who was dead on the day, and for a father who died more than ten months before.
fn dead_too_long(parent: &Registered, field: &str, day: time::Date) -> bool {
    let Some(died) = parent.person.died else { return false };
    let after = if field == "father" { Duration::days(300) } else { Duration::ZERO };
    // Of a year or a month alone the last day is what counts for the parent.
    died.last_day() + after < day
}

/// True for one name in two spellings: with other marks, its words in another order, or written as one.
fn same_name(one: &FullName, other: &FullName) -> bool {
    let [one, other] = [one, other].map(|name| folded_name(name.as_str()));
    let sorted = |fold: &str| {
        let mut words: Vec<_> = fold.split(' ').map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    sorted(&one) == sorted(&other) || one.replace(' ', "") == other.replace(' ', "")
}

/// True if a parent of both is the same person, by number or, where one has none, by name.
fn same_parents(one: &population::model::Person, other: &population::model::Person) -> bool {
    let same = |a: &Option<Relative>, b: &Option<Relative>| match (a, b) {
        (Some(a), Some(b)) => match (a.personal_number, b.personal_number) {
            (Some(a), Some(b)) => a == b,
            _ => same_name(&a.full_name, &b.full_name),
        },
        _ => false,
    };
    // Of a child without parents the name, the day and the sex are all that tells one from another.
    let none = |of: &population::model::Person| of.mother.is_none() && of.father.is_none();
    same(&one.mother, &other.mother)
        || (one.mother.is_none() || other.mother.is_none()) && same(&one.father, &other.father)
        || none(one) && none(other)
}

/// Why a birth is not registered.
#[derive(Debug, Error)]
pub(crate) enum BirthError {
    /// The day or the month is missing.
    #[error("a birth that is registered now has a day")]
    DayMissing,
    /// The number.
    #[error(transparent)]
    Number(#[from] EstablishError),
    /// A parent who was dead.
    #[error("the {0} is recorded as dead before this birth is possible")]
    ParentDead(&'static str, PersonId),
    /// A number that another person has.
    #[error("the number of the {0} is that of a person with another name")]
    ParentDiffers(&'static str, PersonId),
    /// A parent's number that no person has.
    #[error("no person of the register has the number of the {0}")]
    ParentUnknown(&'static str),
    /// The person.
    #[error(transparent)]
    Person(#[from] PopulationError),
    /// The child is in the register.
    #[error("a child of this name, birth date and parents is in the register")]
    Recorded {
        /// This one.
        child: PersonId,
        /// True if the officer may know which.
        may_know: bool,
    },
    /// The entry of the register of births is another child's.
    #[error("this entry of the office's register of births is another child's")]
    RegistrationUsed,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No newborn.
    #[error("born more than a year ago: a declaration (POST /api/v1/declarations), and then a number")]
    TooOld,
}

impl BirthError {
    /// The person of whom the refusal tells something.
    pub(crate) fn tells_of(&self) -> Option<PersonId> {
        match self {
            Self::ParentDead(_, id) | Self::ParentDiffers(_, id) | Self::Recorded { child: id, .. } => Some(*id),
            _ => None,
        }
    }
}
