//! A transaction, and the statements in it.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Postgres, SqlSafeStr, SqlStr, Sqlite, SqliteConnection};

use super::argument::{Argument, day, microseconds};
use super::at_hand::Lent;
use super::record::Row;
use super::{Record, RowKey, Sql, StoreError};

/// One transaction. Dropped without [`commit`](Tx::commit), it never happened.
///
/// A connection on which anything but a constraint failed is closed and never used again: its state is unknown after a
/// full disk, a lost server or a deadlock.
#[derive(Debug)]
pub struct Tx {
    /// Taken when the transaction ends.
    side: Option<Side>,
    /// Something failed on it that was no constraint.
    spoiled: bool,
    /// A statement was sent, and its answer was not read to the end.
    busy: bool,
    /// The database was told that it begins.
    open: bool,
    /// The key of the MACs of its rows.
    key: Option<RowKey>,
}

/// The driver's own connection, with a transaction open on it.
#[derive(Debug)]
enum Side {
    /// To PostgreSQL (READ COMMITTED: lock what you decide on with [`Tx::one_locked`]).
    Pg(Lent),
    /// To SQLite (the only writer).
    Lite(PoolConnection<Sqlite>),
}

impl Side {
    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Pg(connection) => (&mut **connection).execute(statement).await.map(drop),
            Self::Lite(connection) => connection.execute(statement).await.map(drop),
        }
    }

    fn close_on_drop(&mut self) {
        match self {
            Self::Pg(connection) => connection.close_on_drop(),
            Self::Lite(connection) => connection.close_on_drop(),
        }
    }
}

