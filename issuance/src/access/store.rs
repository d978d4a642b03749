//! SQL of the access office.

use time::OffsetDateTime;

use super::model::{AccessError, OfficeCode, Officer, OfficerId, Role, Station, StationId};
use crate::app::App;
use crate::args;
use crate::pki::IssuedCertificate;
use crate::store::{StoreError, Tx};

/// What sign-in needs to know of an officer.
pub(super) struct Account {
    pub id: OfficerId,
    /// PHC string.
    pub password: String,
    pub roles: Vec<Role>,
}

/// Counts one more attempt under this name; gives the number of attempts in a row. While the name is locked nothing is
/// counted, so that a lock ends.
pub(super) async fn count_sign_in(tx: &mut Tx, app: &App, name: &[u8; 32]) -> Result<u32, StoreError> {
    let now = app.now();
    let lock_began = now - app.config().lockout_for;
    let locking = i64::from(app.config().lockout_after) + 1;
    tx.run(
        "insert into sign_in_failure (username_hash, failures, last_at) values ($1, 1, $2)
         on conflict (username_hash) do update set
           failures = case when sign_in_failure.last_at < $3 then 1
                           when sign_in_failure.failures >= $4 then sign_in_failure.failures
                           else sign_in_failure.failures + 1 end,
           last_at = case when sign_in_failure.last_at >= $3 and sign_in_failure.failures >= $4
                          then sign_in_failure.last_at else $2 end",
        args![name, now, lock_began, locking],
    )
    .await?;
    let row = tx.one("select failures from sign_in_failure where username_hash = $1", args![name]).await?;
    row.map_or(Ok(1), |row| row.number("failures"))
}

/// The right password ends a row of failures.
pub(super) async fn forget_failures(tx: &mut Tx, name: &[u8; 32]) -> Result<(), StoreError> {
    tx.run("delete from sign_in_failure where username_hash = $1", args![name]).await?;
    Ok(())
}

/// The open account of this name.
pub(super) async fn account(tx: &mut Tx, username: &str) -> Result<Option<Account>, StoreError> {
    let row = tx
        .one("select id, password, roles from officer where username = $1 and disabled_at is null", args![username])
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Account { id: OfficerId(row.get("id")?), password: row.get("password")?, roles: row.json("roles")? }))
}

/// A new account.
pub(super) async fn insert_officer(
    tx: &mut Tx,
    app: &App,
    id: &OfficerId,
    username: &str,
    password_hash: &str,
    roles: &[Role],
    office: &OfficeCode,
) -> Result<(), AccessError> {
    let roles = serde_json::to_string(roles).expect("roles are words");
    let made = tx
        .run(
            "insert into officer (id, username, password, roles, office, made_at) values ($1, $2, $3, $4, $5, $6)
             on conflict (username) do nothing",
            args![id, username, password_hash, roles, office.as_str(), app.now()],
        )
        .await?;
    if made == 1 { Ok(()) } else { Err(AccessError::NameTaken) }
}

/// Where an officer works.
pub(super) async fn office_of_officer(tx: &mut Tx, id: &OfficerId) -> Result<Option<OfficeCode>, StoreError> {
    let row = tx.one_locked("select id, office from officer where id = $1", args![id]).await?;
    row.map(|row| row.parsed("office")).transpose()
}

/// Closes an officer's account; their sessions end with it.
pub(super) async fn disable_officer(tx: &mut Tx, app: &App, id: &OfficerId) -> Result<(), StoreError> {
    tx.run("update officer set disabled_at = coalesce(disabled_at, $1) where id = $2", args![app.now(), id]).await?;
    Ok(())
}

/// A new session.
pub(super) async fn open_session(
    tx: &mut Tx,
    app: &App,
    token_hash: &[u8; 32],
    officer: &OfficerId,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    let now = app.now();
    tx.run(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)",
        args![app.new_id(), token_hash, officer, now, now, expires_at],
    )
    .await?;
    Ok(())
}

