//! SQL of the cards.

use crypto::identity::CardSerial;
use futures_util::TryStreamExt as _;

use super::model::{Card, Revocation, Status};
use crate::deed::Deed;
use crate::ground::Id;
use crate::ground::actor::Actor;
use crate::ground::ids::{CardId, PersonId};
use crate::store::{Argument, Kind, Migration, Record, Sealed, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of cards and revoked documents.
pub const MIGRATIONS: &[Migration] = &[migration!(7, "0007_cards_registry"), migration!(22, "0022_cards_row_macs")];

/// Cards carry a MAC.
pub const CARD: Sealed = Sealed {
    table: "card",
    columns: &[
        ("id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("application_id", Kind::Uuid),
        ("serial", Kind::Text),
        ("sod_sha256", Kind::Bytes),
        ("office", Kind::Text),
        ("issued", Kind::Day),
        ("expires", Kind::Day),
        ("status", Kind::Text),
        ("status_data", Kind::Json),
    ],
    one: sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data, version, mac
         from card where id = $1"
    ),
    all: sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data, version, mac
         from card order by id"
    ),
    set: sql!("update card set version = $1, mac = $2 where id = $3"),
};

pub(super) async fn insert(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into card
                 (id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ),
        args![
            card.id,
            card.person,
            card.application,
            card.serial.to_string(),
            card.sod_sha256,
            &card.office,
            card.issued,
            card.expires,
            card.status.word(),
            Argument::json(&card.status)
        ],
    )
    .await?;
    tx.seal(&CARD, card.id).await
}

/// Returns a card, kept from other writers until the deed ends. The deed owes a record that names the holder.
///
/// # Errors
/// [`StoreError`]
pub async fn card_locked<A: Actor>(deed: &mut Deed<A>, id: CardId) -> Result<Option<Card>, StoreError> {
    let card = deed.tx().sealed_locked(&CARD, id).await?.map(|row| read(&row)).transpose()?;
    if let Some(card) = &card {
        deed.saw(card.person);
    }
    Ok(card)
}

/// Returns the cards that a person has in hand. The deed owes a record that names the person.
pub(super) async fn active_of<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<Vec<Card>, StoreError> {
    deed.saw(person);
    let sql = sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data, version, mac
         from card where person_id = $1 order by id"
    );
    // All of them are read: a status that was changed by another hand must not hide one.
    let cards = deed.tx().all_sealed(&CARD, sql, args![person]).await?;
    let active = cards.iter().filter(|row| row.get::<String>("status").is_ok_and(|status| status == "active"));
    active.map(read).collect()
}

/// Returns every card of a person. The deed owes a record that names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn cards_of<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<Vec<Card>, StoreError> {
    deed.saw(person);
    let sql = sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status_data
         from card where person_id = $1 order by id"
    );
    deed.tx().all(sql, args![person]).await?.iter().map(read).collect()
}

pub(super) async fn set_status(tx: &mut Tx, id: CardId, status: &Status) -> Result<(), StoreError> {
    let sql = sql!("update card set status = $1, status_data = $2 where id = $3");
    tx.change(&CARD, id, sql, args![status.word(), Argument::json(status), id]).await?;
    Ok(())
}

/// Puts a document on the list that kiosks get. Once on it, it stays, for its first reason.
pub(super) async fn revoke_document<A: Actor>(
    deed: &mut Deed<A>,
    sod_sha256: &[u8; 32],
    reason: Revocation,
) -> Result<(), StoreError> {
    let (at, mark): (_, Id<()>) = (deed.at(), deed.id());
    let sql = sql!(
        "insert into revoked_document (sod_sha256, reason, at) values ($1, $2, $3)
         on conflict (sod_sha256) do nothing"
    );
    if deed.tx().run(sql, args![sod_sha256, reason.word(), at]).await? == 1 {
        deed.tx().run(sql!("insert into revocation_mark (id) values ($1)"), args![mark]).await?;
    }
    Ok(())
}

/// True if the list of revoked documents changed since its marks were last taken. Cheap, so that the list is read
/// only when it is another one.
///
/// # Errors
/// [`StoreError`]
pub async fn has_revocation_marks(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tx.one(sql!("select id from revocation_mark limit 1"), args![]).await?.is_some())
}

/// Takes the marks of the changes so far: the caller reads the list afterwards, in the same transaction,
/// and so sees all of them.
///
/// # Errors
/// [`StoreError`]
pub async fn take_revocation_marks(tx: &mut Tx) -> Result<(), StoreError> {
    tx.run(sql!("delete from revocation_mark"), args![]).await?;
    Ok(())
}

/// Returns all revoked documents, ascending: fingerprints of EF.SODs, for the trust bundle. Read as a stream.
///
/// # Errors
/// [`StoreError`]
pub async fn revoked_documents(tx: &mut Tx) -> Result<Vec<[u8; 32]>, StoreError> {
    let rows = tx.stream(sql!("select sod_sha256 from revoked_document order by sod_sha256"), args![]);
    rows.and_then(async |row| row.array("sod_sha256")).try_collect().await
}

/// Returns the status word of a document; `None` if no card has this EF.SOD.
pub(super) async fn status_of(tx: &mut Tx, sod_sha256: &[u8; 32]) -> Result<Option<String>, StoreError> {
    let revoked = sql!("select reason from revoked_document where sod_sha256 = $1");
    if tx.one(revoked, args![sod_sha256]).await?.is_some() {
        return Ok(Some("revoked".to_owned()));
    }
    let sql = sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data, version, mac
         from card where sod_sha256 = $1"
    );
    let card = tx.all_sealed(&CARD, sql, args![sod_sha256]).await?;
    card.first().map(|row| row.get("status")).transpose()
}

fn read(row: &Record) -> Result<Card, StoreError> {
    Ok(Card {
        id: Id::of(row, "id")?,
        person: Id::of(row, "person_id")?,
        application: Id::of(row, "application_id")?,
        serial: row.parsed::<CardSerial>("serial")?,
        sod_sha256: row.array("sod_sha256")?,
        office: row.parsed("office")?,
        issued: row.get("issued")?,
        expires: row.get("expires")?,
        status: row.json("status_data")?,
    })
}
