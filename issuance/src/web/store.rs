//! SQL of the answers to writes.

use time::OffsetDateTime;

use crate::store::{Migration, Record, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of answers.
pub const MIGRATIONS: &[Migration] = &[migration!(2, "0002_web_answers")];

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

/// Keeps the answer, sealed.
pub(super) async fn keep(tx: &mut Tx, caller: &str, key: &str, sealed: Vec<u8>) -> Result<(), StoreError> {
    let sql = sql!("update answer set sealed = $1 where caller = $2 and idempotency_key = $3");
    tx.run(sql, args![sealed, caller, key]).await?;
    Ok(())
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
