//! The register over HTTP.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::duplicates_api::DuplicateView;
use super::model::{Declaration, Finding, Person, Registered};
use super::reference::{Reference, Table};
use super::steps::Entered;
use super::{PopulationError, Register, steps};
use crate::ground::ids::PersonId;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Problem, Right, Routes, Write};

/// The routes of this office. The reading of a person is a route of `applications`, since it names a case.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Declare), routes!(declare))
        .merge(super::change_api::routes())
        .merge(super::import::routes())
        .merge(super::merge_api::routes())
        .merge(super::duplicates_api::routes())
        .merge(super::quality_api::routes())
}

/// A person was registered.
#[derive(Debug, Serialize, ToSchema)]
struct Declared {
    /// The register's own id.
    person_id: PersonId,
    /// What the registrar should look at.
    findings: Vec<Finding>,
    /// Persons who are probably the same one, best first.
    duplicates: Vec<DuplicateView>,
}

/// A person of the register.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonView {
    /// The register's own id.
    person_id: PersonId,
    /// Office that registered the person.
    office: OfficeCode,
    /// The number for life, once established.
    #[schema(value_type = Option<String>)]
    personal_number: Option<crypto::identity::PersonalNumber>,
    /// The fields of Law 59/2014, Art. 9(1).
    #[schema(value_type = Object)]
    person: Person,
    /// What the registrar should look at.
    findings: Vec<Finding>,
    /// The record of the same person into which this one was merged: go on with that one.
    merged_into: Option<PersonId>,
    /// Units of the person's places that ended since they were declared. The places keep them.
    ended_units: Vec<EndedUnit>,
}

/// A unit that ended, and the one that took its place.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedUnit {
    /// Field that holds the unit (`permanent_residence.commune`).
    field: String,
    /// Its code.
    code: String,
    /// Its name in Vietnamese.
    name_vi: String,
    /// The first day on which it was no more, yyyy-MM-dd.
    ended: String,
    /// The code that is in its place today.
    successor: String,
    /// The name of that in Vietnamese.
    successor_name_vi: String,
}

/// A declaration (form DC01) enters the register.
#[utoipa::path(post, path = "/api/v1/declarations", tag = "population", request_body = Declaration,
    responses((status = 201, body = Declared, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn declare(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Write { stamp, body }: Write<Declaration>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let Entered { id, findings, duplicates } = steps::enter_declaration(deed, &register, &body).await?;
        let duplicates = duplicates.into_iter().map(DuplicateView::from).collect();
        Ok::<_, PopulationError>(Declared { person_id: id, findings, duplicates })
    })
    .await
    .map(|made| made.created("/api/v1/persons/", "person_id"))
}

/// Runs a verb that takes a claim of the citizen: counted before, and taken back unless the claim was wrong.
///
/// # Errors
/// [`PopulationError::ClaimTooSoon`]; what the verb says.
pub(crate) async fn claimed<T>(
    desk: &Desk,
    officer: &Officer,
    person: PersonId,
    verb: impl AsyncFnOnce() -> Result<T, Problem>,
) -> Result<T, Problem> {
    steps::begin_claim(desk.deeds(), officer.id).await?;
    let done = verb().await;
    let wrong = done.as_ref().is_err_and(|problem| problem.code() == ProblemCode::ClaimMismatch);
    steps::claim_judged(desk.deeds(), officer, person, !wrong).await?;
    done
}

impl PersonView {
    /// The person as seen on a day.
    pub(crate) fn of(registered: Registered, register: &Register, today: time::Date) -> Self {
        let ended_units = ended_units(&registered.person, register.reference(), today);
        let Registered { id, office, person, findings, personal_number, merged_into } = registered;
        Self { person_id: id, office, personal_number, person, findings, merged_into, ended_units }
    }
}

fn ended_units(person: &Person, reference: &Reference, today: time::Date) -> Vec<EndedUnit> {
    let places = [
        ("birth_registration", Some(&person.birth_registration)),
        ("place_of_origin", Some(&person.place_of_origin)),
        ("permanent_residence", person.permanent_residence.as_ref()),
        ("temporary_residence", person.temporary_residence.as_ref()),
        ("current_residence", person.current_residence.as_ref()),
    ];
    let mut found = vec![];
    for (field, place) in places {
        let Some(place) = place else { continue };
        for (table, code, ended, successor) in place.ended(reference, today) {
            let name = |code: &str| reference.unit(table, code, today).map_or("", |unit| unit.name).to_owned();
            let part = match table {
                Table::Provinces => "province",
                Table::Districts => "district",
                _ => "commune",
            };
            found.push(EndedUnit {
                field: format!("{field}.{part}"),
                name_vi: name(&code),
                code,
                ended: ended.to_string(),
                successor: successor.to_owned(),
                successor_name_vi: name(successor),
            });
        }
    }
    found
}
