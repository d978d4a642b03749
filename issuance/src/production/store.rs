//! SQL of the stock ledger, of documents and of orders.

pub(super) mod batches;
pub(super) mod body_doubts;
pub(super) mod boxes;
pub(super) mod card_batches;
pub(super) mod cases;
pub(super) mod counts;
pub(super) mod dissolutions;
pub(super) mod ends;
pub(super) mod findings;
pub(super) mod floor;
pub(super) mod ledger;
pub(super) mod lists;
pub(super) mod print_jobs;
pub(super) mod recalls;

use crypto::identity::CardSerial;
use time::{Date, OffsetDateTime};

use super::ledger::LedgerAccount;
use super::model::{Chip, ChipKeys};
use crate::ground::ids::{ApplicationId, DeliveryId, DocumentId, OfficerId, OrderId, StationId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Migration, Record, Sealed, StoreError, Tx, sums};
use crate::{args, migration, sql};

/// Tables of production.
pub const MIGRATIONS: &[Migration] = &[
    migration!(10, "0010_production_stock_documents_orders"),
    migration!(24, "0024_production_row_macs"),
    migration!(30, "0030_production_chip_keys"),
    migration!(45, "0045_production_write_offs"),
    migration!(49, "0049_production_write_off_row_macs"),
    migration!(57, "0057_production_lists"),
    migration!(65, "0065_production_findings"),
    migration!(86, "0086_production_tally"),
    migration!(140, "0140_production_ledger"),
    migration!(141, "0141_production_ends"),
    migration!(142, "0142_production_boxes"),
    migration!(143, "0143_production_recalls"),
    migration!(144, "0144_production_batches"),
    migration!(145, "0145_production_deliveries_sealed"),
    migration!(171, "0171_production_card_batches"),
    migration!(173, "0173_production_print_jobs"),
    migration!(175, "0175_production_parcels"),
    migration!(180, "0180_production_cases_of_two_offices"),
    migration!(181, "0181_production_boxes_due"),
    migration!(182, "0182_production_counts_of_store_rooms"),
    migration!(183, "0183_production_batches_moved"),
    migration!(185, "0185_production_postings_in_order"),
    migration!(199, "0199_production_found_seals"),
    migration!(200, "0200_production_evidence_of_cases"),
    migration!(201, "0201_production_order_of_postings"),
    migration!(206, "0206_production_bodies_and_seals"),
    migration!(217, "0217_production_unclosed_batches"),
];

/// Write-offs that wait for their witness carry a MAC.
pub const WRITE_OFF: Sealed = Sealed {
    table: "write_off",
    columns: &[
        ("serial", Kind::Text),
        ("reason", Kind::Text),
        ("witness", Kind::Uuid),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select serial, reason, witness, proposed_by, proposed_at, version, mac from write_off where serial = $1"
    ),
    all: sql!("select serial, reason, witness, proposed_by, proposed_at, version, mac from write_off order by serial"),
    set: sql!("update write_off set version = $1, mac = $2 where serial = $3"),
};

/// Chips of the ledger carry a MAC.
pub const CHIP: Sealed = Sealed {
    table: "chip",
    columns: &[
        ("id", Kind::Text),
        ("delivery_id", Kind::Uuid),
        ("transport_key_id", Kind::Text),
        ("office", Kind::Text),
        ("custody", Kind::Uuid),
        ("state", Kind::Text),
        ("state_data", Kind::Json),
        ("posting_id", Kind::Uuid),
        ("box_id", Kind::Uuid),
    ],
    keys: 1,
    one: sql!(
        "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id, version,
                mac
         from chip where id = $1"
    ),
    all: sql!(
        "select id, delivery_id, transport_key_id, office, custody, state, state_data, posting_id, box_id, version,
                mac
         from chip order by id"
    ),
    set: sql!("update chip set version = $1, mac = $2 where id = $3"),
};

/// A delivery of blanks.
#[derive(Debug)]
pub(super) struct Delivered<'a> {
    pub id: DeliveryId,
    pub manufacturer: &'a str,
    pub batch: &'a str,
    pub transport_key_id: &'a str,
    pub firmware: Option<&'a str>,
    pub received: &'a Decision,
}

