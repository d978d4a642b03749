//! SQL of boxes on their way.

use crypto::identity::CardSerial;

use super::ends::serials;
use crate::ground::ids::BoxId;
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Boxes carry a MAC: they say what was sent.
pub const STOCK_BOX: Sealed = Sealed {
    table: "stock_box",
    columns: &[
        ("id", Kind::Uuid),
        ("from_office", Kind::Text),
        ("to_office", Kind::Text),
        ("serials", Kind::Json),
        ("sent_by", Kind::Uuid),
        ("sent_at", Kind::Moment),
        ("counted", Kind::Integer),
        ("received_by", Kind::Uuid),
        ("received_at", Kind::Moment),
        ("seal", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal, version, mac
         from stock_box where id = $1"
    ),
    all: sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal, version, mac
         from stock_box order by id"
    ),
    set: sql!("update stock_box set version = $1, mac = $2 where id = $3"),
};

/// A box of blanks.
#[derive(Clone, Debug)]
pub struct StockBox {
    /// Identifier.
    pub id: BoxId,
    /// The office that sends it.
    pub from: OfficeCode,
    /// The office that it is for.
    pub to: OfficeCode,
    /// What was put into it.
    pub serials: Vec<CardSerial>,
    /// The number of the seal of a parcel of finished cards; none for a box of blanks.
    pub seal: Option<String>,
    /// The officer who sent it, and when.
    pub sent: Decision,
    /// The officer who received it, when, and how many chips were counted.
    pub received: Option<(Decision, u64)>,
}

pub(in crate::production) async fn insert(tx: &mut Tx, sent: &StockBox) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into stock_box (id, from_office, to_office, serials, sent_by, sent_at, seal)
         values ($1, $2, $3, $4, $5, $6, $7)"
    );
    let serials: Vec<String> = sent.serials.iter().map(ToString::to_string).collect();
    let arguments =
        args![sent.id, &sent.from, &sent.to, Argument::json(&serials), sent.sent.by, sent.sent.at, sent.seal.clone()];
    tx.run(sql, arguments).await?;
    tx.seal(&STOCK_BOX, sent.id).await
}

/// Returns a box, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: BoxId) -> Result<Option<StockBox>, StoreError> {
    tx.sealed_locked(&STOCK_BOX, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down who received a box, and how many chips were counted.
pub(in crate::production) async fn receive(tx: &mut Tx, boxed: &StockBox) -> Result<(), StoreError> {
    let sql = sql!("update stock_box set counted = $1, received_by = $2, received_at = $3 where id = $4");
    let Some((received, counted)) = &boxed.received else { return Ok(()) };
    let counted = i64::try_from(*counted).unwrap_or(i64::MAX);
    tx.change(&STOCK_BOX, boxed.id, sql, args![counted, received.by, received.at, boxed.id]).await?;
    Ok(())
}

/// Returns a page of the boxes from or to an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: BoxId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal, version, mac
         from stock_box
         where (from_office = $1 or to_office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&STOCK_BOX, sql, args![office, after, most]).await
}

pub(in crate::production) fn read(row: &Record) -> Result<StockBox, StoreError> {
    let by = Id::of_optional(row, "received_by")?;
    let received = match (by, row.get("received_at")?, row.get::<Option<i64>>("counted")?) {
        (Some(by), Some(at), Some(counted)) => Some((Decision { by, at }, u64::try_from(counted).unwrap_or(0))),
        _ => None,
    };
    Ok(StockBox {
        id: Id::of(row, "id")?,
        from: row.parsed("from_office")?,
        to: row.parsed("to_office")?,
        serials: serials(row, "serials")?,
        seal: row.get("seal")?,
        sent: Decision { by: Id::of(row, "sent_by")?, at: row.get("sent_at")? },
        received,
    })
}
