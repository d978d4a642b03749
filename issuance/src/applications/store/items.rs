//! SQL of the items of batches of cards. How far an item is stands nowhere but in the stage of its application: what
//! moves the application moves the item.

use crypto::identity::CardSerial;
use time::{Duration, OffsetDateTime};

use crate::applications::model::StageName;
use crate::ground::ids::{ApplicationId, BatchItemId, CardBatchId, StationId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Items carry a MAC: they say which station has an application, on which chip.
pub const BATCH_ITEM: Sealed = Sealed {
    table: "batch_item",
    columns: &[
        ("id", Kind::Uuid),
        ("batch_id", Kind::Uuid),
        ("application_id", Kind::Uuid),
        ("place", Kind::Integer),
        ("fence", Kind::Integer),
        ("station_id", Kind::Uuid),
        ("serial", Kind::Text),
        ("lease_until", Kind::Moment),
        ("chips", Kind::Integer),
        ("outcome", Kind::Text),
        ("office", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, batch_id, application_id, place, fence, station_id, serial, lease_until, chips, outcome, office, version,
                mac
         from batch_item where id = $1"
    ),
    all: sql!(
        "select id, batch_id, application_id, place, fence, station_id, serial, lease_until, chips, outcome, office, version,
                mac
         from batch_item order by id"
    ),
    set: sql!("update batch_item set version = $1, mac = $2 where id = $3"),
};

/// An application in a batch of cards.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// Identifier.
    pub id: BatchItemId,
    /// The batch.
    pub batch: CardBatchId,
    /// The application.
    pub application: ApplicationId,
    /// Its place in the batch: in this order they are taken.
    pub place: u64,
    /// Grows by one with every lease.
    pub fence: u64,
    /// The lease that was given last; none before the first.
    pub lease: Option<ItemLease>,
    /// So many chips were bound to it.
    pub chips: u64,
    /// How it ended; none while it is in the batch.
    pub outcome: Option<ItemOutcome>,
    /// The office that makes the card; none for an item of before this was kept.
    pub office: Option<OfficeCode>,
}

/// To which station an item belongs, on which chip, and until when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ItemLease {
    /// The station.
    pub station: StationId,
    /// The chip.
    pub serial: CardSerial,
    /// Until when.
    pub until: OffsetDateTime,
}

impl ItemLease {
    /// So many times its length a lease lies ahead at most. Twice: a clock that was a little ahead, or a length that
    /// was shortened, takes no item from a chip that is being written.
    pub const MOST: i32 = 2;

    /// True if it ran out before this moment. One that lies further ahead than any that is given was given under a
    /// clock that was ahead: it holds its item no longer.
    #[must_use]
    pub fn is_over(&self, now: OffsetDateTime, lease: Duration) -> bool {
        self.until < now || self.until > now + lease * Self::MOST
    }
}

/// How an item ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ItemOutcome {
    /// It is a card.
    Done,
    /// It is no card of this batch.
    Left,
}

impl ItemOutcome {
    /// The word, as stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Left => "left",
        }
    }
}

/// How far the items of a batch are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Items that wait for a chip.
    pub waiting: u64,
    /// Items that are bound to a chip.
    pub leased: u64,
    /// Items that are cards.
    pub done: u64,
    /// Items that are no card of this batch.
    pub left: u64,
    /// Chips that were bound to items.
    pub chips: u64,
    /// Items that became cards since the moment that was asked for.
    pub lately: u64,
}

impl Counts {
    /// How many items there are.
    #[must_use]
    pub const fn items(&self) -> u64 {
        self.waiting + self.leased + self.done + self.left
    }

    /// Chips that were used up and are no card.
    #[must_use]
    pub const fn spoiled(&self) -> u64 {
        self.chips.saturating_sub(self.done + self.leased)
    }
}

