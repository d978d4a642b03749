//! SQL of bodies of cards that one officer found to differ from their chips.

use crypto::identity::CardSerial;

use crate::ground::ids::CardId;
use crate::ground::{Decision, Id};
use crate::store::{Kind, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Doubts carry a MAC: with one, a second officer's word spoils a card.
pub const BODY_DOUBT: Sealed = Sealed {
    table: "body_doubt",
    columns: &[
        ("serial", Kind::Text),
        ("card_id", Kind::Uuid),
        ("differs", Kind::Text),
        ("read_by", Kind::Uuid),
        ("read_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!("select serial, card_id, differs, read_by, read_at, version, mac from body_doubt where serial = $1"),
    all: sql!("select serial, card_id, differs, read_by, read_at, version, mac from body_doubt order by serial"),
    set: sql!("update body_doubt set version = $1, mac = $2 where serial = $3"),
};

/// What one officer read from the body of a card that its chip does not hold.
pub(in crate::production) struct BodyDoubt {
    /// The card.
    pub card: CardId,
    /// What differs.
    pub differs: String,
    /// The officer who read it, and when.
    pub read: Decision,
}

/// Notes a doubt, in place of an earlier one about the chip.
pub(in crate::production) async fn put(tx: &mut Tx, serial: &CardSerial, doubt: &BodyDoubt) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into body_doubt (serial, card_id, differs, read_by, read_at) values ($1, $2, $3, $4, $5)
         on conflict (serial) do update set card_id = excluded.card_id, differs = excluded.differs,
             read_by = excluded.read_by, read_at = excluded.read_at"
    );
    let BodyDoubt { card, differs, read } = doubt;
    tx.run(sql, args![serial.to_string(), *card, differs, read.by, read.at]).await?;
    // Whatever stood there before: all that decides was just written.
    tx.seal(&BODY_DOUBT, serial.to_string()).await
}

/// Returns the doubt about the body of the card with this chip.
pub(in crate::production) async fn of(tx: &mut Tx, serial: &CardSerial) -> Result<Option<BodyDoubt>, StoreError> {
    let row = tx.sealed(&BODY_DOUBT, serial.to_string()).await?;
    row.map(|row| {
        let read = Decision { by: Id::of(&row, "read_by")?, at: row.get("read_at")? };
        Ok(BodyDoubt { card: Id::of(&row, "card_id")?, differs: row.get("differs")?, read })
    })
    .transpose()
}

/// Deletes the doubt about a chip: another officer decided it.
pub(in crate::production) async fn end(tx: &mut Tx, serial: &CardSerial) -> Result<(), StoreError> {
    tx.run(sql!("delete from body_doubt where serial = $1"), args![serial.to_string()]).await?;
    Ok(())
}
