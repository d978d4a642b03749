//! The register over HTTP.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::duplicates_api::DuplicateView;
use super::model::{Declaration, Finding, Person, Registered};
use super::steps::Entered;
use super::{PopulationError, Register, steps};
use crate::ground::ids::PersonId;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Right, Routes, Write};

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
pub(crate) async fn claimed(
    desk: &Desk,
    officer: &Officer,
    person: PersonId,
    verb: impl AsyncFnOnce() -> Answered,
) -> Answered {
    steps::begin_claim(desk.deeds(), officer.id).await?;
    let done = verb().await;
    let wrong = done.as_ref().is_err_and(|problem| problem.code() == ProblemCode::ClaimMismatch);
    steps::claim_judged(desk.deeds(), officer, person, !wrong).await?;
    done
}

impl From<Registered> for PersonView {
    fn from(registered: Registered) -> Self {
        let Registered { id, office, person, findings, personal_number, merged_into } = registered;
        Self { person_id: id, office, personal_number, person, findings, merged_into }
    }
}
