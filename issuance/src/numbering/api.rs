//! Numbers over HTTP.

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::steps;
use crate::access::Officer;
use crate::app::App;
use crate::http::{Answer, Problem, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(establish))
}

/// Nothing to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The number for life.
#[derive(Debug, Serialize, ToSchema)]
struct Established {
    /// Twelve digits.
    #[schema(value_type = String)]
    personal_number: crypto::identity::PersonalNumber,
}

/// Establishes a person's number for life; who has one keeps it.
#[utoipa::path(post, path = "/api/persons/{id}/number", tag = "numbering", request_body = Nothing,
    responses((status = 200, body = Established)))]
async fn establish(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        let personal_number = steps::establish(tx, &app, &officer, &id).await?;
        Ok(Established { personal_number })
    })
    .await
}
