//! SQL of looks that are told later, and of records that are of no person.

use crate::exchange::looks::{Canary, Delay};
use crate::ground::ids::{DelayId, PersonId};
use crate::ground::{Decision, Id};
use crate::store::{Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Delays carry a MAC: one that another hand wrote would hide a look.
pub const EXCHANGE_DELAY: Sealed = Sealed {
    table: "exchange_delay",
    columns: &[
        ("id", Kind::Uuid),
        ("person_id", Kind::Uuid),
        ("partner_id", Kind::Uuid),
        ("court", Kind::Text),
        ("order_number", Kind::Text),
        ("until_at", Kind::Moment),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, person_id, partner_id, court, order_number, until_at, proposed_by, proposed_at, confirmed_by,
                confirmed_at, version, mac
         from exchange_delay where id = $1"
    ),
    all: sql!(
        "select id, person_id, partner_id, court, order_number, until_at, proposed_by, proposed_at, confirmed_by,
                confirmed_at, version, mac
         from exchange_delay order by id"
    ),
    set: sql!("update exchange_delay set version = $1, mac = $2 where id = $3"),
};

/// Canaries carry a MAC: one that another hand unmarked would tell of no look.
pub const EXCHANGE_CANARY: Sealed = Sealed {
    table: "exchange_canary",
    columns: &[
        ("id", Kind::Uuid),
        ("noted_by", Kind::Uuid),
        ("noted_at", Kind::Moment),
        ("confirmed_by", Kind::Uuid),
        ("confirmed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, noted_by, noted_at, confirmed_by, confirmed_at, version, mac from exchange_canary where id = $1"
    ),
    all: sql!(
        "select id, noted_by, noted_at, confirmed_by, confirmed_at, version, mac from exchange_canary order by id"
    ),
    set: sql!("update exchange_canary set version = $1, mac = $2 where id = $3"),
};

/// Inserts a delay that is proposed.
pub(in crate::exchange) async fn insert(tx: &mut Tx, delay: &Delay) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into exchange_delay (id, person_id, partner_id, court, order_number, until_at, proposed_by, proposed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let arguments = args![
        delay.id,
        delay.person,
        delay.partner,
        &*delay.court,
        &*delay.order,
        delay.until,
        delay.proposed.by,
        delay.proposed.at
    ];
    tx.run(sql, arguments).await?;
    tx.seal(&EXCHANGE_DELAY, delay.id).await
}

/// Returns a delay, kept from other writers.
pub(in crate::exchange) async fn locked(tx: &mut Tx, id: DelayId) -> Result<Option<Delay>, StoreError> {
    tx.sealed_locked(&EXCHANGE_DELAY, id).await?.map(|row| read(&row)).transpose()
}

/// Confirms a delay.
pub(in crate::exchange) async fn confirm(tx: &mut Tx, id: DelayId, by: &Decision) -> Result<(), StoreError> {
    let sql = sql!("update exchange_delay set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&EXCHANGE_DELAY, id, sql, args![by.by, by.at, id]).await?;
    Ok(())
}

/// Returns the delays about a person.
pub(in crate::exchange) async fn of_person(tx: &mut Tx, person: PersonId) -> Result<Vec<Delay>, StoreError> {
    let sql = sql!(
        "select id, person_id, partner_id, court, order_number, until_at, proposed_by, proposed_at, confirmed_by,
                confirmed_at, version, mac
         from exchange_delay where person_id = $1 order by id"
    );
    tx.all_sealed(&EXCHANGE_DELAY, sql, args![person]).await?.iter().map(read).collect()
}

/// Notes that a record is of no person. Returns false if it is noted already.
pub(in crate::exchange) async fn insert_canary(tx: &mut Tx, canary: &Canary) -> Result<bool, StoreError> {
    let sql =
        sql!("insert into exchange_canary (id, noted_by, noted_at) values ($1, $2, $3) on conflict (id) do nothing");
    let new = tx.run(sql, args![canary.person, canary.noted.by, canary.noted.at]).await? == 1;
    if new {
        tx.seal(&EXCHANGE_CANARY, canary.person).await?;
    }
    Ok(new)
}

/// Returns what is noted of a record, kept from other writers.
pub(in crate::exchange) async fn canary_locked(tx: &mut Tx, person: PersonId) -> Result<Option<Canary>, StoreError> {
    let row = tx.sealed_locked(&EXCHANGE_CANARY, person).await?;
    row.map(|row| {
        let noted = Decision { by: Id::of(&row, "noted_by")?, at: row.get("noted_at")? };
        Ok(Canary {
            person: Id::of(&row, "id")?,
            noted,
            confirmed: Decision::of(&row, "confirmed_by", "confirmed_at")?,
        })
    })
    .transpose()
}

/// Confirms that a record is of no person.
pub(in crate::exchange) async fn confirm_canary(
    tx: &mut Tx,
    person: PersonId,
    by: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!("update exchange_canary set confirmed_by = $1, confirmed_at = $2 where id = $3");
    tx.change(&EXCHANGE_CANARY, person, sql, args![by.by, by.at, person]).await?;
    Ok(())
}

/// Returns the records that two officers noted as of no person, also where another hand changed the note.
pub(in crate::exchange) async fn canaries(tx: &mut Tx) -> Result<Vec<PersonId>, StoreError> {
    let sql = sql!("select id from exchange_canary where confirmed_at is not null order by id limit 1000");
    tx.all(sql, args![]).await?.iter().map(|row| Id::of(row, "id")).collect()
}

fn read(row: &Record) -> Result<Delay, StoreError> {
    Ok(Delay {
        id: Id::of(row, "id")?,
        person: Id::of(row, "person_id")?,
        partner: Id::of(row, "partner_id")?,
        court: row.get("court")?,
        order: row.get("order_number")?,
        until: row.get("until_at")?,
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
        confirmed: Decision::of(row, "confirmed_by", "confirmed_at")?,
    })
}
