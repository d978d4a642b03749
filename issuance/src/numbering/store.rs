//! SQL of the numbers.

use crypto::identity::PersonalNumber;

use super::model::Cell;
use crate::ground::ids::{OfficerId, PersonId};
use crate::ground::{Decision, Id};
use crate::store::{Migration, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of cells and of numbers given.
pub const MIGRATIONS: &[Migration] = &[migration!(8, "0008_numbering_numbers")];

/// Takes the next position of a cell, counted from zero; waits for a transaction that is taking one.
pub(super) async fn next_position(tx: &mut Tx, cell: &Cell) -> Result<u32, StoreError> {
    let id = format!("{}-{}-{}", cell.province, cell.sex.letter(), cell.birth_year);
    tx.run(sql!("insert into number_cell (id, next) values ($1, 0) on conflict (id) do nothing"), args![&id]).await?;
    let row = tx.one_locked(sql!("select id, next from number_cell where id = $1"), args![&id]).await?;
    let position = row.ok_or_else(|| StoreError::inconsistent("number_cell", "id", &id))?.number("next")?;
    tx.run(sql!("update number_cell set next = next + 1 where id = $1"), args![&id]).await?;
    Ok(position)
}

/// Returns the officer who established a number; none for one that came from elsewhere.
///
/// # Errors
/// [`StoreError`]
pub async fn giver(tx: &mut Tx, number: &PersonalNumber) -> Result<Option<OfficerId>, StoreError> {
    let sql = sql!("select personal_number, established_by from personal_number where personal_number = $1");
    tx.one(sql, args![number.as_str()]).await?.map(|row| Id::of(&row, "established_by")).transpose()
}

/// Gives a number to a person. Returns false if a person has it (numbers that came from elsewhere do
/// not follow our counters).
pub(super) async fn give(
    tx: &mut Tx,
    number: &PersonalNumber,
    person: PersonId,
    established: &Decision,
) -> Result<bool, StoreError> {
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
