//! SQL of officers' client certificates.

use time::OffsetDateTime;

use super::{SESSION, close_session};
use crate::ground::ids::{CertificateId, OfficerId};
use crate::ground::{Id, OfficeCode};
use crate::keys::{IssuedCertificate, key_of};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Certificates of officers carry a MAC: each is half of what signs an officer in.
pub const CERTIFICATE: Sealed = Sealed {
    table: "officer_certificate",
    columns: &[
        ("id", Kind::Uuid),
        ("officer_id", Kind::Uuid),
        ("token_hash", Kind::Bytes),
        ("token_until", Kind::Moment),
        ("fingerprint", Kind::Bytes),
        ("certificate", Kind::Bytes),
        ("made_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("revoked_at", Kind::Moment),
        ("revocation_reason", Kind::Text),
        ("renews", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate where id = $1"
    ),
    all: sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate order by id"
    ),
    set: sql!("update officer_certificate set version = $1, mac = $2 where id = $3"),
};

/// Inserts the grant of a certificate, which the token with this fingerprint enrols.
pub(in crate::access) async fn grant(
    tx: &mut Tx,
    id: CertificateId,
    officer: OfficerId,
    token_hash: &[u8; 32],
    until: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("insert into officer_certificate (id, officer_id, token_hash, token_until) values ($1, $2, $3, $4)");
    tx.run(sql, args![id, officer, token_hash, until]).await?;
    tx.seal(&CERTIFICATE, id).await
}

/// Returns the grant that this token enrols, if it still works for this officer; kept from other writers.
pub(in crate::access) async fn granted(
    tx: &mut Tx,
    officer: OfficerId,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<CertificateId>, StoreError> {
    let found = tx.one(sql!("select id from officer_certificate where token_hash = $1"), args![token_hash]).await?;
    let Some(found) = found else { return Ok(None) };
    let id: CertificateId = Id::of(&found, "id")?;
    let Some(row) = tx.sealed_locked(&CERTIFICATE, id).await? else { return Ok(None) };
    let (hash, until): (Vec<u8>, OffsetDateTime) = (row.get("token_hash")?, row.get("token_until")?);
    let unused = row.get::<Option<Vec<u8>>>("fingerprint")?.is_none();
    let revoked: Option<OffsetDateTime> = row.get("revoked_at")?;
    let own = OfficerId::of(&row, "officer_id")? == officer;
    let works = own && unused && revoked.is_none() && hash == token_hash && until > now;
    Ok(works.then_some(id))
}

/// Writes the certificate into its grant, whose token is used up with that.
pub(in crate::access) async fn enrol(
    tx: &mut Tx,
    id: CertificateId,
    certificate: &IssuedCertificate,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update officer_certificate set fingerprint = $1, certificate = $2, made_at = $3, expires_at = $4 where id = $5"
    );
    let fingerprint = certificate.fingerprint();
    tx.change(&CERTIFICATE, id, sql, args![fingerprint, &certificate.der, at, certificate.not_after, id]).await?;
    Ok(())
}

/// Inserts the certificate that renews another one of the officer. Earlier renewals of it end: none of them was used.
pub(in crate::access) async fn renew(
    tx: &mut Tx,
    (id, renews): (CertificateId, CertificateId),
    officer: OfficerId,
    token_hash: &[u8; 32],
    certificate: &IssuedCertificate,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    revoke_renewals(tx, renews, "another renewal took its place", at).await?;
    let sql = sql!(
        "insert into officer_certificate
             (id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, renews)
         values ($1, $2, $3, $4, $5, $6, $4, $7, $8)"
    );
    let (fingerprint, ends) = (certificate.fingerprint(), certificate.not_after);
    tx.run(sql, args![id, officer, token_hash, at, fingerprint, &certificate.der, ends, renews]).await?;
    tx.seal(&CERTIFICATE, id).await
}

/// Returns the certificate with this fingerprint, and which one it renews.
pub(in crate::access) async fn found(
    tx: &mut Tx,
    fingerprint: &[u8; 32],
) -> Result<Option<(CertificateId, Option<CertificateId>)>, StoreError> {
    let sql = sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate where fingerprint = $1"
    );
    let rows = tx.all_sealed(&CERTIFICATE, sql, args![fingerprint]).await?;
    rows.first().map(|row| Ok((Id::of(row, "id")?, Id::of_optional(row, "renews")?))).transpose()
}

/// True if the certificate was not revoked.
pub(in crate::access) async fn may_be_used(tx: &mut Tx, id: CertificateId) -> Result<bool, StoreError> {
    let row = tx.sealed_locked(&CERTIFICATE, id).await?;
    row.map_or(Ok(false), |row| Ok(row.get::<Option<OffsetDateTime>>("revoked_at")?.is_none()))
}

