//! SQL of the proposals about officers.

use time::{Duration, OffsetDateTime};

use super::{OFFICER, SESSION};
use crate::access::proposals::{Listed, Proposal};
use crate::ground::ids::{OfficerId, ProposalId};
use crate::ground::{Id, OfficeCode, Role};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Proposals about officers carry a MAC: each can make an administrator.
pub const PROPOSAL: Sealed = Sealed {
    table: "officer_proposal",
    columns: &[
        ("id", Kind::Uuid),
        ("officer_id", Kind::Uuid),
        ("office", Kind::Text),
        ("roles", Kind::Json),
        ("change", Kind::Json),
        ("reason", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("expires_at", Kind::Moment),
        ("effective_at", Kind::Moment),
        ("token_hash", Kind::Bytes),
        ("outcome", Kind::Text),
        ("decided_by", Kind::Uuid),
        ("decided_at", Kind::Moment),
        ("shown_for", Kind::Integer),
        ("shown_at", Kind::Moment),
        ("administrator_seen_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, officer_id, office, roles, change, reason, proposed_by, proposed_at, expires_at, effective_at,
                token_hash, outcome, decided_by, decided_at, shown_for, shown_at, administrator_seen_at, version, mac
         from officer_proposal where id = $1"
    ),
    all: sql!(
        "select id, officer_id, office, roles, change, reason, proposed_by, proposed_at, expires_at, effective_at,
                token_hash, outcome, decided_by, decided_at, shown_for, shown_at, administrator_seen_at, version, mac
         from officer_proposal order by id"
    ),
    set: sql!("update officer_proposal set version = $1, mac = $2 where id = $3"),
};

/// Lets one deed at a time decide about officers: the oldest account stands for all of them, so that two
/// administrators who disable each other at the same moment do not both find the other one there.
pub(in crate::access) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    tx.one_locked(sql!("select id from officer order by made_at, id limit 1"), args![]).await?;
    Ok(())
}

pub(in crate::access) async fn insert(tx: &mut Tx, proposal: &Proposal) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into officer_proposal (id, officer_id, office, change, reason, proposed_by, proposed_at, expires_at,
                                           effective_at, token_hash, roles)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        args![
            proposal.id,
            proposal.officer,
            &proposal.office,
            Argument::json(&proposal.change),
            &proposal.reason,
            proposal.by,
            proposal.at,
            proposal.expires_at,
            proposal.effective_at,
            proposal.token_hash.map(|hash| hash.to_vec()),
            proposal.roles.as_ref().map_or(Argument::Json(None), Argument::json)
        ],
    )
    .await?;
    tx.seal(&PROPOSAL, proposal.id).await
}

/// Returns a proposal that is not decided, kept from other writers.
pub(in crate::access) async fn locked(tx: &mut Tx, id: ProposalId) -> Result<Option<Proposal>, StoreError> {
    let row = tx.sealed_locked(&PROPOSAL, id).await?;
    let row = row.filter(|row| row.get::<Option<String>>("outcome").is_ok_and(|outcome| outcome.is_none()));
    row.map(|row| read(&row)).transpose()
}

/// Returns the proposals that can be decided, oldest first, and the keys of those that another hand wrote or changed:
/// one of them must not hide the others.
pub(in crate::access) async fn all_open(
    tx: &mut Tx,
    now: OffsetDateTime,
) -> Result<(Vec<Proposal>, Vec<ProposalId>), StoreError> {
    let sql = sql!(
        "select id, officer_id, office, roles, change, reason, proposed_by, proposed_at, expires_at, effective_at,
                token_hash, outcome, decided_by, decided_at, shown_for, shown_at, administrator_seen_at, version, mac
         from officer_proposal where outcome is null and expires_at > $1 order by proposed_at, id"
    );
    let (mut open, mut strange) = (Vec::new(), Vec::new());
    for (row, holds) in tx.all_judged(&PROPOSAL, sql, args![now]).await? {
        if holds {
            open.push(read(&row)?);
        } else {
            strange.push(Id::of(&row, "id")?);
        }
    }
    Ok((open, strange))
}

