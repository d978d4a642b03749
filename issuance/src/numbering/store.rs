//! SQL of the numbers.

use crypto::identity::PersonalNumber;
use time::OffsetDateTime;

use super::model::Cell;
use crate::access::OfficerId;
use crate::args;
use crate::store::{Migration, StoreError, Tx};

/// A row per cell with its counter, and every number that was ever given, under the number itself: the distribution key of a
/// sharded register, so that the shard that holds a number also sees that nobody else has it.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 6001,
    title: "cells of numbers, numbers given",
    sql: "create table number_cell (
        id TEXT primary key,
        next BIGINT not null
    );
    create table personal_number (
        personal_number TEXT primary key,
        person_id TEXT not null,
        established_by TEXT not null,
        established_at BIGINT not null
    );",
}];

/// Takes the next position of a cell; waits for whoever is taking one.
pub(super) async fn next_position(tx: &mut Tx, cell: &Cell) -> Result<u32, StoreError> {
    let id = format!("{}-{}-{}", cell.province, cell.sex.letter(), cell.birth_year);
    tx.run("insert into number_cell (id, next) values ($1, 0) on conflict (id) do nothing", args![&id]).await?;
    let row = tx.one_locked("select id, next from number_cell where id = $1", args![&id]).await?;
    let row = row.ok_or_else(|| StoreError::Inconsistent {
        table: "number_cell".into(),
        column: "id".into(),
        id: id.clone(),
    })?;
    let position = row.number("next")?;
    tx.run("update number_cell set next = next + 1 where id = $1", args![&id]).await?;
    Ok(position)
}

/// Gives a number to a person; false if somebody has it (numbers that came from elsewhere do not follow our counters).
pub(super) async fn give(
    tx: &mut Tx,
    number: &PersonalNumber,
    person: &str,
    by: &OfficerId,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let given = tx
        .run(
            "insert into personal_number (personal_number, person_id, established_by, established_at)
             values ($1, $2, $3, $4) on conflict (personal_number) do nothing",
            args![number.as_str(), person, by, at],
        )
        .await?;
    if given == 1 {
        let sql = "update person set personal_number = $1 where id = $2 and personal_number is null";
        tx.run(sql, args![number.as_str(), person]).await?;
    }
    Ok(given == 1)
}
