//! The register over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Declaration, Finding, Person};
use super::steps;
use crate::access::Officer;
use crate::app::App;
use crate::http::{Answer, Problem, Read, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(declare)).routes(routes!(read))
}

/// A person was registered.
#[derive(Debug, Serialize, ToSchema)]
struct Declared {
    /// The register's own id.
    person_id: String,
    /// What someone should look at.
    findings: Vec<Finding>,
}

/// A person of the register.
#[derive(Debug, Serialize, ToSchema)]
struct PersonView {
    /// The register's own id.
    person_id: String,
    /// Office that registered the person.
    office: String,
    /// The number for life, once established.
    #[schema(value_type = Option<String>)]
    personal_number: Option<crypto::identity::PersonalNumber>,
    /// The fields of Law 59/2014, Art. 9(1).
    #[schema(value_type = Object)]
    person: Person,
    /// What someone should look at.
    findings: Vec<Finding>,
}

/// A declaration (form DC01) enters the register.
#[utoipa::path(post, path = "/api/declarations", tag = "population", request_body = Declaration,
    responses((status = 200, body = Declared)))]
async fn declare(
    State(app): State<App>,
    officer: Officer,
    Write { stamp, body }: Write<Declaration>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let (person_id, findings) = steps::declare(tx, &app, &officer, &body).await?;
        Ok(Declared { person_id, findings })
    })
    .await
}

/// A person, as registered.
#[utoipa::path(get, path = "/api/persons/{id}", tag = "population", responses((status = 200, body = PersonView)))]
async fn read(State(app): State<App>, officer: Officer, Path(id): Path<String>) -> Read<PersonView> {
    let mut tx = app.begin().await?;
    let found = steps::read(&mut tx, &app, &officer, &id).await?;
    tx.commit().await?;
    Ok(Json(PersonView {
        person_id: found.id,
        office: found.office.to_string(),
        personal_number: found.personal_number,
        person: found.person,
        findings: found.findings,
    }))
}
