//! SQL of the lists of officers, stations and sessions.

use time::OffsetDateTime;

use super::{OFFICER, SESSION, STATION};
use crate::access::Settings;
use crate::access::officers::LastSession;
use crate::ground::ids::{OfficerId, SessionId, StationId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Record, StoreError, Tx};
use crate::{args, sql};

/// Returns at most so many officers of an office after this one, by id, each with whether its MAC holds; for the
/// national office, those of all.
pub(in crate::access) async fn officers(
    tx: &mut Tx,
    office: &OfficeCode,
    after: OfficerId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, username, password, roles, office, made_at, disabled_at, token_hash, token_until, password_due,
                version, mac
         from officer where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&OFFICER, sql, args![office, after, most]).await
}

/// Returns an officer, with whether the MAC of the row holds.
pub(in crate::access) async fn officer(tx: &mut Tx, id: OfficerId) -> Result<Option<(Record, bool)>, StoreError> {
    Ok(tx.all_judged(&OFFICER, OFFICER.one, args![id]).await?.pop())
}

/// Returns the last session of an officer that is kept, if no other hand changed it.
pub(in crate::access) async fn last_session(tx: &mut Tx, id: OfficerId) -> Result<Option<LastSession>, StoreError> {
    let sql = sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where officer_id = $1 order by id desc limit 1"
    );
    let judged = tx.all_judged(&SESSION, sql, args![id]).await?.pop();
    let last = judged.filter(|(_, holds)| *holds).map(|(row, _)| {
        let certificate = row.get::<Option<Vec<u8>>>("certificate")?.is_some();
        Ok(LastSession { opened_at: row.get("opened_at")?, certificate })
    });
    last.transpose()
}

/// As [`officers`], for stations.
pub(in crate::access) async fn stations(
    tx: &mut Tx,
    office: &OfficeCode,
    after: StationId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, name, office, fingerprint, certificate, made_at, expires_at, revoked_at, revocation_reason,
                next_fingerprint, next_certificate, next_made_at, next_expires_at, version, mac
         from station where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&STATION, sql, args![office, after, most]).await
}

/// Returns at most so many stations that stand at an office, by enrolment, each with whether its MAC holds.
pub(in crate::access) async fn stations_at(
    tx: &mut Tx,
    office: &OfficeCode,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, name, office, fingerprint, certificate, made_at, expires_at, revoked_at, revocation_reason,
                next_fingerprint, next_certificate, next_made_at, next_expires_at, version, mac
         from station where office = $1 order by id limit $2"
    );
    tx.all_judged(&STATION, sql, args![office, most]).await
}

/// Returns a station, with whether the MAC of the row holds.
pub(in crate::access) async fn station(tx: &mut Tx, id: StationId) -> Result<Option<(Record, bool)>, StoreError> {
    Ok(tx.all_judged(&STATION, STATION.one, args![id]).await?.pop())
}

/// An open session of an officer.
pub(in crate::access) struct OpenSession {
    pub id: SessionId,
    pub opened_at: OffsetDateTime,
    pub seen_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// True if it is bound to a certificate.
    pub certificate: bool,
}

/// Returns at most so many open sessions of an officer after this one, oldest first.
pub(in crate::access) async fn open_sessions(
    tx: &mut Tx,
    settings: &Settings,
    officer: OfficerId,
    now: OffsetDateTime,
    after: SessionId,
    most: i64,
) -> Result<Vec<OpenSession>, StoreError> {
    let sql = sql!(
        "select id, opened_at, seen_at, expires_at, certificate from session
         where officer_id = $1 and closed_at is null and expires_at > $2 and seen_at > $3 and id > $4
         order by id limit $5"
    );
    let rows = tx.all(sql, args![officer, now, now - settings.session_idle, after, most]).await?;
    let read = |row: &Record| {
        Ok(OpenSession {
            id: Id::of(row, "id")?,
            opened_at: row.get("opened_at")?,
            seen_at: row.get("seen_at")?,
            expires_at: row.get("expires_at")?,
            certificate: row.get::<Option<Vec<u8>>>("certificate")?.is_some(),
        })
    };
    rows.iter().map(read).collect()
}

/// Returns one of the open sessions of an officer.
pub(in crate::access) async fn open_session_of(
    tx: &mut Tx,
    settings: &Settings,
    officer: OfficerId,
    id: SessionId,
    now: OffsetDateTime,
) -> Result<Option<OpenSession>, StoreError> {
    let sql = sql!(
        "select id, opened_at, seen_at, expires_at, certificate from session
         where id = $1 and officer_id = $2 and closed_at is null and expires_at > $3 and seen_at > $4"
    );
    let row = tx.one(sql, args![id, officer, now, now - settings.session_idle]).await?;
    row.map(|row| {
        Ok(OpenSession {
            id,
            opened_at: row.get("opened_at")?,
            seen_at: row.get("seen_at")?,
            expires_at: row.get("expires_at")?,
            certificate: row.get::<Option<Vec<u8>>>("certificate")?.is_some(),
        })
    })
    .transpose()
}

/// Returns the name of an officer's account.
pub(in crate::access) async fn username(tx: &mut Tx, id: OfficerId) -> Result<Option<String>, StoreError> {
    let row = tx.sealed(&OFFICER, id).await?;
    row.map(|row| row.get("username")).transpose()
}
