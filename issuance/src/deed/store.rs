//! SQL of the audit trail.

use time::OffsetDateTime;

use super::Entry;
use crate::ground::Caller;
use crate::ground::ids::EntryId;
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of the trail.
pub const MIGRATIONS: &[Migration] = &[migration!(1, "0001_deed_audit_entry")];

/// Inserts one record.
pub(super) async fn insert(
    tx: &mut Tx,
    id: EntryId,
    at: OffsetDateTime,
    caller: &Caller,
    entry: &Entry,
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into audit_entry (id, at, actor, office, action, object, person_id, purpose, related, reason)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ),
        args![
            id,
            at,
            caller.to_string(),
            caller.office().map(ToString::to_string),
            entry.action.word(),
            entry.object.to_string(),
            entry.person,
            entry.purpose.word(),
            entry.related.as_ref().map(ToString::to_string),
            entry.reason.as_deref()
        ],
    )
    .await?;
    Ok(())
}
