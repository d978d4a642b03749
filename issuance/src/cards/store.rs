//! SQL of the cards.

pub mod days;
pub(super) mod lists;

use std::collections::BTreeSet;

use crypto::identity::CardSerial;
use futures_util::TryStreamExt as _;
use time::OffsetDateTime;

use super::model::{BodyCheck, Card, Revocation, Status};
use crate::deed::{Deed, note_change};
use crate::ground::actor::Actor;
use crate::ground::ids::{CardId, PersonId};
use crate::ground::{Id, OfficeCode};
use crate::store::{Argument, Kind, Migration, Record, Sealed, StoreError, Tx, sums};
use crate::{args, migration, sql};

/// Tables of cards and revoked documents.
pub const MIGRATIONS: &[Migration] = &[
    migration!(7, "0007_cards_registry"),
    migration!(22, "0022_cards_row_macs"),
    migration!(41, "0041_cards_suspension"),
    migration!(56, "0056_cards_lists"),
    migration!(82, "0082_cards_must_change"),
    migration!(85, "0085_cards_tally"),
    migration!(172, "0172_cards_body"),
    migration!(187, "0187_cards_recalled"),
    migration!(216, "0216_cards_tally_of_days"),
];

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
        ("suspended_until", Kind::Moment),
        ("must_change", Kind::Text),
        ("body", Kind::Text),
        ("recalled", Kind::Truth),
    ],
    keys: 1,
    one: sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                suspended_until, must_change, body, recalled, version, mac
         from card where id = $1"
    ),
    all: sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                suspended_until, must_change, body, recalled, version, mac
         from card order by id"
    ),
    set: sql!("update card set version = $1, mac = $2 where id = $3"),
};

pub(super) async fn insert(tx: &mut Tx, card: &Card) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into card
                 (id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data, body)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
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
            Argument::json(&card.status),
            card.body.word()
        ],
    )
    .await?;
    tx.seal(&CARD, card.id).await
}

/// Returns a card as it is at this moment. The deed owes a record that names the holder.
///
/// # Errors
/// [`StoreError`]
pub async fn card<A: Actor>(deed: &mut Deed<A>, id: CardId) -> Result<Option<Card>, StoreError> {
    let card = deed.tx().sealed(&CARD, id).await?.map(|row| read(&row)).transpose()?;
    if let Some(card) = &card {
        deed.saw(card.person);
    }
    Ok(card)
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

/// Returns the cards that a person has in hand, or would have if a loss were undone. The deed owes a record that
/// names the person.
pub(super) async fn held_by<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<Vec<Card>, StoreError> {
    deed.saw(person);
    // All of them are read: a status that was changed by another hand must not hide one.
    let cards = every(deed.tx(), person).await?;
    let held = ["active", "suspended"];
    let held = cards.iter().filter(|row| row.get::<String>("status").is_ok_and(|word| held.contains(&word.as_str())));
    held.map(read).collect()
}

/// Returns every card of a person. The deed owes a record that names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn cards_of<A: Actor>(deed: &mut Deed<A>, person: PersonId) -> Result<Vec<Card>, StoreError> {
    deed.saw(person);
    every(deed.tx(), person).await?.iter().map(read).collect()
}

/// True if a card may be handed over to its holder: it is made, was not recalled, and its body was compared with its
/// chip where that is demanded. Nothing of it is answered, so no record is due.
///
/// # Errors
/// [`StoreError`]
pub async fn can_be_handed_over(tx: &mut Tx, id: CardId, body_check: bool) -> Result<bool, StoreError> {
    let card = tx.sealed(&CARD, id).await?.as_ref().map(read).transpose()?;
    let may = |card: Card| card.status == Status::Personalized && !card.recalled && card.body.lets_go(body_check);
    Ok(card.is_some_and(may))
}

/// The rows of all cards of a person, verified.
async fn every(tx: &mut Tx, person: PersonId) -> Result<Vec<Record>, StoreError> {
    let sql = sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                suspended_until, must_change, body, recalled, version, mac
         from card where person_id = $1 order by id"
    );
    tx.all_sealed(&CARD, sql, args![person]).await
}

/// The row of the card with this EF.SOD, verified.
async fn by_document(tx: &mut Tx, sod_sha256: &[u8; 32]) -> Result<Option<Record>, StoreError> {
    let sql = sql!(
        "select id, person_id, application_id, serial, sod_sha256, office, issued, expires, status, status_data,
                suspended_until, must_change, body, recalled, version, mac
         from card where sod_sha256 = $1"
    );
    Ok(tx.all_sealed(&CARD, sql, args![sod_sha256]).await?.into_iter().next())
}

