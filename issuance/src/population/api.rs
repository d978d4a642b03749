//! The register over HTTP.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::model::{Claim, Declaration, Finding, Person, Registered};
use super::{PopulationError, Register, steps};
use crate::deed::Occasion;
use crate::ground::ids::PersonId;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::web::{Answered, Desk, Looked, Named, OccasionAsked, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Declare), routes!(declare))
        .add(Right::Officer(Permission::ReadPerson), routes!(read))
        .add(Right::Officer(Permission::ReadPerson), routes!(read_by_claim))
}

/// A person was registered.
#[derive(Debug, Serialize, ToSchema)]
struct Declared {
    /// The register's own id.
    person_id: PersonId,
    /// What the registrar should look at.
    findings: Vec<Finding>,
}

/// A person of the register.
#[derive(Debug, Serialize, ToSchema)]
struct PersonView {
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
}

/// A declaration (form DC01) enters the register.
#[utoipa::path(post, path = "/api/declarations", tag = "population", request_body = Declaration,
    responses((status = 201, body = Declared, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn declare(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Write { stamp, body }: Write<Declaration>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (person_id, findings) = steps::declare(deed, &register, &body).await?;
        Ok::<_, PopulationError>(Declared { person_id, findings })
    })
    .await
    .map(|made| made.created("/api/persons/", "person_id"))
}

/// A person, as registered.
#[utoipa::path(get, path = "/api/persons/{id}", tag = "population", params(OccasionAsked),
    responses((status = 200, body = PersonView)))]
async fn read(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
) -> Looked<PersonView> {
    desk.look(officer, async |deed| steps::read(deed, id, occasion).await.map(view)).await
}

/// The citizen is at the counter of an office that neither registered the citizen nor has a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// What the citizen tells: a number with date of birth and name. A card with a chip is claimed with an application.
    claim: Claim,
}

/// A person, as registered, shown once to an officer of any office by a claim of the citizen: no right to read again
/// follows from it.
#[utoipa::path(post, path = "/api/persons/{id}/reading", tag = "population", params(OccasionAsked),
    request_body = Shown, responses((status = 200, body = PersonView)))]
async fn read_by_claim(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<PersonId>,
    occasion: Occasion,
    Write { stamp, body }: Write<Shown>,
) -> Answered {
    claimed(&desk, &officer, id, async || {
        desk.write(officer.clone(), stamp, async |deed| {
            steps::read_by_claim(deed, id, &body.claim, occasion).await.map(view)
        })
        .await
    })
    .await
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

fn view(registered: Registered) -> PersonView {
    let Registered { id, office, person, findings, personal_number } = registered;
    PersonView { person_id: id, office, personal_number, person, findings }
}