/// True if the key of this certificate is that of a certificate of the officer that was revoked.
pub(in crate::access) async fn key_was_revoked(
    tx: &mut Tx,
    officer: OfficerId,
    key: &[u8; 32],
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, certificate from officer_certificate
         where officer_id = $1 and certificate is not null and revoked_at is not null order by id"
    );
    for row in tx.all(sql, args![officer]).await? {
        let certificate: Vec<u8> = row.get("certificate")?;
        if key_of(&certificate).as_ref() == Some(key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if this is a certificate of this officer that may be used.
pub(in crate::access) async fn is_in_use(
    tx: &mut Tx,
    fingerprint: &[u8; 32],
    officer: OfficerId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate where fingerprint = $1"
    );
    let rows = tx.all_sealed(&CERTIFICATE, sql, args![fingerprint]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let (revoked, ends): (Option<OffsetDateTime>, Option<OffsetDateTime>) =
        (row.get("revoked_at")?, row.get("expires_at")?);
    let own = OfficerId::of(row, "officer_id")? == officer;
    Ok(own && revoked.is_none() && ends.is_some_and(|ends| ends > now))
}

/// True if the officer has a certificate that may be used.
pub(in crate::access) async fn has_one(
    tx: &mut Tx,
    officer: OfficerId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate where officer_id = $1 and fingerprint is not null and revoked_at is null order by id"
    );
    for (row, holds) in tx.all_judged(&CERTIFICATE, sql, args![officer]).await? {
        let ends: Option<OffsetDateTime> = row.get("expires_at")?;
        if holds && ends.is_some_and(|ends| ends > now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whose certificate or grant this is, kept from other writers.
pub(in crate::access) async fn owner(tx: &mut Tx, id: CertificateId) -> Result<Option<OfficerId>, StoreError> {
    let row = tx.sealed_locked(&CERTIFICATE, id).await?;
    row.map(|row| Id::of(&row, "officer_id")).transpose()
}

/// Revokes a certificate, or a grant that was not used, for good; the sessions that are bound to it end. Returns the
/// moment of its (first) revocation.
pub(in crate::access) async fn revoke(
    tx: &mut Tx,
    id: CertificateId,
    reason: &str,
    at: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let sql = sql!(
        "update officer_certificate set revoked_at = $1, revocation_reason = $2 where id = $3 and revoked_at is null"
    );
    tx.change(&CERTIFICATE, id, sql, args![at, reason, id]).await?;
    let Some(row) = tx.sealed(&CERTIFICATE, id).await? else { return Ok(None) };
    if let Some(fingerprint) = row.get::<Option<Vec<u8>>>("fingerprint")? {
        let found = sql!(
            "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                    version, mac
             from session where certificate = $1 and closed_at is null"
        );
        for (session, holds) in tx.all_judged(&SESSION, found, args![fingerprint]).await? {
            // One of another hand is no session, and stays as it is.
            if holds {
                close_session(tx, Id::of(&session, "id")?, at).await?;
            }
        }
    }
    row.get("revoked_at")
}

/// Revokes the renewals of a certificate, and theirs.
pub(in crate::access) async fn revoke_renewals(
    tx: &mut Tx,
    id: CertificateId,
    reason: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let mut ended = vec![id];
    while let Some(renewed) = ended.pop() {
        let found = sql!("select id from officer_certificate where renews = $1 order by id");
        for row in tx.all(found, args![renewed]).await? {
            let renewal = Id::of(&row, "id")?;
            revoke(tx, renewal, reason, at).await?;
            ended.push(renewal);
        }
    }
    Ok(())
}

/// Revokes all certificates and grants of an officer. One whose row another hand changed stays: it opens nothing.
pub(in crate::access) async fn revoke_all(
    tx: &mut Tx,
    officer: OfficerId,
    reason: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let found = sql!(
        "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at, revoked_at,
                revocation_reason, renews, version, mac
         from officer_certificate where officer_id = $1 and revoked_at is null order by id"
    );
    for (row, holds) in tx.all_judged(&CERTIFICATE, found, args![officer]).await? {
        if holds {
            revoke(tx, Id::of(&row, "id")?, reason, at).await?;
        } else {
            tracing::error!(%officer, "a certificate of the officer was changed by another hand, and is refused");
        }
    }
    Ok(())
}

/// Returns at most so many certificates of one officer, or of the officers of an office (national: of all), after this
/// one, by id, each with whether its MAC holds.
pub(in crate::access) async fn list(
    tx: &mut Tx,
    whose: Whose<'_>,
    after: CertificateId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    match whose {
        Whose::Officer(officer) => {
            let sql = sql!(
                "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at,
                        revoked_at, revocation_reason, renews, version, mac
                 from officer_certificate where officer_id = $1 and id > $2 order by id limit $3"
            );
            tx.all_judged(&CERTIFICATE, sql, args![officer, after, most]).await
        }
        Whose::Office(office) => {
            let sql = sql!(
                "select id, officer_id, token_hash, token_until, fingerprint, certificate, made_at, expires_at,
                        revoked_at, revocation_reason, renews, version, mac
                 from officer_certificate
                 where ($1 = 'national' or officer_id in (select id from officer where office = $1))
                   and id > $2 order by id limit $3"
            );
            tx.all_judged(&CERTIFICATE, sql, args![office, after, most]).await
        }
    }
}

/// Whose certificates are listed.
#[derive(Clone, Copy)]
pub(in crate::access) enum Whose<'a> {
    Officer(OfficerId),
    Office(&'a OfficeCode),
}

/// Returns name of the account and end of each certificate in use, by that end.
///
/// # Errors
/// [`StoreError`]
pub async fn certificates_in_use(tx: &mut Tx) -> Result<Vec<(String, OffsetDateTime)>, StoreError> {
    let sql = sql!(
        "select o.username as username, c.expires_at as expires_at
         from officer_certificate c join officer o on o.id = c.officer_id
         where c.fingerprint is not null and c.revoked_at is null and o.disabled_at is null
         order by c.expires_at, o.username"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("username")?, row.get("expires_at")?))).collect()
}