/// The officer of a live session, and when it was last seen.
pub(super) async fn session(
    tx: &mut Tx,
    app: &App,
    token_hash: &[u8; 32],
) -> Result<Option<(Officer, OffsetDateTime)>, StoreError> {
    let now = app.now();
    let row = tx
        .one(
            "select s.id, s.seen_at, o.id as officer_id, o.office, o.roles
             from session s join officer o on o.id = s.officer_id
             where s.token_hash = $1 and s.closed_at is null and o.disabled_at is null
               and s.expires_at > $2 and s.seen_at > $3",
            args![token_hash, now, now - app.config().session_idle],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let officer = Officer {
        id: OfficerId(row.get("officer_id")?),
        office: row.parsed("office")?,
        roles: row.json("roles")?,
        session_id: row.get("id")?,
    };
    Ok(Some((officer, row.get("seen_at")?)))
}

/// Moves the idle limit of a session.
pub(super) async fn session_seen(tx: &mut Tx, app: &App, id: &str) -> Result<(), StoreError> {
    tx.run("update session set seen_at = $1 where id = $2", args![app.now(), id]).await?;
    Ok(())
}

/// Ends a session.
pub(super) async fn close_session(tx: &mut Tx, app: &App, id: &str) -> Result<(), StoreError> {
    tx.run("update session set closed_at = $1 where id = $2 and closed_at is null", args![app.now(), id]).await?;
    Ok(())
}

/// A new station.
pub(super) async fn insert_station(
    tx: &mut Tx,
    app: &App,
    id: &StationId,
    name: &str,
    office: &OfficeCode,
    certificate: &IssuedCertificate,
) -> Result<(), AccessError> {
    let made = tx
        .run(
            "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (name) do nothing",
            args![
                id,
                name,
                office.as_str(),
                certificate.fingerprint(),
                &certificate.der,
                app.now(),
                certificate.not_after
            ],
        )
        .await?;
    if made == 1 { Ok(()) } else { Err(AccessError::NameTaken) }
}

/// Where a station stands.
pub(super) async fn office_of_station(tx: &mut Tx, id: &StationId) -> Result<Option<OfficeCode>, StoreError> {
    let row = tx.one_locked("select id, office from station where id = $1", args![id]).await?;
    row.map(|row| row.parsed("office")).transpose()
}

/// Revokes a station for good; gives the moment of its (first) revocation.
pub(super) async fn revoke_station(
    tx: &mut Tx,
    app: &App,
    id: &StationId,
    reason: &str,
) -> Result<OffsetDateTime, AccessError> {
    tx.run(
        "update station set revoked_at = $1, revocation_reason = $2 where id = $3 and revoked_at is null",
        args![app.now(), reason, id],
    )
    .await?;
    let row = tx.one("select id, revoked_at from station where id = $1", args![id]).await?;
    Ok(row.ok_or(AccessError::StationUnknown)?.get("revoked_at")?)
}

/// The station that this certificate was issued to, if it may still be used.
pub(super) async fn station_by_certificate(
    tx: &mut Tx,
    app: &App,
    fingerprint: &[u8; 32],
) -> Result<Station, AccessError> {
    let row = tx
        .one("select id, name, office, expires_at, revoked_at from station where fingerprint = $1", args![fingerprint])
        .await?
        .ok_or(AccessError::CertificateUnknown)?;
    let revoked: Option<OffsetDateTime> = row.get("revoked_at")?;
    if revoked.is_some() || row.get::<OffsetDateTime>("expires_at")? <= app.now() {
        return Err(AccessError::StationRevoked);
    }
    Ok(Station { id: StationId(row.get("id")?), name: row.get("name")?, office: row.parsed("office")? })
}

/// True if there is an officer.
pub(super) async fn any_officer(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tx.one("select id from officer limit 1", vec![]).await?.is_some())
}

/// Forgets rows of failures that no lock needs any more, and sessions that ended a month ago.
pub(crate) async fn forget(tx: &mut Tx, now: OffsetDateTime) -> Result<(), StoreError> {
    tx.run("delete from sign_in_failure where last_at < $1", args![now - time::Duration::days(1)]).await?;
    tx.run("delete from session where expires_at < $1", args![now - time::Duration::days(30)]).await?;
    Ok(())
}
