//! SQL of the trust bundles.

use time::{Duration, OffsetDateTime};

use super::Bundle;
use crate::ground::Id;
use crate::ground::clock::CLOCKS_DIFFER;
use crate::ground::ids::BundleId;
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// The table of trust bundles.
pub const MIGRATIONS: &[Migration] = &[migration!(11, "0011_trust_bundles")];

/// Stores a bundle that is prepared and not signed yet.
pub(super) async fn insert_prepared(
    tx: &mut Tx,
    id: BundleId,
    at: OffsetDateTime,
    frame_hash: [u8; 32],
    prepared: &[u8],
) -> Result<(), StoreError> {
    let sql = sql!("insert into trust_bundle (id, issued_at, frame_hash, prepared) values ($1, $2, $3, $4)");
    tx.run(sql, args![id, at, frame_hash, prepared]).await?;
    Ok(())
}

/// Deletes the bundles that were prepared and never signed: the one that is made now has what they had. So there is one
/// of them at most, however often signing fails.
pub(super) async fn purge_unsigned(tx: &mut Tx) -> Result<(), StoreError> {
    tx.run(sql!("delete from trust_bundle where signed is null"), args![]).await?;
    Ok(())
}

/// Stores the bundle signed.
pub(super) async fn attach(tx: &mut Tx, id: BundleId, signed: &[u8]) -> Result<(), StoreError> {
    tx.run(sql!("update trust_bundle set signed = $1 where id = $2"), args![signed, id]).await?;
    Ok(())
}

/// Returns the moment of a bundle that is made now: `now`, or just after the newest one's. So the bundle made last is
/// the newest, although two are made within a microsecond, or the clock was set back.
pub(super) async fn next_moment(tx: &mut Tx, now: OffsetDateTime) -> Result<OffsetDateTime, StoreError> {
    let sql = sql!("select issued_at from trust_bundle order by issued_at desc limit 1");
    let newest: Option<OffsetDateTime> = tx.one(sql, args![]).await?.map(|row| row.get("issued_at")).transpose()?;
    Ok(newest.map_or(now, |newest| now.max(newest + Duration::MICROSECOND)))
}

/// Deletes the bundles that were made under a clock that was ahead. Returns how many there were.
pub(super) async fn purge_ahead(tx: &mut Tx, now: OffsetDateTime) -> Result<u64, StoreError> {
    tx.run(sql!("delete from trust_bundle where issued_at > $1"), args![now + CLOCKS_DIFFER]).await
}

/// Deletes the bundles before the one of this moment but for the last few: each is as long as the list of revoked
/// documents.
pub(super) async fn purge_older(tx: &mut Tx, issued_at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "delete from trust_bundle where issued_at < $1 and id not in
             (select id from trust_bundle where issued_at < $1 order by issued_at desc limit 8)"
    );
    tx.run(sql, args![issued_at]).await?;
    Ok(())
}

/// Returns the id of the newest signed bundle.
pub(super) async fn newest_id(tx: &mut Tx) -> Result<Option<BundleId>, StoreError> {
    let sql = sql!("select id from trust_bundle where signed is not null order by issued_at desc, id desc limit 1");
    tx.one(sql, args![]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// Returns a signed bundle.
pub(super) async fn bundle(tx: &mut Tx, id: BundleId) -> Result<Option<Bundle>, StoreError> {
    let sql = sql!("select id, issued_at, frame_hash, signed from trust_bundle where id = $1 and signed is not null");
    let row = tx.one(sql, args![id]).await?;
    row.map(|row| {
        Ok(Bundle {
            id,
            issued_at: row.get("issued_at")?,
            frame_hash: row.array("frame_hash")?,
            signed: row.get::<Vec<u8>>("signed")?.into(),
        })
    })
    .transpose()
}

/// True if the newest bundle was prepared and never signed: the marks of its changes are gone, so another one is due.
pub(super) async fn unsigned_is_newest(tx: &mut Tx) -> Result<bool, StoreError> {
    let sql = sql!(
        pg "select id, signed is null as unsigned from trust_bundle order by issued_at desc, id desc limit 1",
        lite "select id, signed is null as unsigned from trust_bundle order by issued_at desc, id desc limit 1",
    );
    tx.one(sql, args![]).await?.map_or(Ok(false), |row| row.get("unsigned"))
}

/// Returns when the newest signed bundle was made.
///
/// # Errors
/// [`StoreError`]
pub async fn newest_at(tx: &mut Tx) -> Result<Option<OffsetDateTime>, StoreError> {
    let sql = sql!("select issued_at from trust_bundle where signed is not null order by issued_at desc limit 1");
    tx.one(sql, args![]).await?.map(|row| row.get("issued_at")).transpose()
}
