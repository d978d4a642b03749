//! SQL of the keys' usage and of the trust bundles.

use time::OffsetDateTime;

use crate::args;
use crate::store::{Migration, StoreError, Tx};

/// Tables of this office.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 4001,
    title: "usage of signing keys, trust bundles",
    sql: "create table signing_key (
        id TEXT primary key,
        name TEXT not null,
        used BIGINT not null
    );
    create table trust_bundle (
        id TEXT primary key,
        issued_at BIGINT not null,
        content_hash BYTEA not null,
        prepared BYTEA not null,
        signed BYTEA
    );
    create index trust_bundle_issued_at on trust_bundle (issued_at);",
}];

/// Counts up to `most` signatures of a key as used, as far as the limit allows; gives how many. Waits for whoever is counting.
pub(super) async fn reserve(tx: &mut Tx, id: &str, name: &str, most: i64, limit: i64) -> Result<i64, StoreError> {
    tx.run("insert into signing_key (id, name, used) values ($1, $2, 0) on conflict (id) do nothing", args![id, name])
        .await?;
    let row = tx.one_locked("select id, used from signing_key where id = $1", args![id]).await?;
    let used: i64 = row.map_or(Ok(limit), |row| row.get("used"))?;
    let granted = most.min(limit - used).max(0);
    tx.run("update signing_key set used = used + $1 where id = $2", args![granted, id]).await?;
    Ok(granted)
}

/// Stores a bundle that is prepared and not signed yet.
pub(super) async fn insert_bundle(
    tx: &mut Tx,
    id: &str,
    at: OffsetDateTime,
    content_hash: [u8; 32],
    prepared: &[u8],
) -> Result<(), StoreError> {
    tx.run(
        "insert into trust_bundle (id, issued_at, content_hash, prepared) values ($1, $2, $3, $4)",
        args![id, at, content_hash, prepared],
    )
    .await?;
    Ok(())
}

/// Stores the bundle signed.
pub(super) async fn attach_bundle(tx: &mut Tx, id: &str, signed: &[u8]) -> Result<(), StoreError> {
    tx.run("update trust_bundle set signed = $1 where id = $2", args![signed, id]).await?;
    Ok(())
}

/// The latest signed bundle since then, if it says this.
pub(super) async fn latest_bundle(
    tx: &mut Tx,
    content_hash: &[u8; 32],
    since: OffsetDateTime,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tx
        .one(
            "select id, signed, content_hash from trust_bundle
             where signed is not null and issued_at > $1 order by issued_at desc limit 1",
            args![since],
        )
        .await?;
    match row {
        Some(row) if row.array::<32>("content_hash")? == *content_hash => Ok(Some(row.get("signed")?)),
        _ => Ok(None),
    }
}
