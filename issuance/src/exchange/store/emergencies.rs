//! SQL of looks in emergencies.

use time::OffsetDateTime;

use crate::exchange::emergencies::{EmergencyLook, Justification, Review};
use crate::ground::ids::{EmergencyLookId, OfficerId};
use crate::ground::{Decision, Id};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Looks in emergencies carry a MAC: one that another hand called reviewed would be reviewed by none.
pub const EMERGENCY_LOOK: Sealed = Sealed {
    table: "emergency_look",
    columns: &[
        ("id", Kind::Uuid),
        ("officer_id", Kind::Uuid),
        ("office", Kind::Text),
        ("person_id", Kind::Uuid),
        ("reason", Kind::Text),
        ("case_number", Kind::Text),
        ("opened_at", Kind::Moment),
        ("until_at", Kind::Moment),
        ("due_at", Kind::Moment),
        ("reviewed_by", Kind::Uuid),
        ("reviewed_at", Kind::Moment),
        ("verdict", Kind::Text),
        ("remarks", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, officer_id, office, person_id, reason, case_number, opened_at, until_at, due_at, reviewed_by,
                reviewed_at, verdict, remarks, version, mac
         from emergency_look where id = $1"
    ),
    all: sql!(
        "select id, officer_id, office, person_id, reason, case_number, opened_at, until_at, due_at, reviewed_by,
                reviewed_at, verdict, remarks, version, mac
         from emergency_look order by id"
    ),
    set: sql!("update emergency_look set version = $1, mac = $2 where id = $3"),
};

/// Inserts a look.
pub(in crate::exchange) async fn insert(tx: &mut Tx, look: &EmergencyLook) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into emergency_look (id, officer_id, office, person_id, reason, case_number, opened_at, until_at,
                                     due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    let EmergencyLook { id, officer, office, person, reason, case, opened_at, until, due, .. } = look;
    tx.run(sql, args![*id, *officer, office, *person, reason, case, *opened_at, *until, *due]).await?;
    tx.seal(&EMERGENCY_LOOK, *id).await
}

/// Returns a look.
pub(in crate::exchange) async fn one(tx: &mut Tx, id: EmergencyLookId) -> Result<Option<EmergencyLook>, StoreError> {
    tx.sealed(&EMERGENCY_LOOK, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a look, kept from other writers.
pub(in crate::exchange) async fn locked(tx: &mut Tx, id: EmergencyLookId) -> Result<Option<EmergencyLook>, StoreError> {
    tx.sealed_locked(&EMERGENCY_LOOK, id).await?.map(|row| read(&row)).transpose()
}

/// Returns how many looks of an officer wait for their review, as far as `most`.
pub(in crate::exchange) async fn waiting_of(tx: &mut Tx, officer: OfficerId, most: u32) -> Result<usize, StoreError> {
    let sql = sql!("select id from emergency_look where officer_id = $1 and reviewed_at is null limit $2");
    Ok(tx.all(sql, args![officer, i64::from(most)]).await?.len())
}

/// Returns the looks after this one that wait for a review, the oldest first, each with whether its MAC holds.
pub(in crate::exchange) async fn waiting(
    tx: &mut Tx,
    after: EmergencyLookId,
    most: i64,
) -> Result<Vec<(EmergencyLook, bool)>, StoreError> {
    let sql = sql!(
        "select id, officer_id, office, person_id, reason, case_number, opened_at, until_at, due_at, reviewed_by,
                reviewed_at, verdict, remarks, version, mac
         from emergency_look where reviewed_at is null and id > $1 order by id limit $2"
    );
    let rows = tx.all_judged(&EMERGENCY_LOOK, sql, args![after, most]).await?;
    rows.iter().map(|(row, holds)| Ok((read(row)?, *holds))).collect()
}

/// Writes what came of a review.
pub(in crate::exchange) async fn review(tx: &mut Tx, id: EmergencyLookId, review: &Review) -> Result<(), StoreError> {
    let sql =
        sql!("update emergency_look set reviewed_by = $1, reviewed_at = $2, verdict = $3, remarks = $4 where id = $5");
    let Review { by, verdict, remarks } = review;
    tx.change(&EMERGENCY_LOOK, id, sql, args![by.by, by.at, verdict.word(), remarks, id]).await?;
    Ok(())
}

/// Returns the looks that were opened after this one, also where another hand changed them.
pub(in crate::exchange) async fn opened_after(
    tx: &mut Tx,
    after: EmergencyLookId,
) -> Result<Vec<(EmergencyLookId, OfficerId)>, StoreError> {
    let sql = sql!("select id, officer_id from emergency_look where id > $1 order by id limit 1000");
    let rows = tx.all(sql, args![after]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "id")?, Id::of(row, "officer_id")?))).collect()
}

/// True if a look waits for its review longer than it may.
pub(in crate::exchange) async fn is_overdue(tx: &mut Tx, now: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = sql!("select id from emergency_look where reviewed_at is null and due_at <= $1 limit 1");
    Ok(!tx.all(sql, args![now]).await?.is_empty())
}

fn read(row: &Record) -> Result<EmergencyLook, StoreError> {
    let verdict: Option<Justification> = row.parsed_optional("verdict")?;
    let by = Decision::of(row, "reviewed_by", "reviewed_at")?;
    let remarks: Option<String> = row.get("remarks")?;
    Ok(EmergencyLook {
        id: Id::of(row, "id")?,
        officer: Id::of(row, "officer_id")?,
        office: row.parsed("office")?,
        person: Id::of_optional(row, "person_id")?,
        reason: row.get("reason")?,
        case: row.get("case_number")?,
        opened_at: row.get("opened_at")?,
        until: row.get("until_at")?,
        due: row.get("due_at")?,
        review: by.zip(verdict).map(|(by, verdict)| Review { by, verdict, remarks: remarks.unwrap_or_default() }),
    })
}