/// Returns the card with this EF.SOD. The deed owes a record that names the holder.
///
/// # Errors
/// [`StoreError`]
pub async fn of_document<A: Actor>(deed: &mut Deed<A>, sod_sha256: &[u8; 32]) -> Result<Option<Card>, StoreError> {
    let card = by_document(deed.tx(), sod_sha256).await?.as_ref().map(read).transpose()?;
    if let Some(card) = &card {
        deed.saw(card.person);
    }
    Ok(card)
}

/// Writes the status of a card, and notes it for those who follow the citizen.
pub(super) async fn set_status(
    tx: &mut Tx,
    (id, person): (CardId, PersonId),
    status: &Status,
) -> Result<(), StoreError> {
    let until = match status {
        // One of a missing person ends when the person is found, and at no day.
        Status::Suspended { loss, .. } => (!loss.missing).then_some(loss.until),
        Status::Personalized | Status::Active { .. } | Status::Revoked { .. } => None,
    };
    let sql = sql!("update card set status = $1, status_data = $2, suspended_until = $3 where id = $4");
    tx.change(&CARD, id, sql, args![status.word(), Argument::json(status), until, id]).await?;
    // What one officer proposes to undo changes nothing yet.
    let proposed = matches!(status, Status::Suspended { undo: Some(_), .. });
    let fields = if proposed { BTreeSet::new() } else { BTreeSet::from(["card_status"]) };
    note_change(tx, person, &fields, None).await
}

