//! SQL of the proposals about officers.

use time::OffsetDateTime;

use super::OFFICER;
use crate::access::proposals::{Listed, Proposal};
use crate::ground::ids::{OfficerId, ProposalId};
use crate::ground::{Id, OfficeCode, Role};
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

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
                                           effective_at, token_hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
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
            proposal.token_hash.map(|hash| hash.to_vec())
        ],
    )
    .await?;
    Ok(())
}

/// Returns a proposal that is not decided, kept from other writers.
pub(in crate::access) async fn locked(tx: &mut Tx, id: ProposalId) -> Result<Option<Proposal>, StoreError> {
    let sql = sql!(
        "select id, officer_id, office, change, reason, proposed_by, proposed_at, expires_at, effective_at, token_hash
         from officer_proposal where id = $1 and outcome is null"
    );
    tx.one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// Returns the proposals that can be decided, oldest first.
pub(in crate::access) async fn all_open(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Proposal>, StoreError> {
    let sql = sql!(
        "select id, officer_id, office, change, reason, proposed_by, proposed_at, expires_at, effective_at, token_hash
         from officer_proposal where outcome is null and expires_at > $1 order by proposed_at, id"
    );
    tx.all(sql, args![now]).await?.iter().map(read).collect()
}

pub(in crate::access) async fn decide(
    tx: &mut Tx,
    id: ProposalId,
    outcome: &str,
    by: Option<OfficerId>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("update officer_proposal set outcome = $1, decided_by = $2, decided_at = $3 where id = $4");
    tx.run(sql, args![outcome, by, at, id]).await?;
    Ok(())
}

/// Ends the proposals that were not decided in time.
pub(in crate::access) async fn expire(tx: &mut Tx, now: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "update officer_proposal set outcome = 'expired', decided_at = $1 where outcome is null and expires_at <= $1"
    );
    tx.run(sql, args![now]).await?;
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

/// Returns how many other administrators of the national office have a password: one of them must
/// remain, since the others act for their own office only.
pub(in crate::access) async fn other_national_administrators(tx: &mut Tx, id: OfficerId) -> Result<usize, StoreError> {
    let mut count = 0;
    for row in other_administrators(tx, id).await? {
        let national = row.parsed::<OfficeCode>("office")? == OfficeCode::national();
        count += usize::from(national && !row.get::<String>("password")?.is_empty());
    }
    Ok(count)
}

/// Returns how many administrators other than this one could confirm something about an officer of `office`: who
/// have a password, or a token with which they set one.
pub(in crate::access) async fn others_who_confirm(
    tx: &mut Tx,
    id: OfficerId,
    office: &OfficeCode,
    now: OffsetDateTime,
) -> Result<usize, StoreError> {
    let mut count = 0;
    for row in other_administrators(tx, id).await? {
        let own: OfficeCode = row.parsed("office")?;
        let until: Option<OffsetDateTime> = row.get("token_until")?;
        let signs_in = !row.get::<String>("password")?.is_empty() || until.is_some_and(|until| until > now);
        count += usize::from(signs_in && (own == *office || own == OfficeCode::national()));
    }
    Ok(count)
}

/// Returns the other administrators who were not disabled. All officers are read: roles that were changed by another
/// hand must not hide one.
async fn other_administrators(tx: &mut Tx, id: OfficerId) -> Result<Vec<Record>, StoreError> {
    let mut others = Vec::new();
    for row in tx.all_sealed(&OFFICER, OFFICER.all, args![]).await? {
        if administers(&row)? && OfficerId::of(&row, "id")? != id {
            others.push(row);
        }
    }
    Ok(others)
}

fn administers(row: &Record) -> Result<bool, StoreError> {
    let disabled: Option<OffsetDateTime> = row.get("disabled_at")?;
    Ok(disabled.is_none() && row.json::<Vec<Role>>("roles")?.contains(&Role::Admin))
}

/// True if an administrator used the service since then.
pub(in crate::access) async fn administrator_was_here(tx: &mut Tx, since: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = sql!("select id, officer_id from session where seen_at >= $1 order by officer_id");
    let mut last = None;
    for row in tx.all(sql, args![since]).await? {
        let id: OfficerId = Id::of(&row, "officer_id")?;
        if last.replace(id) != Some(id) && is_administrator(tx, id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns id and office of the officer of this name.
pub(in crate::access) async fn named(
    tx: &mut Tx,
    username: &str,
) -> Result<Option<(OfficerId, OfficeCode)>, StoreError> {
    let row = tx.one(sql!("select id from officer where username = $1"), args![username]).await?;
    let Some(row) = row else { return Ok(None) };
    let id: OfficerId = Id::of(&row, "id")?;
    let row = tx.sealed(&OFFICER, id).await?;
    row.map(|row| Ok((id, row.parsed("office")?))).transpose()
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
    tx.run(sql!("update session set closed_at = $1 where officer_id = $2 and closed_at is null"), args![at, id])
        .await?;
    Ok(())
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
        token_hash: token_hash.map(TryInto::try_into).transpose().map_err(|_| row.inconsistent("token_hash"))?,
    })
}

/// Returns when the first open proposal of the owner of the key file takes effect, if no administrator decides before.
pub(in crate::access) async fn break_glass(
    tx: &mut Tx,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let sql = sql!(
        "select effective_at from officer_proposal
         where outcome is null and proposed_by is null and expires_at > $1 order by effective_at limit 1"
    );
    tx.one(sql, args![now]).await?.map_or(Ok(None), |row| row.get("effective_at"))
}
