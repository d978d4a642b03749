//! The message of a birth (Decree 137/2015/NĐ-CP, Art. 14): the child enters the register and has a number at once.

use axum::extract::{FromRef, State};
use crypto::identity::{Date, FullName, PersonalNumber, folded_name};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::Duration;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{EstablishError, Numbers, steps};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::PersonId;
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Officer, Permission};
use crate::population::history::{Confidence, Evidence, FactSource, Form};
use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative, Finding, Registered, Relative};
use crate::population::{self, PopulationError, Register};
use crate::store::StoreError;
use crate::web::{Answered, Desk, Right, Routes, Write};

/// The route of births.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Numbers: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::Number), routes!(born))
}

/// The eight groups of Art. 14(1), and the entry of the civil-status register that they are taken from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BirthMessage {
    /// a) Surname, middle names and given name at birth, with diacritics.
    full_name: String,
    /// b) Day, month and year: a birth that is registered today has all three.
    birth_date: String,
    /// c) `Nam`, `Nữ`, `M` or `F`.
    sex: String,
    /// d) Where the birth is registered; its province begins the number.
    birth_registration: DeclaredPlace,
    /// đ) Place of origin.
    place_of_origin: DeclaredPlace,
    /// e) Ethnic group, two digits.
    ethnic_group: String,
    /// g) Nationality, three letters; empty means the register's State.
    #[serde(default)]
    nationality: String,
    /// h) Father, unless undetermined.
    father: Option<DeclaredRelative>,
    /// h) Mother, unless undetermined.
    mother: Option<DeclaredRelative>,
    /// h) Legal representative, where there is no parent.
    representative: Option<DeclaredRelative>,
    /// Number and day of the entry in the register of births.
    #[schema(value_type = String, max_length = 200)]
    registration: SomeWords<200>,
    /// The officer knows what speaks against a number, and answers for it.
    #[serde(default)]
    acknowledged: bool,
    /// Why it is right all the same, at most 400 characters; for the audit trail.
    #[serde(default)]
    #[schema(value_type = String)]
    because: Words<MOST_OF_REASON>,
}

/// The child's number.
#[derive(Debug, Serialize, ToSchema)]
struct Born {
    /// The register's own id.
    person_id: PersonId,
    /// The number for life, twelve digits.
    #[schema(value_type = String)]
    personal_number: PersonalNumber,
    /// What a registrar should look at.
    findings: Vec<Finding>,
}

/// A child is born: registers it and establishes its number at once. Sent again with the same `Idempotency-Key`, the
/// message gets the same number.
#[utoipa::path(post, path = "/api/v1/births", tag = "numbering", request_body = BirthMessage,
    responses((status = 201, body = Born, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn born(
    State(desk): State<Desk>,
    State(numbers): State<Numbers>,
    State(register): State<Register>,
    officer: Officer,
    Write { stamp, body }: Write<BirthMessage>,
) -> Answered {
    let mut told = None;
    let done = desk
        .write(officer.clone(), stamp, async |deed| {
            let born = register_birth(deed, &numbers, &register, &body).await;
            told = born.as_ref().err().and_then(BirthError::tells_of);
            born
        })
        .await;
    // The refused deed is undone, and with it what it recorded: a refusal that tells of a person is a record about that
    // person all the same.
    if let (Err(problem), Some(person)) = (&done, told) {
        let mut deed = desk.deeds().open(officer).await?;
        let entry = Entry::new(Action::PersonFound, Object::Person(person), Purpose::Numbering).about(person);
        deed.enter(entry.refused(problem.code())).await?;
        deed.commit().await?;
    }
    done.map(|made| made.created("/api/v1/persons/", "person_id"))
}

async fn register_birth(
    deed: &mut Deed<Officer>,
    numbers: &Numbers,
    register: &Register,
    message: &BirthMessage,
) -> Result<Born, BirthError> {
    let declaration = Declaration {
        full_name: message.full_name.clone(),
        birth_date: message.birth_date.clone(),
        sex: message.sex.clone(),
        birth_registration: message.birth_registration.clone(),
        place_of_origin: message.place_of_origin.clone(),
        ethnic_group: message.ethnic_group.clone(),
        nationality: message.nationality.clone(),
        father: message.father.clone(),
        mother: message.mother.clone(),
        representative: message.representative.clone(),
        ..Declaration::default()
    };
    let document: Words<200> = message.registration.as_str().to_owned().try_into().unwrap_or_default();
    let evidence = Evidence {
        form: Form::BirthMessage,
        source: FactSource::CivilStatus,
        document,
        confidence: Confidence::Proved,
    };
    let (person, findings) = population::check::examine(&declaration, register.reference(), deed.today())
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
    let (id, mut all) = population::steps::enter(deed, &person, findings, evidence).await?;
    // Of a child the law asks no more than the eight groups.
    all.retain(|finding| !EXPECTED.contains(&finding.code.as_str()));
    let acknowledged = message.acknowledged.then_some(message.because.as_str());
    let personal_number = steps::establish(deed, numbers, id, acknowledged).await?;
    Ok(Born { person_id: id, personal_number, findings: all })
}

/// A child who is older is declared: the message is about newborns (due within sixty days, Law 60/2014/QH13, Art. 15).
const OLDEST: Duration = Duration::days(366);

/// What every message of birth lacks.
const EXPECTED: [&str; 2] = ["residence-missing", "head-missing"];

/// True for a mother who was dead on the day, and for a father who died more than ten months before.
fn dead_too_long(parent: &Registered, field: &str, day: time::Date) -> bool {
    let Some(died) = parent.person.died else { return false };
    let after = if field == "father" { Duration::days(300) } else { Duration::ZERO };
    match died.full() {
        Some(died) => died + after < day,
        // Of a year alone the last day is what counts for the parent.
        None => time::Date::from_ordinal_date(i32::from(died.year()) + 1, 1).is_ok_and(|next| next + after <= day),
    }
}

/// True if a parent of both is the same person, by number or, where one has none, by name.
fn same_parents(one: &population::model::Person, other: &population::model::Person) -> bool {
    let same = |a: &Option<Relative>, b: &Option<Relative>| match (a, b) {
        (Some(a), Some(b)) => match (a.personal_number, b.personal_number) {
            (Some(a), Some(b)) => a == b,
            _ => folded_name(a.full_name.as_str()) == folded_name(b.full_name.as_str()),
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
pub(super) enum BirthError {
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
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No newborn.
    #[error("born more than a year ago: a declaration (POST /api/v1/declarations), and then a number")]
    TooOld,
}

impl BirthError {
    /// The person of whom the refusal tells something.
    fn tells_of(&self) -> Option<PersonId> {
        match self {
            Self::ParentDead(_, id) | Self::ParentDiffers(_, id) | Self::Recorded { child: id, .. } => Some(*id),
            _ => None,
        }
    }
}