/// Deliveries carry a MAC: one whose lot another hand exchanged would not be found by the recall of that lot.
pub const DELIVERY: Sealed = Sealed {
    table: "delivery",
    columns: &[
        ("id", Kind::Uuid),
        ("manufacturer", Kind::Text),
        ("batch", Kind::Text),
        ("transport_key_id", Kind::Text),
        ("received_by", Kind::Uuid),
        ("received_at", Kind::Moment),
        ("firmware", Kind::Text),
    ],
    keys: 1,
    one: sql!(
        "select id, manufacturer, batch, transport_key_id, received_by, received_at, firmware, version, mac
         from delivery where id = $1"
    ),
    all: sql!(
        "select id, manufacturer, batch, transport_key_id, received_by, received_at, firmware, version, mac
         from delivery order by id"
    ),
    set: sql!("update delivery set version = $1, mac = $2 where id = $3"),
};

pub(super) async fn insert_delivery(tx: &mut Tx, delivery: &Delivered<'_>) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into delivery (id, manufacturer, batch, transport_key_id, received_by, received_at, firmware)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        args![
            delivery.id,
            delivery.manufacturer,
            delivery.batch,
            delivery.transport_key_id,
            delivery.received.by,
            delivery.received.at,
            delivery.firmware
        ],
    )
    .await?;
    tx.seal(&DELIVERY, delivery.id).await
}

/// Returns those of these blanks that are in the ledger as another delivery's, in their order.
pub(super) async fn claimed_before(
    tx: &mut Tx,
    delivery: DeliveryId,
    serials: &[CardSerial],
) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!(
        pg "select id from chip where id = any($1::text[]) and delivery_id <> $2 order by id",
        lite "select id from chip where id in (select value from json_each($1)) and delivery_id <> $2 order by id",
    );
    tx.all(sql, args![texts(serials), delivery]).await?.iter().map(|row| row.parsed("id")).collect()
}

/// Returns the first of these blanks that is in the ledger as another delivery's, and the office that has it.
pub(super) async fn delivered_before(
    tx: &mut Tx,
    delivery: DeliveryId,
    serials: &[CardSerial],
) -> Result<Option<(CardSerial, OfficeCode)>, StoreError> {
    let sql = sql!(
        pg "select id, office from chip where id = any($1::text[]) and delivery_id <> $2 order by id limit 1",
        lite "select id, office from chip where id in (select value from json_each($1)) and delivery_id <> $2
              order by id limit 1",
    );
    let row = tx.one(sql, args![texts(serials), delivery]).await?;
    row.map(|row| Ok((row.parsed("id")?, row.parsed("office")?))).transpose()
}

fn texts(serials: &[CardSerial]) -> Argument {
    Argument::Texts(serials.iter().map(ToString::to_string).collect())
}

/// Returns a chip, kept from other writers until the transaction ends.
pub(super) async fn chip_locked(tx: &mut Tx, serial: &CardSerial) -> Result<Option<Chip>, StoreError> {
    let row = tx.sealed_locked(&CHIP, serial.to_string()).await?;
    row.map(|row| {
        let mut chip = Chip {
            serial: row.parsed("id")?,
            delivery: Id::of(&row, "delivery_id")?,
            transport_key_id: row.get("transport_key_id")?,
            office: row.parsed("office")?,
            custody: Id::of_optional(&row, "custody")?,
            boxed: Id::of_optional(&row, "box_id")?,
            state: row.json("state_data")?,
            posting: Id::of_optional(&row, "posting_id")?,
            booked: LedgerAccount::supplier(),
        };
        chip.booked = chip.account();
        Ok(chip)
    })
    .transpose()
}

