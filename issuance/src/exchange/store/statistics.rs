//! SQL of states of the register for statistics.

use std::collections::BTreeSet;

use time::{Date, OffsetDateTime};

use crate::exchange::statistics::Cell;
use crate::ground::Id;
use crate::ground::ids::StatisticsStateId;
use crate::jobs::Worker;
use crate::store::{Argument, Record, StoreError, Tx};
use crate::{args, sql};

/// A state of the register.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange) struct State {
    /// Identifier.
    pub id: StatisticsStateId,
    /// The first day of its quarter.
    pub day: Date,
    /// When its counting began …
    pub counted_from: OffsetDateTime,
    /// … and ended; none while it goes on.
    pub counted_until: Option<OffsetDateTime>,
    /// A count below this number is not in it.
    pub small_cell: i64,
    /// The standard deviation of the error of a count.
    pub noise: i64,
    /// The least number that it holds.
    pub least: i64,
}

/// Returns the state of a day, finished or not.
pub(in crate::exchange) async fn of_day(tx: &mut Tx, day: Date) -> Result<Option<State>, StoreError> {
    let sql = sql!(
        "select id, day, counted_from, counted_until, small_cell, noise, least from statistics_state where day = $1"
    );
    tx.one(sql, args![day]).await?.map(|row| state(&row)).transpose()
}

/// Returns the newest state that is finished.
pub(in crate::exchange) async fn newest(tx: &mut Tx) -> Result<Option<State>, StoreError> {
    let sql = sql!(
        "select id, day, counted_from, counted_until, small_cell, noise, least from statistics_state
         where counted_until is not null order by day desc limit 1"
    );
    tx.one(sql, args![]).await?.map(|row| state(&row)).transpose()
}

/// Begins a state, or takes over one that no process has touched since a moment or that this one has. Returns false if
/// another process counts it, or it is finished.
pub(in crate::exchange) async fn begin(
    tx: &mut Tx,
    state: &State,
    worker: Id<Worker>,
    untouched_since: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "insert into statistics_state (id, day, worker, touched_at, counted_from, small_cell, noise, least)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (day) do nothing"
    );
    let State { id, day, counted_from, small_cell, noise, least, .. } = *state;
    if tx.run(sql, args![id, day, worker, counted_from, counted_from, small_cell, noise, least]).await? == 1 {
        return Ok(true);
    }
    let sql = sql!(
        "update statistics_state
         set worker = $1, touched_at = $2, counted_from = $3, small_cell = $4, noise = $5, least = $6
         where day = $7 and counted_until is null and (touched_at < $8 or worker = $1)"
    );
    let arguments = args![worker, counted_from, counted_from, small_cell, noise, least, day, untouched_since];
    Ok(tx.run(sql, arguments).await? == 1)
}

/// Says that a state is still being counted. Returns false if another process took it over.
pub(in crate::exchange) async fn touch(
    tx: &mut Tx,
    state: StatisticsStateId,
    worker: Id<Worker>,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql =
        sql!("update statistics_state set touched_at = $1 where id = $2 and worker = $3 and counted_until is null");
    Ok(tx.run(sql, args![at, state, worker]).await? == 1)
}

/// Finishes a state: from now on it is told. Returns false if another process took it over.
pub(in crate::exchange) async fn finish(
    tx: &mut Tx,
    state: StatisticsStateId,
    worker: Id<Worker>,
    counted_until: OffsetDateTime,
) -> Result<bool, StoreError> {
    let sql =
        sql!("update statistics_state set counted_until = $1 where id = $2 and worker = $3 and counted_until is null");
    Ok(tx.run(sql, args![counted_until, state, worker]).await? == 1)
}

/// Inserts cells of a table.
pub(in crate::exchange) async fn insert_cells(
    tx: &mut Tx,
    state: StatisticsStateId,
    crossed: &str,
    cells: &[Cell],
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into statistics_cell (state_id, crossed, life, province, district, first_value, second_value, persons)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let row = |cell: &Cell| {
        let Cell { province, district, first, second, life, persons } = cell;
        args![state, crossed, &**life, &**province, &**district, &**first, &**second, *persons]
    };
    tx.insert_all(sql, &cells.iter().map(row).collect::<Vec<_>>()).await
}

