//! SQL of the ledger: postings, and the only statements that write a chip's state and place.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use time::OffsetDateTime;

use super::super::disagreements;
use super::super::ledger::{Balances, LedgerAccount, LedgerCheck, Movement};
use super::super::model::{Chip, ChipState};
use super::{CHIP, Delivered, texts};
use crate::ground::ids::{DeliveryId, DocumentId, EntryId, PostingId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Postings carry a MAC.
pub const POSTING: Sealed = Sealed {
    table: "posting",
    columns: &[
        ("id", Kind::Uuid),
        ("at", Kind::Moment),
        ("what", Kind::Text),
        ("from_account", Kind::Text),
        ("to_account", Kind::Text),
        ("n", Kind::Integer),
        ("serial", Kind::Text),
        ("delivery_id", Kind::Uuid),
        ("entry_id", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
         from posting where id = $1"
    ),
    all: sql!(
        "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
         from posting order by id"
    ),
    set: sql!("update posting set version = $1, mac = $2 where id = $3"),
};

/// A posting about to be written.
pub(in crate::production) struct Posting {
    pub id: PostingId,
    pub at: OffsetDateTime,
    pub movement: Movement,
    /// The record of the trail that says who did it, and why.
    pub entry: EntryId,
}

/// Writes a chip as it is now, and the posting from the account that it was on to the one where it belongs.
pub(in crate::production) async fn book(tx: &mut Tx, chip: &mut Chip, posting: &Posting) -> Result<(), StoreError> {
    let to = chip.account();
    insert(tx, posting, (&chip.booked, &to), 1, Some(chip)).await?;
    let sql = sql!(
        "update chip set delivery_id = $1, transport_key_id = $2, office = $3, custody = $4, box_id = $5, state = $6,
                state_data = $7, posting_id = $8
         where id = $9"
    );
    let id = chip.serial.to_string();
    let arguments = args![
        chip.delivery,
        &chip.transport_key_id,
        &chip.office,
        chip.custody,
        chip.boxed,
        chip.state.name(),
        Argument::json(&chip.state),
        posting.id,
        &id
    ];
    if tx.change(&CHIP, &id, sql, arguments).await? != 1 {
        return Err(StoreError::inconsistent("chip", "id", id));
    }
    (chip.booked, chip.posting) = (to, Some(posting.id));
    Ok(())
}

/// Enters the blanks of a delivery in one statement, but for those whose serials are in the ledger, with one posting of
/// all of them. Returns how many were entered.
pub(in crate::production) async fn receive(
    tx: &mut Tx,
    delivery: &Delivered<'_>,
    office: &OfficeCode,
    serials: &[CardSerial],
    posting: &Posting,
) -> Result<u64, StoreError> {
    let sql = sql!(
        pg "insert into chip (id, delivery_id, transport_key_id, office, state, state_data, posting_id)
            select id, $2::uuid, $3::text, $4::text, $5::text, $6::jsonb, $7::uuid from unnest($1::text[]) as blank (id)
            on conflict (id) do nothing",
        lite "insert into chip (id, delivery_id, transport_key_id, office, state, state_data, posting_id)
              select value, $2, $3, $4, $5, $6, $7 from json_each($1) where true
              on conflict (id) do nothing",
    );
    let blank = ChipState::Delivered;
    let (key, json) = (delivery.transport_key_id, Argument::json(&blank));
    let arguments = args![texts(serials), delivery.id, key, office, blank.name(), json, posting.id];
    let inserted = tx.run(sql, arguments).await?;
    // One statement puts them in; each gets its own MAC.
    let bare = sql!("select id from chip where delivery_id = $1 and mac is null");
    for row in tx.all(bare, args![delivery.id]).await? {
        tx.seal(&CHIP, row.get::<String>("id")?).await?;
    }
    if inserted > 0 {
        let n = i64::try_from(inserted).unwrap_or(i64::MAX);
        let (from, to) = (LedgerAccount::supplier(), LedgerAccount::store_of(office));
        let values = values(posting, (&from, &to), n, (None, Argument::from(delivery.id)));
        tx.insert_sealed(&POSTING, INSERT, values).await?;
    }
    Ok(inserted)
}

/// A posting; the columns under the MAC first.
const INSERT: crate::store::Sql = sql!(
    "insert into posting (id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
);

async fn insert(
    tx: &mut Tx,
    posting: &Posting,
    accounts: (&LedgerAccount, &LedgerAccount),
    n: i64,
    chip: Option<&Chip>,
) -> Result<(), StoreError> {
    let of = (chip.map(|chip| chip.serial.to_string()), Argument::from(chip.map(|chip| chip.delivery)));
    tx.insert_sealed(&POSTING, INSERT, values(posting, accounts, n, of)).await
}

fn values(
    posting: &Posting,
    (from, to): (&LedgerAccount, &LedgerAccount),
    n: i64,
    (serial, delivery): (Option<String>, Argument),
) -> Vec<Argument> {
    args![posting.id, posting.at, posting.movement.word(), from, to, n, serial, delivery, posting.entry]
}

/// Returns what the accounts hold, compared with the chips by state; both at one moment, however many there are.
///
/// # Errors
/// [`StoreError`]
pub async fn balances(tx: &mut Tx) -> Result<Balances, StoreError> {
    let sql = sql!(
        "select 'account' as kind, account as state, cast(sum(n) as bigint) as n, count(*) as tallied
         from stock_tally group by account
         union all select 'chips', state, cast(sum(n) as bigint), count(*) from chip_tally group by state
         order by 1, 2"
    );
    let (mut accounts, mut chips, mut tallied) = (Vec::new(), BTreeMap::new(), 0);
    for row in tx.all(sql, args![]).await? {
        let n: i64 = row.get("n")?;
        tallied += row.number::<u64>("tallied")?;
        if row.get::<String>("kind")? == "chips" {
            chips.insert(row.get("state")?, n);
        } else if n != 0 {
            accounts.push((row.parsed("state")?, n));
        }
    }
    accounts.sort();
    Ok(Balances { tallied, ..Balances::new(accounts, chips) })
}

/// Walks all postings and all chips: what the postings add up to is what the tally says and what chips there are, and
/// each chip is where its last posting put it, and what was signed is what was produced. Reads every chip.
///
/// # Errors
/// [`StoreError`]
pub async fn check(tx: &mut Tx) -> Result<LedgerCheck, StoreError> {
    let mut found = LedgerCheck { complaints: balances(tx).await?.complaints(), ..LedgerCheck::default() };
    let sql = sql!("select count(*) as n from posting");
    found.postings = tx.one(sql, args![]).await?.map_or(Ok(0), |row| row.number("n"))?;
    let sql = sql!(
        "select account, cast(sum(posted) as bigint) as posted, cast(sum(tallied) as bigint) as tallied,
                cast(sum(counted) as bigint) as counted
         from (
             select to_account as account, n as posted, 0 as tallied, 0 as counted from posting
             union all select from_account, -n, 0, 0 from posting
             union all select account, 0, n, 0 from stock_tally
             union all select case
                 when state = 'personalized' and box_id is null then 'card/' || office
                 when state in ('spoiled', 'destroyed', 'lost') then state || '/' || office
                 when box_id is not null then 'courier/' || office || '/' || cast(box_id as text) || '/' || state
                 when custody is not null then 'station/' || office || '/' || cast(custody as text) || '/' || state
                 when office = 'national' then 'store-room/national/' || state
                 else 'office/' || office || '/' || state end, 0, 0, 1 from chip
         ) everything
         group by account
         having sum(posted) <> sum(tallied) or (account <> 'supplier' and sum(posted) <> sum(counted))
         order by account limit 100"
    );
    for row in tx.all(sql, args![]).await? {
        let (account, of) = (row.get::<String>("account")?, |column| row.get::<i64>(column));
        let (posted, tallied, counted) = (of("posted")?, of("tallied")?, of("counted")?);
        found.complaints.push(format!("{account}: {posted} by postings, {tallied} by the tally, {counted} chips"));
    }
    let sql = sql!(
        "select chip.id as id, coalesce(posting.to_account, 'no account') as account
         from chip left join posting on posting.id = chip.posting_id
         where chip.posting_id is not null and coalesce(posting.to_account, '') <> case
             when state = 'personalized' and box_id is null then 'card/' || office
             when state in ('spoiled', 'destroyed', 'lost') then state || '/' || office
             when box_id is not null then 'courier/' || office || '/' || cast(box_id as text) || '/' || state
             when custody is not null then 'station/' || office || '/' || cast(custody as text) || '/' || state
             when office = 'national' then 'store-room/national/' || state
             else 'office/' || office || '/' || state end
         order by chip.id limit 100"
    );
    for row in tx.all(sql, args![]).await? {
        let (id, account) = (row.get::<String>("id")?, row.get::<String>("account")?);
        found.complaints.push(format!("chip {id}: its last posting put it on {account}"));
    }
    found.complaints.extend(Box::pin(disagreements::all(tx)).await?);
    Ok(found)
}

/// A chip that a receipt made a card, and the digest of what was signed for it.
pub(in crate::production) struct Produced {
    pub posting: PostingId,
    pub serial: CardSerial,
    pub office: OfficeCode,
    /// None for a row that is not understood.
    pub state: Option<ChipState>,
    pub digest: Option<[u8; 32]>,
}

/// Returns chips that became a card by a posting after this one, by posting: those that are one still.
pub(in crate::production) async fn produced(
    tx: &mut Tx,
    after: PostingId,
    most: i64,
) -> Result<Vec<Produced>, StoreError> {
    let sql = sql!(
        pg "select posting.id as id, posting.serial as serial, chip.office as office, chip.state_data as state_data,
                   document.sod_sha256 as sod_sha256
            from posting join chip on chip.id = posting.serial
            left join document on document.serial = posting.serial and document.state in ('signed', 'erased')
                 and cast(document.application_id as text) = chip.state_data->>'application'
            where posting.id > $1 and posting.what = 'personalized' and chip.state = 'personalized'
            order by posting.id limit $2",
        lite "select posting.id as id, posting.serial as serial, chip.office as office, chip.state_data as state_data,
                     document.sod_sha256 as sod_sha256
              from posting join chip on chip.id = posting.serial
              left join document on document.serial = posting.serial and document.state in ('signed', 'erased')
                   and document.application_id = json_extract(chip.state_data, '$.application')
              where posting.id > $1 and posting.what = 'personalized' and chip.state = 'personalized'
              order by posting.id limit $2",
    );
    let read = |row: &Record| {
        // One of another length is none that was ever computed.
        let digest = row.get::<Option<Vec<u8>>>("sod_sha256")?.map(|bytes| bytes.try_into().unwrap_or([0; 32]));
        Ok(Produced {
            posting: Id::of(row, "id")?,
            serial: row.parsed("serial")?,
            office: row.parsed("office")?,
            state: row.json("state_data").ok(),
            digest,
        })
    };
    tx.all(sql, args![after, most]).await?.iter().map(read).collect()
}

/// Returns chips, with their offices, for which a document was signed since this one that is not on a chip that is
/// being written for its application, and not its card.
pub(in crate::production) async fn signed_elsewhere(
    tx: &mut Tx,
    since: DocumentId,
) -> Result<Vec<(CardSerial, OfficeCode, DocumentId)>, StoreError> {
    let sql = sql!(
        pg "select chip.id as id, chip.office as office, document.id as document_id from document join chip on chip.id = document.serial
            where document.id >= $1 and document.state = 'signed'
              and (chip.state not in ('bound', 'personalized')
                   or chip.state_data->>'application' <> cast(document.application_id as text))
            order by chip.id limit 100",
        lite "select chip.id as id, chip.office as office, document.id as document_id from document join chip on chip.id = document.serial
              where document.id >= $1 and document.state = 'signed'
                and (chip.state not in ('bound', 'personalized')
                     or json_extract(chip.state_data, '$.application') <> document.application_id)
              order by chip.id limit 100",
    );
    let read = |row: &Record| Ok((row.parsed("id")?, row.parsed("office")?, Id::of(row, "document_id")?));
    tx.all(sql, args![since]).await?.iter().map(read).collect()
}

/// Returns a page of the postings of a chip, with whether the MAC of each holds: first that of its delivery, or of what
/// was there before the ledger, then its own in the order in which they were written, whatever the clock said.
pub(in crate::production) async fn of_chip(
    tx: &mut Tx,
    chip: &Chip,
    after: PostingId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let mut way = if after == Id::nil() { origin(tx, chip).await? } else { Vec::new() };
    let sql = sql!(
        pg "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
            from posting
            where serial = $1 and seq > coalesce((select seq from posting where id = $2 and serial = $1), 0)
            order by seq limit $3",
        lite "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
              from posting
              where serial = $1 and rowid > coalesce((select rowid from posting where id = $2 and serial = $1), 0)
              order by rowid limit $3",
    );
    let most = most - i64::from(!way.is_empty());
    way.extend(tx.all_judged(&POSTING, sql, args![chip.serial.to_string(), after, most]).await?);
    Ok(way)
}

/// Returns the posting of many chips by which this one came; none where its own first one says it.
async fn origin(tx: &mut Tx, chip: &Chip) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        pg "select from_account from posting where serial = $1 order by seq limit 1",
        lite "select from_account from posting where serial = $1 order by rowid limit 1",
    );
    let first = tx.one(sql, args![chip.serial.to_string()]).await?;
    let begun = first.map_or_else(|| Ok(chip.booked.to_string()), |row| row.get("from_account"))?;
    let sql = sql!(
        pg "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
            from posting
            where serial is null and delivery_id = $1 and to_account = $2 and from_account = 'supplier'
            order by case when id = $3 then 0 else 1 end, seq limit 1",
        lite "select id, at, what, from_account, to_account, n, serial, delivery_id, entry_id, version, mac
              from posting
              where serial is null and delivery_id = $1 and to_account = $2 and from_account = 'supplier'
              order by case when id = $3 then 0 else 1 end, rowid limit 1",
    );
    let own = chip.posting.unwrap_or(Id::nil());
    tx.all_judged(&POSTING, sql, args![chip.delivery, begun, own]).await
}

