//! SQL of the batches of production.

use crypto::identity::CardSerial;
use time::OffsetDateTime;

use super::ends::serials;
use crate::ground::ids::{ProductionBatchId, StationId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Batches carry a MAC: they say what went into a tray, and what came of it.
pub const PRODUCTION_BATCH: Sealed = Sealed {
    table: "production_batch",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("station_id", Kind::Uuid),
        ("serials", Kind::Json),
        ("opened_by", Kind::Uuid),
        ("opened_at", Kind::Moment),
        ("good", Kind::Integer),
        ("spoiled", Kind::Integer),
        ("held", Kind::Integer),
        ("closed_by", Kind::Uuid),
        ("closed_at", Kind::Moment),
        ("moved", Kind::Integer),
    ],
    keys: 1,
    one: sql!(
        "select id, office, station_id, serials, opened_by, opened_at, good, spoiled, held, closed_by, closed_at, moved,
                version, mac
         from production_batch where id = $1"
    ),
    all: sql!(
        "select id, office, station_id, serials, opened_by, opened_at, good, spoiled, held, closed_by, closed_at, moved,
                version, mac
         from production_batch order by id"
    ),
    set: sql!("update production_batch set version = $1, mac = $2 where id = $3"),
};

/// A batch of production.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Identifier.
    pub id: ProductionBatchId,
    /// The station's office.
    pub office: OfficeCode,
    /// The station.
    pub station: StationId,
    /// What was put into its tray.
    pub serials: Vec<CardSerial>,
    /// The officer who opened it, and when.
    pub opened: Decision,
    /// How it ended.
    pub closed: Option<Closed>,
}

/// What became of the chips of a batch.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The officer who closed it, and when.
    pub by: Decision,
    /// Cards.
    pub good: u64,
    /// Chips that will never be a card.
    pub spoiled: u64,
    /// Blanks that are still there.
    pub held: u64,
    /// Chips that another station or office has since.
    pub moved: u64,
}

pub(in crate::production) async fn insert(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into production_batch (id, office, station_id, serials, opened_by, opened_at)
         values ($1, $2, $3, $4, $5, $6)"
    );
    let Batch { id, office, station, serials, opened, .. } = batch;
    let serials: Vec<String> = serials.iter().map(ToString::to_string).collect();
    tx.run(sql, args![*id, office, *station, Argument::json(&serials), opened.by, opened.at]).await?;
    tx.seal(&PRODUCTION_BATCH, *id).await
}

/// Returns a batch, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: ProductionBatchId) -> Result<Option<Batch>, StoreError> {
    tx.sealed_locked(&PRODUCTION_BATCH, id).await?.map(|row| read(&row)).transpose()
}

/// Returns the batches of a station that are not closed.
pub(in crate::production) async fn open_at(tx: &mut Tx, station: StationId) -> Result<Vec<Batch>, StoreError> {
    let sql = sql!(
        "select id, office, station_id, serials, opened_by, opened_at, good, spoiled, held, closed_by, closed_at, moved,
                version, mac
         from production_batch where station_id = $1 and closed_at is null order by id"
    );
    tx.all_sealed(&PRODUCTION_BATCH, sql, args![station]).await?.iter().map(read).collect()
}

/// Writes down how a batch ended.
pub(in crate::production) async fn close(tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
    let sql = sql!(
        "update production_batch set good = $1, spoiled = $2, held = $3, closed_by = $4, closed_at = $5, moved = $6
         where id = $7"
    );
    let Some(Closed { by, good, spoiled, held, moved }) = &batch.closed else { return Ok(()) };
    let [good, spoiled, held] = [good, spoiled, held].map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
    // None at all is as before there was such a column.
    let moved = Some(i64::try_from(*moved).unwrap_or(i64::MAX)).filter(|moved| *moved > 0);
    tx.change(&PRODUCTION_BATCH, batch.id, sql, args![good, spoiled, held, by.by, by.at, moved, batch.id]).await?;
    Ok(())
}

/// Returns a page of the batches of an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: ProductionBatchId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, station_id, serials, opened_by, opened_at, good, spoiled, held, closed_by, closed_at, moved,
                version, mac
         from production_batch where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&PRODUCTION_BATCH, sql, args![office, after, most]).await
}

/// Returns how many batches are open, and how many of them since before this moment.
///
/// # Errors
/// [`StoreError`]
pub async fn open_batches(tx: &mut Tx, before: OffsetDateTime) -> Result<(u64, u64), StoreError> {
    let sql = sql!(
        "select count(*) as n, count(case when opened_at < $1 then 1 end) as late
         from production_batch where closed_at is null"
    );
    tx.one(sql, args![before]).await?.map_or(Ok((0, 0)), |row| Ok((row.number("n")?, row.number("late")?)))
}

pub(in crate::production) fn read(row: &Record) -> Result<Batch, StoreError> {
    let by = Id::of_optional(row, "closed_by")?;
    let closed = match (by, row.get("closed_at")?) {
        (Some(by), Some(at)) => Some(Closed {
            by: Decision { by, at },
            good: row.number("good")?,
            spoiled: row.number("spoiled")?,
            held: row.number("held")?,
            moved: row.get::<Option<i64>>("moved")?.and_then(|moved| u64::try_from(moved).ok()).unwrap_or(0),
        }),
        _ => None,
    };
    Ok(Batch {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        station: Id::of(row, "station_id")?,
        serials: serials(row, "serials")?,
        opened: Decision { by: Id::of(row, "opened_by")?, at: row.get("opened_at")? },
        closed,
    })
}
