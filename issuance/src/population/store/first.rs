//! SQL of the first load of a register: PostgreSQL alone. What it does to the tables is written in its migration.

use futures_util::TryStreamExt as _;

use super::import::begin_of;
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// Returns why no first load may begin or go on: `engine`, `standby`, `slot`, `people`; `None` if nothing speaks
/// against it.
pub(in crate::population) async fn refused(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    let sql = sql!(pg "select first_load_refused() as why", lite "select 'engine' as why");
    tx.one(sql, args![]).await?.map_or(Ok(None), |row| row.get("why"))
}

/// True if a first load is under way.
pub(in crate::population) async fn is_under_way(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tx.one(sql!("select id from first_load_step order by id limit 1"), args![]).await?.is_some())
}

/// Takes away what is made again when all rows are there.
pub(in crate::population) async fn begin(tx: &mut Tx) -> Result<(), StoreError> {
    tx.run(sql!(pg "select first_load_begin()", lite "select 0"), args![]).await?;
    Ok(())
}

/// Lets this transaction change persons while a first load is under way.
pub(in crate::population) async fn admit(tx: &mut Tx) -> Result<(), StoreError> {
    tx.run(sql!(pg "select set_config('citizen_card.first_load', 'on', true)", lite "select 0"), args![]).await?;
    Ok(())
}

/// Makes the next index or constraint again. Returns how many are left.
pub(in crate::population) async fn next(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx.one(sql!(pg "select first_load_next() as n", lite "select 0 as n"), args![]).await?;
    row.map_or(Ok(0), |row| row.number("n"))
}

/// Makes the dictionary of names, and ends the load. Returns how many names there are.
pub(in crate::population) async fn end(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = tx.one(sql!(pg "select first_load_end() as n", lite "select 0 as n"), args![]).await?;
    row.map_or(Ok(0), |row| row.number("n"))
}

/// Tells, of each person who is there, the likeness, the first bytes of the declaration's digest, and the numbers for
/// life and of the old card.
pub(in crate::population) async fn met(
    tx: &mut Tx,
    mut tell: impl FnMut(String, u64, Option<String>, Option<String>),
) -> Result<(), StoreError> {
    let sql = sql!("select likeness, declared_digest, personal_number, old_id_number from person");
    let mut rows = tx.stream(sql, args![]);
    while let Some(row) = rows.try_next().await? {
        let row: Record = row;
        let digest: Option<Vec<u8>> = row.get("declared_digest")?;
        let digest = begin_of(digest.as_deref().unwrap_or_default());
        tell(row.get("likeness")?, digest, row.get("personal_number")?, row.get("old_id_number")?);
    }
    Ok(())
}
