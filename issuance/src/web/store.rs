//! SQL of the answers to writes.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::ground::ids::PersonId;
use crate::store::{Argument, Migration, Record, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of answers.
pub const MIGRATIONS: &[Migration] = &[migration!(2, "0002_web_answers"), migration!(44, "0044_web_answer_persons")];

/// Claims a key. Returns true if this request is the first with it; a second one waits here until
/// the first has committed.
pub(super) async fn claim(
    tx: &mut Tx,
    caller: &str,
    key: &str,
    request_hash: &[u8; 32],
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let inserted = tx
        .run(
            sql!(
                "insert into answer (caller, idempotency_key, request_hash, at) values ($1, $2, $3, $4)
                 on conflict (caller, idempotency_key) do nothing"
            ),
            args![caller, key, request_hash, at],
        )
        .await?;
    Ok(inserted == 1)
}

/// Keeps the answer, sealed, and of whom it tells.
pub(super) async fn keep(
    tx: &mut Tx,
    caller: &str,
    key: &str,
    sealed: Vec<u8>,
    persons: &BTreeSet<PersonId>,
) -> Result<(), StoreError> {
    let sql = sql!("update answer set sealed = $1, persons = $2 where caller = $3 and idempotency_key = $4");
    tx.run(sql, args![sealed, Argument::json(persons), caller, key]).await?;
    Ok(())
}

/// Returns of whom a kept answer tells.
pub(super) async fn persons(tx: &mut Tx, caller: &str, key: &str) -> Result<Vec<PersonId>, StoreError> {
    let sql = sql!(
        "select persons, idempotency_key as id from answer
         where caller = $1 and idempotency_key = $2 and persons is not null"
    );
    tx.one(sql, args![caller, key]).await?.map_or(Ok(Vec::new()), |row| row.json("persons"))
}

/// Returns `request_hash` and `sealed` under a key, once there is an answer.
pub(super) async fn answer(tx: &mut Tx, caller: &str, key: &str) -> Result<Option<Record>, StoreError> {
    let sql = sql!(
        "select request_hash, sealed, idempotency_key as id from answer
         where caller = $1 and idempotency_key = $2 and sealed is not null"
    );
    tx.one(sql, args![caller, key]).await
}

/// Deletes the answers that are older than this.
pub(crate) async fn purge_expired(tx: &mut Tx, before: OffsetDateTime) -> Result<(), StoreError> {
    tx.run(sql!("delete from answer where at < $1"), args![before]).await?;
    Ok(())
}

/// Deletes some of the answers that are older than this, the oldest first. Returns how many.
pub(crate) async fn purge_some(tx: &mut Tx, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let sql = sql!(
        "delete from answer where (caller, idempotency_key) in
             (select caller, idempotency_key from answer where at < $1 order by at limit $2)"
    );
    tx.run(sql, args![before, most]).await
}

/// Returns how many answers are older than this.
pub(crate) async fn answers_before(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let row = tx.one(sql!("select count(*) as n from answer where at < $1"), args![before]).await?;
    row.map_or(Ok(0), |row| row.number("n"))
}

/// Writes one row of the service's own, the same one each time, to find out whether the database takes writes.
pub(super) async fn probe(tx: &mut Tx, at: OffsetDateTime) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into answer (caller, idempotency_key, request_hash, at) values ('service', 'readiness', $1, $2)
             on conflict (caller, idempotency_key) do update set at = excluded.at"
        ),
        args![[0_u8; 32], at],
    )
    .await?;
    Ok(())
}
