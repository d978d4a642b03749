//! SQL of destructions.

use crypto::identity::CardSerial;
use time::OffsetDateTime;

use crate::ground::ids::{DestructionId, OfficerId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Kind, Record, Sealed, StoreError, Tx};
use crate::{args, sql};

/// Destructions carry a MAC: they say who saw it.
pub const DESTRUCTION: Sealed = Sealed {
    table: "destruction",
    columns: &[
        ("id", Kind::Uuid),
        ("office", Kind::Text),
        ("method", Kind::Text),
        ("serials", Kind::Json),
        ("witness_one", Kind::Uuid),
        ("witness_two", Kind::Uuid),
        ("proposed_by", Kind::Uuid),
        ("proposed_at", Kind::Moment),
        ("one_confirmed_at", Kind::Moment),
        ("two_confirmed_at", Kind::Moment),
    ],
    keys: 1,
    one: sql!(
        "select id, office, method, serials, witness_one, witness_two, proposed_by, proposed_at, one_confirmed_at,
                two_confirmed_at, version, mac
         from destruction where id = $1"
    ),
    all: sql!(
        "select id, office, method, serials, witness_one, witness_two, proposed_by, proposed_at, one_confirmed_at,
                two_confirmed_at, version, mac
         from destruction order by id"
    ),
    set: sql!("update destruction set version = $1, mac = $2 where id = $3"),
};

/// Spoiled chips that are destroyed together.
#[derive(Clone, Debug)]
pub struct Destruction {
    /// Identifier.
    pub id: DestructionId,
    /// The office of the chips.
    pub office: OfficeCode,
    /// How they are destroyed: cut, shredded, burnt.
    pub method: String,
    /// The chips, in their order.
    pub serials: Vec<CardSerial>,
    /// The two who see it, each with the moment of the confirmation.
    pub witnesses: [(OfficerId, Option<OffsetDateTime>); 2],
    /// The officer who wants it, and when.
    pub proposed: Decision,
}

pub(in crate::production) async fn insert(tx: &mut Tx, destruction: &Destruction) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into destruction (id, office, method, serials, witness_one, witness_two, proposed_by, proposed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let Destruction { id, office, method, serials, witnesses: [(one, _), (two, _)], proposed } = destruction;
    let serials: Vec<String> = serials.iter().map(ToString::to_string).collect();
    let arguments = args![*id, office, method, Argument::json(&serials), *one, *two, proposed.by, proposed.at];
    tx.run(sql, arguments).await?;
    tx.seal(&DESTRUCTION, *id).await
}

/// Returns a destruction.
pub(in crate::production) async fn found(tx: &mut Tx, id: DestructionId) -> Result<Option<Destruction>, StoreError> {
    tx.sealed(&DESTRUCTION, id).await?.map(|row| read(&row)).transpose()
}

/// Returns a destruction, kept from other writers.
pub(in crate::production) async fn locked(tx: &mut Tx, id: DestructionId) -> Result<Option<Destruction>, StoreError> {
    tx.sealed_locked(&DESTRUCTION, id).await?.map(|row| read(&row)).transpose()
}

/// Writes down when the witnesses confirmed.
pub(in crate::production) async fn confirm(tx: &mut Tx, destruction: &Destruction) -> Result<(), StoreError> {
    let sql = sql!("update destruction set one_confirmed_at = $1, two_confirmed_at = $2 where id = $3");
    let [(_, one), (_, two)] = destruction.witnesses;
    tx.change(&DESTRUCTION, destruction.id, sql, args![one, two, destruction.id]).await?;
    Ok(())
}

/// Returns a page of the destructions of an office (the national office: of all), each with whether its MAC holds.
pub(in crate::production) async fn listed(
    tx: &mut Tx,
    office: &OfficeCode,
    after: DestructionId,
    most: i64,
) -> Result<Vec<(Record, bool)>, StoreError> {
    let sql = sql!(
        "select id, office, method, serials, witness_one, witness_two, proposed_by, proposed_at, one_confirmed_at,
                two_confirmed_at, version, mac
         from destruction where (office = $1 or $1 = 'national') and id > $2 order by id limit $3"
    );
    tx.all_judged(&DESTRUCTION, sql, args![office, after, most]).await
}

pub(in crate::production) fn read(row: &Record) -> Result<Destruction, StoreError> {
    let id: DestructionId = Id::of(row, "id")?;
    Ok(Destruction {
        id,
        office: row.parsed("office")?,
        method: row.get("method")?,
        serials: serials(row, "serials")?,
        witnesses: [
            (Id::of(row, "witness_one")?, row.get("one_confirmed_at")?),
            (Id::of(row, "witness_two")?, row.get("two_confirmed_at")?),
        ],
        proposed: Decision { by: Id::of(row, "proposed_by")?, at: row.get("proposed_at")? },
    })
}

/// Reads a column with serials.
pub(super) fn serials(row: &Record, column: &str) -> Result<Vec<CardSerial>, StoreError> {
    let texts: Vec<String> = row.json(column)?;
    let read: Result<Vec<CardSerial>, _> = texts.iter().map(|text| text.parse()).collect();
    read.map_err(|_| StoreError::inconsistent("serials", column, "?"))
}