/// Returns the cards of these chips that were made and not handed over.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting_of(tx: &mut Tx, serials: &[CardSerial]) -> Result<Vec<CardId>, StoreError> {
    let sql = sql!(
        pg "select id from card where serial = any($1::text[]) and status = 'personalized' order by id",
        lite "select id from card where serial in (select value from json_each($1)) and status = 'personalized'
              order by id",
    );
    let serials = Argument::Texts(serials.iter().map(ToString::to_string).collect());
    tx.all(sql, args![serials]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Returns those of these chips that are cards which were made and not handed over.
///
/// # Errors
/// [`StoreError`]
pub async fn waiting_chips(tx: &mut Tx, serials: &[CardSerial]) -> Result<Vec<CardSerial>, StoreError> {
    let sql = sql!(
        pg "select serial from card where serial = any($1::text[]) and status = 'personalized' order by serial",
        lite "select serial from card where serial in (select value from json_each($1)) and status = 'personalized'
              order by serial",
    );
    let serials = Argument::Texts(serials.iter().map(ToString::to_string).collect());
    tx.all(sql, args![serials]).await?.iter().map(|row| row.parsed("serial")).collect()
}

/// Returns the chip and the digest of the document of each of these cards that there is.
///
/// # Errors
/// [`StoreError`]
pub async fn digests(tx: &mut Tx, ids: &[CardId]) -> Result<Vec<(CardId, (CardSerial, [u8; 32]))>, StoreError> {
    let sql = sql!(
        pg "select id, serial, sod_sha256 from card where id = any($1::uuid[])",
        lite "select id, serial, sod_sha256 from card where id in (select value from json_each($1))",
    );
    let ids = Argument::Uuids(ids.iter().map(|id| id.uuid()).collect());
    let read = |row: &Record| Ok((Id::of(row, "id")?, (row.parsed("serial")?, row.array("sod_sha256")?)));
    tx.all(sql, args![ids]).await?.iter().map(read).collect()
}

/// Gives a card to another office.
pub(super) async fn set_office(tx: &mut Tx, id: CardId, office: &OfficeCode) -> Result<(), StoreError> {
    tx.change(&CARD, id, sql!("update card set office = $1 where id = $2"), args![office, id]).await?;
    Ok(())
}

/// Marks a card whose chip was recalled.
pub(super) async fn set_recalled(tx: &mut Tx, id: CardId) -> Result<(), StoreError> {
    tx.change(&CARD, id, sql!("update card set recalled = $1 where id = $2"), args![true, id]).await?;
    Ok(())
}

/// Says what came of the comparison of a card's body with its chip.
pub(super) async fn set_body(tx: &mut Tx, id: CardId, body: BodyCheck) -> Result<(), StoreError> {
    tx.change(&CARD, id, sql!("update card set body = $1 where id = $2"), args![body.word(), id]).await?;
    Ok(())
}

/// Marks a card that its holder must change, with the reason.
pub(super) async fn set_must_change(tx: &mut Tx, id: CardId, because: &str) -> Result<(), StoreError> {
    tx.change(&CARD, id, sql!("update card set must_change = $1 where id = $2"), args![because, id]).await?;
    Ok(())
}

/// Returns the cards whose report of loss can be undone no longer.
pub(super) async fn suspension_over(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<CardId>, StoreError> {
    let sql = sql!("select id from card where suspended_until <= $1 order by id limit 1000");
    tx.all(sql, args![now]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

/// Puts a document on the list that kiosks get. Once on it, it stays, for its first reason; only a suspended
/// one becomes revoked, or is taken off again.
pub(super) async fn revoke_document<A: Actor>(
    deed: &mut Deed<A>,
    sod_sha256: &[u8; 32],
    reason: Revocation,
) -> Result<(), StoreError> {
    let at = deed.at();
    let sql = sql!("update revoked_document set reason = $2, at = $3 where sod_sha256 = $1 and reason = 'suspended'");
    if deed.tx().run(sql, args![sod_sha256, reason.word(), at]).await? == 1 {
        return Ok(()); // kiosks refuse it already
    }
    list(deed, sod_sha256, reason.word()).await
}

/// Puts a suspended document on the list that kiosks get.
pub(super) async fn suspend_document<A: Actor>(deed: &mut Deed<A>, sod_sha256: &[u8; 32]) -> Result<(), StoreError> {
    list(deed, sod_sha256, "suspended").await
}

/// Takes a suspended document off the list again. One that is revoked stays on it.
pub(super) async fn unlist_suspended<A: Actor>(deed: &mut Deed<A>, sod_sha256: &[u8; 32]) -> Result<(), StoreError> {
    let mark: Id<()> = deed.id();
    let sql = sql!("delete from revoked_document where sod_sha256 = $1 and reason = 'suspended'");
    if deed.tx().run(sql, args![sod_sha256]).await? == 1 {
        deed.tx().run(sql!("insert into revocation_mark (id) values ($1)"), args![mark]).await?;
    }
    Ok(())
}

async fn list<A: Actor>(deed: &mut Deed<A>, sod_sha256: &[u8; 32], reason: &str) -> Result<(), StoreError> {
    let (at, mark): (_, Id<()>) = (deed.at(), deed.id());
    let sql = sql!(
        "insert into revoked_document (sod_sha256, reason, at) values ($1, $2, $3)
         on conflict (sod_sha256) do nothing"
    );
    if deed.tx().run(sql, args![sod_sha256, reason, at]).await? == 1 {
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
    let listed = sql!("select reason from revoked_document where sod_sha256 = $1");
    if let Some(row) = tx.one(listed, args![sod_sha256]).await? {
        let suspended = row.get::<String>("reason")? == "suspended";
        return Ok(Some(if suspended { "suspended" } else { "revoked" }.to_owned()));
    }
    by_document(tx, sod_sha256).await?.map(|row| row.get("status")).transpose()
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
        must_change: row.get::<Option<String>>("must_change")?.is_some(),
        body: match row.get::<Option<String>>("body")?.as_deref() {
            None => BodyCheck::NotDue,
            Some("awaited") => BodyCheck::Awaited,
            Some("checked") => BodyCheck::Checked,
            Some("doubted") => BodyCheck::Doubted,
            Some(_) => return Err(row.inconsistent("body")),
        },
        recalled: row.get::<Option<bool>>("recalled")?.unwrap_or(false),
    })
}

/// Returns how many cards there are by status. Reads what was counted, however many cards there are.
///
/// # Errors
/// [`StoreError`]
pub async fn figures(tx: &mut Tx) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = sql!(
        "select state, cast(sum(n) as bigint) as n from card_tally group by state having sum(n) > 0 order by state"
    );
    let rows = tx.all(sql, args![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.number("n")?))).collect()
}

/// Counts cards again, and returns where the tally says otherwise: status, what it says, what there is.
///
/// # Errors
/// [`StoreError`]
pub async fn miscounted(tx: &mut Tx) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let sql = sql!(
        "select state, cast(sum(said) as bigint) as said, cast(sum(counted) as bigint) as counted
         from (select state, n as said, 0 as counted from card_tally
               union all select status as state, 0 as said, count(*) as counted from card group by status) both_ways
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
        sql!("delete from card_tally where id in (select id from card_tally order by id limit $1) returning state, n");
    let rows = tx.all(sql, args![PIECE]).await?;
    for (state, n) in sums(&rows)? {
        tx.run(sql!("insert into card_tally (state, n) values ($1, $2)"), args![state, n]).await?;
    }
    Ok(i64::try_from(rows.len()).is_ok_and(|rows| rows < PIECE))
}

/// So many changes are added up in a transaction, so that no other waits for long.
const PIECE: i64 = 10_000;
