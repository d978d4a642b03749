//! SQL of units and calendar.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime};

use super::calendar::{Day, SetDay};
use super::model::{Recorded, Unit};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Migration, Record, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of units and calendar, and of deputies, which are those of `access` now.
pub const MIGRATIONS: &[Migration] = &[
    migration!(12, "0012_offices_units"),
    migration!(130, "0130_offices_holidays"),
    migration!(186, "0186_offices_days_by_two"),
];

/// Keeps other changes of units and calendar waiting until this transaction ends.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    tx.one_locked(sql!("select code from unit where code = $1"), args![&OfficeCode::national()]).await?;
    Ok(())
}

/// Returns a unit as it is now.
pub(super) async fn unit(tx: &mut Tx, code: &OfficeCode) -> Result<Option<Unit>, StoreError> {
    let row = tx
        .one(
            sql!(
                "select u.code, u.kind, u.province, v.version, v.name, v.parent, v.valid_from
                 from unit u join unit_version v on v.unit = u.code
                 where u.code = $1 order by v.version desc limit 1"
            ),
            args![code],
        )
        .await?;
    row.as_ref().map(read_unit).transpose()
}

/// Returns at most `limit` units as they are now, by code, after this code.
pub(super) async fn units(tx: &mut Tx, after: Option<&OfficeCode>, limit: u16) -> Result<Vec<Unit>, StoreError> {
    let after = after.map_or("", OfficeCode::as_str);
    let rows = tx
        .all(
            sql!(
                "select u.code, u.kind, u.province, v.version, v.name, v.parent, v.valid_from
                 from unit u join unit_version v on v.unit = u.code
                 where u.code > $1
                   and v.version = (select max(w.version) from unit_version w where w.unit = u.code)
                 order by u.code limit $2"
            ),
            args![after, limit],
        )
        .await?;
    rows.iter().map(read_unit).collect()
}

/// Returns all versions of a unit, the first one first.
pub(super) async fn versions(tx: &mut Tx, code: &OfficeCode) -> Result<Vec<Recorded>, StoreError> {
    let rows = tx
        .all(
            sql!(
                "select u.code, u.kind, u.province, v.version, v.name, v.parent, v.valid_from, v.recorded_by,
                   v.recorded_at
                 from unit u join unit_version v on v.unit = u.code
                 where u.code = $1 order by v.version"
            ),
            args![code],
        )
        .await?;
    let read = |row: &Record| {
        let (by, at) = (Id::of_optional(row, "recorded_by")?, row.get("recorded_at")?);
        Ok(Recorded { unit: read_unit(row)?, by, at })
    };
    rows.iter().map(read).collect()
}

/// Inserts what of a unit never changes.
pub(super) async fn insert_unit(tx: &mut Tx, unit: &Unit) -> Result<(), StoreError> {
    let province = unit.province.map(|province| province.to_string());
    tx.run(
        sql!("insert into unit (code, kind, province) values ($1, $2, $3)"),
        args![&unit.code, unit.kind.word(), province],
    )
    .await?;
    Ok(())
}

/// Inserts a version of a unit.
pub(super) async fn insert_version(tx: &mut Tx, unit: &Unit, recorded: &Decision) -> Result<(), StoreError> {
    let parent = unit.parent.as_ref().map(OfficeCode::as_str);
    tx.run(
        sql!(
            "insert into unit_version (unit, version, name, parent, valid_from, recorded_by, recorded_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        args![&unit.code, unit.version, unit.name.as_str(), parent, unit.valid_from, recorded.by, recorded.at],
    )
    .await?;
    Ok(())
}

/// Inserts what a day is to be once another administrator confirms it.
pub(super) async fn insert_day(tx: &mut Tx, day: Date, set: &SetDay, by: &Decision) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into calendar_day (day, version, working, name, set_by, set_at)
             values ($1, (select coalesce(max(d.version), 0) + 1 from calendar_day d where d.day = $1),
                     $2, $3, $4, $5)"
        ),
        args![day, set.working, &set.name, by.by, by.at],
    )
    .await?;
    Ok(())
}

