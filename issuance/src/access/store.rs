//! SQL of the access office.

pub(super) mod certificates;
pub(super) mod deputies;
pub(super) mod dissolutions;
pub(super) mod keys;
pub(super) mod lists;
pub(super) mod partners;
pub(in crate::access) mod proposals;

use time::OffsetDateTime;

use super::{AccessError, Settings};
use crate::ground::ids::{OfficerId, SessionId, StationId};
use crate::ground::{Id, OfficeCode, Officer, Role, Station, clock};
use crate::keys::IssuedCertificate;
use crate::store::{Argument, Kind, Migration, Record, Sealed, Sql, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of this office.
pub const MIGRATIONS: &[Migration] = &[
    migration!(5, "0005_access_officers_stations"),
    migration!(21, "0021_access_row_macs"),
    migration!(40, "0040_access_officer_proposals"),
    migration!(46, "0046_access_rights_row_macs"),
    migration!(67, "0067_access_station_renewals"),
    migration!(70, "0070_access_officer_certificates"),
    migration!(113, "0113_access_certified_keys"),
    migration!(114, "0114_access_certificate_renewals"),
    migration!(194, "0194_access_deputies"),
    migration!(195, "0195_access_dissolutions"),
    migration!(231, "0231_access_partners"),
    migration!(254, "0254_access_members"),
];

/// Officers carry a MAC.
pub const OFFICER: Sealed = Sealed {
    table: "officer",
    columns: &[
        ("id", Kind::Uuid),
        ("username", Kind::Text),
        ("password", Kind::Text),
        ("roles", Kind::Json),
        ("office", Kind::Text),
        ("made_at", Kind::Moment),
        ("disabled_at", Kind::Moment),
        ("token_hash", Kind::Bytes),
        ("token_until", Kind::Moment),
        ("password_due", Kind::Truth),
    ],
    keys: 1,
    one: sql!(
        "select id, username, password, roles, office, made_at, disabled_at, token_hash, token_until, password_due,
                version, mac
         from officer where id = $1"
    ),
    all: sql!(
        "select id, username, password, roles, office, made_at, disabled_at, token_hash, token_until, password_due,
                version, mac
         from officer order by id"
    ),
    set: sql!("update officer set version = $1, mac = $2 where id = $3"),
};

/// Stations carry a MAC.
pub const STATION: Sealed = Sealed {
    table: "station",
    columns: &[
        ("id", Kind::Uuid),
        ("name", Kind::Text),
        ("office", Kind::Text),
        ("fingerprint", Kind::Bytes),
        ("certificate", Kind::Bytes),
        ("made_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("revoked_at", Kind::Moment),
        ("revocation_reason", Kind::Text),
        ("next_fingerprint", Kind::Bytes),
        ("next_certificate", Kind::Bytes),
        ("next_made_at", Kind::Moment),
        ("next_expires_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, name, office, fingerprint, certificate, made_at, expires_at, revoked_at, revocation_reason,
                next_fingerprint, next_certificate, next_made_at, next_expires_at, version, mac
         from station where id = $1"
    ),
    all: sql!(
        "select id, name, office, fingerprint, certificate, made_at, expires_at, revoked_at, revocation_reason,
                next_fingerprint, next_certificate, next_made_at, next_expires_at, version, mac
         from station order by id"
    ),
    set: sql!("update station set version = $1, mac = $2 where id = $3"),
};

/// Sessions carry a MAC over all but the moment of their last use, which each request moves and which alone opens
/// nothing.
pub const SESSION: Sealed = Sealed {
    table: "session",
    columns: &[
        ("id", Kind::Uuid),
        ("token_hash", Kind::Bytes),
        ("officer_id", Kind::Uuid),
        ("opened_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("closed_at", Kind::Moment),
        ("certificate", Kind::Bytes),
    ],
    keys: 1,
    one: sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where id = $1"
    ),
    all: sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session order by id"
    ),
    set: sql!("update session set version = $1, mac = $2 where id = $3"),
};

/// What sign-in needs to know of an officer.
pub(super) struct Account {
    pub id: OfficerId,
    /// PHC string.
    pub password: String,
    pub roles: Vec<Role>,
    pub office: OfficeCode,
}

/// Counts one more attempt in this bucket (a name where it is tried). Returns the number of attempts in a row, and when
/// the last one came that counts for the lock: attempts while it holds do not prolong it, so that a lock ends. A row
/// of attempts that would end in the future was counted while the clock was ahead, and begins anew.
pub(super) async fn count_sign_in(
    tx: &mut Tx,
    settings: &Settings,
    bucket: &[u8; 32],
    now: OffsetDateTime,
) -> Result<(u32, OffsetDateTime), StoreError> {
    let lock_began = now - settings.lockout_for;
    let locking = i64::from(settings.lockout_after) + 1;
    tx.run(
        sql!(
            "insert into sign_in_failure (username_hash, failures, last_at) values ($1, 1, $2)
             on conflict (username_hash) do update set
               failures = case when sign_in_failure.last_at < $3 or sign_in_failure.last_at > $5 then 1
                               else sign_in_failure.failures + 1 end,
               last_at = case when sign_in_failure.last_at >= $3 and sign_in_failure.failures >= $4
                                   and sign_in_failure.last_at <= $5
                              then sign_in_failure.last_at else $2 end"
        ),
        args![bucket, now, lock_began, locking, now + clock::CLOCKS_DIFFER],
    )
    .await?;
    let sql = sql!("select failures, last_at, username_hash as id from sign_in_failure where username_hash = $1");
    let row = tx.one(sql, args![bucket]).await?;
    row.map_or(Ok((1, now)), |row| Ok((row.number("failures")?, row.get("last_at")?)))
}

/// Returns the session, open or ended, that this token once opened for the officer of this name.
pub(super) async fn session_once(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    username: &str,
) -> Result<Option<SessionId>, StoreError> {
    let sql = sql!(
        "select s.id from session s join officer o on o.id = s.officer_id
         where s.token_hash = $1 and o.username = $2"
    );
    tx.one(sql, args![token_hash, username]).await?.map(|row| Id::of(&row, "id")).transpose()
}

/// Ends a row of failures.
pub(super) async fn clear_failures(tx: &mut Tx, bucket: &[u8; 32]) -> Result<(), StoreError> {
    tx.run(sql!("delete from sign_in_failure where username_hash = $1"), args![bucket]).await?;
    Ok(())
}

/// Returns the open account of this name, if its owner has set a password.
pub(super) async fn account(tx: &mut Tx, username: &str) -> Result<Option<Account>, StoreError> {
    let sql = sql!(
        "select id, username, password, roles, office, made_at, disabled_at, token_hash, token_until, password_due,
                version, mac
         from officer where username = $1 and disabled_at is null"
    );
    let rows = tx.all_sealed(&OFFICER, sql, args![username]).await?;
    let Some(row) = rows.iter().find(|row| row.get::<String>("password").is_ok_and(|hash| !hash.is_empty())) else {
        return Ok(None);
    };
    Ok(Some(Account {
        id: Id::of(row, "id")?,
        password: row.get("password")?,
        roles: row.json("roles")?,
        office: row.parsed("office")?,
    }))
}

/// Returns the officer in service of this name, with office and roles.
pub(super) async fn officer_of_name(
    tx: &mut Tx,
    username: &str,
) -> Result<Option<(OfficerId, OfficeCode, Vec<Role>)>, StoreError> {
    let sql = sql!(
        "select id, username, password, roles, office, made_at, disabled_at, token_hash, token_until, password_due,
                version, mac
         from officer where username = $1 and disabled_at is null"
    );
    let rows = tx.all_sealed(&OFFICER, sql, args![username]).await?;
    rows.first().map(|row| Ok((Id::of(row, "id")?, row.parsed("office")?, row.json("roles")?))).transpose()
}

/// Inserts a new account.
pub(super) async fn insert_officer(
    tx: &mut Tx,
    id: OfficerId,
    username: &str,
    password_hash: &str,
    roles: &[Role],
    office: &OfficeCode,
    at: OffsetDateTime,
) -> Result<(), AccessError> {
    let made = tx
        .run(
            sql!(
                "insert into officer (id, username, password, roles, office, made_at) values ($1, $2, $3, $4, $5, $6)
                 on conflict (username) do nothing"
            ),
            args![id, username, password_hash, Argument::json(&roles), office, at],
        )
        .await?;
    if made != 1 {
        return Err(AccessError::NameTaken);
    }
    Ok(tx.seal(&OFFICER, id).await?)
}

/// Returns the office where an officer works.
pub(super) async fn office_of_officer(tx: &mut Tx, id: OfficerId) -> Result<Option<OfficeCode>, StoreError> {
    let row = tx.sealed_locked(&OFFICER, id).await?;
    row.map(|row| row.parsed("office")).transpose()
}

/// Returns office and roles of an officer; `None` if the officer is unknown or disabled.
pub(super) async fn post_of_officer(tx: &mut Tx, id: OfficerId) -> Result<Option<(OfficeCode, Vec<Role>)>, StoreError> {
    let Some(row) = tx.sealed(&OFFICER, id).await? else { return Ok(None) };
    let disabled: Option<OffsetDateTime> = row.get("disabled_at")?;
    disabled.is_none().then(|| Ok((row.parsed("office")?, row.json("roles")?))).transpose()
}

/// Returns office and roles of an officer, disabled or not, kept from other writers; `None` if the officer is unknown.
pub(super) async fn post_of_any_officer(
    tx: &mut Tx,
    id: OfficerId,
) -> Result<Option<(OfficeCode, Vec<Role>)>, StoreError> {
    let row = tx.sealed_locked(&OFFICER, id).await?;
    row.map(|row| Ok((row.parsed("office")?, row.json("roles")?))).transpose()
}

/// Closes an officer's account; its sessions end with it, and its certificates for good.
pub(super) async fn disable_officer(tx: &mut Tx, id: OfficerId, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!("update officer set disabled_at = coalesce(disabled_at, $1) where id = $2");
    tx.change(&OFFICER, id, sql, args![at, id]).await?;
    certificates::revoke_all(tx, id, "the officer's access was ended", at).await
}

/// Returns the officer whose one-time token this is, if it still works.
pub(super) async fn officer_of_token(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<OfficerId>, StoreError> {
    let sql = sql!("select id from officer where token_hash = $1");
    let Some(row) = tx.one(sql, args![token_hash]).await? else { return Ok(None) };
    let id: OfficerId = Id::of(&row, "id")?;
    let Some(officer) = tx.sealed_locked(&OFFICER, id).await? else { return Ok(None) };
    let (hash, until): (Option<Vec<u8>>, Option<OffsetDateTime>) =
        (officer.get("token_hash")?, officer.get("token_until")?);
    let disabled: Option<OffsetDateTime> = officer.get("disabled_at")?;
    let works = hash.as_deref() == Some(token_hash) && until.is_some_and(|until| until > now) && disabled.is_none();
    Ok(works.then_some(id))
}

/// Sets a password that its owner chose; a one-time token is used up.
pub(super) async fn set_password(tx: &mut Tx, id: OfficerId, hash: &str) -> Result<(), StoreError> {
    let sql = sql!(
        "update officer set password = $1, password_due = $2, token_hash = null, token_until = null where id = $3"
    );
    tx.change(&OFFICER, id, sql, args![hash, false, id]).await?;
    Ok(())
}

/// Has the owner change the password before anything else.
pub(super) async fn password_due(tx: &mut Tx, id: OfficerId) -> Result<(), StoreError> {
    tx.change(&OFFICER, id, sql!("update officer set password_due = $1 where id = $2"), args![true, id]).await?;
    Ok(())
}

/// Returns the hash of an officer's password.
pub(super) async fn password_of(tx: &mut Tx, id: OfficerId) -> Result<Option<String>, StoreError> {
    let row = tx.sealed(&OFFICER, id).await?;
    row.map(|row| row.get("password")).transpose()
}

/// Ends every session: a session that ended after a backup must not live again.
///
/// # Errors
/// [`StoreError`]
pub async fn close_all_sessions(tx: &mut Tx, at: OffsetDateTime) -> Result<(), StoreError> {
    let found = sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where closed_at is null"
    );
    end_sessions(tx, found, args![], at).await
}

/// Ends the sessions of an officer but for this one.
pub(super) async fn close_other_sessions(
    tx: &mut Tx,
    officer: OfficerId,
    kept: SessionId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let found = sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where officer_id = $1 and id <> $2 and closed_at is null"
    );
    end_sessions(tx, found, args![officer, kept], at).await
}

/// Ends all sessions of an officer.
pub(super) async fn close_sessions(tx: &mut Tx, officer: OfficerId, at: OffsetDateTime) -> Result<(), StoreError> {
    let found = sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where officer_id = $1 and closed_at is null"
    );
    end_sessions(tx, found, args![officer], at).await
}

