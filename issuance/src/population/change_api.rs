//! Changes of the register over HTTP.

use axum::extract::{FromRef, State};
use crypto::identity::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::Register;
use super::change::{self, ChangeError, History, Wanted};
use super::history::{Event, EventKind, Evidence, FieldChange};
use super::model::Finding;
use super::store::history::{self as store, Proposed};
use crate::deed::{Action, Consequences, Entry, Object, Purpose};
use crate::ground::ids::{BatchId, ChangeId, OfficerId, PartnerId, PersonId};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::store::{Record, StoreError};
use crate::web::{Answered, Desk, Listing, Looked, Named, Nothing, Page, PageAsked, Right, Routes, Write};

/// The routes of changes. The reading of a history is a route of `applications`, since it names a case.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Desk: FromRef<S>,
    Register: FromRef<S>,
{
    Routes::new()
        .add(Right::Officer(Permission::Declare), routes!(propose))
        .add(Right::Officer(Permission::Declare), routes!(list))
        .add(Right::Officer(Permission::Declare), routes!(read))
        .add(Right::Officer(Permission::Declare), routes!(apply))
        .add(Right::Officer(Permission::Declare), routes!(withdraw))
}

/// A change that an officer proposes (form DC02).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "died", "fields": {"died": "2026-11-20"}, "evidence": {"form": "death-message",
    "source": "civil-status", "document": "Trích lục khai tử 12/2026", "confidence": "proved"}}))]
struct Change {
    /// What happened.
    kind: EventKind,
    /// Since when it is so; `dd/MM/yyyy`, `yyyy-MM-dd`, `MM/yyyy`, `yyyy-MM` or `yyyy`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    valid_from: Option<Date>,
    /// Fields of a declaration, each with what it holds from now on; null takes it away.
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
    /// On what it rests.
    evidence: Evidence,
}

/// What was proposed.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeProposed {
    /// Identifier of the proposal.
    change_id: ChangeId,
    /// Field by field, as the record holds it.
    changes: Vec<FieldChange>,
    /// What a registrar should look at in the record that would be.
    findings: Vec<Finding>,
    /// What would follow, where there is a number, a card or an application: `number-established-anew`,
    /// `card-to-be-changed`, `cards-revoked`, `applications-ended`, `applications-reopened`.
    consequences: Vec<&'static str>,
}

/// A proposal that waits for a second officer.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeItem {
    /// Identifier.
    id: ChangeId,
    /// The person.
    person_id: PersonId,
    /// What happened.
    #[schema(value_type = EventKind)]
    kind: String,
    /// The officer who proposed it.
    proposed_by: OfficerId,
    /// The partner that reported it under an agreement, which the officer signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reported_by: Option<PartnerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// True for a record that was changed by another hand: nothing of it is to be believed.
    tampered: bool,
}

/// A proposal, as it stands.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    /// Identifier.
    id: ChangeId,
    /// The person.
    person_id: PersonId,
    /// What happened.
    kind: EventKind,
    /// Since when it is so.
    #[schema(value_type = Option<String>)]
    valid_from: Option<Date>,
    /// On what it rests.
    evidence: Evidence,
    /// Field by field.
    changes: Vec<FieldChange>,
    /// The officer who proposed it.
    proposed_by: OfficerId,
    /// The partner that reported it under an agreement, which the officer signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reported_by: Option<PartnerId>,
    /// The moment.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// `open`, `applied` or `withdrawn`.
    state: String,
    /// The officer who ended it.
    ended_by: Option<OfficerId>,
}

