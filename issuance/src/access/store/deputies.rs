//! SQL of officers who stand in for others.

use time::{Date, OffsetDateTime};

use crate::access::deputies::Deputy;
use crate::ground::ids::{DeputyId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Deputies carry a MAC: each has roles of another officer.
pub const DEPUTY: Sealed = Sealed {
    table: "stand_in",
    columns: &[
        ("id", Kind::Uuid),
        ("officer_id", Kind::Uuid),
        ("stands_for", Kind::Uuid),
        ("office", Kind::Text),
        ("from_day", Kind::Day),
        ("to_day", Kind::Day),
        ("roles", Kind::Json),
        ("begins_at", Kind::Moment),
        ("ends_at", Kind::Moment),
        ("appointed_by", Kind::Uuid),
        ("appointed_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
        ("ended_on", Kind::Day),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at, appointed_by, appointed_at,
                confirmed_by, confirmed_at, ended_on, ended_by, ended_at, version, mac
         from stand_in where id = $1"
    ),
    all: sql!(
        "select id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at, appointed_by, appointed_at,
                confirmed_by, confirmed_at, ended_on, ended_by, ended_at, version, mac
         from stand_in order by id"
    ),
    set: sql!("update stand_in set version = $1, mac = $2 where id = $3"),
};

/// Inserts a deputy.
pub(in crate::access) async fn insert(tx: &mut Tx, deputy: &Deputy) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into stand_in (id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at,
                               appointed_by, appointed_at, confirmed_by, confirmed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let Deputy { id, officer, stands_for, office, from, to, roles, begins_at, ends_at, appointed, confirmed, ended: _ } =
        deputy;
    let (by, at) = confirmed.as_ref().map(|confirmed| (confirmed.by, confirmed.at)).unzip();
    let arguments = args![
        *id,
        *officer,
        *stands_for,
        office,
        *from,
        *to,
        Argument::json(roles),
        *begins_at,
        *ends_at,
        appointed.by,
        appointed.at,
        by,
        at
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&DEPUTY, *id).await
}

/// Returns a deputy, kept from other writers.
pub(in crate::access) async fn locked(tx: &mut Tx, id: DeputyId) -> Result<Option<Deputy>, StoreError> {
    tx.sealed_locked(&DEPUTY, id).await?.as_ref().map(read).transpose()
}

/// Writes down the second administrator.
pub(in crate::access) async fn confirm(tx: &mut Tx, id: DeputyId, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update stand_in set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&DEPUTY, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Ends a standing in.
pub(in crate::access) async fn end(tx: &mut Tx, id: DeputyId, on: Date, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update stand_in set ended_on = $1, ended_by = $2, ended_at = $3 where id = $4");
    tx.change(&DEPUTY, id, sql, args![on, by.by, by.at, id]).await?;
    Ok(())
}

/// Returns at most `limit` deputies of an office who stand in on this day or will later, oldest appointment first, each
/// with whether its MAC holds.
pub(in crate::access) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    day: Date,
    after: DeputyId,
    most: i64,
) -> Result<Vec<(Deputy, bool)>, StoreError> {
    let sql = sql!(
        "select id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at, appointed_by, appointed_at,
                confirmed_by, confirmed_at, ended_on, ended_by, ended_at, version, mac
         from stand_in where office = $1 and to_day >= $2 and ended_on is null and id > $3 order by id limit $4"
    );
    Ok(readable(&tx.all_judged(&DEPUTY, sql, args![office, day, after, most]).await?))
}

/// Returns the standings in, of either kind, of one of these two officers that end after this moment and were not ended
/// early.
pub(in crate::access) async fn of_either(
    tx: &mut Tx,
    (one, other): (OfficerId, OfficerId),
    now: OffsetDateTime,
) -> Result<Vec<Deputy>, StoreError> {
    let sql = sql!(
        "select id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at, appointed_by, appointed_at,
                confirmed_by, confirmed_at, ended_on, ended_by, ended_at, version, mac
         from stand_in where (officer_id in ($1, $2) or stands_for in ($1, $2)) and ends_at > $3 and ended_at is null
         order by id"
    );
    tx.all_sealed(&DEPUTY, sql, args![one, other, now]).await?.iter().map(read).collect()
}

/// Returns the standings in of an officer, of either kind, that end after this moment, each with whether its MAC holds.
pub(in crate::access) async fn of_officer(
    tx: &mut Tx,
    officer: OfficerId,
    since: OffsetDateTime,
) -> Result<Vec<(Deputy, bool)>, StoreError> {
    let sql = sql!(
        "select id, officer_id, stands_for, office, from_day, to_day, roles, begins_at, ends_at, appointed_by, appointed_at,
                confirmed_by, confirmed_at, ended_on, ended_by, ended_at, version, mac
         from stand_in where (officer_id = $1 or stands_for = $1) and ends_at > $2 order by id"
    );
    Ok(readable(&tx.all_judged(&DEPUTY, sql, args![officer, since]).await?))
}

/// Leaves out a row that another hand made unreadable: it lends nothing.
fn readable(rows: &[(Record, bool)]) -> Vec<(Deputy, bool)> {
    rows.iter().filter_map(|(row, holds)| read(row).ok().map(|deputy| (deputy, *holds))).collect()
}

/// Gives the standings in of an office that are not over to another one, with the officers.
pub(in crate::access) async fn move_all(
    tx: &mut Tx,
    from: &OfficeCode,
    to: &OfficeCode,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let sql = sql!("select id from stand_in where office = $1 and ends_at > $2 and ended_at is null order by id");
    let rows = tx.all(sql, args![from, now]).await?;
    for id in rows.iter().map(|row| Id::of(row, "id")) {
        let id: DeputyId = id?;
        tx.change(&DEPUTY, id, sql!("update stand_in set office = $1 where id = $2"), args![to, id]).await?;
    }
    Ok(())
}

fn read(row: &Record) -> Result<Deputy, StoreError> {
    let by = Id::of_optional(row, "confirmed_by")?;
    let confirmed = by.zip(row.get("confirmed_at")?).map(|(by, at)| Decision { by, at });
    Ok(Deputy {
        id: Id::of(row, "id")?,
        officer: Id::of(row, "officer_id")?,
        stands_for: Id::of(row, "stands_for")?,
        office: row.parsed("office")?,
        from: row.get("from_day")?,
        to: row.get("to_day")?,
        appointed: Decision { by: Id::of(row, "appointed_by")?, at: row.get("appointed_at")? },
        confirmed,
        roles: row.json("roles")?,
        begins_at: row.get("begins_at")?,
        ends_at: row.get("ends_at")?,
        ended: row.get::<Option<Date>>("ended_on")?.zip(row.get::<Option<OffsetDateTime>>("ended_at")?),
    })
}