/// Ends the sessions that a statement finds. One that another hand wrote or changed is no session, and stays as it is.
async fn end_sessions(tx: &mut Tx, found: Sql, arguments: Vec<Argument>, at: OffsetDateTime) -> Result<(), StoreError> {
    let rows: Vec<SessionId> =
        tx.all(found, arguments).await?.iter().map(|row| Id::of(row, "id")).collect::<Result<_, _>>()?;
    for id in rows {
        match close_session(tx, id, at).await {
            Err(error @ StoreError::Tampered { .. }) => tracing::error!(%error, "a session is refused"),
            done => done?,
        }
    }
    Ok(())
}

/// Inserts a new session, bound to a certificate if one was shown.
pub(super) async fn open_session(
    tx: &mut Tx,
    id: SessionId,
    token_hash: &[u8; 32],
    officer: OfficerId,
    certificate: Option<&[u8; 32]>,
    (at, expires_at): (OffsetDateTime, OffsetDateTime),
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at, certificate)
             values ($1, $2, $3, $4, $4, $5, $6)"
        ),
        args![id, token_hash, officer, at, expires_at, certificate.map(|certificate| certificate.to_vec())],
    )
    .await?;
    tx.seal(&SESSION, id).await
}

/// A live session.
pub(super) struct LiveSession {
    pub officer: Officer,
    /// Name of the account.
    pub username: String,
    pub seen_at: OffsetDateTime,
    /// The password is changed before anything else.
    pub password_due: bool,
    /// The certificate without which the token opens nothing.
    pub certificate: Option<[u8; 32]>,
}

