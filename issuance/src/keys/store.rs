//! SQL of the keys' usage and of the installation.

use time::OffsetDateTime;

use super::installation::InstallationId;
use crate::ground::Id;
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// The tables of usage and installation.
pub const MIGRATIONS: &[Migration] = &[migration!(4, "0004_keys_usage"), migration!(20, "0020_keys_installation")];

/// Returns how many signatures of a key are reserved. Keeps other transactions from reserving until this one ends.
pub(super) async fn used(tx: &mut Tx, id: &str, name: &str) -> Result<u64, StoreError> {
    tx.run(
        sql!("insert into signing_key (id, name, used) values ($1, $2, 0) on conflict (id) do nothing"),
        args![id, name],
    )
    .await?;
    let row = tx.one_locked(sql!("select id, used from signing_key where id = $1"), args![id]).await?;
    row.ok_or_else(|| StoreError::inconsistent("signing_key", "id", id))?.number("used")
}

/// Counts all signatures of a key below `used` as reserved.
pub(super) async fn set_used(tx: &mut Tx, id: &str, used: u64) -> Result<(), StoreError> {
    let used = i64::try_from(used).unwrap_or(i64::MAX);
    tx.run(sql!("update signing_key set used = $1 where id = $2"), args![used, id]).await?;
    Ok(())
}

/// Returns the installation that this database belongs to.
pub(super) async fn installation(tx: &mut Tx) -> Result<Option<InstallationId>, StoreError> {
    let row = tx.one(sql!("select id from installation where only_row = 1"), args![]).await?;
    row.map(|row| Id::of(&row, "id")).transpose()
}

/// Makes a database that belongs to no installation this one's. Returns the installation that it belongs to then.
pub(super) async fn bind_installation(
    tx: &mut Tx,
    id: InstallationId,
    at: OffsetDateTime,
) -> Result<InstallationId, StoreError> {
    let sql =
        sql!("insert into installation (only_row, id, bound_at) values (1, $1, $2) on conflict (only_row) do nothing");
    tx.run(sql, args![id, at]).await?;
    installation(tx).await?.ok_or_else(|| StoreError::inconsistent("installation", "id", id))
}

/// Returns how many signatures of a key are reserved, as last committed.
pub(super) async fn usage(tx: &mut Tx, id: &str) -> Result<u64, StoreError> {
    let row = tx.one(sql!("select id, used from signing_key where id = $1"), args![id]).await?;
    row.map_or(Ok(0), |row| row.number("used"))
}
