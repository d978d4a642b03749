//! SQL of the stock ledger, of documents and of orders.

use crypto::identity::CardSerial;
use time::{Date, OffsetDateTime};

use super::model::{Chip, ChipState};
use crate::access::{OfficeCode, OfficerId, StationId};
use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};

/// Tables of production. A document belongs to one application and one chip; what it holds rests sealed.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 8001,
    title: "stock, documents, orders",
    sql: "create table delivery (
        id TEXT primary key,
        manufacturer TEXT not null,
        batch TEXT not null,
        transport_key_id TEXT not null,
        received_by TEXT not null,
        received_at BIGINT not null
    );
    create table chip (
        id TEXT primary key,
        delivery_id TEXT not null,
        transport_key_id TEXT not null,
        office TEXT not null,
        custody TEXT,
        state TEXT not null,
        known TEXT not null
    );
    create index chip_stock on chip (office, state);
    create table document (
        id TEXT primary key,
        application_id TEXT not null,
        serial TEXT not null,
        state TEXT not null,
        files BYTEA not null,
        prepared BYTEA not null,
        sod BYTEA,
        sod_sha256 BYTEA,
        issued TEXT not null,
        expires TEXT,
        made_at BIGINT not null,
        unique (serial, application_id)
    );
    create table perso_order (
        id TEXT primary key,
        serial TEXT not null,
        station_id TEXT not null,
        document_id TEXT,
        script TEXT not null,
        challenge BYTEA not null,
        challenge_used_at BIGINT,
        made_at BIGINT not null
    );
    create index perso_order_serial on perso_order (serial);",
}];

/// A delivery of blanks.
#[derive(Debug)]
pub(super) struct Delivered<'a> {
    pub id: &'a str,
    pub manufacturer: &'a str,
    pub batch: &'a str,
    pub transport_key_id: &'a str,
    pub by: &'a OfficerId,
    pub at: OffsetDateTime,
}

pub(super) async fn insert_delivery(tx: &mut Tx, delivery: &Delivered<'_>) -> Result<(), StoreError> {
    tx.run(
        "insert into delivery (id, manufacturer, batch, transport_key_id, received_by, received_at)
         values ($1, $2, $3, $4, $5, $6)",
        args![delivery.id, delivery.manufacturer, delivery.batch, delivery.transport_key_id, delivery.by, delivery.at],
    )
    .await?;
    Ok(())
}

