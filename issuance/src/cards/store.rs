//! SQL of the cards.

use crypto::identity::CardSerial;
use time::{Date, OffsetDateTime};

use super::model::{Card, Revocation, Status};
use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};

/// Cards, and what kiosks must refuse: also documents that were signed and never became a card.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 9001,
    title: "cards and revoked documents",
    sql: "create table card (
        id TEXT primary key,
        person_id TEXT not null,
        application_id TEXT not null,
        serial TEXT not null unique,
        sod_sha256 BYTEA not null unique,
        office TEXT not null,
        issued TEXT not null,
        expires TEXT,
        status TEXT not null,
        known TEXT not null
    );
    create index card_person on card (person_id, status);
    create table revoked_document (
        sod_sha256 BYTEA primary key,
        reason TEXT not null,
        at BIGINT not null
    );
    create index revoked_document_at on revoked_document (at);",
}];

pub(super) async fn insert(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    tx.run(
        "insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, known)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            &card.id,
            &card.person,
            &card.application,
            card.serial.to_string(),
            card.sod_sha256,
            card.office.as_str(),
            card.issued.to_string(),
            card.expires.map(|day| day.to_string()),
            card.status.word(),
            json(&card.status)
        ],
    )
    .await?;
    Ok(())
}

/// A card, kept from other writers until the transaction ends.
///
/// # Errors
/// [`StoreError`]
pub async fn card_locked(tx: &mut Tx, id: &str) -> Result<Option<Card>, StoreError> {
    let sql = "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, known
               from card where id = $1";
    tx.one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// Cards that a person has in hand.
pub(super) async fn active_of(tx: &mut Tx, person: &str) -> Result<Vec<Card>, StoreError> {
    let sql = "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, known
               from card where person_id = $1 and status = 'active' order by id";
    tx.all(sql, args![person]).await?.iter().map(read).collect()
}

/// Whether a person has a card in hand.
///
/// # Errors
/// [`StoreError`]
pub async fn has_active(tx: &mut Tx, person: &str) -> Result<bool, StoreError> {
    Ok(!active_of(tx, person).await?.is_empty())
}

pub(super) async fn set_status(tx: &mut Tx, id: &str, status: &Status) -> Result<(), StoreError> {
    tx.run("update card set status = $1, known = $2 where id = $3", args![status.word(), json(status), id]).await?;
    Ok(())
}

/// Puts a document on the list that kiosks get. Once on it, it stays, for its first reason.
pub(super) async fn revoke_document(
    tx: &mut Tx,
    sod_sha256: &[u8; 32],
    reason: Revocation,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(
        "insert into revoked_document (sod_sha256, reason, at) values ($1, $2, $3) on conflict (sod_sha256) do nothing",
        args![sod_sha256, reason.word(), at],
    )
    .await?;
    Ok(())
}

/// All revoked documents, ascending: fingerprints of EF.SODs, for the trust bundle.
///
/// # Errors
/// [`StoreError`]
pub async fn revoked_documents(tx: &mut Tx) -> Result<Vec<[u8; 32]>, StoreError> {
    let rows = tx.all("select sod_sha256 from revoked_document order by sod_sha256", args![]).await?;
    rows.iter().map(|row| row.array("sod_sha256")).collect()
}

/// The status word of a document; `None` if no card has this EF.SOD.
pub(super) async fn status_of(tx: &mut Tx, sod_sha256: &[u8; 32]) -> Result<Option<String>, StoreError> {
    let revoked = "select 1 as one from revoked_document where sod_sha256 = $1";
    if tx.one(revoked, args![sod_sha256]).await?.is_some() {
        return Ok(Some("revoked".to_owned()));
    }
    let card = tx.one("select id, status from card where sod_sha256 = $1", args![sod_sha256]).await?;
    card.map(|row| row.get("status")).transpose()
}

fn read(row: &Record) -> Result<Card, StoreError> {
    Ok(Card {
        id: row.get("id")?,
        person: row.get("person_id")?,
        application: row.get("application_id")?,
        serial: row.parsed::<CardSerial>("serial")?,
        sod_sha256: row.array("sod_sha256")?,
        office: row.parsed("office")?,
        issued: day(row, "issued")?.ok_or_else(|| row.inconsistent("issued"))?,
        expires: day(row, "expires")?,
        status: row.json("known")?,
    })
}

/// `yyyy-MM-dd`.
fn day(row: &Record, column: &str) -> Result<Option<Date>, StoreError> {
    let date = row.parsed_optional::<crypto::identity::Date>(column)?;
    date.map(|date| date.full().ok_or_else(|| row.inconsistent(column))).transpose()
}

fn json(status: &Status) -> String {
    serde_json::to_string(status).expect("a status becomes JSON")
}
