//! Many rows of one table at once: `COPY` on PostgreSQL, statements of many rows on SQLite.

use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr, Sqlite, SqliteConnection};

use super::argument::{Argument, day, microseconds};
use super::tx::bind_lite;
use super::{Sql, StoreError, Tx};

impl Tx {
    /// Inserts rows by a statement `insert into TABLE (COLUMNS) values ($1, …)`, as if it ran once for each, without
    /// going to the database for each.
    ///
    /// # Errors
    /// As [`run`](Self::run): then some of them may be there, and the transaction must end without a commit.
    ///
    /// # Panics
    /// If an argument is a list: it is no value of a column.
    pub async fn insert_all(&mut self, sql: Sql, rows: &[Vec<Argument>]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let done = match self.pg() {
            Some(connection) => Box::pin(copy(connection, into(sql.pg()), rows)).await,
            None => match self.lite() {
                Some(connection) => Box::pin(insert(connection, into(sql.lite()), rows)).await,
                None => unreachable!("there are two databases"),
            },
        };
        self.judged(done)
    }
}

/// The table and its columns in an insert statement.
fn into(statement: &'static str) -> &'static str {
    let rest = statement.trim_start().strip_prefix("insert into ").expect("the statement inserts");
    rest.split_once(" values")
        .map_or_else(|| rest.split_once("values").map_or(rest, |(into, _)| into), |(into, _)| into)
}

/// Sends rows in the binary form of `COPY`.
async fn copy(connection: &mut PgConnection, into: &str, rows: &[Vec<Argument>]) -> Result<(), sqlx::Error> {
    let mut stream = connection.copy_in_raw(&format!("copy {into} from stdin (format binary)")).await?;
    let mut piece = Vec::with_capacity(PIECE + 4096);
    piece.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for row in rows {
        piece.extend_from_slice(&u16::try_from(row.len()).unwrap_or(u16::MAX).to_be_bytes());
        for field in row {
            put(&mut piece, field);
        }
        if piece.len() >= PIECE {
            stream.send(&piece[..]).await?;
            piece.clear();
        }
    }
    piece.extend_from_slice(&(-1_i16).to_be_bytes());
    stream.send(&piece[..]).await?;
    stream.finish().await.map(drop)
}

/// So many bytes are sent at once.
const PIECE: usize = 64 * 1024;

/// One field of a row in the binary form: four bytes of length, then the value; a length of -1 for none.
fn put(piece: &mut Vec<u8>, field: &Argument) {
    let at = piece.len();
    piece.extend_from_slice(&(-1_i32).to_be_bytes());
    let there = match field {
        Argument::Bytes(value) => value.as_ref().map(|value| piece.extend_from_slice(value)),
        Argument::Day(value) => value.map(|value| {
            let days = value.to_julian_day() - DAY_2000;
            piece.extend_from_slice(&days.to_be_bytes());
        }),
        Argument::Integer(value) => value.map(|value| piece.extend_from_slice(&value.to_be_bytes())),
        Argument::Json(value) => value.as_ref().map(|value| {
            // The version of jsonb on the wire.
            piece.push(1);
            serde_json::to_writer(&mut *piece, value).expect("a value of JSON becomes text");
        }),
        Argument::Moment(value) => {
            value.map(|value| piece.extend_from_slice(&(microseconds(value) - MOMENT_2000).to_be_bytes()))
        }
        Argument::Text(value) => value.as_ref().map(|value| piece.extend_from_slice(value.as_bytes())),
        Argument::Truth(value) => value.map(|value| piece.push(value.into())),
        Argument::Uuid(value) => value.map(|value| piece.extend_from_slice(value.as_bytes())),
        Argument::Texts(_) | Argument::Uuids(_) => unreachable!("a list is no value of a column"),
    };
    if there.is_some() {
        let length = i32::try_from(piece.len() - at - 4).unwrap_or(i32::MAX);
        piece[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// 1 January 2000, from which PostgreSQL counts days (Julian day) …
const DAY_2000: i32 = 2_451_545;
/// … and microseconds, in microseconds since 1970.
const MOMENT_2000: i64 = 946_684_800_000_000;

/// Inserts rows by statements of as many as SQLite takes parameters for.
async fn insert(connection: &mut SqliteConnection, into: &str, rows: &[Vec<Argument>]) -> Result<(), sqlx::Error> {
    let columns = rows[0].len().max(1);
    for some in rows.chunks((MOST_PARAMETERS / columns).clamp(1, MOST_ROWS)) {
        let group = format!("({})", vec!["?"; columns].join(", "));
        let text = format!("insert into {into} values {}", vec![group.as_str(); some.len()].join(", "));
        let query = bind_lite!(AssertSqlSafe(text).into_sql_str(), some.iter().flatten().cloned());
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// SQLITE_MAX_VARIABLE_NUMBER.
const MOST_PARAMETERS: usize = 32_766;
/// More rows in a statement make it no faster.
const MOST_ROWS: usize = 500;