/// Enters a blank; false if its serial is in the ledger already.
pub(super) async fn insert_chip(tx: &mut Tx, chip: &Chip) -> Result<bool, StoreError> {
    let inserted = tx
        .run(
            "insert into chip (id, delivery_id, transport_key_id, office, state, known) values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do nothing",
            args![
                chip.serial.to_string(),
                &chip.delivery,
                &chip.transport_key_id,
                chip.office.as_str(),
                chip.state.name(),
                json(&chip.state)
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// A chip, kept from other writers until the transaction ends.
pub(super) async fn chip_locked(tx: &mut Tx, serial: &CardSerial) -> Result<Option<Chip>, StoreError> {
    let sql = "select id, delivery_id, transport_key_id, office, custody, known from chip where id = $1";
    let row = tx.one_locked(sql, args![serial.to_string()]).await?;
    row.map(|row| {
        Ok(Chip {
            serial: row.parsed("id")?,
            delivery: row.get("delivery_id")?,
            transport_key_id: row.get("transport_key_id")?,
            office: row.parsed("office")?,
            custody: row.parsed_optional("custody")?,
            state: row.json("known")?,
        })
    })
    .transpose()
}

pub(super) async fn set_state(tx: &mut Tx, serial: &CardSerial, state: &ChipState) -> Result<(), StoreError> {
    let sql = "update chip set state = $1, known = $2 where id = $3";
    tx.run(sql, args![state.name(), json(state), serial.to_string()]).await?;
    Ok(())
}

pub(super) async fn set_custody(
    tx: &mut Tx,
    serial: &CardSerial,
    office: &OfficeCode,
    station: &StationId,
) -> Result<(), StoreError> {
    let sql = "update chip set office = $1, custody = $2 where id = $3";
    tx.run(sql, args![office.as_str(), station, serial.to_string()]).await?;
    Ok(())
}

/// Where a station stands; `None` if it is unknown or revoked.
pub(super) async fn office_of_station(tx: &mut Tx, station: &StationId) -> Result<Option<OfficeCode>, StoreError> {
    let sql = "select id, office from station where id = $1 and revoked_at is null";
    tx.one(sql, args![station]).await?.map(|row| row.parsed("office")).transpose()
}

/// A document in the making: the files of one card, and its hash table before and after the one signature.
pub(super) struct Document {
    pub id: String,
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
    application: &str,
    serial: &CardSerial,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(
        "insert into document (id, application_id, serial, state, files, prepared, issued, expires, made_at)
         values ($1, $2, $3, 'prepared', $4, $5, $6, $7, $8)",
        args![
            &document.id,
            application,
            serial.to_string(),
            &document.files,
            &document.prepared,
            document.issued.to_string(),
            document.expires.map(|day| day.to_string()),
            at
        ],
    )
    .await?;
    Ok(())
}

/// The document of an application on a chip.
pub(super) async fn document(
    tx: &mut Tx,
    application: &str,
    serial: &CardSerial,
) -> Result<Option<Document>, StoreError> {
    let sql = "select id, files, prepared, sod, sod_sha256, issued, expires from document
               where application_id = $1 and serial = $2 and state in ('prepared', 'signed')";
    tx.one(sql, args![application, serial.to_string()]).await?.map(|row| read_document(&row)).transpose()
}

/// A document by its id.
pub(super) async fn document_by_id(tx: &mut Tx, id: &str) -> Result<Option<Document>, StoreError> {
    let sql = "select id, files, prepared, sod, sod_sha256, issued, expires from document
               where id = $1 and state in ('prepared', 'signed')";
    tx.one(sql, args![id]).await?.map(|row| read_document(&row)).transpose()
}

/// Stores the signed EF.SOD; false if the document was signed or dropped meanwhile.
pub(super) async fn attach(tx: &mut Tx, id: &str, sod: &[u8], sod_sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "update document set state = 'signed', sod = $1, sod_sha256 = $2 where id = $3 and state = 'prepared'";
    Ok(tx.run(sql, args![sod, sod_sha256, id]).await? == 1)
}

/// A document that was prepared for a signer who is no longer there: nothing was signed, so it may be made anew.
pub(super) async fn discard_unsigned(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.run("delete from document where id = $1 and state = 'prepared'", args![id]).await?;
    Ok(())
}

/// Ends a document whose chip is spoiled: it will not be signed or written any more.
pub(super) async fn drop_document(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.run("update document set state = 'dropped' where id = $1", args![id]).await?;
    Ok(())
}

/// An order that went to a station.
pub(super) struct StoredOrder {
    pub serial: CardSerial,
    pub station: StationId,
    /// None for an order of intake.
    pub document: Option<String>,
    /// [`crypto::perso::Record`].
    pub script: crypto::perso::Record,
    pub challenge: [u8; 8],
    pub challenge_used: bool,
}

pub(super) async fn insert_order(
    tx: &mut Tx,
    id: &str,
    order: &StoredOrder,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(
        "insert into perso_order (id, serial, station_id, document_id, script, challenge, made_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        args![
            id,
            order.serial.to_string(),
            &order.station,
            order.document.as_ref(),
            json(&order.script),
            order.challenge.to_vec(),
            at
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn order(tx: &mut Tx, id: &str) -> Result<Option<StoredOrder>, StoreError> {
    let sql = "select id, serial, station_id, document_id, script, challenge, challenge_used_at
               from perso_order where id = $1";
    let row = tx.one(sql, args![id]).await?;
    row.map(|row| {
        Ok(StoredOrder {
            serial: row.parsed("serial")?,
            station: row.parsed("station_id")?,
            document: row.get("document_id")?,
            script: row.json("script")?,
            challenge: row.array("challenge")?,
            challenge_used: row.get::<Option<i64>>("challenge_used_at")?.is_some(),
        })
    })
    .transpose()
}

/// Spends a challenge; false if it was spent before.
pub(super) async fn use_challenge(tx: &mut Tx, order: &str, at: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = "update perso_order set challenge_used_at = $1 where id = $2 and challenge_used_at is null";
    Ok(tx.run(sql, args![at, order]).await? == 1)
}

fn read_document(row: &Record) -> Result<Document, StoreError> {
    let day = |column: &str| -> Result<Option<Date>, StoreError> {
        let date = row.parsed_optional::<crypto::identity::Date>(column)?;
        date.map(|date| date.full().ok_or_else(|| row.inconsistent(column))).transpose()
    };
    let sod: Option<Vec<u8>> = row.get("sod")?;
    Ok(Document {
        id: row.get("id")?,
        files: row.get("files")?,
        prepared: row.get("prepared")?,
        issued: day("issued")?.ok_or_else(|| row.inconsistent("issued"))?,
        expires: day("expires")?,
        signed: sod.map(|sod| Ok::<_, StoreError>((sod, row.array("sod_sha256")?))).transpose()?,
    })
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("states and scripts become JSON")
}
