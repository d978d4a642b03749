//! SQL of the numbers.

pub mod leases;

use crypto::identity::{PersonalNumber, Sex};
use time::OffsetDateTime;

use super::model::Cell;
use crate::ground::ids::{OfficerId, PersonId};
use crate::ground::{Decision, Id};
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of cells and of numbers given.
pub const MIGRATIONS: &[Migration] = &[
    migration!(8, "0008_numbering_numbers"),
    migration!(64, "0064_numbering_withheld_numbers"),
    migration!(81, "0081_numbering_cancelled"),
    migration!(103, "0103_numbering_leases"),
    migration!(106, "0106_numbering_merged"),
];

/// Name of a cell, as stored.
pub(super) fn cell_id(cell: Cell) -> String {
    format!("{}-{}-{}", cell.province, cell.sex.letter(), cell.birth_year)
}

/// Returns the first position of a cell that is not reserved; waits for a transaction that reserves, and keeps others
/// from it.
pub(super) async fn next_locked(tx: &mut Tx, cell: Cell) -> Result<u64, StoreError> {
    let id = cell_id(cell);
    tx.run(sql!("insert into number_cell (id, next) values ($1, 0) on conflict (id) do nothing"), args![&id]).await?;
    let row = tx.one_locked(sql!("select id, next from number_cell where id = $1"), args![&id]).await?;
    row.ok_or_else(|| StoreError::inconsistent("number_cell", "id", &id))?.number("next")
}

/// Reserves all positions of a cell below `next`.
pub(super) async fn set_next(tx: &mut Tx, cell: Cell, next: u64) -> Result<(), StoreError> {
    let next = i64::try_from(next).unwrap_or(i64::MAX);
    tx.run(sql!("update number_cell set next = $1 where id = $2"), args![next, cell_id(cell)]).await?;
    Ok(())
}

/// Returns the fullest cells, the fullest first: at most ten, with how many of their numbers are reserved.
///
/// # Errors
/// [`StoreError`]
pub async fn fullest(tx: &mut Tx) -> Result<Vec<(Cell, u64)>, StoreError> {
    let rows = tx.all(sql!("select id, next from number_cell order by next desc, id limit 10"), args![]).await?;
    let cell = |row: &crate::store::Record| {
        let id: String = row.get("id")?;
        let cell = cell_of(&id).ok_or_else(|| StoreError::inconsistent("number_cell", "id", &id))?;
        Ok((cell, row.number("next")?))
    };
    rows.iter().map(cell).collect()
}

/// The cell of such a name.
pub(super) fn cell_of(id: &str) -> Option<Cell> {
    let mut parts = id.splitn(3, '-');
    let (province, sex, year) = (parts.next()?, parts.next()?, parts.next()?);
    let sex = [Sex::Male, Sex::Female].into_iter().find(|one| one.letter().to_string() == sex)?;
    Some(Cell { province: province.parse().ok()?, sex, birth_year: year.parse().ok()? })
}

/// Returns the officer who established a number; none for one that came from elsewhere.
///
/// # Errors
/// [`StoreError`]
pub async fn giver(tx: &mut Tx, number: &PersonalNumber) -> Result<Option<OfficerId>, StoreError> {
    let sql = sql!("select personal_number, established_by from personal_number where personal_number = $1");
    tx.one(sql, args![number.as_str()]).await?.map(|row| Id::of(&row, "established_by")).transpose()
}

/// Returns the officers who established the numbers that a person has or had.
///
/// # Errors
/// [`StoreError`]
pub async fn givers(tx: &mut Tx, person: PersonId) -> Result<Vec<OfficerId>, StoreError> {
    let sql = sql!("select personal_number, established_by from personal_number where person_id = $1");
    tx.all(sql, args![person]).await?.iter().map(|row| Id::of(row, "established_by")).collect()
}

/// Gives a number to a person. Returns false if a person has it or it is withheld (numbers that came from elsewhere do
/// not follow our counters).
///
/// # Errors
/// [`StoreError`]
pub async fn give(
    tx: &mut Tx,
    number: &PersonalNumber,
    person: PersonId,
    established: &Decision,
) -> Result<bool, StoreError> {
    let withheld = sql!("select personal_number from withheld_number where personal_number = $1");
    if tx.one(withheld, args![number.as_str()]).await?.is_some() {
        return Ok(false);
    }
    let given = tx
        .run(
            sql!(
                "insert into personal_number (personal_number, person_id, established_by, established_at)
                 values ($1, $2, $3, $4) on conflict (personal_number) do nothing"
            ),
            args![number.as_str(), person, established.by, established.at],
        )
        .await?;
    Ok(given == 1)
}

