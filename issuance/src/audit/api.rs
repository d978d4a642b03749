//! The audit trail over HTTP.

use axum::extract::{FromRef, State};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::steps::{self, AuditError, Row};
use super::store::Question;
use crate::ground::ids::{EntryId, OfficerId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Officer, Permission};
use crate::web::{Desk, Listing, Looked, Page, PageAsked, Problem, Right, Routes};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
{
    Routes::new().add(Right::Officer(Permission::ReadAudit), routes!(trail))
}

/// The rows wanted: of an object, an actor or a person, or of at most 31 days.
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
    #[param(value_type = Option<PersonId>)]
    person: Option<PersonId>,
    /// From this moment on (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Words<40>>,
    /// Before this moment (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Words<40>>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
struct RowView {
    /// Ascends with time.
    id: EntryId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The caller.
    actor: String,
    /// The officer for whom the caller acted, who stood in for that one.
    acting_for: Option<OfficerId>,
    /// What was done.
    action: String,
    /// What it was done to.
    object: String,
    /// The person whom it is about.
    person_id: Option<PersonId>,
    /// What for.
    purpose: String,
    /// A second object: the chip of an application, the order for a chip.
    related: Option<String>,
    /// An officer's own words or the code of a refusal.
    reason: Option<String>,
}

/// Reads the audit trail of an object, of a caller, of a person or of a time: what people and stations of the auditor's
/// own office did, and what any office did to its objects and to the persons whom it registered (the national office:
/// everything). Oldest first. The reading is itself a row of the trail.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(PageAsked, Wanted),
    responses((status = 200, body = Page<RowView>)))]
async fn trail(State(desk): State<Desk>, officer: Officer, listing: Listing<Wanted, EntryId>) -> Looked<Page<RowView>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter: Wanted { object, actor, person, from, to }, after, .. } = listing;
    let (object, actor) = (object.map(String::from), actor.map(String::from));
    let question = Question { object, actor, person, from: moment(from)?, to: moment(to)?, after, most };
    desk.look(officer, async |deed| {
        let rows = steps::trail(deed, &question).await?;
        Ok::<_, AuditError>(Page::of(rows.into_iter().map(|row| (row.id, view(row))).collect(), limit))
    })
    .await
}

fn moment(text: Option<Words<40>>) -> Result<Option<OffsetDateTime>, Problem> {
    let malformed = |_| Problem::new(ProblemCode::QueryMalformed).detail("`from` and `to` are moments of RFC 3339");
    text.map(|text| OffsetDateTime::parse(text.as_str(), &Rfc3339)).transpose().map_err(malformed)
}

fn view(row: Row) -> RowView {
    let Row { id, at, actor, acting_for, action, object, person, purpose, related, reason, .. } = row;
    RowView { id, at, actor, acting_for, action, object, person_id: person, purpose, related, reason }
}
