//! Many rows of one table at once: `COPY` on PostgreSQL, statements of many rows on SQLite.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, SqlSafeStr, Sqlite, SqliteConnection};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::argument::{Argument, day, microseconds};
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
        let mut all = self.rows(sql, rows[0].len());
        for row in rows {
            for field in row {
                all.put(field.into());
            }
        }
        self.insert_rows(all).await
    }

    /// Begins to write rows for a statement `insert into TABLE (COLUMNS) values ($1, …)` of so many columns.
    pub fn rows(&mut self, sql: Sql, columns: usize) -> Rows {
        match self.pg() {
            Some(_) => Rows { into: into(sql.pg()), columns, fields: 0, written: Written::Pg(SIGNATURE.to_vec()) },
            None => Rows { into: into(sql.lite()), columns, fields: 0, written: Written::Lite(vec![]) },
        }
    }

    /// Inserts the rows that were written.
    ///
    /// # Errors
    /// As [`run`](Self::run): then none of them is there.
    pub async fn insert_rows(&mut self, rows: Rows) -> Result<(), StoreError> {
        let Rows { into, columns, fields, written } = rows;
        debug_assert_eq!(fields % columns.max(1), 0, "the last row is whole");
        if fields == 0 {
            return Ok(());
        }
        let done = match written {
            Written::Pg(bytes) => {
                // Given up in the middle of it, what the server still says about these rows would be read
                // as the answer to the next statement of another caller: such a connection is closed.
                let spoiled = self.spoil(true);
                let connection = self.pg().expect("the rows were begun on this database");
                let done = Box::pin(copy(connection, into, bytes)).await;
                self.spoil(spoiled);
                done
            }
            Written::Lite(values) => {
                let connection = self.lite().expect("the rows were begun on this database");
                Box::pin(insert(connection, into, columns, values)).await
            }
        };
        self.judged(done)
    }

    /// Lets this connection to SQLite keep a quarter of a gigabyte of pages in memory: rows of many indexes are spread
    /// over the whole file, and with the two megabytes that it keeps otherwise each is read and written many times. Of
    /// no effect on PostgreSQL.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn make_room(&mut self) -> Result<(), StoreError> {
        let Some(connection) = self.lite() else { return Ok(()) };
        let done = connection.execute("pragma cache_size = -262144").await.map(drop);
        self.judged(done)
    }
}

/// Rows on their way into one table, as its database takes them.
pub struct Rows {
    into: &'static str,
    columns: usize,
    fields: usize,
    written: Written,
}

/// Shows nothing of the rows.
impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows for {}", self.into)
    }
}

enum Written {
    /// In the binary form of `COPY`.
    Pg(Vec<u8>),
    /// One value after the other.
    Lite(Vec<Value>),
}

