//! The verb of the audit office.

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::store::{self, Question};
use crate::deed::{Action, Deed, Object, Purpose};
use crate::ground::ids::{EntryId, OfficerId, PersonId};
use crate::ground::{Id, Officer};
use crate::store::{Record, StoreError, Tx};

/// One record of the trail, as an auditor reads it.
pub(crate) struct Row {
    pub id: EntryId,
    pub at: OffsetDateTime,
    pub actor: String,
    /// The office of the caller, where it was asked for.
    pub office: Option<String>,
    pub acting_for: Option<OfficerId>,
    pub action: String,
    pub object: String,
    pub person: Option<PersonId>,
    pub purpose: String,
    pub related: Option<String>,
    pub reason: Option<String>,
}

/// Why the trail is not read.
#[derive(Debug, Error)]
pub(crate) enum AuditError {
    /// A name that no record has.
    #[error(
        "an object is named kind/id (application/<id>, card/<id>, chip/<serial>, officer/<id>, person/<id>, \
         station/<id>, …), an actor officer/<id>, station/<id>, citizen/<id>, anyone or service"
    )]
    Form,
    /// A question about everything.
    #[error("a question names an object, an actor or a person, or `from` and `to` at most 31 days apart")]
    Unbounded,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A question that names nothing else is about so long a time at most.
const LONGEST: Duration = Duration::days(31);

/// Reads a page of the trail. The reading is itself a record.
///
/// # Errors
/// [`AuditError::Unbounded`]; [`AuditError::Form`], since an empty answer would say that nothing happened.
pub(super) async fn trail(deed: &mut Deed<Officer>, question: &Question) -> Result<Vec<Row>, AuditError> {
    let object_fits = question.object.as_deref().is_none_or(is_object);
    if !object_fits || !question.actor.as_deref().is_none_or(is_actor) {
        return Err(AuditError::Form);
    }
    let subject = match (&question.object, &question.actor, question.person) {
        (Some(object), ..) => Object::Asked(object.clone()),
        (None, _, Some(person)) => Object::Person(person),
        (None, Some(actor), None) => Object::Trail(actor.clone()),
        (None, None, None) => match (question.from, question.to) {
            (Some(from), Some(to)) if from <= to && to - from <= LONGEST => Object::Trail(format!("{from}/{to}")),
            _ => return Err(AuditError::Unbounded),
        },
    };
    let office = deed.actor().office.clone();
    let rows = store::trail(deed.tx(), question, &office).await?;
    deed.record(Action::AuditRead, subject, question.person, Purpose::Audit).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Returns who looked at a person's data, the newest first: `most` records before this one. Seen by the auditors who
/// see the person's trail ([`trail`]). The reading is itself a record.
///
/// # Errors
/// [`AuditError::Store`]
pub(crate) async fn looks_at(
    deed: &mut Deed<Officer>,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
) -> Result<Vec<Row>, AuditError> {
    let office = deed.actor().office.clone();
    let rows = store::looks_at(deed.tx(), person, before, most, &office).await?;
    deed.record(Action::AuditRead, Object::Person(person), Some(person), Purpose::Audit).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Returns who looked at a person's data, of all offices and partners, the newest first: `most` records before this
/// one. For what the person is told; the caller records it.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn looks_about(
    tx: &mut Tx,
    person: PersonId,
    before: Option<EntryId>,
    most: i64,
) -> Result<Vec<Row>, StoreError> {
    let rows = store::looks_about(tx, person, before, most).await?;
    rows.iter().map(|row| Ok(Row { office: row.get("office")?, ..read(row)? })).collect()
}

/// Returns the record of one look at a person's data, by any caller. For what the person is
/// told; the caller records it.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn look_about(tx: &mut Tx, person: PersonId, id: EntryId) -> Result<Option<Row>, StoreError> {
    let row = store::look_about(tx, person, id).await?;
    row.map(|row| Ok(Row { office: row.get("office")?, ..read(&row)? })).transpose()
}

/// True for a text of the form in which the trail names objects.
fn is_object(text: &str) -> bool {
    let Some((kind, id)) = text.split_once('/') else { return text == "officer-proposals" };
    !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !id.is_empty()
}

/// True for a text of the form in which the trail names callers.
fn is_actor(text: &str) -> bool {
    let id = ["citizen/", "officer/", "station/", "partner/"].iter().find_map(|kind| text.strip_prefix(kind));
    id.is_some_and(|id| !id.is_empty()) || ["anyone", "service"].contains(&text)
}

fn read(row: &Record) -> Result<Row, StoreError> {
    Ok(Row {
        id: Id::of(row, "id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        office: None,
        acting_for: Id::of_optional(row, "acting_for")?,
        action: row.get("action")?,
        object: row.get("object")?,
        person: Id::of_optional(row, "person_id")?,
        purpose: row.get("purpose")?,
        related: row.get("related")?,
        reason: row.get("reason")?,
    })
}
