//! SQL of the register.

use super::model::{Finding, Person, Registered};
use crate::access::{OfficeCode, OfficerId};
use crate::args;
use crate::store::{Migration, Record, StoreError, Tx};
use time::OffsetDateTime;

/// Tables of the register. A person is found by the register's own id until there is a number.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 5001,
    title: "persons",
    sql: "create table person (
        id TEXT primary key,
        office TEXT not null,
        personal_number TEXT,
        record TEXT not null,
        likeness TEXT not null,
        findings TEXT not null,
        declared_by TEXT not null,
        declared_at BIGINT not null
    );
    create index person_number on person (personal_number);
    create index person_likeness on person (likeness);",
}];

/// Who entered a declaration, where and when.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub id: &'a str,
    pub office: &'a OfficeCode,
    pub by: &'a OfficerId,
    pub at: OffsetDateTime,
}

pub(super) async fn insert(
    tx: &mut Tx,
    entry: Entry<'_>,
    person: &Person,
    findings: &[Finding],
) -> Result<(), StoreError> {
    let json = |value: Result<String, serde_json::Error>| value.expect("structures of strings become JSON");
    tx.run(
        "insert into person (id, office, record, likeness, findings, declared_by, declared_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        args![
            entry.id,
            entry.office.as_str(),
            json(serde_json::to_string(person)),
            person.likeness(),
            json(serde_json::to_string(findings)),
            entry.by,
            entry.at
        ],
    )
    .await?;
    Ok(())
}

/// Whether somebody like this one is in the register.
pub(super) async fn has_like(tx: &mut Tx, person: &Person) -> Result<bool, StoreError> {
    let sql = "select 1 as one from person where likeness = $1 limit 1";
    Ok(tx.one(sql, args![person.likeness()]).await?.is_some())
}

/// A person by the register's id.
///
/// # Errors
/// [`StoreError`]
pub async fn person(tx: &mut Tx, id: &str) -> Result<Option<Registered>, StoreError> {
    let sql = "select id, office, personal_number, record, findings from person where id = $1";
    tx.one(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// The same, kept from other writers until the transaction ends.
///
/// # Errors
/// [`StoreError`]
pub async fn person_locked(tx: &mut Tx, id: &str) -> Result<Option<Registered>, StoreError> {
    let sql = "select id, office, personal_number, record, findings from person where id = $1";
    tx.one_locked(sql, args![id]).await?.map(|row| read(&row)).transpose()
}

/// Who entered a person's declaration.
///
/// # Errors
/// [`StoreError`]
pub async fn declarer(tx: &mut Tx, id: &str) -> Result<Option<OfficerId>, StoreError> {
    let row = tx.one("select id, declared_by from person where id = $1", args![id]).await?;
    row.map(|row| row.parsed("declared_by")).transpose()
}

/// Whether a person applied at an office.
pub(super) async fn has_applied_at(tx: &mut Tx, id: &str, office: &OfficeCode) -> Result<bool, StoreError> {
    let sql = "select 1 as one from application where person_id = $1 and office = $2 limit 1";
    Ok(tx.one(sql, args![id, office.as_str()]).await?.is_some())
}

fn read(row: &Record) -> Result<Registered, StoreError> {
    Ok(Registered {
        id: row.get("id")?,
        office: row.parsed("office")?,
        personal_number: row.parsed_optional("personal_number")?,
        person: row.json("record")?,
        findings: row.json("findings")?,
    })
}
