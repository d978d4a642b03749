//! Merges and splits over HTTP.

use axum::extract::{FromRef, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Register;
use super::change_api::words_of;
use super::history::{Evidence, FieldChange};
use super::merge::{self, MergeError, MergeKind, Proposal, ProposedMerge};
use super::model::{Declaration, Finding};
use super::store::merge as store;
use crate::deed::{Action, Entry, Object, Purpose};
use crate::ground::ids::{MergeId, OfficerId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Answer, Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of merges and splits.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Declare), routes!(propose_merge))
        .add(Right::Officer(Permission::Declare), routes!(propose_undo))
        .add(Right::Officer(Permission::Declare), routes!(propose_split))
        .add(Right::Officer(Permission::Declare), routes!(list))
        .add(Right::Officer(Permission::Declare), routes!(read))
        .add(Right::Officer(Permission::Declare), routes!(apply))
        .add(Right::Officer(Permission::Declare), routes!(withdraw))
}

/// Two records of one person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"other": "0197a3f0-1234-7abc-8def-0123456789ab", "take": ["religion"],
    "evidence": {"form": "dc02", "source": "identity-archive", "document": "Biên bản đối chiếu 3/2026",
    "confidence": "proved"}}))]
struct Merging {
    /// The record that is merged; the one of the path survives, with its number.
    other: PersonId,
    /// Fields of the record that the survivor takes over from the other one.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    take: Vec<Words<40>>,
    /// On what it rests.
    evidence: Evidence,
}

/// A merge that was wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"evidence": {"form": "dc02", "source": "court", "document": "Quyết định 5/2026",
    "confidence": "proved"}}))]
struct MergeUndone {
    /// On what it rests.
    evidence: Evidence,
}

/// One record that holds two people's declarations.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Splitting {
    /// What the second person declares.
    declaration: Declaration,
    /// Fields of the first one's declaration that are put right; null takes one away.
    #[serde(default)]
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// On what it rests.
    evidence: Evidence,
}

/// What was proposed.
#[derive(Debug, Serialize, ToSchema)]
struct MergeProposed {
    /// Identifier of the proposal.
    merge_id: MergeId,
    /// What changes in the record that survives.
    changes: Vec<FieldChange>,
    /// What a registrar should look at in the records that would be.
    findings: Vec<Finding>,
    /// What would follow for the record that survives, where there is a number, a card or an application, as with a
    /// change.
    consequences: Vec<&'static str>,
    /// What would follow for the other record: `number-cancelled`, `cards-revoked`, `applications-ended`, or
    /// `number-restored`.
    consequences_of_other: Vec<&'static str>,
}