/// Returns the applications that a batch of this office can take, those approved first before the others: approved
/// until the cut-off, of the office (the national office: of all), in no batch that is at work.
///
/// # Errors
/// [`StoreError`]
pub async fn candidates(
    tx: &mut Tx,
    office: &OfficeCode,
    cut_off: OffsetDateTime,
    most: u32,
) -> Result<Vec<ApplicationId>, StoreError> {
    let sql = sql!(
        "select a.id from application a
         where a.stage = 'approved' and (a.office = $1 or $1 = 'national') and a.approved_at <= $2
             and not exists (select 1 from batch_item i where i.application_id = a.id and i.outcome is null)
         order by a.approved_at, a.id limit $3"
    );
    let rows = tx.all(sql, args![office, cut_off, i64::from(most)]).await?;
    rows.iter().map(|row| Id::of(row, "id")).collect()
}

/// Puts an application into a batch.
///
/// # Errors
/// [`StoreError::Duplicate`] if it is in one that is at work
pub async fn insert(tx: &mut Tx, item: &BatchItem) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into batch_item
             (id, batch_id, application_id, place, fence, station_id, serial, lease_until, chips, outcome, office,
              version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let place = i64::try_from(item.place).unwrap_or(i64::MAX);
    let values = args![
        item.id,
        item.batch,
        item.application,
        place,
        0_i64,
        None::<StationId>,
        None::<String>,
        None::<OffsetDateTime>,
        0_i64,
        None::<String>,
        item.office.as_ref().map(OfficeCode::as_str)
    ];
    tx.insert_sealed(&BATCH_ITEM, sql, values).await
}

/// Returns the next item of a batch whose application waits for a chip, without these: kept from other writers with its
/// application; those that another transaction holds are passed over.
///
/// # Errors
/// [`StoreError`]
pub async fn claim(
    tx: &mut Tx,
    batch: CardBatchId,
    but: &[ApplicationId],
) -> Result<Option<(BatchItemId, ApplicationId)>, StoreError> {
    let sql = sql!(
        pg "select i.id, i.application_id from batch_item i join application a on a.id = i.application_id
            where i.batch_id = $1 and i.outcome is null and a.stage = 'approved' and i.application_id <> all($2)
            order by i.place limit 1",
        lite "select i.id, i.application_id from batch_item i join application a on a.id = i.application_id
              where i.batch_id = $1 and i.outcome is null and a.stage = 'approved'
                and i.application_id not in (select value from json_each($2)) order by i.place limit 1",
    );
    let but = Argument::Uuids(but.iter().map(|id| id.uuid()).collect());
    let row = tx.claim(sql, vec![batch.into(), but]).await?;
    row.map(|row| Ok((Id::of(&row, "id")?, Id::of(&row, "application_id")?))).transpose()
}

/// Returns an item, kept from other writers.
///
/// # Errors
/// [`StoreError`]
pub async fn locked(tx: &mut Tx, id: BatchItemId) -> Result<Option<BatchItem>, StoreError> {
    tx.sealed_locked(&BATCH_ITEM, id).await?.map(|row| read(&row)).transpose()
}

/// Returns the item by which an application is in a batch that is at work.
///
/// # Errors
/// [`StoreError`]
pub async fn of_application(tx: &mut Tx, id: ApplicationId) -> Result<Option<BatchItem>, StoreError> {
    let sql = sql!(
        "select id, batch_id, application_id, place, fence, station_id, serial, lease_until, chips, outcome, office, version,
                mac
         from batch_item where application_id = $1 and outcome is null"
    );
    tx.all_sealed(&BATCH_ITEM, sql, args![id]).await?.first().map(read).transpose()
}

/// Returns the office that makes the card of an application that is in a batch at work; none where it is in none.
///
/// # Errors
/// [`StoreError`]
pub async fn maker(tx: &mut Tx, id: ApplicationId) -> Result<Option<OfficeCode>, StoreError> {
    Ok(of_application(tx, id).await?.and_then(|item| item.office))
}

/// Gives the items of a batch that are at work to another office, with their batch.
///
/// # Errors
/// [`StoreError`]
pub async fn give(tx: &mut Tx, batch: CardBatchId, to: &OfficeCode) -> Result<(), StoreError> {
    for (_, item, _) in at_work(tx, batch).await? {
        let sql = sql!("update batch_item set office = $1 where id = $2");
        tx.change(&BATCH_ITEM, item, sql, args![to, item]).await?;
    }
    Ok(())
}

