//! SQL of boxes on their way.

use crypto::identity::CardSerial;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

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
        ("due_on", Kind::Day),
        ("ended", Kind::Text),
        ("ended_by", Kind::Uuid),
        ("ended_at", Kind::Moment),
        ("found_seal", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal,
                due_on, ended, ended_by, ended_at, found_seal, version, mac
         from stock_box where id = $1"
    ),
    all: sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal,
                due_on, ended, ended_by, ended_at, found_seal, version, mac
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
    /// The number of the seal that was found when it was received.
    pub found_seal: Option<String>,
    /// The officer who sent it, and when.
    pub sent: Decision,
    /// The day by which it is received; none for a box of before such days.
    pub due_on: Option<Date>,
    /// The officer who received it, when, and how many chips were counted.
    pub received: Option<(Decision, u64)>,
    /// How it ended where it was not received.
    pub ended: Option<(BoxEnd, Decision)>,
}

/// How a box ended that was not received.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoxEnd {
    /// The office that sent it called it back.
    CalledBack,
    /// Two officers settled its case.
    Settled,
}

impl BoxEnd {
    /// The word, as stored and answered.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::CalledBack => "called-back",
            Self::Settled => "settled",
        }
    }
}

impl StockBox {
    /// True while it was neither received nor called back, nor its case settled.
    #[must_use]
    pub fn is_on_its_way(&self) -> bool {
        self.received.is_none() && self.ended.is_none()
    }

    /// True if it is on its way, and should have been received before this day.
    #[must_use]
    pub fn is_late(&self, today: Date, now: OffsetDateTime) -> bool {
        let due = self.due_on.map_or(self.sent.at < now - UNTOLD, |due| due < today);
        self.is_on_its_way() && due
    }
}

/// A box of before due days is late after so long.
const UNTOLD: Duration = Duration::days(7);

pub(in crate::production) async fn insert(tx: &mut Tx, sent: &StockBox) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into stock_box (id, from_office, to_office, serials, sent_by, sent_at, seal, due_on)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let serials: Vec<String> = sent.serials.iter().map(ToString::to_string).collect();
    let arguments = args![
        sent.id,
        &sent.from,
        &sent.to,
        Argument::json(&serials),
        sent.sent.by,
        sent.sent.at,
        sent.seal.clone(),
        sent.due_on
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&STOCK_BOX, sent.id).await
}

/// Notes that an office closes a parcel with this seal. Returns false for a seal that it used before: capitals and
/// spaces do not count. Waits for a transaction that notes the same seal.
pub(in crate::production) async fn use_seal(
    tx: &mut Tx,
    from: &OfficeCode,
    seal: &str,
    id: BoxId,
) -> Result<bool, StoreError> {
    let seal: String = seal.split_whitespace().collect::<String>().to_uppercase();
    let sql = sql!(
        "insert into used_seal (from_office, seal, box_id) values ($1, $2, $3) on conflict (from_office, seal) do nothing"
    );
    Ok(tx.run(sql, args![from, seal, id]).await? == 1)
}

/// Returns the box in which a chip is on its way by the ledger.
pub(in crate::production) async fn of_chip(tx: &mut Tx, serial: &CardSerial) -> Result<Option<BoxId>, StoreError> {
    let row = tx.one(sql!("select id, box_id from chip where id = $1"), args![serial.to_string()]).await?;
    row.map_or(Ok(None), |row| Id::of_optional(&row, "box_id"))
}

/// Returns a box, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: BoxId) -> Result<Option<StockBox>, StoreError> {
    tx.sealed_locked(&STOCK_BOX, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down who received a box, and how many chips were counted.
pub(in crate::production) async fn receive(tx: &mut Tx, boxed: &StockBox) -> Result<(), StoreError> {
    let sql =
        sql!("update stock_box set counted = $1, received_by = $2, received_at = $3, found_seal = $4 where id = $5");
    let Some((received, counted)) = &boxed.received else { return Ok(()) };
    let counted = i64::try_from(*counted).unwrap_or(i64::MAX);
    tx.change(
        &STOCK_BOX,
        boxed.id,
        sql,
        args![counted, received.by, received.at, boxed.found_seal.as_deref(), boxed.id],
    )
    .await?;
    Ok(())
}

/// Writes down how a box ended that was not received.
pub(in crate::production) async fn end(tx: &mut Tx, boxed: &StockBox) -> Result<(), StoreError> {
    let sql = sql!("update stock_box set ended = $1, ended_by = $2, ended_at = $3 where id = $4");
    let Some((end, by)) = &boxed.ended else { return Ok(()) };
    tx.change(&STOCK_BOX, boxed.id, sql, args![end.word(), by.by, by.at, boxed.id]).await?;
    Ok(())
}

/// Returns the boxes that should have been received before this day, the one that was due first first. One that another
/// hand changed is left out, and hides no other: the list of boxes and `issuance verify` name it.
///
/// # Errors
/// [`StoreError`]
pub async fn late(tx: &mut Tx, today: Date, now: OffsetDateTime) -> Result<Vec<StockBox>, StoreError> {
    let sql = sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal,
                due_on, ended, ended_by, ended_at, found_seal, version, mac
         from stock_box where received_at is null and ended_at is null order by due_on, id"
    );
    let rows = tx.all_judged(&STOCK_BOX, sql, args![]).await?;
    let boxes = rows.iter().filter(|(_, holds)| *holds).map(|(row, _)| read(row));
    let boxes: Vec<StockBox> = boxes.collect::<Result<_, _>>()?;
    Ok(boxes.into_iter().filter(|boxed| boxed.is_late(today, now)).collect())
}

/// Returns how many boxes are on their way, and how many of them should have been received before this day.
///
/// # Errors
/// [`StoreError`]
pub async fn open_boxes(tx: &mut Tx, today: Date, now: OffsetDateTime) -> Result<(u64, u64), StoreError> {
    let sql = sql!(
        "select count(*) as n,
                count(case when due_on < $1 or (due_on is null and sent_at < $2) then 1 end) as late
         from stock_box where received_at is null and ended_at is null"
    );
    let row = tx.one(sql, args![today, now - UNTOLD]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.number("n")?, row.number("late")?)))
}

/// Returns a page of the boxes from or to an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: BoxId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, from_office, to_office, serials, sent_by, sent_at, counted, received_by, received_at, seal,
                due_on, ended, ended_by, ended_at, found_seal, version, mac
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
    let by = Id::of_optional(row, "ended_by")?;
    let ended = match (by, row.get("ended_at")?, row.get::<Option<String>>("ended")?) {
        (Some(by), Some(at), Some(_)) => Some((super::cases::word(row, "ended")?, Decision { by, at })),
        _ => None,
    };
    Ok(StockBox {
        id: Id::of(row, "id")?,
        from: row.parsed("from_office")?,
        to: row.parsed("to_office")?,
        serials: serials(row, "serials")?,
        seal: row.get("seal")?,
        found_seal: row.get("found_seal")?,
        sent: Decision { by: Id::of(row, "sent_by")?, at: row.get("sent_at")? },
        due_on: row.get("due_on")?,
        received,
        ended,
    })
}