/// Erases cells of a state that is not finished, or is kept no more: at most so many. Returns how many.
pub(in crate::exchange) async fn erase_cells(
    tx: &mut Tx,
    state: StatisticsStateId,
    most: i64,
) -> Result<u64, StoreError> {
    let sql = sql!(
        "delete from statistics_cell
         where (state_id, crossed, life, province, district, first_value, second_value) in (
             select state_id, crossed, life, province, district, first_value, second_value from statistics_cell
             where state_id = $1 limit $2)"
    );
    tx.run(sql, args![state, most]).await
}

/// Which cells of a table are wanted: of each value a list, or all.
pub(in crate::exchange) struct Wanted<'a> {
    /// The name of the table.
    pub crossed: &'a str,
    /// Whether persons live.
    pub life: &'a BTreeSet<String>,
    /// Provinces.
    pub provinces: Option<&'a BTreeSet<String>>,
    /// Districts.
    pub districts: Option<&'a BTreeSet<String>>,
    /// Values of the first characteristic.
    pub first: Option<&'a BTreeSet<String>>,
    /// Values of the second one.
    pub second: Option<&'a BTreeSet<String>>,
    /// The least number that may be told.
    pub least: i64,
}

/// Returns cells of a state, at most so many, in the order of their values.
pub(in crate::exchange) async fn cells(
    tx: &mut Tx,
    state: StatisticsStateId,
    wanted: &Wanted<'_>,
    most: i64,
) -> Result<Vec<Cell>, StoreError> {
    let sql = sql!(
        pg "select province, district, first_value, second_value, life, persons from statistics_cell
            where state_id = $1 and crossed = $2 and life = any($3::text[]) and persons >= $4
              and ($5 = 1 or province = any($6::text[])) and ($7 = 1 or district = any($8::text[]))
              and ($9 = 1 or first_value = any($10::text[])) and ($11 = 1 or second_value = any($12::text[]))
            order by province, district, first_value, second_value, life limit $13",
        lite "select province, district, first_value, second_value, life, persons from statistics_cell
              where state_id = $1 and crossed = $2 and life in (select value from json_each($3)) and persons >= $4
                and ($5 = 1 or province in (select value from json_each($6)))
                and ($7 = 1 or district in (select value from json_each($8)))
                and ($9 = 1 or first_value in (select value from json_each($10)))
                and ($11 = 1 or second_value in (select value from json_each($12)))
              order by province, district, first_value, second_value, life limit $13",
    );
    let texts = |all: Option<&BTreeSet<String>>| Argument::Texts(all.into_iter().flatten().cloned().collect());
    let every = |all: Option<&BTreeSet<String>>| i64::from(all.is_none());
    let Wanted { crossed, life, provinces, districts, first, second, least } = *wanted;
    let arguments = args![
        state,
        crossed,
        texts(Some(life)),
        least,
        every(provinces),
        texts(provinces),
        every(districts),
        texts(districts),
        every(first),
        texts(first),
        every(second),
        texts(second),
        most
    ];
    let rows = tx.all(sql, arguments).await?;
    let cell = |row: &Record| {
        Ok(Cell {
            province: row.get("province")?,
            district: row.get("district")?,
            first: row.get("first_value")?,
            second: row.get("second_value")?,
            life: row.get("life")?,
            persons: row.get("persons")?,
        })
    };
    rows.iter().map(cell).collect()
}

fn state(row: &Record) -> Result<State, StoreError> {
    Ok(State {
        id: Id::of(row, "id")?,
        day: row.get("day")?,
        counted_from: row.get("counted_from")?,
        counted_until: row.get("counted_until")?,
        small_cell: row.get("small_cell")?,
        noise: row.get("noise")?,
        least: row.get("least")?,
    })
}