/// An event of a person's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// 1 for the declaration, then counted up.
    ordinal: u32,
    /// What happened.
    kind: EventKind,
    /// Since when it is so.
    #[schema(value_type = Option<String>)]
    valid_from: Option<Date>,
    /// The moment from which the register says so.
    #[serde(with = "time::serde::rfc3339")]
    recorded_at: OffsetDateTime,
    /// The officer who proposed it; of a declaration the officer who entered it.
    proposed_by: OfficerId,
    /// The partner that reported it under an agreement, which the officer signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reported_by: Option<PartnerId>,
    /// The officer who applied it.
    recorded_by: OfficerId,
    /// On what it rests.
    evidence: Evidence,
    /// The record as it was declared; of the first event.
    #[schema(value_type = Option<Object>)]
    declared: Option<Value>,
    /// Field by field.
    changes: Vec<FieldChange>,
    /// Of a declaration that came with a file: which, and where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    file: Option<DeclaredInFile>,
    /// The other record of a merge or a split.
    other_person_id: Option<PersonId>,
}

/// The place of a declaration in a file.
#[derive(Debug, Serialize, ToSchema)]
struct DeclaredInFile {
    /// The file, as the register knows it.
    batch_id: BatchId,
    /// Its name.
    name: String,
    /// SHA-256 of the whole file, hexadecimal.
    sha256: String,
    /// The line, from 1; of a file with a header, that is line 1.
    line: u64,
}

/// The history of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonHistory {
    /// First event first.
    events: Vec<EventView>,
    /// For each field that holds something: the ordinal of the event that it stands on.
    stands_on: std::collections::BTreeMap<String, u32>,
}

/// Which proposals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The office; another one than the officer's own is for the national office.
    office: Option<OfficeCode>,
}

/// A correction, a move, a marriage, a death or a new determination is proposed, with its evidence. Another officer
/// applies it.
#[utoipa::path(post, path = "/api/v1/persons/{id}/changes", tag = "population", request_body = Change,
    responses((status = 201, body = ChangeProposed, description = "Made.",
        headers(("Location" = String, description = "Where it can be read.")))))]
async fn propose(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<PersonId>,
    Write { stamp, body }: Write<Change>,
) -> Answered {
    let Change { kind, valid_from, fields, evidence } = body;
    desk.write(officer, stamp, async |deed| {
        let wanted = Wanted { kind, valid_from, evidence, fields: &fields };
        let proposal = change::propose(deed, &register, id, wanted).await?;
        Ok::<_, ChangeError>(ChangeProposed {
            change_id: proposal.id,
            changes: proposal.changes,
            findings: proposal.findings,
            consequences: words_of(proposal.consequences),
        })
    })
    .await
    .map(|made| made.created("/api/v1/register-changes/", "change_id"))
}

/// Proposals that wait for a second officer, oldest first.
#[utoipa::path(get, path = "/api/v1/register-changes", tag = "population", operation_id = "list_register_changes",
    params(PageAsked, Asked), responses((status = 200, body = Page<ChangeItem>)))]
async fn list(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<Asked, ChangeId>,
) -> Looked<Page<ChangeItem>> {
    let (most, limit) = (listing.most(), listing.limit);
    let Listing { filter, after, .. } = listing;
    let office = filter.office.unwrap_or_else(|| officer.office.clone());
    officer.may_act_for(&office)?;
    desk.look(officer, async |deed| {
        let rows = store::open_changes(deed.tx(), &office, after.unwrap_or(Id::nil()), most).await?;
        let page = Page::judged(&rows, limit, |(row, holds)| item(row, *holds))?;
        // A list that names persons, and what happens to them, is a record about each.
        for one in &page.items {
            let entry = Entry::new(Action::PersonFound, Object::Person(one.person_id), Purpose::Update);
            deed.enter(entry.about(one.person_id).of(&office)).await?;
        }
        deed.enter(Entry::new(Action::PersonsSought, Object::Asked("register-changes".into()), Purpose::Update))
            .await?;
        Ok::<_, StoreError>(page)
    })
    .await
}

/// A proposal, as it stands. The reading is a record about the person.
#[utoipa::path(get, path = "/api/v1/register-changes/{id}", tag = "population", operation_id = "read_register_change",
    responses((status = 200, body = ChangeView)))]