/// Returns the batches in which an application is or was.
///
/// # Errors
/// [`StoreError`]
pub async fn batches_of_application(tx: &mut Tx, id: ApplicationId) -> Result<Vec<CardBatchId>, StoreError> {
    let sql = sql!(
        "select id, batch_id, application_id, place, fence, station_id, serial, lease_until, chips, outcome, office, version,
                mac
         from batch_item where application_id = $1 order by id"
    );
    tx.all_sealed(&BATCH_ITEM, sql, args![id]).await?.iter().map(|row| Id::of(row, "batch_id")).collect()
}

/// Returns the first item of a batch behind this place that is bound to a chip and whose lease is
/// [over](ItemLease::is_over).
///
/// # Errors
/// [`StoreError`]
pub async fn silent(
    tx: &mut Tx,
    batch: CardBatchId,
    (now, lease): (OffsetDateTime, Duration),
    behind: u64,
) -> Result<Option<BatchItem>, StoreError> {
    let sql = sql!(
        "select i.id, i.batch_id, i.application_id, i.place, i.fence, i.station_id, i.serial, i.lease_until, i.chips,
                i.outcome, i.office, i.version, i.mac
         from batch_item i join application a on a.id = i.application_id
         where i.batch_id = $1 and i.outcome is null and a.stage = 'in-production'
             and (i.lease_until < $2 or i.lease_until > $3) and i.place > $4
         order by i.place limit 1"
    );
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    let arguments = args![batch, now, now + lease * ItemLease::MOST, behind];
    tx.all_sealed(&BATCH_ITEM, sql, arguments).await?.first().map(read).transpose()
}

/// Writes down the lease, the fence and how many chips an item had.
///
/// # Errors
/// [`StoreError`]
pub async fn lease(tx: &mut Tx, item: &BatchItem) -> Result<(), StoreError> {
    let sql = sql!(
        "update batch_item set fence = $1, station_id = $2, serial = $3, lease_until = $4, chips = $5 where id = $6"
    );
    let Some(ItemLease { station, serial, until }) = &item.lease else { return Ok(()) };
    let [fence, chips] = [item.fence, item.chips].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    tx.change(&BATCH_ITEM, item.id, sql, args![fence, *station, serial.to_string(), *until, chips, item.id]).await?;
    Ok(())
}

/// Returns the items of a batch that are at work, each with its application and the stage of that, by place.
///
/// # Errors
/// [`StoreError`]
pub async fn at_work(tx: &mut Tx, batch: CardBatchId) -> Result<Vec<(ApplicationId, BatchItemId, String)>, StoreError> {
    let sql = sql!(
        "select i.id, i.application_id, a.stage from batch_item i join application a on a.id = i.application_id
         where i.batch_id = $1 and i.outcome is null order by i.place"
    );
    let rows = tx.all(sql, args![batch]).await?;
    rows.iter().map(|row| Ok((Id::of(row, "application_id")?, Id::of(row, "id")?, row.get("stage")?))).collect()
}

/// Returns the stage of the application of an item, as it is now.
///
/// # Errors
/// [`StoreError`]
pub async fn stage_of(tx: &mut Tx, id: BatchItemId) -> Result<Option<String>, StoreError> {
    let sql = sql!(
        "select i.id, a.stage from batch_item i join application a on a.id = i.application_id
         where i.id = $1 and i.outcome is null"
    );
    tx.one(sql, args![id]).await?.map(|row| row.get("stage")).transpose()
}

/// Ends an item: its application is free for the queue and for other batches.
///
/// # Errors
/// [`StoreError`]
pub async fn end(tx: &mut Tx, id: BatchItemId, outcome: ItemOutcome) -> Result<(), StoreError> {
    let sql = sql!("update batch_item set outcome = $1 where id = $2");
    tx.change(&BATCH_ITEM, id, sql, args![outcome.word(), id]).await?;
    Ok(())
}

