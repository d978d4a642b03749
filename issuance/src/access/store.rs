//! SQL of the access office.

use time::OffsetDateTime;

use super::model::{AccessError, Officer, OfficerId, Station, StationId};
use crate::app::App;
use crate::args;
use crate::store::{StoreError, Tx};

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

/// Closes an officer's account.
pub(super) async fn disable_officer(tx: &mut Tx, app: &App, id: &OfficerId) -> Result<(), AccessError> {
    let touched = tx
        .run("update officer set disabled_at = coalesce(disabled_at, $1) where id = $2", args![app.now(), id])
        .await?;
    if touched == 1 { Ok(()) } else { Err(AccessError::OfficerUnknown) }
}
