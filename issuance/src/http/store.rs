//! SQL of the frame: the answers to writes.

use time::OffsetDateTime;

use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};

/// Tables of the frame.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1001,
    title: "answers to writes, by idempotency key",
    sql: "create table answer (
        caller TEXT not null,
        idempotency_key TEXT not null,
        request_hash BYTEA not null,
        sealed BYTEA,
        at BIGINT not null,
        primary key (caller, idempotency_key)
    );
    create index answer_at on answer (at);",
}];

/// True if this request is the first with its key. A second one waits here until the first has committed.
pub(super) async fn claim(
    tx: &mut Tx,
    caller: &str,
    key: &str,
    request_hash: &[u8; 32],
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let inserted = tx
        .run(
            "insert into answer (caller, idempotency_key, request_hash, at) values ($1, $2, $3, $4)
             on conflict (caller, idempotency_key) do nothing",
            args![caller, key, request_hash, at],
        )
        .await?;
    Ok(inserted == 1)
}

/// Keeps the answer, sealed.
pub(super) async fn keep(tx: &mut Tx, caller: &str, key: &str, sealed: Vec<u8>) -> Result<(), StoreError> {
    let sql = "update answer set sealed = $1 where caller = $2 and idempotency_key = $3";
    tx.run(sql, args![sealed, caller, key]).await?;
    Ok(())
}

/// What is kept under a key, once there is an answer: `request_hash` and `sealed`.
pub(super) async fn answer(tx: &mut Tx, caller: &str, key: &str) -> Result<Option<Record>, StoreError> {
    let sql = "select request_hash, sealed, idempotency_key as id from answer
               where caller = $1 and idempotency_key = $2 and sealed is not null";
    tx.one(sql, args![caller, key]).await
}

/// Forgets answers that are older than this.
pub(crate) async fn forget(tx: &mut Tx, before: OffsetDateTime) -> Result<(), StoreError> {
    tx.run("delete from answer where at < $1", args![before]).await?;
    Ok(())
}

/// Whether the database answers.
pub(super) async fn is_there(tx: &mut Tx) -> Result<(), StoreError> {
    tx.one("select 1 as one", vec![]).await?;
    Ok(())
}