/// Binds the arguments to a query of PostgreSQL, each in its column's own type.
macro_rules! bind_pg {
    ($sql:expr, $arguments:expr) => {{
        let mut query = sqlx::query::<Postgres>($sql);
        for argument in $arguments {
            query = match argument {
                Argument::Bytes(value) => query.bind(value),
                Argument::Day(value) => query.bind(value),
                Argument::Integer(value) => query.bind(value),
                Argument::Json(value) => query.bind(value),
                Argument::Moment(value) => query.bind(value),
                Argument::Text(value) => query.bind(value),
                Argument::Texts(value) => query.bind(value),
                Argument::Truth(value) => query.bind(value),
                Argument::Uuid(value) => query.bind(value),
                Argument::Uuids(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Binds the arguments to a query of SQLite, in the forms that it has.
macro_rules! bind_lite {
    ($sql:expr, $arguments:expr) => {{
        let mut query = sqlx::query::<Sqlite>($sql);
        for argument in $arguments {
            query = match argument {
                Argument::Bytes(value) => query.bind(value),
                Argument::Day(value) => query.bind(value.map(day)),
                Argument::Integer(value) => query.bind(value),
                Argument::Json(value) => query.bind(value.map(|json| json.to_string())),
                Argument::Moment(value) => query.bind(value.map(microseconds)),
                Argument::Text(value) => query.bind(value),
                Argument::Texts(value) => query.bind(serde_json::json!(value).to_string()),
                Argument::Truth(value) => query.bind(value),
                Argument::Uuid(value) => query.bind(value.map(|id| id.to_string())),
                Argument::Uuids(value) => query.bind(serde_json::json!(value).to_string()),
            };
        }
        query
    }};
}

impl Tx {
    pub(super) async fn of_pg(connection: Lent, key: Option<RowKey>) -> Result<Self, StoreError> {
        Self::begun(Side::Pg(connection), "BEGIN", key).await
    }

    /// One of which each statement is a transaction of its own.
    pub(super) fn of_look(connection: Lent, key: Option<RowKey>) -> Self {
        Self { side: Some(Side::Pg(connection)), spoiled: false, busy: false, open: false, key }
    }

    /// With `writing`, the one write lock is taken at once.
    pub(super) async fn of_lite(
        connection: PoolConnection<Sqlite>,
        writing: bool,
        key: Option<RowKey>,
    ) -> Result<Self, StoreError> {
        Self::begun(Side::Lite(connection), if writing { "BEGIN IMMEDIATE" } else { "BEGIN" }, key).await
    }

    async fn begun(side: Side, statement: &'static str, key: Option<RowKey>) -> Result<Self, StoreError> {
        // Made first, so that a request which is given up in the middle of BEGIN is rolled back too.
        let mut tx = Self { side: Some(side), spoiled: false, busy: false, open: true, key };
        let begun = tx.side().execute(statement).await;
        tx.judged(begun)?;
        Ok(tx)
    }

    /// The key of the MACs, where there is one.
    #[must_use]
    pub fn row_key(&self) -> Option<&RowKey> {
        self.key.as_ref()
    }

    fn side(&mut self) -> &mut Side {
        self.busy = true;
        self.side.as_mut().expect("taken only when the transaction ends")
    }

    /// Says whether the connection is closed where the transaction is given up now. Returns what was said before.
    pub(super) fn spoil(&mut self, spoiled: bool) -> bool {
        std::mem::replace(&mut self.spoiled, spoiled)
    }

    /// Passes the result on; after an error that is no constraint, the connection is not used again.
    pub(super) fn judged<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        self.busy = false;
        done.map_err(|error| {
            self.spoiled |= !is_constraint(&error);
            error.into()
        })
    }

    /// Runs a statement. Returns the number of rows that it touched.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if a unique constraint holds, [`StoreError::Database`] otherwise.
    pub async fn run(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<u64, StoreError> {
        let done = match self.side() {
            Side::Pg(tx) => bind_pg!(sql.pg(), arguments).execute(&mut **tx).await.map(|done| done.rows_affected()),
            Side::Lite(tx) => {
                bind_lite!(sql.lite(), arguments).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        };
        self.judged(done)
    }

    /// Runs a statement `insert into TABLE (COLUMNS) values ($1, …) …` for a few rows at once. Returns the number
    /// of rows that it inserted.
    ///
    /// Each number of rows is a statement of its own, which the driver prepares and keeps: for some sixteen rows, and
    /// hot statements. Many rows go with [`insert_all`](Self::insert_all).
    ///
    /// # Errors
    /// As [`run`](Self::run): then none of them is there.
    pub async fn insert_few(&mut self, sql: Sql, rows: Vec<Vec<Argument>>) -> Result<u64, StoreError> {
        let Some(columns) = rows.first().map(Vec::len) else { return Ok(0) };
        let (count, arguments) = (rows.len(), rows.into_iter().flatten());
        let done = match self.side() {
            Side::Pg(tx) => {
                let query = bind_pg!(of_rows(sql.pg(), count, columns), arguments);
                Box::pin(query.execute(&mut **tx)).await.map(|done| done.rows_affected())
            }
            Side::Lite(tx) => {
                let query = bind_lite!(of_rows(sql.lite(), count, columns), arguments);
                Box::pin(query.execute(&mut **tx)).await.map(|done| done.rows_affected())
            }
        };
        self.judged(done)
    }

    /// Returns the first row, if there is one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, "", arguments).await
    }

    /// Returns the first row and keeps it from other writers until this transaction ends: `select … for no key
    /// update` on PostgreSQL, beside which rows that name this one may
    /// still be written; on SQLite a writing transaction is the only writer anyway.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn one_locked(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, " for no key update", arguments).await
    }

    /// As [`one_locked`](Self::one_locked), but passes over rows that another transaction holds: how a worker claims
    /// the next piece of a queue (`… order by … limit 1`).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn claim(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Option<Record>, StoreError> {
        self.first(sql, " for no key update skip locked", arguments).await
    }

    /// Returns all rows.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn all(&mut self, sql: Sql, arguments: Vec<Argument>) -> Result<Vec<Record>, StoreError> {
        let rows = match self.side() {
            Side::Pg(tx) => {
                let rows = bind_pg!(sql.pg(), arguments).fetch_all(&mut **tx).await;
                rows.map(|rows| rows.into_iter().map(|row| Record::new(Row::Pg(row), sql)).collect())
            }
            Side::Lite(tx) => {
                let rows = bind_lite!(sql.lite(), arguments).fetch_all(&mut **tx).await;
                rows.map(|rows| rows.into_iter().map(|row| Record::new(Row::Lite(row), sql)).collect())
            }
        };
        self.judged(rows)
    }

    /// Returns the rows one after the other as the database sends them, so that a long list
    /// never lies in memory at once.
    pub fn stream(
        &mut self,
        sql: Sql,
        arguments: Vec<Argument>,
    ) -> Pin<Box<dyn Stream<Item = Result<Record, StoreError>> + Send + '_>> {
        self.busy = true;
        let spoiled = &mut self.spoiled;
        let judged = move |error: sqlx::Error| {
            *spoiled |= !is_constraint(&error);
            StoreError::from(error)
        };
        match self.side.as_mut().expect("taken only when the transaction ends") {
            Side::Pg(tx) => {
                let (rows, mut judged) = (bind_pg!(sql.pg(), arguments).fetch(&mut **tx), judged);
                Box::pin(rows.map(move |row| Ok(Record::new(Row::Pg(row.map_err(&mut judged)?), sql))))
            }
            Side::Lite(tx) => {
                let (rows, mut judged) = (bind_lite!(sql.lite(), arguments).fetch(&mut **tx), judged);
                Box::pin(rows.map(move |row| Ok(Record::new(Row::Lite(row.map_err(&mut judged)?), sql))))
            }
        }
    }

    /// The driver of PostgreSQL, for what only it has (`COPY`, `LISTEN`); `None` on SQLite. For
    /// an office's `store/pg.rs`.
    pub fn pg(&mut self) -> Option<&mut PgConnection> {
        match self.side() {
            Side::Pg(tx) => Some(&mut *tx),
            Side::Lite(_) => None,
        }
    }

    /// The driver of SQLite; `None` on PostgreSQL. For an office's `store/lite.rs`.
    pub fn lite(&mut self) -> Option<&mut SqliteConnection> {
        match self.side() {
            Side::Pg(_) => None,
            Side::Lite(tx) => Some(&mut *tx),
        }
    }

    /// Makes everything true at once.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then nothing happened.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if self.open {
            let done = self.side().execute("COMMIT").await;
            self.judged(done)?;
        }
        self.give_back();
        Ok(())
    }

    /// Gives the connection back, on which nothing is under way. One on which something failed the pool asks first.
    fn give_back(&mut self) {
        match self.side.take() {
            Some(Side::Pg(connection)) if !self.spoiled => connection.give_back(),
            other => drop(other),
        }
    }

    /// The first row of a statement; on PostgreSQL with `lock` at its end.
    async fn first(
        &mut self,
        sql: Sql,
        lock: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Option<Record>, StoreError> {
        let row = match self.side() {
            Side::Pg(tx) => {
                let row = bind_pg!(locked(sql.pg(), lock), arguments).fetch_optional(&mut **tx).await;
                row.map(|row| row.map(Row::Pg))
            }
            Side::Lite(tx) => {
                let row = bind_lite!(sql.lite(), arguments).fetch_optional(&mut **tx).await;
                row.map(|row| row.map(Row::Lite))
            }
        };
        Ok(self.judged(row)?.map(|row| Record::new(row, sql)))
    }
}

impl Drop for Tx {
    /// Rolls back what was not committed, off the caller's path; a connection on which that fails is closed.
    fn drop(&mut self) {
        if !self.open && !self.spoiled && !self.busy {
            self.give_back();
        }
        let Some(mut side) = self.side.take() else { return };
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if !self.spoiled => drop(runtime.spawn(async move {
                if side.execute("ROLLBACK").await.is_err() {
                    side.close_on_drop();
                }
            })),
            // The database rolls back what a closed connection leaves.
            _ => side.close_on_drop(),
        }
    }
}

/// True for the refusals after which a connection is as good as before: a constraint held.
fn is_constraint(error: &sqlx::Error) -> bool {
    use sqlx::error::ErrorKind as K;
    let kind = error.as_database_error().map(sqlx::error::DatabaseError::kind);
    matches!(kind, Some(K::UniqueViolation | K::ForeignKeyViolation | K::NotNullViolation | K::CheckViolation))
}

/// A statement of this program that inserts one row, as it inserts so many.
fn of_rows(sql: &'static str, rows: usize, columns: usize) -> SqlStr {
    let (before, rest) = sql.split_once("values (").expect("the statement inserts");
    let (_, after) = rest.split_once(')').expect("the row ends");
    let mut text = format!("{before}values ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            // Both databases know this form.
            text.push_str(if column == 1 { "$" } else { ", $" });
            text.push_str(&(row * columns + column).to_string());
        }
        text.push(')');
    }
    text.push_str(after);
    AssertSqlSafe(text).into_sql_str()
}

/// Two constants of this program, joined.
fn locked(sql: &'static str, lock: &'static str) -> SqlStr {
    if lock.is_empty() { sql.into_sql_str() } else { AssertSqlSafe(format!("{sql}{lock}")).into_sql_str() }
}
