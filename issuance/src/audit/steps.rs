//! The verb of the audit office.

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::store::{self, Question};
use crate::deed::{Action, Deed, Object, Purpose};
use crate::ground::ids::{EntryId, PersonId};
use crate::ground::{Id, Officer};
use crate::store::{Record, StoreError};

/// One record of the trail, as an auditor reads it.
pub(super) struct Row {
    pub id: EntryId,
    pub at: OffsetDateTime,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub person: Option<PersonId>,
    pub purpose: String,
    pub related: Option<String>,
    pub reason: Option<String>,
}

/// Why the trail is not read.
#[derive(Debug, Error)]
pub(super) enum AuditError {
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
/// [`AuditError::Unbounded`]
pub(super) async fn trail(deed: &mut Deed<Officer>, question: &Question) -> Result<Vec<Row>, AuditError> {
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

fn read(row: &Record) -> Result<Row, StoreError> {
    Ok(Row {
        id: Id::of(row, "id")?,
        at: row.get("at")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        object: row.get("object")?,
        person: Id::of_optional(row, "person_id")?,
        purpose: row.get("purpose")?,
        related: row.get("related")?,
        reason: row.get("reason")?,
    })
}