/// Returns the certificate that an open session is bound to.
pub(super) async fn certificate_of(tx: &mut Tx, session: SessionId) -> Result<Option<[u8; 32]>, StoreError> {
    tx.sealed(&SESSION, session).await?.map_or(Ok(None), |row| bound_to(&row))
}

/// Returns a live session.
pub(super) async fn session(
    tx: &mut Tx,
    settings: &Settings,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<LiveSession>, StoreError> {
    let sql = sql!(
        "select s.id, s.token_hash, s.officer_id, s.opened_at, s.seen_at, s.expires_at, s.closed_at, s.certificate,
                s.version, s.mac, o.id as o_id, o.username as o_username, o.password as o_password, o.roles as o_roles,
                o.office as o_office, o.made_at as o_made_at, o.disabled_at as o_disabled_at,
                o.token_hash as o_token_hash, o.token_until as o_token_until, o.password_due as o_password_due,
                o.version as o_version, o.mac as o_mac,
                (select count(*) from stand_in d where d.officer_id = o.id or d.stands_for = o.id) as deputies,
                (select count(*) from dissolution e where e.successor = o.office) as successions
         from session s left join officer o on o.id = s.officer_id where s.token_hash = $1"
    );
    let found = tx.sealed_with(&SESSION, (&OFFICER, "o_"), sql, args![token_hash]).await?;
    let Some((row, account)) = found else { return Ok(None) };
    let (expires_at, seen_at): (OffsetDateTime, OffsetDateTime) = (row.get("expires_at")?, row.get("seen_at")?);
    if !is_open(&row, now)? || expires_at <= now || seen_at <= now - settings.session_idle {
        return Ok(None);
    }
    let id: OfficerId = Id::of(&row, "officer_id")?;
    let certificate = bound_to(&row)?;
    if !certificate_holds(tx, certificate.as_ref(), id, now).await? {
        return Ok(None);
    }
    let Some(account) = account? else { return Ok(None) };
    let Some(officer) = at_work(tx, &row, &account, now).await? else { return Ok(None) };
    let (username, password_due) = (account.get("username")?, account.get("password_due")?);
    Ok(Some(LiveSession { officer, username, seen_at, password_due, certificate }))
}

/// Returns the certificate that a session is bound to.
fn bound_to(row: &Record) -> Result<Option<[u8; 32]>, StoreError> {
    let certificate: Option<Vec<u8>> = row.get("certificate")?;
    certificate.map(TryInto::try_into).transpose().map_err(|_| row.inconsistent("certificate"))
}

/// True if a session is bound to no certificate, or to one that is still its officer's.
async fn certificate_holds(
    tx: &mut Tx,
    certificate: Option<&[u8; 32]>,
    officer: OfficerId,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let Some(certificate) = certificate else { return Ok(true) };
    certificates::is_in_use(tx, certificate, officer, now).await
}

/// True if the session was not ended, and began before now: one of tomorrow was opened while the clock was wrong.
fn is_open(row: &Record, now: OffsetDateTime) -> Result<bool, StoreError> {
    let closed: Option<OffsetDateTime> = row.get("closed_at")?;
    Ok(closed.is_none() && row.get::<OffsetDateTime>("opened_at")? <= now + clock::CLOCKS_DIFFER)
}

/// Returns the officer of a session as the account is now, if it is not disabled, with what is lent to the officer and
/// the offices whose place the officer's took.
async fn at_work(
    tx: &mut Tx,
    session: &Record,
    account: &Record,
    now: OffsetDateTime,
) -> Result<Option<Officer>, StoreError> {
    if account.get::<Option<OffsetDateTime>>("disabled_at")?.is_some() {
        return Ok(None);
    }
    let (id, office, roles) = (Id::of(session, "officer_id")?, account.parsed("office")?, account.json("roles")?);
    let mut officer = Officer::new(id, office, roles, Id::of(session, "id")?);
    // Seldom there is one, and the look at most sessions stays one statement.
    if session.get::<i64>("deputies")? > 0 {
        super::deputies::lend(tx, &mut officer, now).await?;
    }
    if session.get::<i64>("successions")? > 0 {
        officer.successor_of = super::dissolutions::predecessors(tx, &officer.office).await?;
    }
    Ok(Some(officer))
}

/// True if the session of an officer whom the gate let in is still open, and roles and office are the ones with which
/// the officer was let in.
pub(super) async fn is_still_in(tx: &mut Tx, officer: &Officer, now: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = sql!(
        "select s.id, s.token_hash, s.officer_id, s.opened_at, s.seen_at, s.expires_at, s.closed_at, s.certificate,
                s.version, s.mac, o.id as o_id, o.username as o_username, o.password as o_password, o.roles as o_roles,
                o.office as o_office, o.made_at as o_made_at, o.disabled_at as o_disabled_at,
                o.token_hash as o_token_hash, o.token_until as o_token_until, o.password_due as o_password_due,
                o.version as o_version, o.mac as o_mac,
                (select count(*) from stand_in d where d.officer_id = o.id or d.stands_for = o.id) as deputies,
                (select count(*) from dissolution e where e.successor = o.office) as successions
         from session s left join officer o on o.id = s.officer_id where s.id = $1"
    );
    let found = tx.sealed_with(&SESSION, (&OFFICER, "o_"), sql, args![officer.session]).await?;
    let Some((row, account)) = found else { return Ok(false) };
    if !is_open(&row, now)? || OfficerId::of(&row, "officer_id")? != officer.id {
        return Ok(false);
    }
    if !certificate_holds(tx, bound_to(&row)?.as_ref(), officer.id, now).await? {
        return Ok(false);
    }
    let Some(account) = account? else { return Ok(false) };
    let now = at_work(tx, &row, &account, now).await?;
    Ok(now.is_some_and(|now| now.office == officer.office && now.roles == officer.roles))
}

/// Keeps the row of an officer from other writers until the transaction ends: what is counted of one officer is then
/// counted by one at a time, also of several processes.
///
/// # Errors
/// [`StoreError`]
pub async fn hold_officer(tx: &mut Tx, id: OfficerId) -> Result<(), StoreError> {
    tx.one_locked(sql!("select id from officer where id = $1"), args![id]).await.map(drop)
}

/// True if a station that the gate let in is not revoked since, and stands where it stood.
pub(super) async fn is_still_enrolled(tx: &mut Tx, station: &Station) -> Result<bool, StoreError> {
    Ok(office_of_station_in_use(tx, station.id).await?.is_some_and(|office| office == station.office))
}

/// Moves the idle limit of a session.
pub(super) async fn session_seen(tx: &mut Tx, id: SessionId, at: OffsetDateTime) -> Result<(), StoreError> {
    tx.run(sql!("update session set seen_at = $1 where id = $2"), args![at, id]).await?;
    Ok(())
}

/// Ends a session.
pub(super) async fn close_session(tx: &mut Tx, id: SessionId, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!("update session set closed_at = $1 where id = $2 and closed_at is null");
    tx.change(&SESSION, id, sql, args![at, id]).await?;
    Ok(())
}

/// Inserts a new station.
pub(super) async fn insert_station(
    tx: &mut Tx,
    id: StationId,
    name: &str,
    office: &OfficeCode,
    certificate: &IssuedCertificate,
    at: OffsetDateTime,
) -> Result<(), AccessError> {
    let made = tx
        .run(
            sql!(
                "insert into station (id, name, office, fingerprint, certificate, made_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (name) do nothing"
            ),
            args![id, name, office, certificate.fingerprint(), &certificate.der, at, certificate.not_after],
        )
        .await?;
    if made != 1 {
        return Err(AccessError::NameTaken);
    }
    Ok(tx.seal(&STATION, id).await?)
}

/// Returns the office where a station stands, revoked or not.
pub(super) async fn office_of_any_station(tx: &mut Tx, id: StationId) -> Result<Option<OfficeCode>, StoreError> {
    let row = tx.sealed_locked(&STATION, id).await?;
    row.map(|row| row.parsed("office")).transpose()
}

/// Returns the office where a station stands; `None` if it is unknown or revoked.
pub(super) async fn office_of_station_in_use(tx: &mut Tx, id: StationId) -> Result<Option<OfficeCode>, StoreError> {
    let Some(row) = tx.sealed(&STATION, id).await? else { return Ok(None) };
    let revoked: Option<OffsetDateTime> = row.get("revoked_at")?;
    revoked.is_none().then(|| row.parsed("office")).transpose()
}

/// Revokes a station for good. Returns the moment of its (first) revocation.
pub(super) async fn revoke_station(
    tx: &mut Tx,
    id: StationId,
    reason: &str,
    at: OffsetDateTime,
) -> Result<OffsetDateTime, AccessError> {
    let sql = sql!("update station set revoked_at = $1, revocation_reason = $2 where id = $3 and revoked_at is null");
    tx.change(&STATION, id, sql, args![at, reason, id]).await?;
    let row = tx.sealed(&STATION, id).await?;
    Ok(row.ok_or(AccessError::StationUnknown)?.get("revoked_at")?)
}

/// The station that a certificate was issued to.
pub(super) struct Shown {
    pub station: Station,
    /// When the certificate ends.
    pub expires_at: OffsetDateTime,
    /// Whether it is the next one, which is used for the first time.
    pub is_next: bool,
}

/// Returns the station that this certificate was issued to, unless it is revoked.
pub(super) async fn station_by_certificate(tx: &mut Tx, fingerprint: &[u8; 32]) -> Result<Shown, AccessError> {
    let sql = sql!(
        "select id, name, office, fingerprint, certificate, made_at, expires_at, revoked_at, revocation_reason,
                next_fingerprint, next_certificate, next_made_at, next_expires_at, version, mac
         from station where fingerprint = $1 or next_fingerprint = $1"
    );
    let rows = tx.all_sealed(&STATION, sql, args![fingerprint]).await?;
    let row = rows.first().ok_or(AccessError::CertificateUnknown)?;
    if row.get::<Option<OffsetDateTime>>("revoked_at")?.is_some() {
        return Err(AccessError::StationRevoked);
    }
    let is_next = row.array::<32>("fingerprint")? != *fingerprint;
    let expires_at = row.get(if is_next { "next_expires_at" } else { "expires_at" })?;
    let station = Station { id: Id::of(row, "id")?, name: row.get("name")?, office: row.parsed("office")? };
    Ok(Shown { station, expires_at, is_next })
}

/// Returns when the next certificate of a station was made, if there is one that was not used yet; kept from other
/// writers.
pub(super) async fn renewal_of(tx: &mut Tx, id: StationId) -> Result<Option<OffsetDateTime>, StoreError> {
    let row = tx.sealed_locked(&STATION, id).await?;
    row.map_or(Ok(None), |row| row.get("next_made_at"))
}

/// Keeps the next certificate of a station beside the present one.
pub(super) async fn keep_next(
    tx: &mut Tx,
    id: StationId,
    certificate: &IssuedCertificate,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update station set next_fingerprint = $1, next_certificate = $2, next_made_at = $3, next_expires_at = $4
         where id = $5"
    );
    let of = args![certificate.fingerprint(), &certificate.der, at, certificate.not_after, id];
    tx.change(&STATION, id, sql, of).await?;
    Ok(())
}

