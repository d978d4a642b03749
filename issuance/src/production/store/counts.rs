//! SQL of the counts of stations and store rooms.

use crypto::identity::CardSerial;

use super::CHIP;
use super::ends::serials;
use crate::ground::ids::{CountId, CountPartId, PostingId, StationId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Counts carry a MAC: they say what was there.
pub const STOCK_COUNT: Sealed = Sealed {
    table: "stock_count",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("station_id", Kind::Uuid),
        ("fingerprint", Kind::Bytes),
        ("begun_by", Kind::Uuid),
        ("begun_at", Kind::Moment),
        ("counted", Kind::Integer),
        ("missing", Kind::Integer),
        ("extra", Kind::Integer),
        ("finished_by", Kind::Uuid),
        ("finished_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, office, station_id, fingerprint, begun_by, begun_at, counted, missing, extra, finished_by,
                finished_at, version, mac
         from stock_count where id = $1"
    ),
    all: sql!(
        "select id, office, station_id, fingerprint, begun_by, begun_at, counted, missing, extra, finished_by,
                finished_at, version, mac
         from stock_count order by id"
    ),
    set: sql!("update stock_count set version = $1, mac = $2 where id = $3"),
};

/// A count of what a station or a store room holds.
#[derive(Clone, Debug)]
pub struct StockCount {
    /// Identifier.
    pub id: CountId,
    /// The office.
    pub office: OfficeCode,
    /// Its station; none: its store room.
    pub station: Option<StationId>,
    /// What the ledger said when it began.
    pub fingerprint: [u8; 32],
    /// The officer who began it, and when.
    pub begun: Decision,
    /// How it ended.
    pub finished: Option<Finished>,
}

/// How a count ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The officer who counted, and when.
    pub by: Decision,
    /// Chips that are there.
    pub counted: u64,
    /// Chips that should be there, and are not.
    pub missing: u64,
    /// Chips that are there, and should not be.
    pub extra: u64,
}

pub(in crate::production) async fn insert(tx: &mut Tx, count: &StockCount) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into stock_count (id, office, station_id, fingerprint, begun_by, begun_at)
         values ($1, $2, $3, $4, $5, $6)"
    );
    let StockCount { id, office, station, fingerprint, begun, .. } = count;
    tx.run(sql, args![*id, office, *station, fingerprint, begun.by, begun.at]).await?;
    tx.seal(&STOCK_COUNT, *id).await
}

/// Returns a count, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: CountId) -> Result<Option<StockCount>, StoreError> {
    tx.sealed_locked(&STOCK_COUNT, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down how a count ended.
pub(in crate::production) async fn finish(tx: &mut Tx, count: &StockCount) -> Result<(), StoreError> {
    let sql = sql!(
        "update stock_count set counted = $1, missing = $2, extra = $3, finished_by = $4, finished_at = $5 where id = $6"
    );
    let Some(Finished { by, counted, missing, extra }) = &count.finished else { return Ok(()) };
    let [counted, missing, extra] = [counted, missing, extra].map(|n| i64::try_from(*n).unwrap_or(i64::MAX));
    tx.change(&STOCK_COUNT, count.id, sql, args![counted, missing, extra, by.by, by.at, count.id]).await?;
    Ok(())
}

/// Returns the chips that a station (none: the store room of the office) holds and that are no card and no waste, each
/// with its last posting, by serial.
pub(in crate::production) async fn held_at(
    tx: &mut Tx,
    office: &OfficeCode,
    station: Option<StationId>,
) -> Result<Vec<(CardSerial, Option<PostingId>)>, StoreError> {
    let rows = match station {
        Some(station) => {
            let sql = sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where custody = $1 and state in ('delivered', 'initialised', 'bound') order by id"
            );
            tx.all_sealed(&CHIP, sql, args![station]).await?
        }
        None => {
            let sql = sql!(
                "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id,
                        version, mac
                 from chip where office = $1 and custody is null and box_id is null
                   and state in ('delivered', 'initialised', 'bound') order by id"
            );
            tx.all_sealed(&CHIP, sql, args![office]).await?
        }
    };
    rows.iter().map(|row| Ok((row.parsed("id")?, Id::of_optional(row, "posting_id")?))).collect()
}

/// Parts of counts carry a MAC: they say what was there.
pub const STOCK_COUNT_PART: Sealed = Sealed {
    table: "stock_count_part",
    columns: &[("id", Kind::Uuid), ("count_id", Kind::Uuid), ("serials", Kind::Json)],
    keys: 1,
    one: sql!("select id, count_id, serials, version, mac from stock_count_part where id = $1"),
    all: sql!("select id, count_id, serials, version, mac from stock_count_part order by id"),
    set: sql!("update stock_count_part set version = $1, mac = $2 where id = $3"),
};

/// Notes chips that were counted, while others are not yet.
pub(in crate::production) async fn insert_part(
    tx: &mut Tx,
    id: CountPartId,
    count: CountId,
    serials: &[CardSerial],
) -> Result<(), StoreError> {
    let serials: Vec<String> = serials.iter().map(ToString::to_string).collect();
    let sql = sql!("insert into stock_count_part (id, count_id, serials) values ($1, $2, $3)");
    tx.run(sql, args![id, count, Argument::json(&serials)]).await?;
    tx.seal(&STOCK_COUNT_PART, id).await
}

/// Returns the chips of a count that were noted before.
pub(in crate::production) async fn counted_before(tx: &mut Tx, count: CountId) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!("select id, count_id, serials, version, mac from stock_count_part where count_id = $1 order by id");
    let rows = tx.all_sealed(&STOCK_COUNT_PART, sql, args![count]).await?;
    let parts: Vec<_> = rows.iter().map(|row| serials(row, "serials")).collect::<Result<_, _>>()?;
    Ok(parts.concat())
}

pub(in crate::production) fn read(row: &Record) -> Result<StockCount, StoreError> {
    let by = Id::of_optional(row, "finished_by")?;
    let finished = match (by, row.get("finished_at")?) {
        (Some(by), Some(at)) => Some(Finished {
            by: Decision { by, at },
            counted: row.number("counted")?,
            missing: row.number("missing")?,
            extra: row.number("extra")?,
        }),
        _ => None,
    };
    Ok(StockCount {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        station: Id::of_optional(row, "station_id")?,
        fingerprint: row.array("fingerprint")?,
        begun: Decision { by: Id::of(row, "begun_by")?, at: row.get("begun_at")? },
        finished,
    })
}