impl Rows {
    /// Writes a row.
    ///
    /// # Panics
    /// If it has not as many fields as the statement has columns.
    pub fn row<const N: usize>(&mut self, fields: [Field<'_>; N]) {
        assert_eq!((N, self.fields % self.columns), (self.columns, 0), "a row has a field for each column");
        for field in fields {
            self.put(field);
        }
    }

    fn put(&mut self, field: Field<'_>) {
        match &mut self.written {
            Written::Pg(bytes) => {
                if self.fields.is_multiple_of(self.columns) {
                    bytes.extend_from_slice(&u16::try_from(self.columns).unwrap_or(u16::MAX).to_be_bytes());
                }
                put(bytes, field);
            }
            Written::Lite(values) => values.push(Value::from(field)),
        }
        self.fields += 1;
    }
}

/// One field of a row, borrowed from what is written.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// `bytea` and `BLOB`.
    Bytes(&'a [u8]),
    /// `date` and `TEXT`.
    Day(Date),
    /// `bigint` and `INTEGER`.
    Integer(i64),
    /// JSON that is text already: `jsonb` and `TEXT`.
    Json(&'a str),
    /// `timestamptz` and `INTEGER`.
    Moment(OffsetDateTime),
    /// Nothing.
    Null,
    /// `text` on both.
    Text(&'a str),
    /// `boolean` and `INTEGER`.
    Truth(bool),
    /// `uuid` and `TEXT`.
    Uuid(Uuid),
    /// JSON that is no text yet.
    Value(&'a serde_json::Value),
}

impl<'a, T: Into<Field<'a>>> From<Option<T>> for Field<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! fields {
    ($($from:ty => $side:ident;)*) => { $(
        impl<'a> From<$from> for Field<'a> {
            fn from(value: $from) -> Self { Self::$side(value) }
        }
    )* };
}

fields! {
    bool => Truth;
    i64 => Integer;
    Date => Day;
    OffsetDateTime => Moment;
    Uuid => Uuid;
    &'a str => Text;
    &'a [u8] => Bytes;
}

impl From<u16> for Field<'_> {
    fn from(value: u16) -> Self {
        Self::Integer(value.into())
    }
}

impl<'a> From<&'a String> for Field<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a Argument> for Field<'a> {
    fn from(argument: &'a Argument) -> Self {
        match argument {
            Argument::Bytes(value) => value.as_deref().into(),
            Argument::Day(value) => (*value).into(),
            Argument::Integer(value) => (*value).into(),
            Argument::Json(value) => value.as_ref().map_or(Self::Null, Self::Value),
            Argument::Moment(value) => (*value).into(),
            Argument::Text(value) => value.as_deref().into(),
            Argument::Truth(value) => (*value).into(),
            Argument::Uuid(value) => (*value).into(),
            // Lists are no columns.
            Argument::Texts(_) | Argument::Uuids(_) => Self::Null,
        }
    }
}

/// A field as SQLite takes it.
enum Value {
    Blob(Vec<u8>),
    Integer(i64),
    Null,
    Text(String),
}

impl From<Field<'_>> for Value {
    fn from(field: Field<'_>) -> Self {
        match field {
            Field::Bytes(value) => Self::Blob(value.to_vec()),
            Field::Day(value) => Self::Text(day(value)),
            Field::Integer(value) => Self::Integer(value),
            Field::Json(value) | Field::Text(value) => Self::Text(value.to_owned()),
            Field::Moment(value) => Self::Integer(microseconds(value)),
            Field::Null => Self::Null,
            Field::Truth(value) => Self::Integer(value.into()),
            Field::Uuid(value) => Self::Text(value.to_string()),
            Field::Value(value) => Self::Text(value.to_string()),
        }
    }
}

/// The table and its columns in an insert statement.
fn into(statement: &'static str) -> &'static str {
    let rest = statement.trim_start().strip_prefix("insert into ").expect("the statement inserts");
    rest.split_once(" values")
        .map_or_else(|| rest.split_once("values").map_or(rest, |(into, _)| into), |(into, _)| into)
}

/// Sends rows in the binary form of `COPY`.
async fn copy(connection: &mut PgConnection, into: &str, mut bytes: Vec<u8>) -> Result<(), sqlx::Error> {
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    let mut stream = connection.copy_in_raw(&format!("copy {into} from stdin (format binary)")).await?;
    for piece in bytes.chunks(PIECE) {
        stream.send(piece).await?;
    }
    stream.finish().await.map(drop)
}

/// How the binary form begins.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// So many bytes are sent at once.
const PIECE: usize = 64 * 1024;

/// One field of a row in the binary form: four bytes of length, then the value; a length of -1 for none.
fn put(bytes: &mut Vec<u8>, field: Field<'_>) {
    let at = bytes.len();
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    match field {
        Field::Bytes(value) => bytes.extend_from_slice(value),
        Field::Day(value) => bytes.extend_from_slice(&(value.to_julian_day() - DAY_2000).to_be_bytes()),
        Field::Integer(value) => bytes.extend_from_slice(&value.to_be_bytes()),
        Field::Json(value) => {
            bytes.push(JSONB);
            bytes.extend_from_slice(value.as_bytes());
        }
        Field::Moment(value) => bytes.extend_from_slice(&(microseconds(value) - MOMENT_2000).to_be_bytes()),
        Field::Null => return,
        Field::Text(value) => bytes.extend_from_slice(value.as_bytes()),
        Field::Truth(value) => bytes.push(value.into()),
        Field::Uuid(value) => bytes.extend_from_slice(value.as_bytes()),
        Field::Value(value) => {
            bytes.push(JSONB);
            serde_json::to_writer(&mut *bytes, value).expect("a value of JSON becomes text");
        }
    }
    let length = i32::try_from(bytes.len() - at - 4).unwrap_or(i32::MAX);
    bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The version of `jsonb` on the wire.
const JSONB: u8 = 1;
/// 1 January 2000, from which PostgreSQL counts days (Julian day) …
const DAY_2000: i32 = 2_451_545;
/// … and microseconds, in microseconds since 1970.
const MOMENT_2000: i64 = 946_684_800_000_000;

/// Inserts rows by statements of as many as SQLite takes parameters for.
async fn insert(
    connection: &mut SqliteConnection,
    into: &str,
    columns: usize,
    values: Vec<Value>,
) -> Result<(), sqlx::Error> {
    let at_once = (MOST_PARAMETERS / columns).clamp(1, MOST_ROWS);
    let group = format!("({})", vec!["?"; columns].join(", "));
    let statement = |rows: usize| format!("insert into {into} values {}", vec![group.as_str(); rows].join(", "));
    let whole = AssertSqlSafe(statement(at_once)).into_sql_str();
    let (mut left, mut values) = (values.len() / columns, values.into_iter());
    while left > 0 {
        let rows = left.min(at_once);
        let text = if rows == at_once { whole.clone() } else { AssertSqlSafe(statement(rows)).into_sql_str() };
        let mut query = sqlx::query::<Sqlite>(text);
        for value in values.by_ref().take(rows * columns) {
            query = match value {
                Value::Blob(value) => query.bind(value),
                Value::Integer(value) => query.bind(value),
                Value::Null => query.bind(None::<i64>),
                Value::Text(value) => query.bind(value),
            };
        }
        query.execute(&mut *connection).await?;
        left -= rows;
    }
    Ok(())
}

/// SQLITE_MAX_VARIABLE_NUMBER.
const MOST_PARAMETERS: usize = 32_766;
/// More rows in a statement make it no faster.
const MOST_ROWS: usize = 1000;
