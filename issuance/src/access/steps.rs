//! Verbs of the access office.

use rand::Rng as _;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::model::{AccessError, Caller, OfficeCode, Officer, OfficerId, Role, StationId};
use super::{passwords, store};
use crate::app::App;
use crate::audit;
use crate::store::Tx;

/// What a successful sign-in gives.
pub(super) struct Session {
    /// Bearer token: 32 random bytes in hex. Only its SHA-256 is stored.
    pub token: Zeroizing<String>,
    /// When it ends, at the latest.
    pub expires_at: OffsetDateTime,
    /// What the officer may do.
    pub roles: Vec<Role>,
}

/// Opens a session. Name unknown, password wrong and account closed are one refusal, after the same work.
///
/// # Errors
/// [`AccessError::Credentials`], [`AccessError::Locked`]
pub(super) async fn sign_in(app: &App, username: &str, password: Zeroizing<String>) -> Result<Session, AccessError> {
    // By hash of the name, whether or not somebody has it: the lock says nothing about who exists.
    let name: [u8; 32] = Sha256::digest(username).into();
    let mut tx = app.begin().await?;
    // Counted before the password is looked at: guesses made at the same moment must not share one count.
    let failures = store::count_sign_in(&mut tx, app, &name).await?;
    let account = store::account(&mut tx, username).await?;
    tx.commit().await?;
    if failures > app.config().lockout_after {
        return Err(AccessError::Locked);
    }
    let right = passwords::verify(app, password, account.as_ref().map(|account| account.password.clone())).await?;
    let object = format!("sign-in/{}", hex::encode(&name[..8]));
    let mut tx = app.begin().await?;
    let Some(account) = account.filter(|_| right) else {
        audit::record(&mut tx, app, &Caller::Anyone, "sign-in-refused", &object, "wrong name or password").await?;
        tx.commit().await?;
        return Err(AccessError::Credentials);
    };
    store::forget_failures(&mut tx, &name).await?;
    let mut token = Zeroizing::new([0; 32]);
    app.rng().fill_bytes(&mut *token);
    let token = Zeroizing::new(hex::encode(*token));
    let expires_at = app.now() + app.config().session_lifetime;
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    store::open_session(&mut tx, app, &hash, &account.id, expires_at).await?;
    audit::record(&mut tx, app, &Caller::Officer(account.id), "signed-in", &object, "work").await?;
    tx.commit().await?;
    Ok(Session { token, expires_at, roles: account.roles })
}

/// Ends the session under way.
pub(super) async fn sign_out(tx: &mut Tx, app: &App, officer: &Officer) -> Result<(), AccessError> {
    store::close_session(tx, app, &officer.session_id).await?;
    audit::record(tx, app, officer, "signed-out", &format!("officer/{}", officer.id), "work").await?;
    Ok(())
}

/// A new officer. The password was hashed before the transaction began: hashing takes long, and nobody should wait for it.
///
/// # Errors
/// [`AccessError::NameTaken`]
pub async fn make_officer(
    tx: &mut Tx,
    app: &App,
    by: &Caller,
    username: &str,
    password_hash: &str,
    roles: &[Role],
    office: &OfficeCode,
) -> Result<OfficerId, AccessError> {
    let id = OfficerId(app.new_id());
    store::insert_officer(tx, app, &id, username, password_hash, roles, office).await?;
    audit::record(tx, app, by, "officer-made", &format!("officer/{id}"), "administration").await?;
    Ok(id)
}

/// Closes an officer's account at once, sessions included.
///
/// # Errors
/// [`AccessError::OfficerUnknown`], [`AccessError::OtherOffice`]
pub(super) async fn disable_officer(
    tx: &mut Tx,
    app: &App,
    by: &Officer,
    id: &OfficerId,
    reason: &str,
) -> Result<(), AccessError> {
    let office = store::office_of_officer(tx, id).await?.ok_or(AccessError::OfficerUnknown)?;
    by.may_act_for(&office)?;
    store::disable_officer(tx, app, id).await?;
    audit::record(tx, app, by, "officer-disabled", &format!("officer/{id}"), reason).await?;
    Ok(())
}

/// Enrols a station: signs its certification request with the service's TLS authority.
///
/// # Errors
/// [`AccessError::CertificationRequest`], [`AccessError::NameTaken`]
pub(super) async fn enrol_station(
    tx: &mut Tx,
    app: &App,
    by: &Officer,
    name: &str,
    office: &OfficeCode,
    request_pem: &str,
) -> Result<(StationId, String), AccessError> {
    by.may_act_for(office)?;
    let id = StationId(app.new_id());
    let certificate = app.tls_authority().station(&id.0, request_pem, app.now(), &mut app.rng())?;
    store::insert_station(tx, app, &id, name, office, &certificate).await?;
    audit::record(tx, app, by, "station-enrolled", &format!("station/{id}"), "administration").await?;
    Ok((id, certificate.pem))
}

/// Revokes a station: its next request is refused.
///
/// # Errors
/// [`AccessError::StationUnknown`], [`AccessError::OtherOffice`]
pub(super) async fn revoke_station(
    tx: &mut Tx,
    app: &App,
    by: &Officer,
    id: &StationId,
    reason: &str,
) -> Result<OffsetDateTime, AccessError> {
    let office = store::office_of_station(tx, id).await?.ok_or(AccessError::StationUnknown)?;
    by.may_act_for(&office)?;
    let at = store::revoke_station(tx, app, id, reason).await?;
    audit::record(tx, app, by, "station-revoked", &format!("station/{id}"), reason).await?;
    Ok(at)
}
