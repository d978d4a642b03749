//! SQL of the numbers.

pub mod leases;

use std::collections::BTreeMap;

use crypto::identity::{PersonalNumber, Sex};
use time::OffsetDateTime;

use super::model::{CELL_SIZE, Cell, NumberCell};
use crate::ground::ids::{OfficerId, PersonId};
use crate::ground::{Decision, Id};
use crate::population::search::CancelledNumber;
use crate::store::{Migration, Record, StoreError, Tx};
use crate::{args, migration, sql};

/// Tables of cells and of numbers given.
pub const MIGRATIONS: &[Migration] = &[
    migration!(8, "0008_numbering_numbers"),
    migration!(64, "0064_numbering_withheld_numbers"),
    migration!(81, "0081_numbering_cancelled"),
    migration!(103, "0103_numbering_leases"),
    migration!(106, "0106_numbering_merged"),
    migration!(127, "0127_numbering_lease_cells"),
    migration!(121, "0121_numbering_entered"),
    migration!(134, "0134_numbering_order_of_bytes"),
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

/// Returns the cells of which so many numbers or more are given or reserved, and beside them the ten
/// fullest; the fullest first.
///
/// # Errors
/// [`StoreError`]
pub async fn fullest(tx: &mut Tx, from: u64) -> Result<Vec<NumberCell>, StoreError> {
    let sql = sql!(
        "select id, cast(sum(n) as bigint) as next
         from (select id, next as n from number_cell union all select id, entered from number_cell_entered) as told
         group by id having sum(n) >= $1 order by sum(n) desc, id limit $2"
    );
    let mut rows = tx.all(sql, args![0_i64, 10_i64]).await?;
    let last = rows.last().map_or(Ok(0), |row| row.number("next"))?;
    if last >= from && from > 0 {
        rows = tx.all(sql, args![i64::try_from(from).unwrap_or(i64::MAX), i64::MAX]).await?;
    }
    rows.iter().map(|row| number_cell(row).map(|(_, cell)| cell)).collect()
}

/// Reads a cell, of a row with its name and how many numbers of it are given or reserved.
fn number_cell(row: &Record) -> Result<(String, NumberCell), StoreError> {
    let id: String = row.get("id")?;
    let cell = cell_of(&id).ok_or_else(|| StoreError::inconsistent("number_cell", "id", &id))?;
    Ok((id, NumberCell::of(cell, row.number::<u64>("next")?.min(CELL_SIZE.into()))))
}

/// Counts numbers of cells that came from elsewhere, and lie before what the cells' own counters have reached.
pub(super) async fn count_entered(tx: &mut Tx, entered: &BTreeMap<String, i64>) -> Result<(), StoreError> {
    let sql = sql!(
        "insert into number_cell_entered (id, entered) values ($1, $2)
         on conflict (id) do update set entered = number_cell_entered.entered + excluded.entered"
    );
    // In the order of their names, so that two imports do not wait for each other.
    for (id, n) in entered {
        tx.run(sql, args![id, *n]).await?;
    }
    Ok(())
}

/// Notes that the counter of a cell reached a number that came from elsewhere: from now on the counter counts it.
pub(super) async fn uncount_entered(tx: &mut Tx, cell: Cell) -> Result<(), StoreError> {
    let sql = sql!("update number_cell_entered set entered = entered - 1 where id = $1 and entered > 0");
    tx.run(sql, args![cell_id(cell)]).await?;
    Ok(())
}

/// Returns the first positions that are not reserved, of those of these cells that have a counter.
pub(super) async fn reached(tx: &mut Tx, cells: Vec<String>) -> Result<BTreeMap<String, u64>, StoreError> {
    let sql = sql!(
        pg "select id, next from number_cell where id = any($1)",
        lite "select id, next from number_cell where id in (select value from json_each($1))",
    );
    let rows = tx.all(sql, vec![crate::store::Argument::Texts(cells)]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.number("next")?))).collect()
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

/// Returns which of these numbers no person can get any more: those that a person has or had, and those withheld.
pub(super) async fn taken(tx: &mut Tx, numbers: &[PersonalNumber]) -> Result<Vec<PersonalNumber>, StoreError> {
    let sql = sql!(
        pg "select one.personal_number from unnest($1::text[]) as one (personal_number)
            where exists (select 1 from personal_number where personal_number.personal_number = one.personal_number)
               or exists (select 1 from withheld_number where withheld_number.personal_number = one.personal_number)",
        lite "select personal_number from personal_number where personal_number in (select value from json_each($1))
              union select personal_number from withheld_number
              where personal_number in (select value from json_each($1))",
    );
    let mut taken = vec![];
    for some in numbers.chunks(1000) {
        let texts = some.iter().map(|number| number.as_str().to_owned()).collect();
        for row in tx.all(sql, vec![crate::store::Argument::Texts(texts)]).await? {
            taken.push(row.parsed("personal_number")?);
        }
    }
    Ok(taken)
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

/// Returns the person who had a number before another one took its place, and whether that followed from a merge;
/// `None` for a number that counts.
///
/// # Errors
/// [`StoreError`]
pub async fn cancelled(tx: &mut Tx, number: &PersonalNumber) -> Result<Option<CancelledNumber>, StoreError> {
    let sql = sql!(
        "select personal_number, person_id, merged_into from personal_number
         where personal_number = $1 and replaced_by is not null"
    );
    let Some(row) = tx.one(sql, args![number.as_str()]).await? else { return Ok(None) };
    let merged_into = Id::of_optional(&row, "merged_into")?;
    Ok(Some(CancelledNumber { person: Id::of(&row, "person_id")?, merged_into }))
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
