//! SQL of the codes that citizens set, and of their objections.

pub(super) mod objections;

use time::OffsetDateTime;

use super::codes::Code;
use crate::ground::ids::CardId;
use crate::ground::{Decision, Id};
use crate::store::{Kind, Migration, Record, Sealed, StoreError, Tx};
use crate::{args, migration, sql};

/// The tables of codes and objections.
pub const MIGRATIONS: &[Migration] = &[
    migration!(240, "0240_citizens_codes"),
    migration!(253, "0253_citizens_objections"),
    migration!(255, "0255_citizens_answered"),
];

/// Codes carry a MAC: one that another hand wrote would open a citizen's record.
pub const CITIZEN_CODE: Sealed = Sealed {
    table: "citizen_code",
    columns: &[
        ("id", Kind::Uuid),
        ("hash", Kind::Text),
        ("set_by", Kind::Uuid),
        ("set_at", Kind::Moment),
        ("wrong", Kind::Integer),
        ("not_before", Kind::Moment),
    ],
    keys: 1,
    one: sql!("select id, hash, set_by, set_at, wrong, not_before, version, mac from citizen_code where id = $1"),
    all: sql!("select id, hash, set_by, set_at, wrong, not_before, version, mac from citizen_code order by id"),
    set: sql!("update citizen_code set version = $1, mac = $2 where id = $3"),
};

/// Keeps a code, in place of an earlier one of the card.
pub(super) async fn put(tx: &mut Tx, code: &Code) -> Result<(), StoreError> {
    let Code { card, hash, set, .. } = code;
    let (id, wrong) = (*card, 0_i64);
    if tx.sealed_locked(&CITIZEN_CODE, id).await?.is_some() {
        let not_before: Option<OffsetDateTime> = None;
        let sql = sql!(
            "update citizen_code set hash = $1, set_by = $2, set_at = $3, wrong = $4, not_before = $5 where id = $6"
        );
        tx.change(&CITIZEN_CODE, id, sql, args![&**hash, set.by, set.at, wrong, not_before, id]).await?;
        return Ok(());
    }
    let sql = sql!("insert into citizen_code (id, hash, set_by, set_at, wrong) values ($1, $2, $3, $4, $5)");
    tx.run(sql, args![id, &**hash, set.by, set.at, wrong]).await?;
    tx.seal(&CITIZEN_CODE, id).await
}

/// Returns the code of a card.
pub(super) async fn code(tx: &mut Tx, card: CardId) -> Result<Option<Code>, StoreError> {
    tx.sealed(&CITIZEN_CODE, card).await?.map(|row| read(&row)).transpose()
}

/// Returns the code of a card, kept from other writers.
pub(super) async fn code_locked(tx: &mut Tx, card: CardId) -> Result<Option<Code>, StoreError> {
    tx.sealed_locked(&CITIZEN_CODE, card).await?.map(|row| read(&row)).transpose()
}

/// Notes how many wrong codes were shown, and until when none is looked at.
pub(super) async fn count(
    tx: &mut Tx,
    card: CardId,
    wrong: u32,
    not_before: Option<OffsetDateTime>,
) -> Result<(), StoreError> {
    let sql = sql!("update citizen_code set wrong = $1, not_before = $2 where id = $3");
    tx.change(&CITIZEN_CODE, card, sql, args![i64::from(wrong), not_before, card]).await?;
    Ok(())
}

fn read(row: &Record) -> Result<Code, StoreError> {
    let wrong: i64 = row.get("wrong")?;
    Ok(Code {
        card: Id::of(row, "id")?,
        hash: row.get("hash")?,
        set: Decision { by: Id::of(row, "set_by")?, at: row.get("set_at")? },
        wrong: wrong.try_into().unwrap_or(u32::MAX),
        not_before: row.get("not_before")?,
    })
}
