//! Sessions, officers, stations over HTTP.

use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Officer, OfficerId};
use super::store;
use crate::app::App;
use crate::audit;
use crate::http::{Answer, Problem, Write};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(disable_officer))
}

/// Body of a disablement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Disablement {
    /// Why.
    reason: String,
}

/// An officer, as administrators see them.
#[derive(Debug, Serialize, ToSchema)]
struct OfficerView {
    /// Identifier.
    id: OfficerId,
}

/// Ends an officer's access at once, sessions included.
#[utoipa::path(post, path = "/api/officers/{id}/disablement", tag = "access", request_body = Disablement,
    responses((status = 200, body = OfficerView)))]
async fn disable_officer(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<OfficerId>,
    Write { stamp, body }: Write<Disablement>,
) -> Result<Answer, Problem> {
    app.write(&officer, stamp, async |tx| {
        store::disable_officer(tx, &app, &id).await?;
        audit::record(tx, &app, &officer, "officer-disabled", &format!("officer/{id}"), &body.reason).await?;
        Ok(OfficerView { id })
    })
    .await
}