/// What an administrator wants a day to be.
#[derive(Clone, Debug)]
pub struct DayProposal {
    /// The day.
    pub day: Date,
    /// Which of the words about the day it is.
    pub version: i64,
    /// What it is to be.
    pub set: SetDay,
    /// The first administrator.
    pub proposed: Decision,
}

/// Returns what waits for a second administrator about days of a period, since after this moment: of a day the last.
pub(super) async fn proposed_days(
    tx: &mut Tx,
    (from, to): (Date, Date),
    since: OffsetDateTime,
) -> Result<Vec<DayProposal>, StoreError> {
    let sql = sql!(
        "select day, version, working, name, set_by, set_at from calendar_day
         where day >= $1 and day <= $2 and set_at > $3 and confirmed_at is null
           and not exists (select 1 from calendar_day later
                           where later.day = calendar_day.day and later.version > calendar_day.version)
         order by day, version"
    );
    let read = |row: &Record| {
        Ok(DayProposal {
            day: row.get("day")?,
            version: row.get("version")?,
            set: SetDay { working: row.get("working")?, name: row.get("name")? },
            proposed: Decision { by: Id::of(row, "set_by")?, at: row.get("set_at")? },
        })
    };
    tx.all(sql, args![from, to, since]).await?.iter().map(read).collect()
}

/// Writes down who confirmed what a day is: from now on it counts.
pub(super) async fn confirm_day(tx: &mut Tx, proposal: &DayProposal, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update calendar_day set confirmed_by = $1, confirmed_at = $2 where day = $3 and version = $4");
    tx.run(sql, args![by.by, by.at, proposal.day, proposal.version]).await?;
    Ok(())
}

/// Returns the days of these years that were set by hand and confirmed, each as it was set last.
pub(super) async fn set_days(tx: &mut Tx, from: i32, to: i32) -> Result<BTreeMap<Date, SetDay>, StoreError> {
    let first = |year: i32| Date::from_ordinal_date(year.clamp(1, 9998), 1).unwrap_or(Date::MIN);
    let sql = sql!(
        "select day, working, name from calendar_day
         where day >= $1 and day < $2 and confirmed_at is not null order by day, version"
    );
    let rows = tx.all(sql, args![first(from), first(to.saturating_add(1))]).await?;
    // Of one day the last row stays.
    let read = |row: &Record| Ok((row.get("day")?, SetDay { working: row.get("working")?, name: row.get("name")? }));
    rows.iter().map(read).collect()
}

/// A year of the table of holidays: its number, whether it was announced, its days.
type HolidayYear = (i32, bool, BTreeMap<Date, SetDay>);

/// Returns the years of the table from one to another.
pub(super) async fn holidays(tx: &mut Tx, from: i32, to: i32) -> Result<Vec<HolidayYear>, StoreError> {
    let sql = sql!("select year, announced, days from holiday_year where year >= $1 and year <= $2 order by year");
    let rows = tx.all(sql, args![i64::from(from), i64::from(to)]).await?;
    let read = |row: &Record| {
        let days: Vec<(Day, bool, String)> = row.json("days")?;
        let days = days.into_iter().map(|(day, working, name)| (day.0, SetDay { working, name })).collect();
        Ok((row.number("year")?, row.get("announced")?, days))
    };
    rows.iter().map(read).collect()
}

/// Puts these years in the place of the table.
pub(super) async fn replace_holidays(tx: &mut Tx, years: &[HolidayYear]) -> Result<(), StoreError> {
    tx.run(sql!("delete from holiday_year"), args![]).await?;
    for (year, announced, days) in years {
        let days: Vec<_> = days.iter().map(|(day, set)| (Day(*day), set.working, &set.name)).collect();
        let sql = sql!("insert into holiday_year (year, announced, days) values ($1, $2, $3)");
        tx.run(sql, args![i64::from(*year), *announced, Argument::json(&days)]).await?;
    }
    Ok(())
}

fn read_unit(row: &Record) -> Result<Unit, StoreError> {
    Ok(Unit {
        code: row.parsed("code")?,
        kind: row.parsed("kind")?,
        province: row.parsed_optional("province")?,
        version: row.number("version")?,
        name: row.parsed("name")?,
        parent: row.parsed_optional("parent")?,
        valid_from: row.get("valid_from")?,
    })
}
