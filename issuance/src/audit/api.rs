//! The audit trail over HTTP.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::steps::{self, AuditError, Row};
use super::store::{PAGE, Question};
use crate::ground::ids::{EntryId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Officer, Permission};
use crate::web::{Desk, Looked, Parameters, Right, Routes};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::ReadAudit), routes!(trail))
}

/// The rows wanted: at least one of `object`, `actor` and `person`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// `person/<id>`, `card/<id>`, `chip/<serial>`, `officer/<id>`, …: always `kind/id`.
    #[param(value_type = Option<String>)]
    object: Option<Words<100>>,
    /// `officer/<id>`, `station/<id>`, `anyone` or `service`.
    #[param(value_type = Option<String>)]
    actor: Option<Words<100>>,
    /// Everything about this person, whatever was acted on.
    #[param(value_type = Option<String>)]
    person: Option<PersonId>,
    /// Only rows with an id after this one: the `id` of the last row of the page before.
    #[param(value_type = Option<String>)]
    after: Option<EntryId>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
struct RowView {
    /// Ascends with time.
    #[schema(value_type = String)]
    id: EntryId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The caller.
    actor: String,
    /// What was done.
    action: String,
    /// What it was done to.
    object: String,
    /// The person whom it is about.
    #[schema(value_type = Option<String>)]
    person_id: Option<PersonId>,
    /// What for.
    purpose: String,
    /// A second object: the chip of an application, the order for a chip.
    related: Option<String>,
    /// An officer's own words or the code of a refusal.
    reason: Option<String>,
}

/// At most 500 rows, oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct TrailView {
    /// The rows.
    rows: Vec<RowView>,
    /// True if there may be more: ask again with `after`.
    more: bool,
}

/// Reads the audit trail of an object, of a caller or of a person: what people and stations of the auditor's own office
/// did, and what any office did to its objects and to the persons whom it registered (the national office: everything).
/// The reading is itself a row of the trail.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(Wanted), responses((status = 200, body = TrailView)))]
async fn trail(
    State(desk): State<Desk>,
    officer: Officer,
    Parameters(wanted): Parameters<Wanted>,
) -> Looked<TrailView> {
    let Wanted { object, actor, person, after } = wanted;
    let (object, actor) = (object.map(String::from), actor.map(String::from));
    let question = Question { object, actor, person, after };
    desk.look(officer, async |deed| {
        let rows = steps::trail(deed, &question).await?;
        Ok::<_, AuditError>(TrailView { more: rows.len() == PAGE, rows: rows.into_iter().map(view).collect() })
    })
    .await
}

fn view(row: Row) -> RowView {
    let Row { id, at, actor, action, object, person, purpose, related, reason } = row;
    RowView { id, at, actor, action, object, person_id: person, purpose, related, reason }
}