/// Enters the public keys of a chip, each under its SHA-256. Returns false if one of them is another chip's, or stands
/// there for another use; entered again for the same chip, they stay. Waits for a transaction that enters the same key.
pub(super) async fn enter_keys(
    tx: &mut Tx,
    serial: &CardSerial,
    keys: &ChipKeys,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let mut entries = keys.fingerprints();
    // One order for all transactions, so that two chips with swapped keys do not wait for each other.
    entries.sort_unstable();
    for (id, key_use) in entries {
        tx.run(
            sql!(
                "insert into chip_key (id, serial, key_use, at) values ($1, $2, $3, $4)
                 on conflict (id) do nothing"
            ),
            args![id, serial.to_string(), key_use, at],
        )
        .await?;
        let row = tx.one(sql!("select id, serial, key_use from chip_key where id = $1"), args![id]).await?;
        let row = row.ok_or_else(|| StoreError::inconsistent("chip_key", "id", serial))?;
        if row.parsed::<CardSerial>("serial")? != *serial || row.get::<String>("key_use")? != key_use {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A write-off that waits for its witness.
pub(super) struct WriteOff {
    pub reason: String,
    pub witness: OfficerId,
    pub proposed: Decision,
}

/// Notes a write-off that waits for its witness, in place of an earlier one of the chip.
pub(super) async fn propose_write_off(
    tx: &mut Tx,
    serial: &CardSerial,
    write_off: &WriteOff,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into write_off (serial, reason, witness, proposed_by, proposed_at) values ($1, $2, $3, $4, $5)
         on conflict (serial) do update set reason = excluded.reason, witness = excluded.witness,
             proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at"
    );
    let WriteOff { reason, witness, proposed } = write_off;
    tx.run(sql, args![serial.to_string(), reason, *witness, proposed.by, proposed.at]).await?;
    // Whatever stood there before: all that decides was just written.
    tx.seal(&WRITE_OFF, serial.to_string()).await
}

/// Returns the write-off of a chip that waits for its witness.
pub(super) async fn write_off(tx: &mut Tx, serial: &CardSerial) -> Result<Option<WriteOff>, StoreError> {
    let row = tx.sealed(&WRITE_OFF, serial.to_string()).await?;
    row.map(|row| {
        let proposed = Decision { by: Id::of(&row, "proposed_by")?, at: row.get("proposed_at")? };
        Ok(WriteOff { reason: row.get("reason")?, witness: Id::of(&row, "witness")?, proposed })
    })
    .transpose()
}

/// Deletes a write-off that waits for its witness: it took effect.
pub(super) async fn end_write_off(tx: &mut Tx, serial: &CardSerial) -> Result<(), StoreError> {
    tx.run(sql!("delete from write_off where serial = $1"), args![serial.to_string()]).await?;
    Ok(())
}

/// A document in the making: the files of one card, and its hash table before and after the one signature.
pub(super) struct Document {
    pub id: DocumentId,
    /// Sealed [`super::documents::Contents`].
    pub files: Vec<u8>,
    /// [`crypto::sod::Prepared`], sealed.
    pub prepared: Vec<u8>,
    pub issued: Date,
    pub expires: Option<Date>,
    /// EF.SOD, sealed, and its fingerprint; none before the signature.
    pub signed: Option<(Vec<u8>, [u8; 32])>,
}

pub(super) async fn insert_document(
    tx: &mut Tx,
    document: &Document,
    application: ApplicationId,
    serial: &CardSerial,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into document (id, application_id, serial, state, files, prepared, issued, expires, made_at)
             values ($1, $2, $3, 'prepared', $4, $5, $6, $7, $8)"
        ),
        args![
            document.id,
            application,
            serial.to_string(),
            &document.files,
            &document.prepared,
            document.issued,
            document.expires,
            at
        ],
    )
    .await?;
    Ok(())
}

/// Returns the document of an application on a chip.
pub(super) async fn document(
    tx: &mut Tx,
    application: ApplicationId,
    serial: &CardSerial,
) -> Result<Option<Document>, StoreError> {
    let sql = sql!(
        "select id, files, prepared, sod, sod_sha256, issued, expires from document
         where application_id = $1 and serial = $2 and state in ('prepared', 'signed')"
    );
    tx.one(sql, args![application, serial.to_string()]).await?.map(|row| read_document(&row)).transpose()
}

/// Returns a document by its id.
pub(super) async fn document_by_id(tx: &mut Tx, id: DocumentId) -> Result<Option<Document>, StoreError> {
    let sql = sql!(
        "select id, files, prepared, sod, sod_sha256, issued, expires from document
         where id = $1 and state in ('prepared', 'signed')"
    );
    tx.one(sql, args![id]).await?.map(|row| read_document(&row)).transpose()
}