/// Notes for how long the service has shown the alarm of a proposal.
pub(in crate::access) async fn shown(
    tx: &mut Tx,
    id: ProposalId,
    shown_for: Duration,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update officer_proposal set shown_for = $1, shown_at = $2 where id = $3");
    tx.change(&PROPOSAL, id, sql, args![shown_for.whole_seconds(), at, id]).await?;
    Ok(())
}

/// Notes since when a proposal waits for an administrator who was seen at work; none: it waits no longer.
pub(in crate::access) async fn administrator_seen(
    tx: &mut Tx,
    id: ProposalId,
    at: Option<OffsetDateTime>,
) -> Result<(), StoreError> {
    let sql = sql!("update officer_proposal set administrator_seen_at = $1 where id = $2");
    tx.change(&PROPOSAL, id, sql, args![at, id]).await?;
    Ok(())
}

pub(in crate::access) async fn decide(
    tx: &mut Tx,
    id: ProposalId,
    outcome: &str,
    by: Option<OfficerId>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update officer_proposal set outcome = $1, decided_by = $2, decided_at = $3 where id = $4");
    tx.change(&PROPOSAL, id, sql, args![outcome, by, at, id]).await?;
    Ok(())
}

/// Ends the proposals that were not decided in time.
pub(in crate::access) async fn expire(tx: &mut Tx, now: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "select id, officer_id, office, roles, change, reason, proposed_by, proposed_at, expires_at, effective_at,
                token_hash, outcome, decided_by, decided_at, shown_for, shown_at, administrator_seen_at, version, mac
         from officer_proposal where outcome is null and expires_at <= $1"
    );
    for (row, holds) in tx.all_judged(&PROPOSAL, sql, args![now]).await? {
        // One of another hand stays as it is, and is refused as long as it is there.
        if holds {
            decide(tx, Id::of(&row, "id")?, "expired", None, now).await?;
        }
    }
    Ok(())
}

/// Deletes officers whose appointment was withdrawn or ran out, so that their names are free again. Such an officer
/// never had a token, and so never did anything. A row that was changed by another hand stays, and the log names it.
pub(in crate::access) async fn forget_unappointed(tx: &mut Tx) -> Result<(), StoreError> {
    let ended = sql!(
        "select id from officer where id in
             (select officer_id from officer_proposal
              where outcome in ('withdrawn', 'expired') and cast(change as text) like '%\"appoint\"%')"
    );
    for row in tx.all(ended, args![]).await? {
        let id: OfficerId = Id::of(&row, "id")?;
        let officer = match tx.sealed_locked(&OFFICER, id).await {
            Ok(officer) => officer,
            Err(error @ StoreError::Tampered { .. }) => {
                tracing::error!(%error, "an officer whose appointment ended stays: the row was changed by another hand");
                continue;
            }
            Err(error) => return Err(error),
        };
        let Some(officer) = officer else { continue };
        let token: Option<Vec<u8>> = officer.get("token_hash")?;
        if officer.get::<String>("password")?.is_empty() && token.is_none() {
            tx.run(sql!("delete from officer where id = $1"), args![id]).await?;
        }
    }
    Ok(())
}

/// True if the officer is an administrator who was not disabled.
pub(in crate::access) async fn is_administrator(tx: &mut Tx, id: OfficerId) -> Result<bool, StoreError> {
    tx.sealed(&OFFICER, id).await?.map_or(Ok(false), |row| administers(&row))
}

/// Returns how many administrators other than this one could confirm something about an officer of `office`: who
/// have a password, or a token with which they set one.
pub(in crate::access) async fn others_who_confirm(
    tx: &mut Tx,
    id: OfficerId,
    office: &OfficeCode,
    now: OffsetDateTime,
) -> Result<usize, StoreError> {
    let (administrators, strange) = other_administrators(tx, id).await?;
    // Another hand may have hidden one: who is alone appoints alone, so this errs on the side of two.
    let mut count = strange;
    for row in administrators {
        let own: OfficeCode = row.parsed("office")?;
        let until: Option<OffsetDateTime> = row.get("token_until")?;
        let signs_in = !row.get::<String>("password")?.is_empty() || until.is_some_and(|until| until > now);
        count += usize::from(signs_in && (own == *office || own == OfficeCode::national()));
    }
    Ok(count)
}

