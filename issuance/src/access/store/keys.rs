//! SQL of the keys that were certified.

use time::OffsetDateTime;

use crate::keys::{IssuedCertificate, key_of};
use crate::store::{StoreError, Tx};
use crate::{args, sql};

/// Notes that a key is certified for this holder (`station/ID`, `officer/ID`). Returns false if it was certified for
/// another one before.
pub(in crate::access) async fn claim(
    tx: &mut Tx,
    holder: &str,
    certificate: &IssuedCertificate,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let key = key_of(&certificate.der);
    note(tx, holder, &certificate.der, &certificate.fingerprint(), at).await?;
    let row =
        tx.one(sql!("select holder from certified_key where key = $1"), args![key.map(|key| key.to_vec())]).await?;
    row.map_or(Ok(false), |row| Ok(row.get::<String>("holder")? == holder))
}

async fn note(tx: &mut Tx, holder: &str, der: &[u8], fingerprint: &[u8], at: OffsetDateTime) -> Result<(), StoreError> {
    let Some(key) = key_of(der) else { return Ok(()) };
    let sql = sql!(
        "insert into certified_key (key, holder, certificate, made_at) values ($1, $2, $3, $4) on conflict do nothing"
    );
    tx.run(sql, args![key, holder, fingerprint, at]).await?;
    Ok(())
}

/// Notes the keys that a version certified which did not note them.
pub(in crate::access) async fn note_earlier(tx: &mut Tx, at: OffsetDateTime) -> Result<(), StoreError> {
    for (holder, sql) in [
        (
            "station",
            sql!(
                "select id, fingerprint, certificate from station
                 where fingerprint not in (select certificate from certified_key) order by id"
            ),
        ),
        (
            "station",
            sql!(
                "select id, next_fingerprint as fingerprint, next_certificate as certificate from station
                 where next_fingerprint is not null
                   and next_fingerprint not in (select certificate from certified_key) order by id"
            ),
        ),
        (
            "officer",
            sql!(
                "select officer_id as id, fingerprint, certificate from officer_certificate
                 where fingerprint is not null
                   and fingerprint not in (select certificate from certified_key) order by made_at"
            ),
        ),
    ] {
        for row in tx.all(sql, args![]).await? {
            let id: crate::ground::Id<()> = crate::ground::Id::of(&row, "id")?;
            let (der, fingerprint): (Vec<u8>, Vec<u8>) = (row.get("certificate")?, row.get("fingerprint")?);
            note(tx, &format!("{holder}/{id}"), &der, &fingerprint, at).await?;
        }
    }
    Ok(())
}