/// Returns which of these numbers were given, or are withheld.
pub(super) async fn taken(tx: &mut Tx, numbers: &[PersonalNumber]) -> Result<Vec<PersonalNumber>, StoreError> {
    let sql = sql!(
        pg "select one.personal_number from unnest($1::text[]) as one (personal_number)
            where exists (select 1 from personal_number where personal_number.personal_number = one.personal_number)
               or exists (select 1 from withheld_number where withheld_number.personal_number = one.personal_number)",
        lite "select personal_number from personal_number where personal_number in (select value from json_each($1))
              union select personal_number from withheld_number
              where personal_number in (select value from json_each($1))",
    );
    let numbers = numbers.iter().map(|number| number.as_str().to_owned()).collect();
    let rows = tx.all(sql, vec![crate::store::Argument::Texts(numbers)]).await?;
    rows.iter().map(|row| row.parsed("personal_number")).collect()
}

/// Enters numbers that persons have already.
pub(super) async fn enter(
    tx: &mut Tx,
    numbers: &[(PersonalNumber, PersonId)],
    entered: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into personal_number (personal_number, person_id, established_by, established_at)
         values ($1, $2, $3, $4)"
    );
    let mut rows = tx.rows(sql, 4);
    for (number, person) in numbers {
        rows.row([number.as_str().into(), (*person).into(), entered.by.into(), entered.at.into()]);
    }
    tx.insert_rows(rows).await
}

/// Returns the person who has a number.
///
/// # Errors
/// [`StoreError`]
pub async fn holder(tx: &mut Tx, number: &PersonalNumber) -> Result<Option<PersonId>, StoreError> {
    let sql = sql!("select personal_number, person_id from personal_number where personal_number = $1");
    tx.one(sql, args![number.as_str()]).await?.map(|row| Id::of(&row, "person_id")).transpose()
}

/// Returns the person who had a number before another one took its place; `None` for a number that counts.
///
/// # Errors
/// [`StoreError`]
pub async fn replaced(tx: &mut Tx, number: &PersonalNumber) -> Result<Option<PersonId>, StoreError> {
    let sql = sql!(
        "select personal_number, person_id from personal_number
         where personal_number = $1 and replaced_by is not null"
    );
    tx.one(sql, args![number.as_str()]).await?.map(|row| Id::of(&row, "person_id")).transpose()
}

/// Sees to it that a number is given to no person any more. Withheld once, it stays so.
///
/// # Errors
/// [`StoreError`]
pub async fn withhold(tx: &mut Tx, number: &PersonalNumber, at: OffsetDateTime) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into withheld_number (personal_number, withheld_at) values ($1, $2)
         on conflict (personal_number) do nothing"
    );
    tx.run(sql, args![number.as_str(), at]).await?;
    Ok(())
}

/// Cancels a number, of which another one takes the place. It stays in the table, so that it is never given again.
pub(super) async fn cancel(
    tx: &mut Tx,
    old: &PersonalNumber,
    new: &PersonalNumber,
    cancelled: &Decision,
) -> Result<(), StoreError> {
    let sql = sql!(
        "update personal_number set cancelled_at = $1, cancelled_by = $2, replaced_by = $3 where personal_number = $4"
    );
    tx.run(sql, args![cancelled.at, cancelled.by, new.as_str(), old.as_str()]).await?;
    Ok(())
}

/// Notes into which person's record that of a number's person was merged, or that it is no more.
pub(super) async fn name_merge(
    tx: &mut Tx,
    number: &PersonalNumber,
    survivor: Option<PersonId>,
) -> Result<(), StoreError> {
    let sql = sql!("update personal_number set merged_into = $1 where personal_number = $2");
    tx.run(sql, args![survivor, number.as_str()]).await?;
    Ok(())
}

/// Returns the number of a person that was cancelled by a merge which stands.
pub(super) async fn cancelled_by_merge(tx: &mut Tx, person: PersonId) -> Result<Option<PersonalNumber>, StoreError> {
    let sql = sql!(
        "select personal_number from personal_number where person_id = $1 and merged_into is not null
         order by cancelled_at desc limit 1"
    );
    tx.one(sql, args![person]).await?.map(|row| row.parsed("personal_number")).transpose()
}

/// Takes the cancellation of a number back.
pub(super) async fn reinstate(tx: &mut Tx, number: &PersonalNumber) -> Result<(), StoreError> {
    let sql = sql!(
        "update personal_number set cancelled_at = null, cancelled_by = null, replaced_by = null, merged_into = null
         where personal_number = $1"
    );
    tx.run(sql, args![number.as_str()]).await?;
    Ok(())
}
