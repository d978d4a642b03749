//! SQL of the trust bundles.

use time::OffsetDateTime;

use super::Bundle;
use crate::ground::Id;
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

/// Stores the bundle signed.
pub(super) async fn attach(tx: &mut Tx, id: BundleId, signed: &[u8]) -> Result<(), StoreError> {
    tx.run(sql!("update trust_bundle set signed = $1 where id = $2"), args![signed, id]).await?;
    Ok(())
}

/// Deletes the bundles before this one but for the last few: each is as long as the list of revoked documents.
pub(super) async fn purge_older(tx: &mut Tx, id: BundleId) -> Result<(), StoreError> {
    let sql = sql!(
        "delete from trust_bundle where id < $1 and id not in
             (select id from trust_bundle where id < $1 order by id desc limit 8)"
    );
    tx.run(sql, args![id]).await?;
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
