//! SQL of what changed of persons, noted for those who follow them. The offices that change something note it in the
//! same transaction; an office above takes the notes and gives them their order.

use std::collections::BTreeSet;

use crate::ground::Id;
use crate::ground::ids::PersonId;
use crate::store::{Argument, StoreError, Tx};
use crate::{args, sql};

/// A change that was noted and is not taken yet. It holds no data of the person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// In this order they were noted: of two changes that locked the same person the later one has the higher number.
    pub id: i64,
    /// The person.
    pub person: PersonId,
    /// Names of the fields that changed.
    pub fields: BTreeSet<String>,
    /// Since when it is so, as in a declaration; none if that was not said.
    pub effective: Option<String>,
}

/// Notes that fields of a person changed. Of no field, nothing is noted.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn note_change(
    tx: &mut Tx,
    person: PersonId,
    fields: &BTreeSet<&str>,
    effective: Option<String>,
) -> Result<(), StoreError> {
    if fields.is_empty() {
        return Ok(());
    }
    let fields = fields.iter().copied().collect::<Vec<_>>().join(",");
    let sql = sql!("insert into deed_change (person_id, fields, effective) values ($1, $2, $3)");
    tx.run(sql, args![person, fields, effective]).await?;
    Ok(())
}

/// Returns changes that wait to be taken, in their order and at most so many.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn waiting_changes(tx: &mut Tx, most: i64) -> Result<Vec<Changed>, StoreError> {
    let sql = sql!("select id, person_id, fields, effective from deed_change order by id limit $1");
    let rows = tx.all(sql, args![most]).await?;
    rows.iter()
        .map(|row| {
            let fields: String = row.get("fields")?;
            Ok(Changed {
                id: row.get("id")?,
                person: Id::of(row, "person_id")?,
                fields: fields.split(',').map(str::to_owned).collect(),
                effective: row.get("effective")?,
            })
        })
        .collect()
}

/// Removes changes that were taken.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn forget_changes(tx: &mut Tx, ids: &[i64]) -> Result<(), StoreError> {
    let sql = sql!(
        pg "delete from deed_change where id = any($1::text[]::bigint[])",
        lite "delete from deed_change where id in (select cast(value as integer) from json_each($1))",
    );
    tx.run(sql, args![Argument::Texts(ids.iter().map(ToString::to_string).collect())]).await?;
    Ok(())
}
