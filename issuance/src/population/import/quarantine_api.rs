//! The quarantine over HTTP.

use std::collections::BTreeMap;

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::super::Register;
use super::super::model::Finding;
use super::super::store::import::Quarantined;
use super::quarantine::{self, QuarantineError};
use crate::ground::ids::{BatchId, PersonId, QuarantinedId};
use crate::ground::text::Words;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::StoreError;
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of the quarantine.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Declare), routes!(list))
        .add(Right::Officer(Permission::Declare), routes!(read))
        .add(Right::Officer(Permission::Declare), routes!(correct))
        .add(Right::Officer(Permission::Declare), routes!(replay))
        .add(Right::Officer(Permission::Declare), routes!(dismiss))
}

/// A row of a file that waits for an officer; without what was declared.
#[derive(Debug, Serialize, ToSchema)]
struct QuarantineItem {
    /// Identifier.
    id: QuarantinedId,
    /// The file.
    batch_id: BatchId,
    /// The line, from 1.
    line: u64,
    /// Why it waits.
    findings: Vec<Finding>,
}

/// A row of a file that waits, or waited, for an officer.
#[derive(Debug, Serialize, ToSchema)]
struct QuarantineView {
    /// Identifier.
    id: QuarantinedId,
    /// The file.
    batch_id: BatchId,
    /// The line, from 1.
    line: u64,
    /// The office whose person it declares.
    office: OfficeCode,
    /// What was declared, or corrected since: the fields of a declaration, and `form`, `declared_on` and
    /// `personal_number`.
    #[schema(value_type = Object)]
    declaration: Value,
    /// The row, where it could not be read.
    raw: Option<String>,
    /// Why it waits.
    findings: Vec<Finding>,
    /// `waiting`, `replayed`, `dropped`, or `replaced` by a mended row of another file.
    state: String,
    /// The person who was made of it.
    person_id: Option<PersonId>,
}

/// What a row is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"columns": {"birth_date": "25/12/1980"}}))]
struct RowCorrection {
    /// Columns of a file (`father.full_name`), each with the text that it is to hold.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    columns: BTreeMap<String, Words<8192>>,
}

/// What is said of a row that was corrected.
#[derive(Debug, Serialize, ToSchema)]
struct RowJudgement {
    /// What keeps it out of the register still; nothing: it can be replayed.
    against: Vec<Finding>,
    /// What the registrar should look at in the person who would be made of it.
    findings: Vec<Finding>,
}

/// A row became a person.
#[derive(Debug, Serialize, ToSchema)]
struct RowReplayed {
    /// The register's own id.
    person_id: PersonId,
    /// What the registrar should look at.
    findings: Vec<Finding>,
}

/// Why a row is dropped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "declared at the counter meanwhile"}))]
struct RowDismissal {
    /// The officer's own words; no personal data.
    #[schema(value_type = String, max_length = 200)]
    reason: Words<200>,
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RowsAsked {
    /// The office; another one than the officer's own is for the national office.
    office: Option<OfficeCode>,
}

/// Rows of imported files that wait for an officer, oldest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "population", operation_id = "list_quarantine",
    params(PageAsked, RowsAsked), responses((status = 200, body = Page<QuarantineItem>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<RowsAsked, QuarantinedId>,
) -> Looked<Page<QuarantineItem>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter, after, .. } = listing;
    let office = filter.office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office)?;
    desk.look(officer, async |deed| {
        let rows = quarantine::list(deed, &office, after.unwrap_or(Id::nil()), most).await?;
        let item = |row: Quarantined| {
            let Quarantined { id, batch, line, findings, .. } = row;
            (id, QuarantineItem { id, batch_id: batch, line, findings })
        };
        Ok::<_, StoreError>(Page::of(rows.into_iter().map(item).collect(), limit))
    })
    .await
}

/// A row, with what was declared. The reading is recorded.
#[utoipa::path(get, path = "/api/v1/quarantine/{id}", tag = "population", operation_id = "read_quarantined",
    responses((status = 200, body = QuarantineView)))]
async fn read(State(desk): State<Desk>, officer: Officer, Named(id): Named<QuarantinedId>) -> Looked<QuarantineView> {
    desk.look(officer, async |deed| quarantine::read(deed, id).await.map(QuarantineView::from)).await
}

/// A row is corrected and judged again. It enters the register when it is replayed.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/correction", tag = "population",
    operation_id = "correct_quarantined", request_body = RowCorrection,
    responses((status = 200, body = RowJudgement)))]
async fn correct(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<QuarantinedId>,
    Write { stamp, body }: Write<RowCorrection>,
) -> Answered {
    let columns = body.columns.into_iter().map(|(name, text)| (name, text.as_str().to_owned())).collect();
    desk.write(officer, stamp, async |deed| {
        let judgement = quarantine::correct(deed, &register, id, &columns, None).await?;
        Ok::<_, QuarantineError>(RowJudgement { against: judgement.against, findings: judgement.findings })
    })
    .await
}

/// A row against which nothing stands any more enters the register.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/replay", tag = "population",
    operation_id = "replay_quarantined", request_body = Nothing,
    responses((status = 201, body = RowReplayed, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn replay(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<QuarantinedId>,
    Write { stamp, .. }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let (person_id, findings) = quarantine::replay(deed, &register, id, None).await?;
        Ok::<_, QuarantineError>(RowReplayed { person_id, findings })
    })
    .await
    .map(|made| made.created("/api/v1/persons/", "person_id"))
}

/// A row is dropped: it was entered another way, or is no declaration.
#[utoipa::path(post, path = "/api/v1/quarantine/{id}/dismissal", tag = "population",
    operation_id = "dismiss_quarantined", request_body = RowDismissal,
    responses((status = 204, description = "Done.")))]
async fn dismiss(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<QuarantinedId>,
    Write { stamp, body }: Write<RowDismissal>,
) -> Answered {
    desk.write(officer, stamp, async |deed| quarantine::dismiss(deed, &register, id, body.reason.as_str()).await)
        .await
        .map(crate::web::Answer::without_body)
}

impl From<Quarantined> for QuarantineView {
    fn from(row: Quarantined) -> Self {
        let Quarantined { id, batch, line, office, declaration, raw, findings, state, person, .. } = row;
        Self { id, batch_id: batch, line, office, declaration, raw, findings, state, person_id: person }
    }
}