async fn read(State(desk): State<Desk>, officer: Officer, Named(id): Named<ChangeId>) -> Looked<ChangeView> {
    desk.look(officer, async |deed| change::read(deed, id).await.map(ChangeView::from)).await
}

/// A second officer applies a proposal: the record changes, and what follows for number, applications and cards with
/// it.
#[utoipa::path(post, path = "/api/v1/register-changes/{id}/application", tag = "population",
    operation_id = "apply_register_change", request_body = Nothing,
    responses((status = 204, description = "Done.")))]
async fn apply(
    State(desk): State<Desk>,
    State(register): State<Register>,
    officer: Officer,
    Named(id): Named<ChangeId>,
    Write { stamp, .. }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| change::apply(deed, &register, id).await.map(|_| ()))
        .await
        .map(crate::web::Answer::without_body)
}

/// A proposal is taken back, or turned down by another officer.
#[utoipa::path(post, path = "/api/v1/register-changes/{id}/withdrawal", tag = "population",
    operation_id = "withdraw_register_change", request_body = Nothing,
    responses((status = 204, description = "Done.")))]
async fn withdraw(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ChangeId>,
    Write { stamp, .. }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| change::withdraw(deed, id).await)
        .await
        .map(crate::web::Answer::without_body)
}

/// What follows from a change outside the register.
pub(super) fn words_of(consequences: Consequences) -> Vec<&'static str> {
    let Consequences { died, missing, found, nationality_lost, renumbered, on_card, merged_into, restored } =
        consequences;
    let ends = consequences.ends_entitlement();
    let mut words = vec![];
    if merged_into.is_some() {
        words.push("number-cancelled");
    }
    if restored {
        words.push("number-restored");
    }
    if renumbered {
        words.push("number-established-anew");
    }
    if died || nationality_lost || merged_into.is_some() || renumbered {
        words.push("cards-revoked");
    } else if missing {
        words.push("cards-suspended");
    } else if found {
        words.push("cards-restored");
    } else if on_card {
        words.push("card-to-be-changed");
    }
    if ends {
        words.push("applications-ended");
    } else if on_card || renumbered {
        words.push("applications-reopened");
    }
    if died {
        words.push("bookings-cancelled");
    }
    words
}

fn item(row: &Record, holds: bool) -> Result<(ChangeId, ChangeItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = ChangeItem {
        id,
        person_id: Id::of(row, "person_id")?,
        kind: row.get("kind")?,
        proposed_by: Id::of(row, "proposed_by")?,
        reported_by: Id::of_optional(row, "partner_id")?,
        proposed_at: row.get("proposed_at")?,
        tampered: !holds,
    };
    Ok((id, item))
}

impl From<Proposed> for ChangeView {
    fn from(proposed: Proposed) -> Self {
        Self {
            id: proposed.id,
            person_id: proposed.person,
            kind: proposed.kind,
            valid_from: proposed.valid_from,
            evidence: proposed.evidence,
            changes: proposed.changes,
            proposed_by: proposed.proposed.by,
            reported_by: proposed.partner,
            proposed_at: proposed.proposed.at,
            state: proposed.state,
            ended_by: proposed.ended.map(|ended| ended.by),
        }
    }
}

impl From<History> for PersonHistory {
    fn from(history: History) -> Self {
        let view = |event: Event| EventView {
            ordinal: event.ordinal,
            kind: event.kind,
            valid_from: event.valid_from,
            recorded_at: event.recorded.at,
            proposed_by: event.proposed_by,
            reported_by: event.partner,
            recorded_by: event.recorded.by,
            evidence: event.evidence,
            declared: event.declared,
            changes: event.changes,
            file: event.file.map(|file| DeclaredInFile {
                batch_id: file.batch,
                name: file.name,
                sha256: hex::encode(file.digest),
                line: file.line,
            }),
            other_person_id: event.other,
        };
        Self { events: history.events.into_iter().map(view).collect(), stands_on: history.stands_on }
    }
}