/// Returns the other administrators who were not disabled, and how many other officers have a row that another hand
/// changed: none of them counts as an administrator, and none blocks the others.
async fn other_administrators(tx: &mut Tx, id: OfficerId) -> Result<(Vec<Record>, usize), StoreError> {
    let (mut others, mut strange) = (Vec::new(), 0);
    for (row, holds) in tx.judged_rows(&OFFICER).await? {
        if OfficerId::of(&row, "id")? == id {
            continue;
        }
        if !holds {
            strange += 1;
        } else if administers(&row)? {
            others.push(row);
        }
    }
    Ok((others, strange))
}

fn administers(row: &Record) -> Result<bool, StoreError> {
    let disabled: Option<OffsetDateTime> = row.get("disabled_at")?;
    Ok(disabled.is_none() && row.json::<Vec<Role>>("roles")?.contains(&Role::Admin))
}

/// True if an administrator who may decide about the proposal used the service since it was made, with as many factors
/// as the policy wants, and could still sign in so. Sessions and officers whose rows another hand changed do not count,
/// nor does a password alone where two factors are wanted, nor an administrator of another office: none of them can
/// decide.
pub(in crate::access) async fn administrator_was_here(
    tx: &mut Tx,
    factors: u8,
    proposal: &Proposal,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, token_hash, officer_id, opened_at, seen_at, expires_at, closed_at, certificate,
                version, mac
         from session where seen_at >= $1 order by officer_id"
    );
    for (row, holds) in tx.all_judged(&SESSION, sql, args![proposal.at]).await? {
        let id: OfficerId = Id::of(&row, "officer_id")?;
        if holds && (factors < 2 || super::bound_to(&row)?.is_some()) && decides(tx, factors, id, proposal, now).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if the officer is an administrator who can sign in as the policy wants and acts for the office of the proposal.
async fn decides(
    tx: &mut Tx,
    factors: u8,
    id: OfficerId,
    proposal: &Proposal,
    now: OffsetDateTime,
) -> Result<bool, StoreError> {
    let row = match tx.sealed(&OFFICER, id).await {
        Err(StoreError::Tampered { .. }) => return Ok(false),
        row => row?,
    };
    let Some(row) = row else { return Ok(false) };
    if !administers(&row)? {
        return Ok(false);
    }
    let own: OfficeCode = row.parsed("office")?;
    let acts = own == proposal.office || own == OfficeCode::national();
    Ok(acts && signs_in(tx, factors, &row, now).await?)
}

/// True if the officer of this row has what the policy wants for signing in: a password, and where two factors are
/// wanted a certificate.
async fn signs_in(tx: &mut Tx, factors: u8, row: &Record, now: OffsetDateTime) -> Result<bool, StoreError> {
    let password = !row.get::<String>("password")?.is_empty();
    Ok(password && (factors < 2 || super::certificates::has_one(tx, Id::of(row, "id")?, now).await?))
}

/// Returns the administrators of the national office who can sign in as the policy wants.
pub(in crate::access) async fn national_administrators(
    tx: &mut Tx,
    factors: u8,
    now: OffsetDateTime,
) -> Result<Vec<OfficerId>, StoreError> {
    let mut able = Vec::new();
    for (row, holds) in tx.judged_rows(&OFFICER).await? {
        let counts = holds && administers(&row)? && row.parsed::<OfficeCode>("office")? == OfficeCode::national();
        if counts && signs_in(tx, factors, &row, now).await? {
            able.push(Id::of(&row, "id")?);
        }
    }
    Ok(able)
}

/// Ends the access of an officer whose row another hand changed: nothing that it says is believed, and what is sealed
/// is an account without roles, password and token that was disabled. Returns false if the row holds.
pub(in crate::access) async fn lock_tampered(
    tx: &mut Tx,
    id: OfficerId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    match tx.sealed_locked(&OFFICER, id).await {
        Err(StoreError::Tampered { .. }) => {}
        other => return other.map(|_| false),
    }
    let sql = sql!(
        "update officer set password = '', roles = $1, made_at = $2, disabled_at = $2, token_hash = null,
                token_until = null, password_due = $3
         where id = $4"
    );
    tx.run(sql, args![Argument::json(&Vec::<Role>::new()), at, false, id]).await?;
    tx.seal(&OFFICER, id).await?;
    super::close_sessions(tx, id, at).await?;
    super::certificates::revoke_all(tx, id, "the officer's row was changed by another hand", at).await?;
    Ok(true)
}

/// Returns the officer of this name.
pub(in crate::access) async fn named(tx: &mut Tx, username: &str) -> Result<Option<OfficerId>, StoreError> {
    let row = tx.one(sql!("select id from officer where username = $1"), args![username]).await?;
    row.map(|row| Id::of(&row, "id")).transpose()
}

/// Returns all officers, by name. A row that was changed by another hand is shown with nothing that it says but its
/// name.
pub(in crate::access) async fn listed(tx: &mut Tx) -> Result<Vec<Listed>, StoreError> {
    let mut listed = Vec::new();
    for (row, holds) in tx.judged_rows(&OFFICER).await? {
        let (id, username) = (Id::of(&row, "id")?, row.get("username")?);
        let (post, state) = if holds {
            let disabled: Option<OffsetDateTime> = row.get("disabled_at")?;
            let state = match (disabled, row.get::<String>("password")?.is_empty()) {
                (Some(_), _) => "disabled",
                (None, false) => "open",
                (None, true) => "without-password",
            };
            (Some((row.json("roles")?, row.parsed("office")?)), state)
        } else {
            (None, "changed-by-another-hand")
        };
        listed.push(Listed { id, username, post, state });
    }
    listed.sort_by(|one, other| one.username.cmp(&other.username));
    Ok(listed)
}

pub(in crate::access) async fn enable(tx: &mut Tx, id: OfficerId) -> Result<(), StoreError> {
    tx.change(&OFFICER, id, sql!("update officer set disabled_at = null where id = $1"), args![id]).await?;
    Ok(())
}

pub(in crate::access) async fn set_office(tx: &mut Tx, id: OfficerId, office: &OfficeCode) -> Result<(), StoreError> {
    tx.change(&OFFICER, id, sql!("update officer set office = $1 where id = $2"), args![office, id]).await?;
    Ok(())
}

pub(in crate::access) async fn set_roles(tx: &mut Tx, id: OfficerId, roles: &[Role]) -> Result<(), StoreError> {
    tx.change(&OFFICER, id, sql!("update officer set roles = $1 where id = $2"), args![Argument::json(&roles), id])
        .await?;
    Ok(())
}

/// Takes the password away and ends the sessions; the token with this fingerprint sets another one.
pub(in crate::access) async fn close_password(
    tx: &mut Tx,
    id: OfficerId,
    token_hash: &[u8; 32],
    until: OffsetDateTime,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update officer set password = '', token_hash = $1, token_until = $2 where id = $3");
    tx.change(&OFFICER, id, sql, args![token_hash, until, id]).await?;
    super::close_sessions(tx, id, at).await
}

fn read(row: &Record) -> Result<Proposal, StoreError> {
    let token_hash: Option<Vec<u8>> = row.get("token_hash")?;
    Ok(Proposal {
        id: Id::of(row, "id")?,
        officer: Id::of(row, "officer_id")?,
        office: row.parsed("office")?,
        change: row.json("change")?,
        reason: row.get("reason")?,
        by: Id::of_optional(row, "proposed_by")?,
        at: row.get("proposed_at")?,
        expires_at: row.get("expires_at")?,
        effective_at: row.get("effective_at")?,
        roles: row.get::<Option<serde_json::Value>>("roles")?.map(|_| row.json("roles")).transpose()?,
        shown_for: Duration::seconds(row.get::<Option<i64>>("shown_for")?.unwrap_or(0)),
        shown_at: row.get("shown_at")?,
        administrator_seen_at: row.get("administrator_seen_at")?,
        token_hash: token_hash.map(TryInto::try_into).transpose().map_err(|_| row.inconsistent("token_hash"))?,
    })
}
