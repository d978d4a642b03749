//! SQL of merges and splits: what is proposed, and which records are merged.

use super::super::history::{Evidence, FieldChange};
use super::super::merge::{MergeKind, ProposedMerge};
use crate::ground::ids::{MergeId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Merges and splits that are proposed: each row carries a MAC.
pub const REGISTER_MERGE: Sealed = Sealed {
    table: "register_merge",
    columns: &[
        ("id", Kind::Uuid),
        ("kind", Kind::Text),
        ("person_id", Kind::Uuid),
        ("other_id", Kind::Uuid),
        ("office", Kind::Text),
        ("evidence", Kind::Json),
        ("changes", Kind::Json),
        ("declaration", Kind::Json),
        ("person_events", Kind::Integer),
        ("other_events", Kind::Integer),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("state", Kind::Text),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, kind, person_id, other_id, office, evidence, changes, declaration, person_events, other_events,
                proposed_by, proposed_at, state, ended_by, ended_at, version, mac
         from register_merge where id = $1"
    ),
    all: sql!(
        "select id, kind, person_id, other_id, office, evidence, changes, declaration, person_events, other_events,
                proposed_by, proposed_at, state, ended_by, ended_at, version, mac
         from register_merge order by id"
    ),
    set: sql!("update register_merge set version = $1, mac = $2 where id = $3"),
};

/// Keeps what an officer proposes.
pub(in crate::population) async fn propose(tx: &mut Tx, proposed: &ProposedMerge) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into register_merge (id, kind, person_id, other_id, office, evidence, changes, declaration,
                                     person_events, other_events, proposed_by, proposed_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let declaration = proposed.declaration.as_ref().map_or(Argument::Json(None), Argument::json);
    let arguments = args![
        proposed.id,
        proposed.kind.word(),
        proposed.person,
        proposed.other,
        &proposed.office,
        Argument::json(&proposed.evidence),
        Argument::json(&proposed.changes),
        declaration,
        proposed.person_events,
        proposed.other_events,
        proposed.proposed.by,
        proposed.proposed.at,
        &proposed.state
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&REGISTER_MERGE, proposed.id).await
}

/// Returns a proposed merge or split, kept from other writers.
pub(in crate::population) async fn proposed_locked(
    tx: &mut Tx,
    id: MergeId,
) -> Result<Option<ProposedMerge>, StoreError> {
    tx.sealed_locked(&REGISTER_MERGE, id).await?.map(|row| read(&row)).transpose()
}

/// Ends a proposed merge or split.
pub(in crate::population) async fn end(tx: &mut Tx, id: MergeId, state: &str, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update register_merge set state = $1, ended_by = $2, ended_at = $3 where id = $4");
    tx.change(&REGISTER_MERGE, id, sql, args![state, by.by, by.at, id]).await?;
    Ok(())
}

/// Returns a page of the open merges and splits of an office, oldest first, each with whether its row is to be
/// believed.
pub(in crate::population) async fn open(
    tx: &mut Tx,
    office: &OfficeCode,
    after: MergeId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, kind, person_id, other_id, office, evidence, changes, declaration, person_events, other_events,
                proposed_by, proposed_at, state, ended_by, ended_at, version, mac
         from register_merge where office = $1 and state = 'open' and id > $2 order by id limit $3"
    );
    tx.all_judged(&REGISTER_MERGE, sql, args![office, after, most]).await
}

/// Notes that a record is merged into another one.
pub(in crate::population) async fn merge(tx: &mut Tx, merged: PersonId, survivor: PersonId) -> Result<(), StoreError> {
    let sql = sql!("insert into merged_person (person_id, survivor_id) values ($1, $2)");
    tx.run(sql, args![merged, survivor]).await?;
    Ok(())
}

/// Notes that a record stands on its own again.
pub(in crate::population) async fn restore(tx: &mut Tx, merged: PersonId) -> Result<(), StoreError> {
    tx.run(sql!("delete from merged_person where person_id = $1"), args![merged]).await?;
    Ok(())
}

/// Returns the record into which one is merged.
///
/// # Errors
/// [`StoreError`]
pub async fn merged_into(tx: &mut Tx, id: PersonId) -> Result<Option<PersonId>, StoreError> {
    let row = tx.one(sql!("select survivor_id from merged_person where person_id = $1"), args![id]).await?;
    row.map(|row| Id::of(&row, "survivor_id")).transpose()
}

pub(in crate::population) fn read(row: &Record) -> Result<ProposedMerge, StoreError> {
    let (evidence, changes): (Evidence, Vec<FieldChange>) = (row.json("evidence")?, row.json("changes")?);
    let declaration: Option<serde_json::Value> = row.get("declaration")?;
    let declaration =
        declaration.map(serde_json::from_value).transpose().map_err(|_| row.inconsistent("declaration"))?;
    let number = |column: &str| -> Result<Option<u32>, StoreError> {
        let n: Option<i64> = row.get(column)?;
        n.map(|n| u32::try_from(n).map_err(|_| row.inconsistent(column))).transpose()
    };
    let kind: String = row.get("kind")?;
    let by: Option<OfficerId> = Id::of_optional(row, "ended_by")?;
    let at: Option<time::OffsetDateTime> = row.get("ended_at")?;
    Ok(ProposedMerge {
        id: Id::of(row, "id")?,
        kind: MergeKind::of(&kind).ok_or_else(|| row.inconsistent("kind"))?,
        person: Id::of(row, "person_id")?,
        other: Id::of_optional(row, "other_id")?,
        office: row.parsed("office")?,
        evidence,
        changes,
        declaration,
        person_events: row.number("person_events")?,
        other_events: number("other_events")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        state: row.get("state")?,
        ended: by.zip(at).map(|(by, at)| Decision { by, at }),
    })
}
