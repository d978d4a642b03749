//! SQL of the keys' usage.

use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of usage.
pub const MIGRATIONS: &[Migration] = &[migration!(4, "0004_keys_usage")];

/// Counts up to `most` signatures of a key as used, as far as the limit allows. Returns how many. Waits for another
/// transaction that counts the same key.
pub(super) async fn reserve(tx: &mut Tx, id: &str, name: &str, most: i64, limit: i64) -> Result<i64, StoreError> {
    tx.run(
        sql!("insert into signing_key (id, name, used) values ($1, $2, 0) on conflict (id) do nothing"),
        args![id, name],
    )
    .await?;
    let row = tx.one_locked(sql!("select id, used from signing_key where id = $1"), args![id]).await?;
    let used: i64 = row.map_or(Ok(limit), |row| row.get("used"))?;
    let granted = most.min(limit - used).max(0);
    tx.run(sql!("update signing_key set used = used + $1 where id = $2"), args![granted, id]).await?;
    Ok(granted)
}