/// Stores the signed EF.SOD. Returns false if the document was signed or dropped meanwhile.
pub(super) async fn attach(tx: &mut Tx, id: DocumentId, sod: &[u8], sod_sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let sql =
        sql!("update document set state = 'signed', sod = $1, sod_sha256 = $2 where id = $3 and state = 'prepared'");
    Ok(tx.run(sql, args![sod, sod_sha256, id]).await? == 1)
}

/// Deletes a document that was prepared for a signer who is no longer there: it was not signed, so it may be made anew.
pub(super) async fn discard_unsigned(tx: &mut Tx, id: DocumentId) -> Result<(), StoreError> {
    tx.run(sql!("delete from document where id = $1 and state = 'prepared'"), args![id]).await?;
    Ok(())
}

/// Deletes a document that was signed by a signer that was revoked since, so that it may be made anew for the same
/// chip. Its fingerprint is on the list of revoked documents.
pub(super) async fn discard_refused(tx: &mut Tx, id: DocumentId) -> Result<(), StoreError> {
    tx.run(sql!("delete from document where id = $1 and state = 'signed'"), args![id]).await?;
    Ok(())
}

/// Empties the documents of a closed application that became no card in a citizen's hand: the sealed files hold the
/// portrait and the data. What was signed stays on the list of revoked documents by its fingerprint. Returns how many
/// documents there were.
///
/// # Errors
/// [`StoreError`]
pub async fn empty_documents(tx: &mut Tx, application: ApplicationId) -> Result<u64, StoreError> {
    print_jobs::end_of_application(tx, application).await?;
    let sql =
        sql!("update document set files = $1, prepared = $1, sod = null, state = 'erased' where application_id = $2");
    tx.run(sql, args![Vec::<u8>::new(), application]).await
}

/// Ends a document whose chip is spoiled: it will not be signed or written any more.
pub(super) async fn drop_document(tx: &mut Tx, id: DocumentId) -> Result<(), StoreError> {
    tx.run(sql!("update document set state = 'dropped' where id = $1"), args![id]).await?;
    Ok(())
}

/// An order that went to a station.
pub(super) struct StoredOrder {
    pub serial: CardSerial,
    pub station: StationId,
    /// None for an order of intake.
    pub document: Option<DocumentId>,
    /// [`crypto::perso::Record`].
    pub script: crypto::perso::Record,
    pub challenge: [u8; 8],
    pub challenge_used: bool,
}

