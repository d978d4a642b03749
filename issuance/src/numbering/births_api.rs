//! Messages of birth over HTTP.

use axum::extract::{FromRef, State};
use crypto::identity::PersonalNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Numbers;
use super::births::{self, Birth, BirthError};
use super::leases::OfLease;
use crate::deed::{Action, Entry, Object, Purpose};
use crate::ground::ids::{LeaseId, PersonId};
use crate::ground::text::{MOST_OF_REASON, SomeWords, Words};
use crate::ground::{Officer, Permission};
use crate::population::Register;
use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative, Finding};
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
    /// The number that a birth desk or an offline station gave the child already; without it the service gives one.
    #[serde(default)]
    of_lease: Option<LeasedNumber>,
    /// The officer knows what speaks against a number, and answers for it.
    #[serde(default)]
    acknowledged: bool,
    /// Why it is right all the same, at most 400 characters; for the audit trail.
    #[serde(default)]
    #[schema(value_type = String)]
    because: Words<MOST_OF_REASON>,
}

/// A number of a lease.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LeasedNumber {
    /// The lease.
    lease_id: LeaseId,
    /// One of its unused numbers, twelve digits.
    #[schema(value_type = String)]
    personal_number: PersonalNumber,
}

impl BirthMessage {
    /// The eight groups, as a declaration.
    fn declaration(&self) -> Declaration {
        Declaration {
            full_name: self.full_name.clone(),
            birth_date: self.birth_date.clone(),
            sex: self.sex.clone(),
            birth_registration: self.birth_registration.clone(),
            place_of_origin: self.place_of_origin.clone(),
            ethnic_group: self.ethnic_group.clone(),
            nationality: self.nationality.clone(),
            father: self.father.clone(),
            mother: self.mother.clone(),
            representative: self.representative.clone(),
            ..Declaration::default()
        }
    }
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
            let acknowledged = body.acknowledged.then_some(body.because.as_str());
            let leased = body.of_lease.map(|one| OfLease { lease: one.lease_id, number: one.personal_number });
            let declaration = &body.declaration();
            let office = deed.actor().office.clone();
            let (registration, kept_by) = (&body.registration, office.as_str());
            let birth = Birth { declaration, registration, kept_by, acknowledged, reported_by: None, leased };
            let born = births::register(deed, &numbers, &register, &birth).await;
            told = born.as_ref().err().and_then(BirthError::tells_of);
            born.map(|(person_id, personal_number, findings)| Born { person_id, personal_number, findings })
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