/// Puts the next certificate of a station in the place of the present one. Returns false if that was done already.
pub(super) async fn take_next(tx: &mut Tx, id: StationId, fingerprint: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = sql!(
        "update station set fingerprint = next_fingerprint, certificate = next_certificate,
                            expires_at = next_expires_at, next_fingerprint = null, next_certificate = null,
                            next_made_at = null, next_expires_at = null
         where id = $1 and next_fingerprint = $2"
    );
    Ok(tx.change(&STATION, id, sql, args![id, fingerprint]).await? == 1)
}

/// True if there is an officer.
pub(super) async fn any_officer(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tx.one(sql!("select id from officer limit 1"), vec![]).await?.is_some())
}

/// Ends proposals that ran out; deletes rows of failures that no lock needs any more, and sessions that ended a month
/// ago.
pub(crate) async fn purge_expired(
    tx: &mut Tx,
    now: OffsetDateTime,
    sessions: time::Duration,
) -> Result<(), StoreError> {
    tx.run(sql!("delete from sign_in_failure where last_at < $1"), args![now - time::Duration::days(1)]).await?;
    super::proposals::expire(tx, now).await?;
    tx.run(sql!("delete from session where expires_at < $1"), args![now - sessions]).await?;
    Ok(())
}

/// Deletes some of the sessions that ended before this moment. Returns how many.
pub(crate) async fn purge_some_sessions(tx: &mut Tx, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let sql =
        sql!("delete from session where id in (select id from session where expires_at < $1 order by id limit $2)");
    tx.run(sql, args![before, most]).await
}