pub(super) async fn insert_order(
    tx: &mut Tx,
    id: OrderId,
    order: &StoredOrder,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into perso_order (id, serial, station_id, document_id, script, challenge, made_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        args![
            id,
            order.serial.to_string(),
            order.station,
            order.document,
            Argument::json(&order.script),
            order.challenge,
            at
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn order(tx: &mut Tx, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
    let sql = sql!(
        "select id, serial, station_id, document_id, script, challenge, challenge_used_at
         from perso_order where id = $1"
    );
    let row = tx.one(sql, args![id]).await?;
    row.map(|row| {
        Ok(StoredOrder {
            serial: row.parsed("serial")?,
            station: Id::of(&row, "station_id")?,
            document: Id::of_optional(&row, "document_id")?,
            script: row.json("script")?,
            challenge: row.array("challenge")?,
            challenge_used: row.get::<Option<OffsetDateTime>>("challenge_used_at")?.is_some(),
        })
    })
    .transpose()
}

/// Spends a challenge. Returns false if it was spent before.
pub(super) async fn use_challenge(tx: &mut Tx, order: OrderId, at: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = sql!("update perso_order set challenge_used_at = $1 where id = $2 and challenge_used_at is null");
    Ok(tx.run(sql, args![at, order]).await? == 1)
}

fn read_document(row: &Record) -> Result<Document, StoreError> {
    let sod: Option<Vec<u8>> = row.get("sod")?;
    Ok(Document {
        id: Id::of(row, "id")?,
        files: row.get("files")?,
        prepared: row.get("prepared")?,
        issued: row.get("issued")?,
        expires: row.get("expires")?,
        signed: sod.map(|sod| Ok::<_, StoreError>((sod, row.array("sod_sha256")?))).transpose()?,
    })
}

/// Returns the state of a chip; none if it is in no delivery.
///
/// # Errors
/// [`StoreError`]
pub async fn chip_state(tx: &mut Tx, serial: &CardSerial) -> Result<Option<String>, StoreError> {
    tx.sealed(&CHIP, serial.to_string()).await?.map(|row| row.get("state")).transpose()
}

/// True if an order was given.
///
/// # Errors
/// [`StoreError`]
pub async fn knows_order(tx: &mut Tx, id: OrderId) -> Result<bool, StoreError> {
    Ok(order(tx, id).await?.is_some())
}

/// What the stock and the orders add up to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Chips by state.
    pub chips: Vec<(String, u64)>,
    /// Orders that were given out and not finished: the number of chips, and the moment of the oldest order.
    pub unfinished: (u64, Option<OffsetDateTime>),
}

/// Returns what the stock and the orders add up to. Reads what was counted and the chips with an order under way,
/// however many chips there are.
///
/// # Errors
/// [`StoreError`]
pub async fn figures(tx: &mut Tx) -> Result<Figures, StoreError> {
    let sql = sql!(
        "select state, cast(sum(n) as bigint) as n from chip_tally group by state having sum(n) > 0 order by state"
    );
    let rows = tx.all(sql, args![]).await?;
    let chips = rows.iter().map(|row| Ok((row.get("state")?, row.number("n")?))).collect::<Result<_, StoreError>>()?;
    let sql = sql!(
        "select count(distinct chip.id) as n, min(perso_order.made_at) as oldest
         from chip join perso_order on perso_order.serial = chip.id where chip.state = 'bound'"
    );
    let unfinished = match tx.one(sql, args![]).await? {
        Some(row) => (row.number("n")?, row.get("oldest")?),
        None => (0, None),
    };
    Ok(Figures { chips, unfinished })
}

/// Returns how many chips have keys of each version of the issuer, by version and state; spoiled ones have none. Reads
/// every chip: for a service that has more than one version.
///
/// # Errors
/// [`StoreError`]
pub async fn key_versions(tx: &mut Tx) -> Result<Vec<(u8, String, u64)>, StoreError> {
    let sql = sql!(
        pg "select cast(state_data->'keys'->>'key_version' as bigint) as v, state, count(*) as n from chip
            where state in ('initialised', 'bound', 'personalized') group by 1, 2 order by 1, 2",
        lite "select cast(json_extract(state_data, '$.keys.key_version') as integer) as v, state, count(*) as n from chip
              where state in ('initialised', 'bound', 'personalized') group by 1, 2 order by 1, 2",
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.number("v")?, row.get("state")?, row.number("n")?))).collect()
}

/// Counts chips again, and returns where the tally says otherwise: state, what it says, what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select state, cast(sum(said) as bigint) as said, cast(sum(counted) as bigint) as counted
         from (select state, n as said, 0 as counted from chip_tally
               union all select state as state, 0 as said, count(*) as counted from chip group by state) both_ways
         group by state having sum(said) <> sum(counted) order by state"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.get("said")?, row.get("counted")?))).collect()
}

/// Adds up a piece of what is counted, so that few rows are read: one row for each change becomes one row for each
/// state. Beside other writers nothing is lost or counted twice, since only rows that it deletes are added up. Returns
/// true if no more is left.
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(tx: &mut Tx) -> Result<bool, StoreError> {
    let sql =
        sql!("delete from chip_tally where id in (select id from chip_tally order by id limit $1) returning state, n");
    let rows = tx.all(sql, args![PIECE]).await?;
    for (state, n) in sums(&rows)? {
        tx.run(sql!("insert into chip_tally (state, n) values ($1, $2)"), args![state, n]).await?;
    }
    Ok(i64::try_from(rows.len()).is_ok_and(|rows| rows < PIECE))
}

/// So many changes are added up in a transaction, so that no other waits for long.
const PIECE: i64 = 10_000;
