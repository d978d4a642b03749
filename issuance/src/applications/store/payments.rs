//! SQL of fees.

use time::Date;

use crate::applications::payments::{ExemptionGround, FeeEntry, FeeEntryKind, PaymentMethod};
use crate::ground::ids::{ApplicationId, FeeEntryId, PersonId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Db, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Entries of the fees carry a MAC.
pub const FEE_ENTRY: Sealed = Sealed {
    table: "fee_entry",
    columns: &[
        ("id", Kind::Uuid),
        ("application_id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("office", Kind::Text),
        ("day", Kind::Day),
        ("kind", Kind::Text),
        ("settles", Kind::Integer),
        ("dong", Kind::Integer),
        ("method", Kind::Text),
        ("receipt", Kind::Text),
        ("ground", Kind::Text),
        ("words", Kind::Text),
        ("undoes", Kind::Uuid),
        ("recorded_by", Kind::Uuid),
        ("recorded_at", Kind::Moment),
        ("paid_on", Kind::Day),
    ],
    keys: 1,
    one: sql!(
        "select id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground, words, undoes,
             recorded_by, recorded_at, paid_on, version, mac
         from fee_entry where id = $1"
    ),
    all: sql!(
        "select id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground, words, undoes,
             recorded_by, recorded_at, paid_on, version, mac
         from fee_entry order by id"
    ),
    set: sql!("update fee_entry set version = $1, mac = $2 where id = $3"),
};

/// Inserts an entry.
pub(in crate::applications) async fn insert(tx: &mut Tx, entry: &FeeEntry) -> Result<(), StoreError> {
    let values = args![
        entry.id,
        entry.application,
        entry.person,
        &entry.office,
        entry.day,
        entry.kind.word(),
        entry.settles,
        entry.dong,
        entry.method.map(PaymentMethod::word),
        entry.receipt.as_deref(),
        entry.ground.map(ExemptionGround::word),
        entry.words.as_deref(),
        entry.undoes,
        entry.by,
        entry.at,
        entry.paid_on
    ];
    let sql = sql!(
        "insert into fee_entry (id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground,
             words, undoes, recorded_by, recorded_at, paid_on, version, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
    );
    tx.insert_sealed(&FEE_ENTRY, sql, values).await?;
    count(tx, entry).await
}

/// Counts an entry in the till of its office, which is under a MAC: an entry that another hand deletes is missed.
///
/// A till that another hand changed stops no payment: `issuance verify` lists it.
async fn count(tx: &mut Tx, entry: &FeeEntry) -> Result<(), StoreError> {
    let office = entry.office.as_str();
    let begins = sql!("insert into fee_till (office, entries, dong) values ($1, 0, 0) on conflict (office) do nothing");
    if tx.run(begins, args![office]).await? == 1 {
        tx.seal(&FEE_TILL, office).await?;
    }
    let sql = sql!("update fee_till set entries = entries + 1, dong = dong + $1 where office = $2");
    match tx.change(&FEE_TILL, office, sql, args![entry.dong, office]).await {
        Err(error @ StoreError::Tampered { .. }) => {
            tracing::error!(%error, "the entry is kept, and the till stays as the other hand left it");
            Ok(())
        }
        done => done.map(drop),
    }
}

/// How many entries each office ever made, and what they add up to: each row carries a MAC.
pub const FEE_TILL: Sealed = Sealed {
    table: "fee_till",
    columns: &[("office", Kind::Text), ("entries", Kind::Integer), ("dong", Kind::Integer)],
    keys: 1,
    one: sql!("select office, entries, dong, version, mac from fee_till where office = $1"),
    all: sql!("select office, entries, dong, version, mac from fee_till order by office"),
    set: sql!("update fee_till set version = $1, mac = $2 where office = $3"),
};

/// Begins the tills of offices that made entries before there were tills. Once, before the rows are sealed: what is
/// missing later is missed.
///
/// # Errors
/// [`StoreError`]
pub async fn begin_tills_of_before(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin_upkeep().await?;
    let sql = sql!(
        "insert into fee_till (office, entries, dong)
         select office, count(*), cast(sum(dong) as bigint) from fee_entry group by office
         on conflict (office) do nothing"
    );
    tx.run(sql, args![]).await?;
    tx.commit().await
}

/// Counts the entries of the fees again, and returns where the tills say otherwise: the office (and `đồng` for the
/// sum), what its till says, what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select office as state, cast(sum(said) as bigint) as said, cast(sum(counted) as bigint) as counted
         from (select office, entries as said, 0 as counted from fee_till
               union all select office, 0 as said, count(*) as counted from fee_entry group by office
               union all select office || ' đồng' as office, dong as said, 0 as counted from fee_till
               union all select office || ' đồng' as office, 0 as said, cast(sum(dong) as bigint) as counted
                         from fee_entry group by office) both_ways
         group by office having sum(said) <> sum(counted) order by office"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.get("said")?, row.get("counted")?))).collect()
}

/// Notes that an office gave a receipt, by its number; `typed` as an earlier version noted it. Returns false if it gave
/// this one before.
pub(in crate::applications) async fn give_receipt(
    tx: &mut Tx,
    office: &OfficeCode,
    [number, typed]: [&str; 2],
    entry: FeeEntryId,
) -> Result<bool, StoreError> {
    let before = sql!("select entry_id from fee_receipt where office = $1 and receipt = $2");
    if tx.one(before, args![office, typed]).await?.is_some() {
        return Ok(false);
    }
    let sql = sql!(
        "insert into fee_receipt (office, receipt, entry_id) values ($1, $2, $3)
         on conflict (office, receipt) do nothing"
    );
    Ok(tx.run(sql, args![office, number, entry]).await? == 1)
}

/// Frees the receipt of an entry that was struck out: the paper is entered anew.
pub(in crate::applications) async fn free_receipt(tx: &mut Tx, entry: &FeeEntry) -> Result<(), StoreError> {
    let sql = sql!("delete from fee_receipt where office = $1 and entry_id = $2");
    tx.run(sql, args![&entry.office, entry.id]).await?;
    Ok(())
}

/// Returns the entries of an application, oldest first. The deed owes a record that names the person.
pub(in crate::applications) async fn of_application(
    tx: &mut Tx,
    person: PersonId,
    id: ApplicationId,
) -> Result<Vec<FeeEntry>, StoreError> {
    let sql = sql!(
        "select id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground, words, undoes,
             recorded_by, recorded_at, paid_on, version, mac
         from fee_entry where person_id = $1 and application_id = $2 order by id"
    );
    tx.all_sealed(&FEE_ENTRY, sql, args![person, id]).await?.iter().map(read).collect()
}

/// Returns entries in the takings of an office on a day, by id, after this one; each with whether its MAC holds.
///
/// # Errors
/// [`StoreError`]
pub async fn of_day(
    tx: &mut Tx,
    office: &OfficeCode,
    day: Date,
    after: FeeEntryId,
    most: i64,
) -> Result<Vec<(FeeEntryId, Option<FeeEntry>)>, StoreError> {
    let sql = sql!(
        "select id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground, words, undoes,
             recorded_by, recorded_at, paid_on, version, mac
         from fee_entry where office = $1 and day = $2 and id > $3 order by id limit $4"
    );
    let rows = tx.all_judged(&FEE_ENTRY, sql, args![office, day, after, most]).await?;
    let judged = |(row, holds): &(Record, bool)| Ok((Id::of(row, "id")?, holds.then(|| read(row)).transpose()?));
    rows.iter().map(judged).collect()
}

/// What an office took on a day, and what it gave back or struck out, in đồng.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DaySum {
    /// Paid.
    pub taken: i64,
    /// Given back or struck out, as a positive number.
    pub returned: i64,
    /// Entries that another hand changed, and that are in no sum.
    pub unreadable: u64,
}