/// A merge or split that waits for a second officer.
#[derive(Debug, Serialize, ToSchema)]
struct MergeItem {
    /// Identifier.
    id: MergeId,
    /// What becomes of the records.
    #[schema(value_type = MergeKind)]
    kind: String,
    /// The record that survives; of a split the one that there is.
    person_id: PersonId,
    /// The other record.
    other_person_id: Option<PersonId>,
    /// The officer who proposed it.
    proposed_by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// A merge or split, as it stands.
#[derive(Serialize, ToSchema)]
struct MergeView {
    /// Identifier.
    id: MergeId,
    /// What becomes of the records.
    kind: MergeKind,
    /// The record that survives; of a split the one that there is.
    person_id: PersonId,
    /// The other record.
    other_person_id: Option<PersonId>,
    /// On what it rests.
    evidence: Evidence,
    /// What changes in the record that survives.
    changes: Vec<FieldChange>,
    /// What the second person of a split declares.
    declaration: Option<Declaration>,
    /// The officer who proposed it.
    proposed_by: OfficerId,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// `open`, `applied` or `withdrawn`.
    state: String,
    /// The officer who ended it.
    ended_by: Option<OfficerId>,
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
struct MergeApplied {
    /// The second person of a split, who has no number yet.
    second_person_id: Option<PersonId>,
}

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MergesAsked {
    /// The office; another one than the officer's own is for the national office.
    office: Option<OfficeCode>,
}

/// An officer proposes that two records are of one person: the one of the path survives with its number, the other one
/// points to it, its number is cancelled and never given again. Another officer applies it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/merges", tag = "population", request_body = Merging,
    responses((status = 201, body = MergeProposed, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn propose_merge(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<Merging>,
) -> Answered {
    let take: Vec<String> = body.take.iter().map(|field| field.as_str().to_owned()).collect();
    desk.write(officer, stamp, async |deed| {
        let evidence = body.evidence.clone();
        merge::propose_merge(deed, &register, id, body.other, &take, evidence).await.map(MergeProposed::from)
    })
    .await
    .map(|made| made.created("/api/v1/register-merges/", "merge_id"))
}

/// An officer proposes that a merge was wrong: the record of the path, which is merged, stands on its own again, with
/// its number. Another officer applies it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/merge-undoings", tag = "population", request_body = MergeUndone,
    responses((status = 201, body = MergeProposed, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn propose_undo(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<MergeUndone>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        merge::propose_undo(deed, &register, id, body.evidence.clone()).await.map(MergeProposed::from)
    })
    .await
    .map(|made| made.created("/api/v1/register-merges/", "merge_id"))
}

/// An officer proposes that a record holds two people's declarations: the second one declares anew and gets a record,
/// the first one keeps number and history. Another officer applies it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/splits", tag = "population", request_body = Splitting,
    responses((status = 201, body = MergeProposed, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn propose_split(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<Splitting>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let Splitting { declaration, fields, evidence } = &body;
        let split = merge::propose_split(deed, &register, id, declaration.clone(), fields, evidence.clone());
        split.await.map(MergeProposed::from)
    })
    .await
    .map(|made| made.created("/api/v1/register-merges/", "merge_id"))
}

/// Merges and splits that wait for a second officer, oldest first.
#[utoipa::path(get, path = "/api/v1/register-merges", tag = "population", operation_id = "list_register_merges",
    params(PageAsked, MergesAsked), responses((status = 200, body = Page<MergeItem>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<MergesAsked, MergeId>,
) -> Looked<Page<MergeItem>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter, after, .. } = listing;
    let office = filter.office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office)?;
    desk.look(officer, async |deed| {
        let rows = store::open(deed.tx(), &office, after.unwrap_or(Id::nil()), most).await?;
        let page = Page::judged(&rows, limit, |(row, holds)| item(row, *holds).map(|item| (item.id, item)))?;
        for item in &page.items {
            // A list that names persons is a record about each.
            for person in [Some(item.person_id), item.other_person_id].into_iter().flatten() {
                let entry = Entry::new(Action::PersonFound, Object::Person(person), Purpose::Update);
                deed.enter(entry.about(person).of(&office)).await?;
            }
        }
        let asked = Object::Asked("register-merges".into());
        deed.enter(Entry::new(Action::PersonsSought, asked, Purpose::Update)).await?;
        Ok::<_, MergeError>(page)
    })
    .await
}

/// A merge or split, as it stands. The reading is a record about each person.
#[utoipa::path(get, path = "/api/v1/register-merges/{id}", tag = "population", operation_id = "read_register_merge",
    responses((status = 200, body = MergeView)))]
async fn read(State(desk): State<Desk>, officer: Officer, Named(id): Named<MergeId>) -> Looked<MergeView> {
    desk.look(officer, async |deed| merge::read(deed, id).await.map(MergeView::from)).await
}

/// A second officer applies a merge or split: the records change, and what follows for numbers, applications and cards
/// with them.
#[utoipa::path(post, path = "/api/v1/register-merges/{id}/application", tag = "population",
    operation_id = "apply_register_merge", request_body = Nothing, responses((status = 200, body = MergeApplied)))]
async fn apply(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<MergeId>,
    Write { stamp, .. }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let second_person_id = Box::pin(merge::apply(deed, &register, id)).await?;
        Ok::<_, MergeError>(MergeApplied { second_person_id })
    })
    .await
}

/// A merge or split is taken back, or turned down by another officer.
#[utoipa::path(post, path = "/api/v1/register-merges/{id}/withdrawal", tag = "population",
    operation_id = "withdraw_register_merge", request_body = Nothing,
    responses((status = 204, description = "Done.")))]
async fn withdraw(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<MergeId>,
    Write { stamp, .. }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| merge::withdraw(deed, id).await).await.map(Answer::without_body)
}

impl From<Proposal> for MergeProposed {
    fn from(proposal: Proposal) -> Self {
        Self {
            merge_id: proposal.id,
            changes: proposal.changes,
            findings: proposal.findings,
            consequences: words_of(proposal.consequences),
            consequences_of_other: words_of(proposal.of_other),
        }
    }
}

/// Reads what a list shows of a row, and nothing else of one that was changed by another hand.
fn item(row: &Record, holds: bool) -> Result<MergeItem, StoreError> {
    Ok(MergeItem {
        id: Id::of(row, "id")?,
        kind: row.get("kind")?,
        person_id: Id::of(row, "person_id")?,
        other_person_id: Id::of_optional(row, "other_id")?,
        proposed_by: Id::of(row, "proposed_by")?,
        proposed_at: row.get("proposed_at")?,
        tampered: !holds,
    })
}

impl From<ProposedMerge> for MergeView {
    fn from(proposed: ProposedMerge) -> Self {
        Self {
            id: proposed.id,
            kind: proposed.kind,
            person_id: proposed.person,
            other_person_id: proposed.other,
            evidence: proposed.evidence,
            changes: proposed.changes,
            declaration: proposed.declaration,
            proposed_by: proposed.proposed.by,
            proposed_at: proposed.proposed.at,
            state: proposed.state,
            ended_by: proposed.ended.map(|ended| ended.by),
        }
    }
}