/// Counts the items of a batch by how far they are, and those that became cards since a moment.
///
/// # Errors
/// [`StoreError`]
pub async fn counts(tx: &mut Tx, batch: CardBatchId, since: OffsetDateTime) -> Result<Counts, StoreError> {
    let sql = sql!(
        "select a.stage, i.outcome, count(*) as n, cast(sum(i.chips) as bigint) as chips,
                count(case when a.moved_at > $2 then 1 end) as lately
         from batch_item i join application a on a.id = i.application_id
         where i.batch_id = $1 group by a.stage, i.outcome order by a.stage"
    );
    let mut counts = Counts::default();
    for row in tx.all(sql, args![batch, since]).await? {
        let (n, stage): (u64, String) = (row.number("n")?, row.get("stage")?);
        let outcome: Option<String> = row.get("outcome")?;
        counts.chips += row.number::<u64>("chips")?;
        match (outcome.as_deref(), stage.as_str()) {
            (Some("done"), _) => counts.done += n,
            (None, stage) if is_card(stage) => {
                counts.done += n;
                // What moves a card later, to the citizen or to the shelf, is none that was made.
                if matches!(stage, "shipped" | "personalized") {
                    counts.lately += row.number::<u64>("lately")?;
                }
            }
            (None, "approved") => counts.waiting += n,
            (None, "in-production") => counts.leased += n,
            _ => counts.left += n,
        }
    }
    Ok(counts)
}

/// Returns how far the applications of a batch are that a station has or had last: station, stage, how many, and the
/// last moment of their leases.
///
/// # Errors
/// [`StoreError`]
pub async fn by_station(
    tx: &mut Tx,
    batch: CardBatchId,
) -> Result<Vec<(StationId, String, u64, Option<OffsetDateTime>)>, StoreError> {
    let sql = sql!(
        "select i.station_id, a.stage, count(*) as n, max(i.lease_until) as until
         from batch_item i join application a on a.id = i.application_id
         where i.batch_id = $1 and i.station_id is not null group by i.station_id, a.stage order by i.station_id, a.stage"
    );
    let read = |row: &Record| Ok((Id::of(row, "station_id")?, row.get("stage")?, row.number("n")?, row.get("until")?));
    tx.all(sql, args![batch]).await?.iter().map(read).collect()
}

/// True for a stage at which there is a card.
#[must_use]
pub fn is_card(stage: &str) -> bool {
    stage.parse::<StageName>().is_ok_and(StageName::has_card)
}

/// Returns a page of the items of a batch by place, each with the stage of its application and whether its MAC holds.
///
/// # Errors
/// [`StoreError`]
pub async fn listed(tx: &mut Tx, batch: CardBatchId, after: u64, most: i64) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select i.id, i.batch_id, i.application_id, i.place, i.fence, i.station_id, i.serial, i.lease_until, i.chips,
                i.outcome, i.office, i.version, i.mac, a.stage
         from batch_item i join application a on a.id = i.application_id
         where i.batch_id = $1 and i.place > $2 order by i.place limit $3"
    );
    tx.all_judged(&BATCH_ITEM, sql, args![batch, i64::try_from(after).unwrap_or(i64::MAX), most]).await
}

/// Reads an item from its row.
///
/// # Errors
/// [`StoreError`]
pub fn read(row: &Record) -> Result<BatchItem, StoreError> {
    let (station, serial) = (Id::of_optional(row, "station_id")?, row.parsed_optional("serial")?);
    let lease = match (station, serial, row.get("lease_until")?) {
        (Some(station), Some(serial), Some(until)) => Some(ItemLease { station, serial, until }),
        _ => None,
    };
    let outcome = match row.get::<Option<String>>("outcome")?.as_deref() {
        None => None,
        Some("done") => Some(ItemOutcome::Done),
        Some("left") => Some(ItemOutcome::Left),
        Some(_) => return Err(row.inconsistent("outcome")),
    };
    Ok(BatchItem {
        id: Id::of(row, "id")?,
        batch: Id::of(row, "batch_id")?,
        application: Id::of(row, "application_id")?,
        place: row.number("place")?,
        fence: row.number("fence")?,
        lease,
        chips: row.number("chips")?,
        outcome,
        office: row.parsed_optional("office")?,
    })
}