/// Returns how many sessions ended before this moment.
pub(crate) async fn sessions_before(tx: &mut Tx, before: OffsetDateTime) -> Result<u64, StoreError> {
    let row = tx.one(sql!("select count(*) as n from session where expires_at < $1"), args![before]).await?;
    row.map_or(Ok(0), |row| row.number("n"))
}

/// Returns name, office and end of the certificate of each station that is not revoked, by that end.
///
/// # Errors
/// [`StoreError`]
pub async fn stations_in_use(tx: &mut Tx) -> Result<Vec<(String, String, OffsetDateTime)>, StoreError> {
    let sql = sql!("select name, office, expires_at from station where revoked_at is null order by expires_at, name");
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("name")?, row.get("office")?, row.get("expires_at")?))).collect()
}

/// Returns the officers in service of an office with their roles, as their rows say, each with whether the officer is
/// someone's deputy who may have been lent others.
pub(super) async fn officers_of(
    tx: &mut Tx,
    office: &str,
    now: OffsetDateTime,
) -> Result<Vec<(OfficerId, Vec<Role>, bool)>, StoreError> {
    let sql = sql!(
        "select o.id, o.roles, (select count(*) from stand_in d where d.officer_id = o.id and d.ends_at > $2) as lent
         from officer o where o.office = $1 and o.disabled_at is null order by o.id"
    );
    let rows = tx.all(sql, args![office, now]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "id")?, row.json("roles")?, row.get::<i64>("lent")? > 0))).collect()
}

/// Returns office and roles of each officer in service, as their rows say.
///
/// # Errors
/// [`StoreError`]
pub async fn posts_in_service(tx: &mut Tx) -> Result<Vec<(OfficeCode, Vec<Role>)>, StoreError> {
    let sql = sql!("select office, roles from officer where disabled_at is null order by office, id");
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.parsed("office")?, row.json("roles")?))).collect()
}
