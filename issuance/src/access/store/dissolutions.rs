//! SQL of the ends of offices, and of the people and stations that move with one.

use time::OffsetDateTime;

use super::{OFFICER, STATION};
use crate::access::dissolutions::{Dissolution, DissolutionState};
use crate::ground::ids::{DissolutionId, OfficerId, StationId};
use crate::ground::{Decision, Id, OfficeCode, Role};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Ends of offices carry a MAC: each gives the successor's officers what was another office's.
pub const DISSOLUTION: Sealed = Sealed {
    table: "dissolution",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("successor", Kind::Text),
        ("reason", Kind::Text),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("state", Kind::Text),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("applications", Kind::Integer),
        ("chips", Kind::Integer),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution where id = $1"
    ),
    all: sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution order by id"
    ),
    set: sql!("update dissolution set version = $1, mac = $2 where id = $3"),
};

/// Inserts what an administrator proposes.
pub(in crate::access) async fn insert(tx: &mut Tx, proposed: &Dissolution) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into dissolution (id, office, successor, reason, proposed_by, proposed_at, state)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let Dissolution { id, office, successor, reason, proposed, state, .. } = proposed;
    let successor = successor.as_ref().map(OfficeCode::as_str);
    tx.run(sql, args![*id, office, successor, reason, proposed.by, proposed.at, state.word()]).await?;
    tx.seal(&DISSOLUTION, *id).await
}

/// Writes down how far it is.
pub(in crate::access) async fn change(tx: &mut Tx, dissolution: &Dissolution) -> Result<(), StoreError> {
    let sql = sql!(
        "update dissolution set state = $1, confirmed_by = $2, confirmed_at = $3, applications = $4, chips = $5,
                ended_at = $6
         where id = $7"
    );
    let Dissolution { id, state, confirmed, applications, chips, ended_at, .. } = dissolution;
    let (by, at) = confirmed.as_ref().map(|confirmed| (confirmed.by, confirmed.at)).unzip();
    let [applications, chips] = [applications, chips].map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
    let arguments = args![state.word(), by, at, applications, chips, *ended_at, *id];
    tx.change(&DISSOLUTION, *id, sql, arguments).await?;
    Ok(())
}

/// Returns one, kept from other writers.
pub(in crate::access) async fn locked(tx: &mut Tx, id: DissolutionId) -> Result<Option<Dissolution>, StoreError> {
    tx.sealed_locked(&DISSOLUTION, id).await?.as_ref().map(read).transpose()
}

/// Returns the last one of an office that was not taken back.
pub(in crate::access) async fn last(tx: &mut Tx, office: &OfficeCode) -> Result<Option<Dissolution>, StoreError> {
    let sql = sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution where office = $1 and state <> 'withdrawn' order by id desc limit 1"
    );
    tx.all_sealed(&DISSOLUTION, sql, args![office]).await?.first().map(read).transpose()
}

/// Returns the one by which an office takes no more work: of those that were confirmed the first.
pub(in crate::access) async fn ended(tx: &mut Tx, office: &OfficeCode) -> Result<Option<Dissolution>, StoreError> {
    let sql = sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution where office = $1 and state in ('closing', 'dissolved') order by id limit 1"
    );
    tx.all_sealed(&DISSOLUTION, sql, args![office]).await?.first().map(read).transpose()
}

/// Returns the offices that closed or are closing in favour of another one; one whose record another hand changed gives
/// nothing.
pub(in crate::access) async fn into(tx: &mut Tx, successor: &OfficeCode) -> Result<Vec<Dissolution>, StoreError> {
    let sql = sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution where successor = $1 and state in ('closing', 'dissolved') order by id"
    );
    let rows = tx.all_judged(&DISSOLUTION, sql, args![successor]).await?;
    rows.iter().filter(|(_, holds)| *holds).map(|(row, _)| read(row)).collect()
}

/// Returns those that are under way, of which nothing moved to its end; one that another hand changed hides no other.
pub(in crate::access) async fn closing(tx: &mut Tx) -> Result<Vec<DissolutionId>, StoreError> {
    let sql = sql!("select id from dissolution where state = 'closing' order by id");
    tx.all(sql, args![]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns offices that closed or are closing, each with its successor.
pub(in crate::access) async fn all_ended(tx: &mut Tx) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let sql = sql!("select office, successor from dissolution where state in ('closing', 'dissolved') order by id");
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("office")?, row.get("successor")?))).collect()
}

/// Returns a page of all, each with whether its MAC holds.
pub(in crate::access) async fn listed(
    tx: &mut Tx,
    after: DissolutionId,
    most: i64,
) -> Result<Vec<(Dissolution, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, successor, reason, proposed_by, proposed_at, state, confirmed_by, confirmed_at, applications, chips,
                ended_at, version, mac
         from dissolution where id > $1 order by id limit $2"
    );
    let rows = tx.all_judged(&DISSOLUTION, sql, args![after, most]).await?;
    Ok(rows.iter().filter_map(|(row, holds)| read(row).ok().map(|found| (found, *holds))).collect())
}

/// Returns the officers in service of an office with their roles, the first appointed first.
pub(in crate::access) async fn officers(
    tx: &mut Tx,
    office: &OfficeCode,
) -> Result<Vec<(OfficerId, Vec<Role>)>, StoreError> {
    let sql = sql!("select id, roles from officer where office = $1 and disabled_at is null order by id");
    let rows = tx.all(sql, args![office]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "id")?, row.json("roles")?))).collect()
}

/// Returns the stations of an office that are not revoked.
pub(in crate::access) async fn stations(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<StationId>, StoreError> {
    let sql = sql!("select id from station where office = $1 and revoked_at is null order by id");
    tx.all(sql, args![office]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// An officer works at another office from now on.
pub(in crate::access) async fn move_officer(tx: &mut Tx, id: OfficerId, to: &OfficeCode) -> Result<(), StoreError> {
    tx.change(&OFFICER, id, sql!("update officer set office = $1 where id = $2"), args![to, id]).await?;
    Ok(())
}

/// A station stands at another office from now on.
pub(in crate::access) async fn move_station(tx: &mut Tx, id: StationId, to: &OfficeCode) -> Result<(), StoreError> {
    tx.change(&STATION, id, sql!("update station set office = $1 where id = $2"), args![to, id]).await?;
    Ok(())
}

fn read(row: &Record) -> Result<Dissolution, StoreError> {
    let by = Id::of_optional(row, "confirmed_by")?;
    let at: Option<OffsetDateTime> = row.get("confirmed_at")?;
    let number = |column| -> Result<u64, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    };
    let state: String = row.get("state")?;
    Ok(Dissolution {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        successor: row.parsed_optional("successor")?,
        reason: row.get("reason")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        state: DissolutionState::named(&state).ok_or_else(|| row.inconsistent("state"))?,
        confirmed: by.zip(at).map(|(by, at)| Decision { by, at }),
        applications: number("applications")?,
        chips: number("chips")?,
        ended_at: row.get("ended_at")?,
    })
}