/// True if there are chips that no posting ever moved and no delivery of a service with a ledger entered.
pub(in crate::production) async fn has_unposted(tx: &mut Tx) -> Result<bool, StoreError> {
    let sql = sql!("select delivery_id from chip where posting_id is null order by delivery_id limit 1");
    Ok(tx.one(sql, args![]).await?.is_some())
}

/// Chips of a delivery that are on an account by their rows and not by postings; below zero those of which it is the
/// other way round.
pub(in crate::production) struct Unopened {
    pub delivery: DeliveryId,
    pub account: LedgerAccount,
    pub chips: i64,
}

/// Compares, for deliveries with chips that no posting ever moved, where chips were when they were first posted, or
/// are, with the postings of many chips that put them there.
pub(in crate::production) async fn unopened(tx: &mut Tx) -> Result<Vec<Unopened>, StoreError> {
    let sql = sql!(
        "select delivery_id, account, cast(sum(n) as bigint) as n from (
             select delivery_id, case
                 when state = 'personalized' and box_id is null then 'card/' || office
                 when state in ('spoiled', 'destroyed', 'lost') then state || '/' || office
                 when box_id is not null then 'courier/' || office || '/' || cast(box_id as text) || '/' || state
                 when custody is not null then 'station/' || office || '/' || cast(custody as text) || '/' || state
                 when office = 'national' then 'store-room/national/' || state
                 else 'office/' || office || '/' || state end as account, 1 as n from chip where posting_id is null
             union all select chip.delivery_id, posting.to_account, 1
                 from chip join posting on posting.id = chip.posting_id where posting.serial is null
             union all select chip.delivery_id, posting.from_account, 1
                 from posting join chip on chip.id = posting.serial
                 where posting.from_account <> 'supplier'
                   and not exists (select 1 from v_posting_order own
                                   join v_posting_order earlier on earlier.serial = own.serial
                                   where own.id = posting.id and earlier.place < own.place)
             union all select delivery_id, to_account, -n from posting
                 where serial is null and from_account = 'supplier'
             union all select delivery_id, from_account, n from posting
                 where serial is null and to_account = 'supplier'
         ) everything
         where delivery_id in (select delivery_id from chip where posting_id is null)
         group by delivery_id, account having sum(n) <> 0 order by delivery_id, account"
    );
    let read = |row: &Record| {
        let delivery = Id::of(row, "delivery_id")?;
        Ok(Unopened { delivery, account: row.parsed("account")?, chips: row.get("n")? })
    };
    tx.all(sql, args![]).await?.iter().map(read).collect()
}