/// Returns what an office took and gave back on a day, by the entries whose MACs hold.
///
/// # Errors
/// [`StoreError`]
pub async fn sum_of_day(tx: &mut Tx, office: &OfficeCode, day: Date) -> Result<DaySum, StoreError> {
    let (mut sum, mut after) = (DaySum::default(), Id::nil());
    loop {
        let some = of_day(tx, office, day, after, PIECE).await?;
        let Some((last, _)) = some.last() else { return Ok(sum) };
        after = *last;
        for (_, entry) in some {
            match entry.map(|entry| entry.dong) {
                None => sum.unreadable += 1,
                Some(dong) if dong < 0 => sum.returned -= dong,
                Some(dong) => sum.taken += dong,
            }
        }
    }
}

/// So many entries of a day are read in one go.
const PIECE: i64 = 500;

/// Empties the words of an application's entries: the evidence of an exemption tells of the citizen's life.
pub(in crate::applications) async fn forget_words(
    tx: &mut Tx,
    person: PersonId,
    id: ApplicationId,
) -> Result<(), StoreError> {
    let found = sql!(
        "select id, application_id, person_id, office, day, kind, settles, dong, method, receipt, ground, words, undoes,
             recorded_by, recorded_at, paid_on, version, mac
         from fee_entry where person_id = $1 and application_id = $2 order by id"
    );
    let sql = sql!("update fee_entry set words = null where id = $1");
    tx.change_found(&FEE_ENTRY, (found, args![person, id]), sql, args![]).await
}

fn read(row: &Record) -> Result<FeeEntry, StoreError> {
    Ok(FeeEntry {
        id: Id::of(row, "id")?,
        application: Id::of(row, "application_id")?,
        person: Id::of(row, "person_id")?,
        office: row.parsed("office")?,
        day: row.get("day")?,
        kind: word(row, "kind", FeeEntryKind::named)?,
        settles: row.get("settles")?,
        dong: row.get("dong")?,
        method: optional_word(row, "method", PaymentMethod::named)?,
        receipt: row.get("receipt")?,
        ground: optional_word(row, "ground", ExemptionGround::named)?,
        words: row.get("words")?,
        undoes: Id::of_optional(row, "undoes")?,
        by: Id::of(row, "recorded_by")?,
        at: row.get("recorded_at")?,
        paid_on: row.get("paid_on")?,
    })
}

fn word<T>(row: &Record, column: &str, named: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    named(&row.get::<String>(column)?).ok_or_else(|| row.inconsistent(column))
}

fn optional_word<T>(row: &Record, column: &str, named: impl Fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
    row.get::<Option<String>>(column)?.map(|text| named(&text).ok_or_else(|| row.inconsistent(column))).transpose()
}
