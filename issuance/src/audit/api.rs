//! The audit trail over HTTP. Who reads it is in it.

use axum::Json;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{record, store};
use crate::access::Officer;
use crate::app::App;
use crate::http::{Problem, Read};
use crate::store::{Record, StoreError};

/// What this office answers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(trail))
}

/// Which rows: at least one of `object` and `actor`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Which {
    /// `person/<id>`, `card/<id>`, `chip/<serial>`, `officer/<id>`, …
    object: Option<String>,
    /// `officer/<id>` or `station/<id>`.
    actor: Option<String>,
    /// Only rows with an id after this one: the `id` of the last row of the page before.
    after: Option<String>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
struct RowView {
    /// Ascends with time.
    id: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Who.
    actor: String,
    /// What.
    action: String,
    /// To which object.
    object: String,
    /// For what purpose.
    purpose: String,
}

/// At most 500 rows, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct TrailView {
    /// The rows.
    rows: Vec<RowView>,
    /// True if there may be more: ask again with `after`.
    more: bool,
}

/// Reads the audit trail of an object or of an actor: what people and stations of the auditor's own office did (the national
/// office: everybody). The reading is itself a row of the trail.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(Which), responses((status = 200, body = TrailView)))]
async fn trail(
    State(app): State<App>,
    officer: Officer,
    which: Result<Query<Which>, QueryRejection>,
) -> Read<TrailView> {
    let asked = "Ask with object=…, actor=… or both.";
    let unfit = |_| Problem::new(StatusCode::BAD_REQUEST, "query-malformed", asked);
    let Query(which) = which.map_err(unfit)?;
    let subject = match (&which.object, &which.actor) {
        (Some(object), _) => object.clone(),
        (None, Some(actor)) => format!("trail-of/{actor}"),
        (None, None) => return Err(Problem::new(StatusCode::BAD_REQUEST, "query-malformed", asked)),
    };
    let mut tx = app.begin().await?;
    let [object, actor, after] = [which.object, which.actor, which.after].map(Option::unwrap_or_default);
    let rows = store::trail(&mut tx, &object, &actor, &after, &officer.office).await?;
    record(&mut tx, &app, &officer, "audit-read", &subject, "audit").await?;
    tx.commit().await?;
    let rows = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(TrailView { more: rows.len() == 500, rows }))
}

fn view(row: &Record) -> Result<RowView, StoreError> {
    Ok(RowView {
        id: row.get("id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        object: row.get("object")?,
        purpose: row.get("purpose")?,
    })
}
