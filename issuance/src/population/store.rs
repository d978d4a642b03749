//! SQL of the register.

use crypto::identity::PersonalNumber;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::model::{Finding, Person, Registered};
use crate::deed::Deed;
use crate::ground::actor::Actor;
use crate::ground::ids::{OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode};
use crate::store::{Argument, Migration, Record, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of the register.
pub const MIGRATIONS: &[Migration] =
    &[migration!(6, "0006_population_persons"), migration!(32, "0032_population_likeness")];

pub(super) async fn insert(
    tx: &mut Tx,
    id: PersonId,
    office: &OfficeCode,
    declared: &Decision,
    person: &Person,
    findings: &[Finding],
) -> Result<(), StoreError> {
    tx.run(
        sql!(
            "insert into person (id, office, record, likeness, findings, declared_by, declared_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        args![
            id,
            office,
            Argument::json(person),
            person.likeness(),
            Argument::json(&findings),
            declared.by,
            declared.at
        ],
    )
    .await?;
    Ok(())
}

/// Makes declarations of people who are alike wait for each other, until the transaction ends; those of other people do
/// not wait. [`has_like`] then sees every one that came before.
pub(super) async fn hold_likeness(tx: &mut Tx, person: &Person) -> Result<(), StoreError> {
    // The update that changes nothing is what locks a row that is there already.
    let sql = sql!("insert into likeness (id) values ($1) on conflict (id) do update set id = excluded.id");
    let id: [u8; 32] = Sha256::digest(person.likeness()).into();
    tx.run(sql, args![id]).await?;
    Ok(())
}

/// True if a person of the same name, birth date and sex is in the register.
pub(super) async fn has_like(tx: &mut Tx, person: &Person) -> Result<bool, StoreError> {
    let sql = sql!("select id from person where likeness = $1 limit 1");
    Ok(tx.one(sql, args![person.likeness()]).await?.is_some())
}

/// True if another person of the same name, birth date and sex is in the register, declared before or after.
///
/// # Errors
/// [`StoreError`]
pub async fn has_double(tx: &mut Tx, id: PersonId, person: &Person) -> Result<bool, StoreError> {
    let sql = sql!("select id from person where likeness = $1 and id <> $2 limit 1");
    Ok(tx.one(sql, args![person.likeness(), id]).await?.is_some())
}

/// Returns a person by the register's id. The deed owes a record that names the person.
///
/// # Errors
/// [`StoreError`]
pub async fn person<A: Actor>(deed: &mut Deed<A>, id: PersonId) -> Result<Option<Registered>, StoreError> {
    deed.saw(id);
    let sql = sql!("select id, office, personal_number, record, findings from person where id = $1");
    deed.tx().one(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// As [`person`], kept from other writers until the deed ends.
///
/// # Errors
/// [`StoreError`]
pub async fn person_locked<A: Actor>(deed: &mut Deed<A>, id: PersonId) -> Result<Option<Registered>, StoreError> {
    deed.saw(id);
    let sql = sql!("select id, office, personal_number, record, findings from person where id = $1");
    deed.tx().one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// Returns the officer who entered a person's declaration.
///
/// # Errors
/// [`StoreError`]
pub async fn declarer(tx: &mut Tx, id: PersonId) -> Result<Option<OfficerId>, StoreError> {
    let row = tx.one(sql!("select id, declared_by from person where id = $1"), args![id]).await?;
    row.map(|row| Id::of(&row, "declared_by")).transpose()
}

/// Writes a person's number for life, once.
///
/// # Errors
/// [`StoreError`]
pub async fn set_number(tx: &mut Tx, id: PersonId, number: &PersonalNumber) -> Result<(), StoreError> {
    let sql = sql!("update person set personal_number = $1 where id = $2 and personal_number is null");
    tx.run(sql, args![number.as_str(), id]).await?;
    Ok(())
}

/// Lets an office that has a case of a person read the person.
///
/// # Errors
/// [`StoreError`]
pub async fn open_to(tx: &mut Tx, id: PersonId, office: &OfficeCode, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into person_reader (person_id, office, since) values ($1, $2, $3)
         on conflict (person_id, office) do nothing"
    );
    tx.run(sql, args![id, office, at]).await?;
    Ok(())
}

/// True if an office has a case of a person.
pub(super) async fn is_open_to(tx: &mut Tx, id: PersonId, office: &OfficeCode) -> Result<bool, StoreError> {
    let sql = sql!("select person_id from person_reader where person_id = $1 and office = $2");
    Ok(tx.one(sql, args![id, office]).await?.is_some())
}

fn read(row: &Record) -> Result<Registered, StoreError> {
    Ok(Registered {
        id: Id::of(row, "id")?,
        office: row.parsed("office")?,
        personal_number: row.parsed_optional("personal_number")?,
        person: row.json("record")?,
        findings: row.json("findings")?,
    })
}