/// True if no chip of a delivery that no posting ever moved was changed by another hand.
pub(in crate::production) async fn unposted_hold(tx: &mut Tx, delivery: DeliveryId) -> Result<bool, StoreError> {
    let sql = sql!(
        "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id, version, mac
         from chip where delivery_id = $1 and posting_id is null order by id"
    );
    Ok(tx.all_judged(&CHIP, sql, args![delivery]).await?.iter().all(|(_, holds)| *holds))
}

/// Writes a posting of many chips of a delivery.
pub(in crate::production) async fn open(
    tx: &mut Tx,
    posting: &Posting,
    accounts: (&LedgerAccount, &LedgerAccount),
    n: i64,
    delivery: DeliveryId,
) -> Result<(), StoreError> {
    let values = values(posting, accounts, n, (None, Argument::from(delivery)));
    tx.insert_sealed(&POSTING, INSERT, values).await
}

/// Adds up a piece of what is counted: see [`super::add_up`].
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(tx: &mut Tx) -> Result<bool, StoreError> {
    let sql = sql!(
        "delete from stock_tally where id in (select id from stock_tally order by id limit $1)
         returning account as state, n"
    );
    let rows = tx.all(sql, args![super::PIECE]).await?;
    for (account, n) in crate::store::sums(&rows)? {
        tx.run(sql!("insert into stock_tally (account, n) values ($1, $2)"), args![account, n]).await?;
    }
    Ok(i64::try_from(rows.len()).is_ok_and(|rows| rows < super::PIECE))
}
